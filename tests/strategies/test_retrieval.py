"""Finding passages and examples: what is cut, what is found, and that saving changes neither."""

from __future__ import annotations

import json
import math
import random
import re
import subprocess
import sys
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from strategies.approaches.best_sentence import BestSentence, Quoting
from strategies.contract import Case, Document, Evidence, Fold, Kind, Query, Recipe, Task
from strategies.extending import updated
from strategies.finetuning.packs import encode
from strategies.finetuning.race import rows_of
from strategies.models.embedding import LocalEmbedder
from strategies.pipeline import Pipeline, Setup, load_pipeline
from strategies.prompting.demonstrations import Shown, founded, holds
from strategies.retrieval.chunking import cut, size
from strategies.retrieval.index import PassageIndex, fuse, word_index
from strategies.retrieval.named import Named
from strategies.retrieval.neighbours import SPARE, VOTERS, Neighbours
from strategies.retrieval.vectors import FEWEST, RECALL, flat_index, lists_index, recall, vector_index, vectors_of
from strategies.selection import PipelineBuilder
from strategies.sources import WITHOUT, Sources, without
from strategies.standalone import lookup
from strategies.words import SEARCHED, plain
from tests import tiny
from tests.desk import ROOT
from tests.scripted import ScriptedModel
from tests.tiny_embedder import embedder_folder

EMBEDDER = tiny.WordHashes()
ANSWERS = ScriptedModel(name="scripted", answer=lambda prompt: "4")
LONG = Document(
    id="handbook",
    title="Handbook",
    date="2026-03-01",
    text="  Holidays are 28 days a year.\n\n# Travel\nTrains before planes, second class. "
    + "Meals are paid up to 40 euros a day when the trip is longer than eight hours. " * 6
    + "\n\nLaptops are replaced every four years.  ",
)


@pytest.fixture(scope="module")
def index() -> PassageIndex:
    return PassageIndex.build((*tiny.rooms(), LONG), EMBEDDER)


# ---------------------------------------------------------------- passages


@pytest.mark.parametrize("words", [5, 20, 130])
def test_offsets_point_at_the_text_that_is_shown(words: int) -> None:
    passages = cut([LONG, *tiny.rooms()], words)
    texts = {document.id: document.text for document in (LONG, *tiny.rooms())}
    for passage in passages:
        shown = texts[passage.document_id][passage.start : passage.end]
        assert passage.text.endswith(shown)
        assert shown == shown.strip() != ""
        assert len(shown.split()) <= words


@pytest.mark.parametrize(
    "text",
    ["休暇は年に二十八日です。列車は二等車に限ります。" * 40, "ลูกค้าสามารถขอคืนเงินได้" * 60, "0123456789abcdef" * 600],
    ids=["japanese", "thai", "one long word"],
)
def test_what_has_no_spaces_is_cut_too(text: str) -> None:
    passages = cut([Document(id="d", text=text)], 40)
    assert len(passages) > 5
    assert "".join(passage.text for passage in passages) == text
    assert max(size(passage.text) for passage in passages) <= 40


def test_words_with_spaces_between_them_are_counted_one_by_one() -> None:
    assert size(LONG.text) == len(LONG.text.split())
    assert size("Überstunden werden später bezahlt") == 4
    assert size("") == 0


@pytest.mark.parametrize(
    ("line", "tokens"),
    [
        ("2024-03-17,SKU-4821,1502.50,EUR,warehouse\n", 23),
        ("https://intranet.example.com/policies/4821/travel?version=3#section-17\n", 26),
        ("Urlaubsabgeltung Betriebsvereinbarung Arbeitszeitkonten ", 21),
        ("| north | 51,204.77 | 8,310.05 | 99,120.40 |\n", 22),
    ],
    ids=["csv", "addresses", "compounds", "table"],
)
def test_what_is_read_as_many_tokens_fills_a_passage_with_fewer_words(line: str, tokens: int) -> None:
    """`tokens`: what the default embedder's tokenizer makes of a line, about; it reads 256 of them."""
    passages = cut([Document(id="d", text=line * 60)])
    assert max(len(passage.text) / len(line) * tokens for passage in passages) <= 300


@dataclass(frozen=True, kw_only=True)
class ShortSighted(tiny.WordHashes):
    """Stops reading after so many tokens."""

    reads: int | None = 128


@pytest.mark.parametrize(("reads", "most"), [(128, 65), (256, 130), (8192, 130), (None, 130)])
def test_passages_are_as_long_as_the_embedder_reads(reads: int | None, most: int) -> None:
    embedder = ShortSighted(reads=reads)
    prose = Document(id="d", text="Trains go before planes, and meals are paid on longer trips. " * 60)
    index = PassageIndex.build([prose], embedder)
    assert most - 11 <= max(len(passage.text.split()) for passage in index.passages) <= most
    if most == 130:
        assert index.passages == tuple(cut([prose])), "those of the default embedder stay as they were"
    builder = PipelineBuilder(
        replace(tiny.benchmark("qa").task, documents=(prose,)),
        tiny.Bench(folder=Path(), language=ANSWERS, embedder=embedder),
    )
    pipeline = builder.build(Setup(passages=1), tiny.questions(4))
    later = updated(pipeline, [replace(prose, text=prose.text.replace("planes", "cars"))])
    assert isinstance(later, Pipeline)
    assert isinstance(later.sources.index, PassageIndex)
    assert max(len(passage.text.split()) for passage in later.sources.index.passages) <= most


