"""A run in parts: put together it is the run that one machine would have made; what does not belong together is refused."""

from __future__ import annotations

import json
from collections.abc import Mapping
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from benchmarks.contract import BadInput
from benchmarks.running.run import Run
from benchmarks.running.sharding import Shard, merge
from benchmarks.storage.store import Store
from tests import killed
from tests.conftest import Folders
from tests.desk import call, write_task
from tests.running.test_run import contents, model, whole  # noqa: F401 - fixtures

PARTS = 3


def part_of(run: Run, number: int, folder: Path) -> Run:
    mine = Shard(number=number, of=PARTS).of_these(run.candidates)
    return replace(run, folder=folder, performed=mine)


@pytest.fixture(scope="module")
def parts(model: Path, tmp_path_factory: pytest.TempPathFactory) -> list[Path]:  # noqa: F811
    import torch

    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    place, run = tmp_path_factory.mktemp("parts"), None
    for number in range(1, PARTS + 1):
        run = killed.bakeoff(place, model)
        folder = place / f"part {number}"
        part_of(run, number, folder).execute()
        (folder / "run.json").write_text("{}", encoding="utf-8")
    torch.set_num_threads(threads)
    return [place / f"part {number}" for number in range(1, PARTS + 1)]


def test_parts_hold_every_approach_once_and_its_configurations_together(model: Path, tmp_path: Path) -> None:  # noqa: F811
    candidates = killed.bakeoff(tmp_path, model).candidates
    for count in (1, 2, 3, 20):
        cut = [Shard(number=number, of=count).of_these(candidates) for number in range(1, count + 1)]
        assert sorted(each.name for part in cut for each in part) == sorted(each.name for each in candidates)
        for part in cut:
            kinds = {(each.strategy.name, each.model) for each in part}
            assert part == [each for each in candidates if (each.strategy.name, each.model) in kinds]


def test_put_together_they_are_the_whole_run(
    parts: list[Path],
    whole: Path,  # noqa: F811
    model: Path,  # noqa: F811
    tmp_path: Path,
) -> None:
    merge(parts, tmp_path / "run")
    with closing(Store(tmp_path / "run" / "run.sqlite")) as store:
        before = store.starts()
    run = killed.bakeoff(tmp_path / "run", model)
    run.execute()
    with closing(Store(tmp_path / "run" / "run.sqlite")) as store:
        assert {name: count for name, count in store.starts().items() if name in before} == before
        assert all(count == 1 for count in store.starts().values())
    assert contents(tmp_path / "run") == contents(whole)
    fits = {path.name for path in (whole / "fits").iterdir()}
    assert {path.name for path in (tmp_path / "run" / "fits").iterdir()} == fits


def test_a_part_that_is_missing_is_performed_where_the_rest_is(
    parts: list[Path],
    whole: Path,  # noqa: F811
    model: Path,  # noqa: F811
    tmp_path: Path,
) -> None:
    merge([parts[0], parts[2]], tmp_path / "run")
    killed.bakeoff(tmp_path / "run", model).execute()
    assert contents(tmp_path / "run") == contents(whole)


def changed(part: Path, folder: Path, key: str, values: Mapping[str, Any]) -> Path:
    """A copy of a part of which one fact is another."""
    import shutil

    shutil.copytree(part, folder)
    with closing(Store(folder / "run.sqlite")) as store:
        store.set_meta(key, {**store.meta(key), **values})
    return folder


def test_why_a_number_format_was_chosen_may_differ_from_part_to_part(parts: list[Path], tmp_path: Path) -> None:
    with closing(Store(parts[1] / "run.sqlite")) as store:
        chosen = store.meta("provenance")["placement"].partition(" (")[0]
    other = {"placement": f"{chosen} (measured at another moment)"}
    merge([parts[0], changed(parts[1], tmp_path / "why", "provenance", other), parts[2]], tmp_path / "run")
    other = {"placement": chosen.replace("float32", "float16")}
    with pytest.raises(BadInput, match="different devices or number formats"):
        merge([parts[0], changed(parts[1], tmp_path / "format", "provenance", other)], tmp_path / "wrong")


