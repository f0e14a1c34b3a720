"""Weights that can run code when they are read: never read, under whatever name and wherever in a model's folder they lie."""

from __future__ import annotations

import json
import pickle
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file

from strategies.contract import Recipe
from strategies.finetuning import adapters
from strategies.models import unpickled
from strategies.models.embedding import LocalEmbedder
from strategies.models.local import LocalModel
from strategies.models.reranking import LocalReranker
from strategies.models.weights import ModelUnavailable, resolve
from strategies.standalone import alone
from tests import tiny
from tests.conftest import Folders
from tests.desk import call, write_task

DENSE = {"in_features": 32, "out_features": 8, "bias": True}


class Touches:
    """Leaves a file behind where it is unpickled."""

    def __init__(self, canary: Path) -> None:
        self.canary = canary

    def __reduce__(self) -> Any:
        return Path.touch, (self.canary,)


@pytest.fixture
def pickled(tmp_path: Path) -> Iterator[bytes]:
    """A pickle that leaves a file behind where somebody opens it; nobody may."""
    yield pickle.dumps(Touches(tmp_path / "ran"))
    assert not (tmp_path / "ran").exists()


@pytest.fixture
def language(tmp_path: Path, model_folders: Folders) -> Path:
    return Path(shutil.copytree(model_folders.language, tmp_path / "language"))


@pytest.fixture
def embedder(tmp_path: Path, model_folders: Folders) -> Path:
    return Path(shutil.copytree(model_folders.embedder, tmp_path / "embedder"))


def with_decoy(folder: Path) -> Path:
    """Whole weights as torch saves them, and a safetensors file that nothing takes."""
    weights = folder / "model.safetensors"
    torch.save(load_file(weights), folder / "pytorch_model.bin")
    weights.rename(folder / "decoy.safetensors")
    return folder


def with_module(folder: Path, name: str, kind: str = "Dense") -> Path:
    """The embedder with one more module, whose folder is returned."""
    path = folder / "modules.json"
    module = {"idx": 2, "name": "2", "path": name, "type": f"sentence_transformers.models.{kind}"}
    path.write_text(json.dumps([*json.loads(path.read_text()), module]))
    place = folder / name
    place.mkdir(parents=True)
    (place / "config.json").write_text(json.dumps(DENSE))
    return place


def opened(folder: Path) -> Any:
    """The embedder, loaded where nobody resolved its folder before."""
    return LocalEmbedder(name="odd", folder=folder, fingerprint="x").model


# ---------------------------------------------------------------- in place of weights


def test_a_pickle_beside_a_decoy_is_not_taken(language: Path) -> None:
    with_decoy(language)
    with pytest.raises(ModelUnavailable, match=r"holds no model\.safetensors\. Weights in other formats can run code"):
        resolve(str(language))
    model = LocalModel(name="odd", folder=language, weights_fingerprint="x", placement=tiny.FLOAT32)
    with pytest.raises(OSError, match=r"no file named model\.safetensors"):
        model.base()


def test_nor_by_the_program_of_an_export(language: Path, tmp_path: Path) -> None:
    with_decoy(language)
    (tmp_path / "prompt.json").write_text("{}")
    with pytest.raises(SystemExit, match="holds pickled weights or lacks"):
        alone.surely(tmp_path, str(language))
    (language / "pytorch_model.bin").rename(language / "pytorch_model-00001-of-00001.bin")
    with pytest.raises(OSError, match=r"no file named model\.safetensors"):
        alone.surely(tmp_path, str(language))


def test_a_pickle_beside_the_weights_is_left_alone(language: Path) -> None:
    torch.save({}, language / "pytorch_model.bin")
    assert resolve(str(language)).kind == "language"
    assert tiny.local_model(language).parts.model is not None


@pytest.mark.parametrize("name", ["adapter_model.bin", "adapter_config.json"])
def test_a_model_with_an_adapter_beside_it_is_refused(language: Path, name: str, pickled: bytes) -> None:
    (language / name).write_bytes(pickled)
    with pytest.raises(ModelUnavailable, match=f"language holds {name}: it is an adapter.*merge_and_unload"):
        resolve(str(language))


def test_parts_of_a_model_are_safetensors_of_the_same_folder(language: Path) -> None:
    (language / "model.safetensors").rename(language / "model-00001-of-00001.safetensors")
    index = language / unpickled.INDEX
    for part in ("pytorch_model.bin", "../x.safetensors", "/x.safetensors"):
        index.write_text(json.dumps({"weight_map": {"lm_head.weight": part}}))
        with pytest.raises(ModelUnavailable, match="names weights that are no safetensors in the same folder"):
            resolve(str(language))
    index.write_text(json.dumps({"weight_map": {"lm_head.weight": "model-00001-of-00001.safetensors"}}))
    assert resolve(str(language)).kind == "language"


# ---------------------------------------------------------------- under a safe name

NOT_SAFETENSORS = {
    "a stub": b"version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 1\n",
    "nothing": b"",
    "a length without a header": (100).to_bytes(8, "little") + b"{}",
    "a header that is a list": (2).to_bytes(8, "little") + b"[]",
    "a header that is deep": (200_000).to_bytes(8, "little") + b"[" * 200_000,
    "an endless header": (1 << 62).to_bytes(8, "little") + b"{}",
}


