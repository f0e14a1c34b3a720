"""Every kind of bad input ends with one sentence that says what was given and what to do, never a traceback."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Sequence
from pathlib import Path

import pytest

from benchmarks.contract import BadInput
from benchmarks.data.assemble import Limits, Loaded, assemble
from benchmarks.data.load import read_documents
from benchmarks.specs.spec import parse_spec, read_spec
from strategies.contract import Case
from tests.bad_inputs import DATA, DOCUMENTS, GOOD, HEAD, SPECS, Setup, both, data, rows, spec, whole


def _link_out(folder: Path) -> None:
    rows(folder.parent, "outside.jsonl")
    (folder / "linked.jsonl").symlink_to(folder.parent / "outside.jsonl")


def _pipe(folder: Path) -> None:
    os.mkfifo(folder / "pipe.jsonl")


def _one_group(folder: Path) -> None:
    rows = [{"input": f"text {n} {n * 7919}", "output": "ab"[n % 2], "group": "g"} for n in range(20)]
    (folder / "rows.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")


BOMB = "a: &a [x,x,x,x,x,x,x,x,x]\n" + "".join(
    f"{one}: &{one} [{','.join(['*' + before] * 9)}]\n" for before, one in zip("abcdef", "bcdefg", strict=True)
)
BAD: dict[str, tuple[Setup, str]] = {
    # the spec as a text
    "no spec": (rows, r'"task\.yaml" does not exist .* `advisor init FILE` writes one'),
    "empty spec": (whole(""), r"task\.yaml is empty\. Write at least name"),
    "broken YAML": (whole(HEAD + "labels: [a, b\n"), r"task\.yaml:5: this is not valid YAML"),
    "a tab": (whole("name: x\n\tinstruction: y\n"), r"task\.yaml:\d: a tab stands where spaces are wanted"),
    "a colon in a text": (
        whole("name: x\ninstruction: Answer: yes\n"),
        r'task\.yaml:2: a second ": " stands in this line',
    ),
    "a list as spec": (whole("- name\n"), r"task\.yaml:1: a task spec is lines of the form `key: value`"),
    "a key twice": (spec("target: 0.8", "target: 0.9"), r'task\.yaml:5: "target" is already written in line 4'),
    "an alias bomb": (whole(BOMB), r"unfolds into more than 20,000 values"),
    "a Python tag": (whole("name: !!python/object/apply:os.system [id]\n"), r"task\.yaml:1: the tag .* is not allowed"),
    "deep nesting": (whole("a: " + "[" * 5_000), r"task\.yaml is nested too deeply"),
    "a spec in Latin-1": (
        whole("name: x\ninstruction: café\n".encode("latin-1")),
        r"task\.yaml:2: the text is not UTF-8",
    ),
    "a huge spec": (whole("name: x\n" + "# filler\n" * 200_000), r"task\.yaml is larger than 1 MB"),
    # keys and values
    "a wrong key": (spec("targte: 0.8"), r'task\.yaml:4: "targte" is not a key .* Did you mean "target"\?'),
    "a key in the wrong place": (spec("p95_latency_s: 2"), r"task\.yaml:4: .* Write it under `constraints:`"),
    "a missing key": (whole("name: x\nexamples: rows.jsonl\n"), r'"instruction" is missing\. Add a line like'),
    "target 90": (
        spec("target: 90"),
        r"task\.yaml:4: target is 90; a share of cases is between 0 and 1\. Write 0\.9 for 90 %\.",
    ),
    "target 85%": (spec("target: 85%"), r"task\.yaml:4: target is 85%; .* Write 0\.85\."),
    "a target in quotes": (
        spec('target: "0.8"'),
        r'task\.yaml:4: target is "0\.8", which is a text because of its quotes\. Write 0\.8 without them\.',
    ),
    "a target with a comma": (
        spec("target: 0,85"),
        r'task\.yaml:4: target is "0,85"; a number is written with a decimal point\. Write 0\.85\.',
    ),
    "a margin in quotes": (spec("margin: '.05'"), r'margin is "\.05", .* Write 0\.05 without them\.'),
    "margin 5": (
        spec("margin: 5"),
        r"task\.yaml:4: margin is 5; a margin is a share of cases between 0 and 1\. Write 0\.05 for 5 points\.",
    ),
    "target and margin": (
        spec("target: 0.8\nmargin: 0.05"),
        r"task\.yaml:5: the task has a target and a margin\. Keep the target if",
    ),
    "target NaN": (spec("target: .nan"), r"task\.yaml:4: target is NaN; a share"),
    "a wrong kind": (spec("kind: classify"), r"must be one of classification, extraction, qa and generation"),
    "a negative volume": (spec("volume: -5"), r"task\.yaml:4: volume is -5; it must be above 0"),
    "one column as input and output": (
        spec("target: 0.8", "columns: {input: message, output: message}"),
        r'task\.yaml:5: columns names "message" as input and as output, .* Name the column with the answers as output',
    ),
    "a secret": (
        spec("models: [{name: a, api_key: sk-123}]"),
        r'"api_key" is not a key in models\. A secret does not belong',
    ),
    "a label twice": (spec("labels: [a, b, a]"), r'task\.yaml:4: labels lists "a" twice'),
    "one label": (spec("labels: [a]"), r"labels has 1 entries; between 2 and 2,000"),
    "a broken pattern": (spec("pattern: '[a-'"), r"task\.yaml:4: pattern is no regular expression \(unterminated"),
    "a pattern for labels": (spec("kind: classification", "pattern: '[ab]'"), r"`pattern:` .* Use `labels:` instead"),
    "an answer without the pattern": (spec("pattern: 'a'"), r'Example r1: the output "b" is not of the form `a`'),
    "an unknown metric": (spec("metric: acuracy"), r"`acuracy` is not a metric\. The nearest is `accuracy`"),
    "a metric for another kind": (spec("kind: classification", "metric: field_f1"), r"field_f1 is made for extraction"),
    "decimal commas": (
        data(
            "input,output\n" + "".join(f'{n * 7919},"0,40"\n' for n in range(12)),
            "rows.csv",
            "kind: qa",
            "metric: numeric_tolerance",
        ),
        r'12 of 12 .* decimal comma only, such as "0,40", .* read as 0\. Write `metric: {name: \w+, decimal: ","}`',
    ),
    # paths
    "a missing file": (
        spec("heldout: row.jsonl"),
        r'task\.yaml:4: heldout names "row\.jsonl", .* Did you mean "rows\.jsonl"\?',
    ),
    "a path out of the folder": (spec("heldout: ../rows.jsonl"), r"task\.yaml:4: .* leads out of the folder"),
    "an absolute path": (spec("heldout: /etc/passwd"), r"task\.yaml:4: .* an absolute path"),
    "a link out of the folder": (
        both(spec("heldout: linked.jsonl"), _link_out),
        r"a link that leads out of the folder",
    ),
    "a pipe": (both(spec("heldout: pipe.jsonl"), _pipe), r"neither a regular file nor a folder"),
    "a spreadsheet": (data(b"PK\x03\x04", "rows.xlsx"), r"rows\.xlsx: data is read from .* Save the sheet as CSV"),
    # the data
    "an empty file": (data(""), r"rows\.jsonl is empty\. Write rows into it, one a line\."),
    "only blank lines": (data("\n\n"), r"rows\.jsonl has no rows"),
    "only a header": (data("input,output\n", "rows.csv"), r"rows\.csv has no rows"),
    "not JSON": (data(GOOD + "{'input': 1}\n"), r"rows\.jsonl, line 2 is not valid JSON"),
    "pretty JSON as JSONL": (data('{\n"input": 1\n}\n'), r"line 1 is not valid JSON .* Write one JSON object a line"),
    "JSONL named .json": (data(GOOD * 2, "rows.json"), r"If it has one object a line, name it \.jsonl"),
    "a list a line": (data('["x", "a"]\n'), r"line 1 is not a JSON object"),
    "deep JSON": (data('{"input": ' + "[" * 100_000 + "\n"), r"line 1 is (nested too deeply|not valid JSON)"),
    "not UTF-8": (data(GOOD.encode() + b'{"input": "caf\xe9", "output": "a"}\n'), r"line 2 is not UTF-8"),
    "UTF-16": (data(GOOD.encode("utf-16")), r"rows\.jsonl is UTF-16\. Save it with the encoding UTF-8"),
    "a text of Excel": (
        data("input\toutput\nx\ta\n".encode("utf-16"), "rows.csv"),
        r'rows\.csv is UTF-16\. Save it with the encoding UTF-8; in Excel that is "CSV UTF-8"\.',
    ),
    "a text of Excel as it is named": (
        data("input\toutput\nx\ta\n".encode("utf-16"), "rows.txt"),
        r'This is one document; .* a table that Excel saved as text is to be saved as "CSV UTF-8"\.',
    ),
    "a line of Excel without rows": (data("sep=;\r\n", "rows.csv"), r"rows\.csv, line 2 names no columns"),
    "a NUL byte": (data(GOOD.encode() + b"\0\0\n"), r"line 2 holds a NUL byte"),
    "a 12 MB line": (data(GOOD + '{"input": "' + "x" * 12_000_000 + '"}\n'), r"line 2 is longer than 10 MB"),
    "half a character": (data('{"input": "\\ud83d", "output": "a"}\n'), r"line 1: input holds half a character"),
    "NaN": (data(GOOD + '{"input": "x", "output": NaN}\n'), r"line 2 holds NaN, which is not a value"),
    "nan in a table": (data("input,output\nx,nan\n", "rows.csv"), r'line 2: the output is "nan", which is not a value'),
    "a missing output": (data(GOOD + '{"input": "x"}\n'), r'rows\.jsonl, line 2 has no output \(column "output"\)'),
    "an empty output": (data("input,output\nx,\n", "rows.csv"), r"rows\.csv, line 2 has no output"),
    "empty outputs": (
        data("input,output\na,b\nx,\ny,c\nz,\n", "rows.csv"),
        r'line 3 has no output \(column "output"\); so it is with 1 of the rows after it\. Write the answer',
    ),
    "an empty output before 0 and false": (
        data("".join(f'{{"input": "x", "output": {value}}}\n' for value in ("null", "0", "false", '" "'))),
        r"line 1 has no output .*; so it is with 1 of the rows after it",
    ),
    "messages without an answer": (
        data('{"prompt": "x", "chosen": [{"role": "user", "content": "x"}]}\n'),
        r"line 1: the output is a list of messages, and none is the assistant's\. Write the answer\.",
    ),
    "a missing input": (data(GOOD + '{"output": "a"}\n'), r'line 2 has no input \(column "input"\)'),
    "ids twice": (
        data('{"id": "7", "input": "x", "output": "a"}\n{"id": 7, "input": "y", "output": "b"}\n'),
        r'line 2 has the id "7", which line 1 has already',
    ),
    "no usual column": (
        data('{"foo": "x", "bar": "a"}\n'),
        r'its columns are "foo", "bar"\. Call that one "input", or write `columns: \{input: NAME\}`',
    ),
    "a mapped column that is not there": (
        data('{"mail": "x", "topic": "a"}\n', "rows.jsonl", "columns: {input: mial, output: topic}"),
        r'columns\.input names the column "mial", .* Did you mean "mail"\?',
    ),
    "a slice that is not there": (spec("slices: [persona]"), r'slices names the column "persona"'),
    "a quote that never ends": (
        data('input,output\n"x,a\ny,b\n', "rows.csv"),
        r"the quote opened in the row at line 2 never ends",
    ),
    "a ragged table": (
        data("input,output\nx,a,b\n", "rows.csv"),
        r"line 2 has 3 values, but the header line names 2 columns",
    ),
    "a column twice": (data("input,input,output\nx,y,a\n", "rows.csv"), r'names the column "input" twice'),
    "a broken Parquet": (data(b"PAR1 no table", "rows.parquet"), r"is not a readable Parquet file"),
    "a chat without an answer": (
        data('{"messages": [{"role": "user", "content": "x"}]}\n'),
        r"does not end with a message of the assistant",
    ),
    "a chat with a tool": (data('{"messages": [{"role": "tool", "content": "x"}]}\n'), r'has the role "tool"'),
    # what does not go together
    "a label that is not in the list": (
        data(GOOD + '{"input": "x", "output": "Refnd"}\n', "rows.jsonl", "labels: [a, Refund]"),
        r'Example .*: the output "Refnd" is not in the list of labels\. Write "Refund"',
    ),
    "extraction without JSON": (spec("kind: extraction"), r"Example r0: the output is not a JSON object"),
    "the same label everywhere": (
        data(GOOD * 20, "rows.jsonl", "kind: classification"),
        r'Every example has the same output, "a"',
    ),
    "the same output everywhere": (data(GOOD * 20), r'Every example has the same output, "a", so there is nothing'),
    "the same long output": (data(GOOD.replace('"a"', f'"{"a " * 90}"') * 20), r"Every example has the same output"),
    "too few to hold out": (
        data(GOOD * 3 + GOOD.replace('"a"', '"b"')),
        r"There are 4 examples, too few to hold out half",
    ),
    "no held-out left": (
        both(spec(), _one_group),
        r'No case is left .* Or correct the group column, "group"; rows .* another name',
    ),
    "no held-out left without a group": (
        data("".join(json.dumps({"input": "the same text", "output": "ab"[n % 2]}) + "\n" for n in range(20))),
        r"^No case is left .* Give other examples, or a file with held-out cases as `heldout:`\.$",
    ),
    "examples that are all held out": (
        both(spec("heldout: same.jsonl"), lambda folder: rows(folder, "same.jsonl")),
        r"Every example has the input of a held-out case",
    ),
    "no documents": (
        both(spec("documents: docs"), lambda folder: (folder / "docs").mkdir()),
        r"docs holds no documents",
    ),
}


BAD |= {**SPECS, **DATA, **DOCUMENTS}


def assert_one_sentence(said: str, wanted: str, folder: Path) -> None:
    assert re.search(wanted, said), said
    assert "\n" not in said
    assert len(said) < 400
    assert str(folder) not in said, "no path of this machine in a sentence"


@pytest.mark.parametrize("kind", BAD)
def test_bad_input_is_one_sentence_that_says_what_to_do(kind: str, tmp_path: Path) -> None:
    write, wanted = BAD[kind]
    write(tmp_path)
    with pytest.raises(BadInput) as caught:
        assemble(tmp_path / "task.yaml")
    assert_one_sentence(str(caught.value), wanted, tmp_path)


@pytest.mark.parametrize("kind", BAD)
def test_on_the_command_line_it_ends_with_exit_code_2_and_no_traceback(kind: str, tmp_path: Path) -> None:
    from click.testing import CliRunner

    from advisor.cli import main

    write, wanted = BAD[kind]
    write(tmp_path)
    result = CliRunner().invoke(main, ["check", str(tmp_path / "task.yaml")])
    assert result.exit_code == 2
    assert result.stdout == ""
    assert "Traceback" not in result.stderr
    assert re.search(wanted, " ".join(result.stderr.split())), result.stderr


@pytest.mark.parametrize(
    ("limits", "wanted"),
    [
        (Limits(heldout=0), r"The number of heldout is 0; it must be at least 1"),
        (Limits(examples=2), r"There are 2 examples left to learn from; at least 3"),
        (Limits(margin=5), r"margin is 5; a margin is a share of cases between 0 and 1\. Write 0\.05 for 5 points"),
        (Limits(target=0.9, margin=0.05), r"There is a target and a margin\. Give one of them"),
        (Limits(target=90), r"target is 90; a share of cases is between 0 and 1\. Write 0\.9 for 90 %"),
    ],
)
def test_limits_are_checked_too(limits: Limits, wanted: str, tmp_path: Path) -> None:
    spec("target: 0.8")(tmp_path)
    with pytest.raises(BadInput, match=wanted):
        assemble(tmp_path / "task.yaml", limits=limits)


@pytest.mark.parametrize("key", ["models: [./nowhere]", "embedder: ./nowhere", "reranker: ./nowhere"])
def test_a_model_in_no_folder_is_told_before_a_run(key: str, tmp_path: Path) -> None:
    """`check` said: next, advisor run."""
    from click.testing import CliRunner

    from advisor.cli import main

    spec(key)(tmp_path)
    result = CliRunner().invoke(main, ["check", str(tmp_path / "task.yaml")])
    assert result.exit_code == 2
    assert "The model nowhere is to lie in ./nowhere, and there is no such folder. Correct the path." in result.stderr


@pytest.mark.parametrize(
    ("name", "typed"), [("tickets.csv", "tickets.csv"), ("my data/tickets.csv", "'my data/tickets.csv'")]
)
def test_data_in_place_of_a_spec_is_sent_to_init(
    name: str, typed: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The command that was named failed where the file lies in another folder."""
    monkeypatch.chdir(tmp_path)
    Path("my data").mkdir()
    Path(name).write_text("message,label\nLate,shipping\n", encoding="utf-8")
    said = rf'^"tickets\.csv" is data, not a task spec\. `advisor init {typed}` writes'
    with pytest.raises(BadInput, match=said):
        assemble(name)


