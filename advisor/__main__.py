"""`python -m advisor` and the console script: checks that the three packages belong together, then runs the command."""

from __future__ import annotations

import sys

from advisor.placed import misplaced

TO_DO = "Start from another folder, or use the installed `advisor` command in place of `python -m advisor`."


def main() -> None:
    """Runs the command line and exits with its code."""
    problem = misplaced()
    if problem:
        sys.stderr.write(f"{problem} {TO_DO}\n")
        sys.exit(2)
    from advisor.cli import run_command_line

    run_command_line()


if __name__ == "__main__":
    main()
