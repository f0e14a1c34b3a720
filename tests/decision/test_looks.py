"""Looking again at the same held-out cases: what is written down, what counts, and what is left for a later look."""

from __future__ import annotations

import json
import shutil
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from advisor.decision.bounds import family_statuses, level_for_every_target, sharing
from advisor.experiments.comparison import Wishes, advise, execute, prepare
from advisor.experiments.experiment import rivals_in, subject_of
from advisor.experiments.found import find
from advisor.experiments.stored import reopen
from advisor.story.looked import looks
from benchmarks.contract import BadInput, Look, Row, State
from benchmarks.evaluation.evaluate import About, evaluate
from benchmarks.metrics import load
from benchmarks.review.lineage import Changes, Lineage
from benchmarks.review.reviewed import review
from benchmarks.statistics.looks import ALPHA, FILE, Rivals, begin_look, level_of, look_at, take_over, write_down
from benchmarks.storage.store import Store, UnitResult
from strategies.contract import Case, Prediction
from tests.conftest import Folders
from tests.desk import call, write_task
from tests.verdict_cases import benchmark_of, evaluation_of

QUICK = ("--approach", "majority", "--probes", "none", "--effort", "quick", "--yes")


def cases(first: int, last: int) -> tuple[Case, ...]:
    return tuple(Case(id=str(place), input=f"canary {place}", output="yes") for place in range(first, last))


def look(folder: Path, heldout: Sequence[Case], experiment: str) -> Look:
    """One run that was finished: which look it was."""
    found = look_at(heldout, folder, experiment)
    write_down(replace(benchmark_of(), heldout=tuple(heldout), look=found), folder, experiment)
    return found


def test_all_looks_together_spend_less_than_the_whole_level() -> None:
    levels = [level_of(number) for number in range(1, 60)]
    assert sum(levels) <= ALPHA * (1 + 1e-12), "but for the last digit of a sum"
    assert levels == sorted(levels, reverse=True)
    assert levels[0] == pytest.approx(0.0375)


def test_a_look_counts_where_it_shared_a_case(tmp_path: Path) -> None:
    assert look(tmp_path, cases(0, 100), "a") == Look()
    second = look(tmp_path, cases(0, 150), "b")
    assert (second.number, second.seen) == (2, 100)
    assert second.last
    assert look(tmp_path, cases(500, 600), "c").number == 1, "fresh cases start anew"
    third = look(tmp_path, cases(149, 200), "d")
    assert (third.number, third.seen) == (2, 1)


def test_the_same_again_is_the_same_look(tmp_path: Path) -> None:
    look(tmp_path, cases(0, 10), "a")
    assert look(tmp_path, cases(0, 10), "a") == Look()
    assert look(tmp_path, cases(0, 10), "b").number == 2
    assert look(tmp_path, cases(0, 10), "b").number == 2
    assert len((tmp_path / FILE).read_text().splitlines()) == 2


@pytest.mark.parametrize(("one", "other", "counts"), [("x", "x", 0), ("x", "y", 4), ("", "x", 4), ("", "", 4)])
def test_cases_that_were_shown_with_other_answers_count_and_so_do_those_of_which_that_is_not_known(
    one: str, other: str, counts: int, tmp_path: Path
) -> None:
    look(tmp_path, cases(0, 10), "a")
    row = json.loads((tmp_path / FILE).read_text(encoding="utf-8"))
    shown = {**row, "shown": True, "subject": one, "cases": row["cases"][:4]}
    with (tmp_path / FILE).open("a", encoding="utf-8") as file:
        file.write(json.dumps(shown) + "\n")
    found = look_at(cases(0, 10), tmp_path, "b", other)
    assert (found.number, found.seen, found.shown) == (2, 10, counts)


def test_the_file_says_which_cases_and_not_what_stands_in_them(tmp_path: Path) -> None:
    look(tmp_path, cases(0, 3), "a")
    text = (tmp_path / FILE).read_text()
    assert "canary" not in text
    assert len(json.loads(text)["cases"]) == 3


