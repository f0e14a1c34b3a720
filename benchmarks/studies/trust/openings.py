"""What each section of the page on trust opens with: what its table shows, and what that means for a choice."""

from __future__ import annotations

from collections.abc import Collection, Iterable

from advisor.wording import listed, percent, points
from benchmarks.checked import Agreement
from benchmarks.studies.trust import lessons, tables
from benchmarks.studies.trust.counts import (
    adapters,
    again,
    by_task,
    facts_followed,
    formats_followed,
    nowhere,
    on_general_tasks,
)
from benchmarks.studies.trust.parts import SPEAKING
from benchmarks.studies.trust.rows import Checked
from benchmarks.studies.trust.tables import Rows

CHANGES = {"prompt forms": "with another form of the prompt", "seed": "after training with another seed"}
"""Check -> how its shares are introduced."""


def _told(*sentences: str) -> str:
    """Those that there are; without the first one, which says what was found, none."""
    return " ".join(filter(None, sentences)) if sentences[0] else ""


# ---------------------------------------------------------------- steadiness


def edits(every: Rows) -> str:
    """On which tasks tuned models are steadier under edits, and what the share leaves out."""
    return _told(
        lessons.edited(every, named=True),
        "Steady does not mean right: an approach that always says the same is steady too. So look at how many right answers "
        "stand behind a share.",
    )


def varied(rows: Rows) -> str:
    """Between which shares of the answers stay under each change, and what other requests in the batch changed."""
    told = [text for name, says in CHANGES.items() if (text := _ends(rows, name, says))]
    return _told(
        f"Answers that stayed the same: {'; '.join(told)}." if told else "",
        neighbours(rows),
        "So where single answers matter, keep the very prompt or adapter that was measured.",
    )


def _ends(rows: Rows, name: str, says: str) -> str:
    found = [
        (each.candidate, task, check)
        for task, approaches in rows.items()
        for each in approaches
        if each.candidate in SPEAKING and (check := tables.under(name, each)) is not None
    ]
    if not found:
        return ""
    shares = [check.same for _, _, check in found]
    ends = [
        f"{shown} ({by_task([(who, task) for who, task, check in found if percent(check.same) == shown])})"
        for shown in dict.fromkeys(map(percent, (min(shares), max(shares))))
    ]
    return f"{says} {' to '.join(ends)}"


def neighbours(rows: Rows) -> str:
    """What other requests in the batch changed, at temperature 0."""
    found: list[Agreement] = [
        check for approaches in rows.values() for each in approaches if (check := tables.under("repeats", each))
    ]
    pairs = sum(check.pairs for check in found)
    moved = pairs - sum(check.right_twice + check.wrong_twice_same for check in found)
    return f"Other requests in the same batch changed {moved or 'none'} of {pairs:,} answers." if found else ""


def built_again(rows: Rows) -> str:
    """How much stays, and that the figure does not tell."""
    found = again(rows)
    moves = found.unsteady * 2 > found.builds and found.still * 2 > found.figures
    return _told(
        lessons.built_again(rows, named=True),
        "Expect an approach that is built again to change many of its answers, even where its figure hardly moves."
        if moves
        else "",
    )


# ---------------------------------------------------------------- what tuning costs


def moved(every: Rows, asked: Rows) -> str:
    """Where general text got harder, which approaches share an adapter, and what to do about it."""
    shared = [each for each in adapters(asked) + adapters(every) if len(each.approaches) > 1]
    names = by_task([(name, each.task) for each in shared for name in each.approaches])
    once = f"An adapter that two approaches share counts once ({names})." if shared else ""
    return _told(
        lessons.moved(every, asked, named=True),
        once,
        "If the tuned model is to do other work too, test that as well; `perplexity_ratio` in the [task](task.md) sets a limit.",
    )


def general_tasks(rows: Rows) -> str:
    """Which adapters lost right answers at a general task."""
    gone = [
        f"{each.name} (from {task.before:,} to {task.after:,})"
        for each, task in on_general_tasks(rows)
        if task.upper < 0
    ]
    return _told(lessons.lost(rows), f"These are {listed(gone)}." if gone else "")


# ---------------------------------------------------------------- what is made up, and what is obeyed


def grounded(rows: Rows) -> str:
    """Of each approach with a language model how many answers stand nowhere."""
    without, reading = nowhere(rows).values()
    if not (right := lessons.right_all_the_same(rows)):
        return ""
    ways = (("without documents before the model", without), ("with passages", reading))
    told = [f"{way} {listed([str(each) for each in found])}" for way, found in ways if found]
    apart = without and reading and max(each.share for each in reading) < min(each.share for each in without)
    return _told(
        f"Of the answers given these stand in no document: {'; '.join(told)}. {right}",
        "So where a made-up answer does harm, put passages before the model." if apart else "",
    )


def obeyed(asked: Rows, alike: Collection[str]) -> str:
    """How often planted instructions were followed, where all is counted in one way, and what that asks for."""
    return _told(
        lessons.obeyed(lessons.only(asked, alike), named=True),
        "So where strangers write requests or documents, the defence has to come from elsewhere.",
    )


# ---------------------------------------------------------------- change, and thresholds


def changed(rows: Rows) -> str:
    """Who follows new facts at once, and where such facts belong."""
    (new, of), (others_new, others_of) = facts_followed(rows)
    ahead = new * others_of > others_new * of
    return _told(
        lessons.new_facts(rows), "So keep facts that change in documents, not in weights or examples." if ahead else ""
    )


def added(rows: Rows) -> str:
    """Who follows new labels at once, and after another fit."""
    return _told(
        lessons.new_labels(rows, fitted=True), "Where labels are added without another fit, check what the others lose."
    )


def altered(rows: Rows) -> str:
    """Who follows a new format at once, and after another fit."""
    found, late = formats_followed(rows)
    mostly = len(late) * 2 > len(found)
    return _told(
        lessons.new_formats(rows),
        "So with a tuned model, plan another fit for the day the format changes." if mostly else "",
    )


def by_heart(rows: Rows) -> str:
    """What tuned models know of what they were taught, and what not to rest on that."""
    return _told(lessons.by_heart(rows), "So do not count on weights for a fact that has to be right.")


def guarded(rows: Rows) -> str:
    """Where a threshold is worth it, and how to see that it is not."""
    return _told(
        lessons.held_back(rows),
        "Look at *tells* first: at 0.5 an approach cannot tell its right answers from its wrong ones, and no threshold helps.",
    )


def leaked(rows: Iterable[Checked]) -> str:
    """By how much cases that stood among the examples lift a figure at most."""
    lifted = [(each.figure - each.leaks.without, each.candidate) for each in rows if each.leaks is not None]
    if not lifted:
        return ""
    most, name = max(lifted)
    return (
        f"Held-out messages that repeat an example add up to {points(most).lstrip('+')} to a figure ({name}). So look at the "
        "figures without them."
    )
