"""A server that is gone for every question: it is waited for together, and given up once instead of for each question."""

from __future__ import annotations

import dataclasses
import json
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator

import pytest
from pytest_httpserver import HTTPServer
from werkzeug import Request, Response

from strategies.contract import Completion, Message, Sampling
from strategies.models import outage, retry
from strategies.models.endpoint import EndpointModel
from tests.strategies.test_endpoint import PATH, good

PROMPTS = [(Message("user", f"question {number}"),) for number in range(60)]
ABSENT = Response("gone", status=503)
OVERLOADED = Response("overloaded", status=529)


@pytest.fixture(autouse=True)
def _short(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(retry, "FIRST_WAIT_S", 0.01)
    monkeypatch.setattr(outage, "FIRST_WAIT_S", 0.05)
    monkeypatch.setattr(outage, "LONGEST_WAIT_S", 0.2)


@pytest.fixture
def server() -> Iterator[HTTPServer]:
    with HTTPServer(threaded=True) as made:
        yield made


def model_on(server: HTTPServer, answer: Callable[[Request], Response]) -> EndpointModel:
    server.expect_request(PATH).respond_with_handler(answer)
    return EndpointModel(name="m", base_url=server.url_for("/v1"), model="m", concurrency=4, retries=2, timeout_s=20)


def ask(model: EndpointModel, count: int = len(PROMPTS)) -> list[Completion]:
    return [found for _, found in sorted(model.generate(PROMPTS[:count], 5, Sampling()), key=lambda pair: pair[0])]


def right() -> Response:
    return Response(json.dumps(good()), content_type="application/json")


@pytest.mark.parametrize("absent", [ABSENT, OVERLOADED], ids=["503", "529"])
def test_gone_for_longer_than_a_question_is_retried_it_costs_no_answer(
    absent: Response, server: HTTPServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(outage, "A_RETRY_S", 100.0)
    back = time.monotonic() + 1.5

    def answer(request: Request) -> Response:
        return right() if time.monotonic() > back else absent

    assert [found.text for found in ask(model_on(server, answer))] == ["yes"] * len(PROMPTS)


def test_one_that_does_not_come_back_is_given_up_once(server: HTTPServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(outage, "A_RETRY_S", 0.3)
    model = model_on(server, lambda request: ABSENT)
    found = ask(model)
    assert all("gone for every question, and is not asked any more" in each.error for each in found[10:])
    assert all(each.error for each in found)
    asked = len(server.log)
    assert asked < len(PROMPTS)
    ask(model)
    assert len(server.log) - asked <= 2 * model.concurrency, "the next call asks whether it is back, and no more"


def test_one_that_is_too_slow_is_not_called_gone(server: HTTPServer, monkeypatch: pytest.MonkeyPatch) -> None:
    """It took every request, so there is a limit to raise and no server to look for."""
    monkeypatch.setattr(outage, "A_RETRY_S", 0.3)

    def slow(request: Request) -> Response:
        time.sleep(0.4)
        return right()

    found = ask(dataclasses.replace(model_on(server, slow), timeout_s=0.1), 12)
    said = "`timeout_s` gives it 0.1 seconds. It was too slow for every question, and is not asked any more."
    assert found[-1].error.endswith(said)


def test_once_it_is_back_it_is_asked_again(server: HTTPServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(outage, "A_RETRY_S", 0.2)
    gone = threading.Event()
    gone.set()
    model = model_on(server, lambda request: ABSENT if gone.is_set() else right())
    assert all(each.error for each in ask(model))
    gone.clear()
    assert not any(each.error for each in ask(model))


BROKEN_OFF = json.dumps({"choices": [{"finish_reason": "error", "error": {"code": 502}, "message": {"content": ""}}]})


@pytest.mark.parametrize(
    "fault",
    [
        Response("oops", status=500),
        Response("<html>", content_type="text/html"),
        Response(BROKEN_OFF, content_type="application/json"),
    ],
)
def test_a_server_that_answers_badly_is_there(
    fault: Response, server: HTTPServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(outage, "A_RETRY_S", 0.0)
    model = model_on(server, lambda request: fault)
    found = ask(model, 10)
    assert all("Tried 3 times in vain" in each.error for each in found)
    assert len(server.log) == 30


@pytest.mark.parametrize("concurrency", [1, 4])
def test_the_first_question_that_nobody_answers_is_not_lost(
    concurrency: int, server: HTTPServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With so few at once its own tries are over before eight in a row have failed."""
    monkeypatch.setattr(outage, "A_RETRY_S", 100.0)
    back = time.monotonic() + 1.0
    model = model_on(server, lambda request: right() if time.monotonic() > back else ABSENT)
    found = ask(dataclasses.replace(model, concurrency=concurrency), 3)
    assert [each.error for each in found] == [""] * 3


BUSY = Response("{}", status=429)
BUSY_AND_SAYS = Response("{}", status=429, headers={"Retry-After": "0.01"})


@pytest.mark.parametrize("busy", [BUSY, BUSY_AND_SAYS], ids=["says nothing", "says for how long"])
@pytest.mark.parametrize("concurrency", [1, 8])
def test_a_limit_for_a_while_loses_no_answer(concurrency: int, busy: Response, server: HTTPServer) -> None:
    """Six answers in each second, then none; the retries of a question are over after a fiftieth of it."""
    answered: Counter[int] = Counter()
    lock = threading.Lock()

    def limited(request: Request) -> Response:
        second = int(time.monotonic())
        with lock:
            if answered[second] == 6:
                return busy
            answered[second] += 1
        return right()

    found = ask(dataclasses.replace(model_on(server, limited), concurrency=concurrency), 16)
    assert [each.error for each in found] == [""] * 16


@pytest.mark.parametrize(
    ("busy", "said"), [(BUSY, "too busy for every question"), (BUSY_AND_SAYS, "in vain")], ids=["silent", "says"]
)
def test_a_limit_that_does_not_end_is_given_up(
    busy: Response, said: str, server: HTTPServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(outage, "A_RETRY_S", 0.2)
    monkeypatch.setattr(retry, "A_RETRY_S", 0.2)
    started = time.monotonic()
    found = ask(model_on(server, lambda request: busy), 8)
    assert all(each.error for each in found)
    assert said in found[-1].error
    assert time.monotonic() - started < 30


@pytest.mark.parametrize(
    "named",
    [
        {"code": "insufficient_quota"},
        {"code": "credit_balance_exhausted"},
        {"code": "project_spend_limit_exceeded"},
        {"code": "organization_usage_limit_exceeded"},
        {"code": None, "type": "insufficient_quota"},
        {"type": "enforced_spend_limit_reached"},
    ],
    ids=str,
)
def test_money_that_is_used_up_is_not_waited_for(named: dict[str, str], server: HTTPServer) -> None:
    said = json.dumps({"error": {"message": "You exceeded your quota", **named}})
    model = model_on(server, lambda request: Response(said, status=429, content_type="application/json"))
    assert all("exceeded your quota" in each.error for each in ask(model, 20))
    assert len(server.log) <= model.concurrency


def test_what_a_server_refuses_for_good_is_told_from_what_it_may_answer_later(server: HTTPServer) -> None:
    said = iter([400, 413, 422, 401, 500, 500, 500])
    model = model_on(server, lambda request: Response("{}", status=next(said)))
    found = [ask(model, 1)[0] for _ in range(5)]
    assert all(each.error for each in found)
    assert [each.lasting for each in found] == [True, True, True, False, False]
