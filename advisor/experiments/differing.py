"""What two stored runs were given, and what of it is not the same: one sentence for each."""

from __future__ import annotations

from collections import Counter
from collections.abc import Hashable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from advisor.wording import counted, listed
from benchmarks.contract import Benchmark
from benchmarks.specs.spec_models import HOW_ASKED
from strategies.contract import Case, Outcome

Pairs = Sequence[tuple[str, Hashable]]
"""What each row is known by, and what it holds; two rows may be the same."""
_ELSEWHERE = {
    "examples",
    "heldout",
    "documents",
    "recorded",
    "traffic",
    "columns",
    "labels",
    "schema",
    "pattern",
    "kind",
}
_ELSEWHERE |= {"instruction", "metric", "target", "margin", "temperature", "teacher", "embedder", "reranker"}
"""Keys of a task that are compared by what came of them: the rows of a file and not its name."""
_OF_BENCHMARK = {"task", "task_hash", "heldout", "cases", "target", "margin", "temperature", "stopping", "metric_code"}
"""The same of a run's identity."""
_OPTIONS = {"seed": "seed", "tuning_tokens": "tuning budget in tokens"}
_NAMED = {"embedder": "embedder", "dtype": "number format", "quantised": "list of models in four bits"}
"""Part of a run's identity that can be read -> how it is called."""
_HASHED = {
    "candidates": "The approaches that were asked for are others.",
    "embedder_weights": "The weights of the embedder are others.",
    "embedder_files": "The weights of the embedder are others.",
    "reranker": "The reranker is another.",
    "teacher": "The teacher, or what it is asked, is another.",
    "recorded": "The recorded answers are others.",
    "batches": "The size of batches is another, which may change a last digit.",
    "attention": "The kind of attention is another, which may change a last digit.",
}
"""Part of a run's identity that cannot -> what is said where it differs."""


@dataclass(frozen=True, kw_only=True)
class Run:
    """A stored run: what was asked, and the answers of each candidate to the held-out cases, by input."""

    benchmark: Benchmark
    answers: Mapping[str, Mapping[str, Outcome]]
    identity: Mapping[str, Any]
    program: str
    spec: Mapping[str, Any]
    """The task as a person described it; empty where the run does not say it."""
    device: str
    """Where it began; empty where the run does not say it."""
    experiment: str
    """Names all that was given; empty where the run does not say it."""


def differences(before: Run, after: Run) -> tuple[str, ...]:
    """Empty only where all that identifies the two runs is the same."""
    told = [
        *_of_data(before.benchmark, after.benchmark),
        *_of_task(before.benchmark, after.benchmark),
        *_of_metric(before, after),
        *_of_run(before, after),
        *_of_spec(before, after),
    ]
    if before.program != after.program:
        told.append("The program that fits and answers is another version.")
    known = [
        (run.experiment.partition(".")[0], run.identity.get("task_hash"), run.benchmark.fingerprint)
        for run in (before, after)
    ]
    if not told and known[0] != known[1]:
        told.append(
            "The rows are others in their order, in ids or in further columns, or something else was given that is another."
        )
    return tuple(told)


def _of_data(one: Benchmark, other: Benchmark) -> Iterator[str]:
    task, later = one.task, other.task
    yield from _rows("examples", _answers(task.examples), _answers(later.examples))
    held, asked = _answers(one.heldout), _answers(other.heldout)
    removed, added, corrected = _moved(held, asked)
    yield from _counts("held-out cases", (len(held), len(asked)), (removed, added, 0))
    if corrected:
        yield f"The right answer of {counted(corrected, 'held-out case')} is another; both runs are scored with the later one."
    yield from _rows(
        "documents",
        [(each.id, (each.title, each.date, each.text)) for each in task.documents],
        [(each.id, (each.title, each.date, each.text)) for each in later.documents],
    )
    yield from _rows("labels", [(name, "") for name in task.labels], [(name, "") for name in later.labels])


def _of_task(one: Benchmark, other: Benchmark) -> Iterator[str]:
    for what, of in (("kind of task", "kind"), ("instruction", "instruction"), ("schema or pattern", "schema")):
        if getattr(one.task, of) != getattr(other.task, of):
            yield f"The {what} is another."
    yield from _values("temperature", one.task.temperature, other.task.temperature)
    yield from _values("target", one.target, other.target)
    yield from _values("margin", one.margin, other.margin)
    if one.sequential != other.sequential:
        yield f"Only {'the earlier' if one.sequential else 'the later'} run stopped asking when it was decided."


def _of_metric(before: Run, after: Run) -> Iterator[str]:
    metric = after.benchmark.metric
    codes = {
        code for run in (before, after) if (code := run.identity.get("metric_code"))
    }  # Earlier versions kept none.
    if before.benchmark.metric != metric:
        yield f"The metric is another, or has other settings; both runs are scored by {metric.name} as it is now."
    elif len(codes) > 1:
        yield f"The code of the metric is another; both runs are scored by {metric.name} as it is now."


