"""A hosted model with a prompt beside a small one of ours, tuned, in one bake-off: what is asked, paid and refused."""

from __future__ import annotations

import _thread
import hashlib
import json
import socket
import threading
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from itertools import chain
from pathlib import Path
from typing import Any

import pytest
from pytest_httpserver import HTTPServer
from werkzeug import Request, Response

from advisor.contract import Verdict
from advisor.deploy.answering import answerer
from advisor.experiments.comparison import Wishes, advise, execute, prepare
from benchmarks.contract import BadInput, State
from benchmarks.running.completion_cache import CachingModel, CompletionCache
from benchmarks.running.plan import Unit
from benchmarks.running.scheduler import NullEvents
from benchmarks.storage.store import Store
from strategies.contract import Completion, Generates, Message, Sampling, ScoresLabels, Trains
from strategies.models.endpoint import EndpointModel
from tests import tiny
from tests.conftest import Folders
from tests.desk import call, write_task

PROMPTING, LORA = "prompting @ hosted", "lora @ llama-chat-0"
PROMPTED = Wishes(approaches=("prompting",), effort="quick")
KINDS = ("fit", "answer", "edit", "repeat", "format", "latency", "seed")


@dataclass
class Service:
    """An OpenAI-compatible server that answers the same question always in the same way, and counts what it is asked."""

    server: HTTPServer
    asked: Counter[str] = field(default_factory=Counter)
    in_unit: str = ""
    """Kind of the unit that is being worked on."""
    by_unit: Counter[str] = field(default_factory=Counter)
    cut_off: tuple[str, int] | None = None
    """At which question of which kind of unit the process that asks gets its Ctrl-C."""
    lock: threading.Lock = field(default_factory=threading.Lock)

    def __post_init__(self) -> None:
        self.server.expect_request("/v1/chat/completions", method="POST").respond_with_handler(self._answer)

    @property
    def calls(self) -> int:
        return sum(self.asked.values())

    def lines(self, concurrency: int = 1) -> tuple[str, ...]:
        """The models of a task: this one, asked for by another name than it is shown by."""
        address = self.server.url_for("/v1")
        prices = "input_per_million: 1, output_per_million: 2"
        return (f"models: [{{name: hosted, model: m, endpoint: '{address}', concurrency: {concurrency}, {prices}}}]",)

    def _answer(self, request: Request) -> Response:
        sent = request.get_json()
        text = json.dumps(sent, sort_keys=True)
        with self.lock:
            self.asked[text] += 1
            self.by_unit[self.in_unit] += 1
            if (self.in_unit, self.by_unit[self.in_unit]) == self.cut_off:
                _thread.interrupt_main()
        labels = tuple(tiny.TOPICS)
        said = labels[int(hashlib.sha256(text.encode()).hexdigest(), 16) % len(labels)]
        usage = {"prompt_tokens": 40, "completion_tokens": 2, "total_tokens": 42}
        choice = {"index": 0, "finish_reason": "stop", "message": {"role": "assistant", "content": said}}
        whole = {
            "id": "1",
            "object": "chat.completion",
            "created": 1,
            "model": "m",
            "choices": [choice],
            "usage": usage,
        }
        return Response(json.dumps(whole), content_type="application/json")


@pytest.fixture
def service() -> Iterator[Service]:
    with HTTPServer(threaded=True) as server:
        yield Service(server)


def rows(folder: Path, candidate: str) -> list[tuple[str, str, str, str, float]]:
    """What was answered, without how long it took."""
    store = Store(folder / "run.sqlite")
    try:
        purposes = ("heldout", "edit", "repeat", "format", "seed")
        found = [row for purpose in purposes for row in store.rows(candidate, purpose)]
        return [(row.purpose, row.key, row.variant, getattr(row.outcome, "text", ""), row.score) for row in found]
    finally:
        store.close()


def by_name(verdict: Verdict) -> dict[str, Any]:
    return {evaluation.candidate: evaluation for evaluation in verdict.evaluations}


# ---------------------------------------------------------------- one bake-off


