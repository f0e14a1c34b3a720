"""What an extraction copies: learnt from the examples, and held to whatever the request says."""

from __future__ import annotations

import json
import random
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from hypothesis import given
from hypothesis import strategies as st

from strategies.contract import Message, Query, Sampling
from strategies.copied import FEWEST_ITEMS, LEAST, MORE, SHORTEST, SPARE, narrowed
from strategies.models.local import LocalModel
from strategies.pipeline import Setup
from strategies.prompting.rendering import Form
from strategies.schemas import answer_schema
from strategies.selection import PipelineBuilder
from strategies.standalone import tagging
from strategies.standalone.tagging import COPIED, LARGEST, for_text, unmarked
from tests import tiny

STRING: dict[str, Any] = {"type": "string"}
CITIES = [
    (f"a trip to New {name}, please", {"city": f"New {name}", "class": kind})
    for name, kind in zip("ABCDE", "12121", strict=True)
]


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> LocalModel:
    return tiny.local_model(tiny.model_folder(tmp_path_factory.mktemp("model")))


def object_of(**fields: Any) -> dict[str, Any]:
    return {"type": "object", "properties": fields, "additionalProperties": False}


def test_what_every_example_took_from_its_input_is_marked_and_nothing_else() -> None:
    found = narrowed(object_of(city=STRING, **{"class": STRING}), CITIES)
    assert found["properties"] == {"city": {**STRING, COPIED: 2 + SPARE}, "class": {**STRING, "maxLength": SHORTEST}}
    assert narrowed(object_of(city=STRING), CITIES[: LEAST - 1])["properties"]["city"] == STRING, "too few to say"
    changed = [*CITIES, ("a trip to New york", {"city": "New York"})]
    assert COPIED not in narrowed(object_of(city=STRING), changed)["properties"]["city"], "one in six was not copied"
    part = [(text, {"city": value["city"][:-1]}) for text, value in CITIES]
    assert (
        COPIED not in narrowed(object_of(city=STRING), [(f"Newer {text}", value) for text, value in part])["properties"]
    )


def test_a_value_that_may_be_missing_may_still_be(model: LocalModel) -> None:
    seen = [*CITIES, ("no matter where", {"city": None})]
    leaf = narrowed(object_of(city={"type": ["string", "null"]}), seen)["properties"]["city"]
    assert leaf == {"anyOf": [{"type": "null"}, {**STRING, COPIED: 2 + SPARE}]}
    asked = json.loads(for_text(json.dumps(leaf), "to Bonn"))
    for value in (None, "Bonn", "to Bonn", "to"):
        jsonschema.validate(value, asked)
    for value in ("Berlin", "Bon", ""):
        with pytest.raises(jsonschema.ValidationError):
            jsonschema.validate(value, asked)


def test_what_the_person_wrote_of_a_string_stays() -> None:
    for leaf in ({**STRING, "enum": ["New A"]}, {**STRING, "pattern": "^New"}, {**STRING, "format": "date"}):
        assert narrowed(object_of(city=leaf), CITIES)["properties"]["city"] == leaf


@pytest.mark.parametrize("limits", [{"maxLength": 4}, {"minLength": 5}])
def test_limits_of_length_stay(model: LocalModel, limits: dict[str, int]) -> None:
    schema = narrowed({**object_of(city={**STRING, **limits}), "required": ["city"]}, CITIES)
    assert schema["properties"]["city"][COPIED]
    text = "an old barn in Rome, a castle in Verona"
    prompts = [(Message("user", f"{place} {text}", asked=text),) for place in range(8)]
    drawn = model.generate(prompts, 80, Sampling(schema=json.dumps(schema), temperature=1.0, seed=1))
    cities = [json.loads(done.text)["city"] for _, done in drawn if done.finished]
    assert cities
    for city in cities:
        assert city in text
        jsonschema.validate({"city": city}, object_of(city={**STRING, **limits}))


def test_fields_of_an_open_object_are_not_written_for_ever(model: LocalModel) -> None:
    """A model that knows nothing ends, since there is room for so many fields only."""
    seen = [(f"{name} of {name}", {name: name}) for name in ("red", "blue", "green")] * 30
    schema = json.dumps(narrowed({"type": "object", "additionalProperties": STRING}, seen))
    prompts = [(Message("user", f"{place} of it", asked="red of red"),) for place in range(8)]
    done = [each for _, each in model.generate(prompts, 400, Sampling(schema=schema, temperature=1.0, seed=3))]
    assert all(each.finished for each in done)
    written = [json.loads(each.text, object_pairs_hook=list) for each in done]
    assert max(map(len, written)) <= 1 + MORE


