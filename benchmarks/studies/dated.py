"""Which rows of the studies are from before changes after which they might be others, by when they were begun."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TypeVar

from advisor.wording import listed

Name = TypeVar("Name")
ALL = "All rows are"


@dataclass(frozen=True, kw_only=True)
class Change:
    """What was changed in what approaches do, and from which moment on runs have it (UTC, as runs note when they began)."""

    since: str
    what: str


FIXES = Change(since="2026-11-30 00:00 UTC", what="the fixes of 29 November 2026")
"""How documents are split into passages, which inputs count as the same, training with examples in the prompt."""
CHANGES = Change(since="2026-12-01 00:00 UTC", what="the changes of 30 November 2026")
"""How the recipe of LoRA is chosen and its weights are averaged, training where the search misses the passage, passages that
end at headings, five and eight passages, sixteen examples, where strings and lists of JSON end."""
LATER = Change(since="2026-12-01 08:25 UTC", what="the changes of 1 December 2026")
"""The order of the nearest examples, searched examples where there are folds, the way to search where no passage is known to be
right, how sure a linear head is of an object, smoothed labels, recipes that only validation tells apart, by
what labels are weighed."""
LATEST = Change(since="2026-12-01 23:30 UTC", what="the changes of the evening of 1 December 2026")
"""Whether a tuned model that looks things up writes answers or reads them off, lessons without the right passage, which of
documents with dates are versions, refusals of hosted models, end tokens, texts in other forms of Unicode, short documents shown
whole, the way to search, calibration by inputs without content."""

NEWEST = Change(since="2026-12-02 09:57 UTC", what="the changes of 2 December 2026")
"""What a beginning that prompts share costs the budget of a search, how many answers are written side by side, where a turn ends
whose sign is named among the added tokens alone, in which order approaches are tested."""
LAST = Change(since="2026-12-02 16:56 UTC", what="the change of the evening of 2 December 2026")
"""Which of several prompts goes on whose written answers score alike."""


def is_before(change: Change, began: str) -> bool:
    """Whether a run that began then (`2026-11-30 15:59 UTC`; empty: unknown) lacks the change."""
    return began < change.since


def from_before(began: Mapping[Name, str], named: Callable[[Sequence[Name]], str]) -> str:
    """Sentences on when rows were measured and which are from before what, where one is from before anything; `began` says of
    each when it was begun, `named` how several are called."""
    told: dict[str, list[str]] = {}
    for change in (FIXES, CHANGES, LATER, LATEST, NEWEST, LAST):
        older = [name for name, moment in began.items() if is_before(change, moment)]
        if older:
            told.setdefault(_which(older, list(began), named), []).append(change.what)
    if not told:
        return ""
    since = "a run today can give other figures; the log lists the changes."
    if list(told) == [ALL]:
        days = days_of(began.values())
        changed = "The program has changed since"
        measured = (
            f"These figures were measured on {days}. {changed}" if days else f"{changed} these figures were measured"
        )
        return f"{measured}, so {since}"
    sentences = [f"{which} from before {listed(what)}." for which, what in told.items()]
    return f"{' '.join(sentences)} There {since}"


def days_of(began: Iterable[str]) -> str:
    """`26 to 28 November 2026`; empty where one of them is not known."""
    moments = sorted(began)
    if not moments[0]:
        return ""
    first, last = (datetime.strptime(moment[:10], "%Y-%m-%d") for moment in (moments[0], moments[-1]))
    end = f"{last.day} {last:%B %Y}"
    if first == last:
        return end
    months = "" if (first.year, first.month) == (last.year, last.month) else f" {first:%B}"
    years = "" if first.year == last.year else f" {first.year}"
    return f"{first.day}{months}{years} to {end}"


def _which(older: Sequence[Name], every: Iterable[Name], named: Callable[[Sequence[Name]], str]) -> str:
    newer = [name for name in every if name not in older]
    if not newer:
        return ALL
    if len(newer) > len(older):
        return f"The rows of {named(older)} are"
    return f"All rows but those of {named(newer)} are"
