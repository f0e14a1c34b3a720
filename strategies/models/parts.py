"""A causal language model taken apart into decoder and head, with what is kept of it from one call to the next."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

from strategies.models.attention import Attention


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
        return self.model.get_decoder() if hasattr(self.model, "get_decoder") else self.model.base_model

    @property
    def device(self) -> Any:
        return self.model.device

    @cached_property
    def attention(self) -> Attention:
        return Attention.of(self.model.config)

    @cached_property
    def memory(self) -> Memory:
        return Memory()

    def logits(self, hidden: Any) -> Any:
        """float32 logits of shape (n, vocabulary) for hidden states of shape (n, width)."""
        text = self.model.config.get_text_config()
        logits = self.model.get_output_embeddings()(hidden.contiguous()).float()
        logits = logits * (getattr(text, "logit_scale", None) or 1.0) / (getattr(text, "logits_scaling", None) or 1.0)
        cap = getattr(text, "final_logit_softcapping", None)
        return logits if cap is None else (logits / cap).tanh() * cap
