"""A causal language model taken apart into decoder and head, with what is kept of it from one call to the next."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from strategies.models.attention import Attention

CACHED = 16
"""Positions whose float32 logits lie in a processor's cache at a vocabulary of some 50,000; from 4 to 32 it is the same."""
STATES = 1_500_000_000
"""Bytes of key-value states that the rows of a batch may hold, about; a quarter of a graphics card where that is more."""


@dataclass
class Memory:
    """The last beginning that was read, and the last prompt that came alone."""

    ids: tuple[int, ...] = ()
    cache: Any = None
    alone: tuple[int, ...] = ()


@dataclass(frozen=True)
class Parts:
    """The decoder (ids -> hidden states) and the head (hidden states -> logits) of a transformers model."""

    model: Any
    unfit: str = ""
    """Why this model is asked in transformers' own way instead (`agreement.py`); empty where it is not."""

    @property
    def decoder(self) -> Any:
        """Some models call their head the decoder."""
        found = self.model.get_decoder() if hasattr(self.model, "get_decoder") else self.model.base_model
        return self.model.base_model if found is self.model.get_output_embeddings() else found

    @property
    def device(self) -> Any:
        return self.model.device

    @cached_property
    def attention(self) -> Attention:
        return Attention.of(self.model.config)

    @cached_property
    def memory(self) -> Memory:
        return Memory()

    @cached_property
    def bytes_a_token(self) -> int:
        """Of key-value states, which layers of one model may have in several sizes."""
        text = self.model.config.get_text_config()
        layers = getattr(text, "per_layer_config", None) or [text] * text.num_hidden_layers
        return int(2 * sum(map(_width, layers)) * self.model.dtype.itemsize)

    @property
    def positions(self) -> int:
        """Whose states may be held at once."""
        import torch

        card = torch.cuda.get_device_properties(self.device).total_memory if self.device.type == "cuda" else 0
        return max(STATES, card // 4) // self.bytes_a_token

    def read(self, ids: Sequence[int], last: bool = False) -> Any:
        """float32 logits (n, vocabulary) after each token of a text, or after its last one; of a model that does not fit its
        own."""
        import torch

        tokens, places = torch.tensor([list(ids)], device=self.device), slice(-1 if last else 0, None)
        if self.unfit:
            return self.model(input_ids=tokens, use_cache=False).logits[0, places].float()
        return self.logits(self.decoder(input_ids=tokens, use_cache=False).last_hidden_state[0, places])

    def logits(self, hidden: Any) -> Any:
        """float32 logits of shape (n, vocabulary) for hidden states of shape (n, width)."""
        return self._finished(self._raw(hidden))

    def log_probabilities(self, hidden: Any, places: Any, tokens: Any) -> Any:
        """float32 log-probability (m) of each of `tokens` (m) after the state of `hidden` (n, width) at its of `places` (m).

        The logits of all states are never held in float32: a few at a time stay in the processor's cache.
        """
        import torch

        raw = self._raw(hidden)
        sums = torch.cat([self._finished(part).logsumexp(-1) for part in raw.split(self.at_once)])
        return self._finished(raw[places, tokens]) - sums[places]

    def odds(self, logits: Any, tokens: Any) -> Any:
        """float32 log-probability (n) of one token for each row of `logits` (n, vocabulary), as `self.logits` gives them."""
        import torch

        sums = torch.cat([part.logsumexp(-1) for part in logits.split(self.at_once)])
        return logits.gather(-1, tokens[:, None])[:, 0] - sums

    @property
    def at_once(self) -> int:
        """Positions whose float32 logits are held together."""
        return CACHED if self.device.type == "cpu" else 1024

    @cached_property
    def plain_head(self) -> bool:
        """Whether nothing follows the head."""
        return self._scale == 1.0 and self._cap is None

    def _raw(self, hidden: Any) -> Any:
        return self.model.get_output_embeddings()(hidden.contiguous())

    def _finished(self, logits: Any) -> Any:
        """In float32, with what the model does after its head. A pass over all logits is not made for nothing."""
        logits = logits.float()
        if self._scale != 1.0:
            logits = logits * self._scale
        return logits if self._cap is None else (logits / self._cap).tanh() * self._cap

    @cached_property
    def _scale(self) -> float:
        text = self.model.config.get_text_config()
        return (getattr(text, "logit_scale", None) or 1.0) / (getattr(text, "logits_scaling", None) or 1.0)

    @cached_property
    def _cap(self) -> float | None:
        cap: float | None = getattr(self.model.config.get_text_config(), "final_logit_softcapping", None)
        return cap


def _width(layer: Any) -> int:
    """Of the keys of one position, all heads together."""
    kinds = getattr(layer, "num_key_value_heads", None) or layer.num_attention_heads
    return int(kinds * (getattr(layer, "head_dim", None) or layer.hidden_size // layer.num_attention_heads))
