"""What not every server can do: the likeliest tokens, a schema, a temperature. It is asked for until a refusal names it."""

from __future__ import annotations

import json
import logging
import threading
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from strategies.contract import Sampling
from strategies.standalone.tagging import unmarked

HELD = "response_format"
TEMPERATURE = "temperature"
Wish = Mapping[str, Any]
"""Parameters of a request."""


@dataclass(kw_only=True)
class Learnt:
    """What refusals have told about one server: its threads share it, and so do later calls."""

    name: str
    """Of the model."""
    limit_field: str = "max_tokens"
    """Newer hosted models only take `max_completion_tokens`; the first one to be refused switches the rest."""
    answered: bool = False
    """It has answered a request."""
    _own_temperature: bool = False
    """Hosted models that reason take none but their own."""
    _refused: set[str] = field(default_factory=set)
    """As they were sent: a server that refuses one schema may take another one."""
    _lock: threading.Lock = field(default_factory=threading.Lock, repr=False)

    def left(self, wishes: Mapping[str, Wish]) -> dict[str, Wish]:
        """Those that were not refused."""
        return {name: wish for name, wish in wishes.items() if json.dumps(wish) not in self._refused}

    def refused(self, wish: Wish) -> None:
        self._refused.add(json.dumps(wish))

    def drawn(self, temperature: float) -> Wish:
        return {} if self._own_temperature else {TEMPERATURE: temperature}

    def leave_the_temperature(self) -> None:
        """For good, and said once: answers may differ from one time to the next then, whatever the task asks for."""
        with self._lock:
            known, self._own_temperature = self._own_temperature, True
        if not known:
            said = "%s takes no temperature: its server draws answers at its own"
            logging.getLogger(__name__).warning(said, self.name)


def wishes_of(sampling: Sampling) -> dict[str, Wish]:
    """The likeliest tokens at each place, and a schema for objects. A form for plain text has no common name."""
    wishes: dict[str, Wish] = {}
    if sampling.alternatives:
        wishes["logprobs"] = {"logprobs": True, "top_logprobs": sampling.alternatives}
    if sampling.schema and (held := held_to(unmarked(sampling.schema))):
        wishes[HELD] = held
    return wishes


def held_to(schema: str) -> dict[str, Any]:
    """Empty for what is no object."""
    known = json.loads(schema)
    if known.get("type") != "object":
        return {}
    return {HELD: {"type": "json_schema", "json_schema": {"name": "answer", "schema": known}}}
