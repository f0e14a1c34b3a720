"""Sections of documents: what is a heading, and that passages begin with theirs or have it in front."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from strategies.contract import Document
from strategies.retrieval.chunking import PASSAGE_WORDS, Passage, cut, fronts, heading, size
from strategies.retrieval.headings import LONGEST, headings, sections
from strategies.retrieval.index import PassageIndex
from strategies.standalone import lookup
from tests import tiny

TOWNS = ("Leeds", "Kendal", "Bristol", "Cardiff", "Dundee", "Exeter")
PARKING = "Parking costs {} pounds a day and has to be booked by noon of the day before. "
DESK = "The front desk is staffed from six in the morning and gives out badges that are worn at all times. "
SITES = Document(
    id="sites",
    title="Sites",
    text="# Sites\n\n"
    + "\n\n".join(
        f"## {town}\n\n{PARKING.format(place + 3)}{DESK * 4}\n\n### Alarms\n\nMeet at gate {place}. {DESK * 9}"
        for place, town in enumerate(TOWNS)
    ),
)


def titles(text: str) -> list[str]:
    return [each.title for each in headings(text)]


@pytest.mark.parametrize(
    "text",
    [
        "```python\n# a comment\n```\n",
        "~~~\n```\n# still code\n~~~\n",
        "    # indented\n",
        "#hashtag\n# \n####### seven\n",
        f"# {'long ' * LONGEST}\n",
        "Some text.\n---\nmore\n",
        "- an item\n---\n",
        "a | b\n--- | ---\n",
        "one line\nand its next\n---\n",
        "---\ntitle: a front matter\n---\n",
        "---\n***\n===\n",
        "Regards\n-\nsomebody",
    ],
)
def test_what_only_looks_like_a_heading_is_none(text: str) -> None:
    assert titles(text) == []
    assert titles(f"{text}\n# One\nx") == ["One"]
    assert len(sections(text)) == 1


def test_headings_are_found_with_their_levels() -> None:
    text = "# One #\nx\n  ### C# and F#\ny\n\nTwo\n===\nz\n\nThree\n-----\n```\n# no\n````\n###### Four\n"
    found = [(each.level, each.title, text[each.start : each.end].splitlines()[0]) for each in headings(text)]
    assert found == [
        (1, "One", "# One #"),
        (3, "C# and F#", "  ### C# and F#"),
        (1, "Two", "Two"),
        (2, "Three", "Three"),
        (6, "Four", "###### Four"),
    ]


def test_sections_know_what_they_stand_under() -> None:
    text = "intro\n# A\n## B\nb\n### C\n## D\nd\n# E\ne\n## F\n"
    found = [(text[each.start : each.body], each.above, each.under) for each in sections(text)]
    assert found == [
        ("", (), ()),
        ("# A\n## B", (), ("A", "B")),
        ("### C\n## D", ("A",), ("A", "D")),
        ("# E", (), ("E",)),
    ]
    assert "".join(text[each.start : each.end] for each in sections(text)) == text


@pytest.mark.parametrize("words", [PASSAGE_WORDS, 60, 30])
def test_no_passage_ends_in_a_heading_and_each_shows_those_that_it_stands_under(words: int) -> None:
    passages = cut([SITES], words)
    town = ""
    for passage in passages:
        lines = SITES.text[passage.start : passage.end].splitlines()
        assert not lines[-1].startswith("#")
        town = next((name for name in TOWNS if f"## {name}" in lines), town)
        assert town in passage.text
        alarms = SITES.text.index("### Alarms", SITES.text.index(f"## {town}"))
        assert ("Alarms" in passage.text) == (passage.end > alarms)
        assert size(passage.text) <= words + 4, "the title and its signs are not counted"
    assert passages[-1].text.startswith("Sites > Exeter > Alarms: ")


def test_a_section_is_found_by_its_heading() -> None:
    index = PassageIndex.build([SITES], tiny.WordHashes())
    asked = [f"parking costs pounds a day booked by noon in {town}" for town in TOWNS]
    for place, (best,) in enumerate(index.search(asked, 1)):
        assert PARKING.format(place + 3).strip() in best.text


def test_small_sections_share_a_passage_with_their_headings() -> None:
    text = "# FAQ\n\n" + "".join(f"## Question {place}\n\nIt is {place}.\n\n" for place in range(40)) + "# Other\nx"
    passages = cut([Document(id="faq", text=text)])
    assert 5 < len(passages) < 20
    assert passages[-2].text.endswith("## Question 39\n\nIt is 39.")
    assert passages[-1].text == "# Other\nx"
    for passage in passages[1:-1]:
        assert passage.text.startswith("FAQ: ## Question ")


@pytest.mark.parametrize("words", [PASSAGE_WORDS, 30])
def test_no_section_stands_under_the_heading_of_a_small_one_before_it(words: int) -> None:
    """Both fitted one passage, but not with the headings above them: it was cut again, all of it under the first heading."""
    top = f"# Handbook of the whole company\n\n{DESK * 9}\n\n## Leave and absence rules for all employees\n\n{DESK * 9}"
    for length in range(1, PASSAGE_WORDS):
        text = f"{top}\n\n### Sick\n\nCall in.\n\n### Paid\n\n{'Paid. ' * length}"
        found = cut([Document(id="staff", title="Staff", text=text)], words)
        assert not any("Sick" in each.under for each in found if each.start >= text.index("### Paid"))


@pytest.mark.parametrize("text", ["Plain text. " * 300, "```\n# code\n```\n" * 80, "a\n\nb | c\n\n" * 200])
def test_without_headings_the_text_is_cut_as_a_whole(text: str) -> None:
    import semchunk

    chunkerify: Any = semchunk.chunkerify  # type: ignore[attr-defined]
    chunks, offsets = chunkerify(size, PASSAGE_WORDS)(text, offsets=True)
    found = zip(chunks, offsets, strict=True)
    wanted = [(start + chunk.index(chunk.strip()), chunk.strip()) for chunk, (start, _) in found]
    assert [(one.start, one.text) for one in cut([Document(id="d", text=text)])] == wanted


@given(st.text("#=-` \n.ab", max_size=300), st.sampled_from([1, 4, 7, 30]))
@settings(max_examples=80, deadline=None)
def test_whatever_the_headings_every_word_is_in_one_passage(text: str, words: int) -> None:
    document = Document(id="d", text=text, title="a")
    passages = cut([document], words)
    assert "".join("".join(text[each.start : each.end] for each in passages).split()) == "".join(text.split())
    for one in passages:
        assert one.text == heading(document, one.under) + text[one.start : one.end]
        assert heading(document, one.under) in fronts(document, one.start, one.start)


def test_a_title_is_not_said_twice_and_a_long_path_keeps_its_end() -> None:
    long = " ".join(f"word{place}" for place in range(11))
    text = f"# Guide\n## {long}\n### Trains and planes\n{DESK * 20}"
    passages = cut([Document(id="d", title="Guide", date="2026-01-01", text=text)])
    assert passages[0].text.startswith("Guide (2026-01-01): # Guide\n## word0")
    assert {one.under for one in passages[1:]} == {"Trains and planes"}
    assert passages[1].text.startswith("Guide (2026-01-01) > Trains and planes: ")


def test_an_index_keeps_headings_and_the_program_that_searches_it_alone_shows_them(tmp_path: Path) -> None:
    embedder = tiny.WordHashes()
    index = PassageIndex.build([SITES, *tiny.rooms()], embedder)
    index.save(tmp_path)
    again = PassageIndex.load(tmp_path, embedder)
    assert again.passages == index.passages
    assert any(passage.under for passage in index.passages)
    alone = lookup.Index(tmp_path, lambda texts, prompt=None: embedder.embed(texts))
    assert [one.text for _, one in alone.passages] == [passage.text for passage in index.passages]
    asked = "Which gate in Cardiff in an alarm?"
    (ours,) = index.search([asked], 4)
    assert [one.text for one in alone.find(asked, 4, "hybrid")] == [hit.text for hit in ours]


def test_an_index_of_earlier_versions_knows_no_headings(tmp_path: Path) -> None:
    embedder = tiny.WordHashes()
    old = tuple(Passage(document, 0, len(document.text)) for document in tiny.rooms())
    PassageIndex.made(old, embedder).save(tmp_path)
    assert PassageIndex.load(tmp_path, embedder).passages == old
