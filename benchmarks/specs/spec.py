"""Turns task.yaml into a validated spec, and every mistake in it into one sentence with its line."""

from __future__ import annotations

import json
import re
import warnings
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any, Self

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    ValidationError,
    field_validator,
    model_validator,
)

from benchmarks.contract import BadInput, Constraints, Procedure
from benchmarks.data import remote
from benchmarks.formats.clean import composed, harmless
from benchmarks.specs.paths import inside
from benchmarks.specs.spec_errors import OfTask, spec_sentence
from benchmarks.specs.spec_models import DEFAULT_MODEL, EmbedderSpec, ModelSpec, RerankerSpec, distinct_models
from benchmarks.specs.spec_prices import Prices, read_prices
from benchmarks.specs.spec_values import Filled, Margin, NotNegative, Number, Positive, Section, Share, Whole
from benchmarks.specs.yaml_text import MAX_DEPTH, Place, YamlText, read_yaml
from strategies.contract import Kind

OF_QUESTIONS = ("grounded_at_least", "declined_at_least")
"""Limits on answers to questions over documents: elsewhere right answers often have numbers and names in another form."""
_MAX_LABELS = 2_000
_HALF_CHARACTER = re.compile("[\ud800-\udfff]")


class MetricSpec(BaseModel):
    """A metric by name, with its parameters as further keys."""

    model_config = ConfigDict(extra="allow", frozen=True)

    name: Filled

    @property
    def parameters(self) -> Mapping[str, Any]:
        return {key: composed(value) for key, value in (self.model_extra or {}).items()}


class ConstraintsSpec(Section):
    """What rules a candidate out: money a month, slow answers, weak parts, forgetting, answers that are unsteady, of no form,
    in no document or made up, planted text that is followed, data that leaves."""

    cost_per_month: Positive | None = None
    p95_latency_s: Positive | None = None
    slice_at_least: Share | None = None
    perplexity_ratio: Positive | None = None
    same_at_least: Share | None = None
    valid_at_least: Share | None = None
    grounded_at_least: Share | None = None
    declined_at_least: Share | None = None
    planted_at_most: Annotated[Number, Field(ge=0, le=1)] | None = None
    licences: tuple[Filled, ...] = ()
    data_stays_here: bool = False


class Columns(Section):
    """Which column of the data holds what. `input` and `output` may join several: `"{subject}\\n\\n{body}"`."""

    input: Filled | None = None
    output: Filled | None = None
    id: Filled | None = None
    answers: Filled | None = None
    document_ids: Filled | None = None
    group: Filled | None = None
    time: Filled | None = None
    """When a case came in: to see whether requests change over time."""

    @model_validator(mode="after")
    def _two_columns(self) -> Self:
        if self.input is not None and self.input == self.output:
            raise ValueError(
                f'names "{self.input[:60]}" as input and as output, so each answer would stand in its request. '
                "Name the column with the answers as output."
            )
        return self


class UpkeepSpec(Section):
    """How often facts and the task change, and what it takes to follow (`prices.Upkeep`)."""

    facts_months: Positive | None = None
    task_months: Positive | None = None
    labels: Annotated[Whole, Field(ge=0)] | None = None
    label_price: NotNegative | None = None
    hours: NotNegative | None = None
    hour_price: NotNegative | None = None
    machine_hours: Annotated[Number, Field(ge=0, le=744)] | None = None

    @model_validator(mode="after")
    def _priced(self) -> Self:
        for amount, price in (("labels", "label_price"), ("hours", "hour_price")):
            if getattr(self, amount) and getattr(self, price) is None:
                raise ValueError(f"says {amount} without a {price}. Add `{price}: 0.5`, or what one costs you.")
        return self


