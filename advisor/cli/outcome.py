"""What every command that ends in a verdict does with it: terminal, JSON, exit code."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from advisor.contract import Verdict

EXIT = {"choose": 0, "safe but cheaper undecided": 0, "undecided": 101, "nothing meets": 100, "compared": 0}
"""Exit codes by verdict; a target that is met by a safe candidate counts as met, on cases that were seen as undecided."""


def check_formats(formats: Sequence[str]) -> None:
    """Raises `BadInput` for a format that there is not."""
    from advisor import reports

    for name in formats:
        reports.suffix(name)


def say_that_they_are_seen(cases: str) -> None:
    """What showing held-out cases means, before they are shown."""
    from advisor.cli.shown import say
    from advisor.story.cases import SEEN, SHOW_HELDOUT

    if cases in SHOW_HELDOUT:
        say(SEEN)


def say_what_comes_next(verdict: Verdict, folder: Path) -> None:
    """How what the run recommends is put to work, where it recommends something that can be."""
    from advisor.cli.program import line
    from advisor.cli.shown import say

    name = verdict.recommendation.choice or verdict.recommendation.safe
    if verdict.story.development:
        return
    if any(each.candidate == name and each.family != "recorded" for each in verdict.evaluations):
        say(f"To put {name} to work: {line('export', str(folder), 'ANOTHER-FOLDER')}")


def tell(verdict: Verdict, as_json: bool) -> int:
    """Shows the verdict: one JSON document or the terminal's panel and table on stdout. Returns the exit code."""
    if as_json:
        from advisor import reports
        from advisor.cli.streams import put

        put(reports.render(verdict.story, "json"))
    else:
        import os
        import sys

        from advisor.cli.shown import console
        from advisor.cli.terminal import show

        wide = None if sys.stdout.isatty() or "COLUMNS" in os.environ else 100
        show(verdict.story, console(width=wide))
    return EXIT[verdict.story.settled]
