"""A model of a hub is known by its weights: a branch that was moved holds another model under the same id."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
from pytest_httpserver import HTTPServer

from benchmarks.running.models import Models
from benchmarks.specs.spec_models import EmbedderSpec, ModelSpec
from strategies.models.embedding import LocalEmbedder
from strategies.retrieval.index import PassageIndex
from strategies.standalone import alone, lookup
from tests import tiny
from tests.conftest import Folders
from tests.desk import call, write_task
from tests.hub import Hub

VECTORS = "some-team/vectors"
QUICK = ("--approach", "linear head", "--effort", "quick", "--probes", "none", "--yes", "--no-second-seed")


@pytest.fixture
def hub(httpserver: HTTPServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Hub:
    return Hub.open(httpserver, tmp_path / "hub", monkeypatch)


def scaled(folder: Path, place: Path) -> Path:
    """The embedder with other weights."""
    from safetensors.torch import load_file, save_file

    made = Path(shutil.copytree(folder, place))
    found = load_file(made / "model.safetensors")
    moved = {name: value.flip(0).contiguous() for name, value in found.items()}
    save_file(moved, made / "model.safetensors", {"format": "pt"})
    return made


def about(run: Path) -> Any:
    return json.loads((run / "run.json").read_text(encoding="utf-8"))


def answers(capsys: pytest.CaptureFixture[str], run: Path, rows: Path) -> list[Any]:
    done = call(capsys, "predict", str(run), str(rows), "--candidate", "linear head")
    assert done.code == 0, done.err
    return [json.loads(line) for line in done.out.splitlines()]


def test_a_run_keeps_the_commit_it_began_with_and_another_one_is_another_look(
    hub: Hub, tmp_path: Path, model_folders: Folders, capsys: pytest.CaptureFixture[str]
) -> None:
    other = scaled(model_folders.embedder, tmp_path / "other")
    first = hub.push(VECTORS, model_folders.embedder)
    task, run = write_task(tmp_path / "desk", model_folders, f"embedder: {VECTORS}"), tmp_path / "run"
    rows = tmp_path / "new.jsonl"
    rows.write_text("".join(json.dumps({"input": case.input}) + "\n" for case in tiny.messages(8, 90)), "utf-8")

    def ran(out: Path, *options: str) -> str:
        done = call(capsys, "run", str(task), *QUICK, "--out", str(out), *options)
        assert done.code in (0, 100, 101), done.err
        return done.err

    ran(run)
    before = answers(capsys, run, rows)
    bom = json.loads((run / "bom.json").read_text(encoding="utf-8"))["components"]
    assert f"pkg:huggingface/{VECTORS}@{first}" in [each.get("purl") for each in bom]
    exported = tmp_path / "exported"
    assert call(capsys, "export", str(run), str(exported), "--candidate", "linear head").code == 0
    assert f"`{VECTORS}@{first}`" in (exported / "README.md").read_text(encoding="utf-8")

    second = hub.push(VECTORS, other)
    ran(run, "--resume")
    for kept in (run, exported):
        assert answers(capsys, kept, rows) == before
    text, said = tiny.messages(1, 90)[0].input, before[0]["answer"]
    assert alone.surely(exported, f"{VECTORS}@{first}")(text).text == said
    ran(tmp_path / "again")
    looks = [json.loads(line) for line in (task.parent / "looks.jsonl").read_text(encoding="utf-8").splitlines()]
    assert [each["look"] for each in looks] == [1, 2]
    assert about(tmp_path / "again")["commits"] == {VECTORS: second}

    values = about(run)  # As an earlier version left it, which knew no commits.
    assert values.pop("commits") == {VECTORS: first}
    (run / "run.json").write_text(json.dumps(values), encoding="utf-8")
    done = call(capsys, "predict", str(run), str(rows), "--candidate", "linear head")
    assert (done.code, "has other weights than in the run" in " ".join(done.err.split())) == (2, True)
    done = call(capsys, "run", str(task), *QUICK, "--out", str(run), "--resume")
    assert (done.code, "made with weights of the embedder of the hash" in " ".join(done.err.split())) == (2, True)


def test_a_rehearsal_fetches_no_weights_and_says_how_many_there_are(
    hub: Hub, tmp_path: Path, model_folders: Folders, capsys: pytest.CaptureFixture[str]
) -> None:
    hub.push("some-team/small", model_folders.language, card="mit")
    hub.push(VECTORS, model_folders.embedder, card="mit")
    lines = (f"embedder: {VECTORS}", "models: [some-team/small]", "constraints: {licences: [MIT]}")
    task = write_task(tmp_path / "desk", model_folders, *lines)
    done = call(capsys, "run", str(task), "--dry-run", "--json")
    assert done.code == 0, done.err
    sizes = {each["model"]: each["bytes"] for each in json.loads(done.out)["to_download"]}
    assert sizes.keys() == {"some-team/small", VECTORS}
    assert sizes["some-team/small"] > (model_folders.language / "model.safetensors").stat().st_size
    assert set(hub.fetched) == {"README.md"}


def test_a_licence_that_is_not_allowed_leaves_a_model_of_a_hub_out_by_its_card_alone(
    hub: Hub, model_folders: Folders
) -> None:
    for name, card in (("open", "mit"), ("closed", "llama3.2"), ("silent", "")):
        hub.push(f"some-team/{name}", model_folders.language, card=card)
    specs = [ModelSpec(name=f"some-team/{name}") for name in ("open", "closed", "silent")]
    left, told = Models(specs, licences=("MIT",), embedder_spec=EmbedderSpec(name="some-team/open")).permitted()
    assert left.names == ("some-team/open",)
    assert "The model some-team/closed comes under llama3.2, and the task allows MIT." in told[0]
    assert "The model some-team/silent states no licence" in told[1]
    assert set(hub.fetched) == {"README.md"}


def test_an_exported_search_takes_a_hub_id_with_its_commit(
    hub: Hub,
    tmp_path: Path,
    model_folders: Folders,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    first = hub.push(VECTORS, model_folders.embedder)
    hub.push(VECTORS, scaled(model_folders.embedder, tmp_path / "other"))
    embedder = LocalEmbedder(name=VECTORS, folder=model_folders.embedder, fingerprint="")
    PassageIndex.build(tiny.rooms(), embedder, 40).save(tmp_path / "index")
    asked = ["lookup.py", "Which room?", "--index", str(tmp_path / "index"), "--embedder"]
    monkeypatch.setattr("sys.argv", [*asked, f"{VECTORS}@{first}"])
    lookup.main()
    assert "room-" in capsys.readouterr().out
    monkeypatch.setattr("sys.argv", [*asked, f"{VECTORS}@v9"])
    with pytest.raises(SystemExit, match=r"some-team/vectors@v9 could not be fetched from the hub"):
        lookup.main()
