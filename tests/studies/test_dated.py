"""Rows that are from before changes are told apart by when they were begun."""

from __future__ import annotations

from advisor.wording import listed
from benchmarks.studies.dated import CHANGES, FIXES, LAST, LATER, LATEST, NEWEST, from_before, is_before

OLD, BETWEEN, NEW = "2026-11-28 15:43 UTC", "2026-11-30 15:59 UTC", "2026-12-02 19:20 UTC"


def test_a_run_is_before_what_came_after_it_began() -> None:
    assert [is_before(FIXES, moment) for moment in (OLD, BETWEEN, NEW)] == [True, False, False]
    assert [is_before(CHANGES, moment) for moment in (OLD, BETWEEN, NEW)] == [True, True, False]
    assert is_before(CHANGES, ""), "when it began is not known"


def test_rows_that_all_are_from_before_both_are_told_so_once() -> None:
    told = from_before({"one": OLD, "other": OLD}, listed)
    since = "The program has changed since, so a run today can give other figures; the log lists the changes."
    assert told == f"These figures were measured on 28 November 2026. {since}"
    assert from_before({"one": OLD, "other": ""}, listed).startswith(
        "The program has changed since these figures were measured, so a run"
    )
    assert from_before({"one": OLD, "other": "2026-11-26 03:33 UTC"}, listed).startswith(
        "These figures were measured on 26 to 28 November 2026. "
    )
    before = from_before({"one": BETWEEN, "other": "2026-12-01 00:10 UTC"}, listed)
    assert before.startswith("All rows but those of other are from before"), "told apart where they differ"
    assert (
        from_before({"one": "2026-12-01 00:10 UTC"}, listed)
        == f"These figures were measured on 1 December 2026. {since}"
    )


def test_newer_rows_are_named_or_the_older_ones_where_these_are_fewer() -> None:
    told = from_before({"a": OLD, "b": OLD, "c": BETWEEN}, listed)
    assert told == (
        f"All rows but those of c are from before {FIXES.what}. All rows are from before {CHANGES.what}, "
        f"{LATER.what}, {LATEST.what}, {NEWEST.what} and {LAST.what}. There a run today can give other figures; the log lists "
        "the changes."
    )
    told = from_before({"a": OLD, "b": NEW, "c": NEW}, listed)
    assert told == (
        f"The rows of a are from before {FIXES.what}, {CHANGES.what}, {LATER.what}, {LATEST.what}, {NEWEST.what} and "
        f"{LAST.what}. There a run today can give other figures; the log lists the changes."
    )
    assert from_before({"a": NEW}, listed) == from_before({}, listed) == ""
