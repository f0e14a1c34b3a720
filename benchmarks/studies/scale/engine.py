"""A vLLM server asked through a run, and by a bare client of the same concurrency: what the run's way costs of its throughput.

`python -m benchmarks.studies.scale.engine FOLDER` prints a line of JSON, where vLLM is (on the path, or as ADVISOR_VLLM says).
"""

from __future__ import annotations

import http.client
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from benchmarks.contract import Candidate
from benchmarks.studies.scale.real import MODEL
from benchmarks.studies.settings import ROOT
from strategies.contract import Prompt
from strategies.models.endpoint import EndpointModel
from strategies.models.served import ServedModel

TASK, EXAMPLES, CASES, TUNING = "tldr_commands", 24, 128, 2_000
"""Commands from what they are to do: answers that are written, of some tens of tokens."""
WARM = 8
"""Questions before anything is timed."""
Body = dict[str, Any]
"""What a request says, as JSON."""


def measured(folder: Path) -> dict[str, Any]:
    """The run, and the bare client behind it on the same server, twice. Tokens are those of answers."""
    from benchmarks.data.assemble import Limits, assemble
    from benchmarks.running.models import Models
    from benchmarks.running.plan import Options
    from benchmarks.running.run import Run
    from benchmarks.specs.spec_models import ModelSpec
    from benchmarks.studies.scale.waiting import Timed
    from benchmarks.tasks import find
    from strategies.approaches.prompting import Prompting

    task = find(TASK)
    assert task is not None
    spec, place = task.open()
    os.chdir(place)
    benchmark = assemble(spec, limits=Limits(examples=EXAMPLES, heldout=CASES)).benchmark
    models = Models(specs=(ModelSpec(name=MODEL, engine="vllm"),), dtype="float32")
    events = Timed()
    with _recorded() as bodies:
        Run(
            benchmark=benchmark,
            candidates=[Candidate(name="prompting", strategy=Prompting(shots=()), model=MODEL)],
            models=models,
            options=Options(tuning_tokens=TUNING, probes=False),
            folder=folder,
            events=events,
        ).execute()
    took = sum(over - events.begun[name] for name, (unit, over) in events.over.items() if unit.kind == "answer")
    served = models.language(MODEL)
    assert isinstance(served, ServedModel)
    bare(served, bodies[:WARM], "warm")
    found = [bare(served, bodies, mark) for mark in ("first", "second")]
    return {
        "cases": len(bodies),
        "concurrency": served.server.at_once,
        "run_s": round(took, 2),
        "run_tokens": _tokens(folder),
        "bare_s": round(sum(seconds for seconds, _ in found), 2),
        "bare_tokens": sum(tokens for _, tokens in found),
    }


@contextmanager
def _recorded() -> Iterator[list[Body]]:
    """The requests that answers to held-out cases were asked with, as they come."""
    found: list[Body] = []
    before = EndpointModel.generate

    def generate(self: EndpointModel, prompts: Sequence[Prompt], max_tokens: int, *more: Any) -> Any:
        if more[1:] == ("answering",):
            for prompt in prompts:
                messages = [{"role": message.role, "content": message.content} for message in prompt]
                found.append({"model": self.model, "temperature": 0.0, "max_tokens": max_tokens, "messages": messages})
        return before(self, prompts, max_tokens, *more)

    EndpointModel.generate = generate  # type: ignore[method-assign, assignment]
    try:
        yield found
    finally:
        EndpointModel.generate = before  # type: ignore[method-assign]


def bare(served: ServedModel, bodies: Sequence[Body], mark: str) -> tuple[float, int]:
    """Seconds and tokens of the answers of a client that only sends, as many requests at once as the run. The mark before each
    question keeps the server from having read it before; what all of them begin with it has read, as in the run."""
    address = urlsplit(served.server.address)
    key = os.environ[served.server.key_env]

    def ask(body: Body) -> int:
        *first, last = body["messages"]
        marked = {**body, "messages": [*first, {**last, "content": f"{mark}: {last['content']}"}]}
        line = http.client.HTTPConnection(str(address.hostname), address.port, timeout=600)
        headers = {"Content-Type": "application/json", "Authorization": f"Bearer {key}"}
        line.request("POST", f"{address.path}/chat/completions", json.dumps(marked), headers)
        answer = json.loads(line.getresponse().read())
        line.close()
        return int(answer["usage"]["completion_tokens"])

    started = time.perf_counter()
    with ThreadPoolExecutor(served.server.at_once) as pool:
        tokens = sum(pool.map(ask, bodies))
    return time.perf_counter() - started, tokens


def _tokens(folder: Path) -> int:
    from benchmarks.storage.store import Store

    with closing(Store(folder / "run.sqlite")) as store:
        return sum(usage.answer_tokens for row in store.rows("prompting", "heldout") for usage in row.outcome.usage)


def apart() -> dict[str, Any]:
    """The same in a process of its own, with whom the server ends."""
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, "-m", "benchmarks.studies.scale.engine", str(Path(folder) / "run")]
        done = subprocess.run(command, cwd=ROOT, check=True, stdout=subprocess.PIPE, text=True)
    row: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return row


if __name__ == "__main__":
    print(json.dumps(measured(Path(sys.argv[1]))), flush=True)
