"""Counts a task's cases, words and labels."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from strategies.contract import Case, Document
from strategies.words import count


@dataclass(frozen=True, kw_only=True)
class Lengths:
    """Words of the texts: the middle, the 95th percentile and the longest."""

    median: int
    p95: int
    longest: int


@dataclass(frozen=True, kw_only=True)
class Summary:
    """Counts and lengths of a task's data."""

    examples: int
    heldout: int
    documents: int
    input_words: Lengths
    output_words: Lengths
    document_words: Lengths | None
    labels: tuple[tuple[str, int, int], ...]
    """(label, examples, held-out cases), most frequent first; empty without labels."""


def summarise(
    examples: Sequence[Case], heldout: Sequence[Case], documents: Sequence[Document], labels: Sequence[str]
) -> Summary:
    """Counts cases, words and labels."""
    cases = [*examples, *heldout]
    ours, held = (Counter(case.output for case in part) for part in (examples, heldout))
    counted = ((label, ours[label], held[label]) for label in labels)
    return Summary(
        examples=len(examples),
        heldout=len(heldout),
        documents=len(documents),
        input_words=_lengths(case.input for case in cases),
        output_words=_lengths(case.output for case in cases),
        document_words=_lengths(document.text for document in documents) if documents else None,
        labels=tuple(sorted(counted, key=lambda one: (-one[1] - one[2], one[0]))),
    )


def _lengths(texts: Iterable[str]) -> Lengths:
    counts = sorted(count(text) for text in texts)
    if not counts:
        return Lengths(median=0, p95=0, longest=0)
    last = len(counts) - 1
    return Lengths(median=counts[last // 2], p95=counts[round(0.95 * last)], longest=counts[last])