def test_a_server_that_is_asked_otherwise_is_not_said_to_have_other_weights(
    service: Service, tmp_path: Path, model_folders: Folders
) -> None:
    wishes = Wishes(approaches=("prompting",), effort="quick", probes="none", second_seed=False)
    out, how = tmp_path / "run", "address, model, context_tokens, reasoning_tokens or extra_body"

    def task(more: str) -> Path:
        lines = [line.replace("model: m", f"model: m{more}") for line in service.lines(concurrency=4)]
        return write_task(tmp_path, model_folders, *lines)

    advise(task(""), out=out, wishes=wishes)
    for more in (", context_tokens: 4000", ", reasoning_tokens: 50"):
        other = task(more)
        with pytest.raises(BadInput, match=f"The run in run asked the server of hosted otherwise: another {how}"):
            advise(other, out=out, wishes=wishes)
        with pytest.raises(BadInput, match=f"The server of hosted is asked otherwise than in the run: another {how}"):
            answerer(out, task=str(other), candidate="prompting")


def test_a_hosted_prompt_and_a_tuned_local_model_stand_in_one_comparison(
    service: Service, tmp_path: Path, model_folders: Folders
) -> None:
    (models,) = service.lines(concurrency=4)
    both = models.removesuffix("]") + f", {model_folders.language}]"
    task = write_task(tmp_path, model_folders, both, "kind: qa")
    wishes = Wishes(approaches=(PROMPTING, LORA, "lora @ hosted"), effort="quick", second_seed=False)
    verdict = advise(task, out=tmp_path / "run", wishes=wishes)
    found = by_name(verdict)
    assert set(found) == {PROMPTING, LORA, "lora @ hosted"}
    refused = found["lora @ hosted"]
    assert (refused.state, refused.problem) == (State.CANNOT_RUN, "hosted cannot be trained here")
    assert "hosted cannot be trained here" in json.dumps(verdict.story.facts)
    for name in (PROMPTING, LORA):
        assert found[name].state is None
        assert len(found[name].scores) == 30
    asked = found[PROMPTING].answering
    assert (asked.calls, asked.prompt_tokens, asked.answer_tokens) == (30, 30 * 40, 30 * 2)
    cost = {each.candidate: each for each in verdict.costs}
    assert cost[PROMPTING].per_thousand.unit == "USD"
    assert cost[PROMPTING].per_thousand.value == pytest.approx((40 * 1 + 2 * 2) / 1000)


def test_what_is_looked_up_here_for_a_hosted_model_is_paid_for_too(
    service: Service, tmp_path: Path, model_folders: Folders
) -> None:
    lines = (*service.lines(), "kind: qa", "prices: {machine_hour: 3.6}")
    task = write_task(tmp_path, model_folders, *lines, cases=tiny.messages(40))
    wishes = Wishes(approaches=("retrieval",), effort="quick", probes="none")
    verdict = advise(task, out=tmp_path / "run", wishes=wishes)
    ((found,), (bill,)) = verdict.evaluations, verdict.costs
    here = found.beside_s / found.answering.calls  # type: ignore[union-attr]
    assert 0 < here < 1
    assert bill.per_thousand.value == pytest.approx((40 * 1 + 2 * 2) / 1000 + 1000 * here * 0.001)
    spent = {item.name for item in bill.items if item.when == "spent"}
    assert {"building the index", "choosing the configuration"} <= spent


# ---------------------------------------------------------------- cut off and gone on with


class Watching(NullEvents):
    """Tells the server what is being worked on."""

    def __init__(self, service: Service) -> None:
        self.service = service

    def started(self, unit: Unit, number: int, total: int) -> None:
        self.service.in_unit = unit.kind


def prompt_it(service: Service, place: Path, models: Folders) -> None:
    """Prompting on the server, for a task without labels, of which few configurations exist."""
    task = write_task(place, models, *service.lines(), "kind: qa", cases=tiny.messages(40))
    execute(prepare(task, PROMPTED), place / "run", Watching(service))


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory, model_folders: Folders) -> Iterator[tuple[Service, Path]]:
    """A run that nobody cut off."""
    place = tmp_path_factory.mktemp("whole")
    with HTTPServer(threaded=True) as server:
        service = Service(server)
        prompt_it(service, place, model_folders)
        yield service, place / "run"


