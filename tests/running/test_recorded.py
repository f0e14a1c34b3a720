"""Recorded answers: read with their costs, matched by input, compared like any other approach, refused with a sentence."""

from __future__ import annotations

import json
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest

from advisor import Wishes, advise
from benchmarks.contract import BadInput, State
from benchmarks.data.recorded import read_recorded
from benchmarks.storage.store import Store
from strategies.approaches.recorded import Recorded
from strategies.contract import Failure, Prediction, Query, Sampling
from tests.desk import ROOT

COLOURS = ("red", "green", "blue", "grey")


def task_folder(place: Path, answers: list[dict[str, object]]) -> Path:
    """A task of 48 examples and 24 held-out cases in which the answer is the last word of the input."""
    rows = [
        {
            "id": f"c{number}",
            "input": f"paint number {number} please, in {COLOURS[number % 4]}",
            "output": COLOURS[number % 4],
        }
        for number in range(72)
    ]
    for name, part in (("examples", rows[:48]), ("heldout", rows[48:])):
        (place / f"{name}.jsonl").write_text("".join(json.dumps(row) + "\n" for row in part), encoding="utf-8")
    (place / "answers.jsonl").write_text("".join(json.dumps(row) + "\n" for row in answers), encoding="utf-8")
    (place / "task.yaml").write_text(
        "name: colours\ninstruction: Which colour?\nexamples: examples.jsonl\nheldout: heldout.jsonl\n"
        "recorded: answers.jsonl\ntarget: 0.5\nkind: classification\n",
        encoding="utf-8",
    )
    return place / "task.yaml"


def held_out_inputs() -> list[str]:
    return [f"paint number {number} please, in {COLOURS[number % 4]}" for number in range(48, 72)]


def test_two_systems_stand_beside_the_rungs_with_what_they_cost(tmp_path: Path) -> None:
    answers: list[dict[str, object]] = []
    for text in held_out_inputs():
        answers.append({"input": text, "answer": text.split()[-1], "system": "hosted", "cost": 0.002, "seconds": 0.5})
        answers.append({"input": text, "answer": "red", "system": "intern", "seconds": 30})
    some = held_out_inputs()[:15]
    answers.extend({"input": text, "answer": text.split()[-1], "system": "partly", "cost": 0.002} for text in some)
    wishes = Wishes(approaches=("majority", "hosted", "intern", "partly"))
    verdict = advise(task_folder(tmp_path, answers), out=tmp_path / "run", wishes=wishes)
    found = {evaluation.candidate: evaluation for evaluation in verdict.evaluations}
    assert found["hosted"].figure == 1.0
    assert found["intern"].figure == 0.25
    billed = found["hosted"].answering
    assert billed is not None
    assert billed.cost == pytest.approx(0.002 * 24)
    assert billed.seconds == pytest.approx(12.0)
    unbilled = found["intern"].answering
    assert unbilled is not None
    assert unbilled.cost is None, "an unknown cost is not 0"
    states = {status.candidate: status.state for status in verdict.recommendation.statuses}
    assert states["hosted"] == State.MEETS
    bills = {bill.candidate: bill for bill in verdict.costs}
    assert [bills[name].per_thousand.value for name in ("hosted", "partly")] == [pytest.approx(2.0)] * 2
    missing = "stated in the file of recorded answers; 9 of 24 held-out cases have no answer there"
    assert [item.source for item in bills["partly"].items if item.by_request] == [missing], "and they are not free"
    waits = {name: each.latency for name, each in found.items()}
    assert waits["hosted"] is not None
    assert (waits["hosted"].p50_s, waits["hosted"].throughput_per_s, waits["partly"]) == (0.5, None, None)
    story = verdict.story
    assert story.main.note.endswith("The wait of hosted and intern is as the file of recorded answers states.")
    assert not any("no load was tested" in line for line in story.method), "their seconds were not spent here"
    assert story.facts["checks_took"] is None or story.facts["checks_took"]["of_seconds"] < 12


def test_waits_are_of_the_answers_there_are_and_unknown_where_one_does_not_say(tmp_path: Path) -> None:
    """An input without a line did not take 0 seconds, nor did an answer without `seconds`."""
    answers: list[dict[str, object]] = []
    for place, text in enumerate(held_out_inputs()):
        if place % 3:
            answers.append({"input": text, "answer": "red", "system": "gaps", "seconds": 2.0})
        waits = {"seconds": 4.0} if place % 8 else {}
        answers.append({"input": text, "answer": "red", "system": "some", **waits})
    wishes = Wishes(approaches=("majority", "gaps", "some"))
    verdict = advise(task_folder(tmp_path, answers), out=tmp_path / "run", wishes=wishes)
    waited = {each.candidate: each.latency for each in verdict.evaluations}
    assert waited["gaps"] is not None
    assert set(waited["gaps"].seconds) == {2.0}
    assert waited["some"] is None


