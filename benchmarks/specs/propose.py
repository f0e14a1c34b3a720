"""Looks at a data file and proposes a commented task spec for it, with the reason for each line."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

from benchmarks.audit.missing_values import missing_values
from benchmarks.contract import BadInput
from benchmarks.data.columns import layout_apart, shown_names
from benchmarks.data.load import Cases, read_cases, without_rows
from benchmarks.data.other_columns import TOGETHER
from benchmarks.data.split import must_be_enough
from benchmarks.formats import holds_data, is_document, read_records, reader
from benchmarks.formats.clean import harmless
from benchmarks.metrics.numeric_tolerance import NumericTolerance
from benchmarks.specs.infer import DEFAULT_METRICS, infer_kind, infer_labels
from benchmarks.specs.proposed_columns import by_its_values, looked_at, proposed_columns, proposed_slices, unused
from benchmarks.specs.spec import Columns
from strategies.contract import Case, Kind

_LOOKED_AT = 2_000
_MOST_LABELS = 40
"""Of longer lists there is no line."""
_FEW_NUMBERS = 10
"""So many different numbers may be labels, such as ratings."""
_CODE_DIGITS = 4
"""Whole numbers that all have the same length may be codes or years from so many digits on."""
_NUMBER = re.compile(r"[-+\u2212]?(0|[1-9][0-9]*|[1-9][0-9]{0,2}(?:[.,'\u2019\u00a0\u202f][0-9]{3})+)(?:[.,]([0-9]+))?")
_PLAIN_STEMS = ("examples", "example", "train", "training", "data", "dataset", "cases")
_HELDOUT_STEMS = ("heldout", "held-out", "held_out", "test", "eval", "validation", "valid", "dev")
_MOST_LISTED = 1_000
"""Files of a folder whose names are looked at."""
_DOCUMENT_STEMS = ("documents", "docs", "passages", "corpus", "knowledge")
_INSTRUCTIONS: dict[Kind, str] = {
    "classification": "Read the text and answer with the one label that fits it.",
    "extraction": "Read the text and answer with a JSON object of the fields that it states.",
    "qa": "Answer the question from the documents, in as few words as possible.",
    "generation": "Rewrite the text as the examples do.",
}
_OF_NUMBERS: dict[Kind, str] = {
    "qa": "Answer the question from the documents with a number.",
    "generation": "Read the text and answer with a number.",
}


@dataclass(frozen=True, kw_only=True)
class Proposal:
    """The text of a task.yaml, and why it says what it says, one sentence each."""

    text: str
    reasons: tuple[str, ...]
    refused: str = ""
    """Why `advisor check` will refuse the task with these data, as it says it; empty where nothing is known against it."""


def propose(path: Path) -> Proposal:
    """A spec for the examples in `path`, for the same folder. Raises `BadInput` where they cannot be read."""
    records = list(islice(read_records(path), _LOOKED_AT))
    if not records:
        raise without_rows(path)
    names = list(dict.fromkeys(name for record in records for name in record.values))
    seen = [looked_at(name, [record.values.get(name) for record in records]) for name in names]
    columns, reasons = proposed_columns(path, [record.values for record in records], seen)
    guessed = by_its_values(names, columns.output or "")
    read = _read(path, columns, guessed)
    cases = read.cases
    reasons += unused([record.values for record in records], seen, columns)
    heldout, documents = _beside(path, _HELDOUT_STEMS, holds_data), _beside(path, _DOCUMENT_STEMS, Path.is_dir)
    unfit = _without_answers(path.parent / heldout, columns) if heldout else ""
    heldout = "" if unfit else heldout
    columns, found = _grouped(columns, read, path.parent / heldout if heldout else None)
    reasons += found
    kind, why = infer_kind(cases, bool(documents), has_labels=False, has_schema=False)
    numbers = _are_numbers(cases, kind)
    if numbers:
        kind = "qa" if documents else "generation"
        why = f"kind: {kind}, with the metric numeric_tolerance, because the outputs are many different numbers."
    reasons += [why]
    if len(read.systems) == 1:
        reasons.append("instruction: the system message of the chats, since all that have one have the same.")
    if heldout:
        reasons.append(f"heldout: {heldout}, because it lies beside the examples and has the name of a held-out file.")
    else:
        reasons.append(unfit or "heldout: none was found, so half of the examples (at most 500) will be held out.")
    if documents:
        reasons.append(f"documents: {documents}, because it lies beside the examples.")
    unnamed = _of_texts(path) if kind == "generation" else ""
    if unnamed:
        where = f'the folder "{unnamed[:40]}" beside the examples holds texts'
        reasons.append(f"documents: {where}; if the answers stand there, write `documents: {unnamed}` and `kind: qa`.")
    labels = _labels(cases) if kind == "classification" else []
    others = _only_held_out(path, heldout, columns, labels) if labels and heldout else []
    if others and len(labels) + len(others) <= _MOST_LABELS:
        reasons.append(f"labels: {shown_names(others)} from {heldout}, since no example has it.")
    reasons += [finding.told for finding in missing_values(cases, labels)]
    slices = proposed_slices(seen, columns, read.others.split)
    if slices:
        reasons.append(f"slices: {shown_names(slices)} could be used; few values each.")
    lines = [
        *_head(path, kind, sorted([*labels, *others]), read, _OF_NUMBERS[kind] if numbers else _INSTRUCTIONS[kind]),
        *(
            [f"heldout: {_quoted(heldout)}"]
            if heldout
            else ["# heldout: heldout.jsonl   # cut from the examples if left out"]
        ),
        *([f"documents: {_quoted(documents)}"] if documents else []),
        *([f"# documents: {_quoted(unnamed)}   # if the answers stand there; then with kind: qa"] if unnamed else []),
        *_column_lines(columns),
        "",
        *_measure(kind, cases if numbers else ()),
        "",
        *([f"# slices: [{', '.join(map(_quoted, slices))}]   # also show results for each value"] if slices else []),
        "# constraints: {cost_per_month: 200, p95_latency_s: 2, data_stays_here: true}",
        "volume: 10000          # requests a month, for the cost",
        "horizon_months: 12     # months over which costs are added up",
    ]
    refused = _refused(cases, kind, cut=not heldout)
    return Proposal(text="\n".join(lines) + "\n", reasons=tuple(reasons), refused=refused)


def _refused(cases: Sequence[Case], kind: Kind, cut: bool) -> str:
    """What `advisor check` will say against these examples; `cut`: the held-out cases are taken from them."""
    try:
        if kind == "classification":
            infer_labels(cases)
        if cut:
            must_be_enough(len(cases))
    except BadInput as found:
        return str(found)
    return ""


def _read(path: Path, columns: Columns, guessed: bool) -> Cases:
    """Raises `BadInput` where a row cannot be used; of an output that was guessed it says how another one is taken."""
    try:
        return read_cases(path, columns)
    except BadInput as found:
        if not guessed:
            raise
        other = f'Where another column than "{(columns.output or "")[:40]}" holds the answer, call that one "output".'
        raise BadInput(f"{found} {other}") from None


def _grouped(columns: Columns, read: Cases, heldout: Path | None) -> tuple[Columns, list[str]]:
    """With the column whose rows belong together, where the held-out file has it too, and what else was found in the file."""
    name = read.others.together
    if not name or (heldout and name not in _names(heldout)):
        return columns, [finding.told for finding in read.findings]
    why = f"group: from {shown_names([name])}, because several rows have each of its values; they stay on one side."
    off = "Leave it out if such rows say nothing about each other."
    others = [finding.told for finding in read.findings if finding.kind != TOGETHER]
    return columns.model_copy(update={"group": name}), [f"{why} {off}", *others]


def _names(path: Path) -> list[str]:
    """Of the columns of a data file."""
    return list(dict.fromkeys(name for record in islice(read_records(path), _LOOKED_AT) for name in record.values))


def _beside(path: Path, stems: Sequence[str], folders: Callable[[Path], bool]) -> str:
    """The name of a data file, or of a folder that will do, beside `path` with one of the stems; empty where there is none."""
    entries = sorted(path.parent.iterdir())
    for stem in stems:
        for entry in entries:
            fits = entry.stem.lower() == stem and (hasattr(reader(entry.name), "records") or folders(entry))
            if fits and entry != path and not entry.is_symlink():
                return entry.name
    return ""


def _of_texts(path: Path) -> str:
    """The name of a folder beside `path` whose files are mostly documents, by their names alone; empty where there is none."""
    for folder in sorted(path.parent.iterdir()):
        if folder.is_dir() and not folder.is_symlink() and not folder.name.startswith("."):
            listed = list(islice((entry for entry in folder.rglob("*") if entry.suffix), _MOST_LISTED))
            if listed and 2 * sum(map(is_document, listed)) > len(listed):
                return folder.name
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


def _are_numbers(cases: Sequence[Case], kind: Kind) -> bool:
    """Whether all outputs are numbers, and neither labels, by their `kind`, nor codes."""
    found = [_NUMBER.fullmatch(answer) for case in cases for answer in case.accepted]
    read = [match for match in found if match]
    if len(read) < len(found) or len({case.output for case in cases}) <= _FEW_NUMBERS:
        return False
    if any((match.group(2) or "").strip("0") for match in read):
        return True
    lengths = {len(match.group(1)) for match in read}
    return kind != "classification" and (len(lengths) > 1 or max(lengths) < _CODE_DIGITS)


def _with_commas(cases: Sequence[Case]) -> bool:
    """Whether more of the numbers make sense with a decimal comma only."""
    try:
        NumericTolerance().must_read(cases)
    except BadInput:
        return True
    return False


def _labels(cases: Sequence[Case]) -> list[str]:
    return sorted({case.output for case in cases})


def _only_held_out(path: Path, heldout: str, columns: Columns, labels: Sequence[str]) -> list[str]:
    """Labels of the held-out file that are not among `labels`; of one that cannot be read `advisor check` says why."""
    try:
        read = read_cases(path.parent / heldout, columns, apart=True)
    except BadInput:
        return []
    return [label for label in _labels(read.cases) if label not in labels]


def _head(path: Path, kind: Kind, labels: Sequence[str], read: Cases, says: str) -> list[str]:
    says = harmless(next(iter(read.systems))) if len(read.systems) == 1 else says
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


def _measure(kind: Kind, numbers: Sequence[Case]) -> list[str]:
    """`numbers`: the cases, where their outputs are numbers."""
    usual = DEFAULT_METRICS[kind]
    target = "target: 0.9            # the share of answers that have to be right: your decision, so change it"
    if numbers:
        decimal = ', decimal: ","' if _with_commas(numbers) else ""
        return [
            "# Right is what is within 1 % of the number, or within `absolute` of it: your decision too.",
            f"metric: {{name: numeric_tolerance, relative: 0.01, absolute: 0{decimal}}}",
            target,
        ]
    if kind == "generation":
        return [
            "# Generation has no usual metric. Without one the approaches are compared and no verdict is given.",
            "# metric: {name: style_rules, rules: [{name: short, says: At most 30 words., max_words: 30}]}",
            "# target: 0.9           # the share of answers that have to be right: your decision",
        ]
    return [
        f"metric: {usual[0]}",
        target,
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
