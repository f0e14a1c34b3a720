"""An answer of a form for which there is no more room is brought to its end, here, by the slow engine and in an export."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from strategies.answers import answer_limit
from strategies.contract import Case, Message, Prompt, Query, Sampling
from strategies.models import engine, plain
from strategies.models.local import LocalModel
from strategies.pipeline import Pipeline, Setup
from strategies.sources import Sources
from strategies.standalone import asking, held, speaking
from tests import tiny
from tests.conftest import Folders

STRING = {"type": "string"}
FREE: dict[str, Any] = {
    "type": "object",
    "properties": {
        "reason": STRING,
        "sums": {"type": "array", "items": {"type": "number"}},
        "parts": {
            "type": "array",
            "items": {"type": "object", "properties": {"a": STRING, "b": STRING}, "required": ["b"]},
        },
        "priority": {"type": "integer"},
        "name": {"anyOf": [{"type": "null"}, STRING]},
    },
    "required": ["reason", "sums", "parts", "priority", "name"],
    "additionalProperties": False,
}
"""No part of it ends by itself, and white space may stand anywhere."""
PROMPTS: list[Prompt] = [(Message("user", f"complaint {place} " * (1 + place % 3)),) for place in range(8)]
WARM = Sampling(schema=json.dumps(FREE), temperature=1.0, seed=5)
ROOM = 60


@pytest.fixture(scope="module", params=["llama", "gemma"])
def model(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> LocalModel:
    return tiny.local_model(tiny.model_folder(tmp_path_factory.mktemp("model"), request.param))


def written(model: LocalModel, room: int, sampling: Sampling = WARM) -> list[tuple[str, bool]]:
    found = dict(model.generate(PROMPTS, room, sampling))
    return [(found[place].text, found[place].finished) for place in range(len(PROMPTS))]


def test_what_would_never_end_is_brought_to_its_end(model: LocalModel) -> None:
    found = written(model, ROOM)
    for text, _ in found:
        jsonschema.validate(json.loads(text), FREE)
    assert not all(finished for _, finished in found), "it is said of those that did not end by themselves"


def test_the_slow_engine_brings_it_to_its_end_too(model: LocalModel, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(engine, "generate", lambda parts, *more: plain.generate(parts.model, *more))
    for text, _ in written(model, ROOM):
        jsonschema.validate(json.loads(text), FREE)


def test_what_ends_by_itself_is_as_it_was(model: LocalModel) -> None:
    short = {"type": "object", "properties": {"a": {**STRING, "maxLength": 12}}, "required": ["a"]}
    spelt = {"additionalProperties": False, "x-guidance": {"whitespace_flexible": False}}
    sampling = Sampling(schema=json.dumps({**short, **spelt}))
    found = written(model, 40, sampling)
    assert all(finished for _, finished in found)
    assert found == written(model, 400, sampling)


def test_a_text_with_a_pattern_ends_where_it_may(model: LocalModel) -> None:
    sampling = Sampling(schema=json.dumps({**STRING, "pattern": "^([a-z]{5}-)+$"}), temperature=1.0, seed=2)
    found = written(model, 20, sampling)
    assert all(re.fullmatch("([a-z]{5}-)+", text) for text, _ in found)
    assert not all(finished for _, finished in found)


def test_an_export_brings_it_to_the_same_end(model_folders: Folders, tmp_path: Path) -> None:
    model = tiny.local_model(model_folders.language)
    cold = Sampling(schema=WARM.schema)
    asked = {"words": [], "max_tokens": ROOM, "schema": cold.schema}
    speaker = speaking.Speaker(tmp_path, asked, str(model.folder))
    found = written(model, ROOM, cold)
    assert not all(finished for _, finished in found)
    for prompt, (text, _) in zip(PROMPTS, found, strict=True):
        read = speaker.prompt([{"role": turn.role, "content": turn.content} for turn in prompt])
        assert speaker.written(read, "")[0] == text
    assert speaker.room == model.context_tokens - held.ENDING * ROOM
    assert asking.ENDING == held.ENDING, "prompts have the same room at a server"


def test_a_held_answer_has_the_room_that_its_schema_allows(model_folders: Folders) -> None:
    model, task = tiny.local_model(model_folders.language), tiny.benchmark("extraction").task
    cases = [Case(id="a", input="a", output=json.dumps({"item": "abc " * 20}))]
    most = model.count((Message("user", cases[0].output),)) - model.count((Message("user", ""),))
    assert answer_limit(model, task, cases) == -(-most * 5 // 4) + 2
    assert answer_limit(model, task, cases, held=True) == 2 * most + 2


@pytest.mark.parametrize("schema", ["", WARM.schema])
def test_half_of_what_a_model_reads_is_left_to_the_prompt(schema: str, tmp_path: Path) -> None:
    """Long answers took all of a short context: nothing was left of the inputs, and a model was asked about nothing."""
    folder, context = tiny.model_folder(tmp_path), 256
    config = json.loads((folder / "config.json").read_text(encoding="utf-8")) | {"max_position_embeddings": context}
    (folder / "config.json").write_text(json.dumps(config), encoding="utf-8")
    model, task = tiny.local_model(folder), tiny.benchmark("extraction").task
    limit = answer_limit(model, task, [Case(id="a", input="a", output="abc " * 400)], bool(schema))
    assert limit == context // (2 * held.ENDING if schema else 2)
    made = Pipeline(task, model, Setup(), Sources((), tiny.WordHashes(), None), limit, schema=schema)
    queries = [Query.of(text) for text in ("Send one cup.", "Send one cup. " * 200)]
    short, long = made.requests(queries)
    assert "Send one cup." in short.prompt[-1].content
    assert not short.cut
    assert "Send one cup." in long.prompt[-1].content
    found = dict(made.answer(queries, Sampling()))
    for query in queries:
        (used,) = found[query.key].usage
        assert used.prompt_tokens + used.answer_tokens - 1 <= context, "the end of an answer is not read"
    asked = {"words": [], "max_tokens": made.max_tokens, "schema": schema}
    speaker = speaking.Speaker(tmp_path, asked, str(folder))
    assert speaker.room + speaker.most == context
    assert speaker.room == context // 2
