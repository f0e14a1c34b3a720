"""speed.md and speed.json: a pure function of the rows, with no model and no clock."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from typing import Any

from benchmarks.studies.markdown import table as markdown
from benchmarks.studies.speed import growth, startup, whole
from benchmarks.studies.speed.measures import Figure, Measure, figures, ratio
from benchmarks.studies.speed.replay import BATCH, EVERY
from benchmarks.studies.speed.tables import HERE, TABLES, Table

MISSING = "not measured yet"
WHOLE_GOAL = 4.0


def document(rows: Sequence[Measure]) -> str:
    parts = [
        "# Speed",
        "Rates are medians, with the lowest and the highest turn behind them; contenders take turns on one machine in one "
        "session. A ratio says how many times as quick this product is. Written by "
        "`python -m benchmarks.studies.speed table` from `rows/speed.jsonl` and nothing else; what was tried on the way "
        "stands in `LOG.md`.",
    ]
    parts += [_section(each, rows) for each in TABLES]
    return "\n\n".join([*parts, _whole(rows), _growth(rows), _startup(rows)]) + "\n"


def _section(each: Table, rows: Sequence[Measure]) -> str:
    lines = []
    made: list[Measure] = []
    for task in each.tasks:
        found = figures(rows, each.name, task)
        made += [figure.last for figure in found.values()]
        lines += [_line(each, task, found, who.name) for who in each.contenders]
    head = ("task", "who", f"{each.unit} a second", "lowest to highest", "ours against it", "asked", "work of a turn")
    goals = markdown(head, lines, numeric=(2, 4, 5))
    return "\n\n".join([f"## {each.says}", *each.notes, goals, *_where(made)])


def _line(each: Table, task: str, found: Mapping[str, Figure], who: str) -> tuple[str, ...]:
    figure, times, goal = found.get(who), ratio(found, HERE, who), each.goals.get(who)
    asked = f"{goal:g}x" if goal is not None else ""
    if figure is None:
        return (task, who, MISSING, "", "", asked, "")
    against = "" if who == HERE or times is None else f"{_digits(times)}x"
    spread = f"{_digits(min(figure.rates))} to {_digits(max(figure.rates))}"
    return (task, who, _digits(figure.median), spread, against, asked, f"{figure.last.amount:,.0f} {each.unit}")


def _digits(value: float) -> str:
    """Three digits that mean something, whether a contender does thousands a second or one in a minute."""
    return f"{value:,.0f}" if value >= 99.95 else f"{value:#.3g}"


def _where(made: Sequence[Measure]) -> list[str]:
    """On which machine and by which code; settings that the peers chose."""
    if not made:
        return []
    says = {f"Measured {row.session} at commit {row.commit or 'unknown'}: {row.machine}." for row in made}
    settings = {
        f"- {row.who}, {row.task}: {_plain(row.extra['settings'])}" for row in made if row.extra.get("settings")
    }
    return ["\n".join(sorted(says)), "\n".join(sorted(settings))] if settings else ["\n".join(sorted(says))]


def _plain(settings: Any) -> str:
    return json.dumps(settings, ensure_ascii=False).replace("|", "/")


def _whole(rows: Sequence[Measure]) -> str:
    found = figures(rows, whole.TABLE, whole.TASK)
    own = found.get(whole.OURS)
    arms = own.last.extra.get("arms", ()) if own else ()
    lines = []
    for who in (whole.OURS, whole.PLAIN, whole.LOOPED):
        seconds = found[who].last.seconds if who in found else None
        times = f"{_digits(seconds / own.last.seconds)}x" if seconds and own and who != whole.OURS else ""
        lines.append((who, f"{seconds:,.0f}" if seconds else MISSING, times))
    says = (
        f"{whole.TASK}, {whole.EXAMPLES} examples, {whole.HELDOUT} held-out cases, quick effort. The plain tools get every "
        f"call that ours made: `generate` in batches of {BATCH} and a plain peft loop. Ours scores all labels of a case. "
        "A label that is written freely is less (it is held to no list and has no probability); the loop does the same as "
        f"ours, and is timed on every {EVERY}th of these prompts. Asked: {WHOLE_GOAL:g}x."
    )
    if arms:
        says += f" Arms: {', '.join(arms)}."
    made = [figure.last for figure in found.values()]
    return "\n\n".join(
        [
            "## A whole bake-off",
            says,
            markdown(("who", "seconds", "ours against it"), lines, (1, 2)),
            *_kinds(made),
            *_where(made),
        ]
    )


def _kinds(made: Sequence[Measure]) -> list[str]:
    """Where the seconds went, by what the model was asked."""
    kinds: Mapping[str, Mapping[str, float]] = made[0].extra.get("seconds in the model", {}) if made else {}
    contenders = (whole.OURS, whole.PLAIN, whole.LOOPED)
    cells = [(kind, *(f"{spent.get(who, math.nan):,.0f}" for who in contenders)) for kind, spent in kinds.items()]
    return [markdown(("seconds in the model", *contenders), cells, (1, 2, 3))] if cells else []


def _growth(rows: Sequence[Measure]) -> str:
    parts = ["## Growth", "Our own seconds by size. A slope of 1 is linear; less is less than linear."]
    for part in growth.parts():
        found = figures(rows, growth.TABLE, part.name)
        if not found:
            parts.append(f"{part.name}: {MISSING}")
            continue
        seconds = {size: _seconds(found[str(size)]) for size in part.sizes if str(size) in found}
        cells = [(f"{size:,}", f"{value:.2f}") for size, value in seconds.items()]
        steepness = growth.slope(list(seconds), list(seconds.values())) if len(seconds) > 1 else float("nan")
        parts += [markdown((part.name, "seconds"), cells, (0, 1)), f"Slope: {steepness:.2f}"]
        parts += _where([figure.last for figure in found.values()][:1])
    return "\n\n".join(parts)


def _startup(rows: Sequence[Measure]) -> str:
    found = figures(rows, startup.TABLE, startup.TASK)
    lines = [
        (name, f"{_seconds(found[name]):.2f}" if name in found else MISSING, f"{goal:g}")
        for name, goal in startup.GOALS.items()
    ]
    made = [figure.last for figure in found.values()][:1]
    return "\n\n".join(["## Start-up", markdown(("command", "seconds", "asked"), lines, (1, 2)), *_where(made)])


def _seconds(figure: Figure) -> float:
    return sorted(row.seconds for row in figure.measures)[len(figure.measures) // 2]


def numbers(rows: Sequence[Measure]) -> str:
    """The figures of every table as JSON: rates by turn, and the ratio to each peer."""
    told = {}
    for each in TABLES:
        for task in each.tasks:
            found = figures(rows, each.name, task)
            told[f"{each.name}/{task}"] = {
                who: {
                    "unit": f"{each.unit}/s",
                    "median": figure.median,
                    "turns": figure.rates,
                    "ours against it": ratio(found, HERE, who),
                    "asked": each.goals.get(who),
                    "session": figure.last.session,
                    "machine": figure.last.machine,
                    "commit": figure.last.commit,
                }
                for who, figure in found.items()
            }
    others = ((whole.TABLE, whole.TASK), (startup.TABLE, startup.TASK))
    for name, task in (*others, *((growth.TABLE, part.name) for part in growth.parts())):
        found = figures(rows, name, task)
        told[f"{name}/{task}"] = {
            who: {"seconds": [row.seconds for row in figure.measures]} for who, figure in found.items()
        }
    return json.dumps(told, indent=1, ensure_ascii=False) + "\n"
