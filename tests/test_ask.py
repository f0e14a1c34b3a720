"""Advice before any run: from options, from the data of a task, and asked in a terminal."""

from __future__ import annotations

import json
import os
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from advisor.asking import Asked, advise_before
from advisor.triage import Situation
from benchmarks.families import gate_level
from benchmarks.looks import level_of
from benchmarks.sample_size import cases_needed
from tests.conftest import Folders
from tests.desk import call, finish, start, write_task

FACTS = Situation(kind="qa", examples=300, documents=True, found=0.9)


def advice(situation: Situation, **more: Any) -> str:
    found = advise_before(Asked(situation=situation, **more))
    return "\n".join((*found.first, *found.why, *found.cannot, *found.finding_out))


def test_facts_that_change_are_looked_up() -> None:
    found = advise_before(Asked(situation=replace(FACTS, facts_change="monthly")))
    assert found.first[0].startswith("Try first: looking up")
    assert found.cannot[0].startswith("Fine-tuning alone: facts change monthly")
    still = advise_before(Asked(situation=replace(FACTS, facts_change="never")))
    assert not any("Fine-tuning alone" in sentence for sentence in still.cannot)


def test_facts_without_documents_cannot_be_looked_up() -> None:
    assert "Looking up facts: there are no documents" in advice(Situation(kind="qa", examples=300))


def test_form_is_what_tuning_teaches_where_there_are_examples() -> None:
    assert "Try first: a LoRA fine-tune" in advice(Situation(kind="generation", examples=300))
    few = advice(Situation(kind="generation", examples=40))
    assert "Try first: a prompt" in few
    assert "40 examples are too few" in few


def test_what_finding_out_takes_is_counted_as_a_run_would() -> None:
    needed = cases_needed(0.8, 0.85, alpha=gate_level(level_of(1)))
    said = advice(FACTS, target=0.8, heldout=30, volume=36_000)
    assert f"{needed:,} held-out cases to be shown to meet 80 %" in said
    assert "With the 30 held-out cases at hand, 29 right answers would show it." in said
    assert "a tenth of a second each is 60 minutes of a machine" in said
    assert "not even a perfect score would show it" in advice(FACTS, target=0.9, heldout=30)
    assert "Name a target first" in advice(FACTS)
    assert "a margin of 0.02 takes" in advice(FACTS, margin=0.02, heldout=100)
    assert "more than 100,000 held-out cases" in advice(FACTS, target=1.0)


def test_what_a_person_said_is_given_no_number() -> None:
    assert "Most of the answers stand in the documents" in advice(replace(FACTS, counted=False))
    assert "only some of the answers" in advice(replace(FACTS, found=0.2, counted=False))


# ---------------------------------------------------------------- the command


def test_all_answers_may_be_options(capsys: pytest.CaptureFixture[str]) -> None:
    words = "--kind qa --examples 60 --documents most --facts-change daily --target 0.8 --data-stays-here --json"
    done = call(capsys, "ask", *words.split())
    assert done.code == 0
    told = json.loads(done.out)
    assert told["asked"]["situation"]["facts_change"] == "daily"
    assert any("A hosted model" in sentence for sentence in told["advice"]["cannot"])


def test_of_a_task_the_data_answers(tmp_path: Path, model_folders: Folders, capsys: pytest.CaptureFixture[str]) -> None:
    task = write_task(tmp_path, model_folders)
    done = call(capsys, "ask", str(task))
    assert done.code == 0
    assert "With the 30 held-out cases at hand" in done.out
    refused = call(capsys, "ask", str(task), "--examples", "5")
    assert refused.code == 2
    assert "--examples is what the data" in refused.err


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ("", "--kind is not given, and nobody can be asked here"),
        ("--kind qa", "--examples is not given"),
        ("--kind poem", "poem"),
        ("--kind qa --examples 5 --target 80", "80"),
        ("nowhere", "neither a file nor a known task"),
    ],
)
def test_what_is_missing_or_wrong_ends_in_a_sentence(capsys: pytest.CaptureFixture[str], words: str, said: str) -> None:
    done = call(capsys, "ask", *words.split())
    assert done.code == 2
    assert said in done.err


@pytest.mark.skipif(not hasattr(os, "openpty"), reason="there are no pseudo-terminals on this system")
def test_in_a_terminal_it_asks_for_what_is_open(tmp_path: Path) -> None:
    ours, theirs = os.openpty()
    process = start(tmp_path, "ask", "--documents", "none", stdin=theirs, stderr=theirs)
    os.close(theirs)
    for answer in ("classification", "300", "monthly", "20000", "y", "0.9", "12"):
        os.write(ours, f"{answer}\n".encode())
    done = finish(process)
    os.close(ours)
    assert done.code == 0
    assert "There are 12 labels and 300 examples" in done.out
    assert "A hosted model, however good" in done.out
