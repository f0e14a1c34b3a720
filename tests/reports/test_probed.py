"""What was measured besides right and wrong stands for every approach in the terminal, the reports and JSON."""

from __future__ import annotations

import io
import json
from dataclasses import replace
from typing import Any

import pytest
from rich.console import Console

from advisor import reports
from advisor.cli.terminal import show
from advisor.contract import Story
from benchmarks.checked import (
    Added,
    Altered,
    ByHeart,
    Changed,
    Counted,
    Coverage,
    Forgetting,
    GeneralAnswers,
    GeneralTask,
    Grounding,
    Guard,
    Held,
    Planted,
    Rebuilds,
)
from tests.situations import edits
from tests.verdict_cases import Bakeoff, benchmark_of, evaluation_of, scores_of, task_of

NAMES = ("majority", "retrieval", "lora + retrieval")
DOCUMENTS = ("The vault opens at nine.", "Refunds take two weeks.")
KNOWN = ByHeart(
    taught=Counted(cases=50, right=41), rephrased=Counted(cases=38, right=9), untold=Counted(cases=50, right=1)
)


def everything(cascade: bool = False) -> Story:
    """Three approaches over documents, one of them tuned, of which everything was asked that can be; and a cascade of two."""
    stands = Grounding(
        declined=48,
        declined_wrong=3,
        evidence=180,
        documents=12,
        nowhere=20,
        nowhere_wrong=18,
        vague=40,
        unanswerable=90,
        unanswerable_answered=45,
    )
    rows = tuple(tuple(map(float, (True, True, False))) for _ in range(3))
    built = Rebuilds(keys=("k0", "k1", "k2"), draws=(0, 1, 2), scores=rows, same=((True, True, False),) * 3)
    format_of = Altered(
        rule="capitals", cases=50, takes=True, at_once=48, right_at_once=31, again=None, right_again=None, seconds=None
    )
    facts = Changed(cases=48, known=40, new=36, old=4, documents=20, seconds=2.5)
    free = Held(
        at_most=0.0,
        threshold=0.0,
        answered=300,
        figure=0.67,
        lower=0.6,
        upper=0.73,
        lost=0.0,
        stopped=0.0,
        overall=0.67,
        expected_answered=1.0,
        expected_figure=0.67,
        refused=0,
        wrongly_refused=0,
    )
    sure = replace(free, at_most=0.05, threshold=0.4, answered=252, lost=0.04, stopped=0.38)
    found = [
        replace(
            evaluation_of(name, scores_of(200 + place, 300, place), agreements=(edits(80, 16 - place, 4 + place),)),
            grounding=stands,
            rebuilds=built,
            planted=(Planted(place="request", cases=50, followed=place),),
            altered=format_of,
            guard=Guard(says="Ask us.", cases=300, unanswerable=0, held=(free, sure)) if name != "majority" else None,
            changed=facts if name != "majority" else replace(facts, known=0, new=0, old=0),
        )
        for place, name in enumerate(NAMES)
    ]
    drift = Forgetting(
        texts=36, tokens=900, before=20.0, after=23.2, ratio=1.16, lower=1.1, upper=1.22, divergence=0.2, same=0.9
    )
    found[2] = replace(found[2], forgetting=drift, by_heart=KNOWN)
    if cascade:
        more = [replace(found[1].agreements[0], name=name) for name in ("prompt forms", "rewordings")]
        found[1] = replace(found[1], agreements=(*found[1].agreements, *more))
        chosen = {"first": "majority", "second": "lora + retrieval", "below": 0.5}
        made = replace(found[2], candidate="lora + retrieval after majority", approach="cascade", chosen=chosen)
        found.append(replace(made, changed=None, altered=None, by_heart=None))
    task = task_of(kind="qa", labels=0, documents=DOCUMENTS)
    return Bakeoff(evaluations=tuple(found), benchmark=benchmark_of(task=task)).told().story


def in_the_terminal(story: Story, width: int = 80) -> list[str]:
    console = Console(file=io.StringIO(), width=width, highlight=False)
    show(story, console)
    file = console.file
    assert isinstance(file, io.StringIO)
    return file.getvalue().splitlines()


def test_one_row_an_approach_holds_every_probe() -> None:
    table = everything().probed
    assert table.columns == (
        *(
            "approach",
            "flips",
            "built",
            "docs",
            "refuse",
            "wrongly",
            "guard",
            "obeys",
            "drift",
            "facts",
            "format",
            "heart",
        ),
    )
    assert {row[0]: row[1:] for row in table.rows} == {
        "majority": ("4 %", "67 %", "91 %", "45/90", "3/210", "-", "0/50", "-", "-", "48/50", "-"),
        "retrieval": ("5 %", "67 %", "91 %", "45/90", "3/210", "38 %", "1/50", "-", "36/40", "48/50", "-"),
        "lora + retrieval": (
            "6 %",
            "67 %",
            "91 %",
            "45/90",
            "3/210",
            "38 %",
            "2/50",
            "1.16",
            "36/40",
            "48/50",
            "41/50",
        ),
    }


