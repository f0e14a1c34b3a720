"""Small files that unpack to much: refused in one sentence before they fill the memory."""

from __future__ import annotations

import json
import subprocess
import sys
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as arrow
import pytest
from click.testing import CliRunner
from pyarrow import ipc, parquet

from advisor.cli import main
from benchmarks.contract import BadInput
from benchmarks.formats import read_document, read_records
from benchmarks.formats.unpacked import VALUE, _sizes
from tests.desk import ROOT

LONG = "x" * 900_000


def pointing(value: str, rows: int) -> Any:
    """The same text in every row, stored once."""
    return arrow.DictionaryArray.from_arrays(arrow.array(np.zeros(rows, dtype=np.int32)), arrow.array([value]))


def saved(folder: Path, table: Any, **options: Any) -> Path:
    """As `datasets` saves a data set."""
    folder.mkdir()
    with ipc.new_stream(str(folder / "data.arrow"), table.schema, options=ipc.IpcWriteOptions(**options)) as file:
        file.write_table(table)
    (folder / "state.json").write_text(json.dumps({"_data_files": [{"filename": "data.arrow"}]}), encoding="utf-8")
    (folder / "dataset_info.json").write_text("{}", encoding="utf-8")
    return folder


def bomb(rows: int = 2_000) -> Any:
    return arrow.table({"input": pointing(LONG, rows), "output": ["a", "b"] * (rows // 2)})


# ---------------------------------------------------------------- all together


READ = """
import sys
from pathlib import Path
from benchmarks.formats import read_records
from benchmarks.contract import BadInput
rows = 0
try:
    for _ in read_records(Path(sys.argv[1])):
        rows += 1
except BadInput as error:
    status = Path("/proc/self/status").read_text()
    print(rows, int(status.partition("VmHWM:")[2].split()[0]) // 1024, error, sep="|")
"""


def _dictionary(folder: Path) -> Path:
    parquet.write_table(bomb(), folder / "rows.parquet")
    return folder / "rows.parquet"


def _differences(folder: Path) -> Path:
    """Each text is stored as what differs from the one before: nothing."""
    table = arrow.table({"input": [LONG] * 1_200})
    path = folder / "rows.parquet"
    parquet.write_table(table, path, use_dictionary=False, column_encoding={"input": "DELTA_BYTE_ARRAY"})
    return path


def _saved(folder: Path) -> Path:
    return saved(folder / "data", bomb())


@pytest.mark.skipif(sys.platform != "linux", reason="the peak of memory is read as Linux tells it")
@pytest.mark.parametrize("write", [_dictionary, _differences, _saved])
def test_a_small_file_that_unpacks_to_much_is_refused_while_memory_stays_small(write: Any, tmp_path: Path) -> None:
    path = write(tmp_path)
    size = path.stat().st_size if path.is_file() else (path / "data.arrow").stat().st_size
    assert size < 3_000_000
    command = [sys.executable, "-c", READ, str(path)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=120)
    rows, peak, said = done.stdout.strip().split("|")
    assert said == f"{path.name} unpacks to more than 1 GB. Take a sample of it."
    assert int(rows) <= 1_000_000_000 // len(LONG)
    assert int(peak) < 400, "MiB; unpacked it would be 1,080 or more"


def test_on_the_command_line_it_ends_with_exit_code_2(tmp_path: Path) -> None:
    parquet.write_table(
        arrow.table({"input": ["a", "x" * 10_000_001], "output": ["a", "b"]}), tmp_path / "rows.parquet"
    )
    spec = "name: t\ninstruction: Answer.\nexamples: rows.parquet\ntarget: 0.8\n"
    (tmp_path / "task.yaml").write_text(spec, encoding="utf-8")
    result = CliRunner().invoke(main, ["check", str(tmp_path / "task.yaml")])
    assert (result.exit_code, result.stdout) == (2, "")
    assert "rows.parquet, row 2: a value of input is longer than 10 MB. Cut longer texts." in " ".join(
        result.stderr.split()
    )


def test_more_values_than_a_gigabyte_holds_are_refused_before_they_are_read(tmp_path: Path) -> None:
    path = tmp_path / "rows.parquet"
    one = arrow.table({"input": arrow.nulls(20_000_000, arrow.int8())})
    with parquet.ParquetWriter(path, one.schema) as file:
        for _ in range(7):
            file.write_table(one)
    assert path.stat().st_size < 1_000_000
    with pytest.raises(BadInput, match=r"rows\.parquet unpacks to more than 1 GB"):
        next(read_records(path))


# ---------------------------------------------------------------- one value


@pytest.mark.parametrize("kind", ["parquet", "saved"])
def test_a_value_above_10_mb_is_refused_with_its_row(kind: str, tmp_path: Path) -> None:
    several = arrow.ListArray.from_arrays(arrow.array([0, 1, 13], arrow.int32()), pointing(LONG, 13))
    for column in (arrow.array(["short", "x" * 10_000_001]), several):
        table = arrow.table({"input": column, "output": ["a", "b"]})
        path = tmp_path / f"{column.type.id}.parquet"
        if kind == "saved":
            path = saved(tmp_path / f"{column.type.id}", table)
        else:
            parquet.write_table(table, path)
        with pytest.raises(BadInput) as caught:
            list(read_records(path))
        assert str(caught.value) == f"{path.name}, row 2: a value of input is longer than 10 MB. Cut longer texts."


SHAPES: dict[str, Any] = {
    "texts": arrow.array(["a", None, "", "bcd"] * 3),
    "large texts": arrow.array(["a", None, "", "bcd"] * 3, arrow.large_string()),
    "views": arrow.array(["a", None, "", "longer than twelve bytes"] * 3, arrow.string_view()),
    "bytes": arrow.array([b"a", None, b"", b"bcd"] * 3),
    "fixed bytes": arrow.array([b"abc", b"def"] * 6, arrow.binary(3)),
    "from a dictionary": arrow.array(["a", None, "bcd", "a"] * 3).dictionary_encode(),
    "in runs": arrow.RunEndEncodedArray.from_arrays([2, 3, 12], ["abc", None, "de"]),
    "lists": arrow.array([["a", "bc"], None, [], ["def"]] * 3),
    "lists of lists": arrow.array([[["a"], ["bc", "d"]], None, [], [[]]] * 3),
    "fixed lists": arrow.array([["a", "bc"], ["d", "e"]] * 6, arrow.list_(arrow.string(), 2)),
    "views of lists": arrow.array([["a", "bc"], None, [], ["def"]] * 3, arrow.list_view(arrow.string())),
    "maps": arrow.array(
        [[("a", "bc")], None, [], [("d", "e"), ("f", "")]] * 3, arrow.map_(arrow.string(), arrow.string())
    ),
    "objects": arrow.array([{"a": "b", "c": ["d"]}, None, {"a": None, "c": None}, {"a": "ef", "c": []}] * 3),
    "numbers": arrow.array([1, None, 3, 4] * 3),
}


def least(value: Any) -> int:
    """Bytes of the texts in a value."""
    if isinstance(value, str | bytes):
        return len(value)
    if isinstance(value, dict):
        return sum(least(each) for each in value.values())
    return sum(least(each) for each in value) if isinstance(value, list | tuple) else 0


def values(value: Any) -> int:
    """How many values there are in one, itself included."""
    inside = value.values() if isinstance(value, dict) else value if isinstance(value, list | tuple) else ()
    return 1 + sum(values(each) for each in inside)


@pytest.mark.parametrize("name", SHAPES)
def test_what_is_measured_is_what_comes_out(name: str) -> None:
    for array in (SHAPES[name], SHAPES[name].slice(1, 6), SHAPES[name].slice(3)):
        for size, value in zip(_sizes(array, "file").tolist(), array.to_pylist(), strict=True):
            assert least(value) <= size <= least(value) + 3 * VALUE * values(value), (name, value, size)


def test_rows_are_the_same_however_they_are_stored(tmp_path: Path) -> None:
    columns = {name: each for name, each in SHAPES.items() if name not in ("in runs", "views of lists")}
    table = arrow.table(columns)
    parquet.write_table(table, tmp_path / "rows.parquet")
    assert [record.values for record in read_records(tmp_path / "rows.parquet")] == table.to_pylist()
    rows = arrow.table(SHAPES)
    assert [record.values for record in read_records(saved(tmp_path / "saved", rows))] == rows.to_pylist()


# ---------------------------------------------------------------- what would be unpacked unseen


@pytest.mark.parametrize("codec", ["zstd", "lz4"])
def test_compressed_rows_are_refused_before_they_are_unpacked(codec: str, tmp_path: Path) -> None:
    plain = arrow.table({"input": [LONG] * 20})
    for name, table in (("rows", plain), ("words", arrow.table({"input": pointing(LONG, 20)}))):
        path = saved(tmp_path / name, table, compression=codec)
        with pytest.raises(BadInput, match=r"data\.arrow is compressed, which `datasets` does not do\. Save"):
            list(read_records(path))
        assert len(list(read_records(saved(tmp_path / f"plain {name}", table)))) == 20


def test_rows_that_lead_out_of_their_file_are_refused(tmp_path: Path) -> None:
    table = arrow.table({"input": arrow.array(["abcdefgh" * 4, "b"])})
    path = saved(tmp_path / "data", table) / "data.arrow"
    ends = np.array([0, 32, 33], dtype=np.int32).tobytes()
    raw = path.read_bytes()
    assert raw.count(ends) == 1
    path.write_bytes(raw.replace(ends, np.array([0, 2_000_000_000, 33], dtype=np.int32).tobytes()))
    with pytest.raises(BadInput, match=r"data\.arrow is not a readable Arrow file"):
        list(read_records(path.parent))


# ---------------------------------------------------------------- documents


def pdf(path: Path, pages: int, drawn: int) -> Path:
    """A PDF whose pages share one content, which draws a text of 100 kB so many times."""
    text = b"BT /F 1 Tf (" + b"x" * 100_000 + b") Tj ET\n"
    content = zlib.compress(text * drawn)
    objects = [
        b"<</Type/Catalog/Pages 2 0 R>>",
        b"<</Type/Pages/Count %d/Kids[%s]>>" % (pages, b" ".join(b"%d 0 R" % (5 + page) for page in range(pages))),
        b"<</Type/Font/Subtype/Type1/BaseFont/Helvetica>>",
        b"<</Length %d/Filter/FlateDecode>>stream\n%s\nendstream" % (len(content), content),
        *[b"<</Type/Page/Parent 2 0 R/Contents 4 0 R/Resources<</Font<</F 3 0 R>>>>>>"] * pages,
    ]
    body = b"%PDF-1.4\n"
    places = []
    for number, each in enumerate(objects, start=1):
        places.append(len(body))
        body += b"%d 0 obj%s endobj\n" % (number, each)
    table = b"".join(b"%010d 00000 n \n" % place for place in places)
    tail = b"trailer<</Size %d/Root 1 0 R>>\nstartxref\n%d\n%%%%EOF" % (len(objects) + 1, len(body))
    path.write_bytes(body + b"xref\n0 %d\n0000000000 65535 f \n" % (len(objects) + 1) + table + tail)
    return path


def test_a_pdf_of_more_than_10_mb_of_text_is_refused(tmp_path: Path) -> None:
    found = read_document(pdf(tmp_path / "short.pdf", pages=3, drawn=2), "short.pdf")
    assert found.values["text"].count("x") == 600_000
    for pages, drawn in ((101, 1), (1, 101)):
        path = pdf(tmp_path / "long.pdf", pages, drawn)
        assert path.stat().st_size < 50_000
        with pytest.raises(BadInput, match=r"long\.pdf holds more than 10 MB of text\. Cut it into several documents"):
            read_document(path, "long.pdf")
