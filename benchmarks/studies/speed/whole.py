"""A whole bake-off against the tools of a plain script: every call that ours made of the model, made again in their way.

Ours runs a small bake-off, and after each call of the model the same prompts or rows go to the plain tools (`replay.py`):
so both have the machine in turns, whose speed wanders by a fifth within minutes. Both have the same arms, sizes and tries,
those that ask a language model. What is not the model's in these (embedding, bookkeeping, reports) counts for ours alone.
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchmarks.studies.speed import measures
from benchmarks.studies.speed.measures import Measure
from benchmarks.studies.speed.replay import Call, Plain
from strategies.contract import Completion, Ends, LabelScores, Prompt, Recipe, Sampling, Step, Training, TrainingRow
from strategies.models.local import LocalModel

if TYPE_CHECKING:
    from benchmarks.studies.speed.turns import Turns

TABLE = "whole"
TASK, EXAMPLES, HELDOUT = "banking77", 200, 60
OURS = "this product"
PLAIN, LOOPED = "plain tools, a label written freely", "plain tools, all labels scored by a loop"


@dataclass(frozen=True, kw_only=True)
class Watched(LocalModel):
    """The product's model; it hands on what it is asked."""

    asked: Callable[[Call], None]

    @classmethod
    def of(cls, model: LocalModel, asked: Callable[[Call], None]) -> Watched:
        return cls(
            name=model.name,
            folder=model.folder,
            weights_fingerprint=model.weights_fingerprint,
            placement=model.placement,
            adapter=model.adapter,
            asked=asked,
        )

    def generate(
        self, prompts: Sequence[Prompt], max_tokens: int, sampling: Sampling, step: Step = "answering"
    ) -> Iterator[tuple[int, Completion]]:
        yield from self._timed(
            Call("free answers", prompts, max_tokens), super().generate(prompts, max_tokens, sampling, step)
        )

    def score_labels(
        self,
        prompts: Sequence[Prompt],
        labels: Sequence[Sequence[str]],
        step: Step = "answering",
        ends: Ends = "where needed",
    ) -> Iterator[tuple[int, LabelScores]]:
        """A plain script writes the label freely, so it needs as many tokens as the longest one has."""
        longest = max(len(self.chat.encode_label(name)) for name in labels[0]) + 1
        scored = super().score_labels(prompts, labels, step, ends)
        yield from self._timed(Call("labels", prompts, longest, labels), scored)

    def _timed(self, call: Call, answers: Iterator[Any]) -> Iterator[Any]:
        """Without what the asker does between two answers."""
        while True:
            start = time.perf_counter()
            found = next(answers, None)
            call.seconds += time.perf_counter() - start
            if found is None:
                break
            yield found
        self.asked(call)

    def train(
        self, rows: Sequence[TrainingRow], validation: Sequence[TrainingRow], recipe: Recipe, folder: Path, seed: int
    ) -> Training:
        done = super().train(rows, validation, recipe, folder, seed)
        call = Call(
            "training",
            rows=rows,
            validation=validation,
            recipe=recipe,
            epochs=len(done.losses),
            seconds=sum(usage.seconds for usage in done.usage),
        )
        self.asked(call)
        return done

    def adapted(self, folder: Path) -> LocalModel:
        return replace(self, adapter=folder)


class WatchedModels:
    """The models of a run, with the language model watched."""

    def __init__(self, models: Any, asked: Callable[[Call], None]) -> None:
        self._models, self._asked, self._watched = models, asked, dict[str, Watched]()

    def language(self, name: str) -> Watched:
        if name not in self._watched:
            self._watched[name] = Watched.of(self._models.language(name), self._asked)
        return self._watched[name]

    def __getattr__(self, name: str) -> Any:
        return getattr(self._models, name)


def measure(turns: Turns) -> None:
    found = measures.figures(measures.read(turns.rows), TABLE, TASK)
    if {OURS, PLAIN, LOOPED} <= set(found):
        turns.say(f"{TABLE}, {TASK}: done before")
        return
    session = measures.session()
    calls: list[Call] = []
    arms = asking()
    seconds = ours(arms, calls, lambda line: turns.say(f"{TABLE}, {line}"))
    told = {
        "examples": EXAMPLES,
        "held-out cases": HELDOUT,
        "arms": arms,
        "calls": len(calls),
        "seconds in the model": by_kind(calls),
    }
    took = {
        OURS: seconds,
        PLAIN: sum(call.plain_seconds for call in calls),
        LOOPED: sum(call.looped_seconds for call in calls),
    }
    for who, spent in took.items():
        kept = Measure(
            table=TABLE, task=TASK, who=who, session=session, seconds=spent, amount=1, unit="bake-offs", extra=told
        )
        measures.add(kept, turns.rows)
        turns.say(f"{TABLE}, {who}: {spent:.0f} s")


def by_kind(calls: Sequence[Call]) -> dict[str, dict[str, float]]:
    """What calls of each kind took, so that it is seen where ours or the plain tools are slow."""
    found: dict[str, dict[str, float]] = {}
    for call in calls:
        spent = found.setdefault(call.kind, {"calls": 0, "prompts": 0, OURS: 0.0, PLAIN: 0.0, LOOPED: 0.0})
        spent["calls"] += 1
        spent["prompts"] += len(call.prompts)
        for who, seconds in ((OURS, call.seconds), (PLAIN, call.plain_seconds), (LOOPED, call.looped_seconds)):
            spent[who] = round(spent[who] + seconds, 1)
    return found


def _wishes() -> Any:
    from advisor.experiments.comparison import Wishes

    return Wishes(examples=EXAMPLES, heldout=HELDOUT, target=0.7, effort="quick", second_seed=False)


def asking() -> tuple[str, ...]:
    """The arms that ask a language model."""
    from advisor.experiments.comparison import prepare

    return tuple(candidate.name for candidate in prepare(TASK, _wishes()).candidates if candidate.model)


def ours(arms: tuple[str, ...], calls: list[Call], say: Callable[[str], None]) -> float:
    """Seconds of a quick bake-off, from the spec to the report, without those of the plain tools in between; notes the calls."""
    from advisor.experiments.comparison import execute, prepare
    from strategies.models.quiet import quiet

    plain: list[Plain] = []
    between = 0.0

    def asked(call: Call) -> None:
        nonlocal between
        start = time.perf_counter()
        calls.append(call)
        plain[0].again(call, lambda line: say(f"call {len(calls)}: {line}"))
        between += time.perf_counter() - start

    wishes = replace(_wishes(), approaches=arms)
    with tempfile.TemporaryDirectory() as folder, quiet():
        start = time.perf_counter()
        prepared = prepare(TASK, wishes)
        models: Any = WatchedModels(prepared.models, asked)
        prepared.models = models
        plain.append(Plain(models.language(prepared.candidates[-1].model)))
        execute(prepared, Path(folder) / "run")
        seconds = time.perf_counter() - start - between
    plain[0].spread(calls)
    return seconds