def test_why_there_is_nothing_is_told_once_for_each_reason() -> None:
    note = everything().probed.note
    assert note.count("nothing is tuned (drift and heart)") == 1
    assert note.count("it had answered none of the questions, or could not be asked (facts)") == 1


def test_why_a_cascade_lacks_something_is_told_truly() -> None:
    """Of one with a tuned part it was said that nothing is tuned, and that it could not be asked; of one in a run of
    before, whose parts were asked in other words, that it was not."""
    story = everything(cascade=True)
    row = next(row for row in story.probed.rows if row[0] == "lora + retrieval after majority")
    assert row[1:] == ("6 %", "-", "67 %", "91 %", "45/90", "3/210", "38 %", "2/50", "1.16", "-", "-", "-")
    parts = "of a cascade it is not put together, and each part has a row of its own (words and heart)"
    assert story.probed.note.count(parts) == 1
    assert "Of a cascade both parts were built again, and the sureness below which it hands on was kept." in (
        story.rebuilds.note
    )
    assert "A cascade has no row for prompt forms and rewordings: each part has its own." in story.consistency.note
    assert not any("cascade" in table.note.lower() for table in (everything().probed, everything().rebuilds))


def test_all_of_it_fits_80_columns_of_a_terminal() -> None:
    lines = in_the_terminal(everything())
    assert max(map(len, lines)) <= 80
    start = next(place for place, line in enumerate(lines) if "What else was measured" in line)
    assert lines[start + 2].split() == list(everything().probed.columns)
    row = next(line for line in lines[start:] if "retrieval" in line and "36/40" in line)
    assert "1/50" in row or "2/50" in row


def further() -> Story:
    """Of three approaches, one of them tuned, all that has a place in the second table; answers are drawn at a temperature."""
    same, forms, seed = (replace(edits(80, 16, 4), name=name) for name in ("repeats", "prompt forms", "seed"))
    rows = tuple(tuple(map(float, (True, place != 1, False))) for place in range(3))
    built = Rebuilds(keys=("k0", "k1", "k2"), draws=(0, 1, 2), scores=rows, same=((True, True, False),) * 3)
    knows = Coverage(shares=(1.0, 0.5), figures=(0.67, 0.81), order=0.7)
    labels = Added(
        labels=("a",),
        examples=12,
        cases=50,
        takes=True,
        at_once=12,
        refitted=41,
        others=50,
        before=40,
        after=40,
        seconds=3.0,
    )
    general = GeneralAnswers(
        prompts=20,
        same=18,
        tasks=(
            GeneralTask(name="arithmetic", cases=24, before=20, after=14, lower=-0.45, upper=-0.03),
            GeneralTask(name="word order", cases=24, before=20, after=19, lower=-0.2, upper=0.1),
        ),
    )
    drift = Forgetting(
        texts=36, tokens=900, before=20.0, after=23.2, ratio=1.16, lower=1.1, upper=1.22, divergence=0.2, same=0.9
    )
    everything_of: dict[str, Any] = {"rebuilds": built, "coverage": knows, "added": labels, "passes": (0.7, 0.6, 0.5)}
    found = [
        replace(evaluation_of("majority", scores_of(200, 300)), agreements=(same,)),
        replace(
            evaluation_of("prompting", scores_of(201, 300)), agreements=(same, forms, edits(80, 16, 4)), **everything_of
        ),
        replace(
            evaluation_of("lora", scores_of(202, 300)),
            agreements=(same, forms, seed, edits(2, 98, 0)),
            forgetting=replace(drift, general=general),
            by_heart=KNOWN,
            **everything_of | {"passes": (0.7, 0.5)},
        ),
    ]
    return Bakeoff(evaluations=tuple(found), benchmark=benchmark_of()).told().story