def test_an_input_without_an_answer_is_a_failure_and_never_left_out(tmp_path: Path) -> None:
    path = tmp_path / "answers.jsonl"
    path.write_text('{"input": "a", "answer": "x"}\n', encoding="utf-8")
    (system,) = read_recorded(path)
    assert isinstance(system, Recorded)
    outcomes = dict(system.answer([Query.of("a"), Query.of("b")], Sampling()))
    assert isinstance(outcomes[Query.of("a").key], Prediction)
    missing = outcomes[Query.of("b").key]
    assert isinstance(missing, Failure)
    assert missing.kind == "refused"


@pytest.mark.parametrize(
    ("line", "sentence"),
    [
        ("not json", r"answers\.jsonl:1: not JSON .* Write one JSON object a line"),
        ('{"input": "a"}', r"answers\.jsonl:1: a recorded answer needs the texts `input` and `answer`"),
        ('{"input": "a", "answer": "b", "price": 1}', r"unknown key 'price'; allowed are input, answer"),
        ('{"input": "a", "answer": "b", "cost": -1}', r"cost is -1; write a number of at least 0"),
        ('{"input": "a", "answer": "b", "seconds": NaN}', r"seconds is nan; write a number of at least 0"),
        ("[" * 100_000, r"answers\.jsonl:1: not JSON"),
        ("", r"holds no answers"),
    ],
)
def test_a_line_that_cannot_be_used_is_named(tmp_path: Path, line: str, sentence: str) -> None:
    path = tmp_path / "answers.jsonl"
    path.write_text(line + "\n", encoding="utf-8")
    with pytest.raises(BadInput, match=sentence):
        read_recorded(path)


@pytest.mark.parametrize(
    ("encoding", "sentence"),
    [
        ("utf-16", r"answers\.jsonl is UTF-16\. Save it with the encoding UTF-8\."),
        ("latin-1", r"answers\.jsonl, line 2 is not UTF-8 \(byte 15\)\. Save the file with the encoding UTF-8\."),
    ],
)
def test_a_file_in_another_encoding_is_named(encoding: str, sentence: str, tmp_path: Path) -> None:
    path = tmp_path / "answers.jsonl"
    rows = ({"input": text, "answer": text} for text in ("a", "caf\u00e9"))
    path.write_bytes("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows).encode(encoding))
    with pytest.raises(BadInput, match=sentence):
        read_recorded(path)


def test_what_a_file_cannot_answer_is_not_asked_and_leaves_limits_open(tmp_path: Path) -> None:
    """It holds no answers to edited requests, nor to such with planted text: that is no system whose answers change."""
    answers: list[dict[str, object]] = [
        {"input": text, "answer": text.split()[-1], "seconds": 0.2} for text in held_out_inputs()
    ]
    path = task_folder(tmp_path, answers)
    limits = "constraints:\n  same_at_least: 0.9\n  planted_at_most: 0.1\n"
    path.write_text(path.read_text(encoding="utf-8") + limits, encoding="utf-8")
    wishes = Wishes(approaches=("majority", "recorded"), planted=True)
    verdict = advise(path, out=tmp_path / "run", wishes=wishes)
    (found,) = [each for each in verdict.evaluations if each.family == "recorded"]
    assert found.agreements == ()
    assert found.planted == ()
    assert found.latency is not None, "the file says how long it took"
    states = {status.candidate: status.state for status in verdict.recommendation.statuses}
    assert states["recorded"] is State.UNDECIDED, "whether that system keeps these limits is not known"
    said = " ".join(verdict.recommendation.reasons)
    assert "but whether it keeps the limits on steady answers and planted instructions was not measured." in said
    assert "The limit on steady answers was not checked for recorded: no edits were asked." in said
    assert "The limit on planted instructions was not checked for recorded: none were planted" in said


def test_what_a_file_says_nothing_of_was_not_declined(tmp_path: Path) -> None:
    """A line that is missing was taken for a question that the system rightly leaves without an answer."""
    texts = [f"Rule {number}: team{number} gets {100 + number} euros." for number in range(60)]
    answerable: list[dict[str, object]] = [
        {"input": f"What does team{number} get?", "output": f"{100 + number} euros", "documents": [f"d{number}"]}
        for number in range(60)
    ]
    blank: list[dict[str, object]] = [
        {"input": f"What colour has squad{number}?", "output": "not in the handbook"} for number in range(60)
    ]
    files: dict[str, list[dict[str, object]]] = {
        "docs": [{"id": f"d{number}", "text": text} for number, text in enumerate(texts)],
        "examples": [*answerable[:30], *blank[:30]],
        "heldout": [*answerable[30:], *blank[30:]],
        "answers": [{"input": row["input"], "answer": row["output"]} for row in answerable[30:]]
        + [{"input": blank[30]["input"], "answer": "blue"}, {"input": blank[31]["input"], "answer": ""}],
    }
    for name, rows in files.items():
        (tmp_path / f"{name}.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    (tmp_path / "task.yaml").write_text(
        "name: rules\ninstruction: Answer.\nkind: qa\nexamples: examples.jsonl\nheldout: heldout.jsonl\n"
        "documents: docs.jsonl\nrecorded: answers.jsonl\ntarget: 0.3\n",
        encoding="utf-8",
    )
    wishes = Wishes(approaches=("majority", "recorded"), probes="none")
    verdict = advise(tmp_path / "task.yaml", out=tmp_path / "run", wishes=wishes)
    (found,) = [each.grounding for each in verdict.evaluations if each.family == "recorded"]
    assert found is not None
    assert (found.unanswerable, found.unanswerable_answered, found.silent) == (2, 1, 1)


def test_a_file_of_other_inputs_is_refused_before_anything_runs(tmp_path: Path) -> None:
    """The run ended with a system that could not be judged."""
    answers: list[dict[str, object]] = [{"input": f"another {number}", "answer": "red"} for number in range(24)]
    wishes = Wishes(approaches=("majority", "recorded"), probes="none")
    with pytest.raises(BadInput, match=r"holds no answer of 'recorded' to any of the 24 held-out cases"):
        advise(task_folder(tmp_path, answers), out=tmp_path / "run", wishes=wishes)
    assert not (tmp_path / "run").exists()
    advise(tmp_path / "task.yaml", out=tmp_path / "run", wishes=Wishes(approaches=("majority",), probes="none"))


def test_checking_them_loads_nothing_heavy(tmp_path: Path) -> None:
    task = task_folder(tmp_path, [{"input": text, "answer": "red"} for text in held_out_inputs()])
    program = (
        "import sys\nfrom click.testing import CliRunner\nfrom advisor.cli import main\n"
        f"done = CliRunner().invoke(main, ['check', {str(task)!r}])\n"
        "print(done.exit_code, {'torch', 'transformers', 'sklearn'} & set(sys.modules))\n"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, cwd=ROOT, check=False)
    assert done.stdout == "0 set()\n", done.stderr


def test_the_same_text_finds_its_answer_however_its_lines_end(tmp_path: Path) -> None:
    """Inputs of cases are cleaned when they are read; a right answer beside the text as it stood counted as none."""
    file = tmp_path / "answers.jsonl"
    rows = [
        {"input": "two\r\nlines", "answer": "a\u200bb"},
        {"input": "zero\u200bwidth", "answer": "b"},
        {"input": "a sign\u2028between", "answer": "c"},
    ]
    file.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows), encoding="utf-8")
    (system,) = read_recorded(file)
    assert isinstance(system, Recorded)
    keys = {text: Query.of(text).key for text in ("two\nlines", "zerowidth", "a sign\u2028between")}
    assert {text: system.answers[key].text for text, key in keys.items()} == {
        "two\nlines": "ab",
        "zerowidth": "b",
        "a sign\u2028between": "c",
    }


