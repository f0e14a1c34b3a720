"""Sequential halving: within its budget, on the same cases for all, and for nothing when it is asked again."""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest

from strategies.contract import Case, Fold, LanguageModel, Task, Usage
from strategies.models.endpoint import EndpointModel
from strategies.search import (
    FIRST,
    LEAST,
    HalvingSearch,
    Look,
    SearchResult,
    Standing,
    journalled,
    selection_items,
    spent_tokens,
    spread,
    total,
    within_noise,
)
from tests import tiny
from tests.scripted import ScriptedModel

HERE = ScriptedModel(name="m", answer=lambda prompt: "")
HOSTED = EndpointModel(name="m", base_url="http://127.0.0.1:9/v1", model="m")


@dataclass(frozen=True)
class Choice:
    """A configuration that is right in a share of the cases and costs so many tokens a case."""

    name: str
    right: float
    tokens: int = 50


@dataclass
class Bought:
    """Measures a `Choice` and remembers what it was asked."""

    asked: list[tuple[str, tuple[str, ...]]] = field(default_factory=list)

    def __call__(self, choices: Sequence[Choice], fold: int, cases: Sequence[Case]) -> Iterator[Look]:
        for choice in choices:
            yield self.look(choice, cases)

    def look(self, choice: Choice, cases: Sequence[Case]) -> Look:
        self.asked.append((choice.name, tuple(case.id for case in cases)))
        scores = tuple(float(random.Random(f"{case.id} {choice.name}").random() < choice.right) for case in cases)
        usage = Usage(model="m", step="search", prompt_tokens=choice.tokens * len(cases), calls=len(cases))
        return Look(scores, (usage,), {"answers": [[case.id, "", 0.0] for case in cases]})

    def cases_of(self, name: str) -> list[str]:
        return [case for asked, cases in self.asked for case in cases if asked == name]


def task(selection: int) -> Task:
    base = tiny.benchmark().task
    return replace(base, folds=(Fold(train=tiny.messages(8), selection=tiny.messages(selection, 8)),))


def field_of(count: int, tokens: int = 50) -> list[Choice]:
    """The last one is right far more often than the others."""
    return [Choice(f"c{place}", 0.9 if place == count - 1 else 0.3, tokens) for place in range(count)]


def bench(tokens: int, journal: tiny.Memory | None = None, model: LanguageModel = HERE) -> tiny.Bench:
    known = journal or tiny.Memory()
    return tiny.Bench(folder=Path("unused"), language=model, tuning_tokens=tokens, journal=known)


# ---------------------------------------------------------------- the race


@pytest.mark.parametrize("count", [1, 2, 6, 25])
def test_the_best_wins_and_the_finalists_see_everything(count: int) -> None:
    outcome = HalvingSearch("a", task(150), bench(10_000_000)).run(field_of(count), Bought())
    assert outcome.best.configuration.name == f"c{count - 1}"
    assert len(outcome.best.scores) == 150
    assert not outcome.rising
    assert len(outcome.standings) == count


def test_fewer_go_on_from_round_to_round() -> None:
    outcome = HalvingSearch("a", task(150), bench(10_000_000)).run(field_of(25), Bought())
    seen = [len(standing.scores) for standing in outcome.standings]
    assert seen.count(150) == 2
    assert min(seen) == FIRST
    assert sum(size > FIRST for size in seen) == 9


@pytest.mark.parametrize("tokens", [50, 400])
@pytest.mark.parametrize("budget", [20_000, 60_000, 120_000, 1_000_000])
@pytest.mark.parametrize("count", [2, 9, 25])
def test_the_budget_is_kept(count: int, budget: int, tokens: int) -> None:
    """Only the first look of the least number of configurations is had whatever it costs."""
    given = bench(budget)
    outcome = HalvingSearch("a", task(150), given).run(field_of(count, tokens), Bought())
    spent = sum(spent_tokens(row, HERE) for row in given.spent)
    least = min(LEAST, count) * FIRST * tokens * (3 if count == 2 else 1)
    assert spent <= max(budget, least)
    assert spent == sum(standing.tokens for standing in outcome.standings)
    assert len(outcome.standings) >= min(LEAST, count)
    if len(outcome.best.scores) < 150:
        assert outcome.rising


