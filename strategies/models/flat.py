"""Attention for sequences of unequal length without padding: all new tokens stand behind each other in one sequence.

Matrix products, norms and activations see real tokens only; attention alone knows which row a token belongs to and where
that row's keys lie. What rows begin with is read once for all that begin so. It stands behind `blockwise.attend`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
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
    """New tokens of one row: its place in the buffers, how many tokens it had, how many come, and behind which beginning."""

    row: int
    before: int
    size: int
    lead: int = 0


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
    leads: tuple[tuple[Any, Any], ...] = ()
    """(cache of one row, places among the real tokens that it stands before; None: before all of them)."""
    fresh: bool = False
    """Rows without earlier tokens, of one beginning: no query looks at keys behind its own block."""


@dataclass(frozen=True)
class Step:
    """One pass: where each new token goes, and in which groups its attention is computed."""

    rows: Any
    slots: Any
    size: tuple[int, int]
    """Rows and slots of the buffers."""
    groups: tuple[Group, ...]

    @classmethod
    def of(cls, spans: Sequence[Span], size: tuple[int, int], leads: Sequence[Any], like: tuple[Any, Any]) -> Step:
        """`size` is (rows, slots) of the buffers, `like` (dtype, device) of the model; `leads` are the caches of one row
        that stand before the keys of rows, by their number, None where nothing does."""
        import torch

        rows = torch.tensor([span.row for span in spans for _ in range(span.size)])
        slots = torch.tensor([span.before + place for span in spans for place in range(span.size)])
        starts = [0]
        for span in spans:
            starts.append(starts[-1] + span.size)
        kinds: dict[tuple[str, int], list[tuple[Span, int]]] = {}
        for span, start in zip(spans, starts, strict=False):
            name = "single" if span.size == 1 else "several" if span.before else "fresh"
            kinds.setdefault((name, span.lead if name == "fresh" else 0), []).append((span, start))
        groups = [
            _whole_group(part, size, like)
            if name == "single" and 2 * len(part) > size[0]
            else _group(part, name == "fresh", like)
            for (name, _), part in kinds.items()
        ]
        ahead = [_leads([span for span, _ in part], leads) for part in kinds.values()]
        placed = tuple(replace(group, leads=before) for group, before in zip(groups, ahead, strict=True))
        return cls(rows, slots, size, placed)


def _leads(spans: Sequence[Span], leads: Sequence[Any]) -> tuple[tuple[Any, Any], ...]:
    """Which beginning stands before which of the spans' tokens, all of them in one row."""
    import torch

    owners = [span.lead for span in spans for _ in range(span.size)]
    numbers = [number for number in sorted(set(owners)) if leads and leads[number] is not None]
    if len(set(owners)) == 1:
        return tuple((leads[number], None) for number in numbers)
    places = torch.tensor(owners)
    return tuple((leads[number], (places == number).nonzero()[:, 0]) for number in numbers)


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
    return Group(rows, tokens, present.flatten().nonzero()[:, 0], tokens[present], _additive(sees, like), fresh=fresh)


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
    found = asked.new_empty(asked.shape)
    for group in step.groups:
        part = (_fresh if group.fresh else _later)(asked, buffers, group, layer)
        if group.flat is None:
            found = part
        else:
            found[:, :, group.flat] = part
    return found.permute(2, 0, 1, 3).reshape(1, total, heads, width)


