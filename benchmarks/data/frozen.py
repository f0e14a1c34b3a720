"""A benchmark as JSON in the run folder, so that a stored run can be told and scored again without its files."""

from __future__ import annotations

import dataclasses
import shutil
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import asdict
from pathlib import Path
from typing import Any

from benchmarks import metrics
from benchmarks.contract import Benchmark, Constraints, Look, Metric
from benchmarks.metrics.person import PERSON, Offered, Person
from benchmarks.scored import MetricScore
from benchmarks.statistics.looks import place_of_task
from strategies.contract import Case, Document, Fold, Task

CODE = "metric"
"""Folder inside the run's that keeps the Python file of a person's own metric."""


def freeze(benchmark: Benchmark) -> dict[str, Any]:
    """Plain values of everything but code; the metrics by name and parameters."""
    task = benchmark.task
    return {
        "task": {
            "name": task.name,
            "kind": task.kind,
            "instruction": task.instruction,
            "labels": list(task.labels),
            "schema": task.schema,
            "temperature": task.temperature,
            "folds": [
                {"train": frozen_cases(fold.train), "selection": frozen_cases(fold.selection)} for fold in task.folds
            ],
            "documents": [asdict(document) for document in task.documents],
            "unlabelled": list(task.unlabelled),
        },
        "heldout": frozen_cases(benchmark.heldout),
        "metric": frozen_metric(benchmark.metric),
        "shown_metrics": [frozen_metric(metric) for metric in benchmark.shown_metrics],
        "target": benchmark.target,
        "margin": benchmark.margin,
        "constraints": asdict(benchmark.constraints),
        "volume": benchmark.volume,
        "horizon_months": benchmark.horizon_months,
        "procedure": benchmark.procedure,
        "look": asdict(benchmark.look),
        "sequential": benchmark.sequential,
        "slices": list(benchmark.slices),
        "leaked": list(benchmark.leaked),
        "stayed": None if benchmark.stayed is None else list(benchmark.stayed),
        "perhaps_leaked": list(benchmark.perhaps_leaked),
        "in_documents": None if benchmark.in_documents is None else list(benchmark.in_documents),
        "fingerprint": benchmark.fingerprint,
        "notes": list(benchmark.notes),
    }


def keep_code(benchmark: Benchmark, folder: Path) -> None:
    """Copies the Python file of a person's own metric into the run folder, so that the run can be scored again."""
    metric = benchmark.metric
    if isinstance(metric, Person) and metric.function.rpartition(":")[0].endswith(".py"):
        name = metric.function.rpartition(":")[0]
        copy = folder / CODE / name
        copy.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(Path(metric.folder) / name, copy)


def thaw(values: Mapping[str, Any], folder: Path = Path(), allow_code: bool = False) -> Benchmark:
    """The benchmark of the run in `folder`, as `freeze` wrote it. A metric of a person's own runs only with
    `allow_code`. Raises `BadInput`, and `TypeError` and the like for what `freeze` did not write."""
    found = _thawed(values, folder, allow_code)
    for part in (found, found.task, found.look, found.constraints, *found.task.documents):
        must_hold_its_types(part)
    return found


def _thawed(values: Mapping[str, Any], folder: Path, allow_code: bool) -> Benchmark:
    task = values["task"]
    metric = thawed_metric(values["metric"], folder, allow_code)
    return Benchmark(
        task=Task(
            name=task["name"],
            kind=task["kind"],
            instruction=task["instruction"],
            labels=tuple(task["labels"]),
            schema=task["schema"],
            temperature=task["temperature"],
            folds=tuple(
                Fold(train=thawed_cases(fold["train"]), selection=thawed_cases(fold["selection"]))
                for fold in task["folds"]
            ),
            documents=tuple(Document(**row) for row in task["documents"]),
            unlabelled=tuple(task.get("unlabelled", ())),
            score=MetricScore(metric=metric),
        ),
        heldout=thawed_cases(values["heldout"]),
        metric=metric,
        shown_metrics=tuple(thawed_metric(row, folder, allow_code) for row in values["shown_metrics"]),
        target=values["target"],
        margin=values.get("margin"),
        constraints=_constraints(values),
        volume=values["volume"],
        horizon_months=values["horizon_months"],
        procedure=values.get("procedure", "holm"),  # Runs from before there was a choice.
        look=_look(values),
        sequential=values.get("sequential", False),
        slices=tuple(values["slices"]),
        leaked=tuple(values.get("leaked", ())),
        stayed=None if (stayed := values.get("stayed")) is None else tuple(stayed),
        perhaps_leaked=tuple(values.get("perhaps_leaked", ())),  # Nothing in older runs.
        in_documents=None if (standing := values.get("in_documents")) is None else tuple(standing),
        fingerprint=values["fingerprint"],
        notes=tuple(values["notes"]),
    )


