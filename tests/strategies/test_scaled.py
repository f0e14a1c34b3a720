"""A share of an adapter: what is written, which share is chosen, and that a fit uses it."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import replace
from multiprocessing import get_context
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from advisor.story.setups import told
from benchmarks.metrics import load as load_metric
from benchmarks.scored import MetricScore
from strategies.contract import Case, Prompt, Recipe, Task
from strategies.finetuning.adapters import loaded
from strategies.finetuning.apart import kept_apart
from strategies.finetuning.race import rows_of
from strategies.finetuning.scaled import SHARES, WEIGHTS, ScoresByShare, scaled, tidied
from strategies.finetuning.tuned import ValidationResult
from strategies.leaning import Leaning
from strategies.models.local import LocalModel
from strategies.pipeline import Pipeline, Setup
from strategies.search import Look, Standing
from strategies.selection import PipelineBuilder
from strategies.spans import Reading
from tests import tiny
from tests.scripted import ScriptedModel


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> LocalModel:
    return tiny.local_model(tiny.model_folder(tmp_path_factory.mktemp("model")))


@pytest.fixture(scope="module")
def task() -> Task:
    return tiny.benchmark("qa", examples=300).task


@pytest.fixture(scope="module")
def adapter(model: LocalModel, task: Task, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("trained")
    pipeline = PipelineBuilder(task, tiny.Bench(folder=folder, language=model)).build(Setup(), task.examples[:40])
    return model.train(rows_of(pipeline, task.examples[:40]), (), Recipe(epochs=2), folder / "adapter", 0).folder


def tuned_by(model: LocalModel, folder: Path) -> LocalModel:
    found = model.adapted(folder)
    assert isinstance(found, LocalModel)
    return found


def logits(model: LocalModel, prompt: Prompt) -> torch.Tensor:
    parts = model.parts
    with torch.inference_mode():
        tokens = torch.tensor([model.chat.encode(prompt)])
        found: torch.Tensor = parts.logits(parts.decoder(input_ids=tokens).last_hidden_state[0, -1:])
        return found


def test_a_share_of_the_change_is_what_lies_between_base_and_tuned(
    model: LocalModel, task: Task, adapter: Path, tmp_path: Path
) -> None:
    """Half of the change of each weight, as plain peft loads it; of all of it the adapter itself."""
    assert scaled(adapter, 1.0) == adapter
    half = scaled(adapter, 0.5)
    assert (half.parent, half.name) == (adapter.parent, "adapter-0.5")
    written = half.stat().st_mtime_ns
    assert scaled(adapter, 0.5).stat().st_mtime_ns == written, "made once"
    before, after = load_file(adapter / WEIGHTS), load_file(half / WEIGHTS)
    assert before.keys() == after.keys()
    for name in before:
        assert torch.equal(after[name], before[name] * (0.5 if ".lora_B." in name else 1.0))
    plain = PipelineBuilder(task, tiny.Bench(folder=tmp_path, language=model)).build(Setup(), task.examples[:4])
    prompt = rows_of(plain, task.examples[:1])[0].prompt
    base, tuned, between = (logits(each, prompt) for each in (model, tuned_by(model, adapter), tuned_by(model, half)))
    assert 0 < float((between - base).abs().max()) < float((tuned - base).abs().max())
    assert not sorted(half.parent.glob("*.partial"))
    assert loaded(model.base(), half) is not None
    other = scaled(adapter, 0.7)
    tidied(adapter, 0.7)
    assert (adapter.is_dir(), other.is_dir(), half.is_dir()) == (True, True, False)


def test_the_share_that_answers_best_is_taken_and_of_equal_ones_the_least() -> None:
    assert ScoresByShare({1.0: [1, 1, 0, 0], 0.7: [1, 0, 0, 0], 0.5: [1, 1, 0, 0]}).best == 0.5
    assert ScoresByShare({1.0: [1, 1, 1, 0], 0.7: [1, 1, 0, 0], 0.5: [1, 0, 0, 0]}).best == 1.0
    assert ScoresByShare({1.0: [0, 0], 0.7: [0, 0], 0.5: [0, 0]}).best == 1.0, "nothing speaks for less of it"
    ways: dict[tuple[int, float], list[float]] = {(place, share): [0, 0] for place in (0, 1) for share in (1.0, 0.5)}
    assert ScoresByShare(ways).best == (0, 1.0)


def test_what_is_known_of_the_choice_comes_from_cases_that_did_not_make_it() -> None:
    """A case that decides for a share is told by the other: two shares that are ahead by one case each are worth none."""
    lucky = ScoresByShare({1.0: [1, 0, 1, 0], 0.5: [0, 1, 0, 1]})
    assert lucky.crossed == 0.0
    plain = ScoresByShare({1.0: [1] * 9 + [0] * 3, 0.5: [1] * 6 + [0] * 6})
    assert plain.crossed == 0.75, "what is clear costs nothing"
    assert ScoresByShare({1.0: [1, 1, 0, 1], 0.5: [0, 0, 0, 0]}).crossed == 0.75


def test_for_a_metric_over_rows_the_share_is_that_of_the_highest_figure() -> None:
    """By single answers the share that never says the rare label is as good as any, and the least is taken."""
    spam, ham = (Case(id=name, input=name, output=name) for name in ("spam", "ham"))
    plain = tiny.benchmark().task
    score = MetricScore(metric=load_metric("f1_of_label", {"label": "spam"}))
    leaning = Leaning.of(replace(plain, labels=("ham", "spam"), score=score))
    assert leaning is not None
    right = [spam] * 5 + [ham] * 43
    said = {1.0: "sss" + "h" * 42 + "sss", 0.7: "ss" + "h" * 43 + "sss", 0.5: "h" * 48, 0.35: "h" * 48}
    given = {share: ["spam" if letter == "s" else "ham" for letter in letters] for share, letters in said.items()}
    scores = {share: [float(c.output == g) for c, g in zip(right, row, strict=True)] for share, row in given.items()}
    worths = {share: leaning.worths(list(zip(right, row, strict=True))) for share, row in given.items()}
    assert ScoresByShare(scores).best == 0.35
    by_figure = ScoresByShare(scores, worths)
    assert by_figure.best == 1.0
    assert by_figure.crossed <= 43 / 48, "what is told is the share of right answers"


def test_a_fit_goes_by_the_metric_over_rows(task: Task, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    right = {1.0: (0.0, 0.0), 0.7: (1.0, 1.0), 0.5: (1.0, 1.0), 0.35: (1.0, 1.0)}

    def examine(self: PipelineBuilder, pipeline: Pipeline, cases: object) -> Look:
        share = float(str(pipeline.adapter).rpartition("-")[2])
        return Look(right[share], (), {"share": share})

    def judge(self: PipelineBuilder, standing: Standing) -> None:
        standing.worths = [0.9, 0.9] if standing.notes[0]["share"] == 1.0 else [0.1, 0.1]

    monkeypatch.setattr(PipelineBuilder, "examine", examine)
    monkeypatch.setattr(PipelineBuilder, "judge", judge)
    monkeypatch.setattr("strategies.finetuning.tuned.scaled", lambda adapter, share: Path(f"{adapter}-{share}"))
    silent = ScriptedModel(name="silent", answer=lambda _: "")
    builder = PipelineBuilder(task, tiny.Bench(folder=tmp_path, language=silent))
    validation = ValidationResult.by_refit(
        builder, builder.build(Setup(), task.examples, tmp_path / "a"), task.examples[:2]
    )
    assert (validation.share, validation.score) == (1.0, 0.0)


def test_a_fit_takes_the_share_that_answers_what_was_kept_apart(
    model: LocalModel, task: Task, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    right = {1.0: (0.0,) * 4, 0.7: (1.0,) * 4, 0.5: (1.0,) * 4, 0.35: (0.0,) * 4}
    seen = []

    def examine(self: PipelineBuilder, pipeline: Pipeline, cases: object) -> Look:
        assert pipeline.adapter is not None
        share = float(pipeline.adapter.name.rpartition("-")[2]) if "-" in pipeline.adapter.name else 1.0
        seen.append(share)
        return Look(right[share], (), {"share": share})

    monkeypatch.setattr(PipelineBuilder, "examine", examine)
    builder = PipelineBuilder(task, tiny.Bench(folder=tmp_path, language=model))
    folder = tmp_path / "adapter"
    refitted = builder.build(Setup(), task.examples, folder)
    apart = kept_apart(task, 0)
    monkeypatch.setattr("strategies.finetuning.tuned.scaled", lambda adapter, share: Path(f"{adapter}-{share}"))
    validation = ValidationResult.by_refit(builder, refitted, apart)
    assert seen == list(SHARES)
    assert (validation.share, validation.score, validation.notes) == (0.5, 1.0, ({"share": 0.5},))
    assert validation.shares == {"1": 0.0, "0.7": 1.0, "0.5": 1.0, "0.35": 0.0}
    assert validation.cases == len(apart)
    right |= {0.7: (1.0, 0.0, 1.0, 0.0), 0.5: (0.0, 1.0, 0.0, 1.0)}
    lucky = ValidationResult.by_refit(builder, refitted, apart)
    assert (lucky.score, lucky.shares["0.5"]) == (0.0, 0.5), "the score does not flatter"


@pytest.mark.parametrize(
    ("raced", "written", "read", "reads"),
    [
        (True, (1.0,) * 4, (0.0, 1.0, 0.0, 0.0), False),
        (False, (0.0, 1.0, 0.0, 0.0), (1.0,) * 4, True),
        (True, (1.0, 0.0, 1.0, 1.0), (1.0, 1.0, 1.0, 0.0), True),
    ],
)
def test_a_fit_writes_or_reads_answers_off_by_what_the_refit_does_better(
    raced: bool,
    written: tuple[float, ...],
    read: tuple[float, ...],
    reads: bool,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The race chose by a training so short that it read better than it wrote; of equals its choice stays."""
    reading = Reading(words=4)
    setup = Setup(passages=1, reading=reading if raced else None)

    def examine(self: PipelineBuilder, pipeline: Pipeline, cases: object) -> Look:
        return Look(written if pipeline.setup.reading is None else read, (), {"reads": pipeline.setup.reading})

    monkeypatch.setattr(PipelineBuilder, "examine", examine)
    monkeypatch.setattr(PipelineBuilder, "reading", lambda self, setup: reading)
    monkeypatch.setattr("strategies.finetuning.tuned.scaled", lambda adapter, share: Path(f"{adapter}-{share}"))
    task = tiny.benchmark().task
    silent = ScriptedModel(name="silent", answer=lambda _: "")
    builder = PipelineBuilder(task, tiny.Bench(folder=tmp_path, language=silent))
    refitted = replace(builder.build(Setup(), task.examples, tmp_path / "a"), setup=setup)
    validation = ValidationResult.by_refit(builder, refitted, task.examples[:4])
    assert validation.setup == replace(setup, reading=reading if reads else None)
    assert validation.notes == ({"reads": reading if reads else None},)
    assert set(validation.shares.values()) == {sum(read if reads else written) / 4}


