"""Answers held to a JSON schema: what is learnt from examples, how it is spelt, and that every answer obeys it."""

from __future__ import annotations

import json
import logging
import os
import re
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import jsonschema
import pytest

from strategies.contract import Case, Fold, Message, Sampling, Task
from strategies.models.chat import Chat
from strategies.models.grammar import Grammar
from strategies.models.local import LocalModel
from strategies.models.parts import Parts
from strategies.models.wishes import held_to
from strategies.schemas import answer_schema, beyond, common, left_out, ordered
from strategies.standalone import speaking
from strategies.standalone.held import Following
from tests import tiny

ROOT = Path(__file__).resolve().parents[2]

COMPACT = (",", ":")
SIZES = {"type": "object", "properties": {"size": {"enum": ["small", "large"]}}, "additionalProperties": False}
COPYING = {"type": "object", "properties": {"n": {"type": "string", "x-copied": 2}}, "required": ["n"]}
LENIENT = {**SIZES, "not": {"const": {}}, "x-guidance": {"lenient": True}}
PATTERN = {"type": "string", "pattern": "^(?:[A-Z]{2}-[0-9]{1,3})$"}


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> LocalModel:
    return tiny.local_model(tiny.model_folder(tmp_path_factory.mktemp("model")))


def task(outputs: list[str], schema: Any = None, kind: Any = "extraction") -> Task:
    cases = tuple(Case(id=str(place), input=f"in {place}", output=text) for place, text in enumerate(outputs))
    fold = Fold(train=cases, selection=cases)
    return Task(name="t", kind=kind, instruction="Write JSON.", folds=(fold,), score=lambda *_: 0.0, schema=schema)


def schema_of(outputs: list[str], schema: Any = None) -> dict[str, Any]:
    given = task(outputs, schema)
    found: dict[str, Any] = json.loads(answer_schema(given, given.examples))
    return found


ROWS: list[dict[str, Any]] = [
    {"who": "Ada", "size": 3, "slots": {"b": "x", "a": "y"}, "tags": ["p"]},
    {"who": None, "size": 4.5, "slots": {"a": "y", "c": True}, "tags": []},
    {"size": 1, "slots": {"a": "z", "b": "x"}, "tags": ["q", "r"]},
]


def test_what_examples_have_in_common_fits_all_of_them_and_little_else() -> None:
    found = common(ROWS)
    for row in ROWS:
        jsonschema.validate(row, found)
    assert list(found["properties"]) == ["who", "size", "slots", "tags"]
    assert found["required"] == ["size", "slots", "tags"]
    assert found["properties"]["who"] == {"type": ["null", "string"]}
    assert set(found["properties"]["slots"]["patternProperties"]) == {"^a$", "^b$", "^c$"}
    for wrong in ({**ROWS[0], "more": 1}, {**ROWS[0], "who": 7}, {**ROWS[0], "slots": {"d": "x"}}, {"who": "Ada"}):
        with pytest.raises(jsonschema.ValidationError):
            jsonschema.validate(wrong, found)


@pytest.mark.parametrize(("separators", "item", "key"), [((", ", ": "), ", ", ": "), (COMPACT, ",", ":")])
def test_answers_are_spelt_as_the_examples_are(separators: tuple[str, str], item: str, key: str) -> None:
    found = schema_of([json.dumps(row, separators=separators) for row in ROWS])
    assert found["x-guidance"] == {"whitespace_flexible": False, "item_separator": item, "key_separator": key}
    assert "x-guidance" not in schema_of([json.dumps(row, indent=2) for row in ROWS])


def test_the_schema_of_the_task_is_kept_and_takes_the_order_of_the_examples() -> None:
    own = {"type": "object", "properties": {"b": {"enum": ["x"]}, "z": {}, "a": {"type": "string"}}}
    found = schema_of(['{"a": "1", "b": "x"}'], own)
    assert list(found["properties"].items()) == [("a", {"type": "string"}), ("b", {"enum": ["x"]}), ("z", {})]


