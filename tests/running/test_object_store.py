"""Runs on a Ray cluster whose object store is too small for what was fitted, with room on the disk beside it and without."""

from __future__ import annotations

from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path

import pytest

from benchmarks.contract import BadInput, Candidate
from benchmarks.executors.chosen import chosen
from benchmarks.running.run import Run
from tests.heavy import Heavy
from tests.running.test_executors import bakeoff, starts
from tests.running.test_ray import cluster_of
from tests.running.test_run import contents, model  # noqa: F401 - a fixture

pytestmark = [
    pytest.mark.cluster,
    pytest.mark.slow,
    pytest.mark.nightly,
    pytest.mark.skipif(find_spec("ray") is None, reason="needs Ray, the extra `cluster`"),
]
STORE = 80_000_000
"""Bytes: the least that Ray takes."""


def heavy(folder: Path, language: Path, fits: int = 4) -> Run:
    run = bakeoff(folder, language, ("majority", "copy nearest"))
    more = [Candidate(name=f"heavy {number}", strategy=Heavy(number=number), model="") for number in range(fits)]
    return replace(run, candidates=[*run.candidates, *more])


def test_what_does_not_fit_the_object_store_goes_onto_the_disk_and_where_that_is_full_the_run_says_so(
    model: Path,  # noqa: F811
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Four fits of which two do not fit the store at once."""
    heavy(tmp_path / "whole", model).execute()
    names = [each.name for each in heavy(tmp_path, model).candidates]

    def run(folder: str) -> Run:
        return replace(heavy(tmp_path / folder, model), executor=chosen(f"ray:{cluster.address}", 2))

    with monkeypatch.context() as full:
        full.setenv("RAY_local_fs_capacity_threshold", "0.001")
        with (
            cluster_of(full, num_cpus=2, object_store_memory=STORE) as cluster,
            pytest.raises(BadInput, match=r"object store is full, and so is the disk .* \(.*OutOfDiskError.*--resume"),
        ):
            run("full").execute()
    finished = {(name, kind): count for (name, kind, count) in starts(tmp_path / "full")}
    with cluster_of(monkeypatch, num_cpus=2, object_store_memory=STORE) as cluster:
        run("spilled").execute()
        run("full").execute()
    for folder in ("spilled", "full"):
        assert contents(tmp_path / folder) == contents(tmp_path / "whole")
        assert all((name, "answer", 1) in starts(tmp_path / folder) for name in names)
    assert finished.items() <= {(name, kind): count for (name, kind, count) in starts(tmp_path / "full")}.items(), (
        "not repeated"
    )
