"""Finds out which column of a data file holds what: by the spec, else by the usual names."""

from __future__ import annotations

import difflib
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from statistics import median
from typing import Any

from benchmarks.audit.findings import Finding
from benchmarks.contract import BadInput
from benchmarks.specs.spec import Columns
from strategies.standalone import reading
from strategies.standalone.reading import IDS, INPUTS, PLACEHOLDER

USUAL: dict[str, tuple[str, ...]] = {
    "input": INPUTS,
    "output": (
        *("output", "outputs", "label", "labels", "answer", "target", "completion", "response", "intent", "category"),
        *("class", "expected", "expected_output", "reference", "gold", "summary", "reply", "chosen"),
        *("tgt", "targets", "sql"),
    ),
    "id": IDS,
    "answers": ("answers", "references", "accepted", "aliases", "targets"),
    "document_ids": ("document_ids", "doc_ids", "document_id", "doc_id", "context_ids", "passage_ids"),
    "group": ("group", "group_id"),
    "metadata": ("metadata", "meta"),
    "title": ("title", "heading", "name", "subject"),
    "text": ("text", "content", "contents", "body", "passage", "document", "page_content", "context"),
    "date": ("date", "valid_from", "updated", "updated_at", "modified"),
}
TOLD: dict[str, str] = {
    "answers": "further right answers are",
    "group": "groups of rows are",
    "id": "ids are",
    "document_ids": "the documents of an answer are",
    "metadata": "metadata is",
}
"""How a column that was found by its name is told; an id, documents and metadata only where it is not simply called that."""
Rows = Sequence[Mapping[str, Any]]
CHATS = ("messages", "conversations", "conversation")
_SENTENCE_WORDS = 5
"""A column name of so many words is a sentence."""


@dataclass(frozen=True, kw_only=True)
class Layout:
    """Where the parts of an example stand. Each is a column, or a text with `{column}` in it; empty: not there."""

    input: str = ""
    output: str = ""
    id: str = ""
    answers: str = ""
    document_ids: str = ""
    group: str = ""
    metadata: str = ""
    chat: str = ""
    """The column with a list of chat messages; `input` and `output` are then empty."""
    notes: tuple[str, ...] = ()


def find_layout(names: Sequence[str], columns: Columns, file: str, first: Rows = ()) -> Layout:
    """The layout of a file with the columns `names`. Raises `BadInput` where input or output cannot be found.

    `first` are its first rows: further right answers are found by another name than `answers` only where each is a list.
    """
    mapped = _mapped(columns)
    for key, value in mapped.items():
        _check_mapped(names, key, value, file)
    found = {key: mapped.get(key) or usual(names, key) for key in ("id", "document_ids", "group", "metadata")}
    found["answers"] = mapped.get("answers") or usual_answers(names, first)
    chat = next((name for name in CHATS if name in names and not _names_threads(name, names, first)), "")
    if chat and not ({"input", "output"} & mapped.keys()):
        notes = (f'{file}: examples are chats, read from "{chat}".', *_notes(file, mapped, found))
        return Layout(chat=chat, notes=notes, **found)
    taken = set(found.values()) | {mapped.get("output", ""), mapped.get("input", "")}
    free = [name for name in names if name not in taken]
    alpaca = {"instruction", "output"} <= set(names) and not ({"input", "output"} & mapped.keys())
    guessed_input = _alpaca_input(names) if alpaca else usual(free, "input")
    source = mapped.get("input") or guessed_input
    target = mapped.get("output") or usual([name for name in free if name != source], "output")
    if not source:
        raise BadInput(_not_found(names, "input", file))
    if not target and not found["answers"]:
        raise BadInput(_not_found(names, "output", file))
    found |= {"input": source, "output": target}
    return Layout(notes=_notes(file, mapped, found), **found)


