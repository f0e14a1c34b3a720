"""The command line as a person meets it: what it prints where, how it ends, and what it leaves on the disk."""

from __future__ import annotations

import dataclasses
import hashlib
import io
import json
import os
import re
import shlex
import shutil
import signal
import socket
import sqlite3
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing
from importlib.metadata import version
from pathlib import Path
from typing import Any
from unittest.mock import Mock

import pytest
from rich.cells import cell_len

from advisor.cli import again
from advisor.deploy.answering import Answerer
from advisor.deploy.gate import hash_of_right
from advisor.reports.text import one_line
from benchmarks.checked import Handover
from benchmarks.specs.paths import without_folders
from benchmarks.storage.bom import write_bom
from benchmarks.storage.outcomes import text_of
from benchmarks.storage.store import Store
from strategies.contract import Abstention, Case, Evidence, Failure, Outcome, Prediction, Query, Sampling
from strategies.models.measured import quickest
from strategies.standalone.lookup import Passage
from tests import tiny
from tests.conftest import Folders
from tests.desk import Done, call, everything, finish, start, write_task

CANARIES = {
    "USER": "user-canary-7391",
    "LOGNAME": "user-canary-7391",
    "HOSTNAME": "host-canary-4410",
    "OPENAI_API_KEY": "sk-canary-5b1f0e",
    "HF_TOKEN": "hf_canary_88d2",
    "AWS_SECRET_ACCESS_KEY": "aws-canary-0c7a",
}
QUICK = ("--effort", "quick", "--yes")
NO_MODEL = ("--approach", "majority", "--probes", "none")
VERDICTS = {0, 100, 101}


@dataclasses.dataclass(frozen=True, kw_only=True)
class Finished:
    """A run that a process of its own made, where it was made, and what it printed."""

    done: Done
    folder: Path
    desk: Path
    home: Path


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory, model_folders: Folders) -> Finished:
    """Started with planted names and secrets, at 80 columns, with its output in pipes."""
    desk = tmp_path_factory.mktemp("folder-canary-5102")
    home = desk / "home-canary-9914"
    home.mkdir()
    write_task(desk, model_folders)
    chosen = [word for name in ("majority", "copy nearest", "prompting", "lora") for word in ("--approach", name)]
    variables = {**CANARIES, "HOME": str(home), "COLUMNS": "80"}
    process = start(desk, "run", "task.yaml", "--out", "first", "--json", *chosen, *QUICK, environment=variables)
    done = finish(process)
    assert done.code in VERDICTS, done.err
    return Finished(done=done, folder=desk / "first", desk=desk, home=home)


