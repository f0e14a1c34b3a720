"""A task may say under which licences the weights of its models may be: others are refused before they are fetched."""

from __future__ import annotations

import dataclasses
import shutil
from pathlib import Path

import pytest

from benchmarks.contract import BadInput, Constraints
from benchmarks.data.frozen import freeze
from benchmarks.running.models import Models
from benchmarks.specs.spec import parse_spec
from benchmarks.specs.spec_models import EmbedderSpec, ModelSpec
from strategies.models.weights import cache_folder
from tests.conftest import Folders
from tests.verdict_cases import benchmark_of


def models(*specs: ModelSpec, licences: tuple[str, ...], embedder: EmbedderSpec | None = None) -> Models:
    return Models(specs, licences=licences, embedder_spec=embedder or EmbedderSpec())


def test_known_models_are_refused_by_their_licence_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ADVISOR_CACHE", str(tmp_path))
    small, other = ModelSpec(name="smollm2-135m"), ModelSpec(name="gemma3-270m-base")
    models(small, licences=("apache-2.0",)).permitted()
    assert models(small, other, licences=()).permitted()[0].names == ("smollm2-135m", "gemma3-270m-base")
    with pytest.raises(
        BadInput, match=r"gemma3-270m-base comes under Gemma Terms of Use, and the task allows Apache-2\.0"
    ):
        models(other, licences=("Apache-2.0",)).permitted()
    left, told = models(small, other, licences=("Apache-2.0",)).permitted()
    assert left.names == ("smollm2-135m",)
    assert told == (
        "models: gemma3-270m-base is left out. The model gemma3-270m-base comes under Gemma Terms of Use, and the task allows "
        "Apache-2.0. Name another model, or add the licence to constraints.licences.",
    )
    with pytest.raises(BadInput, match=r"smollm2-135m comes under Apache-2\.0"):
        models(small, licences=("MIT",)).permitted()
    assert not list(cache_folder().rglob("*.safetensors"))


def test_a_folder_says_its_licence_on_its_card(tmp_path: Path, model_folders: Folders) -> None:
    folder = Path(shutil.copytree(model_folders.language, tmp_path / "own"))
    spec = ModelSpec(name="own", folder=str(folder))
    allowed = ("MIT", "Apache-2.0")
    with pytest.raises(BadInput, match=r"own states no licence, and the task allows MIT, Apache-2\.0"):
        models(spec, licences=allowed).permitted()
    (folder / "README.md").write_text("---\nlicense: mit\n---\n# A card\n", encoding="utf-8")
    models(spec, licences=allowed).permitted()


def test_a_spec_states_them_and_a_stored_run_keeps_them(tmp_path: Path) -> None:
    values = {"name": "t", "instruction": "Do.", "examples": "e.jsonl", "constraints": {"licences": ["Apache-2.0"]}}
    limits = parse_spec(values).limits
    assert limits == Constraints(licences=("Apache-2.0",))
    benchmark = dataclasses.replace(benchmark_of(cases=2), constraints=limits)
    assert freeze(benchmark)["constraints"]["licences"] == ("Apache-2.0",)
