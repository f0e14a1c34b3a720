"""A sentence embedder in this process; equal texts are embedded once a run."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Any

from strategies.models import unpickled
from strategies.models.contrastive import Lessons

CHUNK = 4096
"""Texts embedded at once; sentence-transformers sorts them by length inside."""
COUNTED = 256
"""Texts whose tokens are counted at once."""


@dataclass(kw_only=True)
class LocalEmbedder:
    """A sentence-transformers folder, loaded at first use. Vectors are kept by a hash of the text, never the text.

    `remember` is switched off while held-out cases are answered, so that every approach pays for its own queries.
    """

    name: str
    folder: Path
    fingerprint: str
    device: str = "cpu"
    remember: bool = True
    spared_s: float = field(default=0.0, compare=False)
    """Seconds that texts whose vectors were kept would have taken again so far, each as long as at first."""
    _known: dict[bytes, Any] = field(default_factory=dict, repr=False, compare=False)
    _took: dict[bytes, float] = field(default_factory=dict, repr=False, compare=False)

    @cached_property
    def model(self) -> Any:
        return self._module()

    def unloaded(self) -> LocalEmbedder:
        """The same, with nothing loaded or remembered."""
        return replace(self, spared_s=0.0, _known={}, _took={})

    def _module(self) -> Any:
        """A fresh copy of the weights."""
        from sentence_transformers import SentenceTransformer

        from strategies.models.quiet import quiet

        unpickled.check(self.folder, self.name)
        with quiet():
            return SentenceTransformer(
                str(self.folder), device=self.device, trust_remote_code=False, model_kwargs={"use_safetensors": True}
            )

    def at(self, folder: Path) -> LocalEmbedder:
        """The embedder that `tuned` wrote into the folder. It remembers no vectors."""
        weights = hashlib.sha256((folder / "model.safetensors").read_bytes()).hexdigest()[:20]
        return LocalEmbedder(
            name=f"{self.name}, tuned", folder=folder, fingerprint=weights, device=self.device, remember=False
        )

    def tuned(self, lessons: Lessons, folder: Path, seed: int) -> int:
        """Trains a copy so that examples of one label lie together, writes it into the folder, returns the tokens read."""
        from strategies.models import contrastive
        from strategies.models.quiet import quiet

        module = self._module()
        tokens = contrastive.train(module, lessons, seed)
        with quiet():
            contrastive.save(module, folder)
        return tokens

    def count(self, texts: Sequence[str]) -> int:
        """Tokens of the texts, each cut where the embedder stops reading."""
        parts = (list(texts[first : first + COUNTED]) for first in range(0, len(texts), COUNTED))
        return sum(int(self.model.preprocess(part)["attention_mask"].sum()) for part in parts)

    def embed(self, texts: Sequence[str]) -> Any:
        """float32 array of shape (len(texts), dimension), rows of unit length."""
        import numpy as np

        keys = [hashlib.sha256(text.encode("utf-8", "surrogatepass")).digest() for text in texts]
        found: dict[bytes, Any] = {}
        took: dict[bytes, float] = {}
        fresh = list({key: text for key, text in zip(keys, texts, strict=True) if key not in self._known}.items())
        for first in range(0, len(fresh), CHUNK):
            part = fresh[first : first + CHUNK]
            model, start = self.model, time.perf_counter()
            vectors = model.encode(
                [text for _, text in part], batch_size=32, normalize_embeddings=True, show_progress_bar=False
            )
            found.update(zip((key for key, _ in part), vectors.astype("float32"), strict=True))
            took |= dict.fromkeys((key for key, _ in part), (time.perf_counter() - start) / len(part))
        self.spared_s += sum(self._took[key] for key in set(keys) - found.keys())
        if self.remember:
            self._known.update(found)
            self._took.update(took)
        if not keys:
            return np.zeros((0, self.model.get_embedding_dimension()), dtype="float32")
        return np.stack([found[key] if key in found else self._known[key] for key in keys])
