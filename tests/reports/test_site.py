"""A site over many runs: what its pages say, that nothing in a run acts, and that a thousand are built in one go."""

from __future__ import annotations

import json
import math
import os
import shutil
import time
from pathlib import Path
from typing import Any

import pytest

from advisor.deploy.export import export
from advisor.experiments.compared import Change, Comparison
from advisor.experiments.site import IN_ALL, SIDE_BY_SIDE, build
from advisor.reports import render
from benchmarks.contract import BadInput
from tests.conftest import Folders
from tests.desk import call, write_task
from tests.reports.test_report_browser import browser  # noqa: F401 - a fixture
from tests.reports.test_reports import HOSTILE, Elements
from tests.stories import rich_story


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory, model_folders: Folders) -> Path:
    """Two runs of one task on the same held-out cases, the later with fewer examples."""
    from advisor import Wishes, advise
    from advisor.experiments.report_files import write_reports

    desk = tmp_path_factory.mktemp("desk")
    task = write_task(desk, model_folders)
    for name, examples in (("first", None), ("second run", 20)):
        wishes = Wishes(approaches=("majority", "copy nearest"), probes="none", examples=examples)
        verdict = advise(task, out=desk / "runs" / name, wishes=wishes)
        write_reports(verdict, desk / "runs" / name)
        about = json.loads((desk / "runs" / name / "report.json").read_text(encoding="utf-8"))
        about["facts"]["provenance"]["started"] += name  # Both started within a minute.
        (desk / "runs" / name / "report.json").write_text(json.dumps(about), encoding="utf-8")
    return desk / "runs"


def test_the_index_names_every_run_and_leads_to_its_page(runs: Path, tmp_path: Path) -> None:
    assert build(runs, tmp_path / "site") == 2
    files = {path.name for path in (tmp_path / "site").iterdir()}
    assert files == {"index.html", "0001-first.html", "0002-second-run.html", "compare-0002-second-run.html"}
    index = Elements((tmp_path / "site" / "index.html").read_text(encoding="utf-8"))
    assert {link for link in index.links if link.endswith(".html")} == files - {"index.html"}
    page = (tmp_path / "site" / "0001-first.html").read_text(encoding="utf-8")
    assert page == (runs / "first" / "report.html").read_text(encoding="utf-8")


