"""What several workers share: which units may begin, one budget, one ledger, and what crosses to another process."""

from __future__ import annotations

import dataclasses
import json
import pickle
import re
import sys
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import closing
from pathlib import Path

import pytest
from pytest_httpserver import HTTPServer
from werkzeug import Request, Response

from advisor.cli.expected import cluster_says, computed_says, machine_money
from advisor.experiments.comparison import Wishes, advise, prepare
from benchmarks.contract import BadInput, Candidate, Row, ScoreFailure
from benchmarks.costs.forecast import FIXED_S, Forecast, forecast, on_workers
from benchmarks.costs.needed import Computed
from benchmarks.costs.prices import MachinePrices
from benchmarks.costs.spending import LimitReached, SpendingBudget
from benchmarks.costs.work import Work, makespan
from benchmarks.executors.processes import ProcessExecutor
from benchmarks.executors.remote import RemoteWorker, Share, as_values, fault, fault_values, from_values
from benchmarks.executors.waited import Waited
from benchmarks.executors.writer_service import WriterService
from benchmarks.probes.rebuilds import SHARE
from benchmarks.running.economical import Economy
from benchmarks.running.models import Models
from benchmarks.running.plan import Further, Options, Unit, candidates, reworded_units, units
from benchmarks.running.scheduler import NullEvents, Rules, Scheduler
from benchmarks.running.work import Job
from benchmarks.specs.spec_models import ModelSpec
from benchmarks.storage.outcomes import from_json
from benchmarks.storage.store import AGAIN, Line, Store, UnitResult
from strategies.approaches.linear_head import LinearHead
from strategies.approaches.word_head import WordHead
from strategies.catalog import CannotLoad, approaches
from strategies.contract import Evidence, Failure, Fold, Prediction, Trial, Usage
from strategies.models.device import Placement
from strategies.models.sizes import FIXED_BYTES, bytes_as_float32
from strategies.models.vllm_server import CACHE_GIB
from tests import tiny
from tests.conftest import Folders
from tests.desk import ROOT, write_task
from tests.running.test_endpoint_bakeoff import Service, rows, service  # noqa: F401 - a fixture
from tests.running.test_spending import CALL, PRICE

# ---------------------------------------------------------------- which units may begin


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with closing(Store(tmp_path / "run.sqlite")) as opened:
        yield opened


def scheduler(store: Store, names: Sequence[str], rules: Rules | None = None, teacher: str = "") -> Scheduler:
    """Of some approaches on 300 held-out cases: three parts each, and requests in a teacher's words."""
    models = Models(specs=(ModelSpec(name="m"),), _ready={"m": tiny_model()})  # type: ignore[dict-item]
    benchmark = tiny.benchmark(heldout=300)
    benchmark = dataclasses.replace(benchmark, sequential=bool(rules and rules.enough))
    wanted = [each for each in candidates(approaches(), ("m",)) if each.strategy.name in names]
    asked = Options(second_seed=False)
    plan = [
        (unit, each)
        for each in wanted
        for unit in (*units(benchmark, each, asked, "salt"), *reworded_units(benchmark, each, asked, "salt", teacher))
    ]
    return Scheduler(
        benchmark=benchmark,
        models=models,
        store=store,
        events=NullEvents(),
        rules=rules or Rules(),
        candidates=wanted,
        plan=plan,
    )


def tiny_model() -> object:
    class Able:
        """Says that it can do everything; nothing is asked of it."""

        fingerprint = name = "m"
        local, context_tokens = True, 2048

        def never(self) -> None: ...

        generate = score_labels = score_narrowed = train = adapted = count = cut = never

    return Able()


def brought(unit: Unit, chosen: object = None) -> UnitResult:
    note = {"chosen": {"which": chosen or unit.candidate}} if unit.kind == "fit" else None
    return UnitResult(unit=unit.name, kind=unit.kind, candidate=unit.candidate, note=note)


def taken(waiting: Scheduler, near: str | None = "") -> list[Unit]:
    """All that may begin now."""
    found = []
    while (unit := waiting.take(near)) is not None:
        found.append(unit)
    return found


