"""RAFT by hand in TRL: a LoRA adapter that learns to answer with passages before it, wrong ones among them.

    python trl_raft.py WORK.json FOUND.json

As in the paper (arXiv 2403.10131) a fifth of the examples is taught with passages that do not hold the answer, the others with
one that does among distractors, in a random order; the answers are taught alone, without reasoning, which nobody wrote down.
Passages are looked up by their embeddings.
"""

from __future__ import annotations

import json
import os
import random
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from trl_lora import trained_and_asked  # type: ignore[import-not-found]

PASSAGES, WORDS, POOL = 3, 100, 20
"""Shown with each question; words of a passage; passages that distractors are taken from."""
WITHOUT = 0.2
"""Share of the examples that are taught without a passage that holds the answer."""
EPOCHS = 2


def main() -> None:
    os.environ["HF_HUB_OFFLINE"] = "1"
    os.environ["TOKENIZERS_PARALLELISM"] = "false"
    work = json.loads(Path(sys.argv[1]).read_text(encoding="utf-8"))
    texts, owners = cut(work["documents"])
    found = searched(work, texts)
    dice = random.Random(work["seed"])
    shown = [
        taught(case, [(texts[place], owners[place]) for place in places], dice)
        for case, places in zip(work["examples"], found, strict=False)
    ]
    rows = [
        (messages(work, case["input"], passages), case["output"])
        for case, passages in zip(work["examples"], shown, strict=True)
    ]
    asked = [
        messages(work, case["input"], [texts[place] for place in places[:PASSAGES]])
        for case, places in zip(work["heldout"], found[len(rows) :], strict=True)
    ]
    folder = Path(sys.argv[2]).parent / "adapter"
    done = trained_and_asked({**work, "rows": rows, "asked": asked, "epochs": EPOCHS}, folder)
    done["settings"] |= {"passages": PASSAGES, "words": WORDS, "taught without": WITHOUT}
    Path(sys.argv[2]).write_text(json.dumps(done), encoding="utf-8")


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


def taught(case: dict[str, Any], passages: Sequence[tuple[str, str]], dice: random.Random) -> list[str]:
    """What stands before an example: a passage of its document that holds an answer, or none, and distractors."""
    answers = [answer.casefold() for answer in case["accepted"]]
    gold = [
        text
        for text, owner in passages
        if owner in case["document_ids"] and any(answer in text.casefold() for answer in answers)
    ]
    others = [text for text, owner in passages if owner not in case["document_ids"]]
    held = gold[:1] if dice.random() >= WITHOUT else []
    shown = [*held, *others[: PASSAGES - len(held)]]
    dice.shuffle(shown)
    return shown


def messages(work: dict[str, Any], question: str, passages: Sequence[str]) -> list[dict[str, str]]:
    text = "\n\n".join([*passages, question])
    return [{"role": "system", "content": work["instruction"]}, {"role": "user", "content": text}]


if __name__ == "__main__":
    main()
