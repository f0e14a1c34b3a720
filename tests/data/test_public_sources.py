"""Datasets that need more than a table read: real rows of their sources come out as published, or the download is refused.

The utterances are of sonos/nlu-benchmark (CC0 1.0), the pages of tldr-pages/tldr (CC BY 4.0), the questions of Natural
Questions and the passages of Wikipedia (both CC BY-SA 3.0) as nelson-liu/lost-in-the-middle has them.
"""

from __future__ import annotations

import dataclasses
import gzip
import io
import json
import re
import tarfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest
from pytest_httpserver import HTTPServer

from benchmarks.contract import BadInput
from benchmarks.data.assemble import load
from benchmarks.tasks import find, names
from benchmarks.tasks.dataset import PublicDataset
from benchmarks.tasks.source import Source, download, drawn


@pytest.fixture(autouse=True)
def nothing_of_this_machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ADVISOR_CACHE", str(tmp_path / "cache"))
    monkeypatch.delenv("ADVISOR_DATA", raising=False)


def served(name: str, server: HTTPServer, contents: Sequence[bytes], **changes: Any) -> PublicDataset:
    """The dataset with a server on this machine as the origin of its source, which has what lies at its addresses."""
    dataset = find(name)
    assert isinstance(dataset, PublicDataset)
    origin = server.url_for("").rstrip("/")
    source = dataclasses.replace(dataset.source, origin=origin, **{"hashes": {}, "least_rows": 0, **changes})
    for address, content in zip(source.addresses, contents, strict=True):
        server.expect_request(address.removeprefix(origin)).respond_with_data(content)
    return dataclasses.replace(dataset, source=source)


def rows(folder: Path, part: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (folder / f"{part}.jsonl").read_text(encoding="utf-8").split("\n") if line]


# ---------------------------------------------------------------- draws and addresses


def test_the_draws_are_those_of_the_published_parts() -> None:
    assert drawn(2_655, 1_155)[:8] == [0, 3, 4, 6, 7, 9, 13, 14]
    assert [place - 1_942 for place in drawn(13_784, 3_000) if 0 <= place - 1_942 < 29] == [3, 5, 6, 15, 19, 24]
    assert drawn(3, 9) == [0, 1, 2]


def test_files_and_archives_have_addresses_at_one_commit() -> None:
    source = Source(repository="a/b", commit="0" * 40, paths=("x y.csv", "z.csv"), convert=lambda files: {})
    folder = f"https://raw.githubusercontent.com/a/b/{'0' * 40}"
    assert source.addresses == (f"{folder}/x%20y.csv", f"{folder}/z.csv")
    packed = dataclasses.replace(source, packed=True)
    assert packed.addresses == (f"https://codeload.github.com/a/b/tar.gz/{'0' * 40}",)


@pytest.mark.parametrize("name", names())
def test_every_path_of_a_source_is_one_file(name: str) -> None:
    dataset = find(name)
    if isinstance(dataset, PublicDataset):
        paths = dataset.source.paths
        assert len(set(paths)) == len(paths)
        assert not [path for path in paths if path.startswith("/") or "*" in path or ".." in path.split("/")]


# ---------------------------------------------------------------- nq_open_oracle

DEADPOOL = (
    "Deadpool 2",
    "Deadpool 2 is scheduled to be released in the United States on May 18, 2018. A sequel, Deadpool 3, is in development.",
)
EAGLES = (
    "Super Bowl XXXIX",
    "The Eagles and the Patriots met again in Super Bowl LII, following the 2017 season, with the Eagles taking their "
    "revenge 41\u201333.",
)
EAGLES_ASKED = (
    ("when was the last year the eagles went to the superbowl", ["following the 2017 season", "2017"]),
    ("when did the philadelphia eagles play in the super bowl last", ["Super Bowl LII"]),
    ("when's the last time the philadelphia eagles played the new england patriots", ["in Super Bowl LII"]),
)
QUESTIONS = [("when is the next deadpool movie being released", ["May 18, 2018"], DEADPOOL)] + [
    (question, answers, EAGLES) for question, answers in EAGLES_ASKED
]


