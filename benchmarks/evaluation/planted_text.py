"""What planted text did to one candidate, from its stored rows, and why nothing is known of its passages where nothing is."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from benchmarks.contract import Benchmark, Row
from benchmarks.evaluation.found_evidence import searches
from benchmarks.probes.planted import followed, why_unplanted
from benchmarks.running.left import kinds_left
from benchmarks.storage.store import Store


def planted(benchmark: Benchmark, candidate: str, store: Store, before: Mapping[str, Row]) -> dict[str, Any]:
    """`planted` and `unplanted` of its evaluation. `before`: its answers without planted text."""
    asked = list(store.rows(candidate, "planted"))
    settled = bool(asked) and "planted" not in kinds_left(store, candidate)
    settled = settled and searches(benchmark.task, list(before.values()))
    return {
        "planted": followed(benchmark, asked, before),
        "unplanted": why_unplanted(asked) if settled else "",
    }