def kinds(found: Sequence[Unit]) -> list[tuple[str, str]]:
    return [(unit.candidate, unit.kind) for unit in found]


def test_one_at_a_time_they_come_in_the_order_of_the_plan(store: Store) -> None:
    waiting = scheduler(store, ("majority", "prompting"))
    order = []
    while (unit := waiting.take()) is not None:
        order.append((unit.candidate, unit.kind, unit.part))
        waiting.finish(brought(unit))
    assert order[:8] == [
        ("majority", "fit", 0),
        *(("majority", "answer", part) for part in range(3)),
        *(("majority", kind, 0) for kind in ("edit", "repeat", "latency")),
        ("prompting", "fit", 0),
    ]


def test_fits_begin_first_and_those_that_share_a_search_one_after_another(store: Store) -> None:
    waiting = scheduler(store, ("majority", "prompting", "copy nearest"))
    first = taken(waiting)
    assert Counter(kinds(first)) == Counter([("majority", "fit"), ("copy nearest", "fit"), ("prompting", "fit")])
    assert first[0].candidate == "prompting", "the longest begins first"
    fit = {unit.candidate: unit for unit in first}
    waiting.finish(brought(fit["prompting"], "few-shot"))
    later = taken(waiting, "prompting")
    assert kinds(later)[0] == ("prompting (cheapest)", "fit")
    assert [unit.kind for unit in later if unit.candidate == "prompting"] == ["answer"] * 3 + [
        "edit",
        "repeat",
        "format",
    ]
    waiting.finish(brought(later[0], "few-shot"))
    assert taken(waiting) == [], "what is chosen twice is measured once"
    assert "same configuration as prompting" in store.notes("fit")["prompting (cheapest)"]["problem"]


def test_waiting_times_are_measured_while_nothing_else_runs(store: Store) -> None:
    waiting = scheduler(store, ("majority", "copy nearest"))
    begun = taken(waiting)
    while begun:
        unit = begun.pop(0)
        waiting.finish(brought(unit))
        new = taken(waiting)
        if any(each.kind == "latency" for each in new):
            assert (begun, len(new)) == ([], 1)
            assert taken(waiting) == []
        begun += new
    with_all = store.done("latency")
    assert with_all == {"majority": 1, "copy nearest": 1}


def test_a_teacher_writes_for_one_and_the_others_ask_what_it_wrote(store: Store) -> None:
    """Else each worker would have it write, and pay, and ask in other words."""
    waiting = scheduler(store, ("majority", "copy nearest"), teacher="m")
    for fit in taken(waiting):
        waiting.finish(brought(fit))
    begun = taken(waiting)
    (writing,) = (unit for unit in begun if unit.kind == "reworded")
    waiting.finish(brought(writing))
    (second,) = taken(waiting)
    assert (second.kind, second.candidate != writing.candidate) == ("reworded", True)


def test_a_lost_unit_is_there_again_and_nothing_else(store: Store) -> None:
    waiting = scheduler(store, ("majority",))
    unit = taken(waiting)[0]
    waiting.again(unit)
    assert taken(waiting) == [unit]
    assert store.starts()[unit.name] == 2
    waiting.finish(brought(unit))
    answers = taken(waiting)
    waiting.again(answers[1])
    assert taken(waiting) == [answers[1]]


def test_where_asking_may_end_the_parts_of_a_candidate_come_in_turn(store: Store) -> None:
    waiting = scheduler(store, ("majority",), Rules(enough=lambda scores, groups: len(scores) >= 2))
    fit = taken(waiting)[0]
    waiting.finish(brought(fit))
    found = taken(waiting)
    assert [unit.kind for unit in found] == ["answer", "edit", "repeat"]
    scored = tuple(
        Row(candidate="majority", purpose="heldout", key=case.id, outcome=Prediction(text="x"), score=0.0)
        for case in waiting.benchmark.heldout[:60]
    )
    waiting.finish(dataclasses.replace(brought(found[0]), rows=scored))
    assert taken(waiting) == [], "the rest of the answers is left out, and waiting times come last"


