"""Inputs for the parsers: whole ones to begin with, and changes that keep the form, so that what lies behind it is reached."""

from __future__ import annotations

import json
import random
from collections.abc import Iterator
from typing import Any

NESTED, LESS_NESTED = 1_500, 300
"""Levels: more than Python's own limit of 1,000 calls, and what is read but ends whoever takes several calls for each."""
DIGITS = 5_000
"""More than Python turns into a number."""
STRANGE: tuple[Any, ...] = (
    *(None, True, False, 0, -1, 2**63, 10**40, 1e308, -0.0, float("inf"), float("nan")),
    *(
        "",
        " ",
        "\0",
        "\ud800",
        "\u202e",
        "\ufeff",
        "a" * 300,
        "{}",
        "[",
        "../x",
        "file://x",
        "s3://b/x",
        "1e999",
        "(",
        "{x}",
    ),
    *([], {}, [[]], [None], {"": None}, {"name": "x"}, ["x", "x"], [1, "1", 1.0]),
)
"""Values that are seldom where they may stand: edges of numbers, half characters, empty lists, paths."""
LONG = (
    *(
        pair
        for size in (NESTED, LESS_NESTED)
        for pair in (("[" * size, "]" * size), ('{"a":' * size, "0" + "}" * size))
    ),
    ("1" * DIGITS, ""),
)
"""What no value of Python writes: deep lists and objects, and a number that is too long to be read."""
_MARK = "a place for something long"


def changed(data: bytes, chance: random.Random) -> bytes | None:
    """The JSON in the data, or that of one of its lines, with one to three places changed; None where there is none."""
    lines = data.split(b"\n")
    wholes = [(None, data), *((number, line) for number, line in enumerate(lines) if line[:1] in (b"{", b"["))]
    chance.shuffle(wholes)
    for number, text in wholes:
        try:
            value = json.loads(text)
        except (ValueError, RecursionError):
            continue
        if isinstance(value, dict | list):
            written = _written(value, chance)
            return written if number is None else b"\n".join([*lines[:number], written, *lines[number + 1 :]])
    return None


def fewer(data: bytes) -> Iterator[bytes]:
    """The JSON in the data, or that of one of its lines, each time without one of its places, the outermost first."""
    lines = data.split(b"\n")
    for number, line in enumerate(lines):
        try:
            value = json.loads(line)
        except (ValueError, RecursionError):
            continue
        for place in range(len(list(_places(value)))):
            whole = json.loads(line)
            where, key = list(_places(whole))[place]
            del where[key]
            yield b"\n".join([*lines[:number], json.dumps(whole).encode(), *lines[number + 1 :]])


def _written(value: Any, chance: random.Random) -> bytes:
    holder = [value]
    for _ in range(chance.randint(1, 3)):
        places = list(_places(holder))
        where, key = chance.choice(places)
        _change(where, key, chance, places)
    text = json.dumps(holder[0])
    before, after = chance.choice(LONG)
    return text.replace(json.dumps(_MARK), before + after).encode()


def _places(value: Any) -> Iterator[tuple[Any, Any]]:
    """Everything that holds something, with the key or the number of what it holds."""
    left = [value]
    for here in left:
        if isinstance(here, dict | list):
            for key, inner in here.items() if isinstance(here, dict) else enumerate(here):
                yield here, key
                left.append(inner)


def _change(where: Any, key: Any, chance: random.Random, places: list[tuple[Any, Any]]) -> None:
    kind = chance.choice(("strange", "strange", "other", "gone", "twice", "renamed", "long"))
    other, other_key = chance.choice(places)
    if kind == "strange":
        where[key] = json.loads(json.dumps(chance.choice(STRANGE)))
    elif kind == "other":
        where[key] = json.loads(json.dumps(other[other_key]))
    elif kind == "long":
        where[key] = _MARK
    elif isinstance(where, dict) and len(where) > 1 and kind == "gone":
        del where[key]
    elif isinstance(where, dict) and kind == "renamed":
        where[str(other_key)] = where.pop(key)
    elif isinstance(where, list) and kind == "twice":
        where.insert(key, where[key])


