"""What a run remembers: rows, usage, trials and finished units in SQLite, written unit by unit."""

from __future__ import annotations

import json
import sqlite3
import time
from collections import Counter
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, NamedTuple

from benchmarks.contract import BadInput, Row, State
from benchmarks.storage.disk import disk_fault
from benchmarks.storage.journal import StoredJournal
from benchmarks.storage.mounted import on_a_network
from benchmarks.storage.outcomes import from_json, to_json
from benchmarks.storage.unwritable import address, cannot_be_read, cannot_be_written
from strategies.contract import Trial, Usage

SCHEMA_VERSION = 1
SYNC_EVERY_S = 1.0
"""All that is written is with the system at once, which outlives the process. A server's answers, and what was paid for them, are
on the disk at least so often; and of finished units so much work at most is not."""
AGAIN = "again"
"""In the note of a unit that a fault ended which may pass: it is performed again when the run goes on."""
_SCHEMA = """
CREATE TABLE IF NOT EXISTS meta (key TEXT PRIMARY KEY, value TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS units (name TEXT PRIMARY KEY, kind TEXT NOT NULL, candidate TEXT NOT NULL, runs INTEGER NOT NULL,
    finished TEXT, note TEXT NOT NULL DEFAULT '{}');
CREATE TABLE IF NOT EXISTS rows (unit TEXT NOT NULL, candidate TEXT NOT NULL, purpose TEXT NOT NULL, key TEXT NOT NULL,
    variant TEXT NOT NULL, outcome TEXT NOT NULL, score REAL NOT NULL, PRIMARY KEY (candidate, purpose, key, variant));
CREATE TABLE IF NOT EXISTS usage (unit TEXT NOT NULL, candidate TEXT NOT NULL, usage TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS trials (unit TEXT NOT NULL, candidate TEXT NOT NULL, trial TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS journal (namespace TEXT NOT NULL, key TEXT NOT NULL, value TEXT NOT NULL,
    PRIMARY KEY (namespace, key));
CREATE TABLE IF NOT EXISTS completions (unit TEXT NOT NULL, key TEXT NOT NULL, value TEXT NOT NULL);
"""


class Line(NamedTuple):
    """A row as it stands in the store, its outcome JSON: so it comes from another process, and is not read on the way."""

    candidate: str
    purpose: str
    key: str
    variant: str
    outcome: str
    score: float

    @classmethod
    def of(cls, row: Row, seconds: Callable[[Usage], float] | None = None) -> Line:
        """`seconds` says what is written as those of its usage."""
        return cls(row.candidate, row.purpose, row.key, row.variant, to_json(row.outcome, seconds), row.score)


@dataclass(frozen=True, kw_only=True)
class UnitResult:
    """What one unit of work brought: stored in one transaction, so a unit is either whole or absent."""

    unit: str
    kind: str
    candidate: str
    rows: tuple[Row | Line, ...] = ()
    usage: tuple[Usage, ...] = ()
    trials: tuple[Trial, ...] = ()
    note: Mapping[str, Any] | None = None
    """Whatever else it found, in plain values: the chosen configuration, latencies, a problem."""

    @property
    def lines(self) -> tuple[Line, ...]:
        """The rows as they stand in the store."""
        return tuple(row if isinstance(row, Line) else Line.of(row) for row in self.rows)


