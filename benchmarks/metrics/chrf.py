"""chrF: shared runs of letters, for texts whose words may be inflected."""

from __future__ import annotations

import unicodedata
from dataclasses import dataclass
from typing import ClassVar

from sacrebleu.metrics.chrf import CHRF

from benchmarks.metrics._base import Example, OfCases
from benchmarks.metrics._words import best
from strategies.contract import Case, Kind


@dataclass(frozen=True, kw_only=True)
class Chrf(OfCases):
    """Sentence chrF as sacrebleu computes it (letter runs up to 6, recall weighted twofold), divided by 100.

    The best over the accepted answers counts. Source: Popovic, 2015. A copy of the input can score high where the task
    is a rewriting, so read it beside a metric that checks what was asked.
    """

    name: ClassVar[str] = "chrf"
    kinds: ClassVar[frozenset[Kind]] = frozenset({"generation"})
    graded: ClassVar[bool] = True

    def score(self, case: Case, text: str) -> float:
        written = unicodedata.normalize("NFC", text)
        return best(case, lambda accepted: _chrf(accepted, written))


def _chrf(accepted: str, text: str) -> float:
    if accepted.strip() == text.strip():
        return 1.0
    return min(1.0, max(0.0, float(CHRF().sentence_score(text, [accepted]).score) / 100))


METRIC = Chrf
EXAMPLE: Example = ({}, Case(id="1", input="tar: list", output="List the contents of an archive without unpacking it."))
