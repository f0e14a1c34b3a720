"""Should we fine-tune? Runs the approaches on one task, compares them on the same held-out cases, and recommends.

from advisor import advise

verdict = advise("task.yaml")
print(verdict.story.headline)
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from advisor.contract import Verdict
    from advisor.experiments.comparison import Wishes, advise
    from advisor.experiments.stored import Changes, reopen
    from benchmarks.contract import BadInput

__version__ = "0.1.0"
__all__ = ["BadInput", "Changes", "Verdict", "Wishes", "__version__", "advise", "reopen"]

_HOME = {
    "advise": "advisor.experiments.comparison",
    "reopen": "advisor.experiments.stored",
    "Changes": "advisor.experiments.stored",
    "Wishes": "advisor.experiments.comparison",
    "Verdict": "advisor.contract",
    "BadInput": "benchmarks.contract",
}


def __getattr__(name: str) -> Any:
    """Imports the public names at first use, so that `import advisor` stays light.

    Raises `ImportError` where a package of another project stands in the way.
    """
    if name not in _HOME:
        raise AttributeError(f"module 'advisor' has no attribute {name!r}")
    from importlib import import_module

    from advisor.placed import misplaced

    if problem := misplaced():
        raise ImportError(f"{problem} Start Python in, or put the script into, a folder that has nothing of that name.")
    return getattr(import_module(_HOME[name]), name)
