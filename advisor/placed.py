"""Whether the three packages of the product come from one place: their names are common words."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path


def misplaced() -> str:
    """Empty, or the sentence that names a package of another project that stands in the way of ours."""
    home = Path(__file__).resolve().parent.parent
    for name in ("strategies", "benchmarks"):
        found = find_spec(name)
        places = list(found.submodule_search_locations or []) if found is not None else []
        if not places or Path(places[0]).resolve().parent != home:
            where = "is missing" if found is None else f"is a {'folder' if places else 'file'} of another project"
            return f"The package `{name}` {where}."
    return ""
