"""The command line: the only place that prints, exits, and turns our errors into sentences."""

from __future__ import annotations

import difflib
import errno
import importlib
import os
import signal
import sys
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import click

from benchmarks.contract import BadInput, ScoreFailure
from benchmarks.storage.disk import disk_fault
from strategies.models.wheels import ModelUnavailable

COMMANDS = {
    "init": "advisor.cli.init",
    "ask": "advisor.cli.ask",
    "check": "advisor.cli.check",
    "run": "advisor.cli.run",
    "runs": "advisor.cli.runs",
    "report": "advisor.cli.report",
    "compare": "advisor.cli.compare",
    "judge": "advisor.cli.judge",
    "export": "advisor.cli.export",
    "predict": "advisor.cli.predict",
    "gate": "advisor.cli.gate",
    "price": "advisor.cli.price",
    "tasks": "advisor.cli.tasks",
    "models": "advisor.cli.models",
    "doctor": "advisor.cli.doctor",
}
"""In the order in which a person needs them; imported when they are called."""
UNUSABLE = (errno.ENOTDIR, errno.EISDIR, errno.EACCES, errno.EPERM, errno.ENAMETOOLONG, errno.ELOOP)
"""What the system says of a path that was given and cannot be what it is given for."""
USAGE, OURS, INTERRUPTED, TERMINATED = 2, 1, 130, 143
UNREAD = 141
"""Whoever read the output went away, as `head` does: what a shell says of programs that this ends."""


class Commands(click.Group):
    """Imports a command when it is called, and says which one was probably meant."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in COMMANDS:
            return None
        command: click.Command = importlib.import_module(COMMANDS[cmd_name]).command
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        if args and args[0] not in COMMANDS:
            from advisor.cli.program import line

            near = difflib.get_close_matches(args[0], COMMANDS, 1)
            hint = f" Did you mean `{line(near[0])}`?" if near else f" There are {', '.join(COMMANDS)}."
            raise click.UsageError(f"There is no command `{args[0]}`.{hint}")
        return super().resolve_command(ctx, args)

    def invoke(self, ctx: click.Context) -> Any:
        """A mistake in what was given becomes one sentence and exit code 2."""
        try:
            return super().invoke(ctx)
        except OSError as error:
            if error.errno not in UNUSABLE or error.filename is None:
                raise
            raise Given(
                f"{os.fspath(error.filename)[-80:]} cannot be used: {os.strerror(error.errno).lower()}. Correct the path, or its "
                "permissions."
            ) from None
        except ScoreFailure as error:
            resumes = has_resume([ctx.invoked_subcommand or ""])
            further = (
                "what was finished is kept, and --resume goes on" if resumes else "then give the same command again"
            )
            raise Given(f"{str(error).rstrip('.')}. Correct the metric; {further}.") from None
        except (BadInput, ModelUnavailable) as error:
            raise Given(str(error)) from None


class Given(click.ClickException):
    """One sentence on stderr, exit code 2; a command that it names is called as this program was."""

    exit_code = USAGE

    def show(self, file: Any = None) -> None:
        from advisor.cli.program import line
        from advisor.cli.shown import say

        say(self.message.replace("`advisor ", f"`{line()} "))


@click.group(cls=Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="finetune-advisor", prog_name="advisor")
def main() -> None:
    """Should we fine-tune? Compares prompting, retrieval, LoRA and simpler methods on your task, and recommends.

    Start with a file of examples: advisor init my.csv, then advisor check task.yaml, then advisor run task.yaml.
    """


class Terminated(KeyboardInterrupt):
    """Somebody asked the process to end (SIGTERM): it ends as if interrupted at the keyboard."""


@contextmanager
def _ending_orderly() -> Iterator[None]:
    def end(*_: object) -> None:
        raise Terminated

    before = signal.signal(signal.SIGTERM, end)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def run_command_line(arguments: Sequence[str] | None = None) -> None:
    """Runs the command and exits: 0 met, 100 not met, 101 undecided, 2 bad input, 1 our fault, 130 interrupted, 141 unread,
    143 ended."""
    from advisor.cli.streams import leave_unread, prepare

    prepare()
    with _ending_orderly():
        try:
            code = _code_of(arguments)
        except BrokenPipeError:  # Not even the last words are read.
            code = UNREAD
    if code == UNREAD:
        leave_unread()
    if code in (INTERRUPTED, TERMINATED):
        _leave_at_once(code)
    sys.exit(code if isinstance(code, int) else 0)


def _leave_at_once(code: int) -> None:
    """Where somebody interrupted twice while a server was answering, nobody waits for it any more."""
    from strategies.models.endpoint import ASKING

    if any(thread.name.startswith(ASKING) for thread in threading.enumerate()):
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)


def _code_of(arguments: Sequence[str] | None) -> Any:
    from advisor.cli.again import say_interrupted
    from advisor.cli.shown import say

    given = list(sys.argv[1:] if arguments is None else arguments)
    try:
        return main.main(args=list(given), obj=given, standalone_mode=False, complete_var="_ADVISOR_COMPLETE")
    except (click.exceptions.Abort, KeyboardInterrupt) as error:
        cause = error.__cause__ or error
        say_interrupted(cause)
        return TERMINATED if isinstance(cause, Terminated) else INTERRUPTED
    except (Given, click.exceptions.NoArgsIsHelpError) as error:
        error.show()
        return error.exit_code
    except click.ClickException as error:
        _show_usage(error)
        return error.exit_code
    except SystemExit as ended:  # So click and rich end where nobody reads; what a command ends with is returned.
        if ended.code != OURS:
            raise
        return UNREAD
    except Exception as error:
        if os.environ.get("ADVISOR_TRACEBACK"):
            raise
        say(_sentence(error, has_resume(given)))
        return OURS


def _show_usage(error: click.ClickException) -> None:
    """The sentence first and no word before it, as with our own, then how the command is called."""
    from advisor.cli.program import line
    from advisor.cli.shown import say

    say(error.format_message())
    if isinstance(error, click.UsageError) and error.ctx is not None:
        words = error.ctx.command_path.removeprefix(error.ctx.find_root().command_path).split()
        usage = " ".join(error.ctx.command.collect_usage_pieces(error.ctx))
        say(f"Usage: {line(*words)} {usage}")
        say(f"More: {line(*words, '--help')}")


def has_resume(given: Sequence[str]) -> bool:
    """Whether what was given calls a command that can go on where it stopped."""
    if not given or given[0] not in COMMANDS or not {"--help", "-h"}.isdisjoint(given):
        return False
    command = main.get_command(click.Context(main), given[0])
    return command is not None and any(option.name == "resume" for option in command.params)


def _sentence(error: Exception, resumes: bool) -> str:
    """What to do about a fault that is not the person's own."""
    if refused := disk_fault(error):
        if not resumes:
            return f"Nothing more could be written: {refused}. Put that right, then give the same command again."
        return (
            f"Nothing more could be written: {refused}. What was finished is kept: put that right, then the same command with "
            "--resume goes on."
        )
    return (
        f"This is a fault of the program ({type(error).__name__}: {error}). What was finished is kept. "
        "Set ADVISOR_TRACEBACK=1 and run again to see where it happened."
    )
