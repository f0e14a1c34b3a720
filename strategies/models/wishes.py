"""What not every server can do: the likeliest tokens, a schema, a temperature. It is asked for until a refusal names it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from strategies.contract import Sampling
from strategies.tagging import unmarked

HELD = "response_format"
TEMPERATURE = "temperature"
Wish = Mapping[str, Any]
"""Parameters of a request."""


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
