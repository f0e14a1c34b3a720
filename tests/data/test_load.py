"""The same examples come out of every format, dirt is named or removed, and documents keep their ids."""

from __future__ import annotations

import csv
import json
import re
import unicodedata
from collections.abc import Callable, Sequence
from datetime import date, datetime
from pathlib import Path
from typing import Any, Literal

import pyarrow as arrow
import pytest
from pyarrow import parquet

from benchmarks.audit.document_quality import contradictions
from benchmarks.contract import BadInput
from benchmarks.data.load import Documents, read_cases, read_documents, read_inputs
from benchmarks.formats.clean import clean
from benchmarks.specs.spec import Columns

ROWS = [
    {"id": "a", "input": 'Two lines,\nand a "quote"', "output": "first"},
    {"id": "b", "input": "naïve café, 東京 👩‍💻", "output": "second"},
]


def _jsonl(path: Path) -> None:
    path.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in ROWS), encoding="utf-8")


def _jsonl_windows(path: Path) -> None:
    text = "\r\n\r\n".join(json.dumps(row) for row in ROWS)
    path.write_bytes(b"\xef\xbb\xbf" + text.encode())


def _json_list(path: Path) -> None:
    path.write_text(json.dumps(ROWS, indent=1), encoding="utf-8")


def _json_wrapped(path: Path) -> None:
    path.write_text(json.dumps({"version": 1, "data": ROWS}), encoding="utf-8")


def _table(delimiter: str, end: str) -> Callable[[Path], None]:
    def write(path: Path) -> None:
        lines = [delimiter.join(("id", "input", "output"))]
        for row in ROWS:
            quoted = '"' + row["input"].replace('"', '""').replace("\n", end) + '"'
            lines.append(delimiter.join((row["id"], quoted, row["output"])))
        path.write_bytes(b"\xef\xbb\xbf" + (end.join(lines) + end).encode())

    return write


def _parquet(path: Path) -> None:
    parquet.write_table(arrow.Table.from_pylist(ROWS), path)


def _of_excel(path: Path) -> None:
    """With a first line that says what stands between the values."""
    _table(";", "\r\n")(path)
    path.write_bytes(b"\xef\xbb\xbfsep=;\r\n" + path.read_bytes().removeprefix(b"\xef\xbb\xbf"))


@pytest.mark.parametrize(
    ("name", "write"),
    [
        ("rows.jsonl", _jsonl),
        ("rows.ndjson", _jsonl_windows),
        ("rows.json", _json_list),
        ("wrapped.json", _json_wrapped),
        ("rows.csv", _table(",", "\n")),
        ("windows.csv", _table(",", "\r\n")),
        ("semicolons.csv", _table(";", "\r\n")),
        ("excel.csv", _of_excel),
        ("rows.tsv", _table("\t", "\n")),
        ("rows.parquet", _parquet),
    ],
)
def test_every_format_gives_the_same_cases(tmp_path: Path, name: str, write: Callable[[Path], None]) -> None:
    write(tmp_path / name)
    cases = read_cases(tmp_path / name, Columns()).cases
    assert [(case.id, case.input, case.output) for case in cases] == [(r["id"], r["input"], r["output"]) for r in ROWS]


def _lines(path: Path, *rows: object) -> Path:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return path


