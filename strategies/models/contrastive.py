"""Trains a sentence embedder so that examples of one label lie together and others apart."""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

BATCH, TEMPERATURE, WARMUP = 64, 0.07, 0.1
"""Examples whose similarities are compared at once; sharpness of these; share of the steps in which the rate rises."""


@dataclass(frozen=True, kw_only=True)
class Lessons:
    """Texts with their labels, in one order, and how often and how fast they are learnt from."""

    texts: Sequence[str]
    labels: Sequence[str]
    epochs: int
    learning_rate: float


def train(module: Any, lessons: Lessons, seed: int) -> int:
    """Trains all weights of a sentence-transformers module in place; returns the tokens that were read.

    The loss is the supervised contrastive one (arXiv 2004.11362); a text alone of its label teaches what it is apart from.
    """
    import torch

    torch.manual_seed(seed)
    batches = list(_batches(lessons, random.Random(seed)))
    module.float()  # Many embedders come in float16, in which the squares that AdamW keeps are 0, and its steps no numbers.
    optimizer = torch.optim.AdamW(module.parameters(), lr=lessons.learning_rate)
    rate = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda step: _share(step, len(batches)))
    module.train()
    tokens = 0
    for places in batches:
        features = _features(module, [lessons.texts[place] for place in places])
        tokens += tokens_of(features)
        vectors = torch.nn.functional.normalize(module(features)["sentence_embedding"], dim=1)
        loss = _loss(vectors, [lessons.labels[place] for place in places])
        if loss is not None:
            loss.backward()
            optimizer.step()
            rate.step()
            optimizer.zero_grad()
    module.eval()
    return tokens


def tokens_of(features: Any) -> int:
    """Of a batch as an embedder takes it; one whose vectors are static pads nothing."""
    mask = features.get("attention_mask")
    return int(features["input_ids"].numel() if mask is None else mask.sum())


def _share(step: int, steps: int) -> float:
    """Of the learning rate: up during the first steps, then down to nothing."""
    rising = (step + 1) / max(1.0, WARMUP * steps)
    return min(1.0, rising) * max(0.0, 1 - step / max(1, steps))


def _batches(lessons: Lessons, dice: random.Random) -> Iterator[list[int]]:
    """Every epoch all examples once, in pairs of one label where there are two left, pairs in a drawn order."""
    by_label: dict[str, list[int]] = {}
    for place, label in enumerate(lessons.labels):
        by_label.setdefault(label, []).append(place)
    for _ in range(lessons.epochs):
        pairs = []
        for members in by_label.values():
            dice.shuffle(members)
            pairs += [members[first : first + 2] for first in range(0, len(members), 2)]
        dice.shuffle(pairs)
        order = [place for pair in pairs for place in pair]
        yield from (order[first : first + BATCH] for first in range(0, len(order), BATCH))


def _features(module: Any, texts: Sequence[str]) -> Any:
    device = next(module.parameters()).device
    return {name: value.to(device) for name, value in module.preprocess(list(texts)).items() if hasattr(value, "to")}


def _loss(vectors: Any, labels: Sequence[str]) -> Any:
    """Mean over the examples that have another of their label in the batch; None where no example has."""
    import torch

    names = {label: number for number, label in enumerate(dict.fromkeys(labels))}
    marks = torch.tensor([names[label] for label in labels], device=vectors.device)
    own = torch.eye(len(labels), dtype=torch.bool, device=vectors.device)
    same = (marks[:, None] == marks[None, :]) & ~own
    counts = same.sum(1)
    if not bool(counts.any()):
        return None
    near = (vectors @ vectors.T / TEMPERATURE).masked_fill(own, float("-inf"))
    shares = near - torch.logsumexp(near, dim=1, keepdim=True)
    sums = shares.masked_fill(~same, 0.0).sum(1)
    return -(sums[counts > 0] / counts[counts > 0]).mean()


def save(module: Any, folder: Path) -> None:
    """An ordinary sentence-transformers folder."""
    module.save_pretrained(str(folder), create_model_card=False, safe_serialization=True)
