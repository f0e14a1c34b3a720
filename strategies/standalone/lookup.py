"""Looks passages and examples up for `predict.py`; by hand, with `reading.py` beside it, it searches an exported index.

    python lookup.py "What is asked?" --index FOLDER --embedder FOLDER_OR_HUB_ID

prints the passages that are found, the best first, as JSON lines. The index is a folder: `manifest.json` says how it is
searched, `passages.json` holds the documents, where each passage begins and ends in its own, under which headings, which are
shown whole, which are versions and their dates, `vectors.npy` the vectors in this order, `query_adapter.npy`, where there is
one, what is added to the vector of a question: itself times this matrix. It takes numpy, sentence-transformers, faiss, for words
bm25s.
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import math
import re
import sys
import unicodedata
from collections.abc import Callable, Iterable, Sequence
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

import regex

PLACE, NOTHING = "{{input}}", "-"
SAME = 0.99
"""How near the vector of a passage has to be to the one that was kept of it."""
Embed = Callable[..., Any]
Rerank = Callable[[str, list[str]], list[float]]


class Passage(NamedTuple):
    """Characters `start` to `end` of a document; the text has title, date and headings in front."""

    document: str
    start: int
    end: int
    text: str
    score: float = 0.0
    """Its similarity to what was asked; 0 where it was found by its words alone."""

    @property
    def quote(self) -> str:
        return self.text[len(self.text) - (self.end - self.start) :]

    @property
    def place(self) -> dict[str, Any]:
        return {"document_id": self.document, "start": self.start, "end": self.end}


class Index:
    """Passages by their vectors, and by their words. Every vector is compared, however many there are."""

    def __init__(self, folder: Path, embed: Embed, rerank: Rerank | None = None) -> None:
        import faiss
        import numpy as np

        kept = json.loads((folder / "passages.json").read_text(encoding="utf-8"))
        self.how = json.loads((folder / "manifest.json").read_text(encoding="utf-8"))
        prompts: dict[str, str] = self.how.get("prompts", {})
        self.documents, self.embed, self.rerank, self.prompt = kept["documents"], embed, rerank, prompts.get("query")
        self.versions = {  # Indexes of before say nothing of what names them: it was their years.
            place: (*one, _reading().YEAR.findall(_reading().heading(self.documents[int(place)])))[:3]
            for place, one in kept["versions"].items()
        }
        self.passages = [self._passage(*row) for row in kept["passages"]]
        self.whole = dict(self._passage(*row) for row in kept.get("whole", ()))
        vectors = np.load(folder / "vectors.npy", allow_pickle=False)
        if self.passages:
            (own,) = embed([self.passages[0][1].text], prompts.get("document"))
            if own.shape != vectors[0].shape or float(own @ vectors[0]) < SAME:
                raise SystemExit(f"This is not the embedder that the index was made with ({self.how['embedder']}).")
        self.near = faiss.IndexFlatIP(vectors.shape[1])
        self.near.add(vectors)
        adapter = folder / "query_adapter.npy"
        self.adapter: Any = np.load(adapter, allow_pickle=False) if "adapter" in self.how else None
        self.words = _by_words([one.text for _, one in self.passages], self.how["searched"])

    def _passage(self, number: int, start: int, end: int, under: str = "") -> tuple[int, Passage]:
        one = self.documents[number]
        return number, Passage(one["id"], start, end, _reading().heading(one, under) + one["text"][start:end])

    def find(self, text: str, most: int, mode: str) -> list[Passage]:
        """The best passages, or all of their documents, one of each document before a second one, of versions the newest."""
        if not self.passages:
            return []
        size = min(len(self.passages), max(self.how["pool"], most))
        scores, found = (each[0].tolist() for each in self.near.search(self._asked(text), size))
        rankings = [[place for place in found if place >= 0]]
        if mode != "dense" and self.words is not None:
            rankings.append(self.words(text, size))
        order = self._current(self._fused(rankings), text)
        order = self._reranked(order, text) if mode == "reranked" else order
        similar = dict(zip(found, scores, strict=True))
        known = ((place, *self.passages[place]) for place in order)
        ranked = [self.whole.get(of, one)._replace(score=similar.get(place, 0.0)) for place, of, one in known]
        best: dict[str, Passage] = {}
        for passage in ranked:
            best.setdefault(passage.document, passage)
        return [*best.values(), *(one for one in ranked if one.place != best[one.document].place)][:most]

    def _asked(self, text: str) -> Any:
        """Its vector; moved by a matrix that was learnt from examples, where there is one."""
        vector = self.embed([text], self.prompt)
        vector = vector if self.adapter is None else vector + vector @ self.adapter
        return vector / max(float((vector**2).sum()) ** 0.5, 1e-12)

    def _fused(self, rankings: list[list[int]]) -> list[int]:
        """Reciprocal rank fusion; a single ranking stays as it is."""
        if len(rankings) == 1:
            return rankings[0]
        marks: dict[int, float] = {}
        for ranking in rankings:
            for rank, place in enumerate(ranking):
                marks[place] = marks.get(place, 0.0) + 1.0 / (self.how["fusion"] + rank + 1)
        return sorted(marks, key=lambda place: (-marks[place], place))

    def _current(self, order: list[int], text: str) -> list[int]:
        """Without versions of which a newer one was found too, unless the text names their date."""
        found = {place: self.versions.get(str(self.passages[place][0])) for place in order}
        current: list[int] = _reading().current(found, text, self.how.get("asked", {}))
        return current

    def _reranked(self, order: list[int], text: str) -> list[int]:
        if self.rerank is None:
            raise SystemExit(
                "The passages were reranked when this was measured: name the cross-encoder with --reranker."
            )
        firsts = order[: self.how["reranked"]]
        marks = self.rerank(text, [self.passages[place][1].text for place in firsts]) if firsts else []
        ranked = sorted(zip(marks, firsts, strict=True), key=lambda pair: -pair[0])
        return [*(place for _, place in ranked), *order[self.how["reranked"] :]]


def _by_words(texts: list[str], pattern: str) -> Callable[[str, int], list[int]] | None:
    """BM25 over the texts; None where they hold no word that it counts: what the pattern finds."""
    import bm25s

    tokens = bm25s.tokenize([_composed(text) for text in texts], token_pattern=pattern, show_progress=False)
    if not any(tokens.ids):
        return None
    index = bm25s.BM25()
    index.index(tokens, show_progress=False)

    def ranked(text: str, size: int) -> list[int]:
        asked = bm25s.tokenize([_composed(text)], token_pattern=pattern, show_progress=False)
        found, scores = index.retrieve(asked, k=size, show_progress=False)
        return [int(place) for place, score in zip(found[0], scores[0], strict=True) if score > 0]

    return ranked


def _composed(text: str) -> str:
    """NFKC, in which words are compared and searched; signs that would be joined to a word are spaces."""
    return unicodedata.normalize("NFKC", re.sub("[\u20a8\u2116\u2120-\u2122]", " ", text))


def refuse_pickles(model: str) -> None:
    """Pickled weights can run code when they are read, and would be taken where there are no others."""
    if not all(path.with_name("model.safetensors").is_file() for path in Path(model).rglob("pytorch_model.bin")):
        raise SystemExit(f"{model} holds pickled weights. Only safetensors are read here.")


def reranking(model: str) -> Rerank | None:
    """How relevant each passage is to a question; None where no model is named."""
    if not model:
        return None
    from sentence_transformers import CrossEncoder

    refuse_pickles(model)
    encoder = CrossEncoder(model, device="cpu", trust_remote_code=False, model_kwargs={"use_safetensors": True})

    def marks(text: str, passages: list[str]) -> list[float]:
        pairs = [(text, passage) for passage in passages]
        return [float(mark) for mark in encoder.predict(pairs, show_progress_bar=False, convert_to_numpy=True)]

    return marks


# ---------------------------------------------------------------- answers


class Looking:
    """Answers by a prompt that passages or the nearest examples are put into; `asked` is `prompt.json`."""

    def __init__(self, place: Path, asked: dict[str, Any], speaker: Any, finding: tuple[Embed, str]) -> None:
        import faiss

        self.asked, self.how, self.speaker = asked, asked["lookup"], speaker
        self.embed, self.examples = finding[0], self.how["examples"]
        self.index = Index(place / "index", self.embed, reranking(finding[1])) if self.how["passages"] else None
        if self.examples:
            vectors = self.embed([one["input"] for one in self.examples])
            self.near = faiss.IndexFlatIP(vectors.shape[1])
            self.near.add(vectors)
        self.named: Any = self.embed(self.how["words_of_labels"]) if self.how["votes"] else None

    def answer(self, request: str) -> tuple[str, float, tuple[dict[str, Any], ...]]:
        """(answer, how sure, the passages that it rests on)."""
        text = self.speaker.cut(request, self.asked["input_tokens"])
        prompt, text, found = self._prompt(text)
        places = tuple(passage.place for passage in found)
        if self.asked["labels"]:
            shares = self._with_votes(self.speaker.shares(prompt), request)
            return (*max(zip(self.asked["labels"], shares, strict=True), key=lambda pair: pair[1]), places)
        if self.how["reading"]:
            return self._read(prompt, found)
        said, sure = self.speaker.written(prompt, text)
        if sure is None:  # A server that says nothing of it: how near the best evidence is.
            sure = max((passage.score for passage in found), default=-math.inf)
        return said, sure, places

    def _prompt(self, text: str) -> tuple[list[int], str, list[Passage]]:
        """Without its farthest examples, then its last passages, where the model could not read it whole."""
        found, shown, told = self._found(text), self.how["shown"] or self._shown(text), self._told(text)
        prompt = self.speaker.prompt([told, *self._turns(text, shown, found)])
        while len(prompt) > self.speaker.room:
            short = max(self.speaker.cut(text, max(8, len(text) // 8)), text[: len(text) // 2], key=len)
            if not (shown or found or short != text):
                break
            shown, found, text = shown[1:], found if shown else found[:-1], text if shown or found else short
            prompt = self.speaker.prompt([told, *self._turns(text, shown, found)])
        if any("\n\n" in one["answer"] for one in shown):
            prompt.paragraphs = True
        return prompt, text, found

    def _found(self, text: str) -> list[Passage]:
        return self.index.find(text, self.how["passages"], self.how["mode"]) if self.index is not None else []

    def _told(self, text: str) -> dict[str, str]:
        """The instruction; where a list of all labels would be too long, with those of the nearest examples, as many as fit."""
        told, how = self.asked["messages"][0], self.how["listing"]
        if how is None:
            return dict(told)
        near = [self.examples[place] for place, _ in self._nearest(text, how["looked_at"])]
        words = list({one["output"]: one["said"] for one in near}.values())[: how["most"]]
        while True:
            listed = f"Possible answers: {', '.join(words)}."
            if len(words) < 2 or len(self.speaker.prompt([{**told, "content": listed}])) <= how["tokens"]:
                return {**told, "content": f"{told['content']}\n{listed}".strip()}
            words = words[: len(words) * 3 // 4]

    def _turns(self, text: str, shown: Sequence[dict[str, str]], found: Sequence[Passage]) -> list[dict[str, str]]:
        before, (first, _, last), order = _joined(found), self.how["asks"].partition(PLACE), self.how["order"]
        if self.how["layout"] == "inline":
            blocks = [f"{one['passages']}{first}{one['input']}{last} {one['answer']}" for one in shown[::order]]
            return [{"role": "user", "content": "\n\n".join([*blocks, f"{before}{first}{text}{last}"])}]
        turns = []
        for one in shown[::order]:
            turns.append({"role": "user", "content": f"{one['passages']}{first}{one['input']}{last}"})
            turns.append({"role": "assistant", "content": one["answer"]})
        return [*turns, {"role": "user", "content": f"{before}{first}{text}{last}"}]

    def _shown(self, text: str) -> list[dict[str, str]]:
        """The nearest examples, the nearest last; where so chosen, one of each label first, or those that rest on passages."""
        if not self.how["shots"]:
            return []
        rows = [self.examples[place] for place, _ in self._nearest(text, self.how["looked_at"])]
        if self.how["varied"]:
            first = {one["output"]: one for one in reversed(rows)}
            rows = sorted(rows, key=lambda one: one is not first[one["output"]])
        found: list[list[Passage]] = [[] for _ in rows]
        if self.how["rests_on"]:
            found = [self._found(one["input"]) for one in rows]
            order = sorted(range(len(rows)), key=lambda place: not self._rests(rows[place], found[place]))
            rows, found = [rows[place] for place in order], [found[place] for place in order]
        most = self.asked["input_tokens"]
        shown = [
            {"input": self.speaker.cut(one["input"], most), "answer": one["said"], "passages": _joined(passages)}
            for one, passages in zip(rows, found, strict=True)
        ]
        return shown[: self.how["shots"]][::-1]

    def _rests(self, one: dict[str, Any], found: Sequence[Passage]) -> bool:
        """Whether an answer stands by itself, or is borne out by the passages."""
        own, tells = [passage for passage in found if passage.document in one["documents"]], self.how["rests_on"]
        texts = self._plain(passage.text for passage in (own if one["own"] else found))
        held = any(answer in text for answer in self._plain(one["accepted"]) if answer.strip() for text in texts)
        return one["stands"] or ("names" in tells and bool(own)) or ("holds" in tells and held)

    def _plain(self, texts: Iterable[str]) -> list[str]:
        return [" ".join(["", *re.findall(self.how["plain"], _composed(text).casefold()), ""]) for text in texts]

    def _nearest(self, text: str, most: int) -> list[tuple[int, float]]:
        scores, found = self.near.search(self.embed([text]), min(most, len(self.examples)))
        return [(place, mark) for place, mark in zip(found[0].tolist(), scores[0].tolist(), strict=True) if place >= 0]

    def _with_votes(self, shares: list[float], text: str) -> list[float]:
        """The labels' shares with the votes of the nearest examples and of the labels' own words, and what is added to each."""
        votes, labels = self.how["votes"], self.asked["labels"]
        if not votes:
            return shares
        named = zip(labels, (self.embed([text])[0] @ self.named.T).tolist(), strict=True)
        near = ((self.examples[place]["output"], mark) for place, mark in self._nearest(text, votes["voters"]))
        hits = sorted([*near, *named], key=lambda hit: -hit[1])[: votes["voters"]]
        marks = dict.fromkeys(labels, 0.0)
        for label, mark in (hit for hit in hits if hit[0] in marks):
            marks[label] += math.exp(votes["sharpness"] * (mark - hits[0][1]))
        total = sum(marks.values())
        voted = [marks[label] / total if total else 1 / len(labels) for label in labels]
        mixed = zip(shares, voted, votes["added"] or [0.0] * len(labels), strict=True)
        odds = [((1 - votes["weight"]) * own + votes["weight"] * vote) * math.exp(more) for own, vote, more in mixed]
        return [each / sum(odds) for each in odds]

    # ------------------------------------------------------------ reading off

    def _read(self, prompt: list[int], found: list[Passage]) -> tuple[str, float, tuple[dict[str, Any], ...]]:
        """The run of words of the passages that is the likeliest answer, or one that stands by itself."""
        how, places = self.how["reading"], [passage.place for passage in found]
        form = json.loads(self.asked["schema"] or "{}").get("pattern", ".*")
        runs = {text: run for text, run in _runs(found, how).items() if regex.fullmatch(form, text)}
        for size in (1, 2):
            heads = sorted({heads[size - 1] for _, heads in runs.values() if len(heads) >= size}) or [NOTHING]
            ranked = sorted(zip(self._scores(prompt, heads), heads, strict=True), reverse=True)
            best = {head for _, head in ranked[: how["beginnings"]]}
            runs = {text: run for text, run in runs.items() if len(run[1]) < size or run[1][size - 1] in best}
        scores = self._scores(prompt, [*runs, *how["standing"]], ended=True)
        own, others, quote = scores[: len(runs)], [score + how["bonus"] for score in scores[len(runs) :]], ""
        options = list(zip(others, how["standing"], strict=True))
        if runs:
            score, text = max(zip(own, runs, strict=True), key=lambda pair: pair[0])
            place, start, end = runs[text][0]
            begin = found[place].end - len(found[place].text)
            heading = found[place].start - begin
            if how["sentence"]:
                start, end = _reading().sentence(found[place].text, (start, end), how["ended"], max(0, heading))
            options.append((score, quote := found[place].text[start:end]))
        if not options:
            return "", 0.0, tuple(places)
        top, text = max(options)
        if quote and text == quote and start >= heading >= 0:
            places[place] |= {"start": begin + start, "end": begin + end}
        whole = math.log(sum(math.exp(score - top) for score in [*own, *others]))
        return text, math.exp(min(0.0, -whole)), tuple(places)

    def _scores(self, prompt: list[int], texts: list[str], ended: bool = False) -> list[float]:
        end = [self.speaker.end] * ended
        return list(self.speaker.scores(prompt, [[*self.speaker.answer(text), *end] for text in texts]))


def _joined(found: Sequence[Passage]) -> str:
    return "".join(f"{passage.text.strip()}\n\n" for passage in found)


def _runs(found: Sequence[Passage], how: dict[str, Any]) -> dict[str, tuple[tuple[int, int, int], tuple[str, ...]]]:
    """Every run of so many words: where it stands (passage, start, end), and its first word and first two."""
    runs: dict[str, tuple[tuple[int, int, int], tuple[str, ...]]] = {}
    within = _reading().runs
    for place, passage in enumerate(found):
        for start, end, heads in within(passage.text, how["words"], how["spaced"], how["edge"], how["kept"]):
            if "\n" not in passage.text[start:end]:
                runs.setdefault(passage.text[start:end], ((place, start, end), heads))
    return runs


@cache
def _reading() -> Any:
    """`reading.py` of the same folder: which runs of words there are, and which versions are asked for."""
    found = importlib.util.spec_from_file_location("reading", path := Path(__file__).with_name("reading.py"))
    if found is None or found.loader is None or not path.is_file():
        raise SystemExit(f"{path} is missing: it belongs to this program.")
    module = importlib.util.module_from_spec(found)
    found.loader.exec_module(module)
    return module


# ---------------------------------------------------------------- a search by hand


def main() -> None:
    _reading().speak_utf8()
    options = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    options.add_argument("question")
    options.add_argument("--index", required=True, help="The folder of the index.")
    options.add_argument("--embedder", required=True, help="The embedder that it was made with: a folder or a hub id.")
    options.add_argument("--reranker", default="", help="A cross-encoder, which reads what was found.")
    options.add_argument("--passages", type=int, default=3, help="How many are wanted (3).")
    given = options.parse_args()
    from sentence_transformers import SentenceTransformer

    model, ranking = (_reading().placed(each) if "@" in each else each for each in (given.embedder, given.reranker))
    refuse_pickles(model)
    encoder = SentenceTransformer(model, device="cpu", trust_remote_code=False, model_kwargs={"use_safetensors": True})

    def embed(texts: list[str], lead: str | None = None) -> Any:
        return encoder.encode(texts, prompt=lead, normalize_embeddings=True, show_progress_bar=False).astype("float32")

    index = Index(Path(given.index), embed, reranking(ranking))
    for passage in index.find(given.question, given.passages, "reranked" if given.reranker else "hybrid"):
        shown = {**passage.place, "similarity": round(passage.score, 4), "text": passage.quote}
        sys.stdout.write(json.dumps(shown, ensure_ascii=False) + "\n")


if __name__ == "__main__":
    main()
