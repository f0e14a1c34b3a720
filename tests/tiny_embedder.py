"""A tiny random sentence embedder as an ordinary folder, for tests that name their models as a person does."""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from strategies.models.embedding import LocalEmbedder
from tests import tiny

FOLDER = "tiny-embedder"


class TrainableHashes(LocalEmbedder):
    """Embeds as `tiny.WordHashes` does; what is trained is the encoder in its folder, written at first use."""

    def embed(self, texts: Sequence[str]) -> Any:
        return tiny.WordHashes().embed(texts)

    def _module(self) -> Any:
        if not self.folder.is_dir():
            embedder_folder(self.folder.parent)
        return super()._module()


def trainable(place: Path) -> TrainableHashes:
    known = tiny.WordHashes()
    return TrainableHashes(name=known.name, folder=place / FOLDER, fingerprint=known.fingerprint)


def prompted(folder: Path, place: Path, prompts: Mapping[str, str]) -> Path:
    """A copy of an embedder that states prompts in its files."""
    shutil.copytree(folder, place)
    about = place / "config_sentence_transformers.json"
    about.write_text(json.dumps(json.loads(about.read_text(encoding="utf-8")) | {"prompts": prompts}), encoding="utf-8")
    return place


def embedder_folder(place: Path) -> Path:
    """Writes a random encoder with mean pooling, as sentence-transformers does; the same weights every time."""
    import torch
    from sentence_transformers import SentenceTransformer
    from sentence_transformers.sentence_transformer.modules import Pooling, Transformer
    from transformers import BertConfig, BertModel

    from strategies.models.quiet import quiet

    folder, inner = place / FOLDER, place / "encoder"
    torch.manual_seed(0)
    config: Any = BertConfig
    sizes = {"hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 1, "num_attention_heads": 2}
    with quiet():
        BertModel(config(vocab_size=300, max_position_embeddings=512, **sizes)).save_pretrained(inner)
        tiny.tokenizer(templated=False).save_pretrained(inner)
        encoder = Transformer(str(inner))
        SentenceTransformer(modules=[encoder, Pooling(32)], device="cpu").save(str(folder), create_model_card=False)
    return folder
