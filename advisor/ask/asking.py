"""What to try first, what cannot help, and what finding out takes: advice from a few answers, before anything runs."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from advisor.ask.triage import ENOUGH_TO_TUNE, LEAST_PER_LABEL, Situation, expect
from advisor.wording import counted, money, plain_percent
from benchmarks.contract import Procedure
from benchmarks.data.split import LEAST_TO_CUT
from benchmarks.statistics.decidable import Sharing, closeness, decidable, how_many
from strategies.contract import TUNED, Family

PROPOSED: tuple[Family, ...] = ("reference", "prompting", "retrieval", "finetuning", "combined")
"""Those that a comparison tries."""


USUAL_MINUTES = (10, 65)
USUAL = (
    f"One comparison of all approaches with the default model takes {USUAL_MINUTES[0]} to {USUAL_MINUTES[1]} minutes on two "
    "processor cores for some hundred examples: that is what the eight tasks of docs/bakeoffs.md took. `advisor run task.yaml "
    "--dry-run` says it for yours, on your machine, before anything is spent."
)
"""Where nothing could be reckoned for the machine at hand."""


@dataclass(frozen=True, kw_only=True)
class Asked:
    """The situation of a task, and what its owner wants."""

    situation: Situation
    target: float | None = None
    margin: float | None = None
    heldout: int | None = None
    """Held-out cases at hand, those of one group counted once; None: not said."""
    approaches: int
    """How many will stand side by side and share the chance of being wrong."""
    procedure: Procedure = "cheapest first"
    """How they share it."""
    look: int = 1
    """Which look at the held-out cases a run would be."""
    data_stays_here: bool | None = None
    """None: not said."""
    volume: int | None = None
    takes: tuple[str, ...] = ()
    """What one comparison takes in time and money, as sentences; empty where that could not be reckoned."""
    label_price: tuple[float, str] | None = None
    """Money for a labelled example, and its currency."""


@dataclass(frozen=True, kw_only=True)
class Advice:
    """Sentences for people, each list with the most important first."""

    first: tuple[str, ...]
    why: tuple[str, ...]
    cannot: tuple[str, ...]
    finding_out: tuple[str, ...]


def advise_before(asked: Asked) -> Advice:
    """Reasons from what is known, not scores; a run may well disagree, and is the only thing that decides."""
    expected, helpless = expect(asked.situation), _cannot(asked)
    left = {*PROPOSED}.difference(*(each.families for each in helpless))
    return Advice(
        first=(*_to_label(asked), *_to_try([family for family in expected.order if family in left], asked.situation)),
        why=(*_what_counts(asked), *expected.why, *_what_is_open(asked.situation)),
        cannot=tuple(each.says for each in helpless),
        finding_out=tuple(_finding_out(asked)),
    )


_PARTS: Mapping[Family, tuple[Family, ...]] = {
    "retrieval": ("prompting",),
    "combined": ("retrieval", "prompting", "finetuning"),
}
"""What an approach holds: where it does not suffice they do not either."""


def _to_try(expected: Sequence[Family], task: Situation) -> list[str]:
    """What is expected to be worth its cost, in the order in which it is tried: nothing is trained before a prompt was tried."""
    best, simpler = expected[0], [family for family in expected if family not in TUNED]
    tried = [simpler[0] if simpler else best]
    for family in expected:
        if family in TUNED and "prompting" in expected and not {"prompting", "retrieval"} & {*tried}:
            tried.append("prompting")
        late = family == "reference" and any(each in TUNED for each in tried)
        if not late and not any(family in (each, *_PARTS.get(each, ())) for each in tried):
            tried.append(family)
    after = [f"{_spoken(family, task)}{', which is expected to do best' * (family == best)}" for family in tried[1:3]]
    said = [f"Try first: {_spoken(tried[0], task)}."]
    if after:
        condition = "each only if the one before" if len(after) > 1 else "only if that"
        said.append(f"Then, {condition} does not suffice: {'; then '.join(after)}.")
    return said


def _spoken(family: Family, task: Situation) -> str:
    """What the family is in this task: nothing that it does not hold."""
    decides = task.kind in ("classification", "extraction")
    spoken: dict[Family, str] = {
        "reference": f"a method without a language model (nearest example{', linear head on embeddings' * decides})",
        "prompting": "a prompt with well-chosen examples",
        "retrieval": f"retrieval: {'documents, or ' * task.documents}the nearest examples, put into the prompt",
        "finetuning": "a LoRA fine-tune",
        "combined": "a LoRA fine-tune with retrieval",
    }
    return spoken[family]


@dataclass(frozen=True, kw_only=True)
class _Helpless:
    """Something that cannot help, and the families of approaches that are not proposed therefore."""

    says: str
    families: tuple[Family, ...] = ()


def _to_label(asked: Asked) -> list[str]:
    """What comes before any approach: where there are too few examples for a comparison and no held-out cases beside them, or
    too few of each label."""
    task, examples = asked.situation, asked.situation.examples
    if asked.heldout is not None or examples >= LEAST_TO_CUT:
        few = (
            f"Label more first: there are fewer than {LEAST_PER_LABEL} examples for each of the {task.labels:,} labels."
        )
        return [few] * task.thin
    there = f"{counted(examples, 'example')} are" if examples > 1 else "one example is" if examples else "none is"
    return [
        f"Label some first: {there} there, and a comparison takes {LEAST_TO_CUT} or more, half of them held out. What follows "
        "is for when they are there."
    ]


def _what_counts(asked: Asked) -> list[str]:
    if asked.heldout is None:
        return []
    return [
        f"Examples here are only those to learn from, {asked.situation.examples:,}; those held out to measure on are not "
        "among them."
    ]


def _what_is_open(task: Situation) -> list[str]:
    if task.wanted is not None or task.kind != "generation":
        return []
    return [
        "You did not say what makes an answer right (`--wanted` says it); whether fine-tuning is expected to help depends on it."
    ]


def _cannot(asked: Asked) -> list[_Helpless]:
    task, found = asked.situation, [*_tuning_cannot(asked.situation)]
    if task.wanted in ("behaviour", "format") and task.documents:
        found.append(_Helpless(says="Looking up documents alone: they hold what is true, not how to answer."))
    if task.kind == "qa" and not task.documents:
        found.append(
            _Helpless(
                says="Looking up facts: there are no documents. What the model does not know it will invent, tuned or not."
            )
        )
    if task.kind not in ("classification", "extraction"):
        found.append(_Helpless(says="A linear head: it picks among labels, and here answers are written."))
    if asked.data_stays_here:
        found.append(
            _Helpless(
                says="A hosted model, however good: the data stays here. `data_stays_here: true` under `constraints` makes sure "
                "of it."
            )
        )
    return found


def _tuning_cannot(task: Situation) -> Iterator[_Helpless]:
    if task.facts_expire:
        yield _Helpless(
            says=f"Fine-tuning alone: facts change {task.facts_change}, and weights keep those of the day they were trained on.",
            families=("finetuning",),
        )
    elif task.wanted == "facts":
        yield _Helpless(
            says="Fine-tuning to teach facts: a tuned model repeats some and makes up others in the same tone, and nobody can "
            "look up where an answer is from.",
            families=("finetuning",),
        )
    if task.examples < ENOUGH_TO_TUNE:
        yield _Helpless(
            says=f"A fine-tune worth trusting: {counted(task.examples, 'example')} are too few to tell what it learnt from "
            "what it happened to see.",
            families=TUNED,
        )


def _finding_out(asked: Asked) -> list[str]:
    found = [*_cases(asked)]
    found += asked.takes or [USUAL]
    if asked.volume is not None:
        found.append(
            f"At {asked.volume:,} requests a month, each tenth of a second per request is {_hours(asked.volume * 0.1)} of "
            "machine time; the run measures what each approach takes."
        )
    return found


def _cases(asked: Asked) -> list[str]:
    target = asked.target
    if target is None and asked.margin is not None:
        return [closeness(asked.heldout or 1, asked.margin, asked.approaches, asked.look).says]
    if target is None:
        return [
            "Name a target first (0.9 for 90 %), or a margin in a task file: without either, approaches are compared "
            "and nothing is decided."
        ]
    shared = Sharing(procedure=asked.procedure, candidates=asked.approaches, look=asked.look)
    found_out = decidable(asked.heldout or 1, target, graded=False, shared=shared)
    if target >= 1:
        return [found_out.says]
    needed, right = found_out.cases_behind, found_out.right_needed
    goal, reach = plain_percent(target), plain_percent(found_out.assumed_truth)
    takes = f"{how_many(found_out.cases_needed)} held-out cases"
    found = [
        f"With {counted(asked.approaches, 'approach', 'approaches')} side by side, it takes {takes} to show in 4 of 5 runs that "
        f"an approach that is truly at {reach} meets {goal}{found_out.behind}."
    ]
    if asked.heldout is not None:
        shown = f"{right:,} right answers would" if right is not None else "not even a perfect score would"
        found.append(f"With the {counted(asked.heldout, 'independent held-out case')} at hand, {shown} show it.")
    if asked.label_price is not None and needed is not None and needed > (asked.heldout or 0):
        price, currency = asked.label_price
        lacking, most = needed - (asked.heldout or 0), " at most" if found_out.behind else ""
        found.append(
            f"Labelling the missing {counted(lacking, 'held-out case')} costs {money(lacking * price)} {currency}{most}, "
            f"at {price:g} each."
        )
    return found


def _hours(seconds: float) -> str:
    hours = seconds / 3600
    return f"{hours:,.0f} hours" if hours >= 2 else f"{seconds / 60:,.0f} minutes"
