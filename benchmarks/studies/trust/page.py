"""The page on trust, written from committed rows: tables, what they say, and what was not run."""

from __future__ import annotations

from collections.abc import Mapping

from advisor.wording import NONE, duration, listed, start
from benchmarks.studies.bakeoff_rows import BakeOff
from benchmarks.studies.dated import days_of
from benchmarks.studies.markdown import table
from benchmarks.studies.settings import SETTINGS, developed, told_commit
from benchmarks.studies.trust import beneath, changes, openings, tables
from benchmarks.studies.trust.lessons import alike_elsewhere, lessons, new, only
from benchmarks.studies.trust.parts import EXAMPLES, HELDOUT, parts
from benchmarks.studies.trust.rows import Found
from benchmarks.studies.trust.tables import Rows
from benchmarks.studies.trust.texts import (
    ADDED,
    ALTERED,
    BY_HEART,
    BY_KIND,
    CHANGED,
    CHANGED_AGAIN,
    CHANGED_ONCE,
    CHECKED_FORGOTTEN,
    EDITS,
    EDITS_CHECKED,
    FORGOTTEN,
    GENERAL,
    GROUNDED,
    GUARDED,
    GUARDED_CHECKED,
    INTRODUCTION,
    LEAKED,
    PLANTED,
    REBUILT,
    SOURCES,
    VARIED,
    WRITTEN,
)

NOT_RUN = "Not run yet."
HEAD = 2
"""Lines of a table without rows."""


def document(found: Mapping[str, Found], bakeoffs: Mapping[str, BakeOff]) -> str:
    """docs/can-it-be-trusted.md."""
    every, asked = tables.of_bakeoffs(bakeoffs), tables.shown(tables.of_parts(found))
    sizes = f"{EXAMPLES['banking77']} examples on banking77 and {EXAMPLES['handbook-qa']} on the others"
    grounded, held = new(asked, every, "grounding"), new(asked, every, "guard")
    alike, facts = beneath.counted_alike(found), beneath.facts_alike(found)
    blocks = [
        INTRODUCTION,
        "## In short",
        "\n".join(f"- {line}" for line in lessons(every, asked, alike, facts)),
        "## What was run",
        SOURCES.format(sizes=sizes, heldout=HELDOUT, sampled=sampled()),
        " ".join(filter(None, (developed(), dated(found, bakeoffs), beneath.newer(found), missing(found)))),
        WRITTEN,
        _section("The same request, written a little differently", openings.edits(every), EDITS, tables.edits(every)),
        _more("", EDITS_CHECKED, tables.edits({task: rows for task, rows in asked.items() if task not in every})),
        _section("Another prompt, another seed, another batch", openings.varied(asked), VARIED, tables.varied(asked)),
        _section(
            "Built again from other examples",
            openings.built_again(asked),
            REBUILT,
            tables.rebuilt(asked),
            beneath.built_again(asked),
        ),
        _section(
            "What tuning costs elsewhere",
            openings.moved(every, asked),
            FORGOTTEN,
            tables.forgotten(every),
            f"{beneath.used_in_part(every)}\n\n{tables.not_read(every)}",
        ),
        _more(
            " ".join(filter(None, ("The same for the checked runs.", alike_elsewhere(asked)))),
            CHECKED_FORGOTTEN,
            tables.forgotten(asked),
        ),
        _more(openings.general_tasks(asked), GENERAL, tables.general_tasks(asked)),
        _section(
            "Invented answers, and refusals",
            openings.grounded({**every, **grounded}),
            GROUNDED,
            tables.grounded({**every, **grounded}),
            f"{beneath.of_checks(grounded)}\n\n{beneath.declines(every, asked)}",
        ),
        _section(
            "Facts in the weights",
            openings.by_heart(only(asked, facts)),
            BY_HEART,
            tables.by_heart(asked),
            beneath.refusals_taught(found),
        ),
        _section("Holding back unsure answers", openings.guarded({**every, **held}), GUARDED, tables.guarded(every)),
        _more("", GUARDED_CHECKED, tables.guarded(held)),
        _section("The day facts change", openings.changed(asked), _changed_says(asked), changes.changed(asked)),
        _section("The day labels are added", openings.added(asked), ADDED, changes.added(asked)),
        _section(
            "The day the format changes",
            openings.altered(asked),
            ALTERED,
            changes.altered(asked),
            beneath.numbers(found),
        ),
        _section(
            "Planted instructions",
            openings.obeyed(asked, alike),
            PLANTED,
            changes.planted(asked),
            beneath.repeating(found),
        ),
        _more("", BY_KIND, changes.planted_by_kind(asked)),
        _section(
            "Held-out cases that stood among the examples",
            openings.leaked(tables.with_leaks(found)),
            LEAKED,
            tables.leaked(found),
        ),
        "## How it was made",
        made(found),
    ]
    return "\n\n".join(block.strip() for block in blocks if block) + "\n"


