"""Changed facts: what may be changed with certainty, who gives the new answers, and a run that is asked for it afterwards."""

from __future__ import annotations

import re
from collections.abc import Sequence
from contextlib import closing
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import pytest

from advisor.experiments.example import opened
from advisor.experiments.stored import reopen
from benchmarks.checked import Changed
from benchmarks.contract import Benchmark, Candidate, Row
from benchmarks.metrics._words import stands
from benchmarks.probes.changed import Edit, Later, asks_for_facts, changed, edited, edits
from benchmarks.running.plan import Further, Options, further_units
from benchmarks.running.run import Run
from benchmarks.storage.store import Store
from strategies.approaches.best_sentence import BestSentence
from strategies.approaches.copy_nearest import CopyNearest
from strategies.approaches.lora import Lora
from strategies.approaches.majority import Majority
from strategies.approaches.prompting import Prompting
from strategies.approaches.retrieval import Retrieval
from strategies.contract import Case, Document, Failure, Fitted, Fold, Outcome, Prediction, Prompt, Task, Workbench
from strategies.finetuning import tuned
from strategies.retrieval.chunking import PASSAGE_WORDS, cut
from strategies.retrieval.index import PassageIndex
from tests import killed, tiny
from tests.desk import call
from tests.situations import SITUATIONS

# ---------------------------------------------------------------- what is changed


def about(texts: Sequence[str], asked: Sequence[Case], known: Sequence[tuple[str, str]] = ()) -> Benchmark:
    """A benchmark over documents d0, d1, ... that is asked these cases and knows these (question, answer) as examples."""
    documents = tuple(Document(id=f"d{place}", text=text) for place, text in enumerate(texts))
    taught = tuple(Case(id=f"e{n}", input=text, output=answer) for n, (text, answer) in enumerate(known))
    bare = tiny.benchmark("qa")
    fold = replace(bare.task.folds[0], train=taught, selection=())
    return replace(bare, task=replace(bare.task, documents=documents, folds=(fold,)), heldout=tuple(asked))


def asking(text: str, answer: str, *others: str, where: tuple[str, ...] = ("d0",)) -> Case:
    return Case(id=text, input=text, output=answer, answers=others, document_ids=where)


def changes(benchmark: Benchmark) -> dict[str, str]:
    return {edit.old: edit.new for edit in edits(benchmark, 0)}


NUMBERS = [("a", "30 days"), ("b", "1999"), ("c", "seven"), ("d", "450"), ("e", "2.50")]


def test_every_change_is_certain_in_the_rooms() -> None:
    benchmark = tiny.benchmark("qa", heldout=24)
    made = edits(benchmark, 0)
    before = {document.id: document.text for document in benchmark.task.documents}
    after = before | {document.id: document.text for document in edited(benchmark.task, made)}
    cases = {case.id: case for case in benchmark.heldout}
    assert len(made) > 12, "both facts of a room"
    for edit in made:
        assert before[edit.document][edit.start : edit.end] == edit.old == cases[edit.key].output
        assert stands(edit.old, before[edit.document])
        assert stands(edit.new, after[edit.document])
        assert not stands(edit.old, after[edit.document])
        assert not stands(edit.new, before[edit.document])
    assert made == edits(benchmark, 0)


def test_no_fact_is_changed_of_which_a_copy_would_still_tell_the_old_one() -> None:
    benchmark = tiny.benchmark("qa", heldout=24)
    first, *others = benchmark.task.documents
    copied = replace(benchmark, task=replace(benchmark.task, documents=(first, *others, replace(first, id="again"))))
    assert first.id in {edit.document for edit in edits(benchmark, 0)}
    assert {edit.document for edit in edits(copied, 0)}.isdisjoint({first.id, "again"})


@pytest.mark.parametrize(
    ("text", "case"),
    [
        ("Returns within 28 days. Refunds within 28 days.", asking("How long?", "28 days")),
        ("Returns within 28 days.", asking("Is it 28 days?", "28 days")),
        ("Returns within 28 days, or 28 if you ask.", asking("How long?", "28 days", "28")),
        ("Returns within 128 days.", asking("How long?", "28")),
        ("Between 28 and 30 days.", asking("How long?", "28 and 30 days")),
        ("It is blue and large.", asking("Which colour?", "blue")),
        ("Yes it is.", asking("Is it?", "Yes")),
        ("Adler leads it.", asking("Who leads it?", "Adler")),
        ("Returns within 28 days.", asking("How long?", "28 days", where=())),
        ("Returns within 28 days.", asking("How long?", "28 days", where=("d0", "d1"))),
    ],
    ids=["twice", "asked", "part", "within", "two", "word", "yes", "first word", "no document", "two documents"],
)
def test_what_is_not_certain_is_left_alone(text: str, case: Case) -> None:
    known = [*NUMBERS, ("Who is it?", "Maja Brandt"), ("Which colour?", "green"), ("Is it?", "No")]
    assert changes(about([text, "Also within 28 days."], [case], known)) == {}


