"""From a benchmark to the units of work: pure, so that resume is the plan minus what is stored."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

from benchmarks.contract import Benchmark, Candidate
from benchmarks.probes.added import adds_labels
from benchmarks.probes.altered import has_a_rule
from benchmarks.probes.changed import asks_for_facts
from benchmarks.probes.consistency import PROBE_CASES, repeats
from benchmarks.probes.curve import DRAWS, FEWEST, PARTS, sizes
from benchmarks.probes.gold import naming
from benchmarks.probes.handed import askable
from benchmarks.probes.planted import QUOTED
from benchmarks.probes.rebuilds import size
from benchmarks.probes.reworded import rewords
from strategies.catalog import approaches
from strategies.contract import Strategy, Task, Trains
from strategies.traits import prefers_cheapest, quotes_documents, takes_advice, takes_teaching

SHARD = 128
"""Held-out cases a unit. Answers of a shard share batches, so it is part of the configuration."""
LOOK = 50
"""The same where asking ends when a candidate is decided; the first unit holds the cases of the checks."""


@dataclass(frozen=True, kw_only=True)
class Unit:
    """One piece of work that is either finished or not. `name` is a hash of everything that it depends on."""

    name: str
    kind: str
    candidate: str
    part: int = 0


@dataclass(frozen=True, kw_only=True)
class Options:
    """What a run may be told besides the spec."""

    seed: int = 0
    tuning_tokens: int = 120_000
    """Budget of each approach for choosing, in model tokens; a token of training counts as two."""
    probes: bool = True
    """Consistency, latency, the second seed, right passages handed over, wrong answers asked again, and what tuning made worse
    elsewhere."""
    second_seed: bool = True


@dataclass(frozen=True, kw_only=True)
class Further:
    """What a run measures only where somebody asks for it, of a finished run too: each takes time of its own."""

    curve: bool = False
    """Each candidate with fewer examples."""
    planted: bool = False
    """How often planted text is followed."""
    rebuilds: int = 0
    """How often everything is fitted again, on other examples and with other seeds."""
    changed: bool = False
    """What is answered when facts in the documents are others, labels are added, or the format is altered."""
    reworded_by: str = ""
    """The model that writes requests in other words, where one is given."""


def candidates(strategies: Sequence[Strategy], models: Sequence[str]) -> list[Candidate]:
    """Every approach with every model; approaches without a language model once."""
    found = []
    for strategy in strategies:
        for model in models if strategy.needs else ("",):
            suffix = f" @ {model}" if strategy.needs and len(models) > 1 else ""
            found.append(Candidate(name=label(strategy) + suffix, strategy=strategy, model=model))
    return found


def rivals(task: Task, models: int) -> int:
    """How many candidates will stand against each other for the task: what suits it, with each of the models, and a cascade of
    two of them."""
    single = sum(models if strategy.needs else 1 for strategy in approaches() if not strategy.unsuitable(task))
    return single + (single > 1)


def rivals_among(found: Sequence[Candidate], task: Task) -> int:
    """The same where it is known who is asked; a cascade takes two."""
    single = sum(not candidate.strategy.unsuitable(task) for candidate in found)
    return max(1, single + (single > 1))


def lane_of(candidate: Candidate, model: str) -> tuple[str, str]:
    """What is fitted one after another, since it shares searches or trainings: an approach with a model, and all that train
    that model."""
    return ("training" if Trains in candidate.strategy.needs else candidate.strategy.name, model)


def is_taught(candidate: Candidate) -> bool:
    """Whether it learns from answers of the task's teacher."""
    return takes_teaching(candidate.strategy)


def is_advised(candidate: Candidate, teacher: str) -> bool:
    """Whether the task's teacher ("": there is none) proposes how it is asked; nobody needs to be told by himself."""
    return bool(teacher) and candidate.model != teacher and takes_advice(candidate.strategy)


def is_recorded(candidate: Candidate) -> bool:
    """Whether its answers stand in a file, which holds none to any other input and the same one each time."""
    return candidate.strategy.family == "recorded"


def is_prompted(candidate: Candidate) -> bool:
    """Whether a language model answers it as it is, so that the form of the prompt may be changed by hand any day."""
    return candidate.strategy.family in ("prompting", "retrieval") and bool(candidate.strategy.needs)


def described(candidate: Candidate) -> dict[str, Any]:
    """What a stored run says of a candidate: plain values, as `evaluate.About` takes them."""
    strategy = candidate.strategy
    return {
        "name": candidate.name,
        "approach": strategy.name,
        "family": strategy.family,
        "model": candidate.model,
        "simplicity": strategy.simplicity,
    }


def label(strategy: Strategy) -> str:
    """The name in tables: an approach's cheapest configuration within noise is told apart from its best."""
    return f"{strategy.name} (cheapest)" if prefers_cheapest(strategy) else strategy.name


def units(benchmark: Benchmark, candidate: Candidate, options: Options, salt: str) -> list[Unit]:
    """The units of one candidate in the order in which they depend on each other. `salt` names model and task."""
    kinds = [("fit", 0)]
    kinds += [("answer", part) for part in range(len(shards(benchmark)))]
    if options.probes:
        again = [("edit", 0), *(("repeat", part) for part in range(repeats(benchmark.task.temperature)))]
        kinds += [
            *(() if is_recorded(candidate) else again),
            *((("format", 0),) if is_prompted(candidate) else ()),
            ("latency", 0),
        ]
        if options.second_seed and candidate.strategy.needs:
            kinds.append(("seed", 0))
    if options.probes and candidate.strategy.family in ("retrieval", "combined") and _has_gold(benchmark):
        kinds.append(("oracle", 0))
    if options.probes and is_prompted(candidate) and askable(benchmark.task):
        kinds.append(("handed", 0))
    if options.probes and Trains in candidate.strategy.needs:
        kinds.append(("forgetting", 0))
        kinds += [("by heart", 0)] if asks_for_facts(benchmark) else []
    return [_unit(candidate, options, salt, kind) for kind in kinds]


