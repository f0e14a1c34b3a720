"""Facts in weights: which questions are told apart, that no document is shown for any, and how it is told."""

from __future__ import annotations

from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest

from benchmarks.checked import Counted
from benchmarks.contract import Benchmark, Candidate, Row
from benchmarks.evaluation.stored import evaluations, rescored
from benchmarks.metrics import load as load_metric
from benchmarks.probes.by_heart import CASES, Questions, by_heart
from benchmarks.running.plan import Options, units
from benchmarks.running.run import Run
from benchmarks.storage.store import Store
from strategies.approaches.lora import Lora
from strategies.approaches.lora_retrieval import LoraRetrieval
from strategies.approaches.prompting import Prompting
from strategies.contract import Case, Document, Prediction
from strategies.finetuning.apart import kept_apart
from tests import killed, tiny
from tests.situations import SITUATIONS


def about(known: tuple[Case, ...], asked: tuple[Case, ...]) -> Benchmark:
    bare = tiny.benchmark("qa")
    fold = replace(bare.task.folds[0], train=known, selection=())
    return replace(bare, task=replace(bare.task, folds=(fold,)), heldout=asked)


def asking(name: str, answer: str, document: str, *others: str) -> Case:
    return Case(id=name, input=f"{name}?", output=answer, answers=others, document_ids=(document,))


def test_a_fact_is_told_by_its_document_and_its_answer() -> None:
    known = (asking("e1", "Thirty days", "d1"), asking("e2", "12", "d2"))
    asked = (
        asking("other words", "thirty days.", "d1"),
        asking("one of several answers", "a month", "d1", "thirty days"),
        asking("another fact of the document", "5", "d1"),
        asking("the same answer elsewhere", "12", "d3"),
        replace(asking("from nowhere", "12", "d2"), document_ids=()),
    )
    found = Questions.of(about(known, asked), 0)
    assert {case.id for case in found.taught} == {"e1", "e2"}
    assert {case.id for case in found.rephrased} == {"other words", "one of several answers"}
    assert {case.id for case in found.untold} == {"another fact of the document", "the same answer elsewhere"}


def test_a_fact_that_an_example_told_from_a_copy_of_the_document_is_told() -> None:
    benchmark = about((asking("e1", "12", "d1"),), (asking("asked", "12", "d2"), asking("elsewhere", "12", "d3")))
    documents = tuple(Document(id=name, text=text) for name, text in (("d1", "A 12"), ("d2", "a 12"), ("d3", "12 b")))
    found = Questions.of(replace(benchmark, task=replace(benchmark.task, documents=documents)), 0)
    assert [[case.id for case in cases] for cases in (found.rephrased, found.untold)] == [["asked"], ["elsewhere"]]


def test_that_there_is_no_answer_is_no_fact() -> None:
    facts = tuple(asking(f"e{place}", f"{place}", "d1") for place in range(6))
    blank = tuple(replace(asking(f"n{place}", "not in the handbook", ""), document_ids=()) for place in range(3))
    found = Questions.of(about((*facts, *blank), facts), 0)
    assert {case.id for case in found.taught} == {case.id for case in facts}

    unnamed = tuple(replace(case, document_ids=()) for case in facts)
    found = Questions.of(about((*unnamed, *blank), facts), 0)
    assert {case.id for case in found.taught} == {case.id for case in facts}


def test_it_asks_no_more_than_it_says_and_the_same_each_time() -> None:
    benchmark = tiny.benchmark("qa", examples=90, heldout=200)
    found = Questions.of(benchmark, 3)
    assert len(found.taught) == CASES
    assert max(len(found.rephrased), len(found.untold)) <= CASES
    assert found == Questions.of(benchmark, 3)
    assert found.taught != Questions.of(benchmark, 4).taught


def test_examples_that_a_training_may_have_kept_apart_count_as_no_questions_of_it() -> None:
    """Nor is a fact that one of them told alone among those that no example told: some approaches did learn it."""
    plain = tiny.benchmark("qa", examples=400, heldout=60)
    fold, apart = plain.task.folds[0], kept_apart(plain.task, 0)
    alone = replace(apart[0], output="a thousand", document_ids=("d",))
    selection = tuple(alone if case.id == alone.id else case for case in fold.selection)
    task = replace(plain.task, folds=(replace(fold, selection=selection),))
    held = (*plain.heldout, asking("how many", "a thousand", "d"), asking("how few", "three", "d"))
    for seed in range(3):
        found = Questions.of(replace(plain, task=task, heldout=held), seed)
        assert len(found.taught) == CASES
        assert not {case.id for case in found.taught} & {case.id for case in kept_apart(task, seed)}
    asked = Questions.of(replace(plain, task=task, heldout=held), 0)
    assert "how many" not in {case.id for case in asked.heldout}
    assert [case.id for case in asked.untold] == ["how few"]


