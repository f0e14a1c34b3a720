"""The store of a run: a unit is whole or absent, and everything comes back as it went in."""

from __future__ import annotations

import dataclasses
import json
import os
import shutil
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from benchmarks.contract import BadInput, Row
from benchmarks.storage.disk import disk_fault
from benchmarks.storage.outcomes import from_json, text_of, to_json
from benchmarks.storage.packed import _slim_row
from benchmarks.storage.store import SYNC_EVERY_S, Store, UnitResult
from strategies.contract import Abstention, Evidence, Failure, Outcome, Prediction, Trial, Usage
from tests.desk import everything

USAGE = Usage(model="m", step="answering", prompt_tokens=12, cached_tokens=3, answer_tokens=4, seconds=0.25)
TRIAL = Trial(
    approach="prompting", configuration={"shots": 3, "form": {"layout": "turns"}}, score=0.5, cases=20, tokens=9
)


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    opened = Store(tmp_path / "run.sqlite")
    yield opened
    opened.close()


def row(key: str, score: float = 1.0, purpose: str = "heldout", variant: str = "") -> Row:
    outcome = Prediction(text=f"answer {key}", usage=(USAGE,))
    return Row(candidate="c", purpose=purpose, key=key, outcome=outcome, score=score, variant=variant)


def finish(store: Store, name: str, kind: str = "answer", **what: Any) -> None:
    store.begin(name, kind, "c")
    store.finish(UnitResult(unit=name, kind=kind, candidate="c", **what))


# ---------------------------------------------------------------- outcomes

text = st.text(max_size=30)
usage = st.lists(
    st.builds(
        Usage,
        model=text,
        step=st.sampled_from(["search", "index", "training", "answering"]),
        prompt_tokens=st.integers(0, 10**6),
        seconds=st.floats(0, 1e6),
        cost=st.none() | st.floats(0, 10),
    ),
    max_size=2,
).map(tuple)
evidence = st.lists(
    st.builds(Evidence, document_id=text, text=text, score=st.floats(-1, 1), start=st.integers(0, 99)), max_size=2
).map(tuple)
outcomes = st.one_of(
    st.builds(
        Prediction,
        text=text,
        evidence=evidence,
        probabilities=st.none() | st.dictionaries(text, st.floats(0, 1), min_size=1, max_size=3),
        certainty=st.none() | st.floats(0, 1),
        truncated=st.booleans(),
        usage=usage,
    ),
    st.builds(Abstention, reason=text, evidence=evidence, usage=usage),
    st.builds(
        Failure, kind=st.sampled_from(["refused", "unparsable", "infrastructure"]), message=text, raw=text, usage=usage
    ),
)


@given(outcomes)
@settings(max_examples=150, deadline=None)
def test_an_outcome_comes_back_as_it_went_in(outcome: Outcome) -> None:
    assert from_json(to_json(outcome)) == outcome


def test_a_packed_row_keeps_how_sure_it_is_and_a_row_of_before_opens_without() -> None:
    outcome = json.loads(to_json(Prediction(text="40 euros", certainty=0.123456789)))
    slim = _slim_row({"table": "rows", "purpose": "heldout", "outcome": outcome})
    assert from_json(json.dumps(slim["outcome"])) == Prediction(text="40 euros", certainty=0.123456789)
    assert from_json(to_json(Prediction(text="40 euros", certainty=0.0))).certainty == 0.0  # type: ignore[union-attr]
    assert from_json('{"type": "prediction", "text": "40 euros"}') == Prediction(text="40 euros")


def test_only_a_prediction_has_a_text() -> None:
    assert text_of(Prediction(text="x")) == "x"
    assert text_of(Abstention(reason="x")) == text_of(Failure(kind="refused", message="x", raw="x")) == ""


@pytest.mark.parametrize("awkward", ["\ud800", "a\x00b", "\u2028", "😀", '"\\\n'])
def test_awkward_answers_are_kept(store: Store, awkward: str) -> None:
    outcome = Prediction(text=awkward)
    finish(store, "u", rows=(Row(candidate="c", purpose="heldout", key="k", outcome=outcome, score=0.0),))
    (found,) = store.rows("c", "heldout")
    assert found.outcome == outcome


# ---------------------------------------------------------------- units


def test_rows_usage_and_trials_come_back(store: Store) -> None:
    rows = (row("b", 0.5), row("a"))
    finish(store, "u", "fit", rows=rows, usage=(USAGE,), trials=(TRIAL,), note={"chosen": {"k": 3}})
    assert list(store.rows("c", "heldout")) == [row("a"), row("b", 0.5)]
    assert store.usage("c", "fit") == [USAGE]
    assert store.usage("c", "answer") == []
    assert store.trials("c") == [TRIAL]
    assert store.finished() == {"u": {"chosen": {"k": 3}}}
    assert store.notes("fit") == {"c": {"chosen": {"k": 3}}}
    assert store.candidates() == ["c"]


