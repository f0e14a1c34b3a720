"""The drawings of a page: no text of any figure covers another or leaves its frame, and each says in words what it shows."""

from __future__ import annotations

import re
from dataclasses import replace
from itertools import combinations, pairwise
from typing import Any, Literal
from xml.etree import ElementTree as ET

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from advisor.drawn import Cell, Estimate, Forest, LineChart, Picture, Point, Series, Signed, Strip, Table, WinnerMap
from advisor.reports.canvas import SIZE, apart
from advisor.reports.drawing import draw as draw_points
from advisor.reports.forest import draw_forest
from advisor.reports.labels import Box, text_width, wrapped
from advisor.reports.lines import draw_lines
from advisor.reports.scales import Axis, cost_ticks, count_label, step_ticks
from advisor.reports.winner_map import draw_map
from benchmarks.contract import State
from tests.stories import CHOICE, NAMES, figures

NUMBERS = Table(title="numbers", columns=("approach",), rows=())
WIDTHS = st.sampled_from([360, 820])
WORDS = st.text(st.characters(codec="utf-8"), min_size=1, max_size=110)
SHARES = st.floats(0, 1)


def boxes(svg: ET.Element) -> list[tuple[str, Box]]:
    """The box of every text, by the estimate that places are found with."""
    found = []
    for element in svg.iter("text"):
        words, x, y = element.text or "", float(element.get("x", "")), float(element.get("y", ""))
        width = text_width(words, SIZE)
        left = x - {"start": 0.0, "middle": width / 2, "end": width}[element.get("text-anchor", "")]
        found.append((words, Box(left, y - 10, left + width, y + 2)))
    return found


def assert_readable(markup: str, width: int) -> ET.Element:
    svg = ET.fromstring(markup)
    height = float((svg.get("viewBox") or "").split()[3])
    placed = boxes(svg)
    for words, box in placed:
        assert box.left >= -1, words
        assert box.right <= width + 1, words
        assert box.top >= -1, words
        assert box.bottom <= height + 1, words
    for (words, box), (others, other) in combinations(placed, 2):
        assert not box.touches(other), f"{words!r} covers {others!r}"
    for element in svg.iter():
        for name, most in (("x1", width), ("x2", width), ("cx", width), ("y1", height), ("y2", height), ("cy", height)):
            if element.get(name) is not None:
                assert -1 <= float(element.get(name, "")) <= most + 1
    return svg


def spoken(svg: ET.Element) -> str:
    named = {element.get("id"): element.text or "" for element in svg if element.get("id")}
    assert svg.get("role") == "img"
    return " ".join(named[identifier] for identifier in (svg.get("aria-labelledby") or "").split())


# ---------------------------------------------------------------- lines


@st.composite
def line_charts(draw: Any) -> LineChart:
    """Costs by factors or shares, with or without what is expected, stated and met."""
    money = draw(st.booleans())
    low, high = 10.0 ** draw(st.integers(0, 6)), 10.0 ** draw(st.integers(7, 12))
    upwards = st.floats(1e-6, 1e9) if money else SHARES
    series = []
    for colour, name in enumerate(draw(st.lists(WORDS, min_size=1, max_size=12))):
        ends = sorted(draw(st.lists(st.floats(low, high), min_size=1, max_size=5, unique=True)))
        points = tuple((x, draw(upwards)) for x in ends)
        last = points[-1]
        ahead = ((*last, last[1]), (2 * last[0], *sorted((draw(upwards), draw(upwards)))))
        series.append(
            Series(
                name=name,
                points=points,
                colour=colour,
                expected=ahead if draw(st.booleans()) else (),
                note=draw(st.sampled_from(["", "cut short"])),
                quiet=draw(st.booleans()),
            )
        )
    signs = [(draw(st.floats(low, high)), draw(upwards)) for _ in range(draw(st.integers(0, 4)))]
    return LineChart(
        title=draw(WORDS),
        across="requests a month",
        upwards="USD a month",
        series=tuple(series),
        table=NUMBERS,
        unit=draw(st.sampled_from(["USD", "machine s"])) if money else "",
        by_factors=draw(st.booleans()),
        signs=tuple(Signed(x=x, y=y, text="break-even about 12,000") for x, y in signs),
        here=(draw(st.floats(low, high)), "10,000 requests") if draw(st.booleans()) else None,
        goal=(draw(SHARES), "target 80 %") if draw(st.booleans()) and not money else None,
        ticks=tuple(x for x, _ in series[0].points) if draw(st.booleans()) else (),
    )


@settings(max_examples=80, deadline=None)
@given(line_charts(), WIDTHS)
def test_no_text_of_any_lines_covers_another_or_leaves_the_frame(chart: LineChart, width: int) -> None:
    assert_readable(draw_lines(chart, width, "l", chart.series[0].name), width)


