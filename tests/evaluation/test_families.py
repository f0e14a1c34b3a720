"""Several candidates against one target: each procedure keeps its error, and what each of them is good for."""

from __future__ import annotations

from collections.abc import Sequence
from typing import get_args

import numpy as np
import pytest
from scipy import stats

from benchmarks.contract import Procedure, State
from benchmarks.statistics import confidence as st
from benchmarks.statistics import families
from benchmarks.statistics.decidable import Sharing, decidable
from benchmarks.statistics.families import Family, cheapest_first, finalist, fixed_sequence, holm, max_t, opposed
from benchmarks.statistics.grouping import Floats
from benchmarks.statistics.looks import level_of

NAMES = tuple("abcdefgh")


def together(rng: np.random.Generator, shares: Sequence[float], cases: int = 200) -> dict[str, Floats]:
    """Right-or-wrong scores of candidates that find the same cases hard."""
    hard = rng.standard_normal(cases)
    right = [0.7 * hard + np.sqrt(1 - 0.49) * rng.standard_normal(cases) < stats.norm.ppf(share) for share in shares]
    return {name: scores.astype(float) for name, scores in zip(NAMES, right, strict=False)}


def test_holm_walks_and_says_its_level() -> None:
    rejected, level = holm([0.04, 0.001, 0.03, 0.012], 0.05)
    assert rejected.tolist() == [False, True, False, True]
    assert level == pytest.approx([0.05 / 2, 0.05 / 4, 0.05 / 2, 0.05 / 3])
    assert holm([0.06], 0.05)[0].tolist() == [False]
    assert holm([], 0.05)[0].tolist() == []


def test_a_fixed_sequence_ends_at_the_first_that_fails() -> None:
    rejected, level = fixed_sequence([0.001, 0.04, 0.06, 0.001], [3, 1, 2, 0], 0.05)
    assert rejected.tolist() == [False, True, False, True]
    assert level.tolist() == [0.05] * 4
    with pytest.raises(ValueError, match="does not name each of 2"):
        fixed_sequence([0.1, 0.1], [0], 0.05)


def test_a_finalist_alone_is_tested() -> None:
    assert finalist([0.001, 0.04, 0.001], 1, 0.05)[0].tolist() == [False, True, False]
    assert finalist([0.001, 0.06, 0.001], 1, 0.05)[0].tolist() == [False, False, False]


def test_the_walk_by_cost_tests_the_first_that_is_not_shown_to_miss_at_the_full_level() -> None:
    """In the order of cost: one that misses, one that meets, one that does so only alone, and one that surely does."""
    meets, misses = [0.03, 0.99, 1e-6, 0.03], [0.9, 0.03, 0.999, 0.9]
    (found, level), (missed, walked) = cheapest_first(meets, misses, [1, 0, 3, 2], 0.05)
    assert found.tolist() == [True, False, True, False]
    assert missed.tolist() == [False, True, False, False]
    assert level.tolist() == pytest.approx([0.04 * 0.96, 0.01 / 3, 0.01 / 4, 0.01 / 3])
    assert walked.tolist() == pytest.approx([0.04, 0.04, 0.01 / 4, 0.01 / 4])


def test_the_walk_by_cost_says_that_nothing_meets() -> None:
    (found, _), (missed, level) = cheapest_first([0.99] * 3, [0.039] * 3, [2, 1, 0], 0.05)
    assert missed.all()
    assert not found.any()
    assert level.tolist() == pytest.approx([0.04] * 3)


@pytest.mark.parametrize("shared", [0.0, 0.5, 0.9])
@pytest.mark.parametrize("away", [(0, 0, 0, 0), (-1, 0, -0.5, 0), (-3, -2, -1, 0), (-0.5, -0.5, -0.5, -0.5)])
def test_the_walk_by_cost_keeps_its_error_wherever_the_candidates_lie(shared: float, away: Sequence[float]) -> None:
    """Normal scores, as many standard errors below the target; independent ones or such that go together."""
    rng, draws = np.random.default_rng(8), 40_000
    common = np.sqrt(shared) * rng.standard_normal((draws, 1))
    marks = common + np.sqrt(1 - shared) * rng.standard_normal((draws, len(away))) + np.array(away)
    (found, _), _ = cheapest_first(stats.norm.sf(marks), stats.norm.cdf(marks), range(len(away)), 0.05)
    assert found.any(1).mean() <= 0.05 + 3 * np.sqrt(0.05 * 0.95 / draws)


def test_exact_opposites_are_what_the_walk_by_cost_supposes_away() -> None:
    """Of two that are worth the target and right exactly where the other is wrong one or the other is chosen too often."""
    mark = np.random.default_rng(5).standard_normal(200_000)
    both = np.stack([mark, -mark], axis=1)
    (found, _), _ = cheapest_first(stats.norm.sf(both), stats.norm.cdf(both), (0, 1), 0.05)
    assert found.any(1).mean() > 0.05
    right = np.arange(40) % 2 == 0
    assert opposed([np.ones(40), right * 1.0, 1.0 - right]) == (1, 2)
    assert opposed([right * 1.0, right * 1.0, np.zeros(40)]) is None
    assert opposed([np.ones(40), right * 1.0]) is None


def test_candidates_that_answer_alike_cost_max_t_nothing() -> None:
    scores = np.zeros(200)
    scores[:172] = 1
    alike = np.array([scores] * 8)
    assert max_t(alike, np.arange(200), 0.8)[0].all()
    assert not holm([st.test_meets(scores, None, 0.8)] * 8)[0].any()


