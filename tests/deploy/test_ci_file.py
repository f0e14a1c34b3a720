"""The workflow that is there to be copied does in a shell what it says: it passes, and it fails where it has to."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.conftest import Folders
from tests.desk import ROOT, write_task

WORKFLOW = ROOT / "examples" / "ci" / "gate.yml"


def steps() -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = yaml.safe_load(WORKFLOW.read_text(encoding="utf-8"))["jobs"]["gate"]["steps"]
    return found


@pytest.fixture(scope="module")
def checkout(tmp_path_factory: pytest.TempPathFactory, model_folders: Folders) -> Path:
    """A repository with an export of the commonest answer, and cases that it was measured on."""
    from advisor import Wishes, advise
    from advisor.deploy.export import export

    folder = tmp_path_factory.mktemp("checkout")
    task = write_task(folder / "desk", model_folders, "target: 0.2")
    advise(task, out=folder / "run", wishes=Wishes(approaches=("majority",), probes="none"))
    export(folder / "run", folder / "ticket-router", "majority")
    cases = json.loads((folder / "run" / "run.json").read_text(encoding="utf-8"))["benchmark"]["heldout"]
    rows = [json.dumps({"input": case["input"], "output": case["output"]}) for case in cases]
    (folder / "heldout.jsonl").write_text("\n".join(rows) + "\n", encoding="utf-8")
    shim = folder / "bin" / "advisor"
    shim.parent.mkdir()
    shim.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m advisor "$@"\n', encoding="utf-8")
    shim.chmod(0o755)
    return folder


def run(checkout: Path, line: str) -> tuple[int, str]:
    """As GitHub runs a step with `shell: bash`."""
    summary = checkout / "summary.md"
    summary.write_text("", encoding="utf-8")
    path = f"{checkout / 'bin'}:{os.environ['PATH']}"
    variables = {**os.environ, "PATH": path, "PYTHONPATH": str(ROOT), "GITHUB_STEP_SUMMARY": str(summary)}
    command = ["bash", "--noprofile", "--norc", "-eo", "pipefail", "-c", line]
    done = subprocess.run(command, cwd=checkout, env=variables, capture_output=True, text=True, timeout=120)
    return done.returncode, summary.read_text(encoding="utf-8")


def test_the_step_passes_and_says_so_on_the_page_of_the_run(checkout: Path) -> None:
    (step,) = [step for step in steps() if "advisor" in step.get("run", "") and "pip" not in step["run"]]
    assert step["shell"] == "bash"
    code, said = run(checkout, step["run"])
    assert code == 0
    assert said.endswith("Passed.\n")


def test_the_step_fails_where_the_choice_got_worse(checkout: Path) -> None:
    (step,) = [step for step in steps() if "advisor gate" in step.get("run", "")]
    cases = checkout / "heldout.jsonl"
    before = cases.read_text(encoding="utf-8")
    rows = [{**json.loads(line), "output": "login"} for line in before.splitlines()]
    answered = json.loads((checkout / "ticket-router" / "parts" / "0" / "constant.json").read_text(encoding="utf-8"))
    assert answered["text"] != "login"
    cases.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    code, said = run(checkout, step["run"])
    cases.write_text(before, encoding="utf-8")
    assert code == 100
    assert said.strip()


def test_nothing_is_installed_by_a_name_that_anybody_could_take() -> None:
    """The product is on no package index yet, so a stranger could upload something under its name."""
    pages = [WORKFLOW, ROOT / "README.md", *(ROOT / "docs").glob("*.md")]
    lines = [line for page in pages for line in re.findall(r"\bpip install [^`\n]*", page.read_text(encoding="utf-8"))]
    assert [line for line in lines if "finetune-advisor" in line] == []
    (installs,) = [step["run"].splitlines() for step in steps() if "pip" in step.get("run", "")]
    assert installs == [
        'git clone https://YOUR-CLONE "$RUNNER_TEMP/advisor"',
        'git -C "$RUNNER_TEMP/advisor" checkout COMMIT',
        'pip install -c "$RUNNER_TEMP/advisor/constraints.txt" "$RUNNER_TEMP/advisor"',
    ]


def test_the_workflow_may_only_read() -> None:
    about = yaml.safe_load(WORKFLOW.read_text(encoding="utf-8"))
    assert about["permissions"] == {"contents": "read"}
    checkouts = [step for step in steps() if step.get("uses", "").startswith("actions/checkout")]
    assert [step["with"]["persist-credentials"] for step in checkouts] == [False]
