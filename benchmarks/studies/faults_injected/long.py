"""A long run: 100,000 cases answered by a server that fails now and then; memory as it goes on, and exact counts."""

from __future__ import annotations

import json
import os
import re
import signal
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any, ClassVar

from benchmarks.running.plan import Unit
from benchmarks.storage.store import Store, UnitResult
from benchmarks.studies.faults_injected import misbehaving
from benchmarks.studies.faults_injected.children import DONE, Tell, child
from benchmarks.studies.faults_injected.price import clocked
from benchmarks.studies.faults_injected.server import USAGE, Quiet, get, said
from benchmarks.studies.faults_injected.stored import Stored

CONCURRENCY = 8
EVERY = 50
"""The first try of one question in so many is a fault."""
FAULTS = (
    *("429 with Retry-After", "429 without Retry-After", "500", "503", "closed halfway", "closed at once"),
    *("JSON cut off", "no JSON", "no choices", "not UTF-8"),
)
ASKED = re.compile(r"Team (\d+) meets today\.")


class Failing(BaseHTTPRequestHandler):
    """Answers every question rightly after a while, but for the first try of some; `GET /unit/KIND`, `GET /asked`."""

    protocol_version = "HTTP/1.1"
    counted: ClassVar[Counter[str]] = Counter()
    failed: ClassVar[set[int]] = set()
    answered: ClassVar[Counter[int]] = Counter()
    kind: ClassVar[str] = ""
    pause_s: ClassVar[float] = 0.0
    lock = threading.Lock()

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        number = int(ASKED.findall(body["messages"][-1]["content"])[-1])
        time.sleep(self.pause_s)
        with self.lock:
            fails = self.kind == "answer" and number % EVERY == 0 and number not in self.failed
            if fails:
                Failing.failed.add(number)
            Failing.counted[f"{self.kind} {'failed' if fails else 'answered'}"] += 1
            if self.kind == "answer" and not fails:
                Failing.answered[number] += 1
        try:
            if fails:
                misbehaving.FAULTS[FAULTS[number // EVERY % len(FAULTS)]](self, str(number))
            else:
                misbehaving.reply(self, json.dumps(said(f"Team {number} meets today!")))
        except OSError:
            self.close_connection = True

    def do_GET(self) -> None:
        with self.lock:
            if self.path.startswith("/unit/"):
                Failing.kind = self.path.removeprefix("/unit/")
            twice = sum(count > 1 for count in Failing.answered.values())
            counts = {**Failing.counted, "questions": len(Failing.answered), "answered twice": twice}
        misbehaving.reply(self, json.dumps(counts))

    def log_message(self, *_: Any) -> None: ...


@contextmanager
def serving(pause_s: float) -> Iterator[str]:
    """Its address, without path. It runs in a process of its own."""
    listening = Quiet(("127.0.0.1", 0), Failing)
    pid = os.fork()
    if pid == 0:
        Failing.pause_s = pause_s
        listening.serve_forever()
        os._exit(0)
    listening.socket.close()
    try:
        yield f"http://127.0.0.1:{listening.server_address[1]}"
    finally:
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)


@dataclass(frozen=True)
class Weighed:
    """Events of a run: what is worked on is told to the server, and the process' memory to the parent."""

    tell: Tell
    address: str

    def started(self, unit: Unit, number: int, total: int) -> None:
        get(f"{self.address}/unit/{unit.kind}")

    def progress(self, unit: Unit, done: int, total: int, what: str) -> None: ...

    def finished(self, unit: Unit, done: UnitResult) -> None:
        import psutil

        self.tell("memory", kind=unit.kind, mb=psutil.Process().memory_info().rss / 1e6)


def asked(place: Path, cases: int, pause_s: float) -> dict[str, Any]:
    """One row: the counts of the server beside those of the store, and the memory."""
    folder = place / "long"
    with serving(pause_s) as address:
        ended = child(lambda tell: _run(folder, address, cases, tell), place / "long.err")
        counts = get(f"{address}/asked")
    if ended.code != DONE:
        raise RuntimeError(f"the long run ended with {ended.code}: {ended.errors[-2000:]}")
    weights = [line["mb"] for line in ended.told if line["what"] == "memory" and line["kind"] == "answer"]
    clock = next(line for line in ended.told if line["what"] == "clock")
    with closing(Store(folder / "run.sqlite")) as store:
        rows = [(row.score, row.outcome.usage) for row in store.rows("prompting", "heldout")]
        starts = store.starts()
    used = [each for _, usage in rows for each in usage]
    stored = Stored.of(folder)
    return {
        "cases": cases,
        "seconds": round(ended.seconds, 1),
        "rows": len(rows),
        "right": sum(score == 1.0 for score, _ in rows),
        "tokens": sum(each.prompt_tokens + each.answer_tokens for each in used),
        "tokens_stated": cases * USAGE["total_tokens"],
        "requests": counts["answer answered"] + counts["answer failed"],
        "faults": counts["answer failed"],
        "questions": counts["questions"],
        "answered_twice": counts["answered twice"],
        "unfinished": len(set(starts) - set(stored.finished)),
        "memory_mb": [round(weights[round(share * (len(weights) - 1))], 1) for share in (0.1, 0.25, 0.5, 0.75, 1)],
        "store_s": round(clock["seconds"], 2),
        "store_writes": clock["writes"],
    }


def _run(folder: Path, address: str, cases: int, tell: Tell) -> int:
    from benchmarks.running.models import Models
    from benchmarks.running.plan import Options, candidates
    from benchmarks.running.run import Run
    from benchmarks.specs.spec_models import ModelSpec
    from strategies.catalog import approaches
    from tests import tiny

    spec = ModelSpec(name="m", endpoint=f"{address}/v1", concurrency=CONCURRENCY)
    models = Models(specs=(spec,), dtype="float32", _embedder=tiny.WordHashes(), _placement=tiny.FLOAT32)
    run = Run(
        benchmark=tiny.benchmark("generation", heldout=cases),
        candidates=[each for each in candidates(approaches(), models.names) if each.name == "prompting"],
        models=models,
        options=Options(tuning_tokens=5_000, probes=False),
        folder=folder,
        events=Weighed(tell, address),
    )
    with clocked() as clock:
        run.execute()
    tell("clock", seconds=clock.seconds, writes=clock.writes)
    return DONE
