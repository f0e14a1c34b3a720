"""A search that learns from examples: questions in other words than the documents find what they found for others."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from advisor.story import setups
from strategies.approaches.lora_retrieval import LoraRetrieval
from strategies.approaches.retrieval import Retrieval
from strategies.contract import Case, Document, Fold, Prediction, Query, Sampling, Task
from strategies.finding import moved, way
from strategies.finetuning.tuned import without
from strategies.indexes import Indexes
from strategies.pipeline import Pipeline, Setup
from strategies.prompting.demonstrations import founded
from strategies.retrieval.chunking import cut
from strategies.retrieval.index import PassageIndex
from strategies.retrieval.query_adapter import FEWEST, MOST, adapted, learnt
from strategies.selection import PipelineBuilder
from strategies.standalone import lookup
from tests import tiny
from tests.scripted import ScriptedModel

EMBEDDER = tiny.WordHashes()
SUBJECTS = (
    "travel",
    "lunch",
    "badges",
    "parking",
    "laptops",
    "holidays",
    "training",
    "heating",
    "visitors",
    "printing",
)
SLANG = ("zoom", "grub", "tags", "wheels", "bricks", "sun", "drill", "sauna", "guests", "paper")
FRAMES = (
    "How about {}?",
    "Who pays for {} here?",
    "Is {} a thing with us?",
    "My question is on {} again",
    "Tell me {} rules",
)
DOCUMENTS = tuple(
    Document(id=subject, text=f"The rule on {subject} is that desk {place} answers for it.")
    for place, subject in enumerate(SUBJECTS)
)


def asking(frames: tuple[str, ...], said: tuple[str, ...] = SLANG) -> tuple[Case, ...]:
    """Questions about each document; by other words than the document's own where these are slang."""
    return tuple(
        Case(id=f"{frame} {word}", input=frame.format(word), output=f"desk {place}", document_ids=(SUBJECTS[place],))
        for frame in frames
        for place, word in enumerate(said)
    )


def task_of(examples: tuple[Case, ...], documents: tuple[Document, ...] = DOCUMENTS) -> Task:
    half = len(examples) // 2
    folds = (
        Fold(train=examples[:half], selection=examples[half:]),
        Fold(train=examples[half:], selection=examples[:half]),
    )
    return replace(tiny.benchmark("qa").task, documents=documents, folds=folds)


def bench(place: Path) -> tiny.Bench:
    model = ScriptedModel(name="scripted", answer=lambda prompt: "desk 1")
    return tiny.Bench(folder=place, language=model, embedder=EMBEDDER)


def first(index: PassageIndex, cases: tuple[Case, ...]) -> float:
    rows = index.search([case.input for case in cases], 1, "dense")
    return float(np.mean([row[0].document_id in case.document_ids for case, row in zip(cases, rows, strict=True)]))


@pytest.fixture(scope="module")
def index() -> PassageIndex:
    return PassageIndex.build(DOCUMENTS, EMBEDDER)


@pytest.fixture(scope="module")
def adapter(index: PassageIndex) -> np.ndarray:
    found = learnt(index, asking(FRAMES[:3]), founded(task_of(asking(FRAMES)), index.named))
    assert isinstance(found, np.ndarray)
    return found


def test_questions_find_what_others_in_the_same_words_were_about(index: PassageIndex, adapter: np.ndarray) -> None:
    asked = asking(FRAMES[3:])
    assert first(index, asked) < 0.5
    assert first(index.adapted(adapter), asked) >= 0.75


def test_vectors_stay_of_unit_length_and_none_moves_without_an_adapter(
    index: PassageIndex, adapter: np.ndarray
) -> None:
    plain, there = index.asked(["zoom", "lunch"]), index.adapted(adapter).asked(["zoom", "lunch"])
    assert there.dtype == np.float32
    assert np.allclose(np.linalg.norm(there, axis=1), 1, atol=1e-6)
    assert np.allclose(adapted(plain, np.zeros_like(adapter)), plain, atol=1e-6)
    assert not adapted(np.zeros((1, 64), np.float32), adapter).any(), "nothing is divided by 0"
    assert index.adapter is None


