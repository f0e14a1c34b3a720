"""`advisor doctor`: what this machine computes with, what was measured for that, and how to have it otherwise."""

from __future__ import annotations

import sys
from importlib.metadata import version
from typing import TYPE_CHECKING, Any

import click

from advisor.cli.shown import broken, document
from advisor.cli.streams import one_document, put
from benchmarks.contract import BadInput
from strategies.catalog import plugins
from strategies.models import measured
from strategies.models.measured import Timing

if TYPE_CHECKING:
    from strategies.models.device import Placement

OVERRIDES = (
    ("ADVISOR_DEVICE", "cpu, mps, cuda or cuda:N"),
    ("ADVISOR_DTYPE", "float32, bfloat16 or float16"),
    ("ADVISOR_THREADS", "a whole number"),
    ("ADVISOR_ATTENTION", "blockwise or own"),
    ("ADVISOR_BATCH_TOKENS", "a whole number"),
)
PACKAGES = ("torch", "transformers", "peft", "sentence-transformers", "faiss-cpu")


@click.command(name="doctor", short_help="Show device, precision and plug-ins.")
@click.option("--again", is_flag=True, help="Measure anew: something else was running the first time.")
@click.option("--json", "as_json", is_flag=True, help="One JSON document instead of text.")
@one_document
def command(again: bool, as_json: bool) -> None:
    """Show the device, number format, threads and batches that models run with here, and why; and plug-ins.

    They are chosen by a short measurement at first use, which is kept for this machine unless it was busy then. Plug-ins of other
    packages are listed with whether they can be loaded. Example: advisor doctor
    """
    if again:
        measured.forget()
    found = _found()
    put(document(found, 1) if as_json else _text(found))


def _found() -> dict[str, Any]:
    from strategies.models.device import choose, memory_available

    try:
        placement = choose()
        _of_default_model(placement)
    except ValueError as error:
        raise BadInput(str(error)) from None
    return {
        "machine": measured.machine(),
        "versions": {name: version(name) for name in PACKAGES},
        "placement": str(placement),
        "memory": memory_available(placement.device),
        "plugins": [vars(plugin) for plugin in plugins()],
        "measured": [vars(timing) | {"seconds": dict(timing.seconds)} for timing in measured.remembered()],
    }


def _of_default_model(placement: Placement) -> None:
    """Measures the batches of the default model where that is on this disk; others at their first use."""
    from benchmarks.specs.spec_models import DEFAULT_MODEL
    from strategies.models.batch_size import batch_tokens
    from strategies.models.weights import KNOWN, cached, resolve

    if not cached([KNOWN[DEFAULT_MODEL]]):
        return
    from transformers import AutoConfig

    config = AutoConfig.from_pretrained(resolve(DEFAULT_MODEL).folder)
    batch_tokens(config, placement)


def _text(found: dict[str, Any]) -> str:
    versions = ", ".join(f"{name} {number}" for name, number in found["versions"].items())
    lines = [
        f"machine: {found['machine']}",
        f"models run on {found['placement']}",
        f"memory free: {found['memory'] / 1e9:.1f} GB",
        f"versions: {versions}",
        "measured here:" if found["measured"] else "measured here: nothing yet, or the machine was busy",
        *(_line(Timing(**timing)) for timing in found["measured"]),
        *_plugins(found["plugins"]),
        f"To override these, set {_overrides()}.",
        "Something else was running when it measured? advisor doctor --again",
    ]
    return "\n".join(broken(line, sys.stdout.isatty()) for line in lines)


def _plugins(found: list[dict[str, str]]) -> list[str]:
    if not found:
        return ["plug-ins: none installed"]
    lines = [f"- {each['kind']} {each['name']} ({each['package']}){_fault(each)}" for each in found]
    return ["plug-ins:", *lines]


def _fault(plugin: dict[str, str]) -> str:
    return f": cannot be loaded, {plugin['fault']}" if plugin["fault"] else ""


def _line(timing: Timing) -> str:
    ways = ", ".join(f"{name} {seconds * 1e3:.1f} ms" for name, seconds in timing.seconds.items())
    return f"- {timing.question}: {timing.choice} ({ways}; {timing.day})"


def _overrides() -> str:
    return ", ".join(f"{name} ({what})" for name, what in OVERRIDES)
