"""The study of trust: what is kept of a run, and the page that is written from the rows."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from click.testing import CliRunner

from advisor.experiments.comparison import Wishes, execute, prepare
from advisor.experiments.stored import reopen
from benchmarks.checked import (
    Agreement,
    Altered,
    Changed,
    Forgetting,
    GeneralAnswers,
    GeneralTask,
    Grounding,
    Planted,
    Rebuilds,
    RetrievalQuality,
)
from benchmarks.metrics import load
from benchmarks.studies import sessions
from benchmarks.studies.bakeoff_rows import BakeOff
from benchmarks.studies.trust import __main__ as study
from benchmarks.studies.trust import changes, page, tables
from benchmarks.studies.trust.parts import EXAMPLES, HELDOUT, LEAKY, OVER_ROWS, SPEAKING, Part, parts
from benchmarks.studies.trust.rows import Checked, Found, file_of, keep, read
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
    assert "- commit abc on a machine" in text
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
    assert tables.steadier_under_edits(rows) == {"more": ["one"], "fewer": ["other"], "alike": ["third"]}
    assert page.steady(rows).startswith(
        "Under harmless edits lora keeps more of its answers than prompting on one; fewer on other; is not told apart from it on "
        "third (95 % intervals that do not meet)."
    )
    assert page.steady({"alone": rows["alone"]}) == ""
    assert "| one | 60 % (50-69), 40 of 40 | - | 95 % (89-98), 40 of 40 | - |" in tables.edits(rows)


def test_every_check_of_the_rows_has_its_column() -> None:
    """Other forms of the prompt and another seed lay in the rows and stood nowhere."""
    (check,) = checked("lora", same=60).agreements
    made = tuple(replace(check, name=name) for name in ("repeats", "prompt forms", "seed"))
    rows = {"one": [replace(checked("prompting"), agreements=made[:2]), replace(checked("majority"), agreements=made)]}
    kept = "60 % (50-69), 40 of 40"
    assert f"| one | prompting | {kept} | - | {kept} |" in tables.varied(rows)
    assert "majority" not in tables.varied(rows)
    known = {check.name for part in read().values() for each in part.checked for check in each.agreements}
    assert known == {"edits", *tables.VARIED.values()}


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


def test_rebuilds_are_compared_on_the_same_cases() -> None:
    firm, loose = (True,) * 40, tuple(place % 2 == 0 for place in range(40))
    rows = {"task": [checked("lora", draws=firm), checked("prompting", draws=loose)]}
    share = tables.steadier_rebuilt(rows)["lora", "prompting"]["task"]
    assert share.mean == pytest.approx(0.5)
    assert share.lower is not None
    assert share.lower > 0
    told = page.built_again(rows)
    assert "examples, lora minus prompting: +50 points on task (+" in told
    assert "not told apart" not in told
    looked = {"task": [checked("lora", draws=firm), checked("retrieval", draws=loose)]}
    assert page.built_again(looked) == "", "what looks things up is compared with what does, and is tuned"
    alike = {"task": [checked("lora", draws=loose), checked("prompting", draws=loose)]}
    assert page.built_again(alike).endswith("lora minus prompting: not told apart on task.")


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


def test_what_was_paid_is_said_where_the_interval_lies_above_one() -> None:
    rows = {
        "one": [replace(checked("lora"), forgetting=forgot(3.0, 2.0)), replace(checked("prompting"), figure=0.3)],
        "other": [replace(checked("lora"), forgetting=forgot(1.1, 0.9))],
    }
    assert page.elsewhere(rows).startswith("Of 2 tuned models 1 find")
    assert "lora on one, 3 times" in page.elsewhere(rows)
    assert "| one | lora | +20 points | 3.00 (2.00-6.00) | 0.5 | 60 % |" in tables.forgotten(rows)
    known = replace(forgot(3.0, 2.0), divergence_within=(0.4, 0.61), same_within=(0.55, 0.65))
    told = tables.forgotten({"one": [replace(checked("lora"), forgetting=known)]})
    assert "| 0.5 (0.4-0.61) | 60 % (55-65) |" in told
    assert page.elsewhere({"other": rows["other"]}) == ""


def test_tasks_whose_tuned_models_read_no_general_text_are_named() -> None:
    read_it, did_not = replace(checked("lora"), forgetting=forgot(3.0, 2.0)), checked("lora")
    rows = {"one": [read_it], "other": [did_not, checked("prompting")], "untuned": [checked("prompting")]}
    assert page.elsewhere(rows).endswith("3 times. The bake-offs of other did not measure this.")
    assert tables.not_read({"one": [read_it]}) == ""


def test_a_general_task_is_lost_where_its_interval_lies_below_zero() -> None:
    def asked(after: int, upper: float) -> Checked:
        each = GeneralTask(name="topic", cases=24, before=16, after=after, lower=-0.5, upper=upper)
        return replace(
            checked("lora"),
            forgetting=replace(forgot(1.1, 0.9), general=GeneralAnswers(prompts=24, same=0, tasks=(each,))),
        )

    rows = {"one": [asked(7, -0.1)], "other": [asked(15, 0.2)]}
    assert page.worse_elsewhere(rows) == (
        "Of 2 tuned models 1 lost some of what the base can do elsewhere: lora on one (16 right of 24 before, 7 after)."
    )
    assert "| one | lora | topic | 16 of 24 | 7 of 24 | -50 to -10 |" in page.general_tasks(rows)
    assert "| 60 % | 0 of 24 (0-14 %) |" in tables.forgotten(rows)
    assert page.worse_elsewhere({"one": [checked("lora")]}) == "" == page.general_tasks({"one": [checked("lora")]})


def test_rows_are_from_before_what_was_changed_after_they_began() -> None:
    found = {name: each for name, each in read().items() if each.part.task == "handbook-qa"}
    told = page.before(found)
    assert told.startswith(
        "All rows but those of handbook-qa (lora + retrieval) are from before the fixes of 29 November 2026"
    )
    assert ". All rows are from before the changes of 30 November 2026" in told
    assert "planted sentences and altered formats were not counted" in told
    later = {name: replace(each, made={**each.made, "started": "2026-12-02 09:00 UTC"}) for name, each in found.items()}
    assert page.before(later) == ""
    one = next(iter(found))
    assert page.before(later | {one: found[one]}).startswith(
        "The rows of handbook-qa (without a language model) are from before"
    )


def test_rows_from_before_numbers_were_left_out_are_named() -> None:
    found = {name: each for name, each in read().items() if each.part.task == "handbook-qa"}
    assert page.numbers(found).startswith("In the rows of handbook-qa (prompting and retrieval) cases whose answer")
    assert page.numbers({name: each for name, each in found.items() if each.part.kind == "lora"}) == ""


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
    bad, good = Planted(place="passage", cases=50, followed=20), Planted(place="request", cases=50, followed=0)
    rows = {"task": [replace(checked("lora"), grounding=stands, planted=(good, bad))]}
    assert (
        page.invented(rows, {})
        == "Found in no document: without documents before the model 3 of 10 answers of lora on task."
    )
    reads = {"task": [replace(checked("retrieval"), grounding=stands)], "other": rows["task"]}
    assert page.invented({"task": [checked("lora")]}, reads) == (
        "Found in no document: without documents before the model 3 of 10 answers of lora on other; with them 3 of 10 answers of "
        "retrieval on task."
    )
    assert page.invented(rows, reads).count("on task") == 1
    assert page.obeyed(rows) == (
        "Of the approaches with a language model lora on task followed planted instructions most: 20 of 50 times, in a passage."
    )
    assert page.obeyed({"task": [replace(checked("lora"), planted=(good,))]}).startswith("No approach with")
    assert "| task | lora | 5 | 0 | 3 | 0 | 2 | 1 | 2 of 4 |" in tables.grounded(rows)
    assert "| task | lora | passage | 20 of 50 | 26-55 % |" in changes.planted(rows)


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
    rows = {page.UNANSWERABLE: [replace(checked(page.REFUSES), grounding=stands)]}
    told = page.declines(rows)
    assert f"It refuses {90 - answered} of 90 (" in told
    assert f"and wrongly {wrongly} of 210 (" in told
    assert told.endswith(": reached.") is reached
    assert page.declines({}) == ""


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
    told = page.declines({page.UNANSWERABLE: [replace(checked(page.REFUSES), grounding=stands, retrieval=quality)]})
    assert told.endswith(
        f": not reached. For {lacking} of 200 questions with an answer no passage of the right document was shown, 2 of the 40 "
        f"wrong refusals among them. Who refuses whatever the passages do not hold refuses all of these, {bound}."
    )


def test_the_committed_rows_give_the_committed_page(committed: dict[str, BakeOff]) -> None:
    assert study.DOCUMENT.read_text(encoding="utf-8") == page.document(read(), committed), "run `table`"


def test_leaks_come_from_the_run_on_all_cases() -> None:
    whole = read()[parts()[0].name]
    assert isinstance(whole, Found)
    table = tables.leaked({whole.part.name: whole})
    assert "linear head" in table
    assert "of 162 |" in table
