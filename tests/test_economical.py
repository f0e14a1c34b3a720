"""The gate before each fit: what is proven without a language model spares the fits of all that need one."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import Any

import pytest

from benchmarks.contract import Candidate
from benchmarks.economical import Economy
from benchmarks.families import REST
from benchmarks.pending import rules_of
from strategies.approaches.copy_nearest import CopyNearest
from tests import tiny
from tests.conftest import Folders
from tests.desk import Done, call, write_task
from tests.verdict_cases import benchmark_of, evaluation_of, scores_of

GATE = Economy(target=0.8, level=0.01)
PLAIN = Candidate(name="copy nearest", strategy=CopyNearest(), model="")
WITH_MODEL = dataclasses.replace(PLAIN, name="lora", model="smollm2-135m")


def test_only_what_needs_a_language_model_is_spared_and_only_by_what_needs_none() -> None:
    proven = evaluation_of("linear head", scores_of(280, 300))
    assert GATE.spares(WITH_MODEL, [proven]).startswith("linear head is proven to meet the target")
    assert GATE.spares(PLAIN, [proven]) == ""
    assert GATE.spares(WITH_MODEL, []) == ""
    assert GATE.spares(WITH_MODEL, [evaluation_of("linear head", scores_of(250, 300))]) == "", "likely is not proven"
    assert GATE.spares(WITH_MODEL, [dataclasses.replace(proven, model="smollm2-135m")]) == ""
    assert GATE.spares(WITH_MODEL, [evaluation_of("recorded", scores_of(280, 300))]) == "", "it may be dear to run"
    assert GATE.spares(WITH_MODEL, [evaluation_of("majority", (), problem="failed")]) == ""


def test_of_a_metric_over_rows_the_bootstrap_proves_it() -> None:
    high, wide = ([place / 1000 for place in range(low, low + 100)] for low in (850, 790))
    assert GATE.spares(WITH_MODEL, [evaluation_of("linear head", scores_of(280, 300), over_rows=(0.9, high))])
    assert not GATE.spares(WITH_MODEL, [evaluation_of("linear head", scores_of(280, 300), over_rows=(0.84, wide))])


def test_asked_until_decided_it_takes_evidence_that_bears_stopping() -> None:
    fixed = evaluation_of("linear head", scores_of(88, 100))
    gate = dataclasses.replace(GATE, level=0.04)
    assert gate.spares(WITH_MODEL, [fixed])
    assert not dataclasses.replace(gate, stops_with=1).spares(WITH_MODEL, [fixed])


def test_it_proves_at_the_level_that_the_verdict_leaves_for_those_the_walk_does_not_come_to() -> None:
    walked = benchmark_of()
    levels = {}
    for benchmark in (walked, dataclasses.replace(walked, procedure="holm")):
        economy = rules_of(benchmark, 0.01, economical=True).economy
        assert economy is not None
        levels[benchmark.procedure] = economy.level
    assert levels == {"cheapest first": pytest.approx(0.01 * REST), "holm": 0.01}


@pytest.mark.parametrize(
    ("cases", "target", "groups", "stops", "reached"),
    [
        (31, 0.9, 0, False, False),  # 0.9 to the 31st is .038, and the first look has .0375.
        (32, 0.9, 0, False, True),
        (300, 0.9, 10, False, False),  # Ten documents.
        (32, 0.9, 0, True, False),
        (200, 0.9, 0, True, True),
        (300, 1.0, 0, False, False),
    ],
)
def test_where_not_even_a_perfect_score_is_proof_no_model_is_fitted(
    cases: int, target: float, groups: int, stops: bool, reached: bool
) -> None:
    named = [f"document {place % groups}" for place in range(cases)] if groups else []
    benchmark = dataclasses.replace(benchmark_of(cases=cases, target=target, groups=named), sequential=stops)
    economy = rules_of(benchmark, 0.01, economical=True).economy
    assert economy is not None
    assert economy.spares(PLAIN, []) == ""
    said = f"{cases} held-out cases cannot show that a target of {100 * target:.3g} % is met, not even if all are right"
    assert economy.spares(WITH_MODEL, []).startswith("" if reached else said)
    assert bool(economy.spares(WITH_MODEL, [])) is not reached


def test_a_run_says_what_it_left_out_and_goes_on_without_the_gate(
    tmp_path: Path, model_folders: Folders, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    cases = [dataclasses.replace(case, output="delivery") for case in tiny.messages(120)]
    cases[7] = dataclasses.replace(cases[7], output="refund")
    write_task(tmp_path, model_folders, "labels: [delivery, refund]", cases=cases)
    chosen = [word for name in ("majority", "copy nearest", "prompting") for word in ("--approach", name)]
    run = ("run", "task.yaml", "--out", "r", "--json", "--probes", "none", "--effort", "quick", *chosen)
    first = call(capsys, *run, "--economical")
    assert first.code == 0, first.err
    assert states(first) == {"majority": "meets", "copy nearest": "meets", "prompting": "skipped"}
    left_out = "Prompting is not judged (skipped). Majority is proven to meet the target without any language model"
    assert any(reason.startswith(left_out) for reason in json.loads(first.out)["reasons"])
    again = call(capsys, *run, "--economical", "--resume")
    assert states(again) == states(first)
    everything = call(capsys, *run, "--resume")
    assert states(everything)["prompting"] != "skipped"
    refused = call(capsys, "run", "task.yaml", "--out", "other", "--margin", "0.05", "--economical", *chosen)
    assert refused.code == 2
    assert "--economical asks whether a target is met" in refused.err


def states(done: Done) -> dict[str, Any]:
    return {
        row["name"]: row["state"] for row in json.loads(done.out)["facts"]["candidates"] if row["approach"] != "cascade"
    }
