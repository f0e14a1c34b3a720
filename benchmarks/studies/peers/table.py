"""The document of the study, made from committed rows: ours beside each tool, with paired intervals."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from advisor.wording import listed
from benchmarks.contract import BadInput
from benchmarks.studies.peers.arms import OURS, Part, parts
from benchmarks.studies.peers.rows import Kept, read
from benchmarks.studies.settings import UNCOMMITTED

Floats = NDArray[np.float64]
DRAWS, LEVEL = 4000, 0.95
MARGIN = -0.02
"""The lower bound of the difference over all comparisons is to lie above this."""
TOLD = "recall@5"
"""The one depth of a search that counts among all comparisons."""


@dataclass(frozen=True, kw_only=True)
class Comparison:
    """One measure of one tool beside ours: mean scores, and draws of their paired difference."""

    what: str
    task: str
    tool: str
    measure: str
    ours: float
    theirs: float
    differences: tuple[tuple[float, ...], ...]
    """Of the cases of each sample."""
    fitting: tuple[float, float] = (0.0, 0.0)
    """Seconds before the first answer, ours and the tool's, a mean of the samples."""

    def draws(self, dice: np.random.Generator) -> Floats:
        """Mean differences of resampled samples of resampled cases."""
        rows = [np.asarray(row) for row in self.differences]
        means = np.stack([row[dice.integers(0, len(row), (DRAWS, len(row)))].mean(1) for row in rows])
        drawn: Floats = means[dice.integers(0, len(rows), (DRAWS, len(rows))), np.arange(DRAWS)[:, None]].mean(1)
        return drawn


def comparisons(folder: Path) -> tuple[list[Comparison], list[Part]]:
    """What can be compared, and the parts that were not run. Raises `BadInput` where samples are not the same."""
    kept = {part: read(part, folder) for part in parts()}
    missing = [part for part, found in kept.items() if found is None]
    found: list[Comparison] = []
    for what, task, tool in dict.fromkeys((p.arm.comparison, p.task, p.arm.name) for p in kept if p.arm.name != OURS):
        pairs = [
            (ours, theirs)
            for part, theirs in kept.items()
            if (part.arm.comparison, part.task, part.arm.name) == (what, task, tool) and theirs is not None
            for other, ours in kept.items()
            if (other.arm.comparison, other.task, other.arm.name, other.seed) == (what, task, OURS, part.seed)
            and ours is not None
        ]
        found += _of_pairs(pairs, (what, task, tool))
    return found, missing


def _of_pairs(pairs: Sequence[tuple[Kept, Kept]], about: tuple[str, str, str]) -> list[Comparison]:
    for ours, theirs in pairs:
        if any(ours.about[key] != theirs.about[key] for key in ("fingerprint", "examples", "metric")):
            raise BadInput(f"{ours.about['part']} and {theirs.about['part']} hold answers on different cases.")
    what, task, tool = about

    def own(ours: Kept, measure: str) -> tuple[float, ...]:
        """Ours are decoded in one way only."""
        return ours.scores.get(measure) or ours.scores[ours.about["metric"]]

    return [
        Comparison(
            what=what,
            task=task,
            tool=tool,
            measure=measure,
            ours=float(np.mean([np.mean(own(ours, measure)) for ours, _ in pairs])),
            theirs=float(np.mean([np.mean(theirs.scores[measure]) for _, theirs in pairs])),
            differences=tuple(
                tuple(np.subtract(own(ours, measure), theirs.scores[measure]).tolist()) for ours, theirs in pairs
            ),
            fitting=(_fitting([ours for ours, _ in pairs]), _fitting([theirs for _, theirs in pairs])),
        )
        for measure in (pairs[0][1].scores if pairs else ())
    ]


def _fitting(kept: Sequence[Kept]) -> float:
    return float(np.mean([each.about["seconds"].get("fitting", 0.0) for each in kept]))


def document(folder: Path) -> str:
    """The whole text of peers.md."""
    found, missing = comparisons(folder)
    dice = np.random.default_rng(0)
    drawn = {each: each.draws(dice) for each in found}
    lines = [
        TITLE,
        "",
        *_lacking(found, missing),
        *HEAD,
        *(_row(each, drawn[each]) for each in found),
        "",
        *_pooled(drawn),
    ]
    if missing:
        lines += ["", f"Not run yet: {', '.join(part.name for part in missing)}."]
    return "\n".join([*lines, "", *_how(folder)]) + "\n"


