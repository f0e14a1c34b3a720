"""Keeps a request within what the model can read: what is left out of it first, and which labels a long list is cut to."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from strategies.answers import answer_limit
from strategies.contract import Case, Estimates, Evidence, LanguageModel, Message, Prompt, Task
from strategies.prompting.demonstrations import Shown
from strategies.prompting.rendering import Renderer

LISTED_SHARE = 0.25
"""Share of what the model can read that a list of all labels may take."""
LISTED, NEIGHBOURS = 30, 100
"""Labels of a list that is cut short, at most, and examples that are looked at for them."""


class Parts(NamedTuple):
    """What a request is rendered from besides the instruction."""

    text: str
    demonstrations: Sequence[Shown]
    evidence: tuple[Evidence, ...]
    listed: tuple[str, ...] | None = None
    """Labels that are listed where labels are; None: all of them."""

    def shorter(self, model: LanguageModel) -> Parts:
        """Without the first demonstration, else without the last passage, else with half of the input, at least."""
        if self.demonstrations:
            return self._replace(demonstrations=self.demonstrations[1:])
        if self.evidence:
            return self._replace(evidence=self.evidence[:-1])
        short = model.cut(self.text, max(8, len(self.text) // 8))  # Little where a letter takes more than a token.
        return self._replace(text=max(short, self.text[: len(self.text) // 2], key=len))


def too_long(model: LanguageModel, task: Task) -> str:
    """Why nothing can be asked: the instruction alone, with an answer, is more than the model reads. Empty where it is not."""
    prompt = (Message("system", task.instruction), Message("user", ""))
    if surely_fits(prompt, model.context_tokens // 2):  # No answer is given more than the other half.
        return ""
    answer = answer_limit(model, task, task.examples, bool(task.schema))
    if (tokens := model.count(prompt)) + answer <= model.context_tokens:
        return ""
    takes = f"takes {tokens:,} tokens and the answer up to {answer:,}"
    served = ", or state the `context_tokens` of the model" if isinstance(model, Estimates) and model.estimates else ""
    return f"the instruction {takes}, and {model.name} reads {model.context_tokens:,} in all: shorten the instruction{served}"


def answer_tokens(model: LanguageModel, answer: str) -> int:
    """Tokens of an answer and its turn, at most, behind a question: some templates refuse an answer without one."""
    return model.count((Message("user", ""), Message("assistant", answer)))


def surely_fits(prompt: Prompt, room: int) -> bool:
    """True without counting: no token is shorter than a byte, and a turn's frame takes few tokens."""
    return sum(len(message.content.encode()) + 32 for message in prompt) <= room


def lists_all(model: LanguageModel, renderer: Renderer) -> bool:
    """Whether the labels can be listed whole, where the form lists them."""
    return not renderer.form.show_labels or _has_room(model, renderer.listing())


def nearest_labels(
    speaking: tuple[LanguageModel, Renderer], rows: Sequence[Sequence[tuple[Case, float]]]
) -> list[tuple[str, ...]]:
    """The labels of the nearest examples of each request, the nearest first, as many as there is room for."""
    model, renderer = speaking
    found = []
    for row in rows:
        labels = tuple(dict.fromkeys(case.output for case, _ in row))[:LISTED]
        while len(labels) > 1 and not _has_room(model, renderer.listing(labels)):
            labels = labels[: len(labels) * 3 // 4]
        found.append(labels)
    return found


def room_for_labels(model: LanguageModel) -> int:
    """Tokens that a list of labels may take."""
    return int(LISTED_SHARE * model.context_tokens)


def _has_room(model: LanguageModel, listing: str) -> bool:
    room = room_for_labels(model)
    prompt = (Message("system", listing),)
    return surely_fits(prompt, room) or model.count(prompt) <= room
