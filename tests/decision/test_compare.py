"""Two runs side by side: the inputs that both answered, scored alike, and what was changed between them."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from advisor.experiments.compared import change_between, compare
from benchmarks.contract import BadInput, Benchmark, Row
from benchmarks.data.frozen import freeze
from benchmarks.evaluation.scoring import scored
from benchmarks.metrics.accuracy import Accuracy
from benchmarks.metrics.exact_match import ExactMatch
from benchmarks.metrics.macro_f1 import MacroF1
from benchmarks.statistics.confidence import paired_difference
from benchmarks.statistics.resampling import resampled_difference
from benchmarks.storage.store import Store, UnitResult
from strategies.contract import Case, Failure, Fold, Outcome, Prediction
from tests import tiny
from tests.conftest import Folders
from tests.desk import call, write_task
from tests.verdict_cases import benchmark_of

PLAIN = [word for name in ("majority", "copy nearest") for word in ("--approach", name)]


def task(folder: Path, models: Folders, cases: tuple[Sequence[Case], Sequence[Case]], *lines: str) -> None:
    """Examples and held-out cases in files of their own."""
    examples, heldout = cases
    write_task(folder, models, "heldout: held.jsonl", *lines, cases=examples)
    rows = [{"id": case.id, "input": case.input, "output": case.output} for case in heldout]
    (folder / "held.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")


@pytest.fixture
def desk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def run(capsys: pytest.CaptureFixture[str], folder: str, *more: str) -> None:
    done = call(capsys, "run", f"{folder}/task.yaml", "--out", f"runs/{folder}", "--probes", "none", *PLAIN, *more)
    assert done.code in (0, 100, 101), done.err


def test_what_cleaning_was_worth_is_shown_under_the_corrected_key(
    desk: Path, model_folders: Folders, capsys: pytest.CaptureFixture[str]
) -> None:
    cases = tiny.messages(160)
    examples, heldout = cases[:100], cases[100:]
    labels = sorted({case.output for case in cases})
    wrong = [
        dataclasses.replace(case, output=labels[0]) if place % 3 == 0 else case for place, case in enumerate(examples)
    ]
    slips = [dataclasses.replace(case, output=labels[1]) if place < 5 else case for place, case in enumerate(heldout)]
    stated = f"labels: [{', '.join(labels)}]"
    task(desk / "noisy", model_folders, (wrong, slips), stated)
    task(desk / "clean", model_folders, (examples, heldout), stated)
    run(capsys, "noisy")
    run(capsys, "clean")
    done = call(capsys, "compare", "runs/noisy", "runs/clean", "--json")
    found = json.loads(done.out)
    changed = sum(one.output != other.output for one, other in zip(wrong, examples, strict=True))
    corrected = sum(one.output != other.output for one, other in zip(slips, heldout, strict=True))
    assert found["shared"] == 60
    assert found["what"] == [
        f"Of 100 examples there are 100 now: {changed} changed.",
        f"The right answer of {corrected} held-out cases is another; both runs are scored with the later one.",
    ]
    by_name = {change["candidate"]: change for change in found["changes"]}
    nearest = by_name["copy nearest"]
    assert nearest["difference"] > 0.1
    assert 0 < nearest["low"] < nearest["difference"] < nearest["high"]
    assert nearest["p_value"] < 0.05
    rows = json.loads(call(capsys, "report", "runs/clean", "--json").out)["facts"]["candidates"]
    figures = {row["name"]: row["figure"] for row in rows}
    assert {name: change["after"] for name, change in by_name.items()} == {name: figures[name] for name in by_name}
    shown = call(capsys, "compare", "runs/noisy", "runs/clean")
    assert "copy nearest" in shown.out
    assert "60 held-out inputs that both runs answered" in " ".join(shown.out.split())
    same = call(capsys, "compare", "runs/clean", "runs/clean")
    assert "Both runs were given the same." in same.out
    assert "0 points" in same.out


def test_what_lost_its_answers_in_one_run_is_not_said_to_be_worse(tmp_path: Path) -> None:
    """That run has no figure for it: it is not measured yet."""
    benchmark = dataclasses.replace(benchmark_of(cases=60), metric=Accuracy())
    good, gone = Prediction(text="refund"), Failure(kind="infrastructure", message="server: 503 too busy")
    for name, every in (("before", 60), ("after", 3)):
        (tmp_path / name).mkdir()
        (tmp_path / name / "run.json").write_text(json.dumps({"benchmark": freeze(benchmark)}), encoding="utf-8")
        outcomes = [gone if place % every == 1 and every < 60 else good for place in range(60)]
        rows = tuple(
            Row(candidate="prompting", purpose="heldout", key=case.id, outcome=said, score=float(said is good))
            for case, said in zip(benchmark.heldout, outcomes, strict=True)
        )
        with closing(Store(tmp_path / name / "run.sqlite")) as store:
            store.begin("answer", "answer", "prompting")
            store.finish(UnitResult(unit="answer", kind="answer", candidate="prompting", rows=rows))
    found = compare(tmp_path / "before", tmp_path / "after")
    assert (found.changes, found.only) == ((), ("prompting",))
    same = compare(tmp_path / "before", tmp_path / "before")
    assert [change.difference for change in same.changes] == [0.0]


def answered(folder: Path, benchmark: Benchmark, outcomes: Sequence[Outcome]) -> Path:
    """A run of prompting that gave these outcomes to the first held-out cases."""
    folder.mkdir()
    (folder / "run.json").write_text(json.dumps({"benchmark": freeze(benchmark)}), encoding="utf-8")
    rows = tuple(
        Row(candidate="prompting", purpose="heldout", key=case.id, outcome=said, score=0.0)
        for case, said in zip(benchmark.heldout, outcomes, strict=False)
    )
    with closing(Store(folder / "run.sqlite")) as store:
        store.begin("answer", "answer", "prompting")
        store.finish(UnitResult(unit="answer", kind="answer", candidate="prompting", rows=rows))
    return folder


def test_what_answered_nothing_in_one_run_has_no_figure_to_compare(tmp_path: Path) -> None:
    benchmark = dataclasses.replace(benchmark_of(cases=60), metric=Accuracy())
    good = answered(tmp_path / "good", benchmark, [Prediction(text="refund")] * 60)
    none = answered(tmp_path / "none", benchmark, [Failure(kind="refused", message="no")] * 60)
    assert (compare(good, none).changes, compare(none, good).only) == ((), ("prompting",))


def test_both_runs_are_scored_by_the_metric_of_the_later_one(tmp_path: Path) -> None:
    benchmark, said = benchmark_of(cases=60), [Prediction(text="Refund.")] * 60
    labels, texts = (
        answered(tmp_path / metric.name, dataclasses.replace(benchmark, metric=metric), said)
        for metric in (Accuracy(), ExactMatch())
    )
    for one, other, figure in ((labels, texts, 1.0), (texts, labels, 0.0)):
        (change,) = compare(one, other).changes
        assert (change.before, change.after) == (figure, figure)


def test_of_runs_that_asked_in_other_orders_that_of_the_one_that_asked_least_counts(tmp_path: Path) -> None:
    """Bets hold in the order in which was stopped."""
    stops = dataclasses.replace(benchmark_of(cases=120), metric=Accuracy(), sequential=True)
    right, wrong = Prediction(text="refund"), Prediction(text="none")
    least = [right if place > 20 else wrong for place in range(60)]
    before = answered(tmp_path / "before", stops, least)
    mixed = dataclasses.replace(stops, heldout=tuple(reversed(stops.heldout)))
    after = answered(tmp_path / "after", mixed, [right] * 120)
    bets = [
        paired_difference([1.0] * 60, [float(said is right) for said in each], None, stops_with=1)
        for each in (least, least[::-1])
    ]
    assert bets[0].lower != bets[1].lower
    (change,) = compare(before, after).changes
    assert (change.low, change.high, change.p_value) == (bets[0].lower, bets[0].upper, bets[0].p_value)
    (change,) = compare(after, before).changes
    assert change.high == pytest.approx(-bets[0].lower)
    assert change.p_value == pytest.approx(bets[0].p_value)


@pytest.mark.parametrize("metric", [Accuracy(), MacroF1()])
def test_cases_of_one_group_count_as_one_and_the_interval_has_two_sides(metric: Any) -> None:
    cases = [Case(id=f"c{n}", input=f"m{n}", output="ab"[n % 2], group=f"g{n // 10}") for n in range(100)]
    said = [[case.output if place >= lost else "c" for place, case in enumerate(cases)] for lost in (20, 0)]
    before, after = (scored(metric, cases, [Prediction(text=text) for text in each]) for each in said)
    found = change_between("lora", metric, (before, after))
    groups = [case.group for case in cases]
    if metric.over_rows:
        drawn = resampled_difference(metric, (before, after), groups)
        assert (found.low, found.high) == (2 * drawn.lower(0.025) - 1, 2 * drawn.upper(0.025) - 1)
        assert found.p_value == drawn.p_value(0.5)
    else:
        wanted = paired_difference([1.0] * 100, [0.0] * 20 + [1.0] * 80, groups)
        assert (found.low, found.high, found.p_value) == (wanted.lower, wanted.upper, wanted.p_value)


def test_what_was_asked_no_more_once_decided_is_compared_on_what_both_were_asked(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """In the order in which the run that asked least asked; that a run which does not stop was cut off is no decision."""
    stops = dataclasses.replace(benchmark_of(cases=120), metric=Accuracy(), sequential=True)
    mixed = dataclasses.replace(stops, heldout=tuple(reversed(stops.heldout)))
    asked = {"all": (120, 120), "stopped": (60, 90), "soon": (20, 120), "first": (40, 120)}
    runs = {"before": stops, "after": stops, "plain": dataclasses.replace(mixed, sequential=False)}
    for name, benchmark in runs.items():
        (tmp_path / name).mkdir()
        (tmp_path / name / "run.json").write_text(json.dumps({"benchmark": freeze(benchmark)}), encoding="utf-8")
        with closing(Store(tmp_path / name / "run.sqlite")) as store:
            for candidate, counts in asked.items():
                cases = benchmark.heldout[: counts[name != "before"]]
                rows = tuple(
                    Row(
                        candidate=candidate,
                        purpose="heldout",
                        key=case.id,
                        outcome=Prediction(text=case.output if place % (3 if name == "before" else 9) else "none"),
                        score=0.0,
                    )
                    for place, case in enumerate(cases)
                )
                store.begin(candidate, "answer", candidate)
                store.finish(UnitResult(unit=candidate, kind="answer", candidate=candidate, rows=rows))
    found = compare(tmp_path / "before", tmp_path / "after")
    assert {change.candidate: change.cases for change in found.changes} == {"all": 120, "stopped": 60, "first": 40}
    assert (found.shared, found.only) == (120, ("soon",))
    every, stopped, _ = sorted(found.changes, key=lambda change: -change.cases)
    later, earlier = ([float(place % part > 0) for place in range(60)] for part in (9, 3))
    bets = paired_difference(later, earlier, None, stops_with=1)
    assert (stopped.low, stopped.high, stopped.p_value) == (bets.lower, bets.upper, bets.p_value)
    assert every.high - every.low < stopped.high - stopped.low
    shown = " ".join(call(capsys, "compare", str(tmp_path / "before"), str(tmp_path / "after")).out.split())
    assert "95 % interval p inputs" in shown
    assert "120 held-out inputs that both runs answered, or those of them that an approach was asked before" in shown
    alike = json.loads(call(capsys, "compare", str(tmp_path / "after"), str(tmp_path / "after"), "--json").out)
    assert {change["candidate"]: change["cases"] for change in alike["changes"]}["stopped"] == 90
    found = compare(tmp_path / "before", tmp_path / "plain")
    assert {change.candidate for change in found.changes} == {"all", "first"}, "the plain run was cut off in one"


def stored(folder: Path, benchmark: Benchmark, identity: Mapping[str, Any], **about: object) -> Path:
    """A run of one approach."""
    folder.mkdir()
    (folder / "run.json").write_text(json.dumps({"benchmark": freeze(benchmark), **about}), encoding="utf-8")
    rows = tuple(
        Row(candidate="prompting", purpose="heldout", key=case.id, outcome=Prediction(text="refund"), score=1.0)
        for case in benchmark.heldout
    )
    with closing(Store(folder / "run.sqlite")) as store:
        store.set_meta("identity", identity)
        store.begin("answer", "answer", "prompting")
        store.finish(UnitResult(unit="answer", kind="answer", candidate="prompting", rows=rows))
    return folder


BENCHMARK = dataclasses.replace(benchmark_of(cases=60), metric=Accuracy())
IDENTITY = {
    "weights": {"m": "1", "far": "1"},
    "embedder": "e",
    "embedder_weights": "1",
    "options": {"seed": 0, "probes": True},
}
FAR = {"name": "far", "endpoint": "http://127.0.0.1:9/v1"}
SPEC = {"volume": 10, "examples": "a.csv", "models": [{"name": "m"}, FAR]}


def with_task(**values: Any) -> Benchmark:
    return dataclasses.replace(BENCHMARK, task=dataclasses.replace(BENCHMARK.task, **values))


@pytest.mark.parametrize(
    ("benchmark", "identity", "about", "says"),
    [
        (BENCHMARK, {"embedder": "f", "embedder_weights": "2"}, {}, "The embedder was e and is f."),
        (BENCHMARK, {"embedder_weights": "2"}, {}, "The weights of the embedder are others."),
        (BENCHMARK, {"embedder_files": "2"}, {}, ""),
        (BENCHMARK, {"teacher": "abc"}, {}, "The teacher, or what it is asked, is another."),
        (BENCHMARK, {"reranker": "abc"}, {}, "The reranker is another."),
        (BENCHMARK, {"quantised": ["m"]}, {}, "The list of models in four bits was none and is m."),
        (BENCHMARK, {"weights": {"m": "2", "far": "1"}}, {}, "The weights of m are others."),
        (
            BENCHMARK,
            {"weights": {"m": "1", "far": "2"}},
            {},
            "How the server of far is asked (address, model, context_tokens, reasoning_tokens or extra_body) is another.",
        ),
        (BENCHMARK, {"weights": {"n": "1"}}, {}, "The models were far and m and are n."),
        (BENCHMARK, {"weights": {}}, {}, "The models were far and m and are none."),
        (BENCHMARK, {"options": {"seed": 1, "probes": True}}, {}, "The seed was 0 and is 1."),
        (BENCHMARK, {"options": {"seed": 0, "probes": False}}, {}, "The checks that were asked for are others."),
        (BENCHMARK, {"new": 3}, {}, "`new` of the run is another."),
        (with_task(temperature=0.8), {}, {}, "The temperature was 0.0 and is 0.8."),
        (with_task(schema={"type": "string"}), {}, {}, "The schema or pattern is another."),
        (with_task(labels=(*BENCHMARK.task.labels, "new")), {}, {}, "Of 4 labels there are 5 now: 1 added."),
        (
            dataclasses.replace(BENCHMARK, sequential=True),
            {},
            {},
            "Only the later run stopped asking when it was decided.",
        ),
        (BENCHMARK, {}, {"spec": {**SPEC, "volume": 20}}, "`volume` in the task is another."),
        (
            BENCHMARK,
            {},
            {"spec": {**SPEC, "models": [{"name": "m", "monthly": 3}, FAR]}},
            "`models` in the task is another.",
        ),
        (BENCHMARK, {}, {"spec": {**SPEC, "examples": "b.csv"}}, ""),
        (BENCHMARK, {"task_hash": "1"}, {}, "The rows are others in their order"),
        (BENCHMARK, {}, {"experiment": "2"}, "or something else was given that is another."),
        (BENCHMARK, {}, {}, ""),
    ],
)
def test_each_thing_that_is_not_the_same_is_said(
    benchmark: Benchmark, identity: Mapping[str, Any], about: Mapping[str, Any], says: str, tmp_path: Path
) -> None:
    before = stored(tmp_path / "before", BENCHMARK, IDENTITY, spec=SPEC, experiment="1")
    known = {"spec": SPEC, "experiment": "1", **about}
    after = stored(tmp_path / "after", benchmark, {**IDENTITY, **identity}, **known)
    found = compare(before, after).what
    assert len(found) == bool(says)
    assert says in " ".join(found)


def test_another_device_or_size_of_batches_is_not_called_other_weights_for_sure(tmp_path: Path) -> None:
    more = {"dtype": "float32", "batches": {"m": 4096}}
    runs = [stored(tmp_path / name, BENCHMARK, {**IDENTITY, **more}, spec=SPEC) for name in ("before", "after")]
    with closing(Store(runs[1] / "run.sqlite")) as store:
        store.set_meta("identity", {**IDENTITY, **more, "weights": {"m": "2", "far": "1"}})
    assert compare(runs[0], runs[1]).what == ("The weights of m are others.",)
    with closing(Store(runs[1] / "run.sqlite")) as store:
        store.set_meta("provenance", {"placement": "cuda:0, float32 (as asked)"})
    unsure = "The weights of m are others, or only their device, number format or size of batches is."
    assert compare(runs[0], runs[1]).what == (unsure,)


def test_rows_that_stand_twice_are_counted_as_rows(tmp_path: Path) -> None:
    """Eleven copies are left out, of a row that stood twice with two answers the wrong one is corrected."""
    fold = BENCHMARK.task.folds[0]
    copies = tuple(dataclasses.replace(case, id=f"copy {case.id}") for case in fold.train[:11])
    one, other = (
        Case(id=f"twice {answer}", input="the same request", output=answer) for answer in BENCHMARK.task.labels[:2]
    )

    def of(*more: Case) -> Benchmark:
        return with_task(folds=(dataclasses.replace(fold, train=(*fold.train, *more)),))

    before = stored(tmp_path / "before", of(*copies, one, other), IDENTITY)
    after = stored(tmp_path / "after", of(one, dataclasses.replace(other, output=one.output)), IDENTITY)
    rows = len(fold.train) + len(fold.selection)
    assert compare(before, after).what == (
        f"Of {rows + 13} examples there are {rows + 2} now: 11 left out and 1 changed.",
    )
    again = dataclasses.replace(BENCHMARK, heldout=(*BENCHMARK.heldout, *copies))
    twice, once = stored(tmp_path / "twice", again, IDENTITY), stored(tmp_path / "once", BENCHMARK, IDENTITY)
    assert compare(twice, once).what == ("Of 71 held-out cases there are 60 now: 11 left out.",)


LABELS = ("cancel", "invoice", "login", "refund")


def relabelled(folder: Path, labels: Mapping[str, Sequence[str]]) -> Path:
    """A run of one approach on 80 cases, right in two of three, where cases of some labels have others now, in turn."""

    def cases(side: str) -> tuple[Case, ...]:
        names = [labels.get(label, [label]) for label in LABELS]
        outputs = [names[place % 4][place // 4 % len(names[place % 4])] for place in range(80)]
        return tuple(Case(id=f"{side}{n}", input=f"{side} {n}", output=output) for n, output in enumerate(outputs))

    fold = Fold(train=cases("a"), selection=cases("b"))
    known = tuple(sorted({case.output for case in fold.train}))
    benchmark = dataclasses.replace(with_task(folds=(fold,), labels=known), heldout=cases("c"))
    folder.mkdir()
    (folder / "run.json").write_text(json.dumps({"benchmark": freeze(benchmark)}), encoding="utf-8")
    said = [case.output if place % 3 else "refund" for place, case in enumerate(benchmark.heldout)]
    rows = tuple(
        Row(candidate="prompting", purpose="heldout", key=case.id, outcome=Prediction(text=text), score=0.0)
        for case, text in zip(benchmark.heldout, said, strict=True)
    )
    with closing(Store(folder / "run.sqlite")) as store:
        store.begin("answer", "answer", "prompting")
        store.finish(UnitResult(unit="answer", kind="answer", candidate="prompting", rows=rows))
    return folder


def test_other_labels_make_no_approach_better(tmp_path: Path) -> None:
    """That a label had another name once made an approach better by 22 points, at a p below 0.001."""
    first = relabelled(tmp_path / "first", {})
    name = compare(first, relabelled(tmp_path / "name", {"cancel": ["Ended"]}))
    assert (name.shared, [change.difference for change in name.changes]) == (80, [0.0])
    assert name.what[-1] == '1 label has another name now ("cancel" is "Ended"), by which earlier answers are read.'
    for kind, labels, left_out in (
        ("split", ["one half", "other half"], 20),
        ("split in part", ["cancel", "new"], 10),
        ("merged", ["invoice"], 20),
    ):
        found = compare(first, relabelled(tmp_path / kind, {"cancel": labels}))
        assert (found.shared, [change.difference for change in found.changes]) == (80 - left_out, [0.0])
        assert found.what[-1].startswith(f"{left_out} held-out cases are not compared: what is right there was or is")
    both = compare(first, relabelled(tmp_path / "both", {"cancel": ["ended"], "invoice": ["ended"]}))
    assert (both.shared, len(both.what), both.what[-1][:22]) == (40, len(found.what), "40 held-out cases are n"[:22])
    every = relabelled(tmp_path / "all", {label: [f"{label} 1", f"{label} 2"] for label in LABELS})
    with pytest.raises(
        BadInput, match=r"^80 held-out cases are not compared: .* Of others the runs share 0, and 30 are"
    ):
        compare(first, every)


def test_only_shared_inputs_count_and_too_few_are_refused(
    desk: Path, model_folders: Folders, capsys: pytest.CaptureFixture[str]
) -> None:
    cases = tiny.messages(220)
    task(desk / "one", model_folders, (cases[:80], cases[80:150]), "metric: {name: f1_of_label, label: delivery}")
    task(desk / "two", model_folders, (cases[:90], cases[110:180]), "metric: {name: f1_of_label, label: delivery}")
    task(desk / "three", model_folders, (cases[:80], cases[180:]))
    for name in ("one", "two", "three"):
        run(capsys, name)
    found = json.loads(call(capsys, "compare", "runs/one", "runs/two", "--json").out)
    assert found["shared"] == 40
    for change in found["changes"]:
        assert change["low"] <= change["difference"] <= change["high"]
        assert 0 < change["p_value"] <= 1
    assert "Of 80 examples there are 90 now: 10 added." in found["what"]
    refused = call(capsys, "compare", "runs/one", "runs/three")
    assert refused.code == 2
    assert "share 0 held-out inputs, and 30 are needed" in refused.err
    assert call(capsys, "compare", "runs/one", "nowhere").code == 2
