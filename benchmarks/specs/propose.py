"""Looks at a data file and proposes a commented task spec for it, with the reason for each line."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

from benchmarks.contract import BadInput
from benchmarks.data.columns import Rows, find_layout, layout_apart, placeholders, shown_names, usual, usual_answers
from benchmarks.data.load import Cases, read_cases, without_rows
from benchmarks.formats import holds_data, read_records, reader
from benchmarks.formats.clean import harmless
from benchmarks.specs.infer import DEFAULT_METRICS, infer_kind
from benchmarks.specs.spec import Columns
from strategies.contract import Case, Kind
from strategies.words import count

_LOOKED_AT = 2_000
_MOST_SLICE_VALUES = 12
_MOST_LABELS = 40
"""Of longer lists there is no line."""
_ROWS_A_VALUE = 3
"""From so many rows a value on a column has few values."""
_NEARLY = 0.9
_MOST_JOINED = 6
_MOST_OTHERS = 4
_LABEL_WORDS = 3
"""Up to so many words a text may be a label, or a value to break results down by."""
_WORSE = "rejected"
"""Of preference data the answer that is not wanted."""
_OF_ROWS = re.compile(
    r"(?:^|[^a-z])(?:ids?|uuid|guid|nr|no|number|index|idx|dates?|datum|time|timestamp|zeit|created|updated)(?:$|[^a-z])"
)
"""Names of columns with ids or times, in lower case."""
_TIME = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}([T ].*)?|[0-9]{1,2}([./-])[0-9]{1,2}\2[0-9]{2,4}([T ].*)?")
_CODE, _WORD = re.compile(r"[^\s.,]*[0-9][^\s.,]*"), re.compile(r"[^\W\d_]{2}")
_PLAIN_STEMS = ("examples", "example", "train", "training", "data", "dataset", "cases")
_HELDOUT_STEMS = ("heldout", "held-out", "held_out", "test", "eval", "validation", "valid", "dev")
_DOCUMENT_STEMS = ("documents", "docs", "passages", "corpus", "knowledge")
_INSTRUCTIONS: dict[Kind, str] = {
    "classification": "Read the text and answer with the one label that fits it.",
    "extraction": "Read the text and answer with a JSON object of the fields that it states.",
    "qa": "Answer the question from the documents, in as few words as possible.",
    "generation": "Rewrite the text as the examples do.",
}


@dataclass(frozen=True, kw_only=True)
class Proposal:
    """The text of a task.yaml, and why it says what it says, one sentence each."""

    text: str
    reasons: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class _Column:
    """What a column of the first rows looks like."""

    name: str
    filled: int
    distinct: int
    words: float
    """Mean number of words."""
    names_rows: bool
    """By its name or its values it holds ids or times, which are hardly what is asked for."""
    free: bool
    """Else nearly every row has a text of its own there."""


def propose(path: Path) -> Proposal:
    """A spec for the examples in `path`, for the same folder. Raises `BadInput` where they cannot be read."""
    records = list(islice(read_records(path), _LOOKED_AT))
    if not records:
        raise without_rows(path)
    names = list(dict.fromkeys(name for record in records for name in record.values))
    seen = [_looked_at(name, [record.values.get(name) for record in records]) for name in names]
    columns, reasons = _columns(path, [record.values for record in records], seen)
    guessed = _by_its_values(names, columns.output or "")
    read = _read(path, columns, guessed)
    cases = read.cases
    reasons += _unused([record.values for record in records], seen, columns)
    reasons += [finding.told for finding in read.findings]
    heldout, documents = _beside(path, _HELDOUT_STEMS, holds_data), _beside(path, _DOCUMENT_STEMS, Path.is_dir)
    unfit = _without_answers(path.parent / heldout, columns) if heldout else ""
    heldout = "" if unfit else heldout
    kind, why = infer_kind(cases, bool(documents), has_labels=False, has_schema=False)
    reasons += [why]
    if len(read.systems) == 1:
        reasons.append("instruction: the system message of the chats, since all that have one have the same.")
    if heldout:
        reasons.append(f"heldout: {heldout}, because it lies beside the examples and has the name of a held-out file.")
    else:
        reasons.append(unfit or "heldout: none was found, so half of the examples (at most 500) will be held out.")
    if documents:
        reasons.append(f"documents: {documents}, because it lies beside the examples.")
    labels = _labels(cases) if kind == "classification" else []
    others = _only_held_out(path, heldout, columns, labels) if labels and heldout else []
    if others and len(labels) + len(others) <= _MOST_LABELS:
        reasons.append(f"labels: {shown_names(others)} from {heldout}, since no example has it.")
    slices = _slices(seen, columns)
    if slices:
        reasons.append(f"slices: {shown_names(slices)} could be used; few values each.")
    lines = [
        *_head(path, kind, sorted([*labels, *others]), read),
        *(
            [f"heldout: {_quoted(heldout)}"]
            if heldout
            else ["# heldout: heldout.jsonl   # cut from the examples if left out"]
        ),
        *([f"documents: {_quoted(documents)}"] if documents else []),
        *_column_lines(columns),
        "",
        *_measure(kind),
        "",
        *([f"# slices: [{', '.join(map(_quoted, slices))}]   # also show results for each value"] if slices else []),
        "# constraints: {cost_per_month: 200, p95_latency_s: 2, data_stays_here: true}",
        "volume: 10000          # requests a month, for the cost",
        "horizon_months: 12     # months over which costs are added up",
    ]
    return Proposal(text="\n".join(lines) + "\n", reasons=tuple(reasons))


def _read(path: Path, columns: Columns, guessed: bool) -> Cases:
    """Raises `BadInput` where a row cannot be used; of an output that was guessed it says how another one is taken."""
    try:
        return read_cases(path, columns)
    except BadInput as found:
        if not guessed:
            raise
        other = f'Where another column than "{(columns.output or "")[:40]}" holds the answer, call that one "output".'
        raise BadInput(f"{found} {other}") from None


def _looked_at(name: str, values: Sequence[Any]) -> _Column:
    texts = [
        value if isinstance(value, str) else json.dumps(value, default=str) for value in values if value is not None
    ]
    texts = [text for text in texts if text.strip()]
    words = sum(count(text) for text in texts) / max(len(texts), 1)
    spelt = re.sub(r"(?<=[a-z])(?=[A-Z])", "_", name).lower()
    distinct, plain = len(set(texts)), [text.strip('"') for text in texts]
    codes = distinct == len(texts) and all(map(_CODE.fullmatch, plain))
    names_rows = bool(_OF_ROWS.search(spelt)) or codes or all(map(_TIME.fullmatch, plain))
    own = distinct > max(1, len(texts) / _ROWS_A_VALUE) and any(map(_WORD.search, texts))
    return _Column(
        name=name,
        filled=len(texts),
        distinct=distinct,
        words=words,
        names_rows=names_rows,
        free=own and not names_rows,
    )


def _columns(path: Path, rows: Rows, seen: Sequence[_Column]) -> tuple[Columns, list[str]]:
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


def _by_content(path: Path, rows: Rows, seen: Sequence[_Column]) -> tuple[Columns, list[str]]:
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


def _by_its_values(names: Sequence[str], output: str) -> bool:
    """Whether the column was taken for the answer by what it holds, and not by its name."""
    return bool(output) and not usual([output], "output") and output != _named_answer(names)


def _longest(columns: Sequence[_Column]) -> _Column:
    """Of those with a value in nearly every row; ids and times only where there is nothing else."""
    most = max(column.filled for column in columns)
    full = [column for column in columns if column.filled >= _NEARLY * most]
    return max(full, key=lambda column: (not column.names_rows, column.words, column.distinct))


def _answer(columns: Sequence[_Column]) -> tuple[str, str]:
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


def _unused(rows: Rows, seen: Sequence[_Column], columns: Columns) -> list[str]:
    """A reason where further columns hold texts that may belong to the request."""
    names = [column.name for column in seen]
    layout = find_layout(names, columns, "", rows)
    sources = (layout.input,) if layout.input in names else placeholders(layout.input)
    taken = {getattr(layout, part) for part in ("output", "answers", "id", "document_ids", "group", "metadata")}
    more = [column.name for column in seen if column.free and column.name not in {*taken, *sources, _WORSE}]
    joined = [name for name in names if name in {*sources, *more}]
    if layout.chat or not more or any({"{", "}"} & set(name) for name in joined):
        return []
    if _by_its_values(names, layout.output):
        return [
            f"unused: {shown_names(more)}. Where that is known when a request comes, and is no answer, join it under `columns`."
        ]
    template = r"\n\n".join(f"{{{name}}}" for name in joined[:_MOST_JOINED])
    return [
        f'unused: {shown_names(more)}. What belongs to the request is joined under `columns`, as in input: "{template}".'
    ]


def _beside(path: Path, stems: Sequence[str], folders: Callable[[Path], bool]) -> str:
    """The name of a data file, or of a folder that will do, beside `path` with one of the stems; empty where there is none."""
    entries = sorted(path.parent.iterdir())
    for stem in stems:
        for entry in entries:
            fits = entry.stem.lower() == stem and (hasattr(reader(entry.name), "records") or folders(entry))
            if fits and entry != path and not entry.is_symlink():
                return entry.name
    return ""


def _without_answers(heldout: Path, columns: Columns) -> str:
    """A reason against a held-out file without a column for the answers; of one that cannot be read `advisor check` says why."""
    try:
        rows = [record.values for record in islice(read_records(heldout), _LOOKED_AT)]
    except BadInput:
        return ""
    try:
        layout_apart(list(dict.fromkeys(name for row in rows for name in row)), columns, heldout.name, rows)
    except BadInput:
        return (
            f"heldout: not {heldout.name}, which lies beside the examples and has no column with the answers, so half of the "
            "examples (at most 500) will be held out."
        )
    return ""


def _labels(cases: Sequence[Case]) -> list[str]:
    return sorted({case.output for case in cases})


def _only_held_out(path: Path, heldout: str, columns: Columns, labels: Sequence[str]) -> list[str]:
    """Labels of the held-out file that are not among `labels`; of one that cannot be read `advisor check` says why."""
    try:
        read = read_cases(path.parent / heldout, columns, apart=True)
    except BadInput:
        return []
    return [label for label in _labels(read.cases) if label not in labels]


def _slices(seen: Sequence[_Column], columns: Columns) -> list[str]:
    used = {name for source in (columns.input, columns.output) if source for name in (source, *placeholders(source))}
    usual = {"input", "output", "label", "answer", "metadata", "messages"}
    fit = [column for column in seen if 2 <= column.distinct <= min(_MOST_SLICE_VALUES, column.filled / 5)]
    return [column.name for column in fit if column.name not in used | usual and column.words <= _LABEL_WORDS][:3]


def _head(path: Path, kind: Kind, labels: Sequence[str], read: Cases) -> list[str]:
    says = harmless(next(iter(read.systems))) if len(read.systems) == 1 else _INSTRUCTIONS[kind]
    stem = path.resolve().parent.name if path.stem.lower() in _PLAIN_STEMS else path.stem
    name = re.sub(r"[^a-z0-9]+", "-", stem.lower()).strip("-") or "my-task"
    return [
        f"# A task spec, proposed from {_comment(path.name)} ({len(read.cases):,} rows). Correct what is wrong, then run:",
        "#   advisor check task.yaml",
        f"name: {_quoted(name)}",
        "# Say in your own words what the answer should be; every approach that prompts sees this text.",
        f"instruction: {_quoted(says)}",
        f"kind: {kind}",
        *([f"labels: [{', '.join(map(_quoted, labels))}]"] if 1 < len(labels) <= _MOST_LABELS else []),
        f"examples: {_quoted(path.name)}",
    ]


def _measure(kind: Kind) -> list[str]:
    usual = DEFAULT_METRICS[kind]
    if kind == "generation":
        return [
            "# Generation has no usual metric. Without one the approaches are compared and no verdict is given.",
            "# metric: {name: style_rules, rules: [{name: short, says: At most 30 words., max_words: 30}]}",
            "# target: 0.9           # the share of answers that have to be right: your decision",
        ]
    return [
        f"metric: {usual[0]}",
        "target: 0.9            # the share of answers that have to be right: your decision, so change it",
    ]


def _column_lines(columns: Columns) -> list[str]:
    mapped = {key: value for key, value in columns.model_dump().items() if value}
    return ["columns:", *(f"  {key}: {_quoted(value)}" for key, value in mapped.items())] if mapped else []


def _quoted(text: str) -> str:
    """A text as YAML: bare where it is a plain word, else in double quotes."""
    plain = re.fullmatch(r"[A-Za-z][A-Za-z0-9_./-]*( [A-Za-z0-9_./-]+)*", text) and len(text) < 200
    words = ("true", "false", "null", "yes", "no", "on", "off", "y", "n")
    if plain and text.lower() not in words:
        return text
    return "".join(map(_escaped, json.dumps(text, ensure_ascii=False)))


def _escaped(character: str) -> str:
    """As YAML reads it in double quotes: what cannot be seen by its number, in eight digits above 0xffff."""
    if character.isprintable():
        return character
    return f"\\u{ord(character):04x}" if ord(character) <= 0xFFFF else f"\\U{ord(character):08x}"


def _comment(text: str) -> str:
    return "".join(character if character.isprintable() else " " for character in text)[:80]
