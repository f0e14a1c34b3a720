"""Where the weights of a run's models lie: in folders, in the cache, or on a hub; and which of them are still to be fetched."""

from __future__ import annotations

import difflib
import re
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from benchmarks.contract import BadInput
from benchmarks.running.installed import installed_embedder, installed_model
from strategies.models.known import KNOWN, NOT_ASKED, KnownModel, ModelKind
from strategies.models.unfetched import bytes_to_fetch, licence_on_card
from strategies.models.weights import ModelUnavailable, cached, hub_parts, must_be_a_name, must_load

if TYPE_CHECKING:
    from benchmarks.running.models import Models
    from benchmarks.specs.spec_models import EmbedderSpec, ModelSpec

_COMMIT = re.compile(r"[0-9a-f]{40}")


@dataclass(frozen=True, kw_only=True)
class Unfetched:
    """A model that is not on this disk, or not whole."""

    name: str
    download_bytes: int


def place_of(base: Path, name: str, folder: str | None) -> str:
    """What `weights.resolve` takes for a model: a folder beside the spec or as it is written, else its name.

    Raises `BadInput` where its folder is not there.
    """
    written = folder or name
    beside = base / Path(written).expanduser()
    place = str(beside) if written not in KNOWN and beside.is_dir() else written
    if folder is not None and not Path(place).expanduser().is_dir():
        raise BadInput(f"The model {name} is to lie in {folder}, and there is no such folder. Correct the path.")
    return place


def check_names(models: Models) -> None:
    """Raises `BadInput` for a language model whose name can be none: not one of ours that answers, no folder, no id of a hub, not
    offered by another package, and without the address of a server; for a name of an embedder or reranker that can be none
    either; and for a folder that is not there, or holds no model, of each of them. Nothing is fetched, and no hub is asked."""
    folders: list[ModelSpec | EmbedderSpec] = [*models.specs, models.embedder_spec]
    folders += [models.reranker_spec] if models.reranker_spec else []
    for each in folders:
        place_of(models.base, each.name, each.folder)
    for spec in models.specs:
        if spec.endpoint is not None or installed_model(spec) is not None:
            continue
        _must_load(place_of(models.base, spec.name, spec.folder))
        if spec.folder is not None:
            continue
        if spec.name in KNOWN:
            if (kind := KNOWN[spec.name].kind) in NOT_ASKED:
                raise BadInput(f"{spec.name} {NOT_ASKED[kind]}")
        elif hub_parts(spec.name) is None and not Path(place_of(models.base, spec.name, None)).expanduser().is_dir():
            raise BadInput(_no_such_model(spec.name))
    _check_searches(models)


def _check_searches(models: Models) -> None:
    """The same for what turns texts into vectors, and for what sorts what is found."""
    embedder, reranker = models.embedder_spec, models.reranker_spec
    places = [] if reranker is None else [place_of(models.base, reranker.name, reranker.folder)]
    if installed_embedder(embedder.name, embedder.folder) is None:
        places.append(place_of(models.base, embedder.name, embedder.folder))
        if embedder.folder is None and embedder.name in KNOWN:
            must_embed(embedder.name, KNOWN[embedder.name].kind)
    for place in places:
        try:
            must_be_a_name(place)
        except ModelUnavailable as error:
            raise BadInput(str(error)) from None
        _must_load(place)


def _must_load(place: str) -> None:
    """Raises `BadInput` for a folder of this disk without a model."""
    folder = Path(place).expanduser()
    if place in KNOWN or not folder.is_dir():
        return
    try:
        must_load(folder)
    except ModelUnavailable as error:
        raise BadInput(str(error)) from None


def must_embed(name: str, kind: ModelKind) -> None:
    """Raises `BadInput` for a model that answers in place of turning texts into vectors."""
    if kind == "language":
        raise BadInput(f"{name} answers, and does not turn texts into vectors. Name an embedding model.")


def _no_such_model(name: str) -> str:
    ours = [model.name for model in KNOWN.values() if model.kind not in NOT_ASKED]
    near = difflib.get_close_matches(name, ours, n=1, cutoff=0.4)
    hint = f" Did you mean {near[0]}?" if near else ""
    return (
        f"There is no model {name!r} here.{hint} Write one of {', '.join(ours)}, a hub id such as owner/name, or the path of a "
        f'folder with config.json and safetensors; a model on a server is `{{name: {name}, endpoint: "https://..."}}` under '
        "`models`."
    )


def weights_in_folder(models: Models, spec: ModelSpec | EmbedderSpec) -> str:
    """A hash of what the folder of a model holds, which may be others tomorrow; empty where no folder is its name."""
    written = Path(spec.folder or spec.name).expanduser()
    own = spec.folder or (spec.name not in KNOWN and ((models.base / written).is_dir() or written.is_dir()))
    return models.fingerprint(spec.name, spec.folder) if own else ""


def to_download(models: Models, names: Iterable[str]) -> list[KnownModel]:
    """Those of the named language models, and the embedder, that come with the product and are not on this disk."""
    folders = {spec.name: spec.folder for spec in models.specs if spec.endpoint is None}
    wanted = [name for name in dict.fromkeys(names) if name in folders and folders[name] is None]
    wanted += [] if models.embedder_spec.folder else [models.embedder_spec.name]
    known = [KNOWN[name] for name in wanted if name in KNOWN]
    here = {entry.name for entry in cached(known)}
    return [model for model in known if model.name not in here]


# ---------------------------------------------------------------- on a hub


def at_commit(place: str, commit: str | None) -> str:
    """The same for a model on a hub whose commit is known: no branch or tag, which may be moved."""
    parts = hub_parts(place)
    return f"{parts[0]}@{commit}" if parts is not None and commit and _COMMIT.fullmatch(commit) else place


def licence_of_hub(place: str) -> str:
    """The licence that a hub states of a model; empty where it lies elsewhere, or the hub does not tell."""
    parts = hub_parts(place)
    return "" if parts is None else licence_on_card(*parts)


def to_fetch(models: Models, names: Collection[str]) -> list[Unfetched]:
    """Those of the named language models, the embedder and the reranker that lie on a hub and not on this disk."""
    sizes = {name: bytes_to_fetch(*parts) for name, parts in _on_hub(models, names).items()}
    return [Unfetched(name=name, download_bytes=size) for name, size in sizes.items() if size]


def weights_of_hub(models: Models, names: Collection[str]) -> dict[str, str]:
    """Name -> hash of the weights of those that lie on a hub; empty where one of them is still to be fetched."""
    parts = _on_hub(models, names)
    if any(bytes_to_fetch(*each) for name, each in parts.items() if name not in models.commits):
        return {}
    try:
        return {name: models.fingerprint(name, None) for name in parts}
    except BadInput:  # Whoever asks it is told why.
        return {}


def _on_hub(models: Models, names: Collection[str]) -> Mapping[str, tuple[str, str | None]]:
    """Name -> id and revision of what lies on a hub."""
    used = [spec for spec in models.specs if spec.name in names and not (spec.endpoint or installed_model(spec))]
    named = [spec.name for spec in used if spec.folder is None]
    named += [] if models.may_change else [models.embedder_spec.name]
    ranking = models.reranker_spec
    named += [] if ranking is None or ranking.folder is not None else [ranking.name]
    places = {name: at_commit(place_of(models.base, name, None), models.commits.get(name)) for name in named}
    return {name: parts for name, place in places.items() if (parts := hub_parts(place)) is not None}
