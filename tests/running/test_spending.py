"""A limit on what servers are paid: kept over threads, failures and resumed runs, and refused where it cannot be kept."""

from __future__ import annotations

import dataclasses
import json
import threading
import time
from collections import Counter
from collections.abc import Callable
from contextlib import closing, suppress
from pathlib import Path
from typing import Any

import openai
import pytest
from pytest_httpserver import HTTPServer
from werkzeug import Request, Response

from advisor.cli.before import say_before
from advisor.experiments.comparison import Wishes, advise, execute_part, prepare
from benchmarks.contract import BadInput
from benchmarks.costs.prices import Tier, TokenPrices
from benchmarks.costs.spending import SPENT, LimitReached, SpendingBudget
from benchmarks.running.sharding import merge
from benchmarks.storage.store import Store
from strategies.contract import Completion, Message, Prompt, Sampling, Usage
from strategies.models import outage, retry
from strategies.models.endpoint import EndpointModel
from tests.conftest import Folders
from tests.desk import call, write_task
from tests.running.test_endpoint_bakeoff import PROMPTED, Service, rows, service  # noqa: F401 - a fixture
from tests.scripted import ScriptedModel
from tests.strategies.test_endpoint import PATH, good

CALL = 40 * 1e-6 + 2 * 2e-6
"""What the service of the tests takes for a question."""
PRICE = TokenPrices(model="m", input=1.0, cached=1.0, output=1.0, source="a test")
FAILING = (6, 13)
WORDS: tuple[Prompt, ...] = tuple(
    (Message("user", f"five words in a {'failure' if index in FAILING else 'prompt'}"),) for index in range(20)
)


def spending(limit: float) -> SpendingBudget:
    return SpendingBudget(limit=limit, currency="USD", prices={"m": PRICE})


class Careless(ScriptedModel):
    """Sends ahead, several at once, and fails now and then."""

    def generate(self, prompts, max_tokens, sampling, step="answering"):  # type: ignore[no-untyped-def]
        sent: list[tuple[int, Prompt]] = []
        for item in enumerate(prompts):
            sent.append(item)
            if len(sent) == 4:
                yield from (self._answered(*sent.pop(0)) for _ in range(2))
        yield from (self._answered(*item) for item in sent)

    def _answered(self, index: int, prompt: Prompt) -> tuple[int, Completion]:
        used = Usage(model="m", step="answering", prompt_tokens=self.count(prompt), answer_tokens=3)
        failed = "failure" in prompt[0].content
        return index, Completion(text="yes", usage=used, finished=True, error="gone" if failed else "")


def asked(limit: float, prompts: tuple[Prompt, ...] = WORDS) -> tuple[SpendingBudget, list[int]]:
    """The budget afterwards, and which prompts were answered before it was used up."""
    kept, done = spending(limit), []
    model = kept.guarding(Careless(name="m", answer=lambda _: "yes"))
    try:
        for index, _ in model.generate(prompts, 10, Sampling()):  # type: ignore[attr-defined]
            done.append(index)
            assert kept.spent + kept.reserved <= limit + 1e-12
    except LimitReached:
        pass
    return kept, done


@pytest.mark.parametrize("limit", [1e-6, 30e-6, 80e-6, 120e-6, 1e-3])
def test_spending_never_passes_the_limit(limit: float) -> None:
    kept, done = asked(limit)
    assert kept.spent <= limit
    assert kept.reserved == pytest.approx(0, abs=1e-15)
    worst = 20e-6
    good = [index for index in done if index not in FAILING]
    assert kept.spent == pytest.approx(8e-6 * len(good) + worst * (len(done) - len(good)))
    assert len(set(done)) == len(done)
    assert len(done) == 20 or kept.spent > limit - worst, "it stops only where the next one may cost too much"


def test_what_may_be_thought_is_reserved_with_the_answer() -> None:
    """A request whose answer alone there is money for is not sent: its thoughts are paid too."""

    class Thinking(Careless):
        reasoning_tokens = 500

    model = spending(100e-6).guarding(Thinking(name="m", answer=lambda _: "yes"))
    with pytest.raises(LimitReached):
        list(model.generate(WORDS[:1], 10, Sampling()))  # type: ignore[attr-defined]


def test_a_long_prompt_is_reserved_and_charged_at_the_price_of_such() -> None:
    """Its tokens are counted as twice as many before it is sent: then it may be a long one, and afterwards it was none."""
    dearer = Tier(above=12, input=10.0, cached=10.0, output=10.0)
    for words, paid in (("a prompt of seven words is short enough", 1e-6), ("word " * 20, 1e-5)):
        kept = SpendingBudget(limit=1.0, currency="USD", prices={"m": dataclasses.replace(PRICE, tiers=(dearer,))})
        model = kept.guarding(Careless(name="m", answer=lambda _: "yes"))
        prompt: Prompt = (Message("user", words),)
        tokens = model.count(prompt)
        assert model._worst(prompt, 5) == pytest.approx((2 * tokens + 5) * 1e-5)  # type: ignore[attr-defined]
        assert len(list(model.generate([prompt], 5, Sampling()))) == 1  # type: ignore[attr-defined]
        assert kept.spent == pytest.approx((tokens + 3) * paid)


