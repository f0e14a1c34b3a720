"""Runs as each version of the store left them, kept in `tests/stored_runs/VERSION`: what later versions have to open.

`python -m tests.old_runs` writes that of the present version, once, before it is released: a folder that is there is never
written again. The database is kept as SQL.
"""

from __future__ import annotations

import json
import shutil
import sqlite3
import tempfile
from contextlib import closing
from pathlib import Path
from typing import Any

from benchmarks.storage.store import SCHEMA_VERSION

PLACE = Path(__file__).parent / "stored_runs"


def put(version: int, folder: Path) -> Path:
    """The run of that version as a run folder."""
    run = folder / "run"
    run.mkdir()
    shutil.copyfile(PLACE / str(version) / "run.json", run / "run.json")
    with closing(sqlite3.connect(run / "run.sqlite")) as db:
        db.executescript((PLACE / str(version) / "run.sql").read_text(encoding="utf-8"))
    return run


def told(version: int) -> Any:
    """What was told of it then."""
    return json.loads((PLACE / str(version) / "told.json").read_text(encoding="utf-8"))


def said(verdict: Any) -> dict[str, Any]:
    """Of a verdict, what no later version may tell otherwise."""
    return {
        "verdict": verdict.recommendation.verdict,
        "states": {status.candidate: str(status.state) for status in verdict.recommendation.statuses},
        "scores": {each.candidate: sum(each.scores) for each in verdict.evaluations},
        "asked": {each.candidate: len(each.scores) for each in verdict.evaluations},
        "tokens": {
            each.candidate: sum(used.prompt_tokens + used.answer_tokens for used in (*each.fitting, each.answering))
            for each in verdict.evaluations
        },
    }


def main() -> None:
    from advisor.experiments.comparison import Wishes, advise
    from tests import tiny
    from tests.conftest import Folders
    from tests.desk import write_task
    from tests.tiny_embedder import embedder_folder

    kept = PLACE / str(SCHEMA_VERSION)
    kept.mkdir(parents=True)
    with tempfile.TemporaryDirectory() as made:
        place = Path(made)
        models = Folders(language=tiny.model_folder(place), embedder=embedder_folder(place))
        task = write_task(place, models, cases=tiny.messages(32))
        wishes = Wishes(approaches=("majority", "prompting"), effort="quick")
        verdict = advise(task, out=place / "run", wishes=wishes)
        shutil.copyfile(place / "run" / "run.json", kept / "run.json")
        with closing(sqlite3.connect(place / "run" / "run.sqlite")) as db:
            (kept / "run.sql").write_text("\n".join(db.iterdump()) + "\n", encoding="utf-8")
    (kept / "told.json").write_text(json.dumps(said(verdict), indent=1, sort_keys=True) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
