"""The programs of an export answer without this product as the product does: what is looked up, read off, held to a schema."""

from __future__ import annotations

import json
import math
import os
import re
import shutil
import subprocess
import sys
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

import numpy as np
import pytest
import torch

from advisor.deploy.answering import Answerer, Kept
from advisor.deploy.export import _serving, _several
from advisor.deploy.without import needed, without_us
from benchmarks.contract import PartOf
from strategies.answers import Prior, sureness
from strategies.approaches.best_sentence import Choice, Quoting
from strategies.approaches.contrastive_head import TunedHead
from strategies.approaches.copy_input import CopyInput
from strategies.approaches.copy_nearest import CopyNearest
from strategies.approaches.linear_head import LinearHead
from strategies.approaches.majority import Majority
from strategies.approaches.word_head import WordHead
from strategies.contract import (
    Case,
    Document,
    Embedder,
    Evidence,
    Fitted,
    Kind,
    Prediction,
    Query,
    Sampling,
    Task,
    Usage,
)
from strategies.heads import Head
from strategies.leaning import Shift
from strategies.models.embedding import LocalEmbedder
from strategies.models.local import LocalModel
from strategies.models.reranking import LocalReranker
from strategies.models.served import ServedModel
from strategies.models.vllm_server import VllmServer
from strategies.pipeline import Pipeline, Setup, load_pipeline
from strategies.portable import prompt_of
from strategies.prompting.demonstrations import Shown
from strategies.prompting.rendering import Form
from strategies.retrieval.chunking import sentences
from strategies.retrieval.index import Mode, PassageIndex
from strategies.retrieval.named import in_words
from strategies.schemas import answer_schema
from strategies.sources import Sources
from strategies.spans import Reading
from strategies.standalone import alone, lookup, speaking
from tests import tiny
from tests.conftest import Folders
from tests.strategies.test_engine import ending
from tests.strategies.test_listing import many
from tests.strategies.test_reranking import cross_encoder
from tests.tiny_embedder import prompted
from tests.verdict_cases import evaluation_of, scores_of

INLINE, TURNS = Form(layout="inline"), Form(layout="turns")
NEAREST = Setup(picks="nearest", shots=2)
TO_REFUND = Shift(by=2.0, of="refund", towards=(("refund", 1.0),))
TO_LOGIN = Shift(by=4.0, of="", towards=(("delivery", 1.0), ("refund", 1.5), ("login", 3.0)))
VERSIONS = (
    Document(id="old", title="Sick pay (2023)", text="Sick pay lasts 4 weeks.", date="2023-01-01"),
    Document(id="new", title="Sick pay (2026)", text="Sick pay lasts 6 weeks.", date="2026-01-01"),
    Document(id="beijing", text="\u5317\u4eac\u7684\u529e\u516c\u5ba4\u5728\u4e03\u697c\u3002"),
    Document(id="shanghai", text="\u4e0a\u6d77\u7684\u529e\u516c\u5ba4\u5728\u4e09\u697c\u3002"),
    Document(id="decomposed", text="Ru\u0308bezahl\u2122 pays \uff15\uff10\uff10 for \u211690."),
)
ASKED = (
    "How many seats has Room Curie? (9)",
    "sick pay weeks",
    "sick pay weeks in 2023",
    "floor " * 300,
    "?",
    "\u4e0a\u6d77\u5728\u51e0\u697c\uff1f",
    "R\u00fcbezahl 500 90",
)


@pytest.fixture
def embedder(model_folders: Folders) -> LocalEmbedder:
    return LocalEmbedder(name="tiny", folder=model_folders.embedder, fingerprint="tiny")


def fitted(kind: Kind, setup: Setup, folder: Path, embedder: Embedder) -> Pipeline:
    """A pipeline of that setup over the tiny task of its kind, as a search would have chosen it."""
    task = tiny.benchmark(kind).task
    task = replace(task, documents=(*task.documents, *VERSIONS) if setup.passages else ())
    cases = task.examples if not task.labels or not setup.passages else tuple(map(_told, task.examples))
    model, index = tiny.local_model(folder), None
    if setup.passages:
        index = PassageIndex.build(task.documents, embedder, setup.passage_words)
        index = replace(index, whole_words=setup.whole_words)
    prior = Prior(values=tuple(-float(place) for place in range(len(task.labels)))) if task.labels else None
    schema = answer_schema(task, cases)
    sources = Sources(cases, embedder, index)
    return Pipeline(task=task, model=model, setup=setup, sources=sources, max_tokens=24, prior=prior, schema=schema)


