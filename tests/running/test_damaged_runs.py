"""Run folders and exports that were cut off, changed or are somebody else's: exit code 2 and a sentence, never a traceback."""

from __future__ import annotations

import copy
import json
import os
import re
import shutil
import sqlite3
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from advisor import Wishes, advise
from advisor.deploy.export import export
from benchmarks.contract import BadInput
from benchmarks.storage.store import Store
from tests.conftest import Folders
from tests.desk import write_task

Damage = Callable[[Path], object]
WISHES = Wishes(approaches=("majority", "copy nearest"), probes="none")


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory, model_folders: Folders) -> Path:
    """A folder with a finished run of two approaches and an export of one."""
    desk = tmp_path_factory.mktemp("desk")
    task = write_task(desk, model_folders)
    advise(task, out=desk / "run", wishes=WISHES)
    export(desk / "run", desk / "out", candidate="majority")
    return desk


@pytest.fixture
def desk(whole: Path, tmp_path: Path) -> Path:
    shutil.copytree(whole, tmp_path / "desk")
    return tmp_path / "desk"


def test_a_report_is_written_whole_or_left_as_it_was(desk: Path) -> None:
    """Whoever has the old one open still reads it: it is replaced, not written over."""
    before = (desk / "run" / "report.json").read_text("utf-8")
    os.link(desk / "run" / "report.json", desk / "kept.json")
    advise(desk / "task.yaml", out=desk / "run", wishes=WISHES)
    assert (desk / "kept.json").read_text("utf-8") == before
    assert not (desk / "run" / "report.json").samefile(desk / "kept.json")
    assert not list((desk / "run").glob("*.partial"))


def write(name: str, content: str | bytes) -> Damage:
    return lambda folder: (folder / name).write_bytes(content if isinstance(content, bytes) else content.encode())


def cut(name: str, share: float) -> Damage:
    """The beginning of the file is left."""

    def damage(folder: Path) -> None:
        content = (folder / name).read_bytes()
        (folder / name).write_bytes(content[: int(len(content) * share)])

    return damage


def garbled(name: str) -> Damage:
    """The second half is other bytes."""

    def damage(folder: Path) -> None:
        content = (folder / name).read_bytes()
        half = len(content) // 2
        (folder / name).write_bytes(content[:half] + bytes(byte ^ 0x5A for byte in content[half:]))

    return damage


def without(name: str) -> Damage:
    return lambda folder: (folder / name).unlink()


def folder_for(name: str) -> Damage:
    def damage(folder: Path) -> None:
        (folder / name).unlink()
        (folder / name).mkdir()

    return damage


def sql(*statements: str) -> Damage:
    def damage(folder: Path) -> None:
        with closing(sqlite3.connect(folder / "run.sqlite")) as db:
            for statement in statements:
                db.execute(statement)
            db.commit()

    return damage


def foreign(folder: Path) -> None:
    """The database of another program."""
    (folder / "run.sqlite").unlink()
    with closing(sqlite3.connect(folder / "run.sqlite")) as db:
        db.execute("CREATE TABLE rows (x)")
        db.commit()


RUNS: Mapping[str, tuple[Damage, str]] = {
    "no run.json": (without("run.json"), r"holds no run: run\.json is missing\. Give the folder"),
    "no run.sqlite": (without("run.sqlite"), r"holds no run: run\.sqlite is missing"),
    "a folder as run.json": (folder_for("run.json"), r"run\.json is missing"),
    "a folder as run.sqlite": (folder_for("run.sqlite"), r"run\.sqlite is missing"),
    "an empty run.json": (write("run.json", ""), r"run\.json cannot be read as JSON .* Run again into a new folder"),
    "run.json cut off": (cut("run.json", 0.5), r"run\.json cannot be read as JSON"),
    "run.json in Latin-1": (write("run.json", b'{"x": "caf\xe9"}'), r"run\.json cannot be read as JSON"),
    "a list as run.json": (write("run.json", "[]"), r"run\.json does not describe a run"),
    "a deep run.json": (write("run.json", "[" * 100_000), r"run\.json cannot be read as JSON"),
    "another run.json": (
        write("run.json", '{"benchmark": {}}'),
        r"run is damaged, or something else changed it",
    ),
    "rows cut off": (cut("run.sqlite", 0.4), r"damaged|cannot be read as a run's rows"),
    "garbled rows": (garbled("run.sqlite"), r"damaged|cannot be read as a run's rows"),
    "rows that are text": (write("run.sqlite", "hello\n" * 1_000), r"run\.sqlite cannot be read as a run's rows"),
    "rows of zeros": (write("run.sqlite", bytes(8_192)), r"run\.sqlite cannot be read as a run's rows"),
    "rows of another program": (foreign, r"run\.sqlite cannot be read as a run's rows|damaged"),
    "another version": (
        sql("UPDATE meta SET value = '99' WHERE key = 'schema_version'"),
        r"This run was written with store version 99; this program reads version 1\. Use the release",
    ),
    "a version in words": (
        sql("UPDATE meta SET value = 'new' WHERE key = 'schema_version'"),
        r"cannot be read as a run's rows|damaged",
    ),
    "no table of rows": (sql("DROP TABLE rows", "CREATE TABLE rows (x)"), r"is damaged, or something else changed it"),
    "an outcome that is none": (sql("UPDATE rows SET outcome = '{'"), r"is damaged, or something else changed it"),
    "an outcome of another kind": (sql('UPDATE rows SET outcome = \'{"type": "x"}\''), r"is damaged"),
    "a score in words": (sql("UPDATE rows SET score = 'high'"), r"is damaged"),
    "a score of NaN": (sql("UPDATE rows SET score = 9e999"), r"is damaged"),
    "notes that are none": (sql("UPDATE units SET note = 'x'"), r"is damaged"),
    "a list as provenance": (sql("UPDATE meta SET value = '[1]' WHERE key = 'provenance'"), r"is damaged"),
    "bytes for text": (sql("UPDATE rows SET outcome = x'ff00'"), r"is damaged"),
}


