"""Injects faults into runs, and writes reliability.md from the rows that it left.

`python -m benchmarks.studies.faults_injected run` kills runs at random moments, fails their writes, lets servers misbehave
and fuzzes the parsers; what is done is not done again. `table` writes the document from the rows alone. It needs Linux, for
the writes a C compiler, and for the fuzzing atheris (extra `fuzz`). But for the price of writing, no language model but tiny
random ones runs.
"""

from __future__ import annotations

import gzip
import json
import tempfile
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import click

from benchmarks.studies.faults_injected import (
    children,
    fuzz,
    hostile_inputs,
    kills,
    long,
    misbehaving,
    paid,
    price,
    report,
    server,
    tiny_runs,
    writes,
)
from benchmarks.studies.settings import ROWS, commit

STUDIES = Path(__file__).resolve().parents[1]
FILE = ROWS / "faults.jsonl.gz"
PARTS = ("server", "kills", "paid", "light writes", "writes", "inputs", "fuzz", "price", "long")
LONG = (100_000, 0.2)
"""Cases of the long run, and seconds that the server takes for an answer: with eight at once about an hour."""
GONE_S = 60.0
"""So long a server is gone."""
PRICED = 1
"""Runs with the default model whose writing is timed, and as many without it."""
Done = set[tuple[str, str]]


@click.group(help=__doc__)
def main() -> None: ...


@main.command()
@click.argument("parts", nargs=-1, type=click.Choice((*PARTS, "few writes")))
@click.option("--kills", "wanted", default=100, show_default=True, help="Kills of each of the two kinds of run.")
@click.option("--seconds", default=fuzz.SECONDS, show_default=True, help="How long each parser is fuzzed in one round.")
@click.option("--rows", type=click.Path(path_type=Path), default=FILE, help="Where the rows go.")
def run(parts: Sequence[str], wanted: int, seconds: float, rows: Path) -> None:
    """Inject the faults of PARTS, by default of all."""
    done = {(row["part"], row["key"]) for row in read(rows)}
    with tempfile.TemporaryDirectory() as made:
        place = Path(made)
        for part in parts or PARTS:
            if part == "fuzz":
                _fuzz(rows, seconds)
                continue
            for found in PERFORM[part](place, done, wanted - _kills_in(rows, part)):
                _write(rows, found)


def _kills_in(rows: Path, part: str) -> int:
    return sum(row["part"] == part and not row["end"] for row in read(rows) if row["part"] in ("kills", "paid"))


def _named(part: str, key: str, rows: Iterable[Mapping[str, Any]]) -> list[dict[str, Any]]:
    return [{"part": part, "key": key, "commit": commit(), **row} for row in rows]


def _of_servers(place: Path, done: Done, wanted: int) -> Iterator[list[dict[str, Any]]]:
    for name in misbehaving.FAULTS:
        for lasting in (False, True):
            key = f"{name}|{lasting}"
            if ("server", key) not in done:
                yield _named("server", key, [misbehaving.asked(name, lasting)])
    if ("server", "gone") not in done:
        yield _named("server", "gone", [misbehaving.gone_for(GONE_S)])


def _of_kills(place: Path, done: Done, wanted: int) -> Iterator[list[dict[str, Any]]]:
    if wanted <= 0:
        return
    tiny_runs.load()
    model = _made(place, lambda: tiny_runs.write_model(place), "llama-chat-0")

    def work(folder: Path) -> Callable[[children.Tell], int]:
        return tiny_runs.bakeoff(folder, model)

    whole = kills.whole_run(work, place)
    yield from _attempts("kills", done, wanted, lambda seed: kills.attempt(work, whole, place, seed))


def _of_paid(place: Path, done: Done, wanted: int) -> Iterator[list[dict[str, Any]]]:
    if wanted <= 0:
        return
    from tests.tiny import TOPICS
    from tests.tiny_embedder import embedder_folder

    tiny_runs.load()
    desk = place / "desk"
    desk.mkdir()
    embedder = _made(desk, lambda: embedder_folder(desk), "tiny-embedder")
    with server.serving(tuple(TOPICS)) as address:
        work = paid.prompting(paid.write_task(desk, address, embedder), address)
        whole = kills.whole_run(work, desk), server.asked(address)
        yield from _attempts("paid", done, wanted, lambda seed: paid.attempt(work, whole, (desk, address), seed))


def _made(place: Path, make: Callable[[], object], name: str) -> Path:
    """What a child makes, so that this process starts no thread."""

    def work(_: children.Tell) -> int:
        make()
        return 0

    ended = children.child(work, place / "made.err")
    if ended.code != children.DONE:
        raise click.ClickException(ended.errors)
    return place / name


