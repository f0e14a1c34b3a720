"""What share of a run's time its checks took: from the stored rows, told in every format, with a word where it is too much."""

from __future__ import annotations

from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest

from advisor.story.tell import Extras
from benchmarks.evaluation.cascade import DERIVED
from benchmarks.evaluation.taken import MOST, Taken, taken
from benchmarks.running.machine_load import BESIDE
from benchmarks.storage.store import Store, UnitResult
from strategies.contract import Usage
from tests.situations import edits
from tests.verdict_cases import Bakeoff, benchmark_of, evaluation_of, scores_of


def spent(store: Store, candidate: str, kind: str, seconds: float) -> None:
    name = f"{candidate} {kind}"
    store.begin(name, kind, candidate)
    usage = Usage(model="m", step="answering", seconds=seconds, calls=1)
    note = {"seconds": 0.5 * seconds} if kind == "fit" else None
    store.finish(UnitResult(unit=name, kind=kind, candidate=candidate, usage=(usage,), note=note))


def test_seconds_are_added_up_by_what_they_were_for(tmp_path: Path) -> None:
    """A fit counts as long as it took, which is half of its usage where it takes over what another searched."""
    with closing(Store(tmp_path / "run.sqlite")) as store:
        for kind, seconds in (("fit", 100.0), ("answer", 10.0), ("edit", 8.0), ("seed", 12.0), ("rebuild", 200.0)):
            spent(store, "lora", kind, seconds)
        spent(store, "cascade", "answer", 70.0)
        spent(store, "cascade", "fit", 70.0)
        store.set_meta(DERIVED, [{"name": "cascade"}])
        found = taken(store)
        spent(store, "hosted", "answer", 900.0)
        assert taken(store, ["hosted"]) == found, "the seconds that a file states were not spent here"
    assert found == Taken(seconds={"fit": 50.0, "answer": 10.0, "edit": 8.0, "seed": 12.0, "rebuild": 200.0})
    assert (found.checks, found.on_request, found.without_request, found.share) == (20.0, 200.0, 80.0, 0.25)
    assert Taken(seconds={"fit": 50.0}).share is None


def test_what_other_programs_took_while_an_approach_answered_is_told(tmp_path: Path) -> None:
    with closing(Store(tmp_path / "run.sqlite")) as store:
        for candidate, parts in {
            "lora": [(0.6, 3.0), (0.0, 1.0)],
            "prompting": [(0.05, 9.0)],
            "tf-idf": [(0.9, 0.1)],
            "hosted": [],
        }.items():
            for number, part in enumerate(parts or [None]):
                name, note = f"{candidate} {number}", {BESIDE: part} if part else {}
                store.begin(name, "answer", candidate)
                store.finish(UnitResult(unit=name, kind="answer", candidate=candidate, note=note))
        found = taken(store)
    assert found.beside == {"lora": pytest.approx(0.45)}, "little, or too short to tell"
    both = tuple(evaluation_of(name, scores_of(280, 300)) for name in ("lora", "prompting"))
    said = Bakeoff(evaluations=both, benchmark=benchmark_of(), extras=Extras(taken=found)).told().story.main.note
    assert said.endswith("so that their seconds and what follows from them may be too high: lora (45 %).")


@pytest.mark.parametrize(("seed", "too_much"), [(20.0, False), (60.0, True)])
def test_the_share_is_told_and_more_than_its_part_is_a_next_step(seed: float, too_much: bool) -> None:
    found = Taken(seconds={"fit": 60.0, "answer": 10.0, "edit": 5.0, "seed": seed, "planted": 7.0})
    lora = evaluation_of("lora", scores_of(280, 300), agreements=(edits(80, 16, 4),))
    bakeoff = Bakeoff(evaluations=(lora,), benchmark=benchmark_of(), extras=Extras(taken=found))
    story = bakeoff.told().story
    share = (5 + seed) / (75 + seed)
    assert (share > MOST) == too_much
    method = next(line for line in story.method if line.startswith("Checks took"))
    assert f"{share:.0%}".replace("%", " %") in method
    assert f"the second seed {seed:.0f} s and harmless edits 5 s" in method
    assert any("What was asked for besides took 7 s more (planted instructions 7 s)" in line for line in story.method)
    assert ("more than the 40 % that they may take" in story.probed.note) == too_much
    assert any("`--no-second-seed` leaves it out" in line for line in story.next_steps) == too_much
    assert story.facts["checks_took"]["share"] == pytest.approx(share)
    assert story.facts["checks_took"]["on_request_seconds"] == 7.0


def test_without_checks_nothing_is_said() -> None:
    quiet = Bakeoff(evaluations=(evaluation_of("lora", scores_of(280, 300)),), benchmark=benchmark_of())
    story = replace(quiet, extras=Extras(taken=Taken(seconds={"fit": 9.0}))).told().story
    assert story.facts["checks_took"] is None
    assert not any("hecks took" in line for line in (*story.method, *story.next_steps, story.probed.note))
