"""`predict.py` reads requests as `advisor predict` does; what it cannot read costs no other request its answer."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from advisor.deploy.without import needed
from benchmarks.contract import BadInput
from benchmarks.data.requests import read_requests, requests_of
from benchmarks.specs.spec import Columns
from strategies.standalone import alone, reading

JOINED = "{subject}: {body}"
READ: dict[str, tuple[str, dict[str, Any]]] = {
    "a usual name": ("", {"Message": "refund please", "id": 7}),
    "of usual names the first": ("", {"body": "b", "text": "t"}),
    "the task's own column": ("wish", {"wish": "refund", "text": "t"}),
    "columns joined": (JOINED, {"subject": "Order", "body": 7, "text": "t"}),
    "one of them is missing": (JOINED, {"subject": "Order"}),
    "a whole number": ("", {"input": 5}),
    "a whole number with a point": ("", {"input": 5.0}),
    "a number": ("", {"input": 0.1}),
    "a truth": ("", {"input": True}),
    "a list": ("", {"input": ["ä", 1]}),
    "an object": ("", {"input": {"a": None}}),
    "nothing": ("", {"input": None}),
    "no usual name": ("", {"what": "refund"}),
    "no number": ("", {"input": float("nan")}),
    "half a character": ("", {"input": "\ud800"}),
    "invisible characters": ("", {"input": "zero\u200bwidth\x1b[31m\r\nrefund\ufeff"}),
    "letters and their marks apart": ("", {"input": "cafe\u0301 e\u200b\u0301 \u212a"}),
    "line ends of old": ("", {"input": "a\rb"}),
    "an empty text": ("", {"input": "", "id": "a"}),
    "spaces": ("", {"input": " \n", "id": 7.0}),
    "only what is removed": ("", {"input": "\u200b"}),
    "columns joined of which none holds a text": (JOINED, {"subject": "", "body": None, "uid": "a"}),
    "an id": ("", {"input": "refund", "UID": "a\u200b", "key": "b"}),
    "an id that is a number": ("", {"text": "refund", "id": 7}),
    "an id that is empty": ("", {"text": "refund", "id": ""}),
    "the input is called as ids are": ("key", {"key": "refund"}),
    "the answers' column is called as inputs are": ("", {"text": "refund", "message": "a"}),
}
REFUSED = (
    *("nothing", "no usual name", "no number", "half a character", "an empty text", "spaces", "only what is removed"),
    "columns joined of which none holds a text",
)
WHOLE = {"no usual name": "no column", "no number": "holds NaN, which is not a value"}
"""What refuses a whole file, and what is said then."""


@pytest.mark.parametrize("name", READ)
def test_a_line_is_read_as_the_product_reads_it(name: str, tmp_path: Path) -> None:
    """In a file of rows, and where lines are read as `predict.py` reads them."""
    (column, values), path = READ[name], tmp_path / "new.jsonl"
    path.write_text(json.dumps(values) + "\n", encoding="utf-8")
    columns = Columns(input=column or None, output="message" if name.startswith("the answers'") else None)
    (there,) = reading.requests([(1, json.dumps(values))], columns.model_dump())
    (piped,) = requests_of([(1, json.dumps(values))], columns).rows
    assert there == piped
    assert ("problem" in there) == (name in REFUSED)
    if name in WHOLE:
        with pytest.raises(BadInput, match=WHOLE[name]):
            read_requests(path, columns)
        return
    (here,) = read_requests(path, columns).rows
    assert ("problem" in here, here["input"], here.get("id")) == (name in REFUSED, there["input"], there.get("id"))


def test_what_a_row_is_called_is_passed_on_as_it_stands() -> None:
    columns = {"id": "ticket", "input": "text"}
    told = [
        reading.identity(row, columns)
        for row in ({"ticket": "a", "id": 1}, {"id": 1.0}, {"key": "\ud800"}, {"ticket": None, "id": 2}, {"text": "x"})
    ]
    assert told == [{"id": "a"}, {"id": 1}, {"id": "\ufffd"}, {}, {}]


def test_an_input_stays_one_where_the_task_has_another_name_for_it() -> None:
    for column in ("wish", JOINED):
        assert reading.request({"input": "refund"}, {"input": column}) == "refund"
    with pytest.raises(ValueError, match="its input is a chat"):
        reading.request({"prompt": [{"role": "user", "content": "refund"}]}, {})


@pytest.fixture
def out(tmp_path: Path) -> Path:
    """An export of what copies its input, of a task that calls it a wish."""
    part = tmp_path / "out" / "parts" / "0"
    part.mkdir(parents=True)
    (part / alone.COPIED).write_text("{}", encoding="utf-8")
    kept = {"kept": {"default": "copy input", "spec": {"columns": {"input": "wish"}}}}
    (tmp_path / "out" / alone.EXPORT).write_text(json.dumps(kept), encoding="utf-8")
    for program in needed(tmp_path / "out"):
        shutil.copyfile(Path(alone.__file__).with_name(program.source), tmp_path / "out" / program.name)
    return tmp_path / "out"


def told(out: Path, *arguments: str, given: bytes = b"") -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-I", "-X", "utf8", str(out / "predict.py"), *arguments]
    done = subprocess.run(command, input=given, capture_output=True, timeout=60)
    return subprocess.CompletedProcess(command, done.returncode, done.stdout.decode(), done.stderr.decode())


def test_what_cannot_be_read_gets_a_line_with_its_problem_and_the_others_an_answer(out: Path, tmp_path: Path) -> None:
    """Each of these once ended the program with a traceback, and the lines after it were lost."""
    lines = [
        b'\xef\xbb\xbf{"wish": "refund"}',
        b'{"message": "please"}\r',
        b"",
        b"{name} wants her money back",
        b'{"wish": null, "id": "e"}',
        b'{"wish": 5, "id": 6}',
        b"caf\xe9",
        b'{"wish": ' + b"[" * 100_000,
        "zero\u200bwidth".encode(),
    ]
    for name in ("new.jsonl", "new.txt"):
        (tmp_path / name).write_bytes(b"\n".join(lines))
    for empty, done in enumerate(
        (
            told(out, str(tmp_path / "new.jsonl")),
            told(out, str(tmp_path / "new.txt")),
            told(out, given=b"\n".join(lines)),
        )
    ):
        blank = [None] * bool(empty)  # An empty line is a row, but in a file of objects.
        assert (done.returncode, done.stderr) == (
            2,
            f"{3 + len(blank)} of the requests could not be read; their lines say why, as their problem.\n",
        )
        rows = [json.loads(line) for line in done.stdout.splitlines()]
        read = ["refund", "please", *blank, "{name} wants her money back", None, "5", None, None, "zerowidth"]
        assert [row["input"] for row in rows] == read
        assert [row["answer"] for row in rows] == read
        assert [row["id"] for row in rows if "id" in row] == ["e", 6]
        problems = [row["problem"] for row in rows if "problem" in row]
        assert problems[:-1] == [
            *(["line 3: it is empty"] if empty else []),
            'line 5: it has no input (column "wish")',
            "line 7: it is not UTF-8, or holds half a character (a lone surrogate)",
        ]
        assert problems[-1].startswith("line 8: ")


def test_a_file_whose_lines_are_no_requests_is_refused(out: Path, tmp_path: Path) -> None:
    (tmp_path / "new.csv").write_text("text,label\nrefund,a\n", encoding="utf-8")
    done = told(out, str(tmp_path / "new.csv"))
    assert (done.returncode, done.stdout) == (2, "")
    assert "new.csv does not hold one request a line. Write them so, or have `advisor predict` read it." in done.stderr
