"""From a stored run to a verdict, without any model: as it was, or with another goal, volume, horizon or price."""

from __future__ import annotations

import json
import os
import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, get_args

from advisor.contract import Verdict
from advisor.decision.bounds import without_walk
from advisor.experiments.example import check_not_meant
from advisor.experiments.wished import plain
from advisor.story.cases import CaseChoice, shown_cases
from advisor.story.full_cases import HELDOUT, full_cases
from benchmarks.contract import BadInput, Benchmark, Evaluation

if TYPE_CHECKING:
    from advisor.experiments.afterwards import VerdictInputs
    from benchmarks.costs.prices import Listed, MachinePrices
    from benchmarks.specs.spec import Spec
    from benchmarks.storage.store import Store
    from strategies.contract import Case

OTHER_SCORES = (
    "The answers were scored anew after the run. What each approach chose for itself was chosen by the scores as they were, "
    "and what was tried is told with those; all other figures are of the new ones."
)


@dataclass(frozen=True, kw_only=True)
class Changes:
    """What a stored run is told with instead of what its task says. None: as it was."""

    target: float | None = None
    """Another one than before the run makes the verdict exploratory: its bounds hold for every target at once."""
    margin: float | None = None
    """In place of a target; the same holds."""
    volume: int | None = None
    horizon_months: int | None = None
    machine_hour: float | None = None
    prices: Mapping[str, Any] | None = None
    """What a prices.yaml says (`spec_prices.read_prices`), key by key on top of the prices of the task."""

    @classmethod
    def names(cls) -> tuple[str, ...]:
        return tuple(each.name for each in fields(cls))

    def applied(
        self, benchmark: Benchmark, spec: Mapping[str, Any], listed: Listed | None = None
    ) -> tuple[Benchmark, dict[str, Any]]:
        """Benchmark and spec with the changes, checked as in a task file; `listed` are the list prices of the run. Raises
        `BadInput`."""
        from benchmarks.specs.repriced import repriced
        from benchmarks.specs.spec import parse_spec

        if benchmark.sequential and self.margin is not None:
            raise BadInput(
                "--margin compares approaches case by case, and in this run each was asked only until it was decided "
                "(--stop-when-decided). Give --target, or run once more without it."
            )
        stated = {name: plain(value) for name, value in vars(self).items() if value is not None}
        for name, other in (("target", "margin"), ("margin", "target")):
            if name in stated:
                spec = {key: value for key, value in spec.items() if key != other}
        hour, other = stated.pop("machine_hour", None), stated.pop("prices", None)
        if hour is not None or other is not None:
            spec = repriced(_stated(spec), other or {}, listed)
            own = {} if hour is None else {"machine_hour": hour, "source": "", "date": None}
            stated["prices"] = {**spec["prices"], **own}
        changed = {**spec, **stated}
        asked = parse_spec(_stated(changed), name="what was asked for")
        kept = self.target is None and self.margin is None
        goal = (benchmark.target, benchmark.margin) if kept else (asked.target, asked.margin)
        return replace(
            benchmark,
            target=goal[0],
            margin=goal[1],
            procedure=without_walk(benchmark, goal[0]),
            exploratory=benchmark.exploratory or goal != (benchmark.target, benchmark.margin),
            volume=asked.volume,
            horizon_months=asked.horizon_months,
        ), changed


def reopen(
    folder: Path | str,
    *,
    cases: CaseChoice = "none",
    rescore: bool = False,
    allow_code: bool = False,
    changes: Changes | None = None,
) -> Verdict:
    """The verdict of a stored run, made again from its rows without any model. Raises `BadInput`."""
    from benchmarks.data.frozen import thaw

    folder = Path(folder)
    if cases not in get_args(CaseChoice):
        raise BadInput(f"cases is {cases!r}; it is one of {', '.join(get_args(CaseChoice))}.")
    changes = changes or Changes()
    if not isinstance(changes.prices, Mapping | None):
        raise BadInput(
            f"prices is {changes.prices!r}; it is what a prices.yaml says, such as {{'machine_hour': 0.4}}. A file is read with "
            "benchmarks.specs.spec_prices.read_prices(path, partly=True)."
        )
    about = about_run(folder)
    with reading(folder):
        known = thaw(about["benchmark"], folder, allow_code)
        benchmark, spec = changes.applied(known, about["spec"], listed_in(about))
        return told(folder, {**about, "spec": spec, "fixed": about["spec"]}, benchmark, cases, rescore)


