"""Chooses where, in which number format and with how many threads models run, in one place, and says why."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from strategies.models import blockwise, measured
from strategies.models.batching import asked_tokens
from strategies.models.measured import quickest

DTYPES = ("float32", "bfloat16", "float16")
WORTH = 1.2
"""How many times as quick bfloat16 products have to be to be worth their rounding."""


HOPELESS = 8
"""How many times as slow small bfloat16 products are at least where there are no instructions for them: 20 to 36 were seen."""


@dataclass(frozen=True, kw_only=True)
class Placement:
    """Where a model runs. `device` as torch names it, `dtype` one of `DTYPES`, `threads` used on the processor."""

    device: str
    dtype: str
    threads: int
    why: str
    beside: tuple[str, ...] = ()
    """Further graphics cards of this machine, which a long training shares its batches with."""

    def __str__(self) -> str:
        many = f"{self.threads} thread{'' if self.threads == 1 else 's'}"
        where = f"{self.device}, {many}" if self.device == "cpu" else self.device
        more = f"; long trainings also on {', '.join(self.beside)}" if self.beside else ""
        return f"{where}, {self.dtype} ({self.why}){more}"


@dataclass(frozen=True, kw_only=True)
class Fit:
    """Whether something fits the memory of a device. `free` in bytes."""

    fits: bool
    free: int
    sentence: str


def choose(device: str | None = None, dtype: str | None = None) -> Placement:
    """The arguments win over `ADVISOR_DEVICE`, `ADVISOR_DTYPE` and `ADVISOR_THREADS`, which win over what was measured.

    `device` is cpu, mps, cuda or cuda:N; where it is given no other card is used. Raises `ValueError` with a sentence when it is
    not there.
    """
    asked_device, asked_dtype = device or os.environ.get("ADVISOR_DEVICE"), dtype or os.environ.get("ADVISOR_DTYPE")
    if asked_dtype and asked_dtype not in DTYPES:
        raise ValueError(f"dtype is {asked_dtype!r}; allowed are {', '.join(DTYPES)}.")
    available = _available()
    chosen = asked_device or available[0]
    if chosen not in available and not (chosen == "cuda" and "cuda:0" in available):
        raise ValueError(f"device is {chosen!r}; on this machine there is {', '.join(available)}.")
    blockwise.chosen()
    asked_tokens()
    threads = _threads()
    beside = () if asked_device else tuple(each for each in available[1:] if each.startswith("cuda"))
    if asked_dtype:
        why = f"{'device and ' if asked_device else ''}dtype as asked"
        return Placement(device=chosen, dtype=asked_dtype, threads=threads, why=why, beside=beside)
    best, why = _best_dtype(chosen)
    why = f"device as asked, {why}" if asked_device else why
    return Placement(device=chosen, dtype=best, threads=threads, why=why, beside=beside)


def memory_available(device: str = "cpu") -> int:
    """Bytes that a model may still take: of the graphics memory on cuda, else of this machine within its limits."""
    if device.startswith("cuda"):
        import torch

        return int(torch.cuda.mem_get_info(device)[0])
    import psutil

    free = int(psutil.virtual_memory().available)
    limit = _container_room()
    return free if limit is None else min(free, limit)


def fits(needed: int, device: str = "cpu") -> Fit:
    """Whether `needed` bytes fit what is free on `device` now or held by this process, which is part of them, with a sentence
    that gives both numbers."""
    free = memory_available(device) + _held(device)
    where = "graphics memory" if device.startswith("cuda") else "memory"
    sentence = f"needs about {needed / 1e9:.1f} GB of {where}; {free / 1e9:.1f} GB are free"
    return Fit(fits=needed <= free, free=free, sentence=sentence)


def _held(device: str) -> int:
    """Bytes that this process holds and may use again: what an earlier run in it has left."""
    if device.startswith("cuda"):
        import torch

        return int(torch.cuda.memory_reserved(device) - torch.cuda.memory_allocated(device))
    import psutil

    return int(psutil.Process().memory_info().rss)


def wait_for(device: str) -> None:
    """Until the device has done what it was given: cards and MPS compute while the program goes on, and is timed."""
    import torch

    if device.startswith("cuda"):
        torch.cuda.synchronize(device)
    elif device == "mps":
        torch.mps.synchronize()


def _available() -> list[str]:
    """Devices of this machine, the fastest first."""
    import torch

    found = [f"cuda:{index}" for index in range(torch.cuda.device_count())] if torch.cuda.is_available() else []
    if torch.backends.mps.is_available():
        found.append("mps")
    return [*found, "cpu"]


def _best_dtype(device: str) -> tuple[str, str]:
    import torch

    if device.startswith("cuda"):
        if torch.cuda.is_bf16_supported(including_emulation=False):
            return "bfloat16", "the graphics card computes in bfloat16"
        return "float16", "the graphics card has no bfloat16"
    if device == "mps":
        return "float32", "float32 gives the same answers as on other machines"
    if without_bfloat16():
        return "float32", "bfloat16 products are many times as slow as float32 ones"
    timing = quickest("number format", {name: _product(name) for name in ("float32", "bfloat16")}, WORTH)
    if timing.choice == "bfloat16":
        times = timing.times("bfloat16", "float32")
        return "bfloat16", f"bfloat16 products are {times:.1f} times as quick as float32 ones"
    return "float32", "bfloat16 products are not quicker than float32 ones"


def without_bfloat16() -> bool:
    """Whether small products in bfloat16 are so slow that the trial of large ones would take many seconds: a processor
    without instructions for them."""
    import torch

    seconds, usual = {}, torch.get_num_threads()
    torch.set_num_threads(1)  # Several would wait for each other where something else is running.
    try:
        for name in ("float32", "bfloat16"):
            square = torch.ones(128, 128, dtype=getattr(torch, name))
            seconds[name] = min(_timed(square.matmul, square) for _ in range(8))
    finally:
        torch.set_num_threads(usual)
    return seconds["bfloat16"] > HOPELESS * seconds["float32"]


def _timed(work: Callable[[Any], Any], given: Any) -> float:
    start = time.perf_counter()
    work(given)
    return time.perf_counter() - start


def _threads() -> int:
    """What torch takes by itself, unless half as many are clearly quicker: cores may be shared or promised twice.

    A machine that is busy at the moment would say so too, and half of its cores would then be given up for hours.
    """
    import torch

    asked, usual = os.environ.get("ADVISOR_THREADS", ""), torch.get_num_threads()
    if asked:
        if not asked.isdigit() or int(asked) < 1:
            raise ValueError(f"ADVISOR_THREADS is {asked!r}; it is a whole number from 1 on.")
        return int(asked)
    if usual == 1 or measured.busy():
        return usual
    try:
        ways = {str(count): _product("float32", count) for count in (usual, usual // 2)}
        return int(quickest("threads", ways, WORTH).choice)
    finally:
        torch.set_num_threads(usual)


def _product(dtype: str, threads: int | None = None) -> Callable[[], Any]:
    """A matrix product at the shape of a small model's, on the processor."""
    import torch

    left, right = (torch.randn(*shape).to(getattr(torch, dtype)) for shape in ((512, 576), (576, 1536)))

    def work() -> None:
        if threads is not None:
            torch.set_num_threads(threads)
        for _ in range(4):
            left @ right

    return work


def _container_room() -> int | None:
    """Bytes left under the memory limit of a Linux container; None where there is no limit."""
    base = Path("/sys/fs/cgroup")
    try:
        limit = (base / "memory.max").read_text(encoding="ascii").strip()
        used = int((base / "memory.current").read_text(encoding="ascii"))
        cache = dict(line.split() for line in (base / "memory.stat").read_text(encoding="ascii").splitlines())
    except (OSError, ValueError):
        return None
    return None if limit == "max" else max(0, int(limit) - used + int(cache.get("inactive_file", 0)))
