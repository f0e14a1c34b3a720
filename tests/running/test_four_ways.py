"""One task in one process, on processes, on Ray and through the engine: the same rows, and the same verdict."""

from __future__ import annotations

from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import psutil
import pytest

from advisor.experiments.comparison import Wishes, advise
from tests import tiny
from tests.conftest import Folders
from tests.desk import write_task
from tests.running.test_run import contents
from tests.running.test_shared_server import Told, open_servers, starts, told  # noqa: F401 - a fixture

NAMES = ("majority", "tf-idf", "prompting", "lora")


@pytest.mark.slow
@pytest.mark.nightly
@pytest.mark.cluster
@pytest.mark.skipif(find_spec("ray") is None, reason="needs Ray, the extra `cluster`")
def test_one_task_in_four_places(
    told: Told,  # noqa: F811
    model_folders: Folders,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("ADVISOR_THREADS", "1")
    plain, engine = (
        f"{{name: tiny, folder: {model_folders.language}}}",
        f"folder: {model_folders.language}, engine: vllm",
    )
    places: Sequence[tuple[str, str, int | None]] = (
        ("here", plain, None),
        ("processes", plain, 2),
        ("ray", plain, 2),
        ("ray", f"{{name: tiny, {engine}}}", 2),
    )
    verdicts: list[Any] = []
    others = set(open_servers())
    for number, (on, model, workers) in enumerate(places):
        folder = tmp_path / str(number)
        task = write_task(folder, model_folders, f"models: [{model}]", cases=tiny.messages(200))
        wishes = Wishes(
            approaches=NAMES, dtype="float32", effort="quick", probes="none", second_seed=False, on=on, workers=workers
        )
        found = advise(task, out=folder / "run", wishes=wishes).recommendation
        verdicts.append(
            (found.verdict, found.choice, sorted((each.candidate, str(each.state)) for each in found.statuses))
        )
    rows = [contents(tmp_path / str(number) / "run") for number in range(3)]
    assert rows[1] == rows[0]
    assert rows[2] == rows[0]
    assert verdicts[1:] == verdicts[:1] * 3
    assert verdicts[0][:2] == ("choose", "tf-idf")
    assert len({state for _, state in verdicts[0][2]}) > 1, "not all come out alike"
    assert len(starts(told())) == 1, "workers on Ray share one server too"
    assert not psutil.pid_exists(starts(told())[0]), (
        "which ends with the run, though Ray kills the children of its workers"
    )
    assert set(open_servers()) <= others, "nothing of it stays"
