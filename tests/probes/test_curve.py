"""What more examples would bring: samples of them, two laws of growth, and a run that is asked for it afterwards."""

from __future__ import annotations

import dataclasses
import shutil
from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from advisor.material import Extras
from benchmarks.contract import Evaluation, Row
from benchmarks.evaluation.evaluate import About, curve
from benchmarks.evaluation.stored import evaluations
from benchmarks.learning import Curve, CurvePoint
from benchmarks.metrics.f1_of_label import F1OfLabel
from benchmarks.probes import consistency
from benchmarks.probes.curve import DRAWS, FURTHEST, as_many_as, bracket, examples_for, gains, sampled, sizes
from benchmarks.running.plan import Further
from benchmarks.running.run import Run
from benchmarks.storage.store import Store, UnitResult
from strategies.approaches.lora import Lora
from strategies.contract import Case, Diverged, Fold, Prediction, Task
from tests import killed, tiny
from tests.situations import SITUATIONS, grown
from tests.verdict_cases import Bakeoff, PlainMetric, benchmark_of, evaluation_of, scores_of, task_of

AT = (40, 80, 160, 320)


# ---------------------------------------------------------------- samples of examples


def test_sizes_are_parts_of_all_and_never_a_handful() -> None:
    assert sizes(320) == (40, 80, 160)
    assert (sizes(80), sizes(79), sizes(60), sizes(40)) == ((10, 20, 40), (10, 20, 40), (10, 18, 33), (10, 16, 25))
    assert sizes(39) == ()


def test_a_smaller_sample_lies_within_a_larger_one_and_keeps_its_parts() -> None:
    task = tiny.benchmark(examples=48).task
    small, large = (sampled(task, size, 3) for size in (12, 24))
    assert (len(small.examples), len(large.examples)) == (12, 24)
    assert {case.id for case in small.examples} < {case.id for case in large.examples}
    for fold, whole in zip(large.folds, task.folds, strict=True):
        assert all(case in whole.train for case in fold.train)
        assert all(case in whole.selection for case in fold.selection)
    assert all(fold.selection and fold.train for fold in small.folds)
    assert sampled(task, 12, 4).examples != small.examples


def test_a_sample_is_of_whole_groups_but_for_the_last_one() -> None:
    """With one case of each group a few examples would know nearly what all of them do, and more would seem to bring nothing."""
    cases = [replace(case, group=f"thread {place // 4}") for place, case in enumerate(tiny.messages(48))]
    task = replace(tiny.benchmark().task, folds=(Fold(train=tuple(cases[8:]), selection=tuple(cases[:8])),))
    for size, groups in ((12, 4), (24, 6)):
        chosen = Counter(case.group for case in sampled(task, size, 1).examples)
        assert chosen.total() == size
        assert len(chosen) <= groups


def test_samples_of_one_group_differ() -> None:
    """By label in the file: the first of them would be of one label in every draw."""
    cases = sorted((replace(case, group="one") for case in tiny.messages(80)), key=lambda case: case.output)
    task = replace(tiny.benchmark().task, folds=(Fold(train=tuple(cases[:60]), selection=tuple(cases[60:])),))
    drawn = [sampled(task, 20, draw).examples for draw in range(3)]
    assert len({frozenset(case.id for case in each) for each in drawn}) == 3
    assert all(len({case.output for case in each}) > 1 for each in drawn)


# ---------------------------------------------------------------- laws of growth


def points(truth: Callable[[float], float], cases: int = 100, seed: int = 0) -> list[CurvePoint]:
    """Scores of candidates whose chance of being right grows with the examples, the same cases being hard for all."""
    rng = np.random.default_rng(seed)
    hard = rng.random(cases)
    rows = {size: DRAWS if size < AT[-1] else 1 for size in AT}
    return [
        CurvePoint(
            examples=size,
            scores=tuple(
                tuple(((0.7 * hard + 0.3 * rng.random(cases)) < _edge(truth(size))).astype(float).tolist())
                for _ in range(draws)
            ),
        )
        for size, draws in rows.items()
    ]


def _edge(share: float) -> float:
    """Where a mixture of two uniforms has that share below it."""
    drawn = 0.7 * np.linspace(0, 1, 201)[:, None] + 0.3 * np.linspace(0, 1, 201)[None, :]
    return float(np.quantile(drawn, share))


