"""What an approach reaches with fewer examples, how far samples differ, and what more would bring, as lines."""

from __future__ import annotations

from advisor.drawn import LineChart, Series
from advisor.material import Material
from advisor.more_data import curve_table, expected, learning, mean
from advisor.wording import metric_name, percent, plain_percent
from benchmarks.checked import CurvePoint
from benchmarks.contract import Evaluation


def learning_curves(material: Material) -> LineChart | None:
    """None where no candidate was measured with fewer examples."""
    found = [each for each in learning(material) if each.curve is not None and len(each.curve.points) > 1]
    if not found:
        return None
    places = {status.candidate: place for place, status in enumerate(material.suitable)}
    series = tuple(_series(each, places[each.candidate]) for each in found)
    sizes = sorted({x for each in series for x, _ in each.points} | {x for each in series for x, _, _ in each.expected})
    furthest = max(series, key=lambda each: each.expected[-1][2])
    low, high = furthest.expected[-1][1:]
    target = material.benchmark.target
    return LineChart(
        title=f"With four times the examples {furthest.name} would probably reach {percent(low)} to {percent(high)}",
        across="examples",
        upwards=metric_name(material.benchmark.metric.name),
        series=series,
        goal=None if target is None else (target, f"target {plain_percent(target)}"),
        ticks=tuple(sizes),
        table=curve_table(material),
    )


def _series(each: Evaluation, place: int) -> Series:
    points: tuple[CurvePoint, ...] = each.curve.points if each.curve else ()
    means = tuple((float(point.examples), mean(point.scores)) for point in points)
    samples = [(point.examples, [mean([row]) for row in point.scores]) for point in points if len(point.scores) > 1]
    now, figure = means[-1]
    return Series(
        name=each.candidate,
        points=means,
        colour=place,
        ranges=tuple((float(size), min(row), max(row)) for size, row in samples),
        expected=((now, figure, figure), *((float(size), low, high) for size, low, high in expected(each))),
    )
