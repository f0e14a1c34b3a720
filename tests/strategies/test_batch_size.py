"""How many tokens are read at once: measured where it can be, remembered, and decided by the person who says so."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from unittest.mock import Mock

import pytest
import torch

from benchmarks.costs.forecast import matrix_rate
from strategies.models import measured
from strategies.models.batch_size import SIZES, USUAL, _Layer, batch_tokens, ways
from strategies.models.device import Placement
from tests.tiny import ARCHITECTURES, FLOAT32


@pytest.fixture(autouse=True)
def nothing_known(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("ADVISOR_CACHE", str(tmp_path))
    monkeypatch.delenv("ADVISOR_BATCH_TOKENS")
    monkeypatch.setattr(measured, "busy", lambda: False)


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_it_is_measured_once_at_the_shape_of_the_model(architecture: str, monkeypatch: pytest.MonkeyPatch) -> None:
    config = ARCHITECTURES[architecture]()
    chosen = batch_tokens(config, FLOAT32)
    (timing,) = measured.remembered()
    assert chosen == int(timing.choice)
    assert set(timing.seconds) == set(map(str, SIZES["cpu"]))
    assert f"{config.get_text_config().hidden_size} x " in timing.question
    monkeypatch.setattr(measured, "busy", lambda: True)
    assert batch_tokens(config, FLOAT32) == chosen


def test_a_model_whose_layers_have_several_sizes_is_tried_at_the_largest() -> None:
    text = SimpleNamespace(hidden_size=32, intermediate_size=[64, 96])
    assert "32 x 96 in" in ways(SimpleNamespace(get_text_config=lambda: text), FLOAT32)[0]


def test_all_sizes_do_the_same_work(monkeypatch: pytest.MonkeyPatch) -> None:
    read: list[int] = []
    own = torch.nn.functional.silu

    def noted(states: torch.Tensor) -> torch.Tensor:
        read.append(len(states))
        return own(states)

    monkeypatch.setattr(torch.nn.functional, "silu", noted)
    for size, work in ways(ARCHITECTURES["llama"](), FLOAT32)[1].items():
        read.clear()
        work()
        assert sum(read) == max(SIZES["cpu"])
        assert set(read) == {int(size)}


def test_on_a_busy_machine_it_is_the_usual_size(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(measured, "busy", lambda: True)
    assert batch_tokens(ARCHITECTURES["llama"](), FLOAT32) == USUAL
    assert measured.remembered() == []


def test_another_number_format_is_another_question() -> None:
    config = ARCHITECTURES["llama"]()
    assert ways(config, FLOAT32)[0] != ways(config, replace(FLOAT32, dtype="bfloat16"))[0]


def test_the_person_decides(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ADVISOR_BATCH_TOKENS", "512")
    assert batch_tokens(ARCHITECTURES["llama"](), FLOAT32) == 512
    monkeypatch.setenv("ADVISOR_BATCH_TOKENS", "many")
    with pytest.raises(ValueError, match=r"ADVISOR_BATCH_TOKENS is 'many'; it is a whole number from 1 on\."):
        batch_tokens(ARCHITECTURES["llama"](), FLOAT32)


@pytest.mark.parametrize(("place", "library"), [("cuda:0", torch.cuda), ("mps", torch.mps)])
def test_what_a_card_or_mps_computes_is_waited_for_where_it_is_timed(
    place: str, library: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Only cards were where the minutes of a run are forecast: on MPS products were timed that had only been asked for."""
    draw, waits = torch.randn, Mock()
    monkeypatch.setattr(torch, "randn", lambda *shape, device: draw(*shape))
    monkeypatch.setattr(library, "synchronize", waits)
    placement = Placement(device=place, dtype="float32", threads=1, why="")
    matrix_rate.__wrapped__(placement)
    assert waits.called
    waits.reset_mock()
    _Layer(8, 16, placement).read(4, 4)
    assert waits.called
