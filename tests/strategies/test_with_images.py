"""Models that read images too are asked and trained with texts alone where transformers loads them as causal ones."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
import torch
import transformers
from safetensors.torch import load_file

from benchmarks.contract import BadInput
from benchmarks.running.models import Models
from benchmarks.specs.spec_models import ModelSpec
from strategies.contract import Message, Recipe, TrainingRow
from strategies.finetuning.adapters import loaded
from strategies.models import plain
from strategies.models.quiet import quiet
from strategies.models.trees import LabelTree
from strategies.models.weights import resolve
from tests import tiny
from tests.conftest import Folders

LIBRARY: Any = transformers
WIDTHS = {"hidden_size": 32, "intermediate_size": 64, "num_attention_heads": 4}
TEXT = {**tiny._sizes(), "vocab_size": 320, "num_key_value_heads": 2, "head_dim": 8}
WINDOWS = {"layer_types": ["sliding_attention", "full_attention"], "sliding_window": 8}
IMAGES = {**WIDTHS, "num_hidden_layers": 1, "image_size": 28, "patch_size": 14}
TOKENS = {"image_token_id": 312, "boi_token_id": 310, "eoi_token_id": 311}
"""No text becomes one of these."""


def _gemma3() -> Any:
    tokens = {"image_token_index": 312, "boi_token_index": 310, "eoi_token_index": 311, "mm_tokens_per_image": 4}
    config = LIBRARY.Gemma3Config(text_config={**TEXT, **WINDOWS}, vision_config=IMAGES, **tokens)
    return LIBRARY.Gemma3ForConditionalGeneration(config)


def _gemma4() -> Any:
    """Heads of two widths, states that layers share, and an encoder of sound."""
    layers = {"num_hidden_layers": 4, "layer_types": WINDOWS["layer_types"] * 2, "sliding_window": 8}  # type: ignore[operator]
    shared = {"num_kv_shared_layers": 2, "global_head_dim": 16}
    inputs = {"vocab_size_per_layer_input": 320, "hidden_size_per_layer_input": 8}
    config = LIBRARY.Gemma4Config(
        text_config={**TEXT, **layers, **shared, **inputs},
        vision_config={**IMAGES, "num_key_value_heads": 4, "head_dim": 8},
        audio_config={"hidden_size": 32, "num_hidden_layers": 1, "num_attention_heads": 4},
        video_token_id=313,
        audio_token_id=314,
        **TOKENS,
    )
    return LIBRARY.Gemma4ForConditionalGeneration(config)


def _qwen35() -> Any:
    heads = {
        "linear_num_value_heads": 4,
        "linear_num_key_heads": 2,
        "linear_key_head_dim": 8,
        "linear_value_head_dim": 8,
    }
    config = LIBRARY.Qwen3_5Config(
        text_config={**TEXT, **heads, "layer_types": ["linear_attention", "full_attention"]},
        vision_config={"hidden_size": 32, "intermediate_size": 64, "depth": 1, "num_heads": 4, "out_hidden_size": 32},
    )
    return LIBRARY.Qwen3_5ForConditionalGeneration(config)


def _t5() -> Any:
    return LIBRARY.T5ForConditionalGeneration(
        LIBRARY.T5Config(vocab_size=320, d_model=32, d_ff=64, num_layers=1, num_heads=4, d_kv=8)
    )


def _ministral() -> Any:
    config = LIBRARY.Mistral3Config(
        text_config={"model_type": "mistral", **TEXT},
        vision_config={"model_type": "pixtral", **IMAGES},
        image_token_index=312,
    )
    return LIBRARY.Mistral3ForConditionalGeneration(config)


TAKEN: Mapping[str, Callable[[], Any]] = {"gemma3": _gemma3, "gemma4": _gemma4, "qwen3_5": _qwen35}
PROMPT = (Message("system", "One word."), Message("user", "Where is my order? The parcel has not arrived yet."))
LABELS = ["delivery", "refund", "login"]


def saved(made: Any, folder: Path) -> Path:
    with quiet():
        made.save_pretrained(folder)
        tiny.tokenizer().save_pretrained(folder)
    return folder


@pytest.mark.parametrize("name", TAKEN)
def test_it_is_asked_and_trained_with_texts_alone(name: str, tmp_path: Path) -> None:
    """Its answers are those of transformers' own class, and of its layers only those learn that a text goes through."""
    torch.manual_seed(0)
    folder = saved(TAKEN[name](), tmp_path / name)
    assert resolve(str(folder)).kind == "language"
    model, own = tiny.local_model(folder), LIBRARY.AutoModelForCausalLM.from_pretrained(folder).eval()
    ids = model.chat.encode(PROMPT)
    paths = LabelTree.build([model.chat.encode_label(label) for label in LABELS], model.chat.end_id).paths
    scores = dict(model.score_labels([PROMPT], [LABELS]))[0].log_likelihoods
    assert scores == pytest.approx(plain.score_labels(own, ids, paths), abs=1e-3)

    rows = [TrainingRow(prompt=PROMPT, answer=label) for label in LABELS]
    trained = model.train(rows, (), Recipe(epochs=1, learning_rate=5e-3), tmp_path / "adapter", 0)
    names = load_file(trained.folder / "adapter_model.safetensors")
    assert names
    assert not [each for each in names if "vision" in each or "audio" in each or "projector" in each]
    tuned: Any = model.adapted(trained.folder)
    with torch.inference_mode():
        theirs = loaded(own, trained.folder).eval()(input_ids=torch.tensor([ids])).logits
        ours = tuned.parts.model(input_ids=torch.tensor([ids])).logits
    assert torch.allclose(ours, theirs, atol=1e-3)


@pytest.mark.parametrize("made", [_t5, _ministral])
def test_what_is_no_causal_model_is_refused_as_what_it_is(made: Callable[[], Any], tmp_path: Path) -> None:
    folder = saved(made(), tmp_path / "other")
    assert resolve(str(folder)).kind == "other"
    with pytest.raises(
        BadInput, match=r"own has an encoder of texts, images or sound, and of such models only .*a server"
    ):
        Models((ModelSpec(name="own", folder=str(folder)),)).language("own")


def test_a_folder_of_modules_turns_texts_into_vectors_whatever_its_class(tmp_path: Path) -> None:
    folder = saved(_t5(), tmp_path / "vectors")
    (folder / "modules.json").write_text(json.dumps([]))
    with pytest.raises(BadInput, match="own turns texts into vectors and cannot answer"):
        Models((ModelSpec(name="own", folder=str(folder)),)).language("own")


def test_a_kind_of_model_that_transformers_does_not_know_is_a_sentence(tmp_path: Path, model_folders: Folders) -> None:
    folder = tmp_path / "new"
    shutil.copytree(model_folders.language, folder)
    config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    (folder / "config.json").write_text(json.dumps(config | {"model_type": "brand_new"}), encoding="utf-8")
    with pytest.raises(BadInput, match="model type `brand_new` but Transformers does not recognize"):
        Models((ModelSpec(name="own", folder=str(folder)),)).language("own")
