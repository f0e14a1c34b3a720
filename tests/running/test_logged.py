"""The log of a run (`advisor run -v`): what begins, what is done and what a module of ours has to say, in lines on stderr."""

from __future__ import annotations

import io
import logging
import re
from collections.abc import Iterator

import pytest

from advisor.cli.logged import OURS, events_of
from advisor.cli.progress import LiveProgress
from benchmarks.running.plan import Unit
from benchmarks.storage.store import UnitResult
from strategies.contract import Usage


@pytest.fixture
def _as_before() -> Iterator[None]:
    """Loggers are the process's: they are left as they were."""
    known = {name: logging.getLogger(name) for name in OURS}
    kept = {name: (logger.level, logger.handlers, logger.propagate) for name, logger in known.items()}
    yield
    for name, (level, handlers, propagate) in kept.items():
        known[name].level, known[name].handlers, known[name].propagate = level, handlers, propagate


@pytest.mark.usefixtures("_as_before")
def test_each_piece_of_work_is_a_line_when_it_begins_and_when_it_ends(capsys: pytest.CaptureFixture[str]) -> None:
    events = events_of(LiveProgress(io.StringIO()), {}, verbose=True)
    fit = Unit(name="f", kind="fit", candidate="lora \x1b[31m")
    events.started(fit, 1, 1_200)
    logging.getLogger("strategies.models.blockwise").info("attention is the model's own")
    logging.getLogger("httpx").info("a library of others")
    used = Usage(model="m", step="training", prompt_tokens=900, answer_tokens=100, seconds=65.0)
    note = {"chosen": {"selection_score": 0.724}}
    events.finished(fit, UnitResult(unit="f", kind="fit", candidate="lora", usage=(used,), note=note))
    lines = [re.sub(r"^\d\d:\d\d:\d\d ", "", line) for line in capsys.readouterr().err.splitlines()]
    assert lines == [
        "lora, fitting begins, step 1 of 1,200",
        "attention is the model's own",
        "lora, fitting is done: 65 s, 1,000 tokens, 72 % on selection cases",
    ]


@pytest.mark.usefixtures("_as_before")
def test_without_it_nothing_is_logged(capsys: pytest.CaptureFixture[str]) -> None:
    events_of(LiveProgress(io.StringIO()), {}, verbose=False).started(Unit(name="f", kind="fit", candidate="a"), 1, 1)
    assert capsys.readouterr().err == ""