def told(
    folder: Path, about: Mapping[str, Any], benchmark: Benchmark, cases: CaseChoice, rescore: bool = False
) -> Verdict:
    """The verdict from the rows in the folder; `about` is what run.json says. Held-out cases that it shows are marked."""
    from benchmarks.evaluation.noted_scores import chosen_by_others
    from benchmarks.evaluation.stored import evaluations, rescored
    from benchmarks.storage.store import Store

    with closing(Store(folder / "run.sqlite")) as store:
        if rescore:
            rescored(benchmark, store)
        if chosen_by_others(store):
            benchmark = replace(benchmark, notes=(*benchmark.notes, OTHER_SCORES))
        verdict = _verdict(about, benchmark, (evaluations(benchmark, about["candidates"], store), store), cases)
    if names := {case["id"] for case in verdict.cases if case["part"] == HELDOUT}:
        mark_shown(folder, about, [case for case in benchmark.heldout if case.id in names])
    return verdict


def mark_shown(folder: Path, about: Mapping[str, Any], heldout: Sequence[Case]) -> None:
    """Writes down that these cases were shown; of tasks by name, which people try things out on, nothing is."""
    from benchmarks.statistics.looks import write_down_shown

    if not about.get("origin") and not about.get("recorded"):
        write_down_shown(heldout, str(about["benchmark"]["fingerprint"]), folder)


@contextmanager
def reading(folder: Path) -> Iterator[None]:
    """Around what reads a run or an export: raises `BadInput` where it is damaged. With ADVISOR_TRACEBACK all comes out."""
    from benchmarks.storage.disk import disk_fault

    try:
        yield
    except (
        LookupError,
        TypeError,
        ValueError,
        ArithmeticError,
        AttributeError,
        RuntimeError,
        sqlite3.Error,
    ) as error:
        if disk_fault(error) or os.environ.get("ADVISOR_TRACEBACK"):
            raise
        said = f"{type(error).__name__}: {error}"[:120]
        raise BadInput(
            f"{folder.name} is damaged, or something else changed it ({said}). Run or export again into a new folder. Where "
            "nothing touched it, this is a fault of the program: ADVISOR_TRACEBACK=1 shows where."
        ) from error


def write_answers(folder: Path, path: Path) -> int:
    """Writes every stored answer of the run as one table, CSV or Parquet, and returns how many: the held-out cases are
    shown by that. Raises `BadInput`."""
    from benchmarks.data.frozen import thawed_cases
    from benchmarks.evaluation import answers_table
    from benchmarks.storage.store import Store

    about = about_run(folder)
    with closing(Store(folder / "run.sqlite")) as store, reading(folder):
        heldout = thawed_cases(about["benchmark"]["heldout"])
        written = answers_table.write_answers(heldout, store, path)
    mark_shown(folder, about, heldout)
    return written


def about_run(folder: Path) -> dict[str, Any]:
    """What run.json says. Raises `BadInput` where the folder holds no run."""
    check_not_meant(folder)
    for name in ("run.json", "run.sqlite"):
        if not (folder / name).is_file():
            raise BadInput(f"{folder} holds no run: {name} is missing. Give the folder that `advisor run --out` wrote.")
    try:
        about = json.loads((folder / "run.json").read_text(encoding="utf-8"))
    except (ValueError, RecursionError) as error:
        raise BadInput(
            f"{folder / 'run.json'} cannot be read as JSON ({error}). Run again into a new folder."
        ) from None
    if not isinstance(about, dict) or "benchmark" not in about:
        raise BadInput(f"{folder / 'run.json'} does not describe a run. Run again into a new folder.")
    return about


