"""The vLLM engine: a server that ends with whoever started it, and (where vLLM is) a run that answers through a real one."""

from __future__ import annotations

import json
import os
import re
import shlex
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import psutil
import pytest
import yaml

from advisor.deploy.export import card
from benchmarks.contract import BadInput
from benchmarks.running.models import Models
from benchmarks.specs.spec import parse_spec
from benchmarks.specs.spec_models import ModelSpec
from strategies.contract import Completion, DeadAdapter, Message, Query, Recipe, Sampling, TrainingRow, Usage
from strategies.models import vllm_server
from strategies.models.endpoint import EndpointModel
from strategies.models.local import LocalModel
from strategies.models.meeting import over
from strategies.models.served import ServedModel, at_hand, prove_served
from strategies.models.vllm_server import VllmServer
from strategies.models.weights import ModelUnavailable
from strategies.pipeline import Pipeline, Setup
from strategies.sources import Sources
from strategies.standalone.held import ENDING
from strategies.standalone.tagging import COPIED
from tests import tiny
from tests.desk import ROOT
from tests.verdict_cases import Bakeoff, benchmark_of, evaluation_of, scores_of

SLEEPS = "import os, time; print(os.getppid(), os.getpid(), flush=True); time.sleep(600)"


def kept(folder: Path, program: str) -> tuple[subprocess.Popen[bytes], int, int]:
    """Whoever holds its input open, and the processes of the keeper and of the command."""
    folder.mkdir(parents=True)
    command = [sys.executable, "-m", "strategies.models.kept", "2", str(folder), sys.executable, "-c", program]
    starter = subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    assert starter.stdout is not None
    keeper, child = map(int, starter.stdout.readline().split())
    assert starter.wait(15) == 0, "the keeper is nobody's child"
    starter.stdout.close()
    return starter, keeper, child


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


DEAF = f"import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN); {SLEEPS}"


@pytest.mark.parametrize("program", [SLEEPS, DEAF])
def test_a_command_ends_when_its_input_does_though_it_does_not_want_to(program: str, tmp_path: Path) -> None:
    starter, keeper, child = kept(tmp_path / "place" / "folder", program)
    assert starter.stdin is not None
    assert psutil.pid_exists(child)
    starter.stdin.close()
    assert gone(child)
    assert gone(keeper)
    assert not (tmp_path / "place").exists(), "nothing of it stays"
    assert tmp_path.exists()


