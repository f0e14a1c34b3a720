"""A fit answers with the models that it was fitted with, on whatever machine, and with no others."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from advisor.deploy.answering import Kept, _Loaded
from advisor.deploy.as_fitted import must_fit, must_look_up_alike, must_speak_alike
from benchmarks.contract import BadInput
from benchmarks.running.models import Models
from benchmarks.specs.spec_models import EmbedderSpec, ModelSpec
from strategies.models import device, quantised
from strategies.models.local import LocalModel
from strategies.models.reranking import LocalReranker
from strategies.models.served import ServedModel
from strategies.models.sizes import FIXED_BYTES
from strategies.models.vllm_server import VllmServer
from tests import tiny

HERE = LocalModel(
    name="tiny", folder=Path("nowhere"), weights_fingerprint="w", placement=replace(tiny.FLOAT32, dtype="bfloat16")
)


def on(device: str, tokens: int, **more: Any) -> LocalModel:
    return replace(HERE, placement=replace(HERE.placement, device=device), batch_tokens=tokens, **more)


def kept(**values: Any) -> Kept:
    told = {
        "spec": {},
        "candidates": {},
        "places": {},
        "cascades": {},
        "weights": {},
        "dtype": "bfloat16",
        "sampling": {},
        "searches": {"embedder": "words"},
        "form": {},
    }
    return Kept(name="run", **{**told, **values})


@pytest.mark.parametrize("place", ["cpu", "mps", "cuda", "cuda:0", "cuda:3"])
@pytest.mark.parametrize(
    ("tokens", "stated"), [(2048, {}), (32_768, {}), (8192, {"tiny": 8192}), (1000, {"tiny": 1000})]
)
def test_device_and_size_of_batches_are_no_other_weights(place: str, tokens: int, stated: dict[str, int]) -> None:
    there = on(place, tokens)
    must_speak_alike(kept(weights={"tiny": there.fingerprint}, batches=stated), HERE)
    server = VllmServer(HERE.folder, HERE.placement)
    served = [ServedModel(here=each, server=server) for each in (there, HERE)]
    must_speak_alike(kept(weights={"tiny": served[0].fingerprint}, batches=stated), served[1])


def test_other_weights_and_weights_in_four_bits_are_refused() -> None:
    for known in (on("cuda:0", 8192, weights_fingerprint="v").fingerprint, "unknown", None):
        with pytest.raises(BadInput, match="tiny has other weights than in the run"):
            must_speak_alike(kept(weights={"tiny": known}), HERE)
    small = on("cuda:0", 8192, quantised=True)
    with pytest.raises(BadInput, match="tiny was held in four bits in the run and is held whole here"):
        must_speak_alike(kept(weights={"tiny": small.fingerprint}), HERE)
    with pytest.raises(BadInput, match="tiny was held whole in the run and is held in four bits here"):
        must_speak_alike(kept(weights={"tiny": HERE.fingerprint}), small)


@pytest.mark.parametrize("small", [True, False])
def test_it_is_held_as_in_the_run_whatever_of_the_card_is_free(
    small: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Another program on the card made it another model, which was refused."""
    folder = tiny.model_folder(tmp_path)
    card = replace(HERE.placement, device="cuda:0")
    monkeypatch.setattr(quantised, "find_spec", lambda name: object())
    room = 10**12 if small else FIXED_BYTES + 10**8
    monkeypatch.setattr(device, "memory_available", lambda device: room)
    models = Models((ModelSpec(name="tiny", folder=str(folder)),), _placement=card)
    found: Any = models.language("tiny")
    assert found.quantised != small
    known = replace(found, quantised=small)
    loaded = _Loaded(kept=kept(weights={"tiny": known.fingerprint}), task="", _models=models)
    assert loaded.checked("tiny") == models.language("tiny") == known
    monkeypatch.setattr(device, "memory_available", lambda device: 10**8)
    how = "in four bits" if small else "whole"
    with pytest.raises(
        BadInput,
        match=f"tiny was held {how} in the run and needs about 0.9 GB of graphics memory; 0.1 GB are free. Free",
    ):
        must_fit(known)
    must_fit(replace(known, placement=HERE.placement))


@pytest.mark.parametrize(
    ("searches", "said"),
    [
        ({"embedder": "words"}, ""),
        ({"embedder": "moved", "embedder_weights": "word-hashes-64"}, ""),
        ({"embedder": "words", "embedder_files": "v"}, "The embedder words has other weights than in the run"),
        ({"embedder": "others", "embedder_weights": "v"}, "The embedder is words, and in the run it was others"),
        ({"embedder": "others"}, "The embedder is words, and in the run it was others"),
    ],
)
def test_what_answers_with_vectors_needs_the_embedder_of_the_run(
    searches: dict[str, str], said: str, tmp_path: Path
) -> None:
    models = Models((), embedder_spec=EmbedderSpec(name="words"), _embedder=tiny.WordHashes())
    (tmp_path / "heads.json").write_text("{}", encoding="utf-8")
    if said:
        with pytest.raises(BadInput, match=said):
            must_look_up_alike(kept(searches=searches), tmp_path, models)
    else:
        must_look_up_alike(kept(searches=searches), tmp_path, models)
    (tmp_path / "heads.json").rename(tmp_path / "words.json")
    must_look_up_alike(kept(searches=searches), tmp_path, models)
    (tmp_path / "prompt.json").write_text('{"messages": []}', encoding="utf-8")
    must_look_up_alike(kept(searches=searches), tmp_path, models)


def test_passages_that_were_reranked_need_the_reranker_of_the_run(tmp_path: Path) -> None:
    (tmp_path / "index").mkdir()
    (tmp_path / "pipeline.json").write_text('{"setup": {"mode": "reranked"}}', encoding="utf-8")
    then = kept(searches={"embedder": "words", "reranker": "r"})
    models = Models((), embedder_spec=EmbedderSpec(name="words"), _embedder=tiny.WordHashes())
    with pytest.raises(BadInput, match="were sorted by a reranker, and the task names none"):
        must_look_up_alike(then, tmp_path, models)
    models._reranker = LocalReranker(name="crossing", folder=tmp_path, fingerprint="r")
    must_look_up_alike(then, tmp_path, models)
    models._reranker = LocalReranker(name="crossing", folder=tmp_path, fingerprint="q")
    with pytest.raises(BadInput, match="The reranker crossing is not the one of the run"):
        must_look_up_alike(then, tmp_path, models)
