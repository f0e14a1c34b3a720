"""The study of peers: what a peer is told, that a part is run once, and what the table says of its rows."""

from __future__ import annotations

import dataclasses
import importlib
import json
import random
import re
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from advisor.experiments.comparison import Wishes, prepare
from benchmarks.contract import BadInput, Benchmark
from benchmarks.metrics import load
from benchmarks.storage.packed import read_lines, write_lines
from benchmarks.studies.peers import __main__ as program
from benchmarks.studies.peers import performed as performing
from benchmarks.studies.peers import serving
from benchmarks.studies.peers.arms import ARMS, OURS, Arm, Part, parts
from benchmarks.studies.peers.performed import SCRIPTS, Found, Place, counted_by, performed, work_of
from benchmarks.studies.peers.rows import FOLDER, file_of, keep, read
from benchmarks.studies.peers.table import Comparison, Sample, comparisons, document, drawn
from strategies.contract import Case, Message, Prediction, Recipe, TrainingRow
from strategies.models.local import LocalModel
from tests import tiny

TASK = "support-intents"


def part_of(name: str, comparison: str = "rungs", seed: int = 0) -> Part:
    arm = next(arm for arm in ARMS if (arm.name, arm.comparison) == (name, comparison))
    return Part(arm=arm, task=arm.tasks[0], seed=seed)


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Place:
    """A bundled task on few cases, with the word-hash embedder."""
    prepared = prepare(TASK, Wishes(examples=60, heldout=20))
    prepared.models._embedder, prepared.models._placement = tiny.WordHashes(), tiny.FLOAT32
    return Place(prepared=prepared, environments=tmp_path_factory.mktemp("environments"))


# ---------------------------------------------------------------- what a peer is told


