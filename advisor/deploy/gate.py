"""Whether what was exported still does what it did: its target, and its own earlier scores, on cases with right answers."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from advisor.deploy.answering import Kept, answerer
from advisor.deploy.holding import wrong_form
from advisor.experiments.compared import Change, change_between
from advisor.experiments.example import check_not_meant
from advisor.experiments.stored import reading
from advisor.wording import counted, listed
from benchmarks.contract import Answered, BadInput, Metric, State
from benchmarks.data.escapes import written_out
from benchmarks.data.frozen import thawed_metric
from benchmarks.data.load import Cases, read_cases
from benchmarks.data.similar import normalised
from benchmarks.data.split import grouped
from benchmarks.evaluation.scoring import scored
from benchmarks.scored import figure_over
from benchmarks.statistics.confidence import statuses, statuses_of_figures
from benchmarks.statistics.resampling import resampled_metric
from strategies.answers import too_many_lost
from strategies.contract import Case, Query
from strategies.standalone.alone import EXPORT

FEWEST = 20
"""Cases that a check takes, and shared ones from which on the scores are compared with the earlier ones."""
LEVEL = 0.05
LEVEL_WHERE_VARYING = 0.01
"""An export is chosen for the answers that it is held against. Where these vary they were good by luck more often than not: at
0.05 up to 7 % of simulated checks of an unchanged export said "worse", at 0.01 at most 1.7 %, where 2.5 % are meant."""


@dataclass(frozen=True, kw_only=True)
class Check:
    """What came out. The bounds are one-sided, each at 95 %."""

    name: str
    cases: int
    """Those that were asked."""
    learnt: int
    """Cases left out since their input is that of an example that it learnt from, or the same when normalised. Near copies of
    examples cannot be seen by the hashes that it holds."""
    figure: float
    target: float | None
    state: State
    """Against the target; `compared` where there is none."""
    lower: float
    upper: float
    shared: int
    """Cases that the export was measured on as well, by the same right answers."""
    relabelled: int
    """Cases that it was measured on by other right answers: their scores then and now are not of the same thing."""
    change: Change | None
    """From then to now on these, in the run's metric; None where they are too few, or where `figure_only`."""
    figure_only: bool = False
    """The metric exists over all answers only, and the export does not hold the earlier answers."""
    may_vary: bool = False
    """Whether one request may be answered otherwise each time (`Answerer.may_vary`)."""
    impossible: int = 0
    """Cases that were asked and whose right answers the task does not allow, so that none of them can be given."""
    impossible_answers: tuple[str, ...] = ()
    """These right answers, each once, in the order of the file."""
    notes: tuple[str, ...] = ()
    """How the file was read, where that is not as the task says it."""

    @property
    def level(self) -> float:
        """The largest p, two-sided, at which it is worse."""
        return LEVEL_WHERE_VARYING if self.may_vary else LEVEL

    @property
    def worse(self) -> bool:
        """Beyond noise."""
        return self.change is not None and self.change.difference < 0 and self.change.p_value <= self.level

    @property
    def failed(self) -> bool:
        return self.worse or self.state is State.MISSES


def check(folder: Path, cases: Path, task: str = "", target: float | None = None, allow_code: bool = False) -> Check:
    """Answers the cases with what lies in the folder and scores it as in its run; examples that it learnt from are left out,
    since it may know their answers by heart. Raises `BadInput`."""
    measured = _measured(folder)
    known, kept = answerer(folder, task=task), Kept.of_export(folder)
    read = _cases(kept, cases)
    given = [_as_measured(case, kept) for case in read.cases]
    _must_be_possible(given, kept, cases.name)
    asked = grouped(_new(given, measured, cases.name))
    with reading(folder):
        metric = thawed_metric(measured["metric"], folder, allow_code)
    outcomes = [outcome for _, outcome in known.answers([case.input for case in asked])]
    if said := too_many_lost(outcomes):
        raise BadInput(f"{said}. That says nothing of what was exported: check again when what it needs answers.")
    rows = scored(metric, asked, outcomes)
    goal = measured["target"] if target is None else target
    state, lower, upper = _against(goal, metric, rows, measured.get("labels", ()))
    before, now, relabelled = _known_before(measured, rows)
    figure_only = metric.over_rows and not measured.get("answers")
    impossible = _impossible(asked, kept)
    return Check(
        name=known.name,
        cases=len(rows),
        learnt=len(read.cases) - len(asked),
        figure=figure_over(metric, rows),
        target=goal,
        state=state,
        lower=lower,
        upper=upper,
        shared=len(now),
        relabelled=relabelled,
        change=None if figure_only or len(now) < FEWEST else change_between(known.name, metric, (before, now)),
        figure_only=figure_only,
        may_vary=known.may_vary,
        impossible=len(impossible),
        impossible_answers=tuple(dict.fromkeys(case.output for case in impossible)),
        notes=read.notes,
    )


