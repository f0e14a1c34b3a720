"""Where the data of a task comes from when a person has reviewed it, and which accuracy its held-out answers allow.

The share of wrong ones is known from a random sample of which a person gave the labels once more, or judged the answers, and from
nothing else. What that person found is corrected, and so is what the review corrects beside it, so wrong answers are left among
the other held-out cases only.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path

from pydantic import TypeAdapter

from benchmarks.audit.findings import many
from benchmarks.contract import BadInput
from benchmarks.statistics.drawn import drawn_interval
from strategies.contract import Case, Document

FILE = "lineage.json"
FEWEST = 20
"""Labelled cases from which on a share is told."""


@dataclass(frozen=True, kw_only=True)
class Relabelled:
    """What a person found who labelled `cases` of `of` held-out cases, drawn at random, without seeing their labels, or judged
    their answers: how often what stood there was wrong."""

    cases: int
    wrong: int
    of: int
    since: int = 0
    """Held-out cases that a later review corrected or left out: any of them may have been wrong, or none."""

    @property
    def share(self) -> tuple[float, float]:
        """Two-sided 95 % interval of the share of wrong labels among all `of` (by the hypergeometric distribution)."""
        low, high = drawn_interval(self.wrong, self.cases, self.of)
        return low / self.of, high / self.of

    @property
    def ceiling(self) -> tuple[float, float]:
        """What an approach scores that is always right, once the wrong labels of the sample are corrected.

        It holds the truth whenever `share` does: of the wrong labels that this allows, those found are gone, and up to `since`
        of the others.
        """
        low, high = drawn_interval(self.wrong, self.cases, self.of)
        few, many = max(0, low - self.wrong - self.since), high - self.wrong
        return max(0.0, 1 - many / max(1, self.of - self.since)), 1 - few / self.of


@dataclass(frozen=True, kw_only=True)
class Changes:
    """What a review changed on one side of the data."""

    rows: int
    corrected: int
    left_out: int
    together: int = 0
    """Put into a group with others, which a person found to be the same."""

    def after(self, earlier: Changes) -> Changes:
        """What both reviews changed, this one being of what the earlier one left."""
        return Changes(
            rows=self.rows + earlier.left_out,
            corrected=self.corrected + earlier.corrected,
            left_out=self.left_out + earlier.left_out,
            together=self.together + earlier.together,
        )

    def says(self, side: str) -> str:
        together = f", {self.together:,} put together with others" if self.together else ""
        return (
            f"{many(self.rows, side, f'{side}s')} {self.corrected:,} corrected{together} and {self.left_out:,} left out"
        )


@dataclass(frozen=True, kw_only=True)
class Lineage:
    """What lies beside a reviewed copy."""

    task: str
    source: str
    """Hash of the data that was reviewed."""
    data: str
    """Hash of the copy."""
    examples: Changes
    heldout: Changes
    relabelled: Relabelled | None = None
    """By the labels that were given."""
    left: Relabelled | None = None
    """The same by the labels that `review.csv` leaves, of the held-out cases that it keeps. Which of the cases of the sample it
    keeps and corrects must not hang on what the sample showed: then those that it keeps are a random sample of all that it
    keeps."""
    folder: str = ""
    """The way from the copy to the folder of the task that it was made of; empty where no looks are written down there."""
    seed: int = 0
    """With which the order of the sample was drawn."""
    unordered: int = 0
    """Held-out cases that were labelled once more and are not the first ones in that order: corrected, and no sample."""
    seen: bool = False
    """Whether who went through the sample saw what was to be judged: answers that are no labels."""
    changed: bool = False
    """Whether it, or a copy that it was made of, was changed without a review."""
    held: str = ""
    """Hash of the held-out cases of the copy."""
    outdated: bool = False
    """Whether the sample is of other held-out cases than there are by now, so that nothing follows from it."""
    written: Mapping[str, str] = field(default_factory=dict)
    """File of the copy -> hash of what was written into it, by which a later change of it is seen."""
    original: str = ""
    """Hash of the data before the first of several reviews; empty where this is the first."""

    def write(self, folder: Path) -> None:
        """Whole, or as it was."""
        partial = folder / f"{FILE}.partial"
        partial.write_text(json.dumps(asdict(self), indent=1), encoding="utf-8")
        partial.replace(folder / FILE)

    @property
    def named(self) -> Mapping[str, str]:
        """The hashes of the data before and after, as a run's provenance calls them: its files may be gone by then."""
        return {"data before its review": self.original or self.source, "data after its review": self.data}

    def beside(self, examples: Sequence[Case], heldout: Sequence[Case], documents: Sequence[Document]) -> Lineage:
        """The same of the data that lies beside it by now, which a person may have changed since."""
        changed = hash_of(examples, heldout, documents) != self.data
        outdated = changed and hash_of((), heldout, ()) != self.held
        return replace(self, changed=self.changed or changed, outdated=outdated)

    def notes(self, target: float | None, *, exact: bool = True) -> tuple[str, ...]:
        """What a run says of its data (`says_of_sample`)."""
        later = ", and changed again since" if self.changed else ""
        told = [
            f"data: a copy that was reviewed{later}: of {self.examples.says('example')}, of "
            f"{self.heldout.says('held-out case')}."
        ]
        return (*told, *self.says_of_sample(target, exact=exact))

    def after(self, earlier: Lineage) -> Lineage:
        """That of a copy of a copy, whose own is `earlier`, `beside` what this review was of: what both reviews changed, and,
        unless that is outdated, the sample of the earlier one until as many are labelled anew as it takes."""
        both = replace(
            self,
            original=earlier.original or earlier.source,
            examples=self.examples.after(earlier.examples),
            heldout=self.heldout.after(earlier.heldout),
            changed=earlier.changed,
        )
        known, left = earlier.relabelled, earlier.left
        if known is None or left is None or earlier.outdated:
            return both
        if self.relabelled is not None and self.relabelled.cases >= min(FEWEST, known.cases):
            return both
        since = left.since + self.heldout.corrected + self.heldout.left_out
        return replace(both, relabelled=known, left=replace(left, since=min(left.of, since)))

    @property
    def ceiling(self) -> tuple[float, float] | None:
        """What an approach scores that is always right, from least to most; None where too little is known of the labels."""
        sample = self.left
        return None if sample is None or sample.cases < FEWEST or self.outdated else sample.ceiling

    def says_of_sample(self, target: float | None, *, exact: bool = True) -> tuple[str, ...]:
        """How many labels or answers are wrong, and what that means for the target, or why that is not known; nothing where
        nobody went through any. Where a metric is not `exact`, who gives another answer than a wrong one may score, so no
        ceiling is told.
        """
        how = JUDGED if self.seen else LABELLED
        if self.relabelled is None or self.left is None:
            return (how.unordered(self.unordered),) if self.unordered else ()
        if self.outdated:
            return (how.outdated(self.relabelled),)
        return how.sample(self.relabelled), *(how.ceiling(self.left, target) if exact else ())


