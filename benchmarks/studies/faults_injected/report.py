"""reliability.md from the rows that the study left: what was tried, what was lost, repeated or wrong, and how soon it went on."""

from __future__ import annotations

import base64
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from statistics import median
from typing import Any

from benchmarks.studies.faults_injected.fuzz import identity
from benchmarks.studies.faults_injected.misbehaving import ANSWERS, RETRIES
from benchmarks.studies.faults_injected.writes import FAULTS, RUNS
from benchmarks.studies.markdown import table
from benchmarks.studies.settings import by_commits

SHOWN = 200
"""Bytes of an input that a parser could not read, and characters of what was said to it."""
_REPEATED = re.compile(rb"(.{1,8}?)\1{9,}", re.DOTALL)
Rows = Sequence[Mapping[str, Any]]


def document(rows: Rows) -> str:
    """The whole file."""
    parts = [
        "# What faults cost",
        "Faults are injected into runs with tiny random models on one thread, in float32, with attention and batches set. "
        "Written by `python -m benchmarks.studies.faults_injected table` from committed rows; `run` makes them.",
        *_kills([row for row in rows if row["part"] in ("kills", "paid")]),
        *_paid([row for row in rows if row["part"] == "paid" and row["end"]]),
        *_writes([row for row in rows if row["part"] in RUNS]),
        *_server([row for row in rows if row["part"] == "server"]),
        *_inputs([row for row in rows if row["part"] == "inputs" and row["key"] == "files"]),
        *_pages([row for row in rows if row["part"] == "inputs" and row["key"] == "pages"]),
        *_fuzz([row for row in rows if row["part"] == "fuzz"]),
        *_price([row for row in rows if row["part"] == "price"]),
        *_long([row for row in rows if row["part"] == "long"]),
        by_commits(rows),
    ]
    return "\n\n".join(part for part in parts if part) + "\n"


def _kills(rows: Rows) -> list[str]:
    if not rows:
        return []
    names = {"kills": "majority, copy nearest, prompting, LoRA", "paid": "prompting on a server"}
    lines = [(said, *_counted([row for row in rows if row["part"] == part])) for part, said in names.items()]
    kills = [row for row in rows if not row["end"]]
    where = Counter(row["in"] for row in kills)
    columns = (
        *("run", "kills", "runs", "units lost", "finished units started again", "wrong", "rows of unfinished units"),
        *("not a state of the whole run", "tracebacks", "first work after, median", "longest"),
    )
    return [
        "## Killed at random moments",
        "A process gets SIGKILL after a random time and the run is started again, up to eight times, until it ends. After each "
        "kill the database is opened as the product does. Lost: a unit was told to be stored and is not there. Wrong: a "
        "finished unit holds other rows, usage or trials than in the run that nobody interrupted (seconds aside), or is not "
        "there in the end. First work: from the start of the process, whose modules are loaded already, to the first unit.",
        table(columns, lines, numeric=range(1, len(columns))),
        "Killed " + ", ".join(f"{count} times in {name}" for name, count in where.most_common()) + ".",
    ]


def _counted(rows: Rows) -> tuple[str, ...]:
    ends = [row for row in rows if row["end"]]
    waits = [row["first_work_s"] for row in rows if row["first_work_s"] is not None]
    figures = (
        *(len(rows) - len(ends), len(ends), _sum(rows, "lost"), _sum(ends, "repeated")),
        *(_sum(rows, "wrong") + _sum(ends, "missing"), _sum(rows, "orphans"), _sum(rows, "out_of_order")),
        sum(row["traceback"] for row in rows),
    )
    return (
        (*map(str, figures), f"{median(waits):.2f} s", f"{max(waits):.2f} s")
        if waits
        else (*map(str, figures), "-", "-")
    )


def _paid(rows: Rows) -> list[str]:
    if not rows:
        return []
    kills = _sum(rows, "kills")
    return [
        f"The server was asked {_sum(rows, 'calls'):,} times in {len(rows)} runs. {_sum(rows, 'asked_again')} questions were "
        f"asked once more: those on their way at one of the {kills} kills, one at most each, since one is asked at a time. "
        f"{_sum(rows, 'measured_anew')} belong to waiting times, which are measured anew by design. "
        f"{_sum(rows, 'not_asked')} questions of the whole run were not asked.",
    ]


