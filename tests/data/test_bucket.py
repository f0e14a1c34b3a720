"""Data in a bucket of a real server on this machine: fetched where that is allowed, refused in one sentence where not."""

from __future__ import annotations

import json
import re
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pyarrow
import pytest
from pyarrow import parquet
from pytest_httpserver import HTTPServer
from werkzeug import Response

from advisor.experiments.found import find
from benchmarks.contract import BadInput
from benchmarks.data import bucket
from benchmarks.data.assemble import load
from benchmarks.data.load import Inputs
from benchmarks.specs.spec import read_spec
from strategies.contract import Case, Document
from tests import tiny
from tests.conftest import Folders
from tests.desk import ROOT, call, everything, finish, start, write_task

fsspec = pytest.importorskip("fsspec")
pytest.importorskip("s3fs", reason="needs the extra `remote`")

BUCKET = "team-data"
CANARIES = {
    "AWS_ACCESS_KEY_ID": "id-canary-6120",
    "AWS_SECRET_ACCESS_KEY": "secret-canary-0b7e",
    "AWS_SESSION_TOKEN": "token-canary-44d1",
}
NO_MODEL = ("--approach", "majority", "--probes", "none", "--effort", "quick", "--yes")


@pytest.fixture(scope="module")
def server() -> Iterator[str]:
    """Where a server of buckets listens, which is a process of its own."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    command = [sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", str(port)]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        for _ in range(600):
            with socket.socket() as asked:
                if asked.connect_ex(("127.0.0.1", port)) == 0:
                    break
            time.sleep(0.1)
        else:
            pytest.fail("moto's server did not start")
        yield f"http://127.0.0.1:{port}"
    finally:
        process.kill()
        process.wait()


@pytest.fixture(autouse=True)
def keys(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> dict[str, str]:
    """An environment with planted keys, in which nothing else says who somebody is."""
    given = {**CANARIES, "AWS_REGION": "us-east-1", "AWS_EC2_METADATA_DISABLED": "true", "HOME": str(tmp_path / "home")}
    for name, value in given.items():
        monkeypatch.setenv(name, value)
    return given


@pytest.fixture
def team(server: str, keys: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> Any:
    """The team's bucket as its own tools see it."""
    monkeypatch.setenv("AWS_ENDPOINT_URL", server)
    keys["AWS_ENDPOINT_URL"] = server
    system = fsspec.filesystem("s3", skip_instance_cache=True)
    if not system.exists(BUCKET):
        system.mkdir(BUCKET)
    return system


def in_parquet(cases: Sequence[Case], path: Path) -> bytes:
    rows = [
        {"id": case.id, "input": case.input, "output": case.output, "doc_ids": list(case.document_ids)}
        for case in cases
    ]
    parquet.write_table(pyarrow.Table.from_pylist(rows), path)
    return path.read_bytes()


def in_lines(rows: Sequence[Case | Document]) -> bytes:
    names = ("id", "input", "output", "title", "text")
    kept = ({name: getattr(row, name) for name in names if hasattr(row, name)} for row in rows)
    return "".join(json.dumps(row) + "\n" for row in kept).encode()


def remote_task(desk: Path, models: Folders, *lines: str) -> Path:
    return write_task(desk, models, f"examples: s3://{BUCKET}/first/tickets.parquet", *lines)


RUN = ("run", "task.yaml", "--out", "mine", "--json", "--allow-remote", *NO_MODEL)


# ---------------------------------------------------------------- what is fetched


