"""`advisor predict`: answers new requests with what a run has fitted."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

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
    of standard input are answered. A line without an answer says why as its `problem`; where a server gave none, it ends with 1.
    Where something was looked up, `evidence` says what: characters `start` to `end` of a document, or an example.

    Example: advisor predict runs/first new.csv > answers.jsonl
    """
    from advisor.deploy.answering import answerer
    from advisor.deploy.guard_told import in_place_of_unsure
    from advisor.wording import counted
    from strategies.answers import is_lost
    from strategies.models.quiet import quiet

    inputs, unanswered = _inputs(run, requests), 0
    with quiet(), results_alone():
        known = answerer(run, candidate, task, allow_code)
        guarded = None if guard is None else known.guarded(guard)
        say(f"{counted(len(inputs), 'request')}, answered by {known.name}")
        if guarded is not None:
            say(in_place_of_unsure(guarded))
        for text, outcome in known.answers(inputs):
            row = _row(text, outcome, known.alone_from)
            unanswered += is_lost(outcome)
            if guarded is not None and guarded.holds_back(outcome):
                row = _held_back(row, guarded.says, guarded.problem(outcome))
            put(document(row, indent=None))
    if unanswered:
        say(f"{unanswered} of them got no answer from the server; each says why in its line, as its problem")
        ctx.exit(1)


def _inputs(run: Path, requests: Path | None) -> Sequence[str]:
    from advisor.deploy.answering import Kept
    from benchmarks.data.load import read_inputs
    from benchmarks.formats.clean import clean

    columns = Kept.of(run).columns
    found: Sequence[str]
    if requests is None:
        said = (clean(line, f"line {number} of standard input")[0] for number, line in enumerate(sys.stdin, start=1))
        found = [text.strip() for text in said if text.strip()]
    elif requests.is_file():
        read = read_inputs(requests, columns)
        found = read.texts
        for note in read.notes:
            say(f"note: {note}")
    else:
        raise BadInput(f"There is no file {requests}. Name one, or send one request a line to standard input.")
    if not found:
        raise BadInput("There are no requests. Write one a line.")
    return found


def _held_back(row: Mapping[str, Any], says: str, problem: str) -> dict[str, Any]:
    """The row without the answer that is not given, and without what that was read from. `problem`: with its form, if any; then
    it needs a person, however sure it was."""
    kept = {name: row[name] for name in ("sure", "alone") if name in row}
    wrong = {"problem": problem, **({"alone": False} if "alone" in row else {})} if problem else {}
    return {"input": row["input"], "answer": says, "held_back": True, **kept, **wrong}


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
