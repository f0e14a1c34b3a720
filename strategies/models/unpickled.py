"""Refuses weights that can run code when they are read: pickles where a package would take them, and under a safe name."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path, PurePosixPath
from typing import Any

from strategies.models.wheels import ModelUnavailable

WEIGHTS, INDEX = "model.safetensors", "model.safetensors.index.json"
"""What packages take first of all weights in a folder; the second names parts of one model."""
CONSOLIDATED = "consolidated*"
"""Files in which Mistral puts the same weights once more, in a form of its own that nothing here reads."""
PICKLED = frozenset({".bin", ".pt", ".pth", ".pkl", ".pickle", ".ckpt"})
ADAPTER = ("adapter_config.json", "adapter_model.bin")
LONGEST_HEADER = 100_000_000
"""Bytes, as the format has it."""
_INSTEAD = "Pickled weights can run code when they are read and are refused"


def weight_files(folder: Path) -> list[Path]:
    """The safetensors that packages read of a model: one file, or the parts that an index names, and nothing that lies beside
    them; all that there are where it has neither."""
    if (folder / WEIGHTS).is_file():
        return [folder / WEIGHTS]
    if (folder / INDEX).is_file():
        parts = set(json.loads((folder / INDEX).read_text(encoding="utf-8"))["weight_map"].values())
        return [path for part in sorted(parts) if (path := folder / part).is_file()]
    return sorted(folder.glob("*.safetensors"))


def absent_parts(folder: Path) -> list[str]:
    """Names of the parts that an index names and that are not in the folder; none where one file holds all weights."""
    if (folder / WEIGHTS).is_file() or not (folder / INDEX).is_file():
        return []
    parts = set(json.loads((folder / INDEX).read_text(encoding="utf-8"))["weight_map"].values())
    return sorted(part for part in parts if not (folder / part).is_file())


def places(folder: Path) -> list[Path]:
    """The folders of a model that are looked into: its own, and those of its modules. Raises `ModelUnavailable`."""
    modules = [_inside(folder, str(entry.get("path", ""))) for entry in _listed(folder / "modules.json", list)]
    routes = [_inside(place, name) for place in modules for name in _listed(place / "router_config.json", dict)]
    return [place for place in dict.fromkeys([folder, *modules, *routes]) if place.is_dir()]


def check(folder: Path, name: str = "") -> None:
    """Raises `ModelUnavailable` where something other than safetensors would be read of the model in the folder."""
    told = name or folder.name
    for place in places(folder):
        files = sorted(path for path in place.iterdir() if path.is_file())
        names = [path.name for path in files]
        for adapter in ADAPTER:
            if adapter in names:
                raise ModelUnavailable(
                    f"{told} holds {adapter}: it is an adapter, or has one beside it, and what that is put on may lie anywhere. "
                    "Merge the two (`merge_and_unload`), and save the whole with `save_pretrained` into a folder of its own."
                )
        pickles = [path.name for path in files if path.suffix.lower() in PICKLED]
        if pickles and not {WEIGHTS, INDEX} & set(names):
            raise ModelUnavailable(
                f"{told} holds {pickles[0]} where {WEIGHTS} belongs. {_INSTEAD}; save the model with `save_pretrained`, "
                "which writes safetensors."
            )
        check_files(files, told)


def check_adapter(folder: Path) -> None:
    """Raises `ModelUnavailable` where the weights of the adapter are not what `adapter_model.safetensors` holds."""
    path = folder / "adapter_model.safetensors"
    if not path.is_file():
        raise ModelUnavailable(f"The adapter in {folder.name} has no {path.name}. {_INSTEAD}.")
    check_files([path], folder.name)


def check_files(files: Iterable[Path], name: str) -> None:
    """Raises `ModelUnavailable` where one is called safetensors and is something else, or names parts that are."""
    for path in files:
        if path.suffix == ".safetensors" and not _has_header(path):
            raise ModelUnavailable(
                f"{path.name} of {name} does not begin as safetensors do, so it is something else under that name. {_INSTEAD}; "
                "where it is a stub of Git LFS, fetch the file itself."
            )
        if path.suffix == ".safetensors" and _is_cut(path):
            raise ModelUnavailable(
                f"{path.name} of {name} ends before its weights do. It was copied in part; fetch it again."
            )
        if path.name.endswith(".safetensors.index.json") and not _names_parts(path):
            raise ModelUnavailable(
                f"{path.name} of {name} names weights that are no safetensors in the same folder. {_INSTEAD}; save the model "
                "with `save_pretrained`."
            )


def _has_header(path: Path) -> bool:
    """Eight bytes that say how long the header is, and a header that is a JSON object."""
    try:
        with path.open("rb") as file:
            size = int.from_bytes(file.read(8), "little")
            if not 2 <= size <= min(LONGEST_HEADER, path.stat().st_size - 8):
                return False
            return isinstance(json.loads(file.read(size)), dict)
    except (ValueError, RecursionError):
        return False


def _is_cut(path: Path) -> bool:
    """Whether the file is shorter than its header says; the header is one."""
    with path.open("rb") as file:
        size = int.from_bytes(file.read(8), "little")
        rows = json.loads(file.read(size))
    ends = [row.get("data_offsets", (0, 0))[1] for row in rows.values() if isinstance(row, dict)]
    return path.stat().st_size < 8 + size + max((end for end in ends if isinstance(end, int)), default=0)


def _names_parts(path: Path) -> bool:
    try:
        parts = set(json.loads(path.read_text(encoding="utf-8"))["weight_map"].values())
    except (ValueError, RecursionError, LookupError, TypeError, AttributeError):
        return False
    return all(part == PurePosixPath(part).name and part.endswith(".safetensors") for part in parts)


def _inside(folder: Path, name: str) -> Path:
    path = PurePosixPath(name)
    if path.is_absolute() or ".." in path.parts:
        raise ModelUnavailable(
            f"A module of {folder.name} lies outside of it ({name[:80]!r}). Take a model that is whole in one folder."
        )
    return folder / path


def _listed(path: Path, kind: type[list[Any]] | type[dict[str, Any]]) -> list[Any]:
    """The modules that a file names: a list of them, or for one that hands on to others their folders under `types`."""
    if not path.is_file():
        return []
    try:
        values = json.loads(path.read_text(encoding="utf-8"))
        found = values["types"] if kind is dict else values
        if isinstance(found, kind) and all(isinstance(each, dict if kind is list else str) for each in found):
            return list(found)
    except (OSError, ValueError, RecursionError, LookupError, TypeError):
        pass
    raise ModelUnavailable(f"{path.name} of {path.parent.name} does not list modules. Take a whole copy of the model.")
