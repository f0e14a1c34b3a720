"""A reranker behind the search: it sorts what was found, is taken where that helps, and belongs to what is saved."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from benchmarks.contract import BadInput
from benchmarks.running.models import Models
from benchmarks.specs.spec import parse_spec
from benchmarks.specs.spec_models import ModelSpec, RerankerSpec
from strategies.approaches.retrieval import Retrieval
from strategies.contract import Case, Document, Fold, Prompt
from strategies.finding import modes
from strategies.models.quiet import quiet
from strategies.models.reranking import LocalReranker
from strategies.pipeline import Pipeline, Setup, load_pipeline
from strategies.retrieval.index import RERANKED, PassageIndex
from strategies.selection import PipelineBuilder
from tests import tiny
from tests.scripted import ScriptedModel
from tests.tiny_embedder import embedder_folder


def cross_encoder(place: Path, labels: int = 1) -> Path:
    """A random BERT with a head of so many outputs, as transformers saves it."""
    import torch
    from transformers import BertConfig, BertForSequenceClassification

    folder = place / f"cross-encoder-{labels}"
    torch.manual_seed(0)
    config: Any = BertConfig
    sizes = {"hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 1, "num_attention_heads": 2}
    with quiet():
        made = BertForSequenceClassification(
            config(vocab_size=300, max_position_embeddings=512, num_labels=labels, initializer_range=0.5, **sizes)
        )
        made.save_pretrained(folder)
        tiny.tokenizer(templated=False).save_pretrained(folder)
    return folder


@dataclass(frozen=True)
class ByLength:
    """Takes the longest passage for the most relevant one."""

    name: str = "by length"
    fingerprint: str = "by-length"

    def relevance(self, pairs: Sequence[tuple[str, str]]) -> Any:
        import numpy as np

        return np.array([len(passage) for _, passage in pairs], dtype="float32")


def index_of(texts: Sequence[str]) -> PassageIndex:
    documents = [Document(id=f"d{place}", text=text) for place, text in enumerate(texts)]
    return PassageIndex.build(documents, tiny.WordHashes())


def test_the_first_passages_are_sorted_anew_and_keep_their_similarity() -> None:
    index = index_of([f"lamp {'x ' * place}" for place in range(10)] + ["something else"])
    before = index.search(["lamp"], 10, "hybrid")[0]
    after = dataclasses.replace(index, reranker=ByLength()).search(["lamp"], 10, "reranked")[0]
    assert [len(each.text) for each in after] == sorted((len(each.text) for each in after), reverse=True)
    assert {each.document_id: each.score for each in before if each in after}.items() <= {
        each.document_id: each.score for each in after
    }.items()
    assert after[0].document_id == "d9", "the longest that has something to do with it"
    assert before[0].document_id != "d9"


def test_what_lies_deeper_keeps_its_place() -> None:
    index = index_of([f"lamp number{place}" for place in range(RERANKED + 10)])
    before = index.search(["lamp"], RERANKED + 10, "hybrid")[0]
    after = dataclasses.replace(index, reranker=ByLength()).search(["lamp"], RERANKED + 10, "reranked")[0]
    assert after[RERANKED:] == before[RERANKED:]
    assert set(after[:RERANKED]) == set(before[:RERANKED])


def test_a_cross_encoder_says_what_transformers_says(tmp_path: Path) -> None:
    import torch
    from transformers import AutoModelForSequenceClassification, AutoTokenizer

    folder = cross_encoder(tmp_path)
    pairs = [("Where is my order?", "The parcel has not arrived."), ("Where is my order?", "A lamp."), ("a", "b")]
    reranker = LocalReranker(name="tiny", folder=folder, fingerprint="tiny")
    found = reranker.relevance(pairs)
    model: Any = AutoModelForSequenceClassification.from_pretrained(folder)
    tokens = AutoTokenizer.from_pretrained(folder)(
        [q for q, _ in pairs], [p for _, p in pairs], padding=True, return_tensors="pt"
    )
    with torch.inference_mode():
        wanted = torch.sigmoid(model(input_ids=tokens["input_ids"], attention_mask=tokens["attention_mask"]).logits)
    assert found == pytest.approx(wanted.squeeze(1).numpy(), abs=1e-5)
    assert len(set(found.tolist())) == 3


@dataclass(frozen=True)
class Knowing:
    """Finds the passage with the number of the question the most relevant, or the least."""

    sign: float
    name: str = "knowing"
    fingerprint: str = "knowing"

    def relevance(self, pairs: Sequence[tuple[str, str]]) -> Any:
        import numpy as np

        return np.array(
            [self.sign * (question[-1] == passage[-1] and "held" in passage) for question, passage in pairs]
        )


def test_it_is_taken_only_where_the_answers_are_found_more_often(tmp_path: Path) -> None:
    """Passages in the words of the question, none of which answers it, and one in other words that does."""
    cases = tuple(Case(id=f"c{n}", input=f"where is thing {n}", output=f"drawer {n}") for n in range(4))
    asked = [Document(id=f"a{n}-{turn}", text=f"where is thing {turn} {n}") for n in range(4) for turn in "xyz"]
    answered = [Document(id=f"b{n}", text=f"held in drawer {n}") for n in range(4)]
    fold = Fold(train=cases, selection=())
    hard = dataclasses.replace(tiny.benchmark("qa").task, folds=(fold,), documents=(*asked, *answered))
    for reranker, taken in ((Knowing(1.0), True), (Knowing(-1.0), False), (None, False)):
        bench = tiny.Bench(folder=tmp_path, reranker=reranker)
        builder = PipelineBuilder(hard, bench)
        assert (modes(builder) == ["reranked"]) == taken
        found = {"examples": 4, "shares": {"hybrid": [0.0, 0.0], "dense": [0.0, 0.0], "reranked": [1.0, 1.0]}}
        assert builder.noted == ({"found": found} if taken else {}), "where none finds any, nothing is known"


def test_a_saved_fit_reranks_when_it_is_loaded(tmp_path: Path) -> None:
    task = tiny.benchmark("qa").task
    model = tiny.local_model(tiny.model_folder(tmp_path / "model"))
    bench = tiny.Bench(folder=tmp_path, language=model, reranker=Knowing(1.0))
    made = PipelineBuilder(task, bench).build(Setup(passages=1, mode="reranked"), task.examples)
    made.save(tmp_path / "fit")
    loaded = load_pipeline(tmp_path / "fit", bench)

    def shown(pipeline: Pipeline) -> list[str]:
        texts = [case.input for case in task.examples]
        return [row[0].document_id for row in pipeline.sources.evidence(texts, 1, "reranked")]

    assert shown(loaded) == shown(made)
    without = dataclasses.replace(bench, reranker=ByLength())
    assert shown(load_pipeline(tmp_path / "fit", without)) != shown(made), "the one of the task is asked"


def models(name: Path | str) -> Models:
    return Models([ModelSpec(name="tiny")], reranker_spec=RerankerSpec(name=str(name)), dtype="float32")


def test_a_task_names_one_by_its_folder(tmp_path: Path) -> None:
    spec = parse_spec(
        {"name": "t", "instruction": "i", "examples": "e.jsonl", "reranker": str(cross_encoder(tmp_path))}
    )
    assert spec.reranker is not None
    assert (spec.reranker.name, "folder" in spec.model_dump()["reranker"]) == ("cross-encoder-1", False)
    found = models(tmp_path / "cross-encoder-1").reranker
    assert found is not None
    assert found.relevance([("a", "b")]).shape == (1,)
    assert Models([ModelSpec(name="tiny")]).reranker is None


def test_what_is_no_reranker_is_refused_in_a_sentence(tmp_path: Path) -> None:
    with pytest.raises(
        BadInput, match=r"tiny-embedder is no cross-encoder\. Name one as the reranker, or leave it out\."
    ):
        _ = models(embedder_folder(tmp_path)).reranker
    with pytest.raises(BadInput, match="cross-encoder-3 tells 3 classes apart; a reranker gives one number"):
        _ = models(cross_encoder(tmp_path, labels=3)).reranker
    with pytest.raises(BadInput, match="nowhere"):
        _ = models("./nowhere").reranker


def test_where_no_passage_is_known_to_be_right_the_answers_choose_the_way_to_search(tmp_path: Path) -> None:
    """Texts that no passage holds, of examples that name no documents: of passages only the answers tell which are right."""
    outputs = ("front desk", "upper floor", "back room", "garden shed")
    cases = tuple(Case(id=f"c{n}", input=f"where is thing {n % 4}", output=outputs[n % 4]) for n in range(60))
    asked = [Document(id=f"a{n}-{turn}", text=f"where is thing {turn} {n}") for n in range(4) for turn in "xyz"]
    answered = [Document(id=f"b{n}", text=f"held in drawer {n}") for n in range(4)]
    fold = Fold(train=cases[:30], selection=cases[30:])
    task = dataclasses.replace(tiny.benchmark("generation").task, folds=(fold,), documents=(*asked, *answered))

    def answer(prompt: Prompt) -> str:
        thing = int(prompt[-1].asked[-1])
        return outputs[thing] if f"held in drawer {thing}" in prompt[-1].content else "unknown"

    language = ScriptedModel(name="reader", answer=answer)
    for reranker, mode in ((Knowing(1.0), "reranked"), (Knowing(-1.0), "hybrid")):
        bench = tiny.Bench(folder=tmp_path, language=language, reranker=reranker, tuning_tokens=1_000_000)
        fitted = Retrieval().fit(task, bench)
        assert isinstance(fitted, Pipeline)
        assert fitted.setup.mode == mode
        assert "found" not in fitted.describe(), "nothing is known of it"
        tried = {(trial.configuration["passages"], trial.configuration["mode"]) for trial in bench.trials}
        assert {(1, "hybrid"), (1, "dense"), (1, "reranked")} <= tried


def test_the_chosen_setup_is_tried_with_the_other_ways_to_search_too(tmp_path: Path) -> None:
    """They were tried with one passage alone, and what is right here takes three."""
    outputs = ("front desk", "upper floor", "back room", "garden shed")
    cases = tuple(Case(id=f"c{n}", input=f"where is thing {n % 4}", output=outputs[n % 4]) for n in range(120))
    asked = [Document(id=f"a{n}-{turn}", text=f"where is thing {turn} {n}") for n in range(4) for turn in "xyz"]
    answered = [Document(id=f"b{n}", text=f"held in drawer {n}") for n in range(4)]
    fold = Fold(train=cases[:30], selection=cases[30:])
    task = dataclasses.replace(tiny.benchmark("generation").task, folds=(fold,), documents=(*asked, *answered))

    def answer(prompt: Prompt) -> str:
        thing, said = int(prompt[-1].asked[-1]), prompt[-1].content
        passages = said.count("thing") + said.count("drawer") - 1
        if (
            passages < 3
            or any(message.role == "assistant" for message in prompt)
            or any(one in said for one in outputs)
        ):
            return "unknown"
        return outputs[thing] if thing % 2 or f"held in drawer {thing}" in said else "unknown"

    language = ScriptedModel(name="reader", answer=answer)
    bench = tiny.Bench(folder=tmp_path, language=language, reranker=Knowing(1.0), tuning_tokens=30_000)
    fitted = Retrieval().fit(task, bench)
    assert isinstance(fitted, Pipeline)
    assert (fitted.setup.passages, fitted.setup.mode) == (3, "reranked")
    assert {"hybrid", "dense", "reranked"} <= {
        trial.configuration["mode"] for trial in bench.trials if trial.configuration["passages"] == 3
    }
    assert fitted.describe()["configurations_tried"] == len(bench.trials)
    assert sum(each.prompt_tokens + each.answer_tokens for each in bench.spent if each.step == "search") <= 30_000