@pytest.mark.parametrize(
    "line",
    ["{", "[]", '{"cases": 3}', '{"cases": ["a"], "day": "2026-11-20"}', '{"cases": [1], "experiment": "x"}', ""],
)
def test_what_is_no_look_is_passed_over(tmp_path: Path, line: str) -> None:
    look(tmp_path, cases(0, 3), "a")
    with (tmp_path / FILE).open("a") as file:
        file.write(line + "\n")
    assert look_at(cases(0, 3), tmp_path, "b").number == 2


def test_a_line_that_was_cut_off_in_writing_takes_no_later_one_with_it(tmp_path: Path) -> None:
    (tmp_path / FILE).write_text('{"experiment": "a", "cas', encoding="utf-8")
    look(tmp_path, cases(0, 3), "b")
    assert look_at(cases(0, 3), tmp_path, "c").number == 2


def test_a_damaged_line_takes_no_other_look_with_it_and_is_one_itself(tmp_path: Path) -> None:
    """One byte that is not UTF-8 made the next look the first one again."""
    look(tmp_path, cases(0, 3), "a")
    look(tmp_path, cases(0, 3), "b")
    with (tmp_path / FILE).open("ab") as file:
        file.write(b'{"experiment": "caf\xe9", "cases": []}\n')
    assert (look(tmp_path, cases(0, 3), "c").number, look_at(cases(0, 3), tmp_path, "d").number) == (4, 5)
    fresh = look_at(cases(10, 13), tmp_path, "d")
    assert (fresh.number, fresh.seen, fresh.last) == (2, 3, ""), "which cases it was at is not known"
    told_of: Any = SimpleNamespace(benchmark=SimpleNamespace(look=fresh))
    assert "3 of them were measured on before, so the evidence has to be stronger" in looks(told_of)
    copy = tmp_path / "copy"
    copy.mkdir()
    take_over(tmp_path, copy)
    assert look_at(cases(0, 3), copy, "d").number == 5


def test_a_mark_at_the_beginning_of_the_looks_takes_none_away(tmp_path: Path) -> None:
    look(tmp_path, cases(0, 3), "a")
    (tmp_path / FILE).write_bytes(b"\xef\xbb\xbf" + (tmp_path / FILE).read_bytes())
    assert look_at(cases(0, 3), tmp_path, "b").number == 2


def test_looks_that_cannot_be_read_are_not_taken_for_none(
    tmp_path: Path, model_folders: Folders, caplog: pytest.LogCaptureFixture
) -> None:
    task, run = write_task(tmp_path, model_folders), tmp_path / "run"
    advise(task, out=run, wishes=MAJORITY)
    file = tmp_path / FILE
    file.write_bytes(file.read_text(encoding="utf-8").encode("utf-16"))
    with pytest.raises(BadInput, match=r"stand, is not UTF-8\. Save it as UTF-8, or put back an earlier copy\.$"):
        prepare(task, NEAREST)
    assert reopen(run, cases="wrong").cases, "what was measured can still be read"
    assert "could not be written down beside the task (what stands there cannot be read)" in caplog.text
    file.unlink()
    file.symlink_to(file)
    with pytest.raises(BadInput, match=r"stand, cannot be read \(Too many .*\)\. Have it made readable, or put back"):
        begin_look(replace(benchmark_of(), heldout=cases(0, 3)), tmp_path, "a")


