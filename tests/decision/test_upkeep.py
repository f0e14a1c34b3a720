"""What following changed facts and tasks costs a month, and from which volume on which approach is the cheapest."""

from __future__ import annotations

import dataclasses

import pytest
from hypothesis import given
from hypothesis import strategies as st

from advisor.contract import Costs
from advisor.costs.breakeven import Line, bands
from advisor.costs.economics import costs, rank
from advisor.wording import SECONDS
from benchmarks.contract import BadInput, FittedPart
from benchmarks.costs.prices import MachinePrices, Upkeep, machine_prices
from benchmarks.specs.spec import parse_spec
from strategies.contract import Usage
from tests.decision.test_decide import decided
from tests.verdict_cases import Bakeoff, benchmark_of, evaluation_of, scores_of, task_of

BENCH = benchmark_of(volume=10_000)


def took(**seconds: float) -> list[Usage]:
    """What fitting took, by step."""
    return [Usage(model="smollm2-135m", step=step, seconds=spent) for step, spent in seconds.items()]  # type: ignore[arg-type]


def bill(name: str, stated: Upkeep, machine_hour: float | None = 3.6, **seconds: float) -> Costs:
    """At 0.001 of the currency a second, unless another price is given."""
    evaluation = evaluation_of(name, scores_of(290, 300), seconds=0.1, model="smollm2-135m", fitting=took(**seconds))
    return costs(evaluation, BENCH, MachinePrices(machine_hour=machine_hour, upkeep=stated))


def kept(cost: Costs) -> dict[str, float | None]:
    return {item.name: item.amount.value for item in cost.items if item.when == "monthly" and not item.by_request}


def test_nothing_is_assumed() -> None:
    assert kept(bill("lora", Upkeep(), training=1000)) == {}


def test_a_changed_task_is_fitted_anew_on_new_labels() -> None:
    stated = Upkeep(task_months=6, labels=100, label_price=0.6, hours=2, hour_price=60)
    found = bill("lora", stated, search=600, training=1200)
    assert kept(found) == pytest.approx(
        {
            "choosing the configuration anew, every 6 months": 0.1,
            "training anew, every 6 months": 0.2,
            "new labels, every 6 months": 10.0,
            "a person's hours, every 6 months": 20.0,
        }
    )
    assert found.monthly.value == pytest.approx(1.0 + 30.3)
    assert found.ahead.value == pytest.approx(12 * 31.3)
    assert found.spent.value == pytest.approx(1.8)


@pytest.mark.parametrize(
    ("name", "again"),
    [
        ("lora", {"training anew, every month": 0.5, "a person's hours, every month": 60.0}),
        ("retrieval", {"building the index anew, every month": 0.02}),
        ("lora + retrieval", {"building the index anew, every month": 0.02}),
        ("prompting", {}),
        ("linear head", {}),
        ("recorded", {}),
    ],
)
def test_changed_facts_are_followed_where_they_are_held(name: str, again: dict[str, float]) -> None:
    stated = Upkeep(facts_months=1, hours=1, hour_price=60)
    assert kept(bill(name, stated, search=300, index=20, training=500)) == pytest.approx(again)


def test_what_searches_documents_without_a_language_model_is_kept_current_and_told_as_what_searches_them() -> None:
    """`best sentence` was costed and told as one that looks nothing up; the index of `copy nearest` is of examples."""
    scores, fitting = scores_of(290, 300), took(index=20)
    copying = evaluation_of("copy nearest", scores, fitting=fitting)
    prices = MachinePrices(machine_hour=3.6, upkeep=Upkeep(facts_months=1))
    bench = benchmark_of(task=task_of(kind="qa", documents=("Pay is 40 euros.",)))
    for searches, again in ((False, {}), (True, {"building the index anew, every month": 0.02})):
        evaluation = dataclasses.replace(copying, searches=searches)
        assert kept(costs(evaluation, bench, prices)) == pytest.approx(again)
        story = Bakeoff(evaluations=(evaluation,), benchmark=bench).told().story
        told = " ".join([*story.would_change, *story.risks])
        assert ("Documents that are not kept current: copy nearest answers" in told) == searches
        assert ("as good as the documents that it searches" in told) == searches
        assert ("does not look them up" in told) != searches
        assert ("outside of what its examples show" in told) != searches
    other = Bakeoff(evaluations=(evaluation_of("recorded", scores),), benchmark=bench).told().story
    assert not any("look them up" in line for line in other.would_change), "nobody knows that of another system"


