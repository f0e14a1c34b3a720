"""Key-value states that grow inside spare room, so that a written token does not copy all that was read before it.

For the attention of `blockwise.py`, which knows that keys behind the mask's end are spare.
"""

from __future__ import annotations

from functools import cache
from typing import Any

SPARE = 64
"""Positions of spare room that each growth brings."""


@cache
def _roomy_layer() -> type[Any]:
    """The class, made at first use, since its base is transformers'."""
    from transformers.cache_utils import DynamicLayer

    base: Any = DynamicLayer

    class RoomyLayer(base):  # type: ignore[misc]
        """A layer whose keys and values are the front part of larger buffers; a single new token is given the buffers
        whole, since a part of a buffer would be copied by each matrix product."""

        keys: Any
        values: Any
        room: tuple[Any, Any] | None = None

        def update(self, key_states: Any, value_states: Any, *_: Any, **__: Any) -> tuple[Any, Any]:
            if not self.is_initialized:
                self.lazy_initialization(key_states, value_states)
            size, fresh = self.get_seq_length(), key_states.shape[-2]
            if self.room is None or self.room[0].shape[-2] < size + fresh:
                self.room = _roomier(self.keys, key_states, size), _roomier(self.values, value_states, size)
            for buffer, states in zip(self.room, (key_states, value_states), strict=True):
                buffer[:, :, size : size + fresh] = states
            self.keys, self.values = (buffer[:, :, : size + fresh] for buffer in self.room)
            return self.room if fresh == 1 else (self.keys, self.values)

        def batch_select_indices(self, indices: Any) -> None:
            super().batch_select_indices(indices)
            self.room = None

    return RoomyLayer


def _roomier(held: Any, fresh: Any, size: int) -> Any:
    """A buffer for what is held, what comes and some more, with what is held in front."""
    rows, heads, asked, width = fresh.shape
    buffer = fresh.new_zeros((rows, heads, size + asked + SPARE, width))
    if size:
        buffer[:, :, :size] = held
    return buffer


def roomy_cache() -> Any:
    """An empty cache that keeps every position, for answering; gradients do not pass through it."""
    from transformers.cache_utils import Cache

    return Cache(layer_class_to_replicate=_roomy_layer())
