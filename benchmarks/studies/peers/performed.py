"""Performs one part: ours in this process, a peer's script in its own environment; both answer the same held-out cases."""

from __future__ import annotations

import json
import subprocess
import tempfile
import time
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from advisor.experiments.comparison import EFFORTS, Prepared
from benchmarks.contract import BadInput, Benchmark
from benchmarks.running.work import untuned
from benchmarks.running.workbench import Bench, NoJournal
from benchmarks.studies.peers.arms import Part
from benchmarks.studies.peers.serving import served
from benchmarks.studies.rescored import scored_by
from benchmarks.studies.settings import ROOT
from benchmarks.studies.speed.environments import python_of
from strategies.catalog import approaches
from strategies.contract import Fitted, Outcome, Prediction, Prompt, Query, Sampling
from strategies.finding import way
from strategies.finetuning.race import rows_of
from strategies.models.weights import resolve
from strategies.pipeline import Pipeline, Setup
from strategies.selection import PipelineBuilder
from strategies.traits import prefers_cheapest

SPEAKING = ("prompting", "fine-tuning", "combined", "answers", "contained")
"""Comparisons whose peers ask the language model, or train it."""
SCRIPTS = Path(__file__).parent / "scripts"
AS_OURS = "decoded as ours"
DEEPEST = 10
"""Documents of a search that are kept, of passages that may be of the same one."""


@dataclass(frozen=True, kw_only=True)
class Found:
    """What one part gave: a text, or ids of documents, for each held-out case in their order, and how."""

    answers: Sequence[str] = ()
    also: Mapping[str, Sequence[str]] = field(default_factory=dict)
    """What the same trained model gives in other ways, such as decoded as ours are; the last is the nearest to ours."""
    found: Sequence[Sequence[str]] = ()
    seconds: Mapping[str, float]
    settings: Mapping[str, Any]
    versions: Mapping[str, str]


@dataclass(frozen=True, kw_only=True)
class Place:
    """Where parts are performed: the prepared task, and where the peers' environments lie."""

    prepared: Prepared
    environments: Path

    @property
    def benchmark(self) -> Benchmark:
        return self.prepared.assembly.benchmark


def counted_by(metric: str, prepared: Prepared) -> Prepared:
    """With another metric than the task's, where one is named."""
    if not metric:
        return prepared
    return replace(prepared, assembly=scored_by(metric, prepared.assembly))


def performed(part: Part, place: Place, without: Sequence[str] = ()) -> Found:
    """Raises `BadInput` where a peer cannot be installed or fails. `without` names approaches of ours to leave out."""
    if part.arm.peer is not None:
        return _by_peer(part, place)
    return _by_ours(part, place, without) if part.arm.families else _searched(place)


# ---------------------------------------------------------------- peers


def work_of(part: Part, place: Place) -> dict[str, Any]:
    """What a peer may know: no answer of a held-out case."""
    task, placement = place.benchmark.task, place.prepared.models.placement
    return {
        "seed": part.seed,
        "threads": placement.threads,
        "dtype": placement.dtype,
        "model": str(resolve(place.prepared.models.names[0]).folder),
        "embedder": str(resolve(place.prepared.models.embedder_spec.name).folder),
        "instruction": task.instruction,
        "metric": place.benchmark.metric.name,
        "labels": list(task.labels),
        "examples": [
            {
                "input": case.input,
                "output": case.output,
                "accepted": list(case.accepted),
                "document_ids": list(case.document_ids),
            }
            for case in task.examples
        ],
        "heldout": [{"input": case.input} for case in place.benchmark.heldout],
        "documents": [{"id": each.id, "title": each.title, "text": each.text} for each in task.documents],
    }


def _by_peer(part: Part, place: Place) -> Found:
    if part.arm.peer is None:
        raise ValueError(f"{part.name} has no peer")
    python = python_of(part.arm.peer, place.environments)
    with tempfile.TemporaryDirectory() as name, ExitStack() as stack:
        folder = Path(name)
        work = work_of(part, place) | (_speaking(part, place) if part.arm.comparison in SPEAKING else {})
        if part.arm.served:
            work["server"] = stack.enter_context(served(work, place.environments))
        (folder / "work.json").write_text(json.dumps(work, ensure_ascii=False), encoding="utf-8")
        command = [str(python), str(SCRIPTS / part.arm.script), str(folder / "work.json"), str(folder / "found.json")]
        code = subprocess.run(command, cwd=ROOT, check=False, stdin=subprocess.DEVNULL).returncode
        if code or not (folder / "found.json").is_file():
            raise BadInput(f"{part.arm.name} ended with exit code {code}; its own words stand above.")
        found = Found(**json.loads((folder / "found.json").read_text(encoding="utf-8")))
        return _decoded(part, place, folder / "adapter", found) if part.arm.tuned else found


