"""Chooses how passages are searched and shown, by how often what examples' answers rest on is found; no model is asked."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from strategies.contract import Case, Evidence
from strategies.pipeline import Setup
from strategies.prompting.demonstrations import Shown, drawn
from strategies.retrieval.chunking import PASSAGE_WORDS, WHOLE_WORDS
from strategies.retrieval.index import Mode
from strategies.retrieval.timed import recorded
from strategies.selection import PipelineBuilder

MODES: tuple[Mode, ...] = ("hybrid", "dense")
CASES, PASSAGES = 150, 2
"""Examples and passages by which the way to search is chosen."""
WORTH, LEAST = 0.02, 3
"""Of the examples so many more, and at least so many, have to rest on the first document, shown whole, than on the first passage;
those not counted that it would bring by chance, since a longer text holds any answer more often."""


def modes(builder: PipelineBuilder) -> Sequence[Mode]:
    """The way to search that finds what an answer rests on most often among the first passages. All of them where none finds any
    of it, as where examples of labels name no documents: then answers have to decide.

    The builder notes for which share of the examples each way found it first, and among the first two.
    """
    index = builder.index()
    if index is None:
        return MODES[:1]
    cases, texts = _asked(builder)
    known: tuple[Mode, ...] = MODES if builder.bench.reranker is None else (*MODES, "reranked")
    with recorded(builder.bench, "search", known):
        found = {mode: index.search(texts, PASSAGES, mode) for mode in known}
    firsts = {mode: [row[:1] for row in rows] for mode, rows in found.items()}  # Small readers are mostly shown one.
    hits = {mode: [_hits(builder, cases, rows[mode]) for rows in (firsts, found)] for mode in known}
    if not any(map(sum, hits.values())):
        return known
    shares = {mode: _shares(row, len(cases)) for mode, row in hits.items()}
    builder.noted["found"] = {"examples": len(cases), "shares": shares}
    return [max(known, key=lambda mode: sum(hits[mode]))]


def suited(builder: PipelineBuilder, setups: Sequence[Setup], mode: Mode) -> Sequence[Setup]:
    """The setups, `widened` where what answers rest on stands more often in the first document than in the first passage."""
    index = builder.index()
    if index is None:
        return setups
    cases, texts = _asked(builder)
    with recorded(builder.bench, "search", ("whole", mode)):
        found = [one.search(texts, 1, mode) for one in (index, index.widened(WHOLE_WORDS))]
    passages, documents = (_hits(builder, cases, rows) for rows in found)
    chance = [_hits(builder, _exchanged(cases), rows) for rows in found]
    if documents > passages:
        passage, whole = _shares((passages, documents), len(cases))
        builder.noted["found_whole"] = {"examples": len(cases), "passage": passage, "whole": whole}
    gain = documents - passages - (chance[1] - chance[0])
    return widened(setups) if gain >= max(LEAST, WORTH * len(cases)) else setups


def widened(setups: Sequence[Setup]) -> Sequence[Setup]:
    """Those that show passages of the usual length with short documents whole."""
    usual = [setup.passages > 0 and setup.passage_words == PASSAGE_WORDS for setup in setups]
    return [replace(one, whole_words=WHOLE_WORDS) if wide else one for one, wide in zip(setups, usual, strict=True)]


def _asked(builder: PipelineBuilder) -> tuple[Sequence[Case], list[str]]:
    cases = drawn(builder.task.examples, builder.bench.seed)[:CASES]
    return cases, [case.input for case in cases]


def _exchanged(cases: Sequence[Case]) -> list[Case]:
    """Each with the answers of the next, so that what rests on its passages does so by chance."""
    others = [*cases[1:], *cases[:1]]
    return [replace(case, output=one.output, answers=one.answers) for case, one in zip(cases, others, strict=True)]


def _shares(hits: Sequence[int], count: int) -> list[float]:
    return [round(each / count, 4) for each in hits]


def _hits(builder: PipelineBuilder, cases: Sequence[Case], found: Sequence[tuple[Evidence, ...]]) -> int:
    return sum(map(builder.tell, map(Shown, cases, found)))