def _changed_says(asked: Rows) -> str:
    """With what another fit is only where one was made."""
    made = [each for _, _, each in tables.each_with(asked, lambda each: each.changed)]
    return f"{CHANGED}{CHANGED_AGAIN if any(map(changes.fitted_again, made)) else CHANGED_ONCE}"


def sampled() -> str:
    """Which examples are of a part of what was published."""
    told = [f"{each.sample.taken:,} of {each.sample.published:,} on {each.task}" for each in SETTINGS if each.sample]
    return f"Some examples were drawn from a sample of those published: {listed(told)}." if told else ""


def dated(found: Mapping[str, Found], bakeoffs: Mapping[str, BakeOff]) -> str:
    """When both kinds of runs were begun, and that the product has changed since."""
    runs = {
        "the bake-offs": [str(each.verdict.story.provenance.get("started", "")) for each in bakeoffs.values()],
        "the checked runs": [str(each.made["started"]) for each in found.values()],
    }
    told = [f"{what} on {days}" for what, moments in runs.items() if moments and (days := days_of(moments))]
    if not told:
        return ""
    began = " and ".join(told).replace(" on ", " were begun on ", 1)
    return (
        f"{start(began)}. The product has changed since the first of the checked runs, most of all in how adapters are trained "
        "and passages are found (the log lists it), so a run today can give other figures than theirs."
    )


def missing(found: Mapping[str, Found]) -> str:
    """Which checked parts were not run."""
    lacking = [part for part in parts() if part.name not in found]
    if not lacking:
        return f"All {len(parts())} parts of the checked runs are done."
    return (
        f"Of the {len(parts())} parts of the checked runs {len(found)} are done. Not run yet: {beneath.named(lacking)}."
    )


def _section(title: str, opens: str, says: str, shown: str, told: str = "") -> str:
    """Without rows in its table it says that it was not run."""
    texts = (opens, says, shown) if _has_rows(shown) else (says, NOT_RUN)
    return "\n\n".join(text.strip() for text in (f"## {title}", *texts, told) if text.strip())


def _more(opens: str, says: str, shown: str) -> str:
    return "\n\n".join(text.strip() for text in (opens, says, shown) if text) if _has_rows(shown) else ""


def _has_rows(shown: str) -> bool:
    return len(shown.splitlines()) > HEAD


# ---------------------------------------------------------------- how it was made


def made(found: Mapping[str, Found]) -> str:
    """Minutes of each part, and by which commits on which machines."""
    kinds = {part.kind: part.says for part in parts() if part.heldout}
    rows = [(task, *(_minutes(found, task, kind) for kind in kinds)) for task in EXAMPLES]
    shown = table(("task", *kinds.values()), rows, range(1, len(kinds) + 1))
    dashes = any(NONE in row for row in rows)
    says = f"How long each part took{' (a dash: not run yet)' if dashes else ''}:"
    return "\n\n".join([says, shown, _made_by(found)]).strip()


def _made_by(found: Mapping[str, Found]) -> str:
    if not found:
        return ""
    commits = dict.fromkeys(told_commit(each.made["commit"]) for each in found.values())
    machines = dict.fromkeys(each.made["machine"].replace(" 1 cores,", " 1 core,") for each in found.values())
    return f"Commits: {', '.join(commits)}. Machines: {'; '.join(machines)}."


def _minutes(found: Mapping[str, Found], task: str, kind: str) -> str:
    done = next((each for each in found.values() if (each.part.task, each.part.kind) == (task, kind)), None)
    if done is None:
        return NONE
    return "unknown" if done.made["seconds"] is None else duration(done.made["seconds"])
