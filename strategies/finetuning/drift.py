"""How far a tuned model has moved from its base on text that has nothing to do with the task, token by token."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from strategies.contract import LanguageModel
from strategies.models.local import LocalModel
from strategies.models.served import at_hand

if TYPE_CHECKING:
    import torch


@dataclass(frozen=True, kw_only=True)
class Drift:
    """Sums over the tokens of one text, each but the first, in nats."""

    tokens: int
    base: float
    """Negative log-likelihood under the base model."""
    tuned: float
    divergence: float
    """Kullback-Leibler divergence of the tuned model's next token from the base's."""
    same: int
    """Places at which both would go on with the same token."""


def drifts(base: LanguageModel, tuned: LanguageModel, texts: Sequence[str]) -> Iterator[Drift]:
    """One for each text that has at least two tokens; nothing where one of the models does not run here."""
    first, second = at_hand(base), at_hand(tuned)
    if first is None or second is None:
        return
    for text in texts:
        ids = [*first.chat.beginning, *first.chat.encode_text(text)][: first.context_tokens]
        if len(ids) > 1:
            yield _drift(first, second, ids)


def _drift(base: LocalModel, tuned: LocalModel, ids: Sequence[int]) -> Drift:
    import torch

    wanted = torch.tensor(ids[1:])
    with torch.inference_mode():
        before, after = (_log_likelihoods(model, ids) for model in (base, tuned))
        divergence = torch.nn.functional.kl_div(after, before, log_target=True, reduction="sum")
        picked = [float(-each.gather(1, wanted[:, None]).sum()) for each in (before, after)]
    return Drift(
        tokens=len(wanted),
        base=picked[0],
        tuned=picked[1],
        divergence=float(divergence),
        same=int((before.argmax(-1) == after.argmax(-1)).sum()),
    )


def _log_likelihoods(model: LocalModel, ids: Sequence[int]) -> torch.Tensor:
    """(tokens - 1) x vocabulary, float32, on the CPU."""
    found: torch.Tensor = model.parts.read(ids[:-1]).log_softmax(-1).cpu()
    return found
