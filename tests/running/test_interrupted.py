"""Interrupted while a server answers: what is on its way is waited for and kept, unless somebody interrupts twice; and the
same when the time is up."""

from __future__ import annotations

import fcntl
import json
import multiprocessing
import os
import pty
import shlex
import signal
import subprocess
import sys
import termios
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future
from contextlib import closing, suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest
from pytest_httpserver import HTTPServer
from werkzeug import Request, Response

from advisor.experiments.comparison import Wishes, advise
from benchmarks.contract import BadInput, Candidate, State
from benchmarks.executors.deferred_signals import DeferredSignals
from benchmarks.executors.processes import _ProcessPool
from benchmarks.running import deadline
from benchmarks.running.deadline import Allowance, DiskUp, TimeUp, within
from benchmarks.running.plan import Options, Unit
from benchmarks.running.run import Run
from benchmarks.running.scheduler import NullEvents
from benchmarks.storage.store import Store, UnitResult
from strategies.catalog import approaches
from strategies.models.endpoint import _ended
from tests import killed, tiny
from tests.conftest import Folders
from tests.desk import ROOT, call, finish, start, write_task
from tests.running.test_endpoint_bakeoff import Service

BOTH = Wishes(approaches=("majority", "prompting"), effort="quick", second_seed=False, probes="none")
CONCURRENCY = 4
OPTIONS = ("--approach", "majority", "--approach", "prompting", "--effort", "quick", "--probes", "none", "--yes")


@dataclass
class Slow(Service):
    """Takes its time for some questions; once several wait for it, this process gets a signal."""

    slow_from: int = 10**9
    pause_s: float = 0.0
    sends: signal.Signals | None = None
    under_way: int = 0
    over: threading.Event = field(default_factory=threading.Event)
    """The test is, so that nobody waits for answers that nobody reads."""

    def _answer(self, request: Request) -> Response:
        with self.lock:
            slow = self.calls >= self.slow_from
            self.under_way += slow
            if self.sends is not None and self.under_way == CONCURRENCY:
                os.kill(os.getpid(), self.sends)
                self.sends = None
        if slow:
            self.over.wait(self.pause_s)
        with self.lock:
            self.under_way -= slow
        return super()._answer(request)

    def be_slow(self, start: int, seconds: float, sends: signal.Signals | None = None) -> None:
        self.slow_from, self.pause_s, self.sends = start, seconds, sends

    def be_quick(self) -> None:
        self.slow_from = 10**9


@pytest.fixture
def service() -> Iterator[Slow]:
    with HTTPServer(threaded=True) as server:
        slow = Slow(server)
        yield slow
        slow.over.set()


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory, model_folders: Folders) -> Counter[str]:
    """What a run asks that nobody interrupts."""
    place = tmp_path_factory.mktemp("whole")
    with HTTPServer(threaded=True) as server:
        service = Service(server)
        advise(task(place, model_folders, service), out=place / "run", wishes=BOTH)
        return service.asked


def task(place: Path, models: Folders, service: Service, workers: int = 1) -> Path:
    """Each of so many workers asks `CONCURRENCY` questions at once."""
    return write_task(place, models, *service.lines(CONCURRENCY * workers), "kind: qa", cases=tiny.messages(40))


def on_processes(wishes: Wishes, **more: Any) -> Wishes:
    return replace(wishes, on="processes", workers=2, **more)


def test_answers_on_their_way_are_kept(
    service: Slow, whole: Counter[str], tmp_path: Path, model_folders: Folders, caplog: pytest.LogCaptureFixture
) -> None:
    path = task(tmp_path, model_folders, service)
    service.be_slow(30, 1.0, signal.SIGINT)
    with pytest.raises(KeyboardInterrupt):
        advise(path, out=tmp_path / "run", wishes=BOTH)
    assert f"{CONCURRENCY} answers that are on their way are waited for" in caplog.text
    assert 30 + CONCURRENCY <= service.calls < whole.total()
    service.be_quick()
    advise(path, out=tmp_path / "run", wishes=BOTH)
    assert service.asked == whole, "nothing was asked twice"


WORKERS = ("--on", "processes", "--workers", "2")


