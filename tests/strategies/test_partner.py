"""Training with further processes: the same adapter as alone, whoever dies, and nobody who is left behind."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file

from strategies.contract import Diverged, Message, Recipe, Training, TrainingRow
from strategies.finetuning import adapters, partner, training
from strategies.finetuning.packs import Encoded, encode, packed, parts_of, portions, positions
from strategies.finetuning.partner import Partner, places
from strategies.models import device
from strategies.models.device import Placement
from strategies.models.local import LocalModel
from tests import tiny

pytestmark = pytest.mark.skipif(os.name != "posix", reason="there the second process is not started")

RECIPE = Recipe(learning_rate=5e-3, rank=4, alpha=8, epochs=2, batch_size=4, smoothing=0.1)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny.model_folder(tmp_path_factory.mktemp("partner"))


@pytest.fixture
def model(folder: Path) -> LocalModel:
    one = tiny.local_model(folder)
    return replace(one, placement=replace(one.placement, threads=2))


@pytest.fixture(autouse=True)
def paired(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Every training is worth another process, and every batch is shared out."""
    monkeypatch.setattr(partner, "LEAST_WORK", {"cpu": 0, "cuda": 0})
    monkeypatch.setattr(partner, "SLOWER", 0.0)
    yield
    partner._end_all()
    partner._kept.clear()


def rows(count: int = 16, start: int = 0) -> list[TrainingRow]:
    return [
        TrainingRow(prompt=(Message("system", "Sort it."), Message("user", case.input)), answer=case.output)
        for case in tiny.messages(count, start)
    ]


def train(model: LocalModel, folder: Path, recipe: Recipe = RECIPE) -> Training:
    return model.train(rows(), rows(6, 16), recipe, folder, 7)


def alone(model: LocalModel) -> LocalModel:
    return replace(model, placement=replace(model.placement, threads=1))


def weights(done: Training) -> dict[str, torch.Tensor]:
    return load_file(done.folder / "adapter_model.safetensors")


