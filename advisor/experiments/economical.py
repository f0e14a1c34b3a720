"""What is fixed before a run: what models cost beside each other, and for the gate before each fit what limits rule out."""

from __future__ import annotations

from typing import TYPE_CHECKING

from benchmarks.contract import BadInput, Benchmark, Evaluation

if TYPE_CHECKING:
    from pathlib import Path

    from advisor.experiments.comparison import Prepared
    from benchmarks.costs.dearer import Dearer
    from benchmarks.costs.prices import MachinePrices
    from benchmarks.running.economical import Terms

PROCEDURES = ("cheapest first", "holm")
"""Those in which an approach that is not fitted can count as tested and not shown anything."""


def check_economical(benchmark: Benchmark) -> None:
    """Raises `BadInput` where a gate before each fit has nothing to go by."""
    if benchmark.target is None:
        raise BadInput("--economical asks whether a target is met, and there is none. Give --target, or leave it out.")
    if benchmark.procedure not in PROCEDURES:
        raise BadInput(
            f"--economical leaves approaches out while the run goes on, and `procedure: {benchmark.procedure}` needs the scores "
            f"of all. Write {' or '.join(PROCEDURES)}, or leave out --economical."
        )


def terms_of(prepared: Prepared, folder: Path) -> Terms:
    """What is fixed before the run in this folder, of what it fits; for one that goes on, at the prices of its beginning."""
    from advisor.costs.economics import costs
    from advisor.decision.limits import ruled_out
    from benchmarks.running.economical import Terms

    benchmark, prices = prepared.assembly.benchmark, _prices(prepared, folder)

    def breaks_a_limit(measured: Evaluation) -> bool:
        bill = costs(measured, benchmark, prices)
        return ruled_out(measured, bill, benchmark, prices.currency) is not None

    return Terms(
        models=dearer_in(prepared, folder).prices,
        ceiling=prepared.assembly.ceiling,
        ruled_out=breaks_a_limit,
    )


def dearer_in(prepared: Prepared, folder: Path) -> Dearer:
    """What is known of the models of the run in this folder beside each other, at the prices of its beginning."""
    from benchmarks.costs.dearer import dearer_of

    models = dict.fromkeys(candidate.model for candidate in prepared.candidates if candidate.model)
    return dearer_of(prepared.models, models, _prices(prepared, folder))


def _prices(prepared: Prepared, folder: Path) -> MachinePrices:
    from advisor.experiments.begun import is_frozen
    from advisor.experiments.stored import about_run, listed_in
    from benchmarks.costs.prices import machine_prices

    listed = listed_in(about_run(folder)) if is_frozen(folder) else None
    return machine_prices(prepared.assembly.spec, listed=listed)