def test_all_data_of_a_task_is_read_from_a_bucket_as_from_its_folder(
    team: Any, tmp_path: Path, model_folders: Folders
) -> None:
    files = {
        "rows of a year.parquet": in_parquet(tiny.questions(40), tmp_path / "made.parquet"),
        "held.jsonl": in_lines(tiny.questions(20, 40)),
        "rooms.jsonl": in_lines(tiny.rooms()),
        "traffic.txt": b"How many seats has Room Bern?\nWhere is it?\n",
    }
    for name, content in files.items():
        (tmp_path / name).write_bytes(content)
        team.pipe(f"{BUCKET}/year=2026/{name}", content)
    keys = dict(zip(("examples", "heldout", "documents", "traffic"), files, strict=True))
    here = write_task(tmp_path, model_folders, *(f"{key}: {name}" for key, name in keys.items()))
    local = find(here)
    known, asked = local.data(), local.traffic()
    there = write_task(
        tmp_path, model_folders, *(f"{key}: s3://{BUCKET}/year=2026/{name}" for key, name in keys.items())
    )
    found = find(there, allow_remote=True)
    assert found.data() == known
    assert (len(known.examples), len(known.heldout or ()), len(known.documents)) == (40, 20, len(tiny.rooms()))
    assert found.traffic() == asked == Inputs(texts=("How many seats has Room Bern?", "Where is it?"))


def test_a_run_on_a_bucket_keeps_neither_keys_nor_files_and_refuses_other_content(
    team: Any,
    keys: dict[str, str],
    tmp_path: Path,
    model_folders: Folders,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)
    place = f"{BUCKET}/first/tickets.parquet"
    team.pipe(place, in_parquet(tiny.messages(60), tmp_path / "made"))
    remote_task(tmp_path, model_folders)
    (tmp_path / "scratch").mkdir()
    first = finish(start(tmp_path, *RUN, environment={**keys, "TMPDIR": str(tmp_path / "scratch")}))
    assert first.code in (0, 100, 101), first.err
    about = json.loads((tmp_path / "mine" / "run.json").read_text(encoding="utf-8"))
    assert about["spec"]["examples"] == f"s3://{place}"
    assert list((tmp_path / "scratch").iterdir()) == [], "what was fetched is gone"
    files = everything(tmp_path) | {"said": (first.out + first.err).encode()}
    assert {"mine/run.sqlite", "mine/report.html"} <= set(files)
    secrets = [value.encode() for value in CANARIES.values()]
    assert [name for name, content in files.items() if any(secret in content for secret in secrets)] == []

    (tmp_path / "here").mkdir()
    (tmp_path / "here" / "tickets.parquet").write_bytes(team.cat(place))
    local = find(write_task(tmp_path / "here", model_folders, "examples: tickets.parquet")).assembled().benchmark
    assert about["benchmark"]["fingerprint"] == local.fingerprint

    changed = (*tiny.messages(59), Case(id="m59", input="Quite another message.", output="travel"))
    team.pipe(place, in_parquet(changed, tmp_path / "made"))
    other = call(capsys, *RUN, "--resume")
    assert other.code == 2
    assert re.search(
        r'The run in mine was made with [a-z, -]+ of the hash "\w+", and now it is', " ".join(other.err.split())
    )

    team.pipe(place, in_parquet(tiny.messages(60), tmp_path / "made"))
    assert call(capsys, *RUN, "--resume").code == first.code, "uploaded again, it is the same data"


def test_a_reviewed_copy_has_its_rows_beside_it_and_leaves_the_traffic_where_it_is(
    team: Any,
    tmp_path: Path,
    model_folders: Folders,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)
    team.pipe(f"{BUCKET}/first/tickets.parquet", in_parquet(tiny.messages(60), tmp_path / "made"))
    team.pipe(f"{BUCKET}/asked.txt", b"Where is my parcel?\n")
    remote_task(tmp_path, model_folders, f"traffic: s3://{BUCKET}/asked.txt")
    done = call(capsys, "check", "task.yaml", "--allow-remote", "--fix", "copy")
    assert done.code == 0, done.err
    copy, folder = read_spec(tmp_path / "copy" / "task.yaml")
    assert (copy.examples, copy.traffic) == ("examples.jsonl", f"s3://{BUCKET}/asked.txt")
    assert load(copy, folder).examples