def same(first: Training, second: Training) -> None:
    assert first.losses == pytest.approx(second.losses, rel=1e-4)
    assert first.validation_losses == pytest.approx(second.validation_losses, rel=1e-4)
    ours, theirs = weights(first), weights(second)
    assert ours.keys() == theirs.keys()
    for name, weight in ours.items():
        torch.testing.assert_close(weight, theirs[name], rtol=1e-3, atol=2e-4)


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Process numbers of the partners that were asked, once for each time."""
    found: list[int] = []
    usual = Partner.ask

    def noted(self: Partner, *given: Any) -> None:
        found.append(self.process.pid)
        usual(self, *given)

    monkeypatch.setattr(Partner, "ask", noted)
    return found


# ---------------------------------------------------------------- the same adapter


def test_two_processes_train_what_one_does(model: LocalModel, tmp_path: Path, asked: list[int]) -> None:
    both = train(model, tmp_path / "both")
    assert len(asked) == 8, "four batches in each of two epochs"
    same(both, train(alone(model), tmp_path / "one"))
    assert len(asked) == 8
    used = [each.usage[0] for each in (both, train(alone(model), tmp_path / "again"))]
    assert used[0].prompt_tokens == used[1].prompt_tokens
    assert used[0].answer_tokens == used[1].answer_tokens


@pytest.fixture
def three(monkeypatch: pytest.MonkeyPatch) -> None:
    """As on a machine with three graphics cards, but that all of them are its processor."""

    def both(model: LocalModel, *given: Any) -> tuple[Placement, ...]:
        return (replace(model.placement, threads=1),) * 2 if model.placement.threads > 1 else ()

    monkeypatch.setattr(partner, "places", both)


@pytest.mark.nightly
def test_three_processes_train_what_one_does(model: LocalModel, tmp_path: Path, asked: list[int], three: None) -> None:
    all_of_them = train(model, tmp_path / "three")
    assert list(Counter(asked).values()) == [8, 8], "each of the two, for each batch"
    same(all_of_them, train(alone(model), tmp_path / "one"))


@pytest.mark.nightly
def test_of_several_that_train_along_one_is_killed_and_the_others_go_on(
    model: LocalModel, tmp_path: Path, asked: list[int], three: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    usual = Partner.losses

    def killing(self: Partner, *given: Any) -> list[float]:
        if self.process.pid == asked[0]:
            self.process.kill()
            self.process.wait()
            raise EOFError
        return usual(self, *given)

    monkeypatch.setattr(Partner, "losses", killing)
    same(train(model, tmp_path / "both"), train(alone(model), tmp_path / "one"))
    assert sorted(Counter(asked).values()) == [1, 8]


@pytest.mark.nightly
def test_the_same_training_gives_the_same_bytes_by_the_same_process(
    model: LocalModel, tmp_path: Path, asked: list[int]
) -> None:
    first, second = train(model, tmp_path / "first"), train(model, tmp_path / "second")
    assert len(set(asked)) == 1, "who trained along waits for the next training"
    ours, theirs = ((each.folder / "adapter_model.safetensors").read_bytes() for each in (first, second))
    assert ours == theirs
    assert first.losses == second.losses


@pytest.mark.parametrize("number", [2, 3, 4])
def test_of_the_portions_of_a_batch_none_is_much_longer(model: LocalModel, number: int) -> None:
    batch = [encode(model.chat, row, 512) for row in rows(9)]
    found = portions(batch, number)
    assert len(found) == number
    assert sorted(len(row.ids) for part in found for row in part) == sorted(len(row.ids) for row in batch)
    sizes = [sum(len(row.ids) for row in part) for part in found]
    assert max(sizes) - min(sizes) <= max(len(row.ids) for row in batch)
    assert [len(part) for part in portions(batch[:2], 4)] == [1, 1]


def test_a_long_beginning_is_not_read_twice(model: LocalModel, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Rows whose own part is short: both processes would read nearly all of it."""
    monkeypatch.undo()
    run = training._Run(adapters.attach(model.base(), RECIPE, 0), RECIPE, 0, 0.0)
    run.partners = [Partner.started()]
    run.partners[0].place = model.placement
    try:
        long = [Encoded((*range(5, 105), 5 + number, 9), 101) for number in range(4)]
        short = [Encoded((number, *range(5, 105)), 100) for number in range(5, 9)]
        assert len(run._shared_out(long)) == 1
        assert [[len(rows) for _, rows in passes] for passes in run._shared_out(short)] == [[2], [2]]
        assert len(run._shared_out(short[:1])) == 1
        passes = packed(parts_of(run.module), long)
        assert positions(passes) == 100 + 4 * 2
    finally:
        run.partners[0].end()


# ---------------------------------------------------------------- whoever ends


@pytest.mark.parametrize("after", [pytest.param(0, marks=pytest.mark.nightly), 3])
def test_who_is_killed_is_not_missed(
    model: LocalModel, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, after: int
) -> None:
    usual, times = Partner.ask, []

    def killing(self: Partner, *given: Any) -> None:
        usual(self, *given)
        times.append(self)
        if len(times) > after:
            os.kill(self.process.pid, signal.SIGKILL)

    monkeypatch.setattr(Partner, "ask", killing)
    same(train(model, tmp_path / "both"), train(alone(model), tmp_path / "one"))
    assert len(times) in {after + 1, after + 2}, "it may have answered before it died"
    assert not times[-1].alive


@pytest.mark.nightly
def test_who_died_while_it_waited_is_replaced(model: LocalModel, tmp_path: Path, asked: list[int]) -> None:
    train(model, tmp_path / "first")
    (kept,) = partner._kept
    kept.process.kill()
    kept.process.wait()
    train(model, tmp_path / "second")
    assert len(set(asked)) == 2


