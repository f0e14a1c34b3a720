"""The types of what the checks of one candidate found; `contract.Evaluation` holds them beside its scores."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

ByGroup = tuple[tuple[int, int], ...]
"""How many cases are counted, and of how many, in each group of cases that depend on each other; empty where no two do."""


@dataclass(frozen=True, kw_only=True)
class Latency:
    """Seconds of single warm requests, one at a time, and held-out answers a second, as they were answered in batches."""

    p50_s: float
    p95_s: float
    requests: int
    throughput_per_s: float | None
    """None where they were timed elsewhere, as recorded answers are. Of a server the waits are added, though it was sent several
    requests at once. It says nothing of a server under load."""
    seconds: tuple[float, ...] = ()
    """Of each single request, shortest first."""


@dataclass(frozen=True, kw_only=True)
class Agreement:
    """One consistency check: how often the same artifact gave the same answer, and how that went with right and wrong."""

    name: str
    """`edits`, `repeats`, `seed`."""
    says: str
    """One sentence on what was varied."""
    right_twice: int
    wrong_twice_same: int
    wrong_twice_different: int
    right_then_wrong: int
    wrong_then_right: int
    alpha: float | None = None
    """Krippendorff's alpha of all answers to each case, right ones being one answer; None where all answers are one."""
    by_group: ByGroup = ()
    """The same answers; of a case with more than two answers each two are a pair, and these pairs a group."""
    moved: int | None = None
    """Where scores are graded: pairs whose score moves by more than rounding. None where answers are right or wrong."""
    flips_by_group: ByGroup = ()

    @property
    def flips(self) -> int:
        """Pairs that turn from right to wrong or back; where scores are graded, those whose score moves."""
        return self.right_then_wrong + self.wrong_then_right if self.moved is None else self.moved

    @property
    def pairs(self) -> int:
        return (
            self.right_twice
            + self.wrong_twice_same
            + self.wrong_twice_different
            + self.right_then_wrong
            + self.wrong_then_right
        )

    @property
    def same(self) -> float:
        """Share of pairs with the same answer (right twice counts as the same)."""
        return (self.right_twice + self.wrong_twice_same) / self.pairs if self.pairs else float("nan")


@dataclass(frozen=True, kw_only=True)
class Leaks:
    """The figure on held-out cases that stood among the examples, and without them."""

    cases: int
    figure: float
    others: int
    without: float
    lower: float
    """Two-sided 95 % interval of `without`."""
    upper: float
    stayed: int = 0
    """Of the cases those of which nearly the same examples were not left out, being too many; 0 where that is not known."""


@dataclass(frozen=True, kw_only=True)
class RetrievalQuality:
    """How well the evidence was found, apart from the answers. Shares of held-out cases whose gold document is known."""

    cases: int
    recall_at: Mapping[int, float]
    mrr: float
    missed: int = 0
    """Wrong answers for which the right passage was not shown: the search failed."""
    misread: int = 0
    """Wrong answers although it was shown, or handed over afterwards: reading failed."""
    on_selection: bool = False
    """Those two are of selection cases. Else of held-out ones, where nobody noted what was shown while choosing."""
    missed_by_group: ByGroup = ()
    """(missed, wrong) of each group of cases, where several of the wrong answers are of one."""


@dataclass(frozen=True, kw_only=True)
class OfNamed:
    """What the right documents bring to the held-out cases that name one, handed over; means of their scores."""

    cases: int
    own: float
    given: float
    """About; not all of them are asked with their documents."""


@dataclass(frozen=True, kw_only=True)
class GeneralTask:
    """Right answers to questions that have nothing to do with the task, before and after tuning."""

    name: str
    cases: int
    before: int
    after: int
    lower: float
    """Two-sided 95 % interval of the difference of the shares, after minus before."""
    upper: float


@dataclass(frozen=True, kw_only=True)
class GeneralAnswers:
    """What a tuned model answers to everyday prompts beside its base (`benchmarks/probes/general.py`)."""

    prompts: int
    same: int
    """Of these it gives the answer of its base, at temperature 0."""
    tasks: tuple[GeneralTask, ...]
    """Those at which the base is shown to be better than chance."""


