"""The situations that a verdict can be in, each as a small bake-off, and a story as the text that golden files hold."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from itertools import combinations, product
from pathlib import Path
from typing import Any, Literal

import numpy as np

from advisor.contract import Story, Verdict
from advisor.drawn import Forest, LineChart, Table, WinnerMap
from advisor.story.tell import Extras
from benchmarks.checked import (
    Added,
    Agreement,
    Altered,
    ByHeart,
    Changed,
    Counted,
    Coverage,
    Forgetting,
    Grounding,
    Guard,
    Handover,
    Held,
    Leaks,
    Planted,
    Rebuilds,
    RetrievalQuality,
)
from benchmarks.contract import Benchmark, Constraints, Evaluation, Look, State
from benchmarks.costs.prices import MachinePrices, TokenPrices, Upkeep
from benchmarks.data.population import EXAMPLES, Apart
from benchmarks.evaluation.mistakes import Mistake, Mistakes
from benchmarks.learning import Curve, CurvePoint
from strategies.contract import Recipe, Step, Trial, Usage
from strategies.finetuning.race import Tuning
from strategies.pipeline import Setup
from strategies.prompting.rendering import Form
from tests.verdict_cases import Bakeoff, PlainMetric, benchmark_of, evaluation_of, scores_of, task_of

SITUATIONS: dict[str, Callable[[], Bakeoff]] = {}


def situation(build: Callable[[], Bakeoff]) -> Callable[[], Bakeoff]:
    SITUATIONS[build.__name__] = build
    return build


def spent(step: Step, seconds: float, model: str = "smollm2-135m", tokens: int = 0) -> Usage:
    return Usage(model=model, step=step, seconds=seconds, prompt_tokens=tokens)


def edits(right: int, wrong: int, flipped: int) -> Agreement:
    return Agreement(
        name="edits",
        says="letters, spaces and greetings were changed.",
        right_twice=right,
        wrong_twice_same=wrong,
        wrong_twice_different=0,
        right_then_wrong=flipped,
        wrong_then_right=0,
    )


def tried(
    approach: str, configuration: Mapping[str, Any], score: float, cases: int, loss: float | None = None
) -> Trial:
    return Trial(
        approach=approach,
        configuration=configuration,
        score=score,
        cases=cases,
        tokens=0 if "C" in configuration else 120 * cases or 9_000,
        validation_loss=loss,
    )


FORMS = (Form(), Form(layout="inline"), Form(show_labels=True), Form(marked=True))
EITHER: tuple[Literal["random", "balanced"], ...] = ("random", "balanced")
PROMPTS = [
    tried(
        "prompting",
        dataclasses.asdict(Setup(form=form, shots=shots, picks=picks)),
        right / 20,
        20 + 40 * (right > 16),
    )
    for right, (shots, picks, form) in enumerate(product((3, 8), EITHER, FORMS), start=4)
]
"""More than the report shows of one search."""
TRAININGS = [
    tried("lora", dataclasses.asdict(Tuning(Setup(), Recipe(learning_rate=rate))), score, cases, loss)
    for rate, score, cases, loss in (
        (1e-3, 0.9, 60, 0.31),
        (2e-3, 0.95, 60, 0.28),
        (5e-4, 0.0, 0, 0.97),
        (2e-3, 0.0, 0, 0.55),
        (1e-2, 0.0, 0, None),
    )
]
"""Two long ones, two short ones and one that diverged."""


@situation
def everything_meets() -> Bakeoff:
    return Bakeoff(
        evaluations=(
            evaluation_of("linear head", scores_of(279, 300), seconds=0.01, agreements=[edits(90, 6, 4)]),
            evaluation_of(
                "prompting",
                scores_of(276, 300, 5),
                seconds=0.4,
                tokens=(412, 6),
                model="smollm2-135m",
                fitting=[spent("search", 600)],
                agreements=[edits(85, 5, 10)],
            ),
            evaluation_of(
                "lora",
                scores_of(285, 300, 9),
                seconds=0.3,
                tokens=(40, 6),
                model="smollm2-135m",
                fitting=[spent("search", 900), spent("training", 500)],
                chosen={"setup": dataclasses.asdict(Setup()), "recipe": dataclasses.asdict(Recipe(epochs=3))},
            ),
        ),
        benchmark=benchmark_of(),
        extras=Extras(
            machine="2 cores, bfloat16",
            heldout_from="a file of their own",
            predicted_order=("lora", "prompting", "linear head"),
            predicted_outcome="a clear choice",
            predicted_target=0.8,
            predicted_why="Four labels and 300 examples are enough to tune on.",
            trials={
                "linear head": [tried("linear head", {"C": strength}, 0.9, 60) for strength in (0.3, 1.0)],
                "prompting": PROMPTS,
                "lora": TRAININGS,
            },
        ),
    )


@situation
def only_the_dearest_meets() -> Bakeoff:
    return Bakeoff(
        evaluations=(
            evaluation_of("majority", scores_of(30, 300), seconds=0.0001),
            evaluation_of("linear head", scores_of(210, 300, 8), seconds=0.01),
            evaluation_of("prompting", scores_of(180, 300, 1), seconds=0.1, failures={"unparsable": 24}, rising=True),
            evaluation_of("lora", scores_of(267, 300, 9), seconds=0.3, failures={"truncated": 2}),
        ),
        benchmark=benchmark_of(task=task_of(examples=80)),
    )


@situation
def nothing_meets() -> Bakeoff:
    return Bakeoff(
        evaluations=(
            evaluation_of("majority", scores_of(30, 300), seconds=0.0001),
            evaluation_of("prompting", scores_of(150, 300, 5), seconds=0.2),
            evaluation_of("lora", scores_of(186, 300, 9), seconds=0.3, rising=True),
        ),
        benchmark=benchmark_of(),
    )


@situation
def nothing_beats_one_answer() -> Bakeoff:
    return Bakeoff(
        evaluations=(
            evaluation_of("majority", scores_of(114, 200), seconds=0.0001, chosen={"answer": "refund"}),
            evaluation_of("prompting", scores_of(96, 200, 5), seconds=0.2),
            evaluation_of("lora", scores_of(118, 200, 9), seconds=0.3, rising=True),
        ),
        benchmark=benchmark_of(cases=200, target=0.75),
    )


@situation
def every_one_breaks_a_limit() -> Bakeoff:
    return Bakeoff(
        evaluations=(
            evaluation_of("prompting", scores_of(276, 300, 5), seconds=0.4, p95=3.0),
            evaluation_of("lora", scores_of(285, 300, 9), seconds=0.3, p95=2.0),
        ),
        benchmark=benchmark_of(constraints=Constraints(p95_latency_s=1.0)),
    )


@situation
def nothing_is_measured_yet() -> Bakeoff:
    return Bakeoff(
        evaluations=(
            evaluation_of("linear head", state=State.OPEN, problem="300 held-out cases were not answered yet"),
            evaluation_of("lora", state=State.OPEN, problem="300 held-out cases were not answered yet"),
        ),
        benchmark=benchmark_of(),
    )


@situation
def safe_but_cheaper_undecided() -> Bakeoff:
    return Bakeoff(
        evaluations=(
            evaluation_of("linear head", scores_of(249, 300), seconds=0.01),
            evaluation_of("retrieval", scores_of(276, 300, 5), seconds=0.4),
        ),
        benchmark=benchmark_of(),
    )


@situation
def undecided() -> Bakeoff:
    return Bakeoff(
        evaluations=(
            evaluation_of("linear head", scores_of(81, 100), seconds=0.01),
            evaluation_of("prompting", scores_of(84, 100, 5), seconds=0.2),
        ),
        benchmark=benchmark_of(cases=100),
    )


@situation
def too_few_cases_for_any_proof() -> Bakeoff:
    return Bakeoff(
        evaluations=(
            evaluation_of("linear head", scores_of(20, 20), seconds=0.01),
            evaluation_of("prompting", scores_of(19, 20, 5), seconds=0.2),
        ),
        benchmark=benchmark_of(cases=20, target=0.9),
    )


@situation
def left_out_for_want_of_cases() -> Bakeoff:
    """With --economical nothing that needs a language model is asked where no score would be proof."""
    problem = (
        "60 held-out cases cannot show that a target of 97 % is met, not even if all are right, so nothing with a language "
        "model was fitted (--economical)"
    )
    return Bakeoff(
        evaluations=(
            evaluation_of("copy nearest", scores_of(18, 60), seconds=0.01),
            evaluation_of("linear head", scores_of(14, 60, 5), seconds=0.02),
            *(
                dataclasses.replace(evaluation_of(name, state=State.SKIPPED, problem=problem, model="m"), too_few=True)
                for name in ("prompting", "lora")
            ),
        ),
        benchmark=benchmark_of(cases=60, target=0.97),
    )


@situation
def tie_in_cost() -> Bakeoff:
    """Retrieval is cheaper by 10 %, which timings cannot tell; prompting is simpler."""
    return Bakeoff(
        evaluations=(
            evaluation_of("retrieval", scores_of(279, 300), seconds=0.18),
            evaluation_of("prompting", scores_of(276, 300, 5), seconds=0.2),
        ),
        benchmark=benchmark_of(),
    )


@situation
def tied_but_less_simple_undecided() -> Bakeoff:
    """The tied, less simple candidate need not be proven to miss."""
    return Bakeoff(
        evaluations=(
            evaluation_of("retrieval", scores_of(249, 300), seconds=0.18),
            evaluation_of("prompting", scores_of(276, 300, 5), seconds=0.2),
        ),
        benchmark=benchmark_of(),
    )


@situation
def fitting_is_paid_back() -> Bakeoff:
    """Cheaper to run, and its training cost more than the index of the other."""
    return Bakeoff(
        evaluations=(
            evaluation_of(
                "lora", scores_of(285, 300), seconds=0.1, model="smollm2-135m", fitting=[spent("training", 9_000)]
            ),
            evaluation_of(
                "retrieval", scores_of(280, 300, 5), seconds=0.4, model="smollm2-135m", fitting=[spent("index", 600)]
            ),
        ),
        benchmark=benchmark_of(),
    )


@situation
def unknown_price() -> Bakeoff:
    return Bakeoff(
        evaluations=(
            evaluation_of("prompting", scores_of(279, 300), model="house-llm", tokens=(400, 5), seconds=0.5),
            evaluation_of("lora", scores_of(276, 300, 5), seconds=0.2, model="smollm2-135m"),
        ),
        benchmark=benchmark_of(),
        prices=MachinePrices(tokens={"house-llm": None}),
    )


@situation
def tokens_of_one_model() -> Bakeoff:
    """Nobody said what they cost, and both that meet are paid in them."""
    return Bakeoff(
        evaluations=(
            evaluation_of("copy nearest", scores_of(120, 300), seconds=0.01),
            evaluation_of("prompting", scores_of(279, 300), model="house-llm", tokens=(400, 5), seconds=0.5),
            evaluation_of("retrieval", scores_of(282, 300, 5), model="house-llm", tokens=(1900, 5), seconds=0.7),
        ),
        benchmark=benchmark_of(),
        prices=MachinePrices(tokens={"house-llm": None}),
    )


@situation
def prices_in_money() -> Bakeoff:
    price = TokenPrices(model="big-one", input=2.0, cached=0.2, output=8.0, source="price stated for this task")
    return Bakeoff(
        evaluations=(
            evaluation_of("prompting", scores_of(288, 300), model="big-one", tokens=(400, 5), seconds=0.5),
            evaluation_of(
                "lora", scores_of(276, 300, 5), seconds=0.2, model="smollm2-135m", fitting=[spent("training", 1800)]
            ),
        ),
        benchmark=benchmark_of(constraints=Constraints(cost_per_month=5.0)),
        prices=MachinePrices(machine_hour=0.4, tokens={"big-one": price}),
    )


@situation
def spared_by_a_prompt() -> Bakeoff:
    """With --economical: a prompt is proven, and tuning its model was not tried."""
    why = (
        "prompting is proven to meet the target, so nothing was fitted that comes after it in the order that was fixed before "
        "the run (--economical): approaches from simple to involved, each with the same model or a larger or dearer one. What "
        "those would cost a request was not measured"
    )
    spared = [
        evaluation_of(name, state=State.SKIPPED, problem=why, model="smollm2-135m")
        for name in ("retrieval", "lora", "lora + retrieval")
    ]
    return Bakeoff(
        evaluations=(
            evaluation_of("copy nearest", scores_of(120, 300), seconds=0.01),
            evaluation_of("prompting", scores_of(282, 300), seconds=0.1, model="smollm2-135m"),
            *(dataclasses.replace(each, spared=True) for each in spared),
        ),
        benchmark=benchmark_of(),
    )


@situation
def one_invalid() -> Bakeoff:
    return Bakeoff(
        evaluations=(
            evaluation_of(
                "prompting",
                scores_of(250, 300),
                model="smollm2-135m",
                state=State.INVALID,
                problem="9 of 300 answers were lost to faults outside the approach (status 400, too long)",
            ),
            evaluation_of("lora", scores_of(276, 300, 5), seconds=0.2, model="smollm2-135m"),
        ),
        benchmark=benchmark_of(),
    )


@situation
def ruled_out_by_latency() -> Bakeoff:
    return Bakeoff(
        evaluations=(
            evaluation_of("prompting", scores_of(279, 300), seconds=0.2, p95=2.4),
            evaluation_of("lora", scores_of(276, 300, 5), seconds=0.4, p95=0.9),
        ),
        benchmark=benchmark_of(constraints=Constraints(p95_latency_s=1.0)),
    )


@situation
def ruled_out_by_answers_that_change() -> Bakeoff:
    return Bakeoff(
        evaluations=(
            evaluation_of("prompting", scores_of(279, 300), seconds=0.1, agreements=[edits(70, 5, 25)]),
            evaluation_of("retrieval", scores_of(279, 300, 3), seconds=0.2, agreements=[edits(80, 8, 12)]),
            evaluation_of("lora", scores_of(282, 300, 5), seconds=0.4, agreements=[edits(92, 5, 3)]),
        ),
        benchmark=benchmark_of(constraints=Constraints(same_at_least=0.9)),
    )


def forgot(ratio: float, reach: float) -> Forgetting:
    return Forgetting(
        texts=36,
        tokens=3480,
        before=19.6,
        after=19.6 * ratio,
        ratio=ratio,
        lower=ratio - reach,
        upper=ratio + reach,
        divergence=0.21,
        same=0.87,
        divergence_within=(0.16, 0.26),
        same_within=(0.84, 0.9),
    )


def tuned(name: str, right: int, seconds: float, found: Forgetting) -> Evaluation:
    scored = evaluation_of(name, scores_of(right, 300, 5), seconds=seconds, model="smollm2-135m")
    return dataclasses.replace(scored, forgetting=found)


@situation
def tuned_and_forgot_something() -> Bakeoff:
    return Bakeoff(
        evaluations=(
            evaluation_of("prompting", scores_of(171, 300), seconds=0.1, model="smollm2-135m"),
            tuned("lora", 273, 0.2, forgot(1.17, 0.05)),
            tuned("lora + retrieval", 279, 0.4, forgot(1.02, 0.03)),
        ),
        benchmark=benchmark_of(),
    )


@situation
def ruled_out_by_what_it_forgot() -> Bakeoff:
    return Bakeoff(
        evaluations=(
            evaluation_of("prompting", scores_of(171, 300), seconds=0.1, model="smollm2-135m"),
            tuned("lora", 273, 0.2, forgot(1.31, 0.05)),
            tuned("lora + retrieval", 279, 0.4, forgot(1.21, 0.03)),
        ),
        benchmark=benchmark_of(constraints=Constraints(perplexity_ratio=1.2)),
    )


@situation
def no_target() -> Bakeoff:
    return Bakeoff(
        evaluations=(
            evaluation_of("prompting", scores_of(150, 300), seconds=0.2),
            evaluation_of("lora", scores_of(186, 300, 5), seconds=0.3),
        ),
        benchmark=benchmark_of(target=None),
    )


@situation
def metric_over_rows() -> Bakeoff:
    draws = np.linspace(-0.06, 0.06, 2001)
    return Bakeoff(
        evaluations=(
            evaluation_of("linear head", scores_of(240, 300), seconds=0.01, over_rows=(0.71, (0.71 + draws).tolist())),
            evaluation_of("lora", scores_of(270, 300, 5), seconds=0.2, over_rows=(0.88, (0.88 + draws).tolist())),
        ),
        benchmark=benchmark_of(metric=PlainMetric(name="macro_f1", over_rows=True)),
    )


@situation
def graded_with_groups() -> Bakeoff:
    groups = [f"g{index // 3}" for index in range(300)]
    good = tuple(0.9 + 0.1 * (index % 2) for index in range(300))
    poor = tuple(0.4 + 0.2 * (index % 3) for index in range(300))
    return Bakeoff(
        evaluations=(
            evaluation_of("prompting", poor, seconds=0.1, groups=groups),
            evaluation_of("lora", good, seconds=0.3, groups=groups),
        ),
        benchmark=benchmark_of(metric=PlainMetric(name="token_f1", graded=True), groups=groups),
    )


@situation
def cannot_run() -> Bakeoff:
    return Bakeoff(
        evaluations=(
            evaluation_of(
                "lora",
                model="big-one",
                state=State.CANNOT_RUN,
                problem="The model big-one answers at an address and cannot be trained here. Name a local model.",
            ),
        ),
        benchmark=benchmark_of(),
    )


@situation
def recorded_with_a_bill() -> Bakeoff:
    """Another system's answers, whose file says what they cost, beside a local model with a price an hour."""
    recorded = evaluation_of("recorded", scores_of(291, 300))
    bill = dataclasses.replace(recorded.answering, cost=3.0) if recorded.answering else None
    return Bakeoff(
        evaluations=(
            dataclasses.replace(recorded, answering=bill, latency=None),
            evaluation_of("lora", scores_of(240, 300, 5), seconds=0.2, model="smollm2-135m"),
        ),
        benchmark=benchmark_of(target=0.85),
        prices=MachinePrices(machine_hour=0.4),
    )


