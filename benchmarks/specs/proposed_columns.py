"""Decides by their names, else by what they hold, which columns of a data file are proposed for input and answer."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.contract import BadInput
from benchmarks.data.columns import Rows, find_layout, placeholders, shown_names, usual, usual_answers
from benchmarks.specs.spec import Columns
from strategies.words import count

_MOST_SLICE_VALUES = 12
_ROWS_A_VALUE = 3
"""From so many rows a value on a column has few values."""
_NEARLY = 0.9
_MOST_JOINED = 6
_MOST_OTHERS = 4
_LABEL_WORDS = 3
"""Up to so many words a text may be a label, or a value to break results down by."""
_PASSAGE_WORDS = 20
"""From so many words on average texts are read, even where several rows share one, as questions on one passage do."""
_WORSE = "rejected"
"""Of preference data the answer that is not wanted."""
_OF_ROWS = re.compile(
    r"(?:^|[^a-z])(?:ids?|uuid|guid|nr|no|number|index|idx|dates?|datum|time|timestamp|zeit|created|updated)(?:$|[^a-z])"
)
"""Names of columns with ids or times, in lower case."""
_TIME = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}([T ].*)?|[0-9]{1,2}([./-])[0-9]{1,2}\2[0-9]{2,4}([T ].*)?")
_CODE, _WORD = re.compile(r"[^\s.,]*[0-9][^\s.,]*"), re.compile(r"[^\W\d_]{2}")


@dataclass(frozen=True, kw_only=True)
class Seen:
    """What a column of the first rows looks like."""

    name: str
    filled: int
    distinct: int
    words: float
    """Mean number of words."""
    names_rows: bool
    """By its name or its values it holds ids or times, which are hardly what is asked for."""
    free: bool
    """Else nearly every row has a text of its own there, or some a long one."""


def looked_at(name: str, values: Sequence[Any]) -> Seen:
    """What the values of a column in the first rows look like, None where a row has none."""
    texts = [
        value if isinstance(value, str) else json.dumps(value, default=str) for value in values if value is not None
    ]
    texts = [text for text in texts if text.strip()]
    words = sum(count(text) for text in texts) / max(len(texts), 1)
    spelt = re.sub(r"(?<=[a-z])(?=[A-Z])", "_", name).lower()
    distinct, plain = len(set(texts)), [text.strip('"') for text in texts]
    codes = distinct == len(texts) and all(map(_CODE.fullmatch, plain))
    names_rows = bool(_OF_ROWS.search(spelt)) or codes or all(map(_TIME.fullmatch, plain))
    own = distinct > max(1, 0 if words >= _PASSAGE_WORDS else len(texts) / _ROWS_A_VALUE)
    own = own and any(map(_WORD.search, texts))
    return Seen(
        name=name,
        filled=len(texts),
        distinct=distinct,
        words=words,
        names_rows=names_rows,
        free=own and not names_rows,
    )


def proposed_columns(path: Path, rows: Rows, seen: Sequence[Seen]) -> tuple[Columns, list[str]]:
    """The mapping of the columns, and the reasons. Raises `BadInput` where no two columns will do."""
    names = [column.name for column in seen]
    try:
        layout = find_layout(names, Columns(), path.name, rows)
    except BadInput:
        return _by_content(path, rows, seen)
    if layout.chat:
        return Columns(), [f'input and output: from the chats in the column "{layout.chat}".']
    sources = placeholders(layout.input) or (layout.input,)
    target = layout.output or layout.answers
    reasons = [f"input: from {shown_names(sources)}, output: from {shown_names([target])}, because of their names."]
    plain = layout.input == "input" and layout.output in ("output", "")
    return Columns() if plain else Columns(input=layout.input, output=layout.output or None), reasons


def _by_content(path: Path, rows: Rows, seen: Sequence[Seen]) -> tuple[Columns, list[str]]:
    """Of the sides those that have no usual name: the longest texts are the input; among the rest a column with few values, else
    the next longest, the output."""
    full = [column for column in seen if column.filled and column.distinct > 1 and column.name.lower() != _WORSE]
    if len(full) < 2:
        raise BadInput(
            f"{path.name} has no two columns with texts; its columns are {shown_names([column.name for column in seen])}. "
            "Give a file with an input and the answer that is wanted in each row."
        )
    names = [column.name for column in seen]
    source, target = usual(names, "input"), _named_answer(names)
    answers = "" if target else usual_answers(names, rows)
    reasons = [
        f"{side}: from {shown_names([name])}, because of its name."
        for side, name in (("input", source), ("output", target or answers))
        if name
    ]
    if not source:
        column = _longest([column for column in full if column.name not in (target, answers)])
        source = column.name
        reasons.append(f"input: from {shown_names([source])}, because its texts are the longest.")
    if not target and not answers:
        target, says = _answer([column for column in full if column.name != source])
        reasons.append(says)
    return Columns(input=source, output=target or None), sorted(reasons)


def _named_answer(names: Sequence[str]) -> str:
    """The column whose name is usual for the answer; beside a question that is a query too. Empty where there is none."""
    asked = usual(names, "input").lower() == "question"
    return usual(names, "output") or next((name for name in names if asked and name.lower() == "query"), "")


def by_its_values(names: Sequence[str], output: str) -> bool:
    """Whether the column was taken for the answer by what it holds, and not by its name."""
    return bool(output) and not usual([output], "output") and output != _named_answer(names)


def _longest(columns: Sequence[Seen]) -> Seen:
    """Of those with a value in nearly every row; ids and times only where there is nothing else."""
    most = max(column.filled for column in columns)
    full = [column for column in columns if column.filled >= _NEARLY * most]
    return max(full, key=lambda column: (not column.names_rows, column.words, column.distinct))


def _answer(columns: Sequence[Seen]) -> tuple[str, str]:
    """The column that most likely holds the answer, and why, with others that may: of those with few values the one with the
    most of them, labels first."""
    likely = [column for column in columns if not column.names_rows] or list(columns)
    most = max(column.filled for column in likely)
    full = [column for column in likely if column.filled >= _NEARLY * most]
    few = [column for column in full if column.distinct <= column.filled / _ROWS_A_VALUE]
    few.sort(key=lambda column: (max(column.words, _LABEL_WORDS), -column.distinct))
    found = few[0] if few else _longest(likely)
    why = f"it has {found.distinct:,} different values" if few else "its texts are the next longest"
    others = [column for column in (*few, *(one for one in likely if one not in few)) if column != found]
    shown = [f"{shown_names([column.name])} ({column.distinct:,} values)" for column in others[:_MOST_OTHERS]]
    another = f"{', '.join(shown[:-1])}{' or ' if shown[1:] else ''}{shown[-1]}" if shown else "another column"
    says = f"output: from {shown_names([found.name])}, because {why}; correct it if {another} holds the answer."
    return found.name, says


def unused(rows: Rows, seen: Sequence[Seen], columns: Columns) -> list[str]:
    """A reason where further columns hold texts that may belong to the request."""
    names = [column.name for column in seen]
    layout = find_layout(names, columns, "", rows)
    sources = (layout.input,) if layout.input in names else placeholders(layout.input)
    taken = {getattr(layout, part) for part in ("output", "answers", "id", "document_ids", "group", "metadata")}
    more = [column.name for column in seen if column.free and column.name not in {*taken, *sources, _WORSE}]
    joined = [name for name in names if name in {*sources, *more}]
    if layout.chat or not more or any({"{", "}"} & set(name) for name in joined):
        return []
    if by_its_values(names, layout.output):
        return [
            f"unused: {shown_names(more)}. Where that is known when a request comes, and is no answer, join it under `columns`."
        ]
    template = r"\n\n".join(f"{{{name}}}" for name in joined[:_MOST_JOINED])
    return [
        f'unused: {shown_names(more)}. What belongs to the request is joined under `columns`, as in input: "{template}".'
    ]


def proposed_slices(seen: Sequence[Seen], columns: Columns, split: str) -> list[str]:
    """Further columns with few short values, at most three. `split`: one that says which rows were kept for testing."""
    sources = (columns.input, columns.output, columns.group, split)
    used = {name for source in sources if source for name in (source, *placeholders(source))}
    usual = {"input", "output", "label", "answer", "metadata", "messages"}
    fit = [column for column in seen if 2 <= column.distinct <= min(_MOST_SLICE_VALUES, column.filled / 5)]
    return [column.name for column in fit if column.name not in used | usual and column.words <= _LABEL_WORDS][:3]
