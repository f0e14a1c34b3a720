"""Bad task files, data files and documents, each with the sentence that it ends with (`tests/data/test_bad_input.py`)."""

from __future__ import annotations

import json
import os
import socket
from collections.abc import Callable, Mapping
from pathlib import Path

Setup = Callable[[Path], None]
HEAD = "name: tickets\ninstruction: Answer with the label.\nexamples: rows.jsonl\n"
GOOD = '{"input": "x", "output": "a"}\n'


def rows(folder: Path, name: str = "rows.jsonl", count: int = 20) -> None:
    found = [{"id": f"r{n}", "input": f"text {n} {n * 7919}", "output": "ab"[n % 2]} for n in range(count)]
    (folder / name).write_text("".join(json.dumps(row) + "\n" for row in found), encoding="utf-8")


def spec(*lines: str) -> Setup:
    """Good rows, and a spec with these lines after the first three."""

    def write(folder: Path) -> None:
        rows(folder)
        (folder / "task.yaml").write_text(HEAD + "\n".join(lines) + "\n", encoding="utf-8")

    return write


def whole(text: str | bytes) -> Setup:
    """Good rows, and this text as the whole spec."""

    def write(folder: Path) -> None:
        rows(folder)
        (folder / "task.yaml").write_bytes(text if isinstance(text, bytes) else text.encode())

    return write


def data(text: str | bytes, name: str = "rows.jsonl", *lines: str) -> Setup:
    """A good spec, and this text as the examples."""

    def write(folder: Path) -> None:
        (folder / "task.yaml").write_text(
            HEAD.replace("rows.jsonl", name) + "target: 0.8\n" + "\n".join(lines), encoding="utf-8"
        )
        (folder / name).write_bytes(text if isinstance(text, bytes) else text.encode("utf-8", "surrogatepass"))

    return write


def both(*setups: Setup) -> Setup:
    def write(folder: Path) -> None:
        for setup in setups:
            setup(folder)

    return write


def beside(name: str, content: str | bytes, line: str, *more: str) -> Setup:
    """A good spec with that line, and a file that it names."""

    def write(folder: Path) -> None:
        spec(line, *more)(folder)
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_bytes(content if isinstance(content, bytes) else content.encode())

    return write


def link(name: str, to: str, line: str) -> Setup:
    """A good spec with that line, and a link that it names."""

    def write(folder: Path) -> None:
        spec(line)(folder)
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).symlink_to(to)

    return write


def folder_of(name: str, line: str) -> Setup:
    return both(spec(line), lambda folder: (folder / name).mkdir())


def objects(*lines: str) -> Setup:
    """Rows whose outputs are JSON objects."""

    def write(folder: Path) -> None:
        spec("kind: extraction", *lines)(folder)
        found = [{"input": f"text {n} {n * 7919}", "output": json.dumps({"a": str(n)})} for n in range(20)]
        (folder / "rows.jsonl").write_text("".join(json.dumps(row) + "\n" for row in found), encoding="utf-8")

    return write


def named(examples: str) -> Setup:
    """Good rows, and a spec that names these examples."""
    return whole(f"name: x\ninstruction: y\nexamples: {examples}\n")


def chat(messages: str) -> Setup:
    return data(f'{{"messages": {messages}}}\n')


def many(**fields: str) -> Setup:
    """Twenty rows with further fields, given as JSON."""
    more = "".join(f', "{name}": {value}' for name, value in fields.items())
    return data("".join(f'{{"input": "text {n * 7919}", "output": "{"ab"[n % 2]}"{more}}}\n' for n in range(20)))


def _socket(folder: Path) -> None:
    before = Path.cwd()
    with socket.socket(socket.AF_UNIX) as made:
        os.chdir(folder)  # The name of a socket is short.
        try:
            made.bind("s.jsonl")
        finally:
            os.chdir(before)


def _odd_name(folder: Path) -> None:
    (folder / "docs").mkdir()
    Path(os.fsdecode(os.fsencode(folder / "docs") + b"/caf\xe9.txt")).write_text("hello", encoding="utf-8")


