"""Answers that are read off: the run of words of the evidence that the model finds likeliest.

What a run could begin with is scored first, then how the likeliest beginnings could go on, then the runs from these, each
as a whole answer with its end. Answers that the examples give again and again ("not in the handbook") compete with them.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from strategies.answers import Request
from strategies.contract import Case, Evidence, Failure, Outcome, Prediction, ScoresLabels, Step, Usage
from strategies.retrieval.chunking import SENTENCE_END
from strategies.schemas import of_form
from strategies.standalone.reading import PAIRS, sentence
from strategies.standalone.reading import runs as within
from strategies.words import EDGE, SPACED, count

BEGINNINGS = 12
"""First words, and then pairs of first words, from which runs are tried."""
MOST_WORDS, USUAL = 12, 0.95
"""A run is as long as this share of the examples' answers is at most, and never longer than so many words."""
STANDING_SHARE, STANDING_LEAST = 0.05, 3
"""An output of this share of the examples, and of so many, is an answer that stands by itself."""
BONUSES = (0.0, -1.0, 1.0, -2.0, 2.0, -3.0, 3.0, -4.5, 4.5, -6.0, 6.0)
"""What may be added to the log-likelihood of a standing answer; ties go to the first, the smaller."""
SIGNS, KEPT_SHARE = "!?\uff01\uff1f", 0.01
"""A sign with which this share of the examples' answers end, or a bracket around them, is not left out everywhere."""
NOTHING = "-"
"""Scored where there is nothing to choose from."""


@dataclass(frozen=True, kw_only=True)
class Reading:
    """How answers are read off: at most `words` words, or one of the `standing` ones, whose likelihood gets a bonus."""

    words: int
    standing: tuple[str, ...] = ()
    bonus: float = 0.0
    kept: str = ""
    """Signs and brackets that may be part of an answer at its edges."""
    sentence: bool = False
    """The answer is the whole sentence that the likeliest run stands in."""

    @classmethod
    def of(cls, cases: Sequence[Case]) -> Reading:
        """As the examples answer."""
        standing = standing_answers(cases)
        texts = [case.output for case in cases if case.output not in standing]
        lengths = sorted(map(count, texts))
        usual = lengths[min(len(lengths) - 1, int(USUAL * len(lengths)))] if lengths else 1
        return cls(words=max(1, min(MOST_WORDS, usual)), standing=standing, kept=kept_edges(texts))

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Reading:
        return cls(**{**values, "standing": tuple(values["standing"])})


def standing_answers(cases: Sequence[Case]) -> tuple[str, ...]:
    """Outputs that many examples share, the most frequent first."""
    least = max(STANDING_LEAST, STANDING_SHARE * len(cases))
    return tuple(text for text, count in Counter(case.output for case in cases).most_common() if count >= least)


def kept_edges(texts: Sequence[str]) -> str:
    """The signs with which many of the texts end, and the brackets that stand around many, in the order of their frequency."""
    found: Counter[str] = Counter()
    for text in texts:
        bare = text.rstrip(SIGNS)
        found.update({*text[len(bare) :]})
        found.update([bare[:1] + bare[-1:]] if bare[:1] + bare[-1:] in PAIRS else [])
    return "".join(edge for edge, times in found.most_common() if times >= KEPT_SHARE * len(texts))


@dataclass(frozen=True)
class Span:
    """Characters `start` to `end` of the text of one piece of evidence; `place` says which."""

    text: str
    place: int
    start: int
    end: int
    beginnings: tuple[str, ...] = field(default=(), compare=False)
    """Its first word, and its first two where it has more than one."""


@dataclass(frozen=True)
class Read:
    """What reading found for one request: the likeliest run, and the log-likelihood of each standing answer."""

    span: Span | None
    score: float
    standing: tuple[float, ...]
    runs: float | None = None
    """Log-likelihood of all the runs that were scored, taken together; None: it was not written down, or there are none."""
    sentence: Span | None = None
    """The sentence that the likeliest run stands in."""

    def quote(self, reading: Reading) -> Span | None:
        """What is read off: the likeliest run, or its sentence."""
        return self.sentence if reading.sentence else self.span

    def text(self, reading: Reading) -> str:
        """The answer under a bonus; empty where there is none."""
        return max(options)[1] if (options := self._options(reading)) else ""

    def sure(self, reading: Reading) -> float | None:
        """The share of the answer in the likelihood of all that competed with it; 0 where there was nothing to read off, however
        near the passages are."""
        options = [score for score, _ in self._options(reading)]
        if not options:
            return 0.0
        if self.span is not None and self.runs is None:
            return None
        standing = [score + reading.bonus for score in self.standing]
        whole = _together([*standing, *([] if self.runs is None else [self.runs])])
        return None if math.isinf(whole) else math.exp(min(0.0, max(options) - whole))

    def _options(self, reading: Reading) -> list[tuple[float, str]]:
        found = [(score + reading.bonus, answer) for score, answer in zip(self.standing, reading.standing, strict=True)]
        return found if (quote := self.quote(reading)) is None else [*found, (self.score, quote.text)]


def runs(evidence: Sequence[Evidence], words: int, kept: str = "") -> list[Span]:
    """Every run of at most `words` words in each piece of evidence (`reading.runs`); no text twice."""
    found: dict[str, Span] = {}
    for place, item in enumerate(evidence):
        for start, end, heads in within(item.text, words, SPACED, EDGE, kept):
            text = item.text[start:end]
            if "\n" not in text:
                found.setdefault(text, Span(text, place, start, end, heads))
    return list(found.values())