def test_a_unit_that_was_begun_is_not_finished_and_its_starts_are_counted(store: Store) -> None:
    store.begin("u", "answer", "c")
    store.begin("u", "answer", "c")
    assert store.finished() == {}
    assert store.starts() == {"u": 2}
    finish(store, "u", rows=(row("a"),))
    assert store.starts() == {"u": 3}
    assert set(store.finished()) == {"u"}


def test_a_unit_is_whole_or_absent(store: Store, tmp_path: Path) -> None:
    """A row that cannot be written takes the whole unit back, the rows before it too."""
    store.begin("u", "answer", "c")
    broken = Row(candidate="c", purpose="heldout", key="z", outcome=Prediction(text="x"), score=float("nan"))
    with pytest.raises(sqlite3.IntegrityError):
        store.finish(UnitResult(unit="u", kind="answer", candidate="c", rows=(row("a"), broken), usage=(USAGE,)))
    assert list(store.rows("c", "heldout")) == []
    assert store.usage("c", "answer") == []
    assert store.finished() == {}
    finish(store, "v", rows=(row("b"),))
    assert [found.key for found in store.rows("c", "heldout")] == ["b"]


def test_what_takes_the_place_of_another_does_so_whole_or_not_at_all(store: Store) -> None:
    finish(store, "u", rows=(row("a"),), usage=(USAGE,), trials=(TRIAL,))
    broken = Row(candidate="d", purpose="heldout", key="z", outcome=Prediction(text="x"), score=float("nan"))
    whole = UnitResult(unit="v", kind="answer", candidate="d", rows=(dataclasses.replace(broken, score=1.0),))
    with pytest.raises(sqlite3.IntegrityError):
        store.exchange(["c"], [whole, dataclasses.replace(whole, unit="w", rows=(broken,))], ("made", ["d"]))
    assert (store.candidates(), store.meta("made"), store.trials("c")) == (["c"], None, [TRIAL])
    store.exchange(["c"], [whole], ("made", ["d"]))
    assert (store.candidates(), store.meta("made"), store.starts()) == (["d"], ["d"], {"v": 1})
    assert (list(store.rows("c", "heldout")), store.trials("c"), list(store.ledger())) == ([], [], [])
    assert [found.key for found in store.rows("d", "heldout")] == ["z"]


def test_finished_twice_nothing_is_there_twice(store: Store) -> None:
    for _ in range(2):
        finish(store, "u", rows=(row("a"),), usage=(USAGE,), trials=(TRIAL,))
    assert len(list(store.rows("c", "heldout"))) == 1
    assert store.usage("c", "answer") == [USAGE]
    assert store.trials("c") == [TRIAL]


