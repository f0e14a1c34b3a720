"""What the requests of a run would cost on a hosted model that nobody has asked: a range, for looking ahead only.

Nothing of it enters a ranking. How good such a model is only its own scored answers tell.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from advisor.contract import Amount
from advisor.costs.a_request import bills_of
from benchmarks.contract import Evaluation
from benchmarks.costs.hosted import CHARACTERS_A_TOKEN
from benchmarks.costs.prices import TokenPrices

TOKENS = (0.7, 1.3)
"""Tokens of another tokenizer in units of those counted here: an assumption, which the table states."""
ANSWERS = (1.0, 4.0)
"""Length of its answers in the same way; a chat model that is not held to a form talks more."""
SAME_THERE = ("prompting", "retrieval")
"""Families whose requests another model could be sent as they are: the prompts of a tuned one lack what it has learnt."""


@dataclass(frozen=True, kw_only=True)
class WhatIf:
    """The requests of one candidate on one hosted model."""

    candidate: str
    prompt_tokens: float
    """For an answer on average, as are those of the model's: a cascade asks the model, of two the second, for some answers
    only."""
    answer_tokens: float
    per_thousand: Amount


def what_if(evaluations: Sequence[Evaluation], price: TokenPrices, answer: float) -> list[WhatIf]:
    """One for each candidate that sends a whole prompt, the shortest first. `answer`: characters of a right answer, from
    which its tokens are reckoned, since labels and forms are not written out here."""
    last = [bills_of(each)[-1] for each in evaluations]
    asked = [each for each in last if each.family in SAME_THERE and each.answering and each.answering.calls]
    found = [_of(each, price, answer / CHARACTERS_A_TOKEN) for each in asked]
    return sorted(found, key=lambda each: each.prompt_tokens)


def _of(evaluation: Evaluation, price: TokenPrices, answer: float) -> WhatIf:
    usage = evaluation.answering
    assert usage is not None
    prompt = usage.prompt_tokens / usage.calls
    lengths: list[float] = [each[0] for each in evaluation.requests] or [prompt] * usage.calls
    low, high = (
        1e3 / usage.calls * sum(price.money(length * tokens, 0, answer * tokens * longer) for length in lengths)
        for tokens, longer in zip(TOKENS, ANSWERS, strict=True)
    )
    return WhatIf(
        candidate=evaluation.candidate,
        prompt_tokens=prompt,
        answer_tokens=answer * len(lengths) / usage.calls,
        per_thousand=Amount(value=(low + high) / 2, unit=price.currency, low=low, high=high),
    )
