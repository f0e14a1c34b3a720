"""One vLLM server for the workers of a machine: started once, ended with the last of them, started again where it died.

In place of vLLM a small program answers that speaks the same interface (`vllm_stand_in.py`).
"""

from __future__ import annotations

import multiprocessing
import os
import signal
import stat
import tempfile
import time
from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import psutil
import pytest

from benchmarks.executors.in_process import Executor
from benchmarks.executors.processes import ProcessExecutor
from benchmarks.executors.remote import RemoteWaiting
from benchmarks.executors.waited import Waited
from benchmarks.executors.writer_service import WriterService
from benchmarks.running.plan import Unit
from benchmarks.running.run import Run
from benchmarks.running.scheduler import NullEvents
from benchmarks.specs.spec_models import ModelSpec
from benchmarks.storage.store import Store
from strategies.contract import Message, Recipe, Sampling, TrainingRow
from strategies.models import meeting
from strategies.models.served import ServedModel
from strategies.models.vllm_server import ADAPTERS, VllmServer
from tests import tiny, vllm_stand_in
from tests.running.test_executors import bakeoff
from tests.running.test_run import contents, model  # noqa: F401 - a fixture

ASKED = [(Message("user", f"What is {name}?"),) for name in ("one", "two", "three")]


Told = Callable[[], list[list[str]]]


@pytest.fixture
def told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Told:
    """What servers were told so far."""
    log = tmp_path / "told.txt"
    monkeypatch.setenv("ADVISOR_VLLM", str(vllm_stand_in.executable(tmp_path)))
    monkeypatch.setenv("STAND_IN_LOG", str(log))
    return lambda: [line.split() for line in log.read_text(encoding="utf-8").splitlines()] if log.exists() else []


def starts(told: list[list[str]]) -> list[int]:
    return [int(line[1]) for line in told if line[0] == "start"]


def open_servers() -> list[Path]:
    """Of this machine, whoever started them."""
    return list(Path(tempfile.gettempdir()).glob("advisor-*/*/said.json"))


# ---------------------------------------------------------------- who shares one


@pytest.mark.slow
def test_who_meets_in_a_place_shares_a_server_until_the_last_has_left(told: Told, tmp_path: Path) -> None:
    folder = tiny.model_folder(tmp_path / "model")
    unended = tiny.CHAT.replace("assistant\n'", "assistant'")  # The server is told how prompts end here.
    (folder / "chat_template.jinja").write_text(unended, encoding="utf-8")
    here = tiny.local_model(folder)
    place = tmp_path / "place"
    first, second = (ServedModel(here=here, server=VllmServer(here.folder, tiny.FLOAT32, place)) for _ in range(2))
    said = dict(first.generate(ASKED, 4, Sampling()))
    again = dict(second.generate(ASKED, 4, Sampling()))
    assert [said[each].text for each in range(3)] == [again[each].text for each in range(3)]
    assert not any(done.error for done in said.values())
    assert first.server.start == second.server.start
    assert len(starts(told())) == 1
    (file,) = place.glob("*/said.json")
    assert [stat.filemode(path.stat().st_mode) for path in (file, file.parent)] == ["-rw-------", "drwx------"]
    key = os.environ[first.server.key_env]
    server = psutil.Process(starts(told())[0])
    assert key not in " ".join(server.cmdline() + server.parent().cmdline())  # type: ignore[union-attr]

    rows = [TrainingRow(prompt=ASKED[0], answer="zebra")]
    numbers = range(ADAPTERS + 2)
    folders = [here.train(rows, (), Recipe(epochs=1), tmp_path / f"a{seed}", seed).folder for seed in numbers]
    tuned = [replace(first, adapter=folders[0]), *(replace(second, adapter=folder) for folder in folders)]
    for each in tuned:
        assert not any(done.error for _, done in each.generate(ASKED, 2, Sampling()))
    loads, unloads = ([line[1] for line in told() if line[0] == what] for what in ("load", "unload"))
    assert len(loads) == len(set(loads)) == len(folders), "each is loaded once, whoever asks"
    assert unloads == loads[1:3], "those that were asked longest ago are let go, and not the one that the other uses"

    first.server.stop()
    assert second.server.alive
    assert not any(done.error for _, done in second.generate(ASKED, 2, Sampling()))
    second.server.stop()
    meeting.over(place, 20)
    assert not server.is_running()


