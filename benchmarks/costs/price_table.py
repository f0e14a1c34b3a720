"""What an hour of a GPU and a million training tokens cost at which seller, and until when hosted models answer.

A small table, with a source and a day for each row. Prices of it are shown and never ranked.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date
from functools import cache
from pathlib import Path
from typing import Any, Literal

from benchmarks.specs.spec_models import ModelSpec

FILE = Path(__file__).with_name("price_table.yaml")
Unit = Literal["an hour", "a million training tokens"]
UNCHECKED = ", second-hand, not checked at the vendor"
_SNAPSHOT = re.compile(r"-(\d{4}-\d{2}-\d{2}|\d{8}|latest)$")


@dataclass(frozen=True, kw_only=True)
class Quote:
    """What one seller asks for one thing, in USD."""

    what: str
    seller: str
    price: float
    unit: Unit
    read: date
    source: str
    note: str = ""
    second_hand: bool = False
    """It was read at somebody else's, and not checked at the seller's."""

    @property
    def where(self) -> str:
        """Where and when it was read: `https://lambda.ai/pricing, read on 2026-09-25`."""
        return f"{self.source}, read on {self.read}{UNCHECKED if self.second_hand else ''}"


@dataclass(frozen=True, kw_only=True)
class LastDay:
    """The day from which on a hosted model does not answer any more, as its seller announced it."""

    model: str
    seller: str
    last: date
    read: date
    source: str
    second_hand: bool = False
    """It was read at somebody else's, and not checked at the seller's."""

    @property
    def says(self) -> str:
        """A clause: `answers until 2027-01-14 (announced by OpenAI, read on 2026-10-28)`."""
        unchecked = UNCHECKED if self.second_hand else ""
        return f"answers until {self.last.isoformat()} (announced by {self.seller}, read on {self.read.isoformat()}{unchecked})"


def quotes(named: str) -> tuple[Quote, ...]:
    """The rows that have all words of the name, cheapest first: `h100`, `A100 SXM`, `gpt-4o-mini`."""
    words = named.casefold().split()
    found = [each for each in _quotes() if set(words) <= set(each.what.casefold().split())]
    return tuple(sorted(found, key=lambda each: (each.what, each.price))) if words else ()


def last_day(model: str) -> LastDay | None:
    """Until when the model answers, where its end was announced; a dated snapshot and a fine-tune end with their model."""
    name = model.rpartition("/")[2].casefold()
    name = name.split(":")[1] if name.startswith("ft:") and name.count(":") > 1 else name
    base = _SNAPSHOT.sub("", name)
    rows = [(each, row) for row in _table()["last_days"] for each in row["models"]]
    row = next((row for wanted in (name, base) for each, row in rows if each == wanted), None)
    if row is None:
        return None
    return LastDay(model=model, **{key: value for key, value in row.items() if key != "models"})


def endings(models: Iterable[ModelSpec]) -> dict[str, str]:
    """What is known of the end of those that answer at a server, as a clause each."""
    found = {each.name: last_day(each.model or each.name) for each in models if each.endpoint is not None}
    return {name: last.says for name, last in found.items() if last is not None}


@cache
def _quotes() -> tuple[Quote, ...]:
    table = _table()
    parts: tuple[tuple[str, Unit], ...] = (("gpu_hours", "an hour"), ("training_tokens", "a million training tokens"))
    return tuple(Quote(unit=unit, **row) for key, unit in parts for row in table[key])


@cache
def _table() -> dict[str, Any]:
    import yaml

    table: dict[str, Any] = yaml.safe_load(FILE.read_text(encoding="utf-8"))
    return table
