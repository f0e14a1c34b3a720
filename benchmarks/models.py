"""The models of a run: loaded at first use, one language model in memory at a time, and what they need."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from benchmarks.contract import BadInput
from benchmarks.spec import ModelSpec
from strategies.contract import Embedder, LanguageModel
from strategies.models.device import Placement, choose

DEFAULT_EMBEDDER = "minilm-l6"


@dataclass
class Models:
    """Language models by name and the embedder. `data_stays_here` refuses a model on another machine before any byte."""

    specs: Sequence[ModelSpec]
    data_stays_here: bool = False
    accept_terms: bool = False
    dtype: str | None = None
    _ready: dict[str, LanguageModel] = field(default_factory=dict, repr=False)
    _embedder: Embedder | None = field(default=None, repr=False)
    _placement: Placement | None = field(default=None, repr=False)

    @property
    def placement(self) -> Placement:
        if self._placement is None:
            try:
                self._placement = choose(dtype=self.dtype)
            except ValueError as error:
                raise BadInput(str(error)) from error
        return self._placement

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(spec.name for spec in self.specs)

    def language(self, name: str) -> LanguageModel:
        if name not in self._ready:
            spec = next(spec for spec in self.specs if spec.name == name)
            model = self._endpoint(spec) if spec.endpoint else self._local(spec)
            if self.data_stays_here and not model.local:
                raise BadInput(
                    f"model {name} runs on another machine, and the task says data_stays_here; nothing was sent. "
                    "Take the constraint out or name a local model."
                )
            self._ready[name] = model
        return self._ready[name]

    @property
    def embedder(self) -> Embedder:
        if self._embedder is None:
            from strategies.models.embedding import LocalEmbedder
            from strategies.models.weights import resolve

            found = resolve(DEFAULT_EMBEDDER)
            device = self.placement.device
            self._embedder = LocalEmbedder(
                name=DEFAULT_EMBEDDER, folder=found.folder, fingerprint=found.fingerprint, device=device
            )
        return self._embedder

    def _local(self, spec: ModelSpec) -> LanguageModel:
        from strategies.models.local import LocalModel
        from strategies.models.weights import resolve

        found = resolve(spec.name, accept_terms=self.accept_terms)
        return LocalModel(
            name=spec.name,
            folder=found.folder,
            weights_fingerprint=found.fingerprint,
            placement=self.placement,
        )

    def _endpoint(self, spec: ModelSpec) -> LanguageModel:
        from strategies.models.endpoint import EndpointModel

        serving: Mapping[str, Any] = spec.serving
        return EndpointModel(**{"model": spec.name, **serving, "name": spec.name, "base_url": str(spec.endpoint)})