def layout_apart(names: Sequence[str], columns: Columns, file: str, first: Rows = ()) -> Layout:
    """`find_layout` of a file beside the examples, such as one of held-out cases, which may have other columns.

    Where it lacks some that `columns` names and has the usual names in their place, those are taken, and a note says so.
    Raises `BadInput` where it has neither.
    """
    lost = {key: lacks for key, value in _mapped(columns).items() if (lacks := _lacking(names, value))}
    if not lost:
        return find_layout(names, columns, file, first)
    try:
        found = find_layout(names, columns.model_copy(update=dict.fromkeys(lost)), file, first)
    except BadInput:
        return find_layout(names, columns, file)  # Which names the column.
    if not {"input", "output"} & lost.keys() and not all(getattr(found, key) for key in lost):
        return find_layout(names, columns, file)
    parts = [*lost, *(() if found.output else ("answers",))]
    taken = {"chats": found.chat} if found.chat else {key: getattr(found, key) for key in parts}
    others = {key: getattr(found, key) for key in TOLD if key not in taken}
    note = _note_apart(file, [name for lacks in lost.values() for name in lacks], taken)
    return replace(found, notes=(note, *_notes(file, _mapped(columns), others)))


def input_apart(names: Sequence[str], columns: Columns, file: str) -> Layout:
    """`layout_apart` of a file of requests, whose rows need nothing but an input; joined columns may lack some of theirs."""
    mapped = columns.input or ""
    lacks = _lacking(names, mapped) if mapped else ()
    if mapped and len(lacks) < len(_parts(names, mapped)):
        return Layout(input=mapped)
    found = usual([name for name in names if name != columns.output], "input")
    if not found and mapped:
        _check_mapped(names, "input", mapped, file)
    if not found:
        said = f"{file} has no column with a usual name for the input; its columns are {shown_names(names)}."
        raise BadInput(f'{said} Call that one "input".')
    return Layout(input=found, notes=(_note_apart(file, lacks, {"input": found}),) if lacks else ())


def usual(names: Sequence[str], part: str) -> str:
    """The first column with a usual name for the part, whatever its case; empty where there is none."""
    return reading.usual(names, USUAL[part])


def usual_answers(names: Sequence[str], first: Rows) -> str:
    """The column with a usual name for further right answers that holds such in the first rows; empty where there is none."""
    return usual([name for name in names if _of_answers(name, first)], "answers")


def _of_answers(name: str, first: Rows) -> bool:
    """Whether a column may hold right answers; of another name than `answers` it may also say whether or why one is right."""
    values = [row[name] for row in first if row.get(name) not in (None, "")]
    return usual([name], "answers") == name and (
        bool(reading.usual([name], ("answers",))) or (bool(values) and all(map(_several, values)))
    )


def _several(value: Any) -> bool:
    """Whether a value is a list of texts or numbers, also as a table has it, or holds one as SQuAD does."""
    if isinstance(value, Mapping):
        value = value.get("text")
    if isinstance(value, str):
        return value.lstrip().startswith(("[", "{"))
    return isinstance(value, list | tuple) and all(isinstance(entry, str | int | float) for entry in value)


def header_findings(file: str, names: Sequence[str], rows: Rows) -> tuple[Finding, ...]:
    """Whether the line of names of a table looks like one of its rows: no name is a usual one, and one looks like a value."""
    if any(usual(names, part) for part in USUAL):
        return ()
    odd = [name for name in names if _like_a_value(name, [str(row.get(name) or "").strip() for row in rows])]
    if not odd:
        return ()
    return (
        Finding(
            kind="no header",
            count=1,
            examples=(),
            says=f"The first line of {file} gives its columns their names, and {shown_names(odd[:1])} looks like a value.",
            effect="If that line is a row, it is lost as an example.",
            what_to_do="Then write a line of names above it, such as input,output, and those names under `columns`.",
        ),
    )


def _like_a_value(name: str, values: Sequence[str]) -> bool:
    """Whether the name stands among the values, is a number, or is a sentence as they mostly are."""
    number = re.fullmatch(r"[-+]?[0-9]+([.,][0-9]+)?", name) is not None
    lengths = [len(value.split()) for value in values]
    sentence = min(len(name.split()), median(lengths or [0])) >= _SENTENCE_WORDS
    return number or sentence or name in values


