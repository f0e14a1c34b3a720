"""A training that was cut off goes on from its last whole checkpoint, and ends as one that nobody interrupted.

`tests/running/test_run.py` kills real ones.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from torch.optim.optimizer import register_optimizer_step_post_hook

from strategies.contract import Diverged, Recipe, Training
from strategies.finetuning import checkpoints
from strategies.finetuning.checkpoints import unfinished
from strategies.models.local import LocalModel
from tests import tiny
from tests.strategies.test_training import RECIPE, rows

STEPS = 15
"""Of the whole training: three epochs of five batches."""
CUT = 8
"""In the middle of the second epoch."""


class CutOff(Exception):
    """The training ends here."""


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> LocalModel:
    return tiny.local_model(tiny.model_folder(tmp_path_factory.mktemp("model")))


@pytest.fixture(autouse=True)
def _after_each_step(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(checkpoints, "EVERY_S", 0.0)
    monkeypatch.setattr(checkpoints, "SHARE", float("inf"))


@contextmanager
def steps(cut: int = 0) -> Iterator[list[int]]:
    """Counts the optimizer's steps, and ends the work after that many."""
    counted: list[int] = []

    def count(*_: Any) -> None:
        counted.append(1)
        if len(counted) == cut:
            raise CutOff

    hook = register_optimizer_step_post_hook(count)
    try:
        yield counted
    finally:
        hook.remove()


def train(model: LocalModel, folder: Path, recipe: Recipe = RECIPE, seed: int = 7) -> tuple[Training, int]:
    """The training, and how many steps it took."""
    with steps() as counted:
        done = model.train(rows(), rows(8, 18), recipe, folder, seed)
    return done, len(counted)


def cut_off(model: LocalModel, folder: Path, at: int = CUT, recipe: Recipe = RECIPE) -> None:
    with steps(at), pytest.raises(CutOff):
        model.train(rows(), rows(8, 18), recipe, folder, 7)


def content(done: Training) -> tuple[Any, ...]:
    """All of it but seconds."""
    usage = [replace(use, seconds=0.0) for use in done.usage]
    weights = (done.folder / "adapter_model.safetensors").read_bytes()
    return done.losses, done.validation_losses, done.best_epoch, done.truncated_rows, usage, weights


@pytest.fixture(scope="module")
def whole(model: LocalModel, tmp_path_factory: pytest.TempPathFactory) -> tuple[Any, ...]:
    done, count = train(model, tmp_path_factory.mktemp("whole") / "adapter")
    assert count == STEPS
    return content(done)


@pytest.mark.parametrize("at", [1, 5, CUT, STEPS])
def test_it_ends_with_the_same_losses_and_weights(
    model: LocalModel, whole: tuple[Any, ...], tmp_path: Path, at: int
) -> None:
    """In float32 to the last digit. Of the step at which it was cut off nothing is kept."""
    cut_off(model, tmp_path / "adapter", at)
    assert not (tmp_path / "adapter").exists()
    done, count = train(model, tmp_path / "adapter")
    assert content(done) == whole
    assert count == STEPS - at + 1


def test_cut_off_again_and_again_it_ends_alike(model: LocalModel, whole: tuple[Any, ...], tmp_path: Path) -> None:
    for at in (4, 3, 6):
        cut_off(model, tmp_path / "adapter", at)
    done, count = train(model, tmp_path / "adapter")
    assert content(done) == whole
    assert count == STEPS - (4 + 3 + 6) + 3


def test_dropout_goes_on_where_it_was(model: LocalModel, tmp_path: Path) -> None:
    recipe = replace(RECIPE, dropout=0.3)
    wanted, _ = train(model, tmp_path / "whole", recipe)
    cut_off(model, tmp_path / "adapter", recipe=recipe)
    assert content(train(model, tmp_path / "adapter", recipe)[0]) == content(wanted)


def test_in_bfloat16_it_ends_alike_too(tmp_path: Path, model: LocalModel) -> None:
    half = replace(model, placement=replace(model.placement, dtype="bfloat16"))
    recipe = replace(RECIPE, epochs=1)
    wanted, _ = train(half, tmp_path / "whole", recipe)
    cut_off(half, tmp_path / "adapter", 3, recipe)
    done, _ = train(half, tmp_path / "adapter", recipe)
    assert done.losses == pytest.approx(wanted.losses, rel=1e-3)


def _cut_short(newest: Path) -> None:
    newest.with_suffix(".safetensors").write_bytes(newest.with_suffix(".safetensors").read_bytes()[:-100])


def _changed(newest: Path) -> None:
    tensors = newest.with_suffix(".safetensors")
    found = bytearray(tensors.read_bytes())
    found[-50] ^= 1
    tensors.write_bytes(found)


def _half_a_mark(newest: Path) -> None:
    newest.write_text(newest.read_text()[:40])


def _another_training(newest: Path) -> None:
    newest.write_text(json.dumps({**json.loads(newest.read_text()), "training": "another"}))


DAMAGES: Mapping[str, Callable[[Path], None]] = {
    "cut short": _cut_short,
    "a bit changed": _changed,
    "no tensors": lambda newest: newest.with_suffix(".safetensors").unlink(),
    "no mark": lambda newest: newest.unlink(),
    "half a mark": _half_a_mark,
    "another training": _another_training,
}


@pytest.mark.parametrize("damage", DAMAGES)
def test_one_that_is_not_whole_is_passed_over_and_the_one_before_is_used(
    damage: str, model: LocalModel, whole: tuple[Any, ...], tmp_path: Path
) -> None:
    cut_off(model, tmp_path / "adapter")
    marks = sorted(unfinished(tmp_path / "adapter").glob("*.json"))
    assert [mark.stem for mark in marks] == [str(CUT - 2), str(CUT - 1)]
    DAMAGES[damage](marks[-1])
    done, count = train(model, tmp_path / "adapter")
    assert content(done) == whole
    assert count == STEPS - CUT + 2


@pytest.mark.parametrize("what", ["seed", "recipe", "model"])
def test_another_training_begins_at_the_beginning(what: str, model: LocalModel, tmp_path: Path) -> None:
    cut_off(model, tmp_path / "adapter")
    seed, recipe, other = 7, RECIPE, model
    if what == "seed":
        seed = 8
    elif what == "recipe":
        recipe = replace(RECIPE, learning_rate=6e-3)
    else:
        other = tiny.local_model(tiny.model_folder(tmp_path, seed=1))
    done, count = train(other, tmp_path / "adapter", recipe, seed)
    shutil.rmtree(unfinished(tmp_path / "adapter"))
    wanted, all_of_them = train(other, tmp_path / "whole", recipe, seed)
    assert (content(done), count) == (content(wanted), all_of_them)


def test_a_training_that_diverged_leaves_nothing(model: LocalModel, tmp_path: Path) -> None:
    with pytest.raises(Diverged):
        model.train(rows(), (), replace(RECIPE, learning_rate=1e30), tmp_path / "adapter", 0)
    assert list(tmp_path.iterdir()) == []


def test_a_short_training_writes_none(model: LocalModel, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(checkpoints, "EVERY_S", 30.0)
    train(model, tmp_path / "adapter")
    assert [path.name for path in tmp_path.iterdir()] == ["adapter"]
