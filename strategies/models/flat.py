"""Attention for sequences of unequal length without padding: all new tokens stand behind each other in one sequence.

Matrix products, norms and activations see real tokens only; attention alone knows which row a token belongs to and where
that row's keys lie. What all rows begin with is read once for all of them. It stands behind `blockwise.attend`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache, partial
from typing import Any

QUERIES = 64
"""Query positions of a block."""
SCORES = 1_000_000
"""Attention scores that are in flight at once, over rows and heads: about two megabytes."""
SPARE = 64
"""Slots of spare room that each growth of the buffers brings."""


@dataclass(frozen=True)
class Span:
    """New tokens of one row: its place in the buffers, how many tokens it had, and how many come."""

    row: int
    before: int
    size: int


@dataclass(frozen=True)
class Group:
    """Rows with alike many new tokens, which are padded for attention only. Tensors: `tokens` (rows, width) places in the
    sequence; `real` places among rows * width that are no padding, `flat` the places in the sequence that they have."""

    rows: Any
    """Places in the buffers; None where the rows are all of the buffers' and none has more than one new token."""
    tokens: Any
    real: Any
    flat: Any
    """None, as `real`, where the rows' tokens are the whole sequence, in its order."""
    mask: Any
    """Additive, (rows, 1, 1, width, keys)."""
    fresh: bool = False
    """Rows without earlier tokens: no query looks at keys behind its own block."""


@dataclass(frozen=True)
class Step:
    """One pass: where each new token goes, and in which groups its attention is computed."""

    rows: Any
    slots: Any
    size: tuple[int, int]
    """Rows and slots of the buffers."""
    groups: tuple[Group, ...]
    shared: Any
    """Cache of one row that stands before the keys of every row; None: nothing is shared."""

    @classmethod
    def of(cls, spans: Sequence[Span], size: tuple[int, int], shared: Any, like: tuple[Any, Any]) -> Step:
        """`size` is (rows, slots) of the buffers, `like` (dtype, device) of the model."""
        import torch

        rows = torch.tensor([span.row for span in spans for _ in range(span.size)])
        slots = torch.tensor([span.before + place for span in spans for place in range(span.size)])
        starts = [0]
        for span in spans:
            starts.append(starts[-1] + span.size)
        kinds: dict[str, list[tuple[Span, int]]] = {}
        for span, start in zip(spans, starts, strict=False):
            name = "single" if span.size == 1 else "several" if span.before else "fresh"
            kinds.setdefault(name, []).append((span, start))
        groups = [
            _whole_group(part, size, like)
            if name == "single" and 2 * len(part) > size[0]
            else _group(part, name == "fresh", like)
            for name, part in kinds.items()
        ]
        return cls(rows, slots, size, tuple(groups), shared)


def _group(part: Sequence[tuple[Span, int]], fresh: bool, like: tuple[Any, Any]) -> Group:
    import torch

    width, keys = max(span.size for span, _ in part), max(span.before + span.size for span, _ in part)
    steps = torch.arange(width)
    sizes = torch.tensor([span.size for span, _ in part])
    before = torch.tensor([span.before for span, _ in part])
    starts = torch.tensor([start for _, start in part])
    present = steps[None] < sizes[:, None]
    tokens = starts[:, None] + steps[None].minimum(sizes[:, None] - 1)
    sees = torch.arange(keys)[None, None] <= (before[:, None] + steps[None])[:, :, None]
    rows = torch.tensor([span.row for span, _ in part])
    return Group(rows, tokens, present.flatten().nonzero()[:, 0], tokens[present], _additive(sees, like), fresh)


def _whole_group(part: Sequence[tuple[Span, int]], size: tuple[int, int], like: tuple[Any, Any]) -> Group:
    """Single tokens for most of the rows: the buffers are read as they lie, those of other rows in vain.

    A part of a buffer would be copied by each product, so spare slots are masked instead of left out.
    """
    import torch

    height = size[0]
    tokens = torch.zeros((height, 1), dtype=torch.long)
    last = torch.zeros(height, dtype=torch.long)
    rows = torch.tensor([span.row for span, _ in part])
    tokens[rows, 0] = torch.tensor([start for _, start in part])
    last[rows] = torch.tensor([span.before for span, _ in part])
    sees = torch.arange(size[1])[None, None] <= last[:, None, None]
    mask = _additive(sees, like)
    if tokens[:, 0].tolist() == list(range(height)) and len(part) == height:
        return Group(None, tokens, None, None, mask)
    return Group(None, tokens, rows, tokens[rows, 0], mask)


