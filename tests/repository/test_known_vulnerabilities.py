"""CI asks whether pinned versions have known vulnerabilities: it fails where one has, and nowhere else."""

from __future__ import annotations

import json
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from pytest_httpserver import HTTPServer

from tests.desk import ROOT

PROGRAM = ROOT / ".ci" / "audit.py"
TOOL = """
import json, sys
pins = [line.split("==") for line in open(sys.argv[sys.argv.index("--requirement") + 1]).read().split()]
vulns = [{"id": "PYSEC-1", "aliases": ["CVE-7"], "fix_versions": ["9.9"], "description": "It lets files run code."}]
found = [{"name": name, "version": version, "vulns": vulns if name == "WEAK" else []} for name, version in pins]
with open(sys.argv[sys.argv.index("--output") + 1], "w") as file:
    json.dump({"dependencies": found}, file)
sys.exit(1 if any(each["vulns"] for each in found) else 0)
"""
BROKEN = "import sys\nsys.exit('requests.exceptions.ReadTimeout: no answer')\n"


@pytest.fixture
def service() -> Iterator[HTTPServer]:
    with HTTPServer() as server:
        yield server


def audit(folder: Path, service: str, tool: str = TOOL) -> tuple[int, str]:
    (folder / "constraints.txt").write_text("# Exact.\nNumpy==2.1\nPy_YAML==6.0\n", encoding="utf-8")
    locked = "py-yaml==6.0 ; python_version < '4' \\\n    --hash=sha256:00\nhatchling==1.27 \\\n    --hash=sha256:11\n"
    (folder / "locked.txt").write_text(locked, encoding="utf-8")
    (folder / "tool.py").write_text(tool, encoding="utf-8")
    files = [str(folder / name) for name in ("constraints.txt", "locked.txt")]
    command = [
        sys.executable,
        str(PROGRAM),
        *files,
        "--service",
        service,
        "--tool",
        sys.executable,
        str(folder / "tool.py"),
    ]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert done.stderr == ""
    return done.returncode, done.stdout


def knows(service: HTTPServer, values: Any) -> str:
    service.expect_request("/v1/query", method="POST").respond_with_json(values)
    return service.url_for("/v1/query")


def test_a_known_vulnerability_fails_the_build_and_is_named(service: HTTPServer, tmp_path: Path) -> None:
    address = knows(service, {"vulns": [{"id": "PYSEC-2020-96"}]})
    code, said = audit(tmp_path, address, TOOL.replace("WEAK", "py-yaml"))
    assert code == 1
    assert said.splitlines() == [
        "py-yaml 6.0: PYSEC-1, CVE-7; mended in 9.9. It lets files run code.",
        "3 of 3 pinned versions were looked up; 1 known vulnerability.",
    ]
    assert service.log[0][0].get_json()["version"] == "5.3", "asked first for one that it has to know"


def test_versions_without_any_pass(service: HTTPServer, tmp_path: Path) -> None:
    address = knows(service, {"vulns": [{"id": "PYSEC-2020-96"}]})
    wanted = "3 of 3 pinned versions were looked up; 0 known vulnerabilities.\n"
    assert audit(tmp_path, address) == (0, wanted), "every version of both files once"


def test_a_service_that_cannot_be_reached_is_said_at_once_and_fails_nothing(tmp_path: Path) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    begun = time.monotonic()
    code, said = audit(tmp_path, f"http://127.0.0.1:{port}/v1/query", "raise SystemExit('is not asked')")
    assert code == 0
    assert said.startswith("Not checked for known vulnerabilities: http://127.0.0.1:")
    assert "cannot be reached" in said
    assert time.monotonic() - begun < 20


@pytest.mark.parametrize("values", [{}, [], {"vulns": []}, "hello"])
def test_who_knows_no_old_vulnerability_is_no_advisory_service(
    values: Any, service: HTTPServer, tmp_path: Path
) -> None:
    """A proxy that answers everything would make every version look harmless."""
    code, said = audit(tmp_path, knows(service, values))
    assert (code, "does not answer as an advisory service" in said) == (0, True)


def test_a_page_in_place_of_an_answer_is_none(service: HTTPServer, tmp_path: Path) -> None:
    service.expect_request("/v1/query").respond_with_data("<html>Sign in</html>")
    code, said = audit(tmp_path, service.url_for("/v1/query"))
    assert (code, "cannot be reached" in said) == (0, True)


def test_a_tool_that_gives_up_is_said_with_its_last_words(service: HTTPServer, tmp_path: Path) -> None:
    code, said = audit(tmp_path, knows(service, {"vulns": [{"id": "PYSEC-2020-96"}]}), BROKEN)
    assert code == 0
    assert said == (
        "Not checked for known vulnerabilities: pip-audit did not finish (requests.exceptions.ReadTimeout: no answer).\n"
    )


def test_ci_asks_about_everything_that_is_pinned() -> None:
    recipe = "$(PYTHON) .ci/audit.py constraints.txt locked.txt"
    assert recipe in (ROOT / "Makefile").read_text(encoding="utf-8")
    ci = (ROOT / ".ci" / "run").read_text(encoding="utf-8").splitlines()
    beside, waited = ci.index('make audit > "$log" 2>&1 &'), ci.index('wait "$audited" || found=$?')
    assert beside < waited < ci.index('exit "$found"')
    workflow = yaml.safe_load((ROOT / ".github" / "workflows" / "ci.yml").read_text(encoding="utf-8"))
    assert any("make audit" in step.get("run", "") for step in workflow["jobs"]["audit"]["steps"])
    assert json.dumps(workflow["permissions"]) == '{"contents": "read"}'
