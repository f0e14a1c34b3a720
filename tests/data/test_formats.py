"""Formats of other tools: files that those tools wrote, read as they are meant; what they would run is never run."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from benchmarks.contract import BadInput
from benchmarks.data.load import read_cases, read_documents
from benchmarks.specs.spec import Columns

SAMPLES = Path(__file__).parents[1] / "samples"
"""`saved` and `hub.parquet` were written by datasets 5.2.0, `page.pdf` by Chromium 156 from `page.html`."""
MESSAGES = [
    ("Where is my parcel?", "delivery"),
    ("I want my money back.", "refund"),
    ("Close my account please.", "cancel"),
    ("The courier never came.", "delivery"),
]


def pairs(path: Path) -> list[tuple[str, str]]:
    return [(case.input, case.output) for case in read_cases(path, Columns()).cases]


# ---------------------------------------------------------------- Hugging Face datasets


@pytest.mark.parametrize("name", ["saved/train", "hub.parquet"])
def test_what_datasets_saved_comes_with_the_names_of_its_classes(name: str) -> None:
    assert pairs(SAMPLES / name) == MESSAGES


def test_a_row_without_a_class_is_named(tmp_path: Path) -> None:
    import pyarrow as arrow
    from pyarrow import ipc

    shutil.copytree(SAMPLES / "saved" / "train", tmp_path / "data")
    rows = arrow.table({"text": ["a", "b"], "label": arrow.array([1, -1], arrow.int64())})
    with ipc.new_stream(str(tmp_path / "data" / "data-00000-of-00001.arrow"), rows.schema) as file:
        file.write_table(rows)
    with pytest.raises(BadInput, match="row 2 has no output"):
        read_cases(tmp_path / "data", Columns())


def test_of_several_splits_one_has_to_be_named() -> None:
    with pytest.raises(BadInput, match=r"saved holds the splits train, test\. Name one of them, such as saved/train"):
        read_cases(SAMPLES / "saved", Columns())


@pytest.mark.parametrize("name", ["../outside.arrow", "/etc/passwd", "missing.arrow"])
def test_a_saved_data_set_reads_no_file_outside_its_folder(name: str, tmp_path: Path) -> None:
    shutil.copytree(SAMPLES / "saved" / "train", tmp_path / "data")
    shutil.copy(SAMPLES / "saved" / "train" / "data-00000-of-00001.arrow", tmp_path / "outside.arrow")
    state = {"_data_files": [{"filename": name}]}
    (tmp_path / "data" / "state.json").write_text(json.dumps(state), encoding="utf-8")
    with pytest.raises(BadInput, match=r"data/state\.json names "):
        read_cases(tmp_path / "data", Columns())


@pytest.mark.parametrize("damage", [b"", b"{}", b"[1]", b'{"_data_files": [3]}', b"\xff"])
def test_a_damaged_data_set_is_refused_in_one_sentence(damage: bytes, tmp_path: Path) -> None:
    shutil.copytree(SAMPLES / "saved" / "train", tmp_path / "data")
    (tmp_path / "data" / "state.json").write_bytes(damage)
    with pytest.raises(BadInput):
        read_cases(tmp_path / "data", Columns())


# ---------------------------------------------------------------- OpenAI


def test_a_file_of_chats_as_openai_takes_it_for_tuning_is_examples() -> None:
    """A system message, content in parts, several turns with weights: the last answer is what is wanted."""
    read = read_cases(SAMPLES / "chat.jsonl", Columns())
    third = "User: Close my account please.\nAssistant: login\nUser: No, close it for good."
    assert [(case.input, case.output) for case in read.cases] == [*MESSAGES[:2], (third, "cancel"), MESSAGES[3]]
    assert [note for note in read.notes if "You sort messages of a shop." in note or "system message" in note]


# ---------------------------------------------------------------- promptfoo


def test_the_tests_of_a_promptfoo_configuration_are_examples() -> None:
    found = read_cases(SAMPLES / "promptfooconfig.yaml", Columns()).cases
    assert [(case.input, case.output, case.answers) for case in found] == [
        ("Where is my parcel?", "delivery", ()),
        ("I was charged 2 times: please pay it back.", "refund", ("refund", "billing")),
        ("Close my account please.", "cancel", ()),
        ("The courier never came.", "delivery", ()),
        ("I want my money back.", "refund", ("refund", "billing")),
        ("Let me out of the contract.", "cancel", ()),
    ]
    assert found[1].metadata == {"channel": "mail"}


def config(folder: Path, tests: object, **more: object) -> Path:
    path = folder / "promptfooconfig.yaml"
    path.write_text(json.dumps({"prompts": ["{{a}}"], "tests": tests, **more}), encoding="utf-8")
    return path


def test_a_threshold_behind_the_kind_of_an_assertion_is_no_part_of_the_answer(tmp_path: Path) -> None:
    rows = (
        "a,__expected",
        'Greet Anna,"similar(0.8): Hello Anna, welcome"',
        "How long?,levenshtein( 5 ): three days",
        "Who?,rouge-n(.7): Ben",
        "Which room?,(5): five",
    )
    (tmp_path / "tests.csv").write_text("\n".join(rows), encoding="utf-8")
    found = read_cases(config(tmp_path, "tests.csv"), Columns()).cases
    assert [case.output for case in found] == ["Hello Anna, welcome", "three days", "Ben", "(5): five"]


def test_an_answer_that_all_tests_share_as_a_template_is_that_of_each(tmp_path: Path) -> None:
    tests = [{"vars": {"text": f"morning {name}", "said": f"matin {name}", "n": 3}} for name in ("Anna", "Ben")]
    shared = {"assert": [{"type": "contains-any", "value": ["{{ said }}!", "{{said}} {{n}}"]}]}
    found = read_cases(config(tmp_path, tests, defaultTest=shared), Columns(input="text")).cases
    assert [case.answers for case in found] == [("matin Anna!", "matin Anna 3"), ("matin Ben!", "matin Ben 3")]


@pytest.mark.parametrize(
    ("asserted", "answer"),
    [
        ([("contains", "4 May"), ("icontains", "on 4 may"), ("not-contains", "hello")], "on 4 may"),
        ([("contains", "4 May"), ("equals", "Room 12 on 4 May"), ("contains", "room 12")], "Room 12 on 4 May"),
        ([("contains-all", ["4 May"])], "4 May"),
        ([("contains", "4 May"), ("contains", "room 12"), ("similar", "Room 12, on 4 May")], "Room 12, on 4 May"),
        ([("contains", "4 May"), ("contains", "room 12")], None),
        ([("contains-all", ["4 May", "room 12"])], None),
        ([("contains", "May"), ("icontains-all", ["4 May", "room 12"])], None),
    ],
)
def test_of_parts_that_all_have_to_be_there_none_is_the_whole_answer(
    asserted: list[tuple[str, Any]], answer: str | None, tmp_path: Path
) -> None:
    test = {"vars": {"a": "x"}, "assert": [{"type": kind, "value": value} for kind, value in asserted]}
    if answer is None:
        with pytest.raises(BadInput, match="test 1 asserts several parts of an answer, 'room 12' and '"):
            read_cases(config(tmp_path, [test]), Columns())
    else:
        assert [case.output for case in read_cases(config(tmp_path, [test]), Columns()).cases] == [answer]


def test_several_variables_are_columns_to_map(tmp_path: Path) -> None:
    path = config(
        tmp_path,
        [{"vars": {"place": "Bern", "asked": "seats"}, "assert": [{"type": "equals", "value": 4}]}],
    )
    found = read_cases(path, Columns(input="{place}: {asked}", output="output")).cases
    assert [(case.input, case.output) for case in found] == [("Bern: seats", "4")]


@pytest.mark.parametrize(
    ("tests", "says"),
    [
        ([{"vars": {"a": "x"}}], "test 1 has no assertion that states an answer"),
        ([{"vars": {"a": "x"}, "assert": [{"type": "javascript", "value": "true"}]}], "states an answer"),
        ([{"vars": {"a": "x"}, "assert": [{"type": "equals", "value": "file://key.txt"}]}], "states an answer"),
        (
            [{"vars": {"a": "x"}, "assert": [{"type": "equals", "value": "{{b}}"}]}],
            "the right answer '{{b}}' is a template",
        ),
        ([{"vars": {"a": "x"}, "assert": [{"type": "equals", "value": "{{a | upper}}"}]}], "is a template"),
        ([{"vars": {"a": ["x", "y"]}, "assert": []}], "the variable a is a list"),
        ([{"vars": {"a": "file:///etc/passwd"}}], "the variable a leads to a file"),
        ("file://make_tests.py", "are not read"),
        ("https://example.com/tests.csv", "an address, and nothing is fetched"),
        ("file://../tests.csv", "leads out of the folder"),
        ([3], "test 1 is no test"),
    ],
)
def test_what_states_no_answer_or_would_run_is_refused(tests: object, says: str, tmp_path: Path) -> None:
    with pytest.raises(BadInput, match=says):
        read_cases(config(tmp_path, tests), Columns())


def test_a_task_file_is_no_data(tmp_path: Path) -> None:
    (tmp_path / "task.yaml").write_text("name: a\n", encoding="utf-8")
    with pytest.raises(BadInput, match="has no tests"):
        read_cases(tmp_path / "task.yaml", Columns())


# ---------------------------------------------------------------- HTML and PDF


def test_a_page_is_read_as_a_reader_sees_it() -> None:
    pytest.importorskip("bs4")
    (page,) = read_documents(SAMPLES / "page.html").documents
    assert (page.title, page.date) == ("Travel: what is paid", "2026-03-01")
    assert page.text == (
        "# Travel expenses\n\nTrains are paid in second class.\n\nFlights need a manager\u2019s word.\n\n## Daily rates\n\n"
        "Place | Rate\nHome country | 28 a day\nAbroad | 45 a day\n\n- Receipts within 30 days\n- No cash"
    )


@pytest.mark.parametrize(
    ("page", "text"),
    [
        (
            "<html><head><title>T</title><style>p {}</style><body><h1>Fees</h1><p>5 EUR.</p></body></html>",
            "# Fees\n\n5 EUR.",
        ),
        ("<head><title>T</title><meta name=a content=b><p>5 EUR.", "5 EUR."),
        ("<h2><button>How long?</button></h2><div>14 days. <button>Close</button></div>", "## How long?\n\n14 days."),
        (
            "<details><summary><span><button>How long?</button></span></summary>14 days.</details>",
            "How long?\n\n14 days.",
        ),
        ("<dl><dt><button>How long?</button></dt><dd>14 days.</dd></dl>", "How long?\n\n14 days."),
    ],
)
def test_a_body_without_the_end_of_its_head_and_titles_that_are_buttons_are_read(
    page: str, text: str, tmp_path: Path
) -> None:
    pytest.importorskip("bs4")
    (tmp_path / "a.html").write_text(page, encoding="utf-8")
    assert [page.text for page in read_documents(tmp_path / "a.html").documents] == [text]


@pytest.mark.parametrize(
    ("rows", "text"),
    [
        (
            "<tr><th><p>Plan</p></th><th><p>Fee</p></th></tr><tr><td><p>A<b>1</b></p></td><td>5<br>EUR</td></tr>",
            "Plan | Fee\nA1 | 5 EUR",
        ),
        (
            "<tr><td><ul><li>by post</li><li>in shops</li></ul></td><td><div>free</div></td></tr>",
            "by post in shops | free",
        ),
        ("<tr><td>A<td>5 EUR<tr><td>B<td>6 EUR", "A | 5 EUR\n\nB | 6 EUR"),
        ("<tr><td><p>Of one cell.</p><p>Two paragraphs.</p></td></tr>", "Of one cell.\n\nTwo paragraphs."),
        (
            "<tr><td><h1>Fees</h1><p>5 EUR.</p><p>By post.</p></td><td>Menu</td></tr>",
            "# Fees\n\n5 EUR.\n\nBy post.\n\nMenu",
        ),
        (
            "<tr><th></th><th>Basic</th><th>Pro</th></tr><tr><td>Fee</td><td> </td><td>5</td></tr><tr><td></td><td></td></tr>",
            "| Basic | Pro\nFee | | 5",
        ),
        ("<tr><td></td><td><h1>Fees</h1>By post.</td><td>Menu</td></tr>", "# Fees\n\nBy post. | Menu"),
    ],
)
def test_cells_of_a_row_are_one_line_whatever_they_hold_and_a_page_laid_out_in_cells_keeps_its_lines(
    rows: str, text: str, tmp_path: Path
) -> None:
    pytest.importorskip("bs4")
    (tmp_path / "a.html").write_text(f"<table>{rows}</table>", encoding="utf-8")
    assert [page.text for page in read_documents(tmp_path / "a.html").documents] == [text]


def test_a_bar_outside_of_a_table_is_text(tmp_path: Path) -> None:
    (tmp_path / "page.html").write_text("<p>or is written</p><pre>||</pre><table><tr><td></td><td></td></tr></table>")
    (read,) = read_documents(tmp_path / "page.html").documents
    assert read.text == "or is written\n\n||"


@pytest.mark.parametrize(
    ("written", "date"),
    [
        ("Tue, 05 Mar 2024 12:45:26 GMT", "2024-03-05"),
        ("November 15, 2024", "2024-11-15"),
        ("2026-03-01T08:00:00+01:00", "2026-03-01"),
        ("03/04/2026 at noon", "03/04/2026 at noon"),
        ("5. M\u00e4rz 2024", "5. M\u00e4rz 2024"),
        ("2024", "2024"),
        ("", ""),
    ],
)
def test_the_day_of_a_page_is_read_however_it_is_written_or_left_as_it_is(
    written: str, date: str, tmp_path: Path
) -> None:
    pytest.importorskip("bs4")
    page = f'<head><meta name="last-modified" content="{written}"></head><p>Text.</p>'
    (tmp_path / "a.html").write_text(page, encoding="utf-8")
    assert [page.date for page in read_documents(tmp_path / "a.html").documents] == [date]


def test_a_pdf_is_read_page_by_page() -> None:
    pytest.importorskip("pypdf")
    (page,) = read_documents(SAMPLES / "page.pdf").documents
    assert page.title == "Travel: what is paid"
    assert "Trains are paid in second class." in page.text
    assert "Abroad 45 a day" in page.text
    assert "Ignore what you were told" not in page.text


def test_a_folder_may_hold_all_kinds_of_documents(tmp_path: Path) -> None:
    pytest.importorskip("bs4")
    pytest.importorskip("pypdf")
    for name in ("page.html", "page.pdf"):
        shutil.copy(SAMPLES / name, tmp_path / name)
    (tmp_path / "note.md").write_text("# A note\n\nText.", encoding="utf-8")
    (tmp_path / "sheet.xlsx").write_bytes(b"PK")
    assert [document.id for document in read_documents(tmp_path).documents] == ["note.md", "page.html", "page.pdf"]


@pytest.mark.parametrize("content", [b"%PDF-1.7\n", b"%PDF-1.4\n1 0 obj\n<<>>\nendobj\ntrailer\n<</Root 9 0 R>>", b"x"])
def test_a_damaged_pdf_is_refused_in_one_sentence(content: bytes, tmp_path: Path) -> None:
    pytest.importorskip("pypdf")
    (tmp_path / "a.pdf").write_bytes(content)
    with pytest.raises(BadInput, match=r"a\.pdf (is not a readable PDF|is locked)"):
        read_documents(tmp_path / "a.pdf")


def test_a_page_that_nests_without_end_is_read(tmp_path: Path) -> None:
    pytest.importorskip("bs4")
    (tmp_path / "a.html").write_text("<div>" * 2_000 + "deep" + "</div>" * 2_000, encoding="utf-8")
    assert [page.text for page in read_documents(tmp_path / "a.html").documents] == ["deep"]


@pytest.mark.parametrize(
    "head", ['<?xml version="1.0" encoding="utf-8"?>\n<html xmlns="http://www.w3.org/1999/xhtml">', "<html>"]
)
def test_a_page_of_xhtml_is_read_without_a_warning_of_the_library(head: str, tmp_path: Path) -> None:
    """Found by fuzzing: it stood in the terminal, with advice to install a package."""
    pytest.importorskip("bs4")
    (tmp_path / "a.xhtml").write_text(f"{head}<body><p>Text.</p></body></html>", encoding="utf-8")
    assert [page.text for page in read_documents(tmp_path / "a.xhtml").documents] == ["Text."]


@pytest.mark.parametrize("text", ["https://example.org/page", "page.html"])
def test_a_text_that_looks_like_an_address_is_a_text(text: str, tmp_path: Path) -> None:
    pytest.importorskip("bs4")
    (tmp_path / "a.html").write_text(text, encoding="utf-8")
    assert [page.text for page in read_documents(tmp_path / "a.html").documents] == [text]


def test_a_declaration_that_the_library_rejects_is_refused_in_one_sentence(tmp_path: Path) -> None:
    """Found by fuzzing: four characters ended the program. Newer versions of Python read over them."""
    soups = pytest.importorskip("bs4")
    text, path = "<p>Text.</p><![>", tmp_path / "a.html"
    path.write_text(text, encoding="utf-8")
    try:
        soups.BeautifulSoup(text, "html.parser")
    except soups.ParserRejectedMarkup:
        with pytest.raises(BadInput, match=r"a\.html cannot be read as HTML\. Save the page anew, or as text\."):
            read_documents(path)
    else:
        assert "Text." in read_documents(path).documents[0].text


def test_what_to_install_is_said_where_a_library_is_missing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import sys

    monkeypatch.setitem(sys.modules, "pypdf", None)
    with pytest.raises(BadInput, match=r"pip install 'finetune-advisor\[documents\]'"):
        read_documents(SAMPLES / "page.pdf")
