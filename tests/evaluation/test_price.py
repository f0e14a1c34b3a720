"""List prices of hosted models, and what the requests of a run would cost there, as a range."""

from __future__ import annotations

import dataclasses
import json
import re
from collections.abc import Sequence
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pytest
import yaml

from advisor.costs.hosted import ANSWERS, TOKENS, what_if
from advisor.experiments.comparison import prepare
from advisor.experiments.stored import Changes
from benchmarks.contract import BadInput
from benchmarks.costs.hosted import CHARACTERS_A_TOKEN
from benchmarks.costs.price_table import FILE, endings, last_day, quotes
from benchmarks.costs.prices import MachinePrices, Tier, TokenPrices, machine_prices, token_prices
from benchmarks.specs.repriced import repriced
from benchmarks.specs.spec import parse_spec, read_spec
from benchmarks.specs.spec_prices import read_prices
from tests.conftest import Folders
from tests.desk import call, finish, start, write_task
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


def test_each_request_is_priced_by_its_own_prompt() -> None:
    """Of the four in five that are short none is a long one there; the others are with another tokenizer."""
    tiered = dataclasses.replace(PRICE, tiers=(Tier(above=1000, input=4.0, cached=0.4, output=20.0),))
    known = dataclasses.replace(EVALUATIONS[1], requests=((700, 0, 30),) * 240 + ((1200, 0, 30),) * 60)
    (found,) = what_if([known], tiered, 10 * CHARACTERS_A_TOKEN)
    low = 800 * TOKENS[0] * 2.0 + 10 * TOKENS[0] * 10.0
    long, short = (length * TOKENS[1] * 2.0 + 10 * TOKENS[1] * ANSWERS[1] * 10.0 for length in (1200, 700))
    assert found.per_thousand.low == pytest.approx(low / 1e3)
    assert found.per_thousand.high == pytest.approx((0.2 * 2 * long + 0.8 * short) / 1e3)
    (of_sums,) = what_if(EVALUATIONS[1:2], tiered, 10 * CHARACTERS_A_TOKEN)
    high = 2 * (800 * TOKENS[1] * 2.0 + 10 * TOKENS[1] * ANSWERS[1] * 10.0)
    assert of_sums.per_thousand.high == pytest.approx(high / 1e3)


def test_what_a_cascade_does_not_ask_the_model_for_is_not_charged() -> None:
    """Of 300 answers the first part gave 200 alone, and all 300 were charged."""
    usual = dataclasses.replace(EVALUATIONS[2], requests=((400, 0, 30),) * 300)
    assert usual.answering is not None
    asked = dataclasses.replace(usual.answering, prompt_tokens=400 * 100)
    third = dataclasses.replace(usual, answering=asked, requests=((400, 0, 30),) * 100)
    (whole,), (part,) = (what_if([each], PRICE, 9 * CHARACTERS_A_TOKEN) for each in (usual, third))
    for one, other in zip(dataclasses.astuple(part)[1:3], dataclasses.astuple(whole)[1:3], strict=True):
        assert one == pytest.approx(other / 3)
    assert part.per_thousand.low == pytest.approx((whole.per_thousand.low or 0) / 3)
    assert part.per_thousand.high == pytest.approx((whole.per_thousand.high or 0) / 3)


def test_prices_of_long_prompts_stand_below_those_of_the_others(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "200")
    assert "the same, prompts above 200,000 tokens" in call(capsys, "price", "gemini-2.5-pro").out
    (price,) = json.loads(call(capsys, "price", "gemini-2.5-pro", "--json").out)["prices"]
    (long,) = price["long_prompts"]
    assert long["above"] == 200_000
    assert long["input"] > price["input"]


