"""An export stands alone: its own program answers as in the run, a hash ties it to the run, an adapter can be merged."""

from __future__ import annotations

import ast
import importlib.util
import json
import shutil
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import pytest

from advisor import Wishes, advise
from advisor.deploy.answering import answerer
from advisor.deploy.export import Merge, card, export
from advisor.experiments.stored import reopen
from advisor.experiments.torch_kept import torch_kept
from benchmarks.checked import Guard, Held
from benchmarks.contract import BadInput, State
from strategies.answers import sureness
from strategies.approaches.copy_nearest import Copying, CopyNearest
from strategies.contract import Case, Prediction, Query, Sampling
from strategies.models.embedding import LocalEmbedder
from strategies.pipeline import Setup
from strategies.retrieval.neighbours import Neighbours
from strategies.standalone import alone
from tests import tiny
from tests.conftest import Folders
from tests.desk import call, everything, write_task
from tests.verdict_cases import Bakeoff, benchmark_of, evaluation_of, scores_of

pytestmark = pytest.mark.slow  # it tunes an adapter
LABELS = ("linear head", "copy nearest", "lora")
EMBEDDED = ("linear head", "copy nearest")
HELD = Held(
    at_most=0.0,
    threshold=0.0,
    answered=30,
    figure=0.5,
    lower=0.3,
    upper=0.7,
    lost=0.0,
    stopped=0.0,
    overall=0.5,
    expected_answered=1.0,
    expected_figure=0.5,
    refused=0,
    wrongly_refused=0,
)


@dataclass(frozen=True, kw_only=True)
class Desk:
    """Runs of two tasks, and the models that they were made with."""

    folder: Path
    models: Folders
    drawn: tuple[bytes, bytes]
    """Random state of torch before the runs, and after them."""

    def task(self, name: str) -> str:
        return str(self.folder / name / "task.yaml")


@pytest.fixture(scope="module")
def desk(tmp_path_factory: pytest.TempPathFactory, model_folders: Folders) -> Desk:
    import torch

    folder, before = tmp_path_factory.mktemp("desk"), torch.get_rng_state()
    for name, cases, approaches in (
        ("labels", tiny.messages(40), LABELS),
        ("texts", tiny.rewrites(24), ("prompting",)),
    ):
        task = write_task(folder / name, model_folders, "kind: generation" if name == "texts" else "", cases=cases)
        if name == "texts":
            task.write_text(task.read_text(encoding="utf-8") + "metric: chrf\n", encoding="utf-8")
        wishes = Wishes(effort="quick", approaches=approaches, probes="none", second_seed=False, dtype="float32")
        advise(task, out=folder / name / "run", wishes=wishes)
    drawn = before.numpy().tobytes(), torch.get_rng_state().numpy().tobytes()
    return Desk(folder=folder, models=model_folders, drawn=drawn)


def test_runs_leave_torch_as_it_was(desk: Desk) -> None:
    import torch

    assert desk.drawn[0] == desk.drawn[1], "an adapter was tuned, with a seed of the run"
    threads = torch.get_num_threads()
    with torch_kept():
        torch.set_num_threads(threads + 1)
    assert torch.get_num_threads() == threads


def inputs(run: Path) -> list[str]:
    about = json.loads((run / "run.json").read_text(encoding="utf-8"))
    return [case["input"] for case in about["benchmark"]["heldout"]]


def in_the_run(desk: Desk, name: str, candidate: str, texts: list[str]) -> list[str]:
    found = answerer(desk.folder / name / "run", candidate, desk.task(name)).answers(texts)
    return [outcome.text if isinstance(outcome, Prediction) else "" for _, outcome in found]


def loaded(script: Path) -> Any:
    spec = importlib.util.spec_from_file_location("predict", script)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.filterwarnings("ignore:`is_gradient_checkpointing` is deprecated:FutureWarning")  # peft asks for it
