"""Takes over what an earlier run found while fitting: looks of searches and trainings, where all they depend on is the same.

What they cost counts as it did then. Held-out cases are answered anew, unless the run is forked: then whatever is finished
and still valid is taken over.
"""

from __future__ import annotations

import hashlib
import logging
import shutil
from collections.abc import Callable, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import benchmarks
import strategies
from benchmarks.contract import BadInput, Candidate
from benchmarks.running.foreign import code_of
from benchmarks.running.plan import Unit
from benchmarks.storage.store import AGAIN, Store
from strategies.contract import Journal
from strategies.finetuning.checkpoints import UNFINISHED

SEARCHES = ("embedder", "embedder_weights", "embedder_files", "reranker")
"""Parts of a run's identity that say what texts are looked up with."""
_ANSWERS = ("task_hash", "heldout", "stopping", "temperature", "options", "dtype", *SEARCHES)
_OF_MODELS = ("batches", "attention", "weights")
"""Parts of a run's identity that answers depend on."""
SAME = ("program", "machine", "torch", "transformers", "peft", "sentence-transformers", "placement")
"""What of a run's provenance has to be the same: a look by other code or on another machine is another look."""


@cache
def program() -> str:
    """A hash of the code that fits and answers."""
    return _hash(Path(strategies.__file__).parent)


@cache
def whole_program() -> str:
    """The same with the code that measures, metrics among it: what the machines of a cluster must have alike."""
    return f"{program()} {_hash(Path(benchmarks.__file__).parent, without='studies')}"


def _hash(root: Path, without: str = "") -> str:
    """Of the modules below the folder, but for those of one folder in it."""
    found = hashlib.sha256()
    for file in sorted(root.rglob("*.py")):
        name = file.relative_to(root)
        if name.parts[0] != without:
            found.update(name.as_posix().encode() + b"\x1f" + file.read_bytes())
    return found.hexdigest()[:12]


def must_hold_a_run(folder: Path) -> None:
    """Raises `BadInput` where there is nothing to take over."""
    if not (folder / "run.sqlite").is_file():
        raise BadInput(f"{folder} holds no run to take over from. Give the folder that `advisor run --out` wrote.")


def must_suit(folder: Path, identity: Mapping[str, Any]) -> None:
    """Raises `BadInput` where the folder holds no run, or one of other examples or another seed than the run of that identity."""
    must_hold_a_run(folder)
    with closing(Store(folder / "run.sqlite")) as store:
        known = store.meta("identity") or {}
    if known.get("task_hash") != identity["task_hash"]:
        wrong = "other examples, documents or another metric"
    else:
        wrong = "another seed" if known.get("options", {}).get("seed") != identity["options"]["seed"] else ""
    if wrong:
        raise BadInput(f"Nothing can be taken over from {folder.name}: it was made with {wrong}. Leave out --reuse.")


@dataclass(frozen=True)
class Earlier:
    """An earlier run of the same examples, model and seed, by the same program."""

    folder: Path
    store: Store

    @classmethod
    def open(cls, folder: Path, identity: Mapping[str, Any], provenance: Mapping[str, str]) -> Earlier | None:
        """None, with a warning, where another program, machine, embedder, reranker or code of the metric made it. Raises
        `BadInput` as `must_suit` does."""
        must_suit(folder, identity)
        store = Store(folder / "run.sqlite")
        known, made = store.meta("identity") or {}, store.meta("provenance") or {}
        other = next((name for name in SAME if bare(made.get(name)) != bare(provenance.get(name))), None)
        other = other or next((name for name in SEARCHES if known.get(name) != identity.get(name)), None)
        code = identity["metric_code"]
        if known.get("metric_code", code) != code:  # Runs of earlier versions have none.
            other = other or "metric's code"
        if other is None:
            return cls(folder, store)
        store.close()
        logging.getLogger(__name__).warning("nothing is taken over from %s: its %s was another", folder.name, other)
        return None

    @property
    def provenance(self) -> Mapping[str, str]:
        """How and where it was made."""
        return self.store.meta("provenance") or {}

    def layered(self, own: Callable[[str], Journal]) -> Callable[[str], Journal]:
        """The run's own journals, with this run's behind them."""
        return lambda namespace: Layered(own(namespace), self.store.journal(namespace))

    def hand_adapters_on(self, folder: Path) -> None:
        """Copies finished trainings into the new run's folder; whole or not at all."""
        for adapter in sorted((self.folder / "adapters").glob("*")):
            if adapter.suffix != UNFINISHED:
                _copied(adapter, folder / "adapters" / adapter.name)

    def still_valid(self, identity: Mapping[str, Any], candidate: Candidate) -> bool:
        """Whether answers of the candidate would be the same in a run of that identity."""
        known = self.store.meta("identity") or {}
        same = [known.get(name) == identity.get(name) for name in _ANSWERS]
        same += [known.get(name, {}).get(candidate.model) == identity[name].get(candidate.model) for name in _OF_MODELS]
        same.append(known.get("foreign_code", {}).get(candidate.name, "") == code_of(candidate.strategy))
        goal = [known.get(name) == identity.get(name) for name in ("target", "margin")]
        return all(same) and (all(goal) or not identity["stopping"])

    def hand_units_on(self, folder: Path, store: Store, units: Sequence[Unit]) -> None:
        """Copies what one candidate's finished units brought, its fit first, into the new run; nothing of a fit with a
        problem, which may have been one of that run alone, or that is gone, nor of a unit that lost too many answers."""
        notes = {name: note for name, note in self.store.finished().items() if not note.get(AGAIN)}
        mine = store.finished()
        wanted = [unit for unit in units if unit.name in notes and unit.name not in mine]
        fits = [unit.name for unit in wanted if unit.kind == "fit"]
        if not fits or any(notes[name].get("problem") for name in fits):
            return
        if not all((self.folder / "fits" / name / "complete.json").is_file() for name in fits):
            said = "nothing of %s is taken over from %s, which does not hold what was fitted any more"
            logging.getLogger(__name__).warning(said, wanted[0].candidate, self.folder.name)
            return
        for name in fits:
            _copied(self.folder / "fits" / name, folder / "fits" / name)
        store.take_over(self.folder / "run.sqlite", [unit.name for unit in wanted])


def _copied(source: Path, target: Path) -> None:
    """Whole or not at all."""
    if target.exists() or not source.is_dir() or source.is_symlink():
        return
    partial = target.with_name(f"{source.name}.partial")
    shutil.rmtree(partial, ignore_errors=True)
    shutil.copytree(source, partial, copy_function=shutil.copyfile)
    for folder in (partial, *(path for path in partial.rglob("*") if path.is_dir())):
        folder.chmod(0o700)  # In an archive it may not be written to, and here it is replaced some day.
    partial.replace(target)


def bare(value: str | None) -> str:
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
