"""What following a change takes in time, examples and money; a price that nobody stated stays unknown."""

from __future__ import annotations

from dataclasses import replace

import pytest

from advisor.contract import Story
from advisor.story.tell import Extras
from benchmarks.costs.prices import MachinePrices, TokenPrices
from strategies.contract import Usage
from tests.situations import SITUATIONS
from tests.verdict_cases import Bakeoff

LABELS = (0.5, "USD")
HOUR = MachinePrices(machine_hour=3.6)


def told(situation: str, prices: MachinePrices, label: tuple[float, str] | None = LABELS) -> Story:
    bakeoff: Bakeoff = SITUATIONS[situation]()
    return replace(bakeoff, prices=prices, extras=Extras(label_price=label)).told().story


def takes(story: Story, name: str) -> dict[str, str]:
    return {row[0]: row[-1] for row in getattr(story, name).rows}


def test_facts_cost_an_index_or_labels_and_a_fit() -> None:
    """At 3.6 an hour a second costs a thousandth: 250 s of another fit are 0.25, and a label for each of 60 questions 30."""
    found = takes(told("facts_in_the_documents_change", HOUR), "changed")
    story = told("facts_in_the_documents_change", HOUR)
    (lora,) = (each for each in story.facts["candidates"] if each["name"] == "lora")
    cases = lora["changed"]["cases"]
    assert found["lora"] == f"{cases} new examples, and fitting again, 4.2 min, USD {0.25 + cases * 0.5:.2f}"
    assert found["retrieval"].endswith("indexed again, 0.41 s, USD 0.00041")
    assert lora["following"]["changed"]["cost"]["value"] == pytest.approx(0.25 + cases * 0.5)
    rule = takes(story, "altered")
    assert rule["lora"] == "examples rewritten by program, 4 min, USD 0.24"
    assert rule["retrieval"] == "-"


def test_a_cascade_follows_once_both_its_parts_do() -> None:
    """It had what the second part takes alone, seconds of the first at the price of the second's model."""
    bakeoff = SITUATIONS["facts_in_the_documents_change"]()
    alone = {each.candidate: each for each in bakeoff.evaluations}
    made = replace(
        alone["retrieval"],
        candidate="retrieval after lora",
        approach="cascade",
        chosen={"first": "lora", "second": "retrieval", "below": 0.5},
        altered=alone["lora"].altered,
    )
    bakeoff = replace(bakeoff, evaluations=(*bakeoff.evaluations, made), prices=HOUR, extras=Extras(label_price=LABELS))
    story = bakeoff.told().story
    found, changed = takes(story, "changed"), alone["lora"].changed
    assert changed is not None
    documents, cost = f"{changed.documents} documents indexed again", 0.25 + changed.cases * 0.5 + 0.00041
    assert found["retrieval after lora"] == (
        f"{changed.cases} new examples, fitting again, and {documents}, 4.2 min, USD {cost:.2f}"
    )
    assert found["retrieval"].startswith(documents)
    assert takes(story, "altered")["retrieval after lora"] == takes(story, "altered")["lora"]


def test_new_labels_are_written_once_for_both_parts_of_a_cascade() -> None:
    bakeoff = SITUATIONS["labels_are_added"]()
    alone = {each.candidate: each for each in bakeoff.evaluations}
    chosen = {"first": "majority", "second": "lora", "below": 0.5}
    made = replace(alone["lora"], candidate="lora after majority", approach="cascade", chosen=chosen)
    bakeoff = replace(bakeoff, evaluations=(*bakeoff.evaluations, made), prices=HOUR, extras=Extras(label_price=LABELS))
    found = takes(bakeoff.told().story, "changed")
    assert found["lora after majority"] == found["lora"] == "24 new examples, 5.2 min, USD 12.31"


def test_labels_cost_their_examples_for_whoever_uses_them() -> None:
    found = takes(told("labels_are_added", HOUR), "changed")
    assert found["lora"] == "24 new examples, 5.2 min, USD 12.31"
    assert found["majority"] == "24 new examples, of which nothing is built"


def test_what_is_not_stated_is_unknown_and_it_is_said_which_price_it_takes() -> None:
    story = told("facts_in_the_documents_change", MachinePrices(), None)
    assert not any("USD" in row[-1] or "unknown" in row[-1] for row in story.changed.rows)
    hour = "an hour of the machine (`prices: {machine_hour: 0.40}`)"
    assert f"not known: it takes the price of {hour} and of a label" in story.changed.note
    some = told("facts_in_the_documents_change", HOUR, None)
    assert takes(some, "changed")["lora"].endswith(", cost unknown")
    assert takes(some, "changed")["retrieval"].endswith("USD 0.00041")
    assert "not known of some: it takes the price of a label" in some.changed.note


def test_a_model_that_is_paid_by_its_tokens_has_no_price_by_the_second() -> None:
    price = TokenPrices(model="big", input=1.0, cached=1.0, output=1.0, source="stated")
    bakeoff = SITUATIONS["labels_are_added"]()
    trained = (Usage(model="big", step="training", seconds=900.0),)
    served = tuple(
        replace(each, model="big", fitting=trained) if each.candidate == "lora" else each
        for each in bakeoff.evaluations
    )
    prices = MachinePrices(machine_hour=3.6, tokens={"big": price})
    story = replace(bakeoff, evaluations=served, prices=prices, extras=Extras(label_price=LABELS)).told().story
    assert takes(story, "changed")["lora"] == "24 new examples, 5.2 min, cost unknown"