def test_an_empty_heldout_part_is_refused() -> None:
    cases = tuple(Case(id=str(n), input=f"{n}", output="ab"[n % 2]) for n in range(9))
    parsed = parse_spec({"name": "x", "instruction": "y", "examples": "z"})
    with pytest.raises(BadInput, match="There are no held-out cases"):
        assemble(parsed, data=Loaded(examples=cases, heldout=()))


def test_a_document_folder_does_not_follow_links_out_of_it(tmp_path: Path) -> None:
    (tmp_path / "secret.txt").write_text("secret", encoding="utf-8")
    (tmp_path / "docs" / "deep").mkdir(parents=True)
    (tmp_path / "docs" / "deep" / "b.txt").write_text("Ten days.", encoding="utf-8")
    (tmp_path / "docs" / "again").symlink_to("deep", target_is_directory=True)
    assert [one.id for one in read_documents(tmp_path / "docs").documents] == ["deep/b.txt"]
    for name, target in (("a.txt", tmp_path / "secret.txt"), ("deep/hr", tmp_path)):
        (tmp_path / "docs" / name).symlink_to(target)
        with pytest.raises(
            BadInput, match=rf"docs/{re.escape(name)} is a link that leads out of the folder\. Put a copy in"
        ):
            read_documents(tmp_path / "docs")
        (tmp_path / "docs" / name).unlink()


