"""Stored bake-offs with the plain script's rows beside them, read from the committed files and compared case by case."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from advisor.contract import Verdict
from advisor.experiments.stored import reopen
from advisor.wording import listed
from benchmarks.contract import Answered, BadInput, Benchmark, Evaluation
from benchmarks.data.frozen import thaw
from benchmarks.evaluation.cascade import APPROACH as CASCADE
from benchmarks.statistics.confidence import PairedDifference, paired_difference, shown_interval
from benchmarks.storage.packed import unpack
from benchmarks.studies.afternoon_rows import FILE, Record, examples_hash
from benchmarks.studies.settings import PACKED, SETTINGS, Setting

COUNTERPARTS: Mapping[str, str] = {
    "copy nearest": "copy nearest",
    "zero-shot": "prompting",
    "5 random demonstrations": "prompting",
    "5 nearest demonstrations": "retrieval",
    "nearest passage": "retrieval",
    "lora": "lora",
    "lora with passage": "lora + retrieval",
}
"""Arm of the plain script -> the approach of ours that answers to it."""
LEVEL = 0.05


@dataclass(frozen=True, kw_only=True)
class BakeOff:
    """One task's stored run and, where there is one, the plain script's rows on it."""

    setting: Setting
    verdict: Verdict
    benchmark: Benchmark
    about: Mapping[str, Any]
    made: Mapping[str, Any]
    afternoon: Record | None

    @cached_property
    def compared(self) -> list[Compared]:
        """Every finished arm of the plain script beside ours."""
        return compared(self)

    def evaluation(self, candidate: str) -> Evaluation | None:
        """The candidate's evaluation where it has usable scores."""
        for each in self.verdict.evaluations:
            if each.candidate == candidate and each.scores and each.state is None:
                return each
        return None


def came_later(found: Mapping[str, BakeOff]) -> dict[str, list[str]]:
    """task -> approaches that its rows are older than: those of another task of its kind have figures for them."""
    kinds = {task: (each.benchmark.task.kind, bool(each.benchmark.task.documents)) for task, each in found.items()}
    lacking: dict[str, list[str]] = {}
    for task, bakeoff in found.items():
        alike = [found[other] for other in found if kinds[other] == kinds[task]]
        measured = {each.approach for other in alike for each in other.verdict.evaluations if each.scores}
        later = measured - {each.approach for each in bakeoff.verdict.evaluations} - {CASCADE}
        if later:
            lacking[task] = sorted(later)
    return lacking


def older(found: Mapping[str, BakeOff]) -> str:
    """The same as a sentence; empty where there is nothing to say."""
    told = [f"{task} without {listed(names)}" for task, names in came_later(found).items()]
    return f"Rows that are older than an approach lack it: {listed(told)}. " if told else ""


def opened(rows: Path) -> dict[str, BakeOff]:
    """task -> its bake-off, for each whose rows lie in the folder. Raises `BadInput`."""
    found = {}
    for setting in SETTINGS:
        file = rows / PACKED.format(setting.task)
        if file.is_file():
            plain = rows / FILE.format(setting.task)
            found[setting.task] = _opened(setting, file, Record.read(plain) if plain.is_file() else None)
    return found


def _opened(setting: Setting, file: Path, afternoon: Record | None) -> BakeOff:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        made = unpack(file, folder)["made"]
        about = json.loads((folder / "run.json").read_text(encoding="utf-8"))
        verdict, benchmark = reopen(folder), thaw(about["benchmark"])
    if afternoon is not None:
        cases = (benchmark.fingerprint, examples_hash(benchmark))
        if cases != (afternoon.about["fingerprint"], afternoon.about["examples"]):
            raise BadInput(
                f"the afternoon of {setting.task} was measured on other cases than the bake-off. Remove "
                f"{afternoon.file.name} and run it again."
            )
    return BakeOff(setting=setting, verdict=verdict, benchmark=benchmark, about=about, made=made, afternoon=afternoon)


@dataclass(frozen=True, kw_only=True)
class Compared:
    """One arm of the plain script beside the approach of ours that answers to it."""

    arm: str
    figure: float
    lower: float
    upper: float
    seconds: float
    prompt_tokens: float
    fit_seconds: float
    ours: str
    difference: PairedDifference | None


def compared(bakeoff: BakeOff) -> list[Compared]:
    """Every finished arm, in the order in which the arms ran. Difference None where ours has no usable scores."""
    if bakeoff.afternoon is None:
        return []
    benchmark, found = bakeoff.benchmark, []
    groups = [case.group or case.id for case in benchmark.heldout]
    for name, rows in bakeoff.afternoon.rows.items():
        by_id = {row.id: row for row in rows}
        ordered = [by_id[case.id] for case in benchmark.heldout]
        scores = [row.score for row in ordered]
        pairs = zip(benchmark.heldout, ordered, strict=True)
        answered = [Answered(case=case, text=row.text, score=row.score) for case, row in pairs]
        ours = bakeoff.evaluation(COUNTERPARTS[name])
        lower, upper = shown_interval(scores, groups)
        found.append(
            Compared(
                arm=name,
                figure=benchmark.metric.summarise(answered),
                lower=lower,
                upper=upper,
                seconds=sum(row.seconds for row in rows) / len(rows),
                prompt_tokens=sum(row.prompt_tokens for row in rows) / len(rows),
                fit_seconds=bakeoff.afternoon.arms[name].fit_seconds,
                ours=COUNTERPARTS[name],
                difference=paired_difference(ours.scores, scores, groups) if ours else None,
            )
        )
    return found


def below(difference: PairedDifference | None) -> bool:
    return difference is not None and difference.mean < 0 and difference.p_value < LEVEL


def turned(found: PairedDifference) -> PairedDifference:
    return PairedDifference(
        mean=-found.mean,
        lower=-found.upper,
        upper=-found.lower,
        p_value=found.p_value,
        only_first=found.only_second,
        only_second=found.only_first,
        showable=found.showable,
    )


def session_of(made: Mapping[str, Any]) -> tuple[str, float | None]:
    """The commits and the minutes of all sessions of a run; minutes None where they were not noted."""
    sessions = made.get("sessions", [])
    commits = ", ".join(dict.fromkeys(each["commit"] for each in sessions if each.get("commit")))
    return commits, sum(each["seconds"] for each in sessions) / 60 if sessions else None
