"""How the value is worded at which a recommendation would change: beside what holds now, and on the right side of it."""

from __future__ import annotations

from advisor.wording import digits, money

_DAYS = 30.4
"""Of a month."""


def rounded_beside(number: float, now: float) -> float:
    """With two digits, or as many as it takes to stay on its side of what holds now."""
    shown = (float(f"{number:.{places}g}") for places in range(2, 16))
    return next((each for each in shown if (each > now) == (number > now) and each != now), number)


def of_their_price(factor: float) -> str:
    if digits(factor) == "1":
        return f"a little {side(factor)} their price"
    return f"at {digits(factor)} times their price or {'more' if factor > 1 else 'less'}"


def more(factor: float) -> str:
    return "a little more" if digits(factor) == "1" else f"{digits(factor)} times as much"


def side(factor: float) -> str:
    return "above" if factor > 1 else "below"


def from_price(now: float, factor: float, currency: str) -> str:
    return f"{currency} {money(now * factor)} ({money(now)} now)"


def every(months: float) -> str:
    """`6 months`, `month`, `12 days`, `day`."""
    if months >= 1.5:
        return f"{digits(months)} months"
    days = round(months * _DAYS)
    return "month" if days >= 25 else f"{days} days" if days > 1 else "day"
