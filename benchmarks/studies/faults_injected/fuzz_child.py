"""Fuzzes one target in a process of its own, guided by which places in the code are reached: `fuzz` starts and reads it.

`python -m benchmarks.studies.faults_injected.fuzz_child TARGET SECONDS FOLDER` leaves what it counted and found in the folder.
"""

from __future__ import annotations

import base64
import importlib
import json
import os
import random
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

FOUND = "found.json"
Find = Callable[[bytes], Mapping[str, str] | None]
Identify = Callable[[Mapping[str, str]], tuple[str, ...]]
SHORT = 4_096
"""Bytes of an input, or twice its longest seed."""
SLOW_S = 20
"""So long may one input take; then the process ends, which is a finding."""
MEMORY_MB = 2_500
FOLLOWED = ("advisor", "benchmarks", "strategies", "yaml", "bs4", "html")
"""Whose code is watched while inputs are chosen."""


def fuzz(name: str, seconds: float, folder: Path) -> None:
    """Ends the process, when the time is up or an input takes too long or too much memory."""
    import atheris

    with atheris.instrument_imports(include=list(FOLLOWED)):
        found = importlib.import_module("benchmarks.studies.faults_injected.fuzz")
        targets = importlib.import_module("benchmarks.studies.faults_injected.fuzz_targets")
        inputs = importlib.import_module("benchmarks.studies.faults_injected.fuzz_inputs")
        target = targets.TARGETS[name]
        desk, corpus = folder / "desk", folder / "corpus"
        desk.mkdir()
        corpus.mkdir(exist_ok=True)
        read = target.opened(desk)
        seeds = target.seeds()
        for seed in seeds:
            found.finding(read, seed)  # Much is imported only then.
    for number, seed in enumerate(seeds):
        (corpus / f"seed-{number}").write_bytes(seed)
    tally = Tally(folder, seconds, lambda data: found.finding(read, data), found.identity)

    def change(data: bytes, most: int, seed: int) -> bytes:
        chance = random.Random(seed)
        other = inputs.changed(data, chance) if chance.random() < 0.5 else None
        return other if other is not None and len(other) <= most else bytes(atheris.Mutate(data, most))

    longest = max(SHORT, 2 * max(map(len, seeds)))
    options = (f"-max_len={longest}", f"-timeout={SLOW_S}", f"-rss_limit_mb={MEMORY_MB}", f"-artifact_prefix={folder}/")
    atheris.Setup([sys.argv[0], *options, str(corpus)], tally.try_it, custom_mutator=change)
    tally.begin()
    atheris.Fuzz()


class Tally:
    """Counts what is tried, keeps the shortest input of each finding, and ends the process when its time is up."""

    def __init__(self, folder: Path, seconds: float, finding: Find, identity: Identify) -> None:
        self.folder, self.seconds, self.finding, self.identity = folder, seconds, finding, identity
        self.executions, self.found = 0, dict[tuple[str, ...], dict[str, str]]()
        self.inputs: dict[tuple[str, ...], bytes] = {}
        self.begun = self.written = self.spent = 0.0

    def begin(self) -> None:
        self.begun, self.spent = time.monotonic(), time.process_time()
        self.write(self.begun)

    def try_it(self, data: bytes) -> None:
        self.executions += 1
        if (one := self.finding(data)) is not None:
            key = self.identity(one)
            if key not in self.inputs or len(data) < len(self.inputs[key]):
                self.inputs[key] = data
                self.found[key] = {**one, "input": base64.b64encode(data).decode()}
        now = time.monotonic()
        if now - self.written > 1 or now - self.begun > self.seconds:
            self.write(now)
        if now - self.begun > self.seconds:
            sys.stderr.flush()
            os._exit(0)

    def write(self, now: float) -> None:
        self.written = now
        spent = {"seconds": now - self.begun, "processor_s": time.process_time() - self.spent}
        values: dict[str, Any] = {"executions": self.executions, **spent}
        partial = self.folder / "found.partial"
        partial.write_text(json.dumps({**values, "findings": list(self.found.values())}), encoding="utf-8")
        partial.replace(self.folder / FOUND)


if __name__ == "__main__":
    fuzz(sys.argv[1], float(sys.argv[2]), Path(sys.argv[3]))