def _writes(rows: Rows) -> list[str]:
    if not rows:
        return []
    lines = []
    for part, fault in ((part, fault) for part in RUNS for fault in FAULTS):
        mine = [row for row in rows if (row["part"], row["fault"]) == (part, fault)]
        if not mine:
            continue
        figures = (
            *(len(mine), sum(bool(row["said"]) for row in mine), sum(row["code"] == 0 for row in mine)),
            *(_sum(mine, "lost"), _sum(mine, "repeated")),
            *(_sum(mine, "wrong") + sum(not row["as_whole"] for row in mine), sum(row["traceback"] for row in mine)),
        )
        lines.append((", ".join(RUNS[part]), fault, f"{mine[0]['of']:,}", *map(str, figures)))
    columns = (
        "run",
        "what the disk says",
        "changes",
        "tries",
        "said so and stopped",
        "went on",
        "units lost",
        "repeated",
        "wrong",
        "tracebacks",
    )
    return [
        "## Writes that fail",
        "The Nth change of a file below the run folder (write, sync, truncation, renaming, new folder) is refused, for N = 1, 2, "
        "... up to the last change of a run that nothing disturbs: that one for want of room, that one and all later ones, or "
        "that one because the disk failed; in the shorter run each in all three ways, in the longer one in turn. Then the run "
        "goes on with a disk that takes everything. Wrong: the end is not what the whole run holds.",
        table(columns, lines, numeric=range(2, len(columns))),
    ]


def _server(rows: Rows) -> list[str]:
    if not rows:
        return []
    lines = [
        (
            row["fault"],
            "always" if row["lasting"] else "first try",
            str(row["questions"]),
            str(row["right"]),
            str(row["as_first_sent"]) if row["fault"] in ANSWERS else "-",
            str(row["errors"]),
            str(row["requests"]),
            str(row["most_tries"]),
            f"{row['seconds']:.1f} s",
            row["said"] or "-",
        )
        for row in rows
    ]
    columns = (
        "fault",
        "when",
        "questions",
        "right",
        "as first sent",
        "faults",
        "requests",
        "most tries",
        "took",
        "said",
    )
    again = sum(row["requests"] - row["questions"] for row in rows if row["fault"] in ANSWERS)
    return [
        "## Servers that misbehave",
        f"At most {RETRIES} retries of a question. A fault that passes ends in the right answer, one that lasts in a fault, "
        "which is never a score. A wrong or an empty answer is an answer: it was asked for again "
        f"{again} times, so no retry is scored as a better try.",
        table(columns, lines, numeric=range(2, 9)),
    ]


def _inputs(rows: Rows) -> list[str]:
    if not rows:
        return []
    others = [row["name"] for row in rows if row["code"] != 2 or row["stdout"]]
    ended = f"{len(rows) - len(others)} of them" if others else "Each of them"
    return [
        "## Inputs that are wrong or meant to hurt",
        f"{len(rows)} task folders: broken, huge, nested and misspelt specs, rows in every wrong form, links out of the folder, "
        f"pipes, bombs. {ended} ended `advisor check` with exit code 2 and one sentence on stderr; "
        f"{_sum(rows, 'traceback')} with a traceback." + (f" The others: {', '.join(others)}." if others else ""),
    ]


def _pages(rows: Rows) -> list[str]:
    if not rows:
        return []
    return [
        f"{len(rows)} reports in which every text is one of {rows[0]['payloads']} payloads, each time in other fields, opened in "
        f"a headless Chromium: {_sum(rows, 'requests')} requests, {_sum(rows, 'dialogs')} dialogs, {_sum(rows, 'errors')} errors "
        f"in the console, {_sum(rows, 'elements')} elements more or fewer than with harmless words, {_sum(rows, 'acted')} pages "
        "in which a script ran.",
    ]


