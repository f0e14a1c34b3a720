"""A review: sheets name what was planted, only what a person writes is done, and the share of wrong labels is held."""

from __future__ import annotations

import csv
import dataclasses
import json
import random
import re
import shutil
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest
import yaml

from advisor.experiments.comparison import Wishes, execute, prepare
from advisor.experiments.found import find
from advisor.experiments.stored import reopen
from benchmarks.audit.by_meaning import Alike
from benchmarks.audit.doubts import Doubt, doubts
from benchmarks.contract import BadInput
from benchmarks.data.assemble import assemble, load
from benchmarks.formats.record import Record
from benchmarks.review.lineage import JUDGED, LABELLED, Relabelled
from benchmarks.review.review_sheets import Material, concerns, write_sheets
from benchmarks.review.reviewed import Reviewed, _decisions, _with_output, review
from benchmarks.review.samples import agreed_answer
from benchmarks.review.sheets import read_sheet
from benchmarks.review.together import joined
from strategies.contract import Case, Kind
from tests import tiny
from tests.conftest import Folders
from tests.desk import call, everything, write_task

Row = dict[str, str]


def filled(path: Path, fill: Callable[[int, Row], Mapping[str, str]], delimiter: str = ",") -> None:
    """The sheet as a person saves it after writing something into each row."""
    with path.open(encoding="utf-8-sig", newline="") as file:
        rows = list(csv.DictReader(file))
    with path.open("w", encoding="utf-8-sig", newline="") as file:
        sheet = csv.DictWriter(file, list(rows[0]), delimiter=delimiter)
        sheet.writeheader()
        sheet.writerows({**row, **fill(place, row)} for place, row in enumerate(rows))


def rows_of(path: Path) -> list[Row]:
    with path.open(encoding="utf-8-sig", newline="") as file:
        return list(csv.DictReader(file))


@dataclasses.dataclass(frozen=True, kw_only=True)
class Desk:
    """A task with 100 examples and 60 held-out cases of which five are labelled wrongly, and its copy."""

    folder: Path
    truth: Mapping[str, str]

    def fix(self, copy: Path | None = None) -> Reviewed:
        """As `advisor check --fix`, with another embedder; into the folder `copy` beside the task where none is named."""
        found = find(self.folder / "task.yaml")
        assembly = found.assembled()

        def doubted() -> list[Doubt]:
            task = assembly.benchmark.task
            return doubts(task.examples, tiny.WordHashes()) if task.labels else []

        return review(assembly, load(found.spec, found.folder), copy or self.folder / "copy", doubted)

    def refused(self) -> str:
        with pytest.raises(BadInput) as refused:
            self.fix()
        return str(refused.value)

    def copy(self, name: str) -> list[Row]:
        path = self.folder / "copy" / name
        return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


