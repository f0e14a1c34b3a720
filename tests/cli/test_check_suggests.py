"""The command that `advisor check` names in a finding is the one for the task at hand, and it runs."""

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
    assert "nearly a copy" in (tmp_path / "reviewed" / "review.csv").read_text(encoding="utf-8")
