"""Passages of the documents that a case names, handed over in the place of what a search finds: a diagnostic, never ranked."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from strategies.answers import trimmed
from strategies.contract import Case, Document, Evidence, Query
from strategies.prompting.demonstrations import Founded, Shown, founded
from strategies.retrieval.index import Finder, Mode, PassageIndex, named_by
from strategies.retrieval.named import Named
from strategies.sources import Sources

if TYPE_CHECKING:
    from strategies.pipeline import Pipeline


@dataclass(frozen=True)
class GoldIndex:
    """Stands in for a passage index and finds the gold passages: only the benchmark's side can make one.

    It finds one of each document at least, however few are asked for: an answer may take all that a case names. For texts
    without any, such as the questions of demonstrations, it is the index that it stands in for.
    """

    passages: Mapping[str, tuple[Evidence, ...]]
    index: Finder | None = None

    @property
    def named(self) -> Named:
        """The documents of `index`."""
        return named_by(self.index)

    def search(self, texts: Sequence[str], k: int, mode: Mode = "hybrid") -> list[tuple[Evidence, ...]]:
        others = [text for text in texts if text not in self.passages]
        found = dict(zip(others, self.index.search(others, k, mode) if self.index else (), strict=False))
        return [self._first(asked, k) if asked in self.passages else found.get(asked, ()) for asked in texts]

    def _first(self, asked: str, k: int) -> tuple[Evidence, ...]:
        passages = self.passages[asked]
        return passages[: max(k, len({passage.document_id for passage in passages}))]


def naming(cases: Sequence[Case], documents: Sequence[Document]) -> list[Case]:
    """The cases that name a document that there is: only for these is anything to be found, or to be handed over."""
    named = Named(documents)
    return [case for case in cases if named.known(case)]


def gold(case: Case, index: PassageIndex, tell: Founded) -> tuple[Evidence, ...]:
    """Passages of the case's own documents, one of each before a second one: those that its answer rests on first, and of these
    the nearest to what is asked."""
    found = index.passages_of(case.document_ids, case.input)
    found.sort(key=lambda passage: not tell(Shown(case, (passage,))))
    first: dict[str, Evidence] = {}
    for passage in found:
        first.setdefault(passage.document_id, passage)
    return (*first.values(), *(passage for passage in found if passage is not first[passage.document_id]))


def with_gold(fitted: Pipeline, cases: Sequence[Case], index: PassageIndex) -> Pipeline:
    """The artifact that is shown the gold passages of these cases; `index` holds them. It shows one passage at least."""
    tell, known = founded(fitted.task, index.named), fitted.sources
    passages = {trimmed(fitted.model, Query.of(case.input))[0]: gold(case, index, tell) for case in cases}
    return replace(
        fitted,
        setup=replace(fitted.setup, passages=max(1, fitted.setup.passages)),
        sources=Sources(known.cases, known.embedder, GoldIndex(passages, known.index)),
    )