def test_a_local_embedder_says_how_much_it_reads(tmp_path: Path) -> None:
    embedder = LocalEmbedder(name="tiny", folder=embedder_folder(tmp_path), fingerprint="x")
    assert embedder.reads == embedder.model.max_seq_length
    long = "parcel " * 5_000
    assert embedder.reads is not None
    assert embedder.count([long]) <= embedder.reads
    embedder.model.max_seq_length = math.inf
    assert embedder.reads is None, "static embeddings read all"


def test_passages_say_where_they_come_from_and_how_old_that_is() -> None:
    assert cut([LONG])[0].text.startswith("Handbook (2026-03-01): Holidays")
    assert cut([Document(id="d", text="Plain.")])[0].text == "Plain."
    assert cut([Document(id="d", text="Dated.", date="2026-01-01")])[0].text == "2026-01-01: Dated."


@given(st.text(max_size=400))
@settings(max_examples=40, deadline=None)
def test_every_word_of_a_document_is_in_a_passage(text: str) -> None:
    passages = cut([Document(id="d", text=text)], 7)
    assert "".join("".join(passage.text for passage in passages).split()) == "".join(text.split())
    assert all(text[passage.start : passage.end] == passage.text for passage in passages)


# ---------------------------------------------------------------- search


@pytest.mark.parametrize("mode", ["dense", "hybrid"])
def test_known_passages_are_found(index: PassageIndex, mode: str) -> None:
    cases = tiny.questions(24)
    found = index.search([case.input for case in cases], 3, mode)  # type: ignore[arg-type]
    first = sum(hits[0].document_id in case.document_ids for case, hits in zip(cases, found, strict=True))
    among = sum(
        any(hit.document_id in case.document_ids for hit in hits) for case, hits in zip(cases, found, strict=True)
    )
    assert first >= 20
    assert among == 24


def test_words_find_what_vectors_cannot_tell_apart() -> None:
    """An embedder that sees only lengths: only BM25 knows the word."""

    class Lengths:
        name = fingerprint = "lengths"

        def embed(self, texts: Sequence[str]) -> Any:
            rows = np.array([[len(text), 1.0] for text in texts], dtype="float32")
            return rows / np.linalg.norm(rows, axis=1, keepdims=True)

    documents = [Document(id=str(place), text=f"the same old words about item{place:02}") for place in range(30)]
    found = PassageIndex.build(documents, Lengths()).search(["item17?"], 3, "hybrid")[0]
    assert found[0].document_id == "17"


@pytest.mark.parametrize(
    ("text", "counted"),
    [
        ("The Bank's na\u00efve e-mail_address, a 3rd", ["the", "bank", "na\u00efve", "mail_address", "3rd"]),
        (
            "\u5317\u4eac\u5927\u5b66 iPhone\u624b\u673a",
            ["\u5317\u4eac", "\u4eac\u5927", "\u5927\u5b66", "iphone", "\u624b\u673a"],
        ),
        ("\u4e00 two", ["\u4e00", "two"]),
        ("\u0915\u093f\u0924\u0928\u0947 \u0926\u093f\u0928", ["\u0915\u093f\u0924\u0928\u0947", "\u0926\u093f\u0928"]),
    ],
)
def test_a_search_by_words_counts_every_two_letters_where_there_are_no_spaces(text: str, counted: list[str]) -> None:
    assert re.findall(SEARCHED, text.lower()) == counted


def test_words_without_spaces_between_them_are_found() -> None:
    """By BM25, and by the program that goes with an export: the vectors of these tests know no such letters."""
    names = ("\u4e0a\u6d77", "\u5317\u4eac", "\u5e7f\u5dde")
    documents = [
        Document(id=name, text=f"{name}\u529e\u516c\u5ba4\u7684\u65e5\u5e38\u89c4\u5b9a\u3002") for name in names
    ]
    index = PassageIndex.build(documents, EMBEDDER)
    assert [index._by_words([f"\u5728{name}\u5417"], 3)[0][0] for name in names] == [0, 1, 2]


NFD = unicodedata.normalize("NFD", "L\u00ea Th\u1ecb H\u01b0\u01a1ng")
WRITTEN = [(NFD, unicodedata.normalize("NFC", NFD)), ("\uff15\uff10\uff10\u5186", "500\u5186"), ("\ufb01ve", "five")]


def test_words_are_the_same_however_their_letters_are_written() -> None:
    """Decomposed by a PDF, or full-width: what was shown counted as not found, and the search by words missed it."""
    for written, wanted in WRITTEN:
        case = Case(id="a", input="?", output=wanted, document_ids=("d",))
        known = Named([Document(id="d", text=f"It is {written}.")])
        shown = Shown(case, (Evidence(document_id="d", text=f"It is {written}.", score=1.0),))
        assert founded(tiny.benchmark("qa").task, known)(shown)
        index = PassageIndex.build([Document(id="d", text=written), Document(id="e", text="Hue")], EMBEDDER)
        assert [index._by_words([asked], 2) for asked in (wanted, written)] == [[[0]], [[0]]]
        assert index.search([wanted], 1)[0][0].text == written, "what is shown stays as it is written"
    assert plain("Foo\u2122 \u2116125") == ["foo", "125"], "a sign is no part of the word beside it"


def test_each_document_is_shown_before_one_is_shown_twice_best_first(index: PassageIndex) -> None:
    many = PassageIndex.build([LONG, *tiny.rooms()], EMBEDDER)
    (found,) = many.search(["meals paid on a trip"], 8, "dense")
    names = [hit.document_id for hit in found]
    assert len(names) == len(set(names)) == 8
    assert names[0] == "handbook"
    assert [hit.score for hit in found] == sorted((hit.score for hit in found), reverse=True)