class Billing:
    """A server that takes every request for its worst price, and of some only the money."""

    def __init__(self, server: HTTPServer, fault: Callable[[], Response]) -> None:
        self.requests, self.fault, self.lock = 0, fault, threading.Lock()
        self.server = server
        server.expect_request(PATH).respond_with_handler(self._answer)

    def _answer(self, request: Request) -> Response:
        with self.lock:
            self.requests += 1
            bad = self.requests % 3 > 0
        return self.fault() if bad else Response(json.dumps(billed()), content_type="application/json")

    def asked(self, limit: float, retries: int = 4, timeout_s: float = 0.4) -> tuple[SpendingBudget, int]:
        """The budget afterwards, and how many questions of thirty were answered."""
        kept, answered = spending(limit), 0
        model = EndpointModel(
            name="m",
            base_url=self.server.url_for("/v1"),
            model="m",
            concurrency=4,
            retries=retries,
            timeout_s=timeout_s,
        )
        with suppress(LimitReached):
            for _, completion in kept.guarding(model).generate([QUESTION] * 30, 10, Sampling()):  # type: ignore[attr-defined]
                answered += not completion.error
                assert kept.spent + kept.reserved <= limit + 1e-12
        assert kept.reserved == pytest.approx(0, abs=1e-15)
        return kept, answered


QUESTION: Prompt = (Message("user", "what?"),)
WORST = (2 * 6 + 10) * 1e-6
"""Of that question: six tokens at most twice, and ten of the answer."""


def billed() -> dict[str, Any]:
    usage = {"prompt_tokens": 12, "completion_tokens": 10, "total_tokens": 22}
    return {**good(), "usage": usage}


def late() -> Response:
    time.sleep(0.8)
    return Response(json.dumps(billed()), content_type="application/json")


def cut_off() -> Response:
    response = Response(json.dumps(billed())[:60], content_type="application/json")
    response.headers["Content-Length"] = "500"
    return response


WITH_A_BILL = {
    "too late": late,
    "closed half-way": cut_off,
    "no JSON": lambda: Response("<html>", content_type="text/html"),
    "status 500": lambda: Response("oops", status=500),
}


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(retry, "FIRST_WAIT_S", 0.01)
    monkeypatch.setattr(retry, "LONGEST_WAIT_S", 0.01)
    monkeypatch.setattr(outage, "FIRST_WAIT_S", 0.01)
    monkeypatch.setattr(outage, "LONGEST_WAIT_S", 0.01)


@pytest.mark.parametrize("fault", WITH_A_BILL)
def test_every_try_that_may_be_billed_is_counted_before_it_is_sent(fault: str, quick: None) -> None:
    with HTTPServer(threaded=True) as server:
        server_side = Billing(server, WITH_A_BILL[fault])
        kept, answered = server_side.asked(40.5 * WORST)
        assert server_side.requests == 40, "as many as there is money for, and no more"
        assert kept.spent == pytest.approx(40 * WORST)
        assert 0 < answered <= 14


@pytest.mark.parametrize("status", [429, 503])
def test_a_server_that_turns_a_request_away_sends_no_bill(status: int, quick: None) -> None:
    with HTTPServer(threaded=True) as server:
        kept, answered = Billing(server, lambda: Response("busy", status=status)).asked(
            40.5 * WORST, retries=40, timeout_s=60
        )
        assert answered == 30
        assert kept.spent == pytest.approx(30 * WORST)


