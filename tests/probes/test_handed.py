"""Wrong selection answers asked again with the right passage: which, of whom, and that nobody has learnt the cases."""

from __future__ import annotations

import re
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from benchmarks.contract import Benchmark, Candidate, Evaluation
from benchmarks.costs.hosted import answers_after_fit
from benchmarks.evaluation.mistakes import mistakes
from benchmarks.evaluation.stored import evaluations, handed_over, selection_answers
from benchmarks.probes import handed
from benchmarks.probes.handed import askable, askers, most, wrong_without
from benchmarks.running.plan import Further, Options, units
from benchmarks.running.run import Run
from benchmarks.storage.store import Store
from strategies.approaches.lora_retrieval import LoraRetrieval
from strategies.approaches.prompting import Prompting
from strategies.approaches.retrieval import Retrieval
from strategies.contract import Case, Fold, Prompt, Query
from strategies.pipeline import Setup
from strategies.selection import PipelineBuilder
from tests import killed, tiny
from tests.probes.test_changed import read
from tests.scripted import ScriptedModel

OPTIONS = Options(tuning_tokens=4_000, second_seed=False)


def planned(strategy: Any, benchmark: Benchmark, options: Options = OPTIONS) -> bool:
    candidate = Candidate(name="any", strategy=strategy, model="m")
    return any(unit.kind == "handed" for unit in units(benchmark, candidate, options, ""))


def test_it_is_planned_for_prompts_where_examples_name_documents() -> None:
    asked = tiny.benchmark("qa")
    assert planned(Prompting(), asked)
    assert planned(Retrieval(), asked)
    assert not planned(LoraRetrieval(), asked), "its weights were trained on the selection cases"
    assert not planned(Prompting(), asked, replace(OPTIONS, probes=False))
    assert not planned(Prompting(), tiny.benchmark("classification"))
    fold = asked.task.folds[0]
    nameless = replace(fold, selection=tuple(replace(case, document_ids=()) for case in fold.selection))
    assert not planned(Prompting(), replace(asked, task=replace(asked.task, folds=(nameless,))))


def test_what_a_server_is_asked_counts_it() -> None:
    asked = tiny.benchmark("qa", heldout=24)
    candidate = Candidate(name="any", strategy=Prompting(), model="m")
    bare = replace(asked, task=replace(asked.task, documents=()))
    both = [answers_after_fit(each, candidate, OPTIONS, Further()) for each in (asked, bare)]
    assert both[0] - both[1] == most(asked.task) == 24


def test_asked_are_wrong_answers_that_had_no_right_passage(monkeypatch: pytest.MonkeyPatch) -> None:
    task = tiny.benchmark("qa", examples=24).task
    names = [case.id for case in task.examples]
    answers = [
        [names[0], "x", 0.0, None],
        [names[1], "x", 0.0, None, False],
        [names[2], "x", 0.0, None, True],
        [names[3], "4", 1.0, None, False],
        [names[4], "x", 0.9, None, None],
        ["gone", "x", 0.0, None],
    ]
    parts = wrong_without(task, answers, 0)
    assert {case.id for _, cases in parts for case in cases} == {names[0], names[1], names[4]}
    for fold, cases in parts:
        assert all(case in task.folds[fold].selection for case in cases)
    monkeypatch.setattr(handed, "CASES", 2)
    fewer = wrong_without(task, answers, 0)
    assert sum(len(cases) for _, cases in fewer) == 2
    assert fewer == wrong_without(task, answers, 0)


def test_questions_without_an_answer_have_no_right_passage() -> None:
    """Seats and floors are answers that rooms share; that there is none is one that no document holds."""
    task = tiny.benchmark("qa", examples=24).task
    known = task.examples
    silent = tuple(replace(case, output="not in the documents") for case in known[:6])
    mixed = replace(task, folds=(Fold(train=known, selection=(*silent, *known[6:])),))
    assert [case.id for case in askable(mixed)] == [case.id for case in known[6:]]


