"""Distillation: a stronger model answers requests that have no answers, and LoRA learns from these and from the examples."""

from __future__ import annotations

import json
import random
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, ClassVar

from strategies.answers import too_many_lost
from strategies.approaches.prompting import Prompting
from strategies.approaches.retrieval import Retrieval
from strategies.contract import (
    FOR_FITTING,
    Case,
    Family,
    Fitted,
    Outcome,
    Prediction,
    Query,
    Sampling,
    Strategy,
    Task,
    Unanswered,
    Workbench,
)
from strategies.fields import columns, is_object
from strategies.finetuning.race import row_tokens
from strategies.finetuning.tuned import REFIT, Tuned, fit_tuned, refit
from strategies.leaning import Leaning
from strategies.pipeline import Pipeline, Setup
from strategies.prompting.rendering import Form
from strategies.search import Look, content_key, journalled, total
from strategies.selection import PipelineBuilder
from strategies.sources import case_from

LESSONS = Path(FOR_FITTING) / "lessons.jsonl"
EPOCHS, LEAST = 2, 50
"""As many requests are answered as the refit's budget trains on so often, and at least so many."""


@dataclass(frozen=True, kw_only=True)
class DistilledLora(Tuned):
    """LoRA on the examples and on a teacher's answers. The teacher is asked in the way that is best on the selection cases."""

    name: ClassVar[str] = "distilled lora"
    says: ClassVar[str] = "fine-tunes the language model on the examples and on answers of a stronger model"
    family: ClassVar[Family] = "finetuning"
    simplicity: ClassVar[int] = 7
    taught: ClassVar[bool] = True

    def unsuitable(self, task: Task) -> str:
        if not task.unlabelled:
            return "the task names no teacher with requests to answer"
        if task.documents and not _of_the_request(task):
            return "answers stand in the documents: what a teacher reads there today is not to be learnt by heart"
        return ""

    def fit(self, task: Task, bench: Workbench) -> Fitted:
        assert bench.teacher is not None
        asked = _asked(task, bench)
        cases, told = lessons(task, bench.teacher, asked)
        builder = PipelineBuilder(with_lessons(task, cases), bench, calibrates=False)
        pipeline = fit_tuned(self.name, builder, [Setup(form=Form())])
        return Distilled(replace(pipeline, record={**pipeline.record, "lessons": told}), cases)

    def again(self, folder: Path, task: Task, bench: Workbench) -> Fitted:
        return refit(folder, with_lessons(task, lessons_in(folder / LESSONS)), bench)

    def rebuilt(self, folder: Path, task: Task, bench: Workbench) -> None:
        """Its number of examples is not the task's alone, and a teacher would have to be paid for each."""


def _of_the_request(task: Task) -> bool:
    """Whether answers are decided by the request or copied from it, so that no fact of the documents stands in them: labels, but
    for those of questions, and objects without another field whose examples name no documents that they rest on."""
    if task.kind == "qa":
        return False
    if task.labels:
        return True
    if task.kind != "extraction" or any(case.document_ids for case in task.examples):
        return False
    return all(map(is_object, task.examples)) and not columns(task.examples).filled


@dataclass(frozen=True)
class Distilled:
    """The tuned pipeline, and what it learnt besides the examples (`contract.Fitted`)."""

    pipeline: Pipeline
    lessons: Sequence[Case]

    def answer(self, queries: Sequence[Query], sampling: Sampling) -> Iterator[tuple[str, Outcome]]:
        return self.pipeline.answer(queries, sampling)

    def save(self, folder: Path) -> None:
        self.pipeline.save(folder)
        text = "".join(json.dumps(asdict(case), ensure_ascii=False) + "\n" for case in self.lessons)
        (folder / LESSONS).parent.mkdir(parents=True, exist_ok=True)
        (folder / LESSONS).write_text(text, encoding="utf-8")

    def describe(self) -> Mapping[str, Any]:
        return self.pipeline.describe()


def lessons_in(file: Path) -> list[Case]:
    """What a fit learnt of its teacher, as it saved it."""
    lines = file.read_text(encoding="utf-8").split("\n")  # Other line ends may stand inside of answers.
    return [case_from(json.loads(line)) for line in lines if line]