def read(
    model: ScoresLabels, requests: Sequence[Request], reading: Reading, step: Step, schema: str = ""
) -> Iterator[tuple[int, Read | str, tuple[Usage, ...]]]:
    """Yields (index, what was found or why nothing could be, usage) in any order.

    Where the schema of answers has a pattern only runs of that form are tried.
    """
    fits = of_form(schema)
    choices = [_Choice.of(request.evidence, reading, fits) for request in requests]
    rounds = (lambda index, scores: choices[index].second(scores), lambda index, scores: choices[index].whole(scores))
    prompts, heads = [request.prompt for request in requests], [choice.first() for choice in choices]
    for index, scored in model.score_narrowed(prompts, heads, rounds, step):
        found = scored.error or _best(choices[index].spans, scored.log_likelihoods, len(reading.standing))
        if isinstance(found, Read) and found.span is not None:
            found = replace(found, sentence=whole(requests[index].evidence, found.span))
        yield index, found, (scored.usage,)


@dataclass
class _Choice:
    """The runs that are left for one request, and the texts that were asked for last. Where memory did not suffice for a later
    round, a request begins again with the first."""

    every: list[Span]
    standing: tuple[str, ...]
    spans: list[Span] = field(default_factory=list)
    asked: list[str] = field(default_factory=list)

    @classmethod
    def of(cls, evidence: Sequence[Evidence], reading: Reading, fits: Callable[[str], bool]) -> _Choice:
        spans = [span for span in runs(evidence, reading.words, reading.kept) if fits(span.text)]
        return cls(spans, reading.standing)

    def first(self) -> list[str]:
        """The first words of all runs."""
        self.spans, self.asked = self.every, _beginnings(self.every, 1)
        return self.asked

    def second(self, scores: Sequence[float]) -> list[str]:
        """The first two words of what begins with the likeliest first words."""
        self.first()
        self._keep(scores, 1)
        self.asked = _beginnings(self.spans, 2)
        return self.asked

    def whole(self, scores: Sequence[float]) -> list[str]:
        """Runs from the likeliest beginnings of two words, all single words that are left, and the standing answers."""
        self._keep(scores, 2)
        return [*(span.text for span in self.spans), *self.standing] or [NOTHING]

    def _keep(self, scores: Sequence[float], words: int) -> None:
        ranked = sorted(zip(scores, self.asked, strict=True), reverse=True)
        best = {text for _, text in ranked[:BEGINNINGS]}
        self.spans = [span for span in self.spans if len(span.beginnings) < words or span.beginnings[words - 1] in best]


def _beginnings(spans: Sequence[Span], words: int) -> list[str]:
    return sorted({span.beginnings[words - 1] for span in spans if len(span.beginnings) >= words}) or [NOTHING]


def _best(spans: Sequence[Span], scores: Sequence[float], standing: int) -> Read:
    own = scores[: len(spans)]
    top = max(range(len(spans)), key=own.__getitem__) if spans else None
    others = tuple(scores[len(spans) : len(spans) + standing])
    return Read(None, 0.0, others) if top is None else Read(spans[top], own[top], others, _together(own))


def _together(scores: Sequence[float]) -> float:
    """Log of the sum of the likelihoods."""
    top = max(scores)
    if math.isinf(top):
        return top
    return top + math.log(sum(math.exp(score - top) for score in scores))


def outcome(request: Request, found: Read | str, reading: Reading, usage: tuple[Usage, ...]) -> Outcome:
    """The answer; `start` and `end` of the piece of evidence that it was read from are those of the quote."""
    if isinstance(found, str):
        return Failure(kind="infrastructure", message=found, usage=usage)
    text, quote, evidence = found.text(reading), found.quote(reading), request.evidence
    if quote is not None and text == quote.text:
        evidence = cited(evidence, quote)
    sure = found.sure(reading)
    return Prediction(text=text, evidence=evidence, certainty=sure, truncated=request.cut, usage=usage)


def whole(evidence: Sequence[Evidence], span: Span) -> Span:
    """The sentence that it stands in; itself where it stands in the heading before a passage."""
    item = evidence[span.place]
    start, end = sentence(item.text, (span.start, span.end), SENTENCE_END.pattern, max(0, _heading(item)))
    return Span(item.text[start:end], span.place, start, end)


def _heading(item: Evidence) -> int:
    """Characters before those of the document."""
    return len(item.text) - (item.end - item.start)


def cited(evidence: tuple[Evidence, ...], span: Span) -> tuple[Evidence, ...]:
    """The evidence with `start` and `end` of the quoted piece narrowed to the quote, where it lies in the document."""
    item = evidence[span.place]
    heading = _heading(item)
    if heading < 0 or span.start < heading:
        return evidence
    quoted = replace(item, start=item.start + span.start - heading, end=item.start + span.end - heading)
    return (*evidence[: span.place], quoted, *evidence[span.place + 1 :])


def noted(found: Read | str) -> dict[str, Any]:
    """What was found as plain values; where nothing was, an answer that is empty."""
    if isinstance(found, str):
        return {"text": "", "sentence": "", "score": 0.0, "standing": [], "runs": None}
    return {
        "text": found.span.text if found.span else "",
        "sentence": found.sentence.text if found.sentence else "",
        "score": found.score,
        "standing": list(found.standing),
        "runs": found.runs,
    }


def from_note(note: Mapping[str, Any], reading: Reading) -> tuple[str, float | None]:
    """The answer that `noted` values give under a reading, and how sure it is."""
    if not note["text"] and not note["standing"]:
        return "", None if reading.standing else 0.0  # With answers that stand by themselves: a fault took them all.
    span, around = (Span(text, 0, 0, len(text)) if text else None for text in (note["text"], note["sentence"]))
    found = Read(span, note["score"], tuple(note["standing"]), note["runs"], around)
    return found.text(reading), found.sure(reading)