def test_where_the_budget_is_too_small_for_all_every_kind_gets_its_look() -> None:
    given = field_of(25, 400)
    outcome = HalvingSearch("a", task(150), bench(120_000)).run(spread(given), Bought())
    places = sorted(given.index(standing.configuration) for standing in outcome.standings)
    assert LEAST <= len(places) < 25
    assert places[-1] - places[0] > 15
    assert len(places) == 7, "of 8,000 tokens each: half of the budget is left for those that go on"
    assert outcome.rising
    assert sorted(spread(given), key=given.index) == given, "none of them is left out before"
    few = HalvingSearch("a", task(FIRST), bench(120_000)).run(given, Bought())
    assert len(few.best.scores) == FIRST
    assert few.rising, "they saw all cases, and others saw none"


def test_all_are_compared_on_the_same_cases() -> None:
    bought = Bought()
    HalvingSearch("a", task(150), bench(10_000_000)).run(field_of(25), bought)
    longest = bought.cases_of("c24")
    assert sorted(longest) == sorted(set(longest))
    for place in range(25):
        cases = bought.cases_of(f"c{place}")
        assert cases == longest[: len(cases)]


def test_a_score_belongs_to_its_case_with_several_folds() -> None:
    """Each selection case is looked at with the training part of its own fold."""
    cut = tiny.benchmark(examples=60).task
    assert len(cut.folds) == 3
    items = selection_items(cut, 0)
    assert sorted(item.case.id for item in items) == sorted(case.id for case in cut.examples)

    def measure(choices: Sequence[Choice], fold: int, cases: Sequence[Case]) -> list[Look]:
        assert {case.id for case in cases} <= {case.id for case in cut.folds[fold].selection}
        return [Look(tuple(float(case.id[1:]) / 100 for case in cases), ())]

    outcome = HalvingSearch("a", cut, bench(10_000)).run(field_of(1), measure)
    assert outcome.best.scores == [float(item.case.id[1:]) / 100 for item in items]


def test_the_cases_come_in_an_order_that_is_drawn() -> None:
    """In a file that is sorted by label the first look would see one label."""
    given = task(60)
    first, again, other = ([item.case.id for item in selection_items(given, seed)] for seed in (0, 0, 1))
    assert first == again != other
    assert sorted(first) == sorted(other) == sorted(case.id for case in given.folds[0].selection)
    assert [case.id for case in given.folds[0].selection] not in (first, other)


def test_what_was_tried_is_told() -> None:
    given = bench(10_000_000)
    outcome = HalvingSearch("a", task(60), given).run(field_of(6), Bought())
    assert [trial.score for trial in given.trials] == [standing.mean for standing in outcome.standings]
    assert given.trials[0].configuration == {"name": "c5", "right": 0.9, "tokens": 50}
    assert given.trials[0].cases == 60
    assert given.trials[0].tokens == 60 * 50


# ---------------------------------------------------------------- the journal


def test_asked_again_nothing_is_measured_and_the_choice_is_the_same() -> None:
    journal = tiny.Memory()
    first, again = Bought(), Bought()
    one, two = bench(60_000, journal), bench(60_000, journal)
    before = HalvingSearch("a", task(90), one).run(field_of(9), first)
    after = HalvingSearch("a", task(90), two).run(field_of(9), again)
    assert first.asked
    assert again.asked == []
    assert after == before
    assert two.spent == one.spent, "What was paid once still stands in the bill."


@pytest.mark.parametrize("killed_at", [0, 3, 11, 17])
def test_a_killed_search_goes_on_where_it_stopped(killed_at: int) -> None:
    class Kill(Exception):
        pass

    class Killed(Bought):
        def look(self, choice: Choice, cases: Sequence[Case]) -> Look:
            if len(self.asked) == killed_at:
                raise Kill
            return super().look(choice, cases)

    whole = Bought()
    wanted = HalvingSearch("a", task(150), bench(10_000_000)).run(field_of(12), whole)
    journal, start, rest = tiny.Memory(), Killed(), Bought()
    with pytest.raises(Kill):
        HalvingSearch("a", task(150), bench(10_000_000, journal)).run(field_of(12), start)
    assert HalvingSearch("a", task(150), bench(10_000_000, journal)).run(field_of(12), rest) == wanted
    assert start.asked + rest.asked == whole.asked


