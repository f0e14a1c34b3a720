"""Style rules: the share of written rules that a rewriting keeps, provided that its content survived."""

from __future__ import annotations

import unicodedata
from dataclasses import dataclass
from typing import Any, ClassVar

from benchmarks.contract import ScoreFailure
from benchmarks.metrics._base import Example, OfCases, check_number
from benchmarks.metrics._rules import Rule, read_rules
from benchmarks.metrics._words import best, plain, words
from strategies.contract import Case, Kind

SHORTEST_LIMIT = 4_000
"""Characters that an answer may always have; above it, four times the longest accepted answer."""


@dataclass(frozen=True, kw_only=True)
class StyleRules(OfCases):
    """Share of the rules that the answer keeps, or 0 where its content did not survive.

    Content survives when every entry of `case.metadata["keep"]` stands in the answer (casefolded; a list within it
    gives alternatives, one of which must stand there) and the answer holds at least `minimum_overlap` of the content
    words (four letters or more) of an accepted output. An answer without words, or longer than both 4,000 characters
    and four times the longest accepted output, scores 0.

    `rules` is a list of mappings with `name`, `says` (the rule in words) and exactly one of `must_match`,
    `must_not_match` (regular expressions, searched), `max_words`, `max_sentences`.
    Errors: BadInput for a rule that cannot be used; ScoreFailure where a pattern takes too long, or `keep` is no list.
    """

    name: ClassVar[str] = "style_rules"
    kinds: ClassVar[frozenset[Kind]] = frozenset({"generation"})
    graded: ClassVar[bool] = True

    rules: Any
    minimum_overlap: float = 0.5

    def __post_init__(self) -> None:
        object.__setattr__(self, "rules", read_rules(self.rules))
        check_number(self.name, "minimum_overlap", self.minimum_overlap, 0, 1)

    def score(self, case: Case, text: str) -> float:
        kept = self.kept(text)
        return sum(kept.values()) / len(kept) if self.survives(case, text) else 0.0

    def kept(self, text: str) -> dict[str, bool]:
        """Which rules the text keeps, by name, whatever its content; a text above a million characters keeps none."""
        rules: tuple[Rule, ...] = self.rules
        written = unicodedata.normalize("NFC", text)
        return {rule.name: len(text) <= 1_000_000 and rule.kept(written) for rule in rules}

    def survives(self, case: Case, text: str) -> bool:
        """Whether the content of the case stands in the text, in whatever style."""
        longest = max(len(accepted) for accepted in case.accepted)
        if not words(text) or len(text) > max(SHORTEST_LIMIT, 4 * longest):
            return False
        folded = plain(text)
        if not all(any(plain(form) in folded for form in forms) for forms in _keep(case)):
            return False
        return best(case, lambda accepted: _recall(accepted, text)) >= self.minimum_overlap


def _keep(case: Case) -> list[list[str]]:
    keep = case.metadata.get("keep", [])
    entries: list[Any] = list(keep) if isinstance(keep, list | tuple) else [None]
    forms: list[list[Any]] = [list(entry) if isinstance(entry, list | tuple) else [entry] for entry in entries]
    if not all(isinstance(form, str) for entry in forms for form in entry):
        raise ScoreFailure(f"`keep` of case {case.id} is {keep!r}; write a list of texts, or of lists of alternatives.")
    return forms


def _recall(accepted: str, text: str) -> float:
    wanted = {word for word in words(accepted) if sum(letter.isalpha() for letter in word) >= 4} or set(words(accepted))
    return len(wanted & set(words(text))) / len(wanted) if wanted else 0.0


METRIC = StyleRules
EXAMPLE: Example = (
    {
        "rules": [
            {"name": "clock", "says": "Times are like 09:30.", "must_match": r"\b\d\d:\d\d\b"},
            {"name": "calm", "says": "No exclamation marks.", "must_not_match": "!"},
            {"name": "short", "says": "At most 12 words.", "max_words": 12},
            {"name": "two", "says": "At most two sentences.", "max_sentences": 2},
        ]
    },
    Case(
        id="1",
        input="Heads up!!! the boathouse shuts at 4pm on friday because of the regatta",
        output="Boathouse: Closes at 16:00 on Friday for the regatta.",
        metadata={"keep": ["Boathouse", "16:00", ["Friday", "Fri"]]},
    ),
)
