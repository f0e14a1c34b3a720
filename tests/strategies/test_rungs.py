"""The rungs without a language model: what sets each of them apart; the contract tests hold what they share."""

from __future__ import annotations

import dataclasses
import json
import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from sklearn.linear_model import LogisticRegression

from strategies.approaches.best_sentence import BestSentence, Quoting, _threshold
from strategies.approaches.contrastive_head import EPOCHS, STRENGTHS, ContrastiveHead, TunedHead
from strategies.approaches.linear_head import LinearHead
from strategies.approaches.majority import Majority, commonest
from strategies.approaches.word_head import Counting, WordClassifier, WordHead
from strategies.contract import (
    Case,
    DeadAdapter,
    Document,
    Fold,
    Outcome,
    Prediction,
    Query,
    Sampling,
    Strategy,
    Task,
    Usage,
)
from strategies.heads import Head, Looked, best_of, chosen, looked
from strategies.models.contrastive import Lessons, tokens_of
from strategies.models.embedding import LocalEmbedder
from strategies.retrieval.chunking import sentences
from strategies.weighing import LEAST_SHARE
from tests import tiny
from tests.tiny_embedder import TrainableHashes, embedder_folder, trainable


def test_the_constant_answer_leaves_out_what_most_answers_lack_and_says_null_where_they_do() -> None:
    answers = [{"item": "cup", "by": None}, {"item": "cup", "by": None, "gift": "card"}, {"item": "mug", "by": "Ada"}]
    cases = [Case(id=str(place), input="x", output=json.dumps(each)) for place, each in enumerate(answers)]
    assert json.loads(commonest(cases, "extraction")) == {"item": "cup", "by": None}


def pieces(text: str) -> list[str]:
    return [text[each.start : each.end] for each in sentences([Document(id="a", text=text, title="A")])]


def test_a_sentence_ends_at_a_sign_or_with_its_line() -> None:
    text = 'Room Ada has 5 seats. "Is it so?" Yes, e.g. today!\n\n- one\n---\nIt costs 3.5 EUR a day.'
    assert pieces(text) == [
        "Room Ada has 5 seats.",
        '"Is it so?"',
        "Yes, e.g. today!",
        "- one",
        "It costs 3.5 EUR a day.",
    ]
    assert pieces("部屋は五つ。机は三つ。") == ["部屋は五つ。", "机は三つ。"]
    assert pieces(" \n ") == []


def asked(task: Task, text: str, place: Path) -> Prediction:
    fitted = BestSentence().fit(task, tiny.Bench(folder=place))
    fitted.save(place / "fit")
    loaded = BestSentence().load(place / "fit", tiny.Bench(folder=place))
    (outcome,) = dict(loaded.answer([Query.of(text)], Sampling())).values()
    assert isinstance(outcome, Prediction)
    return outcome


def test_the_answer_is_a_sentence_of_the_document_and_says_where_it_stands(tmp_path: Path) -> None:
    outcome = asked(tiny.benchmark("qa").task, "How many seats has Room Curie?", tmp_path)
    (evidence,) = outcome.evidence
    (room,) = [each for each in tiny.rooms() if each.id == "room-Curie"]
    assert evidence.document_id == room.id
    assert outcome.text == room.text[evidence.start : evidence.end] == "Room Curie has 6 seats."


NOWHERE = "not in the handbook"


def unanswerable(count: int) -> list[Case]:
    return [Case(id=f"n{place}", input=f"Zzyzx qwv {place} plugh?", output=NOWHERE) for place in range(count)]


def contains(case: Case, outcome: Outcome) -> float:
    return float(isinstance(outcome, Prediction) and case.output in outcome.text)


def with_a_refusal() -> Task:
    """Half of the questions have no answer in the documents; sentences count as right where they hold the answer."""
    task = tiny.benchmark("qa").task
    cases = (*task.examples, *unanswerable(24))
    fold = Fold(train=cases[::2], selection=cases[1::2])
    return dataclasses.replace(task, folds=(fold,), score=contains)


def test_a_question_that_no_sentence_is_near_to_gets_the_answer_that_stands_by_itself(tmp_path: Path) -> None:
    task = with_a_refusal()
    assert asked(task, "Xyzzy frobnicate the quux?", tmp_path / "far").text == NOWHERE
    assert asked(task, "How many seats has Room Curie?", tmp_path / "near").text != NOWHERE


