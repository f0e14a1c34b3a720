"""Sees in columns that hold neither input nor answer which rows belong together, and which were kept for testing."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from benchmarks.audit.findings import Finding, listed
from benchmarks.data.columns import Layout, placeholders, shown_names
from benchmarks.formats.record import Record

TOGETHER = "rows that belong together"
"""The kind of the finding that a column would group rows."""
_OWNER = re.compile(
    r"(.*_)?(thread|conversation|session|dialog|dialogue|chat|customer|client|user|username|author|patient|person|speaker|sender"
    r"|member|student|employee|participant|respondent|article|filename)(_?id)?|.+_id"
)
"""Names of columns that say whose a row is, in lower case with `_` between words."""
_CLASSES = re.compile(
    r"(.*_)?(label|class|category|subcategory|intent|topic|type|tag|language|lang|channel|team|department|status|priority|agent"
    r"|annotator|rater|worker|source|product|model|template|country|region|version|batch|run)_?id"
)
"""Ids of what rows have in common without telling of each other."""
_FEWEST = 10
"""So many different values groups have at least: fewer are a part of the cases, as a channel is."""
_LARGEST = 0.2
"""Share of the rows that one value has at most."""
_ROWS_EACH, _REPEATED = 2, 0.5
"""So many rows has a value on average, and this share of all rows have one that repeats."""
_SPLIT = re.compile(r"((data|dataset)_?)?(split|fold|set|subset|partition)")
_TRAIN = ("train", "training")
_TEST = ("test", "testing", "heldout", "held-out", "held_out", "holdout", "eval", "evaluation")
_CHOOSE = ("validation", "valid", "val", "dev", "development")
_NONE = frozenset(("", "nan", "none", "null", "n/a", "#n/a", "<na>", "-"))


@dataclass(frozen=True, kw_only=True)
class OtherColumns:
    """What columns that are not read say of the rows."""

    together: str = ""
    """The column whose values say which rows belong together, where no column groups them; empty: none."""
    split: str = ""
    """The column that says which rows were kept for testing; empty: none."""
    findings: tuple[Finding, ...] = ()
    """A warning for each of both."""


@dataclass(kw_only=True)
class _Column:
    name: str
    values: list[str] = field(default_factory=list)
    """One a row, empty where there is none."""
    _known: dict[str, str] = field(default_factory=dict)

    def add(self, value: object) -> None:
        text = "" if value is None else str(value).strip()
        text = "" if text.lower() in _NONE else text
        self.values.append(self._known.setdefault(text, text))

    def counts(self) -> Counter[str]:
        return Counter(value for value in self.values if value)


class OtherValues:
    """Keeps the values of the few columns whose names may say such things, while the rows of a file are read."""

    def __init__(self, names: Sequence[str], layout: Layout, common: Sequence[str] = ()) -> None:
        """`common` are columns of what rows have in common without telling of each other."""
        read = {part for part in vars(layout).values() if isinstance(part, str)}
        free = [
            name for name in names if name not in {column for part in read for column in (part, *placeholders(part))}
        ]
        owners = [] if layout.group else [name for name in free if _names_an_owner(name) and name not in common]
        self._owners = [_Column(name=name) for name in owners]
        self._splits = [_Column(name=name) for name in free if _SPLIT.fullmatch(_plain(name))]

    def passing(self, records: Iterator[Record]) -> Iterator[Record]:
        """The records as they are."""
        for record in records:
            for column in (*self._owners, *self._splits):
                column.add(record.values.get(column.name))
            yield record

    def told(self, file: str, answers: Sequence[str], ids: Sequence[str]) -> OtherColumns:
        """What the columns say, once all records have passed: `answers` and `ids` are those of the rows."""
        owners = [column for column in self._owners if _groups(column.values, answers)]
        splits = [column for column in self._splits if _is_split(column.counts())]
        return OtherColumns(
            together=owners[0].name if owners else "",
            split=splits[0].name if splits else "",
            findings=(
                *([_together(file, owners, ids)] if owners else ()),
                *(_split(file, column, ids) for column in splits[:1]),
            ),
        )


def _plain(name: str) -> str:
    return re.sub(r"\W+", "_", re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", name.strip())).lower()


def _names_an_owner(name: str) -> bool:
    plain = _plain(name)
    return bool(_OWNER.fullmatch(plain)) and not _CLASSES.fullmatch(plain)


def _groups(values: Sequence[str], answers: Sequence[str]) -> bool:
    """Whether several rows have each of many values, which are not another name for the answers."""
    counts = Counter(value for value in values if value)
    filled, repeated = counts.total(), sum(count for count in counts.values() if count > 1)
    if len(counts) < _FEWEST or filled < _ROWS_EACH * len(counts) or repeated < _REPEATED * len(values):
        return False
    different = len(set(answers))
    of_answers = _ROWS_EACH * different <= len(values) and len(set(zip(answers, values, strict=True))) == different
    return max(counts.values()) <= _LARGEST * len(values) and not of_answers


def _together(file: str, columns: Sequence[_Column], ids: Sequence[str]) -> Finding:
    first, others = columns[0], [column.name for column in columns[1:]]
    counts = first.counts()
    value = next(each for each, count in counts.items() if count > 1)
    too = f"; {shown_names(others)} {'repeat' if others[1:] else 'repeats'} too" if others else ""
    return Finding(
        kind=TOGETHER,
        count=counts.total(),
        examples=tuple(name for name, of in zip(ids, first.values, strict=True) if of == value)[:3],
        says=f"Rows of {file} seem to belong together: {counts.total():,} of them have only {len(counts):,} different values in "
        f"the column {shown_names([first.name])}{too}.",
        effect="No group is named, so rows of one value may be on both sides of a split: an approach that looks examples up "
        "finds the answer in another row and looks better than it is, and bounds treat each row as independent.",
        what_to_do=f"Write `group: {_as_yaml(first.name)}` under `columns`; a file of held-out cases needs the column too. If "
        f"rows of one value say nothing about each other, `slices: [{_as_yaml(first.name)}]` says so.",
    )


def _as_yaml(name: str) -> str:
    return name if re.fullmatch(r"[A-Za-z_][\w-]*", name) else json.dumps(name, ensure_ascii=False)


def _is_split(counts: Counter[str]) -> bool:
    """Whether the values are the usual names of parts, training and another one among them."""
    values = {value.lower() for value in counts}
    return values <= {*_TRAIN, *_TEST, *_CHOOSE} and not values.isdisjoint(_TRAIN) and not values <= {*_TRAIN}


def _split(file: str, column: _Column, ids: Sequence[str]) -> Finding:
    counts = column.counts()
    held = next(value for part in (_TEST, _CHOOSE) for value in counts if value.lower() in part)
    kept = [name for name, value in zip(ids, column.values, strict=True) if value == held]
    parts = ", ".join(f"{count:,} {listed([value])}" for value, count in counts.most_common())
    return Finding(
        kind="split in a column",
        count=len(kept),
        examples=tuple(kept[:3]),
        says=f"The column {shown_names([column.name])} of {file} says of which part of a split a row is ({parts}), and it is not "
        "read.",
        effect="All rows are taken for examples, those too that were kept for testing, so figures are not those of that split.",
        what_to_do=f"Move the rows with {listed([held])} into a file of their own and name it, such as "
        f"`heldout: {held.lower()}{Path(file).suffix}`.",
    )
