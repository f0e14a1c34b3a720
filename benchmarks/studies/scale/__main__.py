"""Measures how a run grows with workers, simulates it beyond this machine, and writes scale.md from the rows that it left.

`python -m benchmarks.studies.scale run` performs what is missing of its parts; `table` writes the document from the rows.
"""

from __future__ import annotations

import tempfile
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, replace
from functools import partial
from pathlib import Path
from typing import Any

import click

from benchmarks.contract import Candidate, Evaluation
from benchmarks.probes.consistency import PROBE_CASES
from benchmarks.running.plan import SHARD
from benchmarks.storage.packed import read_lines, write_lines
from benchmarks.studies.scale import engine, passages, report, shared
from benchmarks.studies.scale.imagined import Cluster, Times, simulated, with_cases
from benchmarks.studies.settings import ROWS, commit
from strategies.models import vllm_server
from strategies.models.measured import machine

FILE = ROWS / "scale.jsonl.gz"
DOCUMENT = Path(__file__).resolve().parents[1] / "scale.md"
REAL = {"cases": 2_000, "candidates": 4, "fit_s": 2.0, "answer_s": 0.01}
"""Of the real runs whose approaches wait."""
WORKERS = (1, 2, 4)
TASK = "banking77"
"""Its committed bake-off says how long units take."""
CURVE = tuple((cases, workers) for cases in (100_000, 10_000_000) for workers in (1, 4, 16, 64, 256))
"""(held-out cases, workers)."""
PARTS = ("waiting", "curve", "light", "default", "heavy", "passages", "engine")
CALM = {"start": 15.0, "spread": 0.2}
ROUGH = {**CALM, "slow": 0.02, "slower": 3.0, "losses": 0.02, "noticed": 60.0}
"""One worker in fifty takes three times as long, and one is lost in fifty hours of a worker, which is noticed after a minute."""


@click.group(help=__doc__)
def main() -> None: ...


@main.command()
@click.argument("parts", nargs=-1, type=click.Choice(PARTS))
@click.option("--rows", type=click.Path(path_type=Path), default=FILE, help="Where the rows go.")
def run(parts: Sequence[str], rows: Path) -> None:
    """Perform what is missing of PARTS, by default of all."""
    begun_by = commit()
    for part in parts or tuple(PERFORM):
        for row in PERFORM[part](read(rows)):
            write_lines(rows, [*read(rows), {"part": part, "commit": begun_by, "machine": machine(), **row}])
            click.echo(f"{part}: {told(row)}", err=True)


def told(row: Mapping[str, Any]) -> str:
    """A row in a line, for whoever waits."""
    return ", ".join(f"{key} {value:,}" if isinstance(value, int) else f"{key} {value}" for key, value in row.items())


def _waiting(known: Sequence[Mapping[str, Any]]) -> Iterator[dict[str, Any]]:
    """Real runs on more and more processes, each beside what the run on one of them foretells."""
    from benchmarks.executors.processes import ProcessExecutor
    from benchmarks.studies.scale import waiting
    from tests import tiny

    if any(row["part"] == "waiting" for row in known):
        return
    benchmark = tiny.benchmark(heldout=int(REAL["cases"]))
    asked = waiting.candidates(int(REAL["candidates"]), REAL["fit_s"], REAL["answer_s"])
    times: dict[str, Times] = {}
    cluster = Cluster(workers=1)
    for workers in WORKERS:
        with tempfile.TemporaryDirectory() as folder:
            real = waiting.measured(benchmark, asked, ProcessExecutor(workers=workers), Path(folder) / "run")
        if not times:
            times, cluster = waiting.learnt(real)
        told = simulated(benchmark, asked, times, replace(cluster, workers=workers))
        yield {
            "workers": workers,
            "cases": len(benchmark.heldout),
            "measured_s": real.seconds,
            "simulated_s": told.seconds,
            "start_s": cluster.start,
            "write_s": cluster.write,
        }