@dataclass(frozen=True, kw_only=True)
class Forgetting:
    """Perplexity of the same general text before and after tuning. The base stands at a ratio of 1."""

    texts: int
    tokens: int
    before: float
    after: float
    ratio: float
    lower: float
    """Two-sided 95 % interval of the ratio for other texts like these."""
    upper: float
    divergence: float
    """Nats a token (Kullback-Leibler, base to tuned)."""
    same: float
    """Share of places at which both go on with the same token."""
    general: GeneralAnswers | None = None
    """None where nothing was asked."""
    divergence_within: tuple[float, float] | None = None
    """Its two-sided 95 % interval for other texts like these; None in rows from before it was told."""
    same_within: tuple[float, float] | None = None
    """Likewise."""


@dataclass(frozen=True, kw_only=True)
class Grounding:
    """Counts of held-out answers by where all that is specific in them stands (`benchmarks/evaluation/grounding.py`)."""

    declined: int
    """They say that there is no answer, as examples do."""
    declined_wrong: int
    """Of those declined, how many have an answer."""
    evidence: int
    """In a passage that was shown."""
    documents: int
    """In none that was shown, but elsewhere in the documents."""
    nowhere: int
    nowhere_wrong: int
    """Of those nowhere, how many are not right."""
    vague: int
    """They hold nothing specific, such as yes."""
    unanswerable: int
    """Questions whose key says that there is no answer."""
    unanswerable_answered: int
    silent: int = 0
    """Of these questions, those that get no text at all, so that they are not among the answers."""
    declined_unfound: int = 0
    """Of those declined wrongly, how many were shown passages, and none of a document that their case names."""
    grounded_by_group: ByGroup = ()
    """Answers that stand in the documents, of those that stand in a passage, elsewhere in the documents or nowhere."""
    declined_by_group: ByGroup = ()
    """Questions without an answer that get none, of all of these."""

    @property
    def answers(self) -> int:
        return self.declined + self.evidence + self.documents + self.nowhere + self.vague


@dataclass(frozen=True, kw_only=True)
class Handover:
    """What an approach reaches alone where its least sure answers go to a person (`benchmarks/evaluation/handover.py`)."""

    threshold: float
    """Of sureness, comparable within one approach only."""
    alone: int
    """Held-out cases that it answers itself."""
    of: int
    figure: float
    """Mean score of these, single answer by single answer whatever the metric."""
    lower: float
    """One-sided bound on it, for all candidates together."""


@dataclass(frozen=True, kw_only=True)
class Held:
    """What holding back answers below one threshold did on the held-out cases. All shares are from 0 to 1."""

    at_most: float
    """Share of the right answers that may be lost by it: the threshold is set so on the selection cases. 0: nothing is held
    back."""
    threshold: float
    """Of sureness, comparable within one approach only."""
    answered: int
    """Held-out cases that still get an answer."""
    figure: float
    """Mean score of these."""
    lower: float
    """Two-sided 95 % interval of it, for all thresholds of the approach together."""
    upper: float
    lost: float | None
    """Share of what was right that is held back; None where nothing was."""
    stopped: float | None
    """Share of what was wrong that is held back; None where nothing was."""
    overall: float
    """Mean score of all cases, where to say that there is no answer is right where there is none."""
    expected_answered: float
    """Share of the selection cases that got an answer, each under a threshold set on others."""
    expected_figure: float | None
    """Mean score of these; None where none got one."""
    refused: int
    """Questions without an answer that get none; those with one that get none are `wrongly_refused`."""
    wrongly_refused: int


@dataclass(frozen=True, kw_only=True)
class Guard:
    """What an approach is worth where it says that it does not know in place of unsure answers (`evaluation/guard.py`)."""

    says: str
    """In place of an answer."""
    cases: int
    unanswerable: int
    """Held-out cases whose key says that there is no answer; 0 where the examples have no words for that."""
    held: tuple[Held, ...]
    """From nothing held back to much."""
    graded: bool = False
    """Whether answers may be partly right: what is lost and stopped are then shares of points and not of answers."""
    over_rows: bool = False
    """Whether the metric of the task exists over rows only: figures here are means of scores of single answers all the same."""


@dataclass(frozen=True, kw_only=True)
class Coverage:
    """How right the surest answers are (`benchmarks/evaluation/coverage.py`)."""

    shares: tuple[float, ...]
    """Of the held-out answers, the surest first: from all to few."""
    figures: tuple[float, ...]
    """Mean score of each."""
    order: float | None
    """The chance that it is surer of the better of two answers; 0.5: it cannot tell. None: all are alike."""


