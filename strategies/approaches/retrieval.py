"""The retrieval approach: passages from the documents and nearest examples at run time, searched with FAISS and BM25."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import ClassVar

from strategies.contract import Family, Fitted, Generates, Strategy, Task, Workbench
from strategies.pipeline import Setup, load_pipeline, redraw
from strategies.prompting.rendering import Form
from strategies.selection import Kitchen, Preference, fit_searched


@dataclass(frozen=True, kw_only=True)
class Retrieval:
    """Nearest demonstrations, passages, or both. Labels mix the model's likelihood with the neighbours' votes."""

    name: ClassVar[str] = "retrieval"
    family: ClassVar[Family] = "retrieval"
    needs: ClassVar[tuple[type, ...]] = (Generates,)
    simplicity: ClassVar[int] = 5

    prefer: Preference = "best"

    def unsuitable(self, task: Task) -> str:
        return ""

    def space(self, task: Task) -> list[Setup]:
        """With documents: passages by count and search mode, with and without demonstrations; else nearest examples."""
        turns, inline = Form(layout="turns"), Form(layout="inline")
        if not task.documents:
            return [
                Setup(form=form, shots=shots, picks="nearest") for form in (turns, inline) for shots in (1, 3, 5, 8)
            ]
        setups = [
            Setup(form=form, passages=passages, mode=mode)
            for form in (turns, replace(inline, marked=True))
            for passages in (1, 3)
            for mode in ("hybrid", "dense")
        ]
        setups += [
            Setup(form=form, passages=passages, shots=shots, picks="nearest")
            for form in (turns, inline)
            for passages in (1, 2)
            for shots in (3, 6)
        ]
        return setups

    def fit(self, task: Task, bench: Workbench) -> Fitted:
        return fit_searched(
            self.name, Kitchen(task, bench, uses_votes=bool(task.labels)), self.space(task), self.prefer
        )

    def load(self, folder: Path, bench: Workbench) -> Fitted:
        return load_pipeline(folder, bench)

    def again(self, folder: Path, task: Task, bench: Workbench) -> Fitted | None:
        return redraw(folder, bench)


CANDIDATES: tuple[Strategy, ...] = (Retrieval(), Retrieval(prefer="cheapest"))