@situation
def second_look() -> Bakeoff:
    bench = dataclasses.replace(benchmark_of(cases=500), look=Look(number=2, seen=300, last="2026-11-20"))
    return Bakeoff(
        evaluations=(
            evaluation_of("prompting", scores_of(412, 500), seconds=0.4),
            evaluation_of("lora", scores_of(440, 500, 5), seconds=0.3, fitting=[spent("training", 900)]),
        ),
        benchmark=bench,
    )


@situation
def seen_before() -> Bakeoff:
    """Somebody was shown held-out cases with the answers of an earlier run."""
    look = Look(number=2, seen=500, last="2026-11-20", shown=412, shown_on="2026-11-21")
    return Bakeoff(
        evaluations=(
            evaluation_of("prompting", scores_of(412, 500), seconds=0.4),
            evaluation_of("lora", scores_of(460, 500, 5), seconds=0.3, fitting=[spent("training", 900)]),
        ),
        benchmark=dataclasses.replace(benchmark_of(cases=500), look=look),
    )


@situation
def stopped_when_decided() -> Bakeoff:
    """Each approach was asked until it was decided: two early, one not at all."""
    return Bakeoff(
        evaluations=(
            evaluation_of("majority", scores_of(18, 100), seconds=0.0001),
            evaluation_of("prompting", scores_of(412, 500, 5), seconds=0.2),
            evaluation_of("lora", scores_of(187, 200, 9), seconds=0.3, fitting=[spent("training", 900)]),
        ),
        benchmark=dataclasses.replace(benchmark_of(cases=500), sequential=True),
    )