def _fuzz(rows: Rows) -> list[str]:
    if not rows:
        return []
    targets = list(dict.fromkeys(row["target"] for row in rows))
    lines, found = [], []
    for name in targets:
        mine = [row for row in rows if row["target"] == name]
        spent = ", ".join(f"{row['seconds']:.0f}" for row in mine)
        findings = [each for row in mine for each in row["findings"]]
        open_ = {identity(each) for each in mine[-1]["findings"]}
        figures = (f"{_sum(mine, 'executions'):,}", f"{max(row['reached'] for row in mine):,}", str(len(findings)))
        lines.append(
            (name, mine[-1]["what"], spent, f"{sum(row['processor_s'] for row in mine):.0f}", *figures, str(len(open_)))
        )
        found += [_finding(name, each, identity(each) in open_) for each in findings]
    columns = (
        "parser",
        "reads",
        "seconds of each round",
        "of a processor",
        "inputs",
        "places reached",
        "found",
        "not mended",
    )
    return [
        "## Inputs that nobody thought of",
        "Each parser gets inputs that atheris makes out of whole ones, guided by which places in the code they reach: bytes "
        "are changed, and in JSON values, keys and entries. A finding is all that comes out but a value or a refusal in one "
        "sentence: an exception, a library's warning, a sentence that is empty or longer than 2,000 characters, an input "
        "that takes 20 s or 2.5 GB. It is made as small as it gets, mended, and the parser is given a further round, which "
        "begins with it, until one finds nothing. Seconds are those of a machine that others work on too.",
        table(columns, lines, numeric=range(2, len(columns))),
        *(["\n".join(found)] if found else ["Nothing was found."]),
    ]


def _finding(name: str, each: Mapping[str, str], is_open: bool) -> str:
    data = _REPEATED.sub(rb"\1\1\1...", base64.b64decode(each["input"]))
    shown = repr(data[:SHOWN])[1:] + (f" and {len(data) - SHOWN:,} bytes more" if len(data) > SHOWN else "")
    says = _cut(" ".join(each["says"].replace("`", "'").split()))
    if each["kind"] != "AssertionError":
        where = f" in `{each['where']}`" if each["where"] else ""
        says = f"{each['kind']}{where}" + (f" ({says})" if says else "")
    return f"- {name}: {says}, for `` {shown} ``. {'Not mended.' if is_open else 'Mended.'}"


def _cut(text: str) -> str:
    return text if len(text) <= SHOWN else text[: SHOWN - 3] + "..."


def _price(rows: Rows) -> list[str]:
    if not rows:
        return []
    durable = [row for row in rows if row["durable"]]
    share, a_case = (max(row["store_s"] / row[of] for row in durable) for of in ("seconds", "cases"))
    lines = [
        (
            row["task"],
            "as it is" if row["durable"] else "nothing forced onto the disk, no checkpoint",
            f"{row['cases']:,}",
            f"{row['seconds']:.0f} s",
            f"{row['processor_s']:.0f} s",
            f"{row['writes']:,}",
            f"{row['store_s']:.2f} s",
            f"{100 * row['store_s'] / row['seconds']:.2f} %",
            f"{1000 * row['store_s'] / row['cases']:.2f} ms",
        )
        for row in rows
    ]
    columns = (
        *("task", "written", "cases of all approaches", "took", "of a processor"),
        *("writes", "writing", "of the run", "by the case"),
    )
    return [
        "## What writing everything down costs",
        "A run with the default model at quick effort, without checks. Writing is the time in the store, its syncs to the disk "
        "included, and that of checkpoints while training. It is timed by itself, since two runs of the same differ by more than "
        "it takes: beside it stands the same run that forces nothing onto the disk.",
        f"Goals: below 2 % of the run, {_reached(share < 0.02)}; below 1 ms by the case, {_reached(a_case < 0.001)} here, where "
        "writes of searches and trainings are spread over few cases. Where each answer of a server is written by itself: see "
        "the long run.",
        table(columns, lines, numeric=range(2, len(columns))),
    ]


def _reached(yes: bool) -> str:
    return "reached" if yes else "not reached"


def _long(rows: Rows) -> list[str]:
    if not rows:
        return []
    lines = [
        (
            f"{row['cases']:,}",
            f"{row['seconds'] / 60:.0f} min",
            *(f"{row[name]:,}" for name in ("rows", "right", "requests", "faults", "answered_twice", "unfinished")),
            " ".join(f"{weight:.0f}" for weight in row["memory_mb"]),
            f"{1000 * row['store_s'] / row['cases']:.2f} ms",
        )
        for row in rows
    ]
    columns = ("cases", "took", "rows", "right", "requests", "faults", "answered twice", "unfinished units")
    return [
        "## A long run",
        "Prompting on a server that answers every question rightly, but for the first try of one in fifty, which gets another "
        "fault each time. Requests are those of the held-out cases: one each, and one more for each fault. Memory of the "
        "process in MB after a tenth, a quarter, half, three quarters and all of the cases. Writing is the time in the store, "
        "its syncs to the disk included, by the case.",
        table((*columns, "memory", "writing"), lines, numeric=range(1, 10)),
    ]


def _sum(rows: Rows, name: str) -> int:
    return sum(int(row[name]) for row in rows)
