"""What a prepared run will need, and which of its approaches the memory does not suffice for."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from strategies.contract import Trains

if TYPE_CHECKING:
    from advisor.experiments.comparison import Prepared
    from benchmarks.contract import Candidate
    from benchmarks.costs.forecast import Forecast
    from benchmarks.costs.room import Roomy
    from benchmarks.running.run import Run


def roomy(prepared: Prepared) -> Roomy:
    """Of what this part performs, by its workers. Loads no weights."""
    from advisor.experiments.checking import SECOND_SEED
    from benchmarks.costs.forecast import forecast, on_workers
    from benchmarks.costs.room import with_room

    models, executor, asked = prepared.models, prepared.executor, prepared.options
    options = replace(asked, second_seed=asked.second_seed and SECOND_SEED not in prepared.left_out)
    alone = executor.workers in (None, 1) and not executor.elsewhere

    def of(candidates: Sequence[Candidate]) -> Forecast:
        found = forecast(prepared.assembly.benchmark, candidates, models, options, prepared.further)
        if alone:
            return found
        return on_workers(found, executor.workers or 1, models.placement, here=not executor.elsewhere)

    return with_room(of, prepared.performed, models)


def within_memory(prepared: Prepared, run: Run) -> Run:
    """The run without what there is no memory to train now; that is told, and made when it goes on with more of it."""
    if any(Trains in each.strategy.needs for each in prepared.performed):
        run.rules = replace(run.rules, no_room=roomy(prepared).no_room)
    return run
