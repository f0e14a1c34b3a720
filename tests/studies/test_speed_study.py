"""The speed study: peers do the same work as ours, rows are kept and read, and the document is made from them alone."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from benchmarks.contract import BadInput
from benchmarks.studies.speed import growth, measures, ours, plain, replay, report, startup, whole
from benchmarks.studies.speed.contenders import part_of
from benchmarks.studies.speed.measures import Measure
from benchmarks.studies.speed.tables import HERE, TABLES, table
from benchmarks.studies.speed.work import Work
from strategies.contract import Recipe, Sampling, TrainingRow
from strategies.models.local import LocalModel
from strategies.prompting.rendering import Form, Renderer
from tests import tiny

# peft asks transformers for a property under its former name.
pytestmark = pytest.mark.filterwarnings("ignore:`is_gradient_checkpointing` is deprecated:FutureWarning")
LABELS = ("refund", "card arrival", "card lost")


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> LocalModel:
    return tiny.local_model(tiny.model_folder(tmp_path_factory.mktemp("model"), "llama"))


@pytest.fixture
def work(model: LocalModel) -> Work:
    return Work(tiny.benchmark("classification"), model)


def measured(who: str, seconds: float, session: str = "1", **given: Any) -> Measure:
    values = {"table": "labels", "task": "banking77", "unit": "cases", "amount": 10, "machine": "m", "commit": "c"}
    return Measure(**{**values, "who": who, "seconds": seconds, "session": session, **given})


# ---------------------------------------------------------------- the same work


def test_peers_get_the_very_tokens_that_ours_gets(work: Work, model: LocalModel) -> None:
    for made in (work.labels(3)["cases"], work.answers(3), work.training(3)):
        texts = [case["prompt"] for case in made] if isinstance(made, list) else made.get("prompts")
        turns = [case["messages"] for case in made] if isinstance(made, list) else made["messages"]
        texts = texts or [row[0] for row in made["rows"]]
        for text, prompt in zip(texts, ours.prompts_of(turns), strict=True):
            assert model.chat.tokenizer(text, add_special_tokens=False)["input_ids"] == model.chat.encode(prompt)


def test_a_plain_loop_scores_labels_as_ours(work: Work, model: LocalModel) -> None:
    given = work.labels(4)
    found, theirs = ours.labels(model, given), plain.Labels(given)()
    assert found["cases"] == theirs["cases"] == 4
    for mine, other in zip(found["scores"], theirs["scores"], strict=True):
        assert mine == pytest.approx(other, abs=1e-3)


def test_generate_answers_as_ours(work: Work, model: LocalModel) -> None:
    given = work.answers(3)
    peer = plain.Answers(given)
    turns = [peer(turn)["answers"] for turn in (0, 1)]
    assert turns == [ours.answers(model, part_of(given, turn))["answers"] for turn in (0, 1)]
    assert part_of(given, 0)["prompts"] + part_of(given, 1)["prompts"] == given["prompts"][: 2 * given["per_turn"]]
    assert part_of(given, -1)["prompts"] == given["prompts"][-8:]


def test_a_plain_loop_of_peft_learns_as_ours(work: Work, model: LocalModel) -> None:
    """One batch, so that the mean over batches and the mean over answers are the same and nothing is shuffled apart."""
    given = work.training(4) | {"batch_sizes": [8]}
    mine, theirs = ours.training(model, given), plain.Training(given)()
    assert mine["tokens"] == theirs["tokens"]
    assert mine["loss"] == pytest.approx(theirs["loss"], rel=1e-3)


def test_what_a_bake_off_asked_is_asked_again(model: LocalModel, tmp_path: Path) -> None:
    calls: list[replay.Call] = []
    watched = whole.Watched.of(model, calls.append)
    renderer = Renderer.of(tiny.benchmark("classification").task, Form())
    prompts = [renderer.request(text) for text in ("one", "two")]
    own = dict(model.generate(prompts, 5, Sampling()))
    assert {row: said.text for row, said in watched.generate(prompts, 5, Sampling())} == {
        row: said.text for row, said in own.items()
    }
    list(watched.score_labels(prompts, [LABELS] * 2))
    row = TrainingRow(prompt=prompts[0], answer="refund")
    done = watched.train([row] * 3, [row], Recipe(epochs=2), tmp_path / "adapter", 0)
    assert isinstance(watched.adapted(done.folder), whole.Watched)
    list(watched.adapted(done.folder).generate(prompts[:1], 3, Sampling()))
    assert [(len(call.prompts), len(call.rows), call.epochs) for call in calls] == [
        (2, 0, 0),
        (2, 0, 0),
        (0, 3, len(done.losses)),
        (1, 0, 0),
    ]
    assert all(call.seconds > 0 for call in calls)
    said: list[str] = []
    plain_tools = replay.Plain(model)
    for call in calls:
        plain_tools.again(call, said.append)
    plain_tools.spread(calls)
    assert len(said) == 4
    found = whole.by_kind(calls)
    assert {kind: spent["calls"] for kind, spent in found.items()} == {"free answers": 2, "labels": 1, "training": 1}
    assert all(call.plain_seconds > 0 for call in calls)
    looped = [call.looped_seconds != call.plain_seconds for call in calls]
    assert looped == [bool(call.labels) for call in calls] == [False, True, False, False]


# ---------------------------------------------------------------- rows and the document


def test_rows_are_read_as_they_were_written_and_a_torn_line_is_left_out(tmp_path: Path) -> None:
    file = tmp_path / "speed.jsonl"
    kept = [measured(HERE, 1.0), measured("peer", 20.0, extra={"settings": {"batch": 8}})]
    for row in kept:
        measures.add(row, file)
    with file.open("a", encoding="utf-8") as out:
        out.write('{"table": "lab')
    assert measures.read(file) == kept
    assert measures.read(tmp_path / "none.jsonl") == []


def test_only_turns_of_the_newest_session_are_set_against_each_other() -> None:
    rows = [measured(HERE, 9.0), measured("peer", 9.0)]
    rows += [measured(HERE, seconds, "2") for seconds in (1.0, 2.0, 4.0)]
    found = measures.figures(rows, "labels", "banking77")
    assert found[HERE].median == 5.0
    assert measures.ratio(found, HERE, "peer") is None
    found = measures.figures([*rows, measured("peer", 20.0, "2")], "labels", "banking77")
    assert measures.ratio(found, HERE, "peer") == 10.0


def test_a_slope_of_one_is_linear() -> None:
    assert growth.slope([10, 30, 100], [1, 3, 10]) == pytest.approx(1)
    assert growth.slope([10, 30, 100], [2, 2, 2]) == pytest.approx(0)


def test_the_document_says_what_was_reached_and_what_is_missing() -> None:
    peer = "lm-evaluation-harness"
    rows = [measured(HERE, 1.0), measured(peer, 100.0, extra={"settings": {"batch": 8}})]
    rows += [replace(rows[0], table=growth.TABLE, task="labels", who=str(size), seconds=1.0) for size in (2, 77)]
    text = report.document(rows)
    assert f"| banking77 | {peer} | 0.100 | 0.100 to 0.100 | 100x | 50x |" in text
    assert "a plain loop, all labels of a case in one batch | not measured yet" in text
    assert "Slope: 0.00" in text
    assert text == report.document(rows)
    told = json.loads(report.numbers(rows))
    assert told["labels/banking77"][peer]["ours against it"] == 100.0
    assert told["labels/banking77"][peer]["asked"] == 50


def test_what_start_up_checks_is_a_task(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(startup, "EXAMPLES", 40)
    assert startup.seconds_of(["check", str(startup.written(tmp_path))]) > 0
    with pytest.raises(BadInput, match="advisor check ended with exit code 2"):
        startup.seconds_of(["check", str(tmp_path / "nothing.yaml")])


def test_every_goal_names_a_contender() -> None:
    for each in TABLES:
        assert set(each.goals) <= {who.name for who in each.contenders}
        assert table(each.name) is each
