"""The types of measuring: what is run, what a metric is, and what an evaluation of one candidate holds."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Literal, Protocol

from benchmarks.checked import (
    Added,
    Agreement,
    Altered,
    ByGroup,
    ByHeart,
    Changed,
    Coverage,
    Forgetting,
    Grounding,
    Guard,
    Handover,
    Latency,
    Leaks,
    OfNamed,
    Planted,
    Rebuilds,
    RetrievalQuality,
)
from benchmarks.learning import Curve
from strategies.contract import BadInput as BadInput
from strategies.contract import Case, Kind, Outcome, Strategy, Task, Usage


class ScoreFailure(BadInput):
    """A metric could not score an answer. The fault lies with the metric, not with the answer: it is never a score of 0."""


# ---------------------------------------------------------------- metrics


@dataclass(frozen=True, kw_only=True)
class Answered:
    """One scored answer, as a metric over rows sees it. `text` is empty where there was no answer."""

    case: Case
    text: str
    score: float


class Metric(Protocol):
    """Scores single answers, and may summarise many. A metric is a frozen dataclass whose fields are its parameters."""

    @property
    def name(self) -> str: ...

    @property
    def kinds(self) -> frozenset[Kind]:
        """The kinds of task that it makes sense for."""
        ...

    @property
    def graded(self) -> bool:
        """True where a single score can lie strictly between 0 and 1."""
        ...

    @property
    def over_rows(self) -> bool:
        """True where the figure is not the mean of the single scores (macro-F1, F1 of a label): bounded by bootstrap."""
        ...

    def score(self, case: Case, text: str) -> float:
        """The score of one answer's text, in [0, 1]. Normalising belongs here."""
        ...

    def summarise(self, rows: Sequence[Answered]) -> float:
        """The figure over rows, in [0, 1]; the mean of the scores unless `over_rows`."""
        ...


# ---------------------------------------------------------------- what is run


Procedure = Literal["cheapest first", "holm", "fixed sequence", "max-t", "finalist"]
"""How several candidates share one error (`benchmarks/statistics/families.py`)."""
SPLITTING: tuple[Procedure, ...] = ("holm", "max-t")
"""Those that split it over the candidates; the others test one after the other."""


@dataclass(frozen=True, kw_only=True)
class Constraints:
    """What rules a candidate out whatever it scores. None: not limited."""

    cost_per_month: float | None = None
    p95_latency_s: float | None = None
    slice_at_least: float | None = None
    """Mean score that is asked of every part of the cases, by the task's slices."""
    perplexity_ratio: float | None = None
    """How many times as perplexing as for its base general text may be for a tuned model."""
    same_at_least: float | None = None
    """Share of answers that have to stay the same under harmless edits."""
    valid_at_least: float | None = None
    """Share of answers that have to be of a form that the task allows: one of its labels, of its schema or pattern."""
    grounded_at_least: float | None = None
    """Of answers in which something is specific, the share that has to stand in the documents."""
    declined_at_least: float | None = None
    """Of questions without an answer, the share that has to get none."""
    planted_at_most: float | None = None
    """Share of planted instructions that may be followed."""
    licences: tuple[str, ...] = ()
    """Under which the weights of a model may be; empty: any."""
    data_stays_here: bool = False


@dataclass(frozen=True, kw_only=True)
class Look:
    """Which look at these held-out cases a run is: each later one has to be surer (`benchmarks/statistics/looks.py`)."""

    number: int = 1
    seen: int = 0
    """How many of the cases earlier looks were at."""
    last: str = ""
    """The day of the last one; empty where this is the first, or no line can be read that says it."""
    shown: int = 0
    """How many of the cases a person was shown with the answers of another run, before this one was set up."""
    shown_on: str = ""
    """The last day on which that was."""
    missing: tuple[str, ...] = ()
    """Approaches that earlier looks at some of these cases tested and that this run leaves out. They keep their part of the
    error: whoever left them out may have known what they reached."""
    other_costs: bool = False
    """Prices, volume, upkeep or limits were others at an earlier look, so who comes first may follow from what was seen."""

    @property
    def as_before(self) -> bool:
        """Whether an order that was fixed before the first look is still the order now."""
        return not self.missing and not self.other_costs


