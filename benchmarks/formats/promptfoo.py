"""promptfoo configurations: each test is an example, its variables are columns, its assertions say what is right."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from benchmarks.contract import BadInput
from benchmarks.formats.record import Record
from benchmarks.specs.paths import inside

SUFFIXES = (".yaml", ".yml")
_FILE, _EXPECTED = "file://", "__expected"
_STATES = ("equals", "icontains", "contains", "similar", "starts-with", "levenshtein", "rouge-n")
_STATES_ANY = ("contains-any", "icontains-any")
"""Assertions whose value is an answer, and those whose value lists answers of which one is enough."""
_PARTS, _ALL = ("contains", "icontains", "starts-with"), ("contains-all", "icontains-all")
"""Those whose value may be a part of an answer, and those whose value lists parts that all have to be there."""
_THRESHOLD = re.compile(r"\(\s*\d*\.?\d+\s*\)$")
_VARIABLE = re.compile(r"\{\{\s*([\w.-]+)\s*\}\}")


def records(path: Path) -> Iterator[Record]:
    """Yields one record a test: its variables, `output`, and `answers` where several are accepted.

    A single variable is the input. Nothing of the file is run: of its assertions only those count that state an answer.
    Raises `BadInput` for a test without one, and for tests that a program makes.
    """
    from benchmarks.specs.yaml_text import read_yaml

    values = read_yaml(path).values
    if "tests" not in values and {"instruction", "examples"} <= values.keys():
        raise BadInput(
            f"{path.name} is a task spec already, and no data. `advisor check` looks at it; name a data file for examples."
        )
    if "tests" not in values:
        raise BadInput(
            f"{path.name} is read as a promptfoo configuration, and has no tests. Name a data file, or add tests."
        )
    shared = values.get("defaultTest")
    shared = shared if isinstance(shared, Mapping) else {}
    tests = [(place, _merged(shared, test)) for place, test in _tests(path, values["tests"])]
    names = {name for _, test in tests for name in test["vars"]}
    for place, test in tests:
        yield Record(place, _values(test, names, f"{path.name}, {place}"))


def _tests(path: Path, tests: Any) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """Where each test stands, and the test; files that are named are read, and nothing else is."""
    entries = tests if isinstance(tests, list) else [tests]
    for number, entry in enumerate(entries, start=1):
        if isinstance(entry, Mapping):
            yield f"test {number}", entry
        elif isinstance(entry, str):
            yield from _of_file(path, entry)
        else:
            raise BadInput(f"{path.name}, test {number} is no test. Write vars and assert.")


def _of_file(path: Path, name: str) -> Iterator[tuple[str, Mapping[str, Any]]]:
    from benchmarks.formats import table

    name = name.removeprefix(_FILE)
    if not name.lower().endswith(table.SUFFIXES):
        raise BadInput(
            f"{path.name}: the tests in {name[:60]!r} are not read, only those that stand in the file and in CSV files beside it."
        )
    for place, row in table.records(inside(path.parent, name, "tests")):
        expected = [_stated(value) for column, value in row.items() if column.startswith(_EXPECTED) and value]
        columns = {column: value for column, value in row.items() if not column.startswith("__")}
        yield f"{name}, {place}", {"vars": columns, "assert": expected}


def _stated(text: str) -> Mapping[str, Any]:
    """An expectation in a cell: `contains: Paris`, `contains-any: a, b`, `similar(0.8): Hello`; without such a word before a
    colon the text itself."""
    kind, colon, value = text.partition(":")
    kind = _THRESHOLD.sub("", kind.strip())
    if not colon or not (kind.replace("-", "").isalpha() and kind.islower()):
        return {"type": "equals", "value": text}
    several = [one.strip() for one in value.split(",")]
    return {"type": kind, "value": several if kind in (*_STATES_ANY, *_ALL) else value.strip()}


def _merged(shared: Mapping[str, Any], test: Mapping[str, Any]) -> dict[str, Any]:
    variables = [part.get("vars") for part in (shared, test)]
    asserted = [part.get("assert") for part in (test, shared)]
    return {
        "vars": {name: value for part in variables if isinstance(part, Mapping) for name, value in part.items()},
        "assert": [one for part in asserted if isinstance(part, list) for one in part if isinstance(one, Mapping)],
        "metadata": test.get("metadata"),
    }


def _values(test: Mapping[str, Any], names: set[str], where: str) -> dict[str, Any]:
    variables = dict(test["vars"])
    for name, value in variables.items():
        if isinstance(value, list):
            raise BadInput(f"{where}: the variable {str(name)[:40]} is a list. Write one test for each of its values.")
        if isinstance(value, str) and value.startswith(_FILE):
            raise BadInput(f"{where}: the variable {str(name)[:40]} leads to a file. Write its text into the test.")
    if len(names) == 1:
        variables = dict(zip(["input"], variables.values(), strict=False))
    answers = [_filled(answer, test["vars"], where) for answer in _answers(test["assert"], where)]
    described = {"metadata": test["metadata"]} if isinstance(test["metadata"], Mapping) else {}
    return {**variables, "output": answers[0], **({"answers": answers} if len(answers) > 1 else {}), **described}


def _answers(asserted: Sequence[Mapping[str, Any]], where: str) -> list[Any]:
    """What the assertions accept; `equals` comes before those that ask for less."""
    stated = sorted(
        (one for one in asserted if one.get("type") in _STATES and _plain(one.get("value"))),
        key=lambda one: _STATES.index(str(one["type"])),
    )
    if stated and stated[0]["type"] == "equals":
        return [stated[0]["value"]]
    whole = [one["value"] for one in stated if one["type"] not in _PARTS]
    parts = sorted((part for one in asserted for part in _parts(one)), key=lambda part: -len(str(part)))
    apart = [part for part in parts if str(part).casefold() not in str(parts[0]).casefold()]
    if apart and not whole:
        raise BadInput(
            f"{where} asserts several parts of an answer, {str(parts[0])[:60]!r} and {str(apart[0])[:60]!r} among them, and "
            "what is right is one text. Write the whole answer, of type equals, or leave the test out."
        )
    if parts or whole:
        return [parts[0] if parts and not apart else whole[0]]
    for one in asserted:
        several = one.get("value")
        if one.get("type") in _STATES_ANY and isinstance(several, list) and several and all(map(_plain, several)):
            return list(several)
    raise BadInput(
        f"{where} has no assertion that states an answer. Give it one of type equals, contains or "
        "contains-any, or leave the test out."
    )


def _parts(asserted: Mapping[str, Any]) -> list[Any]:
    """What an answer has to hold by this assertion, which may state no more of it."""
    kind, value = asserted.get("type"), asserted.get("value")
    given = value if kind in _ALL and isinstance(value, list) else [value] if kind in _PARTS else []
    return [part for part in given if _plain(part)]


def _filled(answer: Any, variables: Mapping[Any, Any], where: str) -> Any:
    """The answer with the values of the test in place of `{{name}}`. Raises `BadInput` where a template is left."""
    if isinstance(answer, Mapping):
        return {name: _filled(value, variables, where) for name, value in answer.items()}
    if isinstance(answer, list):
        return [_filled(value, variables, where) for value in answer]
    if not isinstance(answer, str):
        return answer
    text = _VARIABLE.sub(lambda found: str(variables.get(found[1], found[0])), answer)
    if "{{" in text or "{%" in text:
        raise BadInput(
            f"{where}: the right answer {answer[:60]!r} is a template, in which only variables of the test are filled in. "
            "Write the answer itself."
        )
    return text


def _plain(value: Any) -> bool:
    return isinstance(value, str | int | float | Mapping) and value != "" and not str(value).startswith(_FILE)
