"""Takes over what an earlier run found while fitting: looks of searches and trainings, where all they depend on is the same.

What they cost counts as it did then. Held-out cases are always answered anew.
"""

from __future__ import annotations

import hashlib
import logging
import shutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import strategies
from benchmarks.contract import BadInput
from benchmarks.store import Store
from strategies.contract import Journal

SAME = ("program", "machine", "torch", "transformers", "peft", "sentence-transformers", "placement")
"""What of a run's provenance has to be the same: a look by other code or on another machine is another look."""


@cache
def program() -> str:
    """A hash of the code that fits and answers."""
    root = Path(strategies.__file__).parent
    found = hashlib.sha256()
    for file in sorted(root.rglob("*.py")):
        found.update(file.relative_to(root).as_posix().encode() + b"\x1f" + file.read_bytes())
    return found.hexdigest()[:12]


def must_hold_a_run(folder: Path) -> None:
    """Raises `BadInput` where there is nothing to take over."""
    if not (folder / "run.sqlite").is_file():
        raise BadInput(f"{folder} holds no run to take over from. Give the folder that `advisor run --out` wrote.")


@dataclass(frozen=True)
class Earlier:
    """An earlier run of the same examples, model and seed, by the same program."""

    folder: Path
    store: Store

    @classmethod
    def open(cls, folder: Path, identity: Mapping[str, Any], provenance: Mapping[str, str]) -> Earlier | None:
        """None, with a warning, where another program or machine made it. Raises `BadInput` where it is no run, or one of
        other examples or another seed."""
        must_hold_a_run(folder)
        store = Store(folder / "run.sqlite")
        known, made = store.meta("identity") or {}, store.meta("provenance") or {}
        other = next((name for name in SAME if _bare(made.get(name)) != _bare(provenance.get(name))), None)
        if known.get("task_hash") != identity["task_hash"]:
            wrong = "other examples, documents or another metric"
        else:
            wrong = "another seed" if known.get("options", {}).get("seed") != identity["options"]["seed"] else ""
        if not wrong and other is None:
            return cls(folder, store)
        store.close()
        if wrong:
            raise BadInput(
                f"nothing can be taken over from {folder.name}: it was made with {wrong}. Leave out --reuse."
            )
        logging.getLogger(__name__).warning("nothing is taken over from %s: its %s was another", folder.name, other)
        return None

    def layered(self, own: Callable[[str], Journal]) -> Callable[[str], Journal]:
        """The run's own journals, with this run's behind them."""
        return lambda namespace: Layered(own(namespace), self.store.journal(namespace))

    def hand_adapters_on(self, folder: Path) -> None:
        """Copies finished trainings into the new run's folder; whole or not at all."""
        for adapter in sorted((self.folder / "adapters").glob("*")):
            target = folder / "adapters" / adapter.name
            if target.exists() or adapter.suffix == ".partial" or not adapter.is_dir() or adapter.is_symlink():
                continue
            partial = target.with_name(f"{adapter.name}.partial")
            shutil.rmtree(partial, ignore_errors=True)
            shutil.copytree(adapter, partial)
            partial.replace(target)


def _bare(value: str | None) -> str:
    """Without the reason in brackets: how much quicker one number format is differs a little with each measurement."""
    return (value or "").partition(" (")[0] if value and value.endswith(")") else value or ""


@dataclass(frozen=True)
class Layered:
    """What was found in the earlier run is written down in the own one, which then needs the other no more."""

    own: Journal
    earlier: Journal

    def get(self, key: str) -> Mapping[str, Any] | None:
        found = self.own.get(key)
        if found is None:
            found = self.earlier.get(key)
            if found is not None:
                self.own.put(key, found)
        return found

    def put(self, key: str, value: Mapping[str, Any]) -> None:
        self.own.put(key, value)
