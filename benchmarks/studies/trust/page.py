"""The page on trust, written from committed rows: tables, what they say, and what was not run."""

from __future__ import annotations

from collections.abc import Mapping

from advisor.wording import NONE, counted, duration, listed, start
from benchmarks.studies.bakeoff_rows import BakeOff
from benchmarks.studies.dated import days_of
from benchmarks.studies.markdown import table
from benchmarks.studies.settings import SETTINGS, developed, told_commit
from benchmarks.studies.trust import beneath, changes, tables
from benchmarks.studies.trust.lessons import lessons, new
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
    FORGOTTEN,
    GENERAL,
    GROUNDED,
    GUARDED,
    INTRODUCTION,
    LEAKED,
    PLANTED,
    REBUILT,
    SOURCES,
    VARIED,
)

NOT_RUN = "Not run yet."
HEAD = 2
"""Lines of a table without rows."""


def document(found: Mapping[str, Found], bakeoffs: Mapping[str, BakeOff]) -> str:
    """docs/can-it-be-trusted.md."""
    every, asked = tables.of_bakeoffs(bakeoffs), tables.shown(tables.of_parts(found))
    sizes = f"{EXAMPLES['banking77']} examples on banking77 and {EXAMPLES['handbook-qa']} on the others"
    grounded, held = new(asked, every, "grounding"), new(asked, every, "guard")
    blocks = [
        INTRODUCTION,
        "## In short",
        "\n".join(
            f"- {line}" for line in lessons(every, asked, beneath.counted_alike(found), beneath.facts_alike(found))
        ),
        "## What was run",
        SOURCES.format(sizes=sizes, heldout=HELDOUT, sampled=sampled()),
        f"{developed()} {dated(found, bakeoffs)} {missing(found)}",
        _section("The same request, written a little differently", EDITS, tables.edits(every), beneath.steady(every)),
        _more(
            "Of the checked runs, on tasks without a bake-off:",
            tables.edits({task: rows for task, rows in asked.items() if task not in every}),
        ),
        _section(
            "Another prompt, another seed, other neighbours", VARIED, tables.varied(asked), beneath.neighbours(asked)
        ),
        _section("Built again from other examples", REBUILT, tables.rebuilt(asked), beneath.built_again(asked)),
        _section("What tuning costs elsewhere", FORGOTTEN, tables.forgotten(every), tables.not_read(every)),
        _more(CHECKED_FORGOTTEN, tables.forgotten(asked)),
        _more(GENERAL, tables.general_tasks(asked)),
        _section(
            "Where answers stand",
            GROUNDED,
            tables.grounded({**every, **grounded}),
            f"{beneath.of_checks(grounded)}\n\n{beneath.declines(every, asked)}",
        ),
        _section("Facts in the weights", BY_HEART, tables.by_heart(asked), beneath.refusals_taught(found)),
        _section("When it would better say that it does not know", GUARDED, tables.guarded(every)),
        _more("Of the checked runs, on the tasks that these figures lack:", tables.guarded(held)),
        _section("The day facts change", _changed_says(asked), changes.changed(asked)),
        _section("The day labels are added", ADDED, changes.added(asked)),
        _section("The day the format changes", ALTERED, changes.altered(asked), beneath.numbers(found)),
        _section("Instructions that somebody planted", PLANTED, changes.planted(asked), beneath.repeating(found)),
        _more(BY_KIND, changes.planted_by_kind(asked)),
        _section("Cases that stood among the examples", LEAKED, tables.leaked(found)),
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
    told = [f"of {each.task} {each.sample}" for each in SETTINGS if each.sample]
    return f"Of some public sets a part of the published examples was used: {listed(told)}."


def dated(found: Mapping[str, Found], bakeoffs: Mapping[str, BakeOff]) -> str:
    """When both kinds of runs were begun, and that the product has changed since."""
    runs = {
        "the bake-offs": [str(each.verdict.story.provenance.get("started", "")) for each in bakeoffs.values()],
        "the checked runs": [str(each.made["started"]) for each in found.values()],
    }
    told = [f"{what} were begun on {days}" for what, moments in runs.items() if moments and (days := days_of(moments))]
    if not told:
        return ""
    return (
        f"{start(' and '.join(told))}. The product has changed since, most of all in how adapters are trained and passages are "
        "found (the log lists it), so a run today can give other figures."
    )


def missing(found: Mapping[str, Found]) -> str:
    """Which checked parts were not run."""
    lacking = [part for part in parts() if part.name not in found]
    told = f" Not run yet: {beneath.named(lacking)}." if lacking else ""
    return f"Of {counted(len(parts()), 'checked part')} {len(found)} are done.{told}"


def _section(title: str, says: str, shown: str, told: str = "") -> str:
    """Without rows in its table it says that it was not run."""
    rows = shown if _has_rows(shown) else NOT_RUN
    return "\n\n".join(text.strip() for text in (f"## {title}", says, rows, told) if text.strip())


def _more(says: str, shown: str) -> str:
    return f"{says}\n\n{shown}" if _has_rows(shown) else ""


def _has_rows(shown: str) -> bool:
    return len(shown.splitlines()) > HEAD


# ---------------------------------------------------------------- how it was made


def made(found: Mapping[str, Found]) -> str:
    """Minutes of each part, and by which commits on which machines."""
    kinds = {part.kind: part.says for part in parts() if part.heldout}
    rows = [(task, *(_minutes(found, task, kind) for kind in kinds)) for task in EXAMPLES]
    shown = table(("task", *kinds.values()), rows, range(1, len(kinds) + 1))
    return "\n\n".join([shown, "A dash: not run yet.", _made_by(found)]).strip()


def _made_by(found: Mapping[str, Found]) -> str:
    if not found:
        return ""
    commits = dict.fromkeys(told_commit(each.made["commit"]) for each in found.values())
    machines = dict.fromkeys(each.made["machine"].replace(" 1 cores,", " 1 core,") for each in found.values())
    return f"By the commits {listed(list(commits))}, on {listed(list(machines))}."


def _minutes(found: Mapping[str, Found], task: str, kind: str) -> str:
    done = next((each for each in found.values() if (each.part.task, each.part.kind) == (task, kind)), None)
    if done is None:
        return NONE
    return "unknown" if done.made["seconds"] is None else duration(done.made["seconds"])
