"""Nearest examples without passages stay a choice where a task has documents, and are told as what they are."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest

from strategies.approaches.lora_retrieval import LoraRetrieval
from strategies.approaches.retrieval import Retrieval
from strategies.contract import Document, Kind, Prediction, Prompt, Sampling, Task
from strategies.extending import updated
from strategies.pipeline import Pipeline, load_pipeline
from strategies.search import LEAST
from tests import tiny
from tests.scripted import ScriptedModel
from tests.verdict_cases import Bakeoff, benchmark_of, evaluation_of, scores_of, task_of

POLICY = Document(id="policy", title="Policy", text="Refunds take fourteen days. Parcels arrive by courier. " * 8)


def with_policy(kind: Kind = "classification") -> Task:
    return dataclasses.replace(tiny.benchmark(kind, examples=80).task, documents=(POLICY,))


@pytest.mark.parametrize("kind", ["classification", "extraction", "generation", "qa"])
def test_nearest_examples_alone_are_in_the_space_beside_passages(kind: Kind) -> None:
    space = Retrieval().space(with_policy(kind))
    alone = [place for place, setup in enumerate(space) if setup.picks == "nearest" and not setup.passages]
    assert len(alone) >= 2
    assert all(not space[place].grounded and space[place].reading is None for place in alone)
    assert sum(setup.passages > 0 for setup in space) >= 7, "what reads the documents is still tried"
    if kind != "qa":
        assert alone[0] < LEAST, "a small budget pays for a look at one"


def test_they_are_trained_with_too_but_for_questions() -> None:
    for kind in ("classification", "extraction", "generation"):
        found = [(setup.passages, setup.shots) for setup in LoraRetrieval().setups(with_policy(kind))]
        assert found == [(1, 0), (0, 2), (3, 0)]
    assert [setup.passages for setup in LoraRetrieval().setups(with_policy("qa"))] == [1, 3]


def test_where_they_are_the_best_prompt_they_are_chosen_and_no_index_of_documents_is_kept(tmp_path: Path) -> None:
    task = with_policy()
    inputs = {case.input: case.output for case in task.examples}

    def answer(prompt: Prompt) -> str:
        last = prompt[-1].content
        asked = max(
            (text for text in inputs if text in last), key=lambda text: (last.rfind(text) + len(text), len(text))
        )
        said = "\n".join(turn.content for turn in prompt)
        confused = "courier" in said or sum(text in said for text in inputs) < 4
        return "unknown" if confused else inputs[asked]

    bench = tiny.Bench(folder=tmp_path, language=ScriptedModel(name="m", answer=answer), tuning_tokens=10_000_000)
    pipeline = Retrieval().fit(task, bench)
    assert isinstance(pipeline, Pipeline)
    assert (pipeline.setup.passages, pipeline.setup.picks) == (0, "nearest")
    assert pipeline.sources.index is None
    assert updated(pipeline, [POLICY]) is None, "it reads no documents, so others change nothing"
    pipeline.save(tmp_path / "fit")
    assert not (tmp_path / "fit" / "index").exists()
    again = load_pipeline(tmp_path / "fit", bench)
    ((_, outcome),) = again.answer([tiny.query(task.examples[0])], Sampling())
    assert isinstance(outcome, Prediction)
    assert outcome.evidence == ()


@pytest.mark.parametrize("passages", [0, 1])
@pytest.mark.parametrize("name", ["retrieval", "lora + retrieval"])
def test_a_report_does_not_say_that_they_answer_from_documents(name: str, passages: int) -> None:
    bench = benchmark_of(task=task_of(documents=(POLICY.text,)))
    chosen = {"setup": {"passages": passages, "shots": 8, "picks": "nearest"}}
    evaluation = dataclasses.replace(evaluation_of(name, scores_of(290, 300)), chosen=chosen, searches=passages > 0)
    assert evaluation.of_examples == (not passages)
    story = Bakeoff(evaluations=(evaluation,), benchmark=bench).told().story
    told = " ".join([*story.would_change, *story.risks])
    assert (f"Examples that are not kept current: {name} answers" in told) == (not passages)
    assert (f"Documents that are not kept current: {name} answers" in told) == bool(passages)
    assert ("documents have to be kept current" in told or "as good as its documents" in told) == bool(passages)
