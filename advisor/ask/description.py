"""What a free description of a task says, read by plain rules: words that are looked for, each shown with what it was taken for.

English only. A rule reads one clause at a time; a clause that says no counts only for rules that ask for that. Where two rules
read different answers to one question, neither is taken. That data may leave is read only where nothing else in the sentence
speaks against it. Nothing of the text is kept or sent anywhere.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from advisor.ask.numbers import COUNT, count_of, is_bounded, lower_end

Value = str | int | bool | float


@dataclass(frozen=True, kw_only=True)
class Reading:
    """An answer to one of the questions, and the words of the description that it was taken from."""

    question: str
    value: Value
    words: str


_NO = re.compile(
    r"\b(?:no|not|never|nor|neither|none|nothing|nobody|nowhere|without|cannot|rarely|hardly|(?:do|does|must|ca|should|is|are)nt)\b"
    r"|n't\b",
    re.IGNORECASE,
)
_SENTENCES = re.compile(r"(?<=[.;!?])\s+|\n")
_CLAUSES = re.compile(r"[.,](?=\s|$)|[;:!?\n()]| but | while | although ", re.IGNORECASE)
_CHANGE = r"\b(?:chang|updat|revis|replac)\w*"
_OFTEN = r"\b(?:every|each|once an?) "
_PAPERS = (
    r"\b(?:document(?:s|ation)?|handbooks?|manuals?|wikis?|knowledge base|articles|policies|contracts|guidelines)\b"
)
_ANSWERS = r"\b(?:answer\w*|look\w* up|stands?|found)\b"
_WRITING = r"\b(?:(?:re)?writ(?:e|es|ing)|summari[sz]\w+|draft(?:s|ing)?|translat\w+|repl(?:y|ies) to|descriptions? (?:of|for))\b"
_QUESTIONS = r"\b(?:answer(?:s|ing)? (?:[\w']+ ){0,3}questions?|question answering|questions and answers|q&a|faqs?)\b"
_KEPT = (
    r"\b(?:confidential|on[- ]prem\w*|in[- ]house|air[- ]gapped|(?:must|has to|have to) stay"
    r"|(?:must|has to|have to|needs? to|should) (?:\w+ ){1,2}offline"
    r"|on our own (?:\w+ )?(?:servers?|machines?|computers?|hardware|infrastructure))\b"
)
_OPEN = (
    r"\b(?:(?:data|texts?|tickets|messages|requests|documents|everything|all of (?:it|this)) may leave"
    r"|public data|data (?:is|are) public)\b"
)
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
    ("facts_change", "daily"): (_CHANGE, rf"\b(?:daily|hourly|constantly)\b|{_OFTEN}(?:day|hour)\b"),
    ("facts_change", "weekly"): (_CHANGE, rf"\bweekly\b|{_OFTEN}week\b"),
    ("facts_change", "monthly"): (_CHANGE, rf"\bmonthly\b|{_OFTEN}month\b"),
    ("facts_change", "yearly"): (_CHANGE, rf"\b(?:yearly|annually)\b|{_OFTEN}year\b"),
    ("documents", "most"): (_ANSWERS, _PAPERS),
    ("data_stays_here", True): (_KEPT,),
    ("data_stays_here", False): (_OPEN,),
}
"""(question, answer) -> patterns that one clause has to hold, in upper or lower case."""
_NEGATED: dict[tuple[str, Value], tuple[str, ...]] = {
    ("facts_change", "never"): (r"(?:\b(?:never|not|hardly|nothing|none)|n't)\b.*\bchang\w*",),
    ("documents", "none"): (r"\b(?:no|not any|nor|without)\b.*" + _PAPERS,),
    ("data_stays_here", True): (r"\b(?:data|they|it|tickets|texts|messages)\b", r"\b(?:leav\w*|sent|send|shared?)\b"),
}
"""The same for clauses that say no; the others do not hold for these."""
_PLACES = (
    r"servers?|machines?|computers?|laptops?|cluster|network|intranet|systems?|cloud|data cent(?:re|er)|premises|building|site"
    r"|house|offices?|hospital|clinic|practice|bank|school|university|institut\w+|organi[sz]ation|company|firm|department|country"
)
_HOSTS = (
    r"(?:(?:cloud|hosted|external|outside|foreign|third[- ]party|us|american) )+"
    r"(?:providers?|services?|servers?|vendors?|compan(?:y|ies)|models?|apis?)"
)
_NOTHING_LEAVES = re.compile(
    r"\b(?:nothing|none|nowhere)\b.*\b(?:leav\w*|sent|send|shared?|upload\w*)"
    r"|\b(?:must|may|can|shall) ?(?:not|never) (?:be (?:sent|shared|uploaded)|leave(?=\W*$))"
    rf"|(?:\b(?:no|not|never|nor|neither|cannot|mustnt)|n't)\b.*\bleav\w* (?:\w+ ){{0,3}}(?:{_PLACES})\b"
    r"|(?:\b(?:not|never|cannot|mustnt)|n't) (?:\w+ ){0,3}(?:sen[dt]|shared?|upload\w*|use) (?:\w+ ){0,4}"
    rf"(?:cloud|third part(?:y|ies)|{_HOSTS})\b"
    rf"|\bno (?:(?:public )?cloud(?=\s*(?:[.,;:!?)]|$))|{_HOSTS}\b)",
    re.IGNORECASE,
)
"""In a whole sentence, whatever it says in between: what is meant may have any name there."""
_UNLESS = re.compile(
    r"\b(?:only|unless|except|if|whether|fear\w*|worr\w+|afraid|risk\w*|concern\w*|forbid\w*|prohibit\w*|illegal\w*|unlawful\w*"
    r"|refus\w+|avoid\w*|prevent\w*|stop\w*)\b|\?",
    re.IGNORECASE,
)
"""What takes back or bounds that data may leave."""
_UNMINDED = re.compile(r"(?:\b(?:no|not)|n't) (?:an? )?(?:problem|objections?|issue|matter|mind|care)\b", re.IGNORECASE)
"""A no that forbids nothing: then nothing is read of where data may go."""
_LABELS_CHANGE = re.compile(
    rf"\b(?:queues?|categor\w+|teams?|labels?|class(?:es)?|intents?|topics?|tags?|departments?)\b.*{_CHANGE}"
    rf"|{_CHANGE} (?:\w+ ){{0,2}}(?:queues|categor\w+|teams|labels|classes|intents|topics|tags|departments)\b",
    re.IGNORECASE,
)
"""Of what an answer is picked from, which says nothing on facts."""
_NUMBER = f"({COUNT})"
_LABEL = "(?:label|category|class|intent|topic|team|queue|department|tag)"
_COUNTS = (
    (
        "examples",
        re.compile(
            _NUMBER
            + r"\s+(?:\w+\s)?(?:examples|samples|labell?ed \w+|annotated \w+|solved \w+)\b"
            + rf"(?! (?:(?:for|in|of|from) )?(?:a|an|per|each|every) {_LABEL}\b)",
            re.IGNORECASE,
        ),
    ),
    (
        "labels",
        re.compile(
            _NUMBER
            + r"\s+(?:different |possible )?(?:labels|categories|classes|intents|topics|teams|queues|departments|tags)\b",
            re.IGNORECASE,
        ),
    ),
)
_VOLUME = re.compile(_NUMBER + r"\s+(?:\w+\s){0,2}?(?:a|per|each|every)\s+(day|week|month|year)\b", re.IGNORECASE)
_A_MONTH = {"day": 30.0, "week": 52 / 12, "month": 1.0, "year": 1 / 12}
_PART = r"(?<![\d.,])(?:(\d+(?:\.\d+)?)\s?(?:%|per ?cent\b)|(\d+) (?:out )?of (?:every )?(\d+)\b)"
_RIGHT = r"\b(?:right|correct(?:ly)?|accura\w+)\b"
_BETWEEN = (
    r"(?: (?:in|of|at|to|for|the|all|its|them|answers?|cases?|times?|time|every|least|minimum|must|should|has|have|needs?|be"
    r"|answered)){0,6} "
)
_TARGET = re.compile(rf"{_PART}{_BETWEEN}{_RIGHT}|{_RIGHT}{_BETWEEN}{_PART}", re.IGNORECASE)
_WANTED = re.compile(r"\b(?:must|should|needs?|ha(?:s|ve) to|at least|target|goal|want\w*|expect\w*)\b", re.IGNORECASE)
_SO_FAR = re.compile(r"\b(?:is|are|was|were|gets?|got|reach\w*|now|today|currently|already|so far)\b", re.IGNORECASE)
"""Of a share that there is, and not one that is asked for."""


def read(text: str) -> tuple[tuple[Reading, ...], tuple[Reading, ...]]:
    """What the description answers, one reading a question, and the readings that contradict each other and so answer nothing."""
    text = text.replace(chr(8217), "'")  # As a word processor writes it.
    found = [*_counted(text), *(reading for sentence in _SENTENCES.split(text) for reading in _of_sentence(sentence))]
    taken: list[Reading] = []
    open_still: list[Reading] = []
    for question in dict.fromkeys(reading.question for reading in found):
        first = {reading.value: reading for reading in reversed(found) if reading.question == question}
        readings = [*first.values()][::-1]
        (taken if len(readings) == 1 else open_still).extend(readings)
    return tuple(taken), tuple(open_still)


def _of_sentence(sentence: str) -> Iterator[Reading]:
    """What its clauses say, where the whole of it does not take that back: a demand of privacy is never read as its opposite."""
    said_no, unminded = _NO.search(sentence), _UNMINDED.search(sentence)
    privacy: list[Reading] = []
    for clause in _CLAUSES.split(sentence):
        for reading in (*_of_clause(clause), *_target(clause)):
            if reading.question == "data_stays_here":
                privacy.append(reading)
            elif reading.question != "facts_change" or not _LABELS_CHANGE.search(clause):
                yield reading
    if unminded:
        return
    if said_no and not privacy and (found := _NOTHING_LEAVES.search(sentence)):
        yield Reading(question="data_stays_here", value=True, words=" ".join(found[0].split()))
    yield from (each for each in privacy if each.value or not (said_no or _UNLESS.search(sentence)))


def _of_clause(clause: str) -> Iterator[Reading]:
    for (question, value), patterns in (_NEGATED if _NO.search(clause) else _RULES).items():
        matches = [re.search(pattern, clause, re.IGNORECASE) for pattern in patterns]
        if all(matches):
            spans = [match.span() for match in matches if match]
            words = clause[min(first for first, _ in spans) : max(last for _, last in spans)]
            yield Reading(question=question, value=value, words=" ".join(words.split()))


def _target(clause: str) -> Iterator[Reading]:
    """The share of answers that has to be right, unless the clause says no or tells of what there is."""
    match = _TARGET.search(clause)
    if match is None or _NO.search(clause) or (_SO_FAR.search(clause) and not _WANTED.search(clause)):
        return
    percent, right, of = next(found for found in (match.groups()[:3], match.groups()[3:]) if any(found))
    value = float(percent) / 100 if percent else int(right) / max(1, int(of))
    if 0 < value <= 1:
        yield Reading(question="target", value=round(value, 6), words=" ".join(match[0].split()))


def _counted(text: str) -> Iterator[Reading]:
    for question, pattern in _COUNTS:
        for match in pattern.finditer(text):
            yield from (
                Reading(question=question, value=round(value), words=words)
                for value, words in _values(text, match)
                if value >= 2
            )
    for match in _VOLUME.finditer(text):
        for value, words in _values(text, match):
            yield Reading(question="volume", value=max(1, round(value * _A_MONTH[match[2].lower()])), words=words)


def _values(text: str, match: re.Match[str]) -> list[tuple[float, str]]:
    """The count that is said and its words: both ends of a range, which then contradict each other, and none where the clause
    says up to there that there are not so many."""
    before = text[: match.start()]
    clause = _CLAUSES.split(before)[-1].rpartition(" and ")[2]
    if _NO.search(clause) or is_bounded(before):
        return []
    first = lower_end(before)
    told = [(first[1], first[0] + match[0])] if first else []
    told.append((match[1], match[0]))
    values = [(count_of(said), words) for said, words in told]
    return [(value, words) for value, words in values if value is not None]
