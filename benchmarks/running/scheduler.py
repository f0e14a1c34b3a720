"""Which units of a run may begin now: what each waits for, what is left out because of what came before, and storing each."""

from __future__ import annotations

import json
from collections import Counter, OrderedDict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import InitVar, dataclass, field, replace
from itertools import takewhile
from typing import Any, Protocol

from benchmarks.contract import Benchmark, Candidate, Evaluation
from benchmarks.running.economical import SPARED, TOO_FEW, Economy, Terms, above_the_ceiling, out_of_reach
from benchmarks.running.left import LEFT, as_left
from benchmarks.running.models import Models
from benchmarks.running.plan import Unit, described, is_taught, lane_of, shards
from benchmarks.statistics.families import REST
from benchmarks.statistics.sequential import StopRule
from benchmarks.storage.store import AGAIN, Store, UnitResult


class Events(Protocol):
    """What a run tells while it goes on; of several units at once where several workers perform them."""

    def started(self, unit: Unit, number: int, total: int) -> None: ...

    def progress(self, unit: Unit, done: int, total: int, what: str) -> None: ...

    def finished(self, unit: Unit, done: UnitResult) -> None: ...


class NullEvents:
    """Events for nobody."""

    def started(self, unit: Unit, number: int, total: int) -> None: ...

    def progress(self, unit: Unit, done: int, total: int, what: str) -> None: ...

    def finished(self, unit: Unit, done: UnitResult) -> None: ...


@dataclass(frozen=True, kw_only=True)
class Rules:
    """What may leave units out while the run goes on."""

    enough: Callable[[Sequence[float], Sequence[str]], bool] | None = None
    """Whether the scores of the first held-out cases, and the groups of these, settle a candidate, so that it is asked no
    more; None: everything is asked."""
    economy: Economy | None = None
    """Which candidates are not worth fitting; None: every one is."""
    no_room: Mapping[str, str] = field(default_factory=dict)
    """Candidates that there is no memory to fit now -> why."""


def rules_of(benchmark: Benchmark, level: float, economical: Terms | None) -> Rules:
    """Those that a target brings with it: `level` is that of one claim about one candidate. `economical`: what the gate
    before each fit goes by; None: everything is fitted."""
    if benchmark.target is None:
        return Rules()
    largest = benchmark.stops_with
    stop = None if largest is None else StopRule(target=benchmark.target, level=level, largest=largest)
    walked = (
        benchmark.procedure == "cheapest first" and not benchmark.sequential
    )  # Of which the others have what is left.
    claim = level * (REST if walked else 1)
    if economical is None:
        return Rules(enough=stop)
    above = above_the_ceiling(benchmark, economical.ceiling)
    few = "" if above else out_of_reach(benchmark)
    economy = Economy(
        target=benchmark.target,
        level=claim,
        stops_with=largest,
        hopeless=above or few,
        too_few=bool(few),
        terms=economical,
    )
    return Rules(enough=stop, economy=economy)


@dataclass(kw_only=True)
class _Line:
    """How far one candidate is."""

    candidate: Candidate
    place: int
    """In the plan."""
    lane: tuple[str, str]
    """Whose fits share searches and trainings (`plan.lane_of`); the model is what it is, not its name."""
    left: OrderedDict[str, Unit] = field(default_factory=OrderedDict)
    """Units neither begun nor over, in the order of the plan. Taken from its front: a plain dict walks over all that was taken
    before, which is most of the time of a run of ten million cases."""
    running: dict[str, Unit] = field(default_factory=dict)
    kinds: Counter[str] = field(default_factory=Counter)
    """How many units of each kind are in either."""
    fitted: bool = False
    chosen: Any = None

    @property
    def over(self) -> bool:
        return not self.left and not self.running

    def runs(self, kind: str) -> bool:
        return any(unit.kind == kind for unit in self.running.values())


