"""What the nature of a task suggests before anything ran: an expected order of approaches, and why."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from benchmarks.metrics._words import words
from strategies.contract import TUNED, Case, Family, Kind, Task

Change = Literal["never", "yearly", "monthly", "weekly", "daily"]
Wanted = Literal["behaviour", "format", "facts", "labels"]

FEW_LABELS = 30
MANY_PER_LABEL = 10
LEAST_PER_LABEL = 3
ENOUGH_TO_TUNE = 100
FOUND_IN_DOCUMENTS = 0.5
_SAMPLE = 200
CLASSIC_MISTAKE = (
    "Reaching for fine-tuning first is the classic mistake: a better prompt, or something simpler, is often enough and is "
    "cheaper to change."
)
LABELS_OPEN = (
    f"How many different labels there are is not known (`--labels` says it), and what to try first depends on it: with "
    f"{MANY_PER_LABEL} examples or more a label, or with more than {FEW_LABELS} labels, what needs no language model comes first."
)


@dataclass(frozen=True, kw_only=True)
class Expectation:
    """Approaches in the order in which they are expected to be worth their cost, best first; one sentence a reason."""

    order: tuple[Family, ...]
    why: tuple[str, ...]
    in_documents: float = 0.0
    """Share of the answers that stand in the documents, as it was counted or said."""


@dataclass(frozen=True, kw_only=True)
class Situation:
    """What is known of a task before anything ran, from its data or from a person's answers."""

    kind: Kind
    examples: int
    labels: int = 0
    """Different labels of a classification."""
    fewest: int | None = None
    """Examples of the rarest label; None: nobody counted."""
    documents: bool = False
    found: float = 0.0
    """Share of the answers that stand word for word in the documents."""
    counted: bool = True
    """The share was counted; else it stands for what a person said."""
    facts_change: Change | None = None
    """How often; None: nobody said."""
    wanted: Wanted | None = None
    """What an answer has to get right; None: nobody said, and the kind of the task stands for it."""
    temperature: float = 0.0

    @classmethod
    def of(cls, task: Task) -> Situation:
        return cls(
            kind=task.kind,
            examples=len(task.examples),
            labels=len(task.labels),
            fewest=fewest_of_a_label(task),
            documents=bool(task.documents),
            found=found_in_documents(task),
            temperature=task.temperature,
        )

    @property
    def thin(self) -> bool:
        """Too few examples a label to copy one or to fit a head."""
        return self.examples < LEAST_PER_LABEL * self.labels

    @property
    def facts_move(self) -> bool:
        """Faster than anybody trains."""
        return self.facts_change in ("monthly", "weekly", "daily")

    @property
    def facts_expire(self) -> bool:
        """They move, and answers hold them: questions are answered, there are documents, or that is what was asked for."""
        return self.facts_move and (self.kind == "qa" or self.documents or self.wanted == "facts")


def expect(task: Situation) -> Expectation:
    """What the task alone suggests. Nothing is run, and the measurement may well disagree: that is worth telling."""
    scores: dict[Family, float] = {"reference": 1, "prompting": 3, "retrieval": 2, "finetuning": 1, "combined": 0}
    why: list[str] = []
    for judge in (_classifying, _facts, _drift, _form if task.wanted is None else _wanted, _amount):
        judge(task, scores, why)
    if task.temperature > 0 and not task.labels:
        why.append(
            f"Answers are drawn at temperature {task.temperature:g}, so the same question may get several answers: "
            "look at the consistency as well as the accuracy."
        )
    order = tuple(sorted(scores, key=lambda family: -scores[family]))
    if order[0] not in TUNED:
        why.append(CLASSIC_MISTAKE)
    return Expectation(order=order, why=tuple(why), in_documents=task.found)


def fewest_of_a_label(task: Task) -> int | None:
    """Examples of the rarest label; None without labels."""
    of_label = Counter(case.output for case in task.examples)
    return min((of_label[label] for label in task.labels), default=None)


def found_in_documents(task: Task) -> float:
    """Share of (up to 200) examples one of whose accepted answers stands word for word in a document; 0 without any."""
    cases = task.examples[:_SAMPLE]
    if not task.documents or not cases:
        return 0.0
    texts = [_plain(document.text) for document in task.documents]
    return sum(_stands_in(case, texts) for case in cases) / len(cases)


def _classifying(task: Situation, scores: dict[Family, float], why: list[str]) -> None:
    labels, examples = task.labels, task.examples
    if not labels:
        why += [LABELS_OPEN] * (task.kind == "classification")
        return
    if labels <= FEW_LABELS and examples >= MANY_PER_LABEL * labels:
        scores["reference"] += 3
        why.append(
            f"There are {labels:,} labels and {examples:,} examples, {_a_label(task)}: a small classifier on text embeddings "
            "(linear head), without any language model, is often enough."
        )
    elif labels > FEW_LABELS and task.thin:
        scores["retrieval"] += 2
        why.append(
            f"There are {labels:,} labels, too many to describe well in one prompt, and {examples:,} examples, too few a "
            "label to copy the nearest or to fit a linear head: labelling more comes first."
        )
    elif labels > FEW_LABELS:
        scores["reference"] += 4
        scores["retrieval"] += 2
        why.append(
            f"There are {labels:,} labels, too many to describe well in one prompt: copying the nearest example or a linear "
            "head, without any language model, is often enough, and where it is not, the nearest examples in a prompt."
        )
    else:
        scores["retrieval"] += 1
        why.append(
            f"There are {examples:,} examples for {labels:,} labels, few for training: examples usually help most "
            "inside the prompt."
        )


