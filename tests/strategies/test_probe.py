"""A fit answers only with the chat template and tokenizer that it was fitted with, whoever asks it."""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from pytest_httpserver import HTTPServer
from werkzeug import Request, Response

from advisor.deploy.export import _counted, _template
from strategies.contract import Message, Sampling
from strategies.models import probe, templates
from strategies.models.local import LocalModel
from strategies.models.probe import PROBE, must_count_alike, must_render_alike, probed
from strategies.models.served import ServedModel
from strategies.models.vllm_server import VllmServer
from strategies.models.wheels import ModelUnavailable
from strategies.standalone import speaking
from tests import tiny


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> LocalModel:
    return tiny.local_model(tiny.model_folder(tmp_path_factory.mktemp("model")))


def other(model: LocalModel, change: Callable[[str], str]) -> LocalModel:
    """The same with another template."""
    found = replace(model)
    found.chat.tokenizer.chat_template = change(found.chat.tokenizer.chat_template)
    return found


def longer(template: str) -> str:
    return template + "{{ '\n' }}"


def swapped(template: str) -> str:
    return template.replace("<|im_end|>", "<|endoftext|>")


def test_the_same_template_passes_and_what_was_never_compared_too(model: LocalModel) -> None:
    kept = probed(model)
    assert kept is not None
    assert kept["tokens"] == model.count(PROBE)
    must_render_alike(json.loads(json.dumps(kept)), replace(model))
    must_render_alike(None, model)
    must_render_alike(kept, None)
    assert probed(None) is None


def test_a_conversation_of_an_earlier_version_is_compared_as_it_was(model: LocalModel) -> None:
    kept = {**(probed(model) or {}), "messages": [{"role": "user", "content": "short"}]}
    with pytest.raises(ModelUnavailable):
        must_render_alike(kept, model)
    must_render_alike(probe._of(model.chat, (Message("user", "short"),)), model)


@pytest.mark.parametrize(
    ("change", "said"), [(longer, "has {more} tokens now and had {tokens}"), (swapped, "becomes other tokens")]
)
def test_another_template_is_refused_in_one_sentence(
    model: LocalModel, change: Callable[[str], str], said: str
) -> None:
    kept = probed(model)
    assert kept is not None
    said = said.format(tokens=kept["tokens"], more=kept["tokens"] + 1)
    with pytest.raises(ModelUnavailable, match=f"of tiny is not the one that this was fitted with: a test .* {said}"):
        must_render_alike(kept, other(model, change))
    with pytest.raises(SystemExit, match="is not the one that this was fitted with"):
        speaking.must_render_alike(other(model, change).chat.tokenizer, kept)
    speaking.must_render_alike(model.chat.tokenizer, kept)


def test_a_count_shows_another_length_and_nothing_else(model: LocalModel) -> None:
    tokens = model.count(PROBE)
    must_count_alike(model, tokens)
    must_count_alike(model, None)
    with pytest.raises(ModelUnavailable, match=f"it counts {tokens + 2} tokens in a test conversation of {tokens}"):
        must_count_alike(model, tokens + 2)


class Tomorrow:
    """In place of `datetime.datetime`."""

    @classmethod
    def now(cls) -> datetime:
        return datetime(2031, 12, 24, tzinfo=UTC)


def test_a_date_in_the_template_is_no_change(model: LocalModel, monkeypatch: pytest.MonkeyPatch) -> None:
    dated = other(model, lambda template: "Today is {{ strftime_now('%d %b %Y') }}.\n" + template)
    kept = probed(dated)
    assert kept is not None
    today = dated.chat.text(PROBE)
    monkeypatch.setattr(templates, "datetime", Tomorrow)
    assert dated.chat.text(PROBE) != today
    must_render_alike(kept, dated)
    speaking.must_render_alike(dated.chat.tokenizer, kept)
    must_count_alike(dated, dated.count(PROBE) + 1)
    with pytest.raises(ModelUnavailable):
        must_render_alike(kept, other(dated, longer))


# ---------------------------------------------------------------- a server


@dataclass
class Started(VllmServer):
    """A server that runs already."""

    at: str = ""

    @property
    def address(self) -> str:
        return self.at

    @property
    def start(self) -> str:
        return "the only one"


def served(server: HTTPServer, model: LocalModel, stated: Mapping[str, int]) -> tuple[ServedModel, list[Any]]:
    asked: list[Any] = []

    def answer(request: Request) -> Response:
        asked.append(request.get_json())
        choice = {"index": 0, "finish_reason": "stop", "message": {"role": "assistant", "content": "yes"}}
        body = {"id": "1", "object": "chat.completion", "created": 1, "model": "base", "choices": [choice]}
        return Response(json.dumps({**body, **({"usage": stated} if stated else {})}), content_type="application/json")

    server.expect_request("/v1/chat/completions").respond_with_handler(answer)
    started = Started(folder=model.folder, placement=tiny.FLOAT32, at=server.url_for("/v1"))
    return ServedModel(here=model, server=started), asked


def usage(tokens: int) -> Mapping[str, int]:
    return {"prompt_tokens": tokens, "completion_tokens": 1, "total_tokens": tokens + 1}


