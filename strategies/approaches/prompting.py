"""The prompting approach: instruction and demonstrations at run time, chosen on the selection cases."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import ClassVar, Literal

from strategies.contract import Family, Fitted, Generates, Strategy, Task, Workbench
from strategies.instructions import Instructions
from strategies.pipeline import Setup, load_pipeline
from strategies.prompting.rendering import Form
from strategies.search import spread
from strategies.searched import fit_searched
from strategies.selection import PipelineBuilder
from strategies.traits import Preference

FORMS = (
    Form(layout="turns"),
    Form(layout="inline"),
    Form(layout="turns", marked=True),
)


@dataclass(frozen=True, kw_only=True)
class Prompting:
    """Zero-shot, random and class-balanced demonstrations in three layouts; labels by calibrated likelihood."""

    name: ClassVar[str] = "prompting"
    says: ClassVar[str] = "asks the language model as it is, with the instruction and examples in the prompt"
    family: ClassVar[Family] = "prompting"
    needs: ClassVar[tuple[type, ...]] = (Generates,)
    simplicity: ClassVar[int] = 4
    advised: ClassVar[bool] = True

    prefer: Preference = "best"
    shots: tuple[int, ...] = (3, 8)

    def unsuitable(self, task: Task) -> str:
        return ""

    def space(self, task: Task) -> list[Setup]:
        """Every configuration of the search; where there are labels, listing them in the prompt is a choice too."""
        forms = list(FORMS)
        if task.labels:
            forms += [replace(FORMS[0], show_labels=True), replace(FORMS[1], show_labels=True)]
        setups = [Setup(form=form) for form in forms]
        picks: Sequence[Literal["random", "balanced"]] = ("random", "balanced") if task.labels else ("random",)
        setups += [
            Setup(form=form, shots=shots, picks=pick)
            for form in forms
            for shots in self.shots
            for pick in picks
            if not (form.show_labels and shots > min(self.shots))
        ]
        return setups

    def fit(self, task: Task, bench: Workbench) -> Fitted:
        words = Instructions(task, bench)
        builder = PipelineBuilder(task, bench, larger=self.larger)
        return fit_searched(self.name, builder, spread(self.space(task)), self.prefer, words)

    def larger(self, setup: Setup) -> list[Setup]:
        """With twice as many examples, beyond a setup with the most of them."""
        return [replace(setup, shots=2 * setup.shots)] if setup.shots and setup.shots == max(self.shots) else []

    def load(self, folder: Path, bench: Workbench) -> Fitted:
        return load_pipeline(folder, bench)

    def again(self, folder: Path, task: Task, bench: Workbench) -> Fitted | None:
        return None

    def rebuilt(self, folder: Path, task: Task, bench: Workbench) -> Fitted | None:
        fitted = load_pipeline(folder, bench)
        return None if fitted.lists_all else replace(fitted, sources=replace(fitted.sources, cases=task.examples))


CANDIDATES: tuple[Strategy, ...] = (Prompting(), Prompting(prefer="cheapest"))
