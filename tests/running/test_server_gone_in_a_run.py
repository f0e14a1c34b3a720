"""A server that is gone in the middle of a run and comes back: nothing is chosen by what was lost, and nothing is paid twice."""

from __future__ import annotations

import sqlite3
from collections import Counter
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from pytest_httpserver import HTTPServer
from werkzeug import Request, Response

from advisor.contract import Verdict
from advisor.experiments.comparison import execute, prepare
from benchmarks.contract import State
from benchmarks.storage.store import Store
from strategies.models import outage, retry
from tests import tiny
from tests.conftest import Folders
from tests.desk import write_task
from tests.running.test_endpoint_bakeoff import PROMPTED, Service, Watching, by_name, rows, whole  # noqa: F401 - a fixture


@dataclass
class Leaving(Service):
    """Gone from a question of one kind of unit on, until it is back."""

    gone_from: tuple[str, int] = ("", 0)
    gone: bool = False
    answered: Counter[str] = field(default_factory=Counter)

    def _answer(self, request: Request) -> Response:
        said = super()._answer(request)
        self.gone |= (self.in_unit, self.by_unit[self.in_unit]) == self.gone_from
        if self.gone:
            return Response("gone", status=503)
        self.answered[request.get_data(as_text=True)] += 1
        return said


@pytest.fixture(autouse=True)
def _short(monkeypatch: pytest.MonkeyPatch) -> None:
    """Waits of an instant, and two seconds in all for a server that is gone become a tenth of one."""
    monkeypatch.setattr(retry, "FIRST_WAIT_S", 0.002)
    monkeypatch.setattr(outage, "FIRST_WAIT_S", 0.01)
    monkeypatch.setattr(outage, "LONGEST_WAIT_S", 0.02)
    monkeypatch.setattr(outage, "A_RETRY_S", 0.02)


@pytest.fixture
def leaving() -> Iterator[Leaving]:
    with HTTPServer(threaded=True) as server:
        yield Leaving(server)


def run(service: Leaving, place: Path, models: Folders) -> Verdict:
    """As `prompt_it` of the runs that are cut off."""
    task = write_task(place, models, *service.lines(), "kind: qa", cases=tiny.messages(40))
    return execute(prepare(task, PROMPTED), place / "run", Watching(service))


def paid(folder: Path) -> int:
    """Answers of the server in the ledger: each is to 40 tokens, and a request that was lost is to none."""
    with closing(Store(folder / "run.sqlite")) as store:
        return sum(used.prompt_tokens for used in store.ledger() if used.model == "hosted") // 40


LATER = pytest.mark.nightly


def looks(folder: Path) -> dict[str, str]:
    """The scores in the journal, by key."""
    with closing(sqlite3.connect(folder / "run.sqlite")) as db:
        found = db.execute("SELECT key, json_extract(value, '$.scores') FROM journal").fetchall()
    return dict(found)


@pytest.mark.parametrize(
    "gone_from",
    [
        ("fit", 61),
        ("answer", 9),
        *(pytest.param(each, marks=LATER) for each in (("fit", 140), ("edit", 5), ("repeat", 15))),
    ],
    ids=str,
)
def test_gone_on_with_once_it_is_back_a_run_is_that_of_a_server_that_was_never_gone(
    gone_from: tuple[str, int],
    leaving: Leaving,
    whole: tuple[Service, Path],  # noqa: F811
    tmp_path: Path,
    model_folders: Folders,
) -> None:
    wanted, folder = whole
    leaving.gone_from = gone_from
    found = by_name(run(leaving, tmp_path, model_folders))["prompting"]
    if gone_from[0] in ("fit", "answer"):
        assert found.state is State.OPEN
        assert "were lost to faults outside the approach (status 503" in found.problem
        assert found.problem.endswith("; resuming the run asks for them again")
    else:
        assert (found.state, found.latency) == (None, None)
        assert gone_from[0] not in {row[0] for row in rows(tmp_path / "run", "prompting")}
    assert paid(tmp_path / "run") == leaving.answered.total()
    assert looks(tmp_path / "run").items() <= looks(folder).items(), "no look of what was lost"
    leaving.gone, leaving.gone_from = False, ("", 0)
    run(leaving, tmp_path, model_folders)
    assert rows(tmp_path / "run", "prompting") == rows(folder, "prompting")
    assert leaving.answered.total() == wanted.calls, "nothing was asked twice that had been answered"
    assert paid(tmp_path / "run") == wanted.calls
    asked = leaving.calls
    run(leaving, tmp_path, model_folders)
    assert leaving.calls == asked, "and then it is finished for good"


def test_waiting_times_of_requests_that_were_lost_are_none(
    leaving: Leaving, tmp_path: Path, model_folders: Folders
) -> None:
    leaving.gone_from = ("latency", 5)
    found = by_name(run(leaving, tmp_path, model_folders))["prompting"]
    assert (found.state, found.latency) == (None, None)
    leaving.gone, leaving.gone_from = False, ("", 0)
    again = by_name(run(leaving, tmp_path, model_folders))["prompting"]
    assert again.latency is not None
    assert again.scores == found.scores


def test_a_request_that_the_server_refuses_as_too_long_is_no_outage(
    leaving: Leaving, tmp_path: Path, model_folders: Folders, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A configuration whose prompts are too long for the server is not chosen, and the search goes on to its end."""
    answer = Service._answer
    refused = Counter[int]()

    def short_only(self: Service, request: Request) -> Response:
        long = len(request.get_json()["messages"]) > 2 or len(request.get_data()) > 900
        refused[long] += 1
        return Response('{"error": {"message": "too long"}}', 400) if long else answer(self, request)

    monkeypatch.setattr(Service, "_answer", short_only)
    leaving.server.clear()
    leaving.server.expect_request("/v1/chat/completions").respond_with_handler(lambda sent: short_only(leaving, sent))
    found = by_name(run(leaving, tmp_path, model_folders))["prompting"]
    assert min(refused[True], refused[False]) > 20
    assert (found.state, found.failures) == (None, {})
