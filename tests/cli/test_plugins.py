"""A package of somebody else, installed as any other: it is found, named by `advisor doctor`, and takes part."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from importlib import import_module, reload
from multiprocessing.reduction import ForkingPickler
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest
from pytest_httpserver import HTTPServer
from werkzeug import Request, Response

from advisor.deploy.answering import answerer
from advisor.deploy.export import export
from advisor.experiments.compared import opened
from advisor.experiments.comparison import Prepared, Wishes, execute, prepare
from advisor.experiments.differing import differences
from advisor.experiments.experiment import subject_of
from advisor.experiments.stored import reopen
from advisor.reports import suffix
from benchmarks import metrics
from benchmarks.contract import Answered, BadInput, Metric, ScoreFailure, State
from benchmarks.data.assemble import load
from benchmarks.evaluation.judging import Grading
from benchmarks.metrics import load as load_metric
from benchmarks.running.installed import made
from benchmarks.running.scheduler import NullEvents
from benchmarks.statistics.resampling import resampled_metric
from benchmarks.storage.store import Store
from benchmarks.tasks import find
from strategies.catalog import CannotLoad, plugins
from strategies.contract import Case, Prediction
from tests import tiny
from tests.conftest import Folders
from tests.desk import ROOT, Done, call, finish, start, write_task
from tests.repository.test_docs import blocks

EXAMPLE = ROOT / "examples" / "plugin"
SHAREGPT = "advisor_plugin_example.sharegpt"
ADDED = {
    ("approach", "shared_words"),
    ("metric", "first_line"),
    ("data format", "sharegpt.json"),
    ("dataset", "clinc150"),
    ("model", "our-gateway"),
    ("embedder", "letters"),
    ("report format", "one_line"),
}


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder that the package was installed into by pip, without a network."""
    folder = tmp_path_factory.mktemp("installed")
    source = tmp_path_factory.mktemp("source") / "plugin"
    subprocess.run(["cp", "-r", str(EXAMPLE), str(source)], check=True)
    offline = ("--quiet", "--no-index", "--no-deps", "--no-build-isolation", "--disable-pip-version-check")
    command = [sys.executable, "-m", "pip", "install", *offline, "--target", str(folder), str(source)]
    subprocess.run(command, check=True, capture_output=True, timeout=120)
    return folder


