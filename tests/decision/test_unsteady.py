"""A limit on answers that change: only what is shown to break it is ruled out, the rest is told."""

from __future__ import annotations

from dataclasses import replace

import pytest
from scipy import stats

from advisor.contract import Recommendation
from advisor.story.risks import _asked_again
from benchmarks.checked import ByGroup
from benchmarks.contract import Constraints, Evaluation, State
from benchmarks.specs.spec import parse_spec
from tests.situations import edits
from tests.verdict_cases import Bakeoff, benchmark_of, evaluation_of, scores_of


def decided(flipped: int | None, limit: float | None = 0.9, by_group: ByGroup = ()) -> Recommendation:
    agreements = [] if flipped is None else [replace(edits(100 - flipped, 0, flipped), by_group=by_group)]
    alone = evaluation_of("prompting", scores_of(279, 300), agreements=agreements)
    return Bakeoff(
        evaluations=(alone,), benchmark=benchmark_of(constraints=Constraints(same_at_least=limit))
    ).recommended()


@pytest.mark.parametrize("flipped", range(8, 22))
def test_out_is_who_is_shown_to_change_more(flipped: int) -> None:
    """One of twenty approaches that keep exactly the share is ruled out at the most."""
    shown = stats.binomtest(100 - flipped, 100, 0.9, alternative="less").pvalue < 0.05
    found = decided(flipped)
    assert (found.statuses[0].state is State.RULED_OUT) == shown
    said = " ".join(found.reasons)
    assert ("stay the same under harmless edits; the task asks for 90 %" in said) == shown
    assert ("may be too unsteady" in said) == (not shown and flipped > 10)


def test_cases_of_one_group_count_as_one() -> None:
    """20 changed answers of 100 are proof where every case stands alone, and none as 4 threads of 20."""
    assert decided(20).statuses[0].state is State.RULED_OUT
    assert decided(20, by_group=((0, 5),) * 4 + ((5, 5),) * 16).statuses[0].state is not State.RULED_OUT
    assert decided(60, by_group=((0, 5),) * 12 + ((5, 5),) * 8).statuses[0].state is State.RULED_OUT


@pytest.mark.parametrize(("flipped", "beyond"), [(25, True), (12, False)])
def test_what_is_merely_drawn_again_is_told_beside_what_an_edit_changes(flipped: int, beyond: bool) -> None:
    """At a temperature an approach that pays no attention to an edit seemed to change its answers because of it."""
    again = replace(edits(76, 0, 24), name="repeats", says="the same question drawn again")
    checks = (edits(100 - flipped, 0, flipped), again)
    alone = evaluation_of("prompting", scores_of(279, 300), agreements=checks)
    limits = benchmark_of(constraints=Constraints(same_at_least=0.9))

    def told(found: Evaluation) -> str:
        bakeoff = Bakeoff(evaluations=(found,), benchmark=limits)
        return " ".join((*bakeoff.recommended().reasons, *_asked_again(found), bakeoff.told().story.probed.note))

    drawn = told(replace(alone, passes=(0.7, 0.5)))
    ends = "where the very same question is drawn again; the task asks", "(24 of 100 pairs where the very same question"
    assert ends[not beyond] in drawn
    assert (
        f"in {flipped} % of the cases when it is asked again: letters, spaces and greetings were changed; where"
        in drawn
    )
    assert drawn.count("the very same question is drawn again, in 24 %.") == 1, "not beside itself"
    same = replace(again, right_twice=100, right_then_wrong=0)
    still = replace(alone, agreements=(checks[0], same), passes=(0.7, 0.7))
    assert "some flip without any edit too" in drawn
    assert "very same" not in told(alone) + told(still), "nothing was drawn, or nothing changed"


def test_what_was_not_measured_is_said_and_rules_nothing_out() -> None:
    found = decided(None)
    assert (found.statuses[0].state, found.verdict) == (State.UNDECIDED, "undecided")
    assert any("was not checked for prompting: no edits were asked" in line for line in found.reasons)
    assert not any("edits" in line for line in decided(30, limit=None).reasons)


def test_a_spec_states_it() -> None:
    values = {"name": "t", "instruction": "Do.", "examples": "e.jsonl", "constraints": {"same_at_least": 0.9}}
    assert parse_spec(values).limits.same_at_least == 0.9
