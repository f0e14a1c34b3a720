"""JSON validity: a program could read the answer as it stands."""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

import jsonschema

from benchmarks.contract import BadInput
from benchmarks.metrics import _json, _schema
from benchmarks.metrics._base import Example, OfCases
from strategies.contract import Case, Kind

SHOWN = 200
"""Characters of a schema in a sentence."""


@dataclass(frozen=True, kw_only=True)
class JsonValid(OfCases):
    """1 where the whole answer is a JSON object or array, and valid by `schema` if one is given, else 0.

    It says nothing about whether the values are right, and a code fence around the JSON is not tolerated.
    Errors: ScoreFailure where a pattern of the schema takes too long.
    """

    name: ClassVar[str] = "json_valid"
    kinds: ClassVar[frozenset[Kind]] = frozenset({"extraction", "generation"})
    graded: ClassVar[bool] = False

    schema: Mapping[str, Any] | None = None
    """A JSON schema (the dialect that it names, else 2020-12). References stay inside the schema; none is fetched."""

    def __post_init__(self) -> None:
        if self.schema is None:
            return
        if not isinstance(self.schema, Mapping):
            given = _shortened(repr(self.schema))
            raise BadInput(f"`schema` of the metric json_valid is {given}; write a JSON schema as a mapping.")
        if not isinstance(self.schema.get("$schema", ""), str):
            raise BadInput("`$schema` of the schema is no text. Write the address of its dialect, or leave it out.")
        for reference in _references(self.schema):
            if not reference.startswith("#"):
                raise BadInput(
                    f"The schema refers to `{_shortened(reference)}`; only references within it, like #/$defs/x, work."
                )
        try:
            with warnings.catch_warnings():  # Of patterns that a later Python may read in another way.
                warnings.simplefilter("ignore", FutureWarning)
                _schema.validator(self.schema).check_schema(self.schema)
        except ValueError:
            raise BadInput(
                "`$schema` of the schema is no address. Write that of its dialect, or leave it out."
            ) from None
        except jsonschema.SchemaError as error:
            where = _shortened("/".join(map(str, error.absolute_path)) or "its top level")
            said = _shortened(error.message)
            raise BadInput(f"The schema is not a JSON schema: at {where}, {said}. Correct it there.") from None

    def score(self, case: Case, text: str) -> float:
        return float(self.reads(text))

    def reads(self, text: str) -> bool:
        """Whether a program could read the text, whatever was asked. Errors: as `score`."""
        parsed = _json.read(text, fenced=False)
        if parsed is None:
            return False
        return self.schema is None or _schema.is_valid(self.schema, parsed.value)


def _shortened(text: str) -> str:
    """At most 200 characters: what is quoted of a schema may be all of it."""
    return text if len(text) <= SHOWN else f"{text[: SHOWN // 2]} ... {text[-SHOWN // 2 :]}"


def _references(value: Any) -> Iterator[str]:
    if isinstance(value, Mapping):
        for key, inner in value.items():
            if key in ("$ref", "$dynamicRef") and isinstance(inner, str):
                yield inner
            else:
                yield from _references(inner)
    elif isinstance(value, list | tuple):
        for inner in value:
            yield from _references(inner)


METRIC = JsonValid
EXAMPLE: Example = (
    {"schema": {"type": "object", "required": ["item"], "properties": {"item": {"type": "string"}}}},
    Case(id="1", input="Please send us twelve reams of A4.", output='{"item": "A4 paper", "quantity": 12}'),
)
