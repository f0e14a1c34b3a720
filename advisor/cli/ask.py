"""`advisor ask`: what to try first and what cannot help, from a few answers or a look at the data, before any run."""

from __future__ import annotations

import sys
from dataclasses import asdict, replace
from typing import TYPE_CHECKING, Any

import click

from advisor.cli.given import ALLOW_REMOTE, SHARE
from advisor.cli.program import line
from advisor.cli.shown import broken, document
from benchmarks.contract import BadInput

if TYPE_CHECKING:
    from advisor.asking import Advice, Asked

KINDS = ("classification", "extraction", "qa", "generation")
DOCUMENTS = {"none": (False, 0.0), "some": (True, 0.2), "most": (True, 0.9)}
CHANGES = ("never", "yearly", "monthly", "daily")
QUESTIONS = {
    "kind": ("What comes out: a label, fields, the answer to a question, or a text?", click.Choice(KINDS)),
    "examples": ("How many examples with their right answers are there?", click.IntRange(0)),
    "labels": ("How many different labels?", click.IntRange(2)),
    "documents": ("Do the answers stand in documents of yours?", click.Choice(list(DOCUMENTS))),
    "facts_change": ("How often do the facts behind the answers change?", click.Choice(CHANGES)),
    "volume": ("How many requests a month?", click.IntRange(1)),
    "data_stays_here": ("Must the data stay on your machines?", click.BOOL),
    "target": ("Which share of answers must be right (0.9 for 90 %)?", SHARE),
}
"""In the order in which they are asked."""
NEEDED = ("kind", "examples")


@click.command(name="ask", short_help="Say what to try first, before any run.")
@click.argument("task", required=False)
@click.option("--kind", type=QUESTIONS["kind"][1], help="What comes out.")
@click.option("--examples", type=QUESTIONS["examples"][1], help="Examples with their right answers.")
@click.option("--labels", type=QUESTIONS["labels"][1], help="Different labels of a classification.")
@click.option("--documents", type=QUESTIONS["documents"][1], help="How many answers stand in documents.")
@click.option("--facts-change", type=QUESTIONS["facts_change"][1], help="How often facts change.")
@click.option("--volume", type=QUESTIONS["volume"][1], help="Requests a month.")
@click.option("--data-stays-here/--data-may-leave", default=None, help="Who may see the data.")
@click.option("--target", type=QUESTIONS["target"][1], help="Share of answers that must be right.")
@ALLOW_REMOTE
@click.option("--json", "as_json", is_flag=True, help="One JSON document instead of text.")
def command(task: str | None, as_json: bool, **given: Any) -> None:
    """Say what to try first, what cannot help and why, and what finding out takes. Nothing runs.

    With TASK (a task.yaml, or a task by name) the data answers what it can. What is open is asked in a terminal; in a
    script give it by options. Example: advisor ask --kind qa --examples 200 --documents most --facts-change monthly
    """
    from advisor.asking import advise_before

    asked = _of_task(task, given) if task else _of_answers(given)
    advice = advise_before(asked)
    if as_json:
        click.echo(document({"asked": asdict(asked), "advice": asdict(advice)}, 1))
        return
    click.echo(_text(advice))


def _of_task(task: str, given: dict[str, Any]) -> Asked:
    """The data says what kind of task it is and how much there is of it; the person says the rest."""
    from advisor.asking import Asked
    from advisor.found import find
    from advisor.triage import Situation

    for name in ("kind", "examples", "labels", "documents"):
        if given[name] is not None:
            raise BadInput(f"--{name} is what the data of {task} says. Leave it out, or leave out the task.")
    assembly = find(task, given["allow_remote"]).assembled()
    benchmark, spec = assembly.benchmark, assembly.spec
    known = given | {
        "volume": given["volume"] or benchmark.volume,
        "target": given["target"] or benchmark.target,
        "data_stays_here": given["data_stays_here"] or spec.constraints.data_stays_here or None,
    }
    told = ["kind", "examples", "labels", "documents", *(["target"] if benchmark.margin is not None else [])]
    answers = _completed(known, [name for name in QUESTIONS if name not in told])
    return Asked(
        situation=replace(Situation.of(benchmark.task), facts_change=answers["facts_change"]),
        heldout=assembly.summary.heldout,
        look=benchmark.look.number,
        margin=benchmark.margin,
        approaches=assembly.decidable.candidates if assembly.decidable else 8,
        procedure=benchmark.procedure,
        **{name: answers[name] for name in ("target", "data_stays_here", "volume")},
    )


def _of_answers(given: dict[str, Any]) -> Asked:
    from advisor.asking import Asked
    from advisor.triage import Situation

    answers = _completed(given, [name for name in QUESTIONS if name != "labels"])
    labels = answers["labels"]
    if answers["kind"] == "classification":
        labels = _completed(answers, ["labels"])["labels"]
    documents, found = DOCUMENTS[answers["documents"] or "none"]
    situation = Situation(
        kind=answers["kind"],
        examples=answers["examples"],
        labels=labels or 0,
        documents=documents,
        found=found,
        counted=False,
        facts_change=answers["facts_change"],
    )
    return Asked(situation=situation, **{name: answers[name] for name in ("target", "data_stays_here", "volume")})


def _completed(given: dict[str, Any], names: list[str]) -> dict[str, Any]:
    """Asks for what is open where somebody sits at a terminal; else the most needed must have been given."""
    answers = dict(given)
    for name in names:
        if answers[name] is not None:
            continue
        if sys.stdin.isatty() and sys.stderr.isatty():
            answers[name] = click.prompt(QUESTIONS[name][0], type=QUESTIONS[name][1], err=True)
        elif name in NEEDED:
            example = line("ask", "--kind", "classification", "--labels", "20", "--examples", "300", "--target", "0.9")
            raise BadInput(
                f"--{name} is not given, and nobody can be asked here. Write, for instance: {example}, or name a task."
            )
    return answers


def _text(advice: Advice) -> str:
    parts = (
        ("What to try", advice.first),
        ("Why", advice.why),
        ("What cannot help here", advice.cannot),
        ("To find out", advice.finding_out),
    )
    lines: list[str] = []
    for title, sentences in parts:
        if sentences:
            lines += ["", title, *(broken(f"- {sentence}", sys.stdout.isatty()) for sentence in sentences)]
    return "\n".join(lines[1:])
