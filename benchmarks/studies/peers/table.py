"""The document of the study, made from committed rows: ours beside each tool, with paired intervals."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from advisor.wording import listed
from benchmarks.contract import BadInput
from benchmarks.running.machine_load import NOTICED
from benchmarks.studies.dated import from_before
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
class Sample:
    """One sample of a task in a comparison: the cases, and how much more ours scores on each."""

    seed: int
    cases: tuple[str, ...]
    differences: tuple[float, ...]


@dataclass(frozen=True, kw_only=True)
class Comparison:
    """One measure of one tool beside ours: mean scores, and the paired differences."""

    what: str
    task: str
    tool: str
    measure: str
    ours: float
    theirs: float
    samples: tuple[Sample, ...]
    fitting: tuple[str, str] = ("", "")
    """Seconds before the first answer, ours and the tool's, a mean of the samples."""
    counts: bool = True
    """It is the measure that counts among all comparisons."""


def drawn(found: Sequence[Comparison]) -> dict[Comparison, Floats]:
    """Mean differences of resampled samples of resampled cases; all comparisons on a sample have the same of its cases."""
    dice = np.random.default_rng(0)
    cases: dict[tuple[str, int], dict[str, int]] = {}
    for each in found:
        for sample in each.samples:
            places = cases.setdefault((each.task, sample.seed), {})
            for name in sample.cases:
                places.setdefault(name, len(places))
    times = {
        key: dice.multinomial(len(places), [1 / len(places)] * len(places), DRAWS) for key, places in cases.items()
    }
    seeds = dict.fromkeys((each.task, tuple(sample.seed for sample in each.samples)) for each in found)
    chosen = {key: dice.integers(0, len(key[1]), (DRAWS, len(key[1]))) for key in seeds}

    def means(task: str, sample: Sample) -> Floats:
        key = (task, sample.seed)
        counts = times[key][:, [cases[key][name] for name in sample.cases]]
        mean: Floats = counts @ np.asarray(sample.differences) / np.maximum(1, counts.sum(1))
        return mean

    def of(each: Comparison) -> Floats:
        rows = np.stack([means(each.task, sample) for sample in each.samples])
        picked = chosen[each.task, tuple(sample.seed for sample in each.samples)]
        mean: Floats = rows[picked, np.arange(DRAWS)[:, None]].mean(1)
        return mean

    return {each: of(each) for each in found}


def comparisons(folder: Path) -> tuple[list[Comparison], list[Part]]:
    """What can be compared, and the parts that were not run. Raises `BadInput` where samples are not the same."""
    kept = {part: read(part, folder) for part in parts()}
    missing = [part for part, found in kept.items() if found is None]
    found: list[Comparison] = []
    for what, task, tool in dict.fromkeys((p.arm.comparison, p.task, p.arm.name) for p in kept if p.arm.name != OURS):
        pairs = {
            part.seed: (ours, theirs)
            for part, theirs in kept.items()
            if (part.arm.comparison, part.task, part.arm.name) == (what, task, tool) and theirs is not None
            for other, ours in kept.items()
            if (other.arm.comparison, other.task, other.arm.name, other.seed) == (what, task, OURS, part.seed)
            and ours is not None
        }
        found += _of_pairs(pairs, (what, task, tool))
    return found, missing


def _of_pairs(pairs: Mapping[int, tuple[Kept, Kept]], about: tuple[str, str, str]) -> list[Comparison]:
    """`pairs`: ours and the tool's by sample."""
    for ours, theirs in pairs.values():
        if any(ours.about[key] != theirs.about[key] for key in ("fingerprint", "examples", "metric")):
            raise BadInput(f"{ours.about['part']} and {theirs.about['part']} hold answers on different cases.")
    measures = list(dict.fromkeys(measure for _, theirs in pairs.values() for measure in theirs.scores))
    counted = _counted(measures)
    return [_measured(measure, _with(measure, pairs), about, counts=measure == counted) for measure in measures]


def _with(measure: str, pairs: Mapping[int, tuple[Kept, Kept]]) -> Mapping[int, tuple[Kept, Kept]]:
    """Those of the samples whose rows have the measure: a way to answer may have been added since others were run."""
    return {seed: pair for seed, pair in pairs.items() if measure in pair[1].scores}


