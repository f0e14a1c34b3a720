"""The documentation is true: its Python runs, its commands parse, its specs are valid, its links lead somewhere."""

from __future__ import annotations

import contextlib
import dataclasses
import os
import re
import shlex
import struct
from pathlib import Path

import click
import pytest
import yaml

from advisor.experiments.comparison import EFFORTS
from benchmarks.data.columns import CHATS, USUAL
from benchmarks.specs.spec import parse_spec
from benchmarks.specs.spec_errors import SECTION_KEYS, SPEC_KEYS
from strategies.prompting.rendering import INPUT_TOKENS
from tests import page_picture, picture, reference
from tests.conftest import Folders
from tests.desk import ROOT, write_task

PAGES = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")])
API = ROOT / "docs" / "api.md"
README = ROOT / "README.md"


def blocks(page: Path, language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```", page.read_text(encoding="utf-8"), re.DOTALL | re.MULTILINE)


def code_spans(page: Path) -> list[str]:
    """Inline code outside of blocks."""
    prose = re.sub(r"^```.*?^```", "", page.read_text(encoding="utf-8"), flags=re.DOTALL | re.MULTILINE)
    return [span.replace("\\|", "|") for span in re.findall(r"`([^`\n]+)`", prose)]


def commands(page: Path) -> list[str]:
    """Every complete `advisor ...` command of the page; `advisor run ...` with dots names a command only."""
    lines = [line.strip() for block in blocks(page, "bash") for line in block.splitlines()]
    written = [line for line in [*lines, *code_spans(page)] if line.startswith("advisor ")]
    found = [line.partition(" #")[0].partition(" > ")[0].strip() for line in written]
    return [line for line in found if "..." not in line and "python" not in line]


def parsed(command: click.Command, words: list[str]) -> None:
    """Parses the words as the command line would, down to the last command, and runs nothing.

    A command without any words is only named; whether it exists is all that there is to check.
    """
    if isinstance(command, click.Group) and words and not words[0].startswith("-"):
        _, found, rest = command.resolve_command(click.Context(command), words)
        assert found is not None
        if rest:
            parsed(found, rest)
        return
    with contextlib.suppress(click.exceptions.Exit):  # how --help and --version end
        command.make_context(command.name, list(words))


def test_the_reference_says_what_the_commands_are() -> None:
    assert reference.PAGE.read_text(encoding="utf-8") == reference.text(), "run `python -m tests.reference`"


def test_the_published_schema_is_that_of_the_report() -> None:
    assert reference.SCHEMA.read_text(encoding="utf-8") == reference.schema_text(), "run `python -m tests.reference`"


@pytest.mark.skipif(os.name != "posix", reason="it takes a terminal of Unix")
def test_the_recording_is_what_terminals_show_and_fetches_nothing() -> None:
    from tests import recording

    kept = recording.FILE.read_text(encoding="utf-8")
    assert kept == recording.text(), "run `python -m tests.recording`"
    assert not re.findall(r"(?:url\(|href=|src=)[\"']?https?:", kept)
    assert "prefers-reduced-motion" in kept
    for written, _, _ in recording.SCENES:
        assert written in kept.replace("&#160;", " ")


def test_the_picture_of_the_page_is_small_and_of_its_size() -> None:
    """Fonts differ between machines, so it is looked at by people: `python -m tests.page_picture` makes it anew."""
    head = page_picture.FILE.read_bytes()
    assert head[:8] == b"\x89PNG\r\n\x1a\n"
    assert struct.unpack(">II", head[16:24]) == (page_picture.WIDTH, page_picture.HEIGHT)
    assert len(head) < 250_000


def test_the_picture_is_what_the_terminal_shows_and_fetches_nothing() -> None:
    assert picture.FILE.read_text(encoding="utf-8") == picture.text(), "run `python -m tests.picture`"
    assert not re.findall(r"(?:url\(|href=|src=)[\"']?https?:", picture.text())


# ---------------------------------------------------------------- Python


@pytest.fixture
def beside_a_task(tmp_path: Path, model_folders: Folders, monkeypatch: pytest.MonkeyPatch) -> Path:
    write_task(tmp_path, model_folders)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_the_examples_of_the_interface_run(beside_a_task: Path, capsys: pytest.CaptureFixture[str]) -> None:
    found = blocks(API, "python")
    assert len(found) >= 4
    # A smaller comparison than the page's, so that it takes seconds: the calls are the page's own.
    smaller = 'Wishes(effort="quick", target=0.8, approaches=("majority", "copy nearest"), probes="none")'
    names: dict[str, object] = {}
    for place, block in enumerate(found):
        block = block.replace('Wishes(effort="quick", target=0.8)', smaller)
        exec(compile(block, f"docs/api.md, block {place + 1}", "exec"), names)  # noqa: S102 - our own documentation
    (shortest,) = blocks(README, "python")
    exec(compile(shortest.replace('routing")', f'routing", wishes={smaller})'), "README.md", "exec"), names)  # noqa: S102
    assert (beside_a_task / "runs" / "ticket-routing" / "run.sqlite").is_file()
    said = capsys.readouterr().out
    assert "majority" in said
    assert "right more often than wrong:" in said
    assert "1 of 2: majority, fit" in said
    assert (beside_a_task / "report.html").stat().st_size > 1000
    assert (beside_a_task / "runs" / "first" / "run.sqlite").is_file()


def test_the_table_of_wishes_names_every_field_and_no_other() -> None:
    from advisor import Wishes

    rows = re.findall(r"^\| (`[a-z_`, ]+) \|", API.read_text(encoding="utf-8"), re.MULTILINE)
    told = {name for row in rows for name in re.findall(r"`([a-z_]+)`", row)}
    assert told == {field.name for field in dataclasses.fields(Wishes)}


def test_the_public_names_are_the_same_whatever_was_imported_before() -> None:
    import advisor
    from advisor.experiments import comparison, stored

    for name in advisor.__all__:
        assert getattr(advisor, name) is not None
    assert advisor.advise is comparison.advise
    assert advisor.reopen is stored.reopen


@pytest.mark.parametrize("block", blocks(README, "python"), ids=lambda block: block.splitlines()[0])
def test_the_readmes_python_is_valid_and_uses_public_names(block: str) -> None:
    import advisor

    compile(block, "README.md", "exec")
    for line in re.findall(r"^from advisor import (.+)$", block, re.MULTILINE):
        assert {name.strip() for name in line.split(",")} <= {*advisor.__all__, "reports"}


# ---------------------------------------------------------------- commands and specs


@pytest.mark.parametrize("name", ["index.md", "how-to.md"])
def test_the_cases_of_a_gate_are_written_before_it_is_asked(name: str) -> None:
    (block,) = [block for block in blocks(ROOT / "docs" / name, "bash") if "advisor gate" in block]
    before, _, gate = block.partition("advisor gate ")
    assert gate.split()[1] == "reviewed/heldout.jsonl"
    assert "advisor check task.yaml --fix reviewed" in before


@pytest.mark.parametrize(("page", "line"), [(page.name, line) for page in PAGES for line in commands(page)])
def test_every_command_in_the_documentation_parses(page: str, line: str) -> None:
    from advisor.cli import main

    parsed(main, shlex.split(line)[1:])


def test_what_a_scheduler_starts_parses_with_its_number_filled_in() -> None:
    """The same with a number is executed where it is told by hand (`tests/repository/test_documented_commands.py`)."""
    from advisor.cli import main

    told = "\n".join(page.read_text(encoding="utf-8") for page in PAGES)
    found = re.findall(r"(?<!`)\badvisor run [^'`\n]*\$SLURM_ARRAY_TASK_ID[^'`\n]*", told)
    assert len(found) == 2
    for line in found:
        parsed(main, shlex.split(line.replace("$SLURM_ARRAY_TASK_ID", "1"))[1:])


def test_commands_are_found_and_a_wrong_one_does_not_parse() -> None:
    from advisor.cli import main

    assert {"advisor init my.csv", "advisor check task.yaml", "advisor run task.yaml"} <= set(commands(README))
    assert len(commands(README)) >= 8
    for line in (
        "run --seed 1",
        "run task.yaml --no-such",
        "models fetch --accept-terms",
        "models get x",
        "rnu task.yaml",
    ):
        with pytest.raises(click.UsageError):
            parsed(main, line.split())


def test_every_make_target_in_the_readme_exists() -> None:
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE))
    named = set(re.findall(r"\bmake ([a-z-]+)\b", README.read_text(encoding="utf-8")))
    assert {"demo", "test"} <= named
    assert named <= targets


def test_the_first_screen_of_the_readme_is_a_sentence_the_verdict_as_picture_and_two_commands() -> None:
    title, sentence, shown, tried, *_ = README.read_text(encoding="utf-8").split("\n\n")
    assert title == "# finetune-advisor"
    assert len(re.findall(r"[.?!](?:\s|$)", sentence)) == 1
    assert shown.startswith('<img src="docs/verdict.svg"')
    assert [line.split(" #")[0].strip() for line in tried.splitlines()] == ["```bash", "make demo", "make test", "```"]


def test_every_line_of_models_among_the_goals_is_valid() -> None:
    whole = [yaml.safe_load(block) for block in blocks(README, "yaml")]
    spans = code_spans(README) + code_spans(ROOT / "docs" / "goals.md")
    lines = [yaml.safe_load(span) for span in spans if span.startswith("models:")]
    assert len(lines) >= 5
    for values in lines:
        parse_spec({**whole[0], **values})


@pytest.mark.parametrize("page", [page for page in PAGES if blocks(page, "yaml")], ids=lambda page: page.name)
def test_every_spec_in_the_documentation_is_valid(page: Path) -> None:
    (whole,) = (yaml.safe_load(block) for block in blocks(README, "yaml"))
    for block in blocks(page, "yaml"):
        parse_spec({**whole, **yaml.safe_load(block)})


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_to_files_lead_somewhere(page: Path) -> None:
    links = re.findall(r"\]\(([^)#]+)[^)]*\)", page.read_text(encoding="utf-8"))
    links += re.findall(r'<img src="([^"]+)"', page.read_text(encoding="utf-8"))
    missing = [link for link in links if "://" not in link and not (page.parent / link).exists()]
    assert missing == []


def test_the_page_of_the_task_file_names_every_key_and_metric() -> None:
    told = {name for span in code_spans(ROOT / "docs" / "task.md") for name in re.split(r"[^a-z0-9_]+", span)}
    keys = {*SPEC_KEYS, *(key for section in SECTION_KEYS.values() for key in section)} - {"folder"}
    metrics = {path.stem for path in (ROOT / "benchmarks" / "metrics").glob("[a-z]*.py")} - {"person"}
    assert keys | metrics <= told, (keys | metrics) - told


def test_every_limit_has_a_row_of_its_own() -> None:
    _, _, told = (ROOT / "docs" / "task.md").read_text(encoding="utf-8").partition("\n### Limits\n")
    rows = re.findall(r"^\| `(\w+)` \|.*\| `(.+)` \|$", told.partition("\n### ")[0], re.MULTILINE)
    assert [key for key, _ in rows] == list(SECTION_KEYS["constraints"])
    (whole,) = (yaml.safe_load(block) for block in blocks(README, "yaml"))
    more = {"documents": "handbook", "slices": ["team"]}
    for key, example in rows:
        parse_spec({**whole, **more, "constraints": {key: yaml.safe_load(example)}})


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_no_page_calls_a_method_a_rung(page: Path) -> None:
    assert not re.findall(r"\brungs?\b", page.read_text(encoding="utf-8"), re.IGNORECASE)


def test_what_was_measured_beside_others_is_linked_from_the_front_page() -> None:
    front = README.read_text(encoding="utf-8")
    studies = ROOT / "benchmarks" / "studies"
    for name in ("speed", "scale", "equality", "peers", "floors", "decisions", "choices"):
        assert f"]({(studies / f'{name}.md').relative_to(ROOT)})" in front


def test_the_budgets_that_the_help_names_are_those_of_a_run() -> None:
    page = (ROOT / "docs" / "commands.md").read_text(encoding="utf-8")
    assert list(EFFORTS) == ["quick", "standard", "thorough"]
    assert "{:,}, {:,} or {:,} tokens".format(*EFFORTS.values()) in " ".join(page.split())


def test_the_limits_say_how_much_of_an_input_is_read() -> None:
    page = (ROOT / "docs" / "limits.md").read_text(encoding="utf-8")
    assert f"read the first {INPUT_TOKENS} tokens of an input" in " ".join(page.split())


def test_every_name_by_which_a_column_is_taken_is_told() -> None:
    told = (ROOT / "docs" / "task.md").read_text("utf-8")
    names = {*CHATS, *(name for several in USUAL.values() for name in several)}
    assert [name for name in sorted(names) if f"`{name}`" not in told] == []