def test_the_command_says_prices_with_their_source_and_the_requests_of_a_run(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "100")
    told = call(capsys, "price", "gpt-4o-mini", "--run", "example")
    assert told.code == 0, told.err
    assert "list price of OpenAI" in told.out
    assert "prompting" in told.out
    words = " ".join(told.out.split())
    assert "Nobody was asked" in words
    assert "USD 0.60 more for 1,000 requests with 1,000 tokens of thoughts each" in words
    assert "advisor report example --prices prices.yaml" in told.err
    document = json.loads(call(capsys, "price", "gpt-4o-mini", "--run", "example", "--json").out)
    (price,) = document["prices"]
    assert 0 < price["input"] < price["output"]
    assert price["source"].startswith("list price of OpenAI")
    assert {row["candidate"] for row in document["requests"]} >= {"prompting", "retrieval"}
    for row in document["requests"]:
        assert 0 < row["per_thousand_low"] < row["per_thousand_high"]
    assert json.loads(call(capsys, "price", "gpt-4o-mini", "--json").out)["requests"] == []


def test_a_price_that_depends_on_the_hour_is_the_dearest_of_the_day() -> None:
    """A limit on cost that was kept at noon let twice as much through in the morning."""
    from genai_prices import Usage, calc_price

    provider, day = "https://api.deepseek.com/v1", date(2026, 11, 30)
    hours = [datetime(day.year, day.month, day.day, hour, tzinfo=UTC) for hour in range(24)]
    listed = [
        calc_price(Usage(), "deepseek-v4-pro", provider_api_url=provider, genai_request_timestamp=hour).model_price
        for hour in hours
    ]
    asked = {float(price.output_mtok) for price in listed}  # type: ignore[arg-type]  # a number, of this model
    found = token_prices("deepseek-v4-pro", provider, day)
    assert found is not None
    assert min(asked) < max(asked) == found.output
    assert found.least == pytest.approx(min(asked) / max(asked))
    assert found.source.endswith("as valid on 2026-11-30 in the hours in which it is dearest; in others it is less")


def test_a_model_that_no_list_knows_is_bad_input(capsys: pytest.CaptureFixture[str]) -> None:
    done = call(capsys, "price", "nobodys-model-77")
    assert done.code == 2
    assert "No price list knows nobodys-model-77" in done.err


# ---------------------------------------------------------------- the small table


def test_every_row_has_its_source_and_day() -> None:
    table = yaml.safe_load(FILE.read_text(encoding="utf-8"))
    rows = [row for part in table.values() for row in part]
    assert len(rows) > 20
    for row in rows:
        assert "http" in row["source"] or "price list" in row["source"]
        assert date(2025, 1, 1) < row["read"] <= date.today()
        assert row.get("price", 1) > 0


def test_a_gpu_is_found_by_its_words_and_sellers_differ() -> None:
    found = quotes("h100 sxm")
    assert [each.price for each in found] == sorted(each.price for each in found)
    assert found[-1].price > 2 * found[0].price
    assert quotes("SXM")
    assert not quotes("h100 pcie sxm")
    assert not quotes("")


@pytest.mark.parametrize(
    ("model", "last"),
    [
        ("gpt-4o-mini", date(2027, 1, 14)),
        ("gpt-4o-mini-2024-07-18", date(2027, 1, 14)),
        ("openai/gpt-4o", date(2027, 1, 14)),
        ("gpt-4o-2024-05-13", date(2026, 10, 23)),
        ("ft:gpt-4.1-mini-2025-04-14:acme::abc", date(2027, 1, 14)),
        ("claude-3-7-sonnet-20250219", date(2026, 2, 19)),
        ("gpt-4o-audio", None),
        ("smollm2-135m", None),
    ],
)
def test_the_last_day_of_a_model_is_that_of_its_snapshots_and_fine_tunes(model: str, last: date | None) -> None:
    found = last_day(model)
    assert (None if found is None else found.last) == last


