"""Names the held-out cases with their metric by a hash, taken before anything runs."""

from __future__ import annotations

import dataclasses
import hashlib
import json
from collections.abc import Mapping, Sequence
from typing import Any

from benchmarks.contract import Metric
from strategies.contract import Case


def fingerprint(heldout: Sequence[Case], metric: Metric) -> str:
    """SHA-256 (hex) over the held-out cases in order and over the metric with its parameters."""
    digest = hashlib.sha256()
    digest.update(_canonical({"metric": metric.name, "parameters": _fields(metric)}))
    for case in heldout:
        digest.update(b"\n" + canonical(case))
    return digest.hexdigest()


def canonical(case: Case) -> bytes:
    """All that a metric may be told of it, the same for the same case."""
    return _canonical(_fields(case))


def _fields(value: Any) -> Mapping[str, Any]:
    """The compared fields of a frozen dataclass: switches and folders, which change no score, are left out."""
    if not dataclasses.is_dataclass(value):
        return {}
    return {one.name: getattr(value, one.name) for one in dataclasses.fields(value) if one.compare}


def _canonical(value: Mapping[str, Any]) -> bytes:
    plain = json.dumps(value, sort_keys=True, ensure_ascii=False, default=_plain, separators=(",", ":"))
    return plain.encode("utf-8", "surrogatepass")


def _plain(value: Any) -> Any:
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return _fields(value)
    if isinstance(value, Mapping):
        return dict(value)
    if isinstance(value, set | frozenset):
        return sorted(value)
    return str(value)
