"""Work in a process of its own that can be killed at any moment, and that tells over a pipe how far it is."""

from __future__ import annotations

import json
import os
import select
import signal
import time
import traceback
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

Tell = Callable[..., None]
KILLED, DONE, FAULT, REFUSED = -signal.SIGKILL, 0, 1, 3
"""Exit codes: REFUSED is that of a run which could write nothing more, and says so."""


@dataclass(kw_only=True)
class Ended:
    """How a child ended: exit code (negative: a signal), seconds that it lived, what it told, what stood on its stderr."""

    code: int
    seconds: float
    told: list[Mapping[str, Any]] = field(default_factory=list)
    errors: str = ""

    @property
    def traceback(self) -> bool:
        return "Traceback" in self.errors

    def units(self) -> list[str]:
        """Names of the units that it told to be stored."""
        return [line["unit"] for line in self.told if line["what"] == "finished"]

    def first_work(self) -> float | None:
        """Seconds until the first unit was begun."""
        return next((line["after_s"] for line in self.told if line["what"] == "started"), None)


@dataclass(frozen=True, kw_only=True)
class Death:
    """SIGKILL so many seconds after the child has told so many things."""

    seconds: float
    told: int = 0


def child(work: Callable[[Tell], int | None], errors: Path, death: Death | None = None) -> Ended:
    """Performs the work in a fork of this process, which has loaded what it takes and runs no thread."""
    reading, writing = os.pipe()
    started = time.perf_counter()
    pid = os.fork()
    if pid == 0:
        os.close(reading)
        os._exit(_perform(work, writing, errors, started))
    os.close(writing)
    text = _read(reading, pid, death)
    _, status = os.waitpid(pid, 0)
    lines = [json.loads(line) for line in text.decode().splitlines(keepends=True) if line.endswith("\n")]
    return Ended(
        code=os.waitstatus_to_exitcode(status),
        seconds=time.perf_counter() - started,
        told=lines,
        errors=errors.read_text(encoding="utf-8", errors="replace") if errors.exists() else "",
    )


def _perform(work: Callable[[Tell], int | None], pipe: int, errors: Path, started: float) -> int:
    os.dup2(os.open(errors, os.O_WRONLY | os.O_CREAT | os.O_TRUNC), 2)

    def tell(what: str, **more: Any) -> None:
        line = {"what": what, "after_s": round(time.perf_counter() - started, 4), **more}
        os.write(pipe, (json.dumps(line) + "\n").encode())

    try:
        return work(tell) or DONE
    except BaseException:
        os.write(2, traceback.format_exc().encode())
        return FAULT


def _read(pipe: int, pid: int, death: Death | None) -> bytes:
    """All that the child writes until it ends or is killed."""
    text, end = b"", None
    while True:
        if death is not None and end is None and text.count(b"\n") >= death.told:
            end = time.perf_counter() + death.seconds
        ready, _, _ = select.select([pipe], [], [], None if end is None else max(0.0, end - time.perf_counter()))
        if not ready:
            os.kill(pid, signal.SIGKILL)
            death = end = None
            continue
        part = os.read(pipe, 65_536)
        if not part:
            os.close(pipe)
            return text
        text += part