def _a_label(task: Situation) -> str:
    """`60 a label`, where that holds for each; else the average, with the rarest where it was counted."""
    average = f"{task.examples // task.labels:,} a label"
    if task.fewest is None:
        return f"{average} on average"
    if task.fewest * task.labels == task.examples:
        return average
    return f"{average} on average and {f'{task.fewest:,}' if task.fewest else 'none'} of the rarest"


def _facts(task: Situation, scores: dict[Family, float], why: list[str]) -> None:
    share = task.found
    part = f"{round(100 * share)} %" if task.counted else "Most" if share >= FOUND_IN_DOCUMENTS else "some"
    if share >= FOUND_IN_DOCUMENTS:
        scores["retrieval"] += 4
        scores["combined"] += 3
        scores["finetuning"] -= 1
        why.append(
            f"{part} of the answers are in the documents: the task asks for facts, and facts are "
            "looked up (retrieval) rather than learnt (fine-tuning)."
        )
    elif task.documents:
        scores["retrieval"] += 1
        scores["combined"] += 1
        few = "none of the answers appears" if part == "0 %" else f"only {part} of the answers appear"
        why.append(f"There are documents, but {few} in them word for word: retrieval may help but may not be enough.")
    elif task.kind == "qa":
        scores["prompting"] += 1
        why.append(
            "Questions are asked and there are no documents: an approach can only answer what its model already knows."
        )


def _drift(task: Situation, scores: dict[Family, float], why: list[str]) -> None:
    if not task.facts_move:
        return
    if not task.facts_expire:
        why.append(
            f"Facts change {task.facts_change}, which decides nothing here: it counts where answers hold facts, and neither the "
            "kind of the task nor documents nor what makes an answer right says so."
        )
        return
    scores["finetuning"] -= 3
    if task.documents:
        scores["retrieval"] += 2
        scores["combined"] += 1
    why.append(
        f"Facts change {task.facts_change}: a trained model holds those of its training day, an approach that looks them up "
        "those of its documents."
    )


def _form(task: Situation, scores: dict[Family, float], why: list[str]) -> None:
    if task.kind not in ("generation", "extraction"):
        return
    scores["finetuning"] += 3
    scores["combined"] += 1
    scores["reference"] -= 1
    written = task.kind == "generation"
    form = "Where answers have to follow a house style," if written else "The answers follow a fixed form:"
    why.append(
        f"{form} that is behaviour, and behaviour is what fine-tuning teaches; try first whether instructions with a few "
        "examples teach it too."
    )


def _wanted(task: Situation, scores: dict[Family, float], why: list[str]) -> None:
    """What a person said has to be got right, in place of what the kind of the task suggests."""
    more, said = _OF_WANTED[task.wanted or "labels"]
    for family, points in more.items():
        scores[family] += points
    if task.wanted in ("behaviour", "format") and task.kind != "classification":
        scores["reference"] -= 1
    if task.wanted == "facts":
        scores["retrieval" if task.documents else "prompting"] += 2
    if task.wanted == "labels" and task.kind != "classification":
        said = (
            "You said that it is about labels, and answers are written here: where they come from a fixed list, name it as "
            "`labels`, and what needs no language model can be tried too."
        )
    why.append(said)


_OF_WANTED: dict[Wanted, tuple[dict[Family, float], str]] = {
    "behaviour": (
        {"finetuning": 3, "combined": 1},
        "You said that it is about behaviour: that is what fine-tuning teaches; try first whether instructions with a few "
        "examples teach it too.",
    ),
    "format": (
        {"prompting": 1, "finetuning": 1},
        "You said that it is about the format: answers can be held to a schema or a pattern while they are written (`schema`, "
        "`pattern` in the task), and examples in the prompt show the rest. Fine-tuning is for what these leave over.",
    ),
    "facts": (
        {"finetuning": -2},
        "You said that it is about facts: from examples a model learns how to answer more than what is true, so facts are "
        "shown to it when it answers.",
    ),
    "labels": (
        {"reference": 1, "retrieval": 1},
        "You said that it is about which label goes where: labelled examples decide that, in a head without any language model "
        "or in the prompt.",
    ),
}
"""What speaks for an approach, and the sentence that says so."""


def _amount(task: Situation, scores: dict[Family, float], why: list[str]) -> None:
    examples = task.examples
    if examples < ENOUGH_TO_TUNE:
        scores["finetuning"] -= 2
        scores["combined"] -= 1
        why.append(
            f"There are only {examples} examples: too few to tell what a tuned model learnt from what it happened to see."
        )


def _stands_in(case: Case, texts: Sequence[str]) -> bool:
    answers = [plain for answer in case.accepted if (plain := _plain(answer))]
    return any(answer in text for answer in answers for text in texts)


def _plain(text: str) -> str:
    """Words only, framed by spaces so that an answer is found as whole words."""
    found = words(text)
    return f" {' '.join(found)} " if found else ""
