"""The way from a spec to a benchmark: load, infer, audit, split, freeze."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from benchmarks import metrics
from benchmarks.audit.document_quality import questions_in
from benchmarks.audit.file_findings import audit
from benchmarks.audit.findings import Finding, gravest_first
from benchmarks.audit.schema_findings import schema_findings
from benchmarks.audit.side_findings import Answers, few_groups, side_findings
from benchmarks.audit.summary import Summary, summarise
from benchmarks.audit.text_quality import labels_unwritten
from benchmarks.contract import BadInput, Benchmark, Look, Metric, Procedure
from benchmarks.costs.price_table import endings
from benchmarks.data.escapes import written_out
from benchmarks.data.fingerprint import fingerprint
from benchmarks.data.load import Cases, read_cases, read_documents, read_inputs
from benchmarks.data.population import in_time
from benchmarks.data.remote import files_of
from benchmarks.data.sides import Sides, cut_sides, given_sides
from benchmarks.data.split import NothingToHoldOut, Parts, cut_folds, written_down
from benchmarks.data.unlabelled import for_the_teacher
from benchmarks.metrics.f1_of_label import F1OfLabel
from benchmarks.metrics.numeric_tolerance import NumericTolerance
from benchmarks.review.lineage import Lineage, read_lineage
from benchmarks.running.plan import rivals
from benchmarks.scored import MetricScore
from benchmarks.specs.infer import (
    DEFAULT_METRICS,
    check_labels,
    check_objects,
    check_pattern,
    imbalance_note,
    infer_kind,
    infer_labels,
)
from benchmarks.specs.spec import Spec, must_be_of_questions, read_spec
from benchmarks.specs.spec_values import points, share
from benchmarks.statistics.decidable import Closeness, Decidable, OverRows, Sharing, foretold
from benchmarks.statistics.looks import look_at
from benchmarks.statistics.sequential import in_asking_order
from strategies.contract import Case, Document, Kind, Task


@dataclass(frozen=True, kw_only=True)
class Loaded:
    """The data of a task as read. `heldout` None: it is cut from the examples."""

    examples: tuple[Case, ...]
    heldout: tuple[Case, ...] | None = None
    documents: tuple[Document, ...] = ()
    unlabelled: tuple[str, ...] = ()
    """Inputs for the teacher, where the spec names one."""
    notes: tuple[str, ...] = ()
    findings: tuple[Finding, ...] = ()
    """What is odd about the files themselves."""
    group: str = ""
    """The column whose values group the rows that are, or become, held-out cases; empty where there is none."""
    folder: Path = Path()
    """Where it was read from; a person's own metric lies there too."""


@dataclass(frozen=True, kw_only=True)
class Limits:
    """What a person sets beside the spec: seeded samples of that many cases, another target or margin. None: as it is."""

    examples: int | None = None
    heldout: int | None = None
    target: float | None = None
    margin: float | None = None
    stop_when_decided: bool = False
    """The held-out cases are put into a random order, in which they are asked until a candidate is decided."""

    def unmet(self, examples: int, heldout: int) -> tuple[str, ...]:
        """A sentence for each part with fewer cases than were asked for."""
        parts = (("examples", self.examples, examples), ("held-out cases", self.heldout, heldout))
        return tuple(
            f"{name}: {n:,} were asked for, and there are only {has:,}." for name, n, has in parts if n and n > has
        )


@dataclass(frozen=True, kw_only=True)
class Assembly:
    """A benchmark with what was found on the way to it."""

    benchmark: Benchmark
    spec: Spec
    """With kind and labels filled in."""
    folder: Path
    inferred: tuple[str, ...]
    """One sentence for each thing that the spec or the files left open."""
    findings: tuple[Finding, ...]
    summary: Summary
    parts: Parts
    labels_given: bool = False
    """Whether the spec names the labels; else they were taken from the examples."""
    decidable: Decidable | Closeness | OverRows | None = None
    """None with neither target nor margin."""
    ceiling: tuple[float, float] | None = None
    """What an approach would score that is always right, by labels of which some are wrong (`Lineage.ceiling`); None: unknown."""

    def at(self, look: Look, candidates: int = 0) -> Assembly:
        """The same as that look at the held-out cases, with what it can decide among so many (0: all that suit the task)."""
        benchmark, known = self.benchmark, self.decidable
        among = candidates or rivals(benchmark.task, len(self.spec.models))
        asked = foretold(benchmark, benchmark.independent, _sharing(self.spec, among, look))
        notes = [note for note in benchmark.notes if known is None or note != known.says]
        notes += [asked.says] if asked else []
        return replace(self, benchmark=replace(benchmark, look=look, notes=tuple(notes)), decidable=asked)


