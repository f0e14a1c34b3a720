"""A cross-encoder in this process: it reads a question and a passage together and says how relevant the passage is."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from strategies.models import unpickled

BATCH = 32


@dataclass(frozen=True, kw_only=True)
class LocalReranker:
    """A folder with a model for sequence classification of one output, loaded at first use."""

    name: str
    folder: Path
    fingerprint: str
    device: str = "cpu"

    @cached_property
    def model(self) -> Any:
        """Raises `ValueError` with a sentence where the model does not give one relevance."""
        if not self._classifies():
            raise ValueError(f"{self.name} is no cross-encoder. Name one as the reranker, or leave it out.")
        from sentence_transformers import CrossEncoder

        from strategies.models.quiet import quiet

        unpickled.check(self.folder, self.name)
        with quiet():
            module = CrossEncoder(
                str(self.folder), device=self.device, trust_remote_code=False, model_kwargs={"use_safetensors": True}
            )
        if module.num_labels != 1:
            raise ValueError(
                f"{self.name} tells {module.num_labels} classes apart; a reranker gives one number, how relevant a passage is. "
                "Name a cross-encoder that was trained to rank."
            )
        return module

    def _classifies(self) -> bool:
        """Other models could be loaded too, with a head of random weights."""
        config = json.loads((self.folder / "config.json").read_text(encoding="utf-8"))
        return any(str(entry).endswith("ForSequenceClassification") for entry in config.get("architectures") or ())

    def relevance(self, pairs: Sequence[tuple[str, str]]) -> Any:
        """float32 array of shape (len(pairs),) of (question, passage); greater is more relevant."""
        return self.model.predict(list(pairs), batch_size=BATCH, show_progress_bar=False, convert_to_numpy=True)