@pytest.mark.parametrize(
    "truth",
    [
        lambda n: 0.9 - 1.6 * n**-0.35,
        lambda n: 0.2 + 0.1 * np.log(n / 10),
        lambda n: 0.75,
        lambda n: 0.3 + 0.7 / (1 + (n / 700) ** -1.3),
    ],
    ids=["power", "logarithm", "flat", "late"],
)
def test_the_bracket_holds_what_comes_with_twice_as_many(truth: Callable[[float], float]) -> None:
    """Of a curve that rises late, from a figure that is there without examples, two laws alone held none of 40."""
    held, widths = 0, []
    for seed in range(20):
        low, high = bracket(points(truth, 300, seed), truth(AT[-1]), 2 * AT[-1])
        held += low - 0.005 <= truth(2 * AT[-1]) <= high + 0.005
        widths.append(high - low)
    assert held >= 14
    assert np.median(widths) <= 0.15


def test_more_examples_are_never_expected_to_be_a_loss_and_never_more_than_all_right() -> None:
    falling = points(lambda n: 0.8 - 0.05 * np.log(n / 40))
    assert gains(falling, [2 * AT[-1], 4 * AT[-1]]).min() >= 0
    assert np.median(gains(falling, [4 * AT[-1]])) <= 0.01
    steep = points(lambda n: min(0.99, n / 330))
    assert bracket(steep, 0.97, 4 * AT[-1])[1] <= 1.0


def test_samples_that_differ_more_widen_the_bracket() -> None:
    calm = [CurvePoint(examples=size, scores=((1.0,) * 60 + (0.0,) * 40,) * 3) for size in AT]
    wild = [
        CurvePoint(examples=size, scores=tuple((1.0,) * right + (0.0,) * (100 - right) for right in (50, 60, 70)))
        for size in AT
    ]
    widths = [high - low for low, high in (bracket(some, 0.6, 2 * AT[-1]) for some in (calm, wild))]
    assert widths[0] < 0.02
    assert widths[1] > 0.15


def test_cases_of_one_group_are_one_piece_of_evidence() -> None:
    """What 300 cases tell of which ten at a time are alike is what 30 tell."""
    alone = points(lambda n: 0.3 + 0.06 * np.log(n), 30)
    alike = [
        replace(point, scores=tuple(tuple(np.repeat(row, 10).tolist()) for row in point.scores)) for point in alone
    ]
    groups = tuple(f"{place // 10}" for place in range(300))
    grouped = [replace(point, groups=groups) for point in alike]
    found, of_all = (bracket(some, 0.6, 4 * AT[-1]) for some in (grouped, alike))
    assert found == pytest.approx(bracket(alone, 0.6, 4 * AT[-1]))
    assert found != pytest.approx(of_all, abs=0.005)


def test_nothing_is_said_beyond_four_times_as_many() -> None:
    with pytest.raises(ValueError, match="more than 4 times"):
        bracket(points(lambda n: 0.7), 0.7, FURTHEST * AT[-1] + 1)


def test_how_many_examples_a_goal_takes() -> None:
    growing = points(lambda n: 0.2 + 0.1 * np.log(n / 10), cases=400)
    figure = 0.2 + 0.1 * np.log(32)
    few, many = examples_for(growing, figure, figure + 0.05)
    assert few is not None
    assert many is not None
    assert AT[-1] < few <= many <= FURTHEST * AT[-1]
    assert few <= 1.1 * AT[-1] * np.exp(0.5)
    assert many >= 0.9 * AT[-1] * np.exp(0.5)
    assert examples_for(growing, figure, 0.99) == (None, None)
    assert examples_for(points(lambda n: 0.6, cases=400), 0.6, 0.9) == (None, None)


def test_what_a_prompt_is_worth_in_examples() -> None:
    curve = [
        CurvePoint(examples=size, scores=(tuple([1.0] * right + [0.0] * (10 - right)),))
        for size, right in ((40, 2), (80, 4), (160, 6))
    ]
    assert as_many_as(curve, [1.0] * 5 + [0.0] * 5) == pytest.approx((80 * 160) ** 0.5)
    assert as_many_as(curve, [1.0] * 2 + [0.0] * 8) == pytest.approx(40)
    assert as_many_as(curve, [1.0] * 9 + [0.0]) is None
    assert as_many_as(curve, [0.0] * 10) is None