def test_another_approach_or_configuration_is_another_entry() -> None:
    journal = tiny.Memory()
    HalvingSearch("a", task(40), bench(100_000, journal)).run(field_of(2), Bought())
    other, dearer = Bought(), Bought()
    HalvingSearch("b", task(40), bench(100_000, journal)).run(field_of(2), other)
    HalvingSearch("a", task(40), bench(100_000, journal)).run(field_of(2, 51), dearer)
    assert other.asked
    assert dearer.asked


def test_a_look_at_more_cases_is_another_entry() -> None:
    """As with a larger budget than the run had whose journal is used."""
    journal = tiny.Memory()
    short = HalvingSearch("a", task(150), bench(8_000, journal)).run(field_of(6), Bought())
    longer = HalvingSearch("a", task(150), bench(10_000_000, journal)).run(field_of(6), Bought())
    assert FIRST < len(short.best.scores) < len(longer.best.scores)
    assert longer == HalvingSearch("a", task(150), bench(10_000_000)).run(field_of(6), Bought())


# ---------------------------------------------------------------- the cheapest


def standing(name: str, scores: Sequence[float], tokens: int) -> Standing:
    return Standing(Choice(name, 0, tokens), list(scores), tokens * len(scores))


def test_the_cheapest_within_noise_is_chosen_and_no_cheaper_one_outside() -> None:
    """The dear one is right in one case more than the cheap one, the bad one in far fewer."""

    def measured(choice: Choice, cases: Sequence[Case]) -> Look:
        usage = Usage(model="m", step="search", prompt_tokens=choice.tokens * len(cases))
        return Look(tuple(float(int(case.id[1:]) < choice.right) for case in cases), (usage,))

    def measure(choices: Sequence[Choice], fold: int, cases: Sequence[Case]) -> list[Look]:
        return [measured(choice, cases) for choice in choices]

    choices = [Choice("bad", 40, 5), Choice("dear", 101, 900), Choice("cheap", 100, 40)]
    outcome = HalvingSearch("a", task(150), bench(10_000_000)).run(choices, measure)
    assert outcome.best.configuration.name == "dear"
    assert outcome.cheapest().configuration.name == "cheap"


def test_noise_is_measured_in_pairs() -> None:
    """Two configurations with the same share of right answers, but one is right wherever the other is."""
    best = [1.0] * 40 + [0.0] * 20
    assert within_noise(best, best)
    assert within_noise(best, [1.0] * 39 + [0.0] * 21)
    assert not within_noise(best, [1.0] * 38 + [0.0] * 22), "two cases are more than one standard error"
    assert not within_noise(best, [1.0] * 30 + [0.0] * 30)
    assert not within_noise(best, [0.0] * 60)


def test_what_is_cheapest_is_told_by_a_request_and_not_by_all_that_was_asked() -> None:
    best, dearer = standing("best", [1.0] * 100, 10), standing("dearer", [1.0] * 40, 20)
    assert best.tokens > dearer.tokens
    assert SearchResult((best, dearer), rising=False).cheapest() is best
    worse = standing("worse", [1.0] * 99 + [0.0], 10)
    assert SearchResult((best, worse), rising=False).cheapest() is best, "of two that cost the same"


