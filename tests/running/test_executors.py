"""Runs on several processes: their rows are those of one process, whoever is killed on the way."""

from __future__ import annotations

import multiprocessing
import os
import shutil
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import psutil
import pytest

from benchmarks.contract import BadInput
from benchmarks.executors.actors import UnitActor
from benchmarks.executors.chosen import chosen
from benchmarks.executors.processes import ProcessExecutor
from benchmarks.running.plan import Options, Unit, candidates
from benchmarks.running.reuse import whole_program
from benchmarks.running.run import Run
from benchmarks.running.scheduler import NullEvents
from benchmarks.storage.store import Store
from strategies.catalog import approaches
from tests import desk, tiny
from tests.conftest import Folders
from tests.running.test_run import contents, model  # noqa: F401 - a fixture

APPROACHES = ("majority", "copy nearest", "prompting", "lora")
CASES = 140
"""Two parts of held-out cases."""


def bakeoff(folder: Path, language: Path, names: Sequence[str] = APPROACHES) -> Run:
    models = tiny.models(language)
    every = [each for each in candidates(approaches(), models.names) if each.strategy.name in names]
    assert {each.strategy.name for each in every} == set(names)
    return Run(
        benchmark=tiny.benchmark(heldout=CASES),
        candidates=every,
        models=models,
        options=Options(tuning_tokens=8_000, second_seed=False),
        folder=folder,
    )


