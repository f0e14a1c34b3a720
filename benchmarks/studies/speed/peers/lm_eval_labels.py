"""Scores every label of every case with lm-evaluation-harness, and says how long it took.

A plain script for the Python of lm-evaluation-harness; it imports nothing of ours but `lines.py` beside it.

    python lm_eval_labels.py WORK.json

It loads the model and prints a line of JSON, `{"ready": ...}`. Each line of standard input is then answered with one
repetition of the work and its line of JSON. Everything else that is printed goes to standard error.

The batch size is the quickest on the first two cases of the four that are tried, as far as memory goes. The harness's
own "auto" is no choice on a CPU: before every call it spends five forward passes of its largest batch on finding out
whether an accelerator's memory holds it.
"""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any

from lines import protected_output, say  # type: ignore[import-not-found]

BATCH_SIZES = (8, 16, 32, 77)
WARM_UP_CASES = 2
PACKAGES = ("lm_eval", "torch", "transformers", "tokenizers")


def main() -> None:
    output = protected_output()
    os.environ["HF_HUB_OFFLINE"] = "1"
    work = json.loads(Path(sys.argv[1]).read_text(encoding="utf-8"))
    model = load(work)
    requests = requests_of(work["cases"])
    rates = tune(model, requests[: sum(len(case["labels"]) for case in work["cases"][:WARM_UP_CASES])])
    say(output, {"ready": {"versions": {name: version(name) for name in PACKAGES}, "settings": settings(model, rates)}})
    tokens = sum(len(model.tok_encode(prompt + label)) for prompt, label in (each.args for each in requests))
    for _ in sys.stdin:
        seconds, scores = timed(model, requests)
        say(output, {"seconds": seconds, "tokens": tokens, **result(work["cases"], scores)})


def load(work: dict[str, Any]) -> Any:
    """The harness's adapter of a Hugging Face model."""
    import torch
    from lm_eval.models.huggingface import HFLM  # type: ignore[import-not-found]

    torch.set_num_threads(work["threads"])
    return HFLM(pretrained=work["model"], device="cpu", dtype=work["dtype"], batch_size=BATCH_SIZES[0])


def requests_of(cases: Sequence[dict[str, Any]]) -> list[Any]:
    """One request for each label of each case, as the harness's multiple-choice tasks build them."""
    from lm_eval.api.instance import Instance  # type: ignore[import-not-found]

    return [
        Instance(request_type="loglikelihood", doc={}, arguments=(case["prompt"], label), idx=place)
        for case in cases
        for place, label in enumerate(case["labels"])
    ]


def timed(model: Any, requests: Sequence[Any]) -> tuple[float, list[float]]:
    """Seconds, and the log-likelihood of each request."""
    start = time.perf_counter()
    answers = model.loglikelihood(requests, disable_tqdm=True)
    return time.perf_counter() - start, [float(likelihood) for likelihood, _ in answers]


def tune(model: Any, requests: Sequence[Any]) -> dict[int, float]:
    """Sets the quickest batch size; returns requests a second for each one."""
    timed(model, requests[: BATCH_SIZES[0]])
    rates = {}
    for size in fitting(model, requests):
        model.batch_size_per_gpu = size
        rates[size] = len(requests) / timed(model, requests)[0]
    model.batch_size_per_gpu = max(rates, key=lambda size: rates[size])
    return rates


def fitting(model: Any, requests: Sequence[Any]) -> list[int]:
    """The batch sizes that half of the free memory can hold; the smallest in any case.

    The harness has the scores of the whole vocabulary at every position of a batch, and their logarithms beside them.
    """
    longest = max(len(model.tok_encode("".join(each.args))) for each in requests)
    row = 2 * longest * model.model.config.vocab_size * model.model.dtype.itemsize
    free = os.sysconf("SC_AVPHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    return [size for size in BATCH_SIZES if size * row <= free / 2] or [min(BATCH_SIZES)]


def settings(model: Any, rates: dict[int, float]) -> dict[str, Any]:
    import torch

    return {
        "batch_size": model.batch_size_per_gpu,
        "requests_per_second": {str(size): round(rate, 2) for size, rate in rates.items()},
        "dtype": str(model.model.dtype),
        "threads": torch.get_num_threads(),
        "attention": model.model.config._attn_implementation,
        "logits_cache": model.logits_cache,
        "tokens": "prompt and label of every request, without padding",
        "scores": "with the blank end of a prompt, which the harness counts to each label; rounded by its dtype",
    }


def result(cases: Sequence[dict[str, Any]], scores: Sequence[float]) -> dict[str, Any]:
    """How many cases there are, how many were right, and the scores of each."""
    rows, place = [], 0
    for case in cases:
        rows.append([round(score, 4) for score in scores[place : place + len(case["labels"])]])
        place += len(case["labels"])
    right = sum(row.index(max(row)) == case["gold"] for case, row in zip(cases, rows, strict=True))
    return {"cases": len(cases), "right": right, "scores": rows}


if __name__ == "__main__":
    main()
