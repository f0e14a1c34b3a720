"""When each session of a run that was gone on with began, and by which commit: noted before its work, so that none is lost."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from benchmarks.studies.settings import commit

Session = Mapping[str, Any]


def noted(file: Path, work: Callable[[], int]) -> tuple[int, list[Session]]:
    """The exit code of the work, and all sessions that the file holds by then, the first one first."""
    before = read(file)
    session: Session = {"started": time.strftime("%Y-%m-%d %H:%M UTC", time.gmtime()), "commit": commit()}
    _write(file, [*before, session])
    start = time.monotonic()
    code = work()
    session = {**session, "seconds": round(time.monotonic() - start), "exit": code}
    _write(file, [*before, session])
    return code, [*before, session]


def read(file: Path) -> list[Session]:
    """The sessions so far. One that was killed lacks its seconds."""
    return list(json.loads(file.read_text(encoding="utf-8"))) if file.is_file() else []


def commits(sessions: Sequence[Session]) -> str:
    """Their commits, each once."""
    return ", ".join(dict.fromkeys(each["commit"] for each in sessions if each["commit"]))


def _write(file: Path, sessions: Sequence[Session]) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(json.dumps(sessions, indent=1), encoding="utf-8")