def assemble(
    source: Path | str | Spec,
    *,
    data: Loaded | None = None,
    limits: Limits | None = None,
    seed: int = 0,
    allow_code: bool = False,
) -> Assembly:
    """Reads, checks and splits a task, and freezes its held-out cases.

    `source` is the path of a task.yaml, or a spec; a spec without `data` names files relative to the working folder.
    `allow_code` lets a metric of the person's own run. Examples that repeat a held-out input are left out, and of a held-out
    case's group where they are few (`sides.given_sides`). Of limits' samples `side_findings` tells, of whole files `audit`. The
    same seed gives the same parts. Raises `BadInput` for everything that a person can correct.
    """
    spec, folder = (source, Path()) if isinstance(source, Spec) else read_spec(source)
    limits = limits or Limits()
    data = data or load(spec, folder)
    folder = data.folder
    labels_given = bool(spec.labels)
    spec, notes = _inferred(spec, data)
    kind: Kind = spec.kind or "generation"
    _check_outputs(spec, data, labels_given=labels_given)
    data = _written_out(data) if kind == "extraction" else data
    sides = _sides(data, kind, limits, seed)
    examples, heldout = sides.examples, sides.heldout
    labels = spec.labels if isinstance(spec.labels, tuple) else ()
    of_files = [*audit(data.examples, data.heldout or (), data.documents, spec, data.unlabelled)]
    of_files += labels_unwritten([*data.examples, *(data.heldout or ())]) if labels and not labels_given else ()
    few = few_groups(sides.heldout, data.heldout or data.examples, data.group, mapped=spec.columns.group is not None)
    metric, shown, metric_notes = _metrics(spec, folder, allow_code)
    if isinstance(metric, NumericTolerance) and spec.metric and "decimal" not in spec.metric.parameters:
        metric.must_read((*data.examples, *(data.heldout or ())))
    standing = questions_in(data.documents, sides.heldout)
    in_documents = {case.id for case in standing}
    read, answers = (data.examples, data.heldout or data.examples), Answers(labels=labels, kind=kind, metric=metric)
    between = side_findings(sides, read, standing, answers)
    target, margin, goal_notes = _goal(spec, limits)
    if limits.stop_when_decided:
        _check_stopping(metric, target)
        heldout = in_asking_order(heldout, seed)
    if spec.columns.time is not None:
        in_time(heldout, spec.columns.time)  # Says which time cannot be read.
    folds = cut_folds(examples, kind, seed)
    lineage = _lineage(data)
    unlabelled, taught = for_the_teacher(spec, data.unlabelled, (examples, heldout), seed)
    ends = tuple(f"models: {name} {says}." for name, says in endings(spec.models).items())
    notes = (
        *(lineage.notes(target, exact=is_exact(kind, metric)) if lineage else ()),
        *limits.unmet(len(examples), len(heldout)),
        *notes,
        *taught,
    )
    inferred = (*data.notes, *notes, *metric_notes, *goal_notes, *imbalance_note(heldout, labels, metric.name), *ends)
    task = Task(
        name=spec.name,
        kind=kind,
        instruction=spec.instruction,
        folds=folds,
        score=MetricScore(metric=metric),
        labels=labels,
        schema=_schema(spec),
        documents=data.documents,
        temperature=spec.temperature,
        unlabelled=unlabelled,
    )
    findings = (*data.findings, *gravest_first((*few, *between, *of_files, *schema_findings(task, heldout))))
    benchmark = Benchmark(
        task=task,
        heldout=heldout,
        leaked=tuple(case.id for case in heldout if case.id in sides.leaked),
        stayed=tuple(case.id for case in heldout if case.id in sides.stayed),
        perhaps_leaked=tuple(case.id for case in heldout if case.id in sides.perhaps_leaked | in_documents),
        in_documents=tuple(case.id for case in heldout if case.id in in_documents),
        metric=metric,
        shown_metrics=shown,
        target=target,
        margin=margin,
        constraints=spec.limits,
        volume=spec.volume,
        horizon_months=spec.horizon_months,
        procedure=spec.procedure,
        sequential=limits.stop_when_decided,
        slices=spec.slices,
        fingerprint=fingerprint(heldout, metric),
        notes=(*inferred, *_found(findings)),
    )
    assembly = Assembly(
        labels_given=labels_given,
        benchmark=benchmark,
        spec=spec,
        folder=folder,
        inferred=inferred,
        findings=findings,
        summary=summarise(examples, heldout, data.documents, labels),
        parts=written_down(examples, heldout, folds, seed),
        ceiling=lineage.ceiling if lineage and is_exact(kind, metric) else None,
    )
    return assembly.at(look_at(heldout, folder))


