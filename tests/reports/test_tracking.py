"""Into MLflow: the real package and a real database, what stands there afterwards, and what is said where it cannot be."""

from __future__ import annotations

import builtins
import dataclasses
import re
from pathlib import Path
from typing import Any

import pytest

from advisor.experiments.example import opened
from advisor.experiments.stored import reopen
from advisor.experiments.tracking import EXPERIMENT, track
from benchmarks.contract import BadInput
from tests.desk import call
from tests.situations import SITUATIONS

pytestmark = [
    # MLflow's own, on the versions of its dependencies.
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),
    pytest.mark.filterwarnings("ignore::FutureWarning"),
    pytest.mark.filterwarnings("ignore::ResourceWarning"),
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
]


@pytest.fixture
def client(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """MLflow's own client of a database in a folder of this test."""
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{tmp_path / 'tracked.db'}")
    monkeypatch.setenv("MLFLOW_DISABLE_TELEMETRY", "true")
    monkeypatch.delenv("MLFLOW_EXPERIMENT_NAME", raising=False)
    monkeypatch.chdir(tmp_path)
    from mlflow.tracking import MlflowClient

    return MlflowClient()


def runs(client: Any, name: str = EXPERIMENT) -> dict[str, Any]:
    experiment = client.get_experiment_by_name(name)
    return {run.info.run_name: run for run in client.search_runs([experiment.experiment_id])}


def test_the_verdict_and_every_approach_stand_there(client: Any, tmp_path: Path) -> None:
    with opened() as folder:
        story = reopen(folder).story
    page = tmp_path / "report.html"
    page.write_text("the page", encoding="utf-8")
    found_id = track(story, [page])
    found = runs(client)
    names = {row["name"] for row in story.facts["candidates"]}
    parent = found[f"{story.task}: {story.title}"]
    assert parent.info.run_id == found_id
    assert set(found) == names | {parent.info.run_name}
    assert parent.data.params["verdict"] == story.verdict
    assert parent.data.params["metric"] == story.facts["metric"]
    assert [each.path for each in client.list_artifacts(found_id)] == ["report.html"]
    for row in story.facts["candidates"]:
        run = found[row["name"]]
        assert run.info.status == "FINISHED"
        assert run.data.tags["mlflow.parentRunId"] == found_id
        assert run.data.params["state"] == row["state"]
        told = {story.facts["metric"]: row["figure"], "a_month": row["monthly"]["value"]}
        assert {name: run.data.metrics.get(name) for name in told} == pytest.approx(told)


def test_what_meets_on_cases_that_were_seen_stands_there_as_undecided(client: Any) -> None:
    """As the exit code says (101)."""
    story = SITUATIONS["seen_before"]().told().story
    assert (story.verdict, story.settled) == ("safe but cheaper undecided", "undecided")
    params = client.get_run(track(story, [])).data.params
    assert params["verdict"] == "undecided"
    assert not {"choice", "safe"} & set(params)
    met = client.get_run(track(SITUATIONS["everything_meets"]().told().story, [])).data.params
    assert met["verdict"] == "choose"
    assert met["choice"]


def test_nobody_and_no_place_of_this_machine_is_named(client: Any, tmp_path: Path) -> None:
    story = SITUATIONS["everything_meets"]().told().story
    track(story, [])
    told = [f"{run.data.tags} {run.data.params}" for run in runs(client).values()]
    assert not any(str(tmp_path) in text or "mlflow.user" in text or "mlflow.source" in text for text in told)


def test_what_is_unknown_is_left_out_and_text_makes_no_markup(client: Any) -> None:
    story = SITUATIONS["one_invalid"]().told().story
    track(story, [])
    for row in story.facts["candidates"]:
        metrics = runs(client)[row["name"]].data.metrics
        assert (story.facts["metric"] in metrics) == (row["figure"] is not None)
    hostile = "<script>alert(1)</script> [x](javascript:1)"
    parent = client.get_run(track(dataclasses.replace(story, headline=hostile), []))
    assert "<script>" not in parent.data.tags["mlflow.note.content"]
    assert r"\[x\]" in parent.data.tags["mlflow.note.content"]


def test_the_experiment_is_the_one_that_the_environment_names(client: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MLFLOW_EXPERIMENT_NAME", "our bake-offs")
    story = SITUATIONS["everything_meets"]().told().story
    track(story, [])
    track(story, [])
    assert len(client.search_runs([client.get_experiment_by_name("our bake-offs").experiment_id])) == 2 * (
        1 + len(story.facts["candidates"])
    )


def test_the_command_says_which_run_it_is(client: Any, capsys: pytest.CaptureFixture[str]) -> None:
    done = call(capsys, "report", "example", "--mlflow")
    (parent,) = [run for run in runs(client).values() if "mlflow.parentRunId" not in run.data.tags]
    assert f"In MLflow it is run {parent.info.run_id}." in done.err
    assert {each.path for each in client.list_artifacts(parent.info.run_id)} == {
        "report.html",
        "report.json",
        "report.md",
    }


@pytest.mark.parametrize("login", ["", "me:pass-word-9@", "me:pass/wo@rd#9@"])
def test_a_server_that_does_not_take_it_is_said_in_a_sentence_without_the_password(
    login: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"http://{login}127.0.0.1:9")
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
    done = call(capsys, "report", "example", "--mlflow")
    assert done.code == 2
    assert "MLflow did not take the run" in done.err
    assert "Traceback" not in done.err
    assert not re.search("me:|pass|wo@?rd", done.err)
    assert (tmp_path / "example-report" / "report.html").is_file()


def test_without_the_package_it_is_said_how_to_get_it(monkeypatch: pytest.MonkeyPatch) -> None:
    real = builtins.__import__

    def without(name: str, *rest: Any, **named: Any) -> Any:
        if name.startswith("mlflow"):
            raise ImportError(name)
        return real(name, *rest, **named)

    monkeypatch.setattr(builtins, "__import__", without)
    with pytest.raises(BadInput, match=r"finetune-advisor\[tracking\]"):
        track(SITUATIONS["everything_meets"]().told().story, [])