def test_every_call_that_was_paid_for_stands_in_the_ledger(whole: tuple[Service, Path]) -> None:
    service, folder = whole
    assert service.by_unit["fit"] > 100
    store = Store(folder / "run.sqlite")
    used = {kind: [each for each in store.usage("prompting", kind) if each.model == "hosted"] for kind in KINDS}
    left = [store.completions(unit) for unit in store.starts()]
    store.close()
    assert {kind: sum(each.calls for each in used[kind]) for kind in KINDS if used[kind]} == dict(service.by_unit)
    assert sum(each.prompt_tokens for each in chain(*used.values())) == 40 * service.calls
    assert not any(left), "the rows hold the answers now"


@pytest.mark.parametrize("cut_off", [("fit", 60), ("answer", 13), ("repeat", 9)], ids=str)
def test_a_run_that_was_cut_off_pays_for_no_answer_twice(
    cut_off: tuple[str, int], service: Service, whole: tuple[Service, Path], tmp_path: Path, model_folders: Folders
) -> None:
    service.cut_off = cut_off
    with pytest.raises(KeyboardInterrupt):
        prompt_it(service, tmp_path, model_folders)
    assert service.by_unit[cut_off[0]] == cut_off[1]
    prompt_it(service, tmp_path, model_folders)
    wanted, folder = whole
    assert wanted.asked - service.asked == Counter(), "what a whole run asks was asked"
    assert (service.asked - wanted.asked).total() <= 1, "and again only what was on its way when it stopped"
    assert rows(tmp_path / "run", "prompting") == rows(folder, "prompting")


def test_waiting_times_are_always_measured_anew(
    service: Service, whole: tuple[Service, Path], tmp_path: Path, model_folders: Folders
) -> None:
    service.cut_off = ("latency", 11)
    with pytest.raises(KeyboardInterrupt):
        prompt_it(service, tmp_path, model_folders)
    prompt_it(service, tmp_path, model_folders)
    assert service.by_unit["latency"] == whole[0].by_unit["latency"] + 11


def model_on(service: Service) -> EndpointModel:
    return EndpointModel(name="hosted", base_url=service.server.url_for("/v1"), model="m", concurrency=1)


def ask(model: CachingModel, text: str, sampling: Sampling | None = None, limit: int = 8) -> Completion:
    ((_, completion),) = model.generate([(Message("user", text),)], limit, sampling or Sampling())
    return completion


def test_an_answer_is_reused_only_by_the_unit_that_paid_for_it(service: Service, tmp_path: Path) -> None:
    store = Store(tmp_path / "run.sqlite")
    cache = CompletionCache(store=store)
    model = CachingModel(inner=model_on(service), cache=cache)
    assert isinstance(model, Generates)
    assert not isinstance(model, ScoresLabels | Trains)
    cache.turn_to("heldout")
    first = ask(model, "a")
    ask(model, "a")
    assert service.calls == 2, "within one start everything is asked"
    cache.turn_to("repeat")
    ask(model, "a")
    assert service.calls == 3, "a repeat is never served from what was answered before"
    cache.turn_to("heldout")
    assert ask(model, "a") == first, "with its usage, since it was paid for"
    ask(model, "a")
    assert service.calls == 3
    ask(model, "a")
    assert service.calls == 4, "each answer is used once"
    cache.turn_to("heldout")
    ask(model, "b")
    ask(model, "a", Sampling(temperature=0.7, seed=1))
    ask(model, "a", limit=9)
    assert service.calls == 7, "another prompt, sampling or limit is another question"
    cache.turn_to("")
    ask(model, "a")
    cache.turn_to("")
    ask(model, "a")
    assert service.calls == 9, "nothing is remembered while waiting times are measured"
    store.close()


def test_a_failure_is_not_remembered(tmp_path: Path) -> None:
    store = Store(tmp_path / "run.sqlite")
    cache = CompletionCache(store=store)
    cache.turn_to("unit")
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        address = f"http://127.0.0.1:{closed.getsockname()[1]}/v1"
    model = CachingModel(
        inner=EndpointModel(name="hosted", base_url=address, model="m", retries=0, timeout_s=2), cache=cache
    )
    assert ask(model, "a").error != ""
    assert store.completions("unit") == []
    store.close()


