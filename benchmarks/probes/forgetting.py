"""What tuning cost elsewhere: how the tuned model reads general text, beside its base, with an interval over the texts."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from functools import cache
from importlib.resources import files
from typing import Any

from benchmarks.checked import Forgetting
from benchmarks.probes.general import general_answers


@cache
def general_texts() -> tuple[str, ...]:
    """Short passages on many things and in many forms, written for this product."""
    text = (files("benchmarks.probes") / "general_text.txt").read_text(encoding="utf-8")
    return tuple(text.strip().split("\n\n"))


def forgetting(drifts: Sequence[Mapping[str, Any]], general: Mapping[str, Any] | None = None) -> Forgetting | None:
    """From the sums of each text (`strategies.finetuning.drift.Drift` as plain values) and what was noted of everyday prompts;
    None for fewer than two texts.

    The logarithm of the ratio is one of sums, as are the divergence and the share of equal tokens, with texts as clusters.
    """
    if len(drifts) < 2:
        return None
    tokens = [each["tokens"] for each in drifts]
    before, after = (sum(each[name] for each in drifts) / sum(tokens) for name in ("base", "tuned"))
    lost, reach = _a_token([each["tuned"] - each["base"] for each in drifts], tokens)
    divergence, far = _a_token([each["divergence"] for each in drifts], tokens)
    same, around = _a_token([each["same"] for each in drifts], tokens)
    return Forgetting(
        texts=len(drifts),
        tokens=sum(tokens),
        before=math.exp(before),
        after=math.exp(after),
        ratio=math.exp(lost),
        lower=math.exp(lost - reach),
        upper=math.exp(lost + reach),
        divergence=divergence,
        same=same,
        general=general_answers(general or {}),
        divergence_within=(max(0.0, divergence - far), divergence + far),
        same_within=(max(0.0, same - around), min(1.0, same + around)),
    )


def _a_token(sums: Sequence[float], tokens: Sequence[int]) -> tuple[float, float]:
    """What falls to a token of the sums over texts, and how far its 95 % interval reaches to either side: that of a ratio
    estimator with a t quantile (Cochran, Sampling Techniques, 6.3)."""
    from scipy import special

    count, every = len(sums), sum(tokens)
    mean = sum(sums) / every
    away = [each - mean * size for each, size in zip(sums, tokens, strict=True)]
    error = math.sqrt(count / (count - 1) * sum(value**2 for value in away)) / every
    return mean, float(special.stdtrit(count - 1, 0.975)) * error
