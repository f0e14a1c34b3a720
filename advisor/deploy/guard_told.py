"""How the guard of an export is told: on its card, and while it answers."""

from __future__ import annotations

from advisor.deploy.holding import Guarded
from advisor.probes.guarded import COLUMNS, held_back, refusals, share
from advisor.reports.markdown import literal
from advisor.wording import counted, listed, percent, plain_percent
from benchmarks.checked import Guard
from benchmarks.contract import Evaluation
from benchmarks.evaluation.guard import SAYS
from benchmarks.evaluation.misfits import FORMS


def in_place_of_unsure(guarded: Guarded) -> str:
    """What is said below the threshold, and what that did where it was measured."""
    found, held = guarded.guard, guarded.held
    if found is None or held is None:
        return f'in place of an answer that the task does not allow stands "{guarded.says}"; nothing else is held back'
    return (
        f'below a sureness of {held.threshold:.4g} the answer is "{found.says}": of {counted(found.cases, "held-out case")} it '
        f"then answered {held.answered:,}; {held_back(found, held, 'were')}"
    )


def forms_card(evaluation: Evaluation) -> list[str]:
    """For the card of an export: how many wrong answers the task did not allow, where there were any, as Markdown."""
    counts = {name: evaluation.failures[name] for name in FORMS if evaluation.failures.get(name)}
    if not counts:
        return []
    told = listed([f"{count:,} {name}" for name, count in counts.items()])
    cases, says = len(evaluation.scores), SAYS if evaluation.guard is None else literal(evaluation.guard.says)
    return [
        f"Wrong in {counted(cases, 'held-out case')} and no answer that the task allows: {told}. With `--guard 0`, "
        f'`advisor predict` says "{says}" in place of answers of such a form.',
        "",
    ]


def guard_card(found: Guard) -> list[str]:
    """For the card of an export: all thresholds, as Markdown."""
    asked = ("says that there is no answer, rightly", "and wrongly") if found.unanswerable else ()
    columns = (
        "--guard",
        "answers",
        "right of these" if found.over_rows else "figure of these",
        "95 % interval",
        *COLUMNS[found.graded],
        *asked,
        "expected to answer",
        "expected of these",
    )
    rows = [
        (
            f"{held.at_most:g}" if held.at_most else "without",
            f"{held.answered:,} of {found.cases:,}",
            percent(held.figure),
            f"{held.lower * 100:.0f} to {held.upper * 100:.0f} %",
            share(held.stopped),
            share(held.lost),
            *(refusals(found, held) if found.unanswerable else ()),
            percent(held.expected_answered),
            share(held.expected_figure),
        )
        for held in found.held
    ]
    *most, last = [plain_percent(held.at_most) for held in found.held[1:]]
    shares = f"{', '.join(most)} or {last}" if most else last
    lost = "points that answers score" if found.graded else "right answers"
    return [
        "## Where it would rather not answer",
        "",
        f'With `--guard`, `advisor predict` and `predict.py` say "{literal(found.says)}" in place of an answer of which it is '
        f"unsure. The thresholds were set on the selection cases, so that at most {shares} of the {lost} are "
        "lost; this is what they did on the held-out cases:",
        "",
        *(f"| {' | '.join(row)} |" for row in (columns, ("---",) * len(columns), *rows)),
        "",
        "Expected: what the selection cases got, each under a threshold that was set on others.",
        "",
    ]