def _measured(
    measure: str, pairs: Mapping[int, tuple[Kept, Kept]], about: tuple[str, str, str], *, counts: bool
) -> Comparison:
    what, task, tool = about
    scores = {seed: (_own(ours, measure), theirs.scores[measure]) for seed, (ours, theirs) in pairs.items()}
    return Comparison(
        what=what,
        task=task,
        tool=tool,
        measure=measure,
        ours=float(np.mean([np.mean(ours) for ours, _ in scores.values()])),
        theirs=float(np.mean([np.mean(theirs) for _, theirs in scores.values()])),
        samples=tuple(
            Sample(seed=seed, cases=pairs[seed][0].cases, differences=tuple(np.subtract(*each).tolist()))
            for seed, each in scores.items()
        ),
        fitting=(_fitting([ours for ours, _ in pairs.values()]), _fitting([theirs for _, theirs in pairs.values()])),
        counts=counts,
    )


def _counted(measures: Sequence[str]) -> str:
    """Of a tool's measures the one that counts among all comparisons: a search by one depth, a tool whose model answers in
    several ways by that which is nearest to ours, all by the task's own metric."""
    if TOLD in measures:
        return TOLD
    return ([measure for measure in measures if measure.split(", ")[0] == measures[0]] or [""])[-1]


def _own(ours: Kept, measure: str) -> tuple[float, ...]:
    """Ours answer in one way only."""
    return ours.scores.get(measure) or ours.scores[measure.split(", ")[0]]


def _fitting(kept: Sequence[Kept]) -> str:
    mean = float(np.mean([each.about["seconds"].get("fitting", 0.0) for each in kept]))
    return f"{mean:.0f} s{DISTURBED if any(_disturbed(each) for each in kept) else ''}"


def _disturbed(kept: Kept) -> bool:
    return (kept.about.get("others") or 0.0) > NOTICED


def document(folder: Path) -> str:
    """The whole text of peers.md."""
    found, missing = comparisons(folder)
    draws = drawn(found)
    lines = [
        TITLE,
        "",
        *_lacking(found, missing),
        *HEAD,
        *(SEVERAL if any(_is_one_of_several(each) for each in found) else ()),
        *COLUMNS,
        *(_row(each, draws[each], _told(each, found)) for each in found),
        "",
        *_pooled(draws),
    ]
    lines += ["", told] if (told := _before(folder)) else []
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
    "contained": "answers that contain the right one",
    "rungs": "methods without a language model",
}
"""How a comparison is called where its own name says little."""
DISTURBED = "*"
TITLE = "# Ours beside the dedicated tools"
HEAD = (
    "The same model, examples and held-out cases for both; everything that is chosen is chosen on the examples. `words` is",
    "TF-IDF of words and letters on both sides, `rungs` the best without a language model beside a head on embeddings,",
    "`contained` is `answers` where both choose by whether the right answer stands in what they give. Made by",
    "`python -m benchmarks.studies.peers table` from `rows/peers/`. Differences in points with 95 % intervals, by a paired",
    "bootstrap over samples and cases.",
    "",
    "Ours was developed while results on the cases of sample 0 were known, no tool was: of a task with one sample these are all",
    "the cases, and such rows are development figures. Of samples 1 and 2 of banking77 nine cases in ten are others, many of",
    "which approaches of ours without a language model answered in other studies.",
    "",
    "Ours has the tokens of standard effort, a tool its own recipe in full; fitting is the seconds that each took before its",
    "first answer, ours and then the tool's, on one machine (`rungs` on several), a mean of the samples;",
    f"{DISTURBED} marks seconds that are too high since other programs ran beside.",
    "Search is compared without a cross-encoder: there was none.",
    "TRL trains for three epochs, its default; of rates it takes the one with the lowest loss on examples that are kept apart.",
    "No part has a limit on its time: a recipe is run whole. Only finished parts are kept; one that is stopped begins anew.",
    "",
)
SEVERAL = (
    "A tool whose trained model answers in several ways has a row for each, and the last of them counts in the sentence below",
    "the table.",
    "",
)
ONE_WAY = {"setfit": "head as delivered, C = 1; the searched head was not run"}
"""What is to be said of a tool whose rows hold one of its ways to answer alone."""
COLUMNS = (
    "| what | task | tool | measure | ours | tool's | difference | fitting | samples x cases |",
    "| --- | --- | --- | --- | ---: | ---: | ---: | ---: | ---: |",
)


