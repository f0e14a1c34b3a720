"""Which check a run leaves out since all of them would take more of its time than is theirs: settled once, before it begins."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from advisor.experiments.begun import is_frozen
from advisor.experiments.stored import about_run
from advisor.wording import percent, plain_percent
from benchmarks.evaluation.taken import MOST

if TYPE_CHECKING:
    from advisor.experiments.comparison import Prepared

LEFT_OUT = "left_out"
"""Key of run.json: kind of unit -> the share of the time that the checks would have taken with it."""
SECOND_SEED = "seed"
"""The first that is left out, and the only one: no limit of a task rests on it."""


def left_out(prepared: Prepared) -> dict[str, float]:
    """By the forecast of the whole run, whichever part of it is performed here. Empty where all probes were asked for."""
    from benchmarks.costs.checking import share_of_checks

    options, benchmark = prepared.options, prepared.assembly.benchmark
    if prepared.keeps_checks or not (options.probes and options.second_seed):
        return {}
    teacher = prepared.further.reworded_by
    share, trained_again = share_of_checks(benchmark, prepared.candidates, prepared.models, options, teacher)
    return {SECOND_SEED: share} if share > MOST and trained_again else {}


def left_out_of(folder: Path) -> dict[str, float] | None:
    """What the run in the folder began without, nothing of one of an earlier version; None where none has begun."""
    return said_left_out(about_run(folder)) if is_frozen(folder) else None


def said_left_out(about: Mapping[str, Any]) -> dict[str, float]:
    """From what run.json says."""
    return {str(kind): float(share) for kind, share in dict(about.get(LEFT_OUT) or {}).items()}


def why_left_out(left: Mapping[str, float] | None) -> str:
    """A clause; empty where nothing is."""
    if not left or SECOND_SEED not in left:
        return ""
    return (
        f"the second seed is left out: by the forecast the checks would take {percent(left[SECOND_SEED])} of the run's time with "
        f"it, and they may take at most {plain_percent(MOST)}; a run that begins with `--probes all` keeps it"
    )
