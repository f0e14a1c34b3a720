"""`python -m advisor` and the console script: checks that the three packages belong together, then runs the command."""

from __future__ import annotations

import sys
from importlib.util import find_spec
from pathlib import Path


def misplaced() -> str:
    """Empty, or the sentence that names a package of another project that stands in the way of ours."""
    home = Path(__file__).resolve().parent.parent
    for name in ("strategies", "benchmarks"):
        found = find_spec(name)
        places = list(found.submodule_search_locations or []) if found is not None else []
        if not places or Path(places[0]).resolve().parent != home:
            where = "is missing" if not places else "is a folder of another project"
            return (
                f"The package `{name}` {where}. Start from another folder, or use the installed `advisor` command "
                "in place of `python -m advisor`."
            )
    return ""


def main() -> None:
    """Runs the command line and exits with its code."""
    problem = misplaced()
    if problem:
        sys.stderr.write(problem + "\n")
        sys.exit(2)
    from advisor.cli import run_command_line

    run_command_line()


if __name__ == "__main__":
    main()
