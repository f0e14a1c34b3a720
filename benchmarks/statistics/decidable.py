"""Says before anything runs whether this many held-out cases can decide about target or margin, and how many would."""

from __future__ import annotations

import math
from dataclasses import dataclass

from benchmarks.contract import SPLITTING, Answered, Benchmark, Procedure

_ABOVE = 0.05
_POWER = 0.8
_APART = 0.25
"""Share of the cases in which two approaches that are equally good are taken to differ; up to 33 % in our bake-offs."""


@dataclass(frozen=True, kw_only=True)
class Sharing:
    """How candidates share the level of a look."""

    procedure: Procedure
    candidates: int
    look: int
    """The first, second, ... look at these cases (`benchmarks/statistics/looks.py`)."""

    @property
    def level(self) -> float:
        """At which the first of the candidates that meets is shown to."""
        from benchmarks.statistics.families import gate_level
        from benchmarks.statistics.looks import level_of

        level = level_of(self.look)
        if self.procedure in SPLITTING:
            return level / self.candidates
        return gate_level(level) if self.procedure == "cheapest first" and self.candidates > 1 else level

    @property
    def level_behind(self) -> float:
        """At which a candidate is tested behind one that is not shown to miss, by the walk by cost; else as the first."""
        from benchmarks.statistics.families import REST
        from benchmarks.statistics.looks import level_of

        walks = self.procedure == "cheapest first" and self.candidates > 1
        return level_of(self.look) * REST / self.candidates if walks else self.level


@dataclass(frozen=True, kw_only=True)
class Decidable:
    """What a number of held-out cases can show about a target, with `candidates` that share the chance of being wrong."""

    cases: int
    """All held-out cases."""
    heldout: int
    """Independent cases: near-duplicates and cases of one group count once."""
    target: float
    candidates: int
    procedure: Procedure
    look: int
    graded: bool
    """The metric gives parts of a point; the numbers, exact for right-or-wrong scores, are then a guide."""
    right_needed: int | None
    """Right answers with which an approach meets the target; None where not even all of them suffice."""
    assumed_truth: float
    cases_needed: int | None
    """Held-out cases that show it with 80 % power for an approach that is truly right in `assumed_truth` of cases, where every
    cheaper one is shown to miss."""
    cases_behind: int | None
    """The same where one is not; no fewer, and as many where the procedure does not go by that."""

    @property
    def enough(self) -> bool:
        """Whatever the cheaper ones do."""
        return self.cases_behind is not None and self.heldout >= self.cases_behind

    @property
    def behind(self) -> str:
        """What follows on `cases_needed` in a sentence: where they are enough, and how many it takes where not."""
        if self.cases_needed == self.cases_behind:
            return ""
        return f" if every cheaper one is shown to miss it, and {how_many(self.cases_behind)} if not"

    @property
    def says(self) -> str:
        """The same as a few sentences."""
        if self.target >= 1:
            return "No number of cases can show a target of 1. Write, for instance, `target: 0.98`."
        return f"{self._at_hand} {self._to_plan_for}"

    @property
    def _at_hand(self) -> str:
        """What these cases can prove at best."""
        splits = self.candidates > 1 and self.procedure in SPLITTING
        given = [
            *(["counted as if each answer were right or wrong"] if self.graded else []),
            *([f"at look {self.look} at some of these cases"] if self.look > 1 else []),
            *([f"with {self.candidates} candidates"] if splits else []),
        ]
        independent = f" ({self.heldout:,} independent)" if self.heldout != self.cases else ""
        start = ", ".join([*given, f"the {self.cases:,} held-out cases{independent}"])
        if self.right_needed is None:
            can = f"cannot prove {self._goal}, not even for an approach that gets all of them right"
        else:
            can = (
                f"can prove {self._goal} only for an approach that gets {self.right_needed:,} of {self.heldout:,} right"
            )
        return f"{start[0].upper()}{start[1:]} {can}."

    @property
    def _to_plan_for(self) -> str:
        """How many prove it of an approach that is a little better, and what to expect where these are fewer."""
        first, behind = self.cases_needed, self.cases_behind
        cases = "independent cases" if self.heldout != self.cases else "cases"
        one = f"(4 times in 5) for one that is truly {100 * self.assumed_truth:.4g} % right"
        if first is None or self.heldout < first:
            more = f", or {how_many(behind)} if a cheaper approach stays undecided" if behind != first else ""
            return (
                f'To prove it {one}, plan for {how_many(first)} {cases}{more}; until then expect "undecided" unless one is '
                "clearly better."
            )
        if self.enough:
            return f"They are enough to prove it {one}, which takes {how_many(behind)}."
        return (
            f"They are enough to prove it {one} if every cheaper approach is shown to miss it, which takes {first:,}; plan for "
            f"{how_many(behind)} {cases} if one stays undecided."
        )

    @property
    def _goal(self) -> str:
        return f"{100 * self.target:.4g} %"


def how_many(cases: int | None) -> str:
    """A number of cases as it stands in a sentence; None is more than anybody is told of."""
    from benchmarks.statistics.sample_size import LARGEST

    return f"more than {LARGEST:,}" if cases is None else f"{cases:,}"