@pytest.mark.parametrize(
    ("row", "wanted"),
    [
        ({"question": "q", "answer": "a"}, ("q", "a")),
        ({"Text": "q", "Label": 3}, ("q", "3")),
        ({"prompt": "q", "completion": " a"}, ("q", "a")),
        (
            {"prompt": [{"role": "user", "content": "q"}], "completion": [{"role": "assistant", "content": "a"}]},
            ("q", "a"),
        ),
        (
            {
                "prompt": [{"role": "user", "content": "q"}],
                "chosen": [{"role": "user", "content": "q"}, {"role": "assistant", "content": "a"}],
            },
            ("q", "a"),
        ),
        ({"instruction": "do", "input": "q", "output": "a"}, ("do\n\nq", "a")),
        ({"instruction": "do", "input": "", "output": "a"}, ("do", "a")),
        ({"input": "q", "output": {"b": [1, True]}}, ("q", '{"b": [1, true]}')),
        ({"input": "q", "answers": ["a", "b"]}, ("q", "a")),
        ({"input": "q", "answers": {"text": ["a"], "answer_start": [3]}}, ("q", "a")),
        ({"messages": [{"role": "user", "content": "q"}, {"role": "assistant", "content": "a"}]}, ("q", "a")),
        ({"conversations": [{"from": "human", "value": "q"}, {"from": "gpt", "value": "a"}]}, ("q", "a")),
    ],
)
def test_usual_names_and_shapes_are_recognised(tmp_path: Path, row: object, wanted: tuple[str, str]) -> None:
    (case,) = read_cases(_lines(tmp_path / "rows.jsonl", row), Columns()).cases
    assert (case.input, case.output) == wanted


def test_a_longer_chat_becomes_one_input_without_the_system_message(tmp_path: Path) -> None:
    chat = [("system", "Be brief."), ("user", "Hi"), ("assistant", "Hello"), ("user", "And?"), ("assistant", "Fine")]
    messages = [{"role": role, "content": content} for role, content in chat]
    read = read_cases(_lines(tmp_path / "chat.jsonl", {"messages": messages}), Columns())
    assert read.cases[0].input == "User: Hi\nAssistant: Hello\nUser: And?"
    assert read.cases[0].output == "Fine"
    assert any("system message is left out" in note for note in read.notes)


@pytest.mark.parametrize("kind", ["messages", "prompt and completion", "preferences", "a column beside chats"])
def test_system_messages_that_are_left_out_are_counted_in_whichever_way_a_chat_is_written(
    kind: str, tmp_path: Path
) -> None:
    rows = []
    for shop in ("Alba", "Birch", "Birch"):
        system = {"role": "system", "content": f"You write for {shop}."}
        asked, said = {"role": "user", "content": "When?"}, {"role": "assistant", "content": f"{shop} opens at 9."}
        rows.append(
            {
                "messages": {"messages": [system, asked, said]},
                "prompt and completion": {"prompt": [system, asked], "completion": [said]},
                "preferences": {"prompt": "When?", "chosen": [system, asked, said]},
                "a column beside chats": {"system": system["content"], "conversations": [asked, said]},
            }[kind]
        )
    read = read_cases(_lines(tmp_path / "chat.jsonl", *rows), Columns())
    assert (read.cases[0].input, read.cases[0].output) == ("When?", "Alba opens at 9.")
    assert read.notes[-1] == (
        "chat.jsonl: 2 different system messages are left out; the task's instruction stands in its place."
    )


@pytest.mark.parametrize(
    ("header", "found"),
    [
        ("My parcel 3 is still not here,late", '"My parcel 3 is still not here"'),
        ("Not here,late", '"late"'),
        ("Not here,17", '"17"'),
        ("input,late", ""),
        ("Customer message (2024),Team", ""),
        ("How happy are you with us,Team 1", ""),
    ],
)
def test_a_table_without_names_is_found_by_names_that_look_like_values(header: str, found: str, tmp_path: Path) -> None:
    path, long = tmp_path / "rows.csv", " and it is not what I ordered" * ("My" in header)
    path.write_text(header + "\n" + "".join(f"Parcel {n}{long},late\n" for n in range(9)), encoding="utf-8")
    source, target = header.split(",")
    said = [finding.told for finding in read_cases(path, Columns(input=source, output=target)).findings]
    assert bool(said) == bool(found)
    assert all(f"{found} looks like a value. If that line is a row, it is lost as an example." in each for each in said)


def test_columns_are_mapped_and_joined_by_plain_substitution(tmp_path: Path) -> None:
    row = {"subject": "{body} {0.__class__}", "body": "text", "topic": "x", "thread": 7, "refs": '["d1", "d2"]'}
    columns = Columns(input="{subject}\n\n{body}", output="topic", group="thread", document_ids="refs")
    (case,) = read_cases(_lines(tmp_path / "rows.jsonl", row), columns).cases
    assert case.input == "{body} {0.__class__}\n\ntext"
    assert (case.output, case.group, case.document_ids) == ("x", "7", ("d1", "d2"))