def test_the_command_knows_gpus_training_and_last_days(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "160")
    told = call(capsys, "price", "gpt-4o-mini", "a100 sxm")
    assert told.code == 0, told.err
    assert "a million training tokens" in told.out
    assert "RunPod" in told.out
    assert "an hour" in told.out
    unchecked = ", second-hand, not checked at the vendor"
    assert (
        f"gpt-4o-mini answers until 2027-01-14 (announced by OpenAI, read on 2026-10-28{unchecked}): https://"
        in told.out
    )
    assert f", read on 2026-06-01{unchecked}\n" in told.out, "of a price"
    assert unchecked not in call(capsys, "price", "gpt-5-mini", "rtx 4090").out
    document = json.loads(call(capsys, "price", "gpt-4o-mini", "a100 sxm", "--json").out)
    assert {row["unit"] for row in document["quotes"]} == {"an hour", "a million training tokens"}
    assert document["last_days"][0]["last"] == "2027-01-14"
    assert document["last_days"][0]["second_hand"]


@pytest.mark.parametrize("variables", [{}, {"PYTHONUTF8": "0", "LC_ALL": "C"}, {"COLUMNS": "40"}])
def test_each_price_has_its_whole_source_and_day_in_any_terminal(variables: dict[str, str], tmp_path: Path) -> None:
    done = finish(start(tmp_path, "price", "h100", environment=variables))
    assert done.code == 0, done.err
    for quote in quotes("h100"):
        number = re.search(rf"\((\d+)\) {re.escape(quote.where)}\n", done.out)
        assert number, quote
        assert re.search(rf"{quote.price:,.2f} .*\({number[1]}\)", done.out), quote


def test_what_a_terminal_has_no_signs_for_is_written_as_json_does(tmp_path: Path) -> None:
    words = "change \u2026 or \U0001f600 daily"
    asking = ("ask", "--kind", "qa", "--examples", "5", "--about", f"Prices {words}", "--json")
    done = finish(start(tmp_path, *asking, environment={"PYTHONIOENCODING": "latin-1"}))
    assert done.code == 0, done.err
    assert done.out.isascii()
    assert json.loads(done.out)["read"][0]["words"] == words


SPEC = {
    "name": "t",
    "instruction": "Do.",
    "examples": "e.jsonl",
    "models": [
        "smollm2-135m",
        {"name": "ours", "model": "gpt-4o-mini", "endpoint": "https://api.openai.com/v1"},
        {"name": "near", "endpoint": "http://127.0.0.1:8000/v1"},
    ],
}


def test_only_models_on_servers_end() -> None:
    assert list(endings(parse_spec(SPEC).models)) == ["ours"]


# ---------------------------------------------------------------- a price list of one's own


def test_a_file_of_prices_stands_for_the_section(tmp_path: Path) -> None:
    (tmp_path / "e.jsonl").write_text('{"input": "a", "output": "b"}\n', encoding="utf-8")
    (tmp_path / "prices.yaml").write_text(
        "machine_hour: 0.40\ncurrency: EUR\nmodels:\n  gpt-4o-mini: {input_per_million: 1, output_per_million: 2}\n"
        "  near: {input_per_million: 3, output_per_million: 4, cached_per_million: 0.5}\n",
        encoding="utf-8",
    )
    (tmp_path / "task.yaml").write_text(yaml.safe_dump({**SPEC, "prices": "prices.yaml"}), encoding="utf-8")
    prices = machine_prices(read_spec(tmp_path / "task.yaml")[0])
    assert (prices.machine_hour, prices.currency) == (0.40, "EUR")
    ours, near = prices.tokens["ours"], prices.tokens["near"]
    assert ours is not None
    assert (ours.input, ours.cached, ours.output, ours.currency) == (1.0, 1.0, 2.0, "EUR")
    assert near is not None, "the server is this machine, and the person has a price for it"
    assert near.cached == 0.5
    assert prices.source() == prices.source("ours") == "stated in prices.yaml"
    assert ours.source == near.source == "price stated in prices.yaml"


