"""Whether fine-tuning was better is told by intervals, and with what a search that was cut short leaves open."""

from __future__ import annotations

import re
from dataclasses import replace

import pytest

from benchmarks.studies.bakeoff_paid import Both, Side, better_in, paid_off, sides
from benchmarks.studies.bakeoff_rows import BakeOff
from benchmarks.studies.settings import ROOT, SETTINGS


def test_whether_fine_tuning_was_better_is_said_of_every_task_by_its_interval(committed: dict[str, BakeOff]) -> None:
    rows = [line.strip("| ").split(" | ") for line in paid_off(committed).splitlines()[2:]]
    assert [row[0] for row in rows] == [each.task for each in SETTINGS]
    said = []
    for task, without, trained, difference, _, answer in rows:
        found = {each.candidate: each for each in committed[task].verdict.evaluations}
        figures = {name: each.figure for name, each in found.items()}
        assert trained.startswith("lora")
        answer, _, rising = answer.partition(", ")
        tuned, plain = (
            any(
                each.rising
                for each in found.values()
                if each.scores and (each.family in ("finetuning", "combined")) == side
            )
            for side in (True, False)
        )
        expected = {(False, False): "", (True, False): "with", (False, True): "without", (True, True): "neither"}
        counts = {"yes": (False, plain), "not shown": (tuned, plain), "behind": (tuned, False), "no": (False, False)}
        assert rising.removesuffix(" saturated").removesuffix(" not") == expected[counts[answer]]
        assert without.partition(" (")[0] in figures or without.rpartition(" (")[0] in figures
        low, high = (int(end) for end in re.findall(r"\(([+-]?\d+) to ([+-]?\d+)\)", difference)[0])
        assert {"yes": low >= 0, "no": high <= 0, "behind": high <= 0, "not shown": low <= 0 <= high}[answer], (
            difference
        )
        assert rising or answer != "behind"
        said.append((answer, rising))
    front = (ROOT / "README.md").read_text(encoding="utf-8")
    answers = [answer for answer, _ in said]
    better, behind = answers.count("yes"), answers.count("behind")
    alike, unfinished = answers.count("not shown"), said.count(("yes", "without not saturated"))
    those = "all" if unfinished == better else f"{unfinished} of the"
    assert (
        f"Fine-tuning was better in {better} of {len(said)} tasks, not shown to differ in {alike}, and behind in {behind}, where "
        f"its search was cut short. In {those} {better} where it was better an approach without it ran out of "
        "search budget, so a longer search could narrow the lead."
    ) in front


@pytest.mark.parametrize(
    ("lead", "rising", "answer"),
    [
        (1.0, (False, False), "yes"),
        (1.0, (True, True), "yes, without not saturated"),
        (0.0, (False, False), "not shown"),
        (0.0, (True, False), "not shown, without not saturated"),
        (0.0, (True, True), "not shown, neither saturated"),
        (-1.0, (True, False), "no"),
        (-1.0, (False, True), "behind, with not saturated"),
    ],
)
def test_a_search_that_was_cut_short_is_told_on_the_side_that_it_could_help(
    committed: dict[str, BakeOff], lead: float, rising: tuple[bool, bool], answer: str
) -> None:
    both = sides(committed["support-intents"])
    assert both is not None
    plain, tuned = (replace(side.best, groups=(), scores=(0.5,) * 300) for side in (both.without, both.trained))
    scores = {1.0: (1.0,) * 300, 0.0: (0.5,) * 300, -1.0: (0.0,) * 300}[lead]
    trained = Side(best=replace(tuned, scores=scores), rising=rising[1])
    assert Both(without=Side(best=plain, rising=rising[0]), trained=trained).answer == answer


def test_without_rows_nothing_is_said_to_be_better() -> None:
    assert better_in({}) == "Fine-tuning was better in 0 of 0 tasks, not shown to differ in 0, and behind in none."
