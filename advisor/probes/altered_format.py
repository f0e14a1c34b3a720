"""What each approach makes of a format that is altered after it was built: a table and a sentence."""

from __future__ import annotations

from collections.abc import Iterator

from advisor.drawn import Table
from advisor.material import Material
from advisor.probes.following import Following, any_known, following, unknown_says
from advisor.wording import NONE, counted, listed, start
from benchmarks.checked import Altered
from benchmarks.statistics.counted import interval


def altered_table(material: Material) -> Table:
    """No rows where it was not asked for, or where the task has labels."""
    found = _found(material)
    rule = next(iter(found.values())).rule if found else ""
    takes = {name: each for name in found if (each := following(material, name).get("altered"))}
    known = any_known(takes.values())
    columns = (
        "approach",
        "answers",
        "follow at once",
        "95 % interval",
        "of these right",
        "follow when fitted again",
        "right then",
    )
    return Table(
        title="The day the format is altered",
        columns=(*columns, "what fitting again takes"),
        rows=tuple(_row(name, each, takes.get(name), known) for name, each in found.items()),
        note=_NOTE.format(rule=rule) + unknown_says(material, takes.values()) if found else "",
        numeric=(1, 2, 3, 4, 5, 6),
    )


_NOTE = (
    "The rule: {rule} At once: nothing was fitted again; what asks a model is told the rule, and what shows or copies examples "
    "has them rewritten by program. Fitted again: with the rewritten examples, nothing being chosen anew."
)


def _row(name: str, found: Altered, needs: Following | None, known: bool) -> tuple[str, ...]:
    at_once = f"{found.at_once:,}" if found.takes else f"{found.at_once:,}, cannot be told"
    takes = NONE if needs is None else needs.told("examples rewritten by program", known)
    share = " to ".join(f"{100 * bound:.0f}" for bound in _interval(found)) + " %"
    again = ["" if count is None else f"{count:,}" for count in (found.again, found.right_again)]
    return (
        name,
        f"{found.cases:,}",
        at_once,
        share,
        f"{found.right_at_once:,}",
        *(text or NONE for text in again),
        takes,
    )


def _interval(found: Altered) -> tuple[float, float]:
    return interval(found.at_once, found.cases, found.by_group)


def the_day_the_format_is_altered(material: Material) -> Iterator[str]:
    """One sentence on who follows at once, and who only when it is fitted again."""
    found = {name: each for name, each in _found(material).items() if each.cases}
    able = {name: each for name, each in found.items() if _interval(each)[0] > 0.5}
    late = [name for name, each in found.items() if each.again and _interval(each)[1] < 0.5 < each.again / each.cases]
    told = []
    if able:
        best = max(able, key=lambda name: (able[name].right_at_once, able[name].at_once))
        each = able[best]
        low, high = _interval(each)
        told.append(
            f"{best} follows at once in {each.at_once:,} of {counted(each.cases, 'answer')} ({100 * low:.0f} to "
            f"{100 * high:.0f} %)"
        )
    if late:
        it, follow = ("it is", "follows") if len(late) == 1 else ("they are", "follow")
        told.append(f"{listed(late)} {follow} only once {it} fitted again with rewritten examples")
    if told:
        yield start(f"when the format of answers is altered, {'; '.join(told)}.")


def _found(material: Material) -> dict[str, Altered]:
    return {
        status.candidate: found
        for status in material.suitable
        if (found := material.evaluations[status.candidate].altered) is not None
    }
