"""The kinds of value that stand in a task spec, each with the sentence that says what is wrong with another one."""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from datetime import date
from typing import Annotated

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field

from benchmarks.specs.spec_errors import brief


class Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, coerce_numbers_to_str=True, populate_by_name=True)


def _filled(text: str) -> str:
    if not text.strip():
        raise ValueError("is empty. Write a text.")
    return text.strip()


def _no_text(value: object) -> None:
    """Raises ValueError for a text that holds a share, with the number that is meant."""
    found = re.fullmatch(r"0?([.,])([0-9]*[1-9][0-9]*)", value.strip()) if isinstance(value, str) else None
    if found and found[1] == ",":
        raise ValueError(f"is {brief(value)}; a number is written with a decimal point. Write 0.{found[2]}.")
    if found:
        raise ValueError(f"is {brief(value)}, which is a text because of its quotes. Write 0.{found[2]} without them.")


def share(value: object) -> object:
    """The share of cases; raises ValueError for what is none, with the value that was probably meant."""
    if isinstance(value, str) and value.strip().endswith("%"):
        percent = value.strip().rstrip("% ")
        share = f"{float(percent) / 100:g}" if re.fullmatch(r"[0-9]{1,3}(\.[0-9]+)?", percent) else "0.9"
        raise ValueError(f"is {value.strip()}; a share of cases is between 0 and 1. Write {share}.")
    _no_text(value)
    number = float(value) if isinstance(value, int | float) and not isinstance(value, bool) else math.nan
    if not 0 < number <= 1:
        hint = f"{number / 100:g} for {number:g} %" if 1 < number <= 100 else "0.9 for 90 %"
        raise ValueError(f"is {brief(value)}; a share of cases is between 0 and 1. Write {hint}.")
    return number


def points(value: object) -> object:
    """The margin, which is written as a share; raises ValueError for what is none, with the value that was probably meant."""
    _no_text(value)
    number = float(value) if isinstance(value, int | float) and not isinstance(value, bool) else math.nan
    if not 0 < number < 1:
        hint = (
            f"{number / 100:g} for {number:g} point{'s' * (number != 1)}" if 1 <= number < 100 else "0.05 for 5 points"
        )
        raise ValueError(f"is {brief(value)}; a margin is a share of cases between 0 and 1. Write {hint}.")
    return number


def _no_truth(wanted: str) -> Callable[[object], object]:
    """Refuses true and false, which Python counts as 1 and 0."""

    def number(value: object) -> object:
        if isinstance(value, bool):
            raise ValueError(f"is {brief(value)}; it must be {wanted}. Write digits.")
        return value

    return number


def _whole(value: object) -> object:
    """Refuses 10.0 and "10.0", which pydantic takes for 10: who writes 10.000 may mean ten thousand."""
    value = _no_truth("a whole number")(value)
    point = math.isfinite(value) if isinstance(value, float) else isinstance(value, str) and "." in value
    if point:
        raise ValueError(f"is {brief(value)}; it must be a whole number. Write digits alone, such as 10000.")
    return value


def _day(value: object) -> object:
    if isinstance(value, str) and re.fullmatch(r"[0-9]{4}-[0-9]{2}-[0-9]{2}", value):
        try:
            return date.fromisoformat(value)
        except ValueError:
            pass
    if isinstance(value, date):
        return value
    raise ValueError(f"is {brief(value)}; a day is written like 2026-11-28. Write the day of which the prices are.")


Filled = Annotated[str, AfterValidator(_filled)]
Share = Annotated[float, BeforeValidator(share)]
Margin = Annotated[float, BeforeValidator(points)]
Whole = Annotated[int, BeforeValidator(_whole)]
Number = Annotated[float, BeforeValidator(_no_truth("a number")), Field(allow_inf_nan=False)]
Positive = Annotated[Number, Field(gt=0)]
NotNegative = Annotated[Number, Field(ge=0)]
Day = Annotated[date, BeforeValidator(_day)]
