"""Attention by blocks against PyTorch's own: outputs and gradients, with padding, spare room and a shared beginning."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from transformers import AutoModelForCausalLM

from strategies.models import blockgrad, flat
from strategies.models.attention import additive
from strategies.models.blockwise import WAYS, attend, chosen, is_blockwise, use_blockwise
from strategies.models.caches import SPARE, roomy_cache
from tests import tiny

HEADS, KINDS, WIDTH = 6, 2, 8
MODULE = SimpleNamespace(is_causal=True, layer_idx=0)


def states(rows: int, heads: int, length: int, seed: int) -> torch.Tensor:
    dice = torch.Generator().manual_seed(seed)
    return torch.randn(rows, heads, length, WIDTH, generator=dice)


def causal(rows: int, asked: int, seen: int, padded: int = 0) -> torch.Tensor:
    """Additive; the first `padded` keys of row 0 are padding."""
    sees = torch.ones(rows, asked, seen, dtype=torch.bool).tril(seen - asked)
    sees[0, :, :padded] = False
    mask: torch.Tensor = additive(sees, torch.float32)
    return mask


def reference(query: Any, key: Any, value: Any, mask: Any) -> Any:
    found = torch.nn.functional.scaled_dot_product_attention(query, key, value, attn_mask=mask, enable_gqa=True)
    return found.transpose(1, 2)


@pytest.mark.parametrize("small", [False, True])
@pytest.mark.parametrize(("asked", "seen"), [(1, 30), (7, 7), (64, 64), (150, 150), (70, 200)])
def test_outputs_and_gradients_are_those_of_torch(
    asked: int, seen: int, small: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    if small:
        monkeypatch.setattr(flat, "SCORES", 1)
    given = states(3, HEADS, asked, 0), states(3, KINDS, seen, 1), states(3, KINDS, seen, 2)
    mask = causal(3, asked, seen, padded=max(0, min(4, seen - asked)))
    pull = states(3, asked, HEADS, 3)
    results = []
    for ours in (True, False):
        query, key, value = parts = [part.clone().requires_grad_() for part in given]
        found = attend(MODULE, query, key, value, mask)[0] if ours else reference(query, key, value, mask)
        total: Any = (found * pull).sum()
        total.backward()
        results.append([found.detach(), *(part.grad for part in parts)])
    for mine, theirs in zip(*results, strict=True):
        assert torch.allclose(mine, theirs, atol=1e-5)


@pytest.mark.parametrize(("shared", "sizes"), [(0, (150, 40, 90)), (50, (70, 1, 130, 64)), (3, (20, 20, 20))])
def test_rows_of_a_pack_see_the_beginning_and_themselves_only(shared: int, sizes: tuple[int, ...]) -> None:
    owners = [-1] * shared + [row for row, size in enumerate(sizes) for _ in range(size)]
    starts = [0 if owner < 0 else owners.index(owner) for owner in owners]
    owner, total = torch.tensor(owners), len(owners)
    sees = ((owner[None] == owner[:, None]) | (owner[None] < 0)).tril()[None]
    mask = additive(sees, torch.float32)
    given = states(1, HEADS, total, 0), states(1, KINDS, total, 1), states(1, KINDS, total, 2)
    pull = states(1, total, HEADS, 3)
    results = []
    for pack in ((shared, starts), None, "torch"):
        query, key, value = parts = [part.clone().requires_grad_() for part in given]
        own = pack == "torch"
        found = reference(query, key, value, mask) if own else attend(MODULE, query, key, value, mask, pack=pack)[0]
        total_pull: Any = (found * pull).sum()
        total_pull.backward()
        results.append([found.detach(), *(part.grad for part in parts)])
    for mine, whole, theirs in zip(*results, strict=True):
        assert torch.allclose(mine, theirs, atol=1e-5)
        assert torch.allclose(whole, theirs, atol=1e-5)
    gaps = [block.gap for block in blockgrad.plan(total, total, flat.QUERIES, (shared, starts))]
    assert any(first < last for first, last in gaps) == (total > 100)


def test_a_growing_cache_holds_what_was_written_and_its_spare_room_is_not_seen() -> None:
    keys, values = states(3, KINDS, 5 + SPARE + 9, 0), states(3, KINDS, 5 + SPARE + 9, 1)
    cache = roomy_cache()
    cache.update(keys[:, :, :5], values[:, :, :5], 0)
    rows = torch.tensor([0, 1, 2])
    for size in range(6, keys.shape[2] + 1):
        if size == 40:
            rows = torch.tensor([2, 0])
            cache.batch_select_indices(rows)
        key, value = cache.update(keys[rows, :, size - 1 : size], values[rows, :, size - 1 : size], 0)
        assert cache.get_seq_length() == size
        assert torch.equal(key[:, :, :size], keys[rows][:, :, :size])
        query = states(len(rows), HEADS, 1, size)
        found, _ = attend(MODULE, query, key, value, torch.zeros(len(rows), 1, 1, size))
        assert torch.allclose(
            found, reference(query, keys[rows][:, :, :size], values[rows][:, :, :size], None), atol=1e-5
        )


@pytest.mark.parametrize("architecture", ["llama", "qwen", "neox", "gemma", "mistral", "granite"])
def test_models_whose_logits_stay_the_same_take_it(tmp_path: Path, architecture: str) -> None:
    folder = tiny.model_folder(tmp_path, architecture)
    model: Any = AutoModelForCausalLM.from_pretrained(folder)
    ids = torch.arange(3, 90)[None] % model.config.get_text_config().vocab_size
    own = model(input_ids=ids, use_cache=False).logits
    assert use_blockwise(model)
    assert is_blockwise(model)
    assert torch.allclose(model(input_ids=ids, use_cache=False).logits, own, atol=1e-4)


def test_a_model_that_caps_its_scores_keeps_its_own_attention() -> None:
    from transformers import Gemma2Config, Gemma2ForCausalLM

    sizes: dict[str, Any] = {"vocab_size": 64, "hidden_size": 32, "intermediate_size": 32, "num_hidden_layers": 2}
    heads: dict[str, Any] = {
        "num_attention_heads": 4,
        "num_key_value_heads": 2,
        "head_dim": 8,
        "attn_logit_softcapping": 50.0,
    }
    model: Any = Gemma2ForCausalLM(Gemma2Config(**sizes, **heads))
    model.eval()
    own = model.config._attn_implementation
    assert not use_blockwise(model)
    assert model.config._attn_implementation == own


def test_the_variable_decides_which_attention_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("ADVISOR_ATTENTION", raising=False)
    assert chosen() == WAYS[0]
    monkeypatch.setenv("ADVISOR_ATTENTION", WAYS[1])
    assert chosen() == WAYS[1]
    monkeypatch.setenv("ADVISOR_ATTENTION", "flash")
    with pytest.raises(ValueError, match="ADVISOR_ATTENTION is 'flash'; it is one of blockwise, own"):
        chosen()
