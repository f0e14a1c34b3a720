"""How long an answer may be, what is no answer, and how likelihoods become shares."""

from __future__ import annotations

import json
import math
import re
from dataclasses import replace

import pytest

from benchmarks.costs.prices import TokenPrices
from benchmarks.costs.spending import SpendingBudget
from strategies.answers import answer_limit, likelihood, mean_prior, probabilities
from strategies.contract import Case, Kind, Message, Prompt
from strategies.models.endpoint import EndpointModel
from strategies.pipeline import Setup
from strategies.weighing import LabelEvidence, weigh
from tests import tiny
from tests.conftest import Folders
from tests.scripted import ScriptedModel

SERVER = EndpointModel(name="big", base_url="http://127.0.0.1:1/v1", model="m")
INVOICE = json.dumps({"no": "INV-204817", "iban": "DE" + "4071" * 5, "net": 912.04})
NEEDED = 39
"""Tokens of it in a fence and indented, by o200k_base; 18 are the estimate."""
WORDS = "Parcels arrive in the afternoon, mostly"
PRICE = TokenPrices(model="big", input=1.0, cached=1.0, output=1.0, source="a test")


@pytest.mark.parametrize("kind", ["extraction", "generation"])
def test_what_a_server_writes_has_room_for_more_tokens_than_are_estimated(kind: Kind) -> None:
    """Also where each request is paid for."""
    cases, task = [Case(id="a", input="a", output=INVOICE)], tiny.benchmark(kind).task
    estimated = SERVER.count((Message("user", INVOICE),)) - SERVER.count((Message("user", ""),))
    spending = SpendingBudget(limit=1.0, currency="USD", prices={"big": PRICE})
    for model in (SERVER, spending.guarding(SERVER)):
        limit = answer_limit(model, task, cases)
        assert limit >= max(NEEDED, 2.5 * estimated + 32)
        assert answer_limit(model, task, [replace(cases[0], output="9.5 " * 10_000)]) == 2 * 512 + 28


def test_labels_and_what_is_counted_exactly_have_the_room_that_they_need(model_folders: Folders) -> None:
    labelled, written = tiny.benchmark("classification").task, tiny.benchmark("extraction").task
    assert answer_limit(SERVER, labelled, labelled.examples) == 8
    model = tiny.local_model(model_folders.language)
    most = max(model.count((Message("user", case.output),)) for case in written.examples)
    most -= model.count((Message("user", ""),))
    assert answer_limit(model, written, written.examples) <= most * 1.25 + 3


LONG = "cannot be decided from the request alone: the customer has to say which of the two orders is meant"


@pytest.mark.parametrize(
    ("labels", "tokens"),
    [((LONG, "yes", "no"), 20), (("8471300000", "8471410000"), 10), (("2024-01-31", "2024-02-29"), 10)],
)
def test_a_label_without_an_example_and_one_of_digits_is_written_whole(labels: tuple[str, ...], tokens: int) -> None:
    """Some tokenizers have a token for each digit; without likeliest tokens the beginning of a label is none."""
    task = replace(tiny.benchmark("classification").task, labels=labels)
    assert answer_limit(SERVER, task, [Case(id="a", input="a", output=labels[-1])]) > tokens


class _Counting(ScriptedModel):
    """As tokenizers of English do, a word is a token, and so is each digit and each letter of another script."""

    def count(self, prompt: Prompt) -> int:
        return sum(len(re.findall(r"[A-Za-z]+|[^\sA-Za-z]", message.content)) for message in prompt)


@pytest.mark.parametrize("text", ["包裹将于星期一送达请查询物流信息", "4071-2048-9912-0417"])
def test_an_answer_has_room_where_longer_ones_have_fewer_tokens(text: str) -> None:
    model, task = _Counting(name="counting", answer=str), tiny.benchmark("generation").task
    prose = [Case(id=f"e{place}", input="a", output=f"{WORDS}, {room}") for place, room in enumerate(tiny.ROOMS * 4)]
    case = Case(id="o", input="a", output=text)
    needed, mixed = model.count((Message("user", text),)), [*prose, case]
    assert len(text) < len(WORDS)
    assert answer_limit(model, task, mixed) > needed > answer_limit(model, task, prose)


def test_a_prior_is_taken_off_as_much_as_is_meant_and_votes_have_their_share() -> None:
    """What is as likely as in any request tells nothing of this one."""
    usual = (math.log(0.8), math.log(0.2))
    prior = mean_prior([usual, usual])
    assert prior.values == pytest.approx(usual)
    assert mean_prior([(0.0, -99.0), (-99.0, 0.0)]).values == pytest.approx([math.log(0.5)] * 2)
    assert probabilities(usual, None) == pytest.approx([0.8, 0.2])
    evidence = LabelEvidence(usual, (0.1, 0.9))
    for calibration, votes, first in ((0.0, 0.0, 0.8), (1.0, 0.0, 0.5), (0.5, 0.0, 2 / 3), (1.0, 0.25, 0.4)):
        setup = Setup(calibration=calibration, votes=votes)
        assert weigh(evidence, prior, setup) == pytest.approx([first, 1 - first])
    assert likelihood([math.log(0.5), math.log(0.125)]) == pytest.approx(0.25)