@pytest.mark.parametrize("kind", ["classification", "extraction", "generation"])
def test_other_tasks_have_no_facts(kind: str) -> None:
    found = Questions.of(tiny.benchmark(kind), 0)  # type: ignore[arg-type]
    assert not found.taught
    assert not found.heldout


def test_it_is_planned_for_what_is_trained_on_questions() -> None:
    def kinds(strategy: object, kind: str, options: Options) -> list[str]:
        candidate = Candidate(name="any", strategy=strategy, model="m")  # type: ignore[arg-type]
        return [unit.kind for unit in units(tiny.benchmark(kind), candidate, options, "")]  # type: ignore[arg-type]

    assert "by heart" in kinds(Lora(), "qa", Options())
    assert "by heart" in kinds(LoraRetrieval(), "qa", Options())
    assert "by heart" not in kinds(Lora(), "qa", Options(probes=False))
    assert "by heart" not in kinds(Prompting(), "qa", Options())
    assert "by heart" not in kinds(Lora(), "classification", Options())


def test_counts_follow_the_scores() -> None:
    def row(key: str, score: float, variant: str) -> Row:
        return Row(
            candidate="c", purpose="by heart", key=key, variant=variant, outcome=Prediction(text=""), score=score
        )

    rows = [row("a", 1.0, "rephrased"), row("b", 0.9, "rephrased"), row("c", 0.0, "untold")]
    fact = asking("e", "12", "d")
    cases = tuple(replace(asking(name, "7", "d1"), group="twins" if name != "c" else "") for name in "abc")
    found = by_heart(about((fact,), cases), {"taught": [1.0, 1.0, 0.0], "said": [["e", "12"]] * 3}, rows)
    assert found is not None
    assert (found.taught, found.rephrased, found.untold) == (
        Counted(cases=3, right=2),
        Counted(cases=2, right=1, by_group=((1, 2),)),
        Counted(cases=1, right=0),
    )
    assert by_heart(about((fact,), cases), {}, []) is None


def test_a_run_asks_the_tuned_model_with_no_document_before_it(tmp_path: Path) -> None:
    models = tiny.models(tiny.model_folder(tmp_path / "model"))
    run = Run(
        benchmark=tiny.benchmark("qa", examples=30, heldout=12),
        candidates=[Candidate(name="both", strategy=LoraRetrieval(), model=models.names[0])],
        models=models,
        options=replace(killed.OPTIONS, probes=True, second_seed=False),
        folder=tmp_path / "run",
    )
    run.execute()
    with closing(Store(run.folder / "run.sqlite")) as store:
        assert rescored(run.benchmark, store) == 0
        other = replace(run.benchmark, metric=load_metric("chrf", {}))
        assert rescored(other, store) > 0
        note, examples = store.notes("by heart")["both"], {case.id: case for case in run.benchmark.task.examples}
        anew = [other.metric.score(examples[key], text) if text else 0.0 for key, text in note["said"]]
        assert note["taught"] == anew
        assert any(0 < score < 1 for score in anew)
        assert rescored(run.benchmark, store) > 0
        (found,) = evaluations(run.benchmark, killed.described(run), store)
        rows = list(store.rows("both", "by heart"))
        shown = list(store.rows("both", "heldout"))
    asked = Questions.of(run.benchmark, run.options.seed)
    assert found.by_heart is not None
    assert found.by_heart.taught.cases == len(asked.taught)
    assert found.by_heart.rephrased.cases + found.by_heart.untold.cases == len(rows) == len(asked.heldout)
    assert all(isinstance(row.outcome, Prediction) and not row.outcome.evidence for row in rows)
    assert any(isinstance(row.outcome, Prediction) and row.outcome.evidence for row in shown)


def test_what_is_told_of_it() -> None:
    story = SITUATIONS["a_tuned_model_knows_its_training_by_heart"]().told().story
    assert [row[0] for row in story.by_heart.rows] == ["lora"]
    assert sum("shown no documents, answers 41 of 50 questions of its training" in line for line in story.risks) == 1
    facts = {row["name"]: row["by_heart"] for row in story.facts["candidates"]}
    assert facts["majority"] is None
    assert {**facts["lora"]["rephrased"], "interval": None} == {"cases": 38, "right": 9, "interval": None}