def test_where_few_documents_are_found_more_passages_of_them_are_shown() -> None:
    index = PassageIndex.build([LONG, *tiny.rooms()[:1]], EMBEDDER, 20)
    for most in (1, 2, 3, 4):
        (found,) = index.search(["meals paid on a trip"], most, "dense")
        assert len({(hit.document_id, hit.start) for hit in found}) == most
        assert len({hit.document_id for hit in found}) == min(2, most)
        rest = [hit.score for hit in found[2:]]
        assert rest == sorted(rest, reverse=True)


def test_of_two_versions_that_are_found_the_newer_one_is_shown() -> None:
    rules = [
        Document(
            id=f"leave-{year}", title=f"Annual leave ({year})", date=f"{year}-01-01", text=f"{days} days of leave."
        )
        for year, days in ((2026, 28), (2023, 25))
    ]
    other = Document(id="sick", title="Sick leave", date="2020-01-01", text="Days of sick leave are paid.")
    index = PassageIndex.build([rules[1], other, rules[0]], EMBEDDER)
    for mode in ("dense", "hybrid"):
        (found,) = index.search(["how many days of leave"], 3, mode)
        assert sorted(item.document_id for item in found) == ["leave-2026", "sick"]
        (asked,) = index.search(["how many days of leave in 2023"], 3, mode)
        assert "leave-2023" in [item.document_id for item in asked]
    old = PassageIndex.build([rules[1], other], EMBEDDER)
    assert "leave-2023" in [item.document_id for item in old.search(["days of leave"], 2)[0]]


def reports(*dates: str) -> list[Document]:
    """Monthly ones, nearly the same, with the months of their dates in their titles."""
    text = "In this month the shop sold {} coats and {} hats. Visitors came mostly on Saturdays and stayed for an hour."
    return [
        Document(id=date, title=f"Monthly report {date[:7]}", date=date, text=text.format(place * 10, place * 7))
        for place, date in enumerate(dates, 1)
    ]


def found_by(index: PassageIndex, text: str, folder: Path) -> set[str]:
    """Documents that are found, by a saved index and by the program that goes with an export too."""
    (found,) = index.search([text], 9)
    index.save(folder)
    (again,) = PassageIndex.load(folder, EMBEDDER).search([text], 9)
    there = lookup.Index(folder, lambda texts, lead=None: EMBEDDER.embed(texts)).find(text, 9, "hybrid")
    names = [hit.document_id for hit in found]
    assert names == [hit.document_id for hit in again] == [passage.document for passage in there]
    return set(names)


@pytest.mark.parametrize(
    ("text", "older"),
    [
        ("How many coats were sold?", ()),
        ("How many coats were sold in January?", ("2024-01-28",)),
        ("coats sold, february or Mar.", ("2024-02-14",)),
        ("How many coats were sold on 5 January?", ("2024-01-28",)),
        ("How many coats were sold on the 14th?", ("2024-02-14",)),
        ("How many coats were sold on the 14th floor?", ()),
        ("How many coats were sold in 2024-01?", ("2024-01-28", "2024-02-14")),
        ("How many coats were sold in 2023?", ("2023-01-28", "2023-05-03")),
        ("How many coats may I buy in may?", ("2023-05-03",)),
        ("Were coats sold by May?", ("2023-05-03",)),
        ("How many coats may I buy?", ()),
    ],
)
def test_a_version_whose_year_month_or_day_the_request_names_is_found_too(
    text: str, older: tuple[str, ...], tmp_path: Path
) -> None:
    """Where a month comes every year, that of the newest year: rules of two years may hold from the same day."""
    index = PassageIndex.build(reports("2023-01-28", "2023-05-03", "2024-01-28", "2024-02-14", "2024-03-22"), EMBEDDER)
    assert found_by(index, text, tmp_path) == {"2024-03-22", *older}


def test_an_index_that_does_not_say_what_names_its_versions_is_searched_by_their_years(tmp_path: Path) -> None:
    index = PassageIndex.build(reports("2023-01-28", "2024-03-22"), EMBEDDER)
    index.save(tmp_path)
    passages, manifest = tmp_path / "passages.json", tmp_path / "manifest.json"
    kept, about = json.loads(passages.read_text()), json.loads(manifest.read_text())
    kept["versions"] = {place: version[:2] for place, version in kept["versions"].items()}
    del about["asked"]
    passages.write_text(json.dumps(kept))
    manifest.write_text(json.dumps(about))
    there = lookup.Index(tmp_path, lambda texts, lead=None: EMBEDDER.embed(texts))
    again = PassageIndex.load(tmp_path, EMBEDDER)
    for text, wanted in (("coats sold", 1), ("coats sold in 2023", 2)):
        assert len(there.find(text, 9, "hybrid")) == len(again.search([text], 9)[0]) == wanted