@pytest.mark.parametrize("status", [401, 503])
def test_a_server_that_refuses_everything_costs_nothing(
    status: int, quick: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Neither what it refused, nor the questions that are not asked any more after that."""
    monkeypatch.setattr(outage, "A_RETRY_S", 0.1)
    with HTTPServer(threaded=True) as server:
        server.expect_request(PATH).respond_with_data("no", status=status)
        kept = SpendingBudget(limit=3 * WORST, currency="USD", prices={"m": PRICE})
        model = EndpointModel(name="m", base_url=server.url_for("/v1"), model="m", retries=1, concurrency=2)
        found = list(kept.guarding(model).generate(WORDS, 10, Sampling()))  # type: ignore[attr-defined]
    assert len(found) == len(WORDS)
    assert all(completion.error for _, completion in found)
    assert kept.spent == 0


@pytest.mark.parametrize(
    "usage",
    [
        {"prompt_tokens": -1_000_000, "completion_tokens": 10, "total_tokens": 0},
        {"prompt_tokens": 12, "completion_tokens": -1_000_000, "total_tokens": 0},
        {"prompt_tokens": 12, "completion_tokens": 10, "prompt_tokens_details": {"cached_tokens": 1_000_000}},
    ],
    ids=["prompt", "answer", "cached"],
)
def test_no_server_can_lower_what_was_spent(usage: dict[str, Any]) -> None:
    cheaper = TokenPrices(model="m", input=1.0, cached=0.1, output=1.0, source="a test")
    kept = SpendingBudget(limit=5 * WORST, currency="USD", prices={"m": cheaper})
    before = 0.0
    with HTTPServer(threaded=True) as server:
        server.expect_request(PATH).respond_with_json({**good(), "usage": usage})
        model = EndpointModel(name="m", base_url=server.url_for("/v1"), model="m", concurrency=1)
        with suppress(LimitReached):
            for _ in kept.guarding(model).generate([QUESTION] * 30, 10, Sampling()):  # type: ignore[attr-defined]
                assert kept.spent >= before
                before = kept.spent
        assert len(server.log) < 30, "the limit holds"
    assert before > 0


def test_no_connection_is_no_request() -> None:
    assert not _fault_at("http://127.0.0.1:9/v1").billed
    with HTTPServer(threaded=True) as server:
        server.expect_request(PATH).respond_with_response(cut_off())
        assert _fault_at(server.url_for("/v1")).billed


def _fault_at(address: str) -> retry.Fault:
    client = openai.OpenAI(api_key="none", base_url=address, max_retries=0)
    with pytest.raises(openai.APIError) as caught:
        client.chat.completions.create(model="m", messages=[{"role": "user", "content": "?"}])
    fault = retry.understood(caught.value)
    assert fault is not None
    return fault


def test_nobody_listening_any_more_counts_what_was_sent() -> None:
    kept = spending(1e-3)
    answers = kept.guarding(Careless(name="m", answer=lambda _: "yes")).generate(WORDS, 10, Sampling())  # type: ignore[attr-defined]
    next(answers)
    answers.close()
    assert kept.reserved == pytest.approx(0, abs=1e-15)
    assert kept.spent == pytest.approx(8e-6 + 3 * 20e-6)


def test_a_run_stops_at_the_limit_and_goes_on_with_a_higher_one(
    service: Service,  # noqa: F811
    tmp_path: Path,
    model_folders: Folders,
    capsys: pytest.CaptureFixture[str],
    caplog: pytest.LogCaptureFixture,
) -> None:
    """What is measured by then is told."""
    task = write_task(tmp_path, model_folders, *service.lines(concurrency=4))
    arguments = (
        "run",
        str(task),
        "--approach",
        "tf-idf",
        "--approach",
        "prompting",
        "--effort",
        "quick",
        "--yes",
        "--out",
    )
    done = call(capsys, *arguments, str(tmp_path / "run"), "--max-cost", "0.01", "--json")
    assert done.code in (0, 101), done.err
    found = {row["name"]: row for row in json.loads(done.out)["facts"]["candidates"]}
    assert found["prompting"]["state"] == "not measured yet" != found["tf-idf"]["state"]
    spent = {name: row["spent"]["value"] for name, row in found.items()}
    assert spent["prompting"] is None, "what a fit has taken is known when it is finished"
    assert spent["tf-idf"] is not None
    assert "--max-cost 0.01 USD is reached" in caplog.text
    more = "To go on, with a higher --max-cost where that is reached:"
    assert done.err.splitlines()[-2] == f"Not everything is measured. {more}"
    paid = service.calls
    assert 0 < paid * CALL <= 0.01
    done = call(capsys, *arguments, str(tmp_path / "run"), "--max-cost", "0.01", "--resume")
    assert done.code in (0, 101)
    assert service.calls * CALL <= 0.01, "a run that goes on has no new budget"
    done = call(capsys, *arguments, str(tmp_path / "run"), "--max-cost", "5", "--resume")
    assert done.code in (0, 100, 101), done.err
    whole = Counter(service.asked)
    service.asked.clear()
    both = dataclasses.replace(PROMPTED, approaches=("tf-idf", "prompting"))
    advise(task, out=tmp_path / "whole", wishes=both)
    assert whole == service.asked, "nothing was asked twice"
    assert rows(tmp_path / "run", "prompting") == rows(tmp_path / "whole", "prompting")


def test_a_limit_given_later_knows_what_was_spent_before(
    service: Service,  # noqa: F811
    tmp_path: Path,
    model_folders: Folders,
    caplog: pytest.LogCaptureFixture,
) -> None:
    task = write_task(tmp_path, model_folders, *service.lines(concurrency=4))
    service.cut_off = ("", 100)
    with pytest.raises(KeyboardInterrupt):
        advise(task, out=tmp_path / "run", wishes=PROMPTED)
    wishes = Wishes(approaches=PROMPTED.approaches, effort="quick", max_cost=95 * CALL)
    advise(task, out=tmp_path / "run", wishes=wishes)
    assert "and the next request to hosted may cost" in caplog.text


def test_what_is_thrown_away_after_the_run_has_ended_asks_for_no_store(tmp_path: Path) -> None:
    store = Store(tmp_path / "run.sqlite")
    spending = SpendingBudget(limit=1.0, currency="USD", prices={})
    spending.write_down = lambda paid: store.note_meta(SPENT, paid)
    assert spending.reserve(0.25)
    spending.close()
    store.close()
    spending.settle(0.25, 0.25)
    assert spending.spent == 0.25
    with closing(Store(tmp_path / "run.sqlite")) as again:
        assert again.meta(SPENT) == 0.25


def test_what_is_paid_while_there_is_no_limit_counts_once_there_is_one_again(
    service: Service,  # noqa: F811
    tmp_path: Path,
    model_folders: Folders,
    caplog: pytest.LogCaptureFixture,
) -> None:
    task = write_task(tmp_path, model_folders, *service.lines(concurrency=4))
    wishes = Wishes(approaches=PROMPTED.approaches, effort="quick", second_seed=False, probes="none")
    advise(task, out=tmp_path / "run", wishes=dataclasses.replace(wishes, max_cost=0.001))
    assert "--max-cost 0.001 USD is reached" in caplog.text
    before = service.calls
    advise(task, out=tmp_path / "run", wishes=wishes)
    assert service.calls > 2 * before
    assert paid(tmp_path / "run") == pytest.approx(service.calls * CALL)
    asked_for = service.calls
    advise(task, out=tmp_path / "run", wishes=dataclasses.replace(wishes, planted=True, max_cost=asked_for * CALL))
    assert f"{service.calls * CALL:.4g} were spent" in caplog.text
    assert service.calls == asked_for


def test_parts_with_and_without_a_limit_are_one_bill(
    service: Service,  # noqa: F811
    tmp_path: Path,
    model_folders: Folders,
    capsys: pytest.CaptureFixture[str],
) -> None:
    (line,) = service.lines(concurrency=4)
    model = line.removeprefix("models: [").removesuffix("]")
    task = write_task(tmp_path, model_folders, f"models: [{model}, {model.replace('hosted', 'other')}]")
    both = ("prompting @ hosted", "prompting @ other")
    wishes = Wishes(approaches=both, effort="quick", second_seed=False, probes="none")
    limited = prepare(task, dataclasses.replace(wishes, shard="1/2", max_cost=1.0))
    say_before(limited)
    said = "--max-cost 1 USD holds for this part alone; 2 parts with it may be paid 2 USD together"
    assert said in capsys.readouterr().err
    execute_part(limited, tmp_path / "limited")
    first = service.calls
    execute_part(prepare(task, dataclasses.replace(wishes, shard="2/2")), tmp_path / "free")
    merge([tmp_path / "limited", tmp_path / "free"], tmp_path / "run")
    assert 0 < first < service.calls
    assert paid(tmp_path / "run") == pytest.approx(service.calls * CALL)


def paid(run: Path) -> float:
    with closing(Store(run / "run.sqlite")) as store:
        return float(store.meta(SPENT))


CANNOT = {
    "no price": (
        "models: [{name: gpt-unheard-of, endpoint: 'https://models.example.com/v1'}]",
        1.0,
        "price of the model",
    ),
    "another currency": (
        "models: [{name: gpt-4o-mini, endpoint: 'https://api.openai.com/v1'}]\nprices: {currency: EUR}",
        1.0,
        "is in EUR, and the price of the model gpt-4o-mini in USD",
    ),
    "by the hour": (
        "models: [{name: far, endpoint: 'https://models.example.com/v1', machine_hour: 2}]",
        1.0,
        "far is paid by the hour",
    ),
    "nothing": ("models: [smollm2-135m]", 0.0, "above 0"),
    "no number": ("models: [smollm2-135m]", float("nan"), "above 0"),
}


@pytest.mark.parametrize("name", list(CANNOT))
def test_a_limit_that_cannot_be_kept_is_refused(
    name: str, tmp_path: Path, model_folders: Folders, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "k")
    lines, limit, said = CANNOT[name]
    task = write_task(tmp_path, model_folders, *lines.splitlines())
    with pytest.raises(BadInput, match=said):
        prepare(task, Wishes(max_cost=limit))


def test_a_model_that_costs_nothing_is_left_alone() -> None:
    model = ScriptedModel(name="free", answer=lambda _: "yes")
    assert spending(1.0).guarding(model) is model
