"""The evidence that approaches had for a case, with what several of them were shown put together."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from advisor.contract import Quote, ShownPassage
from benchmarks.contract import Benchmark
from benchmarks.evaluation.grounding import is_example
from strategies.contract import Case, Document, Evidence, Failure, Outcome
from strategies.prompting.demonstrations import Shown, names
from strategies.prompting.rendering import label_cases
from strategies.retrieval.chunking import fronts
from strategies.retrieval.named import Named

PASSAGE = 500
"""Characters of a piece of evidence that are shown."""
PASSAGES = 6
"""Pieces of evidence of one case that are shown."""


@dataclass(frozen=True, kw_only=True)
class Had:
    """One approach had this piece of evidence, as the so-maniest that was found."""

    approach: str
    rank: int
    item: Evidence


@dataclass(frozen=True, kw_only=True)
class Archive:
    """What evidence is taken from: the documents of a task, its examples, and its labels as examples of themselves."""

    documents: Mapping[str, Document]
    examples: Mapping[str, Case]
    named: Named

    @classmethod
    def of(cls, benchmark: Benchmark) -> Archive:
        task = benchmark.task
        return cls(
            documents={document.id: document for document in task.documents},
            examples={case.id: case for case in (*label_cases(task.labels), *task.examples)},
            named=Named(task.documents),
        )

    def shown(self, case: Case, outcomes: Mapping[str, Outcome]) -> dict[str, Any]:
        """The fields of a `ShownCase` about evidence. At most `PASSAGES` of it: first what answers were read from, then what
        holds the answer, then in the order in which it was found."""
        found: dict[tuple[str, str, bool], list[Had]] = {}
        for name, outcome in outcomes.items():
            for rank, item in enumerate(_evidence(outcome)):
                what = item.document_id, item.text, is_example(item, self.examples)
                found.setdefault(what, []).append(Had(approach=name, rank=rank, item=item))
        pieces = [(min(one.rank for one in had), self._passage(had, case)) for had in found.values()]
        pieces.sort(key=lambda ranked: (not ranked[1].quotes, not ranked[1].gold, ranked[0]))
        return {
            "passages": tuple(passage for _, passage in pieces[:PASSAGES]),
            "passages_left_out": max(0, len(pieces) - PASSAGES),
            "gold": case.document_ids,
            "gold_missed": self._missed(case, outcomes),
        }

    def _missed(self, case: Case, outcomes: Mapping[str, Outcome]) -> tuple[str, ...]:
        """Those that looked things up and were not shown a document that the case names, or a copy; none where there is none."""
        if not self.named.known(case):
            return ()
        looked_up = {name: [*filter(self._document, _evidence(outcome))] for name, outcome in outcomes.items()}
        return tuple(
            name for name, found in looked_up.items() if found and not names(self.named, Shown(case, (*found,)))
        )

    def _document(self, item: Evidence) -> Document | None:
        return None if is_example(item, self.examples) else self.documents.get(item.document_id)

    def _passage(self, had: Sequence[Had], case: Case) -> ShownPassage:
        item = had[0].item
        document = self._document(item)
        example = None if document else self.examples.get(item.document_id)
        text = item.text or (document.text[item.start : item.end] if document else example.input if example else "")
        quotes = _quotes(had, document)
        whole = next((one.item for one in had if one.item.end and _is_whole(one.item, document)), None)
        return ShownPassage(
            id=item.document_id,
            where=_where(whole) if whole else "",
            **_shortened(*_parted(text, document, quotes)),
            answer=example.output[:PASSAGE] if example else "",
            gold=example is None and self.named.is_of(case, item.document_id),
            approaches=tuple(one.approach for one in had),
            quotes=tuple(
                Quote(
                    text=document.text[quote.start : quote.end] if document else "",
                    where=_where(quote),
                    approaches=names,
                )
                for quote, names in quotes.items()
            ),
        )


def _evidence(outcome: Outcome) -> tuple[Evidence, ...]:
    return () if isinstance(outcome, Failure) else outcome.evidence


def _where(item: Evidence) -> str:
    return f"characters {item.start:,} to {item.end:,}"


def _is_whole(item: Evidence, document: Document | None) -> bool:
    """Whether `start` and `end` are those of the passage; they are those of a quote where the answer was read off."""
    if document is None or not item.text:
        return True
    text = document.text[item.start : item.end]
    return item.text.endswith(text) and any(
        item.text == front + text for front in fronts(document, item.start, item.start)
    )


def _quotes(had: Sequence[Had], document: Document | None) -> dict[Evidence, tuple[str, ...]]:
    found: dict[Evidence, tuple[str, ...]] = {}
    for one in had:
        if document is not None and document.text and one.item.end and not _is_whole(one.item, document):
            quote = replace(one.item, score=0.0)
            found[quote] = (*found.get(quote, ()), one.approach)
    return found


def _parted(text: str, document: Document | None, quotes: Mapping[Evidence, Any]) -> tuple[str, str, str]:
    """The passage before, in and after its first quote."""
    if document is None or not quotes:
        return text, "", ""
    item = next(iter(quotes))
    found = ((begins, body) for begins, body in _bodies(text, document, item) if begins >= 0)
    begins, body = next(found, (-1, ""))
    if begins < 0:
        return text, "", ""
    place = len(text) - len(body) + item.start - begins
    quote = document.text[item.start : item.end]
    return text[:place], quote, text[place + len(quote) :]


def _bodies(text: str, document: Document, item: Evidence) -> Iterator[tuple[int, str]]:
    """(where in the document it stands, or -1; the passage without what may be in front of it), the quote being in it."""
    for front in fronts(document, max(0, item.end - len(text)), item.start):
        if text.startswith(front):
            body = text[len(front) :]
            yield document.text.find(body, max(0, item.end - len(body)), item.start + len(body)), body


def _shortened(before: str, quote: str, after: str) -> dict[str, Any]:
    """At most `PASSAGE` characters around the quote, or from the beginning where nothing is quoted."""
    quoted = quote[:PASSAGE]
    room = PASSAGE - len(quoted)
    ahead = min(len(before), max(room // 2, room - len(after)) if quoted else room)
    behind = min(len(after), room - ahead)
    left_out = len(before) - ahead + len(quote) - len(quoted) + len(after) - behind
    start = before[len(before) - ahead :] if quoted else before[:ahead]
    start = f"\u2026{start}" if quoted and ahead < len(before) else start
    return {"before": start, "quote": quoted, "after": after[:behind], "left_out": left_out}
