"""Looking again at held-out cases costs: which looks at them there were, and which level is left for the next.

Who labels more cases and runs again until something passes is fooled in one case of ten by bounds that know nothing of
it. So every run of a person's task is written down beside the task when it begins, which is when its level is fixed, with
the cases that it is measured on, and each look uses a share of the level that the ones before it have left. That somebody
was shown answers to held-out cases is written down there too: who has seen them and then changes something measures a
development figure. A reviewed copy has the held-out cases of the task that it was made of, so looks at one count for the other:
they are read and written beside both.
"""

from __future__ import annotations

import hashlib
import json
import logging
import os
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from benchmarks.contract import BadInput, Benchmark, Look
from benchmarks.review.lineage import source_of
from strategies.contract import Case
from strategies.permissions import as_usual

ALPHA = 0.05
"""The chance of any wrong "meets", and of any wrong "misses", over all looks at the same cases."""
SHARE = 0.75
"""Of the level that is left, what a look uses: it takes little from the first and leaves something for the next (LOG.md)."""
FILE = "looks.jsonl"
PLACE = "task.json"
"""File in the folder of a run that says beside which task its look is written down, as a way from the run to the task."""
_DIGITS = 12
_TASK, _SOURCE, _LOST = "the task", "the task that this is a reviewed copy of", "it is not where it was"
_UNREAD = "what stands there cannot be read"
_DAMAGED = "\ufffd"
"""Stands in place of what is not UTF-8, and in no line as it was written, which is ASCII."""
_MOST_COPIES = 20
"""So many copies of copies are followed back."""
_WAIT_S = 10.0
"""So long one run waits for another to write its look down, which takes a moment."""


@dataclass(frozen=True, kw_only=True)
class Rivals:
    """What shares the error of a look, as it is written down before anything runs."""

    candidates: tuple[str, ...] = ()
    costs: Mapping[str, str] = field(default_factory=dict)
    """Model -> what stands for its prices, and "" -> the same of all that a task says of costs and limits: who comes first."""


def level_of(look: int, alpha: float = ALPHA, share: float = SHARE) -> float:
    """The level of the first, second, ... look; all of them together spend less than `alpha`, however many there are."""
    return alpha * share * (1 - share) ** (look - 1)


def look_at(
    heldout: Sequence[Case], folder: Path, experiment: str = "", subject: str = "", rivals: Rivals | None = None
) -> Look:
    """Which look at these cases a run would be, by what is written down in the folder of the task and of what it is a copy of.

    A look counts that shared a case with this one, and one of which a damaged line does not say at which cases it was. Raises
    `BadInput` where the looks cannot be read. `experiment` names what is run: the same again is the same look.
    `subject` names what answers in it: that cases were shown with its answers and only prices were changed then makes no
    development figure. `rivals` is held against what earlier looks tested, as far as they say it.
    """
    mine = set(_names(heldout))
    others = [
        row
        for place in _places(folder)
        for row in _read(place)
        if row["experiment"] != experiment and (row.get("damaged") or not mine.isdisjoint(row["cases"]))
    ]
    looks = [row for row in others if not row.get("shown")]
    shown = [row for row in others if row.get("shown") and not (subject and row.get("subject") == subject)]
    return Look(
        number=len({row["experiment"] for row in looks}) + 1,
        seen=_touched(mine, looks),
        last=_last_day(looks),
        shown=_touched(mine, shown),
        shown_on=_last_day(shown),
        missing=() if rivals is None else tuple(sorted(_candidates(looks).difference(rivals.candidates))),
        other_costs=rivals is not None and any(_costs_more_or_less(row, rivals) for row in looks),
    )


def _candidates(rows: Sequence[Mapping[str, Any]]) -> set[str]:
    """All that these looks tested."""
    named = [row["candidates"] for row in rows if isinstance(row.get("candidates"), list)]
    return {name for names in named for name in names if isinstance(name, str)}


def _costs_more_or_less(row: Mapping[str, Any], rivals: Rivals) -> bool:
    costs = row.get("costs")
    known = costs if isinstance(costs, dict) else {}
    return any(known[name] != costs for name, costs in rivals.costs.items() if name in known)