def test_init_writes_a_spec_that_checks_and_refuses_to_overwrite_it(tmp_path: Path) -> None:
    from click.testing import CliRunner

    from advisor.cli import main

    path = tmp_path / "mails.csv"
    lines = [f'"hello {n} {n * 7919}, world","{"yes" if n % 2 else "no"}",web' for n in range(40)]
    path.write_text("Mail: text,Wanted,channel\n" + "\n".join(lines) + "\n", encoding="utf-8")
    result = CliRunner().invoke(main, ["init", str(path)])
    assert result.exit_code == 0, result.output
    assert 'output: from "Wanted"' in result.output
    benchmark = assemble(tmp_path / "task.yaml").benchmark
    assert benchmark.task.labels == ("no", "yes")
    assert benchmark.target == 0.9
    again = CliRunner().invoke(main, ["init", str(path)])
    assert again.exit_code == 2
    assert "--force" in again.output
    assert CliRunner().invoke(main, ["init", str(path), "--force"]).exit_code == 0


@pytest.mark.parametrize(("rows", "says"), [(200, "200 rows have only 1 output"), (1, "1 row has only 1 output")])
def test_init_says_that_all_outputs_are_the_same(rows: int, says: str, tmp_path: Path) -> None:
    from benchmarks.specs.propose import propose

    path = tmp_path / "rows.jsonl"
    path.write_text("".join(f'{{"input": "text {n * 7919}", "output": "a"}}\n' for n in range(rows)), encoding="utf-8")
    proposal = propose(path)
    assert f"kind: classification, because {says}." in proposal.reasons
    assert "labels:" not in proposal.text


