"""Tasks by name: every bundled and public one opens, and a download is whole, checked and kept, or refused."""

from __future__ import annotations

import dataclasses
import json
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest
from pytest_httpserver import HTTPServer

from benchmarks.contract import BadInput
from benchmarks.data.assemble import Limits, assemble, load
from benchmarks.tasks import BundledTask, find, names
from benchmarks.tasks.dataset import PublicDataset
from benchmarks.tasks.source import Source, content_hash, cut_by_hash, download, get

WORDS = ("amber", "birch", "cedar", "delta", "ember", "fjord", "grove", "heath", "inlet", "jetty", "knoll", "ledge")


def public() -> list[PublicDataset]:
    found = [task for task in map(find, names()) if isinstance(task, PublicDataset)]
    assert found, "There are public datasets."
    return found


def bundled() -> list[BundledTask]:
    found = [task for task in map(find, names()) if isinstance(task, BundledTask)]
    assert found, "There are bundled tasks."
    return found


every_dataset = pytest.mark.parametrize("dataset", public(), ids=lambda dataset: dataset.name)


@pytest.fixture(autouse=True)
def nothing_of_this_machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ADVISOR_CACHE", str(tmp_path / "cache"))
    monkeypatch.delenv("ADVISOR_DATA", raising=False)


# ---------------------------------------------------------------- made-up data


def made_up(dataset: PublicDataset, part: str, count: int) -> list[dict[str, Any]]:
    """Rows as they lie in a folder of ADVISOR_DATA; no two inputs resemble each other."""
    rows = []
    for number in range(count):
        word = WORDS[number % len(WORDS)]
        row: dict[str, Any] = {
            "id": f"{part}-{number}",
            "input": f"{part} {word} {number}: {' '.join(WORDS[number % 5 :: 3])}?",
        }
        row["output"] = outputs(dataset, word)[number % 2]
        if dataset.documents:
            row["doc_ids"] = [f"doc-{number % 3}"]
        rows.append(row)
    return rows


def outputs(dataset: PublicDataset, word: str) -> tuple[str, str]:
    if dataset.kind == "extraction":
        return (
            json.dumps({"intent": "GetWeather", "slots": {"city": word}}),
            json.dumps({"intent": "PlayMusic", "slots": {"artist": word}}),
        )
    if dataset.kind == "classification":
        first, second = (dataset.labels or ("yes", "no"))[:2]
        return first, second
    return f"the {word}", f"no {word}"


