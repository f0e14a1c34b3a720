"""The study of scale: imagined runs go through the real pool, losses and slow workers included, and the table is made of rows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from benchmarks.contract import BadInput, Benchmark, Candidate
from benchmarks.executors.here import Here
from benchmarks.plan import Options, candidates, units
from benchmarks.studies.scale import __main__ as study
from benchmarks.studies.scale import report, waiting
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
    real = waiting.measured(benchmark, few, Here(), tmp_path / "run")
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


def test_the_committed_rows_give_the_committed_document(tmp_path: Path) -> None:
    result = CliRunner().invoke(study.main, ["table", "--into", str(tmp_path / "scale.md")])
    assert result.exit_code == 0, result.output
    assert (tmp_path / "scale.md").read_text(encoding="utf-8") == study.DOCUMENT.read_text(encoding="utf-8")
