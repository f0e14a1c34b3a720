"""Builds the messages of a request: instruction, labels, passages, demonstrations, and the input, what is shared first."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal

from strategies.contract import Case, Evidence, Message, Prompt, Task
from strategies.prompting.demonstrations import Shown

INPUT_TOKENS = 512
"""Inputs longer than this are cut, and the answer counted as truncated."""
_HYPHEN = re.compile(r"(?<=[^\W\d_])-(?=[^\W\d_])")
"""One that joins two words; elsewhere it is a sign, as in "-1", "18-25" and "A-"."""


Marks = Literal["plain", "question", "upper", "arrow"]


@dataclass(frozen=True, kw_only=True)
class Form:
    """How a request is laid out. Fields are searched over; none of them knows a dataset."""

    layout: Literal["turns", "inline"] = "turns"
    """`turns`: a demonstration is a question and an answer of the chat; `inline`: all in one message."""
    show_labels: bool = False
    natural_labels: bool = True
    """`card_arrival` is written "card arrival"."""
    marked: bool = False
    """Inputs and answers carry words in front, as all do that stand in one message."""
    marks: Marks = "plain"
    """Which words these are (`MARKS`)."""
    added: str = ""
    """What follows the person's instruction (`wordings.library`)."""
    proposed: str = ""
    """A stronger model's instruction, in place of the person's (`proposals.proposed`)."""
    instruct: bool = True
    """The instruction stands in front. Without it a tuned model has to know from its examples what is wanted."""
    turned: bool = False
    """Demonstrations stand the other way round: of the nearest examples the nearest first, the farthest next to the question."""

    @property
    def own(self) -> Form:
        """The same with the person's instruction and nothing else."""
        return replace(self, added="", proposed="")


MARKS: Mapping[Marks, tuple[str, str]] = {
    "plain": ("Input:", "Output:"),
    "question": ("Question:", "Answer:"),
    "upper": ("INPUT:", "OUTPUT:"),
    "arrow": ("Input >>", "Output >>"),
}
"""Words in front of an input and of its answer."""


@dataclass(frozen=True)
class LabelWords:
    """The words by which labels are shown to the model, and the way back."""

    labels: tuple[str, ...]
    words: tuple[str, ...]

    @classmethod
    def of(cls, labels: Sequence[str], natural: bool) -> LabelWords:
        spoken = tuple(" ".join(_HYPHEN.sub(" ", label.replace("_", " ")).split()) for label in labels)
        if not natural or len({word.casefold() for word in spoken}) < len(labels) or not all(spoken):
            spoken = tuple(labels)
        return cls(tuple(labels), spoken)

    def say(self, label: str) -> str:
        return self._by_label.get(label, label)

    @property
    def _by_label(self) -> Mapping[str, str]:
        return dict(zip(self.labels, self.words, strict=True))


def label_cases(labels: Sequence[str]) -> tuple[Case, ...]:
    """Each label as one more example of itself, by its words: they say what it means before any example does."""
    spoken = LabelWords.of(labels, natural=True).words
    return tuple(
        Case(id=f"label {label}", input=word, output=label) for label, word in zip(labels, spoken, strict=True)
    )


def is_label(case: Case) -> bool:
    """Whether the case is one of `label_cases`."""
    return case.id == f"label {case.output}"


def label_words(task: Task, form: Form) -> LabelWords:
    return LabelWords.of(task.labels, form.natural_labels)


def instruction(task: Task, form: Form) -> str:
    """What the model is told to do, without the list of labels."""
    if not form.instruct:
        return ""
    told = form.proposed or task.instruction.strip()
    return f"{told}\n{form.added}" if form.added else told


@dataclass(frozen=True)
class Renderer:
    """Renders requests of one task in one form; the same object serves training and use."""

    task: Task
    form: Form
    words: LabelWords

    @classmethod
    def of(cls, task: Task, form: Form) -> Renderer:
        return cls(task, form, label_words(task, form))

    def answer(self, case: Case) -> str:
        """The answer as the model is to write it."""
        return self.words.say(case.output)

    def request(
        self,
        text: str,
        demonstrations: Sequence[Shown] = (),
        evidence: Sequence[Evidence] = (),
        listed: Sequence[str] | None = None,
    ) -> Prompt:
        """Instruction first, demonstrations next, evidence and the input last: requests share their beginning.

        `listed` are the labels that are listed where labels are; None: all of them.
        """
        told = Message("system", self._instruction(listed))
        demonstrations = demonstrations[::-1] if self.form.turned else demonstrations
        if self.form.layout == "inline":
            several = any("\n\n" in self.answer(case) for case, _ in demonstrations)
            content = self._inline(text, demonstrations, evidence)
            return (told, Message("user", content, asked=text, paragraphs=several))
        turns = [told]
        for case, found in demonstrations:
            asked = passages(found) + self._ask(case.input)
            turns += [Message("user", asked), Message("assistant", self.answer(case))]
        turns.append(Message("user", passages(evidence) + self._ask(text), asked=text))
        return tuple(turns)

    def listing(self, labels: Sequence[str] | None = None) -> str:
        """The sentence that lists labels, all where none are given."""
        words = self.words.words if labels is None else [self.words.say(label) for label in labels]
        return f"Possible answers: {', '.join(words)}."

    def _instruction(self, listed: Sequence[str] | None) -> str:
        text = instruction(self.task, self.form)
        if self.form.show_labels and self.task.labels:
            text = f"{text}\n{self.listing(listed)}".strip()
        return text

    def _ask(self, text: str) -> str:
        before, after = MARKS[self.form.marks]
        return f"{before} {text}\n{after}" if self.form.marked else text

    def _inline(self, text: str, demonstrations: Sequence[Shown], evidence: Sequence[Evidence]) -> str:
        before, after = MARKS[self.form.marks]
        blocks = [
            f"{passages(found)}{before} {case.input}\n{after} {self.answer(case)}" for case, found in demonstrations
        ]
        blocks.append(f"{passages(evidence)}{before} {text}\n{after}")
        return "\n\n".join(blocks)


def passages(evidence: Sequence[Evidence]) -> str:
    """The evidence as text, best first."""
    return "".join(f"{item.text.strip()}\n\n" for item in evidence)
