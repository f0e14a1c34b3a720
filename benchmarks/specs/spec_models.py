"""The part of a task spec that names models: language models here or on a server, and the one that makes vectors."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from pathlib import Path, PurePosixPath
from typing import Annotated, Any, Literal, Self
from urllib.parse import urlsplit

from pydantic import Field, JsonValue, field_serializer, model_validator

from benchmarks.specs.spec_errors import SECRET_KEYS
from benchmarks.specs.spec_values import Filled, NotNegative, Positive, Section, Whole

DEFAULT_MODEL = "smollm2-135m"
DEFAULT_EMBEDDER = "minilm-l6"


def is_path(name: str) -> bool:
    """True where a model's name can only be a folder: neither one of ours nor `owner/name@revision` looks like that."""
    hub_id = name.partition("@")[0]
    return name.startswith((".", "~", "/")) or "\\" in name or hub_id.count("/") > 1 or name[1:3] == ":/"


def last_part(path: str) -> str:
    """What is shown of a folder: its own name, never the way to it."""
    name = PurePosixPath(path.replace("\\", "/")).name
    return Path(path).expanduser().resolve().name if name in ("", ".", "..", "~") else name


TOKEN_PRICES = ("input_per_million", "output_per_million", "cached_per_million")
MODEL_PRICES = (*TOKEN_PRICES, "machine_hour", "monthly")
"""Keys that say what a model costs to use."""
MADE = ("tuned", "tuning_price")
"""Keys that say how it came about."""
BOTH_PRICES = "has a price for its tokens and one for an hour (machine_hour). Keep the one that you pay."
HOW_ASKED = "address, model, context_tokens, reasoning_tokens or extra_body"
"""What tells one way to ask a server from another (`EndpointModel.fingerprint`)."""
OURS = (
    *("model", "messages", "max_tokens", "max_completion_tokens", "temperature", "seed", "n", "stream"),
    *("response_format", "logprobs", "top_logprobs"),
)
"""Fields of a request that this product sets or reads the answer by."""
SLOWEST = 10
"""Tokens of thoughts a second that are waited for where `timeout_s` is not stated."""
_WHOSE = ("name", "folder", "endpoint", "engine")
"""Keys that say which model it is; the others are for whoever asks it."""


class EmbedderSpec(Section):
    """The model that turns texts into vectors, by name. `folder` is where it lies, and is never written down."""

    name: Filled = DEFAULT_EMBEDDER
    folder: Filled | None = Field(default=None, exclude=True)

    @model_validator(mode="before")
    @classmethod
    def _named_by_folder(cls, values: Any) -> Any:
        name = values.get("name") if isinstance(values, dict) else None
        if isinstance(name, str) and is_path(name) and values.get("folder") is None:
            return {**values, "name": last_part(name), "folder": name}
        return values


class RerankerSpec(EmbedderSpec):
    """The cross-encoder that sorts what a search found, by name or folder like the embedder; there is none by default."""

    name: Filled


