"""The study of faulty data: what is planted is what it is called, counts add up, and the document follows from the rows."""

from __future__ import annotations

import json
import random
from collections.abc import Callable, Sequence
from functools import cache, partial
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner

from benchmarks.data.assemble import Assembly, Loaded, assemble
from benchmarks.data.similar import normalised
from benchmarks.running.models import Models
from benchmarks.running.workbench import bare
from benchmarks.scored import MetricScore
from benchmarks.specs.spec import parse_spec
from benchmarks.studies import rescored
from benchmarks.studies.faults import __main__ as study
from benchmarks.studies.faults import detecting, grid, report, report_grid, rewordings
from benchmarks.studies.faults.planting import NEAR, SAME, contradicting, copies, flipped
from strategies.contract import Case, Document
from tests import tiny

SPEC = {"name": "x", "instruction": "y", "examples": "z", "heldout": "h", "target": 0.6}


def notes(count: int, start: int = 0) -> list[Case]:
    """Texts that have nothing to do with each other."""
    dice = random.Random(start)
    words = [first + last for first in "bdfgklmnprst" for last in ("a", "e", "i", "o", "ur", "en", "ol")]
    texts = [" ".join("".join(dice.choices(words, k=2)) for _ in range(9)) for _ in range(count)]
    return [Case(id=f"n{start}-{place}", input=text, output="ab"[place % 2]) for place, text in enumerate(texts)]


@cache
def assembly(task: str = "") -> Assembly:
    spec = parse_spec({**SPEC, "kind": "classification"})
    return assemble(spec, data=Loaded(examples=tuple(notes(120)), heldout=tuple(notes(60, start=1000))))


@pytest.fixture(autouse=True)
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(detecting, "data", assembly)


def test_copies_are_the_same_or_nearly_as_they_are_called() -> None:
    cases = notes(8)
    for made in (copies(cases, SAME, random.Random(0)), copies(cases, NEAR, random.Random(0))):
        assert len({case.id for case in made.values()}) == len(cases)
    same = copies(cases, SAME, random.Random(0))
    assert [normalised(case.input) for case in same.values()] == [normalised(case.input) for case in cases]
    near = copies(cases, NEAR, random.Random(0))
    assert all(
        normalised(case.input) != normalised(given.input) for case, given in zip(near.values(), cases, strict=True)
    )
    assert all(abs(len(case.input) - len(given.input)) < 12 for case, given in zip(near.values(), cases, strict=True))


@pytest.mark.parametrize(
    ("part", "count"),
    [(detecting.leaks, 24), (detecting.duplicates, 24), (partial(detecting.duplicates, held_out=True), 12)],
)
def test_planted_copies_are_counted_by_kind_and_found(
    part: Callable[[str, float, int], detecting.Row], count: int
) -> None:
    found = part("notes", 0.2, 0)
    assert sum(planted for planted, _ in found["kinds"].values()) == count
    assert set(found["kinds"]) == {*SAME, *NEAR}
    assert sum(seen for _, seen in found["kinds"].values()) >= count - 1
    assert (found["false"], found["before"]) == (0, 0)


class Meaning:
    """Embeds the number of a text, so that texts of one number mean the same (`contract.Embedder`)."""

    name = fingerprint = "meaning"

    def embed(self, texts: Sequence[str]) -> np.ndarray[Any, Any]:
        found = np.zeros((len(texts), 1000))
        for place, text in enumerate(texts):
            found[place, int(text.split(" ")[1])] = 1
        return found


def test_rewordings_are_counted_by_what_they_say(monkeypatch: pytest.MonkeyPatch) -> None:
    """Some that say something else seem to mean the same by nature; these are neither found nor false."""
    said = {f"m{number}": [f"text {number} is", f"words {number} say another thing"] for number in range(300)}
    said["m0"][0] = "text 1 was"
    monkeypatch.setattr(rewordings, "_texts", lambda _: said)
    found = rewordings.reworded("notes", 0.2, 0, Meaning())
    assert found["planted"] in (19, 20)
    assert (found["found"], found["letters"], found["false"]) == (found["planted"], 0, 0)
    assert found["before"] in (0, 1)


def test_flips_are_as_many_as_asked_for_and_confusable_ones_come_from_the_nearest() -> None:
    cases = list(tiny.messages(80))
    wrong, planted = flipped(cases, 0.1, None, random.Random(1))
    changed = {case.id for case, given in zip(wrong, cases, strict=True) if case.output != given.output}
    assert changed == planted
    assert len(planted) == 8
    vectors = np.eye(3)[[0, 0, 1, 2]] + 0.01
    few = [Case(id=str(place), input="", output=label) for place, label in enumerate("aabc")]
    vectors[3] = vectors[0]
    turned, which = flipped(few, 0.25, vectors, random.Random(0))
    place = int(next(iter(which)))
    nearest = {0: "c", 1: "c", 2: turned[2].output, 3: "a"}
    assert turned[place].output == nearest[place]


