"""Turns task.yaml into a validated spec, and every mistake in it into one sentence with its line."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping
from pathlib import Path, PurePosixPath
from typing import Annotated, Any, Self

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    ValidationError,
    field_serializer,
    field_validator,
    model_validator,
)

from benchmarks.contract import BadInput, Constraints, Procedure
from benchmarks.paths import inside
from benchmarks.spec_errors import brief, spec_sentence
from benchmarks.yaml_text import YamlText, read_yaml
from strategies.contract import Kind

DEFAULT_MODEL = "smollm2-135m"
DEFAULT_EMBEDDER = "minilm-l6"
_MAX_LABELS = 2_000


class _Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, coerce_numbers_to_str=True, populate_by_name=True)


def _filled(text: str) -> str:
    if not text.strip():
        raise ValueError("is empty. Write a text.")
    return text.strip()


def _share(value: object) -> object:
    """Refuses what is not a share of cases, with the value that was probably meant."""
    if isinstance(value, str) and value.strip().endswith("%"):
        percent = value.strip().rstrip("% ")
        share = f"{float(percent) / 100:g}" if re.fullmatch(r"[0-9]{1,3}(\.[0-9]+)?", percent) else "0.9"
        raise ValueError(f"is {value.strip()}; a share of cases is between 0 and 1. Write {share}.")
    number = float(value) if isinstance(value, int | float) and not isinstance(value, bool) else math.nan
    if not 0 < number <= 1:
        hint = f"{number / 100:g} for {number:g} %" if 1 < number <= 100 else "0.9 for 90 %"
        raise ValueError(f"is {brief(value)}; a share of cases is between 0 and 1. Write {hint}.")
    return number


Filled = Annotated[str, AfterValidator(_filled)]
Share = Annotated[float, BeforeValidator(_share)]
Positive = Annotated[float, Field(gt=0, allow_inf_nan=False)]
NotNegative = Annotated[float, Field(ge=0, allow_inf_nan=False)]


class MetricSpec(BaseModel):
    """A metric by name, with its parameters as further keys."""

    model_config = ConfigDict(extra="allow", frozen=True)

    name: Filled

    @property
    def parameters(self) -> Mapping[str, Any]:
        return dict(self.model_extra or {})


def is_path(name: str) -> bool:
    """True where a model's name can only be a folder: neither one of ours nor `owner/name@revision` looks like that."""
    hub_id = name.partition("@")[0]
    return name.startswith((".", "~", "/")) or "\\" in name or hub_id.count("/") > 1 or name[1:3] == ":/"


def last_part(path: str) -> str:
    """What is shown of a folder: its own name, never the way to it."""
    name = PurePosixPath(path.replace("\\", "/")).name
    return Path(path).expanduser().resolve().name if name in ("", ".", "..", "~") else name


class EmbedderSpec(_Section):
    """The model that turns texts into vectors, by name. `folder` is where it lies, and is never written down."""

    name: Filled = DEFAULT_EMBEDDER
    folder: Filled | None = Field(default=None, exclude=True)

    @model_validator(mode="before")
    @classmethod
    def _named_by_folder(cls, values: Any) -> Any:
        name = values.get("name") if isinstance(values, dict) else None
        if isinstance(name, str) and is_path(name) and values.get("folder") is None:
            return {**values, "name": last_part(name), "folder": name}
        return values


