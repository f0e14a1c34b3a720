"""The log of a run on stderr (`advisor run -v`): a line when a piece of work begins and when it is done, and what libraries of
ours have to say."""

from __future__ import annotations

import logging
import sys
from collections.abc import Mapping
from typing import TYPE_CHECKING, TextIO

from advisor.cli.progress import WORK, LiveProgress, RunEvents, selection_score
from advisor.reports.text import one_line
from advisor.wording import counted, duration, percent

if TYPE_CHECKING:
    from benchmarks.costs.prices import TokenPrices
    from benchmarks.running.plan import Unit
    from benchmarks.storage.store import UnitResult

OURS = ("advisor", "benchmarks", "strategies")
_LOG = logging.getLogger(__name__)


class _Stderr(logging.StreamHandler[TextIO]):
    """Writes to whatever stderr is at the moment: a terminal's live display puts itself in its place."""

    @property
    def stream(self) -> TextIO:
        return sys.stderr

    @stream.setter
    def stream(self, _: TextIO) -> None: ...


def log_to_stderr() -> None:
    """From here on what our own modules log is written, with the time, from the level INFO on."""
    handler = _Stderr()
    handler.setFormatter(logging.Formatter("%(asctime)s %(message)s", datefmt="%H:%M:%S"))
    for name in OURS:
        logger = logging.getLogger(name)
        logger.setLevel(logging.INFO)
        logger.handlers, logger.propagate = [handler], False


def events_of(live: LiveProgress, prices: Mapping[str, TokenPrices | None], verbose: bool) -> RunEvents:
    """What takes the events of a run; where a log is wanted, it begins here."""
    if verbose:
        log_to_stderr()
    return (LoggedEvents if verbose else RunEvents)(live, prices)


class LoggedEvents(RunEvents):
    """The same events, each beginning and end in the log too."""

    def started(self, unit: Unit, number: int, total: int) -> None:
        super().started(unit, number, total)
        _LOG.info("%s begins, step %s of %s", _named(unit), f"{number:,}", f"{total:,}")

    def finished(self, unit: Unit, done: UnitResult) -> None:
        super().finished(unit, done)
        tokens = sum(each.prompt_tokens + each.answer_tokens for each in done.usage)
        seconds = sum(each.seconds for each in done.usage)
        said = [*([counted(len(done.rows), "answer")] * bool(done.rows)), duration(seconds), counted(tokens, "token")]
        if (score := selection_score(unit, done)) is not None:
            said.append(f"{percent(score)} on selection cases")
        if problem := (done.note or {}).get("problem"):
            said.append(one_line(str(problem)))
        _LOG.info("%s is done: %s", _named(unit), ", ".join(said))


def _named(unit: Unit) -> str:
    return f"{one_line(unit.candidate)}, {WORK.get(unit.kind, unit.kind)}"
