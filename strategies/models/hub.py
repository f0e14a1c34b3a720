"""Takes models and files of data sets from the hub that huggingface_hub is set up for; what can go wrong is a sentence."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from strategies.models.quiet import quiet, quiet_hub
from strategies.models.unpickled import CONSOLIDATED
from strategies.models.wheels import ModelUnavailable
from strategies.permissions import as_usual

FILES = ("*.safetensors", "*.json", "*.jinja", "*.txt", "tokenizer.model", "README.md")
"""Weights, configuration, tokenizer and model card; never pickled weights, never code. Of these not what
`unpickled.CONSOLIDATED` names."""
_INSTEAD = {
    "model": "or give the path of a folder, or use smollm2-135m, which comes from a package index",
    "data set": "or put the file beside the task spec",
}


def snapshot(hub_id: str, revision: str | None) -> Path:
    """The folder of one commit, named by it; from the local cache where the hub cannot be reached.

    `HF_TOKEN`, `HF_HOME`, `HF_HUB_OFFLINE` and `HF_ENDPOINT` work as everywhere. Raises `ModelUnavailable`.
    """
    from huggingface_hub import snapshot_download

    try:
        with quiet(), as_usual():
            return Path(
                snapshot_download(hub_id, revision=revision, allow_patterns=list(FILES), ignore_patterns=CONSOLIDATED)
            )
    except (OSError, ValueError) as error:
        raise ModelUnavailable(explained(error, "model", hub_id, revision)) from error


def data_file(data_set: str, name: str, revision: str | None, most: int) -> Path | int:
    """A file of a data set in the local cache, fetched where it is not there yet; its size where that is above `most` bytes.

    Raises what `explained` makes a sentence of.
    """
    from huggingface_hub import DryRunFileInfo, hf_hub_download

    with quiet_hub(), as_usual():
        found = hf_hub_download(data_set, name, repo_type="dataset", revision=revision, dry_run=True)
        if isinstance(found, DryRunFileInfo) and (found.file_size or 0) > most:
            return int(found.file_size or 0)
        return Path(hf_hub_download(data_set, name, repo_type="dataset", revision=revision))


def explained(error: Exception, what: Literal["model", "data set"], hub_id: str, revision: str | None) -> str:
    """Why something could not be taken from the hub, and what to do."""
    from huggingface_hub import constants, errors

    asked = f"{hub_id}@{revision}" if revision else hub_id
    if isinstance(error, errors.GatedRepoError):
        return f"{asked} is gated: accept its terms on its page with your account, then set HF_TOKEN to a token of it."
    if isinstance(error, errors.RevisionNotFoundError):
        return f"{hub_id} has no revision {revision!r}. Write a branch, a tag or a commit."
    if isinstance(error, errors.RepositoryNotFoundError):
        return f"The hub has no {what} {hub_id}, or it is private. Check the spelling; for a private one set HF_TOKEN."
    if isinstance(error, errors.LocalEntryNotFoundError | errors.OfflineModeIsEnabled):
        why = "HF_HUB_OFFLINE is set" if constants.HF_HUB_OFFLINE else "the hub cannot be reached"
        return f"{asked} is not complete in the local cache and {why}. Fetch it once with a network, {_INSTEAD[what]}."
    if isinstance(error, errors.EntryNotFoundError):
        return f"{asked} has no such file. Correct the address: it names one file, not a folder."
    first = next((line.strip() for line in str(error).splitlines() if line.strip()), type(error).__name__)
    return f"{asked} could not be fetched from the hub: {first}"