@pytest.mark.nightly
def test_who_cannot_load_is_done_without(
    model: LocalModel,
    tmp_path: Path,
    asked: list[int],
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    usual = Partner.begin
    monkeypatch.setattr(
        Partner,
        "begin",
        lambda self, given, *more: usual(self, replace(given, folder=tmp_path / "nowhere"), *more),
    )
    same(train(model, tmp_path / "both"), train(alone(model), tmp_path / "one"))
    assert asked == []
    assert "trains without another process: OSError" in caplog.text


@pytest.mark.nightly
def test_a_divergence_or_an_interruption_leaves_nobody_behind(
    model: LocalModel, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    begun: list[Partner] = []
    usual = Partner.started.__func__  # type: ignore[attr-defined]  # of a class method

    def started(cls: type[Partner]) -> Partner:
        begun.append(usual(cls))
        return begun[-1]

    monkeypatch.setattr(Partner, "started", classmethod(started))
    with pytest.raises(Diverged, match="loss became"):
        train(model, tmp_path / "diverged", replace(RECIPE, learning_rate=1e30))
    monkeypatch.setattr(training._Run, "_validated", _interrupt)
    with pytest.raises(KeyboardInterrupt):
        train(model, tmp_path / "interrupted")
    assert len(begun) == 2
    assert not any(each.alive for each in begun)
    assert partner._kept == []


def _interrupt(self: Any, held: Sequence[Encoded]) -> None:
    raise KeyboardInterrupt


PARENT = """
import sys, time
from pathlib import Path
from strategies.contract import Recipe
from strategies.finetuning.partner import Partner
from tests import tiny
one = tiny.local_model(Path(sys.argv[1]))
found = Partner.started()
found.begin(one, Recipe(rank=4, alpha=8), 0)
assert found.ready()
print(found.process.pid, flush=True)
time.sleep(60)
"""


def test_who_trains_may_be_killed_and_the_other_ends_too(folder: Path) -> None:
    with subprocess.Popen([sys.executable, "-c", PARENT, str(folder)], stdout=subprocess.PIPE, text=True) as parent:
        assert parent.stdout is not None
        number = int(parent.stdout.readline())
        assert Path(f"/proc/{number}").exists() or sys.platform != "linux"
        parent.kill()
    until = time.monotonic() + 10
    while _runs(number) and time.monotonic() < until:
        time.sleep(0.05)
    assert not _runs(number)


def _runs(number: int) -> bool:
    try:
        os.kill(number, 0)
    except ProcessLookupError:
        return False
    stat = Path(f"/proc/{number}/stat")
    return not (stat.exists() and stat.read_text(encoding="ascii").rsplit(")", 1)[1].split()[0] == "Z")


# ---------------------------------------------------------------- when


def test_it_is_worth_it_for_long_trainings_on_several_threads_of_a_processor(
    model: LocalModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    encoded = [encode(model.chat, row, 512) for row in rows(4)]
    assert places(model, encoded, RECIPE) == (replace(model.placement, threads=1),)
    assert not places(alone(model), encoded, RECIPE)
    assert not places(model, encoded, replace(RECIPE, dropout=0.1)), "what is dropped is drawn in one process"
    monkeypatch.setattr(partner, "memory_available", lambda device: 1_000_000_000)
    assert not places(model, encoded, RECIPE)
    monkeypatch.undo()
    assert not places(model, encoded, RECIPE), "so short a training is over before the other process has begun"


def test_on_cards_it_is_each_other_one_that_has_room(model: LocalModel, monkeypatch: pytest.MonkeyPatch) -> None:
    encoded = [encode(model.chat, row, 512) for row in rows(4)]
    first = replace(model.placement, device="cuda:0", threads=8, beside=("cuda:1", "cuda:2", "cuda:3"))
    room = {"cuda:1": 80e9, "cuda:2": 1e9, "cuda:3": 80e9}
    monkeypatch.setattr(partner, "memory_available", room.__getitem__)
    found = places(replace(model, placement=first), encoded, RECIPE)
    assert [(each.device, each.threads, each.beside) for each in found] == [("cuda:1", 8, ()), ("cuda:3", 8, ())]
    assert not places(replace(model, placement=replace(first, beside=())), encoded, RECIPE)
    assert not places(replace(model, placement=first, quantised=True), encoded, RECIPE)


def test_cards_that_nobody_named_train_along_but_not_those_of_other_workers(
    monkeypatch: pytest.MonkeyPatch, folder: Path
) -> None:
    monkeypatch.delenv("ADVISOR_DEVICE", raising=False)
    monkeypatch.setattr(device, "_available", lambda: ["cuda:0", "cuda:1", "cpu"])
    found = device.choose(dtype="bfloat16")
    assert found.beside == ("cuda:1",)
    assert str(found).endswith("; long trainings also on cuda:1")
    assert device.choose("cuda:1", "bfloat16").beside == ()
    models = replace(tiny.models(folder), _placement=found)
    assert models.for_worker(2, 1).placement.beside == ()