@pytest.fixture
def desk(tmp_path: Path, model_folders: Folders, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty desk with a task on it, where the command line is started."""
    write_task(tmp_path, model_folders)
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("COLUMNS", raising=False)
    return tmp_path


def report_files(folder: Path) -> dict[str, str]:
    return {name: (folder / name).read_text(encoding="utf-8") for name in ("report.html", "report.md", "report.json")}


# ---------------------------------------------------------------- what is printed where


def test_json_is_one_document_and_all_else_is_sentences_on_stderr(finished: Finished) -> None:
    document = json.loads(finished.done.out)
    assert document == json.loads((finished.folder / "report.json").read_text(encoding="utf-8"))
    ours = r"(tiny topics|note|models|expected|what this machine|The page|To put)\b.*|\S+: in this process, .*|  \S.*|"
    assert [line for line in finished.done.err.splitlines() if not re.fullmatch(ours, line)] == []
    assert "\x1b" not in finished.done.out + finished.done.err
    assert max(map(len, finished.done.err.splitlines())) <= 80


def test_nobody_else_may_look_into_a_run(finished: Finished) -> None:
    assert finished.folder.stat().st_mode & 0o777 == 0o700


def test_a_run_lists_what_it_was_made_of(finished: Finished) -> None:
    bom = json.loads((finished.folder / "bom.json").read_text(encoding="utf-8"))
    assert (bom["bomFormat"], bom["specVersion"]) == ("CycloneDX", "1.6")
    libraries = {each["name"]: each for each in bom["components"] if each["type"] == "library"}
    assert {"torch", "transformers", "tokenizers", "safetensors"} <= set(libraries), "indirect ones too"
    assert libraries["peft"]["purl"] == f"pkg:pypi/peft@{version('peft')}"
    assert not {"pytest", "mypy", "playwright"} & set(libraries), "what only developing takes is none of it"
    models = {each["name"]: each for each in bom["components"] if each["type"] == "machine-learning-model"}
    assert models["llama-chat-0"]["version"]
    (adapter,) = [name for name in models if name.startswith("fits/")]
    content = (finished.folder / adapter / "adapter_model.safetensors").read_bytes()
    assert models[adapter]["hashes"] == [{"alg": "SHA-256", "content": hashlib.sha256(content).hexdigest()}]


def test_it_lists_a_reranker_that_is_from_no_hub(tmp_path: Path) -> None:
    identity = {"weights": {"lm": "h1"}, "embedder": "letters", "embedder_weights": "h2", "reranker": "h3"}
    write_bom(tmp_path, identity, {}, "crossing")
    bom = json.loads((tmp_path / "bom.json").read_text(encoding="utf-8"))
    models = {each["name"]: each["version"] for each in bom["components"] if each["type"] == "machine-learning-model"}
    assert models == {"lm": "h1", "letters": "h2", "crossing": "h3"}


def test_a_model_in_a_folder_is_shown_by_the_folders_own_name(finished: Finished) -> None:
    facts = json.loads(finished.done.out)["facts"]
    assert {row["name"]: row["model"] for row in facts["candidates"] if row["approach"] != "cascade"} == {
        "majority": "",
        "copy nearest": "",
        "prompting": "llama-chat-0",
        "lora": "llama-chat-0",
    }
    assert {row["state"] for row in facts["candidates"]} <= {"meets", "misses", "undecided"}
    about = json.loads((finished.folder / "run.json").read_text(encoding="utf-8"))
    assert [model["name"] for model in about["spec"]["models"]] == ["llama-chat-0"]
    assert about["spec"]["embedder"] == {"name": "tiny-embedder"}


def test_names_of_person_machine_and_folders_and_secrets_are_written_nowhere(
    finished: Finished, model_folders: Folders
) -> None:
    secrets = {*CANARIES.values(), finished.home.name, finished.desk.name, model_folders.language.parent.name}
    machine = socket.gethostname()
    secrets |= {machine} if len(machine) > 4 and machine != "localhost" else set()
    files = everything(finished.folder)
    assert {"report.html", "report.md", "report.json", "run.json", "run.sqlite"} <= set(files)
    found = [(name, secret) for name, content in files.items() for secret in secrets if secret.encode() in content]
    assert found == []
    with closing(sqlite3.connect(finished.folder / "run.sqlite")) as db:
        assert [secret for line in db.iterdump() for secret in secrets if secret in line] == []
    about = (finished.folder / "run.json").read_text(encoding="utf-8")
    texts = re.findall(r'"((?:[^"\\]|\\.)*)"', about)
    assert [text for text in texts if re.match(r"(/|~|[A-Za-z]:[\\/])", text)] == []


def test_a_path_in_an_error_is_cut_down_too(
    desk: Path, model_folders: Folders, capsys: pytest.CaptureFixture[str]
) -> None:
    broken = desk / "place-canary-3300" / "no-tokenizer"
    shutil.copytree(model_folders.language, broken)
    for name in ("tokenizer.json", "tokenizer_config.json"):
        (broken / name).unlink()
    done = call(
        capsys, "run", "task.yaml", "--model", str(broken), "--approach", "prompting", "--probes", "none", "--yes"
    )
    told = {**report_files(desk / "runs" / "tiny-topics"), "terminal": done.out}
    assert "no-tokenizer" in told["report.json"], "the reason is given"
    assert "fitting failed" in told["report.json"]
    assert [name for name, text in told.items() if "place-canary-3300" in text or str(desk) in text] == []


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("No tokenizer for '/srv/a b/model'.", "No tokenizer for 'model'."),
        ("/home/someone/x/y.json is missing", "y.json is missing"),
        (r"No such file: 'C:\Users\someone\f.txt'", "No such file: 'f.txt'"),
        ("file:///srv/a/b, (~/c/d)", "b, (d)"),
        ("see https://host/a/b, and/or 3/4 of a/b/c", "see https://host/a/b, and/or 3/4 of a/b/c"),
    ],
)
def test_a_path_is_told_from_what_only_looks_like_one(text: str, wanted: str) -> None:
    assert without_folders(text) == wanted
    assert without_folders(f"in {Path.home()}/") == "in ~/"


@pytest.mark.parametrize(
    "arguments",
    [
        ("--help",),
        ("run", "--help"),
        ("models",),
        ("doctor",),
        ("check", "task.yaml"),
        ("run", "task.yaml", "--dry-run"),
        ("run", "task.yaml", "--out", "other", *NO_MODEL),
        ("report", "first"),
        ("report", "nowhere-that-has-a-rather-long-name-and-holds-nothing"),
    ],
    ids=" ".join,
)
def test_no_line_is_wider_than_a_terminal_of_80_columns(
    arguments: tuple[str, ...],
    finished: Finished,
    desk: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    shutil.copytree(finished.folder, desk / "first")
    monkeypatch.setenv("COLUMNS", "80")
    done = call(capsys, *arguments)
    lines = [*done.out.splitlines(), *done.err.splitlines()]
    assert len(lines) >= 1
    assert [line for line in lines if cell_len(line) > 80] == []


def test_the_doctor_says_what_models_run_with_and_measures_again_when_asked(
    desk: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ADVISOR_CACHE", str(desk / "cache"))
    monkeypatch.setattr("strategies.models.measured.busy", lambda: False)
    told = call(capsys, "doctor")
    assert told.code == 0
    assert "models run on" in told.out
    assert "bfloat16" in told.out
    assert str(desk) not in told.out
    # What a machine has to measure differs: one with graphics, or with one core, has nothing to ask.
    quickest("a question", {"one way": int, "another": float})
    assert "measured here:\n- " in call(capsys, "doctor").out
    first = json.loads(call(capsys, "doctor", "--json").out)
    assert first == json.loads(call(capsys, "doctor", "--json").out) | {"memory": first["memory"]}
    again = json.loads(call(capsys, "doctor", "--again", "--json").out)
    questions = [{row["question"] for row in told["measured"]} for told in (first, again)]
    assert questions[0] - questions[1] == {"a question"}, "nothing of before is remembered"
    monkeypatch.setenv("ADVISOR_THREADS", "none")
    wrong = call(capsys, "doctor")
    assert wrong.code == 2
    assert "ADVISOR_THREADS is 'none'; it is a whole number from 1 on." in wrong.err
    for name in ("ADVISOR_THREADS", "ADVISOR_CACHE", "XDG_CACHE_HOME", "HOME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr("pwd.getpwuid", {}.__getitem__)  # A user of no name and no home, as in many containers.
    homeless = call(capsys, "doctor")
    assert homeless.code == 2
    assert "in which the cache would lie. Set ADVISOR_CACHE to the path of a folder" in " ".join(homeless.err.split())
    assert without_folders("of /srv/data/rows.csv") == "of rows.csv"


@pytest.mark.skipif(not hasattr(os, "openpty"), reason="there are no pseudo-terminals on this system")
@pytest.mark.parametrize("variables", [{}, {"NO_COLOR": "1"}], ids=["colours", "NO_COLOR"])
def test_a_terminal_gets_colours_unless_it_asks_for_none(variables: dict[str, str], finished: Finished) -> None:
    ours, theirs = os.openpty()
    terminal = {"TERM": "xterm-256color", **variables}
    process = start(finished.desk, "report", "first", environment=terminal, stdout=theirs)
    os.close(theirs)
    shown = b""
    while part := _read(ours):
        shown += part
    os.close(ours)
    done = finish(process)
    assert done.code in VERDICTS
    assert "Target not met" in shown.decode() or "Not decided" in shown.decode()
    colours = re.findall(rb"\x1b\[(?:[0-9;]*;)?(?:3[0-8]|4[0-8]|9[0-7])[;m]", shown)
    assert bool(colours) is not bool(variables)


def _read(terminal: int) -> bytes:
    try:
        return os.read(terminal, 65_536)
    except OSError:  # Linux's way of saying that the other side has closed
        return b""


# ---------------------------------------------------------------- how it ends


@pytest.mark.parametrize(("target", "code"), [("0.3", 0), ("0.99", 100), ("0.75", 101)])
def test_the_exit_code_says_whether_the_target_is_met(
    target: str, code: int, desk: Path, model_folders: Folders, capsys: pytest.CaptureFixture[str]
) -> None:
    cases = [Case(id=f"c{n}", input=f"text {n} {n * 7919}", output="no" if n % 4 else "yes") for n in range(120)]
    write_task(desk, model_folders, cases=cases)
    done = call(capsys, "run", "task.yaml", "--target", target, *NO_MODEL)
    assert done.code == code, done.out


def test_a_limit_that_a_run_cannot_judge_is_said_before_it_is_a_look_at_the_held_out_cases(
    desk: Path, model_folders: Folders, capsys: pytest.CaptureFixture[str]
) -> None:
    """It was said after the run only, by then with exit 101 and a look spent."""
    write_task(desk, model_folders, "constraints: {cost_per_month: 5, p95_latency_s: 1}")
    costs = (
        "Nothing will be shown to keep the limit on costs a month, since nothing here measures it: state `machine_hour`"
    )
    assert costs in " ".join(call(capsys, "check", "task.yaml").out.split())
    done = call(capsys, "run", "task.yaml", *NO_MODEL, "--dry-run")
    said = " ".join((done.out + done.err).split())
    assert "keep the limits on costs a month and waiting times, since nothing here measures them" in said
    assert "run without `--probes none`" in said
    write_task(desk, model_folders, "constraints: {perplexity_ratio: 1.1}")
    done = call(capsys, "run", "task.yaml", *NO_MODEL, "--dry-run")
    assert "Nothing will be shown" not in done.out + done.err, "nothing is trained that could forget"
    write_task(desk, model_folders, "constraints: {cost_per_month: 5, p95_latency_s: 1}", "prices: {machine_hour: 0.4}")
    for done in (
        call(capsys, "run", "task.yaml", "--approach", "majority", "--dry-run"),
        call(capsys, "check", "task.yaml"),
    ):
        assert "Nothing will be shown" not in done.out + done.err


@pytest.fixture(scope="module")
def small_run(tmp_path_factory: pytest.TempPathFactory, model_folders: Folders) -> Path:
    """The folder of a run of `NO_MODEL`, to be copied."""
    from advisor import Wishes, advise

    desk = tmp_path_factory.mktemp("small")
    task = write_task(desk, model_folders)
    advise(task, out=desk / "run", wishes=Wishes(approaches=("majority",), probes="none"))
    return desk / "run"


def _begun(desk: Path, small_run: Path) -> None:
    shutil.copytree(small_run, desk / "begun")


def _a_file(desk: Path, small_run: Path) -> None:
    (desk / "notes.txt").write_text("x", encoding="utf-8")


def _a_broken_store(desk: Path, small_run: Path) -> None:
    _begun(desk, small_run)
    for name in ("run.sqlite-wal", "run.sqlite-shm"):
        (desk / "begun" / name).unlink(missing_ok=True)
    (desk / "begun" / "run.sqlite").write_bytes(b"nothing that SQLite wrote, and long enough to tell" * 40)


def _failing_metric(desk: Path, small_run: Path) -> None:
    (desk / "mine.py").write_text("def score(input, output, accepted, metadata):\n    return 1 / 0\n", encoding="utf-8")
    with (desk / "task.yaml").open("a", encoding="utf-8") as file:
        file.write("metric: mine.py:score\n")


def _vectors(desk: Path, small_run: Path) -> None:
    line = (desk / "task.yaml").read_text(encoding="utf-8").splitlines()[-1]
    shutil.copytree(line.partition(": ")[2], desk / "vectors")


def _nothing(desk: Path, small_run: Path) -> None: ...


RUN = ("run", "task.yaml")
GO_ON = (*RUN, "--out", "begun", "--resume", *NO_MODEL)
Setup = Callable[[Path, Path], None]
MISTAKES: dict[str, tuple[Setup, tuple[str, ...], str]] = {
    "a wrong command": (_nothing, ("rnu", "task.yaml"), r"no command `rnu`\. Did you mean `advisor run`\?"),
    "a wrong approach": (
        _nothing,
        (*RUN, "--approach", "promting"),
        r"no approach 'promting'; .* Did you mean 'prompting'\?",
    ),
    "a wrong model": (
        _nothing,
        (*RUN, "--model", "smolm2-135m"),
        r"no model 'smolm2-135m' here\. Did you mean smollm2-135m\?",
    ),
    "a model that embeds": (
        _vectors,
        (*RUN, "--model", "./vectors"),
        r"vectors turns texts into vectors and cannot answer\. Name a language model",
    ),
    "a model without a name": (_nothing, (*RUN, "--model", ""), r"A model without a name .* Name one of"),
    "two models of one name": (
        _nothing,
        (*RUN, "--model", "./a/same", "--model", "./b/same"),
        r'lists "same" twice\. Name one otherwise',
    ),
    "a folder that is not there": (
        _nothing,
        (*RUN, "--model", "./nowhere"),
        r"The model nowhere is to lie in .*nowhere, and there is no such folder",
    ),
    "a wrong task": (
        _nothing,
        ("run", "suport-intents"),
        r"suport-intents is neither a file nor a known task\. Did you mean support-intents\?",
    ),
    "a wrong task to check": (_nothing, ("check", "suport-intents"), r"Did you mean support-intents\?"),
    "a target in percent": (_nothing, (*RUN, "--target", "90"), r"--target is 90; .* Write 0\.9 for 90 %"),
    "no number": (_nothing, (*RUN, "--seed", "one"), r"'one' is not a valid integer"),
    "an unknown option": (_nothing, (*RUN, "--modle", "x"), r"No such option.* '?--modle'?.*--model"),
    "a folder with a run": (
        _begun,
        (*RUN, "--out", "begun", *NO_MODEL),
        r"begun already holds a run\. Add --resume to go on with it, or name another folder with --out",
    ),
    "a file as the folder": (_a_file, (*RUN, "--out", "notes.txt", *NO_MODEL), r"notes\.txt is a file\. Name a folder"),
    "nothing to go on with": (
        _nothing,
        (*RUN, "--resume", *NO_MODEL),
        r"tiny-topics holds no run to go on with\. Leave out --resume",
    ),
    "another seed": (
        _begun,
        (*GO_ON, "--seed", "1"),
        r"The run in begun was made with seed 0, and now it is 1\. Give that --seed, or start without --resume",
    ),
    "another target": (_begun, (*GO_ON, "--target", "0.5"), r"made with target 0\.6, and now it is 0\.5"),
    "another approach": (
        _begun,
        (*GO_ON, "--approach", "copy input"),
        r'made with the approaches \["majority"\], and now it is \["majority", "copy input"\]',
    ),
    "no run to tell": (_nothing, ("report", "nowhere"), r"nowhere holds no run: run\.json is missing"),
    "a broken store": (_a_broken_store, ("report", "begun"), r"run\.sqlite cannot be read as a run's rows"),
    "code that was not allowed": (
        _failing_metric,
        (*RUN, *NO_MODEL),
        r"runs Python code of its own, which is off\. Read the code, then start again with --allow-code",
    ),
    "a metric that fails": (
        _failing_metric,
        (*RUN, *NO_MODEL, "--allow-code"),
        r"`mine\.py:score` raised ZeroDivisionError on case .*: division by zero\. Correct the metric",
    ),
}


@pytest.mark.parametrize("mistake", MISTAKES)
def test_a_mistake_is_one_sentence_and_exit_code_2(
    mistake: str, desk: Path, small_run: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    setup, arguments, wanted = MISTAKES[mistake]
    setup(desk, small_run)
    done = call(capsys, *arguments)
    assert (done.code, done.out) == (2, ""), done.err
    assert re.search(wanted, " ".join(done.err.split())), done.err
    assert "Traceback" not in done.err


def test_a_fault_of_ours_is_told_as_one_and_shown_on_request(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object) -> None:
        raise KeyError("ours")

    monkeypatch.setattr("advisor.cli.terminal.show", broken)
    done = call(capsys, "report", "example")
    assert (done.code, done.out) == (1, "")
    assert re.search(r"This is a fault of the program \(KeyError: .*ADVISOR_TRACEBACK=1", done.err)
    monkeypatch.setenv("ADVISOR_TRACEBACK", "1")
    from advisor.cli import run_command_line

    with pytest.raises(KeyError):
        run_command_line(["report", "example"])


def test_the_example_is_scored_again_where_that_is_asked(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    from benchmarks.evaluation import stored

    changed, rescored = [], stored.rescored
    monkeypatch.setattr(stored, "rescored", lambda *of: changed.append(rescored(*of)))
    done = call(capsys, "report", "example", "--rescore", "--out", str(tmp_path), "--format", "json")
    assert done.code in (0, 100, 101), done.err
    assert changed == [0]


@pytest.mark.parametrize(
    ("sent", "code"),
    [pytest.param(signal.SIGINT, 130, marks=pytest.mark.nightly), (signal.SIGTERM, 143)],
)
def test_an_interrupted_run_says_how_to_go_on_and_does_nothing_twice(
    desk: Path, capsys: pytest.CaptureFixture[str], sent: signal.Signals, code: int
) -> None:
    arguments = ("run", "task.yaml", "--approach", "majority", "--approach", "lora", "--probes", "none", *QUICK)
    process = start(desk, *arguments)
    path = desk / "runs" / "tiny-topics" / "run.sqlite"
    deadline = time.monotonic() + 60
    while not _is_fitting(path, "lora"):
        assert time.monotonic() < deadline, "the run did not come to its second approach"
        assert process.poll() is None, "the run ended before it could be interrupted"
        time.sleep(0.02)
    process.send_signal(sent)
    done = finish(process)
    assert (done.code, done.out) == (code, "")
    said, command = done.err.strip().splitlines()[-2:]
    assert said == "Interrupted. What was finished is kept. To go on:"
    words = shlex.split(command)
    words = words[words.index("run") :]  # Before that stands how this process was started (test_program.py).
    assert words == ["run", "--resume", *arguments[1:]]
    before = _finished_units(path)
    assert len(before) >= 2
    assert call(capsys, *words).code in VERDICTS
    store = Store(path)
    starts, units = store.starts(), set(store.finished())
    store.close()
    assert {name: starts[name] for name in before} == dict.fromkeys(before, 1)
    assert units == set(starts)
    assert sum(starts.values()) == len(starts) + 1, "only the fit that was cut off is done again"


def _is_fitting(path: Path, candidate: str) -> bool:
    return _ask(path, "SELECT 1 FROM units WHERE candidate = ? AND finished IS NULL", candidate) != []


def test_the_command_that_goes_on_can_be_pasted_whatever_was_given() -> None:
    folder = "a folder/" + "long" * 2_000
    given = [
        "run",
        "my task.yaml",
        "--resume",
        "--merge",
        "p 1",
        "--merge=p 2",
        "--out",
        folder,
        "--approach",
        "it's $HOME",
    ]
    line = again.going_on(given)
    assert "\n" not in line
    assert shlex.split(line) == [
        *("advisor", "run", "--resume", "my task.yaml", "--out", folder),
        *("--approach", "it's $HOME"),
    ]
    assert again.going_on(["run", "--", "-t.yaml"]) == "advisor run --resume -- -t.yaml"
    assert again.going_on(["run", "a\x1b[2Jb"]) == "the same command with --resume"


def test_where_nothing_was_begun_nothing_is_said_to_go_on(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    again.say_interrupted(_interrupted_in(tmp_path))
    assert capsys.readouterr().err == "Interrupted.\n"
    (tmp_path / "run.sqlite").touch()
    again.say_interrupted(_interrupted_in(tmp_path))
    assert capsys.readouterr().err.splitlines()[1:] == ["advisor run --resume t.yaml"]


def _interrupted_in(folder: Path) -> BaseException:
    try:
        with again.resumable(["run", "t.yaml"], folder):
            raise KeyboardInterrupt
    except KeyboardInterrupt as error:
        return error


def _finished_units(path: Path) -> list[str]:
    return _ask(path, "SELECT name FROM units WHERE finished IS NOT NULL")


def _ask(path: Path, question: str, *values: str) -> list[str]:
    if not path.exists():
        return []
    with closing(sqlite3.connect(path)) as db:
        try:
            return [row[0] for row in db.execute(question, values)]
        except sqlite3.OperationalError:  # the tables are just being made
            return []


# ---------------------------------------------------------------- what it leaves behind


def test_a_dry_run_writes_nothing(desk: Path, capsys: pytest.CaptureFixture[str]) -> None:
    before = everything(desk)
    done = call(capsys, "run", "task.yaml", "--dry-run")
    assert (done.code, done.out) == (0, "")
    assert "expected: about" in done.err
    assert re.search(
        r"in this process, about [\d,]+ tokens of prompts, [\d,]+ of answers and [\d,]+ of training", done.err
    )
    assert "what this machine costs is unknown: state machine_hour under prices in the task" in done.err
    assert everything(desk) == before
    assert not (desk / "runs").exists()


def test_a_dry_run_says_what_the_machine_costs_for_its_minutes(
    desk: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("benchmarks.costs.forecast.matrix_rate", lambda placement: 1e8)
    with (desk / "task.yaml").open("a", encoding="utf-8") as file:
        file.write("prices: {machine_hour: 60}\n")
    done = call(capsys, "run", "task.yaml", "--dry-run", "--json")
    told = json.loads(done.out)
    assert told["machine_money"] == pytest.approx(told["minutes"])
    assert told["machine_currency"] == "USD"
    (local,) = told["local"]
    assert all(local[key] > 0 for key in ("prompt_tokens", "answer_tokens", "trained_tokens"))
    assert re.search(r"this machine: about \S+ USD for these minutes \(60 an hour, stated for this task\)", done.err)


def test_a_dry_run_downloads_nothing_and_says_what_a_run_would(
    desk: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ADVISOR_CACHE", str(desk / "cache"))
    done = call(capsys, "run", "support-intents", "--dry-run")
    assert (done.code, done.out) == (0, "")
    assert "to download first: smollm2-135m (95 MB), minilm-l6 (" in done.err
    assert "advisor models fetch smollm2-135m minilm-l6" in done.err
    assert {path.name for path in (desk / "cache").rglob("*")} <= {"measured.json"}


def test_a_teacher_on_this_machine_is_among_what_is_to_be_downloaded(
    tmp_path: Path, model_folders: Folders, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ADVISOR_CACHE", str(tmp_path / "cache"))
    models = f"models: [{{name: small, folder: {model_folders.language}}}, smollm2-135m]"
    task = write_task(tmp_path, model_folders, models, "teacher: smollm2-135m")
    done = call(capsys, "run", str(task), "--approach", "prompting @ small", "--dry-run")
    assert (done.code, done.out) == (0, "")
    assert "to download first: smollm2-135m (95 MB)." in done.err


def test_a_long_run_is_told_how_long_the_cores_of_the_machine_take_together(
    desk: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("strategies.models.measured.busy", lambda: False)
    monkeypatch.setattr("benchmarks.costs.forecast.matrix_rate", lambda placement: 5e5 * placement.threads)
    monkeypatch.setenv("ADVISOR_THREADS", "2")
    done = call(capsys, "run", "task.yaml", "--dry-run")
    asked, shared = (int(number) for number in re.findall(r"about (\d+) minutes", done.err))
    assert "with --on processes: about" in done.err
    assert 0.6 * asked < shared < 0.85 * asked
    shared_out = call(capsys, "run", "task.yaml", "--dry-run", "--on", "processes", "--workers", "2")
    assert f"expected on 2 workers: about {shared} minutes (one process: {asked})" in shared_out.err
    assert "with --on processes" not in shared_out.err
    monkeypatch.setattr("benchmarks.costs.forecast.matrix_rate", lambda placement: 1e12 * placement.threads)
    assert "with --on processes" not in call(capsys, "run", "task.yaml", "--dry-run").err


def test_a_long_run_is_asked_for_and_what_less_takes_is_said(
    desk: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("benchmarks.costs.forecast.matrix_rate", lambda placement: 1e6)
    monkeypatch.setenv("ADVISOR_THREADS", "1")
    done = call(capsys, "run", "task.yaml")
    assert done.code == 2
    asked, least = (int(number) for number in re.findall(r"about (\d+) minutes", done.err))
    assert asked > least > 60
    assert f"is expected to take {asked} minutes. Add --yes to start it all the same." in done.err
    assert "with --effort quick --no-second-seed: about" in done.err
    assert not (desk / "runs").exists()
    least_already = call(capsys, "run", "task.yaml", "--effort", "quick", "--no-second-seed")
    assert least_already.code == 2
    assert "fewer --examples or approaches (--approach) take less; --max-hours 1 stops" in least_already.err
    only_quick = call(capsys, "run", "task.yaml", "--effort", "quick")
    assert "\nwith --no-second-seed: about" in only_quick.err
    monkeypatch.setattr("advisor.cli.run._execute", started := Mock(side_effect=KeyboardInterrupt))
    assert call(capsys, "run", "task.yaml", "--max-hours", "1.1").code == 2
    assert not started.called
    call(capsys, "run", "task.yaml", "--max-hours", "0.9")
    assert started.called


def test_a_run_never_leaves_the_folder_for_runs(
    desk: Path, model_folders: Folders, capsys: pytest.CaptureFixture[str]
) -> None:
    write_task(desk, model_folders, 'name: "../../out of/here"')
    assert call(capsys, "run", "task.yaml", *NO_MODEL).code in VERDICTS
    assert [path.name for path in (desk / "runs").iterdir()] == ["out-of-here"]


def test_a_relative_model_folder_lies_beside_the_spec(
    desk: Path, model_folders: Folders, capsys: pytest.CaptureFixture[str]
) -> None:
    write_task(desk / "inner", model_folders, "models: [./weights]")
    shutil.copytree(model_folders.language, desk / "inner" / "weights")
    done = call(capsys, "run", "inner", "--approach", "prompting", "--dry-run")
    assert done.code == 0, done.err
    assert "models: weights on cpu" in done.err


def test_texts_of_cases_are_shown_only_when_asked_for(
    finished: Finished, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    about = json.loads((finished.folder / "run.json").read_text(encoding="utf-8"))["benchmark"]
    heldout = {case["input"] for case in about["heldout"]}
    examples = {case.input for case in tiny.messages(60)} - heldout
    shutil.copytree(finished.folder, tmp_path / "looked-at")
    shown: dict[str, tuple[set[str], set[str]]] = {}
    for choice in ("none", "selection", "wrong", "all"):
        out = tmp_path / f"told-{choice}"
        done = call(capsys, "report", str(tmp_path / "looked-at"), "--cases", choice, "--out", str(out))
        told = [*report_files(out).values(), done.out]
        held, other = ({text for text in texts if any(text in one for one in told)} for texts in (heldout, examples))
        shown[choice] = (held, other)
    assert shown["none"] == (set(), set())
    assert shown["selection"][0] == set(), "held-out cases are shown only when asked for"
    assert shown["all"][0] == heldout
    assert shown["wrong"][0] <= shown["all"][0]
    assert shown["wrong"][1] <= shown["selection"][1] == shown["all"][1]
    assert shown["selection"][1]


def test_a_stored_run_is_told_again_and_scored_again(
    finished: Finished, desk: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    shutil.copytree(finished.folder, desk / "copy")
    before = _figures(call(capsys, "report", "copy", "--json"))
    with closing(sqlite3.connect(desk / "copy" / "run.sqlite")) as db:
        db.execute("UPDATE rows SET score = 1 - score WHERE purpose = 'heldout'")
        db.commit()
    assert _figures(call(capsys, "report", "copy", "--json")) != before
    again = call(capsys, "report", "copy", "--rescore", "--json")
    assert _figures(again) == before
    assert again.code == finished.done.code
    assert _figures(call(capsys, "report", "copy", "--json")) == before, "the new scores are stored"


def _figures(done: Done) -> dict[str, float]:
    return {row["name"]: row["figure"] for row in json.loads(done.out)["facts"]["candidates"]}


def test_a_persons_own_metric_is_found_beside_the_spec_and_kept_with_the_run(
    desk: Path, model_folders: Folders, capsys: pytest.CaptureFixture[str]
) -> None:
    write_task(desk / "inner", model_folders, "metric: mine.py:score")
    code = "def score(input, output, accepted, metadata):\n    return 0.25 + 0.5 * (output in accepted)\n"
    code = f"print('What is printed here')\n{code.replace('return', 'print(1); return')}"
    (desk / "inner" / "mine.py").write_text(code, encoding="utf-8")
    run = call(capsys, "run", "inner/task.yaml", "--out", "mine", "--allow-code", "--json", *NO_MODEL)
    assert run.code in VERDICTS, run.err
    assert "What is printed here" in run.err
    shutil.rmtree(desk / "inner")
    assert call(capsys, "report", "mine").code == 2
    again = call(capsys, "report", "mine", "--rescore", "--allow-code", "--json")
    assert _figures(again) == _figures(run)
    assert 0.25 < _figures(run)["majority"] < 0.75
    assert str(desk) not in (desk / "mine" / "run.json").read_text(encoding="utf-8")


# ---------------------------------------------------------------- tasks by name


def test_check_takes_the_same_tasks_as_run(capsys: pytest.CaptureFixture[str]) -> None:
    from advisor.experiments.comparison import prepare

    done = call(capsys, "check", "support-intents", "--json")
    assert done.code == 0, done.err
    checked = json.loads(done.out)
    benchmark = prepare("support-intents").assembly.benchmark
    assert checked["fingerprint"] == benchmark.fingerprint
    assert checked["counts"]["examples"] == len(benchmark.task.examples)
    assert one_line(checked["task"]) == "support-intents"


def test_check_says_what_to_run_next_beside_its_answer_and_never_in_it(
    desk: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    done = call(capsys, "check", "support-intents")
    assert done.err == "\nNext: advisor run support-intents\n"
    assert "advisor run" not in done.out
    assert call(capsys, "check", "support-intents", "--json").err == ""
    (desk / "my tasks").mkdir()
    for name in ("task.yaml", "rows.jsonl"):
        shutil.copy(desk / name, desk / "my tasks")
    seeded = call(capsys, "check", "my tasks/task.yaml", "--seed", "3", "--allow-code")
    assert seeded.err == "\nNext: advisor run 'my tasks/task.yaml' --seed 3 --allow-code\n"
    assert "Next" not in call(capsys, "check", "task.yaml", "--fix", "sheets").err


def test_a_stored_run_says_how_to_put_it_to_work_as_long_as_nothing_is_changed(
    finished: Finished, desk: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert call(capsys, "run", "task.yaml", "--out", "mine", "--target", "0.02", *NO_MODEL).code == 0
    line = r"To put [a-z ]+ to work: advisor export mine ANOTHER-FOLDER"
    assert re.search(line, " ".join(call(capsys, "report", "mine").err.split()))
    assert "advisor export" not in call(capsys, "report", "mine", "--volume", "90").err
    assert "advisor export" not in call(capsys, "report", str(finished.folder), "--out", "copy").err, (
        "it recommends none"
    )
    shutil.copytree("mine", "rows", ignore=shutil.ignore_patterns("fits"))
    assert "advisor export" not in call(capsys, "report", "rows").err


# ---------------------------------------------------------------- which tasks and runs there are


def test_every_task_that_can_be_named_is_listed(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from benchmarks import tasks

    rows = {row["name"]: row for row in json.loads(call(capsys, "tasks", "--json").out)}
    assert tuple(rows) == tasks.names()
    assert rows["order-extract"]["kind"] == "extraction"
    assert rows["order-extract"]["here"]
    monkeypatch.setenv("ADVISOR_DATA", str(tmp_path / "nowhere"))
    listed = call(capsys, "tasks")
    assert "banking77" in listed.out
    assert listed.err == "To compare the approaches on one: advisor run NAME\n"
    assert not json.loads(call(capsys, "tasks", "--json").out)[list(rows).index("banking77")]["here"]


def test_runs_are_listed_with_what_they_said(
    finished: Finished, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    facts = json.loads((finished.folder / "report.json").read_text(encoding="utf-8"))["facts"]
    (row,) = json.loads(call(capsys, "runs", str(finished.desk), "--json").out)
    assert (row["run"], row["task"], row["verdict"]) == ("first", "tiny topics", facts["verdict"])
    begun = tmp_path / "begun"
    begun.mkdir()
    (begun / "run.json").write_text("{}", encoding="utf-8")
    (begun / "report.json").write_text('{"facts": {"task"', encoding="utf-8")
    (tmp_path / "no-run").mkdir()
    shown = call(capsys, "runs", str(tmp_path)).out
    assert "not told yet" in shown
    assert "no-run" not in shown
    assert "advisor report" not in shown, "of that none can be made"
    assert "no runs" in call(capsys, "runs", str(tmp_path / "no-run")).out
    assert call(capsys, "runs", str(tmp_path / "missing")).code == 2


def test_of_listed_runs_the_report_is_proposed_that_can_be_made(
    finished: Finished, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in ("done", "cut"):
        shutil.copytree(finished.folder, tmp_path / name)
    rows = (tmp_path / "cut" / "run.sqlite").read_bytes()
    (tmp_path / "cut" / "run.sqlite").write_bytes(rows[: len(rows) // 3])
    report = tmp_path / "cut" / "report.json"
    report.write_text(
        re.sub(r'"started": "\d{4}', '"started": "2999', report.read_text(encoding="utf-8")), encoding="utf-8"
    )
    assert f"See one again: advisor report {tmp_path / 'done'}\n" in call(capsys, "runs", str(tmp_path)).out
    (tmp_path / "done" / "report.json").unlink()
    shown = call(capsys, "runs", str(tmp_path)).out
    assert f"See what is measured so far: advisor report {tmp_path / 'done'}\n" in shown
    assert "where --resume is added" in shown
    assert call(capsys, "report", str(tmp_path / "cut")).code == 2
    shutil.rmtree(tmp_path / "done")
    assert "advisor report" not in call(capsys, "runs", str(tmp_path)).out


def test_in_a_narrow_terminal_names_of_runs_stay_whole(
    finished: Finished, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    name = "a-name-of-thirty-two-letters-0.1"
    shutil.copytree(finished.folder, tmp_path / name)
    monkeypatch.setenv("COLUMNS", "40")
    narrow = call(capsys, "runs", str(tmp_path)).out
    assert len(narrow.splitlines()[0]) <= 40
    assert narrow.splitlines()[1].startswith(f"{name} ")
    assert "Too narrow for " in narrow
    assert f"advisor report {tmp_path / name}\n" in narrow
    monkeypatch.setenv("COLUMNS", "140")
    wide = call(capsys, "runs", str(tmp_path)).out
    assert "Too narrow" not in wide
    assert " UTC" in wide


# ---------------------------------------------------------------- answers to new requests


@pytest.mark.parametrize("name", ["majority", "copy nearest", "prompting", "lora"])
def test_new_requests_are_answered_as_in_the_run(
    name: str, finished: Finished, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    heldout = json.loads((finished.folder / "run.json").read_text(encoding="utf-8"))["benchmark"]["heldout"]
    with closing(Store(finished.folder / "run.sqlite")) as store:
        wanted = {row.key: row.outcome for row in store.rows(name, "heldout")}
    requests = tmp_path / "new.jsonl"
    requests.write_text("".join(json.dumps({"text": case["input"]}) + "\n" for case in heldout), encoding="utf-8")
    task = str(finished.desk / "task.yaml")
    done = call(capsys, "predict", str(finished.folder), str(requests), "--candidate", name, "--task", task)
    assert done.code == 0, done.err
    rows = [json.loads(line) for line in done.out.splitlines()]
    assert [row["input"] for row in rows] == [case["input"] for case in heldout]
    assert [row["answer"] for row in rows] == [getattr(wanted[case["id"]], "text", None) for case in heldout]
    assert f"answered by {name}" in done.err


def test_what_cannot_answer_says_what_to_do(
    finished: Finished, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    run, task = str(finished.folder), str(finished.desk / "task.yaml")
    requests = tmp_path / "new.txt"
    requests.write_text("where is my parcel\n\nthe invoice is wrong\n", encoding="utf-8")
    told = call(capsys, "predict", run, str(requests), "--candidate", "majority", "--task", task)
    lines = [json.loads(line) for line in told.out.splitlines()]
    assert [line.get("problem") for line in lines] == [None, "line 2: it is empty", None]
    assert told.code == 2
    refused = {
        "--task task.yaml": (run, str(requests), "--candidate", "lora"),
        "Did you mean 'lora'?": (run, str(requests), "--candidate", "lara", "--task", task),
        "There is no file": (run, str(tmp_path / "missing.csv"), "--candidate", "majority"),
        "holds no run": (str(tmp_path), str(requests)),
    }
    for says, arguments in refused.items():
        done = call(capsys, "predict", *arguments)
        assert done.code == 2
        assert says in done.err
    monkeypatch.setattr("sys.stdin", io.StringIO("where is my\u200b parcel\n"))
    piped = call(capsys, "predict", run, "--candidate", "copy nearest", "--task", task)
    assert json.loads(piped.out)["input"] == "where is my parcel"


def test_every_row_gets_a_line_with_its_id_and_what_cannot_be_read_costs_no_other_its_answer(
    finished: Finished, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Empty rows were dropped or answered, ids were lost, and one null refused a whole file; a row on stdin was taken as text."""
    given = ("predict", str(finished.folder), "--candidate", "copy nearest", "--task", str(finished.desk / "task.yaml"))
    nothing = 'it has no input (column "text")'
    rows = ({"ID": 7, "text": "where is my parcel"}, {"ID": "b", "text": None}, {"ID": "c", "text": "the invoice"})
    files = {
        "new.csv": "uid,text\na,where is my parcel\n,\nb,\nc,  \nd,the invoice\n",
        "new.jsonl": "".join(json.dumps(row) + "\n\n" for row in rows),
        "new.txt": "where is my parcel\n" + json.dumps({"id": 1, "message": "the invoice"}) + "\n",
    }
    wanted = {
        "new.csv": [
            ("a", "where is my parcel", None),
            (None, None, f"line 3: {nothing}"),
            ("b", None, f"line 4: {nothing}"),
            ("c", None, f"line 5: {nothing}"),
            ("d", "the invoice", None),
        ],
        "new.jsonl": [(7, "where is my parcel", None), ("b", None, f"line 3: {nothing}"), ("c", "the invoice", None)],
        "new.txt": [(None, "where is my parcel", None), (1, "the invoice", None)],
    }
    for name, content in files.items():
        (tmp_path / name).write_text(content, encoding="utf-8")
        done = call(capsys, *given, str(tmp_path / name))
        lines = [json.loads(line) for line in done.out.splitlines()]
        assert [(line.get("id"), line["input"], line.get("problem")) for line in lines] == wanted[name]
        assert [line["answer"] is None for line in lines] == ["problem" in line for line in lines]
        unread = sum("problem" in line for line in lines)
        assert done.code == (2 if unread else 0)
        assert (f"{unread} of the requests could not be read; their lines say why" in done.err) == bool(unread)
    bytes_in = b'{"id": 9, "input": "where is my parcel"}\ncaf\xe9\n'
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(bytes_in), encoding="ascii"))
    piped = call(capsys, *given)
    first, second = map(json.loads, piped.out.splitlines())
    assert (first["id"], first["input"], piped.code) == (9, "where is my parcel", 2)
    assert second["problem"] == "line 2: it is not UTF-8, or holds half a character (a lone surrogate)"


