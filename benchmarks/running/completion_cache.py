"""Writes down what a server answered as it arrives, so that a unit of work that was cut off pays for nothing twice."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any, Protocol, cast

from benchmarks.running.wrapped import Wrapped
from strategies.contract import Completion, Generates, Journal, Place, Prompt, Sampling, Step, Usage


class CompletionStore(Protocol):
    """Where completions lie until the unit that asked for them is finished."""

    def completions(self, unit: str) -> list[tuple[str, Mapping[str, Any]]]: ...

    def keep_completion(self, unit: str, key: str, value: Mapping[str, Any]) -> None: ...

    def forget_completions(self, unit: str) -> None: ...


@dataclass(kw_only=True)
class CompletionCache:
    """The unit that is being worked on, and what earlier starts of this very unit were already answered.

    A unit names task, model, candidate, options and purpose, so a repeat, an edit or another seed never gets an answer
    that was given for something else; and each answer is used once. In a run that nobody cuts off nothing is ever
    taken from here.
    """

    store: CompletionStore
    unit: str = ""
    """Empty: nothing is remembered, such as while waiting times are measured."""
    _earlier: dict[str, list[Mapping[str, Any]]] | None = field(default=None, repr=False)
    """None: not read yet, since nobody has asked a server."""
    _settled: bool = field(default=False, repr=False)
    """Something that was made of the answers so far is written down elsewhere."""

    def turn_to(self, unit: str) -> None:
        """From now on completions belong to `unit`."""
        self.unit, self._earlier, self._settled = unit, None, False

    def begin(self) -> None:
        """Before a server is asked: lets go of the answers to what was asked before, once what they were for is written down."""
        if self._settled:
            self._earlier, self._settled = {}, False
            if self.unit:
                self.store.forget_completions(self.unit)

    def take(self, key: str) -> Completion | None:
        """The next answer that an earlier start got to the same question."""
        if self._earlier is None:
            self._earlier = {}
            for asked, value in self.store.completions(self.unit) if self.unit else ():
                self._earlier.setdefault(asked, []).append(value)
        found = self._earlier.get(key)
        if not found:
            return None
        value = found.pop(0)
        places = tuple(Place(**place) for place in value.get("places", ()))
        odds = tuple(value.get("odds", ()))
        return Completion(**{**value, "usage": Usage(**value["usage"]), "places": places, "odds": odds})

    def keep(self, key: str, completion: Completion) -> None:
        """Failures are not kept: a server that has recovered is asked again."""
        if self.unit and not completion.error:
            self.store.keep_completion(self.unit, key, asdict(completion))

    def settle(self) -> None:
        """Work is written down elsewhere: the answers are not to be used for anything that is asked later. They stay until then,
        since one call may have answered for several entries, of which this need not be the last."""
        self._settled = True


@dataclass(frozen=True, kw_only=True)
class SettlingJournal:
    """A journal after whose entries the answers that they were made of are used for nothing else."""

    journal: Journal
    cache: CompletionCache

    def get(self, key: str) -> Mapping[str, Any] | None:
        return self.journal.get(key)

    def put(self, key: str, value: Mapping[str, Any]) -> None:
        self.journal.put(key, value)
        self.cache.settle()


@dataclass(frozen=True, kw_only=True)
class CachingModel(Wrapped):
    """A model on a server, which is asked only what an earlier start of the same unit was not answered.

    It generates, as `inner` does; what was paid for then is charged again by its stored usage, as part of this unit.
    """

    cache: CompletionCache

    def generate(
        self, prompts: Sequence[Prompt], max_tokens: int, sampling: Sampling, step: Step = "answering"
    ) -> Iterator[tuple[int, Completion]]:
        """Yields (index of the prompt, completion): first what is known, then the rest as it arrives."""
        self.cache.begin()
        keys = [self._key(prompt, (max_tokens, sampling, step)) for prompt in prompts]
        open_ = []
        for index, key in enumerate(keys):
            known = self.cache.take(key)
            if known is None:
                open_.append(index)
            else:
                yield index, known
        if not open_:
            return
        asked = cast(Generates, self.inner).generate([prompts[index] for index in open_], max_tokens, sampling, step)
        for place, completion in asked:
            self.cache.keep(keys[open_[place]], completion)
            yield open_[place], completion

    def _key(self, prompt: Prompt, how: tuple[int, Sampling, Step]) -> str:
        max_tokens, sampling, step = how
        turns = [[message.role, message.content] for message in prompt]
        parts = [self.fingerprint, turns, max_tokens, asdict(sampling), step]
        return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()
