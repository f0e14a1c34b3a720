"""Shows a story in a terminal: the verdict in a panel and one table below it, readable at 80 columns."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from advisor.contract import Story
from advisor.drawn import Table
from advisor.reports.text import RECORDED, clean, one_line
from benchmarks.contract import State

if TYPE_CHECKING:
    from rich.console import Console, RenderableType
    from rich.table import Table as RichTable
    from rich.text import Text

_REASONS = 3
_FINDINGS = 3
_WIDEST = 100
"""Columns of the panel at most: longer lines are hard to read."""
_TONES = {
    "choose": "green",
    "safe but cheaper undecided": "green",
    "undecided": "yellow",
    "nothing meets": "red",
    "compared": "cyan",
}
_MANY = 9
"""Columns from which on names get less room."""
_FIRST_LEFT_OUT = ("wait", "same", "spent", "a month")
"""Columns of the main table without which the verdict is still understood, the least important first."""
_CHOSEN = "> "
"""Sets off the row that the verdict is about where there is no colour."""
_STATES = {str(State.MEETS): "green", str(State.MISSES): "red", str(State.UNDECIDED): "yellow"}


def show(story: Story, console: Console) -> None:
    """Prints the verdict, the main table, what else was measured and found, what to do next, and what goes wrong.

    Text of the story is never read as markup.
    """
    console.print(verdict_panel(story, console.width))
    if story.main.rows:
        console.print()
        console.print(main_table(story.main, console.width))
    if story.main.note:
        console.print(_text(story.main.note, "dim"), width=min(console.width, _WIDEST))
    for table in (story.probed, story.probed_further):
        if table.rows:
            for part in _parts(table, console.width):
                console.print()
                console.print(main_table(part, console.width))
            console.print(_text(table.note, "dim"), width=min(console.width, _WIDEST))
    for title, lines in (*_found(story), ("Next", story.next_steps), ("What would change this", story.would_change)):
        if lines:
            console.print()
            console.print(_text(title, "bold"))
            console.print(_listed(lines, numbered=False), width=min(console.width, _WIDEST))
    if story.all_mistakes.rows:
        console.print()
        console.print(main_table(story.all_mistakes, console.width, wrapped=True), width=min(console.width, _WIDEST))
        console.print(_text(story.all_mistakes.note, "dim"), width=min(console.width, _WIDEST))


def _found(story: Story) -> Iterator[tuple[str, tuple[str, ...]]]:
    """The most serious of what the run found beside right and wrong, and how much more of it the report tells."""
    told = [story.risks[place] for place in story.worth_knowing]
    more = len(told) - _FINDINGS
    rest = [f"{more} more under the risks in the report."] if more > 0 else []
    yield "Worth knowing", (*told[:_FINDINGS], *rest)


def verdict_panel(story: Story, width: int = 80) -> RenderableType:
    """Headline, how sure it is, and three reasons, in a frame that is at most `width` columns wide."""
    from rich.console import Group
    from rich.panel import Panel

    tone = _TONES.get(story.settled, "default")
    parts: list[RenderableType] = [_text(story.headline, "bold"), _text("", ""), _text(story.confidence, "dim")]
    if story.reasons:
        parts += [_text("", ""), _listed(story.reasons[:_REASONS], numbered=True)]
    if story.recorded:
        parts = [_text(RECORDED, "yellow"), _text("", ""), *parts]
    title = _text(f" {story.task}: {story.title} ", f"bold {tone}")
    return Panel(
        Group(*parts), title=title, title_align="left", border_style=tone, padding=(1, 2), width=min(width, _WIDEST)
    )


def main_table(table: Table, width: int = 80, wrapped: bool = False) -> RichTable:
    """The table at that width: where it is too wide, cells break before a bracket and after a slash, then columns stand closer
    together, and then some are left out, which is said below it. `wrapped`: the last column holds words, and breaks between
    them."""
    from rich import box
    from rich.table import Table as RichTable

    rows = _rows(table, width)
    least = _least(table.columns, rows, wrapped)
    gap = 2 if sum(least) + 2 * len(least) <= width else 1
    taken = [each + gap for each in least]
    kept = _with_room(table.columns, taken, width, wrapped)
    room = sum(taken[index] for index in kept) <= width
    laid = RichTable(
        title=_text(table.title, "bold"),
        title_justify="left",
        caption=_left_out(table.columns, kept),
        caption_justify="left",
        box=box.SIMPLE_HEAD,
        pad_edge=False,
        padding=(0, gap - 1, 0, 0),
    )
    for index in kept:
        laid.add_column(
            _text(table.columns[index], ""),
            justify="right" if index in table.numeric else "left",
            no_wrap=room and index > 0 and not (wrapped and index == len(table.columns) - 1),
            overflow="fold",
            min_width=least[0] if room and index == 0 else None,
        )
    for place, row in enumerate(rows):
        chosen = place in table.emphasis
        named = [f"{_CHOSEN}{row[0]}", *row[1:]] if chosen else row
        laid.add_row(*(_cell(named[index], chosen) for index in kept))
    return laid


def _rows(table: Table, width: int) -> list[list[str]]:
    """Its cells as lines, which break where the table is wider than that."""
    rows = [[one_line(cell) for cell in row] for row in table.rows]
    if _wide(table.columns, rows) > width:
        rows = [[row[0], *(_folded(cell) for cell in row[1:])] for row in rows]
    return rows


def _parts(table: Table, width: int) -> Iterator[Table]:
    """The columns that have room beside the names, and those that have none in tables below: nothing is left out."""
    title, places = table.title, list(range(1, len(table.columns)))
    while places:
        parts = (_part(table, title, places[:count]) for count in range(len(places), 0, -1))
        part = next(each for each in parts if len(each.columns) == 2 or _fits(each, width))
        yield part
        title, places = f"{table.title}, continued", places[len(part.columns) - 1 :]


def _part(table: Table, title: str, places: Sequence[int]) -> Table:
    kept = (0, *places)
    return replace(
        table,
        title=title,
        columns=tuple(table.columns[place] for place in kept),
        rows=tuple(tuple(row[place] for place in kept) for row in table.rows),
        numeric=tuple(new for new, place in enumerate(kept) if place in table.numeric),
    )


def _fits(table: Table, width: int) -> bool:
    """With all its columns, standing as close together as they may."""
    least = _least(table.columns, _rows(table, width), wrapped=False)
    return sum(least) + len(least) <= width


def _with_room(columns: Sequence[str], taken: Sequence[int], width: int, wrapped: bool) -> list[int]:
    """Places of the columns that are shown: names, what is measured and the status always, and as many others as fit."""
    kept, last = list(range(len(columns))), len(columns) - 1
    always = {0, 1, last} if wrapped or columns[last] == "status" else {0, 1}
    first = [columns.index(name) for name in _FIRST_LEFT_OUT if name in columns]
    for index in (*first, *(each for each in reversed(kept) if each not in first)):
        if sum(taken[each] for each in kept) > width and index not in always:
            kept.remove(index)
    return kept


def _least(columns: Sequence[str], rows: Sequence[Sequence[str]], wrapped: bool) -> list[int]:
    """The width that each column needs: names, and words of the last one, may break between words."""
    from rich.cells import cell_len

    def longest(index: int, words: bool) -> int:
        texts = [columns[index], *(row[index] for row in rows)]
        return max(cell_len(part) for text in texts for part in (text.split() if words else text.split("\n")) or [""])

    names = min(longest(0, True), 16 if len(columns) < _MANY else 12)
    last = len(columns) - 1
    return [names, *(longest(index, wrapped and index == last) for index in range(1, len(columns)))]


def _left_out(columns: Sequence[str], kept: Sequence[int]) -> Text | None:
    from advisor.wording import listed

    names = [name for index, name in enumerate(columns) if index not in kept]
    return _text(f"Left out, since there is no room: {listed(names)}.", "dim") if names else None


def _cell(text: str, chosen: bool) -> Text:
    style = _STATES.get(text, "")
    return _text(text, f"bold {style}".strip() if chosen else style)


def _wide(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> int:
    """Columns that the table takes when nothing is broken and names get a third of a line."""
    from rich.cells import cell_len

    wide = [max(cell_len(text) for text in column) for column in zip(columns, *rows, strict=True)]
    return min(wide[0], 30) + sum(wide[1:]) + 2 * len(wide)


def _folded(cell: str) -> str:
    return cell.replace(" (", "\n(").replace("/", "/\n") if len(cell) > 8 else cell


def _listed(lines: Sequence[str], numbered: bool) -> RenderableType:
    """Lines with a hanging indent, so that their beginnings stand out."""
    from rich.table import Table as RichTable

    grid = RichTable.grid(padding=(0, 1, 0, 0))
    grid.add_column(no_wrap=True)
    grid.add_column()
    for number, line in enumerate(lines, start=1):
        grid.add_row(_text(f"{number}." if numbered else "-", "dim"), _text(line, ""))
    return grid


def _text(text: str, style: str) -> Text:
    """Cleaned text as it stands: a `Text` is never read as markup, so brackets in it do nothing."""
    from rich.text import Text

    return Text(clean(text), style=style)
