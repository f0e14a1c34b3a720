"""Rebuilds: samples of the examples, what moves between them, and a run that is asked for it afterwards."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from itertools import combinations
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from advisor.experiments.example import opened
from advisor.experiments.stored import reopen
from advisor.probes.steadiness import next_time
from benchmarks.checked import Rebuilds
from benchmarks.contract import Candidate, Row
from benchmarks.costs.forecast import forecast
from benchmarks.evaluation.evaluate import built_again
from benchmarks.evaluation.stored import evaluations, rescored
from benchmarks.metrics.f1_of_label import F1OfLabel
from benchmarks.probes.rebuilds import SHARE, kept, over_pairs, rebuilds, resampled, size, spread, steadier, turns
from benchmarks.running.plan import Further, Options, Unit, rebuild_units
from benchmarks.running.run import Run
from benchmarks.running.work import Worker
from benchmarks.storage.store import Store, UnitResult
from strategies.approaches.contrastive_head import ContrastiveHead
from strategies.approaches.copy_nearest import CopyNearest
from strategies.approaches.linear_head import LinearHead
from strategies.approaches.lora import Lora
from strategies.approaches.majority import Majority
from strategies.approaches.recorded import Recorded
from strategies.catalog import approaches
from strategies.contract import Diverged, Failure, Prediction, Strategy, Unanswered
from strategies.prompting.rendering import label_cases
from strategies.traits import prefers_cheapest
from tests import killed, tiny
from tests.desk import call
from tests.running.test_run import model  # noqa: F401 - a fixture
from tests.situations import SITUATIONS, rebuilt
from tests.verdict_cases import benchmark_of, evaluation_of, scores_of

# ---------------------------------------------------------------- samples of examples


def test_a_rebuild_gets_four_fifths_and_shares_four_fifths_of_them() -> None:
    task = tiny.benchmark(examples=100).task
    samples = [{case.id for case in resampled(task, seed).examples} for seed in range(20)]
    assert {len(sample) for sample in samples} == {80} == {size(100)}
    shared = [len(one & other) / 80 for one, other in combinations(samples, 2)]
    assert np.mean(shared) == pytest.approx(SHARE, abs=0.02)
    assert resampled(task, 3) == resampled(task, 3)


def test_nothing_is_learnt_that_is_selected_on() -> None:
    for fold in resampled(tiny.benchmark(examples=100).task, 1).folds:
        train, selection = {case.id for case in fold.train}, {case.id for case in fold.selection}
        assert train
        assert selection
        assert not train & selection


def test_near_duplicates_go_in_or_stay_out_together() -> None:
    task = tiny.benchmark(examples=60).task
    twins = tuple(replace(case, group=f"g{place // 3}") for place, case in enumerate(task.examples))
    fold = replace(task.folds[0], train=twins[:40], selection=twins[40:])
    for seed in range(10):
        chosen = [case.group for case in resampled(replace(task, folds=(fold,)), seed).examples]
        assert {chosen.count(group) for group in chosen} == {3}
        assert len(chosen) == 48


def test_one_large_group_is_sampled_case_by_case() -> None:
    task = tiny.benchmark(examples=30).task
    alike = tuple(replace(case, group="all") for case in task.examples)
    fold = replace(task.folds[0], train=alike[:20], selection=alike[20:])
    assert len(resampled(replace(task, folds=(fold,)), 0).examples) == 24


# ---------------------------------------------------------------- what moves


def answer(draw: int, key: str, text: str, score: float) -> Row:
    outcome = Prediction(text=text)
    return Row(candidate="c", purpose="rebuild", key=key, variant=str(draw), outcome=outcome, score=score)


def test_right_twice_is_the_same_and_wrong_twice_only_with_one_answer() -> None:
    rows = [
        *(answer(0, "a", "28", 1.0), answer(0, "b", "no", 0.0), answer(0, "c", "no", 0.0), answer(0, "d", "x", 1.0)),
        *(
            answer(1, "a", "28.", 1.0),
            answer(1, "b", "no", 0.0),
            answer(1, "c", "never", 0.0),
            answer(1, "d", "y", 0.0),
        ),
    ]
    found = rebuilds(rows, finished=3)
    assert found is not None
    assert found.same == ((True, True, False, False),)
    assert (found.draws, found.failed) == ((0, 1), 1)
    assert turns(found) == pytest.approx((0.25, 0.5, 0.25))
    assert (kept(found, {}).mean, kept(found, {}).lower) == (0.5, None), "one pair says nothing of other rebuilds"
    assert rebuilds([], finished=0) is None
    lost = Failure(kind="infrastructure", message="status 503")
    without = rebuilds([*rows[:-1], replace(rows[-1], outcome=lost)], finished=2)
    assert without is not None
    assert (without.keys, without.same) == (("a", "b", "c"), ((True, True, False),)), "what a fault took says nothing"


def test_the_spread_of_figures() -> None:
    found = rebuilt([70, 74, 78], 0)
    deviation, low, high = spread(found)
    assert deviation == pytest.approx(0.04)
    assert (low, high) == pytest.approx((0.04 * 0.5207, 0.04 * 6.2847), rel=1e-3), (
        "chi-square with 2 degrees of freedom"
    )
    assert spread(rebuilt([70, 70, 70], 0)) == (0.0, 0.0, 0.0)


def test_of_a_metric_over_rows_the_spread_is_of_its_own_figure_and_not_of_right_answers(tmp_path: Path) -> None:
    bench = benchmark_of(cases=10)
    heldout = tuple(replace(case, output="spam" if place < 2 else "ham") for place, case in enumerate(bench.heldout))
    bench = replace(bench, heldout=heldout, metric=F1OfLabel(label="spam"))
    said = (("spam", "ham"), ("spam", "spam"), ("ham", "ham"))  # To the two that are spam; ham to all others.
    rows = tuple(
        answer(draw, case.id, text, float(text == case.output))
        for draw, texts in enumerate(said)
        for case, text in zip(heldout, [*texts, *["ham"] * 8], strict=True)
    )
    with closing(Store(tmp_path / "run.sqlite")) as store:
        for draw in range(3):
            store.begin(f"u{draw}", "rebuild", "c")
            own = tuple(row for row in rows if row.variant == str(draw))
            store.finish(UnitResult(unit=f"u{draw}", kind="rebuild", candidate="c", rows=own))
        found = built_again(bench, list(store.rows("c", "rebuild")), store, ["c"])
    assert found is not None
    assert found.figures == pytest.approx((2 / 3, 1.0, 0.0))
    assert spread(found)[0] == pytest.approx(np.std([2 / 3, 1, 0], ddof=1))
    assert np.mean(found.scores, axis=1) == pytest.approx((0.9, 1.0, 0.8))
    (line,) = next_time(replace(evaluation_of("lora"), rebuilds=found))
    assert "its figure typically moves by 51 points up or down" in line


def two_alike(dice: np.random.Generator, size: int, moving: float) -> Any:
    """Agreement of pairs of rebuilds, of one approach minus another that is as steady."""
    cases = dice.normal(1, 2, 80)
    found = []
    for _ in range(2):
        right = cases + dice.normal(0, moving, (size, 1)) + dice.normal(0, 1, (size, 80)) > 0
        found.append([right[one] == right[other] for one, other in combinations(range(size), 2)])
    return np.array(found[0], dtype=float) - np.array(found[1], dtype=float)


@pytest.mark.parametrize(("size", "moving"), [(3, 0.0), (3, 2.0), (5, 1.5)])
def test_two_that_are_as_steady_are_rarely_told_apart(size: int, moving: float) -> None:
    dice = np.random.default_rng(size)
    told = 0
    for _ in range(300):
        share = over_pairs(two_alike(dice, size, moving), range(size), np.arange(80, dtype=np.intp))
        assert share.lower is not None
        assert share.upper is not None
        told += not share.lower <= 0 <= share.upper
    assert told <= 25, "15 are expected at 5 %; 25 or more come by chance in 1 of 100 such tests"


def test_a_clear_difference_is_told_and_groups_make_it_less_sure() -> None:
    dice = np.random.default_rng(0)
    steady = rebuilt([80] * 5, 0)
    shaky = replace(steady, same=tuple(tuple(bool(kept) for kept in row) for row in dice.random((10, 100)) < 0.7))
    alone = steadier(steady, shaky, {})
    grouped = steadier(steady, shaky, {key: f"g{place // 20}" for place, key in enumerate(steady.keys)})
    assert alone is not None
    assert grouped is not None
    assert alone.lower is not None
    assert alone.lower > 0
    assert (grouped.upper or 0) - (grouped.lower or 0) != pytest.approx((alone.upper or 0) - alone.lower)
    assert steadier(steady, rebuilt([60] * 2, 7), {}) is None, "two samples in common"


def test_no_difference_of_shares_is_more_than_all_of_them() -> None:
    cases = [True] * 100
    moving = replace(rebuilt([80] * 3, 0), same=(tuple(cases), tuple(not each for each in cases), tuple(cases)))
    found = steadier(moving, replace(moving, same=(tuple(cases),) * 3), {})
    assert found is not None
    assert found.lower == -1.0
    assert (found.upper or 0.0) <= 1.0


# ---------------------------------------------------------------- a run


def of(strategies: Sequence[Strategy], folder: Path, made: Path, events: Any = None) -> Run:
    models = tiny.models(made)
    return Run(
        benchmark=tiny.benchmark(),
        candidates=[
            Candidate(name=each.name, strategy=each, model=models.names[0] if each.needs else "") for each in strategies
        ],
        models=models,
        options=Options(tuning_tokens=1_000, probes=False),
        folder=folder,
        events=events or killed.Dying(),
    )


def named(*names: str) -> list[Strategy]:
    return [each for each in approaches() if each.name in names and not prefers_cheapest(each)]


def stored(run: Run) -> dict[tuple[str, str, str], tuple[str, float]]:
    with closing(Store(run.folder / "run.sqlite")) as store:
        return {
            (name, row.variant, row.key): (getattr(row.outcome, "text", ""), row.score)
            for name in store.candidates()
            for row in store.rows(name, "rebuild")
        }


def starts(run: Run) -> dict[str, int]:
    with closing(Store(run.folder / "run.sqlite")) as store:
        return store.starts()


def told(run: Run) -> dict[str, Rebuilds | None]:
    with closing(Store(run.folder / "run.sqlite")) as store:
        found = evaluations(run.benchmark, killed.described(run), store)
        assert rescored(run.benchmark, store) == 0
    return {each.candidate: each.rebuilds for each in found}


@dataclass
class Interrupted(killed.Dying):
    """Ends the run when so many units of a kind are stored."""

    def finished(self, unit: Any, done: UnitResult) -> None:
        self.left -= unit.kind == self.where
        if self.left < 0:
            raise KeyboardInterrupt


def test_a_finished_run_is_rebuilt_when_asked_and_once_more_when_asked_for_more(model: Path, tmp_path: Path) -> None:  # noqa: F811
    run = of(named("majority", "copy nearest", "lora"), tmp_path / "run", model)
    run.execute()
    assert told(run)["lora"] is None
    before, adapters = starts(run), sorted((run.folder / "adapters").iterdir())
    replace(run, further=Further(rebuilds=2)).execute()
    two, first = starts(run), stored(run)
    replace(run, further=Further(rebuilds=3)).execute()
    three = starts(run)
    assert {name: three[name] for name in before} == before
    assert {name: three[name] for name in two} == two
    assert len(three) - len(two) == 3
    assert {key: value for key, value in stored(run).items() if key[1] != "2"} == first
    found = told(run)
    assert all(each is not None and each.draws == (0, 1, 2) and each.failed == 0 for each in found.values())
    for draw in "012":
        assert len({text for key, (text, _) in stored(run).items() if key[:2] == ("majority", draw)}) == 1
    assert sorted((run.folder / "adapters").iterdir()) == adapters, "what was trained for it is gone"
    assert not list(run.folder.glob("scratch*"))


def test_it_goes_on_where_it_was_interrupted_with_the_same_rows(model: Path, tmp_path: Path) -> None:  # noqa: F811
    strategies = named("copy nearest", "linear head", "prompting")
    whole = replace(of(strategies, tmp_path / "whole", model), further=Further(rebuilds=1))
    whole.execute()
    cut = replace(of(strategies, tmp_path / "cut", model, Interrupted("rebuild", 1)), further=Further(rebuilds=1))
    with pytest.raises(KeyboardInterrupt):
        cut.execute()
    begun = starts(cut)
    replace(cut, events=killed.Dying()).execute()
    assert stored(cut) == stored(whole)
    assert len(stored(whole)) == 3 * len(whole.benchmark.heldout)
    assert {name: starts(cut)[name] for name in begun} == begun


def test_who_copies_the_nearest_answers_otherwise_where_that_is_left_out(model: Path, tmp_path: Path) -> None:  # noqa: F811
    run = replace(of([CopyNearest()], tmp_path, model), further=Further(rebuilds=4))
    run.execute()
    samples = [{case.id for case in resampled(run.benchmark.task, 1 + draw).examples} for draw in range(4)]
    labels = {case.id for case in label_cases(run.benchmark.task.labels)}
    with closing(Store(run.folder / "run.sqlite")) as store:
        nearest = {row.key: row.outcome.evidence[0] for row in store.rows("copy nearest", "heldout")}  # type: ignore[union-attr]
        seen = [0, 0]
        for row in store.rows("copy nearest", "rebuild"):
            assert isinstance(row.outcome, Prediction)
            before = nearest[row.key].document_id
            kept_it = before in samples[int(row.variant)] or before in labels
            assert (row.outcome.evidence[0].document_id == before) == kept_it
            seen[kept_it] += 1
    assert all(seen)


def test_the_embedder_and_what_it_has_read_are_those_of_the_run(model: Path, tmp_path: Path) -> None:  # noqa: F811
    """A sample of the examples is no other run: nothing is loaded or read anew for it, nor for what comes after it."""
    seen = []

    @dataclass
    class Watching(killed.Dying):
        def finished(self, unit: Any, done: UnitResult) -> None:
            seen.append(run.models.embedder)

    run = replace(of([CopyNearest()], tmp_path, model, Watching()), further=Further(rebuilds=2))
    run.execute()
    assert len(seen) > 3
    assert all(each is seen[0] for each in seen)


@pytest.mark.parametrize(
    "error",
    [
        Diverged("the loss was not a number"),
        ValueError("a fault that may pass"),
        Unanswered("12 of 12 answers were lost"),
    ],
)
def test_a_rebuild_that_cannot_be_trained_is_counted_and_ends_nothing(
    model: Path,  # noqa: F811
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    error: Exception,
) -> None:
    run = of(named("linear head"), tmp_path, model)
    run.execute()
    fit = LinearHead.fit

    def sometimes(self: LinearHead, task: Any, bench: Any) -> Any:
        if bench.seed == 2:
            raise error
        return fit(self, task, bench)

    monkeypatch.setattr(LinearHead, "fit", sometimes)
    replace(run, further=Further(rebuilds=2)).execute()
    found = told(run)["linear head"]
    assert found is not None
    cut_off = isinstance(error, Unanswered)
    assert (found.draws, found.failed, found.waiting) == ((0,), int(not cut_off), int(cut_off))
    evaluation = replace(evaluation_of("linear head", scores_of(9, 12)), rebuilds=found)
    (said,) = next_time(evaluation)
    if cut_off:
        assert said.startswith("1 rebuild of linear head is not measured yet, ended by faults outside the approach")
    else:
        assert said == "Of 2 rebuilds of linear head 1 gave nothing that could answer."
    monkeypatch.setattr(LinearHead, "fit", fit)
    replace(run, further=Further(rebuilds=2)).execute()
    again = told(run)["linear head"]
    assert again is not None
    assert again.failed == isinstance(error, Diverged), "only what may pass is tried again"
    assert again.waiting == 0


def test_what_is_planned_and_what_it_takes(model: Path, monkeypatch: pytest.MonkeyPatch) -> None:  # noqa: F811
    monkeypatch.setattr("benchmarks.costs.forecast.matrix_rate", lambda placement: 1e9)
    benchmark, options, models = tiny.benchmark(), Options(), tiny.models(model)
    answers = Candidate(name="team", strategy=Recorded(name="team", answers={}), model="")
    tuned = [Candidate(name="lora", strategy=Lora(), model=models.names[0])]
    assert rebuild_units(benchmark, answers, options, "", 3) == []
    assert rebuild_units(tiny.benchmark(examples=9), tuned[0], options, "", 3) == []
    assert len({unit.name for unit in rebuild_units(benchmark, tuned[0], options, "", 3)}) == 3
    none, one, three = (
        forecast(benchmark, tuned, models, options, Further(rebuilds=number)).minutes for number in (0, 1, 3)
    )
    assert three - none == pytest.approx(3 * (one - none))
    assert one > none
    head, nearest = (
        [Candidate(name=each.name, strategy=each, model="")] for each in (ContrastiveHead(), CopyNearest())
    )
    asked = Further(rebuilds=3)
    monkeypatch.setattr("benchmarks.costs.forecast.bytes_as_float32", lambda folder: 4_000_000)
    alone, again = (forecast(benchmark, head, models, options, each).works[0] for each in (Further(), asked))
    assert alone.fit > 0
    assert alone.rest == 0
    assert again.rest == pytest.approx(3 * SHARE * alone.fit)
    assert forecast(benchmark, nearest, models, options, asked).works[0].seconds == 0


# ---------------------------------------------------------------- as it is told


def test_what_is_told_of_the_next_time() -> None:
    story = SITUATIONS["rebuilt_and_tuning_is_steadier"]().told().story
    assert [row[1] for row in story.rebuilds.rows] == ["5", "5", "5", "4, 1 failed"]
    assert any("the measurement agrees that weights are steadier than prompts" in line for line in story.reasons)
    lora = next(row for row in story.facts["candidates"] if row["name"] == "lora")
    assert lora["rebuilds"]["failed"] == 1
    assert len(lora["rebuilds"]["figures"]) == 4


def test_what_looks_things_up_is_no_proof_that_weights_are_steady() -> None:
    """Only lora + retrieval keeps its answers, and so does retrieval: lora keeps no more of them than prompting."""
    firm, loose = rebuilt([80] * 5, 0), rebuilt([60] * 5, 7)
    bakeoff = SITUATIONS["rebuilt_and_tuning_is_steadier"]()
    built = {"prompting": loose, "retrieval": loose, "lora": loose, "lora + retrieval": firm}

    def said() -> list[str]:
        found = [
            replace(evaluation_of(name, scores_of(240, 300, place), model="m"), rebuilds=each)
            for place, (name, each) in enumerate(built.items())
        ]
        return [line for line in replace(bakeoff, evaluations=tuple(found)).told().story.reasons if "steadier" in line]

    (line,) = said()
    assert line.startswith(
        "Built again from other examples, lora + retrieval keeps 100 % of its answers and retrieval "
    )
    assert line.endswith("That is not shown of lora and prompting. Steady does not mean right.")
    built["retrieval"] = firm
    assert said() == []


def test_prompts_that_are_steadier_are_told_and_what_cannot_be_told_is_not() -> None:
    def said(tuned: Rebuilds, prompted: Rebuilds) -> list[str]:
        bakeoff = SITUATIONS["rebuilt_and_tuning_is_steadier"]()
        built = {"lora": tuned, "prompting": prompted}
        evaluations = [replace(each, rebuilds=built.get(each.candidate)) for each in bakeoff.evaluations if each.scores]
        story = replace(bakeoff, evaluations=tuple(evaluations)).told().story
        return [line for line in story.reasons if "steadier than prompts" in line]

    steady, shaky = rebuilt([80] * 5, 0), rebuilt([60] * 5, 7)
    assert "the measurement disagrees" in said(shaky, steady)[0]
    assert said(steady, steady) == []
    assert said(rebuilt([80] * 2, 0), rebuilt([60] * 2, 7)) == []


def test_an_old_run_shows_nothing_of_it() -> None:
    with opened() as folder:
        story = reopen(folder, rescore=False).story
    assert story.rebuilds.rows == ()
    assert story.rebuilds.note == ""
    assert all(row["rebuilds"] is None for row in story.facts["candidates"])


def test_a_single_rebuild_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    done = call(capsys, "run", "support-intents", "--rebuilds", "1", "--dry-run")
    assert done.code == 2
    assert "rebuilds is 1; it takes 2 or more to compare" in done.err


def test_three_figures_that_happen_to_be_alike_have_no_interval() -> None:
    """Figures are whole cases, so ties among few are common and prove no steadiness."""
    found = rebuilt([12, 12, 12], 3)
    (line,) = next_time(replace(evaluation_of("lora"), rebuilds=found))
    assert line.endswith("and its figure came out the same in all 3 of them.")


@pytest.mark.parametrize(
    ("kind", "error", "stays"),
    [
        ("rebuild", KeyboardInterrupt, True),
        ("curve", KeyboardInterrupt, True),
        ("changed", KeyboardInterrupt, False),
        ("rebuild", ValueError, False),
    ],
)
def test_what_a_stopped_one_trained_stays_for_the_next_start(
    kind: str,
    error: type[BaseException],
    stays: bool,
    model: Path,  # noqa: F811
    tmp_path: Path,
) -> None:
    """Not where the unit tells how long its training took."""
    unit = Unit(name="u", kind=kind, candidate="lora")
    worker: Any = SimpleNamespace(folder=tmp_path)
    folder = tmp_path / "scratch-u"
    (folder / "checkpoints").mkdir(parents=True)
    with pytest.raises(error), Worker.scratch(worker, unit):
        raise error
    assert folder.is_dir() == stays
    run = of([Majority()], tmp_path, model)
    (tmp_path / "scratch-gone").mkdir()
    with closing(Store(tmp_path / "run.sqlite")) as store:
        run._tidy(store, [unit])
        assert list(tmp_path.glob("scratch-*")) == ([folder] if stays else [])
        store.begin("u", kind, "lora")
        store.finish(UnitResult(unit="u", kind=kind, candidate="lora"))
        run._tidy(store, [unit])
    assert not list(tmp_path.glob("scratch-*"))
