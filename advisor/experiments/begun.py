"""A run that goes on is told with what was fixed when it began, and says what its task states otherwise by now."""

from __future__ import annotations

import json
import logging
import shlex
from collections.abc import Sequence
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from secrets import token_hex
from typing import TYPE_CHECKING

from advisor.experiments.stored import about_run, parsed_spec, reading
from advisor.wording import listed
from benchmarks.specs.spec_models import MADE, MODEL_PRICES

if TYPE_CHECKING:
    from benchmarks.data.assemble import Assembly
    from benchmarks.running.models import Models
    from benchmarks.running.sharding import Shard
    from benchmarks.specs.spec import Spec

_OPTIONS = {"volume": "--volume", "horizon_months": "--horizon-months", "prices": "--prices"}
"""Key of a spec that is fixed -> the option of `advisor report` that asks with another one."""
_FIXED = (*_OPTIONS, "upkeep", "constraints", "procedure", "slices")


def is_frozen(folder: Path) -> bool:
    """Whether the rows in the folder belong to a run already; until then another task than last time may be meant."""
    from benchmarks.storage.store import Store

    path = folder / "run.sqlite"
    if not path.exists() or not (folder / "run.json").exists():
        return False
    with closing(Store(path)) as store:
        return store.meta("identity") is not None


def anew(models: Models, shard: Shard | None, forked: Path | None) -> str:
    """What tells a run that a server answers from the same one begun before; a fork has the answers of its source."""
    if shard is not None or all(each.endpoint is None for each in models.specs):
        return ""
    if forked is not None:
        _, stop, its = str(about_run(forked).get("experiment", "")).partition(".")
        return stop + its
    return f".{token_hex(4)}"


def anew_of_a_start(folder: Path, experiment: str) -> str:
    """The same of a start of that experiment in the folder which ended before it asked anything, so that the next one is no
    further look; empty where there was none."""
    try:
        begun = str(json.loads((folder / "run.json").read_text(encoding="utf-8"))["experiment"])
    except (OSError, ValueError, LookupError, TypeError, RecursionError):
        return ""
    name, stop, its = begun.partition(".")
    return stop + its if name == experiment else ""


def as_it_began(assembly: Assembly, folder: Path) -> Assembly:
    """With the look, prices, volume, limits and parts that the run in the folder began with; as it is where none has begun.

    A warning names what the task states otherwise by now, and what asks with that. Raises `BadInput` for a damaged run.
    """
    from benchmarks.data.frozen import as_begun

    if not is_frozen(folder):
        return assembly
    about = about_run(folder)
    with reading(folder):
        then, benchmark = parsed_spec(about["spec"]), as_begun(assembly.benchmark, about["benchmark"])
    if others := [name for name in _FIXED if _differs(name, assembly.spec, then)]:
        logging.getLogger(__name__).warning("%s", _kept(others, folder))
    return replace(assembly, spec=_as_then(assembly.spec, then), benchmark=benchmark)


def commits_then(folder: Path) -> dict[str, str]:
    """Model of a hub -> the commit that the run in the folder began with; empty where none has begun, or an earlier version
    began it. Raises `BadInput` for a damaged run."""
    if not is_frozen(folder):
        return {}
    with reading(folder):
        return {str(name): str(commit) for name, commit in about_run(folder).get("commits", {}).items()}


def held_in_four_bits(folder: Path) -> dict[str, bool]:
    """Model -> whether the run in the folder began with it in four bits, whatever of a graphics card is free when it goes on;
    empty where none has begun."""
    from benchmarks.storage.store import Store

    if not is_frozen(folder):
        return {}
    with closing(Store(folder / "run.sqlite")) as store, reading(folder):
        identity = store.meta("identity")
        return {name: name in identity.get("quantised", ()) for name in identity.get("weights", {})}


def _differs(name: str, now: Spec, then: Spec) -> bool:
    if name == "prices" and _as_then(now, then).models != now.models:
        return True
    return bool(getattr(now, name) != getattr(then, name))


def _as_then(now: Spec, then: Spec) -> Spec:
    before = {model.name: model for model in then.models}
    models = [
        model.model_copy(update={key: getattr(before.get(model.name, model), key) for key in (*MODEL_PRICES, *MADE)})
        for model in now.models
    ]
    return now.model_copy(update={**{name: getattr(then, name) for name in _FIXED}, "models": tuple(models)})


def _kept(names: Sequence[str], folder: Path) -> str:
    asked = [_OPTIONS[name] for name in names if name in _OPTIONS]
    anew = [_said(name) for name in names if name not in _OPTIONS]
    named, ways = shlex.quote(str(folder)), []
    if asked:
        ways.append(f"`advisor report {named}` with {listed(asked)} tells it with others")
    if anew:
        ways.append(
            f"a run with other {listed(anew)} is a new one, which --fork {named} lets take over what stays valid"
        )
    said = listed([_said(name) for name in names])
    return f"the task states other {said} than the run began with, and it keeps those: {'; '.join(ways)}"


def _said(name: str) -> str:
    return name.replace("_", " ")
