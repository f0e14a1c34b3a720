"""Runs the study of peers part by part, and writes peers.md from the rows that it left.

`python -m benchmarks.studies.peers run rungs` runs what is missing of a comparison; a part that is done is not run again.
`table` writes the document from the committed rows. Peers get environments of their own.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path

import click

from benchmarks.contract import BadInput
from benchmarks.running.machine_load import LoadMonitor
from benchmarks.studies.peers import table as tables
from benchmarks.studies.peers.arms import ARMS, EXAMPLES, HELDOUT, Part, parts
from benchmarks.studies.peers.performed import Place, counted_by, performed
from benchmarks.studies.peers.rows import FOLDER, file_of, keep
from benchmarks.studies.settings import commit

DOCUMENT = Path(__file__).resolve().parents[1] / "peers.md"
COMPARISONS = tuple(dict.fromkeys(arm.comparison for arm in ARMS))


@click.group(help=__doc__)
def main() -> None: ...


@main.command()
@click.argument("names", nargs=-1, type=click.Choice(COMPARISONS))
@click.option("--arm", "arms", multiple=True, help="Only this contender; several times for several.")
@click.option("--seed", "seeds", multiple=True, type=int, help="Only this sample.")
@click.option("--examples", default=EXAMPLES, show_default=True)
@click.option("--heldout", default=HELDOUT, show_default=True)
@click.option("--rows", type=click.Path(path_type=Path), default=FOLDER, help="Where the rows go; a trial has its own.")
def run(
    names: Sequence[str], arms: Sequence[str], seeds: Sequence[int], examples: int, heldout: int, rows: Path
) -> None:
    """Run the parts of the comparisons NAMES that are missing, by default of all."""
    for part in parts():
        asked = part.arm.comparison in (names or COMPARISONS) and (not arms or part.arm.name in arms)
        if not asked or (seeds and part.seed not in seeds):
            continue
        if file_of(part, rows).is_file():
            click.echo(f"{part.name}: done before", err=True)
            continue
        try:
            click.echo(f"{part.name}: {_run(part, (examples, heldout), rows)}", err=True)
        except BadInput as error:
            raise click.ClickException(str(error)) from error


def _run(part: Part, sizes: tuple[int, int], rows: Path) -> str:
    """What was measured, in a few words."""
    from platformdirs import user_cache_path

    from advisor.experiments.comparison import Wishes, prepare

    prepared = counted_by(
        part.arm.metric, prepare(part.task, Wishes(examples=sizes[0], heldout=sizes[1], seed=part.seed))
    )
    place = Place(prepared=prepared, environments=user_cache_path("finetune-advisor") / "peers")
    started, begun_by = time.strftime("%Y-%m-%d %H:%M UTC", time.gmtime()), commit()
    monitor = LoadMonitor.begin()
    found = performed(part, place)
    keep(part, place.benchmark, found, rows, {"commit": begun_by, "started": started, "others": monitor.others()})
    return f"fitting {found.seconds['fitting']:.0f} s, answering {found.seconds['answering']:.0f} s"


@main.command()
@click.option("--rows", type=click.Path(path_type=Path), default=FOLDER)
def table(rows: Path) -> None:
    """Write peers.md from the rows."""
    DOCUMENT.write_text(tables.document(rows), encoding="utf-8")
    click.echo(f"wrote {DOCUMENT.name}", err=True)


if __name__ == "__main__":
    main()
