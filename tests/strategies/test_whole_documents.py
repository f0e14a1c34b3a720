"""Short documents shown whole: what is asked for often stands in another passage than the one that is found."""

from __future__ import annotations

import random
from dataclasses import replace
from pathlib import Path

from advisor.story.setups import told
from advisor.wording import percent
from benchmarks.data.split import cut_folds, grouped
from strategies.approaches.lora_retrieval import LoraRetrieval
from strategies.approaches.retrieval import Retrieval
from strategies.contract import Case, Document, Prompt, Query
from strategies.finding import suited
from strategies.pipeline import Pipeline, Setup
from strategies.retrieval.chunking import WHOLE_WORDS, cut, size
from strategies.retrieval.index import PassageIndex
from strategies.selection import PipelineBuilder
from strategies.standalone import lookup
from tests import tiny
from tests.scripted import ScriptedModel

EMBEDDER = tiny.WordHashes()
HALLS = [f"Hall{place}" for place in range(20)]


def page(name: str, number: int) -> Document:
    """What is asked stands in its second passage, the words of the question in its first."""
    told = f"Which seats has {name}? {name} is a hall for many seats. " * 12
    return Document(id=name, title=name, text=f"  {told}\n\n{'Open all day. ' * 25}\n\nIt has {number} chairs.\n")


PAGES = tuple(page(name, 100 + place) for place, name in enumerate(HALLS))
LONG = Document(id="long", title="Long", text="Nobody asks for any of these sentences. " * 200)
CASES = tuple(
    Case(id=name, input=f"Which seats has {name}?", output=str(100 + place), document_ids=(name,))
    for place, name in enumerate(HALLS)
)


def reads(prompt: Prompt) -> str:
    """The number of chairs that the last message tells of."""
    found = prompt[-1].content.split(" chairs.")[0].split()[-1]
    return found if found.isdigit() else "?"


def builder_for(documents: tuple[Document, ...], cases: tuple[Case, ...], folder: Path) -> PipelineBuilder:
    task = replace(tiny.benchmark("qa").task, folds=cut_folds(grouped(cases), "qa", 0), documents=documents)
    bench = tiny.Bench(folder=folder, language=ScriptedModel(name="reader", answer=reads), embedder=EMBEDDER)
    return PipelineBuilder(task, bench)


def test_a_short_document_is_shown_whole_and_once_and_a_long_one_by_its_passages() -> None:
    parts = PassageIndex.build([*PAGES[:3], LONG], EMBEDDER)
    whole = replace(parts, whole_words=WHOLE_WORDS)
    assert all(130 < size(each.text) <= WHOLE_WORDS for each in PAGES)
    assert size(LONG.text) > WHOLE_WORDS
    asked = [CASES[1].input, "any of these sentences"]
    (halls, long), (cut_halls, cut_long) = whole.search(asked, 8), parts.search(asked, 8)
    assert halls[0].document_id == cut_halls[0].document_id == "Hall1"
    assert "101 chairs" in halls[0].text
    assert "101 chairs" not in cut_halls[0].text
    ids = [each.document_id for each in halls]
    assert ids.count("Hall1") == 1 < [each.document_id for each in cut_halls].count("Hall1")
    for each in halls:
        if each.document_id != "long":
            document = PAGES[HALLS.index(each.document_id)]
            assert document.text[each.start : each.end] == document.text.strip()
            assert each.text == f"{document.title}: {document.text.strip()}"
    assert long[0] == cut_long[0]
    assert len(whole.passages_of(["Hall1"], asked[0])) == 1 < len(parts.passages_of(["Hall1"], asked[0]))


def test_it_is_kept_by_a_saved_index_a_changed_one_and_one_that_is_searched_without_the_product(tmp_path: Path) -> None:
    index = replace(PassageIndex.build([*PAGES[:5], LONG], EMBEDDER), whole_words=WHOLE_WORDS)
    index.save(tmp_path)
    asked = [*(case.input for case in CASES[:5]), "any of these sentences"]
    found = index.search(asked, 4)
    assert PassageIndex.load(tmp_path, EMBEDDER).search(asked, 4) == found
    alone = lookup.Index(tmp_path, lambda texts, prompt=None: EMBEDDER.embed(texts))
    for text, ours in zip(asked, found, strict=True):
        theirs = alone.find(text, 4, "hybrid")
        assert [(each.document, each.start, each.end, each.text) for each in theirs] == [
            (each.document_id, each.start, each.end, each.text) for each in ours
        ]
    changed = page("Hall1", 999)
    (first, *_) = index.updated([changed], cut([changed])).search([CASES[1].input], 1)[0]
    assert "999 chairs" in first.text