@pytest.mark.parametrize("stated", ["ours", "none"])
def test_a_server_is_asked_once_a_start_and_then_answers(
    httpserver: HTTPServer, model: LocalModel, stated: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    tuned, asked = served(httpserver, model, usage(model.count(PROBE)) if stated == "ours" else {})
    monkeypatch.setenv(tuned.server.key_env, "made for this test")
    for _ in range(2):
        found = dict(tuned.generate([(Message("user", "one"),)], 4, Sampling()))
        assert found[0].text == "yes"
    probes = [body for body in asked if body["messages"][-1]["content"] == PROBE[-1].content]
    assert (len(probes), len(asked)) == (1, 3)
    assert probes[0]["max_tokens"] == 1


def test_a_server_is_told_as_the_template_here_is_that_a_model_does_not_think_first(
    httpserver: HTTPServer, model: LocalModel, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """In each request, as the card of an export says; what a template does not ask for is not sent."""
    thinking = other(model, lambda template: template + "{% if not enable_thinking %}<think></think>{% endif %}")
    (tmp_path / "prompt.json").write_text(json.dumps({"probe": probed(thinking)}))
    assert (
        """`prompt.json`, asked with `chat_template_kwargs` of `{"enable_thinking": false}`""" in _counted(tmp_path)[0]
    )
    for each, sent in ((thinking, {"enable_thinking": False}), (model, None)):
        tuned, asked = served(httpserver, each, {})
        monkeypatch.setenv(tuned.server.key_env, "made for this test")
        list(tuned.generate([(Message("user", "one"),)], 4, Sampling()))
        assert [body.get("chat_template_kwargs") for body in asked] == [sent] * 2
        httpserver.clear()


def test_an_export_brings_the_template_that_a_server_needs(model: LocalModel, tmp_path: Path) -> None:
    thinking = other(model, lambda template: template.replace("assistant\n'", "assistant\n<think>\n'"))
    for kept, wanted in ((model, ""), (thinking, thinking.chat.served_template)):
        (tmp_path / "prompt.json").write_text(json.dumps({"probe": probed(kept)}))
        assert _template(tmp_path) == ""
        (tmp_path / "adapter").mkdir(exist_ok=True)
        (tmp_path / "adapter" / "adapter_config.json").write_text("{}")
        assert _template(tmp_path) == wanted
        shutil.rmtree(tmp_path / "adapter")


def test_what_scored_answers_as_other_tokens_is_another_form_too(model: LocalModel) -> None:
    """The prompts are the same: the template writes a space before given answers only."""
    spaced = other(model, lambda _: tiny.SPACED)
    kept = probed(spaced)
    assert kept is not None
    must_render_alike(kept, spaced)
    speaking.must_render_alike(spaced.chat.tokenizer, kept)
    before = hashlib.sha256(" ".join(map(str, [*spaced.chat.encode(PROBE), spaced.chat.end_id])).encode()).hexdigest()
    with pytest.raises(ModelUnavailable):
        must_render_alike({**kept, "digest": before}, spaced)


def test_a_server_with_another_template_answers_nothing(
    httpserver: HTTPServer, model: LocalModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    tuned, asked = served(httpserver, model, usage(model.count(PROBE) + 7))
    monkeypatch.setenv(tuned.server.key_env, "made for this test")
    for _ in range(2):
        with pytest.raises(ModelUnavailable, match="The server writes prompts for tiny in another form"):
            list(tuned.generate([(Message("user", "one"),)], 4, Sampling()))
    assert all(body["messages"][-1]["content"] == PROBE[-1].content for body in asked)


def test_a_server_that_does_not_answer_states_nothing(model: LocalModel, httpserver: HTTPServer) -> None:
    from strategies.models.endpoint import EndpointModel

    httpserver.expect_request("/v1/chat/completions").respond_with_data("no", status=500)
    asked = EndpointModel(name="m", base_url=httpserver.url_for("/v1"), model="m")
    assert asked.stated_tokens(PROBE) is None


# ---------------------------------------------------------------- a run and an export


def test_a_run_and_an_export_refuse_it(tmp_path: Path, model: LocalModel) -> None:
    """Also where the weights are named by what was published, so that no hash of the files tells."""
    from advisor.deploy.answering import Kept, _Loaded
    from benchmarks.contract import BadInput
    from benchmarks.running.models import Models
    from benchmarks.running.workbench import bare
    from benchmarks.specs.spec_models import ModelSpec
    from strategies.pipeline import Setup, load_pipeline
    from strategies.selection import PipelineBuilder

    models = Models((ModelSpec(name="tiny", folder=str(model.folder)),), _embedder=tiny.WordHashes())
    models._ready["tiny"] = model
    bench = bare(models, "tiny", tmp_path)
    task = tiny.benchmark().task
    PipelineBuilder(task, bench).build(Setup(), task.examples).save(tmp_path / "fits" / "one")
    (tmp_path / "fits" / "one" / "complete.json").write_text("{}", encoding="utf-8")
    load_pipeline(tmp_path / "fits" / "one", bench)
    models._ready["tiny"] = other(model, longer)
    kept = Kept(
        name="run",
        spec={},
        candidates={"prompting": {"name": "prompting", "family": "prompting", "model": "tiny"}},
        places={"prompting": tmp_path / "fits" / "one"},
        cascades={},
        weights={"tiny": model.fingerprint},
        dtype=None,
        sampling={},
        searches={},
        form={"kind": task.kind, "labels": list(task.labels), "schema": {}},
    )
    loaded = _Loaded(kept=kept, task="", _models=models)
    with pytest.raises(
        BadInput, match=r"is not the one that this was fitted with.*Put the former one back, or fit again\."
    ):
        loaded.fitted("prompting")
