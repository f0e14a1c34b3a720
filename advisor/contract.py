"""The types of deciding and telling: costs ahead, the status of each candidate, the recommendation, and the story."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Literal

from advisor.drawn import Forest, LineChart, Picture, Table, WinnerMap
from advisor.panel import WhatIf
from benchmarks.contract import Evaluation, Procedure, State

VerdictName = Literal["choose", "safe but cheaper undecided", "undecided", "nothing meets", "compared"]


@dataclass(frozen=True, kw_only=True)
class Amount:
    """A cost with its unit. `value` None: unknown, and then shown as "unknown", never as 0."""

    value: float | None
    unit: str
    """`USD`, `machine s`, `tokens`."""
    low: float | None = None
    high: float | None = None
    """Range over the measured variation, or over what tokens of an unknown price may cost beside each other, where there is
    one: what is a tie says `amounts.clearly_more`."""


@dataclass(frozen=True, kw_only=True)
class CostItem:
    """One line of a candidate's bill."""

    name: str
    amount: Amount
    when: Literal["spent", "once", "monthly"]
    source: str
    """Where the number comes from: measured here, a price table with its date, or the person."""
    by_request: bool = False
    """It grows with the volume."""


@dataclass(frozen=True, kw_only=True)
class Costs:
    """What one candidate costs. The ranking uses `ahead`; what was already spent is shown beside it."""

    candidate: str
    items: tuple[CostItem, ...]
    spent: Amount
    per_thousand: Amount
    monthly: Amount
    ahead: Amount
    """Remaining one-off plus running cost over the horizon."""
    at_least: Amount | None = None
    """What answering on a machine that is kept on for it costs a month at any volume."""
    beside: Amount | None = None
    """What of `per_thousand` comes on top of that, where the machine is kept on for the first part of a cascade only."""


@dataclass(frozen=True, kw_only=True)
class Status:
    """Where one candidate stands, and the bound that decided it."""

    candidate: str
    state: State
    reason: str
    lower: float | None = None
    """One-sided lower bound on the figure at the level that was used for it; with a margin on the figure minus that of
    the best, from -1 to 0."""
    upper: float | None = None
    more_cases: int | None = None
    """How many more held-out cases would decide an undecided status with 80 % power; None: not showable, or not tested."""
    behind: str = ""
    """The candidate that these cases decide, where that one is tested first and taken alone this one is decided."""
    hopeless: bool = False
    """It was tested, and no realistic number of further cases would decide it."""
    too_few: bool = False
    """It was left out because so few cases could prove nothing of it (`Evaluation.too_few`)."""
    unchecked: tuple[str, ...] = ()
    """Keys under `constraints` that apply to it and that nothing was measured for: it is not said to meet any goal."""
    but_for_limits: bool = False
    """Its answers meet the goal, and it is undecided for these limits alone."""
    beside_measured: float | None = None
    """With a margin: the upper bound beside those alone of which every limit was measured; None where all were."""
    stated: tuple[float, State] | None = None
    """Where another target is asked afterwards: the one that was fixed before the run, and what was shown there."""


@dataclass(frozen=True, kw_only=True)
class Difference:
    """A paired comparison on the same held-out cases."""

    first: str
    second: str
    mean: float
    lower: float
    upper: float
    p_value: float
    only_first_right: int
    only_second_right: int
    showable: float = 0.0
    """The difference that these cases would show 4 times in 5; 0 where the two differ in too few of them to show any."""


@dataclass(frozen=True, kw_only=True)
class AtTarget:
    """What the same measurement says of another target, or margin; the bounds hold for every one at once."""

    target: float
    """Or the margin, where the task has one."""
    verdict: str
    named: str | None
    """The cheapest that is proven to meet it."""
    unsettled: tuple[str, ...]
    unlike: tuple[str, ...] = ()
    """Of these the ones that are proven to meet it too, and whose cost cannot be compared."""


@dataclass(frozen=True, kw_only=True)
class Turn:
    """The nearest value of one price, volume or pace of change, on one side, at which something else is recommended."""

    of: str
    """`the price of a machine hour`."""
    times: float
    """The multiple of what it is now; of a pace that nobody stated, of once in ten years."""
    now: float | None
    at: float
    unit: str
    safe: str | None
    """Who would be named there, and who would have to be decided about first."""
    unsettled: tuple[str, ...]
    bills: Mapping[str, Amount]
    """What a month costs there, for each that is asked about."""