class ModelSpec(_Section):
    """A language model by name. A path as the name is a `folder`, and the last part of it becomes the name.

    `endpoint` is the address of an OpenAI-compatible server that serves the model. The other keys are what such a
    server needs to be told, and prices for a million tokens.
    """

    name: Filled
    folder: Filled | None = Field(default=None, exclude=True)
    """Where the weights lie, relative to the spec; never written down, since it names a machine and a user."""
    endpoint: str | None = None
    model: Filled | None = None
    """The name that the server knows the model by."""
    key_env: Filled | None = None
    """The environment variable that holds the key."""
    concurrency: Annotated[int, Field(gt=0, le=256)] | None = None
    timeout_s: Positive | None = None
    retries: Annotated[int, Field(ge=0, le=20)] | None = None
    context_tokens: Annotated[int, Field(gt=0)] | None = None
    input_per_million: NotNegative | None = None
    output_per_million: NotNegative | None = None
    cached_per_million: NotNegative | None = None

    @property
    def options(self) -> Mapping[str, Any]:
        """The keys that are set, besides name and endpoint."""
        return {key: value for key, value in self if value is not None and key not in ("name", "folder", "endpoint")}

    @property
    def serving(self) -> Mapping[str, Any]:
        """The part of `options` that says how the server is asked."""
        return {key: value for key, value in self.options.items() if not key.endswith("_per_million")}

    @model_validator(mode="before")
    @classmethod
    def _named_by_folder(cls, values: Any) -> Any:
        """Servers, too, may know a model by its folder: then that is what they are asked for."""
        name = values.get("name") if isinstance(values, dict) else None
        if not isinstance(name, str) or not is_path(name):
            return values
        key = "folder" if values.get("endpoint") is None else "model"
        return {key: name, **values, "name": last_part(name)}

    @field_serializer("model")
    def _without_path(self, model: str | None) -> str | None:
        return last_part(model) if model is not None and is_path(model) else model

    @model_validator(mode="after")
    def _check(self) -> Self:
        if self.endpoint is not None and self.folder is not None:
            raise ValueError("has both a folder and an endpoint. Keep the one that is to answer.")
        if self.endpoint is None:
            for key in self.serving:
                raise ValueError(
                    f"has {key} without an endpoint. Add `endpoint: http://127.0.0.1:8000/v1`, or remove it."
                )
        elif "@" in self.endpoint or "?" in self.endpoint:
            raise ValueError("has an endpoint that holds a secret. Set OPENAI_API_KEY in the environment instead.")
        elif not self.endpoint.startswith(("http://", "https://")):
            raise ValueError(f'has the endpoint "{self.endpoint}". Write an address such as http://127.0.0.1:8000/v1.')
        return self


class ConstraintsSpec(_Section):
    """What rules a candidate out: money a month, seconds at the 95th percentile, and whether data may leave."""

    cost_per_month: Positive | None = None
    p95_latency_s: Positive | None = None
    data_stays_here: bool = False


class Columns(_Section):
    """Which column of the data holds what. `input` and `output` may join several: `"{subject}\\n\\n{body}"`."""

    input: Filled | None = None
    output: Filled | None = None
    id: Filled | None = None
    answers: Filled | None = None
    document_ids: Filled | None = None
    group: Filled | None = None


class Prices(_Section):
    """What the person pays: money for an hour of the machine that runs local models."""

    machine_hour: NotNegative | None = None
    currency: Annotated[str, Field(pattern=r"^[A-Z]{3}$")] = "USD"


class UpkeepSpec(_Section):
    """How often facts and the task change, and what it takes to follow (`prices.Upkeep`)."""

    facts_months: Positive | None = None
    task_months: Positive | None = None
    labels: Annotated[int, Field(ge=0)] | None = None
    label_price: NotNegative | None = None
    hours: NotNegative | None = None
    hour_price: NotNegative | None = None
    machine_hours: Annotated[float, Field(ge=0, le=744, allow_inf_nan=False)] | None = None

    @model_validator(mode="after")
    def _priced(self) -> Self:
        for amount, price in (("labels", "label_price"), ("hours", "hour_price")):
            if getattr(self, amount) and getattr(self, price) is None:
                raise ValueError(f"says {amount} without a {price}. Add `{price}: 0.5`, or what one costs you.")
        return self