def _touched(mine: set[str], rows: Sequence[Mapping[str, Any]]) -> int:
    """How many of these cases; all of them where that is not known."""
    unknown = any(row.get("damaged") for row in rows)
    return len(mine if unknown else mine.intersection(set().union(*(row["cases"] for row in rows))))


def _last_day(rows: Sequence[Mapping[str, Any]]) -> str:
    return max((row["day"] for row in rows), default="")


def begin_look(
    benchmark: Benchmark, folder: Path, experiment: str, subject: str = "", rivals: Rivals | None = None
) -> Look:
    """As `look_at`, for a run that begins now, and written down at once: one that begins before this one is finished, or after
    it was cut off, is a later look."""
    with ExitStack() as held:
        own, *sources = _places(folder)
        for place in (own, *filter(_is_there, sources)):
            held.enter_context(_one_at_a_time(place))
        look = look_at(benchmark.heldout, folder, experiment, subject, rivals)
        write_down(replace(benchmark, look=look), folder, experiment, rivals)
    return look


@contextmanager
def _one_at_a_time(folder: Path) -> Iterator[None]:
    """Of two runs that begin at once one waits. Where nothing can be locked, `write_down` says what it cannot write."""
    from filelock import FileLock

    lock = FileLock(folder / f"{FILE}.lock")
    with suppress(OSError, NotImplementedError), as_usual():
        lock.acquire(timeout=_WAIT_S)
    try:
        yield
    finally:
        lock.release()


def write_down(benchmark: Benchmark, folder: Path, experiment: str, rivals: Rivals | None = None) -> None:
    """Adds this look to those of the task, once. Where a folder cannot be written to, a warning says so."""
    if any(row["experiment"] == experiment and not row.get("shown") for row in _read(folder)):
        return
    row = {
        "experiment": experiment,
        "day": _today(),
        "look": benchmark.look.number,
        "target": benchmark.target,
        "cases": _names(benchmark.heldout),
        **({} if rivals is None else {"candidates": list(rivals.candidates), "costs": dict(rivals.costs)}),
    }
    for task, problem in _added(row, folder):
        logging.getLogger(__name__).warning(
            "this look at the held-out cases could not be written down beside %s (%s), so the next one there will "
            "count as if it had not been",
            task,
            problem,
        )


def take_over(source: Path, folder: Path) -> None:
    """Adds the looks at a task to those of its copy, each once. Where they cannot be written down, a warning says so."""
    if problem := _append(_lines(source), folder):
        logging.getLogger(__name__).warning(
            "looks at the task could not be written down beside its copy (%s), so they count there only while both are where "
            "they are",
            problem,
        )


def remember_place(run: Path, task: Path, experiment: str, subject: str = "") -> None:
    """Notes in the folder of a run where the folder of its task is, seen from there, for `write_down_shown`."""
    try:
        way = os.path.relpath(task, run)
    except ValueError:  # Another drive, to which there is no way.
        return
    about = {"task": way, "experiment": experiment, "subject": subject}
    (run / PLACE).write_text(json.dumps(about), encoding="utf-8")


def write_down_shown(heldout: Sequence[Case], fingerprint: str, run: Path) -> None:
    """Adds beside the task of a run that these held-out cases were shown with its answers, each of them once.

    Where the task is no longer where it was, or cannot be written to, a warning says so.
    """
    (folder, experiment, subject), missing = _place(run), _LOST
    try:
        rows = [] if folder is None else [row for row in _read(folder) if row["experiment"] == experiment]
    except BadInput:
        rows, missing = [], _UNREAD
    known = {name for row in rows if row.get("shown") for name in row["cases"]}
    fresh = [name for name in _names(heldout) if name not in known]
    if rows and not fresh:
        return
    about = {"experiment": experiment, "subject": subject}
    row = {**about, "day": _today(), "shown": True, "fingerprint": fingerprint, "cases": fresh}
    for task, problem in _added(row, folder) if folder is not None and rows else [(_TASK, missing)]:
        logging.getLogger(__name__).warning(
            "that held-out cases were shown could not be written down beside %s (%s), so a later run there will not "
            "say it",
            task,
            problem,
        )


