"""Runs the study of decisions, and writes decisions.md from the rows that it left.

`python -m benchmarks.studies.decisions run` draws from the committed rows of bake-offs and from simulated tasks; `pools` asks
approaches without a language model all cases of the public tasks that have no bake-off yet, and `curves` fits such with fewer and
more examples; what is done is not done again. `anew max-t` draws one procedure again in the settings that are done. `table`
writes the document from the rows alone. No language model runs.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence, Set
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from zlib import crc32

import click

from benchmarks.studies.decisions import draws as one_look
from benchmarks.studies.decisions import light, report, stopping
from benchmarks.studies.decisions import looks as again
from benchmarks.studies.decisions.pools import Pool, from_rows, simulated
from benchmarks.studies.settings import ROWS, commit

STUDIES = Path(__file__).resolve().parents[1]
FILE = ROWS / "decisions.jsonl"
SIZES = (50, 100, 200, 400, 800)
FAR, NEAR, ABOVE = 0.05, 0.02, 0.003
"""A target lies this far below a candidate's truth, or this little above it, where a false "meets" is likeliest."""
TARGETS = 6
LARGEST_SET = 5_000
"""Simulated tasks have no set of held-out cases of their own."""
PROCEDURES = ("cheapest first", "fixed sequence", "holm", "max-t", "finalist")


@dataclass(frozen=True)
class Setting:
    """One size and target of one pool."""

    pool: Pool
    size: int
    target: float

    @property
    def key(self) -> str:
        return f"{self.pool.name}|{self.size}|{self.target:.3f}"

    @property
    def seed(self) -> int:
        return crc32(self.key.encode())