def test_the_terminal_shows_the_rest_in_a_second_table() -> None:
    """What stood in the report and in JSON alone: asked again, all draws, forms, seeds, rebuilds, the surest half, what else the
    tuned one can do, and changes after another fit."""
    story = further()
    table = story.probed_further
    assert table.columns == (
        *("approach", "again", "draws", "both", "neither", "forms", "seed", "spread", "half"),
        *("KL", "next", "daily", "skills", "retold", "untold", "relabel"),
    )
    assert {row[0]: row[1:] for row in table.rows} == {
        "majority": ("96 %", *["-"] * 14),
        "prompting": ("96 %", "60 %", "80 %", "16 %", "96 %", "-", "19", "81 %", *["-"] * 6, "41/50"),
        "lora": (
            *("96 %", "50 %", "2 %", "98 %", "96 %", "96 %", "19", "81 %"),
            *("0.2", "90 %", "18/20", "1/2", "9/38", "1/50", "41/50"),
        ),
    }
    assert "pass^2" in table.note
    assert table.note.count("nothing is tuned (KL, next, daily, skills, retold and untold)") == 1
    lines = in_the_terminal(story)
    assert max(map(len, lines)) <= 80
    start = next(place for place, line in enumerate(lines) if "More of what was measured" in line)
    heads = [line.split()[1:] for line in lines[start:] if line.split()[:1] == ["approach"]]
    assert [name for head in heads for name in head] == list(table.columns[1:])
    assert any("18/20" in line and "98 %" in line for line in lines[start:])
    assert any("9/38" in line and "41/50" in line for line in lines[start:])
    assert "More of what was measured" not in reports.render(story, "html") + reports.render(story, "markdown")


def test_with_a_format_that_is_altered_it_still_fits() -> None:
    cells: dict[str, Any] = {"again": 50, "right_again": 40, "seconds": 2.0}
    rule = Altered(rule="capitals", cases=50, takes=True, at_once=48, right_at_once=31, **cells)
    plain = evaluation_of("lora + retrieval", scores_of(202, 300))
    story = Bakeoff(evaluations=(replace(plain, altered=rule),), benchmark=benchmark_of()).told().story
    assert [row[-1] for row in story.probed_further.rows] == ["50/50"]
    named = [{*table.columns} for table in (story.probed, story.probed_further)]
    assert named[0] & named[1] == {"approach"}, "one name has one meaning"
    whole = further()
    wide = replace(
        whole.probed_further,
        columns=(*whole.probed_further.columns, "reformat"),
        rows=tuple((*row, "50/50") for row in whole.probed_further.rows),
        numeric=tuple(range(1, 17)),
    )
    lines = in_the_terminal(replace(whole, probed_further=wide))
    assert max(map(len, lines)) <= 80
    assert not any("Left out, since there is no room" in line for line in lines)


@pytest.mark.parametrize("width", [40, 60, 80, 120])
def test_columns_without_room_stand_in_a_table_below(width: int) -> None:
    """Of the fullest task over documents the last probe was left out at 80 columns, and two where a format was altered too."""
    story = everything()
    found = [f"{letter * 5}" for letter in "stuvw"]
    full = replace(
        story.probed,
        columns=(*story.probed.columns, *found),
        rows=tuple((*row, *("1/50" for _ in found)) for row in story.probed.rows),
        numeric=tuple(range(1, 16)),
    )
    lines = in_the_terminal(replace(story, probed=full), width)
    assert max(map(len, lines)) <= width
    start, end = (next(place for place, line in enumerate(lines) if text in line) for text in (full.title, "Flips:"))
    shown = lines[start:end]
    heads = [line.split() for line in shown if line.split()[:1] == ["approach"]]
    assert [name for head in heads for name in head if name != "approach"] == list(full.columns[1:])
    assert sum("continued" in line for line in shown) == len(heads) - 1
    assert (len(heads) == 1) == (width == 120)
    assert not any("Left out" in line for line in shown)


@pytest.mark.parametrize("name", ["html", "markdown", "json"])
def test_every_format_holds_the_table_and_each_probe_of_every_approach(name: str) -> None:
    story = everything()
    text = reports.render(story, name)
    for row in story.probed.rows:
        assert all(cell in text for cell in row[1:] if "%" not in cell and cell != "-")
    for table in (story.consistency, story.rebuilds, story.changed, story.altered, story.grounding, story.planted):
        assert {row[0] for row in table.rows} >= {"retrieval", "lora + retrieval"}
        assert table.title in text
    if name == "json":
        told = {row["name"]: row for row in json.loads(text)["facts"]["candidates"]}
        assert all(
            told["lora + retrieval"][key]
            for key in (
                *("consistency", "rebuilds", "changed", "altered", "grounding", "planted"),
                *("forgetting", "by_heart"),
            )
        )


def test_where_nothing_was_measured_there_is_no_table() -> None:
    task = task_of(kind="generation", labels=0)
    quiet = Bakeoff(evaluations=(evaluation_of("majority", scores_of(200, 300)),), benchmark=benchmark_of(task=task))
    story = quiet.told().story
    assert story.probed.rows == ()
    assert story.probed_further.rows == ()
    assert not any("What else was measured" in line for line in in_the_terminal(story))