def test_to_be_as_good_nearly_always_takes_more_examples_where_samples_differ() -> None:
    def curve(hits: Sequence[Sequence[int]]) -> list[CurvePoint]:
        rows = [tuple(tuple([1.0] * right + [0.0] * (100 - right)) for right in draws) for draws in hits]
        return [CurvePoint(examples=size, scores=row) for size, row in zip(AT, rows, strict=True)]

    goal = [1.0] * 50 + [0.0] * 50
    steady, shaky = curve([[20] * 3, [40] * 3, [60] * 3, [80]]), curve([[20] * 3, [35, 40, 45], [55, 60, 65], [80]])
    assert as_many_as(steady, goal, nearly_always=True) == as_many_as(steady, goal) == as_many_as(shaky, goal)
    later = as_many_as(shaky, goal, nearly_always=True)
    assert later is not None
    assert 1.4 < later / (as_many_as(shaky, goal) or 0) < 1.65, "12 of 20 points between two sizes"


# ---------------------------------------------------------------- a run

CANDIDATES = ("majority", "copy nearest", "linear head", "prompting", "lora")
"""One of each way to be fitted."""


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """A finished run of `CANDIDATES`, and its model."""
    import torch

    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    model = tiny.model_folder(tmp_path_factory.mktemp("model"))
    folder = tmp_path_factory.mktemp("curve")
    _bakeoff(folder, model).execute()
    torch.set_num_threads(threads)
    return folder, model


def _bakeoff(folder: Path, model: Path) -> Run:
    whole = killed.bakeoff(folder, model)
    few = tuple(each for each in whole.candidates if each.name in CANDIDATES)
    return dataclasses.replace(whole, benchmark=tiny.benchmark(examples=40), candidates=few)


