"""Labels that are doubted: planted mistakes are found, near-duplicates do not vouch for each other, sheets are safe."""

from __future__ import annotations

import csv
import dataclasses
import random
from contextlib import nullcontext
from pathlib import Path

import numpy as np
import pytest

from benchmarks.audit.doubts import COLUMNS, Doubt, TooWeak, _blended, _must_know_something, doubts, write_doubts
from benchmarks.contract import BadInput
from benchmarks.data.split import grouped
from strategies.contract import Case
from tests import tiny
from tests.conftest import Folders
from tests.desk import call, write_task


def planted(cases: tuple[Case, ...], share: float) -> tuple[list[Case], set[str]]:
    dice = random.Random(3)
    labels = sorted({case.output for case in cases})
    chosen = set(dice.sample([case.id for case in cases], round(share * len(cases))))
    wrong = [
        dataclasses.replace(case, output=dice.choice([name for name in labels if name != case.output]))
        if case.id in chosen
        else case
        for case in cases
    ]
    return wrong, chosen


@pytest.mark.parametrize("share", [0.05, 0.15])
def test_planted_mistakes_stand_in_front(share: float) -> None:
    cases, wrong = planted(tiny.messages(240), share)
    found = doubts(cases, tiny.WordHashes())
    first = [each.case.id for each in found[: len(wrong)]]
    assert len(wrong & set(first)) >= 0.7 * len(wrong)
    truth = {case.id: case.output for case in tiny.messages(240)}
    assert sum(each.perhaps == truth[each.case.id] for each in found if each.case.id in wrong) >= 0.7 * len(wrong)
    assert found == doubts(cases, tiny.WordHashes())


def test_without_mistakes_little_is_doubted() -> None:
    assert len(doubts(tiny.messages(240), tiny.WordHashes())) <= 6


def test_the_only_example_of_a_label_makes_no_other_doubtful() -> None:
    alone = Case(id="alone", input="Can I bring my dog to the lighthouse tomorrow", output="dogs")
    found = doubts([*tiny.messages(240), alone], tiny.WordHashes())
    assert len(found) <= 7
    assert "dogs" not in {each.perhaps for each in found}


def test_a_label_of_a_few_examples_makes_only_those_doubtful_for_which_it_is_likelier() -> None:
    """Such a label is hardly ever found, so any share of it is as much as usual."""
    cases = [
        dataclasses.replace(case, output="praise") if place % 80 == 1 else case
        for place, case in enumerate(tiny.messages(240))
    ]
    assert all(each.perhaps_share > each.given_share for each in doubts(cases, tiny.WordHashes()))


def test_another_spelling_of_the_same_label_is_not_suggested() -> None:
    cases = [
        dataclasses.replace(case, output=f" {case.output.upper()}") if place % 3 == 0 else case
        for place, case in enumerate(tiny.messages(240))
    ]
    found = doubts(cases, tiny.WordHashes())
    assert all(each.perhaps.strip().lower() != each.case.output.strip().lower() for each in found)


def test_classifiers_that_may_know_nothing_doubt_nothing() -> None:
    """23 of 40 right may be chance where each of two labels is half of them, and 32 are not."""
    given = np.array([0, 1] * 20)
    for right, weak in ((23, True), (32, False)):
        told = np.where(np.arange(40) < right, given, 1 - given)
        with pytest.raises(TooWeak, match="most frequent label 50%") if weak else nullcontext():
            _must_know_something(np.eye(2)[told], given)
    dice = random.Random(0)
    guessed = [dataclasses.replace(case, output=dice.choice("ab")) for case in tiny.messages(40)]
    with pytest.raises(TooWeak):
        doubts(guessed, tiny.WordHashes())


@pytest.mark.parametrize("share", [0.0, 0.75])
def test_the_classifier_that_knows_more_counts_more(share: float, monkeypatch: pytest.MonkeyPatch) -> None:
    given = np.array([0, 1] * 10)
    good = 0.1 + 0.8 * np.eye(2)[given]
    meant, worded = (good, 1 - good) if share == 0 else (1 - good, good)
    found = iter((meant, worded))
    monkeypatch.setattr("benchmarks.audit.doubts._out_of_fold", lambda *_: next(found))
    shares = _blended([f"text {place}" for place in range(20)], tiny.WordHashes(), given, given)
    assert shares == pytest.approx((1 - share) * meant + share * worded)


