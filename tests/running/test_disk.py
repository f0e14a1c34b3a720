"""A disk that takes no more: the run says so, blames no approach, and goes on where it stopped once there is room."""

from __future__ import annotations

import errno
import resource
import shutil
import sqlite3
import subprocess
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, contextmanager
from pathlib import Path

import pytest
from safetensors import SafetensorError

from advisor.cli import has_resume
from benchmarks.storage.disk import disk_fault
from benchmarks.storage.store import Store
from tests.conftest import Folders
from tests.desk import finish, start, write_task

RUN = (
    "run",
    "task.yaml",
    "--approach",
    "majority",
    "--approach",
    "lora",
    "--effort",
    "quick",
    "--probes",
    "none",
    "--yes",
)
LIMITS = (90_000, 120_000)
"""Bytes that a file may have: a write of the database fails, then one of the adapter; `faults_injected` goes through all."""

ENOUGH = 50_000
"""Kilobytes in which a whole run has room."""


def limited(size: int) -> None:
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, size))


@pytest.mark.nightly
def test_whatever_write_fails_the_run_goes_on_once_there_is_room(model_folders: Folders, tmp_path: Path) -> None:
    write_task(tmp_path, model_folders)
    run = tmp_path / "runs" / "tiny-topics"
    for limit in LIMITS:
        resumed = ("--resume",) if (run / "run.sqlite").exists() else ()
        done = finish(start(tmp_path, *RUN, *resumed, preexec_fn=lambda size=limit: limited(size)))
        assert done.code == 1
        assert "Nothing more could be written" in done.err
        assert "Traceback" not in done.err
    assert (run / "adapters").is_dir(), "it was cut off in a training"
    done = finish(start(tmp_path, *RUN, "--resume"))
    assert done.code in (0, 100, 101), done.err
    with closing(Store(run / "run.sqlite")) as store:
        assert all("problem" not in note for note in store.notes("fit").values())
        assert set(store.finished()) == set(store.starts())


@pytest.mark.nightly
def test_on_a_full_file_system_it_stops_and_goes_on_once_there_is_room(model_folders: Folders, tmp_path: Path) -> None:
    """A small one of its own, which fills up for real: first the database's share of it, then that of an adapter."""
    write_task(tmp_path, model_folders)
    runs = tmp_path / "runs"
    kept: dict[str, int] = {}
    with small_disk(runs) as room:
        for kilobytes in (100, 150):
            room(shutil.disk_usage(runs).used // 1024 + kilobytes)
            resumed = ("--resume",) if (runs / "tiny-topics" / "run.sqlite").exists() else ()
            done = finish(start(tmp_path, *RUN, *resumed))
            assert (done.code, "Traceback" in done.err) == (1, False), done.err
            assert "Nothing more could be written" in done.err
            room(ENOUGH)
            kept = stored_starts(runs / "tiny-topics", kept)
        assert kept, "something was finished before the second time"
        done = finish(start(tmp_path, *RUN, "--resume"))
        assert done.code in (0, 100, 101), done.err
        assert len(stored_starts(runs / "tiny-topics", kept)) > len(kept)
        with closing(Store(runs / "tiny-topics" / "run.sqlite")) as store:
            assert set(store.finished()) == set(store.starts())


def stored_starts(run: Path, before: Mapping[str, int]) -> dict[str, int]:
    """How often each finished unit was started: those of before no more often. No approach is to blame."""
    with closing(Store(run / "run.sqlite")) as store:
        assert all("problem" not in note for note in store.notes("fit").values())
        starts = store.starts()
        assert {name: starts[name] for name in before} == before
        return {name: starts[name] for name in store.finished()}


@contextmanager
def small_disk(place: Path) -> Iterator[Callable[[int], object]]:
    """A file system in memory, and what changes its size in kilobytes; skips where nobody may mount one."""
    place.mkdir()

    def mount(*options: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(["mount", "-t", "tmpfs", *options, str(place)], capture_output=True, text=True)

    if not shutil.which("mount") or (made := mount("-o", f"size={ENOUGH}k", "tmpfs")).returncode:
        pytest.skip(
            f"a file system can be mounted by root only: {made.stderr.strip() if shutil.which('mount') else 'no mount'}"
        )
    try:
        yield lambda size: mount("-o", f"remount,size={size}k").check_returncode()
    finally:
        subprocess.run(["umount", str(place)], check=True)


def test_only_writes_that_were_refused_are_the_disks_fault(tmp_path: Path) -> None:
    full = OSError(errno.ENOSPC, "No space left on device")
    assert disk_fault(full) == "no space left on device"
    assert disk_fault(SafetensorError("Error while serializing: I/O error: File too large (os error 27)"))
    assert disk_fault(FileNotFoundError(errno.ENOENT, "No such file")) == ""
    assert disk_fault(ValueError("a limit of 28")) == ""
    with pytest.raises(RuntimeError) as wrapped:
        _wrapped(full)
    assert disk_fault(wrapped.value) == "no space left on device"
    with closing(sqlite3.connect(f"file:{tmp_path / 'x'}?mode=rwc", uri=True)) as db:
        db.execute("PRAGMA max_page_count=2")
        db.execute("CREATE TABLE t (x)")
        with pytest.raises(sqlite3.OperationalError) as refused:
            db.execute("INSERT INTO t VALUES (zeroblob(100000))")
    assert disk_fault(refused.value) == "the disk is full"


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="there is no device that is always full")
@pytest.mark.parametrize("words", [("tasks",), ("--help",), ("run", "--help")])
def test_only_what_has_resume_is_told_to_go_on_with_it(words: tuple[str, ...], tmp_path: Path) -> None:
    with open("/dev/full", "w") as full:
        done = finish(start(tmp_path, *words, stdout=full))
    assert done.code == 1
    assert "no space left on device. Put that right, then give the same command again." in done.err
    assert "resume" not in done.err
    assert has_resume(["run", "task.yaml"])


def _wrapped(error: OSError) -> None:
    try:
        raise error
    except OSError:
        raise RuntimeError("could not save") from error
