"""Which workers have room on a cluster: processors and graphics cards together, less what others hold."""

from __future__ import annotations

from collections.abc import Mapping

import pytest

from benchmarks.contract import BadInput
from benchmarks.executors.nodes import Resources, Share, places, shared_out

GPU = Resources(cpus=1, gpus=1)


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
    total = {f"m{place}": Resources(cpus=each, gpus=cards) for place, (each, cards) in enumerate(machines)}
    share = shared_out(total, total, workers, cuda)
    assert share == Share(workers=wanted, each=Resources(cpus=cpus, gpus=int(cuda)))
    assert places(total, share.each) >= wanted


@pytest.mark.parametrize(
    ("unused", "workers", "cpus", "said"),
    [
        ({"a": Resources(cpus=8)}, 4, 2, ""),
        ({"a": Resources(cpus=5)}, 4, 1, ""),
        ({"a": Resources(cpus=3)}, 4, 2, "1 of 4 workers have room on the cluster now, since others use it"),
    ],
)
def test_what_others_hold_is_left_to_them(
    unused: Mapping[str, Resources], workers: int, cpus: int, said: str, caplog: pytest.LogCaptureFixture
) -> None:
    share = shared_out({"a": Resources(cpus=8)}, unused, workers, False)
    assert share == Share(workers=workers, each=Resources(cpus=cpus))
    assert said in caplog.text
    assert bool(caplog.text) is bool(said)


@pytest.mark.parametrize(
    ("total", "unused", "cuda", "said"),
    [
        (
            {"a": Resources(cpus=8)},
            {"a": Resources(cpus=8)},
            True,
            "no machine of the cluster has a graphics card that Ray knows",
        ),
        (
            {"a": Resources(cpus=2)},
            {"a": Resources(cpus=2)},
            False,
            "3 workers were asked for, and the cluster has 2 processors",
        ),
        ({"a": Resources(cpus=8)}, {}, False, "each takes 2 processors, and others use them"),
        (
            {"a": Resources(cpus=3, gpus=3)},
            {"a": Resources(cpus=3, gpus=0.4)},
            True,
            "each takes 1 processor and a graphics card",
        ),
        ({}, {}, False, "no machine of the cluster has a processor"),
    ],
)
def test_where_nobody_could_begin_it_is_said(
    total: Mapping[str, Resources], unused: Mapping[str, Resources], cuda: bool, said: str
) -> None:
    with pytest.raises(BadInput, match=said):
        shared_out(total, unused, 3, cuda)