def test_what_comes_again_and_again_by_the_examples_is_no_version(tmp_path: Path) -> None:
    rules = [replace(one, id=f"rule {one.id}", title="Coats") for one in reports("2023-01-01", "2024-02-02")]
    documents = (*rules, *reports("2024-01-28", "2024-02-14", "2024-03-22"))
    examples = (
        Case(id="a", input="Who sold the most coats?", output="Ada", document_ids=("2024-01-28", "gone")),
        Case(id="b", input="Which coats were sold in 2023?", output="red", document_ids=("rule 2023-01-01",)),
        Case(id="c", input="Which coats are sold?", output="blue", document_ids=("rule 2024-02-02",)),
    )
    folds = (Fold(train=examples[:1], selection=examples[1:]),)
    task = replace(tiny.benchmark("qa").task, documents=documents, folds=folds)
    index = PipelineBuilder(task, tiny.Bench(folder=tmp_path, language=ANSWERS)).indexes.of()
    assert index is not None
    monthly = {"2024-01-28", "2024-02-14", "2024-03-22"}
    assert found_by(index, "coats sold", tmp_path) == {*monthly, "rule 2024-02-02"}
    quoting = BestSentence().fit(task, tiny.Bench(folder=tmp_path, language=ANSWERS))
    assert isinstance(quoting, Quoting)
    assert found_by(quoting.index, "coats sold", tmp_path) == {*monthly, "rule 2024-02-02"}
    newer = [replace(one, id=f"rule {one.id}", title="Coats") for one in reports("2025-01-01")]
    later = PassageIndex.load(tmp_path, EMBEDDER).updated(newer, cut(newer))
    assert found_by(later, "coats sold", tmp_path) == {*monthly, "rule 2025-01-01"}, "examples are of before"


@pytest.mark.parametrize("title", ["Ticket {}", "Section {}", "Acme Help Center", "{}. May 2026"])
def test_documents_that_share_a_title_but_for_a_number_are_no_versions(title: str) -> None:
    texts = ("Refunds take fourteen days.", "Parcels arrive by courier.", "Passwords are reset by mail.")
    documents = [
        Document(id=str(place), title=title.format(place), date=f"2026-0{place}-01", text=text)
        for place, text in enumerate(texts, 1)
    ]
    index = PassageIndex.build(documents, EMBEDDER)
    (found,) = index.search(["how many days do refunds take"], 3)
    assert found[0].document_id == "1"
    assert len(found) == 3


@pytest.mark.parametrize(
    ("old", "new", "known"),
    [
        ("5 May 2023", "1 January 2026", True),
        ("31/12/2023", "01/03/2026", True),
        ("02/03/2026", "01/04/2026", False),
        ("28.02.2026", "01.03.2026", True),
        ("Dec 15, 2023", "2026-01-01", True),
        ("2026", "2026-05-01", False),
        ("spring", "2026-05-01", False),
    ],
)
def test_which_version_is_newer_is_told_by_dates_as_far_as_these_are_certain(old: str, new: str, known: bool) -> None:
    documents = [
        Document(id=name, title=f"Annual leave [{date}]", date=date + hour, text=f"Staff have {days} days of leave.")
        for name, date, days, hour in (("old", old, 25, ""), ("new", new, 28, " 08:00"))
    ]
    index = PassageIndex.build(documents, EMBEDDER)
    (found,) = index.search(["how many days of leave do staff on grade 12 have after 15 years"], 3)
    assert sorted(hit.document_id for hit in found) == (["new"] if known else ["new", "old"])


def test_more_is_asked_for_than_there_is(index: PassageIndex) -> None:
    assert len(PassageIndex.build([LONG], EMBEDDER).search(["travel"], 5)[0]) == 1
    assert index.search([], 3) == []


@pytest.mark.parametrize("text", ["", "   ", "ü", "the of a", "!?"])
def test_documents_and_questions_without_a_word_break_nothing(index: PassageIndex, text: str) -> None:
    assert len(index.search([text], 2)[0]) == 2
    bare = PassageIndex.build([Document(id="d", text=text)], EMBEDDER)
    assert [hit.document_id for hit in bare.search(["question"], 2)[0]] == (["d"] if text.strip() else [])
    assert word_index([text]) is None


def test_faiss_gives_exactly_the_order_of_the_inner_products() -> None:
    dice = np.random.default_rng(0)
    vectors, asked = (dice.normal(size=(size, 24)).astype("float32") for size in (500, 20))
    scores, found = flat_index(vectors).search(asked, 10)
    exact = asked.astype("float64") @ vectors.T.astype("float64")
    assert found.tolist() == np.argsort(-exact, axis=1)[:, :10].tolist()
    assert np.allclose(scores, -np.sort(-exact, axis=1)[:, :10], atol=1e-4)


def test_a_saved_index_finds_the_same(index: PassageIndex, tmp_path: Path) -> None:
    index.save(tmp_path / "index")
    again = PassageIndex.load(tmp_path / "index", EMBEDDER)
    texts = [case.input for case in tiny.questions(24)]
    assert again.search(texts, 4) == index.search(texts, 4)
    assert again.passages == index.passages
    assert {path.suffix for path in (tmp_path / "index").iterdir()} == {".npy", ".json"}


# ---------------------------------------------------------------- fusion


def test_fusion_prefers_what_both_rankings_like() -> None:
    assert fuse([[1, 2, 3], [3, 4, 1]])[0] == 1
    assert fuse([[1, 2], [2, 1]]) == [1, 2]
    assert set(fuse([[1, 2], [5]])) == {1, 2, 5}
    assert fuse([[9, 4, 7]]) == [9, 4, 7]


@given(st.lists(st.permutations(list(range(8))), min_size=1, max_size=4))
@settings(max_examples=50, deadline=None)
def test_fusion_keeps_everything_once_and_agreement_wins(rankings: list[list[int]]) -> None:
    order = fuse(rankings)
    assert sorted(order) == list(range(8))
    for better, worse in ((a, b) for a in range(8) for b in range(8) if a != b):
        if all(ranking.index(better) < ranking.index(worse) for ranking in rankings):
            assert order.index(better) < order.index(worse)


