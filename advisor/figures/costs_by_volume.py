"""What a month costs at which volume, for each candidate, and where one becomes cheaper than another."""

from __future__ import annotations

from collections.abc import Sequence

from advisor.contract import Amount
from advisor.costs.breakeven import Line, bands, break_evens
from advisor.drawn import LineChart, Series, Signed, Table
from advisor.figures.volumes import broken_even, requests, span
from advisor.goal import Goal
from advisor.material import Material
from advisor.wording import NONE, amount, in_cell, listed, of_what, start
from benchmarks.contract import State

_DRAWN = (State.MEETS, State.UNDECIDED, State.COMPARED)
_BESIDE = (State.MISSES, State.RULED_OUT)
_MOST_LINES = 9
"""Lines of those that are out are left away where there would be more."""
_SAMPLES = 24


def costs_by_volume(material: Material) -> LineChart | None:
    """None where fewer than two candidates have a known cost above 0 in one unit."""
    known = lines_of(material)
    lines = {line.name: line for line in known if line.at(1e6) > 0}
    states = {status.candidate: status.state for status in material.suitable}
    loud = [line for line in lines.values() if states[line.name] in _DRAWN]
    quiet = [line for line in lines.values() if states[line.name] in _BESIDE]
    shown = [*loud, *(quiet if len(loud) + len(quiet) <= _MOST_LINES or len(loud) < 2 else ())][:_MOST_LINES]
    if len(shown) < 2:
        return None
    mine = lines.get(material.named or "")
    meeting = [line for line in known if states[line.name] is State.MEETS]
    drawn = {line.name for line in known}
    unlike = [name for name, state in states.items() if state is State.MEETS and name not in drawn]
    breaks = _breaks(mine, loud, [line for line in meeting if line.name in lines])
    low, high = span(material.benchmark.volume, [sign.x for sign in breaks])
    places = {status.candidate: place for place, status in enumerate(material.suitable)}
    unit = material.costs[shown[0].name].monthly.unit
    volume = material.benchmark.volume
    return LineChart(
        title=_tied(material, meeting) or _title(meeting, unlike, Goal.of(material.benchmark), (volume, unit)),
        across="requests a month",
        upwards=f"{of_what(unit)} a month",
        unit=unit,
        series=tuple(
            Series(
                name=line.name,
                points=_points(line, low, high),
                colour=places[line.name],
                note="" if states[line.name] in (State.MEETS, State.COMPARED) else str(states[line.name]),
                dots=False,
                quiet=line not in loud,
            )
            for line in shown
        ),
        signs=tuple(sign for sign in breaks if low <= sign.x <= high),
        here=(float(volume), f"{volume:,} requests"),
        table=_table(material, known, mine),
    )


def lines_of(material: Material) -> list[Line]:
    """Of those whose costs can be compared with most others', cheapest first; what costs nothing at any volume is no line to
    draw, and stands in the table."""
    comparable = [each for each in material.suitable if each.candidate not in material.ranking.unranked]
    found = [Line.of(material.costs[each.candidate]) for each in comparable if each.state in (*_DRAWN, *_BESIDE)]
    return [line for line in found if line is not None]


def _breaks(mine: Line | None, loud: Sequence[Line], meeting: Sequence[Line]) -> list[Signed]:
    """Where the named one and another cost the same, and where another of those that meet becomes the cheapest."""
    found = {band.above: min(line.at(band.above) for line in meeting) for band in bands(meeting)[1:]}
    if mine is not None and mine in loud:
        for line in loud:
            found |= {volume: mine.at(volume) for volume in break_evens(mine, line)}
    ordered = sorted(found)
    kept = [volume for place, volume in enumerate(ordered) if not place or volume > 1.05 * ordered[place - 1]]
    return [Signed(x=volume, y=found[volume], text=f"break-even {requests(volume)}") for volume in kept]


def _points(line: Line, low: float, high: float) -> tuple[tuple[float, float], ...]:
    steps = [low * (high / low) ** (step / _SAMPLES) for step in range(_SAMPLES + 1)]
    volumes = sorted({*steps, *([line.bend] if low < line.bend < high else [])})
    return tuple((volume, cost) for volume in volumes if (cost := line.at(volume)) > 0)


def _tied(material: Material, meeting: Sequence[Line]) -> str:
    """Empty unless the named one is chosen although another that meets costs a little less, which timings cannot tell."""
    named, volume = material.named, material.benchmark.volume
    if named not in [line.name for line in meeting]:
        return ""
    least = min(meeting, key=lambda line: line.at(volume)).name
    if least == named or not material.ranking.tie(named, least):
        return ""
    return f"{start(named)} and {least} cost about the same at {volume:,} requests a month"


def _title(meeting: Sequence[Line], unlike: Sequence[str], goal: Goal, at: tuple[int, str]) -> str:
    """`unlike`: those that meet and whose costs cannot be compared with these."""
    volume, unit = at
    if unlike and not meeting:
        those = f"costs of {listed(unlike)}, which {goal.meet_plainly}"
        whose = those if len(unlike) > 1 else f"cost of {unlike[0]}, which {goal.meets_plainly}"
        return f"What a month costs at which volume; the {whose}, cannot be compared"
    if not meeting:
        nobody = f": no approach is shown to {goal.meet_plainly}" if goal.noun else ""
        return f"What a month costs at which volume{nobody}"
    found = bands(meeting)
    of_these = "of those whose costs can be compared " if unlike else ""
    first = start(f"{of_these}{found[0].name}")
    if len(meeting) == 1:
        cost, only = amount(Amount(value=meeting[0].at(volume), unit=unit)), start(f"{of_these}only {meeting[0].name}")
        return f"{only} is shown to {goal.meet_plainly}: {cost} a month at {volume:,} requests"
    if len(found) == 1:
        whom = f"those that {goal.meet_plainly}{' and whose costs can be compared' if unlike else ''}"
        return f"{start(found[0].name)} costs the least of {whom}, at any volume"
    later = ", ".join(f"{band.name} from {requests(band.above)} on" for band in found[1:])
    return f"{first} costs the least up to {requests(found[0].upto or 0.0)} requests a month, {later}"


def _table(material: Material, lines: Sequence[Line], mine: Line | None) -> Table:
    volume = material.benchmark.volume
    against = () if mine is None else (f"costs as much as {mine.name} at",)
    rows = []
    for line in lines:
        unit = material.costs[line.name].monthly.unit
        rows.append(
            (
                line.name,
                in_cell(Amount(value=line.fixed + line.at_least, unit=unit)),
                in_cell(Amount(value=line.each * 1000, unit=unit)),
                in_cell(Amount(value=line.at(volume), unit=unit)),
                *(() if mine is None else (NONE if line is mine else broken_even(mine, line),)),
            )
        )
    return Table(
        title="What a month costs",
        columns=("approach", "due at any volume", "1,000 requests", f"at {volume:,} requests", *against),
        rows=tuple(rows),
        note=(
            "Costs ahead; what was spent on choosing and training is paid already. Measured seconds vary by 15 %, and a "
            "break-even with them."
        ),
        numeric=tuple(range(1, 4 + len(against))),
        emphasis=tuple(place for place, line in enumerate(lines) if line is mine),
    )