def writable(schema: dict[str, Any], value: Any) -> bool:
    from llguidance import LLMatcher, LLTokenizer

    matcher = LLMatcher(LLTokenizer("byte"), LLMatcher.grammar_from_json_schema(schema))
    answer = list(json.dumps(value, ensure_ascii=False).encode())
    return matcher.try_consume_tokens(answer) == len(answer) and bool(matcher.is_accepting())


def of(**fields: Any) -> dict[str, Any]:
    return {"type": "object", "properties": fields}


def test_objects_within_take_the_order_of_the_examples_too() -> None:
    """Else a field that the schema names earlier cannot be written any more."""
    size, item = {"type": "integer"}, {"type": "string"}
    own: dict[str, Any] = of(
        order=of(item=item, size=size),
        lines={"type": "array", "items": {"anyOf": [{"$ref": "#/$defs/line"}, {"type": "null"}]}},
    )
    own["$defs"] = {"line": {**of(item=item, size=size, parts={"type": "array", "items": {"$ref": "#/$defs/line"}})}}
    line = {"size": 1, "item": "a", "parts": [{"size": 2, "item": "b", "parts": []}]}
    value = {"lines": [line, None], "order": {"size": 3, "item": "c"}}
    found = schema_of([json.dumps(value)], own)
    assert writable(found, value)
    assert not writable(found, {**value, "lines": [{**line, "size": "1"}]})
    assert ordered({"anyOf": [{"$ref": "#"}, of(a={}, b={})]}, [{"b": 1, "a": 2}])["anyOf"][1] == of(b={}, a={})


def test_fields_that_never_stand_together_keep_the_order_of_the_schema() -> None:
    """Else a right answer that has several of them could not be written any more."""
    own, rows = of(a={}, b={}, c={}, z={}), [{"c": 1, "z": 1}, {"b": 1, "z": 1}, {"a": 1, "z": 1}]
    assert list(ordered(of(of=own), [{"of": row} for row in rows])["properties"]["of"]["properties"]) == [*"abcz"]
    assert list(ordered(own, [{"c": 1, "a": 1}, {"b": 1}])["properties"]) == [*"bcaz"]


FIELDS = {"properties": {"item": {"type": "string"}}, "required": ["item"]}
NODE = {"properties": {"parts": {"items": {"$ref": "#"}}}}


@pytest.mark.parametrize(
    "own",
    [
        FIELDS,
        {**FIELDS, "type": ["object", "null"]},
        {"$ref": "#/$defs/order", "$defs": {"order": FIELDS}},
        {"anyOf": [FIELDS, {"required": ["none"]}]},
    ],
)
def test_answers_are_objects_where_the_schema_does_not_say_so_too(own: dict[str, Any]) -> None:
    """Here and at servers, which are asked for objects alone."""
    found = schema_of(['{"item": "cup"}'] * 3, own)
    assert writable(found, {"item": "pot"})
    assert not any(writable(found, other) for other in (False, None, "cup", ["cup"]))
    assert held_to(json.dumps(found))


@pytest.mark.parametrize("own", [{"type": "array"}, {"anyOf": [NODE, {"type": "string"}]}])
def test_a_schema_of_something_else_or_of_parts_like_the_whole_is_left_as_it_is(own: dict[str, Any]) -> None:
    found = schema_of(['{"parts": ["cup"]}'] * 3, own)
    assert found.get("type") == own.get("type")


@pytest.mark.parametrize(
    ("more", "fields"),
    [
        ({}, {"tags": {"type": "array", "items": {"type": "string"}, "uniqueItems": True}}),
        ({}, {"tags": {"type": "array"}, "cost": {"type": "string", "format": "currency"}}),
        ({"if": {"required": ["who"]}, "then": {"required": ["size"]}, "minProperties": 1}, {}),
    ],
)
def test_what_cannot_be_followed_of_a_schema_leaves_the_rest(more: dict[str, Any], fields: dict[str, Any]) -> None:
    own = {**of(who={"type": "string"}, size={"type": "integer"}, **fields), "additionalProperties": False, **more}
    value = {"who": "Ada", "size": 3, **({"tags": ["a"]} if "tags" in fields else {})}
    assert beyond(own)
    found = schema_of([json.dumps(value)], own)
    assert not beyond(found)
    assert left_out(found)
    assert writable(found, value)
    assert not writable(found, {**value, "size": "3"})