def decidable(heldout: int, target: float, graded: bool, shared: Sharing, cases: int | None = None) -> Decidable:
    """What `heldout` independent cases can show at the level that a candidate is tested at. `cases`: all of them."""
    from benchmarks.statistics.sample_size import cases_needed, showable

    level = shared.level
    possible = target < 1
    truth = round(min(target + _ABOVE, (1 + target) / 2), 4)
    return Decidable(
        cases=heldout if cases is None else cases,
        heldout=heldout,
        target=target,
        candidates=shared.candidates,
        procedure=shared.procedure,
        look=shared.look,
        graded=graded,
        right_needed=showable(heldout, target, alpha=level) if possible else None,
        assumed_truth=truth,
        cases_needed=cases_needed(target, truth, alpha=level) if possible else None,
        cases_behind=cases_needed(target, truth, alpha=shared.level_behind) if possible else None,
    )


@dataclass(frozen=True, kw_only=True)
class OverRows:
    """Where the figure exists over all cases only, such as an F1: no number of right answers stands for it."""

    heldout: int
    """Independent cases."""
    metric: str
    candidates: int
    look: int
    carrying: int | None
    """Held-out cases that the figure rests on whatever is answered, such as those of one label; None where all are."""
    target: float | None = None
    always_right: int | None = None
    """Of such cases, how many show that an approach meets the target which is always right; None without a target, or where
    all cases count."""
    enough: None = None
    """Not known beforehand."""

    @property
    def says(self) -> str:
        """The same as one sentence."""
        rests = ""
        if self.carrying is not None:
            carry = "case has" if self.carrying == 1 else "cases have"
            rests = f"; {self.carrying:,} held-out {carry} the label that it is about"
            if self.always_right is not None and self.always_right > self.carrying and self.target is not None:
                rests += (
                    f", and even an approach that is always right needs {self.always_right:,} of them to be shown to meet "
                    f"{100 * self.target:.4g} %"
                )
        return (
            f"How many held-out cases {self.metric} needs cannot be told beforehand, since it is a figure of all answers "
            f"together, not a count of right ones{rests}."
        )


def carrying(benchmark: Benchmark) -> int | None:
    """Held-out cases that the figure rests on whatever is answered; None where all are, as with any mean of scores."""
    if not benchmark.metric.over_rows or not hasattr(benchmark.metric, "carrying"):
        return None
    rests: int = benchmark.metric.carrying([Answered(case=case, text="", score=0.0) for case in benchmark.heldout])
    return rests if rests < len(benchmark.heldout) else None


def over_rows(benchmark: Benchmark, independent: int, shared: Sharing) -> OverRows | None:
    """None unless there is something to decide by a metric over rows."""
    if not benchmark.metric.over_rows or not benchmark.judges:
        return None
    few = carrying(benchmark)
    return OverRows(
        heldout=independent,
        metric=benchmark.metric.name,
        candidates=shared.candidates,
        look=shared.look,
        carrying=few,
        target=benchmark.target,
        always_right=_if_always_right(benchmark, few, shared.level) if few else None,
    )


def _if_always_right(benchmark: Benchmark, few: int, level: float) -> int | None:
    """Of a figure of 1 only what no case showed is in doubt (`resampling.bootstrap_figures`)."""
    from benchmarks.statistics.resampling import resting

    target = benchmark.target
    if target is None or not 0 < target < 1:
        return None
    right = [Answered(case=case, text=case.output, score=1.0) for case in benchmark.heldout]
    return math.ceil(few * math.log(level) / math.log(target) / resting(benchmark.metric, right))


@dataclass(frozen=True, kw_only=True)
class Closeness:
    """What a number of held-out cases can show about a margin, for two equally good approaches among several."""

    heldout: int
    margin: float
    candidates: int
    look: int
    smallest: float
    """The smallest margin within which one of such two is shown to be of the other, 4 times in 5."""
    cases_needed: int
    """Held-out cases that do so for the margin; 0 where no number that anybody has does."""

    @property
    def enough(self) -> bool:
        return 0 < self.cases_needed <= self.heldout

    @property
    def says(self) -> str:
        """The same as one sentence."""
        if self.candidates == 1:
            return f"There is one candidate, so a margin of {self.margin:g} compares it with nothing."
        start = f"With {self.heldout:,} independent held-out cases and {self.candidates} candidates"
        if self.look > 1:
            start = f"At look {self.look} at some of these cases, with{start[4:]}"
        takes = f"{self.cases_needed:,}" if self.cases_needed else "more than anybody has"
        needed = "" if self.enough else f'; a margin of {self.margin:g} takes {takes}, so "undecided" is likely'
        return (
            f"{start}, one of two equally good approaches that differ in a quarter of the cases is shown to be within "
            f"{self.smallest:.2g} of the other in 4 of 5 runs{needed}."
        )


def closeness(heldout: int, margin: float, candidates: int, look: int) -> Closeness:
    """What `heldout` independent cases can show about a margin, at the level of that look."""
    from benchmarks.statistics.leads import cases_to_be_within, closest
    from benchmarks.statistics.looks import level_of

    level = level_of(look) / max(1, candidates - 1)
    return Closeness(
        heldout=heldout,
        margin=margin,
        candidates=candidates,
        look=look,
        smallest=closest(heldout, _APART, level, _POWER),
        cases_needed=cases_to_be_within(margin, _APART, level, _POWER),
    )


def foretold(benchmark: Benchmark, independent: int, shared: Sharing) -> Decidable | Closeness | OverRows | None:
    """What the held-out cases, so many of them independent, can show; None with neither target nor margin, and where the cases
    are asked until it is decided."""
    if found := over_rows(benchmark, independent, shared):
        return found
    if benchmark.target is not None and not benchmark.sequential:  # There it depends on what comes out.
        return decidable(independent, benchmark.target, benchmark.metric.graded, shared, len(benchmark.heldout))
    if benchmark.margin is not None:
        return closeness(independent, benchmark.margin, shared.candidates, shared.look)
    return None