def test_answers_that_were_lost_decide_nothing_when_the_run_goes_on(store: Store) -> None:
    """The second part lost its answers; with the zeros of these it would count as decided, and never be asked again."""
    rules = Rules(enough=lambda scores, groups: 0.0 in scores)

    def answers(part: int, score: float) -> tuple[Row, ...]:
        cases = waiting.benchmark.heldout[100 * part : 100 * (part + 1)]
        outcome = Prediction(text="x") if score else Failure(kind="infrastructure", message="gone")
        return tuple(
            Row(candidate="majority", purpose="heldout", key=case.id, outcome=outcome, score=score) for case in cases
        )

    waiting = scheduler(store, ("majority",), rules)
    waiting.finish(brought(taken(waiting, None)[0]))
    for part, note in ((0, {}), (1, {AGAIN: True})):
        (unit,) = [each for each in taken(waiting, None) if each.kind == "answer"]
        assert unit.part == part
        waiting.finish(dataclasses.replace(brought(unit), rows=answers(part, float(not part)), note=note))
    assert [each for each in taken(waiting, None) if each.kind == "answer"] == []
    waiting = scheduler(store, ("majority",), rules)
    (unit,) = [each for each in taken(waiting, None) if each.kind == "answer"]
    assert unit.part == 1
    waiting.finish(dataclasses.replace(brought(unit), rows=answers(1, 1.0)))
    assert [each.part for each in taken(waiting, None) if each.kind == "answer"] == [2]


def test_with_the_gate_nothing_with_a_model_begins_before_all_without_one_is_stored(store: Store) -> None:
    waiting = scheduler(store, ("majority", "prompting"), Rules(economy=Economy(target=0.5, level=0.05)))
    first = taken(waiting)
    assert kinds(first) == [("majority", "fit")]
    waiting.finish(brought(first[0]))
    begun = taken(waiting)
    while begun:
        assert {unit.candidate for unit in begun} == {"majority"}
        rows_of = tuple(
            Row(candidate="majority", purpose="heldout", key=case.id, outcome=Prediction(text="x"), score=0.0)
            for case in waiting.benchmark.heldout
        )
        unit = begun.pop(0)
        waiting.finish(dataclasses.replace(brought(unit), rows=rows_of if unit.kind == "answer" else ()))
        new = taken(waiting)
        if any(each.candidate == "prompting" for each in new):
            assert begun == []
            assert kinds(new) == [("prompting", "fit")]
            return
        begun += new
    raise AssertionError("prompting never began")


# ---------------------------------------------------------------- one budget


def writer(store: Store, limit: float) -> WriterService:
    spending = SpendingBudget(limit=limit, currency="USD", prices={"m": PRICE})
    spending.write_down = lambda at_most: store.note_meta("spent", at_most)
    return WriterService(store=store, journal=store.journal, spending=spending, events=NullEvents())


UNIT = Unit(name="u", kind="fit", candidate="c")
SERVER = "http://127.0.0.1:1/v1"


def said(at: WriterService, worker: int, name: str, *given: object) -> list[tuple[int, object]]:
    at.outbox.clear()
    at.handle(worker, UNIT, name, [*given, SERVER] if name in ("reserve", "settle") else given)
    return list(at.outbox)


def test_workers_wait_for_what_others_may_leave_and_the_limit_holds(store: Store) -> None:
    at = writer(store, 10.0)
    assert said(at, 0, "reserve", 6.0) == [(0, [True, 0.0])]
    assert store.meta("spent") == 6.0, "who is killed now may have paid that"
    assert said(at, 1, "reserve", 6.0) == [], "the other one may cost less than its worst"
    assert said(at, 0, "reserve", 6.0) == [(0, [False, 0.0])], "with a request of its own it waits for that first"
    assert said(at, 0, "settle", 6.0, 1.0) == [(0, 1.0), (1, [True, 1.0])]
    assert (store.meta("spent"), at.under_way) == (7.0, 1)
    assert said(at, 0, "reserve", 9.5) == [(0, [False, 1.0])], "that can never be paid any more"
    assert said(at, 1, "settle", 6.0, 6.0) == [(1, 7.0)]
    assert said(at, 1, "reserve", 4.0) == [(1, [False, 7.0])]
    assert store.meta("spent") == 7.0
    assert not at.under_way, "an answer is written down before it is settled"