def test_alternatives_slices_and_metadata_are_kept(tmp_path: Path) -> None:
    row = {"input": "q", "output": "a", "answers": ["a", "b", "b"], "persona": "shop", "metadata": {"keep": ["x"]}}
    (case,) = read_cases(_lines(tmp_path / "rows.jsonl", row), Columns(), ["persona"]).cases
    assert case.accepted == ("a", "b")
    assert case.slices == {"persona": "shop"}
    assert case.metadata == {"keep": ["x"]}


def _cells(path: Path, cell: str) -> Path:
    with path.open("w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows([("question", "answers", "document_ids"), ("q", cell, cell)])
    return path


@pytest.mark.parametrize(
    ("cell", "wanted"),
    [
        ('["a", "b"]', ("a", "b")),
        ("['a', 'b']", ("a", "b")),
        ("['a' \"it's\"\n 'c']", ("a", "it's", "c")),
        (str(['d\'or "x"', "1\n2 \\d", "\u00e9\x85"]), ('d\'or "x"', "1\n2 \\d", "\u00e9")),
        ('{"text": ["a"], "answer_start": [3]}', ("a",)),
        ("{'answer_start': [3, 9], 'text': ['a', 'b']}", ("a", "b")),
        ("{'text': array(['a', 'b'],\n dtype=object), 'answer_start': array([3, 9], dtype=int32)}", ("a", "b")),
    ],
)
def test_a_cell_holds_a_list_as_json_pandas_and_numpy_write_it(
    cell: str, wanted: tuple[str, ...], tmp_path: Path
) -> None:
    (case,) = read_cases(_cells(tmp_path / "rows.csv", cell), Columns()).cases
    assert (case.accepted, case.document_ids) == (wanted, wanted)


@pytest.mark.parametrize(
    "cell",
    ["[1] see above", "[laughs]", "['a'] + ['b']", '["Sic"] he wrote [1]', "{'a': ['b']}", '{"text": "a"}'],
)
def test_an_answer_that_begins_with_a_bracket_is_no_list(cell: str, tmp_path: Path) -> None:
    (case,) = read_cases(_cells(tmp_path / "rows.csv", cell), Columns()).cases
    assert case.accepted == (cell,)


@pytest.mark.parametrize(
    "cell", ["['a', nan]", "['a' 'b' ... 'c']", "['it's', 'b']", "{'text': ['a', None]}", r"['\U00ffffff']"]
)
def test_a_list_that_cannot_be_read_is_refused_with_its_line(cell: str, tmp_path: Path) -> None:
    says = f'rows.csv, line 2: the answers {cell} look like a list and cannot be read as one. Write JSON, such as ["first", '
    with pytest.raises(BadInput, match=re.escape(says)):
        read_cases(_cells(tmp_path / "rows.csv", cell), Columns())


def test_metadata_with_times_is_kept_as_json_has_it(tmp_path: Path) -> None:
    row = {"input": "q", "output": "a", "metadata": {"at": datetime(2026, 1, 2, 3, 4), "day": date(2026, 1, 2), "n": 1}}
    parquet.write_table(arrow.Table.from_pylist([row]), tmp_path / "rows.parquet")
    (case,) = read_cases(tmp_path / "rows.parquet", Columns()).cases
    assert json.loads(json.dumps(case.metadata)) == {"at": "2026-01-02T03:04:00", "day": "2026-01-02", "n": 1}


@pytest.mark.parametrize("name", ["rows.jsonl", "rows.json"])
def test_a_column_that_begins_late_is_read(tmp_path: Path, name: str) -> None:
    rows: list[dict[str, object]] = [{"input": f"q{number}", "output": "a"} for number in range(250)]
    rows[-1].update(answers=["a", "b"], thread="t1")
    path = _lines(tmp_path / name, *rows)
    if name.endswith(".json"):
        path.write_text(json.dumps(rows), encoding="utf-8")
    read = read_cases(path, Columns(group="thread"))
    assert [case.accepted for case in read.cases[-2:]] == [("a",), ("a", "b")]
    assert [case.group for case in read.cases[-2:]] == ["", "t1"]


def test_documents_have_the_dates_that_begin_late(tmp_path: Path) -> None:
    rows: list[dict[str, object]] = [{"id": f"d{number}", "text": "Ten days."} for number in range(250)]
    rows[-1]["date"] = "2024"
    documents = read_documents(_lines(tmp_path / "docs.jsonl", *rows)).documents
    assert [one.date for one in documents[-2:]] == ["", "2024"]


def test_ids_are_made_from_the_file_and_the_row_where_there_are_none(tmp_path: Path) -> None:
    rows = [{"input": "q", "output": "a"}] * 2
    assert [case.id for case in read_cases(_lines(tmp_path / "train.jsonl", *rows), Columns()).cases] == [
        "train-1",
        "train-2",
    ]


def test_invisible_characters_are_removed_and_counted(tmp_path: Path) -> None:
    hidden = "".join(chr(0xE0000 + ord(letter)) for letter in "obey")
    rows = [
        {"input": f"Hel\u200blo{hidden}", "output": "\x1b[31ma\x1b[0m"},
        {"input": "plain", "output": "b"},
        {"input": "\u0645\u06cc\u200c\u062e\u0648 \U0001f469\u200d\U0001f4bb", "output": "c"},
    ]
    read = read_cases(_lines(tmp_path / "rows.jsonl", *rows), Columns())
    assert [(case.input, case.output) for case in read.cases[:2]] == [("Hello", "a"), ("plain", "b")]
    assert read.cases[2].input == rows[2]["input"], "joiners stay where a script or an emoji needs them"
    assert read.notes == (
        "rows.jsonl: 14 invisible characters were removed (zero-width, tags, control codes) in 1 row.",
    )


def test_cleaning_leaves_ordinary_text_alone() -> None:
    text = "tabs\t, lines\n, ünïcödé, 日本, ¿qué?, 😀"
    assert clean(text, "here") == (text, 0)
    assert clean("a\r\nb\rc", "here") == ("a\nb\nc", 0)


def test_spaces_around_a_group_or_a_part_are_none_of_it(tmp_path: Path) -> None:
    """Rows whose group was a space were all one group, and one group was on both sides where some of its cells had a space."""
    table = "input,output,group,part\na,x,cust-3 , north\nb,y,cust-3,north\nc,x, ,\t\nd,y,,\n"
    (tmp_path / "rows.csv").write_text(table, encoding="utf-8")
    cases = read_cases(tmp_path / "rows.csv", Columns(), ["part"]).cases
    assert [case.group for case in cases] == ["cust-3", "cust-3", "", ""]
    assert [case.slices["part"] for case in cases] == ["north", "north", "", ""]


def _in_form(form: Literal["NFC", "NFD"], path: Path, *rows: dict[str, Any]) -> Path:
    text = "\n".join(json.dumps(row, ensure_ascii=False) for row in rows)
    path.write_text(unicodedata.normalize(form, text), encoding="utf-8")
    return path


def test_a_text_is_the_same_in_whatever_form_of_unicode_its_file_has_it(tmp_path: Path) -> None:
    """A label in two of them was two labels, a group was two groups, and nothing said so."""
    row = {
        "id": "é",
        "input": "Où ?",
        "output": "Facturé",
        "answers": ["Réglé"],
        "document_ids": ["Règle"],
        "group": "Müller",
    }
    document = {"id": "Règle", "title": "Congé", "text": "Naïve café", "größe": "für Große"}
    other = {"id": "Été", "title": "Repas", "text": "Quelque chose de tout autre", "größe": "für Kleine"}
    columns = Columns(answers="answers")
    read = {}
    for form in ("NFC", "NFD"):
        path = _in_form(form, tmp_path / "rows.jsonl", {**row, "part": "Été"})
        texts = _in_form(form, tmp_path / "docs.jsonl", document, other)
        documents = read_documents(texts).documents
        read[form] = (read_cases(path, columns, ["part"]), read_inputs(path, columns).texts, documents)
    assert read["NFD"] == read["NFC"]
    case, documents = read["NFC"][0].cases[0], read["NFC"][2]
    assert documents[0].title == "Congé, größe: für Große"
    assert (case.output, case.group, case.document_ids) == (row["output"], row["group"], ("Règle",))
    assert clean("e\u200b\u0301", "here") == ("é", 1)
    assert clean(clean("\u212a\u200d", "here")[0], "here") == ("K", 0), "what is clean stays as it is"


def test_a_bad_line_is_named_with_its_number_also_below_what_excel_is_told(tmp_path: Path) -> None:
    path = tmp_path / "rows.csv"
    path.write_text("sep=;\ninput;output\nx;a\ny\n", encoding="utf-8")
    with pytest.raises(BadInput, match=r"rows\.csv, line 4 has 1 value"):
        read_cases(path, Columns())


def test_a_bad_line_is_named_with_its_number_also_after_quoted_newlines(tmp_path: Path) -> None:
    path = tmp_path / "rows.csv"
    path.write_text('input,output\n"one\ntwo\nthree",a\nb\n', encoding="utf-8")
    with pytest.raises(BadInput, match=r"rows\.csv, line 5 has 1 value, but the header line names 2 columns"):
        read_cases(path, Columns())


def test_a_folder_of_texts_becomes_documents(tmp_path: Path) -> None:
    docs = tmp_path / "docs"
    (docs / "deep").mkdir(parents=True)
    (docs / "b.md").write_bytes(b"\xef\xbb\xbf---\r\ndate: 2024-05-01\r\n---\r\n# Leave\r\nTen days.")
    (docs / "deep" / "a_rule.txt").write_text("No dogs.", encoding="utf-8")
    (docs / "empty.md").write_text("", encoding="utf-8")
    (docs / "logo.png").write_bytes(b"\x89PNG")
    (docs / "READ").write_bytes(b"")
    for none in (".hidden.md", "~$ave.docx", "Thumbs.db", "desktop.ini", ".DS_Store"):
        (docs / none).write_text("secret", encoding="utf-8")
    for word in ("Leave.docx", "deep/Pay.DOCX", "Rent.odt"):
        (docs / word).write_bytes(b"PK")
    read = read_documents(docs)
    assert [(one.id, one.title, one.date) for one in read.documents] == [
        ("b.md", "Leave", "2024-05-01"),
        ("deep/a_rule.txt", "a rule", ""),
    ]
    assert read.documents[0].text == "# Leave\nTen days."
    assert read.notes == (
        "docs: 2 files that are no documents were passed over (1 without an ending, 1 .png).",
        "docs: 1 without a text was left out.",
    )
    (unread,) = read.findings
    assert (unread.count, unread.severity) == (3, "warning")
    assert unread.examples == ("Leave.docx", "Rent.odt", "deep/Pay.DOCX")
    assert unread.says == "docs: 3 documents cannot be read (2 .docx, 1 .odt)."
    for text in list(docs.rglob("*.[mt]*")):
        text.unlink()
    says = r"docs holds no documents that can be read: 2 \.docx, 1 \.odt\. Save them as PDF, HTML or text files\."
    with pytest.raises(BadInput, match=says):
        read_documents(docs)


def rows_at(path: Path, rows: Sequence[dict[str, Any]]) -> Documents:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return read_documents(path)


def test_short_columns_that_tell_documents_apart_stand_with_the_title(tmp_path: Path) -> None:
    text = "Staff have {} days of leave a year, of which five may be taken in the year that follows."
    rows: list[dict[str, Any]] = [
        {"text": text.format(28), "title": "Leave", "country": "DE", "section": 4, "lang": "en", "link": "https://a"},
        {
            "text": text.format(25),
            "title": "Leave",
            "country": " F\u200bR\n",
            "section": None,
            "lang": "en",
            "link": "x",
        },
    ]
    found = rows_at(tmp_path / "rules.jsonl", rows)
    assert [each.title for each in found.documents] == ["Leave, country: DE", "Leave, country: FR"]
    assert found.notes[0] == (
        'rules.jsonl: "country" is shown with the title of each document; "section", "lang", "link" are not read.'
    )
    assert contradictions(found.documents) == [], "they are told apart"
    plain = rows_at(tmp_path / "plain.jsonl", [{"text": row["text"], "title": "Leave"} for row in rows])
    assert len(contradictions(plain.documents)) == 1
    assert (plain.notes, [each.title for each in plain.documents]) == ((), ["Leave", "Leave"])


def test_which_columns_tell_documents_apart_is_seen_in_all_rows(tmp_path: Path) -> None:
    rows: list[dict[str, Any]] = [
        {"text": f"text {n}", "team": "sales" if n < 150 else "legal", "number": n, "rest": "long " * 20, "at": [n]}
        for n in range(1_200)
    ]
    rows[1_199]["team"] = "a value that is longer than all the others are"
    found = rows_at(tmp_path / "rules.jsonl", rows)
    assert [found.documents[place].title for place in (0, 150, 1_199)] == ["team: sales", "team: legal", ""]
    assert found.notes == (
        'rules.jsonl: "team" is shown with the title of each document; "number", "rest", "at" are not read.',
    )
    many = [{"text": f"text {n}", **dict.fromkeys("abcdef", n % 2)} for n in range(10)]
    assert rows_at(tmp_path / "many.jsonl", many).documents[1].title == "a: 1, b: 1, c: 1, d: 1"


def test_a_value_that_is_none_is_left_out_of_a_title(tmp_path: Path) -> None:
    columns = {
        "text": ["one text", "another", "a third", "a fourth"],
        "country": ["DE", None, "FR", "FR"],
        "grade": [1.0, float("nan"), 2.5, 1.0],
    }
    parquet.write_table(arrow.table(columns), tmp_path / "rules.parquet")
    found = read_documents(tmp_path / "rules.parquet").documents
    assert [each.title for each in found] == [
        "country: DE, grade: 1",
        "",
        "country: FR, grade: 2.5",
        "country: FR, grade: 1",
    ]


def test_documents_come_from_rows_with_usual_names(tmp_path: Path) -> None:
    path = _lines(
        tmp_path / "docs.jsonl", {"doc_id": "d7", "heading": "Leave", "content": "Ten days.", "valid_from": "2024"}
    )
    (document,) = read_documents(path).documents
    assert (document.id, document.title, document.text, document.date) == ("d7", "Leave", "Ten days.", "2024")


# ---------------------------------------------------------------- inputs alone


def test_inputs_need_no_output_and_may_be_joined(tmp_path: Path) -> None:
    table = tmp_path / "new.csv"
    table.write_text("subject,body\nLate,where is it\nWrong,two and not three\n", encoding="utf-8")
    columns = Columns(input="{subject}: {body}")
    assert read_inputs(table, columns).texts == ("Late: where is it", "Wrong: two and not three")
    assert read_inputs(table, Columns()).texts == ("where is it", "two and not three")
    texts = tmp_path / "new.txt"
    texts.write_bytes("\ufeffone\r\n\r\n two \u200b\n".encode())
    assert read_inputs(texts, Columns()).texts == ("one", " two ")


def test_inputs_that_cannot_be_found_are_named(tmp_path: Path) -> None:
    rows = tmp_path / "new.jsonl"
    rows.write_text('{"temperature": 3}\n', encoding="utf-8")
    with pytest.raises(BadInput, match="no column with a usual name for the input"):
        read_inputs(rows, Columns())
    rows.write_text('{"text": "a"}\n{"text": null}\n', encoding="utf-8")
    with pytest.raises(BadInput, match="line 2 has no input"):
        read_inputs(rows, Columns())
