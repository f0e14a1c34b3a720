"""Packed runs, the stored example, the plain script of an afternoon, and the tables made from committed rows."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Sequence
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from advisor.experiments.comparison import Wishes, execute, prepare
from advisor.experiments.example import opened as example
from advisor.experiments.stored import reopen
from benchmarks.contract import BadInput
from benchmarks.contract import Row as Answered
from benchmarks.running import machine_load
from benchmarks.running.machine_load import LoadMonitor
from benchmarks.storage.packed import pack, read_lines, unpack, write_lines
from benchmarks.storage.store import Store, UnitResult
from benchmarks.studies import afternoon, bakeoffs
from benchmarks.studies.afternoon import ARMS, Afternoon, _training_row, arms_of, run, train
from benchmarks.studies.afternoon_rows import FILE, Arm, Record, Row
from benchmarks.studies.bakeoff_rows import BakeOff, opened, session_of
from benchmarks.studies.bakeoff_table import BEGIN, END, document, filled, of_story, pages, section, summary
from benchmarks.studies.bakeoffs import MOST_BYTES, export, read_made
from benchmarks.studies.bakeoffs import run as bake
from benchmarks.studies.settings import PACKED, ROOT, ROWS, SETTINGS, Setting
from strategies.answers import sureness
from strategies.contract import Evidence, Prediction
from tests.tiny import FLOAT32, WordHashes, benchmark, model_folder

TASK = "support-intents"
ARM = Arm(arm="copy nearest", placement="cpu", cores=2, fit_seconds=0.0, commit="abc", finished="2026-01-01")
PEFT_ASKS_THE_OLD_NAME = pytest.mark.filterwarnings("ignore:`is_gradient_checkpointing` is deprecated:FutureWarning")


@pytest.fixture(scope="module")
def stored(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A real run of a bundled task, on few cases and with the rungs that need no language model."""
    wishes = Wishes(examples=60, heldout=30, approaches=("majority", "copy nearest", "linear head"))
    prepared = prepare(TASK, wishes)
    prepared.models._embedder = WordHashes()
    folder = tmp_path_factory.mktemp("runs") / TASK
    execute(prepared, folder)
    return folder


# ---------------------------------------------------------------- packed runs


def test_a_packed_run_tells_the_same_as_the_run(stored: Path, tmp_path: Path) -> None:
    pack(stored, tmp_path / "run.gz", made={"effort": "quick"})
    about = unpack(tmp_path / "run.gz", tmp_path / "again")
    assert about["made"] == {"effort": "quick"}
    assert "fits" in about["left_out"]
    first, second = reopen(stored, cases="all"), reopen(tmp_path / "again", cases="all")
    assert first.story == second.story
    assert first.story.facts["candidates"][0]["figure"] is not None
    assert reopen(tmp_path / "again", rescore=True).story == reopen(stored).story


@pytest.mark.parametrize("check", ["planted", "rebuild", "changed", "added", "altered"])
def test_answers_are_as_sure_in_a_packed_run_to_the_last_digit(check: str, stored: Path, tmp_path: Path) -> None:
    """A threshold is the sureness of another answer; rounded, those as sure as it fell below it. What a cascade makes of its
    parts' checks (`evaluation/cascade_checks.py`) went by none at all where what was changed afterwards was asked."""
    shutil.copytree(stored, tmp_path / "run")
    sure = (1 / 3, 1 - 1e-9)
    evidence = tuple(Evidence(document_id="d", text="t", score=score) for score in (sure[1], 0.123449))
    outcomes = (
        Prediction(text="a", probabilities={"a": sure[0], "b": 0.3, "c": 0.3}),
        Prediction(text="a", certainty=sure[1]),
        Prediction(text="a", evidence=evidence),
    )
    rows = tuple(
        Answered(candidate="majority", purpose=purpose, key=f"k{place}", outcome=outcome, score=1.0)
        for purpose in (check, "edit")
        for place, outcome in enumerate(outcomes)
    )
    with closing(Store(tmp_path / "run" / "run.sqlite")) as store:
        store.begin("sure", check, "majority")
        store.finish(UnitResult(unit="sure", kind=check, candidate="majority", rows=rows))
    pack(tmp_path / "run", tmp_path / "run.gz")
    unpack(tmp_path / "run.gz", tmp_path / "again")
    with closing(Store(tmp_path / "again" / "run.sqlite")) as store:
        told = {row.key: row.outcome for row in store.rows("majority", check)}
        assert [sureness(told[f"k{place}"]) for place in range(3)] == [sure[0], sure[1], sure[1]]
        assert [found.score for found in told["k2"].evidence] == [sure[1], 0.1234]  # type: ignore[union-attr]
        assert all(sureness(row.outcome) in (None, 1.0) for row in store.rows("majority", "edit") if row.key in told)