def questions(asked: Sequence[tuple[str, list[str], tuple[str, str]]]) -> bytes:
    """The published file: what the question is, its answers, the passage, and more that is not used."""
    lines = [
        {
            "question": question,
            "answers": answers,
            "ctxs": [{"title": title, "text": text, "hasanswer": True, "isgold": True}],
            "nq_annotated_gold": {"title": title, "long_answer": text, "chunked_long_answer": text},
        }
        for question, answers, (title, text) in asked
    ]
    return gzip.compress("".join(json.dumps(line, ensure_ascii=False) + "\n" for line in lines).encode())


def test_questions_are_cut_and_a_passage_of_several_stands_once(httpserver: HTTPServer) -> None:
    _, folder = served("nq_open_oracle", httpserver, [questions(QUESTIONS)]).open()
    assert rows(folder, "docs") == [
        {"id": f"nq-{number}", "title": title, "text": text} for number, (title, text) in enumerate((DEADPOOL, EAGLES))
    ]
    (example,), cases = rows(folder, "train"), rows(folder, "test")
    asked = [(case["input"], case["answers"]) for case in (example, *cases)]
    assert sorted(asked) == sorted((question, answers) for question, answers, _ in QUESTIONS)
    assert [case["output"] for case in cases] == [case["answers"][0] for case in cases]
    assert [case["id"] for case in cases] == [f"nq_open_oracle-test-{number}" for number in range(3)]
    wanted = {question: ["nq-0" if passage is DEADPOOL else "nq-1"] for question, _, passage in QUESTIONS}
    assert {case["input"]: case["doc_ids"] for case in (example, *cases)} == wanted


def test_passages_take_one_line_and_answers_stay_as_they_are(httpserver: HTTPServer) -> None:
    spaced = (EAGLES[0], EAGLES[1].replace(" with ", "\n with\u00a0"))
    asked = [("when did the ninja turtles come out", ["May\u00a01984"], spaced), *QUESTIONS[1:]]
    _, folder = served("nq_open_oracle", httpserver, [questions(asked)]).open()
    assert [document["text"] for document in rows(folder, "docs")] == [EAGLES[1]] * 2
    assert "May\u00a01984" in [case["output"] for part in ("train", "test") for case in rows(folder, part)]


@pytest.mark.parametrize(
    "content",
    [b"<html>", gzip.compress(b'{"question": "a"}'), questions(QUESTIONS)[:-9]],
    ids=["no archive", "no questions", "cut off"],
)
def test_questions_that_cannot_be_read_are_refused(content: bytes, httpserver: HTTPServer) -> None:
    dataset = served("nq_open_oracle", httpserver, [content])
    with pytest.raises(BadInput, match=r"nq_open_oracle: what nelson-liu/lost-in-the-middle sent cannot be read"):
        dataset.open()
    assert dataset.folder() is None


def test_questions_that_unpack_without_end_are_refused(httpserver: HTTPServer) -> None:
    with pytest.raises(BadInput, match=r"nq_open_oracle is not on this machine\. A file of it unpacks to more than"):
        served("nq_open_oracle", httpserver, [gzip.compress(bytes(64_000_001))]).open()


# ---------------------------------------------------------------- snips_slots

WEATHER = [
    [
        ("What will the weather be ", None),
        ("faraway", "spatial_relation"),
        (" from ", None),
        ("here", "current_location"),
        ("?", None),
    ],
    [
        ("Will there be ", None),
        ("fog", "condition_description"),
        (" in ", None),
        ("Tahquamenon Falls State Park", "geographic_poi"),
        ("?", None),
    ],
]
RESTAURANTS = [
    [
        ("I'd like to eat at a ", None),
        ("taverna", "restaurant_type"),
        (" that serves ", None),
        ("chili con carne", "served_dish"),
        (" for a party of ", None),
        ("10", "party_size_number"),
        (" ", None),
    ],
    [
        ("Book ", None),
        ("restaurant", "restaurant_type"),
        (" for party of ", None),
        ("7", "party_size_number"),
        (" at a ", None),
        ("pub", "restaurant_type"),
        (" in ", None),
        ("Ford Heights", "city"),
    ],
    [("book a spot ", None), ("far", "spatial_relation"), (" from ", None), ("Åland", "country")],
]
MUSIC = [[("Play some ", None), ("blues britânico", "genre"), (".", None)]]