def _told(case: Case) -> Case:
    return replace(case, document_ids=("room-Ada",))


def answers(fitted: Fitted, texts: Sequence[str]) -> list[tuple[str, float, list[tuple[str, int, int]]]]:
    found = dict(fitted.answer([Query.of(text) for text in texts], Sampling()))
    rows = []
    for text in texts:
        outcome = found[Query.of(text).key]
        assert isinstance(outcome, Prediction)
        places = [(each.document_id, each.start, each.end) for each in outcome.evidence]
        rows.append((outcome.text, sureness(outcome) or 0.0, places))
    return rows


def same(ours: Sequence[tuple[str, float, list[Any]]], theirs: Sequence[alone.Said]) -> None:
    assert [said.text for said in theirs] == [text for text, _, _ in ours]
    assert [said.sure for said in theirs] == pytest.approx([sure for _, sure, _ in ours], abs=1e-4)
    places = [[(one["document_id"], one["start"], one["end"]) for one in said.evidence] for said in theirs]
    assert places == [found for _, _, found in ours]


SETUPS: dict[str, tuple[Kind, Setup]] = {
    "nearest examples": ("generation", replace(NEAREST, form=TURNS)),
    "the nearest first": ("generation", replace(NEAREST, form=replace(TURNS, turned=True))),
    "the nearest first, too long": ("qa", replace(NEAREST, shots=12, passages=3, form=replace(INLINE, turned=True))),
    "votes": ("classification", replace(NEAREST, form=INLINE, varied=True, votes=0.6, calibration=0.5)),
    "votes, over no content": ("classification", Setup(votes=0.3, calibration=1.0, prior="content-free")),
    "votes alone": ("classification", Setup(votes=0.9)),
    "votes, shifted": ("classification", Setup(votes=0.6, calibration=0.5, shift=TO_REFUND)),
    "passages": ("qa", Setup(passages=2, mode="dense")),
    "passages, shifted": ("classification", replace(NEAREST, passages=1, calibration=0.5, shift=TO_LOGIN)),
    "passages of labels": ("classification", replace(NEAREST, passages=1, grounded=True, form=INLINE)),
    "grounded": ("qa", replace(NEAREST, passages=1, grounded=True, form=replace(TURNS, marked=True, marks="arrow"))),
    "fixed": ("qa", Setup(shots=3, passages=1, grounded=True, form=replace(INLINE, marked=True))),
    "too long": ("qa", replace(NEAREST, shots=12, passages=3, form=TURNS)),
    "whole documents": ("qa", Setup(passages=2, passage_words=5, whole_words=130)),
    "read off": ("qa", Setup(passages=2, passage_words=30, reading=Reading(words=3, standing=("no idea",), bonus=2.0))),
    "sentences read off": (
        "qa",
        Setup(passages=2, passage_words=30, reading=Reading(words=3, standing=("no idea",), bonus=-4.0, sentence=True)),
    ),
    "an object": ("extraction", Setup(shots=3)),
    "an object like its neighbours": ("extraction", replace(NEAREST, form=INLINE)),
}


@pytest.mark.parametrize("name", SETUPS)
def test_what_a_pipeline_looks_up_is_looked_up_without_it(
    name: str, model_folders: Folders, embedder: LocalEmbedder, tmp_path: Path
) -> None:
    kind, setup = SETUPS[name]
    made = fitted(kind, setup, model_folders.language, embedder)
    place = tmp_path / "parts" / "0"
    made.save(place)
    bench = tiny.Bench(folder=tmp_path, language=made.model, embedder=embedder)
    texts = [*(case.input for case in tiny.MAKERS[kind][0](4, 90)), *ASKED]
    answer = alone.surely(tmp_path, str(model_folders.language), str(model_folders.embedder))
    theirs = [answer(text) for text in texts]
    same(answers(load_pipeline(place, bench), texts), theirs)
    if setup.shift is not None:
        before = [text for text, _, _ in answers(replace(made, setup=replace(setup, shift=None)), texts)]
        (label, _) = setup.shift.towards[-1]
        assert sum(said.text == label for said in theirs) > before.count(label)
    programs = {program.name for program in needed(tmp_path)}
    assert ("lookup.py" in programs, "tagging.py" in programs) == (name != "an object", bool(made.schema))
    if kind == "extraction":
        assert {said.text[:10] for said in theirs} == {'{"item": "'}, "held to the schema"


