"""Files beside the examples may have other columns than the task names, and the commands of the documentation go together."""

from __future__ import annotations

import csv
import json
from collections.abc import Mapping, Sequence
from pathlib import Path

import pytest

from benchmarks.contract import BadInput
from benchmarks.data.columns import find_layout, input_apart, layout_apart
from benchmarks.specs.spec import Columns
from tests import tiny
from tests.conftest import Folders
from tests.desk import call

NAMED = Columns(input="mail", output="team")


def taken(file: str, lacks: str, read: str) -> str:
    return f"{file} lacks columns that the task names ({lacks}), so the usual names are taken: {read}."


@pytest.mark.parametrize(
    ("columns", "names", "wanted", "said"),
    [
        (NAMED, ("mail", "team"), ("mail", "team"), ""),
        (NAMED, ("input", "output"), ("input", "output"), ("mail", "team", "input", "output")),
        (NAMED, ("mail", "label"), ("mail", "label"), ("team", "label")),
        (NAMED, ("id", "text", "answers"), ("text", ""), ("mail", "team", "text", "answers")),
        (Columns(input="{subject} {mail}", output="team"), ("input", "team"), ("input", "team"), ("subject", "input")),
        (Columns(input="mail", output="team", group="thread"), ("input", "output"), ("input", "output"), ("thread",)),
        (Columns(input="mail", output="text"), ("text", "question"), ("question", "text"), ("mail", "question")),
    ],
)
def test_a_file_beside_the_examples_is_read_by_the_usual_names_where_it_lacks_the_named_ones(
    columns: Columns, names: Sequence[str], wanted: tuple[str, str], said: Sequence[str]
) -> None:
    found = layout_apart(names, columns, "held.jsonl")
    assert (found.input, found.output, bool(found.notes)) == (*wanted, bool(said))
    assert all(f'"{name}"' in " ".join(found.notes) for name in said)
    if said:
        with pytest.raises(BadInput, match=r"columns\.\w+ names the column"):
            find_layout(names, columns, "held.jsonl")


def test_a_column_that_says_of_which_conversation_a_row_is_holds_no_chats() -> None:
    """Such a file was refused, since its ids are no lists of messages; where they are, they stay chats."""
    names = ("conversation", "text", "label")
    for first in ("c1", 7):
        found = find_layout(names, Columns(), "a.csv", [{"conversation": first, "text": "t", "label": "x"}])
        assert (found.chat, found.input, found.output) == ("", "text", "label")
    for chat in ([{"role": "user", "content": "t"}], '[{"role": "user", "content": "t"}]'):
        found = find_layout(names, Columns(), "a.jsonl", [{"conversation": chat, "text": "t", "label": "x"}])
        assert found.chat == "conversation"
    assert find_layout(("conversation",), Columns(), "a.csv", [{"conversation": "c1"}]).chat == "conversation"


def test_chats_beside_the_examples_are_read_as_chats() -> None:
    found = layout_apart(["messages"], NAMED, "held.jsonl")
    assert (found.chat, found.notes) == (
        "messages",
        (taken("held.jsonl", '"mail", "team"', 'chats from "messages"'),),
    )


@pytest.mark.parametrize(
    ("columns", "names"),
    [
        (NAMED, ("mail", "place")),
        (NAMED, ("output", "place")),
        (Columns(input="mail", output="text"), ("text",)),
        (Columns(group="thread"), ("input", "output")),
    ],
)
def test_a_file_with_neither_the_named_columns_nor_usual_ones_is_refused(
    columns: Columns, names: Sequence[str]
) -> None:
    with pytest.raises(BadInput, match=r'columns\.\w+ names the column "\w+", which held.jsonl does not have'):
        layout_apart(names, columns, "held.jsonl")


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        ("accepted", "true", ""),
        ("references", "https://x.example/1", ""),
        ("targets", 3, ""),
        ("references", ["a", "b"], "further right answers are"),
        ("accepted", "['a', 'b']", "further right answers are"),
        ("Answers", "b", "further right answers are"),
        ("cluster", "north", ""),
        ("group", "north", "groups of rows are"),
        ("doc_ids", "d1", "the documents of an answer are"),
        ("key", "k1", "ids are"),
        ("id", "k1", ""),
    ],
)
def test_a_column_that_is_taken_by_its_name_is_told_and_only_lists_are_answers(
    name: str, value: object, said: str
) -> None:
    names, row = ["input", "output", name], {"input": "q", "output": "a", name: value}
    found = find_layout(names, Columns(), "rows.csv", [row])
    wanted = f'rows.csv: {said} taken from "{name}"; map other columns under `columns:`.'
    assert found.notes == ((wanted,) if said else ())
    assert bool(found.answers) == ("answers" in said)
    apart = layout_apart(["text", "label", name], NAMED, "held.csv", [row])
    assert apart.notes[1:] == ((wanted.replace("rows.csv", "held.csv"),) if said else ())
    assert find_layout(names, Columns(answers=name), "rows.csv", [row]).answers == name