def test_what_does_not_belong_together_is_refused(parts: list[Path], tmp_path: Path) -> None:
    seed = changed(parts[1], tmp_path / "seed", "identity", {"target": 0.123})
    machine = changed(parts[1], tmp_path / "machine", "provenance", {"machine": "another one"})
    program = changed(parts[1], tmp_path / "program", "provenance", {"program": "another one"})
    (tmp_path / "empty").mkdir()
    refused = {
        "are parts of different runs": [parts[0], seed],
        "were made by different machines": [parts[0], machine],
        "were made by different versions of the program": [parts[0], program],
        "hold the same part": [parts[0], parts[0]],
        "holds no part of a run": [parts[0], tmp_path / "empty"],
    }
    for said, folders in refused.items():
        with pytest.raises(BadInput, match=said):
            merge(folders, tmp_path / "run")
        assert not (tmp_path / "run").exists()
    with pytest.raises(BadInput, match="is there already"):
        merge(parts, tmp_path / "empty")


@pytest.mark.parametrize("text", ["", "1", "0/2", "3/2", "a/b", "1/2/3", "-1/2"])
def test_a_part_is_written_as_two_numbers(text: str) -> None:
    with pytest.raises(BadInput, match="write the part and the number of parts, such as 1/3"):
        Shard.read(text)


def test_the_command_makes_parts_and_puts_them_together(
    tmp_path: Path, model_folders: Folders, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    write_task(tmp_path, model_folders, "metric: mine.py:score")
    code = "def score(input, output, accepted, metadata):\n    return float(output in accepted)\n"
    (tmp_path / "mine.py").write_text(code, encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    asked = ("--approach", "majority", "--approach", "copy nearest", "--probes", "none", "--allow-code")
    run = ("run", "task.yaml", *asked)
    for number, as_json in ((1, ()), (2, ("--json",))):
        done = call(capsys, *run, "--shard", f"{number}/2", *as_json)
        assert (done.code, bool(done.out)) == (0, bool(as_json)), done.err
        assert f"Part {number} of 2 is finished" in done.err
    assert len((tmp_path / "looks.jsonl").read_text().splitlines()) == 1, "parts of one run are one look"
    folders = ("runs/tiny-topics-1-of-2", "runs/tiny-topics-2-of-2")
    assert json.loads(done.out) == {"part": 2, "of": 2, "folder": folders[1], "approaches": ["copy nearest"]}
    done = call(capsys, *run, "--merge", folders[0], "--merge", folders[1], "--out", "runs/all", "--json")
    assert done.code in (0, 100, 101), done.err
    told = json.loads(done.out)["facts"]
    assert {each["name"] for each in told["candidates"]} == {"majority", "copy nearest"}
    assert all(each["cases"] for each in told["candidates"])
    assert len((tmp_path / "looks.jsonl").read_text().splitlines()) == 1, "and so are they together"
    for arguments, said in (
        (("--shard", "1/2", "--economical"), "a part of a run cannot know"),
        (("--shard", "3/3"), "This part holds no approach"),
        (("--shard", "1/2", "--merge", folders[0]), "give one of them"),
    ):
        refused = call(capsys, *run, *arguments, "--out", "runs/other")
        assert (refused.code, refused.out) == (2, "")
        assert said in refused.err
    (tmp_path / "mine.py").unlink()
    again = call(capsys, "report", "runs/all", "--allow-code", "--json")
    assert again.code == done.code, again.err
    assert json.loads(again.out)["facts"]["candidates"] == told["candidates"], "the file of the metric is there"


def test_a_part_has_no_verdict_and_is_no_look(tmp_path: Path, model_folders: Folders) -> None:
    from advisor import Wishes, advise

    task = write_task(tmp_path, model_folders)
    with pytest.raises(BadInput, match="A part of a run has no verdict"):
        advise(task, out=tmp_path / "run", wishes=Wishes(approaches=("majority",), shard="1/2"))
    assert not (tmp_path / "run").exists()
