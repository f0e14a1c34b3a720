"""Weights in four bits: taken only where the graphics card holds no more, an adapter beside them, told, and part of a run."""

from __future__ import annotations

import dataclasses
import json
import shutil
from contextlib import closing
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from unittest.mock import Mock

import pytest
import torch

from advisor.experiments import comparison
from advisor.experiments.comparison import Prepared
from benchmarks.contract import BadInput
from benchmarks.costs.forecast import Forecast, forecast
from benchmarks.running.models import Models
from benchmarks.running.plan import Options, candidates
from benchmarks.specs.spec_models import ModelSpec
from benchmarks.storage.store import Store
from strategies.catalog import approaches
from strategies.contract import Message, Recipe, Sampling, TrainingRow
from strategies.finetuning.adapters import loaded, prove_effect
from strategies.finetuning.packs import answer_loss, encode
from strategies.models import device, quantised, sizes
from strategies.models.device import Placement
from strategies.models.local import LocalModel
from strategies.models.parts import STATES
from strategies.models.unpickled import weight_files
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
    weights = sizes.parameters(folder)
    assert weights == sum(weight.numel() for weight in tiny.local_model(folder).base().parameters())
    enough = sizes.COPIES * 2 * weights + sizes.FIXED_BYTES + STATES
    with_room_for(monkeypatch, enough)
    assert not quantised.wanted(folder, CARD)
    with_room_for(monkeypatch, enough - 1)
    assert quantised.wanted(folder, CARD)
    assert not quantised.wanted(folder, CARD, before=False), "a run goes on as it began"
    assert not quantised.wanted(folder, dataclasses.replace(CARD, device="cpu")), "the processor has no use for it"
    monkeypatch.setattr(quantised, "find_spec", lambda name: None)
    assert not quantised.wanted(folder, CARD), "nobody is there to do it"
    assert not quantised.wanted(folder, CARD, before=True)