@pytest.mark.parametrize(("value", "output", "answers"), [("yes", "targets", ""), (["yes", "no"], "", "targets")])
def test_targets_that_are_texts_are_the_answers_and_lists_the_accepted_ones(
    value: object, output: str, answers: str
) -> None:
    found = find_layout(["inputs", "targets"], Columns(), "rows.csv", [{"inputs": "q", "targets": value}])
    assert (found.output, found.answers) == (output, answers)


def test_requests_need_nothing_but_an_input() -> None:
    assert input_apart(["mail"], NAMED, "new.csv").input == "mail"
    found = input_apart(["input"], NAMED, "new.csv")
    assert (found.input, found.notes) == ("input", (taken("new.csv", '"mail"', 'input from "input"'),))
    joined = input_apart(["mail", "text"], Columns(input="{subject} {mail}"), "new.csv")
    assert (joined.input, joined.notes) == ("{subject} {mail}", ()), "a request without a subject is one still"
    with pytest.raises(BadInput, match=r'columns\.input names the column "mail", which new\.csv does not have'):
        input_apart(["mial"], NAMED, "new.csv")
    with pytest.raises(BadInput, match=r"new\.csv has no column with a usual name for the input"):
        input_apart(["mial"], Columns(), "new.csv")


def test_the_commands_of_the_documentation_go_together_for_columns_of_other_names(
    tmp_path: Path, model_folders: Folders, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """What `check --fix` writes has the usual names: a gate refused it, and a held-out file beside the examples likewise."""
    monkeypatch.chdir(tmp_path)
    _table(tmp_path / "my.csv", [{"message": case.input, "label": case.output} for case in tiny.messages(80)])
    held = [{"input": case.input, "output": case.output} for case in tiny.messages(30, 200)]
    (tmp_path / "heldout.jsonl").write_text("".join(json.dumps(row) + "\n" for row in held), encoding="utf-8")
    _table(tmp_path / "new.csv", [{"input": row["input"]} for row in held])
    assert call(capsys, "init", "my.csv").code == 0
    with (tmp_path / "task.yaml").open("a", encoding="utf-8") as task:
        task.write(f"models: [{model_folders.language}]\nembedder: {model_folders.embedder}\ntraffic: new.csv\n")
    fixed = call(capsys, "check", "task.yaml", "--fix", "reviewed")
    said = taken("heldout.jsonl", '"message", "label"', 'input from "input", output from "output"')
    assert (fixed.code, said in " ".join(fixed.out.split())) == (0, True)
    few = ("--approach", "tf-idf", "--approach", "majority", "--probes", "none", "--no-second-seed")
    done = call(capsys, "run", "task.yaml", "--out", "first", "--target", "0.05", *few)
    assert done.code == 0, done.err
    notes = [f"note: {said}", "note: " + taken("new.csv", '"message"', 'input from "input"')]
    assert all(note in done.err.splitlines() for note in notes)
    assert call(capsys, "export", "first", "router", "--candidate", "majority").code == 0
    passed = call(capsys, "gate", "router", "reviewed/heldout.jsonl")
    assert (passed.code, notes[0] in passed.err, "30 cases" in passed.out) == (0, True, True)
    answered = call(capsys, "predict", "router", "new.csv")
    assert (answered.code, notes[1] in answered.err, len(answered.out.splitlines())) == (0, True, 30)


def _table(path: Path, rows: Sequence[Mapping[str, str]]) -> None:
    with path.open("w", encoding="utf-8", newline="") as file:
        sheet = csv.DictWriter(file, list(rows[0]))
        sheet.writeheader()
        sheet.writerows(rows)