def test_a_finished_run_can_be_asked_for_its_curve(
    finished: tuple[Path, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = Path(shutil.copytree(finished[0], tmp_path / "run"))
    before = sorted(path.name for path in (folder / "adapters").iterdir())
    run = dataclasses.replace(_bakeoff(folder, finished[1]), further=Further(curve=True))
    monkeypatch.setattr(consistency, "PROBE_CASES", 8)
    run.execute()
    with closing(Store(folder / "run.sqlite")) as store:
        measured = {name: len(list(store.rows(name, "curve"))) for name in store.candidates()}
        found = {each.candidate: each for each in evaluations(run.benchmark, killed.described(run), store)}
    cases = len(run.benchmark.heldout)
    assert measured["linear head"] == measured["copy nearest"] == 3 * DRAWS * cases
    assert measured["lora"] == 3 * DRAWS * 8, "with a language model on the cases of the checks"
    assert measured["majority"] == measured["prompting"] == 0
    curve = found["lora"].curve
    assert isinstance(curve, Curve)
    assert [(point.examples, len(point.scores)) for point in curve.points] == [
        *((size, DRAWS) for size in (10, 16, 25)),
        (40, 1),
    ]
    assert len(curve.keys) == 8
    assert found["prompting"].curve is None
    assert sorted(path.name for path in (folder / "adapters").iterdir()) == before, "what was trained for it is gone"
    assert not list(folder.glob("scratch*"))


@pytest.mark.nightly
def test_a_sample_that_cannot_be_trained_leaves_the_run_without_that_curve(
    finished: tuple[Path, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def diverge(*_: object) -> None:
        raise Diverged("the loss was not a number")

    monkeypatch.setattr(Lora, "rebuilt", diverge)
    folder = Path(shutil.copytree(finished[0], tmp_path / "run"))
    run = dataclasses.replace(_bakeoff(folder, finished[1]), further=Further(curve=True))
    run.execute()
    with closing(Store(folder / "run.sqlite")) as store:
        found = {each.candidate: each for each in evaluations(run.benchmark, killed.described(run), store)}
    assert found["lora"].curve is None
    assert found["linear head"].curve is not None


def test_without_being_asked_there_is_no_curve(finished: tuple[Path, Path]) -> None:
    with closing(Store(finished[0] / "run.sqlite")) as store:
        assert not any(list(store.rows(name, "curve")) for name in store.candidates())


def test_of_a_metric_over_rows_the_points_are_its_own_figures(tmp_path: Path) -> None:
    bench = benchmark_of(cases=10, task=task_of(examples=40))
    heldout = tuple(
        dataclasses.replace(case, output="spam" if i < 2 else "ham", group="one" if i > 7 else "")
        for i, case in enumerate(bench.heldout)
    )
    bench = dataclasses.replace(bench, heldout=heldout, metric=F1OfLabel(label="spam"))

    def rows(purpose: str, variant: str, hits: int) -> tuple[Row, ...]:
        texts = ["spam"] * hits + ["ham"] * (10 - hits)
        said = [(case, text, float(text == case.output)) for case, text in zip(heldout, texts, strict=True)]
        common = {"candidate": "c", "purpose": purpose, "variant": variant}
        return tuple(
            Row(key=case.id, outcome=Prediction(text=text), score=score, **common) for case, text, score in said
        )

    asked = {size: rows("curve", "", hits) for size, hits in ((10, 0), (16, 1), (25, 1))}
    with closing(Store(tmp_path / "run.sqlite")) as store:
        for size, told in asked.items():
            for draw in range(DRAWS):
                unit, variant = f"{size}-{draw}", f"{size}/{draw}"
                store.begin(unit, "curve", "c")
                drawn = tuple(dataclasses.replace(row, variant=variant) for row in told)
                store.finish(UnitResult(unit=unit, kind="curve", candidate="c", rows=drawn))
        about = About(name="c", approach="c", family="finetuning", model="", simplicity=1)
        found = curve(bench, about, store, {row.key: row for row in rows("heldout", "", 2)})
    assert found is not None
    assert [point.figure for point in found.points] == pytest.approx([0.0, 2 / 3, 2 / 3, 1.0])
    assert np.mean(found.points[0].scores) == pytest.approx(0.8), "of its answers are right"
    assert {point.groups for point in found.points} == {(*found.keys[:8], "one", "one")}


# ---------------------------------------------------------------- as it is told


def over_rows(name: str, right: int, figure: float) -> Evaluation:
    """Measured with fewer examples; F1 lies far below the share of right answers."""
    scores, draws = scores_of(right, 300, 5), (figure + np.linspace(-0.04, 0.04, 2001)).tolist()
    found = grown((66, 68, 69), scores)
    points = tuple(
        dataclasses.replace(point, of_rows=(figure - 0.05 * step,) * len(point.scores))
        for step, point in zip((3, 2, 1, 0), found.points, strict=True)
    )
    grew = dataclasses.replace(found, points=points)
    return evaluation_of(name, scores, over_rows=(figure, draws), curve=grew)


def test_of_a_metric_over_rows_nothing_beyond_what_was_measured_is_foretold() -> None:
    bench = benchmark_of(metric=PlainMetric(name="macro_f1", over_rows=True))
    given = (over_rows("linear head", 210, 0.22), over_rows("lora", 225, 0.31))
    story = Bakeoff(evaluations=given, benchmark=bench, extras=Extras(label_price=(0.5, "USD"))).told().story
    at = tuple(f"{size} examples" for size in (37, 75, 150, 300))
    assert story.examples.columns == ("approach", *at)
    assert ("lora", "16 %", "21 %", "26 %", "31 %") in story.examples.rows
    assert story.examples.note.endswith(
        "What more would bring is not told: the laws of growth are of mean scores, and macro F1 exists only over all cases "
        "together."
    )
    assert story.learning is not None
    assert story.learning.title == "Lora reaches 16 % with 37 examples and 31 % with 300"
    assert [each.expected for each in story.learning.series] == [(), ()]
    (step,) = (step for step in story.next_steps if step.startswith("Collect more examples"))
    assert "How much they would help is not foretold: the laws of growth" in step
    told = " ".join((*story.would_change, *story.next_steps))
    assert "four times as many" not in told
    assert story.facts["prompt_worth"] is None
    assert story.facts["more_examples"] == []
    assert [each["expected"] for each in story.facts["candidates"]] == [[], []]
    assert story.facts["candidates"][0]["curve"][-1]["figures"] == [0.22]


def test_what_is_told_of_more_examples() -> None:
    told = SITUATIONS["more_examples_would_help"]().told()
    assert any(line.startswith("More examples: with") for line in told.story.would_change)
    assert len(told.story.examples.rows) == 2
    sizes = (*(f"{size} examples" for size in (37, 75, 150, 300)), "600, expected", "1,200, expected")
    assert told.story.examples.columns == ("approach", *sizes)


def test_a_task_keeps_its_cases_in_one_fold() -> None:
    cases = tuple(Case(id=f"e{place}", input=f"m{place}", output="a") for place in range(40))
    task = Task(
        name="t",
        kind="classification",
        instruction="i",
        folds=(Fold(train=cases[:32], selection=cases[32:]),),
        score=lambda case, outcome: 0.0,
        labels=("a", "b"),
    )
    small = sampled(task, 10, 0)
    assert (len(small.folds[0].train), len(small.folds[0].selection)) == (8, 2)
