"""How much of an adapter to use: with a share of what it learnt a model often answers as well, and keeps more of what it could.

Between the base and the tuned model lie those with a share of the change (Wortsman et al., arXiv 2109.01903). They take no
training, and examples that were kept apart tell which of them answers best.
"""

from __future__ import annotations

import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Generic, TypeVar
from uuid import uuid4

SHARES = (1.0, 0.7, 0.5, 0.35)
"""Of the change that was learnt."""
WEIGHTS = "adapter_model.safetensors"


def scaled(adapter: Path, share: float) -> Path:
    """The folder of the same adapter with that share of its change: beside it, and made at first use."""
    folder = _place(adapter, share)
    if not folder.is_dir():
        from safetensors.torch import load_file, save_file

        partial = folder.with_name(f"{folder.name}.{uuid4().hex}.partial")
        shutil.copytree(adapter, partial)
        tensors = {
            name: tensor * share if ".lora_B." in name else tensor
            for name, tensor in load_file(adapter / WEIGHTS).items()
        }
        save_file(tensors, partial / WEIGHTS, {"format": "pt"})
        try:
            partial.rename(folder)
        except OSError:
            if not folder.is_dir():
                raise
            shutil.rmtree(partial)  # Another worker made the same meanwhile.
    return folder


def _place(adapter: Path, share: float) -> Path:
    return adapter if share == 1.0 else adapter.with_name(f"{adapter.name}-{share:g}")


def tidied(adapter: Path, share: float) -> None:
    """Removes what `scaled` made of it with any other share: each is as large as the adapter."""
    for other in SHARES:
        if other not in (1.0, share):
            shutil.rmtree(_place(adapter, other), ignore_errors=True)


Way = TypeVar("Way", float, tuple[int, float])
"""A share, or one with the place of the setup that it answers in."""


@dataclass(frozen=True)
class ScoresByShare(Generic[Way]):
    """Scores of the same cases by share, in one setup or in several."""

    scores: Mapping[Way, Sequence[float]]
    worths: Mapping[Way, Sequence[float]] = field(default_factory=dict)
    """What each case counts for in the choice, where that is not its score: `Leaning.worths`, or a log-share."""

    @property
    def best(self) -> Way:
        """The share with the highest mean worth; of those with the same the least, in the first setup. Where none is worth
        anything all of the adapter: nothing speaks for less of it."""
        return self._best(self._totals)

    @property
    def crossed(self) -> float:
        """The mean score of cases, each by the share that all others name: what such a choice is worth."""
        count, counted = len(next(iter(self.scores.values()))), self._counted
        told = []
        for case in range(count):
            others = {share: total - counted[share][case] for share, total in self._totals.items()}
            told.append(self.scores[self._best(others)][case])
        return sum(told) / count

    @property
    def _counted(self) -> Mapping[Way, Sequence[float]]:
        return self.worths or self.scores

    @property
    def _totals(self) -> dict[Way, float]:
        return {share: sum(worths) for share, worths in self._counted.items()}

    @staticmethod
    def _best(totals: Mapping[Way, float]) -> Way:
        if not any(totals.values()):
            return max(totals, key=_share_first)
        return max(sorted(totals), key=lambda way: round(totals[way], 9))


def _share_first(way: float | tuple[int, float]) -> tuple[float, int]:
    place, share = way if isinstance(way, tuple) else (0, way)
    return share, -place