def targets(pool: Pool) -> list[float]:
    """Around the truth of the candidates, at most `TARGETS` of them, spread over all."""
    wanted = sorted({round(float(truth) + away, 3) for truth in pool.truth for away in (-FAR, -NEAR, ABOVE)})
    kept = [target for target in wanted if 0.1 <= target <= 0.97]
    step = max(1, -(-len(kept) // TARGETS))
    return kept[::step]


def settings(pools: Sequence[Pool]) -> Iterator[Setting]:
    for pool in pools:
        for target in targets(pool):
            for size in SIZES:
                yield Setting(pool, size, target)


@click.group(help=__doc__)
def main() -> None: ...


@main.command()
@click.option("--draws", default=2_000, show_default=True, help="Held-out sets for each setting.")
@click.option("--graded-draws", default=500, show_default=True, help="The same where each score has to be bet on.")
@click.option("--slow-draws", default=100, show_default=True, help="The same where each has to be resampled.")
@click.option("--only", multiple=True, help="Pools by name; all without it.")
@click.option("--rows", type=click.Path(path_type=Path), default=FILE, help="Where the counts go.")
def run(draws: int, graded_draws: int, slow_draws: int, only: tuple[str, ...], rows: Path) -> None:
    """Draw every setting that is not in the rows yet, or was drawn from other scores."""
    known, begun_by = read(rows), commit()
    everything = [*from_rows(ROWS), *light.pools(known), *simulated()]
    pools = [pool for pool in everything if not only or pool.name in only]
    kept = current(known, pools)
    rows.write_text("".join(json.dumps(row) + "\n" for row in kept), encoding="utf-8")
    done = {(row["part"], row["key"]) for row in kept}
    with rows.open("a", encoding="utf-8") as file:
        for pool in pools:
            for target in targets(pool) if pool.right_or_wrong else ():
                for at in (again.SIZES, again.DOUBLED):
                    setting = Setting(pool, at[-1], target)
                    if ("loop", setting.key) not in done:
                        _write(file, [_loops(setting, at, draws)], begun_by)
        _write(file, _stopped(pools, done, draws), begun_by)
        for setting in settings(pools):
            if ("look", setting.key) not in done:
                each = graded_draws if setting.pool.graded else draws
                _write(file, [_one_look(setting, each, slow_draws)], begun_by)


@main.command()
@click.argument("procedures", nargs=-1, required=True, type=click.Choice(PROCEDURES))
@click.option("--rows", type=click.Path(path_type=Path), default=FILE, help="Where the counts lie.")
def anew(procedures: tuple[str, ...], rows: Path) -> None:
    """Draw PROCEDURES again in all settings that are in the rows, after their code has changed, from the same sets."""
    known, begun_by = read(rows), commit()
    there = {setting.key: setting for setting in settings([*from_rows(ROWS), *light.pools(known), *simulated()])}
    for row in known:
        if row["part"] == "look" and row["key"] in there and row["drawn_from"] == there[row["key"]].pool.drawn_from:
            row["counts"] |= {name: _drawn_again(there[row["key"]], row["counts"][name], name) for name in procedures}
            row["commit"] = ", ".join(dict.fromkeys([*row.get("commit", "unknown").split(", "), begun_by]))
    rows.write_text("".join(json.dumps(row) + "\n" for row in known), encoding="utf-8")


@main.command(name="pools")
@click.option("--rows", type=click.Path(path_type=Path), default=FILE, help="Where the scores go.")
def pools_command(rows: Path) -> None:
    """Ask all held-out cases of public tasks without a bake-off, wherever that is not in the rows yet."""
    done, begun_by = {(row["part"], row["key"]) for row in read(rows)}, commit()
    with rows.open("a", encoding="utf-8") as file:
        for task in light.TASKS:
            if ("pool", task) not in done:
                _write(file, [{"part": "pool", "key": task, **light.measured(task)}], begun_by)


@main.command(name="curves")
@click.option("--rows", type=click.Path(path_type=Path), default=FILE, help="Where the figures go.")
def curves_command(rows: Path) -> None:
    """Fit with fewer and with twice the examples, wherever that is not in the rows yet."""
    from benchmarks.studies.decisions import curves

    done, begun_by = {(row["part"], row["key"]) for row in read(rows)}, commit()
    with rows.open("a", encoding="utf-8") as file:
        for plan in curves.PLANS:
            for key, sample, strategy in plan.pieces():
                if ("curve", key) not in done:
                    row = {"part": "curve", "key": key, **curves.measured(plan, sample, strategy)}
                    _write(file, [row], begun_by)


def current(rows: Sequence[Mapping[str, Any]], pools: Sequence[Pool]) -> list[Mapping[str, Any]]:
    """The rows without those of pools whose scores are others now."""
    known = {pool.name: pool.drawn_from for pool in pools}
    return [row for row in rows if row.get("drawn_from") == known.get(row.get("pool", ""), row.get("drawn_from"))]


def _write(file: Any, found: Iterable[Mapping[str, Any]], begun_by: str) -> None:
    for row in found:
        file.write(json.dumps({**row, "commit": begun_by}) + "\n")
        file.flush()


def _one_look(setting: Setting, draws: int, slow_draws: int) -> dict[str, Any]:
    pool = setting.pool
    drawn = one_look.draw(pool, setting.size, setting.target, draws, setting.seed)
    counts = {}
    for procedure in PROCEDURES:
        part = drawn.first(slow_draws) if procedure in one_look.SLOW else drawn
        said = one_look.shown(part, procedure)
        counts[procedure] = one_look.counted(part, said[0], one_look.verdicts(said))
    for name, meets, chosen in one_look.habits(drawn):
        counts[name] = one_look.counted(drawn, meets, chosen)
    return {"part": "look", "key": setting.key, **_named(setting), "counts": counts}


def _drawn_again(setting: Setting, before: Mapping[str, int], procedure: str) -> Mapping[str, int]:
    """Counts of as many draws as before."""
    drawn = one_look.draw(setting.pool, setting.size, setting.target, before["draws"], setting.seed)
    said = one_look.shown(drawn, procedure)
    return one_look.counted(drawn, said[0], one_look.verdicts(said))


def _loops(setting: Setting, at: Sequence[int], draws: int) -> dict[str, Any]:
    found = again.loops(setting.pool, setting.target, draws, setting.seed, at)
    counts = {rule: again.counted(setting.pool, setting.target, loop) for rule, loop in found.items()}
    return {"part": "loop", "key": setting.key, **_named(setting), "counts": counts}


def _stopped(pools: Sequence[Pool], done: Set[tuple[str, str]], draws: int) -> Iterator[dict[str, Any]]:
    """Asking until it is decided: single candidates of known truth, then whole sets of held-out cases."""
    for target, truth in stopping.PAIRS:
        key = f"{target}|{truth}"
        if ("stop", key) in done:
            continue
        found = stopping.against_a_fixed_number(target, truth, draws, crc32(key.encode()))
        if found is not None:
            yield {"part": "stop", "key": key, "target": target, "truth": truth, **found}
    for pool in pools:
        if pool.scores.shape[1] > LARGEST_SET:
            continue
        for target in targets(pool):
            key = f"{pool.name}|{target:.3f}"
            if ("set", key) not in done:
                yield {
                    "part": "set",
                    "key": key,
                    "pool": pool.name,
                    "drawn_from": pool.drawn_from,
                    **stopping.of_a_set(pool, target, crc32(key.encode())),
                }


def _named(setting: Setting) -> dict[str, Any]:
    pool = setting.pool
    return {
        "pool": pool.name,
        "drawn_from": pool.drawn_from,
        "candidates": len(pool.candidates),
        "size": setting.size,
        "target": setting.target,
    }


def read(rows: Path) -> list[dict[str, Any]]:
    """The settings that are done."""
    if not rows.is_file():
        return []
    return [json.loads(line) for line in rows.read_text(encoding="utf-8").splitlines() if line]


@main.command(name="table")
@click.option("--rows", type=click.Path(path_type=Path), default=FILE, help="Where the counts lie.")
@click.option("--into", type=click.Path(path_type=Path), default=STUDIES, help="Where decisions.md goes.")
def table_command(rows: Path, into: Path) -> None:
    """Write the document from the rows alone."""
    (into / "decisions.md").write_text(report.document(read(rows)), encoding="utf-8")


if __name__ == "__main__":
    main()
