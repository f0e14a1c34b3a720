"""Whether the held-out cases are like real requests: told by a classifier, and said in the report."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

from advisor.story.tell import Extras
from benchmarks.contract import BadInput
from benchmarks.data.population import EXAMPLES, FEWEST, POPULATION, TIME, Apart, apart, in_time, sets_to_compare
from benchmarks.specs.spec import parse_spec
from strategies.contract import Case
from tests import tiny
from tests.conftest import Folders
from tests.desk import call, write_task
from tests.situations import everything_meets

NAMES = ("these cases", "300 real requests")


@dataclasses.dataclass(frozen=True)
class Planted:
    """Stands for an embedder: the texts are numbers, and lie around one of two points."""

    name: str = "planted"
    dimension: int = 8

    def embed(self, texts: Sequence[str]) -> np.ndarray:
        rows = [np.random.default_rng(abs(int(text))).standard_normal(8) + (int(text) < 0) for text in texts]
        return np.array(rows, dtype=np.float32)


def found(one: Sequence[int], other: Sequence[int], seed: int = 0) -> Apart | None:
    return apart(NAMES, ([str(number) for number in one], [str(number) for number in other]), Planted(), seed)  # type: ignore[arg-type]


def test_sets_from_one_place_are_told_apart_no_better_than_by_chance() -> None:
    told = [found(range(1, 201), range(201, 401), seed) for seed in range(60)]
    assert sum(each.differ for each in told if each) <= 3
    assert np.mean([each.share for each in told if each]) == pytest.approx(0.5, abs=0.02)


def test_sets_from_two_places_are_told_apart() -> None:
    told = found(range(1, 301), range(-300, 0))
    assert told is not None
    assert told.differ
    assert told.share > 0.8
    assert told.texts == 300


def test_copies_tell_nothing_and_too_few_texts_are_not_asked() -> None:
    assert found([1] * 300, range(1, 301)) is None
    assert found(range(1, FEWEST), range(1, 301)) is None
    assert found(range(1, 2_501), range(3_000, 6_000)).texts == 1_000  # type: ignore[union-attr]


class Rewordings(Planted):
    """The texts are numbers, and three that follow each other say nearly the same."""

    fingerprint = "rewordings"

    def embed(self, texts: Sequence[str]) -> np.ndarray:
        return super().embed([str(1_000 + int(text) // 3) for text in texts])


def test_rewordings_do_not_give_their_set_away() -> None:
    """All of a group stand on one side of every split, so that a classifier would know the set of one by another."""
    cases = [Case(id=f"{n}", input=f"{n}", output="o", group=f"{n // 3}", slices={"t": f"{n}"}) for n in range(720)]
    plain = tiny.benchmark()
    fold = dataclasses.replace(plain.task.folds[0], train=tuple(cases[:360]), selection=())
    task = dataclasses.replace(plain.task, folds=(fold,))
    benchmark = dataclasses.replace(plain, task=task, heldout=tuple(cases[360:]))
    stated = {"name": "t", "instruction": "Do.", "examples": "e.jsonl", "heldout": "h.jsonl", "columns": {"time": "t"}}
    traffic = [f"{request}{end}" for request in WISHES for end in ("", " please", "!")]
    compared = sets_to_compare(benchmark, traffic, parse_spec(stated))
    assert {key: [len(each) for each in texts] for key, (_, texts) in compared.items()} == {
        POPULATION: [120, len(WISHES)],
        EXAMPLES: [120, 120],
        TIME: [60, 60],
    }
    names, texts = compared[EXAMPLES]
    told = [apart(names, texts, Rewordings(), seed) for seed in range(20)]
    assert not any(each.differ for each in told if each)


WISHES = (
    "I want to close my account because I moved to another country",
    "Where is the parcel that should have arrived last Tuesday evening",
    "My password does not work since I bought a new telephone",
)


def test_cases_stand_in_the_order_of_their_time() -> None:
    times = ["2026-03-01T10:00:00+02:00", "2026-03-01T09:00:00", "2025-12-31", "", "2026-11-27 08:00"]
    cases = [Case(id=f"{place}", input="i", output="o", slices={"when": text}) for place, text in enumerate(times)]
    assert [case.id for case in in_time(cases, "when")] == ["2", "0", "1", "4"]
    numbers = [Case(id=text, input="i", output="o", slices={"when": text}) for text in ("10", "9.5", "100")]
    assert [case.id for case in in_time(numbers, "when")] == ["9.5", "10", "100"]
    with pytest.raises(BadInput, match=r'holds "yesterday"\. Write a date such as 2026-11-27'):
        in_time([Case(id="x", input="i", output="o", slices={"when": "yesterday"})], "when")


@pytest.mark.parametrize(
    ("times", "says"),
    [
        (("2026-03-01", "nan"), r'which holds "nan"\. Write a date such as 2026-11-27'),
        (("3", "inf"), r'which holds "inf"\. Write a date such as 2026-11-27'),
        (
            ("2026-03-01", "2025", "2024-05-03"),
            r'holds dates and numbers, such as "2026-03-01" and "2025"\. Write all of them as dates, or all as numbers\.$',
        ),
    ],
)
def test_times_without_an_order_are_refused(times: Sequence[str], says: str) -> None:
    """They were put in some order, and the older half compared with the newer one."""
    cases = [Case(id=text, input="i", output="o", slices={"when": text}) for text in times]
    with pytest.raises(BadInput, match=says):
        in_time(cases, "when")


def test_examples_and_older_cases_are_compared_before_a_run(
    tmp_path: Path, model_folders: Folders, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The held-out cases are like the examples, and the newer half of them is in another language."""
    monkeypatch.chdir(tmp_path)
    cases = tiny.messages(240)
    write_task(tmp_path, model_folders, "heldout: held.jsonl", "columns: {time: created}", cases=cases[:120])
    rows = [
        {
            "input": case.input if place < 60 else f"die Rechnung {place} stimmt nicht, bitte um Antwort",
            "output": case.output,
            "created": f"2026-{1 + place // 28:02}-{1 + place % 28:02}",
        }
        for place, case in enumerate(cases[120:])
    ]
    (tmp_path / "held.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    told = call(capsys, "check", "task.yaml", "--alike", "--deep", "--json")
    assert told.code == 0, told.err
    findings = {each["kind"]: each for each in json.loads(told.out)["findings"]}
    assert "overlap in meaning" in findings, "a random embedder finds all texts alike"
    assert all(each["effect"].endswith(".") for each in findings.values())
    examples, newer = json.loads(told.out)["alike"]
    assert examples.startswith("The examples and the held-out cases are not alike: a classifier ")
    assert newer.startswith("The older half of the held-out cases and the newer half are not alike: a classifier ")
    assert newer.endswith("Requests change: let the newest be the held-out cases, and measure again before long.")
    run = call(capsys, "run", "task.yaml", "--out", "r", "--json", "--probes", "none", "--approach", "majority")
    assert newer in json.loads(run.out)["data"], run.err
    rows[3]["created"] = "yesterday"
    (tmp_path / "held.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    for words in (("check", "task.yaml"), ("run", "task.yaml", "--out", "r2", "--approach", "majority", "--yes")):
        refused = call(capsys, *words)
        assert refused.code == 2
        assert 'holds "yesterday"' in refused.err


@pytest.mark.parametrize(
    ("share", "p_value", "says"), [(0.71, 1e-6, "is not like them"), (0.52, 0.3, "looks like them")]
)
def test_the_report_says_it(share: float, p_value: float, says: str) -> None:
    told = Apart(one=NAMES[0], other=NAMES[1], texts=300, share=share, p_value=p_value)
    given = everything_meets()
    story = dataclasses.replace(given, extras=Extras(population=told)).told().story
    assert says in story.confidence
    assert f"{share:.0%}".replace("%", " %") in story.confidence
    assert story.facts["population"]["share"] == share


def test_a_run_compares_its_held_out_cases_with_traffic(
    tmp_path: Path, model_folders: Folders, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    cases = tiny.messages(200)
    write_task(tmp_path, model_folders, "traffic: real.jsonl", "heldout: held.jsonl", cases=cases[:80])
    rows = [{"id": case.id, "input": case.input, "output": case.output} for case in cases[80:]]
    (tmp_path / "held.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    others = [f"die Rechnung {number} stimmt nicht, bitte um Antwort" for number in range(120)]
    (tmp_path / "real.jsonl").write_text(
        "".join(json.dumps({"text": text}) + "\n" for text in others), encoding="utf-8"
    )
    run = ("run", "task.yaml", "--out", "r", "--json", "--probes", "none", "--approach", "majority")
    done = call(capsys, *run)
    told = json.loads(done.out)["facts"]["population"]
    assert told["share"] > 0.9, done.err
    again = call(capsys, "report", "r", "--json")
    assert json.loads(again.out)["facts"]["population"] == told
    with monkeypatch.context() as patched:
        patched.setattr("benchmarks.running.run.apart", lambda *_: pytest.fail("the same texts were told apart again"))
        assert json.loads(call(capsys, *run, "--resume").out)["facts"]["population"] == told
    alike = "".join(json.dumps({"text": case.input}) + "\n" for case in tiny.messages(100, 5000))
    (tmp_path / "real.jsonl").write_text(alike, encoding="utf-8")
    other = json.loads(call(capsys, *run, "--resume").out)["facts"]["population"]
    assert other["share"] < 0.7, "the file is another"
    assert other["other"].endswith("real requests")
    missing = (tmp_path / "task.yaml").read_text(encoding="utf-8").replace("real.jsonl", "none.jsonl")
    (tmp_path / "task.yaml").write_text(missing, encoding="utf-8")
    refused = call(capsys, "check", "task.yaml")
    assert refused.code == 2
    assert "traffic" in refused.err