class Spec(_Section):
    """One task, as a person describes it. Four keys are enough: name, instruction, examples, target."""

    name: Annotated[Filled, Field(max_length=100)]
    instruction: Filled
    kind: Kind | None = None
    examples: Filled
    heldout: Filled | None = None
    documents: Filled | None = None
    recorded: Filled | None = None
    labels: tuple[str, ...] | str | None = None
    answer_schema: dict[str, Any] | str | None = Field(default=None, alias="schema")
    pattern: Filled | None = None
    """A regular expression for the whole answer: models on this machine cannot write anything else."""
    metric: MetricSpec | None = None
    target: Share | None = None
    constraints: ConstraintsSpec = ConstraintsSpec()
    volume: Annotated[int, Field(gt=0, le=10**12)] = 10_000
    horizon_months: Annotated[int, Field(gt=0, le=120)] = 12
    procedure: Procedure = "holm"
    """How several candidates share the 5 % of being wrong, for who has to follow a statistician's plan."""
    temperature: Annotated[float, Field(ge=0, le=2, allow_inf_nan=False)] = 0.0
    slices: tuple[str, ...] = ()
    models: Annotated[tuple[ModelSpec, ...], Field(min_length=1)] = (ModelSpec(name=DEFAULT_MODEL),)
    embedder: EmbedderSpec = EmbedderSpec()
    columns: Columns = Columns()
    prices: Prices = Prices()
    upkeep: UpkeepSpec = UpkeepSpec()

    @field_validator("constraints", "columns", "prices", "upkeep", mode="before")
    @classmethod
    def _empty_section(cls, value: object) -> object:
        return {} if value is None else value

    @field_validator("metric", "embedder", mode="before")
    @classmethod
    def _named(cls, value: object) -> object:
        return {"name": value} if isinstance(value, str) else value

    @field_validator("models", mode="before")
    @classmethod
    def _named_models(cls, value: object) -> object:
        entries = [value] if isinstance(value, str | dict) else value
        if not isinstance(entries, list | tuple):
            return entries
        return [{"name": entry} if isinstance(entry, str) else entry for entry in entries]

    @field_validator("models")
    @classmethod
    def _distinct_models(cls, models: tuple[ModelSpec, ...]) -> tuple[ModelSpec, ...]:
        return distinct_models(models)

    @field_validator("slices", mode="before")
    @classmethod
    def _one_slice(cls, value: object) -> object:
        return [value] if isinstance(value, str) else value

    @field_validator("pattern")
    @classmethod
    def _readable_pattern(cls, value: str | None) -> str | None:
        try:
            re.compile(value or "")
        except re.error as error:
            raise ValueError(
                f"is no regular expression ({error}). Correct it, for instance [A-Z]{{2}}-[0-9]+."
            ) from None
        return value

    @field_validator("labels")
    @classmethod
    def _distinct_labels(cls, value: tuple[str, ...] | str | None) -> tuple[str, ...] | str | None:
        return checked_labels(value) if isinstance(value, tuple) else value

    @model_validator(mode="after")
    def _one_currency(self) -> Self:
        if (self.upkeep.labels or self.upkeep.hours) and self.prices.machine_hour is None:
            raise ValueError(
                "upkeep counts money, and what the machine costs is not known. Add `prices: {machine_hour: 0.40}`."
            )
        return self

    @property
    def limits(self) -> Constraints:
        """The constraints as the contract's own type."""
        return Constraints(**self.constraints.model_dump())

    def file_keys(self) -> Mapping[str, str]:
        """The keys that name a file or folder, and what they name."""
        named = {"examples": self.examples, "heldout": self.heldout, "documents": self.documents}
        named["recorded"] = self.recorded
        named["labels"] = self.labels if isinstance(self.labels, str) else None
        named["schema"] = self.answer_schema if isinstance(self.answer_schema, str) else None
        return {key: name for key, name in named.items() if name is not None}