def test_quick_units_reach_the_disk_together_and_long_ones_at_once(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = [100.0]
    monkeypatch.setattr("benchmarks.storage.store.time.monotonic", lambda: now[0])
    said: list[str] = []
    store._db.set_trace_callback(said.append)

    def forced(name: str, took: float) -> bool:
        said.clear()
        store.begin(name, "answer", "c")
        now[0] += took
        said.clear()
        store.finish(UnitResult(unit=name, kind="answer", candidate="c"))
        return not any("NORMAL" in statement for statement in said)

    assert forced("long", SYNC_EVERY_S)
    assert [forced(f"quick {number}", 0.3) for number in range(9)] == [
        False,
        False,
        False,
        True,
        *[False] * 3,
        True,
        False,
    ]
    assert forced("long again", 5.0)
    said.clear()
    store.finish(UnitResult(unit="begun by another process", kind="answer", candidate="c"))
    assert said
    assert not any("NORMAL" in statement for statement in said)


def test_purposes_and_variants_are_apart(store: Store) -> None:
    rows = (row("a"), row("a", purpose="edit", variant="lower case"), row("a", purpose="edit", variant="greeting"))
    finish(store, "u", rows=rows)
    assert len(list(store.rows("c", "heldout"))) == 1
    assert [found.variant for found in store.rows("c", "edit")] == ["greeting", "lower case"]


def test_what_is_stored_is_there_for_the_next_process(tmp_path: Path) -> None:
    """Read through another connection, while the first one is still open and was never closed."""
    writing = Store(tmp_path / "run.sqlite")
    finish(writing, "u", rows=(row("a"),))
    reading = Store(tmp_path / "run.sqlite")
    assert [found.key for found in reading.rows("c", "heldout")] == ["a"]
    reading.close()
    writing.close()


def test_scores_are_told_without_their_outcomes(store: Store) -> None:
    store.begin("u1", "answer", "c")
    store.finish(UnitResult(unit="u1", kind="answer", candidate="c", rows=(row("b", 0.5), row("a"))))
    store.begin("u2", "answer", "d")
    store.finish(
        UnitResult(unit="u2", kind="answer", candidate="d", rows=(dataclasses.replace(row("z"), candidate="d"),))
    )
    assert (
        store.scores("c", "heldout")
        == {each.key: each.score for each in store.rows("c", "heldout")}
        == {"a": 1.0, "b": 0.5}
    )
    assert store.scores("c", "edit") == {}


def test_new_scores_change_the_score_only(store: Store) -> None:
    finish(store, "u", rows=(row("a"), row("b")))
    store.rescore([(0.25, "c", "heldout", "b", "")])
    assert list(store.rows("c", "heldout")) == [row("a"), row("b", 0.25)]


# ---------------------------------------------------------------- the journal


def test_the_journal_keeps_numbers_exactly(store: Store) -> None:
    values = {"scores": [0.1, 1 / 3, 1e-300, -20.123456789012345], "notes": {"answers": [["ü", "x", 0.1]]}}
    store.journal("n").put("k", values)
    assert store.journal("n").get("k") == values
    assert store.journal("n").get("other") is None
    assert store.journal("another").get("k") is None


def test_the_journal_is_written_at_once(tmp_path: Path) -> None:
    """Before the unit is finished, so that a killed search finds it again."""
    writing = Store(tmp_path / "run.sqlite")
    writing.begin("u", "fit", "c")
    writing.journal("n").put("k", {"v": 1})
    reading = Store(tmp_path / "run.sqlite")
    assert reading.journal("n").get("k") == {"v": 1}
    reading.close()
    writing.close()


# ---------------------------------------------------------------- the file


def test_facts_about_the_run_are_kept(store: Store) -> None:
    assert store.meta("identity") is None
    store.set_meta("identity", {"seed": 0, "names": ["ü"]})
    assert store.meta("identity") == {"seed": 0, "names": ["ü"]}


def test_a_store_of_another_version_is_refused_with_what_to_do(tmp_path: Path) -> None:
    store = Store(tmp_path / "run.sqlite")
    store.set_meta("schema_version", 99)
    store.close()
    with pytest.raises(BadInput, match=r"store version 99.*reads version 1\. Use the release that made the run"):
        Store(tmp_path / "run.sqlite")


def test_everything_in_it_is_text_and_numbers(store: Store, tmp_path: Path) -> None:
    """No blobs, so nothing pickled: every text column is JSON or plain."""
    finish(store, "u", "fit", rows=(row("a"),), usage=(USAGE,), trials=(TRIAL,), note={"a": 1})
    store.journal("n").put("k", {"v": [1]})
    database = sqlite3.connect(tmp_path / "run.sqlite")
    tables = [name for (name,) in database.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
    values = [value for table in tables for found in database.execute(f"SELECT * FROM {table}") for value in found]
    database.close()
    assert {type(value) for value in values} <= {str, int, float, type(None)}
    assert any(json.loads(value) == {"a": 1} for value in values if isinstance(value, str) and value.startswith('{"a"'))


# ---------------------------------------------------------------- where nothing can be written


@pytest.fixture
def archive(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder that may only be read; what a process with all rights would write there is seen in the end."""
    folder = tmp_path / "archive"
    folder.mkdir()
    allowed = os.access
    monkeypatch.setattr("os.access", lambda path, mode: folder not in (path, path.parent) and allowed(path, mode))
    return folder


def test_a_run_that_may_only_be_read_is_read_and_taken_over_from(store: Store, tmp_path: Path, archive: Path) -> None:
    finish(store, "u", rows=(row("1"),))
    store.close()
    shutil.copyfile(tmp_path / "run.sqlite", archive / "run.sqlite")
    before = everything(archive)
    with closing(Store(archive / "run.sqlite")) as reading:
        assert [each.key for each in reading.rows("c", "heldout")] == ["1"]
        with pytest.raises(sqlite3.OperationalError, match="readonly") as refused:
            reading.set_meta("a", 1)
        assert disk_fault(refused.value) == "the folder cannot be written to"
    with closing(Store(tmp_path / "new.sqlite")) as fresh:
        fresh.absorb(archive / "run.sqlite")
        fresh.take_over(archive / "run.sqlite", ["u"])
        assert [each.key for each in fresh.rows("c", "heldout")] == ["1"]
    assert everything(archive) == before


def test_what_stands_in_the_log_of_a_run_that_may_only_be_read_is_read_too(
    store: Store, tmp_path: Path, archive: Path
) -> None:
    """The run was killed, and its files were put away as they were."""
    finish(store, "u", rows=(row("1"),))
    for name in ("run.sqlite", "run.sqlite-wal", "run.sqlite-shm"):
        shutil.copyfile(tmp_path / name, archive / name)
    with closing(Store(archive / "run.sqlite")) as reading:
        assert [each.key for each in reading.rows("c", "heldout")] == ["1"]
    (archive / "run.sqlite-shm").unlink()
    (archive / "run.sqlite-shm").symlink_to("nowhere")
    with pytest.raises(BadInput, match=r"nothing can be written in .*Copy the run's folder to where you can write"):
        Store(archive / "run.sqlite")