def test_once_the_run_ends_nothing_more_is_paid_for(store: Store) -> None:
    at = writer(store, 10.0)
    said(at, 0, "reserve", 6.0)
    assert said(at, 1, "reserve", 6.0) == []
    at.close()
    assert at.outbox == [(1, [False, 0.0])]
    assert said(at, 0, "reserve", 1.0) == [(0, [False, 0.0])]
    assert at.under_way == 1
    said(at, 0, "settle", 6.0, 1.0)
    assert not at.under_way


def test_without_a_limit_the_writer_knows_all_the_same_who_waits_for_a_server(store: Store) -> None:
    at = WriterService(store=store, journal=store.journal, spending=None, events=NullEvents())
    assert said(at, 0, "reserve", 0.0) == [(0, [True, 0.0])]
    said(at, 0, "reserve", 0.0)
    said(at, 1, "reserve", 0.0)
    assert at.under_way == 3
    at.close()
    assert said(at, 1, "reserve", 0.0) == [(1, [False, 0.0])]
    said(at, 0, "settle", 0.0, 0.0)
    at.lost(1)
    assert at.under_way == 1
    at.rests(0)
    assert not at.under_way


def test_what_a_lost_worker_had_asked_for_counts_as_paid(store: Store) -> None:
    at = writer(store, 10.0)
    said(at, 0, "reserve", 4.0)
    said(at, 1, "reserve", 5.0)
    assert said(at, 2, "reserve", 3.0) == []
    assert said(at, 3, "reserve", 2.0) == []
    at.outbox.clear()
    at.lost(2)
    at.lost(0)
    assert at.outbox == [], "5 are under way, 4 are spent, and 2 more would be too much"
    at.lost(1)
    assert at.outbox == [(3, [False, 9.0])]
    assert store.meta("spent") == 9.0


def test_the_journal_and_the_answers_of_servers_lie_where_one_process_would_put_them(store: Store) -> None:
    at = writer(store, 1.0)
    assert said(at, 0, "write", "space", "key", {"a": 1}) == [(0, None)]
    assert said(at, 1, "journal", "space", "key") == [(1, {"a": 1})]
    assert said(at, 1, "journal", "other space", "key") == [(1, None)]
    said(at, 0, "keep", "question", {"text": "yes", "usage": {}})
    assert said(at, 1, "completions") == [(1, [("question", {"text": "yes", "usage": {}})])]
    said(at, 0, "forget")
    assert store.completions("u") == []


def test_the_seconds_of_one_server_are_divided_among_those_who_wait_for_it() -> None:
    now = [0.0]
    server = Waited(clock=lambda: now[0])

    def at(second: float) -> Waited:
        now[0] = second
        return server

    at(0).begins(0)
    at(1).begins(0)
    at(4).begins(1)
    at(6).ends(0)
    assert at(8).part(0) == (4 + 4 / 2) / 8, "two of its own are one who waits"
    at(8).ends(0)
    at(10).ends(1)
    assert at(20).part(1) == (4 / 2 + 2) / 6, "nobody waited from the tenth second on"
    assert at(21).part(1) == 1.0
    at(22).begins(0)
    at(23).begins(1)
    at(24).leaves(1)
    at(26).ends(0)
    assert server.part(0) == (1 + 1 / 2 + 2) / 4
    assert server.part(1) == 1.0, "what a lost worker waited for falls to nobody else"


SCORE = """
import multiprocessing

def score(input, output, accepted, metadata):
    if multiprocessing.parent_process():
        print("A worker scores.")
    return float(output in accepted)
"""


