"""Language models and embedders of other packages: a task names them as their entry point is called."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from importlib.metadata import entry_points
from typing import Any, Literal

from benchmarks.contract import BadInput
from benchmarks.costs.prices import stated_prices
from benchmarks.specs.spec_models import TOKEN_PRICES, ModelSpec
from benchmarks.specs.spec_prices import Prices
from strategies.catalog import CannotLoad, loaded, package_of
from strategies.contract import Embedder, Generates, LanguageModel, ScoresLabels
from strategies.models.known import KNOWN

__all__ = ["check_priced", "installed_embedder", "installed_model", "licence_of"]


def installed_model(spec: ModelSpec) -> LanguageModel | None:
    """The model that another package offers under this name; None where there is none. Raises `BadInput`."""
    if spec.folder is not None or spec.endpoint is not None or spec.engine is not None:
        return None
    found: LanguageModel | None = made("models", spec.name)
    return found


def installed_embedder(name: str, folder: str | None) -> Embedder | None:
    """The same for what turns texts into vectors."""
    return None if folder is not None else made("embedders", name)


@cache
def made(kind: Literal["models", "embedders"], name: str) -> Any:
    """What the entry point of that name makes, once a process; None where there is none, or one of ours is called so."""
    found = sorted(entry_points(group=f"finetune_advisor.{kind}", name=name), key=lambda each: each.value)
    if not found or name in KNOWN:
        return None
    shown = f"The {kind.removesuffix('s')} {name} of the package {package_of(found[0])}"
    try:
        thing = _called(loaded(found[0]))
    except CannotLoad:
        raise
    except Exception as error:
        raise BadInput(f"{shown} could not be made ({type(error).__name__}: {error}). Correct that package.") from None
    if getattr(thing, "name", None) != name:
        raise BadInput(f"{shown} calls itself {getattr(thing, 'name', None)!r}. Give both the same name.")
    answers = isinstance(thing, LanguageModel) and isinstance(thing, Generates | ScoresLabels)
    if not (answers if kind == "models" else isinstance(thing, Embedder)):
        raise BadInput(f"{shown} lacks what one has to have. CONTRIBUTING.md names it; correct that package.")
    return thing


def _called(maker: Callable[[], Any]) -> Any:
    return maker()


def licence_of(thing: LanguageModel | Embedder) -> str:
    """The licence of its weights as the package states it."""
    return str(getattr(thing, "licence", "unknown"))


def check_priced(spec: ModelSpec, prices: Prices) -> None:
    """Raises `BadInput` for a model of another package that answers elsewhere, where nothing says what that costs."""
    model = installed_model(spec)
    if model is None or model.local:
        return
    stated = stated_prices(spec, prices)
    if all(getattr(stated, key) is None for key in TOKEN_PRICES):
        raise BadInput(
            f"The model {spec.name} answers on another machine, and nothing says what that costs. State input_per_million and "
            f"output_per_million: {{name: {spec.name}, input_per_million: 1, output_per_million: 2}}, 0 where nothing is paid."
        )
