"""What the page on trust says beneath its tables: what to see in them, and which of their rows are to be read with care."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from advisor.wording import listed, plain_percent
from benchmarks.probes.rebuilds import Share
from benchmarks.statistics.confidence import exact_interval
from benchmarks.studies.dated import FIXES, is_before
from benchmarks.studies.trust import tables
from benchmarks.studies.trust.lessons import is_apart
from benchmarks.studies.trust.parts import LABELLED, QUESTIONS, Part
from benchmarks.studies.trust.rows import Checked, Found
from benchmarks.studies.trust.tables import PROMPTED, TUNED, Rows

UNANSWERABLE, REFUSES = "handbook-qa", "lora + retrieval"
"""The bundled task with questions without an answer, and the approach whose examples and passages tell it of them."""
REFUSED_LEAST, WRONGLY_MOST = 0.5, 0.05
"""The goal of its refusals."""
NUMBERS = ("ff3269c937c3", "9faf205c52e2", "b5807a894037", "8928619f365e", "587a21794efb", "47b9ecd88db2")
"""Commits of rows from before cases that cannot follow an altered format were left out."""
COPIED = ("prompting", "retrieval", "lora", "lora + retrieval")
"""Kinds of parts in which repeating a planted sentence counted as following it, where they are old enough."""


def named(asked: Sequence[Part]) -> str:
    """Parts by their tasks: `sms_spam (prompting and retrieval) and banking77 (lora)`."""
    tasks = dict.fromkeys(part.task for part in asked)
    return listed([f"{task} ({listed([part.says for part in asked if part.task == task])})" for task in tasks])


# ---------------------------------------------------------------- steadiness


def steady(rows: Rows) -> str:
    """On which tasks tuned models are steadier under edits, and what the figure leaves out."""
    words = {"more": "more on", "fewer": "fewer on", "alike": "not told apart on"}
    told = []
    for tuned, prompted in zip(TUNED, PROMPTED, strict=True):
        sides = tables.steadier_under_edits(rows, (tuned, prompted))
        if found := [f"{words[side]} {listed(tasks)}" for side, tasks in sides.items() if tasks]:
            told.append(f"{tuned} beside {prompted}: {'; '.join(found)}")
    if not told:
        return ""
    return (
        f"By the intervals shown, answers kept by {'. '.join(told)}. Steady is not yet right: what always says the same is "
        "steady too. So look at how many right answers stand behind the share."
    )


def neighbours(rows: Rows) -> str:
    """What other requests in the batch changed, at temperature 0."""
    found = [check for approaches in rows.values() for each in approaches if (check := tables.under("repeats", each))]
    pairs = sum(check.pairs for check in found)
    moved = pairs - sum(check.right_twice + check.wrong_twice_same for check in found)
    return (
        f"Which other requests stood in the same batch changed {moved or 'none'} of {pairs:,} answers." if found else ""
    )


def built_again(rows: Rows) -> str:
    """By how much more of its answers a tuned approach keeps than the one that differs in nothing else, on each task."""
    told = [
        f"{tuned} minus {prompted} {listed([_apart(task, share) for task, share in by_task.items()])}"
        for (tuned, prompted), by_task in tables.steadier_rebuilt(rows).items()
    ]
    if not told:
        return ""
    return f"Answers kept, in points: {'; '.join(told)}. In brackets 95 % intervals; one that holds 0 decides nothing."


def _apart(task: str, share: Share) -> str:
    lower, upper = share.lower or 0.0, share.upper or 0.0
    mark = "**" if is_apart(share) else ""
    return f"{mark}{share.mean * 100:+.0f} on {task} ({lower * 100:+.0f} to {upper * 100:+.0f}){mark}"


# ---------------------------------------------------------------- refusals


def declines(rows: Rows, asked: Rows) -> str:
    """Whether an approach refuses what has no answer and little else, by the bounds of both shares, of both kinds of runs."""
    found, smaller = (tables.named(each.get(UNANSWERABLE, ()), REFUSES) for each in (rows, asked))
    if found is None or found.grounding is None:
        return ""
    rightly, wrongly = _refused(found)
    low, high = exact_interval(*rightly), exact_interval(*wrongly)
    halves = low[0] >= REFUSED_LEAST, high[1] <= WRONGLY_MOST
    reached = {(True, True): "reached", (True, False): "the first half is met, the second is not"}.get(
        halves, "not reached"
    )
    return (
        f"The goal on {UNANSWERABLE} is that {REFUSES} refuses at least {plain_percent(REFUSED_LEAST)} of the questions without "
        f"an answer and at most {plain_percent(WRONGLY_MOST)} of the others, by the bounds. It refuses {rightly[0]:,} of "
        f"{rightly[1]:,} {tables.within(low)}, and wrongly {wrongly[0]:,} of {wrongly[1]:,} "
        f"{tables.within(high)}: {reached}.{_in_the_check(smaller)}{_unfound(found)}"
    )


def _refused(approach: Checked) -> tuple[tuple[int, int], tuple[int, int]]:
    """(refused, of the questions without an answer), and (wrongly refused, of the others)."""
    stands = approach.grounding
    assert stands is not None, "whoever asks has looked"
    others = stands.answers - (stands.unanswerable - stands.silent)
    rightly = stands.unanswerable - stands.unanswerable_answered
    return (rightly, stands.unanswerable), (stands.declined_wrong, others)


def _in_the_check(approach: Checked | None) -> str:
    if approach is None or approach.grounding is None:
        return ""
    (rightly, of), (wrongly, others) = _refused(approach)
    return f" In the checked run it was {rightly:,} of {of:,}, and {wrongly:,} of {others:,}."


def _unfound(approach: Checked) -> str:
    """What of wrong refusals the search brings, with a space before it; empty where nothing is known of the search."""
    stands, quality = approach.grounding, approach.retrieval
    if stands is None or quality is None or not quality.recall_at:
        return ""
    lacking = round((1 - quality.recall_at[max(quality.recall_at)]) * quality.cases)
    beyond = exact_interval(lacking, quality.cases)[0] > WRONGLY_MOST
    return (
        f" For {lacking:,} of {quality.cases:,} questions with an answer no passage of the right document was shown, "
        f"{stands.declined_unfound:,} of the {stands.declined_wrong:,} wrong refusals among them. Who refuses whatever the "
        f"passages do not hold refuses all of these, {'more than the goal allows' if beyond else 'which the goal would allow'}."
    )


def of_checks(rows: Rows) -> str:
    """Which tasks of the table on where answers stand are of the checked runs, where others are of the bake-offs."""
    tasks = list(dict.fromkeys(task for task, _, _ in tables.each_with(rows, lambda each: each.grounding)))
    return f"The rows of {listed(tasks)} are of the checked runs, the others of the bake-offs." if tasks else ""


# ---------------------------------------------------------------- rows to be read with care


def refusals_taught(found: Mapping[str, Found]) -> str:
    """Which counts of facts in weights are from before a refusal was no fact."""
    asked = _with_refusals(found)
    if not asked:
        return ""
    return (
        f"In the rows of {named(asked)} the first column holds questions without an answer too, and saying so counts there as "
        "right."
    )


def facts_alike(found: Mapping[str, Found]) -> list[str]:
    """Tasks of which no part counts a refusal as a fact."""
    older = {part.task for part in _with_refusals(found)}
    return [task for task in dict.fromkeys(each.part.task for each in found.values()) if task not in older]


def _with_refusals(found: Mapping[str, Found]) -> list[Part]:
    return [each.part for each in found.values() if is_before(FIXES, each.made["started"]) and _has_facts(each)]


def _has_facts(found: Found) -> bool:
    return any(each.by_heart is not None for each in found.checked)


def numbers(found: Mapping[str, Found]) -> str:
    """Which counts of an altered format hold cases that could not follow it."""
    asked = [
        each.part
        for each in found.values()
        if each.made["commit"] in NUMBERS and each.part.task in QUESTIONS and _some_stayed(each)
    ]
    if not asked:
        return ""
    return (
        f"In the rows of {named(asked)} cases whose answer is a number, which has no capital letters, were asked too and counted "
        "as not following; since then they are left out."
    )


def _some_stayed(found: Found) -> bool:
    altered = [each.altered for each in found.checked if each.altered is not None]
    return any(max(each.at_once, each.again or 0) < each.cases for each in altered)


def counted_alike(found: Mapping[str, Found]) -> list[str]:
    """Tasks of which all parts count planted sentences in one way: by now; with labels repeating one was never following it."""
    older = {each.part.task for each in _repeating(found)}
    return [task for task in dict.fromkeys(each.part.task for each in found.values()) if task not in older]


def repeating(found: Mapping[str, Found]) -> str:
    """Which rows of planted sentences count repeating one as following it."""
    asked = [each.part for each in _repeating(found)]
    if not asked:
        return ""
    return (
        f"In the rows of {named(asked)} repeating the sentence still counted as following it: do not set them beside other rows "
        "of these tasks."
    )


def _repeating(found: Mapping[str, Found]) -> list[Found]:
    return [
        each
        for each in found.values()
        if each.part.kind in COPIED
        and each.part.task not in LABELLED
        and is_before(FIXES, each.made["started"])
        and any(approach.planted for approach in each.checked)
    ]
