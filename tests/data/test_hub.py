"""What the Hugging Face hub holds: data of a task and models by id, out of the hub's own cache and from a hub on loopback."""

from __future__ import annotations

import hashlib
import json
import shutil
import socket
from collections.abc import Iterator, Mapping
from pathlib import Path
from threading import Thread

import pytest
from pytest_httpserver import HTTPServer
from werkzeug import Request, Response

from advisor.experiments.found import find
from benchmarks.contract import BadInput
from benchmarks.data import hub_data
from benchmarks.specs.spec import read_spec
from strategies.models.weights import ModelUnavailable, resolve
from tests import tiny
from tests.conftest import Folders
from tests.desk import call, write_task

COMMIT = "5f1c" * 10
TOKEN = "hf_canary-7b21"
DATA = "hf://datasets/some-team/tickets/data/train.parquet"
SAMPLE = Path(__file__).parents[1] / "samples" / "hub.parquet"
ROWS = "".join(json.dumps({"input": case.input, "output": case.output}) + "\n" for case in tiny.messages(60)).encode()


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The hub's cache of a person who is offline."""
    from huggingface_hub import constants

    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "hub"))
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    monkeypatch.setenv("HF_TOKEN", TOKEN)
    return tmp_path / "hub"


@pytest.fixture
def hub(httpserver: HTTPServer, monkeypatch: pytest.MonkeyPatch) -> HTTPServer:
    """A hub on loopback that can be reached."""
    from huggingface_hub import constants

    address = httpserver.url_for("").rstrip("/")
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
    monkeypatch.setattr(constants, "ENDPOINT", address)
    monkeypatch.setattr(
        constants, "HUGGINGFACE_CO_URL_TEMPLATE", f"{address}/{{repo_id}}/resolve/{{revision}}/{{filename}}"
    )
    return httpserver