# ---------------------------------------------------------------- neighbours


def test_the_nearest_example_is_the_one_with_the_same_words() -> None:
    cases = tiny.messages(40)
    found = Neighbours(cases, EMBEDDER).nearest([case.input for case in cases], 3)
    for case, hits in zip(cases, found, strict=True):
        assert hits[0][0] == case
        assert hits[0][1] == pytest.approx(1.0, abs=1e-5)
        assert [mark for _, mark in hits] == sorted((mark for _, mark in hits), reverse=True)


def test_an_example_is_passed_over_with_all_its_twins() -> None:
    twins = tuple(Case(id=f"twin{place}", input="the very same text", output="a") for place in range(12))
    cases = (*twins, *tiny.messages(6))
    (hits,) = Neighbours(cases, EMBEDDER).nearest(["the very same text"], 4, twins[:1])
    assert len(hits) == 4
    assert all(case.input != "the very same text" for case, _ in hits)


@pytest.mark.parametrize("exact", [True, False])
@pytest.mark.parametrize("size", [2, 3, SPARE + 40])
def test_an_example_is_passed_over_with_all_of_its_group(
    size: int, exact: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also where its group fills what is looked at besides; the others are found as if the group were not there."""
    if not exact:
        monkeypatch.setattr("strategies.retrieval.vectors.EXACT", 100)
    others = tiny.messages(120)
    alike = tuple(Case(id=f"x{n}", input=f"the same text, {n} times", output="a", group="x") for n in range(size))
    neighbours, alone = Neighbours((*alike, *others), EMBEDDER), Neighbours(others, EMBEDDER)
    asked = (*alike, *others[:2])
    texts = [case.input for case in asked]
    found, wanted = neighbours.nearest(texts, 4, asked), alone.nearest(texts[:size], 4)
    assert all(len(hits) == 4 for hits in found)
    assert all(case.group != "x" for hits in found[:size] for case, _ in hits)
    if exact:
        for hits, right in zip(found, wanted, strict=False):
            assert [mark for _, mark in hits] == pytest.approx([mark for _, mark in right], abs=1e-5)
    labels = [*sorted(tiny.TOPICS), "a"]
    assert all(row[-1] > 0.9 for row in neighbours.votes(texts[:size], labels))
    assert all(row[-1] < 0.5 for row in neighbours.votes(texts[:size], labels, alike))


def test_where_all_are_of_one_group_only_the_example_itself_is_passed_over() -> None:
    cases = tuple(replace(case, group="all") for case in tiny.messages(6))
    found = Neighbours(cases, EMBEDDER).nearest([case.input for case in cases], 3, cases)
    assert all(len(hits) == 3 for hits in found)
    assert all(case != own for own, hits in zip(cases, found, strict=True) for case, _ in hits)


def test_a_long_example_that_is_cut_is_still_not_its_own_demonstration(tmp_path: Path) -> None:
    """What is looked up is the cut text; what is passed over is the example that it came from."""
    benchmark = tiny.benchmark()
    long = Case(id="long", input="parcel " * 900, output="delivery")
    model = tiny.local_model(tiny.model_folder(tmp_path))
    builder = PipelineBuilder(benchmark.task, tiny.Bench(folder=tmp_path, language=model))
    pipeline = builder.build(Setup(shots=2, picks="nearest"), (long, *benchmark.task.examples))
    (request,) = pipeline.requests([tiny.query(long)], [long])
    assert request.cut
    assert all("parcel parcel" not in turn.content for turn in request.prompt[:-1])


def test_long_demonstrations_are_cut_as_the_question_is_and_give_way_to_the_instruction_of_a_lesson(
    tmp_path: Path,
) -> None:
    cases = tuple(Case(id=str(place), input=f"parcel {place} " * 400, output="delivery") for place in range(4))
    model = tiny.local_model(tiny.model_folder(tmp_path))
    builder = PipelineBuilder(tiny.benchmark().task, tiny.Bench(folder=tmp_path, language=model))
    for setup in (Setup(shots=1), Setup(shots=1, picks="nearest")):
        pipeline = builder.build(setup, cases[1:])
        (request,) = pipeline.requests([tiny.query(cases[0])])
        sizes = [len(turn.content) for turn in request.prompt if turn.role == "user"]
        assert len(sizes) == 2, "a demonstration that is cut leaves room for the question"
        assert max(sizes) < 1.1 * min(sizes) < len(cases[0].input)
        (row,) = rows_of(pipeline, cases[1:2])
        assert row.cut
        learnt = encode(model.chat, replace(row, cut=False), Recipe().max_tokens, every_answer=True)
        assert not learnt.truncated, "it loses no more than the end of its input"
        assert row.prompt[0].content in model.chat.tokenizer.decode(learnt.ids)


def test_a_lesson_holds_what_its_answer_stands_in(index: PassageIndex) -> None:
    (case,) = tiny.questions(1)
    gold, *_, other = (*index.passages_of(case.document_ids, case.input), *index.search(["trains"], 1)[0])
    sources = Sources((case,), EMBEDDER, index)
    assert holds(Shown(case, (gold,)))
    assert not holds(Shown(case, (other,)))
    assert sources.taught(Shown(case, (other, other)), holds) == (other, gold)
    assert sources.taught(Shown(case, (gold, other)), holds) == (gold, other)
    assert sources.taught(Shown(replace(case, document_ids=()), (other,)), holds) == (other,)
    assert sources.taught(Shown(case, ()), holds) == ()


def test_a_lesson_that_is_too_long_keeps_the_passage_that_its_answer_stands_in(tmp_path: Path) -> None:
    """It comes last where the search missed it, and the last passages go first: what was left taught to make things up."""
    wrong = (f"trains run late {place} " * 25 for place in range(3))
    documents = tuple(Document(id=str(place), text=text) for place, text in enumerate((*wrong, "whales, 1987 " * 30)))
    case = Case(id="b", input="Since when do trains run late?", output="1987", document_ids=("3",))
    model = tiny.local_model(tiny.model_folder(tmp_path))
    task = replace(tiny.benchmark("qa").task, documents=documents)
    pipeline = PipelineBuilder(task, tiny.Bench(folder=tmp_path, language=model)).build(
        Setup(passages=3), task.examples
    )
    (asked,) = pipeline.requests([tiny.query(case)])
    assert not without(case, pipeline.seed, WITHOUT)
    (lesson,) = pipeline.requests([tiny.query(case)], [case])
    assert len(asked.evidence) == 3
    assert "3" not in [passage.document_id for passage in asked.evidence]
    assert [passage.document_id for passage in lesson.evidence] == [asked.evidence[0].document_id, "3"]


def test_a_fifth_of_the_lessons_is_left_as_the_search_found_it(tmp_path: Path) -> None:
    """The same ones, whichever of the others are learnt with them."""
    documents = (Document(id="other", text="trains run late"), Document(id="gold", text="whales, 1987"))
    asked = "Since when do trains run late?"
    cases = [Case(id=str(place), input=asked, output="1987", document_ids=("gold",)) for place in range(200)]
    task = replace(tiny.benchmark("qa").task, documents=documents)
    model = tiny.local_model(tiny.model_folder(tmp_path))
    bench = tiny.Bench(folder=tmp_path, language=model)

    def missed(learnt: Sequence[Case], seed: int = 0, share: float = WITHOUT) -> set[str]:
        setup = Setup(passages=1, lacking=share)
        pipeline = replace(PipelineBuilder(task, bench).build(setup, task.examples), seed=seed)
        requests = pipeline.requests([tiny.query(case) for case in learnt], learnt)
        rows = zip(learnt, requests, strict=True)
        return {case.id for case, request in rows if request.evidence[0].document_id == "other"}

    found = missed(cases)
    assert 20 < len(found) < 60
    assert missed(cases[50:][::-1]) == {name for name in found if int(name) >= 50}
    assert missed(cases, seed=1) != found
    assert missed(cases, share=0.0) == set()


def test_a_fifth_of_the_lessons_is_learnt_without_what_the_search_found(tmp_path: Path) -> None:
    """Others take the place of what the answer rests on; what a training is judged by has it, as answering later has."""
    texts = {
        "gold": "trains run late since 1987",
        "copy": "late trains, 1987",
        "a": "trains run",
        "b": "late",
        "c": "whales",
    }
    documents = tuple(Document(id=name, text=text) for name, text in texts.items())
    asked, gold = "Since when do trains run late?", ("gold", "copy")
    cases = [Case(id=str(place), input=asked, output="1987", document_ids=gold) for place in range(40)]
    several = [replace(case, output=f"19{case.id}", answers=("1987",)) for case in cases]  # No answer that many share.
    task = replace(tiny.benchmark("qa").task, documents=documents)
    bench = tiny.Bench(folder=tmp_path, language=tiny.local_model(tiny.model_folder(tmp_path)))

    def shown(
        learnt: Sequence[Case], examples: Sequence[Case], misses: bool = True, share: float = WITHOUT
    ) -> list[set[str]]:
        pipeline = PipelineBuilder(task, bench).build(Setup(passages=2, lacking=share), examples)
        requests = pipeline.requests([tiny.query(case) for case in learnt], learnt, misses=misses)
        return [{item.document_id for item in request.evidence} for request in requests]

    marked = [without(case, 0, WITHOUT) for case in several]
    found = shown(several, several)
    assert 0 < sum(marked) < 20
    assert [len(each) for each in found] == [2] * len(several)
    assert [not each.intersection(gold) for each in found] == marked
    assert all(each.intersection(gold) for each in shown(several, several, misses=False))
    assert all(each.intersection(gold) for each in shown(several, several, share=0.0))
    rows = rows_of(PipelineBuilder(task, bench).build(Setup(passages=2, lacking=WITHOUT), several), several)
    assert ["1987" not in row.prompt[-1].content for row in rows] == marked
    unnamed = [replace(case, document_ids=(), answers=()) for case in several]
    assert shown(unnamed, several) == shown(unnamed, several, misses=False), "nothing tells what the answer rests on"


def test_where_examples_say_that_there_is_no_answer_no_lesson_teaches_to_make_one_up(tmp_path: Path) -> None:
    documents = (Document(id="gold", text="trains run late since 1987"), Document(id="other", text="trains run"))
    task = replace(tiny.benchmark("qa").task, documents=documents)
    bench = tiny.Bench(folder=tmp_path, language=tiny.local_model(tiny.model_folder(tmp_path)))
    told = [Case(id=f"t{n}", input="Since when?", output="1987", document_ids=("gold",)) for n in range(6)]
    none = [Case(id=f"n{n}", input="Who drives?", output="not in the handbook") for n in range(6)]

    def declines(task: Task, cases: Sequence[Case]) -> bool:
        return PipelineBuilder(task, bench).build(Setup(passages=1), cases).sources.declines(task)

    assert not declines(task, told)
    assert declines(task, [*told, *none])
    pipeline = PipelineBuilder(task, bench).build(Setup(passages=1, lacking=WITHOUT), [*told, *none])
    lessons = [replace(told[0], id=str(place)) for place in range(40)]
    requests = pipeline.requests([tiny.query(case) for case in lessons], lessons, misses=True)
    assert any(without(case, pipeline.seed, WITHOUT) for case in lessons)
    assert {request.evidence[0].document_id for request in requests} == {"gold"}
    labelled = replace(task, labels=("1987", "not in the handbook"))
    assert declines(labelled, [*told, *none]), "a label for which no example names a document"
    assert not declines(labelled, [*told, *(replace(case, document_ids=("other",)) for case in none)])


def test_what_an_answer_rests_on_is_told_by_its_words_or_by_its_document() -> None:
    """The word "no" stands in most passages; what it rests on is the document that the case names."""
    task = tiny.benchmark("qa").task
    case = Case(id="a", input="does it help", output="no", document_ids=("d",))
    own, wrong = (
        Evidence(document_id="d", text="it did", score=1.0),
        Evidence(document_id="e", text="no way", score=1.0),
    )
    cases: list[tuple[Kind, tuple[str, ...], Evidence]] = [("qa", (), wrong), ("classification", ("yes", "no"), own)]
    known = Named([Document(id="d", text="it did"), Document(id="e", text="no way")])
    for kind, labels, right in cases:
        tell = founded(replace(task, kind=kind, labels=labels), known)
        assert [tell(Shown(case, (one,))) for one in (own, wrong)] == [one is right for one in (own, wrong)]
    either = founded(replace(task, kind="generation"), known)
    assert either(Shown(case, (own,)))
    assert either(Shown(case, (wrong,)))
    assert not either(Shown(case))


def test_a_number_rests_on_the_document_that_the_case_names_where_that_holds_it() -> None:
    """A "5" stands in many documents; what other ones say counts only where the named one does not hold it, or is not there."""
    documents = [
        Document(id="leave", title="Leave", text="It takes 5 days."),
        Document(id="again", title="leave", text="It  takes 5 DAYS."),
        Document(id="log", title="Log", text="Raised on day 2, 3, 5 and 7."),
        Document(id="other", title="Other", text="It takes 5 days."),
    ]
    tell = founded(tiny.benchmark("qa").task, Named(documents))

    def found(*names: str, gold: tuple[str, ...] = ("leave",)) -> bool:
        case = Case(id="a", input="how many days?", output="5", document_ids=gold)
        texts = {document.id: document.text for document in documents}
        return tell(Shown(case, tuple(Evidence(document_id=name, text=texts[name], score=1.0) for name in names)))

    assert found("leave")
    assert found("log", "leave")
    assert found("again"), "it is a copy of the one that is named"
    assert not found("log")
    assert not found("other"), "its title says that it is about something else"
    assert found("log", gold=("leave.md",)), "there is no document of that id"
    assert found("log", gold=())


def test_a_document_is_known_by_its_copies_but_not_by_an_empty_text() -> None:
    texts = {"a": "One  text.", "b": "Another.", "c": "one text.", "empty": "", "void": ""}
    known = Named([Document(id=name, text=text) for name, text in texts.items()])
    case = Case(id="x", input="?", output="text", document_ids=("c", "gone", "void"))
    assert known.known(case) == ("c", "void")
    assert known.all_of(case) == ("a", "c", "void")
    assert [known.is_of(case, name) for name in ("a", "b", "gone", "empty")] == [True, False, True, False]
    assert known.copies() == [("a", "c")]
    assert known.hold(case)
    assert not known.hold(replace(case, document_ids=("b", "gone")))


def test_the_passages_of_a_document_come_with_the_nearest_first() -> None:
    text = "Trains leave at nine in the morning.\n\nRefunds take ten days and are paid to the card."
    index = PassageIndex.build([Document(id="d", text=text), Document(id="e", text="Refunds.")], EMBEDDER, 8)
    for asked in ("refunds paid to the card", "when do trains leave in the morning"):
        found = index.passages_of(["d"], asked)
        assert {one.document_id for one in found} == {"d"}
        assert len(found) > 1
        assert asked.split()[-1] in found[0].text
    assert index.passages_of(["x"], "anything") == []


def test_votes_are_shares_and_lean_to_the_near() -> None:
    labels = tuple(tiny.TOPICS)
    cases = tiny.messages(48)
    votes = Neighbours(cases, EMBEDDER).votes([case.input for case in cases], labels)
    right = 0
    for case, row in zip(cases, votes, strict=True):
        assert sum(row) == pytest.approx(1.0)
        right += labels[row.index(max(row))] == case.output
    assert right >= 44


def test_votes_without_examples_of_any_label_are_even() -> None:
    cases = tuple(Case(id=f"a{n}", input="text", output="something else") for n in range(VOTERS))
    assert Neighbours(cases, EMBEDDER).votes(["text"], ("x", "y")) == [[0.5, 0.5]]


def test_the_words_of_a_label_vote_for_it_as_one_more_example() -> None:
    cases = (Case(id="a", input="where is my parcel", output="late_parcel"),)
    labels = ("late_parcel", "lost_card")
    (row,) = Neighbours(cases, EMBEDDER).votes(["my lost card is gone"], labels)
    assert row[1] > row[0], "no example has that label"
    (row,) = Neighbours(cases, EMBEDDER).votes(["where is my parcel now"], labels)
    assert row[0] > row[1]
    assert sum(row) == pytest.approx(1)


def test_the_embedder_of_these_tests_is_one() -> None:
    """Unit length, the same each time, near where words are shared."""
    texts = [case.input for case in tiny.messages(20)]
    random.Random(1).shuffle(texts)
    vectors = EMBEDDER.embed(texts)
    assert vectors.dtype == np.float32
    assert np.allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-5)
    assert np.array_equal(vectors, tiny.WordHashes().embed(texts))


def test_what_is_shown_and_what_votes_is_embedded_once() -> None:
    cases = tuple(tiny.messages(20))
    asked: list[str] = []

    class Counting(tiny.WordHashes):
        def embed(self, texts: Sequence[str]) -> Any:
            asked.extend(texts)
            return super().embed(texts)

    neighbours = Neighbours(cases, Counting())
    texts = ["where is my card", "a refund please"]
    shown = neighbours.nearest(texts, 3)
    neighbours.votes(texts, sorted({case.output for case in cases}))
    assert asked.count(texts[0]) == 1
    assert neighbours.nearest(texts[:1], 3) == shown[:1]
    neighbours.nearest(["another text"], 3)
    neighbours.nearest(texts, 3)
    assert asked.count(texts[0]) == 2


def clustered(number: int) -> Any:
    dice = np.random.default_rng(0)
    centres = dice.normal(size=(50, 32))
    vectors = centres[dice.integers(0, 50, number)] + 0.5 * dice.normal(size=(number, 32))
    return (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype("float32")


def test_many_vectors_are_found_in_lists_nearly_as_well(monkeypatch: pytest.MonkeyPatch) -> None:
    vectors = clustered(6000)
    assert "IVF" not in type(vector_index(vectors)).__name__
    monkeypatch.setattr("strategies.retrieval.vectors.EXACT", 1000)
    monkeypatch.setattr("strategies.retrieval.vectors.SLICE", 700)
    lists = vector_index(vectors)
    assert "IVF" in type(lists).__name__
    assert lists.ntotal == len(vectors)
    assert FEWEST <= lists.nprobe < lists.nlist, "not all of them are read"
    asked = clustered(6300)[6000:]
    assert recall(lists.search(asked, 10)[1], flat_index(vectors).search(asked, 10)[1]) >= RECALL - 0.02


def test_where_lists_miss_neighbours_all_are_compared(caplog: pytest.LogCaptureFixture) -> None:
    vectors = np.random.default_rng(0).normal(size=(4000, 64)).astype("float32")
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    lists = lists_index(vectors)
    assert lists.nprobe == lists.nlist > FEWEST
    assert "all are compared" in caplog.text
    asked = vectors[:50]
    assert (lists.search(asked, 10)[1] == flat_index(vectors).search(asked, 10)[1]).all()


def test_many_texts_have_their_vectors_in_a_file(monkeypatch: pytest.MonkeyPatch) -> None:
    texts = [f"word {place} and {place % 7}" for place in range(90)]
    whole = vectors_of(texts, EMBEDDER)
    monkeypatch.setattr("strategies.retrieval.vectors.EXACT", 50)
    monkeypatch.setattr("strategies.retrieval.vectors.SLICE", 40)
    kept = vectors_of(texts, EMBEDDER)
    assert isinstance(kept, np.memmap)
    assert not isinstance(whole, np.memmap)
    assert (kept == whole).all()


def test_loaded_vectors_stay_in_their_file_and_are_saved_over_it(tmp_path: Path, index: PassageIndex) -> None:
    index.save(tmp_path)
    again = PassageIndex.load(tmp_path, EMBEDDER)
    assert isinstance(again.vectors, np.memmap)
    again.save(tmp_path)
    assert {path.name for path in tmp_path.iterdir()} == {"vectors.npy", "passages.json", "manifest.json"}
    assert (again.vectors == index.vectors).all()
    assert (PassageIndex.load(tmp_path, EMBEDDER).vectors == index.vectors).all()
    assert again.search(["travel"], 3) == index.search(["travel"], 3)


@pytest.mark.nightly
@pytest.mark.skipif(sys.platform != "linux", reason="memory is read as Linux tells it")
def test_many_vectors_are_indexed_with_no_more_in_memory_than_they_are() -> None:
    """More than are compared one by one. The vectors lie on disk, so that what the process holds is its index."""
    command = [sys.executable, "-m", "benchmarks.studies.indexes", "lists", "250000"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    found = json.loads(done.stdout)
    assert found["recall@10"] >= RECALL - 0.02
    assert found["index MB"] <= 1.4 * found["vectors MB"]


def test_documents_are_searched_in_passages_of_the_size_that_the_setup_asks_for(tmp_path: Path) -> None:
    sentences = [
        "The gate opens at seven on weekdays.",
        "Lunch is served at noon in the hall.",
        "Badges cost four pounds.",
    ]
    task = replace(tiny.benchmark("qa").task, documents=(Document(id="d", text=" ".join(sentences)),))
    builder = PipelineBuilder(
        task,
        tiny.Bench(
            folder=tmp_path, language=ScriptedModel(name="s", answer=lambda prompt: ""), embedder=tiny.WordHashes()
        ),
    )
    asked = [Query.of("When is lunch served?")]
    found = {}
    for words in (130, 8):
        setup = Setup(passages=1, passage_words=words, mode="dense")
        pipeline = builder.build(setup, task.examples)
        pipeline.save(tmp_path / str(words))
        again = load_pipeline(tmp_path / str(words), builder.bench)
        assert again.requests(asked) == pipeline.requests(asked)
        found[words] = pipeline.requests(asked)[0].evidence[0].text
    assert found == {130: " ".join(sentences), 8: sentences[1]}