def test_the_threshold_is_the_lowest_that_is_worth_most() -> None:
    assert _threshold([(0.1, 0, 1), (0.2, 0, 1), (0.3, 1, 0), (0.4, 1, 0)]) == 0.3
    assert _threshold([(0.1, 1, 0), (0.2, 0, 1)]) == 0.0, "a threshold that loses as much as it wins is none"
    assert _threshold([(0.1, 0, 1), (0.1, 1, 0), (0.2, 0, 1)]) == 2.0, "equal similarities go the same way"


def test_without_such_an_answer_a_sentence_is_always_given(tmp_path: Path) -> None:
    fitted = BestSentence().fit(tiny.benchmark("qa").task, tiny.Bench(folder=tmp_path))
    assert isinstance(fitted, Quoting)
    assert fitted.choice.otherwise == ""


# ---------------------------------------------------------------- labels over documents


def over_documents() -> Task:
    """Questions with labels for answers and documents beside them."""
    kinds = tiny.benchmark(examples=48).task
    return dataclasses.replace(kinds, kind="qa", documents=tiny.rooms())


def test_questions_whose_answers_are_labels_are_for_classifiers_and_for_no_sentence(tmp_path: Path) -> None:
    task = over_documents()
    assert BestSentence().unsuitable(task) == "answers are labels, which are no sentences of the documents"
    assert ContrastiveHead().unsuitable(task) == ""
    for strategy in (WordHead(), LinearHead()):
        assert strategy.unsuitable(task) == ""
        fitted = strategy.fit(task, tiny.Bench(folder=tmp_path))
        (outcome,) = dict(fitted.answer([Query.of(task.examples[0].input)], Sampling())).values()
        assert isinstance(outcome, Prediction)
        assert set(outcome.probabilities or ()) == set(task.labels)
    open_questions = dataclasses.replace(task, labels=())
    for other in (ContrastiveHead(), WordHead(), LinearHead()):
        assert other.unsuitable(open_questions) != ""
    assert BestSentence().unsuitable(open_questions) == ""


# ---------------------------------------------------------------- the contrastive head


@pytest.fixture(scope="module")
def embedder(tmp_path_factory: pytest.TempPathFactory) -> TrainableHashes:
    return trainable(tmp_path_factory.mktemp("embedder"))


def apart(vectors: Any, labels: Sequence[str]) -> float:
    """How much nearer examples of one label are to each other than to those of others."""
    import numpy as np

    near, names = vectors @ vectors.T, np.array(labels)
    same = (names[:, None] == names[None, :]) & ~np.eye(len(names), dtype=bool)
    return float(near[same].mean() - near[names[:, None] != names[None, :]].mean())


def test_training_brings_the_examples_of_a_label_together(embedder: TrainableHashes, tmp_path: Path) -> None:
    pairs = [(f"{word} {word}", label) for label, words in tiny.TOPICS.items() for word in words]
    texts, labels = [text for text, _ in pairs], [label for _, label in pairs]
    before = apart(LocalEmbedder.embed(embedder, texts), labels)
    for name in ("first", "second"):
        lessons = Lessons(texts=texts, labels=labels, epochs=40, learning_rate=3e-3)
        assert embedder.tuned(lessons, tmp_path / name, seed=1) == 40 * embedder.count(texts)
    first, second = embedder.at(tmp_path / "first"), embedder.at(tmp_path / "second")
    assert apart(first.embed(texts), labels) > before + 0.2
    assert first.fingerprint == second.fingerprint, "the same seed gives the same weights"


def test_examples_that_share_no_label_teach_nothing_and_break_nothing(
    embedder: TrainableHashes, tmp_path: Path
) -> None:
    lessons = Lessons(texts=["one", "two", "three"], labels=["a", "b", "c"], epochs=2, learning_rate=1e-3)
    embedder.tuned(lessons, tmp_path / "apart", seed=0)
    found = embedder.at(tmp_path / "apart").embed(["one"])
    assert found == pytest.approx(LocalEmbedder.embed(embedder, ["one"]), abs=1e-6)


