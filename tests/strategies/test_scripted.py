"""The scripted model: same answers always, honest counts, the three protocols."""

from __future__ import annotations

from typing import Any

from strategies.contract import Generates, LanguageModel, Message, Sampling, ScoresLabels, Trains
from tests.scripted import WRONG_LABEL, ScriptedModel


def last_word(prompt: tuple[Message, ...]) -> str:
    return prompt[-1].content.split()[-1]


MODEL = ScriptedModel(name="echo", answer=last_word)
PROMPTS = [
    (Message("system", "say the last word"), Message("user", "the sky is blue")),
    (Message("user", "grass is green"),),
]


def test_it_is_a_model_that_generates_and_scores_but_does_not_train() -> None:
    assert isinstance(MODEL, LanguageModel)
    assert isinstance(MODEL, Generates)
    assert isinstance(MODEL, ScoresLabels)
    assert not isinstance(MODEL, Trains)


def test_answers_carry_their_counts() -> None:
    answers = dict(MODEL.generate(PROMPTS, 10, Sampling()))
    assert answers[0].text == "blue"
    assert answers[1].text == "green"
    assert answers[0].usage.prompt_tokens == 8
    assert answers[0].usage.answer_tokens == 1
    assert answers[0].usage.model == "echo"
    assert answers[0].finished


def test_sampling_changes_nothing() -> None:
    assert list(MODEL.generate(PROMPTS, 10, Sampling())) == list(
        MODEL.generate(PROMPTS, 10, Sampling(temperature=1.0, seed=7))
    )


def test_an_answer_over_the_limit_is_cut_and_says_so() -> None:
    wordy = ScriptedModel(name="wordy", answer=lambda prompt: "one two three")
    ((_, answer),) = wordy.generate(PROMPTS[:1], 2, Sampling())
    assert answer.text == "one two"
    assert not answer.finished
    assert answer.usage.answer_tokens == 2


def test_only_the_scripted_label_is_likely() -> None:
    ((_, scores),) = MODEL.score_labels(PROMPTS[:1], [["red", "blue"]])
    assert scores.log_likelihoods == (WRONG_LABEL, 0.0)


def test_another_name_is_another_model() -> None:
    assert MODEL.fingerprint == ScriptedModel(name="echo", answer=last_word).fingerprint
    assert MODEL.fingerprint != ScriptedModel(name="other", answer=last_word).fingerprint


def test_cut_keeps_a_short_text_as_it_is() -> None:
    assert MODEL.cut("a  b", 2) == "a  b"
    assert MODEL.cut("a b c", 2) == "a b"


def test_a_prompt_that_is_too_long_for_the_model_loses_its_farthest_demonstrations_and_says_so() -> None:
    from strategies.contract import Case, Fold, Query, Task
    from strategies.pipeline import Pipeline, Setup
    from strategies.sources import Sources

    cases = tuple(Case(id=f"c{number}", input=f"word{number} " * 20, output="yes") for number in range(4))
    folds = (Fold(train=cases, selection=cases),)
    task = Task(name="t", kind="qa", instruction="Say yes.", folds=folds, score=lambda *_: 0.0)
    setup = Setup(shots=4, picks="random")
    embedder: Any = None

    def prompt_of(context: int) -> tuple[list[Message], bool]:
        model = ScriptedModel(name="small", answer=last_word, context_tokens=context)
        pipeline = Pipeline(task=task, model=model, setup=setup, sources=Sources(cases, embedder), max_tokens=8)
        (request,) = pipeline.requests([Query.of("the question " * 10)])
        return list(request.prompt), request.cut

    whole, cut = prompt_of(500)
    assert len(whole) == 10
    assert not cut
    shorter, cut = prompt_of(80)
    assert shorter == [whole[0], *whole[-5:]]
    assert cut
    bare, cut = prompt_of(24)
    assert cut
    assert [message.role for message in bare] == ["system", "user"]
    assert 8 <= len(bare[1].content.split()) < 20
