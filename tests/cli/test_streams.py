"""What the command line writes into may be closed, or nobody may read it: no command takes that for a fault of its own."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from advisor.cli import UNREAD
from tests.conftest import Folders
from tests.desk import finish, start, write_task

ASK = ("ask", "--kind", "qa", "--examples", "5")


@pytest.mark.parametrize("words", [("tasks",), ASK, ("--help",)])
def test_where_the_reader_went_away_a_command_ends_quietly(words: tuple[str, ...], tmp_path: Path) -> None:
    reading, writing = os.pipe()
    os.close(reading)
    done = finish(start(tmp_path, *words, stdout=writing))
    os.close(writing)
    assert (done.code, done.err) == (UNREAD, "")


def test_a_finished_run_has_its_report_whoever_reads_on(tmp_path: Path, model_folders: Folders) -> None:
    write_task(tmp_path, model_folders)
    reading, writing = os.pipe()
    os.close(reading)
    words = ("run", "task.yaml", "--approach", "majority", "--probes", "none", "--yes", "--out", "run")
    done = finish(start(tmp_path, *words, stdout=writing))
    os.close(writing)
    assert done.code == UNREAD, done.err
    assert {"report.html", "report.json"} <= {path.name for path in (tmp_path / "run").iterdir()}


def test_last_words_that_nobody_reads_end_it_quietly_too(tmp_path: Path) -> None:
    reading, writing = os.pipe()
    os.close(reading)
    done = finish(start(tmp_path, "check", "none.yaml", stderr=writing))
    os.close(writing)
    assert (done.code, done.out) == (UNREAD, "")


def test_what_is_closed_is_neither_read_nor_written(tmp_path: Path) -> None:
    done = finish(start(tmp_path, *ASK, preexec_fn=lambda: os.closerange(0, 2)))
    assert (done.code, done.out, done.err) == (0, "", "")