@pytest.mark.parametrize("width", [360, 820])
@pytest.mark.parametrize("name", ["volumes", "learning", "searched"])
def test_every_line_has_its_name_and_the_chosen_one_is_set_off(name: str, width: int) -> None:
    chart = figures()[name]
    svg = assert_readable(draw_lines(chart, width, "l", CHOICE), width)
    written = " ".join(text.text or "" for text in svg.iter("text"))
    for each in chart.series:
        assert each.name[:20] in written
        assert f"{each.name}{f', {each.note}' if each.note else ''}: " in spoken(svg)
    bold = [element for element in svg.iter("path") if "chosen" in (element.get("class") or "")]
    assert len(bold) == 1


def test_a_break_even_and_what_was_stated_stand_at_their_volume() -> None:
    chart = figures()["volumes"]
    svg = assert_readable(draw_lines(chart, 820, "l"), 820)
    (ring,) = (element for element in svg.iter("circle") if element.get("class") == "ring")
    ticks = {text.text: float(text.get("x", "")) for text in svg.iter("text")}
    assert ticks["1,000"] < float(ring.get("cx", "")) < ticks["10,000"]
    (stated,) = (element for element in svg.iter("line") if element.get("class") == "target")
    assert float(stated.get("x1", "")) == pytest.approx(ticks["10,000"], abs=0.2)
    assert "Break-even about 1,900 requests a month." in spoken(svg)


# ---------------------------------------------------------------- forests


@st.composite
def forests(draw: Any) -> Forest:
    points = draw(st.booleans())
    values = st.floats(-1, 1) if points else SHARES
    estimates = []
    for name in draw(st.lists(WORDS, min_size=1, max_size=9)):
        low, value, high = sorted((draw(values), draw(values), draw(values)))
        tone = draw(st.sampled_from(["above", "below", "open"]))
        text = "-0.4 (-12 to +100)"
        estimates.append(Estimate(name=name, value=value, lower=low, upper=high, text=text, tone=tone))
    return Forest(
        title=draw(WORDS),
        across=draw(WORDS),
        unit="points" if points else "%",
        estimates=tuple(estimates),
        zero=0.0 if points else None,
        sides=("worse", "better") if points else ("", ""),
    )


@settings(max_examples=80, deadline=None)
@given(forests(), WIDTHS)
def test_no_text_of_any_forest_covers_another_or_leaves_the_frame(forest: Forest, width: int) -> None:
    assert_readable(draw_forest(forest, width, "f"), width)


@pytest.mark.parametrize("width", [360, 820])
def test_an_interval_lies_on_its_side_of_no_difference(width: int) -> None:
    svg = assert_readable(draw_forest(figures()["apart"], width, "f"), width)
    zero = next(float(text.get("x", "")) for text in svg.iter("text") if text.text == "0")
    groups = {group.get("class"): [float(line.get("x1", "")) for line in group.iter("line")] for group in svg.iter("g")}
    assert min(groups["state-meets"]) > zero
    assert min(groups["state-other"]) < zero < max(groups["state-other"])
    assert f"{NAMES[1]}: +10 (+5 to +15), shown to be above 0." in spoken(svg)


# ---------------------------------------------------------------- the map


@st.composite
def maps(draw: Any) -> WinnerMap:
    names = draw(st.lists(WORDS, min_size=1, max_size=6, unique=True))
    count = draw(st.integers(2, 101))
    borders = sorted(draw(st.sets(st.integers(1, count - 1), max_size=6)))
    starts = [0, *borders]
    verdicts = st.sampled_from(["choose", "safe but cheaper undecided", "undecided", "nothing meets"])
    strips = []
    for first, last in zip(starts, [*borders, count], strict=True):
        edges = [100.0, *sorted(draw(st.sets(st.floats(101, 9e5), max_size=4))), 1e6]
        cells = []
        for above, upto in pairwise(edges):
            verdict = draw(verdicts)
            named = draw(st.sampled_from(names)) if verdict in ("choose", "safe but cheaper undecided") else None
            cells.append(Cell(above=above, upto=upto, verdict=verdict, named=named, unsettled=()))
        strips.append(Strip(first=first, last=last - 1, cells=tuple(cells)))
    noun: Literal["target", "margin"] = "target" if count > 12 else "margin"
    return WinnerMap(
        title=draw(WORDS),
        noun=noun,
        goals=tuple(f"{goal} {'%' if noun == 'target' else 'points'}" for goal in range(count)),
        strips=tuple(strips),
        own=draw(st.one_of(st.none(), st.integers(0, count - 1))),
        labelled=tuple(range(0, count, 5 if noun == "target" else 1)),
        volume=draw(st.integers(100, 1_000_000)),
        colours={name: place for place, name in enumerate(names)},
        table=NUMBERS,
    )


@settings(max_examples=80, deadline=None)
@given(maps(), WIDTHS)
def test_no_text_of_any_map_covers_another_or_leaves_the_frame(chart: WinnerMap, width: int) -> None:
    svg = assert_readable(draw_map(chart, width, "m"), width)
    wanted = {f"url(#{element.get('id')})" for element in svg.iter("pattern")}
    assert {fill for element in svg.iter("rect") if (fill := element.get("fill"))} <= wanted


