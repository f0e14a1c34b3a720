"""One code path for every device: what a model answers, scores and learns on a graphics card is what it does on the processor.

Each is tried on a pretended card (`card.py`), which any machine has, and where there is one on a real card.
"""

from __future__ import annotations

import contextlib
import dataclasses
import time
from collections.abc import Iterator
from multiprocessing import Pipe
from pathlib import Path
from typing import Any

import pytest
import torch

from strategies.contract import Message, Recipe, Sampling, TrainingRow
from strategies.finetuning import adapters, checkpoints, partner, training
from strategies.finetuning.adapters import prove_effect
from strategies.finetuning.drift import drifts
from strategies.finetuning.master_weights import MasterWeights
from strategies.finetuning.packs import encode, packs_agree
from strategies.models.contrastive import Lessons
from strategies.models.device import Placement
from strategies.models.embedding import LocalEmbedder
from strategies.models.local import LocalModel
from strategies.models.parts import Parts
from tests import tiny
from tests.card import DEVICE, card
from tests.tiny_embedder import embedder_folder

PROMPTS = [(Message("user", text),) for text in ("one", "two and three", "Where is my order? " * 5, "Where is it?")]
LABELS = ["delivery", "refund", "cancel_account"]
ROWS = [TrainingRow(prompt=prompt, answer=label) for prompt, label in zip(PROMPTS, LABELS * 2, strict=False)]
CUDA = "cuda:0"


@pytest.fixture(params=["pretended", pytest.param(CUDA, marks=pytest.mark.gpu)])
def device(request: pytest.FixtureRequest) -> str:
    if request.param == CUDA:
        _needs_a_card()
        return CUDA
    return DEVICE


def _needs_a_card() -> None:
    if not torch.cuda.is_available():
        pytest.skip("there is no graphics card")


def there(device: str) -> contextlib.AbstractContextManager[Any]:
    return card() if device == DEVICE else contextlib.nullcontext()


def placed(model: LocalModel, device: str, dtype: str = "float32") -> LocalModel:
    where = Placement(device=device, dtype=dtype, threads=1, why="tests compare numbers")
    return dataclasses.replace(model, placement=where)


@pytest.mark.slow
@pytest.mark.parametrize("architecture", ["llama", "gemma"])
def test_answers_scores_and_training_are_those_of_the_processor(architecture: str, device: str, tmp_path: Path) -> None:
    here = tiny.local_model(tiny.model_folder(tmp_path, architecture))
    assert not here.parts.unfit
    with there(device):
        found = dict(_all_of(placed(here, device), tmp_path / "there"))
    for (what, expected), given in zip(_all_of(here, tmp_path / "here"), found.values(), strict=True):
        assert given == (pytest.approx(expected, rel=1e-3, abs=1e-3) if isinstance(expected, list) else expected), what


def _all_of(model: LocalModel, folder: Path) -> Iterator[tuple[str, Any]]:
    """Words are equal, and lists of numbers nearly so."""
    yield "words", {row: done.text for row, done in model.generate(PROMPTS, 8, Sampling())}
    drawn = Sampling(temperature=1.0, seed=3)
    yield "drawn words", {row: done.text for row, done in model.generate(PROMPTS, 8, drawn)}
    scored = dict(model.score_labels(PROMPTS, [LABELS] * len(PROMPTS)))
    yield "scores", [number for row in sorted(scored) for number in scored[row].log_likelihoods]
    assert packs_agree(Parts(model.placed(model.base()))), "else trainings take the slow way, and nobody is told"
    trained = model.train(ROWS * 3, ROWS[:2], Recipe(epochs=2, learning_rate=1e-2, rank=4, alpha=8), folder, 0)
    yield "losses", [*trained.losses, *trained.validation_losses]
    tuned = model.adapted(trained.folder)
    assert isinstance(tuned, LocalModel)
    yield "effect", [prove_effect(model.parts, tuned.parts, [[5, 6, 7, 8]])]
    yield "drift", [drift.divergence for drift in drifts(model, tuned, ["Where is my order?"])]
    yield "tuned words", {row: done.text for row, done in tuned.generate(PROMPTS, 8, Sampling())}


def test_vectors_are_those_of_the_processor_and_are_taught_where_they_are_made(device: str, tmp_path: Path) -> None:
    folder = embedder_folder(tmp_path)
    texts = [f"Where is my order {number}?" for number in range(6)]
    here = LocalEmbedder(name="tiny", folder=folder, fingerprint="f").embed(texts)
    with there(device):
        embedder = LocalEmbedder(name="tiny", folder=folder, fingerprint="f", device=device)
        assert embedder.embed(texts) == pytest.approx(here, abs=1e-4)
        embedder.tuned(Lessons(texts=texts, labels=["a", "b"] * 3, epochs=2, learning_rate=1e-2), tmp_path / "tuned", 0)
        taught = embedder.at(tmp_path / "tuned").embed(texts)
    assert abs(taught - here).max() > 1e-2
    assert (taught**2).sum(1) == pytest.approx(1.0, abs=1e-3)


def test_who_trains_along_on_another_card_brings_what_the_processor_would(device: str, tmp_path: Path) -> None:
    here = tiny.local_model(tiny.model_folder(tmp_path))
    expected = _brought(here)
    with there(device):
        found = _brought(placed(here, device))
    assert found == pytest.approx(expected, rel=1e-3, abs=1e-5)
    assert any(expected[2:]), "gradients"