def _is_one_of_several(each: Comparison) -> bool:
    return ", " in each.measure


def _told(each: Comparison, found: Sequence[Comparison]) -> str:
    """The tool, and which of its ways to answer is there where that is one of several."""
    several = any(_is_one_of_several(other) for other in found if (other.tool, other.task) == (each.tool, each.task))
    return f"{each.tool} ({ONE_WAY[each.tool]})" if each.tool in ONE_WAY and not several else each.tool


def _row(each: Comparison, drawn: Floats, tool: str) -> str:
    low, high = _interval(drawn)
    size = f"{len(each.samples)} x {len(each.samples[0].cases)}"
    difference = f"{100 * (each.ours - each.theirs):+.1f} ({100 * low:+.1f} to {100 * high:+.1f})"
    return (
        f"| {each.what} | {each.task} | {tool} | {each.measure} | {each.ours:.3f} | {each.theirs:.3f} | "
        f"{difference} | {each.fitting[0]}, {each.fitting[1]} | {size} |"
    )


def _interval(drawn: Floats) -> tuple[float, float]:
    low, high = np.quantile(drawn, [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
    return float(low), float(high)


def _pooled(drawn: dict[Comparison, Floats]) -> list[str]:
    counted = [each for each in drawn if each.counts]
    if not counted:
        return ["Nothing can be compared yet."]
    low, high = _interval(np.mean([drawn[each] for each in counted], axis=0))
    below = [each for each in drawn if _interval(drawn[each])[1] < 0]
    behind = [f"{each.tool} on {each.task}" for each in below if each.counts]
    besides = [_about(each) for each in below if not each.counts]
    ahead = sum(each.ours > each.theirs for each in counted)
    kept = "above" if low > MARGIN else "not above"
    return [
        f"Of {len(counted)} comparisons ours leads in {ahead}; it is significantly behind in {len(behind)}"
        f"{': ' + ', '.join(behind) if behind else ''}. The mean difference lies between {100 * low:+.1f} and {100 * high:+.1f}",
        f"points, so its lower bound is {kept} {100 * MARGIN:+.0f}.",
        "",
        f"What is counted there, by which measure: {listed([_about(each) for each in counted])}.",
        *(["", f"Significantly behind by what is not counted there: {listed(besides)}."] if besides else []),
    ]


def _about(each: Comparison) -> str:
    """`rungs beside setfit on banking77 (accuracy)`."""
    return f"{each.what} beside {each.tool} on {each.task} ({each.measure})"


def _before(folder: Path) -> str:
    """Which of our rows are from before changes in what our approaches do; the tools' are not touched by these."""
    ours = {part: read(part, folder) for part in parts() if part.arm.name == OURS}
    began = {part: _began(kept.about) for part, kept in ours.items() if kept is not None}
    told = from_before(began, lambda asked: listed([part.name for part in asked])) if began else ""
    return f"Changes of ours may alter our own rows. {told}" if told else ""


def _began(about: Mapping[str, Any]) -> str:
    """Rows from before that was kept tell when they were finished, and how long it took."""
    if "started" in about:
        return str(about["started"])
    ended = datetime.strptime(about["finished"], "%Y-%m-%d %H:%M UTC")
    return f"{ended - timedelta(seconds=sum(about['seconds'].values())):%Y-%m-%d %H:%M} UTC"


def _how(folder: Path) -> list[str]:
    """Settings, versions and time of every part that was run."""
    lines = ["| part | chosen | versions | fitting, answering | commit |", "| --- | --- | --- | --- | --- |"]
    for part in parts():
        found = read(part, folder)
        if found is not None:
            about = found.about
            beside = f", {about['others']:.1f} cores busy with other programs" if _disturbed(found) else ""
            seconds = f"{about['seconds']['fitting']:.0f} s, {about['seconds']['answering']:.1f} s{beside}"
            lines.append(
                f"| {part.name} | {_plain(about['settings'])} | {_plain(about['versions'])} | {seconds} | {about['commit']} |"
            )
    return [*lines, "", f"Commits: {UNCOMMITTED}."] if any(line.endswith("+ |") for line in lines) else lines


def _plain(values: dict[str, Any]) -> str:
    return ", ".join(f"{name} {_plain(value) if isinstance(value, dict) else value}" for name, value in values.items())
