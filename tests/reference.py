"""The reference of the commands as Markdown, made from what `--help` is made from, and the schema of report.json.

`python -m tests.reference` writes docs/commands.md and docs/report.schema.json anew.
"""

from __future__ import annotations

import inspect
import json
from collections.abc import Iterator
from pathlib import Path

import click

from advisor.cli import COMMANDS, main
from advisor.reports.json import schema

SCHEMA = Path(__file__).resolve().parent.parent / "docs" / "report.schema.json"
PAGE = Path(__file__).resolve().parent.parent / "docs" / "commands.md"
_HEAD = r"""# Commands

Made from the program by `python -m tests.reference`; `--help` of each command says the same.

A command ends with 0 when all is well, with 2 when something that you gave cannot be used, with 1 for a fault of the program,
the disk or (`predict`) a server, with 130 when it was interrupted and 143 when it was ended, and with 141 when the reader of its
output closed the pipe, as `head` does. `run` and `report` end with 0 when the target is met, 100 when nothing meets
it and 101 when that is not decided, or when it is met on cases that somebody was shown before; `gate` ends with 100 where what
was exported fails.

With `--json` a command that ends with 0, 100 or 101 has written one JSON document to standard output, and nothing else: what it
says besides, and what code of yours prints, goes to standard error. After
a mistake, a fault or an interruption only standard error has text.

To complete commands and options in a shell:

| shell | line for its start-up file |
|---|---|
| bash (4.4 or newer) | `eval "$(_ADVISOR_COMPLETE=bash_source advisor)"` in `~/.bashrc` |
| zsh | `eval "$(_ADVISOR_COMPLETE=zsh_source advisor)"` in `~/.zshrc` |
| fish | `_ADVISOR_COMPLETE=fish_source advisor \| source` in `~/.config/fish/config.fish` |
"""


def text() -> str:
    """The whole page."""
    context = click.Context(main, info_name="advisor")
    parts = [_HEAD]
    for name in COMMANDS:
        command = main.get_command(context, name)
        assert command is not None
        parts.append("\n".join(_section(name, command, context)))
    return "\n".join(parts)


def schema_text() -> str:
    """The schema of report.json."""
    return json.dumps(schema(), indent=1) + "\n"


def _section(name: str, command: click.Command, parent: click.Context) -> Iterator[str]:
    context = click.Context(command, info_name=name, parent=parent)
    pieces = " ".join(command.collect_usage_pieces(context))
    yield f"## advisor {name}\n"
    yield f"```text\nadvisor {name} {pieces}\n```\n"
    for paragraph in inspect.cleandoc(command.help or "").split("\n\n"):
        words = " ".join(paragraph.split())
        before, example, line = words.partition("Example: ")
        if before:
            yield f"{_escaped(before.strip())}\n"
        if example:
            yield f"```bash\n{line}\n```\n"
    options = [each for each in command.get_params(context) if isinstance(each, click.Option)]
    options = [each for each in options if "--help" not in each.opts]
    if options:
        yield "| option | what it does |\n|---|---|"
        for option in options:
            record = option.get_help_record(context)
            if record is not None:
                yield f"| `{_cell(record[0])}` | {_cell(_escaped(record[1]))} |"
        yield ""
    if isinstance(command, click.Group):
        for below, each in command.commands.items():
            yield from _section(f"{name} {below}", each, parent)


def _escaped(words: str) -> str:
    return words.replace("<", "&lt;").replace("*", "\\*").replace("_", "\\_")


def _cell(words: str) -> str:
    return words.replace("|", "\\|")


if __name__ == "__main__":
    PAGE.write_text(text(), encoding="utf-8")
    SCHEMA.write_text(schema_text(), encoding="utf-8")