def test_what_is_read_off_without_it_is_of_the_pattern_too(
    model_folders: Folders, embedder: LocalEmbedder, tmp_path: Path
) -> None:
    setup = replace(SETUPS["read off"][1], reading=Reading(words=3))
    made = fitted("qa", setup, model_folders.language, embedder)
    made = replace(made, schema=json.dumps({"type": "string", "pattern": "^(?:[A-Z][a-z]+)$"}))
    made.save(tmp_path / "parts" / "0")
    answer = alone.surely(tmp_path, str(model_folders.language), str(model_folders.embedder))
    texts = [case.input for case in made.task.examples[:2]]
    same(answers(made, texts), theirs := [answer(text) for text in texts])
    assert all(re.fullmatch("[A-Z][a-z]+", said.text) for said in theirs)


def test_what_an_example_rests_on_is_told_without_it_too(model_folders: Folders) -> None:
    """A number stands in the passages of many rooms, and is borne out by those of its own, or of a copy of it, alone."""
    made = fitted("qa", replace(NEAREST, passages=1, grounded=True), model_folders.language, tiny.WordHashes())
    copied = replace(made.task.documents[0], id="again")
    index = PassageIndex.build([*made.task.documents, copied], tiny.WordHashes())
    made = replace(made, sources=Sources(made.sources.cases, tiny.WordHashes(), index))
    looking = object.__new__(lookup.Looking)
    looking.how = (prompt_of(made) or {})["lookup"]
    tell, told = made.sources.founded(made.task), list[bool]()
    for case, one in zip(made.sources.cases, looking.how["examples"], strict=True):
        for passage in index.passages:
            ours = lookup.Passage(passage.document_id, passage.start, passage.end, passage.text)
            shown = Evidence(document_id=passage.document_id, text=passage.text, score=1.0)
            told.append(tell(Shown(case, (shown,))))
            assert looking._rests(one | {"stands": False}, [ours]) == told[-1]
    for text in (*ASKED, *(document.text for document in VERSIONS)):
        assert looking._plain([text]) == [in_words(text)]
    known = Counter(name for case in made.sources.cases for name in case.document_ids)
    assert sum(told) == sum(known.values()) + known["room-Ada"]


@pytest.mark.parametrize("kind", ["classification", "qa", "extraction"])
def test_a_model_with_other_layers_than_attention_answers_as_in_the_run(
    kind: Kind, embedder: LocalEmbedder, tmp_path: Path
) -> None:
    """Its states cannot be repeated for each label, nor gone on from at several tokens: the program ended with an error."""
    folder = tiny.model_folder(tmp_path / "models", "lfm")
    made = fitted(kind, Setup(shots=2, passages=1 if kind == "qa" else 0), folder, embedder)
    made.save(tmp_path / "out" / "parts" / "0")
    texts = [*(case.input for case in tiny.MAKERS[kind][0](3, 90)), "?"]
    answer = alone.surely(tmp_path / "out", str(folder), str(embedder.folder))
    same(answers(made, texts), [answer(text) for text in texts])


def test_an_answer_ends_without_it_where_the_models_own_files_say(embedder: LocalEmbedder, tmp_path: Path) -> None:
    """A fit of before does not say so, and ends where it did."""
    model, prompt, text = ending(tmp_path / "models", "llama", 3)
    made = fitted("generation", Setup(), model.folder, embedder)
    file = tmp_path / "prompt.json"
    made.save(tmp_path)
    asked = json.loads(file.read_text(encoding="utf-8"))
    assert asked["stop"] == sorted(model.chat.stop_ids)
    speaker = speaking.Speaker(tmp_path, asked, str(model.folder))
    turns = [{"role": turn.role, "content": turn.content} for turn in prompt]
    assert speaker.written(speaker.prompt(turns), "")[0] == text
    del asked["stop"]
    before = speaking.Speaker(tmp_path, asked, str(model.folder))
    assert before.stop == [2]
    assert before.written(before.prompt(turns), "")[0].startswith(text)


