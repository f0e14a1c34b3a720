"""Label probabilities from stated tokens: followed by hand, and against a model that really states them."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pytest_httpserver import HTTPServer
from werkzeug import Request, Response

from strategies.answers import Request as Asked
from strategies.answers import answer_freely, sureness
from strategies.contract import (
    Completion,
    Evidence,
    Failure,
    Message,
    Place,
    Prediction,
    Prompt,
    Sampling,
    Step,
    Usage,
)
from strategies.models.endpoint import EndpointModel
from strategies.prompting.rendering import LabelWords
from strategies.standalone.odds import ALTERNATIVES, label_shares, to_label
from tests import tiny
from tests.scripted import ScriptedModel

CARDS = LabelWords.of(("card_arrival", "card_lost", "refund", "card"), natural=True)


def completion(*places: tuple[str, Mapping[str, float]]) -> Completion:
    """An answer of these tokens; beside each, the probabilities stated for its place."""
    stated = tuple(
        Place(chosen=chosen, likely={token: math.log(share) for token, share in likely.items()})
        for chosen, likely in places
    )
    return Completion(
        text="".join(chosen for chosen, _ in places), usage=Usage(model="m", step="answering"), places=stated
    )


def shares(*places: tuple[str, Mapping[str, float]]) -> dict[str, float]:
    return {label: round(share, 6) for label, share in label_shares(completion(*places), CARDS).items() if share}


def test_what_was_rather_said_counts_for_the_label_that_goes_on_so() -> None:
    found = shares(("card", {"card": 0.6, "ref": 0.4}), (" lost", {" lost": 0.75, " arrival": 0.25}))
    assert found == pytest.approx({"card_lost": 0.45, "card_arrival": 0.15, "refund": 0.4})


def test_the_likeliest_label_may_be_another_than_the_one_that_was_written() -> None:
    found = shares(("card", {"card": 0.55, "Refund": 0.45}), ("_lost", {"_lost": 0.5, "_arrival": 0.4, "?": 0.1}))
    assert max(found, key=found.__getitem__) == "refund"
    assert found["card"] == pytest.approx(0.055)


def test_the_end_of_a_label_may_be_a_token_of_its_own() -> None:
    found = shares(("Card", {"Card": 1.0}), ("<|end|>", {"<|end|>": 0.8, " lost": 0.2}))
    assert found == pytest.approx({"card": 0.8, "card_lost": 0.2})


def test_a_beginning_of_several_labels_is_dealt_out_evenly() -> None:
    found = shares(("refund", {"refund": 0.4, "ca": 0.6}))
    assert found == pytest.approx({"refund": 0.4, "card_arrival": 0.2, "card_lost": 0.2, "card": 0.2})


def test_a_token_that_leaves_everything_open_says_nothing() -> None:
    found = shares(('"', {'"': 0.5, " ": 0.2, "refund": 0.3}), ("refund", {"refund": 0.9, "card": 0.1}))
    assert found["refund"] == pytest.approx((0.3 + 0.45) / (0.3 + 0.5))


def test_a_sentence_counts_for_the_label_that_it_names() -> None:
    found = shares(("It is a ", {"It is a ": 0.9, "card": 0.1}), ("refund", {"refund": 0.3, "card": 0.7}))
    assert found["refund"] == pytest.approx(0.9)


def test_what_names_no_label_leaves_the_text() -> None:
    assert label_shares(completion(("no idea", {"no idea": 1.0})), CARDS) == {}
    assert label_shares(Completion(text="refund", usage=Usage(model="m", step="answering")), CARDS) == {}


@pytest.mark.parametrize(
    ("said", "label"),
    [
        ("card_lost", "card_lost"),
        (' "Card lost."\n', "card_lost"),
        ("I would say refund!", "refund"),
        ("card arrival or refund", "card arrival or refund"),
        ("", ""),
    ],
)
def test_the_label_that_a_text_names(said: str, label: str) -> None:
    assert to_label(said, CARDS) == label


@pytest.mark.parametrize(
    ("labels", "said", "label"),
    [
        (("yes", "no"), "I'm sorry, I cannot help with that.", ""),
        (("true", "false"), "It is untrue.", ""),
        (("toxic", "fine"), "The comment is non-toxic.", ""),
        (("entailment", "neutral"), "Label: not_entailment", ""),
        (("1", "2", "5"), "Rating: -1, or 1.5", ""),
        (("entailment", "not_entailment"), "**not_entailment**", "not_entailment"),
        (("spam", "not spam"), "This is not spam.", "not spam"),
        (("spam", "not spam"), "This is spam: it is _spam_.", "spam"),
        (("1", "2", "10"), "I give it 10.", "10"),
        (("A", "a", "Refund"), "A", "A"),
        (("A", "a", "Refund"), "It is a: the first one", "a"),
        (("A", "a", "Refund"), "refund", "Refund"),
        (("Größe", "Farbe"), "Es geht um die GRÖSSE.", "Größe"),
        (("退款", "物流"), "我认为这是退款问题", "退款"),
        (("환불", "배송"), "답은 환불입니다", "환불"),
        (("-1", "+1"), "Score: -1.", "-1"),
        (("-1", "+1"), "1", ""),
        (("-2", "-1", "0", "+1", "+2"), "Score: 2", ""),
        (("18-25", "26-35"), "The person is 18-25.", "18-25"),
        (("A-", "B+"), "Grade: a-", "A-"),
        (("A-", "B+"), "These are a-levels.", ""),
        (("non-toxic", "fine"), "It is non toxic.", "non-toxic"),
    ],
)
def test_a_label_is_named_by_words_of_its_own(labels: tuple[str, ...], said: str, label: str) -> None:
    assert to_label(said, LabelWords.of(labels, natural=True)) == (label or said)


def test_a_label_keeps_its_signs_in_the_words_that_a_model_is_shown() -> None:
    """A minus was taken for a hyphen: the model was shown "1" for "-1"."""
    labels = ("-1", "+1", "18-25", "A-", "<-5", "covid-19")
    assert LabelWords.of(labels, natural=True).words == labels
    assert LabelWords.of(("non-toxic", "card_arrival"), natural=True).words == ("non toxic", "card arrival")


def test_a_label_within_another_one_gets_nothing_of_its_share() -> None:
    words = LabelWords.of(("spam", "not spam"), natural=True)
    told = completion(("This", {"This": 0.97, "spam": 0.02, "not": 0.01}), (" is not spam", {" is not spam": 1.0}))
    assert label_shares(told, words) == pytest.approx({"spam": 0.02, "not spam": 0.98})


@pytest.mark.parametrize(("first", "beside"), [("I", {"Spam": 0.02}), ("Not", {"Spam": 0.02}), ("Not", {})])
def test_a_refusal_is_no_label_with_all_of_the_probability(first: str, beside: dict[str, float]) -> None:
    words = LabelWords.of(("spam", "not spam"), natural=True)
    assert label_shares(completion((first, {first: 0.97, **beside}), (" sure.", {" sure.": 1.0})), words) == {}


places = st.lists(
    st.tuples(st.text(max_size=6), st.dictionaries(st.text(max_size=6), st.floats(0.001, 1.0), max_size=5)), max_size=5
)


@given(places)
def test_whatever_is_stated_the_shares_are_shares(stated: list[tuple[str, dict[str, float]]]) -> None:
    found = label_shares(completion(*stated), CARDS)
    assert not found or sum(found.values()) == pytest.approx(1.0)
    assert all(0.0 <= share <= 1.0 for share in found.values())


# ---------------------------------------------------------------- stated by a real model


DIGITS = tuple("0123456789")


def stating(model: Any) -> Any:
    """A server that answers with a digit and states the model's log-probability of every token of its vocabulary."""
    import torch

    net, tokenizer = model.parts.model, tiny.tokenizer()

    def answer(request: Request) -> Response:
        sent = request.get_json()
        assert sent["logprobs"] is True
        assert sent["top_logprobs"] == ALTERNATIVES
        ids = model.chat.encode(tuple(Message(each["role"], each["content"]) for each in sent["messages"]))
        with torch.no_grad():
            logs = net(torch.tensor([list(ids)])).logits[0, -1].log_softmax(-1).tolist()
        stated = [{"token": tokenizer.decode([place]), "logprob": log} for place, log in enumerate(logs)]
        best = max((each for each in stated if each["token"] in DIGITS), key=lambda each: each["logprob"])
        message = {"role": "assistant", "content": best["token"]}
        content = {"content": [{**best, "top_logprobs": stated}]}
        choice = {"index": 0, "finish_reason": "stop", "message": message, "logprobs": content}
        whole = {"id": "1", "object": "chat.completion", "created": 1, "model": "m", "choices": [choice]}
        return Response(json.dumps(whole), content_type="application/json")

    return answer


