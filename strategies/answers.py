"""Turns model output into outcomes: labels by likelihood, free text by generation, with lengths learnt from the examples."""

from __future__ import annotations

import heapq
import math
import re
import textwrap
from collections.abc import Iterable, Iterator, Mapping, Sequence, Set
from dataclasses import dataclass, field, replace
from typing import Literal, TypeGuard, cast

from strategies.contract import (
    Case,
    Completion,
    Estimates,
    Evidence,
    Failure,
    Generates,
    LabelScores,
    LanguageModel,
    Outcome,
    Prediction,
    Prompt,
    Query,
    Sampling,
    ScoresLabels,
    Step,
    Task,
    Unanswered,
    Usage,
    thoughts,
)
from strategies.copied import LONGER
from strategies.prompting.rendering import INPUT_TOKENS, LabelWords
from strategies.standalone.held import ENDING
from strategies.standalone.odds import label_shares, to_label
from strategies.standalone.refusals import DECLINED

LONGEST_ANSWER = 512
LONGEST_COUNTED = 20
"""Answers of which the tokens are counted: the longest ones by each measure."""
_NO_LETTER = re.compile(r"[\W\d_]")
ESTIMATED, FENCE = 2, 28
"""An answer may have so many times the tokens that are estimated, and so many more for marks around it."""
FAULTS_ALLOWED = 0.01
"""Share of answers lost to infrastructure above which nothing is measured, chosen or learnt by what is left."""
TO_CHOOSE_BY = "answers that it was to be chosen by"
REASON = 160
"""Characters of what a server said that are repeated."""


@dataclass(frozen=True, kw_only=True)
class Request:
    """One prompt on its way, with the evidence that it shows."""

    key: str
    prompt: Prompt
    evidence: tuple[Evidence, ...] = ()
    cut: bool = False
    votes: tuple[float, ...] = ()
    """What the nearest examples vote for; empty where they were not asked."""
    looked_up: Usage | None = field(default=None, compare=False)
    """Its part of the time that looking up took on this machine, whoever answers; None where nothing is looked up."""

    def spent(self, *used: Usage) -> tuple[Usage, ...]:
        """What the model used for it, and what looking up took, in the same step."""
        return used if self.looked_up is None else (*used, replace(self.looked_up, step=used[0].step))


PriorFrom = Literal["batch", "content-free"]
"""What the labels' shares are averaged over: selection cases (batch calibration, arXiv 2309.17249), or inputs without content
under the same prompt (contextual calibration, arXiv 2102.09690)."""


@dataclass(frozen=True, kw_only=True)
class Prior:
    """Log-prior of each label under this prompt, to be subtracted: see `PriorFrom`."""

    values: tuple[float, ...]
    strength: float = 1.0


def trimmed(model: LanguageModel, query: Query) -> tuple[str, bool]:
    """The input within the stated limit, and whether it was cut."""
    text = model.cut(query.input, INPUT_TOKENS)
    return text, len(text) < len(query.input)


def trimmed_case(model: LanguageModel, case: Case) -> Case:
    """The case with its input within the same limit, as a demonstration shows it."""
    text = model.cut(case.input, INPUT_TOKENS)
    return case if text == case.input else replace(case, input=text)


