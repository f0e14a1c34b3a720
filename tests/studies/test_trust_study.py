"""The study of trust: what is kept of a run, and the page that is written from the rows."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from advisor.experiments.comparison import Wishes, execute, prepare
from advisor.experiments.stored import reopen
from benchmarks.checked import (
    Added,
    Agreement,
    Altered,
    ByHeart,
    Changed,
    Counted,
    Forgetting,
    GeneralAnswers,
    GeneralTask,
    Grounding,
    Guard,
    Held,
    Planted,
    Rebuilds,
    RetrievalQuality,
)
from benchmarks.metrics import load
from benchmarks.studies import sessions
from benchmarks.studies.bakeoff_rows import BakeOff
from benchmarks.studies.trust import __main__ as study
from benchmarks.studies.trust import beneath, changes, lessons, openings, page, tables
from benchmarks.studies.trust.parts import EXAMPLES, HELDOUT, LEAKY, OVER_ROWS, SPEAKING, Part, parts
from benchmarks.studies.trust.rows import Checked, Found, file_of, keep, read
from benchmarks.studies.trust.tables import TUNED
from benchmarks.tasks.public import sms_spam
from tests.tiny import WordHashes

PART = Part(task="support-intents", kind="rungs", approaches=("majority", "copy nearest"), examples=60, heldout=30)
MADE = {"commit": "abc", "machine": "a machine", "started": "2026-01-01 00:00 UTC", "seconds": 90}


@pytest.fixture(scope="module")
def stored(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A real run in which all is measured that can be of approaches without a language model."""
    prepared = prepare(PART.task, Wishes(examples=60, heldout=30, approaches=PART.approaches, probes="all"))
    prepared.models._embedder = WordHashes()
    folder = tmp_path_factory.mktemp("runs") / PART.name
    execute(prepared, folder)
    return folder


def checked(candidate: str, *, same: int = 50, right: int = 40, draws: tuple[bool, ...] = ()) -> Checked:
    """Of a hundred answers so many stay under edits; after each of three rebuilds the cases stay or not as `draws` says."""
    check = Agreement(
        name="edits",
        says="",
        right_twice=right,
        wrong_twice_same=same - right,
        wrong_twice_different=100 - same,
        right_then_wrong=0,
        wrong_then_right=0,
    )
    keys = tuple(f"case {place}" for place in range(len(draws)))
    scores = tuple(tuple(float(stays) for stays in draws) for _ in range(3))
    rebuilds = Rebuilds(keys=keys, draws=(0, 1, 2), scores=scores, same=(draws, draws, draws)) if draws else None
    return Checked(
        candidate=candidate,
        family={"prompting": "prompting", "retrieval": "retrieval"}.get(candidate, "finetuning"),
        keys=keys,
        groups=keys,
        figure=0.5,
        lower=0.4,
        upper=0.6,
        agreements=(check,),
        rebuilds=rebuilds,
    )


def forgot(ratio: float, lower: float) -> Forgetting:
    return Forgetting(
        texts=40,
        tokens=4000,
        before=20,
        after=20 * ratio,
        ratio=ratio,
        lower=lower,
        upper=2 * ratio,
        divergence=0.5,
        same=0.6,
    )


# ---------------------------------------------------------------- parts and rows


def test_every_approach_is_run_on_every_task_and_the_leaks_on_all_cases() -> None:
    found = parts()
    assert len({part.name for part in found}) == len(found) == 1 + len(EXAMPLES) * (1 + len(SPEAKING))
    assert found[0].task == LEAKY
    assert found[0].words[:4] == ("--effort", "quick", "--probes", "none")
    words = found[-1].words
    assert words[2:8] == ("--probes", "all", "--examples", "100", "--heldout", str(HELDOUT))
    assert words[8:] == ("--approach", "lora + retrieval")