def test_it_is_the_minimum_that_plain_gradient_descent_finds_too(index: PassageIndex, adapter: np.ndarray) -> None:
    """The loss as its definition has it, in double precision: no small step from the adapter lowers it by more than rounding."""
    cases = asking(FRAMES[:3])
    questions = torch.tensor(index.asked([case.input for case in cases]), dtype=torch.float64)
    passages = torch.tensor(np.asarray(index.vectors), dtype=torch.float64)
    right = [SUBJECTS.index(case.document_ids[0]) for case in cases]

    def loss(matrix: torch.Tensor) -> torch.Tensor:
        turned = questions + questions @ matrix
        scores = turned / turned.norm(dim=1, keepdim=True) @ passages.T / 0.05
        return torch.nn.functional.cross_entropy(scores, torch.tensor(right), reduction="sum") + (matrix**2).sum()

    matrix = torch.tensor(adapter, dtype=torch.float64, requires_grad=True)
    begun = float(loss(torch.zeros(64, 64, dtype=torch.float64)))
    reached = loss(matrix)
    reached.backward()  # type: ignore[no-untyped-call]
    assert matrix.grad is not None
    with torch.no_grad():
        lower = min(float(loss(matrix - step * matrix.grad)) for step in (0.001, 0.003, 0.01, 0.03))
    assert reached.item() < begun / 2
    assert reached.item() - lower < 0.01 * begun


def test_too_few_examples_that_name_passages_teach_nothing(index: PassageIndex) -> None:
    tell = founded(task_of(asking(FRAMES)), index.named)
    cases = asking(FRAMES[:2])
    assert len(cases) == FEWEST
    assert learnt(index, cases, tell) is not None
    assert learnt(index, cases[1:], tell) is None
    unnamed = tuple(replace(case, document_ids=()) for case in cases)
    gone = tuple(replace(case, document_ids=("gone",)) for case in cases)
    elsewhere = tuple(replace(case, output="desk 99") for case in cases)
    assert [learnt(index, (*each, *cases[1:]), tell) for each in (unnamed, gone, elsewhere)] == [None] * 3


