"""Names of approaches are explained: each of ours says what it does, and a story tells it of those that it names."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from advisor.material import Extras
from strategies.catalog import approaches, described
from tests.verdict_cases import Bakeoff, benchmark_of, evaluation_of, scores_of

HEAD = evaluation_of("linear head", scores_of(249, 300), seconds=0.01)
CHEAPEST = evaluation_of("prompting (cheapest)", scores_of(200, 300), seconds=0.2)
PROMPTING = replace(evaluation_of("prompting", scores_of(276, 300, 5), seconds=0.4))
PAIR = replace(
    evaluation_of("lora", scores_of(240, 300), seconds=0.6, chosen={"first": "linear head", "second": "lora"}),
    candidate="lora after linear head",
    approach="cascade",
)
OTHERS = evaluation_of("recorded", scores_of(230, 300))
FOUND = (HEAD, replace(CHEAPEST, approach="prompting"), PROMPTING, PAIR, OTHERS)


def test_every_approach_says_what_it_does_and_the_document_has_them_all() -> None:
    names = {strategy.name for strategy in approaches()}
    assert set(described()) == names
    assert all(text[0].islower() and text[-1].isalpha() and len(text) < 130 for text in described().values())
    page = Path(__file__).resolve().parents[2] / "docs" / "how-it-is-measured.md"
    assert {name for name in names if f"\n| {name} | " not in page.read_text(encoding="utf-8")} == set()


def test_a_story_explains_the_names_in_its_headline_and_table() -> None:
    extras = Extras(described=described())
    story = Bakeoff(evaluations=FOUND, benchmark=benchmark_of(), extras=extras).told().story
    assert story.headline.startswith("Proven so far, without fine-tuning: prompting is right in 92 %")
    assert story.about == f"Prompting: {described()['prompting']}. Linear head: {described()['linear head']}."
    told = {row[0]: row[1] for row in story.approaches.rows}
    assert set(told) == {"linear head", "prompting (cheapest) and prompting", "lora after linear head", "recorded"}
    assert told["recorded"] == "answers of another system, from a file"
    assert told["lora after linear head"] == "linear head answers, and lora what that is not sure of"
    assert "(cheapest)" in story.approaches.note
    assert [story.approaches.rows[place][0] for place in story.approaches.emphasis] == [
        "prompting (cheapest) and prompting"
    ]


def test_nothing_is_said_of_what_says_nothing_of_itself() -> None:
    story = Bakeoff(evaluations=(HEAD,), benchmark=benchmark_of()).told().story
    assert (story.about, story.approaches.rows) == ("", ())