def test_a_system_may_not_be_called_as_an_approach_is(tmp_path: Path) -> None:
    """The rows of both would stand under one name, and the run could never be told."""
    answers: list[dict[str, object]] = [
        {"input": text, "answer": "red", "system": "tf-idf"} for text in held_out_inputs()
    ]
    with pytest.raises(BadInput, match=r"answers\.jsonl holds a system 'tf-idf', as an approach is called"):
        advise(task_folder(tmp_path, answers), out=tmp_path / "run", wishes=Wishes(probes="none"))


def test_a_run_does_not_go_on_with_other_answers_under_the_same_name(tmp_path: Path) -> None:
    """Scored anew in the same folder they would stand at the look of the first ones."""
    answers: list[dict[str, object]] = [{"input": text, "answer": "red"} for text in held_out_inputs()]
    wishes = Wishes(approaches=("majority", "recorded"), probes="none")
    advise(task_folder(tmp_path, answers), out=tmp_path / "run", wishes=wishes)
    better = [{**row, "answer": str(row["input"]).split()[-1]} for row in answers]
    with pytest.raises(BadInput, match="The run in run was made with recorded answers of the hash"):
        advise(task_folder(tmp_path, better), out=tmp_path / "run", wishes=wishes)
    advise(task_folder(tmp_path, answers), out=tmp_path / "run", wishes=wishes)


def test_a_run_from_before_its_recorded_answers_were_hashed_goes_on(tmp_path: Path) -> None:
    answers: list[dict[str, object]] = [{"input": text, "answer": "red"} for text in held_out_inputs()]
    wishes = Wishes(approaches=("majority", "recorded"), probes="none")
    task = task_folder(tmp_path, answers)
    advise(task, out=tmp_path / "run", wishes=wishes)
    with closing(Store(tmp_path / "run" / "run.sqlite")) as store:
        store.set_meta("identity", {key: is_so for key, is_so in store.meta("identity").items() if key != "recorded"})
    advise(task, out=tmp_path / "run", wishes=wishes)