def _speaking(part: Part, place: Place) -> dict[str, Any]:
    """What a peer is told that asks or trains the model: our prompts without examples, and how long an answer may be."""
    pipeline = _bare(part, place)
    cases, asked = place.benchmark.task.examples, [Query.of(case.input) for case in place.benchmark.heldout]
    return {
        "answer_tokens": pipeline.max_tokens,
        "context_tokens": pipeline.model.context_tokens,
        "rows": [[_messages(row.prompt), row.answer] for row in rows_of(pipeline, cases)],
        "asked": [_messages(request.prompt) for request in pipeline.requests(asked)],
    }


def _bare(part: Part, place: Place) -> Pipeline:
    task = place.benchmark.task
    return PipelineBuilder(task, _bench(part, place, Path(), local=True)).build(Setup(), task.examples)


def _messages(prompt: Prompt) -> list[dict[str, str]]:
    return [{"role": turn.role, "content": turn.content} for turn in prompt]


def _decoded(part: Part, place: Place, adapter: Path, found: Found) -> Found:
    """The peer's own answers with labels for the words that it was taught, and those of its adapter in our pipeline."""
    pipeline = _bare(part, place)
    words = pipeline.renderer.words
    labels = dict(zip(words.words, words.labels, strict=True))
    queries = [Query.of(case.input) for case in place.benchmark.heldout]
    outcomes = dict(replace(pipeline, adapter=adapter).answer(queries, Sampling(seed=part.seed)))
    return replace(
        found,
        answers=[labels.get(text.strip(), text) for text in found.answers],
        also={AS_OURS: [_text(outcomes[query.key]) for query in queries]},
    )


def _text(outcome: Outcome) -> str:
    return outcome.text if isinstance(outcome, Prediction) else ""


# ---------------------------------------------------------------- ours


def _by_ours(part: Part, place: Place, without: Sequence[str]) -> Found:
    """Every approach of the family is fitted; the one that is best on the selection cases answers."""
    task, start = place.benchmark.task, time.perf_counter()
    asked = [each for each in approaches() if each.family in part.arm.families and each.name not in without]
    asked = [each for each in asked if part.arm.only in ("", each.name)]
    suited = [each for each in asked if not each.unsuitable(task) and not prefers_cheapest(each)]
    with tempfile.TemporaryDirectory() as folder:
        fits: dict[str, tuple[Fitted, float]] = {}
        for strategy in suited:
            bench = _bench(part, place, Path(folder), bool(strategy.needs))
            fitted = strategy.fit(task, bench)
            known = dict(fitted.describe())
            chosen = known if "selection_score" in known else untuned(strategy, task, bench)
            fits[strategy.name] = fitted, float(chosen["selection_score"])
        best = max(fits, key=lambda name: fits[name][1])
        fitting = time.perf_counter() - start
        queries = [Query.of(case.input) for case in place.benchmark.heldout]
        outcomes = dict(fits[best][0].answer(queries, Sampling(seed=part.seed)))
    return Found(
        answers=[_text(outcomes[query.key]) for query in queries],
        seconds={"fitting": fitting, "answering": time.perf_counter() - start - fitting},
        settings={"chosen": best, "selection scores": {name: round(score, 4) for name, (_, score) in fits.items()}},
        versions={},
    )


def _bench(part: Part, place: Place, folder: Path, local: bool) -> Bench:
    """`local`: with the language model."""
    models = place.prepared.models
    return Bench(
        models=models,
        model_name=models.names[0] if local else "",
        seed=part.seed,
        tuning_tokens=EFFORTS["standard"],
        journal=NoJournal(),
        folder=folder,
        on_progress=lambda done, total, what: None,
    )


def _searched(place: Place) -> Found:
    """The passages of our index, by the way to search that our approaches take; no model answers."""
    task, models, start = place.benchmark.task, place.prepared.models, time.perf_counter()
    with tempfile.TemporaryDirectory() as folder:
        bench = Bench(
            models=models,
            model_name="",
            seed=0,
            tuning_tokens=0,
            journal=NoJournal(),
            folder=Path(folder),
            on_progress=lambda done, total, what: None,
        )
        builder = PipelineBuilder(task, bench)
        setup = way(builder)
        index = builder.indexes.searched(setup, task.examples)
    if index is None:
        raise BadInput(f"{task.name} has no documents to search.")
    fitting = time.perf_counter() - start
    rows = index.search([case.input for case in place.benchmark.heldout], DEEPEST, setup.mode)
    return Found(
        found=[[evidence.document_id for evidence in row] for row in rows],
        seconds={"fitting": fitting, "answering": time.perf_counter() - start - fitting},
        settings={"way": setup.mode, "adapted": setup.adapted, "passages": len(index.passages)},
        versions={},
    )