SPEC = b"""name: tickets
instruction: Answer with the label.
examples: rows.jsonl
target: 0.8
labels: [a, b]
slices: [persona]
constraints: {p95_latency_s: 2, slice_at_least: 0.5}
models:
  - smollm2-135m
  - {name: big, endpoint: "http://127.0.0.1:9/v1", model: m, machine_hour: 0.4}
prices: {machine_hour: 0.40, currency: EUR}
upkeep: {facts_months: 1, labels: 10, label_price: 0.5}
"""
SPECS = (
    SPEC,
    json.dumps(
        {
            "name": "t",
            "instruction": "i",
            "examples": "rows.jsonl",
            "margin": 0.05,
            "volume": 10,
            "horizon_months": 3,
            "columns": {"input": "{input} {persona}", "output": "output", "group": "persona"},
            "embedder": "minilm-l6",
            "reranker": "x",
            "metric": {"name": "exact_match"},
            "procedure": "holm",
            "temperature": 0.5,
        }
    ).encode(),
    json.dumps(
        {
            "name": "t",
            "instruction": "i",
            "examples": "rows.jsonl",
            "target": 0.5,
            "kind": "qa",
            "pattern": "[a-z]+",
            "heldout": "more.csv",
            "documents": "page.md",
            "recorded": "rows.jsonl",
            "traffic": "more.csv",
        }
    ).encode(),
)
PRICES = (
    b"machine_hour: 0.4\ncurrency: EUR\nmodels:\n  smollm2-135m: {machine_hour: 1.5, monthly: 3}\n",
    b'{"models": {"big": {"input_per_million": 1, "output_per_million": 2, "cached_per_million": 0.5}}}',
    b'{"models": {"m": {"input_per_million": 1}}, "machine_hour": 2}',
)
SCHEMAS = (
    b'{"type": "object", "properties": {"a": {"type": "string", "pattern": "^x+$"}, "b": {"enum": [1, 2]}}, "required": ["a"]}',
    b'{"$defs": {"n": {"type": ["integer", "null"]}}, "type": "object", "additionalProperties": {"$ref": "#/$defs/n"}}',
    b'{"$schema": "https://json-schema.org/draft/2020-12/schema", "oneOf": [{"type": "object"}, {"const": 1}], "format": "date"}',
)
ROWS = (
    b'{"id": "1", "input": "x", "output": "a", "answers": ["a", "b"], "group": "g", "metadata": {"m": 1}}\n'
    b'{"id": "2", "input": {"text": "y"}, "output": 7, "document_ids": ["d"]}\n',
    b'{"messages": [{"role": "system", "content": "s"}, {"role": "user", "content": "u"}, '
    b'{"role": "assistant", "content": "a"}]}\n',
    b'{"prompt": [{"role": "user", "content": [{"type": "text", "text": "u"}]}], "completion": "c"}\n',
    b'{"id": "d", "title": "t", "text": "body", "date": "2026-01-01"}\n',
)
LISTS = (
    *(b"[" + rows.strip().replace(b"\n", b",") + b"]" for rows in ROWS),
    b'{"data": [{"question": "q", "answer": "a"}]}',
)
TABLES = (
    b'id,input,output,group\n1,x,a,g\n2,"two\nlines, and ""quotes""",b,\n',
    b'input;output;metadata\r\nx;a;"{""m"": 1}"\r\n',
    b'question\tanswers\nq\t"[""a"", ""b""]"\n',
)
MARKDOWN = (
    b"---\ntitle: 'A page'\ndate: 2026-01-01\nid: p\n---\n# Heading #\n\nText.\n",
    b"\xef\xbb\xbf# Only\r\n\r\n- a list\r\n",
)
PAGES = (
    b'<!doctype html><html><head><title>t</title><meta name="date" content="2026-01-01"><script>x</script></head><body>'
    b"<h1>h</h1><p hidden>no</p><p style='display:none'>no</p><table><tr><th>a<td>b</tr></table><ul><li>c</ul><!-- d --></body>",
    b"<p>one<br>two &amp; &#8217; &#xD800; &#1114112;<![CDATA[x]]><?pi ?><svg><p>in</svg>",
    b'<?xml version="1.0" encoding="utf-7"?><html xmlns="x"><body><pre> a\n b</pre></body></html>',
)
PROMPTFOO = (
    b"defaultTest: {assert: [{type: latency}]}\ntests:\n  - vars: {message: m}\n    assert: [{type: equals, value: v}]\n"
    b"  - vars: {message: n}\n    assert: [{type: contains-any, value: [a, b]}]\n    metadata: {k: 1}\n  - file://more.csv\n",
    b'{"tests": [{"vars": {"a": 1, "b": "x"}, "assert": [{"type": "similar", "value": {"c": 2}}]}]}',
)
ANSWER = json.dumps(
    {
        "id": "1",
        "object": "chat.completion",
        "created": 1,
        "model": "m",
        "choices": [
            {
                "index": 0,
                "finish_reason": "stop",
                "message": {"role": "assistant", "content": "a", "refusal": None},
                "logprobs": {
                    "content": [{"token": "a", "logprob": -0.1, "top_logprobs": [{"token": "b", "logprob": -3}]}]
                },
            }
        ],
        "usage": {
            "prompt_tokens": 40,
            "completion_tokens": 2,
            "total_tokens": 42,
            "prompt_tokens_details": {"cached_tokens": 8},
        },
    }
).encode()
ANSWERS = (
    b"200\n" + ANSWER,
    b'400\n{"error": {"message": "max_tokens is not supported", "code": "unsupported_parameter", "param": "max_tokens"}}',
    b'429 3\n{"error": {"message": "slow down", "code": "insufficient_quota"}}',
    b"503 Wed, 21 Oct 2026 07:28:00 GMT\n<html>busy</html>",
)
"""Status, what Retry-After says, and below it what the server sends."""