def grown(right: tuple[int, int, int], last: Sequence[float]) -> Curve:
    """Three samples at an eighth, a quarter and a half of 300 examples, and all of them, on the first 100 cases."""
    smaller = [
        CurvePoint(examples=size, scores=tuple(scores_of(hits + 2 * draw - 2, 100, 3 * draw) for draw in range(3)))
        for size, hits in zip((37, 75, 150), right, strict=True)
    ]
    keys = tuple(f"k{place}" for place in range(100))
    return Curve(keys=keys, points=(*smaller, CurvePoint(examples=300, scores=(tuple(last[:100]),))))


@situation
def more_examples_would_help() -> Bakeoff:
    head, lora = scores_of(210, 300), scores_of(225, 300, 5)
    return Bakeoff(
        evaluations=(
            evaluation_of("majority", scores_of(30, 300), seconds=0.0001),
            evaluation_of("linear head", head, seconds=0.01, curve=grown((66, 68, 69), head)),
            evaluation_of("prompting", scores_of(186, 300, 5), seconds=0.2),
            evaluation_of("lora", lora, seconds=0.3, curve=grown((45, 58, 68), lora)),
        ),
        benchmark=benchmark_of(),
        extras=Extras(label_price=(0.5, "USD")),
    )


def rebuilt(hits: Sequence[int], moved: int, failed: int = 0) -> Rebuilds:
    """Rebuilds on the first 100 cases: so many right each time, and `moved` cases further on are wrong each next time."""
    scores = tuple(scores_of(right, 100, moved * draw) for draw, right in enumerate(hits))
    same = tuple(tuple(a == b for a, b in zip(*pair, strict=True)) for pair in combinations(scores, 2))
    keys, draws = tuple(f"h{place:03}" for place in range(100)), tuple(range(len(hits)))
    return Rebuilds(keys=keys, draws=draws, scores=scores, same=same, failed=failed)


