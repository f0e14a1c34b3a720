"""Attention by blocks for training: the gradients by hand, and keys that a block cannot see left out.

Automatic differentiation of sliced keys fills a zero tensor of full length for every block and adds them up; here each
block adds to its own part. In a pack (`finetuning/packs.py`) a row sees the shared beginning and itself only, so the
rows between the two are skipped.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from typing import Any, NamedTuple

WORTH = 32
"""Hidden keys from which on leaving them out pays for joining what stands around them."""


class Block(NamedTuple):
    """Queries `first` to `last` look at the keys before `gap[0]` and at those from `gap[1]` to `upto`."""

    first: int
    last: int
    gap: tuple[int, int]
    upto: int

    def keys(self, states: Any) -> Any:
        """(rows, heads, keys of this block, width) from the keys of all."""
        import torch

        if self.gap[0] == self.gap[1]:
            return states[:, :, : self.upto]
        return torch.cat([states[:, :, : self.gap[0]], states[:, :, self.gap[1] : self.upto]], 2)

    def mask(self, mask: Any) -> Any:
        """(rows, 1, 1, queries, keys of this block) from (rows, 1, 1, queries, keys)."""
        import torch

        part = mask[..., self.first : self.last, : self.upto]
        return (
            part if self.gap[0] == self.gap[1] else torch.cat([part[..., : self.gap[0]], part[..., self.gap[1] :]], -1)
        )

    def add(self, states: Any, found: Any) -> None:
        """Adds the gradients of this block's keys to those of all."""
        ahead, behind = self.gap
        if ahead:
            states[:, :, :ahead] += found[:, :, :ahead]
        states[:, :, behind : self.upto] += found[:, :, ahead:]


def plan(asked: int, seen: int, step: int, rows: tuple[int, Sequence[int]] | None) -> list[Block]:
    """Blocks of at most `step` causal queries, the last of `seen` keys.

    `rows` says of a pack how long its shared beginning is, and for each position where its row starts.
    """
    blocks = []
    for first in range(0, asked, step):
        last = min(asked, first + step)
        shared, start = (0, 0) if rows is None or asked != seen else (rows[0], max(rows[0], rows[1][first]))
        gap = (shared, start) if start - shared >= WORTH else (0, 0)
        blocks.append(Block(first, last, gap, seen - asked + last))
    return blocks


@cache
def attention() -> Any:
    """The differentiable function (query, key, value, mask, blocks) -> (rows, queries, heads, width), made at first use.

    `query` is (rows, key heads, group, queries, width), already scaled; `mask` is (rows, 1, 1, queries, keys).
    """
    import torch

    class Attention(torch.autograd.Function):
        @staticmethod
        def forward(ctx: Any, query: Any, key: Any, value: Any, mask: Any, blocks: list[Block]) -> Any:
            rows, kinds, group, asked, width = query.shape
            found = query.new_empty((rows, asked, kinds, group, width))
            shares = []
            for block in blocks:
                scores = _products(query, block, block.keys(key).transpose(2, 3))
                scores.view(rows, kinds, group, block.last - block.first, -1).add_(block.mask(mask))
                shares.append(scores.softmax(-1))
                weighed = torch.bmm(shares[-1], block.keys(value).flatten(0, 1))
                found[:, block.first : block.last] = weighed.view(rows, kinds, group, -1, width).permute(0, 3, 1, 2, 4)
            ctx.save_for_backward(query, key, value, *shares)
            ctx.blocks = blocks
            return found.view(rows, asked, kinds * group, width)

        @staticmethod
        def backward(ctx: Any, pull: Any) -> Any:
            query, key, value, *shares = ctx.saved_tensors
            rows, kinds, group, asked, width = query.shape
            pull = pull.view(rows, asked, kinds, group, width).permute(0, 2, 3, 1, 4)
            to_query, to_key, to_value = torch.empty_like(query), torch.zeros_like(key), torch.zeros_like(value)
            for block, share in zip(ctx.blocks, shares, strict=True):
                pulled = _of(pull, block)
                block.add(to_value, _by_row(torch.bmm(share.transpose(1, 2), pulled), rows))
                change = torch.bmm(pulled, block.keys(value).flatten(0, 1).transpose(1, 2))
                change = torch._softmax_backward_data(change, share, -1, share.dtype)
                moved = torch.bmm(change, block.keys(key).flatten(0, 1))
                to_query[:, :, :, block.first : block.last] = moved.view(rows, kinds, group, -1, width)
                block.add(to_key, _by_row(torch.bmm(change.transpose(1, 2), _of(query, block)), rows))
            return to_query, to_key, to_value, None, None

    return Attention.apply


def _of(states: Any, block: Block) -> Any:
    """(rows * key heads, group * queries of the block, width) from (rows, key heads, group, queries, width)."""
    part = states[:, :, :, block.first : block.last]
    rows, kinds, group, size, width = part.shape
    return part.reshape(rows * kinds, group * size, width)


def _by_row(found: Any, rows: int) -> Any:
    return found.view(rows, -1, *found.shape[1:])


def _products(query: Any, block: Block, keys: Any) -> Any:
    import torch

    return torch.bmm(_of(query, block), keys.flatten(0, 1))