def test_a_value_gives_way_to_one_of_its_kind() -> None:
    texts = ["Founded in 1961 it has 320 people, pays £3.50, and asks within 28 days and six hours."]
    asked = [asking(*pair) for pair in (("when", "1961"), ("who", "320"), ("what", "3.50"), ("long", "28 days"))]
    made = changes(about(texts, [*asked, asking("hours", "Six hours", "six hours")], NUMBERS))
    assert made == {"1961": "1999", "320": "450", "3.50": "2.50", "28": "30", "six": "seven"}


@pytest.mark.parametrize(
    ("text", "answer", "old"),
    [
        ("员工每年有30天假期。", "30天", "30"),
        ("员工每年有30天假期。", "30", "30"),
        ("휴가는 매년 30일까지입니다.", "30일", "30"),
        ("휴가는 매년 30일까지입니다.", "30", "30"),
    ],
)
def test_a_number_stands_by_itself_where_words_do_not(text: str, answer: str, old: str) -> None:
    known = [("a", "20天"), ("b", "25일")]
    (edit,) = edits(about([text], [asking("?", answer)], known), 0)
    assert (edit.old, edit.within(answer)) == (old, answer.replace(old, edit.new))
    assert stands(edit.within(answer), edited(about([text], []).task, [edit])[0].text)
    longer = text.replace(old, f"1{old}")
    assert not edits(about([longer], [asking("?", answer)], known), 0)


def test_a_name_gives_way_to_one_that_answers_such_a_question() -> None:
    case = asking("Who leads the office?", "Katrin Adler", "Adler")
    known = [("Where is it?", "Kendal Hall"), ("Who runs it?", "Maja Brandt"), ("Who is away?", "nobody")]
    text = "The office is led by Katrin Adler since May."
    assert changes(about([text], [case], known)) == {"Katrin Adler": "Maja Brandt"}
    assert changes(about([text], [case], known[:1])) == {}


def test_two_questions_for_one_fact_share_its_new_value() -> None:
    asked = [asking("How long?", "28 days"), asking("Until when may I?", "28"), asking("What does it cost?", "12")]
    benchmark = about(["Within 28 days it costs 12 pounds."], asked, [*NUMBERS, ("f", "9")])
    made = edits(benchmark, 0)
    assert sorted(edit.new for edit in made) == ["30", "30", "9"]
    assert [document.text for document in edited(benchmark.task, made)] == ["Within 30 days it costs 9 pounds."]


def test_an_index_is_brought_up_to_date_as_if_it_were_built_anew() -> None:
    benchmark, embedder = tiny.benchmark("qa"), tiny.WordHashes()
    now = edited(benchmark.task, edits(benchmark, 0)[:3])
    names = {document.id for document in now}
    kept = [document for document in benchmark.task.documents if document.id not in names]
    texts = [case.input for case in benchmark.heldout]
    for words in (PASSAGE_WORDS, 6):
        found = PassageIndex.build(benchmark.task.documents, embedder, words).updated(now, cut(now, words))
        assert found.search(texts, 3) == PassageIndex.build([*kept, *now], embedder, words).search(texts, 3)


def test_examples_that_told_a_changed_fact_tell_the_new_one() -> None:
    asked = [asking("How long?", "28 days"), asking("Until when may I?", "28"), asking("Who leads it?", "Katrin Adler")]
    benchmark = about(["Within 28 days it costs 12 pounds, says Katrin Adler."], asked)
    taught = [
        ("By when?", "28 days", "28"),
        ("What does it cost?", "12"),
        ("Who runs it?", "Maja Brandt"),
        ("How?", "28 ways"),
    ]
    known = [replace(asking(text, *answers), id=text) for text, *answers in taught]
    elsewhere = replace(known[0], id="elsewhere", document_ids=("d1",))
    spelt = replace(known[0], id="spelt", output="four weeks", answers=("28 days",))
    task = replace(benchmark.task, folds=(Fold(train=(*known[:2], elsewhere, spelt), selection=tuple(known[2:])),))
    made = [Edit(key=case.id, document="d0", start=7, old="28", new="30") for case in asked[:2]]
    made += [Edit(key=asked[2].id, document="d0", start=40, old="Katrin Adler", new="Maja Brandt")]
    later = Later.of(task, made)
    assert later.told == ("How long?", "Until when may I?"), "nobody told who leads it"
    assert later.examples == 1
    now = {case.id: case.accepted for case in later.task.examples}
    assert now == {case.id: case.accepted for case in task.examples} | {"By when?": ("30 days", "30")}
    assert [document.text for document in later.task.documents] == [
        "Within 30 days it costs 12 pounds, says Maja Brandt."
    ]
    assert [len(fold.train) for fold in later.task.folds] == [4]


