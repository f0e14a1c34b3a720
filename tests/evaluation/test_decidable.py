"""What is said before a run of how far the held-out cases reach: numbers of one kind, in sentences that can be read."""

from __future__ import annotations

import pytest

from benchmarks.contract import Procedure
from benchmarks.statistics.decidable import Sharing, decidable

EXPECT = 'until then expect "undecided" unless one is clearly better.'


@pytest.mark.parametrize(
    ("independent", "cases", "procedure", "says"),
    [
        (
            59,
            60,
            "cheapest first",
            "The 60 held-out cases (59 independent) can prove 90 % only for an approach that gets 58 of 59 right. To prove it "
            "(4 times in 5) for one that is truly 95 % right, plan for 215 independent cases, or 485 if a cheaper approach stays "
            f"undecided; {EXPECT}",
        ),
        (
            300,
            300,
            "cheapest first",
            "The 300 held-out cases can prove 90 % only for an approach that gets 280 of 300 right. They are enough to prove "
            "it (4 times in 5) for one that is truly 95 % right if every cheaper approach is shown to miss it, which takes 215; "
            "plan for 485 cases if one stays undecided.",
        ),
        (
            600,
            600,
            "cheapest first",
            "The 600 held-out cases can prove 90 % only for an approach that gets 555 of 600 right. They are enough to prove "
            "it (4 times in 5) for one that is truly 95 % right, which takes 485.",
        ),
        (
            300,
            310,
            "cheapest first",
            "The 310 held-out cases (300 independent) can prove 90 % only for an approach that gets 280 of 300 right. They are "
            "enough to prove it (4 times in 5) for one that is truly 95 % right if every cheaper approach is shown to miss it, "
            "which takes 215; plan for 485 independent cases if one stays undecided.",
        ),
        (
            20,
            20,
            "holm",
            "With 12 candidates, the 20 held-out cases cannot prove 90 %, not even for an approach that gets all of them right. "
            f"To prove it (4 times in 5) for one that is truly 95 % right, plan for 375 cases; {EXPECT}",
        ),
    ],
)
def test_the_numbers_stand_in_sentences_that_say_what_to_plan_for(
    independent: int, cases: int, procedure: Procedure, says: str
) -> None:
    shared = Sharing(procedure=procedure, candidates=12, look=1)
    assert decidable(independent, 0.9, False, shared, cases).says == says


def test_what_the_numbers_rest_on_is_said_first() -> None:
    told = decidable(59, 0.925, True, Sharing(procedure="cheapest first", candidates=12, look=2)).says
    assert told.startswith(
        "Counted as if each answer were right or wrong, at look 2 at some of these cases, the 59 held-out cases cannot prove "
        "92.5 %"
    )
    assert decidable(59, 1.0, False, Sharing(procedure="holm", candidates=2, look=1)).says.startswith(
        "No number of cases"
    )
