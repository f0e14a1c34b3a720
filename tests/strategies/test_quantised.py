"""Weights in four bits: taken only where the graphics card holds no more, an adapter beside them, told, and part of a run."""

from __future__ import annotations

import dataclasses
import json
import shutil
from pathlib import Path
from typing import Any

import pytest
import torch

from benchmarks.contract import BadInput
from benchmarks.costs.forecast import weight_bytes
from benchmarks.running.models import Models
from benchmarks.specs.spec_models import ModelSpec
from strategies.contract import Message, Recipe, Sampling, TrainingRow
from strategies.finetuning.adapters import loaded, prove_effect
from strategies.finetuning.packs import answer_loss, encode
from strategies.models import device, quantised
from strategies.models.device import Placement
from strategies.models.local import LocalModel
from tests import tiny

CARD = Placement(device="cuda:0", dtype="bfloat16", threads=1, why="as told")
ROWS = [
    TrainingRow(prompt=(Message("user", f"say {word}"),), answer=word) for word in ("red", "blue", "green", "gray") * 4
]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Blocks of 64 weights have to fit into a row."""
    with pytest.MonkeyPatch.context() as patch:
        sizes = {**tiny._sizes(), "hidden_size": 64, "intermediate_size": 128}
        patch.setattr(tiny, "_sizes", lambda: sizes)
        return tiny.model_folder(tmp_path_factory.mktemp("wide"))


@pytest.fixture
def bits(monkeypatch: pytest.MonkeyPatch) -> None:
    """On processors bitsandbytes answers by a product that has no gradient, where it knows a quick one."""
    modules = pytest.importorskip("bitsandbytes.nn.modules")
    monkeypatch.setattr(modules, "has_avx512bf16", lambda: False)


def four_bits(folder: Path) -> LocalModel:
    return dataclasses.replace(tiny.local_model(folder), quantised=True)


def with_room_for(monkeypatch: pytest.MonkeyPatch, size: int) -> None:
    monkeypatch.setattr(device, "memory_available", lambda device: size)


def test_only_where_the_card_holds_no_more(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(quantised, "find_spec", lambda name: object() if name == "bitsandbytes" else None)
    weights = quantised.parameters(folder)
    assert weights == sum(weight.numel() for weight in tiny.local_model(folder).base().parameters())
    enough = round(quantised.COPIES * quantised.SPARE * 2 * weights)
    with_room_for(monkeypatch, enough)
    assert not quantised.wanted(folder, CARD)
    with_room_for(monkeypatch, enough - 1)
    assert quantised.wanted(folder, CARD)
    assert not quantised.wanted(folder, dataclasses.replace(CARD, device="cpu")), "the processor has no use for it"
    monkeypatch.setattr(quantised, "find_spec", lambda name: None)
    assert not quantised.wanted(folder, CARD), "nobody is there to do it"


def test_weights_that_lie_there_twice_count_once(folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Mistral puts `consolidated.safetensors` beside the parts that packages read."""
    from strategies.finetuning import partner

    twice = tmp_path / "twice"
    shutil.copytree(folder, twice)
    weights, size = quantised.parameters(folder), weight_bytes(folder)
    for whole in ("model.safetensors", "model-00001-of-00001.safetensors"):
        (twice / "consolidated.safetensors").write_bytes((folder / "model.safetensors").read_bytes())
        (twice / "model.safetensors").rename(twice / whole)
        assert (quantised.parameters(twice), weight_bytes(twice)) == (weights, size)
        index = {"weight_map": {"lm_head.weight": "model-00001-of-00001.safetensors"}}
        (twice / "model.safetensors.index.json").write_text(json.dumps(index))
    model = dataclasses.replace(
        tiny.local_model(folder), folder=twice, placement=dataclasses.replace(tiny.FLOAT32, threads=2)
    )
    monkeypatch.setattr(partner, "LEAST_WORK", {"cpu": 0})
    for room, places in ((0, 0), (1, 1)):
        monkeypatch.setattr(partner, "memory_available", lambda device, more=room: 4 * size + partner.ROOM + more)
        assert len(partner.places(model, [encode(model.chat, ROWS[0], 100)], Recipe(learning_rate=1.0))) == places


def test_it_is_another_model_and_that_stays_so_with_an_adapter(folder: Path) -> None:
    whole, small = tiny.local_model(folder), four_bits(folder)
    assert whole.fingerprint != small.fingerprint
    assert small.adapted(folder).quantised  # type: ignore[attr-defined]