def read_lineage(folder: Path) -> Lineage | None:
    """That of the data in the folder of a task; None where nobody reviewed it. Raises `BadInput`."""
    path = folder / FILE
    if not path.is_file():
        return None
    try:
        found = TypeAdapter(Lineage).validate_json(path.read_bytes(), strict=True)
    except (OSError, ValueError, RecursionError):
        found = None
    if found is None or not _possible(found.relabelled, 1) or not _possible(found.left, 0):
        raise BadInput(
            f"{FILE} beside the task cannot be read. Write it anew with `advisor check task.yaml --fix reviewed`, or remove it."
        )
    return found


def way_to(source: Path, folder: Path) -> str:
    """From the folder of a copy to that of its task, as a lineage holds it; empty on another drive, to which there is none."""
    try:
        return os.path.relpath(source.resolve(), folder.resolve())
    except ValueError:
        return ""


def source_of(folder: Path) -> Path | None:
    """Where the task was, seen from the copy in the folder; None where it is no copy, or nothing says it."""
    try:
        lineage = read_lineage(folder)
        if lineage is None or not lineage.folder or Path(lineage.folder).anchor:
            return None
        return (folder.resolve() / lineage.folder).resolve()
    except (BadInput, OSError, RuntimeError, ValueError):
        return None