def _long_cell() -> str:
    return 'input,output\n"' + ("x" * 2_999_999 + "\n") * 4 + '",a\n'


SERVER = "models: [{name: a, endpoint: 'http://127.0.0.1/v1', KEY}]"
SPECS: Mapping[str, tuple[Setup, str]] = {
    # the text of the spec
    "a merge key": (spec("target: 0.8", "<<: {volume: 3}"), r'"<<" is not a key of a task spec'),
    "an alias of itself": (whole("name: x\nlabels: &a [a, *a]\n"), r"nested deeper than 30 levels\. Make them flatter"),
    "a mapping of itself": (whole("name: &a {b: *a}\n"), r"nested deeper than 30 levels"),
    "an alias of nothing": (whole("name: *nothing\n"), r"task\.yaml:1: this is not valid YAML \(found undefined alias"),
    "two documents": (spec("target: 0.8", "---", "name: y"), r"task\.yaml:5: .* found another document"),
    "another YAML": (whole("%YAML 9.9\n---\nname: x\n"), r"incompatible YAML document"),
    "a tag by directive": (
        whole("%TAG ! tag:evil,2000:\n---\nname: !x y\n"),
        r"the tag tag:evil,2000:x is not allowed",
    ),
    "binary": (whole("name: !!binary aGVsbG8=\n"), r"task\.yaml:1: the tag .*binary is not allowed\. Write the value"),
    "a set": (whole("name: !!set {a, b}\n"), r"the tag .*set is not allowed"),
    "a Python name": (whole("name: !!python/name:os.system\n"), r"the tag .*os\.system is not allowed"),
    "a tag for everything": (whole("!!python/object:x\nname: x\n"), r"task\.yaml:1: the tag .* Write the keys without"),
    "a list as key": (whole("? [a, b]\n: c\n"), r"a key is a single word"),
    "a number as key": (spec("target: 0.8", "7: x"), r'task\.yaml:5: "7" is not a key of a task spec'),
    "an empty key": (spec("target: 0.8", '"": x'), r'task\.yaml:5: "" is not a key'),
    "a NUL in the spec": (whole("name: x\0y\n"), r"task\.yaml is not a YAML file: .* Save it as plain UTF-8 text"),
    "an escape in the spec": (whole(b"name: \x1b[31m\n"), r"task\.yaml is not a YAML file"),
    "an archive as spec": (whole(b"PK\x03\x04" + bytes(20)), r"task\.yaml is not a YAML file"),
    "gzip as spec": (whole(b"\x1f\x8b\x08"), r"task\.yaml:1: the text is not UTF-8"),
    "UTF-16 as spec": (whole("name: x\n".encode("utf-16")), r"task\.yaml:1: the text is not UTF-8"),
    "a word as spec": (whole("hello\n"), r"a task spec is lines of the form `key: value`"),
    "comments only": (whole("# nothing\n"), r"task\.yaml is empty\. Write at least name"),
    "JSON with a key twice": (
        whole('{"name": "x", "name": "y"}'),
        r'task\.yaml:1: "name" is already written in line 1',
    ),
    "a schema of 500 levels": (
        beside("s.json", '{"a": ' * 500 + "{}" + "}" * 500, "schema: s.json"),
        r"task\.yaml:4: nested deeper than 30 levels\. Make it flatter",
    ),
    "half a character as name": (
        whole('name: "\\ud83d"\ninstruction: y\nexamples: rows.jsonl\n'),
        r"task\.yaml:1: a text holds half a character \(a lone surrogate\)\. Write the text anew",
    ),
    "half a character as label": (spec('labels: [a, b, "\\udc00"]'), r"task\.yaml:4: a text holds half a character"),
    "half a character as key": (spec('schema: {"\\udc00": 1}'), r"task\.yaml:4: a text holds half a character"),
    "a character that is none": (whole('name: "\\U00110000"\n'), r"escapes a character that does not exist"),
    # wrong values
    "5,000 digits": (spec("volume: " + "9" * 5_000), r"task\.yaml:4: a number has more than 40 digits"),
    "a huge volume": (spec("volume: " + "9" * 39), r"volume is 9+; it must be at most 1e\+12"),
    "an infinite volume": (spec("volume: 1e400"), r"volume is Infinity; it must be a finite number"),
    "half a request": (spec("volume: 1.5"), r"volume is 1\.5; it must be a whole number"),
    "ten thousand with a point": (
        spec("volume: 10.000"),
        r"volume is 10\.0; it must be a whole number\. Write digits alone, such as 10000\.",
    ),
    "a text of digits with a point": (spec('volume: "10.000"'), r'volume is "10\.000"; it must be a whole number'),
    "a year with a point": (spec("horizon_months: 12.0"), r"horizon_months is 12\.0; it must be a whole number"),
    "volume in words": (spec("volume: many"), r'volume is "many"; it must be a whole number'),
    "volume true": (spec("volume: true"), r"volume is true; it must be a whole number\. Write digits"),
    "no volume": (spec("volume:"), r"volume has no value; a whole number is wanted\. Write, for instance"),
    "a list as volume": (spec("volume: [1]"), r"volume is \[1\]; it must be a whole number"),
    "no months": (spec("horizon_months: 0"), r"horizon_months is 0; it must be above 0"),
    "eleven years": (spec("horizon_months: 132"), r"horizon_months is 132; it must be at most 120"),
    "a cold temperature": (spec("temperature: -1"), r"temperature is -1; it must be at least 0"),
    "a hot temperature": (spec("temperature: 3"), r"temperature is 3; it must be at most 2"),
    "temperature NaN": (spec("temperature: .nan"), r"temperature is NaN; it must be a finite number"),
    "target 0": (spec("target: 0"), r"target is 0; a share of cases is between 0 and 1"),
    "target true": (spec("target: true"), r"target is true; a share of cases"),
    "target infinity": (spec("target: .inf"), r"target is Infinity; a share of cases"),
    "a list as target": (spec("target: [0.8]"), r"target is \[0\.8\]; a share of cases"),
    "target in words": (spec("target: high"), r'target is "high"; a share of cases'),
    "margin 0": (spec("margin: 0"), r"margin is 0; a margin is a share of cases between 0 and 1"),
    "margin 1": (spec("margin: 1"), r"margin is 1; .* Write 0\.01 for 1 point\."),
    "a list as name": (
        whole("name: [a]\ninstruction: y\nexamples: rows.jsonl\n"),
        r'name is \["a"\]; it must be a text',
    ),
    "an empty name": (whole("name: ''\ninstruction: y\nexamples: rows.jsonl\n"), r"task\.yaml:1: name is empty"),
    "a long name": (
        whole(f"name: {'x' * 101}\ninstruction: y\nexamples: rows.jsonl\n"),
        r"name is .*; it must be at most 100 characters long",
    ),
    "an empty instruction": (whole("name: x\ninstruction: ' '\nexamples: rows.jsonl\n"), r"instruction is empty"),
    "another procedure": (
        spec("procedure: bonferroni"),
        r"procedure is .*; it must be one of cheapest first, holm, fixed sequence, max-t and finalist",
    ),
    "a kind in capitals": (spec("kind: QA"), r"must be one of classification, extraction, qa and generation"),
    "labels in a mapping": (spec("labels: {a: 1, b: 2}"), r"labels is .*; it must be a list"),
    "lists as labels": (spec("labels: [[a], [b]]"), r"labels \(entry 1\) is \[\"a\"\]; it must be a text"),
    "an empty label": (spec("labels: [a, b, '']"), r"labels has an empty entry\. Remove it"),
    "3,000 labels": (spec(f"labels: [{','.join(f'l{n}' for n in range(3_000))}]"), r"labels has 3000 entries"),
    "labels that look alike": (spec('labels: [a, b, "a\\u200b"]'), r'labels lists "a" twice\. Keep one'),
    "a list as schema": (objects("schema: [a]"), r"schema is .*; it must be a section"),
    "a schema that is none": (objects("schema: {type: objekt}"), r"The schema is not a JSON schema: at type"),
    "a schema elsewhere": (
        objects("schema: {$ref: 'http://127.0.0.1:9/x'}"),
        r"The schema refers to .*only references",
    ),
    "a dialect that is none": (objects("schema: {$schema: []}"), r"`\$schema` of the schema is no text"),
    "a list as pattern": (spec("pattern: [a]"), r"pattern is \[\"a\"\]; it must be a text"),
    "a pattern without end": (spec("pattern: 'a{99999999999}'"), r"pattern repeats or nests more than"),
    "a pattern that takes for ever": (
        data(f'{{"input": "x", "output": "{"a" * 60}!"}}\n' * 20, "rows.jsonl", "pattern: '(a|aa)+b?'"),
        r"was not known after 0\.2 s\. Write the pattern without a repetition inside a repetition",
    ),
    "a number as metric": (spec("metric: 7"), r"metric is 7; it must be a section"),
    "a metric without a name": (spec("metric: {foo: 3}"), r'"metric\.name" is missing'),
    "a parameter too many": (
        spec("metric: {name: accuracy, foo: 3}"),
        r"`foo` is not a parameter of the metric accuracy",
    ),
    "a metric that is code": (spec("metric: m.py:f"), r"runs Python code of its own, which is off\. Read the code"),
    "a word as constraints": (
        spec("constraints: cheap"),
        r"constraints is .*; it must be a section of `key: value` lines",
    ),
    "a negative limit": (spec("constraints: {cost_per_month: -1}"), r"constraints\.cost_per_month is -1; .* above 0"),
    "an infinite wait": (spec("constraints: {p95_latency_s: .inf}"), r"p95_latency_s is Infinity; .* finite number"),
    "perhaps": (spec("constraints: {data_stays_here: maybe}"), r"data_stays_here is .*; it must be true or false"),
    "parts without columns": (
        spec("constraints: {slice_at_least: 0.5}"),
        r"task\.yaml:4: the task has slice_at_least without slices",
    ),
    "dollars": (spec("prices: {currency: dollars}"), r"it must be a currency code of three capital letters"),
    "a machine that pays": (spec("prices: {machine_hour: -1}"), r"prices\.machine_hour is -1; it must be at least 0"),
    "labels without a price": (spec("upkeep: {labels: 3}"), r"upkeep says labels without a label_price"),
    "a long month": (spec("upkeep: {machine_hours: 745}"), r"upkeep\.machine_hours is 745; it must be at most 744"),
    "money without a machine": (spec("upkeep: {labels: 3, label_price: 1}"), r"what the machine costs is not known"),
    "a list as columns": (spec("columns: [a]"), r"columns is .*; it must be a section"),
    "a wrong column key": (spec("columns: {inptu: a}"), r'"inptu" is not a key in columns\. Did you mean "input"'),
    "columns that are not there": (spec("columns: {input: '{a}{b}'}"), r'columns\.input names the column "a"'),
    "a number as slices": (spec("slices: 7"), r"slices is 7; it must be a list"),
    "no models": (spec("models: []"), r"models is \[\]; it must be a list with at least 1 entry"),
    "a model without a name": (spec("models: [{endpoint: 'http://127.0.0.1/v1'}]"), r"models \(entry 1\)\.name"),
    "a model twice": (spec("models: [a, a]"), r'models lists "a" twice\. Name one otherwise'),
    "a folder and a server": (spec(SERVER.replace("KEY", "folder: ./x")), r"has both a folder and an endpoint"),
    "a field that each request has": (spec(SERVER.replace("KEY", "extra_body: {n: 2}")), r"has n in extra_body"),
    "a secret in a request": (spec(SERVER.replace("KEY", "extra_body: {api-key: x}")), r"has a secret in extra_body"),
    "a secret within a field of a request": (
        spec(SERVER.replace("KEY", "extra_body: {a: [{Authorization: x}]}")),
        r"has a secret in extra_body",
    ),
    "no number in a request": (
        spec(SERVER.replace("KEY", "extra_body: {a: {top_p: .nan}}")),
        r"has a number in extra_body that is not finite",
    ),
    "nothing but thoughts": (
        spec(SERVER.replace("KEY", "context_tokens: 500, reasoning_tokens: 500")),
        r"may think with all its context_tokens",
    ),
    "thoughts without a server": (
        spec("models: [{name: a, reasoning_tokens: 500}]"),
        r"has reasoning_tokens without an endpoint",
    ),
    "another protocol": (spec("models: [{name: a, endpoint: 'ftp://127.0.0.1/v1'}]"), r"has the endpoint .* Write an"),
    "a password in an address": (spec("models: [{name: a, endpoint: 'http://u:p@127.0.0.1/v1'}]"), r"holds a secret"),
    "an address without a host": (spec("models: [{name: a, endpoint: 'http:///v1'}]"), r"has the endpoint .* Write an"),
    "a port that is none": (spec("models: [{name: a, endpoint: 'http://127.0.0.1:99999/v1'}]"), r"has the endpoint"),
    "an address cut off": (spec("models: [{name: a, endpoint: 'http://[::1/v1'}]"), r"has the endpoint .* Write an"),
    "no concurrency": (spec(SERVER.replace("KEY", "concurrency: 0")), r"concurrency is 0; it must be above 0"),
    "concurrency of nothing": (spec("models: [{name: a, concurrency: 2}]"), r"has concurrency without an endpoint"),
    "99 retries": (spec(SERVER.replace("KEY", "retries: 99")), r"retries is 99; it must be at most 20"),
    "no time": (spec(SERVER.replace("KEY", "timeout_s: 0")), r"timeout_s is 0; it must be above 0"),
    "a price below nothing": (spec(SERVER.replace("KEY", "input_per_million: -1")), r"input_per_million is -1"),
    "an hour below nothing": (
        spec("models: [{name: a, machine_hour: -1}]"),
        r"machine_hour is -1; it must be at least 0",
    ),
    "a month of words": (spec("models: [{name: a, monthly: much}]"), r"monthly is .*; it must be a number"),
    "hours and tokens": (
        spec("models: [{name: a, machine_hour: 1, input_per_million: 1, output_per_million: 1}]"),
        r"has a price for its tokens and one for an hour \(machine_hour\)\. Keep the one",
    ),
    "a list as embedder": (spec("embedder: [a]"), r"embedder is .*; it must be a section"),
    # files that it names
    "a folder as examples": (both(named("d"), lambda folder: (folder / "d").mkdir()), r'"d" is a folder\. Name a file'),
    "the spec as examples": (
        named("task.yaml"),
        r"task\.yaml is a task spec already, and no data\. `advisor check` looks at it; name a data file for examples\.",
    ),
    "a number as examples": (named("[a.jsonl]"), r"examples is .*; it must be a text"),
    "a path through the parent": (named("a/../../rows.jsonl"), r"leads out of the folder of the task spec"),
    "a path of Windows": (named("'C:\\rows.jsonl'"), r"an absolute path"),
    "a device": (named("/dev/zero"), r"an absolute path"),
    "an address": (
        named("https://example.com/rows.jsonl"),
        r"an address, and nothing is fetched\. Put the file beside",
    ),
    "a home folder": (named("~/rows.jsonl"), r"which does not exist"),
    "an endless name": (named("x" * 5_000), r"which cannot be read: File name too long"),
    "a NUL in a path": (spec('heldout: "a\\0b"'), r"heldout is empty\. Write the name of a file"),
    "a link to a device": (link("a.jsonl", "/dev/zero", "heldout: a.jsonl"), r"a link that leads out of the folder"),
    "a link to itself": (link("a.jsonl", "a.jsonl", "heldout: a.jsonl"), r"a link that leads to itself"),
    "a link to nothing": (link("a.jsonl", "none.jsonl", "heldout: a.jsonl"), r"a link to nothing\. Put a file"),
    "a linked folder": (link("d", "..", "heldout: d/rows.jsonl"), r"a link that leads out of the folder"),
    "a socket": (both(spec("heldout: s.jsonl"), _socket), r"neither a regular file nor a folder"),
    "no recorded answers": (spec("recorded: r.jsonl"), r'recorded names "r\.jsonl", which does not exist'),
    "unknown teacher": (
        both(spec("teacher: gpt", "traffic: t.csv"), lambda folder: rows(folder, "t.csv")),
        r"task\.yaml:\d: the task has the teacher gpt, which is not among its models\. Add it to `models:`",
    ),
    "no traffic": (spec("traffic: t.csv"), r'traffic names "t\.csv", which does not exist'),
    "a list as documents": (spec("documents: [a, b]"), r"documents is .*; it must be a text"),
    "an empty list of labels": (beside("l.txt", "", "labels: l.txt"), r"labels has 0 entries"),
    "labels in broken JSON": (beside("l.json", "{", "labels: l.json"), r"l\.json:1 is not valid JSON"),
    "labels in deep JSON": (beside("l.json", "[" * 100_000, "labels: l.json"), r"l\.json is not valid JSON"),
    "labels in an object": (beside("l.json", "{}", "labels: l.json"), r"l\.json is not a JSON list of texts"),
    "half a label in a file": (beside("l.json", '["a", "\\ud83d"]', "labels: l.json"), r"holds half a character"),
    "labels in Latin-1": (beside("l.txt", b"caf\xe9\nb\n", "labels: l.txt"), r"l\.txt is not UTF-8"),
    "a folder as labels": (folder_of("d", "labels: d"), r"d is not a file below 1 MB"),
    "a schema in broken JSON": (beside("s.json", "{", "schema: s.json"), r"s\.json:1 is not valid JSON"),
    "a schema in a list": (beside("s.json", "[1]", "schema: s.json"), r"s\.json is not a JSON object"),
}
DATA: Mapping[str, tuple[Setup, str]] = {
    "a key twice in a row": (
        data('{"input": "x", "input": "y", "output": "a"}\n'),
        r'has the key "input" twice\. Keep one',
    ),
    "a key twice within": (data('{"input": "x", "output": {"a": 1, "a": 2}}\n'), r'line 1 has the key "a" twice'),
    "a key twice in a list": (data('[{"input": "x", "input": "y"}]', "rows.json"), r'has the key "input" twice in one'),
    "infinity": (data(GOOD + '{"input": "x", "output": -Infinity}\n'), r"line 2 holds -Infinity"),
    "a number too large": (data(GOOD + '{"input": "x", "output": 1e999}\n'), r"line 2: output is inf"),
    "6,000 digits": (
        data(GOOD + f'{{"input": "x", "output": {"9" * 6_000}}}\n'),
        r"line 2 holds a number of thousands",
    ),
    "6,000 digits in a list": (data(f'[{{"input": {"9" * 6_000}}}]', "rows.json"), r"holds a number of thousands"),
    "a comment": (data(GOOD + "// x\n"), r"line 2 is not valid JSON"),
    "a comma too many": (data(GOOD + '{"input": "x", "output": "a",}\n'), r"line 2 is not valid JSON"),
    "two objects in a line": (data(GOOD.strip() + GOOD), r"line 1 is not valid JSON \(Extra data"),
    "a row cut off": (data(GOOD + '{"input": "x", "outp'), r"line 2 is not valid JSON \(Unterminated string"),
    "a bare number": (data("7\n"), r"line 1 is not a JSON object"),
    "a bare null": (data("null\n"), r"line 1 is not a JSON object"),
    "a control character": (
        data(b'{"input": "a\x01b", "output": "a"}\n'),
        r"line 1 is not valid JSON \(Invalid control",
    ),
    "half an answer": (data('{"input": "x", "output": "\\udc00"}\n'), r"line 1: output holds half a character"),
    "half an id": (data('{"id": "\\ud800", "input": "x", "output": "a"}\n'), r"line 1: id holds half a character"),
    "half a remark": (many(metadata='{"note": ["\\ud800"]}'), r"line 1: metadata holds half a character"),
    "an overlong byte": (data(b'{"input": "\xc0\xaf", "output": "a"}\n'), r"line 1 is not UTF-8 \(byte 12\)"),
    "a surrogate in bytes": (data(b'{"input": "\xed\xa0\x80", "output": "a"}\n'), r"line 1 is not UTF-8"),
    "UTF-16 without a mark": (data(GOOD.encode("utf-16-le")), r"line 1 holds a NUL byte"),
    "UTF-32": (data(GOOD.encode("utf-32")), r"rows\.jsonl is UTF-32\. Save it with the encoding UTF-8"),
    "no input in a row": (data('{"input": null, "output": "a"}\n'), r'line 1 has no input \(column "input"\)'),
    "no id in a row": (data('{"id": null, "input": "x", "output": "a"}\n'), r"line 1 has no id\. Give every row one"),
    "remarks that are a number": (many(metadata="3"), r"line 1: metadata is not an object"),
    "an invisible answer": (data('{"input": "x", "output": "\\u200b"}\n'), r"line 1 has no output"),
    "gzip as JSONL": (data(b"\x1f\x8b\x08\0\0\0\0\0"), r"rows\.jsonl is not a text file"),
    "an archive as JSONL": (data(b"PK\x03\x04xxxx"), r"rows\.jsonl is not a text file"),
    "Parquet as JSONL": (data(b"PAR1xxxx"), r"rows\.jsonl is not a text file"),
    "a picture as JSONL": (data(b"\x89PNG\r\n\x1a\n"), r"line 1 is not UTF-8"),
    "a database as JSONL": (data(b"SQLite format 3\0"), r"line 1 holds a NUL byte"),
    "a page as JSONL": (data("<html></html>\n"), r"line 1 is not valid JSON"),
    "CSV as JSONL": (data("input,output\nx,a\n"), r"line 1 is not valid JSON"),
    "an empty object": (data("{}", "rows.json"), r"rows\.json holds no single list of objects"),
    "an empty list": (data("[]", "rows.json"), r"rows\.json has no rows"),
    "numbers in a list": (data("[1, 2]", "rows.json"), r"rows\.json, entry 1 is not an object"),
    "two lists": (data('{"a": [], "b": []}', "rows.json"), r"rows\.json holds no single list"),
    "a list cut off": (data("[1", "rows.json"), r"rows\.json, line 1 is not valid JSON"),
    "NaN in a list": (data('[{"input": NaN, "output": "a"}]', "rows.json"), r"rows\.json holds NaN"),
    "a deep list": (data("[" * 200_000, "rows.json"), r"rows\.json is nested too deeply"),
    "a quote within": (data('input,output\n"x"y,a\n', "rows.csv"), r"line 2: a quote stands inside a value"),
    "mixed line ends": (
        data(b"input,output\nx\ry,a\n", "rows.csv"),
        r"line 2: a line ends with a carriage return alone",
    ),
    "line ends of old Macs": (
        data(b"input,output\rx,a\ry,b\r", "rows.csv"),
        r"line 1: a line ends with a carriage return alone, as on old Macs\. Save the file with Unix",
    ),
    "the folder itself": (
        spec("target: 0.8", "heldout: ."),
        r'task\.yaml:5: heldout names "\.", the folder of the task spec itself\. Write the name of a file in it',
    ),
    "NUL in a table": (data(b"input,output\nx\0,a\n", "rows.csv"), r"rows\.csv, line 2 holds a NUL byte"),
    "a cell of 12 MB": (data(_long_cell(), "rows.csv"), r"line 2: a value is longer than 10 MB"),
    "too few cells": (data("input,output\nx\n", "rows.csv"), r"line 2 has 1 value, but the header line names 2"),
    "no header": (data("\n\n", "rows.csv"), r"line 1 names no columns"),
    "one column": (data("input\nx\n", "rows.csv"), r"has no column with a usual name for the output"),
    "a table in Latin-1": (data(b"input,output\ncaf\xe9,a\n", "rows.csv"), r"line 2 is not UTF-8"),
    "a table in UTF-16": (data("input,output\nx,a\n".encode("utf-16"), "rows.csv"), r"rows\.csv is UTF-16"),
    "commas as tabs": (data("input,output\nx,a\n", "rows.tsv"), r'its columns are "input,output"'),
    "an empty Parquet": (data(b"", "rows.parquet"), r"rows\.parquet is empty"),
    "Parquet of zeros": (data(b"PAR1" + bytes(100) + b"PAR1", "rows.parquet"), r"is not a readable Parquet file"),
    "no ending": (data(GOOD, "rows"), r"rows: data is read from"),
    "a text file": (data(GOOD, "rows.txt"), r"rows\.txt: data is read from"),
    "a pickle": (data(b"\x80\x04.", "rows.pkl"), r"rows\.pkl: .* Save the table as Parquet or CSV"),
    "packed rows": (data(b"PK", "rows.jsonl.gz"), r"Unpack it first"),
    "messages in words": (chat('"x"'), r"messages is not a list"),
    "no messages": (chat("[]"), r"does not end with a message of the assistant"),
    "messages of texts": (chat('["x"]'), r"a message is not an object"),
    "only the assistant": (chat('[{"role": "assistant", "content": "x"}]'), r"the chat has no message of the user"),
    "a picture in a chat": (
        chat('[{"role": "user", "content": [{"type": "image_url"}]}, {"role": "assistant", "content": "x"}]'),
        r"a message holds something other than text",
    ),
    "no content": (
        chat('[{"role": "user", "content": null}, {"role": "assistant", "content": "x"}]'),
        r"a message has no text as its content",
    ),
    "an empty reply": (
        chat('[{"role": "user", "content": "x"}, {"role": "assistant", "content": " "}]'),
        r"the assistant's message is empty",
    ),
    "a list as role": (chat('[{"role": ["user"], "content": "x"}]'), r"a message has the role"),
}
DOCUMENTS: Mapping[str, tuple[Setup, str]] = {
    "no folder of documents": (spec("documents: docs"), r'documents names "docs", which does not exist'),
    "documents without text": (
        beside("d.jsonl", '{"text": ""}\n', "documents: d.jsonl"),
        r"holds no document with a text",
    ),
    "documents of another column": (beside("d.jsonl", '{"foo": "x"}\n', "documents: d.jsonl"), r"Name it text"),
    "a document twice": (
        beside("d.jsonl", '{"id": 1, "text": "x"}\n{"id": 1, "text": "y"}\n', "documents: d.jsonl"),
        r'd\.jsonl, line 2 has the id "1", which line 1 has already',
    ),
    "a document in Latin-1": (beside("docs/a.txt", b"caf\xe9", "documents: docs"), r"a\.txt, line 1 is not UTF-8"),
    "NUL in a document": (beside("docs/a.txt", b"a\0b", "documents: docs"), r"a\.txt, line 1 holds a NUL byte"),
    "a document of 12 MB": (
        beside("docs/a.txt", b"a\n" * 6_000_000, "documents: docs"),
        r"a\.txt is larger than 10 MB",
    ),
    "an empty document": (beside("docs/a.txt", b"", "documents: docs"), r"docs holds no document with a text"),
    "only a PDF": (
        beside("docs/a.pdf", b"%PDF", "documents: docs"),
        r"a\.pdf(:| is) .*(takes a package|not a readable PDF)",
    ),
    "a PDF": (beside("d.pdf", b"%PDF", "documents: d.pdf"), r"d\.pdf(:| is) .*(takes a package|not a readable PDF)"),
    "a pipe as document": (
        both(folder_of("docs", "documents: docs"), lambda folder: os.mkfifo(folder / "docs" / "a.txt")),
        r"docs/a\.txt is not a regular file",
    ),
    "a linked document": (
        link("docs/a.txt", "/etc/passwd", "documents: docs"),
        r"docs/a\.txt is a link that leads out",
    ),
    "a document that is itself": (
        link("docs/a.txt", "a.txt", "documents: docs"),
        r"docs/a\.txt is a link that leads to",
    ),
    "a document that is gone": (link("docs/a.txt", "b.txt", "documents: docs"), r"docs/a\.txt is not a regular file"),
    "a name that is no text": (both(spec("documents: docs"), _odd_name), r"id holds half a character"),
}
