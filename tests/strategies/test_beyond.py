"""Where the largest setup of a search is chosen, larger ones are tried with what is left of the budget."""

from __future__ import annotations

from pathlib import Path

import pytest

from strategies.approaches.prompting import Prompting
from strategies.approaches.retrieval import BEYOND, MOST, MOST_BESIDE, MOST_SHOTS, Retrieval, larger
from strategies.beyond import DEARER, pays
from strategies.contract import Prompt
from strategies.pipeline import Pipeline, Setup
from strategies.search import FIRST, Standing
from strategies.searched import turned
from tests import tiny
from tests.scripted import ScriptedModel

TASK = tiny.benchmark("qa", examples=80).task
PLENTY = 10_000_000


def fitted(folder: Path, needs: dict[int, int]) -> tuple[Pipeline, tiny.Bench]:
    """By a model that is right in so many of eight questions where at least so many passages stand before the request."""

    def answer(prompt: Prompt) -> str:
        asked = prompt[-1].content
        case = next(case for case in TASK.examples if case.input in asked)
        right = max((right for passages, right in needs.items() if asked.count("Its floor is") >= passages), default=0)
        return case.output if int(case.id[1:]) % 8 < right else "unknown"

    bench = tiny.Bench(folder=folder, language=ScriptedModel(name="reader", answer=answer), tuning_tokens=PLENTY)
    pipeline = Retrieval().fit(TASK, bench)
    assert isinstance(pipeline, Pipeline)
    return pipeline, bench


@pytest.mark.parametrize(
    ("needs", "passages", "rising"),
    [
        ({1: 2, 3: 4, 5: 8}, 5, False),
        ({1: 2, 3: 4, 8: 8}, 8, True),
        ({1: 2, 3: 6}, MOST, False),
    ],
)
def test_more_passages_are_tried_where_the_most_of_them_win(
    needs: dict[int, int], passages: int, rising: bool, tmp_path: Path
) -> None:
    pipeline, bench = fitted(tmp_path, needs)
    assert (pipeline.setup.passages, pipeline.describe()["rising"]) == (passages, rising)
    assert {trial.configuration["passages"] for trial in bench.trials} >= {MOST, *BEYOND}
    assert pipeline.describe()["configurations_tried"] == len(bench.trials)


def test_nothing_larger_is_tried_where_fewer_do(tmp_path: Path) -> None:
    pipeline, bench = fitted(tmp_path, {1: 6})
    assert pipeline.setup.passages == 1
    assert max(trial.configuration["passages"] for trial in bench.trials) == MOST


def test_without_the_budget_for_a_look_it_is_said_that_more_may_help(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    chosen = Standing(Setup(passages=MOST), scores=[1.0] * FIRST, tokens=100 * FIRST)
    needed = 2 * FIRST * 100 * DEARER
    assert pays(chosen, BEYOND, needed)
    assert not pays(chosen, BEYOND, needed - 1)
    monkeypatch.setattr("strategies.beyond.pays", lambda *_: False)
    pipeline, bench = fitted(tmp_path, {1: 2, 3: 4, 5: 8})
    assert (pipeline.setup.passages, pipeline.describe()["rising"]) == (MOST, True)
    assert max(trial.configuration["passages"] for trial in bench.trials) == MOST


PLAIN = tiny.benchmark("generation", examples=80).task


@pytest.mark.parametrize("approach", [Retrieval(), Prompting()], ids=lambda approach: approach.name)
@pytest.mark.parametrize(
    ("needs", "shots", "rising"), [({1: 2, 8: 4, 16: 8}, 16, True), ({1: 2, 8: 6}, 8, False), ({3: 6, 5: 1}, 3, False)]
)
def test_more_examples_are_tried_where_the_most_of_them_win(
    approach: Retrieval | Prompting, needs: dict[int, int], shots: int, rising: bool, tmp_path: Path
) -> None:
    inputs = {case.input: case for case in PLAIN.examples}

    def answer(prompt: Prompt) -> str:
        said = "\n".join(turn.content for turn in prompt)
        last = prompt[-1].content
        asked = max(
            (text for text in inputs if text in last), key=lambda text: (last.rfind(text) + len(text), len(text))
        )
        shown = sum(text in said for text in inputs) - 1
        right = next((needs[least] for least in sorted(needs, reverse=True) if shown >= least), 0)
        return inputs[asked].output if int(inputs[asked].id[1:]) % 8 < right else "unknown"

    bench = tiny.Bench(folder=tmp_path, language=ScriptedModel(name="reader", answer=answer), tuning_tokens=PLENTY)
    pipeline = approach.fit(PLAIN, bench)
    assert isinstance(pipeline, Pipeline)
    assert pipeline.setup.shots == shots
    assert pipeline.describe()["rising"] == rising
    most = max(trial.configuration["shots"] for trial in bench.trials)
    assert most == (16 if 8 in needs else 8)


@pytest.mark.parametrize(
    ("first", "tokens", "chosen"), [(True, PLENTY, True), (False, PLENTY, False), (True, 9_000, False)]
)
def test_of_the_nearest_examples_the_other_order_is_tried_too(
    first: bool, tokens: int, chosen: bool, tmp_path: Path
) -> None:
    """By a model that is right in half of the cases, and in all where the nearest example stands first, or last."""
    known, embedder = {case.input: case for case in PLAIN.examples}, tiny.WordHashes()

    def answer(prompt: Prompt) -> str:
        said = "\n\n".join(turn.content for turn in prompt) + "\n"
        places = {said.find(f"{text}\n"): text for text in known}
        *shown, asked = [places[place] for place in sorted(places) if place >= 0]
        if len(shown) < 3:
            return "unknown"
        near = embedder.embed([asked, shown[0], shown[-1]])
        as_wanted = (near[0] @ near[1] > near[0] @ near[2]) == first
        return known[asked].output if as_wanted or int(known[asked].id[1:]) % 2 else "unknown"

    bench = tiny.Bench(folder=tmp_path, language=ScriptedModel(name="reader", answer=answer), tuning_tokens=tokens)
    pipeline = Retrieval().fit(PLAIN, bench)
    assert isinstance(pipeline, Pipeline)
    assert pipeline.setup.form.turned == chosen
    assert any(trial.configuration["form"]["turned"] for trial in bench.trials) == (tokens == PLENTY)
    assert pipeline.describe()["rising"] == (tokens < PLENTY)
    assert pipeline.describe()["configurations_tried"] == len(bench.trials)


def test_one_example_has_no_other_order() -> None:
    assert [turned(Setup(shots=shots, picks="nearest")) for shots in (0, 1)] == [None, None]
    assert turned(Setup(shots=3)) is None


def test_beside_passages_the_most_examples_are_fewer() -> None:
    beside = Setup(passages=1, shots=MOST_BESIDE, picks="nearest")
    assert [each.shots for each in larger(beside)] == [2 * MOST_BESIDE]
    assert not larger(Setup(shots=MOST_BESIDE, picks="nearest"))
    assert [each.shots for each in larger(Setup(shots=MOST_SHOTS, picks="nearest"))] == [2 * MOST_SHOTS]
    for kind in ("qa", "classification", "generation"):
        space = Retrieval().space(tiny.benchmark(kind).task)
        assert any(map(larger, space))
        assert max(each.shots for each in space) <= MOST_SHOTS
