"""Two runs side by side on the held-out inputs that both answered, scored alike: what a change of data was worth."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from pathlib import Path

from advisor.experiments.differing import Run, differences
from advisor.experiments.stored import about_run, reading
from advisor.wording import counted, percent, points, probability
from benchmarks.audit.findings import many
from benchmarks.contract import Answered, BadInput, Benchmark, Metric
from benchmarks.data.frozen import thaw
from benchmarks.evaluation.scoring import scored
from benchmarks.metrics._base import label_of
from benchmarks.running.elsewhere import device_of
from benchmarks.scored import figure_over
from benchmarks.statistics.confidence import paired_difference
from benchmarks.statistics.resampling import resampled_difference
from benchmarks.storage.store import Store
from strategies.answers import too_many_lost
from strategies.contract import Case, Outcome, Prediction

FEWEST = 30
"""Shared held-out cases from which on two runs are compared."""


@dataclass(frozen=True, kw_only=True)
class Change:
    """One approach in both runs. `low` and `high`: two-sided 95 % interval of the difference."""

    candidate: str
    before: float
    after: float
    low: float
    high: float
    p_value: float
    cases: int
    """Held-out inputs that it answered in both."""

    @property
    def difference(self) -> float:
        return self.after - self.before

    def cells(self) -> tuple[str, ...]:
        """As a table shows it: before, after, difference, interval, p."""
        low, high = (f"{round(100 * value):+d}" for value in (self.low, self.high))
        figures = percent(self.before), percent(self.after), points(self.difference)
        return (*figures, f"{low} to {high}", probability(self.p_value))


@dataclass(frozen=True, kw_only=True)
class Comparison:
    """What changed between two runs, and what that changed."""

    shared: int
    """Held-out inputs that both runs answered, with any approach; scored with the metric and the answers of the later run. Those
    are not counted of which that says nothing of the earlier one, as it had other labels (`Relabelling`)."""
    what: tuple[str, ...]
    """One sentence for each thing that is not the same."""
    changes: tuple[Change, ...]
    only: tuple[str, ...]
    """Approaches that only one of the runs has figures for, or both on too few of the same inputs."""

    @property
    def alike(self) -> bool:
        """Whether all approaches are compared on as many inputs: none was asked less than others since it was decided."""
        return len({change.cases for change in self.changes}) <= 1

    @property
    def fewer(self) -> str:
        """What is said behind the inputs that both answered, where not every approach was asked all of these."""
        return "" if self.alike else ", or those of them that an approach was asked before it was decided"


def compare(before: Path, after: Path, allow_code: bool = False) -> Comparison:
    """Raises `BadInput` where a folder holds no run, or too few inputs are shared."""
    one, other = opened(before, allow_code), opened(after, allow_code)
    asked = {case.input: case for case in one.benchmark.heldout}
    shared = list({case.input: case for case in other.benchmark.heldout if case.input in asked}.values())
    if len(shared) < FEWEST:
        raise BadInput(
            f"The two runs share {counted(len(shared), 'held-out input')}, and {FEWEST} are needed. Keep the held-out file when "
            "the examples change, so that runs can be compared."
        )
    relabelling = Relabelling.between(one.benchmark, other.benchmark)
    cases = [case for case in shared if relabelling.tells(asked[case.input], case)]
    told = tuple(relabelling.says(len(shared) - len(cases)))
    if len(cases) < FEWEST:
        raise BadInput(
            f"{told[-1]} Of others the runs share {len(cases)}, and {FEWEST} are needed. Run the earlier task again."
        )
    with reading(after):
        what = differences(one, other)
    one = replace(one, answers=relabelling.read(one.answers))
    both = [name for name in other.answers if name in one.answers]
    changes = [_change(name, cases, (one, other)) for name in both]
    names = list(dict.fromkeys([*one.answers, *other.answers]))
    found = tuple(change for change in changes if change is not None)
    named = {change.candidate for change in found}
    return Comparison(
        shared=max((len(_answered(name, cases, (one, other))) for name in named or both), default=len(cases)),
        what=(*what, *told),
        changes=found,
        only=tuple(name for name in names if name not in named),
    )


@dataclass(frozen=True, kw_only=True)
class Relabelling:
    """What became of the labels between two runs: an answer of the earlier one was never meant in labels that it did not have.

    Labels are `label_of` what they are.
    """

    renamed: Mapping[str, str]
    """Label that only the earlier run has -> as the later one spells it, where each shared case of either has the other."""
    gone: frozenset[str]
    """Labels that only the earlier run has."""
    fresh: frozenset[str]
    """Labels that only the later run has."""

    @classmethod
    def between(cls, one: Benchmark, other: Benchmark) -> Relabelling:
        spelt = {label_of(label): label for label in other.task.labels}
        labels = {label_of(label) for label in one.task.labels}
        gone, fresh = frozenset(labels - spelt.keys()), frozenset(spelt.keys() - labels)
        before, after = _labels(one), _labels(other)
        became: dict[str, set[str]] = defaultdict(set)
        was: dict[str, set[str]] = defaultdict(set)
        for text in before.keys() & after.keys() if gone and fresh else ():
            became[before[text]].add(after[text])
            was[after[text]].add(before[text])
        pairs = ((old, now) for old in gone for now in became[old] & fresh)
        same = {old: spelt[now] for old, now in pairs if became[old] == {now} and was[now] == {old}}
        return cls(renamed=same, gone=gone, fresh=fresh)

    def tells(self, before: Case, after: Case) -> bool:
        """Whether the later right answer of a case says how good an earlier one was: not where it was corrected from or to a
        label that only one of the runs has."""
        was, now = label_of(before.output), label_of(after.output)
        was = label_of(self.renamed.get(was, was))
        return was == now or not (was in self.gone or now in self.fresh)

    def read(self, answers: Mapping[str, Mapping[str, Outcome]]) -> dict[str, dict[str, Outcome]]:
        """Answers of the earlier run in the labels of the later one."""
        return {name: {text: self._read(said) for text, said in each.items()} for name, each in answers.items()}

    def _read(self, said: Outcome) -> Outcome:
        label = self.renamed.get(label_of(said.text)) if isinstance(said, Prediction) else None
        return replace(said, text=label) if label is not None and isinstance(said, Prediction) else said

    def says(self, left_out: int) -> Iterator[str]:
        if self.renamed:
            old, now = min(self.renamed.items())
            called = many(len(self.renamed), "label has another name", "labels have other names")
            yield f'{called} now ("{old[:60]}" is "{now[:60]}"), by which earlier answers are read.'
        if left_out:
            cases = many(left_out, "held-out case is", "held-out cases are")
            yield f"{cases} not compared: what is right there was or is a label that only one of the runs has."


def _labels(benchmark: Benchmark) -> dict[str, str]:
    """Input -> right label, of all cases."""
    return {case.input: label_of(case.output) for case in (*benchmark.task.examples, *benchmark.heldout)}


def opened(folder: Path, allow_code: bool = False) -> Run:
    """Raises `BadInput`."""
    about = about_run(folder)
    with closing(Store(folder / "run.sqlite")) as store, reading(folder):
        benchmark = thaw(about["benchmark"], folder, allow_code)
        inputs = {case.id: case.input for case in benchmark.heldout}
        answers = {
            name: {inputs[row.key]: row.outcome for row in store.rows(name, "heldout")} for name in store.candidates()
        }
        identity, provenance = store.meta("identity") or {}, store.meta("provenance") or {}
        program, device = str(provenance.get("program", "")), device_of(provenance)
    return Run(
        benchmark=benchmark,
        answers={name: rows for name, rows in answers.items() if rows},
        identity=identity,
        program=program,
        spec=about.get("spec", {}),
        device=device,
        experiment=str(about.get("experiment", "")),
    )


def _change(name: str, cases: Sequence[Case], runs: tuple[Run, Run]) -> Change | None:
    """None where one of the runs has no figure for the candidate: it was cut off before all cases were asked, which stand in
    no random order then, or lost the answers; or where both asked too few of the same before it was decided."""
    if any(case.input not in run.answers[name] for case in cases for run in runs if not run.benchmark.sequential):
        return None
    every, cases = len(cases), _answered(name, cases, runs)
    if len(cases) < FEWEST:
        return None
    stops_with = max(run.benchmark.stops_with or 1 for run in runs) if len(cases) < every else None
    outcomes = [[run.answers[name][case.input] for case in cases] for run in runs]
    if any(too_many_lost(each) or not any(isinstance(said, Prediction) for said in each) for each in outcomes):
        return None
    metric = runs[1].benchmark.metric
    before, after = (scored(metric, cases, each) for each in outcomes)
    return change_between(name, metric, (before, after), stops_with)


def _answered(name: str, cases: Sequence[Case], runs: tuple[Run, Run]) -> Sequence[Case]:
    """What both were asked, of fewer than all in the order of the run that was asked least: bets hold in that order."""
    said = [run.answers[name] for run in runs]
    found = [case for case in cases if all(case.input in each for each in said)]
    if len(found) == len(cases):
        return found
    asked = [sum(case.input in each for case in cases) for each in said]
    least = runs[0] if asked[0] < asked[1] else runs[1]
    place = {case.input: number for number, case in enumerate(least.benchmark.heldout)}
    return sorted(found, key=lambda case: place[case.input])


def change_between(
    name: str, metric: Metric, both: tuple[Sequence[Answered], Sequence[Answered]], stops_with: int | None = None
) -> Change:
    """From the former rows to the latter, of the same cases in one order."""
    before, after = both
    groups = [row.case.group or row.case.id for row in after]
    if metric.over_rows:
        return _of_figure(name, metric, both, groups)
    scores = [row.score for row in after], [row.score for row in before]
    found = paired_difference(*scores, groups, stops_with=stops_with)
    return Change(
        candidate=name,
        before=figure_over(metric, before),
        after=figure_over(metric, after),
        low=found.lower,
        high=found.upper,
        p_value=found.p_value,
        cases=len(after),
    )


def _of_figure(
    name: str, metric: Metric, both: tuple[Sequence[Answered], Sequence[Answered]], groups: Sequence[str]
) -> Change:
    """Of a metric over rows, by a bootstrap of whole groups of cases, the same for both."""
    drawn = resampled_difference(metric, both, groups)
    before, after = (figure_over(metric, rows) for rows in both)
    return Change(
        candidate=name,
        before=before,
        after=after,
        low=2 * drawn.lower(0.025) - 1,
        high=2 * drawn.upper(0.025) - 1,
        p_value=drawn.p_value(0.5),
        cases=len(groups),
    )
