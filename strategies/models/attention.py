"""Which positions a model may look at, and how many there are: masks built by position, so that shared beginnings and
padding may lie between."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

FULL, SLIDING = "full_attention", "sliding_attention"


@dataclass(frozen=True)
class Attention:
    """The kinds of attention layers of a model, and the width of its sliding window in tokens where it has one."""

    kinds: frozenset[str]
    window: int | None = None

    @classmethod
    def of(cls, config: Any) -> Attention:
        """Read from a transformers configuration."""
        text = config.get_text_config()
        width = getattr(text, "sliding_window", None)
        named = getattr(text, "layer_types", None) or getattr(text, "attention_layers", None)  # The latter in GPT-Neo.
        if named:
            kinds = frozenset(FULL if kind == "global" else kind for kind in named)
        elif getattr(text, "attention_chunk_size", None):
            kinds = frozenset({"chunked_attention"})
        else:
            kinds = frozenset({SLIDING if width else FULL})
        return cls(kinds, int(width) if width and SLIDING in kinds else None)

    @property
    def known(self) -> bool:
        """Whether `mask` can say what every layer may look at."""
        return (
            bool(self.kinds)
            and self.kinds <= {FULL, SLIDING}
            and (self.window is not None or SLIDING not in self.kinds)
        )

    def mask(self, sees: Any, asking: Any, places: Any, dtype: Any) -> Any:
        """What the decoder takes as `attention_mask`: one mask, or one for each kind of layer.

        `sees` is a bool tensor (rows, queries, keys) without any window, `asking` (rows, queries) and `places`
        (rows, keys) are positions in the text. The window counts positions, not slots: padding takes up none of it.
        """
        if self.window is None:
            return additive(sees, dtype)
        near = sees & (asking[:, :, None] - places[:, None, :] < self.window)
        if FULL not in self.kinds:
            return additive(near, dtype)
        return {FULL: additive(sees, dtype), SLIDING: additive(near, dtype)}


def reach(config: Any) -> int:
    """Tokens that a text may have here, from a transformers configuration.

    Under LongRoPE no more than its short factors are for. One longer text in a pass has transformers take the long factors
    for all of the pass, so that answers would depend on their neighbours in a batch.
    """
    text = config.get_text_config()
    turned = getattr(text, "rope_parameters", None) or {}
    kinds = [turned, *(each for each in turned.values() if isinstance(each, dict))]
    short = [each["original_max_position_embeddings"] for each in kinds if each.get("rope_type") == "longrope"]
    return int(min([stated(config), *short]))


def stated(config: Any) -> int:
    """Tokens that a text may have as the configuration states it; 2,048 where it states nothing."""
    return int(getattr(config.get_text_config(), "max_position_embeddings", 2048))


def additive(sees: Any, dtype: Any) -> Any:
    """0 where a position may look, the lowest number where not: (rows, 1, queries, keys); rows that see nothing stay finite."""
    import torch

    mask = torch.zeros(sees.shape, dtype=dtype, device=sees.device)
    return mask.masked_fill_(~sees, torch.finfo(dtype).min)[:, None]