def _unit(candidate: Candidate, options: Options, salt: str, what: tuple[str, int]) -> Unit:
    kind, part = what
    name = _hash(salt, candidate.name, repr(candidate.strategy), repr(options), kind, str(part))
    return Unit(name=name, kind=kind, candidate=candidate.name, part=part)


def further_units(
    benchmark: Benchmark, candidate: Candidate, options: Options, salt: str, further: Further
) -> list[Unit]:
    """The units of what was asked for besides."""
    return [
        *(curve_units(benchmark, candidate, options, salt) if further.curve else ()),
        *(planted_units(benchmark, candidate, options, salt) if further.planted else ()),
        *rebuild_units(benchmark, candidate, options, salt, further.rebuilds),
        *(change_units(benchmark, candidate, options, salt) if further.changed else ()),
        *reworded_units(benchmark, candidate, options, salt, further.reworded_by),
    ]


def reworded_units(benchmark: Benchmark, candidate: Candidate, options: Options, salt: str, teacher: str) -> list[Unit]:
    """Requests in other words, where somebody writes them and answers should stay; a file holds none to them."""
    asked = teacher and rewords(benchmark.task) and not is_recorded(candidate)
    return [_unit(candidate, options, f"{salt}|{teacher}", ("reworded", 0))] if asked else []


def change_units(benchmark: Benchmark, candidate: Candidate, options: Options, salt: str) -> list[Unit]:
    """Facts in the documents that are others, labels that are added, a format that is altered: whichever the task has.

    Only facts where nobody here can build the approach anew: answers from a file, and what a teacher taught.
    """
    kinds = ["changed"] if asks_for_facts(benchmark) else []
    if not is_recorded(candidate) and not is_taught(candidate):
        kinds += ["added"] if adds_labels(benchmark, options.seed) else []
        kinds += ["altered"] if has_a_rule(benchmark) else []
    return [_unit(candidate, options, salt, (kind, 0)) for kind in kinds]


def curve_units(benchmark: Benchmark, candidate: Candidate, options: Options, salt: str) -> list[Unit]:
    """The units that measure a candidate with fewer examples; the part numbers size and draw (`curve_part`)."""
    at = sizes(len(benchmark.task.examples))
    if at and len(benchmark.task.examples) < FEWEST * PARTS[0]:  # Other sizes than before, under the same numbers.
        salt = f"{salt}|{at}"
    return [_unit(candidate, options, salt, ("curve", part)) for part in range(len(at) * DRAWS)]


def curve_part(benchmark: Benchmark, part: int) -> tuple[int, int]:
    """Number of examples, and which draw of them."""
    return sizes(len(benchmark.task.examples))[part // DRAWS], part % DRAWS


def planted_units(benchmark: Benchmark, candidate: Candidate, options: Options, salt: str) -> list[Unit]:
    """Text planted in requests, and in what approaches look up in documents; the part numbers the place.

    None for answers from a file, which holds none to a request with such text in it.
    """
    quotes = quotes_documents(candidate.strategy)
    reads = candidate.strategy.family in ("retrieval", "combined") or quotes
    looks_up = reads and bool(benchmark.task.documents)
    places = 0 if is_recorded(candidate) else 2 if looks_up else 1
    salts = (salt, f"{salt}|{QUOTED}" if quotes else salt)  # What is planted for these is another text than once.
    return [_unit(candidate, options, salts[part], ("planted", part)) for part in range(places)]


def rebuild_units(benchmark: Benchmark, candidate: Candidate, options: Options, salt: str, number: int) -> list[Unit]:
    """So many rebuilds of what is built at all; the part numbers the sample of the examples."""
    built = not is_recorded(candidate) and size(len(benchmark.task.examples)) > 0
    return [_unit(candidate, options, salt, ("rebuild", part)) for part in range(number if built else 0)]


def _has_gold(benchmark: Benchmark) -> bool:
    return bool(naming(benchmark.heldout, benchmark.task.documents))


def shards(benchmark: Benchmark) -> list[tuple[int, int]]:
    """First and last + 1 index of the held-out cases of each shard. Where asking may end, none parts a group."""
    cases = len(benchmark.heldout)
    if not benchmark.sequential:
        return [(first, min(cases, first + SHARD)) for first in range(0, cases, SHARD)]
    edges = [0]
    while edges[-1] < cases:
        edges.append(_whole_groups(benchmark, edges[-1] + (LOOK if len(edges) > 1 else PROBE_CASES)))
    return list(pairwise(edges))


def _whole_groups(benchmark: Benchmark, edge: int) -> int:
    """The first index from `edge` on at which another group begins."""
    cases = benchmark.heldout
    while edge < len(cases) and cases[edge].group and cases[edge].group == cases[edge - 1].group:
        edge += 1
    return min(edge, len(cases))


def _hash(*parts: str) -> str:
    return hashlib.sha256("\x1f".join(parts).encode()).hexdigest()[:24]