def utterances(intent: str, said: Sequence[Sequence[tuple[str, str | None]]], encoding: str = "utf-8") -> bytes:
    pieces = [[{"text": text} | ({"entity": slot} if slot else {}) for text, slot in one] for one in said]
    return json.dumps({intent: [{"data": one} for one in pieces]}, ensure_ascii=False).encode(encoding)


def test_utterances_become_an_intent_with_its_slots(httpserver: HTTPServer) -> None:
    dataset = find("snips_slots")
    assert isinstance(dataset, PublicDataset)
    known = {
        "train_BookRestaurant_full": utterances("BookRestaurant", RESTAURANTS),
        "train_PlayMusic_full": utterances("PlayMusic", MUSIC, "latin-1"),
        "validate_GetWeather": utterances("GetWeather", WEATHER),
    }
    stems = [(Path(path).stem, Path(path).parent.name) for path in dataset.source.paths]
    contents = [known.get(stem, utterances(intent, [])) for stem, intent in stems]
    spec, folder = served("snips_slots", httpserver, contents).open()
    assert [(row["input"], row["output"]) for row in rows(folder, "test")] == [
        (
            "What will the weather be faraway from here?",
            '{"intent": "GetWeather", "slots": {"spatial_relation": "faraway", "current_location": "here"}}',
        ),
        (
            "Will there be fog in Tahquamenon Falls State Park?",
            '{"intent": "GetWeather", "slots": {"condition_description": "fog", "geographic_poi": '
            '"Tahquamenon Falls State Park"}}',
        ),
    ]
    assert [(row["id"], row["input"], json.loads(row["output"])["slots"]) for row in rows(folder, "train")] == [
        (
            "snips_slots-train-0",
            "I'd like to eat at a taverna that serves chili con carne for a party of 10",
            {"restaurant_type": "taverna", "served_dish": "chili con carne", "party_size_number": "10"},
        ),
        (
            "snips_slots-train-1",
            "Book restaurant for party of 7 at a pub in Ford Heights",
            {"restaurant_type": "restaurant | pub", "party_size_number": "7", "city": "Ford Heights"},
        ),
        ("snips_slots-train-2", "book a spot far from Åland", {"spatial_relation": "far", "country": "Åland"}),
        ("snips_slots-train-3", "Play some blues britânico.", {"genre": "blues britânico"}),
    ]
    assert len(load(spec, folder).examples) == 4


@pytest.mark.parametrize(
    "content", [b"<html>", b"[]", b'{"AddToPlaylist": [{}]}', b'{"AddToPlaylist": [{"data": [{}]}]}']
)
def test_utterances_that_cannot_be_read_are_refused(content: bytes, httpserver: HTTPServer) -> None:
    with pytest.raises(BadInput, match=r"snips_slots: what sonos/nlu-benchmark sent cannot be read"):
        served("snips_slots", httpserver, [content] * 14).open()


# ---------------------------------------------------------------- tldr_commands

DISCONNECT = """# adb disconnect

> The examples for this command have been moved together with `adb connect`.

- View documentation for `adb disconnect`:

`tldr adb connect`
"""
WHICH = """# rustup which

> Display which binary will be run for a command managed by `rustup`.
> Like `which`, but searches a Rust toolchain instead of `$PATH`.
> More information: <https://rust-lang.github.io/rustup/>.

- Display the path to the binary in the default toolchain:

`rustup which {{command}}`

- Display the path to the binary in the specified toolchain (see `rustup help toolchain` for more information):

`rustup which --toolchain {{toolchain}} {{command}}`
"""
PAGES = {"pages/common/adb-disconnect.md": DISCONNECT, "pages/common/rustup-which.md": WHICH}


