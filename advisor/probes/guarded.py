"""What it costs, and what it saves, that an approach says that it does not know where it is unsure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from advisor.material import Material
from advisor.reports.markdown import literal
from advisor.wording import NONE, counted, listed, percent, plain_percent
from benchmarks.checked import Guard, Held
from benchmarks.contract import Evaluation, Metric
from benchmarks.evaluation.guard import SAYS
from benchmarks.evaluation.misfits import FORMS

if TYPE_CHECKING:
    from advisor.deploy.holding import Guarded

WORTH = 0.25
"""Share of what is wrong from which on it is proposed to hold it back."""
_COLUMNS = {
    False: ("wrong ones held back", "right ones lost"),
    True: ("lacking points held back", "scored points lost"),
}
"""Of answers, and of points where answers may be partly right."""


def chosen(found: Guard) -> Held:
    """The one that is shown where one is: it loses the fewest right answers."""
    return found.held[1]


def as_fact(found: Guard) -> dict[str, Any]:
    """In plain values; what stands in place of an answer is None where it is the answer of some examples."""
    return asdict(found) | ({} if found.says == SAYS else {"says": None})


def guard_columns(evaluations: Sequence[Evaluation]) -> tuple[str, ...]:
    """Beside how right the surest answers are; none where there is no threshold."""
    guards = [each.guard for each in evaluations if each.guard is not None]
    asked = (
        ("says that there is no answer, rightly", "and wrongly") if any(each.unanswerable for each in guards) else ()
    )
    return (*_COLUMNS[any(each.graded for each in guards)], *asked) if guards else ()


def guard_cells(found: Guard | None, columns: Sequence[str]) -> tuple[str, ...]:
    """As many as there are columns."""
    if found is None:
        return (NONE,) * len(columns)
    return (percent(chosen(found).stopped), percent(chosen(found).lost), *refusals(found, chosen(found)))[
        : len(columns)
    ]


def refusals(found: Guard, held: Held) -> tuple[str, ...]:
    """Of the questions without an answer and of the others how many get none."""
    others = found.cases - found.unanswerable
    return f"{held.refused:,} of {found.unanswerable:,}", f"{held.wrongly_refused:,} of {others:,}"


def rather_silent(material: Material) -> Iterator[str]:
    """One next step for the approach that the story is about, where holding back is worth it."""
    found = material.evaluations[material.named].guard if material.named is not None else None
    if found is None or chosen(found).stopped < WORTH:
        return
    held = chosen(found)
    yield (
        f"Where no answer is better than a wrong one, let {material.named} say that it does not know when it is unsure "
        f"(`advisor predict RUN new.csv --guard {held.at_most:g}`): of {counted(found.cases, 'held-out case')} it then answers "
        f"{held.answered:,}, {right(held, material.benchmark.metric)}; {_held_back(found, held)}."
    )


def in_place_of_unsure(guarded: Guarded) -> str:
    """What is said below the threshold, and what that did where it was measured."""
    found, held = guarded.guard, guarded.held
    if found is None or held is None:
        return f'in place of an answer that the task does not allow stands "{guarded.says}"; nothing else is held back'
    return (
        f'below a sureness of {held.threshold:.4g} the answer is "{found.says}": of {counted(found.cases, "held-out case")} it '
        f"then answered {held.answered:,}; {_held_back(found, held, 'were')}"
    )


def _held_back(found: Guard, held: Held, are: str = "are") -> str:
    """What is stopped and what is lost, as a clause."""
    stopped, lost = percent(held.stopped), percent(held.lost)
    if found.graded:
        return f"{stopped} of the points that answers lack of a full score {are} held back, and {lost} of those that they score"
    return f"{stopped} of the wrong answers {are} held back, and {lost} of the right ones"


def right(held: Held, metric: Metric) -> str:
    """How right what is still answered is, as a clause."""
    good = "scoring {} on average" if metric.graded else "{} of them right"
    return f"{good.format(percent(held.figure))} ({held.lower * 100:.0f} to {held.upper * 100:.0f} %)"


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
        *_COLUMNS[found.graded],
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
            percent(held.stopped),
            percent(held.lost),
            *(refusals(found, held) if found.unanswerable else ()),
            percent(held.expected_answered),
            percent(held.expected_figure),
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
