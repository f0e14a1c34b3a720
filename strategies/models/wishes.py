"""What not every server can do: likeliest tokens, a schema, form, seed or temperature. It is asked for until it is refused."""

from __future__ import annotations

import json
import logging
import threading
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from strategies.contract import Completion, Sampling
from strategies.models.retry import Fault
from strategies.schemas import of_form
from strategies.standalone.tagging import unmarked

LIKELIEST = "logprobs"
HELD = "response_format"
FORM = "structured_outputs"
"""vLLM's name for a regular expression, since 0.12 its only one; no other server has one."""
SEED = "seed"
TEMPERATURE = "temperature"
LIMIT, NEWER_LIMIT = "max_tokens", "max_completion_tokens"
Wish = Mapping[str, Any]
"""Parameters of a request."""
WITHOUT = {
    LIKELIEST: "%s states no likeliest tokens (logprobs): its answers come without probabilities",
    HELD: "%s takes no schema (response_format): its answers are not held to one",
    FORM: "%s takes no such regular expression (structured_outputs): its answers are not held to it",
    SEED: "%s takes no seed: its server draws answers with its own",
    TEMPERATURE: "%s takes no temperature: its server draws answers at its own",
}
"""What is said of a model, once, when it is not asked for any more."""


@dataclass(kw_only=True)
class Learnt:
    """What refusals have told about one server: its threads share it, and so do later calls."""

    name: str
    """Of the model."""
    limit_field: str = LIMIT
    """Newer hosted models only take `max_completion_tokens`; the first one to be refused switches the rest."""
    answered: bool = False
    """It has answered a request."""
    _own_temperature: bool = False
    """Hosted models that reason take none but their own."""
    _refused: set[str] = field(default_factory=set)
    """As they were sent: a server that refuses one schema may take another one, and no other seed."""
    _granted: set[str] = field(default_factory=set)
    """Likewise those with which a request was answered."""
    _said: set[str] = field(default_factory=set)
    _lock: threading.Lock = field(default_factory=threading.Lock, repr=False)

    def left(self, wishes: Mapping[str, Wish]) -> dict[str, Wish]:
        """Those that were not refused."""
        return {name: wish for name, wish in wishes.items() if _as_sent(name, wish) not in self._refused}

    def granted(self, wishes: Mapping[str, Wish]) -> None:
        """A request was answered with these."""
        self.answered = True
        self._granted |= {_as_sent(name, wish) for name, wish in wishes.items()}

    def answered_with(self, wishes: Mapping[str, Wish], answer: Completion) -> None:
        """Says once that an answer has not the form that was asked for: a server takes what it does not know, and leaves it."""
        if FORM in wishes and FORM not in self._said and answer.finished and not answer.declined:
            form = wishes[FORM]["extra_body"][FORM]["regex"]
            if not of_form(json.dumps({"pattern": form}))(answer.text):
                self._say(FORM)

    def never_granted(self, wishes: Mapping[str, Wish]) -> list[str]:
        """The names of those with which no request was answered yet."""
        return [name for name, wish in wishes.items() if _as_sent(name, wish) not in self._granted]

    def refused(self, name: str, wish: Wish) -> None:
        """For good, and said once."""
        self._refused.add(_as_sent(name, wish))
        self._say(name)

    def drawn(self, temperature: float) -> Wish:
        return {} if self._own_temperature else {TEMPERATURE: temperature}

    def asks_otherwise(self, fault: Fault, limit_field: str, drawn: Wish) -> bool:
        """Where a request was refused for the name of its limit or for its temperature: whether the next one is another."""
        newer = fault.refused_parameter == LIMIT or (fault.refuses(LIMIT) and fault.refuses(NEWER_LIMIT))
        if limit_field == LIMIT and newer:
            self.limit_field = NEWER_LIMIT
            return True
        if drawn and fault.refuses(TEMPERATURE):
            # Answers may differ from one time to the next then, whatever the task asks for.
            self._own_temperature = True
            self._say(TEMPERATURE)
            return True
        return False

    def _say(self, name: str) -> None:
        with self._lock:
            known = name in self._said
            self._said.add(name)
        if not known:
            logging.getLogger(__name__).warning(WITHOUT[name], self.name)


def _as_sent(name: str, wish: Wish) -> str:
    return name if name == SEED else json.dumps(wish)


def wishes_of(sampling: Sampling, forms: bool = False) -> dict[str, Wish]:
    """The likeliest tokens at each place, a schema for objects, and a seed where answers are drawn; `forms`: also the pattern of
    plain text, as vLLM reads it."""
    wishes: dict[str, Wish] = {}
    if sampling.alternatives:
        wishes[LIKELIEST] = {LIKELIEST: True, "top_logprobs": sampling.alternatives}
    if sampling.schema and (held := held_to(unmarked(sampling.schema))):
        wishes[HELD] = held
    elif forms and sampling.schema and (pattern := json.loads(sampling.schema).get("pattern")):
        wishes[FORM] = {"extra_body": {FORM: {"regex": pattern}}}
    if sampling.temperature > 0:
        wishes[SEED] = {SEED: sampling.seed}
    return wishes


def held_to(schema: str) -> dict[str, Any]:
    """Empty for what is no object."""
    known = json.loads(schema)
    if known.get("type") != "object":
        return {}
    return {HELD: {"type": "json_schema", "json_schema": {"name": "answer", "schema": known}}}
