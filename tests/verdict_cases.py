"""Small bake-offs built by hand, from which the tests of deciding and telling start."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from advisor.contract import Recommendation, Verdict
from advisor.experiments.afterwards import Judged, VerdictInputs, judged
from advisor.story.tell import Extras, tell
from benchmarks.checked import Agreement, Latency
from benchmarks.contract import Answered, Benchmark, Constraints, Evaluation, Metric, State
from benchmarks.costs.prices import MachinePrices
from benchmarks.learning import Curve
from benchmarks.statistics.confidence import shown_interval
from strategies.contract import Case, Document, Fold, Kind, Outcome, Task, Usage

FINGERPRINT = "0123456789abcdef" * 4
FAMILIES = {
    "majority": ("reference", 0),
    "copy nearest": ("reference", 5),
    "linear head": ("reference", 10),
    "prompting": ("prompting", 20),
    "prompting (cheapest)": ("prompting", 20),
    "retrieval": ("retrieval", 30),
    "lora": ("finetuning", 40),
    "lora + retrieval": ("combined", 50),
    "recorded": ("recorded", 15),
}


@dataclass(frozen=True, kw_only=True)
class PlainMetric:
    """A metric that only says what it is: the evaluations here carry their scores."""

    name: str = "accuracy"
    graded: bool = False
    over_rows: bool = False
    kinds: frozenset[Kind] = frozenset({"classification"})

    def score(self, case: Case, text: str) -> float:
        return float(text in case.accepted)

    def summarise(self, rows: Sequence[Answered]) -> float:
        return sum(row.score for row in rows) / len(rows)


def exact(case: Case, outcome: Outcome) -> float:
    return float(getattr(outcome, "text", None) in case.accepted)


def task_of(
    *,
    kind: Kind = "classification",
    labels: int = 4,
    examples: int = 300,
    documents: Sequence[str] = (),
    answers: Sequence[str] = ("refund", "cancel", "login", "invoice"),
    temperature: float = 0.0,
) -> Task:
    cases = [Case(id=f"e{i:03}", input=f"message {i}", output=answers[i % len(answers)]) for i in range(examples)]
    cut = examples * 4 // 5
    return Task(
        name="inbox",
        kind=kind,
        instruction="Name what the customer wants.",
        folds=(Fold(train=tuple(cases[:cut]), selection=tuple(cases[cut:])),),
        score=exact,
        labels=tuple(answers[i] if i < len(answers) else f"label {i}" for i in range(labels))
        if kind == "classification"
        else (),
        documents=tuple(Document(id=f"d{i}", text=text) for i, text in enumerate(documents)),
        temperature=temperature,
    )


def benchmark_of(
    *,
    cases: int = 300,
    target: float | None = 0.8,
    task: Task | None = None,
    metric: Metric | None = None,
    constraints: Constraints | None = None,
    groups: Sequence[str] = (),
    volume: int = 10_000,
) -> Benchmark:
    heldout = [
        Case(id=f"h{i:03}", input=f"held-out {i}", output="refund", group=groups[i] if groups else "")
        for i in range(cases)
    ]
    return Benchmark(
        task=task or task_of(),
        heldout=tuple(heldout),
        metric=metric or PlainMetric(),
        target=target,
        constraints=constraints or Constraints(),
        volume=volume,
        fingerprint=FINGERPRINT,
    )


def scores_of(right: int, cases: int, shift: int = 0) -> tuple[float, ...]:
    """`right` ones among `cases`, the zeros spread evenly and moved by `shift`, so that candidates differ in cases."""
    wrong = cases - right
    zeros = {(shift + index * cases // wrong) % cases for index in range(wrong)} if wrong else set()
    return tuple(float(index not in zeros) for index in range(cases))


def evaluation_of(
    name: str,
    scores: Sequence[float] = (),
    *,
    seconds: float = 0.1,
    tokens: tuple[int, int] = (0, 0),
    model: str = "",
    groups: Sequence[str] = (),
    p95: float | None = None,
    over_rows: tuple[float, Sequence[float]] | None = None,
    fitting: Sequence[Usage] = (),
    state: State | None = None,
    problem: str = "",
    failures: Mapping[str, int] | None = None,
    agreements: Sequence[Agreement] = (),
    rising: bool = False,
    chosen: Mapping[str, Any] | None = None,
    curve: Curve | None = None,
) -> Evaluation:
    """`seconds` and `tokens` (prompt, answer) are those of one answer."""
    family, simplicity = FAMILIES[name]
    cases = len(scores)
    figure = over_rows[0] if over_rows else sum(scores) / cases if cases else float("nan")
    lower, upper = shown_interval(scores, list(groups) or None) if cases else (float("nan"), float("nan"))
    return Evaluation(
        candidate=name,
        approach=name,
        chosen=chosen or {},
        curve=curve,
        family=family,
        model=model,
        simplicity=simplicity,
        fingerprint=FINGERPRINT,
        keys=tuple(f"k{i}" for i in range(cases)),
        scores=tuple(scores),
        groups=tuple(groups) or ("",) * cases,
        figure=figure,
        lower=lower,
        upper=upper,
        over_rows=over_rows is not None,
        resampled=tuple(sorted(over_rows[1])) if over_rows else (),
        failures=failures or {},
        fitting=tuple(fitting),
        answering=Usage(
            model=model,
            step="answering",
            prompt_tokens=tokens[0] * cases,
            answer_tokens=tokens[1] * cases,
            seconds=seconds * cases,
            calls=cases,
        )
        if cases
        else None,
        latency=Latency(
            p50_s=seconds,
            p95_s=p95 or 1.5 * seconds,
            requests=50,
            throughput_per_s=2 / seconds,
            seconds=(*[min(seconds, p95 or seconds)] * 40, *[p95 or 1.5 * seconds] * 10),
        )
        if cases
        else None,
        agreements=tuple(agreements),
        trials=6 if family != "reference" and cases else 0,
        selection_score=figure if cases else None,
        rising=rising,
        state=state,
        problem=problem,
    )


@dataclass(frozen=True, kw_only=True)
class Bakeoff:
    evaluations: tuple[Evaluation, ...]
    benchmark: Benchmark
    prices: MachinePrices = field(default_factory=MachinePrices)
    extras: Extras = field(default_factory=Extras)

    fixed: VerdictInputs | None = None
    """What was asked before the run, where that was something else."""

    def judged(self) -> Judged:
        return judged(self.evaluations, VerdictInputs(benchmark=self.benchmark, prices=self.prices), self.fixed)

    def recommended(self) -> Recommendation:
        return self.judged().recommendation

    def told(self) -> Verdict:
        found = self.judged()
        extras = replace(self.extras, changed=found.changed, prices=self.prices)
        story = tell(found.recommendation, self.evaluations, found.costs, found.benchmark, extras)
        return Verdict(
            recommendation=found.recommendation, evaluations=self.evaluations, costs=found.costs, story=story
        )