def test_packing_twice_writes_the_same_bytes(stored: Path, tmp_path: Path) -> None:
    pack(stored, tmp_path / "one.gz")
    pack(stored, tmp_path / "two.gz")
    assert (tmp_path / "one.gz").read_bytes() == (tmp_path / "two.gz").read_bytes()


def test_an_unfinished_run_is_not_packed(stored: Path, tmp_path: Path) -> None:
    about = json.loads((stored / "run.json").read_text(encoding="utf-8"))
    about["candidates"].append(about["candidates"][0] | {"name": "lora"})
    (tmp_path / "run.json").write_text(json.dumps(about), encoding="utf-8")
    (tmp_path / "run.sqlite").write_bytes((stored / "run.sqlite").read_bytes())
    with pytest.raises(BadInput, match="is not finished"):
        pack(tmp_path, tmp_path / "run.gz")
    with pytest.raises(BadInput, match="holds no run to pack"):
        pack(tmp_path / "nothing", tmp_path / "run.gz")


def test_a_file_that_is_no_packed_run_is_refused(tmp_path: Path) -> None:
    write_lines(tmp_path / "other.gz", [{"packed": 99}])
    with pytest.raises(BadInput, match="no packed run of version 1"):
        unpack(tmp_path / "other.gz", tmp_path / "again")
    (tmp_path / "broken.gz").write_bytes(b"not gzip")
    with pytest.raises(BadInput, match="cannot be read as gzipped JSON lines"):
        unpack(tmp_path / "broken.gz", tmp_path / "again")


# ---------------------------------------------------------------- the example


def test_the_example_is_a_real_recorded_run() -> None:
    assert (ROOT / "advisor" / "experiments" / "example_run.jsonl.gz").stat().st_size < 300_000
    with example() as folder:
        verdict = reopen(folder)
    assert not folder.exists()
    assert verdict.story.recorded
    assert verdict.story.task == TASK
    families = {each.family for each in verdict.evaluations if each.scores}
    assert {"reference", "prompting", "retrieval", "finetuning", "combined"} <= families
    assert all(len(each.scores) == 300 for each in verdict.evaluations if each.scores)


def test_the_place_that_the_example_is_written_to_is_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    written: list[Path] = []

    def export(folder: Path, file: Path, recorded: bool) -> int:
        written.append(file)
        return 1_000

    monkeypatch.setattr("benchmarks.studies.bakeoffs.export", export)
    bakeoffs.main(["example", str(tmp_path)], standalone_mode=False)
    (file,) = written
    assert capsys.readouterr().err == f"{file.relative_to(ROOT).as_posix()}: 1 KB\n"


def test_the_example_needs_no_model_and_little_time(tmp_path: Path) -> None:
    code = (
        "import sys, resource\n"
        "from advisor.__main__ import main\n"
        "try:\n    main()\nexcept SystemExit:\n    pass\n"
        "heavy = {'torch', 'transformers', 'peft', 'faiss', 'sentence_transformers', 'sklearn'} & set(sys.modules)\n"
        "used = resource.getrusage(resource.RUSAGE_SELF)\n"
        "print(sorted(heavy), used.ru_utime + used.ru_stime, file=sys.stderr)\n"
    )
    command = [sys.executable, "-c", code, "report", "example", "--out", str(tmp_path / "report")]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    heavy, seconds = done.stderr.splitlines()[-1].rsplit(" ", 1)
    assert heavy == "[]"
    assert not list((tmp_path / "report").glob("run.*")), "the example is unpacked elsewhere and goes away"
    assert float(seconds) < 2.5, "the processor seconds of telling the example; its page is there within 2 s"
    assert (tmp_path / "report" / "report.html").is_file()
    assert "Recorded run" in done.stdout


# ---------------------------------------------------------------- the plain script


