"""Sees of which types the values are that are read as inputs and answers: objects, several types in one column, no JSON."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Literal

from benchmarks.audit.findings import Finding, many
from benchmarks.data.columns import Layout, shown_names
from benchmarks.formats.json_lines import DECODER, KeyTwice
from benchmarks.formats.record import Record

_LIKE_AN_OBJECT = re.compile(r"\s*\{\s*['\"].*\}\s*", re.DOTALL)
_TYPES: Mapping[str, tuple[str, str]] = {
    "text": ("text", "texts"),
    "number": ("number", "numbers"),
    "truth": ("true or false", "of true or false"),
    "list": ("list", "lists"),
    "object": ("object", "objects"),
}


class ValueTypes:
    """Remembers the types of the inputs and answers while the rows of a file are read, and which fields their objects have."""

    def __init__(self, layout: Layout) -> None:
        self._layout = layout
        self._types: list[str] = []
        """Of each row's answer; empty where there is none."""
        self._inputs: list[bool] = []
        """Of each row whether its input is an object."""
        self._input_fields: dict[str, None] = {}
        self._answer_fields: set[tuple[str, ...]] = set()

    def passing(self, records: Iterator[Record]) -> Iterator[Record]:
        """The records as they are."""
        for record in records:
            asked, answer = record.values.get(self._layout.input), record.values.get(self._layout.output)
            self._inputs.append(isinstance(asked, Mapping))
            self._input_fields.update(dict.fromkeys(asked) if isinstance(asked, Mapping) else {})
            self._types.append(_type_of(answer))
            self._answer_fields.add(tuple(answer) if isinstance(answer, Mapping) else ())
            yield record

    def findings(self, outputs: Sequence[str], ids: Sequence[str]) -> Iterator[Finding]:
        """What is odd about them, once all records have passed; `outputs` and `ids` are those of the rows."""
        if any(self._inputs):
            yield self._objects_asked(ids)
        types = _told_apart(self._types, outputs)
        if len({*types} - {""}) > 1:
            yield self._several(types, ids)
        if len(self._answer_fields) == 1 and len(fields := next(iter(self._answer_fields))) == 1:
            yield self._one_field(fields[0], ids)
        yield from _no_json(outputs, ids)

    def _objects_asked(self, ids: Sequence[str]) -> Finding:
        objects = [name for name, is_object in zip(ids, self._inputs, strict=True) if is_object]
        fields = [str(name) for name in self._input_fields]
        return Finding(
            kind="inputs that are objects",
            count=len(objects),
            examples=tuple(objects[:3]),
            says=f"{len(objects):,} of {len(ids):,} inputs in the column {shown_names([self._layout.input])} are JSON objects"
            f"{f', with the fields {shown_names(fields)}' if fields else ''}.",
            effect="Every approach is shown the whole object as JSON, with its marks and the names of its fields.",
            what_to_do="Where single fields are what is asked, give each a column of its own in the file and name these under "
            "`columns`.",
            severity="note",
        )

    def _several(self, types: Sequence[str], ids: Sequence[str]) -> Finding:
        counts = Counter(of for of in types if of)
        most = counts.most_common(1)[0][0]
        told = ", ".join(many(count, *_TYPES[of]) for of, count in counts.most_common())
        return Finding(
            kind="answers of several types",
            count=counts.total() - counts[most],
            examples=tuple(next(name for name, of in zip(ids, types, strict=True) if of == one) for one in counts)[:3],
            says=f"The answers in the column {shown_names([self._layout.output])} are of several types: {told}.",
            effect='Each is compared as JSON writes it, so that a, ["a"] and {"is": "a"} are three answers.',
            what_to_do="Write all of them in one way: as a text each, or each as an object for an extraction.",
        )

    def _one_field(self, field: str, ids: Sequence[str]) -> Finding:
        return Finding(
            kind="answers in one field",
            count=len(ids),
            examples=tuple(ids[:3]),
            says=f"All answers in the column {shown_names([self._layout.output])} are JSON objects with the one field "
            f"{shown_names([field])}.",
            effect="They are asked for and compared as such objects, as an extraction.",
            what_to_do="Where the value alone is the answer, such as a label, give it a column of its own and name this one as "
            "`output` under `columns`.",
            severity="note",
        )


def _no_json(outputs: Sequence[str], ids: Sequence[str]) -> Iterator[Finding]:
    like = [(name, _flaw(text)) for name, text in zip(ids, outputs, strict=True) if _LIKE_AN_OBJECT.fullmatch(text)]
    found, twice = ([name for name, flaw in like if flaw == each] for each in ("no JSON", "a key twice"))
    if twice:
        yield Finding(
            kind="answers with a key twice",
            count=len(twice),
            examples=tuple(twice[:3]),
            says=f"{many(len(twice), 'answer is an object that has', 'answers are objects that have')} a key twice.",
            effect="Only the last value of such a key is taught and compared.",
            what_to_do="Keep the one that is meant, or give each a key of its own.",
        )
    if found:
        yield Finding(
            kind="answers that are no JSON",
            count=len(found),
            examples=tuple(found[:3]),
            says=f"{many(len(found), 'answer looks', 'answers look')} like an object and cannot be read as JSON, as where Python "
            "wrote it with single quotes.",
            effect="Such an answer is a label or a text as a whole, and no field of it is compared.",
            what_to_do='Write it as JSON, {"field": "value"} with null for nothing, unless it is meant as a text.',
        )


def _flaw(text: str) -> Literal["", "no JSON", "a key twice"]:
    try:
        DECODER.decode(text.strip())
    except KeyTwice:
        return "a key twice"
    except (ValueError, RecursionError):
        return "no JSON"
    return ""


def _type_of(value: Any) -> str:
    """The type of an answer, empty where there is none."""
    if isinstance(value, bool):
        return "truth"
    if isinstance(value, Mapping):
        return "object"
    if isinstance(value, list | tuple):
        return "list"
    return "number" if isinstance(value, int | float) else "" if value is None else "text"


def _told_apart(types: Sequence[str], outputs: Sequence[str]) -> list[str]:
    """The types once those that lead to the same answers are one: a text may spell what other rows hold, and a number is as
    good as its text."""
    there = {*types}
    if there <= {"", "text"}:
        return list(types)
    apart = [_spelt(text) if of == "text" else of for of, text in zip(types, outputs, strict=True)]
    apart = ["text" if own == "text" and of not in there else of for own, of in zip(types, apart, strict=True)]
    return ["text" if of == "number" else of for of in apart] if "text" in apart else apart


def _spelt(text: str) -> str:
    """The type of what a text spells as JSON."""
    try:
        value = DECODER.decode(text.strip())
    except (ValueError, RecursionError):
        return "text"
    return "text" if isinstance(value, str) or value is None else _type_of(value)
