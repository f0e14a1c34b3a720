"""Holds the models of this machine against those that a run was fitted with: with others it would answer something else."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING

from benchmarks.contract import BadInput
from benchmarks.elsewhere import has_weights
from benchmarks.spec_models import HOW_ASKED
from strategies.contract import LanguageModel
from strategies.models.endpoint import EndpointModel
from strategies.models.served import at_hand

if TYPE_CHECKING:
    from advisor.answering import Kept


def must_speak_alike(kept: Kept, found: LanguageModel) -> None:
    """Raises `BadInput` where a language model is not the one of the run. Its device and its size of batches do not matter."""
    name, known = found.name, kept.weights.get(found.name)
    if isinstance(found, EndpointModel):
        earlier = replace(found, context_tokens=EndpointModel.context_tokens)  # Once it was no part of it.
        if known not in (found.fingerprint, earlier.fingerprint):
            raise BadInput(
                f"the server of {name} is asked otherwise than in the run: another {HOW_ASKED}. Take that of the run, or "
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
            f"{name} was held {then} in the run and is held {now} here, where it would answer otherwise. Take a machine with as "
            "much graphics memory, or run the task again."
        )
    raise BadInput(f"{name} has other weights than in the run. Take those, or run the task again.")


@contextmanager
def told_where(task: str) -> Iterator[None]:
    """Says, of a model that is not found, that a run does not remember folders."""
    try:
        yield
    except BadInput as error:
        hint = "" if task else " If the model lies in a folder, name the task too: --task task.yaml."
        raise BadInput(f"{error}{hint}") from None
