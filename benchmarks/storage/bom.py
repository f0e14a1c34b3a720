"""What a run was made of, for whoever has to answer for it: packages, models and adapters as a CycloneDX bill of materials."""

from __future__ import annotations

import hashlib
import json
import os
import re
from collections.abc import Iterator, Mapping
from importlib.metadata import Distribution, PackageNotFoundError, distribution
from pathlib import Path
from typing import Any

FILE = "bom.json"
ROOTS = (
    "finetune-advisor",
    "torch",
    "transformers",
    "peft",
    "sentence-transformers",
    "faiss-cpu",
    "numpy",
    "openai",
    "pydantic",
)
"""From here on what each needs; more than the first, since that is not installed where the program runs from its sources."""
_NAME = re.compile(r"[A-Za-z0-9._-]+")


def write_bom(folder: Path, identity: Mapping[str, Any], commits: Mapping[str, str], reranker: str = "") -> None:
    """Writes bom.json into the run folder. `identity`: that of the run; `commits`: model of a hub -> where it was taken from;
    `reranker`: its name, if there is one, which the identity lacks."""
    hashed = _hashed(identity, reranker)
    models = {name: commits.get(name, "") for name in (*hashed, *commits)}
    told = [_model(name, hashed.get(name, ""), commit) for name, commit in sorted(models.items())]
    components = [*_packages(), *told, *_adapters(folder)]
    values = {"bomFormat": "CycloneDX", "specVersion": "1.6", "version": 1, "components": components}
    partial = folder / f"{FILE}.partial"
    partial.write_text(json.dumps(values, indent=1), encoding="utf-8")
    os.replace(partial, folder / FILE)


def _packages() -> list[dict[str, Any]]:
    """This one and all that it needs, as installed; what an extra or another system would need is passed over."""
    found: dict[str, Distribution] = {}
    waiting = list(ROOTS)
    while waiting:
        name = _plain(waiting.pop())
        if name in found:
            continue
        try:
            found[name] = distribution(name)
        except PackageNotFoundError:
            continue
        waiting += _needs(found[name])
    return [
        {"type": "library", "name": name, "version": each.version, "purl": f"pkg:pypi/{name}@{each.version}"}
        for name, each in sorted(found.items())
    ]


def _needs(package: Distribution) -> Iterator[str]:
    for line in package.requires or ():
        if "extra ==" not in line and (name := _NAME.match(line)):
            yield name.group()


def _plain(name: str) -> str:
    """As package indexes write it."""
    return re.sub(r"[-_.]+", "-", name).lower()


def _hashed(identity: Mapping[str, Any], reranker: str) -> dict[str, str]:
    """Model -> hash of its weights, or of a server's address and model; an embedder too, where its name does not say all, and a
    reranker."""
    embedder = identity.get("embedder_weights") or identity.get("embedder_files")
    found = {identity["embedder"]: embedder, reranker: identity.get("reranker")}
    return {**identity["weights"], **{name: weights for name, weights in found.items() if name and weights}}


def _model(name: str, fingerprint: str, commit: str) -> dict[str, Any]:
    """`commit` is empty for what lies on no hub."""
    purl = f"pkg:huggingface/{name.partition('@')[0]}@{commit}"
    return {
        "type": "machine-learning-model",
        "name": name,
        "version": fingerprint or commit,
        **({"purl": purl} if commit else {}),
    }


def _adapters(folder: Path) -> Iterator[dict[str, Any]]:
    for path in sorted((folder / "fits").rglob("adapter_model.safetensors")):
        digest = hashlib.sha256(path.read_bytes()).hexdigest()
        yield {
            "type": "machine-learning-model",
            "name": path.parent.relative_to(folder).as_posix(),
            "hashes": [{"alg": "SHA-256", "content": digest}],
        }