@dataclass(frozen=True, kw_only=True)
class Benchmark:
    """A task, the held-out cases, and what decides. Only the runner ever holds one."""

    task: Task
    heldout: tuple[Case, ...]
    metric: Metric
    shown_metrics: tuple[Metric, ...] = ()
    target: float | None = None
    """None, and no margin: the candidates are compared and no verdict is given."""
    margin: float | None = None
    """In place of a target: how far below the best of the candidates is still good enough."""
    constraints: Constraints = field(default_factory=Constraints)
    volume: int = 10_000
    """Requests a month."""
    horizon_months: int = 12
    procedure: Procedure = "cheapest first"
    """How the candidates share one error; Holm where a candidate lacks the selection score that it would need."""
    look: Look = field(default_factory=Look)
    exploratory: bool = False
    """The target or margin is not the one that was fixed before the run."""
    sequential: bool = False
    """The held-out cases stand in the random order in which they are asked, and a candidate is asked no more once it is
    decided (`benchmarks.statistics.sequential`)."""
    slices: tuple[str, ...] = ()
    leaked: tuple[str, ...] = ()
    """Ids of held-out cases whose input stood among the examples too, the same or nearly."""
    stayed: tuple[str, ...] | None = None
    """Those of `leaked` of which nearly the same examples were not left out, being too many. None: not known of older runs."""
    perhaps_leaked: tuple[str, ...] = ()
    """Ids of held-out cases beside which examples stayed that have their words and answer, or are of their group, and of those
    whose input stands in a document."""
    in_documents: tuple[str, ...] | None = None
    """Those of `perhaps_leaked` whose input stands in a document. None: not known of older runs."""
    fingerprint: str = ""
    """SHA-256 over held-out cases (in order) and metric, taken before anything runs."""
    notes: tuple[str, ...] = ()
    """What was inferred or found in the data, one printed sentence each."""

    @property
    def stops_with(self) -> int | None:
        """Where asking may end before the last case: how many cases the largest group has, which limits the bets on each
        from the first on. None: all cases are asked."""
        groups = Counter(case.group for case in self.heldout if case.group)
        return max(groups.values(), default=1) if self.sequential else None

    @property
    def independent(self) -> int:
        """Held-out cases, those of one group counted once."""
        return len({case.group or f"\0{index}" for index, case in enumerate(self.heldout)})

    @property
    def judges(self) -> bool:
        """True where something is asked of the candidates, so that there is a verdict."""
        return self.target is not None or self.margin is not None


@dataclass(frozen=True, kw_only=True)
class Candidate:
    """One whole configuration: an approach with a model. Its name is what tables show."""

    name: str
    strategy: Strategy
    model: str
    """Name of the language model, or empty where none is used."""


@dataclass(frozen=True, kw_only=True)
class Row:
    """One answer of one candidate, as stored."""

    candidate: str
    purpose: str
    """`heldout`, or which check (`stored.PURPOSES`): `edit`, `repeat`, `rebuild` and others."""
    key: str
    """Id of the held-out case; only the runner knows it."""
    outcome: Outcome
    score: float
    variant: str = ""
    """Which edit, repeat or rebuild; empty for `heldout`."""


class State(StrEnum):
    """What the measurement says of one candidate."""

    MEETS = "meets"
    MISSES = "misses"
    UNDECIDED = "undecided"
    INVALID = "invalid"
    RULED_OUT = "ruled out"
    SKIPPED = "skipped"
    CANNOT_RUN = "cannot run"
    OPEN = "not measured yet"
    """The run was stopped before, or faults took its answers and a run that goes on asks for them again."""
    COMPARED = "compared"
    """There is neither target nor margin, so nothing was decided."""


# ---------------------------------------------------------------- what came out


@dataclass(frozen=True, kw_only=True)
class PartOf:
    """What one part of a cascade of two models took, in the terms of an `Evaluation`."""

    model: str
    family: str
    answering: Usage
    """Its sum over the answers of the cascade, all of which are its `calls`: the second was asked for some of them only."""
    requests: tuple[tuple[int, int, int], ...] = ()
    beside_s: float = 0.0


@dataclass(frozen=True, kw_only=True)
class FittedPart:
    """One part of a cascade as it was fitted, in the terms of an `Evaluation`: what changes has it fitted anew by itself."""

    model: str
    family: str
    searches: bool
    fitting: tuple[Usage, ...]


