"""Options, folders and environments that cannot be used: exit code 2 and a sentence that says what to do."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

import pytest
from click.testing import CliRunner

from tests.bad_inputs import HEAD, rows
from tests.desk import call

RUN = ("run", "task.yaml", "--approach", "majority", "--probes", "none", "--yes")
ASK = ("ask", "--kind", "qa", "--examples", "20")
HOSTED = (
    r"^There is no model 'gpt-4\.1-mini' here\. Write one of smollm2-135m, gemma3-270m-base, a hub id .*; a model on a server is "
    r'`\{name: gpt-4\.1-mini, endpoint: "https://\.\.\."\}` under `models`\.$'
)
EXAMPLE = (
    r"^The word example stands for a run that `advisor report example` and `advisor price NAME --run example` tell; .* Give the "
    r"folder that `advisor run --out` or `advisor export` wrote\.$"
)
BAD: Mapping[str, tuple[Sequence[str], str]] = {
    "a wrong command": (("rnu",), r"There is no command `rnu`\. Did you mean `advisor run`\?"),
    "a wrong option": (("run", "task.yaml", "--frobnicate"), r"No such option '--frobnicate'"),
    "no task": (("run",), r"Missing argument 'TASK'"),
    "an unknown task": (("run", "nope"), r"nope is neither a file nor a known task\. Give a task\.yaml"),
    "a task that is not there": (("run", "none.yaml"), r'The task spec "none\.yaml" does not exist'),
    "a folder as task": (("check", "empty"), r'"empty" is a folder\. Name the task spec in it'),
    "data as task": (("check", "rows.jsonl"), r"is data, not a task spec"),
    "a device as task": (("check", "/dev/zero"), r'"zero" is not a regular file'),
    "an endless name of a task": (("check", "x" * 5_000), r"cannot be used: file name too long\. Correct the path"),
    "target 0": ((*RUN, "--target", "0"), r"--target is 0; a share of cases is between 0 and 1"),
    "target 90": ((*RUN, "--target", "90"), r"--target is 90; .* Write 0\.9 for 90 %"),
    "target NaN": ((*RUN, "--target", "nan"), r"--target is NaN; a share of cases"),
    "target x": (
        (*RUN, "--target", "x"),
        r'--target is "x"; a share of cases is between 0 and 1\. Write 0\.9 for 90 %',
    ),
    "target 80%": ((*RUN, "--target", "80%"), r"--target is 80%; a share of cases is between 0 and 1\. Write 0\.8\."),
    "margin 5% of a report": (
        ("report", "example", "--margin", "5%"),
        r'--margin is "5%"; a margin is a share of cases between 0 and 1\. Write 0\.05 for 5 points',
    ),
    "margin 0": ((*RUN, "--margin", "0"), r"--margin is 0; a margin is a share"),
    "margin NaN": ((*RUN, "--margin", "nan"), r"--margin is NaN; a margin is a share"),
    "both goals": ((*RUN, "--margin", "0.1", "--target", "0.8"), r"There is a target and a margin\. Give one of them"),
    "3 examples": ((*RUN, "--examples", "3"), r"3 is not in the range x>=10"),
    "0 held-out cases": ((*RUN, "--heldout", "0"), r"0 is not in the range x>=10"),
    "an effort": ((*RUN, "--effort", "huge"), r"'huge' is not one of 'quick', 'standard', 'thorough'"),
    "an approach": (("run", "task.yaml", "--approach", "magic"), r"There is no approach 'magic'; there are majority"),
    "an approach that does not suit": (
        ("run", "task.yaml", "--approach", "copy input"),
        r"None of copy input suits the task: .*\. Name another approach\.",
    ),
    "a licence that no model has": (("check", "licence.yaml"), r"^The model smollm2-135m comes under Apache-2\.0, and the task"),
    "doubts in the place of the data": (
        ("check", "task.yaml", "--doubts", "rows.jsonl"),
        r"rows\.jsonl exists already and is not replaced",
    ),
    "a hosted model without its address, before a run": (("run", "hosted.yaml", "--dry-run"), HOSTED),
    "a hosted model without its address, when the data is checked": (("check", "hosted.yaml"), HOSTED),
    "an embedder that is to answer": (
        ("run", "task.yaml", "--model", "minilm-l6", "--dry-run"),
        r"^minilm-l6 turns texts into vectors and cannot answer\. Name a language model\.$",
    ),
    "a model without a name": ((*RUN, "--model", ""), r"A model without a name was asked for"),
    "a seed in words": ((*RUN, "--seed", "x"), r"'x' is not a valid integer"),
    "a seed below 0": ((*RUN, "--seed", "-1"), r"-1 is not in the range 0<=x<="),
    "a seed of 30 digits": ((*RUN, "--seed", "9" * 30), r"is not in the range 0<=x<="),
    "a number format": ((*RUN, "--dtype", "int8"), r"'int8' is not one of 'float32'"),
    "part 0": ((*RUN, "--shard", "0/2"), r"--shard is '0/2'; write the part and the number of parts"),
    "part 3 of 2": ((*RUN, "--shard", "3/2"), r"--shard is '3/2'"),
    "a part of an economical run": (
        (*RUN, "--shard", "1/2", "--economical"),
        r"--economical asks what the other approaches",
    ),
    "no parts": ((*RUN, "--out", "new", "--merge", "empty"), r"empty holds no part of a run\. Give the folders"),
    "no parts to rehearse": (
        (*RUN, "--out", "new", "--merge", "none", "--dry-run"),
        r"none holds no part of a run\. Give the folders",
    ),
    "nothing to take over": ((*RUN, "--out", "new", "--reuse", "none"), r"Directory 'none' does not exist"),
    "an empty folder to take over": ((*RUN, "--out", "new", "--reuse", "empty"), r"holds no run to take over from"),
    "a fork of nothing": ((*RUN, "--fork", "empty"), r"empty holds no run to take over from"),
    "a fork and a reuse": (
        (*RUN, "--fork", "empty", "--reuse", "empty"),
        r"--fork takes over all that --reuse does, and answers too: give one of them",
    ),
    "no money": ((*RUN, "--max-cost", "0"), r"--max-cost is 0; give an amount of money above 0"),
    "money NaN": ((*RUN, "--max-cost", "nan"), r"--max-cost is nan; give an amount"),
    "endless money": ((*RUN, "--max-cost", "inf"), r"--max-cost is inf; give an amount"),
    "no time": ((*RUN, "--max-hours", "0"), r"--max-hours is 0; give hours above 0"),
    "time NaN": ((*RUN, "--max-hours", "nan"), r"--max-hours is nan; give hours"),
    "no room": ((*RUN, "--max-disk", "-1"), r"--max-disk is -1; give gigabytes above 0 and up to 1,000,000"),
    "a life's time": ((*RUN, "--max-hours", "1e6"), r"--max-hours is 1e\+06; give hours above 0 and up to 10,000"),
    "economical without a target": (
        ("run", "open.yaml", "--economical"),
        r"asks whether a target is met, and there is none",
    ),
    "stopping without a target": (("run", "open.yaml", "--stop-when-decided"), r"stops at a target, and there is none"),
    "some cases": ((*RUN, "--cases", "some"), r"'some' is not one of 'none', 'selection', 'wrong', 'all'"),
    "a file as run folder": ((*RUN, "--out", "rows.jsonl"), r"rows\.jsonl is a file\. Name a folder with --out"),
    "a folder within a file": ((*RUN, "--out", "rows.jsonl/x"), r"rows\.jsonl/x cannot be used: not a directory"),
    "a device as run folder": ((*RUN, "--out", "/dev/null"), r"/dev/null is a file\. Name a folder"),
    "an endless run folder": ((*RUN, "--out", "x" * 300), r"cannot be used: file name too long"),
    "nothing to go on with": ((*RUN, "--resume", "--out", "none"), r"none holds no run to go on with"),
    "code that was not allowed": (("run", "code.yaml"), r"runs Python code of its own, which is off"),
    "code that is not there": (("run", "code.yaml", "--allow-code"), r"There is no file `m\.py`"),
    "bad recorded answers": (("run", "recorded.yaml"), r"a recorded answer needs the texts `input` and `answer`"),
    "bad recorded answers, when the data is checked": (
        ("check", "recorded.yaml"),
        r"^r\.jsonl:1: a recorded answer needs the texts `input` and `answer`\.$",
    ),
    **{
        f"recorded answers to other inputs: {words[0]}": (
            words,
            r"^others\.jsonl holds no answer of 'theirs' to any of the 20 held-out cases\. Answers are found by their input: "
            r"write each `input` as it stands in the held-out case, letter by letter\.$",
        )
        for words in (("check", "others.yaml"), ("run", "others.yaml", "--dry-run"))
    },
    "recorded answers under the name of an approach": (
        ("check", "named.yaml"),
        r"^named\.jsonl holds a system 'majority', as an approach is called\. Give it another name\.$",
    ),
    **{
        f"{what}: {words[0]}": (words, wanted)
        for what, name, wanted in (
            (
                "an embedder that is not there",
                "embedder",
                r"^There is no model 'nope'\. Write one of smollm2-135m, minilm-l6",
            ),
            (
                "a reranker that is not there",
                "reranker",
                r"^There is no model 'nope'\. Write one of smollm2-135m, minilm-l6",
            ),
            (
                "an embedder that answers",
                "answers",
                r"^smollm2-135m answers, and does not turn texts into vectors\. Name an emb",
            ),
            ("an embedder in a folder without one", "empty-embedder", r"^empty holds no config\.json, so it is no model"),
            ("a model in a folder without one", "empty-model", r"^empty holds no config\.json, so it is no model"),
        )
        for words in (("check", f"{name}.yaml"), ("run", f"{name}.yaml", "--dry-run", "--approach", "majority"))
    },
    "bad traffic": (("run", "traffic.yaml"), r"has no column with a usual name for the input"),
    "a folder of doubts": (("check", "task.yaml", "--doubts", "empty"), r"File 'empty' is a directory"),
    "a copy into a file": (("check", "task.yaml", "--fix", "rows.jsonl"), r"'rows\.jsonl' is a file"),
    "a copy over a task": (
        ("check", "task.yaml", "--fix", "."),
        r"holds a task already\. Name a folder for the reviewed copy",
    ),
    "doubts into no folder": (
        ("check", "task.yaml", "--doubts", "none/d.csv"),
        r"none/d\.csv cannot be written: there is no folder none\. Make it",
    ),
    "doubts without labels": (
        ("check", "qa.yaml", "--doubts", "d.csv"),
        r"--doubts looks at labels, and this task is qa",
    ),
    "a report of nothing": (("report", "none"), r"none holds no run: run\.json is missing\. Give the folder"),
    "a report of a file": (("report", "rows.jsonl"), r"rows\.jsonl holds no run"),
    "a report of an empty folder": (("report", "empty"), r"empty holds no run: run\.json is missing"),
    "an unknown format": (("report", "empty", "--format", "word"), r"`word` is not a report format"),
    "a report into a file": (
        ("report", "example", "--out", "rows.jsonl"),
        r"rows\.jsonl is a file\. Name a folder with --out",
    ),
    "a report within a file": (("report", "example", "--out", "rows.jsonl/x"), r"x cannot be used: not a directory"),
    "a report into a link to nothing": (("report", "example", "--out", "dangling"), r"dangling is a link that leads"),
    "a report into an endless link": (
        ("report", "example", "--out", "loop"),
        r"loop is a link that leads to no folder",
    ),
    "a run into a link to nothing": ((*RUN, "--out", "dangling"), r"dangling is a link that leads to no folder"),
    "two empty folders": (("compare", "empty", "empty"), r"empty holds no run"),
    "an export of nothing": (("export", "empty", "out"), r"empty holds no run"),
    "an answer from nothing": (("predict", "empty"), r"empty holds no run"),
    "a gate without an export": (("gate", "empty", "rows.jsonl"), r"empty is no export\. Give the folder"),
    "an export of the example": (("export", "example", "out"), EXAMPLE),
    "an answer from the example": (("predict", "example", "rows.jsonl"), EXAMPLE),
    "the example beside a run": (("compare", "example", "empty"), EXAMPLE),
    "a gate on the example": (("gate", "example", "rows.jsonl"), EXAMPLE),
    "runs of nothing": (("runs", "none"), r"There is no folder none\. Name the one that holds your runs"),
    "runs of a file": (("runs", "task.yaml"), r"There is no folder task\.yaml"),
    "a volume below 0": (
        ("report", "example", "--volume", "-5"),
        r"Invalid value for '--volume': -5 is not in the range",
    ),
    "a horizon of years": (("report", "example", "--horizon-months", "500"), r"500 is not in the range 1<=x<=120"),
    "a price below 0": (("report", "example", "--machine-hour", "-1"), r"-1\.0 is not in the range x>=0"),
    "a target of 70 afterwards": (
        ("report", "example", "--target", "70"),
        r"^--target is 70; .* Write 0\.7 for 70 %\.$",
    ),
    "a margin of 5 afterwards": (
        ("report", "example", "--margin", "5"),
        r"^--margin is 5; .* Write 0\.05 for 5 points\.$",
    ),
    "two goals afterwards": (
        ("report", "example", "--target", "0.7", "--margin", "0.05"),
        r"^--target and --margin are two goals\. Keep --target if",
    ),
    "a site over something else": (("report", "empty", "--site", "."), r"is there already and is no site of runs"),
    "a site of no runs": (("report", "--site", "site"), r"There is no folder runs\. Name the one that holds your runs"),
    "a site and a format": (("report", "--site", "site", "--format", "junit"), r"--site goes without --format:"),
    "a report without a run": (
        ("report",),
        r"^Name a run: `.*advisor report runs/first`, or `.*advisor report example`\.$",
    ),
    "a price of nothing": (("price", "no-such-model"), r"No price list knows no-such-model\. Give a model's name"),
    "a price for nothing": (("price", "gpt-4o-mini", "--run", "empty"), r"empty holds no run"),
    "no file to begin with": (("init", "none.csv"), r'The data file "none\.csv" does not exist'),
    "a folder to begin with": (("init", "empty"), r'"empty" is a folder\. Name a file'),
    "this folder to begin with": (("init", "."), r'^"\." is a folder\. Name a file'),
    "a task to begin with": (("init", "task.yaml"), r"^task\.yaml is a task spec already, and no data"),
    "a task that is there": (("init", "rows.jsonl"), r"task\.yaml exists beside the data already"),
    "nobody to ask": (("ask",), r"--kind and --examples are not given, and standard input is no terminal to ask at"),
    "a kind": (("ask", "--kind", "x"), r"'x' is not one of 'classification'"),
    "a target of 2": (
        (*ASK, "--target", "2"),
        r"^--target is 2; a share of cases is between 0 and 1\. Write 0\.02 for 2 %",
    ),
    "a target of NaN": ((*ASK, "--target", "nan"), r"^--target is NaN; a share of cases is between 0 and 1"),
    "fewer than no examples": (("ask", "--kind", "qa", "--examples", "-1"), r"-1 is not in the range x>=0"),
    "answers as a workbook": (
        ("report", "example", "--answers", "a.xlsx"),
        r"^a\.xlsx would be neither CSV nor Parquet\. Name a file that ends with \.csv or \.parquet\.$",
    ),
    "a volume in thousands": (
        ("report", "example", "--volume", "10k"),
        r"'--volume': '10k' is no whole number\. Write it in digits alone, such as 10000 for 10k\.",
    ),
    "examples in thousands": (
        (*ASK[:3], "--examples", "2k"),
        r"'--examples': '2k' is no whole number\. Write it in digits",
    ),
    "no requests": ((*ASK, "--volume", "0"), r"0 is not in the range x>=1"),
    "what the data says": (("ask", "task.yaml", "--kind", "qa"), r"--kind is what the data of task\.yaml says"),
    "an unknown model": (("models", "fetch", "nope"), r"^There is no model 'nope'\. Write one of"),
    "a list where a model is fetched": (
        ("models", "--json", "fetch", "nope"),
        r"--json is for the list of models\. Leave it out",
    ),
    "an unknown list": (("models", "x"), r"No such command 'x'"),
    "a word too many": (("tasks", "x"), r"Got unexpected extra argument"),
}


@pytest.fixture
def desk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    rows(tmp_path, count=40)
    (tmp_path / "empty").mkdir()
    (tmp_path / "dangling").symlink_to("nowhere")
    (tmp_path / "loop").symlink_to("loop")
    (tmp_path / "r.jsonl").write_text('{"a": 1}\n', encoding="utf-8")
    lines = {
        "task": "target: 0.8",
        "open": "volume: 10",
        "code": "target: 0.8\nmetric: m.py:f",
        "hosted": "target: 0.8\nmodels: [gpt-4.1-mini]",
        "qa": "target: 0.8\nkind: qa",
        "recorded": "target: 0.8\nrecorded: r.jsonl",
        "traffic": "target: 0.8\ntraffic: r.jsonl",
        "others": "target: 0.8\nrecorded: others.jsonl",
        "named": "target: 0.8\nrecorded: named.jsonl",
        "embedder": "target: 0.8\nembedder: nope",
        "licence": "target: 0.8\nconstraints: {licences: [MIT]}",
        "reranker": "target: 0.8\nreranker: nope",
        "answers": "target: 0.8\nembedder: smollm2-135m",
        "empty-embedder": "target: 0.8\nembedder: {name: mine, folder: empty}",
        "empty-model": "target: 0.8\nmodels: [{name: mine, folder: empty}]",
    }
    for name, system in (("others", "theirs"), ("named", "majority")):
        answer = f'{{"input": "of another file", "answer": "a", "system": "{system}"}}\n'
        (tmp_path / f"{name}.jsonl").write_text(answer, encoding="utf-8")
    for name, line in lines.items():
        (tmp_path / f"{name}.yaml").write_text(f"{HEAD}{line}\n", encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def refused(arguments: Sequence[str], wanted: str, env: Mapping[str, str] | None = None) -> None:
    from advisor.cli import main

    result = CliRunner().invoke(main, list(arguments), env=env)
    said = " ".join(result.stderr.split())
    assert result.exit_code == 2, f"{result.exception!r} {said}"
    assert result.stdout == ""
    assert "Traceback" not in said
    assert re.search(wanted, said), said


@pytest.mark.parametrize("kind", BAD)
def test_a_wrong_option_ends_with_exit_code_2_and_a_sentence(kind: str, desk: Path) -> None:
    before = sorted(desk.iterdir())
    refused(*BAD[kind])
    assert sorted(desk.iterdir()) == before, "nothing was begun"


def test_an_approach_that_does_not_suit_beside_others_is_told(desk: Path) -> None:
    """It was dropped without a word."""
    from advisor.cli import main

    result = CliRunner().invoke(main, ["run", "task.yaml", "--approach", "majority", "--approach", "copy input", "--dry-run"])
    assert result.exit_code == 0
    assert "--approach: copy input is left out, since " in " ".join(result.output.split())


@contextmanager
def entered(folder: Path) -> Iterator[None]:
    """With the folders around it open to everybody: what is in one that may not be entered nobody can say."""
    modes = {each: each.stat().st_mode & 0o777 for each in folder.parents}
    closed = [each for each, mode in modes.items() if not mode & 0o001]
    for each in closed:
        each.chmod(modes[each] | 0o011)
    try:
        yield
    finally:
        for each in closed:
            each.chmod(modes[each])


@contextmanager
def nobody() -> Iterator[None]:
    """As a user who may not read everything."""
    before = os.geteuid()
    if before == 0:
        os.seteuid(65534)
    try:
        yield
    finally:
        os.seteuid(before)


@pytest.mark.parametrize("name", ["task.yaml", "rows.jsonl", "r.jsonl"])
def test_a_file_that_may_not_be_read_is_named(name: str, desk: Path) -> None:
    desk.chmod(0o755)
    task = "traffic.yaml" if name == "r.jsonl" else "task.yaml"
    refused(("check", "none.yaml"), "does not exist")
    (desk / name).chmod(0)
    with entered(desk), nobody():
        refused(("run", task, "--dry-run"), rf"{re.escape(name)}.* cannot be read: Permission denied")


ENVIRONMENTS: Mapping[str, tuple[Mapping[str, str], Sequence[str], str]] = {
    "a folder of data that is not there": (
        {"ADVISOR_DATA": "/nowhere/at/all"},
        ("check", "banking77"),
        r"ADVISOR_DATA",
    ),
    "terms that were not accepted": (
        {"ADVISOR_CACHE": "nothing-here"},
        ("models", "fetch", "gemma3-270m-base"),
        r"^gemma3-270m-base comes under the Gemma Terms of Use",
    ),
    "a way of attention": ({"ADVISOR_ATTENTION": "magic"}, (*RUN, "--dry-run"), r"ADVISOR_ATTENTION"),
    "tokens in words": ({"ADVISOR_BATCH_TOKENS": "many"}, (*RUN, "--dry-run"), r"ADVISOR_BATCH_TOKENS"),
}


@pytest.mark.parametrize("kind", ENVIRONMENTS)
def test_a_wrong_environment_is_named(kind: str, desk: Path) -> None:
    variables, arguments, wanted = ENVIRONMENTS[kind]
    refused(arguments, wanted, variables)


@pytest.mark.parametrize(
    ("arguments", "says", "usage"),
    [
        (("run",), "Missing argument 'TASK'.", "Usage: advisor run [OPTIONS] TASK"),
        (("models", "fetch"), "Missing argument 'NAME...'.", "Usage: advisor models fetch [OPTIONS] NAME..."),
        (("--frobnicate",), "No such option '--frobnicate'.", "Usage: advisor [OPTIONS] COMMAND [ARGS]..."),
    ],
)
def test_no_word_stands_before_what_is_wrong_with_options(
    arguments: Sequence[str], says: str, usage: str, capsys: pytest.CaptureFixture[str]
) -> None:
    done = call(capsys, *arguments)
    assert done.code == 2
    assert done.err.splitlines()[:2] == [says, usage]


@pytest.mark.parametrize("arguments", [("rnu",), ("price", "no-such-model"), ("runs", "none"), ("report",)])
def test_a_sentence_begins_like_one(arguments: Sequence[str], desk: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert call(capsys, *arguments).err[0].isupper()
