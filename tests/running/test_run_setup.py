"""What is measured beside right and wrong: by one word, by options of their own, and what no run can be asked for."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from advisor.experiments import checking
from advisor.experiments.comparison import Wishes, execute, prepare
from advisor.experiments.found import find
from advisor.experiments.run_setup import ALL_REBUILDS, further_of
from advisor.experiments.stored import reopen
from advisor.experiments.wished import check_wishes
from benchmarks.contract import BadInput, Constraints
from benchmarks.costs.checking import share_of_checks
from benchmarks.running.plan import Further
from tests.conftest import Folders
from tests.desk import call, write_task

CHEAP = ("majority",)


def test_all_probes_are_those_that_the_task_has() -> None:
    plain = prepare("support-intents", Wishes(probes="all", approaches=CHEAP, heldout=10))
    assert plain.further == Further(planted=True, rebuilds=ALL_REBUILDS), "so few cases leave no label to add"
    facts = prepare("handbook-qa", Wishes(probes="all", approaches=CHEAP))
    assert facts.further == Further(planted=True, rebuilds=ALL_REBUILDS, changed=True)
    assert facts.options.probes


def test_a_number_of_rebuilds_wins_over_that_of_all_probes() -> None:
    benchmark = prepare("support-intents", Wishes(approaches=CHEAP)).assembly.benchmark
    assert further_of(Wishes(probes="all", rebuilds=5), benchmark).rebuilds == 5


def test_the_core_is_the_default_and_none_leaves_it_out() -> None:
    core = prepare("support-intents", Wishes(approaches=CHEAP))
    assert core.options.probes
    assert core.further == Further()
    none = prepare("support-intents", Wishes(approaches=CHEAP, probes="none"))
    assert not none.options.probes
    assert none.further == Further()


def test_a_limit_of_the_task_asks_for_its_check() -> None:
    """It was kept by whatever nobody had planted anything for; `none` leaves it open, and says so."""
    benchmark = prepare("support-intents", Wishes(approaches=CHEAP)).assembly.benchmark
    limited = replace(benchmark, constraints=Constraints(planted_at_most=0.1))
    assert further_of(Wishes(), limited) == Further(planted=True)
    assert further_of(Wishes(probes="none"), limited) == Further()


def test_an_unknown_word_is_told_what_there_is() -> None:
    with pytest.raises(BadInput, match="it is one of none, core, all"):
        prepare("support-intents", Wishes(approaches=CHEAP, probes="some"))


@pytest.mark.parametrize(
    ("wished", "says"),
    [
        ({"heldout": "many"}, 'heldout is "many"; it must be a whole number of at least 10.'),
        ({"examples": 9}, "examples is 9; it must be a whole number of at least 10."),
        ({"seed": -1}, "seed is -1; it must be a whole number from 0 to 4294967295."),
        ({"rebuilds": 2.5}, "rebuilds is 2.5; it must be a whole number."),
        ({"workers": True}, "workers is true; it must be a whole number."),
        ({"approaches": "majority"}, 'approaches is "majority"; it must be a tuple of names.'),
        ({"models": (1,)}, "models is [1]; it must be a tuple of names."),
        ({"max_hours": "2"}, 'max_hours is "2"; it must be a number.'),
        ({"curve": "no"}, 'curve is "no"; it must be True or False.'),
        ({"on": None}, "on is null; it must be a text."),
        ({"reuse": 3}, "reuse is 3; it must be the path of a folder."),
        ({"target": "90%"}, "is 90%; a share of cases is between 0 and 1. Write 0.9."),
    ],
)
def test_a_wish_from_python_that_cannot_be_is_refused_as_an_option_is(wished: dict[str, Any], says: str) -> None:
    with pytest.raises(BadInput) as caught:
        prepare("support-intents", Wishes(**wished))
    assert str(caught.value).endswith(says)


def test_numbers_of_numpy_are_plain_ones() -> None:
    wishes = check_wishes(Wishes(seed=np.int64(3), max_hours=np.float32(1.5), examples=60))  # type: ignore[arg-type]
    assert (type(wishes.seed), wishes.seed, type(wishes.max_hours), wishes.max_hours) == (int, 3, float, 1.5)
    goals = check_wishes(Wishes(target=np.float64(0.75), margin=np.float32(0.25)))  # type: ignore[arg-type]
    assert (type(goals.target), goals.target, type(goals.margin), goals.margin) == (float, 0.75, float, 0.25)


def test_a_curve_takes_four_sizes_of_examples() -> None:
    with pytest.raises(BadInput, match="needs 40 examples or more to build from parts of them, and the task has 39"):
        prepare("support-intents", Wishes(approaches=CHEAP, examples=39, curve=True))
    assert prepare("support-intents", Wishes(approaches=CHEAP, examples=40, curve=True)).further.curve


def test_an_earlier_run_may_be_named_by_its_path_as_text(tmp_path: Path) -> None:
    (tmp_path / "run.sqlite").touch()
    for reuse, fork in ((str(tmp_path), None), (None, str(tmp_path))):
        prepared = prepare("support-intents", Wishes(approaches=CHEAP, reuse=reuse, fork=fork))
        assert (prepared.reuse, prepared.fork) == (tmp_path, fork is not None)
        with pytest.raises(BadInput, match="nowhere holds no run to take over from"):
            prepare("support-intents", Wishes(reuse=reuse and "nowhere", fork=fork and "nowhere"))


@pytest.mark.parametrize(
    ("approaches", "said"),
    [
        (
            ("majority", "tf-idf", "copy nearest"),
            "independent held-out cases and 4 candidates, one of two equally good",
        ),
        (CHEAP, "There is one candidate, so a margin of 0.05 compares it with nothing."),
    ],
)
def test_what_a_margin_can_show_is_said_of_the_candidates_of_the_run(
    approaches: tuple[str, ...], said: str, tmp_path: Path, model_folders: Folders
) -> None:
    """Four are three and a cascade of two of them; `advisor check` knows of no choice and counts all."""
    task = write_task(tmp_path, model_folders, "margin: 0.05", "kind: classification")
    task.write_text(task.read_text(encoding="utf-8").replace("target: 0.6\n", ""), encoding="utf-8")
    prepared = prepare(task, Wishes(approaches=approaches, probes="none", second_seed=False))
    assert [said in note for note in prepared.assembly.benchmark.notes].count(True) == 1
    execute(prepared, tmp_path / "run")
    begun = json.loads((tmp_path / "run" / "run.json").read_text(encoding="utf-8"))["benchmark"]["notes"]
    assert [said in note for note in begun].count(True) == 1
    assert not any(said in note for note in find(task).assembled().benchmark.notes)


def test_where_checks_would_take_too_long_the_second_seed_is_left_out_first(
    tmp_path: Path, model_folders: Folders, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """By how much there is to do, so a part of the run comes to the same; nothing where all probes are asked for."""
    task = write_task(tmp_path, model_folders, "kind: classification")
    asked = Wishes(approaches=("majority", "lora"), effort="quick")
    wished = (asked, replace(asked, shard="1/2"), replace(asked, probes="all"))
    whole, part, every = (prepare(task, each) for each in wished)
    share, again = share_of_checks(whole.assembly.benchmark, whole.candidates, whole.models, whole.options)
    assert again
    assert 0.0 < share < 1.0
    monkeypatch.setattr(checking, "MOST", share + 0.01)
    assert checking.left_out(whole) == {}
    (name,) = whole.models.names
    reworded = replace(whole, further=Further(reworded_by=name))
    monkeypatch.setattr(checking, "MOST", share)
    assert checking.left_out(whole) == {}
    assert checking.left_out(reworded)["seed"] > share, "what a teacher writes in other words is asked unasked"
    monkeypatch.setattr(checking, "MOST", share - 0.01)
    assert checking.left_out(whole) == checking.left_out(part) == {"seed": share}
    assert checking.left_out(every) == {}
    lora = whole.candidates[-1]
    before = [unit for unit in whole.run(tmp_path / "run")._units(lora) if unit.kind != "seed"]
    whole.left_out = checking.left_out(whole)
    assert whole.run(tmp_path / "run")._units(lora) == before
    done = call(capsys, "run", str(task), "--approach", "lora", "--effort", "quick", "--dry-run")
    assert "note: the second seed is left out: by the forecast the checks would take" in done.err


def test_what_was_left_out_is_told_and_stays_out_when_the_run_goes_on(
    tmp_path: Path, model_folders: Folders, monkeypatch: pytest.MonkeyPatch
) -> None:
    task, run = write_task(tmp_path, model_folders), tmp_path / "run"
    with monkeypatch.context() as settled:
        settled.setattr("advisor.experiments.comparison.left_out", lambda _: {"seed": 0.62})
        execute(prepare(task, Wishes(approaches=CHEAP)), run)
        unbegun = prepare(task, Wishes(approaches=CHEAP))
        unbegun.go_on(tmp_path / "other")  # As `--resume` does where nothing has begun: what is left out is still open.
        execute(unbegun, tmp_path / "other")
    assert checking.left_out_of(run) == checking.left_out_of(tmp_path / "other") == {"seed": 0.62}
    said = "The second seed is left out: by the forecast the checks would take 62 % of the run's time with it"
    assert any(line.startswith(said) for line in reopen(run).story.method)
    again = prepare(task, Wishes(approaches=CHEAP))
    again.go_on(run)
    assert again.left_out == {"seed": 0.62}