def test_what_the_examples_show_is_left_out_where_the_schema_could_not_be_followed_with_it() -> None:
    own = {**of(a={"type": "object"}), "allOf": [of(a=of(x={"type": "integer"}, y={"type": "string"}))]}
    value = {"a": {"x": 1, "y": "b"}}
    found = schema_of([json.dumps(value)] * 3, own)
    assert writable(found, value)
    assert not writable(found, {"a": {"x": "1"}})


@pytest.mark.parametrize(("outputs", "kind"), [(["a", "b"], "extraction"), (['{"a": 1}', "[]"], "extraction")])
def test_what_is_no_object_has_no_schema(outputs: list[str], kind: str) -> None:
    given = task(outputs, kind=kind)
    assert answer_schema(given, given.examples) == ""


def test_other_kinds_have_no_schema() -> None:
    given = task(['{"a": 1}'], kind="generation")
    assert answer_schema(given, given.examples) == ""


def test_plain_answers_have_the_form_of_the_pattern(model: LocalModel) -> None:
    schema = answer_schema(given := task(["AB-12"], PATTERN, kind="qa"), given.examples)
    prompts = [(Message("user", f"number {number} " * (1 + number % 3)),) for number in range(6)]
    done = dict(model.generate(prompts, 30, Sampling(temperature=1.0, seed=3, schema=schema)))
    assert all(re.fullmatch("[A-Z]{2}-[0-9]{1,3}", completion.text) for completion in done.values())
    assert len({completion.text for completion in done.values()}) > 1


@pytest.mark.parametrize("temperature", [0.0, 1.0])
def test_every_finished_answer_of_a_random_model_obeys(model: LocalModel, temperature: float) -> None:
    own = {
        "type": "object",
        "properties": {
            "kind": {"enum": ["refund", "order"]},
            "sure": {"type": "boolean"},
            "size": {"enum": [1, 22, None]},
        },
        "required": ["kind", "sure", "size"],
        "additionalProperties": False,
    }
    given = task(['{"kind":"order","sure":true,"size":1}'], own)
    schema = answer_schema(given, given.examples)
    prompts = [(Message("user", f"message number {number}" * (1 + number % 3)),) for number in range(9)]
    done = dict(model.generate(prompts, 60, Sampling(temperature=temperature, seed=3, schema=schema)))
    assert set(done) == set(range(9))
    for completion in done.values():
        assert completion.finished
        value = json.loads(completion.text)
        jsonschema.validate(value, own)
        assert completion.text == json.dumps(value, separators=COMPACT)
    if temperature:
        assert len({completion.text for completion in done.values()}) > 1


def test_a_schema_that_cannot_be_followed_is_said_and_answers_go_on(
    model: LocalModel, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.WARNING):
        (found,) = dict(model.generate([(Message("user", "hi"),)], 8, Sampling(schema='{"type": "nonsense"}'))).values()
    assert found.usage.answer_tokens > 0
    assert "answers are not held to the schema" in caplog.text


