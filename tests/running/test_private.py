"""Who else works on the machine cannot look into a run, which holds the task's data and every answer."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path

import pytest

from advisor.deploy.export import export
from advisor.experiments.listing import listed_runs
from advisor.experiments.site import _copied
from advisor.experiments.stored import reopen
from benchmarks.storage.private import private
from strategies.permissions import as_usual, make_usual, owner_only
from tests import tiny
from tests.cli.test_bad_options import nobody
from tests.conftest import Folders
from tests.desk import call, write_task


@pytest.fixture(autouse=True)
def _usual_mask() -> Iterator[None]:
    """As most systems have it: everybody may read what is made."""
    before = os.umask(0o022)
    yield
    assert os.umask(before) == 0o022, "nothing leaves another mask behind"


def mode(path: Path) -> int:
    return path.stat().st_mode & 0o777


def open_to_others(folder: Path) -> list[str]:
    """What below the folder somebody else may read."""
    return [path.relative_to(folder).as_posix() for path in sorted(folder.rglob("*")) if mode(path) & 0o077]


def test_a_folder_that_is_made_is_the_owners_alone(tmp_path: Path) -> None:
    made = private(tmp_path / "runs" / "first")
    assert mode(made) == 0o700
    assert mode(made.parent) & 0o077, "only the run itself"


def test_one_that_is_there_keeps_what_somebody_chose(tmp_path: Path) -> None:
    tmp_path.chmod(0o750)
    assert mode(private(tmp_path)) == 0o750


def test_the_mask_holds_inside_and_a_cache_is_made_as_usual(tmp_path: Path) -> None:
    with owner_only():
        (tmp_path / "mine").touch()
        with owner_only(), as_usual():
            (tmp_path / "cache").touch()
        (tmp_path / "mine too").touch()
    with pytest.raises(FileNotFoundError), owner_only():
        (tmp_path / "nowhere" / "x").touch()
    (tmp_path / "after").touch()
    with as_usual():
        (tmp_path / "usual").touch()
    found = {path.name: mode(path) for path in tmp_path.iterdir()}
    assert found == {"mine": 0o600, "mine too": 0o600, "cache": 0o644, "after": 0o644, "usual": 0o644}


def test_of_runs_that_overlap_each_is_the_owners_alone_and_the_last_puts_the_mask_back(tmp_path: Path) -> None:
    """As of two threads, which share the mask of the process and do not end in the order in which they begin."""
    first, second = ExitStack(), ExitStack()
    first.enter_context(owner_only())
    first.enter_context(as_usual())
    second.enter_context(owner_only())
    second.enter_context(as_usual())
    first.close()
    (tmp_path / "cache").touch()
    second.pop_all().close()
    (tmp_path / "after").touch()
    first.enter_context(owner_only())
    second.enter_context(owner_only())
    first.close()
    (tmp_path / "mine").touch()
    make_usual(tmp_path / "mine")
    (tmp_path / "mine too").touch()
    second.close()
    found = {path.name: mode(path) for path in tmp_path.iterdir()}
    assert found == {"cache": 0o644, "after": 0o644, "mine": 0o644, "mine too": 0o600}


@pytest.fixture(scope="module")
def desk(tmp_path_factory: pytest.TempPathFactory, model_folders: Folders) -> Path:
    place = tmp_path_factory.mktemp("desk")
    write_task(place, model_folders)
    (place / "run").mkdir(mode=0o755)
    return place


def test_in_a_folder_that_was_there_the_files_are_the_owners_alone(
    desk: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    chosen = [word for name in ("majority", "copy nearest", "lora") for word in ("--approach", name)]
    out = ("--out", str(desk / "run"), "--effort", "quick", "--yes")
    done = call(capsys, "run", str(desk / "task.yaml"), *chosen, *out)
    assert done.code in (0, 100, 101), done.err
    call(capsys, "report", str(desk / "run"), "--format", "junit")
    call(capsys, "report", str(desk / "run"), "--target", "0.2")
    names = {path.name for path in (desk / "run").rglob("*")}
    assert {"run.sqlite", "run.json", "bom.json", "report.html", "report.xml", "what-if", "fits", "adapter"} <= names
    assert open_to_others(desk / "run") == []
    assert mode(desk / "run") == 0o755, "somebody chose that"
    assert mode(desk / "looks.jsonl") == 0o644, "who shares the task shares what was looked at"


def test_what_is_handed_on_is_as_anything_that_is_made(desk: Path, capsys: pytest.CaptureFixture[str]) -> None:
    export(desk / "run", desk / "out", candidate="lora")
    found = [desk / "out", *(desk / "out").rglob("*")]
    assert any(path.name == "adapter_model.safetensors" for path in found)
    assert {mode(path) for path in found if path.is_dir()} == {0o755}
    assert {mode(path) for path in found if path.is_file()} == {0o644}
    call(capsys, "report", str(desk / "run"), "--out", str(desk / "told"), "--answers", str(desk / "answers.csv"))
    assert mode(desk / "told") == 0o755
    assert {mode(path) for path in ((desk / "told").iterdir())} == {mode(desk / "answers.csv")} == {0o644}


def test_a_run_that_one_may_not_look_into_hides_no_other(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where a folder of runs is shared, one of somebody else's ended the list of all."""
    monkeypatch.chdir(tmp_path)
    tmp_path.chmod(0o755)
    for name in ("files", "folder", "mine"):
        Path("runs", name).mkdir(parents=True)
        for file in ("run.json", "report.json", "report.html"):
            Path("runs", name, file).write_text("{}", encoding="utf-8")
            Path("runs", name, file).chmod(0 if name == "files" else 0o644)
    Path("runs", "folder").chmod(0)
    with nobody():
        listed = {row["run"]: row["verdict"] for row in listed_runs(Path("runs"))}
        copied = [_copied(Path("runs", name, "report.html"), Path("page.html")) for name in ("files", "folder")]
    assert listed == {"files": "cannot be read", "folder": "cannot be read", "mine": "not told yet"}
    assert copied == [False, False]
    Path("runs", "folder").chmod(0o755)


