"""What `advisor run` says before it starts: what is compared, how long that takes, what it needs, and what less would take."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import TYPE_CHECKING

from advisor.cli.program import line
from advisor.cli.shown import goal_of, say
from benchmarks.contract import BadInput

if TYPE_CHECKING:
    from advisor.experiments.comparison import Prepared
    from benchmarks.costs.forecast import Forecast
    from benchmarks.running.whereabouts import Unfetched
    from strategies.models.known import KnownModel

WORTH_SHARING_MINUTES = 10
MACHINES = (2, 4, 16)
"""Of a cluster of which nobody says how many it has."""
_REUSED = "what {} found in searches and trainings is taken over where it is the same"


def say_before(prepared: Prepared) -> None:
    """The task, its notes and the models, one a line."""
    benchmark = prepared.assembly.benchmark
    task = benchmark.task
    say(
        f"{task.name}: {task.kind}, {len(task.examples)} examples, {len(benchmark.heldout)} held-out cases, "
        f"metric {benchmark.metric.name}, {goal_of(benchmark)}"
    )
    if prepared.origin:
        say(f"data: {prepared.origin}")
    for note in benchmark.notes:
        say(f"note: {note}")
    if unjudged := _unjudged(prepared):
        say(f"note: {unjudged}")
    if benchmark.look.shown:
        from advisor.story.looked import seen_before

        say(f"note: {seen_before(benchmark.look)}")
    asked = {candidate.model for candidate in prepared.performed}
    names = [name for name in prepared.models.names if name in asked]
    say(f"models: {', '.join(names) or 'no language model'} on {prepared.models.placement}")
    spending = prepared.models.spending
    if prepared.shard is not None and spending is not None and math.isfinite(spending.limit):
        parts = prepared.shard.of
        say(
            f"note: --max-cost {spending.limit:g} {spending.currency} holds for this part alone; {parts} parts with it may be "
            f"paid {parts * spending.limit:g} {spending.currency} together"
        )
    if prepared.reuse is not None:
        what = "finished work of {} is taken over where it is still valid" if prepared.fork else _REUSED
        say(what.format(prepared.reuse.name) + ", with its cost")


def _unjudged(prepared: Prepared) -> str:
    """The limits that nothing can be shown to keep by this run; empty where there are none, or only recorded answers."""
    from advisor.decision.unmeasured import beforehand, unmeasured_by
    from benchmarks.costs.prices import machine_prices
    from strategies.contract import TUNED

    assembly, options = prepared.assembly, prepared.options
    if all(each.strategy.family == "recorded" for each in prepared.performed):
        return ""
    prices, planted = machine_prices(assembly.spec), prepared.further.planted
    tunes = any(each.strategy.family in TUNED for each in prepared.performed)
    limits = assembly.benchmark.constraints
    return beforehand(unmeasured_by(limits, prices, probes=options.probes, planted=planted, tunes=tunes))


def says_what_is_missing(prepared: Prepared) -> list[KnownModel | Unfetched]:
    """A rehearsal downloads no weights: it says what a run would download, without which nothing can be forecast."""
    from benchmarks.running.plan import is_advised, is_taught
    from benchmarks.running.whereabouts import to_download, to_fetch

    teacher, found = prepared.models.teacher, prepared.candidates
    asked = [teacher] if any(is_taught(each) or is_advised(each, teacher) for each in found) else []
    names = [*(each.model for each in found), *asked]
    missing: list[KnownModel | Unfetched] = [*to_download(prepared.models, names), *to_fetch(prepared.models, names)]
    if missing:
        sizes = ", ".join(f"{model.name} ({model.download_bytes / 1e6:.0f} MB)" for model in missing)
        say(f"to download first: {sizes}. A run does that by itself; to know minutes and memory before it starts,")
        say(f"write: {line('models', 'fetch', *(model.name for model in missing))}")
    return missing


def with_less(prepared: Prepared) -> str:
    """What may be left out of a long run, and how long it then takes."""
    from advisor.experiments.comparison import EFFORTS
    from advisor.experiments.room import roomy

    budget, asked = min(EFFORTS.values()), prepared.options
    least = replace(prepared, options=replace(asked, tuning_tokens=budget, second_seed=False))
    others = "--max-hours 1 stops after an hour and reports what is measured by then"
    if least.options == asked:
        return f"fewer --examples or approaches (--approach) take less; {others}"
    left_out = ["--effort quick"] * (asked.tuning_tokens != budget) + ["--no-second-seed"] * asked.second_seed
    minutes = roomy(least).forecast.minutes
    return f"with {' '.join(left_out)}: about {max(1, round(minutes))} minutes; {others}"


def expected_of(prepared: Prepared, resume: bool) -> Forecast:
    """Says how long it takes and what it needs, and what cannot run since there is no memory to train. Raises `BadInput` where
    the rest does not fit into the memory either."""
    from advisor.cli.expected import cluster_says, computed_says, hosted_says
    from advisor.experiments.checking import left_out, why_left_out
    from advisor.experiments.room import roomy
    from advisor.wording import listed
    from benchmarks.costs.prices import machine_prices

    if prepared.left_out is None:
        prepared.left_out = left_out(prepared)
    if said := why_left_out(prepared.left_out):
        say(f"note: {said}")
    expected, no_room = roomy(prepared)
    if not expected.fits:
        raise BadInput(expected.sentence + ".")
    unless = " unless it is fitted already" if resume else ""
    for why in dict.fromkeys(no_room.values()):
        say(f"note: {listed([name for name in no_room if no_room[name] == why])} cannot run{unless}. {why}")
    less = "; what is finished is not done again" if resume else ""
    if prepared.reuse is not None and not prepared.fork:
        less = f"; about {max(1, round(expected.minutes_without_fits))} where all searches and trainings are taken over"
    if prepared.economical:
        less += "; less where something simpler is shown to be enough (--economical)"
    say(f"{expected.sentence}{' for the whole' if less else ''}{less}")
    if shared := _shared_out(prepared, expected):
        say(shared)
    if prepared.executor.workers is None:
        from benchmarks.costs.forecast import on_workers

        say(cluster_says([on_workers(expected, each, prepared.models.placement, here=False) for each in MACHINES]))
    prices = machine_prices(prepared.assembly.spec)
    for said in (*computed_says(expected, prices), *(hosted_says(asked, prices) for asked in expected.asked)):
        say(said)
    return expected


def _shared_out(prepared: Prepared, expected: Forecast) -> str:
    """How long a long run takes where the cores of this machine share it, if that is clearly less and fits."""
    from benchmarks.costs.forecast import on_workers
    from strategies.models.measured import busy

    place = prepared.models.placement
    alone = prepared.executor.workers in (None, 1) and not prepared.executor.elsewhere
    if not alone or place.device != "cpu" or place.threads < 2 or expected.minutes < WORTH_SHARING_MINUTES or busy():
        return ""  # Where something else is running nothing that is timed now says how long it takes.
    shared = on_workers(expected, place.threads, place, here=True)
    if not shared.fits or shared.minutes > 0.85 * expected.minutes:
        return ""
    return f"with --on processes: about {round(shared.minutes)} minutes, {shared.memory / 1e9:.1f} GB of memory"
