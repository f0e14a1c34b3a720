"""Asking until it is decided: the order, bounds that bear stopping, and whole runs that stop."""

from __future__ import annotations

import dataclasses
import json
from collections import Counter
from contextlib import closing
from pathlib import Path

import numpy as np
import pytest

from benchmarks.running.deadline import TimeUp
from benchmarks.running.plan import LOOK, Unit, shards
from benchmarks.running.scheduler import NullEvents, rules_of
from benchmarks.statistics import sequential
from benchmarks.statistics.confidence import paired_difference
from benchmarks.statistics.sample_size import more_until_decided
from benchmarks.statistics.sequential import StopRule, in_asking_order
from benchmarks.storage.store import Store, UnitResult
from strategies.contract import Case
from tests import tiny
from tests.conftest import Folders
from tests.desk import call, write_task

TARGET = 0.8
LEVEL = 0.05


def asked_until_decided(scores: np.ndarray, rule: StopRule, groups: list[str] | None = None) -> tuple[int, bool]:
    """(cases, whether it is said to meet) with a look after every fifth case."""
    for cases in range(5, len(scores) + 1, 5):
        part = groups[:cases] if groups else [""] * cases
        if rule(scores[:cases].tolist(), part):
            return cases, sequential.test_meets(scores[:cases], part, rule.target, largest=rule.largest) <= rule.level
    return len(scores), False


# ---------------------------------------------------------------- the order


def test_the_order_is_random_and_the_same_for_the_same_seed() -> None:
    cases = tiny.messages(200)
    order = in_asking_order(cases, 1)
    assert order == in_asking_order(cases, 1) != in_asking_order(cases, 2)
    assert sorted(case.id for case in order) == sorted(case.id for case in cases)
    moved = sum(one is not other for one, other in zip(order, cases, strict=True))
    assert moved > 150


def test_cases_of_one_group_are_asked_together_and_no_unit_parts_them() -> None:
    cases = [dataclasses.replace(case, group=f"g{place % 60}") for place, case in enumerate(tiny.messages(240))]
    benchmark = dataclasses.replace(tiny.benchmark(), heldout=in_asking_order(cases, 0), sequential=True)
    names = [case.group for case in benchmark.heldout]
    runs = [name for place, name in enumerate(names) if place == 0 or names[place - 1] != name]
    assert Counter(runs) == Counter(set(names)), "each group stands in one place"
    edges = shards(benchmark)
    assert [first for first, _ in edges] == [0, *(last for _, last in edges[:-1])]
    assert edges[-1][1] == 240
    assert edges[0][1] >= 100
    assert all(last - first >= LOOK for first, last in edges[1:-1])
    assert all(names[last - 1] != names[last] for _, last in edges[:-1])


# ---------------------------------------------------------------- evidence


@pytest.mark.nightly
def test_at_the_target_looking_after_every_few_cases_finds_no_more_than_the_level() -> None:
    rng = np.random.default_rng(7)
    rule = StopRule(target=TARGET, level=LEVEL, largest=1)
    draws = 400
    met = [asked_until_decided((rng.random(400) < TARGET).astype(float), rule) for _ in range(draws)]
    assert sum(says for _, says in met) / draws <= LEVEL
    missed = sum(cases < 400 and not says for cases, says in met)
    assert missed / draws <= LEVEL


