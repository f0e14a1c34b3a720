"""All stored answers as one table: what stands in it, as CSV that no spreadsheet executes and as Parquet."""

from __future__ import annotations

import csv
import shutil
from contextlib import closing
from pathlib import Path

import pyarrow.parquet
import pytest

from advisor.experiments.stored import write_answers
from benchmarks.contract import BadInput, Row
from benchmarks.evaluation.answers_table import COLUMNS
from benchmarks.storage.store import Store, UnitResult
from strategies.contract import Abstention, Evidence, Failure, Outcome, Prediction, Usage
from tests.conftest import Folders
from tests.desk import call, write_task

FORMULA = '=HYPERLINK("http://x.test","click")'


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory, model_folders: Folders) -> Path:
    from advisor import Wishes, advise

    desk = tmp_path_factory.mktemp("desk")
    task = write_task(desk, model_folders)
    advise(task, out=desk / "run", wishes=Wishes(approaches=("majority", "copy nearest"), second_seed=False))
    return desk / "run"


def read(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def test_every_stored_answer_is_a_row_with_its_case(run: Path, tmp_path: Path) -> None:
    count = write_answers(run, tmp_path / "answers.csv")
    rows = read(tmp_path / "answers.csv")
    assert len(rows) == count
    assert tuple(rows[0]) == COLUMNS
    with closing(Store(run / "run.sqlite")) as store:
        stored = {name: list(store.rows(name, "heldout")) for name in store.candidates()}
    for name, wanted in stored.items():
        mine = [row for row in rows if (row["candidate"], row["purpose"]) == (name, "heldout")]
        assert [(row["id"], float(row["score"])) for row in mine] == [(row.key, row.score) for row in wanted]
        assert all((row["answer"] == row["wanted"]) == (float(row["score"]) == 1) for row in mine)
    assert {row["purpose"] for row in rows} == {"heldout", "edit", "repeat"}


def test_parquet_holds_the_same_with_numbers_as_numbers(run: Path, tmp_path: Path) -> None:
    write_answers(run, tmp_path / "answers.csv")
    write_answers(run, tmp_path / "answers.parquet")
    table = pyarrow.parquet.read_table(tmp_path / "answers.parquet")
    assert tuple(table.column_names) == COLUMNS
    assert str(table.schema.field("score").type) == "double"
    texts = [row["answer"] for row in read(tmp_path / "answers.csv")]
    assert table.column("answer").to_pylist() == texts


def test_outcomes_that_are_no_answers_say_what_they_are(run: Path, tmp_path: Path) -> None:
    folder = tmp_path / "run"
    shutil.copytree(run, folder)
    usage = (Usage(model="m", step="answering", prompt_tokens=7, answer_tokens=2, seconds=0.5),)
    evidence = (Evidence(document_id="d1", text="t", score=1.0), Evidence(document_id="d2", text="t", score=0.5))
    with closing(Store(folder / "run.sqlite")) as store:
        keys = [row.key for row in store.rows("majority", "heldout")]
        outcomes: tuple[Outcome, ...] = (
            Prediction(text=FORMULA, usage=usage, evidence=evidence),
            Abstention(reason="unsure"),
            Failure(kind="unparsable", message="no JSON"),
        )
        rows = [
            Row(candidate="other", purpose="heldout", key=key, outcome=outcome, score=0.0)
            for key, outcome in zip(keys, outcomes, strict=False)
        ]
        store.begin("u", "answer", "other")
        store.finish(UnitResult(unit="u", kind="answer", candidate="other", rows=tuple(rows)))
    write_answers(folder, tmp_path / "answers.csv")
    found = {row["outcome"]: row for row in read(tmp_path / "answers.csv") if row["candidate"] == "other"}
    assert found["answered"]["answer"] == f"'{FORMULA}"
    assert (found["answered"]["prompt_tokens"], found["answered"]["seconds"]) == ("7", "0.5")
    assert found["answered"]["documents"] == "d1 d2"
    assert found["abstained"]["answer"] == "unsure"
    assert found["unparsable"]["answer"] == "no JSON"


def test_another_kind_of_file_is_refused(run: Path, tmp_path: Path) -> None:
    with pytest.raises(BadInput, match=r"answers\.xlsx would be neither CSV nor Parquet"):
        write_answers(run, tmp_path / "answers.xlsx")


def test_the_command_writes_answers_and_the_formats_that_are_asked_for(
    run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "out"
    done = call(
        capsys,
        *("report", str(run), "--out", str(out), "--format", "junit", "--format", "json"),
        *("--answers", str(tmp_path / "a.parquet")),
    )
    assert done.code in (0, 100, 101)
    assert sorted(path.name for path in out.iterdir()) == ["report.json", "report.xml"]
    assert "answers: " in done.err
    assert (tmp_path / "a.parquet").exists()
    done = call(capsys, "report", str(run), "--out", str(out), "--answers", str(tmp_path / "a.parquet"))
    assert (done.code, done.out) == (2, "")
    assert "a.parquet exists already and is not replaced" in done.err
    done = call(capsys, "report", str(run), "--out", str(out), "--format", "word")
    assert (done.code, done.out) == (2, "")
    assert "`word` is not a report format" in done.err
