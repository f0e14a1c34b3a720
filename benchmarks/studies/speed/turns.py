"""Lets the contenders of a table take turns: each is loaded once, and one after the other repeats the same work."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.studies.speed import measures
from benchmarks.studies.speed.contenders import Contender, Running
from benchmarks.studies.speed.measures import Measure
from benchmarks.studies.speed.tables import Table
from benchmarks.studies.speed.work import Work


@dataclass(frozen=True, kw_only=True)
class Turns:
    """How often, where the rows go and where the peers' environments lie."""

    repeats: int
    rows: Path
    environments: Path
    say: Callable[[str], None]

    def take(self, table: Table, task: str) -> None:
        """Does nothing where the newest session has every turn of every contender."""
        found = measures.figures(measures.read(self.rows), table.name, task)
        if all(who.name in found and len(found[who.name].measures) >= self.repeats for who in table.contenders):
            self.say(f"{table.name}, {task}: done before")
            return
        work, session = Work.on(task), measures.session()
        with tempfile.TemporaryDirectory() as folder:
            running: list[Running] = []
            try:
                for place, who in enumerate(table.contenders):
                    given = self._written(table, work, who, Path(folder) / f"{place}.json")
                    running.append(Running(who, given, self.environments))
                for _ in range(self.repeats):
                    for contender in running:
                        self._keep(table, (task, session), contender, dict(contender.turn()))
            finally:
                for contender in running:
                    contender.stop()

    def _written(self, table: Table, work: Work, who: Contender, file: Path) -> Path:
        values = table.work(work, min(table.cases, who.cases or table.cases)) | dict(who.asks)
        file.write_text(json.dumps(values, ensure_ascii=False), encoding="utf-8")
        return file

    def _keep(self, table: Table, of: tuple[str, str], contender: Running, found: Mapping[str, Any]) -> None:
        told = {name: value for name, value in found.items() if name not in ("seconds", table.unit)}
        measure = Measure(
            table=table.name,
            task=of[0],
            who=contender.name,
            session=of[1],
            seconds=found["seconds"],
            amount=found[table.unit],
            unit=table.unit,
            extra={**told, "settings": contender.settings},
        )
        measures.add(measure, self.rows)
        self.say(f"{table.name}, {of[0]}, {contender.name}: {measure.rate:,.2f} {table.unit}/s")