@pytest.mark.parametrize("passages", [0, 1])
def test_no_case_is_asked_of_what_has_it_among_its_examples(passages: int, tmp_path: Path) -> None:
    """The nearest example to a selection case is itself, once all examples are known."""
    task = tiny.benchmark("qa").task
    bench = tiny.Bench(folder=tmp_path, language=ScriptedModel(name="reader", answer=read), embedder=tiny.WordHashes())
    saved = PipelineBuilder(task, bench).build(Setup(shots=2, picks="nearest", passages=passages), task.examples)

    def times(prompt: Prompt, case: Case) -> int:
        return sum(message.content.count(case.input) for message in prompt)

    parts = wrong_without(task, [[case.id, "x", 0.0, None] for case in task.examples], 0)
    assert sum(len(cases) for _, cases in parts) == 24
    for asker, cases in askers(saved, task, parts):
        queries = [Query.of(case.input) for case in cases]
        for case, before, now in zip(cases, saved.requests(queries), asker.requests(queries), strict=True):
            assert times(before.prompt, case) == 2
            assert times(now.prompt, case) == 1
            assert [item.document_id for item in now.evidence] == list(case.document_ids)


def seats_only(prompt: Prompt) -> str:
    """Reads how many seats a room has, and never on which floor it is; however the question is written."""
    text = " ".join(prompt[-1].content.casefold().split())
    what, name = re.findall(r"(seats has|floor is) room (\w+)\b", text)[-1]
    found = re.findall(rf"room {name} has (\d+) seats", text)
    return found[-1] if found and what == "seats has" else "nobody knows"


def bakeoff(folder: Path) -> Run:
    return Run(
        benchmark=tiny.benchmark("qa", examples=48, heldout=12),
        candidates=[
            Candidate(name="prompting", strategy=Prompting(), model="reader"),
            Candidate(name="retrieval", strategy=Retrieval(), model="reader"),
        ],
        models=tiny.scripted(reader=seats_only),
        options=OPTIONS,
        folder=folder,
    )


def measured(run: Run) -> tuple[dict[str, Evaluation], Any, dict[str, int]]:
    """Evaluations, mistakes of each, and how often each unit was begun."""
    with closing(Store(run.folder / "run.sqlite")) as store:
        found = {each.candidate: each for each in evaluations(run.benchmark, killed.described(run), store)}
        answers = selection_answers([*found.values()], store)
        families = {name: each.family for name, each in found.items()}
        return found, mistakes(run.benchmark, answers, families, handed_over(store)), store.starts()


def test_a_run_tells_missing_knowledge_from_what_cannot_be_read(tmp_path: Path) -> None:
    run = bakeoff(tmp_path / "run")
    run.execute()
    found, told, begun = measured(run)
    kinds = dict(told["prompting"].kinds)
    seats = sum("How many" in case.input for case in run.benchmark.task.examples)
    assert told["prompting"].asked == told["prompting"].wrong == told["prompting"].handed
    assert kinds["knowledge"] > 0
    assert kinds["knowledge"] <= seats
    assert kinds["misread"] == told["prompting"].wrong - kinds["knowledge"], (
        "floors are not read with the passage either"
    )
    assert set(dict(told["retrieval"].kinds)) <= {"misread", "missed"}
    quality = found["retrieval"].retrieval
    assert quality is not None
    assert quality.on_selection
    assert quality.missed + quality.misread == told["retrieval"].wrong
    assert quality.misread == dict(told["retrieval"].kinds)["misread"]
    with closing(Store(run.folder / "run.sqlite")) as store:
        used = store.usage("prompting", "handed")
        answers = store.notes("handed")["prompting"]["answers"]
        assert not list(store.rows("prompting", "handed"))
    asked = [each for each in used if each.model == "reader"]
    assert sum(each.calls for each in asked) == len(answers) == told["prompting"].handed
    assert sum(each.prompt_tokens for each in asked) > 0
    run.execute()
    assert measured(run)[2] == begun, "what is finished is not asked again"
