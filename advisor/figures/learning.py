"""What an approach reaches with fewer examples, how far samples differ, and what more would bring, as lines."""

from __future__ import annotations

from collections.abc import Sequence

from advisor.drawn import LineChart, Series
from advisor.material import Material
from advisor.story.more_data import curve_table, expected, learning
from advisor.wording import metric_name, percent, plain_percent, start
from benchmarks.contract import Evaluation
from benchmarks.learning import CurvePoint


def learning_curves(material: Material) -> LineChart | None:
    """None where no candidate was measured with fewer examples."""
    found = [each for each in learning(material) if each.curve is not None and len(each.curve.points) > 1]
    if not found:
        return None
    places = {status.candidate: place for place, status in enumerate(material.suitable)}
    series = tuple(_series(each, places[each.candidate]) for each in found)
    sizes = sorted({x for each in series for x, _ in each.points} | {x for each in series for x, _, _ in each.expected})
    target = material.benchmark.target
    return LineChart(
        title=_title(series),
        across="examples",
        upwards=metric_name(material.benchmark.metric.name),
        series=series,
        goal=None if target is None else (target, f"target {plain_percent(target)}"),
        ticks=tuple(sizes),
        table=curve_table(material),
    )


def _title(series: Sequence[Series]) -> str:
    ahead = [each for each in series if each.expected]
    if not ahead:
        best = max(series, key=lambda each: each.points[-1][1])
        (few, least), (many, most) = best.points[0], best.points[-1]
        return (
            f"{start(best.name)} reaches {percent(least)} with {few:,.0f} examples and {percent(most)} with {many:,.0f}"
        )
    furthest = max(ahead, key=lambda each: each.expected[-1][2])
    low, high = furthest.expected[-1][1:]
    return f"With four times the examples {furthest.name} would probably reach {percent(low)} to {percent(high)}"


def _series(each: Evaluation, place: int) -> Series:
    points: tuple[CurvePoint, ...] = each.curve.points if each.curve else ()
    means = tuple((float(point.examples), point.figure) for point in points)
    samples = [(point.examples, point.figures) for point in points if len(point.scores) > 1]
    now, figure = means[-1]
    ahead = tuple((float(size), low, high) for size, low, high in expected(each))
    return Series(
        name=each.candidate,
        points=means,
        colour=place,
        ranges=tuple((float(size), min(row), max(row)) for size, row in samples),
        expected=((now, figure, figure), *ahead) if ahead else (),
    )