def test_it_ends_too_where_the_starter_is_killed(tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()
    program = (
        "import subprocess, sys, time; subprocess.Popen([sys.executable, '-m', 'strategies.models.kept', '2', "
        f"{str(tmp_path / 'folder')!r}, sys.executable, '-c', {SLEEPS!r}], stdin=subprocess.PIPE); time.sleep(600)"
    )
    with subprocess.Popen([sys.executable, "-c", program], cwd=ROOT, stdout=subprocess.PIPE) as starter:
        assert starter.stdout is not None
        keeper, child = map(int, starter.stdout.readline().split())
        os.kill(starter.pid, signal.SIGKILL)
    assert gone(child)
    assert gone(keeper)


def test_what_a_command_left_behind_ends_with_it(tmp_path: Path) -> None:
    """As the engine of a server whose front ended."""
    front = f"import os, subprocess, sys; subprocess.Popen([sys.executable, '-c', {SLEEPS!r}]); os.wait()"
    starter, front_pid, engine = kept(tmp_path / "folder", front)
    os.kill(front_pid, signal.SIGKILL)
    assert gone(engine)
    assert starter.stdin is not None
    starter.stdin.close()


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


def test_a_server_that_does_not_start_says_the_end_of_its_log(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    broken = tmp_path / "vllm"
    broken.write_text(f"#!{sys.executable}\nraise SystemExit('no such model')\n", encoding="utf-8")
    broken.chmod(0o755)
    monkeypatch.setenv("ADVISOR_VLLM", str(broken))
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


def test_what_is_held_to_a_schema_has_room_to_end_by_itself(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No server brings an answer to its end, as the model here does."""
    asked: list[int] = []

    def generate(self: Any, prompts: Any, max_tokens: int, *more: Any) -> Any:
        asked.append(max_tokens)
        return iter(())

    monkeypatch.setattr(EndpointModel, "generate", generate)
    monkeypatch.setattr(ServedModel, "_must_write_alike", lambda self: None)
    monkeypatch.setattr(
        ServedModel, "_asked", lambda self: EndpointModel(name="m", base_url="http://127.0.0.1:1/v1", model="m")
    )
    here = tiny.local_model(tiny.model_folder(tmp_path / "model"))
    model = ServedModel(here=here, server=VllmServer(here.folder, tiny.FLOAT32))
    monkeypatch.setattr(VllmServer, "start", lambda self: None)
    for schema in ("", json.dumps(WHERE)):
        list(model.generate(TOLD, 40, Sampling(schema=schema)))
    assert asked == [40, ENDING * 40]


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
NUMBER = {"type": "string", "pattern": "^(?:[A-Z]{2}-[0-9]{1,3})$"}
WHERE = {
    "type": "object",
    "properties": {"city": {"type": "string", "minLength": 1, COPIED: 3}},
    "required": ["city"],
    "additionalProperties": False,
    "x-guidance": {"whitespace_flexible": False},
}


def told_command(card: str, model: Path, folder: Path) -> list[str]:
    """The command of a card for vLLM, with the two places filled in that it leaves open."""
    (line,) = (line for line in card.splitlines() if line.startswith("vllm serve "))
    filled = line.replace("PATH_OF_THE_MODEL", str(model)).replace("THIS_FOLDER", str(folder))
    return [vllm_server.program(), *shlex.split(filled)[1:]]


@contextmanager
def serving(command: list[str], log: Path) -> Iterator[str]:
    """The address of a server that was started with this command and is gone when the block ends."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    cores = sorted(os.sched_getaffinity(0))[:2]
    bound = {"VLLM_CPU_KVCACHE_SPACE": "1", "VLLM_CPU_OMP_THREADS_BIND": ",".join(map(str, cores))}
    known = {name: value for name, value in os.environ.items() if name not in ("PYTHONPATH", "OMP_NUM_THREADS")}
    usual = known | bound | {"HF_HUB_OFFLINE": "1", "VLLM_NO_USAGE_STATS": "1"}
    whole = [*command, "--host", "127.0.0.1", "--port", str(port)]
    with log.open("wb") as file:
        server = subprocess.Popen(whole, cwd=ROOT, env=usual, stdout=file, stderr=file, start_new_session=True)
    try:
        until = time.monotonic() + vllm_server.START_S
        while True:
            assert server.poll() is None, log.read_text(errors="replace")[-2000:]
            assert time.monotonic() < until, "it did not start in time"
            try:
                with vllm_server._DIRECT.open(f"http://127.0.0.1:{port}/health", timeout=5):
                    break
            except OSError:
                time.sleep(0.5)
        yield f"http://127.0.0.1:{port}/v1"
    finally:
        os.killpg(server.pid, signal.SIGKILL)
        server.wait(60)


@pytest.mark.vllm
@pytest.mark.slow
def test_the_command_of_a_card_serves_the_adapter(real: LocalModel, tmp_path: Path) -> None:
    """As it stands there: the adapter answers as it was taught, the base does not, and prompts are written as the card says."""
    task = replace(tiny.benchmark("generation").task, instruction="Say the word for it.")
    made = Pipeline(
        task=task, model=real, setup=Setup(), sources=Sources((), tiny.WordHashes()), max_tokens=8, schema=""
    )
    names = ("one", "two", "three", "four")
    asked = [request.prompt for request in made.requests([Query.of(name) for name in names])]
    rows = [TrainingRow(prompt=prompt, answer="zebra") for prompt in asked] * 8
    trained = real.train(rows, (), Recipe(epochs=3), tmp_path / "adapter", 0)
    replace(made, adapter=trained.folder).save(tmp_path / "out" / "parts" / "0")
    found = evaluation_of("lora", scores_of(279, 300))
    text = card(Bakeoff(evaluations=(found,), benchmark=benchmark_of()).told(), "lora", tmp_path / "out")
    prompt = json.loads((tmp_path / "out" / "parts" / "0" / "prompt.json").read_text(encoding="utf-8"))
    assert f"states {prompt['probe']['tokens']} prompt tokens" in text
    command = told_command(text, real.folder, tmp_path / "out")
    with serving(command, tmp_path / "log") as address:
        tuned = EndpointModel(name="tuned", base_url=address, model="tuned", timeout_s=300.0)
        base = replace(tuned, model=str(real.folder))
        said = [done.text.strip() for _, done in sorted(tuned.generate(asked, 8, Sampling()))]
        plain = [done.text.strip() for _, done in sorted(base.generate(asked, 8, Sampling()))]
        counted = tuned.stated_tokens(
            tuple(Message(turn["role"], turn["content"]) for turn in prompt["probe"]["messages"])
        )
    assert said == ["zebra"] * 4
    assert "zebra" not in " ".join(plain)
    assert counted == prompt["probe"]["tokens"]


@pytest.mark.vllm
@pytest.mark.slow
def test_a_model_trained_here_answers_there(real: LocalModel, tmp_path: Path) -> None:
    """Base and adapter at one server: the base as before, the adapter as it was taught, and both as transformers."""
    place = tmp_path / "place"
    server, other = (VllmServer(real.folder, real.placement, place) for _ in range(2))
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
        again = dict(ServedModel(here=real, server=other).generate(asked, 8, Sampling()))
        beside = dict(replace(tuned, server=other).generate(asked, 8, Sampling()))
        assert server.start == other.start, "another worker of this machine asks the same server"
        server.stop()
        assert other.alive
        mine = dict(real.adapted(trained.folder).generate(asked, 8, Sampling()))  # type: ignore[attr-defined]
        copied = dict(replace(base, server=other).generate(TOLD, 40, Sampling(schema=json.dumps(WHERE))))
        formed = dict(replace(base, server=other).generate(TOLD, 12, Sampling(schema=json.dumps(NUMBER))))
    finally:
        server.stop()
        other.stop()
    over(place, 30)
    assert not place.exists()
    assert [beside[number].text for number in range(4)] == [after[number].text for number in range(4)]
    assert [after[number].text.strip() for number in range(4)] == ["zebra"] * 4
    assert [mine[number].text.strip() for number in range(4)] == ["zebra"] * 4
    assert [again[number].text for number in range(4)] == [before[number].text for number in range(4)]
    assert all(0 < done.usage.seconds < 600 for done in after.values())
    assert all(json.loads(copied[place].text)["city"] in prompt[-1].asked for place, prompt in enumerate(TOLD))
    assert all(re.fullmatch(NUMBER["pattern"], done.text) for done in formed.values())
