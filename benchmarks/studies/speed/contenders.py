"""The contenders of a table as processes that stay alive, so that they take turns on one machine without loading again."""

from __future__ import annotations

import json
import resource
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from benchmarks.contract import BadInput
from benchmarks.studies.settings import ROOT
from benchmarks.studies.speed.environments import Peer, python_of
from benchmarks.studies.speed.work import WARM

PEERS = Path(__file__).parent / "peers"


@dataclass(frozen=True, kw_only=True)
class Contender:
    """Who measures what. `module` runs in this environment, `script` in the peer's own.

    `cases` bounds the work of a repetition, since some contenders are a hundred times slower; rates are compared.
    """

    name: str
    module: str = ""
    script: str = ""
    peer: Peer | None = None
    cases: int | None = None
    asks: Mapping[str, Any] = field(default_factory=dict)
    """Added to the work: which of its kinds the module is to do, and with what."""

    def command(self, environments: Path) -> list[str]:
        """Raises `BadInput` where the peer's environment cannot be made."""
        if self.peer is None:
            return [sys.executable, "-m", self.module]
        return [str(python_of(self.peer, environments)), str(PEERS / self.script)]


class Running:
    """A contender that is loaded and waits for its turn."""

    def __init__(self, contender: Contender, work: Path, environments: Path) -> None:
        self.name = contender.name
        self._process = subprocess.Popen(
            [*contender.command(environments), str(work)],
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        self.settings: Mapping[str, Any] = self._line()["ready"]

    def turn(self) -> Mapping[str, Any]:
        """One repetition: at least `seconds`, and `cases` or `tokens`."""
        if self._process.stdin is not None:
            self._process.stdin.write("{}\n")
            self._process.stdin.flush()
        return self._line()

    def _line(self) -> dict[str, Any]:
        text = self._process.stdout.readline() if self._process.stdout is not None else ""
        if not text:
            code = self._process.wait()
            raise BadInput(f"{self.name} ended with exit code {code} before it answered; its own words stand above.")
        found: dict[str, Any] = json.loads(text)
        return found

    def stop(self) -> None:
        if self._process.stdin is not None:
            self._process.stdin.close()
        try:
            self._process.wait(timeout=60)
        except subprocess.TimeoutExpired:
            self._process.kill()


def serve(ready: Mapping[str, Any], repeat: Callable[[int], Mapping[str, Any]]) -> None:
    """The worker's side, for contenders of this environment: says that it is ready and works whenever a line comes."""
    print(json.dumps({"ready": ready}), flush=True)
    for turn, _ in enumerate(sys.stdin):
        found = repeat(turn)
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6
        print(json.dumps({**found, "peak memory in GB": round(peak, 2)}), flush=True)


def part_of(work: Mapping[str, Any], turn: int) -> dict[str, Any]:
    """The work of one turn: its own prompts where each turn has some, and the last ones for turn -1, to warm up with."""
    size = work.get("per_turn")
    if size is None:
        return dict(work)
    first = (turn % (len(work["prompts"]) // size)) * size if turn >= 0 else len(work["prompts"]) - WARM
    last = first + (size if turn >= 0 else WARM)
    return {**work, **{name: work[name][first:last] for name in ("prompts", "messages")}}


def given(arguments: Sequence[str]) -> dict[str, Any]:
    """The work that the study wrote down for this worker."""
    work: dict[str, Any] = json.loads(Path(arguments[1]).read_text(encoding="utf-8"))
    return work