@situation
def rebuilt_and_tuning_is_steadier() -> Bakeoff:
    found = {
        "majority": (scores_of(30, 300), rebuilt([10] * 5, 0)),
        "prompting": (scores_of(212, 300, 5), rebuilt([70, 66, 71, 68, 72], 3)),
        "retrieval": (scores_of(228, 300, 3), rebuilt([76, 75, 77, 74, 76], 2)),
        "lora": (scores_of(270, 300, 8), rebuilt([90, 91, 89, 90], 0, failed=1)),
    }
    return Bakeoff(
        evaluations=tuple(
            dataclasses.replace(evaluation_of(name, scores, seconds=0.1), rebuilds=built)
            for name, (scores, built) in found.items()
        ),
        benchmark=benchmark_of(),
    )


def followed(
    known: int, new: int, old: int, seconds: float | None, then: tuple[int, int, float] | None = None
) -> Changed:
    """`then`: questions for facts that examples tell, how many of these are answered anew after another fit, and its seconds."""
    found = Changed(cases=60, known=known, new=new, old=old, documents=38, seconds=seconds)
    if then is None:
        return found
    return dataclasses.replace(found, examples=34, told=then[0], again=then[1], again_seconds=then[2])


def told_to_use_capitals(at_once: int | None, right: int, again: int | None) -> Altered:
    """None: it cannot be told, or there is nothing to fit again."""
    return Altered(
        rule="Write the answer in capital letters.",
        cases=50,
        takes=at_once is not None,
        at_once=at_once or 0,
        right_at_once=right,
        again=again,
        right_again=None if again is None else again - 8,
        seconds=None if again is None else 240.0,
    )


