"""Labels that are listed in a prompt: all where there is room, else those of the nearest examples."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from pathlib import Path

import pytest

from strategies.approaches.lora_retrieval import LoraRetrieval
from strategies.approaches.prompting import Prompting
from strategies.approaches.retrieval import Retrieval
from strategies.contract import Case, Document, Fold, Prompt, Query, Sampling, Task
from strategies.models.local import LocalModel
from strategies.pipeline import Pipeline, Setup, load_pipeline
from strategies.prompting.fitting import LISTED, LISTED_SHARE
from strategies.prompting.rendering import Form
from strategies.selection import PipelineBuilder
from tests import tiny
from tests.scripted import ScriptedModel

LISTING = Setup(form=Form(show_labels=True))


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> LocalModel:
    return tiny.local_model(tiny.model_folder(tmp_path_factory.mktemp("model")))


def many(labels: int) -> Task:
    """So many labels of several words, three examples each that name theirs."""
    names = tuple(f"question_about_the_{number}th_subject" for number in range(labels))
    cases = tuple(
        Case(id=f"{name}-{turn}", input=f"subject{place} turn{turn}", output=name)
        for place, name in enumerate(names)
        for turn in range(3)
    )
    fold = Fold(train=cases[::2], selection=cases[1::2])
    return dataclasses.replace(tiny.benchmark().task, labels=names, folds=(fold,))


def listing(task: Task, model: LocalModel, place: Path, cases: Sequence[Case]) -> Pipeline:
    return PipelineBuilder(task, tiny.Bench(folder=place, language=model)).build(LISTING, cases)


def listed(pipeline: Pipeline, text: str) -> list[str]:
    (request,) = pipeline.requests([Query.of(text)])
    sentence = request.prompt[0].content.partition("Possible answers: ")[2]
    return sentence.removesuffix(".").split(", ")


def test_few_labels_are_all_listed_and_the_same_for_every_request(model: LocalModel, tmp_path: Path) -> None:
    task = many(10)
    pipeline = listing(task, model, tmp_path, task.examples)
    assert pipeline.lists_all
    assert listed(pipeline, "subject3") == listed(pipeline, "subject7") == [n.replace("_", " ") for n in task.labels]


def test_a_list_that_does_not_fit_is_cut_to_the_labels_of_the_nearest_examples(
    model: LocalModel, tmp_path: Path
) -> None:
    task = many(120)
    pipeline = listing(task, model, tmp_path, task.examples)
    assert not pipeline.lists_all
    words = listed(pipeline, "subject77")
    assert words[0] == "question about the 77th subject"
    assert 5 < len(words) == len(set(words)) <= LISTED
    assert words != listed(pipeline, "subject3")
    (request,) = pipeline.requests([Query.of("subject77")])
    assert model.count(request.prompt[:1]) < LISTED_SHARE * model.context_tokens + 20


def test_what_was_cut_short_is_cut_alike_after_loading_and_for_other_examples(
    model: LocalModel, tmp_path: Path
) -> None:
    task = many(120)
    pipeline = listing(task, model, tmp_path, task.examples)
    pipeline.save(tmp_path / "fit")
    bench = tiny.Bench(folder=tmp_path, language=model)
    loaded = load_pipeline(tmp_path / "fit", bench)
    assert listed(loaded, "subject77") == listed(pipeline, "subject77")
    (outcome,) = dict(loaded.answer([Query.of("subject77")], Sampling())).values()
    assert getattr(outcome, "text", "") in task.labels
    few = dataclasses.replace(task, folds=(Fold(train=task.examples[:30], selection=()),))
    smaller = Prompting().rebuilt(tmp_path / "fit", few, bench)
    assert isinstance(smaller, Pipeline)
    known = {case.output.replace("_", " ") for case in few.examples}
    assert set(listed(smaller, "subject77")) <= known


def test_listing_is_tried_however_many_labels_there_are() -> None:
    for labels in (2, 40, 500):
        assert any(setup.form.show_labels for setup in Prompting().space(many(labels)))
    assert not any(setup.form.show_labels for setup in Prompting().space(tiny.benchmark("qa").task))


class Writer(ScriptedModel):
    """It writes labels, as a server does."""

    score_labels = None  # type: ignore[assignment]


def with_codes(documents: Sequence[Document]) -> Task:
    """Labels that nobody can guess from an input, and documents that do not name them."""
    task = tiny.benchmark(examples=60).task
    codes = {topic: f"Queue {place}" for place, topic in enumerate(task.labels)}
    (fold,) = task.folds[:1]
    train, selection = (
        tuple(dataclasses.replace(case, output=codes[case.output]) for case in cases)
        for cases in (fold.train, fold.selection)
    )
    folds = (Fold(train=train, selection=selection),)
    return dataclasses.replace(task, labels=tuple(codes.values()), folds=folds, documents=tuple(documents))


def test_a_model_that_writes_finds_the_names_of_labels_beside_passages(tmp_path: Path) -> None:
    """Without, no answer of a server from passages alone was a label; one that scores labels need not read them."""
    task = with_codes([Document(id="policy", text="Messages about parcels are urgent on Mondays.")])
    codes = {case.input: case.output for case in task.examples}

    def answer(prompt: Prompt) -> str:
        code = codes[prompt[-1].asked]
        return code if any(code in turn.content for turn in prompt) else "parcels"

    bench = tiny.Bench(folder=tmp_path, language=Writer(name="m", answer=answer), tuning_tokens=10_000_000)
    fitted = Retrieval().fit(task, bench)
    alone = [one for one in bench.trials if one.configuration["passages"] and not one.configuration["shots"]]
    assert len(alone) >= 3
    assert {one.score for one in alone} == {1.0}
    beside = [setup for setup in Retrieval().space(task, writes=True) if setup.passages and setup.shots]
    assert {setup.form.show_labels for setup in beside} == {True, False}
    assert isinstance(fitted, Pipeline)
    assert not any(setup.form.show_labels for setup in Retrieval().space(task))
    assert not any(setup.form.show_labels for setup in LoraRetrieval().setups(task))
    assert len(Retrieval().space(task)) == len(Retrieval().space(task, writes=True))


def test_a_list_beside_passages_that_was_cut_short_is_built_again_from_fewer_examples(
    model: LocalModel, tmp_path: Path
) -> None:
    task = dataclasses.replace(many(120), documents=(Document(id="policy", text="Subjects are urgent."),))
    bench = tiny.Bench(folder=tmp_path, language=model)
    for labels, again in ((task.labels, True), (task.labels[:3], False)):
        few = dataclasses.replace(task, labels=labels)
        setup = dataclasses.replace(LISTING, passages=1)
        PipelineBuilder(few, bench).build(setup, few.examples).save(tmp_path / "fit")
        assert (Retrieval().rebuilt(tmp_path / "fit", few, bench) is not None) == again


def test_varied_demonstrations_show_as_many_labels_as_there_are_near(model: LocalModel, tmp_path: Path) -> None:
    """Three examples of each label are alike, so the nearest alone are all of one."""
    task = many(10)
    cases = tuple(case for fold in task.folds for case in (*fold.train, *fold.selection))
    builder = PipelineBuilder(task, tiny.Bench(folder=tmp_path, language=model))
    for varied, labels in ((False, 1), (True, 3)):
        setup = Setup(form=Form(), shots=3, picks="nearest", varied=varied)
        (shown,) = builder.build(setup, cases).demonstrations(["subject3"])
        assert len({one.case.output for one in shown}) == labels
        assert shown[-1].case.output == task.labels[3], "the nearest stands next to the question"