def answer_limit(model: LanguageModel, task: Task, examples: Sequence[Case], held: bool = False) -> int:
    """Tokens allowed for an answer: a quarter more than the longest of the examples' answers and of the labels, which need have
    no example, at most 512; twice as many as that one where answers are `held` to a schema, by which what they hold may be so
    much longer (`copied.LONGER`).

    Twice a quarter more and a little for a fence where tokens are estimated: amounts, numbers of invoices and indented objects
    have up to twice the tokens of prose as long as they are, and what is cut is wrong. Of estimated labels each digit or sign
    counts as a token instead. Never more than leaves half of what the model can read to the prompt.
    """
    from strategies.contract import Message

    frame = model.count((Message("user", ""),))
    longest = _longest({case.output for case in examples} | set(task.labels))
    most = max((model.count((Message("user", text),)) - frame for text in longest), default=64)
    estimated = isinstance(model, Estimates) and model.estimates
    if estimated and task.labels:
        most = max([most, *(len(_NO_LETTER.findall(text)) for text in longest)])
    roughly = estimated and not task.labels
    more = LONGER if held and not roughly else 1.25
    limit = min(LONGEST_ANSWER, max(8, math.ceil(most * more) + 2))
    limit = ESTIMATED * limit + FENCE if roughly else limit
    return min(limit, model.context_tokens // (2 * (ENDING if held else 1)))


def _longest(texts: Set[str]) -> set[str]:
    """The longest by letters, by bytes, and by what is no letter: of one length, texts of other scripts than Latin and numbers
    have several times the tokens of words."""
    measures = (len, lambda text: len(text.encode("utf-8", "replace")), lambda text: len(_NO_LETTER.findall(text)))
    return {text for measure in measures for text in heapq.nlargest(LONGEST_COUNTED, texts, key=measure)}


def probabilities(scores: Sequence[float], prior: Prior | None) -> list[float]:
    """Softmax of the log-likelihoods, the prior taken off first."""
    adjusted = list(scores)
    if prior is not None:
        adjusted = [score - prior.strength * known for score, known in zip(scores, prior.values, strict=True)]
    top = max(adjusted)
    odds = [math.exp(score - top) for score in adjusted]
    total = sum(odds)
    return [value / total for value in odds]


def mean_prior(rows: Sequence[Sequence[float]]) -> Prior:
    """Log of the mean probability of each label over unlabelled requests."""
    shares = [probabilities(row, None) for row in rows]
    means = [sum(column) / len(shares) for column in zip(*shares, strict=True)]
    return Prior(values=tuple(math.log(max(mean, 1e-12)) for mean in means))


def answer_freely(
    model: LanguageModel,
    requests: Sequence[Request],
    limits: tuple[int, Sampling],
    step: Step = "answering",
    words: LabelWords | None = None,
) -> Iterator[tuple[int, Outcome]]:
    """(index, answer) by generation of at most so many tokens; where there are label words, the label that it means."""
    writer = cast(Generates, model)
    for index, completion in writer.generate([item.prompt for item in requests], *limits, step):
        request = requests[index]
        if completion.error:
            yield index, _fault(request, completion)
            continue
        if completion.declined:
            used = request.spent(completion.usage)
            yield index, Failure(kind="refused", message=DECLINED, raw=completion.text, usage=used)
            continue
        if not (completion.text or completion.finished or isinstance(model, ScoresLabels)):
            said = silent(limits[0] + thoughts(model))
            yield index, Failure(kind="unparsable", message=said, usage=request.spent(completion.usage))
            continue
        shares = label_shares(completion, words) if words else {}
        said = to_label(completion.text, words) if words else completion.text
        yield (
            index,
            Prediction(
                text=max(shares, key=shares.__getitem__) if shares else said,
                evidence=request.evidence,
                probabilities=shares or None,
                certainty=_none_of_them(completion, shares) if words else likelihood(completion.odds),
                truncated=request.cut or not completion.finished,
                usage=request.spent(completion.usage),
            ),
        )


def _none_of_them(completion: Completion, shares: Mapping[str, float]) -> float | None:
    """0 where a server states likely tokens and the answer is likelier than all labels together, since how near its evidence is
    lies on another scale than the shares of other answers; else None."""
    return 0.0 if completion.places and not shares else None


def likelihood(odds: Sequence[float]) -> float | None:
    """The geometric mean of the probabilities of an answer's tokens and of its end; None where they are not known."""
    return math.exp(sum(odds) / len(odds)) if odds else None


def silent(most: int) -> str:
    """Of a server's model that was cut off before it wrote anything, as where it thinks first and that counts."""
    return (
        f"nothing was answered within {most:,} tokens; thinking counts, so turn it off, or give more `reasoning_tokens`"
    )


def _fault(request: Request, completion: Completion) -> Failure:
    return Failure(
        kind="infrastructure",
        message=completion.error,
        lasting=completion.lasting,
        usage=request.spent(completion.usage),
    )


def is_fault(outcome: Outcome) -> TypeGuard[Failure]:
    """Whether a fault outside of the approach took the answer."""
    return isinstance(outcome, Failure) and outcome.kind == "infrastructure"


def is_lost(outcome: Outcome) -> TypeGuard[Failure]:
    """Likewise, and asking again may bring it."""
    return isinstance(outcome, Failure) and is_fault(outcome) and not outcome.lasting


def too_many_lost(outcomes: Sequence[Outcome], what: str = "answers") -> str:
    """A sentence, without its end, where more of them are lost than is allowed; else empty."""
    lost = [outcome for outcome in outcomes if is_lost(outcome)]
    return lost_of(lost, len(outcomes), what) if len(lost) > FAULTS_ALLOWED * len(outcomes) else ""


def all_scored(found: Iterable[tuple[int, LabelScores]]) -> dict[int, LabelScores]:
    """The scores of each place. Raises `Unanswered` where a fault took any of them: without its scores no way to weigh labels can
    be compared on a case."""
    scores = dict(found)
    lost = [Failure(kind="infrastructure", message=each.error) for each in scores.values() if each.error]
    if lost:
        raise Unanswered(lost_of(lost, len(scores), TO_CHOOSE_BY))
    return scores


def lost_of(lost: Sequence[Failure], asked: int, what: str = "answers") -> str:
    """How many of so many, and what was said of the first of them."""
    said = textwrap.shorten(lost[0].message.split(": ", 1)[-1].rstrip("."), REASON, placeholder="...")
    return f"{len(lost):,} of {asked:,} {what} were lost to faults outside the approach ({said})"


def selects_labels(task: Task, model: LanguageModel) -> bool:
    """True where answers come from the label set by likelihood."""
    return bool(task.labels) and isinstance(model, ScoresLabels)


def sureness(outcome: Outcome) -> float | None:
    """How sure an answer is, comparable within one approach only: the share of its label, else how likely the model found it,
    else how near its best evidence is. None where none of these is known.
    """
    if not isinstance(outcome, Prediction):
        return None
    if outcome.probabilities:
        return max(outcome.probabilities.values())
    if outcome.certainty is not None:
        return outcome.certainty
    return max((found.score for found in outcome.evidence), default=None)
