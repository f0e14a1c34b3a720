"""Cards with little memory or without bfloat16: less is asked at once, and no number that is none becomes an answer."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file

from advisor.experiments.comparison import Wishes, advise
from benchmarks.contract import State
from strategies.contract import Message, Prompt, Sampling
from strategies.models import trees
from strategies.models.careful import LEAST, in_smaller_batches
from strategies.models.device import Placement
from strategies.models.local import LocalModel
from strategies.pipeline import Pipeline
from tests import tiny
from tests.conftest import Folders
from tests.desk import write_task

PROMPTS: list[Prompt] = [(Message("user", text),) for text in ("one", "two and three", "Where is my order?")]
LABELS = ("delivery", "refund", "cancel_account")


def answers(model: LocalModel) -> tuple[dict[int, Any], dict[int, str]]:
    scored = {row: found.log_likelihoods for row, found in model.score_labels(PROMPTS, [LABELS] * len(PROMPTS))}
    return scored, {row: found.text for row, found in model.generate(PROMPTS, 4, Sampling())}


# ---------------------------------------------------------------- memory


def card(most: int, asked: list[tuple[tuple[int, ...], int]]) -> Any:
    """Answers tens of the places, until it has no room for so many tokens: then half of them are answered already."""

    def ask(places: Sequence[int], tokens: int) -> Iterator[tuple[int, int]]:
        asked.append((tuple(places), tokens))
        for which, place in enumerate(places):
            if tokens > most and 2 * which >= len(places):
                raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 1 GiB.")
            yield which, 10 * place

    return ask


def test_what_has_no_room_is_asked_again_in_smaller_batches_and_nothing_twice(caplog: pytest.LogCaptureFixture) -> None:
    asked: list[tuple[tuple[int, ...], int]] = []
    assert dict(in_smaller_batches(card(300, asked), 8, 1000)) == {place: 10 * place for place in range(8)}
    assert asked == [(tuple(range(8)), 1000), ((4, 5, 6, 7), 500), ((6, 7), 250)]
    assert "at most 250 tokens are read at once now" in caplog.text
    assert dict(in_smaller_batches(card(300, asked), 0, 1000)) == {}


def test_a_request_that_takes_too_much_alone_ends_it() -> None:
    asked: list[int] = []

    def ask(places: Sequence[int], tokens: int) -> Iterator[tuple[int, ...]]:
        asked.append(tokens)
        raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 1 GiB.")
        yield ()

    with pytest.raises(torch.OutOfMemoryError):
        list(in_smaller_batches(ask, 3, 1000))
    assert asked == [1000, 500, 250, 125, 62]
    assert asked[-1] <= LEAST


def test_a_model_answers_alike_where_only_some_of_a_batch_have_room(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = tiny.local_model(tiny.model_folder(tmp_path))
    whole, _ = answers(model)
    read = trees.TreeReader.read

    def less(self: trees.TreeReader, given: Sequence[trees.LabelTree]) -> Any:
        if self.ends is None and len(self.rests) > 1:
            raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 1.16 GiB.")
        return read(self, given)

    monkeypatch.setattr(trees.TreeReader, "read", less)
    again, _ = answers(model)
    assert again.keys() == whole.keys()
    for row, found in again.items():
        assert found == pytest.approx(whole[row], abs=1e-4)


# ---------------------------------------------------------------- number formats


@pytest.fixture(scope="module")
def large(tmp_path_factory: pytest.TempPathFactory) -> LocalModel:
    """Its numbers leave the range of float16 on the way, as those of Gemma 3 do, though each weight is within it."""
    folder = tiny.model_folder(tmp_path_factory.mktemp("large"), "gemma")
    weights = load_file(folder / "model.safetensors")
    for name, values in weights.items():
        if "post_feedforward_layernorm" in name:
            values.fill_(60_000.0)
    save_file(weights, folder / "model.safetensors", {"format": "pt"})
    return tiny.local_model(folder)


def half(model: LocalModel) -> LocalModel:
    return replace(model, placement=Placement(device="cpu", dtype="float16", threads=1, why=""))


def test_a_model_that_float16_is_too_small_for_is_asked_in_float32(
    large: LocalModel, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.WARNING):
        found, texts = answers(half(large))
    assert "does not compute in float16, its numbers are too large" in caplog.text
    whole, whole_texts = answers(large)
    assert texts == whole_texts
    for row, scores in found.items():
        assert scores == pytest.approx(whole[row], rel=1e-5)
    module = half(large).parts.model
    kinds = {held.dtype for held in (*module.parameters(), *module.buffers()) if held.is_floating_point()}
    assert kinds == {torch.float32}


def test_others_are_asked_in_float16_as_their_card_wants_it(tmp_path: Path) -> None:
    assert half(tiny.local_model(tiny.model_folder(tmp_path))).parts.model.dtype == torch.float16


def test_likelihoods_that_are_no_numbers_are_no_answers(large: LocalModel, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("strategies.models.careful._is_finite", lambda *_: True)
    broken = half(large)
    with pytest.raises(
        ArithmeticError, match="are no numbers; its number format may be too small, so try --dtype float32"
    ):
        list(broken.score_labels(PROMPTS, [LABELS] * len(PROMPTS)))
    with pytest.raises(ArithmeticError, match="are no numbers"):
        list(broken.generate(PROMPTS, 4, Sampling()))


def test_such_trouble_is_that_of_one_approach_and_not_of_the_run(tmp_path: Path, model_folders: Folders) -> None:
    """Held-out cases, of which no fit knew: the model has no room for them, or no numbers."""
    task = write_task(tmp_path, model_folders)
    wishes = Wishes(approaches=("majority", "prompting"), probes="none", effort="quick")
    for place, (error, says) in enumerate(
        (
            (
                torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 1 GiB.\nGPU 0"),
                "took more graphics memory than",
            ),
            (
                ArithmeticError("the model's likelihoods are no numbers"),
                "failed: the model's likelihoods are no numbers",
            ),
        )
    ):
        with pytest.MonkeyPatch.context() as broken:

            def answer(*_: Any, raised: Exception = error) -> Any:
                raise raised

            broken.setattr(Pipeline, "answer", answer)
            verdict = advise(task, out=tmp_path / f"run {place}", wishes=wishes)
        found = {each.candidate: each for each in verdict.evaluations}
        assert found["majority"].scores
        assert found["prompting"].state is State.INVALID
        assert found["prompting"].problem.startswith(f"answering {says}")
        assert "GPU 0" not in found["prompting"].problem
        assert found["prompting"].problem.endswith("resuming the run tries it again")
