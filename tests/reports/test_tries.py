"""The table of what was tried: in the words of what was chosen, in the order of the search, and complete for machines."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import asdict, replace
from typing import Any

import pytest

from advisor import reports
from advisor.story import setups
from advisor.story.tries import MOST, ranked
from advisor.wording import NONE
from strategies.contract import Recipe, Trial
from strategies.finetuning.race import Tuning
from strategies.pipeline import Setup
from strategies.prompting.rendering import Form
from tests.situations import PROMPTS, SITUATIONS, TRAININGS, tried


def told(**trials: Any) -> Any:
    """The story of a bake-off with these trials, by approach."""
    bakeoff = SITUATIONS["everything_meets"]()
    named = {name.replace("_", " "): found for name, found in trials.items()}
    return replace(bakeoff, extras=replace(bakeoff.extras, trials=named)).told().story


def test_the_first_rows_are_those_that_the_search_preferred_and_the_others_are_counted() -> None:
    rows = told(prompting=PROMPTS).tried.rows
    assert len(rows) == MOST + 1
    assert [row[2:4] for row in rows[:4]] == [("95 %", "60"), ("90 %", "60"), ("85 %", "60"), ("80 %", "20")]
    rest = ranked(PROMPTS)[MOST:]
    assert rows[-1] == ("prompting", "4 more", "35 % at best", NONE, f"{sum(each.tokens for each in rest):,}")
    assert max(each.score for each in rest) == 0.35


def test_a_high_score_on_few_cases_does_not_stand_first() -> None:
    few, many = tried("prompting", asdict(Setup(shots=3)), 1.0, 20), tried("prompting", asdict(Setup()), 0.6, 80)
    assert [row[1] for row in told(prompting=[few, many]).tried.rows] == ["no examples shown", "3 examples"]


def test_trainings_that_answered_nothing_are_ranked_by_their_loss_and_show_no_score() -> None:
    rows = told(lora=TRAININGS).tried.rows
    assert [row[2] for row in rows] == ["95 %, loss 0.28", "90 %, loss 0.31", "loss 0.55", "loss 0.97", NONE]


def test_approaches_that_share_one_search_share_its_rows_and_one_without_a_choice_has_none() -> None:
    rows = told(prompting=PROMPTS[:2], lora=PROMPTS[:2], linear_head=TRAININGS[:1]).tried.rows
    assert [row[0] for row in rows] == ["lora", "lora"]


def test_machines_get_every_try_with_its_configuration() -> None:
    story = told(prompting=PROMPTS, lora=TRAININGS)
    of = {each["name"]: each["tried"] for each in story.facts["candidates"]}
    assert (len(of["prompting"]), len(of["lora"]), of["linear head"]) == (len(PROMPTS), len(TRAININGS), [])
    assert {each["configuration"]["shots"] for each in of["prompting"]} == {3, 8}
    assert of["lora"][-1]["score"] is None
    assert of["lora"][2] == {
        "configuration": of["lora"][2]["configuration"],
        "score": None,
        "cases": 0,
        "tokens": 9_000,
        "validation_loss": 0.55,
    }


def test_what_was_compared_by_a_metric_over_rows_is_shown_by_it() -> None:
    """One that is right more often may have the lower F1: the search took the other."""
    right, found = tried("prompting", asdict(Setup()), 0.95, 60), tried("prompting", asdict(Setup(shots=3)), 0.9, 60)
    few = tried("prompting", asdict(Setup(shots=8)), 0.8, 20)
    bakeoff = SITUATIONS["metric_over_rows"]()

    def story(*trials: Trial) -> Any:
        return replace(bakeoff, extras=replace(bakeoff.extras, trials={"lora": trials})).told().story

    marked = story(replace(right, mark=0.4), replace(found, mark=0.7), few)
    assert marked.tried.columns[2] == "selection score"
    assert [row[1:3] for row in marked.tried.rows] == [
        ("3 examples", "70 %"),
        ("no examples shown", "40 %"),
        ("8 examples", "80 %"),
    ]
    assert "too few of the rare labels" in marked.tried.note
    (told,) = (each["tried"] for each in marked.facts["candidates"] if each["name"] == "lora")
    assert [(each["score"], each.get("mark")) for each in told] == [(0.9, 0.7), (0.95, 0.4), (0.8, None)]
    assert marked.searched.upwards == "selection score"
    before = story(right, found, few)
    assert [row[2] for row in before.tried.rows] == ["95 %", "90 %", "80 %"], "as a run of an earlier version has it"
    assert before.tried.columns[2] == before.searched.upwards == "right on selection cases"


def test_the_page_and_the_comment_fold_the_table_and_leave_it_out_where_it_is_empty() -> None:
    story, without = told(prompting=PROMPTS), told()
    page, text = reports.render(story, "html"), reports.render(story, "markdown")
    fold = re.search(r'<details class="numbers" id="numbers-tried">(.*?)</details>', page, re.DOTALL)
    assert fold is not None
    assert "4 more" in fold[1]
    assert page.count("balanced over the labels") == fold[1].count("balanced over the labels") > 0
    assert "<summary>What was tried</summary>" in text
    assert 'id="numbers-tried"' not in reports.render(without, "html")
    assert "What was tried" not in reports.render(without, "markdown")


INLINE = Form(layout="inline", marked=True)


@pytest.mark.parametrize(
    ("configuration", "wanted"),
    [
        ({"C": 10.0}, "inverse regularization C 10"),
        ({"C": 0.3, "epochs": 2}, "inverse regularization C 0.3; epochs 2"),
        ({"counted": ["words", "letters"], "C": 3.0}, "words and letters counted; inverse regularization C 3"),
        (asdict(Setup(shots=3)), "3 examples"),
        (
            asdict(Setup(shots=3, picks="balanced", form=INLINE)),
            "3 examples; balanced over the labels; all in one message; words in front of input and answer",
        ),
        (asdict(Setup(shots=8, shown=("a", "b"))), "8 examples; one of several draws"),
        (
            asdict(Setup(shots=4, passages=1, grounded=True, form=Form(natural_labels=False))),
            "4 examples; 1 passage, hybrid search; examples with their passages; labels as they are spelt",
        ),
        (
            asdict(Tuning(Setup(), Recipe(learning_rate=2e-3))),
            "no examples shown; rank 16, learning rate 0.002; batches of 8, 4 epochs",
        ),
        (
            asdict(Tuning(Setup(), Recipe(learning_rate=2e-3, alpha=128))),
            "no examples shown; rank 16, alpha 128, learning rate 0.002; batches of 8, 4 epochs",
        ),
        (
            asdict(Setup(form=Form(added="Be brief."))),
            "no examples shown; added to the instruction: \u201cBe brief.\u201d",
        ),
        (
            asdict(Setup(form=Form(proposed="Name it. " * 40))),
            f"no examples shown; instruction proposed by the teacher: \u201c{'Name it. ' * 13}...\u201d",
        ),
        ({"n_trees": 40, "depth": 0.12345, "parts": {"a": 1}}, "n trees 40; depth 0.123"),
        ({"setup": "a", "recipe": "fast", "C": "auto", "counted": "all"}, "setup a; recipe fast; C auto"),
        ({}, NONE),
    ],
)
def test_a_configuration_is_told_apart_from_its_neighbours(configuration: Mapping[str, Any], wanted: str) -> None:
    assert setups.tried(configuration) == wanted


def test_no_two_configurations_of_a_search_read_the_same() -> None:
    words = [setups.tried(each.configuration) for each in PROMPTS]
    assert len(set(words)) == len(words)