def test_weights_that_lie_there_twice_count_once(folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Mistral puts `consolidated.safetensors` beside the parts that packages read."""
    from strategies.finetuning import partner

    twice = tmp_path / "twice"
    shutil.copytree(folder, twice)
    weights, size = sizes.parameters(folder), bytes_of(folder)
    for whole in ("model.safetensors", "model-00001-of-00001.safetensors"):
        (twice / "consolidated.safetensors").write_bytes((folder / "model.safetensors").read_bytes())
        (twice / "model.safetensors").rename(twice / whole)
        assert (sizes.parameters(twice), bytes_of(twice)) == (weights, size)
        index = {"weight_map": {"lm_head.weight": "model-00001-of-00001.safetensors"}}
        (twice / "model.safetensors.index.json").write_text(json.dumps(index))
    model = dataclasses.replace(
        tiny.local_model(folder), folder=twice, placement=dataclasses.replace(tiny.FLOAT32, threads=2)
    )
    monkeypatch.setattr(partner, "LEAST_WORK", {"cpu": 0})
    for room, places in ((0, 0), (1, 1)):
        monkeypatch.setattr(partner, "memory_available", lambda device, more=room: 4 * size + partner.ROOM + more)
        assert len(partner.places(model, [encode(model.chat, ROWS[0], 100)], Recipe(learning_rate=1.0))) == places


def bytes_of(folder: Path) -> int:
    """Of the files."""
    return sum(path.stat().st_size for path in weight_files(folder))


def test_a_run_is_forecast_from_the_weights_and_not_from_the_size_of_their_files(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """On a card the weights in float32 lie in the memory of the machine; what fits neither whole nor in four bits is refused."""
    in_sixteen = tmp_path / "sixteen"
    shutil.copytree(folder, in_sixteen)
    tiny.local_model(folder).base().to(torch.bfloat16).save_pretrained(in_sixteen)
    monkeypatch.setattr("benchmarks.costs.forecast.matrix_rate", lambda placement: 1e9)
    monkeypatch.setattr(quantised, "find_spec", lambda name: object())
    monkeypatch.setattr(sizes, "_in_linear_layers", lambda folder: 500_000_000)
    monkeypatch.setattr(sizes, "parameters", lambda folder: 1_000_000_000)
    monkeypatch.setattr(sizes, "_mapped", lambda there: there == folder)
    monkeypatch.setattr(device, "_held", lambda device: 0)
    lora = [each for each in candidates(approaches(), ("own",)) if each.name == "lora"]

    def told(there: Path, placement: Placement, card: float, machine: float = 64.0) -> Forecast:
        rooms = {"cpu": machine}
        monkeypatch.setattr(device, "memory_available", lambda device="cpu": int(1e9 * rooms.get(device, card)))
        models = Models((ModelSpec(name="own", folder=str(there)),), _placement=placement, _embedder=tiny.WordHashes())
        return forecast(tiny.benchmark(), lora, models, Options())

    beside = sizes.FIXED_BYTES + STATES
    one, other = (told(each, tiny.FLOAT32, 0.0) for each in (folder, in_sixteen))
    assert one.minutes == other.minutes
    assert (one.memory, other.memory) == (beside + 8_000_000_000, beside + 12_000_000_000), "the latter is converted"
    one, other = (told(each, CARD, 6.5) for each in (folder, in_sixteen))
    assert one.memory == other.memory == beside + 4_000_000_000
    assert one.fits
    assert other.fits
    small, none = (told(in_sixteen, CARD, card) for card in (6.3, 4.9))
    assert small.fits
    assert "own in four bits" in small.sentence, "between the two there is no gap"
    assert small.memory == beside + round(2 * (0.516 + 2) * 500_000_000)
    assert not none.fits
    unread = told(in_sixteen, CARD, 6.5, 8.0)
    assert not unread.fits
    assert "needs about 8.9 GB of memory; 8.0 GB are free" in unread.sentence


@pytest.mark.usefixtures("bits")
def test_what_four_bits_take_is_what_they_were_reckoned_to(folder: Path) -> None:
    held = 0
    for weight in four_bits(folder).base().parameters():
        held += weight.nbytes
        if (state := getattr(weight, "quant_state", None)) is not None:
            held += state.absmax.nbytes + state.state2.absmax.nbytes
    reckoned = sizes.copy_bytes(folder, dataclasses.replace(CARD, dtype="float32"), quantised=True)
    assert reckoned == pytest.approx(held, rel=0.01)
    assert reckoned < 0.75 * bytes_of(folder)


@pytest.mark.parametrize("small", [True, False])
def test_a_run_goes_on_with_a_model_as_it_was_held_when_it_began(
    small: bool, folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "run.json").write_text("{}", encoding="utf-8")
    with closing(Store(tmp_path / "run.sqlite")) as store:
        store.set_meta("identity", {"weights": {"own": "w"}} | ({"quantised": ["own"]} if small else {}))
    monkeypatch.setattr(quantised, "find_spec", lambda name: object())
    with_room_for(monkeypatch, 10**12 if small else 0)
    monkeypatch.setattr(comparison, "as_it_began", lambda assembly, folder: assembly)
    monkeypatch.setattr(comparison, "commits_then", lambda folder: {})
    monkeypatch.setattr(comparison, "left_out_of", lambda folder: {})
    models = Models((ModelSpec(name="own", folder=str(folder)),), _placement=CARD)
    prepared: Any = SimpleNamespace(models=models, assembly=Mock(), at=Mock())
    Prepared.go_on(prepared, tmp_path)
    model: Any = models.language("own")
    assert model.quantised == small


def test_it_is_another_model_and_that_stays_so_with_an_adapter(folder: Path) -> None:
    whole, small = tiny.local_model(folder), four_bits(folder)
    assert whole.fingerprint != small.fingerprint
    assert small.adapted(folder).quantised  # type: ignore[attr-defined]


def test_a_run_takes_it_where_it_is_wanted(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for is_wanted in (True, False):
        monkeypatch.setattr(quantised, "wanted", lambda folder, placement, before, so=is_wanted: so)
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
