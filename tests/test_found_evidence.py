"""How well the evidence was found: which cases count, and what counts as a document that a case names."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from benchmarks.contract import Benchmark, Candidate, Row
from benchmarks.found_evidence import retrieval_quality
from benchmarks.mistakes import search_or_reading
from benchmarks.plan import Options, units
from strategies.approaches.retrieval import Retrieval
from strategies.contract import Case, Document, Evidence, Prediction
from tests import tiny

BENCHMARK = tiny.benchmark("qa", examples=24, heldout=12)


def about(documents: Sequence[Document] = (), heldout: Sequence[Case] = ()) -> Benchmark:
    task = replace(BENCHMARK.task, documents=(*BENCHMARK.task.documents, *documents))
    return replace(BENCHMARK, task=task, heldout=(*heldout,) or BENCHMARK.heldout)


def row(case: Case, *found: str, end: int = 9) -> Row:
    """A wrong answer after so many passages."""
    evidence = tuple(Evidence(document_id=name, text="", score=1.0, end=end) for name in found)
    outcome = Prediction(text="wrong", evidence=evidence)
    return Row(candidate="c", purpose="heldout", key=case.id, outcome=outcome, score=0.0)


def test_a_case_that_names_no_document_that_there_is_says_nothing_about_the_search() -> None:
    """Several ids in one cell, say; the search seemed to miss what nobody could find, and was asked for it again."""
    first, second, third, *_ = BENCHMARK.heldout
    one, both = first.document_ids[0], f"{first.document_ids[0]}; {second.document_ids[0]}"
    cases = [first, replace(second, document_ids=(both,)), replace(third, document_ids=("gone", *third.document_ids))]
    rows = [row(case, one) for case in cases]
    found = retrieval_quality(about(heldout=cases), cases, rows)
    assert found is not None
    assert (found.cases, found.recall_at, found.missed, found.misread) == (2, {1: 0.5}, 1, 1)
    assert retrieval_quality(about(), cases[1:2], rows[1:2]) is None

    def planned(benchmark: Benchmark) -> bool:
        candidate = Candidate(name="any", strategy=Retrieval(), model="m")
        return any(unit.kind == "oracle" for unit in units(benchmark, candidate, Options(), ""))

    assert planned(about(heldout=cases))
    assert not planned(about(heldout=cases[1:2]))


def test_labels_that_rest_on_no_document_that_there_is_are_neither_missed_nor_misread() -> None:
    task = replace(BENCHMARK.task, kind="classification", labels=("4", "5"))
    answers = [[case.id, "x", 0.0, None, False] for case in task.examples]
    assert search_or_reading(task, answers, {}) == (24, 0)
    fold = replace(task.folds[0], train=(), selection=tuple(replace(c, document_ids=("gone",)) for c in task.examples))
    assert search_or_reading(replace(task, folds=(fold,)), answers, {}) is None
