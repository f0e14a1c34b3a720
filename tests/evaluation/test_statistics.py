"""Bounds hold what they promise: against enumeration, another implementation, published numbers and simulation."""

from __future__ import annotations

import sys
from collections.abc import Callable
from functools import partial
from unittest.mock import Mock

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy import stats

from benchmarks.contract import Answered, State
from benchmarks.metrics import load
from benchmarks.metrics.f1_of_label import F1OfLabel
from benchmarks.metrics.macro_f1 import MacroF1
from benchmarks.statistics import confidence as st
from benchmarks.statistics import resampling
from benchmarks.statistics.betting import _learnt
from benchmarks.statistics.families import Family
from benchmarks.statistics.grouping import binomial_counts
from benchmarks.statistics.resampling import (
    FEWEST,
    Parts,
    Resampled,
    bootstrap_figures,
    bootstrap_means,
    draws_for,
    one_by_one,
    resampled_difference,
    resampled_metric,
    resting,
)
from benchmarks.statistics.sample_size import more_over_rows
from strategies.contract import Case

Floats = NDArray[np.float64]


def shares(right: int, n: int) -> Floats:
    return np.array([1.0] * right + [0.0] * (n - right))


# ---------------------------------------------------------------- one figure


@pytest.mark.parametrize(("k", "n"), [(0, 7), (7, 7), (1, 30), (241, 300), (270, 300)])
def test_share_intervals_equal_scipys(k: int, n: int) -> None:
    wilson = stats.binomtest(k, n).proportion_ci(0.95, method="wilson")
    assert st.wilson(k, n) == pytest.approx((wilson.low, wilson.high), abs=1e-12)
    above = stats.binomtest(k, n, alternative="greater").proportion_ci(0.99, method="exact")
    below = stats.binomtest(k, n, alternative="less").proportion_ci(0.99, method="exact")
    assert st.lower_bound(shares(k, n), None, 0.01) == pytest.approx(above.low, abs=1e-9)
    assert st.upper_bound(shares(k, n), [""] * n, 0.01) == pytest.approx(below.high, abs=1e-9)
    meets, misses = (stats.binomtest(k, n, 0.8, alternative=side).pvalue for side in ("greater", "less"))
    assert st.test_meets(shares(k, n), None, 0.8) == pytest.approx(meets, rel=1e-9)
    assert st.test_misses(shares(k, n), None, 0.8) == pytest.approx(misses, rel=1e-9)


