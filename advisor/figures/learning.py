"""What an approach reaches with fewer examples, how far samples differ, and what more would bring, as lines and a table."""

from __future__ import annotations

from collections.abc import Sequence

from advisor.drawn import LineChart, Series, Table
from advisor.material import Material
from advisor.wording import metric_name, percent, plain_percent, start
from benchmarks.contract import Benchmark, Evaluation
from benchmarks.learning import CurvePoint
from benchmarks.probes.curve import FURTHEST, bracket

_EXPECTED = (
    "Expected: by three laws of growth, each weighted by how well it predicts the last figure from those before. The range "
    "allows for other cases, for how samples of one size differ, and for how far off the laws were there. Of such ranges for "
    "twice the examples about 8 in 10 held the figure that came, for approaches without a language model; where one is trained "
    "this was not measured."
)


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
        title=_title(series, material),
        across="examples",
        upwards=metric_name(material.benchmark.metric.name),
        series=series,
        goal=None if target is None else (target, f"target {plain_percent(target)}"),
        ticks=tuple(sizes),
        table=curve_table(material),
    )


def _title(series: Sequence[Series], material: Material) -> str:
    ahead = [each for each in series if each.expected]
    if not ahead:
        best = max(series, key=lambda each: each.points[-1][1])
        (few, least), (many, most) = best.points[0], best.points[-1]
        return (
            f"{start(best.name)} reaches {percent(least)} with {few:,.0f} examples and {percent(most)} with {many:,.0f}"
        )
    furthest = max(ahead, key=lambda each: each.expected[-1][2])
    low, high = furthest.expected[-1][1:]
    asked = len(points_of(material.evaluations[furthest.name])[-1].scores[0])
    some = f" on {asked:,} of the cases" if asked < len(material.benchmark.heldout) else ""
    return f"With four times the examples {furthest.name} would probably reach {percent(low)} to {percent(high)}{some}"


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


def curve_table(material: Material) -> Table:
    """One row for each candidate that was measured with fewer examples; empty where none was."""
    found = learning(material)
    if not found:
        return Table(title="What more examples would bring", columns=("approach",), rows=())
    sizes = [point.examples for point in points_of(found[0])]
    ahead = [factor * sizes[-1] for factor in (2, FURTHEST) if foretold(found[0])]
    rows = [
        (
            each.candidate,
            *(percent(point.figure) for point in points_of(each)),
            *(_range(low, high) for _, low, high in expected(each)),
        )
        for each in found
    ]
    first = points_of(found[0])[0].scores
    asked = sorted({len(points_of(each)[0].scores[0]) for each in found})
    more = f" (all {asked[-1]:,} where no language model answers)" if len(asked) > 1 else ""
    beyond = _EXPECTED if foretold(found[0]) else f"What more would bring is not told: {untold(material.benchmark)}."
    return Table(
        title="What more examples would bring",
        columns=("approach", *(f"{size:,} examples" for size in sizes), *(f"{number:,}, expected" for number in ahead)),
        rows=tuple(rows),
        note=(
            f"The chosen configuration built from fewer examples, on the same {asked[0]:,} held-out cases{more}; where it is not "
            f"built from all of them, the mean of {len(first)} samples. {beyond}"
        ),
        numeric=tuple(range(1, len(sizes) + len(ahead) + 1)),
    )


def foretold(each: Evaluation) -> bool:
    """Whether the laws of growth hold for its figure: they are of mean scores."""
    return not each.over_rows


def untold(benchmark: Benchmark) -> str:
    """Why they do not, as a clause."""
    return f"the laws of growth are of mean scores, and {metric_name(benchmark.metric.name)} exists only over all cases together"


def expected(each: Evaluation) -> list[tuple[int, float, float]]:
    """(examples, low, high) beyond those at hand; empty where it was not measured with fewer, or where nothing is foretold."""
    points = points_of(each)
    if not points or not foretold(each):
        return []
    now, figure = points[-1].examples, points[-1].figure
    return [(factor * now, *bracket(points, figure, factor * now)) for factor in (2, FURTHEST)]


def learning(material: Material) -> list[Evaluation]:
    """The candidates that were measured with fewer examples too."""
    return [each for status in material.suitable if (each := material.evaluations[status.candidate]).curve is not None]


def points_of(evaluation: Evaluation) -> Sequence[CurvePoint]:
    return () if evaluation.curve is None else evaluation.curve.points


def _range(low: float, high: float) -> str:
    """`61-70 %`."""
    return f"{percent(low).split()[0]}-{percent(high)}" if percent(low) != percent(high) else percent(low)