@pytest.fixture(scope="module")
def alone(model: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:  # noqa: F811
    """The folder of a run in one process."""
    import torch

    torch.set_num_threads(1)
    folder = tmp_path_factory.mktemp("alone")
    bakeoff(folder, model).execute()
    return folder


def starts(folder: Path) -> Counter[tuple[str, str, int]]:
    """(candidate, kind, how often it was begun) -> how many units."""
    with closing(Store(folder / "run.sqlite")) as store:
        rows = store._db.execute("SELECT candidate, kind, runs FROM units WHERE finished IS NOT NULL").fetchall()
    return Counter(rows)


@dataclass
class Killing(NullEvents):
    """Events of a run that kill every worker without warning, at the first progress of some units."""

    when: list[tuple[str, str]]
    """(candidate, kind)."""
    lost: list[int] = field(default_factory=list)
    performed: list[tuple[int, int]] = field(default_factory=list)
    """(number, total) of each start."""

    def started(self, unit: Unit, number: int, total: int) -> None:
        self.performed.append((number, total))

    def progress(self, unit: Unit, done: int, total: int, what: str) -> None:
        if (unit.candidate, unit.kind) in self.when:
            self.when.remove((unit.candidate, unit.kind))
            for child in multiprocessing.active_children():
                assert child.pid is not None
                self.lost.append(child.pid)
                os.kill(child.pid, signal.SIGKILL)


def test_on_processes_that_are_killed_the_rows_are_those_of_one_process(
    alone: Path,
    model: Path,  # noqa: F811
    tmp_path: Path,
) -> None:
    events = Killing([("lora", "fit")])
    replace(bakeoff(tmp_path, model), executor=ProcessExecutor(workers=2), events=events).execute()
    assert contents(tmp_path) == contents(alone)
    assert len(events.lost) >= 2, "workers were lost"
    again = sum((runs - 1) * units for (_, _, runs), units in starts(tmp_path).items())
    assert 2 <= again <= len(events.lost), "only what a lost worker was at was begun again"
    assert events.performed[-1][0] == events.performed[-1][1]
    assert {path.name for path in (tmp_path / "fits").iterdir()} == {path.name for path in (alone / "fits").iterdir()}
    assert not list(tmp_path.glob("adapters/*.partial"))
    assert not multiprocessing.active_children()
    bakeoff(tmp_path, model).execute()
    assert contents(tmp_path) == contents(alone), "a run in one process goes on with it, and finds nothing to do"


@pytest.mark.nightly
def test_a_unit_that_takes_every_worker_along_ends_the_run(model: Path, tmp_path: Path) -> None:  # noqa: F811
    run = replace(bakeoff(tmp_path, model, ("lora",)), executor=ProcessExecutor(workers=1))

    class Deadly(NullEvents):
        def progress(self, unit: Unit, done: int, total: int, what: str) -> None:
            for child in multiprocessing.active_children():
                os.kill(child.pid or 0, signal.SIGKILL)

    with pytest.raises(BadInput, match=r"3 workers were lost.*lora\); the last one ended by signal 9\. If memory"):
        replace(run, events=Deadly()).execute()
    run.execute()
    with closing(Store(tmp_path / "run.sqlite")) as store:
        assert len(list(store.rows("lora", "heldout"))) == CASES


def test_a_fault_in_a_worker_is_told_as_if_it_had_happened_here(model: Path, tmp_path: Path) -> None:  # noqa: F811
    run = bakeoff(tmp_path, model, ("majority",))
    score = replace(run.benchmark.task, score=_cannot)
    with pytest.raises(BadInput, match="this metric cannot count"):
        replace(run, executor=ProcessExecutor(workers=2), benchmark=replace(run.benchmark, task=score)).execute()
    assert not multiprocessing.active_children()


def test_a_script_that_calls_it_without_a_guard_is_told_what_to_write(tmp_path: Path, model_folders: Folders) -> None:
    task = desk.write_task(tmp_path, model_folders)
    wishes = "approaches=('majority',), effort='quick', second_seed=False, probes='none', on='processes', workers=1"
    (tmp_path / "compare").write_text(
        "from advisor import Wishes, advise\n"
        f"print(advise({str(task)!r}, out={str(tmp_path / 'run')!r}, wishes=Wishes({wishes})))\n"
    )
    done = subprocess.run([sys.executable, "compare"], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.stderr.splitlines()[-1] == (
        "strategies.contract.BadInput: A worker ended while it read compare, as each does before it begins. Put what calls "
        'the comparison there below `if __name__ == "__main__":`, so that no worker calls it again.'
    )


@pytest.mark.parametrize(
    ("program", "said"),
    [
        (
            "chosen('processes', 1)",
            "the script of this one, and <stdin> is no file. Write the script to a file such as",
        ),
        (
            "multiprocessing.get_context('fork').Pool(1).apply(chosen, ('processes', 1))",
            "this one may start none: it is a daemon",
        ),
    ],
)
def test_a_process_that_can_start_no_workers_is_told_so(program: str, said: str) -> None:
    program = f"import multiprocessing\nfrom benchmarks.executors.chosen import chosen\n{program}\n"
    done = subprocess.run(
        [sys.executable, "-"], cwd=desk.ROOT, input=program, capture_output=True, text=True, check=False
    )
    assert said in done.stderr.splitlines()[-1]


def test_a_machine_of_a_cluster_that_measures_by_other_code_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    here, package = whole_program(), tmp_path / "benchmarks"
    shutil.copytree(desk.ROOT / "benchmarks", package, ignore=shutil.ignore_patterns("*.json*", "*.gz", "__pycache__"))
    monkeypatch.setattr("benchmarks.running.reuse.benchmarks", SimpleNamespace(__file__=str(package / "__init__.py")))
    (package / "studies" / "another.py").touch()
    assert whole_program.__wrapped__() == here, "studies are in no wheel"
    (package / "metrics" / "exact_match.py").write_text("another version", encoding="utf-8")
    monkeypatch.setitem(sys.modules, "ray", SimpleNamespace())
    actor = UnitActor.__new__(UnitActor)
    actor._program = whole_program.__wrapped__()
    with pytest.raises(BadInput, match="A machine of the cluster has another version of this program"):
        actor._begun()


def _cannot(case: Any, outcome: Any) -> float:
    raise BadInput("this metric cannot count")


# ---------------------------------------------------------------- the command


def waited_for(true: Callable[[], bool], seconds: float = 120) -> None:
    until = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < until, "it did not come to that"
        time.sleep(0.05)


RUN = (
    "run",
    "task.yaml",
    "--approach",
    "majority",
    "--approach",
    "copy nearest",
    "--on",
    "processes",
    "--workers",
    "2",
)


@pytest.mark.nightly
def test_interrupted_it_leaves_no_worker_and_goes_on(tmp_path: Path, model_folders: Folders) -> None:
    desk.write_task(tmp_path, model_folders)
    for how, code in ((signal.SIGINT, 130), (signal.SIGKILL, -9)):
        resumed = ("--resume",) if (tmp_path / "runs").exists() else ()
        process = desk.start(tmp_path, *RUN, *resumed, start_new_session=True)
        children: list[psutil.Process] = []

        def begun(parent: int = process.pid, found: list[psutil.Process] = children) -> bool:
            found[:] = [each for each in psutil.Process(parent).children() if "spawn_main" in " ".join(each.cmdline())]
            return bool(found)

        waited_for(begun)
        if how == signal.SIGINT:
            os.killpg(process.pid, how)  # As the terminal does.
        else:
            process.kill()
        done = desk.finish(process)
        assert done.code == code, done.err
        waited_for(lambda found=children: not psutil.wait_procs(found, timeout=0)[1], 20)  # type: ignore[misc]
    done = desk.finish(desk.start(tmp_path, *RUN, "--resume"))
    assert done.code in (0, 100, 101), done.err
    assert "Traceback" not in done.err


def test_where_the_work_is_done_is_one_of_few_places(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "ray", SimpleNamespace(is_initialized=lambda: True))
    for on, workers, said in (
        ("ray", 1, "This process is connected with Ray already.*Call ray.shutdown\\(\\) first"),
        ("moon", None, "--on is 'moon'; it is one of here, processes, ray, or ray:HOST:PORT"),
        ("processes", 0, "--workers is 0; it is a number from 1 to 256"),
        ("here", 2, "here it is one. Add --on processes or --on ray"),
    ):
        with pytest.raises(BadInput, match=said):
            chosen(on, workers)
    assert chosen("processes", 3) == ProcessExecutor(workers=3)