@dataclass(kw_only=True)
class Scheduler:
    """The plan less what is finished. Whoever performs units takes them here and brings back what they brought.

    Taken one at a time they come in the order of the plan. Taken several at a time each comes once all that it depends on
    is stored, so the rows are the same: configurations of one approach with one model are fitted one after another, since
    they share a search and the later one may be a twin of the earlier; and waiting times are measured while nothing else
    runs.
    """

    benchmark: Benchmark
    models: Models
    store: Store
    events: Events
    rules: Rules
    candidates: Sequence[Candidate]
    plan: InitVar[Sequence[tuple[Unit, Candidate]]]
    _total: int = 0
    _over: int = 0
    """Units that were begun, left out or finished earlier."""
    _worded: bool = False
    """Requests in other words were written in this run."""
    _lines: dict[str, _Line] = field(default_factory=dict)

    def __post_init__(self, plan: Sequence[tuple[Unit, Candidate]]) -> None:
        finished = {name: note for name, note in self.store.finished().items() if not note.get(AGAIN)}
        self._total = len(plan)
        for unit, candidate in plan:
            if candidate.name not in self._lines:
                model = self.models.language(candidate.model).fingerprint if candidate.model else ""
                lane = lane_of(candidate, model)
                self._lines[candidate.name] = _Line(candidate=candidate, place=len(self._lines), lane=lane)
            line = self._lines[candidate.name]
            if unit.name in finished:
                self._over += 1
            else:
                line.left[unit.name] = unit
                line.kinds[unit.kind] += 1
        for unit, candidate in plan:
            if unit.kind == "fit" and unit.name in finished:
                self._fitted(self._lines[candidate.name], finished[unit.name])
        self.store.set_meta(*self._left())
        for line in self._lines.values():
            self._leave_out(line)

    def begun(self) -> list[str]:
        """Candidates that were fitted before and have units left which load that fit; a rebuild fits anew."""
        return [
            name
            for name, line in self._lines.items()
            if line.fitted and any(unit.kind != "rebuild" for unit in line.left.values())
        ]

    # ------------------------------------------------------------ taking and bringing back

    def take(self, near: str | None = None) -> Unit | None:
        """The next unit, which counts as begun from now on; None where all that is left waits for what is running.

        `near` is the candidate that whoever asks has at hand, or empty: fits come first then, the longest before the
        others, and units of that candidate before those of another one. None: the order of the plan.
        """
        while (unit := self._next(near)) is not None:
            line = self._lines[unit.candidate]
            del line.left[unit.name]
            self._over += 1
            line.running[unit.name] = unit
            self.events.started(unit, self._over, self._total)
            self.store.begin(unit.name, unit.kind, unit.candidate)
            done = self._settled(unit)
            if done is None:
                return unit
            self.finish(done)
        return None

    def again(self, unit: Unit) -> None:
        """Whoever took the unit was lost: it is there to be taken once more."""
        line = self._lines[unit.candidate]
        del line.running[unit.name]
        line.left[unit.name] = unit
        line.left.move_to_end(unit.name, last=False)
        self._over -= 1

    def finish(self, done: UnitResult) -> None:
        """Stores what a unit brought, in one transaction."""
        line = self._lines[done.candidate]
        unit = line.running.pop(done.unit)
        line.kinds[unit.kind] -= 1
        if unit.kind == "fit":
            done = self._told_apart(done)
            self._fitted(line, done.note or {})
        elif unit.kind == "answer" and (done.note or {}).get("problem"):
            self._give_up(line)
        self.store.finish(done, self._left())
        if unit.kind == "answer":
            self._leave_out(line)
        self._worded |= unit.kind == "reworded"
        self.events.finished(unit, done)

    def _left(self) -> tuple[str, Any]:
        """What is neither finished nor left out by now, as the store keeps it."""
        return LEFT, as_left((name, line.kinds) for name, line in self._lines.items())

    def _fitted(self, line: _Line, note: Mapping[str, Any]) -> None:
        line.fitted = True
        if note.get("problem"):
            self._give_up(line)
        else:
            line.chosen = _plain(note.get("chosen"))

    def _give_up(self, line: _Line) -> None:
        """Nothing more is begun of a candidate with a problem; what is running of it comes back."""
        self._over += len(line.left)
        line.kinds.subtract(unit.kind for unit in line.left.values())
        line.left.clear()

    # ------------------------------------------------------------ what may begin

    def _next(self, near: str | None) -> Unit | None:
        busy = [line for line in self._lines.values() if line.running]
        if any(line.runs("latency") for line in busy):
            return None
        ready = [unit for line in self._lines.values() if (unit := self._first(line, bool(busy))) is not None]
        if near is None or not ready:
            return next(iter(ready), None)
        return min(ready, key=lambda unit: self._rank(unit, near))

    def _rank(self, unit: Unit, near: str) -> tuple[bool, int, bool]:
        """The longest fits first, so that none is left alone at the end; then what the worker has at hand."""
        fit = unit.kind == "fit"
        return not fit, -self._lines[unit.candidate].place if fit else 0, unit.candidate != near

    def _first(self, line: _Line, busy: bool) -> Unit | None:
        """The candidate's next unit that waits for nothing."""
        if not line.fitted:
            return None if line.runs("fit") or self._held_back(line) else next(iter(line.left.values()), None)
        in_turn = self.rules.enough is not None and line.runs("answer")
        waits = ("latency" if busy else "", "answer" if in_turn else "", "reworded" if self._being_written() else "")
        return next((unit for unit in line.left.values() if unit.kind not in waits), None)

    def _being_written(self) -> bool:
        """Whether the teacher is at the rewordings that all approaches are asked: paid once, and the same for all."""
        return not self._worded and any(line.runs("reworded") for line in self._lines.values())

    def _held_back(self, line: _Line) -> bool:
        """Whether a fit has to come after what another candidate is still at."""
        before = [other for other in self._lines.values() if other.place < line.place]
        if any(not other.fitted for other in before if other.lane == line.lane):
            return True
        return any(not other.over for other in self._may_spare(line))

    def _may_spare(self, line: _Line) -> list[_Line]:
        """Those on whose figures it depends whether it is fitted. With one model they stand before it in the plan, so that none
        of two waits for the other."""
        economy = self.rules.economy
        if economy is None or economy.hopeless:
            return []
        others = [
            each
            for each in self._lines.values()
            if each.place < line.place or each.candidate.model != line.candidate.model
        ]
        return [each for each in others if economy.may_spare(each.candidate, line.candidate)]

    # ------------------------------------------------------------ what is left out

    def _leave_out(self, line: _Line) -> None:
        """Held-out cases of a candidate that those before them have decided."""
        further = [unit for unit in line.left.values() if unit.kind == "answer"] if self.rules.enough else []
        if not further or not self._settles(further[0]):
            return
        for unit in further:
            del line.left[unit.name]
        self._over += len(further)
        line.kinds["answer"] -= len(further)
        self.store.note_meta(*self._left())

    def _settles(self, unit: Unit) -> bool:
        """Whether the unit asks held-out cases of a candidate that those before them have decided."""
        if self.rules.enough is None or unit.kind != "answer" or unit.part == 0:
            return False
        scores = self.store.scores(unit.candidate, "heldout")
        first, _ = shards(self.benchmark)[unit.part]  # The unit itself may have rows: of answers that were lost.
        asked = list(takewhile(lambda case: case.id in scores, self.benchmark.heldout[:first]))
        return self.rules.enough([scores[case.id] for case in asked], [case.group or case.id for case in asked])

    def _told_apart(self, done: UnitResult) -> UnitResult:
        """A fit that chose what another candidate of its approach and model chose is not measured a second time."""
        mine, candidate = _plain((done.note or {}).get("chosen")), self._lines[done.candidate].candidate
        twins = (
            other.name
            for other in self.candidates
            if (other.strategy.name, other.model) == (candidate.strategy.name, candidate.model)
            and other.name != candidate.name
            and other.name in self._lines
            and mine == self._lines[other.name].chosen
        )
        twin = next(twins, None) if mine else None
        if twin is not None:
            skipped = {"problem": f"it chose the same configuration as {twin}", "state": "skipped"}
            return replace(done, note={**(done.note or {}), **skipped})
        return done

    def _settled(self, unit: Unit) -> UnitResult | None:
        """A fit that needs no work: what the model cannot do, what does not suit the task, what is not worth it."""
        if unit.kind != "fit":
            return None
        candidate = self._lines[unit.candidate].candidate
        problem = self._cannot(candidate)
        note: dict[str, Any] = {"state": "cannot run" if problem else "skipped"}
        if candidate.name in self.rules.no_room:
            note[AGAIN] = note[SPARED] = (
                True  # A run that goes on with more memory fits it, and what is shown then stays.
            )
        problem = problem or candidate.strategy.unsuitable(self.benchmark.task)
        if not problem and self.rules.economy is not None:
            problem = self.rules.economy.spares(candidate, self._measured(self._may_spare(self._lines[candidate.name])))
            note[AGAIN] = True  # A run that goes on without the gate fits it.
            note[SPARED] = not self.rules.economy.hopeless
            note[TOO_FEW] = self.rules.economy.too_few
        if not problem:
            return None
        return UnitResult(unit=unit.name, kind="fit", candidate=candidate.name, note={**note, "problem": problem})

    def _measured(self, lines: Sequence[_Line]) -> Iterator[Evaluation]:
        from benchmarks.evaluation.stored import evaluations

        names = {line.candidate.name for line in lines}
        found = evaluations(self.benchmark, [described(line.candidate) for line in lines], self.store) if names else []
        yield from (each for each in found if each.candidate in names)

    def _cannot(self, candidate: Candidate) -> str:
        if not candidate.model:
            return ""
        if candidate.name in self.rules.no_room:
            return self.rules.no_room[candidate.name]
        model = self.models.language(candidate.model)
        lacks = [need.__name__ for need in candidate.strategy.needs if not isinstance(model, need)]
        what = {"Trains": "be trained here", "ScoresLabels": "score labels", "Generates": "generate"}
        if is_taught(candidate) and candidate.model == self.models.teacher:
            return f"{candidate.model} is the teacher"
        return f"{candidate.model} cannot {' or '.join(what.get(name, name) for name in lacks)}" if lacks else ""


def _plain(value: Any) -> Any:
    """What a fit chose, as it reads when it comes from the store."""
    return json.loads(json.dumps(value))