def with_lessons(task: Task, cases: Sequence[Case]) -> Task:
    """The task with further cases to train on; what is chosen is chosen by the examples alone."""
    return replace(task, folds=tuple(replace(fold, train=(*fold.train, *cases)) for fold in task.folds))


def most_requests(examples: int, budget: int, row: float) -> int:
    """How many are answered at most for a student that has so many examples, a budget for choosing of so many tokens, and so
    many tokens to learn a case from."""
    return max(LEAST, round(REFIT * budget / (EPOCHS * row)) - examples)


def _asked(task: Task, bench: Workbench) -> list[str]:
    """A seeded sample of the requests, no more than the student's budget can learn from."""
    builder = PipelineBuilder(task, bench, calibrates=False)
    row = row_tokens(builder, Setup(form=Form()), task.examples)
    size = most_requests(len(task.examples), bench.tuning_tokens, row)
    order = list(task.unlabelled)
    random.Random(bench.seed).shuffle(order)
    return order[:size]


def lessons(task: Task, bench: Workbench, texts: Sequence[str]) -> tuple[tuple[Case, ...], dict[str, Any]]:
    """The teacher's answers as cases, and what there is to say of them; `bench` is the teacher's own.

    What it did not answer, not whole, or not in the form of the task's answers, is left out. Raises `Unanswered` where
    faults took too much of it.
    """
    ways = [strategy.fit(task, bench) for strategy in (Prompting(), Retrieval())]
    best = _best_of(ways, task)
    chosen = best.describe()
    name = ("lessons", chosen["setup"], sorted(Query.of(text).key for text in texts))
    (look,) = journalled(bench, [name], lambda _: [_taught(best, (task, bench), texts)], bench.model.name)
    for usage in look.usage:
        bench.record(usage)
    cases = tuple(_lesson(text, said) for text, said in look.notes["answers"])
    told = {
        "teacher": bench.model.name,
        "requests": len(cases),
        "unanswered": len(texts) - len(cases),
        "selection_score": chosen["selection_score"],
        "selection_cases": chosen["selection_cases"],
    }
    return cases, told


def _best_of(ways: Sequence[Fitted], task: Task) -> Fitted:
    """The way with the best answers to selection cases: by a metric over rows of labels, where each saw enough of the rare ones,
    else by the mean score."""
    leaning, known = Leaning.of(task), {case.id: case for case in task.examples}
    told = [fitted.describe() for fitted in ways]
    marks = [float(each["selection_score"]) for each in told]
    answers = [[(known[row[0]], str(row[1])) for row in each.get("selection_answers", ())] for each in told]
    if leaning is not None and all(leaning.enough([case for case, _ in rows]) for rows in answers):
        marks = [leaning.figure(rows) for rows in answers]
    return ways[marks.index(max(marks))]


def _lesson(text: str, said: str) -> Case:
    """Named by its answer too: what was trained is found again by the names of its cases, and another teacher says otherwise."""
    return Case(id=f"lesson-{content_key([text, said])[:20]}", input=text, output=said)


def _taught(teacher: Fitted, given: tuple[Task, Workbench], texts: Sequence[str]) -> Look:
    task, bench = given
    queries = {query.key: query for query in map(Query.of, texts)}
    found: dict[str, Outcome] = {}
    for key, outcome in teacher.answer(list(queries.values()), Sampling(seed=bench.seed)):
        found[key] = outcome
        bench.progress(len(found), len(queries), f"{bench.model.name} answers what has no answer")
    if lost := too_many_lost(list(found.values()), "answers of the teacher"):
        raise Unanswered(lost)
    whole = {key: said for key, said in found.items() if isinstance(said, Prediction) and not said.truncated}
    said = {key: prediction.text for key, prediction in whole.items() if _teaches(task, prediction.text)}
    answers = [[query.input, said[key]] for key, query in queries.items() if key in said]
    spent = [replace(usage, step="training") for outcome in found.values() for usage in outcome.usage]
    return Look((), total(spent), {"answers": answers})


def _teaches(task: Task, text: str) -> bool:
    """Whether it is an answer of the kind that the task wants: one of its labels, an object where all its answers are."""
    if task.labels:
        return text in task.labels
    objects = task.kind == "extraction" and all(map(is_object, task.examples))
    return is_object(Case(id="", input="", output=text)) if objects else bool(text)


CANDIDATES: tuple[Strategy, ...] = (DistilledLora(),)
