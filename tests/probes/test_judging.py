"""A judge of one's own over stored answers: asked once for each, held against what people say, and deciding nothing."""

from __future__ import annotations

import csv
import json
import shutil
from collections.abc import Mapping
from contextlib import closing
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from advisor.probes.judged import judge_note
from advisor.wording import ceil_percent, floor_percent
from benchmarks.contract import Row
from benchmarks.evaluation.judging import COLUMNS, SHEET, Grading, Judge, OfOne, answers_of, judged, keep_people
from benchmarks.evaluation.judging import GRADES as KEPT
from benchmarks.metrics.accuracy import Accuracy
from benchmarks.statistics.confidence import exact_interval
from benchmarks.statistics.counted import interval
from benchmarks.statistics.looks import FILE
from benchmarks.storage.store import Store, UnitResult
from strategies.contract import Abstention, Case, Prediction
from tests.conftest import Folders
from tests.desk import call, everything, write_task
from tests.verdict_cases import PlainMetric, benchmark_of

GRADES = """
from pathlib import Path

def grade(input, answer, accepted, metadata):
    asked = Path(__file__).with_name("asked.txt")
    lines = asked.read_text().splitlines() if asked.exists() else []
    if len(lines) == 7 and Path(__file__).with_name("busy").exists():
        raise ConnectionError("the model that judges is busy")
    asked.write_text("\\n".join([*lines, answer]))
    return {grade}
"""


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory, model_folders: Folders) -> Path:
    from advisor.experiments.comparison import Wishes, advise

    desk = tmp_path_factory.mktemp("judged")
    task = write_task(desk, model_folders)
    advise(task, out=desk / "run", wishes=Wishes(approaches=("majority", "copy nearest"), probes="none"))
    return desk / "run"