def test_two_workers_at_one_server_are_paid_for_its_hours_once(
    tmp_path: Path, model_folders: Folders, capfd: pytest.CaptureFixture[str]
) -> None:
    """And what a metric prints there does not come between results."""
    (tmp_path / "mine.py").write_text(SCORE, encoding="utf-8")
    with HTTPServer(threaded=True) as started:
        busy = Busy(started)
        first = busy.lines(concurrency=4)[0].removeprefix("models: [").removesuffix("]")
        first = re.sub(r", input_per_million.*?(?=})", "", first)
        other = first.replace("name: hosted, model: m", "name: other, model: n")
        lines = f"models: [{first}, {other}]", "metric: mine.py:score"
        task = write_task(tmp_path, model_folders, *lines, cases=tiny.messages(40))
        both = ("prompting @ hosted", "prompting @ other")
        wishes = Wishes(approaches=both, effort="quick", on="processes", workers=2, probes="none", second_seed=False)
        advise(task, out=tmp_path / "run", wishes=dataclasses.replace(wishes, allow_code=True))
        printed = capfd.readouterr()
        assert ("A worker scores." in printed.out, "A worker scores." in printed.err) == (False, True)
        assert busy.most > 2, "both asked at once"
    with closing(Store(tmp_path / "run" / "run.sqlite")) as kept:
        seconds = sum(usage.seconds for usage in kept.ledger() if usage.model in ("hosted", "other"))
    assert 0.6 * busy.passed < seconds < 1.3 * busy.passed


@dataclasses.dataclass
class Busy(Service):
    """Takes a moment for each answer, and knows in how many seconds it was at any."""

    under_way: int = 0
    most: int = 0
    passed: float = 0.0
    since: float = 0.0

    def _answer(self, request: Request) -> Response:
        self._turn(1)
        try:
            time.sleep(0.03)
            return super()._answer(request)
        finally:
            self._turn(-1)

    def _turn(self, more: int) -> None:
        with self.lock:
            now = time.perf_counter()
            self.passed += (now - self.since) * bool(self.under_way)
            self.since, self.under_way = now, self.under_way + more
            self.most = max(self.most, self.under_way)


@pytest.mark.slow
def test_two_workers_stop_at_one_limit_and_go_on_with_a_higher_one(
    service: Service,  # noqa: F811
    tmp_path: Path,
    model_folders: Folders,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "canary-7781")
    first = service.lines(concurrency=4)[0].removeprefix("models: [").removesuffix("]")
    task = write_task(
        tmp_path,
        model_folders,
        f"models: [{first}, {first.replace('name: hosted, model: m', 'name: other, model: n')}]",
    )
    both = ("prompting @ hosted", "prompting @ other")
    wishes = Wishes(approaches=both, effort="quick", on="processes", workers=2, max_cost=0.02)
    assert b"canary-7781" not in pickle.dumps(prepare(task, wishes).models.for_worker(2, 1))
    advise(task, out=tmp_path / "run", wishes=wishes)
    assert "--max-cost 0.02 USD is reached" in caplog.text
    assert 0.01 < service.calls * CALL <= 0.02
    advise(task, out=tmp_path / "run", wishes=dataclasses.replace(wishes, max_cost=5.0))
    whole = Counter(service.asked)
    service.asked.clear()
    advise(task, out=tmp_path / "whole", wishes=Wishes(approaches=both, effort="quick"))
    assert whole == service.asked, "nothing was asked twice"
    for name in both:
        assert rows(tmp_path / "run", name) == rows(tmp_path / "whole", name) != []


def test_requests_that_a_server_takes_at_once_are_shared_out() -> None:
    served = ModelSpec(name="s", endpoint="http://127.0.0.1:1/v1", concurrency=5)
    models = tiny.models(Path("nowhere"))
    models = dataclasses.replace(models, specs=(*models.specs, served, served.model_copy(update={"concurrency": None})))
    assert [spec.concurrency for spec in models.for_worker(2, 1).specs] == [None, 2, 4]
    with pytest.raises(
        BadInput, match="The model s takes 5 requests at once, and each of 6 workers sends one at least"
    ):
        models.for_worker(6, 1)


# ---------------------------------------------------------------- how long it will take