def test_where_a_server_gave_no_answer_it_says_so_and_ends_with_1(
    finished: Finished, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "new.txt").write_text("where is my parcel\nthe invoice is wrong\nhello\n", encoding="utf-8")
    outcomes = (
        Prediction(text="parcel"),
        Abstention(reason="not in the documents"),
        Failure(kind="infrastructure", message="status 401"),
    )
    monkeypatch.setattr(
        "advisor.deploy.answering.Answerer.answers", lambda self, texts: zip(texts, outcomes, strict=True)
    )
    arguments = (str(finished.folder), str(tmp_path / "new.txt"), "--candidate", "majority")
    done = call(capsys, "predict", *arguments, "--task", str(finished.desk / "task.yaml"))
    assert done.code == 1
    assert [json.loads(line).get("problem") for line in done.out.splitlines()] == [
        None,
        "not in the documents",
        "status 401",
    ]
    assert "1 of the requests got no answer from the server; their lines say why, as their problem" in done.err


def test_an_answer_says_where_in_a_document_it_stands_as_an_export_does(
    finished: Finished, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    passage = Evidence(document_id="room-Ada", text="Rooms: It has 20 seats.", score=0.9, start=31, end=47)
    example = Evidence(document_id="e007", text="where is my parcel", score=1.0)
    outcomes = (Prediction(text="20", evidence=(passage,)), Prediction(text="parcel", evidence=(example,)))
    monkeypatch.setattr(
        "advisor.deploy.answering.Answerer.answers", lambda self, texts: zip(texts, outcomes, strict=True)
    )
    (tmp_path / "new.txt").write_text("how many seats\nwhere is my parcel\n", encoding="utf-8")
    asked = (str(finished.folder), str(tmp_path / "new.txt"), "--candidate", "majority")
    done = call(capsys, "predict", *asked, "--task", str(finished.desk / "task.yaml"))
    found, near = (json.loads(line)["evidence"] for line in done.out.splitlines())
    assert found == [Passage("room-Ada", 31, 47, passage.text).place]
    assert near == [{"example_id": "e007"}]


def test_without_a_name_it_is_what_the_run_recommends(finished: Finished, capsys: pytest.CaptureFixture[str]) -> None:
    told = json.loads((finished.folder / "report.json").read_text(encoding="utf-8"))["facts"]
    requests = finished.desk / "one.txt"
    requests.write_text("where is my parcel\n", encoding="utf-8")
    done = call(capsys, "predict", str(finished.folder), str(requests), "--task", str(finished.desk / "task.yaml"))
    recommended = told["choice"] or told["safe"]
    if recommended:
        assert f"answered by {recommended}" in done.err
    else:
        assert (done.code, "recommends no approach" in done.err) == (2, True)


@pytest.mark.parametrize("name", ["copy nearest", "lora"])
def test_what_is_exported_answers_alike_and_holds_no_held_out_case(
    name: str, finished: Finished, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    task = str(finished.desk / "task.yaml")
    about = json.loads((finished.folder / "run.json").read_text(encoding="utf-8"))
    requests = tmp_path / "new.jsonl"
    inputs = [case["input"] for case in about["benchmark"]["heldout"]]
    requests.write_text("".join(json.dumps({"input": text}) + "\n" for text in inputs), encoding="utf-8")
    out = tmp_path / "out"
    made = call(capsys, "export", str(finished.folder), str(out), "--candidate", name, "--json")
    assert made.code == 0, made.err
    assert json.loads(made.out) == {"name": name, "folder": str(out), "files": sorted(everything(out))}
    assert f"advisor predict {out} new.csv" in made.err
    here = call(capsys, "predict", str(finished.folder), str(requests), "--candidate", name, "--task", task)
    there = call(capsys, "predict", str(out), str(requests), "--task", task)
    assert there.out == here.out
    assert there.out.count("\n") == len(inputs)
    written = everything(out)
    assert [name for name, content in written.items() if any(text.encode() in content for text in inputs)] == []
    card = (out / "README.md").read_text(encoding="utf-8")
    assert "on 30 held-out cases that it was not shown" in card
    assert ("vllm serve" in card) == (name == "lora")
    again = call(capsys, "export", str(finished.folder), str(out), "--candidate", name)
    assert (again.code, "is there already" in again.err) == (2, True)
    (out / "export.json").write_text('{"places": {"lora": "../../x"}}', encoding="utf-8")
    assert call(capsys, "predict", str(out), str(requests)).code == 2


def test_an_export_says_which_answers_may_stand_alone(
    finished: Finished, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    from advisor.deploy.export import card
    from advisor.experiments.stored import reopen

    out, task = tmp_path / "out", str(finished.desk / "task.yaml")
    assert call(capsys, "export", str(finished.folder), str(out), "--candidate", "lora").code == 0
    values = json.loads((out / "export.json").read_text(encoding="utf-8"))
    heldout = json.loads((finished.folder / "run.json").read_text(encoding="utf-8"))["benchmark"]["heldout"]
    requests = tmp_path / "new.txt"
    requests.write_text("\n".join(case["input"] for case in heldout[:9]), encoding="utf-8")
    sure = [
        json.loads(line)["sure"]
        for line in call(capsys, "predict", str(out), str(requests), "--task", task).out.splitlines()
    ]
    marks = sorted(set(sure))  # They are rounded where they are shown, so the threshold lies between two.
    least = (marks[len(marks) // 2 - 1] + marks[len(marks) // 2]) / 2
    values["kept"]["alone_from"] = {"lora": least}
    (out / "export.json").write_text(json.dumps(values), encoding="utf-8")
    rows = [
        json.loads(line) for line in call(capsys, "predict", str(out), str(requests), "--task", task).out.splitlines()
    ]
    assert [row["alone"] for row in rows] == [row["sure"] >= least for row in rows]
    assert {row["alone"] for row in rows} == {True, False}
    verdict = reopen(finished.folder)
    part = Handover(threshold=0.7, alone=18, of=30, figure=0.9, lower=0.72)
    changed = [
        dataclasses.replace(each, handover=part if each.candidate == "lora" else None) for each in verdict.evaluations
    ]
    text = card(dataclasses.replace(verdict, evaluations=tuple(changed)), "lora", out)
    assert "it answers 60 % of the requests alone and reaches 90 % there, at least 72 %" in text
    assert "a sureness of 0.7 or more" in text


def test_a_gate_fails_what_misses_its_target_or_got_worse(
    finished: Finished, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out, cases = tmp_path / "out", tmp_path / "cases.jsonl"
    about = json.loads((finished.folder / "run.json").read_text(encoding="utf-8"))["benchmark"]
    assert call(capsys, "export", str(finished.folder), str(out), "--candidate", "copy nearest").code == 0

    def gate(rows: Sequence[Mapping[str, str]], *more: str) -> Done:
        cases.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
        return call(capsys, "gate", str(out), str(cases), "--task", str(finished.desk / "task.yaml"), *more)

    held = [{"input": case["input"], "output": case["output"]} for case in about["heldout"]]
    same = json.loads(gate(held, "--json").out)
    with closing(Store(finished.folder / "run.sqlite")) as store:
        scores = [row.score for row in store.rows("copy nearest", "heldout")]
    assert same["figure"] == pytest.approx(sum(scores) / len(scores))
    assert (same["shared"], same["difference"], same["worse"]) == (30, 0.0, False)
    passed = gate(held, "--target", "0.05")
    assert (passed.code, passed.err) == (0, f"To see each answer: advisor predict {out} {cases}\n")
    other = [{**row, "output": about["task"]["labels"][0]} for row in held]
    assert gate(other, "--target", "0.99").code == 100
    moved = gate([{**row, "input": f"{row['input']} (again)"} for row in held], "--target", "0.05")
    assert "0 cases of these were measured before" in moved.out
    assert gate(held[:5]).code == 2
    corrected = [
        {**row, "output": _another(row["output"], about)} if place < 8 else row for place, row in enumerate(held)
    ]
    found = json.loads(gate(corrected, "--json").out)
    assert (found["cases"], found["shared"], found["relabelled"], found["difference"]) == (30, 22, 8, 0.0)
    told = gate(corrected, "--target", "0.05")
    assert "on 22 cases that were measured before" in told.out
    assert "Not compared: 8 cases with another right answer than when it was measured." in told.out
    few = gate([{**row, "output": _another(row["output"], about)} for row in held], "--target", "0.05")
    assert "Only 0 cases of these were measured before by the same right answers, so nothing is compared." in few.out
    no_export = call(capsys, "gate", str(finished.folder), str(cases))
    assert (no_export.code, "is no export" in no_export.err) == (2, True)


def test_a_corrected_key_makes_nothing_worse(
    finished: Finished, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Measured by a key that had every answer of the approach as right, and asked again by a corrected one."""
    out, cases, task = tmp_path / "out", tmp_path / "cases.jsonl", str(finished.desk / "task.yaml")
    about = json.loads((finished.folder / "run.json").read_text(encoding="utf-8"))["benchmark"]
    assert call(capsys, "export", str(finished.folder), str(out), "--candidate", "copy nearest").code == 0
    with closing(Store(finished.folder / "run.sqlite")) as store:
        said = {row.key: text_of(row.outcome) for row in store.rows("copy nearest", "heldout")}
    rows = [{"input": case["input"], "output": case["output"]} for case in about["heldout"]]
    wrong = sum(said[case["id"]] != case["output"] for case in about["heldout"])
    assert wrong >= 8
    cases.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    values = json.loads((out / "export.json").read_text(encoding="utf-8"))
    then = [Case(id="", input=case["input"], output=said[case["id"]]) for case in about["heldout"]]
    keys = [Query.of(case.input).key for case in then]
    assert values["measured"]["inputs"] == sorted(keys)
    values["measured"]["scores"] = dict.fromkeys(map(hash_of_right, then), 1.0)

    def gate() -> dict[str, Any]:
        (out / "export.json").write_text(json.dumps(values), encoding="utf-8")
        done = call(capsys, "gate", str(out), str(cases), "--task", task, "--json")
        return dict(json.loads(done.out))

    knowing = gate()
    assert (knowing["shared"], knowing["relabelled"], knowing["worse"]) == (30 - wrong, wrong, False)


def test_a_gate_says_nothing_where_answers_are_lost(
    finished: Finished, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A server that was down once failed the build as a model that got worse."""
    out, cases = tmp_path / "out", tmp_path / "cases.jsonl"
    about = json.loads((finished.folder / "run.json").read_text(encoding="utf-8"))["benchmark"]
    assert call(capsys, "export", str(finished.folder), str(out), "--candidate", "copy nearest").code == 0
    rows = [{"input": case["input"], "output": case["output"]} for case in about["heldout"]]
    cases.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    lost = Failure(kind="infrastructure", message="server: 503 too busy")
    monkeypatch.setattr(Answerer, "answers", lambda _, inputs: ((text, lost) for text in inputs))
    done = call(capsys, "gate", str(out), str(cases), "--task", str(finished.desk / "task.yaml"))
    assert (done.code, done.out) == (2, "")
    assert "30 of 30 answers were lost to faults outside the approach (503 too busy)" in done.err


def _another(label: str, about: Mapping[str, Any]) -> str:
    return str(next(each for each in about["task"]["labels"] if each != label))


def test_a_cascade_hands_on_what_its_first_part_is_not_sure_of() -> None:
    class Part:
        def __init__(self, answers: dict[str, tuple[str, float]]) -> None:
            self.answers = answers

        def answer(self, queries: Sequence[Query], sampling: Sampling) -> Iterator[tuple[str, Outcome]]:
            for query in queries:
                text, sure = self.answers[query.input]
                yield query.key, Prediction(text=text, probabilities={text: sure, "else": 1 - sure})

        def save(self, folder: Path) -> None: ...

        def describe(self) -> Mapping[str, Any]:
            return {}

    first = Part({"a": ("one", 0.9), "b": ("one", 0.6)})
    second = Part({"b": ("two", 0.8)})
    cascade = Answerer(name="second after first", parts=(first, second), sampling=Sampling(), form={}, below=0.7)
    found = [(text, getattr(outcome, "text", None)) for text, outcome in cascade.answers(["b", "a", "b"])]
    assert found == [("b", "two"), ("a", "one"), ("b", "two")]
