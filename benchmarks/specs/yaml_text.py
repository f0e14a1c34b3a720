"""Reads a YAML file into plain values, with the line of every key, and refuses what a task spec has no use for."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from benchmarks.contract import BadInput
from benchmarks.formats import reader

MAX_BYTES = 1_000_000
MAX_VALUES = 20_000
MAX_DEPTH = 30
SPECS = (".yaml", ".yml", ".json")
"""Endings of files that may be a spec, though they may hold data as well."""

Place = tuple[str | int, ...]


@dataclass(frozen=True, kw_only=True)
class YamlText:
    """The values of a YAML file, and the line (from 1) on which each key or entry stands."""

    name: str
    values: dict[str, Any]
    lines: dict[Place, int]

    def where(self, place: Place) -> str:
        """`task.yaml:7`, for the nearest enclosing place whose line is known."""
        while place and place not in self.lines:
            place = place[:-1]
        return f"{self.name}:{self.lines[place]}" if place else self.name


class _TooDeep(yaml.YAMLError):
    """Brackets within brackets, which the library takes seconds for where there are a thousand."""


class _Loader(yaml.SafeLoader):
    """YAML 1.2 scalars: only true and false are truth values, so that `labels: [yes, no]` stays two words."""

    def fetch_flow_collection_start(self, TokenClass: Any) -> None:  # noqa: N803
        if self.flow_level > MAX_DEPTH:
            raise _TooDeep
        super().fetch_flow_collection_start(TokenClass)


_Loader.yaml_implicit_resolvers = {}
for _tag, _pattern, _first in (
    ("null", r"~|null|Null|NULL|", ["~", "n", "N", ""]),
    ("bool", r"true|True|TRUE|false|False|FALSE", list("tTfF")),
    ("int", r"[-+]?[0-9][0-9_]*", list("-+0123456789")),
    (
        "float",
        r"[-+]?((\.[0-9]+|[0-9][0-9_]*\.[0-9]*)([eE][-+]?[0-9]+)?|[0-9]+[eE][-+]?[0-9]+|\.(?i:inf))|\.(?i:nan)",
        list("-+.0123456789"),
    ),
):
    _Loader.add_implicit_resolver(f"tag:yaml.org,2002:{_tag}", re.compile(f"^(?:{_pattern})$"), _first)


def read_yaml(path: Path) -> YamlText:
    """Reads the mapping of a YAML file.

    Raises `BadInput`, with file and line, for what cannot be read, is larger than 1 MB, repeats a key, names a tag,
    or unfolds through aliases into more than 20,000 values.
    """
    if path.suffix.lower() not in SPECS and hasattr(reader(path.name), "records") and path.is_file():
        proposed = shlex.join(["advisor", "init", str(path)])
        raise BadInput(f'"{path.name}" is data, not a task spec. `{proposed}` writes one for it.')
    text = _text(path)
    try:
        node = yaml.compose(text, Loader=_Loader)
    except (_TooDeep, RecursionError):
        raise BadInput(f"{path.name} is nested too deeply; {MAX_DEPTH} levels are allowed. Make it flatter.") from None
    except yaml.MarkedYAMLError as error:
        raise BadInput(_says(path.name, text, error)) from None
    except yaml.YAMLError as error:
        said = str(error).splitlines()[0]
        raise BadInput(f"{path.name} is not a YAML file: {said}. Save it as plain UTF-8 text.") from None
    except (ValueError, OverflowError):
        raise BadInput(
            f"{path.name} escapes a character that does not exist. Write it as it is, without a \\U."
        ) from None
    if node is None:
        raise BadInput(f"{path.name} is empty. Write at least name, instruction, examples and target.")
    if not isinstance(node, yaml.MappingNode):
        raise BadInput(f"{path.name}:1: a task spec is lines of the form `key: value`. Start with `name: my-task`.")
    if node.tag != "tag:yaml.org,2002:map":
        raise BadInput(f"{path.name}:1: the tag {node.tag} is not allowed. Write the keys without a tag.")
    converter = _Converter(path.name)
    return YamlText(name=path.name, values=converter.mapping(node, ()), lines=converter.lines)


def _text(path: Path) -> str:
    if not path.exists():
        raise BadInput(
            f'The task spec "{path.name}" does not exist in {_shown(path.parent)}. `advisor init FILE` writes one.'
        )
    if path.is_dir():
        named = path.name or path
        raise BadInput(f'"{named}" is a folder. Name the task spec in it, such as {named}/task.yaml.')
    if not path.is_file():
        raise BadInput(f'"{path.name}" is not a regular file. Name a task spec, such as task.yaml.')
    try:
        with path.open("rb") as file:
            raw = file.read(MAX_BYTES + 1)
    except OSError as error:
        raise BadInput(
            f'The task spec "{path.name}" cannot be read: {error.strerror}. Check its permissions.'
        ) from None
    if len(raw) > MAX_BYTES:
        raise BadInput(f"{path.name} is larger than 1 MB. A task spec names its data files; keep the data outside it.")
    try:
        return raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = raw.count(b"\n", 0, error.start) + 1
        raise BadInput(f"{path.name}:{line}: the text is not UTF-8. Save the file with the encoding UTF-8.") from None


def _shown(folder: Path) -> str:
    return "this folder" if str(folder) in (".", "") else f'"{folder.name or folder}"'


def _says(name: str, text: str, error: yaml.MarkedYAMLError) -> str:
    mark = error.problem_mark or error.context_mark
    line = f":{mark.line + 1}" if mark else ""
    problem = error.problem or "it cannot be read"
    if "\\t" in problem or "'\t'" in problem:
        return f"{name}{line}: a tab stands where spaces are wanted. Indent with spaces."
    key_in_text = "mapping values are not allowed" in problem
    if key_in_text and mark and ": " in text[mark.index - mark.column : mark.index]:
        return f'{name}{line}: a second ": " stands in this line. Put the text in quotes.'
    if key_in_text or problem == "expected <block end>, but found '<block mapping start>'":
        return (
            f"{name}{line}: this line is indented further than the key above it, as if it were more of what stands there. "
            "Begin it where that key begins, or put a text of several lines in quotes."
        )
    return f"{name}{line}: this is not valid YAML ({problem}). Write `key: value`, and put texts with : or # in quotes."


class _Converter:
    """Turns nodes into plain values, and counts them as they would be written out, aliases included."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.lines: dict[Place, int] = {}
        self._left = MAX_VALUES

    def _refuse(self, node: yaml.Node, says: str) -> BadInput:
        return BadInput(f"{self.name}:{node.start_mark.line + 1}: {says}")

    def mapping(self, node: yaml.MappingNode, place: Place) -> dict[str, Any]:
        values: dict[str, Any] = {}
        for key, value in self._pairs(node):
            if key.value in values:
                first = self.lines[(*place, key.value)]
                raise self._refuse(key, f'"{key.value}" is already written in line {first}. Keep one of the two lines.')
            self.lines[(*place, key.value)] = key.start_mark.line + 1
            values[key.value] = self._value(value, (*place, key.value))
        return values

    def _pairs(self, node: yaml.MappingNode) -> Iterator[tuple[yaml.ScalarNode, yaml.Node]]:
        for key, value in node.value:
            if not isinstance(key, yaml.ScalarNode):
                raise self._refuse(key, "a key is a single word. Write `key: value`.")
            yield key, value

    def _value(self, node: yaml.Node, place: Place) -> Any:
        self._left -= 1
        if self._left < 0:
            raise self._refuse(
                node,
                f"the file unfolds into more than {MAX_VALUES:,} values. Write the values out without & and *, "
                "or name a file in their place.",
            )
        if len(place) > MAX_DEPTH:
            raise self._refuse(node, f"the values are nested deeper than {MAX_DEPTH} levels. Make them flatter.")
        if isinstance(node, yaml.MappingNode) and node.tag == "tag:yaml.org,2002:map":
            return self.mapping(node, place)
        if isinstance(node, yaml.SequenceNode) and node.tag == "tag:yaml.org,2002:seq":
            for index, item in enumerate(node.value):
                self.lines[(*place, index)] = item.start_mark.line + 1
            return [self._value(item, (*place, index)) for index, item in enumerate(node.value)]
        if isinstance(node, yaml.ScalarNode):
            return self._scalar(node, place)
        raise self._refuse(node, f"the tag {node.tag} is not allowed. Write the value without a tag.")

    def _scalar(self, node: yaml.ScalarNode, place: Place) -> Any:
        text = str(node.value)
        kind = node.tag.removeprefix("tag:yaml.org,2002:")
        if kind == "str" or (place[0] == "labels" and text and kind in ("null", "bool", "int", "float")):
            return text  # a label such as no, 01 or null is a word here
        if kind == "null":
            return None
        if kind == "bool":
            return text.lower() == "true"
        if kind not in ("int", "float"):
            raise self._refuse(node, f"the tag {node.tag} is not allowed. Write the value without a tag.")
        if len(text) > 40:
            raise self._refuse(node, "a number has more than 40 digits. Put it in quotes if it is a text.")
        number = text.replace("_", "").lower()
        try:
            return int(number) if kind == "int" else float(number.replace(".inf", "inf").replace(".nan", "nan"))
        except ValueError:
            raise self._refuse(node, f'"{text}" is not a number. Put it in quotes if it is a text.') from None
