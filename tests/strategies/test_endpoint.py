"""The endpoint against real servers on loopback: one that misbehaves on purpose, and (slow) `transformers serve`."""

from __future__ import annotations

import dataclasses
import json
import os
import pickle
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from pytest_httpserver import HTTPServer
from werkzeug import Request, Response

from benchmarks.contract import Row
from benchmarks.costs.prices import is_elsewhere
from benchmarks.evaluation.evaluate import count_failures
from benchmarks.running.wrapped import Wrapped
from benchmarks.specs.spec_models import ModelSpec
from strategies.answers import Request as Asked
from strategies.answers import answer_freely, is_fault
from strategies.contract import (
    Completion,
    Failure,
    Generates,
    LanguageModel,
    Message,
    Place,
    Sampling,
    ScoresLabels,
    thoughts,
)
from strategies.models.endpoint import EndpointModel
from strategies.models.together import Together
from strategies.models.weights import ModelUnavailable, resolve
from strategies.standalone import refusals
from strategies.standalone.asking import asked_wait
from strategies.standalone.tagging import COPIED
from tests import tiny

CANARY = "sk-canary-3f9a1c"
PROMPT = (Message("user", "Is it spam?"),)
PATH = "/v1/chat/completions"


def good(text: str = "yes", finish: str = "stop") -> dict[str, Any]:
    return {
        "id": "1",
        "object": "chat.completion",
        "created": 1,
        "model": "m",
        "choices": [{"index": 0, "finish_reason": finish, "message": {"role": "assistant", "content": text}}],
        "usage": {
            "prompt_tokens": 11,
            "completion_tokens": 3,
            "total_tokens": 14,
            "prompt_tokens_details": {"cached_tokens": 5},
        },
    }


def endpoint(server: HTTPServer, **changes: Any) -> EndpointModel:
    settings: dict[str, Any] = {"retries": 2, "timeout_s": 5.0, **changes}
    return EndpointModel(name="hosted", base_url=server.url_for("/v1"), model="m", **settings)


def ask(model: EndpointModel) -> Completion:
    ((index, completion),) = model.generate([PROMPT], 20, Sampling())
    assert index == 0
    return completion


@pytest.fixture
def httpserver() -> Iterator[HTTPServer]:
    """A server of this test's own that takes requests at once, so that a late answer disturbs no other test."""
    with HTTPServer(threaded=True) as server:
        yield server


