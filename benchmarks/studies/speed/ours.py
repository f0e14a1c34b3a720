"""Our side of the speed study: the product's own model, asked and trained through its own protocols."""

from __future__ import annotations

import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from benchmarks.studies.speed.contenders import given, part_of, serve
from strategies.contract import Message, Prompt, Recipe, Sampling, TrainingRow
from strategies.models.device import choose
from strategies.models.local import LocalModel


def prompts_of(messages: Sequence[Sequence[Any]]) -> list[Prompt]:
    return [tuple(Message(role, content) for role, content in turns) for turns in messages]


def labels(model: LocalModel, work: Mapping[str, Any]) -> Mapping[str, Any]:
    cases = work["cases"]
    prompts = prompts_of([case["messages"] for case in cases])
    start = time.perf_counter()
    found = dict(model.score_labels(prompts, [case["labels"] for case in cases]))
    seconds = time.perf_counter() - start
    scores = [found[row].log_likelihoods for row in range(len(cases))]
    best = [max(range(len(row)), key=row.__getitem__) for row in scores]
    right = sum(place == case["gold"] for place, case in zip(best, cases, strict=True))
    rounded = [[round(score, 4) for score in row] for row in scores[:4]]
    return {"seconds": seconds, "cases": len(cases), "right": right, "scores": rounded}


def answers(model: LocalModel, work: Mapping[str, Any]) -> Mapping[str, Any]:
    prompts = prompts_of(work["messages"])
    sampling = Sampling(schema=work.get("schema", ""))
    start = time.perf_counter()
    found = dict(model.generate(prompts, work["max_tokens"], sampling))
    seconds = time.perf_counter() - start
    texts = [found[row].text for row in range(len(prompts))]
    tokens = sum(completion.usage.answer_tokens for completion in found.values())
    return {"seconds": seconds, "cases": len(prompts), "tokens": tokens, "answers": texts}


def training(model: LocalModel, work: Mapping[str, Any]) -> Mapping[str, Any]:
    """One epoch, the loading of the weights and the writing of the adapter included."""
    pairs = zip(prompts_of(work["messages"]), work["rows"], strict=True)
    rows = [TrainingRow(prompt=prompt, answer=answer) for prompt, (_, answer) in pairs]
    recipe = Recipe(learning_rate=work["learning_rate"], rank=work["rank"], alpha=2 * work["rank"], epochs=1)
    with tempfile.TemporaryDirectory() as folder:
        start = time.perf_counter()
        done = model.train(rows, (), recipe, Path(folder) / "adapter", 0)
        seconds = time.perf_counter() - start
    tokens = done.usage[0].prompt_tokens + done.usage[0].answer_tokens
    return {"seconds": seconds, "cases": len(rows), "tokens": tokens, "loss": done.losses[-1]}


def limit(model: LocalModel, work: Mapping[str, Any]) -> Mapping[str, Any]:
    """Matrix products at the model's shape; the tokens a second that 4 FLOPs a weight of the linear layers allow."""
    import torch

    from benchmarks.costs.forecast import matrix_rate

    weights = sum(part.weight.numel() for part in model.parts.decoder.modules() if isinstance(part, torch.nn.Linear))
    rate = matrix_rate(model.placement)
    return {"seconds": 1.0, "tokens": rate / (4 * weights), "flops": rate, "weights": weights}


KINDS = {"labels": labels, "answers": answers, "training": training, "limit": limit}


def small(work: Mapping[str, Any]) -> dict[str, Any]:
    """The first cases of the work, to warm up with."""
    lists = ("cases", "prompts", "messages", "rows")
    return {name: value[:4] if name in lists else value for name, value in work.items()}


def main() -> None:
    from strategies.models.quiet import quiet

    work = given(sys.argv)
    model = LocalModel(
        name="measured", folder=Path(work["model"]), weights_fingerprint="", placement=choose(dtype=work["dtype"])
    )
    kind = KINDS[work["kind"]]
    with quiet():
        kind(model, small(part_of(work, -1)))
        serve({"placement": str(model.placement)}, lambda turn: kind(model, part_of(work, turn)))


if __name__ == "__main__":
    main()
