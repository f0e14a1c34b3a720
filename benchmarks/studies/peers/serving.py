"""A server of the same model for peers that ask one: vLLM on loopback, in its own environment."""

from __future__ import annotations

import json
import subprocess
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from benchmarks.contract import BadInput
from benchmarks.studies.speed.environments import VLLM, python_of

SCRIPT = Path(__file__).parent / "scripts" / "vllm_serve.py"
AT_ONCE = 16
"""Requests that are answered together."""


@contextmanager
def served(work: Mapping[str, Any], environments: Path) -> Iterator[dict[str, str]]:
    """Address and name of the model at a server, which ends with the context. Raises `BadInput` where none starts."""
    wanted = {name: work[name] for name in ("model", "dtype", "threads")} | {"concurrency": AT_ONCE}
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "work.json"
        file.write_text(json.dumps(wanted), encoding="utf-8")
        server = subprocess.Popen(
            [str(python_of(VLLM, environments)), str(SCRIPT), str(file)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        assert server.stdin is not None
        assert server.stdout is not None
        with server, server.stdin:
            line = server.stdout.readline()
            if not line:
                raise BadInput("The vLLM server did not start; its own words stand above.")
            told: dict[str, str] = json.loads(line)
            yield told
