"""What a run is known by: whether it is the same again, and whether what answers in it is."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Collection
from typing import TYPE_CHECKING

from benchmarks.evaluation.cascade import APPROACH as CASCADE
from benchmarks.specs.spec_models import TOKEN_PRICES
from benchmarks.statistics.looks import Rivals

if TYPE_CHECKING:
    from advisor.experiments.comparison import Prepared
    from benchmarks.contract import Candidate

COSTS = {"prices", "upkeep", "volume", "horizon_months"}
"""Keys of a spec that say what an approach costs, and nothing of what it answers."""
RANKING = {*COSTS, "constraints", "slices"}
"""Keys of a spec on which it depends who is tested first, and who not at all."""
RENTED = {"machine_hour", "monthly", "tuned", "tuning_price"}
"""The same of a model."""


def experiment_of(prepared: Prepared) -> str:
    """Names what is run: task, cases, approaches, models, options and what ranks. The same again is no other look."""
    rented = [spec.model_dump(mode="json", include=RENTED, exclude_none=True) for spec in prepared.models.specs]
    return _named(prepared, RANKING, RENTED, [rented] if any(rented) else [])


def subject_of(prepared: Prepared) -> str:
    """Names what answers, which is the experiment without what things cost: whoever was shown its wrong answers and runs it
    again at other prices has changed no approach. All else counts, since answers or candidates may follow from it."""
    return _named(prepared, RANKING - COSTS, {*RENTED, *TOKEN_PRICES}, [])


def rivals_in(prepared: Prepared) -> Rivals:
    """Who shares the error of this look, a cascade that may be made of them included, and by what one comes before another."""
    spec = prepared.assembly.spec
    told = {"prices": {"source", "sources", "date"}}
    costs = {"": spec.model_dump(mode="json", include={*COSTS, "constraints"}, exclude=told, exclude_defaults=True)}
    costs |= {
        each.name: each.model_dump(mode="json", include={*RENTED, *TOKEN_PRICES}, exclude_none=True)
        for each in prepared.models.specs
    }
    return Rivals(
        candidates=(*map(_with_model, prepared.candidates), *([CASCADE] if len(prepared.candidates) > 1 else ())),
        costs={name: _short(json.dumps(given, sort_keys=True)) for name, given in costs.items()},
    )


def _with_model(candidate: Candidate) -> str:
    """Its name with its model, which stands in the name itself only beside other models."""
    return (
        candidate.name if not candidate.model else f"{candidate.name.removesuffix(at := f' @ {candidate.model}')}{at}"
    )


def _short(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:20]


def _named(prepared: Prepared, ranking: set[str], prices: Collection[str], rented: list[object]) -> str:
    """The hash of a run, with these keys of its spec and without these of its models."""
    from benchmarks.running.foreign import codes, foreign_metric_code
    from benchmarks.running.work import task_hash
    from strategies.approaches.recorded import Recorded

    benchmark, models = prepared.assembly.benchmark, prepared.models
    told = {"prices": {"source", "sources", "date"}}  # Of prices only where they are from.
    ranks = prepared.assembly.spec.model_dump(mode="json", include=ranking, exclude=told, exclude_defaults=True)
    parts = [
        task_hash(benchmark),
        benchmark.fingerprint,
        benchmark.target if benchmark.margin is None else ["margin", benchmark.margin],
        *([] if benchmark.procedure == "cheapest first" else [benchmark.procedure]),
        *([ranks] if ranks else []),
        [candidate.name for candidate in prepared.candidates],
        [spec.model_dump(mode="json", exclude=set(prices)) for spec in models.specs],
        *rented,
        [models.embedder_spec.model_dump(mode="json"), models.dtype],
        *([models.reranker_spec.name] if models.reranker_spec else ()),
        vars(prepared.options),
        *(candidate.strategy.digest for candidate in prepared.candidates if isinstance(candidate.strategy, Recorded)),
        *([{"code": code}] if (code := codes(prepared.candidates)) else ()),
        *([{"metric": metric}] if (metric := foreign_metric_code(benchmark.metric)) else ()),
        *([{"temperature": benchmark.task.temperature}] if benchmark.task.temperature else ()),
        *([{"teacher": models.teacher, "asked": benchmark.task.unlabelled}] if models.teacher else ()),
        *([{"weights": weights}] if (weights := _weights(prepared)) else ()),
    ]
    return _short(json.dumps(parts, sort_keys=True))


def _weights(prepared: Prepared) -> dict[str, str]:
    """Model -> hash of its weights, for those in folders, since training goes on and the same path then holds another model, and
    for those of a hub that are on this disk, where an id may stand for others tomorrow."""
    from benchmarks.running.installed import installed_embedder, installed_model
    from benchmarks.running.whereabouts import weights_in_folder, weights_of_hub

    models = prepared.models
    used = {models.teacher, *(candidate.model for candidate in prepared.candidates)}
    found = {
        spec.name: weights_in_folder(models, spec)
        for spec in models.specs
        if spec.name in used and spec.endpoint is None and installed_model(spec) is None
    }
    if installed_embedder(models.embedder_spec.name, models.embedder_spec.folder) is None:
        found["embedder"] = weights_in_folder(models, models.embedder_spec)
    if models.reranker_spec is not None:
        found["reranker"] = weights_in_folder(models, models.reranker_spec)
    return {name: weights for name, weights in found.items() if weights} | weights_of_hub(models, used)
