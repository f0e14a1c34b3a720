"""The report for people: one page that opens from disk and asks nothing of a network, and says everything without scripts.

One script asks what if the target, the volume or the price were another, and one filters cases where a person asked for
some; the page allows each by its hash.
"""

from __future__ import annotations

import base64
import dataclasses
import hashlib
import re
from collections.abc import Callable, Sequence
from functools import cache, partial
from importlib.resources import files
from typing import TYPE_CHECKING, Any

from advisor.contract import Story
from advisor.reports.drawing import draw
from advisor.reports.forest import draw_forest
from advisor.reports.lines import draw_lines
from advisor.reports.text import RECORDED, cleaned
from advisor.reports.winner_map import draw_map
from benchmarks.contract import State

if TYPE_CHECKING:
    from jinja2 import Environment
    from markupsafe import Markup

SUFFIX = ".html"
_WIDE, _NARROW = 820, 360
"""Widths of the two drawings, in pixels; the page shows the one that fits."""
_GLYPHS = {State.MEETS: "\u2713", State.MISSES: "\u2715", State.UNDECIDED: "?"}
_TONES = {"choose": "meets", "safe but cheaper undecided": "meets", "undecided": "undecided", "nothing meets": "misses"}
LARGEST = 1_500_000
"""Bytes of a page: of the cases to look at, so many are in it as fit."""
FIRST_REASONS, FIRST_CHANGES, FIRST_STEPS = 3, 4, 3
"""Of what stands on the first sheet, so that it is one; the others come further down."""


def render(story: Story) -> str:
    """The whole page as text. Every value is escaped; a name that the template misspells is an error."""
    from markupsafe import Markup

    from advisor.reports.casebook import bound

    safe = cleaned(story)
    asks, filters = _part("what_if.js"), _part("cases.js")
    allowed = [_allowed(asks)] * bool(safe.what_if) + [_allowed(filters)] * bool(safe.cases)
    drawings = {
        figure: {
            name: Markup(drawn(width, f"{figure}-{name}")) for name, width in (("wide", _WIDE), ("narrow", _NARROW))
        }
        for figure, drawn in _figures(safe).items()
    }
    page = partial(
        rendered,
        "report.html",
        story=safe,
        script=Markup(asks),
        filters=Markup(filters),
        cases_style=Markup(_part("cases.css")),
        allowed=" ".join(allowed),
        drawings=drawings,
        **_words(safe),
    )
    if safe.cases is None:
        return page(cases=None)
    room = LARGEST - len(page(cases=bound(safe.cases, 0)).encode())
    return page(cases=bound(safe.cases, room))


def _figures(story: Story) -> dict[str, Callable[[int, str], str]]:
    """How each figure of the story is drawn, by the name of its field: from a width and the start of its ids."""
    found: dict[str, Callable[[int, str], str]] = {
        "picture": lambda width, start: draw(story.picture, width, start, story.choice)
    }
    for name in ("volumes", "learning", "searched"):
        if (lines := getattr(story, name)) is not None:
            found[name] = partial(draw_lines, lines, chosen=story.choice)
    for name in ("apart", "stable"):
        if (forest := getattr(story, name)) is not None:
            found[name] = partial(draw_forest, forest)
    if story.winners is not None:
        found["winners"] = partial(draw_map, story.winners)
    return found


def rendered(template: str, **values: Any) -> str:
    """A template of ours with values that it escapes, in the style of all pages."""
    from markupsafe import Markup

    return environment().get_template(template).render(style=Markup(_part("report.css")), **values)


@cache
def environment() -> Environment:
    """Our templates, with autoescape; a value that a template misspells is an error."""
    from jinja2 import Environment, PackageLoader, StrictUndefined, select_autoescape

    made = Environment(
        loader=PackageLoader("advisor.reports", "templates"),
        autoescape=select_autoescape(default=True, default_for_string=True),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    made.filters |= {"typeset": typeset, "asdict": dataclasses.asdict}
    return made


def _part(name: str) -> str:
    return (files("advisor.reports") / "templates" / name).read_text(encoding="utf-8")


def _allowed(script: str) -> str:
    """The source expression that lets a page run this very script and no other (Content Security Policy, level 2)."""
    return f"'sha256-{base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()}'"


_UNIT = re.compile(r"(?<=\d) (?=(?:%|s|min|h|days?|months?|years?|points?)\b|%)")
_RANGE = re.compile(r"(?<=\()(\d[\d.]*)-(?=\d[\d.]*\))")
_MINUS = re.compile(r"(?<![\w-])-(?=\d)")
_LONGEST_UNBROKEN = 24


def typeset(text: str) -> Markup:
    """A sentence or cell as a page prints it: no break between number and unit or inside a short hyphened word,
    real signs for minus, ranges and comparisons. The words stay as they are; the text is escaped."""
    from markupsafe import Markup, escape

    if text == "-":
        return Markup("\u2013")
    line = text.replace(">= ", "\u2265\u00a0").replace("<= ", "\u2264\u00a0")
    line = _MINUS.sub("\u2212", _RANGE.sub("\\1\u2013", _UNIT.sub("\u00a0", line)))
    return Markup("").join(
        Markup('<span class="whole">{}</span>').format(part) if _whole(part) else escape(part)
        for part in re.split(r"(\s+)", line)
    )


def _whole(word: str) -> bool:
    hyphened = "-" in word.strip("-.,;:") or "\u2013" in word
    return (hyphened and len(word) <= _LONGEST_UNBROKEN) or word.startswith("--")


def _words(story: Story) -> dict[str, Any]:
    """What the template shows that is the same in every story, and what it looks up by a word of the story."""
    return {
        "verdict": story.title,
        "headline": _sentences(story.headline),
        "tone": _TONES.get(story.settled, "other"),
        "recorded": RECORDED if story.recorded else "",
        "leading": story.reasons[:FIRST_REASONS],
        "further": story.reasons[FIRST_REASONS:],
        "changes": _split(story.would_change, FIRST_CHANGES),
        "steps": _split(story.next_steps, FIRST_STEPS),
        "glyphs": {str(state): _GLYPHS.get(state, "\u2013") for state in State},
    }


def _split(items: Sequence[str], first: int) -> tuple[Sequence[str], Sequence[str]]:
    """What stands on the first sheet, and what comes further down: never one alone, which is not worth a section."""
    at = first if len(items) > first + 1 else len(items)
    return items[:at], items[at:]


def _sentences(headline: str) -> tuple[str, str]:
    """The first sentence and what follows it, for two sizes of type; nothing follows where there is only one."""
    first, stop, rest = headline.partition(". ")
    return (first + stop.strip(), rest) if rest else (headline, "")
