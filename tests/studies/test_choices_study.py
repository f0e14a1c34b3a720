"""The study of ways to train: each way does what it says, and the document is made from rows alone."""

from __future__ import annotations

from collections import Counter
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import pytest

from benchmarks.storage.packed import write_lines
from benchmarks.studies import choices
from benchmarks.studies.choices import PLAIN, WAYS, Ground, Row
from strategies.approaches.prompting import Prompting
from strategies.contract import Case, Fold, Recipe, Task, Workbench
from strategies.finetuning.race import rows_of
from strategies.pipeline import Pipeline, Setup
from strategies.prompting.demonstrations import Shown
from strategies.prompting.rendering import Form
from strategies.selection import PipelineBuilder
from tests import tiny

RECIPE = Recipe(epochs=3, learning_rate=1e-2, batch_size=4)
BY_NAME = {
    way.name: replace(way, recipe=replace(RECIPE, alpha=way.recipe.alpha, smoothing=way.recipe.smoothing))
    for way in WAYS
}


def ground(kind: Any, folder: Path) -> Ground:
    task = tiny.benchmark(kind).task
    model = tiny.local_model(tiny.model_folder(folder, "llama"))
    frequent = task.examples[0].output
    train = tuple(case for place, case in enumerate(task.examples[:18]) if place < 6 or case.output == frequent)
    fold = Fold(train=train if task.labels else task.examples[:12], selection=task.examples[18:24])
    return Ground(task=replace(task, folds=(fold,)), bench=tiny.Bench(folder=folder, language=model))


def test_every_way_asks_the_same_cases_and_differs_from_the_plain_one(tmp_path: Path) -> None:
    place = ground("classification", tmp_path)
    rows = {name: place.trained(way) for name, way in BY_NAME.items() if not way.without and not way.searched}
    plain = rows.pop(PLAIN)
    assert place.trained(BY_NAME[PLAIN]).loss == plain.loss, "nothing of a way is left behind"
    for name, row in rows.items():
        assert len(row.scores) == 6
        assert row.loss != plain.loss, name
    assert rows["no instruction"].request_tokens < plain.request_tokens


def test_a_prompt_is_searched_on_what_is_trained_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    place = ground("classification", tmp_path)
    seen: list[Case] = []
    found = PipelineBuilder(place.task, place.bench).build(
        Setup(form=Form(layout="inline"), shots=2), place.task.examples
    )

    def fit(self: Prompting, task: Task, bench: Workbench) -> Pipeline:
        seen.extend(task.examples)
        return found

    monkeypatch.setattr(Prompting, "fit", fit)
    row = place.trained(BY_NAME["the searched prompt"])
    assert sorted(case.id for case in seen) == sorted(case.id for case in place.task.folds[0].train)
    assert row.request_tokens > place.trained(BY_NAME[PLAIN]).request_tokens


def test_a_share_of_the_examples_is_taught_without_what_answers_them(tmp_path: Path) -> None:
    place = ground("qa", tmp_path)
    builder, cases = PipelineBuilder(place.task, place.bench), place.task.folds[0].train
    pipeline = builder.build(Setup(form=Form(), passages=2), cases)
    with_all, some = rows_of(pipeline, cases), choices.rows_without(pipeline, cases, 0.5)
    tell = pipeline.sources.founded(place.task)
    changed = [place for place, (one, other) in enumerate(zip(with_all, some, strict=True)) if one != other]
    assert 0 < len(changed) <= 6
    for number in changed:
        shown = pipeline.sources.index.search([cases[number].input], 20)[0]  # type: ignore[union-attr]
        answers = [each.text for each in shown if tell(Shown(cases[number], (each,)))]
        assert not any(text in some[number].prompt[-1].content for text in answers)


def test_rare_labels_are_repeated() -> None:
    cases = tiny.benchmark("classification").task.examples
    rare = [case for case in cases if case.output != cases[0].output]
    many = [case for case in cases if case.output == cases[0].output]
    counts = Counter(case.output for case in choices.repeated([*many, *many, *many, *rare]))
    assert max(counts.values()) - min(counts.values()) < min(counts.values())


def test_a_training_that_is_done_is_not_run_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    done = [_row(way, seed, (1.0, 0.0)) for seed in choices.SEEDS for way in choices.TASKS["sms_spam"]]
    file = choices.file_of("sms_spam", tmp_path)
    write_lines(file, [asdict(row) for row in done])
    monkeypatch.setattr(Ground, "trained", None)
    assert list(choices.missing("sms_spam", file)) == []
    assert choices.read(file) == done


def test_the_document_sets_every_way_against_the_plain_one() -> None:
    rows = [_row(PLAIN, seed, (1.0, 0.0, 1.0) * 20) for seed in (0, 1)]
    rows += [_row("DoRA", seed, (1.0, 1.0, 1.0) * 20) for seed in (0, 1)] + [_row("rsLoRA", 2, (0.0,) * 60)]
    text = choices.document({"banking77": rows, "sms_spam": []})
    assert f"| banking77 | {PLAIN} | 2 | 66.7 % |  | 40 | 9 |" in text
    assert "| banking77 | DoRA | 2 | 100.0 % | +33.3 (" in text
    assert "| rsLoRA |" not in text, "its seed has no plain training to stand against"


def test_what_was_not_run_is_listed() -> None:
    rows = [_row(way, 0, (1.0, 0.0)) for way in choices.TASKS["sms_spam"][:2]]
    text = choices.document({"sms_spam": rows, "nq_open_oracle": []})
    assert f"- sms_spam: seeds 1 and 2 of {PLAIN} and four times the scale; every seed of rare labels repeated\n" in text
    assert f"- nq_open_oracle: every seed of {PLAIN}, four times the scale and a fifth without the passage\n" in text
    whole = [_row(way, seed, (1.0, 0.0)) for way in choices.TASKS["sms_spam"] for seed in choices.SEEDS]
    assert "Not run yet" not in choices.document({"sms_spam": whole})


def test_the_committed_rows_give_the_committed_document() -> None:
    rows = {name: choices.read(choices.file_of(name, choices.FOLDER)) for name in choices.TASKS}
    assert choices.DOCUMENT.read_text(encoding="utf-8") == choices.document(rows), "run `table`"


def _row(way: str, seed: int, scores: tuple[float, ...]) -> Row:
    return Row(
        way=way, seed=seed, loss=0.5, scores=scores, request_tokens=40.0, seconds=9.0, commit="abc", machine="one"
    )
