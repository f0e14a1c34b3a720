"""Outcomes as JSON and back: how answers lie in the store."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any

from strategies.contract import Abstention, Evidence, Failure, Outcome, Prediction, Usage

_TYPES: Mapping[str, type[Prediction] | type[Abstention] | type[Failure]] = {
    "prediction": Prediction,
    "abstention": Abstention,
    "failure": Failure,
}
_COMPACT = json.JSONEncoder(separators=(",", ":")).encode
"""Made once: `json.dumps` makes one for each text."""


def to_json(outcome: Outcome, seconds: Callable[[Usage], float] | None = None) -> str:
    """One line of JSON; usage is part of it, so a resumed run costs what it cost. `seconds` tells those of one."""
    name = next(name for name, kind in _TYPES.items() if isinstance(outcome, kind))
    said = {key: value for key, value in vars(outcome).items() if value is not False and value not in (None, (), "")}
    said |= {key: [vars(each) for each in said[key]] for key in ("evidence", "usage") if key in said}
    if seconds is not None and outcome.usage:
        said["usage"] = [{**vars(each), "seconds": seconds(each)} for each in outcome.usage]
    return _COMPACT({"type": name, **said})


def from_json(text: str) -> Outcome:
    values: dict[str, Any] = json.loads(text)
    kind = _TYPES[values.pop("type")]
    values["usage"] = tuple(Usage(**row) for row in values.get("usage", ()))
    if "evidence" in values:
        values["evidence"] = tuple(Evidence(**row) for row in values["evidence"])
    if kind is Prediction:
        values.setdefault("text", "")
    if kind is Abstention:
        values.setdefault("reason", "")
    if kind is Failure:
        values.setdefault("message", "")
    return kind(**values)


def text_of(outcome: Outcome) -> str:
    """The answer's text; empty where there was none."""
    return outcome.text if isinstance(outcome, Prediction) else ""