ODD: Mapping[str, Damage] = {
    **{name: damage for name, (damage, _) in RUNS.items()},
    "rows of other cases": sql("UPDATE rows SET key = key || 'x'"),
    "no provenance": sql("UPDATE meta SET value = '[]' WHERE key = 'provenance'"),
    "no rows": sql("DELETE FROM rows"),
    "no units": sql("DELETE FROM units"),
    "no report": without("report.json"),
    "a list as report": write("report.json", "[1]"),
    "facts in a list": write("report.json", '{"facts": [1]}'),
    "candidates in a text": write("report.json", '{"facts": {"candidates": "x", "choice": "a"}}'),
    "provenance in a text": write("report.json", '{"facts": {"provenance": "x"}}'),
    "figures in words": write(
        "report.json", '{"facts": {"choice": "a", "candidates": [{"name": "a", "figure": "x", "monthly": 3}]}}'
    ),
}


def said_of(arguments: tuple[str, ...], folder: Path) -> tuple[int, str]:
    """Exit code, and what stands on stderr; a traceback is no end."""
    from advisor.cli import main

    result = CliRunner().invoke(main, [str(folder / each) if each in ("run", "out") else each for each in arguments])
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise AssertionError(f"{arguments}: {result.exception!r}") from result.exception
    return result.exit_code, " ".join(result.stderr.split())


def test_without_what_was_fitted_a_run_is_told_and_what_needs_it_is_refused(
    desk: Path, caplog: pytest.LogCaptureFixture
) -> None:
    shutil.rmtree(desk / "run" / "fits" / fits(desk / "run")["majority"])
    advise(desk / "task.yaml", out=desk / "run", wishes=WISHES)
    with pytest.raises(BadInput) as refusal:
        advise(desk / "task.yaml", out=desk / "run", wishes=replace(WISHES, planted=True))
    assert str(refusal.value) == (
        "run holds the rows of majority and not what was fitted, which is needed to go on. Put its folder fits back, or start "
        "without --resume into another folder."
    )
    advise(desk / "task.yaml", out=desk / "forked", wishes=replace(WISHES, fork=desk / "run"))
    assert "nothing of majority is taken over from run, which does not hold what was fitted any more" in caplog.text
    assert "nothing of copy nearest" not in caplog.text
    assert all((desk / "forked" / "fits" / name / "complete.json").is_file() for name in fits(desk / "forked").values())


def fits(run: Path) -> dict[str, str]:
    with closing(Store(run / "run.sqlite")) as store:
        return store.fits()


@pytest.mark.parametrize("kind", RUNS)
def test_a_damaged_run_is_told_as_such(kind: str, desk: Path) -> None:
    damage, wanted = RUNS[kind]
    damage(desk / "run")
    code, said = said_of(("report", "run"), desk)
    assert (code, bool(re.search(wanted, said))) == (2, True), said


@pytest.mark.parametrize("kind", ODD)
def test_nothing_else_that_reads_runs_breaks_on_a_damaged_one(kind: str, desk: Path) -> None:
    ODD[kind](desk / "run")
    for arguments in (
        ("runs", str(desk)),
        ("runs", str(desk), "--json"),
        ("report", str(desk), "--site", str(desk / "site")),
        ("compare", "run", "run"),
        ("export", "run", str(desk / "new"), "--candidate", "majority"),
        ("report", "run", "--answers", str(desk / "answers.csv")),
        ("report", "run", "--rescore"),
        ("price", "gpt-4o-mini", "--run", "run"),
    ):
        code, said = said_of(arguments, desk)
        assert code in (0, 2, 100, 101), said


EXPORTS: Mapping[str, tuple[Damage, str]] = {
    "no export.json": (without("export.json"), r"holds no run: run\.json is missing"),
    "export.json cut off": (cut("export.json", 0.5), r"is not what an export holds .* Export again"),
    "a list as export.json": (write("export.json", "[]"), r"is not what an export holds"),
    "a deep export.json": (write("export.json", "[" * 100_000), r"is not what an export holds"),
    "export.json in Latin-1": (write("export.json", b'{"x": "caf\xe9"}'), r"is not what an export holds"),
    "no places": (write("export.json", '{"kept": {}}'), r"is not what an export holds"),
    "a place elsewhere": (
        write("export.json", '{"places": {"majority": "../../etc"}}'),
        r"is not what an export holds",
    ),
    "nothing fitted": (
        lambda folder: shutil.rmtree(folder / "parts"),
        r"is not what was exported: it was changed or cut off",
    ),
    "a fit that is no JSON": (write("parts/0/constant.json", "{"), r"is not what was exported"),
    "a fit without its key": (write("parts/0/constant.json", "{}"), r"is not what was exported"),
}


