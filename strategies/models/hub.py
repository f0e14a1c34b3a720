"""Takes a model from the hub that huggingface_hub is set up for, and turns what can go wrong into sentences."""

from __future__ import annotations

from pathlib import Path

from strategies.models.quiet import quiet
from strategies.models.wheels import ModelUnavailable
from strategies.permissions import as_usual

FILES = ("*.safetensors", "*.json", "*.jinja", "*.txt", "tokenizer.model", "README.md")
"""Weights, configuration, tokenizer and model card; never pickled weights, never code."""


def snapshot(hub_id: str, revision: str | None) -> Path:
    """The folder of one commit, named by it; from the local cache where the hub cannot be reached.

    `HF_TOKEN`, `HF_HOME`, `HF_HUB_OFFLINE` and `HF_ENDPOINT` work as everywhere. Raises `ModelUnavailable`.
    """
    from huggingface_hub import constants, errors, snapshot_download

    asked = f"{hub_id}@{revision}" if revision else hub_id
    try:
        with quiet(), as_usual():
            found = snapshot_download(hub_id, revision=revision, allow_patterns=list(FILES))
    except errors.GatedRepoError as error:
        raise ModelUnavailable(
            f"{asked} is gated: accept its terms on its page with your account, then set HF_TOKEN to a token of it."
        ) from error
    except errors.RevisionNotFoundError as error:
        raise ModelUnavailable(f"{hub_id} has no revision {revision!r}. Write a branch, a tag or a commit.") from error
    except errors.RepositoryNotFoundError as error:
        raise ModelUnavailable(
            f"The hub has no model {hub_id}, or it is private. Check the spelling; for a private one set HF_TOKEN."
        ) from error
    except (errors.LocalEntryNotFoundError, errors.OfflineModeIsEnabled) as error:
        why = "HF_HUB_OFFLINE is set" if constants.HF_HUB_OFFLINE else "the hub cannot be reached"
        raise ModelUnavailable(
            f"{asked} is not complete in the local cache and {why}. Fetch it once with a network, "
            "or give the path of a folder, or use smollm2-135m, which comes from a package index."
        ) from error
    except (OSError, ValueError) as error:
        raise ModelUnavailable(f"{asked} could not be fetched from the hub: {_first_line(error)}") from error
    return Path(found)


def _first_line(error: Exception) -> str:
    return next((line.strip() for line in str(error).splitlines() if line.strip()), type(error).__name__)
