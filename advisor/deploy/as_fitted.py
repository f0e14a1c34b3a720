"""Holds the models of this machine against those that a run was fitted with: with others it would answer something else."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchmarks.contract import BadInput
from benchmarks.running.elsewhere import has_weights
from benchmarks.running.models import Models
from benchmarks.specs.spec_models import HOW_ASKED
from strategies.contract import LanguageModel
from strategies.models.device import fits
from strategies.models.endpoint import EndpointModel
from strategies.models.served import at_hand
from strategies.models.sizes import FIXED_BYTES, copy_bytes
from strategies.standalone.alone import CONSTANT, COPIED, HEAD, PROMPT, WORDS

if TYPE_CHECKING:
    from advisor.deploy.answering import Kept

WITHOUT = (CONSTANT, COPIED, HEAD, WORDS)
"""Files of fits that need no embedder but one of their own."""


def must_speak_alike(kept: Kept, found: LanguageModel) -> None:
    """Raises `BadInput` where a language model is not the one of the run. Its device and its size of batches do not matter."""
    name, known = found.name, kept.weights.get(found.name)
    if isinstance(found, EndpointModel):
        if known != found.fingerprint:
            raise BadInput(
                f"The server of {name} is asked otherwise than in the run: another {HOW_ASKED}. Take that of the run, or "
                "run the task again."
            )
        return
    small, tokens = getattr(at_hand(found), "quantised", False), kept.batches.get(name)
    if has_weights(found, known, tokens, small):
        return
    if has_weights(found, known, tokens, not small):
        ways = ("in four bits", "whole")
        then, now = reversed(ways) if small else ways
        raise BadInput(
            f"{name} was held {then} in the run and is held {now} here, where it would answer otherwise. Take a graphics card, "
            "with bitsandbytes installed, or run the task again."
        )
    raise BadInput(f"{name} has other weights than in the run. Take those, or run the task again.")


def is_held_otherwise(kept: Kept, found: LanguageModel) -> bool:
    """Whether it is in four bits, or whole, only since of the graphics card another part is free than in the run."""
    here, known, tokens = at_hand(found), kept.weights.get(found.name), kept.batches.get(found.name)
    return here is not None and all(
        has_weights(found, known, tokens, small) == (small != here.quantised) for small in (True, False)
    )


def must_fit(found: LanguageModel) -> None:
    """Raises `BadInput` where a graphics card has no room for one copy, of which none is there yet."""
    here = at_hand(found)
    if here is None or found is not here or not here.placement.device.startswith("cuda"):
        return
    room = fits(FIXED_BYTES + copy_bytes(here.folder, here.placement, here.quantised), here.placement.device)
    if not room.fits:
        held = "in four bits" if here.quantised else "whole"
        raise BadInput(
            f"{found.name} was held {held} in the run and {room.sentence}. Free as much, or run the task again."
        )


def asks_a_server(model: LanguageModel) -> bool:
    """Whether others answer for the model, who may answer one request otherwise each time."""
    return isinstance(model, EndpointModel) or not model.local


def must_look_up_alike(kept: Kept, fit: Path, models: Models) -> None:
    """Raises `BadInput` where the fit in the folder needs an embedder or a reranker, and that is not the one of the run."""
    if _embeds(fit):
        _must_be_the_embedder(kept.searches, models)
    if not _reranks(fit):
        return
    found = models.reranker
    if found is None:
        raise BadInput(
            "The passages of the run were sorted by a reranker, and the task names none. Name that one, or run the task again."
        )
    if found.fingerprint != kept.searches.get("reranker"):
        raise BadInput(f"The reranker {found.name} is not the one of the run. Take that one, or run the task again.")


def _must_be_the_embedder(then: Mapping[str, str], models: Models) -> None:
    """By its weights, or by its name where that alone says which it is."""
    name, was = models.embedder_spec.name, then.get("embedder")
    weights = then.get("embedder_weights") or then.get("embedder_files")
    if models.embedder.fingerprint == weights if weights else name == was:
        return
    if name == was:
        raise BadInput(f"The embedder {name} has other weights than in the run. Take those, or run the task again.")
    raise BadInput(f"The embedder is {name}, and in the run it was {was}. Take that one, or run the task again.")


def _embeds(fit: Path) -> bool:
    """Whether it answers with vectors; also where its files do not say so, as of an approach of another package."""
    asked = _read(fit / PROMPT)
    return "lookup" in asked if asked else not any((fit / name).is_file() for name in WITHOUT)


def _reranks(fit: Path) -> bool:
    setup = _read(fit / "pipeline.json").get("setup") or {}
    return setup.get("mode") == "reranked" and (fit / "index").is_dir()


def _read(path: Path) -> dict[str, Any]:
    values = json.loads(path.read_text(encoding="utf-8")) if path.is_file() else {}
    return values if isinstance(values, dict) else {}


@contextmanager
def told_where(task: str) -> Iterator[None]:
    """Says, of a model that is not found, that a run does not remember folders."""
    try:
        yield
    except BadInput as error:
        hint = "" if task else " If the model lies in a folder, name the task too: --task task.yaml."
        raise BadInput(f"{error}{hint}") from None
