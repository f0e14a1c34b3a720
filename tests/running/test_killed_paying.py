"""Killed without warning while a server answers, again and again: what the server bills never comes to more than the limit."""

from __future__ import annotations

import json
import os
import signal
import threading
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from pytest_httpserver import HTTPServer
from werkzeug import Request, Response

from tests.conftest import Folders
from tests.desk import finish, start, write_task
from tests.running.test_endpoint_bakeoff import Service

LIMIT, AT_ONCE = 0.01, 4
ONE_PROCESS = ("--approach", "prompting")
OPTIONS = ("--effort", "quick", "--probes", "none", "--yes", "--max-cost", str(LIMIT))


@dataclass
class Deadly(Service):
    """States as many tokens as a question allows, sums up its bill, and kills whoever asks while it has several in hand."""

    bill: float = 0.0
    pid: int = 0
    kill_from: int = 10**9
    """So many questions later."""
    in_hand: int = 0
    dead: threading.Event = field(default_factory=threading.Event)

    def kill(self, pid: int, later: int) -> None:
        self.pid, self.kill_from, self.in_hand = pid, self.calls + later, 0
        self.dead.clear()

    def _answer(self, request: Request) -> Response:
        asked = request.get_json()["max_tokens"]
        with self.lock:
            self.bill += 40 * 1e-6 + asked * 2e-6
            waits = self.calls >= self.kill_from and not self.dead.is_set()
            self.in_hand += waits
            if self.in_hand == AT_ONCE and not self.dead.is_set():
                os.kill(self.pid, signal.SIGKILL)
                self.dead.set()
        if waits:
            assert self.dead.wait(60)
        answer = json.loads(super()._answer(request).get_data())
        answer["usage"] = {"prompt_tokens": 40, "completion_tokens": asked, "total_tokens": 40 + asked}
        return Response(json.dumps(answer), content_type="application/json")


@pytest.fixture
def service() -> Iterator[Deadly]:
    with HTTPServer(threaded=True) as server:
        yield Deadly(server)


@pytest.mark.parametrize(
    "on",
    [(), pytest.param(("--on", "processes", "--workers", "2"), marks=pytest.mark.nightly)],
    ids=["one process", "two processes"],
)
def test_whoever_kills_a_run_over_and_over_pays_no_more_than_the_limit(
    on: Sequence[str], service: Deadly, tmp_path: Path, model_folders: Folders
) -> None:
    task = write_task(tmp_path, model_folders, *service.lines(concurrency=AT_ONCE * (2 if on else 1)))
    command = ("run", task.name, *ONE_PROCESS, *OPTIONS, *on, "--out", "run")
    for later in (10, 10, 10):
        resumed = ("--resume",) if (tmp_path / "run").exists() else ()
        process = start(tmp_path, *command, *resumed)
        service.kill(process.pid, later)
        assert finish(process).code == -signal.SIGKILL
    assert 0 < service.bill < LIMIT
    done = finish(start(tmp_path, *command, "--resume"))
    assert (done.code, "--max-cost 0.01 USD is reached" in done.err) == (101, True), done.err
    assert 0.5 * LIMIT < service.bill <= LIMIT
