"""The fine-tuning approach: a LoRA adapter on all linear layers, proven to be in effect before it is scored."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from strategies.contract import Family, Fitted, Generates, Strategy, Task, Trains, Workbench
from strategies.finetuning.tuned import fit_tuned, refit
from strategies.pipeline import Setup, load_pipeline
from strategies.prompting.rendering import Form
from strategies.selection import Kitchen


@dataclass(frozen=True, kw_only=True)
class Lora:
    """Zero-shot prompts, with and without the instruction, tuned; one with a sentence more where the budget pays for whole
    trainings. Labels by likelihood over the label set as everywhere."""

    name: ClassVar[str] = "lora"
    says: ClassVar[str] = "fine-tunes the language model on the examples"
    family: ClassVar[Family] = "finetuning"
    needs: ClassVar[tuple[type, ...]] = (Generates, Trains)
    simplicity: ClassVar[int] = 6

    def unsuitable(self, task: Task) -> str:
        return ""

    def fit(self, task: Task, bench: Workbench) -> Fitted:
        setups = [Setup(form=Form()), Setup(form=Form(instruct=False))]
        return fit_tuned(self.name, Kitchen(task, bench, calibrates=False), setups)

    def load(self, folder: Path, bench: Workbench) -> Fitted:
        return load_pipeline(folder, bench)

    def again(self, folder: Path, task: Task, bench: Workbench) -> Fitted:
        return refit(folder, task, bench)

    def rebuilt(self, folder: Path, task: Task, bench: Workbench) -> Fitted:
        return refit(folder, task, bench)


CANDIDATES: tuple[Strategy, ...] = (Lora(),)