@pytest.mark.parametrize("kind", ["qa", "extraction"])
def test_a_report_holds_no_answer_that_examples_share(
    kind: str, tmp_path: Path, model_folders: Folders, capsys: pytest.CaptureFixture[str]
) -> None:
    """Reference approaches give such an answer word for word, and a pipeline may read one off: each says so of its fit."""
    approaches: tuple[str, ...] = ("majority",)
    if kind == "qa":
        declined = [replace(case, output="Canary 7120.", document_ids=()) for case in tiny.questions(20, 300)]
        cases, approaches = [*tiny.questions(40), *declined], ("majority", "best sentence", "retrieval")
    else:
        cases = [replace(case, output='{"item": "Canary 7120."}') for case in tiny.orders(60)]
    (tmp_path / "rooms").mkdir()
    for room in tiny.rooms():
        (tmp_path / "rooms" / f"{room.id}.txt").write_text(room.text, encoding="utf-8")
    lines = ("documents: rooms",) if kind == "qa" else ()
    task, run = write_task(tmp_path, model_folders, f"kind: {kind}", *lines, cases=cases), tmp_path / "run"
    asked = [word for name in approaches for word in ("--approach", name)]
    more = ("--target", "0.05", "--probes", "none", "--no-second-seed", "--effort", "quick", "--yes")
    done = call(capsys, "run", str(task), "--out", str(run), *asked, *more)
    assert done.code in (0, 100), done.err
    reports = [path for path in run.glob("report.*") if "Canary 7120" in path.read_text(encoding="utf-8")]
    assert (reports, "Canary 7120" in done.out + done.err) == ([], False)
    told = {each.candidate: each.chosen for each in reopen(run).evaluations}
    assert all("7120" in str(told[name]) for name in approaches), "who has the run has it all"
    assert call(capsys, "report", str(run), "--json").out.count("Canary 7120") == 0
    assert export(run, tmp_path / "out", "majority")
    answered = call(capsys, "predict", str(tmp_path / "out"), str(tmp_path / "rows.jsonl"), "--task", str(task))
    assert "Canary 7120." in answered.out
