"""Looks for inputs that a parser neither reads nor refuses: guided by coverage, for a stated time, each made small."""

from __future__ import annotations

import base64
import importlib.util
import json
import re
import subprocess
import sys
import tempfile
import time
import traceback
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from benchmarks.studies.faults_injected import fuzz_child, fuzz_inputs, fuzz_targets
from benchmarks.studies.faults_injected.fuzz_targets import Read, read_or_refused
from benchmarks.studies.settings import ROOT

SECONDS = 60.0
NOT_HERE = "fuzzing takes atheris, which is not installed. Write: pip install -c constraints.txt '.[fuzz]'"
OURS = ("advisor", "benchmarks", "strategies")
SMALLER_S = 20.0
"""Seconds spent on making one finding smaller."""
ENDS = {"timeout": "no end", "oom": "out of memory", "crash": "the process died"}
"""What libFuzzer calls the input that it ended with, and what that is."""
Finding = Mapping[str, str]


def installed() -> bool:
    return importlib.util.find_spec("atheris") is not None


def finding(read: Read, data: bytes) -> Finding | None:
    """What came out that is not documented: its kind, where in our own code, and what it says; None where nothing did.

    So is what a library warns of, since it would stand in a person's terminal.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            read_or_refused(read, data)
    except Exception as error:
        return {"kind": type(error).__name__, "where": _where(error), "says": " ".join(str(error).split())[:160]}
    return None


def identity(found: Finding) -> tuple[str, ...]:
    """What makes two findings one: kind and place, and for what the target itself asks for, what that is."""
    return found["kind"], found["where"], *([found["says"]] if found["kind"] == "AssertionError" else [])


def _where(error: Exception) -> str:
    """File and function of the innermost place in our own code; a line would be another one with the next change."""
    for frame in reversed(traceback.extract_tb(error.__traceback__)):
        path = Path(frame.filename)
        if path.is_relative_to(ROOT) and path.relative_to(ROOT).parts[0] in OURS:
            return f"{path.relative_to(ROOT).as_posix()}, {frame.name}"
    return ""


def fuzzed(name: str, seconds: float, known: Sequence[bytes] = ()) -> dict[str, Any]:
    """One row: what fuzzing the target for so long came to. `known` are inputs that it begins with besides its own."""
    with tempfile.TemporaryDirectory() as made:
        folder = Path(made)
        (folder / "corpus").mkdir()
        for number, data in enumerate(known):
            (folder / "corpus" / f"known-{number}").write_bytes(data)
        command = [sys.executable, "-m", fuzz_child.__name__, name, str(seconds), made]
        done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, errors="replace")
        if not (folder / fuzz_child.FOUND).is_file():
            raise RuntimeError(done.stderr[-2_000:])
        found = json.loads((folder / fuzz_child.FOUND).read_text(encoding="utf-8"))
        tried = [found["executions"], *(int(number) for number in re.findall(r"^#(\d+)\t", done.stderr, re.MULTILINE))]
        reached = [0, *(int(number) for number in re.findall(r"\bcov: (\d+)", done.stderr))]
        ended_with = _last_inputs(folder)
        findings = [*(_smaller(name, each) for each in found["findings"]), *ended_with]
    return {
        "target": name,
        "what": fuzz_targets.TARGETS[name].what,
        "seconds": round(found["seconds"], 1),
        "processor_s": round(found["processor_s"], 1),
        "executions": max(tried),
        "reached": reached[-1],
        "findings": findings,
    }


def _last_inputs(folder: Path) -> list[Finding]:
    """The input that the process ended with, where it did not end by itself."""
    return [
        {"kind": ENDS[kind], "where": "", "says": "", "input": base64.b64encode(path.read_bytes()).decode()}
        for kind in ENDS
        for path in sorted(folder.glob(f"{kind}-*"))
    ]


def _smaller(name: str, found: Finding) -> Finding:
    data = base64.b64decode(found["input"])
    with tempfile.TemporaryDirectory() as made:
        read = fuzz_targets.TARGETS[name].opened(Path(made))

        def same(other: bytes) -> bool:
            one = finding(read, other)
            return one is not None and identity(one) == identity(found)

        if not same(data):  # It took what came before it.
            return found
        data = smallest(data, same, time.monotonic() + SMALLER_S)
        again = finding(read, data)
    return {**(again or found), "input": base64.b64encode(data).decode()}


def rounds(rows: Sequence[Mapping[str, Any]], seconds: float) -> Iterator[dict[str, Any]]:
    """A further row for each target whose last one found something, or that has none, one after the other."""
    for name in fuzz_targets.TARGETS:
        mine = [row for row in rows if row["target"] == name]
        if not mine or mine[-1]["findings"]:
            known = [base64.b64decode(found["input"]) for row in mine for found in row["findings"]]
            yield {"key": f"{name}|{len(mine)}", **fuzzed(name, seconds, known)}


def smallest(data: bytes, same: Callable[[bytes], bool], end: float) -> bytes:
    """A part of the data without which something else would come of it, or what it is when the time is over.

    Places of its JSON are left out while what comes of it is the `same`, then pieces of its bytes, long ones first.
    """
    while fewer := next((each for each in fuzz_inputs.fewer(data) if time.monotonic() < end and same(each)), None):
        data = fewer
    size = max(1, len(data) // 2)
    while time.monotonic() < end:
        at, before = 0, len(data)
        while at < len(data) and time.monotonic() < end:
            fewer = data[:at] + data[at + size :]
            if same(fewer):
                data = fewer
            else:
                at += size
        if size == 1 and len(data) == before:
            break
        size = max(1, size // 2)
    return data
