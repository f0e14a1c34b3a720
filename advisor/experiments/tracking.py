"""Writes what a run found into MLflow: a run for the verdict with the report, and below it one for each approach.

Only numbers, names and the report's own files go there; texts of cases only where the report itself was told to hold them.
"""

from __future__ import annotations

import math
import os
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from advisor.reports.markdown import literal
from benchmarks.contract import BadInput
from strategies.models.keys import without_logins

if TYPE_CHECKING:
    from advisor.contract import Story

EXPERIMENT = "finetune-advisor"
"""Where neither the environment nor anybody says another."""
_OF_THE_RUN = (
    "task",
    "verdict",
    "choice",
    "safe",
    "metric",
    "target",
    "heldout_cases",
    "examples",
    "volume",
    "horizon_months",
    "seed",
    "fingerprint",
)
_OF_AN_APPROACH = ("approach", "family", "model", "state", "cases", "trials")


def track(story: Story, files: Sequence[Path]) -> str:
    """Writes into the tracking server of MLFLOW_TRACKING_URI (else MLflow's own default); returns the id of the run.

    The experiment is that of MLFLOW_EXPERIMENT_NAME, else `EXPERIMENT`. Raises `BadInput` where MLflow is not installed or
    its server does not take it.
    """
    os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
    try:
        from mlflow.exceptions import MlflowException
        from mlflow.tracking import MlflowClient
    except ImportError:
        raise BadInput("MLflow is not installed. Say: pip install 'finetune-advisor[tracking]'") from None
    try:
        return _written(MlflowClient(), story, files)
    except (MlflowException, OSError) as error:
        said = _unsigned(str(error)).partition("\n")[0] or type(error).__name__
        raise BadInput(f"MLflow did not take the run: {said} The report is written all the same.") from None


def _unsigned(said: str) -> str:
    """Without the user and the password of an address, also where that of the environment holds signs that no address may."""
    login, at, _ = os.environ.get("MLFLOW_TRACKING_URI", "").partition("://")[2].rpartition("@")
    return without_logins(said.replace(login + at, "") if at else said)


def _written(client: Any, story: Story, files: Sequence[Path]) -> str:
    experiment = _experiment(client)
    facts = story.facts
    tags = {"mlflow.note.content": "\n\n".join(map(literal, (story.headline, *story.reasons)))}
    parent = client.create_run(experiment, run_name=f"{story.task}: {story.title}", tags=tags).info.run_id
    client.log_batch(parent, params=list(_params(_settled(story), _OF_THE_RUN)))
    for candidate in facts["candidates"]:
        child = client.create_run(
            experiment, run_name=candidate["name"], tags={"mlflow.parentRunId": parent}
        ).info.run_id
        params = [
            *_params(candidate, _OF_AN_APPROACH),
            *_params({"cost_unit": candidate["monthly"]["unit"]}, ("cost_unit",)),
        ]
        client.log_batch(
            child, params=params, metrics=list(_metrics(candidate, facts["metric"], facts["margin"] is not None))
        )
        client.set_terminated(child)
    for path in files:
        client.log_artifact(parent, str(path))
    client.set_terminated(parent)
    return str(parent)


def _settled(story: Story) -> dict[str, Any]:
    """The facts with the verdict as whoever acts on it has to take it: what is not decided names nothing to take."""
    told = {**story.facts, "verdict": story.settled}
    return told if story.settled == story.verdict else {**told, "choice": None, "safe": None}


def _experiment(client: Any) -> str:
    name = os.environ.get("MLFLOW_EXPERIMENT_NAME") or EXPERIMENT
    known = client.get_experiment_by_name(name)
    return str(client.create_experiment(name) if known is None else known.experiment_id)


def _params(values: Mapping[str, Any], names: Sequence[str]) -> Iterator[Any]:
    from mlflow.entities import Param

    for name in names:
        if values[name] is not None:
            yield Param(name, str(values[name]))


def _metrics(candidate: Mapping[str, Any], metric: str, margin: bool) -> Iterator[Any]:
    """What was measured of an approach; what is not known is left out. With a margin the bounds are on the distance from the
    best."""
    from mlflow.entities import Metric

    now, bounded = round(1000 * time.time()), f"{metric}_from_the_best" if margin else metric
    latency, forgot = candidate["latency"] or {}, candidate["forgetting"] or {}
    found = {
        **candidate["metrics"],
        metric: candidate["figure"],
        f"{bounded}_at_least": candidate["lower"],
        f"{bounded}_at_most": candidate["upper"],
        "a_month": candidate["monthly"]["value"],
        "a_thousand_requests": candidate["per_thousand"]["value"],
        "p50_s": latency.get("p50_s"),
        "p95_s": latency.get("p95_s"),
        "times_as_perplexed": forgot.get("ratio"),
        **{f"same_answer_{check['check'].replace(' ', '_')}": check["same"] for check in candidate["consistency"]},
    }
    for name, value in found.items():
        if value is not None and math.isfinite(value):
            yield Metric(name, float(value), now, 0)
