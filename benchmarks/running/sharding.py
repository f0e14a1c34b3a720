"""A run in parts: which approaches each part performs, and how finished parts become one run."""

from __future__ import annotations

import re
import shutil
from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

from benchmarks.contract import BadInput, Candidate
from benchmarks.costs.spending import SPENT
from benchmarks.data.frozen import CODE
from benchmarks.running.elsewhere import also_on
from benchmarks.running.left import LEFT, left_of_all
from benchmarks.running.reuse import bare
from benchmarks.storage.private import private
from benchmarks.storage.store import Store
from strategies.permissions import owner_only

_FOLDERS = ("fits", "adapters", CODE)
_SAME = {"machine": "machines", "placement": "devices or number formats", "program": "versions of the program"}
"""Facts of a part that must be those of the others: seconds are compared, and answers are made by one program."""


@dataclass(frozen=True, kw_only=True)
class Shard:
    """Part `number` of `of`, from 1 on."""

    number: int
    of: int

    @classmethod
    def read(cls, text: str) -> Self:
        """From `1/3`. Raises `BadInput`."""
        found = re.fullmatch(r"(\d{1,3})/(\d{1,3})", text.strip())
        if found is None or not 1 <= int(found[1]) <= int(found[2]):
            raise BadInput(f"--shard is {text!r}; write the part and the number of parts, such as 1/3.")
        return cls(number=int(found[1]), of=int(found[2]))

    def of_these(self, candidates: Sequence[Candidate]) -> list[Candidate]:
        """The candidates of this part. Configurations of one approach with one model stay together: they share a search."""
        kinds = list(dict.fromkeys((each.strategy.name, each.model) for each in candidates))
        mine = set(kinds[self.number - 1 :: self.of])
        return [each for each in candidates if (each.strategy.name, each.model) in mine]


def merge(parts: Sequence[Path], folder: Path) -> None:
    """Writes the rows and fits of finished parts into `folder` as one run that can go on; see `check_parts`."""
    check_parts(parts, folder)
    with owner_only():
        _put_together(parts, folder)


def check_parts(parts: Sequence[Path], folder: Path) -> None:
    """Raises `BadInput` where the parts are not of one run, were made by machines or programs that differ, or `folder`, for
    the parts together, exists."""
    if folder.exists():
        raise BadInput(f"{folder} is there already. Name a folder that is not, for the parts together, with --out.")
    _agree(parts)


def _put_together(parts: Sequence[Path], folder: Path) -> None:
    partial = folder.with_name(f"{folder.name}.partial")
    shutil.rmtree(partial, ignore_errors=True)
    private(partial)
    shutil.copyfile(parts[0] / "run.json", partial / "run.json")
    with closing(Store(partial / "run.sqlite")) as store:
        for part in parts:
            store.absorb(part / "run.sqlite")
            for name in _FOLDERS:
                if (part / name).is_dir():
                    shutil.copytree(part / name, partial / name, copy_function=shutil.copyfile, dirs_exist_ok=True)
        store.set_meta(SPENT, _paid(parts))
        store.set_meta(LEFT, left_of_all(_fact(part, LEFT) for part in parts))
        made = [_fact(part, "provenance") or {} for part in parts]
        store.set_meta("provenance", made[0] | also_on(made))
    partial.replace(folder)


def _paid(parts: Sequence[Path]) -> float | None:
    """By all of them; None, and so what the ledger holds, where one did not count it."""
    paid = [_fact(part, SPENT) for part in parts]
    return None if None in paid else sum(map(float, paid))


def _fact(part: Path, key: str) -> Any:
    with closing(Store(part / "run.sqlite")) as store:
        return store.meta(key)


def _agree(parts: Sequence[Path]) -> None:
    known: list[tuple[Path, Any, dict[str, Any], set[str]]] = []
    for part in parts:
        if not (part / "run.sqlite").is_file() or not (part / "run.json").is_file():
            raise BadInput(f"{part} holds no part of a run. Give the folders that `advisor run --shard` wrote.")
        with closing(Store(part / "run.sqlite")) as store:
            known.append((part, store.meta("identity"), store.meta("provenance") or {}, set(store.finished())))
    first, identity, made, _ = known[0]
    for part, other, provenance, _ in known[1:]:
        if other != identity:
            raise BadInput(
                f"{part.name} and {first.name} are parts of different runs: another task, other options, models or code."
            )
        for key, what in _SAME.items():
            if bare(provenance.get(key)) != bare(made.get(key)):
                raise BadInput(
                    f"{part.name} and {first.name} were made by different {what} ({_short(provenance.get(key))} and "
                    f"{_short(made.get(key))}), so their seconds or answers cannot stand beside each other."
                )
    units = [name for _, _, _, finished in known for name in finished]
    if len(units) != len(set(units)):
        raise BadInput("Two of the folders hold the same part. Give each part once.")


def _short(value: Any) -> str:
    text = str(value)
    return text if len(text) <= 60 else text[:57] + "..."