def test_the_time_on_several_workers_is_bounded_by_the_longest_fit_and_by_the_work_there_is() -> None:
    works = [Work(lane=(name, "m"), fit=fit, rest=80.0) for name, fit in (("a", 100.0), ("b", 100.0), ("c", 400.0))]
    works.append(Work(lane=("a", "m"), fit=50.0, rest=0.0))
    whole = sum(work.fit + work.rest for work in works)
    times = [makespan(works, workers) for workers in (1, 2, 4, 64)]
    assert times[0] == whole
    assert times == sorted(times, reverse=True)
    assert all(time >= max(480.0 - 70.0, whole / workers) for time, workers in zip(times, (1, 2, 4, 64), strict=True))
    assert times[1] == pytest.approx(whole / 2, rel=0.05)
    assert times[3] == 410.0, "the longest fit, and one piece of what follows"
    twice = [*works, Work(lane=("d", "m"), fit=300.0, rest=8.0, again=250.0)]
    assert makespan(twice, 64) == 550.0, "a training with a second seed follows its fit and is one worker's"
    assert makespan(twice, 1) == sum(work.seconds for work in twice)


def test_the_worked_example_of_the_documentation_is_what_is_reckoned() -> None:
    trained = [Work(lane=("lora", model), fit=720.0, rest=200.0) for model in "ab" for _ in range(2)]
    works = [*trained, *(Work(lane=(f"{number}", "a"), fit=120.0, rest=200.0) for number in range(6))]
    whole = sum(work.seconds for work in works)
    alone = Forecast(memory=1, minutes=(FIXED_S + whole) / 60, fits=True, sentence="", works=tuple(works))
    place = Placement(device="cpu", dtype="float32", threads=1, why="")
    page = (ROOT / "docs" / "several-workers.md").read_text(encoding="utf-8")
    for machines in (1, 2, 4, 16):
        found = on_workers(alone, machines, place, here=False)
        hours = found.minutes / 60 * machines
        assert f"| {machines} | {found.minutes:.0f} | {hours:.1f} | {machine_money(found, 1.2):.2f} |" in page