@situation
def facts_in_the_documents_change() -> Bakeoff:
    found = {
        "majority": (scores_of(30, 300), followed(0, 0, 0, None, (0, 0, 0.2))),
        "retrieval": (scores_of(261, 300, 3), followed(52, 47, 3, 0.41)),
        "lora": (scores_of(228, 300, 5), followed(41, 0, 41, None, (20, 15, 250.0))),
        "lora + retrieval": (scores_of(270, 300, 8), followed(54, 44, 8, 0.39, (25, 23, 280.0))),
    }
    ruled = {
        "majority": told_to_use_capitals(None, 0, 50),
        "retrieval": told_to_use_capitals(48, 33, None),
        "lora": told_to_use_capitals(3, 1, 50),
        "lora + retrieval": told_to_use_capitals(11, 9, 49),
    }
    return Bakeoff(
        evaluations=tuple(
            dataclasses.replace(
                evaluation_of(name, scores, fitting=[spent("training", 900)]), changed=changed, altered=ruled[name]
            )
            for name, (scores, changed) in found.items()
        ),
        benchmark=benchmark_of(task=task_of(kind="qa", documents=("The return window is 28 days.",))),
    )


@situation
def a_tuned_model_knows_its_training_by_heart() -> Bakeoff:
    knows = ByHeart(
        taught=Counted(cases=50, right=41), rephrased=Counted(cases=38, right=9), untold=Counted(cases=50, right=1)
    )
    tuned = dataclasses.replace(evaluation_of("lora", scores_of(270, 300, 8)), by_heart=knows)
    return Bakeoff(
        evaluations=(evaluation_of("majority", scores_of(30, 300)), tuned),
        benchmark=benchmark_of(task=task_of(kind="qa", documents=("The return window is 28 days.",))),
    )


