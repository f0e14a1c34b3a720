"""What a cascade makes of changed facts, added labels and another format: its parts' answers, by the sureness that it goes by."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from benchmarks.contract import Row
from benchmarks.evaluation.cascade_checks import altered_in
from benchmarks.running.run import Run
from benchmarks.storage.outcomes import text_of
from benchmarks.storage.store import Store, UnitResult
from strategies.contract import Outcome, Prediction
from tests.evaluation.test_cascade import QUICK, evaluated, run

CASCADE, NEW = "careful after quick", "somewhere else"


def noted(store: Store, kind: str, name: str, note: dict[str, Any], rows: Sequence[Row] = ()) -> None:
    """A finished unit as a run leaves it."""
    unit = f"{kind} {name}"
    store.begin(unit, kind, name)
    store.finish(UnitResult(unit=unit, kind=kind, candidate=name, note=note, rows=tuple(rows)))


def like(rows: Sequence[Row], purpose: str, variant: str, text: Callable[[str], str]) -> list[Row]:
    """The same answers, as sure as they are, in other words; right where they were."""

    def said(outcome: Outcome) -> Outcome:
        assert isinstance(outcome, Prediction)
        shares = {text(label): share for label, share in (outcome.probabilities or {}).items()}
        return dataclasses.replace(outcome, text=text(outcome.text), probabilities=shares)

    return [dataclasses.replace(row, purpose=purpose, variant=variant, outcome=said(row.outcome)) for row in rows]


@pytest.fixture
def done(tmp_path: Path) -> Run:
    made = run(tmp_path / "run")
    made.execute()
    return made


def handed(done: Run) -> set[str]:
    return {case.id for case in done.benchmark.heldout if int(case.id[1:]) % 8 == QUICK.wrong_at}


def test_a_changed_fact_is_followed_where_the_part_that_answers_reads_documents(done: Run) -> None:
    """Of a cascade it stood nowhere what becomes of changed facts, though both its parts had been asked."""
    edits = [
        {"key": case.id, "document": "d", "start": 0, "old": case.output, "new": NEW} for case in done.benchmark.heldout
    ]
    with closing(Store(done.folder / "run.sqlite")) as store:
        noted(store, "changed", "quick", {"edits": edits, "seconds": None})
    assert evaluated(done)[CASCADE].changed is None, "the other part was not asked yet"
    with closing(Store(done.folder / "run.sqlite")) as store:
        rows = like(list(store.rows("careful", "heldout")), "changed", "", lambda _: NEW)
        noted(store, "changed", "careful", {"edits": edits, "seconds": 2.0}, rows)
    found = evaluated(done)[CASCADE].changed
    assert found is not None
    assert (found.cases, found.known, found.seconds) == (40, 40, 2.0)
    assert (found.new, found.old) == (len(handed(done)), 40 - len(handed(done)))
    assert found.again is None


def test_fitted_again_a_cascade_follows_where_the_part_that_answers_does(done: Run) -> None:
    made = [
        {"key": case.id, "document": "d", "start": 0, "old": case.output, "new": NEW} for case in done.benchmark.heldout
    ]
    note = {"edits": made, "examples": 3, "told": [edit["key"] for edit in made[:20]]}
    with closing(Store(done.folder / "run.sqlite")) as store:
        rows = like(list(store.rows("careful", "heldout")), "changed", "", lambda _: NEW)
        noted(store, "changed", "careful", {**note, "seconds": 2.0}, rows)
        again = like(list(store.rows("quick", "heldout"))[:20], "changed", "again", lambda _: NEW)
        noted(store, "changed", "quick", {**note, "seconds": None, "again_seconds": 5.0}, again)
    found = evaluated(done)[CASCADE].changed
    assert found is not None
    assert (found.new, found.old) == (len(handed(done)), 40 - len(handed(done)))
    assert (found.told, found.again, found.again_seconds) == (20, 20, 5.0)


def test_added_labels_are_known_where_the_part_that_answers_takes_them(done: Run) -> None:
    label = done.benchmark.heldout[0].output
    new = [case.id for case in done.benchmark.heldout if case.output == label]
    others = [case.id for case in done.benchmark.heldout if case.output != label]
    note = {"labels": [label], "examples": 20, "asked": [new, others]}
    with closing(Store(done.folder / "run.sqlite")) as store:
        quick, careful = (list(store.rows(name, "heldout")) for name in ("quick", "careful"))
        without = [row for row in quick if row.key in new]
        without = [
            dataclasses.replace(row, score=0.0) for row in like(without, "added", "before", lambda text: f"not {text}")
        ]
        known = [row for row in quick if row.key in others]
        noted(
            store,
            "added",
            "quick",
            {**note, "takes": False, "seconds": 1.5},
            [*without, *like(known, "added", "before", str)],
        )
        rows = like([row for row in careful if row.key in others], "added", "before", str)
        noted(
            store,
            "added",
            "careful",
            {**note, "takes": True, "seconds": None},
            [*rows, *like(careful, "added", "after", str)],
        )
    found = evaluated(done)[CASCADE].added
    assert found is not None
    assert (found.takes, found.seconds, found.cases, found.others) == (True, 1.5, len(new), len(others))
    assert found.at_once == len(handed(done) & set(new)), "only what is handed on is answered by who knows the label"
    assert found.refitted == len(new)
    assert found.before == found.after == len(others)


def test_a_format_is_followed_at_once_where_the_part_that_answers_is_told_and_by_all_once_fitted_again(
    done: Run,
) -> None:
    cascade = evaluated(done)[CASCADE]
    with closing(Store(done.folder / "run.sqlite")) as store:
        quick, careful = (list(store.rows(name, "heldout")) for name in ("quick", "careful"))
        again = like(quick, "altered", "again", str.upper)
        noted(store, "altered", "quick", {"cases": 40, "takes": False, "seconds": 3.0}, again)
        told = like(careful, "altered", "at once", str.upper)
        noted(store, "altered", "careful", {"cases": 40, "takes": True, "seconds": None}, told)
        note, rows = altered_in(cascade, store)
    assert note == {"cases": 40, "takes": True, "seconds": 3.0}
    loud = {
        when: {row.key for row in rows if row.variant == when and text_of(row.outcome).isupper()}
        for when in ("at once", "again")
    }
    assert loud == {"at once": handed(done), "again": {case.id for case in done.benchmark.heldout}}