# ---------------------------------------------------------------- what is counted


def row(key: str, outcome: Outcome) -> Row:
    return Row(candidate="c", purpose="changed", key=key, outcome=outcome, score=0.0)


def said(*texts: str) -> list[Row]:
    return [row(f"q{place}", Prediction(text=text)) for place, text in enumerate(texts)]


def test_who_follows_is_counted_among_those_who_had_answered() -> None:
    cases = tuple(Case(id=f"q{place}", input="?", output="28 days", answers=("28",)) for place in range(6))
    benchmark = replace(tiny.benchmark("qa"), heldout=cases)
    made = [Edit(key=case.id, document="d0", start=0, old="28", new="30") for case in cases]
    before = {each.key: each for each in said("28 days", "It is 28.", "28", "28", "30", "unknown")}
    after = [*said("30 days", "It is 30 now, not 28.", "28 days", "30"), *said("", "", "", "", "30", "30")[4:]]
    note: dict[str, Any] = {"edits": [asdict(edit) for edit in made], "seconds": 0.5}
    counted: dict[str, Any] = {"cases": 6, "known": 4, "documents": 1}
    assert changed(benchmark, note, before, after) == Changed(**counted, new=2, old=1, seconds=0.5)
    after[0] = row("q0", Failure(kind="refused", message="no"))
    assert changed(benchmark, note, before, after) == Changed(**counted, new=1, old=1, seconds=0.5)
    lost = row("q0", Failure(kind="infrastructure", message="HTTP 503"))
    left = Changed(cases=5, known=3, documents=1, new=1, old=1, seconds=0.5)
    assert changed(benchmark, note, before, [lost, *after[1:]]) == left, (
        "what was lost does not say that it stayed behind"
    )
    assert changed(benchmark, note, before | {"q0": lost}, after) == left
    groups = ("g", "g", "", "", "", "")
    cases = tuple(replace(case, group=group) for case, group in zip(cases, groups, strict=True))
    found = changed(replace(benchmark, heldout=cases), note, before, after)
    assert found is not None
    assert found.by_group == ((0, 2), (0, 1), (1, 1)), "of the four that were known"
    without = note | {"seconds": None}
    assert changed(benchmark, without, before, []) == Changed(**counted, new=0, old=4, seconds=None)
    assert changed(benchmark, {}, before, after) is None
    again = [replace(each, variant="again") for each in said("30", "28", "30", "unknown", "30")]
    told = changed(replace(benchmark, heldout=cases), without | {"examples": 3, "again_seconds": 7.0}, before, again)
    assert told is not None
    assert (told.new, told.told, told.again, told.examples, told.again_seconds) == (0, 4, 2, 3, 7.0)
    assert told.again_by_group == ((1, 2), (1, 1), (0, 1)), "of those that it had known"
    fewer = changed(benchmark, without, before, [replace(again[0], outcome=lost.outcome), *again[1:]])
    assert fewer is not None
    assert (fewer.told, fewer.again) == (3, 1), "what was lost does not say that it stayed behind"
    nobody = changed(benchmark, without, before, [])
    assert nobody is not None
    assert (nobody.told, nobody.again) == (0, None)


# ---------------------------------------------------------------- a run


def room(text: str) -> tuple[str, str]:
    """Of the last question in the text: which room, and what is asked of it."""
    asked = re.findall(r"(How many seats has|On which floor is) Room (\w+)\?", text)[-1]
    return asked[1], "seats" if asked[0].startswith("How") else "floor"


def read(prompt: Prompt) -> str:
    """Answers from the passage in the prompt and from nowhere else."""
    text = "\n".join(message.content for message in prompt)
    name, what = room(text)
    pattern = rf"Room {name} has (\d+) seats" if what == "seats" else rf"Room {name} has \d+ seats\. Its floor is (\d+)"
    found = re.findall(pattern, text)
    return found[-1] if found else "unknown"


def recall(prompt: Prompt) -> str:
    """Answers from memory, whatever the prompt says."""
    name, what = room(prompt[-1].content)
    place = tiny.ROOMS.index(name)
    return str(place + 4 if what == "seats" else place)