def test_a_servers_shares_are_those_of_the_same_model_here(tmp_path: Path) -> None:
    model = tiny.local_model(tiny.model_folder(tmp_path))
    prompt = (Message("user", "How many parcels are lost?"),)
    ((_, scored),) = model.score_labels([prompt], [DIGITS], ends="never")
    with HTTPServer(threaded=True) as server:
        server.expect_request("/v1/chat/completions").respond_with_handler(stating(model))
        hosted = EndpointModel(name="hosted", base_url=server.url_for("/v1"), model="m", retries=0)
        limits = (4, Sampling(alternatives=ALTERNATIVES))
        words = LabelWords.of(DIGITS, natural=True)
        ((_, outcome),) = answer_freely(hosted, [Asked(key="k", prompt=prompt)], limits, words=words)
    assert isinstance(outcome, Prediction)
    assert outcome.probabilities is not None
    here = [math.exp(score) for score in scored.log_likelihoods]
    assert [outcome.probabilities[label] for label in DIGITS] == pytest.approx(
        [share / sum(here) for share in here], rel=1e-3
    )
    assert outcome.text == DIGITS[here.index(max(here))]


@dataclass(frozen=True, kw_only=True)
class _Stating(ScriptedModel):
    """States how likely each of its answers was."""

    def generate(
        self, prompts: Sequence[Prompt], max_tokens: int, sampling: Sampling, step: Step = "answering"
    ) -> Iterator[tuple[int, Completion]]:
        for index, told in super().generate(prompts, max_tokens, sampling, step):
            likely = {told.text: math.log(0.6), "refund": math.log(0.4)}
            yield index, replace(told, places=(Place(chosen=told.text, likely=likely),))


