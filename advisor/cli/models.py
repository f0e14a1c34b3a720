"""`advisor models`: which models come with the product, which are on this disk, and fetching one."""

from __future__ import annotations

import json
import sys

import click

from advisor.cli.program import line
from advisor.cli.shown import broken
from advisor.cli.streams import one_document, put
from benchmarks.contract import BadInput
from strategies.models.weights import KNOWN, Cached, cache_folder, cached, hub_parts, resolve


@click.group(name="models", short_help="List models, and fetch them.", invoke_without_command=True)
@click.option("--json", "as_json", is_flag=True, help="One JSON document instead of a table.")
@click.pass_context
@one_document
def command(context: click.Context, as_json: bool) -> None:
    """List the models that come with the product: kind, size, licence, and whether they are on this disk.

    Any hub id (owner/name or owner/name@revision) and any local folder works in their place. Example: advisor models
    """
    if context.invoked_subcommand is not None:
        if as_json:
            raise BadInput("--json is for the list of models. Leave it out where something is fetched.")
        return
    on_disk = {entry.name: entry for entry in cached()}
    put(_document(on_disk) if as_json else _table(on_disk))


@command.command()
@click.argument("name", nargs=-1, required=True)
@click.option("--accept-terms", is_flag=True, help="You have read and accept the terms that the model comes under.")
def fetch(name: tuple[str, ...], accept_terms: bool) -> None:
    """Download each NAME and convert it, unless that has been done.

    NAME is a model of the list, or a hub id such as owner/name@revision. From then on it works without a network.
    Example: advisor models fetch minilm-l6
    """
    for each in name:
        if _can_be_fetched(each, accept_terms):
            click.echo(f"Fetching {each}; the first time this takes a minute or so.", err=True)
        found = resolve(each, accept_terms=accept_terms)
        click.echo(f"{found.name}: {found.kind} model, {found.licence}, in {found.folder}")
        if found.kind == "language":
            click.echo(f"To compare with it: {line('run', 'task.yaml', '--model', found.name)}", err=True)


def _can_be_fetched(name: str, accept_terms: bool) -> bool:
    """Whether there is anything to wait for: a folder is there already, and other names or terms are refused at once."""
    known = KNOWN.get(name)
    return hub_parts(name) is not None if known is None else accept_terms or not known.terms


def _table(on_disk: dict[str, Cached]) -> str:
    terminal = sys.stdout.isatty()
    lines = [f"{'model':18}{'kind':11}{'download':>9}{'on disk':>10}  licence"]
    for model in KNOWN.values():
        stored = f"{on_disk[model.name].size / 1e6:.0f} MB" if model.name in on_disk else "-"
        size = f"{model.download_bytes / 1e6:.0f} MB"
        lines.append(f"{model.name:18}{model.kind:11}{size:>9}{stored:>10}  {model.licence}")
        terms = ", to be accepted with --accept-terms" if model.terms else ""
        lines.append(broken(f"{model.summary}{terms}", terminal, "  "))
    ready = f"On disk means converted and ready, in {cache_folder()}. Fetch one: {line('models', 'fetch', 'NAME')}"
    return "\n".join([*lines, "", broken(ready, terminal)])


def _document(on_disk: dict[str, Cached]) -> str:
    rows = [
        {
            "name": model.name,
            "kind": model.kind,
            "summary": model.summary,
            "licence": model.licence,
            "terms": model.terms or None,
            "download_bytes": model.download_bytes,
            "cached_bytes": on_disk[model.name].size if model.name in on_disk else None,
        }
        for model in KNOWN.values()
    ]
    return json.dumps({"models": rows}, indent=2)