def hash_of_right(case: Case) -> str:
    """Names what counts as right of a case; hashed with its input, since of a few labels each could be tried. The order of
    alternatives makes no difference."""
    accepted = [case.input, case.output, *sorted({*case.answers} - {case.output})]
    return hashlib.sha256(json.dumps(accepted).encode()).hexdigest()[:20]


def key_of(text: str) -> str:
    """Names an input as it is normalised: examples that are a held-out case then are left out of a run."""
    return Query.of(normalised(text)).key


def _measured(folder: Path) -> Mapping[str, Any]:
    check_not_meant(folder)
    try:
        measured: Mapping[str, Any] = json.loads((folder / EXPORT).read_text(encoding="utf-8"))["measured"]
        target, _ = measured["target"], measured["metric"].items()
        _ = {*measured["learnt"], *measured["inputs"]}
        if not all(0 <= each <= 1 for each in (*measured["scores"].values(), *([] if target is None else [target]))):
            raise ValueError("a score or the target is no share")
    except (FileNotFoundError, NotADirectoryError):
        raise BadInput(f"{folder} is no export. Give the folder that `advisor export` wrote.") from None
    except (OSError, AttributeError, KeyError, RecursionError, TypeError, ValueError):
        raise BadInput(f"{folder / EXPORT} cannot be read, or is damaged. Export the approach again.") from None
    return measured


def _known_before(measured: Mapping[str, Any], rows: Sequence[Answered]) -> tuple[list[Answered], list[Answered], int]:
    """The same cases as they were answered then and now, and how many more have an input that was scored by other right
    answers."""
    scores, inputs, answers = measured["scores"], {*measured["inputs"]}, measured.get("answers", {})
    before, after, relabelled = [], [], 0
    for row in rows:
        key, now = Query.of(row.case.input).key, hash_of_right(row.case)
        then = scores.get(now)
        if then is not None:
            before.append(replace(row, text=answers.get(now, ""), score=then))
            after.append(row)
        elif key in inputs:
            relabelled += 1
    return before, after, relabelled


def _cases(kept: Kept, path: Path) -> Cases:
    if not path.is_file():
        raise BadInput(f"There is no file {path}. Name one with inputs and their right answers.")
    found = read_cases(path, kept.columns, apart=True)
    if len(found.cases) < FEWEST:
        raise BadInput(f"{path.name} holds {counted(len(found.cases), 'case')}, and {FEWEST} are needed to say anything.")
    return found


def _as_measured(case: Case, kept: Kept) -> Case:
    """The case with answers in plain characters where the run wrote them out."""
    return written_out(case) if kept.form["kind"] == "extraction" else case


def _impossible(cases: Sequence[Case], kept: Kept) -> list[Case]:
    """Those whose right answers the task does not allow: none of its labels, or not of its schema or pattern."""
    wrong = wrong_form(kept.form)
    return [case for case in cases if all(map(wrong, case.accepted))]


def _must_be_possible(cases: Sequence[Case], kept: Kept, name: str) -> None:
    """Raises `BadInput` where the export can give none of the right answers: of another task they say nothing about it."""
    if len(_impossible(cases, kept)) < len(cases):
        return
    labels, column = kept.form["labels"], kept.columns.output or "output"
    gives = f"it answers {first_few(labels)}" if labels else "they are not of the form that its task asks for"
    raise BadInput(
        f"None of the right answers in {name} is one that the export can give: they are "
        f"{first_few([case.output for case in cases])}, and {gives}. Most likely this is another file, or the answers stand in "
        f'another column: the one that is read first has the name "{column}".'
    )


def first_few(texts: Sequence[str]) -> str:
    """The first three of the different texts in quotes, each cut to 40 characters, and how many more there are."""
    found = list(dict.fromkeys(texts))
    first = [f'"{text if len(text) <= 40 else text[:37] + "..."}"' for text in found[:3]]
    return listed([*first, *([f"{len(found) - 3:,} more"] if found[3:] else [])])


def _new(cases: Sequence[Case], measured: Mapping[str, Any], name: str) -> tuple[Case, ...]:
    """Those whose input is in no example that the export learnt from, however it is spelt in case and punctuation. Raises
    `BadInput` where they are too few."""
    learnt = {*measured["learnt"]}
    left = tuple(case for case in cases if key_of(case.input) not in learnt)
    if len(left) < FEWEST:
        raise BadInput(
            f"{len(cases) - len(left)} of the {len(cases)} cases of {name} are examples that the export learnt from, which say "
            f"nothing about new requests; {len(left)} are left, and {FEWEST} are needed. Name a file with other cases."
        )
    return left


def _against(
    target: float | None, metric: Metric, rows: Sequence[Answered], labels: Sequence[str]
) -> tuple[State, float, float]:
    scores, groups = [row.score for row in rows], [row.case.group for row in rows]
    asked = 0.5 if target is None else target
    if metric.over_rows:
        state, lower, upper = statuses_of_figures({"it": resampled_metric(metric, rows, labels=labels).figures}, asked)[
            "it"
        ]
    else:
        state, lower, upper = statuses({"it": scores}, groups, asked)["it"]
    return (State.COMPARED if target is None else state), lower, upper
