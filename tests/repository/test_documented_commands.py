"""Every command of the documentation is executed, in one folder, as a reader would who follows it from top to bottom."""

from __future__ import annotations

import csv
import json
import random
import re
import shlex
import shutil
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from strategies.contract import Case
from tests import tiny
from tests.conftest import Folders
from tests.desk import ROOT, call
from tests.repository.test_docs import PAGES, commands

pytestmark = [
    pytest.mark.slow,
    # MLflow's own, on the versions of its dependencies, as in tests/reports/test_tracking.py.
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),
    pytest.mark.filterwarnings("ignore::FutureWarning"),
    pytest.mark.filterwarnings("ignore::ResourceWarning"),
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
]

PAGES_FOLLOWED = [page for page in PAGES if page.name not in ("CHANGELOG.md", "ARCHITECTURE.md", "SECURITY.md")]
"""The others speak of commands with words such as RUN in the place of what is given."""
NOT_HERE = {
    "advisor ask": "it asks, and tests/cli/test_ask.py answers",
    "advisor models fetch smollm2-135m minilm-l6": "make demo does it; the tests of the models read what it fetched",
    "advisor models fetch minilm-l6": "a part of that",
    "advisor run task.yaml --on processes": "tests/running/test_interrupted.py, with two workers",
    "advisor run task.yaml --on processes --workers 4": "tests/running/test_executors.py, with two",
    "advisor run task.yaml --on ray:10.0.0.5:6379 --workers 16": "a cluster of one's own",
    "advisor run task.yaml --on ray --workers 4": "tests/running/test_ray.py",
    "advisor run task.yaml --on ray:auto --workers 16 --yes": "tests/running/test_ray.py",
    "advisor run task.yaml --merge parts/1 --merge parts/2 --merge parts/3 --merge parts/4 --out runs/whole": "two parts are "
    "put together by another line; Slurm makes these four",
}
WHOLE = ("advisor --help", "advisor doctor", "advisor models", "advisor runs", "advisor tasks")
"""Commands of two words that are more than the name of one."""
STAND_INS = {
    "support-intents": "task.yaml",
    "banking77": "task.yaml",
    "runs/ticket-routing-1-of-2": "runs/my-1-of-2",
    "runs/ticket-routing-2-of-2": "runs/my-2-of-2",
    "runs/demo": "runs/first",  # `make demo` makes it.
    "runs/cleaned": "runs/support-intents",
    "runs/second": "runs/support-intents",
    "RUN": "runs/first",
    "5": "3",  # Rebuilds; it is a limit of money and of room too.
}
"""Named tasks take their minutes in `make demo` and in the studies; what is done here is done with a small one."""
OWN = Path("runs/my")
"""Where a run of the small task goes that is given no folder."""
TOLD = "runs/first"
"""The run of every approach, which is told of and exported. Each of the others is there for an option: few approaches do."""
FEW, QUICK = ("majority", "linear head", "prompting"), ["--probes", "none", "--no-second-seed"]
PLAIN = ["run", "task.yaml"]
"""What is resumed later, with more to measure."""
ENDS = (0, 100, 101)
"""Every one of these is a verdict."""


def written() -> list[str]:
    """Every command once, in the order in which they need each other."""
    found = dict.fromkeys(line for page in PAGES_FOLLOWED for line in commands(page))
    named = [line for line in found if len(line.split()) == 2 and line not in WHOLE]
    return sorted((line for line in found if line not in NOT_HERE and line not in named), key=_turn)


def _turn(line: str) -> int:
    """What makes something comes before what tells of it."""
    words = line.split()
    if words[1] == "init":
        return 0
    if words[1] == "run":
        plain = line == "advisor run task.yaml"  # The last of its kind: what is resumed afterwards is this one.
        return 7 if "--merge" in words else 6 if "--resume" in words else 3 if "--out" in words else 5 if plain else 4
    if words[1] == "export":
        return 8
    told = {"report", "compare", "judge", "predict", "gate", "runs", "price"}
    return 9 if words[1] in told else 1


def messages(count: int, start: int = 0) -> list[Case]:
    """Messages that say their topic among words of chance: easy, and no two nearly the same."""

    def told(case: Case) -> str:
        dice = random.Random(case.id)
        return " ".join(
            [case.output] * 3 + [f"{dice.choice('bdfgklmnprst')}{dice.randrange(10_000)}" for _ in range(6)]
        )

    return [replace(case, input=told(case)) for case in tiny.messages(count, start)]


def prepared(folder: Path, models: Folders) -> None:
    """What a reader has: a CSV with the columns of the README, requests to answer, cases to hold an export to, and a judge."""
    page = (ROOT / "docs" / "how-to.md").read_text(encoding="utf-8")
    (judge,) = re.findall(r"```python\n(def grade\(.*?)```", page, re.DOTALL)
    (folder / "judge.py").write_text(judge, encoding="utf-8")
    with (folder / "my.csv").open("w", encoding="utf-8", newline="") as file:
        rows = csv.writer(file)
        rows.writerow(["message", "label"])
        rows.writerows([case.input, case.output] for case in messages(90))
    with (folder / "new.csv").open("w", encoding="utf-8", newline="") as file:
        rows = csv.writer(file)
        rows.writerow(["message"])
        rows.writerows([case.input] for case in messages(5, 400))
    (folder / "prices.yaml").write_text("machine_hour: 0.40\n", encoding="utf-8")
    lines = [json.dumps({"input": case.input, "output": case.output}) for case in messages(60, 200)]
    (folder / "heldout.jsonl").write_text("\n".join(lines) + "\n", encoding="utf-8")


def test_every_command_in_the_documentation_does_what_it_is_there_for(
    tmp_path: Path, model_folders: Folders, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    prepared(tmp_path, model_folders)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{tmp_path / 'tracked.db'}")
    wrong, before = {}, set()
    for line in written():
        words = given(shlex.split(line)[1:])
        if tuple(words) in before:  # Two named tasks, and one small one in the place of both.
            continue
        before.add(tuple(words))
        if words[0] == "run" and "--resume" not in words:
            shutil.rmtree(words[words.index("--out") + 1] if "--out" in words else OWN, ignore_errors=True)
        if words[0] == "export":
            shutil.rmtree(words[2], ignore_errors=True)
        done = call(capsys, *words)
        if done.code not in ENDS or "Traceback" in done.err:
            wrong[line] = (done.code, done.err[-600:])
        if line.startswith("advisor init"):
            small(tmp_path, model_folders)
    assert not wrong, "\n".join(f"{line}: {code}\n{said}" for line, (code, said) in wrong.items())


def given(words: Sequence[str]) -> list[str]:
    """The words of a command with a small task in the place of a large one."""
    found = [STAND_INS.get(word, word) for word in words]
    if "--merged" in words:  # There is a model to merge something into, whatever is recommended.
        found += ["--candidate", "lora", "--task", "task.yaml"]
    if words[0] == "run":
        found += ["--effort", "quick"]
        if TOLD not in found:
            whole = words == PLAIN or "--resume" in words
            found += [f"--approach={name}" for name in (FEW if whole else FEW[:2])]
            found += [] if whole else QUICK
    return found


def small(folder: Path, models: Folders) -> None:
    """The proposed task with tiny models, as somebody would name others than the default ones."""
    path = folder / "task.yaml"
    told = path.read_text(encoding="utf-8")
    told = re.sub(r"^target:.*$", "target: 0.6", told, flags=re.MULTILINE)
    path.write_text(f"{told}\nmodels: [{models.language}]\nembedder: {models.embedder}\n", encoding="utf-8")
