"""One process at a time works in a run folder: a real second one is refused, a killed one leaves nothing in the way."""

from __future__ import annotations

import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from advisor.experiments.comparison import Wishes, advise
from benchmarks.contract import BadInput
from benchmarks.running.run_lock import run_lock

_HOLDER = """
import sys, time
from pathlib import Path
from benchmarks.running.run_lock import run_lock
with run_lock(Path(sys.argv[1])):
    print("here", flush=True)
    time.sleep(600)
"""


@pytest.fixture
def holder(tmp_path: Path) -> Iterator[subprocess.Popen[str]]:
    """Another process that is at work in the folder."""
    command = [sys.executable, "-c", _HOLDER, str(tmp_path)]
    root = Path(__file__).parents[2]
    with subprocess.Popen(command, cwd=root, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "here\n"
        yield process
        process.kill()


def test_the_second_process_is_refused_with_the_number_of_the_first(
    holder: subprocess.Popen[str], tmp_path: Path
) -> None:
    with pytest.raises(BadInput, match=rf"another process \({holder.pid}\) is working in the run folder"):
        advise("support-intents", out=tmp_path, wishes=Wishes(approaches=("majority",)))
    assert not (tmp_path / "run.json").exists()


def test_a_killed_process_leaves_nothing_in_the_way(holder: subprocess.Popen[str], tmp_path: Path) -> None:
    holder.send_signal(signal.SIGKILL)
    holder.wait()
    assert (tmp_path / "run.pid").exists()
    with run_lock(tmp_path):
        pass
    assert not (tmp_path / "run.pid").exists()


def test_a_folder_is_free_again_after_a_fault(tmp_path: Path) -> None:
    with pytest.raises(ZeroDivisionError), run_lock(tmp_path):
        raise ZeroDivisionError
    with run_lock(tmp_path):
        pass
