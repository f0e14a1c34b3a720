"""The program of an export asks a hosted model as the run did: same requests, same answers, a few tries, no key in sight."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from pytest_httpserver import HTTPServer
from werkzeug import Request, Response

from advisor.deploy.answering import Answerer
from advisor.deploy.without import needed, without_us
from strategies.approaches.majority import Constant
from strategies.contract import Failure, Kind, Prediction, Query, Sampling
from strategies.models.embedding import LocalEmbedder
from strategies.models.endpoint import EndpointModel
from strategies.pipeline import Pipeline, Setup
from strategies.prompting.rendering import Form
from strategies.sources import Sources
from strategies.standalone import alone
from strategies.standalone.refusals import DECLINED
from tests import tiny
from tests.conftest import Folders
from tests.deploy.test_without import TO_LOGIN, answers, fitted, same
from tests.strategies.test_listing import many
from tests.verdict_cases import evaluation_of, scores_of

KEY = "sk-canary-3f9a1c"
PATH = "/v1/chat/completions"
SETUPS: dict[str, tuple[Kind, Setup]] = {
    "labels": ("classification", Setup(shots=2)),
    "labels of the nearest": ("classification", Setup(picks="nearest", shots=2, votes=0.5, form=Form(layout="turns"))),
    "labels, shifted": ("classification", Setup(shots=2, shift=TO_LOGIN)),
    "passages": ("qa", Setup(passages=2)),
    "an object": ("extraction", Setup(shots=2)),
}


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[HTTPServer]:
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    with HTTPServer(threaded=True) as server:
        yield server


@pytest.fixture
def embedder(model_folders: Folders) -> LocalEmbedder:
    return LocalEmbedder(name="tiny", folder=model_folders.embedder, fingerprint="tiny")


def hosted(server: HTTPServer, name: str, folders: Folders, embedder: LocalEmbedder, **options: Any) -> Pipeline:
    made = fitted(*SETUPS[name], folders.language, embedder)
    model = EndpointModel(name="big", base_url=server.url_for("/v1"), model="m", **options)
    return replace(made, model=model, prior=None)


def said(request: Request) -> dict[str, Any]:
    """One of the labels by the length of the prompt, with another one that was nearly as likely."""
    sent = request.get_json()
    size = sum(len(turn["content"]) for turn in sent["messages"])
    labels = sorted(tiny.TOPICS)
    text, other = labels[size % len(labels)], labels[(size + 1) % len(labels)]
    odds = [{"token": text, "logprob": -0.5}, {"token": other, "logprob": -1.0}]
    stated = {"content": [{**odds[0], "top_logprobs": odds}]} if sent.get("logprobs") else None
    choice = {
        "index": 0,
        "finish_reason": "stop",
        "message": {"role": "assistant", "content": text},
        "logprobs": stated,
    }
    return {"id": "1", "object": "chat.completion", "created": 1, "model": "m", "choices": [choice]}


def exported(made: Pipeline, folder: Path) -> Path:
    made.save(folder / "parts" / "0")
    for program in needed(folder):
        shutil.copyfile(Path(alone.__file__).with_name(program.source), folder / program.name)
    return folder


def bodies(server: HTTPServer) -> list[str]:
    found = sorted(json.dumps(request.get_json(), sort_keys=True) for request, _ in server.log)
    server.clear_log()
    return found


@pytest.mark.parametrize("name", SETUPS)
def test_a_server_is_asked_the_same_and_answers_the_same(
    name: str, server: HTTPServer, model_folders: Folders, embedder: LocalEmbedder, tmp_path: Path
) -> None:
    server.expect_request(PATH).respond_with_handler(
        lambda request: Response(json.dumps(said(request)), mimetype="application/json")
    )
    made = hosted(server, name, model_folders, embedder)
    texts = [*(case.input for case in tiny.MAKERS[SETUPS[name][0]][0](4, 90)), "floor " * 300, "Größe?"]
    ours = answers(made, texts)
    asked = bodies(server)
    if made.setup.shift is not None:
        plain = answers(replace(made, setup=replace(made.setup, shift=None)), texts)
        assert [text for text, _, _ in ours] != [text for text, _, _ in plain]
        bodies(server)
    answer = alone.surely(exported(made, tmp_path), "", str(model_folders.embedder))
    theirs = [answer(text) for text in texts]
    assert bodies(server) == asked
    same(ours, [one._replace(sure=max(one.sure, 0.0)) for one in theirs])
    programs = {program.name for program in needed(tmp_path)}
    assert programs & {"asking.py", "speaking.py"} == {"asking.py"}
    assert ("odds.py" in programs) == name.startswith("labels")
    card = "\n".join(without_us(tmp_path, evaluation_of("prompting", scores_of(9, 10))))
    packages = "sentence-transformers, faiss-cpu and bm25s alone" if "lookup.py" in programs else "Python alone"
    assert f"With {packages}, from the server that it was measured with" in card
    assert ("--embedder" in card, "--model" in card) == ("lookup.py" in programs, False)
    assert f"It asks m at `{server.url_for('/v1')}`, one request" in card
    assert "the environment variable `OPENAI_API_KEY` holds" in card


def test_a_server_gets_the_same_list_of_labels_where_all_of_them_are_too_many(
    server: HTTPServer, model_folders: Folders, embedder: LocalEmbedder, tmp_path: Path
) -> None:
    server.expect_request(PATH).respond_with_handler(
        lambda request: Response(json.dumps(said(request)), mimetype="application/json")
    )
    task = many(120)
    made = hosted(server, "labels", model_folders, embedder, context_tokens=2048)
    setup, sources = Setup(shots=1, form=Form(show_labels=True)), Sources(task.examples, embedder, None)
    made = replace(made, task=task, setup=setup, sources=sources)
    answers(made, ["subject77"])
    asked = bodies(server)
    assert "Possible answers: question about the 77th subject, " in asked[0]
    alone.surely(exported(made, tmp_path), "", str(model_folders.embedder))("subject77")
    assert bodies(server) == asked


def test_what_is_busy_is_asked_again_and_what_is_lost_is_said(
    server: HTTPServer, model_folders: Folders, embedder: LocalEmbedder, tmp_path: Path
) -> None:
    made = hosted(server, "labels", model_folders, embedder, retries=1)
    out, seen = exported(made, tmp_path / "out"), list[str]()

    def handler(request: Request) -> Response:
        sent = request.get_json()
        last = sent["messages"][-1]["content"]
        seen.append(request.headers["Authorization"])
        if "gone" in last:
            return Response(json.dumps({"error": {"message": f"no room for {KEY}"}}), status=503)
        if len(seen) == 1:
            return Response("{}", status=429, headers={"Retry-After": "0"})
        if "logprobs" in sent:
            return Response(json.dumps({"error": {"message": "logprobs are not offered"}}), status=400)
        return Response(json.dumps(said(request)), mimetype="application/json")

    server.expect_request(PATH).respond_with_handler(handler)
    command = [sys.executable, "-I", "predict.py"]
    lines = "one\ngone\ntwo\n"
    done = subprocess.run(command, cwd=out, input=lines, capture_output=True, text=True, timeout=60)
    rows = [json.loads(line) for line in done.stdout.splitlines()]
    assert (done.returncode, done.stderr) == (
        1,
        "1 of the requests got no answer; their lines say why, as their problem.\n",
    )
    assert [row["input"] for row in rows] == ["one", "gone", "two"]
    assert {rows[0]["answer"], rows[2]["answer"]} <= set(tiny.TOPICS)
    assert rows[1]["answer"] is None
    assert rows[1]["problem"].endswith("status 503, no room for [key]")
    assert KEY not in done.stdout + done.stderr
    assert set(seen) == {f"Bearer {KEY}"}
    assert len(seen) == 3 + 2 + 1, "busy, without odds, answered; twice; answered"


def test_a_model_that_takes_no_temperature_is_asked_without_one(
    server: HTTPServer, model_folders: Folders, embedder: LocalEmbedder, tmp_path: Path
) -> None:
    def own(request: Request) -> Response:
        if "temperature" in request.get_json():
            return Response(json.dumps({"error": {"message": "'temperature' does not support 0"}}), status=400)
        return Response(json.dumps(said(request)), mimetype="application/json")

    server.expect_request(PATH).respond_with_handler(own)
    answer = alone.surely(exported(hosted(server, "labels", model_folders, embedder), tmp_path), "")
    assert {answer("one").text, answer("two").text} <= set(tiny.TOPICS)
    assert ["logprobs" in request.get_json() for request, _ in server.log] == [True] * 3


def test_what_the_first_of_two_has_no_answer_to_the_second_answers(
    server: HTTPServer, model_folders: Folders, embedder: LocalEmbedder, tmp_path: Path
) -> None:
    """The run and `advisor predict` hand it on, with which the cascade was measured; the program of the export gave no answer."""
    error = {"code": "content_filter", "message": "The response was filtered."}
    server.expect_request(PATH).respond_with_json({"error": error}, status=400)
    first, second = hosted(server, "labels", model_folders, embedder, retries=0), Constant("refund")
    first.save(tmp_path / "parts" / "0")
    second.save(tmp_path / "parts" / "1")
    kept = {"default": "both", "cascades": {"both": {"first": "small", "second": "always", "below": 0.5}}}
    values = {"places": {"small": 0, "always": 1}, "kept": kept}
    (tmp_path / "export.json").write_text(json.dumps(values), encoding="utf-8")
    both = Answerer(name="both", parts=(first, second), sampling=Sampling(), form={}, below=0.5)
    ((_, ours),) = both.answers(["one"])
    assert isinstance(ours, Prediction)
    assert alone.surely(tmp_path, "")("one").text == ours.text == "refund"


@pytest.mark.parametrize("name", ["labels", "an object", "passages"])
def test_what_was_cut_off_before_it_wrote_anything_is_no_answer(
    name: str, server: HTTPServer, model_folders: Folders, embedder: LocalEmbedder, tmp_path: Path
) -> None:
    """A model that thinks first had used up the limit, and an empty answer stood in its line; it is not asked again for that."""
    failed = _cut_off(server, (name, "", {}), (model_folders, embedder), tmp_path)
    assert failed.message.startswith("nothing was answered within 24 tokens; thinking counts")


def test_thoughts_without_a_mark_that_were_cut_off_are_no_answer(
    server: HTTPServer, model_folders: Folders, embedder: LocalEmbedder, tmp_path: Path
) -> None:
    """Some templates open them; a label that they mention is not the answer."""
    text = "Okay, it seems to be about billing. " * 20
    failed = _cut_off(server, ("labels", text, {"reasoning_tokens": 100}), (model_folders, embedder), tmp_path)
    assert failed.message.startswith("nothing was answered within 124 tokens; thinking counts")


@pytest.mark.parametrize(
    ("reason", "message"),
    [("content_filter", {"content": "refund"}), ("SAFETY", {"content": None}), ("stop", {"refusal": "I cannot."})],
)
def test_what_was_refused_or_filtered_is_no_answer(
    reason: str,
    message: dict[str, Any],
    server: HTTPServer,
    model_folders: Folders,
    embedder: LocalEmbedder,
    tmp_path: Path,
) -> None:
    asked = ("labels", {"finish_reason": reason, "message": message}, dict[str, Any]())
    failed = _failed(server, asked, (model_folders, embedder), tmp_path)
    assert (failed.kind, failed.message) == ("refused", DECLINED)


def test_a_request_that_a_filter_refuses_is_sent_once(
    server: HTTPServer, model_folders: Folders, embedder: LocalEmbedder, tmp_path: Path
) -> None:
    error = {"code": "content_filter", "message": "The response was filtered."}
    server.expect_request(PATH).respond_with_json({"error": error}, status=400)
    made = hosted(server, "labels", model_folders, embedder, retries=2)
    ((_, failed),) = made.answer([Query.of("one")], Sampling())
    assert isinstance(failed, Failure)
    with pytest.raises(ConnectionError, match="status 400, The response was filtered"):
        alone.surely(exported(made, tmp_path), "", str(model_folders.embedder))("one")
    assert failed.kind == "refused"
    assert len(server.log) == 2, "one each, although log-probabilities are wished for"


def _cut_off(
    server: HTTPServer, asked: tuple[str, str, dict[str, Any]], models: tuple[Folders, LocalEmbedder], folder: Path
) -> Failure:
    """What is said of an answer that was cut off, here and by the export alike."""
    name, text, settings = asked
    choice = {"finish_reason": "length", "message": {"role": "assistant", "content": text}}
    return _failed(server, (name, choice, settings), models, folder)


def _failed(
    server: HTTPServer,
    asked: tuple[str, dict[str, Any], dict[str, Any]],
    models: tuple[Folders, LocalEmbedder],
    folder: Path,
) -> Failure:
    (name, choice, settings), (folders, embedder) = asked, models

    def choosing(request: Request) -> Response:
        answer = said(request)
        answer["choices"][0] |= choice
        return Response(json.dumps(answer), mimetype="application/json")

    server.expect_request(PATH).respond_with_handler(choosing)
    made = hosted(server, name, folders, embedder, retries=2, **settings)
    ((_, failed),) = made.answer([Query.of("one")], Sampling())
    answer = alone.surely(exported(made, folder), "", str(folders.embedder))
    with pytest.raises(ConnectionError) as lost:
        answer("one")
    assert isinstance(failed, Failure)
    assert str(lost.value).endswith(failed.message)
    assert len(server.log) == 2
    return failed


def test_what_took_too_long_says_which_limit_it_had(
    server: HTTPServer, model_folders: Folders, embedder: LocalEmbedder, tmp_path: Path
) -> None:
    def slow(request: Request) -> Response:
        time.sleep(0.6)
        return Response(json.dumps(said(request)), mimetype="application/json")

    server.expect_request(PATH).respond_with_handler(slow)
    made = hosted(server, "an object", model_folders, embedder, retries=0, timeout_s=0.2)
    with pytest.raises(ConnectionError, match=r"no answer \(timed out; `timeout_s` gives it 0\.2 seconds\)"):
        alone.surely(exported(made, tmp_path), "")("an order")


@pytest.mark.parametrize("name", ["labels", "an object"])
def test_a_model_that_thinks_is_asked_the_same_and_answers_the_same(
    name: str, server: HTTPServer, model_folders: Folders, embedder: LocalEmbedder, tmp_path: Path
) -> None:
    def thinking(request: Request) -> Response:
        answer = said(request)
        text = answer["choices"][0]["message"]["content"]
        marked = f"<think>Is it invoice? No, not invoice.</think>\n\n{text}"
        parts = [{"type": "thinking", "thinking": []}, {"type": "text", "text": text}]
        answer["choices"][0]["message"]["content"] = marked if name == "labels" else parts
        return Response(json.dumps(answer), mimetype="application/json")

    server.expect_request(PATH).respond_with_handler(thinking)
    settings = {"reasoning_tokens": 700, "extra_body": {"reasoning_effort": "low", "top_k": 5}}
    made = hosted(server, name, model_folders, embedder, **settings)
    ours = answers(made, ["one", "two"])
    asked = bodies(server)
    answer = alone.surely(exported(made, tmp_path), "")
    theirs = [answer(text) for text in ("one", "two")]
    assert bodies(server) == asked
    same(ours, [one._replace(sure=max(one.sure, 0.0)) for one in theirs])
    assert {one.text for one in theirs} <= set(tiny.TOPICS)
    for body in map(json.loads, asked):
        assert (body["max_tokens"], body["reasoning_effort"], body["top_k"]) == (724, "low", 5)
        assert "logprobs" not in body, "they would be those of the thoughts"


ELSEWHERE: dict[str, tuple[int, object, str]] = {
    "a list": (418, [{"error": {"message": "too hot"}}], "m at .*: status 418, too hot"),
    "in place of an answer": (200, {"error": {"message": "too long", "code": 413}}, "m at .*: status 413, too long"),
    "no text": (200, {"choices": [{"message": {"content": {"a": 1}}}]}, "the answer's content is not text"),
    "broken off": (
        200,
        {"choices": [{"finish_reason": "error", "message": {"content": ""}}]},
        "the server broke the answer off",
    ),
    "a filter": (403, {"error": {"message": "your input was flagged"}}, "m at .*: status 403, your input was flagged"),
}


@pytest.mark.parametrize("name", ELSEWHERE)
def test_a_refusal_in_whatever_form_says_why(
    name: str, server: HTTPServer, model_folders: Folders, embedder: LocalEmbedder, tmp_path: Path
) -> None:
    status, body, said = ELSEWHERE[name]
    server.expect_request(PATH).respond_with_json(body, status=status)
    answer = alone.surely(exported(hosted(server, "an object", model_folders, embedder, retries=0), tmp_path), "")
    with pytest.raises(ConnectionError, match=said):
        answer("an order")


def test_one_generation_that_failed_ends_no_wish_that_was_granted_before(
    server: HTTPServer, model_folders: Folders, embedder: LocalEmbedder, tmp_path: Path
) -> None:
    def failing(request: Request) -> Response:
        bad = len(server.log) == 1
        told = {"error": {"message": "Failed to generate JSON."}} if bad else said(request)
        return Response(json.dumps(told), status=400 if bad else 200, mimetype="application/json")

    server.expect_request(PATH).respond_with_handler(failing)
    answer = alone.surely(exported(hosted(server, "an object", model_folders, embedder), tmp_path), "")
    assert {answer(text).text for text in ("one", "two", "three")} <= set(tiny.TOPICS)
    asked = ["response_format" in request.get_json() for request, _ in server.log]
    assert asked == [True, True, False, True]


NO_MONEY = json.dumps({"error": {"message": "no: Your credit balance is too low"}})

SPENT = json.dumps({"error": {"message": "no quota", "code": "credit_balance_exhausted", "type": "insufficient_quota"}})


@pytest.mark.parametrize(("status", "body"), [(401, "no"), (404, "no"), (302, "no"), (400, NO_MONEY), (429, SPENT)])
def test_asking_on_in_vain_ends_and_nobody_else_is_asked(
    status: int, body: str, server: HTTPServer, model_folders: Folders, embedder: LocalEmbedder, tmp_path: Path
) -> None:
    elsewhere = {"Location": server.url_for("/elsewhere")}
    server.expect_request(PATH).respond_with_data(body, status=status, headers=elsewhere)
    made = hosted(server, "an object", model_folders, embedder, retries=3)
    answer = alone.surely(exported(made, tmp_path), "")
    with pytest.raises(ConnectionError if status == 302 else SystemExit, match=f"m at .*: status {status}, no"):
        answer("an order")
    assert [request.path for request, _ in server.log] == [PATH]


def test_a_server_elsewhere_needs_a_key(
    server: HTTPServer, model_folders: Folders, embedder: LocalEmbedder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = hosted(server, "an object", model_folders, embedder, key_env="THEIR_KEY")
    far = replace(made, model=replace(made.model, base_url="https://models.example/v1"))  # type: ignore[type-var]
    monkeypatch.delenv("THEIR_KEY", raising=False)
    with pytest.raises(SystemExit, match="put it into the environment variable THEIR_KEY"):
        alone.surely(exported(far, tmp_path), "")


def test_a_key_with_a_line_break_is_sent_without_and_one_that_no_header_holds_is_refused(
    server: HTTPServer, model_folders: Folders, embedder: LocalEmbedder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    server.expect_request(PATH).respond_with_handler(
        lambda request: Response(json.dumps(said(request)), mimetype="application/json")
    )
    out = exported(hosted(server, "an object", model_folders, embedder), tmp_path)
    monkeypatch.setenv("OPENAI_API_KEY", f"{KEY}\n")
    assert alone.surely(out, "")("an order").text in tiny.TOPICS
    assert server.log[0][0].headers["Authorization"] == f"Bearer {KEY}"
    monkeypatch.setenv("OPENAI_API_KEY", f"{KEY}\u201d")
    with pytest.raises(SystemExit, match="the environment variable OPENAI_API_KEY holds a character") as caught:
        alone.surely(out, "")
    assert KEY not in str(caught.value)