def placeholders(template: str) -> tuple[str, ...]:
    """The column names in a joined text such as `"{subject}\\n\\n{body}"`; empty for a plain column name."""
    return tuple(PLACEHOLDER.findall(template))


def filled(template: str, values: dict[str, str]) -> str:
    """Plain substitution of `{column}`; braces in the values are left alone."""
    return PLACEHOLDER.sub(lambda match: values[match.group(1)], template)


def column_values(values: dict[str, Any], source: str) -> dict[str, Any]:
    """The values of the columns that `source`, a column name or a joined text, needs."""
    return {name: values.get(name) for name in (placeholders(source) or (source,))}


def _alpaca_input(names: Sequence[str]) -> str:
    return "{instruction}\n\n{input}" if "input" in names else "instruction"


def _mapped(columns: Columns) -> dict[str, str]:
    """What `columns` says, part by part; a time is read as a slice."""
    return {key: value for key, value in columns.model_dump(exclude={"time"}).items() if value}


def _parts(names: Sequence[str], source: str) -> tuple[str, ...]:
    """The columns that a column name or a joined text takes from a file with the columns `names`."""
    return (source,) if source in names else placeholders(source) or (source,)


def _lacking(names: Sequence[str], source: str) -> tuple[str, ...]:
    return tuple(name for name in _parts(names, source) if name not in names)


def _check_mapped(names: Sequence[str], key: str, value: str, file: str) -> None:
    for name in _lacking(names, value):
        near = difflib.get_close_matches(name, names, n=1, cutoff=0.6)
        outer, dot, field = name.partition(".")
        inside = f'Fields inside "{outer[:40]}" are not read: give "{field[:40]}" a column of its own in the file.'
        hint = f'Did you mean "{near[0]}"?' if near else f"Its columns are {shown_names(names)}."
        hint = inside if dot and outer in names else hint
        raise BadInput(f'columns.{key} names the column "{name}", which {file} does not have. {hint}')


def _note_apart(file: str, lacks: Sequence[str], taken: Mapping[str, str]) -> str:
    """`taken`: part -> the column that it is read from; empty: the file has none."""
    read = [f"{key.replace('_', ' ')} from {_shown_source(source)}" for key, source in taken.items() if source]
    lacked = f"{file} lacks columns that the task names ({shown_names(lacks)})"
    return f"{lacked}, so the usual names are taken: {', '.join(read)}."


def _notes(file: str, mapped: Mapping[str, str], found: Mapping[str, str]) -> tuple[str, ...]:
    """What was found by its name; `found`: part -> column."""
    told = {"input": "the input is", "output": "the output is"} | TOLD
    if not found.get("output") and "input" in found:
        told["answers"] = "the right answers are"
    guessed = [key for key in told if found.get(key) and key not in mapped]
    says = [
        f"{told[key]} taken from {_shown_source(found[key])}"
        for key in guessed
        if key in ("answers", "group") or found[key] != key
    ]
    if not says:
        return ()
    return (
        f"{file}: {', '.join(says[:-1])}{' and ' if says[1:] else ''}{says[-1]}; map other columns under `columns:`.",
    )


def _names_threads(chat: str, names: Sequence[str], first: Rows) -> bool:
    """Whether a column called as chats are only tells which of them a row is of, beside one with the input."""
    plain = all(isinstance(row.get(chat), str | int | None) and "{" not in str(row.get(chat)) for row in first)
    return plain and bool(first) and bool(usual(names, "input"))


def _shown_source(source: str) -> str:
    names = placeholders(source)
    return " and ".join(f'"{name}"' for name in names) if names else f'"{source}"'


def _not_found(names: Sequence[str], part: str, file: str) -> str:
    return (
        f"{file} has no column with a usual name for the {part}; its columns are {shown_names(names)}. "
        f'Call that one "{part}", or write `columns: {{{part}: NAME}}` into the task spec.'
    )


def shown_names(names: Sequence[str]) -> str:
    """At most eight column names in quotes, each at most 40 characters long."""
    rest = f" and {len(names) - 8} more" if len(names) > 8 else ""
    return ", ".join(f'"{name[:40]}"' for name in names[:8]) + rest