def test_max_t_keeps_groups_together() -> None:
    scores = np.zeros((1, 200))
    scores[0, :172] = 1
    assert max_t(scores, np.arange(200), 0.8)[0].all()
    assert not max_t(scores, np.arange(200) // 10, 0.8)[0].any()


def test_max_t_takes_one_that_was_always_right_for_no_surer_than_its_cases() -> None:
    """20 of 20 are no proof of 98 %, though they vary in nothing; 200 of 200 are."""
    for cases, shown in ((20, False), (200, True)):
        beside = (np.arange(cases) % 2).astype(float)
        assert max_t(np.array([np.ones(cases), beside]), np.arange(cases), 0.98)[0].tolist() == [shown, False]


@pytest.mark.parametrize("procedure", get_args(Procedure))
def test_any_false_meets_or_misses_among_candidates_is_rare(
    procedure: Procedure, monkeypatch: pytest.MonkeyPatch
) -> None:
    """All candidates at the target: each of the two errors is at its largest."""
    monkeypatch.setattr(families, "DRAWS", 400)
    rng, tries = np.random.default_rng(6), 250
    meets = misses = 0
    for _ in range(tries):
        family = Family(procedure=procedure, order=tuple(rng.permutation(NAMES).tolist()))
        found = [state for state, _, _ in st.statuses(together(rng, [0.8] * 8), None, 0.8, family).values()]
        meets += State.MEETS in found
        misses += State.MISSES in found
    assert max(meets, misses) <= stats.binom.ppf(0.999, tries, 0.05), (meets / tries, misses / tries)


def test_with_a_good_order_the_fixed_sequence_shows_more_than_holm() -> None:
    rng = np.random.default_rng(3)
    shares = (0.9, 0.88, 0.87, 0.8, 0.7, 0.6, 0.5, 0.3)
    shown = {"fixed sequence": 0, "holm": 0}
    for _ in range(60):
        scores = together(rng, shares, 150)
        for procedure in ("fixed sequence", "holm"):
            found = st.statuses(scores, None, 0.8, Family(procedure=procedure, order=NAMES))
            shown[procedure] += sum(state is not State.UNDECIDED for state, _, _ in found.values())
    assert shown["fixed sequence"] > 1.05 * shown["holm"]


def test_candidates_behind_the_one_that_failed_are_undecided_with_bounds_on_both_sides() -> None:
    scores = {"first": np.repeat([1.0, 0.0], [82, 18]), "second": np.repeat([1.0, 0.0], [95, 5])}
    found = st.statuses(scores, None, 0.8, Family(procedure="fixed sequence", order=("first", "second")))
    assert [state for state, _, _ in found.values()] == [State.UNDECIDED, State.UNDECIDED]
    assert found["second"][1] == 0.8, "what was not tested is not shown above the target"
    other_way = st.statuses(scores, None, 0.8, Family(procedure="fixed sequence", order=("second", "first")))
    assert other_way["second"][0] is State.MEETS


def test_as_many_cases_as_are_foretold_show_it_where_every_cheaper_one_misses_and_where_not() -> None:
    """The number for the first that may be chosen was told of every approach, of which it held in 25 to 49 % of runs."""
    shared, rng = Sharing(procedure="cheapest first", candidates=4, look=1), np.random.default_rng(5)
    told = decidable(300, 0.8, False, shared)
    assert told.cases_needed is not None
    assert told.cases_behind is not None
    assert f"plan for {told.cases_needed} cases, or {told.cases_behind:,} if a cheaper approach stays" in told.says

    def shown(cases: int, cheaper: list[float]) -> float:
        right = rng.binomial(cases, [*cheaper, told.assumed_truth], (2_000, 4))
        passing, failing = stats.binom.sf(right - 1, cases, 0.8), stats.binom.cdf(right, cases, 0.8)
        (meets, _), _ = cheapest_first(passing, failing, range(4), level_of(1))
        return float(meets[:, -1].mean())

    assert shown(told.cases_needed, [0.3, 0.4, 0.5]) > 0.77
    assert shown(told.cases_needed, [0.3, 0.4, 0.79]) < 0.6
    for behind in (0.78, 0.8, 0.81):
        assert shown(told.cases_behind, [0.3, 0.5, behind]) > 0.77
    between = (told.cases_needed + told.cases_behind) // 2
    assert not decidable(between, 0.8, False, shared).enough
    assert decidable(told.cases_behind, 0.8, False, shared).enough
    alone = decidable(300, 0.8, False, Sharing(procedure="cheapest first", candidates=1, look=1))
    assert (alone.cases_behind, "cheaper" in alone.says) == (alone.cases_needed, False)


@pytest.mark.parametrize(("cases", "target"), [(20, 0.99), (400, 0.995), (500, 0.997), (200, 0.985)])
def test_max_t_shows_of_one_that_is_always_right_no_more_than_its_cases_do(cases: int, target: float) -> None:
    """20 of 20 met a target of 99 %: without a spread in the sample every distance looked large."""
    right = np.ones((2, cases))
    assert target**cases > 0.0375
    assert not max_t(right, np.arange(cases), target, 0.0375)[0].any()
    assert max_t(right, np.arange(cases), 1 - 4 / cases, 0.0375)[0].all()
