"""The cases of a story as parts of a page: as many as there is room for, each with what its filters go by."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from advisor.contract import Grade, ShownAnswer, ShownCase, ShownCases
from advisor.reports.text import one_line, shortened
from advisor.story.cases import how_many, in_full

if TYPE_CHECKING:
    from markupsafe import Markup

FOLDED_AFTER = 20
"""Without a script so many stand open to view, and the others behind one more fold."""
_LINE = 120
"""Characters of an input in the line that opens its case."""
_WHOLE = 24
"""Characters of a name that is not broken."""
LETTERS: Mapping[Grade, str] = {Grade.RIGHT: "r", Grade.PARTLY: "p", Grade.WRONG: "w"}
NOT_ASKED = "-"


@dataclass(frozen=True, kw_only=True)
class Casebook:
    """What the template lays out."""

    shown: ShownCases
    says: tuple[str, ...]
    first: tuple[Markup, ...]
    rest: tuple[Markup, ...]
    parts: bool
    """There are held-out cases and others."""


def bound(shown: ShownCases, room: int) -> Casebook:
    """The cases as parts of a page that take at most `room` bytes together."""
    pages = []
    for page in _pages(shown):
        room -= len(page.encode("utf-8"))
        if room < 0:
            break
        pages.append(page)
    said = " ".join(filter(None, (how_many(shown, len(pages)), in_full(shown))))
    return Casebook(
        shown=shown,
        says=(*shown.says[:1], *([said] if said else ()), *shown.says[1:]),
        first=tuple(pages[:FOLDED_AFTER]),
        rest=tuple(pages[FOLDED_AFTER:]),
        parts=len({case.heldout for case in shown.cases}) > 1,
    )


def _pages(shown: ShownCases) -> Iterator[Markup]:
    from markupsafe import Markup

    from advisor.reports.html import environment

    template = environment().get_template("case.html")
    places = {label: place for place, label in enumerate(shown.labels)}
    for case in shown.cases:
        yield Markup(
            template.render(
                case=case,
                line=shortened(one_line(case.input.text), _LINE) or "(empty)",
                marks=marks(case, shown.approaches),
                label=places.get(case.label, ""),
                right=sum(answer.grade is Grade.RIGHT for answer in case.answers.values()),
                groups=_groups(case.answers),
            )
        )


def marks(case: ShownCase, approaches: tuple[str, ...]) -> str:
    """A letter for each approach: right, partly right, wrong, or not asked."""
    return "".join(LETTERS[case.answers[name].grade] if name in case.answers else NOT_ASKED for name in approaches)


def _groups(answers: Mapping[str, ShownAnswer]) -> list[tuple[ShownAnswer, list[str]]]:
    """Each answer with those that gave it: right ones first, then what most of them say."""
    found: dict[ShownAnswer, list[str]] = {}
    for name, answer in answers.items():
        found.setdefault(answer, []).append(name.replace(" ", "\u00a0") if len(name) <= _WHOLE else name)
    order = list(LETTERS)
    return sorted(found.items(), key=lambda item: (order.index(item[0].grade), -len(item[1])))