@pytest.mark.parametrize("content", NOT_SAFETENSORS.values(), ids=NOT_SAFETENSORS.keys())
def test_what_is_no_safetensors_is_refused_by_its_content(language: Path, content: bytes) -> None:
    (language / "model.safetensors").write_bytes(content)
    with pytest.raises(ModelUnavailable, match=r"model\.safetensors of language does not begin as safetensors do"):
        resolve(str(language))


def test_a_file_that_was_copied_in_part_is_refused_before_it_is_reckoned_with(language: Path) -> None:
    weights = language / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:-100])
    with pytest.raises(ModelUnavailable, match=r"model\.safetensors of language ends before its weights do"):
        resolve(str(language))


def test_a_pickle_under_a_safe_name_ends_with_a_sentence_and_exit_code_2(
    language: Path, tmp_path: Path, model_folders: Folders, pickled: bytes, capsys: pytest.CaptureFixture[str]
) -> None:
    (language / "model.safetensors").write_bytes(pickled)
    task = write_task(tmp_path, model_folders, f"models: [{language}]")
    done = call(capsys, "run", str(task), "--approach", "prompting", "--yes", "--out", str(tmp_path / "run"))
    assert done.code == 2
    said = " ".join(done.err.split())
    assert "model.safetensors of language does not begin as safetensors do, so it is something else" in said
    assert "Traceback" not in done.err


# ---------------------------------------------------------------- modules of an embedder


@pytest.mark.parametrize("name", ["pytorch_model.bin", "weights.PKL"])
def test_a_pickle_in_a_modules_folder_is_refused(embedder: Path, name: str, pickled: bytes) -> None:
    (with_module(embedder, "2_Dense") / name).write_bytes(pickled)
    for load in (lambda: resolve(str(embedder)), lambda: opened(embedder), lambda: reranker(embedder).model):
        with pytest.raises(ModelUnavailable, match=rf"holds {name} where model\.safetensors belongs"):
            load()
    if name in alone.PICKLED:
        with pytest.raises(SystemExit, match="holds pickled weights"):
            alone.embedding(str(embedder))


def reranker(folder: Path) -> LocalReranker:
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps({**config, "architectures": ["BertForSequenceClassification"]}))
    return LocalReranker(name="odd", folder=folder, fingerprint="x")


def test_also_where_one_module_hands_on_to_others(embedder: Path, pickled: bytes) -> None:
    place = with_module(embedder, "2_Router", "Router")
    (place / "router_config.json").write_text(json.dumps({"types": {"query_0_Dense": "sentence_transformers.Dense"}}))
    (place / "query_0_Dense").mkdir()
    before = resolve(str(embedder)).fingerprint
    (place / "query_0_Dense" / "config.json").write_text("{}")
    assert resolve(str(embedder)).fingerprint != before, "what it holds decides what is answered"
    (place / "query_0_Dense" / "pytorch_model.bin").write_bytes(pickled)
    with pytest.raises(ModelUnavailable, match=r"holds pytorch_model\.bin where model\.safetensors belongs"):
        resolve(str(embedder))


def test_the_encoder_of_an_embedder_is_not_taken_from_a_pickle(embedder: Path) -> None:
    """Nor where its own configuration asks for that, and nobody looked into the folder."""
    path = embedder / "sentence_bert_config.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), "model_args": {"use_safetensors": False}}))
    with_decoy(embedder)
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(unpickled, "check", lambda *_: None)
        patched.setattr(alone, "check", lambda *_: None)
        for load in (opened, lambda folder: reranker(folder).model, lambda folder: alone.embedding(str(folder))):
            with pytest.raises(OSError, match=r"no file named model\.safetensors"):
                load(embedder)


@pytest.mark.parametrize(
    "text", ["{}", "[1]", "[" * 200_000, "no JSON", '[{"path": "../elsewhere"}]', '[{"path": "/etc"}]']
)
def test_a_list_of_modules_that_is_none_is_a_sentence(embedder: Path, text: str) -> None:
    (embedder / "modules.json").write_text(text)
    with pytest.raises(ModelUnavailable, match=r"does not list modules|lies outside of it"):
        resolve(str(embedder))


# ---------------------------------------------------------------- adapters


def test_an_adapter_is_not_taken_from_a_pickle(language: Path, tmp_path: Path, pickled: bytes) -> None:
    place, model = tmp_path / "adapter", tiny.local_model(language)
    adapters.save(adapters.attach(model.base(), Recipe(rank=2), 0), place, ("tiny", "x"))
    weights = place / "adapter_model.safetensors"
    torch.save(load_file(weights), place / "adapter_model.bin")
    weights.rename(place / "decoy.safetensors")
    with pytest.raises(ModelUnavailable, match=r"The adapter in adapter has no adapter_model\.safetensors"):
        adapters.loaded(model.base(), place)
    (tmp_path / "prompt.json").write_text("{}")
    with pytest.raises(SystemExit, match=r"lacks adapter_model\.safetensors"):
        alone.surely(tmp_path, str(language))
    weights.write_bytes(pickled)
    with pytest.raises(
        ModelUnavailable, match=r"adapter_model\.safetensors of adapter does not begin as safetensors do"
    ):
        adapters.loaded(model.base(), place)
