"""What is wrong with documents: copies, two that contradict each other, and held-out questions that stand in them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence

from benchmarks.audit.findings import Finding, ids, many
from benchmarks.audit.languages import in_another
from benchmarks.audit.text_quality import broken_documents
from benchmarks.data.similar import near_pairs, normalised, worded
from benchmarks.metrics._words import words
from strategies.contract import Case, Document
from strategies.retrieval.named import Named
from strategies.retrieval.versions import day

_WORDS_OF_A_QUESTION = 5
"""Shorter ones stand in a text by chance."""
_WITH_ONE_CHANGED = 8
"""Of so many words one may be another; of fewer, what is left may be the same by chance."""
_BEGINNING = 4_000
"""Characters of a document by which its language is told."""
FOUND_EASILY = (
    "An approach that looks things up finds these more easily than others, so its figures are too high for requests that are "
    "in no document."
)
"""What it does to the comparison that held-out cases stand in documents."""


def document_findings(documents: Sequence[Document]) -> Iterator[Finding]:
    """One finding for each kind of trouble that occurs."""
    yield from broken_documents(documents)
    yield from other_language(documents)
    copies = Named(documents).copies()
    if copies:
        yield Finding(
            kind="copied documents",
            count=len(copies),
            examples=tuple(f"{one} and {other}" for one, other in copies[:3]),
            says=f"{many(len(copies), 'document repeats', 'documents repeat')} title and text of another one under another id.",
            effect="A search shows one text several times in place of others; a copy counts as the document that a case names.",
            what_to_do="Keep one of each, and name that one in the cases.",
            severity="note",
        )
    pairs = contradictions(documents)
    if pairs:
        yield Finding(
            kind="contradictory documents",
            count=len(pairs),
            examples=tuple(f"{one.id} and {other.id}" for one, other in pairs[:3]),
            says=f"{many(len(pairs), 'pair', 'pairs')} of documents with one title say nearly the same and differ in some words.",
            effect="An approach that looks things up may find either, and is right or wrong by chance.",
            what_to_do="Keep the one that holds, or give both a date, such as 2026-03-01: then the newer one is shown.",
        )


def other_language(documents: Sequence[Document]) -> Iterator[Finding]:
    """Documents in another language than the rest."""
    main, places = in_another([each.text[:_BEGINNING] for each in documents])
    if places:
        yield Finding(
            kind="other language (documents)",
            count=len(places),
            examples=tuple(documents[place].id for place in places[:3]),
            says=f"{many(len(places), 'document seems', 'documents seem')} to be in another language than {main}, in which the "
            "others are.",
            effect="Words of a question do not find them, and embedders of one language hardly do.",
            what_to_do="Leave them out if they got there by accident; else name an embedder of several languages.",
            severity="note",
        )


def held_out_questions(standing: Sequence[Case]) -> Iterator[Finding]:
    """One where some of them stand in the documents (`questions_in`)."""
    if standing:
        cases = many(len(standing), "held-out case stands", "held-out cases stand")
        yield Finding(
            kind="questions in documents",
            count=len(standing),
            examples=ids(standing),
            says=f"The input of {cases} in a document, word for word or with one word changed.",
            effect=FOUND_EASILY,
            what_to_do="Take the questions out of the documents. Of an FAQ, which holds them on purpose, hold out requests that "
            "it lacks too, as many as there will be.",
        )


def contradictions(documents: Sequence[Document]) -> list[tuple[Document, Document]]:
    """Pairs of near-duplicates with one title where each has words that the other lacks, and no date says which is newer."""
    plain = [normalised(document.text) for document in documents]
    found = []
    for first, second in near_pairs(plain):
        one, other = documents[first], documents[second]
        titled_alike = normalised(one.title) == normalised(other.title)
        days = day(one.date), day(other.date)
        versions = all(days) and not days[0].startswith(days[1]) and not days[1].startswith(days[0])
        here, there = Counter(words(one.text)), Counter(words(other.text))
        if titled_alike and not versions and here - there and there - here:
            found.append((one, other))
    return found


def questions_in(documents: Sequence[Document], cases: Sequence[Case]) -> list[Case]:
    """Cases whose input stands in a document."""
    asked = {case.id: worded(case.input) for case in cases}
    long = [case for case in cases if len(asked[case.id].split()) >= _WORDS_OF_A_QUESTION]
    shelf = Shelf(documents, (word for case in long for word in asked[case.id].split()))
    return [case for case in long if shelf.holds(asked[case.id]) or shelf.nearly_holds(asked[case.id])]


class Shelf:
    """Documents in which texts made of certain words are looked for."""

    def __init__(self, documents: Sequence[Document], among: Iterable[str]) -> None:
        self._texts = [f" {worded(document.title)} {worded(document.text)} " for document in documents]
        self._places: dict[str, set[int]] = {word: set() for word in among}
        for number, text in enumerate(self._texts):
            for word in self._places.keys() & text.split():
                self._places[word].add(number)

    def holds(self, text: str, own: Sequence[int] = ()) -> bool:
        """Whether the text, as of `worded`, stands in one of the documents of these numbers, or in any where there are none."""
        if _unspaced(text):
            return any(text in self._texts[number] for number in own or range(len(self._texts)))
        among = own or sorted(set.intersection(*(self._places[word] for word in text.split())))
        return any(f" {text} " in self._texts[number] for number in among)

    def nearly_holds(self, text: str) -> bool:
        """Whether a long text of words stands in one of the documents but for one word: then one half of it is unchanged."""
        asked = text.split()
        if _unspaced(text) or len(asked) < _WITH_ONE_CHANGED:
            return False
        half = len(asked) // 2
        first, second = asked[:half], asked[half:]
        return any(
            _differ(_before(there, start, half), first) <= 1 for there, start, _ in self._places_of(second)
        ) or any(_differ(_behind(there, end, len(second)), second) <= 1 for there, _, end in self._places_of(first))

    def _places_of(self, part: Sequence[str]) -> Iterator[tuple[str, int, int]]:
        """Texts in which these words stand in a row, with the places of the spaces before and behind them."""
        run = f" {' '.join(part)} "
        for number in set.intersection(*(self._places[word] for word in part)):
            text = self._texts[number]
            place = text.find(run)
            while place >= 0:
                yield text, place, place + len(run) - 1
                place = text.find(run, place + 1)


def _before(text: str, place: int, count: int) -> list[str]:
    """So many words before a space of the text, or fewer where it begins; the rest of a long text is not looked at."""
    start = place
    for _ in range(count):
        start = max(0, text.rfind(" ", 0, start))
    return text[start:place].split()


def _behind(text: str, place: int, count: int) -> list[str]:
    """The same of what stands behind it."""
    end = place
    for _ in range(count):
        after = text.find(" ", end + 1)
        end = after if after >= 0 else len(text)
    return text[place:end].split()


def _differ(some: Sequence[str], others: Sequence[str]) -> int:
    """In how many places; all of them where one is shorter."""
    return sum(map(str.__ne__, some, others)) if len(some) == len(others) else len(others)


def _unspaced(text: str) -> bool:
    """True for scripts that put no spaces between words."""
    return any("\u0e00" <= character <= "\u0eff" or character >= "\u2e80" for character in text)
