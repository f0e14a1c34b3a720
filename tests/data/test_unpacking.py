"""Unpacking downloads: the files that are asked for come out; what is damaged, too large or a link does not."""

from __future__ import annotations

import gzip
import io
import os
import tarfile
from collections.abc import Mapping
from pathlib import Path

import pytest

from benchmarks.contract import BadInput
from benchmarks.tasks.unpacking import gunzipped, taken_out


def packed(files: Mapping[str, bytes | tarfile.TarInfo], top: str = "repository-0123abc") -> bytes:
    """A gzipped tar archive as GitHub makes one of a commit: everything lies in one folder."""
    made = io.BytesIO()
    with tarfile.open(
        fileobj=made, mode="w:gz", format=tarfile.PAX_FORMAT, pax_headers={"comment": "0123abc"}
    ) as archive:
        for path, what in files.items():
            entry = what if isinstance(what, tarfile.TarInfo) else tarfile.TarInfo()
            entry.name = f"{top}/{path}"
            if isinstance(what, bytes):
                entry.size = len(what)
            archive.addfile(entry, io.BytesIO(what) if isinstance(what, bytes) else None)
    return made.getvalue()


def link(kind: bytes, to: str) -> tarfile.TarInfo:
    entry = tarfile.TarInfo()
    entry.type, entry.linkname = kind, to
    return entry


def test_a_gzipped_file_comes_out_up_to_the_limit() -> None:
    content = os.urandom(1000)
    assert gunzipped(gzip.compress(content), most=1000) == content
    with pytest.raises(BadInput, match=r"unpacks to more than 999 bytes, which is refused\."):
        gunzipped(gzip.compress(content), most=999)
    with pytest.raises(BadInput, match=r"unpacks to more than 64,000,000 bytes"):
        gunzipped(gzip.compress(bytes(64_000_001)))


@pytest.mark.parametrize(
    "content",
    [b"", b"<html>", gzip.compress(b"abc" * 99)[:-12], gzip.compress(b"a")[:12] + b"xxxxxxxx"],
    ids=["empty", "no archive", "cut off", "damaged"],
)
def test_a_damaged_gzipped_file_is_no_file(content: bytes) -> None:
    if content:
        with pytest.raises(ValueError, match="No gzipped file"):
            gunzipped(content)
    with pytest.raises((ValueError, LookupError)):
        taken_out(content, ["a.md"])


def test_the_files_that_are_asked_for_come_out_in_that_order() -> None:
    long = "/".join(["folder-with-a-long-name"] * 6) + ".md"
    archive = packed({"b/[[.md": b"1", "a/x.md": b"2", "x.md": b"3", long: b"4", "b/unasked.md": b"5"})
    assert list(taken_out(archive, ["x.md", "b/[[.md", long]).items()) == [
        ("x.md", b"3"),
        ("b/[[.md", b"1"),
        (long, b"4"),
    ]


def test_a_file_that_is_missing_is_named() -> None:
    with pytest.raises(LookupError, match=r"lacks 2 of 3 files, such as b\.md"):
        taken_out(packed({"a.md": b"1"}), ["a.md", "c.md", "b.md"])


@pytest.mark.parametrize("kind", [tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.FIFOTYPE, tarfile.DIRTYPE])
def test_what_is_no_file_is_not_followed(kind: bytes) -> None:
    with pytest.raises(LookupError, match="lacks 1 of 2"):
        taken_out(packed({"a.md": b"1", "b.md": link(kind, "/etc/hostname")}), ["a.md", "b.md"])


def test_an_archive_writes_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    archive = packed({"../../out.md": b"1", "/abs.md": b"2", "a.md": b"3"}, top=".")
    assert taken_out(archive, ["a.md"]) == {"a.md": b"3"}
    assert not any(tmp_path.iterdir())


def test_files_and_archives_above_the_limits_are_refused() -> None:
    archive = packed({"a.md": b"1" * 600, "b.md": b"2" * 600, "other": bytes(100_000)})
    assert len(taken_out(archive, ["a.md", "b.md"], kept=1200)) == 2
    with pytest.raises(BadInput, match=r"files have more than 1,199 bytes together, which is refused\."):
        taken_out(archive, ["a.md", "b.md"], kept=1199)
    with pytest.raises(BadInput, match=r"unpacks to more than 50,000 bytes, which is refused\."):
        taken_out(archive, ["z.md"], read=50_000)


def test_a_file_that_claims_to_be_huge_is_refused_before_it_is_read() -> None:
    header = tarfile.TarInfo("top/a.md")
    header.size = 10**15
    with pytest.raises(BadInput, match="more than 64,000,000 bytes together"):
        taken_out(gzip.compress(header.tobuf(tarfile.GNU_FORMAT)), ["a.md"])