def test_a_peer_sees_examples_and_inputs_but_no_answer_of_a_held_out_case(
    place: Place, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(performing, "resolve", lambda name: dataclasses.make_dataclass("R", ["folder"])(tmp_path))
    work = work_of(part_of("tf-idf grid", "words"), place)
    assert [set(case) for case in work["heldout"]] == [{"input"}] * 20
    assert len(work["examples"]) == 60
    told = json.dumps([work["heldout"]])
    assert not any(case.output in told and case.output not in case.input for case in place.benchmark.heldout)


def test_the_script_of_scikit_learn_answers_every_case_with_a_label(tmp_path: Path) -> None:
    """Run as the peer's own Python runs it, on messages of four topics that words tell apart."""
    task = tiny.benchmark(examples=64, heldout=40)
    work = {
        "seed": 0,
        "examples": [{"input": case.input, "output": case.output} for case in task.task.examples],
        "heldout": [{"input": case.input} for case in task.heldout],
    }
    (tmp_path / "work.json").write_text(json.dumps(work), encoding="utf-8")
    command = [sys.executable, str(SCRIPTS / "tfidf_grid.py"), "work.json", "found.json"]
    subprocess.run(command, cwd=tmp_path, check=True, capture_output=True)
    found = Found(**json.loads((tmp_path / "found.json").read_text(encoding="utf-8")))
    right = sum(text == case.output for text, case in zip(found.answers, task.heldout, strict=True))
    assert right >= 24
    assert found.seconds["fitting"] > 0
    assert "head__C" in found.settings


def test_a_peer_that_fails_is_named_and_leaves_no_rows(
    place: Place, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(performing, "resolve", lambda name: dataclasses.make_dataclass("R", ["folder"])(tmp_path))
    monkeypatch.setattr(performing, "python_of", lambda peer, root: Path(sys.executable))
    broken = dataclasses.replace(part_of("setfit"), arm=dataclasses.replace(part_of("setfit").arm, script="none.py"))
    with pytest.raises(BadInput, match="setfit ended with exit code 2"):
        performed(broken, place)


def test_ours_is_the_rung_that_is_best_on_the_selection_cases(place: Place) -> None:
    """The contrastive head needs an embedder that can be trained, and has its own tests."""
    found = performed(part_of(OURS), place, without=("contrastive head",))
    scores = found.settings["selection scores"]
    assert {"majority", "copy nearest", "linear head", "tf-idf"} == set(scores)
    assert scores[found.settings["chosen"]] == max(scores.values())
    assert len(found.answers) == 20
    assert performed(part_of(OURS, "words"), place).settings["chosen"] == "tf-idf", "words beside words"


# ---------------------------------------------------------------- peers that ask or train the model


def script(name: str, monkeypatch: pytest.MonkeyPatch) -> Any:
    """A peer's script as its own Python sees it: beside its neighbours, with none of ours."""
    monkeypatch.syspath_prepend(str(SCRIPTS))
    return importlib.import_module(name)


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Place:
    """Messages of four topics, a tiny model, and an adapter for it."""
    folder = tmp_path_factory.mktemp("trained")
    prepared = prepare(TASK, Wishes(examples=60, heldout=20))
    models = tiny.models(tiny.model_folder(folder / "model"))
    assembly = dataclasses.replace(prepared.assembly, benchmark=tiny.benchmark(examples=24, heldout=8))
    return Place(prepared=dataclasses.replace(prepared, models=models, assembly=assembly), environments=folder)


def test_a_tool_that_trains_gets_our_own_training_prompts_and_no_held_out_answer(trained: Place) -> None:
    part = part_of("trl", "fine-tuning")
    told, task = performing._speaking(part, trained), trained.benchmark.task
    assert [answer for _, answer in told["rows"]] == [case.output.replace("_", " ") for case in task.examples]
    assert [row[0][-1]["content"] for row in told["rows"]] == [case.input for case in task.examples]
    assert [prompt[-1]["content"] for prompt in told["asked"]] == [case.input for case in trained.benchmark.heldout]
    assert {turn["role"] for prompt in told["asked"] for turn in prompt} == {"system", "user"}
    assert told["answer_tokens"] >= 8


def test_its_own_words_become_labels_and_its_adapter_is_decoded_as_ours(trained: Place, tmp_path: Path) -> None:
    part = part_of("trl", "fine-tuning")
    model, rows = trained.prepared.models.language(trained.prepared.models.names[0]), trained.benchmark.task.examples
    lessons = [TrainingRow(prompt=(Message("user", case.input),), answer=case.output) for case in rows]
    assert isinstance(model, LocalModel)
    adapter = model.train(lessons, (), Recipe(epochs=1), tmp_path / "adapter", 0).folder
    own = ["cancel account", " login ", "something else", "", "refund", "refund", "refund", "delivery"]
    found = performing._decoded(part, trained, adapter, Found(answers=own, seconds={}, settings={}, versions={}))
    assert list(found.answers[:4]) == ["cancel_account", "login", "something else", ""]
    assert set(found.also["decoded as ours"]) <= set(trained.benchmark.task.labels)
    assert len(found.also["decoded as ours"]) == 8
    keep(part, trained.benchmark, dataclasses.replace(found, seconds={"fitting": 1.0}), tmp_path, MADE)
    kept = read(part, tmp_path)
    assert kept is not None
    assert set(kept.scores) == {"accuracy", "accuracy, decoded as ours"}


def test_both_ways_to_decode_a_tool_stand_beside_ours(place: Place, tmp_path: Path) -> None:
    truth = [case.output for case in place.benchmark.heldout]
    stored(part_of(OURS, "fine-tuning"), place.benchmark, truth, tmp_path)
    both = Found(
        answers=["?"] * 20,
        also={"decoded as ours": truth},
        seconds={"fitting": 1.0, "answering": 1.0},
        settings={},
        versions={},
    )
    keep(part_of("trl", "fine-tuning"), place.benchmark, both, tmp_path, MADE)
    found = {each.measure: each for each in comparisons(tmp_path)[0]}
    assert (found["accuracy"].ours, found["accuracy"].theirs) == (1.0, 0.0)
    assert (found["accuracy, decoded as ours"].ours, found["accuracy, decoded as ours"].theirs) == (1.0, 1.0)
    assert [found[measure].counts for measure in ("accuracy", "accuracy, decoded as ours")] == [False, True]
    text = document(tmp_path).replace("\n", " ")
    assert "Of 1 comparisons ours leads in 0; it is significantly behind in 0." in text, "one tool, whatever its ways"
    assert "has a row for each, and the last of them counts" in text
    assert "between +0.0 and +0.0" in text


def test_raft_teaches_a_passage_that_answers_among_wrong_ones_or_none(monkeypatch: pytest.MonkeyPatch) -> None:
    raft = script("trl_raft", monkeypatch)
    case = {"accepted": ["Thirty days"], "document_ids": ["d1"]}
    passages = [("It is far away.", "d2"), ("It is thirty days.", "d1"), ("It is red.", "d3"), ("It is blue.", "d4")]
    shown = [raft.taught(case, passages, 3, random.Random(seed)) for seed in range(200)]
    with_gold = [texts for texts in shown if "It is thirty days." in texts]
    assert {len(texts) for texts in shown} == {3}
    assert 140 <= len(with_gold) <= 180
    assert len({texts.index("It is thirty days.") for texts in with_gold}) == 3, "its place tells nothing"
    texts, owners = raft.cut(
        [{"id": "d", "title": "T", "text": "word " * 250}, {"id": "e", "title": "", "text": "one"}]
    )
    assert owners == ["d", "d", "d", "e"]
    assert texts[0].startswith("T\nword")


def test_raft_is_judged_and_asked_with_what_a_search_finds(monkeypatch: pytest.MonkeyPatch) -> None:
    raft = script("trl_raft", monkeypatch)
    case = {"input": "How long?", "output": "Thirty days", "accepted": ["Thirty days"], "document_ids": ["d1"]}
    work = {"seed": 0, "instruction": "Answer.", "examples": [case] * 60, "heldout": [{"input": "How far?"}]}
    found = [("It is far away.", "d2"), ("It is thirty days.", "d1"), ("It is red.", "d3")]
    told = raft.shown(work, [found] * 61, 1)
    before = {messages[1]["content"].split("\n\n")[0] for messages, _ in told["rows"]}
    assert before == {"It is thirty days.", "It is far away."}, "taught with the right passage, or without it"
    assert {messages[1]["content"] for messages, _ in told["judged"]} == {"It is far away.\n\nHow long?"}
    assert [messages[1]["content"] for messages in told["asked"]] == ["It is far away.\n\nHow far?"]


@pytest.mark.parametrize(
    ("best", "tried"),
    [(2e-4, [2e-4, 1e-3]), (1e-3, [2e-4, 1e-3, 2e-3]), (4e-3, [2e-4, 1e-3, 2e-3, 4e-3, 8e-3])],
)
def test_a_higher_rate_is_tried_as_long_as_the_highest_is_best(
    best: float, tried: list[float], monkeypatch: pytest.MonkeyPatch
) -> None:
    lora = script("trl_lora", monkeypatch)
    monkeypatch.setattr(lora, "loss_of", lambda work, rate: abs(np.log(rate / best)))
    assert list(lora.losses_of({})) == pytest.approx(tried)


def test_nearest_examples_that_win_are_taken_from_all(monkeypatch: pytest.MonkeyPatch) -> None:
    prompts = script("dspy_prompts", monkeypatch)
    rows = [f"row {place}" for place in range(40)]
    monkeypatch.setattr(prompts, "parts", lambda work: (rows[10:], rows[:10]))
    monkeypatch.setattr(prompts, "nearest", lambda work, kind, learnt, k: (k, len(learnt)))
    monkeypatch.setattr(prompts, "optimized", lambda makers: ({"no examples": (0, 0)}, {}))
    monkeypatch.setattr(prompts, "share", lambda program, judged, score: program[0] / 8)
    best, scores, _ = prompts.chosen({"metric": "exact_match", "labels": []})
    assert best == (8, 40)
    assert scores == {"3 nearest, text": 3 / 8, "5 nearest, text": 5 / 8, "8 nearest, text": 1.0, "no examples": 0.0}


def test_answers_are_compared_by_what_the_study_counts(monkeypatch: pytest.MonkeyPatch) -> None:
    """The scripts import nothing of ours, so their few lines are held against our metrics."""
    compared = script("compared", monkeypatch)
    objects = [
        '{"a": "x", "b": 1}',
        '{"a": "X ", "b": 1.0}',
        '{"a": "y", "b": 1}',
        '{"a": {"c": [1, "1"]}, "d": {}}',
        "x",
    ]
    texts = ["Thirty days", " thirty days. ", '"Thirty days"', "card arrival", "card_arrival", "", "30 days", "[1]"]
    long = " ".join(["word"] * 45)
    told = [
        "14",
        "It is 12,014.",
        "the Beatles",
        "Beatles wrote it",
        "U.S.",
        "in the US",
        f"{long} 14",
        "It is 14 U.S.",
    ]
    rows = (("field_f1", objects), ("exact_match", objects), ("exact_match", texts), ("answer_contained", told))
    for name, answers in rows:
        for accepted in answers:
            case = Case(id="1", input="", output=accepted)
            for answer in answers if (name, accepted) != ("field_f1", "x") else ():
                score = compared.score_of(name)(answer, case.accepted)
                assert score == pytest.approx(load(name, {}).score(case, answer)), (name, accepted, answer)
    assert compared.same(" Thirty days. ", ["a month", "thirty days"]) == 1.0
    assert compared.contained("The answer is Thirty Days.", ["thirty days"]) == 1.0


def test_an_optimizer_that_fails_is_named_and_the_others_stay(monkeypatch: pytest.MonkeyPatch) -> None:
    prompts = script("dspy_prompts", monkeypatch)

    def broken() -> None:
        raise ValueError("no answer\ncould be read")

    made, failed = prompts.optimized({"no examples": lambda: 1, "MIPROv2": broken})
    assert made == {"no examples": 1}
    assert failed == {"MIPROv2": "ValueError no answer could be read"}


def test_examples_are_bootstrapped_only_from_what_is_wholly_right(monkeypatch: pytest.MonkeyPatch) -> None:
    metric = script("dspy_prompts", monkeypatch).metric_of({"metric": "field_f1"})
    example, half = {"accepted": ['{"a": 1, "b": 2}']}, SimpleNamespace(answer='{"a": 1, "b": 3}')
    assert metric(example, half) == 0.5
    assert not metric(example, half, [])
    assert metric(example, SimpleNamespace(answer='{"b": 2, "a": 1}'), [])


def test_passages_and_template_are_chosen_by_the_metric_that_counts(monkeypatch: pytest.MonkeyPatch) -> None:
    answers = script("llama_index_answers", monkeypatch)
    cases = [{"accepted": ["Paris"]}, {"accepted": ["1914"]}]
    assert answers.share("answer_contained", ["It is Paris.", "In 1915"], cases) == (0.5, 0.5)
    long = answers.share("exact_match", ["It is Paris.", "It began in 1914."], cases)
    short = answers.share("exact_match", ["Paris", "In 1915"], cases)
    assert (long, short) == ((0.0, 1.0), (0.5, 0.5))
    assert max(long, short) == short
    assert "{context_str}" in answers.TEMPLATES["short"]
    assert "{query_str}" in answers.TEMPLATES["short"]


def test_the_head_of_setfit_is_searched_too(monkeypatch: pytest.MonkeyPatch) -> None:
    head = script("setfit_head", monkeypatch)
    task = tiny.benchmark(examples=48).task
    rows = [{"input": case.input, "output": case.output} for case in task.examples]
    model = SimpleNamespace(encode=tiny.WordHashes().embed)
    search = head.searched(model, {"seed": 0, "examples": rows})
    assert search.best_params_["C"] in head.STRENGTHS
    assert set(search.predict(model.encode([row["input"] for row in rows]))) <= set(task.labels)


def test_a_server_that_does_not_start_is_said(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(serving, "python_of", lambda peer, root: Path(sys.executable))
    monkeypatch.setattr(serving, "SCRIPT", tmp_path / "none.py")
    work = {"model": "m", "dtype": "float32", "threads": 1}
    with pytest.raises(BadInput, match="did not start"), serving.served(work, tmp_path):
        pytest.fail("there is no server")


# ---------------------------------------------------------------- rows and table


MADE = {"commit": "abc", "started": "2027-01-01 00:00 UTC", "others": None}


def stored(part: Part, benchmark: Benchmark, answers: Sequence[str], folder: Path) -> None:
    found = Found(answers=answers, seconds={"fitting": 1.0, "answering": 2.0}, settings={"k": 1}, versions={})
    keep(part, benchmark, found, folder, MADE)


def test_a_part_that_is_stopped_begins_anew(place: Place, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def stopped(part: Part, place: Place) -> Found:
        raise KeyboardInterrupt

    monkeypatch.setattr(program, "performed", stopped)
    monkeypatch.setattr("advisor.experiments.comparison.prepare", lambda *_: place.prepared)
    with pytest.raises(KeyboardInterrupt):
        program._run(part_of("setfit"), (60, 20), tmp_path)
    assert not list(tmp_path.iterdir())
    assert "one that is stopped begins anew" in " ".join(document(tmp_path).split())


def test_a_part_is_named_by_the_commit_that_it_began_with(
    place: Place, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = ["before"]

    def work(part: Part, place: Place) -> Found:
        now[0] = "after"
        seconds = {"fitting": 1.0, "answering": 1.0}
        return Found(answers=["?"] * 20, seconds=seconds, settings={}, versions={})

    monkeypatch.setattr(program, "performed", work)
    monkeypatch.setattr(program, "commit", lambda: now[0])
    monkeypatch.setattr("advisor.experiments.comparison.prepare", lambda *_: place.prepared)
    program._run(part_of("setfit"), (60, 20), tmp_path)
    kept = read(part_of("setfit"), tmp_path)
    assert kept is not None
    assert kept.about["commit"] == "before"
    assert kept.about["started"] <= kept.about["finished"]


def test_rows_are_read_as_they_were_kept_and_a_part_is_run_once(
    place: Place, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    part, benchmark = part_of("setfit"), place.benchmark
    assert read(part, tmp_path) is None
    answers = [case.output if number % 4 else "wrong" for number, case in enumerate(benchmark.heldout)]
    stored(part, benchmark, answers, tmp_path)
    kept = read(part, tmp_path)
    assert kept is not None
    assert kept.scores == {"accuracy": tuple(float(bool(number % 4)) for number in range(20))}
    monkeypatch.setattr(program, "_run", lambda *_: pytest.fail("run again"))
    program.run.callback(("rungs",), ("setfit",), (0,), 60, 20, tmp_path)  # type: ignore[misc]
    with pytest.raises(BadInput, match="3 answers were given to 20 held-out cases"):
        stored(part, benchmark, answers[:3], tmp_path)


def test_a_search_is_scored_by_whether_a_right_document_is_among_the_first(tmp_path: Path) -> None:
    benchmark = tiny.benchmark("qa")
    part = part_of(OURS, "search")
    rows = [["x", "y", *case.document_ids] if number % 2 else ["x"] for number, case in enumerate(benchmark.heldout)]
    keep(part, benchmark, Found(found=rows, seconds={}, settings={}, versions={}), tmp_path, MADE)
    kept = read(part, tmp_path)
    assert kept is not None
    assert {name: sum(row) / len(row) for name, row in kept.scores.items()} == {
        "recall@1": 0.0,
        "recall@3": 0.5,
        "recall@5": 0.5,
        "recall@10": 0.5,
    }


def test_answers_to_questions_are_told_by_what_they_contain_too(tmp_path: Path) -> None:
    """A tool that writes sentences is never exactly right; what counts is the metric all the same."""
    benchmark = dataclasses.replace(tiny.benchmark("qa"), shown_metrics=(load("answer_contained", {}),))
    for name, words in ((OURS, "{}"), ("llama-index", "It is {}, I think")):
        part = part_of(name, "answers")
        stored(part, benchmark, [words.format(case.output) for case in benchmark.heldout], tmp_path)
    found = {each.measure: each for each in comparisons(tmp_path)[0]}
    metric = benchmark.metric.name
    assert (found[metric].ours, found[metric].theirs, found[metric].counts) == (1.0, 0.0, True)
    contained = found["answer_contained"]
    assert (contained.ours, contained.theirs, contained.counts) == (1.0, 1.0, False)


def test_both_may_choose_and_be_counted_by_another_metric_than_the_task_s(place: Place) -> None:
    qa = dataclasses.replace(place.prepared.assembly, benchmark=tiny.benchmark("qa"))
    prepared = dataclasses.replace(place.prepared, assembly=qa)
    assert counted_by("", prepared) is prepared
    benchmark = counted_by("answer_contained", prepared).assembly.benchmark
    case = benchmark.heldout[0]
    said = Prediction(text=f"It is {case.output}, I think")
    assert (tiny.benchmark("qa").task.score(case, said), benchmark.task.score(case, said)) == (0.0, 1.0)
    assert benchmark.metric.name == "answer_contained"
    assert {arm.metric for arm in ARMS if arm.comparison == "contained"} == {"answer_contained"}


def test_where_ours_is_behind_by_another_measure_the_document_says_so(tmp_path: Path) -> None:
    benchmark = dataclasses.replace(tiny.benchmark("qa"), shown_metrics=(load("answer_contained", {}),))
    half = [case.output if number % 2 else "wrong" for number, case in enumerate(benchmark.heldout)]
    stored(part_of(OURS, "answers"), benchmark, half, tmp_path)
    said = [f"It is {case.output}, I think" for case in benchmark.heldout]
    stored(part_of("llama-index", "answers"), benchmark, said, tmp_path)
    text = document(tmp_path)
    assert "Of 1 comparisons ours leads in 1; it is significantly behind in 0." in text
    assert "not counted there: answers beside llama-index on nq_open_oracle (answer_contained)." in text


def test_ours_and_a_tool_are_compared_case_by_case_over_all_samples(place: Place, tmp_path: Path) -> None:
    truth = [case.output for case in place.benchmark.heldout]
    for seed in (0, 1):
        stored(part_of(OURS, seed=seed), place.benchmark, truth, tmp_path)
        half = [text if number % 2 else "wrong" for number, text in enumerate(truth)]
        stored(part_of("setfit", seed=seed), place.benchmark, half, tmp_path)
    (found,), missing = comparisons(tmp_path)
    assert (found.tool, found.ours, found.theirs, len(found.samples)) == ("setfit", 1.0, 0.5, 2)
    assert len(missing) == len(parts()) - 4
    text = document(tmp_path)
    told = "setfit (head as delivered, C = 1; the searched head was not run)"
    assert f"| rungs | banking77 | {told} | accuracy | 1.000 | 0.500 | +50.0 (" in text
    assert "has a row for each" not in text, "no tool has several"
    assert re.search(r"\| \d+ s, \d+ s \| 2 x 20 \|", text)
    assert "Of 1 comparisons ours leads in 1; it is significantly behind in 0" in text
    assert "by which measure: rungs beside setfit on banking77 (accuracy).\n" in text
    assert "Not run yet: " in text
    first = text.split("\n\n")[1]
    assert first.startswith(
        "**Not compared yet: prompting (dspy), fine-tuning (trl), fine-tuning on what is looked up (trl "
    )
    assert "without a language model" not in first, "that is compared"
    assert f"{len(missing)} of {len(parts())} parts were not run yet" in first


def test_the_head_says_on_which_cases_ours_was_developed(tmp_path: Path) -> None:
    assert "such rows are development figures" in document(tmp_path)
    kept = [read(part_of(OURS, "words", seed), FOLDER) for seed in (0, 1, 2)]
    developed, *others = (set(each.cases) for each in kept if each is not None)
    assert [len(developed & other) <= len(other) // 10 for other in others] == [True, True], "nine in ten are others"


def test_the_committed_rows_give_the_committed_document() -> None:
    assert program.DOCUMENT.read_text(encoding="utf-8") == document(FOLDER), "run `table`"


def test_rows_of_other_cases_are_not_compared(place: Place, tmp_path: Path) -> None:
    truth = [case.output for case in place.benchmark.heldout]
    stored(part_of(OURS), place.benchmark, truth, tmp_path)
    other = dataclasses.replace(place.benchmark, fingerprint="another")
    stored(part_of("setfit"), other, truth, tmp_path)
    with pytest.raises(BadInput, match="hold answers on different cases"):
        comparisons(tmp_path)
    assert file_of(part_of("setfit"), tmp_path).is_file()


def compared_on(task: str, tool: str, rows: Sequence[Sequence[float]]) -> Comparison:
    samples = [
        Sample(seed=seed, cases=tuple(map(str, range(len(row)))), differences=tuple(map(float, row)))
        for seed, row in enumerate(rows)
    ]
    return Comparison(what="", task=task, tool=tool, measure="", ours=0.0, theirs=0.0, samples=tuple(samples))


def test_comparisons_on_the_same_cases_are_resampled_together() -> None:
    """Two tools that err on the same cases tell little more than one of them."""
    row = np.random.default_rng(0).choice([-1, 0, 1], 300).tolist()
    one, same, other = compared_on("t", "a", [row]), compared_on("t", "b", [row]), compared_on("u", "c", [row])
    draws = drawn([one, same, other])
    assert draws[one].tolist() == draws[same].tolist()
    assert np.std((draws[one] + draws[other]) / 2) < 0.8 * np.std(draws[one])
    part = dataclasses.replace(one, tool="d", samples=(Sample(seed=0, cases=("0", "299"), differences=(1.0, 1.0)),))
    assert set(drawn([one, part])[part].tolist()) <= {0.0, 1.0}


def test_disturbed_seconds_are_marked_and_rows_from_before_a_change_are_named(place: Place, tmp_path: Path) -> None:
    truth = [case.output for case in place.benchmark.heldout]
    found = Found(answers=truth, seconds={"fitting": 60.0, "answering": 120.0}, settings={}, versions={})
    keep(part_of(OURS), place.benchmark, found, tmp_path, {"commit": "abc", "others": 1.9})
    file = file_of(part_of(OURS), tmp_path)
    about, *rows = read_lines(file)
    write_lines(file, [{**about, "finished": "2026-11-30 00:02 UTC"}, *rows])
    keep(part_of("setfit"), place.benchmark, found, tmp_path, {**MADE, "others": 0.05})
    text = document(tmp_path)
    assert "| 60 s*, 60 s |" in text
    assert "These figures were measured on 29 November 2026. The program has changed since" in text, (
        "three minutes earlier"
    )
    assert "has changed since" not in document(tmp_path / "none")


def test_the_interval_holds_the_true_difference_about_as_often_as_it_says() -> None:
    """Two tools of 70 and 75 % on three samples of 100 cases, whose difficulty varies from sample to sample."""
    dice, inside = np.random.default_rng(0), 0
    for _ in range(100):
        rows = [(dice.random(100) < 0.75) - (dice.random(100) < 0.70).astype(float) for _ in range(3)]
        each = compared_on("t", "a", rows)
        low, high = np.quantile(drawn([each])[each], [0.025, 0.975])
        inside += bool(low <= 0.05 <= high)
    assert inside >= 90


def test_every_arm_of_a_peer_has_its_script_and_pinned_versions() -> None:
    def whole(arm: Arm) -> bool:
        assert arm.peer is not None
        return (SCRIPTS / arm.script).is_file() and all("==" in each for each in arm.peer.requirements)

    assert all(whole(arm) for arm in ARMS if arm.name != OURS)
    assert len({part.name for part in parts()}) == len(parts())