class Encoder:
    """The word hashes with the one call of sentence-transformers that the script makes."""

    def encode(self, texts: Sequence[str], **_: Any) -> Any:
        return WordHashes().embed(texts)


@pytest.fixture(scope="module")
def work(tmp_path_factory: pytest.TempPathFactory) -> Afternoon:
    place = tmp_path_factory.mktemp("models")
    found = Afternoon(benchmark("qa", examples=20, heldout=10), model_folder(place), place, FLOAT32)
    found.__dict__["embedder"] = Encoder()
    return found


@PEFT_ASKS_THE_OLD_NAME
def test_each_arm_answers_every_case_once_and_is_not_run_again(
    work: Afternoon, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "rows.gz"
    commits = iter(["one", "other"])
    monkeypatch.setattr(afternoon, "commit", lambda: next(commits, "later"))
    run(work, Record.opened(file, work.benchmark), ["copy nearest", "zero-shot"])
    assert [arm.commit for arm in Record.read(file).arms.values()] == ["one", "other"]
    before = file.read_bytes()
    run(work, Record.opened(file, work.benchmark), ["copy nearest", "zero-shot"])
    assert file.read_bytes() == before
    run(work, Record.opened(file, work.benchmark))
    record = Record.read(file)
    assert set(record.arms) == set(ARMS)
    assert list(record.arms)[:2] == ["copy nearest", "zero-shot"]
    for name, rows in record.rows.items():
        assert [row.id for row in rows] == [case.id for case in work.benchmark.heldout], name
        assert all(
            row.score == work.benchmark.metric.score(case, row.text)
            for case, row in zip(work.benchmark.heldout, rows, strict=True)
        )
    tokens = {name: sum(row.prompt_tokens for row in rows) for name, rows in record.rows.items()}
    assert tokens["copy nearest"] == 0 < tokens["zero-shot"] == tokens["lora"]
    assert tokens["lora with passage"] == tokens["nearest passage"] > tokens["zero-shot"]
    assert record.arms["lora"].fit_seconds > 0
    assert json.loads(json.dumps(record.about))["heldout_cases"] == 10


@PEFT_ASKS_THE_OLD_NAME
def test_the_loss_falls_on_the_answer_and_training_learns_it(work: Afternoon) -> None:
    import torch

    ids, labels = _training_row(work, work.prompt("How many?"), "twelve")
    answer = [token for token in labels if token != -100]
    assert work.tokenizer.decode(answer) == "twelve" + work.tokenizer.eos_token
    assert ids[-len(answer) :] == answer
    assert work.tokenizer.decode(ids[: -len(answer)]) == work.prompt("How many?")

    def loss(model: Any) -> float:
        with torch.inference_mode():
            return float(model(input_ids=torch.tensor([ids]), labels=torch.tensor([labels])).loss)

    trained = train(work, [(work.prompt("How many?"), "twelve")] * 64)
    assert loss(trained) < loss(work.model()) - 0.1


def test_passages_are_only_for_tasks_with_documents(work: Afternoon, tmp_path: Path) -> None:
    assert "nearest passage" in arms_of(work.benchmark)
    plain = Afternoon(benchmark("classification"), work.folder, work.embedder_folder, FLOAT32)
    plain.__dict__["embedder"] = Encoder()
    assert "nearest passage" not in arms_of(plain.benchmark)
    with pytest.raises(BadInput, match="there is no arm 'nearest passage' for tiny classification; there are copy"):
        run(plain, Record.opened(tmp_path / "rows.gz", plain.benchmark), ["nearest passage"])


def test_rows_of_other_cases_are_not_gone_on_with(work: Afternoon, tmp_path: Path) -> None:
    run(work, Record.opened(tmp_path / "rows.gz", work.benchmark), ["copy nearest"])
    with pytest.raises(BadInput, match="holds answers on other cases"):
        Record.opened(tmp_path / "rows.gz", benchmark("qa", examples=21, heldout=10))
    write_lines(tmp_path / "other.gz", [{"study": "speed"}])
    with pytest.raises(BadInput, match="holds no rows of an afternoon"):
        Record.read(tmp_path / "other.gz")


def test_what_other_programs_took_is_told_beside_the_seconds(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(machine_load, "STATISTICS", tmp_path / "stat")
    assert LoadMonitor.begin().others() is None
    ours = f"cpu{min(os.sched_getaffinity(0))}"
    tick = os.sysconf("SC_CLK_TCK")
    (tmp_path / "stat").write_text(
        f"cpu 9 9 9\n{ours} {100 * tick} 0 0 5000 0 0 0 0 7000 0\ncpu9999 1 2 3\n", encoding="ascii"
    )
    monitor = LoadMonitor.begin()
    time.sleep(0.2)
    (tmp_path / "stat").write_text(
        f"{ours} {105 * tick} 0 0 9000 0 0 0 0 9000 0\ncpu9999 {800 * tick} 2 3\n", encoding="ascii"
    )
    busy = monitor.others()
    assert busy is not None
    assert 5 / 2 < busy <= 5 / 0.2
    record = Record(file=tmp_path / "rows.gz", about={})
    for name, taken in (("zero-shot", 0.02), ("lora", 1.26), ("copy nearest", None)):
        record.add(replace(ARM, arm=name, others=taken), ())
    assert record.disturbed() == " Other programs ran beside lora (1.3 cores): seconds there are too high."
    assert Record(file=tmp_path / "none.gz", about={}).disturbed() == ""


@pytest.mark.skipif(not machine_load.STATISTICS.is_file(), reason="the system does not say what its processors did")
def test_a_watch_sees_a_busy_program_beside_it() -> None:
    monitor = LoadMonitor.begin()
    with subprocess.Popen([sys.executable, "-c", "while True: pass"]) as beside:
        time.sleep(0.5)
        seen = monitor.others()  # Once it is waited for, its time counts as ours.
        beside.kill()
    assert (seen or 0) > 0.05


@pytest.mark.nightly
@pytest.mark.slow
def test_the_script_copies_well_with_the_real_models(tmp_path: Path) -> None:
    """The nearest example answers most of a hundred messages to a bank, and the model alone none in the right words."""
    found = prepare(TASK, Wishes(heldout=24)).assembly.benchmark
    record = Record.opened(tmp_path / "rows.gz", found)
    run(Afternoon.on(found), record, ["copy nearest", "zero-shot"])
    means = {name: sum(row.score for row in rows) / len(rows) for name, rows in record.rows.items()}
    assert means["copy nearest"] > means["zero-shot"]
    assert means["copy nearest"] >= 0.3


# ---------------------------------------------------------------- the tables


def rows_folder(stored: Path, place: Path, score: float | None) -> Path:
    """The stored run, and a plain script that copies as ours does (None) or is right or wrong throughout."""
    export(stored, place / PACKED.format(TASK))
    with_rows = opened(place)[TASK]
    record = Record.opened(place / FILE.format(TASK), with_rows.benchmark)
    ours = with_rows.evaluation("copy nearest")
    assert ours is not None
    rows = [
        Row(
            arm="copy nearest",
            id=case.id,
            text="x",
            score=given if score is None else score,
            seconds=0.5,
            prompt_tokens=0,
        )
        for case, given in zip(with_rows.benchmark.heldout, ours.scores, strict=True)
    ]
    arm = ARM
    record.add(arm, rows)
    return place


def test_the_tables_name_what_was_not_run_and_invent_nothing(stored: Path, tmp_path: Path) -> None:
    text = document(opened(rows_folder(stored, tmp_path, None)))
    for each in SETTINGS:
        part = text.split(f"\n## {each.task}\n")[1].split("\n## ")[0]
        assert ("not run yet" in part and "%" not in part) == (each.task != TASK)
    ours = text.split(f"\n## {TASK}\n")[1].split("\n## ")[0]
    assert "| linear head |" in ours
    assert "Arms not run yet: zero-shot, 5 random demonstrations, 5 nearest demonstrations and lora." in ours
    assert "60 examples, 30 held-out cases, accuracy, target 60 %" in ours
    assert f"| {TASK} | nothing meets |" in text
    assert "prompting against majority: prompting was not in the run" in text
    assert document({}).count("not run yet") == 3 * len(SETTINGS) + 2


@pytest.mark.parametrize(("score", "told"), [(None, "| 0 points ("), (1.0, "| below |"), (0.0, "| no |")])
def test_the_plain_script_stands_beside_ours(stored: Path, tmp_path: Path, score: float | None, told: str) -> None:
    text = document(opened(rows_folder(stored, tmp_path, score)))
    assert told in text
    claim = "Below the plain script: copy nearest below copy nearest on support-intents, of 1 comparisons."
    assert (claim in text) == (score == 1.0)


def test_rows_on_other_cases_are_not_compared(stored: Path, tmp_path: Path) -> None:
    rows_folder(stored, tmp_path, None)
    lines = list(read_lines(tmp_path / FILE.format(TASK)))
    write_lines(tmp_path / FILE.format(TASK), [lines[0] | {"fingerprint": "another"}, *lines[1:]])
    with pytest.raises(BadInput, match="was measured on other cases than the bake-off"):
        opened(tmp_path)


def test_only_what_is_between_the_markers_of_a_page_is_written(stored: Path, tmp_path: Path) -> None:
    found = opened(rows_folder(stored, tmp_path, None))
    begin, end = BEGIN.format("bake-offs"), END.format("bake-offs")
    text = filled(f"before\n{begin}\nold\n{end}\nafter\n", "bake-offs", summary(found))
    assert text.startswith(f"before\n{begin}\n| task |")
    assert text.endswith(f"{end}\nafter\n")
    assert "old" not in text
    assert filled(text, "bake-offs", summary(found)) == text
    assert "| banking77 | not run yet |" in text
    assert of_story(found, "handbook-qa", "grounding") == "handbook-qa: not run yet."
    with pytest.raises(BadInput, match=r"lacks the lines <!-- bake-offs: written by"):
        filled("no markers", "bake-offs", "")


def test_the_committed_tables_are_what_the_committed_rows_say(committed: dict[str, BakeOff]) -> None:
    for page, text in pages(ROOT, committed).items():
        again = f"{page.name}: run `python -m benchmarks.studies.bakeoffs table`"
        assert page.read_text(encoding="utf-8") == text, again


def test_committed_rows_are_small() -> None:
    sizes = {file.name: file.stat().st_size for file in ROWS.glob("*.gz")}
    assert {name: size for name, size in sizes.items() if size > MOST_BYTES} == {}


def test_a_section_says_of_what_its_examples_were_drawn_and_what_stands_behind_its_commit(
    committed: dict[str, BakeOff],
) -> None:
    assert "600 examples of a sample of 2,999 of the 10,003 published, 300 held-out cases" in section(
        committed["banking77"]
    )
    assert "600 examples, 300 held-out cases" in section(committed["nq_open_oracle"])
    extract = committed["order-extract"]
    assert "commit d27c798412ec;" in section(extract)
    dirty = [{**each, "commit": "d27c798412ec+"} for each in extract.made["sessions"]]
    assert "commit d27c798412ec+ (+: with changes that were not committed);" in section(
        replace(extract, made={**extract.made, "sessions": dirty})
    )
    for found in committed.values():
        if sample := found.setting.sample:
            numbers = [int(case.id.rpartition("-")[2]) for case in found.benchmark.task.examples]
            assert max(numbers) < sample.taken < sample.published


def test_the_committed_bake_offs_have_the_sizes_and_targets_that_were_set(committed: dict[str, BakeOff]) -> None:
    for found in committed.values():
        setting, task = found.setting, found.benchmark.task
        assert setting.examples in (None, len(task.examples))
        assert setting.heldout in (None, len(found.benchmark.heldout))
        assert setting.target in (None, found.benchmark.target)


def test_a_bake_off_goes_through_the_front_door_and_notes_what_it_took(tmp_path: Path) -> None:
    asked = {"effort": "quick", "on": "processes"}
    assert bake(Setting(task="no-such-task"), tmp_path / "nothing", asked) == 2
    assert not (tmp_path / "nothing").exists()
    (tmp_path / "begun").mkdir()
    (tmp_path / "begun" / "run.sqlite").touch()
    assert bake(Setting(task="no-such-task"), tmp_path / "begun", asked) == 2
    assert bake(Setting(task=TASK, target=7.0), tmp_path / "begun", {"effort": "thorough"}) == 2
    made = read_made(tmp_path / "begun")
    assert (made["effort"], made["on"]) == ("quick", "processes"), "a run that was begun goes on as it was begun"
    assert [session["exit"] for session in made["sessions"]] == [2, 2]
    assert session_of(made)[1] is not None
