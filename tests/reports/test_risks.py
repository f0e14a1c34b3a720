"""Risks that the run itself found are known from those that always hold, the most serious first, and a terminal shows some."""

from __future__ import annotations

import io
from dataclasses import replace
from typing import Any

import pytest
from rich.console import Console

from advisor.cli.terminal import show
from advisor.contract import Story
from benchmarks.checked import Grounding, Leaks, Planted
from benchmarks.contract import Evaluation
from tests.situations import SITUATIONS, edits, forgot, rebuilt
from tests.verdict_cases import Bakeoff, benchmark_of, evaluation_of, scores_of


def bakeoff(**found: Any) -> Bakeoff:
    """One tuned approach that is right in 90 of 100 cases, with what was found about it."""
    return Bakeoff(evaluations=(replace(measured(), **found),), benchmark=benchmark_of(cases=100))


def measured() -> Evaluation:
    return evaluation_of("lora", scores_of(90, 100))


def told(**found: Any) -> list[str]:
    story: Story = bakeoff(**found).told().story
    return [story.risks[place] for place in story.worth_knowing]


PLANTED = (Planted(place="request", cases=20, followed=0), Planted(place="passage", cases=20, followed=3))
LEAKS = Leaks(cases=20, figure=1.0, others=80, without=0.84, lower=0.7, upper=0.9)
INVENTED = Grounding(
    declined=0,
    declined_wrong=0,
    evidence=80,
    documents=10,
    nowhere=10,
    nowhere_wrong=8,
    vague=0,
    unanswerable=0,
    unanswerable_answered=0,
)
FORGOT, REBUILT = forgot(1.2, 0.05), rebuilt([90, 88, 91], 3)


def test_what_was_found_stands_in_the_order_of_how_serious_it_is() -> None:
    agreements = (edits(80, 0, 20),)
    found = told(
        planted=PLANTED, leaks=LEAKS, grounding=INVENTED, agreements=agreements, forgetting=FORGOT, rebuilds=REBUILT
    )
    begins = [sentence.split(" ")[0:3] for sentence in found]
    assert begins == [
        ["An", "instruction", "planted"],
        ["20", "held-out", "cases"],
        ["10", "answers", "of"],
        ["Lora", "changes", "its"],
        ["Lora", "finds", "36"],
        ["Built", "again", "from"],
    ]


@pytest.mark.parametrize(
    "harmless",
    [
        {},
        {"planted": PLANTED[:1]},
        {"leaks": replace(LEAKS, without=0.9)},
        {"agreements": (edits(97, 0, 3),)},
        {"forgetting": forgot(1.01, 0.05)},
    ],
    ids=["nothing", "not followed", "the same figure", "steady", "not shown to be a change"],
)
def test_what_always_holds_or_looks_harmless_is_a_risk_and_not_worth_a_line_on_its_own(
    harmless: dict[str, Any],
) -> None:
    assert told(**harmless) == []


def shown(story: Story) -> str:
    stream = io.StringIO()
    show(story, Console(file=stream, width=80))
    assert max(map(len, stream.getvalue().splitlines())) <= 80
    return " ".join(stream.getvalue().split())


def test_a_terminal_shows_three_findings_and_says_that_there_are_more() -> None:
    story = bakeoff(planted=PLANTED, leaks=LEAKS, grounding=INVENTED, forgetting=FORGOT, rebuilds=REBUILT).told().story
    text = shown(story)
    places = [text.index(story.risks[place]) for place in story.worth_knowing[:3]]
    assert text.index("Worth knowing") < places[0] < places[1] < places[2] < text.index(" Next - ")
    assert "- 2 more under the risks in the report." in text
    assert all(story.risks[place] not in text for place in story.worth_knowing[3:])


def test_a_terminal_shows_no_empty_block() -> None:
    story = SITUATIONS["everything_meets"]().told().story
    assert story.worth_knowing == ()
    assert "Worth knowing" not in shown(story)
    one = SITUATIONS["tuned_and_forgot_something"]().told().story
    assert "Worth knowing - Lora finds 36 general texts" in shown(one)
    assert "more under the risks" not in shown(one)