# ---------------------------------------------------------------- nothing leaves unasked


AWAY = "models: [{name: far, endpoint: 'http://192.0.2.1/v1', retries: 0, timeout_s: 1}]"


def test_data_that_stays_here_is_refused_to_another_machine_before_the_first_byte(
    tmp_path: Path,
    model_folders: Folders,
    reached: list[str],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "sk-canary-5b1f0e")
    task = write_task(tmp_path, model_folders, AWAY, "constraints: {data_stays_here: true}")
    with pytest.raises(
        BadInput, match="far runs on another machine, and the task says data_stays_here; nothing was sent"
    ):
        advise(task, out=tmp_path / "run")
    done = call(capsys, "run", str(task), "--out", str(tmp_path / "run"), "--yes")
    assert (done.code, done.out) == (2, "")
    assert "nothing was sent" in " ".join(done.err.split())
    assert reached == []
    assert not (tmp_path / "run").exists()


def test_beside_a_model_that_is_here_it_is_left_out_and_that_is_told(
    tmp_path: Path, model_folders: Folders, reached: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "sk-canary-5b1f0e")
    both = f"models: [{model_folders.language}, {AWAY.removeprefix('models: [')}"
    task = write_task(tmp_path, model_folders, both, "constraints: {data_stays_here: true}")
    prepared = prepare(task)
    assert len(prepared.models.names) == 1
    assert "far" not in {candidate.model for candidate in prepared.candidates}
    (note,) = (note for note in prepared.assembly.benchmark.notes if note.startswith("models:"))
    assert note.startswith("models: far is left out. Model far runs on another machine")
    assert note in prepared.assembly.inferred
    assert reached == []


def test_without_that_rule_the_other_machine_is_asked(
    tmp_path: Path, model_folders: Folders, reached: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """So the test above proves something: the very same task without the rule does reach out."""
    monkeypatch.setenv("OPENAI_API_KEY", "sk-canary-5b1f0e")
    monkeypatch.setenv("NO_PROXY", "*")
    task = write_task(tmp_path, model_folders, AWAY, "kind: qa", cases=tiny.messages(24))
    (evaluation,) = advise(task, out=tmp_path / "run", wishes=replace(PROMPTED, probes="none")).evaluations
    assert evaluation.state is State.OPEN
    assert set(reached) == {"192.0.2.1"}
    reached.clear()


def test_a_loopback_server_is_this_machine(service: Service, tmp_path: Path, model_folders: Folders) -> None:
    task = write_task(tmp_path, model_folders, *service.lines(), "constraints: {data_stays_here: true}")
    assert prepare(task).models.language("hosted").local
    assert service.calls == 0


def test_a_missing_key_is_said_before_anything_is_spent(
    tmp_path: Path, model_folders: Folders, reached: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    task = write_task(tmp_path, model_folders, AWAY)
    with pytest.raises(BadInput, match="far needs a key: put it into the environment variable OPENAI_API_KEY"):
        advise(task, out=tmp_path / "run")
    assert reached == []


def test_a_dry_run_asks_no_server(
    service: Service, tmp_path: Path, model_folders: Folders, capsys: pytest.CaptureFixture[str]
) -> None:
    task = write_task(tmp_path, model_folders, *service.lines())
    assert call(capsys, "run", str(task), "--dry-run").code == 0
    assert service.calls == 0


def test_a_server_that_knows_its_model_by_a_folder_is_asked_for_it_and_shows_its_name(
    service: Service, tmp_path: Path, model_folders: Folders
) -> None:
    address = service.server.url_for("/v1")
    known_as = f"models: [{{name: /srv/place-canary/big, endpoint: '{address}'}}]"
    task = write_task(tmp_path, model_folders, known_as, "kind: qa", cases=tiny.messages(24))
    verdict = advise(task, out=tmp_path / "run", wishes=replace(PROMPTED, probes="none"))
    assert by_name(verdict)["prompting"].model == "big"
    assert all(json.loads(text)["model"] == "/srv/place-canary/big" for text in service.asked)
    assert "place-canary" not in (tmp_path / "run" / "run.json").read_text(encoding="utf-8")
