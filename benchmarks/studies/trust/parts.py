"""What is run at one go: the approaches of one kind on one task, with all that can be measured beside right and wrong."""

from __future__ import annotations

from dataclasses import dataclass

RUNGS = ("majority", "copy input", "best sentence", "copy nearest", "tf-idf", "contrastive head", "linear head")
SPEAKING = ("prompting", "retrieval", "lora", "lora + retrieval")
EFFORT, HELDOUT = "quick", 100
"""Checks look at subsamples of a hundred cases anyway."""
EXAMPLES = {
    "support-intents": 100,
    "handbook-qa": 100,
    "order-extract": 100,
    "house-style": 100,
    "banking77": 300,
    "nq_open_oracle": 100,
    "sms_spam": 100,
}
"""A hundred are what the smallest bundled task has; with 77 labels that would be one a label."""
LEAKY = "sms_spam"
"""The split that is used here has 128 held-out messages among its examples; a sample of a hundred has hardly any of them. It
was published as one file, and what the product downloads is cut otherwise (`source.cut_by_hash`)."""
SPOKEN = {"rungs": "without a language model", "whole": "on all cases"}
"""How a kind of approaches is called where its name is no approach."""
LABELLED, QUESTIONS = ("support-intents", "banking77", "sms_spam"), ("handbook-qa", "nq_open_oracle")
"""Tasks whose answers are labels, and those that ask questions over documents."""
GRAMMAR = ("order-extract",)
"""Tasks whose answers are held to a schema."""
OVER_ROWS = ("sms_spam",)
"""Tasks whose figure is no mean of scores: F1 of spam."""


@dataclass(frozen=True, kw_only=True)
class Part:
    """Approaches on one task. Sizes of None: all cases that there are, and nothing but answers is measured."""

    task: str
    kind: str
    """`rungs`, or the name of an approach with a language model."""
    approaches: tuple[str, ...]
    examples: int | None = None
    heldout: int | None = None

    @property
    def says(self) -> str:
        """The kind, as a reader knows it."""
        return SPOKEN.get(self.kind, self.kind)

    @property
    def name(self) -> str:
        return f"{self.task}_{self.kind.replace(' + ', '-')}"

    @property
    def words(self) -> tuple[str, ...]:
        """Of the command line."""
        sizes = (("--examples", self.examples), ("--heldout", self.heldout))
        given = [str(word) for name, value in sizes if value is not None for word in (name, value)]
        named = [word for name in self.approaches for word in ("--approach", name)]
        return ("--effort", EFFORT, "--probes", "all" if self.heldout else "none", *given, *named)


def parts() -> tuple[Part, ...]:
    """What takes least first: those without a language model on every task, then one approach after the other."""
    kinds = [("rungs", RUNGS), *((name, (name,)) for name in SPEAKING)]
    found = [Part(task=LEAKY, kind="whole", approaches=("majority", "copy nearest", "tf-idf", "linear head"))]
    for kind, approaches in kinds:
        for task, examples in EXAMPLES.items():
            found.append(Part(task=task, kind=kind, approaches=approaches, examples=examples, heldout=HELDOUT))
    return tuple(found)