@dataclass(frozen=True, kw_only=True)
class Recommendation:
    """The answer. `choice` is set only when it meets the target and every cheaper candidate is proven to miss it."""

    verdict: VerdictName
    choice: str | None
    safe: str | None
    """The cheapest candidate that meets, also where a cheaper one is undecided."""
    cheaper_undecided: tuple[str, ...] = ()
    best: str | None = None
    procedure: Procedure = "cheapest first"
    """By which the candidates shared one error."""
    statuses: tuple[Status, ...] = ()
    """In order of cost ahead, cheapest first; candidates that cannot be ranked come last."""
    differences: tuple[Difference, ...] = ()
    reasons: tuple[str, ...] = ()
    would_change: tuple[str, ...] = ()
    next_steps: tuple[str, ...] = ()
    at_targets: tuple[AtTarget, ...] = ()
    """From low to high."""
    turns: tuple[Turn, ...] = ()
    every_target: Mapping[str, tuple[float, float]] = field(default_factory=dict)
    """Lower and upper bound of each candidate that hold together, whatever the target is."""
    in_documents: float = 0.0
    """Share of the answers to examples that stand word for word in the documents."""
    suggested: str | None = None
    """The best candidate of the family that the task suggested, before anything ran, would come out in front."""


# ---------------------------------------------------------------- the story


@dataclass(frozen=True, kw_only=True)
class Excerpt:
    """A text as reports show it, and how many characters at its end were left out."""

    text: str
    left_out: int = 0


class Grade(StrEnum):
    """What a score says of an answer; partly right is known to graded metrics only."""

    RIGHT = "right"
    PARTLY = "partly right"
    WRONG = "wrong"


@dataclass(frozen=True, kw_only=True)
class ShownAnswer:
    """What one approach answered."""

    text: Excerpt
    grade: Grade
    score: str = ""
    """As it is shown; empty where the metric knows right and wrong only."""
    remark: str = ""
    """Why there is no answer, or that it was cut off."""


@dataclass(frozen=True, kw_only=True)
class Quote:
    """What an answer was read from, word for word."""

    text: str
    where: str
    """`characters 71 to 75` of the document."""
    approaches: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class ShownPassage:
    """A piece of evidence that approaches had for a case: of a document, or an example. Its text is `before`, `quote`,
    `after`; `quote` is the first of the quotes, and empty where no answer was read off."""

    id: str
    where: str
    """Its place in the document; empty where that is not stored."""
    before: str
    quote: str = ""
    after: str = ""
    left_out: int = 0
    """Characters."""
    answer: str = ""
    """That of an example."""
    gold: bool = False
    """The data says that the answer is in this document."""
    approaches: tuple[str, ...]
    quotes: tuple[Quote, ...] = ()


@dataclass(frozen=True, kw_only=True)
class ShownCase:
    """One case with what each approach answered."""

    input: Excerpt
    wanted: Excerpt
    also: str = ""
    """Other accepted answers."""
    label: str = ""
    """The wanted answer where the task has labels."""
    id: str
    heldout: bool
    answers: Mapping[str, ShownAnswer]
    """By candidate; one that was not asked is missing."""
    passages: tuple[ShownPassage, ...] = ()
    passages_left_out: int = 0
    gold: tuple[str, ...] = ()
    """Documents that hold the answer, as the data says."""
    gold_missed: tuple[str, ...] = ()
    """Approaches that looked things up and were shown none of them."""


@dataclass(frozen=True, kw_only=True)
class ShownCases:
    """Cases to look at, those first that matter most. Only ever built where a person asked for them."""

    approaches: tuple[str, ...]
    labels: tuple[str, ...] = ()
    """Wanted ones; empty where the task has none."""
    graded: bool = False
    cases: tuple[ShownCase, ...]
    total: int
    """Cases that were asked for, those included that are too many to show."""
    says: tuple[str, ...] = ()
    """How many cases of which kind there are, and what showing them means."""
    notes: tuple[str, ...] = ()
    file: str = ""
    """Where all of them stand in full, beside the report; empty where no such file was written."""