def test_a_stated_price_is_said_with_the_file_and_the_day_that_it_has() -> None:
    listed = {"machine_hour": 0.4, "date": "2026-11-01", "source": "prices.yaml", "models": {"near": {"monthly": 5}}}
    here, rented = "smollm2-135m", {"name": "big", "machine_hour": 2.0}
    plain = machine_prices(parse_spec({**SPEC, "models": [here, rented], "prices": {"machine_hour": 0.4}}))
    assert (plain.source(), plain.source("big")) == ("stated for this task", "stated for this task")
    values = {**SPEC, "models": [here, rented, SPEC["models"][2]], "prices": listed}
    file = "stated in prices.yaml, as valid on 2026-11-01"
    known = machine_prices(parse_spec(values))
    assert (known.source(), known.source("near"), known.source("big")) == (file, file, "stated for this task")
    other = {"source": "offer.yaml", "date": "2026-11-20", "models": {"near": {"machine_hour": 1.0}}}
    told = machine_prices(parse_spec(repriced(values, other)))
    offer = "stated in offer.yaml, as valid on 2026-11-20"
    assert (told.source(), told.source("big")) == (file, "stated for this task")
    assert told.source("near") == f"{offer}, what it leaves out {file}"
    told = machine_prices(parse_spec(repriced(values, {**other, "machine_hour": 0.5})))
    assert (told.machine_hour, told.source()) == (0.5, offer)


def test_every_item_of_a_bill_says_where_its_price_is_from(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    def sources(*asked: str) -> set[str]:
        out = tmp_path / "told"
        call(capsys, "report", "example", *asked, "--out", str(out), "--format", "json")
        facts = json.loads((out / "report.json").read_text(encoding="utf-8"))["facts"]
        return {item["source"] for each in facts["candidates"] for item in each["bill"] if item["amount"]["value"]}

    path = tmp_path / "prices.yaml"
    path.write_text("machine_hour: 0.40\ndate: 2026-11-01\n", encoding="utf-8")
    hour = "an hour, stated in prices.yaml, as valid on 2026-11-01"
    found = sources("--prices", str(path))
    assert found
    assert all(each.endswith(hour) for each in found)
    assert all(each.endswith("0.5 USD an hour, stated for this task") for each in sources("--machine-hour", "0.5"))


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("machine_hour: -1", "prices.yaml:1: prices.machine_hour is -1; it must be at least 0"),
        ("machine_our: 1", 'Did you mean "machine_hour"?'),
        ("models:\n  a: {input_per_million: 1}", 'output_per_million" is missing'),
        ("machine_hour: 1\ndate: 1 November", 'prices.date is "1 November"; a day is written like 2026-11-28.'),
        ("machine_hour: 1\ndate: 2026-11-31", 'prices.date is "2026-11-31"; a day is written like 2026-11-28.'),
        ("machine_hour: 1\ndate: 20261101", "prices.date is 20261101; a day is written like 2026-11-28."),
    ],
)
def test_a_mistake_in_it_is_said_with_its_place(tmp_path: Path, text: str, said: str) -> None:
    path = tmp_path / "prices.yaml"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(BadInput) as raised:
        read_prices(path)
    assert said in str(raised.value)