def test_seconds_of_a_server_are_those_of_one_machine_whoever_waits() -> None:
    """Two workers of one machine, each charged for half of what it brings: both wait for the server for 10 s, one for 10 more."""
    now = [0.0]
    writer = WriterService(store=None, journal=tiny.Memory, spending=None, events=NullEvents())  # type: ignore[arg-type]
    writer._servers["s"] = Waited(clock=lambda: now[0])

    def asking(worker: int) -> Any:
        def ask(name: str, *given: Any) -> Any:
            writer.handle(worker, Unit(name="u", kind="answer", candidate="c", part=0), name, given)
            return writer.outbox.pop()[1]

        return ask

    first, second = (RemoteWaiting(ask=asking(worker), machine=0.5) for worker in range(2))
    first.begins("s")
    second.begins("s")
    now[0] = 10.0
    charged = {"first": 10 * first.part() * 0.5, "second": 10 * second.part() * 0.5}
    assert charged == {"first": 5.0, "second": 5.0}
    second.ends()
    now[0], first._asked = 20.0, 0.0
    assert 10 * first.part() * 0.5 == 10.0, "alone it is charged for the whole machine"
    first.ends()
    assert not +writer._servers["s"]._under_way


# ---------------------------------------------------------------- runs


def through_a_server(folder: Path, language: Path, names: Sequence[str] = ("prompting", "lora")) -> Run:
    """The bake-off of other tests with a model of which nothing but the engine is another one."""
    run = bakeoff(folder, language, names)
    specs = (ModelSpec(name="tiny", folder=str(language), engine="vllm"),)
    return replace(run, models=replace(run.models, specs=specs))


@dataclass
class Ending(NullEvents):
    """Events that end the server once, while held-out cases are answered, and look at what others can see of its key."""

    told: Told
    what: str
    ended: list[int] = field(default_factory=list)
    modes: set[str] = field(default_factory=set)

    def progress(self, unit: Unit, done: int, total: int, what: str) -> None:
        if unit.kind != "answer" or self.ended or what != "answering":
            return
        for said in open_servers():
            self.modes |= {stat.filemode(said.stat().st_mode), stat.filemode(said.parent.stat().st_mode)}
        self.ended = starts(self.told())
        victims = self.ended if self.what == "server" else [each.pid for each in multiprocessing.active_children()]
        for pid in victims:
            assert pid is not None
            os.kill(pid, signal.SIGKILL)


def small(folder: Path, language: Path, executor: Executor | None = None, events: Any = None) -> Run:
    run = through_a_server(folder, language)
    options = replace(run.options, probes=False, tuning_tokens=4_000)
    run = replace(run, benchmark=tiny.benchmark(heldout=24), options=options)
    run = run if executor is None else replace(run, executor=executor)
    return run if events is None else replace(run, events=events)


@pytest.mark.slow
@pytest.mark.nightly
def test_two_workers_share_a_server_that_dies_and_the_rows_are_those_of_one_process(
    told: Told,
    model: Path,  # noqa: F811
    tmp_path: Path,
) -> None:
    small(tmp_path / "whole", model).execute()
    before = len(told())
    events = Ending(lambda: told()[before:], "server")
    began = time.monotonic()
    small(tmp_path / "run", model, ProcessExecutor(workers=2), events).execute()
    took = time.monotonic() - began
    assert contents(tmp_path / "run") == contents(tmp_path / "whole")
    assert len(events.ended) == 1, "both workers asked one server"
    assert len(starts(told()[before:])) == 2, "and one that was started in its place"
    assert events.modes == {"-rw-------", "drwx------"}
    assert not any(psutil.pid_exists(pid) for pid in starts(told()[before:])), "it ends with the run"
    with closing(Store(tmp_path / "run" / "run.sqlite")) as store:
        answering = [use.seconds for use in store.ledger() if use.step == "answering"]
    assert 0 < sum(answering) < took, "no second of the server is charged twice"
