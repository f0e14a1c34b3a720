"""Asks an advisory service whether the pinned versions have known vulnerabilities, and fails where one has.

`python .ci/audit.py constraints.txt locked.txt`. Where the service cannot be reached within seconds, or does not answer as one,
nothing is checked, and that is said: a build does not depend on it.
"""

from __future__ import annotations

import argparse
import json
import re
import subprocess
import sys
import tempfile
import urllib.error
import urllib.request
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

TOOL = "pip-audit==2.10.1"
SERVICE = "https://api.osv.dev/v1/query"
KNOWN = {"package": {"name": "pyyaml", "ecosystem": "PyPI"}, "version": "5.3"}
"""A version that lets a file run code (CVE-2020-1747): who knows nothing of it knows nothing."""
REACHED_S, MOST_S = 5, 240
"""How long the service is waited for at first, and how long all of it may take."""
PIN = re.compile(r"^([A-Za-z0-9._-]+)==([^\s;\\]+)", re.MULTILINE)


def main(arguments: Sequence[str] | None = None) -> int:
    """0: nothing known, or nothing could be checked. 1: something is known."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("files", nargs="+", type=Path, help="Files that pin versions.")
    parser.add_argument("--service", default=SERVICE, help="Where the service is asked.")
    parser.add_argument(
        "--tool", nargs="+", help="pip-audit as it is there, in place of one that is installed for once."
    )
    given = parser.parse_args(arguments)
    pinned = [pin for file in given.files for pin in PIN.findall(file.read_text("utf-8"))]
    pins = sorted({f"{re.sub(r'[-_.]+', '-', name).lower()}=={version}" for name, version in pinned})
    if why := unreachable(given.service):
        return skipped(why)
    with tempfile.TemporaryDirectory() as made:
        try:
            tool = given.tool or installed(Path(made))
            found, said = audited(tool, pins, given.service, Path(made))
        except (OSError, subprocess.SubprocessError) as error:
            return skipped(f"pip-audit cannot be installed or takes too long ({type(error).__name__})")
    if found is None:
        return skipped(f"pip-audit did not finish ({said})")
    return told(found, len(pins))


def unreachable(service: str) -> str:
    """Why the service is of no use; empty: it is there, and knows what it has to know."""
    request = urllib.request.Request(service, json.dumps(KNOWN).encode(), {"Content-Type": "application/json"})
    try:
        with urllib.request.urlopen(request, timeout=REACHED_S) as answer:
            values = json.load(answer)
    except (OSError, ValueError) as error:
        return f"{service} cannot be reached ({getattr(error, 'reason', error)})"
    knows = isinstance(values, dict) and values.get("vulns")
    return "" if knows else f"{service} does not answer as an advisory service"


def installed(folder: Path) -> list[str]:
    """pip-audit in an environment of its own, so that it changes none of the versions."""
    subprocess.run([sys.executable, "-m", "venv", str(folder / "venv")], check=True, timeout=MOST_S)
    python = str(folder / "venv" / "bin" / "python")
    subprocess.run([python, "-m", "pip", "install", "--quiet", TOOL], check=True, timeout=MOST_S)
    return [python, "-m", "pip_audit"]


def audited(
    tool: Sequence[str], pins: Sequence[str], service: str, folder: Path
) -> tuple[Sequence[Mapping[str, Any]] | None, str]:
    """What the tool says of each pinned version; None, and its last words, where it came to no end."""
    listed, report = folder / "pins.txt", folder / "found.json"
    listed.write_text("\n".join(pins) + "\n", encoding="utf-8")
    asked = ["--requirement", str(listed), "--no-deps", "--disable-pip", "--vulnerability-service", "osv"]
    asked += ["--osv-url", service, "--format", "json", "--output", str(report), "--progress-spinner", "off"]
    done = subprocess.run([*tool, *asked], capture_output=True, text=True, timeout=MOST_S)
    if not report.is_file():
        return None, " ".join(done.stderr.split())[-200:]
    packages: Sequence[Mapping[str, Any]] = json.loads(report.read_text("utf-8"))["dependencies"]
    return packages, ""


def told(packages: Sequence[Mapping[str, Any]], pinned: int) -> int:
    vulnerable = [(each, one) for each in packages for one in each.get("vulns", ())]
    for each, one in vulnerable:
        names = ", ".join([one["id"], *one.get("aliases", [])])
        fixed = " or ".join(one["fix_versions"]) or "no version yet"
        print(f"{each['name']} {each['version']}: {names}; mended in {fixed}. {one.get('description', '')[:200]}")
    asked = sum("version" in each for each in packages)
    many = "vulnerability" if len(vulnerable) == 1 else "vulnerabilities"
    print(f"{asked} of {pinned} pinned versions were looked up; {len(vulnerable)} known {many}.")
    return 1 if vulnerable else 0


def skipped(why: str) -> int:
    print(f"Not checked for known vulnerabilities: {why}.")
    return 0


if __name__ == "__main__":
    sys.exit(main())
