"""Fits a tuned pipeline: race the recipes, refit the winner on all examples, prove that the adapter is in effect."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from strategies.answers import Prior
from strategies.contract import DeadAdapter, Query, Recipe, Task, Workbench
from strategies.finetuning.adapters import prove_effect
from strategies.finetuning.race import Finish, Race, row_tokens, rows_of, train
from strategies.models.local import LocalModel
from strategies.pipeline import Pipeline, Setup
from strategies.selection import Kitchen, answers_of, evidence_of

REFIT = 4
"""Tokens that the refit on all examples may train on, about, in units of the budget for choosing: one for all approaches."""


def fit_tuned(approach: str, kitchen: Kitchen, setups: Sequence[Setup]) -> Pipeline:
    """Races the recipes, refits the winner on all examples, and proves that the adapter does something."""
    task, bench = kitchen.task, kitchen.bench
    finish = within_budget(Race(approach, kitchen, setups).run(), kitchen)
    plain = kitchen.build(finish.tuning.setup, task.examples)
    bench.progress(0, 1, f"{approach}: refit on all {len(task.examples)} examples")
    training = train(bench, (rows_of(plain, task.examples), ()), finish.tuning.recipe, keep=True)
    for usage in training.usage:
        bench.record(usage)
    pipeline = kitchen.finish(finish.tuning.setup, evidence_of(finish.entry.notes or []), training.folder)
    effect = prove(plain, pipeline)
    if len(training.losses) > 1 and not training.losses[-1] < training.losses[0]:
        raise DeadAdapter(f"the training loss did not fall ({training.losses[0]:.3f} to {training.losses[-1]:.3f})")
    record = _record(finish, training.losses, effect, training.truncated_rows)
    return replace(pipeline, record={**record, "examples": len(task.examples)})


def within_budget(finish: Finish, kitchen: Kitchen) -> Finish:
    """Fewer epochs where those of the winner on all examples would take much more than the refit's own budget."""
    setup, recipe = finish.tuning.setup, finish.tuning.recipe
    examples = kitchen.task.examples
    affordable = REFIT * kitchen.bench.tuning_tokens / (row_tokens(kitchen, setup, examples) * len(examples))
    epochs = max(1, min(recipe.epochs, round(affordable)))
    tuning = replace(finish.tuning, recipe=replace(recipe, epochs=epochs))
    return replace(finish, tuning=tuning, rising=finish.rising or epochs < recipe.epochs)


def prove(plain: Pipeline, tuned: Pipeline) -> float:
    """Largest change of the next-token logits that the adapter makes on a few examples; models that hide them give NaN."""
    base, adapted = plain.speaker, tuned.speaker
    if not isinstance(base, LocalModel) or not isinstance(adapted, LocalModel):
        return float("nan")
    requests = plain.requests([Query.of(case.input) for case in plain.task.examples[:4]])
    return prove_effect(base.parts, adapted.parts, [base.chat.encode(request.prompt) for request in requests])


def _record(finish: Finish, losses: Sequence[float], effect: float, truncated: int) -> dict[str, Any]:
    return {
        "selection_answers": answers_of(finish.entry.notes or []),
        "recipe": asdict(finish.tuning.recipe),
        "selection_score": finish.entry.score,
        "selection_cases": finish.entry.cases,
        "configurations_tried": len(finish.entries),
        "rising": finish.rising,
        "training_losses": [round(loss, 4) for loss in losses],
        "logit_change": round(effect, 3),
        "truncated_training_rows": truncated,
    }


def refit(folder: Path, task: Task, bench: Workbench) -> Pipeline:
    """The configuration that was saved in `folder`, trained again with the workbench's seed; nothing is chosen anew.

    Of fewer examples than it was saved with, more epochs are made, at most twice as many: who has few trains longer.
    """
    manifest = json.loads((folder / "pipeline.json").read_text(encoding="utf-8"))
    setup, recipe = Setup.from_dict(manifest["setup"]), Recipe(**manifest["record"]["recipe"])
    fewer = manifest["record"].get("examples", 0) / len(task.examples)
    recipe = replace(recipe, epochs=round(recipe.epochs * min(2.0, max(1.0, fewer**0.5))))
    plain = Kitchen(task, bench).build(setup, task.examples)
    training = train(bench, (rows_of(plain, task.examples), ()), recipe, keep=True)
    for usage in training.usage:
        bench.record(usage)
    prior = manifest["prior"]
    return replace(plain, adapter=training.folder, prior=None if prior is None else Prior(values=tuple(prior)))
