"""The equality study: both ways are asked alike, and the document is made from rows alone."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from benchmarks.studies import equality, rounding
from benchmarks.studies.equality import Engine, Row
from strategies.contract import Message, Prompt, Recipe
from strategies.prompting.rendering import Form, Renderer
from tests import tiny


def test_both_ways_are_asked_the_same(tmp_path: Path) -> None:
    engine = Engine(tiny.model_folder(tmp_path, "llama"), "float32")
    prompts: list[Prompt] = [(Message("user", f"say {word}"),) for word in ("one", "two words", "three words here")]
    assert engine.ours(prompts) == [engine.theirs(prompt) for prompt in prompts]
    assert engine.label_gap(prompts[0], ["refund", "card arrival", "card lost"]) < 1e-4


def test_the_document_counts_rows() -> None:
    row = Row(
        id="1",
        ours=True,
        regrouped=True,
        ours_rounded=True,
        theirs_rounded=False,
        right=1.0,
        right_rounded=1.0,
        labels=2e-6,
    )
    rows = [row, replace(row, ours_rounded=False, right_rounded=0.0, labels=None)] * 20
    about = {"machine": "a processor", "commit": "abc"}
    text = equality.document({"sms_spam": (about, rows)})
    assert "| sms_spam | 40 | 40 | 40 | 2e-06 | 20 | 0 | -50.0 (" in text
    assert "a processor, commit abc" in text
    assert "| all |" not in text
    both = equality.document({"sms_spam": (about, rows), "pubmedqa": (about, rows)})
    assert "| all | 80 | 80 | 80 | 2e-06 | 40 | 0 | -50.0 (" in both
    unrounded = [replace(row, ours_rounded=None, theirs_rounded=None, right_rounded=None) for row in rows]
    text = equality.document({"sms_spam": (about, unrounded)})
    assert "| sms_spam | 40 | 40 | 40 | 2e-06 | not measured yet | not measured yet | not measured yet |" in text


def test_a_training_in_either_format_is_asked_the_same_cases(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rounding, "RECIPE", Recipe(epochs=1, learning_rate=1e-2))
    task = tiny.benchmark("classification").task
    model = tiny.local_model(tiny.model_folder(tmp_path, "llama"))
    parts = task.examples[:12], task.examples[12:18]
    commits = iter(["before", "after"])
    monkeypatch.setattr(rounding, "commit", lambda: next(commits))
    row = rounding.trained(model, Renderer.of(task, Form()), parts, 0)
    assert row.commit == "before"
    monkeypatch.setattr(rounding, "commit", lambda: "before")
    assert (row.dtype, len(row.scores)) == ("float32", 6)
    assert set(row.scores) <= {0.0, 1.0}
    assert row == rounding.trained(model, Renderer.of(task, Form()), parts, 0)


def test_the_trainings_are_told_by_seed_and_together() -> None:
    exact = rounding.Row(seed=0, dtype="float32", loss=0.5, scores=(1.0, 1.0, 0.0) * 10)
    rounded = replace(exact, dtype="bfloat16", loss=0.51, scores=(1.0, 0.0, 0.0) * 10)
    assert rounding.section([exact]) == ""
    assert "| 0 | 0.5000 | 0.5100 | 66.7 % | 33.3 % | -33.3 (" in rounding.section([exact, rounded])
    both = [exact, rounded, replace(exact, seed=1), replace(rounded, seed=1)]
    text = rounding.section(both)
    assert "| all |  |  | 66.7 % | 33.3 % | -33.3 (" in text
    one, every = (line.split("|")[6] for line in text.splitlines() if line.startswith(("| 1 ", "| all ")))
    assert one == every, "the same cases once more tell nothing new"