def test_init_says_of_a_table_with_a_header_only_that_it_has_no_rows(tmp_path: Path) -> None:
    from benchmarks.specs.propose import propose

    (tmp_path / "rows.csv").write_text("message,team\n", encoding="utf-8")
    with pytest.raises(BadInput, match=r"rows\.csv has no rows\. Write some into it\."):
        propose(tmp_path / "rows.csv")


@pytest.mark.parametrize(
    ("row", "columns", "unused"),
    [
        ({"ticket_text": "my parcel {} is late", "language": "de", "label": "x"}, ("ticket_text", "label"), ""),
        ({"body": "a {} b c", "customerId": "K", "Datum": "01.02.2024", "queue": "x"}, ("body", "queue"), ""),
        (
            {"genre": "fiction", "premise": "a {} man eats a lot", "hypothesis": "he {} eats", "label": "x"},
            ("premise", "label"),
            r'"hypothesis"\. .* input: "{premise}\\n\\n{hypothesis}"',
        ),
        (
            {"context": "in {} it was so", "question": "when {}?", "answer": "x", "weight": "0.{}"},
            ("question", "answer"),
            r'"context"\. .* input: "{context}\\n\\n{question}"',
        ),
        ({"Text \U0001f4dd": "a {} b c", "tag": "\U0001f469\u200d\U0001f4bb"}, ("Text \U0001f4dd", "tag"), ""),
    ],
)
def test_init_keeps_the_side_with_a_usual_name_and_names_what_may_belong_to_the_request(
    row: dict[str, str], columns: tuple[str, str], unused: str, tmp_path: Path
) -> None:
    from benchmarks.specs.propose import propose

    def values(number: int) -> dict[str, str]:
        few = {name: value + "ab"[number % 2] for name, value in row.items() if name not in ("Datum", "created_at")}
        return {**row, **few} | {name: value.format(number) for name, value in row.items() if "{" in value}

    path = tmp_path / "rows.jsonl"
    path.write_text("".join(json.dumps(values(number)) + "\n" for number in range(20)), encoding="utf-8")
    proposal = propose(path)
    (tmp_path / "task.yaml").write_text(proposal.text, encoding="utf-8")
    spec, _ = read_spec(tmp_path / "task.yaml")
    assert (spec.columns.input, spec.columns.output) == columns
    assert spec.labels == tuple(sorted({values(number)[columns[1]] for number in range(2)}))
    said = [reason for reason in proposal.reasons if reason.startswith("unused")]
    assert bool(said) == bool(unused)
    assert all(re.search(unused, reason) for reason in said), said


