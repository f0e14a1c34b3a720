"""The tables of the speed study that set contenders side by side: who takes part, on which tasks, and what must be reached."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from benchmarks.studies.speed.contenders import Contender
from benchmarks.studies.speed.environments import LM_EVAL, TRL, VLLM
from benchmarks.studies.speed.work import Work

OURS, PLAIN = "benchmarks.studies.speed.ours", "benchmarks.studies.speed.plain"
HERE = "this product"


@dataclass(frozen=True, kw_only=True)
class Table:
    """`goals` names for each peer how many times as quick we have to be."""

    name: str
    says: str
    tasks: Sequence[str]
    unit: str
    work: Callable[[Work, int], dict[str, Any]]
    cases: int
    contenders: Sequence[Contender]
    goals: Mapping[str, float]
    notes: Sequence[str] = field(default_factory=tuple)


def _here(kind: str, name: str = HERE, module: str = OURS, cases: int | None = None) -> Contender:
    return Contender(name=name, module=module, cases=cases, asks={"kind": kind})


PUBLIC = ("banking77", "snips_slots", "nq_open_oracle")

TABLES = (
    Table(
        name="labels",
        says="Scoring 77 labels a case",
        tasks=("banking77",),
        unit="cases",
        work=Work.labels,
        cases=96,
        contenders=(
            _here("labels"),
            _here("labels", "a plain loop, all labels of a case in one batch", PLAIN, 16),
            Contender(name="lm-evaluation-harness", script="lm_eval_labels.py", peer=LM_EVAL, cases=4),
        ),
        goals={"lm-evaluation-harness": 50, "a plain loop, all labels of a case in one batch": 5},
        notes=("All labels stand in the prompt. Every contender gets the first cases of one list.",),
    ),
    Table(
        name="answers",
        says="Free answers, 5 demonstrations, 16 new tokens",
        tasks=PUBLIC,
        unit="cases",
        work=Work.answers,
        cases=96,
        contenders=(
            _here("answers"),
            _here("answers", "transformers.generate", PLAIN),
            Contender(name="vLLM on the CPU", script="vllm_answers.py", peer=VLLM),
        ),
        goals={"transformers.generate": 3, "vLLM on the CPU": 1},
        notes=(
            "vLLM with prefix caching and 32 requests at once; every turn has cases of its own, so what it has in its cache "
            "is the beginning that they share.",
        ),
    ),
    Table(
        name="schema",
        says="Answers held to a schema, 5 demonstrations",
        tasks=("snips_slots",),
        unit="cases",
        work=Work.schema,
        cases=48,
        contenders=(_here("answers"), _here("answers", "transformers.generate, same grammar", PLAIN)),
        goals={"transformers.generate, same grammar": 3},
        notes=("The same llguidance grammar; the peer's is a logits processor.",),
    ),
    Table(
        name="training",
        says="LoRA of rank 16 on all linear layers, one epoch",
        tasks=PUBLIC,
        unit="tokens",
        work=Work.training,
        cases=192,
        contenders=(
            _here("training"),
            _here("training", "a plain peft loop", PLAIN),
            Contender(name="TRL SFTTrainer", script="trl_train.py", peer=TRL),
            _here("limit", "the machine's limit"),
        ),
        goals={"TRL SFTTrainer": 5, "a plain peft loop": 2, "the machine's limit": 0.35},
        notes=(
            "Real tokens: those of the rows, each counted once, no padding. Ours includes loading the weights and writing "
            "the adapter, the peers' do not. The limit: 4 FLOPs a token and weight of the linear layers, at the rate of "
            "matrix products that was measured in the same turn.",
        ),
    ),
)


def table(name: str) -> Table:
    """Raises `KeyError`."""
    return {each.name: each for each in TABLES}[name]
