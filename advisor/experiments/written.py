"""Writes run.json: all that telling and scoring a run again needs, and no path of this machine."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from advisor.experiments.checking import LEFT_OUT
from advisor.experiments.experiment import subject_of
from benchmarks.running.plan import described

if TYPE_CHECKING:
    from advisor.experiments.comparison import Prepared


def write_about(prepared: Prepared, folder: Path) -> None:
    """Whole or not at all, wherever the machine stops."""
    path = folder / "run.json"
    partial = path.with_name(path.name + ".partial")
    partial.write_text(json.dumps(_about(prepared), ensure_ascii=False, indent=1, default=str), encoding="utf-8")
    partial.replace(path)


def _about(prepared: Prepared) -> dict[str, Any]:
    from advisor.experiments.brought import packages_of
    from benchmarks.costs.kept_prices import freeze_prices
    from benchmarks.data.frozen import freeze
    from benchmarks.review.lineage import read_lineage

    spec, lineage = prepared.assembly.spec, read_lineage(prepared.assembly.folder)
    return {
        "benchmark": freeze(prepared.assembly.benchmark),
        "spec": spec.model_dump(mode="json", by_alias=True),
        **({"list_prices": listed} if (listed := freeze_prices(spec)) else {}),
        "parts": dict(prepared.assembly.parts.to_dict()),
        "candidates": [described(candidate) for candidate in prepared.candidates],
        **({"packages": brought} if (brought := packages_of(prepared.candidates)) else {}),
        **({"commits": dict(commits)} if (commits := prepared.models.commits) else {}),
        "options": vars(prepared.options) | {},
        **({LEFT_OUT: dict(prepared.left_out)} if prepared.left_out else {}),
        "experiment": prepared.experiment,
        "subject": subject_of(prepared),
        "origin": prepared.origin,
        "prediction": dict(prepared.prediction),
        **({"lineage": dict(lineage.named)} if lineage else {}),
        "heldout_from": "a file of their own" if spec.heldout else "the examples, cut off before the run",
    }
