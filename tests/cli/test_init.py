"""What `advisor init` says of the file that it is given: what `check` would refuse is said at once."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.desk import call

ONE_LABEL = 'Every example has the same output, "spam", so there is nothing to decide.'
FEW = "too few to hold out half of them. Give at least 10, or a file with held-out cases as `heldout:`."


def rows(count: int, *labels: str) -> str:
    return "text,label\n" + "".join(f"request {n * 7919},{labels[n % len(labels)]}\n" for n in range(count))


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (rows(40, "spam"), ONE_LABEL),
        (rows(1, "spam"), ONE_LABEL),
        (rows(2, "ham", "spam"), f"There are 2 examples, {FEW}"),
        (rows(9, "ham", "spam"), f"There are 9 examples, {FEW}"),
    ],
)
def test_what_check_will_refuse_is_said_at_once(
    data: str, said: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """It was said to be written and to be looked at next, and that ended with an error."""
    (tmp_path / "my.csv").write_text(data, encoding="utf-8")
    done = call(capsys, "init", str(tmp_path / "my.csv"))
    assert (done.code, (tmp_path / "task.yaml").is_file()) == (0, True)
    told = done.out.splitlines()[-1]
    assert told.startswith("Written: ")
    assert "will refuse as the data are now" in told
    refused = call(capsys, "check", str(tmp_path / "task.yaml"))
    assert refused.code == 2
    assert said in told
    assert " ".join(refused.err.split()) in told


def test_with_held_out_cases_beside_them_few_examples_are_enough(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "my.csv").write_text(rows(6, "ham", "spam"), encoding="utf-8")
    (tmp_path / "test.csv").write_text(rows(60, "ham", "spam").replace("request", "question"), encoding="utf-8")
    assert "refuse" not in call(capsys, "init", str(tmp_path / "my.csv")).out
    assert call(capsys, "check", str(tmp_path / "task.yaml")).code == 0
