"""The head in slices: likelihoods, loss and gradient equal those of all logits at once, whatever a model does after its head."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch

from strategies.finetuning.headloss import summed_loss
from strategies.finetuning.smoothed import Targets
from strategies.models import parts as module
from strategies.models.parts import CACHED, Parts
from tests import tiny

POSITIONS = 3 * CACHED + 5
"""Whole slices, and one that is not."""


@pytest.fixture(scope="module", params=["llama", "granite", "gemma", "neox"])
def parts(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Parts:
    folder = tiny.model_folder(tmp_path_factory.mktemp("head"), request.param)
    found = tiny.local_model(folder).parts
    found.model.requires_grad_(False)
    return found


@pytest.fixture
def states(parts: Parts) -> Any:
    torch.manual_seed(3)
    return torch.randn(POSITIONS, 32)


def test_likelihoods_of_tokens_are_those_of_whole_rows(parts: Parts, states: Any) -> None:
    places, tokens = torch.tensor([0, 7, 7, CACHED, POSITIONS - 1]), torch.tensor([5, 0, 299, 17, 3])
    whole = parts.logits(states).log_softmax(-1)[places, tokens]
    torch.testing.assert_close(parts.log_probabilities(states, places, tokens), whole, rtol=1e-5, atol=1e-5)


def test_logits_are_the_models_own(parts: Parts) -> None:
    ids = torch.arange(3, 12)[None]
    hidden = parts.decoder(input_ids=ids).last_hidden_state[0]
    torch.testing.assert_close(parts.logits(hidden), parts.model(input_ids=ids).logits[0].float(), rtol=1e-5, atol=1e-5)


def certain(tokens: Any) -> Targets:
    return Targets(tokens[:, None], torch.ones(len(tokens), 1))


@pytest.mark.parametrize("several", [1, 3])
def test_loss_and_gradient_are_those_of_cross_entropy(parts: Parts, states: Any, several: int) -> None:
    """Of soft targets too, one of which may stand there twice."""

    def plain(whole: Parts, given: Any, wanted: Targets) -> Any:
        logits = whole.logits(given)
        soft = torch.zeros_like(logits).scatter_add(1, wanted.tokens, wanted.shares)
        return torch.nn.functional.cross_entropy(logits, soft, reduction="sum")

    tokens = torch.randint(0, 300, (POSITIONS, several))
    tokens[0] = tokens[0, 0]
    targets = Targets(tokens, torch.rand(POSITIONS, several).softmax(-1))
    found = []
    for loss_of in (summed_loss, plain):
        given = states.clone().requires_grad_()
        loss = loss_of(parts, given, targets)
        (loss / 7).backward()
        found.append((loss.detach(), given.grad))
    torch.testing.assert_close(found[0][0], found[1][0], rtol=1e-5, atol=1e-4)
    torch.testing.assert_close(found[0][1], found[1][1], rtol=1e-4, atol=1e-5)
    with torch.inference_mode():
        torch.testing.assert_close(summed_loss(parts, states, targets), found[1][0], rtol=1e-5, atol=1e-4)


def test_a_head_that_is_trained_itself_keeps_its_gradient(parts: Parts, states: Any) -> None:
    head = parts.model.get_output_embeddings()
    head.weight.requires_grad_(True)
    try:
        summed_loss(parts, states, certain(torch.zeros(POSITIONS, dtype=torch.long))).backward()
        assert head.weight.grad.abs().sum() > 0
    finally:
        head.weight.grad = None
        head.weight.requires_grad_(False)


def test_a_capped_head_is_capped(parts: Parts, states: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(parts.model.config.get_text_config(), "final_logit_softcapping", 0.5, raising=False)
    capped = module.Parts(parts.model)
    assert not capped.plain_head
    assert float(capped.logits(states).abs().max()) <= 0.5
    loss = summed_loss(capped, states, certain(torch.zeros(POSITIONS, dtype=torch.long)))
    assert float(loss) == pytest.approx(
        float(
            -capped.log_probabilities(states, torch.arange(POSITIONS), torch.zeros(POSITIONS, dtype=torch.long)).sum()
        ),
        rel=1e-5,
    )


def test_where_the_models_head_is_scaled_all_logits_are(tmp_path: Path) -> None:
    granite = tiny.local_model(tiny.model_folder(tmp_path, "granite")).parts
    assert not granite.plain_head
