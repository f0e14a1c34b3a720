"""Leaves torch as whoever calls from Python had it: what it draws next, and how many threads it uses."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def torch_kept() -> Iterator[None]:
    """Puts random state and threads of torch back afterwards, where it was loaded before."""
    torch = sys.modules.get("torch")
    if torch is None:
        yield
        return
    threads, drawn = torch.get_num_threads(), torch.get_rng_state()
    cards = torch.cuda.get_rng_state_all() if torch.cuda.is_initialized() else []
    try:
        yield
    finally:
        torch.set_num_threads(threads)
        torch.set_rng_state(drawn)
        for number, state in enumerate(cards):
            torch.cuda.set_rng_state(state, number)