@pytest.fixture(autouse=True)
def key(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", CANARY)


def test_it_generates_and_does_not_claim_more(httpserver: HTTPServer) -> None:
    model = endpoint(httpserver)
    assert isinstance(model, LanguageModel)
    assert isinstance(model, Generates)
    assert not isinstance(model, ScoresLabels)


def test_a_good_answer_with_the_servers_own_counts(httpserver: HTTPServer) -> None:
    httpserver.expect_request(PATH, method="POST").respond_with_json(good())
    answer = ask(endpoint(httpserver))
    assert (answer.text, answer.finished, answer.error) == ("yes", True, "")
    assert (answer.usage.prompt_tokens, answer.usage.cached_tokens, answer.usage.answer_tokens) == (11, 5, 3)
    assert answer.usage.seconds > 0
    request, _ = httpserver.log[0]
    sent = request.get_json()
    assert sent["messages"] == [{"role": "user", "content": "Is it spam?"}]
    assert (sent["max_tokens"], sent["temperature"]) == (20, 0.0)
    assert request.headers["Authorization"] == f"Bearer {CANARY}"


@pytest.mark.parametrize("reason", ["length", "model_length", "max_tokens", "MAX_TOKENS", "abort"])
def test_the_length_limit_is_reported(reason: str, httpserver: HTTPServer) -> None:
    httpserver.expect_request(PATH).respond_with_json(good(finish=reason))
    found = ask(endpoint(httpserver))
    assert (found.finished, found.declined) == (False, False)


SORRY = "I'm sorry, I can't help with that."


@pytest.mark.parametrize(
    ("reason", "message", "raw"),
    [
        ("content_filter", {"content": "Take the first left and"}, "Take the first left and"),
        ("content_filter", {"content": None}, ""),
        ("SAFETY", {"content": None}, ""),
        ("PROHIBITED_CONTENT", {"content": "Take the"}, "Take the"),
        ("refusal", {"content": None}, ""),
        ("stop", {"content": None, "refusal": SORRY}, SORRY),
        ("stop", {"refusal": SORRY}, SORRY),
        ("length", {"content": "", "refusal": SORRY}, SORRY),
    ],
)
def test_what_was_refused_or_filtered_is_no_answer(
    reason: str, message: dict[str, Any], raw: str, httpserver: HTTPServer
) -> None:
    """Students learnt apologies by heart. It is the approach's own, paid for, and not asked for again."""
    body = good(finish=reason)
    body["choices"][0]["message"] = {"role": "assistant", **message}
    httpserver.expect_request(PATH).respond_with_json(body)
    ((_, outcome),) = answer_freely(endpoint(httpserver), [Asked(key="k", prompt=PROMPT)], (20, Sampling()))
    assert isinstance(outcome, Failure)
    assert (outcome.kind, outcome.raw, outcome.lasting) == ("refused", raw, False)
    assert outcome.message == "the model declined to answer, or its provider kept the answer back"
    assert [usage.prompt_tokens for usage in outcome.usage] == [11]
    assert len(httpserver.log) == 1
    assert not is_fault(outcome)
    row = Row(candidate="prompting", purpose="heldout", key="k", outcome=outcome, score=0.0)
    assert count_failures([row], tiny.benchmark().task) == {"refused": 1}


FILTERED = {
    "Azure": {
        "code": "content_filter",
        "message": "The response was filtered due to the prompt triggering the content management policy.",
        "status": 400,
        "innererror": {"code": "ResponsibleAIPolicyViolation"},
    },
    "Alibaba": {"code": "data_inspection_failed", "message": "Input data may contain inappropriate content."},
    "moderated": {"code": 403, "message": "The model requires moderation. Your input was flagged for violence."},
    "OpenAI": {
        "code": "content_policy_violation",
        "message": "Your request was rejected.",
        "type": "invalid_request_error",
    },
}


@pytest.mark.parametrize("server", FILTERED)
def test_a_request_that_a_filter_keeps_from_the_model_is_refused_too(server: str, httpserver: HTTPServer) -> None:
    """It is no fault of the network: the provider will never answer it."""
    status = 403 if server == "moderated" else 400
    httpserver.expect_request(PATH).respond_with_json({"error": FILTERED[server]}, status=status)
    model = endpoint(httpserver)
    ((_, outcome),) = answer_freely(model, [Asked(key="k", prompt=PROMPT)], (20, Sampling(alternatives=5)))
    assert isinstance(outcome, Failure)
    assert (outcome.kind, outcome.lasting) == ("refused", False)
    assert [usage.prompt_tokens for usage in outcome.usage] == [model.count(PROMPT)]
    assert len(httpserver.log) == 1, "nothing else is asked for it"


def test_a_bad_request_for_another_reason_is_a_fault(httpserver: HTTPServer) -> None:
    httpserver.expect_request(PATH).respond_with_json({"error": {"message": "the prompt is too long"}}, status=400)
    ((_, outcome),) = answer_freely(endpoint(httpserver), [Asked(key="k", prompt=PROMPT)], (20, Sampling()))
    assert is_fault(outcome)


def test_words_beside_an_empty_refusal_are_an_answer(httpserver: HTTPServer) -> None:
    body = good()
    body["choices"][0]["message"]["refusal"] = None
    httpserver.expect_request(PATH).respond_with_json(body)
    found = ask(endpoint(httpserver))
    assert (found.text, found.declined) == ("yes", False)


def test_counts_are_estimated_where_the_server_states_none(httpserver: HTTPServer) -> None:
    body = good(text="abcdefgh")
    del body["usage"]
    httpserver.expect_request(PATH).respond_with_json(body)
    model = endpoint(httpserver)
    usage = ask(model).usage
    assert usage.prompt_tokens == model.count(PROMPT) == 7
    assert usage.answer_tokens == 2


@pytest.mark.parametrize(
    "message", ["yes", {"role": "assistant"}, {"role": "assistant", "content": None}, {"content": ""}], ids=repr
)
def test_a_message_without_text_is_an_empty_answer(httpserver: HTTPServer, message: object) -> None:
    body = good()
    body["choices"] = [{"message": message}]
    httpserver.expect_request(PATH).respond_with_json(body)
    answer = ask(endpoint(httpserver))
    assert (answer.text, answer.error, answer.finished) == ("", "", True)


CANNOT_BE = {"prompt_tokens": (-11, 10**12, 1.5, "many", None), "completion_tokens": (-3, 10**30, [3])}


@pytest.mark.parametrize(("name", "count"), [(name, count) for name in CANNOT_BE for count in CANNOT_BE[name]], ids=str)
def test_a_count_that_cannot_be_is_estimated(httpserver: HTTPServer, name: str, count: object) -> None:
    body = good(text="abcdefgh")
    body["usage"][name] = count
    httpserver.expect_request(PATH).respond_with_json(body)
    usage = ask(endpoint(httpserver)).usage
    right = {"prompt_tokens": 11, "completion_tokens": 3} | {name: {"prompt_tokens": 7, "completion_tokens": 2}[name]}
    assert {"prompt_tokens": usage.prompt_tokens, "completion_tokens": usage.answer_tokens} == right


@pytest.mark.parametrize("count", [-5, 12, 10**12, "all"])
def test_no_more_can_be_cached_than_was_asked(httpserver: HTTPServer, count: object) -> None:
    body = good()
    body["usage"]["prompt_tokens_details"]["cached_tokens"] = count
    httpserver.expect_request(PATH).respond_with_json(body)
    usage = ask(endpoint(httpserver)).usage
    assert (usage.prompt_tokens, usage.cached_tokens) == (11, 0)


@pytest.mark.parametrize(
    ("stated", "paid"),
    [
        ({"prompt_tokens": 37, "completion_tokens": 9, "total_tokens": 383}, 346),  # Gemini's
        ({"total_tokens": 134, "completion_tokens_details": {"reasoning_tokens": 120}}, 123),  # xAI's
        ({"total_tokens": 14, "completion_tokens_details": {"reasoning_tokens": 2}}, 3),  # OpenAI's
        ({"total_tokens": 900, "completion_tokens_details": {"reasoning_tokens": 0}}, 3),
        ({"total_tokens": 10**30}, 3),
        ({"total_tokens": -5}, 3),
        ({"total_tokens": 900, "prompt_tokens": None}, 3),
    ],
)
def test_thoughts_that_a_server_counts_apart_are_paid_like_the_answer(
    httpserver: HTTPServer, stated: dict[str, Any], paid: int
) -> None:
    body = good()
    body["usage"] |= stated
    httpserver.expect_request(PATH).respond_with_json(body)
    assert ask(endpoint(httpserver)).usage.answer_tokens == paid


@pytest.mark.parametrize(
    ("written", "said"),
    [
        ("<think>\nIt is no spam.\n</think>\n\nyes", "yes"),
        ("It is no spam.</think>yes", "yes"),
        ("<think>\n\n</think>\n\n<b>yes</b>", "<b>yes</b>"),
        ("<think>It is no", ""),
        (" yes <think> is a tag", " yes <think> is a tag"),
        ("<thinking> is a word", "<thinking> is a word"),
    ],
)
def test_what_was_thought_is_no_part_of_the_answer(httpserver: HTTPServer, written: str, said: str) -> None:
    body = good(written)
    body["choices"][0]["logprobs"] = {"content": [{"token": "<think>", "logprob": -0.1, "top_logprobs": []}]}
    httpserver.expect_request(PATH).respond_with_json(body)
    answer = ask(endpoint(httpserver))
    assert (answer.text, bool(answer.places)) == (said, said == written)


UNMARKED = "Okay, the user asks whether it is spam. It seems to be yes, and I have to look again. " * 5


@pytest.mark.parametrize(
    ("settings", "changes", "said"),
    [
        ({"reasoning_tokens": 100}, {}, ""),
        ({"reasoning_tokens": 100}, {"finish_reason": "stop"}, UNMARKED),
        ({"reasoning_tokens": 100}, {"message": {"content": f"{UNMARKED}</think>yes"}}, "yes"),
        ({"reasoning_tokens": 100}, {"message": {"content": "yes, it is"}}, "yes, it is"),
        ({"reasoning_tokens": 100}, {"message": {"content": UNMARKED, "reasoning_content": "Spam?"}}, UNMARKED),
        ({"reasoning_tokens": 100}, {"message": {"content": UNMARKED, "reasoning": "Spam?"}}, UNMARKED),
        ({}, {}, UNMARKED),
    ],
)
def test_thoughts_whose_beginning_the_template_wrote_and_whose_end_was_cut_off_are_no_answer(
    httpserver: HTTPServer, settings: dict[str, Any], changes: dict[str, Any], said: str
) -> None:
    """The one label that they mentioned was taken for the answer."""
    body = good(UNMARKED, finish="length")
    body["choices"][0] |= changes
    httpserver.expect_request(PATH).respond_with_json(body)
    assert ask(endpoint(httpserver, **settings)).text == said


THOUGHT = {"type": "thinking", "thinking": [{"type": "text", "text": "Spam?"}]}
PARTS = {
    "Mistral": ([THOUGHT, {"type": "text", "text": "yes,"}, {"type": "text", "text": " it is"}], "yes, it is"),
    "a long one": ([THOUGHT, {"type": "text", "text": UNMARKED}], UNMARKED),
    "thoughts alone": ([THOUGHT], ""),
    "an object": ({"answer": "yes"}, None),
    "no text": ([{"type": "image", "url": "x"}], None),
}


@pytest.mark.parametrize(("content", "said"), PARTS.values(), ids=PARTS.keys())
def test_an_answer_in_parts_is_what_is_text_in_it(httpserver: HTTPServer, content: Any, said: str | None) -> None:
    """What never becomes a text is not asked for again."""
    httpserver.expect_request(PATH).respond_with_json(good(content, finish="length"))
    answer = ask(endpoint(httpserver, reasoning_tokens=100))
    assert (answer.text, bool(answer.error)) == (said or "", said is None)
    assert len(httpserver.log) == 1


def test_thoughts_that_a_server_counts_are_not_in_the_text(httpserver: HTTPServer) -> None:
    body = good(UNMARKED, finish="length")
    body["usage"]["completion_tokens_details"] = {"reasoning_tokens": 20}
    httpserver.expect_request(PATH).respond_with_json(body)
    assert ask(endpoint(httpserver, reasoning_tokens=100)).text == UNMARKED


def test_a_first_token_that_begins_a_thought_still_says_what_was_likely(httpserver: HTTPServer) -> None:
    """An adapter is proven by it (`served.prove_served`)."""
    body = good("<think>", finish="length")
    body["choices"][0]["logprobs"] = {"content": [{"token": "<think>", "logprob": -0.1, "top_logprobs": []}]}
    httpserver.expect_request(PATH).respond_with_json(body)
    answer = ask(endpoint(httpserver))
    assert (answer.text, [place.chosen for place in answer.places]) == ("", ["<think>"])


def test_a_model_that_thinks_has_room_for_it_and_is_asked_as_the_task_says(httpserver: HTTPServer) -> None:
    httpserver.expect_request(PATH).respond_with_json(good())
    plain = endpoint(httpserver)
    thinks = endpoint(httpserver, reasoning_tokens=2000, extra_body={"reasoning_effort": "low"})
    list(thinks.generate([PROMPT], 20, Sampling(alternatives=5)))
    sent = httpserver.log[-1][0].get_json()
    assert (sent["max_tokens"], sent["reasoning_effort"], "logprobs" in sent) == (2020, "low", False)
    more = endpoint(httpserver, reasoning_tokens=3000, extra_body={"reasoning_effort": "low"})
    assert len({plain.fingerprint, thinks.fingerprint, more.fingerprint}) == 3
    assert pickle.loads(pickle.dumps(thinks)) == thinks
    assert (thoughts(plain), thoughts(thinks), thoughts(Wrapped(inner=thinks)), thoughts(object())) == (
        0,
        2000,
        2000,
        0,
    )


def test_what_a_prompt_may_hold_is_part_of_how_a_server_is_asked(httpserver: HTTPServer) -> None:
    """Looks with other examples in the prompt were taken over by a run with another limit."""
    unstated, default, short = (
        endpoint(httpserver),
        endpoint(httpserver, context_tokens=8192),
        endpoint(httpserver, context_tokens=400),
    )
    assert unstated.fingerprint == default.fingerprint != short.fingerprint


def test_a_busy_server_is_asked_again_after_the_wait_that_it_names(httpserver: HTTPServer) -> None:
    httpserver.expect_ordered_request(PATH).respond_with_json({}, status=429, headers={"Retry-After": "1.5"})
    httpserver.expect_ordered_request(PATH).respond_with_json(good())
    started = time.monotonic()
    assert ask(endpoint(httpserver)).text == "yes"
    assert time.monotonic() - started >= 1.5
    assert len(httpserver.log) == 2


def test_a_server_that_asks_for_an_hour_is_given_up_at_once(httpserver: HTTPServer) -> None:
    httpserver.expect_request(PATH).respond_with_json({}, status=429, headers={"Retry-After": "3600"})
    assert "429" in ask(endpoint(httpserver)).error
    assert len(httpserver.log) == 1


FAULTS = {
    "status 500": Response("oops", status=500),
    "truncated JSON": Response(json.dumps(good())[:60], content_type="application/json"),
    "not JSON at all": Response("<html>hello</html>", content_type="text/html"),
    "no choices": Response(json.dumps({**good(), "choices": []}), content_type="application/json"),
    "choices that are a number": Response(json.dumps({**good(), "choices": 7}), content_type="application/json"),
    "choices that are an object": Response(
        json.dumps({**good(), "choices": {"a": 1}}), content_type="application/json"
    ),
    "nested 200,000 deep": Response(
        json.dumps(good())[:-1] + f', "more": {"[" * 200_000}{"]" * 200_000}}}', content_type="application/json"
    ),
    "a number of 6,000 digits": Response(
        json.dumps(good())[:-1] + f', "more": {"9" * 6_000}}}', content_type="application/json"
    ),
}


@pytest.mark.parametrize("fault", FAULTS.values(), ids=FAULTS.keys())
def test_a_passing_fault_is_retried(httpserver: HTTPServer, fault: Response) -> None:
    httpserver.expect_ordered_request(PATH).respond_with_response(fault)
    httpserver.expect_ordered_request(PATH).respond_with_json(good())
    answer = ask(endpoint(httpserver))
    assert (answer.text, answer.error) == ("yes", "")


@pytest.mark.parametrize(
    ("error", "said"),
    [
        ({"code": 502, "message": "gone upstream"}, "the server broke the answer off (status 502, gone upstream)"),
        (None, "off"),
    ],
)
def test_an_answer_that_a_server_broke_off_is_asked_for_again(httpserver: HTTPServer, error: object, said: str) -> None:
    """It was scored as an empty one."""
    broken = good(text="", finish="error") | {"usage": None}
    broken["choices"][0]["error"] = error
    httpserver.expect_ordered_request(PATH).respond_with_json(broken)
    httpserver.expect_ordered_request(PATH).respond_with_json(good())
    assert ask(endpoint(httpserver)).text == "yes"
    httpserver.expect_request(PATH).respond_with_json(broken)
    answer = ask(endpoint(httpserver, retries=0))
    assert answer.error.endswith(f"{said}.")
    assert answer.billed, "it had begun"


@pytest.mark.parametrize("fault", FAULTS.values(), ids=FAULTS.keys())
def test_a_lasting_fault_ends_as_an_error_after_the_retries(httpserver: HTTPServer, fault: Response) -> None:
    httpserver.expect_request(PATH).respond_with_response(fault)
    answer = ask(endpoint(httpserver, retries=1))
    assert answer.text == ""
    assert "Tried 2 times in vain" in answer.error
    assert len(httpserver.log) == 2


def test_a_server_that_does_not_answer_in_time(httpserver: HTTPServer) -> None:
    def slow(request: Request) -> Response:
        time.sleep(0.8)
        return Response(json.dumps(good()), content_type="application/json")

    httpserver.expect_request(PATH).respond_with_handler(slow)
    answer = ask(endpoint(httpserver, timeout_s=0.2, retries=0))
    assert answer.error.endswith(": no answer in time. `timeout_s` gives it 0.2 seconds.")


def test_no_server_at_all() -> None:
    model = EndpointModel(name="gone", base_url=f"http://127.0.0.1:{free_port()}/v1", model="m", retries=0)
    assert "gone at 127.0.0.1:" in ask(model).error
    assert "no connection" in ask(model).error


def test_a_bad_request_is_not_repeated(httpserver: HTTPServer) -> None:
    httpserver.expect_request(PATH).respond_with_json({"error": {"message": "context too long"}}, status=400)
    answer = ask(endpoint(httpserver))
    assert "context too long" in answer.error
    assert len(httpserver.log) == 1


REASONS = {
    "OpenRouter": (
        200,
        {"error": {"message": "no", "code": 400, "metadata": {"raw": "too long a prompt"}}},
        "status 400, no (too",
    ),
    "LM Studio": (
        200,
        {"error": "Unexpected endpoint or method. (POST /x)"},
        "status 404, Unexpected endpoint or method. (POST /x)",
    ),
    "another": (200, {"error": "no room"}, "status 200, no room. Tried 2"),
    "Gemini": (400, [{"error": {"code": 400, "message": "too hot"}}], "status 400, too hot"),
    "xAI": (400, {"code": "Client specified an invalid argument", "error": "too hot"}, "status 400, too hot"),
    "FastAPI": (422, {"detail": [{"loc": ["body", "n"], "msg": "too many"}]}, "status 422, too many (body.n)"),
    "a page": (418, "<html><title>Not</title>here</html>", "status 418, Not here"),
    "nothing": (418, {}, "status 418."),
}


@pytest.mark.parametrize(("status", "body", "said"), REASONS.values(), ids=REASONS.keys())
def test_a_refusal_says_why_in_whatever_form_it_comes_and_costs_nothing(
    httpserver: HTTPServer, status: int, body: object, said: str
) -> None:
    """But for one that is asked again, since nobody says that no answer was begun."""
    text = body if isinstance(body, str) else json.dumps(body)
    httpserver.expect_request(PATH).respond_with_data(text, status=status, content_type="application/json")
    answer = ask(endpoint(httpserver, retries=1))
    assert f": {said}" in answer.error
    assert answer.billed == ("Tried 2" in said)
    assert len(httpserver.log) == (2 if "Tried 2" in said else 1)


MISTRAL = {
    "object": "error",
    "message": {
        "detail": [
            {"type": "extra_forbidden", "loc": ["body", name], "msg": "Extra inputs are not permitted"}
            for name in ("logprobs", "top_logprobs", "seed")
        ]
    },
}


def test_a_parameter_that_is_refused_in_another_form_is_left_out(
    httpserver: HTTPServer, caplog: pytest.LogCaptureFixture
) -> None:
    def picky(request: Request) -> Response:
        bad = {"logprobs", "seed"} & request.get_json().keys()
        return Response(json.dumps(MISTRAL if bad else good()), 422 if bad else 200, content_type="application/json")

    httpserver.expect_request(PATH).respond_with_handler(picky)
    model = endpoint(httpserver)
    for seed in (1, 2):
        ((_, answer),) = model.generate([PROMPT], 5, dataclasses.replace(WISHED, temperature=0.7, seed=seed))
        assert answer.text == "yes"
        assert "response_format" in httpserver.log[-1][0].get_json(), "it was not that"
    assert ["seed" in request.get_json() for request, _ in httpserver.log] == [True, False, False]
    assert [record.getMessage() for record in caplog.records if record.name == "strategies.models.wishes"] == [
        "hosted states no likeliest tokens (logprobs): its answers come without probabilities",
        "hosted takes no seed: its server draws answers with its own",
    ]


@pytest.mark.parametrize("status", [401, 403, 404])
def test_a_refusal_of_everything_ends_the_rest_without_asking(httpserver: HTTPServer, status: int) -> None:
    said = {"error": {"message": f"wrong key {CANARY}"}}
    httpserver.expect_request(PATH).respond_with_json(said, status=status)
    answers = list(endpoint(httpserver, concurrency=1).generate([PROMPT] * 30, 5, Sampling()))
    assert len(answers) == 30
    assert all(str(status) in answer.error for _, answer in answers)
    assert len(httpserver.log) == 1
    assert CANARY not in repr(answers)


BY_FILTERS = {
    "OpenRouter": (
        {"error": {"code": 403, "message": "Your chosen model requires moderation and your input was flagged"}},
        "declined",
    ),
    "xAI": ({"code": "The caller does not have permission", "error": "Content violates usage guidelines."}, "declined"),
    "Together": ({"error": {"message": "input tokens + max_tokens exceed the context length"}}, "lasting"),
    "no reason": ({}, ""),
}


@pytest.mark.parametrize(("body", "what"), BY_FILTERS.values(), ids=BY_FILTERS.keys())
def test_one_message_that_is_refused_as_a_key_would_be_ends_no_other_question(
    httpserver: HTTPServer, body: object, what: str
) -> None:
    def filtering(request: Request) -> Response:
        bad = request.get_json()["messages"][0]["content"] == "kill it"
        return Response(json.dumps(body if bad else good()), 403 if bad else 200, content_type="application/json")

    httpserver.expect_request(PATH).respond_with_handler(filtering)
    model = endpoint(httpserver, concurrency=1)
    found = dict(model.generate([PROMPT, (Message("user", "kill it"),), PROMPT], 5, Sampling()))
    assert [each.text for each in found.values()] == ["yes", "", "yes"]
    assert (found[1].lasting, found[1].declined) == (what == "lasting", what == "declined")
    assert "Check the key" not in found[1].error


OF_ALL: dict[str, tuple[int, object, bool]] = {
    "Anthropic, credit": (
        400,
        {
            "error": {
                "type": "invalid_request_error",
                "message": "Your credit balance is too low. Go to Plans & Billing",
            }
        },
        False,
    ),
    "Anthropic, limit": (400, {"error": {"message": "You have reached your specified API usage limits."}}, False),
    "LiteLLM": (
        400,
        {"error": {"message": "Budget has been exceeded!", "type": "budget_exceeded", "code": "400"}},
        False,
    ),
    "Gemini": (400, [{"error": {"code": 400, "message": "API key not valid. Please pass a valid API key."}}], True),
    "OpenRouter": (402, {"error": {"code": 402, "message": "Insufficient credits"}}, False),
    "Azure": (
        403,
        {"error": {"message": "Your resource was blocked: behavior that may violate our content policy"}},
        True,
    ),
    "OpenAI": (403, {"error": {"message": "Your access was terminated due to violation of our policies"}}, True),
    "its limit on a key": (403, {"error": {"code": 403, "message": "Key limit exceeded (monthly limit)"}}, False),
}


@pytest.mark.parametrize(("status", "body", "key"), OF_ALL.values(), ids=OF_ALL.keys())
def test_money_that_is_used_up_and_a_wrong_key_are_no_refusal_of_one_request(
    httpserver: HTTPServer, status: int, body: object, key: bool
) -> None:
    """It would be lost for good, and count in the checks as an answer that changed."""
    httpserver.expect_ordered_request(PATH).respond_with_json(good())
    httpserver.expect_request(PATH).respond_with_json(body, status=status)
    found = dict(endpoint(httpserver, concurrency=1).generate([PROMPT] * 4, 5, WISHED))
    assert [(each.text, each.lasting) for each in found.values()] == [("yes", False)] + [("", False)] * 3
    assert ("Check the key in OPENAI_API_KEY" in found[3].error) is key
    assert len(httpserver.log) == 2


@pytest.mark.parametrize(
    "said",
    ["no enum value 'billing' in answer", "thinking.budget_tokens: Input should be greater", "too long a context"],
)
def test_a_request_that_names_money_otherwise_is_refused_for_itself(httpserver: HTTPServer, said: str) -> None:
    httpserver.expect_request(PATH).respond_with_json({"error": {"message": said}}, status=400)
    found = dict(endpoint(httpserver, concurrency=1).generate([PROMPT] * 2, 5, Sampling()))
    assert [each.lasting for each in found.values()] == [True, True]


def test_a_refusal_of_many_texts_is_read_in_part() -> None:
    """Of 19 MB in lists within lists it took minutes to read."""
    many: object = "no " * 1000
    for _ in range(4):
        many = [many] * 8
    assert len(refusals.read(400, {"detail": many}).said) <= refusals.READ


def test_an_account_that_is_closed_later_ends_the_rest(httpserver: HTTPServer) -> None:
    httpserver.expect_ordered_request(PATH).respond_with_json(good())
    said = {"error": {"message": "Your account was suspended, since it violates our terms"}}
    httpserver.expect_ordered_request(PATH).respond_with_json(said, status=403)
    found = dict(endpoint(httpserver, concurrency=1).generate([PROMPT] * 4, 5, Sampling()))
    assert [(each.text, each.lasting) for each in found.values()] == [("yes", False)] + [("", False)] * 3
    assert len(httpserver.log) == 2


def test_a_key_that_a_server_repeats_is_taken_out(httpserver: HTTPServer) -> None:
    """Of errors before they are shortened, and of answers and what else was likely there."""
    answer = good(text=f"Bearer {CANARY}!")
    answer["choices"][0]["logprobs"] = {"content": [{**ODDS, "token": CANARY}]}
    httpserver.expect_ordered_request(PATH).respond_with_json(answer)
    for filler in range(250, 310, 3):
        said = {"error": {"message": f"{'x' * filler} {CANARY}"}}
        httpserver.expect_ordered_request(PATH).respond_with_json(said, status=400)
    model = endpoint(httpserver, concurrency=1)
    found = dict(model.generate([PROMPT] * 21, 5, Sampling()))
    assert (found[0].text, found[0].places[0].chosen) == ("Bearer [key]!", "[key]")
    assert [completion.error for completion in found.values() if CANARY[:5] in repr(completion)] == []
    assert all(found[index].error for index in range(1, 21))


def test_a_key_that_might_be_any_word_stays_in_answers(httpserver: HTTPServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "yes")
    httpserver.expect_request(PATH).respond_with_json(good())
    assert ask(endpoint(httpserver)).text == "yes"


@pytest.mark.parametrize("around", ["{}\n", " {}\r\n", "\n{}"])
def test_a_key_that_was_read_with_its_line_break_is_sent_without(
    around: str, httpserver: HTTPServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The HTTP library refuses such a header, and repeats it in its fault."""
    monkeypatch.setenv("OPENAI_API_KEY", around.format(CANARY))
    httpserver.expect_request(PATH).respond_with_json(good(text=f"Bearer {CANARY}!"))
    answer = ask(endpoint(httpserver))
    assert (answer.text, answer.error) == ("Bearer [key]!", "")
    assert httpserver.log[0][0].headers["Authorization"] == f"Bearer {CANARY}"


@pytest.mark.parametrize("odd", ["\u201c", "\n", "\x7f"])
def test_a_key_that_no_header_holds_is_refused_and_not_repeated(
    odd: str, httpserver: HTTPServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", f"{CANARY}{odd}more")
    with pytest.raises(
        ModelUnavailable, match="in the environment variable OPENAI_API_KEY holds a character"
    ) as caught:
        ask(endpoint(httpserver))
    assert CANARY[:5] not in str(caught.value)
    assert not httpserver.log


def test_a_key_is_taken_out_as_python_quotes_it_too(httpserver: HTTPServer, monkeypatch: pytest.MonkeyPatch) -> None:
    key = f"{CANARY}\\n'\"x"
    monkeypatch.setenv("OPENAI_API_KEY", key)
    said = {"error": {"message": f"illegal: {key!r} and {key}"}}
    httpserver.expect_request(PATH).respond_with_json(said, status=400)
    answer = ask(endpoint(httpserver))
    assert "illegal: '[key]' and [key]" in answer.error


def test_the_key_is_nowhere_but_in_the_request(httpserver: HTTPServer) -> None:
    model = endpoint(httpserver)
    assert CANARY not in repr(model)
    assert CANARY not in model.fingerprint
    with pytest.raises(ValueError, match="holds a secret") as caught:
        EndpointModel(name="x", base_url=f"https://me:{CANARY}@example.org/v1", model="m")
    assert CANARY not in str(caught.value)


def test_a_password_in_an_address_that_cannot_be_is_not_repeated() -> None:
    with pytest.raises(ValueError, match=r"base_url is 'htps://example\.org/v1'; write it as"):
        EndpointModel(name="x", base_url=f"htps://me:{CANARY}@example.org/v1", model="m")


def test_a_server_elsewhere_needs_a_key(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("MY_KEY", raising=False)
    model = EndpointModel(name="far", base_url="https://example.invalid/v1", model="m", key_env="MY_KEY")
    with pytest.raises(ModelUnavailable, match="environment variable MY_KEY"):
        ask(model)


@pytest.mark.parametrize(
    ("base_url", "local"),
    [
        ("http://127.0.0.1:8000/v1", True),
        ("http://localhost:8000/v1", True),
        ("http://[::1]:8000/v1", True),
        ("http://0.0.0.0:8000/v1", False),
        ("http://192.168.0.4/v1", False),
        ("https://127.0.0.1.example.org/v1", False),
        ("https://localhost.example.org/v1", False),
        ("http://llm.localhost:8000/v1", False),
    ],
)
def test_only_loopback_counts_as_staying_here(base_url: str, local: bool) -> None:
    """Of a name that merely resolves to it prices once said that it is here, and whoever sends data that it is not."""
    assert EndpointModel(name="x", base_url=base_url, model="m").local is local
    assert is_elsewhere(ModelSpec(name="x", endpoint=base_url)) is not local


def test_a_redirect_is_not_followed(httpserver: HTTPServer) -> None:
    elsewhere = httpserver.url_for("/stolen")
    httpserver.expect_request(PATH).respond_with_data("", status=307, headers={"Location": elsewhere})
    assert "307" in ask(endpoint(httpserver)).error
    assert [request.path for request, _ in httpserver.log] == [PATH]


def test_requests_run_at_once_and_come_back_as_they_finish(httpserver: HTTPServer) -> None:
    def by_content(request: Request) -> Response:
        text = request.get_json()["messages"][0]["content"]
        time.sleep(0.6 if text == "0" else 0.1)
        return Response(json.dumps(good(text)), content_type="application/json")

    httpserver.expect_request(PATH).respond_with_handler(by_content)
    prompts = [(Message("user", str(number)),) for number in range(4)]
    answers = list(endpoint(httpserver, concurrency=2).generate(prompts, 5, Sampling()))
    assert {index: answer.text for index, answer in answers} == {index: str(index) for index in range(4)}
    assert answers[-1][0] == 0


def test_requests_at_once_share_the_time_that_passes(httpserver: HTTPServer) -> None:
    def slow(request: Request) -> Response:
        time.sleep(0.3)
        return Response(json.dumps(good()), content_type="application/json")

    httpserver.expect_request(PATH).respond_with_handler(slow)
    start = time.perf_counter()
    answers = list(endpoint(httpserver, concurrency=4).generate([PROMPT] * 4, 5, Sampling()))
    passed = time.perf_counter() - start
    spent = sum(done.usage.seconds for _, done in answers)
    assert 0.25 <= spent <= passed, "not 1.2 seconds"


def test_each_second_is_divided_among_those_that_are_under_way() -> None:
    clock = iter([0.0, 4.0, 6.0, 10.0, 20.0, 21.0])
    together = Together(clock=lambda: next(clock))
    first = together.begin()
    second = together.begin()
    assert together.end(first) == 4.0 + 1.0
    assert together.end(second) == 1.0 + 4.0
    third = together.begin()
    assert together.end(third) == 1.0, "nothing was under way before it"


def test_a_reader_that_stops_early_stops_the_asking(httpserver: HTTPServer) -> None:
    httpserver.expect_request(PATH).respond_with_json(good())
    answers = endpoint(httpserver, concurrency=2).generate([PROMPT] * 50, 5, Sampling())
    next(answers)
    answers.close()  # type: ignore[attr-defined]
    assert len(httpserver.log) < 10


@pytest.mark.parametrize(
    "error",
    [
        {"message": "use max_completion_tokens", "code": "unsupported_parameter", "param": "max_tokens"},
        {
            "message": "AzureException - no 'max_tokens'. Use 'max_completion_tokens' instead.",
            "param": None,
            "code": "400",
        },
    ],
    ids=["OpenAI", "LiteLLM"],
)
def test_a_server_that_wants_the_newer_name_of_the_limit(httpserver: HTTPServer, error: object) -> None:
    def newer(request: Request) -> Response:
        if "max_tokens" in request.get_json():
            return Response(json.dumps({"error": error}), status=400, content_type="application/json")
        return Response(json.dumps(good()), content_type="application/json")

    httpserver.expect_request(PATH).respond_with_handler(newer)
    answers = list(endpoint(httpserver, concurrency=1).generate([PROMPT] * 3, 5, Sampling()))
    assert [answer.text for _, answer in answers] == ["yes"] * 3
    assert len(httpserver.log) == 4


@pytest.mark.parametrize("code", ["unsupported_value", None])
def test_a_model_that_takes_no_temperature_draws_at_its_own_and_that_is_said(
    code: str | None, httpserver: HTTPServer, caplog: pytest.LogCaptureFixture
) -> None:
    def own(request: Request) -> Response:
        if "temperature" in request.get_json():
            error = {
                "message": "'temperature' does not support 0 with this model",
                "code": code,
                "param": "temperature",
            }
            return Response(json.dumps({"error": error}), status=400, content_type="application/json")
        return Response(json.dumps(good()), content_type="application/json")

    httpserver.expect_request(PATH).respond_with_handler(own)
    answers = list(endpoint(httpserver, concurrency=1).generate([PROMPT] * 3, 5, WISHED))
    assert [(answer.text, answer.error) for _, answer in answers] == [("yes", "")] * 3
    assert len(httpserver.log) == 4
    assert all("logprobs" in request.get_json() for request, _ in httpserver.log)
    said = [record.getMessage() for record in caplog.records if record.name == "strategies.models.wishes"]
    assert said == ["hosted takes no temperature: its server draws answers at its own"]


ODDS = {"logprob": -0.1, "top_logprobs": [{"token": "no", "logprob": -2.3}, {"token": "yes", "logprob": -0.1}]}
WISHED = Sampling(alternatives=20, schema='{"type": "object", "properties": {}}')


def test_what_the_server_states_of_each_token_is_kept(httpserver: HTTPServer) -> None:
    answer = good()
    answer["choices"][0]["logprobs"] = {"content": [{"token": "yes", **ODDS}]}
    httpserver.expect_request(PATH).respond_with_json(answer)
    ((_, completion),) = endpoint(httpserver).generate([PROMPT], 5, WISHED)
    assert completion.places == (Place(chosen="yes", likely={"no": -2.3, "yes": -0.1}),)
    sent = httpserver.log[0][0].get_json()
    assert (sent["logprobs"], sent["top_logprobs"]) == (True, 20)
    assert sent["response_format"]["json_schema"]["schema"] == {"type": "object", "properties": {}}


def test_half_a_character_in_a_token_or_an_error_is_kept_as_a_whole_one(httpserver: HTTPServer) -> None:
    """Found by fuzzing: no file takes it."""
    answer = good()
    halves = [{"token": "\udc00", "logprob": -2.0}]
    answer["choices"][0]["logprobs"] = {"content": [{"token": "\ud800", "logprob": -0.1, "top_logprobs": halves}]}
    httpserver.expect_request(PATH).respond_with_data(json.dumps(answer), content_type="application/json")
    ((_, completion),) = endpoint(httpserver).generate([PROMPT], 5, WISHED)
    assert [place.chosen for place in completion.places] == ["\ufffd"]
    assert set(completion.places[0].likely) == {"\ufffd"}
    httpserver.clear()
    error = json.dumps({"error": {"message": "no \ud800 here"}})
    httpserver.expect_request(PATH).respond_with_data(error, status=400, content_type="application/json")
    assert "no \ufffd here" in ask(endpoint(httpserver)).error


@pytest.mark.parametrize("copies", [True, False])
def test_a_server_that_takes_them_gets_the_words_of_each_request_in_its_schema(
    httpserver: HTTPServer, copies: bool
) -> None:
    httpserver.expect_request(PATH).respond_with_json(good())
    schema = {"type": "object", "properties": {"city": {"type": "string", COPIED: 2}}}
    prompts = [(Message("user", f"Where? {city}", asked=city),) for city in ("Bonn", "Rome")]
    list(endpoint(httpserver, copies=copies, concurrency=1).generate(prompts, 5, Sampling(schema=json.dumps(schema))))
    sent = [
        log[0].get_json()["response_format"]["json_schema"]["schema"]["properties"]["city"] for log in httpserver.log
    ]
    assert sent == [{"type": "string"} | ({"pattern": f"^({city})$"} if copies else {}) for city in ("Bonn", "Rome")]


@pytest.mark.parametrize("log", [None, "much", 3.0, float("nan")])
def test_what_cannot_be_a_log_probability_is_left_out(httpserver: HTTPServer, log: object) -> None:
    answer = good()
    answer["choices"][0]["logprobs"] = {"content": [{"token": "yes", "logprob": log, "top_logprobs": []}]}
    httpserver.expect_request(PATH).respond_with_data(json.dumps(answer), content_type="application/json")
    ((_, completion),) = endpoint(httpserver).generate([PROMPT], 5, WISHED)
    assert (completion.text, completion.places) == ("yes", ())


def test_nothing_is_asked_for_that_nobody_needs(httpserver: HTTPServer) -> None:
    httpserver.expect_request(PATH).respond_with_json(good())
    list(endpoint(httpserver).generate([PROMPT], 5, Sampling(schema='{"type": "string", "pattern": "a+"}')))
    assert not {"logprobs", "top_logprobs", "response_format"} & set(httpserver.log[0][0].get_json())


PATTERN = Sampling(schema='{"type": "string", "pattern": "^(?:a+)$"}')


def test_vllm_is_sent_the_pattern_of_plain_text_beside_what_else_it_is_told(httpserver: HTTPServer) -> None:
    httpserver.expect_request(PATH).respond_with_json(good())
    more = {"chat_template_kwargs": {"enable_thinking": False}}
    for extra in ({}, more):
        list(endpoint(httpserver, copies=True, extra_body=extra).generate([PROMPT], 5, PATTERN))
    first, second = (request.get_json() for request, _ in httpserver.log)
    assert first["structured_outputs"] == second["structured_outputs"] == {"regex": "^(?:a+)$"}
    assert second["chat_template_kwargs"] == more["chat_template_kwargs"]
    assert not {"response_format", "extra_body"} & set(second)


def test_a_pattern_that_vllm_cannot_follow_is_said_and_answers_go_on(
    httpserver: HTTPServer, caplog: pytest.LogCaptureFixture
) -> None:
    def picky(request: Request) -> Response:
        bad = "structured_outputs" in request.get_json()
        told = {"error": {"message": "Grammar error: look-ahead is not supported"}} if bad else good()
        return Response(json.dumps(told), status=400 if bad else 200, content_type="application/json")

    httpserver.expect_request(PATH).respond_with_handler(picky)
    answers = list(endpoint(httpserver, copies=True, concurrency=1).generate([PROMPT] * 2, 5, PATTERN))
    assert [answer.text for _, answer in answers] == ["yes"] * 2
    assert len(httpserver.log) == 3
    said = "hosted takes no such regular expression (structured_outputs): its answers are not held to it"
    assert said in caplog.messages


@pytest.mark.parametrize(("text", "ended", "told"), [("yes", "stop", 1), ("aaa", "stop", 0), ("aab", "length", 0)])
def test_a_server_that_leaves_the_pattern_is_told_by_its_answers(
    httpserver: HTTPServer, caplog: pytest.LogCaptureFixture, text: str, ended: str, told: int
) -> None:
    """A vLLM of before 0.12 knows another name for it, and takes no notice of this one."""
    httpserver.expect_request(PATH).respond_with_json(good(text, ended))
    list(endpoint(httpserver, copies=True).generate([PROMPT] * 3, 5, PATTERN))
    assert sum("(structured_outputs): its answers are not held to it" in said for said in caplog.messages) == told
    assert len(httpserver.log) == 3


@pytest.mark.parametrize("status", [400, 403, 422])
def test_a_server_that_cannot_do_so_answers_without(httpserver: HTTPServer, status: int) -> None:
    def plain(request: Request) -> Response:
        for name in ("response_format", "logprobs"):
            if name in request.get_json():
                error = {"error": {"message": f"'{name}' is not supported with this model"}}
                return Response(json.dumps(error), status=status, content_type="application/json")
        return Response(json.dumps(good()), content_type="application/json")

    httpserver.expect_request(PATH).respond_with_handler(plain)
    answers = list(endpoint(httpserver, concurrency=1, retries=0).generate([PROMPT] * 3, 5, WISHED))
    assert [(answer.text, answer.error) for _, answer in answers] == [("yes", "")] * 3
    assert len(httpserver.log) == 5


def test_a_server_that_refuses_without_a_name_is_asked_in_plain(
    httpserver: HTTPServer, caplog: pytest.LogCaptureFixture
) -> None:
    def picky(request: Request) -> Response:
        bad = "logprobs" in request.get_json() or request.get_json()["messages"][0]["content"] == "too long"
        told = {"error": {"message": "Invalid request"}} if bad else good()
        return Response(json.dumps(told), status=400 if bad else 200, content_type="application/json")

    httpserver.expect_request(PATH).respond_with_handler(picky)
    prompts = [(Message("user", "too long"),), PROMPT, PROMPT]
    answers = dict(endpoint(httpserver, concurrency=1, retries=0).generate(prompts, 5, WISHED))
    assert [bool(answers[index].error) for index in range(3)] == [True, False, False]
    assert len(httpserver.log) == 5, "two tries for each of the first two; the third is asked in plain at once"
    assert "hosted takes no schema (response_format): its answers are not held to one" in caplog.messages


def test_one_generation_that_failed_ends_no_wish_that_was_granted_before(
    httpserver: HTTPServer, caplog: pytest.LogCaptureFixture
) -> None:
    """As Groq says it, now and then; it names no parameter."""

    def failing(request: Request) -> Response:
        bad = len(httpserver.log) == 1
        told = {"error": {"message": "Failed to generate JSON.", "code": "json_validate_failed"}} if bad else good()
        return Response(json.dumps(told), status=400 if bad else 200, content_type="application/json")

    httpserver.expect_request(PATH).respond_with_handler(failing)
    model = endpoint(httpserver, concurrency=1)
    assert [answer.text for _, answer in model.generate([PROMPT] * 3, 5, WISHED)] == ["yes"] * 3
    asked = ["response_format" in request.get_json() for request, _ in httpserver.log]
    assert asked == [True, True, False, True]
    assert not [record for record in caplog.records if record.name == "strategies.models.wishes"]


def test_what_a_server_refused_once_is_not_asked_for_by_later_calls_of_the_same_client(
    httpserver: HTTPServer,
) -> None:
    """A request that is timed by itself is one round trip, of the server and not of the client."""

    def newer(request: Request) -> Response:
        for name in ("max_tokens", "temperature", "logprobs", "response_format"):
            if name in request.get_json():
                error = {"message": f"no {name}", "code": "unsupported_parameter", "param": name}
                return Response(json.dumps({"error": error}), status=400, content_type="application/json")
        return Response(json.dumps(good()), content_type="application/json")

    httpserver.expect_request(PATH).respond_with_handler(newer)
    model = endpoint(httpserver, concurrency=1)
    client = model.client
    for _ in range(3):
        assert [answer.error for _, answer in model.generate([PROMPT], 5, WISHED)] == [""]
    assert len(httpserver.log) == 4 + 3
    assert model.client is client
    again = pickle.loads(pickle.dumps(model))
    assert (again, again.learnt.limit_field) == (model, "max_tokens")


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [({}, None), ({"retry-after": "3"}, 3.0), ({"retry-after-ms": "250"}, 0.25), ({"retry-after": "soon"}, None)],
)
def test_how_long_a_server_asks_to_wait(headers: dict[str, str], seconds: float | None) -> None:
    assert asked_wait(headers) == seconds


def test_a_wait_until_a_date_in_the_past_is_no_wait() -> None:
    assert asked_wait({"retry-after": "Wed, 21 Oct 2015 07:28:00 GMT"}) == 0.0


def test_cut_and_count_agree_and_keep_characters_whole(httpserver: HTTPServer) -> None:
    model = endpoint(httpserver)
    assert model.cut("äöüäöü", 2) == "äöüä"
    assert model.cut("short", 100) == "short"


# ---------------------------------------------------------------- a real server


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextmanager
def served(folder: Path, log: Path) -> Iterator[str]:
    """`transformers serve` (extra `serving`) on a free port, with one model loaded."""
    port = free_port()
    program = "from transformers.cli.transformers import main; main()"
    command = [sys.executable, "-c", program, "serve", str(folder), "--host", "127.0.0.1", "--port", str(port)]
    environment = {**os.environ, "HF_HUB_OFFLINE": "1"}
    with log.open("wb") as out:
        process = subprocess.Popen([*command, "--device", "cpu"], stdout=out, stderr=subprocess.STDOUT, env=environment)
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        deadline = time.monotonic() + 120
        while time.monotonic() < deadline:
            assert process.poll() is None, log.read_text(errors="replace")[-2000:]
            try:
                opener.open(f"http://127.0.0.1:{port}/health", timeout=2).close()
                break
            except OSError:
                time.sleep(0.5)
        yield f"http://127.0.0.1:{port}/v1"
    finally:
        process.terminate()
        process.wait(timeout=30)


@pytest.mark.slow
def test_a_real_server_answers_as_the_same_model_does_here(tmp_path: Path) -> None:
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer

    folder = resolve("smollm2-135m").folder
    prompts = [
        (Message("user", "What is the capital of France? Answer in one word."),),
        (Message("user", "Write the word hello."),),
    ]
    with served(folder, tmp_path / "serve.log") as base_url:
        model = EndpointModel(name="served", base_url=base_url, model=str(folder), timeout_s=120)
        answers = dict(model.generate(prompts, 12, Sampling()))
    assert [answers[index].error for index in (0, 1)] == ["", ""]
    assert "Paris" in answers[0].text

    tokenizer: Any = AutoTokenizer.from_pretrained(folder)
    local: Any = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32)
    for index, prompt in enumerate(prompts):
        messages = [{"role": message.role, "content": message.content} for message in prompt]
        ids = tokenizer.apply_chat_template(
            messages, add_generation_prompt=True, return_tensors="pt", return_dict=True
        )["input_ids"]
        assert answers[index].usage.prompt_tokens == ids.shape[1]
        drawn = local.generate(ids, max_new_tokens=12, do_sample=False)[0, ids.shape[1] :]
        assert answers[index].text.strip() == tokenizer.decode(drawn, skip_special_tokens=True).strip()
