"""Label probabilities from the likely tokens that a server states for each place of a written answer."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:  # It goes along with an export, where nothing else of ours is (`strategies/asking.py`).
    from strategies.contract import Completion, Place
    from strategies.prompting.rendering import LabelWords

ALTERNATIVES = 20
"""Likely tokens asked for at each place: as many as hosted servers give."""
AROUND = " .\"'"


def to_label(text: str, words: LabelWords) -> str:
    """The label that a written answer names; the text itself where it names none, or several."""
    named = _named(text, _forms(words))
    return named or text


def label_shares(completion: Completion, words: LabelWords) -> Mapping[str, float]:
    """Probabilities over the labels that could be told apart, summing to 1; empty where the server stated none.

    The answer is followed token by token. What the model would rather have said at a place counts for the labels that go
    on so, in equal parts where several do; labels of which no likely token was a beginning get 0. A sentence that
    begins no label counts, with all that would follow, for the label that it names.
    """
    if not completion.places:
        return {}
    walk = _Walk(_forms(words))
    for place in completion.places:
        if not walk.step(place):
            break
    walk.end(completion.text)
    total = sum(walk.mass.values())
    return {label: walk.mass.get(label, 0.0) / total for label in words.labels} if total > 0 else {}


def _forms(words: LabelWords) -> Mapping[str, str]:
    """Every way to say a label, in plain form, and the label."""
    pairs = zip(words.labels, words.words, strict=True)
    return {_plain(form).strip(AROUND) or form: label for label, word in pairs for form in (label, word)}


def _plain(text: str) -> str:
    """Without case and underscores, each run of white space one space, nothing before the first word."""
    return " ".join(f"{text}|".replace("_", " ").split())[:-1].lstrip(AROUND).casefold()


def _named(text: str, forms: Mapping[str, str]) -> str:
    """The one label that a text is, else the one that it holds; empty where there is none."""
    said = _plain(text).strip(AROUND)
    if said in forms:
        return forms[said]
    found = {label for form, label in forms.items() if form in said}
    return found.pop() if len(found) == 1 else ""


@dataclass
class _Walk:
    """Where the answer stands, how likely it was to get there, and what each label has got so far."""

    forms: Mapping[str, str]
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

    def end(self, text: str) -> None:
        """Gives what is left to the label that the path leads to, else to the one that the whole text names."""
        label = self.left[0] if len(self.left) == 1 else _named(text, self.forms)
        self._give([label] if label else [], self.reached)

    def _give(self, labels: Sequence[str], share: float) -> None:
        for label in labels:
            self.mass[label] = self.mass.get(label, 0.0) + share / len(labels)

    def _open(self, token: str) -> list[str]:
        """The labels that the text may become with this token; else the one that it is, with it or without."""
        plain = _plain(self.said + token)
        going = {label for form, label in self.forms.items() if form.startswith(plain)}
        return sorted(going) or self._whole(self.said + token) or self._whole(self.said)

    def _whole(self, text: str) -> list[str]:
        label = self.forms.get(_plain(text).strip(AROUND))
        return [label] if label else []
