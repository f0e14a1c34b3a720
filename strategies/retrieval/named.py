"""Which documents a case names: those that there are, copies of them under other ids too, and whether they hold its answer."""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from functools import cached_property

from strategies.contract import Case, Document
from strategies.retrieval.chunking import heading
from strategies.words import plain


class Named:
    """The documents of a task, asked which of them a case names. Texts are read when they are asked for, each once.

    Two documents are copies where title and text are the same but for capitals and spaces. The title counts, since a passage is
    shown under it: of two rooms with "It has 5 seats." each is about its own.
    """

    def __init__(self, documents: Sequence[Document]) -> None:
        self._documents = {document.id: document for document in documents}
        self._contents: dict[str, str] = {}
        self._words: dict[str, str] = {}

    def content(self, name: str) -> str:
        """What copies share: a hash of title and text; the id where there is no such document, or its text was left out."""
        if name not in self._contents:
            document = self._documents.get(name)
            known = document is not None and document.text.strip()
            self._contents[name] = _hash(document) if document is not None and known else name
        return self._contents[name]

    def known(self, case: Case) -> tuple[str, ...]:
        """Ids that the case names and that a document has."""
        return tuple(name for name in case.document_ids if name in self._documents)

    def is_of(self, case: Case, name: str) -> bool:
        """Whether the document of this id is one that the case names, or a copy of one."""
        return name in case.document_ids or (
            name in self._documents and self.content(name) in map(self.content, self.known(case))
        )

    def all_of(self, case: Case) -> tuple[str, ...]:
        """Ids of the documents that the case names and of their copies, in the order of the documents."""
        found = {place: name for each in self.known(case) for place, name in self._alike[self.content(each)]}
        return tuple(found[place] for place in sorted(found))

    def hold(self, case: Case) -> bool:
        """Whether one of the documents that the case names holds an accepted answer."""
        return stand_in(case.accepted, map(self._read, self.known(case)))

    def copies(self) -> list[tuple[str, str]]:
        """Each document that is a copy, behind the first one with its content."""
        return [(group[0][1], name) for group in self._alike.values() for _, name in group[1:]]

    @cached_property
    def _alike(self) -> Mapping[str, list[tuple[int, str]]]:
        """Content -> place and id of the documents that have it."""
        found: dict[str, list[tuple[int, str]]] = defaultdict(list)
        for place, name in enumerate(self._documents):
            found[self.content(name)].append((place, name))
        return found

    def _read(self, name: str) -> str:
        if name not in self._words:
            document = self._documents[name]
            self._words[name] = in_words(heading(document) + document.text)
        return self._words[name]


def in_words(text: str) -> str:
    """Its words with single spaces before, between and behind them, whatever the punctuation."""
    return " ".join(["", *plain(text), ""])


def stand_in(answers: Iterable[str], texts: Iterable[str]) -> bool:
    """Whether one of the answers stands in one of the texts, which are as `in_words` gives them."""
    wanted = [words for words in map(in_words, answers) if words.strip()]
    return any(words in text for text in texts for words in wanted)


def _hash(document: Document) -> str:
    parts = (" ".join(text.casefold().split()) for text in (document.title, document.text))
    return hashlib.sha256("\0".join(parts).encode("utf-8", "surrogatepass")).hexdigest()
