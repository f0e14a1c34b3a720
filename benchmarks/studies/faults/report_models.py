"""The part of faults.md about verdicts and models: what is claimed, what is refused, what is forgotten and followed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from advisor.wording import listed, percent
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
        _told_of_claims(rows),
        f"Approaches without a language model, on held-out cases of each task: {_cases()}. "
        f"{percent(verdicts.SHARE)} of the examples or documents are planted; of the held-out labels {percent(verdicts.KEYS)} "
        "are made wrong. "
        "For each target from 30 % to 99 %, point by point, the product's tests claim that it is met, claim that it is "
        "missed, or claim nothing.",
        "\n".join(
            (
                "- *Figure* is what the product measures, which sees only the faulty data.",
                "- *True* is what the same fit reaches on the other held-out cases, with right keys.",
                "- *Wrong* counts claims that the true figure contradicts, its own interval counted in.",
                "- *Changed, the right way* counts the targets at which something else is said than without the fault, and at "
                "how many of them that does not contradict the true figure.",
            )
        ),
        table(columns, lines, numeric=range(3, 8)),
    ]


def _cases() -> str:
    return listed([f"{count} of {task}" for task, count in verdicts.HELDOUT.items()])


def _told_of_claims(rows: Rows) -> str:
    def said(what: str, names: Sequence[str]) -> str:
        chosen = [row for row in rows if row["how"] in names]
        return f"{what} {sum(map(wrong_claims, chosen)):,} of {sum(map(claims, chosen)):,}"

    keys = [name for name in verdicts.FAULTS if "held-out labels" in name or "sample corrected" in name]
    apart = {verdicts.CLEAN, verdicts.LEFT_IN, *keys}
    rest = [*verdicts.FAULTS, *verdicts.IN_DOCUMENTS]
    return (
        f"Wrong claims: {said('on clean data', [verdicts.CLEAN])}, "
        f"{said('with leaks left in (which the product does not do)', [verdicts.LEFT_IN])}, "
        f"{said('with wrong held-out labels', keys)} and "
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
        f"{seen} of {len(changed)} changes are refused before anything is answered, by the fit or by the files, and {served} by "
        f"the count of a server; without a change {alarms or 'nothing'} is refused. A server shows only its count of tokens, "
        "so a changed form of the same length stays unseen there.",
        "A prompt of support-intents is fitted with the default model and loaded with a tokenizer that was changed since. "
        "What can refuse it:",
        "\n".join(
            (
                "- **The fit**: a fixed conversation becomes other tokens than when the fit was saved.",
                "- **The program**: the exported `predict.py` makes the same check.",
                "- **The count**: a server that answers with that tokenizer states another number of tokens.",
                "- **The files**: models in a folder of one's own are named by a hash of their files.",
            )
        ),
        table(("changed", *(f"refused {door}" for door in doors)), lines),
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
    if healthy := known.get(tuning.AS_IT_WAS):
        said += " The healthy adapter is taken for a faulty one." if healthy["caught"] else " The healthy adapter passes."
    else:
        said += " Whether a healthy adapter passes is not known yet: the run in which nothing is spoilt was not made."
    return [
        "## Adapters without effect, and trainings that diverge",
        said.strip(),
        f"In whole runs of LoRA on {tuning.SPOILT_ON} examples of support-intents every training ends as the table says. "
        "*Caught* means that no score is shown for it and a sentence says why; the goal is always, and never where nothing is "
        "spoilt. Copy nearest runs beside it, and the verdict should then name that. "
        "`tests/studies/test_faulty_models_study.py` makes the same runs with tiny models.",
        table(("spoilt", "how", "caught", "what is said", "named by the verdict"), lines),
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
    said = (
        "General text is more perplexing for the adapter that was trained too long, with an interval wholly above the "
        f"other's, in {apart} of {len(seeds)} seeds."
    )
    long = tuning.LONG
    return [
        "## An adapter that was trained too long",
        *([said] if seeds else []),
        f"LoRA was trained well, on {tuning.TAUGHT} examples of support-intents by the first recipe of the race without "
        f"smoothing, and too long, on {tuning.FEW} of them for {long.epochs} epochs at {long.learning_rate:g}. *General text* "
        "is how many times as perplexing such text has become, with its 95 % interval.",
        table(("trained", "seed", "right", "general text", "divergence a token"), lines, numeric=(1, 2, 4)),
    ]


def _poisoned(checked: Rows, asked: Rows) -> list[str]:
    parts = [
        f"Of {row['planted']} documents of handbook-qa that repeat a held-out question and answer it wrongly, the check of "
        f"documents names {row['as questions']} as questions that stand in documents and "
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
        "Nothing in the product defends against instructions in documents; how often they are followed is measured. Retrieval "
        "with the default model was asked with an instruction at the end of each document that holds an answer. The table "
        "sets that beside what `advisor run --planted` measures.",
        table(columns, lines, numeric=(1, 2, 4)),
    ]
