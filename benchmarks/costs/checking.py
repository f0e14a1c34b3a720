"""What share of a run's time its checks would take, from how much there is to do: no machine is timed for it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from benchmarks.contract import Benchmark, Candidate
from benchmarks.costs.forecast import reckoned
from benchmarks.running.models import Models
from benchmarks.running.plan import Further, Options

NOMINAL_RATE = 1e11
"""FLOP/s of a usual machine, at which models here and models at servers are added up."""


def share_of_checks(
    benchmark: Benchmark, candidates: Sequence[Candidate], models: Models, options: Options, reworded_by: str = ""
) -> tuple[float, bool]:
    """Of the time, what was asked for besides apart, and whether a training with a second seed is part of them. The same on
    every machine, since nothing is timed: machines differ in how fast they are, and not in how much there is to do.

    Where there is a teacher (`reworded_by`) nobody has to ask for rewordings, so they are checks of any run.
    """
    with_them, without = (
        reckoned(benchmark, candidates, models, asked, NOMINAL_RATE).works
        for asked in ((options, Further(reworded_by=reworded_by)), (replace(options, probes=False), Further()))
    )
    whole, bare = (sum(work.seconds for work in works) for works in (with_them, without))
    return 1 - bare / whole if whole else 0.0, any(work.again for work in with_them)