def test_words_are_drawn_at_the_temperature_of_the_run(
    model_folders: Folders, embedder: LocalEmbedder, tmp_path: Path
) -> None:
    """The likeliest were written instead, and the card did not say so."""
    made = fitted("generation", Setup(shots=2), model_folders.language, embedder)
    replace(made, task=replace(made.task, temperature=0.5)).save(tmp_path / "parts" / "0")
    answer = alone.surely(tmp_path, str(model_folders.language))
    assert len({answer("Team 90 meets today.").text for _ in range(3)}) == 3
    asked = json.loads((tmp_path / "parts" / "0" / "prompt.json").read_text(encoding="utf-8"))
    speaker = speaking.Speaker(tmp_path, asked, str(model_folders.language))
    logits = torch.tensor([0.0, 1.0, -math.inf])
    share = sum(speaker._drawn(logits) for _ in range(2000)) / 2000
    assert share == pytest.approx(1 / (1 + math.exp(-2)), abs=0.03)
    (tmp_path / "predict.py").touch()
    card = "\n".join(without_us(tmp_path, evaluation_of("prompting", scores_of(9, 10))))
    assert "it draws its words by chance, at the run's temperature of 0.5, and not the same ones" in card


def test_labels_that_a_server_wrote_are_scored_and_nothing_is_held_back_by_that(
    model_folders: Folders, embedder: LocalEmbedder, tmp_path: Path
) -> None:
    """Thresholds of the run are on another scale; of texts the run knew none, and their evidence says how sure they are."""
    for name, kind, setup in (("labels", "classification", Setup(votes=0.5)), ("texts", "qa", Setup(passages=2))):
        made = fitted(cast(Kind, kind), setup, model_folders.language, embedder)
        here = cast(LocalModel, made.model)
        served = ServedModel(here=here, server=VllmServer(here.folder, here.placement, tmp_path / "server"))
        replace(made, model=served, prior=None).save(tmp_path / name / "parts" / "0")
        (tmp_path / name / "predict.py").touch()
    kept = {"default": "one", "guards": {"one": {"held": [{"at_most": 0.1, "threshold": 0.5}], "says": "?"}}}
    for name in ("labels", "texts"):
        (tmp_path / name / "export.json").write_text(json.dumps({"kept": kept}), encoding="utf-8")
    with pytest.raises(SystemExit, match="a server wrote the labels when it was measured, and here they are scored"):
        alone.guard(tmp_path / "labels", 0.1)
    assert alone.guard(tmp_path / "texts", 0.1) == (0.5, "?")
    cards = [
        "\n".join(without_us(tmp_path / name, evaluation_of("prompting", scores_of(9, 10))))
        for name in ("labels", "texts")
    ]
    assert ["of `--guard` it takes only 0" in card for card in cards] == [True, False]
    assert not any("lookup" in json.loads(path.read_text()) for path in (tmp_path / "labels").rglob("prompt.json"))
    assert alone.surely(tmp_path / "labels", str(model_folders.language))("?").text in tiny.TOPICS
    said = alone.surely(tmp_path / "texts", str(model_folders.language), str(model_folders.embedder))("Room Curie?")
    (found,) = cast(PassageIndex, made.sources.index).search(["Room Curie?"], 2, "hybrid")
    assert said.sure == pytest.approx(max(each.score for each in found), abs=1e-4)
    assert needed(tmp_path / "labels")
    shutil.copytree(tmp_path / "texts" / "parts" / "0", tmp_path / "labels" / "parts" / "1")
    assert needed(tmp_path / "labels") == [], "the second would be asked by how sure the first is"


LONG: dict[str, tuple[Kind, Setup]] = {
    "turns": ("generation", Setup(shots=8, form=TURNS)),
    "inline": ("extraction", Setup(shots=8, form=INLINE)),
}


