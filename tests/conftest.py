"""What holds for every test: no network, few threads, and in CI nothing is skipped because something is missing."""

from __future__ import annotations

import ipaddress
import os
import signal
import socket
from collections.abc import Generator, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

IN_CI = os.environ.get("CI") == "true"
# Set before torch is imported anywhere, since it reads them once. Tiny models are slower on several threads, and much
# slower where the cores are busy with something else.
os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
# Which batches are quicker is measured for real models; for tiny ones it would be chance.
os.environ.setdefault("ADVISOR_BATCH_TOKENS", "4096")
# A shell starts what it puts into the background with interrupts ignored, and every program that a test starts inherits that: it
# could not be interrupted, and the test would wait for ever.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)


# ---------------------------------------------------------------- skips


def _refused(item: Any, report: Any) -> None:
    """Turns a skip into a failure, unless it waits for a device or a server that CI has not."""
    excused = any(item.get_closest_marker(name) for name in ("gpu", "vllm"))
    if IN_CI and report.skipped and not hasattr(report, "wasxfail") and not excused:
        reason = report.longrepr[2] if isinstance(report.longrepr, tuple) else report.longrepr
        report.outcome = "failed"
        report.longrepr = f"In CI nothing may be left out, and this was. {reason}"


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, Any, Any]:
    report = yield
    _refused(item, report)
    return report


@pytest.hookimpl(wrapper=True)
def pytest_make_collect_report(collector: pytest.Collector) -> Generator[None, Any, Any]:
    report = yield
    _refused(collector, report)
    return report


# ---------------------------------------------------------------- no network


class OutOfBounds(OSError):
    """A test tried to reach another machine."""


def is_here(host: Any) -> bool:
    """True for this machine: loopback, or no name at all."""
    name = host.decode() if isinstance(host, bytes) else host
    if name in (None, "", "localhost"):
        return True
    try:
        return ipaddress.ip_address(str(name).partition("%")[0]).is_loopback
    except ValueError:
        return False


@pytest.fixture(autouse=True)
def reached(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[str]]:
    """Hosts that the test tried to reach: each attempt is refused, and fails the test even where the refusal is caught."""
    tried: list[str] = []

    def guarded(name: str) -> None:
        real = getattr(socket.socket, name)

        def connect(self: socket.socket, address: Any) -> Any:
            if self.family in (socket.AF_INET, socket.AF_INET6) and not is_here(address[0]):
                tried.append(str(address[0]))
                raise OutOfBounds(f"no network in tests, and {address[0]} is another machine")
            return real(self, address)

        monkeypatch.setattr(socket.socket, name, connect)

    look_up = socket.getaddrinfo

    def getaddrinfo(host: Any, *rest: Any, **more: Any) -> Any:
        if not is_here(host):
            tried.append(str(host))
            raise OutOfBounds(f"no network in tests, and {host} is another machine")
        return look_up(host, *rest, **more)

    guarded("connect")
    guarded("connect_ex")
    monkeypatch.setattr(socket, "getaddrinfo", getaddrinfo)
    yield tried
    assert tried == [], "the test tried to reach another machine"


# ---------------------------------------------------------------- models


@dataclass(frozen=True, kw_only=True)
class Folders:
    """Models as a person has them on disk, in a folder whose name must be seen nowhere."""

    language: Path
    embedder: Path


@pytest.fixture(scope="session")
def model_folders(tmp_path_factory: pytest.TempPathFactory) -> Folders:
    """A tiny random language model and a tiny random embedder."""
    from tests.tiny import model_folder
    from tests.tiny_embedder import embedder_folder

    place = tmp_path_factory.mktemp("place-canary-2206")
    return Folders(language=model_folder(place), embedder=embedder_folder(place))


@pytest.fixture(autouse=True)
def _no_width(monkeypatch: pytest.MonkeyPatch) -> None:
    """However wide the terminal is in which the tests run, a sentence is broken only where a test says how wide."""
    monkeypatch.delenv("COLUMNS", raising=False)
