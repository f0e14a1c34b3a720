"""Takes models and files of data sets from the hub that huggingface_hub is set up for; what can go wrong is a sentence."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, TypeVar, cast

from strategies.models.quiet import quiet, quiet_hub
from strategies.models.unpickled import CONSOLIDATED
from strategies.models.wheels import ModelUnavailable
from strategies.permissions import as_usual

if TYPE_CHECKING:
    from huggingface_hub.errors import HfHubHTTPError

FILES = ("*.safetensors", "*.json", "*.jinja", "*.txt", "tokenizer.model", "README.md")
"""Weights, configuration, tokenizer and model card; never pickled weights, never code. Of these not what
`unpickled.CONSOLIDATED` names."""
Found = TypeVar("Found")
What = Literal["model", "data set"]
_INSTEAD = {
    "model": "or give the path of a folder, or use smollm2-135m, which comes from a package index",
    "data set": "or put the file beside the task spec",
}
_LONGEST = 200
"""Characters that are repeated of what a hub or a proxy says."""


class NotFetched(Exception):
    """The text says what was asked for, why it could not be taken from the hub, and what to do."""


def snapshot(hub_id: str, revision: str | None) -> Path:
    """The folder of one commit, named by it; from the local cache where the hub cannot be reached.

    `HF_TOKEN`, `HF_HOME`, `HF_HUB_OFFLINE` and `HF_ENDPOINT` work as everywhere. Raises `ModelUnavailable`.
    """
    from huggingface_hub import snapshot_download

    def fetch(local: bool) -> Path:
        patterns: dict[str, Any] = {"allow_patterns": list(FILES), "ignore_patterns": CONSOLIDATED}
        return Path(snapshot_download(hub_id, revision=revision, local_files_only=local, **patterns))

    try:
        with quiet(), telling("model", hub_id, revision):
            return _fetched(fetch)
    except NotFetched as error:
        raise ModelUnavailable(str(error)) from error


def must_be_whole(hub_id: str, revision: str | None) -> None:
    """Of a model that lacks files: raises `ModelUnavailable` where it is not known that the hub has no more of it, since what
    another program fetched for itself may be a part."""
    from huggingface_hub import HfApi, constants

    try:
        with telling("model", hub_id, revision):
            HfApi().model_info(hub_id, revision=revision or constants.DEFAULT_REVISION)
    except NotFetched as error:
        raise ModelUnavailable(str(error)) from error


def data_file(data_set: str, name: str, revision: str | None, most: int) -> Path | int:
    """A file of a data set in the local cache, fetched where it is not there yet; its size where that is above `most` bytes.

    Raises `NotFetched`.
    """
    from huggingface_hub import DryRunFileInfo, hf_hub_download

    def fetch(local: bool) -> Path | int:
        asked: dict[str, Any] = {"repo_type": "dataset", "revision": revision, "local_files_only": local}
        found = None if local else hf_hub_download(data_set, name, dry_run=True, **asked)
        if isinstance(found, DryRunFileInfo) and (found.file_size or 0) > most:
            return int(found.file_size or 0)
        return Path(hf_hub_download(data_set, name, **asked))

    with quiet_hub(), telling("data set", data_set, revision):
        return _fetched(fetch)


def _fetched(fetch: Callable[[bool], Found]) -> Found:
    """What is fetched; where the connection breaks off, what the local cache holds of it, which `fetch` looks up if told so."""
    from huggingface_hub import errors

    try:
        return fetch(False)
    except _http_error() as error:
        if not isinstance(error, errors.HfHubHTTPError):
            with suppress(OSError):
                return fetch(True)
        raise


@contextmanager
def telling(what: What, hub_id: str, revision: str | None) -> Iterator[None]:
    """Whatever goes wrong with the hub within, its connection included, is a `NotFetched`."""
    try:
        with as_usual():
            yield
    except (_http_error(), OSError, ValueError, RuntimeError) as error:  # The last of what fetches large files.
        raise NotFetched(explained(error, what, hub_id, revision)) from error


def _http_error() -> type[Exception]:
    """What a connection that breaks off raises, of whichever client for HTTP the hub's own package has."""
    from huggingface_hub import errors

    found: Any = errors
    return cast(type[Exception], found.HTTPError)


def explained(error: Exception, what: What, hub_id: str, revision: str | None) -> str:
    """Why something could not be taken from the hub, and what to do."""
    from huggingface_hub import constants, errors

    asked = f"{hub_id}@{revision}" if revision else hub_id
    if isinstance(error, errors.GatedRepoError):
        return f"{asked} is gated: accept its terms on its page with your account, then set HF_TOKEN to a token of it."
    if isinstance(error, errors.RevisionNotFoundError):
        return f"{hub_id} has no revision {revision!r}. Write a branch, a tag or a commit."
    if isinstance(error, errors.RepositoryNotFoundError):
        return f"The hub has no {what} {hub_id}, or it is private. Check the spelling; for a private one set HF_TOKEN."
    absent = isinstance(error, errors.LocalEntryNotFoundError | errors.OfflineModeIsEnabled)
    answer = error.__cause__ if absent else error
    if isinstance(answer, errors.HfHubHTTPError) and not isinstance(answer, errors.EntryNotFoundError):
        missing = "is not complete in the local cache, and" if absent else "could not be fetched:"
        return f"{asked} {missing} the hub answered {_answer(answer)}, {_INSTEAD[what]}."
    if absent:
        why = "HF_HUB_OFFLINE is set" if constants.HF_HUB_OFFLINE else "the hub cannot be reached"
        return f"{asked} is not complete in the local cache and {why}. Fetch it once with a network, {_INSTEAD[what]}."
    if isinstance(error, errors.EntryNotFoundError):
        return f"{asked} has no such file. Correct the address: it names one file, not a folder."
    if isinstance(error, _http_error()):
        return (
            f"{asked} could not be fetched whole: the connection to the hub failed ({_short(str(error))}). What has arrived is "
            f"kept, so give the same command again to fetch the rest, {_INSTEAD[what]}."
        )
    return f"{asked} could not be fetched from the hub: {_short(str(error)) or type(error).__name__}"


def _answer(error: HfHubHTTPError) -> str:
    """What a hub said that gave nothing, and what to do."""
    response = error.response
    status, said = f"{response.status_code} {response.reason_phrase}".strip(), _short(error.server_message or "")
    refused = response.status_code in (401, 403)
    then = "Check HF_TOKEN, and what its account may read" if refused else "Give the same command again later"
    return f"{status}{f' ({said})' if said else ''}. {then}"


def _short(text: str) -> str:
    """The first line that says something, on the short side."""
    first = next((line.strip() for line in text.splitlines() if line.strip()), "")
    return first if len(first) <= _LONGEST else f"{first[: _LONGEST - 3]}..."
