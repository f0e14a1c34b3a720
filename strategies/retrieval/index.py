"""Finds passages and examples: FAISS over embeddings, BM25 over words, the fusion of the two, and a reranker behind it."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Any, Literal, Protocol

from strategies.contract import Case, Document, Embedder, Evidence, Prompted, Reranker
from strategies.retrieval.chunking import PASSAGE_WORDS, Passage, cut, size, within
from strategies.retrieval.named import Named
from strategies.retrieval.query_adapter import adapted
from strategies.retrieval.vectors import embedded, vector_index, vectors_of
from strategies.retrieval.versions import ASKED, Version, repeated, versions
from strategies.standalone.reading import current
from strategies.words import SEARCHED, composed

Mode = Literal["dense", "hybrid", "reranked"]
"""`reranked`: what `hybrid` finds, the first of it in the order of a cross-encoder."""
RRF = 60
"""Constant of reciprocal rank fusion (Cormack, Clarke and Buettcher, 2009)."""
POOL = 50
"""Passages that each ranking brings to the fusion."""
RERANKED = 20
"""Passages that the cross-encoder reads for each text."""
ADAPTER = "query_adapter.npy"
MANIFEST = "manifest.json"
"""What programs without this product need to know of an index (`strategies/standalone/lookup.py`)."""


class Finder(Protocol):
    """Finds evidence for texts: best first, at most `k` for each."""

    def search(self, texts: Sequence[str], k: int, mode: Mode = "hybrid") -> list[tuple[Evidence, ...]]: ...


@dataclass(frozen=True)
class PassageIndex:
    """Passages of a task's documents with their vectors; their texts stay in the documents.

    The FAISS index is rebuilt from the vectors, never read from a file. Loaded vectors stay in their file, of which the
    system keeps in memory what it has room for.
    """

    passages: tuple[Passage, ...]
    vectors: Any
    embedder: Embedder
    near: Any
    words: Any
    reranker: Reranker | None = None
    prompts: Mapping[str, str] = field(default_factory=dict)
    """What the embedder read before each `query` and `document`; empty: nothing."""
    repeats: frozenset[str] = frozenset()
    """Documents whose families are none of versions (`versions.repeated`)."""
    whole_words: int = 0
    """Documents of at most so many words are shown whole, whichever of their passages was found."""
    adapter: Any = field(default=None, repr=False, compare=False)
    """Moves the vectors of what is asked (`query_adapter`); None: they stay as they are."""

    @classmethod
    def build(cls, documents: Sequence[Document], embedder: Embedder, words: int = PASSAGE_WORDS) -> PassageIndex:
        """Of passages of at most so many words, fewer where the embedder does not read as many."""
        return cls.made(tuple(cut(documents, within(embedder, words))), embedder)

    @classmethod
    def made(cls, passages: tuple[Passage, ...], embedder: Embedder) -> PassageIndex:
        """Of passages that are embedded now, as the embedder's own files say that it is to search."""
        prompts = embedder.prompts if isinstance(embedder, Prompted) else {}
        vectors = vectors_of([passage.text for passage in passages], embedder, prompts.get("document"))
        return replace(cls.of(passages, vectors, embedder), prompts=prompts)

    @classmethod
    def of(cls, passages: tuple[Passage, ...], vectors: Any, embedder: Embedder) -> PassageIndex:
        return cls(
            passages, vectors, embedder, vector_index(vectors), word_index([passage.text for passage in passages])
        )

    def taught(self, examples: Iterable[Case]) -> PassageIndex:
        """Where examples name an older version that would be left out, its family is no longer one of versions."""
        told = [case for case in examples if case.document_ids]
        repeats = repeated(self._versions, told) if told else frozenset()
        return replace(self, repeats=repeats) if repeats else self

    def widened(self, whole_words: int) -> PassageIndex:
        """The same, with documents of at most so many words shown whole."""
        return self if whole_words == self.whole_words else self._changed(whole_words=whole_words)

    def adapted(self, adapter: Any) -> PassageIndex:
        """The same, with the vectors of what is asked moved by this."""
        return self if adapter is self.adapter else self._changed(adapter=adapter)

    def _changed(self, **fields: Any) -> PassageIndex:
        """The same but for these; what is known of the documents is not found out anew."""
        other = replace(self, **fields)
        vars(other).update({name: getattr(self, name) for name in ("_documents", "_versions", "named")})
        return other

    def search(self, texts: Sequence[str], k: int, mode: Mode = "hybrid") -> list[tuple[Evidence, ...]]:
        """The best `k` passages for each text, best first, one of each document before a second one, of versions the newest."""
        if not self.passages or not texts:
            return [() for _ in texts]
        size = min(len(self.passages), max(POOL, k))
        scores, found = self.near.search(self.asked(texts), size)
        rankings = [[[place for place in row if place >= 0] for row in found.tolist()]]  # A graph may find fewer.
        if mode != "dense" and self.words is not None:
            rankings.append(self._by_words(texts, size))
        orders = [self._current(fuse([ranking[row] for ranking in rankings]), text) for row, text in enumerate(texts)]
        if mode == "reranked":
            orders = self._reranked(texts, orders)
        results = []
        for row, order in enumerate(orders):
            similarity = dict(zip(found[row].tolist(), scores[row].tolist(), strict=True))
            results.append(self._evidence(order, similarity, k))
        return results

    def asked(self, texts: Sequence[str]) -> Any:
        """Vectors that texts are searched by, of shape (texts, dimension)."""
        vectors = self._vectors("query", texts)
        return vectors if self.adapter is None else adapted(vectors, self.adapter)

    def _vectors(self, side: str, texts: Sequence[str]) -> Any:
        return embedded(texts, self.embedder, self.prompts.get(side))

    def _reranked(self, texts: Sequence[str], orders: Sequence[Sequence[int]]) -> list[list[int]]:
        """Each order with its first passages sorted by the cross-encoder."""
        if self.reranker is None:
            raise ValueError("the passages are to be reranked, and there is no reranker")
        firsts = [order[:RERANKED] for order in orders]
        pairs = [(text, self.passages[place].text) for text, row in zip(texts, firsts, strict=True) for place in row]
        marks = iter(self.reranker.relevance(pairs).tolist() if pairs else ())
        sorted_firsts = [
            [place for _, place in sorted(((next(marks), place) for place in row), key=lambda pair: -pair[0])]
            for row in firsts
        ]
        return [[*row, *order[RERANKED:]] for row, order in zip(sorted_firsts, orders, strict=True)]

    def _by_words(self, texts: Sequence[str], size: int) -> list[list[int]]:
        found, scores = self.words.retrieve(_counted(texts), k=size, show_progress=False)
        return [
            [int(place) for place, score in zip(row, marks, strict=True) if score > 0]
            for row, marks in zip(found, scores, strict=True)
        ]

    @cached_property
    def _documents(self) -> list[Document]:
        return list({id(passage.document): passage.document for passage in self.passages}.values())

    @cached_property
    def named(self) -> Named:
        """The documents, asked which of them a case names."""
        return Named(self._documents)

    @cached_property
    def _whole(self) -> frozenset[str]:
        """Documents that are shown whole."""
        if not self.whole_words:
            return frozenset()
        return frozenset(document.id for document in self._documents if size(document.text) <= self.whole_words)

    @cached_property
    def _versions(self) -> Mapping[str, Version]:
        return versions(self._documents, self.repeats)

    def _current(self, order: Sequence[int], text: str) -> list[int]:
        """Without versions of which a newer one was found too, unless the text names their date."""
        if not self._versions:
            return list(order)
        found = {place: self._versions.get(self.passages[place].document_id) for place in order}
        return current(found, text, ASKED)

    def _evidence(self, order: Sequence[int], similarity: dict[int, float], k: int) -> tuple[Evidence, ...]:
        """The best passage of each document first; where these are fewer than `k`, the next best of any."""
        first: dict[str, int] = {}
        for place in order:
            first.setdefault(self.passages[place].document_id, place)
        others = (place for place in order if self.passages[place].document_id not in self._whole)
        chosen = [*first.values(), *(place for place in others if place not in first.values())]
        return tuple(self._shown(place, similarity.get(place, 0.0)) for place in chosen[:k])

    def _shown(self, place: int, score: float) -> Evidence:
        found = self.passages[place]
        passage = found.whole if found.document_id in self._whole else found
        return Evidence(
            document_id=passage.document_id, text=passage.text, score=score, start=passage.start, end=passage.end
        )

    def passages_of(self, documents: Sequence[str], asked: str) -> list[Evidence]:
        """All passages of some documents, the most similar to what is asked first."""
        places = [place for place, passage in enumerate(self.passages) if passage.document_id in documents]
        scores = (self.vectors[places] @ self.asked([asked])[0]).tolist() if places else []
        found = [self._shown(place, score) for place, score in zip(places, scores, strict=True)]
        best: dict[tuple[str, int], Evidence] = {}
        for passage in sorted(found, key=lambda passage: -passage.score):
            best.setdefault((passage.document_id, passage.start), passage)
        return list(best.values())

    def updated(self, documents: Sequence[Document], fresh: Sequence[Passage]) -> PassageIndex:
        """With these in place of the documents of the same ids: their passages alone are embedded anew."""
        import numpy as np

        names = {document.id for document in documents}
        kept = [place for place, passage in enumerate(self.passages) if passage.document_id not in names]
        vectors = np.vstack([self.vectors[kept], self._vectors("document", [passage.text for passage in fresh])])
        index = self.of((*(self.passages[place] for place in kept), *fresh), vectors, self.embedder)
        return replace(
            index,
            reranker=self.reranker,
            prompts=self.prompts,
            repeats=self.repeats,
            whole_words=self.whole_words,
            adapter=self.adapter,
        )

    def save(self, folder: Path) -> None:
        import numpy as np

        folder.mkdir(parents=True, exist_ok=True)
        partial = folder / "partial.npy"
        np.save(partial, self.vectors, allow_pickle=False)
        partial.replace(folder / "vectors.npy")  # Which may be the very file that the vectors are mapped from.
        if self.adapter is not None:
            np.save(folder / ADAPTER, self.adapter, allow_pickle=False)
        documents = self._documents
        place = {id(document): number for number, document in enumerate(documents)}
        shown = {each.document_id: each.whole for each in self.passages if each.document_id in self._whole}
        whole = [[place[id(each.document)], each.start, each.end] for each in shown.values()]
        known = {number: self._versions.get(document.id) for number, document in enumerate(documents)}
        kept = {
            "documents": [asdict(document) for document in documents],
            "passages": [
                [place[id(each.document)], each.start, each.end, *([each.under] if each.under else [])]
                for each in self.passages
            ],
            "versions": {number: version for number, version in known.items() if version},
            **({"repeats": sorted(self.repeats)} if self.repeats else {}),
            **({"whole": whole} if whole else {}),
        }
        (folder / "passages.json").write_text(json.dumps(kept, ensure_ascii=False), encoding="utf-8")
        about = {
            "embedder": self.embedder.name,
            "fingerprint": self.embedder.fingerprint,
            "dimension": int(self.vectors.shape[1]),
            "documents": len(documents),
            "passages": len(self.passages),
            "pool": POOL,
            "fusion": RRF,
            "reranked": RERANKED,
            "searched": SEARCHED,
            "asked": dict(ASKED),
            **({"prompts": dict(self.prompts)} if self.prompts else {}),
            **({"whole_words": self.whole_words} if self.whole_words else {}),
            **({} if self.adapter is None else {"adapter": ADAPTER}),
        }
        (folder / MANIFEST).write_text(json.dumps(about, ensure_ascii=False, indent=1), encoding="utf-8")

    @classmethod
    def load(cls, folder: Path, embedder: Embedder) -> PassageIndex:
        import numpy as np

        kept = json.loads((folder / "passages.json").read_text(encoding="utf-8"))
        documents = [Document(**row) for row in kept["documents"]]
        vectors = np.load(folder / "vectors.npy", mmap_mode="r", allow_pickle=False)
        passages = (Passage(documents[place], *where) for place, *where in kept["passages"])
        about = json.loads((folder / MANIFEST).read_text(encoding="utf-8"))
        index = cls.of(tuple(passages), vectors, embedder)
        return replace(
            index,
            prompts=dict(about.get("prompts", {})),
            repeats=frozenset(kept.get("repeats", ())),
            whole_words=about.get("whole_words", 0),
            adapter=np.load(folder / ADAPTER, allow_pickle=False) if "adapter" in about else None,
        )


def named_by(index: Finder | None) -> Named:
    """The documents that it searches, asked which of them a case names; none where it does not say."""
    known = getattr(index, "named", None)
    return known if isinstance(known, Named) else Named(())


def word_index(texts: Sequence[str]) -> Any:
    """BM25 over the texts; None where they hold no word that it counts."""
    import bm25s

    tokens = _counted(texts)
    if not any(tokens.ids):
        return None
    index = bm25s.BM25()
    index.index(tokens, show_progress=False)
    return index


def _counted(texts: Sequence[str]) -> Any:
    """The words that a search counts, as BM25 takes them."""
    import bm25s

    return bm25s.tokenize([composed(text) for text in texts], token_pattern=SEARCHED, show_progress=False)


def fuse(rankings: Sequence[Sequence[int]]) -> list[int]:
    """Reciprocal rank fusion; a single ranking stays as it is."""
    if len(rankings) == 1:
        return list(rankings[0])
    marks: dict[int, float] = {}
    for ranking in rankings:
        for rank, place in enumerate(ranking):
            marks[place] = marks.get(place, 0.0) + 1.0 / (RRF + rank + 1)
    return sorted(marks, key=lambda place: (-marks[place], place))
