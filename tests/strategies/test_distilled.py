"""Distillation: what a teacher behind a real server is asked and paid, what is learnt from it, and what is refused."""

from __future__ import annotations

import json
import threading
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest
from pytest_httpserver import HTTPServer
from werkzeug import Request, Response

from advisor.deploy.export import export
from advisor.deploy.gate import key_of
from advisor.experiments.comparison import Wishes, execute, prepare
from benchmarks.contract import BadInput
from benchmarks.data.unlabelled import MOST, to_answer
from benchmarks.metrics import load as load_metric
from benchmarks.running.plan import Unit
from benchmarks.running.scheduler import NullEvents
from benchmarks.running.workbench import bare
from benchmarks.scored import MetricScore
from benchmarks.storage.store import Store
from strategies.approaches.lora_distilled import LESSONS, DistilledLora, _best_of, _taught, _teaches
from strategies.contract import (
    Case,
    Document,
    Failure,
    Kind,
    Outcome,
    Prediction,
    Prompt,
    Query,
    Sampling,
    Task,
    Training,
    TrainingRow,
    Unanswered,
)
from strategies.models.local import LocalModel
from tests import tiny
from tests.conftest import Folders
from tests.desk import write_task
from tests.scripted import ScriptedModel

DISTILLED = "distilled lora @ llama-chat-0"
ALONE = Wishes(approaches=(DISTILLED,), effort="quick", dtype="float32")
EXAMPLES, REQUESTS = 40, 60


@dataclass
class Teacher(NullEvents):
    """A server that knows the topic of every message, but for one that it cuts short and one that is filtered; it notes what it
    is asked and when."""

    server: HTTPServer
    asked: Counter[str] = field(default_factory=Counter)
    by_unit: Counter[str] = field(default_factory=Counter)
    unit: str = ""
    lock: threading.Lock = field(default_factory=threading.Lock)

    def __post_init__(self) -> None:
        self.server.expect_request("/v1/chat/completions", method="POST").respond_with_handler(self._answer)

    def started(self, unit: Unit, number: int, total: int) -> None:
        self.unit = unit.kind

    @property
    def model(self) -> str:
        prices = "input_per_million: 1, output_per_million: 2"
        return f"{{name: hosted, endpoint: '{self.server.url_for('/v1')}', concurrency: 1, {prices}}}"

    def _answer(self, request: Request) -> Response:
        text = request.get_json()["messages"][-1]["content"]
        last = text.rpartition("Input:")[2]
        with self.lock:
            self.asked[last.partition("\n")[0].strip()] += 1
            self.by_unit[self.unit] += 1
        said = next(label for label, words in tiny.TOPICS.items() if any(word in last for word in words))
        ended = "length" if "(note 57)" in last else "content_filter" if "(note 58)" in last else "stop"
        choice = {"index": 0, "finish_reason": ended, "message": {"role": "assistant", "content": said}}
        usage = {"prompt_tokens": 40, "completion_tokens": 2, "total_tokens": 42}
        whole = {"id": "1", "object": "chat.completion", "created": 1, "model": "hosted", "choices": [choice]}
        return Response(json.dumps({**whole, "usage": usage}), content_type="application/json")


@pytest.fixture(scope="module")
def teacher() -> Iterator[Teacher]:
    with HTTPServer(threaded=True) as server:
        yield Teacher(server)