def test_the_commands_that_read_data_take_the_permission_and_hand_it_on(
    team: Any,
    tmp_path: Path,
    model_folders: Folders,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)
    team.pipe(f"{BUCKET}/first/tickets.parquet", in_parquet(tiny.messages(60), tmp_path / "made"))
    remote_task(tmp_path, model_folders)
    for command in (("check", "task.yaml"), ("ask", "task.yaml", "--facts-change", "never"), ("run", "task.yaml")):
        done = call(capsys, *command)
        assert done.code == 2
        said = " ".join(done.err.split())
        assert f'examples names "s3://{BUCKET}/first/tickets.parquet", a file in a bucket' in said
        assert "nothing is fetched unless you allow it. Start again with --allow-remote" in said
    checked = call(capsys, "check", "task.yaml", "--allow-remote")
    assert checked.code == 0
    assert checked.err == "\nNext: advisor run task.yaml --allow-remote\n"
    assert call(capsys, "ask", "task.yaml", "--facts-change", "never", "--allow-remote").code == 0


# ---------------------------------------------------------------- what is refused


def refused(desk: Path, models: Folders, address: str) -> str:
    spec, folder = read_spec(write_task(desk, models, f"examples: {json.dumps(address)}"))
    with pytest.raises(BadInput) as caught:
        load(spec, folder, allow_remote=True)
    return str(caught.value)


@pytest.mark.parametrize(
    "address",
    [
        "s3://key-canary:secret-canary@team-data/tickets.jsonl",
        "s3://team-data/tickets.jsonl?X-Amz-Signature=secret-canary",
        "s3://team-data/tickets.jsonl#secret-canary",
        "s3://team-data/secret-canary/",
        "s3://team-data/../secret-canary.jsonl",
        "s3://team-data/./secret-canary.jsonl",
        "s3://team-data/a//secret-canary.jsonl",
        "s3://team-data/.secret-canary",
        "s3://team-data/\u202esecret-canary.jsonl",
        "s3://team-data/secret-canary*.jsonl",
        "s3://team-data\\secret-canary.jsonl",
        "s3://evil.example/../@secret-canary.jsonl",
        "s3://Team-Data/secret-canary.jsonl",
        "s3://arn:aws:s3:us-east-1:123456789012:accesspoint/secret-canary.jsonl",
        "s3:///secret-canary.jsonl",
        "s3://team-data",
        "s3://team-data/" + "x" * 300,
    ],
)
def test_an_address_that_is_none_is_refused_where_it_stands_and_not_repeated(
    address: str, tmp_path: Path, model_folders: Folders
) -> None:
    task = write_task(tmp_path, model_folders, f"examples: {json.dumps(address)}")
    with pytest.raises(BadInput, match=r"^task\.yaml:\d+: examples is no address of one file in a bucket\.") as caught:
        read_spec(task)
    assert "canary" not in str(caught.value)


@pytest.mark.parametrize("key", ["recorded", "labels", "schema", "prices"])
def test_other_files_lie_beside_the_task(key: str, tmp_path: Path, model_folders: Folders) -> None:
    task = write_task(tmp_path, model_folders, f"{key}: s3://{BUCKET}/file.json")
    with pytest.raises(BadInput, match=r"an address, and nothing is fetched.*may lie in a bucket"):
        read_spec(task)


def test_without_the_extra_it_is_said_what_to_install(team: Any, tmp_path: Path, model_folders: Folders) -> None:
    remote_task(tmp_path, model_folders)
    program = (
        "import sys; sys.modules['s3fs'] = None; from advisor.cli import run_command_line; "
        "run_command_line(['check', 'task.yaml', '--allow-remote'])"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=tmp_path, env={"PYTHONPATH": str(ROOT)}, capture_output=True, text=True
    )
    assert done.returncode == 2
    said = " ".join(done.stderr.split())
    assert "packages that are not installed. Write: pip install 'finetune-advisor[remote]'" in said


def test_a_file_that_is_not_there_or_too_large(
    team: Any, tmp_path: Path, model_folders: Folders, monkeypatch: pytest.MonkeyPatch
) -> None:
    for address in (f"s3://{BUCKET}/none.jsonl", "s3://no-such-bucket/rows.jsonl"):
        assert f'examples names "{address}", and there is no such file.' in refused(tmp_path, model_folders, address)
    team.pipe(f"{BUCKET}/rows.jsonl", b"x" * 2_000)
    monkeypatch.setattr(bucket, "MAX_FILE_BYTES", 1_999)
    said = refused(tmp_path, model_folders, f"s3://{BUCKET}/rows.jsonl")
    assert "at most 1 GB is read. Take a sample of it." in said