@pytest.fixture
def offered(place: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[pytest.MonkeyPatch]:
    """The package is installed in this process."""
    monkeypatch.syspath_prepend(str(place))
    made.cache_clear()
    yield monkeypatch
    made.cache_clear()


def called(place: Path, folder: Path, *words: str) -> Done:
    return finish(start(folder, *words, environment={"PYTHONPATH": f"{ROOT}:{place}"}))


def test_the_doctor_names_what_is_installed(place: Path, tmp_path: Path) -> None:
    done = called(place, tmp_path, "doctor", "--json")
    assert done.code == 0, done.err
    found = json.loads(done.out)["plugins"]
    assert {(each["kind"], each["name"]) for each in found} == ADDED
    assert {(each["package"], each["fault"]) for each in found} == {("advisor-plugin-example 0.1.0", "")}


def test_what_cannot_be_loaded_is_named_and_stops_only_what_needs_it(
    tmp_path: Path, model_folders: Folders, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    info = tmp_path / "broken-3.1.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: broken\nVersion: 3.1\n", encoding="utf-8")
    points = (
        "[finetune_advisor.approaches]\nmissing = no_such_module\n[finetune_advisor.reports]\nodd = no_such_module\n"
    )
    (info / "entry_points.txt").write_text(points, encoding="utf-8")
    monkeypatch.syspath_prepend(str(tmp_path))
    why = "ModuleNotFoundError: No module named 'no_such_module'"
    assert {each.name: each.fault for each in plugins() if each.package == "broken 3.1"} == {"missing": why, "odd": why}
    (tmp_path / "rows.csv").write_text("input,output\n" + "a,b\n" * 12, encoding="utf-8")
    assert call(capsys, "init", str(tmp_path / "rows.csv")).code == 0
    run = call(capsys, "run", "support-intents", "--dry-run")
    assert run.code == 2
    assert run.err.startswith(f"The approach missing of the package broken 3.1 cannot be loaded ({why}). Correct")
    (info / "entry_points.txt").rename(tmp_path / "aside")
    task = write_task(tmp_path, model_folders)
    headline = execute(prepare(task, Wishes(approaches=("majority",), probes="none")), tmp_path / "run").story.headline
    (tmp_path / "aside").rename(info / "entry_points.txt")
    assert reopen(tmp_path / "run").story.headline == headline
    asked = (str(tmp_path / "run"), str(tmp_path / "rows.jsonl"), "--candidate", "majority")
    assert call(capsys, "predict", *asked).code == 0
    with pytest.raises(BadInput, match="The approach missing of the package broken 3"):
        prepare(task)


BLIND = "a metric is a class with score(case, text), or a function, and this is <class 'odd_half.Blind'>"


def test_what_a_plug_in_lacks_or_calls_as_another_does_is_said_with_its_package(
    tmp_path: Path, model_folders: Folders, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    points = "[finetune_advisor.approaches]\nown = {}\n[finetune_advisor.reports]\nhalf = odd_half\n"
    points += "[finetune_advisor.metrics]\nblind = odd_half:Blind\n"
    site = tmp_path / "site"
    write_package(site, "odd", points.format("odd_words:SharedWords"))
    (site / "odd_half.py").write_text("def render(story): return ''\nclass Blind: ...\n", encoding="utf-8")
    (site / "odd_twin.py").write_text((ROOT / "strategies" / "approaches" / "majority.py").read_text(encoding="utf-8"))
    shared = (EXAMPLE / "advisor_plugin_example" / "shared_words.py").read_text(encoding="utf-8")
    (site / "odd_words.py").write_text(shared.replace("(SharedWords(),)", "(SharedWords,)"), encoding="utf-8")
    monkeypatch.syspath_prepend(str(site))
    for name in ("odd_half", "odd_twin", "odd_words"):
        monkeypatch.delitem(sys.modules, name, raising=False)
    task = write_task(tmp_path, model_folders)

    def faults() -> dict[str, str]:
        return {each.name: each.fault for each in plugins() if each.package == "odd 1"}

    assert faults() == {
        "own": "AttributeError: type object 'SharedWords' has no attribute 'CANDIDATES'",
        "half": "AttributeError: module 'odd_half' has no attribute 'SUFFIX'",
        "blind": f"TypeError: {BLIND}",
    }
    with pytest.raises(
        CannotLoad, match=re.escape(f"The metric blind of the package odd 1 cannot be loaded (TypeError: {BLIND}")
    ):
        metrics.load("blind")
    run = call(capsys, "run", str(task), "--dry-run")
    assert (run.code, run.err.startswith("The approach own of the package odd 1 cannot be loaded (Attr")) == (2, True)
    with pytest.raises(CannotLoad, match="The report format half of the package odd 1 cannot be loaded"):
        suffix("half")
    (site / "odd-1.dist-info" / "entry_points.txt").write_text(points.format("odd_words"), encoding="utf-8")
    assert faults()["own"].startswith("TypeError: CANDIDATES has to hold approaches, and holds <class 'odd_words.")
    (site / "odd-1.dist-info" / "entry_points.txt").write_text(points.format("odd_twin"), encoding="utf-8")
    with pytest.raises(
        BadInput, match=r"^An approach 'majority' comes with odd 1, and there is another one of that name"
    ):
        prepare(task, Wishes(probes="none"))


def test_an_installed_approach_that_raises_ends_alone(
    tmp_path: Path, model_folders: Folders, monkeypatch: pytest.MonkeyPatch
) -> None:
    """On a held-out request, which no fit sees: nothing more of it is begun, and the others get their verdicts."""
    site, broken = tmp_path / "site", 'assert "thunder" not in query.input, "no thunder"'
    write_package(site, "fragile", "[finetune_advisor.approaches]\nown = fragile_words\n")
    shared = (EXAMPLE / "advisor_plugin_example" / "shared_words.py").read_text(encoding="utf-8")
    line = "            words = set("
    (site / "fragile_words.py").write_text(shared.replace(line, f"            {broken}\n{line}"), encoding="utf-8")
    monkeypatch.syspath_prepend(str(site))
    monkeypatch.delitem(sys.modules, "fragile_words", raising=False)
    task = write_task(tmp_path, model_folders, "heldout: heldout.jsonl")
    rows = [{"input": f"{case.input}, thunder", "output": case.output} for case in tiny.messages(40, start=60)]
    (tmp_path / "heldout.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    begun: list[tuple[str, str]] = []
    monkeypatch.setattr(NullEvents, "started", lambda _, unit, *__: begun.append((unit.candidate, unit.kind)))
    for _ in range(2):  # The second time as a run that goes on.
        prepared = prepare(task, Wishes(approaches=("majority", "shared words"), second_seed=False))
        verdict = execute(prepared, tmp_path / "run")
        found = {each.candidate: each for each in verdict.evaluations}
        assert found["shared words"].state is State.INVALID
        said = (
            "answering failed in the package fragile 1 with AssertionError: no thunder; resuming the run tries it again"
        )
        assert found["shared words"].problem == said
        assert found["majority"].figure == 0.25
        assert found["majority"].left == found["shared words"].left == ()
    assert [kind for name, kind in begun if name == "shared words"] == ["fit", "answer", "answer"]


def write_package(folder: Path, name: str, points: str) -> None:
    """What an installed package of version 1 leaves in a folder beside its modules."""
    info = folder / f"{name.replace('-', '_')}-1.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1\n", encoding="utf-8")
    (info / "entry_points.txt").write_text(points, encoding="utf-8")


ODD = """
class Model:
    name, fingerprint, context_tokens, local, licence = "{name}", "1", 100, True, "MIT"
    def count(self, prompt): return 1
    def cut(self, text, tokens): return text
    def {does}(self, *_): raise RuntimeError
    def __init__(self): {begins}
"""


@pytest.mark.parametrize(
    ("given", "says"),
    [
        (
            ODD.format(name="odd", does="generate", begins="raise KeyError('who')"),
            "could not be made (KeyError: 'who')",
        ),
        (ODD.format(name="even", does="generate", begins="pass"), "calls itself 'even'. Give both the same name."),
        (ODD.format(name="odd", does="dance", begins="pass"), "lacks what one has to have."),
        ("", "of the package strange 2 cannot be loaded (AttributeError"),
        (ODD.format(name="odd", does="generate", begins="pass"), "The model odd comes under MIT, and the task allows"),
    ],
)
def test_what_is_wrong_with_an_installed_model_is_one_sentence(
    given: str, says: str, tmp_path: Path, model_folders: Folders, monkeypatch: pytest.MonkeyPatch
) -> None:
    info = tmp_path / "strange-2.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: strange\nVersion: 2\n", encoding="utf-8")
    (info / "entry_points.txt").write_text("[finetune_advisor.models]\nodd = strange_model:Model\n", encoding="utf-8")
    (tmp_path / "strange_model.py").write_text(given, encoding="utf-8")
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.delitem(sys.modules, "strange_model", raising=False)
    made.cache_clear()
    task = write_task(tmp_path, model_folders, "models: [odd]", "constraints: {licences: [Apache-2.0]}")
    with pytest.raises(BadInput) as caught:
        prepare(task)
    assert says in str(caught.value)
    made.cache_clear()


def test_an_installed_format_approach_and_metric_take_part_in_a_run(
    place: Path, tmp_path: Path, model_folders: Folders
) -> None:
    task = write_task(
        tmp_path,
        model_folders,
        "examples: chats.sharegpt.json",
        "metric: first_line",
        "kind: classification",
    )
    turns = [
        {
            "id": case.id,
            "conversations": [
                {"from": "system", "value": "Be short."},
                {"from": "human", "value": case.input},
                {"from": "gpt", "value": case.output},
                {"from": "human", "value": f"And {case.input}"},
                {"from": "gpt", "value": case.output},
            ],
        }
        for case in tiny.messages(40)
    ]
    (tmp_path / "chats.sharegpt.json").write_text(json.dumps(turns), encoding="utf-8")
    options = ("--approach", "shared words", "--approach", "majority", "--probes", "none", "--no-second-seed", "--yes")
    run = called(place, tmp_path, "run", task.name, "--out", "run", *options)
    assert run.code in (0, 100, 101), run.err
    about = json.loads((tmp_path / "run" / "report.json").read_text(encoding="utf-8"))["facts"]
    assert about["metric"] == "first_line"
    assert about["examples"] + about["heldout_cases"] == 80
    assert {each["name"] for each in about["candidates"]} == {"shared words", "majority"}
    told = called(place, tmp_path, "report", "run", "--format", "one_line")
    assert told.code == run.code
    line = (tmp_path / "run" / "report.line.txt").read_text(encoding="utf-8")
    assert line.startswith("tiny topics: ")
    assert line.count("\n") == 1


def test_an_edited_approach_is_another_in_looks_and_in_a_run_that_goes_on(
    tmp_path: Path, model_folders: Folders, monkeypatch: pytest.MonkeyPatch
) -> None:
    package, info = tmp_path / "site" / "own_words", tmp_path / "site" / "own_words-1.dist-info"
    shutil.copytree(EXAMPLE / "advisor_plugin_example", package)
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: own-words\nVersion: 1\n", encoding="utf-8")
    (info / "entry_points.txt").write_text("[finetune_advisor.approaches]\nown = own_words.shared_words\n")
    monkeypatch.syspath_prepend(str(tmp_path / "site"))
    task = write_task(tmp_path, model_folders)

    def prepared(*names: str, fork: Path | None = None) -> Prepared:
        """As in a process of its own."""
        for name in [name for name in sys.modules if name.partition(".")[0] == "own_words"]:
            del sys.modules[name]
        return prepare(task, Wishes(approaches=names, probes="none", second_seed=False, fork=fork))

    first = prepared("shared words", "majority")
    named = first.experiment, subject_of(first)
    execute(first, tmp_path / "first")
    (package / "__pycache__").mkdir(exist_ok=True)
    (package / "__pycache__" / "letters.cpython-399.pyc").write_bytes(b"1")
    ours, same = prepared("majority"), prepared("shared words", "majority")
    plain = ours.experiment
    assert (same.experiment, subject_of(same)) == named
    execute(same, tmp_path / "first")
    with (package / "letters.py").open("a", encoding="utf-8") as helper:
        helper.write("\n# Edited.\n")
    edited = prepared("shared words", "majority", fork=tmp_path / "first")
    assert edited.experiment != named[0]
    assert subject_of(edited) != named[1]
    assert edited.assembly.benchmark.look.number == 2
    with pytest.raises(BadInput, match="was made with code of added approaches of the hash"):
        execute(edited, tmp_path / "first")
    begun: list[tuple[str, str]] = []
    monkeypatch.setattr(NullEvents, "started", lambda _, unit, *__: begun.append((unit.candidate, unit.kind)))
    execute(edited, tmp_path / "second")
    assert begun == [("shared words", "fit"), ("shared words", "answer")], "what is ours is taken over"
    runs = [opened(tmp_path / name) for name in ("first", "second")]
    assert differences(*runs) == ("The code of shared words is another.",)
    assert prepared("majority").experiment == plain
    assert "foreign_code" not in ours.run(tmp_path / "ours").identity()


EXACT = """
from dataclasses import dataclass
from typing import ClassVar
from benchmarks.metrics._base import EVERY_KIND, OfCases

@dataclass(frozen=True, kw_only=True)
class Exact(OfCases):
    name: ClassVar[str] = "own_score"
    kinds: ClassVar[frozenset[str]] = EVERY_KIND
    graded: ClassVar[bool] = False
    def score(self, case, text): return float(text == case.output)

class Bare:
    def score(self, case, text): return Exact().score(case, text)

def share(input, output, accepted, metadata): return float(output in accepted)

METRIC = Exact
"""


@pytest.mark.parametrize("offers", ["own_score:Bare", "own_score:share", ""])
def test_an_edited_metric_gives_no_scores_beside_those_of_the_one_before_it(
    offers: str,
    tmp_path: Path,
    model_folders: Folders,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """A class with nothing but `score`, a function and a file among our own, edited and loaded again as in a notebook."""
    write_package(tmp_path / "site", "own-score", f"[finetune_advisor.metrics]\nown_score = {offers}\n" * bool(offers))
    source, module = tmp_path / "site" / "own_score.py", "own_score" if offers else "benchmarks.metrics.own_score"
    source.write_text(EXACT, encoding="utf-8")
    monkeypatch.syspath_prepend(str(source.parent))
    monkeypatch.setattr(metrics, "__path__", [*metrics.__path__, *([] if offers else [str(source.parent)])])
    monkeypatch.delitem(sys.modules, module, raising=False)
    task = write_task(tmp_path, model_folders, "metric: own_score", "kind: classification")

    def prepared(fork: Path | None = None) -> Prepared:
        return prepare(task, Wishes(approaches=("majority",), probes="none", second_seed=False, fork=fork))

    first = prepared()
    experiment = first.experiment
    execute(first, tmp_path / "first")
    with closing(Store(tmp_path / "first" / "run.sqlite")) as store:
        known = store.meta("identity")
        store.set_meta("identity", {key: known[key] for key in known if key != "metric_code"})
    execute(prepared(), tmp_path / "first")  # As an earlier version stored it.
    with closing(Store(tmp_path / "first" / "run.sqlite")) as store:
        store.set_meta("identity", known)
        grading = Grading(judge=first.assembly.benchmark.metric, name="own_score", answers=(), store=store)
    judge, same = grading.identity, prepared().assembly.benchmark.metric
    assert (replace(grading, judge=same).identity, same) == (judge, grading.judge)
    source.write_text(EXACT + "\n# Edited.\n", encoding="utf-8")
    unloaded = prepared().run(tmp_path / "unloaded").identity()["metric_code"]
    reload(import_module(module))
    edited = prepared(fork=tmp_path / "first")
    if offers:
        assert judge != replace(grading, judge=edited.assembly.benchmark.metric).identity
    assert len({known["metric_code"], unloaded, edited.run(tmp_path / "x").identity()["metric_code"]}) == 3
    assert (edited.experiment != experiment) == bool(offers)
    assert edited.assembly.benchmark.look.number == (2 if offers else 1)
    with pytest.raises(BadInput, match="was made with a metric whose code has the hash"):
        execute(edited, tmp_path / "first")
    reopen(tmp_path / "first", rescore=True)
    with closing(Store(tmp_path / "first" / "run.sqlite")) as store:
        now = store.meta("identity")["metric_code"]
        store.set_meta("identity", known)
    assert now == edited.run(tmp_path / "x").identity()["metric_code"], "what is scored anew goes on by that code"
    execute(edited, tmp_path / "second")
    assert "nothing is taken over from first: its metric's code was another" in caplog.text
    told = "The code of the metric is another; both runs are scored by own_score as it is now."
    assert differences(*(opened(tmp_path / name) for name in ("first", "second"))) == (told,)


@pytest.mark.parametrize(
    ("scores", "says"),
    [
        ("1 / 0", r"raised ZeroDivisionError on case m\d+: division by zero"),
        ("100.0 * (text == case.output)", r"gave 100\.0 for case m\d+, and a score is a number in \[0, 1\]"),
        ("float('nan')", r"gave nan for case m\d+, and a score is a number in \[0, 1\]"),
        ("None", r"gave None for case m\d+, and a score is a number in \[0, 1\]"),
    ],
)
def test_a_fault_of_a_metric_is_not_put_down_to_an_approach(
    scores: str, says: str, tmp_path: Path, model_folders: Folders, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The run ends with one sentence that names it, and nothing of the unit is stored."""
    write_package(tmp_path / "site", "own-score", "[finetune_advisor.metrics]\nown_score = own_score:Exact\n")
    source = EXACT.replace("return float(text == case.output)", f"return {scores}")
    (tmp_path / "site" / "own_score.py").write_text(source, encoding="utf-8")
    monkeypatch.syspath_prepend(str(tmp_path / "site"))
    monkeypatch.delitem(sys.modules, "own_score", raising=False)
    task = write_task(tmp_path, model_folders, "metric: own_score", "kind: classification")
    prepared = prepare(task, Wishes(approaches=("majority",), probes="none", second_seed=False))
    with pytest.raises(ScoreFailure, match=f"^The metric own_score of the package own-score 1 {says}$"):
        execute(prepared, tmp_path / "run")
    with closing(Store(tmp_path / "run" / "run.sqlite")) as store:
        assert store.finished() == {}


HALF = """
from dataclasses import dataclass

@dataclass(frozen=True)
class Within:
    characters: int
    def score(self, case, text): return float(len(text) <= self.characters)

class Other:
    name = "another"
    def score(self, case, text): return 1.0

class Key:
    def __init__(self): raise KeyError("who")
    def score(self, case, text): return 1.0
"""


def test_a_metric_with_only_a_score_has_what_is_usual_and_comes_whole_to_a_worker(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    points = "[finetune_advisor.metrics]\nwithin = half_score:Within\nother = half_score:Other\nkey = half_score:Key\n"
    write_package(tmp_path, "half-score", points)
    (tmp_path / "half_score.py").write_text(HALF, encoding="utf-8")
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.delitem(sys.modules, "half_score", raising=False)
    within = metrics.load("within", {"characters": 3})
    assert (within.name, sorted(within.kinds), within.graded, within.over_rows) == (
        "within",
        ["classification", "extraction", "generation", "qa"],
        True,
        False,
    )
    case = tiny.messages(1)[0]
    rows = [Answered(case=case, text=text, score=within.score(case, text)) for text in ("a", "ab", "abcd", "abcde")]
    assert within.summarise(rows) == 0.5
    assert ForkingPickler.loads(ForkingPickler.dumps(within)) == within != metrics.load("within", {"characters": 4})
    with pytest.raises(BadInput, match="The metric within needs the parameter `characters`"):
        metrics.load("within")
    with pytest.raises(BadInput, match="The metric other of the package half-score 1 calls itself 'another'"):
        metrics.load("other")
    with pytest.raises(
        BadInput, match=r"The metric key of the package half-score 1 could not be made \(KeyError: 'who'\)"
    ):
        metrics.load("key")


def test_an_installed_model_and_embedder_are_named_in_a_task_and_have_their_price(
    offered: pytest.MonkeyPatch,
    tmp_path: Path,
    model_folders: Folders,
    httpserver: HTTPServer,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """The gateway answers with the topic of the last word that it knows."""

    def says(request: Request) -> Response:
        asked = json.loads(request.data)["turns"][-1][1]
        last = {topic: max(asked.rfind(word) for word in words) for topic, words in tiny.TOPICS.items()}
        return Response(json.dumps({"says": max(last, key=last.__getitem__)}))

    httpserver.expect_request("/answer").respond_with_handler(says)
    offered.setenv("GATEWAY", httpserver.url_for("/answer"))
    offered.chdir(tmp_path)
    named = "models: [{name: our-gateway, input_per_million: 1, output_per_million: 2}]"
    write_task(tmp_path, model_folders, named, "embedder: letters", "prices: {machine_hour: 1}")
    options = [f"--approach={name}" for name in ("prompting", "lora", "linear head")]
    options += ["--effort", "quick", "--no-second-seed", "--probes", "none", "--yes", "--json"]
    run = call(capsys, "run", "task.yaml", "--out", "run", *options)
    assert run.code in (0, 100, 101), run.err
    found = {each["name"]: each for each in json.loads(run.out)["facts"]["candidates"]}
    assert found["lora"]["state"] == "cannot run"
    assert found["prompting"]["figure"] > 0.9
    assert found["linear head"]["figure"] > 0.35
    assert {found[name]["monthly"]["unit"] for name in ("prompting", "linear head")} == {"USD"}
    assert len(httpserver.log) > 30
    for name, why in (
        ("prompting", "it asks our-gateway, which comes"),
        ("linear head", "its vectors are those of an"),
    ):
        assert call(capsys, "export", "run", name, "--candidate", name).code == 0
        card = (tmp_path / name / "README.md").read_text(encoding="utf-8")
        assert f"nothing here answers, since {why}" in card
        done = call(capsys, "predict", name, "rows.jsonl")
        assert {json.loads(line)["answer"] for line in done.out.splitlines()} <= set(tiny.TOPICS), done.err


def test_an_installed_dataset_is_downloaded_once_and_run_by_its_name(
    offered: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    offered.setenv("ADVISOR_CACHE", str(tmp_path))
    offered.delenv("ADVISOR_DATA", raising=False)
    rows = {
        part: [[f"{part} {number}", f"intent {number % 150}"] for number in range(count)]
        for part, count in (("train", 7_500), ("test", 4_500))
    }
    asked: list[str] = []

    def get(address: str) -> bytes:
        asked.append(address)
        return json.dumps(rows | {"oos_test": [["anything", "oos"]]}).encode()

    offered.setattr("benchmarks.tasks.dataset.get", get)
    shown = {"name": "clinc150", "kind": "classification", "from": "clinc/oos-eval at 48a0e1cff8f4 (CC BY 3.0)"}
    assert shown | {"here": False} in json.loads(call(capsys, "tasks", "--json").out)
    for _ in range(2):
        found = find("clinc150")
        assert found is not None
        spec, folder = found.open()
    assert [address.partition("48a0e1cff8")[2] for address in asked] == [
        "f43dd4d0836ecb4ed5df08733e3d2e/data/data_small.json"
    ]
    data = load(spec, folder)
    assert (len(data.examples), len(data.heldout or ())) == (7_500, 4_500)
    assert shown | {"here": True} in json.loads(call(capsys, "tasks", "--json").out)


def test_a_model_that_answers_elsewhere_has_to_state_its_price_and_may_be_forbidden(
    offered: pytest.MonkeyPatch, tmp_path: Path, model_folders: Folders, capsys: pytest.CaptureFixture[str]
) -> None:
    offered.delenv("GATEWAY", raising=False)
    task = write_task(tmp_path, model_folders, "models: [our-gateway]")
    unpriced = call(capsys, "run", str(task), "--dry-run")
    assert unpriced.code == 2
    assert "our-gateway answers on another machine, and nothing says what that costs" in " ".join(unpriced.err.split())
    task = write_task(tmp_path, model_folders, "models: [our-gateway]", "constraints: {data_stays_here: true}")
    forbidden = call(capsys, "run", str(task), "--dry-run")
    assert "runs on another machine, and the task says data_stays_here" in " ".join(forbidden.err.split())


def test_the_format_that_the_documentation_walks_through_reads_what_the_installed_one_reads(
    place: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    page = ROOT / "docs" / "plugins.md"
    told: dict[str, Any] = {}
    block, _ = blocks(page, "python")
    exec(compile(block, page.name, "exec"), told)  # noqa: S102 - our own documentation
    monkeypatch.syspath_prepend(str(place))
    turns = [{"from": who, "value": f"{who} {turn}"} for turn in range(3) for who in ("human", "gpt")]
    (tmp_path / "chats.json").write_text(json.dumps([{"conversations": turns}] * 2), encoding="utf-8")
    modules = (told, vars(import_module(SHAREGPT)))
    read = [[record.values for record in module["records"](tmp_path / "chats.json")] for module in modules]
    here, installed = ([(values["output"], values["input"].count("\n")) for values in each] for each in read)
    assert here == installed == [(f"gpt {turn}", 2 * turn) for turn in range(3)] * 2
    (points,) = blocks(page, "toml")
    own = tomllib.loads((EXAMPLE / "pyproject.toml").read_text(encoding="utf-8"))["project"]["entry-points"]
    assert tomllib.loads(points)["project"]["entry-points"].items() <= own.items()


def test_the_figure_by_counts_that_the_documentation_shows_has_the_bounds_of_the_slow_one() -> None:
    told: dict[str, Any] = {}
    _, block = blocks(ROOT / "docs" / "plugins.md", "python")
    exec(compile(block, "plugins.md", "exec"), told)  # noqa: S102 - our own documentation
    said = ["spam", "ham", "spam", "ham", "spam"] * 12
    rows = [
        Answered(case=Case(id=f"h{place}", input="?", output=output), text=text, score=float(text == output))
        for place, (output, text) in enumerate(zip(said, ["spam", *said[:-1]], strict=True))
    ]
    slow = load_metric("f1_of_label", {"label": "spam"})
    alone = SimpleNamespace(name="f1", summarise=slow.summarise)
    counted = SimpleNamespace(name="f1", by_counts=lambda rows: told["by_counts"](None, rows))
    one, other = (resampled_metric(cast(Metric, metric), rows, draws=300) for metric in (alone, counted))
    assert one.figures == pytest.approx(other.figures)


def test_an_export_names_the_package_that_it_needs(
    offered: pytest.MonkeyPatch, tmp_path: Path, model_folders: Folders, caplog: pytest.LogCaptureFixture
) -> None:
    wishes = Wishes(approaches=("shared words", "majority"), probes="none", second_seed=False)
    task = str(write_task(tmp_path, model_folders))
    execute(prepare(task, wishes), tmp_path / "run")
    out, package = tmp_path / "out", "advisor-plugin-example 0.1.0"
    export(tmp_path / "run", out, "shared words")
    export(tmp_path / "run", tmp_path / "ours", "majority")
    card = (out / "README.md").read_text(encoding="utf-8")
    assert f"With finetune-advisor and {package} installed:" in card
    assert f"since shared words comes with {package} and runs only within this product: export another" in card
    assert "on a machine that has both." in card
    assert "With finetune-advisor installed:" in (tmp_path / "ours" / "README.md").read_text(encoding="utf-8")
    text = tiny.messages(1)[0].input
    ((_, outcome),) = answerer(out, task=task).answers([text])
    assert isinstance(outcome, Prediction)
    assert outcome.text in tiny.TOPICS
    assert "another" not in caplog.text
    values = json.loads((out / "export.json").read_text(encoding="utf-8"))
    values["kept"]["packages"]["shared words"]["code"] = "0"
    (out / "export.json").write_text(json.dumps(values), encoding="utf-8")
    answerer(out, task=task)
    assert f"shared words was measured with {package}, and the code that is installed here is another" in caplog.text
    del values["kept"]["packages"]  # As exports were written before.
    shutil.copytree(out, tmp_path / "before")
    (tmp_path / "before" / "export.json").write_text(json.dumps(values), encoding="utf-8")
    answerer(tmp_path / "before", task=task)
    offered.undo()
    for folder, comes in ((out, package), (tmp_path / "run", package), (tmp_path / "before", "another package, or")):
        with pytest.raises(BadInput, match=f"^shared words comes with {comes}.* brings it. Install that, then"):
            answerer(folder, "shared words", task)


# ---------------------------------------------------------------- completion


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_commands_and_options_complete_in_every_shell(shell: str, tmp_path: Path) -> None:
    source = finish(start(tmp_path, environment={"_ADVISOR_COMPLETE": f"{shell}_source"}))
    assert f"_ADVISOR_COMPLETE={shell}_complete" in source.out
    asked = {"COMP_WORDS": "advisor report --ans", "COMP_CWORD": "--ans" if shell == "fish" else "2"}
    done = finish(start(tmp_path, environment={"_ADVISOR_COMPLETE": f"{shell}_complete", **asked}))
    assert "--answers" in done.out, done


def test_every_command_has_an_example_that_parses() -> None:
    import shlex

    import click

    from advisor.cli import COMMANDS, main
    from tests.repository.test_docs import parsed

    context = click.Context(main)
    for name in COMMANDS:
        command = main.get_command(context, name)
        assert command is not None
        paragraphs = [" ".join(each.split()) for each in (command.help or "").split("\n\n")]
        examples = [line for each in paragraphs if (line := each.partition("Example: advisor ")[2])]
        assert len(examples) == 1, name
        parsed(main, shlex.split(examples[0].partition(" > ")[0]))