def test_a_passage_that_several_questions_share_may_belong_to_the_request(tmp_path: Path) -> None:
    """Questions were proposed as the whole input, and the passage that they are on was not named."""
    from benchmarks.specs.propose import propose

    passage = "The castle {} was built by a duke and has stood there since, although it was burnt twice and rebuilt by its owner."
    rows = [
        {"context": passage.format(n // 5), "question": f"Who asks number {n}?", "answer": f"person {n * 7919}"}
        for n in range(60)
    ]
    (tmp_path / "rows.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    (said,) = [each for each in propose(tmp_path / "rows.jsonl").reasons if each.startswith("unused")]
    assert r'input: "{context}\n\n{question}"' in said


@pytest.mark.parametrize(
    ("few", "more", "output", "says"),
    [
        (
            {"short": 6, "expansion of it": 15, "who": 2},
            {},
            "expansion of it",
            '"expansion of it", because it has 15 different values; correct it if "short" (6 values) or "who" (2 values) holds',
        ),
        (
            {"urgency": 2, "squad": 3},
            {"heading": "about {} or so"},
            "squad",
            '"squad", because it has 3 different values; correct it if "urgency" (2 values) or "heading" (60 values) holds',
        ),
        ({"level": 2}, {"query": "SELECT {}"}, "query", '"query", because of its name.'),
        ({"level": 2}, {"sql": "SELECT {}"}, "sql", '"sql", because of their names.'),
    ],
)
def test_init_names_the_other_columns_that_may_hold_the_answer_and_none_of_them_for_the_request(
    few: dict[str, int], more: dict[str, str], output: str, says: str, tmp_path: Path
) -> None:
    from benchmarks.specs.propose import propose

    path = tmp_path / "rows.jsonl"
    rows = [
        {
            "question": f"how is it with number {number} of them all",
            **{name: f"{name.split()[0]} {'abcdefghijklmno'[number % values]}" for name, values in few.items()},
            **{name: text.format(f"n{number}") for name, text in more.items()},
        }
        for number in range(60)
    ]
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    proposal = propose(path)
    assert any(f"output: from {says}" in reason for reason in proposal.reasons)
    assert not any("{" in reason for reason in proposal.reasons)
    (tmp_path / "task.yaml").write_text(proposal.text, encoding="utf-8")
    spec, _ = read_spec(tmp_path / "task.yaml")
    assert (spec.columns.input, spec.columns.output) == ("question", output)
    (tmp_path / "rows.jsonl").write_text(
        "".join(json.dumps({**row, output: row[output] if number else ""}) + "\n" for number, row in enumerate(rows))
    )
    guessed = f' Where another column than "{output}" holds the answer, call that one "output".'
    with pytest.raises(BadInput, match=f'no output \\(column "{output}"\\)') as refused:
        propose(path)
    assert str(refused.value).endswith(guessed) == ("because of" not in says)


@pytest.mark.parametrize("others", ['Write kindly.\nBe "brief": 1 # two', "Be brief."])
def test_init_takes_the_system_message_of_chats_for_the_instruction_where_it_is_the_same(
    others: str, tmp_path: Path
) -> None:
    from benchmarks.specs.propose import propose

    system = 'Write kindly.\nBe "brief": 1 # two'
    chats = [
        [
            {"role": "system", "content": others if number % 2 else system},
            {"role": "user", "content": f"Where is parcel {number}?"},
            {"role": "assistant", "content": f"Parcel {number * 7919} is on its way."},
        ]
        for number in range(20)
    ]
    path = tmp_path / "chats.jsonl"
    path.write_text("".join(json.dumps({"messages": chat}) + "\n" for chat in chats), encoding="utf-8")
    proposal = propose(path)
    (tmp_path / "task.yaml").write_text(proposal.text, encoding="utf-8")
    same = others == system
    instruction = read_spec(tmp_path / "task.yaml")[0].instruction
    assert instruction == (system if same else "Rewrite the text as the examples do.")
    assert any(reason.startswith("instruction: the system message") for reason in proposal.reasons) == same


@pytest.mark.parametrize(
    ("outputs", "kind", "metric"),
    [
        ([f"{n / 2}" for n in range(20)] * 3, "generation", {"relative": 0.01, "absolute": 0}),
        ([f"{n},{n % 7}5" for n in range(40)], "generation", {"relative": 0.01, "absolute": 0, "decimal": ","}),
        ([f"{n * 37:,}" for n in range(40)], "generation", {"relative": 0.01, "absolute": 0}),
        ([f"{n % 5 + 1}" for n in range(40)], "classification", None),
        ([f"{n % 5 + 1}.0" for n in range(40)], "classification", None),
        ([f"{n % 77}" for n in range(400)], "classification", None),
        ([f"{10115 + n * 37}" for n in range(40)], "generation", None),
        ([f"0{n}" for n in range(10, 50)], "generation", None),
        ([f"1.{n}.2" for n in range(40)], "generation", None),
        ([f"{n / 2} kg" for n in range(40)], "generation", None),
    ],
)
def test_init_proposes_a_tolerance_where_the_outputs_are_numbers_and_no_labels_or_codes(
    outputs: list[str], kind: str, metric: dict[str, object] | None, tmp_path: Path
) -> None:
    from benchmarks.specs.propose import propose

    rows = [{"text": f"Essay {number * 7919} of them", "label": output} for number, output in enumerate(outputs)]
    (tmp_path / "rows.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    proposal = propose(tmp_path / "rows.jsonl")
    (tmp_path / "task.yaml").write_text(proposal.text, encoding="utf-8")
    spec, _ = read_spec(tmp_path / "task.yaml")
    assert (spec.kind, "answer with a number" in spec.instruction) == (kind, metric is not None)
    tolerance = spec.metric is not None and spec.metric.name == "numeric_tolerance"
    assert (dict(spec.metric.parameters) if spec.metric and tolerance else None) == metric
    assert assemble(tmp_path / "task.yaml").benchmark.metric.name == (
        "numeric_tolerance" if metric else "accuracy" if kind == "classification" else "chrf"
    )


@pytest.mark.parametrize(
    ("files", "named"),
    [
        (("kb/a.md", "kb/sub/b.html", "kb/c.docx"), "kb"),
        (("code/a.py", "code/b.py", "code/README.md"), ""),
        ((".notes/a.md",), ""),
        (("../kb/a.md",), ""),
    ],
)
def test_init_names_a_folder_of_texts_beside_questions_and_takes_none_by_itself(
    files: Sequence[str], named: str, tmp_path: Path
) -> None:
    from benchmarks.specs.propose import propose

    folder = tmp_path / "qa"
    for name in ("questions.csv", *files):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(b"\xff\x00 is never read")
    rows = "".join(f"How heavy is pump {n * 7919}?,{n * 31} kg or so\n" for n in range(40))
    (folder / "questions.csv").write_text(f"question,answer\n{rows}", encoding="utf-8")
    proposal = propose(folder / "questions.csv")
    assert any("and no documents were named." in reason for reason in proposal.reasons)
    says = f"if the answers stand there, write `documents: {named}` and `kind: qa`."
    assert any(reason.endswith(says) for reason in proposal.reasons) == bool(named)
    (folder / "task.yaml").write_text(proposal.text, encoding="utf-8")
    assert read_spec(folder / "task.yaml")[0].documents is None
    if named:
        text = proposal.text.replace(f"# documents: {named} ", f"documents: {named} ").replace("generation", "qa")
        (folder / "task.yaml").write_text(text, encoding="utf-8")
        spec, _ = read_spec(folder / "task.yaml")
        assert (str(spec.documents), spec.kind) == (named, "qa")


def test_a_metric_of_another_kind_than_was_inferred_says_which_kind_to_state(tmp_path: Path) -> None:
    rows = [{"input": f"Essay {number * 7919}", "output": f"{number % 20 / 2}"} for number in range(80)]
    (tmp_path / "rows.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    (tmp_path / "task.yaml").write_text(HEAD + "target: 0.8\nmetric: numeric_tolerance\n", encoding="utf-8")
    says = r"`metric: accuracy`, or state `kind: extraction` or `kind: generation` or `kind: qa` where"
    with pytest.raises(BadInput, match=says):
        assemble(tmp_path / "task.yaml")
    with (tmp_path / "task.yaml").open("a", encoding="utf-8") as task:
        task.write("kind: generation\n")
    assert assemble(tmp_path / "task.yaml").benchmark.metric.name == "numeric_tolerance"


def test_what_init_proposes_beside_code_and_a_held_out_file_with_a_label_more_is_checked(tmp_path: Path) -> None:
    from benchmarks.specs.propose import propose

    def rows(labels: str, begin: int) -> str:
        return "text,label\n" + "".join(f"ask {begin + n * 7919},{label}\n" for n, label in enumerate(labels))

    (tmp_path / "train.csv").write_text(rows("ab" * 20, 0), encoding="utf-8")
    (tmp_path / "test").mkdir()
    (tmp_path / "test" / "test_code.py").write_text("pass\n", encoding="utf-8")
    (tmp_path / "test.csv").write_text("text\nask\n", encoding="utf-8")
    proposal = propose(tmp_path / "train.csv")
    assert any("not test.csv, which lies beside the examples and has no column" in why for why in proposal.reasons)
    (tmp_path / "test.csv").unlink()
    (tmp_path / "task.yaml").write_text(proposal.text, encoding="utf-8")
    assert len(assemble(tmp_path / "task.yaml").benchmark.heldout) == 20
    (tmp_path / "eval.csv").write_text(rows("ab" * 10 + "c", 5), encoding="utf-8")
    proposal = propose(tmp_path / "train.csv")
    assert 'labels: "c" from eval.csv, since no example has it.' in proposal.reasons
    (tmp_path / "task.yaml").write_text(proposal.text, encoding="utf-8")
    made = assemble(tmp_path / "task.yaml")
    assert made.benchmark.task.labels == ("a", "b", "c")
    assert "unseen labels" in {finding.kind for finding in made.findings}


def test_init_and_check_say_that_a_table_may_have_no_line_of_names(tmp_path: Path) -> None:
    from benchmarks.specs.propose import propose

    path = tmp_path / "rows.csv"
    path.write_text("".join(f"Where is parcel {n * 7919}?,{'ab'[n % 2]}\n" for n in range(40)), encoding="utf-8")
    proposal = propose(path)
    (tmp_path / "task.yaml").write_text(proposal.text, encoding="utf-8")
    (found,) = [one for one in assemble(tmp_path / "task.yaml").findings if one.kind == "no header"]
    assert found.told in proposal.reasons
    assert (found.severity, found.what_to_do[:40]) == ("warning", "Then write a line of names above it, suc")


def test_check_says_counts_and_findings_and_prints_one_json_document(tmp_path: Path) -> None:
    from click.testing import CliRunner

    from advisor.cli import main

    hostile = {"input": "x [red]y[/red] \x1b[31m", "output": "[bold]a[/]\u202e"}
    rows = [{"input": f"text {n} {n * 7919}", "output": "b"} for n in range(20)] + [hostile] * 20
    (tmp_path / "rows.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    (tmp_path / "task.yaml").write_text(HEAD + "target: 0.8\n", encoding="utf-8")
    told = CliRunner().invoke(main, ["check", str(tmp_path / "task.yaml")])
    assert told.exit_code == 0, told.output
    assert "[bold]a[/]" in told.stdout, "labels are shown as they are, not read as markup"
    assert "\x1b" not in told.stdout
    result = CliRunner().invoke(main, ["check", str(tmp_path / "task.yaml"), "--json"])
    document = json.loads(result.stdout)
    assert document["counts"]["examples"] + document["counts"]["heldout"] == 40
    assert "duplicates" in {finding["kind"] for finding in document["findings"]}
    assert document["decidable"]["candidates"] >= 5
