"""Label probabilities from the likely tokens that a server states for each place of a written answer."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:  # It goes along with an export, where nothing else of ours is (`strategies/standalone/asking.py`).
    from strategies.contract import Completion, Place
    from strategies.prompting.rendering import LabelWords

ALTERNATIVES = 20
"""Likely tokens asked for at each place: as many as hosted servers give."""
AROUND = " .\"'"
SPACED = (
    r"0-9A-Za-z\u00aa\u00b5\u00ba\u00c0-\u00d6\u00d8-\u00f6\u00f8-\u037d\u0386\u0388-\u0559\u0560-\u0588\u1e00-\u1fff"
)
"""Letters and digits of scripts that put spaces between words and nothing onto them (Latin, Greek, Cyrillic, Armenian)."""
HYPHENS = r"_\-\u2010\u2011"
BEGINS = rf"(?<![{SPACED}])(?<![{SPACED}][{HYPHENS}])(?<!-(?=[0-9]))(?<![0-9][.,](?=[0-9]))"
ENDS = rf"(?![{SPACED}])(?![{HYPHENS}][{SPACED}])(?<![0-9](?=[.,][0-9]))"
"""Where a word begins and ends: "non-toxic" is one, and so are "-1" and "1.5"."""


def to_label(text: str, words: LabelWords) -> str:
    """The label that a written answer names; the text itself where it names none, or several."""
    return _Forms.of(words).named(text) or text


def label_shares(completion: Completion, words: LabelWords) -> Mapping[str, float]:
    """Probabilities over the labels that could be told apart, summing to 1; empty where the server stated none.

    The answer is followed token by token. What the model would rather have said at a place counts for the labels that go
    on so, in equal parts where several do; labels of which no likely token was a beginning get 0. A sentence that
    begins no label counts, with all that would follow, for the label that it names. Where it names none, and was likelier
    than all labels together, there are no probabilities.
    """
    if not completion.places:
        return {}
    walk = _Walk(_Forms.of(words))
    for place in completion.places:
        if not walk.step(place):
            break
    named = walk.end(completion.text)
    total = sum(walk.mass.values())
    if total <= 0 or (not named and 1 - total > total):
        return {}
    return {label: walk.mass.get(label, 0.0) / total for label in words.labels}


def moved(shares: Mapping[str, float], added: Mapping[str, float]) -> dict[str, float]:
    """Shares of labels with so much added to their logarithms, summing to 1; labels of which nothing is said get nothing."""
    odds = {label: share * math.exp(added.get(label, 0.0)) for label, share in shares.items()}
    total = sum(odds.values())
    return {label: each / total for label, each in odds.items()} if total > 0 else dict(shares)


def _plain(text: str) -> str:
    """Without underscores, each run of white space one space, nothing before the first word."""
    return " ".join(f"{text}|".replace("_", " ").split())[:-1].lstrip(AROUND)


def _pattern(form: str) -> str:
    """Finds a form that stands as words of their own; within a sentence of a script without spaces, anywhere."""
    said = "[ _]+".join(map(re.escape, form.split(" ")))
    begins, ends = (re.match(f"([{SPACED}])|[-+]", edge) for edge in (form[:1], form[-1:]))
    before = "" if begins is None else BEGINS if begins[1] else f"(?<![{SPACED}])"
    after = "" if ends is None else ENDS if ends[1] else f"(?![{SPACED}])"
    return f"{before}{said}{after}"


@dataclass(frozen=True)
class _Forms:
    """Every way to say a label, in plain form, and the label."""

    labels: Mapping[str, str]
    cased: bool
    """Case counts, since some labels differ by nothing else."""

    @classmethod
    def of(cls, words: LabelWords) -> _Forms:
        pairs = zip(words.labels, words.words, strict=True)
        exact = {_plain(form).strip(AROUND) or form: label for label, word in pairs for form in (label, word)}
        meant: dict[str, set[str]] = {}
        for form, label in exact.items():
            meant.setdefault(form.casefold(), set()).add(label)
        folded = {form: next(iter(labels)) for form, labels in meant.items() if len(labels) == 1}
        cased = len(folded) < len(meant)
        return cls({**folded, **exact} if cased else folded, cased)

    def plain(self, text: str) -> str:
        return self._without_case(_plain(text))

    def whole(self, text: str) -> str:
        """The label that a text is; empty where it is none."""
        return self.labels.get(self.plain(text).strip(AROUND), "")

    def going(self, text: str) -> list[str]:
        """The labels that a text may become."""
        said = self.plain(text)
        return sorted({label for form, label in self.labels.items() if form.startswith(said)})

    def begins(self, text: str, label: str) -> bool:
        """Whether a text is the beginning of this label, or has the label at its beginning."""
        said = self._without_case(" ".join(text.split())).lstrip(AROUND)
        forms = [form for form, meant in self.labels.items() if meant == label]
        return label in self.going(text.rstrip()) or any(re.match(_pattern(form), said) for form in forms)

    def named(self, text: str) -> str:
        """The one label that a text is, else the one that it holds as words of their own; empty where there is none.

        Longer forms are looked for first, and what was found is taken out: "not spam" does not name "spam".
        """
        if label := self.whole(text):
            return label
        plain, rest, found = self.plain(text), self._without_case(" ".join(text.split())), set[str]()
        for form in sorted((form for form in self.labels if form in plain), key=len, reverse=True):
            rest, times = re.subn(_pattern(form), "\n", rest)
            found |= {self.labels[form]} if times else set()
        return found.pop() if len(found) == 1 else ""

    def _without_case(self, text: str) -> str:
        return text if self.cased else text.casefold()


@dataclass
class _Walk:
    """Where the answer stands, how likely it was to get there, and what each label has got so far."""

    forms: _Forms
    said: str = ""
    reached: float = 1.0
    left: list[str] = field(default_factory=list)
    """The labels that the answer may still become."""
    mass: dict[str, float] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.left = self._open("")

    def step(self, place: Place) -> bool:
        """Deals out what was not chosen and goes one token on; False where nothing is left to tell apart."""
        for token, log_probability in place.likely.items():
            labels = self._open(token)
            if token != place.chosen and labels != self.left:
                self._give(labels, self.reached * math.exp(log_probability))
        self.left = self._open(place.chosen)
        self.said += place.chosen
        self.reached *= math.exp(min(0.0, place.likely.get(place.chosen, 0.0)))
        return len(self.left) > 1

    def end(self, text: str) -> bool:
        """Gives what is left to the label that the path leads to, else to the one that the whole text names, if any."""
        alone = self.left[0] if len(self.left) == 1 else ""
        label = alone if alone and self.forms.begins(text, alone) else self.forms.named(text)
        self._give([label] if label else [], self.reached)
        return bool(label)

    def _give(self, labels: Sequence[str], share: float) -> None:
        for label in labels:
            self.mass[label] = self.mass.get(label, 0.0) + share / len(labels)

    def _open(self, token: str) -> list[str]:
        """The labels that the text may become with this token; else the one that it is, with it or without."""
        return self.forms.going(self.said + token) or self._whole(self.said + token) or self._whole(self.said)

    def _whole(self, text: str) -> list[str]:
        label = self.forms.whole(text)
        return [label] if label else []