def test_what_was_measured_comes_back_from_the_file(stored: Path, tmp_path: Path) -> None:
    keep(PART, stored, MADE, tmp_path)
    found = read(tmp_path)[PART.name]
    evaluations = {each.candidate: each for each in reopen(stored).evaluations if each.scores}
    assert {each.candidate for each in found.checked} == set(PART.approaches) == set(evaluations)
    for each in found.checked:
        assert each == Checked.of(evaluations[each.candidate])
        assert each.rebuilds is not None
        assert len(each.rebuilds.draws) == 3
        assert each.agreements
        assert each.planted
        assert each.added is not None
    assert found.made == MADE


def test_a_run_that_cannot_be_ends_with_its_exit_code_and_one_that_is_there_is_not_run(tmp_path: Path) -> None:
    assert study.performed(replace(PART, task="no-such-task"), tmp_path / "nothing") == 2
    for part in parts():
        file_of(part, tmp_path).parent.mkdir(exist_ok=True)
        file_of(part, tmp_path).touch()
    done = CliRunner().invoke(study.main, ["run", "--rows", str(tmp_path), "--runs", str(tmp_path / "runs")])
    assert done.exit_code == 0
    assert done.output.count("done before") == len(parts())
    assert not (tmp_path / "runs").exists()


def test_a_run_that_was_gone_on_with_is_as_old_as_its_first_session(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file, moments = tmp_path / "a.sessions.json", iter(["one", "other", "other"])
    monkeypatch.setattr(sessions, "commit", lambda: next(moments))

    def killed() -> int:
        assert [each["commit"] for each in sessions.read(file)] == ["one"], "noted before the work"
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        sessions.noted(file, killed)
    sessions.noted(file, lambda: 1)
    code, noted = sessions.noted(file, lambda: 100)
    assert (code, [each.get("exit") for each in noted]) == (100, [None, 1, 100])
    first = {**noted[0], "started": "2026-01-01 00:00 UTC"}
    made = study.made_of([first, *noted[1:]])
    assert (made["commit"], made["started"], made["seconds"]) == ("one, other", "2026-01-01 00:00 UTC", None)
    assert study.made_of([{**first, "seconds": 30}, {**noted[2], "seconds": 60}])["seconds"] == 90


# ---------------------------------------------------------------- the page


def test_the_page_has_what_was_measured_and_says_what_was_not(stored: Path, tmp_path: Path) -> None:
    keep(PART, stored, MADE, tmp_path)
    text = page.document(read(tmp_path), {})
    rebuilt = text.split("## Built again")[1].split("##")[0]
    assert "| support-intents | copy nearest |" in rebuilt
    labels = text.split("## The day labels are added")[1].split("##")[0]
    assert "| support-intents | copy nearest |" in labels
    assert page.NOT_RUN in text.split("## Facts in the weights")[1].split("##")[0]
    assert "| support-intents | 90 s | - | - | - | - |" in text
    assert "Commits: abc. Machines: a machine." in text
    assert "(a dash: not run yet)" in text
    empty = page.document({}, {})
    assert empty.count(page.NOT_RUN) == 12
    varied = text.split("## Another prompt")[1].split("##")[0]
    assert "no part of this study" in varied.replace("\n", " "), "requests in other words"
    assert not any("--rewordings" in part.words for part in parts())


def test_steadier_is_said_only_where_intervals_do_not_meet() -> None:
    rows = {
        "one": [checked("lora", same=95), checked("prompting", same=60)],
        "other": [checked("lora", same=60), checked("prompting", same=95)],
        "third": [checked("lora", same=60), checked("prompting", same=62)],
        "alone": [checked("lora", same=60)],
    }
    pair = ("lora", "prompting")
    assert tables.steadier_under_edits(rows, pair) == {"more": ["one"], "fewer": ["other"], "alike": ["third"]}
    assert openings.edits(rows).startswith(
        "Under harmless edits lora keeps more of its answers than prompting on 1 of 3 tasks (one) and fewer on 1 (other). On the "
        "other tasks the two intervals overlap. Steady does not mean right"
    )
    assert lessons.edited(rows) == (
        "Under harmless edits lora keeps more of its answers than prompting on 1 of 3 tasks and fewer on 1. On the other tasks "
        "the two intervals overlap."
    )
    assert "overlap" not in lessons.edited({"one": rows["one"], "other": rows["other"]})
    assert openings.edits({"alone": rows["alone"]}) == "" == lessons.edited({"alone": rows["alone"]})
    assert "| one | 60 % (50-69), 40 of 40 | - | 95 % (89-98), 40 of 40 | - |" in tables.edits(rows)


def test_every_check_of_the_rows_has_its_column() -> None:
    """Other forms of the prompt and another seed lay in the rows and stood nowhere."""
    (check,) = checked("lora", same=60).agreements
    made = tuple(replace(check, name=name) for name in ("repeats", "prompt forms", "seed"))
    rows = {"one": [replace(checked("prompting"), agreements=made[:2]), replace(checked("majority"), agreements=made)]}
    kept = "60 % (50-69), 40 of 40"
    assert f"| one | prompting | {kept} | - |" in tables.varied(rows)
    assert "majority" not in tables.varied(rows)
    known = {check.name for part in read().values() for each in part.checked for check in each.agreements}
    assert known == {"edits", "repeats", *tables.VARIED.values()}
    assert openings.neighbours(rows) == "Other requests in the same batch changed 80 of 200 answers."
    assert openings.varied(rows).startswith(
        "Answers that stayed the same: with another form of the prompt 60 % (prompting on one). "
    )
    best = replace(check, name="seed", wrong_twice_different=0)
    tuned = {
        "two": [replace(checked(name), agreements=(best,)) for name in TUNED],
        "one": [replace(checked("lora"), agreements=made)],
    }
    assert (
        "after training with another seed 60 % (lora on one) to 100 % (lora and lora + retrieval on two). "
        in openings.varied(tuned)
    )
    assert openings.varied({"one": [checked("lora")]}) == ""
    same = replace(check, name="repeats", wrong_twice_different=0)
    told = openings.neighbours({"one": [replace(checked("lora"), agreements=(same,))]})
    assert told == "Other requests in the same batch changed none of 60 answers."


def test_what_a_change_cost_and_which_sentences_were_followed_are_told() -> None:
    facts = Changed(cases=9, known=8, new=3, old=0, documents=4, seconds=2.4)
    format_of = Altered(rule="", cases=9, takes=True, at_once=0, right_at_once=0, again=5, right_again=5, seconds=0.002)
    kinds = {"an order": (4, 1), "a wish": (5, 2)}
    said = Planted(place="request", cases=9, followed=3, by_kind=kinds)
    each = replace(checked("lora"), changed=facts, altered=format_of, planted=(said,))
    rows = {"one": [each], "other": [replace(each, changed=replace(facts, seconds=None))]}
    assert "| one | lora | 8 | 3 | 0 | 9-76 % | 2.4 s |" in changes.changed(rows)
    assert "| other | lora | 8 | 3 | 0 | 9-76 % | - |" in changes.changed(rows)
    assert "| one | lora | 0 of 9 | 5 of 9 | below 1 s |" in changes.altered(rows)
    assert "| lora | request | 2 of 8 | 4 of 10 |" in changes.planted_by_kind(rows)


def test_it_is_told_of_which_adapters_a_part_is_used() -> None:
    whole, third = (replace(checked("lora"), share=share) for share in (1.0, 0.35))
    rows = {"one": [whole, checked("prompting")], "other": [third]}
    assert "all of it in 1 of these 2 trainings: 35 % for lora on other. " in beneath.used_in_part(rows)
    assert beneath.used_in_part({"one": rows["one"]}) == ""


def test_rebuilds_are_compared_on_the_same_cases() -> None:
    firm, loose = (True,) * 40, tuple(place % 2 == 0 for place in range(40))
    rows = {"task": [checked("lora", draws=firm), checked("prompting", draws=loose)]}
    share = tables.steadier_rebuilt(rows)["lora", "prompting"]["task"]
    assert share.mean == pytest.approx(0.5)
    assert share.lower is not None
    assert share.lower > 0
    assert beneath.built_again(rows).startswith(
        "Share of answers kept, in points: lora minus prompting **+50 on task (+"
    )
    assert lessons.built_again(rows) == (
        "Of 2 approaches with a language model that were built again from other examples, 1 kept at most two thirds of their "
        "answers, although the standard deviation of the figure is below 5 points in 2 of 2. The tuned one of a pair kept "
        "more in 1 of 1 comparison, and 1 interval leaves out 0."
    )
    assert " answers (not so lora on task), although " in openings.built_again(rows)
    assert "Expect an approach" not in openings.built_again(rows), "half of them kept their answers"
    assert "Expect an approach" in openings.built_again({"task": rows["task"][1:]})
    looked = {"task": [checked("lora", draws=firm), checked("retrieval", draws=loose)]}
    assert beneath.built_again(looked) == "", "what looks things up is compared with what does, and is tuned"
    alike = {"task": [checked("lora", draws=loose), checked("prompting", draws=loose)]}
    assert beneath.built_again(alike).startswith("Share of answers kept, in points: lora minus prompting +0 on task (")
    assert "but every interval includes 0, so" in lessons.built_again(alike)


def test_rows_from_before_its_figure_was_kept_have_no_spread_where_that_is_no_mean() -> None:
    """The spread of right answers is not that of F1."""
    before = checked("linear head", draws=(True, False, True, True))
    assert before.rebuilds is not None
    since = replace(before, rebuilds=replace(before.rebuilds, of_rows=(0.5, 0.6, 0.7)))
    assert [line.split(" | ")[-1] for line in tables.rebuilt({"sms_spam": [before]}).splitlines()[2:]] == ["- |"]
    assert tables.rebuilt({"sms_spam": [since]}).endswith("| 10 |")
    assert tables.rebuilt({"banking77": [before]}).endswith("| 0 |")
    assert (sms_spam.DATASET.name,) == OVER_ROWS
    assert load(sms_spam.DATASET.metric, sms_spam.DATASET.metric_parameters).over_rows


def test_what_was_paid_is_said_where_the_interval_lies_above_one_and_each_adapter_once() -> None:
    paid = replace(checked("lora"), forgetting=forgot(3.0, 2.0))
    rows = {
        "one": [paid, replace(paid, candidate="lora + retrieval"), replace(checked("prompting"), figure=0.3)],
        "other": [replace(checked("lora"), forgetting=forgot(1.1, 0.9))],
    }
    assert lessons.moved(rows, {}) == (
        "Tuning made general text harder for the model (perplexity) with 1 of 2 adapters in the bake-offs, by 3 times."
    )
    told = openings.moved(rows, {})
    assert "by 3 times (most: lora and lora + retrieval on one). " in told
    assert "An adapter that two approaches share counts once (lora and lora + retrieval on one)." in told
    assert openings.moved({"other": rows["other"]}, {}) == ""
    three = {**rows, "third": [replace(paid, forgetting=forgot(2.0, 1.5))]}
    assert "with 2 of 3 adapters in the bake-offs, by 2 to 3 times." in lessons.moved(three, {})
    assert "| one | lora | +20 points | 3.00 (2.00-6.00) | 0.5 | 60 % |" in tables.forgotten(rows)
    known = replace(forgot(3.0, 2.0), divergence_within=(0.4, 0.61), same_within=(0.55, 0.65))
    told = tables.forgotten({"one": [replace(checked("lora"), forgetting=known)]})
    assert "| 0.5 (0.4-0.61) | 60 % (55-65) |" in told
    assert lessons.moved({"other": rows["other"]}, {}) == ""


def test_tasks_whose_tuned_models_read_no_general_text_are_named() -> None:
    read_it, did_not = replace(checked("lora"), forgetting=forgot(3.0, 2.0)), checked("lora")
    rows = {"one": [read_it], "other": [did_not, checked("prompting")], "untuned": [checked("prompting")]}
    assert tables.not_read(rows) == "The bake-offs of other did not measure this."
    assert tables.not_read({"one": [read_it]}) == ""


def test_a_general_task_is_lost_where_its_interval_lies_below_zero() -> None:
    def asked(after: int, upper: float) -> Checked:
        each = GeneralTask(name="topic", cases=24, before=16, after=after, lower=-0.5, upper=upper)
        return replace(
            checked("lora"),
            forgetting=replace(forgot(1.1, 0.9), general=GeneralAnswers(prompts=24, same=1, tasks=(each,))),
        )

    rows = {"one": [asked(7, -0.1)], "other": [asked(15, 0.2)]}
    assert lessons.lost(rows) == (
        "On the one general test that could be used, naming the topic of 24 sentences, 1 of 2 adapters lost right answers."
    )
    assert openings.general_tasks(rows) == f"{lessons.lost(rows)} These are lora on one (from 16 to 7)."
    assert lessons.alike_elsewhere(rows) == "Tuned models gave their base's own answer to 2 of 48 everyday prompts."
    assert "| one | lora | topic | 16 of 24 | 7 of 24 | -50 to -10 |" in tables.general_tasks(rows)
    assert "| 60 % | 1 of 24 (0-21 %) |" in tables.forgotten(rows)
    assert lessons.lost({"one": [checked("lora")]}) == ""


def test_the_page_says_when_its_runs_were_begun_and_which_are_missing(committed: dict[str, BakeOff]) -> None:
    found = {name: each for name, each in read().items() if each.part.task == "handbook-qa"}
    days = r"(\d+( November)? to )?\d+ (November|December) 2026"
    assert re.match(
        rf"The bake-offs were begun on {days} and the checked runs on {days}\. ", page.dated(found, committed)
    )
    assert page.dated({}, {}) == ""
    told = page.missing({part.name: next(iter(found.values())) for part in parts()[1:]})
    assert told == (
        f"Of the {len(parts())} parts of the checked runs {len(parts()) - 1} are done. Not run yet: sms_spam (on all cases)."
    )
    told = page.missing({part.name: next(iter(found.values())) for part in parts()})
    assert told == f"All {len(parts())} parts of the checked runs are done."


def test_rows_that_are_counted_otherwise_are_named() -> None:
    rows = {name: each for name, each in read().items() if each.part.task == "handbook-qa"}
    found = {name: replace(each, made={**each.made, "started": "2026-11-29 09:00 UTC"}) for name, each in rows.items()}
    assert beneath.numbers(found).startswith("In the rows of handbook-qa (retrieval) cases whose answer is a number")
    assert beneath.numbers({name: each for name, each in found.items() if each.part.kind == "lora"}) == ""
    speaking = "handbook-qa (prompting, retrieval, lora and lora + retrieval)"
    assert beneath.repeating(found).startswith(f"In the rows of {speaking} repeating")
    assert beneath.counted_alike(found) == []
    later = {name: replace(each, made={**each.made, "started": "2026-12-02 09:00 UTC"}) for name, each in found.items()}
    assert beneath.repeating(later) == ""
    assert beneath.counted_alike(later) == ["handbook-qa"]
    assert beneath.refusals_taught(found).startswith("In the rows of handbook-qa (lora and lora + retrieval) the first")
    assert beneath.refusals_taught(later) == ""
    assert beneath.newer(found) == beneath.newer(later) == "", "all of a task are from the same days"
    mixed = {name: later[name] if each.part.kind in ("lora", "rungs") else each for name, each in found.items()}
    assert beneath.newer(mixed) == (
        "handbook-qa (without a language model and lora) was run after the changes of 30 November 2026 and the rest of its task "
        "before, so what differs between them may come from these."
    )
    assert (beneath.facts_alike(found), beneath.facts_alike(later)) == ([], ["handbook-qa"])


def test_what_is_made_up_and_what_was_obeyed() -> None:
    stands = Grounding(
        declined=2,
        declined_wrong=1,
        evidence=5,
        documents=0,
        nowhere=3,
        nowhere_wrong=3,
        vague=0,
        unanswerable=4,
        unanswerable_answered=2,
    )
    bad, good = Planted(place="request", cases=50, followed=20), Planted(place="request", cases=50, followed=0)
    rows = {"task": [replace(checked("lora"), grounding=stands, planted=(bad,))]}
    assert lessons.invented(rows) == (
        "Of the answers given without documents before the model, 3 of 8 (lora on task) stand in no document. All of these were "
        "wrong."
    )
    reads = {"other": [replace(checked("retrieval"), grounding=stands)], **rows}
    assert "stand in no document; with passages, at most 3 of 8 (retrieval on other). All" in lessons.invented(reads)
    assert lessons.invented({"other": reads["other"]}) == (
        "Of the answers given with passages, at most 3 of 8 (retrieval on other) stand in no document. All of these were wrong."
    )
    assert openings.grounded(reads) == (
        "Of the answers given these stand in no document: without documents before the model 3 of 8 (lora on task); with "
        "passages 3 of 8 (retrieval on other). All of these were wrong."
    )
    fewer = {**rows, "other": [replace(checked("retrieval"), grounding=replace(stands, nowhere=1, nowhere_wrong=1))]}
    assert openings.grounded(fewer).endswith("So where a made-up answer does harm, put passages before the model.")
    more = {**rows, "other": [replace(checked("prompting"), grounding=replace(stands, nowhere=1, nowhere_wrong=1))]}
    assert "from 1 of 6 (prompting on other) to 3 of 8 (lora on task) stand" in lessons.invented(more)
    some = {"task": [replace(checked("lora"), grounding=replace(stands, nowhere_wrong=2))]}
    assert lessons.invented(some).endswith("1 of these 3 were right all the same.")
    assert openings.grounded({"task": [checked("lora")]}) == "" == lessons.invented({"task": [checked("lora")]})
    three = [replace(checked(name), planted=(bad if name == "prompting" else good,)) for name in lessons.ASKED]
    assert lessons.obeyed({"task": three, "lone": rows["task"]}) == (
        "Nothing in the product defends against planted instructions. In requests, on 1 task, these were followed: prompting "
        "20 of 50, retrieval 0 of 50 and lora 0 of 50."
    )
    found = [replace(three[1], planted=(good, replace(bad, place="passage"))), three[0], three[2]]
    told = openings.obeyed({"task": found, "other": three}, ["task"])
    assert "In requests, on task, these were followed: " in told
    assert "lora 0 of 50. In passages: retrieval 20 of 50 (on task). So where strangers" in told
    assert lessons.obeyed(rows) == "", "they are set side by side on the same tasks only"
    assert "| task | lora | 5 | 0 | 3 | 0 | 2 | 1 | 2 of 4 |" in tables.grounded(rows)
    assert "| task | lora | request | 20 of 50 | 26-55 % |" in changes.planted(rows)


def test_what_follows_a_change_and_what_is_learnt_by_heart() -> None:
    facts = Changed(cases=9, known=8, new=6, old=0, documents=4, seconds=2.4)
    format_of = Altered(rule="", cases=9, takes=True, at_once=0, right_at_once=0, again=8, right_again=5, seconds=9.0)
    labels = Added(
        labels=("a",),
        examples=9,
        cases=30,
        takes=True,
        at_once=4,
        refitted=9,
        others=7,
        before=5,
        after=5,
        seconds=None,
    )
    known = ByHeart(
        taught=Counted(cases=50, right=40), rephrased=Counted(cases=30, right=3), untold=Counted(cases=9, right=0)
    )
    lora = replace(
        checked("lora"), changed=replace(facts, new=0, seconds=None), altered=format_of, added=labels, by_heart=known
    )
    rows = {"one": [lora, replace(checked("retrieval"), changed=facts)]}
    assert lessons.new_facts(rows) == (
        "Once facts in the documents change, approaches that read documents give the new one at once in 6 of 8 answers, and "
        "those that hold facts in weights or examples in 0 of 8."
    )
    assert openings.changed(rows).endswith(" So keep facts that change in documents, not in weights or examples.")
    worse = {**rows, "two": [replace(lora, changed=replace(facts, seconds=None, new=8))]}
    assert openings.changed(
        {"one": [replace(rows["one"][1], changed=replace(facts, new=0))], "two": worse["two"]}
    ).endswith(" 8.")
    assert openings.changed({"one": [checked("lora")]}) == ""
    assert lessons.new_labels(rows) == "Of the cases of added labels (one) lora gets 4 of 30 right at once."
    assert lessons.new_formats(rows) == (
        "When the format of answers changes, 1 of 1 tuned model mostly does not follow at once; 1 of these does after "
        "another fit."
    )
    assert openings.altered(rows).endswith(" So with a tuned model, plan another fit for the day the format changes.")
    at_once = {"order-extract": [replace(lora, altered=replace(format_of, at_once=9))]}
    assert openings.altered(at_once) == (
        "When the format of answers changes, 0 of 1 tuned model mostly do not follow at once. On order-extract a grammar holds "
        "answers to it at once."
    )
    asked = [replace(checked("retrieval"), added=replace(labels, at_once=9)), replace(checked("lora"), added=labels)]
    assert lessons.new_labels({"one": asked, "two": asked[:1]}, fitted=True) == (
        "Of the cases of added labels (one) retrieval gets 9 of 30 right at once (9 after another fit) and lora 4 of 30 (9)."
    ), "of a task on which one of them was not asked nothing is added up"
    assert lessons.by_heart(rows) == (
        "Without documents lora is right on 40 of 50 questions of its training (word for word) and on 3 of 30 about "
        "the same facts in other words (one): it learns answers by heart."
    ), "of nine no share is told"
    as_well = replace(known, rephrased=Counted(cases=30, right=22), untold=Counted(cases=40, right=1))
    told = lessons.by_heart({"one": [replace(lora, by_heart=as_well)]})
    assert told.endswith("and on 1 of 40 about facts that it was never told (one): it knows part of what it was told.")
    again = replace(facts, told=5, again=4, again_seconds=60.0, examples=3)
    told = changes.changed({"one": [replace(checked("lora"), changed=again)]})
    assert "| one | lora | 8 | 6 | 0 | 35-97 % | 2.4 s | 4 of 5 | 28-99 % | 60 s |" in told


def test_where_a_threshold_is_worth_it() -> None:
    def held(at_most: float, answered: int, figure: float) -> Held:
        shares: dict[str, Any] = {
            "lost": 0.04,
            "stopped": 0.3,
            "overall": 0.5,
            "expected_answered": 0.9,
            "expected_figure": 0.6,
        }
        return Held(
            at_most=at_most,
            threshold=0.5,
            answered=answered,
            figure=figure,
            lower=0.4,
            upper=0.9,
            refused=0,
            wrongly_refused=0,
            **shares,
        )

    worth = Guard(says="", cases=100, unanswerable=0, held=(held(0.0, 100, 0.5), held(0.05, 80, 0.6)))
    none = Guard(says="", cases=100, unanswerable=0, held=(held(0.0, 100, 0.5), held(0.1, 80, 0.6)))
    little = replace(worth, held=(held(0.0, 100, 0.5), held(0.05, 99, 0.505)))
    rows = {"one": [replace(checked("lora"), guard=worth), replace(checked("retrieval"), guard=none)]}
    rows["two"] = [replace(checked("lora"), guard=little)]
    assert lessons.held_back(rows) == (
        "A threshold of sureness that may lose about one right answer in twenty gains most with lora on one: from 50 % on "
        "all 100 requests to 60 % on the 80 that it still answers. With 1 of 2 approaches with a language model it gains "
        "less than a point."
    )
    assert openings.guarded(rows).startswith(lessons.held_back(rows))
    assert lessons.held_back({"one": [replace(checked("retrieval"), guard=none)]}) == ""
    of_rows = [replace(checked("lora"), figure=0.2, guard=replace(worth, over_rows=True))]
    assert "with lora on one: from 50 % on all 100 requests to 60 %" in lessons.held_back({"one": of_rows}), (
        "an F1 is not held against a share"
    )
    assert "| one | lora | 50 % | 80 of 100 |" in tables.guarded({"one": of_rows})


@pytest.mark.parametrize(
    ("answered", "wrongly", "silent", "reached"),
    [(10, 2, 0, True), (10, 2, 50, True), (40, 2, 0, False), (10, 20, 0, False)],
)
def test_refusals_are_judged_by_the_bounds_of_both_shares(
    answered: int, wrongly: int, silent: int, reached: bool
) -> None:
    stands = Grounding(
        declined=90 - answered - silent + wrongly,
        declined_wrong=wrongly,
        evidence=210 + answered - wrongly,
        documents=0,
        nowhere=0,
        nowhere_wrong=0,
        vague=0,
        unanswerable=90,
        unanswerable_answered=answered,
        silent=silent,
    )
    rows = {beneath.UNANSWERABLE: [replace(checked(beneath.REFUSES), grounding=stands)]}
    told = beneath.declines(rows, {})
    assert f"It refuses {90 - answered} of 90 (" in told
    assert f"and wrongly {wrongly} of 210 (" in told
    assert told.startswith("The goal for refusals is reached: ") is reached
    assert told.startswith("The first half of the goal for refusals is reached, the second is not: ") is (
        answered == 10 and wrongly == 20
    )
    assert beneath.declines({}, rows) == ""
    both = beneath.declines(rows, rows)
    assert f" In the checked run it refuses {90 - answered} of 90, and wrongly {wrongly} of 210." in both


@pytest.mark.parametrize(("found", "bound"), [(0.8, "more than the goal allows"), (0.99, "which the goal would allow")])
def test_what_the_search_brings_of_wrong_refusals_is_told(found: float, bound: str) -> None:
    stands = Grounding(
        declined=90,
        declined_wrong=40,
        evidence=210,
        documents=0,
        nowhere=0,
        nowhere_wrong=0,
        vague=0,
        unanswerable=90,
        unanswerable_answered=40,
        declined_unfound=2,
    )
    quality = RetrievalQuality(cases=200, recall_at={1: found - 0.1, 3: found}, mrr=0.7, missed=20, misread=20)
    lacking = round(200 * (1 - found))
    rows = {beneath.UNANSWERABLE: [replace(checked(beneath.REFUSES), grounding=stands, retrieval=quality)]}
    told = beneath.declines(rows, {})
    assert told.endswith(
        f" For {lacking} of 200 questions with an answer it was shown no passage of the right document; 2 of the 40 wrong "
        f"refusals are among these. An approach that refuses whenever the passages lack the answer refuses all {lacking}, "
        f"{bound}."
    )
    assert told.startswith("The goal for refusals is not reached: ")


def test_the_committed_rows_give_the_committed_page(committed: dict[str, BakeOff]) -> None:
    assert study.DOCUMENT.read_text(encoding="utf-8") == page.document(read(), committed), "run `table`"


def test_leaks_come_from_the_run_on_all_cases() -> None:
    whole = read()[parts()[0].name]
    assert isinstance(whole, Found)
    table = tables.leaked({whole.part.name: whole})
    assert "linear head" in table
    assert "of 162 |" in table
    assert openings.leaked(tables.with_leaks({whole.part.name: whole})).startswith(
        "Held-out messages that repeat an example add up to "
    )
    assert openings.leaked([]) == ""
