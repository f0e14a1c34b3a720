"""How a script of a peer tells what it found: lines of JSON on standard output, and nothing else there."""

from __future__ import annotations

import json
import os
from typing import IO, Any


def protected_output() -> IO[str]:
    """The real standard output; from here on whatever a library prints goes to standard error."""
    real = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)
    return real


def say(output: IO[str], value: dict[str, Any]) -> None:
    output.write(json.dumps(value) + "\n")
    output.flush()
