"""What a run is set up with, by the task and what a person asks for beside it: models, approaches, a limit on cost."""

from __future__ import annotations

import difflib
import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchmarks.contract import BadInput, Benchmark, Candidate
from benchmarks.probes.curve import LEAST
from benchmarks.running.plan import Further

if TYPE_CHECKING:
    from advisor.experiments.comparison import Wishes
    from benchmarks.costs.spending import SpendingBudget
    from benchmarks.data.assemble import Assembly
    from benchmarks.running.models import Models
    from benchmarks.specs.spec import Spec
    from strategies.contract import Strategy

PROBES = ("none", "core", "all")
ALL_REBUILDS = 3
"""Rebuilds among all probes: with fewer there is no interval."""


def further_of(wishes: Wishes, benchmark: Benchmark, teacher: str = "") -> Further:
    """What is measured beside the core; a limit of the task asks for its check without an option. Raises `BadInput` for what
    this task or no task has."""
    from benchmarks.probes.added import adds_labels
    from benchmarks.probes.altered import has_a_rule
    from benchmarks.probes.changed import asks_for_facts

    if wishes.probes not in PROBES:
        raise BadInput(f"probes is {wishes.probes!r}; it is one of {', '.join(PROBES)}.")
    if wishes.rebuilds < 0 or wishes.rebuilds == 1:
        raise BadInput(f"rebuilds is {wishes.rebuilds}; it takes 2 or more to compare, and 0 leaves them out.")
    everything = wishes.probes == "all"
    asked = wishes.changed or everything
    changes = asked and (asks_for_facts(benchmark) or adds_labels(benchmark, wishes.seed) or has_a_rule(benchmark))
    if wishes.changed and not changes:
        raise BadInput(
            "--changed asks what follows when facts in the documents change, labels are added or the format is altered. With "
            "labels that takes three or more, a third of which stand in ten held-out cases; a format is altered where answers "
            "or names of fields are not in capitals yet and can be. Leave it out."
        )
    if wishes.curve and (examples := len(benchmark.task.examples)) < LEAST:
        raise BadInput(
            f"--curve needs {LEAST} examples or more to build from parts of them, and the task has {examples}. Leave it out, or "
            "add examples."
        )
    limited = wishes.probes != "none" and benchmark.constraints.planted_at_most is not None
    return Further(
        curve=wishes.curve,
        planted=wishes.planted or everything or limited,
        rebuilds=wishes.rebuilds or (ALL_REBUILDS if everything else 0),
        changed=changes,
        reworded_by="" if wishes.probes == "none" else teacher,
    )


def with_models(spec: Spec, names: Sequence[str]) -> Spec:
    """The spec with the models that were asked for; a relative folder is one of the working folder then."""
    if not names:
        return spec
    from benchmarks.specs.spec_models import ModelSpec, distinct_models

    known = {model.name: model for model in spec.models}
    asked = []
    for name in names:
        if not name.strip():
            raise BadInput("A model without a name was asked for. Name one of `advisor models`, a folder or a hub id.")
        model = known.get(name) or ModelSpec(name=name)
        if model.folder is not None and name not in known:
            model = model.model_copy(update={"folder": str(Path(model.folder).expanduser().absolute())})
        asked.append(model)
    try:
        return spec.model_copy(update={"models": distinct_models(tuple(asked))})
    except ValueError as error:
        raise BadInput(f"The choice of models {error}") from None


def models_of(spec: Spec, wishes: Wishes, folder: Path) -> Models:
    """The models that the spec in that folder names. Raises `BadInput` for a name that is none, and for a teacher that is not
    among them."""
    from benchmarks.running.models import Models
    from benchmarks.running.whereabouts import check_names

    models = Models(
        spec.models,
        data_stays_here=spec.constraints.data_stays_here,
        licences=spec.constraints.licences,
        accept_terms=wishes.accept_terms,
        dtype=wishes.dtype,
        embedder_spec=spec.embedder,
        reranker_spec=spec.reranker,
        base=folder,
        teacher=spec.teacher or "",
        spending=spending_of(spec, wishes.max_cost),
    )
    check_names(models)
    models.check_teacher()
    return models


def with_notes(assembly: Assembly, notes: Sequence[str]) -> Assembly:
    """The same with further sentences on what was found."""
    benchmark = replace(assembly.benchmark, notes=(*assembly.benchmark.notes, *notes))
    return replace(assembly, benchmark=benchmark, inferred=(*assembly.inferred, *notes))


