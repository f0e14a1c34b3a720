"""Held-out sets drawn from a pool, what each procedure says of them, and how that compares with the truth."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import special

from benchmarks.statistics import confidence
from benchmarks.statistics.families import cheapest_first, finalist, fixed_sequence, holm, max_t
from benchmarks.statistics.grouping import Floats
from benchmarks.statistics.looks import level_of
from benchmarks.statistics.sample_size import at_least
from benchmarks.studies.decisions.pools import Pool

ALPHA = 0.05
LEVEL = level_of(1)
"""What a run spends at its first look at held-out cases: later ones need the rest."""
SELECTION = 100
"""Further cases from which the selection scores of a draw come."""
NOTHING, UNDECIDED = -1, -2
"""In place of the chosen candidate."""
SLOW = ("max-t",)
"""Procedures that resample each draw: they get fewer draws."""
Bools = NDArray[np.bool_]
Shown = tuple[Bools, Bools]
"""(shown to meet, shown to miss): (draws, candidates)."""


@dataclass(frozen=True, kw_only=True)
class Drawn:
    """Held-out sets of one size against one target. Arrays are (draws, candidates)."""

    pool: Pool
    size: int
    target: float
    meets: Floats
    """p-values of being no better than the target."""
    misses: Floats
    means: Floats
    selection: Floats
    cases: Sequence[NDArray[np.intp]]
    """Places of the cases of each draw, and the group that each stands in."""
    codes: Sequence[NDArray[np.intp]]

    def first(self, draws: int) -> Drawn:
        """The first of the draws only."""
        arrays = {
            name: getattr(self, name)[:draws] for name in ("meets", "misses", "means", "selection", "cases", "codes")
        }
        return Drawn(pool=self.pool, size=self.size, target=self.target, **arrays)


def draw(pool: Pool, size: int, target: float, draws: int, seed: int) -> Drawn:
    """`draws` sets of about `size` cases, whole groups with replacement, and selection scores from further cases."""
    rng = np.random.default_rng(seed)
    cases, codes = zip(*(_cases(pool, size, rng) for _ in range(draws)), strict=True)
    means = np.array([pool.scores[:, each].mean(1) for each in cases])
    if pool.right_or_wrong:
        right = np.rint(means * size)
        meets, misses = exact(right, size, target), exact(size - right, size, 1 - target)
    else:
        both = [
            [
                (
                    confidence.mean_above_target(row, groups, target),
                    confidence.mean_above_target(1.0 - row, groups, 1.0 - target),
                )
                for row in pool.scores[:, each]
            ]
            for each, groups in zip(cases, codes, strict=True)
        ]
        meets, misses = np.moveaxis(np.array(both), -1, 0)
    return Drawn(
        pool=pool,
        size=size,
        target=target,
        meets=meets,
        misses=misses,
        means=means,
        selection=selected(pool, draws, rng),
        cases=cases,
        codes=codes,
    )


def selected(pool: Pool, draws: int, rng: np.random.Generator) -> Floats:
    """Selection scores for each draw, without ties."""
    if pool.selection is not None:
        scores = np.tile(pool.selection, (draws, 1))
    else:
        scores = pool.scores[:, rng.integers(0, pool.scores.shape[1], (draws, SELECTION))].mean(-1).T
    return scores + rng.uniform(0, 1e-6, scores.shape)


def _cases(pool: Pool, size: int, rng: np.random.Generator) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    picked = rng.integers(0, len(pool.groups), size)
    if pool.alone is not None:
        return pool.alone[picked], np.arange(size)
    sizes = np.cumsum([len(pool.groups[each]) for each in picked])
    taken = picked[: int(np.searchsorted(sizes, size)) + 1]
    cases = np.concatenate([pool.groups[each] for each in taken])
    return cases, np.repeat(np.arange(len(taken)), [len(pool.groups[each]) for each in taken])


def exact(right: Floats, size: float, target: float) -> Floats:
    """Binomial p-values of the hypothesis that the share is at most `target`, as `confidence.test_meets` gives them."""
    return np.where(right <= 0, 1.0, at_least(np.maximum(right, 1), size, target))


# ---------------------------------------------------------------- procedures


def shown(drawn: Drawn, procedure: str) -> Shown:
    """What the procedure of the product says of every draw."""
    if procedure == "cheapest first":
        return in_full(drawn.meets, drawn.misses, LEVEL)
    if procedure == "holm":
        return holm(drawn.meets, LEVEL)[0], holm(drawn.misses, LEVEL)[0]
    if procedure == "max-t":
        return _by_largest(drawn)
    strong_first = np.argsort(-drawn.selection, axis=1)
    misses = walked(drawn.misses, strong_first[:, ::-1])
    if procedure == "fixed sequence":
        return walked(drawn.meets, strong_first), misses
    reach = drawn.selection >= drawn.target
    chosen = np.where(reach.any(1), reach.argmax(1), strong_first[:, 0])
    alone = np.zeros_like(misses)
    for row, place in enumerate(chosen):
        alone[row] = finalist(drawn.meets[row], int(place), LEVEL)[0]
    return alone, misses


def in_full(meets: Floats, misses: Floats, level: float) -> Shown:
    """The procedure of the product: the candidates of a pool stand in order of cost."""
    (met, _), (missed, _) = cheapest_first(meets, misses, range(meets.shape[1]), level)
    return met, missed


def walked(p_values: Floats, orders: NDArray[np.intp], level: float = LEVEL) -> Bools:
    """The fixed sequence, each draw in its own order."""
    found, _ = fixed_sequence(np.take_along_axis(p_values, orders, 1), range(p_values.shape[1]), level)
    back = np.zeros_like(found)
    np.put_along_axis(back, orders, found, 1)
    return back


def _by_largest(drawn: Drawn) -> Shown:
    meets, misses = (np.zeros(drawn.meets.shape, dtype=np.bool_) for _ in range(2))
    # Draws of as many groups one after another: they share their resamples.
    for place in sorted(range(len(drawn.cases)), key=lambda place: int(drawn.codes[place].max())):
        scores, codes = drawn.pool.scores[:, drawn.cases[place]], drawn.codes[place]
        meets[place] = max_t(scores, codes, drawn.target, LEVEL)[0]
        misses[place] = max_t(1 - scores, codes, 1 - drawn.target, LEVEL)[0]
    return meets, misses


def verdicts(said: Shown) -> NDArray[np.intp]:
    """The chosen candidate of each draw: the cheapest shown to meet, where all cheaper ones are shown to miss."""
    meets, misses = said
    any_meets, first = meets.any(1), meets.argmax(1)
    cheaper_out = np.concatenate([np.ones((len(misses), 1), dtype=bool), np.logical_and.accumulate(misses, 1)], 1)
    chosen = np.where(any_meets & cheaper_out[np.arange(len(first)), first], first, UNDECIDED)
    return np.where(~any_meets & misses.all(1), NOTHING, chosen)


# ---------------------------------------------------------------- what people do now


def habits(drawn: Drawn) -> Iterator[tuple[str, Bools, NDArray[np.intp]]]:
    """(name, said to meet, chosen): the highest mean; the cheapest that passes a z-test; or a percentile bootstrap."""
    means, size, target = drawn.means, drawn.size, drawn.target
    best = means.argmax(1)
    enough = means >= target
    yield "highest mean wins", enough, np.where(enough.any(1), best, NOTHING)
    z = means - special.ndtri(1 - ALPHA) * np.sqrt(means * (1 - means) / size) >= target
    yield "unpaired z-test", z, np.where(z.any(1), z.argmax(1), NOTHING)
    bootstrap = _percentile(means, size) >= target
    yield "percentile bootstrap", bootstrap, np.where(bootstrap.any(1), bootstrap.argmax(1), NOTHING)


def _percentile(means: Floats, size: int) -> Floats:
    """The lower bound of a percentile bootstrap of right-or-wrong scores, without drawing: that of a binomial."""
    from scipy import stats

    lower: Floats = stats.binom.ppf(ALPHA, size, means) / size
    return lower


# ---------------------------------------------------------------- against the truth


def counted(drawn: Drawn, meets: Bools, chosen: NDArray[np.intp]) -> Mapping[str, int]:
    """How many draws hold a false "meets", are decided, and are decided otherwise than with all cases."""
    good = drawn.pool.truth >= drawn.target
    oracle = int(good.argmax()) if good.any() else NOTHING
    decided = chosen != UNDECIDED
    return {
        "draws": len(chosen),
        "false_meets": int((meets & ~good).any(1).sum()),
        "decided": int(decided.sum()),
        "wrong": int((decided & (chosen != oracle)).sum()),
    }