def _brought(model: LocalModel) -> list[float]:
    """Losses and gradients of two rows, from the other end of the line; both ends on the model's device."""
    recipe = Recipe(rank=4, alpha=8)
    pupil = partner._Pupil.of(model, recipe, 0)
    masters = MasterWeights.of(adapters.attach(model.placed(model.base()), recipe, 0))
    ours, theirs = Pipe()
    known = partner.Partner(process=None, line=ours)  # type: ignore[arg-type]  # it is this one
    passes = [(0, [encode(model.chat, row, 512)]) for row in ROWS[:2]]
    known.ask(passes, 5, masters)
    what, *given = theirs.recv()
    assert what == "step"
    pupil.step(theirs, *given)
    return [*known.losses(masters), *masters.vector.grad.tolist()]


@pytest.mark.gpu
def test_a_training_on_two_cards_learns_what_it_learns_on_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    _needs_a_card()
    if torch.cuda.device_count() < 2:
        pytest.skip("there is one graphics card")
    monkeypatch.setattr(partner, "LEAST_WORK", {"cuda": 0})
    one = placed(tiny.local_model(tiny.model_folder(tmp_path)), CUDA)
    both = dataclasses.replace(one, placement=dataclasses.replace(one.placement, beside=("cuda:1",)))
    recipe = Recipe(epochs=2, rank=4, alpha=8, batch_size=4)
    losses = [model.train(ROWS * 4, (), recipe, tmp_path / str(at), 0).losses for at, model in enumerate((one, both))]
    assert partner._kept, "there was somebody on the other card"
    partner._end_all()
    partner._kept.clear()
    assert losses[1] == pytest.approx(losses[0], rel=1e-4)


def test_what_lies_on_two_devices_is_refused_as_a_card_refuses_it() -> None:
    with card() as device:
        there, here = torch.ones(3, device=device), torch.ones(3)
        assert (there + there).tolist() == [2.0, 2.0, 2.0]
        assert there[torch.tensor([0, 2])].tolist() == [1.0, 1.0], "an index may lie on the processor"
        with pytest.raises(RuntimeError, match="to be on the same device"):
            _ = there + here
        with pytest.raises(RuntimeError, match="to be on the same device"):
            there.index_select(0, torch.tensor([0]))
        with pytest.raises(RuntimeError, match="to be on the same device"):
            torch.cat([there, here])


# ---------------------------------------------------------------- a real card


@pytest.fixture
def larger(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> LocalModel:
    """About 100 million weights."""
    _needs_a_card()
    sizes = {**tiny._sizes(), "hidden_size": 1024, "intermediate_size": 4096, "num_hidden_layers": 6}
    monkeypatch.setattr(tiny, "_sizes", lambda: sizes)
    return tiny.local_model(tiny.model_folder(tmp_path), batch_tokens=16384)


@pytest.mark.gpu
def test_bfloat16_is_no_slower_than_float32(larger: LocalModel) -> None:
    prompts = [(Message("user", f"{number} " + "Where is my order? " * 20),) for number in range(64)]
    took = {}
    for dtype in ("float32", "bfloat16"):
        model = placed(larger, CUDA, dtype)
        list(model.score_labels(prompts, [LABELS] * len(prompts)))
        begun = time.perf_counter()
        for _ in range(3):
            list(model.score_labels(prompts, [LABELS] * len(prompts)))
        torch.cuda.synchronize()
        took[dtype] = time.perf_counter() - begun
    assert took["bfloat16"] <= took["float32"]


@pytest.mark.gpu
def test_a_training_that_has_less_memory_takes_fewer_rows_at_a_time_and_learns_the_same(
    larger: LocalModel, tmp_path: Path
) -> None:
    model = placed(larger, CUDA)
    prompts = [(Message("user", f"{number} " + "Where is my order? " * 40),) for number in range(16)]
    rows = [TrainingRow(prompt=prompt, answer="delivery") for prompt in prompts]
    recipe = Recipe(epochs=1, rank=4, alpha=8, batch_size=16)
    total, losses = torch.cuda.get_device_properties(0).total_memory, []
    try:
        for share in (1.0, 0.6):
            torch.cuda.empty_cache()
            if share < 1:
                torch.cuda.set_per_process_memory_fraction(share * torch.cuda.max_memory_allocated() / total)
            torch.cuda.reset_peak_memory_stats()
            losses.append(model.train(rows, (), recipe, tmp_path / f"{share}", 0).losses)
    finally:
        torch.cuda.set_per_process_memory_fraction(1.0)
    assert losses[1] == pytest.approx(losses[0], rel=1e-3)


@pytest.mark.gpu
def test_a_training_that_was_cut_off_goes_on_as_it_would_have(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With dropout, which draws on the card: on the last one, where there are several."""
    _needs_a_card()
    device = f"cuda:{torch.cuda.device_count() - 1}"
    model = placed(tiny.local_model(tiny.model_folder(tmp_path)), device)
    recipe = Recipe(epochs=3, rank=4, alpha=8, dropout=0.3, batch_size=2)
    whole = model.train(ROWS * 4, (), recipe, tmp_path / "whole", 0)
    monkeypatch.setattr(checkpoints, "EVERY_S", 0.0)
    monkeypatch.setattr(checkpoints, "SHARE", float("inf"))
    step, left = training._Run._step, [7]

    def interrupted(self: Any, *given: Any) -> Any:
        left[0] -= 1
        if not left[0]:
            raise KeyboardInterrupt
        return step(self, *given)

    monkeypatch.setattr(training._Run, "_step", interrupted)
    with pytest.raises(KeyboardInterrupt):
        model.train(ROWS * 4, (), recipe, tmp_path / "cut", 0)
    monkeypatch.setattr(training._Run, "_step", step)
    torch.rand(1000, device=device)
    again = model.train(ROWS * 4, (), recipe, tmp_path / "cut", 0)
    assert again.losses == pytest.approx(whole.losses, rel=1e-5)