def test_a_report_takes_them_without_a_model(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "prices.yaml"
    path.write_text("machine_hour: 0.40\ncurrency: EUR\n", encoding="utf-8")
    out = tmp_path / "told"
    told = call(capsys, "report", "example", "--prices", str(path), "--out", str(out), "--format", "json")
    assert told.code in (0, 100, 101), told.err
    facts = json.loads((out / "report.json").read_text(encoding="utf-8"))
    assert "EUR" in json.dumps(facts)
    missing = call(capsys, "report", "example", "--prices", str(tmp_path / "none.yaml"), "--out", str(out))
    assert missing.code == 2
    assert "does not exist" in missing.err
    assert "prices" in Changes.names()


def test_another_price_of_a_model_is_another_look_at_the_cases(tmp_path: Path, model_folders: Folders) -> None:
    def experiment(model: str) -> str:
        return prepare(write_task(tmp_path, model_folders, f"models: [{model}]")).experiment

    plain = experiment(f"{{name: {model_folders.language}}}")
    assert experiment(f"{{name: {model_folders.language}, machine_hour: 2, monthly: 50}}") != plain
    assert experiment(f"{{name: another, folder: {model_folders.language}}}") != plain


def test_where_prices_are_from_makes_no_other_look(tmp_path: Path, model_folders: Folders) -> None:
    plain = prepare(write_task(tmp_path, model_folders, "prices: {machine_hour: 0.4}")).experiment
    (tmp_path / "prices.yaml").write_text("machine_hour: 0.4\ndate: 2026-11-01\n", encoding="utf-8")
    assert prepare(write_task(tmp_path, model_folders, "prices: prices.yaml")).experiment == plain
    (tmp_path / "prices.yaml").write_text("machine_hour: 0.5\n", encoding="utf-8")
    assert prepare(write_task(tmp_path, model_folders, "prices: prices.yaml")).experiment != plain


def test_a_report_takes_the_price_of_another_machine_without_a_model(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    def told(text: str) -> dict[str, float]:
        (tmp_path / "prices.yaml").write_text(text, encoding="utf-8")
        wanted = ("--prices", str(tmp_path / "prices.yaml"), "--out", str(tmp_path / "told"), "--format", "json")
        assert call(capsys, "report", "example", *wanted).code in (0, 100, 101)
        facts = json.loads((tmp_path / "told" / "report.json").read_text(encoding="utf-8"))
        return {each["name"]: each["monthly"]["value"] for each in facts["facts"]["candidates"]}

    plain = told("machine_hour: 0.40\n")
    dear = told("machine_hour: 0.40\nmodels: {smollm2-135m: {machine_hour: 4.00, monthly: 9}}\n")
    times = {name: (dear[name] - 9) / plain[name] for name in plain if dear[name] != plain[name]}
    assert "lora" in times
    assert not {"majority", "linear head", "copy nearest"} & set(times)
    assert list(times.values()) == pytest.approx([10.0] * len(times))


HOSTED = {"name": "big", "model": "gpt-4.1-mini", "endpoint": "https://api.openai.com/v1"}


def asked(models: Sequence[Any], other: dict[str, Any], **more: Any) -> MachinePrices:
    values = {**{key: SPEC[key] for key in ("name", "instruction", "examples")}, "models": list(models), **more}
    return machine_prices(parse_spec(repriced(values, other)))


def test_one_key_for_the_gpu_leaves_all_other_prices_as_they_were() -> None:
    """A user: what if the GPU hour cost 1.10?"""
    rented = [{"name": "smollm2-135m", "machine_hour": 2.0, "monthly": 50}, {**HOSTED, "monthly": 7}]
    other = {"models": {"smollm2-135m": {"machine_hour": 1.10}}}
    told = asked(rented, other, prices={"machine_hour": 0.4})
    assert told.hours == {"smollm2-135m": 1.10}
    assert told.monthly == {"smollm2-135m": 50, "big": 7}
    assert told.machine_hour == 0.4
    assert told.tokens["big"] == token_prices("gpt-4.1-mini", HOSTED["endpoint"])
    listed = {"machine_hour": 0.4, "models": {"smollm2-135m": {"machine_hour": 2.0, "monthly": 50}}}
    assert asked(["smollm2-135m"], other, prices=listed).monthly == {"smollm2-135m": 50}


def test_one_key_of_a_price_of_tokens_is_filled_up_from_the_task_else_from_the_list() -> None:
    def tokens(stated: dict[str, float], asked_for: dict[str, float]) -> tuple[float, ...]:
        (price,) = asked([{**HOSTED, **stated}], {"models": {"big": asked_for}}).tokens.values()
        assert price is not None
        return price.input, price.cached, price.output

    table = token_prices("gpt-4.1-mini", HOSTED["endpoint"])
    assert table is not None
    assert tokens({}, {"output_per_million": 9}) == (table.input, table.cached, 9)
    stated = {"input_per_million": 3.0, "output_per_million": 4.0, "cached_per_million": 1.0}
    assert tokens(stated, {"input_per_million": 2.5}) == (2.5, 1.0, 4.0)
    assert tokens({"machine_hour": 2.0}, {"input_per_million": 5}) == (5, table.cached, table.output)
    assert asked([HOSTED], {"models": {"gpt-4.1-mini": {"monthly": 9}}}).tokens["big"] == table


def test_an_hour_takes_the_place_of_tokens_and_tokens_that_of_an_hour() -> None:
    by_tokens = {**HOSTED, "input_per_million": 3, "output_per_million": 4}
    told = asked([by_tokens], {"models": {"big": {"machine_hour": 1.10}}})
    assert (told.hours, told.tokens) == ({"big": 1.10}, {})
    told = asked(
        [{**HOSTED, "machine_hour": 2}], {"models": {"big": {"input_per_million": 1, "output_per_million": 2}}}
    )
    assert told.hours == {}
    assert told.tokens["big"] is not None
    assert told.tokens["big"].output == 2


def test_in_another_currency_no_price_of_the_task_is_left() -> None:
    rented = [{"name": "smollm2-135m", "machine_hour": 2.0, "monthly": 50}, {**HOSTED, "monthly": 7}]
    told = asked(rented, {"currency": "EUR", "machine_hour": 0.3}, prices={"machine_hour": 0.4})
    assert (told.currency, told.machine_hour, told.hours, told.monthly) == ("EUR", 0.3, {}, {})


@pytest.mark.parametrize(
    ("model", "other", "said"),
    [
        (
            "smollm2-135m",
            {"models": {"smollm": {"monthly": 1}}},
            "The prices name smollm, and the run asked smollm2-135m.",
        ),
        (
            {"name": "near", "endpoint": "http://127.0.0.1:8000/v1"},
            {"models": {"near": {"input_per_million": 1}}},
            "in part",
        ),
        (HOSTED, {"models": {"big": {"input_per_million": 1, "machine_hour": 1}}}, "Keep the one that you pay"),
        (HOSTED, {"models": {"big": {"input_per_million": "much"}}}, "must be a number"),
        (HOSTED, {"currency": "EUR"}, "The prices are in EUR, and the task has a limit on cost in USD."),
    ],
)
def test_prices_that_cannot_go_over_those_of_the_task_are_refused(model: Any, other: dict[str, Any], said: str) -> None:
    with pytest.raises(BadInput) as raised:
        asked([model], other, constraints={"cost_per_month": 100})
    assert said in str(raised.value)


def test_part_of_a_price_says_nothing_of_long_prompts_that_the_list_prices_otherwise() -> None:
    tiered = {
        "name": "long",
        "model": "gemini-2.5-pro",
        "endpoint": "https://generativelanguage.googleapis.com/v1beta/openai",
    }
    assert token_prices("gemini-2.5-pro", tiered["endpoint"]).tiers  # type: ignore[union-attr]
    with pytest.raises(BadInput, match="stated in part"):
        asked([tiered], {"models": {"long": {"input_per_million": 1}}})


def test_a_report_says_where_one_key_is_too_little(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "prices.yaml"
    path.write_text("machine_hour: 0.4\nmodels: {smollm2-135m: {cached_per_million: 0.1}}\n", encoding="utf-8")
    told = call(capsys, "report", "example", "--prices", str(path), "--out", str(tmp_path / "told"))
    assert (told.code, "stated in part" in told.err) == (2, True), "a model on this machine has no price to fill up"
