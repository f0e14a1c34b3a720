"""Fine-tuning and retrieval together: LoRA trained on prompts that hold what retrieval finds, then retrieval at run time.

With documents the prompts hold retrieved passages, wrong ones among them, and where the budget pays for it and selection cases
say so in a fifth of the lessons no right one (RAFT, arXiv 2403.10131); without, and besides but for questions without labels, the
nearest examples. For labels the neighbours' votes can be mixed in as well.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from strategies.contract import Family, Fitted, Strategy, Task, Workbench
from strategies.finding import modes, moved, suited
from strategies.finetuning.tuned import Tuned, fit_tuned
from strategies.pipeline import Setup
from strategies.prompting.rendering import Form
from strategies.retrieval.index import Mode
from strategies.selection import PipelineBuilder


@dataclass(frozen=True, kw_only=True)
class LoraRetrieval(Tuned):
    """LoRA on retrieved context."""

    name: ClassVar[str] = "lora + retrieval"
    says: ClassVar[str] = "fine-tunes the language model and looks things up for each request"
    family: ClassVar[Family] = "combined"
    simplicity: ClassVar[int] = 7

    def setups(self, task: Task, mode: Mode = "hybrid") -> list[Setup]:
        """The later ones are left out where the budget is too small."""
        form = Form()
        nearest = Setup(form=form, shots=2, picks="nearest")
        if task.documents:
            one, three = (Setup(form=form, passages=passages, mode=mode) for passages in (1, 3))
            return [one, three] if task.kind == "qa" and not task.labels else [one, nearest, three]
        return [Setup(form=form), nearest] if task.labels else [nearest]

    def fit(self, task: Task, bench: Workbench) -> Fitted:
        builder = PipelineBuilder(task, bench, uses_votes=bool(task.labels), calibrates=False)
        mode = modes(builder)[0]
        setups = moved(builder, suited(builder, self.setups(task, mode), mode), mode)
        return fit_tuned(self.name, builder, setups)


CANDIDATES: tuple[Strategy, ...] = (LoraRetrieval(),)