def test_patterns_of_another_dialect_are_left_alone() -> None:
    for pattern in (r"^\p{L}+$", "(a+)+$", "["):
        given = {"type": "object", "patternProperties": {pattern: STRING}}
        assert narrowed(given, CITIES) == given


def test_lists_and_objects_within_are_looked_into() -> None:
    seen = [(text, {"all": [value["city"]], "in": value}) for text, value in CITIES]
    found = narrowed(object_of(all={"type": "array", "items": STRING}, **{"in": object_of(city=STRING)}), seen)
    assert found["properties"]["all"]["items"][COPIED] == 2 + SPARE
    assert found["properties"]["in"]["properties"]["city"][COPIED] == 2 + SPARE


def test_an_open_object_gets_the_fields_that_it_had_where_no_other_is_likely() -> None:
    often = CITIES * 3
    open_: dict[str, Any] = {"type": "object", "additionalProperties": STRING}
    found = narrowed(open_, often)
    assert found["additionalProperties"] is False
    assert found["patternProperties"] == {
        "^city$": {**STRING, COPIED: 2 + SPARE},
        "^class$": {**STRING, "maxLength": SHORTEST},
    }
    assert found["maxProperties"] == 2 + MORE
    assert narrowed({**open_, "maxProperties": 3}, often)["maxProperties"] == 3, "the person's limit stays"
    rare = [*often, ("x", {"once": "y"})]
    assert narrowed(open_, rare)["additionalProperties"] == {**STRING, "maxLength": SHORTEST}, "another one may come"
    assert narrowed(open_, rare)["maxProperties"] == 2 + MORE
    assert narrowed({"type": "object", "additionalProperties": False}, often) == {
        "type": "object",
        "additionalProperties": False,
    }


@pytest.mark.parametrize(
    "more", [{"allOf": [object_of(city=STRING)]}, {"$ref": "#/$defs/a"}, {"if": {}}, {"enum": [{"city": "New A"}]}]
)
def test_an_object_that_is_described_beside_is_not_taken_for_an_open_one(more: dict[str, Any]) -> None:
    given: dict[str, Any] = {"type": "object", **more}
    assert narrowed(given, CITIES * 3) == given


@given(st.text(st.characters(codec="utf-8"), min_size=1, max_size=40), st.integers(1, 6), st.randoms())
def test_any_run_of_words_fits_and_other_texts_do_not(text: str, most: int, dice: random.Random) -> None:
    """By the regular expressions of Python, which are stricter on some letters than those of the grammar."""
    leaf = json.loads(for_text(json.dumps({**STRING, COPIED: most}), text))
    words = tagging.words(text)
    if not words:
        assert leaf == STRING
        return
    first = dice.randrange(len(words))
    last = min(len(words), first + dice.randint(1, most)) - 1
    run = text[words[first][0] : words[last][1]]
    assert re.fullmatch(leaf["pattern"], run)
    assert not re.fullmatch(leaf["pattern"], f"{run}{run}z")


def test_servers_and_long_inputs_get_the_schema_without_marks() -> None:
    marked = json.dumps(object_of(city={**STRING, COPIED: 5}))
    plain = object_of(city=STRING)
    assert json.loads(unmarked(marked)) == plain
    assert json.loads(for_text(marked, "word " * LARGEST)) == plain
    assert json.loads(for_text(marked, " \n")) == plain
    assert for_text(json.dumps(plain), "word") == json.dumps(plain)


@pytest.mark.parametrize(
    "text",
    [
        "the café costs 3 €",
        'she said "no" twice',
        "a\\b c",
        "line one\nline two\ttabbed",
        "q/r #1 (x-y) ~z & more.",
        "日本 語",
    ],
)
def test_a_model_that_knows_nothing_still_answers_with_words_of_the_input(model: LocalModel, text: str) -> None:
    schema = object_of(city={**STRING, COPIED: 4})
    given = json.dumps({**schema, "required": ["city"]}, ensure_ascii=False)
    prompts = [(Message("user", f"{place} {text}", asked=text),) for place in range(4)]
    sampling = Sampling(schema=given, temperature=1.0, seed=7)
    answers = [done.text for _, done in model.generate(prompts, 80, sampling) if done.finished]
    assert answers
    for answer in answers:
        assert json.loads(answer)["city"] in text


