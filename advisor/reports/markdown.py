"""The report as GitHub-flavoured Markdown that fits a pull-request comment."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from advisor.contract import ShownCases, Story
from advisor.drawn import Table
from advisor.reports.text import RECORDED, cleaned, one_line, shortened
from advisor.story.cases import how_many

SUFFIX = ".md"
LONGEST = 60_000
"""Characters; a comment holds 65,536."""
_ANSWER, _INPUT, _CASES = 160, 400, 12

_SPECIAL = re.compile(r"[\\`*_\[\]|~$]")
_LINE_START = re.compile(r"^(?:[#+=-]|\d+(?=[.)](?:\s|$)))")
_LINKING = re.compile(r"@|#(?=\d)|:(?=//|(?!\d\d?:)[\w+\\-]+:)|\bwww(?=\.)", re.IGNORECASE)
"""Where a host would make a mention, an issue reference, a link or an emoji of plain text; `10:30:00` is a time."""


def render(story: Story) -> str:
    """Markdown with the verdict and main table open and the rest folded, at most `LONGEST` characters.

    Text of the story is shown literally: it makes no markup, no HTML, no link, no mention, no emoji. What does not fit is left
    out from the end, and said.
    """
    safe = cleaned(story)
    parts, length = [], 0
    for part in _parts(safe):
        if length + len(part) > LONGEST:
            parts.append("The rest does not fit here; the HTML report holds all of it.\n")
            break
        parts.append(part)
        length += len(part) + 1
    return "\n".join(parts)


def literal(text: str) -> str:
    """The text on one line, escaped so that Markdown shows it letter by letter."""
    line = one_line(text).replace("&", "&amp;")
    line = _SPECIAL.sub(lambda found: "\\" + found[0], line)
    line = line.replace("<", "&lt;").replace(">", "&gt;")
    line = _LINKING.sub(lambda found: found[0] + "<!-- -->", line)
    return _LINE_START.sub(_escaped_start, line)


def _escaped_start(found: re.Match[str]) -> str:
    """`-` becomes `\\-`; the number of `1.` keeps its digits and gets an entity, since a digit cannot be escaped."""
    start = found[0]
    return "\\" + start if not start.isdigit() else f"&#{ord(start[0])};{start[1:]}"


def _parts(story: Story) -> Iterator[str]:
    yield f"## {literal(story.task)}: {literal(story.title)}\n"
    if story.recorded:
        yield f"> **{RECORDED}**\n"
    yield f"**{literal(story.headline)}**\n"
    yield from (f"{literal(sentence)}\n" for sentence in (story.about, story.confidence) if sentence)
    yield from _list(story.reasons, ordered=True)
    yield from _table(story.main)
    yield from _titled("What it costs and saves a month", story.a_month)
    yield from _titled("What would change this", story.would_change)
    yield from _titled("Next steps", story.next_steps)
    for table in (
        story.approaches,
        story.targets,
        story.examples,
        story.mistakes,
        story.all_mistakes,
        story.costs,
        story.bands,
        story.pairs,
        story.slices,
        story.probed,
        story.consistency,
        story.rebuilds,
        story.changed,
        story.altered,
        story.coverage,
        story.handover,
        story.leaks,
        story.grounding,
        story.planted,
        story.forgetting,
        story.by_heart,
        story.judge,
        story.differences,
        story.tuning,
    ):
        yield from _folded(table.title, list(_table(table, titled=False)))
    yield from _folded("Data", list(_list(story.data)))
    yield from _folded("Risks", list(_list(story.risks)))
    yield from _folded("How it was measured", list(_list(story.method)))
    yield from _folded("Provenance", [_provenance(story)] if story.provenance else [])
    yield from _folded("Case by case", list(_cases(story.cases)))
    yield from _folded(story.tried.title, list(_table(story.tried, titled=False)))


def _titled(title: str, items: Sequence[str]) -> Iterator[str]:
    if items:
        yield f"### {title}\n"
        yield from _list(items)


def _folded(title: str, parts: Sequence[str]) -> Iterator[str]:
    if parts:
        yield f"<details>\n<summary>{literal(title)}</summary>\n\n" + "\n".join(parts) + "\n</details>\n"


def _list(items: Sequence[str], ordered: bool = False) -> Iterator[str]:
    if items:
        marks = (f"{number}." if ordered else "-" for number in range(1, len(items) + 1))
        yield "\n".join(f"{mark} {literal(item)}" for mark, item in zip(marks, items, strict=True)) + "\n"


def _table(table: Table, titled: bool = True) -> Iterator[str]:
    if table.rows:
        rules = ["---:" if index in table.numeric else "---" for index in range(len(table.columns))]
        head = f"**{literal(table.title)}**\n\n" if titled else ""
        lines = [_row([literal(column) for column in table.columns]), _row(rules)]
        for index, row in enumerate(table.rows):
            cells = [literal(cell) for cell in row]
            if index in table.emphasis:
                cells = [f"**{cell}**" if cell else cell for cell in cells]
            lines.append(_row(cells))
        yield head + "\n".join(lines) + "\n"
    if table.note:
        yield f"{literal(table.note)}\n"


def _row(cells: Sequence[str]) -> str:
    return "| " + " | ".join(cells) + " |"


def _provenance(story: Story) -> str:
    rows = tuple((key, value) for key, value in story.provenance.items())
    return "\n".join(_table(Table(title="", columns=("what", "value"), rows=rows), titled=False))


def _cases(shown: ShownCases | None) -> Iterator[str]:
    if shown is None:
        return
    here = how_many(shown, min(_CASES, len(shown.cases)))
    yield from _list([sentence for sentence in (*shown.says, here) if sentence])
    columns = ("approach", "answer", "right or wrong", "score")[: 3 + shown.graded]
    for number, case in enumerate(shown.cases[:_CASES], start=1):
        part = "held-out case" if case.heldout else "selection case"
        yield f"**{number}. {part}:** {literal(shortened(one_line(case.input.text), _INPUT))}\n"
        yield f"Wanted: {literal(shortened(one_line(case.wanted.text), _ANSWER))}\n"
        rows = tuple(
            (name, shortened(one_line(answer.text.text), _ANSWER), str(answer.grade), answer.score)[: 3 + shown.graded]
            for name, answer in case.answers.items()
        )
        yield from _table(Table(title="", columns=columns, rows=rows), titled=False)
