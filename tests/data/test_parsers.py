"""Whatever bytes a file holds, each reader gives values or one of our own errors, and never anything else."""

from __future__ import annotations

import io
import json
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from advisor.deploy.answering import Kept
from advisor.experiments.stored import about_run
from benchmarks.contract import BadInput
from benchmarks.data.load import read_cases, read_documents, read_inputs
from benchmarks.data.requests import Requests, read_requests, requests_of
from benchmarks.specs.spec import Columns, Spec, parse_spec, read_spec
from benchmarks.specs.spec_errors import SPEC_KEYS
from benchmarks.specs.yaml_text import read_yaml
from tests.hostile import PAYLOADS

FEW = settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])
TEXTS = st.one_of(st.text(st.characters(codec=None), max_size=20), st.sampled_from(PAYLOADS))
PLAIN = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), TEXTS),
    lambda inner: st.one_of(st.lists(inner, max_size=4), st.dictionaries(TEXTS, inner, max_size=4)),
    max_leaves=8,
)
COLUMNS = st.sampled_from(
    ("id", "input", "output", "messages", "prompt", "completion", "answers", "metadata", "text", "group")
)
RECORDS = st.lists(st.dictionaries(COLUMNS, PLAIN, max_size=5), max_size=5)
MESSAGES = st.lists(
    st.dictionaries(st.sampled_from(("role", "content", "from", "value")), PLAIN, max_size=3), max_size=4
)
CHATS = st.lists(st.fixed_dictionaries({"messages": MESSAGES}), max_size=3)
CELLS = st.lists(st.lists(TEXTS, min_size=1, max_size=4), max_size=4)


def as_bytes(text: str) -> bytes:
    return text.encode("utf-8", "surrogatepass")


def as_lines(rows: list[Any]) -> bytes:
    return as_bytes("".join(json.dumps(row) + "\n" for row in rows))


FILES = st.one_of(
    st.binary(max_size=200),
    TEXTS.map(as_bytes),
    RECORDS.map(as_lines),
    CHATS.map(as_lines),
    RECORDS.map(lambda rows: as_bytes(json.dumps(rows))),
    CELLS.map(lambda table: as_bytes("\n".join(",".join(row) for row in [["input", "output"], *table]))),
    st.tuples(RECORDS.map(as_lines), st.integers(0, 200), st.binary(max_size=5)).map(
        lambda parts: parts[0][: parts[1]] + parts[2] + parts[0][parts[1] :]
    ),
)


@pytest.fixture(scope="module")
def folder() -> Iterator[Path]:
    with tempfile.TemporaryDirectory() as made:
        yield Path(made)


def reads_or_refuses(read: Callable[[], Any]) -> None:
    """Nothing but `BadInput`, whose text is one sentence that a terminal can show."""
    try:
        read()
    except BadInput as error:
        said = str(error)
        assert said.strip()
        assert "Traceback" not in said


@pytest.mark.parametrize("suffix", [".jsonl", ".json", ".csv", ".tsv", ".parquet", ".yaml"])
@FEW
@given(content=FILES)
def test_any_bytes_as_data_are_read_or_refused(suffix: str, content: bytes, folder: Path) -> None:
    path = folder / f"rows{suffix}"
    path.write_bytes(content)
    reads_or_refuses(lambda: read_cases(path, Columns()))
    reads_or_refuses(lambda: read_documents(path))
    reads_or_refuses(lambda: read_inputs(path, Columns()))
    reads_or_refuses(lambda: shown(read_requests(path, Columns())))


def shown(found: Requests) -> None:
    """Every request has a text or says why not, and can be put into a line of an answer."""
    for row in found.rows:
        assert ("problem" in row) == (row["input"] is None)
        json.dumps(row, ensure_ascii=False).encode("utf-8")


@FEW
@given(content=FILES)
def test_any_bytes_sent_to_be_answered_get_a_line_each(content: bytes) -> None:
    piped = io.TextIOWrapper(io.BytesIO(content), encoding="utf-8-sig", errors="surrogateescape", newline="\n")
    sent = piped.readlines()
    found = requests_of(enumerate(sent, start=1), Columns())
    assert len(found.rows) == len(sent)
    shown(found)


@FEW
@given(content=FILES)
def test_any_bytes_as_texts_are_read_or_refused(content: bytes, folder: Path) -> None:
    for name in ("a.txt", "a.md", "a.html", "a.pdf"):
        (folder / name).write_bytes(content)
        reads_or_refuses(lambda path=folder / name: read_documents(path))  # type: ignore[misc]
        reads_or_refuses(lambda path=folder / name: read_inputs(path, Columns()))  # type: ignore[misc]
        reads_or_refuses(lambda path=folder / name: shown(read_requests(path, Columns())))  # type: ignore[misc]


SPECS = st.dictionaries(st.sampled_from(SPEC_KEYS), PLAIN, max_size=6)
YAML = st.one_of(
    st.binary(max_size=120),
    st.text(st.sampled_from("abk:-&*!|>{}[]'\"#%@,?~ \n\t\\01."), max_size=80).map(as_bytes),
    SPECS.map(lambda values: as_bytes(json.dumps(values))),
    SPECS.map(lambda values: as_bytes(yaml.safe_dump(values))),
)


@settings(FEW, max_examples=200)
@example(content=b'{"prices":"\\ud800"}')
@given(content=YAML)
def test_any_bytes_as_a_spec_are_read_or_refused(content: bytes, folder: Path) -> None:
    path = folder / "task.yaml"
    path.write_bytes(content)
    reads_or_refuses(lambda: read_yaml(path))
    reads_or_refuses(lambda: read_spec(path))


@settings(FEW, max_examples=200)
@given(values=SPECS)
def test_any_values_as_a_spec_are_taken_or_refused(values: dict[str, Any]) -> None:
    whole = {"name": "x", "instruction": "y", "examples": "z", **values}
    try:
        found = parse_spec(whole)
    except BadInput:
        return
    assert Spec.model_validate(json.loads(found.model_dump_json(by_alias=True))) == found, "it can be stored"


@FEW
@given(content=FILES)
def test_any_bytes_as_a_run_or_an_export_are_refused(content: bytes, folder: Path) -> None:
    for name in ("run.json", "run.sqlite", "export.json"):
        (folder / name).write_bytes(content)
    reads_or_refuses(lambda: about_run(folder))
    reads_or_refuses(lambda: Kept.of_export(folder))
    reads_or_refuses(lambda: Kept.of_run(folder))
