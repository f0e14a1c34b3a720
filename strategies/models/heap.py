"""The memory of models on a CPU: what torch frees is kept for what it needs next, in huge pages where the system grants them."""

from __future__ import annotations

import ctypes
import mmap
from functools import cache
from typing import Any

_TRIM_THRESHOLD, _MMAP_THRESHOLD, _HUGE_PAGES = -1, -3, 14
"""glibc's numbers of two options of `mallopt`, and of an advice of `madvise`."""
LARGEST = 1_000_000_000
"""Bytes from which a result gets memory of its own, as every large one does where glibc is not told otherwise."""
PIECE, PIECES = 900_000_000, 5
"""Bytes of the heap's future that are marked at once, below `LARGEST`, and how often: more than the default model takes."""


@cache
def prepare_heap() -> None:
    """Once in a process. Without it every large result is written into fresh pages, an eighth of a training; with pages of
    4 KiB the first training touches 200,000 of them (LOG.md). Does nothing where there is no glibc."""
    try:
        libc = ctypes.CDLL("libc.so.6")
        libc.mallopt(_TRIM_THRESHOLD, -1)
        libc.mallopt(_MMAP_THRESHOLD, LARGEST)
    except (AttributeError, OSError):
        return
    _mark(libc)


def _mark(libc: Any) -> None:
    """Asks for huge pages at the addresses that the heap grows into next. Nothing there is touched, so nothing is taken."""
    libc.malloc.restype, libc.malloc.argtypes = ctypes.c_void_p, [ctypes.c_size_t]
    libc.free.argtypes = [ctypes.c_void_p]
    libc.madvise.argtypes = [ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int]
    pieces = [piece for piece in (libc.malloc(PIECE) for _ in range(PIECES)) if piece]
    for piece in pieces:
        first = -(-piece // mmap.PAGESIZE) * mmap.PAGESIZE
        libc.madvise(first, (piece + PIECE - first) // mmap.PAGESIZE * mmap.PAGESIZE, _HUGE_PAGES)
    for piece in pieces[::-1]:
        libc.free(piece)
