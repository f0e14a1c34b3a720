"""Large results of torch lie in huge pages and are kept when they are freed, where the system has both to offer."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

TOUCHED = """
import re, resource, torch
from strategies.models.heap import prepare_heap
def faults(): return resource.getrusage(resource.RUSAGE_SELF).ru_minflt
def huge(): return int(re.search(r"AnonHugePages:\\s+(\\d+)", open("/proc/self/smaps_rollup").read())[1])
if {prepared}: prepare_heap(); prepare_heap()
found = []
for _ in range(2):
    before = faults()
    kept = [torch.ones(1_000_000) for _ in range(100)]
    found.append(faults() - before)
    large = huge()
    del kept
print(found[0], found[1], large)
"""


def touched(prepared: bool) -> tuple[int, int, int]:
    """Page faults of 400 MB of results, of the same again, and the KiB in huge pages then."""
    done = subprocess.run(
        [sys.executable, "-c", TOUCHED.format(prepared=prepared)],
        cwd=Path(__file__).parents[2],
        capture_output=True,
        text=True,
        check=True,
    )
    first, second, large = map(int, done.stdout.split())
    return first, second, large


@pytest.mark.nightly
@pytest.mark.skipif(sys.platform != "linux", reason="glibc's own")
def test_what_was_freed_is_used_again_without_new_pages() -> None:
    first, second, large = touched(True)
    assert second < 1_000
    mode = Path("/sys/kernel/mm/transparent_hugepage/enabled")
    granted = mode.read_text("utf-8") if mode.is_file() else "[never]"
    if "[never]" not in granted:
        assert large > 200_000
    if "[madvise]" in granted:  # Elsewhere every program gets them, or none.
        assert first < 10_000 < touched(False)[0]