@pytest.mark.parametrize(("name", "candidate"), [*(("labels", each) for each in LABELS), ("texts", "prompting")])
def test_the_program_of_an_export_answers_as_in_the_run(name: str, candidate: str, desk: Desk, tmp_path: Path) -> None:
    run, out = desk.folder / name / "run", tmp_path / "out"
    export(run, out, candidate)
    texts = [*inputs(run), "long " * 700]
    model = desk.models.embedder if candidate in EMBEDDED else desk.models.language
    answer = loaded(out / "predict.py").surely(out, str(model))
    assert [answer(text).text for text in texts] == in_the_run(desk, name, candidate, texts)
    text = (out / "README.md").read_text(encoding="utf-8")
    assert "python predict.py new.jsonl --model" in text
    assert "nothing here answers" not in text


@pytest.mark.filterwarnings("ignore:`is_gradient_checkpointing` is deprecated:FutureWarning")
@pytest.mark.parametrize(("name", "candidate"), [*(("labels", each) for each in LABELS), ("texts", "prompting")])
def test_the_program_of_an_export_is_as_sure_as_the_run_and_holds_back_the_same(
    name: str,
    candidate: str,
    desk: Desk,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    run, out, task = desk.folder / name / "run", tmp_path / "out", desk.task(name)
    export(run, out, candidate)
    texts = inputs(run)
    model = str(desk.models.embedder if candidate in EMBEDDED else desk.models.language)
    answer = loaded(out / "predict.py").surely(out, model)
    here = [sureness(outcome) for _, outcome in answerer(run, candidate, task).answers(texts)]
    there = [answer(text)[1] for text in texts]
    assert there == pytest.approx(here, abs=1e-4)
    steps = sorted(there)
    middle = max(range(1, len(steps)), key=lambda at: steps[at] - steps[at - 1])
    values = json.loads((out / "export.json").read_text(encoding="utf-8"))
    point = replace(HELD, at_most=0.1, threshold=(steps[middle - 1] + steps[middle]) / 2)
    values["kept"]["guards"] = {candidate: asdict(Guard(says="Ask us.", cases=30, unanswerable=0, held=(HELD, point)))}
    (out / "export.json").write_text(json.dumps(values), encoding="utf-8")
    rows = "".join(json.dumps({"id": text[:3], "input": text}) + "\n" for text in texts)
    (tmp_path / "new.jsonl").write_text(rows, encoding="utf-8")
    monkeypatch.setattr(sys, "argv", ["predict.py", str(tmp_path / "new.jsonl"), "--model", model, "--guard", "0.1"])
    loaded(out / "predict.py").main()
    alone_said = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    guarded = call(capsys, "predict", str(out), str(tmp_path / "new.jsonl"), "--task", task, "--guard", "0.1")
    ours = [json.loads(line) for line in guarded.out.splitlines()]
    rounded = ("sure",)
    assert [_but(row, rounded) for row in alone_said] == [_but(row, rounded) for row in ours]
    assert [row["sure"] for row in alone_said] == pytest.approx([row["sure"] for row in ours], abs=2e-4)
    assert sum(row.get("held_back", False) for row in ours) == middle
    assert {row["answer"] for row in ours if row.get("held_back")} == {"Ask us."}
    assert not any("evidence" in row for row in ours if row.get("held_back"))
    assert "below a sureness of" in guarded.err
    plain = call(capsys, "predict", str(out), str(tmp_path / "new.jsonl"), "--task", task)
    assert "held_back" not in plain.out
    assert call(capsys, "predict", str(out), str(tmp_path / "new.jsonl"), "--task", task, "--guard", "0.3").code == 2


def _but(row: dict[str, Any], names: Sequence[str]) -> dict[str, Any]:
    return {name: value for name, value in row.items() if name not in names}


def test_of_equally_near_examples_the_first_answers_as_in_the_run(model_folders: Folders, tmp_path: Path) -> None:
    """The same input with other answers, far apart in the table."""
    cases = [Case(id=f"c{place}", input=f"message {place % 7}", output=f"answer {place}") for place in range(61)]
    embedder = LocalEmbedder(name="tiny", folder=model_folders.embedder, fingerprint="tiny")
    bench = tiny.Bench(folder=tmp_path, embedder=embedder)
    Copying(Neighbours(tuple(cases), embedder), embedder).save(tmp_path / "fit")
    queries = [Query.of(f"message {place}") for place in range(7)]
    answer = alone.surely(tmp_path / "fit", str(model_folders.embedder))
    alike = [answer(query.input).text for query in queries]
    assert alike == [f"answer {place}" for place in range(7)]
    found = dict(CopyNearest().load(tmp_path / "fit", bench).answer(queries, Sampling()))
    outcomes = [found[query.key] for query in queries]
    assert [outcome.text for outcome in outcomes if isinstance(outcome, Prediction)] == alike


@pytest.mark.parametrize(
    ("chosen", "files", "why"),
    [
        ({"setup": asdict(Setup(passages=2))}, (), "it was fitted by a version that wrote less down"),
        ({}, ("0/fit.json", "1/fit.json"), "one of the two approaches that answer runs only within this product"),
        ({}, ("0/fit.json",), "linear head runs only within this product"),
    ],
)
def test_a_card_says_why_nothing_answers_alone_and_what_to_do_instead(
    chosen: dict[str, Any], files: tuple[str, ...], why: str, tmp_path: Path
) -> None:
    for name in files or ("0/pipeline.json",):
        (tmp_path / "parts" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "parts" / name).write_text("{}", encoding="utf-8")
    verdict = Bakeoff(
        evaluations=(evaluation_of("linear head", scores_of(279, 300), chosen=chosen),), benchmark=benchmark_of()
    ).told()
    text = card(verdict, "linear head", tmp_path)
    assert f"Without finetune-advisor nothing here answers, since {why}" in text
    assert "export another approach (`--candidate`), or have `advisor predict` answer on a machine that has it." in text
    assert "python predict.py" not in text


@pytest.mark.filterwarnings("ignore:.*repetition_penalty.*")
def test_what_the_models_own_file_asks_of_writing_changes_no_answer(desk: Desk, tmp_path: Path) -> None:
    """In the run answers are the likeliest tokens, whatever penalties come with the model."""
    run, out, model = desk.folder / "texts" / "run", tmp_path / "out", tmp_path / "model"
    export(run, out, "prompting")
    shutil.copytree(desk.models.language, model)
    wish = json.loads((model / "generation_config.json").read_text(encoding="utf-8"))
    wish |= {"repetition_penalty": 50.0, "no_repeat_ngram_size": 1}
    (model / "generation_config.json").write_text(json.dumps(wish), encoding="utf-8")
    answer = loaded(out / "predict.py").surely(out, str(model))
    assert [answer(text).text for text in inputs(run)] == in_the_run(desk, "texts", "prompting", inputs(run))


def test_the_program_is_started_as_its_card_says_and_needs_nothing_of_ours(desk: Desk, tmp_path: Path) -> None:
    run, out = desk.folder / "labels" / "run", tmp_path / "out"
    export(run, out, "lora")
    texts = inputs(run)[:4]
    (tmp_path / "new.jsonl").write_text("".join(json.dumps({"input": text}) + "\n" for text in texts), encoding="utf-8")
    command = [sys.executable, "-I", str(out / "predict.py"), "new.jsonl", "--model", str(desk.models.language)]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    rows = [json.loads(line) for line in done.stdout.splitlines()]
    assert [row["input"] for row in rows] == texts
    assert [row["answer"] for row in rows] == in_the_run(desk, "labels", "lora", texts)
    assert {path.name for path in out.glob("*.py")} == {"predict.py", "reading.py", "speaking.py"}


@pytest.mark.parametrize(
    ("program", "outside"),
    [
        ("alone", {"numpy", "scipy", "sentence_transformers", "sklearn"}),
        ("asking", set()),
        ("held", {"llguidance", "numpy", "torch"}),
        ("speaking", {"llguidance", "peft", "torch", "transformers"}),
        ("lookup", {"bm25s", "faiss", "numpy", "regex", "sentence_transformers"}),
        ("reading", {"huggingface_hub"}),
        ("refusals", set()),
        ("tagging", {"numpy", "sklearn"}),
    ],
)
def test_a_program_of_an_export_imports_public_packages_alone(program: str, outside: set[str]) -> None:
    path = Path(alone.__file__).with_name(f"{program}.py")
    nodes = [*ast.walk(ast.parse(path.read_text(encoding="utf-8")))]
    froms = {node.module.partition(".")[0] for node in nodes if isinstance(node, ast.ImportFrom) and node.module}
    plain = {alias.name.partition(".")[0] for node in nodes if isinstance(node, ast.Import) for alias in node.names}
    assert (froms | plain) - {*sys.stdlib_module_names} == outside


def test_the_prompt_of_an_export_is_chat_messages_with_a_place_for_the_request(desk: Desk, tmp_path: Path) -> None:
    export(desk.folder / "texts" / "run", tmp_path / "out", "prompting")
    prompt = json.loads((tmp_path / "out" / "parts" / "0" / "prompt.json").read_text(encoding="utf-8"))
    assert {turn["role"] for turn in prompt["messages"]} <= {"system", "user", "assistant"}
    assert prompt["messages"][-1]["content"].count(alone.PLACE) == 1
    assert prompt["labels"] == []
    export(desk.folder / "labels" / "run", tmp_path / "tuned", "lora")
    tuned = json.loads((tmp_path / "tuned" / "parts" / "0" / "prompt.json").read_text(encoding="utf-8"))
    assert sorted(tuned["labels"]) == sorted(tiny.TOPICS)


def test_a_request_that_names_the_place_itself_is_no_template(desk: Desk) -> None:
    messages = [{"role": "user", "content": "Input: {{input}}\nOutput: a\n\nInput: {{input}}\nOutput:"}]
    (filled,) = alone._filled(messages, "{{input}} {x}")
    assert filled["content"] == "Input: {{input}}\nOutput: a\n\nInput: {{input}} {x}\nOutput:"


def test_what_was_never_measured_is_not_exported(desk: Desk, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where two approaches choose the same, one of them is asked nothing, and its card had no figure."""
    told = reopen(desk.folder / "labels" / "run")
    statuses = tuple(
        replace(each, state=State.SKIPPED, reason="it chose the same configuration as lora")
        if each.candidate == "copy nearest"
        else each
        for each in told.recommendation.statuses
    )
    told = replace(told, recommendation=replace(told.recommendation, statuses=statuses))
    monkeypatch.setattr("advisor.deploy.export.reopen", lambda run, allow_code: told)
    with pytest.raises(
        BadInput, match=r"The run has no approach 'copy neares'; it has .*\. Did you mean 'copy nearest'\?"
    ):
        export(desk.folder / "labels" / "run", tmp_path / "out", "copy neares")
    with pytest.raises(BadInput, match="copy nearest was not measured: it chose the same configuration as lora"):
        export(desk.folder / "labels" / "run", tmp_path / "out", "copy nearest")
    assert not (tmp_path / "out").exists()


def test_what_was_changed_after_the_export_is_refused(desk: Desk, tmp_path: Path) -> None:
    import hashlib

    run, out = desk.folder / "texts" / "run", tmp_path / "out"
    export(run, out, "prompting")
    about = json.loads((out / "export.json").read_text(encoding="utf-8"))
    assert about["run"] == hashlib.sha256((run / "run.json").read_bytes()).hexdigest()
    (out / "parts" / "0" / "pipeline.json").write_text("{}", encoding="utf-8")
    with pytest.raises(BadInput, match="is not what was exported: it was changed or cut off"):
        answerer(out, task=desk.task("texts"))


def test_an_adapter_is_merged_on_request_and_the_whole_model_says_the_same(desk: Desk, tmp_path: Path) -> None:
    import torch
    from transformers import AutoModelForCausalLM

    run, out, causal = desk.folder / "labels" / "run", tmp_path / "out", AutoModelForCausalLM
    export(run, out, "lora", merge=Merge(task=desk.task("labels")))
    assert {"config.json", "model.safetensors", "tokenizer.json"} <= set(everything(out / "merged"))
    from strategies.finetuning.adapters import merged

    base: Any = causal.from_pretrained(desk.models.language, dtype=torch.float32)
    wanted = merged(base, out / "parts" / "0" / "adapter")
    whole: Any = causal.from_pretrained(out / "merged", dtype=torch.float32)
    ids = torch.tensor([[5, 40, 7, 99]])
    with torch.inference_mode():
        assert torch.equal(whole(input_ids=ids).logits, wanted(input_ids=ids).logits)
    assert "one whole model" in (out / "README.md").read_text(encoding="utf-8")
    assert str(desk.folder) not in (out / "merged" / "config.json").read_text(encoding="utf-8")
    with pytest.raises(BadInput, match="has no adapter of its own"):
        export(run, tmp_path / "again", "linear head", merge=Merge(task=desk.task("labels")))