def test_of_labels_the_share_is_taken_that_is_surest_of_the_right_ones(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """All shares answer alike; by answers alone the least would be taken."""
    task = tiny.benchmark(examples=40).task
    silent = ScriptedModel(name="silent", answer=lambda _: "")
    builder = PipelineBuilder(task, tiny.Bench(folder=tmp_path, language=silent), calibrates=False)
    sure = {1.0: 1.0, 0.7: 3.0, 0.5: 2.0, 0.35: 0.5}

    def examine(self: PipelineBuilder, pipeline: Pipeline, cases: Sequence[Case]) -> Look:
        share = float(str(pipeline.adapter).rpartition("-")[2])
        rows = [
            {"scores": [sure[share] * (label == case.output) for label in task.labels], "votes": [], "context": ""}
            | {"case": case.id}
            for case in cases
        ]
        return self.settled(Setup(), Look((), (), {"evidence": rows}))

    monkeypatch.setattr(PipelineBuilder, "examine", examine)
    monkeypatch.setattr("strategies.finetuning.tuned.scaled", lambda adapter, share: Path(f"{adapter}-{share}"))
    judged = ValidationResult.by_refit(
        builder, builder.build(Setup(), task.examples, tmp_path / "a"), task.examples[:8]
    )
    assert (judged.share, judged.score) == (0.7, 1.0)
    assert set(judged.shares.values()) == {1.0}


def test_the_share_is_told_where_it_is_not_all() -> None:
    recipe = {"rank": 16, "learning_rate": 1e-3, "batch_size": 8, "epochs": 4}
    assert "50 % of what the adapter learnt" in told({"recipe": recipe, "share": 0.5})
    assert "of what the adapter learnt" not in told({"recipe": recipe, "share": 1.0})
    assert "of what the adapter learnt" not in told({"recipe": recipe}), "runs of before have none"


def test_two_workers_may_make_the_same_share_at_once(adapter: Path, tmp_path: Path) -> None:
    mine = Path(shutil.copytree(adapter, tmp_path / "adapter"))
    with ProcessPoolExecutor(2, mp_context=get_context("spawn")) as workers:
        for share in (0.9, 0.8, 0.7, 0.6):
            made = list(workers.map(scaled, [mine] * 2, [share] * 2))
            assert made[0] == made[1]
            assert load_file(made[0] / WEIGHTS)
    assert not list(tmp_path.glob("*.partial"))
