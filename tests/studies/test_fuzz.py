"""Fuzzing: what each parser gets it reads or refuses, what was found before does not come back, and the search can find."""

from __future__ import annotations

import base64
import random
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from benchmarks.contract import BadInput
from benchmarks.studies.faults_injected import __main__ as study
from benchmarks.studies.faults_injected import fuzz, fuzz_inputs, fuzz_targets, report
from benchmarks.studies.faults_injected.fuzz_targets import TARGETS, Read, Target
from strategies.contract import Completion, Usage

SLOW = ("task", "schema", "run", "export")
"""Of which one input takes a hundredth of a second and more."""
Readers = Callable[[str], Read]


@pytest.fixture(scope="module")
def readers(tmp_path_factory: pytest.TempPathFactory) -> Readers:
    """The function of each target, made once."""
    made: dict[str, Read] = {}

    def reader(name: str) -> Read:
        if name not in made:
            made[name] = TARGETS[name].opened(tmp_path_factory.mktemp(name))
        return made[name]

    return reader


@st.composite
def inputs(draw: st.DrawFn, name: str) -> bytes:
    """A whole input with places of its JSON changed, or with bytes put in, or any bytes at all."""
    seed = draw(st.sampled_from(list(TARGETS[name].seeds())))
    other = fuzz_inputs.changed(seed, random.Random(draw(st.integers(0, 2**32))))
    if other is not None and draw(st.booleans()):
        return other
    at = draw(st.integers(0, len(seed)))
    upto = draw(st.integers(at, len(seed)))
    return draw(st.sampled_from((seed[:at], b""))) + draw(st.binary(max_size=30)) + seed[upto:]


@pytest.mark.parametrize("name", TARGETS)
def test_whatever_a_parser_gets_it_reads_or_refuses(name: str, readers: Readers) -> None:
    @settings(
        max_examples=15 if name in SLOW else 60,
        deadline=None,
        suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
    )
    @given(inputs(name))
    def every(data: bytes) -> None:
        assert fuzz.finding(readers(name), data) is None

    every()


@pytest.mark.parametrize("name", TARGETS)
def test_a_parser_reads_one_of_its_seeds(name: str, readers: Readers) -> None:
    """So that what lies behind the first refusal is reached too."""
    assert any(fuzz_targets.read_or_refused(readers(name), seed) for seed in TARGETS[name].seeds())


def earlier() -> list[Mapping[str, Any]]:
    return [row for row in study.read(study.FILE) if row["part"] == "fuzz"]


@pytest.mark.parametrize("name", TARGETS)
def test_what_was_found_does_not_come_back(name: str, readers: Readers) -> None:
    rows = [row for row in earlier() if row["target"] == name]
    assert rows, "the committed rows hold every parser"
    assert rows[-1]["findings"] == [], "its last round found nothing"
    for found in [found for row in rows for found in row["findings"]]:
        begun = time.monotonic()
        assert fuzz.finding(readers(name), base64.b64decode(found["input"])) is None, found
        assert time.monotonic() - begun < 5


def test_what_a_row_nests_deeply_can_be_stored(readers: Readers) -> None:
    """Reading it takes less depth than copying it did."""
    deep = b'{"a":' * 600 + b"0" + b"}" * 600
    row = b'{"id": "1", "input": "x", "output": "a", "metadata": {"m": %s}}\n' % deep
    assert fuzz.finding(readers("jsonl"), row + b'{"id": "2", "input": "y", "output": "b"}\n') is None


# ---------------------------------------------------------------- the search itself


def planted(folder: Path) -> Read:
    """A parser with two faults, and one that its own refusal covers."""

    def read(data: bytes) -> None:
        if data.startswith(b"{") and b"boom" in data:
            raise KeyError("boom")
        if b"long" in data:
            raise BadInput("x" * (fuzz_targets.LONGEST_SENTENCE + 1))
        raise BadInput("Write something else.")

    return read


def test_what_is_not_documented_is_a_finding_with_its_place(tmp_path: Path) -> None:
    read = planted(tmp_path)
    assert fuzz.finding(read, b"any") is None
    found = fuzz.finding(read, b'{"a": "boom"}')
    assert found is not None
    assert (found["kind"], found["says"]) == ("KeyError", "'boom'")
    assert found["where"] == "benchmarks/studies/faults_injected/fuzz_targets.py, read_or_refused"
    assert fuzz.finding(read, b"long") == {
        "kind": "AssertionError",
        "where": "benchmarks/studies/faults_injected/fuzz_targets.py, read_or_refused",
        "says": "the refusal is longer than a terminal shows at once",
    }


def test_what_a_library_warns_of_is_a_finding() -> None:
    import warnings

    found = fuzz.finding(lambda data: warnings.warn("use lxml", UserWarning, stacklevel=1), b"")
    assert found is not None
    assert (found["kind"], found["says"]) == ("UserWarning", "use lxml")


def test_an_input_is_made_as_small_as_it_gets(tmp_path: Path) -> None:
    read = planted(tmp_path)

    def same(data: bytes) -> bool:
        found = fuzz.finding(read, data)
        return found is not None and found["kind"] == "KeyError"

    data = b'{"first": [1, 2, {"deep": "boom"}], "second": {"x": [7, 8, 9]}, "third": "' + b"z" * 300 + b'"}'
    assert fuzz.smallest(data, same, time.monotonic() + 20) == b"{boom"
    assert fuzz.smallest(data, same, time.monotonic()) == data, "the time is over"