def test_a_lucky_first_look_is_not_taken_for_more_than_a_long_one() -> None:
    """Six are nearly always right in the first look and three always, who are right half of the time from then on."""
    order = [item.case.id for item in selection_items(task(150), 0)]

    def measured(choice: Choice, cases: Sequence[Case]) -> Look:
        places = [order.index(case.id) for case in cases]
        late = choice.name in ("c0", "c1", "c2")
        return Look(
            tuple(float(place % 2 if late and place >= FIRST else late or place % 10 > 0) for place in places), ()
        )

    outcome = HalvingSearch("a", task(150), bench(10_000_000)).run(
        field_of(9), lambda choices, _, cases: [measured(choice, cases) for choice in choices]
    )
    short = next(each for each in outcome.standings if each.configuration.name == "c8")
    assert len(short.scores) == FIRST < len(outcome.best.scores) == 150
    assert outcome.best.mean < short.mean


def test_a_few_lucky_cases_are_no_evidence_of_being_as_good() -> None:
    assert not within_noise([1.0] * 100, [1.0] * 20)
    assert within_noise([1.0] * 20, [1.0] * 20)


# ---------------------------------------------------------------- the bill


def test_training_counts_twice_and_reused_tokens_not_at_all() -> None:
    read = Usage(model="m", step="search", prompt_tokens=100, cached_tokens=60, answer_tokens=5)
    assert spent_tokens(read, HERE) == 45
    assert spent_tokens(replace(read, step="training"), HERE) == 90


@pytest.mark.parametrize(("model", "cheapest", "tokens"), [(HERE, "long", 200), (HOSTED, "short", 1000)])
def test_what_a_server_had_read_before_makes_no_prompt_cheaper(
    model: LanguageModel, cheapest: str, tokens: int
) -> None:
    """The long prompt is cached but for a fifth, the short one not at all."""

    def measure(choices: Sequence[Choice], fold: int, cases: Sequence[Case]) -> Iterator[Look]:
        for choice in choices:
            asked, cached = choice.tokens * len(cases), 800 * len(cases) * (choice.name == "long")
            usage = Usage(model="m", step="search", prompt_tokens=asked, cached_tokens=cached)
            yield Look((1.0,) * len(cases), (usage,))

    choices = [Choice("long", 1.0, 1000), Choice("short", 1.0, 400)]
    outcome = HalvingSearch("a", task(40), bench(10_000_000, model=model)).run(choices, measure)
    assert outcome.cheapest().configuration.name == cheapest
    assert {each.configuration.name: each.tokens_per_case for each in outcome.standings}["long"] == tokens


def test_usage_is_added_up_by_model_and_step() -> None:
    rows = [Usage(model=name, step="search", prompt_tokens=10, seconds=1.0, cost=0.5) for name in ("a", "b", "a")]
    sums = {row.model: row for row in total(rows)}
    assert (sums["a"].prompt_tokens, sums["a"].calls, sums["a"].seconds, sums["a"].cost) == (20, 2, 2.0, 1.0)
    one = Usage(model="a", step="search", prompt_tokens=10, cached_tokens=4, answer_tokens=3)
    answered, learnt = total([one, replace(one, step="training"), one])
    assert (answered.step, answered.cached_tokens, answered.answer_tokens) == ("search", 8, 6)
    assert learnt == replace(one, step="training"), "which counts twice"
    assert total([replace(rows[0], cost=None), rows[0]])[0].cost is None, "An unknown part makes the sum unknown."


def test_what_a_model_used_under_another_name_is_taken_over_under_its_present_one(tmp_path: Path) -> None:
    """A price goes by the name: tokens of the old one were told as seconds of this machine."""
    bench = tiny.Bench(folder=tmp_path)
    spent = [Usage(model=name, step="search", prompt_tokens=10) for name in ("old", "an embedder")]
    for name in ("old", "new"):
        (look,) = journalled(bench, ["a part"], lambda _: [Look((1.0,), tuple(spent))], name)
        assert [row.model for row in look.usage] == [name, "an embedder"]


class Forgetful(tiny.Memory):
    def get(self, key: str) -> None:
        return None


def test_looks_are_given_with_a_journal_that_keeps_nothing(tmp_path: Path) -> None:
    bench = tiny.Bench(folder=tmp_path, journal=Forgetful())
    (look,) = journalled(bench, ["a part"], lambda places: [Look((1.0,) * len(places), (), {"kept": "no"})])
    assert look == Look((1.0,), (), {"kept": "no"})