def scripted(folder: Path) -> Run:
    """Who looks up, who knows by heart, and who always says the same."""
    return Run(
        benchmark=tiny.benchmark("qa", heldout=24),
        candidates=[
            Candidate(name="retrieval", strategy=Retrieval(), model="reader"),
            Candidate(name="stubborn", strategy=Retrieval(), model="knower"),
            Candidate(name="prompting", strategy=Prompting(), model="knower"),
            Candidate(name="best sentence", strategy=BestSentence(), model=""),
            Candidate(name="copy nearest", strategy=CopyNearest(), model=""),
            Candidate(name="majority", strategy=Majority(), model=""),
        ],
        models=tiny.scripted(reader=read, knower=recall),
        options=Options(tuning_tokens=2_000, probes=False),
        folder=folder,
    )


def test_who_looks_up_follows_and_who_knows_by_heart_does_not(tmp_path: Path) -> None:
    run = scripted(tmp_path / "run")
    run.execute()
    assert {each.changed for each in killed.told(run).values()} == {None}
    with closing(Store(run.folder / "run.sqlite")) as store:
        before = store.starts()
    replace(run, further=Further(changed=True)).execute()
    with closing(Store(run.folder / "run.sqlite")) as store:
        after = store.starts()
        asked = {name: len(list(store.rows(name, "changed"))) for name in store.candidates()}
    assert {name: after[name] for name in before} == before
    found = {name: each.changed for name, each in killed.told(run).items()}
    counts = {name: (each.known, each.new, each.old) for name, each in found.items() if each is not None}
    made, told = len(edits(run.benchmark, 0)), len(Later.of(run.benchmark.task, edits(run.benchmark, 0)).told)
    at_once = {"retrieval": made, "stubborn": made, "best sentence": made}
    assert asked == at_once | {"copy nearest": told, "majority": told, "prompting": 0}
    assert counts["retrieval"] == (made, made, 0)
    assert counts["prompting"] == (made, 0, made)
    assert counts["stubborn"][:2] == (made, 0)
    assert counts["majority"][1] == 0
    known, new, old = counts["best sentence"]
    assert new == known > 0 == old, "a sentence is found as before, and says what it says now"
    again = {name: (each.told, each.again, each.examples) for name, each in found.items() if each is not None}
    silent = ("retrieval", "stubborn", "prompting", "best sentence")
    assert {again[name] for name in silent} == {(0, None, told)}, (
        "no prompt shows examples, and a quoted sentence is none of them"
    )
    copied = found["copy nearest"]
    assert copied is not None
    assert copied.seconds is None
    assert (copied.new, copied.old) == (0, copied.known)
    assert 10 < copied.told == copied.again, "what copies an example copies the rewritten one"
    looked_up = found["retrieval"]
    assert looked_up is not None
    assert looked_up.seconds is not None
    assert found["prompting"] is not None
    assert found["prompting"].seconds is None
    replace(run, further=Further(changed=True)).execute()
    with closing(Store(run.folder / "run.sqlite")) as store:
        assert store.starts() == after


