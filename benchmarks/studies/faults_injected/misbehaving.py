"""A server that misbehaves on the first try of each question, or always: what the endpoint makes of it, counted."""

from __future__ import annotations

import json
import socket
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler
from typing import Any, Literal

from benchmarks.studies.faults_injected.server import Quiet, said
from strategies.contract import Message, Sampling
from strategies.models import retry
from strategies.models.endpoint import EndpointModel
from strategies.models.outage import Outage
from strategies.models.retry import Fault

QUESTIONS = 16
RETRIES, CONCURRENCY = 3, 4
TIMEOUT_S, SHORT_S = 20.0, 0.4
"""The second for servers that are too slow, so that no other is taken for one on a machine that is busy."""
SHORT_WAIT_S = 0.02
"""In place of half a second before the first retry, so that the study takes minutes."""
WRONG = "a wrong answer"
Misbehaviour = Callable[[BaseHTTPRequestHandler, str], None]


def reply(handler: BaseHTTPRequestHandler, body: bytes | str, status: int = 200, **headers: str) -> None:
    """A whole reply; a length that is given in `headers` may be a lie."""
    content = body.encode() if isinstance(body, str) else body
    handler.send_response(status)
    usual = {"Content_Type": "application/json", "Content_Length": str(len(content))}
    for name, value in (usual | headers).items():
        handler.send_header(name.replace("_", "-"), value)
    handler.end_headers()
    handler.wfile.write(content)


def right(question: str) -> str:
    return f"answer to {question}"


def whole(question: str) -> str:
    return json.dumps(said(right(question)))


def status(number: int, **headers: str) -> Misbehaviour:
    return lambda handler, question: reply(handler, whole(question), number, **headers)


def body(make: Callable[[str], str | bytes]) -> Misbehaviour:
    return lambda handler, question: reply(handler, make(question))


def _late(handler: BaseHTTPRequestHandler, question: str) -> None:
    time.sleep(2 * SHORT_S)
    reply(handler, whole(question))