def archive(pages: Mapping[str, str]) -> bytes:
    made = io.BytesIO()
    with tarfile.open(fileobj=made, mode="w:gz") as files:
        for path, text in {"README.md": "# tldr", "pages.fr/common/rustup-which.md": "# non", **pages}.items():
            entry = tarfile.TarInfo(f"tldr-08e345f4/{path}")
            entry.size = len(text.encode())
            files.addfile(entry, io.BytesIO(text.encode()))
    return made.getvalue()


def test_pages_become_documents_and_their_examples_cases(httpserver: HTTPServer) -> None:
    _, folder = served("tldr_commands", httpserver, [archive(PAGES)], paths=tuple(PAGES)).open()
    disconnect, which = rows(folder, "docs")
    assert (disconnect["id"], disconnect["title"]) == ("tldr-common-adb-disconnect", "adb disconnect")
    assert which["text"].split("\n") == [line for line in WHICH.split("\n") if line and "More information:" not in line]
    cases = rows(folder, "train") + rows(folder, "test")
    assert len(cases) == 2, "What only points to another page is no case."
    assert {case["doc_ids"][0] for case in cases} == {which["id"]}
    assert {case["output"]: case["input"] for case in cases} == {
        "rustup which {{command}}": "[rustup which] Display the path to the binary in the default toolchain",
        "rustup which --toolchain {{toolchain}} {{command}}": "[rustup which] Display the path to the binary in the "
        "specified toolchain (see `rustup help toolchain` for more information)",
    }
    meta = json.loads((folder / "meta.json").read_text(encoding="utf-8"))
    assert list(meta["sha256"]) == list(PAGES)


def test_the_letter_of_an_option_is_not_given_away(httpserver: HTTPServer) -> None:
    page = WHICH.replace(
        "Display the path to the binary in the default", "[d]isplay e[X]actly the [path] in the [n]-th"
    )
    path = "pages/common/rustup-which.md"
    _, folder = served("tldr_commands", httpserver, [archive({path: page})], paths=(path,)).open()
    cases = rows(folder, "train") + rows(folder, "test")
    assert "display eXactly the [path] in the n-th toolchain" in [case["input_without_tool"] for case in cases]
    assert "- [d]isplay e[X]actly the [path] in the [n]-th toolchain:" in rows(folder, "docs")[0]["text"].split("\n")


def test_the_list_of_pages_names_the_published_cases() -> None:
    folder = Path(__file__).parents[2] / "benchmarks" / "tasks" / "public"
    listed = [line.split("\t") for line in (folder / "tldr_commands.tsv").read_text(encoding="utf-8").splitlines()]
    letters = "".join(letters for _, letters in listed)
    assert (len(listed), letters.count("t"), letters.count("h")) == (1_197, 2_990, 1_495)
    assert set(letters) == {"t", "h", "-"}
    assert all(re.fullmatch(r"(common|linux)/[^/\s]+", page) for page, _ in listed)


@pytest.mark.parametrize(
    "pages",
    [
        {"pages/common/adb-disconnect.md": DISCONNECT},
        PAGES | {"pages/common/rustup-which.md": WHICH + "\n- One more:\n\n`rustup`\n"},
        PAGES | {"pages/common/rustup-which.md": ""},
    ],
    ids=["one page is missing", "a page has more examples", "a page is empty"],
)
def test_pages_that_are_not_the_published_ones_are_refused(pages: Mapping[str, str], httpserver: HTTPServer) -> None:
    with pytest.raises(BadInput, match=r"tldr_commands: what tldr-pages/tldr sent cannot be read"):
        served("tldr_commands", httpserver, [archive(pages)], paths=tuple(PAGES)).open()


def test_an_archive_that_is_none_is_refused(tmp_path: Path) -> None:
    dataset = find("tldr_commands")
    assert isinstance(dataset, PublicDataset)
    with pytest.raises(BadInput, match=r"tldr-pages/tldr sent cannot be read"):
        download("tldr_commands", dataset.source, tmp_path / "made", lambda address: b"<html>")
    assert not any(tmp_path.iterdir())
