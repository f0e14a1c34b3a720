"""RAFT by hand in TRL: a LoRA adapter that learns to answer with passages before it, wrong ones among them.

    python trl_raft.py WORK.json FOUND.json

As in the paper (arXiv 2403.10131) a fifth of the examples is taught with passages that do not hold the answer, the others with
one that does among distractors, in a random order; the answers are taught alone, without reasoning, which nobody wrote down.
Passages are looked up by their embeddings. The rate is chosen with two passages, then how many are shown, both by the loss on
examples that are kept apart, with the passages that a search finds for them; of one passage there are no distractors beside it.
"""

from __future__ import annotations

import json
import os
import random
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from trl_lora import loss_of, losses_of, trained_and_asked  # type: ignore[import-not-found]

DEPTHS, WORDS, POOL = (1, 2, 3), 100, 20
"""Passages shown with each question; words of a passage; passages that distractors are taken from."""
WITHOUT = 0.2
"""Share of the examples that are taught without a passage that holds the answer."""


def main() -> None:
    os.environ["HF_HUB_OFFLINE"] = "1"
    os.environ["TOKENIZERS_PARALLELISM"] = "false"
    work = json.loads(Path(sys.argv[1]).read_text(encoding="utf-8"))
    texts, owners = cut(work["documents"])
    start = time.perf_counter()
    passages = [[(texts[place], owners[place]) for place in places] for places in searched(work, texts)]
    lessons = {depth: work | shown(work, passages, depth) for depth in DEPTHS}
    rates = losses_of(lessons[DEPTHS[1]])
    rate = min(rates, key=rates.__getitem__)
    losses = {depth: rates[rate] if depth == DEPTHS[1] else loss_of(each, rate) for depth, each in lessons.items()}
    depth = min(losses, key=losses.__getitem__)
    choosing = time.perf_counter() - start
    done = trained_and_asked(lessons[depth] | {"losses": rates}, Path(sys.argv[2]).parent / "adapter")
    done["seconds"]["fitting"] += choosing
    done["settings"] |= {
        "passages": depth,
        "losses by passages": {str(depth): round(loss, 4) for depth, loss in losses.items()},
        "words": WORDS,
        "taught without": WITHOUT,
    }
    Path(sys.argv[2]).write_text(json.dumps(done), encoding="utf-8")


def shown(work: dict[str, Any], passages: Sequence[Sequence[tuple[str, str]]], depth: int) -> dict[str, Any]:
    """What is taught, the same examples as they are asked, and what is asked, each with so many passages."""
    dice = random.Random(work["seed"])
    examples = work["examples"]

    def asked(question: str, found: Sequence[tuple[str, str]]) -> list[dict[str, str]]:
        return messages(work, question, [text for text, _ in found[:depth]])

    return {
        "rows": [
            (messages(work, case["input"], taught(case, found, depth, dice)), case["output"])
            for case, found in zip(examples, passages, strict=False)
        ],
        "judged": [
            (asked(case["input"], found), case["output"]) for case, found in zip(examples, passages, strict=False)
        ],
        "asked": [
            asked(case["input"], found) for case, found in zip(work["heldout"], passages[len(examples) :], strict=True)
        ],
    }


def cut(documents: Sequence[dict[str, str]]) -> tuple[list[str], list[str]]:
    """Passages of so many words with their title in front, and the document of each."""
    texts, owners = [], []
    for document in documents:
        words = document["text"].split()
        for first in range(0, max(1, len(words)), WORDS):
            texts.append(f"{document['title']}\n{' '.join(words[first : first + WORDS])}".strip())
            owners.append(document["id"])
    return texts, owners


def searched(work: dict[str, Any], texts: Sequence[str]) -> list[list[int]]:
    """The nearest passages of each example and of each held-out case, the nearest first."""
    import numpy as np
    from sentence_transformers import SentenceTransformer

    embedder = SentenceTransformer(work["embedder"], device="cpu")
    table = embedder.encode(list(texts), normalize_embeddings=True)
    questions = [case["input"] for case in (*work["examples"], *work["heldout"])]
    scores = embedder.encode(questions, normalize_embeddings=True) @ table.T
    nearest: list[list[int]] = np.argsort(-scores, axis=1)[:, :POOL].tolist()
    return nearest


def taught(case: dict[str, Any], passages: Sequence[tuple[str, str]], depth: int, dice: random.Random) -> list[str]:
    """What stands before an example: a passage of its document that holds an answer, or none, and distractors."""
    answers = [answer.casefold() for answer in case["accepted"]]
    gold = [
        text
        for text, owner in passages
        if owner in case["document_ids"] and any(answer in text.casefold() for answer in answers)
    ]
    others = [text for text, owner in passages if owner not in case["document_ids"]]
    held = gold[:1] if dice.random() >= WITHOUT else []
    before = [*held, *others[: depth - len(held)]]
    dice.shuffle(before)
    return before


def messages(work: dict[str, Any], question: str, passages: Sequence[str]) -> list[dict[str, str]]:
    text = "\n\n".join([*passages, question])
    return [{"role": "system", "content": work["instruction"]}, {"role": "user", "content": text}]


if __name__ == "__main__":
    main()
