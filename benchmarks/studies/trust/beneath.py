"""What the page on trust says beneath its tables: single comparisons, refusals, and which rows are to be read with care."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from advisor.wording import listed, plain_percent
from benchmarks.probes.rebuilds import Share
from benchmarks.statistics.confidence import exact_interval
from benchmarks.studies.dated import CHANGES, FIXES, is_before
from benchmarks.studies.trust import tables
from benchmarks.studies.trust.counts import is_apart
from benchmarks.studies.trust.parts import LABELLED, QUESTIONS, Part
from benchmarks.studies.trust.rows import Checked, Found
from benchmarks.studies.trust.tables import Rows

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


def built_again(rows: Rows) -> str:
    """By how much more of its answers a tuned approach keeps than the one that differs in nothing else, on each task."""
    told = [
        f"{tuned} minus {prompted} {listed([_apart(task, share) for task, share in by_task.items()])}"
        for (tuned, prompted), by_task in tables.steadier_rebuilt(rows).items()
    ]
    if not told:
        return ""
    return (
        f"Share of answers kept, in points: {'; '.join(told)}. In brackets 95 % intervals; one with 0 decides nothing."
    )


def _apart(task: str, share: Share) -> str:
    lower, upper = share.lower or 0.0, share.upper or 0.0
    mark = "**" if is_apart(share) else ""
    return f"{mark}{share.mean * 100:+.0f} on {task} ({lower * 100:+.0f} to {upper * 100:+.0f}){mark}"


# ---------------------------------------------------------------- refusals


def used_in_part(rows: Rows) -> str:
    """Of which adapters the product uses a part, which the table of what they cost elsewhere is measured with."""
    shares = {f"{each.candidate} on {task}": each.share for task, mine in rows.items() for each in mine if each.share}
    parts = [f"{plain_percent(share)} for {name}" for name, share in shares.items() if share < 1]
    return (
        f"Where cases are kept apart they choose how much of what an adapter learnt is used: less than all of it in "
        f"{len(parts)} of these {len(shares)} trainings: {listed(parts)}. What less does was tried apart from them (the log has "
        "both trials): on banking77 with 300 examples a third of one adapter answered as well as all of it, and general text was "
        "1.14 times as hard in place of 17; on snips_slots with 200 examples, a third of it answered 14 % right in place of 41 %."
        if parts
        else ""
    )


def declines(rows: Rows, asked: Rows) -> str:
    """Whether an approach refuses what has no answer and little else, by the bounds of both shares, of both kinds of runs."""
    found, smaller = (tables.named(each.get(UNANSWERABLE, ()), REFUSES) for each in (rows, asked))
    if found is None or found.grounding is None:
        return ""
    rightly, wrongly = _refused(found)
    low, high = exact_interval(*rightly), exact_interval(*wrongly)
    halves = low[0] >= REFUSED_LEAST, high[1] <= WRONGLY_MOST
    goal = "The goal for refusals"
    reached = {
        (True, True): f"{goal} is reached",
        (True, False): "The first half of the goal for refusals is reached, the second is not",
    }.get(halves, f"{goal} is not reached")
    return (
        f"{reached}: on {UNANSWERABLE} {REFUSES} should refuse at least {plain_percent(REFUSED_LEAST)} of the "
        f"questions without an answer and at most {plain_percent(WRONGLY_MOST)} of the others, by the bounds. It refuses "
        f"{rightly[0]:,} of {rightly[1]:,} {tables.within(low)}, and wrongly {wrongly[0]:,} of {wrongly[1]:,} "
        f"{tables.within(high)}.{_in_the_check(smaller)}{_unfound(found)}"
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
    return f" In the checked run it refuses {rightly:,} of {of:,}, and wrongly {wrongly:,} of {others:,}."


def _unfound(approach: Checked) -> str:
    """What of wrong refusals the search brings, with a space before it; empty where nothing is known of the search."""
    stands, quality = approach.grounding, approach.retrieval
    if stands is None or quality is None or not quality.recall_at:
        return ""
    lacking = round((1 - quality.recall_at[max(quality.recall_at)]) * quality.cases)
    beyond = exact_interval(lacking, quality.cases)[0] > WRONGLY_MOST
    return (
        f" For {lacking:,} of {quality.cases:,} questions with an answer it was shown no passage of the right document; "
        f"{stands.declined_unfound:,} of the {stands.declined_wrong:,} wrong refusals are among these. An approach that refuses "
        f"whenever the passages lack the answer refuses all {lacking:,}, "
        f"{'more than the goal allows' if beyond else 'which the goal would allow'}."
    )


def of_checks(rows: Rows) -> str:
    """Which tasks of the table on where answers stand are of the checked runs, where others are of the bake-offs."""
    tasks = list(dict.fromkeys(task for task, _, _ in tables.each_with(rows, lambda each: each.grounding)))
    return f"The rows of {listed(tasks)} come from the checked runs, the others from the bake-offs." if tasks else ""


# ---------------------------------------------------------------- rows to be read with care


def newer(found: Mapping[str, Found]) -> str:
    """Which parts were begun after the product changed, where others of the same task were begun before."""
    older = {each.part.task for each in found.values() if is_before(CHANGES, each.made["started"])}
    asked = [
        each.part for each in found.values() if not is_before(CHANGES, each.made["started"]) and each.part.task in older
    ]
    if not asked:
        return ""
    one = len({part.task for part in asked}) == 1
    were, rest = ("was", "the rest of its task") if one else ("were", "the rest of their tasks")
    return f"{named(asked)} {were} run after {CHANGES.what} and {rest} before, so what differs between them may come from these."


def refusals_taught(found: Mapping[str, Found]) -> str:
    """Which counts of facts in weights are from before a refusal was no fact."""
    asked = _with_refusals(found)
    if not asked:
        return ""
    return (
        f"In the rows of {named(asked)} the first column also holds questions without an answer, and saying so counts there as "
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
        f"In the rows of {named(asked)} cases whose answer is a number, which has no capital letters, still count as not "
        "following; later rows leave them out."
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
        f"In the rows of {named(asked)} repeating the sentence still counted as following it: do not set them beside "
        "other rows of these tasks."
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