@dataclass(frozen=True, kw_only=True)
class Planted:
    """How often text that was planted in one place made the approach say what it wanted (`benchmarks/probes/planted.py`)."""

    place: str
    """`request` or `passage`."""
    cases: int
    followed: int
    by_kind: Mapping[str, tuple[int, int]] = field(default_factory=dict)
    """Kind of sentence -> (cases, followed)."""
    by_group: ByGroup = ()
    """Those followed."""


@dataclass(frozen=True, kw_only=True)
class Changed:
    """Counts of what was answered once facts in the documents were others (`benchmarks/probes/changed.py`)."""

    cases: int
    known: int
    """To how many the fact was answered before; of these `new` give the new one, `old` still the old one."""
    new: int
    old: int
    documents: int
    seconds: float | None
    """What it took to index these documents again; None: the approach reads none, so nothing changed for it."""
    examples: int = 0
    """That told such a fact, and were rewritten for another fit."""
    told: int = 0
    """Questions for such a fact, of those `known`; of these `again` give the new one after that fit."""
    again: int | None = None
    """None where no example told such a fact, where nothing in it comes from examples, and where it was not built again."""
    again_seconds: float | None = None
    """What that fit took, nothing being chosen anew; None: nothing was fitted, a prompt shows the rewritten examples."""
    again_failed: bool = False
    """Whether that fit came to nothing."""
    by_group: ByGroup = ()
    """The `new` ones, of those `known`."""
    again_by_group: ByGroup = ()
    """The `again` ones, of those `told`."""


@dataclass(frozen=True, kw_only=True)
class Counted:
    """How many cases, and how many of them were right."""

    cases: int
    right: int
    by_group: ByGroup = ()
    """Those right."""


@dataclass(frozen=True, kw_only=True)
class ByHeart:
    """What a tuned model answered with no document before it (`benchmarks/probes/by_heart.py`)."""

    taught: Counted
    """Questions of its training, word for word."""
    rephrased: Counted
    """Held-out questions for a fact that its training told."""
    untold: Counted
    """Held-out questions for other facts."""


@dataclass(frozen=True, kw_only=True)
class Added:
    """Counts of what was right once there were labels that the approach was built without (`benchmarks/probes/added.py`)."""

    labels: tuple[str, ...]
    examples: int
    """That these labels came with."""
    cases: int
    """Of the new labels; of these `at_once` right without being fitted again, and `refitted` after that."""
    takes: bool
    """Whether it can be given labels without being fitted again."""
    at_once: int
    refitted: int
    others: int
    """Cases of the other labels; right `before` the new ones were handed over, and `after`."""
    before: int
    after: int
    seconds: float | None
    """What building it again took, nothing being chosen anew; None: nothing in it is built from examples."""
    by_group: ByGroup = ()
    """Those right at once."""


@dataclass(frozen=True, kw_only=True)
class Altered:
    """Counts of answers that follow a rule of the format that was altered (`benchmarks/probes/altered.py`)."""

    rule: str
    cases: int
    takes: bool
    """Whether it can be told of the rule without being fitted again."""
    at_once: int
    right_at_once: int
    """That follow it and are right."""
    again: int | None
    """That follow it after another fit; None where nothing in it is fitted to the examples."""
    right_again: int | None
    seconds: float | None
    """What that fit took, nothing being chosen anew."""
    by_group: ByGroup = ()
    """Those that follow at once."""


@dataclass(frozen=True, kw_only=True)
class Rebuilds:
    """Answers of an approach that was fitted several times, on other examples and seeds (`benchmarks/probes/rebuilds.py`)."""

    keys: tuple[str, ...]
    draws: tuple[int, ...]
    """Which samples of the examples it was built from, the same for all approaches."""
    scores: tuple[tuple[float, ...], ...]
    """One row for each rebuild, one score a case."""
    of_rows: tuple[float, ...] = ()
    """Figure of each rebuild by a metric over rows; empty where the figure is the mean of the scores."""
    same: tuple[tuple[bool, ...], ...]
    """One row for each pair of rebuilds, in the order of `itertools.combinations`: whether both gave one answer."""
    failed: int = 0
    waiting: int = 0
    """Not measured yet: a fault outside of them ended these, and a run that goes on does them again."""

    @property
    def figures(self) -> tuple[float, ...]:
        """One for each rebuild, by the metric of the task, in [0, 1]."""
        return self.of_rows or tuple(sum(row) / len(row) for row in self.scores)