def test_cases_of_one_group_count_as_one_bet() -> None:
    """Four copies of each case would be decided far too often if they counted as four."""
    rng = np.random.default_rng(8)
    rule = StopRule(target=TARGET, level=LEVEL, largest=4)
    groups = [str(place // 4) for place in range(400)]
    draws, wrong, careless = 200, 0, 0
    for _ in range(draws):
        scores = np.repeat((rng.random(100) < TARGET).astype(float), 4)
        wrong += asked_until_decided(scores, rule, groups)[1]
        careless += asked_until_decided(scores, dataclasses.replace(rule, largest=1))[1]
    assert wrong / draws <= LEVEL < careless / draws


def test_large_groups_that_are_still_to_come_count_from_the_first_case_on() -> None:
    """300 single cases, 95 % right, and three documents of 100, half right: the truth is 72.5 %. In three orders of ten the
    first unit of work holds single cases only."""
    target, level, draws, wrong = 0.75, 0.0375, 150, 0
    single, rest = tiny.messages(600)[:300], tiny.messages(600)[300:]
    cases = [*single, *(dataclasses.replace(case, group=f"document {place // 100}") for place, case in enumerate(rest))]
    for draw in range(draws):
        benchmark = dataclasses.replace(tiny.benchmark(), heldout=in_asking_order(cases, draw), sequential=True)
        benchmark = dataclasses.replace(benchmark, target=target)
        rule = rules_of(benchmark, level, economical=None).enough
        assert rule is not None
        rng, groups = np.random.default_rng(draw), [case.group or case.id for case in benchmark.heldout]
        scores = [float(rng.random() < (0.5 if case.group else 0.95)) for case in benchmark.heldout]
        decided = (last for _, last in shards(benchmark) if rule(scores[:last], groups[:last]))
        wrong += float(np.mean(scores[: next(decided, 0)] or [0.0])) > target
    assert wrong / draws <= level


def test_who_is_always_right_does_not_miss_a_target_of_one_and_is_asked_on() -> None:
    right, alone = [1.0] * 50, [""] * 50
    assert sequential.test_misses(right, None, 1.0, largest=1) == 1.0
    assert not StopRule(target=1.0, level=0.01, largest=1)(right, alone)
    assert sequential.test_misses([*right, 0.0], None, 1.0, largest=1) == 0.0
    assert StopRule(target=1.0, level=0.01, largest=1)([*right, 0.0], [*alone, ""])
    assert sequential.upper_bound(right, None, 0.01, largest=1) == 1.0


def test_far_from_the_target_a_few_cases_are_enough_and_graded_scores_need_fewer() -> None:
    rng = np.random.default_rng(9)
    rule = StopRule(target=TARGET, level=LEVEL, largest=1)
    stops = [asked_until_decided((rng.random(800) < 0.9).astype(float), rule) for _ in range(100)]
    assert all(says for _, says in stops)
    assert np.median([cases for cases, _ in stops]) <= 100, "a fixed number of cases needs 82 for a power of 80 %"
    graded = [asked_until_decided(rng.beta(18, 2, 800), rule)[0] for _ in range(40)]
    assert np.median(graded) < np.median([cases for cases, _ in stops])
    assert asked_until_decided(np.zeros(100), rule) == (5, False)


@pytest.mark.parametrize("right", [0, 3, 31, 57, 60])
def test_bounds_are_where_the_tests_turn(right: int) -> None:
    scores = np.r_[np.ones(right), np.zeros(60 - right)]
    np.random.default_rng(right).shuffle(scores)
    lower = sequential.lower_bound(scores, None, LEVEL, largest=1)
    upper = sequential.upper_bound(scores, None, LEVEL, largest=1)
    assert 0 <= lower <= scores.mean() <= upper <= 1
    if lower > 0:
        assert (
            sequential.test_meets(scores, None, lower - 1e-6, largest=1)
            <= LEVEL
            < sequential.test_meets(scores, None, lower + 1e-6, largest=1)
        )
    if upper < 1:
        assert sequential.test_misses(scores, None, upper + 1e-6, largest=1) <= LEVEL
        assert sequential.test_misses(scores, None, upper - 1e-6, largest=1) > LEVEL


def test_how_many_more_it_takes_is_about_what_it_takes() -> None:
    rng = np.random.default_rng(12)
    taken = [
        asked_until_decided((rng.random(3000) < 0.84).astype(float), StopRule(target=TARGET, level=LEVEL, largest=1))[0]
        for _ in range(60)
    ]
    scores = np.r_[np.ones(252), np.zeros(48)]
    rng.shuffle(scores)
    more = more_until_decided(scores, None, TARGET, (LEVEL, 0.8, 20_000), 1)
    assert more is not None
    assert 0.5 < (300 + more) / np.quantile(taken, 0.8) < 2
    assert more_until_decided(scores, None, 0.5, (LEVEL, 0.8, 20_000), 1) == 30, (
        "decided by far for a fixed number, not so by bets"
    )
    assert more_until_decided(scores, None, float(scores.mean()), (LEVEL, 0.8, 20_000), 1) is None


@pytest.mark.parametrize(("right", "cases", "target"), [(96, 100, 0.9), (58, 60, 0.85), (70, 100, 0.8)])
def test_so_many_more_cases_decide_about_as_often_as_is_promised(right: int, cases: int, target: float) -> None:
    """The normal approximation told 63, 6 and 220 where two of three high figures were decided in a seventh of the draws."""
    rng, level = np.random.default_rng(4), LEVEL / 4
    scores = np.repeat([1.0, 0.0], [right, cases - right])
    more = more_until_decided(scores, None, target, (level, 0.8, 20_000), 1)
    assert more is not None
    rule = StopRule(target=target, level=level, largest=1)
    draws = [rng.permutation(np.r_[scores, rng.choice(scores, more)]) for _ in range(150)]
    assert 0.7 <= np.mean([rule(drawn.tolist(), [""] * len(drawn)) for drawn in draws]) <= 0.95


def test_paired_differences_bear_stopping_too() -> None:
    rng = np.random.default_rng(10)
    one, other = ((rng.random(400) < 0.7).astype(float) for _ in range(2))
    same = paired_difference(one, other, None, stops_with=1)
    assert same.lower < 0 < same.upper
    assert same.p_value > 0.05
    better = np.maximum(one, (rng.random(400) < 0.5).astype(float))
    found = paired_difference(better, one, None, stops_with=1)
    assert 0 < found.lower <= found.mean <= found.upper
    assert found.p_value < 0.01
    halves = (better - one + 1) / 2
    assert found.lower == 2 * sequential.lower_bound(halves, None, 0.025, largest=1) - 1, "two-sided, at 95 %"
    assert found.upper == 2 * sequential.upper_bound(halves, None, 0.025, largest=1) - 1
    assert found.p_value == 2 * sequential.test_meets(halves, None, 0.5, largest=1)
    plain = paired_difference(better, one, None)
    assert found.upper - found.lower > plain.upper - plain.lower, "what bears stopping is wider"


# ---------------------------------------------------------------- whole runs


def test_a_run_asks_until_it_is_decided_and_goes_on_where_it_was(
    tmp_path: Path, model_folders: Folders, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Three recorded systems: always wrong, right in nine of ten, and right about as often as asked. Of the last one the time is
    up after the first 100 cases."""

    class Cut(NullEvents):
        def finished(self, unit: Unit, done: UnitResult) -> None:
            if (unit.candidate, unit.kind) == ("close", "answer"):
                raise TimeUp

    monkeypatch.chdir(tmp_path)
    rng = np.random.default_rng(11)
    words = [" ".join(f"word{number}" for number in rng.integers(0, 500, 8)) for _ in range(600)]
    cases = [Case(id=f"h{place}", input=text, output="delivery") for place, text in enumerate(words)]
    write_task(tmp_path, model_folders, "heldout: held.jsonl", "recorded: systems.jsonl", "target: 0.6")
    rows = [{"id": case.id, "input": case.input, "output": case.output} for case in cases]
    (tmp_path / "held.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    shares = {"wrong": 0, "good": 9, "close": 6}
    answers = [
        {"system": name, "input": case.input, "answer": "delivery" if place % 10 < share else "invoice", "seconds": 0.1}
        for name, share in shares.items()
        for place, case in enumerate(cases)
    ]
    (tmp_path / "systems.jsonl").write_text("".join(json.dumps(row) + "\n" for row in answers), encoding="utf-8")
    chosen = [word for name in shares for word in ("--approach", name)]
    run = ("run", "task.yaml", "--out", "stopped", "--json", *chosen)
    with monkeypatch.context() as patched:
        patched.setattr("advisor.cli.logged.events_of", lambda *_: Cut())
        cut_off = call(capsys, *run, "--stop-when-decided", "--max-hours", "1")
    found = json.loads(cut_off.out)["facts"]["candidates"]
    assert {row["name"]: (row["state"], row["cases"]) for row in found} == {
        "wrong": ("misses", 100),
        "good": ("meets", 100),
        "close": ("not measured yet", 0),
    }
    assert "500 held-out cases were not answered yet" in cut_off.out
    assert "1,000 of 1,200 answers were not needed" in cut_off.out
    assert "To go on" in cut_off.err
    done = call(capsys, *run, "--stop-when-decided", "--resume")
    facts = json.loads(done.out)["facts"]
    asked = {row["name"]: row["cases"] for row in facts["candidates"]}
    assert asked == {"wrong": 100, "good": 100, "close": 600}, done.err
    assert {row["name"]: row["state"] for row in facts["candidates"]} == {
        "wrong": "misses",
        "good": "meets",
        "close": "undecided",
    }
    told = (tmp_path / "stopped" / "report.md").read_text(encoding="utf-8")
    assert "1,000 of 1,800 answers were not needed" in told
    with closing(Store(tmp_path / "stopped" / "run.sqlite")) as store:
        before = store.starts()
    again = call(capsys, *run, "--stop-when-decided", "--resume")
    assert json.loads(again.out)["facts"]["candidates"] == facts["candidates"]
    with closing(Store(tmp_path / "stopped" / "run.sqlite")) as store:
        assert store.starts() == before, "a resumed run finds nothing to ask"
    other = call(capsys, *run, "--resume")
    assert other.code == 2
    assert "--stop-when-decided" in other.err
    stricter = json.loads(call(capsys, "report", "stopped", "--target", "0.95", "--json").out)["facts"]
    assert {row["name"]: row["state"] for row in stricter["candidates"]}["good"] != "meets"
    margin = call(capsys, "report", "stopped", "--margin", "0.05")
    assert margin.code == 2
    assert "case by case" in margin.err


@pytest.mark.parametrize(
    ("line", "says"),
    [
        ("metric: macro_f1", "exists over all cases only"),
        ("margin: 0.05", "stops at a target"),
    ],
)
def test_what_cannot_be_decided_case_by_case_is_refused(
    line: str, says: str, tmp_path: Path, model_folders: Folders, capsys: pytest.CaptureFixture[str]
) -> None:
    path = write_task(tmp_path, model_folders, line)
    if line.startswith("margin"):
        path.write_text(path.read_text(encoding="utf-8").replace("target: 0.6\n", ""), encoding="utf-8")
    done = call(capsys, "run", str(path), "--approach", "majority", "--dry-run", "--stop-when-decided")
    assert done.code == 2
    assert says in done.err
