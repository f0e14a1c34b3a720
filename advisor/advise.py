"""From a task to a verdict, and from a stored run to a verdict: what the command line and the Python API share."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from advisor.contract import ExampleAnswers, Verdict
from benchmarks.contract import BadInput, Benchmark, Candidate, Evaluation
from benchmarks.plan import Options

if TYPE_CHECKING:
    from benchmarks.assemble import Assembly
    from benchmarks.models import Models
    from benchmarks.run import Events, Run
    from benchmarks.spec import Spec
    from benchmarks.store import Store

EFFORTS: Mapping[str, int] = {"quick": 60_000, "standard": 240_000, "thorough": 1_000_000}
"""Tuning budget of each approach in model tokens."""
SHOWN_CASES = 12
CaseChoice = Literal["none", "wrong", "all"]


@dataclass(frozen=True, kw_only=True)
class Wishes:
    """What a person may say beside the spec. None: as the spec or the file has it."""

    examples: int | None = None
    heldout: int | None = None
    target: float | None = None
    effort: str = "standard"
    seed: int = 0
    approaches: tuple[str, ...] = ()
    """Names of candidates; empty: all of them."""
    models: tuple[str, ...] = ()
    second_seed: bool = True
    probes: bool = True
    dtype: str | None = None
    accept_terms: bool = False
    allow_code: bool = False


@dataclass(kw_only=True)
class Prepared:
    """A run that is ready to start: everything was read and checked, nothing was spent."""

    assembly: Assembly
    models: Models
    candidates: Sequence[Candidate]
    options: Options
    origin: str = ""
    prediction: Mapping[str, Any] = field(default_factory=dict)

    def run(self, folder: Path, events: Events | None = None) -> Run:
        from benchmarks.run import Run, Silent

        return Run(
            benchmark=self.assembly.benchmark,
            candidates=self.candidates,
            models=self.models,
            options=self.options,
            folder=folder,
            events=events or Silent(),
        )


def prepare(task: str | Path, wishes: Wishes | None = None) -> Prepared:
    """Reads a task.yaml or a named task and plans its candidates. Raises `BadInput`."""
    from benchmarks import tasks
    from benchmarks.assemble import Limits, assemble, load
    from benchmarks.models import Models
    from benchmarks.spec import read_spec

    wishes = wishes or Wishes()
    named = None if Path(task).exists() else tasks.find(str(task))
    if named is None and not Path(task).exists():
        raise BadInput(
            f"{task} is neither a file nor a known task. Give the path of a task.yaml, or one of {', '.join(tasks.names())}."
        )
    spec, folder = named.open() if named is not None else read_spec(Path(task))
    spec = _with_models(spec, wishes.models)
    assembly = assemble(
        spec,
        data=load(spec, folder),
        limits=Limits(examples=wishes.examples, heldout=wishes.heldout, target=wishes.target),
        seed=wishes.seed,
        allow_code=wishes.allow_code,
    )
    models = Models(
        spec.models,
        data_stays_here=spec.constraints.data_stays_here,
        accept_terms=wishes.accept_terms,
        dtype=wishes.dtype,
    )
    options = Options(
        seed=wishes.seed, tuning_tokens=EFFORTS[wishes.effort], probes=wishes.probes, second_seed=wishes.second_seed
    )
    return Prepared(
        assembly=assembly,
        models=models,
        candidates=_candidates(assembly, folder, models, wishes.approaches),
        options=options,
        origin=named.origin if named is not None else "",
        prediction=_prediction(folder),
    )


def _with_models(spec: Spec, names: Sequence[str]) -> Spec:
    if not names:
        return spec
    from benchmarks.spec import ModelSpec

    known = {model.name: model for model in spec.models}
    return spec.model_copy(update={"models": tuple(known.get(name, ModelSpec(name=name)) for name in names)})


def _candidates(assembly: Assembly, folder: Path, models: Models, wanted: Sequence[str]) -> list[Candidate]:
    from benchmarks.plan import candidates
    from benchmarks.recorded import read_recorded
    from strategies.catalog import approaches

    strategies = list(approaches())
    if assembly.spec.recorded:
        strategies += read_recorded(folder / assembly.spec.recorded)
    found = candidates(strategies, models.names)
    if not wanted:
        return found
    names = [candidate.name for candidate in found]
    for name in wanted:
        if name not in names:
            raise BadInput(f"there is no approach {name!r}; there are {', '.join(names)}.")
    return [candidate for candidate in found if candidate.name in wanted]


def _prediction(folder: Path) -> Mapping[str, Any]:
    """What was predicted before the first run, where a bundled task says so."""
    path = folder / "prediction.yaml"
    if not path.is_file():
        return {}
    import yaml

    values = yaml.safe_load(path.read_text(encoding="utf-8"))
    return values if isinstance(values, dict) else {}


# ---------------------------------------------------------------- running and telling


def advise(
    task: str | Path, *, out: Path | str | None = None, wishes: Wishes | None = None, events: Events | None = None
) -> Verdict:
    """Runs the whole comparison and returns the verdict. Without `out` the run lies in a folder of its own under `runs`.

    Interrupted, the same call with the same `out` goes on where it stopped. Raises `benchmarks.contract.BadInput` for
    everything that a person can correct.
    """
    prepared = prepare(task, wishes)
    folder = Path(out) if out is not None else Path("runs") / prepared.assembly.benchmark.task.name
    return execute(prepared, folder, events)


def execute(prepared: Prepared, folder: Path, events: Events | None = None) -> Verdict:
    """Performs what is left to do in the run folder, and tells what came out."""
    from benchmarks.frozen import freeze

    run = prepared.run(folder, events)
    folder.mkdir(parents=True, exist_ok=True)
    about = {
        "benchmark": freeze(prepared.assembly.benchmark),
        "spec": prepared.assembly.spec.model_dump(mode="json", by_alias=True),
        "parts": dict(prepared.assembly.parts.to_dict()),
        "candidates": [about_candidate(candidate) for candidate in prepared.candidates],
        "options": vars(prepared.options) | {},
        "origin": prepared.origin,
        "prediction": dict(prepared.prediction),
        "heldout_from": "a file of their own"
        if prepared.assembly.spec.heldout
        else "the examples, cut off before the run",
    }
    path = folder / "run.json"
    if not path.exists():
        path.write_text(json.dumps(about, ensure_ascii=False, indent=1, default=str), encoding="utf-8")
    run.execute()
    return reopen(folder)


def about_candidate(candidate: Candidate) -> dict[str, Any]:
    strategy = candidate.strategy
    return {
        "name": candidate.name,
        "approach": strategy.name,
        "family": strategy.family,
        "model": candidate.model,
        "simplicity": strategy.simplicity,
    }


def reopen(folder: Path, *, cases: CaseChoice = "none", rescore: bool = False, allow_code: bool = False) -> Verdict:
    """The verdict of a stored run, made again from its rows without any model. Raises `BadInput`."""
    from benchmarks.frozen import thaw
    from benchmarks.store import Store
    from benchmarks.stored import evaluations, rescored

    about, path = _about(folder), folder / "run.sqlite"
    benchmark = thaw(about["benchmark"], allow_code)
    store = Store(path)
    try:
        if rescore:
            rescored(benchmark, store)
        return _verdict(about, benchmark, (evaluations(benchmark, about["candidates"], store), store), cases)
    finally:
        store.close()


def _about(folder: Path) -> dict[str, Any]:
    for name in ("run.json", "run.sqlite"):
        if not (folder / name).is_file():
            raise BadInput(f"{folder} holds no run: {name} is missing. Give the folder that `advisor run --out` wrote.")
    try:
        about = json.loads((folder / "run.json").read_text(encoding="utf-8"))
    except ValueError as error:
        raise BadInput(
            f"{folder / 'run.json'} cannot be read as JSON ({error}). Run again into a new folder."
        ) from None
    if not isinstance(about, dict) or "benchmark" not in about:
        raise BadInput(f"{folder / 'run.json'} does not describe a run. Run again into a new folder.")
    return about


def _verdict(
    about: Mapping[str, Any], benchmark: Benchmark, measured: tuple[Sequence[Evaluation], Store], cases: CaseChoice
) -> Verdict:
    from advisor.decide import recommend
    from advisor.economics import costs
    from advisor.story import Extras, tell
    from benchmarks.prices import machine_prices
    from benchmarks.spec import parse_spec

    found, store = measured
    prices = machine_prices(parse_spec(_stated(about["spec"])))
    bills = [costs(evaluation, benchmark, prices) for evaluation in found]
    recommendation = recommend(found, bills, benchmark)
    provenance = store.meta("provenance") or {}
    prediction = about.get("prediction", {})
    extras = Extras(
        provenance=provenance,
        machine=str(provenance.get("placement", "")),
        heldout_from=str(about.get("heldout_from", "")),
        seed=int(about.get("options", {}).get("seed", 0)),
        trials={evaluation.candidate: store.trials(evaluation.candidate) for evaluation in found},
        disagreements=() if cases == "none" else disagreements(benchmark, found, store, cases),
        predicted_order=tuple(prediction.get("ranking", ())),
        predicted_outcome=str(prediction.get("outcome", "")),
        recorded=bool(about.get("recorded", False)),
    )
    story = tell(recommendation, found, bills, benchmark, extras)
    return Verdict(recommendation=recommendation, evaluations=tuple(found), costs=tuple(bills), story=story)


def _stated(spec: Mapping[str, Any]) -> dict[str, Any]:
    """The stored spec without keys that were empty."""
    return {key: value for key, value in spec.items() if value not in (None, {}, [])}


def disagreements(
    benchmark: Benchmark, found: Sequence[Evaluation], store: Store, cases: CaseChoice
) -> tuple[ExampleAnswers, ...]:
    """Selection cases on which the approaches differ; with `all` also those on which they agree. Never held-out ones."""
    answers: dict[str, dict[str, tuple[str, bool]]] = {}
    notes = store.notes("fit")
    for evaluation in found:
        for name, text, score in notes.get(evaluation.candidate, {}).get("selection_answers", ()):
            answers.setdefault(name, {})[evaluation.candidate] = (text, score >= 0.999)
    known = {case.id: case for case in benchmark.task.examples}
    several = [name for name, row in answers.items() if len(row) > 1 and name in known]
    if cases == "wrong":
        several = [name for name in several if len({right for _, right in answers[name].values()}) > 1]
    order = sorted(several, key=lambda name: (-len(answers[name]), name))
    return tuple(
        ExampleAnswers(input=known[name].input, wanted=known[name].output, answers=answers[name])
        for name in order[: SHOWN_CASES if cases == "wrong" else None]
    )