def _curve(known: Sequence[Mapping[str, Any]]) -> Iterator[dict[str, Any]]:
    """Imagined runs of the bake-off whose times are known, on clusters of all sizes."""
    measured = [row for row in known if row["part"] == "waiting"]
    if not measured:
        raise click.ClickException("the runs that wait come first: they say how long a write takes.")
    benchmark, candidates, times = _bakeoff()
    done = {(row["cases"], row["workers"], row["weather"]) for row in known if row["part"] == "curve"}
    for cases, workers in CURVE:
        for weather, more in (("calm", CALM), ("rough", ROUGH)):
            if (cases, workers, weather) not in done:
                cluster = Cluster(workers=workers, write=measured[0]["write_s"], **more)
                told = simulated(with_cases(benchmark, cases), candidates, times, cluster)
                yield {"workers": workers, "cases": cases, "weather": weather, **asdict(told)}


def _bakeoff() -> tuple[Any, list[Candidate], dict[str, Times]]:
    """Benchmark, candidates and times of units of the committed bake-off, as far as its approaches still exist."""
    from benchmarks.running.plan import candidates
    from benchmarks.studies.bakeoff_rows import opened
    from strategies.catalog import approaches

    found = opened(ROWS)[TASK]
    times = {each.candidate: times_of(each) for each in found.verdict.evaluations if each.scores}
    asked = [each for each in candidates(approaches(), ("m",)) if each.name in times]
    return found.benchmark, asked, times


def times_of(each: Evaluation) -> Times:
    """Seconds of the units of a candidate, from what its answers and its fit took in a run."""
    request = each.answering.seconds / each.answering.calls if each.answering and each.answering.calls else 0.0
    fit = sum(usage.seconds for usage in each.fitting)
    trained = sum(usage.seconds for usage in each.fitting if usage.step == "training")
    single = sum(each.latency.seconds) if each.latency is not None else 0.0
    kinds = {"answer": SHARD, "edit": PROBE_CASES, "repeat": PROBE_CASES / 2, "format": PROBE_CASES / 2}
    return Times(
        by_kind={kind: cases * request for kind, cases in kinds.items()}
        | {"fit": fit, "seed": trained, "latency": single}
    )


def _shared(what: str, known: Sequence[Mapping[str, Any]]) -> Iterator[dict[str, Any]]:
    """Real runs of that kind which are missing, round by round. The one in one process is made anew for them to be held
    against."""
    done = Counter(shared.key(row) for row in known if row["part"] == what)
    missing = [
        setting
        for turn in range(shared.ROUNDS)
        for setting in shared.SETTINGS
        if setting.what == what and setting.rounds > turn >= done[setting.key]
    ]
    if not missing:
        return
    with tempfile.TemporaryDirectory() as folder:
        if missing[0].on != "here":
            shared.performed(
                next(each for each in shared.SETTINGS if each.what == what), Path(folder), shared.CASES[what]
            )
        for setting in missing:
            yield shared.performed(setting, Path(folder), shared.CASES[what])


def _passages(known: Sequence[Mapping[str, Any]]) -> Iterator[dict[str, Any]]:
    """An index over a million passages."""
    if not any(row["part"] == "passages" for row in known):
        yield passages.apart()


def _engine(known: Sequence[Mapping[str, Any]]) -> Iterator[dict[str, Any]]:
    """A vLLM server through a run and bare. Raises `ModelUnavailable` where there is none."""
    if not any(row["part"] == "engine" for row in known):
        vllm_server.program()
        yield engine.apart()


PERFORM: Mapping[str, Callable[[Sequence[Mapping[str, Any]]], Iterator[dict[str, Any]]]] = {
    "waiting": _waiting,
    "curve": _curve,
    "light": partial(_shared, "light"),
    "default": partial(_shared, "default"),
    "heavy": partial(_shared, "heavy"),
    "passages": _passages,
    "engine": _engine,
}


def read(rows: Path) -> list[dict[str, Any]]:
    """The rows that are there."""
    return list(read_lines(rows)) if rows.is_file() else []


@main.command()
@click.option("--rows", type=click.Path(path_type=Path), default=FILE)
@click.option("--into", type=click.Path(path_type=Path), default=DOCUMENT)
def table(rows: Path, into: Path) -> None:
    """Write scale.md from the rows."""
    into.write_text(report.document(read(rows)), encoding="utf-8")


if __name__ == "__main__":
    main()