def test_a_file_that_is_replaced_while_it_is_read_is_not_mixed(
    team: Any, tmp_path: Path, model_folders: Folders, monkeypatch: pytest.MonkeyPatch
) -> None:
    place, parts = f"{BUCKET}/moving.jsonl", []
    team.pipe(place, in_lines(tiny.messages(60)))
    told = bucket._in_our_words

    def replacing(shown: str) -> Any:
        parts.append(shown)
        if len(parts) == 3:  # It is open, and one part of it is read.
            team.pipe(place, in_lines(tiny.messages(60, 60)))
        return told(shown)

    monkeypatch.setattr(bucket, "_in_our_words", replacing)
    monkeypatch.setattr(bucket, "_AT_ONCE", 1_000)
    assert "which was replaced while it was read. Start again." in refused(tmp_path, model_folders, f"s3://{place}")
    assert len(parts) == 3


def test_nobody_is_signed_in(
    team: Any, tmp_path: Path, model_folders: Folders, monkeypatch: pytest.MonkeyPatch
) -> None:
    team.pipe(f"{BUCKET}/rows.jsonl", in_lines(tiny.messages(60)))
    for name in CANARIES:
        monkeypatch.delenv(name)
    said = refused(tmp_path, model_folders, f"s3://{BUCKET}/rows.jsonl")
    assert "no keys were found in the environment (NoCredentialsError). Set AWS_ACCESS_KEY_ID" in said


def test_a_bucket_that_anybody_may_read_takes_no_keys(
    team: Any, tmp_path: Path, model_folders: Folders, monkeypatch: pytest.MonkeyPatch
) -> None:
    team.pipe(f"{BUCKET}/first/tickets.parquet", in_parquet(tiny.messages(60), tmp_path / "made"), ACL="public-read")
    for name in CANARIES:
        monkeypatch.delenv(name)
    remote_task(tmp_path, model_folders)
    anybody = {"FSSPEC_S3_ANON": "true"}
    done = finish(start(tmp_path, "check", "task.yaml", "--allow-remote", environment=anybody))
    assert done.code == 0, done.err


# ---------------------------------------------------------------- servers that misbehave


def address_of(service: HTTPServer, monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.setenv("AWS_ENDPOINT_URL", service.url_for("").rstrip("/"))
    return f"s3://{BUCKET}/rows.jsonl"


def test_what_a_server_says_is_not_repeated(
    httpserver: HTTPServer, tmp_path: Path, model_folders: Folders, monkeypatch: pytest.MonkeyPatch
) -> None:
    said = "<Error><Code>AccessDenied</Code><Message>secret-canary \x1b[31m</Message></Error>"
    httpserver.expect_request(f"/{BUCKET}/rows.jsonl").respond_with_data(said, status=403)
    told = refused(tmp_path, model_folders, address_of(httpserver, monkeypatch))
    assert "which the keys of the environment may not read. Ask for the right to" in told
    assert "canary" not in told


@pytest.mark.parametrize("sent", [b"", b"x" * 200])
def test_a_server_that_sends_less_or_more_than_it_said(
    sent: bytes, httpserver: HTTPServer, tmp_path: Path, model_folders: Folders, monkeypatch: pytest.MonkeyPatch
) -> None:
    def answer(request: Any) -> Response:
        return Response(b"y" * 100 if request.method == "HEAD" else sent)

    httpserver.expect_request(f"/{BUCKET}/rows.jsonl").respond_with_handler(answer)
    told = refused(tmp_path, model_folders, address_of(httpserver, monkeypatch))
    assert "of which not all came. Start again." in told


def test_a_server_that_is_not_there(tmp_path: Path, model_folders: Folders, monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.create_server(("127.0.0.1", 0)) as closed:
        monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://127.0.0.1:{closed.getsockname()[1]}")
    monkeypatch.setenv("AWS_MAX_ATTEMPTS", "1")
    told = refused(tmp_path, model_folders, f"s3://{BUCKET}/rows.jsonl")
    assert "could not be fetched (EndpointConnectionError). Check AWS_ENDPOINT_URL and AWS_REGION" in told
