"""Cases to look at: which are shown, in which order, with what evidence, and that showing held-out ones is remembered."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from advisor import reports
from advisor.contract import Grade, Quote, ShownCases
from advisor.experiments.comparison import Wishes, prepare
from advisor.experiments.report_files import write_reports
from advisor.experiments.stored import reopen
from advisor.reports.casebook import bound
from advisor.reports.html import LARGEST
from advisor.story.cases import INPUT, MOST, SEEN, how_many, shown_cases
from advisor.story.full_cases import FILE as FULL
from benchmarks.contract import Benchmark, Evaluation, Look, Row, State
from benchmarks.formats.clean import harmless
from benchmarks.statistics.looks import FILE, PLACE
from benchmarks.storage.packed import unpack
from benchmarks.storage.store import Store, UnitResult
from strategies.approaches.recorded import Recorded, RecordedAnswer
from strategies.contract import Abstention, Case, Document, Evidence, Failure, Outcome, Prediction
from tests.conftest import Folders
from tests.desk import ROOT, Done, call, write_task
from tests.stories import rich_story, shown_case
from tests.verdict_cases import PlainMetric, benchmark_of, task_of

TEXT = "The shop is open from nine to five. On Sundays it is closed."
DOCUMENT = Document(id="d1", title="Hours", text=TEXT)


def cases_of(*outputs: str) -> tuple[Case, ...]:
    return tuple(Case(id=f"h{place}", input=f"question {place}", output=said) for place, said in enumerate(outputs))


def shown(
    tmp_path: Path,
    heldout: Sequence[Case],
    given: Mapping[str, Sequence[Outcome]],
    choice: Any = "all",
    **changes: Any,
) -> ShownCases | None:
    """What is shown of a run in which the approaches gave these outcomes to the held-out cases, in their order."""
    bench: Benchmark = replace(benchmark_of(), heldout=tuple(heldout), **changes)
    store = Store(tmp_path / "run.sqlite")
    for name, outcomes in given.items():
        rows = [
            Row(candidate=name, purpose="heldout", key=case.id, outcome=outcome, score=score_of(case, outcome))
            for case, outcome in zip(heldout, outcomes, strict=False)
        ]
        store.begin(name, "answer", name)
        store.finish(UnitResult(unit=name, kind="answer", candidate=name, rows=tuple(rows)))
    try:
        return shown_cases(bench, [measured(name) for name in given], ({}, store), choice, next(iter(given)))
    finally:
        store.close()


def measured(name: str, state: State | None = None) -> Evaluation:
    return Evaluation(
        candidate=name, approach=name, family="prompting", model="", simplicity=1, fingerprint="", state=state
    )


def score_of(case: Case, outcome: Outcome) -> float:
    if not isinstance(outcome, Prediction):
        return 0.0
    return 0.5 if outcome.text == "nearly" else float(outcome.text in case.accepted)


def said(*texts: str) -> list[Outcome]:
    return [Prediction(text=text) for text in texts]


def test_first_what_the_approach_gets_wrong_alone_then_what_all_do(tmp_path: Path) -> None:
    found = shown(
        tmp_path, cases_of("a", "a", "a", "a"), {"one": said("a", "a", "b", "b"), "two": said("a", "b", "b", "a")}
    )
    assert found is not None
    assert [case.id for case in found.cases] == ["h3", "h2", "h1", "h0"]
    assert found.says[0] == (
        "4 held-out cases: on 2 some approaches are right and some are not, on 1 none is right, on 1 all are right."
    )


def test_wrong_leaves_out_what_all_get_right_and_says_so(tmp_path: Path) -> None:
    given = {"one": said("a", "b"), "two": said("a", "a")}
    found = shown(tmp_path, cases_of("a", "a"), given, "wrong")
    assert found is not None
    assert ([case.id for case in found.cases], found.total) == (["h1"], 1)
    assert "on 1 all are right; the last are left out here" in found.says[0]
    assert shown(tmp_path, cases_of("a", "a"), {"one": said("a", "a")}, "wrong") is None


@pytest.mark.parametrize(("choice", "heldout"), [("none", 0), ("selection", 0), ("wrong", 2), ("all", 2)])
def test_held_out_cases_are_there_only_when_asked_for(tmp_path: Path, choice: Any, heldout: int) -> None:
    found = shown(tmp_path, cases_of("a", "a"), {"one": said("b", "b")}, choice)
    assert len({case.id for case in found.cases if case.heldout} if found else ()) == heldout
    assert (found is not None and SEEN in found.says) == bool(heldout)


def test_an_approach_without_usable_figures_is_not_shown(tmp_path: Path) -> None:
    store = Store(tmp_path / "run.sqlite")
    found = shown_cases(benchmark_of(), [measured("one", State.INVALID)], ({}, store), "all", "one")
    store.close()
    assert found is None


def test_graded_scores_and_outcomes_that_are_no_answers(tmp_path: Path) -> None:
    given: list[Outcome] = [
        Prediction(text="nearly", truncated=True),
        Abstention(reason="not in the documents"),
        Failure(kind="unparsable", message="no JSON", raw="{"),
    ]
    found = shown(tmp_path, cases_of("a", "a", "a"), {"one": given}, metric=PlainMetric(graded=True))
    assert found is not None
    answers = {case.id: case.answers["one"] for case in found.cases}
    assert (answers["h0"].grade, answers["h0"].score, answers["h0"].remark) == (Grade.PARTLY, "0.50", "cut off")
    assert (answers["h1"].text.text, answers["h1"].remark) == ("", "abstained: not in the documents")
    assert (answers["h2"].text.text, answers["h2"].remark) == ("{", "unparsable: no JSON")
    assert answers["h2"].grade is Grade.WRONG


def test_evidence_of_several_approaches_is_put_together_and_a_quote_is_set_off(tmp_path: Path) -> None:
    start = TEXT.index("nine")
    whole = Evidence(document_id="d1", text=f"Hours: {TEXT[:35]}", score=0.9, start=0, end=35)
    quoted = replace(whole, start=start, end=start + 4, score=0.8)
    example = Evidence(document_id="e001", text="message 1", score=0.4)
    heldout = [Case(id="h0", input="when?", output="nine", document_ids=("d1",))]
    given: dict[str, list[Outcome]] = {
        "read": [Prediction(text="nine", evidence=(quoted,))],
        "written": [Prediction(text="nine", evidence=(whole,))],
        "copied": [Prediction(text="cancel", evidence=(example,))],
    }
    found = shown(tmp_path, heldout, given, task=replace(task_of(kind="qa"), documents=(DOCUMENT,)))
    assert found is not None
    passage, copied = found.cases[0].passages
    assert (passage.before, passage.quote, passage.after) == (
        "Hours: The shop is open from ",
        "nine",
        " to five.",
    )
    assert (passage.where, passage.gold, passage.approaches) == ("characters 0 to 35", True, ("read", "written"))
    assert passage.quotes == (Quote(text="nine", where=f"characters {start} to {start + 4}", approaches=("read",)),)
    assert (copied.id, copied.before, copied.answer, copied.gold) == ("e001", "message 1", "cancel", False)
    assert found.cases[0].gold_missed == ()


def test_a_quote_is_set_off_in_a_passage_with_headings_in_front(tmp_path: Path) -> None:
    text = "# Shop\n\nIt is in the high street.\n\n## Days\n\n" + TEXT
    start, nine = text.index("The shop"), text.index("nine")
    document = replace(DOCUMENT, text=text)
    whole = Evidence(
        document_id="d1", text=f"Hours > Shop > Days: {text[start:]}", score=0.9, start=start, end=len(text)
    )
    quoted = replace(whole, start=nine, end=nine + 4)
    heldout = [Case(id="h0", input="when?", output="nine", document_ids=("d1",))]
    given: dict[str, list[Outcome]] = {
        name: [Prediction(text="nine", evidence=(item,))] for name, item in (("read", quoted), ("written", whole))
    }
    found = shown(tmp_path, heldout, given, task=replace(task_of(kind="qa"), documents=(document,)))
    assert found is not None
    (passage,) = found.cases[0].passages
    assert (passage.before, passage.quote) == ("Hours > Shop > Days: The shop is open from ", "nine")
    assert passage.where == f"characters {start} to {len(text)}"
    assert [quote.approaches for quote in passage.quotes] == [("read",)]


def test_who_looked_things_up_and_missed_the_document_is_said(tmp_path: Path) -> None:
    other = Document(id="d2", text="Something else.")
    heldout = [Case(id="h0", input="when?", output="nine", document_ids=("d1",))]
    missed = Evidence(document_id="d2", text="", score=0.9, start=0, end=9)
    given: dict[str, list[Outcome]] = {"one": [Prediction(text="x", evidence=(missed,))], "two": said("nine")}
    found = shown(tmp_path, heldout, given, task=replace(task_of(kind="qa"), documents=(DOCUMENT, other)))
    assert found is not None
    assert found.cases[0].gold_missed == ("one",)
    assert found.cases[0].passages[0].before == "Something", "a text that is not stored is cut from its document"


def test_an_example_that_has_the_id_of_a_document_is_shown_as_an_example(tmp_path: Path) -> None:
    """And who looked up a copy of the document did not miss it, nor did anybody where there is no such document."""
    task = task_of(kind="qa")
    example = task.examples[0]
    documents = (DOCUMENT, replace(DOCUMENT, id="copy"), Document(id=example.id, text="Something else."))
    heldout = [Case(id=f"h{n}", input="?", output="nine", document_ids=(name,)) for n, name in enumerate(("d1", "d9"))]
    evidence = {
        "copied": Evidence(document_id=example.id, text="", score=0.4),
        "read": Evidence(document_id=example.id, text="", score=0.9, start=0, end=9),
        "right": Evidence(document_id="copy", text="", score=0.9, start=0, end=9),
    }
    given: dict[str, list[Outcome]] = {
        name: [Prediction(text="x", evidence=(item,))] * 2 for name, item in evidence.items()
    }
    found = shown(tmp_path, heldout, given, task=replace(task, documents=documents))
    assert found is not None
    named, unknown = found.cases
    assert (named.gold_missed, unknown.gold_missed) == (("read",), ())
    told = {passage.approaches: (passage.before, passage.answer, passage.gold) for passage in named.passages}
    assert told == {
        ("copied",): (example.input, example.output, False),
        ("read",): ("Something", "", False),
        ("right",): (DOCUMENT.text[:9], "", True),
    }


def test_a_long_passage_is_shortened_around_its_quote(tmp_path: Path) -> None:
    long = Document(id="d1", text="before " * 200 + "nine" + " after" * 200)
    start = long.text.index("nine")
    quoted = Evidence(document_id="d1", text=long.text, score=0.9, start=start, end=start + 4)
    given = {"one": [Prediction(text="nine", evidence=(quoted,))]}
    heldout = [Case(id="h0", input="when?", output="nine")]
    found = shown(tmp_path, heldout, given, task=replace(task_of(kind="qa"), documents=(long,)))
    assert found is not None
    passage = found.cases[0].passages[0]
    assert passage.quote == "nine"
    kept = len(passage.before.removeprefix("\u2026")) + len(passage.quote) + len(passage.after)
    assert (kept, kept + passage.left_out) == (500, len(long.text))
    assert passage.before.endswith("before ")


def test_at_most_so_many_are_kept_and_the_rest_counted(tmp_path: Path) -> None:
    heldout = [Case(id=f"h{place}", input="x" * (INPUT + 7), output="a") for place in range(MOST + 40)]
    found = shown(tmp_path, heldout, {"one": said(*["a"] * 30, *["b"] * (MOST + 10))})
    assert found is not None
    assert (len(found.cases), found.total) == (MOST, MOST + 40)
    assert all(case.answers["one"].grade is Grade.WRONG for case in found.cases), "wrong ones come first"
    assert {case.input.left_out for case in found.cases} == {7}
    assert how_many(found, MOST) == (
        "500 of these 540 cases stand here, those first that are wrong or on which approaches disagree; 40 are left out."
    )
    assert how_many(replace(found, total=MOST), MOST) == ""


def test_the_page_holds_as_many_as_fit_and_says_how_many() -> None:
    case = shown_case("<&\u00e9" * 500, "&" * 500, {f"approach {place}": f"{place}" + "&" * 450 for place in range(4)})
    many = ShownCases(approaches=tuple(case.answers), cases=(case,) * 400, total=700)
    page = reports.render(replace(rich_story(), cases=many), "html")
    inlined = page.count('<details class="case')
    assert LARGEST - 20_000 < len(page.encode()) <= LARGEST
    assert 50 < inlined < 400
    assert f"{inlined} of these 700 cases stand here" in page
    assert bound(many, 0).first == ()


def test_the_page_of_the_largest_bake_off_is_small_and_names_the_file_that_holds_every_case_in_full(
    tmp_path: Path,
) -> None:
    """Of the stored bake-offs the one whose page is the largest: not all of its cases fit. A later report that shows none takes
    the texts away again."""
    unpack(ROOT / "benchmarks" / "studies" / "rows" / "bakeoff-order-extract.jsonl.gz", tmp_path / "run")
    verdict = reopen(tmp_path / "run", cases="all")
    page, *_ = write_reports(verdict, tmp_path, ["html"])
    assert page.stat().st_size <= LARGEST
    rows = [json.loads(line) for line in (tmp_path / FULL).read_text(encoding="utf-8").splitlines()]
    assert verdict.story.cases is not None
    told = page.read_text(encoding="utf-8")
    inlined = told.count('<details class="case')
    assert len(rows) == verdict.story.cases.total > inlined
    assert f"{inlined:,} of these {len(rows):,} cases stand here" in told
    assert f"{len(rows) - inlined:,} are left out" in told
    assert FULL in told
    assert f"beside this page holds {len(rows):,} cases" in told
    asked = json.loads((tmp_path / "run" / "run.json").read_text(encoding="utf-8"))["benchmark"]["heldout"]
    inputs = {row["id"]: row["input"] for row in rows if row["part"] == "held-out"}
    assert inputs == {case["id"]: harmless(case["input"]) for case in asked}
    names = {each.candidate for each in verdict.evaluations}
    assert {name for row in rows for name in row["answers"]} <= names
    assert all({"outcome", "answer", "score"} <= set(given) for row in rows for given in row["answers"].values())
    write_reports(replace(verdict, cases=(), story=replace(verdict.story, cases=None)), tmp_path, ["html"])
    assert not (tmp_path / FULL).exists()


def test_the_same_answer_stands_once_with_all_that_gave_it_and_the_right_one_first() -> None:
    case = shown_case("which?", "a", {"one": "b", "two": "a", "three": "b", "four": "c"})
    (page,) = bound(ShownCases(approaches=tuple(case.answers), cases=(case,), total=1), 10_000).first
    rows = re.findall(r'<b>(.*?)</b>.*?class="t">(.*?)<.*?class="by">(.*?)<', page)
    assert rows == [("right", "a", "two"), ("wrong", "b", "one, three"), ("wrong", "c", "four")]
    assert 'data-m="wrww"' in page


# ---------------------------------------------------------------- as a person meets it

QUICK = ("--approach", "majority", "--probes", "none", "--effort", "quick", "--yes")


def told(done: Done) -> str:
    return " ".join(f"{done.out} {done.err}".replace("│", " ").split())


def test_showing_held_out_cases_is_written_down_and_a_changed_run_is_a_development_figure(
    tmp_path: Path, model_folders: Folders, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    task = write_task(tmp_path, model_folders)
    monkeypatch.chdir(tmp_path)
    call(capsys, "run", str(task), "--out", "first", *QUICK)
    harmless = call(capsys, "report", "first", "--cases", "selection")
    assert SEEN not in told(harmless)
    assert len(marks(tmp_path)) == 0
    assert "development" not in told(call(capsys, "run", str(task), "--out", "unseen", "--target", "0.5", *QUICK))

    asked = call(capsys, "report", "first", "--cases", "wrong")
    assert told(asked).count(SEEN) == 1
    assert "development figures" not in told(asked), "what was measured before stays a verdict"
    call(capsys, "report", "first", "--cases", "all")
    call(capsys, "report", "first", "--cases", "all")
    about = json.loads((tmp_path / "first" / "run.json").read_text())["benchmark"]
    assert {row["fingerprint"] for row in marks(tmp_path)} == {about["fingerprint"]}
    names = [name for row in marks(tmp_path) for name in row["cases"]]
    assert len(names) == len(set(names)) == len(about["heldout"]), "each case is written down once"

    again = told(call(capsys, "run", str(task), "--out", "again", *QUICK))
    assert "development" not in again, "nothing was changed"
    changed = told(call(capsys, "run", str(task), "--out", "changed", "--target", "0.9", *QUICK))
    said = f"{len(names)} held-out cases were shown with the answers of an earlier run, the last time on 20"
    assert f"note: {said}" in changed, "it is said before the run"
    assert "(development figures)" in changed
    assert f"{said}" in (tmp_path / "changed" / "report.md").read_text()
    assert "development figures" in told(call(capsys, "report", "changed"))
    assert "(development figures)" in json.loads((tmp_path / "changed" / "report.json").read_text())["title"]
    met = call(capsys, "run", str(task), "--out", "met", "--target", "0.05", *QUICK)
    assert json.loads((tmp_path / "met" / "report.json").read_text())["verdict"] == "choose"
    assert "this is no verdict until fresh ones confirm it" in told(met)
    assert met.code == call(capsys, "report", "met").code == 101
    listed = {row["run"]: row for row in json.loads(call(capsys, "runs", ".", "--json").out)}
    assert (listed["met"]["verdict"], listed["met"]["recommended"]) == ("undecided", None)


def test_a_price_changes_no_approach_and_what_may_does(
    tmp_path: Path, model_folders: Folders, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    model, dear = (
        f"models: [{{name: {model_folders.language}{more}}}]" for more in ("", ", machine_hour: 2, monthly: 50")
    )
    server = "models: [{name: far, endpoint: 'http://127.0.0.1:9/v1', input_per_million: 1, output_per_million: %d}]"
    monkeypatch.chdir(tmp_path)
    wishes = Wishes(approaches=("majority",), effort="quick", probes="none")

    def look(*lines: str, **more: Any) -> Look:
        task = write_task(tmp_path, model_folders, *lines)
        return prepare(task, replace(wishes, **more)).assembly.benchmark.look

    def run_and_see(*lines: str) -> None:
        call(
            capsys, "run", str(write_task(tmp_path, model_folders, *lines)), "--out", "run", *QUICK, "--cases", "wrong"
        )
        shutil.rmtree("run")

    run_and_see(model)
    assert marks(tmp_path)[0]["subject"]
    for line in ("prices: {machine_hour: 0.4}", "volume: 500", "horizon_months: 3", "upkeep: {facts_months: 1}"):
        found = look(model, line)
        assert (found.number, found.shown) == (2, 0), f"{line} is another look, at the same approaches"
    assert look(dear).shown == 0
    assert look(model).number == 1
    for line in ("constraints: {data_stays_here: true}", "constraints: {p95_latency_s: 5}", "metric: macro_f1"):
        assert look(model, line).shown > 0, line
    changes: list[dict[str, Any]] = [{"target": 0.5}, {"seed": 1}, {"examples": 20}, {"effort": "standard"}]
    assert all(look(model, **more).shown > 0 for more in [*changes, {"approaches": ("majority", "tf-idf")}])
    run_and_see(server % 2)
    cheaper = look(server % 1, "prices: {machine_hour: 0.4}")
    assert cheaper.shown > 0, "those of the first run were shown with the answers of another model"
    mine = [json.loads(line) for line in (tmp_path / FILE).read_text().splitlines()]
    (tmp_path / FILE).write_text("".join(json.dumps(row) + "\n" for row in mine[2:]), encoding="utf-8")
    assert look(server % 1, "prices: {machine_hour: 0.4}").shown == 0


def marks(folder: Path) -> list[dict[str, Any]]:
    return [row for line in (folder / FILE).read_text().splitlines() if (row := json.loads(line)).get("shown")]


def test_writing_all_answers_marks_too_and_a_run_that_was_moved_says_that_it_cannot(
    tmp_path: Path,
    model_folders: Folders,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    caplog: pytest.LogCaptureFixture,
) -> None:
    task = write_task(tmp_path / "task", model_folders)
    monkeypatch.chdir(tmp_path)
    call(capsys, "run", str(task), "--out", "first", *QUICK)
    assert str(tmp_path) not in (tmp_path / "first" / PLACE).read_text()
    shutil.copytree("first", "deeper/moved")
    call(capsys, "report", "deeper/moved", "--answers", "all.csv")
    assert "could not be written down beside the task (it is not where it was)" in caplog.text
    assert marks(tmp_path / "task") == []
    assert SEEN in told(call(capsys, "report", "first", "--answers", "whole.csv"))
    assert len(marks(tmp_path / "task")) == 1


def test_other_recorded_answers_under_the_same_name_are_another_system() -> None:
    one, other = (Recorded(name="ours", answers={"k": RecordedAnswer(text=text)}) for text in ("a", "b"))
    assert one.digest != other.digest
    assert one.digest == Recorded(name="ours", answers={"k": RecordedAnswer(text="a", seconds=2.0)}).digest