def _half_closed(handler: BaseHTTPRequestHandler, question: str) -> None:
    """Says how long the answer is, sends half of it, and goes."""
    content = whole(question)
    reply(handler, content[: len(content) // 2], Content_Length=str(len(content)))
    handler.close_connection = True


def _gone(handler: BaseHTTPRequestHandler, question: str) -> None:
    handler.connection.shutdown(socket.SHUT_RDWR)
    handler.close_connection = True


def _drip(handler: BaseHTTPRequestHandler, question: str) -> None:
    """A byte now and then, each sooner than the client gives up."""
    content = whole(question).encode()
    reply(handler, b"", Content_Length=str(len(content)))
    for place in range(len(content)):
        handler.wfile.write(content[place : place + 1])
        handler.wfile.flush()
        time.sleep(SHORT_S / 20)


def _endless(handler: BaseHTTPRequestHandler, question: str) -> None:
    reply(handler, b"", Content_Length=str(10**12))
    while True:
        handler.wfile.write(b" " * 1_000_000)


def _with(answer: str, value: str) -> str:
    """The answer with one more value, which is JSON and is not read everywhere."""
    return answer.replace('"id": "1"', f'"id": "1", "more": {value}')


FAULTS: Mapping[str, Misbehaviour] = {
    "429 without Retry-After": status(429),
    "429 with Retry-After": status(429, Retry_After="0.05"),
    "429 with Retry-After of a day": status(429, Retry_After="86400"),
    "500": status(500),
    "503": status(503),
    "later than the timeout": _late,
    "closed halfway": _half_closed,
    "closed at once": _gone,
    "a byte at a time": _drip,
    "without end": _endless,
    "JSON cut off": body(lambda question: whole(question)[:60]),
    "no JSON": body(lambda question: "<html>busy</html>"),
    "another JSON": body(lambda question: '{"detail": "busy"}'),
    "a list": body(lambda question: "[]"),
    "no choices": body(lambda question: json.dumps({**said("x"), "choices": []})),
    "nested 200,000 deep": body(lambda question: _with(whole(question), "[" * 200_000 + "]" * 200_000)),
    "a number of 6,000 digits": body(lambda question: _with(whole(question), "9" * 6_000)),
    "choices that are a number": body(lambda question: json.dumps({**said("x"), "choices": 7})),
    "a number as content": body(lambda question: json.dumps(said(7))),  # type: ignore[arg-type]
    "not UTF-8": body(lambda question: whole(question).encode().replace(b"answer", b"\xffanswer")),
    "an empty answer": body(lambda question: json.dumps(said(""))),
    "a wrong answer": body(lambda question: json.dumps(said(WRONG))),
}
TOO_SLOW = ("later than the timeout", "a byte at a time")
ANSWERS = ("an empty answer", "a wrong answer")
"""Answers like any other: asking again until a better one comes would be a better try than the other approaches get."""


@contextmanager
def misbehaving(fault: Misbehaviour, lasting: bool, port: int = 0) -> Iterator[tuple[str, Counter[str]]]:
    """Its address, and how often each question was asked."""
    tries: Counter[str] = Counter()
    lock = threading.Lock()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            question = json.loads(self.rfile.read(int(self.headers["Content-Length"])))["messages"][0]["content"]
            with lock:
                tries[question] += 1
                first = tries[question] == 1
            try:
                (fault if first or lasting else body(whole))(self, question)
            except OSError:
                self.close_connection = True  # The client has given up.

        def log_message(self, *_: Any) -> None: ...

    with Quiet(("127.0.0.1", port), Handler) as server:
        serving = threading.Thread(target=server.serve_forever, daemon=True)
        serving.start()
        try:
            yield f"http://127.0.0.1:{server.server_address[1]}/v1", tries
        finally:
            server.shutdown()
            serving.join()


@contextmanager
def short_waits() -> Iterator[None]:
    before = retry.FIRST_WAIT_S, retry.A_RETRY_S
    retry.FIRST_WAIT_S, retry.A_RETRY_S = SHORT_WAIT_S, 0.0  # A busy server is waited for no longer than any other.
    try:
        yield
    finally:
        retry.FIRST_WAIT_S, retry.A_RETRY_S = before


class Alone(Outage):
    """No outage is ever seen: the retries of single questions are counted here."""

    def waited(self, fault: Fault, stopped: threading.Event) -> Literal["no outage"]:
        return "no outage"


def _by_itself(model: EndpointModel) -> EndpointModel:
    vars(model)["outage"] = Alone(retries=model.retries)
    return model


def asked(name: str, lasting: bool, questions: int = QUESTIONS) -> dict[str, Any]:
    """One row: what came of the questions, and how often the server was asked."""
    with short_waits(), misbehaving(FAULTS[name], lasting) as (address, tries):
        model = _by_itself(
            EndpointModel(
                name="odd",
                base_url=address,
                model="m",
                timeout_s=SHORT_S if name in TOO_SLOW else TIMEOUT_S,
                retries=RETRIES,
                concurrency=CONCURRENCY,
            )
        )
        texts = [f"question {number}" for number in range(questions)]
        started = time.perf_counter()
        found = dict(model.generate([(Message("user", text),) for text in texts], 20, Sampling()))
        seconds = time.perf_counter() - started
    answers = [found[number] for number in range(questions)]
    first = {"a wrong answer": WRONG, "an empty answer": ""}.get(name)
    return {
        "fault": name,
        "lasting": lasting,
        "questions": questions,
        "right": sum(not each.error and each.text == right(text) for each, text in zip(answers, texts, strict=True)),
        "as_first_sent": sum(not each.error and each.text == first for each in answers),
        "errors": sum(bool(each.error) for each in answers),
        "requests": tries.total(),
        "most_tries": max(tries.values()),
        "seconds": round(seconds, 2),
        "said": next((each.error.split(": ", 1)[-1] for each in answers if each.error), ""),
    }


def gone_for(seconds: float, questions: int = QUESTIONS) -> dict[str, Any]:
    """One row: nobody listens at first; then somebody does, at the same address. Waits and retries are the product's own."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = int(free.getsockname()[1])
    model = EndpointModel(
        name="odd", base_url=f"http://127.0.0.1:{port}/v1", model="m", timeout_s=TIMEOUT_S, concurrency=CONCURRENCY
    )
    done, tries = threading.Event(), Counter[str]()

    def open_later() -> None:
        time.sleep(seconds)
        with misbehaving(body(whole), lasting=False, port=port) as (_, count):
            done.wait(TIMEOUT_S + seconds)
            tries.update(count)

    opening = threading.Thread(target=open_later)
    opening.start()
    started = time.perf_counter()
    texts = [f"question {number}" for number in range(questions)]
    found = dict(model.generate([(Message("user", text),) for text in texts], 20, Sampling()))
    took = time.perf_counter() - started
    done.set()
    opening.join()
    return {
        "fault": f"nobody listens for {seconds:g} s",
        "lasting": False,
        "questions": questions,
        "right": sum(
            not found[number].error and found[number].text == right(text) for number, text in enumerate(texts)
        ),
        "as_first_sent": 0,
        "errors": sum(bool(each.error) for each in found.values()),
        "requests": tries.total(),
        "most_tries": max(tries.values(), default=0),
        "seconds": round(took, 2),
        "said": next((each.error for each in found.values() if each.error), ""),
    }