def test_a_run_takes_it_where_it_is_wanted(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for is_wanted in (True, False):
        monkeypatch.setattr(quantised, "wanted", lambda folder, placement, so=is_wanted: so)
        model: Any = Models((ModelSpec(name="own", folder=str(folder)),)).language("own")
        assert model.quantised == is_wanted


@pytest.mark.parametrize(
    ("stated", "refused"),
    [
        ({"quant_method": "gptq", "bits": 4, "group_size": 128}, True),
        ({"quant_method": "fp8", "weight_block_size": [128, 128], "activation_scheme": "dynamic"}, False),
    ],
)
def test_weights_that_nothing_here_reads_are_refused_before_a_run(
    folder: Path, tmp_path: Path, stated: dict[str, Any], refused: bool
) -> None:
    made = tmp_path / "made"
    shutil.copytree(folder, made)
    config = json.loads((made / "config.json").read_text(encoding="utf-8"))
    (made / "config.json").write_text(json.dumps({**config, "quantization_config": stated}), encoding="utf-8")
    models = Models((ModelSpec(name="own", folder=str(made)),))
    if refused:
        with pytest.raises(
            BadInput, match=r"^own is quantised and cannot be read here \(.*GPTQ.*\)\. Name the model that"
        ):
            models.language("own")
    else:
        assert models.language("own")


@pytest.mark.usefixtures("bits")
def test_layers_but_the_head_are_in_four_bits_and_answers_are_those_of_transformers(folder: Path) -> None:
    model = four_bits(folder)
    kinds = {type(layer).__name__ for layer in model.parts.model.get_decoder().modules()}
    assert "Linear4bit" in kinds
    assert "Linear" not in kinds
    assert type(model.parts.model.get_output_embeddings()) is torch.nn.Linear
    prompts = [(Message("user", text),) for text in ("one", "two and three", "four")]
    ours = {row: done.text for row, done in model.generate(prompts, 6, Sampling())}
    for row, prompt in enumerate(prompts):
        ids = torch.tensor([model.chat.encode(prompt)])
        theirs = model.parts.model.generate(ids, attention_mask=torch.ones_like(ids), max_new_tokens=6, do_sample=False)
        assert ours[row] == model.chat.decode(theirs[0, ids.shape[1] :].tolist()).strip() or theirs[0, -1] in (0, 2)


@pytest.mark.usefixtures("bits")
def test_an_adapter_is_learnt_beside_them_and_is_a_plain_one(folder: Path, tmp_path: Path) -> None:
    model = four_bits(folder)
    recipe = Recipe(learning_rate=1e-2, epochs=3, rank=4, alpha=8)
    training = model.train(ROWS, (), recipe, tmp_path / "adapter", 0)
    assert training.losses[-1] < training.losses[0]
    tuned: Any = model.adapted(training.folder)
    assert prove_effect(model.parts, tuned.parts, [[5, 6, 7, 8]]) > 1e-3
    assert "four bits" in (training.folder / "README.md").read_text(encoding="utf-8")
    ids = torch.tensor([[5, 6, 7, 8, 9]])
    with torch.inference_mode():
        theirs = loaded(four_bits(folder).base(), training.folder)(input_ids=ids).logits
        assert torch.allclose(tuned.parts.model(input_ids=ids).logits, theirs, atol=1e-4)
    whole = tiny.local_model(folder)
    assert loss_of(loaded(whole.base(), training.folder), whole) < loss_of(whole.base(), whole), (
        "and fits whole weights"
    )


def loss_of(module: Any, model: LocalModel) -> float:
    """Mean over the rows, of answer tokens alone."""
    rows = [encode(model.chat, row, 100) for row in ROWS[:4]]
    with torch.inference_mode():
        return float(answer_loss(module, rows)[0])


@pytest.mark.gpu
@pytest.mark.usefixtures("bits")
def test_it_takes_less_than_half_of_the_memory_on_a_card(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    if not torch.cuda.is_available():
        pytest.skip("there is no graphics card")
    sizes = {**tiny._sizes(), "hidden_size": 1024, "intermediate_size": 4096, "num_hidden_layers": 4}
    monkeypatch.setattr(tiny, "_sizes", lambda: sizes)
    folder = tiny.model_folder(tmp_path)
    taken = []
    for quantise in (False, True):
        torch.cuda.empty_cache()
        before = torch.cuda.memory_allocated()
        placement = dataclasses.replace(CARD, device="cuda:0")
        model = dataclasses.replace(tiny.local_model(folder), placement=placement, quantised=quantise)
        _ = model.parts
        taken.append(torch.cuda.memory_allocated() - before)
        del model
    assert taken[1] < taken[0] / 2
