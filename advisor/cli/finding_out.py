"""What `advisor ask` says of time and money before any run: the forecast of a dry run, for the task or for one of its size."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING

from benchmarks.contract import BadInput

if TYPE_CHECKING:
    from advisor.ask.triage import Situation
    from advisor.experiments.comparison import Prepared
    from benchmarks.contract import Benchmark, Candidate
    from benchmarks.costs.forecast import Forecast
    from benchmarks.running.models import Models
    from benchmarks.running.plan import Options
    from strategies.contract import Kind

LENGTHS = (20, 200)
"""Words of a request, from short to long, where there is none to count."""
ANSWERS: Mapping[Kind, int] = {"classification": 2, "extraction": 30, "qa": 5, "generation": 60}
"""Words of an answer, likewise."""
PASSAGE = 200
"""Words of a document, likewise."""
MOST_EXAMPLES = 10_000
"""For which a range is told; with more of them a run takes a sample."""
WORD = "letters "


def of_task(prepared: Prepared) -> tuple[str, ...]:
    """What a run of the task takes as it stands, or why that cannot be said. Loads no weights and fetches nothing."""
    from advisor.ask.asking import USUAL
    from advisor.cli.expected import hosted_says
    from advisor.experiments.room import roomy
    from advisor.wording import money
    from benchmarks.costs.prices import machine_prices

    models, prices = prepared.models, machine_prices(prepared.assembly.spec)
    if reason := _not_here(models, [each.model for each in prepared.candidates]):
        return reason, USUAL
    try:
        expected, no_room = roomy(prepared)
    except BadInput as error:
        return f"What a comparison takes here cannot be estimated: {error}", USUAL
    said = [_sentence(expected), *(f"{why}." for why in dict.fromkeys(no_room.values()))]
    if prices.machine_hour and expected.fits:
        paid = f"{money(expected.minutes / 60 * prices.machine_hour)} {prices.currency}"
        said.append(f"At {prices.machine_hour:g} {prices.currency} an hour of this machine that is about {paid}.")
    said += [f"Of a model at a server, {hosted_says(each, prices)}." for each in expected.asked]
    return tuple(said)


def of_situation(situation: Situation) -> tuple[str, ...]:
    """What a run of such a task takes here with the default model: a range, since no text is known yet. Empty where that model
    is not on this disk, or where there are too few examples for a run."""
    from benchmarks.data.split import LEAST_TO_CUT
    from benchmarks.running.models import Models
    from benchmarks.specs.spec_models import DEFAULT_MODEL, ModelSpec

    models = Models(specs=(ModelSpec(name=DEFAULT_MODEL),))
    if situation.examples < LEAST_TO_CUT or _not_here(models, models.names):
        return ()
    return (between(situation, models),)


def side_by_side(situation: Situation) -> int:
    """How many approaches of one model a run of such a task compares. Loads nothing."""
    from benchmarks.data.split import LEAST_TO_CUT
    from benchmarks.running.plan import rivals

    labels = max(2, situation.labels) if situation.kind == "classification" else situation.labels
    there = replace(situation, labels=labels, examples=max(LEAST_TO_CUT, situation.examples))
    return rivals(imagined(there, LENGTHS[0]).task, 1)


def held_out(examples: int) -> int:
    """How many of so many examples a run holds out, where nothing else is said."""
    from benchmarks.data.split import MOST_HELDOUT

    return min(MOST_HELDOUT, examples // 2)


def between(situation: Situation, models: Models) -> str:
    """The range of a run with these models, as a sentence that says what it rests on."""
    from advisor.experiments.comparison import EFFORTS
    from benchmarks.costs.room import with_room
    from benchmarks.running.plan import Options, candidates
    from strategies.catalog import approaches
    from strategies.models.measured import busy

    wanted, options = candidates(approaches(), models.names), Options(tuning_tokens=EFFORTS["standard"])
    benchmarks = [imagined(situation, words) for words in LENGTHS]
    found = [with_room(partial(_of, benchmark, models, options), wanted, models) for benchmark in benchmarks]
    last, no_room = found[-1]
    if not last.fits:
        return _sentence(last)
    low, high = sorted(each.forecast.minutes for each in found)
    many = min(situation.examples, MOST_EXAMPLES)
    sentence = (
        f"One comparison of all approaches with {models.names[0]} and {many:,} examples takes about {_span(low, high)} "
        f"on this machine. That is estimated as `advisor run --dry-run` does it, from the machine's present speed, for requests "
        f"of {LENGTHS[0]} to {LENGTHS[1]} words."
    )
    sentence = " ".join([sentence, *(f"{why}." for why in dict.fromkeys(no_room.values()))])
    return f"{sentence} Something else is running now; it takes less if that ends." if busy() else sentence


def _of(benchmark: Benchmark, models: Models, options: Options, wanted: Sequence[Candidate]) -> Forecast:
    from benchmarks.costs.forecast import forecast

    return forecast(benchmark, wanted, models, options)


def _span(low: float, high: float) -> str:
    """`25 to 60 minutes`, `3 to 8 hours`."""
    size, unit = (60, "hours") if low >= 120 else (1, "minutes")
    return f"{max(1, round(low / size)):,} to {max(1, round(high / size)):,} {unit}"


def imagined(situation: Situation, words: int) -> Benchmark:
    """A task of that kind and size, half of it held out, with texts that only have a length."""
    from benchmarks import metrics
    from benchmarks.contract import Benchmark
    from benchmarks.data.split import cut_folds
    from benchmarks.scored import MetricScore
    from benchmarks.specs.infer import DEFAULT_METRICS
    from strategies.contract import Case, Document, Task

    many = min(situation.examples, MOST_EXAMPLES)
    labels = tuple(f"label {number}" for number in range(situation.labels))
    outputs = labels or (WORD * ANSWERS[situation.kind],)
    cases = [Case(id=f"{place}", input=WORD * words, output=outputs[place % len(outputs)]) for place in range(many)]
    held, metric = held_out(many), metrics.load(DEFAULT_METRICS[situation.kind][0], {})
    task = Task(
        name="imagined",
        kind=situation.kind,
        instruction=WORD * 20,
        folds=cut_folds(cases[held:], situation.kind, 0),
        score=MetricScore(metric=metric),
        labels=labels,
        documents=(Document(id="one", text=WORD * PASSAGE),) if situation.documents else (),
    )
    return Benchmark(task=task, heldout=tuple(cases[:held]), metric=metric)


def _sentence(expected: Forecast) -> str:
    if not expected.fits:
        return f"No comparison is possible on this machine as it is now: {expected.sentence}."
    return f"One comparison of all approaches on this machine takes {expected.sentence.removeprefix('expected: ')}."


def _not_here(models: Models, names: Sequence[str]) -> str:
    """Which weights would have to be fetched before anything can be reckoned; empty where none."""
    from benchmarks.running.installed import made
    from benchmarks.running.whereabouts import to_download
    from strategies.models.known import KNOWN

    wanted = [
        spec.name for spec in models.specs if spec.name in names and spec.endpoint is None and spec.folder is None
    ]
    lacking = [each.name for each in to_download(models, wanted) if each.kind == "language"]
    lacking += [name for name in wanted if name not in KNOWN and made("models", name) is None]
    if not lacking:
        return ""
    return (
        f"What a comparison takes here can be estimated once the weights of {' and '.join(lacking)} are on this disk."
    )
