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
from benchmarks.data.columns import Rows, find_layout, placeholders, shown_names
from benchmarks.data.load import read_cases, without_rows
from benchmarks.formats import holds_data, read_records, reader
from benchmarks.specs.infer import DEFAULT_METRICS, infer_kind
from benchmarks.specs.spec import Columns
from strategies.contract import Case, Kind
from strategies.words import count

_LOOKED_AT = 2_000
_MOST_SLICE_VALUES = 12
_MOST_LABELS = 40
"""Of longer lists there is no line."""
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


def propose(path: Path) -> Proposal:
    """A spec for the examples in `path`, for the same folder. Raises `BadInput` where they cannot be read."""
    records = list(islice(read_records(path), _LOOKED_AT))
    if not records:
        raise without_rows(path)
    names = list(dict.fromkeys(name for record in records for name in record.values))
    seen = [_looked_at(name, [record.values.get(name) for record in records]) for name in names]
    columns, reasons = _columns(path, [record.values for record in records], seen)
    read = read_cases(path, columns)
    cases = read.cases
    reasons += [finding.told for finding in read.findings]
    heldout, documents = _beside(path, _HELDOUT_STEMS, holds_data), _beside(path, _DOCUMENT_STEMS, Path.is_dir)
    kind, why = infer_kind(cases, bool(documents), has_labels=False, has_schema=False)
    reasons += [why]
    if heldout:
        reasons.append(f"heldout: {heldout}, because it lies beside the examples and has the name of a held-out file.")
    else:
        reasons.append("heldout: none was found, so half of the examples (at most 500) will be held out.")
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
        *_head(path, kind, sorted([*labels, *others]), len(cases)),
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


def _looked_at(name: str, values: Sequence[Any]) -> _Column:
    texts = [
        value if isinstance(value, str) else json.dumps(value, default=str) for value in values if value is not None
    ]
    texts = [text for text in texts if text.strip()]
    words = sum(count(text) for text in texts) / max(len(texts), 1)
    return _Column(name=name, filled=len(texts), distinct=len(set(texts)), words=words)


def _columns(path: Path, rows: Rows, seen: Sequence[_Column]) -> tuple[Columns, list[str]]:
    names = [column.name for column in seen]
    try:
        layout = find_layout(names, Columns(), path.name, rows)
    except BadInput:
        return _by_content(path, names, seen)
    if layout.chat:
        return Columns(), [f'input and output: from the chats in the column "{layout.chat}".']
    sources = placeholders(layout.input) or (layout.input,)
    target = layout.output or layout.answers
    reasons = [f"input: from {shown_names(sources)}, output: from {shown_names([target])}, because of their names."]
    usual = layout.input == "input" and layout.output in ("output", "")
    return Columns() if usual else Columns(input=layout.input, output=layout.output or None), reasons


def _by_content(path: Path, names: Sequence[str], seen: Sequence[_Column]) -> tuple[Columns, list[str]]:
    """The longest texts are the input; among the rest a column with few values, else the next longest, the output."""
    full = [column for column in seen if column.filled and column.distinct > 1]
    if len(full) < 2:
        raise BadInput(
            f"{path.name} has no two columns with texts; its columns are {shown_names(names)}. "
            "Give a file with an input and the answer that is wanted in each row."
        )
    source = max(full, key=lambda column: (column.words, column.distinct))
    rest = [column for column in full if column is not source]
    few = [column for column in rest if column.filled >= 0.9 * source.filled and column.distinct <= source.filled / 3]
    target = min(few, key=lambda column: column.words) if few else max(rest, key=lambda column: column.words)
    why = f"it has {target.distinct:,} different values" if few else "its texts are the next longest"
    return Columns(input=source.name, output=target.name), [
        f"input: from {shown_names([source.name])}, because its texts are the longest.",
        f"output: from {shown_names([target.name])}, because {why}; correct it if another column holds the answer.",
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
    return [column.name for column in fit if column.name not in used | usual and column.words <= 3][:3]


def _head(path: Path, kind: Kind, labels: Sequence[str], rows: int) -> list[str]:
    stem = path.resolve().parent.name if path.stem.lower() in _PLAIN_STEMS else path.stem
    name = re.sub(r"[^a-z0-9]+", "-", stem.lower()).strip("-") or "my-task"
    return [
        f"# A task spec, proposed from {_comment(path.name)} ({rows:,} rows). Correct what is wrong, then run:",
        "#   advisor check task.yaml",
        f"name: {_quoted(name)}",
        "# Say in your own words what the answer should be; every approach that prompts sees this text.",
        f"instruction: {_quoted(_INSTRUCTIONS[kind])}",
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
    """A text as YAML: bare where it is a plain word, else in double quotes as JSON writes it."""
    plain = re.fullmatch(r"[A-Za-z][A-Za-z0-9_./-]*( [A-Za-z0-9_./-]+)*", text) and len(text) < 200
    words = ("true", "false", "null", "yes", "no", "on", "off", "y", "n")
    return text if plain and text.lower() not in words else json.dumps(text, ensure_ascii=True)


def _comment(text: str) -> str:
    return "".join(character if character.isprintable() else " " for character in text)[:80]