def stated(**changes: Any) -> Damage:
    """Other values in export.json, by their place: `kept__default` is that in `kept`."""

    def damage(folder: Path) -> None:
        values = json.loads((folder / "export.json").read_text(encoding="utf-8"))
        for place, value in changes.items():
            *outer, last = place.split("__")
            inner = values
            for step in outer:
                inner = inner[step]
            inner[last] = value
        (folder / "export.json").write_text(json.dumps(values), encoding="utf-8")

    return damage


OTHERS: Mapping[str, Damage] = {
    "a number as candidates": stated(kept__candidates=1),
    "a number as a candidate": stated(kept__candidates={"majority": 0}),
    "a candidate without its family": stated(kept__candidates={"majority": {}}),
    "a number as cascades": stated(kept__cascades=1),
    "a cascade without its parts": stated(kept__cascades={"majority": {}}),
    "a number as the one who answers": stated(kept__default=8),
    "a number as the spec": stated(kept__spec=0),
    "columns that are none": stated(kept__spec={"columns": 7}),
    "a guard of another form": stated(kept__guards={"majority": {"held": [1]}}),
    "a guard in words": stated(kept__guards={"majority": {"says": 1, "cases": "x", "unanswerable": 0, "held": []}}),
    "a threshold in words": stated(kept__alone_from={"majority": "high"}),
    "a temperature in words": stated(kept__sampling={"temperature": "warm"}),
    "a part that is no number": stated(places={"majority": float("inf")}),
    "a part of 300 digits": stated(places={"majority": 10**299}),
    "another metric": stated(measured__metric={"name": "accuracy", "parameters": {"x": 1}}),
    "no metric": stated(measured__metric={}),
    "a number as the metric": stated(measured__metric=3),
    "scores in words": stated(measured__scores={"a": "high"}),
    "a score of NaN": stated(measured__scores={"a": float("nan")}),
    "a target in words": stated(measured__target="high"),
    "a number as what it learnt from": stated(measured__learnt=1),
    "what it learnt from in lists": stated(measured__learnt=[[1]]),
    "a number as inputs": stated(measured__inputs=1),
    "inputs in lists": stated(measured__inputs=[[1]]),
}


@pytest.mark.parametrize("kind", OTHERS)
def test_an_export_that_holds_something_else_is_refused(kind: str, desk: Path) -> None:
    """Most of them found by fuzzing."""
    OTHERS[kind](desk / "out")
    code, said = said_of(("gate", "out", str(desk / "rows.jsonl")), desk)
    assert code == 2, said
    assert re.search(r"is not what an export holds|is no export|is damaged|metric", said), said


@pytest.mark.parametrize("kind", EXPORTS)
def test_a_damaged_export_is_told_as_such(kind: str, desk: Path) -> None:
    damage, wanted = EXPORTS[kind]
    damage(desk / "out")
    (desk / "new.txt").write_text("hello\n", encoding="utf-8")
    for arguments in (("predict", "out", str(desk / "new.txt")), ("gate", "out", str(desk / "rows.jsonl"))):
        code, said = said_of(arguments, desk)
        assert code == 2, said
        told = "is no export" if kind == "no export.json" else "cannot be read, or is damaged. Export the approach again."
        assert re.search(wanted, said) or told in said, said


# ---------------------------------------------------------------- every place of run.json


def places(value: Any, place: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Every place of plain values; of a list the first entry."""
    if isinstance(value, dict):
        for key, inner in value.items():
            yield (*place, key)
            yield from places(inner, (*place, key))
    elif isinstance(value, list) and value:
        yield (*place, 0)
        yield from places(value[0], (*place, 0))


def changed(about: dict[str, Any], place: tuple[Any, ...], to: Any) -> dict[str, Any]:
    """With another value there, or none where `to` is Ellipsis."""
    about = copy.deepcopy(about)
    inner: Any = about
    for step in place[:-1]:
        inner = inner[step]
    if to is ...:
        del inner[place[-1]]
    else:
        inner[place[-1]] = to
    return about


def test_whatever_value_of_run_json_is_another_the_run_is_told_or_refused(desk: Path) -> None:
    file = desk / "run" / "run.json"
    about = json.loads(file.read_text(encoding="utf-8"))
    wrong: tuple[Any, ...] = (..., None, [], {"x": 1}, "x", -1, [1], 1.5)
    every = list(places(about))
    assert len(every) > 100
    for number, place in enumerate(every):
        file.write_text(json.dumps(changed(about, place, wrong[number % len(wrong)])), encoding="utf-8")
        code, said = said_of(("report", "run", "--cases", "all"), desk)
        assert code in (0, 2, 100, 101), (place, said)