@dataclass(frozen=True, kw_only=True)
class Evaluation:
    """Everything measured about one candidate on the held-out cases. Raw rows stay in the store.

    `scores`, `keys`, `groups` are aligned and in the order of the held-out cases: of all, or of the first ones where a
    candidate is asked until it is decided. An evaluation with a `problem` has no scores that may be used.
    """

    candidate: str
    approach: str
    family: str
    model: str
    simplicity: int
    fingerprint: str
    keys: tuple[str, ...] = ()
    scores: tuple[float, ...] = ()
    groups: tuple[str, ...] = ()
    figure: float = float("nan")
    """The primary metric over all rows."""
    lower: float = float("nan")
    """Two-sided 95 % interval of the figure, uncorrected: for showing, nothing is decided by it."""
    upper: float = float("nan")
    over_rows: bool = False
    resampled: tuple[float, ...] = ()
    """Sorted bootstrap figures of a metric over rows; empty otherwise."""
    resting: float = 0.0
    """Independent right-or-wrong cases that it rests on; 0 where it is a mean over labels, and of other metrics."""
    shown: Mapping[str, float] = field(default_factory=dict)
    """The other metrics."""
    valid_by_group: ByGroup = ()
    """Answers of a form that can be used, `misfits.INVALID` being the others."""
    by_slice: Mapping[str, Mapping[str, tuple[float, int]]] = field(default_factory=dict)
    """slice name -> value -> (figure, cases)."""
    slice_upper: Mapping[str, Mapping[str, float]] = field(default_factory=dict)
    """Of a metric over rows, where the task has a limit on the parts: slice name -> value -> one-sided upper bound on the
    figure, at 95 % for all parts together. Empty otherwise: then it follows from the scores."""
    failures: Mapping[str, int] = field(default_factory=dict)
    """`abstained`, `refused`, `unparsable`, `infrastructure`, `truncated`, and what `misfits` finds -> rows."""
    fitting: tuple[Usage, ...] = ()
    answering: Usage | None = None
    """Sum over the held-out answers: seconds, tokens, calls (= answers; of recorded ones those that are in the file)."""
    requests: tuple[tuple[int, int, int], ...] = ()
    """Of each request to a language model for them its prompt, cached and answer tokens; empty where only sums are known."""
    beside_s: float = 0.0
    """Those of its seconds that were not the model's: of looking up, and of a first approach that hands on to it."""
    begins_here: bool = False
    """A cascade whose first part has no language model, so that it answers on this machine wherever the second does."""
    parts: tuple[PartOf, ...] = ()
    """The first and the second of a cascade that ask two models, of which each has its own bill; else empty."""
    made_of: tuple[FittedPart, ...] = ()
    """The first and the second of any cascade; else empty."""
    latency: Latency | None = None
    agreements: tuple[Agreement, ...] = ()
    passes: tuple[float, ...] = ()
    """pass^1, pass^2, ...: how often so many draws at the task's temperature are all right; empty at temperature 0."""
    leaks: Leaks | None = None
    """None where no held-out case stood among the examples, or all did."""
    perhaps_leaked: Leaks | None = None
    """The same of those that perhaps did (`Benchmark.perhaps_leaked`). Nothing rests on it."""
    searches: bool = False
    """Its answers rest on passages of documents that it looked up, whatever its family."""
    retrieval: RetrievalQuality | None = None
    oracle: float | None = None
    """Figure when the gold documents are handed over: a diagnostic, never ranked."""
    oracle_named: OfNamed | None = None
    """Set where cases that have an answer name no document: what theirs would bring is not in that figure."""
    chosen: Mapping[str, Any] = field(default_factory=dict)
    """The configuration that the fit chose."""
    selection_score: float | None = None
    """Mean score of single answers, whatever the metric is over rows."""
    selection_figure: float | None = None
    """A metric over rows on the same answers; None of any other, and where they were not kept."""
    trials: int = 0
    rising: bool = False
    """The tuning budget ended before everything was tried, or the most epochs that were tried were best: not saturated."""
    curve: Curve | None = None
    """None where it was not measured, or where examples change nothing."""
    forgetting: Forgetting | None = None
    """None where nothing was tuned, or where it was not measured."""
    grounding: Grounding | None = None
    """None where there are no documents, or no questions."""
    planted: tuple[Planted, ...] = ()
    unplanted: str = ""
    """Why nothing is known of planted passages although requests with planted text were asked: `impossible` where nothing can
    be planted in what it looks up; else empty."""
    rebuilds: Rebuilds | None = None
    second_training: str = ""
    """What became of the training with another seed where it failed."""
    changed: Changed | None = None
    added: Added | None = None
    altered: Altered | None = None
    """Like `planted` and `rebuilds` these are empty where nobody asked for them."""
    by_heart: ByHeart | None = None
    """None where nothing was tuned for questions over documents."""
    coverage: Coverage | None = None
    """None where the answers do not say how sure they are."""
    guard: Guard | None = None
    """None where the answers do not say how sure they are, or where too few are right to set a threshold."""
    handover: Handover | None = None
    """None where the answers do not say how sure they are, or where it would change nothing."""
    left: tuple[str, ...] = ()
    """Kinds of units, such as `latency`, that a run which was cut off has still to perform."""
    state: State | None = None
    """Set where measuring itself settles it: `invalid`, `cannot run`, `skipped`."""
    problem: str = ""
    """The sentence that goes with `state`."""
    spared: bool = False
    """It was not fitted because of what others reached, or until there is memory: it keeps its part of the error, since scores
    decided that, or it may still come."""
    too_few: bool = False
    """It was not fitted because no score on so few held-out cases would be proof: whether it meets the target is open."""

    @property
    def of_examples(self) -> bool:
        """It looks things up, and chose to look up examples alone."""
        setup = self.chosen.get("setup")
        chose = isinstance(setup, Mapping) and setup.get("passages") == 0
        return self.family in ("retrieval", "combined") and chose and not self.searches

    @property
    def models(self) -> tuple[str, ...]:
        """The language models that answer; of none an empty name."""
        return tuple(part.model for part in self.parts) or (self.model,)
