"""What a hub says of a model before its weights are fetched: the licence on its card, and how much there is to fetch."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from strategies.models.hub import FILES
from strategies.models.quiet import quiet_hub
from strategies.models.unpickled import CONSOLIDATED
from strategies.models.weights import stated_licence
from strategies.permissions import as_usual

CARD = "README.md"


def licence_on_card(hub_id: str, revision: str | None) -> str:
    """As its card states it, which is all that is fetched; `unknown` where it has none or states none.

    Empty where the hub does not tell: whoever fetches the model is told why.
    """
    from huggingface_hub import errors, hf_hub_download

    try:
        with quiet_hub(), as_usual():
            return stated_licence(Path(hf_hub_download(hub_id, CARD, revision=revision)).parent)
    except errors.RemoteEntryNotFoundError:
        return "unknown"
    except _faults():
        return ""


def bytes_to_fetch(hub_id: str, revision: str | None) -> int | None:
    """What of a model is not on this disk yet, in bytes; None where the hub does not tell."""
    from huggingface_hub import snapshot_download

    try:
        with quiet_hub():
            found = snapshot_download(
                hub_id, revision=revision, allow_patterns=list(FILES), ignore_patterns=CONSOLIDATED, dry_run=True
            )
    except _faults():
        return None
    return sum(file.file_size or 0 for file in found if file.will_download)


def _faults() -> tuple[type[Exception], ...]:
    """What huggingface_hub raises, connections that break off included."""
    from huggingface_hub import errors

    hub: Any = errors
    return OSError, ValueError, hub.HTTPError
