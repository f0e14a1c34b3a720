"""What a recommendation follows from: every number of the argument, held against the stored rows."""

from __future__ import annotations

import json
import re
import shutil
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from advisor.cli.outcome import EXIT
from advisor.experiments.example import opened
from advisor.experiments.stored import reopen
from advisor.story.explain import premises
from advisor.wording import SECONDS
from benchmarks.contract import State
from tests.desk import call
from tests.situations import SITUATIONS
from tests.verdict_cases import Bakeoff, benchmark_of, evaluation_of


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    with opened() as folder:
        return Path(shutil.copytree(folder, tmp_path_factory.mktemp("explained") / "run"))


def test_the_sums_are_those_of_the_rows_that_are_named(run: Path) -> None:
    named = re.compile(r': ([\d.]+) of (\d+), a mean of ([\d.]+) \(rows: candidate "(.+)", purpose "heldout"\)')
    found = [match for line in premises(reopen(run)) if (match := named.search(line))]
    assert len(found) >= 8
    with closing(sqlite3.connect(run / "run.sqlite")) as db:
        for match in found:
            total, cases, mean, candidate = match.groups()
            query = "SELECT SUM(score), COUNT(*) FROM rows WHERE candidate = ? AND purpose = 'heldout' AND variant = ''"
            stored, count = db.execute(query, (candidate,)).fetchone()
            assert float(total) == pytest.approx(stored)
            assert int(cases) == count
            assert float(mean) == pytest.approx(stored / count, abs=5e-5)


def test_what_a_request_costs_is_a_part_of_what_the_rows_used(run: Path) -> None:
    verdict = reopen(run)
    named = re.compile(r"A month is ([\d,]+) requests; ([\d,]+) answers in these rows used ([\d.e-]+) s")
    bills = {each.candidate.casefold(): each for each in verdict.costs}
    found = {line.split(" costs ")[0].casefold(): match for line in premises(verdict) if (match := named.search(line))}
    assert len(found) >= 6
    priced = 0
    with closing(sqlite3.connect(run / "run.sqlite")) as db:
        for candidate, match in found.items():
            query = "SELECT outcome FROM rows WHERE lower(candidate) = ? AND purpose = 'heldout' AND variant = ''"
            used = [part for (text,) in db.execute(query, (candidate,)) for part in json.loads(text)["usage"]]
            seconds = float(match[3])
            assert seconds == pytest.approx(sum(part["seconds"] for part in used), rel=1e-4)
            if bills[candidate].monthly.unit == SECONDS:
                priced += 1
                answering = next(item for item in bills[candidate].items if item.name == "answering")
                volume, answers = (int(match[place].replace(",", "")) for place in (1, 2))
                assert answering.amount.value == pytest.approx(seconds / answers * volume, rel=1e-4)
    assert priced >= 6


def test_it_ends_in_the_verdict(run: Path) -> None:
    verdict = reopen(run)
    last = premises(verdict)[-1].lower()
    told = verdict.recommendation
    assert (told.choice or told.safe or told.verdict) in last
    assert ("no choice yet" in last) == bool(told.cheaper_undecided)


def test_on_cases_that_were_seen_it_ends_undecided_as_the_exit_code_does() -> None:
    verdict = SITUATIONS["seen_before"]().told()
    last = premises(verdict)[-1]
    assert last.endswith("the verdict is: undecided.")
    assert "412 held-out cases had been shown to somebody before this run was set up" in last
    assert EXIT[verdict.story.settled] == 101
    assert not any("it is the choice" in line for line in premises(verdict))


def test_what_was_not_tried_for_want_of_cases_is_a_part_of_the_argument() -> None:
    last = premises(SITUATIONS["left_out_for_want_of_cases"]().told())[-1]
    assert last.endswith("and what was not tried (prompting and lora) may, so the verdict is: undecided.")


@pytest.mark.parametrize("build", SITUATIONS.values(), ids=list(SITUATIONS))
def test_every_situation_has_its_premises(build: Callable[[], Bakeoff]) -> None:
    lines = premises(build().told())
    assert all((line and line[0].isupper()) or line[0].isdigit() for line in lines)
    assert not any("None" in line or "nan" in line.split() for line in lines)


def test_where_every_approach_was_left_out_it_says_so() -> None:
    skipped = tuple(evaluation_of(name, state=State.SKIPPED, problem="left out") for name in ("prompting", "lora"))
    lines = premises(Bakeoff(evaluations=skipped, benchmark=benchmark_of()).told())
    assert "Every approach was left out, so nothing was measured." in lines
    assert not any(line.startswith("In order of cost") for line in lines)


def test_the_command_adds_them_and_keeps_json_clean(run: Path, capsys: pytest.CaptureFixture[str]) -> None:
    done = call(capsys, "report", str(run), "--explain")
    assert "What it follows from" in done.out
    after = done.out.split("What it follows from")[1]
    assert "\nWhat is saved a month\n- Contrastive head (3.3 min) costs" in after
    assert "\nWhere something else would be recommended\n- " in after
    assert "What it follows from" not in call(capsys, "report", str(run)).out
    as_json = call(capsys, "report", str(run), "--explain", "--json")
    assert as_json.out.lstrip().startswith("{")
    assert "What it follows from" in as_json.err