def test_requests_that_stand_beside_each_other_copy_from_their_own_input(model: LocalModel) -> None:
    texts = [f"take word{place} now" for place in range(6)]
    given = json.dumps({**object_of(what={**STRING, COPIED: 1}), "required": ["what"]})
    prompts = [(Message("system", "Copy."), Message("user", text, asked=text)) for text in texts]
    found = dict(model.generate(prompts, 60, Sampling(schema=given)))
    for place, done in found.items():
        assert json.loads(done.text)["what"] in texts[place].split()


@pytest.mark.parametrize("layout", ["turns", "inline"])
def test_a_fitted_pipeline_answers_from_the_request_and_not_from_its_demonstrations(
    model: LocalModel, tmp_path: Path, layout: Any
) -> None:
    task = tiny.benchmark("extraction").task
    builder = PipelineBuilder(task, tiny.Bench(folder=tmp_path, language=model))
    pipeline = builder.build(Setup(form=Form(layout=layout), shots=2), task.examples)
    spelt = {"x-guidance": {"whitespace_flexible": False}}
    schema = json.dumps({**object_of(item={**STRING, COPIED: 2}), "required": ["item"], **spelt})
    pipeline = replace(pipeline, schema=schema, max_tokens=60)
    pipeline.save(tmp_path / "saved")
    texts = ["send seven zebras", "bring the violet lamp"]
    for key, outcome in pipeline.answer([Query.of(text) for text in texts], Sampling()):
        text = next(text for text in texts if Query.of(text).key == key)
        assert json.loads(outcome.text)["item"] in text  # type: ignore[union-attr]
    assert json.loads((tmp_path / "saved" / "pipeline.json").read_text("utf-8"))["schema"] == schema


def test_the_examples_of_a_task_mark_its_schema() -> None:
    task = tiny.benchmark("extraction").task
    marked = json.loads(answer_schema(task, task.examples))
    for case in task.examples:
        asked = json.loads(for_text(json.dumps(marked), case.input))
        jsonschema.validate(json.loads(case.output), asked)


def test_what_may_be_anything_ends_at_twice_the_longest_of_the_examples() -> None:
    """A model that repeats a word until it is cut off gives no JSON at all."""
    free = [("a", {"note": "x" * length, "tags": ["y"] * items}) for length, items in ((5, 1), (40, 3), (7, 2))]
    schema = object_of(note=STRING, tags={"type": "array", "items": {"type": "integer"}})
    found = narrowed(schema, free)["properties"]
    assert found["note"]["maxLength"] == 80
    assert found["tags"]["maxItems"] == 6
    assert narrowed(schema, free[:2])["properties"]["note"] == STRING, "two tell too little"
    short = narrowed(schema, [(text, {"note": "x", "tags": []}) for text, _ in free])["properties"]
    assert (short["note"]["maxLength"], short["tags"]["maxItems"]) == (SHORTEST, FEWEST_ITEMS)
    own = object_of(
        note={**STRING, "minLength": 70, "maxLength": 75}, tags={**schema["properties"]["tags"], "maxItems": 3}
    )
    kept = narrowed(own, free)["properties"]
    assert (kept["note"]["maxLength"], kept["tags"]["maxItems"]) == (75, 3)
    least = object_of(note={**STRING, "minLength": 90}, tags={"type": "array", "items": {}, "minItems": 9})
    bounds = narrowed(least, free)["properties"]
    assert (bounds["note"]["maxLength"], bounds["tags"]["maxItems"]) == (90, 9)
    count: dict[str, Any] = {"type": "integer"}
    rows = [("a", {"n": value}) for value in (7, -12_345, 123)]
    limits = {"minimum": -(10**10 - 1), "maximum": 10**10 - 1}
    assert narrowed(object_of(n=count), rows)["properties"]["n"] == {**count, **limits}
    assert narrowed(object_of(n=count), rows[:2])["properties"]["n"] == count, "two tell too little"
    few = narrowed(object_of(n={"type": ["null", "integer"]}), [*[("a", {"n": 1})] * 3, ("a", {"n": None})])
    assert (few["properties"]["n"]["minimum"], few["properties"]["n"]["maximum"]) == (-999_999, 999_999)
    long = [("a", {"n": 10**8})] * 3
    for own in (
        {**count, "maximum": 9},
        {**count, "enum": [1, 2]},
        {**count, "multipleOf": 5},
        {"type": "number"},
        count,
    ):
        assert narrowed(object_of(n=own), long)["properties"]["n"] == own
    endless = [(text, {**value, "note": "x" * 1_500}) for text, value in free]
    assert narrowed(schema, endless)["properties"]["note"] == STRING