@pytest.mark.parametrize("name", LONG)
def test_fixed_examples_that_are_too_long_give_way_as_in_the_run(
    name: str, model_folders: Folders, embedder: LocalEmbedder, tmp_path: Path
) -> None:
    """The farthest first, then half of the request: the model was asked for more than it can read, and answered otherwise."""
    kind, setup = LONG[name]
    made = fitted(kind, setup, model_folders.language, embedder)
    cases = tuple(replace(case, input=f"{case.input} {'xyzzy ' * 55}") for case in made.sources.cases)
    made = replace(made, sources=Sources(cases, embedder, None))
    made.save(tmp_path / "parts" / "0")
    asked = json.loads((tmp_path / "parts" / "0" / "prompt.json").read_text(encoding="utf-8"))
    speaker = speaking.Speaker(tmp_path, asked, str(model_folders.language))
    texts = [*(case.input for case in tiny.MAKERS[kind][0](2, 90)), "floor " * 300, "包裹还没有到" * 60, "?"]
    assert speaker.room == made._room(None)
    for most in (made.max_tokens, 950 if made.schema else 1900):
        tight = replace(made, max_tokens=most)
        speaker.room = tight._room(None)
        requests = tight.requests([Query.of(text) for text in texts])
        assert all(request.cut for request in requests)
        for text, request in zip(texts, requests, strict=True):
            prompt, left = alone._within(asked, speaker, speaker.cut(text, asked["input_tokens"]))
            assert (left, len(prompt)) == (request.prompt[-1].asked, made.model.count(request.prompt))
    answer = alone.surely(tmp_path, str(model_folders.language))
    same(answers(made, texts[:2]), [answer(text) for text in texts[:2]])


LISTS = Form(show_labels=True)
CUT: dict[str, Setup] = {
    "labels listed": Setup(shots=2, form=LISTS),
    "labels listed and nearest examples": replace(NEAREST, form=replace(LISTS, layout="inline"), votes=0.5),
}


@pytest.mark.parametrize("name", CUT)
def test_a_list_of_labels_is_cut_for_each_request_as_in_the_run(
    name: str, model_folders: Folders, embedder: LocalEmbedder, tmp_path: Path
) -> None:
    task = many(120)
    made = Pipeline(
        task=task,
        model=tiny.local_model(model_folders.language),
        setup=CUT[name],
        sources=Sources(task.examples, embedder, None),
        max_tokens=24,
    )
    assert not made.lists_all
    made.save(tmp_path / "parts" / "0")
    texts = [*(case.input for case in task.examples[::36]), "subject77"]
    answer = alone.surely(tmp_path, str(model_folders.language), str(model_folders.embedder))
    same(answers(made, texts), [answer(text) for text in texts])
    assert [program.name for program in needed(tmp_path)] == ["predict.py", "reading.py", "speaking.py", "lookup.py"]


def test_an_object_by_heads_and_taggers_is_put_together_without_them(
    model_folders: Folders, embedder: LocalEmbedder, tmp_path: Path
) -> None:
    bench = tiny.Bench(folder=tmp_path, embedder=embedder)
    orders = tiny.orders(24)
    cases = [
        replace(case, output=case.output[:-1] + f', "order": {{"number": {number}}}}}')
        for number, case in enumerate(orders)
    ]
    task = _task_of(cases)
    made = LinearHead().fit(task, bench)
    (tmp_path / "parts").mkdir()
    made.save(tmp_path / "parts" / "0")
    texts = [case.input for case in tiny.orders(6, 90)]
    answer = alone.surely(tmp_path, str(model_folders.embedder))
    theirs = [answer(text) for text in texts]
    same(answers(made, texts), theirs)
    assert all(0 < said.sure <= 1 for said in theirs)
    assert json.loads(theirs[0].text)["order"]["number"] == 90
    assert [program.name for program in needed(tmp_path)] == ["predict.py", "reading.py", "tagging.py"]


