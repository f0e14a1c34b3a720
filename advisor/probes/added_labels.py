"""What each approach makes of labels that are added after it was built: a table and a sentence."""

from __future__ import annotations

from collections.abc import Iterator

from advisor.drawn import Table
from advisor.material import Material
from advisor.probes.following import Following, any_known, following, unknown_says
from advisor.wording import NONE, counted, listed, start
from benchmarks.checked import Added
from benchmarks.statistics.counted import interval


def added_table(material: Material) -> Table | None:
    """None where it was not asked for, or where the task has no labels."""
    found = _found(material)
    if not found:
        return None
    takes = {name: following(material, name)["added"] for name in found}
    known = any_known(takes.values())
    rows = tuple(_row(name, each, _takes(each, takes[name], known)) for name, each in found.items())
    first = next(iter(found.values()))
    columns = ("approach", "cases", "right at once", "95 % interval", "right when fitted again", "other labels")
    return Table(
        title=f"The day {counted(len(first.labels), 'label')} {'is' if len(first.labels) == 1 else 'are'} added",
        columns=(*columns, "what fitting again takes"),
        rows=rows,
        note=_NOTE.format(labels=listed(first.labels), examples=counted(first.examples, "example"))
        + unknown_says(material, takes.values()),
        numeric=(1, 2, 3, 4, 5),
    )


_NOTE = (
    "Each approach was built without {labels} and then given them with {examples}. At once: nothing was fitted again; what "
    "looks examples up finds the new ones, and what chooses among a list of labels has them on it. Other labels: how many of "
    "their cases were right before, and after. Fitted again: the answers of the run itself. Nothing was chosen anew."
)


def _row(name: str, found: Added, takes: str) -> tuple[str, ...]:
    at_once = f"{found.at_once:,}" if found.takes else f"{found.at_once:,}, cannot be given any"
    others = f"{found.before:,} to {found.after:,} of {found.others:,}" if found.takes else NONE
    share = " to ".join(f"{100 * bound:.0f}" for bound in _interval(found)) + " %"
    return (name, f"{found.cases:,}", at_once, share, f"{found.refitted:,}", others, takes)


def _takes(found: Added, each: Following, known: bool) -> str:
    examples = counted(each.examples, "new example")
    if found.seconds is None:
        return f"{examples}, of which nothing is built"
    return each.told(examples, known)


def _interval(found: Added) -> tuple[float, float]:
    return interval(found.at_once, found.cases, found.by_group)


def the_day_labels_are_added(material: Material) -> Iterator[str]:
    """One sentence on who uses new labels at once, and who has to be fitted again."""
    found = {name: each for name, each in _found(material).items() if each.cases}
    able = {name: each for name, each in found.items() if each.at_once}
    unable = [name for name, each in found.items() if not each.at_once and each.refitted]
    told = []
    if able:
        best = max(able, key=lambda name: able[name].at_once)
        each = able[best]
        low, high = _interval(each)
        told.append(
            f"{best} at once answers {each.at_once:,} of the {counted(each.cases, 'case')} with the new ones correctly "
            f"({100 * low:.0f} to {100 * high:.0f} %), and {each.refitted:,} when it is fitted again"
        )
    if unable:
        it, answers = ("it is", "answers") if len(unable) == 1 else ("they are", "answer")
        told.append(f"{listed(unable)} {answers} none of {'them' if able else 'the new cases'} until {it} fitted again")
    if told:
        yield start(f"when labels are added, {'; '.join(told)}.")


def _found(material: Material) -> dict[str, Added]:
    return {
        status.candidate: found
        for status in material.suitable
        if (found := material.evaluations[status.candidate].added) is not None and found.cases
    }