@pytest.mark.parametrize(
    ("number", "more", "code"), [(signal.SIGINT, (), 130), (signal.SIGTERM, (), 143), (signal.SIGINT, WORKERS, 130)]
)
def test_interrupted_twice_it_ends_at_once(
    number: signal.Signals, more: tuple[str, ...], code: int, service: Slow, tmp_path: Path, model_folders: Folders
) -> None:
    service.be_slow(20, 25.0)
    path = task(tmp_path, model_folders, service, workers=2 if more else 1)
    process = start(tmp_path, "run", path.name, *OPTIONS, *more, "--out", "run")
    _until_under_way(service)
    process.send_signal(number)
    assert "4 answers that are on their way are waited for" in _until(process.stderr, "waited for")
    sent = time.monotonic()
    process.send_signal(number)
    assert finish(process).code == code
    assert time.monotonic() - sent < 15
    with closing(Store(tmp_path / "run" / "run.sqlite")) as store:
        assert store.done("answer") == {"majority": 1}


def _answers() -> tuple[Callable[[], Any], Callable[[], Any]]:
    asked: Future[Any] = Future()
    return lambda: _ended([asked], FIRST_COMPLETED), lambda: asked.set_result(None)


def _messages() -> tuple[Callable[[], Any], Callable[[], Any]]:
    ours, theirs = multiprocessing.Pipe()
    pool: Any = _ProcessPool
    waiting = pool(job=None, share=None, pipes={0: ours})

    def first() -> None:
        while not waiting.ready:
            waiting.wait()

    return first, lambda: theirs.send_bytes(b"")


@pytest.mark.parametrize("what", [_answers, _messages])
def test_an_interruption_that_wakes_nobody_is_noticed_all_the_same(
    what: Callable[[], tuple[Callable[[], Any], Callable[[], Any]]],
) -> None:
    """As one that comes in the moment before a wait begins: here another thread receives it."""
    wait, arrives = what()
    late = threading.Timer(8.0, arrives)
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        late.start()
        threading.Timer(0.3, lambda: signal.pthread_kill(threading.get_ident(), signal.SIGINT)).start()
        began = time.monotonic()
        with pytest.raises(KeyboardInterrupt):
            wait()
        assert time.monotonic() - began < 5
    finally:
        late.cancel()
        signal.signal(signal.SIGINT, before)


def test_ctrl_c_in_a_terminal_leaves_it_as_it_was(service: Slow, tmp_path: Path, model_folders: Folders) -> None:
    """The key is pressed, so the terminal sends the signal; with bars of progress on the screen that hide the cursor."""
    service.be_slow(20, 1.0)
    path = task(tmp_path, model_folders, service)
    ours, theirs = pty.openpty()
    before = termios.tcgetattr(theirs)
    process = start(
        tmp_path,
        *("run", path.name, *OPTIONS, "--out", "run"),
        environment={"TERM": "xterm-256color"},
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
        start_new_session=True,
        preexec_fn=lambda: fcntl.ioctl(0, termios.TIOCSCTTY, 0),
    )
    screen: list[bytes] = []

    def read() -> None:
        with suppress(OSError):  # So Linux tells that nobody can write any more.
            while part := os.read(ours, 65_536):
                screen.append(part)

    reader = threading.Thread(target=read)
    reader.start()
    _until_under_way(service)
    os.write(ours, b"\x03")
    assert process.wait(timeout=120) == 130
    after = termios.tcgetattr(theirs)
    os.close(theirs)
    reader.join()
    os.close(ours)
    shown = b"".join(screen).decode()
    assert after == before, "keys are shown again, and lines are lines"
    assert "\x1b[?25l" in shown, "the cursor was hidden"
    assert shown.rindex("\x1b[?25h") > shown.rindex("\x1b[?25l"), "and is there again"
    assert "\x1b[?1049h" not in shown, "the screen was never another one"
    assert "Interrupted. What was finished is kept. To go on:" in shown
    assert "advisor run --resume task.yaml" in shown.rstrip().splitlines()[-1]


def _until_under_way(service: Slow) -> None:
    deadline = time.monotonic() + 200
    while service.under_way < CONCURRENCY:
        assert time.monotonic() < deadline
        time.sleep(0.05)


def _until(stream: Any, word: str) -> str:
    return next((line for line in stream if word in line), "")


# ---------------------------------------------------------------- with workers


@pytest.mark.parametrize("limit", [None, 5.0], ids=["no limit on cost", "a limit on cost"])
def test_answers_on_their_way_to_workers_are_kept(
    limit: float | None,
    service: Slow,
    whole: Counter[str],
    tmp_path: Path,
    model_folders: Folders,
    caplog: pytest.LogCaptureFixture,
) -> None:
    path = task(tmp_path, model_folders, service, workers=2)
    service.be_slow(30, 1.0, signal.SIGINT)
    with pytest.raises(KeyboardInterrupt):
        advise(path, out=tmp_path / "run", wishes=on_processes(BOTH, max_cost=limit))
    assert f"{CONCURRENCY} answers that are on their way are waited for" in caplog.text
    assert not multiprocessing.active_children()
    assert 30 + CONCURRENCY <= service.calls < whole.total()
    service.be_quick()
    advise(path, out=tmp_path / "run", wishes=BOTH)
    assert service.asked == whole, "nothing was asked twice"


