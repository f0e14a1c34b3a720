"""A column that says which rows belong together, or which were kept for testing, is told where nothing is made of it."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from pathlib import Path

import pytest
from click.testing import CliRunner

from advisor.cli import main
from benchmarks.data.assemble import Assembly, assemble
from benchmarks.data.load import read_cases
from benchmarks.specs.propose import propose
from benchmarks.specs.spec import Columns

TASK = "name: x\ninstruction: Which?\nexamples: my.csv\ntarget: 0.8\n"


def written(path: Path, *further: tuple[str, Sequence[object]], rows: int = 160) -> Path:
    """A table of cases with further columns, given by their name and values, which repeat."""
    with path.open("w", encoding="utf-8", newline="") as file:
        table = csv.writer(file)
        table.writerow(["text", "label", *(name for name, _ in further)])
        for n in range(rows):
            text = f"request {n * 7919} of {n * 104729 % 1009}"
            table.writerow([text, f"label {n % 3}", *(values[n % len(values)] for _, values in further)])
    return path


def found(folder: Path, *lines: str) -> dict[str, str]:
    (folder / "task.yaml").write_text(TASK + "".join(f"{line}\n" for line in lines), encoding="utf-8")
    return {one.kind: one.told for one in _assembled(folder).findings}


def _assembled(folder: Path) -> Assembly:
    return assemble(folder / "task.yaml")


THREADS = ("thread_id", [n // 8 for n in range(160)])


def test_rows_of_one_thread_are_proposed_as_a_group_and_told_where_none_is_named(tmp_path: Path) -> None:
    """They stood on both sides of the split, and nothing said so."""
    written(tmp_path / "my.csv", THREADS, ("conversation_id", THREADS[1]))
    read = read_cases(tmp_path / "my.csv", Columns())
    assert (read.others.together, [one.examples for one in read.findings]) == ("thread_id", [("my-1", "my-2", "my-3")])
    told = found(tmp_path)["rows that belong together"]
    assert '160 of them have only 20 different values in the column "thread_id"; "conversation_id" repeats too' in told
    assert "Write `group: thread_id` under `columns`" in told
    proposal = propose(tmp_path / "my.csv")
    assert "\n  group: thread_id\n" in proposal.text
    assert any(reason.startswith('group: from "thread_id", because') for reason in proposal.reasons)
    (tmp_path / "task.yaml").write_text(proposal.text, encoding="utf-8")
    assembly = _assembled(tmp_path)
    assert "rows that belong together" not in {one.kind for one in assembly.findings}
    rows = {case.id: case.group for case in read_cases(tmp_path / "my.csv", Columns(group="thread_id")).cases}
    sides = [{rows[name] for name in part} for part in (assembly.parts.examples, assembly.parts.heldout)]
    assert sides[0].isdisjoint(sides[1])


def test_who_breaks_results_down_by_the_column_has_said_that_its_rows_do_not_tell_of_each_other(tmp_path: Path) -> None:
    """The warning came back with every run, whatever was decided about the column."""
    written(tmp_path / "my.csv", ("customer", THREADS[1]))
    written(tmp_path / "held.csv", ("customer", [f"new {n}" for n in THREADS[1]]), rows=150)
    assert "`slices: [customer]` says so" in found(tmp_path)["rows that belong together"]
    for more in ([], ["heldout: held.csv"]):
        assert "rows that belong together" not in found(tmp_path, "slices: [customer]", *more)


@pytest.mark.parametrize("name", ["customer", "userId", "User ID", "patient", "ticket_id", "session"])
def test_whose_a_row_is_says_the_name_of_a_column(name: str, tmp_path: Path) -> None:
    path = written(tmp_path / "my.csv", (name, [f"C{n % 20}" for n in range(160)]))
    assert read_cases(path, Columns()).others.together == name


@pytest.mark.parametrize(
    ("name", "values"),
    [
        ("ticket_id", range(160)),
        ("ticket_id", [n if n % 8 else 0 for n in range(160)]),
        ("customer", [*[""] * 40, *range(20)]),
        ("agent", range(20)),
        ("category_id", range(20)),
        ("channel_id", range(20)),
        ("thread_id", range(4)),
        ("thread_id", [0, 0, 0, *range(7)]),
        ("case_group_id", [0, 1, 2]),
        ("paid", range(20)),
        ("priority", range(20)),
        ("document_id", range(20)),
    ],
    ids=[
        "a row each",
        "mostly one each",
        "seldom",
        "agent",
        "classes",
        "channel",
        "few",
        "large",
        "answers",
        "paid",
        "other",
        "read",
    ],
)
def test_what_groups_no_rows_is_left_alone(name: str, values: Sequence[object], tmp_path: Path) -> None:
    read = read_cases(written(tmp_path / "my.csv", (name, values)), Columns())
    assert (read.others.together, read.findings) == ("", ())


def test_a_group_that_the_held_out_file_lacks_is_not_proposed(tmp_path: Path) -> None:
    written(tmp_path / "my.csv", THREADS)
    written(tmp_path / "test.csv", rows=40)
    proposal = propose(tmp_path / "my.csv")
    assert "group:" not in proposal.text
    assert any("a file of held-out cases needs the column too." in reason for reason in proposal.reasons)
    written(tmp_path / "test.csv", THREADS, rows=40)
    assert "group: thread_id" in propose(tmp_path / "my.csv").text


def test_a_column_that_says_what_is_held_out_is_no_slice(tmp_path: Path) -> None:
    """It was proposed as one, and the rows that were kept for testing were learnt from."""
    written(tmp_path / "my.csv", ("Split", ["train", "train", "train", "dev", "test"]))
    told = found(tmp_path)["split in a column"]
    assert (
        'The column "Split" of my.csv says of which part of a split a row is (96 "train", 32 "dev", 32 "test")' in told
    )
    assert 'Move the rows with "test" into a file of their own and name it, such as `heldout: test.csv`.' in told
    proposal = propose(tmp_path / "my.csv")
    assert "slices:" not in proposal.text
    assert told in proposal.reasons


@pytest.mark.parametrize("values", [["train"], ["test", "dev"], ["train", "red"], [0, 1, 2]])
def test_other_values_are_no_split(values: Sequence[object], tmp_path: Path) -> None:
    assert read_cases(written(tmp_path / "my.csv", ("split", values)), Columns()).findings == ()


def test_an_id_that_rows_share_may_be_their_group(tmp_path: Path) -> None:
    path = written(tmp_path / "my.csv", ("id", THREADS[1]))
    done = CliRunner().invoke(main, ["init", str(path)])
    assert done.exit_code == 2
    assert 'or call the column "group" where its values say which rows belong together.' in " ".join(
        done.stderr.split()
    )
