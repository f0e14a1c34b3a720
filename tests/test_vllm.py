"""The vLLM engine: a server that ends with whoever started it, and (where vLLM is) a run that answers through a real one."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import psutil
import pytest
import yaml

from benchmarks.contract import BadInput
from benchmarks.models import Models
from benchmarks.spec import parse_spec
from benchmarks.spec_models import ModelSpec
from strategies.contract import Completion, DeadAdapter, Message, Recipe, Sampling, TrainingRow, Usage
from strategies.models import vllm_server
from strategies.models.local import LocalModel
from strategies.models.served import ServedModel, at_hand, prove_served
from strategies.models.vllm_server import VllmServer
from strategies.models.weights import ModelUnavailable
from strategies.tagging import COPIED
from tests import tiny
from tests.desk import ROOT

SLEEPS = [sys.executable, "-c", "import time; print('up', flush=True); time.sleep(600)"]


def kept(*command: str) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        [sys.executable, "-m", "strategies.models.kept", "2", *command],
        cwd=ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )


def gone(pid: int, seconds: float = 15.0) -> bool:
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        try:
            if psutil.Process(pid).status() == psutil.STATUS_ZOMBIE:
                return True
        except psutil.NoSuchProcess:
            return True
        time.sleep(0.05)
    return False


# ---------------------------------------------------------------- it ends with whoever started it


def test_a_command_ends_when_its_input_does() -> None:
    keeper = kept(*SLEEPS)
    assert keeper.stdout is not None
    assert keeper.stdin is not None
    assert keeper.stdout.readline() == b"up\n"
    (child,) = psutil.Process(keeper.pid).children()
    keeper.stdin.close()
    keeper.wait(15)
    assert gone(child.pid)
    keeper.stdout.close()


def test_a_command_that_does_not_want_to_end_is_made_to() -> None:
    deaf = (
        "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('up', flush=True); time.sleep(600)"
    )
    keeper = kept(sys.executable, "-c", deaf)
    assert keeper.stdout is not None
    assert keeper.stdin is not None
    assert keeper.stdout.readline() == b"up\n"
    (child,) = psutil.Process(keeper.pid).children()
    keeper.stdin.close()
    keeper.wait(15)
    assert gone(child.pid)
    keeper.stdout.close()


def test_it_ends_too_where_the_starter_is_killed() -> None:
    program = (
        "import subprocess, sys; "
        f"keeper = subprocess.Popen([sys.executable, '-m', 'strategies.models.kept', '2', *{SLEEPS!r}], "
        "stdin=subprocess.PIPE, stdout=subprocess.PIPE); keeper.stdout.readline(); print(keeper.pid, flush=True); "
        "import time; time.sleep(600)"
    )
    with subprocess.Popen([sys.executable, "-c", program], cwd=ROOT, stdout=subprocess.PIPE) as starter:
        assert starter.stdout is not None
        keeper = int(starter.stdout.readline())
        (child,) = psutil.Process(keeper).children()
        os.kill(starter.pid, signal.SIGKILL)
    assert gone(child.pid)
    assert gone(keeper)


def test_its_exit_code_is_the_commands_own() -> None:
    keeper = kept(sys.executable, "-c", "raise SystemExit(7)")
    assert keeper.wait(15) == 7
    for pipe in (keeper.stdin, keeper.stdout):
        assert pipe is not None
        pipe.close()


# ---------------------------------------------------------------- what is asked for


def spec(model: str) -> Mapping[str, Any]:
    values = {"name": "t", "instruction": "Say it.", "examples": "rows.jsonl", "target": 0.5}
    return {**values, "models": [yaml.safe_load(model)]}


def test_an_engine_is_asked_for_by_name() -> None:
    found = parse_spec(spec("{name: smollm2-135m, engine: vllm}"))
    assert found.models[0].engine == "vllm"
    assert parse_spec(spec("smollm2-135m")).models[0].engine is None


@pytest.mark.parametrize(
    ("model", "said"),
    [
        ("{name: m, engine: vlm}", "vllm"),
        ("{name: m, engine: vllm, endpoint: 'http://127.0.0.1:1/v1'}", "both an engine and an endpoint"),
    ],
)
def test_what_no_engine_is_asked_for_is_said(model: str, said: str) -> None:
    with pytest.raises(BadInput, match=said):
        parse_spec(spec(model))


def test_without_vllm_it_is_said_before_anything_is_spent(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delenv("ADVISOR_VLLM", raising=False)
    monkeypatch.setenv("PATH", str(tmp_path))
    folder = tiny.model_folder(tmp_path / "model")
    models = Models(specs=(ModelSpec(name="tiny", folder=str(folder), engine="vllm"),), _placement=tiny.FLOAT32)
    with pytest.raises(BadInput, match="ADVISOR_VLLM=/path/to/bin/vllm"):
        models.check_servers()


def test_several_workers_would_start_several_servers(tmp_path: Path) -> None:
    models = Models(specs=(ModelSpec(name="tiny", folder="x", engine="vllm"),), _placement=tiny.FLOAT32)
    with pytest.raises(BadInput, match="Run it in one process"):
        models.for_worker(2, 1)


def test_a_server_that_does_not_start_says_the_end_of_its_log(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    broken = tmp_path / "vllm"
    broken.write_text(f"#!{sys.executable}\nraise SystemExit('no such model')\n", encoding="utf-8")
    broken.chmod(0o755)
    monkeypatch.setenv("ADVISOR_VLLM", str(broken))
    monkeypatch.setenv(vllm_server.KEY, "made for this test")
    server = VllmServer(tmp_path, tiny.FLOAT32)
    with pytest.raises(ModelUnavailable, match="no such model"):
        _ = server.address


# ---------------------------------------------------------------- whether the adapter works there


class Answering(ServedModel):
    """One whose server is a table of first tokens."""

    def generate(self, prompts, max_tokens, sampling, step="answering"):  # type: ignore[no-untyped-def]
        from strategies.contract import Place

        for index in range(len(prompts)):
            likely = {"a": -1.0, "b": -2.0 if self.adapter is None else self.SHIFTED}
            done = Completion(text="a", usage=Usage(model="m", step=step), places=(Place(chosen="a", likely=likely),))
            yield index, done

    SHIFTED = -2.0


def test_an_adapter_that_does_nothing_at_the_server_is_not_scored(tmp_path: Path) -> None:
    here = tiny.local_model(tiny.model_folder(tmp_path / "model"))
    base = Answering(here=here, server=VllmServer(here.folder, tiny.FLOAT32))
    tuned = Answering(here=here, server=base.server, adapter=tmp_path)
    prompts = [(Message("user", "one"),), (Message("user", "two"),)]
    with pytest.raises(DeadAdapter, match="has no effect there"):
        prove_served(base, tuned, prompts)
    Answering.SHIFTED = -1.5
    assert prove_served(base, tuned, prompts) == pytest.approx(0.5)
    assert at_hand(tuned) is here
    assert at_hand(here) is here


# ---------------------------------------------------------------- a real server


@pytest.fixture(scope="module")
def real() -> LocalModel:
    """The default model, where vLLM is."""
    if not (os.environ.get("ADVISOR_VLLM") or shutil.which("vllm")):
        pytest.skip("vLLM is not here")
    models = Models(specs=(ModelSpec(name="smollm2-135m"),))
    found = models.language("smollm2-135m")
    assert isinstance(found, LocalModel)
    return found


TOLD = tuple(
    (Message("user", f"The city of: {text}", asked=text),)
    for text in ("We met in Bonn (Rhine).", 'From "Rome" to Île-de-France')
)
WHERE = {
    "type": "object",
    "properties": {"city": {"type": "string", "minLength": 1, COPIED: 3}},
    "required": ["city"],
    "additionalProperties": False,
    "x-guidance": {"whitespace_flexible": False},
}


@pytest.mark.vllm
@pytest.mark.slow
def test_a_model_trained_here_answers_there(real: LocalModel, tmp_path: Path) -> None:
    """Base and adapter at one server: the base as before, the adapter as it was taught, and both as transformers."""
    server = VllmServer(real.folder, real.placement)
    base = ServedModel(here=real, server=server)
    asked = [(Message("user", f"What is the word for {name}?"),) for name in ("one", "two", "three", "four")]
    rows = [TrainingRow(prompt=prompt, answer="zebra") for prompt in asked]
    try:
        before = dict(base.generate(asked, 8, Sampling()))
        trained = real.train(rows * 8, (), Recipe(epochs=3), tmp_path / "adapter", 0)
        tuned = base.adapted(trained.folder)
        assert isinstance(tuned, ServedModel)
        assert prove_served(base, tuned, asked) > 1e-3
        after = dict(tuned.generate(asked, 8, Sampling()))
        again = dict(base.generate(asked, 8, Sampling()))
        mine = dict(real.adapted(trained.folder).generate(asked, 8, Sampling()))  # type: ignore[attr-defined]
        copied = dict(base.generate(TOLD, 40, Sampling(schema=json.dumps(WHERE))))
    finally:
        server.stop()
    assert [after[place].text.strip() for place in range(4)] == ["zebra"] * 4
    assert [mine[place].text.strip() for place in range(4)] == ["zebra"] * 4
    assert [again[place].text for place in range(4)] == [before[place].text for place in range(4)]
    assert all(0 < done.usage.seconds < 600 for done in after.values())
    assert all(json.loads(copied[place].text)["city"] in prompt[-1].asked for place, prompt in enumerate(TOLD))
