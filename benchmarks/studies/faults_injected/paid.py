"""The same kills while a server is paid for its answers: nothing that was answered and written down is asked again."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from benchmarks.running.plan import Unit
from benchmarks.studies.faults_injected import kills, server
from benchmarks.studies.faults_injected.children import Tell
from benchmarks.studies.faults_injected.tiny_runs import Telling

ANEW = "latency"
"""Waiting times are measured anew by design, so its questions are counted apart."""


def prompting(task: Path, address: str) -> kills.Work:
    """Of a run folder, prompting on the server, one request at a time."""

    def work(folder: Path) -> Callable[[Tell], int]:
        def perform(tell: Tell) -> int:
            from advisor.experiments.comparison import Wishes, execute, prepare

            def begun(unit: Unit) -> None:
                server.get(f"{address}/unit/{unit.kind}")

            wishes = Wishes(approaches=("prompting",), effort="quick")
            execute(prepare(task, wishes), folder, Telling(tell, begun))
            return 0

        return perform

    return work


def write_task(desk: Path, address: str, embedder: Path) -> Path:
    from tests import desk as person
    from tests import tiny
    from tests.conftest import Folders

    prices = "input_per_million: 1, output_per_million: 2"
    models = f"models: [{{name: hosted, model: m, endpoint: '{address}/v1', concurrency: 1, {prices}}}]"
    folders = Folders(language=embedder, embedder=embedder)
    return person.write_task(desk, folders, models, "kind: qa", cases=tiny.messages(40))


def attempt(
    work: kills.Work, whole: tuple[kills.Whole, Counter[tuple[str, str]]], where: tuple[Path, str], seed: int
) -> Iterator[dict[str, Any]]:
    """The rows of `kills.attempt`; that of the end says how many questions were asked, and how many once more."""
    place, address = where
    server.get(f"{address}/forget")
    for row in kills.attempt(work, whole[0], place, seed):
        yield {**row, **_calls(whole[1], server.asked(address))} if row["end"] else row


def _calls(wanted: Counter[tuple[str, str]], found: Counter[tuple[str, str]]) -> dict[str, Any]:
    more = found - wanted
    return {
        "calls": found.total(),
        "asked_again": sum(count for (kind, _), count in more.items() if kind != ANEW),
        "measured_anew": sum(count for (kind, _), count in more.items() if kind == ANEW),
        "not_asked": (wanted - found).total(),
    }