def test_what_names_no_label_is_not_as_sure_as_its_passages_are_near() -> None:
    """A cascade kept it for the nearness of its passages, and handed answers on that were surer of a label."""
    near = (Evidence(document_id="d", text="Cards take a week.", score=0.9),)
    asked = [Asked(key=said, prompt=(Message("user", said),), evidence=near) for said in ("card", "I cannot tell")]
    model = _Stating(name="stating", answer=lambda prompt: prompt[-1].content)
    outcomes = dict(answer_freely(model, asked, (8, Sampling()), words=CARDS))
    assert isinstance(outcomes[1], Prediction)
    assert (outcomes[1].text, sureness(outcomes[1])) == ("I cannot tell", 0.0)
    silent = ScriptedModel(name="silent", answer=model.answer)
    for outcome in dict(answer_freely(silent, asked, (8, Sampling()), words=CARDS)).values():
        assert sureness(outcome) == 0.9, "of no answer is known more"


@pytest.mark.parametrize(
    ("said", "ended", "failed"), [("", "length", True), ("", "stop", False), ("5", "length", False)]
)
def test_what_was_cut_off_before_it_wrote_anything_is_no_answer(said: str, ended: str, failed: bool) -> None:
    """A model that thinks before it answers used up the limit of an answer, and was told as wrong in every case."""
    choice = {"index": 0, "finish_reason": ended, "message": {"role": "assistant", "content": said}}
    whole = {"id": "1", "object": "chat.completion", "created": 1, "model": "m", "choices": [choice]}
    with HTTPServer(threaded=True) as server:
        server.expect_request("/v1/chat/completions").respond_with_json(whole)
        hosted = EndpointModel(name="hosted", base_url=server.url_for("/v1"), model="m", retries=0)
        asked = Asked(key="k", prompt=(Message("user", "How many parcels are lost?"),))
        ((_, outcome),) = answer_freely(hosted, [asked], (8, Sampling()))
    assert isinstance(outcome, Failure) == failed
    if isinstance(outcome, Failure):
        assert outcome.kind == "unparsable"
        assert outcome.message.startswith("nothing was answered within 8 tokens; thinking counts, so turn it off")
