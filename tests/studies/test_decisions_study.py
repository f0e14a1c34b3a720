"""The study of decisions: draws with a known truth, every procedure counted against it, looks that repeat."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner
from scipy import stats

from benchmarks.statistics import confidence, sequential
from benchmarks.statistics.grouping import Floats
from benchmarks.studies.decisions import __main__ as study
from benchmarks.studies.decisions import curves, draws, light, looks, stopping
from benchmarks.studies.decisions.pools import Pool, from_rows, simulated
from benchmarks.studies.settings import FLOORS, PACKED, ROOT, ROWS, by_commits, commit
from tests import tiny

POOLS = {pool.name: pool for pool in simulated()}


@pytest.fixture(scope="module")
def stored(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Pool]:
    """The pools of two committed bake-offs; all of them take many seconds to open."""
    place = tmp_path_factory.mktemp("rows")
    for task in ("banking77", "support-intents"):
        shutil.copy(ROWS / PACKED.format(task), place)
    (place / FLOORS).mkdir()
    shutil.copy(ROWS / PACKED.format("support-intents"), place / FLOORS / "sms_spam.jsonl.gz")
    return {pool.name: pool for pool in from_rows(place)}


def said(*rows: str) -> np.ndarray:
    """Rows of + and - as (draws, candidates)."""
    return np.array([[mark == "+" for mark in row] for row in rows])


def test_pools_hold_what_was_measured_and_what_was_made_up(stored: dict[str, Pool]) -> None:
    real = stored["support-intents"]
    assert real.selection is not None
    assert stored["sms_spam, the rest"].drawn_from == real.drawn_from != stored["banking77"].drawn_from
    drawn = draws.draw(real, 50, 0.6, 3, seed=0)
    assert np.array_equal(np.argsort(-drawn.selection[0]), np.argsort(-real.selection))
    for pool in (*stored.values(), *POOLS.values()):
        assert pool.scores.shape == (len(pool.candidates), sum(map(len, pool.groups)))
        assert sorted(np.concatenate(pool.groups)) == list(range(pool.scores.shape[1]))
    assert POOLS["3 candidates"].truth == pytest.approx([0.78, 0.84, 0.9], abs=0.01)
    wrong = POOLS["5 % wrong labels"]
    assert wrong.scores.mean(1) == pytest.approx(0.95 * wrong.truth, abs=0.01)
    assert not POOLS["groups of up to three"].right_or_wrong


def test_pools_without_a_bake_off_are_read_as_they_were_measured() -> None:
    right, graded = [1.0, 0.0, 1.0, 1.0, 0.0], [0.25, 0.5, 0.12345, 1.0, 0.0]
    row = {"part": "pool", "task": "sms_spam", "cases": 5, "groups": [0, 1, 1, 2, 3]}
    (exact,) = light.pools([{"part": "curve"}, {**row, "scores": {"a": light.written(right)}}])
    assert (exact.name, exact.candidates) == ("sms_spam without a model", ("a",))
    assert exact.scores.tolist() == [right]
    assert [places.tolist() for places in exact.groups] == [[0], [1, 2], [3], [4]]
    assert not exact.graded
    (mixed,) = light.pools([{**row, "scores": {"a": light.written(right), "b": light.written(graded)}}])
    assert mixed.scores[1].tolist() == [0.25, 0.5, 0.1235, 1.0, 0.0]
    assert mixed.graded
    assert not list(light.pools([{**row, "task": "banking77", "scores": {"a": light.written(right)}}])), "it has one"


def test_what_suits_a_task_is_asked_the_simplest_first() -> None:
    assert [each.name for each in light.suitable(tiny.benchmark("qa"))][:1] == ["majority"]
    found = light.suitable(tiny.benchmark())
    assert [each.simplicity for each in found] == sorted(each.simplicity for each in found)
    assert {"tf-idf", "linear head", "copy nearest"} <= {each.name for each in found}


def test_p_values_of_a_draw_are_those_of_the_product() -> None:
    found = draws.draw(POOLS["3 candidates"], 60, 0.8, 5, seed=1)
    for row, cases in enumerate(found.cases):
        for place, scores in enumerate(found.pool.scores[:, cases]):
            assert found.meets[row, place] == pytest.approx(confidence.test_meets(scores, None, 0.8))
            assert found.misses[row, place] == pytest.approx(confidence.test_misses(scores, None, 0.8))
    again = draws.draw(POOLS["3 candidates"], 60, 0.8, 5, seed=1)
    assert np.array_equal(again.meets, found.meets)
    assert np.array_equal(again.selection, found.selection)


def test_groups_are_drawn_whole() -> None:
    pool = POOLS["groups of up to three"]
    found = draws.draw(pool, 60, 0.8, 4, seed=2)
    whole = {tuple(group) for group in pool.groups}
    for cases, codes in zip(found.cases, found.codes, strict=True):
        assert 60 <= len(cases) <= 62
        assert {tuple(cases[codes == code]) for code in range(codes.max() + 1)} <= whole


def test_a_verdict_needs_every_cheaper_one_shown_to_miss() -> None:
    meets = said("-++", "-++", "---", "---", "+--")
    misses = said("+--", "---", "+++", "++-", "-++")
    assert draws.verdicts((meets, misses)).tolist() == [1, draws.UNDECIDED, draws.NOTHING, draws.UNDECIDED, 0]


def test_counts_are_taken_against_the_truth() -> None:
    pool = POOLS["3 candidates"]
    found = draws.draw(pool, 50, 0.8, 4, seed=0)
    meets = said("+-+", "-++", "---", "-++")
    counts = draws.counted(found, meets, np.array([0, 1, draws.UNDECIDED, draws.NOTHING]))
    assert counts == {"draws": 4, "false_meets": 1, "decided": 3, "wrong": 2}


@pytest.mark.parametrize("procedure", study.PROCEDURES)
def test_at_the_truth_a_procedure_keeps_its_error(procedure: str) -> None:
    found = draws.draw(POOLS["10 alike"], 100, 0.81, 150, seed=3)
    share = draws.counted(found, draws.shown(found, procedure)[0], np.zeros(150, dtype=int))["false_meets"]
    assert share <= stats.binom.ppf(0.999, 150, 0.05)


def falsely(pool: Pool, target: float) -> dict[str, float]:
    return {rule: float(loop.false_meets.mean()) for rule, loop in looks.loops(pool, target, 1500, 0).items()}


def test_looking_again_at_the_full_level_is_wrong_too_often_and_the_rules_against_it_hold() -> None:
    scores: Floats = (np.random.default_rng(0).random((1, 20_000)) < 0.8).astype(float)
    alone = Pool(
        name="one", candidates=("a",), scores=scores, truth=scores.mean(1), groups=tuple(np.arange(20_000)[:, None])
    )
    found = falsely(alone, float(alone.truth[0]) + 1e-4)
    allowed = stats.binom.ppf(0.999, 1500, 0.05) / 1500
    assert found["the full level each time"] > 0.08
    assert max(share for rule, share in found.items() if not rule.startswith("the full")) <= allowed


def test_a_look_goes_on_from_the_cases_before() -> None:
    found = looks.loops(POOLS["3 candidates"], 0.72, 200, 0)
    loop = found["half of what is left"]
    decided = loop.chosen != draws.UNDECIDED
    assert decided.mean() > 0.5
    assert (loop.looks[decided] < len(looks.SIZES)).any()
    assert found["confidence sequence"].looks.mean() >= 1
    with pytest.raises(ValueError, match="graded scores or groups"):
        looks.loops(POOLS["groups of up to three"], 0.8, 10, 0)


def test_settings_that_are_done_are_not_drawn_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(study, "SIZES", (50,))
    monkeypatch.setattr(study, "TARGETS", 2)
    monkeypatch.setattr(study, "from_rows", lambda folder: [])
    monkeypatch.setattr(study, "simulated", lambda: [POOLS["3 candidates"], POOLS["groups of up to three"]])
    monkeypatch.setattr(stopping, "PAIRS", ((0.8, 0.9),))
    rows = tmp_path / "decisions.jsonl"
    words = ["run", "--draws", "20", "--slow-draws", "3", "--rows", str(rows)]
    assert CliRunner().invoke(study.main, words).exit_code == 0
    first = rows.read_text(encoding="utf-8")
    assert len(first.splitlines()) == 9
    assert CliRunner().invoke(study.main, words).exit_code == 0
    assert rows.read_text(encoding="utf-8") == first
    mixed = json.dumps({**json.loads(first.splitlines()[0]), "drawn_from": "others"})
    rows.write_text("\n".join([mixed, *first.splitlines()[1:], ""]), encoding="utf-8")
    assert CliRunner().invoke(study.main, words).exit_code == 0
    assert sorted(rows.read_text(encoding="utf-8").splitlines()) == sorted(first.splitlines()), (
        "other scores: drawn anew"
    )
    stale = [json.loads(line) for line in first.splitlines()]
    for row in stale:
        if row["part"] == "look":
            row["counts"]["max-t"] = {"draws": 3, "false_meets": 9, "decided": 9, "wrong": 9}
    rows.write_text("".join(json.dumps(row) + "\n" for row in stale), encoding="utf-8")
    assert CliRunner().invoke(study.main, ["anew", "max-t", "--rows", str(rows)]).exit_code == 0
    assert rows.read_text(encoding="utf-8") == first, "the same sets again, and nothing else of a row"
    assert all(json.loads(line)["commit"] == commit() for line in first.splitlines())
    monkeypatch.setattr(study, "commit", lambda: "later")
    assert CliRunner().invoke(study.main, ["anew", "max-t", "--rows", str(rows)]).exit_code == 0
    drawn = {row["part"]: row["commit"] for row in study.read(rows)}
    assert (drawn["look"], drawn["loop"]) == (f"{commit()}, later", commit())
    assert CliRunner().invoke(study.main, ["table", "--rows", str(rows), "--into", str(tmp_path)]).exit_code == 0
    told = (tmp_path / "decisions.md").read_text(encoding="utf-8")
    assert re.search(
        r'any false "meets".* \| at most 5 % \| [\d.]+ % at one look, [\d.]+ % over five or six \| (not )?reached \|',
        told,
    )
    assert re.search(r"against a fixed number as powerful \| at most 1.15 \| [\d.]+ times, mean of 1 pairs", told)
    assert "4 settings of 2 tasks: 3 candidates, groups of up to three. Figures" in told
    for name in (*study.PROCEDURES, *looks.RULES, "percentile bootstrap"):
        assert f"| {name} |" in told
    assert "Rows by the commit that made them: " in told


def test_a_page_says_which_commits_made_its_rows() -> None:
    rows = [{"commit": "abc"}, {"commit": "abc"}, {"commit": "def+"}]
    assert by_commits(rows) == (
        "Rows by the commit that made them: abc (2), def+ (1) (+: with changes that were not committed)."
    )
    assert by_commits([{}, {}]) == "Rows by the commit that made them: 2 from before it was kept, by several."
    assert by_commits([*rows[:1], {}]).endswith("abc (1); 1 from before it was kept, by several.")
    assert by_commits([]) == ""


def test_what_the_page_of_the_task_file_says_of_max_t_is_what_was_drawn() -> None:
    found = [row for row in study.read(study.FILE) if row["part"] == "look"]
    highest = {
        size: max(
            row["counts"]["max-t"]["false_meets"] / row["counts"]["max-t"]["draws"]
            for row in found
            if row["size"] == size
        )
        for size in (50, 800)
    }
    page = " ".join((ROOT / "docs" / "task.md").read_text(encoding="utf-8").split())
    assert (
        f"up to {highest[50]:.0%} of the draws of a setting with 50 cases, and {highest[800]:.0%} with 800".replace(
            "%", " %"
        )
        in page
    )


# ---------------------------------------------------------------- asking until it is decided, and twice the examples


@pytest.mark.parametrize("target", [0.3, 0.8])
def test_evidence_after_each_case_is_that_of_the_product(target: float) -> None:
    right = np.random.default_rng(4).random((5, 80)) < 0.85
    found = stopping.evidence(right, target)
    for row, values in zip(right, found, strict=True):
        for cases in (1, 7, 40, 80):
            expected = sequential.test_meets(row[:cases].astype(float), None, target, largest=1)
            assert values[cases - 1] == pytest.approx(expected, rel=1e-9)


def test_asking_until_it_is_decided_takes_about_as_many_answers_as_a_fixed_number() -> None:
    far = stopping.against_a_fixed_number(0.8, 0.9, 2000, 0)
    below = stopping.against_a_fixed_number(0.8, 0.7, 2000, 0)
    assert far is not None
    assert below is not None
    for found in (far, below):
        assert 0.75 < found["power"] < 0.95
        assert found["asked"] < 1.2 * found["fixed"]
    assert stopping.against_a_fixed_number(0.8, 0.8, 10, 0) is None


def test_a_whole_set_is_asked_as_a_run_would_ask_it(stored: dict[str, Pool]) -> None:
    pool = stored["support-intents"]
    near, far = (stopping.of_a_set(pool, target, 0) for target in (float(pool.truth[3]), 0.97))
    assert near["there"] == far["there"] == stopping.ORDERS * pool.scores.size
    assert stopping.ORDERS * 100 * len(pool.candidates) <= far["asked"] < near["asked"] < near["there"]


@pytest.mark.nightly
def test_a_curve_is_measured_with_twice_the_examples() -> None:
    plan = curves.Plan(task="support-intents", examples=150, samples=(0,))
    key, sample, strategy = next(plan.pieces())
    found = curves.measured(plan, sample, strategy)
    assert key == "support-intents|150|0|copy nearest"
    assert [(size, len(rows)) for size, *rows in found["right"]] == [(18, 3), (37, 3), (75, 3), (150, 1), (300, 1)]
    assert 0.2 < curves.foretold(found)["now"] < 0.8


def test_a_piece_is_foretold_from_what_is_kept_of_it() -> None:
    rng = np.random.default_rng(3)
    shares = {40: 0.5, 80: 0.6, 160: 0.7, 320: 0.75, 640: 0.8}
    scores = {
        size: [(rng.random(299) < share).astype(float) for _ in range(1 if size > 160 else 3)]
        for size, share in shares.items()
    }
    row = {
        "cases": 299,
        "right": [[size, *(light.written(line.tolist()) for line in rows)] for size, rows in scores.items()],
    }
    assert [point.scores for point in curves.read(row)] == [
        tuple(tuple(line.tolist()) for line in rows) for rows in scores.values()
    ]
    found = curves.foretold(row)
    assert found["now"] == np.mean(scores[320])
    assert found["later"] == np.mean(scores[640])
    assert 0.5 < found["low"] < found["high"] < 1
