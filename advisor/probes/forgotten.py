"""What tuning cost elsewhere, beside what it gained: a sentence, and a table."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

from advisor.decision.forgetting import ratio_of
from advisor.drawn import Table
from advisor.material import Material
from advisor.wording import NONE, counted, digits, listed, percent, points, start
from benchmarks.checked import Forgetting, GeneralAnswers
from benchmarks.contract import Evaluation
from benchmarks.evaluation.cascade import APPROACH as CASCADE
from benchmarks.statistics.confidence import exact_interval


def what_it_forgot(evaluation: Evaluation) -> Iterator[str]:
    """One sentence on a candidate that was tuned."""
    found = evaluation.forgetting
    if found is None:
        yield f"Whether {evaluation.candidate} forgot other abilities was not measured."
        return
    whose = f"the tuned part of {evaluation.candidate}" if evaluation.approach == CASCADE else evaluation.candidate
    yield (
        f"{start(whose)} finds {counted(found.texts, 'general text')} {ratio_of(found)} times as hard to predict as its base "
        f"does (perplexity){_shown(found)}; in {percent(found.same)} of the places both predict the same next "
        f"token.{_answers_as_before(found.general)}"
    )


def _answers_as_before(found: GeneralAnswers | None) -> str:
    """A sentence with a space before it; empty where nothing was asked."""
    if found is None or not found.prompts:
        return ""
    worse = [
        f"{task.name} ({task.before:,} to {task.after:,} of {task.cases:,})" for task in found.tasks if task.upper < 0
    ]
    lost = f" It is shown to be worse at {listed(worse)}." if worse else ""
    return f" Of {counted(found.prompts, 'everyday prompt')} it answers {found.same:,} as its base does.{lost}"


def shown_to_forget(evaluation: Evaluation) -> bool:
    """Whether general text is more perplexing for it than for its base, beyond what other such texts would change."""
    return evaluation.forgetting is not None and evaluation.forgetting.lower > 1


def forgetting_table(material: Material) -> Table:
    """Gain on the task and price elsewhere, for each tuned candidate; no rows where none was measured.

    A cascade is none: what it gains is not its tuned part's alone, which has a row of its own."""
    rows = []
    lost = [each.forgetting for each in material.evaluations.values() if each.forgetting is not None]
    asked = any(each.general for each in lost)
    tasks = dict.fromkeys(task.name for each in lost if each.general for task in each.general.tasks)
    for status in material.suitable:
        evaluation = material.evaluations[status.candidate]
        found = evaluation.forgetting
        if found is None or evaluation.approach == CASCADE:
            continue
        rows.append(
            (
                status.candidate,
                _gain(evaluation, list(material.evaluations.values())),
                digits(found.before),
                digits(found.after),
                ratio_of(found),
                same_tokens(found),
                divergence(found),
                *([same_answers(found.general), *(_of_task(found.general, name) for name in tasks)] if asked else []),
            )
        )
    return Table(
        title="What tuning gained, and what it cost elsewhere",
        columns=(
            "approach",
            "gain on the task",
            "perplexity before",
            "after",
            "times",
            "same next token",
            "KL a token",
            *(["same answers", *tasks] if asked else []),
        ),
        rows=tuple(rows),
        note="Gain over the best that the same model reaches untuned. Perplexity of general text that has nothing to do with "
        "the task, in brackets the 95 % interval for other such texts: a model that only learned the task stays at 1. KL: "
        f"Kullback-Leibler divergence of the tuned model from its base in nats a token, 0 where nothing moved.{_also(asked)}"
        if rows
        else "",
        numeric=tuple(range(1, 7 + asked * (1 + len(tasks)))),
    )


def _also(asked: bool) -> str:
    if not asked:
        return ""
    return (
        " Same answers: everyday prompts, asked for the likeliest answer, at which it says what its base does, with the 95 % "
        "interval. Then right answers in general tasks, before and after, with the 95 % interval of the difference in points; "
        "only tasks at which the base is shown to be better than chance."
    )


def same_answers(found: GeneralAnswers | None) -> str:
    """Everyday prompts that are answered as by the base: `20 of 24 (63-95 %)`."""
    if found is None or not found.prompts:
        return NONE
    low, high = exact_interval(found.same, found.prompts)
    return f"{found.same:,} of {found.prompts:,} ({low * 100:.0f}-{high * 100:.0f} %)"


def _of_task(found: GeneralAnswers | None, name: str) -> str:
    """`20 to 14 of 24 (-45 to -3)`."""
    task = next((each for each in found.tasks if each.name == name), None) if found else None
    if task is None:
        return NONE
    return f"{task.before:,} to {task.after:,} of {task.cases:,} ({100 * task.lower:+.0f} to {100 * task.upper:+.0f})"


def _gain(evaluation: Evaluation, others: Sequence[Evaluation]) -> str:
    """Over the same model untuned; a cascade that ends in it answers with a trained head too."""
    untuned = [
        each.figure
        for each in others
        if each.model == evaluation.model and each.family in ("prompting", "retrieval") and math.isfinite(each.figure)
        if each.approach != CASCADE
    ]
    return points(evaluation.figure - max(untuned)) if untuned and math.isfinite(evaluation.figure) else "-"


def same_tokens(found: Forgetting) -> str:
    """The share of places with the same next token: `87 % (84-90)`."""
    if found.same_within is None:
        return percent(found.same)
    low, high = found.same_within
    return f"{percent(found.same)} ({low * 100:.0f}-{high * 100:.0f})"


def divergence(found: Forgetting) -> str:
    """In nats a token: `0.21 (0.15-0.27)`."""
    if found.divergence_within is None:
        return digits(found.divergence)
    low, high = found.divergence_within
    return f"{digits(found.divergence)} ({digits(low)}-{digits(high)})"


def _shown(found: Forgetting) -> str:
    return ", which is not shown to be a change" if found.lower <= 1 <= found.upper else ""
