"""What a run says beforehand that it will ask of hosted models: a bound on what it then does ask, and what that costs."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest
from pytest_httpserver import HTTPServer
from werkzeug import Request, Response

from advisor.cli.expected import hosted_says
from advisor.experiments.comparison import Prepared, Wishes, advise, prepare
from benchmarks.contract import Candidate
from benchmarks.costs.forecast import EFFICIENCY, FIXED_S, REQUEST_S, THOUGHTS_A_SECOND, Forecast, forecast, on_workers
from benchmarks.costs.hosted import RequestTotals, _setups, fewest_tokens, most_tokens, prompt_tokens
from benchmarks.costs.prices import MachinePrices, Tier, TokenPrices, token_prices
from benchmarks.running.models import Models
from benchmarks.running.plan import Further, Options
from benchmarks.specs.spec_models import ModelSpec
from strategies.approaches.lora_distilled import DistilledLora
from strategies.approaches.prompting import Prompting
from strategies.approaches.retrieval import Retrieval
from strategies.contract import Document
from strategies.models import sizes
from strategies.models.endpoint import EndpointModel
from strategies.models.sizes import COPIES
from strategies.pipeline import Setup
from strategies.prompting.rendering import Form
from strategies.retrieval.chunking import PASSAGE_WORDS, WHOLE_WORDS
from tests import tiny
from tests.conftest import Folders
from tests.desk import call, write_task
from tests.running.test_endpoint_bakeoff import Service

ASKED = RequestTotals(model="big", requests=2_031, prompt_tokens=1_000_400, answer_tokens=20_100, longest_prompt=900)


@dataclass
class Counting(Service):
    """It counts tokens as servers do, by what was sent."""

    def _answer(self, request: Request) -> Response:
        response = super()._answer(request)
        whole = json.loads(response.get_data())
        said = len(whole["choices"][0]["message"]["content"])
        letters = sum(len(message["content"]) for message in request.get_json()["messages"])
        whole["usage"] = {"prompt_tokens": letters // 4 + 8, "completion_tokens": said // 4 + 1, "total_tokens": 0}
        return Response(json.dumps(whole), content_type="application/json")


@pytest.fixture
def service() -> Iterator[Counting]:
    with HTTPServer(threaded=True) as server:
        yield Counting(server)


def expected(prepared: Prepared) -> Forecast:
    return forecast(
        prepared.assembly.benchmark, prepared.performed, prepared.models, prepared.options, prepared.further
    )


@pytest.mark.parametrize("approaches", [("prompting",), ("prompting", "retrieval", "prompting (cheapest)")])
@pytest.mark.parametrize("more", [("kind: qa",), pytest.param((), marks=pytest.mark.nightly)])
def test_a_run_asks_no_more_than_was_said_and_not_far_less(
    service: Counting,
    tmp_path: Path,
    model_folders: Folders,
    approaches: Sequence[str],
    more: tuple[str, ...],
) -> None:
    task = write_task(tmp_path, model_folders, *service.lines(), *more)
    wishes = Wishes(approaches=tuple(approaches), effort="quick")
    (asked,) = expected(prepare(task, wishes)).asked
    assert (asked.model, service.calls) == ("hosted", 0), "nobody is asked beforehand"
    advise(task, out=tmp_path / "run", wishes=wishes)
    sent = [(json.loads(text), count) for text, count in service.asked.items()]
    letters = sum(len(message["content"]) * count for each, count in sent for message in each["messages"])
    most = sum(each["max_tokens"] * count for each, count in sent)
    assert 0.25 * asked.requests < service.calls <= asked.requests
    assert 0.1 * asked.prompt_tokens < letters / 4 < asked.prompt_tokens
    assert 0.25 * asked.answer_tokens < most <= asked.answer_tokens


def test_more_checks_rebuilds_and_a_larger_budget_ask_more_and_several_at_once_take_less_time(
    service: Counting, tmp_path: Path, model_folders: Folders
) -> None:
    def said(concurrency: int = 1, **more: Any) -> Forecast:
        task = write_task(tmp_path, model_folders, *service.lines(concurrency), "kind: qa")
        return expected(prepare(task, replace(Wishes(approaches=("prompting",), effort="quick"), **more)))

    usual = said()
    (asked,) = usual.asked
    assert said(probes="none").asked[0].requests < asked.requests < said(planted=True).asked[0].requests
    assert said(effort="thorough").asked[0].prompt_tokens > asked.prompt_tokens
    rebuilt = said(rebuilds=3).asked[0].requests
    assert 3 * asked.requests > rebuilt - asked.requests > asked.requests
    assert usual.minutes == pytest.approx((FIXED_S + REQUEST_S * asked.requests) / 60, rel=0.01)
    assert said(concurrency=4).minutes == pytest.approx((FIXED_S + REQUEST_S * asked.requests / 4) / 60, rel=0.01)
    both = said(approaches=("prompting", "retrieval", "lora", "linear head"))
    assert [each.model for each in both.asked] == ["hosted"], "what a server cannot do is not asked of it"
    alone = said(approaches=("retrieval",)).asked[0].requests
    assert both.asked[0].requests == pytest.approx(asked.requests + alone, abs=1)


def test_what_a_model_may_think_before_each_answer_is_counted(
    service: Counting, tmp_path: Path, model_folders: Folders
) -> None:
    def asked(more: str) -> RequestTotals:
        lines = [line.replace("model: m", f"model: m{more}") for line in service.lines()]
        (found,) = expected(
            prepare(write_task(tmp_path, model_folders, *lines, "kind: qa"), Wishes(approaches=("prompting",)))
        ).asked
        return found

    quick, thinking = asked(""), asked(", reasoning_tokens: 700")
    assert thinking == replace(quick, answer_tokens=quick.answer_tokens + 700 * quick.requests)


def test_what_a_model_may_think_takes_its_time(service: Counting, tmp_path: Path, model_folders: Folders) -> None:
    def prepared(more: str) -> Prepared:
        lines = [line.replace("model: m", f"model: m{more}") for line in service.lines()]
        task = write_task(tmp_path, model_folders, *lines, "kind: qa")
        return prepare(task, Wishes(approaches=("prompting",), effort="quick"))

    found = expected(prepared(", reasoning_tokens: 2000"))
    seconds = (REQUEST_S + 2000 / THOUGHTS_A_SECOND) * found.asked[0].requests
    assert found.minutes == pytest.approx((FIXED_S + seconds) / 60, rel=0.01)


@pytest.mark.parametrize(
    ("more", "seconds"),
    [({}, 60), ({"reasoning_tokens": 2000}, 260), ({"reasoning_tokens": 2000, "timeout_s": 90}, 90)],
)
def test_who_may_think_has_the_time_for_it(more: Mapping[str, Any], seconds: float) -> None:
    """With 60 seconds for 2,000 tokens no answer came in time, and each was paid five times."""
    spec = ModelSpec(name="thinker", endpoint="http://127.0.0.1:9/v1", **more)
    model = Models((spec,)).language("thinker")
    assert isinstance(model, EndpointModel)
    assert model.timeout_s == seconds


def test_a_prompt_is_as_long_as_what_it_shows() -> None:
    task = tiny.benchmark().task
    bare, shown, listed = (
        prompt_tokens(task, setup) for setup in (Setup(), Setup(shots=8), Setup(form=Form(show_labels=True)))
    )
    assert shown > listed > bare > len(task.instruction) / 4
    assert prompt_tokens(task, Setup(passages=2)) == bare, "there are no documents"
    assert max(prompt_tokens(task, each) for each in Prompting().space(task)) >= shown
    looked_up = replace(task, documents=(Document(id="a", text="A policy."),))
    longest = max(prompt_tokens(looked_up, each) for each in _setups(Retrieval(), looked_up) if each.passages)
    assert longest > max(prompt_tokens(looked_up, each) for each in Retrieval().space(looked_up) if each.passages)


def test_a_passage_is_reckoned_longer_only_where_a_document_may_be_shown_whole() -> None:
    setup, wide = Setup(passages=1), Setup(passages=1, whole_words=WHOLE_WORDS)
    manual = Document(id="a", text="Trains go before planes. " * 400)
    page = replace(manual, id="b", text="Trains go before planes. " * 50)
    for documents, longer in (((manual,), 1.0), ((manual, page), 200 / PASSAGE_WORDS)):
        task = replace(tiny.benchmark("qa").task, documents=documents)
        bare = prompt_tokens(task, Setup())
        shown = (prompt_tokens(task, wide) - bare) / (prompt_tokens(task, setup) - bare)
        assert shown == pytest.approx(longer, rel=0.05)
    shortest = min(prompt_tokens(task, each) for each in _setups(Retrieval(), task))
    assert shortest <= min(prompt_tokens(task, each) for each in Retrieval().space(task, writes=True))


@pytest.mark.parametrize(
    ("text", "counted"),
    [
        (
            "您好我在上周三通过贵公司的网站购买了一台咖啡机但是到今天为止仍然没有收到任何物流信息请问能否帮我查询一下包裹目前的位置以及预计送达时间",
            47,
        ),
        ("지난주 수요일에 귀사 웹사이트에서 커피 머신을 구매했지만 아직 배송 정보를 받지 못했습니다.", 25),
        ("2024-03-04;12.50;EUR;ORD-2293;shipped\n" * 3, 63),
        ("The parcel has not arrived yet, and I would like a refund for the broken lamp.", 18),
    ],
)
def test_other_scripts_and_signs_are_reckoned_as_the_many_tokens_that_they_are(text: str, counted: int) -> None:
    """Counted with o200k_base."""
    assert fewest_tokens(text) < 1.3 * counted
    assert counted <= most_tokens(text) < 2.5 * counted
    task = tiny.benchmark().task
    asked = tuple(replace(case, input=text) for case in task.folds[0].train)
    shown = replace(task, folds=(replace(task.folds[0], train=asked, selection=()),))
    assert prompt_tokens(shown, Setup(shots=8)) - prompt_tokens(shown, Setup()) > 8 * counted


def test_a_teacher_is_counted_beside_the_small_model_that_learns_from_it(
    service: Counting, tmp_path: Path, model_folders: Folders
) -> None:
    (models,) = service.lines()
    rows = "".join(json.dumps({"input": f"new request number {place} of the week"}) + "\n" for place in range(40))
    (tmp_path / "new.jsonl").write_text(rows, encoding="utf-8")
    both = models.removesuffix("]") + f", {model_folders.language}]"
    task = write_task(tmp_path, model_folders, both, "kind: qa", "teacher: hosted", "traffic: new.jsonl")
    wishes = Wishes(approaches=("distilled lora @ llama-chat-0",), effort="quick")
    (asked,) = expected(prepare(task, wishes)).asked
    assert asked.model == "hosted"
    assert asked.requests > 40
    alone = replace(wishes, approaches=("lora @ llama-chat-0",))
    (words,) = expected(prepare(task, alone)).asked
    assert words.requests == 30, "half of the probe cases, or all where there are fewer, in other words"
    assert expected(prepare(task, replace(alone, probes="none"))).asked == ()


@dataclass(frozen=True)
class School:
    """Students of one small model under several names, a teacher at a server and one on this machine."""

    folder: Path
    larger: Path

    def expects(
        self, teacher: str, *students: str, requests: int = 100, budget: int = 20_000, rebuilds: int = 0
    ) -> Forecast:
        models = Models(
            specs=(
                *(ModelSpec(name=name, folder=str(self.folder)) for name in ("a", "b")),
                ModelSpec(name="hosted", endpoint="http://127.0.0.1:9/v1"),
                ModelSpec(name="here", folder=str(self.larger)),
            ),
            dtype="float32",
            teacher=teacher,
            _placement=tiny.FLOAT32,
        )
        benchmark, options = tiny.with_requests("classification", requests), Options(tuning_tokens=budget)
        candidates = [Candidate(name=name, strategy=DistilledLora(), model=name) for name in students]
        return forecast(benchmark, candidates, models, options, Further(rebuilds=rebuilds))


@pytest.fixture
def school(model_folders: Folders, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> School:
    larger = Path(shutil.copytree(model_folders.language, tmp_path / "larger"))
    monkeypatch.setattr("benchmarks.costs.forecast.matrix_rate", lambda placement: 1e9)
    monkeypatch.setattr(sizes, "parameters", lambda folder: 2_500_000 * (1 + 9 * (folder == larger)))
    monkeypatch.setattr(sizes, "_mapped", lambda folder: True)
    return School(model_folders.language, larger)


def test_a_teacher_is_asked_again_in_each_rebuild(school: School) -> None:
    (once,), (four_times,) = (school.expects("hosted", "a", rebuilds=rebuilds).asked for rebuilds in (0, 3))
    assert once.requests > 100
    assert four_times.requests == pytest.approx(4 * once.requests, abs=4)


def test_a_teacher_on_this_machine_takes_its_memory_and_time(school: School) -> None:
    away, here, rebuilt = (
        school.expects("hosted", "a"),
        school.expects("here", "a"),
        school.expects("here", "a", rebuilds=2),
    )
    assert [each.model for each in here.computed] == ["here", "a"]
    assert here.memory - away.memory == COPIES * (10**8 - 10**7)
    teaching, learning = here.works
    assert (teaching.lane, teaching.rest) == (learning.lane, 0)
    read = here.computed[0].prompt_tokens + here.computed[0].answer_tokens
    assert teaching.fit == pytest.approx(2 * 10**8 / 4 * read / (1e9 * EFFICIENCY))
    assert read > 2 * 20_000, "two searches and the answers"
    assert rebuilt.works[0].rest == pytest.approx(2 * teaching.fit)
    assert here.asked == ()
    assert school.expects("here", "here").works == (), "nobody teaches himself"


def test_a_teacher_answers_no_more_than_a_student_can_learn_from_and_students_share_it(school: School) -> None:
    few, many = (school.expects("hosted", "a", requests=requests, budget=500).asked[0] for requests in (50, 2_000))
    assert many.requests < few.requests + 400, "of 2,000 requests"
    alone, both = school.expects("hosted", "a"), school.expects("hosted", "a", "b")
    assert both.asked == alone.asked
    assert len(both.works) == len(alone.works) + 1
    two = on_workers(both, 2, tiny.FLOAT32, here=True).asked[0]
    assert two.requests == pytest.approx(2 * alone.asked[0].requests, abs=2), "neither knows what the other is answered"


# ---------------------------------------------------------------- what is said


def test_a_known_price_is_said_with_its_source_and_an_unknown_one_as_unknown() -> None:
    price = TokenPrices(model="big", input=1.0, cached=0.1, output=2.0, source="price stated for this task")
    assert hosted_says(ASKED, MachinePrices(tokens={"big": price})) == (
        "big: at most about 2,100 requests with 1,100,000 tokens of prompts and 21,000 of answers, at most about 1.04 USD "
        "(price stated for this task)"
    )
    assert hosted_says(ASKED, MachinePrices(tokens={"big": None})).endswith(
        "; what it costs is unknown: no price list knows it. State input_per_million and output_per_million with it"
    )
    assert hosted_says(ASKED, MachinePrices()).endswith("21,000 of answers, on a server of this machine")
    assert hosted_says(ASKED, MachinePrices(hours={"big": 2.0})).endswith("21,000 of answers, paid by the hour")
    tiered = replace(price, tiers=(Tier(above=800, input=2.0, cached=0.2, output=3.0),))
    assert "at most about 2.06 USD" in hosted_says(ASKED, MachinePrices(tokens={"big": tiered}))
    listed = token_prices("gpt-4.1-mini")
    assert listed is not None
    assert "list price of OpenAI for gpt-4.1-mini" in hosted_says(ASKED, MachinePrices(tokens={"big": listed}))


def test_a_dry_run_says_it_and_gives_it_as_one_document(
    service: Counting, tmp_path: Path, model_folders: Folders, capsys: pytest.CaptureFixture[str]
) -> None:
    task = write_task(tmp_path, model_folders, *service.lines(), "kind: qa")
    said = call(capsys, "run", str(task), "--approach", "prompting", "--dry-run")
    assert (said.code, said.out) == (0, "")
    assert "hosted: at most about" in said.err
    assert "USD (price stated for this task)" in said.err
    found = json.loads(call(capsys, "run", str(task), "--approach", "prompting", "--dry-run", "--json").out)
    (hosted,) = found["hosted"]
    assert hosted["money"] == pytest.approx((hosted["prompt_tokens"] + 2 * hosted["answer_tokens"]) / 1e6)
    assert (hosted["model"], hosted["currency"]) == ("hosted", "USD")
    assert found["minutes"] > 0
    assert found["to_download"] == []
    local = write_task(tmp_path / "local", model_folders)
    assert json.loads(call(capsys, "run", str(local), "--dry-run", "--json").out)["hosted"] == []
    assert service.calls == 0
