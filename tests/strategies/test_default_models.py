"""The default models on real data: they are fetched where they are absent, so these tests are slow the first time."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from benchmarks import tasks
from benchmarks.contract import Benchmark
from benchmarks.data.assemble import Limits, assemble
from benchmarks.running.models import DEFAULT_EMBEDDER
from strategies import search
from strategies.approaches.prompting import Prompting
from strategies.contract import Message, Prediction, Prompt, Recipe, Sampling
from strategies.finetuning.packs import encode
from strategies.finetuning.race import rows_of
from strategies.models import plain
from strategies.models.embedding import LocalEmbedder
from strategies.models.local import LocalModel
from strategies.models.weights import resolve
from strategies.pipeline import Setup
from strategies.retrieval.neighbours import Neighbours
from strategies.selection import PipelineBuilder
from tests import tiny

pytestmark = pytest.mark.slow

SUMMARY = "Say in one short sentence what the customer wants."


@pytest.fixture(scope="module")
def model() -> LocalModel:
    found = resolve("smollm2-135m")
    placement = replace(tiny.FLOAT32, threads=torch.get_num_threads())
    return LocalModel(name=found.name, folder=found.folder, weights_fingerprint=found.fingerprint, placement=placement)


@pytest.fixture(scope="module")
def embedder() -> LocalEmbedder:
    found = resolve(DEFAULT_EMBEDDER)
    return LocalEmbedder(name=found.name, folder=found.folder, fingerprint=found.fingerprint)


def intents(examples: int) -> Benchmark:
    named = tasks.find("support-intents")
    assert named is not None
    _, folder = named.open()
    return assemble(folder / "task.yaml", limits=Limits(examples=examples, heldout=40)).benchmark


@pytest.fixture(scope="module")
def benchmark() -> Benchmark:
    return intents(90)


@pytest.fixture
def bench(model: LocalModel, embedder: LocalEmbedder, tmp_path: Path) -> tiny.Bench:
    return tiny.Bench(folder=tmp_path, language=model, embedder=embedder, tuning_tokens=6_000)


def prompts(benchmark: Benchmark, count: int) -> list[Prompt]:
    return [(Message("system", SUMMARY), Message("user", case.input)) for case in benchmark.heldout[:count]]


def alone(model: LocalModel, ids: Sequence[int], most: int) -> list[int]:
    """What transformers generates for one prompt, up to the stop token."""
    stop = sorted(model.chat.stop_ids)
    with torch.inference_mode():
        out = model.parts.model.generate(
            input_ids=torch.tensor([list(ids)]),
            attention_mask=torch.ones((1, len(ids)), dtype=torch.long),
            max_new_tokens=most,
            do_sample=False,
            eos_token_id=stop,
            pad_token_id=stop[0],
        )
    return [token for token in out[0, len(ids) :].tolist() if token not in stop]


# ---------------------------------------------------------------- answering


def test_ten_greedy_answers_are_those_of_transformers(model: LocalModel, benchmark: Benchmark) -> None:
    asked = prompts(benchmark, 10)
    found = dict(model.generate(asked, 6, Sampling()))
    for row, prompt in enumerate(asked):
        wanted = alone(model, model.chat.encode(prompt), 6)
        assert found[row].text == model.chat.decode(wanted)
        assert found[row].text, "A real model says something."


def test_label_scores_are_those_of_a_pass_for_each_label(model: LocalModel, benchmark: Benchmark) -> None:
    labels = [label.replace("_", " ").replace("-", " ") for label in benchmark.task.labels]
    asked = prompts(benchmark, 2)
    for row, scores in model.score_labels(asked, [labels] * 2):
        ids = model.chat.encode(asked[row])
        with torch.inference_mode():
            direct = [plain.answer_likelihood(model.parts.model, ids, model.chat.encode_label(name)) for name in labels]
        begins_another = [any(other != name and other.startswith(name) for other in labels) for name in labels]
        for own, whole, longer in zip(scores.log_likelihoods, direct, begins_another, strict=True):
            assert longer or own == pytest.approx(whole, abs=2e-3)


def test_prompting_beats_guessing_on_real_messages(bench: tiny.Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    """Held-out messages of 24 intents, of which guessing gets one; the prompt's own prior is what helps."""
    monkeypatch.setattr(search, "LEAST", 3)  # Instead of six, which take a minute and a half.
    benchmark = intents(30)
    asked = benchmark.heldout[:16]
    fitted = Prompting(shots=(1,)).fit(benchmark.task, replace(bench, tuning_tokens=500))
    found = dict(fitted.answer([tiny.query(case) for case in asked], Sampling()))
    outcomes = [found[tiny.query(case).key] for case in asked]
    assert all(isinstance(outcome, Prediction) and outcome.text in benchmark.task.labels for outcome in outcomes)
    right = sum(
        isinstance(outcome, Prediction) and outcome.text == case.output
        for case, outcome in zip(asked, outcomes, strict=True)
    )
    assert right >= 3


# ---------------------------------------------------------------- training


def test_the_template_of_training_is_that_of_use(model: LocalModel, benchmark: Benchmark, bench: tiny.Bench) -> None:
    """Token for token what the model's own template makes of question and answer as turns."""
    pipeline = PipelineBuilder(benchmark.task, bench).build(Setup(), benchmark.task.examples)
    for row in rows_of(pipeline, benchmark.task.examples[:10]):
        encoded = encode(model.chat, row, 1024)
        turns = [{"role": turn.role, "content": turn.content} for turn in row.prompt]
        turns.append({"role": "assistant", "content": row.answer})
        whole = model.chat.tokenizer.apply_chat_template(turns, tokenize=True)["input_ids"]
        assert list(encoded.ids) == whole[: len(encoded.ids)]
        assert set(model.chat.tokenizer.decode(whole[len(encoded.ids) :])) <= {"\n"}


def test_a_lora_on_forty_examples_lowers_the_selection_loss(
    model: LocalModel, benchmark: Benchmark, bench: tiny.Bench, tmp_path: Path
) -> None:
    examples, held = benchmark.task.examples[:40], benchmark.task.examples[60:72]
    pipeline = PipelineBuilder(benchmark.task, bench).build(Setup(), examples)
    recipe = Recipe(learning_rate=1e-3, epochs=1, batch_size=8)
    done = model.train(rows_of(pipeline, examples), rows_of(pipeline, held), recipe, tmp_path / "adapter", 0)
    before, after = done.validation_losses[0], min(done.validation_losses)
    assert done.best_epoch > 0
    assert after < 0.8 * before
    tuned = model.adapted(done.folder)
    assert isinstance(tuned, LocalModel)
    asked = prompts(benchmark, 1)
    assert dict(tuned.generate(asked, 24, Sampling()))[0].text != dict(model.generate(asked, 24, Sampling()))[0].text


# ---------------------------------------------------------------- finding


def test_the_embedder_finds_messages_of_the_same_intent(benchmark: Benchmark, embedder: LocalEmbedder) -> None:
    vectors = embedder.embed([case.input for case in benchmark.heldout])
    assert vectors.shape == (40, 384)
    assert np.allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-4)
    hits = Neighbours(benchmark.task.examples, embedder).nearest([case.input for case in benchmark.heldout], 1)
    same = sum(row[0][0].output == case.output for row, case in zip(hits, benchmark.heldout, strict=True))
    assert same >= 12