def given_labels(at_once: int | None, refitted: int, seconds: float | None) -> Added:
    """None: it cannot be given labels."""
    return Added(
        labels=("invoice copy", "late delivery"),
        examples=24,
        cases=36,
        takes=at_once is not None,
        at_once=at_once or 0,
        refitted=refitted,
        others=100,
        before=78,
        after=78 if at_once is None else 74,
        seconds=seconds,
    )


@situation
def labels_are_added() -> Bakeoff:
    found = {
        "majority": (scores_of(30, 300), given_labels(None, 0, None)),
        "linear head": (scores_of(231, 300, 5), given_labels(None, 28, 0.6)),
        "retrieval": (scores_of(240, 300, 3), given_labels(27, 29, 0.2)),
        "lora": (scores_of(249, 300, 9), given_labels(4, 31, 312.0)),
    }
    return Bakeoff(
        evaluations=tuple(
            dataclasses.replace(evaluation_of(name, scores, fitting=[spent("training", 900)]), added=added)
            for name, (scores, added) in found.items()
        ),
        benchmark=benchmark_of(),
    )


def within(margin: float, cases: int = 300) -> Benchmark:
    return dataclasses.replace(benchmark_of(cases=cases), target=None, margin=margin)


@situation
def close_enough_to_the_best() -> Bakeoff:
    return Bakeoff(
        evaluations=(
            evaluation_of("majority", scores_of(30, 300), seconds=0.0001),
            evaluation_of("linear head", scores_of(261, 300), seconds=0.01),
            evaluation_of("lora", scores_of(264, 300, 5), seconds=0.3),
        ),
        benchmark=within(0.1),
    )


@situation
def close_but_a_cheaper_one_may_be_too() -> Bakeoff:
    return Bakeoff(
        evaluations=(
            evaluation_of("linear head", scores_of(249, 300), seconds=0.01),
            evaluation_of("prompting", scores_of(150, 300, 7), seconds=0.05),
            evaluation_of("lora", scores_of(276, 300, 5), seconds=0.3),
        ),
        benchmark=within(0.1),
    )


@situation
def nothing_shown_to_be_close() -> Bakeoff:
    return Bakeoff(
        evaluations=(
            evaluation_of("linear head", scores_of(70, 100), seconds=0.01),
            evaluation_of("lora", scores_of(71, 100, 5), seconds=0.3),
        ),
        benchmark=within(0.02, cases=100),
    )


@situation
def target_above_what_the_keys_allow() -> Bakeoff:
    """On the selection cases approaches of three kinds agree on other answers than the key, too often for the target."""
    found = Mistakes(
        candidate="lora",
        asked=60,
        wrong=9,
        found=(
            Mistake(kind="disputed key", cases=5),
            Mistake(kind="confused", cases=4, detail=("refund", "cancel"), right_by="linear head", right=1),
        ),
        kinds=(("disputed key", 5), ("confused", 4)),
        lacking=5.0,
    )
    head = Mistakes(candidate="linear head", asked=60, wrong=0, found=())
    prompted = Mistakes(
        candidate="prompting",
        asked=60,
        wrong=40,
        found=(Mistake(kind="confused", cases=20, detail=("refund", "cancel")),),
        kinds=(("confused", 20), ("form", 11), ("disputed key", 5), ("no answer", 4)),
    )
    return Bakeoff(
        evaluations=(
            evaluation_of("linear head", scores_of(261, 300), seconds=0.01),
            evaluation_of("prompting", scores_of(240, 300, 5), seconds=0.2),
            evaluation_of("lora", scores_of(264, 300, 9), seconds=0.3),
        ),
        benchmark=benchmark_of(target=0.95),
        extras=Extras(mistakes=found, all_mistakes={each.candidate: each for each in (prompted, head, found)}),
    )


@situation
def never_breaks_even() -> Bakeoff:
    """Tuned again each time the task changes, lora costs more at any volume than the prompt that meets the target too."""
    return Bakeoff(
        evaluations=(
            evaluation_of("prompting", scores_of(276, 300), seconds=0.2, model="smollm2-135m"),
            evaluation_of(
                "lora", scores_of(285, 300, 5), seconds=0.21, model="smollm2-135m", fitting=[spent("training", 1800)]
            ),
        ),
        benchmark=benchmark_of(),
        prices=MachinePrices(
            machine_hour=0.4, upkeep=Upkeep(task_months=3, labels=50, label_price=0.5, hours=4, hour_price=60)
        ),
    )


