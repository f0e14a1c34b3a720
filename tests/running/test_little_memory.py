"""Where the memory does not suffice to train, the approaches that do cannot run, and the others do."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from advisor.experiments.comparison import Wishes, advise
from benchmarks.contract import Candidate
from benchmarks.costs import forecast as forecasts
from benchmarks.costs.forecast import Forecast, forecast, on_workers
from benchmarks.costs.room import with_room
from benchmarks.running.models import Models
from benchmarks.running.plan import Options, candidates
from benchmarks.specs.spec_models import ModelSpec
from strategies.approaches.lora import Lora
from strategies.approaches.prompting import Prompting
from strategies.contract import DeadAdapter, Trains
from strategies.finetuning.partner import ROOM
from strategies.models.device import Fit, Placement
from strategies.models.parts import STATES
from strategies.models.sizes import FIXED_BYTES, bytes_as_float32
from tests import tiny
from tests.conftest import Folders
from tests.desk import call, write_task


def room_for(free: int) -> Callable[..., Fit]:
    return lambda needed, device="cpu": Fit(fits=needed <= free, free=free, sentence=f"needs {needed}; {free} are free")


def test_what_trains_cannot_run_and_the_rest_is_measured_and_it_is_made_once_there_is_memory(
    tmp_path: Path, model_folders: Folders, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    task, run = write_task(tmp_path, model_folders), tmp_path / "run"
    wishes = Wishes(approaches=("majority", "lora"), probes="none", effort="quick")

    waiting: list[list[str]] = []

    def found() -> dict[str, tuple[str, str]]:
        verdict = advise(task, out=run, wishes=wishes)
        waiting.append([each.candidate for each in verdict.evaluations if each.spared])
        return {each.candidate: (str(each.state or ""), each.problem) for each in verdict.evaluations}

    with monkeypatch.context() as little:
        little.setattr(forecasts, "fits", room_for(FIXED_BYTES))
        said = call(capsys, "run", str(task), "--dry-run", "--approach", "majority", "--approach", "lora")
        assert said.code == 0
        assert "note: lora cannot run. The memory does not suffice to train llama-chat-0: the run needs" in said.err
        first = found()
    assert first["majority"] == ("", "")
    assert first["lora"][0] == "cannot run"
    assert first["lora"][1].startswith("The memory does not suffice to train llama-chat-0: the run needs")

    def fit(*_: object) -> None:
        raise DeadAdapter("it is tried")

    monkeypatch.setattr(Lora, "fit", fit)
    assert found() == {"majority": ("", ""), "lora": ("invalid", "it is tried")}
    assert waiting == [["lora"], []], "it keeps its part of the error until it comes, so that what is shown stays shown"


def test_who_trains_holds_a_copy_more_and_trains_alone_where_there_is_no_memory_for_two(
    model_folders: Folders, monkeypatch: pytest.MonkeyPatch
) -> None:
    two = Placement(device="cpu", dtype="float32", threads=2, why="")
    models = Models(specs=(ModelSpec(name="m", folder=str(model_folders.language)),), dtype="float32", _placement=two)
    asked = {each.name: each for each in candidates((Prompting(), Lora()), ("m",))}
    size = bytes_as_float32(model_folders.language)

    def foretold(*names: str) -> Forecast:
        return forecast(tiny.benchmark(), [asked[name] for name in names], models, Options())

    once = FIXED_BYTES + STATES + size
    monkeypatch.setattr(forecasts, "fits", room_for(10**12))
    assert (foretold("prompting").memory, foretold("prompting", "lora").memory) == (once, once + 2 * size + ROOM)
    monkeypatch.setattr(forecasts, "fits", room_for(once + size))
    assert (foretold("lora").fits, foretold("lora").memory) == (True, once + size)
    monkeypatch.setattr(forecasts, "fits", room_for(once))
    assert (foretold("prompting").fits, foretold("lora").fits) == (True, False)
    monkeypatch.setattr(forecasts, "fits", room_for(2 * (once + size)))
    assert on_workers(foretold("lora"), 2, replace(two, threads=4), here=True).fits, "each trains alone then"


def test_the_largest_model_is_not_trained_first_and_where_that_is_no_help_everything_is_refused(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    sizes = {"small": 2, "large": 5}
    monkeypatch.setattr("benchmarks.costs.room.bytes_as_float32", sizes.__getitem__)
    models = cast(Any, SimpleNamespace(language=lambda name: SimpleNamespace(folder=name)))
    found = candidates((Prompting(), Lora()), tuple(sizes))

    def expected(free: int) -> Callable[[Sequence[Candidate]], Forecast]:
        def of(wanted: Sequence[Candidate]) -> Forecast:
            memory = 1 + sum(sizes[each.model] for each in wanted if Trains in each.strategy.needs)
            return Forecast(memory=memory, minutes=1.0, fits=memory <= free, sentence=f"it takes {memory}")

        return of

    def left_out(free: int) -> tuple[bool, int, list[str]]:
        told, no_room = with_room(expected(free), found, models)
        return told.fits, told.memory, list(no_room)

    assert left_out(8) == (True, 8, [])
    assert left_out(3) == (True, 3, ["lora @ large"])
    assert left_out(1) == (True, 1, ["lora @ large", "lora @ small"])
    assert left_out(0) == (False, 8, [])
