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
    """Of what this part performs, by its workers. What one process has room to train is never left out because there are several,
    and the memory of this machine says nothing of others. Loads no weights."""
    from advisor.experiments.checking import SECOND_SEED
    from benchmarks.costs.forecast import forecast, on_workers
    from benchmarks.costs.room import Roomy, with_room

    models, executor, asked = prepared.models, prepared.executor, prepared.options
    options = replace(asked, second_seed=asked.second_seed and SECOND_SEED not in (prepared.left_out or ()))

    def of(candidates: Sequence[Candidate]) -> Forecast:
        return forecast(prepared.assembly.benchmark, candidates, models, options, prepared.further)

    if executor.elsewhere:
        return Roomy(on_workers(of(prepared.performed), executor.workers or 1, models.placement, here=False), {})
    found = with_room(of, prepared.performed, models)
    if executor.workers in (None, 1):
        return found
    return Roomy(on_workers(found.forecast, executor.workers or 1, models.placement, here=True), found.no_room)


def within_memory(prepared: Prepared, run: Run) -> Run:
    """The run without what there is no memory to train now; that is told, and made when it goes on with more of it."""
    if any(Trains in each.strategy.needs for each in prepared.performed):
        run.rules = replace(run.rules, no_room=roomy(prepared).no_room)
    return run