@situation
def facts_that_change_turn_the_answer() -> Bakeoff:
    """Trained anew each month, lora is dearer than looking up; were facts to last, it would be the cheaper one."""
    return Bakeoff(
        evaluations=(
            evaluation_of(
                "retrieval", scores_of(276, 300), seconds=0.4, model="smollm2-135m", fitting=[spent("index", 20)]
            ),
            evaluation_of(
                "lora", scores_of(279, 300, 5), seconds=0.1, model="smollm2-135m", fitting=[spent("training", 6000)]
            ),
        ),
        benchmark=benchmark_of(task=task_of(kind="qa", documents=("The return window is 28 days.",))),
        prices=MachinePrices(upkeep=Upkeep(facts_months=1)),
    )


@situation
def model_that_ends() -> Bakeoff:
    """The hosted model that is recommended stops to answer on a day that was announced."""
    price = TokenPrices(model="big-one", input=0.1, cached=0.01, output=0.4, source="price stated for this task")
    return Bakeoff(
        evaluations=(
            evaluation_of("prompting", scores_of(288, 300), model="big-one", tokens=(400, 5), seconds=0.5),
            evaluation_of("lora", scores_of(276, 300, 5), seconds=0.9, model="smollm2-135m"),
        ),
        benchmark=benchmark_of(),
        prices=MachinePrices(machine_hour=4.0, tokens={"big-one": price}),
        extras=Extras(endings={"big-one": "answers until 2027-01-14 (announced by its seller, read on 2026-10-28)"}),
    )


@situation
def questions_with_every_check() -> Bakeoff:
    """Nothing meets the target; what looks things up misses the right document too often, and knows where it is unsure."""
    held = [
        Held(
            at_most=lost,
            threshold=0.3 + lost,
            answered=300 - round(lost * 900),
            figure=0.7 + 2 * lost,
            lower=0.65 + 2 * lost,
            upper=0.74 + 2 * lost,
            lost=0.8 * lost,
            stopped=6 * lost,
            overall=0.7,
            expected_answered=0.85,
            expected_figure=0.79,
            refused=11,
            wrongly_refused=34,
        )
        for lost in (0.0, 0.05, 0.1)
    ]
    looking_up = dataclasses.replace(
        evaluation_of("retrieval", scores_of(207, 300, 3), seconds=0.4, agreements=[edits(62, 21, 17)]),
        retrieval=RetrievalQuality(cases=260, recall_at={1: 0.58, 5: 0.77}, mrr=0.66, missed=47, misread=31),
        oracle=0.87,
        grounding=Grounding(
            declined=28,
            declined_wrong=9,
            evidence=213,
            documents=12,
            nowhere=19,
            nowhere_wrong=14,
            vague=28,
            unanswerable=40,
            unanswerable_answered=21,
            declined_unfound=4,
        ),
        planted=(Planted(place="request", cases=50, followed=13), Planted(place="passage", cases=47, followed=6)),
        coverage=Coverage(shares=(1.0, 0.9, 0.5), figures=(0.69, 0.73, 0.91), order=0.78),
        guard=Guard(says="I do not know.", cases=300, unanswerable=40, held=tuple(held)),
        handover=Handover(threshold=0.61, alone=139, of=300, figure=0.892, lower=0.823),
        leaks=Leaks(cases=23, figure=0.913, others=277, without=0.671, lower=0.614, upper=0.725),
        shown={"exact_match": 0.537},
        passes=(0.69, 0.61, 0.564),
    )
    prompted = evaluation_of("prompting", scores_of(126, 300), seconds=0.2, rising=True, model="small-one")
    larger = dataclasses.replace(
        evaluation_of("prompting", scores_of(158, 300, 4), seconds=0.9, model="big-one"),
        candidate="prompting @ big-one",
    )
    tuned = dataclasses.replace(
        evaluation_of("lora", scores_of(171, 300, 8), failures={"refused": 7, "unparsable": 17}),
        forgetting=forgot(1.17, 0.05),
        shown={"exact_match": 0.483},
    )
    return Bakeoff(
        evaluations=(prompted, larger, looking_up, tuned),
        benchmark=dataclasses.replace(
            benchmark_of(
                task=task_of(kind="qa", documents=("The return window is 28 days.", "A refund takes 5 days.")),
                groups=[f"g{max(0, index - 220)}" for index in range(300)],
            ),
            leaked=tuple(f"h{place:03}" for place in range(23)),
        ),
        extras=Extras(
            population=Apart(one="the held-out cases", other="real requests", texts=400, share=0.68, p_value=1e-9),
            alike={
                EXAMPLES: Apart(one="the examples", other="the held-out cases", texts=360, share=0.53, p_value=0.2),
            },
        ),
    )