def test_a_folder_that_takes_no_file_is_said(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    (tmp_path / FILE).mkdir()
    assert look(tmp_path, cases(0, 3), "a") == Look()
    assert "could not be written down beside the task" in caplog.text


def test_for_a_figure_over_rows_a_later_look_draws_more_often(tmp_path: Path) -> None:
    about = About(name="c", approach="majority", family="reference", model="", simplicity=0)
    drawn = []
    for number in (1, 2, 4):
        benchmark = replace(benchmark_of(cases=60), metric=load("macro_f1"), look=Look(number=number))
        rows = tuple(
            Row(candidate="c", purpose="heldout", key=case.id, outcome=Prediction(text="refund"), score=1.0)
            for case in benchmark.heldout
        )
        with closing(Store(tmp_path / f"{number}.sqlite")) as store:
            store.begin("u", "answer", "c")
            store.finish(UnitResult(unit="u", kind="answer", candidate="c", rows=rows))
            drawn.append(len(evaluate(benchmark, about, store, {}).resampled))
    assert drawn == [2_000, 5_334, 40_000]


# ---------------------------------------------------------------- as a person meets it


def test_who_is_left_out_at_a_later_look_keeps_a_part_of_the_error(tmp_path: Path) -> None:
    """The best of nine that are just below the target would pass too often, asked alone a second time on the same cases."""
    names = (*(f"c{number}" for number in range(8)), "lora")
    benchmark = replace(benchmark_of(cases=40), target=0.8)
    begin_look(benchmark, tmp_path, "a", rivals=Rivals(candidates=names, costs={"": "x"}))
    alone = begin_look(benchmark, tmp_path, "b", rivals=Rivals(candidates=("lora",), costs={"": "x"}))
    assert alone.missing == names[:8]
    family = [evaluation_of("lora", scores=[1.0] * 39 + [0.0])]
    shared = sharing(family, replace(benchmark, look=alone), ["lora"])
    assert (shared.procedure, shared.spared) == ("holm", 8)
    assert level_for_every_target(replace(benchmark, look=alone), 9) == pytest.approx(level_of(2) / 9)
    (status,) = family_statuses(family, 0.8, shared)
    assert status.state is State.UNDECIDED
    (first,) = family_statuses(family, 0.8, sharing(family, benchmark, ["lora"]))
    assert first.state is State.MEETS
    assert look_at(benchmark.heldout, tmp_path, "c", rivals=Rivals(candidates=(*names, "more"))).as_before


def test_at_other_costs_no_order_is_fixed_at_a_later_look(tmp_path: Path) -> None:
    benchmark = replace(benchmark_of(cases=40), target=0.8)
    begin_look(benchmark, tmp_path, "a", rivals=Rivals(candidates=("a", "b"), costs={"": "x", "m": "1"}))
    same = Rivals(candidates=("a", "b"), costs={"": "x", "m": "1", "another": "2"})
    assert begin_look(benchmark, tmp_path, "b", rivals=same).as_before, (
        "a further model changes no order among the others"
    )
    dearer = begin_look(benchmark, tmp_path, "c", rivals=replace(same, costs={"": "x", "m": "2"}))
    assert (dearer.missing, dearer.other_costs) == ((), True)
    family = [evaluation_of(name, scores=[1.0] * 38 + [0.0] * 2) for name in ("lora", "prompting")]
    cheapest_first = ["prompting", "lora"]
    orders = [sharing(family, replace(benchmark, look=look), cheapest_first).order for look in (dearer, Look(number=3))]
    assert orders == [(), ("prompting", "lora")]


def test_an_approach_is_not_left_out_because_a_second_model_is_compared(tmp_path: Path, model_folders: Folders) -> None:
    task = write_task(tmp_path / "one", model_folders)
    alone = rivals_in(prepare(task))
    shutil.copytree(model_folders.language, tmp_path / "other")
    both = rivals_in(prepare(write_task(tmp_path, model_folders, f"models: [{model_folders.language}, ./other]")))
    assert set(alone.candidates) < set(both.candidates)
    assert alone.costs.items() <= both.costs.items()


def test_the_same_run_that_a_server_answers_anew_is_a_later_look(
    tmp_path: Path, model_folders: Folders, monkeypatch: pytest.MonkeyPatch
) -> None:
    task = write_task(tmp_path, model_folders, "models: [{name: hosted, endpoint: 'http://127.0.0.1:9/v1'}]")
    first, again = (prepare(task, Wishes(approaches=("majority",))) for _ in range(2))
    assert first.experiment != again.experiment
    assert first.experiment == first.experiment, "of one run it is the same whenever it is asked"
    assert subject_of(first) == subject_of(again)
    monkeypatch.setattr("benchmarks.running.reuse.must_hold_a_run", lambda folder: None)
    monkeypatch.setattr("advisor.experiments.begun.about_run", lambda folder: {"experiment": first.experiment})
    forked = prepare(task, Wishes(approaches=("majority",), fork=tmp_path)).experiment
    reused = prepare(task, Wishes(approaches=("majority",), reuse=tmp_path)).experiment
    assert forked == first.experiment, "a fork has the answers of its source"
    assert reused not in (first.experiment, again.experiment)


def test_a_start_that_is_refused_or_ends_before_anything_is_asked_is_no_look(
    tmp_path: Path, model_folders: Folders, monkeypatch: pytest.MonkeyPatch
) -> None:
    advise(write_task(tmp_path / "of another seed", model_folders), out=tmp_path / "other", wishes=MAJORITY)
    task = write_task(tmp_path / "hosted", model_folders, "models: [{name: hosted, endpoint: 'http://127.0.0.1:9/v1'}]")
    out, asked = tmp_path / "out", replace(MAJORITY, seed=5)
    with pytest.raises(BadInput, match="Nothing can be taken over"):
        advise(task, out=out, wishes=replace(asked, reuse=tmp_path / "other"))
    with ThreadPoolExecutor(1) as threads, pytest.raises(BadInput, match="--max-hours needs Linux or macOS"):
        threads.submit(advise, task, out=out, wishes=replace(asked, max_hours=1)).result()
    assert not (task.parent / FILE).exists()
    assert not (out / "run.json").exists()

    def cut_off(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr("benchmarks.running.run.private", cut_off)
        with pytest.raises(KeyboardInterrupt):
            advise(task, out=out, wishes=asked)
    advise(task, out=out, wishes=asked)
    assert [row["look"] for row in written(task.parent)] == [1]
    assert "look 2" not in (out / "report.md").read_text(encoding="utf-8")


def test_a_second_run_with_more_cases_is_a_second_look(
    tmp_path: Path, model_folders: Folders, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    task = write_task(tmp_path, model_folders)
    monkeypatch.chdir(tmp_path)
    first = call(capsys, "run", str(task), "--heldout", "10", "--out", "first", *QUICK)
    assert "however often these cases are looked at again" in told(first.out)
    again = call(capsys, "run", str(task), "--heldout", "10", "--out", "again", *QUICK)
    assert "however often these cases are looked at again" in told(again.out)
    second = call(capsys, "run", str(task), "--out", "second", *QUICK)
    assert "This is look 2 at these cases: 10 of them were measured on before" in told(second.out)
    assert "look 2" in told(call(capsys, "report", "second").out), "a report keeps the look of its run"
    assert "look 2" not in told(call(capsys, "report", "first").out)
    checked = told(call(capsys, "check", str(task)).out)
    assert "At look 3 at some of these cases" in checked


@pytest.mark.parametrize(
    "line",
    [
        "volume: 500",
        "horizon_months: 3",
        "prices: {machine_hour: 0.4}",
        "upkeep: {facts_months: 1}",
        "constraints: {p95_latency_s: 5}",
    ],
)
def test_who_is_tested_first_depends_on_money_and_limits_so_other_ones_are_another_look(
    line: str,
    tmp_path: Path,
    model_folders: Folders,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    run = ("run", str(write_task(tmp_path, model_folders)), *QUICK, "--out")
    first = call(capsys, *run, "first")
    write_task(tmp_path, model_folders, line)
    assert call(capsys, *run, "first", "--resume").code == first.code
    assert len((tmp_path / FILE).read_text().splitlines()) == 1, "a run that goes on is told with what it began with"
    assert "This is look 2 at these cases" in told(call(capsys, *run, "second").out)


MAJORITY = Wishes(approaches=("majority",), probes="none")
NEAREST = Wishes(approaches=("copy nearest",), probes="none")


def test_a_run_that_is_cut_off_is_a_look(
    tmp_path: Path, model_folders: Folders, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """A report tells what it measured, and what it shows is written down as for any other run."""

    def cut_off(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    task = write_task(tmp_path, model_folders)
    with monkeypatch.context() as patched:
        patched.setattr("benchmarks.running.run.add_cascade", cut_off)
        with pytest.raises(KeyboardInterrupt):
            advise(task, out=tmp_path / "cut", wishes=MAJORITY)
    assert prepare(task, NEAREST).assembly.benchmark.look.number == 2
    assert "could not be written down" not in call(capsys, "report", str(tmp_path / "cut"), "--cases", "all").err
    assert [bool(row.get("shown")) for row in written(tmp_path)] == [False, True]
    advise(task, out=tmp_path / "other", wishes=NEAREST)
    advise(task, out=tmp_path / "cut", wishes=MAJORITY)
    assert [row["look"] for row in written(tmp_path) if not row.get("shown")] == [1, 2], "going on is no further look"


def test_of_runs_that_overlap_the_second_is_a_later_look(tmp_path: Path, model_folders: Folders) -> None:
    task = write_task(tmp_path, model_folders)
    prepared = [prepare(task, wishes) for wishes in (MAJORITY, NEAREST)]
    assert [each.assembly.benchmark.look.number for each in prepared] == [1, 1]
    for place, each in enumerate(prepared, 1):
        execute(each, tmp_path / f"run {place}")
        about = json.loads((tmp_path / f"run {place}" / "run.json").read_text(encoding="utf-8"))
        assert about["benchmark"]["look"]["number"] == place


def test_runs_that_begin_at_one_moment_are_different_looks(tmp_path: Path) -> None:
    benchmark = replace(benchmark_of(), heldout=cases(0, 3))
    with ThreadPoolExecutor(8) as pool:
        begun = list(pool.map(lambda name: begin_look(benchmark, tmp_path, str(name)), range(8)))
    assert sorted(each.number for each in begun) == list(range(1, 9))


def written(folder: Path) -> list[dict[str, Any]]:
    """What stands beside the task."""
    return [json.loads(line) for line in (folder / FILE).read_text(encoding="utf-8").splitlines()]


def known_by(task: Path) -> tuple[str, str]:
    """What a run of it counts as: the experiment, and what answers in it."""
    prepared = prepare(task, Wishes(dtype="float32"))
    return prepared.experiment, subject_of(prepared)


def test_what_makes_other_answers_is_another_look(tmp_path: Path, model_folders: Folders) -> None:
    """Though it stands under the same name: a temperature, weights in a folder, a teacher and what it is asked."""
    own = tmp_path / "own"
    shutil.copytree(model_folders.language, own)
    for name in ("first", "second"):
        rows = "".join(json.dumps({"input": f"the {name} request {number}"}) + "\n" for number in range(20))
        (tmp_path / f"{name}.jsonl").write_text(rows, encoding="utf-8")
    two = f"models: [own, {model_folders.language}]"
    asked = [
        ("models: [own]",),
        ("models: [own]", "temperature: 0.7"),
        (two,),
        (two, "traffic: first.jsonl", "teacher: own"),
        (two, "traffic: second.jsonl", "teacher: own"),
        (two, "traffic: first.jsonl", f"teacher: {model_folders.language.name}"),
    ]
    known = [known_by(write_task(tmp_path, model_folders, *lines)) for lines in asked]
    assert [known_by(write_task(tmp_path, model_folders, *lines)) for lines in asked] == known, "the same again"
    (own / "generation_config.json").write_text('{"max_length": 7}', encoding="utf-8")
    known.append(known_by(write_task(tmp_path, model_folders, "models: [own]")))
    assert [len(set(names)) for names in zip(*known, strict=True)] == [len(known), len(known)]


def copied(task: Path, folder: Path) -> Path:
    """As `advisor check --fix` makes the copy. Returns its task."""
    found = find(task)
    review(found.assembled(), found.data(), folder, list)
    return folder / "task.yaml"


@pytest.mark.parametrize("order", [("task", "copy", "other"), ("copy", "task", "other")])
def test_looks_at_a_reviewed_copy_and_at_its_task_count_for_each_other(
    order: Sequence[str], tmp_path: Path, model_folders: Folders
) -> None:
    """And at a second copy: made before anything was run, of all three."""
    tasks = {"task": write_task(tmp_path, model_folders)}
    for name in ("copy", "other"):
        tasks[name] = copied(tasks["task"], tmp_path / name)
    for number, name in enumerate(order, 1):
        begun = prepare(tasks[name], Wishes(approaches=("majority",), probes="none", target=0.5 + number / 100))
        assert begun.looks is not None
        look = begin_look(begun.assembly.benchmark, begun.looks, begun.experiment)
        assert (look.number, bool(look.seen)) == (number, number > 1)


def test_that_cases_were_shown_is_known_to_a_copy_that_was_made_before(
    tmp_path: Path,
    model_folders: Folders,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    caplog: pytest.LogCaptureFixture,
) -> None:
    monkeypatch.chdir(tmp_path)
    task, fix = str(write_task(tmp_path, model_folders, "target: 0.05")), ("--fix", "reviewed")
    call(capsys, "run", task, "--out", "first", *QUICK)
    assert call(capsys, "check", task, *fix).code == 0
    call(capsys, "report", "first", "--cases", "wrong")
    rows = (tmp_path / FILE).read_text(encoding="utf-8")
    assert call(capsys, "check", task, *fix).code == 0
    assert (tmp_path / "reviewed" / FILE).read_text(encoding="utf-8") == rows
    shutil.move(tmp_path / "reviewed", tmp_path / "elsewhere" / "reviewed")
    cleaned = call(capsys, "run", "elsewhere/reviewed", "--out", "cleaned", *QUICK, "--target", "0.06")
    assert cleaned.code == 101
    assert "This is look 2 at these cases" in told(cleaned.out)
    assert "is a reviewed copy of (it is not where it was)" in caplog.text
    assert (tmp_path / FILE).read_text(encoding="utf-8") == rows


def test_a_look_that_cannot_be_written_beside_the_task_of_a_copy_is_said(
    tmp_path: Path, model_folders: Folders, caplog: pytest.LogCaptureFixture
) -> None:
    copy = copied(write_task(tmp_path, model_folders), tmp_path / "copy").parent
    (tmp_path / FILE).mkdir()
    assert begin_look(replace(benchmark_of(), heldout=cases(0, 3)), copy, "a") == Look()
    assert "could not be written down beside the task that this is a reviewed copy of (Is a directory)" in caplog.text
    assert look_at(cases(0, 3), copy, "b").number == 2
    (tmp_path / FILE).rmdir()
    assert begin_look(replace(benchmark_of(), heldout=cases(0, 3)), copy, "b").number == 2
    assert look_at(cases(0, 3), tmp_path, "c").number == 3, "what was missing there is added with the next look"


@pytest.mark.parametrize("folder", ["copy", "/tmp", "nowhere\0", "../copy"])
def test_a_way_that_leads_nowhere_or_back_is_not_followed(folder: str, tmp_path: Path) -> None:
    nothing = Changes(rows=0, corrected=0, left_out=0)
    lineage = Lineage(task="t", source="", data="", examples=nothing, heldout=nothing, folder=folder)
    (tmp_path / "copy").mkdir()
    lineage.write(tmp_path / "copy")
    (tmp_path / "copy" / "task.yaml").touch()
    assert look(tmp_path / "copy", cases(0, 3), "a").number == 1
    assert look(tmp_path / "copy", cases(0, 3), "b").number == 2
    assert [path.parent.name for path in tmp_path.rglob(FILE)] == ["copy"]


def told(text: str) -> str:
    """What was printed, without the frames and the ends of lines."""
    return " ".join(text.replace("│", " ").split())


def test_a_task_by_name_is_for_trying_out(
    tmp_path: Path, model_folders: Folders, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    chosen = ("--model", str(model_folders.language), "--heldout", "20", "--examples", "30")
    call(capsys, "run", "support-intents", *chosen, *QUICK)
    assert not list(tmp_path.rglob(FILE))
    from benchmarks.tasks import find

    named = find("support-intents")
    assert named is not None
    assert not (named.open()[1] / FILE).exists()