def distinct_models(models: tuple[ModelSpec, ...]) -> tuple[ModelSpec, ...]:
    """The models as they are; raises ValueError where two have one name, since a table tells them apart by it."""
    names = [model.name for model in models]
    twice = next((name for name in names if names.count(name) > 1), None)
    if twice is not None:
        raise ValueError(f'lists "{twice}" twice. Name one otherwise, such as {{name: second, folder: ./its/folder}}.')
    return models


def checked_labels(labels: tuple[str, ...]) -> tuple[str, ...]:
    """The labels without surrounding spaces; raises ValueError for too few, an empty one or one that stands twice."""
    trimmed = tuple(label.strip() for label in labels)
    if not 2 <= len(trimmed) <= _MAX_LABELS:
        raise ValueError(
            f"has {len(trimmed)} entries; between 2 and {_MAX_LABELS:,} are allowed. List every label once."
        )
    seen: set[str] = set()
    for label in trimmed:
        if not label:
            raise ValueError("has an empty entry. Remove it, or write the label.")
        if label in seen:
            raise ValueError(f'lists "{label}" twice. Keep one.')
        seen.add(label)
    return trimmed


def read_spec(path: Path | str) -> tuple[Spec, Path]:
    """Reads a task spec and returns it with its folder, inside of which every file that it names exists.

    Labels and a schema that stand in files of their own are read in. Raises `BadInput` with file and line.
    """
    path = Path(path)
    text = read_yaml(path)
    spec = _validated(text.values, text)
    files: dict[str, Path] = {}
    for key, name in spec.file_keys().items():
        try:
            files[key] = inside(path.parent, name, key)
        except BadInput as error:
            raise BadInput(f"{text.where((key,))}: {error}") from None
    filled = dict(text.values)
    for key, read in (("labels", _labels_file), ("schema", _schema_file)):
        if key in files:
            filled[key] = read(files[key], text.where((key,)))
    return _validated(filled, text), path.parent


def parse_spec(values: Mapping[str, Any], name: str = "the spec") -> Spec:
    """A spec from plain values, as `read_spec` makes one from a file. Raises `BadInput`."""
    return _validated(dict(values), YamlText(name=name, values=dict(values), lines={}))


def _validated(values: dict[str, Any], text: YamlText) -> Spec:
    try:
        return Spec.model_validate(values)
    except ValidationError as error:
        raise BadInput(spec_sentence(error.errors(include_url=False), values, text)) from None


def _file_text(path: Path, where: str) -> str:
    if not path.is_file() or path.stat().st_size > 1_000_000:
        raise BadInput(f"{where}: {path.name} is not a file below 1 MB. Name a text or JSON file.")
    try:
        return path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError:
        raise BadInput(f"{where}: {path.name} is not UTF-8. Save it with the encoding UTF-8.") from None


def _json_file(path: Path, where: str) -> Any:
    try:
        return json.loads(_file_text(path, where))
    except (ValueError, RecursionError) as error:
        line = f":{error.lineno}" if isinstance(error, json.JSONDecodeError) else ""
        raise BadInput(f"{where}: {path.name}{line} is not valid JSON. Correct it, or write the value here.") from None


def _labels_file(path: Path, where: str) -> list[str]:
    """One label a line, or a JSON list of texts."""
    if path.suffix != ".json":
        return [line.strip() for line in _file_text(path, where).splitlines() if line.strip()]
    labels = _json_file(path, where)
    if not isinstance(labels, list) or not all(isinstance(label, str) for label in labels):
        raise BadInput(f'{where}: {path.name} is not a JSON list of texts. Write ["first", "second"].')
    return labels


def _schema_file(path: Path, where: str) -> dict[str, Any]:
    schema = read_yaml(path).values if path.suffix in (".yaml", ".yml") else _json_file(path, where)
    if not isinstance(schema, dict):
        raise BadInput(f'{where}: {path.name} is not a JSON object. Write a JSON schema such as {{"type": "object"}}.')
    return schema
