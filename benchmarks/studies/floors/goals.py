"""What is to be reached, by whom, on which task; written before the first of these runs."""

from __future__ import annotations

from dataclasses import dataclass

EXAMPLES, SEEN, MOST = 600, 300, 600
"""Examples; held-out cases of each file (seed 0) that the approaches were developed on; further ones that are asked, at most."""
ALIKE = 2
"""Of these from one group of near-duplicates, at most."""


@dataclass(frozen=True, kw_only=True)
class Goal:
    """The best of some approaches is to reach a figure of a metric."""

    task: str
    says: str
    approaches: tuple[str, ...]
    metric: str
    least: float
    without_leaks: bool = False
    """Counted on the cases that do not stand among the examples."""
    every: bool = False
    """Each of the approaches is to reach it, by the upper end of its interval."""


@dataclass(frozen=True, kw_only=True)
class Ahead:
    """The approach that its selection cases name is to be ahead of the best of others, case by case, by more than chance."""

    task: str
    approaches: tuple[str, ...]
    plain: tuple[str, ...] = ()
    """Arms of the plain script (`benchmarks.studies.afternoon`), which answers the same cases; none: other approaches of ours."""
    others: tuple[str, ...] = ()

    @property
    def says(self) -> str:
        return " or ".join(self.approaches)


@dataclass(frozen=True, kw_only=True)
class Search:
    """How often one of the first documents that are found is one that holds the answer."""

    task: str
    depth: int
    least: float
    beside: tuple[str, ...] = ()
    """Tasks whose documents are mixed in."""


RUNGS = ("majority", "copy nearest", "linear head", "tf-idf", "contrastive head")
TRAINED = ("lora", "lora + retrieval", "linear head", "tf-idf", "contrastive head")
GOALS = (
    Goal(
        task="banking77",
        says="prompting or retrieval",
        approaches=("prompting", "retrieval"),
        metric="accuracy",
        least=0.78,
    ),
    Goal(task="banking77", says="LoRA", approaches=("lora",), metric="accuracy", least=0.77),
    Goal(
        task="banking77",
        says="LoRA with nearest examples or votes",
        approaches=("lora + retrieval",),
        metric="accuracy",
        least=0.82,
    ),
    Goal(task="banking77", says="the best without a language model", approaches=RUNGS, metric="accuracy", least=0.80),
    Goal(
        task="sms_spam",
        says="the best",
        approaches=("prompting", "retrieval", "lora", "lora + retrieval", *RUNGS),
        metric="f1_of_label",
        least=0.93,
        without_leaks=True,
    ),
    Goal(
        task="sms_spam",
        says="everything that is trained",
        approaches=TRAINED,
        metric="f1_of_label",
        least=0.93,
        without_leaks=True,
        every=True,
    ),
    Goal(task="snips_slots", says="LoRA", approaches=("lora",), metric="exact_match", least=0.60),
    Goal(task="snips_slots", says="LoRA, by field", approaches=("lora",), metric="field_f1", least=0.80),
    Goal(task="snips_slots", says="LoRA, its form", approaches=("lora",), metric="json_valid", least=1.0),
    Goal(
        task="snips_slots",
        says="nearest examples in the prompt",
        approaches=("retrieval",),
        metric="exact_match",
        least=0.20,
    ),
    Goal(
        task="nq_open_oracle",
        says="LoRA with retrieval",
        approaches=("lora + retrieval",),
        metric="exact_match",
        least=0.45,
    ),
    Goal(
        task="nq_open_oracle",
        says="LoRA with retrieval, contained",
        approaches=("lora + retrieval",),
        metric="answer_contained",
        least=0.60,
    ),
    Goal(
        task="nq_open_oracle",
        says="read off, nothing tuned",
        approaches=("retrieval",),
        metric="exact_match",
        least=0.25,
    ),
)
AHEAD = (
    Ahead(task="pubmedqa", approaches=("lora + retrieval",), others=("majority",)),
    Ahead(task="nl2regex", approaches=("lora",), plain=("lora",)),
    Ahead(task="e2e_nlg", approaches=("lora",), plain=("lora",)),
    Ahead(task="tldr_commands", approaches=("lora", "lora + retrieval"), plain=("lora", "lora with passage")),
)
SEARCHES = (
    Search(task="nq_open_oracle", depth=5, least=0.85),
    Search(task="nq_open_oracle", depth=5, least=0.85, beside=("pubmedqa", "tldr_commands")),
)
TASKS = tuple(dict.fromkeys(goal.task for goal in (*GOALS, *AHEAD)))
TWICE = ("tldr_commands",)
"""Missed in the first check, repaired in what its selection cases show, and with cases left for a second one."""


def approaches(task: str) -> tuple[str, ...]:
    """Those that some goal of the task names, in the order in which they are named first."""
    named = [name for goal in GOALS if goal.task == task for name in goal.approaches]
    named += [name for goal in AHEAD if goal.task == task for name in (*goal.others, *goal.approaches)]
    return tuple(dict.fromkeys(named))


def arms(task: str) -> tuple[str, ...]:
    """Those of the plain script that are to be compared with."""
    return tuple(arm for goal in AHEAD if goal.task == task for arm in goal.plain)