class Store:
    """The database of one run folder. One process writes. Where nothing can be written there, it is only read."""

    def __init__(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self._reads = cannot_be_written(path)
        self._db = sqlite3.connect(address(path), isolation_level=None, uri=True)
        self._synced = 0.0
        self._begun: dict[str, float] = {}
        self._unsynced_s = 0.0
        try:
            self._open(path)
        except BaseException:
            self._db.close()
            raise

    def _open(self, path: Path) -> None:
        try:
            if not self._reads:
                self._db.execute(f"PRAGMA journal_mode={'DELETE' if on_a_network(path.parent) else 'WAL'}")
                self._db.execute("PRAGMA synchronous=FULL")
                self._db.executescript(_SCHEMA)
            version = self.meta("schema_version")
        except (sqlite3.DatabaseError, ValueError) as error:
            if disk_fault(error):
                if self._reads:
                    raise BadInput(cannot_be_read(path, error)) from None
                raise
            raise BadInput(
                f"{path.name} cannot be read as a run's rows ({error}). Run again into a new folder."
            ) from None
        if version is None:
            self.set_meta("schema_version", SCHEMA_VERSION)
        elif version != SCHEMA_VERSION:
            raise BadInput(
                f"This run was written with store version {version}; this program reads version {SCHEMA_VERSION}. "
                "Use the release that made the run, or run again."
            )

    def close(self) -> None:
        self._db.close()

    # ------------------------------------------------------------ facts about the run

    def meta(self, key: str) -> Any:
        row = self._db.execute("SELECT value FROM meta WHERE key = ?", (key,)).fetchone()
        return None if row is None else json.loads(row[0])

    def set_meta(self, key: str, value: Any) -> None:
        self._db.execute("INSERT OR REPLACE INTO meta VALUES (?, ?)", (key, json.dumps(value)))

    def note_meta(self, key: str, value: Any) -> None:
        """As `set_meta`, for what changes with each answer of a server, and as durable as these."""
        self._at_once("INSERT OR REPLACE INTO meta VALUES (?, ?)", (key, json.dumps(value)))

    def absorb(self, other: Path) -> None:
        """Takes over everything of another store: facts that are not known here yet, and all its rows."""
        self._db.execute("ATTACH DATABASE ? AS other", (address(other),))
        try:
            with _Transaction(self._db):
                for table in ("meta", "units", "rows", "usage", "trials", "journal", "completions"):
                    self._db.execute(f"INSERT OR IGNORE INTO {table} SELECT * FROM other.{table}")
        finally:
            self._db.execute("DETACH DATABASE other")

    def take_over(self, other: Path, units: Sequence[str]) -> None:
        """Finished units of another store, with all that they brought."""
        self._db.execute("ATTACH DATABASE ? AS other", (address(other),))
        try:
            with _Transaction(self._db):
                for name in units:
                    self._db.execute("INSERT OR REPLACE INTO units SELECT * FROM other.units WHERE name = ?", (name,))
                    for table in ("rows", "usage", "trials"):
                        self._db.execute(f"DELETE FROM {table} WHERE unit = ?", (name,))
                        self._db.execute(f"INSERT INTO {table} SELECT * FROM other.{table} WHERE unit = ?", (name,))
        finally:
            self._db.execute("DETACH DATABASE other")

    # ------------------------------------------------------------ units

    def begin(self, unit: str, kind: str, candidate: str) -> None:
        """Counts a start of the unit: finished units are never started again, and a test can prove it. It reaches the disk with
        what follows."""
        self._begun[unit] = time.monotonic()
        with self._to_the_system():
            self._start(unit, kind, candidate)

    def _start(self, unit: str, kind: str, candidate: str) -> None:
        self._db.execute(
            "INSERT INTO units (name, kind, candidate, runs) VALUES (?, ?, ?, 1) "
            "ON CONFLICT (name) DO UPDATE SET runs = runs + 1",
            (unit, kind, candidate),
        )

    def finished(self) -> dict[str, Mapping[str, Any]]:
        """Names of finished units with their notes."""
        rows = self._db.execute("SELECT name, note FROM units WHERE finished IS NOT NULL").fetchall()
        return {name: json.loads(note) for name, note in rows}

    def notes(self, kind: str) -> dict[str, Mapping[str, Any]]:
        """candidate -> what its finished unit of that kind noted."""
        rows = self._db.execute("SELECT candidate, note FROM units WHERE kind = ? AND finished IS NOT NULL", (kind,))
        return {candidate: json.loads(note) for candidate, note in rows.fetchall()}

    def problems(self, kind: str) -> dict[str, Mapping[str, Any]]:
        """candidate -> what one of its finished units of that kind noted that ended with a problem."""
        return {candidate: note for candidate, note in self.all_notes(kind) if note.get("problem")}

    def all_notes(self, kind: str) -> list[tuple[str, Mapping[str, Any]]]:
        """Candidates with the note of each of their finished units of that kind."""
        query = "SELECT candidate, note FROM units WHERE kind = ? AND finished IS NOT NULL"
        return [(candidate, json.loads(note)) for candidate, note in self._db.execute(query, (kind,)).fetchall()]

    def renote(self, kind: str, change: Callable[[Mapping[str, Any]], Mapping[str, Any]]) -> None:
        """Writes the notes of finished units of that kind as `change` has them."""
        found = self._db.execute("SELECT name, note FROM units WHERE kind = ? AND finished IS NOT NULL", (kind,))
        notes = [(json.dumps(change(json.loads(note))), note, name) for name, note in found.fetchall()]
        with _Transaction(self._db):
            self._db.executemany(
                "UPDATE units SET note = ? WHERE name = ?", [(new, name) for new, old, name in notes if new != old]
            )

    def done(self, kind: str) -> dict[str, int]:
        """candidate -> how many of its units of that kind are finished, or ended with a problem that is their own."""
        return self._count(kind, waiting=False)

    def waiting(self, kind: str) -> dict[str, int]:
        """candidate -> how many of its units of that kind a fault outside of them ended: a run that goes on performs them."""
        return self._count(kind, waiting=True)

    def _count(self, kind: str, *, waiting: bool) -> dict[str, int]:
        found = self._db.execute("SELECT candidate, note FROM units WHERE kind = ? AND finished IS NOT NULL", (kind,))
        return Counter(candidate for candidate, note in found.fetchall() if _is_waiting(json.loads(note)) == waiting)

    def lacking(self) -> set[str]:
        """Candidates with a unit that is to be performed again."""
        found = self._db.execute("SELECT candidate, note FROM units WHERE finished IS NOT NULL").fetchall()
        return {candidate for candidate, note in found if json.loads(note).get(AGAIN)}

    def fits(self) -> dict[str, str]:
        """candidate -> name of its finished fit."""
        rows = self._db.execute("SELECT candidate, name FROM units WHERE kind = 'fit' AND finished IS NOT NULL")
        return dict(rows.fetchall())

    def candidates(self) -> list[str]:
        """Names of the candidates that have units here."""
        return [
            row[0] for row in self._db.execute("SELECT DISTINCT candidate FROM units ORDER BY candidate").fetchall()
        ]

    def starts(self) -> dict[str, int]:
        """How often each unit was started."""
        return dict(self._db.execute("SELECT name, runs FROM units").fetchall())

    def finish(self, done: UnitResult, fact: tuple[str, Any] | None = None) -> None:
        """With the (key, value) that changes by it. Of a unit that is to be performed again the answers of servers stay, so that
        none is paid twice."""
        with self._synced_after_work(done.unit), _Transaction(self._db):
            self._write(done)
            if fact is not None:
                self.set_meta(*fact)

    def exchange(self, gone: Collection[str], made: Sequence[UnitResult], fact: tuple[str, Any]) -> None:
        """Forgets all that candidates brought and writes whole units of another, with the (key, value) that says so, at once."""
        with _Transaction(self._db):
            for candidate in gone:
                for table in ("units", "rows", "usage", "trials"):
                    self._db.execute(f"DELETE FROM {table} WHERE candidate = ?", (candidate,))
            for done in made:
                self._start(done.unit, done.kind, done.candidate)
                self._write(done)
            self.set_meta(*fact)

    def _write(self, done: UnitResult) -> None:
        note = dict(done.note or {})
        self._db.executemany(
            "INSERT OR REPLACE INTO rows VALUES (?, ?, ?, ?, ?, ?, ?)",
            [(done.unit, *line) for line in done.lines],
        )
        self._db.execute("DELETE FROM usage WHERE unit = ?", (done.unit,))
        self._db.execute("DELETE FROM trials WHERE unit = ?", (done.unit,))
        if not note.get(AGAIN):
            self._db.execute("DELETE FROM completions WHERE unit = ?", (done.unit,))
        self._db.executemany(
            "INSERT INTO usage VALUES (?, ?, ?)",
            [(done.unit, done.candidate, json.dumps(asdict(usage))) for usage in done.usage],
        )
        self._db.executemany(
            "INSERT INTO trials VALUES (?, ?, ?)",
            [(done.unit, done.candidate, json.dumps(asdict(trial))) for trial in done.trials],
        )
        self._db.execute(
            "UPDATE units SET finished = datetime('now'), note = ? WHERE name = ?",
            (json.dumps(note), done.unit),
        )

    @contextmanager
    def _synced_after_work(self, unit: str) -> Iterator[None]:
        """A sync takes milliseconds, in which a quick approach answers a hundred cases: so it waits until it saves some work."""
        self._unsynced_s += time.monotonic() - self._begun.pop(unit, -SYNC_EVERY_S)
        if self._unsynced_s < SYNC_EVERY_S:
            with self._to_the_system():
                yield
        else:
            yield
            self._unsynced_s = 0.0

    # ------------------------------------------------------------ within a unit that is not finished

    def completions(self, unit: str) -> list[tuple[str, Mapping[str, Any]]]:
        """(key, completion) of what servers answered in earlier starts of the unit, in the order of arrival."""
        rows = self._db.execute("SELECT key, value FROM completions WHERE unit = ? ORDER BY rowid", (unit,)).fetchall()
        return [(key, json.loads(value)) for key, value in rows]

    def keep_completion(self, unit: str, key: str, value: Mapping[str, Any]) -> None:
        """Writes one down at once; all of them go when the unit is finished for good, since its rows hold them then."""
        self._at_once("INSERT INTO completions VALUES (?, ?, ?)", (unit, key, json.dumps(dict(value))))

    def _at_once(self, statement: str, values: Sequence[Any]) -> None:
        """Writes to the system, and every `SYNC_EVERY_S` to the disk."""
        now = time.monotonic()
        if now - self._synced < SYNC_EVERY_S:
            with self._to_the_system():
                self._db.execute(statement, values)
        else:
            self._db.execute(statement, values)
            self._synced = now

    @contextmanager
    def _to_the_system(self) -> Iterator[None]:
        """What is written within it outlives this process, and the machine once something after it reaches the disk."""
        self._db.execute("PRAGMA synchronous=NORMAL")
        try:
            yield
        finally:
            self._db.execute("PRAGMA synchronous=FULL")

    def forget_completions(self, unit: str) -> None:
        """Lets go of them where what they were used for has been written down."""
        self._db.execute("DELETE FROM completions WHERE unit = ?", (unit,))

    # ------------------------------------------------------------ reading

    def rows(self, candidate: str, purpose: str) -> Iterator[Row]:
        """Rows of one candidate, streamed, in the order of their keys and variants."""
        found = self._db.execute(
            "SELECT key, variant, outcome, score FROM rows WHERE candidate = ? AND purpose = ? ORDER BY key, variant",
            (candidate, purpose),
        )
        for key, variant, outcome, score in found:
            yield Row(
                candidate=candidate,
                purpose=purpose,
                key=key,
                variant=variant,
                outcome=from_json(outcome),
                score=score,
            )

    def scores(self, candidate: str, purpose: str) -> dict[str, float]:
        """key -> score of these rows, without their outcomes; of one key the last variant's."""
        query = "SELECT key, score FROM rows WHERE candidate = ? AND purpose = ? ORDER BY key, variant"
        return dict(self._db.execute(query, (candidate, purpose)).fetchall())

    def rescore(self, changes: Sequence[tuple[float, str, str, str, str]]) -> None:
        """Writes new scores: (score, candidate, purpose, key, variant)."""
        with _Transaction(self._db):
            self._db.executemany(
                "UPDATE rows SET score = ? WHERE candidate = ? AND purpose = ? AND key = ? AND variant = ?", changes
            )

    def usage(self, candidate: str, kind: str) -> list[Usage]:
        """Usage rows of the candidate's units of one kind: the ledger is their sum."""
        found = self._db.execute(
            "SELECT usage FROM usage JOIN units ON units.name = usage.unit WHERE usage.candidate = ? AND units.kind = ?",
            (candidate, kind),
        )
        return [Usage(**json.loads(row[0])) for row in found.fetchall()]

    def ledger(self) -> Iterator[Usage]:
        """Every usage row, and those of what servers answered in units that are not finished, or not for good."""
        for (text,) in self._db.execute("SELECT usage FROM usage").fetchall():
            yield Usage(**json.loads(text))
        for (text,) in self._db.execute("SELECT value FROM completions").fetchall():
            yield Usage(**json.loads(text)["usage"])

    def seconds(self, but: Collection[str] = ()) -> dict[str, float]:
        """Kind of unit -> seconds that its usage rows have in all, but for these candidates."""
        found: dict[str, float] = {}
        rows = "SELECT kind, usage.candidate, usage FROM usage JOIN units ON units.name = usage.unit"
        for kind, candidate, text in self._db.execute(rows).fetchall():
            if candidate not in but:
                found[kind] = found.get(kind, 0.0) + json.loads(text)["seconds"]
        return found

    def trials(self, candidate: str) -> list[Trial]:
        found = self._db.execute("SELECT trial FROM trials WHERE candidate = ?", (candidate,))
        return [Trial(**json.loads(row[0])) for row in found.fetchall()]

    # ------------------------------------------------------------ the journal of fitting

    def journal(self, namespace: str) -> StoredJournal:
        return StoredJournal(self._db, namespace)


def _is_waiting(note: Mapping[str, Any]) -> bool:
    """What ended with a problem of its own is tried again too, and counts as ended until then."""
    own = note.get("problem") and note.get("state") != State.OPEN
    return bool(note.get(AGAIN)) and not own


class _Transaction:
    """BEGIN IMMEDIATE to COMMIT, or ROLLBACK."""

    def __init__(self, db: sqlite3.Connection) -> None:
        self.db = db

    def __enter__(self) -> None:
        self.db.execute("BEGIN IMMEDIATE")

    def __exit__(self, kind: Any, error: Any, trace: Any) -> None:
        self.db.execute("COMMIT" if kind is None else "ROLLBACK")