def test_two_approaches_answer_without_it_and_so_do_counts_of_words_and_a_constant(
    embedder: LocalEmbedder, tmp_path: Path
) -> None:
    """The second is asked what the first is less sure of than the threshold; what is always the same is never sure."""
    bench, texts = tiny.Bench(folder=tmp_path, embedder=embedder), [case.input for case in tiny.messages(40, 90)]
    task = tiny.benchmark("classification").task
    fits = {name: made.fit(task, bench) for name, made in (("words", WordHead()), ("nearest", CopyNearest()))}
    fits["always"] = Majority().fit(task, bench)
    sure = sorted(said for _, said, _ in answers(fits["words"], texts))
    for first, second in (("words", "nearest"), ("always", "words")):
        out, below = tmp_path / first, (sure[19] + sure[20]) / 2
        for number, name in enumerate((first, second)):
            fits[name].save(out / "parts" / str(number))
        kept = {"default": "both", "cascades": {"both": {"first": first, "second": second, "below": below}}}
        (out / "export.json").write_text(json.dumps({"places": {first: 0, second: 1}, "kept": kept}), encoding="utf-8")
        both = Answerer(name="both", parts=(fits[first], fits[second]), sampling=Sampling(), form={}, below=below)
        ours = [outcome for _, outcome in both.answers([*texts, "..."])]
        answer = alone.surely(out, str(embedder.folder))
        theirs = [answer(text) for text in [*texts, "..."]]
        assert [said.text for said in theirs] == [each.text for each in ours if isinstance(each, Prediction)]
        assert [said.sure for said in theirs] == pytest.approx([sureness(each) for each in ours], abs=1e-4)
        assert [program.name for program in needed(out)] == ["predict.py", "reading.py"]
        (out / "predict.py").touch()
        card = "\n".join(without_us(out, evaluation_of("copy nearest", scores_of(9, 10))))
        if first == "always":
            assert "With scikit-learn alone:\n\n```\npython predict.py new.jsonl > answers.jsonl" in card
        else:
            assert (
                "With sentence-transformers and scikit-learn alone, from the embedder that it was fitted with" in card
            )
    shutil.rmtree(out / "parts" / "1")
    shutil.copytree(out / "parts" / "0", out / "parts" / "1")
    assert {alone.surely(out / "parts" / "1", "")(text).text for text in texts} == {
        answers(fits["always"], texts)[0][0]
    }
    card = "\n".join(without_us(out, evaluation_of("copy nearest", scores_of(9, 10))))
    assert "With Python alone:" in card
    copying, copies = CopyInput().fit(tiny.benchmark("generation").task, bench), tmp_path / "copies"
    copying.save(copies / "parts" / "0")
    same(answers(copying, texts), [alone.surely(copies, "")(text)._replace(sure=0.0) for text in texts])
    assert [program.name for program in needed(copies)] == ["predict.py", "reading.py"]


