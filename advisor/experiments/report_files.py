"""The reports that lie in the folder of a run."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from advisor.contract import Verdict

FORMATS = ("html", "markdown", "json")


def write_reports(verdict: Verdict, folder: Path, formats: Sequence[str] = ()) -> list[Path]:
    """report.html, report.md and report.json in the folder, or the formats that are asked for; each whole, or as it was.

    Beside the page stand the cases that were asked for, in full.
    """
    from advisor import reports
    from advisor.story import full_cases

    written, story = [], verdict.story
    if "html" in (formats or FORMATS):
        file = full_cases.write(verdict.cases, folder)
        story = replace(story, cases=replace(story.cases, file=file)) if story.cases is not None else story
    for name in formats or FORMATS:
        path = folder / f"report{reports.suffix(name)}"
        partial = path.with_name(f"{path.name}.partial")
        partial.write_text(reports.render(story, name), encoding="utf-8")
        partial.replace(path)
        written.append(path)
    return written