def _possible(sample: Relabelled | None, fewest: int) -> bool:
    if sample is None:
        return True
    counted = 0 <= sample.wrong <= sample.cases <= sample.of > 0 and sample.cases >= fewest
    return counted and 0 <= sample.since <= sample.of


def hash_of(examples: Sequence[Case], heldout: Sequence[Case], documents: Sequence[Document]) -> str:
    """Of what can be learnt or asked, whatever files it came from."""
    digest = hashlib.sha256()
    sides = ([[case.id, case.input, *case.accepted] for case in side] for side in (examples, heldout))
    for part in (*sides, [[each.id, each.title, each.text] for each in documents]):
        digest.update(json.dumps(part, ensure_ascii=False).encode("utf-8", "surrogatepass") + b"\n")
    return digest.hexdigest()[:20]


@dataclass(frozen=True, kw_only=True)
class SampleWording:
    """How it is said what a person found in a sample."""

    answers: str
    done: str
    found: str
    scores: str
    """By an approach that is always right; where answers are worded otherwise it scores less."""

    def sample(self, found: Relabelled) -> str:
        """The share of wrong ones, or that it cannot be estimated yet."""
        if found.cases < FEWEST:
            return (
                f"The share of wrong {self.answers} cannot be estimated: "
                f"{many(found.cases, 'held-out case was', 'held-out cases were')} {self.done}, and it takes {FEWEST}."
            )
        low, high = found.share
        return (
            f"Of {found.cases:,} held-out cases drawn at random a person {self.found.format(f'{found.wrong:,}')}: {low:.1%} to "
            f"{high:.1%} of the {self.answers} that were given may be wrong (95 % interval)."
        )

    def unordered(self, cases: int) -> str:
        return (
            f"The share of wrong {self.answers} is not known: {many(cases, 'held-out case was', 'held-out cases were')} "
            f"{self.done}, not the first ones of the order in which the sheet was written, so they are no random sample. Go "
            "through the first ones of a sheet before it is sorted: `advisor check task.yaml --fix anew` writes one into a new "
            "folder."
        )

    def outdated(self, found: Relabelled) -> str:
        return (
            f"The share of wrong {self.answers} is not known: the held-out cases were changed since "
            f"{many(found.cases, 'of them was', 'of them were')} {self.done}. `advisor check task.yaml --fix anew` draws a "
            "sample of those that there are now, into a new folder."
        )

    def ceiling(self, found: Relabelled, target: float | None) -> tuple[str, ...]:
        """What the answers allow, and what that means for the target; nothing where nothing can be said."""
        if found.cases < FEWEST:
            return ()
        low, high = found.ceiling
        if found.cases == found.of:
            return (f"Every held-out case was {self.done}, so the {self.answers} set no ceiling.",)
        said = f"By the {self.answers} after the review an approach that is always right would score {self.scores}."
        said = said.format(low=low, high=high)
        if target is None or target <= low:
            return (said,)
        if target > high:
            return (
                f"{said} The target of {100 * target:.4g}% is above that: correct more held-out {self.answers}, or lower it.",
            )
        return (f"{said} The target of {100 * target:.4g}% may be out of reach for that reason alone.",)


LABELLED = SampleWording(
    answers="labels", done="labelled once more", found="labelled {} otherwise", scores="{low:.1%} to {high:.1%}"
)
JUDGED = SampleWording(
    answers="answers", done="judged", found="who saw their answers found {} wrong", scores="{high:.1%} at most"
)
