"""What `advisor check` names in a finding: the command for the task at hand, which runs, and rows, never by personal data."""

from __future__ import annotations

import json
import random
import re
import shlex
from pathlib import Path

import pytest

from tests.desk import call


def test_what_is_said_to_list_the_rows_lists_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    folder = tmp_path / "my task"
    folder.mkdir()
    words = [f"word{number}" for number in range(500)]
    texts = [" ".join(random.Random(number).choices(words, k=10)) for number in range(40)]
    rows = [
        {"id": f"r{place}", "input": text, "output": text[:9]} for place, text in enumerate([*texts, f"{texts[0]} now"])
    ]
    (folder / "rows.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    task = folder / "own.yaml"
    task.write_text("name: mine\ninstruction: Say it.\nexamples: rows.jsonl\nkind: qa\n", encoding="utf-8")
    told = json.loads(call(capsys, "check", "my task/own.yaml", "--seed", "3", "--json").out)
    said = next(each["what_to_do"] for each in told["findings"] if "near duplicates" in each["kind"])
    (command,) = re.findall(r"`(.*?)` lists them", said)
    assert command.endswith("check 'my task/own.yaml' --seed 3 --fix reviewed")
    assert command in " ".join(call(capsys, "check", "my task/own.yaml", "--seed", "3").out.split())
    done = call(capsys, *shlex.split(command.partition(" ")[2].removeprefix("-m advisor ")))
    assert done.code == 0, done.err
    assert "judge a hundred or more, from the top, or all, to know the share of wrong answers" in done.err
    assert "nearly a copy" in (tmp_path / "reviewed" / "review.csv").read_text(encoding="utf-8")


def test_an_id_that_holds_personal_data_is_shown_as_the_number_of_its_row(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The very warning of personal data named such rows by addresses."""
    monkeypatch.chdir(tmp_path)
    words = [f"word{number}" for number in range(500)]
    texts = [" ".join(random.Random(number).choices(words, k=10)) for number in range(40)]
    texts[4] += " write to tom@acme-mail.com"
    rows = [{"id": f"p{place}@acme-mail.com", "input": text, "output": text[:9]} for place, text in enumerate(texts)]
    (tmp_path / "rows.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    (tmp_path / "held.jsonl").write_text(json.dumps({"id": "h@acme-mail.com", "input": " ", "output": "x"}), "utf-8")
    documents = [{"id": name, "text": "The gate is open."} for name in ("plain", "cv of a@acme-mail.com")]
    (tmp_path / "notes.jsonl").write_text("".join(json.dumps(row) + "\n" for row in documents), encoding="utf-8")
    keys = "examples: rows.jsonl\nheldout: held.jsonl\ndocuments: notes.jsonl\nkind: qa\n"
    (tmp_path / "task.yaml").write_text(f"name: mine\ninstruction: Say it.\n{keys}", encoding="utf-8")
    told = call(capsys, "check", "task.yaml", "--json").out
    found = {each["kind"]: each for each in json.loads(told)["findings"]}
    assert found["personal data"]["examples"] == ["row 5"]
    assert found["empty inputs"]["examples"] == ["held-out row 1"]
    assert found["copied documents"]["examples"] == ["plain and document 2"]
    assert (found["personal data in ids"]["count"], found["personal data in ids"]["severity"]) == (41, "note")
    assert "acme-mail" not in told + call(capsys, "check", "task.yaml").out


def test_an_id_that_documents_and_rows_have_is_shown_as_either(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    texts = [" ".join(random.Random(number).choices("abcdefghij", k=10)) for number in range(40)]
    rows = [{"id": f"p{place}@acme-mail.com", "input": text, "output": text[:9]} for place, text in enumerate(texts)]
    documents = [{"id": "p39@acme-mail.com", "text": "Call +49 30 1234567 at once."}]
    for name, several in (("rows", rows), ("notes", documents)):
        (tmp_path / f"{name}.jsonl").write_text("".join(json.dumps(row) + "\n" for row in several), encoding="utf-8")
    keys = "examples: rows.jsonl\ndocuments: notes.jsonl\nkind: qa\n"
    (tmp_path / "task.yaml").write_text(f"name: mine\ninstruction: Say it.\n{keys}", encoding="utf-8")
    found = {each["kind"]: each for each in json.loads(call(capsys, "check", "task.yaml", "--json").out)["findings"]}
    assert found["personal data in documents"]["examples"] == ["document 1 or row 40"]