@situation
def limits_that_may_be_broken() -> Bakeoff:
    """Each limit is missed in the measurement and not shown to be broken; labels have a price."""
    price = TokenPrices(model="big-one", input=1.17, cached=0.2, output=8.0, source="price stated for this task")
    heldout = benchmark_of(constraints=LIMITS).heldout
    parts = {"calm": (0.95, 260), "chatty": (0.65, 40)}
    tuned = tuned_in(evaluation_of("lora", (*scores_of(247, 260), *scores_of(26, 40)), seconds=0.9), parts)
    return Bakeoff(
        evaluations=(
            steady(evaluation_of("linear head", scores_of(249, 300), seconds=0.03)),
            dataclasses.replace(
                tuned,
                agreements=(edits(80, 8, 12),),
                forgetting=forgot(1.21, 0.04),
                failures={"refused": 5},
                planted=(Planted(place="request", cases=50, followed=7),),
            ),
            steady(evaluation_of("prompting", scores_of(285, 300, 5), model="big-one", tokens=(400, 5), seconds=0.5)),
        ),
        benchmark=dataclasses.replace(
            benchmark_of(constraints=LIMITS),
            heldout=tuple(
                dataclasses.replace(case, slices={"persona": "calm" if place < 260 else "chatty"})
                for place, case in enumerate(heldout)
            ),
            slices=("persona",),
        ),
        prices=MachinePrices(machine_hour=2.1, tokens={"big-one": price}),
        extras=Extras(label_price=(0.02, "USD")),
    )


LIMITS = Constraints(
    cost_per_month=5.0,
    p95_latency_s=1.0,
    slice_at_least=0.7,
    perplexity_ratio=1.2,
    same_at_least=0.9,
    valid_at_least=0.99,
    planted_at_most=0.1,
)


def steady(found: Evaluation) -> Evaluation:
    """Measured for all limits, and far from breaking those on its answers."""
    planted = Planted(place="request", cases=50, followed=1)
    return dataclasses.replace(found, agreements=(edits(90, 8, 2),), planted=(planted,))


def tuned_in(found: Evaluation, parts: Mapping[str, tuple[float, int]]) -> Evaluation:
    """With its figures in parts of the cases, and four of fifty requests that took longer than a second."""
    latency = found.latency and dataclasses.replace(found.latency, p95_s=1.3, seconds=(*[0.8] * 46, *[1.3] * 4))
    return dataclasses.replace(found, latency=latency, by_slice={"persona": parts})


@situation
def a_limit_that_was_not_measured() -> Bakeoff:
    """It meets by its answers, and nobody planted anything; the cheaper one misses, and the dearest is measured for all."""
    return Bakeoff(
        evaluations=(
            evaluation_of("linear head", scores_of(180, 300), seconds=0.03),
            evaluation_of("prompting", scores_of(285, 300, 5), seconds=0.2),
            steady(evaluation_of("retrieval", scores_of(284, 300, 9), seconds=0.4)),
        ),
        benchmark=benchmark_of(constraints=Constraints(planted_at_most=0.1)),
    )


# ---------------------------------------------------------------- as text


def as_text(told: Verdict) -> str:
    """What a reader sees of a story, without any layout: what the golden files hold."""
    story = told.story
    parts = [story.title, story.headline, story.confidence, f"verdict: {story.verdict}; choice: {story.choice}"]
    if titles := [figure.title for figure in figures(story)]:
        parts.append("\n".join(["figures:", *(f"- {title}" for title in titles)]))
    for title, lines in _lists(story).items():
        parts.append("\n".join([f"{title}:", *(f"- {line}" for line in lines)]))
    parts += map(
        table_text,
        (
            story.main,
            story.targets,
            story.examples,
            story.mistakes,
            *([story.all_mistakes] if story.all_mistakes.rows else []),
            story.costs,
            *(each for each in (story.bands, story.pairs) if each.rows),
            *([story.slices] if story.slices.rows else []),
            *(each for each in (story.probed, story.probed_further) if each.rows),
            story.consistency,
            *(
                each
                for each in (story.rebuilds, story.changed, story.altered, story.handover, story.grounding)
                if each.rows
            ),
            *(
                each
                for each in (story.coverage, story.leaks, story.planted, story.forgetting, story.by_heart)
                if each.rows
            ),
            story.differences,
            story.tuning,
            *([story.tried] if story.tried.rows else []),
        ),
    )
    return "\n\n".join(parts) + "\n"


def figures(story: Story) -> list[LineChart | Forest | WinnerMap]:
    """Those that the story has, in the order of the page."""
    found = (story.volumes, story.winners, story.learning, story.apart, story.stable, story.searched)
    return [figure for figure in found if figure is not None]


def _lists(story: Story) -> dict[str, tuple[str, ...]]:
    return {
        "reasons": story.reasons,
        "a month": story.a_month,
        "would change": story.would_change,
        "next steps": story.next_steps,
        "data": story.data,
        "risks": story.risks,
        "method": story.method,
    }


def table_text(table: Table) -> str:
    rows = [" | ".join(row) + (" <" if index in table.emphasis else "") for index, row in enumerate(table.rows)]
    return "\n".join([f"[{table.title}]", " | ".join(table.columns), *rows, table.note])


GOLDEN = Path(__file__).parent / "golden" / "story"
"""One file a situation; `python -m tests.situations` writes them anew, to be read before they are committed."""

if __name__ == "__main__":
    GOLDEN.mkdir(parents=True, exist_ok=True)
    for name, build in SITUATIONS.items():
        (GOLDEN / f"{name}.txt").write_text(as_text(build().told()), encoding="utf-8")