def write(place: Path, models: Folders, teacher: Teacher, *lines: str) -> Path:
    """Examples, held-out cases, and requests of which one is held out and one is an example."""
    cases = tiny.messages(EXAMPLES + REQUESTS + 20)
    held, requests = cases[EXAMPLES + REQUESTS :], cases[EXAMPLES : EXAMPLES + REQUESTS]
    place.mkdir(parents=True, exist_ok=True)
    asked = [held[3], cases[5], *requests]
    (place / "real.jsonl").write_text("".join(json.dumps({"input": case.input}) + "\n" for case in asked), "utf-8")
    rows = [{"input": case.input, "output": case.output} for case in held]
    (place / "held.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows), "utf-8")
    usual = (f"models: [{models.language}, {teacher.model}]", "heldout: held.jsonl", "teacher: hosted")
    return write_task(place, models, *usual, "traffic: real.jsonl", *lines, cases=cases[:EXAMPLES])


@pytest.fixture(scope="module")
def whole(
    teacher: Teacher, tmp_path_factory: pytest.TempPathFactory, model_folders: Folders
) -> Iterator[tuple[Path, Store]]:
    place = tmp_path_factory.mktemp("distilled")
    execute(prepare(write(place, model_folders, teacher), ALONE), place / "run", teacher)
    store = Store(place / "run" / "run.sqlite")
    yield place, store
    store.close()


# ---------------------------------------------------------------- what is asked and learnt


def test_the_teacher_answers_what_has_no_answer_and_the_student_is_measured(
    whole: tuple[Path, Store], teacher: Teacher
) -> None:
    place, store = whole
    (fit,) = [note for note in store.finished().values() if "chosen" in note]
    told = fit["chosen"]["lessons"]
    assert told["teacher"] == "hosted"
    assert told["selection_score"] == 1.0
    assert told["requests"] + told["unanswered"] > 30
    assert fit["chosen"]["examples"] == EXAMPLES + told["requests"]
    assert len(list(store.rows(DISTILLED, "heldout"))) == 20
    (file,) = (place / "run" / "fits").glob(f"*/{LESSONS}")
    lessons = [json.loads(line) for line in file.read_text("utf-8").splitlines()]
    right = {case.input: case.output for case in tiny.messages(EXAMPLES + REQUESTS)}
    assert all(right[row["input"]] == row["output"] for row in lessons)
    assert not any("(note 57)" in row["input"] for row in lessons), "an answer that was cut is no lesson"
    assert any("(note 58)" in text for text in teacher.asked)
    assert not any("(note 58)" in row["input"] for row in lessons), "nor is one that was filtered"
    run = json.loads((place / "run" / "run.json").read_text("utf-8"))
    assert any("teacher: hosted" in note and "left out" in note for note in run["benchmark"]["notes"])


def test_no_held_out_input_goes_to_the_teacher(whole: tuple[Path, Store], teacher: Teacher) -> None:
    held = {case.input for case in tiny.messages(20, EXAMPLES + REQUESTS)}
    assert teacher.asked
    assert not [text for text in teacher.asked if any(each in text for each in held)]


def test_what_the_teacher_costs_is_the_students_cost(whole: tuple[Path, Store], teacher: Teacher) -> None:
    """It is asked while the student is fitted, not when a second seed trains again on the same lessons."""
    _, store = whole
    used = [each for each in store.usage(DISTILLED, "fit") if each.model == "hosted"]
    assert {each.step for each in used} == {"search", "training"}
    assert set(teacher.by_unit) == {"fit", "reworded"}
    assert sum(each.calls for each in used) == teacher.by_unit["fit"]
    assert len(list(store.rows(DISTILLED, "seed"))) > 0


def test_what_is_finished_is_asked_no_more(whole: tuple[Path, Store], teacher: Teacher, model_folders: Folders) -> None:
    place, _ = whole
    before = teacher.by_unit.total()
    verdict = execute(prepare(place / "task.yaml", ALONE), place / "run", teacher)
    assert teacher.by_unit.total() == before
    assert "answered by hosted, which scores 100 %" in repr(verdict.story)


def test_what_it_learnt_from_is_not_deployed(whole: tuple[Path, Store], tmp_path: Path) -> None:
    place, _ = whole
    export(place / "run", tmp_path / "out", DISTILLED)
    (adapter,) = (tmp_path / "out").rglob("adapter_model.safetensors")
    assert adapter.stat().st_size > 0
    texts = [case.input for case in tiny.messages(REQUESTS, EXAMPLES)]
    for path in (tmp_path / "out").rglob("*"):
        assert path.is_dir() or not any(text.encode() in path.read_bytes() for text in texts), path


def test_an_export_knows_the_requests_that_its_teacher_answered(whole: tuple[Path, Store], tmp_path: Path) -> None:
    """A check on requests that it had learnt by heart left none of them out."""
    place, _ = whole
    export(place / "run", tmp_path / "out", DISTILLED)
    (file,) = (place / "run" / "fits").glob(f"*/{LESSONS}")
    learnt = [json.loads(line)["input"] for line in file.read_text("utf-8").splitlines()]
    known = json.loads((tmp_path / "out" / "export.json").read_text("utf-8"))["measured"]["learnt"]
    assert learnt
    assert set(map(key_of, learnt)) <= set(known)
    held = [case.input for case in tiny.messages(20, EXAMPLES + REQUESTS)]
    assert not set(map(key_of, held)) & set(known)


def test_other_requests_are_another_run(whole: tuple[Path, Store], teacher: Teacher, model_folders: Folders) -> None:
    place, _ = whole
    more = [{"input": case.input} for case in tiny.messages(30, 500)]
    text = (place / "real.jsonl").read_text("utf-8")
    (place / "real.jsonl").write_text(text + "".join(json.dumps(row) + "\n" for row in more), "utf-8")
    try:
        with pytest.raises(BadInput, match="a teacher and requests for it"):
            execute(prepare(place / "task.yaml", ALONE), place / "run")
    finally:
        (place / "real.jsonl").write_text(text, "utf-8")


# ---------------------------------------------------------------- what is not


def test_nobody_teaches_himself(tmp_path: Path, teacher: Teacher, model_folders: Folders) -> None:
    task = write(tmp_path, model_folders, teacher, "teacher: llama-chat-0")
    text = task.read_text("utf-8").replace("teacher: hosted\n", "")
    task.write_text(text, "utf-8")
    verdict = execute(prepare(task, Wishes(approaches=(DISTILLED,), effort="quick")), tmp_path / "run")
    (found,) = verdict.evaluations
    assert (str(found.state), found.problem) == ("cannot run", "llama-chat-0 is the teacher")


def test_without_a_teacher_or_with_documents_there_is_nothing_to_teach() -> None:
    assert "teacher" in DistilledLora().unsuitable(tiny.benchmark().task)
    assert "documents" in DistilledLora().unsuitable(tiny.with_requests("qa", 5).task)
    assert DistilledLora().unsuitable(tiny.with_requests("classification", 5).task) == ""


def changed(case: Case, **fields: Any) -> Case:
    return replace(case, output=json.dumps({**json.loads(case.output), **fields}))


def test_what_is_decided_or_copied_is_taught_beside_documents_too() -> None:
    """No fact of theirs stands in it; it does in what is written, in answers to questions, in a field of neither kind, and where
    examples name a document."""
    policy = (Document(id="policy", text="Refunds take fourteen days."),)
    kinds: tuple[Kind, ...] = ("classification", "extraction", "generation", "qa")
    asked: dict[str, Task] = {kind: replace(tiny.with_requests(kind, 5).task, documents=policy) for kind in kinds}
    (fold,) = asked["extraction"].folds[:1]
    coded = tuple(changed(case, code=f"SKU {place}") for place, case in enumerate(fold.train))
    asked["a code that no request holds"] = replace(asked["extraction"], folds=(replace(fold, train=coded),))
    rested = tuple(replace(case, document_ids=("policy",)) for case in fold.train)
    asked["objects that rest on a document"] = replace(asked["extraction"], folds=(replace(fold, train=rested),))
    asked["yes or no"] = replace(asked["qa"], labels=("yes", "no"))
    taught = [name for name, task in asked.items() if not DistilledLora().unsuitable(task)]
    assert taught == ["classification", "extraction"]


def test_the_models_asked_for_must_hold_the_teacher(tmp_path: Path, teacher: Teacher, model_folders: Folders) -> None:
    task = write(tmp_path, model_folders, teacher)
    with pytest.raises(BadInput, match="The teacher is hosted, and the models are"):
        prepare(task, Wishes(models=(str(model_folders.language),)))


@dataclass(frozen=True)
class Faulty:
    """A teacher that is gone for the last so many questions."""

    gone: int

    def answer(self, queries: Sequence[Query], sampling: Sampling) -> Iterator[tuple[str, Outcome]]:
        for place, query in enumerate(queries):
            lost = place >= len(queries) - self.gone
            fault = Failure(kind="infrastructure", message="hosted at 127.0.0.1:1: status 503.")
            yield query.key, fault if lost else Prediction(text="refund")

    def save(self, folder: Path) -> None: ...

    def describe(self) -> Mapping[str, Any]:
        return {}


@dataclass(frozen=True)
class Described:
    """A way to ask the teacher, of which its selection answers are known."""

    told: Mapping[str, Any]

    def answer(self, queries: Sequence[Query], sampling: Sampling) -> Iterator[tuple[str, Outcome]]:
        return iter(())

    def save(self, folder: Path) -> None: ...

    def describe(self) -> Mapping[str, Any]:
        return self.told


def test_the_teacher_is_asked_in_the_way_that_is_best_by_a_metric_over_rows() -> None:
    """A way that never says the rare label may be right more often."""
    plain = tiny.benchmark(examples=60).task
    rare = plain.examples[0].output
    few = [case for case in plain.examples if case.output == rare][:5]
    many = [case for case in plain.examples if case.output != rare]

    def way(says: Mapping[str, str]) -> Described:
        rows = [[case.id, says.get(case.id, case.output)] for case in (*few, *many)]
        right = sum(row[1] == case.output for row, case in zip(rows, (*few, *many), strict=True))
        return Described({"selection_score": right / len(rows), "selection_answers": rows})

    never = way({case.id: many[0].output for case in few})
    often = way({case.id: rare for case in many[:7]})
    assert _best_of([never, often], plain) is never
    of_rare = replace(plain, score=MetricScore(metric=load_metric("f1_of_label", {"label": rare})))
    assert _best_of([never, often], of_rare) is often
    blind = Described({"selection_score": 0.99})
    assert _best_of([never, often, blind], of_rare) is blind, "not all can be compared so"


def test_nothing_is_learnt_from_a_teacher_that_went_away(tmp_path: Path, model_folders: Folders) -> None:
    models = tiny.models(model_folders.language)
    given = (tiny.benchmark().task, bare(models, models.names[0], tmp_path))
    texts = [f"message {number}" for number in range(200)]
    said = r"^3 of 200 answers of the teacher were lost to faults outside the approach \(status 503\)$"
    with pytest.raises(Unanswered, match=said):
        _taught(Faulty(3), given, texts)
    assert len(_taught(Faulty(2), given, texts).notes["answers"]) == 198


def test_what_was_trained_on_one_teachers_answers_is_not_taken_for_what_another_taught(
    tmp_path: Path, model_folders: Folders, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The same requests, examples and journal, as `--reuse` has them. One teacher errs where somebody is locked out."""
    trained: list[Sequence[TrainingRow]] = []
    train = LocalModel.train

    def watched(model: LocalModel, rows: Sequence[TrainingRow], *others: Any) -> Training:
        trained.append(rows)
        return train(model, rows, *others)

    monkeypatch.setattr(LocalModel, "train", watched)
    journal, student = tiny.Memory(), tiny.local_model(model_folders.language)
    task = tiny.with_requests("classification", 50).task
    times = []
    for number, erring in enumerate(("", "locked", "locked")):

        def answer(prompt: Prompt, erring: str = erring) -> str:
            asked = prompt[-1].content
            known = (label for label, words in tiny.TOPICS.items() if any(word in asked for word in words))
            right = next(known, "login")  # Of an input without content.
            return "refund" if erring and erring in asked else right

        model = ScriptedModel(name="teacher", answer=answer)
        teacher = tiny.Bench(folder=tmp_path, language=model)
        folder = tmp_path / str(min(number, 1))
        bench = tiny.Bench(folder=folder, language=student, tuning_tokens=5_000, teacher=teacher, journal=journal)
        DistilledLora().fit(task, bench)
        times.append(len(trained))
    assert times[1] == 2 * times[0]
    assert times[2] == times[1], "the same teacher's are taken over"


# ---------------------------------------------------------------- which requests


def test_only_fresh_requests_are_asked() -> None:
    examples, held, other = tiny.messages(10), tiny.messages(5, 10), tiny.messages(20, 15)
    texts = [case.input for case in (*examples[:3], *held[:2], *other, *other[:4])]
    kept, says = to_answer(texts, examples, held, 0)
    assert sorted(kept) == sorted(case.input for case in other)
    assert says == (
        "20 requests without answers are there to learn from; left out: 2 like a held-out case or an example and 7 that "
        "are examples or stand there twice."
    )
    assert kept != tuple(case.input for case in other), "in a seeded order, since fewer may be asked"
    assert to_answer(texts, examples, held, 0) == (kept, says)


def test_of_very_many_requests_a_sample_is_looked_at() -> None:
    words = [f"{left} {right}" for left in tiny.ROOMS for right in range(MOST)]
    kept, _ = to_answer(words, (), (Case(id="h", input="nothing like it", output=""),), 0)
    assert 0 < len(kept) <= MOST


def test_what_a_teacher_says_in_another_form_is_no_lesson() -> None:
    """One such answer would take the schema from the student, or teach it a label that is none."""
    labels, objects, texts = (tiny.benchmark(kind).task for kind in ("classification", "extraction", "generation"))
    assert _teaches(labels, labels.labels[0])
    assert not _teaches(labels, f"The label is {labels.labels[0]}.")
    assert _teaches(objects, '{"topic": "refund"}')
    assert not _teaches(objects, '```json\n{"topic": "refund"}\n```')
    assert _teaches(texts, "anything")
    assert not _teaches(texts, "")
