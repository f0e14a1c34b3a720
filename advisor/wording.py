"""How numbers and lists are written for people: rounded as people round, with their unit, and "unknown" for unknown."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

from advisor.contract import Amount

SECONDS = "machine s"
"""The unit of machine time in an `Amount`."""
TOKENS = "tokens of "
"""Begins the unit of costs at a price of tokens that is not known; the model follows."""
_THOUSANDS = ((1e9, "B"), (1e6, "M"), (1e3, "k"))
"""How large amounts are shortened."""
NONE = "-"
"""What a table shows where nothing was measured."""
NEVER = "never"
"""At no volume."""

_DURATIONS = ((86400.0, "days"), (3600.0, "h"), (60.0, "min"), (1.0, "s"))


def percent(share: float) -> str:
    """`84 %`; decimals only between 99 and 100 or between 0 and 1, where rounding would claim perfection."""
    value = share * 100
    if not math.isfinite(value):
        return NONE
    rounded = f"{value:.0f}"
    places = 0
    while places < 4 and (float(rounded) == 100 > value or float(rounded) == 0 < value):
        places += 1
        rounded = f"{value:.{places}f}"
    return f"{rounded} %"


def points(difference: float) -> str:
    """A difference of two shares: `+5 points`, `-0.4 points`."""
    value = difference * 100
    digits = 0 if abs(value) >= 1 or value == 0 else 1
    shown = f"{value:+.{digits}f}"
    return f"{'0' if float(shown) == 0 else shown} point{'' if shown in ('+1', '-1') else 's'}"


def floor_percent(share: float, target: float | None = None) -> str:
    """A lower bound in percent, rounded down, with as many decimals as it takes to stay on its side of the target."""
    return _one_sided(share, target, math.floor)


def ceil_percent(share: float, target: float | None = None) -> str:
    """An upper bound in percent, rounded up, with as many decimals as it takes to stay on its side of the target."""
    return _one_sided(share, target, math.ceil)


def plain_percent(share: float) -> str:
    """A stated share, such as a target, with the decimals that it was stated with: `80 %`, `92.5 %`."""
    return f"{share * 100:.4g} %"


def plain_points(share: float) -> str:
    """A stated difference of two shares, with the decimals that it was stated with: `5 points`, `2.5 points`."""
    stated = f"{share * 100:.4g}"
    return f"{stated} point{'' if stated == '1' else 's'}"


def duration(seconds: float) -> str:
    """`0.03 s`, `41 s`, `3.2 min`, `2.5 h`, `12 days`: two digits that count."""
    for size, unit in _DURATIONS:
        if abs(seconds) >= 2 * size and size > 1:
            return f"{digits(seconds / size)} {unit}"
    return f"{digits(seconds)} s"


def digits(number: float) -> str:
    """A number with two digits that count below 10, whole from there on: `0.034`, `3.2`, `41`, `12,300`."""
    if number == 0:
        return "0"
    if abs(number) >= 9.95:
        return f"{number:,.0f}" if abs(number) < 1000 else f"{float(f'{number:.3g}'):,.0f}"
    places = 1 - math.floor(math.log10(abs(number)))
    shown = f"{number:.{max(places, 0)}f}"
    return shown.rstrip("0").rstrip(".") if "." in shown else shown


def amount(cost: Amount) -> str:
    """`41 min` for machine time, `USD 12.30` for money, `405,000 tokens of big`, `unknown` where it is."""
    if cost.value is None or not math.isfinite(cost.value):
        return "unknown"
    if cost.unit == SECONDS:
        return duration(cost.value)
    return f"{digits(cost.value)} {cost.unit}" if cost.unit.startswith(TOKENS) else f"{cost.unit} {money(cost.value)}"


def in_cell(cost: Amount) -> str:
    """The same for a cell of a table, which has little room: `4.1M tokens`; the caption says of which model."""
    if cost.value is None or not cost.unit.startswith(TOKENS):
        return amount(cost)
    size, sign = next((each for each in _THOUSANDS if cost.value >= each[0]), (1.0, ""))
    return f"{digits(cost.value / size)}{sign} tokens"


def money(value: float) -> str:
    """Cents below 100, whole units above, and two digits that count below a cent."""
    if value == 0:
        return "0"
    if abs(value) < 0.095:
        return digits(value)
    return f"{value:.2f}" if abs(value) < 100 else f"{float(f'{value:.3g}'):,.0f}"


def of_what(unit: str) -> str:
    """What a cost is counted in, as a reader calls it."""
    return "machine time" if unit == SECONDS else unit


def metric_name(name: str) -> str:
    """A metric as a reader calls it: `macro_f1` becomes `macro F1`."""
    return " ".join("F1" if word == "f1" else word for word in name.split("_"))


def listed(names: Sequence[str]) -> str:
    """`a`, `a and b`, `a, b and c`."""
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"


def counted(number: int, one: str, many: str = "") -> str:
    """`1 case`, `1,204 cases`."""
    return f"{number:,} {one if number == 1 else many or one + 's'}"


def about(number: int, one: str) -> str:
    """`about 630 more held-out cases`: an estimate, rounded up to two digits that count; exact up to 20."""
    return counted(number, one) if number <= 20 else f"about {counted(rounded_up(number), one)}"


def rounded_up(number: int) -> int:
    """To two digits that count."""
    size: int = 10 ** max(0, len(str(number)) - 2)
    return -(-number // size) * size


def latency(seconds: float) -> str:
    """Seconds with at most two decimals, since single requests vary by more: `<0.01`, `0.42`, `3.1`, `12`."""
    if seconds < 0.005:
        return "<0.01"
    return f"{seconds:.2f}" if seconds < 0.995 else digits(seconds)


def full(text: str) -> str:
    """A sentence from elsewhere with its first letter in upper case and a full stop."""
    text = text.strip()
    return start(text if text.endswith((".", "!", "?")) or not text else f"{text}.")


def clause(sentence: str) -> str:
    """A sentence as it stands in brackets; a word in capitals stays as it is."""
    first = sentence[:1] if sentence[1:2].isupper() else sentence[:1].lower()
    return f"{first}{sentence[1:]}".rstrip(".")


def start(sentence: str) -> str:
    """The sentence with its first letter in upper case; candidates have names in lower case."""
    return sentence[:1].upper() + sentence[1:]


def probability(p_value: float) -> str:
    """`0.03`, `0.2`, `below 0.001`."""
    if not math.isfinite(p_value):
        return NONE
    return "below 0.001" if p_value < 0.001 else f"{p_value:.1g}" if p_value < 0.1 else f"{p_value:.2f}"


def _one_sided(share: float, target: float | None, round_off: Callable[[float], int]) -> str:
    if not math.isfinite(share):
        return NONE
    value = round(share * 100, 9)
    goal = None if target is None else round(target * 100, 9)
    for places in range(4):
        shown = round_off(value * 10**places) / 10**places
        if goal is None or (shown >= goal) == (value >= goal):
            break
    return f"{shown:.{places}f}"