@pytest.fixture
def broken(hub: HTTPServer, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A hub, or a firewall before it, that takes every connection and ends it without an answer."""
    from huggingface_hub import constants

    with socket.create_server(("127.0.0.1", 0)) as server:
        address = f"http://127.0.0.1:{server.getsockname()[1]}"
        place = f"{address}/{{repo_id}}/resolve/{{revision}}/{{filename}}"
        monkeypatch.setattr(constants, "ENDPOINT", address)
        monkeypatch.setattr(constants, "HUGGINGFACE_CO_URL_TEMPLATE", place)

        def hang_up() -> None:
            while True:
                try:
                    server.accept()[0].close()
                except OSError:
                    return

        answering = Thread(target=hang_up, daemon=True)
        answering.start()
        yield
        server.shutdown(socket.SHUT_RDWR)
        answering.join(5)


def keep(cache: Path, place: str, files: Mapping[str, Path], branch: str = "main") -> None:
    """As huggingface_hub keeps what it fetched."""
    folder = cache / place
    (folder / "refs").mkdir(parents=True, exist_ok=True)
    (folder / "refs" / branch).write_text(COMMIT, encoding="ascii")
    for name, source in files.items():
        (folder / "snapshots" / COMMIT / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(source, folder / "snapshots" / COMMIT / name)


def files_in(folder: Path) -> dict[str, Path]:
    return {path.relative_to(folder).as_posix(): path for path in folder.rglob("*") if path.is_file()}


# ---------------------------------------------------------------- data


def test_data_of_the_hub_is_read_out_of_its_cache_as_from_beside_the_task(
    cache: Path, tmp_path: Path, model_folders: Folders
) -> None:
    keep(cache, "datasets--some-team--tickets", {"data/train.parquet": SAMPLE})
    keep(cache, "datasets--some-team--tickets", {"data/train.parquet": SAMPLE}, branch="v2")
    shutil.copyfile(SAMPLE, tmp_path / "train.parquet")
    beside = find(write_task(tmp_path, model_folders, "examples: train.parquet")).data()
    assert len(beside.examples) > 1
    for address in (DATA, DATA.replace("tickets", "tickets@v2"), DATA.replace("tickets", f"tickets@{COMMIT}")):
        task = write_task(tmp_path, model_folders, f"examples: {address}")
        assert find(task, allow_remote=True).data() == beside


def test_data_is_fetched_once_with_the_token_and_only_where_that_is_allowed(
    hub: HTTPServer, tmp_path: Path, model_folders: Folders, capsys: pytest.CaptureFixture[str]
) -> None:
    asked = []

    def answer(request: Request) -> Response:
        asked.append((request.method, request.headers.get("Authorization")))
        return Response(ROWS, headers={"ETag": '"e"', "X-Repo-Commit": COMMIT})

    hub.expect_request("/datasets/some-team/tickets/resolve/v2/rows.jsonl").respond_with_handler(answer)
    task = write_task(tmp_path, model_folders, "examples: hf://datasets/some-team/tickets@v2/rows.jsonl")
    refused = call(capsys, "check", str(task))
    assert (refused.code, asked) == (2, [])
    said = " ".join(refused.err.split())
    assert 'examples names "hf://datasets/some-team/tickets@v2/rows.jsonl", a file of the hub, and nothing' in said
    for _ in range(2):
        done = call(capsys, "check", str(task), "--allow-remote", "--json")
        assert done.code == 0, done.err
        assert len(find(task, allow_remote=True).data().examples) == 60
    assert [method for method, _ in asked].count("GET") == 1
    assert {token for _, token in asked} == {f"Bearer {TOKEN}"}
    assert TOKEN not in done.out + done.err + refused.err


@pytest.mark.parametrize(
    ("headers", "status", "says"),
    [
        ({"X-Error-Code": "EntryNotFound"}, 404, "has no such file. Correct the address: it names one file"),
        ({"X-Error-Code": "RevisionNotFound"}, 404, "has no revision 'v2'. Write a branch, a tag or a commit."),
        ({"X-Error-Code": "RepoNotFound"}, 401, "The hub has no data set some-team/tickets, or it is private."),
        ({"X-Error-Code": "GatedRepo"}, 403, "is gated: accept its terms on its page with your account"),
        (
            {"X-Error-Message": "Enable access to public gated repositories in your token settings"},
            403,
            "is not complete in the local cache, and the hub answered 403 FORBIDDEN (Enable access to public gated "
            "repositories in your token settings). Check HF_TOKEN, and what its account may read, or put the file beside",
        ),
        ({"X-Linked-Size": "2000000000"}, 200, "which has 2.0 GB; at most 1 GB is read. Take a sample of it."),
    ],
)
def test_what_the_hub_does_not_give_is_one_sentence(
    headers: dict[str, str], status: int, says: str, hub: HTTPServer, tmp_path: Path, model_folders: Folders
) -> None:
    given = {"ETag": '"e"', "X-Repo-Commit": COMMIT, **headers}
    hub.expect_request("/datasets/some-team/tickets/resolve/v2/rows.jsonl").respond_with_data(
        TOKEN, status=status, headers=given
    )
    address = "hf://datasets/some-team/tickets@v2/rows.jsonl"
    task = write_task(tmp_path, model_folders, f"examples: {address}")
    with pytest.raises(BadInput) as caught:
        find(task, allow_remote=True).data()
    assert str(caught.value).startswith(f'examples names "{address}"')
    assert says in str(caught.value)
    assert TOKEN not in str(caught.value)
    assert not any(request.method == "GET" for request, _ in hub.log)


@pytest.mark.usefixtures("broken")
def test_where_the_connection_breaks_off_what_is_on_the_disk_is_taken(
    cache: Path, tmp_path: Path, model_folders: Folders
) -> None:
    """It was a fault of the program, whether anything was to be fetched or not."""
    task = write_task(tmp_path, model_folders, f"examples: {DATA}")
    with pytest.raises(
        BadInput, match=r"^examples names .*the connection to the hub failed \(.+\)\. What has arrived is kep"
    ):
        find(task, allow_remote=True).data()
    with pytest.raises(
        ModelUnavailable, match=r"^some-team/small could not be fetched whole: the connection to the hub fai"
    ):
        resolve("some-team/small")
    keep(cache, "datasets--some-team--tickets", {"data/train.parquet": SAMPLE})
    keep(cache, "models--some-team--small", files_in(model_folders.language))
    assert len(find(task, allow_remote=True).data().examples) > 1
    assert resolve("some-team/small").fingerprint == resolve(str(model_folders.language)).fingerprint


def test_offline_it_is_said_how_to_have_it(tmp_path: Path, model_folders: Folders) -> None:
    task = write_task(tmp_path, model_folders, f"examples: {DATA}")
    with pytest.raises(BadInput, match=r"not complete in the local cache and HF_HUB_OFFLINE is set.*beside the task"):
        find(task, allow_remote=True).data()


@pytest.mark.parametrize(
    "address",
    [
        "hf://some-team/tickets/canary.jsonl",
        "hf://datasets/canary.jsonl",
        "hf://datasets/some-team/tickets",
        "hf://datasets/some-team/tickets/",
        "hf://datasets/some-team/tickets/../canary.jsonl",
        "hf://datasets/some-team/tickets@../canary.jsonl",
        "hf://datasets/hf_canary@some-team/tickets/rows.jsonl",
        "hf://datasets/some-team/tickets/rows.jsonl?token=canary",
        "hf://datasets/some-team/tickets/" + "x" * 600,
    ],
)
def test_an_address_that_is_none_is_refused_where_it_stands_and_not_repeated(
    address: str, tmp_path: Path, model_folders: Folders
) -> None:
    task = write_task(tmp_path, model_folders, f"examples: {json.dumps(address)}")
    with pytest.raises(BadInput, match=r"^task\.yaml:\d+: examples is no address of one file of a data set") as caught:
        read_spec(task)
    assert "canary" not in str(caught.value)


def test_the_parts_of_an_address() -> None:
    found = hub_data.checked("hf://datasets/a/b@refs/convert/parquet/default/train/0000.parquet", "examples")
    assert found.groupdict() == {
        "owner": "a",
        "name": "b",
        "revision": "refs/convert/parquet",
        "file": "default/train/0000.parquet",
    }


# ---------------------------------------------------------------- models


def test_of_a_model_the_weights_that_nothing_reads_are_not_fetched(
    hub: HTTPServer, cache: Path, model_folders: Folders
) -> None:
    """Mistral puts the same ones there twice."""
    files = {**files_in(model_folders.language), "consolidated.safetensors": model_folders.language / "config.json"}
    listed = [
        {"type": "file", "path": name, "size": path.stat().st_size, "oid": COMMIT} for name, path in files.items()
    ]
    about = {"id": "some-team/small", "sha": COMMIT, "siblings": []}
    hub.expect_request("/api/models/some-team/small/revision/main").respond_with_json(about)
    hub.expect_request(f"/api/models/some-team/small/tree/{COMMIT}").respond_with_json(listed)
    for name, path in files.items():
        content = path.read_bytes()
        headers = {"ETag": f'"{hashlib.sha256(content).hexdigest()}"', "X-Repo-Commit": COMMIT}
        hub.expect_request(f"/some-team/small/resolve/{COMMIT}/{name}").respond_with_data(content, headers=headers)
    found = resolve("some-team/small")
    assert {path.name for path in found.folder.iterdir()} == files.keys() - {"consolidated.safetensors"}
    assert found.fingerprint == resolve(str(model_folders.language)).fingerprint
    shutil.copyfile(model_folders.language / "model.safetensors", found.folder / "consolidated.safetensors")
    assert resolve("some-team/small").fingerprint == found.fingerprint, "one that was fetched before"


def test_a_part_of_a_model_in_the_cache_is_no_model_without_weights(
    hub: HTTPServer, cache: Path, model_folders: Folders, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Another program may have fetched what it needs alone; the hub that cannot say so is named with its answer."""
    from huggingface_hub import constants

    files = files_in(model_folders.language)
    keep(cache, "models--some-team--small", {"config.json": files["config.json"]})
    hub.expect_request("/api/models/some-team/small/revision/main").respond_with_data("", status=503)
    with pytest.raises(
        ModelUnavailable, match=r"the hub answered 503 SERVICE UNAVAILABLE\. Give the same command again later"
    ):
        resolve("some-team/small")
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    with pytest.raises(
        ModelUnavailable, match=r"is not complete in the local cache and HF_HUB_OFFLINE is set\. Fetch it once"
    ):
        resolve("some-team/small")


def test_models_by_id_take_part_in_a_run_out_of_the_hubs_cache(
    cache: Path, tmp_path: Path, model_folders: Folders, capsys: pytest.CaptureFixture[str]
) -> None:
    keep(cache, "models--some-team--small", files_in(model_folders.language))
    keep(cache, "models--some-team--vectors", files_in(model_folders.embedder), branch="v1")
    found = resolve("some-team/small")
    assert (found.name, found.revision, found.kind) == ("some-team/small", COMMIT, "language")
    assert found.fingerprint == resolve(str(model_folders.language)).fingerprint
    assert call(capsys, "models", "fetch", "some-team/vectors@v1").code == 0
    task = write_task(tmp_path, model_folders, "models: [some-team/small]", "embedder: some-team/vectors@v1")
    options = ("--approach", "prompting", "--approach", "linear head", "--effort", "quick", "--probes", "none", "--yes")
    done = call(capsys, "run", str(task), "--out", str(tmp_path / "run"), "--no-second-seed", "--json", *options)
    assert done.code in (0, 100, 101), done.err
    facts = json.loads(done.out)["facts"]
    told = {each["name"]: each["model"] for each in facts["candidates"]}
    assert "some-team/small" in told.values()
    assert str(tmp_path) not in done.out
