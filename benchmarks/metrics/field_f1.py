"""Field F1: how many fields of a JSON object came out right."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

from benchmarks.contract import ScoreFailure
from benchmarks.metrics import _json
from benchmarks.metrics._base import Example, OfCases
from benchmarks.metrics._words import best
from strategies.contract import Case, Kind


@dataclass(frozen=True, kw_only=True)
class FieldF1(OfCases):
    """Micro-F1 over the leaves (path, value) of the JSON of one case, the best over the accepted answers.

    Strings are compared in normal form, numbers by value; "12" is not 12, and null is a value. List items are named by
    position, so their order counts. One code fence around the JSON is tolerated; what cannot be parsed scores 0.
    Errors: ScoreFailure where no accepted answer of the case is a JSON object or array.
    """

    name: ClassVar[str] = "field_f1"
    kinds: ClassVar[frozenset[Kind]] = frozenset({"extraction"})
    graded: ClassVar[bool] = True

    def score(self, case: Case, text: str) -> float:
        if not any(_json.read(accepted) for accepted in case.accepted):
            raise ScoreFailure(
                f"Case {case.id} has no accepted answer that is a JSON object or array, which field_f1 compares. "
                "Write its output as JSON, or choose another metric."
            )
        given = _json.read(text)
        if given is None:
            return 0.0
        found = dict(_json.leaves(given.value))
        return best(case, lambda accepted: _f1(accepted, found))


def _f1(accepted: str, found: Mapping[tuple[str | int, ...], object]) -> float:
    parsed = _json.read(accepted)
    if parsed is None:
        return 0.0
    wanted = dict(_json.leaves(parsed.value))
    return 2 * len(wanted.items() & found.items()) / (len(wanted) + len(found))


METRIC = FieldF1
EXAMPLE: Example = (
    {},
    Case(id="1", input="12 reams of A4 for Mrs Okafor", output='{"item": "A4 paper", "quantity": 12, "for": "Okafor"}'),
)