def _heard(order: list[str]) -> None:
    """Interrupted while something is dealt with, and then listening."""
    with DeferredSignals() as signals:
        signal.raise_signal(signal.SIGINT)
        order.append("dealt with")
        with signals.open():
            order.append("never")


def _heard_last(order: list[str]) -> None:
    with DeferredSignals():
        signal.raise_signal(signal.SIGINT)
        order.append("dealt with")


def _released(order: list[str]) -> None:
    with DeferredSignals() as signals:
        signals.release()
        signal.raise_signal(signal.SIGINT)
        order.append("never")


@pytest.mark.parametrize(("work", "done"), [(_heard, 1), (_heard_last, 1), (_released, 0)])
def test_what_is_heard_of_a_worker_is_dealt_with_before_an_interruption(
    work: Callable[[list[str]], None], done: int
) -> None:
    order: list[str] = []
    with pytest.raises(KeyboardInterrupt):
        work(order)
    assert order == ["dealt with"] * done
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


# ---------------------------------------------------------------- the time is up


@pytest.mark.parametrize("workers", [1, 2])
def test_when_the_time_is_up_what_is_measured_is_told_and_the_rest_is_left(
    workers: int, service: Slow, whole: Counter[str], tmp_path: Path, model_folders: Folders
) -> None:
    path = task(tmp_path, model_folders, service, workers)
    service.be_slow(30, 1.0, signal.SIGALRM)
    wishes = replace(BOTH, max_hours=1.0)
    verdict = advise(path, out=tmp_path / "run", wishes=wishes if workers == 1 else on_processes(wishes))
    found = {status.candidate: status for status in verdict.recommendation.statuses}
    assert found["prompting"].state is State.OPEN
    assert found["majority"].state is State.MISSES
    assert verdict.recommendation.verdict == "undecided"
    assert verdict.recommendation.next_steps[0].startswith("Go on with the same command and --resume: prompting is not")
    told = json.dumps(verdict.story.facts) + "\n".join(verdict.recommendation.reasons)
    assert "Prompting is not measured yet: 20 held-out cases were not answered yet." in told
    assert 30 <= service.calls < whole.total()
    service.be_quick()
    verdict = advise(path, out=tmp_path / "run", wishes=BOTH)
    assert all(status.state is not State.OPEN for status in verdict.recommendation.statuses)
    assert service.asked == whole, "nothing was asked twice"


def test_when_the_time_is_up_the_command_that_goes_on_is_said(
    service: Slow, tmp_path: Path, model_folders: Folders, capsys: pytest.CaptureFixture[str]
) -> None:
    path, out = task(tmp_path, model_folders, service), tmp_path / "the run"
    service.be_slow(30, 0.5, signal.SIGALRM)
    done = call(capsys, "run", str(path), *OPTIONS, "--max-hours", "1", "--out", str(out))
    assert done.code == 101
    assert done.err.splitlines()[-2] == "Not everything is measured. To go on:"
    said = shlex.split(done.err.splitlines()[-1])
    assert said == ["advisor", "run", "--resume", str(path), *OPTIONS, "--max-hours", "1", "--out", str(out)]