class ModelSpec(Section):
    """A language model by name. A path as the name is a `folder`, and the last part of it becomes the name.

    `endpoint` is the address of an OpenAI-compatible server that serves the model. The other keys are what such a
    server needs to be told, and prices for a million tokens.
    """

    name: Filled
    folder: Filled | None = Field(default=None, exclude=True)
    """Where the weights lie, relative to the spec; never written down, since it names a machine and a user."""
    engine: Literal["vllm"] | None = None
    """What answers for weights on this machine; None: the product itself."""
    endpoint: str | None = None
    model: Filled | None = None
    """The name that the server knows the model by."""
    key_env: Filled | None = None
    """The environment variable that holds the key."""
    concurrency: Annotated[Whole, Field(gt=0, le=256)] | None = None
    timeout_s: Positive | None = None
    retries: Annotated[Whole, Field(ge=0, le=20)] | None = None
    context_tokens: Annotated[Whole, Field(gt=0)] | None = None
    """What the server takes in all, thoughts included."""
    reasoning_tokens: Annotated[Whole, Field(gt=0, le=1_000_000)] | None = None
    """What the model may think with before each answer, besides the answer."""
    extra_body: dict[str, JsonValue] | None = None
    """Further fields of every request to the server."""
    input_per_million: NotNegative | None = None
    output_per_million: NotNegative | None = None
    cached_per_million: NotNegative | None = None
    machine_hour: NotNegative | None = None
    """Of another machine than this, on which it is to answer."""
    monthly: NotNegative | None = None
    """What is due for it every month, whether it answers or not."""
    tuned: bool | None = None
    """It was fine-tuned elsewhere for this task: at a provider, or by the person."""
    tuning_price: NotNegative | None = None
    """What that took, in money; None: nobody knows."""

    @property
    def options(self) -> Mapping[str, Any]:
        """The keys that are set, besides those that say which model it is."""
        return {key: value for key, value in self if value is not None and key not in _WHOSE}

    @property
    def serving(self) -> Mapping[str, Any]:
        """The part of `options` that says how the server is asked, its context without what may be thought, which takes time."""
        known = {key: value for key, value in self.options.items() if key not in (*MODEL_PRICES, *MADE)}
        if self.context_tokens is not None:
            known["context_tokens"] = self.context_tokens - (self.reasoning_tokens or 0)
        if self.timeout_s is None and self.reasoning_tokens is not None:
            from strategies.models.endpoint import EndpointModel

            known["timeout_s"] = EndpointModel.timeout_s + self.reasoning_tokens / SLOWEST
        return known

    @model_validator(mode="before")
    @classmethod
    def _named_by_folder(cls, values: Any) -> Any:
        """Servers, too, may know a model by its folder: then that is what they are asked for."""
        name = values.get("name") if isinstance(values, dict) else None
        if not isinstance(name, str) or not is_path(name):
            return values
        key = "folder" if values.get("endpoint") is None else "model"
        return {key: name, **values, "name": last_part(name)}

    @field_serializer("model")
    def _without_path(self, model: str | None) -> str | None:
        return last_part(model) if model is not None and is_path(model) else model

    @model_validator(mode="after")
    def _check(self) -> Self:
        if self.endpoint is not None and self.folder is not None:
            raise ValueError("has both a folder and an endpoint. Keep the one that is to answer.")
        if self.machine_hour is not None and any(getattr(self, key) is not None for key in TOKEN_PRICES):
            raise ValueError(BOTH_PRICES)
        if self.tuning_price is not None and not self.tuned:
            raise ValueError("has a tuning_price and is not said to be tuned. Add `tuned: true`, or remove it.")
        if self.endpoint is not None and self.engine is not None:
            raise ValueError(
                "has both an engine and an endpoint. A server that runs already needs no engine: remove it."
            )
        if self.endpoint is None:
            for key in self.serving:
                raise ValueError(
                    f"has {key} without an endpoint. Add `endpoint: http://127.0.0.1:8000/v1`, or remove it."
                )
        elif "@" in self.endpoint or "?" in self.endpoint:
            raise ValueError("has an endpoint that holds a secret. Set OPENAI_API_KEY in the environment instead.")
        elif own := [key for key in self.extra_body or () if key in OURS]:
            raise ValueError(f"has {own[0]} in extra_body, which every request has of its own. Remove it there.")
        elif any(
            key.lower().replace("-", "_") in SECRET_KEYS for key, value in _inside(self.extra_body) if _is_one(value)
        ):
            raise ValueError(
                "has a secret in extra_body. Name the environment variable that holds it as key_env instead."
            )
        elif any(isinstance(value, float) and not math.isfinite(value) for _, value in _inside(self.extra_body)):
            raise ValueError("has a number in extra_body that is not finite, which no request can hold. Correct it.")
        elif self.context_tokens is not None and self.context_tokens <= (self.reasoning_tokens or 0):
            raise ValueError("may think with all its context_tokens. Give fewer reasoning_tokens than these.")
        elif not _is_address(self.endpoint):
            raise ValueError(f'has the endpoint "{self.endpoint}". Write an address such as http://127.0.0.1:8000/v1.')
        return self


def _inside(value: JsonValue) -> Iterator[tuple[str, JsonValue]]:
    """What stands at every level of it, under its key, which is empty in a list."""
    entries = [("", each) for each in value] if isinstance(value, list) else []
    for key, each in value.items() if isinstance(value, dict) else entries:
        yield key, each
        yield from _inside(each)


def _is_one(value: JsonValue) -> bool:
    """Whether it is a value itself: a schema may well describe a field `token`."""
    return not isinstance(value, dict)


def _is_address(endpoint: str) -> bool:
    try:
        parts = urlsplit(endpoint)
        return parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        return False


def distinct_models(models: tuple[ModelSpec, ...]) -> tuple[ModelSpec, ...]:
    """The models as they are; raises ValueError where two have one name, since a table tells them apart by it."""
    names = [model.name for model in models]
    twice = next((name for name in names if names.count(name) > 1), None)
    if twice is not None:
        raise ValueError(f'lists "{twice}" twice. Name one otherwise, such as {{name: second, folder: ./its/folder}}.')
    return models
