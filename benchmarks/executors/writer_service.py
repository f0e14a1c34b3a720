"""What workers ask of the one process that writes: the journal, answers of servers, the spending. Only plain values cross."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from benchmarks.costs.spending import SpendingBudget
from benchmarks.executors.waited import Waited
from benchmarks.running.plan import Unit
from benchmarks.running.scheduler import Events
from benchmarks.storage.store import Store
from strategies.contract import Journal


@dataclass(kw_only=True)
class WriterService:
    """The side of the writer. A worker in the same process uses `store`, `journal` and `spending` directly."""

    store: Store
    journal: Callable[[str], Journal]
    spending: SpendingBudget | None
    events: Events
    outbox: list[tuple[int, Any]] = field(default_factory=list)
    """(worker, answer), to be sent."""
    _reserved: dict[int, float] = field(default_factory=dict, repr=False)
    """Worker -> what its requests under way may cost."""
    _waiting: dict[int, tuple[float, str]] = field(default_factory=dict, repr=False)
    """Worker -> the worst price of its next request and its server, while those of others may still leave enough."""
    _requests: Counter[int] = field(default_factory=Counter, repr=False)
    """Worker -> requests to servers that are under way, or whose answers are not written down yet."""
    _servers: dict[str, Waited] = field(default_factory=dict, repr=False)
    """Address -> who waits for that server."""
    _closed: bool = field(default=False, repr=False)

    def handle(self, worker: int, unit: Unit, name: str, given: Sequence[Any]) -> None:
        """Takes one question. What is to be answered stands in `outbox` then or, for money, later."""
        questions: Mapping[str, Callable[..., Any]] = {
            "journal": lambda namespace, key: self.journal(namespace).get(key),
            "write": lambda namespace, key, value: self.journal(namespace).put(key, value),
            "completions": lambda: self.store.completions(unit.name),
            "keep": lambda key, value: self.store.keep_completion(unit.name, key, value),
            "forget": lambda: self.store.forget_completions(unit.name),
            "shared": lambda server: self._server(server).part(worker),
            "waits": lambda server: self._server(server).begins(worker),
            "waited": lambda server: self._server(server).ends(worker),
        }
        if name == "reserve":
            worst, server = given
            self._waiting[worker] = float(worst), str(server)
        elif name == "settle":
            self._settle(worker, *given)
            self.outbox.append((worker, self._spent))
        else:
            self.outbox.append((worker, questions[name](*given)))
        self._answer_waiting()

    def rests(self, worker: int) -> None:
        """The worker's unit is over."""
        self._no_longer_waits(worker)

    def close(self) -> None:
        """No server is asked any more: workers whose requests are under way get their answers, write them down and stop."""
        self._closed = True
        self._answer_waiting()

    def lost(self, worker: int) -> None:
        """A worker is no more. What it had asked of servers may have been answered, so it counts as paid at its worst."""
        self._waiting.pop(worker, None)
        self._no_longer_waits(worker)
        worst = self._reserved.get(worker, 0.0)
        if worst:
            self._settle(worker, worst, worst)
        self._answer_waiting()

    def _no_longer_waits(self, worker: int) -> None:
        self._requests.pop(worker, None)
        for server in self._servers.values():
            server.leaves(worker)

    def _server(self, address: str) -> Waited:
        return self._servers.setdefault(address, Waited())

    @property
    def under_way(self) -> int:
        """Requests to servers of which the answers are not written down yet."""
        return self._requests.total()

    @property
    def _spent(self) -> float:
        return 0.0 if self.spending is None else self.spending.spent

    def _settle(self, worker: int, worst: float, paid: float, server: str | None = None) -> None:
        if server is not None:
            self._server(server).ends(worker)
        left = self._reserved.get(worker, 0.0) - worst
        self._reserved[worker] = left if left > 1e-12 else 0.0
        self._requests[worker] -= self._requests[worker] > 0
        if self.spending is not None:
            self.spending.settle(worst, paid)

    def _answer_waiting(self) -> None:
        """Reserves what can be paid. A worker is refused once nothing that others asked for can leave it any more; one with
        requests of its own under way is refused at once, waits for these and asks again."""
        for worker, (worst, server) in list(self._waiting.items()):
            granted = not self._closed and (self.spending is None or self.spending.reserve(worst))
            if granted:
                self._requests[worker] += 1
                self._server(server).begins(worker)
                self._reserved[worker] = self._reserved.get(worker, 0.0) + worst
            others = any(amount for other, amount in self._reserved.items() if other != worker)
            mine = self._reserved.get(worker, 0.0) > 0
            never = self.spending is not None and self._spent + worst > self.spending.limit
            if granted or mine or never or self._closed or not others:
                del self._waiting[worker]
                self.outbox.append((worker, [granted, self._spent]))