def test_a_server_that_workers_share_is_in_memory_once_and_what_it_alone_loads_in_none_of_them(
    model_folders: Folders, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ADVISOR_VLLM", sys.executable)  # Nothing is started.
    spec = ModelSpec(name="m", folder=str(model_folders.language), engine="vllm")
    models = Models(specs=(spec,), dtype="float32", _placement=tiny.FLOAT32)
    asked = {each.name: each for each in candidates(approaches(), ("m",))}
    server = bytes_as_float32(model_folders.language) + CACHE_GIB * 2**30
    prompting, lora = (forecast(tiny.benchmark(), [asked[name]], models, Options()) for name in ("prompting", "lora"))
    assert prompting.servers == lora.servers == server
    assert prompting.memory == server + FIXED_BYTES
    assert lora.memory > prompting.memory, "a training has a copy of its own"
    four = on_workers(prompting, 4, tiny.FLOAT32, here=True)
    assert four.memory == server + 4 * FIXED_BYTES
    assert on_workers(prompting, 4, tiny.FLOAT32, here=False).memory == prompting.memory


def test_what_fits_without_a_language_model_take_is_reckoned_and_taken_by_one_worker(model_folders: Folders) -> None:
    """They were said to take no time and no memory, and much text and many labels ended a run without a word."""
    models, plain = tiny.models(model_folders.language), tiny.benchmark()
    lines = dataclasses.replace(plain.task.folds[0].train[0], input="word " * 152_000)
    fold = Fold(train=(lines,), selection=plain.task.folds[0].selection)
    labels = tuple(f"label {number}" for number in range(150))
    much = dataclasses.replace(plain, task=dataclasses.replace(plain.task, folds=(fold,), labels=labels))
    counting, heads = ([Candidate(name=each.name, strategy=each, model="")] for each in (WordHead(), LinearHead()))
    little, large = (forecast(each, counting, models, Options()) for each in (plain, much))
    assert little.memory - FIXED_BYTES < 1e7
    assert 1.3e9 < large.memory - FIXED_BYTES < 1.7e9, "10,000 lines of 76 characters with 150 labels took 1.5 GB"
    assert little.minutes < large.minutes - 1
    four = on_workers(large, 4, tiny.FLOAT32, here=True)
    assert four.memory == large.memory + 3 * FIXED_BYTES
    (built,) = forecast(plain, counting, models, Options(), Further(rebuilds=3)).works
    assert built.rest == pytest.approx(3 * SHARE * built.fit)
    orders = tiny.benchmark("extraction")
    for benchmark in (plain, orders):
        (head,) = forecast(benchmark, heads, models, Options()).works
        assert 0 < head.fit < 10
        assert 0 < head.memory < 1e7


def test_what_is_predicted_on_workers_counts_threads_cards_and_machines_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("benchmarks.costs.forecast.matrix_rate", lambda placement: 1e9 * placement.threads)
    works = tuple(Work(lane=(f"{number}", "m"), fit=600.0, rest=800.0) for number in range(8))
    alone = Forecast(memory=1, minutes=(FIXED_S + 8 * 1400) / 60, fits=True, sentence="", works=works)
    place = Placement(device="cpu", dtype="float32", threads=2, why="")
    two, eight = (on_workers(alone, workers, place, here=True) for workers in (2, 8))
    assert eight.minutes == pytest.approx(two.minutes), "eight workers have the two threads that two have"
    assert "more workers than this machine has threads (2) gain nothing" in eight.sentence
    assert "gain nothing" not in two.sentence
    card = on_workers(alone, 4, dataclasses.replace(place, device="mps"), here=True)
    assert card.minutes >= alone.minutes, "four workers share one card"
    waiting = dataclasses.replace(alone, works=tuple(dataclasses.replace(work, waits=True) for work in works))
    shared = on_workers(waiting, 8, place, here=True)
    assert shared.minutes >= alone.minutes, "the requests that a server takes at once are shared out"

    prices = MachinePrices(machine_hour=60.0)
    assert machine_money(two, 60.0) == pytest.approx(two.minutes)
    cluster = on_workers(alone, 4, place, here=False)
    assert machine_money(cluster, 60.0) == pytest.approx(4 * cluster.minutes), "four machines are paid for all the time"
    assert "expected on 4 workers, each on a machine like this one: about" in cluster.sentence
    computed = (Computed(model="m", prompt_tokens=1, answer_tokens=1, trained_tokens=0),)
    (_, said) = computed_says(dataclasses.replace(cluster, computed=computed), prices)
    assert said.startswith("4 machines of the cluster: about ")
    assert "for these minutes, idle ones included (60 an hour each, " in said
    unknown = cluster_says([on_workers(alone, machines, place, here=False) for machines in (2, 16)])
    assert "is seen when the run starts: about 95 minutes on 2 and 18 on 16 (3.2 and 4.8 machine hours, idle" in unknown


# ---------------------------------------------------------------- what crosses


def test_a_worker_charges_its_part_of_the_machine_and_a_server_what_it_is(tmp_path: Path) -> None:
    specs = (ModelSpec(name="here"), ModelSpec(name="hosted", endpoint="http://127.0.0.1:1", model="x"))
    asked = {each.name: each for each in candidates(approaches(), ()) if each.name == "majority"}
    job = Job(
        benchmark=tiny.benchmark(),
        models=Models(specs=specs, _placement=tiny.FLOAT32),
        options=Options(),
        folder=tmp_path,
        candidates=asked,
        fits={},
    )
    usage = tuple(Usage(model=name, step="answering", seconds=8.0, calls=3) for name in ("here", "hosted"))
    row = Row(candidate="majority", purpose="heldout", key="1", outcome=Prediction(text="a", usage=usage), score=1.0)
    done = UnitResult(
        unit="u", kind="answer", candidate="majority", rows=(row,), usage=usage, note={"seconds": 9.0, "cases": 5}
    )
    for part in (0.25, 1.0):
        share = Share(threads=1, all_threads=4, part=part)
        worker = RemoteWorker(job=job, ask=lambda *_: None, tell=lambda *_: None, share=share)
        charged = worker._charged(done)
        for found in (charged.usage, from_json(charged.lines[0].outcome).usage):
            assert found == (dataclasses.replace(usage[0], seconds=8.0 * part), usage[1])
        assert charged.note == {"seconds": 9.0 * part, "cases": 5}, "what a fit took stands beside its usage"
        again = worker._charged(dataclasses.replace(done, note={"seconds": None, "again_seconds": 6.0, "edits": []}))
        assert again.note == {"seconds": None, "again_seconds": 6.0 * part, "edits": []}, "and so does another fit"


@pytest.mark.parametrize(
    ("device", "workers", "threads", "part"),
    [("cpu", 6, 1, 1.0), ("cpu", 4, 8, 0.25), ("cpu", 3, 8, 0.25), ("cuda", 4, 1, 0.25)],
)
def test_a_worker_with_all_threads_of_the_machine_is_charged_as_the_run_in_one_process(
    device: str, workers: int, threads: int, part: float
) -> None:
    """One of six that work on a fit while the others have nothing to do took as long as it would have alone."""
    share = ProcessExecutor(workers=workers).share(Placement(device=device, dtype="float32", threads=threads, why=""))
    assert share == Share(threads=max(1, threads // workers), all_threads=threads, part=part)


def test_what_a_unit_brought_crosses_as_plain_values_and_is_stored_as_it_came(tmp_path: Path) -> None:
    usage = Usage(model="m", step="answering", prompt_tokens=3, seconds=0.1)
    outcomes: tuple[Prediction | Failure, ...] = (
        Prediction(
            text="jä", evidence=(Evidence(document_id="d", text="t", start=0, end=1, score=0.5),), usage=(usage,)
        ),
        Failure(kind="infrastructure", message="gone"),
    )
    rows_of = tuple(
        Row(candidate="c", purpose="heldout", key=str(place), outcome=outcome, score=1 / 3)
        for place, outcome in enumerate(outcomes)
    )
    trial = Trial(approach="a", configuration={"shots": 4}, score=0.5, cases=3, tokens=9)
    done = UnitResult(
        unit="u", kind="answer", candidate="c", rows=rows_of, usage=(usage,), trials=(trial,), note={"a": [1]}
    )
    crossed = from_values(json.loads(json.dumps(as_values(done))))
    assert crossed == dataclasses.replace(done, rows=tuple(Line.of(row) for row in rows_of))
    assert as_values(crossed) == as_values(done)
    for name, each in (("here", done), ("there", crossed)):
        with closing(Store(tmp_path / name)) as store:
            store.begin("u", "answer", "c")
            store.finish(each)
            assert tuple(store.rows("c", "heldout")) == rows_of


@pytest.mark.parametrize(
    "error",
    [
        BadInput("b"),
        LimitReached("l"),
        ScoreFailure("s"),
        CannotLoad("c"),
        OSError(28, "No space left on device"),
        KeyError("k"),
    ],
)
def test_a_fault_is_the_same_fault_on_the_other_side(error: Exception) -> None:
    found = fault(fault_values(error))
    if isinstance(error, KeyError):
        assert (type(found), str(found)) == (RuntimeError, "KeyError: 'k'")
    elif isinstance(error, OSError):
        assert isinstance(found, OSError)
        assert found.errno == error.errno
    else:
        kind = BadInput if isinstance(error, CannotLoad) else type(error)
        assert (type(found), str(found)) == (kind, str(error))


def test_a_candidate_survives_the_way_to_another_process() -> None:
    for candidate in candidates(approaches(), ("m",)):
        again = pickle.loads(pickle.dumps(candidate))
        assert isinstance(again, Candidate)
        assert repr(again) == repr(candidate), "units are named by it"


def test_a_run_that_takes_over_all_fits_takes_what_follows_them() -> None:
    works = tuple(Work(lane=("lora", name), fit=600.0, rest=90.0) for name in ("small", "large"))
    expected = Forecast(memory=1, minutes=24.0, fits=True, sentence="", works=works)
    assert expected.minutes_without_fits == pytest.approx((FIXED_S + 180) / 60)
