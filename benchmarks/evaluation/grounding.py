"""Where the answers to questions come from: what an approach looked up, elsewhere in the documents, or nowhere.

No judge is asked. An answer counts as standing in a passage where all that is specific in it does: its numbers, and its
words that fewer than one in ten documents hold; yes and no are not. A Korean word stands where it begins one, since particles are
joined to it. So "nowhere" means invented, or said in other words, or in another form of the word.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Sequence
from dataclasses import replace
from typing import Literal

from benchmarks.checked import Grounding
from benchmarks.metrics._words import CLOSED, beginnings, plain, stands, words
from benchmarks.statistics.counted import by_group
from strategies.answers import is_fault
from strategies.contract import Case, Document, Evidence, Outcome, Prediction, Task
from strategies.retrieval.named import Named
from strategies.spans import standing_answers

COMMON = 0.1
"""Words that this share of the documents hold say nothing specific."""
Place = Literal["declined", "evidence", "documents", "nowhere", "nothing specific"]


def declining(task: Task) -> tuple[str, ...]:
    """The answers by which the examples say that there is none, such as "not in the handbook".

    Many share them, of all examples or of those without a document, and no document holds them word by word: none that their
    cases name, or none at all where a case may only lack the name of its document. So an "open" that is often right is an
    answer; yes and no always are. What the keys of several of these accept besides, and no document at all holds, says the same
    in other words.
    """
    examples, texts = task.examples, {each.id: each.text for each in task.documents}
    own: dict[str, set[str]] = defaultdict(set)
    for case in examples:
        own[case.output] |= {*case.document_ids} & texts.keys()
    anywhere = _perhaps_unnamed(examples)

    def answers(text: str, names: Iterable[str]) -> bool:
        return plain(text) in CLOSED or any(stands(text, texts[name]) for name in names)

    shared = dict.fromkeys((*standing_answers(examples), *_blank_answers(examples)))
    found = tuple(text for text in shared if not answers(text, texts if text in anywhere else own[text]))
    blank = [case for case in examples if case.output in found]
    others = [replace(case, output=text) for case in blank for text in case.answers if text not in found]
    return (*found, *(text for text in standing_answers(others) if not answers(text, texts)))


def _perhaps_unnamed(cases: Sequence[Case]) -> set[str]:
    """Outputs of examples whose document may have been left out: of all that name none, but for the output of more than half of
    these where others do name one. What so many share is that there is nothing to name."""
    blank = Counter(case.output for case in cases if not case.document_ids)
    everybody = blank.total() == len(cases)
    return {text for text, times in blank.items() if everybody or 2 * times <= blank.total()}


def _blank_answers(cases: Sequence[Case]) -> tuple[str, ...]:
    """Outputs that many of the examples without a document share, however few those are, and that none with a document has;
    none where no example names any. The most frequent first."""
    named = {case.output for case in cases if case.document_ids}
    blank = [case for case in cases if not case.document_ids]
    return tuple(text for text in standing_answers(blank) if text not in named) if named else ()


def _held(text: str) -> set[str]:
    """The words that stand in the text."""
    return {held for word in words(text) for held in beginnings(word)}


def is_example(item: Evidence, examples: Collection[str]) -> bool:
    """Whether evidence is an example, of these ids: a document may have the same id, and of it a passage with an end is shown."""
    return not item.end and item.document_id in examples


class Library:
    """The documents of a task, asked where an answer stands. `examples`: ids of what may be shown besides."""

    def __init__(
        self, documents: Sequence[Document], standing: Collection[str], examples: Collection[str] = ()
    ) -> None:
        self._examples = frozenset(examples)
        self._standing = frozenset(map(plain, standing))
        self._documents = {document.id: document for document in documents}
        self._named = Named(documents)
        self._holding: dict[str, set[str]] = defaultdict(set)
        for document in documents:
            for word in _held(f"{document.title} {document.text}"):
                self._holding[word].add(document.id)
        self._common = COMMON * len(documents)

    @classmethod
    def of(cls, task: Task) -> Library | None:
        """None where there is nothing to stand in: other kinds of task, no documents, or their text left out."""
        if task.kind != "qa" or not any(document.text for document in task.documents):
            return None
        return cls(task.documents, declining(task), [case.id for case in task.examples])

    def declines(self, answer: str) -> bool:
        """Whether the answer says that there is none, in the words that examples have for it."""
        return plain(answer) in self._standing

    def unfound(self, case: Case, evidence: Sequence[Evidence]) -> bool:
        """Whether passages of documents were shown, and none of one that the case names, or of a copy of one."""
        shown = [item.document_id for item in evidence if not is_example(item, self._examples)]
        known = shown and self._named.known(case)
        return bool(known) and not any(self._named.is_of(case, name) for name in shown)

    def place(self, answer: str, evidence: Sequence[Evidence]) -> Place:
        if self.declines(answer):
            return "declined"
        wanted = set() if plain(answer) in CLOSED else {word for word in words(answer) if self._specific(word)}
        if not wanted:
            return "nothing specific"
        if any(wanted <= _held(self._text(shown)) for shown in evidence):
            return "evidence"
        found = sorted((self._holding.get(word, set()) for word in wanted), key=len)
        return "documents" if set.intersection(*found) else "nowhere"

    def _specific(self, word: str) -> bool:
        rare = word not in CLOSED and len(self._holding.get(word, ())) < max(2.0, self._common)
        return rare or any(letter.isdigit() for letter in word)

    def _text(self, shown: Evidence) -> str:
        """What was shown, under its title; stored runs may hold its place in the document only."""
        document = self._documents.get(shown.document_id)
        if document is None or is_example(shown, self._examples):
            return shown.text
        return f"{document.title} {shown.text or document.text[shown.start : shown.end]}"


def grounding(library: Library, answered: Sequence[tuple[Case, Outcome, bool]]) -> Grounding | None:
    """Of (case, outcome, right) for each held-out case; None where no outcome is an answer and no question is without one.

    Where the key of a case says that there is no answer, whatever else it accepts says so too, in other words, and so does
    silence; what a fault took, and what ended before it was an answer, says nothing.
    """
    counts: Counter[str] = Counter()
    standing, declined = list[tuple[Case, bool]](), list[tuple[Case, bool]]()
    for case, outcome, right in answered:
        unanswerable = any(library.declines(text) for text in case.accepted)
        place: Place = "declined"
        if isinstance(outcome, Prediction) and outcome.text.strip():
            if not (unanswerable and plain(outcome.text) in map(plain, case.accepted)):
                place = library.place(outcome.text, outcome.evidence)
            wrong = not (unanswerable if place == "declined" else right)
            counts[place] += 1
            counts[f"{place}, wrong"] += wrong
            counts[f"{place}, unfound"] += wrong and library.unfound(case, outcome.evidence)
        elif is_fault(outcome) or getattr(outcome, "kind", "") == "unparsable" or not unanswerable:
            continue
        else:
            counts["silent"] += 1
        if place in ("evidence", "documents", "nowhere"):
            standing.append((case, place != "nowhere"))
        if unanswerable:
            declined.append((case, place == "declined"))
            counts["unanswerable"] += 1
            counts["unanswerable, answered"] += place != "declined"
    if not counts:
        return None
    return Grounding(
        declined=counts["declined"],
        declined_wrong=counts["declined, wrong"],
        evidence=counts["evidence"],
        documents=counts["documents"],
        nowhere=counts["nowhere"],
        nowhere_wrong=counts["nowhere, wrong"],
        vague=counts["nothing specific"],
        unanswerable=counts["unanswerable"],
        unanswerable_answered=counts["unanswerable, answered"],
        silent=counts["silent"],
        declined_unfound=counts["declined, unfound"],
        grounded_by_group=by_group([case for case, _ in standing], [stands for _, stands in standing]),
        declined_by_group=by_group([case for case, _ in declined], [declines for _, declines in declined]),
    )