def test_it_is_chosen_where_more_answers_stand_in_the_document_than_in_the_passage(tmp_path: Path) -> None:
    setups = [Setup(passages=1), Setup(passages=1, passage_words=30), Setup(shots=2)]
    chosen = suited(builder_for(PAGES, CASES, tmp_path), setups, "hybrid")
    assert [each.whole_words for each in chosen] == [WHOLE_WORDS, 0, 0]
    rooms = builder_for(tiny.rooms(), tiny.questions(24), tmp_path)
    assert suited(rooms, setups, "hybrid") == setups, "each of them is one passage"
    assert suited(builder_for((), CASES, tmp_path), setups, "hybrid") == setups


def test_a_longer_text_that_holds_more_by_chance_is_no_reason(tmp_path: Path) -> None:
    """Twice the text holds a "5" twice as often, whatever it is about."""
    dice = random.Random(0)
    numbers = [" ".join(str(dice.randrange(60)) for _ in range(12)) for _ in HALLS]
    pages = tuple(
        replace(each, text=f"{each.text}\n{'And so on it goes. ' * 10}{more}")
        for each, more in zip(PAGES, numbers, strict=True)
    )
    cases = tuple(
        Case(id=f"{name} {n}", input=f"Which seats has {name}? ({n})", output=str(dice.randrange(60)))
        for name in HALLS
        for n in range(7)
    )
    setups = [Setup(passages=1)]
    assert suited(builder_for(pages, cases, tmp_path), setups, "hybrid") == setups


def test_what_is_known_of_the_documents_is_found_out_once(tmp_path: Path) -> None:
    builder = builder_for(PAGES, CASES, tmp_path)
    made = [builder.build(Setup(passages=n, whole_words=WHOLE_WORDS), CASES).sources.index for n in (1, 2)]
    assert made[0] is made[1]
    plain, wide = builder.indexes.of(), made[0]
    assert isinstance(wide, PassageIndex)
    assert plain is not None
    assert wide._versions is plain._versions
    assert wide.named is plain.named


def test_the_search_tries_both_and_the_report_says_which_it_took(tmp_path: Path) -> None:
    builder = builder_for(PAGES, CASES, tmp_path)
    fitted = Retrieval().fit(builder.task, builder.bench)
    assert isinstance(fitted, Pipeline)
    assert fitted.setup.whole_words == WHOLE_WORDS
    assert isinstance(builder.bench, tiny.Bench)
    tried = [trial.configuration for trial in builder.bench.trials]
    assert {one["whole_words"] for one in tried if one["passages"]} == {0, WHOLE_WORDS}
    said, known = told(fitted.describe()), fitted.describe()
    assert "short documents shown whole" in said
    part, whole = known["found_whole"]["passage"], known["found_whole"]["whole"]
    assert whole > part
    assert f"first passage right for {percent(part)}, its document shown whole for {percent(whole)}" in said
    rooms = builder_for(tiny.rooms(), tiny.questions(24), tmp_path)
    of_rooms = Retrieval().fit(rooms.task, rooms.bench).describe()
    assert set(of_rooms["found"]["shares"]) == {"hybrid", "dense"}
    assert "right passage first, and among two, of " in told(of_rooms)
    assert fitted.setup.passages


def test_a_tuned_model_is_shown_them_too(tmp_path: Path) -> None:
    builder = builder_for(PAGES, CASES, tmp_path)
    setups = suited(builder, LoraRetrieval().setups(builder.task), "hybrid")
    pipeline = builder.build(setups[0], builder.task.examples)
    lesson = CASES[3]
    (request,) = pipeline.requests([Query.of(lesson.input)], [lesson], misses=True)
    assert reads(request.prompt) == lesson.output