def test_copies_of_a_wrong_example_do_not_vouch_for_it() -> None:
    cases = list(tiny.messages(200))
    odd = dataclasses.replace(cases[0], output=cases[1].output)
    copies = [dataclasses.replace(odd, id=f"copy{place}", input=f"{odd.input}{'!' * place}") for place in range(4)]
    found = doubts(grouped((*cases[1:], *copies)), tiny.WordHashes())
    assert {each.case.id for each in found} >= {copy.id for copy in copies}


def test_a_label_that_a_case_accepts_already_is_not_suggested_for_it() -> None:
    cases, wrong = planted(tiny.messages(240), 0.1)
    before = {each.case.id: each.perhaps for each in doubts(cases, tiny.WordHashes())}
    both = {name: perhaps for name, perhaps in before.items() if name in wrong}
    accepting = [
        dataclasses.replace(case, answers=(case.output, both[case.id])) if case.id in both else case for case in cases
    ]
    assert len(both) > 10
    assert {each.case.id for each in doubts(accepting, tiny.WordHashes())} == before.keys() - both.keys()


def test_one_label_cannot_be_doubted() -> None:
    with pytest.raises(BadInput, match="one label"):
        doubts([dataclasses.replace(case, output="same") for case in tiny.messages(20)], tiny.WordHashes())


def test_a_sheet_holds_no_formula(tmp_path: Path) -> None:
    case = Case(id="=1+1", input='@SUM(A1)\n"quoted"', output="-2")
    write_doubts([Doubt(case=case, perhaps="plain", given_share=0.1, perhaps_share=0.9)], tmp_path / "sheet.csv")
    with (tmp_path / "sheet.csv").open(encoding="utf-8", newline="") as file:
        head, row = csv.reader(file)
    assert tuple(head) == COLUMNS
    assert row == ["'=1+1", '\'@SUM(A1)\n"quoted"', "'-2", "plain", "0.100", "0.900"]


def test_nothing_wrong_is_said_beside_the_rows_of_a_sheet(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """It stood right under the number of rows that may be wrong; and where nobody had looked for wrong labels it said no less."""
    monkeypatch.chdir(tmp_path)  # A path that is longer than a line is broken within a word.
    monkeypatch.setattr(
        "strategies.models.embedding.LocalEmbedder.embed", lambda _, texts: tiny.WordHashes().embed(texts)
    )
    plain = call(capsys, "check", "support-intents")
    said = " ".join(plain.out.split())
    assert "found in the data; wrong labels were not looked for (--doubts lists those that may be). Can" in said
    done = call(capsys, "check", "support-intents", "--doubts", "doubts.csv")
    assert done.code == 0, done.err
    assert "Nothing wrong was found in the data beside the rows in doubts.csv.\n" in done.out
    assert "found in the data." not in done.out
    assert "not looked for" not in done.out


def test_check_writes_the_sheet(
    tmp_path: Path, model_folders: Folders, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    # A random encoder tells no topics apart.
    monkeypatch.setattr(
        "strategies.models.embedding.LocalEmbedder.embed", lambda _, texts: tiny.WordHashes().embed(texts)
    )
    cases, wrong = planted(tiny.messages(200), 0.1)
    path = write_task(tmp_path, model_folders, cases=cases)
    done = call(capsys, "check", str(path), "--doubts", str(tmp_path / "doubts.csv"))
    assert done.code == 0, done.err
    assert "may have the wrong label" in done.err
    with (tmp_path / "doubts.csv").open(encoding="utf-8", newline="") as file:
        listed = [row["id"] for row in csv.DictReader(file)]
    assert len(wrong & set(listed)) >= 3
    refused = call(capsys, "check", "house-style", "--doubts", str(tmp_path / "none.csv"))
    assert refused.code == 2
    assert "looks at labels" in refused.err
    assert not (tmp_path / "none.csv").exists()
