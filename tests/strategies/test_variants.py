"""Other forms of a prompt and other orders of its examples: what they keep, and who is found to move with them."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import get_args

import pytest

from benchmarks.contract import Candidate
from benchmarks.evaluation.stored import evaluations
from benchmarks.running.models import Models
from benchmarks.running.plan import Options, units
from benchmarks.running.run import Run
from benchmarks.specs.spec_models import ModelSpec
from benchmarks.storage.store import Store
from strategies.approaches.lora import Lora
from strategies.approaches.majority import Majority
from strategies.approaches.prompting import Prompting
from strategies.approaches.retrieval import Retrieval
from strategies.contract import Kind, Prompt, Query, Strategy
from strategies.pipeline import Pipeline, Setup
from strategies.prompting.demonstrations import reordered
from strategies.prompting.rendering import MARKS, Form
from strategies.sources import Sources
from strategies.variants import ORDERS, orders, variants
from tests import killed, tiny
from tests.scripted import ScriptedModel

KINDS: tuple[Kind, ...] = get_args(Kind)
FORMS = tuple(
    Form(layout=layout, marked=marked, show_labels=listed, natural_labels=natural)
    for layout in ("turns", "inline")
    for marked in (False, True)
    for listed in (False, True)
    for natural in (False, True)
)
ASKED = "when does my parcel arrive"


def pipeline(kind: Kind, form: Form, shots: int) -> Pipeline:
    task = tiny.benchmark(kind).task
    model = ScriptedModel(name="m", answer=lambda prompt: "x", context_tokens=4096)
    return Pipeline(
        task=task,
        model=model,
        setup=Setup(form=form, shots=shots),
        sources=Sources(task.examples, tiny.WordHashes()),
        max_tokens=8,
    )


def prompt(asked: Pipeline) -> Prompt:
    return asked.requests([Query.of(ASKED)])[0].prompt


def words(of: Prompt) -> str:
    return "\n".join(message.content for message in of)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("form", FORMS, ids=str)
def test_eight_or_more_say_the_same_in_another_way(kind: Kind, form: Form) -> None:
    own = pipeline(kind, form, shots=3)
    found = variants(own)
    names = [name for name, _ in found]
    assert len(set(names)) == len(names) >= 8 + ORDERS
    prompts = [prompt(variant) for _, variant in found]
    seen = {(words(prompt(each)), each.renderer.words.words) for each in (own, *(variant for _, variant in found))}
    assert len(seen) == len(found) + 1, "each asks in another way"
    for each in prompts:
        assert ASKED in each[-1].content
        assert own.task.instruction in each[0].content
        for case, _ in own.demonstrations([ASKED])[0]:
            assert case.input in words(each)


def test_without_examples_there_are_eight_forms_and_no_orders() -> None:
    found = variants(pipeline("qa", Form(), shots=0))
    assert len(found) == 8
    assert {variant.order for _, variant in found} == {0}


def test_a_tuned_model_knows_one_form() -> None:
    assert variants(replace(pipeline("qa", Form(), shots=0), adapter=Path("adapter"))) == []


def test_an_order_keeps_what_is_shown() -> None:
    shown = list("abcdef")
    assert reordered(shown, 0) == shown
    assert reordered(shown, -1) == shown[::-1]
    assert sorted(reordered(shown, 3)) == shown != reordered(shown, 3)


@pytest.mark.parametrize(("shots", "most"), [(0, 0), (1, 0), (2, 1), (3, ORDERS), (8, ORDERS)])
def test_there_are_as_many_orders_as_so_few_examples_have(shots: int, most: int) -> None:
    found = [tuple(reordered(range(shots), order)) for order in orders(shots)]
    assert len(set(found)) == len(found) == most
    assert tuple(range(shots)) not in found


def test_orders_of_examples_that_are_turned_are_other_than_theirs() -> None:
    own, turned = (pipeline("qa", Form(turned=turned), shots=3) for turned in (False, True))
    assert [turn.content for turn in prompt(turned)[1:-1:2]] == [turn.content for turn in prompt(own)[-3:0:-2]]
    assert prompt(turned) == prompt(replace(own, order=-1))
    found = {words(prompt(variant)) for _, variant in variants(turned)}
    assert words(prompt(turned)) not in found
    assert words(prompt(own)) in found


def test_the_chosen_words_are_the_ones_that_requests_always_had() -> None:
    assert MARKS[Form().marks] == ("Input:", "Output:")


# ---------------------------------------------------------------- a run


def particular(of: Prompt) -> str:
    """Right where the prompt has the words that it was used to, and wrong elsewhere."""
    text = words(of)
    asked = text.rsplit("Input:", 1)[-1].split("Output:")[0].strip()
    benchmark = tiny.benchmark("qa")
    known = {case.input: case.output for case in (*benchmark.heldout, *benchmark.task.examples)}
    return known.get(asked, "no idea") if "Input:" in text else "no idea"


def run_of(folder: Path, strategies: Sequence[Strategy]) -> Run:
    model = ScriptedModel(name="particular", answer=particular, context_tokens=4096)
    return Run(
        benchmark=tiny.benchmark("qa"),
        candidates=[
            Candidate(name=each.name, strategy=each, model="particular" if each.needs else "") for each in strategies
        ],
        models=Models(
            specs=(ModelSpec(name="particular", folder="nowhere"),),
            dtype="float32",
            _embedder=tiny.WordHashes(),
            _placement=tiny.FLOAT32,
            _ready={"particular": model},
        ),
        options=Options(tuning_tokens=2_000, second_seed=False),
        folder=folder,
    )


def test_who_hangs_on_the_words_of_a_prompt_is_found_out(tmp_path: Path) -> None:
    run = run_of(tmp_path / "run", [Prompting(), Majority()])
    run.execute()
    with closing(Store(run.folder / "run.sqlite")) as store:
        found = {each.candidate: each for each in evaluations(run.benchmark, killed.described(run), store)}
        rows = list(store.rows("prompting", "format"))
    checks = {each.name: each for each in found["prompting"].agreements}
    check = checks["prompt forms"]
    assert found["prompting"].figure == 1.0
    assert check.pairs == len(run.benchmark.heldout) == len(rows)
    unfamiliar = sum("Question:" in row.variant or "INPUT:" in row.variant or ">>" in row.variant for row in rows)
    bare = sum(row.variant == "turns of a chat" for row in rows)
    assert check.right_then_wrong == unfamiliar + bare > 0
    assert check.right_twice == check.pairs - check.right_then_wrong > 0
    assert checks["repeats"].right_twice == check.pairs
    assert "prompt forms" not in {each.name for each in found["majority"].agreements}


def test_it_is_asked_of_what_is_prompted_and_of_nothing_else() -> None:
    benchmark = tiny.benchmark("qa")

    def planned(strategy: Strategy, options: Options) -> bool:
        candidate = Candidate(name=strategy.name, strategy=strategy, model="m")
        return "format" in {unit.kind for unit in units(benchmark, candidate, options, "")}

    asked = {each.name: planned(each, Options()) for each in (Prompting(), Retrieval(), Lora(), Majority())}
    assert asked == {"prompting": True, "retrieval": True, "lora": False, "majority": False}
    assert not planned(Prompting(), Options(probes=False))
