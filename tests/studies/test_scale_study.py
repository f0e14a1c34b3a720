"""The study of scale: imagined runs go through the real pool, losses and slow workers included, and the table is made of rows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from benchmarks.contract import BadInput, Benchmark, Candidate
from benchmarks.executors.in_process import InProcessExecutor
from benchmarks.running.plan import Options, candidates, units
from benchmarks.studies.scale import __main__ as study
from benchmarks.studies.scale import goals, real, report, shared, shared_runs, waiting
from benchmarks.studies.scale.imagined import Cluster, Many, Outcome, Times, simulated, with_cases
from benchmarks.studies.scale.waiting import Measured, learnt
from strategies.catalog import approaches
from tests import tiny

NAMES = ("majority", "copy nearest", "prompting", "lora")
TIMES = Times(by_kind={"fit": 100.0, "answer": 10.0, "edit": 8.0, "repeat": 4.0, "seed": 50.0, "latency": 5.0})


def asked() -> list[Candidate]:
    return [each for each in candidates(approaches(), ("m",)) if each.strategy.name in NAMES]


def ran(cluster: Cluster, cases: int = 1_000, seed: int = 0) -> Outcome:
    benchmark = with_cases(tiny.benchmark(), cases)
    return simulated(benchmark, asked(), {each.name: TIMES for each in asked()}, cluster, seed)


def planned(benchmark: Benchmark) -> int:
    return sum(len(units(benchmark, each, Options(), "")) for each in asked())


def test_one_worker_takes_the_sum_of_all_units_and_more_take_less() -> None:
    benchmark = with_cases(tiny.benchmark(), 1_000)
    alone = ran(Cluster(workers=1, start=7.0, write=0.5))
    kinds = [unit.kind for each in asked() for unit in units(benchmark, each, Options(), "")]
    work = sum(TIMES.of(kind) for kind in kinds)
    assert alone.seconds == pytest.approx(work + 7.0 + 0.5 * len(kinds))
    assert (alone.performed, alone.lost) == (len(kinds), 0)
    several = [ran(Cluster(workers=workers, start=7.0, write=0.5)) for workers in (2, 4, 16)]
    assert alone.seconds > several[0].seconds > several[1].seconds >= several[2].seconds > 2 * 100
    assert {each.performed for each in several} == {len(kinds)}


def test_what_the_writer_takes_is_a_limit_for_many_workers() -> None:
    benchmark = with_cases(tiny.benchmark(), 20_000)
    slow = ran(Cluster(workers=64, write=5.0), cases=20_000)
    assert slow.seconds > 5.0 * planned(benchmark)
    assert ran(Cluster(workers=64), cases=20_000).seconds < slow.seconds / 2


def test_units_of_lost_workers_are_performed_by_others_and_slow_ones_cost_time() -> None:
    calm = ran(Cluster(workers=4))
    rough = ran(Cluster(workers=4, losses=20.0, noticed=30.0))
    assert rough.lost > 0
    assert rough.performed == calm.performed
    assert rough.seconds > calm.seconds
    assert ran(Cluster(workers=4, slow=1.0, slower=3.0)).seconds == pytest.approx(3 * calm.seconds)
    assert ran(Cluster(workers=4, spread=0.3), seed=1) == ran(Cluster(workers=4, spread=0.3), seed=1)
    with pytest.raises(BadInput, match="3 workers were lost, one after another, over the same work"):
        ran(Cluster(workers=2, losses=100_000.0))


def test_cases_are_made_when_they_are_asked_for() -> None:
    many = Many(10_000_000)
    assert len(many) == 10_000_000
    assert many[9_999_999].id == "9999999"
    assert [case.id for case in many[3:5]] == ["3", "4"]
    with pytest.raises(IndexError):
        many[10_000_000]


def test_times_are_learnt_from_a_run_on_one_worker() -> None:
    rows: Sequence[tuple[str, str, float]] = [
        ("a", "fit", 12.1),
        ("a", "answer", 3.1),
        ("a", "answer", 5.1),
        ("b", "fit", 2.1),
    ]
    times, cluster = learnt(Measured(seconds=23.0, units=rows, write=0.1))
    assert times["a"].of("answer") == pytest.approx(4.0)
    assert times["a"].of("fit") == times["b"].of("fit") == pytest.approx(2.0)
    assert times["a"].of("latency") == 0
    assert cluster.start == pytest.approx(10.0)
    assert cluster.write == 0.1


def test_a_real_run_of_what_waits_is_measured_unit_by_unit(tmp_path: Path) -> None:
    benchmark = tiny.benchmark(heldout=30)
    few = waiting.candidates(2, fit_s=0.01, answer_s=0.001)
    real = waiting.measured(benchmark, few, InProcessExecutor(), tmp_path / "run")
    assert len(real.units) == sum(len(units(benchmark, each, Options(), "")) for each in few)
    assert min(seconds for _, kind, seconds in real.units if kind == "answer") >= 0.03
    assert 0 < real.write < 1
    assert real.seconds >= sum(seconds for *_, seconds in real.units) * 0.5


# ---------------------------------------------------------------- the document


def row(part: str, **more: Any) -> dict[str, Any]:
    return {"part": part, "commit": "abc", "machine": "one, 2 cores", "cases": 1_000, **more}


def test_the_document_says_how_near_the_simulation_is() -> None:
    rows = [
        row("waiting", workers=workers, measured_s=100.0 / workers, simulated_s=100.0 / workers * more)
        for workers, more in ((1, 1.0), (2, 1.05))
    ]
    text = report.document(rows)
    assert "It is within 10 %." in text
    assert "| 2 | 50.0 s | 52.5 s | +5.0 % | 2.00 |" in text
    assert "It is not within 10 %." in report.document([*rows, replace_in(rows[1], simulated_s=60.0)])
    curve = [
        row("curve", workers=workers, weather=weather, seconds=seconds, performed=50, lost=lost)
        for workers, weather, seconds, lost in (
            *((1, "calm", 7200.0, 0), (1, "rough", 9000.0, 2)),
            *((4, "calm", 3600.0, 0), (4, "rough", 4500.0, 1)),
        )
    ]
    assert "| 1,000 | 4 | 50 | 60 min | 50 % | 75 min | 1 |" in report.document([*rows, *curve])


def replace_in(known: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {**known, **more}


def test_times_of_units_come_from_a_stored_run() -> None:
    from tests.situations import SITUATIONS

    each = SITUATIONS["facts_in_the_documents_change"]().told().evaluations[0]
    assert each.answering is not None
    times = study.times_of(replace(each, answering=replace(each.answering, seconds=30.0, calls=300)))
    assert times.of("answer") == pytest.approx(12.8)
    assert times.of("edit") == pytest.approx(10.0)


def shared_row(part: str, on: str, workers: int, seconds: float, **more: Any) -> dict[str, Any]:
    usual = {
        "missing": 0,
        "different": 0,
        "repeated": 0,
        "again": 0,
        "answers_changed": 0,
        "lost": "",
        "memory_mb": [90, 90, 90, 90, 90.0],
    }
    return {**row(part), "what": part, "on": on, "workers": workers, "seconds": seconds, "units": 40, **usual, **more}


CALM = (
    shared_row("light", "here", 1, 100.0),
    {key: value for key, value in shared_row("light", "by hand", 2, 57.0).items() if key != "units"},
    shared_row("light", "processes", 1, 104.0),
    shared_row("light", "processes", 2, 60.0),
)
LOSSY = shared_row("light", "processes", 2, 70.0, lost="a worker", again=1)


def test_the_goals_are_reckoned_from_the_rows() -> None:
    (_, told) = goals.section([*CALM, LOSSY])
    assert "| overhead of processes at one worker, light approaches | < 5 % | +4.0 % | reached |" in told
    assert "two processes by hand, light approaches | >= 95 % | 95 % | reached |" in told
    assert "| lost or stored twice after each loss | 0 | 0 in 1 runs | reached |" in told
    assert (
        "| rows equal to one process | all | 120 of 120 units in 3 runs; 0 answers or scores are others | reached |"
        in told
    )
    assert told.count("not measured yet") == 4
    worse = [*CALM[:2], {**CALM[2], "seconds": 106.0}, {**CALM[3], "memory_mb": [90.0, 90, 91, 92, 95]}]
    (_, told) = goals.section([*worse, {**LOSSY, "repeated": 2, "different": 1}])
    assert "+6.0 % | not reached" in told
    assert "119 of 120 units in 3 runs; 0 answers or scores are others | not reached" in told
    assert "2 in 1 runs | not reached" in told
    assert "at most from 90 to 95 MB, 1,000 cases | not reached" in told
    assert "| processes, 2 workers | a worker | 0 | 0 | 0 | 1 | 70 s | 60 s |" in report.document([*CALM, LOSSY])


def test_the_engine_is_held_against_a_bare_client_by_tokens() -> None:
    measured = {
        "cases": 256,
        "concurrency": 16,
        "run_s": 50.0,
        "run_tokens": 4_800,
        "bare_s": 100.0,
        "bare_tokens": 10_000,
    }
    (_, told) = goals.section([*CALM, row("engine", **measured)])
    assert "| >= 95 % | 96 % (96 and 100, 256 cases, 16 at once) | reached |" in told


def test_of_several_rounds_the_median_counts_and_every_fault() -> None:
    slow = shared_row("light", "processes", 2, 900.0, different=1)
    rows = [*CALM, slow, shared_row("light", "processes", 2, 58.0)]
    (one,) = (each for each in shared_runs.joined(rows) if each["on"] == "processes" and each["workers"] == 2)
    assert (one["seconds"], one["rounds"], one["different"], one["units"]) == (60.0, 3, 1, 120)
    assert "| processes | 2 | 60 s (of 3) | 1 of 120 |" in report.document(rows)


def test_times_are_compared_within_a_round() -> None:
    busy = [{**row, "seconds": 3 * row["seconds"]} for row in CALM if row["part"] == "light"]
    rows = [*CALM, *busy, *(row for row in busy if row["on"] == "by hand")]
    before, after = (
        [line for line in goals.section(each)[1].splitlines() if "overhead" in line or "efficiency" in line]
        for each in (CALM, rows)
    )
    assert before == after


def test_half_of_the_cases_is_whole_pieces() -> None:
    cases = list(range(1_000))
    first, second = real.halved(cases, 1), real.halved(cases, 2)
    assert [*first, *second] == cases == real.halved(cases, 0)
    assert len(first) == 512


@pytest.mark.nightly
def test_a_real_run_that_loses_a_worker_and_one_that_loses_its_driver_have_the_rows_of_one_process(
    tmp_path: Path,
) -> None:
    found = {}
    for setting in shared.SETTINGS:
        if setting.what == "light" and (setting.on == "here" or (setting.on == "processes" and setting.lost)):
            found[setting.lost] = shared.performed(setting, tmp_path, 1_024)
    assert {each["units"] for each in found.values()} == {4 + 4 * 8}
    assert all(each["missing"] == each["different"] == each["repeated"] == 0 for each in found.values())
    assert found["a worker"]["again"] == 1
    assert 1 <= found["the driver"]["again"] <= 2
    assert found["time of one worker"]["seconds"] > shared.STOPPED_S


def test_the_committed_rows_give_the_committed_document(tmp_path: Path) -> None:
    result = CliRunner().invoke(study.main, ["table", "--into", str(tmp_path / "scale.md")])
    assert result.exit_code == 0, result.output
    assert (tmp_path / "scale.md").read_text(encoding="utf-8") == study.DOCUMENT.read_text(encoding="utf-8")
