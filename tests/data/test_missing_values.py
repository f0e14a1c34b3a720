"""A word that is usually written for a missing value is told as an input and as a label, and stays: it may be meant."""

from __future__ import annotations

import csv
from pathlib import Path

import pytest

from benchmarks.data.assemble import assemble
from benchmarks.review.review_sheets import Material, concerns
from benchmarks.specs.propose import propose

TASK = "name: x\ninstruction: Which?\nexamples: my.csv\ntarget: 0.8\n"


def written(folder: Path, *, source: str = "", label: str = "") -> None:
    """Sixty rows, of which every sixth has this input or this label."""
    with (folder / "my.csv").open("w", encoding="utf-8", newline="") as file:
        table = csv.writer(file)
        table.writerow(["text", "label"])
        for n in range(60):
            odd = n % 6 == 0
            text = f"request {n * 7919} of {n * 104729 % 1009}"
            table.writerow([source if odd and source else text, label if odd and label else f"label {n % 2}"])
    (folder / "task.yaml").write_text(TASK, encoding="utf-8")


@pytest.mark.parametrize("label", ["#N/A", "N/A", "NA", "None", "null", " NULL ", "-"])
def test_such_a_label_is_told_by_check_and_init_also_where_the_task_lists_it(label: str, tmp_path: Path) -> None:
    """It was a class like the others, and nothing said so."""
    written(tmp_path, label=label)
    proposal = propose(tmp_path / "my.csv")
    for spec in (TASK, proposal.text):
        (tmp_path / "task.yaml").write_text(spec, encoding="utf-8")
        assembly = assemble(tmp_path / "task.yaml")
        told = {one.kind: one for one in assembly.findings}["labels like missing values"]
        assert (told.count, told.severity, told.examples) == (10, "warning", ("my-1", "my-7", "my-13"))
        assert told.says == f'10 rows have a label that is usually written for a missing value: "{label.strip()}".'
        assert label.strip() in assembly.benchmark.task.labels
        assert told.told in proposal.reasons


@pytest.mark.parametrize("source", ["NaN", "NULL", "#N/A", "n/a", "-"])
def test_such_an_input_is_told(source: str, tmp_path: Path) -> None:
    written(tmp_path, source=source)
    assembly = assemble(tmp_path / "task.yaml")
    told = {one.kind: one for one in assembly.findings}["inputs like missing values"]
    assert told.says == f'10 cases have an input that is usually written for a missing value: "{source}".'
    assert told.told in propose(tmp_path / "my.csv").reasons


@pytest.mark.parametrize("text", ["no", "None of these", "unknown", "0"])
def test_other_words_are_left_alone(text: str, tmp_path: Path) -> None:
    written(tmp_path, label=text)
    assert not [one for one in assemble(tmp_path / "task.yaml").findings if "missing" in one.kind]


def test_the_sheet_lists_them(tmp_path: Path) -> None:
    written(tmp_path, label="None")
    assembly = assemble(tmp_path / "task.yaml")
    cases = (*assembly.benchmark.task.examples, *assembly.benchmark.heldout)
    material = Material(
        kind="classification", labels=assembly.benchmark.task.labels, examples=cases, heldout=(), documents=()
    )
    why = {each.case.id: each.why for each in concerns(material, ())}
    assert why == {f"my-{n}": ["a label like a missing value"] for n in range(1, 60, 6)}
