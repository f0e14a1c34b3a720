"""List prices of hosted models, and what the requests of a run would cost there, as a range."""

from __future__ import annotations

import dataclasses
import json

import pytest

from advisor.hosted import ANSWERS, TOKENS, what_if
from benchmarks.forecast import CHARACTERS_A_TOKEN
from benchmarks.prices import TokenPrices
from tests.desk import call
from tests.verdict_cases import evaluation_of, scores_of

PRICE = TokenPrices(model="big", input=2.0, cached=0.2, output=10.0, source="a test")
EVALUATIONS = (
    evaluation_of("majority", scores_of(30, 300)),
    evaluation_of("retrieval", scores_of(240, 300), tokens=(800, 30)),
    evaluation_of("prompting", scores_of(240, 300), tokens=(400, 30)),
    evaluation_of("lora", scores_of(240, 300), tokens=(40, 30)),
    evaluation_of("lora + retrieval", (), problem="failed"),
)


def test_the_range_spans_other_tokenizers_and_longer_answers() -> None:
    found = what_if(EVALUATIONS, PRICE, 10 * CHARACTERS_A_TOKEN)
    assert [each.candidate for each in found] == ["prompting", "retrieval"], "what was tuned has other prompts there"
    first = found[0]
    assert (first.prompt_tokens, first.answer_tokens) == (400, 10)
    low, high = (
        400 * times * 2.0 / 1e3 + 10 * times * longer * 10.0 / 1e3
        for times, longer in zip(TOKENS, ANSWERS, strict=True)
    )
    assert first.per_thousand.low == pytest.approx(low)
    assert first.per_thousand.high == pytest.approx(high)
    assert first.per_thousand.unit == "USD"


def test_what_may_fall_into_a_dearer_tier_is_not_priced() -> None:
    found = what_if(EVALUATIONS, dataclasses.replace(PRICE, base_up_to=1000), 40)
    assert [bool(each.beyond) for each in found] == [False, True]
    assert found[1].per_thousand.value is None


def test_the_command_says_prices_with_their_source_and_the_requests_of_a_run(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "100")
    told = call(capsys, "price", "gpt-4o-mini", "--run", "example")
    assert told.code == 0, told.err
    assert "list price of OpenAI" in told.out
    assert "prompting" in told.out
    assert "Nobody was asked" in " ".join(told.out.split())
    document = json.loads(call(capsys, "price", "gpt-4o-mini", "--run", "example", "--json").out)
    (price,) = document["prices"]
    assert 0 < price["input"] < price["output"]
    assert price["source"].startswith("list price of OpenAI")
    assert {row["candidate"] for row in document["requests"]} >= {"prompting", "retrieval"}
    for row in document["requests"]:
        assert 0 < row["per_thousand_low"] < row["per_thousand_high"]
    assert json.loads(call(capsys, "price", "gpt-4o-mini", "--json").out)["requests"] == []


def test_a_model_that_no_list_knows_is_bad_input(capsys: pytest.CaptureFixture[str]) -> None:
    done = call(capsys, "price", "nobodys-model-77")
    assert done.code == 2
    assert "no price list knows nobodys-model-77" in done.err