def test_of_very_many_examples_as_many_are_learnt_as_is_stated(
    index: PassageIndex, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[int] = []
    monkeypatch.setattr(
        "strategies.retrieval.query_adapter._solved", lambda questions, passages, wanted: asked.append(len(questions))
    )
    cases = tuple(replace(case, id=f"{case.id} {turn}") for turn in range(15) for case in asking(FRAMES))
    learnt(index, cases, founded(task_of(cases), index.named))
    assert asked == [MOST]


def test_a_copy_of_the_named_document_is_as_right() -> None:
    copies = (*DOCUMENTS, *(replace(one, id=f"{one.id} again") for one in DOCUMENTS))
    index = PassageIndex.build(copies, EMBEDDER)
    cases = asking(FRAMES[:3])
    found = learnt(index, cases, founded(task_of(cases, copies), index.named))
    rows = index.adapted(found).search([case.input for case in asking(FRAMES[3:])], 2, "dense")
    pairs = [{evidence.document_id.removesuffix(" again") for evidence in row} for row in rows]
    assert np.mean([len(pair) == 1 for pair in pairs]) > 0.9


def test_a_saved_index_and_the_program_of_an_export_find_the_same(
    index: PassageIndex, adapter: np.ndarray, tmp_path: Path
) -> None:
    moving = index.adapted(adapter)
    moving.save(tmp_path)
    again = PassageIndex.load(tmp_path, EMBEDDER)
    alone = lookup.Index(tmp_path, lambda texts, lead=None: EMBEDDER.embed(texts))
    for case in asking(FRAMES[3:]):
        (wanted,) = moving.search([case.input], 3)
        assert again.search([case.input], 3) == [wanted]
        there = alone.find(case.input, 3, "hybrid")
        assert [one.document for one in there] == [one.document_id for one in wanted]
        assert [one.score for one in there] == pytest.approx([one.score for one in wanted], abs=1e-5)
    changed = [replace(DOCUMENTS[0], text="The rule on travel is that nobody answers for it.")]
    assert again.updated(changed, cut(changed)).adapter is again.adapter, "a fact that changes takes no examples"
    index.save(tmp_path)
    assert PassageIndex.load(tmp_path, EMBEDDER).adapter is None, "what lies there from before is not taken"


def test_it_is_taken_where_other_examples_find_more_with_it(tmp_path: Path) -> None:
    builder = PipelineBuilder(task_of(asking(FRAMES)), bench(tmp_path))
    chosen = way(builder)
    assert chosen.adapted
    noted = builder.noted["found_adapted"]
    assert noted["examples"] == 50
    assert noted["shares"][0] > builder.noted["found"]["shares"][chosen.mode][0]


def test_it_is_not_taken_where_examples_already_find_their_passages_or_none_share_words(tmp_path: Path) -> None:
    plain = task_of(asking(FRAMES, SUBJECTS))
    assert not way(PipelineBuilder(plain, bench(tmp_path))).adapted
    once = tuple(replace(case, group=case.output) for case in asking(FRAMES))
    builder = PipelineBuilder(task_of(once), bench(tmp_path))
    assert not way(builder).adapted, "what belongs together teaches nothing about itself"
    assert "found_adapted" not in builder.noted


def test_setups_without_passages_stay_as_they_are(tmp_path: Path) -> None:
    builder = PipelineBuilder(task_of(asking(FRAMES)), bench(tmp_path))
    nearest = Setup(shots=3, picks="nearest")
    assert moved(builder, [nearest], "dense") == [nearest]
    assert [one.adapted for one in moved(builder, [Setup(passages=1), nearest], "dense")] == [True, False]


def test_selection_cases_teach_nothing_of_how_they_are_found(tmp_path: Path) -> None:
    task = task_of(asking(FRAMES))
    indexes, setup = Indexes(task, bench(tmp_path)), Setup(passages=1, adapted=True)
    part, whole = (indexes.searched(setup, cases) for cases in (task.folds[0].train, task.examples))
    assert part is not None
    assert whole is not None
    alone = learnt(PassageIndex.build(DOCUMENTS, EMBEDDER), task.folds[0].train, indexes.tell)
    assert alone is not None
    assert np.allclose(part.adapter, alone)
    assert not np.allclose(part.adapter, whole.adapter)


def test_retrieval_answers_with_it_and_is_built_again_from_other_examples(tmp_path: Path) -> None:
    place = bench(tmp_path)
    fitted = Retrieval().fit(task_of(asking(FRAMES[:4])), place)
    assert isinstance(fitted, Pipeline)
    assert fitted.setup.adapted
    assert "moved by an adapter learnt from the examples" in setups.told(fitted.describe())
    fitted.save(tmp_path / "fit")
    again = Retrieval().load(tmp_path / "fit", place)
    asked = asking(FRAMES[4:])
    answers = dict(again.answer([Query.of(case.input) for case in asked], Sampling()))
    outcomes = [answers[Query.of(case.input).key] for case in asked]
    shown = [outcome.evidence for outcome in outcomes if isinstance(outcome, Prediction)]
    right = [row[0].document_id in case.document_ids for row, case in zip(shown, asked, strict=True)]
    assert np.mean(right) > first(PassageIndex.build(DOCUMENTS, EMBEDDER), asked)
    assert [row[0] for row in shown] == [
        row[0] for row in fitted.sources.evidence([c.input for c in asked], 1, fitted.setup.mode)
    ]
    fewer = Retrieval().rebuilt(tmp_path / "fit", task_of(asking(FRAMES[:2])), place)
    assert isinstance(fewer, Pipeline)
    assert isinstance(fewer.sources.index, PassageIndex)
    assert isinstance(fitted.sources.index, PassageIndex)
    assert not np.allclose(fewer.sources.index.adapter, fitted.sources.index.adapter)


def test_what_is_tuned_on_passages_is_searched_so_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[Setup] = []
    monkeypatch.setattr(
        "strategies.approaches.lora_retrieval.fit_tuned", lambda name, builder, setups: seen.extend(setups)
    )
    LoraRetrieval().fit(task_of(asking(FRAMES)), bench(tmp_path))
    assert seen
    assert all(setup.adapted for setup in seen if setup.passages)


def test_a_search_that_judges_what_a_refit_keeps_apart_has_not_learnt_that(tmp_path: Path) -> None:
    task = task_of(asking(FRAMES))
    builder = PipelineBuilder(task, bench(tmp_path))
    plain = builder.build(Setup(passages=1, mode="dense", adapted=True), task.examples)
    apart = task.examples[:8]
    found, rest = without(plain, apart).sources, builder.build(plain.setup, task.examples[8:]).sources
    assert found.cases == rest.cases
    assert isinstance(found.index, PassageIndex)
    assert isinstance(rest.index, PassageIndex)
    assert np.allclose(found.index.adapter, rest.index.adapter)
    assert not np.allclose(found.index.adapter, plain.sources.index.adapter)  # type: ignore[union-attr]
