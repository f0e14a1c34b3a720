"""What a training that was cut off goes on from: its whole state, written now and then, with the mark of completeness last."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

EVERY_S = 30.0
"""Seconds between two checkpoints, at least."""
SHARE = 0.01
"""Writing them takes at most about this share of the time."""
KEPT = 2
UNFINISHED = ".unfinished"


@dataclass(frozen=True)
class State:
    """Tensors by name, and plain values."""

    tensors: Mapping[str, Any]
    facts: Mapping[str, Any]


@dataclass(kw_only=True)
class Checkpoints:
    """Those of one training, in a folder beside that of its adapter.

    A checkpoint is a file of tensors and a mark, a small file with their hash and the plain values. One without its mark,
    with another hash, or of another training is passed over, and the one before it is used.
    """

    folder: Path
    training: str
    """A hash of all that the training depends on."""
    _written: float = field(default_factory=time.monotonic)
    _took: float = 0.0

    @classmethod
    def beside(cls, adapter: Path, training: str) -> Checkpoints:
        return cls(folder=unfinished(adapter), training=training)

    @property
    def due(self) -> bool:
        return time.monotonic() - self._written >= max(EVERY_S, self._took / SHARE)

    def write(self, state: State) -> None:
        """Adds one, and removes those before the last but one."""
        from safetensors.torch import save_file

        started = time.monotonic()
        self.folder.mkdir(parents=True, exist_ok=True)
        numbers = [int(mark.stem) for mark in self._marks()]
        path = self.folder / f"{max(numbers, default=0) + 1}.safetensors"
        save_file({name: tensor.contiguous() for name, tensor in state.tensors.items()}, path)
        mark = {"training": self.training, "tensors": _hash(path), "facts": state.facts}
        partial = path.with_suffix(".partial")
        partial.write_text(json.dumps(mark), encoding="utf-8")
        os.replace(partial, path.with_suffix(".json"))
        for old in self._marks()[KEPT:]:
            old.unlink()
            old.with_suffix(".safetensors").unlink(missing_ok=True)
        self._written = time.monotonic()
        self._took = self._written - started

    def newest(self) -> State | None:
        """The last one that is whole and of this very training."""
        return next(self._whole(), None)

    def _whole(self) -> Iterator[State]:
        from safetensors.torch import load_file

        for path in self._marks():
            tensors = path.with_suffix(".safetensors")
            try:
                mark = json.loads(path.read_text(encoding="utf-8"))
                if mark["training"] == self.training and mark["tensors"] == _hash(tensors):
                    yield State(load_file(tensors), mark["facts"])
            except (OSError, ValueError, KeyError, TypeError):
                continue

    def _marks(self) -> list[Path]:
        """The newest first."""
        found = [path for path in self.folder.glob("*.json") if path.stem.isdecimal()]
        return sorted(found, key=lambda path: -int(path.stem))


def unfinished(adapter: Path) -> Path:
    """Where the checkpoints of a training lie whose adapter goes into that folder."""
    return adapter.with_name(adapter.name + UNFINISHED)


def discard(adapter: Path) -> None:
    """Removes them: what the training was for has been written down."""
    shutil.rmtree(unfinished(adapter), ignore_errors=True)


def _hash(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
