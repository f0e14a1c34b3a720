"""The paired differences as a forest: how far the one that is told of lies above or below each other on the same cases."""

from __future__ import annotations

from typing import Literal

from advisor.contract import Difference
from advisor.decision.bounds import BY_CHANCE
from advisor.drawn import Estimate, Forest
from advisor.material import Material
from advisor.wording import listed, metric_name, points


def differences(material: Material) -> Forest | None:
    """None where nothing was compared."""
    found = material.recommendation.differences
    if not found:
        return None
    firsts = {each.first for each in found}
    one = found[0].first if len(firsts) == 1 else ""
    metric = material.benchmark.metric
    single = metric.over_rows
    title = _title(one, [_tone(each) for each in found], [each.second for each in found])
    across = f"points by which {one or 'the first'} scores higher"
    if single:  # Which may differ the other way than the metric does.
        title = f"Single answers on the same cases, not the {metric_name(metric.name)} over all"
        across = f"points by which more single answers of {one or 'the first'} are right"
    return Forest(
        title=title,
        across=across,
        unit="points",
        estimates=tuple(
            Estimate(
                name=each.second if one else f"{each.first} against {each.second}",
                value=each.mean,
                lower=each.lower,
                upper=each.upper,
                text=f"{points(each.mean).split()[0]} ({interval(each)})",
                tone="open" if single else _tone(each),
            )
            for each in found
        ),
        zero=0.0,
        sides=("fewer right", "more right") if single else ("worse", "better"),
    )


def interval(each: Difference) -> str:
    """`-2 to +4`, in points."""
    low, high = (f"{whole:+d}" if (whole := round(value * 100)) else "0" for value in (each.lower, each.upper))
    return f"{low} to {high}"


def _tone(each: Difference) -> Literal["above", "below", "open"]:
    """By the test that the report tells of, which an interval at its border need not agree with."""
    if each.p_value > BY_CHANCE:
        return "open"
    return "above" if each.lower > 0 else "below" if each.upper < 0 else "open"


def _title(one: str, tones: list[Literal["above", "below", "open"]], names: list[str]) -> str:
    if not one:
        return "Differences on the same cases"
    parts: list[str] = []
    for tone, words in (
        ("above", "is better than"),
        ("below", "is worse than"),
        ("open", "is not shown to differ from"),
    ):
        which = [name for name, there in zip(names, tones, strict=True) if there == tone]
        if which:
            others = "" if any("other" in part for part in parts) else " others"
            parts.append(f"{words} {listed(which) if len(which) <= 2 else f'{len(which)}{others}'}")
    return f"Compared one by one, {one} {listed(parts)}"
