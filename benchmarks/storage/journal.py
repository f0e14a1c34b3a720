"""What has been looked at or trained while an approach is fitted: kept by content, so that nothing of it is done twice."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class StoredJournal:
    """Finished pieces of fitting, by content, within a namespace of task, model and seed."""

    db: sqlite3.Connection
    namespace: str

    def get(self, key: str) -> Mapping[str, Any] | None:
        row = self.db.execute(
            "SELECT value FROM journal WHERE namespace = ? AND key = ?", (self.namespace, key)
        ).fetchone()
        return None if row is None else json.loads(row[0])

    def put(self, key: str, value: Mapping[str, Any]) -> None:
        self.db.execute(
            "INSERT OR REPLACE INTO journal VALUES (?, ?, ?)",
            (self.namespace, key, json.dumps(dict(value))),
        )
