"""A pretended graphics card: tensors that say they lie on another device, computed on the processor.

What a real card refuses is refused here too: operations on tensors of two devices. So a machine without a card shows that every
tensor is put where the model is, and that answers and trainings come out as on the processor.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
import torch
from torch.overrides import TorchFunctionMode
from torch.utils._python_dispatch import (
    TorchDispatchMode,
    _disable_current_modes,
    return_and_correct_aliasing,
)
from torch.utils._pytree import tree_flatten, tree_map

from strategies.models.local import LocalModel

DEVICE = "meta:1"
"""Torch knows it without any driver. A real tensor of it would hold nothing; models are begun on one without a number."""
aten = torch.ops.aten
_MOVES = (aten._to_copy, aten.to, aten.copy_)
_INDEXED = (aten.index, aten.index_put, aten.index_put_, aten._index_put_impl_, aten._unsafe_index)
"""Their indices may lie on the processor; what is read and what is written may not."""


class OnCard(torch.Tensor):
    """Wraps a tensor of the processor, whose memory it shares."""

    held: torch.Tensor

    @staticmethod
    def __new__(cls, held: torch.Tensor) -> OnCard:
        made: OnCard = torch.Tensor._make_wrapper_subclass(
            cls,
            held.size(),
            strides=held.stride(),
            storage_offset=held.storage_offset(),
            dtype=held.dtype,
            device=torch.device(DEVICE),
            requires_grad=held.requires_grad,
        )
        made.held = held
        return made

    @property
    def device(self) -> torch.device:  # type: ignore[override]
        return torch.device(DEVICE)

    def __repr__(self, *, tensor_contents: Any = None) -> str:  # type: ignore[override]
        return f"OnCard({self.held!r})"

    @classmethod
    def __torch_dispatch__(cls, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:  # type: ignore[override]
        return computed(func, args, kwargs or {})


class _Everywhere(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """Also what makes tensors from nothing."""

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        return computed(func, args, kwargs or {})


class _Literals(TorchFunctionMode):
    """Numbers become a tensor of the processor first: `torch.tensor` asks no dispatcher."""

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        given = dict(kwargs or {})
        if func in (torch.tensor, torch.as_tensor) and _is_card(given.get("device")):
            device = given.pop("device")
            return func(*args, **given).to(device)
        if func is torch.Tensor.tolist and isinstance(args[0], OnCard):
            return args[0].held.tolist()
        if func is torch.Tensor.__getitem__ and isinstance(args[0], OnCard) and isinstance(args[1], list):
            return func(args[0], torch.tensor(args[1]))
        if func is torch.nn.functional.scaled_dot_product_attention and isinstance(args[0], OnCard):
            return _attention(*args, **given)
        return func(*args, **given)


def _attention(query: Any, key: Any, value: Any, attn_mask: Any = None, **given: Any) -> Any:
    """By its definition: torch chooses a kernel by the kind of device."""
    if given.get("enable_gqa"):
        key, value = (part.repeat_interleave(query.shape[-3] // part.shape[-3], -3) for part in (key, value))
    scale = given.get("scale") or query.shape[-1] ** -0.5
    found = query @ key.transpose(-1, -2) * scale
    if given.get("is_causal"):
        seen = torch.ones(found.shape[-2:], dtype=torch.bool, device=query.device).tril()
        found = found.masked_fill(~seen, float("-inf"))
    if attn_mask is not None:
        found = found.masked_fill(~attn_mask, float("-inf")) if attn_mask.dtype == torch.bool else found + attn_mask
    return torch.nn.functional.dropout(found.softmax(-1), given.get("dropout_p") or 0.0) @ value


def _is_card(device: Any) -> bool:
    return device is not None and torch.device(device) == torch.device(DEVICE)


def computed(func: Any, args: Any, kwargs: dict[str, Any]) -> Any:
    given = tree_flatten((args, kwargs))[0]
    tensors = [each for each in given if isinstance(each, torch.Tensor)]
    devices = [each for each in given if isinstance(each, torch.device)]
    cards, packet = [each for each in tensors if isinstance(each, OnCard)], func.overloadpacket
    if cards and packet not in _MOVES:
        _must_be_together(func, [args[0], *args[2:3]] if packet in _INDEXED else tensors)
    out = func(*tree_map(_inside, args), **tree_map(_inside, kwargs))
    to_card = any(map(_is_card, devices))
    if packet is aten.copy_:
        return args[0]
    if not to_card and (not cards or devices):
        return out
    if not cards:
        out = tree_map(lambda each: each.clone() if any(each is other for other in tensors) else each, out)
    view = bool(cards) and not cards[0].is_inference() and any(each.alias_info for each in func._schema.returns)
    with torch.inference_mode(torch.is_inference_mode_enabled() and not view):
        wrapped = tree_map(lambda each: OnCard(each) if isinstance(each, torch.Tensor) else each, out)
    return return_and_correct_aliasing(func, args, kwargs, wrapped) if cards else wrapped  # type: ignore[no-untyped-call]


def _must_be_together(func: Any, tensors: Any) -> None:
    """A single number of the processor is taken along."""
    elsewhere = [each for each in tensors if isinstance(each, torch.Tensor) and not isinstance(each, OnCard)]
    if any(each.dim() for each in elsewhere):
        raise RuntimeError(f"Expected all tensors to be on the same device, but {func} found two, {DEVICE} and cpu")


def _inside(each: Any) -> Any:
    if isinstance(each, OnCard):
        return each.held
    return torch.device("cpu") if isinstance(each, torch.device) and _is_card(each) else each


@contextmanager
def card() -> Iterator[str]:
    """The device's name, for as long as it is there. Weights are read from their file as if there were none."""
    base = LocalModel.base

    def read(model: LocalModel) -> Any:
        with _disable_current_modes():
            return base(model)

    with pytest.MonkeyPatch.context() as patched, _Literals(), _Everywhere():  # type: ignore[no-untyped-call]
        patched.setattr(LocalModel, "base", read)
        yield DEVICE
