"""At which price, volume or pace of change something else is recommended: one value of `sensitivity.py` with the bills there."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from advisor.contract import Amount


@dataclass(frozen=True, kw_only=True)
class Turn:
    """The nearest value of one price, volume or pace of change, on one side, at which something else is recommended."""

    of: str
    """`the price of a machine hour`."""
    times: float
    """The multiple of what it is now; of a pace that nobody stated, of once in ten years."""
    now: float | None
    at: float
    unit: str
    safe: str | None
    """Who would be named there, and who would have to be decided about first."""
    unsettled: tuple[str, ...]
    bills: Mapping[str, Amount]
    """What a month costs there, for each that is asked about."""
