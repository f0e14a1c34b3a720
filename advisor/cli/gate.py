"""`advisor gate`: fails a build where what was exported no longer does what it did."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from advisor.cli.given import SHARE
from advisor.cli.program import line
from advisor.cli.shown import say, shown
from advisor.cli.streams import one_document, put

if TYPE_CHECKING:
    from advisor.deploy.gate import Check

FAILED = 100


@click.command(name="gate", short_help="Fail a build if an export got worse.")
@click.argument("export", type=click.Path(path_type=Path))
@click.argument("cases", type=click.Path(path_type=Path))
@click.option("--target", type=SHARE, help="Another target than that of the run.")
@click.option("--task", default="", help="The run's task.yaml, where its models lie in folders of this machine.")
@click.option("--allow-code", is_flag=True, help="Let a metric of your own (file.py:function) run its code.")
@click.option("--json", "as_json", is_flag=True, help="One JSON document instead of sentences.")
@click.pass_context
@one_document
def command(
    ctx: click.Context, export: Path, cases: Path, target: float | None, task: str, allow_code: bool, as_json: bool
) -> None:
    """Answer CASES (inputs with their right answers) with the export in the folder EXPORT and compare.

    Ends with 100 where it is shown to miss its target, or to be worse than when it was measured on the same cases, and with 0
    otherwise. Examples that it learnt from are left out, also where they differ in case or punctuation; near copies of them
    cannot be seen, since they are known by hashes. Nothing is compared on cases whose right answer was corrected since.
    Right answers that the export cannot give are named; where the file holds no others it ends with 2.

    Each build is a test of its own. An export that answers as ever never gets worse; where answers may vary (a model on a server,
    a temperature above 0) up to 1 in 40 builds that changed nothing fails as worse by chance, and of exports that lie just at
    their target 1 in 20 as missing it on other cases.

    Example: advisor gate ticket-router heldout.jsonl
    """
    from advisor.deploy.gate import check
    from strategies.models.quiet import quiet

    with quiet():
        found = check(export, cases, task, target, allow_code)
    for note in found.notes:
        say(f"note: {note}")
    put(json.dumps(_document(found), indent=2) if as_json else "\n".join(map(shown, _sentences(found))))
    if not as_json:
        say(f"To see each answer: {line('predict', str(export), str(cases))}")
    ctx.exit(FAILED if found.failed else 0)


def _sentences(found: Check) -> list[str]:
    from advisor.deploy.gate import first_few
    from advisor.wording import ceil_percent, counted, floor_percent, percent, plain_percent, points, probability, start

    reached = f"{start(found.name)} reaches {percent(found.figure)} on {counted(found.cases, 'case')}"
    if found.target is None:
        told = [f"{reached}; there is no target."]
    else:
        low, high = floor_percent(found.lower, found.target), ceil_percent(found.upper, found.target)
        goal = plain_percent(found.target)
        against = {
            "meets": f"at least {low} % with 95 % confidence, which meets the target of {goal}",
            "misses": f"at most {high} % with 95 % confidence, which misses the target of {goal}",
        }.get(
            str(found.state),
            f"between {low} and {high} %, so the target of {goal} is neither met nor missed for certain",
        )
        told = [f"{reached}, {against}."]
    if found.figure_only:
        told.append(
            "This metric is a figure of all answers together, and the export does not hold the earlier ones, so nothing is "
            "compared. Where the task has labels, export again."
        )
    elif found.change is None:
        of_these = f"Only {counted(found.shared, 'case')} of these were measured before"
        told.append(f"{of_these}{' by the same right answers' if found.relabelled else ''}, so nothing is compared.")
    else:
        now = f"{points(found.change.difference)} on {counted(found.shared, 'case')} that were measured before"
        told.append(
            f"{now} (p {probability(found.change.p_value)}): {'worse than then' if found.worse else 'no worse than then'}."
        )
        if found.may_vary:
            told.append(
                "It may answer otherwise each time, and was chosen for the answers of then, which may have been lucky ones: it "
                f"counts as worse from p {found.level:g} down."
            )
    if found.relabelled:
        left_out = counted(found.relabelled, "case")
        told.append(f"Not compared: {left_out} with another right answer than when it was measured.")
    if found.learnt:
        told.append(
            f"Left out: {counted(found.learnt, 'case')} among the examples that it learnt from. Near copies of these cannot be "
            "seen."
        )
    if found.impossible:
        told.append(
            f"In {counted(found.impossible, 'case')} the right answer is none that the export can give "
            f"({first_few(found.impossible_answers)}), which counts all the same."
        )
    return [*told, "Failed." if found.failed else "Passed."]


def _document(found: Check) -> dict[str, Any]:
    change = found.change
    return {
        "name": found.name,
        "passed": not found.failed,
        "cases": found.cases,
        "learnt": found.learnt,
        "figure": found.figure,
        "target": found.target,
        "state": str(found.state),
        "lower": found.lower,
        "upper": found.upper,
        "shared": found.shared,
        "relabelled": found.relabelled,
        "impossible": found.impossible,
        "difference": None if change is None else change.difference,
        "difference_interval": None if change is None else [change.low, change.high],
        "p_value": None if change is None else change.p_value,
        "level": found.level,
        "worse": found.worse,
    }