def _served(spec: Mapping[str, Any]) -> set[str]:
    """The models that a server answers for."""
    return {model["name"] for model in spec.get("models") or () if isinstance(model, Mapping) and model.get("endpoint")}


def _of_run(one: Run, other: Run) -> Iterator[str]:
    before, after, served = one.identity, other.identity, _served(one.spec) & _served(other.spec)
    options, later = before.get("options", {}), after.get("options", {})
    for key, said in _OPTIONS.items():
        yield from _values(said, options.get(key), later.get(key))
    if any(options.get(key) != later.get(key) for key in {*options, *later} - {*_OPTIONS}):
        yield "The checks that were asked for are others."
    models, now = before.get("weights", {}), after.get("weights", {})
    if models.keys() != now.keys():
        yield f"The models were {_names(models)} and are {_names(now)}."
    others = sorted(name for name in models if name in now and models[name] != now[name])
    local = [name for name in others if name not in served]
    if weights := [name for name in local if _computed(one, name) == _computed(other, name)]:
        yield f"The weights of {listed(weights)} are others."
    if unsure := [name for name in local if name not in weights]:
        yield f"The weights of {listed(unsure)} are others, or only their device, number format or size of batches is."
    yield from (f"How the server of {name} is asked ({HOW_ASKED}) is another." for name in others if name in served)
    for key in sorted({*before, *after} - {"options", "weights", *_OF_BENCHMARK}):
        was, has = before.get(key), after.get(key)
        if key in _NAMED:
            yield from _values(_NAMED[key], was, has)
        elif key == "foreign_code":
            yield from _codes(was or {}, has or {})
        elif key == "embedder_files" and None in (was, has):
            continue  # Of a model of a hub earlier versions kept none.
        elif was != has and not (key.startswith("embedder_") and before.get("embedder") != after.get("embedder")):
            yield _HASHED.get(key, f"`{key}` of the run is another.")


def _computed(run: Run, name: str) -> Hashable:
    """What stands in the fingerprint of a local model besides its weights."""
    size, small = run.identity.get("batches", {}).get(name), name in run.identity.get("quantised", ())
    return run.device, run.identity.get("dtype"), size, small


def _codes(was: Mapping[str, str], has: Mapping[str, str]) -> Iterator[str]:
    """Approaches of other packages: of one that is in one run only, the list of approaches says so."""
    if others := sorted(name for name in was if was[name] != has.get(name, was[name])):
        yield f"The code of {listed(others)} is another."


def _of_spec(before: Run, after: Run) -> Iterator[str]:
    """What stands in the task beside what the benchmark or the identity holds: costs, limits, slices, how a server is asked."""
    for key in sorted(before.spec.keys() & after.spec.keys() - _ELSEWHERE):
        others = (
            key == "models" and before.identity.get("weights", {}).keys() != after.identity.get("weights", {}).keys()
        )
        if before.spec[key] != after.spec[key] and not others:
            yield f"`{key}` in the task is another."


def _values(what: str, was: Any, now: Any) -> Iterator[str]:
    if was != now:
        yield f"The {what} was {_said(was)} and is {_said(now)}."


def _said(value: Any) -> str:
    if value is None or value == []:
        return "none"
    return listed(value) if isinstance(value, list) else str(value)


def _names(models: Mapping[str, str]) -> str:
    return listed(sorted(models)) if models else "none"


def _answers(cases: Sequence[Case]) -> Pairs:
    return [(case.input, case.accepted) for case in cases]


def _rows(what: str, before: Pairs, after: Pairs) -> Iterator[str]:
    yield from _counts(what, (len(before), len(after)), _moved(before, after))


def _moved(before: Pairs, after: Pairs) -> tuple[int, int, int]:
    """How many rows were left out, added and changed: of those that are not in both, what is known by the same was changed."""
    gone, fresh = Counter(before), Counter(after)
    gone, fresh = gone - fresh, fresh - gone
    left, came = (_by_key(each) for each in (gone, fresh))
    changed = (left & came).total()
    return left.total() - changed, came.total() - changed, changed


def _by_key(rows: Counter[tuple[str, Hashable]]) -> Counter[str]:
    found: Counter[str] = Counter()
    for (key, _), number in rows.items():
        found[key] += number
    return found


def _counts(what: str, rows: tuple[int, int], moved: tuple[int, int, int]) -> Iterator[str]:
    verbs = zip(moved, ("left out", "added", "changed"), strict=True)
    if parts := [f"{number:,} {verb}" for number, verb in verbs if number]:
        yield f"Of {rows[0]:,} {what} there are {rows[1]:,} now: {listed(parts)}."
