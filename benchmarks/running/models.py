"""The models of a run: loaded at first use, one language model in memory at a time, and what they need."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchmarks.contract import BadInput
from benchmarks.costs.spending import SpendingBudget
from benchmarks.running.elsewhere import with_weights
from benchmarks.running.installed import installed_embedder, installed_model, licence_of
from benchmarks.running.whereabouts import at_commit, licence_of_hub, must_embed, place_of
from benchmarks.specs.spec_models import DEFAULT_EMBEDDER, EmbedderSpec, ModelSpec, RerankerSpec
from strategies.contract import Embedder, LanguageModel, Reranker
from strategies.models import quantised
from strategies.models.device import Placement, choose
from strategies.models.known import KNOWN, NOT_ASKED
from strategies.models.weights import ModelUnavailable, Resolved, hub_parts, resolve

if TYPE_CHECKING:
    from strategies.models.local import LocalModel
    from strategies.models.vllm_server import VllmServer

__all__ = ["DEFAULT_EMBEDDER", "Models"]


class Forbidden(BadInput):
    """The constraints of the task rule a model out."""


@dataclass
class Models:
    """Language models by name and the embedder. `data_stays_here` refuses a model on another machine before any byte."""

    specs: Sequence[ModelSpec]
    data_stays_here: bool = False
    licences: Sequence[str] = ()
    """Those that weights may be under; empty: any."""
    accept_terms: bool = False
    dtype: str | None = None
    embedder_spec: EmbedderSpec = field(default_factory=EmbedderSpec)
    reranker_spec: RerankerSpec | None = None
    base: Path = field(default_factory=Path)
    """What relative folders of models are relative to: the folder of the task spec."""
    teacher: str = ""
    """Name of the one that others learn from: it answers requests which have no answers, and proposes instructions."""
    spending: SpendingBudget | None = None
    """What servers may be paid; None: whatever they cost."""
    meeting: Path | None = None
    """Folder on this machine in which workers meet that share the servers which the run starts; None: there is one worker."""
    commits: dict[str, str] = field(default_factory=dict)
    """Model of a hub -> the commit that is taken, known beforehand or from the first look on: a branch may be moved meanwhile."""
    in_four_bits: dict[str, bool] = field(default_factory=dict)
    """Whether a local model was held so when a run began; of others what is free on the graphics card decides."""
    _ready: dict[str, LanguageModel] = field(default_factory=dict, repr=False)
    _embedder: Embedder | None = field(default=None, repr=False)
    _reranker: Reranker | None = field(default=None, repr=False)
    _placement: Placement | None = field(default=None, repr=False)
    _remembers: bool = field(default=True, repr=False)
    _common: tuple[str, ...] = field(default=(), repr=False)

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

    def served(self, name: str) -> bool:
        """True for a model that a server answers for: each of its answers may cost money."""
        spec = self._spec(name)
        offered = installed_model(spec)
        return spec.endpoint is not None or (offered is not None and not offered.local)

    def answered_elsewhere(self, name: str) -> bool:
        """Whether another process answers for it: a server, on this machine too."""
        return self.served(name) or self._spec(name).engine is not None

    def at_once(self, name: str) -> int:
        """How many requests the server of a model is sent at once."""
        from strategies.models.endpoint import EndpointModel

        return self._spec(name).concurrency or EndpointModel.concurrency

    def check_servers(self) -> None:
        """Refuses what a server could not be asked, before anything is spent or sent. Raises `BadInput`."""
        for spec in self.specs:
            if spec.endpoint is not None:
                self.language(spec.name)
            if spec.engine is not None:
                _has_vllm()

    def check_teacher(self) -> None:
        """Raises `BadInput` where the teacher is not among the models."""
        if self.teacher and self.teacher not in self.names:
            raise BadInput(
                f"The teacher is {self.teacher}, and the models are {', '.join(self.names)}. Name it among them too."
            )

    def permitted(self) -> tuple[Models, tuple[str, ...]]:
        """Without the models that the constraints of the task rule out, and a sentence for each of these; nothing is sent, and of
        models on a hub their cards alone are fetched. Raises `Forbidden` where no model would be left, or one is ruled out that
        the others need."""
        left, ruled_out = [], {}
        for spec in self.specs:
            try:
                self._check(spec)
                left.append(spec)
            except Forbidden as error:
                ruled_out[spec.name] = error
        for name, reason in ruled_out.items():
            if not left or name == self.teacher:
                raise reason
        for other in filter(None, (self.embedder_spec, self.reranker_spec)):
            self._check_licence(other.name, other.folder)
        told = (f"models: {name} is left out. {reason}" for name, reason in ruled_out.items())
        return replace(self, specs=tuple(left), _ready=dict(self._ready)), tuple(told)

    def _check(self, spec: ModelSpec) -> None:
        offered = installed_model(spec)
        if offered is not None:
            self._stays_here(offered)
            self._allowed(spec.name, licence_of(offered) if offered.local else "")
        elif spec.endpoint is None:
            self._check_licence(spec.name, spec.folder)
        elif self.data_stays_here:
            self._stays_here(self._endpoint(spec))

    def _check_licence(self, name: str, folder: str | None) -> None:
        if folder is None and name in KNOWN:
            self._allowed(name, KNOWN[name].licence)
        elif self.licences:
            place = place_of(self.base, name, folder)
            if Path(place).expanduser().is_dir():
                self._found(name, folder)
            else:
                self._allowed(name, licence_of_hub(place))

    def _stays_here(self, model: LanguageModel) -> None:
        if self.data_stays_here and not model.local:
            raise Forbidden(
                f"Model {model.name} runs on another machine, and the task says data_stays_here; nothing was sent. "
                "Take the constraint out or name a local model."
            )

    def _allowed(self, name: str, licence: str) -> None:
        if self.licences and licence and licence.casefold() not in (each.casefold() for each in self.licences):
            stated = "states no licence" if licence == "unknown" else f"comes under {licence}"
            raise Forbidden(
                f"The model {name} {stated}, and the task allows {', '.join(self.licences)}. Name another model, or add the "
                "licence to constraints.licences."
            )

    def language(self, name: str) -> LanguageModel:
        if name not in self._ready:
            spec = self._spec(name)
            model = self._endpoint(spec) if spec.endpoint else installed_model(spec) or self._local(spec)
            self._stays_here(model)
            self._ready[name] = model if self.spending is None else self.spending.guarding(model)
        return self._ready[name]

    def held_otherwise(self, name: str) -> LanguageModel:
        """In four bits where it is whole, and whole where it is in four bits, as far as this machine can do that."""
        self.in_four_bits[name] = not getattr(self._ready.pop(name), "quantised", False)
        return self.language(name)

    @property
    def may_change(self) -> bool:
        """Whether the name of the embedder alone does not say which one it is."""
        spec = self.embedder_spec
        return spec.folder is not None or installed_embedder(spec.name, None) is not None

    @property
    def embedder(self) -> Embedder:
        if self._embedder is None:
            from strategies.models.embedding import LocalEmbedder

            spec = self.embedder_spec
            self._embedder = installed_embedder(spec.name, spec.folder)
            if self._embedder is not None:
                self._allowed(spec.name, licence_of(self._embedder))
                return self._embedder
            found = self._found(spec.name, spec.folder)
            must_embed(spec.name, found.kind)
            self._embedder = LocalEmbedder(
                name=spec.name,
                folder=found.folder,
                fingerprint=found.fingerprint,
                device=self.placement.device,
                remember=self._remembers,
                common=self._common,
            )
        return self._embedder

    def for_worker(self, workers: int, threads: int) -> Models:
        """The same models for one of several workers, with nothing loaded and no key: what was measured for them here stays,
        and the requests that a server takes at once are shared out. Raises `BadInput` where they are too few."""
        from strategies.models.embedding import LocalEmbedder

        placement = replace(self.placement, threads=threads, beside=())  # The other cards are other workers'.
        elsewhere = {spec.name for spec in self.specs if spec.endpoint is not None or installed_model(spec) is not None}
        return replace(
            self,
            specs=tuple(_shared_out(spec, workers) for spec in self.specs),
            spending=None if self.spending is None else self.spending.unopened(),
            _ready={
                name: with_weights(model, placement=placement)
                for name, model in self._ready.items()
                if name not in elsewhere
            },
            _embedder=self._embedder.unloaded() if isinstance(self._embedder, LocalEmbedder) else self._embedder,
            _reranker=None,
            _placement=placement,
        )

    def sharing(self, meeting: Path) -> Models:
        """The same for a worker that shares the servers which the run starts with others on this machine."""
        ready = {name: _met(model, meeting) for name, model in self._ready.items()}
        return replace(self, meeting=meeting, _ready=ready)

    def servers(self) -> list[VllmServer]:
        """Those that the run starts, as far as their models are known by now."""
        from strategies.models.served import ServedModel

        return [model.server for model in self._ready.values() if isinstance(model, ServedModel)]

    def found_here(self) -> Models:
        """The same on another machine, where weights may lie elsewhere. Raises `BadInput` where they are missing or others."""
        from strategies.models.embedding import LocalEmbedder
        from strategies.models.served import at_hand

        ready = dict(self._ready)
        for name, model in ready.items():
            here = at_hand(model)
            if here is not None and not here.folder.is_dir():
                found = self._found(name, self._spec(name).folder)
                if found.fingerprint != here.weights_fingerprint:
                    raise BadInput(
                        f"The weights of {name} on a machine of the cluster are not those of the machine that runs the "
                        "comparison. Put the same ones on all, or name the model by id and revision."
                    )
                ready[name] = with_weights(model, folder=found.folder)
        elsewhere = type(self._embedder) is LocalEmbedder and not self._embedder.folder.is_dir()
        return replace(self, _ready=ready, _embedder=None if elsewhere else self._embedder)

    @property
    def reranker(self) -> Reranker | None:
        """None where the task names none. Raises `BadInput` where there is no such cross-encoder."""
        if self._reranker is None and self.reranker_spec is not None:
            from strategies.models.reranking import LocalReranker

            spec = self.reranker_spec
            found = self._found(spec.name, spec.folder)
            reranker = LocalReranker(
                name=spec.name, folder=found.folder, fingerprint=found.fingerprint, device=self.placement.device
            )
            try:
                _ = reranker.model
            except ValueError as error:
                raise BadInput(str(error)) from error
            self._reranker = reranker
        return self._reranker

    def remember(self, vectors: bool) -> None:
        """Says whether the embedder keeps the vectors of texts; also for one that is loaded later."""
        self._remembers = vectors
        if self._embedder is not None and hasattr(self._embedder, "remember"):
            self._embedder.remember = vectors

    def read_together(self, texts: Iterable[str]) -> None:
        """Says what the embedder reads all at once: parts of it, such as of examples, then have the same vectors everywhere."""
        from strategies.models.embedding import LocalEmbedder

        common = tuple(dict.fromkeys(texts))
        if common != self._common:
            self._common = common
            if isinstance(self._embedder, LocalEmbedder):
                self._embedder = replace(self._embedder.unloaded(), common=common)

    # ------------------------------------------------------------ from a spec to a model

    def _spec(self, name: str) -> ModelSpec:
        for spec in self.specs:
            if spec.name == name:
                return spec
        near = difflib.get_close_matches(name, self.names, n=1)
        hint = f" Did you mean {near[0]}?" if near else ""
        raise BadInput(f"There is no model {name!r} in this task; there are {', '.join(self.names)}.{hint}")

    def _found(self, name: str, folder: str | None) -> Resolved:
        """The weights on this disk: a folder beside the spec or as it is written, a known model, or one of a hub."""
        place = at_commit(place_of(self.base, name, folder), self.commits.get(name))
        try:
            found = resolve(place, accept_terms=self.accept_terms)
        except ModelUnavailable as error:
            raise BadInput(str(error)) from error
        self._allowed(name, found.licence)
        if hub_parts(place) is not None:
            self.commits[name] = found.revision
        return found

    def fingerprint(self, name: str, folder: str | None) -> str:
        """A hash of the weights, which are fetched where they are not on this disk."""
        return self._found(name, folder).fingerprint

    def _local(self, spec: ModelSpec) -> LanguageModel:
        from strategies.models.local import LocalModel

        found = self._found(spec.name, spec.folder)
        if found.kind in NOT_ASKED:
            raise BadInput(f"{spec.name} {NOT_ASKED[found.kind]}")
        if spec.engine is None and (why := quantised.unreadable(found.folder)):
            raise BadInput(f"{spec.name} {why}")
        model = LocalModel(
            name=spec.name,
            folder=found.folder,
            weights_fingerprint=found.fingerprint,
            placement=self.placement,
            quantised=spec.engine is None
            and quantised.wanted(found.folder, self.placement, self.in_four_bits.get(spec.name)),
            **self._quickest(found.folder),
        )
        return model if spec.engine is None else self._served(model)

    def _served(self, model: LocalModel) -> LanguageModel:
        from strategies.models.served import ServedModel
        from strategies.models.vllm_server import VllmServer

        _has_vllm()
        return ServedModel(here=model, server=VllmServer(model.folder, self.placement, self.meeting))

    def _quickest(self, folder: Path) -> dict[str, Any]:
        """How the model in the folder is best asked on this machine."""
        from transformers import AutoConfig

        from strategies.models import batch_size, blockwise

        try:
            config, place = AutoConfig.from_pretrained(folder, trust_remote_code=False), self.placement
            attention = blockwise.chosen() if place.device == "cpu" else blockwise.WAYS[1]
            return {"batch_tokens": batch_size.batch_tokens(config, place), "attention": attention}
        except ValueError as error:
            raise BadInput(str(error).partition("\n")[0]) from error

    def _endpoint(self, spec: ModelSpec) -> LanguageModel:
        from strategies.models.endpoint import EndpointModel

        serving = {"model": spec.name, **spec.serving, "name": spec.name, "base_url": str(spec.endpoint)}
        try:
            model = EndpointModel(**serving)
            if model.local or not self.data_stays_here:
                model.key()
        except (ValueError, ModelUnavailable) as error:
            raise BadInput(str(error)) from error
        return model


def _met(model: LanguageModel, meeting: Path) -> LanguageModel:
    from strategies.models.served import ServedModel

    return replace(model, server=replace(model.server, place=meeting)) if isinstance(model, ServedModel) else model


def _has_vllm() -> None:
    from strategies.models.vllm_server import program

    try:
        program()
    except ModelUnavailable as error:
        raise BadInput(str(error)) from error


def _shared_out(spec: ModelSpec, workers: int) -> ModelSpec:
    from strategies.models.endpoint import EndpointModel

    if spec.endpoint is None:
        return spec
    at_once = spec.concurrency or EndpointModel.concurrency
    if at_once < workers:
        raise BadInput(
            f"The model {spec.name} takes {at_once} requests at once, and each of {workers} workers sends one at least. Take "
            f"{at_once} workers, or state a higher concurrency."
        )
    return spec.model_copy(update={"concurrency": at_once // workers})
