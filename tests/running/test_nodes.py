"""Which workers have room on a cluster: processors and graphics cards together, less what others hold."""

from __future__ import annotations

from collections.abc import Mapping

import pytest

from benchmarks.contract import BadInput
from benchmarks.executors.room import Has, Share, places, shared_out

GPU = Has(cpus=1, gpus=1)


@pytest.mark.parametrize(
    ("machines", "workers", "cuda", "wanted", "cpus"),
    [
        ([(16, 1)], 16, False, 16, 1),
        ([(16, 1)], 16, True, 1, 16),
        ([(16, 4)], 4, True, 4, 4),
        ([(16, 4)], 3, True, 3, 5),
        ([(2, 8)], 8, True, 2, 1),
        ([(8, 0), (8, 2)], 4, True, 2, 4),
        ([(8, 0), (8, 2)], None, True, 1, 8),
        ([(8, 0), (4, 2)], None, False, 2, 4),
    ],
)
def test_a_worker_takes_as_many_processors_as_go_round_beside_its_card(
    machines: list[tuple[int, int]], workers: int | None, cuda: bool, wanted: int, cpus: int
) -> None:
    total = {f"m{place}": Has(cpus=each, gpus=cards) for place, (each, cards) in enumerate(machines)}
    share = shared_out(total, total, workers, cuda)
    assert share == Share(workers=wanted, each=Has(cpus=cpus, gpus=int(cuda)))
    assert places(total, share.each) >= wanted


@pytest.mark.parametrize(
    ("unused", "workers", "cpus", "said"),
    [
        ({"a": Has(cpus=8)}, 4, 2, ""),
        ({"a": Has(cpus=5)}, 4, 1, ""),
        ({"a": Has(cpus=3)}, 4, 2, "1 of 4 workers have room on the cluster now, since others use it"),
    ],
)
def test_what_others_hold_is_left_to_them(
    unused: Mapping[str, Has], workers: int, cpus: int, said: str, caplog: pytest.LogCaptureFixture
) -> None:
    share = shared_out({"a": Has(cpus=8)}, unused, workers, False)
    assert share == Share(workers=workers, each=Has(cpus=cpus))
    assert said in caplog.text
    assert bool(caplog.text) is bool(said)


@pytest.mark.parametrize(
    ("total", "unused", "cuda", "said"),
    [
        ({"a": Has(cpus=8)}, {"a": Has(cpus=8)}, True, "no machine of the cluster has a graphics card that Ray knows"),
        ({"a": Has(cpus=2)}, {"a": Has(cpus=2)}, False, "3 workers were asked for, and the cluster has 2 processors"),
        ({"a": Has(cpus=8)}, {}, False, "each takes 2 processors, and others use them"),
        ({"a": Has(cpus=3, gpus=3)}, {"a": Has(cpus=3, gpus=0.4)}, True, "each takes 1 processor and a graphics card"),
        ({}, {}, False, "no machine of the cluster has a processor"),
    ],
)
def test_where_nobody_could_begin_it_is_said(
    total: Mapping[str, Has], unused: Mapping[str, Has], cuda: bool, said: str
) -> None:
    with pytest.raises(BadInput, match=said):
        shared_out(total, unused, 3, cuda)
