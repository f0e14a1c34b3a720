"""The tables of the page on trust: what was measured of every approach beside right and wrong, task by task."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import TypeVar

from advisor.figures.consistency import same, same_within
from advisor.probes.forgotten import divergence, same_answers, same_tokens
from advisor.probes.guarded import share
from advisor.wording import NONE, digits, listed, percent, points
from benchmarks.checked import Agreement, Forgetting, GeneralTask, Guard, Rebuilds
from benchmarks.evaluation.guard import AT_MOST
from benchmarks.probes.rebuilds import Share, kept, spread, steadier, turns
from benchmarks.studies.bakeoff_rows import BakeOff
from benchmarks.studies.markdown import table
from benchmarks.studies.trust.parts import EXAMPLES, LEAKY, OVER_ROWS, RUNGS, SPEAKING
from benchmarks.studies.trust.rows import Checked, Found

TUNED, PROMPTED = ("lora", "lora + retrieval"), ("prompting", "retrieval")
WHOLE = 10
"""Times from which on decimals say nothing."""
VARIED = {"other prompt": "prompt forms", "another seed": "seed"}
"""What was varied -> the check of it, in the order of the columns."""
Measured = TypeVar("Measured")
Rows = Mapping[str, Sequence[Checked]]
"""Task -> its approaches."""


def of_bakeoffs(found: Mapping[str, BakeOff]) -> Rows:
    """What the bake-offs measured of each approach that answered."""
    return {
        task: [Checked.of(each) for each in bakeoff.verdict.evaluations if each.scores and each.state is None]
        for task, bakeoff in found.items()
    }


def of_parts(found: Mapping[str, Found]) -> Rows:
    """What this study measured of each, the parts of a task together."""
    return {
        task: [each for part in found.values() if part.part.task == task and part.part.heldout for each in part.checked]
        for task in EXAMPLES
    }


def shown(rows: Rows) -> Rows:
    """The approaches with a language model, and the best of the others: what a table can show and still be read."""
    found: dict[str, list[Checked]] = {}
    for task, approaches in rows.items():
        plain = [each for each in approaches if each.candidate in RUNGS]
        best = max(plain, key=lambda each: each.figure, default=None)
        found[task] = [each for each in approaches if each is best or each.candidate in SPEAKING]
    return found


def each_with(rows: Rows, what: Callable[[Checked], Measured | None]) -> Iterator[tuple[str, Checked, Measured]]:
    """(task, approach, what was measured) wherever it was."""
    for task, approaches in rows.items():
        for each in approaches:
            if (measured := what(each)) is not None:
                yield task, each, measured


def named(approaches: Iterable[Checked], name: str) -> Checked | None:
    return next((each for each in approaches if each.candidate == name), None)


def under(name: str, each: Checked) -> Agreement | None:
    """The check of that name, where anything was asked for it."""
    return next((check for check in each.agreements if check.name == name and check.pairs), None)


def within(bounds: tuple[float, float]) -> str:
    """`(84-96)`, in percent."""
    return f"({bounds[0] * 100:.0f}-{bounds[1] * 100:.0f})"


# ---------------------------------------------------------------- steadiness


def right_before(check: Agreement) -> int:
    """How many answers were right to the request as it stood."""
    return check.right_twice + check.right_then_wrong


def edits(rows: Rows) -> str:
    """Same answers under harmless edits, and right ones that stay right, for the approaches with a language model."""
    lines = []
    for task, approaches in rows.items():
        checks = [under("edits", each) if (each := named(approaches, name)) else None for name in SPEAKING]
        lines.append((task, *map(_stays, checks)))
    return table(("task", *SPEAKING), lines, range(1, len(SPEAKING) + 1))


def varied(rows: Rows) -> str:
    """The same of what else was varied, for the approaches with a language model."""
    lines = []
    for task, approaches in rows.items():
        for each in approaches:
            checks = [under(name, each) for name in VARIED.values()]
            if each.candidate in SPEAKING and any(checks):
                lines.append((task, each.candidate, *map(_stays, checks)))
    return table(("task", "approach", *VARIED), lines, range(2, 2 + len(VARIED)))


def _stays(check: Agreement | None) -> str:
    if check is None:
        return NONE
    stays = f", {check.right_twice:,} of {right_before(check):,}" if right_before(check) else ""
    return f"{same(check)}{stays}"


def steadier_under_edits(rows: Rows, pair: tuple[str, str]) -> dict[str, list[str]]:
    """Tasks by whether the first of the pair keeps more of its answers than the other (`more`), fewer, or whether their intervals
    meet."""
    told: dict[str, list[str]] = {"more": [], "fewer": [], "alike": []}
    for task, approaches in rows.items():
        checks = [under("edits", each) if (each := named(approaches, name)) else None for name in pair]
        if checks[0] is None or checks[1] is None:
            continue
        one, other = (same_within(check) for check in checks if check is not None)
        told["more" if one[0] > other[1] else "fewer" if one[1] < other[0] else "alike"].append(task)
    return told


def rebuilt(rows: Rows) -> str:
    """Answers that stay when everything is done again on other examples."""
    lines = [
        (
            task,
            each.candidate,
            percent(each.figure),
            _kept(kept(found, each.grouped)),
            *map(percent, turns(found)),
            _spread(task, found),
        )
        for task, each, found in each_with(rows, lambda each: each.rebuilds)
        if len(found.draws) > 1
    ]
    columns = ("task", "approach", "figure", "same answer", "right twice", "wrong twice", "flipped", "spread, points")
    return table(columns, lines, range(2, 8))


def _kept(share: Share) -> str:
    if share.lower is None or share.upper is None or share.lower == share.upper:
        return percent(share.mean)
    return f"{percent(share.mean)} {within((share.lower, share.upper))}"


def _spread(task: str, found: Rebuilds) -> str:
    """A dash for rows that hold single scores alone where the figure is no mean of them: they are from before it was kept."""
    if task in OVER_ROWS and not found.of_rows:
        return NONE
    return digits(100 * spread(found)[0])


def steadier_rebuilt(rows: Rows) -> dict[tuple[str, str], dict[str, Share]]:
    """What is tuned, and what differs in nothing but that it is not -> task -> by how much more of its answers it keeps."""
    told: dict[tuple[str, str], dict[str, Share]] = {}
    for task, approaches in rows.items():
        groups = {case: group for each in approaches for case, group in each.grouped.items()}
        for pair in zip(TUNED, PROMPTED, strict=True):
            built = [each.rebuilds for name in pair if (each := named(approaches, name)) and each.rebuilds]
            if len(built) == len(pair) and (more := steadier(built[0], built[1], groups)) is not None:
                told.setdefault(pair, {})[task] = more
    return told


# ---------------------------------------------------------------- what tuning costs, and what is made up


def forgotten(rows: Rows) -> str:
    """How far tuning moved the model on general text and everyday prompts, and what it brought on the task."""
    found = list(each_with(rows, lambda each: each.forgetting))
    asked = any(each.general for _, _, each in found)
    lines = []
    for task, approach, each in found:
        moved = (_ratio(each), divergence(each), same_tokens(each))
        cells = (task, approach.candidate, _gain(rows[task], approach), *moved)
        lines.append((*cells, same_answers(each.general)) if asked else cells)
    columns = ("task", "approach", "gain on the task", "perplexity, times", "KL a token", "same next token")
    return table((*columns, "same everyday answers") if asked else columns, lines, range(2, 7))


def not_read(rows: Rows) -> str:
    """Whose tuned models read no general text; empty where all of them did."""
    lacking = [
        task
        for task, approaches in rows.items()
        if (tuned := [each for each in approaches if each.candidate in TUNED])
        and all(each.forgetting is None for each in tuned)
    ]
    return f"The bake-offs of {listed(lacking)} did not measure this." if lacking else ""


def general(rows: Rows) -> list[tuple[str, Checked, GeneralTask]]:
    """(task, approach, general task) for each of these that was measured."""
    return [
        (task, approach, each)
        for task, approach, found in each_with(rows, lambda each: each.forgetting)
        if found.general
        for each in found.general.tasks
    ]


def general_tasks(rows: Rows) -> str:
    """Right answers to what has nothing to do with the task, before and after tuning."""
    lines = [
        (
            task,
            approach.candidate,
            each.name,
            f"{each.before:,} of {each.cases:,}",
            f"{each.after:,} of {each.cases:,}",
            f"{each.lower * 100:+.0f} to {each.upper * 100:+.0f}",
        )
        for task, approach, each in general(rows)
    ]
    columns = ("task", "approach", "asked", "right before", "right after", "difference, points, 95 % interval")
    return table(columns, lines, range(3, 6))


def _ratio(found: Forgetting) -> str:
    """`156 (115-214)`, `1.09 (1.06-1.12)`."""
    places = 0 if found.ratio >= WHOLE else 2
    return f"{found.ratio:.{places}f} ({found.lower:.{places}f}-{found.upper:.{places}f})"


def _gain(approaches: Sequence[Checked], tuned: Checked) -> str:
    """Over the best that the same model reaches untuned."""
    untuned = [each.figure for each in approaches if each.family in ("prompting", "retrieval")]
    return points(tuned.figure - max(untuned)) if untuned else NONE


def grounded(rows: Rows) -> str:
    """Where the answers to questions over documents stand."""
    lines = [
        (
            task,
            each.candidate,
            *(f"{count:,}" for count in (found.evidence, found.documents, found.nowhere, found.vague, found.declined)),
            f"{found.declined_wrong:,}",
            f"{found.unanswerable_answered:,} of {found.unanswerable:,}" if found.unanswerable else NONE,
        )
        for task, each, found in each_with(rows, lambda each: each.grounding)
    ]
    places = (
        "in what it found",
        "elsewhere in the documents",
        "in no document",
        "nothing specific",
        "says there is none",
    )
    columns = ("task", "approach", *places, "says so wrongly", "answers though there is none")
    return table(columns, lines, range(2, 9))


def by_heart(rows: Rows) -> str:
    """What tuned models know without a document."""
    lines = [
        (
            task,
            each.candidate,
            *(
                NONE if part is None else f"{part.right:,} of {part.cases:,}"
                for part in (found.taught, found.rephrased, found.untold)
            ),
        )
        for task, each, found in each_with(rows, lambda each: each.by_heart)
    ]
    return table(
        ("task", "approach", "taught, word for word", "taught, asked otherwise", "never told"), lines, range(2, 5)
    )


def guarded(rows: Rows) -> str:
    """What holding back unsure answers does where at most a twentieth of the right ones may be lost."""
    lines = []
    for task, each, found in each_with(rows, lambda each: each.guard):
        held = next((held for held in found.held[1:] if held.at_most == AT_MOST[0]), None)
        tells = NONE if each.coverage is None or each.coverage.order is None else f"{each.coverage.order:.2f}"
        if held is None:  # Too few right answers to tell a twentieth of them.
            lines.append((task, each.candidate, percent(before(each, found)), *[NONE] * 4, tells))
            continue
        lines.append(
            (
                task,
                each.candidate,
                percent(before(each, found)),
                f"{held.answered:,} of {found.cases:,}",
                f"{percent(held.figure)} {within((held.lower, held.upper))}",
                share(held.stopped),
                share(held.lost),
                tells,
            )
        )
    columns = (
        "task",
        "approach",
        "figure",
        "still answered",
        "figure on these",
        "wrong held back",
        "right lost",
        "tells",
    )
    return table(columns, lines, range(2, 8))


def before(approach: Checked, guard: Guard) -> float:
    """The figure that those above a threshold can be set against: where the metric is not one of single answers, their mean."""
    return guard.held[0].figure if guard.over_rows else approach.figure


# ---------------------------------------------------------------- leaks


def with_leaks(found: Mapping[str, Found]) -> list[Checked]:
    """The approaches without a language model on all held-out cases, the others on those that they had."""
    return [
        each
        for part in found.values()
        if part.part.task == LEAKY
        for each in part.checked
        if each.leaks is not None and (not part.part.heldout or each.candidate in SPEAKING)
    ]


def leaked(found: Mapping[str, Found]) -> str:
    """Figures on held-out cases that stood among the examples, and without them."""
    lines = [
        (
            each.candidate,
            percent(each.figure),
            f"{percent(leaks.figure)} of {leaks.cases:,}",
            f"{percent(leaks.without)} {within((leaks.lower, leaks.upper))}",
            points(each.figure - leaks.without),
        )
        for each in with_leaks(found)
        if (leaks := each.leaks) is not None
    ]
    return table(("approach", "on all", "on those", "without them", "what they add"), lines, range(1, 5))