def test_each_part_of_a_cascade_follows_changed_facts_by_itself() -> None:
    """Behind a tuned model the second approach looks things up; the weights of the first hold facts none the less."""
    lora, looks = took(search=300, training=500), took(search=300, index=20, training=700)
    parts = [
        FittedPart(model="smollm2-135m", family="finetuning", searches=False, fitting=tuple(lora)),
        FittedPart(model="smollm2-135m", family="combined", searches=True, fitting=tuple(looks)),
    ]
    cascade = dataclasses.replace(
        evaluation_of("lora + retrieval", scores_of(290, 300), model="smollm2-135m", fitting=[*lora, *looks]),
        candidate="lora + retrieval after lora",
        made_of=tuple(parts),
    )
    stated = MachinePrices(machine_hour=3.6, upkeep=Upkeep(facts_months=1, hours=4, hour_price=60))
    assert kept(costs(cascade, BENCH, stated)) == pytest.approx(
        {
            "training anew, every month": 0.5,
            "building the index anew, every month": 0.02,
            "a person's hours, every month": 240,
        }
    )


def test_machine_time_stays_machine_time() -> None:
    found = bill("lora", Upkeep(facts_months=2), machine_hour=None, training=1000)
    assert found.monthly.unit == SECONDS
    assert found.monthly.value == pytest.approx(1000 + 500)


def test_a_machine_that_is_kept_on_costs_that_at_any_volume() -> None:
    idle = bill("lora", Upkeep(machine_hours=720))
    assert idle.monthly.value == pytest.approx(720 * 3.6)
    assert idle.per_thousand.value == pytest.approx(0.1)
    assert "720 hours a month that the machine is kept on" in next(
        item.source for item in idle.items if item.by_request
    )
    busy = bill("lora", Upkeep(machine_hours=0.1))
    assert busy.monthly.value == pytest.approx(1.0)


def spec(**more: object) -> MachinePrices:
    values = {"name": "t", "instruction": "Do.", "examples": "e.jsonl", **more}
    return machine_prices(parse_spec(values))


def test_a_spec_states_it() -> None:
    prices = {"machine_hour": 0.4}
    stated = spec(
        prices=prices, upkeep={"task_months": 3, "labels": 5, "label_price": 0.5, "machine_hours": 730}
    ).upkeep
    assert stated == Upkeep(task_months=3, labels=5, label_price=0.5, machine_hours=730)
    assert spec(upkeep=None).upkeep == Upkeep()


@pytest.mark.parametrize(
    ("stated", "said"),
    [
        ({"task_months": 0}, "above 0"),
        ({"labels": 5}, "labels without a label_price"),
        ({"hours": 1}, "hours without a hour_price"),
        ({"machine_hours": 800}, "at most 744"),
        ({"fact_months": 1}, 'Did you mean "facts_months"?'),
        ({"task_months": 3, "labels": 5, "label_price": 1}, "what the machine costs is not known"),
    ],
)
def test_what_is_missing_or_wrong_is_said(stated: dict[str, object], said: str) -> None:
    with pytest.raises(BadInput, match=said):
        spec(upkeep=stated)


# ---------------------------------------------------------------- over the volume


def test_what_costs_less_to_keep_and_more_to_ask_wins_below_the_crossing() -> None:
    found = bands([Line(name="retrieval", fixed=1, each=0.002), Line(name="lora", fixed=101, each=0.001)])
    assert [(band.name, round(band.above), band.upto) for band in found] == [
        ("retrieval", 0, pytest.approx(100_000)),
        ("lora", 100_000, None),
    ]


def test_a_machine_that_is_on_anyway_answers_for_nothing_until_it_is_full() -> None:
    hosted, own = Line(name="hosted", fixed=0, each=0.01), Line(name="own", fixed=0, each=0.001, at_least=300)
    assert [band.name for band in bands([hosted, own])] == ["hosted", "own"]
    assert bands([hosted, own])[1].above == pytest.approx(30_000)


lines = st.lists(
    st.builds(Line, name=st.text(), fixed=st.floats(0, 1e4), each=st.floats(0, 1), at_least=st.floats(0, 1e4)),
    min_size=1,
    max_size=5,
)


@given(lines, st.floats(0, 1e9))
def test_the_band_around_a_volume_names_the_cheapest_there(given_lines: list[Line], volume: float) -> None:
    named = [dataclasses.replace(line, name=str(place)) for place, line in enumerate(given_lines)]
    found = bands(named)
    assert found[0].above == 0
    assert found[-1].upto is None
    assert [band.upto for band in found[:-1]] == [band.above for band in found[1:]]
    band = next(band for band in found if band.above <= volume and (band.upto is None or volume <= band.upto))
    cheapest = min(line.at(volume) for line in named)
    assert named[int(band.name)].at(volume) == pytest.approx(cheapest, rel=1e-6, abs=1e-6)


