"""Columns that stand with the title of documents: which are shown, and which would hide that two documents are versions."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

from benchmarks.data.load import Documents, read_documents
from strategies.retrieval.versions import versions

RULE = (
    "Employees of the company have {} days of paid leave in each calendar year, and days that are not used may be taken until "
    "the end of March of the year that follows, after which they are lost."
)


def read(folder: Path, rows: Sequence[Mapping[str, Any]]) -> Documents:
    path = folder / "rules.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return read_documents(path)


def titles(found: Documents) -> list[str]:
    return [each.title for each in found.documents]


def policy(place: int, date: str, **more: object) -> dict[str, Any]:
    """One of the versions of a policy."""
    own = " ".join(f"w{place}{number}" for number in range(30))
    text = f"{RULE.format(20 + place + int(date[:4]) % 7)} {own}"
    return {
        "title": f"Leave {'ABCDEF'[place]}",
        "date": date,
        "text": text,
        **more,
    }


@pytest.mark.parametrize(
    ("name", "values"),
    [("status", ("archived", "current")), ("version", (3, 4)), ("author", ("Kim", "Lee")), ("note", ("", "approved"))],
)
def test_a_column_that_goes_with_the_date_does_not_hide_which_document_is_newer(
    tmp_path: Path, name: str, values: tuple[object, object]
) -> None:
    years = ("2023-01-01", "2024-01-01")
    rows = [
        policy(place, date, **{name: value}) for place in range(6) for date, value in zip(years, values, strict=True)
    ]
    found = read(tmp_path, [*rows, {"text": "Dogs stay at home.", "title": "Dogs", name: ""}])
    assert len(versions(found.documents)) == 12
    assert set(titles(found)) == {*(f"Leave {letter}" for letter in "ABCDEF"), "Dogs"}


def test_a_column_that_no_title_holds_is_told_as_not_read(tmp_path: Path) -> None:
    rows = [policy(0, "2023-01-01", status="archived"), policy(0, "2024-01-01", status="current")]
    assert read(tmp_path, rows).notes == ('rules.jsonl: "status" is not read.',)


@pytest.mark.parametrize("dates", [("2024-01-01",) * 4, ("2023-02-01", "2023-03-01", "2024-02-01", "2024-03-01")])
def test_a_column_that_tells_documents_apart_stays(tmp_path: Path, dates: tuple[str, ...]) -> None:
    countries = ("DE", "FR", "DE", "FR")
    rows = [policy(0, date, country=country) for date, country in zip(dates, countries, strict=True)]
    assert titles(read(tmp_path, rows)) == [f"Leave A, country: {country}" for country in countries]


def test_a_column_that_tells_documents_of_one_date_apart_stays_with_the_versions_of_others(tmp_path: Path) -> None:
    rows = [
        *(policy(0, "2024-01-01", country=country) for country in ("DE", "FR")),
        *(policy(1, date, country=country) for date, country in (("2023-01-01", "DE"), ("2024-01-01", "FR"))),
    ]
    assert titles(read(tmp_path, rows))[2:] == ["Leave B, country: DE", "Leave B, country: FR"]


def test_names_of_columns_stand_in_one_line_and_unseen_or_endless_ones_do_not_stand_in_titles(tmp_path: Path) -> None:
    names = ("coun\ntry ", "coun\x1b[31mtry", "coun\u200btry", "country" * 1_000, "https://a", " ")
    rows = [{"text": f"text {value}", "title": value, **dict.fromkeys(names, value)} for value in ("A", "B")]
    assert titles(read(tmp_path, rows)) == ["A, coun try: A", "B, coun try: B"]


@pytest.mark.parametrize("many", [2, 3])
def test_numbers_of_a_few_rows_tell_nothing_apart(tmp_path: Path, many: int) -> None:
    rows = [
        {"text": f"text {place}", "n": place, "share": f"{place}.5", "country": f"C{place}"} for place in range(many)
    ]
    assert titles(read(tmp_path, rows)) == [f"country: C{place}" for place in range(many)]
