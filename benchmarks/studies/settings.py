"""The eight bake-offs: which tasks, how many cases, which targets. Written before the first of them was run."""

from __future__ import annotations

import subprocess
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from advisor.wording import listed
from benchmarks.studies.floors.goals import TASKS

ROOT = Path(__file__).resolve().parents[2]
ROWS = Path(__file__).parent / "rows"
"""Where the rows of bake-offs and afternoons are kept, committed as each run ends."""
PACKED = "bakeoff-{}.jsonl.gz"
FLOORS = "floors"
"""The folder in it with the rows of the check of the floors."""
NOT_RUN = "not run yet"


def developed() -> str:
    """What kind of figures these are, and on which tasks others were measured."""
    run = [task for task in TASKS if (ROWS / FLOORS / f"{task}.jsonl.gz").is_file()]
    return (
        "These are development figures: results on these held-out cases were known while the product was developed, and tasks "
        "were run again after changes (`benchmarks/studies/LOG.md` says which and why). What was measured on cases that no "
        f"language model had been asked before ({listed(run) or 'nothing yet'}) stands in `benchmarks/studies/floors.md`."
    )


@dataclass(frozen=True, kw_only=True)
class Sample:
    """The part of a published training set that lay where the studies were run: examples were drawn from it alone."""

    taken: int
    published: int

    def __str__(self) -> str:
        return f"a sample of {self.taken:,} of the {self.published:,} published"


@dataclass(frozen=True, kw_only=True)
class Setting:
    """One bake-off. None: as the bundled task has it."""

    task: str
    examples: int | None = None
    heldout: int | None = None
    target: float | None = None
    sample: Sample | None = None
    """Of what the examples were drawn; None: of all that were published for training."""


SETTINGS = (
    Setting(task="banking77", examples=600, heldout=300, target=0.7, sample=Sample(taken=2_999, published=10_003)),
    Setting(task="snips_slots", examples=600, heldout=300, target=0.5, sample=Sample(taken=3_000, published=13_784)),
    Setting(task="nq_open_oracle", examples=600, heldout=300, target=0.4),
    Setting(task="pubmedqa", examples=350, heldout=300, target=0.6),
    Setting(task="support-intents"),
    Setting(task="handbook-qa"),
    Setting(task="order-extract"),
    Setting(task="house-style"),
)
"""The target of banking77 was given with the study; those of the other three public sets were chosen here, before any
result: half of the requests exactly right, the level of the plain script's tuned reader, and clearly above "always yes".
"""


def setting(task: str) -> Setting:
    """The setting of that task. Raises `KeyError` where there is none."""
    return {each.task: each for each in SETTINGS}[task]


UNCOMMITTED = "+: with changes that were not committed"


def told_commit(commits: str) -> str:
    """The commits of rows, with what the mark of a changed tree means where one has it."""
    return f"{commits} ({UNCOMMITTED})" if "+" in commits else commits


def by_commits(rows: Sequence[Mapping[str, Any]]) -> str:
    """A sentence on how many rows are of which commit; older ones do not say."""
    counts = Counter(row.get("commit", "") for row in rows)
    unnamed = counts.pop("", 0)
    parts = (
        [told_commit(", ".join(f"{commit} ({count:,})" for commit, count in counts.most_common()))] if counts else []
    )
    parts += [f"{unnamed:,} from before it was kept, by several"] if unnamed else []
    return f"Rows by the commit that made them: {'; '.join(parts)}." if parts else ""


_CHANGED = ("status", "--porcelain", "--untracked-files=no", "--", ".", f":(exclude){ROWS.relative_to(ROOT)}")


def commit() -> str:
    """The commit of this working tree, with `+` where tracked files differ from it, but for the rows of studies, which grow
    while one goes on; empty outside of a repository."""
    try:
        found = _git("rev-parse", "--short=12", "HEAD").strip()
        return f"{found}+" if _git(*_CHANGED).strip() else found
    except (OSError, subprocess.CalledProcessError):
        return ""


def _git(*words: str) -> str:
    return subprocess.run(["git", *words], cwd=ROOT, check=True, capture_output=True, text=True).stdout
