"""Runs on a real Ray cluster of this machine: rows of one process, workers that are killed, and what the cluster may see."""

from __future__ import annotations

import os
import signal
import tempfile
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import psutil
import pytest

from benchmarks.contract import BadInput
from benchmarks.executors import on_ray
from benchmarks.executors.chosen import chosen
from benchmarks.executors.nodes import Resources, held_by_others, machines
from benchmarks.running.plan import Unit
from benchmarks.running.run import Run
from benchmarks.running.scheduler import NullEvents
from tests.running.test_executors import alone, bakeoff, starts, waited_for  # noqa: F401 - a fixture
from tests.running.test_run import contents, model  # noqa: F401 - a fixture

pytestmark = [
    pytest.mark.cluster,
    pytest.mark.slow,
    pytest.mark.skipif(find_spec("ray") is None, reason="needs Ray, the extra `cluster`"),
]


def actors() -> list[psutil.Process]:
    """Processes of this machine's user in which a unit may be performed."""
    below = psutil.Process().children(recursive=True)
    return [each for each in below if any("UnitActor" in part for part in each.cmdline())]


def on_machine() -> set[Path]:
    """Folders that runs on Ray put onto this machine; one that was killed may have left its own."""
    return set(Path(tempfile.gettempdir()).glob("advisor-" + "[0-9a-f]" * 16))


@dataclass
class Watching(NullEvents):
    """Events that kill every actor once, while a training goes on, and note what is to be seen of the cluster."""

    left: int = 1
    lost: Counter[str] = field(default_factory=Counter)
    listening: set[str] = field(default_factory=set)
    dashboards: list[str] = field(default_factory=list)

    def progress(self, unit: Unit, done: int, total: int, what: str) -> None:
        if (unit.candidate, unit.kind) != ("lora", "fit") or not self.left:
            return
        self.left -= 1
        for process in psutil.Process().children(recursive=True):
            if any(part.endswith("dashboard/dashboard.py") for part in process.cmdline()):
                self.dashboards += [] if "--disable-frontend" in process.cmdline() else process.cmdline()
            for connection in process.net_connections("inet"):
                if connection.status == psutil.CONN_LISTEN:
                    self.listening.add(connection.laddr.ip)
        for actor in actors():
            actor.send_signal(signal.SIGKILL)
            self.lost["actors"] += 1


