"""Has a judge of one's own grade the stored answers of a run, and takes what people say of them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import closing
from pathlib import Path
from typing import Any

from advisor.experiments.stored import about_run, mark_shown, reading
from benchmarks.contract import BadInput
from benchmarks.data.frozen import thaw
from benchmarks.evaluation.judging import SHEET, TO_READ, Grading, answers_of, keep_people, read_people, write_sample
from benchmarks.metrics import load, names
from benchmarks.storage.store import Store
from strategies.permissions import owner_only


def ask(folder: Path, by: str, allow_code: bool, progress: Callable[[int, int], None]) -> Path | None:
    """Has the judge grade every stored answer that it does not know yet, takes what people wrote into the sheet, and writes a
    sheet where there is none; its path where nothing is written into it yet. `progress` is told how many of how many.

    Raises `BadInput` for a judge that cannot be used, a folder without answers, and a sheet that cannot be read.
    """
    about = about_run(folder)
    if ".py:" not in by and by not in names():
        raise BadInput(f"`{by}` judges nothing. Write file.py:function of yours, or one of {', '.join(names())}.")
    judge = load(by, {"allow_code": allow_code} if ".py:" in by else {})
    with owner_only(), reading(folder), closing(Store(folder / "run.sqlite")) as store:
        benchmark = thaw(about["benchmark"], folder, allow_code)
        if benchmark.task.kind not in judge.kinds:
            raise BadInput(f"{by} does not score answers of a {benchmark.task.kind} task.")
        answers = answers_of(benchmark, [each["name"] for each in about["candidates"]], store)
        if not answers:
            raise BadInput(
                f"{folder.name} holds no answers to held-out cases yet. Let the run go on with --resume first."
            )
        sheet, said = folder / SHEET, dict[str, bool]()
        if sheet.is_file():
            said = read_people(sheet, answers)
            keep_people(said, store)
        grading = Grading(judge=judge, name=by, answers=answers, store=store)
        grades = dict[str, float]()
        for key, grade in grading.grades():
            grades[key] = grade
            progress(len(grades), len(answers))
        grading.keep(grades)
        if not sheet.is_file():
            mark_shown(folder, about, write_sample(answers, sheet, TO_READ, _seed(about)))
    return None if said else sheet


def _seed(about: Mapping[str, Any]) -> int:
    return int(about.get("options", {}).get("seed", 0))