@pytest.fixture
def run(finished: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    shutil.copytree(finished.parent, tmp_path, dirs_exist_ok=True)
    monkeypatch.chdir(tmp_path)
    return tmp_path / "run"


def judge(place: Path, grade: str = "float(answer in accepted)") -> str:
    (place / "judge.py").write_text(GRADES.format(grade=grade), encoding="utf-8")
    return "judge.py:grade"


def asked(run: Path) -> int:
    return len((run.parent / "asked.txt").read_text().splitlines())


def fill(run: Path, words: Mapping[str, str] | str) -> None:
    """Writes into the last column, as a person does: by the answer, or everywhere the same."""
    with (run / SHEET).open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    with (run / SHEET).open("w", encoding="utf-8", newline="") as file:
        sheet = csv.DictWriter(file, COLUMNS)
        sheet.writeheader()
        sheet.writerows(
            {**row, "right": words if isinstance(words, str) else words.get(row["answer"], "")} for row in rows
        )


def right_by_the_key(run: Path) -> None:
    with (run / SHEET).open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    with (run / SHEET).open("w", encoding="utf-8", newline="") as file:
        sheet = csv.DictWriter(file, COLUMNS)
        sheet.writeheader()
        sheet.writerows({**row, "right": "yes" if row["answer"] == row["expected"] else "no"} for row in rows)


def test_it_is_asked_once_for_each_answer_and_the_verdict_stays(run: Path, capsys: pytest.CaptureFixture[str]) -> None:
    before = call(capsys, "report", "run", "--json")
    by = judge(run.parent)
    done = call(capsys, "judge", "run", "--by", by, "--allow-code")
    assert done.code == 0, done.err
    assert "write yes or no into the column right of run/to-judge.csv" in " ".join(done.err.split())
    assert "Nobody has read any of them yet" in " ".join(done.out.split())
    first = asked(run)
    after = call(capsys, "report", "run", "--json")
    assert after.code == before.code in (0, 100, 101)
    told, were = json.loads(after.out), json.loads(before.out)
    assert (told["main"], told["verdict"]) == (were["main"], were["verdict"])
    assert (were["judge"]["rows"], were["facts"]["judge"]) == ([], None)
    assert told["facts"]["judge"]["answers"] == first, "each different answer once"
    figures = {each["name"]: each["figure"] for each in told["facts"]["candidates"] if each["figure"] is not None}
    judged = {name: each["right"] for name, each in told["facts"]["judge"]["by"].items()}
    assert judged == pytest.approx(figures), "this judge knows the key"
    assert "What a judge says" in (run / "report.html").read_text(encoding="utf-8")
    assert call(capsys, "judge", "run", "--by", by, "--allow-code").code == 0
    assert asked(run) == first, "nothing was asked again"


def test_what_people_say_is_held_against_it_and_against_the_next_judge(
    run: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    by = judge(run.parent)
    call(capsys, "judge", "run", "--by", by, "--allow-code")
    right_by_the_key(run)
    done = call(capsys, "judge", "run", "--by", by, "--allow-code", "--json")
    found = json.loads(done.out)
    assert found["read"] == found["both"] + found["neither"] > 10
    assert found["kappa"] == 1.0
    kind = judge(run.parent, "1")
    found = json.loads(call(capsys, "judge", "run", "--by", kind, "--allow-code", "--json").out)
    assert found["both"] > 0 < found["too_kind"]
    assert (found["neither"], found["too_strict"], found["kappa"]) == (0, 0, None)
    assert {each["right"] for each in found["by"].values()} == {1.0}
    assert sum(each["read"] for each in found["by"].values()) >= found["read"]


def test_who_gave_an_answer_and_what_the_judge_said_is_not_in_the_sheet(
    run: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    call(capsys, "judge", "run", "--by", judge(run.parent), "--allow-code")
    text = (run / SHEET).read_text(encoding="utf-8")
    assert text.splitlines()[0] == ",".join(COLUMNS)
    assert "nearest" not in text
    assert "majority" not in text
    assert (run / SHEET).stat().st_mode & 0o077 == 0
    looks = [json.loads(line) for line in (run.parent / FILE).read_text(encoding="utf-8").splitlines()]
    (shown,) = [look for look in looks if look.get("shown")]
    assert len(shown["cases"]) == len({line.partition("|")[0] for line in text.splitlines()[1:]}), "they count as seen"


def test_a_judge_that_fails_is_asked_only_for_the_rest(run: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (run.parent / "busy").touch()
    done = call(capsys, "judge", "run", "--by", judge(run.parent), "--allow-code")
    assert done.code == 2
    assert "ConnectionError on case" in done.err
    assert "the model that judges is busy" in done.err
    assert asked(run) == 7
    assert not (run / SHEET).exists()
    (run.parent / "busy").unlink()
    found = json.loads(call(capsys, "judge", "run", "--by", "judge.py:grade", "--allow-code", "--json").out)
    assert asked(run) == found["answers"] > 7


@pytest.mark.parametrize(
    ("words", "said"),
    [("perhaps", 'to-judge.csv, line 2: "right" holds "perhaps". Write yes or no, or nothing.'), ("", "")],
)
def test_a_word_that_is_none_is_named_and_an_empty_sheet_says_nothing(
    words: str, said: str, run: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    by = judge(run.parent)
    call(capsys, "judge", "run", "--by", by, "--allow-code")
    fill(run, words)
    kept = everything(run)[SHEET]
    done = call(capsys, "judge", "run", "--by", by, "--allow-code")
    assert done.code == (2 if said else 0)
    assert said in " ".join(done.err.split())
    assert everything(run)[SHEET] == kept, "what a person wrote is never written over"


def test_code_runs_only_where_it_is_allowed(run: Path, capsys: pytest.CaptureFixture[str]) -> None:
    done = call(capsys, "judge", "run", "--by", judge(run.parent))
    assert done.code == 2
    assert "--allow-code" in done.err
    assert not (run.parent / "asked.txt").exists()


@pytest.mark.parametrize(
    ("by", "said"),
    [
        ("macro_f1", "scores a whole table of answers"),
        ("rouge", "`rouge` judges nothing. Write file.py:function of yours, or one of accuracy,"),
        ("chrf", "does not score"),
    ],
)
def test_what_cannot_judge_is_named(by: str, said: str, run: Path, capsys: pytest.CaptureFixture[str]) -> None:
    done = call(capsys, "judge", "run", "--by", by)
    assert done.code == 2
    assert said in " ".join(done.err.split())


def test_how_far_they_agree_is_told_in_whole_sentences() -> None:
    by = {"lora": OfOne(cases=100, right=0.8, read=50, agreed=45)}
    judge = Judge(name="j.py:f", answers=120, by=by, both=30, neither=15, too_kind=4, too_strict=1)
    note = judge_note(judge, "accuracy")
    assert "People read 50 of them and agree with it in 45 (78 to 97 %); beyond chance that is 0.78 of" in note
    assert "Right for the judge alone: 4; right for people alone: 1." in note
    assert note.endswith("It decides nothing here: the verdict rests on accuracy.")
    assert judge.kappa == pytest.approx((0.9 - (0.68 * 0.62 + 0.32 * 0.38)) / (1 - (0.68 * 0.62 + 0.32 * 0.38)))


def stored(store: Store, name: str, texts: list[str]) -> None:
    """Answers to the first held-out cases; an empty one is an abstention."""
    outcomes = [Prediction(text=text) if text else Abstention(reason="unsure") for text in texts]
    rows = tuple(
        Row(candidate=name, purpose="heldout", key=f"h{place:03}", outcome=outcome, score=0.0)
        for place, outcome in enumerate(outcomes)
    )
    store.begin(name, "answer", name)
    store.finish(UnitResult(unit=name, kind="answer", candidate=name, rows=rows))


def graded(store: Store, names: list[str]) -> None:
    answers = answers_of(benchmark_of(cases=100), names, store)
    grading = Grading(judge=Accuracy(), name="judge.py:grade", answers=answers, store=store)
    grading.keep(dict(grading.grades()))


def test_its_grade_is_over_the_cases_that_an_approach_was_asked(tmp_path: Path) -> None:
    """One that is asked until it is decided has answers to the first cases alone."""
    with closing(Store(tmp_path / "run.sqlite")) as store:
        stored(store, "linear head", ["refund"] * 30 + ["login"] * 9 + [""])
        graded(store, ["linear head"])
        found = judged(benchmark_of(cases=100), ["linear head"], store)
    assert found is not None
    assert (found.by["linear head"].cases, found.by["linear head"].right) == (40, 0.75)


@dataclass(frozen=True, kw_only=True)
class ByMetadata(PlainMetric):
    """Goes by what a case says besides its answers, as an installed class may."""

    name: str = "by metadata"

    def score(self, case: Case, text: str) -> float:
        return float(case.metadata["must say"] in text)


def test_cases_that_differ_in_what_a_judge_is_told_besides_get_grades_of_their_own(tmp_path: Path) -> None:
    alike = benchmark_of(cases=2)
    cases = tuple(
        replace(each, input="May I return it?", output="see contract", answers=(), metadata={"must say": days})
        for each, days in zip(alike.heldout, ("30 days", "14 days"), strict=True)
    )
    with closing(Store(tmp_path / "run.sqlite")) as store:
        stored(store, "lora", ["You have 30 days."] * 2)
        answers = answers_of(replace(alike, heldout=cases), ["lora"], store)
        grading = Grading(judge=ByMetadata(), name="judge.py:grade", answers=answers, store=store)
        assert [grade for _, grade in grading.grades()] == [1.0, 0.0]


def test_answers_that_came_after_it_was_asked_are_not_counted_as_wrong(tmp_path: Path) -> None:
    names = ["linear head", "lora", "majority"]
    with closing(Store(tmp_path / "run.sqlite")) as store:
        stored(store, "linear head", ["refund"] * 60 + ["login"] * 40)
        graded(store, names)
        stored(store, "lora", ["refund"] * 90 + ["login"] * 10)
        stored(store, "majority", ["refund"] * 50 + ["account"] * 50)
        found = judged(benchmark_of(cases=100), names, store)
        assert found is not None
        assert {name: (each.right, each.ungraded) for name, each in found.by.items()} == {
            "linear head": (0.6, 0),
            "lora": (None, 30),
            "majority": (None, 50),
        }
        note = judge_note(found, "accuracy")
        assert (
            "It has not seen 30 answers of lora and 50 answers of majority: give the command advisor judge again"
            in note
        )
        graded(store, names)
        again = judged(benchmark_of(cases=100), names, store)
        assert again is not None
        assert [each.right for each in again.by.values()] == [0.6, 0.9, 0.5]


def test_several_answers_to_one_case_are_no_independent_evidence_of_the_judge(tmp_path: Path) -> None:
    """Three answers to each of 20 cases counted as 60 cases."""
    texts = {"linear head": "refund", "lora": "login", "majority": "account"}
    bench = benchmark_of(cases=20)
    with closing(Store(tmp_path / "run.sqlite")) as store:
        for name, text in texts.items():
            stored(store, name, [text] * 20)
        answers = answers_of(bench, [*texts], store)
        store.set_meta(KEPT, {"name": "j.py:f", "grades": {answer.key: 1.0 for answer in answers}})
        agreed = {case.id for case in bench.heldout[:15]}
        keep_people({answer.key: answer.case.id in agreed for answer in answers}, store)
        found = judged(bench, [*texts], store)
    assert found is not None
    assert sorted(found.by_case) == [(0, 3)] * 5 + [(3, 3)] * 15
    low, high = interval(45, 60, found.by_case)
    alone = exact_interval(45, 60)
    assert low < alone[0]
    assert high > alone[1]
    assert f"in 45 ({floor_percent(low)} to {ceil_percent(high)} %)" in judge_note(found, "accuracy")