def _verdict(
    about: Mapping[str, Any], benchmark: Benchmark, measured: tuple[Sequence[Evaluation], Store], cases: CaseChoice
) -> Verdict:
    from advisor.decision.what_if import what_if
    from advisor.experiments.afterwards import VerdictInputs, judged
    from advisor.experiments.checking import said_left_out, why_left_out
    from advisor.story.tell import Extras, tell
    from benchmarks.costs.kept_prices import changes_within
    from benchmarks.costs.price_table import endings
    from benchmarks.data.population import EXAMPLES, POPULATION, TIME, Apart
    from benchmarks.evaluation.judging import judged as judged_by
    from benchmarks.evaluation.mistakes import mistakes
    from benchmarks.evaluation.stored import handed_over, selection_answers
    from benchmarks.evaluation.taken import taken
    from strategies.catalog import described

    found, store = measured
    spec = parsed_spec(about["spec"])
    prices = _prices(spec, about)
    answer = judged(found, VerdictInputs(benchmark=benchmark, prices=prices), _as_fixed(benchmark, about))
    benchmark, recommendation = answer.benchmark, answer.recommendation
    answers = selection_answers(found, store)
    about_it = recommendation.choice or recommendation.safe or recommendation.best or ""
    families = {evaluation.candidate: evaluation.family for evaluation in found}
    of_examples = [evaluation.candidate for evaluation in found if evaluation.of_examples]
    wrong = mistakes(benchmark, answers, families, handed_over(store), of_examples)
    provenance = (store.meta("provenance") or {}) | about.get("lineage", {})
    prediction = about.get("prediction", {})
    extras = Extras(
        provenance=provenance,
        machine=str(provenance.get("placement", "")),
        heldout_from=str(about.get("heldout_from", "")),
        seed=int(about.get("options", {}).get("seed", 0)),
        described=described(),
        trials={evaluation.candidate: store.trials(evaluation.candidate) for evaluation in found},
        cases=shown_cases(benchmark, found, (answers, store), cases, about_it),
        predicted_order=tuple(prediction.get("ranking", ())),
        predicted_outcome=str(prediction.get("outcome", "")),
        predicted_target=target if isinstance(target := prediction.get("target"), int | float) else None,
        predicted_why=str(prediction.get("why", "")),
        recorded=bool(about.get("recorded", False)),
        by_name=bool(about.get("origin")),
        population=Apart(**found_apart) if (found_apart := store.meta(POPULATION)) else None,
        alike={key: Apart(**each) for key in (EXAMPLES, TIME) if (each := store.meta(key))},
        mistakes=wrong.get(about_it),
        all_mistakes=wrong,
        what_if=what_if(found, benchmark, prices, recommendation),
        endings=endings(spec.models),
        list_prices=changes_within(prices.tokens, benchmark.horizon_months),
        changed=answer.changed,
        judge=judged_by(benchmark, [each.candidate for each in found], store),
        left_out=why_left_out(said_left_out(about)),
        taken=taken(store, [each.candidate for each in found if each.family == "recorded"]),
        prices=prices,
        label_price=(prices.upkeep.label_price, prices.currency) if prices.upkeep.label_price else None,
    )
    story = tell(recommendation, found, answer.costs, benchmark, extras)
    return Verdict(
        recommendation=recommendation,
        evaluations=tuple(found),
        costs=answer.costs,
        story=story,
        cases=full_cases(benchmark, found, (answers, store), cases, about_it),
    )


def _as_fixed(benchmark: Benchmark, about: Mapping[str, Any]) -> VerdictInputs | None:
    """What was asked before the run, as the task had goal, prices, volume and horizon then; None where these are as they were."""
    from advisor.experiments.afterwards import VerdictInputs

    fixed, then = about.get("fixed", about["spec"]), about["benchmark"]
    if fixed == about["spec"]:
        return None
    spec = parsed_spec(fixed)
    before = replace(
        benchmark,
        target=then["target"],
        margin=then.get("margin"),
        procedure=then.get("procedure", "holm"),
        exploratory=False,
        volume=spec.volume,
        horizon_months=spec.horizon_months,
    )
    return VerdictInputs(benchmark=before, prices=_prices(spec, about))


def _prices(spec: Spec, about: Mapping[str, Any]) -> MachinePrices:
    """What the spec states, else the list prices of the day on which the run began."""
    from benchmarks.costs.prices import machine_prices

    return machine_prices(spec, listed=listed_in(about))


def listed_in(about: Mapping[str, Any]) -> Listed | None:
    """The list prices of the day on which it began; none for runs that kept none: they are told with those of today."""
    from benchmarks.costs.kept_prices import thaw_prices

    return thaw_prices(about["list_prices"]) if "list_prices" in about else None


def parsed_spec(spec: Mapping[str, Any]) -> Spec:
    """As run.json has it. Raises `BadInput`."""
    from benchmarks.specs.spec import parse_spec

    return parse_spec(_stated(spec))


def _stated(spec: Mapping[str, Any]) -> dict[str, Any]:
    """The stored spec without keys that were empty."""
    empty = {key for key, value in spec.items() if value is None or (isinstance(value, dict | list) and not value)}
    return {key: value for key, value in spec.items() if key not in empty}