@pytest.mark.parametrize("architecture", ["llama", "gemma", "neox"])
def test_tokens_that_are_forced_are_those_that_would_have_been_picked(
    architecture: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The same answers in float32, in fewer passes: names of fields are not asked for token by token."""
    model = tiny.local_model(tiny.model_folder(tmp_path, architecture))
    given = task([json.dumps({"first_name": word, "is_certain": True, "size": 1}) for word in ("ab", "cd")])
    sampling = Sampling(schema=answer_schema(given, given.examples))
    prompts = [(Message("user", f"write {number} " * (1 + number)),) for number in range(5)]
    passes: list[int] = []
    logits = Parts.logits

    def counted(self: Any, hidden: Any) -> Any:
        passes.append(len(hidden))
        return logits(self, hidden)

    monkeypatch.setattr(Parts, "logits", counted)
    quick = {index: each.text for index, each in model.generate(prompts, 90, sampling)}
    few = len(passes)
    passes.clear()

    def one_by_one(self: Following, token: int) -> list[int]:
        self.matcher.consume_token(token)
        self.said.append(token)
        return []

    monkeypatch.setattr(Following, "take", one_by_one)
    assert {index: each.text for index, each in model.generate(prompts, 90, sampling)} == quick
    assert few < len(passes)


def followed(chat: Chat, schema: str, size: int) -> list[Any]:
    """The beginning of an answer, here and in an export, for a model of so many tokens."""
    grammar = Grammar.of(schema, chat, size)
    assert grammar is not None
    told = SimpleNamespace(get_text_config=lambda: SimpleNamespace(vocab_size=size))
    speaker: Any = SimpleNamespace(network=SimpleNamespace(config=told), tokenizer=chat.tokenizer, stop=[chat.end_id])
    speaker.answer = lambda text: speaking._going_on(chat.tokenizer, speaking._frame(chat.tokenizer), text)
    return [grammar.follow(), grammar.follow("of 12"), speaking._Grammar(schema, speaker).begin("of 12")]


def allowed(state: Any, size: int) -> set[int]:
    import torch

    logits = torch.zeros(size)
    state.forbid(logits)
    return set(torch.nonzero(logits == 0)[:, 0].tolist())


@pytest.mark.parametrize(
    ("schema", "answer", "wrong"),
    [
        (SIZES, '{"size": "small"}', "large"),
        (COPYING, '{"n": "12"}', "12"),
        (PATTERN, "AB-12", "ab"),
        (LENIENT, '{"size": "small"}', "large"),
    ],
)
@pytest.mark.parametrize("template", ["", tiny.SPACED, tiny.CHAT])
def test_the_answer_that_was_learnt_is_allowed_where_texts_get_a_space(
    schema: dict[str, Any], answer: str, wrong: str, template: str
) -> None:
    """By the tokenizer, which puts none between a line break and an answer, or by the template."""
    chat = Chat(tiny.spacing_tokenizer(template))
    space = int(template == tiny.SPACED)
    learnt, other = chat.encode_answer(answer), chat.encode_label(wrong)
    assert chat.decode(learnt) == answer
    for state in followed(chat, json.dumps(schema), len(chat.tokenizer)):
        assert other[space] not in allowed(state, len(chat.tokenizer))
        for token in learnt:
            assert token in allowed(state, len(chat.tokenizer))
            state.matcher.consume_token(token)
        assert state.whole


@pytest.mark.parametrize("template", [tiny.CHAT, tiny.SPACED])
def test_an_answer_begins_with_a_space_only_where_the_template_writes_one(template: str) -> None:
    chat = Chat(tiny.tokenizer())
    chat.tokenizer.chat_template = template
    (space,) = chat.encode_text(" ")
    for state in followed(chat, json.dumps(SIZES), len(chat.tokenizer)):
        assert (space in allowed(state, len(chat.tokenizer))) == (template == tiny.SPACED)


def test_answers_are_held_where_the_tokenizer_has_more_tokens_than_the_model() -> None:
    """As that of Gemma 3 of 1B: its last one is for images."""
    chat = Chat(tiny.tokenizer())
    chat.tokenizer.add_special_tokens({"additional_special_tokens": ["<image>"]})
    size = len(chat.tokenizer) - 1
    for state in followed(chat, json.dumps(SIZES), size):
        assert chat.encode_label("{")[0] in allowed(state, size)
        assert chat.encode_label("a")[0] not in allowed(state, size)


def test_an_answer_in_which_nothing_was_found_takes_nothing_from_the_others() -> None:
    found = schema_of(['{"a": "x"}', "{}", '{"a": null, "b": 1}'])
    assert found["required"] == []
    assert list(found["properties"]) == ["a", "b"]


def test_the_order_of_fields_is_the_same_in_every_process() -> None:
    program = (
        "from strategies.contract import Case; from strategies.schemas import _order; "
        "print(_order([{'a': 1, 'z': 1}, {'b': 1, 'z': 1}, {'c': 1, 'z': 1}]))"
    )
    told = [
        subprocess.run(
            [sys.executable, "-c", program],
            env={**os.environ, "PYTHONHASHSEED": str(seed)},
            cwd=ROOT,
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for seed in range(4)
    ]
    assert set(told) == {"['a', 'b', 'c', 'z']\n"}
