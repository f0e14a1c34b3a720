"""Chooses how passages are searched and shown, by how often what examples' answers rest on is found; no model is asked."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from strategies.contract import Case, Evidence
from strategies.pipeline import Setup
from strategies.prompting.demonstrations import Shown, drawn
from strategies.retrieval.chunking import PASSAGE_WORDS, WHOLE_WORDS
from strategies.retrieval.index import Mode, PassageIndex
from strategies.retrieval.timed import recorded
from strategies.selection import PipelineBuilder

MODES: tuple[Mode, ...] = ("hybrid", "dense")
CASES, PASSAGES = 150, 2
"""Examples and passages by which the way to search is chosen."""
PARTS = 5
"""Parts of these, each of which is searched with what the other examples taught."""
WORTH, LEAST = 0.02, 3
"""Of the examples so many more, and at least so many, have to rest on the first document, shown whole, than on the first passage;
those not counted that it would bring by chance, since a longer text holds any answer more often. An adapter has to bring as many
right passages more at least, the first and those among the first two together."""


def modes(builder: PipelineBuilder) -> Sequence[Mode]:
    """The way to search that finds what an answer rests on most often among the first passages. All of them where none finds any
    of it, as where examples of labels name no documents: then answers have to decide.

    The builder notes for which share of the examples each way found it first, and among the first two.
    """
    index = builder.indexes.of()
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


def way(builder: PipelineBuilder) -> Setup:
    """One passage of the usual length, as it is searched where no answers are asked: with an adapter where that finds more."""
    mode = modes(builder)[0]
    return moved(builder, [Setup(passages=1, mode=mode)], mode)[0]


def suited(builder: PipelineBuilder, setups: Sequence[Setup], mode: Mode) -> Sequence[Setup]:
    """The setups, `widened` where what answers rest on stands more often in the first document than in the first passage."""
    index = builder.indexes.of()
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


def moved(builder: PipelineBuilder, setups: Sequence[Setup], mode: Mode) -> Sequence[Setup]:
    """The setups, with an adapter for questions where more is found with it: each part of the examples is asked with what the
    others taught, and what belongs together is in one part."""
    index = builder.indexes.of()
    if index is None or not any(setup.passages for setup in setups):
        return setups
    ways = (mode, *(other for other in MODES if other != mode))
    parts, plain, with_it = _parts(builder), [0, 0], {way: [0, 0] for way in ways}
    adapters = [builder.indexes.adapter(others) for _, others in parts]
    if any(each is None for each in adapters):
        return setups
    with recorded(builder.bench, "search", ("adapted", ways)):
        for (part, _), adapter in zip(parts, adapters, strict=True):
            _count(builder, index, part, mode, plain)
            for way in ways:
                _count(builder, index.adapted(adapter), part, way, with_it[way])
    best = max(ways, key=lambda way: sum(with_it[way]))
    if sum(with_it[best]) < sum(plain) + LEAST:
        return setups
    asked = sum(len(part) for part, _ in parts)
    builder.noted["found_adapted"] = {"examples": asked, "mode": best, "shares": _shares(with_it[best], asked)}
    return [replace(one, mode=best, adapted=True) if one.passages else one for one in setups]


def _parts(builder: PipelineBuilder) -> list[tuple[list[Case], list[Case]]]:
    """Of the examples by which the way to search is chosen, parts of whole groups; with each all examples of other groups."""
    cases, _ = _asked(builder)
    groups = list(dict.fromkeys(_group(case) for case in cases))
    dealt = [frozenset(groups[place::PARTS]) for place in range(PARTS)]
    examples = builder.task.examples
    return [
        ([case for case in cases if _group(case) in own], [case for case in examples if _group(case) not in own])
        for own in dealt
    ]


def _group(case: Case) -> str:
    return case.group or case.id


def _count(builder: PipelineBuilder, index: PassageIndex, cases: Sequence[Case], mode: Mode, sums: list[int]) -> None:
    """Adds for how many of them what they rest on is first, and among the first two."""
    rows = index.search([case.input for case in cases], PASSAGES, mode)
    for place, found in enumerate(([row[:1] for row in rows], rows)):
        sums[place] += _hits(builder, cases, found)


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
    return sum(map(builder.indexes.tell, map(Shown, cases, found)))