def place_of_task(run: Path) -> Path | None:
    """The folder in which the task of a run was; None where the run does not say it."""
    return _place(run)[0]


def _place(run: Path) -> tuple[Path | None, str, str]:
    """Where the task is, what was run and what answered in it; a run of before knows the last as empty."""
    try:
        found = json.loads((run / PLACE).read_text(encoding="utf-8"))
        return run / str(found["task"]), str(found["experiment"]), str(found.get("subject", ""))
    except (OSError, ValueError, KeyError, TypeError):
        return None, "", ""


def _places(folder: Path) -> list[Path]:
    """The folder of a task, and of a copy that a review made those of the tasks that it goes back to."""
    found = [folder.resolve()]
    while (source := source_of(found[-1])) is not None and source not in found and len(found) < _MOST_COPIES:
        found.append(source)
    return found


def _is_there(folder: Path) -> bool:
    """Whether a task lies in the folder. Where it was moved away from, nothing is written."""
    return any(folder.glob("*.y*ml"))


def _added(row: Mapping[str, Any], folder: Path) -> list[tuple[str, str]]:
    """Adds the line to the looks of the task, and of what it is a copy of all lines that are not there yet. Returns (which task,
    why) where that could not be done."""
    lines, problems = [*_lines(folder), json.dumps(row)], []
    for number, place in enumerate(_places(folder)):
        problem = _LOST if number and not _is_there(place) else _append(lines, place)
        problems += [(_SOURCE if number else _TASK, problem)] if problem else []
    return problems


def _append(lines: Sequence[str], folder: Path) -> str:
    """Adds those lines that are not among the looks of the task. Empty, or why that could not be done."""
    path = folder / FILE
    try:
        known = set(_lines(folder))
        fresh = [f"{line}\n" for line in lines if line not in known]
        if fresh:
            cut_off = path.is_file() and path.read_bytes()[-1:] not in (b"", b"\n")  # In writing, by a kill.
            with as_usual(), path.open("a", encoding="utf-8") as out:
                out.writelines(["\n" if cut_off else "", *fresh])
    except BadInput:
        return _UNREAD
    except OSError as error:
        return error.strerror or "no reason was given"
    return ""


def _today() -> str:
    return time.strftime("%Y-%m-%d", time.gmtime())


def _names(cases: Sequence[Case]) -> list[str]:
    """Cases by hashes of their inputs: the file says which were looked at, and not what stands in them."""
    return [hashlib.sha256(case.input.encode("utf-8", "surrogatepass")).hexdigest()[:_DIGITS] for case in cases]


def _read(folder: Path) -> list[Mapping[str, Any]]:
    """The looks that are written down in the folder."""
    return [row for line in _lines(folder) if (row := _row(line)) is not None]


def _lines(folder: Path) -> list[str]:
    """Whole lines of the expected form, and damaged ones; none where there is no file. A line that was cut off in writing is no
    look. Raises `BadInput` for a file that cannot be read: without it a later look would be taken for the first."""
    path = folder / FILE
    try:
        found = path.read_bytes()
    except (FileNotFoundError, NotADirectoryError, IsADirectoryError):
        return []
    except OSError as error:
        problem = f"cannot be read ({error.strerror}). Have it made readable"
    else:
        if b"\0" not in found:
            lines = found.decode("utf-8-sig", errors="replace").splitlines()
            return [line for line in lines if _row(line) is not None]
        problem = "is not UTF-8. Save it as UTF-8"
    raise BadInput(
        f"{path}, in which earlier looks at the held-out cases stand, {problem}, or put back an earlier copy."
    )


def _row(line: str) -> Mapping[str, Any] | None:
    if _DAMAGED in line:
        return {"experiment": line, "day": "", "cases": [], "damaged": True}
    try:
        row = json.loads(line)
    except ValueError:
        return None
    if not isinstance(row, dict) or not isinstance(row.get("cases"), list):
        return None
    texts = [row.get("experiment"), row.get("day"), *row["cases"]]
    return row if all(isinstance(text, str) for text in texts) else None
