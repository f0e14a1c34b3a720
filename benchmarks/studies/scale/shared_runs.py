"""Sections of scale.md on the real runs that several workers shared, and on the index over many passages."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from statistics import median
from typing import Any

from benchmarks.studies.markdown import table
from benchmarks.studies.scale.passages import NEIGHBOURS, WIDTH
from benchmarks.studies.scale.real import APPROACHES, DATASET, MODEL
from benchmarks.studies.scale.shared import CASES, MACHINES, ROOM, STOPPED_S, STORE, Key, key

Rows = Sequence[Mapping[str, Any]]
PLACES = {
    "here": "one process",
    "by hand": "two processes by hand",
    "processes": "processes",
    "ray": "Ray, one machine",
    "cluster": f"Ray, {MACHINES} machines",
}


def joined(rows: Rows) -> list[Mapping[str, Any]]:
    """One row for each setting: the median of the seconds of its rounds and all of them, the sums of what is wrong, the most
    memory."""
    by: dict[Key, list[Mapping[str, Any]]] = {}
    for row in rows:
        by.setdefault(key(row), []).append(row)
    found: list[Mapping[str, Any]] = []
    for rounds in by.values():
        worst = max(rounds, key=lambda row: float(row["memory_mb"][-1]))
        counted = ("units", "missing", "different", "repeated", "again", "answers_changed")
        sums = {name: sum(row[name] for row in rounds) for name in counted if name in rounds[0]}
        each = [row["seconds"] for row in rounds]
        found.append({**worst, **sums, "each": each, "seconds": median(each), "rounds": len(rounds)})
    return found


def sections(rows: Rows) -> list[str]:
    """Each kind of run, undisturbed, and then what was lost on the way."""
    rows, found = joined([row for row in rows if row["part"] in CASES]), list[str]()
    for what, about in (
        (
            "light",
            f"Approaches that take little: {', '.join(APPROACHES['light'])}, over hashes of words, without checks. So this is "
            "the hardest test of who shares out the work and writes it down: an answer takes a tenth of a millisecond.",
        ),
        (
            "default",
            f"With {MODEL} and the default embedder, on messages of {DATASET}: {', '.join(APPROACHES['default'])}; without "
            "checks, and with prompts that show no examples. Each worker has one thread.",
        ),
    ):
        runs = [row for row in rows if row["part"] == what and not row["lost"]]
        if runs:
            title = f"## {runs[0]['cases']:,} held-out cases, {'light approaches' if what == 'light' else 'the default models'}"
            found += [title, about + " " + BY_HAND, _undisturbed(runs)]
    lost = [row for row in rows if row["lost"]]
    if lost:
        found += ["## What is lost on the way", LOST, _lost(lost, rows)]
    return found


BY_HAND = (
    "By hand are two processes that each do all of it over half of the held-out cases, without knowing of each other. "
    "Seconds are those from the start of the program to its end, the median where there are several rounds. A round holds all "
    "settings once, one after another, and times are compared within it: what else the machine does changes by the minute."
)
LOST = (
    "The light run, from which something is taken when two fifths are done. The time of one worker is taken by stopping it "
    f"for {STOPPED_S:.0f} seconds. Units that were begun again are those that the lost one was at; with a machine also those "
    "that were handed to it before the cluster knew. What the driver began is gone on with by the same command. Without "
    f"{ROOM} stands another run, of {CASES['heavy']:,} cases: of its fits no two fit into the {STORE / 1e6:.0f} MB of "
    "a machine, nor is there room on its disk. It ends with a sentence; the same command goes on with it where the disk has room."
)


def _undisturbed(rows: Rows) -> str:
    lines = []
    for row in rows:
        apart = "-" if row["on"] == "by hand" else f"{row['missing'] + row['different']:,} of {row['units']:,}"
        memory = row["memory_mb"]
        lines.append(
            (
                PLACES[row["on"]],
                str(row["workers"]),
                f"{row['seconds']:.0f} s" + f" (of {row['rounds']})" * (row["rounds"] > 1),
                apart,
                " ".join(f"{memory[place]:.0f}" for place in (0, 2, 4)),
            )
        )
    columns = ("where", "workers", "took", "units not as in one process", "MB of the writer after 10, 50, 100 %")
    return table(columns, lines, numeric=(1, 2, 3, 4))


def _lost(rows: Rows, known: Rows) -> str:
    lines = []
    for row in rows:
        calm = next((each for each in known if _same(each, row) and not each["lost"]), None)
        lines.append(
            (
                f"{PLACES[row['on']]}, {row['workers']} workers",
                row["lost"],
                f"{row['missing']:,}",
                f"{row['different']:,}",
                f"{row['repeated']:,}",
                f"{row['again']:,}",
                f"{row['seconds']:.0f} s",
                "-" if calm is None else f"{calm['seconds']:.0f} s",
            )
        )
    columns = ("where", "lost", "units missing", "different", "stored twice", "begun again", "took", "undisturbed")
    return table(columns, lines, numeric=range(2, 8))


def _same(one: Mapping[str, Any], other: Mapping[str, Any]) -> bool:
    return all(one.get(key) == other[key] for key in ("part", "on", "workers", "cases"))


def passages(rows: Rows) -> list[str]:
    if not rows:
        return []
    row = rows[-1]
    text = (
        f"{row['passages']:,} passages with vectors of {WIDTH} numbers, {row['vectors_mb']:,} MB, as a fit of retrieval indexes "
        "them: vectors are made in slices that go into a file, and lists around middles hold the only copy in memory; beside "
        "these are the words (BM25) and where each passage stands. All of it took "
        f"{row['beside_mb']:,} MB beside the texts of the documents ({row['texts_mb']:,} MB), and {row['build_s'] / 60:.0f} "
        "minutes. The vectors are hashes of words, since the default embedder would take hours. Of the "
        f"{NEIGHBOURS} nearest {100 * row['recall']:.1f} % are found; a search, words included, takes {row['search_ms']:.0f} ms."
    )
    return ["## A million passages", text]