def _lacking(found: Sequence[Comparison], missing: Sequence[Part]) -> list[str]:
    """What a reader must not look for below, before anything else."""
    if not missing:
        return []
    asked = list(dict.fromkeys((part.arm.comparison, part.arm.name) for part in parts() if part.arm.name != OURS))
    there = {(each.what, each.tool) for each in found}
    lacking = [f"{SPOKEN.get(what, what)} ({tool})" for what, tool in asked if (what, tool) not in there]
    fewer = f"{len(missing):,} of {len(parts()):,} parts were not run yet; they are listed below the table."
    return [f"**Not compared yet: {listed(lacking)}.** {fewer}" if lacking else fewer, ""]


SPOKEN = {
    "combined": "fine-tuning on what is looked up",
    "answers": "answers from what is looked up",
    "rungs": "methods without a language model",
}
"""How a comparison is called where its own name says little."""
TITLE = "# Ours beside the dedicated tools"
HEAD = (
    "The same model, examples and held-out cases for both; everything that is chosen is chosen on the examples. `words` is",
    "TF-IDF of words and letters on both sides, `rungs` the best without a language model beside a head on embeddings. Made by",
    "`python -m benchmarks.studies.peers table` from `rows/peers/`. Differences in points with 95 % intervals, by a paired",
    "bootstrap over samples and cases.",
    "",
    "Ours has the tokens of standard effort, a tool its own recipe in full; fitting is the seconds that each took before its",
    "first answer, ours and then the tool's, on one machine. Search is compared without a cross-encoder: there was none.",
    "",
    "| what | task | tool | measure | ours | tool's | difference | fitting | samples x cases |",
    "| --- | --- | --- | --- | ---: | ---: | ---: | ---: | ---: |",
)


def _row(each: Comparison, drawn: Floats) -> str:
    low, high = _interval(drawn)
    size = f"{len(each.differences)} x {len(each.differences[0])}"
    difference = f"{100 * (each.ours - each.theirs):+.1f} ({100 * low:+.1f} to {100 * high:+.1f})"
    return (
        f"| {each.what} | {each.task} | {each.tool} | {each.measure} | {each.ours:.3f} | {each.theirs:.3f} | "
        f"{difference} | {each.fitting[0]:.0f} s, {each.fitting[1]:.0f} s | {size} |"
    )


def _interval(drawn: Floats) -> tuple[float, float]:
    low, high = np.quantile(drawn, [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
    return float(low), float(high)


def _pooled(drawn: dict[Comparison, Floats]) -> list[str]:
    counted = [each for each in drawn if not each.measure.startswith("recall@") or each.measure == TOLD]
    if not counted:
        return ["Nothing can be compared yet."]
    low, high = _interval(np.mean([drawn[each] for each in counted], axis=0))
    behind = [f"{each.tool} on {each.task}" for each in counted if _interval(drawn[each])[1] < 0]
    ahead = sum(each.ours > each.theirs for each in counted)
    kept = "above" if low > MARGIN else "not above"
    return [
        f"Of {len(counted)} comparisons ours leads in {ahead}; it is significantly behind in {len(behind)}"
        f"{': ' + ', '.join(behind) if behind else ''}. The mean difference lies between {100 * low:+.1f} and {100 * high:+.1f}",
        f"points, so its lower bound is {kept} {100 * MARGIN:+.0f}.",
    ]


def _how(folder: Path) -> list[str]:
    """Settings, versions and time of every part that was run."""
    lines = ["| part | chosen | versions | fitting, answering | commit |", "| --- | --- | --- | --- | --- |"]
    for part in parts():
        found = read(part, folder)
        if found is not None:
            about = found.about
            others = about["others"] or 0.0
            beside = f", {others:.1f} cores busy with other programs" if others > 0.1 else ""
            seconds = f"{about['seconds']['fitting']:.0f} s, {about['seconds']['answering']:.1f} s{beside}"
            lines.append(
                f"| {part.name} | {_plain(about['settings'])} | {_plain(about['versions'])} | {seconds} | {about['commit']} |"
            )
    return [*lines, "", f"Commits: {UNCOMMITTED}."] if any(line.endswith("+ |") for line in lines) else lines


def _plain(values: dict[str, Any]) -> str:
    return ", ".join(f"{name} {_plain(value) if isinstance(value, dict) else value}" for name, value in values.items())
