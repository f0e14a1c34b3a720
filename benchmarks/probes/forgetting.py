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

    The logarithm of the ratio is one of sums, with texts as clusters, so its interval is that of a ratio estimator with a
    t quantile (Cochran, Sampling Techniques, 6.3).
    """
    from scipy import special

    if len(drifts) < 2:
        return None
    count, tokens = len(drifts), sum(each["tokens"] for each in drifts)
    before, after = (sum(each[name] for each in drifts) / tokens for name in ("base", "tuned"))
    lost = after - before
    away = [each["tuned"] - each["base"] - lost * each["tokens"] for each in drifts]
    error = math.sqrt(count / (count - 1) * sum(value**2 for value in away)) / tokens
    reach = float(special.stdtrit(count - 1, 0.975)) * error
    return Forgetting(
        texts=count,
        tokens=tokens,
        before=math.exp(before),
        after=math.exp(after),
        ratio=math.exp(lost),
        lower=math.exp(lost - reach),
        upper=math.exp(lost + reach),
        divergence=sum(each["divergence"] for each in drifts) / tokens,
        same=sum(each["same"] for each in drifts) / tokens,
        general=general_answers(general or {}),
    )
