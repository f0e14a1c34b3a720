"""Rules of style that a program can check, read from what a person wrote in the spec."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from functools import lru_cache
from typing import Any

import regex

from benchmarks.contract import BadInput, ScoreFailure
from strategies.words import count

CHECKS = ("must_match", "must_not_match", "max_words", "max_sentences")
KEYS = ("name", "says", *CHECKS)
MAX_PATTERN = 2_000
SECONDS = 1.0
"""How long one pattern may look at one answer; an ordinary pattern takes less than a millisecond."""


@dataclass(frozen=True, kw_only=True)
class Rule:
    """One rule: exactly one check, with its value."""

    name: str
    says: str
    check: str
    value: str | int

    def kept(self, text: str) -> bool:
        """Whether the text keeps the rule. Errors: ScoreFailure where the pattern takes too long."""
        if self.check == "max_words":
            return count(text) <= int(self.value)
        if self.check == "max_sentences":
            return _sentences(text) <= int(self.value)
        try:
            found = compiled(str(self.value)).search(text, timeout=SECONDS) is not None
        except TimeoutError:
            raise ScoreFailure(
                f"The pattern of the rule `{self.name}` took more than {SECONDS:g} s on an answer of {len(text)} "
                "characters. Write it without repeats inside repeats."
            ) from None
        return found == (self.check == "must_match")


def read_rules(given: Any) -> tuple[Rule, ...]:
    """The rules of a spec. Errors: BadInput that names the rule and what to write."""
    if not isinstance(given, list | tuple) or not given:
        raise BadInput("The metric style_rules needs `rules`: a list of rules with name, says and one check.")
    rules = tuple(_read_rule(position, rule) for position, rule in enumerate(given, start=1))
    names = [rule.name for rule in rules]
    for name in names:
        if names.count(name) > 1:
            raise BadInput(f"Two rules of style_rules are named `{name}`. Give each rule a name of its own.")
    return rules


def _read_rule(position: int, given: Any) -> Rule:
    if isinstance(given, Rule):
        return given
    where = f"Rule {position} of style_rules"
    if not isinstance(given, Mapping):
        raise BadInput(f"{where} is {given!r}; write a mapping with name, says and one of {', '.join(CHECKS)}.")
    if set(given) == {"name", "says", "check", "value"} and given["check"] in CHECKS:  # as a stored run holds it
        given = {"name": given["name"], "says": given["says"], given["check"]: given["value"]}
    for key in given:
        if key not in KEYS:
            close = get_close_matches(str(key), KEYS, n=1, cutoff=0.0)[0]
            raise BadInput(f"{where} has the key `{key}`. The nearest is `{close}`. Allowed: {', '.join(KEYS)}.")
    for key in ("name", "says"):
        if not isinstance(given.get(key), str) or not given[key].strip():
            raise BadInput(f"{where} needs `{key}`, a text that is not empty.")
    checks = [check for check in CHECKS if check in given]
    if len(checks) != 1:
        raise BadInput(f"{where} has {len(checks)} checks; it needs exactly one of {', '.join(CHECKS)}.")
    value = _read_value(where, checks[0], given[checks[0]])
    return Rule(name=given["name"], says=given["says"], check=checks[0], value=value)


def _read_value(where: str, check: str, value: Any) -> str | int:
    if check.startswith("max_"):
        if isinstance(value, bool) or not isinstance(value, int) or value < 1:
            raise BadInput(f"{where}: `{check}` is {value!r}; write a whole number of at least 1.")
        return value
    if not isinstance(value, str) or not value:
        raise BadInput(f"{where}: `{check}` is {value!r}; write a regular expression in quotes.")
    if len(value) > MAX_PATTERN:
        raise BadInput(f"{where}: the pattern has {len(value)} characters; allowed are {MAX_PATTERN}. Split the rule.")
    try:
        compiled(value)
    except regex.error as error:
        raise BadInput(f"{where}: `{value}` is not a regular expression: {error}. Correct the pattern.") from None
    return value


@lru_cache(maxsize=512)
def compiled(pattern: str) -> regex.Pattern[str]:
    """A person's pattern, to be searched with a limit on time. Errors: `regex.error`."""
    return regex.compile(pattern)


_TITLES = r"\p{Lu}|e\.g|i\.e|z\.B|d\.h|u\.a|Dr|Mr|Mrs|Ms|Prof|St|Mt|vs|approx|ca|bzw"
"""Before a name or a word of any kind; initials are among them."""
_SHORT = r"\p{Ll}|etc|usw|Inc|Ltd|Co|Jr|Sr|No|Nr|Fig|pp"
"""These end a sentence where a capital letter follows, as after `4 p.m.`."""
_END = regex.compile(
    rf"""[.!?\u2026]++(?<!\b(?:{_TITLES})\.)(?!(?<=\b(?:{_SHORT})\.)\s+[^\s\p{{Lu}}])(?=[\s"')\u201d\u2019]|\Z)"""
    r"|[\u3002\uff01\uff1f\uff61\u0964\u06d4\u061f]+"
)


def _sentences(text: str) -> int:
    return sum(1 for part in _END.split(text) if regex.search(r"\w", part))