def write_lines(path: Path, rows: Sequence[Mapping[str, Any]]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")


def write_folder(dataset: PublicDataset, folder: Path) -> None:
    write_lines(folder / "train.jsonl", made_up(dataset, "train", 40))
    write_lines(folder / "test.jsonl", made_up(dataset, "test", 24))
    if dataset.documents:
        documents = [{"id": f"doc-{n}", "title": f"Page {n}", "text": f"About {WORDS[n]}."} for n in range(3)]
        write_lines(folder / "docs.jsonl", documents)
    (folder / "meta.json").write_text(json.dumps({"labels": list(dataset.labels)}), encoding="utf-8")


def served(dataset: PublicDataset, server: HTTPServer, files: Mapping[str, str], **changes: Any) -> PublicDataset:
    """The dataset with a server on this machine as the origin of its source."""
    source = dataclasses.replace(dataset.source, origin=server.url_for("").rstrip("/"), **changes)
    for path, text in files.items():
        address = f"/{source.repository}/{source.commit}/{path}"
        server.expect_request(address).respond_with_data(text.encode())
    return dataclasses.replace(dataset, source=source)


def dataset_of(name: str) -> PublicDataset:
    found = find(name)
    assert isinstance(found, PublicDataset)
    return found


# ---------------------------------------------------------------- names


def test_every_name_is_found_and_no_other() -> None:
    assert {"support-intents", "handbook-qa", "order-extract", "house-style"} <= set(names())
    assert all(find(name) is not None for name in names())
    for name in ("nothing", "../tasks/support-intents", "public", "", "support-intents/"):
        assert find(name) is None


@pytest.mark.parametrize("task", bundled(), ids=lambda task: task.name)
def test_a_bundled_task_opens_where_it_lies(task: BundledTask) -> None:
    spec, folder = task.open()
    assert spec.name == task.name
    assert (folder / spec.examples).is_file()
    assert spec.target is not None, "A bundled task states its target before the first run."


@every_dataset
def test_a_public_dataset_says_where_it_comes_from(dataset: PublicDataset) -> None:
    assert find(dataset.name) is dataset
    assert re.fullmatch(r"[0-9a-f]{40}", dataset.source.commit)
    assert re.fullmatch(r"[\w.-]+/[\w.-]+", dataset.source.repository)
    assert dataset.licence in dataset.origin
    assert dataset.source.paths
    assert all(re.fullmatch(r"[0-9a-f]{64}", value) for value in dataset.source.hashes.values())


# ---------------------------------------------------------------- from a folder


@every_dataset
def test_a_public_dataset_becomes_a_benchmark(
    dataset: PublicDataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_folder(dataset, tmp_path / "data" / dataset.name)
    monkeypatch.setenv("ADVISOR_DATA", str(tmp_path / "data"))
    spec, folder = dataset.open()
    benchmark = assemble(spec, data=load(spec, folder), limits=Limits(target=0.7)).benchmark
    assert {case.id.partition("-")[0] for case in benchmark.task.examples} == {"train"}
    assert {case.id.partition("-")[0] for case in benchmark.heldout} == {"test"}
    assert len(benchmark.heldout) == 24
    assert benchmark.metric.name == dataset.metric
    assert benchmark.task.kind == dataset.kind
    assert benchmark.task.instruction == dataset.instruction
    assert len(benchmark.task.documents) == (3 if dataset.documents else 0)
    assert all(case.document_ids for case in benchmark.heldout) is dataset.documents
    case = benchmark.heldout[0]
    assert benchmark.metric.score(case, case.output) == 1.0


def test_labels_come_from_the_folder_and_references_are_accepted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    banking, sentences = dataset_of("banking77"), dataset_of("e2e_nlg")
    monkeypatch.setenv("ADVISOR_DATA", str(tmp_path))
    write_folder(banking, tmp_path / banking.name)
    (tmp_path / banking.name / "meta.json").write_text('{"labels": ["yes", "no", "perhaps"]}', encoding="utf-8")
    assert banking.open()[0].labels == ("yes", "no", "perhaps")
    write_folder(sentences, tmp_path / sentences.name)
    row = {"id": "test-0", "input": "name[Elm]", "output": "It is Elm.", "references": ["It is Elm.", "Elm it is."]}
    write_lines(tmp_path / sentences.name / "test.jsonl", [row])
    loaded = load(*sentences.open())
    assert loaded.heldout is not None
    assert loaded.heldout[0].accepted == ("It is Elm.", "Elm it is.")


@every_dataset
@pytest.mark.parametrize("missing", ["train.jsonl", "test.jsonl", "docs.jsonl"])
def test_a_folder_that_lacks_a_file_is_named(
    dataset: PublicDataset, missing: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_folder(dataset, tmp_path / dataset.name)
    (tmp_path / dataset.name / missing).unlink(missing_ok=True)
    monkeypatch.setenv("ADVISOR_DATA", str(tmp_path))
    if missing not in dataset.files:
        assert dataset.folder() == tmp_path / dataset.name
        return
    with pytest.raises(BadInput, match=rf"lacks {missing}\. Put train\.jsonl and test\.jsonl .* set ADVISOR_DATA"):
        dataset.open()


def test_a_data_variable_that_is_no_folder_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ADVISOR_DATA", str(tmp_path / "nowhere"))
    with pytest.raises(BadInput, match="ADVISOR_DATA names no folder"):
        dataset_of("banking77").open()


@pytest.mark.parametrize("text", ["[1]", "{", '{"labels": "yes"}', '{"labels": [1]}'])
def test_a_broken_meta_file_is_named(text: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    dataset = dataset_of("banking77")
    write_folder(dataset, tmp_path / dataset.name)
    (tmp_path / dataset.name / "meta.json").write_text(text, encoding="utf-8")
    monkeypatch.setenv("ADVISOR_DATA", str(tmp_path))
    with pytest.raises(BadInput, match=r"meta\.json of banking77 .*Correct it, or remove it"):
        dataset.open()


# ---------------------------------------------------------------- from the source


BANKING = {
    "banking_data/train.csv": 'text,category\n"Where is it, my card?",card_arrival\nWhy a fee?,fee\n',
    "banking_data/test.csv": 'text,category\n"Two\nlines",fee\n',
}
SPAM = {"SMSSpamCollection": "".join(f"ham\tsee you at {n}\x85ok\nspam\tWIN {n} now\n" for n in range(60))}
STUDIES = {
    number: {
        "QUESTION": f"Does {number} help?",
        "CONTEXTS": ["It was tried.", "It helped."],
        "MESHES": ["A", "B", "C", "D", "E"],
        "YEAR": "2011",
        "final_decision": "yes",
        "LONG_ANSWER": "It does.",
    }
    for number in ("11", "12", "13")
}
PUBMED = {"data/ori_pqal.json": json.dumps(STUDIES), "data/test_ground_truth.json": '{"12": "yes"}'}
REGEX = {
    "datasets/NL-RX-Turk/src.txt": "".join(f"lines with {n}\n" for n in range(90)),
    "datasets/NL-RX-Turk/targ.txt": "".join(f".*{n}.*\n" for n in range(90)),
}
E2E = {
    "devset.csv": 'mr,ref\n"name[A], area[B]",A is in B.\n"name[A], area[B]",In B is A.\n',
    "testset_w_refs.csv": "mr,ref\nname[C],C.\nname[D],D.\nname[C],It is C.\n",
}
SERVED = {"banking77": BANKING, "sms_spam": SPAM, "pubmedqa": PUBMED, "nl2regex": REGEX, "e2e_nlg": E2E}


@pytest.mark.parametrize(("name", "rows"), [("banking77", 3), ("sms_spam", 120), ("pubmedqa", 3), ("nl2regex", 90)])
def test_what_is_downloaded_is_converted_and_kept(name: str, rows: int, httpserver: HTTPServer) -> None:
    dataset = served(dataset_of(name), httpserver, SERVED[name], hashes={}, least_rows=rows)
    loaded = load(*dataset.open())
    assert loaded.heldout
    assert len(loaded.examples) + len(loaded.heldout) == rows
    assert not {case.id for case in loaded.examples} & {case.id for case in loaded.heldout}
    asked = len(httpserver.log)
    assert load(*dataset.open()).examples == loaded.examples
    assert len(httpserver.log) == asked, "What is kept is not downloaded again."


def test_conversions_keep_what_the_source_says(httpserver: HTTPServer) -> None:
    free = {"hashes": {}, "least_rows": 0}
    banking = load(*served(dataset_of("banking77"), httpserver, BANKING, **free).open())
    assert [(case.input, case.output) for case in banking.examples] == [
        ("Where is it, my card?", "card_arrival"),
        ("Why a fee?", "fee"),
    ]
    studies = load(*served(dataset_of("pubmedqa"), httpserver, PUBMED, **free).open())
    assert studies.heldout is not None
    assert [(case.output, case.document_ids) for case in studies.heldout] == [("yes", ("pmid-12",))]
    assert studies.documents[0].title == "PubMed abstract 11 (2011): A, B, C, D"
    assert studies.documents[0].text == "It was tried. It helped."
    sentences = load(*served(dataset_of("e2e_nlg"), httpserver, E2E, **free).open())
    assert sentences.heldout is not None
    assert [case.accepted for case in sentences.heldout] == [("C.", "It is C."), ("D.",)]


def test_a_download_of_other_content_is_refused_and_leaves_nothing(httpserver: HTTPServer) -> None:
    dataset = served(dataset_of("banking77"), httpserver, BANKING, least_rows=0)
    with pytest.raises(BadInput, match=r"content of test is not the published one .*refused.*Put train\.jsonl"):
        dataset.open()
    assert dataset.folder() is None


def test_a_download_with_the_published_content_is_taken(httpserver: HTTPServer) -> None:
    known = content_hash([{"input": "Two  lines", "output": "fee"}])
    dataset = served(dataset_of("banking77"), httpserver, BANKING, hashes={"test": known}, least_rows=3)
    _, folder = dataset.open()
    meta = json.loads((folder / "meta.json").read_text(encoding="utf-8"))
    assert meta["checked"] == "SHA-256 of the content of test; number of rows (3)"
    assert set(meta["sha256"]) == set(BANKING)


def test_a_download_that_is_not_whole_is_refused(httpserver: HTTPServer) -> None:
    dataset = served(dataset_of("sms_spam"), httpserver, SPAM)
    with pytest.raises(BadInput, match="120 rows came, 5,574 were published"):
        dataset.open()


@pytest.mark.parametrize(
    ("name", "files"),
    [
        ("banking77", dict.fromkeys(BANKING, "a,b\n1,2\n")),
        ("sms_spam", {"SMSSpamCollection": "no tab here\n"}),
        ("pubmedqa", {"data/ori_pqal.json": "<html>", "data/test_ground_truth.json": "{}"}),
        ("pubmedqa", {"data/ori_pqal.json": "[1]", "data/test_ground_truth.json": "{}"}),
        ("nl2regex", {"datasets/NL-RX-Turk/src.txt": "a\nb\n", "datasets/NL-RX-Turk/targ.txt": "a\n"}),
    ],
)
def test_an_answer_that_is_something_else_is_refused(name: str, files: dict[str, str], httpserver: HTTPServer) -> None:
    with pytest.raises(BadInput, match=rf"{name}: what .* sent cannot be read"):
        served(dataset_of(name), httpserver, files).open()


@every_dataset
def test_without_a_way_to_download_the_folder_is_explained(dataset: PublicDataset, httpserver: HTTPServer) -> None:
    with pytest.raises(BadInput, match=rf"{dataset.name} is not on this machine.*into a folder named {dataset.name}"):
        served(dataset, httpserver, {}).open()


def test_only_https_is_asked_beyond_this_machine() -> None:
    for address in ("http://example.com/a", "file:///etc/hostname", "ftp://example.com/a"):
        with pytest.raises(BadInput, match="is not https"):
            get(address)


def test_two_downloads_at_once_leave_one_folder(tmp_path: Path) -> None:
    source = Source(
        repository="a/b",
        commit="0" * 40,
        paths=("x",),
        convert=lambda files: {"train": [{"input": "a", "output": "b"}], "test": []},
    )
    download("name", source, tmp_path / "made", lambda address: b"")
    download("name", source, tmp_path / "made", lambda address: b"")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["made"]
    assert sorted(path.name for path in (tmp_path / "made").iterdir()) == ["meta.json", "test.jsonl", "train.jsonl"]


# ---------------------------------------------------------------- hashing


def test_the_content_hash_sees_texts_and_nothing_else() -> None:
    rows = [{"id": "1", "input": "a b", "output": "c"}, {"id": "2", "input": "d", "output": "e"}]
    again = [{"id": "9", "input": "d", "output": "e"}, {"id": "8", "input": "a  b ", "output": "c"}]
    assert content_hash(rows) == content_hash(again)
    assert content_hash(rows) != content_hash([rows[0], {**rows[1], "output": "f"}])
    assert content_hash(rows) != content_hash(rows[:1])
    assert content_hash(rows) != content_hash([{**rows[0], "references": ["c", "x"]}, rows[1]])


def test_equal_inputs_stay_on_one_side_of_a_cut_by_hash() -> None:
    rows = [{"id": str(n), "input": f"Text {n % 300}" + " " * (n % 2), "output": "x"} for n in range(600)]
    parts = cut_by_hash(rows, 1 / 3)
    sides = [{row["input"].strip() for row in parts[part]} for part in ("train", "test")]
    assert not sides[0] & sides[1]
    assert len(parts["train"]) + len(parts["test"]) == 600
    assert 140 < len(parts["test"]) < 260
