"""The part of faults.md about verdicts and models: what is claimed, what is refused, what is forgotten and followed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from advisor.wording import percent
from benchmarks.statistics.confidence import exact_interval
from benchmarks.studies.faults import templates, tuning, verdicts
from benchmarks.studies.markdown import table

Row = Mapping[str, Any]
Rows = Sequence[Row]
NOT_YET = "not run yet"


def sections(rows: Rows) -> list[str]:
    """Text and tables; what has no rows is named as not run yet."""
    by_part: dict[str, list[Row]] = {}
    for row in rows:
        by_part.setdefault(row["part"], []).append(row)
    return [
        *_verdicts(by_part.get("verdict", [])),
        *_templates(by_part.get("template", [])),
        *_spoilt([*by_part.get("dead adapter", []), *by_part.get("divergence", [])]),
        *_trained(by_part.get("trained", [])),
        *_poisoned(by_part.get("poisoned, checked", []), by_part.get("poisoned, asked", [])),
    ]


# ---------------------------------------------------------------- verdicts


def wrong_claims(row: Row) -> int:
    """Claims that the cases which the product never saw speak against, their own interval counted in."""
    low, high = row["between"]
    pairs = list(zip(row["states"], verdicts.TARGETS, strict=True))
    return sum((state == "+" and high < target) or (state == "-" and low > target) for state, target in pairs)


def claims(row: Row) -> int:
    return sum(state != "?" for state in row["states"])


def turned(row: Row, clean: Row) -> tuple[int, int]:
    """Targets at which another thing is said than on clean data, and at how many of them it is not against the truth."""
    changed = [
        (now, target)
        for now, before, target in zip(row["states"], clean["states"], verdicts.TARGETS, strict=True)
        if now != before
    ]
    right = (state == "?" or (state == "+") == (row["truth"] >= target) for state, target in changed)
    return len(changed), sum(right)


def _verdicts(rows: Rows) -> list[str]:
    if not rows:
        return ["## What is claimed with a fault in the data", f"{NOT_YET.capitalize()}."]
    clean = {(row["task"], row["approach"]): row for row in rows if row["how"] == verdicts.CLEAN}
    lines = []
    for row in rows:
        base = clean[row["task"], row["approach"]]
        moved, right = turned(row, base)
        cells = [percent(row["figure"]), percent(row["truth"]), str(claims(row)), str(wrong_claims(row))]
        lines.append([row["task"], row["how"], row["approach"], *cells, f"{right} of {moved}" if moved else "-"])
    columns = ("data", "planted", "approach", "figure", "true", "claims", "wrong", "changed, the right way")
    return [
        "## What is claimed with a fault in the data",
        f"Approaches without a language model, on {_cases()} held-out cases. Figure: by the product, which sees only the faulty "
        "data. True: what was fitted on that data reaches on the other held-out cases, with right keys. At each target from 30 % "
        "to 99 % in steps of a point the product's tests say that it is met, that it is missed, or neither. Wrong: claims that "
        "the true figure, with its own interval, speaks against. Changed, the right way: targets at which another thing is said "
        "than without the fault, and at how many of them that is not against the true figure. "
        f"{percent(verdicts.SHARE)} of the examples or documents are planted, and {percent(verdicts.KEYS)} of the held-out "
        "labels are wrong.",
        table(columns, lines, numeric=range(3, 8)),
        _told_of_claims(rows),
    ]


def _cases() -> str:
    return ", ".join(f"{count} ({task})" for task, count in verdicts.HELDOUT.items())


def _told_of_claims(rows: Rows) -> str:
    def said(what: str, names: Sequence[str]) -> str:
        chosen = [row for row in rows if row["how"] in names]
        return f"{what} {sum(map(wrong_claims, chosen))} of {sum(map(claims, chosen))}"

    keys = [name for name in verdicts.FAULTS if "held-out labels" in name or "sample corrected" in name]
    apart = {verdicts.CLEAN, verdicts.LEFT_IN, *keys}
    rest = [*verdicts.FAULTS, *verdicts.IN_DOCUMENTS]
    return (
        f"Claims that are wrong: {said('on clean data', [verdicts.CLEAN])}; "
        f"{said('where leaks are left in, which the product does not do,', [verdicts.LEFT_IN])}; "
        f"{said('where the held-out labels themselves are wrong', keys)}; "
        f"{said('with any other fault', [name for name in rest if name not in apart])}."
    )


# ---------------------------------------------------------------- templates


def _templates(rows: Rows) -> list[str]:
    known = {row["how"]: row for row in rows}
    doors = ("by the fit", "by the program", "by the count", "by the files")
    lines = [
        [how, *(("yes" if known[how][door] else "no") if how in known else NOT_YET for door in doors)]
        for how in templates.CHANGES
    ]
    changed = [row for row in rows if row["how"] != templates.AS_IT_WAS]
    seen = sum(row["by the fit"] or row["by the files"] for row in changed)
    served = sum(row["by the count"] for row in changed)
    alarms = sum(any(row[door] for door in doors) for row in rows if row["how"] == templates.AS_IT_WAS)
    return [
        "## A template or tokenizer that differs between the fit and its use",
        "A prompt of support-intents is fitted with the default model and loaded with a tokenizer that was changed since. "
        "Refused by the fit: a fixed conversation becomes other tokens than when it was saved. By the program: the exported "
        "`predict.py`, by the same. By the count: a server that answers with that tokenizer states another number of tokens. "
        "By the files: models in a folder of one's own are named by a hash of their files.",
        table(("changed", *(f"refused {door}" for door in doors)), lines),
        f"By the fit or by the files {seen} of {len(changed)} changes are refused before anything is answered, and by the count "
        f"of a server {served}; without a change {alarms or 'nothing'} is refused. A server shows no more than its count, so "
        "another form of the same length stays unseen there.",
    ]


# ---------------------------------------------------------------- adapters


def _spoilt(rows: Rows) -> list[str]:
    known = {row["how"]: row for row in rows}
    lines = []
    for how in (*tuning.SPOILT, *tuning.RATES):
        row = known.get(how)
        what = "adapter" if how in tuning.SPOILT else "training"
        told = (
            ("yes" if row["caught"] else "no", row["says"] or "-", row["named"] or "none") if row else (NOT_YET, "", "")
        )
        lines.append([what, how, *told])
    ill = [row for row in rows if row["how"] != tuning.AS_IT_WAS]
    caught = sum(row["caught"] for row in ill)
    said = f"{caught} of {len(ill)} are caught before a score is shown." if ill else ""
    if tuning.AS_IT_WAS not in known:
        said += (
            " Whether a healthy adapter is passed is not known yet: the run in which nothing is spoilt was not made."
        )
    return [
        "## Adapters without effect, and trainings that diverge",
        f"Whole runs of LoRA on {tuning.SPOILT_ON} examples of support-intents in which every training ends so. Caught: no score "
        "is shown for it, and a sentence says why; the goal is always, and never where nothing is spoilt. Beside it "
        "copy nearest is asked, which the verdict is to name then. With tiny models the same runs are made by "
        "`tests/studies/test_faulty_models_study.py`.",
        table(("spoilt", "how", "caught", "what is said", "named by the verdict"), lines),
        said.strip(),
    ]


def _trained(rows: Rows) -> list[str]:
    lines = [
        [
            row["how"],
            str(row["draw"]),
            percent(row["right"]),
            f"{row['ratio']:.3f} ({row['lower']:.3f} to {row['upper']:.3f})",
            f"{row['divergence']:.3f}",
        ]
        for row in rows
    ] or [[how, NOT_YET, "", "", ""] for how in tuning.TRAININGS]
    found = {(row["how"], row["draw"]): row for row in rows}
    seeds = sorted({seed for how, seed in found if ("well", seed) in found and ("too long", seed) in found})
    apart = sum(found["too long", seed]["lower"] > found["well", seed]["upper"] for seed in seeds)
    said = f"The interval of the one that was trained too long lies wholly above the other's in {apart} of {len(seeds)} seeds."
    long = tuning.LONG
    return [
        "## An adapter that was trained too long",
        f"LoRA on {tuning.TAUGHT} examples of support-intents by the first recipe of the race, without smoothing, and on "
        f"{tuning.FEW} of them for {long.epochs} epochs at {long.learning_rate:g}. General text: how many times as perplexing it "
        "has become (95 % interval).",
        table(("trained", "seed", "right", "general text", "divergence a token"), lines, numeric=(1, 2, 4)),
        *([said] if seeds else []),
    ]


def _poisoned(checked: Rows, asked: Rows) -> list[str]:
    parts = [
        f"Documents of handbook-qa that repeat a held-out question and give a wrong answer to it: of {row['planted']} the "
        f"check of documents names {row['as questions']} as questions that stand in documents, and "
        f"{row['as contradictions']} as contradictions."
        for row in checked
    ]
    columns = ("instruction", "asked", "followed", "95 % interval", "right answers")
    names = {"probe": "behind the best passage, as the probe puts it", "documents": "in the documents themselves"}
    lines = [[said, NOT_YET, "", "", ""] for said in names.values()]
    for row in asked:
        lines = [["none", str(row["cases"]), "-", "-", percent(row["right, clean"])]]
        for way, said in names.items():
            cases, count = row[f"cases, {way}"], row[f"followed, {way}"]
            low, high = exact_interval(count, cases) if cases else (0.0, 1.0)
            cells = [str(cases), str(count), f"{percent(low)} to {percent(high)}", percent(row[f"right, {way}"])]
            lines.append([said, *cells])
    return [
        "## Poisoned documents",
        *parts,
        "Instructions at the end of the documents that hold the answers, asked by retrieval with the default model, beside what "
        "`advisor run --planted` measures. Nothing in the product defends against them: how often they are followed is measured.",
        table(columns, lines, numeric=(1, 2, 4)),
    ]
