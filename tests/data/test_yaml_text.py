"""What a task spec that is no YAML is told: which line, and whether a colon or the indentation is at fault."""

from __future__ import annotations

from pathlib import Path

import pytest

from benchmarks.contract import BadInput
from benchmarks.specs.yaml_text import read_yaml

SECOND = 'a second ": " stands in this line. Put the text in quotes.'
FURTHER = (
    "this line is indented further than the key above it, as if it were more of what stands there. Begin it where that key "
    "begins, or put a text of several lines in quotes."
)


@pytest.mark.parametrize(
    ("text", "line", "says"),
    [
        ("name: x\ninstruction: Answer: yes\n", 2, SECOND),
        ('name: x\n"instruction": Answer: yes\n', 2, SECOND),
        ("name: x\n  instruction: Answer: yes\n", 2, FURTHER),
        ("name: x\nexamples: rows.jsonl\n target: 0.9\n", 3, FURTHER),
        ("name: x\n  models:\n  - name: a\n", 2, FURTHER),
        ('name: "x"\n  instruction: y\n', 2, FURTHER),
        ("labels: [a, b]\n target: 0.9\n", 2, FURTHER),
        ("models:\n- name: a\n   endpoint: b\n", 3, FURTHER),
        ("name: x\ninstruction:\n  Sort it\n  by topic: say one\n", 4, FURTHER),
    ],
)
def test_a_colon_too_many_is_told_from_a_space_too_many(text: str, line: int, says: str, tmp_path: Path) -> None:
    (tmp_path / "task.yaml").write_text(text, encoding="utf-8")
    with pytest.raises(BadInput) as caught:
        read_yaml(tmp_path / "task.yaml")
    assert str(caught.value) == f"task.yaml:{line}: {says}"


def test_this_folder_has_a_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(BadInput) as caught:
        read_yaml(Path("."))
    assert str(caught.value) == '"." is a folder. Name the task spec in it, such as ./task.yaml.'
