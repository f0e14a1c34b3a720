"""The package as it starts: beside folders of other projects, from its console script, and under the rules of CI."""

from __future__ import annotations

import importlib
import os
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from tests.desk import ROOT, finish, start


def test_a_package_of_another_project_in_the_way_is_said_in_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "benchmarks").mkdir()
    (tmp_path / "benchmarks" / "__init__.py").write_text("raise SystemExit('not ours')\n", encoding="utf-8")
    done = finish(start(tmp_path, "--version"))
    assert (done.code, done.out) == (2, "")
    assert done.err == (
        "The package `benchmarks` is a folder of another project. Start from another folder, or use the installed "
        "`advisor` command in place of `python -m advisor`.\n"
    )


@pytest.mark.parametrize(("place", "kind"), [("benchmarks/__init__.py", "folder"), ("benchmarks.py", "file")])
def test_python_says_it_too_and_names_no_command(tmp_path: Path, place: str, kind: str) -> None:
    (tmp_path / place).parent.mkdir(exist_ok=True)
    (tmp_path / place).write_text("raise SystemExit('not ours')\n", encoding="utf-8")
    script = tmp_path / "compare.py"
    script.write_text("from advisor import advise\n", encoding="utf-8")
    variables = {**os.environ, "PYTHONPATH": str(ROOT)}
    done = subprocess.run([sys.executable, str(script)], env=variables, capture_output=True, text=True, timeout=60)
    assert done.stderr.splitlines()[-1] == (
        f"ImportError: The package `benchmarks` is a {kind} of another project. Start Python in, or put the script into, a "
        "folder that has nothing of that name."
    )


def test_a_plain_folder_of_that_name_is_in_nobodys_way(tmp_path: Path) -> None:
    (tmp_path / "benchmarks").mkdir()
    (tmp_path / "benchmarks" / "notes.txt").write_text("x", encoding="utf-8")
    done = finish(start(tmp_path, "check", "support-intents"))
    assert done.code == 0, done.err
    assert done.out.startswith("support-intents: classification")


def test_the_console_script_starts_what_python_m_starts() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    module, _, name = project["scripts"]["advisor"].partition(":")
    assert module == "advisor.__main__"
    assert callable(getattr(importlib.import_module(module), name))


@pytest.mark.skipif(not (ROOT / ".gitignore").is_file(), reason="this is no clone")
def test_what_the_commands_of_the_front_page_write_is_no_change_of_a_clone() -> None:
    assert {"runs/", "example-report/"} <= {*(ROOT / ".gitignore").read_text(encoding="utf-8").splitlines()}


def test_the_version_is_stated_once_for_package_and_program() -> None:
    import advisor

    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    assert advisor.__version__ == project["version"]


def test_what_the_demo_installs_is_held_to_hashes_of_the_versions_that_the_tests_pass_with() -> None:
    """A user: who says that the index gives me what you have tested? Torch alone is free: its builds differ by machine."""
    from importlib.metadata import requires

    from packaging.requirements import Requirement

    text = (ROOT / "locked.txt").read_text(encoding="utf-8")
    locked = dict(re.findall(r"^([a-z0-9.-]+)==([^ ;]+)", text, re.MULTILINE))
    entries = re.split(r"^(?=[a-z])", text, flags=re.MULTILINE)[1:]
    assert [entry for entry in entries if "--hash=sha256:" not in entry] == []
    pinned = re.findall(r"^([\w.-]+)==(\S+)", (ROOT / "constraints.txt").read_text(encoding="utf-8"), re.MULTILINE)
    named = {re.sub(r"[-_.]+", "-", name).lower(): version for name, version in pinned}
    assert {name: version for name, version in locked.items() if named.get(name, version) != version} == {}
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    wanted = [*project["project"]["dependencies"], *project["build-system"]["requires"]]
    open_, seen = [Requirement(each) for each in wanted], {"torch"}
    while open_:
        name = re.sub(r"[-_.]+", "-", (each := open_.pop()).name).lower()
        if name in seen or (each.marker is not None and not each.marker.evaluate({"extra": ""})):
            continue
        seen.add(name)
        assert name in locked, f"{name} is installed by the demo, and has no hash: run make lock"
        if name in named:  # What builds the package is not installed here.
            open_ += map(Requirement, requires(name) or ())


def test_the_oldest_click_that_is_allowed_has_what_is_taken_from_it() -> None:
    """`ParamType[...]` came with 8.4, `NoArgsIsHelpError` with 8.2."""
    from packaging.requirements import Requirement

    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    (click,) = (each for each in map(Requirement, project["dependencies"]) if each.name == "click")
    assert not any(click.specifier.contains(version) for version in ("8.1.8", "8.3.1"))
    assert click.specifier.contains("8.4.0")


SKIPPING = """
import pytest

def test_without_data():
    pytest.skip("the data is not here")

@pytest.fixture
def browser():
    pytest.skip("no browser")

def test_without_a_browser(browser): ...

@pytest.mark.gpu
def test_without_a_device():
    pytest.skip("no device")

@pytest.mark.xfail(strict=True)
def test_known():
    assert False
"""


@pytest.mark.parametrize(("ci", "wanted"), [("true", "1 skipped, 1 xfailed, 1 error"), ("", "3 skipped, 1 xfailed")])
def test_in_ci_a_skip_is_a_failure_unless_it_waits_for_a_device(ci: str, wanted: str, tmp_path: Path) -> None:
    (tmp_path / "test_skipping.py").write_text(SKIPPING, encoding="utf-8")
    (tmp_path / "conftest.py").write_text("from tests.conftest import *\n", encoding="utf-8")
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-o", "markers=gpu", str(tmp_path)]
    variables = {**os.environ, "CI": ci, "PYTHONPATH": str(ROOT)}
    done = subprocess.run(command, cwd=tmp_path, env=variables, capture_output=True, text=True, timeout=60)
    assert wanted in done.stdout
    assert done.returncode == (1 if ci else 0)
    assert ("In CI nothing may be left out" in done.stdout) is bool(ci)