def test_what_a_check_that_is_left_may_rule_out_is_not_settled(
    tmp_path: Path, model_folders: Folders, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Once all held-out cases are answered the time is up: before the check of a limit, and later among the rebuilds."""
    at = [""]

    class Cut(NullEvents):
        def finished(self, unit: Unit, done: UnitResult) -> None:
            if (unit.candidate, unit.kind) == ("tf-idf", at[0]):
                raise TimeUp

    monkeypatch.setattr("advisor.cli.logged.events_of", lambda *_: Cut())
    path = write_task(tmp_path, model_folders, "constraints: {p95_latency_s: 1.0e-07}", "target: 0.5")
    run = ("run", str(path), "--out", str(tmp_path / "run"), "--approach", "majority", "--approach", "tf-idf", "--json")
    waits = "whether it keeps the limit on waiting times was not checked yet"
    for end, more, code in (("answer", (), 101), ("rebuild", ("--resume", "--rebuilds", "2"), 100)):
        at[0] = end
        done = call(capsys, *run, "--max-hours", "1", *more)
        assert (done.code, waits in done.out) == (code, code == 101), done.err
        assert "Not everything is measured. To go on:" in done.err
    assert "Go on with the same command and --resume: not everything about tf-idf is measured yet." in done.out
    at[0] = ""
    done = call(capsys, *run, "--resume", "--rebuilds", "2")
    assert (done.code, "To go on" in done.err, "--resume" in done.out) == (100, False, False)


def test_the_alarm_is_gone_when_the_work_is_done(tmp_path: Path) -> None:
    soon = Allowance(hours=0.05 / 3600)
    with within(soon, tmp_path):
        pass
    time.sleep(0.15)
    with pytest.raises(TimeUp), within(soon, tmp_path):
        time.sleep(5)


def test_elsewhere_than_in_the_main_thread_it_is_refused(tmp_path: Path) -> None:
    refused: list[BadInput] = []

    def work() -> None:
        try:
            with within(Allowance(hours=1.0), tmp_path):
                pass
        except BadInput as error:
            refused.append(error)

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert "--max-hours needs Linux or macOS, and the main thread" in str(refused[0])


def test_a_folder_that_takes_more_than_it_may_ends_the_work(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(deadline, "LOOK_EVERY_S", 0.02)
    (tmp_path / "adapters").mkdir()

    def work() -> None:
        (tmp_path / "adapters" / "one").write_bytes(bytes(1_900))
        time.sleep(0.2)
        (tmp_path / "two").write_bytes(bytes(200))
        time.sleep(5)

    with pytest.raises(DiskUp), within(Allowance(gigabytes=2e-6), tmp_path):
        work()
    assert (tmp_path / "two").exists()


LATE = """
import signal, sys, time
from pathlib import Path
from benchmarks.running import deadline
deadline.LOOK_EVERY_S, ring = 0.01, signal.pthread_kill
def late(*given):
    time.sleep(0.3)
    ring(*given)
signal.pthread_kill = late
(Path(sys.argv[1]) / "one").write_bytes(bytes(100))
with deadline.within(deadline.Allowance(gigabytes=1e-9), Path(sys.argv[1])):
    time.sleep(0.1)
time.sleep(0.5)
print("went on")
"""


def test_an_alarm_that_comes_when_the_work_is_done_ends_nothing(tmp_path: Path) -> None:
    done = subprocess.run([sys.executable, "-c", LATE, str(tmp_path)], cwd=ROOT, capture_output=True, text=True)
    assert (done.returncode, done.stdout, done.stderr) == (0, "went on\n", "")


def test_a_run_that_takes_more_than_it_may_tells_what_is_measured(
    service: Slow,
    whole: Counter[str],
    tmp_path: Path,
    model_folders: Folders,
    capsys: pytest.CaptureFixture[str],
    caplog: pytest.LogCaptureFixture,
) -> None:
    path, out = task(tmp_path, model_folders, service), tmp_path / "run"
    service.be_slow(30, 1.5)
    options = (*OPTIONS, "--out", str(out))
    done = call(capsys, "run", str(path), *options, "--max-disk", "1e-6")
    assert done.code == 101
    assert "GB, and --max-disk is 1e-06: give it more to go on" in caplog.text
    more = "To go on, with a higher --max-disk where that is reached:"
    assert done.err.splitlines()[-2] == f"Not everything is measured. {more}"
    assert service.calls < whole.total()
    refused = call(capsys, "run", str(path), *options, "--max-disk", "1e-6", "--resume")
    assert refused.code == 2
    assert "GB already, and --max-disk is 1e-06. Give it more, such as --max-disk" in refused.err
    service.be_quick()
    assert call(capsys, "run", str(path), *options, "--max-disk", "1", "--resume").code in (0, 100, 101)
    assert service.asked == whole, "nothing was asked twice"


# ---------------------------------------------------------------- what does not suit the task


def test_a_run_that_is_cut_off_does_not_say_that_what_does_not_suit_is_still_to_be_measured(tmp_path: Path) -> None:
    class Cut(NullEvents):
        def finished(self, unit: Unit, done: UnitResult) -> None:
            if unit.candidate == "majority":
                raise KeyboardInterrupt

    names = ("majority", "copy nearest", "copy input")
    run = Run(
        benchmark=tiny.benchmark(),
        candidates=[Candidate(name=each.name, strategy=each, model="") for each in approaches() if each.name in names],
        models=tiny.scripted(),
        options=Options(probes=False),
        folder=tmp_path,
        events=Cut(),
    )
    with pytest.raises(KeyboardInterrupt):
        run.execute()
    found = killed.told(run)
    assert (found["copy nearest"].state, found["copy input"].state) == (State.OPEN, State.SKIPPED)