class Spec(Section):
    """One task, as a person describes it. Four keys are enough: name, instruction, examples, target."""

    name: Annotated[Filled, Field(max_length=100)]
    instruction: Filled
    kind: Kind | None = None
    examples: Filled
    heldout: Filled | None = None
    documents: Filled | None = None
    recorded: Filled | None = None
    traffic: Filled | None = None
    """Real requests without answers, to see whether the held-out cases are like them, and for a teacher to answer."""
    teacher: Filled | None = None
    """That of the models which proposes instructions to the others, and answers the traffic so that they can learn from it."""
    labels: tuple[str, ...] | str | None = None
    answer_schema: dict[str, Any] | str | None = Field(default=None, alias="schema")
    pattern: Filled | None = None
    """A regular expression for the whole answer: models on this machine cannot write anything else."""
    metric: MetricSpec | None = None
    target: Share | None = None
    margin: Margin | None = None
    """In place of a target, for who has none: how far below the best is still good enough."""
    constraints: ConstraintsSpec = ConstraintsSpec()
    volume: Annotated[Whole, Field(gt=0, le=10**12)] = 10_000
    horizon_months: Annotated[Whole, Field(gt=0, le=120)] = 12
    procedure: Procedure = "cheapest first"
    """How several candidates share the 5 % of being wrong, for who has to follow a statistician's plan."""
    temperature: Annotated[Number, Field(ge=0, le=2)] = 0.0
    slices: tuple[str, ...] = ()
    models: Annotated[tuple[ModelSpec, ...], Field(min_length=1)] = (ModelSpec(name=DEFAULT_MODEL),)
    embedder: EmbedderSpec = EmbedderSpec()
    reranker: RerankerSpec | None = None
    columns: Columns = Columns()
    prices: Prices = Prices()
    upkeep: UpkeepSpec = UpkeepSpec()

    @field_validator("constraints", "columns", "prices", "upkeep", mode="before")
    @classmethod
    def _empty_section(cls, value: object) -> object:
        return {} if value is None else value

    @field_validator("metric", "embedder", "reranker", mode="before")
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

    @field_validator("answer_schema", mode="before")
    @classmethod
    def _composed_schema(cls, value: object) -> object:
        return value if isinstance(value, str) else composed(value)

    @field_validator("pattern")
    @classmethod
    def _readable_pattern(cls, value: str | None) -> str | None:
        try:
            with warnings.catch_warnings():  # Of what a later Python may read in another way.
                warnings.simplefilter("ignore", FutureWarning)
                re.compile(value or "")
        except (OverflowError, RecursionError):
            raise ValueError("repeats or nests more than a regular expression can. Make it simpler.") from None
        except re.error as error:
            raise ValueError(
                f"is no regular expression ({error}). Correct it, for instance [A-Z]{{2}}-[0-9]+."
            ) from None
        return None if value is None else str(composed(value))

    @field_validator("labels")
    @classmethod
    def _distinct_labels(cls, value: tuple[str, ...] | str | None) -> tuple[str, ...] | str | None:
        return checked_labels(value) if isinstance(value, tuple) else value

    @model_validator(mode="after")
    def _one_goal(self) -> Self:
        if self.target is not None and self.margin is not None:
            raise OfTask(
                ("margin",),
                "has a target and a margin. Keep the target if a figure has to be reached, and the margin if it is enough "
                "to come close to the best.",
            )
        return self

    @model_validator(mode="after")
    def _teacher_known(self) -> Self:
        if self.teacher is not None and self.teacher not in (model.name for model in self.models):
            raise OfTask(
                ("teacher",),
                f"has the teacher {self.teacher}, which is not among its models. Add it to `models:`, beside the one that is to "
                "learn.",
            )
        return self

    @model_validator(mode="after")
    def _parts_to_limit(self) -> Self:
        if self.constraints.slice_at_least is not None and not self.slices:
            raise OfTask(
                ("constraints", "slice_at_least"),
                "has slice_at_least without slices. Add the columns whose values are parts: `slices: [persona]`.",
            )
        for key in OF_QUESTIONS:
            if getattr(self.constraints, key) is not None and self.documents is None:
                raise OfTask(
                    ("constraints", key),
                    f"has {key} without documents. Add `documents: handbook.jsonl`, or leave {key} out.",
                )
        return self

    @model_validator(mode="after")
    def _one_currency(self) -> Self:
        if (self.upkeep.labels or self.upkeep.hours) and self.prices.machine_hour is None:
            raise OfTask(
                ("upkeep",),
                "has an upkeep in money, and what the machine costs is not known. Add `prices: {machine_hour: 0.40}`.",
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
        named["traffic"] = self.traffic
        named["labels"] = self.labels if isinstance(self.labels, str) else None
        named["schema"] = self.answer_schema if isinstance(self.answer_schema, str) else None
        return {key: name for key, name in named.items() if name is not None}


def must_be_of_questions(constraints: Constraints, kind: Kind) -> None:
    """Raises `BadInput` for a limit that is measured of answers to questions only, in a task of another kind."""
    for key in OF_QUESTIONS:
        if kind != "qa" and getattr(constraints, key) is not None:
            raise BadInput(
                f"{key} is measured of answers to questions over documents only, and the kind is {kind}. Leave {key} out, or "
                "write `kind: qa` where these are questions."
            )


def checked_labels(labels: tuple[str, ...]) -> tuple[str, ...]:
    """The labels without surrounding spaces and, as in data, without what cannot be seen.

    Raises ValueError for too few, an empty one or one that stands twice.
    """
    trimmed = tuple(harmless(label).strip() for label in labels)
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
    """Reads a task spec and returns it with its folder, in which every file that it names exists, or lies elsewhere.

    Labels and a schema that stand in files of their own are read in. Raises `BadInput` with file and line.
    """
    path = Path(path)
    text = _with_prices(read_yaml(path), path.parent)
    spec = _validated(text.values, text)
    files: dict[str, Path] = {}
    for key, name in spec.file_keys().items():
        try:
            if key in remote.KEYS and remote.is_remote(name):
                remote.check(name, key)
            else:
                files[key] = inside(path.parent, name, key)
        except BadInput as error:
            raise BadInput(f"{text.where((key,))}: {error}") from None
    filled = dict(text.values)
    for key, read in (("labels", _labels_file), ("schema", _schema_file)):
        if key in files:
            filled[key] = read(files[key], text.where((key,)))
    return _validated(filled, text), path.parent


def _with_prices(text: YamlText, folder: Path) -> YamlText:
    """The text with what the file of prices says that it names."""
    named = text.values.get("prices")
    if not isinstance(named, str):
        return text
    try:
        prices = read_prices(inside(folder, named, "prices"))
    except BadInput as error:
        raise BadInput(f"{text.where(('prices',))}: {error}") from None
    return replace(text, values={**text.values, "prices": prices})


def parse_spec(values: Mapping[str, Any], name: str = "the spec") -> Spec:
    """A spec from plain values, as `read_spec` makes one from a file. Raises `BadInput`."""
    return _validated(dict(values), YamlText(name=name, values=dict(values), lines={}))


def _validated(values: dict[str, Any], text: YamlText) -> Spec:
    for place, value in _all_values(values, ()):
        if len(place) > MAX_DEPTH:
            raise BadInput(f"{text.where(place)}: nested deeper than {MAX_DEPTH} levels. Make it flatter.")
        if isinstance(value, str) and _HALF_CHARACTER.search(value):
            raise BadInput(
                f"{text.where(place)}: a text holds half a character (a lone surrogate). Write the text anew."
            )
    try:
        return Spec.model_validate(values)
    except ValidationError as error:
        raise BadInput(spec_sentence(error.errors(include_url=False), values, text)) from None


def _all_values(value: Any, place: Place) -> Iterator[tuple[Place, Any]]:
    """Plain values and all that is within them, keys included, each with its place, the outer before the inner."""
    yield place, value
    if isinstance(value, Mapping):
        for key, inner in value.items():
            yield (*place, key), str(key)
            yield from _all_values(inner, (*place, key))
    elif isinstance(value, list | tuple):
        for number, inner in enumerate(value):
            yield from _all_values(inner, (*place, number))


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