def test_selection_cases_are_answered_by_what_learnt_from_others_only(
    embedder: TrainableHashes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[list[str]] = []

    class Noted(tiny.WordHashes):
        remember = False

        def embed(self, texts: Sequence[str]) -> Any:
            seen.append(list(texts))
            return super().embed(texts)

    def trained(bench: Any, on: tuple[Sequence[Case], int], folder: Path) -> Any:
        seen.append([case.input for case in on[0]])
        return Noted(), 1, Usage(model="noted", step="training")

    module = "strategies.approaches.contrastive_head"
    monkeypatch.setattr(f"{module}._trained", trained)
    monkeypatch.setattr(ContrastiveHead, "_whole", lambda *_: None)
    task = tiny.benchmark(examples=48).task
    ContrastiveHead().fit(task, tiny.Bench(folder=tmp_path, embedder=embedder))
    inputs = [[[case.input for case in part] for part in (fold.train, fold.selection)] for fold in task.folds]
    assert seen == [texts for learnt, asked in inputs for texts in (learnt, learnt, *[asked] * len(STRENGTHS))]
    built: list[list[str]] = []

    def build(cases: Sequence[Case], option: Any) -> Any:
        built.append([case.input for case in cases])
        return Majority().fit(task, tiny.Bench(folder=tmp_path))

    _, record = chosen("noted", (task, tiny.Bench(folder=tmp_path)), [{"C": 1.0}], build)
    assert built == [learnt for learnt, _ in inputs]
    assert [row[0] for row in record["selection_answers"]] == [
        case.id for fold in task.folds for case in fold.selection
    ]


def test_a_small_budget_pays_for_fewer_epochs_and_that_is_told(embedder: TrainableHashes, tmp_path: Path) -> None:
    task = tiny.benchmark(examples=48).task
    tokens = sum(embedder.count([case.input for case in fold.train]) for fold in task.folds)
    for epochs, rising in ((2, True), (EPOCHS, False)):
        bench = tiny.Bench(folder=tmp_path / str(epochs), embedder=embedder, tuning_tokens=2 * epochs * tokens)
        told = ContrastiveHead().fit(task, bench).describe()
        assert (told["epochs"], told["rising"]) == (epochs, rising)
        assert sum(trial.tokens for trial in bench.trials) <= bench.tuning_tokens


@pytest.mark.parametrize("strategy", [LinearHead(), WordHead()], ids=lambda each: each.name)
def test_a_head_tries_the_same_at_every_effort(strategy: Strategy, tmp_path: Path) -> None:
    benches = [tiny.Bench(folder=tmp_path, tuning_tokens=tokens) for tokens in (0, 1_000_000)]
    told = [strategy.fit(tiny.benchmark().task, bench).describe() for bench in benches]
    assert told[0] == told[1]
    assert [trial.configuration for trial in benches[0].trials] == [each.configuration for each in benches[1].trials]
    assert len(benches[0].trials) > 1


def test_what_was_trained_before_a_kill_is_not_trained_again(
    embedder: TrainableHashes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    task = tiny.benchmark(examples=48).task
    first = tiny.Bench(folder=tmp_path, embedder=embedder, tuning_tokens=4_000)
    whole = ContrastiveHead().fit(task, first)
    again = tiny.Bench(folder=tmp_path, embedder=embedder, tuning_tokens=4_000, journal=first.journal)
    monkeypatch.setattr(LocalEmbedder, "tuned", lambda *_: pytest.fail("trained again"))
    found = ContrastiveHead().fit(task, again)
    assert isinstance(found, TunedHead)
    assert (found.describe(), again.spent, again.trials) == (whole.describe(), first.spent, first.trials)


def test_an_embedder_that_cannot_be_trained_is_named(tmp_path: Path) -> None:
    with pytest.raises(DeadAdapter, match="the embedder word hashes cannot be trained here"):
        ContrastiveHead().fit(tiny.benchmark().task, tiny.Bench(folder=tmp_path))


# ---------------------------------------------------------------- counting words


def test_with_many_labels_and_much_text_the_terms_that_most_texts_have_are_counted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The table of labels and terms had no limit, and one of 150 labels and 50,000 texts took 11 GB to fit."""
    counted = Counting.of("words", ["c a", "b a", "a"], 2)
    assert (counted.terms, counted.left_out) == (("a", "b"), 3), "of equally many texts: b, `b a`, c and `c a`"
    cases = tiny.benchmark(examples=48).task.examples
    option: dict[str, Any] = {"counted": ["words", "letters"], "C": 10.0}
    whole = WordClassifier.fit(cases, option, {"C": 10.0}).describe()
    assert "terms_left_out" not in whole
    monkeypatch.setattr("strategies.approaches.word_head.CELLS", 4 * 21)
    fitted = WordClassifier.fit(cases, option, {"C": 10.0})
    assert fitted.head.weights.shape == (4, 20), "ten words and ten sequences of letters"
    assert fitted.describe() == {"terms": 20, "C": 10.0, "terms_left_out": whole["terms"] - 20}
    fitted.save(tmp_path)
    loaded = WordHead().load(tmp_path, tiny.Bench(folder=tmp_path))
    assert loaded.describe() == fitted.describe()
    queries = [Query.of(case.input) for case in cases[:4]]
    assert dict(loaded.answer(queries, Sampling())).keys() == dict(fitted.answer(queries, Sampling())).keys()


# ---------------------------------------------------------------- which option


@pytest.mark.parametrize("labels", [2, 3])
def test_the_shares_of_a_head_are_those_of_the_library(labels: int) -> None:
    dice = np.random.default_rng(0)
    numbers = dice.integers(0, labels, 60)
    features = dice.normal(size=(60, 4)) + np.eye(4)[numbers]
    head = Head.fit(features, [f"label {number}" for number in numbers], 3.0)
    wanted = LogisticRegression(C=3.0, max_iter=2000).fit(features, numbers).predict_proba(features)
    assert head.probabilities(features) == pytest.approx(wanted, abs=1e-6)
    assert head.classes == tuple(f"label {number}" for number in range(labels))


def look(right: int, share: float | None, of: int = 100) -> Looked:
    """So many of the answers are right, and every right answer has this share."""
    rows = [[str(place), "", float(place < right), None] for place in range(of)]
    return Looked(rows, [] if share is None else [math.log(share)] * of)


def test_of_options_that_score_about_alike_the_one_that_gives_right_answers_most_is_chosen() -> None:
    assert best_of([look(50, 0.1), look(49, 0.4), look(49, 0.3)]) == 1
    assert best_of([look(50, 0.1), look(20, 0.9)]) == 0, "what scores clearly less is not chosen"
    assert best_of([look(50, 0.2), look(50, 0.2)]) == 0


def test_options_without_shares_are_chosen_by_their_scores() -> None:
    assert best_of([look(49, None), look(50, None), look(50, None)]) == 1
    assert best_of([look(49, 0.9), dataclasses.replace(look(50, 0.1), logs=[-1.0] * 99)]) == 1, "one has none"


def test_a_label_that_was_never_shown_decides_no_choice_alone(tmp_path: Path) -> None:
    benchmark = tiny.benchmark()
    bench = tiny.Bench(folder=tmp_path)
    fold = benchmark.task.folds[0]
    strange = dataclasses.replace(fold.selection[0], output="never shown")
    task = dataclasses.replace(
        benchmark.task, folds=(Fold(train=fold.train, selection=(strange, *fold.selection[1:])),)
    )
    found = looked(task, 0, LinearHead()._heads(fold.train, (task, bench.embedder), 10.0, {}))
    assert found.logs[0] == math.log(LEAST_SHARE)
    assert len(found.logs) == len(found.rows) == len(fold.selection)
    assert max(found.logs) > math.log(0.25), "of four labels"


def test_an_embedder_that_comes_in_float16_is_trained_in_float32(tmp_path: Path) -> None:
    """In float16 its weights became no numbers at the first step, on processors too."""
    folder = embedder_folder(tmp_path)
    whole = LocalEmbedder(name="whole", folder=folder, fingerprint="f").model
    whole.half().save_pretrained(str(tmp_path / "half"), create_model_card=False)
    embedder = LocalEmbedder(name="half", folder=tmp_path / "half", fingerprint="f")
    texts = [f"Where is my order {place}?" if place % 2 else f"Refund the lamp {place}" for place in range(16)]
    lessons = Lessons(texts=texts, labels=["ab"[place % 2] for place in range(16)], epochs=2, learning_rate=1e-3)
    embedder.tuned(lessons, tmp_path / "tuned", 0)
    before, after = embedder.embed(texts), embedder.at(tmp_path / "tuned").embed(texts)
    assert np.isfinite(after).all()
    assert abs(after - before).max() > 1e-3


def test_an_embedder_of_static_vectors_is_counted_by_its_tokens() -> None:
    assert tokens_of({"input_ids": torch.arange(5), "offsets": torch.tensor([0, 2])}) == 5
    assert tokens_of({"input_ids": torch.zeros(2, 3), "attention_mask": torch.tensor([[1, 1, 0], [1, 1, 1]])}) == 5