def test_of_two_models_each_part_asks_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Both parts once asked the one model that could be named, and the card named that of the second alone."""
    for number in range(2):
        (tmp_path / "parts" / str(number) / "adapter").mkdir(parents=True)
        (tmp_path / "parts" / str(number) / "prompt.json").write_text(json.dumps({"labels": ["a"]}), encoding="utf-8")
    (tmp_path / "parts" / "0" / "adapter" / "adapter_config.json").write_text("{}", encoding="utf-8")
    rows = {name: {"model": model} for name, model in (("lora", "gemma3-270m-base"), ("prompting", "smollm2-135m"))}
    chosen = {"both": {"first": "lora", "second": "prompting", "below": 0.5}}
    nothing: Any = {key: {} for key in ("spec", "places", "weights", "sampling", "searches", "form")}
    run = Kept(name="", candidates=rows, cascades=chosen, dtype=None, **nothing)
    models = _several(run, ("lora", "prompting"), tmp_path)
    assert models == ["gemma3-270m-base", "smollm2-135m"]
    kept = {"places": {"lora": 0, "prompting": 1}, "kept": {"default": "both", "cascades": chosen}, "models": models}
    (tmp_path / "export.json").write_text(json.dumps(kept), encoding="utf-8")
    asked: list[str] = []
    monkeypatch.setattr(
        alone,
        "_answering",
        lambda _, given: lambda text: asked.append(given.language) or alone.Said("a", 0.4),  # type: ignore[func-returns-value]
    )
    with pytest.raises(
        SystemExit, match=r"^Give --model once for each of gemma3-270m-base, smollm2-135m, in that order.$"
    ):
        alone.surely(tmp_path, "one")
    alone.surely(tmp_path, ["one", "other"])("?")
    assert asked == ["one", "other"]
    (tmp_path / "predict.py").touch()
    used = Usage(model="", step="answering")
    parts = tuple(PartOf(model=model, family="", answering=used) for model in models)
    both = replace(evaluation_of("lora", scores_of(9, 10), model="smollm2-135m"), parts=parts)
    card = "\n".join([*without_us(tmp_path, both), *_serving(tmp_path, both)])
    assert "python predict.py new.jsonl --model FOLDER_OR_HUB_ID --model FOLDER_OR_HUB_ID > answers.jsonl" in card
    assert "The first `--model` is gemma3-270m-base, and the second smollm2-135m, which is asked" in card
    assert "`advisor models fetch gemma3-270m-base smollm2-135m` says in which folder" in card
    assert "`parts/0/adapter` is a plain peft adapter of gemma3-270m-base" in card
    server = {"model": "big", "address": "http://here/v1", "key_env": "KEY", "retries": 1}
    (tmp_path / "parts" / "1" / "prompt.json").write_text(
        json.dumps({"server": server, "labels": []}), encoding="utf-8"
    )
    assert _several(run, ("lora", "prompting"), tmp_path) == []
    (tmp_path / "export.json").write_text(json.dumps({**kept, "models": []}), encoding="utf-8")
    card = "\n".join(without_us(tmp_path, both))
    assert "from the model that it was fitted with and the server that it was measured with:" in card
    assert "new.jsonl --model FOLDER_OR_HUB_ID > answers.jsonl" in card
    assert "It asks big at `http://here/v1`" in card
    assert "in float32" in card
    assert "a server may answer otherwise the next time" in card
    assert "lets a server's answer pass" not in card
    held = {"server": server, "labels": [], "schema": '{"type": "object"}'}
    (tmp_path / "parts" / "1" / "prompt.json").write_text(json.dumps(held), encoding="utf-8")
    assert "its `--guard` lets a server's answer pass that is of another form" in "\n".join(without_us(tmp_path, both))


def _task_of(cases: Sequence[Case]) -> Task:
    from benchmarks.data.split import cut_folds, grouped

    task = tiny.benchmark("extraction").task
    return replace(task, folds=cut_folds(grouped(tuple(cases)), "extraction", 0))


def test_the_embedder_that_was_trained_goes_along(embedder: LocalEmbedder, tmp_path: Path) -> None:
    shutil.copytree(embedder.folder, tmp_path / "tuned")
    trained, cases = embedder.at(tmp_path / "tuned"), tiny.messages(24)
    vectors = trained.embed([case.input for case in cases])
    made = TunedHead(trained, Head.fit(vectors, [case.output for case in cases], 10.0))
    (tmp_path / "parts" / "0").mkdir(parents=True)
    made.save(tmp_path / "parts" / "0")
    texts = [case.input for case in tiny.messages(8, 90)]
    answer = alone.surely(tmp_path / "parts", "")
    same(answers(made, texts), [answer(text) for text in texts])
    assert [program.name for program in needed(tmp_path)] == ["predict.py", "reading.py"]
    (tmp_path / "predict.py").touch()
    card = "\n".join(without_us(tmp_path, evaluation_of("linear head", scores_of(9, 10))))
    assert "python predict.py new.jsonl > answers.jsonl" in card
    assert "the embedder that was trained for it, which lies here" in card


@pytest.mark.parametrize(("mode", "most"), [("dense", 5), ("hybrid", 5), ("hybrid", 20), ("reranked", 5)])
def test_the_same_chunks_are_found_without_the_product(
    mode: Mode, most: int, embedder: LocalEmbedder, tmp_path: Path
) -> None:
    documents = (*tiny.rooms(), *VERSIONS)
    folder = cross_encoder(tmp_path)
    reranker = LocalReranker(name="tiny", folder=folder, fingerprint="tiny")
    index = replace(PassageIndex.build(documents, embedder, 6), reranker=reranker)
    index.save(tmp_path / "index")
    there = lookup.Index(tmp_path / "index", alone.embedding(str(embedder.folder)), lookup.reranking(str(folder)))
    ours = index.search(ASKED, most, mode)
    assert any(len(row) == most for row in ours)
    for text, row in zip(ASKED, ours, strict=True):
        found = there.find(text, most, mode)
        assert [(one.document, one.start, one.end, one.text) for one in found] == [
            (one.document_id, one.start, one.end, one.text) for one in row
        ]
        assert [one.score for one in found] == pytest.approx([one.score for one in row], abs=1e-5)


def test_an_exported_index_is_described_and_searched_as_its_card_says(model_folders: Folders, tmp_path: Path) -> None:
    """And the sentences of the documents answer by `predict.py`, or the answer that stands by itself."""
    stated = {"query": "answer to ", "document": "room and floor: "}
    told = prompted(model_folders.embedder, tmp_path / "told", stated)
    embedder = LocalEmbedder(name="tiny", folder=told, fingerprint="tiny")
    passages = sentences((*tiny.rooms(), *VERSIONS))
    index = PassageIndex.made(passages, embedder)
    index = index.adapted(np.eye(index.vectors.shape[1], dtype=np.float32))  # Which moves a question to where it was.
    made = Quoting(index, Choice(mode="hybrid", otherwise="no idea", least=0.5))
    made.save(tmp_path / "parts" / "0")
    for program in needed(tmp_path):
        shutil.copyfile(Path(alone.__file__).with_name(program.source), tmp_path / program.name)
    card = "\n".join(without_us(tmp_path, evaluation_of("copy nearest", scores_of(9, 10))))
    assert f"{len(passages)} passages of 17 documents, searched by vectors and by words (BM25)" in card
    assert "With sentence-transformers, faiss-cpu and bm25s alone, from the embedder that it was fitted with" in card
    assert 'which reads "room and floor: " before each passage and "answer to " before what is asked; `query' in card
    assert "; `query_adapter.npy` a matrix: a question's vector and its product with this, made unit length, is" in card
    command = next(line for line in card.splitlines() if line.startswith("python lookup.py"))
    given = ["Sick pay weeks", "--index", "parts/0", "--embedder", str(embedder.folder)]
    assert command.split()[-4:] == ["--index", "parts/0", "--embedder", "FOLDER_OR_HUB_ID"]
    done = subprocess.run(
        [sys.executable, "-I", "lookup.py", *given], cwd=tmp_path, capture_output=True, text=True, timeout=120
    )
    assert done.returncode == 0, done.stderr
    rows = [json.loads(line) for line in done.stdout.splitlines()]
    (wanted,) = index.search(["Sick pay weeks"], 3)
    assert [(row["document_id"], row["start"], row["end"]) for row in rows] == [
        (each.document_id, each.start, each.end) for each in wanted
    ]
    assert rows[0]["text"] == wanted[0].text[-(wanted[0].end - wanted[0].start) :]
    answer = alone.surely(tmp_path, str(embedder.folder))
    same(answers(made, ASKED), [answer(text) for text in ASKED])
    other = tmp_path / "other"
    shutil.copytree(embedder.folder, other)
    from safetensors.torch import load_file, save_file

    (weights,) = [*other.rglob("model.safetensors")]
    turned = {name: value.flip(0).contiguous() for name, value in load_file(weights).items()}
    save_file(turned, weights, metadata={"format": "pt"})
    with pytest.raises(SystemExit, match="is not the embedder that the index was made with"):
        alone.surely(tmp_path, str(other))


def test_a_template_that_reaches_out_of_its_sandbox_is_stopped(model_folders: Folders, tmp_path: Path) -> None:
    """transformers renders it in the sandbox of jinja2; what an object's class leads to is out of bounds there."""
    from jinja2.exceptions import SecurityError

    shutil.copytree(model_folders.language, tmp_path / "model")
    made = tiny.local_model(model_folders.language).chat.tokenizer
    made.chat_template = "{{ ''.__class__.__mro__[1].__subclasses__() }}{{ messages[0]['content'] }}"
    made.save_pretrained(tmp_path / "model")
    with pytest.raises(SecurityError, match="unsafe"):
        speaking.Speaker(tmp_path, {"words": [], "max_tokens": 4}, str(tmp_path / "model"))