def is_exact(kind: Kind, metric: Metric) -> bool:
    """Whether an answer scores by being that of the key, and nothing otherwise: labels do by every metric."""
    return kind == "classification" or metric.name == "exact_match"


def _lineage(data: Loaded) -> Lineage | None:
    """What a person's review of the data says, where there was one."""
    found = read_lineage(data.folder)
    return found.beside(data.examples, data.heldout or (), data.documents) if found else None


def load(spec: Spec, folder: Path, allow_remote: bool = False) -> Loaded:
    """Reads the files that a spec names, in `folder` or, where that is allowed, elsewhere. Raises `BadInput`."""
    apart = spec.heldout is not None
    kept = spec.slices if spec.columns.time in (None, *spec.slices) else (*spec.slices, str(spec.columns.time))
    with files_of(spec.file_keys(), folder, allow_remote) as file:
        examples = read_cases(file("examples"), spec.columns, () if apart else kept, common=spec.slices)
        heldout = read_cases(file("heldout"), spec.columns, kept, apart=True) if apart else None
        documents = read_documents(file("documents")) if spec.documents else None
        taught = spec.teacher and spec.traffic
        unlabelled = read_inputs(file("traffic"), spec.columns).texts if taught else ()
    read = [part for part in (examples, heldout, documents) if part is not None]
    return Loaded(
        examples=examples.cases,
        heldout=heldout.cases if isinstance(heldout, Cases) else None,
        documents=documents.documents if documents else (),
        unlabelled=unlabelled,
        notes=tuple(note for part in read for note in part.notes),
        findings=tuple(found for part in read for found in part.findings),
        group=(heldout or examples).group,
        folder=folder,
    )


def _written_out(data: Loaded) -> Loaded:
    """With answers in plain characters, on both sides alike."""
    heldout = None if data.heldout is None else tuple(map(written_out, data.heldout))
    return replace(data, examples=tuple(map(written_out, data.examples)), heldout=heldout)


def _inferred(spec: Spec, data: Loaded) -> tuple[Spec, tuple[str, ...]]:
    notes: list[str] = []
    update: dict[str, Any] = {}
    kind = spec.kind
    if kind is None:
        known = (bool(data.documents), bool(spec.labels), bool(spec.answer_schema), spec.metric is not None)
        kind, says = infer_kind(data.examples, *known)
        if spec.pattern and kind == "classification" and not spec.labels:
            kind, says = "qa", "kind: qa, because there is a pattern that every answer has."
        update["kind"] = kind
        notes.append(says)
    must_be_of_questions(spec.limits, kind)
    if spec.pattern and kind in ("classification", "extraction"):
        other = "`labels:`" if kind == "classification" else "`schema:`"
        raise BadInput(f"`pattern:` is for answers in plain text, and the kind is {kind}. Use {other} instead of it.")
    if kind == "classification" and not spec.labels:
        update["labels"], says = infer_labels(data.examples)
        notes.append(says)
    return spec.model_copy(update=update), tuple(notes)


def _found(findings: Sequence[Finding]) -> tuple[str, ...]:
    return tuple(one.told for one in findings if one.severity != "note")


def _schema(spec: Spec) -> dict[str, Any] | None:
    if spec.pattern is not None:
        return {"type": "string", "pattern": f"^(?:{spec.pattern})$"}
    if not isinstance(spec.answer_schema, dict):
        return None
    metrics.load("json_valid", {"schema": spec.answer_schema})  # Says what is wrong with it.
    return spec.answer_schema


def _check_outputs(spec: Spec, data: Loaded, labels_given: bool) -> None:
    """Where the labels come from the examples, a held-out label without one is a finding."""
    if labels_given and isinstance(spec.labels, tuple):
        check_labels(data.examples, spec.labels, "Example")
        check_labels(data.heldout or (), spec.labels, "Held-out case")
    if spec.kind == "extraction":
        check_objects(data.examples, "Example")
        check_objects(data.heldout or (), "Held-out case")
    if spec.pattern is not None:
        check_pattern(data.examples, spec.pattern, "Example")
        check_pattern(data.heldout or (), spec.pattern, "Held-out case")


def _sides(data: Loaded, kind: Kind, limits: Limits, seed: int) -> Sides:
    sizes = (limits.examples, limits.heldout)
    if data.heldout is None:
        try:
            return cut_sides(data.examples, kind, sizes, seed)
        except NothingToHoldOut as found:
            if not data.group:
                raise
            other = "rows that say nothing about each other, as of one channel or language, are no group: give it another name."
            raise BadInput(f'{found} Or correct the group column, "{data.group[:40]}"; {other}') from None
    return given_sides(data.examples, data.heldout, sizes, seed)