def test_on_ray_the_rows_are_those_of_one_process_though_workers_are_killed(
    alone: Path,  # noqa: F811
    model: Path,  # noqa: F811
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    before, events = signal.getsignal(signal.SIGTERM), Watching()
    below, folders = set(psutil.Process().children(recursive=True)), on_machine()
    replace(bakeoff(tmp_path, model), executor=chosen("ray", 2), events=events).execute()
    assert contents(tmp_path) == contents(alone)
    assert {path.name for path in (tmp_path / "fits").iterdir()} == {path.name for path in (alone / "fits").iterdir()}
    again = sum((runs - 1) * units for (_, _, runs), units in starts(tmp_path).items())
    assert 1 <= again <= events.lost["actors"]
    assert events.listening
    assert events.listening <= {"127.0.0.1", "::1", "::ffff:127.0.0.1"}, "only this machine can reach the cluster"
    assert set(psutil.Process().children(recursive=True)) <= below, "nothing of it is left"
    assert not events.dashboards
    assert "RAY_AUTH_TOKEN" not in os.environ
    assert capsys.readouterr().out == "", "Ray's own messages stay away from where results are written"
    assert signal.getsignal(signal.SIGTERM) is before
    assert on_machine() <= folders


def test_a_cluster_that_is_not_there_is_said(model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:  # noqa: F811
    run = replace(bakeoff(tmp_path, model, ("majority",)), executor=chosen("ray:127.0.0.1:9", 2))
    monkeypatch.setenv("RAY_AUTH_TOKEN", "a token")
    with pytest.raises(BadInput, match=r"Ray could not be reached \(nothing answers at 127\.0\.0\.1:9"):
        run.execute()
    for on, said in (("ray:ray://127.0.0.1:10001", "names a protocol"), ("ray:somewhere", "is no address")):
        with pytest.raises(BadInput, match=said):
            chosen(on, 2)


@contextmanager
def cluster_of(monkeypatch: pytest.MonkeyPatch, **head: float) -> Iterator[Any]:
    """A cluster that runs, behind a token that this process knows."""
    for name, value in (("RAY_AUTH_MODE", "token"), ("RAY_AUTH_TOKEN", "ab" * 32), ("RAY_USAGE_STATS_ENABLED", "0")):
        monkeypatch.setenv(name, value)
    for name, value in on_ray._ONLY_HERE.items():
        monkeypatch.setenv(name, value)
    on_ray._read_again()
    from ray.cluster_utils import Cluster

    cluster = Cluster(initialize_head=True, head_node_args={**head, "include_dashboard": False})
    try:
        yield cluster
    finally:
        cluster.shutdown()


@dataclass
class Losing(NullEvents):
    """Events that take a machine out of the cluster once, as held-out cases begin to be answered."""

    lose: Callable[[], None]
    lost: bool = False

    def started(self, unit: Unit, number: int, total: int) -> None:
        if unit.kind == "answer" and unit.candidate == "copy nearest" and not self.lost:
            self.lost = True
            self.lose()


@pytest.mark.nightly
def test_on_a_cluster_of_three_machines_one_of_which_is_lost(
    model: Path,  # noqa: F811
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    names = ("majority", "copy nearest", "prompting")
    whole = bakeoff(tmp_path / "whole", model, names)
    whole.execute()
    with cluster_of(monkeypatch, num_cpus=1) as cluster:
        others = [cluster.add_node(num_cpus=1) for _ in range(2)]
        events = Losing(lambda: cluster.remove_node(others[0], allow_graceful=False))
        run = replace(
            bakeoff(tmp_path / "run", model, names), executor=chosen(f"ray:{cluster.address}", 3), events=events
        )
        run.execute()
    assert events.lost
    assert contents(tmp_path / "run") == contents(tmp_path / "whole")


# ---------------------------------------------------------------- no room


PLAIN = ("majority", "copy nearest")
"""Approaches that load no language model."""


def on_cuda(folder: Path, language: Path) -> Run:
    """A run whose workers ask Ray for a graphics card each; nothing of it uses one."""
    run = bakeoff(folder, language, PLAIN)
    return replace(run, models=replace(run.models, _placement=replace(run.models.placement, device="cuda")))


@contextmanager
def connected(address: str) -> Iterator[Any]:
    """Ray, as somebody else uses the cluster."""
    import ray

    ray.init(address=address, namespace="others", log_to_driver=False, logging_level="ERROR")
    try:
        yield ray
    finally:
        ray.shutdown()


def hold(address: str, *names: str, **resources: float) -> None:
    """Actors of somebody else, which stay."""

    class Holder:
        def here(self) -> None: ...

    with connected(address) as ray:
        made = [ray.remote(**resources)(Holder).options(name=name, lifetime="detached").remote() for name in names]
        ray.get([actor.here.remote() for actor in made])


@pytest.mark.nightly
def test_on_one_graphics_card_there_is_one_worker(
    model: Path,  # noqa: F811
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    on_cuda(tmp_path / "whole", model).execute()
    with cluster_of(monkeypatch, num_cpus=3, num_gpus=1) as cluster:
        replace(on_cuda(tmp_path / "run", model), executor=chosen(f"ray:{cluster.address}", 3)).execute()
    assert contents(tmp_path / "run") == contents(tmp_path / "whole")
    assert "1 worker in place of 3: on CUDA each takes a graphics card of its own" in caplog.text
    assert not any(runs > 1 for _, _, runs in starts(tmp_path / "run"))


@pytest.mark.nightly
def test_a_worker_that_finds_no_room_gives_its_unit_back(
    model: Path,  # noqa: F811
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """Others hold a part of each of three cards, so that what is free of them adds up to one, and none is."""
    monkeypatch.setattr(on_ray, "BEGUN_S", 15)
    on_cuda(tmp_path / "whole", model).execute()
    with cluster_of(monkeypatch, num_cpus=4, num_gpus=4) as cluster:
        hold(cluster.address, "a", "b", "c", num_cpus=0, num_gpus=0.6)
        run = on_cuda(tmp_path / "run", model)
        replace(run, executor=chosen(f"ray:{cluster.address}", 2)).execute()
        assert contents(tmp_path / "run") == contents(tmp_path / "whole")
        assert caplog.text.count("a worker found no room on the cluster within 15 seconds") == 1
        again = [(kind, runs) for (_, kind, runs) in starts(tmp_path / "run") if runs > 1]
        assert again == [("fit", 2)], "one unit was given back, once"
        hold(cluster.address, "d", num_cpus=0, num_gpus=0.6)
        with pytest.raises(BadInput, match="No machine is left on which a worker has room"):
            replace(on_cuda(tmp_path / "none", model), executor=chosen(f"ray:{cluster.address}", 1)).execute()


@pytest.mark.nightly
def test_what_others_hold_is_theirs_until_they_are_done(
    model: Path,  # noqa: F811
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with cluster_of(monkeypatch, num_cpus=2) as cluster:
        hold(cluster.address, "a", "b", num_cpus=1)
        run = replace(bakeoff(tmp_path, model, PLAIN), executor=chosen(f"ray:{cluster.address}", 2))
        with pytest.raises(BadInput, match="No worker has room on the cluster now: each takes 1 processor, and others"):
            run.execute()
        each = Resources(cpus=1)
        with connected(cluster.address) as ray:
            others = held_by_others({}, each)
            pool = on_ray._RayPool(
                job=None,  # type: ignore[arg-type]
                handed=None,
                each=each,
                mailbox=None,
                total=machines(),
                others=others,
                shared=True,
                folder=tmp_path,
                taking=None,
            )
            ray.kill(ray.get_actor("a"))
            assert pool.room() == 0, "it is not looked all the time"
            monkeypatch.setattr(on_ray, "BEGUN_S", 0)
            waited_for(lambda: pool.room() == 1, 30)
