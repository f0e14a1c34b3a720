"""An approach whose fit takes more than half of the smallest object store, in a module that other processes can import."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from strategies.approaches.majority import Constant, Majority
from strategies.contract import Fitted, Task, Workbench

BYTES = 50_000_000


@dataclass(frozen=True)
class Weighty(Constant):
    number: int

    def save(self, folder: Path) -> None:
        super().save(folder)
        (folder / "ballast.bin").write_bytes(os.urandom(BYTES))

    def describe(self) -> Mapping[str, Any]:
        return {"number": self.number}


@dataclass(frozen=True, kw_only=True)
class Heavy(Majority):
    number: int

    def fit(self, task: Task, bench: Workbench) -> Fitted:
        found = super().fit(task, bench)
        assert isinstance(found, Constant)
        return Weighty(found.text, self.number)