WRONG = 5
NOWHERE = Folders(language=Path("model"), embedder=Path("embedder"))
"""Models that no test here loads."""


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    cases = tiny.messages(160)
    labels = sorted({case.output for case in cases})
    examples, heldout = list(cases[:100]), list(cases[100:])
    for place in range(WRONG):
        other = next(label for label in labels if label != heldout[place].output)
        heldout[place] = dataclasses.replace(heldout[place], output=other)
    examples.append(dataclasses.replace(examples[0], id="copy"))
    examples.append(dataclasses.replace(examples[1], id="against", output=examples[0].output))
    write_task(tmp_path, NOWHERE, "heldout: held.jsonl", cases=examples)
    rows = [{"id": case.id, "input": case.input, "output": case.output} for case in heldout]
    (tmp_path / "held.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return Desk(folder=tmp_path, truth={case.id: case.output for case in cases})


def test_a_model_in_a_folder_keeps_in_the_copy_what_it_costs_and_what_answers_for_it(desk: Desk) -> None:
    """The copy of a task named the folder alone, so the same model had another price in it."""
    task = desk.folder / "task.yaml"
    model = "{folder: ./model, name: mine, engine: vllm, machine_hour: 2.5, monthly: 50}"
    task.write_text(task.read_text(encoding="utf-8").replace("models: [model]", f"models: [{model}]"), encoding="utf-8")
    desk.fix()
    given, copied = (find(folder / "task.yaml").spec.models[0] for folder in (desk.folder, desk.folder / "copy"))
    assert copied == given.model_copy(update={"folder": str((desk.folder / "model").resolve())})
    assert (copied.machine_hour, copied.monthly, copied.engine) == (2.5, 50, "vllm")


def test_an_untouched_sheet_changes_nothing_and_is_written_once(desk: Desk) -> None:
    before = everything(desk.folder)
    desk.fix()
    listed = {(row["part"], row["id"]): row["why"] for row in rows_of(desk.folder / "copy" / "review.csv")}
    assert "another output" in listed["example", "against"]
    assert "copy" in listed["example", "copy"]
    given = [json.loads(line) for line in (desk.folder / "rows.jsonl").read_text(encoding="utf-8").splitlines()]
    assert [(row["id"], row["output"]) for row in desk.copy("examples.jsonl")] == [
        (row["id"], row["output"]) for row in given
    ]
    first = everything(desk.folder / "copy")
    desk.fix()
    assert everything(desk.folder / "copy") == first
    assert {name: text for name, text in everything(desk.folder).items() if not name.startswith("copy/")} == before


def test_what_a_person_writes_is_done_and_told_by_the_next_run(desk: Desk) -> None:
    desk.fix()
    sheets, truth = desk.folder / "copy", desk.truth

    def decide(_: int, row: Row) -> Mapping[str, str]:
        if row["id"] == "copy":
            return {"leave out": "x"}
        return {"corrected": truth["m1"]} if row["id"] == "against" else {}

    filled(sheets / "review.csv", decide, delimiter=";")
    filled(sheets / "sample.csv", lambda place, row: {"label": truth[row["id"]]} if place < 30 else {})
    seen = [row["id"] for row in rows_of(sheets / "sample.csv")][:30]
    wrong = len({f"m{100 + place}" for place in range(WRONG)} & set(seen))
    lineage = desk.fix().lineage
    assert lineage.relabelled == lineage.left == Relabelled(cases=30, wrong=wrong, of=60)
    examples = {row["id"]: row["output"] for row in desk.copy("examples.jsonl")}
    assert "copy" not in examples
    assert examples["against"] == truth["m1"]
    held = {row["id"]: row["output"] for row in desk.copy("heldout.jsonl")}
    assert all(held[name] == truth[name] for name in seen)
    assert sum(held[name] != truth[name] for name in held) == WRONG - wrong
    notes = find(sheets).assembled().benchmark.notes
    changed = f"of 102 examples 1 corrected and 1 left out, of 60 held-out cases {wrong} corrected and 0 left out"
    assert f"data: a copy that was reviewed: {changed}." in notes
    assert any(f"a person labelled {wrong} otherwise" in note for note in notes)
    (sheets / "examples.jsonl").write_text((desk.folder / "rows.jsonl").read_text(encoding="utf-8"), encoding="utf-8")
    examples_changed = find(sheets).assembled()
    assert any("changed again since" in note for note in examples_changed.benchmark.notes)
    assert examples_changed.ceiling == lineage.ceiling is not None
    with (sheets / "heldout.jsonl").open("a", encoding="utf-8") as file:
        file.write(OWN)
    cases_added = find(sheets).assembled()
    assert cases_added.ceiling is None, "what an approach can reach by these labels is not known any more"
    (said,) = (note for note in cases_added.benchmark.notes if "labelled once more" in note)
    assert said.startswith(
        "The share of wrong labels is not known: the held-out cases were changed since 30 of them were"
    )


def test_a_held_out_label_without_examples_stays_a_finding_in_the_copy(desk: Desk) -> None:
    with (desk.folder / "held.jsonl").open("a", encoding="utf-8") as file:
        file.write('{"id": "new", "input": "Is the sauna open on Sundays", "output": "leisure"}\n')
    desk.fix()
    assert "unseen labels" in {finding.kind for finding in assemble(desk.folder / "copy" / "task.yaml").findings}


def test_a_misspelt_label_that_is_corrected_is_none_of_the_copy(desk: Desk) -> None:
    """Unless the task names it among its labels."""
    text = (desk.folder / "rows.jsonl").read_text(encoding="utf-8")
    (desk.folder / "rows.jsonl").write_text(text.replace('"output": "login"', '"output": "logins"', 1), "utf-8")
    assert "logins" in find(desk.folder).assembled().benchmark.task.labels
    desk.fix()
    sheet = desk.folder / "copy" / "review.csv"
    (name,) = (row["id"] for row in desk.copy("examples.jsonl") if row["output"] == "logins")
    filled(sheet, lambda place, _: {"part": "example", "id": name, "corrected": "login"} if place == 0 else {})
    desk.fix()
    assert find(desk.folder / "copy").assembled().benchmark.task.labels == tuple(sorted(set(desk.truth.values())))
    given = [*sorted(set(desk.truth.values())), "logins"]
    with (desk.folder / "task.yaml").open("a", encoding="utf-8") as file:
        file.write(f"labels: {json.dumps(given)}\n")
    desk.fix()
    assert find(desk.folder / "copy").assembled().benchmark.task.labels == tuple(given)


def test_a_label_that_only_held_out_cases_have_can_be_written_into_the_sheets(desk: Desk) -> None:
    with (desk.folder / "held.jsonl").open("a", encoding="utf-8") as file:
        file.write('{"id": "new", "input": "Is the sauna open on Sundays", "output": "leisure"}\n')
    desk.fix()
    truth = {**desk.truth, "new": "leisure"}
    filled(desk.folder / "copy" / "sample.csv", lambda _, row: {"label": truth[row["id"]]})
    filled(desk.folder / "copy" / "review.csv", lambda place, _: {"corrected": "leisure"} if place == 0 else {})
    lineage = desk.fix().lineage
    assert lineage.relabelled == Relabelled(cases=61, wrong=WRONG, of=61)
    assert lineage.examples.corrected == 1


def test_a_cell_is_read_in_the_form_of_unicode_that_labels_have(tmp_path: Path) -> None:
    (tmp_path / "sheet.csv").write_text("corrected\nFacture\u0301\n", encoding="utf-8")
    assert [row.values for row in read_sheet(tmp_path / "sheet.csv", ["corrected"])] == [{"corrected": "Facturé"}]


def test_an_x_takes_the_suspected_label_and_any_other_is_written(desk: Desk) -> None:
    desk.fix()
    sheet = desk.folder / "copy" / "review.csv"
    labels = sorted(set(desk.truth.values()))
    before = {row["id"]: row["output"] for row in desk.copy("examples.jsonl")}
    ids = [row["id"] for row in rows_of(sheet) if row["part"] == "example"][:3]
    other = {name: next(label for label in labels if label != before[name]) for name in ids}
    said = dict(zip(ids, ("x", " X ", ""), strict=True))

    def decide(_: int, row: Row) -> Mapping[str, str]:
        return {"perhaps": other[row["id"]], "corrected": said[row["id"]]} if row["id"] in said else {}

    filled(sheet, decide)
    assert desk.fix().lineage.examples.corrected == 2
    after = {row["id"]: row["output"] for row in desk.copy("examples.jsonl")}
    assert [after[name] for name in ids] == [other[ids[0]], other[ids[1]], before[ids[2]]]


def test_an_x_that_is_a_label_or_an_answer_stands_for_itself() -> None:
    """In a task whose labels are o and x, and in one without labels."""
    tasks: tuple[tuple[tuple[str, ...], Kind], ...] = ((("o", "x"), "classification"), ((), "qa"))
    for labels, kind in tasks:
        held = tuple(Case(id=f"h{place}", input=f"held {place}", output="o") for place in range(3))
        case = Case(id="e", input="one", output="o")
        material = Material(kind=kind, labels=labels, examples=(case,), heldout=held, documents=())
        row = {"part": "example", "id": "e", "perhaps": "o", "corrected": "x", "together": "", "leave out": ""}
        assert _decisions([("line 2", row)], material) == {("example", "e"): ("x", False)}


def test_rows_that_a_person_puts_together_are_one_in_the_copy(desk: Desk) -> None:
    """Rows that mean the same in other words were listed, and there was no way to say that they are one."""
    desk.fix()
    sheet = desk.folder / "copy" / "review.csv"
    rows = rows_of(sheet)
    (several,) = [[row["id"] for row in rows if row["part"] == side][:3] for side in ("example",)]
    assert len(several) == 3
    filled(sheet, lambda _, row: {"together": "one"} if row["part"] == "example" and row["id"] in several else {})
    lineage = desk.fix().lineage
    groups = {row["id"]: row.get("group") or "" for row in desk.copy("examples.jsonl")}
    assert {groups[name] for name in several} == {"together one"}
    assert [name for name, group in groups.items() if group] == [name for name in groups if name in several]
    assert (lineage.examples.together, lineage.heldout.together) == (3, 0)
    notes = find(desk.folder / "copy").assembled().benchmark.notes
    assert any("0 corrected, 3 put together with others and 0 left out" in note for note in notes)
    assert desk.fix().lineage == lineage
    earlier = [{name: text for name, text in row.items() if name != "together"} for row in rows]
    with sheet.open("w", encoding="utf-8", newline="") as file:
        written = csv.DictWriter(file, list(earlier[0]))
        written.writeheader()
        written.writerows(earlier)
    assert desk.fix().lineage.examples.together == 0, "a sheet from before the column is read"


def test_a_group_comes_along_with_the_row_that_is_put_together_with_another() -> None:
    names = ("a", "b", "c", "d", "e")
    cases = tuple(Case(id=name, input=name, output="o", group="g" if name in "bc" else "") for name in names)
    held = (Case(id="h", input="h", output="o"),)
    material = Material(kind="classification", labels=("o",), examples=cases, heldout=held, documents=())

    def row(part: str, name: str, word: str) -> tuple[str, Row]:
        return "line 2", {"part": part, "id": name, "together": word}

    sheet = [
        row("example", "a", "1"),
        row("example", "b", "1"),
        row("example", "d", "2"),
        row("held-out case", "h", "2"),
    ]
    assert joined([Record(*each) for each in sheet], material) == {
        ("example", "a"): "g",
        ("example", "d"): "together 2",
        ("held-out case", "h"): "together 2",
    }
    used = dataclasses.replace(material, examples=(dataclasses.replace(cases[4], group="together 2"), cases[3]))
    assert joined([Record(*each) for each in sheet[2:]], used) == {
        ("example", "d"): "together 2-",
        ("held-out case", "h"): "together 2-",
    }, "a word of an earlier review is another one"


def test_the_commands_say_what_there_is_to_do_and_what_came_of_it(
    desk: Desk, tmp_path: Path, model_folders: Folders, capsys: pytest.CaptureFixture[str]
) -> None:
    text = (tmp_path / "task.yaml").read_text(encoding="utf-8")
    text = text.replace("[model]", f"[{model_folders.language}]")
    text = text.replace("embedder: embedder", f"embedder: {model_folders.embedder}")
    (tmp_path / "task.yaml").write_text(text, encoding="utf-8")
    done = call(capsys, "check", str(tmp_path / "task.yaml"), "--fix", str(tmp_path / "copy"))
    assert done.code == 0, done.err
    assert "label a hundred or more, from the top" in done.err
    assert "cannot be estimated" not in done.err
    assert "Write into `corrected` (x there takes what `perhaps` holds), `together` (the same word beside" in done.err
    filled(tmp_path / "copy" / "sample.csv", lambda place, row: {"label": "login"} if place < 40 else {})
    done = call(capsys, "check", str(tmp_path / "task.yaml"), "--fix", str(tmp_path / "copy"))
    assert "Of 40 held-out cases drawn at random a person labelled" in done.err
    out = str(tmp_path / "run")
    ran = call(capsys, "run", str(tmp_path / "copy"), "--out", out, "--approach", "majority", "--target", "0.9")
    assert ran.code in (0, 100, 101), ran.err
    assert "The target of 90% is above that" in ran.err
    about = json.loads((tmp_path / "run" / "run.json").read_text(encoding="utf-8"))
    assert any("a copy that was reviewed" in note for note in about["benchmark"]["notes"])


@pytest.mark.parametrize(
    ("sheet", "row", "says"),
    [
        ("review.csv", {"corrected": "delivry"}, r'review\.csv, line 2: "delivry" is not one of the labels'),
        (
            "review.csv",
            {"corrected": "x", "perhaps": ""},
            r'review\.csv, line 2: "corrected" holds x, and "perhaps" holds no label to take\.',
        ),
        ("review.csv", {"corrected": "x", "perhaps": "delivry"}, r'line 2: "delivry" is not one of the labels'),
        ("review.csv", {"leave out": "maybe"}, r'review\.csv, line 2: "leave out" holds "maybe"'),
        (
            "review.csv",
            {"together": "same"},
            r'line 2: "together" holds "same", and no other row does\. Write the same word',
        ),
        ("review.csv", {"id": "m999"}, r'review\.csv, line 2 names the example "m999", which is not there'),
        ("sample.csv", {"label": "delivry"}, r'sample\.csv, line 2: "delivry" is not one of the labels'),
        ("sample.csv", {"id": "m1"}, r'sample\.csv, line 2 names the held-out case "m1", which is not there'),
    ],
)
def test_a_slip_in_a_sheet_is_one_sentence(desk: Desk, sheet: str, row: Row, says: str) -> None:
    desk.fix()
    filled(desk.folder / "copy" / sheet, lambda place, _: row if place == 0 else {})
    assert re.search(says, desk.refused())


def test_a_sample_with_gaps_or_other_data_is_refused(desk: Desk) -> None:
    desk.fix()
    sample = desk.folder / "copy" / "sample.csv"
    kept = sample.read_bytes()
    filled(sample, lambda place, row: {"label": desk.truth[row["id"]]} if place % 2 else {})
    assert "Go from the top without leaving any out" in desk.refused()
    sample.write_bytes(kept.replace(b"id,input,label", b"id,input,mine"))
    assert "has lost its column 'label'" in desk.refused()
    sample.write_bytes(kept)
    (desk.folder / "copy" / "lineage.json").write_text('{"task": 3}', encoding="utf-8")
    assert "lineage.json beside the task cannot be read" in desk.refused()
    (desk.folder / "copy" / "lineage.json").unlink()
    assert "holds a task already" in desk.refused()


def test_what_was_labelled_after_sorting_is_corrected_and_no_sample(desk: Desk) -> None:
    """What was labelled before it is one wherever it stands."""
    desk.fix()
    sample = desk.folder / "copy" / "sample.csv"
    written = rows_of(sample)

    def saved(rows: Sequence[Row]) -> Reviewed:
        with sample.open("w", encoding="utf-8", newline="") as file:
            sheet = csv.DictWriter(file, list(written[0]))
            sheet.writeheader()
            sheet.writerows(rows)
        return desk.fix()

    def labelled(rows: Sequence[Row]) -> list[Row]:
        return [{**row, "label": desk.truth[row["id"]] if place < 30 else ""} for place, row in enumerate(rows)]

    ordered = sorted(written, key=lambda row: row["id"])
    lineage = saved(labelled(ordered)).lineage
    assert (lineage.relabelled, lineage.left, lineage.unordered, lineage.heldout.corrected) == (None, None, 30, WRONG)
    (_, said, *_) = find(desk.folder / "copy").assembled().inferred
    assert "is not known: 30 held-out cases were labelled once more, not the first ones of the order" in said
    later = saved(sorted(labelled(written), key=lambda row: row["id"])).lineage
    assert (later, later.unordered) == (saved(labelled(written)).lineage, 0)
    assert later.relabelled is not None


def test_the_order_of_a_sample_is_that_of_the_seed_with_which_it_was_written(desk: Desk) -> None:
    found, folder = find(desk.folder), desk.folder / "copy"
    review(found.assembled(seed=3), found.data(), folder, list)
    filled(folder / "sample.csv", lambda place, row: {"label": desk.truth[row["id"]]} if place < 30 else {})
    lineage = desk.fix().lineage
    assert (lineage.seed, lineage.unordered) == (3, 0)


def test_a_label_that_is_spelt_in_two_ways_is_not_wrong(desk: Desk) -> None:
    """As the metric has it; that of a sheet is taken where it is the task's, and takes no other right answer away."""
    held = [json.loads(line) for line in (desk.folder / "held.jsonl").read_text(encoding="utf-8").splitlines()]
    rows = [{**row, "output": desk.truth[row["id"]].upper(), "answers": ["other"]} for row in held]
    (desk.folder / "held.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    assert "unseen labels" not in {finding.kind for finding in assemble(desk.folder / "task.yaml").findings}
    desk.fix()
    spelt = {**desk.truth, "m101": desk.truth["m101"].upper()}
    filled(desk.folder / "copy" / "sample.csv", lambda _, row: {"label": spelt[row["id"]]})

    def decide(place: int, _: Row) -> Mapping[str, str]:
        named = {"part": "held-out case", "id": "m100", "corrected": desk.truth["m100"]}
        return named if place == 0 else {}

    filled(desk.folder / "copy" / "review.csv", decide)
    lineage = desk.fix().lineage
    assert lineage.relabelled == lineage.left == Relabelled(cases=60, wrong=0, of=60)
    assert lineage.heldout.corrected == 59
    copied = desk.copy("heldout.jsonl")
    assert [row["output"] for row in copied] == [spelt[row["id"]] for row in copied]
    assert all(list(row["answers"]) == ["other"] for row in copied)


def test_a_sheet_of_one_row_may_end_without_a_new_line(desk: Desk) -> None:
    desk.fix()
    sheet = desk.folder / "copy" / "review.csv"
    head = sheet.read_text(encoding="utf-8").splitlines()[0]
    sheet.write_text(f"{head}\nexample,copy,a copy,,,,,,,x", encoding="utf-8")
    assert desk.fix().lineage.examples.left_out == 1
    sheet.write_text(f"{head}\n\n", encoding="utf-8")
    assert desk.fix().lineage.examples.left_out == 0


OWN = '{"id": "mine", "input": "Written by hand", "output": "login", "note": "kept"}\n'


@pytest.mark.parametrize("name", ["examples.jsonl", "heldout.jsonl", "documents.jsonl", "traffic.jsonl", "looks.jsonl"])
def test_a_file_of_the_persons_own_is_not_written_over(desk: Desk, name: str) -> None:
    (desk.folder / "copy").mkdir()
    (desk.folder / "copy" / name).write_text(OWN, encoding="utf-8")
    assert f"copy holds {name} already. Name a folder for the reviewed copy" in desk.refused()
    assert everything(desk.folder / "copy") == {name: OWN.encode()}


def test_no_copy_goes_where_the_task_or_its_data_lies(desk: Desk) -> None:
    """Also where an earlier copy lies there."""
    desk.fix()
    (desk.folder / "copy" / "mine.jsonl").write_text((desk.folder / "rows.jsonl").read_text(encoding="utf-8"), "utf-8")
    text = (desk.folder / "task.yaml").read_text(encoding="utf-8")
    (desk.folder / "task.yaml").write_text(text.replace("rows.jsonl", "copy/mine.jsonl"), encoding="utf-8")
    assert 'copy holds "copy/mine.jsonl", which the task is read from. Name a folder' in desk.refused()
    before = everything(desk.folder)
    inner = Desk(folder=desk.folder / "copy", truth={})
    with pytest.raises(BadInput, match=r"copy is a reviewed copy itself\. To apply its sheets, check the task"):
        inner.fix(desk.folder / "copy")
    assert everything(desk.folder) == before


def test_what_was_changed_in_the_copy_is_not_written_over(desk: Desk) -> None:
    """The same command, given to apply a sheet, took cases and a target that had been added to the copy out of it again."""
    desk.fix()
    copy = desk.folder / "copy"
    for name, line in (("heldout.jsonl", OWN), ("task.yaml", "volume: 7\n")):
        kept = (copy / name).read_text(encoding="utf-8")
        (copy / name).write_text(kept + line, encoding="utf-8")
        before = everything(copy)
        assert f"{name} in copy was changed since the copy was made, and that would be lost." in desk.refused()
        assert everything(copy) == before
        (copy / name).write_text(kept, encoding="utf-8")
    filled(copy / "review.csv", lambda _, row: {"leave out": "x"} if row["id"] == "copy" else {})
    (desk.folder / "new").mkdir()
    for sheet in ("review.csv", "sample.csv"):
        shutil.copyfile(copy / sheet, desk.folder / "new" / sheet)
    assert desk.fix(desk.folder / "new").lineage.examples.left_out == 1
    begun = (copy / "lineage.json").read_bytes()
    desk.fix()
    done = everything(copy)
    (copy / "lineage.json").write_bytes(begun)
    desk.fix()
    assert everything(copy) == done, "a copy that was cut off in making is made to the end"


def test_a_copy_that_cannot_be_made_leaves_nothing_in_the_way_of_the_next(desk: Desk) -> None:
    with (desk.folder / "task.yaml").open("a", encoding="utf-8") as file:
        file.write("traffic: requests.jsonl\n")
    (desk.folder / "requests.jsonl").write_text('{"nothing": "here"}\n', encoding="utf-8")
    assert "requests.jsonl has no column" in desk.refused()
    (desk.folder / "requests.jsonl").write_text('{"input": "When do you open"}\n', encoding="utf-8")
    desk.fix()
    assert desk.copy("traffic.jsonl") == [{"input": "When do you open"}]


def test_other_data_is_refused(desk: Desk) -> None:
    desk.fix()
    with (desk.folder / "rows.jsonl").open("a", encoding="utf-8") as file:
        file.write(json.dumps({"id": "new", "input": "Another one entirely", "output": "login"}) + "\n")
    assert "belong to other data" in desk.refused()


def test_a_task_without_labels_keeps_its_documents(tmp_path: Path) -> None:
    cases = [*tiny.questions(60), Case(id="todo", input="=Who?", output="TODO")]
    rooms = [dataclasses.asdict(room) for room in tiny.rooms()]
    write_task(tmp_path, NOWHERE, "kind: qa", "documents: rooms.jsonl", cases=cases)
    (tmp_path / "rooms.jsonl").write_text("".join(json.dumps(room) + "\n" for room in rooms), encoding="utf-8")
    desk = Desk(folder=tmp_path, truth={})
    desk.fix()
    assert any("looks like a placeholder" in row["why"] for row in rows_of(tmp_path / "copy" / "review.csv"))
    filled(tmp_path / "copy" / "review.csv", lambda _, row: {"corrected": "'=Ada"} if row["id"] == "todo" else {})
    desk.fix()
    made = yaml.safe_load((tmp_path / "copy" / "task.yaml").read_text(encoding="utf-8"))
    assert (made["kind"], made["documents"]) == ("qa", "documents.jsonl")
    rows = [*desk.copy("examples.jsonl"), *desk.copy("heldout.jsonl")]
    assert {row["output"] for row in rows if row["id"] == "todo"} == {"=Ada"}
    assert len(rows) == 61
    assert find(tmp_path / "copy").assembled().benchmark.task.documents == tiny.rooms()


def judged(folder: Path, metric: str = "exact_match") -> Desk:
    """Questions of which every fifth held-out one has the answer "nobody", and the copy with all of them in `sample.csv`."""
    cases, heldout = (
        tiny.questions(40),
        [dataclasses.replace(each, id=f"h{each.id}") for each in tiny.questions(60, 40)],
    )
    rows = [
        {"id": each.id, "input": each.input, "output": "nobody" if place % 5 == 0 else each.output}
        for place, each in enumerate(heldout)
    ]
    write_task(folder, NOWHERE, "kind: qa", "heldout: held.jsonl", f"metric: {metric}", "target: 0.95", cases=cases)
    (folder / "held.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    desk = Desk(folder=folder, truth={each.id: each.output for each in heldout})
    desk.fix()
    return desk


def test_answers_that_are_no_labels_are_judged_where_they_stand(tmp_path: Path) -> None:
    """Of these the share of wrong ones could not be known at all."""
    desk = judged(tmp_path)
    sample = tmp_path / "copy" / "sample.csv"
    assert list(rows_of(sample)[0]) == ["id", "input", "output", "right", "corrected"]
    assert desk.fix().lineage.relabelled is None

    def judge(place: int, row: Row) -> Mapping[str, str]:
        if place >= 30:
            return {}
        return {"corrected": desk.truth[row["id"]]} if row["output"] == "nobody" else {"right": "x"}

    filled(sample, judge)
    lineage = desk.fix().lineage
    wrong = sum(row["output"] == "nobody" for row in rows_of(sample)[:30])
    assert lineage.relabelled == lineage.left == Relabelled(cases=30, wrong=wrong, of=60)
    assert lineage.heldout.corrected == wrong > 0
    assert {row["id"] for row in desk.copy("heldout.jsonl") if row["output"] == "nobody"} == {
        row["id"] for row in rows_of(sample)[30:] if row["output"] == "nobody"
    }
    assembly = find(tmp_path / "copy").assembled()
    assert assembly.ceiling == lineage.ceiling is not None
    notes = " ".join(assembly.benchmark.notes)
    assert f"a person who saw their answers found {wrong} wrong: " in notes
    assert lineage.left is not None
    assert (
        f"By the answers after the review an approach that is always right would score {lineage.left.ceiling[1]:.1%} at most."
        in notes
    )


@pytest.mark.parametrize("metric", ["token_f1", "answer_contained", "numeric_tolerance"])
def test_a_metric_by_which_other_answers_score_has_a_share_of_wrong_ones_and_no_ceiling(
    tmp_path: Path, metric: str
) -> None:
    """A target above what exact answers allow was said to be out of reach, and --economical fitted nothing."""
    desk = judged(tmp_path, metric)
    filled(tmp_path / "copy" / "sample.csv", lambda place, _: {"right": "yes"} if place < 30 else {})
    desk.fix()
    assembly = find(tmp_path / "copy").assembled()
    assert assembly.ceiling is None
    notes = " ".join(assembly.benchmark.notes)
    assert "found 0 wrong" in notes
    assert "always right" not in notes


def test_objects_that_are_spelt_otherwise_are_not_wrong(tmp_path: Path) -> None:
    cases = tiny.orders(40)
    write_task(tmp_path, NOWHERE, "kind: extraction", cases=cases)
    desk = Desk(folder=tmp_path, truth={})
    desk.fix()
    sample = tmp_path / "copy" / "sample.csv"
    filled(
        sample, lambda _, row: {"corrected": json.dumps(dict(reversed(json.loads(row["output"]).items())), indent=1)}
    )
    found = desk.fix().lineage.relabelled
    assert found is not None
    assert (found.wrong, found.cases) == (0, found.of)


@pytest.mark.parametrize(
    ("row", "says"),
    [
        (
            {"right": "perhaps"},
            'sample.csv, line 2: "right" holds "perhaps". Write x where the output is right, or nothing.',
        ),
        ({"right": "no"}, 'sample.csv, line 2 says that the output is wrong. Write the right one into "corrected".'),
        ({"right": "x", "corrected": "else"}, "sample.csv, line 2 says that the output is right, and corrects it."),
        (
            {"corrected": "x"},
            'sample.csv, line 2: "corrected" holds x. Write x into "right" where the output is right.',
        ),
        ({"output": "else", "right": "x"}, "sample.csv, line 2: the output was changed in the sheet."),
    ],
)
def test_a_slip_in_a_judged_sample_is_one_sentence(tmp_path: Path, row: Row, says: str) -> None:
    desk = judged(tmp_path)
    filled(tmp_path / "copy" / "sample.csv", lambda place, _: row if place == 0 else {})
    assert says in desk.refused()


def corrections(folder: Path, metric: str, rows: Sequence[Row]) -> tuple[Reviewed, dict[str, Row]]:
    """What comes of these entries in `sample.csv`, each for the case "six months" of another number."""
    heldout = [
        {"id": f"h{place}", "input": f"How long is term {place}?", "output": "Six months", "answers": ["half a year"]}
        for place in range(30)
    ]
    write_task(folder, NOWHERE, "kind: qa", "heldout: held.jsonl", f"metric: {metric}", cases=tiny.questions(40))
    (folder / "held.jsonl").write_text("".join(json.dumps(row) + "\n" for row in heldout), encoding="utf-8")
    desk = Desk(folder=folder, truth={})
    desk.fix()
    filled(folder / "copy" / "sample.csv", lambda place, _: rows[place % len(rows)])
    return desk.fix(), {row["id"]: row for row in desk.copy("heldout.jsonl")}


def test_a_correction_that_is_the_same_answer_changes_nothing(tmp_path: Path) -> None:
    """Its alternatives were dropped, so that whoever gave one of them was wrong from then on."""
    rows = [{"corrected": "Six  months."}, {"corrected": "half a year"}, {"right": "x", "corrected": "Six months"}]
    made, copied = corrections(tmp_path, "exact_match", rows)
    assert made.lineage.relabelled == Relabelled(cases=30, wrong=0, of=30)
    assert made.lineage.heldout.corrected == 0
    assert {(row["output"], *row["answers"]) for row in copied.values()} == {("Six months", "half a year")}


@pytest.mark.parametrize(
    ("metric", "wrong", "answers"),
    [("exact_match", 0, ["half a year"]), ("{name: exact_match, case_sensitive: true}", 30, None)],
)
def test_a_correction_of_capitals_is_done_and_is_a_wrong_answer_where_they_count(
    tmp_path: Path, metric: str, wrong: int, answers: list[str] | None
) -> None:
    """It was left out without a word, and the row that was marked as wrong counted as right."""
    made, copied = corrections(tmp_path, metric, [{"right": "no", "corrected": "six months"}])
    assert made.lineage.relabelled == Relabelled(cases=30, wrong=wrong, of=30)
    assert {row["output"] for row in copied.values()} == {"six months"}
    assert {tuple(row.get("answers") or ()) for row in copied.values()} == {tuple(answers or ())}


def test_one_object_in_two_layouts_is_no_contradiction_between_the_sheets(tmp_path: Path) -> None:
    cases = [*tiny.orders(40), dataclasses.replace(tiny.orders(1)[0], id="again")]
    write_task(tmp_path, NOWHERE, "kind: extraction", cases=cases)
    desk = Desk(folder=tmp_path, truth={})
    desk.fix()
    right = {"item": "desk", "size": "small"}
    filled(tmp_path / "copy" / "review.csv", lambda *_: {"corrected": json.dumps(right)})
    listed = {row["id"] for row in rows_of(tmp_path / "copy" / "review.csv") if row["part"] == "held-out case"}
    dense = json.dumps(right, separators=(",", ":"))
    filled(
        tmp_path / "copy" / "sample.csv",
        lambda _, row: {"corrected": dense} if row["id"] in listed else {"right": "x"},
    )
    assert desk.fix().lineage.heldout.corrected == len(listed)


def test_an_answer_that_equals_nothing_is_right_where_somebody_says_so() -> None:
    """`NaN` differs from itself: such an object, marked as right, counted as wrong, and lost its alternatives."""
    case = Case(id="a", input="Which?", output='{"share": NaN}', answers=('{"share": null}',))
    material = Material(kind="extraction", labels=(), examples=(), heldout=(case,), documents=())
    assert material.accepts(case, case.output)
    assert _with_output(case, case.output, material) == case


def test_an_answer_that_the_other_sheet_replaced_is_no_longer_right() -> None:
    """An alternative of what stood there was taken for one of what stands there now."""
    case = Case(id="a", input="How long?", output="six months", answers=("half a year",))
    material = Material(kind="qa", labels=(), examples=(), heldout=(case,), documents=())
    assert agreed_answer(case, "six months", "half a year", material) == "six months"
    assert agreed_answer(case, "seven months", "Seven months.", material) == "seven months"
    with pytest.raises(BadInput, match="Decide on one"):
        agreed_answer(case, "seven months", "half a year", material)


def test_few_judged_answers_say_nothing_of_the_share() -> None:
    found = Relabelled(cases=12, wrong=3, of=400)
    assert JUDGED.sample(found) == (
        "The share of wrong answers cannot be estimated: 12 held-out cases were judged, and it takes 20."
    )
    assert JUDGED.ceiling(found, 0.9) == ()
    assert "set no ceiling" in JUDGED.ceiling(Relabelled(cases=40, wrong=4, of=40), 0.9)[0]


def test_what_only_late_rows_have_is_in_the_copy_too(tmp_path: Path) -> None:
    """More rows before them than a reader looks at to learn the columns."""
    cases = tiny.messages(160)
    late = {"answers": ["login", "refund"], "group": "one", "metadata": {"from": "mail"}, "document_ids": ["d0"]}
    rows = [{"id": case.id, "input": case.input, "output": case.output} for case in cases]
    table = [{**row, **(late if place >= 120 else dict.fromkeys(late, ""))} for place, row in enumerate(rows)]
    documents = [{"id": f"d{n}", "text": f"Rule {n}", "date": "2030-01-01" if n >= 120 else ""} for n in range(130)]
    write_task(tmp_path, NOWHERE, "documents: rules.jsonl", "heldout: held.jsonl")
    for name, several in (("rows.jsonl", table), ("held.jsonl", table), ("rules.jsonl", documents)):
        text = "".join(json.dumps(row) + "\n" for row in several)
        (tmp_path / name).write_text(text.replace("(note", "(late" if name == "held.jsonl" else "(note"), "utf-8")
    found = find(tmp_path)
    assembly = found.assembled()
    review(assembly, found.data(), tmp_path / "copy", list)
    given, copied = found.data(), find(tmp_path / "copy").data()
    assert (copied.examples, copied.heldout, copied.documents) == (given.examples, given.heldout, given.documents)
    assert len({case.group for case in copied.examples}) == 2
    first = Desk(folder=tmp_path, truth={}).copy("documents.jsonl")[0]
    assert first == {"id": "d0", "text": "Rule 0", "date": ""}


def test_of_many_copies_each_row_names_the_first_others() -> None:
    """Named whole, 8,000 copies of one text took minutes and hundreds of megabytes."""
    copies = tuple(
        Case(id=f"e{place}", input="I was charged twice for my order", output="refund") for place in range(60)
    )
    held = (Case(id="h", input="something wholly other is asked here", output="refund"),)
    material = Material(kind="classification", labels=("refund",), examples=copies, heldout=held, documents=())
    found = concerns(material, ())
    assert max(len(each.like) for each in found) <= 5
    told = {each.case.id: each.row()[2:4] for each in found}
    assert (told["e0"], told["e59"]) == (("a copy", "e1 e2 e3 ..."), ("a copy", "e0 e1 e2 ..."))
    few = concerns(dataclasses.replace(material, examples=copies[:4]), ())
    assert [each.row()[3] for each in few] == ["e1 e2 e3", "e0 e2 e3", "e0 e1 e3", "e0 e1 e2"]


def test_a_label_of_another_spelling_is_listed_with_the_one_that_most_rows_have() -> None:
    cases = tiny.messages(40)
    odd = dataclasses.replace(cases[3], output=cases[3].output.upper())
    material = Material(
        kind="classification",
        labels=tuple(sorted({case.output for case in (*cases, odd)})),
        examples=(*cases[:3], odd, *cases[4:30]),
        heldout=tuple(cases[30:]),
        documents=(),
    )
    found = [each for each in concerns(material, ()) if "another label differs by capitals or spaces only" in each.why]
    assert [(each.case.id, each.perhaps) for each in found] == [(odd.id, cases[3].output)]


def test_no_label_is_doubted_of_the_held_out_cases() -> None:
    cases = tiny.messages(40)
    material = Material(
        kind="classification",
        labels=tuple(sorted({case.output for case in cases})),
        examples=cases[:20],
        heldout=(*cases[20:], dataclasses.replace(cases[0], id="leak")),
        documents=(),
    )
    found = concerns(material, [])
    assert {(each.side, each.case.id) for each in found} == {("example", "m0")}
    assert found[0].why == ["the input of a held-out case: left out of every run"]


def test_rows_that_a_finding_says_to_leave_out_are_listed_whichever_side_they_are_on() -> None:
    """Texts that were cut, without an input, in another language or with personal data were counted, and three of them named."""
    said = "Thank you for your message, and the parcel that you have asked for will be with you on day"
    words = [[f"w{dice}" for dice in random.Random(place).sample(range(999), 9)] for place in range(30)]
    texts = {place: f"the {' '.join(some)} of which you have sent it to me" for place, some in enumerate(words)}
    texts |= {3: " ", 4: "Wo ist das Paket, das Sie mir mit der Post geschickt haben und auf das ich warte"}
    texts[5] += ", tom@acme-mail.com"
    ends = {6: "and the", 20: "and the"}
    cases = [Case(id=f"c{n}", input=text, output=f"{said} {n} {ends.get(n, 'soon.')}") for n, text in texts.items()]
    cases[7] = dataclasses.replace(cases[7], output="[TODO]")
    material = Material(
        kind="generation", labels=(), examples=tuple(cases[:15]), heldout=tuple(cases[15:]), documents=()
    )
    like = Alike(id="c16", held_out=True, why="means nearly what another held-out case does", like=("c17",))
    found = concerns(material, [like])
    assert {(each.side, each.case.id): "; ".join(each.why) for each in found} == {
        ("example", "c3"): "an empty input",
        ("example", "c4"): "the input seems to be in another language than English",
        ("example", "c5"): "seems to hold an e-mail address",
        ("example", "c6"): "looks as if something was cut",
        ("example", "c7"): "looks like a placeholder, or holds one",
        ("held-out case", "c20"): "looks as if something was cut",
        ("held-out case", "c16"): like.why,
    }
    assert {each.case.id: each.like for each in found}["c16"] == ["c17"]


def test_what_is_meant_is_told_by_the_answers_of_both_sides() -> None:
    """As the finding has it; by one side alone few would share it."""
    cases = [Case(id=f"c{place}", input=f"question {place} " * 9, output="-") for place in range(8)]
    material = Material(kind="qa", labels=(), examples=tuple(cases[:4]), heldout=tuple(cases[4:]), documents=())
    assert not any("placeholder" in why for each in concerns(material, []) for why in each.why)


def test_labels_and_values_that_the_schema_names_are_no_placeholders_in_the_sheet() -> None:
    def listed(kind: Kind, output: str, **given: Any) -> bool:
        case = Case(id="a", input="Which?", output=output)
        told = concerns(Material(kind=kind, labels=(), examples=(case,), heldout=(), documents=()), [])
        meant = concerns(Material(kind=kind, examples=(case,), heldout=(), documents=(), **{"labels": (), **given}), [])
        assert any("placeholder" in why for each in told for why in each.why)
        return any("placeholder" in why for each in meant for why in each.why)

    assert not listed("qa", "none", labels=("yes", "none"))
    assert not listed("extraction", '{"state": "Todo"}', schema={"properties": {"state": {"enum": ["Todo"]}}})
    assert not listed("qa", "TODO", labels=("yes", "TODO"))
    assert listed("qa", "TODO", labels=("yes", "TODO"), labels_given=False), "nobody said that it is meant"


# ---------------------------------------------------------------- what the sample says


@pytest.mark.parametrize("share", [0.0, 0.05, 0.2])
def test_the_interval_holds_the_planted_share_in_nine_of_ten_draws(share: float) -> None:
    of, cases, draws = 500, 100, 400
    wrong = [place < share * of for place in range(of)]
    held = 0
    for draw in range(draws):
        seen = sum(random.Random(draw).sample(wrong, cases))
        low, high = Relabelled(cases=cases, wrong=seen, of=of).share
        held += low <= share <= high
    assert held >= 0.9 * draws


@pytest.mark.parametrize("cases", [60, 120, 300])
def test_the_ceiling_holds_what_somebody_scores_who_is_always_right(cases: int) -> None:
    """Once the sample is corrected: the wrong labels that are left are those outside of it, also where it is most of all."""
    of, draws = 400, 400
    wrong = [place < 40 for place in range(of)]
    held = 0
    for seed in range(draws):
        random.Random(seed).shuffle(wrong)
        found = Relabelled(cases=cases, wrong=sum(wrong[:cases]), of=of)
        low, high = found.ceiling
        held += low <= 1 - sum(wrong[cases:]) / of <= high
    assert held >= 0.95 * draws


def test_what_was_labelled_wholly_sets_no_ceiling_and_nothing_lies_above_one() -> None:
    assert Relabelled(cases=400, wrong=40, of=400).ceiling == (1.0, 1.0)
    assert Relabelled(cases=200, wrong=0, of=400).ceiling == pytest.approx((1 - 5 / 400, 1.0))
    assert "set no ceiling" in LABELLED.ceiling(Relabelled(cases=400, wrong=40, of=400), 0.9)[0]
    assert "set no ceiling" not in LABELLED.ceiling(Relabelled(cases=399, wrong=0, of=400), 0.9)[0]
    assert Relabelled(cases=100, wrong=1, of=400).ceiling[1] == 1.0


def test_labels_that_the_review_corrects_or_leaves_out_lower_no_ceiling(desk: Desk) -> None:
    """The sample still says how many of the given labels were wrong."""
    planted = [f"m{100 + place}" for place in range(WRONG)]
    rows = [json.loads(line) for line in (desk.folder / "held.jsonl").read_text(encoding="utf-8").splitlines()]
    again = [
        {**row, "id": f"twice {row['id']}", "output": desk.truth[row["id"]]} for row in rows if row["id"] in planted
    ]
    text = "".join(json.dumps(row) + "\n" for row in rows + again)
    (desk.folder / "held.jsonl").write_text(text, encoding="utf-8")
    truth = {**desk.truth, **{row["id"]: row["output"] for row in again}}
    desk.fix()
    sheets = desk.folder / "copy"
    seen = [row["id"] for row in rows_of(sheets / "sample.csv")][:40]
    wrong = len(set(planted) & set(seen))
    assert wrong > 0
    filled(sheets / "sample.csv", lambda place, row: {"label": truth[row["id"]]} if place < 40 else {})
    before = desk.fix().lineage
    assert before.left == before.relabelled == Relabelled(cases=40, wrong=wrong, of=65)

    def decide(_: int, row: Row) -> Mapping[str, str]:
        if row["id"] == planted[0]:
            return {"leave out": "x"}
        return {"corrected": truth[row["id"]]} if row["id"] in planted else {}

    filled(sheets / "review.csv", decide)
    lineage = desk.fix().lineage
    assert lineage.relabelled == before.relabelled
    assert lineage.left == Relabelled(cases=40 - (planted[0] in seen), wrong=0, of=64)
    assert lineage.left is not None
    assert lineage.left.ceiling[1] == 1.0
    notes = find(sheets).assembled().benchmark.notes
    assert any(f"a person labelled {wrong} otherwise" in note for note in notes)
    assert any("By the labels after the review" in note and "to 100.0%" in note for note in notes)


def test_the_ceiling_holds_the_truth_where_cases_are_corrected_and_left_out_before_it() -> None:
    """A third of all cases is looked through, whichever of them are in the sample: wrong ones are corrected, others left out."""
    of, cases, draws = 400, 120, 400
    held = 0
    for seed in range(draws):
        dice = random.Random(seed)
        wrong = set(dice.sample(range(of), 60))
        through = set(dice.sample(range(of), of // 3))
        out = set(dice.sample(sorted(through), 30))
        kept = [place for place in range(of) if place not in out]
        drawn = set(dice.sample(range(of), cases)) - out
        still = wrong - through
        low, high = Relabelled(cases=len(drawn), wrong=len(drawn & still), of=len(kept)).ceiling
        held += low <= 1 - len(still - drawn) / len(kept) <= high
    assert held >= 0.95 * draws


def test_a_run_of_a_copy_names_the_data_before_and_after_when_both_are_gone(desk: Desk) -> None:
    """It said how much was changed, and of which data nothing but the folder knew."""
    task = desk.folder / "task.yaml"
    lines = [
        line for line in task.read_text(encoding="utf-8").splitlines() if not line.startswith(("models", "embedder"))
    ]
    task.write_text("\n".join(lines), encoding="utf-8")
    lineage = desk.fix().lineage
    prepared = prepare(desk.folder / "copy" / "task.yaml", Wishes(approaches=("majority",), probes="none"))
    told = execute(prepared, desk.folder / "run").story
    shutil.rmtree(desk.folder / "copy")
    for story in (told, reopen(desk.folder / "run").story):
        assert story.provenance["data before its review"] == lineage.source
        assert story.provenance["data after its review"] == lineage.data
        assert story.facts["provenance"] == story.provenance
    unreviewed = prepare(task, Wishes(approaches=("majority",), probes="none"))
    assert not [name for name in execute(unreviewed, desk.folder / "plain").story.provenance if "review" in name]


def test_a_copy_of_a_copy_knows_what_the_first_review_found(desk: Desk) -> None:
    desk.fix()
    first, second = desk.folder / "copy", desk.folder / "second"
    filled(first / "sample.csv", lambda place, row: {"label": desk.truth[row["id"]]} if place < 40 else {})
    filled(first / "review.csv", lambda _, row: {"leave out": "x"} if row["id"] == "copy" else {})
    before = desk.fix().lineage
    again = Desk(folder=first, truth=desk.truth)
    lineage = again.fix(second).lineage
    assert lineage.named == before.named, "the data before the first review is named"
    assert dataclasses.replace(lineage, source=before.source, folder=before.folder, original="") == before
    assert find(second).assembled().inferred[:3] == find(first).assembled().inferred[:3]

    def leave_out(_: int, row: Row) -> Mapping[str, str]:
        named = {"part": "held-out case", "id": "m150"} if row["id"] == "m0" else {}
        return {**named, "leave out": "x"} if row["id"] in ("m0", "against") else {}

    filled(second / "review.csv", leave_out)
    filled(second / "sample.csv", lambda place, row: {"label": desk.truth[row["id"]]} if place < 5 else {})
    lineage, left = again.fix(second).lineage, before.left
    assert (lineage.examples.rows, lineage.examples.left_out) == (102, 2)
    assert (lineage.heldout.rows, lineage.heldout.left_out) == (60, 1)
    assert left is not None
    since = lineage.heldout.corrected - before.heldout.corrected + 1
    assert (lineage.relabelled, lineage.left) == (before.relabelled, dataclasses.replace(left, since=since))
    filled(second / "sample.csv", lambda place, row: {"label": desk.truth[row["id"]]} if place < 30 else {})
    anew = again.fix(second).lineage.relabelled
    assert anew is not None
    assert (anew.cases, anew.of) == (30, 60)
    with (first / "heldout.jsonl").open("a", encoding="utf-8") as file:
        file.write('{"id": "new", "input": "When do you open", "output": "login"}\n')
    third = again.fix(desk.folder / "third").lineage
    assert "changed again since" in third.notes(None)[0]
    assert third.relabelled is None, "the sample was of the cases before that"


def test_the_ceiling_holds_the_truth_where_others_are_corrected_and_left_out_after_the_sample() -> None:
    of, cases, draws = 400, 100, 400
    held = 0
    for seed in range(draws):
        dice = random.Random(seed)
        wrong = set(dice.sample(range(of), 50))
        drawn = set(dice.sample(range(of), cases))
        through = set(dice.sample(range(of), 80))
        out = set(dice.sample(sorted(through), 20))
        since = len(out) + len((wrong - drawn) & (through - out))
        low, high = Relabelled(cases=cases, wrong=len(drawn & wrong), of=of, since=since).ceiling
        held += low <= 1 - len(wrong - drawn - through) / (of - len(out)) <= high
    assert held >= 0.95 * draws


def test_the_target_is_held_against_the_ceiling_and_few_labels_say_nothing() -> None:
    few, many = Relabelled(cases=12, wrong=0, of=400), Relabelled(cases=100, wrong=20, of=400)
    assert "cannot be estimated" in LABELLED.sample(few)
    assert LABELLED.ceiling(few, 0.9) == ()
    assert many.share == pytest.approx((55 / 400, 111 / 400))
    assert many.ceiling == pytest.approx((1 - (111 - 20) / 400, 1 - (55 - 20) / 400))
    assert "is above that" in LABELLED.ceiling(many, 0.95)[0]
    assert "may be out of reach" in LABELLED.ceiling(many, 0.85)[0]
    assert "The target of 85.5% may" in LABELLED.ceiling(many, 0.855)[0]
    assert "target" not in LABELLED.ceiling(many, 0.7)[0]


def test_sheets_are_in_a_random_order_that_the_seed_decides(tmp_path: Path) -> None:
    cases = tiny.messages(60)
    material = Material(kind="classification", labels=("a", "b"), examples=(), heldout=cases, documents=())

    def order(name: str, seed: int) -> Sequence[str]:
        folder = tmp_path / name
        folder.mkdir()
        write_sheets(material, [], folder, seed)
        return [row["id"] for row in rows_of(folder / "sample.csv")]

    one = order("one", 0)
    assert one == order("two", 0) != order("three", 1)
    assert sorted(one) == sorted(case.id for case in cases)
    assert all(row["label"] == "" for row in rows_of(tmp_path / "one" / "sample.csv"))