def _fresh(asked: Any, buffers: tuple[Any, Any], group: Group, layer: int) -> Any:
    """Rows without earlier tokens, block after block; the shared keys stand before their own (joining is cheap beside so
    many queries, and one softmax takes fewer passes than two that have to be weighed against each other)."""
    import torch

    queries, (key, value) = _queries(asked, group), _picked(buffers, group)
    mask, ahead, rows = group.mask, 0, len(key)
    for lead, _ in group.leads:
        shared = lead.layers[layer]
        ahead = shared.keys.shape[2]
        key, value = (
            torch.cat([part.expand(rows, -1, -1, -1), own], 2)
            for part, own in ((shared.keys, key), (shared.values, value))
        )
        mask = torch.nn.functional.pad(mask, (ahead, 0))
    found = queries.new_empty(queries.shape)
    for first in range(0, queries.shape[3], QUERIES):
        last = min(queries.shape[3], first + QUERIES)
        upto = ahead + last
        size = max(1, SCORES // (asked.shape[0] * asked.shape[1] * (last - first) * upto))
        for row in range(0, rows, size):
            part = slice(row, row + size)
            block = queries[part, :, :, first:last]
            shares = scores(block, key[part, :, :upto], mask[part, ..., first:last, :upto]).softmax(-1)
            weighed_values = torch.bmm(shares, value[part, :, :upto].flatten(0, 1))
            found[part, :, :, first:last] = weighed_values.view(block.shape)
    return _by_token(found, group)


def _later(asked: Any, buffers: tuple[Any, Any], group: Group, layer: int) -> Any:
    """Rows that go on: their own keys, and the shared ones once for all that share them, joined by their weights."""
    import torch

    queries, (key, value) = _queries(asked, group), _picked(buffers, group)
    size = max(1, SCORES // (asked.shape[0] * asked.shape[1] * queries.shape[3] * key.shape[2]))
    parts = [
        _block(*(part[row : row + size] for part in (queries, key, value, group.mask)))
        for row in range(0, len(queries), size)
    ]
    whole = parts[0] if len(parts) == 1 else [torch.cat(part) for part in zip(*parts, strict=True)]
    sums, tops, weights = (_by_token(part, group) for part in whole)
    own = asked if group.flat is None else asked[:, :, group.flat]
    for lead, places in group.leads:
        shared = lead.layers[layer]
        keys = (shared.keys[0], shared.values[0])
        if places is None:
            sums, tops, weights = joined((sums, tops, weights), _ahead(own, keys))
            continue
        held = (sums[:, :, places], tops[:, :, places], weights[:, :, places])
        sums[:, :, places], _, weights[:, :, places] = joined(held, _ahead(own[:, :, places], keys))
    return (sums / weights).to(asked.dtype)


def _queries(asked: Any, group: Group) -> Any:
    """(rows, key heads, group, width of the group, width) of the group's tokens."""
    if group.flat is None:
        return asked[:, :, None].permute(3, 0, 1, 2, 4)
    return asked[:, :, group.tokens].permute(2, 0, 1, 3, 4)


def _picked(buffers: tuple[Any, Any], group: Group) -> tuple[Any, Any]:
    """Keys and values of the group's rows as far as they are filled; all as they lie where the group is all rows."""
    if group.rows is None:
        return buffers
    key, value = (part[:, :, : group.mask.shape[-1]].index_select(0, group.rows) for part in buffers)
    return key, value


def _by_token(found: Any, group: Group) -> Any:
    """(key heads, group, real tokens, .) from (rows, key heads, group, width of the group, .)."""
    told = found.permute(1, 2, 0, 3, 4).flatten(2, 3)
    return told if group.real is None else told[:, :, group.real]


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

        def __init__(self, now: Now) -> None:
            super().__init__()
            self.now = now

        def update(self, key_states: Any, value_states: Any, *_: Any, **__: Any) -> tuple[Any, Any]:
            step = self.now.step
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


class Now:
    """What the pass that comes does. The layers hold this and not their cache, which would hold itself and its buffers."""

    step: Step


class FlatCache:
    """The states of `rows` rows."""

    def __init__(self, rows: int) -> None:
        from transformers.cache_utils import Cache

        self.rows, self.slots = rows, 0
        self.now = Now()
        layer: Any = partial(_flat_layer(), self.now)
        self.states: Any = Cache(layer_class_to_replicate=layer)

    def begin(self, spans: Sequence[Span], leads: Sequence[Any], like: tuple[Any, Any]) -> dict[str, Any]:
        """Makes room for the new tokens of these rows; what a pass over them is given besides ids and positions."""
        import torch

        needed = max(span.before + span.size for span in spans)
        if needed > self.slots:
            self.slots = needed + SPARE
        self.now.step = Step.of(spans, (self.rows, self.slots), leads, like)
        # The model would make a mask for a batch of its own; this one is not looked at.
        unused = torch.zeros((1, 1, 1, 1), dtype=like[0], device=like[1])
        return {"attention_mask": unused, "cache": self.states, "use_cache": True, "flat": self.now.step}

    def keep(self, rows: Sequence[int]) -> None:
        """Leaves these rows only, in this order."""
        import torch

        index = torch.tensor(list(rows), dtype=torch.long)
        self.rows = len(rows)
        for layer in self.states.layers:
            layer.keys, layer.values = layer.keys.index_select(0, index), layer.values.index_select(0, index)
