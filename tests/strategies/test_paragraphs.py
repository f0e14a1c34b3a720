"""Where an answer of a model without a chat template ends, here and in an export: at a blank line where nothing else says it."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from strategies.contract import Case, Message, Prompt, Query, Recipe, Sampling
from strategies.finetuning.adapters import attach, save
from strategies.models.local import LocalModel
from strategies.pipeline import Pipeline, Setup
from strategies.portable import prompt_of
from strategies.prompting.rendering import Form
from strategies.sources import Sources
from strategies.standalone import alone, lookup, speaking
from tests import tiny

ASKED = (Message("user", "Write."),)
TAUGHT = (Message("user", "Write."), Message("assistant", "a\n\na"), *ASKED)
LETTER = json.dumps({"type": "string", "pattern": "^(?:Dear [ab],\n\nyour order (7|8) is on its way\\.)$"})
MOST = 24


@pytest.fixture(scope="module")
def writer(tmp_path_factory: pytest.TempPathFactory) -> LocalModel:
    """Writes nothing but "a" and line ends, in an order that its weights decide."""
    import torch
    from safetensors.torch import load_file, save_file

    folder = tiny.model_folder(tmp_path_factory.mktemp("base"), templated=False)
    letter, line = (tiny.tokenizer(templated=False)(text)["input_ids"][-1] for text in ("a", "\n"))
    weights = load_file(folder / "model.safetensors")
    head = torch.zeros_like(weights["model.embed_tokens.weight"])
    head[letter] = torch.randn(head.shape[1], generator=torch.Generator().manual_seed(24))
    head[line] = -head[letter]
    save_file({**weights, "lm_head.weight": head}, folder / "model.safetensors", metadata={"format": "pt"})
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps({**config, "tie_word_embeddings": False}))
    return tiny.local_model(folder)


@pytest.fixture(scope="module")
def idle(writer: LocalModel, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a fit with an adapter that changes nothing yet."""
    folder = tmp_path_factory.mktemp("fit")
    save(attach(writer.base(), Recipe(), seed=0), folder / "adapter", ("tiny", ""))
    return folder


def written(model: LocalModel, prompt: Prompt, schema: str = "") -> str:
    ((_, completion),) = model.generate([prompt], MOST if not schema else 80, Sampling(schema=schema))
    return completion.text


def exported(model: LocalModel, place: Path, prompt: Prompt, schema: str = "") -> str:
    asked = {"words": [], "max_tokens": MOST if not schema else 80, "schema": schema}
    speaker = speaking.Speaker(place, asked, str(model.folder))
    turns = [{"role": turn.role, "content": turn.content} for turn in prompt]
    return speaker.written(speaker.prompt(turns), "")[0]


def test_the_first_paragraph_is_the_answer_where_nothing_else_ends_it(writer: LocalModel, tmp_path: Path) -> None:
    said = written(writer, ASKED)
    assert said
    assert "\n\n" not in said
    assert exported(writer, tmp_path, ASKED) == said


def test_an_answer_has_paragraphs_where_those_in_the_prompt_have(writer: LocalModel, tmp_path: Path) -> None:
    said = written(writer, TAUGHT)
    assert "\n\n" in said
    assert exported(writer, tmp_path, TAUGHT) == said


def test_so_it_does_where_the_examples_stand_within_one_message(writer: LocalModel, tmp_path: Path) -> None:
    """Here and in an export, one that finds the examples for each request among them."""
    task = replace(tiny.benchmark("generation").task, instruction="Write.")
    finding = tiny.WordHashes().embed, ""
    for picks, output in (("random", "a\n\na"), ("random", "a"), ("nearest", "a\n\na"), ("nearest", "a")):
        setup = Setup(form=Form(layout="inline"), shots=1, picks=picks)  # type: ignore[arg-type]
        sources = Sources((Case(id="a", input="Write.", output=output),), tiny.WordHashes())
        pipeline = Pipeline(task=task, model=writer, setup=setup, sources=sources, max_tokens=MOST)
        (request,) = pipeline.requests([Query.of("Write.")])
        asked = json.loads(json.dumps(prompt_of(pipeline)))
        speaker = speaking.Speaker(tmp_path, asked, str(writer.folder))
        looking = lookup.Looking(tmp_path, asked, speaker, finding) if "lookup" in asked else None
        prompt: Any = looking._prompt("Write.")[0] if looking else alone._within(asked, speaker, "Write.")[0]
        assert list(prompt) == writer.chat.encode(request.prompt)
        assert prompt.paragraphs == (not writer.chat.ends_with_paragraph(request.prompt)) == (output != "a")


@pytest.mark.filterwarnings("ignore:`is_gradient_checkpointing` is deprecated:FutureWarning")  # peft asks for it so.
def test_an_adapter_has_learnt_where_an_answer_ends(writer: LocalModel, idle: Path) -> None:
    adapted = writer.adapted(idle / "adapter")
    assert isinstance(adapted, LocalModel)
    said = written(adapted, ASKED)
    assert "\n\n" in said
    assert exported(writer, idle, ASKED) == said


def test_what_is_held_to_a_form_is_written_whole(writer: LocalModel, tmp_path: Path) -> None:
    said = written(writer, ASKED, LETTER)
    assert said.startswith(("Dear a,\n\nyour order", "Dear b,\n\nyour order"))
    assert exported(writer, tmp_path, ASKED, LETTER) == said