@dataclass(frozen=True, kw_only=True)
class Story:
    """What there is to tell, once. Every report format renders this and computes nothing."""

    task: str
    title: str
    """The few words that stand above the headline: `Target met`."""
    headline: str
    """The answer in one sentence."""
    about: str
    """What those do that the headline names; empty where nobody says it."""
    confidence: str
    """How sure, and of which population."""
    verdict: str
    choice: str | None
    reasons: tuple[str, ...]
    a_month: tuple[str, ...]
    """What the approach that it is about costs, and saves against others; empty where nothing could be measured."""
    would_change: tuple[str, ...]
    next_steps: tuple[str, ...]
    main: Table
    approaches: Table
    """What each of them does, in a clause; no rows where nobody says it."""
    targets: Table
    examples: Table
    """What more examples would bring; no rows where it was not measured."""
    costs: Table
    bands: Table
    """At which volumes which of those that meet costs the least; no rows where there are fewer than two."""
    pairs: Table
    """At which volume each two of those that may be chosen cost the same, and when fitting one is saved again."""
    mistakes: Table
    """What goes wrong with the candidate that it is about; no rows where nothing does."""
    all_mistakes: Table
    """What goes wrong with each approach, in a few words; no rows where no selection answers were kept."""
    slices: Table
    """The figures in each part of the cases; no rows where the task names no slices."""
    probed: Table
    """What was measured of each approach besides right and wrong, in one row each; no rows where nothing was."""
    probed_further: Table
    """The rest of it, for who sees no more than that, as in a terminal; the tables below hold it in full."""
    consistency: Table
    rebuilds: Table
    """How much moves when everything is built again; no rows where nobody asked."""
    changed: Table
    """What is answered when facts in the documents change, or labels are added; no rows where nobody asked."""
    altered: Table
    """What is answered when a rule of the format is altered; no rows where nobody asked."""
    coverage: Table
    """How right the surest answers of each approach are; no rows where none says how sure it is."""
    handover: Table
    """What approaches that miss could answer alone, with a person for the rest; no rows where nothing is known of that."""
    leaks: Table
    """What held-out cases that stood among the examples do to the figures; no rows where none did."""
    grounding: Table
    """Where answers to questions come from; no rows without documents."""
    planted: Table
    """How often planted instructions are followed; no rows where nobody asked."""
    forgetting: Table
    """What tuning gained and what it cost elsewhere; no rows where nothing was tuned."""
    by_heart: Table
    """What tuned models know without documents; no rows where nothing was tuned for questions over documents."""
    judge: Table
    """What a judge of the person's own says, beside what people say; no rows where none was asked."""
    differences: Table
    tuning: Table
    tried: Table
    """The configurations that each search looked at; no rows where none chose among any."""
    data: tuple[str, ...]
    risks: tuple[str, ...]
    method: tuple[str, ...]
    picture: Picture
    what_if: WhatIf | None = None
    volumes: LineChart | None = None
    """What a month costs at which volume; figures are None where there is nothing to show."""
    winners: WinnerMap | None = None
    learning: LineChart | None = None
    apart: Forest | None = None
    """The paired differences."""
    stable: Forest | None = None
    """How many answers stay the same, check by check."""
    worth_knowing: tuple[int, ...] = ()
    """Of the risks those that the run itself found, by their index, the most serious first."""
    searched: LineChart | None = None
    """What choosing would have found with fewer tries."""
    cases: ShownCases | None = None
    development: bool = False
    """Somebody was shown held-out cases before this run was set up: that something meets is open until fresh ones come."""
    recorded: bool = False
    """A stored example run, told so in every format."""
    provenance: Mapping[str, str] = field(default_factory=dict)
    facts: Mapping[str, Any] = field(default_factory=dict)
    """The same numbers for machines: what report.json holds besides the sentences."""

    @property
    def settled(self) -> str:
        """The verdict as whoever acts on it has to take it: met on cases that were seen before is undecided."""
        return settled(self.verdict, self.development)


def settled(verdict: str, development: bool) -> str:
    """The verdict of figures that are development figures or not (`Story.settled`)."""
    met = verdict in ("choose", "safe but cheaper undecided")
    return "undecided" if met and development else verdict


@dataclass(frozen=True, kw_only=True)
class Verdict:
    """What `advise` returns: the decision with everything that it rests on."""

    recommendation: Recommendation
    evaluations: tuple[Evaluation, ...]
    costs: tuple[Costs, ...]
    story: Story
    cases: tuple[Mapping[str, Any], ...] = ()
    """Cases that a person asked to see, each in full: inputs, what is right, and every answer with its evidence."""

    def _repr_html_(self) -> str:
        """The page, as notebooks show it: in a frame of its own, whose only script is the page's."""
        from html import escape

        from advisor.reports import render

        page = escape(render(self.story, "html"))
        return (
            f'<iframe sandbox="allow-scripts" srcdoc="{page}" style="width: 100%; height: 50rem; border: 0"></iframe>'
        )