def _additive(sees: Any, like: tuple[Any, Any]) -> Any:
    """(rows, 1, 1, queries, keys) from bool (rows, queries, keys)."""
    from strategies.models.attention import additive

    return additive(sees.to(like[1]), like[0])[:, :, None]


# ---------------------------------------------------------------- attention


Weighed = tuple[Any, Any, Any]
"""Sums of values by weight, largest scores, sums of weights: (key heads, group, tokens, width or 1), in float32."""


def attend(query: Any, buffers: tuple[Any, Any], step: Step, layer: int) -> Any:
    """(1, tokens, heads, width) from the scaled query (1, heads, tokens, width) and (keys, values) of all rows,
    each (rows, key heads, slots, width)."""
    _, heads, total, width = query.shape
    kinds = buffers[0].shape[1]
    asked = query[0].reshape(kinds, heads // kinds, total, width)
    found = _own(asked, buffers, step.groups)
    if step.shared is not None:
        states = step.shared.layers[layer]
        found = joined(found, _ahead(asked, (states.keys[0], states.values[0])))
    return (found[0] / found[2]).to(query.dtype).permute(2, 0, 1, 3).reshape(1, total, heads, width)


def _own(asked: Any, buffers: tuple[Any, Any], groups: Sequence[Group]) -> Weighed:
    """Attention of each token to its own row."""
    import torch

    kinds, group, total, width = asked.shape
    if len(groups) == 1 and groups[0].flat is None:
        sums, tops, weights = _of_group(asked, buffers, groups[0])
        return sums, tops, weights
    sums = torch.empty((kinds, group, total, width), dtype=torch.float32, device=asked.device)
    tops, weights = (sums.new_empty((kinds, group, total, 1)) for _ in range(2))
    for each in groups:
        for whole, part in zip((sums, tops, weights), _of_group(asked, buffers, each), strict=True):
            whole[:, :, each.flat] = part
    return sums, tops, weights


def _of_group(asked: Any, buffers: tuple[Any, Any], group: Group) -> list[Any]:
    import torch

    rows, width = group.tokens.shape
    queries = asked[:, :, None] if group.flat is None else asked[:, :, group.tokens]
    queries = queries.permute(*((3, 0, 1, 2, 4) if group.flat is None else (2, 0, 1, 3, 4)))
    key, value = buffers
    if group.rows is not None:
        key, value = (part[:, :, : group.mask.shape[-1]].index_select(0, group.rows) for part in buffers)
    blocks = []
    for first in range(0, width, QUERIES):
        last = min(width, first + QUERIES)
        upto = last if group.fresh else key.shape[2]
        size = max(1, SCORES // (asked.shape[0] * asked.shape[1] * (last - first) * upto))
        parts = [
            _block(
                queries[row : row + size, :, :, first:last],
                key[row : row + size, :, :upto],
                value[row : row + size, :, :upto],
                group.mask[row : row + size, ..., first:last, :upto],
            )
            for row in range(0, rows, size)
        ]
        blocks.append(parts[0] if len(parts) == 1 else [torch.cat(part) for part in zip(*parts, strict=True)])
    joint = [torch.cat(part, 3) if len(part) > 1 else part[0] for part in zip(*blocks, strict=True)]
    # (rows, key heads, group, width, .) -> (key heads, group, real tokens, .)
    told = [part.permute(1, 2, 0, 3, 4).flatten(2, 3) for part in joint]
    return told if group.real is None else [part[:, :, group.real] for part in told]


def _block(query: Any, key: Any, value: Any, mask: Any) -> list[Any]:
    """The three of `Weighed`, each (rows, key heads, group, queries, .)."""
    return [part.view(*query.shape[:4], -1) for part in weighed(scores(query, key, mask), value.flatten(0, 1))]


def _ahead(asked: Any, shared: tuple[Any, Any]) -> Weighed:
    """Attention of every token to the shared beginning: keys and values (key heads, positions, width)."""
    import torch

    kinds, group, total, width = asked.shape
    key, value = shared[0].transpose(1, 2), shared[1]
    size = max(1, SCORES // (kinds * group * key.shape[2]))
    parts = []
    for first in range(0, total, size):
        queries = asked[:, :, first : first + size].reshape(kinds, -1, width)
        parts.append([part.view(kinds, group, -1, part.shape[-1]) for part in weighed(torch.bmm(queries, key), value)])
    sums, tops, weights = (torch.cat(part, 2) for part in zip(*parts, strict=True))
    return sums, tops, weights


def joined(first: Weighed, second: Weighed) -> Weighed:
    """Attention to two sets of keys from attention to each. (The idea of Hydragen, arXiv 2402.05099.)"""
    import torch

    top = torch.maximum(first[1], second[1])
    scales = [(part[1] - top).exp() for part in (first, second)]
    sums, weights = (first[place] * scales[0] + second[place] * scales[1] for place in (0, 2))
    return sums, top, weights


def scores(query: Any, key: Any, mask: Any) -> Any:
    """(rows * key heads, group * queries, keys) from query (rows, key heads, group, queries, width)."""
    import torch

    rows, kinds, group, asked, width = query.shape
    found = torch.bmm(query.reshape(rows * kinds, group * asked, width), key.flatten(0, 1).transpose(1, 2))
    found.view(rows, kinds, group, asked, key.shape[2]).add_(mask)
    return found


def weighed(found: Any, value: Any) -> Weighed:
    """Sum of the values by weight, the largest score, and the sum of the weights, each for every query, in float32."""
    import torch

    top = found.amax(-1, keepdim=True)
    weights = found.sub_(top).exp_()
    return torch.bmm(weights, value).float(), top.float(), weights.sum(-1, keepdim=True, dtype=torch.float32)


# ---------------------------------------------------------------- the buffers


@cache
def _flat_layer() -> Any:
    """The class, made at first use, since its base is transformers'."""
    from transformers.cache_utils import DynamicLayer

    base: Any = DynamicLayer

    class FlatLayer(base):  # type: ignore[misc]
        """Keys and values of all rows in two buffers (rows, key heads, slots, width); its cache says where new ones go."""

        def __init__(self, owner: FlatCache) -> None:
            super().__init__()
            self.owner = owner

        def update(self, key_states: Any, value_states: Any, *_: Any, **__: Any) -> tuple[Any, Any]:
            step = self.owner.step
            if not self.is_initialized:
                self.lazy_initialization(key_states, value_states)
                self.keys = self.values = None
            if self.keys is None or self.keys.shape[2] < step.size[1]:
                self.keys, self.values = (
                    _larger(held, fresh, step.size)
                    for held, fresh in ((self.keys, key_states), (self.values, value_states))
                )
            self.keys[step.rows, :, step.slots] = key_states[0].transpose(0, 1)
            self.values[step.rows, :, step.slots] = value_states[0].transpose(0, 1)
            return self.keys, self.values

    return FlatLayer


def _larger(held: Any, fresh: Any, size: tuple[int, int]) -> Any:
    buffer = fresh.new_zeros((size[0], fresh.shape[1], size[1], fresh.shape[3]))
    if held is not None:
        buffer[:, :, : held.shape[2]] = held
    return buffer


class FlatCache:
    """The states of `rows` rows. `step` is what the pass that comes does."""

    step: Step

    def __init__(self, rows: int) -> None:
        from transformers.cache_utils import Cache

        self.rows, self.slots = rows, 0
        layer: Any = partial(_flat_layer(), self)
        self.states: Any = Cache(layer_class_to_replicate=layer)

    def begin(self, spans: Sequence[Span], shared: Any, like: tuple[Any, Any]) -> dict[str, Any]:
        """Makes room for the new tokens of these rows; what a pass over them is given besides ids and positions."""
        import torch

        needed = max(span.before + span.size for span in spans)
        if needed > self.slots:
            self.slots = needed + SPARE
        self.step = Step.of(spans, (self.rows, self.slots), shared, like)
        # The model would make a mask for a batch of its own; this one is not looked at.
        unused = torch.zeros((1, 1, 1, 1), dtype=like[0], device=like[1])
        return {"attention_mask": unused, "cache": self.states, "use_cache": True, "flat": self.step}

    def keep(self, rows: Sequence[int]) -> None:
        """Leaves these rows only, in this order."""
        import torch

        index = torch.tensor(list(rows), dtype=torch.long)
        self.rows = len(rows)
        for layer in self.states.layers:
            layer.keys, layer.values = layer.keys.index_select(0, index), layer.values.index_select(0, index)
