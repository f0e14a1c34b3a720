"""Killed at named points of a run that asks a server, and while a report is written; `test_run.py` has those of local models."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest
from pytest_httpserver import HTTPServer

from advisor.experiments.comparison import Wishes, advise
from tests import tiny
from tests.conftest import Folders
from tests.desk import ROOT, write_task
from tests.running.test_endpoint_bakeoff import Service, rows

pytestmark = [pytest.mark.slow, pytest.mark.nightly]  # Six runs, each killed and gone on with.

OPTIONS = ("--approach", "prompting", "--effort", "quick", "--probes", "none", "--no-second-seed", "--yes")
WISHES = Wishes(approaches=("prompting",), effort="quick", probes="none", second_seed=False)
FORMATS = ("report.html", "report.md", "report.json")


@pytest.fixture
def service() -> Iterator[Service]:
    with HTTPServer(threaded=True) as server:
        yield Service(server)


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory, model_folders: Folders) -> Iterator[tuple[Counter[str], Path]]:
    """What a run asks that nobody killed, and its folder."""
    place = tmp_path_factory.mktemp("whole")
    with HTTPServer(threaded=True) as server:
        service = Service(server)
        advise(task(place, model_folders, service), out=place / "run", wishes=WISHES)
        yield service.asked, place / "run"


def task(place: Path, models: Folders, service: Service) -> Path:
    return write_task(place, models, *service.lines(), "kind: qa", cases=tiny.messages(40))


def killed(place: Path, where: str, number: int, *arguments: str) -> int:
    """The exit code of the command line, which kills itself when it comes to that point for that time; 0: never."""
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-m", "tests.killed", where, str(number), "--", *arguments]
    return subprocess.run(command, cwd=place, env=environment, timeout=300, capture_output=True).returncode


@pytest.mark.parametrize(("where", "again"), [("send", 0), ("keep", 1)])
def test_what_is_paid_twice_is_at_most_the_answer_that_was_not_written_down_yet(
    where: str,
    again: int,
    service: Service,
    whole: tuple[Counter[str], Path],
    tmp_path: Path,
    model_folders: Folders,
) -> None:
    """Killed in a prompt search, then among the answers to held-out cases: before a question is sent, or after it was
    answered."""
    command = ("run", task(tmp_path, model_folders, service).name, *OPTIONS, "--out", "run")
    wanted, folder = whole
    heldout = 30
    for number, resumed in ((40, ()), (wanted.total() - heldout // 2 - 40, ("--resume",))):
        assert killed(tmp_path, where, number, *command, *resumed) == -signal.SIGKILL
    assert wanted.total() - heldout < service.calls < wanted.total(), "the second death was among the answers"
    assert killed(tmp_path, where, 0, *command, "--resume") in (0, 100, 101)
    assert wanted - service.asked == Counter(), "what a whole run asks was asked"
    assert (service.asked - wanted).total() == 2 * again
    assert rows(tmp_path / "run", "prompting") == rows(folder, "prompting")


@pytest.mark.parametrize("number", [1, 2, 3])
def test_a_report_is_whole_or_as_it_was_and_is_told_again(number: int, model_folders: Folders, tmp_path: Path) -> None:
    write_task(tmp_path, model_folders)
    advise(tmp_path / "task.yaml", out=tmp_path / "run", wishes=Wishes(approaches=("majority",), probes="none"))
    assert killed(tmp_path, "report", 0, "report", "run") in (0, 100, 101)
    before = {name: (tmp_path / "run" / name).read_bytes() for name in FORMATS}
    again = ("report", "run", "--volume", "77", "--out", "run")
    assert killed(tmp_path, "report", number, *again) == -signal.SIGKILL
    after = {name: (tmp_path / "run" / name).read_bytes() for name in FORMATS}
    assert [name for name in FORMATS if after[name] != before[name]] == list(FORMATS[: number - 1])
    assert killed(tmp_path, "report", 0, *again) in (0, 100, 101)
    told = {name: (tmp_path / "run" / name).read_bytes() for name in FORMATS}
    assert not any(told[name] == before[name] for name in FORMATS)
    assert list((tmp_path / "run").glob("*.partial")) == [], "what was cut off has been written over"