def test_weights_are_trained_again_on_the_rewritten_examples(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    refit, learnt = tuned.refit, list[list[str]]()

    def watched(folder: Path, task: Task, bench: Workbench) -> Fitted:
        learnt.append([case.output for case in task.examples])
        return refit(folder, task, bench)

    monkeypatch.setattr(tuned, "refit", watched)
    models = tiny.models(tiny.model_folder(tmp_path / "model"))
    run = Run(
        benchmark=tiny.benchmark("qa", heldout=24),
        candidates=[Candidate(name="lora", strategy=Lora(), model=models.names[0])],
        models=models,
        options=replace(killed.OPTIONS, probes=False),
        folder=tmp_path / "run",
        further=Further(changed=True),
    )
    run.execute()
    found = killed.told(run)["lora"].changed
    assert found is not None
    assert found.seconds is None, "it reads no documents"
    with closing(Store(run.folder / "run.sqlite")) as store:
        rows = list(store.rows("lora", "changed"))
    later = Later.of(run.benchmark.task, edits(run.benchmark, 0))
    assert (
        learnt[-1]
        == [case.output for case in later.task.examples]
        != [case.output for case in run.benchmark.task.examples]
    )
    assert [(row.variant, row.key) for row in rows] == [("again", key) for key in sorted(later.told)]
    assert found.again_seconds is not None
    assert not list((tmp_path / "run").glob("scratch-*"))


def test_it_is_planned_for_questions_over_documents_only() -> None:
    candidate, options = Candidate(name="majority", strategy=Majority(), model=""), Options()
    kinds = {
        kind: [unit.kind for unit in further_units(tiny.benchmark(kind), candidate, options, "", Further(changed=True))]
        for kind in tiny.MAKERS
    }
    assert {kind for kind, units in kinds.items() if "changed" in units} == {"qa"}
    nameless = tuple(replace(case, document_ids=()) for case in tiny.benchmark("qa").heldout)
    assert not asks_for_facts(replace(tiny.benchmark("qa"), heldout=nameless))


# ---------------------------------------------------------------- as it is told


def test_what_is_told_of_the_day() -> None:
    story = SITUATIONS["facts_in_the_documents_change"]().told().story
    assert [row[0] for row in story.changed.rows] == ["majority", "retrieval", "lora", "lora + retrieval"]
    assert sum(line.startswith("When facts in the documents change") for line in story.reasons) == 1
    facts = {row["name"]: row["changed"] for row in story.facts["candidates"]}
    low, high = facts["lora"].pop("interval")
    assert low == 0 < high < 0.1
    low, high = facts["lora"].pop("again_interval")
    assert 0.5 < low < 0.75 < high < 1
    again = {"examples": 34, "told": 20, "again": 15, "again_seconds": 250.0, "again_failed": False}
    assert facts["lora"] == {"cases": 60, "known": 41, "new": 0, "old": 41, "documents": 38, "seconds": None, **again}
    (place,) = [at for at, name in enumerate(story.changed.columns) if name == "new when fitted again"]
    assert [row[place] for row in story.changed.rows] == ["-", "-", "15 of 20", "23 of 25"]
    assert [row[place + 1] for row in story.changed.rows] == ["-", "-", "51 to 91 %", "74 to 99 %"]
    (line,) = [line for line in story.reasons if line.startswith("When facts in the documents change")]
    assert line.endswith(
        "lora gives the old answers until it is fitted again; fitted again with the examples that tell such facts rewritten, "
        "lora gives the new answer to 15 of the 20 questions on them that it had answered (51 to 91 %)."
    )


def test_what_copies_an_example_is_not_said_to_learn_and_a_fit_that_failed_is_shown() -> None:
    bakeoff = SITUATIONS["facts_in_the_documents_change"]()
    by_name = {each.candidate: each for each in bakeoff.evaluations}
    facts = by_name["lora"].changed
    assert facts is not None
    failed = replace(facts, told=0, again=None, again_seconds=None, again_failed=True)
    copied = replace(by_name["majority"], changed=facts)
    found = (copied, by_name["retrieval"], replace(by_name["lora"], changed=failed))
    story = replace(bakeoff, evaluations=found).told().story
    (line,) = [line for line in story.reasons if line.startswith("When facts in the documents change")]
    assert line.endswith(
        "majority and lora give the old answers until they are fitted again, and what that would bring was not measured."
    )
    (place,) = [at for at, name in enumerate(story.changed.columns) if name == "new when fitted again"]
    assert [row[place] for row in story.changed.rows] == ["15 of 20", "-", "failed"]


def test_of_an_old_run_nothing_is_said_of_another_fit() -> None:
    bakeoff = SITUATIONS["facts_in_the_documents_change"]()
    old = [
        replace(each, changed=replace(each.changed, examples=0, told=0, again=None, again_seconds=None))
        for each in bakeoff.evaluations
        if each.changed
    ]
    story = replace(bakeoff, evaluations=tuple(old)).told().story
    assert "new when fitted again" not in story.changed.columns
    assert {len(row) for row in story.changed.rows} == {len(story.changed.columns)}
    assert "and what that would bring was not measured" in " ".join(story.reasons)
    assert "Fitted again" not in story.changed.note


def test_where_nothing_can_be_changed_it_says_so_and_an_old_run_says_nothing() -> None:
    bakeoff = SITUATIONS["facts_in_the_documents_change"]()
    none = Changed(cases=0, known=0, new=0, old=0, documents=0, seconds=None)
    story = (
        replace(bakeoff, evaluations=tuple(replace(each, changed=none) for each in bakeoff.evaluations)).told().story
    )
    assert story.changed.rows == ()
    assert story.changed.note.startswith("No fact could be changed with certainty")
    assert not any("facts in the documents change" in line for line in story.reasons)
    with opened() as folder:
        old = reopen(folder).story
    assert (old.changed.rows, old.changed.note) == ((), "")
    assert all(row["changed"] is None for row in old.facts["candidates"])


def test_a_task_in_which_nothing_can_change_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    done = call(capsys, "run", "support-intents", "--changed", "--heldout", "10", "--dry-run")
    assert done.code == 2
    assert "With labels that takes three or more" in done.err
