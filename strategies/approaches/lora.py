"""The fine-tuning approach: a LoRA adapter on all linear layers, proven to be in effect before it is scored."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from strategies.contract import Family, Fitted, Strategy, Task, Workbench
from strategies.finetuning.tuned import Tuned, fit_tuned
from strategies.pipeline import Setup
from strategies.prompting.rendering import Form
from strategies.selection import PipelineBuilder


@dataclass(frozen=True, kw_only=True)
class Lora(Tuned):
    """Zero-shot prompts, with and without the instruction, tuned; one with a sentence more where the budget pays for whole
    trainings. Labels by likelihood over the label set as everywhere."""

    name: ClassVar[str] = "lora"
    says: ClassVar[str] = "fine-tunes the language model on the examples"
    family: ClassVar[Family] = "finetuning"
    simplicity: ClassVar[int] = 6

    def fit(self, task: Task, bench: Workbench) -> Fitted:
        setups = [Setup(form=Form()), Setup(form=Form(instruct=False))]
        return fit_tuned(self.name, PipelineBuilder(task, bench, calibrates=False), setups)


CANDIDATES: tuple[Strategy, ...] = (Lora(),)