@pytest.mark.parametrize("width", [360, 820])
def test_the_map_names_its_areas_and_stripes_what_is_not_decided(width: int) -> None:
    chart = figures()["winners"]
    svg = assert_readable(draw_map(chart, width, "m"), width)
    written = " ".join(text.text or "" for text in svg.iter("text"))
    for words in (NAMES[6], f"{CHOICE}, or a preferred one that is undecided", "nothing meets it", "80 %"):
        assert words in written
    solid = [rect for rect in svg.iter("rect") if rect.get("class") == "area"]
    striped = [rect for rect in svg.iter("rect") if rect.get("class") == "striped"]
    assert solid
    assert striped
    at = {text.text: float(text.get("x", "")) for text in svg.iter("text") if re.fullmatch("[0-9,]+", text.text or "")}
    assert at["1,000"] < float(striped[0].get("x", "")) < at["10,000"]
    assert f"target 70 % to 84 %: {NAMES[6]} from 100 to 1,900 requests" in spoken(svg)


def test_patterns_of_two_drawings_in_one_page_have_names_of_their_own() -> None:
    chart = figures()["winners"]
    one, other = (set(re.findall(r'id="([^"]+)"', draw_map(chart, 820, start))) for start in ("a", "b"))
    assert one
    assert not one & other


# ---------------------------------------------------------------- parts


@settings(max_examples=100, deadline=None)
@given(st.lists(st.tuples(st.floats(0, 400), st.sampled_from([18.0, 34.0])), max_size=10))
def test_boxes_that_are_moved_apart_keep_their_order_and_fit(wanted: list[tuple[float, float]]) -> None:
    edges = apart([middle for middle, _ in wanted], [height for _, height in wanted], 0, 400)
    order = sorted(range(len(wanted)), key=lambda place: wanted[place][0])
    for one, other in pairwise(order):
        assert edges[one] + wanted[one][1] <= edges[other] + 1e-6
    for edge, (_, height) in zip(edges, wanted, strict=True):
        assert -1e-6 <= edge <= 400 - height + 1e-6


@given(st.floats(-1, 1), st.floats(1e-4, 2), st.integers(3, 9))
def test_steps_cover_what_is_seen(low: float, span: float, most: int) -> None:
    ticks = step_ticks(low, low + span, most)
    assert ticks[0] <= low + 1e-9
    assert ticks[-1] >= low + span - 1e-9
    assert 2 <= len(ticks) <= most + 1


@pytest.mark.parametrize(
    ("value", "label"), [(300, "300"), (20_000, "20,000"), (3e6, "3 million"), (2.5e9, "2.5 billion")]
)
def test_large_numbers_are_written_in_words(value: float, label: str) -> None:
    assert count_label(value) == label


def test_an_axis_by_factors_without_a_round_value_inside_has_a_tick_in_its_middle() -> None:
    axis = Axis(low=157 / 1.3, high=157 * 1.3, start=300, end=0, log=True)
    ((value, label),) = cost_ticks(axis, "machine s", 44)
    assert axis.low < value < axis.high
    assert label == "2.7 min"


def test_a_chart_of_one_point_can_be_drawn() -> None:
    chart = replace(figures()["searched"], series=(Series(name="one", points=((5.0, 0.5),), colour=0),))
    assert "one" in draw_lines(chart, 820, "l")


def test_a_word_without_an_end_is_cut_in_one_go() -> None:
    """Letter by letter: a quadratic cut of 5,000 letters took minutes, and text from outside may be so long."""
    lines = wrapped("x" * 200_000, 12, 400)
    assert "".join(lines) == "x" * 200_000
    assert all(text_width(line, 12) <= 400 < text_width(line + "x", 12) for line in lines[:-1])
    assert wrapped("WW", 12, 1) == ("W", "W")


@pytest.mark.parametrize("width", [820, 360])
def test_the_name_of_the_target_stands_where_no_bar_is(width: int) -> None:
    """Bars at both ends of its line: the name stands between them."""
    costs = (10.0, 12.0, 5000.0, 5200.0)
    points = tuple(
        Point(name=f"approach {place}", cost=cost, figure=0.7, lower=0.6, upper=0.8, state=State.UNDECIDED)
        for place, cost in enumerate(costs)
    )
    svg = ET.fromstring(draw_points(Picture(title="t", cost_unit="USD", points=points, target=0.7), width, "p"))
    (name,) = (element for element in svg.iter("text") if element.get("class") == "target-name")
    lines = [element for element in svg.iter("line") if element.get("class") == "bar"]
    bars = {float(bar.get("x1", "0")) for bar in lines if bar.get("x1") == bar.get("x2")}
    start = float(name.get("x", "0"))
    assert len(bars) == 4
    assert not any(start - 4 < x < start + text_width("target 70 %", SIZE) + 4 for x in bars)