def test_the_volume_that_changes_the_answer_is_told() -> None:
    """Retrieval costs more a request; lora is trained anew each month, which pays from some volume on."""
    found = decided(
        evaluation_of("retrieval", scores_of(290, 300), seconds=0.2, model="m", fitting=took(index=10)),
        evaluation_of("lora", scores_of(290, 300, 3), seconds=0.1, model="m", fitting=took(training=10_000)),
        benchmark=BENCH,
        prices=MachinePrices(upkeep=Upkeep(facts_months=1)),
    )
    assert found.choice == "retrieval"
    # Lora costs less from 100,000 on, and beyond the noise of timings where 1.15 (10,000 + 0.1 v) is below 0.85 (10 + 0.2 v).
    (said,) = (line for line in found.would_change if "requests a month" in line)
    assert said.startswith("More than about 210,000 requests a month")
    assert said.endswith("(10,000 now): lora would be preferred.")


# ---------------------------------------------------------------- models that were tuned elsewhere


def tuned_elsewhere(price: float | None, name: str = "prompting", stated: Upkeep | None = None) -> Costs:
    prices = MachinePrices(machine_hour=3.6, tuned={"smollm2-135m": price}, upkeep=stated or Upkeep())
    evaluation = evaluation_of(name, scores_of(290, 300), seconds=0.1, model="smollm2-135m", fitting=took(search=600))
    return costs(evaluation, BENCH, prices)


def test_what_tuning_took_elsewhere_is_spent_and_spent_again_whenever_what_was_learnt_changes() -> None:
    assert tuned_elsewhere(38.5).spent.value == pytest.approx(0.6 + 38.5)
    assert tuned_elsewhere(None).spent.value is None
    assert tuned_elsewhere(None).ahead.value == pytest.approx(12.0)
    changes = Upkeep(task_months=5, facts_months=11)
    anew = kept(tuned_elsewhere(38.5, stated=changes))
    assert anew["training anew, every 5 months"] == pytest.approx(7.7)
    assert anew["training anew, every 11 months"] == pytest.approx(3.5), "a prompt alone has its facts from the weights"
    assert "training anew, every 11 months" not in kept(tuned_elsewhere(38.5, "retrieval", changes))
    assert tuned_elsewhere(None, stated=changes).ahead.value is None


def test_a_model_that_was_tuned_elsewhere_is_no_proof_that_nobody_needs_to_tune() -> None:
    asked = evaluation_of("prompting", scores_of(290, 300), seconds=0.1, model="theirs")
    told = Bakeoff(
        evaluations=(asked,), benchmark=BENCH, prices=MachinePrices(machine_hour=3.6, tuned={"theirs": None})
    )
    story = told.told().story
    assert story.headline.startswith("Use prompting. ")
    assert "Whether fine-tuning is needed is not known" in story.headline
    assert any(
        line.startswith("Theirs was tuned elsewhere: whether it learnt from held-out cases") for line in story.risks
    )
    plain = dataclasses.replace(told, prices=MachinePrices(machine_hour=3.6)).told().story
    assert plain.headline.startswith("No need to fine-tune: use prompting.")
    assert not any("tuned elsewhere" in line for line in plain.risks)


def test_without_the_price_of_tuning_what_changes_cost_is_unknown_and_said_so() -> None:
    asked = evaluation_of("prompting", scores_of(290, 300), seconds=0.1, model="theirs")
    other = evaluation_of("linear head", scores_of(295, 300), seconds=0.2)
    prices = MachinePrices(machine_hour=3.6, tuned={"theirs": None}, upkeep=Upkeep(task_months=6))
    note = rank([costs(each, BENCH, prices) for each in (asked, other)], (asked, other)).note
    assert note.startswith("The cost of prompting is not known: state what tuning the model took (tuning_price)")


def test_who_tuned_a_model_stands_with_it_and_changes_nothing_that_is_asked() -> None:
    stated = {"name": "far", "endpoint": "https://models.example.org/v1"}
    spec = parse_spec(
        {"name": "a", "instruction": "b", "examples": "c", "models": [{**stated, "tuned": True, "tuning_price": 38.5}]}
    )
    assert machine_prices(spec).tuned == {"far": 38.5}
    assert spec.models[0].serving == {}
    with pytest.raises(BadInput, match=r"has a tuning_price and is not said to be tuned\. Add `tuned: true`"):
        parse_spec({"name": "a", "instruction": "b", "examples": "c", "models": [{**stated, "tuning_price": 38.5}]})
