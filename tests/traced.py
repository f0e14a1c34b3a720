"""Numbers in sentences, and whether each is written in the facts of a story or in what `--explain` says."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from advisor.contract import Story, Verdict
from advisor.drawn import Forest, LineChart, Table, WinnerMap
from advisor.figures.volumes import whole
from advisor.story.explain import premises
from advisor.story.origins import origins
from advisor.wording import (
    SECONDS,
    TOKENS,
    ceil_percent,
    digits,
    duration,
    floor_percent,
    money,
    percent,
    plain_percent,
    plain_points,
    points,
    rounded_up,
)

EXEMPT: Mapping[str, tuple[str, ...]] = {
    "a day": (r"\d{4}-\d\d-\d\d",),
    "the name of the cases, which is a hash": (r"fingerprint \w+",),
    "the name of a metric, a column or a number of draws": (r"\bF1\b", r"pass\^\d+", r"95 % no longer than the second"),
    "what a person may type": (r"`[^`]*`", r"\(0\.9 for 90 %\)", r"a margin \(0\.05\) if coming within 5 points"),
    "the level of every bound and interval": (r"\b95 % (?:confidence|intervals?)", r"at 95 %", r"own 95 %"),
    "the chance of an error that a run may make": (r"is at most 5 %; the same holds",),
    "how far timings are taken to vary": (r"to within 15 %", r"vary by 15 %"),
    "what guessing reaches": (r"50 % by guessing", r"50 % is chance"),
    "a chance that the method sets": (
        r"19 of 20 trainings",
        r"4 times in 5",
        r"in 4 of 5 runs",
        r"about 8 in 10 held",
    ),
    "what a person wrote before the run": (r'The reason given for that prediction: ".*"',),
    "how something is counted in every run": (
        r"In steps of 5 %",
        r"another 80 % of the examples",
        r"they take 3 rebuilds",
        r"1 for always",
        r"0 for no more",
        r"0 where nothing moved",
        r"stays at 1\.",
        r"lose few right answers, 5 %",
    ),
    "how many names are left out of a list, which a table has": (r"\b\d+ others",),
}
"""Numbers that are no result of a run: why, and how they are written."""

_NUMBER = re.compile(
    r"(?P<about>[Aa]bout )?(?P<currency>[A-Z]{3} )?"
    r"(?<![A-Za-z\d.,_^])(?<![A-Za-z]-)(?P<number>(?:\d{1,3}(?:,\d{3})+|\d+)(?:\.\d+)?)"
    r"(?P<many> million| billion)?(?P<to_about> to about)?"
    r"(?:(?: to |-)[\d.,]+(?= ))?(?P<unit> (?:%|points?|s|min|h|days)(?!\w))?(?P<closes>\))?"
)
_BOUND = re.compile(r"(?:at most|at least) $")
_SPREAD = re.compile(r"points up or down \(~ (?:\d[\d.]* to )?$")
_BOUNDS = ("lower", "upper", "low", "high", "interval", "same_at_most", "spread", "most")
_NAMES = ("task", "verdict", "choice")
"""Fields of a story that hold one word or name."""
_NEVER_TOLD = ("tried", "provenance", "p_value")
"""Facts of which no sentence speaks."""
_NAMING = ("candidate", "name", "first", "second", "dearer", "cheaper", "prompt", "tuned", "safe")


@dataclass(frozen=True)
class Number:
    """As it is written, and what it is a number of: `money`, `time`, `percent`, `points`, `about` or `number`."""

    kind: str
    text: str


def sentences(story: Story) -> Iterator[str]:
    """All that a story says in words: sentences, titles of figures, notes below tables."""
    for field, shown in vars(story).items():
        if isinstance(shown, str) and field not in _NAMES:
            yield shown
        if isinstance(shown, tuple):
            yield from (sentence for sentence in shown if isinstance(sentence, str))
        if isinstance(shown, LineChart | Forest | WinnerMap):
            yield shown.title
        table = shown if isinstance(shown, Table) else getattr(shown, "table", None)
        if isinstance(table, Table):
            yield table.note


def numbers(sentence: str, names: Iterable[str] = ()) -> list[Number]:
    """Those in it that a run brought: not in names, and none of the exempt ones."""
    for name in sorted(names, key=len, reverse=True):
        if any(character.isdigit() for character in name):
            sentence = re.sub(re.escape(name), "~", sentence, flags=re.IGNORECASE)
    for pattern in (each for patterns in EXEMPT.values() for each in patterns):
        sentence = re.sub(pattern, "~", sentence)
    return [_number(match, sentence[: match.start()]) for match in _NUMBER.finditer(sentence)]


def _number(match: re.Match[str], before: str) -> Number:
    text, unit = match["number"], (match["unit"] or "").strip()
    about = "about " if match["about"] or match["to_about"] else ""
    if match["currency"]:
        return Number(f"{about}money", f"{match['currency']}{text}")
    if unit in ("s", "min", "h", "days"):
        return Number(f"{about}time", f"{text} {unit}")
    if unit == "%" or (match["closes"] and _BOUND.search(before)):
        return Number("percent", text)
    if unit or _SPREAD.search(before):
        return Number("points", text)
    return Number(f"{about}number", f"{text}{match['many'] or ''}")


# ---------------------------------------------------------------- where they may stand


class Written:
    """Every number that the facts of a verdict and `--explain` hold, in every way in which it may be written."""

    def __init__(self, verdict: Verdict) -> None:
        self.verdict = verdict
        facts = verdict.story.facts
        named = {each[key] for each in facts["candidates"] for key in ("name", "model", "family")}
        self._names = {*named, facts["machine"]}
        """In which there may be digits."""
        self._lines = [*premises(verdict), *(line for lines in origins(facts).values() for line in lines)]
        self._known: dict[frozenset[str], set[Number]] = {}

    def untraced(self, sentence: str) -> list[Number]:
        """Numbers of the sentence that are not among those; a sentence on some candidates is not traced to others."""
        if sentence in self.verdict.story.facts["notes"]:
            return []
        found = numbers(sentence, self._names)
        return [number for number in found if number not in self._beside(self._unspoken(sentence))] if found else []

    def numbers(self, sentence: str) -> list[Number]:
        return numbers(sentence, self._names)

    def _unspoken(self, sentence: str) -> frozenset[str]:
        """Candidates that a sentence does not speak of: neither by name, nor as the one that the story is about."""
        told = self.verdict.recommendation
        named = told.choice or told.safe or told.best
        others = (each.candidate for each in told.statuses if each.candidate != named)
        return frozenset(each for each in others if each.casefold() not in sentence.casefold())

    def _beside(self, unspoken: frozenset[str]) -> set[Number]:
        """What is written without what is only said of these."""
        if unspoken not in self._known:
            facts = self.verdict.story.facts
            found = set(_of_value(facts, (), (unspoken, facts["target"] or facts["margin"])))
            for line in self._lines:
                if not any(each.casefold() in line.casefold() for each in unspoken):
                    found |= set(_of_line(line, self._names))
            self._known[unspoken] = found
        return self._known[unspoken]


Beside = tuple[frozenset[str], float | None]
"""Candidates that are not meant, and the target or margin on whose side a rounded bound has to stay."""


def _of_value(value: Any, path: tuple[str, ...], beside: Beside) -> Iterator[Number]:
    """Every way in which a number among the facts may be written."""
    if isinstance(value, Mapping):
        named = [value[key] for key in _NAMING if isinstance(value.get(key), str)]
        if named and (set(named) <= beside[0] or (path[-1:] == ("candidates",) and set(named) & beside[0])):
            return
        if "unit" in value:
            yield from _of_amounts(value)
        for key, each in value.items():
            if key.isdigit():
                yield Number("number", f"{int(key):,}")
            if key not in _NEVER_TOLD:
                yield from _of_value(each, (*path, key), beside)
    elif isinstance(value, list | tuple):
        for each in value:
            yield from _of_value(each, path, beside)
    elif isinstance(value, int) and not isinstance(value, bool):
        yield Number("number", f"{value:,}")
        yield Number("about number", f"{rounded_up(value):,}")
    elif isinstance(value, float):
        yield from _of_float(value, path[-1] if path else "", beside[1])


def _of_amounts(found: Mapping[str, Any]) -> Iterator[Number]:
    """Costs, and what a price, a volume or a pace is and would be."""
    unit = found["unit"]
    for value in (found.get(key) for key in ("value", "low", "high", "now", "at")):
        if value is None:
            continue
        roughly = float(f"{value:.2g}")
        if unit == SECONDS:
            yield Number("time", duration(value))
            yield Number("about time", duration(roughly))
        elif unit == "months":
            yield Number("number", digits(value))
            yield Number("time", f"{round(value * 30.4)} days")
        elif unit == "requests a month":
            yield Number("about number", f"{roughly:,.0f}")
        elif unit.startswith(TOKENS):
            yield Number("number", digits(value))
        else:
            yield Number("money", f"{unit} {money(value)}")
            yield Number("about money", f"{unit} {money(roughly)}")
            yield Number("number", money(value))


def _of_float(value: float, key: str, goal: float | None) -> Iterator[Number]:
    if key.endswith("seconds") or (key.endswith("_s") and "per" not in key):
        yield Number("time", duration(value))
        return
    yield from (Number("number", text) for text in (digits(value), f"{value:g}", f"{value:.2f}"))
    if abs(value) <= 1:
        yield from _of_share(value, key in _BOUNDS, goal)
    elif value > 0:
        yield Number("about number", f"{rounded_up(round(value)):,}")
        yield Number("about number", whole(value))
        yield Number("number", money(value))


def _of_share(value: float, bound: bool, goal: float | None) -> Iterator[Number]:
    for text in (percent(value), plain_percent(value), percent(abs(value))):
        yield Number("percent", text.split()[0])
    size = abs(value)
    shown = (
        points(value).split()[0].lstrip("+-"),
        plain_points(size).split()[0],
        digits(100 * size),
        f"{round(100 * size)}",
    )
    yield from (Number("points", text) for text in shown)
    if bound:
        for towards in (None, goal):
            for text in (floor_percent(size, towards), ceil_percent(size, towards)):
                yield Number("percent", text)
                yield Number("points", text)


def _of_line(line: str, names: Iterable[str]) -> Iterator[Number]:
    """What a line of `--explain` says, shares as percents too."""
    for number in numbers(line, names):
        yield number
        if number.kind == "number" and "." in number.text:
            yield from _of_float(float(number.text.replace(",", "")), "", None)
