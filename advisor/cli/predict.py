"""`advisor predict`: answers new requests with what a run has fitted."""

from __future__ import annotations

import io
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, TextIO

import click

from advisor.cli.shown import document, say
from advisor.cli.streams import put, results_alone
from benchmarks.contract import BadInput

if TYPE_CHECKING:
    from strategies.contract import Evidence, Outcome


@click.command(name="predict", short_help="Answer new requests with what was fitted.")
@click.argument("run", type=click.Path(path_type=Path))
@click.argument("requests", type=click.Path(path_type=Path), required=False)
@click.option("--candidate", default="", help="An approach by its name in the table. Default: what the run recommends.")
@click.option("--task", default="", help="The run's task.yaml, where its models lie in folders of this machine.")
@click.option(
    "--guard",
    type=float,
    metavar="SHARE",
    help="Say that it is not known where the approach is unsure, or its answer is none that the task allows. At most this share "
    "of the right answers is to be lost: 0.05, 0.1, 0.2 or 0.3. With 0 only answers that the task does not allow are held back.",
)
@click.option("--allow-code", is_flag=True, help="Let a metric of your own (file.py:function) run its code.")
@click.pass_context
def command(
    ctx: click.Context,
    run: Path,
    requests: Path | None,
    candidate: str,
    task: str,
    guard: float | None,
    allow_code: bool,
) -> None:
    """Answer REQUESTS with what was fitted in the folder RUN (a run, or an export of one), one JSON object a line.

    REQUESTS is a JSONL, JSON, CSV or Parquet file with an input column, or a .txt with one request a line; without it lines
    of standard input are answered. A line of text that is a JSON object is read as a row. Every row gets one line, with its `id`
    where it has one; a line without an answer says why as its `problem`. It ends with 2 where rows could not be read, and else
    with 1 where a server gave no answer. Where something was looked up, `evidence` says what: characters `start` to `end` of a
    document, or an example.

    Example: advisor predict runs/first new.csv > answers.jsonl
    """
    from advisor.deploy.answering import answerer
    from advisor.deploy.guard_told import in_place_of_unsure
    from advisor.wording import counted
    from strategies.answers import is_lost
    from strategies.models.quiet import quiet

    rows, lost = _rows(run, requests), 0
    readable = [row["input"] for row in rows if "problem" not in row]
    with quiet(), results_alone():
        known = answerer(run, candidate, task, allow_code)
        guarded = None if guard is None else known.guarded(guard)
        say(f"{counted(len(rows), 'request')}, answered by {known.name}")
        if guarded is not None:
            say(in_place_of_unsure(guarded))
        answers = known.answers(readable)
        for row in rows:
            shown = dict(row)
            if "problem" not in row:
                text, outcome = next(answers)
                shown |= _row(text, outcome, known.alone_from)
                lost += is_lost(outcome)
                if guarded is not None and guarded.holds_back(outcome):
                    shown = _held_back(shown, guarded.says, guarded.problem(outcome))
            put(document(shown, indent=None))
    _end(ctx, len(rows) - len(readable), lost)


def _end(ctx: click.Context, unread: int, lost: int) -> None:
    """Says how many requests have no answer for a fault of the rows or of a server, and ends with the exit code of that."""
    if unread:
        say(f"{unread} of the requests could not be read; their lines say why, as their problem")
    if lost:
        say(f"{lost} of the requests got no answer from the server; their lines say why, as their problem")
    if unread or lost:
        ctx.exit(2 if unread else 1)


def _rows(run: Path, requests: Path | None) -> Sequence[Mapping[str, Any]]:
    from advisor.deploy.answering import Kept
    from benchmarks.data.requests import read_requests, requests_of

    columns = Kept.of(run).columns
    if requests is None:
        found = requests_of(enumerate(_stdin(), start=1), columns)
    elif requests.is_file():
        found = read_requests(requests, columns)
    else:
        raise BadInput(f"There is no file {requests}. Name one, or send one request a line to standard input.")
    for note in found.notes:
        say(f"note: {note}")
    if not found.rows:
        raise BadInput("There are no requests. Write one a line.")
    return found.rows


def _stdin() -> TextIO:
    """Standard input as UTF-8, whatever the terminal's is, as `predict.py` reads it; what is not becomes half characters."""
    if isinstance(sys.stdin, io.TextIOWrapper):
        sys.stdin.reconfigure(encoding="utf-8-sig", errors="surrogateescape", newline="\n")
    return sys.stdin


def _held_back(row: Mapping[str, Any], says: str, problem: str) -> dict[str, Any]:
    """The row without the answer that is not given, and without what that was read from. `problem`: with its form, if any; then
    it needs a person, however sure it was."""
    named = {name: row[name] for name in ("id", "input") if name in row}
    kept = {name: row[name] for name in ("sure", "alone") if name in row}
    wrong = {"problem": problem, **({"alone": False} if "alone" in row else {})} if problem else {}
    return {**named, "answer": says, "held_back": True, **kept, **wrong}


def _row(text: str, outcome: Outcome, alone_from: float | None) -> dict[str, Any]:
    """What is not known is left out."""
    from strategies.answers import sureness
    from strategies.contract import Abstention, Prediction

    if not isinstance(outcome, Prediction):
        problem = outcome.reason if isinstance(outcome, Abstention) else outcome.message
        return {"input": text, "answer": None, "problem": problem or "no answer"}
    row: dict[str, Any] = {"input": text, "answer": outcome.text}
    if (sure := sureness(outcome)) is not None:
        row["sure"] = round(sure, 4)
    if alone_from is not None:
        row["alone"] = sure is not None and sure >= alone_from
    if places := [_place(each) for each in outcome.evidence if each.document_id]:
        row["evidence"] = places
    return row


def _place(found: Evidence) -> dict[str, Any]:
    """As the program of an export names a passage; an example has no place in a document."""
    if not found.end:
        return {"example_id": found.document_id}
    return {"document_id": found.document_id, "start": found.start, "end": found.end}