def test_doubts_are_counted_against_what_was_planted(monkeypatch: pytest.MonkeyPatch) -> None:
    spec = parse_spec({**SPEC, "kind": "classification"})
    messages = tiny.messages(260)
    made = assemble(spec, data=Loaded(examples=messages[:200], heldout=messages[200:]))
    monkeypatch.setattr(detecting, "data", lambda task: made)
    embedder = detecting.Remembering(load=tiny.WordHashes)
    found = detecting.flips("messages", 0.1, 0, embedder, confusable=False)
    assert found["planted"] == round(0.1 * found["cases"])
    assert found["first"] <= found["found"] <= found["planted"] <= found["listed"] + 10
    assert found["first"] / found["planted"] >= 0.3
    monkeypatch.setattr(detecting, "data", lambda task: assembly())
    assert detecting.flips("notes", 0.05, 0, embedder, confusable=True)["weak"]


def test_what_leaks_are_worth_is_measured_with_and_without_them(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    spec = parse_spec({**SPEC, "kind": "classification"})
    cases = notes(220)
    made = assemble(spec, data=Loaded(examples=tuple(cases[:120]), heldout=tuple(cases[120:])))
    monkeypatch.setattr(detecting, "data", lambda task: made)
    bench = bare(Models((), _embedder=tiny.WordHashes()), "", tmp_path)
    found = dict(detecting.worth("notes", 0.5, 0, bench))
    assert set(found) == {"copy nearest", "linear head"}
    copying = found["copy nearest"]
    assert copying["left in"] >= copying["clean"] + 0.1, "labels of these texts cannot be learnt, only copied"
    assert all(abs(row["left out"] - row["clean"]) <= 0.1 for row in found.values())


def test_contradictions_are_planted_as_other_facts_and_found() -> None:
    pages = [
        Document(id=f"d{place}", title=f"Page {place}", text=f"{case.input}. The fee is {200 + place} euros a year.")
        for place, case in enumerate(notes(30))
    ]
    asked = [
        Case(
            id=f"q{place}",
            input=f"What is the fee of page {place}?",
            output=f"{200 + place}",
            document_ids=(f"d{place}",),
        )
        for place in range(30)
    ]
    spec = parse_spec({**SPEC, "kind": "qa", "documents": "d"})
    made = assemble(spec, data=Loaded(examples=tuple(asked[:15]), heldout=tuple(asked[15:]), documents=tuple(pages)))
    documents, planted = contradicting(made, 0.2, random.Random(0))
    assert len(planted) == 6
    texts = {document.id: document.text for document in documents}
    assert all(texts[f"planted|{name}"] != texts[name] for name in planted)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(detecting, "data", lambda task: made)
        assert detecting.contradicted("pages", 0.2, 0) == {"planted": 6, "found": 6, "false": 0, "before": 0}


def test_the_document_follows_from_the_rows(tmp_path: Path) -> None:
    rows = [
        {"part": part, "task": "notes", "share": 0.2, "draw": 0, **look("notes", 0.2, 0)}
        for part, look in (("leaks", detecting.leaks), ("duplicates", detecting.duplicates))
    ]
    rows.append(
        {"part": "relabelled", "share": 0.05, "of": 300, "cases": 100, **detecting.relabelled(0.05, 300, 100, 50)}
    )
    figures = {"clean": 0.7, "left in": 0.8, "left out": 0.7}
    rows.append({"part": "worth", "task": "notes", "share": 0.2, "draw": 0, "approach": "copy nearest", **figures})
    counts = {"cases": 200, "planted": 20, "listed": 30, "found": 18, "first": 16}
    rows.append({"part": "flips", "task": "notes", "share": 0.1, "draw": 0, "how": "confusable", **counts})
    rows.append({"part": "flips", "task": "notes", "share": 0.2, "draw": 0, "how": "confusable", "weak": True})
    (tmp_path / "rows.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    done = CliRunner().invoke(
        study.main, ["table", "--rows", str(tmp_path / "rows.jsonl"), "--out", str(tmp_path / "faults.md")]
    )
    assert done.exit_code == 0, done.output
    text = (tmp_path / "faults.md").read_text(encoding="utf-8")
    assert text == report.document(rows)
    assert "| notes | confusable | 10 % | 30 | 80 % | 8.0 | 90 % |" in text
    assert "| notes | confusable | 20 % | too weak |" in text
    assert "| notes | copy nearest | 20 % | 70 % | 80 % | 70 % |" in text
    assert "With the leaks 1 of 1 figures are more than 2 points too good" in text


def test_what_is_planned_has_names_of_its_own(tmp_path: Path) -> None:
    ground = study.Ground.of_the_product(tmp_path)
    plain, all_of_them = ([piece for piece, _ in study.pieces(ground, model)] for model in (False, True))
    assert len({study.key(piece) for piece in all_of_them}) == len(all_of_them)
    without = {"leaks", "duplicates", "held-out duplicates", "reworded", "documents", "relabelled", "flips", "worth"}
    without |= {"verdict", "template", "grid"}
    assert {piece["part"] for piece in plain} == {*without, "poisoned, checked"}
    asked = {piece["part"] for piece in all_of_them} - {piece["part"] for piece in plain}
    assert asked == {"dead adapter", "divergence", "trained", "poisoned, asked"}
    grids = [{piece["approach"] for piece in each if piece["part"] == "grid"} for each in (plain, all_of_them)]
    assert {"majority", "linear head"} <= grids[0] < grids[1]
    assert {"lora", "prompting"} <= grids[1] - grids[0]


def test_the_grid_chooses_by_what_it_counts(monkeypatch: pytest.MonkeyPatch) -> None:
    """Setups of sms_spam were chosen by the F1 of spam, and the share of right answers was told."""
    own = rescored.scored_by("macro_f1", assembly("notes"))
    assert own.benchmark.metric.over_rows
    monkeypatch.setattr(grid, "find", lambda task: SimpleNamespace(assembled=lambda limits: own))
    found = grid.data.__wrapped__("notes").benchmark
    assert found.metric.name == "accuracy"
    assert isinstance(found.task.score, MetricScore)
    assert found.task.score.metric is found.metric


def test_a_cell_of_the_grid_has_as_many_wrong_labels_as_it_says(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(grid, "data", assembly)
    embedder = tiny.WordHashes()
    of = {number: grid.Cell(task="notes", of=number, share=0.0, how="clean", draw=1) for number in (40, 80)}
    few, many = (grid.examples(cell, embedder) for cell in of.values())
    assert many[:40] == few, "a larger sample holds the smaller one"
    right = {case.id: case.output for case in many}
    for how in ("any other", "confusable"):
        messy = grid.examples(grid.Cell(task="notes", of=80, share=0.4, how=how, draw=1), embedder)
        assert sum(case.output != right[case.id] for case in messy) == 32
    bench = bare(Models((), _embedder=embedder), "", tmp_path)
    (majority,) = (each for each in grid.quick() if each.name == "majority")
    assert grid.figure(of[40], majority, bench) == {"figure": 0.5, "examples": 40}


def test_the_grid_says_who_is_ahead_in_every_draw_and_what_was_not_run() -> None:
    rows = []
    for draw, (few, many) in enumerate(((0.6, 0.7), (0.62, 0.75))):
        who = {"part": "grid", "task": "banking77", "draw": draw, "approach": "linear head"}
        rows.append({**who, "of": 300, "share": 0.0, "how": "clean", "figure": few})
        rows.append({**who, "of": 3_000, "share": 0.2, "how": "confusable", "figure": many})
        rows.append({**who, "of": 600, "share": 0.4, "how": "any other", "figure": 0.61})
    once = {"part": "grid", "task": "banking77", "draw": 0, "approach": "lora"}
    rows.append({**once, "of": 300, "share": 0.0, "how": "clean", "figure": 0.7})
    rows.append({**once, "of": 600, "share": 0.2, "how": "any other", "figure": 0.6})
    rows.append({**once, "of": 3_000, "share": 0.2, "how": "any other", "figure": 0.74})
    text = "\n".join(report_grid.sections(rows))
    assert "| linear head | 61 % | - | - |" in text
    assert "are ahead of 600 messy ones by more than 5 points in 1 of 1 setting and as far behind in 0;" in text
    assert "ahead of 3,000 messy ones by more than 5 points in 0 of 1 setting and as far behind in 0." in text
    assert "Of 2 settings" in text
    assert "ahead in every draw in 0, the messy ones in 1" in text
    assert "Rows so far, of 6 each: " in text
    assert "lora (3)" in text.split("Rows so far")[1]


def test_what_takes_long_is_built_in_the_cells_that_the_question_is_about() -> None:
    """Few clean examples or many messy ones, for every approach."""
    found = list(grid.slow_cells())
    assert {(cell.task, cell.of, cell.share) for cell in found} == {
        (task, *cell) for task in grid.TASKS for cell in ((300, 0.0), (600, 0.2), (3_000, 0.2))
    }
    assert len(found) == 6
    assert {cell.draw for cell in found} == {0}


def test_lists_of_doubts_that_are_from_before_a_change_are_said_to_be() -> None:
    """The page gave counts of lists that the product no longer makes."""
    who: dict[str, Any] = {"part": "flips", "task": "notes", "share": 0.2, "how": "confusable", "weak": True}
    told = report.document([{**who, "draw": 0}])
    assert "These rows are from before the changes of the evening of 1 December 2026" in told
    assert "Of the 2 rows 1 is from before" in report.document([{**who, "draw": 0}, {**who, "draw": 1, "commit": "a"}])
    assert "from before the changes" not in report.document([{**who, "draw": 0, "commit": "a"}])


def test_the_committed_rows_give_the_committed_document() -> None:
    assert study.DOCUMENT.read_text(encoding="utf-8") == report.document(study.read(study.FILE)), "run `table`"