def wanted_candidates(assembly: Assembly, folder: Path, models: Models, wanted: Sequence[str]) -> list[Candidate]:
    """All of them, or those that are named. Raises `BadInput` for a name that there is not."""
    from benchmarks.data.recorded import check_matched, read_recorded
    from benchmarks.running.plan import candidates
    from strategies.catalog import approaches

    strategies = list(approaches())
    _must_differ(strategies)
    if assembly.spec.recorded:
        strategies += read_recorded(folder / assembly.spec.recorded)
    found = candidates(strategies, models.names)
    for name, count in Counter(candidate.name for candidate in found).items():
        if count > 1:
            raise BadInput(
                f"{assembly.spec.recorded} holds a system {name!r}, as an approach is called. Give it another name."
            )
    names = [candidate.name for candidate in found]
    for name in wanted:
        if name not in names:
            near = difflib.get_close_matches(name, names, n=1, cutoff=0.5)
            hint = f" Did you mean {near[0]!r}?" if near else ""
            raise BadInput(f"There is no approach {name!r}; there are {', '.join(names)}.{hint}")
    chosen = [candidate for candidate in found if candidate.name in wanted or not wanted]
    task = assembly.benchmark.task
    reasons = [reason for each in chosen if (reason := each.strategy.unsuitable(task))]
    if wanted and len(reasons) == len(chosen):
        raise BadInput(
            f"None of {', '.join(wanted)} suits the task: {'; '.join(dict.fromkeys(reasons))}. Name another approach."
        )
    check_matched(
        (each.strategy for each in chosen), assembly.benchmark.heldout, Path(assembly.spec.recorded or "").name
    )
    return chosen


def unsuited(assembly: Assembly, chosen: Sequence[Candidate], wanted: Sequence[str]) -> tuple[str, ...]:
    """A sentence for each approach that was named and does not suit the task."""
    named = {each.name: each.strategy.unsuitable(assembly.benchmark.task) for each in chosen if each.name in wanted}
    return tuple(f"--approach: {name} is left out, since {reason}." for name, reason in named.items() if reason)


def _must_differ(strategies: Sequence[Strategy]) -> None:
    """Raises `BadInput` where two approaches are called alike, one of which another package brings."""
    from advisor.wording import listed
    from benchmarks.running.plan import label
    from strategies.catalog import bringing, package_of

    for name, count in Counter(label(each) for each in strategies).items():
        if count > 1:
            alike = next(each.name for each in strategies if label(each) == name)
            packages = list(dict.fromkeys(map(package_of, bringing(alike))))
            raise BadInput(
                f"An approach {name!r} comes with {listed(packages)}, and there is another one of that name. Give it "
                "another name in that package, or remove the package."
            )


def spending_of(spec: Spec, limit: float | None) -> SpendingBudget | None:
    """What servers may be paid. Without a limit it is counted all the same, since one may be given when the run goes on; None
    where it cannot be counted."""
    from benchmarks.costs.prices import is_elsewhere, machine_prices
    from benchmarks.costs.spending import SpendingBudget

    prices = machine_prices(spec)
    if limit is None:
        served = {name: price for name, price in prices.tokens.items() if name in prices.served}
        return SpendingBudget.without_limit(prices.currency, served)
    if not (math.isfinite(limit) and limit > 0):
        raise BadInput(f"--max-cost is {limit:g}; give an amount of money above 0, such as 5.")
    rented = [model.name for model in spec.models if model.name in prices.hours and is_elsewhere(model)]
    if rented:
        raise BadInput(
            f"--max-cost cannot be kept: {rented[0]} is paid by the hour, whatever it is asked. Leave out --max-cost, or state "
            "the price of its tokens in place of `machine_hour`."
        )
    return SpendingBudget(limit=limit, currency=prices.currency, prices=prices.tokens)


def prediction_of(folder: Path, whole: bool) -> Mapping[str, Any]:
    """What was predicted before the first run, where a bundled task says so; the outcome only where the `whole` task is asked,
    since it is for all examples and held-out cases."""
    path = folder / "prediction.yaml"
    if not path.is_file():
        return {}
    import yaml

    values = yaml.safe_load(path.read_text(encoding="utf-8"))
    if not isinstance(values, dict):
        return {}
    return values if whole else {key: value for key, value in values.items() if key not in ("outcome", "target")}
