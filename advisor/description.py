"""What a free description of a task says, read by plain rules: words that are looked for, each shown with what it was taken for.

English only. A rule reads one clause at a time; a clause that says no counts only for rules that ask for that. Where two rules
read different answers to one question, neither is taken. Nothing of the text is kept or sent anywhere.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

Value = str | int | bool


@dataclass(frozen=True, kw_only=True)
class Reading:
    """An answer to one of the questions, and the words of the description that it was taken from."""

    question: str
    value: Value
    words: str


_NO = re.compile(r"\b(?:no|not|never|nor|neither|none|without|cannot|rarely|hardly)\b|n't\b", re.IGNORECASE)
_CLAUSES = re.compile(r"[.,](?=\s|$)|[;:!?\n()]| but | while | although ", re.IGNORECASE)
_CHANGE = r"\b(?:chang|updat|revis|replac)\w*"
_PAPERS = (
    r"\b(?:document(?:s|ation)?|handbooks?|manuals?|wikis?|knowledge base|articles|policies|contracts|guidelines)\b"
)
_ANSWERS = r"\b(?:answer\w*|look\w* up|stands?|found)\b"
_WRITING = r"\b(?:(?:re)?writ(?:e|es|ing)|summari[sz]\w+|draft(?:s|ing)?|translat\w+|repl(?:y|ies) to|descriptions? (?:of|for))\b"
_QUESTIONS = r"\b(?:answer(?:s|ing)? (?:[\w']+ ){0,3}questions?|question answering|questions and answers|q&a|faqs?)\b"
_KEPT = r"\b(?:confidential|on[- ]prem\w*|in[- ]house|air[- ]gapped|(?:must|has to|have to) stay)\b"
_RULES: dict[tuple[str, Value], tuple[str, ...]] = {
    ("kind", "classification"): (
        r"\b(?:classif\w+|categori[sz]\w+|sort(?:ed)? into|rout(?:e|es|ing)|label (?:each|every|the))\b",
    ),
    ("kind", "extraction"): (r"\b(?:extract\w*|fields? (?:from|out of)|fill (?:in )?(?:a |the )?(?:form|fields))\b",),
    ("kind", "qa"): (_QUESTIONS,),
    ("kind", "generation"): (_WRITING,),
    ("wanted", "behaviour"): (r"\b(?:tone|style|voice|persona|manner|polite\w*|friendly|formal\w*|brand|behav\w+)\b",),
    ("wanted", "format"): (r"\b(?:format\w*|json|xml|yaml|csv|template\w*|schema\w*|layout)\b",),
    ("wanted", "facts"): (
        r"\b(?:knowledge(?! base)|factual\w*|facts (?:right|correct)|right facts|knows? (?:about|our))\b",
    ),
    ("wanted", "labels"): (r"\b(?:labels?|categor\w+|classes|intents?|topics?|classif\w+)\b",),
    ("facts_change", "daily"): (_CHANGE, r"\b(?:daily|(?:every|each) (?:day|hour)|hourly|constantly)\b"),
    ("facts_change", "monthly"): (_CHANGE, r"\b(?:weekly|monthly|(?:every|each) (?:week|month))\b"),
    ("facts_change", "yearly"): (_CHANGE, r"\b(?:yearly|annually|(?:every|each|once a) year)\b"),
    ("documents", "most"): (_ANSWERS, _PAPERS),
    ("data_stays_here", True): (_KEPT,),
    ("data_stays_here", False): (r"\b(?:may leave|public data|data (?:is|are) public)\b",),
}
"""(question, answer) -> patterns that one clause has to hold, in upper or lower case."""
_NEGATED: dict[tuple[str, Value], tuple[str, ...]] = {
    ("facts_change", "never"): (r"(?:\b(?:never|not|hardly)|n't)\b.*\bchang\w*",),
    ("documents", "none"): (r"\b(?:no|not any|nor|without)\b.*" + _PAPERS,),
    ("data_stays_here", True): (r"\b(?:data|they|it|tickets|texts|messages)\b", r"\b(?:leav\w*|sent|send|shared?)\b"),
}
"""The same for clauses that say no; the others do not hold for these."""
_NUMBER = r"(\d[\d,]*(?:\.\d+)?)\s?(k)?"
_COUNTS = (
    (
        "examples",
        re.compile(
            _NUMBER + r"\s+(?:\w+\s)?(?:examples|samples|labell?ed \w+|annotated \w+|solved \w+)", re.IGNORECASE
        ),
    ),
    (
        "labels",
        re.compile(
            _NUMBER + r"\s+(?:different |possible )?(?:labels|categories|classes|intents|topics)", re.IGNORECASE
        ),
    ),
)
_VOLUME = re.compile(_NUMBER + r"\s+(?:\w+\s){0,2}?(?:a|per|each|every)\s+(day|week|month|year)\b", re.IGNORECASE)
_A_MONTH = {"day": 30.0, "week": 52 / 12, "month": 1.0, "year": 1 / 12}


def read(text: str) -> tuple[tuple[Reading, ...], tuple[Reading, ...]]:
    """What the description answers, one reading a question, and the readings that contradict each other and so answer nothing."""
    text = text.replace(chr(8217), "'")  # As a word processor writes it.
    found = [*_counted(text), *(reading for clause in _CLAUSES.split(text) for reading in _of_clause(clause))]
    taken: list[Reading] = []
    open_still: list[Reading] = []
    for question in dict.fromkeys(reading.question for reading in found):
        first = {reading.value: reading for reading in reversed(found) if reading.question == question}
        readings = [*first.values()][::-1]
        (taken if len(readings) == 1 else open_still).extend(readings)
    return tuple(taken), tuple(open_still)


def _of_clause(clause: str) -> Iterator[Reading]:
    for (question, value), patterns in (_NEGATED if _NO.search(clause) else _RULES).items():
        matches = [re.search(pattern, clause, re.IGNORECASE) for pattern in patterns]
        if all(matches):
            spans = [match.span() for match in matches if match]
            words = clause[min(first for first, _ in spans) : max(last for _, last in spans)]
            yield Reading(question=question, value=value, words=" ".join(words.split()))


def _counted(text: str) -> Iterator[Reading]:
    for question, pattern in _COUNTS:
        for match in pattern.finditer(text):
            if _number(match) >= 2:
                yield Reading(question=question, value=round(_number(match)), words=match[0])
    for match in _VOLUME.finditer(text):
        value = max(1, round(_number(match) * _A_MONTH[match[3].lower()]))
        yield Reading(question="volume", value=value, words=match[0])


def _number(match: re.Match[str]) -> float:
    return float(match[1].replace(",", "")) * (1000 if match[2] else 1)
