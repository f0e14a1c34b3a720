"""How well the evidence was found, apart from the answers, and what answers would be worth with the right documents."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from benchmarks.checked import OfNamed, RetrievalQuality
from benchmarks.contract import Benchmark, Row
from benchmarks.evaluation.grounding import is_example
from benchmarks.evaluation.mistakes import RIGHT, StandingAnswers, search_or_reading
from benchmarks.metrics._words import plain
from benchmarks.probes.gold import naming
from benchmarks.probes.handed import handed
from benchmarks.statistics.counted import by_group
from strategies.contract import Case, Document, Prediction, Task
from strategies.retrieval.named import Named

RECALL_AT = (1, 3, 5)


def failing(task: Task, notes: Mapping[str, Mapping[str, Any]]) -> list[tuple[Case, bool]] | None:
    """The cases of wrong selection answers, each with whether it lacked the right passage; None where nobody knows."""
    return search_or_reading(task, notes.get("fit", {}).get("selection_answers", ()), handed(notes.get("handed", {})))


def retrieval_quality(
    benchmark: Benchmark, cases: Sequence[Case], rows: Sequence[Row], found_wrong: Sequence[tuple[Case, bool]] | None = None
) -> RetrievalQuality | None:
    """Recall@k and mean reciprocal rank of the gold documents among the evidence shown, by document; None where none of it
    is of a document, as with approaches that show examples. Cases that name no document that there is are left out, and a copy
    of a gold document counts as that. `found_wrong`: what is known of wrong selection answers."""
    task, named = benchmark.task, Named(benchmark.task.documents)
    found_in = _documents_shown(task)
    ranks: list[int | None] = []
    unfound: list[tuple[Case, bool]] = []
    shown = 0
    for case, row in zip(cases, rows, strict=True):
        found = found_in(row)
        if not named.known(case) or not found:
            continue
        shown = max(shown, len(found))
        ranks.append(next((place + 1 for place, name in enumerate(found) if named.is_of(case, name)), None))
        if row.score < RIGHT:
            unfound.append((case, ranks[-1] is None))
    if not ranks:
        return None
    wrong = unfound if found_wrong is None else found_wrong
    missed = [lacking for _, lacking in wrong]
    return RetrievalQuality(
        cases=len(ranks),
        recall_at={
            k: sum(rank is not None and rank <= k for rank in ranks) / len(ranks) for k in RECALL_AT if k <= shown
        },
        mrr=sum(1 / rank for rank in ranks if rank) / len(ranks),
        missed=missed.count(True),
        misread=missed.count(False),
        on_selection=found_wrong is not None,
        missed_by_group=by_group([case for case, _ in wrong], missed),
    )


def searches(task: Task, rows: Sequence[Row]) -> bool:
    """Whether any of the evidence shown is of a document."""
    return any(map(_documents_shown(task), rows))


def _documents_shown(task: Task) -> Callable[[Row], list[str]]:
    """Gives the ids of the documents of which a row shows passages, in their order."""
    documents, examples = {document.id for document in task.documents}, {case.id for case in task.examples}

    def shown(row: Row) -> list[str]:
        evidence = row.outcome.evidence if isinstance(row.outcome, Prediction) else ()
        passages = (item for item in evidence if not is_example(item, examples))
        return [item.document_id for item in passages if item.document_id in documents]

    return shown


def oracle(
    documents: Sequence[Document], cases: Sequence[Case], rows: Sequence[Row], with_gold: Sequence[Row]
) -> float | None:
    """About the score over all held-out cases if those that name a document that there is were given it: its own, and what the
    gold documents bring on the cases that were asked with them, for the share of cases that have some."""
    own, known = {row.key: row.score for row in rows}, naming(cases, documents)
    gain = _gain(own, known, with_gold)
    return None if gain is None else _share(sum(own.values()) / len(own) + len(known) / len(cases) * gain)


def oracle_named(task: Task, cases: Sequence[Case], rows: Sequence[Row], with_gold: Sequence[Row]) -> OfNamed | None:
    """The same over the cases that name a document that there is; None where all others have a key that says that there is no
    answer, so that nothing is to be found for them."""
    own, known = {row.key: row.score for row in rows}, naming(cases, task.documents)
    gain = _gain(own, known, with_gold)
    if gain is None or len(known) == len(cases):
        return None
    named, refusals = {case.id for case in known}, StandingAnswers.of(task).texts
    if not any(refusals.isdisjoint(map(plain, case.accepted)) for case in cases if case.id not in named):
        return None
    alone = sum(own[case.id] for case in known) / len(known)
    return OfNamed(cases=len(known), own=alone, given=_share(alone + gain))


def _gain(own: Mapping[str, float], known: Sequence[Case], with_gold: Sequence[Row]) -> float | None:
    """Mean rise of the score of these cases with their documents; None where none of them was asked."""
    named = {case.id for case in known}
    gains = [row.score - own[row.key] for row in with_gold if row.key in own.keys() & named]
    return sum(gains) / len(gains) if gains else None


def _share(value: float) -> float:
    return min(1.0, max(0.0, value))
