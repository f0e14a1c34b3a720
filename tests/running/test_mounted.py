"""A run folder on another machine: told by the list of mounts, and kept without a write-ahead log."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from benchmarks.storage import store as stores
from benchmarks.storage.mounted import on_a_network
from benchmarks.storage.store import Store, UnitResult

MOUNTS = r"""proc /proc proc rw,relatime 0 0
/dev/sda1 / ext4 rw,relatime 0 0
server:/home /home nfs4 rw,vers=4.2 0 0
/dev/sdb1 /home/ada/fast xfs rw 0 0
//files/team /mnt/our\040team cifs rw 0 0
me@host:/data /mnt/ssh fuse.sshfs rw 0 0
hgfs /mnt/shared 9p rw 0 0
tmpfs /tmp tmpfs rw 0 0
overlay /var/lib/docker/x overlay rw 0 0
half a line
"""


@pytest.mark.parametrize(
    ("folder", "elsewhere"),
    [
        ("/home/ada/runs/first", True),
        ("/home/ada/fast/runs", False),
        ("/homes/ada", False),
        ("/mnt/our team/runs", True),
        ("/mnt/ssh/runs", True),
        ("/mnt/shared/runs", True),
        ("/tmp/runs", False),
        ("/var/lib/docker/x/runs", False),
        ("/srv/runs", False),
    ],
)
def test_the_nearest_mount_says_where_a_folder_lies(folder: str, elsewhere: bool, tmp_path: Path) -> None:
    mounts = tmp_path / "mounts"
    mounts.write_text(MOUNTS, encoding="utf-8")
    assert on_a_network(Path(folder), mounts) is elsewhere


def test_without_a_list_it_is_taken_for_near(tmp_path: Path) -> None:
    assert not on_a_network(tmp_path, tmp_path / "none")


@pytest.mark.parametrize(("elsewhere", "mode"), [(True, "delete"), (False, "wal")])
def test_there_a_store_has_no_write_ahead_log(
    elsewhere: bool, mode: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stores, "on_a_network", lambda folder: elsewhere)
    path = tmp_path / "run.sqlite"
    with closing(Store(path)) as store:
        store.begin("u", "fit", "c")
        assert (tmp_path / "run.sqlite-wal").exists() is (mode == "wal")
        store.finish(UnitResult(unit="u", kind="fit", candidate="c"))
    with closing(sqlite3.connect(path)) as db:
        assert db.execute("PRAGMA journal_mode").fetchone() == (mode,)
    with closing(Store(path)) as store:
        assert set(store.finished()) == {"u"}