def test_what_was_measured_in_four_bits_is_not_promised_of_whole_weights(
    model_folders: Folders, embedder: LocalEmbedder, tmp_path: Path
) -> None:
    """The program computes with whole weights: of 30 answers 11 were those of the run, and the card said all."""
    made = fitted("generation", Setup(shots=1), model_folders.language, embedder)
    for name, small in (("whole", False), ("small", True)):
        model = replace(cast(LocalModel, made.model), quantised=small)
        replace(made, model=model).save(tmp_path / name / "parts" / "0")
        (tmp_path / name / "predict.py").touch()
    cards = [
        "\n".join(without_us(tmp_path / name, evaluation_of("prompting", scores_of(9, 10))))
        for name in ("whole", "small")
    ]
    assert ["Its answers are those of the run" in card for card in cards] == [True, False]
    assert ["what was measured does not hold for it" in card for card in cards] == [False, True]


def test_answers_are_utf_8_wherever_they_go() -> None:
    """A file or a pipe of Windows takes another encoding, and the first sign that it has not ended the program."""
    said = subprocess.run(
        [sys.executable, "-c", "import reading; reading.speak_utf8(); print('日本')"],
        cwd=Path(alone.__file__).parent,
        env={**os.environ, "PYTHONIOENCODING": "cp1252", "PYTHONUTF8": "0"},
        capture_output=True,
        check=True,
    )
    assert said.stdout.decode("utf-8").strip() == "日本"
