"""The verdict of the stored example as a picture for the README, made from what the terminal shows.

`python -m tests.picture` writes docs/verdict.svg anew.
"""

from __future__ import annotations

import io
import re
from pathlib import Path

from rich.console import Console

from advisor.cli.terminal import main_table, verdict_panel
from advisor.experiments.example import opened
from advisor.experiments.stored import reopen

FILE = Path(__file__).resolve().parent.parent / "docs" / "verdict.svg"
_COLUMNS = 88
FONT = re.compile(r"@font-face \{.*?\}\s*", re.DOTALL)
"""Rich names fonts by their addresses on the network; a reader's own monospaced font does as well."""


def text() -> str:
    """The whole picture: panel and table, nothing that a picture viewer would have to fetch."""
    with opened() as folder:
        story = reopen(folder).story
    console = Console(record=True, width=_COLUMNS, file=io.StringIO(), force_terminal=True, color_system="truecolor")
    console.print(verdict_panel(story, _COLUMNS))
    console.print()
    console.print(main_table(story.main, _COLUMNS))
    return FONT.sub("", console.export_svg(title="advisor report example", unique_id="verdict"))


if __name__ == "__main__":
    FILE.write_text(text(), encoding="utf-8")
