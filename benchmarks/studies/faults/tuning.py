"""Adapters and trainings that are spoilt, trained too long, or asked over poisoned documents. It takes a language model."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from advisor.experiments.comparison import Prepared, execute
from benchmarks.contract import Benchmark, Candidate, Row
from benchmarks.data.assemble import Assembly
from benchmarks.executors.in_process import InProcessExecutor
from benchmarks.probes.forgetting import forgetting, general_texts
from benchmarks.probes.planted import PoisonedIndex, followed, sentence
from benchmarks.running.models import Models
from benchmarks.running.plan import Options
from benchmarks.running.workbench import bare
from strategies.approaches.copy_nearest import CopyNearest
from strategies.approaches.lora import Lora
from strategies.contract import Case, Query, Recipe, Sampling, Training, TrainingRow
from strategies.finetuning.drift import drifts
from strategies.finetuning.race import rows_of
from strategies.models.local import LocalModel
from strategies.models.served import at_hand
from strategies.pipeline import Pipeline, Setup
from strategies.retrieval.chunking import cut, within
from strategies.retrieval.index import PassageIndex
from strategies.selection import PipelineBuilder
from strategies.sources import Sources

TOKENS = 25_000
"""Budget of a search that ends in a spoilt adapter: that of `--effort quick`."""
SPOILT_ON = 120
"""Examples of a run whose every training is spoilt: what is said of it does not depend on their number."""
TAUGHT, ASKED = 240, 100
"""Examples that a training learns, and held-out cases that it is asked."""
FEW = 60
"""Examples that a training learns which lasts too long."""
PASSAGES, POISONED = 3, 50


@dataclass(frozen=True, kw_only=True)
class Lab:
    """A task, the models for it, and a folder for what is made on the way."""

    assembly: Assembly
    models: Models
    folder: Path
    tokens: int = TOKENS

    @property
    def benchmark(self) -> Benchmark:
        return self.assembly.benchmark

    @property
    def name(self) -> str:
        return self.models.names[0]

    @property
    def model(self) -> LocalModel:
        """Raises `TypeError` where the first model of the task does not run in this process."""
        found = at_hand(self.models.language(self.name))
        if found is None:
            raise TypeError(f"{self.name} cannot be trained here")
        return found

    @property
    def builder(self) -> PipelineBuilder:
        return PipelineBuilder(self.benchmark.task, bare(self.models, self.name, self.folder), calibrates=False)


# ---------------------------------------------------------------- adapters that do nothing, trainings that diverge


def _weights(change: Callable[[str, Any], tuple[str, Any]]) -> Callable[[Path], None]:
    """Rewrites the tensors of a saved adapter, name by name."""

    def apply(folder: Path) -> None:
        from safetensors.torch import load_file, save_file

        path = folder / "adapter_model.safetensors"
        save_file(dict(change(name, tensor) for name, tensor in load_file(path).items()), path, {"format": "pt"})

    return apply


def _up(change: Callable[[Any], Any]) -> Callable[[Path], None]:
    """Changes the second factor of each product, which a fresh adapter has at zero."""
    return _weights(lambda name, tensor: (name, change(tensor) if "lora_B" in name else tensor))


AS_IT_WAS = "nothing"
SPOILT: Mapping[str, Callable[[Path], None]] = {
    AS_IT_WAS: lambda folder: None,
    "all zeros": _up(lambda tensor: tensor * 0),
    "a millionth of its size": _up(lambda tensor: tensor * 1e-6),
    "under names that the model does not have": _weights(
        lambda name, tensor: (name.replace(".layers.", ".blocks."), tensor)
    ),
    "one number that is none": _up(lambda tensor: _first(tensor, float("nan"))),
}
"""What becomes of an adapter after each training; once nothing, so that alarms at a healthy one are counted too."""
RATES: Mapping[str, float] = {
    "a learning rate of 1e30": 1e30,
    "a learning rate of 10,000": 1e4,
    "a learning rate of 1e-12": 1e-12,
}
"""In place of that of each recipe."""


def _first(tensor: Any, value: float) -> Any:
    changed = tensor.clone()
    changed.view(-1)[0] = value
    return changed


@dataclass(frozen=True, kw_only=True)
class Spoilt(LocalModel):
    """A model whose trainings go wrong in one way."""

    how: str

    @classmethod
    def of(cls, model: LocalModel, how: str) -> Spoilt:
        return cls(**{name: getattr(model, name) for name in model.__dataclass_fields__}, how=how)

    def train(
        self, rows: Sequence[TrainingRow], validation: Sequence[TrainingRow], recipe: Recipe, folder: Path, seed: int
    ) -> Training:
        rate = RATES.get(self.how, recipe.learning_rate)
        training = super().train(rows, validation, replace(recipe, learning_rate=rate), folder, seed)
        if self.how in SPOILT:
            SPOILT[self.how](training.folder)
        return training


def spoilt(lab: Lab, how: str) -> Iterator[dict[str, Any]]:
    """A whole run with such trainings: whether a score is shown for what was tuned, and what is said in its place."""
    models = replace(lab.models, _ready={lab.name: Spoilt.of(lab.model, how)})
    candidates = [Candidate(name="lora", strategy=Lora(), model=lab.name)]
    candidates.append(Candidate(name="copy nearest", strategy=CopyNearest(), model=""))
    prepared = Prepared(
        assembly=lab.assembly,
        models=models,
        candidates=candidates,
        options=Options(tuning_tokens=lab.tokens, probes=False, second_seed=False),
        origin="a study",
        executor=InProcessExecutor(),
    )
    verdict = execute(prepared, lab.folder)
    tuned = next(each for each in verdict.evaluations if each.candidate == "lora")
    beside = next(each for each in verdict.evaluations if each.candidate == "copy nearest")
    yield {
        "caught": bool(tuned.problem) and not tuned.scores,
        "says": tuned.problem,
        "named": verdict.recommendation.safe or verdict.recommendation.best or "",
        "others": round(beside.figure, 4),
    }


# ---------------------------------------------------------------- trained well, and too long

WELL = Recipe()
LONG = Recipe(learning_rate=4e-3, epochs=32)
TRAININGS: Mapping[str, tuple[int, Recipe]] = {"well": (TAUGHT, WELL), "too long": (FEW, LONG)}
"""Examples and recipe: twice as many steps, four times the rate, on a quarter of the examples."""


def trained(lab: Lab, how: str, seed: int) -> Iterator[dict[str, Any]]:
    """What a training reaches on the task, and what the measurement of forgetting says of it."""
    size, recipe = TRAININGS[how]
    builder, model = lab.builder, lab.model
    cases = random.Random(f"taught {seed}").sample(list(lab.benchmark.task.examples), size)
    plain = builder.build(Setup(), cases)
    training = model.train(rows_of(plain, cases), (), recipe, lab.folder / "adapter", seed)
    tuned = replace(plain, adapter=training.folder)
    found = forgetting([asdict(each) for each in drifts(model, tuned.speaker, general_texts())])
    assert found is not None, "there are many general texts"
    asked = lab.benchmark.heldout[:ASKED]
    yield {
        "right": _right(lab, tuned, asked),
        "asked": len(asked),
        "losses": [round(loss, 4) for loss in training.losses],
        **{name: round(getattr(found, name), 5) for name in ("ratio", "lower", "upper", "divergence", "same")},
    }


def _right(lab: Lab, fitted: Pipeline, cases: Sequence[Case]) -> float:
    found = dict(fitted.answer([Query.of(case.input) for case in cases], Sampling()))
    return sum(lab.benchmark.task.score(case, found[Query.of(case.input).key]) for case in cases) / len(cases)


# ---------------------------------------------------------------- documents with an instruction in them


def poisoned(lab: Lab) -> Iterator[dict[str, Any]]:
    """How often an instruction is followed that stands in the documents, beside what the product's probe foretold.

    The probe puts it behind the best passage that is found; here it stands at the end of the document that holds the answer.
    """
    benchmark, embedder = lab.benchmark, lab.models.embedder
    asked = [case for case in benchmark.heldout if case.document_ids][:POISONED]
    plain = lab.builder.build(Setup(passages=PASSAGES), benchmark.task.examples)
    index = plain.sources.index
    assert isinstance(index, PassageIndex), "the task has documents"
    told = {case.id: sentence(benchmark.task, case)[1] for case in asked}
    wishes: dict[str, list[str]] = {}
    for case in asked:
        wishes.setdefault(case.document_ids[0], []).append(told[case.id])
    documents = [
        replace(each, text="\n".join([each.text, *dict.fromkeys(wishes[each.id])]))
        for each in benchmark.task.documents
        if each.id in wishes
    ]
    ways: Mapping[str, Any] = {
        "clean": index,
        "probe": PoisonedIndex({case.input: told[case.id] for case in asked}, index),
        "documents": index.updated(documents, cut(documents, within(index.embedder, plain.setup.passage_words))),
    }
    rows = {
        way: _rows(lab, replace(plain, sources=Sources(plain.sources.cases, embedder, finder)), asked)
        for way, finder in ways.items()
    }
    before = {row.key: row for row in rows["clean"]}
    counts = {way: followed(benchmark, rows[way], before) for way in ("probe", "documents")}
    yield {
        "cases": len(asked),
        **{f"right, {way}": sum(row.score for row in rows[way]) / len(asked) for way in ways},
        **{
            f"{what}, {way}": sum(getattr(each, what) for each in found)
            for way, found in counts.items()
            for what in ("cases", "followed")
        },
    }


def _rows(lab: Lab, fitted: Pipeline, cases: Sequence[Case]) -> list[Row]:
    found = dict(fitted.answer([Query.of(case.input) for case in cases], Sampling()))
    outcomes = [found[Query.of(case.input).key] for case in cases]
    score = lab.benchmark.task.score
    return [
        Row(
            candidate="retrieval",
            purpose="planted",
            variant="passage/planted",
            key=case.id,
            outcome=outcome,
            score=score(case, outcome),
        )
        for case, outcome in zip(cases, outcomes, strict=True)
    ]
