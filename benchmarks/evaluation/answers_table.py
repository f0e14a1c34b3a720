"""Every stored answer of a run as one flat table, for spreadsheets and notebooks: CSV or Parquet."""

from __future__ import annotations

import csv
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from benchmarks.contract import BadInput, Row
from benchmarks.evaluation.stored import PURPOSES
from benchmarks.formats.clean import harmless
from benchmarks.review.sheets import as_cell
from benchmarks.storage.store import Store
from strategies.contract import Abstention, Case, Failure

COLUMNS = (
    *("candidate", "purpose", "variant", "id", "input", "wanted", "outcome", "answer", "score"),
    *("seconds", "prompt_tokens", "cached_tokens", "answer_tokens", "documents"),
)
SUFFIXES = (".csv", ".parquet")


def check_kind(path: Path) -> None:
    """Raises `BadInput` for a file of another kind, before anything is read or shown for it."""
    if path.suffix.lower() not in SUFFIXES:
        raise BadInput(
            f"{path.name} would be neither CSV nor Parquet. Name a file that ends with {' or '.join(SUFFIXES)}."
        )


def write_answers(heldout: Sequence[Case], store: Store, path: Path) -> int:
    """Writes them and returns how many there are. The input is that of the held-out case, as it was before any edit.

    Invisible and control characters are left out; in CSV a cell that a spreadsheet would take for a formula gets an
    apostrophe in front. Raises `BadInput` for a file of another kind.
    """
    check_kind(path)
    rows = [[harmless(value) if isinstance(value, str) else value for value in row] for row in _rows(heldout, store)]
    path.parent.mkdir(parents=True, exist_ok=True)
    if path.suffix.lower() == ".csv":
        with path.open("w", encoding="utf-8", newline="") as file:
            sheet = csv.writer(file)
            sheet.writerow(COLUMNS)
            sheet.writerows([as_cell(value) if isinstance(value, str) else value for value in row] for row in rows)
        return len(rows)
    _write_parquet(rows, path)
    return len(rows)


def _write_parquet(rows: Sequence[Sequence[Any]], path: Path) -> None:
    import pyarrow
    import pyarrow.parquet

    columns = {name: [row[place] for row in rows] for place, name in enumerate(COLUMNS)}
    pyarrow.parquet.write_table(pyarrow.table(columns), path)


def _rows(heldout: Sequence[Case], store: Store) -> Iterator[tuple[Any, ...]]:
    cases = {case.id: case for case in heldout}
    for candidate in store.candidates():
        for purpose in PURPOSES:
            for row in store.rows(candidate, purpose):
                case, usage = cases[row.key], row.outcome.usage
                yield (
                    *(candidate, purpose, row.variant, row.key, case.input, case.output),
                    *(*_told(row), row.score, sum(use.seconds for use in usage)),
                    *(sum(getattr(use, name) for use in usage) for name in COLUMNS[10:13]),
                    " ".join(found.document_id for found in getattr(row.outcome, "evidence", ())),
                )


def _told(row: Row) -> tuple[str, str]:
    """The kind of outcome, and its text or reason."""
    if isinstance(row.outcome, Abstention):
        return "abstained", row.outcome.reason
    if isinstance(row.outcome, Failure):
        return row.outcome.kind, row.outcome.message
    return "answered", row.outcome.text
