"""Rows that are from before changes are told apart by when they were begun."""

from __future__ import annotations

from advisor.wording import listed
from benchmarks.studies.dated import CHANGES, FIXES, LATER, from_before, is_before

OLD, BETWEEN, NEW = "2026-11-28 15:43 UTC", "2026-11-30 15:59 UTC", "2026-12-01 09:20 UTC"


def test_a_run_is_before_what_came_after_it_began() -> None:
    assert [is_before(FIXES, moment) for moment in (OLD, BETWEEN, NEW)] == [True, False, False]
    assert [is_before(CHANGES, moment) for moment in (OLD, BETWEEN, NEW)] == [True, True, False]
    assert is_before(CHANGES, ""), "when it began is not known"


def test_rows_that_all_are_from_before_both_are_told_so_once() -> None:
    told = from_before({"one": OLD, "other": OLD}, listed)
    assert told == f"All rows are from before {FIXES.what}, {CHANGES.what} and {LATER.what}. The log lists these."


def test_newer_rows_are_named_or_the_older_ones_where_these_are_fewer() -> None:
    told = from_before({"a": OLD, "b": OLD, "c": BETWEEN}, listed)
    assert told == (
        f"All rows but those of c are from before {FIXES.what}. All rows are from before {CHANGES.what} and {LATER.what}. "
        "The log lists these."
    )
    told = from_before({"a": OLD, "b": NEW, "c": NEW}, listed)
    assert told == f"The rows of a are from before {FIXES.what}, {CHANGES.what} and {LATER.what}. The log lists these."
    assert from_before({"a": NEW}, listed) == from_before({}, listed) == ""
