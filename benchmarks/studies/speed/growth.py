"""How our own seconds grow: with the cases, the labels, the length of the prompt and the chunks of an index."""

from __future__ import annotations

import math
import random
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

from benchmarks.studies.speed import measures
from benchmarks.studies.speed.measures import Measure
from benchmarks.studies.speed.work import Work
from strategies.contract import Document, Message, Prompt

if TYPE_CHECKING:
    from benchmarks.studies.speed.turns import Turns

TABLE = "growth"
CASES, LABELS = (10, 30, 100, 300), (2, 10, 30, 77, 150)
PROMPT_TOKENS, CHUNKS = (64, 128, 256, 512, 1024, 1536), (1_000, 10_000, 100_000)
WITH_LABELS, WITH_LENGTH, CHUNK_WORDS = 60, 12, 12

Timed = tuple[int, Callable[[], Any]]


@dataclass(frozen=True)
class Part:
    """One thing that grows. `repeats` turns of each size; `linear` says that twice as much may take twice as long."""

    name: str
    sizes: Sequence[int]
    work: Callable[[], Iterator[Timed]]
    repeats: int = 3


def measure(turns: Turns) -> None:
    """Measures what the newest session of a part lacks."""
    for part in parts():
        found = measures.figures(measures.read(turns.rows), TABLE, part.name)
        if all(len(found[str(size)].measures) >= part.repeats for size in part.sizes if str(size) in found) and found:
            turns.say(f"{TABLE}, {part.name}: done before")
            continue
        session = measures.session()
        prepared = list(part.work())
        prepared[0][1]()
        for _ in range(part.repeats):
            for size, work in prepared:
                start = time.perf_counter()
                work()
                seconds = time.perf_counter() - start
                kept = Measure(
                    table=TABLE,
                    task=part.name,
                    who=str(size),
                    session=session,
                    seconds=seconds,
                    amount=size,
                    unit=part.name,
                )
                measures.add(kept, turns.rows)
                turns.say(f"{TABLE}, {size:,} {part.name}: {seconds:.2f} s")


def parts() -> list[Part]:
    return [
        Part("cases", CASES, _cases),
        Part("labels", LABELS, _labels),
        Part("prompt tokens", PROMPT_TOKENS, _prompt_tokens),
        Part("chunks", CHUNKS, _chunks, repeats=1),
    ]


def slope(sizes: Sequence[float], seconds: Sequence[float]) -> float:
    """Least squares in logarithms: 1 is linear, 0 is no growth."""
    x, y = [math.log(size) for size in sizes], [math.log(value) for value in seconds]
    middle_x, middle_y = sum(x) / len(x), sum(y) / len(y)
    above = sum((a - middle_x) * (b - middle_y) for a, b in zip(x, y, strict=True))
    return above / sum((a - middle_x) ** 2 for a in x)


# ---------------------------------------------------------------- what grows


def _cases() -> Iterator[Timed]:
    work = Work.on("banking77")
    prompts, names = _asked(work, max(CASES))
    for size in CASES:
        yield size, partial(_score, work, prompts[:size], names)


def _labels() -> Iterator[Timed]:
    """The 77 labels, and the same ones with a word more."""
    work = Work.on("banking77")
    prompts, names = _asked(work, WITH_LABELS)
    names = [*names, *(f"{name} again" for name in names)]
    for size in LABELS:
        yield size, partial(_score, work, prompts, names[:size])


def _prompt_tokens() -> Iterator[Timed]:
    """Prompts that share nothing but their frame."""
    work, words = Work.on("banking77"), _words()
    dice = random.Random(0)
    _, names = _asked(work, 1)
    for size in PROMPT_TOKENS:
        texts = [work.model.cut(" ".join(dice.choices(words, k=size)), size) for _ in range(WITH_LENGTH)]
        prompts: list[Prompt] = [(Message("user", text),) for text in texts]
        yield size, partial(_score, work, prompts, names[:10])


def _chunks() -> Iterator[Timed]:
    """Building an index over short texts and asking it a hundred times. Each time texts of its own: an embedder remembers."""
    from advisor.experiments.comparison import prepare
    from strategies.retrieval.index import PassageIndex

    embedder, words, dice = prepare("banking77").models.embedder, _words(), random.Random(0)

    def build(size: int) -> None:
        texts = [" ".join(dice.choices(words, k=CHUNK_WORDS)) for _ in range(size)]
        documents = [Document(id=str(place), title="", text=text) for place, text in enumerate(texts)]
        PassageIndex.build(documents, embedder).search(texts[:100], 3)

    for size in CHUNKS:
        yield size, partial(build, size)


def _score(work: Work, prompts: Sequence[Prompt], names: Sequence[str]) -> None:
    for _ in work.model.score_labels(prompts, [names] * len(prompts)):
        pass


def _asked(work: Work, cases: int) -> tuple[list[Prompt], Sequence[str]]:
    from strategies.prompting.rendering import Form, Renderer

    renderer = Renderer.of(work.benchmark.task, Form())
    return [renderer.request(case.input) for case in work.benchmark.heldout[:cases]], renderer.words.words


def _words() -> list[str]:
    """Words of real text, those of the passages of nq_open_oracle."""
    documents = Work.on("nq_open_oracle").benchmark.task.documents
    return sorted({word for document in documents for word in document.text.split() if word.isalpha()})
