"""How long a person waits before anything is computed: `advisor --help`, and `advisor check` on ten thousand examples."""

from __future__ import annotations

import json
import random
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

from benchmarks.contract import BadInput
from benchmarks.studies.settings import ROOT
from benchmarks.studies.speed import measures
from benchmarks.studies.speed.measures import Measure

if TYPE_CHECKING:
    from benchmarks.studies.speed.turns import Turns

TABLE, TASK = "startup", "whole commands"
EXAMPLES, REPEATS = 10_000, 5
HELP, CHECK = "advisor --help", f"advisor check, {EXAMPLES:,} examples"
GOALS = {HELP: 0.3, CHECK: 1.0}
"""Seconds."""
WORDS_FROM = ROOT / "benchmarks" / "tasks" / "support-intents" / "examples.jsonl"
"""Messages whose words the ten thousand are made of, as often as they stand there."""


def measure(turns: Turns) -> None:
    found = measures.figures(measures.read(turns.rows), TABLE, TASK)
    if all(name in found and len(found[name].measures) >= REPEATS for name in GOALS):
        turns.say(f"{TABLE}: done before")
        return
    session = measures.session()
    with tempfile.TemporaryDirectory() as folder:
        commands = {HELP: ["--help"], CHECK: ["check", str(written(Path(folder)))]}
        for arguments in commands.values():
            seconds_of(arguments)
        for _ in range(REPEATS):
            for name, arguments in commands.items():
                kept = Measure(
                    table=TABLE,
                    task=TASK,
                    who=name,
                    session=session,
                    seconds=seconds_of(arguments),
                    amount=1,
                    unit="commands",
                )
                measures.add(kept, turns.rows)
                turns.say(f"{name}: {kept.seconds:.2f} s")


def seconds_of(arguments: list[str]) -> float:
    """Of the whole process. Raises `BadInput` where the command fails."""
    start = time.perf_counter()
    done = subprocess.run([sys.executable, "-m", "advisor", *arguments], cwd=ROOT, check=False, capture_output=True)
    if done.returncode:
        raise BadInput(f"advisor {arguments[0]} ended with exit code {done.returncode}.")
    return time.perf_counter() - start


def written(folder: Path) -> Path:
    """A spec beside so many short messages with ten labels, no two alike."""
    lines = WORDS_FROM.read_text(encoding="utf-8").splitlines()
    words = [word for line in lines for word in json.loads(line)["input"].split()]
    dice = random.Random(0)
    with (folder / "examples.jsonl").open("w", encoding="utf-8") as out:
        for number in range(EXAMPLES):
            text = f"{' '.join(dice.choices(words, k=12))} {number}"
            out.write(json.dumps({"input": text, "output": f"label {number % 10}"}) + "\n")
    spec = folder / "task.yaml"
    spec.write_text(
        "name: many\ninstruction: Name the topic.\nexamples: examples.jsonl\ntarget: 0.8\n", encoding="utf-8"
    )
    return spec