def _look(values: Mapping[str, Any]) -> Look:
    found = dict(values.get("look", {}))
    return Look(**{**found, "missing": tuple(found.get("missing", ()))})


def _constraints(values: Mapping[str, Any]) -> Constraints:
    limits = values["constraints"]
    return Constraints(**{**limits, "licences": tuple(limits.get("licences", ()))})


def as_begun(benchmark: Benchmark, values: Mapping[str, Any]) -> Benchmark:
    """The benchmark with what was fixed when its run began and `freeze` wrote: look, volume, horizon, procedure, limits
    and parts."""
    return dataclasses.replace(
        benchmark,
        look=_look(values),
        volume=values["volume"],
        horizon_months=values["horizon_months"],
        procedure=values.get("procedure", "holm"),
        constraints=_constraints(values),
        slices=tuple(values["slices"]),
    )


def frozen_cases(cases: tuple[Case, ...]) -> list[dict[str, Any]]:
    """As `thawed_cases` takes them. Metadata that is nested deeply is not copied, which would take more depth than reading it."""
    return [{key: value for key, value in vars(case).items() if value} for case in cases]


def thawed_cases(rows: list[dict[str, Any]]) -> tuple[Case, ...]:
    """Cases as `freeze` wrote them. Raises `TypeError` for others."""
    cases = tuple(
        Case(
            **{
                "input": "",
                "output": "",
                **row,
                "answers": tuple(row.get("answers", ())),
                "document_ids": tuple(row.get("document_ids", ())),
            }
        )
        for row in rows
    )
    for case in cases:
        must_hold_its_types(case)
    return cases


_TYPES: Mapping[str, Any] = {
    "str": str,
    "int": int,
    "bool": bool,
    "float": (int, float),
    "float | None": (int, float, type(None)),
}


def must_hold_its_types(value: Any) -> None:
    """Raises `TypeError` for a text or number of a dataclass that is not what its annotation says."""
    for each in dataclasses.fields(value):
        held = getattr(value, each.name)
        entries = held if each.type == "tuple[str, ...]" else ()
        if not isinstance(held, _TYPES.get(str(each.type), object)) or any(not isinstance(one, str) for one in entries):
            raise TypeError(f"{each.name} is a {type(held).__name__}")


def frozen_metric(metric: Metric) -> dict[str, Any]:
    """Name and parameters. Which function a package offers under the name, the package says again."""
    if isinstance(metric, Offered):
        return {"name": metric.name, "parameters": {}}
    fields = dataclasses.fields(metric)  # type: ignore[arg-type]  # metrics are dataclasses by contract
    return {
        "name": metric.name,
        "parameters": {each.name: _plain(getattr(metric, each.name)) for each in fields if each.init and each.compare},
    }


def _plain(value: Any) -> Any:
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {key: _plain(part) for key, part in asdict(value).items() if part is not None}
    if isinstance(value, Mapping):
        return {str(key): _plain(part) for key, part in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(part) for part in value]
    return value


def thawed_metric(row: Mapping[str, Any], folder: Path, allow_code: bool) -> Metric:
    """The metric of the run or export in `folder`, as `frozen_metric` wrote it. Raises `BadInput`."""
    parameters = {key: value for key, value in row["parameters"].items() if value is not None}
    if row["name"] == PERSON:
        place = _place_of_code(str(parameters.get("function", "")), folder)
        parameters |= {"allow_code": allow_code, "folder": str(place), "when_scored": True}
    return metrics.load(row["name"], parameters)


def _place_of_code(function: str, folder: Path) -> Path:
    """Where a person's own metric is read: beside the task of the run while it is the same there, since it may read what lies
    beside it, else in the run or export itself."""
    name, copies, task = function.rpartition(":")[0], folder / CODE, place_of_task(folder)
    if name.endswith(".py") and task is not None:
        with suppress(OSError):
            if (task / name).read_bytes() == (copies / name).read_bytes():
                return task
    return copies
