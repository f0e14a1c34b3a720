"""The first sheet of the stored example's page as a picture for the README.

`python -m tests.page_picture` writes docs/page.png anew; it takes Chromium.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
from pathlib import Path

from advisor import reports
from advisor.experiments.example import opened
from advisor.experiments.stored import reopen
from tests.reports.test_report_browser import ARGUMENTS, browser_program

FILE = Path(__file__).resolve().parent.parent / "docs" / "page.png"
WIDTH, HEIGHT = 1000, 1100


def main() -> None:
    program = browser_program()
    if program is None:
        sys.exit("Chromium is not installed, and the picture is made by it.")
    with opened() as folder, tempfile.TemporaryDirectory() as place:
        page = Path(place) / "report.html"
        page.write_text(reports.render(reopen(folder).story, "html"), encoding="utf-8")
        size = f"--window-size={WIDTH},{HEIGHT}"
        command = [program, "--headless", *ARGUMENTS, "--hide-scrollbars", size, f"--screenshot={FILE}", page.as_uri()]
        subprocess.run(command, check=True, capture_output=True, timeout=60)


if __name__ == "__main__":
    main()