def _metrics(spec: Spec, folder: Path, allow_code: bool) -> tuple[Metric, tuple[Metric, ...], tuple[str, ...]]:
    kind: Kind = spec.kind or "generation"
    defaults = DEFAULT_METRICS[kind]
    notes: tuple[str, ...] = ()
    if spec.metric is None:
        metric = metrics.load(defaults[0], _of_the_task(spec, defaults[0]))
        if kind != "generation":
            notes = (f"metric: {metric.name}, the usual one for {kind}.",)
    else:
        metric = metrics.load(spec.metric.name, _parameters(spec, folder, allow_code), kind)
    if kind not in metric.kinds:
        others = " or ".join(f"`kind: {other}`" for other in sorted(metric.kinds))
        raise BadInput(
            f"metric: {metric.name} is made for {', '.join(sorted(metric.kinds))}, and this task is {kind}. "
            f"Write, for instance, `metric: {defaults[0]}`, or state {others} where the answers are of that kind."
        )
    if isinstance(metric, F1OfLabel) and isinstance(spec.labels, tuple):
        metric.must_be_among(spec.labels)
    shown = tuple(metrics.load(name, _of_the_task(spec, name)) for name in defaults if name != metric.name)
    return metric, shown, notes


def _of_the_task(spec: Spec, name: str) -> Mapping[str, Any]:
    """What a metric knows of the task unless the spec says otherwise: the schema that answers have to be of."""
    schema = spec.answer_schema
    return {"schema": schema} if name == "json_valid" and isinstance(schema, dict) else {}


def _parameters(spec: Spec, folder: Path, allow_code: bool) -> Mapping[str, Any]:
    """The parameters of the spec; a metric in a file of the person's own is told where it may lie."""
    assert spec.metric is not None
    given = {**_of_the_task(spec, spec.metric.name), **spec.metric.parameters}
    if spec.metric.name == "person" or ".py:" in spec.metric.name:
        for key in ("allow_code", "folder", "when_scored"):
            if key in given:
                raise BadInput(f"metric: {key} is not set in the spec. Start with --allow-code after reading the code.")
        given.update(allow_code=allow_code, folder=str(folder.resolve()))
    return given


def _goal(spec: Spec, limits: Limits) -> tuple[float | None, float | None, tuple[str, ...]]:
    """Target, margin (at most one of them), and what there is to say of that."""
    target, margin = limits.target, limits.margin
    if target is None and margin is None:
        target, margin = spec.target, spec.margin
    if target is not None and margin is not None:
        raise BadInput("There is a target and a margin. Give one of them.")
    for name, value, checked in (("target", target, share), ("margin", margin, points)):
        try:
            checked(0.5 if value is None else value)
        except ValueError as error:
            raise BadInput(f"{name} {error}") from None
    if spec.kind == "generation" and spec.metric is None:
        given = "target" if target is not None else "margin"
        ignored = f" The {given} is left aside." if target is not None or margin is not None else ""
        chrf = "metric: none is usual for generation, so the approaches are compared by chrF and no verdict is given."
        return None, None, (f"{chrf}{ignored} Name a metric, such as style_rules, for a verdict.",)
    if target is None and margin is None:
        none = "target: none, so the approaches are compared and no verdict is given."
        return None, None, (f"{none} Add `target: 0.9`, or `margin: 0.05` if within 5 points of the best is enough.",)
    return target, margin, ()


def _check_stopping(metric: Metric, target: float | None) -> None:
    """Raises `BadInput` where nothing could be decided case by case."""
    if target is None:
        raise BadInput(
            "--stop-when-decided stops at a target, and there is none. Give --target, or leave --stop-when-decided out."
        )
    if metric.over_rows:
        raise BadInput(
            f"--stop-when-decided needs a metric that scores case by case, and {metric.name} exists over all cases only. "
            "Leave it out, or choose a metric such as accuracy."
        )


def _sharing(spec: Spec, candidates: int, look: Look) -> Sharing:
    """How candidates share the level. Recorded answers have no selection score, so Holm takes them all where one is needed, and
    at a look that is not as the ones before."""
    needs_scores = spec.procedure in ("fixed sequence", "finalist")
    procedure: Procedure = "holm" if (needs_scores and spec.recorded) or not look.as_before else spec.procedure
    return Sharing(procedure=procedure, candidates=candidates + len(look.missing), look=look.number)