def test_runs_of_one_task_stand_side_by_side(runs: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    build(runs, tmp_path / "site")
    page = (tmp_path / "site" / "compare-0002-second-run.html").read_text(encoding="utf-8")
    assert "Of 30 examples there are 20 now" in page
    assert "On the 30 held-out inputs that both runs answered" in page
    assert "copy nearest" in page
    assert 'data-label="inputs"' not in page
    figures = {"before": 0.5, "after": 0.5, "low": -0.1, "high": 0.1, "p_value": 1.0}
    changes = tuple(Change(candidate=f"asked {cases}", cases=cases, **figures) for cases in (30, 12))
    monkeypatch.setattr(
        "advisor.experiments.site.compare", lambda *_: Comparison(shared=30, what=(), changes=changes, only=())
    )
    build(runs, tmp_path / "site")
    page = (tmp_path / "site" / "compare-0002-second-run.html").read_text(encoding="utf-8")
    assert 'data-label="inputs">12</td>' in page
    assert "that both runs answered, or those of them that an approach was asked" in page


def test_a_site_is_built_again_in_its_place_and_nothing_else_is_overwritten(runs: Path, tmp_path: Path) -> None:
    out = tmp_path / "site"
    build(runs, out)
    (out / "old.html").write_text("old", encoding="utf-8")
    build(runs, out)
    assert not (out / "old.html").exists()
    mine = tmp_path / "mine"
    mine.mkdir()
    (mine / "index.html").write_text("<h1>My own pages</h1>", encoding="utf-8")
    with pytest.raises(BadInput, match="is no site of runs"):
        build(runs, mine)
    assert (mine / "index.html").read_text(encoding="utf-8") == "<h1>My own pages</h1>"


def test_a_run_that_was_cut_off_or_broken_stands_in_the_index_only(runs: Path, tmp_path: Path) -> None:
    shutil.copytree(runs, tmp_path / "runs")
    (tmp_path / "runs" / "begun").mkdir()
    (tmp_path / "runs" / "begun" / "run.json").write_text("{}", encoding="utf-8")
    (tmp_path / "runs" / "first" / "run.sqlite").write_bytes(b"broken")
    assert build(tmp_path / "runs", tmp_path / "site") == 3
    index = (tmp_path / "site" / "index.html").read_text(encoding="utf-8")
    assert "not told yet" in index
    assert "compare-" not in index


@pytest.mark.parametrize(
    ("place", "value"),
    [
        ("task", ["x"]),
        ("verdict", {"a": 1}),
        ("choice", {"a": 1}),
        ("heldout_cases", "many"),
        ("figure", math.nan),
        ("figure", 10**400),
        ("monthly", {"value": "many", "unit": "USD"}),
    ],
)
def test_a_report_of_a_stranger_with_other_types_cannot_be_read_and_the_others_are_shown(
    place: str, value: Any, runs: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in ("first", "second run"):
        (tmp_path / "runs" / name).mkdir(parents=True)
        for file in ("run.json", "report.json"):
            shutil.copyfile(runs / name / file, tmp_path / "runs" / name / file)
    path = tmp_path / "runs" / "first" / "report.json"
    told = json.loads(path.read_text(encoding="utf-8"))
    measured = {"figure", "monthly"} & {place}
    for changed in told["facts"]["candidates"] if measured else (told["facts"],):
        changed[place] = value
    path.write_text(json.dumps(told), encoding="utf-8")
    assert build(tmp_path / "runs", tmp_path / "site") == 2
    index = (tmp_path / "site" / "index.html").read_text(encoding="utf-8")
    assert index.count("cannot be read") == 1
    assert call(capsys, "runs", str(tmp_path / "runs")).code == 0


def test_a_link_in_a_run_is_neither_published_nor_exported(runs: Path, tmp_path: Path) -> None:
    shutil.copytree(runs, tmp_path / "runs")
    run = tmp_path / "runs" / "first"
    secret = tmp_path / "secret.txt"
    secret.write_text("a key of mine", encoding="utf-8")
    (run / "report.html").unlink()
    (run / "report.html").symlink_to(secret)
    build(tmp_path / "runs", tmp_path / "site")
    assert not [path for path in (tmp_path / "site").iterdir() if "a key of mine" in path.read_text(encoding="utf-8")]
    for fit in (path.parent for path in (run / "fits").glob("*/complete.json")):
        (fit / "notes.txt").symlink_to(secret)
    with pytest.raises(BadInput, match=r"notes\.txt is a link, and an export holds what the run itself holds"):
        export(run, tmp_path / "out", "majority")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["runs", "secret.txt", "site"]


def test_hostile_names_and_texts_make_no_element_and_no_path(tmp_path: Path) -> None:
    folder = tmp_path / "runs" / '<b>..name & "more"\''
    folder.mkdir(parents=True)
    (folder / "run.json").write_text("{}", encoding="utf-8")
    facts = {
        "task": HOSTILE,
        "verdict": HOSTILE,
        "choice": HOSTILE,
        "candidates": [],
        "provenance": {"started": HOSTILE},
    }
    (folder / "report.json").write_text(json.dumps({"facts": facts, "headline": HOSTILE}), encoding="utf-8")
    (folder / "report.html").write_text(render(rich_story(), "html"), encoding="utf-8")
    build(tmp_path / "runs", tmp_path / "site")
    index = Elements((tmp_path / "site" / "index.html").read_text(encoding="utf-8"))
    assert not set(index.tags) & {"script", "img", "svg", "b", "iframe"}
    assert [link for link in index.links if not link.startswith("data:")] == ["0001--b-name-more-.html"]
    assert (tmp_path / "site" / "0001--b-name-more-.html").is_file()


def test_a_thousand_runs_are_built_within_a_minute_and_open_at_once(
    runs: Path,
    tmp_path: Path,
    browser: Any,  # noqa: F811
) -> None:
    """Runs with their pages and answers, of which the newest are compared: about four seconds on a slow core."""
    told = json.loads((runs / "first" / "report.json").read_text(encoding="utf-8"))
    for number in range(1_000):
        folder = tmp_path / "runs" / f"run {number}"
        shutil.copytree(
            runs / "first", folder, copy_function=os.link, ignore=shutil.ignore_patterns("report.json", "fits")
        )
        told["facts"]["provenance"]["started"] = f"2026-11-29 {number:05}"
        (folder / "report.json").write_text(json.dumps(told), encoding="utf-8")
    before = time.monotonic()
    assert build(tmp_path / "runs", tmp_path / "site") == 1_000
    assert time.monotonic() - before < 60
    assert len(list((tmp_path / "site").glob("compare-*.html"))) == SIDE_BY_SIDE
    assert (tmp_path / "site" / "index.html").stat().st_size < 1_000_000
    page = browser.new_page()
    before = time.monotonic()
    page.goto((tmp_path / "site" / "index.html").as_uri())
    assert page.locator("tbody tr").count() == 1_000
    assert time.monotonic() - before < 10
    page.close()


def test_of_many_pairs_the_newest_are_laid_side_by_side_and_the_others_counted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    compared: list[str] = []

    def side_by_side(_: Path, pair: Any) -> None:
        compared.append(pair[1]["run"])

    monkeypatch.setattr("advisor.experiments.site._side_by_side", side_by_side)
    for number in range(120):
        told = {"headline": "", "facts": {"task": f"task {number % 24}", "provenance": {"started": f"{number:04}"}}}
        folder = tmp_path / "runs" / f"run {number}"
        folder.mkdir(parents=True)
        (folder / "run.json").write_text("{}", encoding="utf-8")
        (folder / "report.json").write_text(json.dumps(told), encoding="utf-8")
    build(tmp_path / "runs", tmp_path / "site")
    assert compared == [f"run {number}" for number in range(120 - IN_ALL, 120)]
    pairs = 24 * (120 // 24 - 1)
    assert f"{pairs - IN_ALL} older pairs have no page here" in (tmp_path / "site" / "index.html").read_text("utf-8")


def test_the_command_says_where_the_site_is(runs: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    done = call(capsys, "report", str(runs), "--site", str(tmp_path / "site"))
    assert (done.code, done.out) == (0, "")
    assert "2 runs: " in done.err
    assert "index.html" in done.err


def test_axe_finds_nothing_wrong_with_its_pages(runs: Path, tmp_path: Path, browser: Any) -> None:  # noqa: F811
    from axe_playwright_python.sync_playwright import Axe

    build(runs, tmp_path / "site")
    for name in ("index.html", "compare-0002-second-run.html"):
        for width in (400, 744, 1280):
            page = browser.new_page(viewport={"width": width, "height": 900})
            page.goto((tmp_path / "site" / name).as_uri())
            found = Axe().run(page)
            assert found.violations_count == 0, found.generate_report()
            assert page.evaluate("document.documentElement.scrollWidth") <= width
            page.close()