def test_bound_and_test_always_agree() -> None:
    rng = np.random.default_rng(0)
    twos = [str(i // 2) for i in range(120)]
    tens = [str(i // 10) for i in range(120)]
    for _ in range(30):
        truth = rng.uniform(0.6, 0.95)
        right = (rng.random(120) < truth).astype(float)
        graded = rng.beta(8 * truth, 8 * (1 - truth), 120)
        for scores, groups in ((right, None), (right, twos), (right, tens), (graded, None), (graded, tens)):
            for target in (0.5, 0.75, 0.9):
                meets, misses = st.test_meets(scores, groups, target), st.test_misses(scores, groups, target)
                if abs(meets - 0.02) > 1e-3:
                    assert (meets <= 0.02) == (st.lower_bound(scores, groups, 0.02) >= target)
                if abs(misses - 0.02) > 1e-3:
                    assert (misses <= 0.02) == (st.upper_bound(scores, groups, 0.02) <= target)
            low, high = st.shown_interval(scores, groups)
            assert 0 <= low < scores.mean() < high <= 1


def test_groups_and_grading_change_the_bound_the_right_way() -> None:
    scores = shares(270, 300)[np.random.default_rng(1).permutation(300)]
    alone = st.lower_bound(scores, None, 0.05)
    pairs = st.lower_bound(np.repeat(scores, 2), [str(i // 2) for i in range(600)], 0.05)
    assert pairs == pytest.approx(alone, abs=1e-3), "every case twice is no more evidence than every case once"
    few = [str(i // 2) if i < 40 else "" for i in range(300)]
    assert alone - 0.01 < st.lower_bound(scores, few, 0.05) < alone
    graded = np.random.default_rng(2).beta(18, 2, 300)
    assert st.lower_bound(graded, None, 0.05) > st.lower_bound(shares(270, 300), None, 0.05) + 0.01


def test_groups_count_as_cases_only_where_they_are_small_and_many_and_for_fewer_where_they_differ_more() -> None:
    def counts(sizes: list[int], right: list[float]) -> tuple[float, float] | None:
        return binomial_counts(np.repeat(right, sizes).astype(float), np.repeat(np.arange(len(sizes)), sizes))

    half = [0.0, 1.0] * 20
    assert counts([2] * 40, half) is not None
    assert counts([3] * 40, half) is None, "three cases a group are beyond the limit, and bets are made on them"
    assert counts([2] * 38, half[:38]) is None, "and so are fewer than 40 groups"
    larger_are_wrong = counts([1] * 100 + [2] * 25, [1.0] * 100 + [0.0] * 25)
    assert larger_are_wrong is not None
    assert larger_are_wrong[1] < 100 < 150 / (200 / 150), "which is what the sizes alone make of them"


def test_what_is_bet_on_a_group_is_fixed_before_it_is_seen() -> None:
    sums, sizes = np.random.default_rng(3).random(30), np.ones(30)
    other = np.concatenate([sums[:10], np.zeros(20)])
    assert _learnt(sums, sizes)[:11].tolist() == _learnt(other, sizes)[:11].tolist()
    assert _learnt(sums, sizes)[11] != _learnt(other, sizes)[11]


def test_extreme_scores_have_honest_bounds() -> None:
    groups = [str(i // 10) for i in range(100)]
    for ones in (np.ones(100), np.full(100, 0.999)):
        assert 0.6 < st.lower_bound(ones, groups, 0.05) < 0.95
        assert st.upper_bound(ones, groups, 0.05) >= ones.mean()
    assert st.lower_bound(np.zeros(100), groups, 0.05) == 0
    assert st.test_meets(np.ones(100), groups, 1.0) == 1
    assert st.test_misses(np.zeros(50), None, 0.0) == 1
    assert st.lower_bound(np.array([0.5]), None, 0.05) < 0.5


@pytest.mark.parametrize("bad", [[], [0.5, 1.2], [float("nan")], [[0.5]]])
def test_scores_that_are_no_shares_are_refused(bad: list[float]) -> None:
    with pytest.raises(ValueError, match=r"\[0, 1\]|shape"):
        st.lower_bound(bad, None, 0.05)
    with pytest.raises(ValueError, match="2 groups for 3 scores"):
        st.lower_bound([0, 1, 1], ["a", "b"], 0.05)


# ---------------------------------------------------------------- error at the boundary, by simulation


def grouped(rng: np.random.Generator, accuracy: list[float], sizes: list[int], count: int) -> tuple[Floats, list[str]]:
    """Groups that are all right or all wrong, with an accuracy that depends on their size."""
    kinds = rng.integers(0, len(sizes), count)
    right = rng.random(count) < np.array(accuracy)[kinds]
    repeats = np.array(sizes)[kinds]
    return np.repeat(right, repeats).astype(float), [str(i) for i in np.repeat(np.arange(count), repeats)]


def few_larger(rng: np.random.Generator, singles: float, larger: float) -> tuple[Floats, list[str]]:
    """200 single cases, and five groups of eight that are all right or all wrong, each with an accuracy of its own."""
    sizes = np.repeat([1, 8], [200, 5])
    right = rng.random(205) < np.repeat([singles, larger], [200, 5])
    return np.repeat(right, sizes).astype(float), [str(i) for i in np.repeat(np.arange(205), sizes)]


def alone(scores: Floats) -> tuple[Floats, None]:
    return scores, None


DRAWS: dict[str, tuple[float, Callable[[np.random.Generator], tuple[Floats, list[str] | None]]]] = {
    "right or wrong": (0.8, lambda rng: alone((rng.random(100) < 0.8).astype(float))),
    "graded": (0.8, lambda rng: alone(rng.beta(3.2, 0.8, 100))),
    "graded, extreme": (0.95, lambda rng: alone(np.where(rng.random(60) < 0.05, 0.0, 1 - 1e-9))),
    "pairs and threes": (0.8, lambda rng: grouped(rng, [0.8, 0.8, 0.8], [1, 2, 3], 100)),
    "larger are harder": ((0.9 + 1.6 + 2.1) / 6, lambda rng: grouped(rng, [0.9, 0.8, 0.7], [1, 2, 3], 100)),
    "large groups": (0.8, lambda rng: grouped(rng, [0.8, 0.8], [5, 10], 60)),
    "few are large and hard": ((0.98 * 200 + 0.7 * 40) / 240, lambda rng: few_larger(rng, 0.98, 0.7)),
    "few are large and easy": ((0.8 * 200 + 0.95 * 40) / 240, lambda rng: few_larger(rng, 0.8, 0.95)),
}


@pytest.mark.parametrize("name", DRAWS)
def test_false_alarms_at_the_target_stay_below_the_level(name: str) -> None:
    target, draw = DRAWS[name]
    rng = np.random.default_rng(11)
    tries = 800
    meets = misses = 0
    for _ in range(tries):
        scores, groups = draw(rng)
        meets += st.test_meets(scores, groups, target) <= 0.05
        misses += st.test_misses(scores, groups, target) <= 0.05
    allowed = stats.binom.ppf(0.999, tries, 0.05)
    assert max(meets, misses) <= allowed, (meets / tries, misses / tries)


def test_the_shown_interval_counts_with_low_scores_that_the_sample_lacks() -> None:
    rng, tries = np.random.default_rng(12), 300
    graded = {0.9 * 0.97: lambda: alone(np.where(rng.random(50) < 0.03, 0.0, rng.beta(21.6, 2.4, 50)))}
    mixed = {(0.98 * 200 + 0.7 * 40) / 240: lambda: few_larger(rng, 0.98, 0.7)}
    for truth, draw in (graded | mixed).items():
        found = np.array([st.shown_interval(*draw()) for _ in range(tries)])
        missed = np.sum(found[:, 0] > truth), np.sum(found[:, 1] < truth)
        assert max(missed) <= stats.binom.ppf(0.999, tries, 0.025), missed
    many = st.shown_interval(rng.beta(21.6, 2.4, 300))
    assert many[1] - many[0] < 0.025, "which is a third of what as many right-or-wrong cases tell"


def test_a_sample_below_the_target_never_meets_it() -> None:
    lucky_first = np.random.default_rng(0).permutation(200)
    scores = np.empty(200)
    scores[lucky_first] = np.where(np.arange(200) < 60, 0.99, 0.4)
    assert st.test_meets(scores, None, 0.6) == 1
    assert st.lower_bound(scores, None, 0.05) < scores.mean() < 0.6
    assert st.statuses({"a": scores}, None, 0.6)["a"][0] is not State.MEETS


def test_betting_finds_what_is_there() -> None:
    rng = np.random.default_rng(4)
    found = [st.test_meets(rng.beta(4.3, 0.7, 150), None, 0.8) <= 0.05 for _ in range(100)]
    assert np.mean(found) > 0.85


# ---------------------------------------------------------------- figures over rows


def f1_rows(rng: np.random.Generator, n: int, recall: float, false_alarms: float) -> list[Answered]:
    truth = rng.random(n) < 0.3
    given = np.where(truth, rng.random(n) < recall, rng.random(n) < false_alarms)
    return [
        Answered(case=Case(id=str(i), input="?", output="ho"[int(t)]), text="ho"[int(g)], score=float(t == g))
        for i, (t, g) in enumerate(zip(truth, given, strict=True))
    ]


def test_bootstrap_bounds_of_f1_cover() -> None:
    recall, false_alarms, tries = 0.85, 0.05, 150
    truth = 2 * 0.3 * recall / (0.3 * recall + 0.7 * false_alarms + 0.3)
    metric, rng = load("f1_of_label", {"label": "o"}), np.random.default_rng(8)
    above = below = 0
    for attempt in range(tries):
        figures = st.resampled_metric(metric, f1_rows(rng, 150, recall, false_alarms), draws=400, seed=attempt)
        above += figures.lower(0.05) > truth
        below += figures.upper(0.05) < truth
        assert figures.lower(0.05) < figures.figure < figures.upper(0.05)
    assert max(above, below) <= stats.binom.ppf(0.999, tries, 0.05)
    assert above + below > 0


def test_a_perfect_f1_on_few_cases_proves_little() -> None:
    rows = f1_rows(np.random.default_rng(1), 40, recall=1.0, false_alarms=0.0)
    positives = sum(row.case.output == "o" for row in rows)
    figures = st.resampled_metric(load("f1_of_label", {"label": "o"}), rows)
    assert figures.figure == 1
    share = 0.05 ** (1 / positives)
    assert figures.lower(0.05) == pytest.approx(2 * share / (1 + share), abs=0.02)
    assert st.statuses_of_figures({"a": figures.figures}, 0.95)["a"][0] is State.UNDECIDED
    assert st.statuses_of_figures({"a": figures.figures}, 0.6)["a"][0] is State.MEETS


def test_as_many_resamples_are_drawn_as_the_level_asks_for() -> None:
    """With 2,000 nothing could be shown below a level of 1 in 2,001, as at a later look at the same cases."""
    level = 0.0002
    rows = f1_rows(np.random.default_rng(2), 400, recall=0.97, false_alarms=0.01)
    metric = load("f1_of_label", {"label": "o"})
    few, enough = (st.resampled_metric(metric, rows, draws=draws) for draws in (2_000, draws_for(level)))
    assert few.lower(level) == 0
    assert st.statuses_of_figures({"a": few.figures}, 0.5, Family(alpha=level))["a"][0] is State.UNDECIDED
    assert 0.5 < enough.lower(level) < enough.lower(0.02)
    assert st.statuses_of_figures({"a": enough.figures}, 0.5, Family(alpha=level))["a"][0] is State.MEETS
    assert (draws_for(0.025), draws_for(0.001), draws_for(1e-9)) == (2_000, 10_000, 40_000)


def test_bootstrap_keeps_groups_together_and_repeats_itself() -> None:
    scores = (np.random.default_rng(5).random(60) < 0.8).astype(float)
    figures = [
        bootstrap_means(values, groups, 3)
        for values, groups in (
            (scores, [""] * 60),
            (np.repeat(scores, 3), [str(i // 3) for i in range(180)]),
            (np.repeat(scores, 3), [""] * 180),
        )
    ]
    assert figures[0].lower(0.05) == pytest.approx(figures[1].lower(0.05), abs=0.02)
    assert figures[2].lower(0.05) > figures[0].lower(0.05) + 0.02
    again = bootstrap_means(scores, [""] * 60, 3)
    assert again == figures[0]
    assert list(again.figures) == sorted(again.figures)


@pytest.mark.parametrize(
    "groups",
    [[""] * 300, [str(i % 250) for i in range(300)], [str(i % 7) for i in range(300)], ["one"] * 150 + ["two"] * 150],
)
def test_figures_of_many_draws_at_once_are_those_of_one_after_the_other(groups: list[str]) -> None:
    rng, f1 = np.random.default_rng(8), MacroF1()
    rows = [
        Answered(case=Case(id=str(i), input="", output="ab"[i % 2]), text="ab"[i % 3 % 2], score=0) for i in range(300)
    ]
    found = bootstrap_figures(f1.by_counts(rows), groups, seed=3)
    _same(found, bootstrap_figures(one_by_one(lambda picked: f1.summarise([rows[i] for i in picked])), groups, seed=3))
    for parts in (2, 64):  # Their sums are exact, so a draw with the figure itself is one in any order.
        scores = rng.integers(0, parts + 1, 300) / parts
        means = one_by_one(partial(_mean, scores))
        _same(bootstrap_means(scores, groups, 3), bootstrap_figures(means, groups, seed=3))


def _of_a_rare_label(found: float, rng: np.random.Generator) -> list[Answered]:
    """300 cases, of which the first 6 have the label; a share of these is found."""
    cases = [Case(id=str(i), input="", output="o" if i < 6 else "x") for i in range(300)]
    return [
        Answered(case=case, text="o" if case.output == "o" and rng.random() < found else "x", score=0) for case in cases
    ]


def test_a_difference_in_f1_of_a_rare_label_is_no_surer_than_its_few_cases() -> None:
    rng, f1 = np.random.default_rng(13), load("f1_of_label", {"label": "o"})
    ids = [str(i) for i in range(300)]
    none, all_six = (_of_a_rare_label(found, rng) for found in (0, 1))
    drawn = resampled_difference(f1, (none, all_six), ids)
    assert 0.5 < drawn.lower(0.025) < 0.6, "6 of 6 better is p = 0.03"
    assert drawn.upper(0.025) == 1
    same = resampled_difference(f1, (all_six, all_six), ids)
    assert same.lower(0.025) < 0.45 < 0.55 < same.upper(0.025)
    truth, holds = (1 + 2 * 0.9 / 1.9 - 2 * 0.1 / 1.1) / 2, 0
    for _ in range(40):
        drawn = resampled_difference(f1, (_of_a_rare_label(0.1, rng), _of_a_rare_label(0.9, rng)), ids)
        holds += drawn.lower(0.025) <= truth <= drawn.upper(0.025)
    assert holds >= 37


def test_a_difference_in_macro_f1_is_that_of_one_draw_after_the_other() -> None:
    rng, f1 = np.random.default_rng(14), MacroF1()
    cases = [Case(id=str(i), input="", output="abc"[i % 3]) for i in range(60)]
    both = [[Answered(case=case, text="abc"[rng.integers(3)], score=0) for case in cases] for _ in range(2)]

    def halved(picked: NDArray[np.intp]) -> float:
        before, after = (f1.summarise([rows[place] for place in picked]) for rows in both)
        return (after - before + 1) / 2

    ids = [str(i) for i in range(60)]
    (cases, then), (_, now) = (np.array(f1.by_label(rows)).T for rows in both)
    parts = Parts(cases=cases, figures=(now - then + 1) / 2, of_difference=True)
    found = resampled_difference(f1, (both[0], both[1]), ids)
    _same(found, bootstrap_figures(one_by_one(halved), ids, carrying=parts))


def test_a_fall_in_macro_f1_is_shown_as_readily_as_a_rise() -> None:
    """Both figures are too low by what few cases of a label do, so that nothing of it is added to their difference."""
    rng, right = np.random.default_rng(3), np.arange(200) % 10
    before = np.where(rng.random(200) < 0.9, right, (right + 1) % 10)
    after = np.where(rng.random(200) < 0.1, (right + 2) % 10, before)
    one, other = (
        [
            Answered(case=Case(id=str(place), input="", output=f"l{label}"), text=f"l{said}", score=0)
            for place, (label, said) in enumerate(zip(right, given, strict=True))
        ]
        for given in (before, after)
    )
    ids = [str(place) for place in range(200)]
    fall, rise = (resampled_difference(MacroF1(), both, ids) for both in ((one, other), (other, one)))
    assert fall.upper(0.025) < 0.5 < rise.lower(0.025)
    assert fall.upper(0.025) == pytest.approx(1 - rise.lower(0.025), abs=0.01)


def labelled(rng: np.random.Generator, n: int, shares: Floats, found: Floats) -> list[Answered]:
    """Cases of labels that make up such shares, each found with its own chance; any other label is said elsewhere."""
    right = rng.choice(len(shares), n, p=shares)
    other = (right + rng.integers(1, len(shares), n)) % len(shares)
    given = np.where(rng.random(n) < found[right], right, other)
    return [
        Answered(case=Case(id=str(i), input="", output=f"l{label}"), text=f"l{said}", score=0)
        for i, (label, said) in enumerate(zip(right, given, strict=True))
    ]


def macro_f1(shares: Floats, found: Floats) -> float:
    said = shares * found + (shares * (1 - found)).sum() / (len(shares) - 1) - shares * (1 - found) / (len(shares) - 1)
    return float(np.mean(2 * shares * found / (shares + said)))


@pytest.mark.parametrize(
    ("n", "shares", "found"),
    [
        (100, np.full(10, 0.1), np.full(10, 0.9)),
        (100, np.array([0.196] * 5 + [0.02]), np.array([0.97] * 5 + [0.6])),
        (200, np.full(50, 0.02), np.full(50, 0.6)),
    ],
    ids=["alike", "one is rare", "many with few cases each"],
)
def test_bounds_of_macro_f1_hold_whatever_the_labels(n: int, shares: Floats, found: Floats) -> None:
    rng, tries, truth = np.random.default_rng(3), 40, macro_f1(shares, found)
    above = below = 0
    for _ in range(tries):
        rows = labelled(rng, n, shares, found)
        drawn = st.resampled_metric(MacroF1(), rows, 400, labels=[f"L{i} " for i in range(len(shares))])
        above += drawn.lower(0.05) > truth
        below += drawn.upper(0.05) < truth
    assert max(above, below) <= stats.binom.ppf(0.999, tries, 0.05), (above, below)
    assert drawn.upper(0.05) - drawn.lower(0.05) < 0.35


def test_macro_f1_of_a_label_without_cases_is_not_known() -> None:
    rows = labelled(np.random.default_rng(4), 400, np.full(4, 0.25), np.full(4, 1.0))
    known, open_ = (st.resampled_metric(MacroF1(), rows, 400, labels=["l0", *more]) for more in ((), ("unheard",)))
    assert known.figure == open_.figure == 1
    assert known.lower(0.05) > 0.95
    assert open_.lower(0.05) == pytest.approx(0.8 * known.lower(0.05), abs=0.01)


def test_candidates_that_are_asked_the_same_cases_share_what_is_drawn(monkeypatch: pytest.MonkeyPatch) -> None:
    rng, f1 = np.random.default_rng(11), load("f1_of_label", {"label": "o"})
    draw = Mock(wraps=resampling._drawn_with)
    monkeypatch.setattr(resampling, "_drawn_with", draw)
    rows = [f1_rows(rng, 70, recall, 0.1) for recall in (0.6, 0.8, 0.9)]
    shared = [st.resampled_metric(f1, each, draws=400, seed=5) for each in rows]
    assert draw.call_count == 1
    monkeypatch.setattr(resampling, "KEPT", 0)
    assert [st.resampled_metric(f1, each, draws=400, seed=5) for each in rows] == shared
    assert draw.call_count == 4


def test_quantiles_of_numbers_in_order_are_those_of_numpy() -> None:
    rng = np.random.default_rng(12)
    for numbers in (1, 2, 7, 2_000):
        given, shares = np.round(rng.random(numbers), 3), np.clip(rng.normal(0.5, 0.4, 500), 0, 1)
        assert np.array_equal(resampling._quantiles(np.sort(given), shares), np.quantile(given, shares))


def _mean(scores: Floats, picked: NDArray[np.intp]) -> float:
    return float(scores[picked].mean())


def _same(one: Resampled, other: Resampled) -> None:
    assert one.figure == pytest.approx(other.figure)
    assert one.figures == pytest.approx(other.figures, abs=1e-9)


def test_a_pair_is_compared_without_a_call_for_each_draw() -> None:
    """What is counted are calls of functions, since seconds depend on the machine."""
    rng, calls = np.random.default_rng(9), 0

    def count(frame: object, event: str, argument: object) -> None:
        nonlocal calls
        calls += event == "call"

    first, second = rng.random(300), rng.random(300)
    sys.setprofile(count)
    try:
        st.paired_difference(first, second, [str(i // 2) for i in range(300)])
    finally:
        sys.setprofile(None)
    assert 0 < calls < FEWEST


def test_statuses_of_figures_show_bounds_on_their_side_of_the_target() -> None:
    figures = {
        "high": np.linspace(0.82, 0.95, 2000),
        "near": np.linspace(0.74, 0.9, 2000),
        "low": np.linspace(0.5, 0.7, 2000),
    }
    found = st.statuses_of_figures(figures, 0.8)
    assert [found[name][0] for name in figures] == [State.MEETS, State.UNDECIDED, State.MISSES]
    assert found["high"][1] >= 0.8
    assert found["near"][1] < 0.8 < found["near"][2]
    assert found["low"][2] <= 0.8


@pytest.mark.parametrize("metric", ["macro_f1", "f1_of_label"])
def test_who_is_always_right_does_not_miss_a_target_of_one(metric: str) -> None:
    """No resample lies above it, which once stood for a figure below it."""
    rows = f1_rows(np.random.default_rng(1), 200, recall=1.0, false_alarms=0.0)
    figures = st.resampled_metric(load(metric, {"label": "o"} if metric == "f1_of_label" else {}), rows)
    assert figures.figure == 1
    state, lower, upper = st.statuses_of_figures({"a": figures.figures}, 1.0)["a"]
    assert (state, upper) == (State.UNDECIDED, 1.0)
    assert 0.9 < lower < 1
    assert st.statuses_of_figures({"a": np.full(2000, 0.8)}, 0.8)["a"][0] is State.MEETS


# ---------------------------------------------------------------- several candidates


def test_a_target_is_not_both_met_and_missed() -> None:
    with pytest.raises(ValueError, match="both met and missed"):
        st.decide(True, True)


def test_statuses_show_the_bound_at_the_level_that_decided() -> None:
    scores = {"strong": shares(285, 300), "good": shares(256, 300), "near": shares(246, 300), "weak": shares(200, 300)}
    found = st.statuses(scores, None, 0.8)
    assert [found[name][0] for name in scores] == [State.MEETS, State.MEETS, State.UNDECIDED, State.MISSES]
    assert found["strong"][1] == pytest.approx(st.clopper_pearson_lower(285, 300, 0.05 / 4))
    assert found["good"][1] == pytest.approx(st.clopper_pearson_lower(256, 300, 0.05 / 3))
    assert found["near"][1] == pytest.approx(st.clopper_pearson_lower(246, 300, 0.05 / 2))
    assert found["weak"][2] == pytest.approx(st.clopper_pearson_upper(200, 300, 0.05 / 4))
    for _, lower, upper in found.values():
        assert lower < upper
    assert st.statuses({}, None, 0.8) == {}


# ---------------------------------------------------------------- pairs


def test_mcnemar_is_the_exact_sign_test() -> None:
    first, second = shares(15, 40), np.concatenate([shares(5, 15), shares(3, 25)])
    assert st.mcnemar_exact(first, second) == pytest.approx(stats.binomtest(10, 13).pvalue)
    assert st.mcnemar_exact(first, first) == 1
    pair = st.paired_difference(first, second, None)
    assert pair.mean == pytest.approx(7 / 40)
    assert (pair.only_first, pair.only_second) == (10, 3)
    assert pair.p_value == st.mcnemar_exact(first, second)
    assert pair.lower < pair.mean < pair.upper


def test_paired_difference_of_equal_candidates_is_open() -> None:
    same = shares(25, 30)
    for groups in (None, [str(i // 2) for i in range(30)]):
        pair = st.paired_difference(same, same, groups)
        assert pair.p_value == 1
        assert pair.lower < -0.02
        assert pair.upper > 0.02


def test_a_difference_is_shown_where_its_interval_says_so() -> None:
    """Flipping signs called a mean worse that had not fallen: most answers lose a little, and few gain much."""
    lost = st.paired_difference(np.full(20, 0.95), np.ones(20), None)
    assert lost.mean == pytest.approx(-0.05)
    assert lost.p_value > 0.05, "one in twenty that gains all would make up for it, and may well be missing"
    rng = np.random.default_rng(7)
    worse = 0
    for attempt in range(60):
        rare = paired(np.where(rng.random(50) < 0.05, 0.95, -0.05), None, attempt)
        worse += rare.p_value <= 0.05
        even = paired(rng.normal(-0.05, 0.15, 100), [str(i // 2) for i in range(100)] if attempt % 2 else None, attempt)
        for pair in (rare, even):
            assert (pair.p_value <= 0.05) == (not pair.lower <= 0 <= pair.upper)
    assert worse <= stats.binom.ppf(0.999, 60, 0.025)
    difference = rng.normal(0.04, 0.1, 200)
    alone = paired(difference, None, 0)
    assert stats.ttest_1samp(difference, 0).pvalue < alone.p_value < 0.02
    twice = paired(np.repeat(difference, 2), [str(i // 2) for i in range(400)], 0)
    once = stats.ttest_1samp(difference, 0).pvalue
    assert once < twice.p_value < 0.02, "every case twice is no more evidence than once"
    with pytest.raises(ValueError, match="6 and 5 scores"):
        st.paired_difference(difference[:6] + 0.5, difference[:5] + 0.5, None)


def paired(differences: Floats, groups: list[str] | None, seed: int) -> st.PairedDifference:
    return st.paired_difference(0.5 + differences / 2, 0.5 - differences / 2, groups, seed)


def test_paired_intervals_cover() -> None:
    rng, tries = np.random.default_rng(9), 150
    missed = {"right or wrong": 0, "graded": 0}
    for attempt in range(tries):
        ability = rng.normal(0, 1, 80)
        one, two = ((ability + rng.normal(shift, 1, 80)) > -1 for shift in (0.3, 0.0))
        truth = stats.norm.cdf(1.3 / 2**0.5) - stats.norm.cdf(1 / 2**0.5)
        pair = st.paired_difference(one.astype(float), two.astype(float), None)
        missed["right or wrong"] += not pair.lower <= truth <= pair.upper
        if attempt % 3 == 0:
            base = rng.beta(3, 2, 80)
            graded = st.paired_difference(np.clip(base + 0.05, 0, 1), base * rng.beta(9, 1, 80), None, seed=attempt)
            expected = float(np.mean(np.clip(GRADED + 0.05, 0, 1)) - np.mean(GRADED) * 0.9)
            missed["graded"] += not graded.lower <= expected <= graded.upper
    assert missed["right or wrong"] <= stats.binom.ppf(0.999, tries, 0.05)
    assert missed["graded"] <= stats.binom.ppf(0.999, tries // 3, 0.05)


GRADED = np.random.default_rng(99).beta(3, 2, 400_000)


# ---------------------------------------------------------------- how many cases


def test_cases_needed_are_those_of_the_published_table() -> None:
    found = [st.cases_needed(0.8, 0.8 + gain) for gain in (0.02, 0.03, 0.05, 0.1)]
    assert found == pytest.approx([2491, 1070, 382, 82], rel=0.05)
    found = [st.cases_needed(0.9, 0.9 + gain) for gain in (0.02, 0.03, 0.05)]
    assert found[:2] == pytest.approx([1337, 604], rel=0.1)
    assert found[2] == 179


@pytest.mark.parametrize(("target", "truth", "candidates"), [(0.8, 0.9, 1), (0.8, 0.7, 1), (0.9, 0.95, 5)])
def test_cases_needed_reach_the_power_and_one_fewer_does_not(target: float, truth: float, candidates: int) -> None:
    def power(n: int) -> float:
        level = 0.05 / candidates
        test = st.test_meets if truth > target else st.test_misses
        decides = [test(shares(k, n), None, target) <= level for k in range(n + 1)]
        return float(stats.binom.pmf(np.arange(n + 1), n, truth)[decides].sum())

    needed = st.cases_needed(target, truth, 0.05 / candidates)
    assert needed is not None
    assert power(needed) >= 0.8 > power(needed - 1)


def test_cases_needed_knows_the_hopeless() -> None:
    assert st.cases_needed(0.8, 0.8) is None
    assert st.cases_needed(0.8, 0.8001) is None


def test_showable_are_the_published_numbers() -> None:
    assert [st.showable(300, 0.8, candidates) for candidates in (1, 5, 12)] == [252, 257, 259]
    assert (st.showable(43, 0.9, 5), st.showable(44, 0.9, 5)) == (None, 44)
    assert (st.showable(89, 0.95, 5), st.showable(90, 0.95, 5)) == (None, 90)
    for n in (20, 100, 301):
        needed = st.showable(n, 0.8)
        assert needed is not None
        assert st.lower_bound(shares(needed, n), None, 0.05) >= 0.8 > st.lower_bound(shares(needed - 1, n), None, 0.05)


def test_the_smallest_difference_is_the_one_that_the_cases_show() -> None:
    """626 cases of which 20 % differ show 5 points (the exact enumeration of McNemar's test); simulated besides."""
    differ = np.repeat([1.0, 0.0], [125, 501])
    assert st.smallest_difference(differ) == pytest.approx(0.05, abs=0.001)
    assert st.smallest_difference(np.zeros(50)) == 0
    for apart, any_is in (
        (7, False),
        (8, True),
    ):  # Eight that all fall to one side are shown 4 times in 5, seven are not.
        found = st.smallest_difference(np.repeat([1.0, 0.0], [apart, 300 - apart]))
        assert (0 < found <= apart / 300) == any_is
    rng, share, shown = np.random.default_rng(4), 0.2, 0
    for _ in range(200):
        drawn = rng.choice([1.0, -1.0, 0.0], 626, p=[(share + 0.05) / 2, (share - 0.05) / 2, 1 - share])
        shown += st.mcnemar_exact((drawn > 0).astype(float), (drawn < 0).astype(float)) < 0.05
    assert 0.68 <= shown / 200 <= 0.9


def test_more_cases_decide_with_the_power_that_was_promised() -> None:
    present = shares(85, 100)
    more = st.more_cases(present, None, 0.8)
    assert more is not None
    assert 100 < more < 300
    rng = np.random.default_rng(3)
    decided = [
        st.test_meets(np.concatenate([present, rng.random(more) < 0.85]), None, 0.8) <= 0.05 for _ in range(1500)
    ]
    assert 0.77 < np.mean(decided) < 0.85


def test_more_cases_for_graded_and_grouped_scores_are_about_right() -> None:
    rng = np.random.default_rng(12)
    groups = [str(i // 8) for i in range(240)]
    present = np.repeat((rng.random(30) < 0.87).astype(float), 8)
    present[:8] = 0.0
    estimate = float(present[::8].mean())
    more = st.more_cases(present, groups, estimate - 0.1)
    assert more is not None
    total = (240 + more) // 8
    decided = []
    for _ in range(200):
        scores = np.repeat((rng.random(total) < estimate).astype(float), 8)
        decided.append(st.test_meets(scores, [str(i // 8) for i in range(8 * total)], estimate - 0.1) <= 0.05)
    assert 0.6 < np.mean(decided) < 0.97


@pytest.mark.parametrize("each", [1, 10])
def test_more_cases_of_little_variance_decide_about_as_often_as_is_promised(each: int) -> None:
    """By the normal approximation 20 and 130 cases were told, which decided in one of twenty draws and in none."""
    rng = np.random.default_rng(5)
    groups = 60 if each == 1 else 20
    present = rng.normal(0.827, 0.1, groups).clip(0, 1) if each == 1 else np.arange(groups) > 0
    sums, target = present.astype(float), 0.78
    more = st.more_cases(np.repeat(sums, each), [str(place // each) for place in range(groups * each)], target, 0.009)
    assert more is not None
    total = [str(place // each) for place in range(groups * each + -(-more // each) * each)]
    draws = [np.repeat(np.r_[sums, rng.choice(sums, -(-more // each))], each) for _ in range(150)]
    assert 0.7 <= np.mean([st.test_meets(drawn, total, target) <= 0.009 for drawn in draws]) <= 0.95


def test_more_cases_of_a_rare_label_decide_about_as_often_as_is_promised() -> None:
    """By the spread alone of the bootstrap figures 1,220 were told where 750 decide; of a single case with the label, 1."""
    metric, rng, level = F1OfLabel(label="spam"), np.random.default_rng(6), 0.0125

    def drawn(cases: int) -> list[Answered]:
        wanted = rng.random(cases) < 0.1
        said = np.where(wanted, rng.random(cases) < 0.97, rng.random(cases) < 0.002)
        words = ("ham", "spam")
        pairs = [(words[int(is_one)], words[int(claimed)]) for is_one, claimed in zip(wanted, said, strict=True)]
        return [
            Answered(case=Case(id=str(n), input="x", output=right), text=text, score=float(right == text))
            for n, (right, text) in enumerate(pairs)
        ]

    def bound(rows: list[Answered]) -> tuple[float, float]:
        found = resampled_metric(metric, rows, draws_for(level))
        return found.figure, found.lower(level)

    present = next(rows for rows in iter(lambda: drawn(200), None) if 0.97 < bound(rows)[0] < 0.98)
    assert bound(present)[1] < 0.9, "not decided yet"
    aim = (level, 0.8, 20_000)
    more = more_over_rows(bound(present), 0.9, aim, 200, resting(metric, present))
    assert more is not None
    decided = [bound(drawn(200 + more))[1] >= 0.9 for _ in range(60)]
    assert 0.65 <= np.mean(decided) <= 0.95
    assert more_over_rows((1.0, 0.0), 0.94, aim, 40, 2.0) in range(1_000, 4_000), (
        "one case with the label, well answered"
    )
    assert more_over_rows((0.94, 0.7), 0.94, aim, 40, 2.0) is None


def test_more_cases_at_the_edges() -> None:
    assert st.more_cases(shares(80, 100), None, 0.8) is None
    assert st.more_cases(shares(99, 100), None, 0.8) == 0
    assert st.more_cases(shares(10, 100), None, 0.8) == 0
    assert st.more_cases(shares(801, 1000), None, 0.8) is None
    below = st.more_cases(shares(75, 100), None, 0.8)
    assert below is not None
    assert below > 50
    strict = st.more_cases(shares(85, 100), None, 0.8, alpha=0.01)
    loose = st.more_cases(shares(85, 100), None, 0.8, alpha=0.05)
    assert strict is not None
    assert loose is not None
    assert strict > loose
    pairs = st.more_cases(np.repeat(shares(85, 100), 2), [str(i // 2) for i in range(200)], 0.8)
    assert pairs == pytest.approx(2 * loose, rel=0.1)
    steady = st.more_cases(np.full(10, 0.85), None, 0.8)
    assert steady is not None
    assert 20 < steady < 200
