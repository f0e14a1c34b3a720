"""Which values a wish may have, whether it comes from the command line or from Python."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields, replace
from numbers import Integral, Real
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchmarks.contract import BadInput
from benchmarks.specs.spec_errors import brief

if TYPE_CHECKING:
    from advisor.experiments.comparison import Wishes

FEWEST = 10
"""Examples, and held-out cases, that can be asked for at least."""
LARGEST_SEED = 2**32 - 1
"""That every generator of random numbers takes."""
_RANGES: Mapping[str, tuple[int, float, str]] = {
    "examples": (FEWEST, float("inf"), f"of at least {FEWEST}"),
    "heldout": (FEWEST, float("inf"), f"of at least {FEWEST}"),
    "seed": (0, LARGEST_SEED, f"from 0 to {LARGEST_SEED}"),
}
_KINDS: Mapping[str, tuple[tuple[type, ...], str]] = {
    "int": ((Integral,), "a whole number"),
    "float": ((Real,), "a number"),
    "bool": ((bool,), "True or False"),
    "str": ((str,), "a text"),
    "str | Path": ((str, Path), "the path of a folder"),
    "tuple[str, ...]": ((tuple, list), "a tuple of names"),
}
"""By what `Wishes` says of a field: what it may hold, and how that is called."""
_AS_IN_A_TASK = ("target", "margin")
"""Refused where those of a task are, with the value that was probably meant."""


def check_wishes(wishes: Wishes) -> Wishes:
    """The wishes, with plain numbers for those of NumPy. Raises `BadInput` for a wish that is of another kind than its field, or
    beyond what it may be."""
    numbers: dict[str, Any] = {}
    for each in fields(wishes):
        value = getattr(wishes, each.name)
        kind = str(each.type).removesuffix(" | None")
        if kind in ("int", "float"):
            numbers[each.name] = plain(value)
        if each.name in _AS_IN_A_TASK or (value is None and kind != each.type):
            continue
        types, called = _KINDS[kind]
        least, most, within = _RANGES.get(each.name, (0, 0, ""))
        right = isinstance(value, types) and (kind == "bool" or not isinstance(value, bool))
        if kind == "tuple[str, ...]" and right:
            right = all(isinstance(name, str) for name in value)
        if not right or (within and not least <= value <= most):
            raise BadInput(f"{each.name} is {brief(value)}; it must be {' '.join(filter(None, (called, within)))}.")
    return replace(wishes, **numbers)


def plain(value: Any) -> Any:
    """The value with plain numbers for those of NumPy, in mappings and lists too, as a file would hold it."""
    if isinstance(value, Mapping):
        return {key: plain(each) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return [plain(each) for each in value]
    if isinstance(value, Integral) and not isinstance(value, bool):
        return int(value)
    return float(value) if isinstance(value, Real) and not isinstance(value, Integral) else value