def _attempts(
    part: str, done: Done, wanted: int, attempt: Callable[[int], Iterable[Mapping[str, Any]]]
) -> Iterator[list[dict[str, Any]]]:
    """Runs until so many kills are reached; the seed of a run is its number."""
    seed = 0
    while wanted > 0:
        if (part, str(seed)) not in done:
            rows = _named(part, str(seed), attempt(seed))
            wanted -= len(rows) - 1
            yield rows
        seed += 1


def _of_writes(part: str, place: Path, done: Done) -> Iterator[list[dict[str, Any]]]:
    writes.start_again_preloaded(Path(tempfile.mkdtemp()))
    place = place / part
    place.mkdir()
    tiny_runs.load()
    model = _made(place, lambda: tiny_runs.write_model(place), "llama-chat-0")

    def work(folder: Path) -> Callable[[children.Tell], int]:
        return tiny_runs.bakeoff(folder, model, writes.RUNS[part], short=True)

    whole = kills.whole_run(work, place)
    counted = place / "counted"
    total = writes.changes(children.child(writes.failing(work(counted), counted, 0, "no room"), place / "counted.err"))
    for number, fault in writes.wanted(part, total):
        key = f"{fault}|{number}"
        if (part, key) not in done:
            yield _named(part, key, [{**writes.tried(work, whole, place, number, fault), "of": total}])


def _of_inputs(place: Path, done: Done, wanted: int) -> Iterator[list[dict[str, Any]]]:
    if ("inputs", "files") not in done:
        tried = hostile_inputs.inputs()
        rows = [{"name": name, **hostile_inputs.said(write)} for name, write in tried.items()]
        yield _named("inputs", "files", rows)
    if ("inputs", "pages") not in done:
        yield _named("inputs", "pages", hostile_inputs.pages())


def _fuzz(rows: Path, seconds: float) -> None:
    """Whatever was found is looked for again until a round finds nothing."""
    if not fuzz.installed():
        click.echo(fuzz.NOT_HERE)
        return
    for row in fuzz.rounds([row for row in read(rows) if row["part"] == "fuzz"], seconds):
        _write(rows, _named("fuzz", row["key"], [row]))


def _of_price(place: Path, done: Done, wanted: int) -> Iterator[list[dict[str, Any]]]:
    for number in range(PRICED):
        for durable in (True, False):
            key = f"{number}|{durable}"
            if ("price", key) not in done:
                yield _named("price", key, [price.bakeoff(place / f"priced-{number}-{durable}", durable)])


def _of_long(place: Path, done: Done, wanted: int) -> Iterator[list[dict[str, Any]]]:
    cases, pause_s = LONG
    if ("long", str(cases)) not in done:
        tiny_runs.load()
        yield _named("long", str(cases), [long.asked(place, cases, pause_s)])


PERFORM: Mapping[str, Callable[[Path, Done, int], Iterator[list[dict[str, Any]]]]] = {
    "server": _of_servers,
    "kills": _of_kills,
    "paid": _of_paid,
    "light writes": lambda place, done, _: _of_writes("light writes", place, done),
    "writes": lambda place, done, _: _of_writes("writes", place, done),
    "few writes": lambda place, done, _: _of_writes("few writes", place, done),
    "inputs": _of_inputs,
    "price": _of_price,
    "long": _of_long,
}


def read(rows: Path) -> list[dict[str, Any]]:
    """The rows that are there."""
    if not rows.is_file():
        return []
    with gzip.open(rows, "rt", encoding="utf-8") as file:
        return [json.loads(line) for line in file if line.strip()]


def _write(rows: Path, found: Sequence[Mapping[str, Any]]) -> None:
    """Adds them, whole: a file of several packed parts is one packed file."""
    rows.parent.mkdir(parents=True, exist_ok=True)
    with rows.open("ab") as file:
        file.write(gzip.compress("".join(json.dumps(row) + "\n" for row in found).encode(), mtime=0))


@main.command(name="table")
@click.option("--rows", type=click.Path(path_type=Path), default=FILE, help="Where the rows lie.")
@click.option("--into", type=click.Path(path_type=Path), default=STUDIES, help="Where reliability.md goes.")
def table_command(rows: Path, into: Path) -> None:
    """Write the document from the rows alone."""
    (into / "reliability.md").write_text(report.document(read(rows)), encoding="utf-8")


if __name__ == "__main__":
    main()
