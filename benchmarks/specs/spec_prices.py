"""The part of a task spec that says what is paid, which may stand in a file of its own, for several tasks."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Self

from pydantic import Field, ValidationError, ValidationInfo, model_validator

from benchmarks.contract import BadInput
from benchmarks.specs.spec_errors import spec_sentence
from benchmarks.specs.spec_models import TOKEN_PRICES
from benchmarks.specs.spec_values import Day, NotNegative, Section
from benchmarks.specs.yaml_text import YamlText, read_yaml

STATED = "stated for this task"
"""Where a price is from of which no more is known."""
PARTLY = "partly"
"""As the context of a check: the prices go over others, so what they leave out stands there."""


class ModelPricesSpec(Section):
    """What one model costs: a million of its tokens, or an hour of the machine that it answers on, and a fixed amount a month."""

    input_per_million: NotNegative | None = None
    output_per_million: NotNegative | None = None
    cached_per_million: NotNegative | None = None
    machine_hour: NotNegative | None = None
    monthly: NotNegative | None = None

    @model_validator(mode="after")
    def _whole(self, info: ValidationInfo) -> Self:
        """Nothing is missing, unless the rest stands elsewhere."""
        given = {key for key, value in self if value is not None}
        if not given:
            raise ValueError("states no price. Add `input_per_million` and `output_per_million`, or `machine_hour`.")
        missing = [key for key in TOKEN_PRICES[:2] if key not in given]
        if missing and given.intersection(TOKEN_PRICES) and info.context != PARTLY:
            raise ValueError(f'has a price for its tokens, and "{missing[0]}" is missing. Add `{missing[0]}: 0.60`.')
        return self


class Prices(Section):
    """What the person pays, here or in a file of its own: for an hour of the machine that runs local models, and for models
    by their name."""

    machine_hour: NotNegative | None = None
    currency: Annotated[str, Field(pattern=r"^[A-Z]{3}$")] = "USD"
    models: Mapping[str, ModelPricesSpec] = Field(default_factory=dict)
    date: Day | None = None
    """The day of which they are."""
    source: str = ""
    """The file in which they stand, where that is not the task's."""
    sources: Mapping[str, str] = Field(default_factory=dict)
    """Where those of a model are from that others were laid over (`repriced`), as a clause by its name."""

    @property
    def stated(self) -> str:
        """Where they are from, as a clause."""
        where = f"stated in {self.source}" if self.source else STATED
        return where if self.date is None else f"{where}, as valid on {self.date.isoformat()}"


def read_prices(path: Path, *, partly: bool = False) -> dict[str, Any]:
    """What a prices.yaml says, as it may stand under `prices` in a task spec, and its name; `partly`: a price of tokens may
    lack its other half. Raises `BadInput` with file and line."""
    text = read_yaml(path)
    checked_prices(text, partly=partly)
    return {**text.values, "source": path.name}


def checked_prices(text: YamlText, *, partly: bool = False) -> Prices:
    """The prices that the text holds at its top. Raises `BadInput` with what is wrong, and its line."""
    below = YamlText(
        name=text.name,
        values={"prices": text.values},
        lines={("prices", *place): line for place, line in text.lines.items()},
    )
    try:
        return Prices.model_validate(text.values, context=PARTLY if partly else None)
    except ValidationError as error:
        errors = [{**one, "loc": ("prices", *one["loc"])} for one in error.errors(include_url=False)]
        raise BadInput(spec_sentence(errors, below.values, below)) from None
