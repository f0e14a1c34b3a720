"""Shows live how far a run is: cases done, rate, time left, spend and the best so far; silent without a terminal."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from types import TracebackType
from typing import TYPE_CHECKING, TextIO

from advisor.cli.shown import console
from advisor.reports.text import one_line, shortened
from advisor.wording import counted, duration, money, percent

if TYPE_CHECKING:
    from rich.console import RenderableType
    from rich.live import Live

    from benchmarks.costs.prices import TokenPrices
    from benchmarks.running.plan import Unit
    from benchmarks.storage.store import UnitResult

_SHOWN = 12
"""Candidates on screen at most; the finished ones that came first give way."""
_COLUMNS, _ROOMY = 6, 105
"""Cells of a line, and the width from which names are longer and tokens stand in every line."""
WORK = {
    "fit": "fitting",
    "answer": "answering",
    "edit": "edited inputs",
    "repeat": "repeats",
    "format": "other prompt forms",
    "reworded": "requests in other words",
    "latency": "latency",
    "seed": "second seed",
    "oracle": "gold documents",
    "handed": "right passages",
    "forgetting": "general text",
    "by heart": "facts without documents",
    "curve": "fewer examples",
    "planted": "planted instructions",
    "rebuild": "rebuilding",
    "changed": "changed facts",
    "added": "added labels",
    "altered": "an altered format",
}
"""Kind of a unit of work -> what is said of it."""


@dataclass(frozen=True, kw_only=True)
class Progressed:
    """What a run tells while it goes on."""

    candidate: str
    what: str
    """What is being done: `answering`, `LoRA: long trainings`."""
    done: int
    total: int
    tokens: int = 0
    """Model tokens that the candidate has spent so far."""
    seconds: float = 0.0
    """Machine seconds that the candidate has spent so far."""
    unit: str = ""
    """The piece of the candidate's work that `done` and `total` are of: several may be under way at once."""


@dataclass(kw_only=True)
class _Piece:
    """Counts of one unit, and when it began at which."""

    since: float
    first: int
    now: float
    done: int
    total: int

    @property
    def rate(self) -> float:
        """Cases a second; 0 before it moved."""
        moved, passed = self.done - self.first, self.now - self.since
        return moved / passed if moved > 0 and passed > 0 else 0.0


@dataclass(kw_only=True)
class _Line:
    """What is known of one candidate: its last event, and the pieces of the present work."""

    event: Progressed
    pieces: dict[str, _Piece] = field(default_factory=dict)
    over: bool = False

    @property
    def done(self) -> int:
        return sum(piece.done for piece in self.pieces.copy().values())

    @property
    def total(self) -> int:
        return sum(piece.total for piece in self.pieces.copy().values())

    @property
    def rate(self) -> float | None:
        """Cases a second of all pieces that go on, the last one where none does; None before one moved."""
        pieces = list(self.pieces.copy().values())
        going = [piece for piece in pieces if piece.done < piece.total] or pieces[-1:]
        return sum(piece.rate for piece in going) or None

    @property
    def left_s(self) -> float | None:
        return None if self.rate is None else max(self.total - self.done, 0) / self.rate


class LiveProgress:
    """A context manager that takes events and draws them on stderr, one line a candidate and one for the whole.

    Nothing at all is written where the stream is no terminal, or a terminal that cannot move its cursor.
    """

    def __init__(self, stream: TextIO | None = None, clock: Callable[[], float] = time.monotonic) -> None:
        self._stream = stream if stream is not None else sys.stderr
        self._clock = clock
        self._lines: dict[str, _Line] = {}
        self._live: Live | None = None
        self._step = ""
        self._paid: dict[str, float] = {}
        self._best: tuple[float, str] | None = None

    def __enter__(self) -> LiveProgress:
        if self._stream.isatty():
            from rich.live import Live

            to = console(self._stream)
            if not to.is_dumb_terminal:
                self._live = Live(
                    get_renderable=lambda: self.shown(to.width),
                    console=to,
                    refresh_per_second=4,
                    transient=True,
                )
                self._live.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._live is not None:
            self._live.stop()
            self._live = None

    def tell(self, event: Progressed) -> None:
        """Takes one event. Another `what` of the same candidate, or a count of a unit that falls, begins a new rate."""
        now = self._clock()
        line = self._lines.get(event.candidate)
        if line is None or line.event.what != event.what:
            line = self._lines[event.candidate] = _Line(event=event)
        line.event, line.over = event, False
        piece = line.pieces.get(event.unit)
        since, first = (now, event.done) if piece is None or event.done < piece.done else (piece.since, piece.first)
        line.pieces[event.unit] = _Piece(since=since, first=first, now=now, done=event.done, total=event.total)

    def finished(self, candidate: str) -> None:
        """Says that no more events of this candidate are to come."""
        if candidate in self._lines:
            self._lines[candidate].over = True

    def step(self, number: int, total: int) -> None:
        """Says how far the whole run is: the piece of work that is being done, of how many."""
        self._step = f"step {number:,} of {total:,}, "

    def paid(self, money: float, currency: str) -> None:
        """Adds what a server was paid."""
        self._paid[currency] = self._paid.get(currency, 0.0) + money

    def chosen(self, candidate: str, score: float) -> None:
        """Says what a finished fit scores on the selection cases, which approaches are chosen by: held-out ones tell nothing
        before the end."""
        if self._best is None or score > self._best[0]:
            self._best = score, candidate

    def shown(self, width: int = 100) -> RenderableType:
        """What a terminal of that width shows now: a table without frame, and the sum of what was spent."""
        from rich.console import Group
        from rich.table import Table
        from rich.text import Text

        grid = Table.grid(padding=(0, 2, 0, 0))
        for index in range(_COLUMNS):
            grid.add_column(justify="left" if index < 2 else "right", no_wrap=True)
        for line in self._on_screen():
            grid.add_row(*(Text(cell, style="dim" if line.over else "") for cell in _cells(line, width)))
        events = [line.event for line in self._lines.copy().values()]
        seconds, tokens = sum(event.seconds for event in events), sum(event.tokens for event in events)
        paid = [f"{currency} {money(each)}" for currency, each in self._paid.copy().items()]
        spent = ", ".join([duration(seconds), counted(tokens, "token"), *paid])
        lines = [f"{self._step}spent so far: {spent}"]
        if self._best is not None:
            score, name = self._best
            lines.append(f"best so far: {shortened(one_line(name), 40)}, {percent(score)} on selection cases")
        return Group(grid, *(Text(line, style="dim") for line in lines))

    def _on_screen(self) -> list[_Line]:
        """All lines that go on, and the latest of those that are over, in the order of their beginning."""
        lines = self._lines.copy()  # the thread that draws is not the one that tells
        over = [name for name, line in lines.items() if line.over]
        running = len(lines) - len(over)
        kept = set(over[len(over) - max(_SHOWN - running, 0) :] if running < _SHOWN else [])
        return [line for name, line in lines.items() if not line.over or name in kept]


