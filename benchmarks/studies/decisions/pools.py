"""What held-out sets are drawn from: the rows of whole bake-offs, and simulated tasks, with the truth of each candidate."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from zlib import crc32

import numpy as np
from numpy.typing import NDArray
from scipy import special

from advisor.contract import Verdict
from advisor.experiments.stored import reopen
from benchmarks.contract import State
from benchmarks.statistics.grouping import Floats, group_codes
from benchmarks.storage.packed import unpack
from benchmarks.studies.floors.goals import TASKS
from benchmarks.studies.settings import FLOORS, PACKED, SETTINGS

SIMULATED_CASES = 20_000


@dataclass(frozen=True, kw_only=True)
class Pool:
    """Candidates in order of cost, cheapest first, and their scores on all cases there are: (candidates, cases)."""

    name: str
    candidates: tuple[str, ...]
    scores: Floats
    truth: Floats
    """What each candidate is worth; of simulated tasks with wrong labels, by the right ones."""
    groups: tuple[NDArray[np.intp], ...]
    """Places of the cases of each group; a case that stands alone is a group."""
    selection: Floats | None = None
    """Real selection scores, which are those of other fits on few cases; None: drawn from further cases of the pool, which
    orders the candidates better than a real selection part does."""

    @cached_property
    def right_or_wrong(self) -> bool:
        """Whether exact binomial tests hold: scores of 0 and 1, and every case alone."""
        return self.alone is not None and not self.graded

    @property
    def graded(self) -> bool:
        """Whether a single score can lie between 0 and 1."""
        return not np.all((self.scores == 0) | (self.scores == 1))

    @cached_property
    def drawn_from(self) -> str:
        """A checksum of the scores: counts that were drawn from others are of no use."""
        return f"{crc32(np.ascontiguousarray(self.scores).tobytes(), crc32(self.truth.tobytes())):08x}"

    @cached_property
    def alone(self) -> NDArray[np.intp] | None:
        """Places of the cases where every case is a group; None where some are not alone."""
        return np.concatenate(self.groups) if len(self.groups) == self.scores.shape[1] else None


def from_rows(folder: Path) -> list[Pool]:
    """One pool for each committed bake-off, and for each check of the floors on other cases of the same data.

    Raises `BadInput` for rows that do not fit together.
    """
    found = ((name, stored(file)) for name, file in _files(folder) if file.is_file())
    return [pool for name, verdict in found if (pool := _of(name, verdict)) is not None]


def _files(folder: Path) -> Iterator[tuple[str, Path]]:
    yield from ((each.task, folder / PACKED.format(each.task)) for each in SETTINGS)
    yield from ((f"{task}, the rest", folder / FLOORS / f"{task}.jsonl.gz") for task in TASKS)


def stored(file: Path) -> Verdict:
    """The verdict of a packed run."""
    with tempfile.TemporaryDirectory() as name:
        unpack(file, Path(name))
        return reopen(Path(name))


def _of(name: str, verdict: Verdict) -> Pool | None:
    out = (State.INVALID, State.CANNOT_RUN, State.SKIPPED)
    usable = {each.candidate: each for each in verdict.evaluations if each.scores and each.state is None}
    order = [each.candidate for each in verdict.recommendation.statuses if each.state not in out]
    found = [usable[candidate] for candidate in order if candidate in usable]
    if len(found) < 2 or any(each.over_rows for each in found):
        return None
    scores = np.array([each.scores for each in found], dtype=np.float64)
    chosen = [each.selection_score for each in found]
    known = None if None in chosen else np.array(chosen, dtype=np.float64)
    return Pool(
        name=name,
        candidates=tuple(each.candidate for each in found),
        scores=scores,
        truth=scores.mean(1),
        groups=members(group_codes(found[0].groups or None, scores.shape[1])),
        selection=known,
    )


def members(codes: NDArray[np.intp]) -> tuple[NDArray[np.intp], ...]:
    return tuple(np.split(np.argsort(codes, kind="stable"), np.cumsum(np.bincount(codes))[:-1]))


# ---------------------------------------------------------------- simulated tasks


def simulated(seed: int = 0) -> list[Pool]:
    """Tasks of few and many candidates, of cases that come in groups, and of labels that are wrong now and then."""
    rng = np.random.default_rng(seed)
    few, many = (0.78, 0.84, 0.9), (0.55, 0.62, 0.7, 0.74, 0.78, 0.8, 0.82, 0.85, 0.88, 0.9)
    return [
        _simulated("3 candidates", few, rng),
        _simulated("10 candidates", many, rng),
        _simulated("10 alike", (0.8,) * 10, rng),
        _simulated("groups of up to three", many[::2], rng, sizes=(1, 2, 3)),
        _simulated("5 % wrong labels", many[::2], rng, wrong=0.05),
    ]


def _simulated(
    name: str, shares: Sequence[float], rng: np.random.Generator, sizes: Sequence[int] = (1,), wrong: float = 0.0
) -> Pool:
    """Candidates that find the same cases hard. The cases of a group are alike, and right or wrong together."""
    repeats = rng.choice(sizes, SIMULATED_CASES)
    codes = np.repeat(np.arange(len(repeats)), repeats)[:SIMULATED_CASES].astype(np.intp)
    count = int(codes[-1]) + 1
    hard = rng.standard_normal(count)
    marks = np.array([0.7 * hard + np.sqrt(0.51) * rng.standard_normal(count) for _ in shares])
    right = (marks < special.ndtri(np.array(shares))[:, None])[:, codes].astype(np.float64)
    flipped = rng.random(SIMULATED_CASES) < wrong
    seen = np.where(flipped, 0.0, right)
    return Pool(
        name=name,
        candidates=tuple(f"{place + 1}" for place in range(len(shares))),
        scores=seen,
        truth=right.mean(1),
        groups=members(codes),
    )