def test_changed_json_is_json_but_for_what_no_value_writes() -> None:
    import json

    seed = b'200\n{"a": [1, {"b": "c"}], "d": null}'
    found = {fuzz_inputs.changed(seed, random.Random(number)) for number in range(200)}
    assert len(found) > 100
    whole = [data for data in found if data and len(data) < fuzz_inputs.NESTED]
    for data in whole:
        head, _, line = data.partition(b"\n")
        assert head == b"200"
        assert json.loads(line) != json.loads(seed.partition(b"\n")[2]) or line
    assert any(b"[" * fuzz_inputs.NESTED in data for data in found if data)
    assert fuzz_inputs.changed(b"no JSON", random.Random(0)) is None


@pytest.mark.parametrize(
    "usage",
    [
        Usage(model="m", step="answering", prompt_tokens=-1),
        Usage(model="m", step="answering", answer_tokens=10**30),
        Usage(model="m", step="answering", prompt_tokens=1, cached_tokens=2),
    ],
)
def test_an_answer_that_cannot_be_billed_is_a_finding(usage: Usage) -> None:
    with pytest.raises(AssertionError):
        fuzz_targets.must_be_a_completion(Completion(text="", usage=usage))


@pytest.fixture
def one_target(monkeypatch: pytest.MonkeyPatch) -> Target:
    monkeypatch.setattr(fuzz_targets, "TARGETS", {"markdown": TARGETS["markdown"]})
    return TARGETS["markdown"]


def test_the_part_fuzzes_or_says_what_it_takes(one_target: Target, tmp_path: Path) -> None:
    rows = tmp_path / "rows.jsonl.gz"
    arguments = ["run", "fuzz", "--seconds", "2", "--rows", str(rows)]
    done = CliRunner().invoke(study.main, arguments)
    assert done.exit_code == 0, done.output
    if not fuzz.installed():
        assert done.output == f"{fuzz.NOT_HERE}\n"
        assert not rows.exists()
        return
    (row,) = study.read(rows)
    assert (row["key"], row["what"], row["findings"]) == ("markdown|0", one_target.what, [])
    assert row["executions"] > 2
    assert row["reached"] > 10
    assert 2 <= row["seconds"] < 20
    before = rows.read_bytes()
    assert CliRunner().invoke(study.main, arguments).exit_code == 0
    assert rows.read_bytes() == before, "a round that found nothing is the last one"


def test_without_atheris_the_part_says_what_to_install(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setitem(sys.modules, "atheris", None)
    done = CliRunner().invoke(study.main, ["run", "fuzz", "--rows", str(tmp_path / "rows")])
    assert (done.exit_code, done.output) == (0, f"{fuzz.NOT_HERE}\n")


def test_what_was_found_is_looked_for_again_until_a_round_finds_nothing(
    one_target: Target, monkeypatch: pytest.MonkeyPatch
) -> None:
    begun: list[tuple[bytes, ...]] = []

    def fuzzed(name: str, seconds: float, known: list[bytes]) -> dict[str, Any]:
        begun.append(tuple(known))
        return {"target": name, "findings": []}

    monkeypatch.setattr(fuzz, "fuzzed", fuzzed)
    found = {"kind": "KeyError", "where": "a, b", "says": "", "input": base64.b64encode(b"{boom").decode()}
    first = {"target": "markdown", "findings": [found]}
    (second,) = fuzz.rounds([first], 1)
    assert (second["key"], begun) == ("markdown|1", [(b"{boom",)])
    assert list(fuzz.rounds([first, second], 1)) == []


# ---------------------------------------------------------------- the table


def a_round(number: int, *findings: Mapping[str, str]) -> dict[str, Any]:
    figures = {"seconds": 60.1, "processor_s": 20.4, "executions": 1_500, "reached": 90 + number}
    return {
        "part": "fuzz",
        "key": f"html|{number}",
        "target": "html",
        "what": "a page",
        "findings": findings,
        **figures,
    }


def test_the_table_tells_rounds_and_what_was_found_in_them() -> None:
    shown = base64.b64encode(b"<![>`" + b"x" * 200 + bytes(range(32, 127)) * 2 + b"yz").decode()
    one = {
        "kind": "ParserRejectedMarkup",
        "where": "benchmarks/formats/html.py, document",
        "says": "no",
        "input": shown,
    }
    two = {"kind": "no end", "where": "", "says": "", "input": base64.b64encode(b"[[").decode()}
    text = report.document([a_round(0, one, two), a_round(1, two)])
    assert "| html | a page | 60, 60 | 41 | 3,000 | 91 | 3 | 1 |" in text
    assert "- html: ParserRejectedMarkup in `benchmarks/formats/html.py, document` (no), for `` '<![>`" in text
    assert "xxx... !" in text, "repetitions are told once"
    assert "and 3 bytes more ``. Mended." in text
    assert "- html: no end, for `` '[[' ``. Not mended." in text
    assert "| html | a page | 60 | 20 | 1,500 | 90 | 0 | 0 |" in (clean := report.document([a_round(0)]))
    assert "Nothing was found." in clean