class RunEvents:
    """Turns what a run tells (`benchmarks.running.scheduler.Events`) into events of `LiveProgress`."""

    def __init__(self, live: LiveProgress, prices: Mapping[str, TokenPrices | None]) -> None:
        """`prices`: of the models that are paid by their tokens; None where one is not known."""
        self._live, self._prices = live, prices
        self._begun: dict[str, set[str]] = {}
        """Candidate -> its units that go on."""
        self._tokens: dict[str, int] = {}
        self._seconds: dict[str, float] = {}
        self._totals: dict[str, int] = {}
        """Unit -> of how many cases it told last."""

    def started(self, unit: Unit, number: int, total: int) -> None:
        for name, units in self._begun.items():
            if not units and name != unit.candidate:
                self._live.finished(name)
        self._begun.setdefault(unit.candidate, set()).add(unit.name)
        self._live.step(number, total)
        self.progress(unit, 0, 1, "")

    def progress(self, unit: Unit, done: int, total: int, what: str) -> None:
        self._totals[unit.name] = total
        self._live.tell(
            Progressed(
                candidate=unit.candidate,
                unit=unit.name,
                what=what or WORK.get(unit.kind, unit.kind),
                done=done,
                total=total,
                tokens=self._tokens.get(unit.candidate, 0),
                seconds=self._seconds.get(unit.candidate, 0.0),
            )
        )

    def finished(self, unit: Unit, done: UnitResult) -> None:
        """Adds what the unit used; that of its answers is among it."""
        name = unit.candidate
        for each in done.usage:
            self._tokens[name] = self._tokens.get(name, 0) + each.prompt_tokens + each.answer_tokens
            self._seconds[name] = self._seconds.get(name, 0.0) + each.seconds
            if (price := self._prices.get(each.model)) is not None:
                self._live.paid(
                    price.money(each.prompt_tokens, each.cached_tokens, each.answer_tokens, each.calls), price.currency
                )
        if (score := selection_score(unit, done)) is not None:
            self._live.chosen(name, score)
        self._begun.setdefault(name, set()).discard(unit.name)
        total = self._totals.get(unit.name, 1)
        self.progress(unit, total, total, "")


def selection_score(unit: Unit, done: UnitResult) -> float | None:
    """What a finished fit scores on the selection cases; None of other work, and where nothing was chosen."""
    chosen = (done.note or {}).get("chosen") if unit.kind == "fit" else None
    score = chosen.get("selection_score") if isinstance(chosen, Mapping) else None
    return float(score) if isinstance(score, int | float) else None


def _cells(line: _Line, width: int) -> tuple[str, ...]:
    """Name, what, count, rate, time left, spend; tokens only where there is room, since the sum shows them too."""
    event = line.event
    roomy = width >= _ROOMY
    spend = [duration(event.seconds)] if event.seconds else []
    if event.tokens and roomy:
        spend.append(f"{_short(event.tokens)} tokens")
    name = shortened(one_line(event.candidate), 34 if roomy else 22)
    if line.over:
        return name, "done", "", "", "", ", ".join(spend)
    what = shortened(one_line(event.what).rpartition(": ")[2], 22 if roomy else 15)
    rate = "" if line.rate is None else f"{line.rate:.1f}/s" if line.rate >= 0.95 else f"{line.rate * 60:.1f}/min"
    left = "" if line.left_s is None else f"{duration(round(line.left_s))} left"
    return name, what, f"{line.done:,}/{line.total:,}", rate, left, ", ".join(spend)


def _short(tokens: int) -> str:
    """`940`, `12k`, `3.4M`."""
    if tokens < 1_000:
        return str(tokens)
    return f"{tokens / 1e3:.0f}k" if tokens < 999_500 else f"{tokens / 1e6:.1f}M"
