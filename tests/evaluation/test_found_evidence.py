"""How well the evidence was found: which cases count, and what counts as a document that a case names."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from benchmarks.contract import Benchmark, Candidate, Row
from benchmarks.costs.hosted import answers_after_fit
from benchmarks.evaluation.found_evidence import retrieval_quality, searches
from benchmarks.evaluation.mistakes import search_or_reading
from benchmarks.probes.gold import GoldIndex, gold
from benchmarks.running.plan import Further, Options, units
from strategies.approaches.retrieval import Retrieval
from strategies.contract import Case, Document, Evidence, Prediction
from strategies.prompting.demonstrations import founded
from strategies.retrieval.index import PassageIndex
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


def test_wrong_answers_to_questions_of_one_group_are_counted_as_one_group() -> None:
    grouped = [replace(case, group=group) for case, group in zip(BENCHMARK.heldout[:4], "aabb", strict=True)]
    one = grouped[0].document_ids[0]
    assert all(one not in case.document_ids for case in grouped[2:])
    rows = [row(case, *(case.document_ids if case.group == "a" else (one,))) for case in grouped]
    found = retrieval_quality(about(heldout=grouped), grouped, rows)
    assert found is not None
    assert found.missed_by_group == ((0, 2), (2, 2))
    noted = retrieval_quality(about(heldout=grouped), grouped, rows, [(grouped[0], True), (grouped[1], False)])
    assert noted is not None
    assert (noted.missed, noted.misread, noted.missed_by_group) == (1, 1, ((1, 2),))
    alone = retrieval_quality(about(), BENCHMARK.heldout[:2], rows[:2])
    assert alone is not None
    assert alone.missed_by_group == (), "each stands alone"


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

    candidate = Candidate(name="any", strategy=Retrieval(), model="m")

    def planned(benchmark: Benchmark) -> bool:
        return any(unit.kind == "oracle" for unit in units(benchmark, candidate, Options(), ""))

    assert planned(about(heldout=cases))
    assert not planned(about(heldout=cases[1:2]))
    alone = Options(probes=False)
    assert {unit.kind for unit in units(about(heldout=cases), candidate, alone, "")} == {"fit", "answer"}, "no checks"
    assert answers_after_fit(about(heldout=cases), candidate, alone, Further()) == len(cases)


def test_labels_that_rest_on_no_document_that_there_is_are_neither_missed_nor_misread() -> None:
    task = replace(BENCHMARK.task, kind="classification", labels=("4", "5"))
    answers = [[case.id, "x", 0.0, None, False] for case in task.examples]
    assert [missed for _, missed in search_or_reading(task, answers, {}) or ()] == [True] * 24
    fold = replace(task.folds[0], train=(), selection=tuple(replace(c, document_ids=("gone",)) for c in task.examples))
    assert search_or_reading(replace(task, folds=(fold,)), answers, {}) is None


def test_a_copy_of_the_document_under_another_id_is_the_document() -> None:
    """Each question came with its own context, so that one text stands under several ids; the search seemed to fail."""
    case = BENCHMARK.heldout[0]
    original = next(each for each in BENCHMARK.task.documents if each.id == case.document_ids[0])
    documents = [replace(original, id="again"), replace(original, id="other", title="Another room")]
    other = BENCHMARK.heldout[1].document_ids[0]
    for names, recall in (((other, "again"), {1: 0.0}), (("again", other), {1: 1.0}), (("other",), {1: 0.0})):
        found = retrieval_quality(about(documents), [case], [row(case, *names)])
        assert found is not None
        assert found.recall_at == recall
        assert found.mrr == (1.0 if names[0] == "again" else 0.5 if "again" in names else 0.0)


def test_an_example_is_no_document_that_has_its_id() -> None:
    """Rows of two exported tables are numbered from 1 both; an approach that shows examples seemed to search documents."""
    case = BENCHMARK.heldout[0]
    shared = Document(id=BENCHMARK.task.examples[0].id, text="Room Void has no seats.")
    benchmark, asked = about([shared]), [replace(case, document_ids=(shared.id,))]
    assert retrieval_quality(benchmark, asked, [row(case, shared.id, end=0)]) is None
    assert [searches(benchmark.task, [row(case, shared.id, end=end)]) for end in (0, 9)] == [False, True]
    found = retrieval_quality(benchmark, asked, [row(case, shared.id)])
    assert found is not None
    assert found.recall_at == {1: 1.0}


def test_of_several_gold_documents_each_is_handed_over() -> None:
    """The passages of a long one were handed over alone, so that what they say together could not be answered."""
    film = " ".join(
        f"The film Lumen was shot in {year} by Ana Ruiz in the old harbour town." for year in range(1990, 2030)
    )
    documents = [Document(id="film", text=film), Document(id="person", text="Ana Ruiz was born in Porto.")]
    index = PassageIndex.build(documents, tiny.WordHashes(), 40)
    asked = "Was the film Lumen shot by a person born in Porto?"
    case = Case(id="q", input=asked, output="yes", document_ids=("film", "person"))
    passages = gold(case, index, founded(BENCHMARK.task, index.named))
    handed = {k: [one.document_id for one in GoldIndex({asked: passages}).search([asked], k)[0]] for k in (1, 3)}
    assert {k: sorted(names[:2]) for k, names in handed.items()} == {1: ["film", "person"], 3: ["film", "person"]}
    assert [len(names) for names in handed.values()] == [2, 3]
    first, *_ = gold(replace(case, output="Porto"), index, founded(BENCHMARK.task, index.named))
    assert first.document_id == "person", "which holds the answer"
