"""A sentence embedder in this process. A text's vector depends on what is asked for with it, and on nothing that was before."""

from __future__ import annotations

import hashlib
import json
import math
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Any

from strategies.models import unpickled
from strategies.models.contrastive import Lessons, tokens_of

BLOCK = 256
"""Texts that are read together, on average; sentence-transformers sorts them by length inside."""
KEPT = 200_000
"""Vectors that are kept at most."""
COUNTED = 256
"""Texts whose tokens are counted at once."""
SIDES = {"query": ("query",), "document": ("document", "passage", "corpus")}
"""Under which names a model states the prompt of each side of a search, as sentence-transformers looks them up."""


@dataclass(frozen=True)
class Read:
    """Vectors of texts that were read together, float32 of shape (texts, dimension), and the seconds that it took."""

    vectors: Any
    seconds: float


@dataclass(kw_only=True)
class LocalEmbedder:
    """A sentence-transformers folder, loaded at first use. Vectors are kept by hashes of the texts, never the texts.

    What is read beside a text moves the last digits of its vector. So a call is cut into blocks that only its texts decide,
    and a block is read as a whole or kept as a whole: vectors are the same in each process, whatever it has read before.
    Parts of `common`, which many approaches ask for, are taken out of all of it.

    `remember` is switched off while held-out cases are answered, so that every approach pays for its own queries.
    """

    name: str
    folder: Path
    fingerprint: str
    device: str = "cpu"
    remember: bool = True
    common: Sequence[str] = field(default=(), repr=False, compare=False)
    """Different texts, read all at once as soon as one of them is asked for, such as the inputs of a run's examples."""
    spared_s: float = field(default=0.0, compare=False)
    """Seconds that vectors which were kept would have taken again so far, less those that read more than was asked for."""
    _kept: dict[bytes, Read] = field(default_factory=dict, repr=False, compare=False)

    @cached_property
    def model(self) -> Any:
        return self._module()

    @cached_property
    def prompts(self) -> Mapping[str, str]:
        """What the files of the model put before a `query` and before a `document`; empty where they state neither.

        It is for searching. Texts of one kind are compared as `embed` makes their vectors, as sentence-transformers advises.
        """
        stated = _stated_prompts(self.folder)
        found = {side: next((stated[name] for name in names if stated.get(name)), "") for side, names in SIDES.items()}
        return found if any(found.values()) else {}

    @property
    def reads(self) -> int | None:
        """Tokens of a text after which the model stops reading; None where it reads all, as static embeddings do."""
        limit = self.model.max_seq_length
        return int(limit) if limit and math.isfinite(limit) else None

    def unloaded(self) -> LocalEmbedder:
        """The same, with nothing loaded or remembered."""
        return replace(self, spared_s=0.0, _kept={})

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
        return sum(tokens_of(self.model.preprocess(part)) for part in parts)

    def embed(self, texts: Sequence[str]) -> Any:
        """float32 array of shape (len(texts), dimension), rows of unit length."""
        return self._embedded(texts, None)

    def embed_behind(self, prompt: str, texts: Sequence[str]) -> Any:
        """As `embed`, with the prompt before each text; an empty one is none, whatever the model puts there by default."""
        return self._embedded(texts, prompt)

    def _embedded(self, texts: Sequence[str], prompt: str | None) -> Any:
        import numpy as np

        keys = [_key(text) for text in texts]
        if not keys:
            return np.zeros((0, self.model.get_embedding_dimension()), dtype="float32")
        asked = dict(zip(keys, texts, strict=True))
        found = self._of_common(asked) if self.remember and prompt is None else {}
        for block in _blocks([key for key in asked if key not in found]):
            found.update(zip(block, self._block(block, asked, prompt).vectors, strict=True))
        return np.stack([found[key] for key in keys])

    @cached_property
    def _places(self) -> dict[bytes, int]:
        """Where the vector of each common text stands."""
        return {_key(text): place for place, text in enumerate(self.common)}

    @cached_property
    def _all_common(self) -> Read:
        """Whoever is the first reads more than it asks for, and is not charged for that."""
        import numpy as np

        texts = dict(zip(self._places, self.common, strict=True))
        read = [self._read([texts[key] for key in block]) for block in _blocks(list(texts))]
        whole = Read(np.concatenate([each.vectors for each in read]), sum(each.seconds for each in read))
        self.spared_s -= whole.seconds
        return whole

    def _of_common(self, asked: Iterable[bytes]) -> dict[bytes, Any]:
        """Vectors of those texts that are common."""
        places = {key: self._places[key] for key in asked if key in self._places}
        if not places:
            return {}
        whole = self._all_common
        self.spared_s += whole.seconds * len(places) / len(self._places)
        return {key: whole.vectors[place] for key, place in places.items()}

    def _block(self, block: Sequence[bytes], texts: Mapping[bytes, str], prompt: str | None) -> Read:
        if not self.remember:
            return self._read([texts[key] for key in block], prompt)
        name = hashlib.sha256(b"".join([*block, *([] if prompt is None else [_key(prompt), b"prompt"])])).digest()
        if name in self._kept:
            self.spared_s += self._kept[name].seconds
            return self._kept[name]
        read = self._read([texts[key] for key in block], prompt)
        if sum(len(each.vectors) for each in self._kept.values()) + len(block) <= KEPT:
            self._kept[name] = read
        return read

    def _read(self, texts: list[str], prompt: str | None = None) -> Read:
        model, start = self.model, time.perf_counter()
        behind = {} if prompt is None else {"prompt": prompt}
        vectors = model.encode(texts, batch_size=32, normalize_embeddings=True, show_progress_bar=False, **behind)
        return Read(vectors.astype("float32"), time.perf_counter() - start)


def _stated_prompts(folder: Path) -> dict[str, str]:
    """What the files of a model state by name, where sentence-transformers takes it from them."""
    path = folder / "config_sentence_transformers.json"
    if not path.is_file() or not (folder / "modules.json").is_file():
        return {}
    stated = json.loads(path.read_text(encoding="utf-8"))
    if stated.get("model_type", "SentenceTransformer") != "SentenceTransformer":
        return {}
    return {name: text for name, text in (stated.get("prompts") or {}).items() if isinstance(text, str)}


def _key(text: str) -> bytes:
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).digest()


def _blocks(keys: Sequence[bytes]) -> Iterator[Sequence[bytes]]:
    """Keys in groups that end where a key itself says so: with one more or less, only its own group is another."""
    first = 0
    for place, key in enumerate(keys, start=1):
        if int.from_bytes(key[:4]) % BLOCK == 0 or place == len(keys):
            yield keys[first:place]
            first = place
