"""A key for a server is planted, and the server repeats it wherever it can: it is written and printed nowhere."""

from __future__ import annotations

import json
import sqlite3
import threading
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from pytest_httpserver import HTTPServer
from werkzeug import Request, Response

from tests import tiny
from tests.conftest import Folders
from tests.desk import Done, everything, finish, start, write_task
from tests.strategies.test_endpoint import ODDS, PATH, good

CANARY = "sk-canary-8d41f7c09e2b"
SHORTEST = CANARY[:12]
"""A part of it that says too much; errors are shortened."""


class Parrot:
    """Answers with the header that it got, in the text and in what else was likely; ten questions it refuses at first."""

    def __init__(self, server: HTTPServer, status: int) -> None:
        self.lock, self.asked, self.status = threading.Lock(), 0, status
        server.expect_request(PATH, method="POST").respond_with_handler(self._answer)

    def _answer(self, request: Request) -> Response:
        with self.lock:
            self.asked += 1
            number = self.asked
        key = request.headers["Authorization"]
        if number <= 10 or self.status == 401:
            said = {"error": {"message": f"{'x' * (270 + 3 * (number % 10))} {key}", "code": key, "param": key}}
            return Response(
                json.dumps(said), status=self.status, content_type="application/json", headers={"X-Key": key}
            )
        answer = good(text=f"delivery, says {key}")
        likely = [{"token": key, "logprob": -0.2}, *ODDS["top_logprobs"]]  # type: ignore[misc]
        answer["choices"][0]["logprobs"] = {"content": [{"token": key, "logprob": -0.1, "top_logprobs": likely}]}
        answer |= {"model": key, "id": key, "system_fingerprint": key}
        return Response(json.dumps(answer), content_type="application/json")


@pytest.fixture
def server() -> Iterator[HTTPServer]:
    with HTTPServer(threaded=True) as made:
        yield made


def advisor(desk: Path, *arguments: str) -> Done:
    """In a process of its own, which has the key in its environment."""
    return finish(start(desk, *arguments, environment={"OPENAI_API_KEY": CANARY, "HOME": str(desk)}), 300)


def found(desk: Path, *done: Done) -> list[str]:
    """Where the key stands, by what it was printed to or the file that holds it."""
    texts = {f"{name} of {number}": getattr(each, name) for number, each in enumerate(done) for name in ("out", "err")}
    for path in desk.rglob("*.sqlite"):
        with closing(sqlite3.connect(path)) as rows:
            texts[f"rows of {path.name}"] = "\n".join(rows.iterdump())
    files = {name: content.decode("utf-8", "replace") for name, content in everything(desk).items()}
    return [name for name, text in (texts | files).items() if SHORTEST in text]


def prepared(desk: Path, models: Folders, server: HTTPServer) -> None:
    hosted = f"models: [{{name: hosted, model: m, endpoint: '{server.url_for('/v1')}', concurrency: 8}}]"
    write_task(desk, models, hosted, "kind: qa", cases=tiny.messages(40))
    (desk / "new.jsonl").write_text(json.dumps({"input": "Where is it?"}) + "\n")


RUN = (
    "run",
    "task.yaml",
    "--approach",
    "prompting",
    "--effort",
    "quick",
    "--probes",
    "none",
    "--yes",
    "--cases",
    "all",
)


def test_a_server_that_repeats_the_key_in_errors_and_answers(
    server: HTTPServer, tmp_path: Path, model_folders: Folders
) -> None:
    parrot = Parrot(server, 500)
    prepared(tmp_path, model_folders, server)
    run = advisor(tmp_path, *RUN, "--out", "run")
    assert run.code in (0, 100, 101), run.err
    assert parrot.asked > 50
    told = advisor(tmp_path, "report", "run", "--cases", "all", "--answers", "answers.csv", "--explain")
    exported = advisor(tmp_path, "export", "run", "out", "--candidate", "prompting")
    assert exported.code == 0, exported.err
    answered = advisor(tmp_path, "predict", "out", "new.jsonl", "--task", "task.yaml")
    assert "delivery, says Bearer [key]" in answered.out
    assert "delivery, says Bearer [key]" in (tmp_path / "answers.csv").read_text("utf-8")
    assert found(tmp_path, run, told, exported, answered) == []


def test_a_server_that_refuses_the_key_and_repeats_it(
    server: HTTPServer, tmp_path: Path, model_folders: Folders
) -> None:
    Parrot(server, 401)
    prepared(tmp_path, model_folders, server)
    run = advisor(tmp_path, *RUN, "--out", "run", "--json")
    assert "status 401" in (tmp_path / "run" / "report.json").read_text("utf-8"), run.err
    told = advisor(tmp_path, "report", "run", "--cases", "all", "--explain")
    assert found(tmp_path, run, told) == []
