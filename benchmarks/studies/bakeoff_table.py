"""The tables of the eight bake-offs as Markdown: a pure function of the committed rows, with no model and no clock."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from advisor.drawn import Table
from advisor.story.foretold import in_words
from advisor.wording import counted, digits, duration, listed, metric_name, percent, plain_percent, points, probability
from benchmarks.contract import BadInput, State
from benchmarks.studies.bakeoff_claims import claims, interval
from benchmarks.studies.bakeoff_paid import better_in, paid_off
from benchmarks.studies.bakeoff_rows import COUNTERPARTS, LEVEL, BakeOff, below, came_later, older, session_of
from benchmarks.studies.dated import from_before
from benchmarks.studies.markdown import table
from benchmarks.studies.settings import NOT_RUN, SETTINGS, Setting, developed, told_commit
from benchmarks.studies.trust.beneath import used_in_part
from benchmarks.studies.trust.tables import forgotten, not_read, of_bakeoffs

BEGIN, END = "<!-- {}: written by benchmarks/studies/bakeoffs.py -->", "<!-- {}: end -->"
ASKED = "handbook-qa"
ON_THE_FRONT = ("banking77", "nq_open_oracle", "order-extract")


# ---------------------------------------------------------------- the document


def document(found: Mapping[str, BakeOff]) -> str:
    """docs/bakeoffs.md: an overview, what it shows, and a section for each task."""
    parts = [
        "# Eight bake-offs",
        "The approaches of the product on eight tasks, and beside each the plain script of an afternoon "
        "(`benchmarks/studies/afternoon.py`) on the same examples and the same held-out cases. This page is written by "
        "`python -m benchmarks.studies.bakeoffs table` from the rows in `benchmarks/studies/rows` and from nothing "
        "else. Targets and sizes were set in `benchmarks/studies/settings.py` before the first run. Where a section says "
        "that its examples are of a sample, they were drawn from that part of what was published; `advisor run` on a download "
        "draws from all of it, so that it gets other ones.",
        f"{older(found)}{developed()} {_from_before(found)}".strip(),
        "Differences are ours minus the plain script's, case by case, with a two-sided 95 % interval; below means that "
        f"ours is lower with p under {LEVEL:g}, each comparison on its own, so that none of ours is spared by a "
        "correction. (cheapest) marks, of the configurations that are within noise of the best on the selection cases, the one "
        "with the fewest tokens a request; its machine time can still be higher. What each approach does: "
        "[The approaches](how-it-is-measured.md#the-approaches).",
        overview(found),
        "## Was fine-tuning better?",
        "With a trained language model, the one that its selection cases name; without, the highest on the held-out cases "
        "themselves, luck included. So fine-tuning has to beat everything else before it is said to be better. Whether it is "
        "worth its cost is another question. Not saturated: on that side the budget of an approach ended before everything was "
        "tried, so that it may be better than it is here; told where that could turn the answer.",
        paid_off(found),
        "## What these figures show",
        "\n".join(f"- {line}" for line in claims(found)),
    ]
    parts += [section(found[each.task]) if each.task in found else _absent(each) for each in SETTINGS]
    return "\n\n".join(parts) + "\n"


def overview(found: Mapping[str, BakeOff]) -> str:
    rows = []
    for each in SETTINGS:
        bakeoff = found.get(each.task)
        if bakeoff is None:
            rows.append((each.task, NOT_RUN, "", "", ""))
            continue
        lower = sum(below(row.difference) for row in bakeoff.compared if row.difference)
        compared = sum(row.difference is not None for row in bakeoff.compared)
        minutes = session_of(bakeoff.made)[1]
        rows.append(
            (
                each.task,
                in_words(bakeoff.verdict.recommendation.verdict),
                _named(bakeoff),
                f"{lower} of {compared}" if compared else NOT_RUN,
                f"{minutes:.0f}" if minutes is not None else "not noted",
            )
        )
    head = ("task", "verdict", "choice, or the best", "ours below the plain script", "minutes")
    return table(head, rows, numeric=(4,))


def in_short(found: Mapping[str, BakeOff]) -> str:
    """In how many tasks fine-tuning was better, and what the rows are."""
    before = list(came_later(found))
    return (
        f"{better_in(found)} What each costs is in [the table](docs/bakeoffs.md#was-fine-tuning-better). {claims(found)[0]}"
        f"{f' {listed(before)} ran before some approaches without a language model were added.' if before else ''}"
        f"{_samples()}\n\n{developed()} {_from_before(found)}".rstrip()
    )


def _samples() -> str:
    """Which of the tasks on the front page were drawn from a part of what was published."""
    told = [
        f" {each.task}: examples were drawn from {each.sample.taken:,} of the {each.sample.published:,} published."
        for each in SETTINGS
        if each.sample and each.task in ON_THE_FRONT
    ]
    return "".join(told)


def _from_before(found: Mapping[str, BakeOff]) -> str:
    """Which rows are from before changes that they might be others after."""
    return from_before(
        {task: str(each.verdict.story.provenance.get("started", "")) for task, each in found.items()}, listed
    )


def _named(bakeoff: BakeOff) -> str:
    told = bakeoff.verdict.recommendation
    name = told.choice or told.safe or told.best
    evaluation = bakeoff.evaluation(name) if name else None
    return f"{name} ({percent(evaluation.figure)})" if evaluation else "none"


def _absent(setting: Setting) -> str:
    return f"## {setting.task}\n\nThis bake-off was {NOT_RUN}."


# ---------------------------------------------------------------- one task


def section(bakeoff: BakeOff) -> str:
    story = bakeoff.verdict.story
    parts = [f"## {bakeoff.setting.task}", story.headline, _how(bakeoff), _ours(bakeoff), _plain(bakeoff)]
    if bakeoff.about.get("prediction"):
        parts.append(_prediction(bakeoff))
    return "\n\n".join(parts)


def _how(bakeoff: BakeOff) -> str:
    """Sizes, where the data comes from, commit, date and machine."""
    benchmark, made, sample = bakeoff.benchmark, bakeoff.made, bakeoff.setting.sample
    provenance = bakeoff.verdict.story.provenance
    commits, minutes = session_of(made)
    target = "no target" if benchmark.target is None else f"target {plain_percent(benchmark.target)}"
    facts = [
        f"{len(benchmark.task.examples)} examples{f' of {sample}' if sample else ''}, {len(benchmark.heldout)} held-out cases, "
        f"{metric_name(benchmark.metric.name)}, {target}",
        f"data: {bakeoff.about['origin']}" if bakeoff.about.get("origin") else "",
        f"commit {told_commit(commits)}" if commits else "commit not noted",
        f"started {provenance['started']}" if provenance.get("started") else "",
        counted(made["cores"], "core") if made.get("cores") else "",
        f"work shared by {made['on']}" if made.get("on", "here") != "here" else "",
        str(provenance.get("placement", "")),
        _rates(made),
        f"effort {made['effort']}" if made.get("effort") else "",
        f"{minutes:.0f} minutes" if minutes is not None else "",
    ]
    return "; ".join(fact for fact in facts if fact) + "."


def _rates(made: Mapping[str, Any]) -> str:
    """How quick the machine was: minutes of two runs mean little beside each other without it."""
    found = sorted({each["tflops"] for each in made.get("sessions", []) if each.get("tflops")})
    return f"matrix products at {' and '.join(f'{rate:g}' for rate in found)} TFLOP/s at the start" if found else ""


def _ours(bakeoff: BakeOff) -> str:
    """The main table of the story, with the seconds of one answer among many added."""
    main = bakeoff.verdict.story.main
    rows = []
    for row in main.rows:
        evaluation = bakeoff.evaluation(row[0])
        usage = evaluation.answering if evaluation else None
        each = digits(usage.seconds / usage.calls) if usage and usage.calls else "-"
        rows.append((*row[:5], each, *row[5:]))
    rows = [(f"**{row[0]}**", *row[1:]) if place in main.emphasis else row for place, row in enumerate(rows)]
    columns = (*main.columns[:5], "s a request", *main.columns[5:])
    failed = [
        f"{each.candidate} is {each.state}: {each.problem.rstrip('.')}."
        for each in bakeoff.verdict.evaluations
        if each.state in (State.INVALID, State.CANNOT_RUN)
    ]
    return f"{table(columns, rows, numeric=(2, 3, 4, 5, 6))}\n\n{' '.join([*failed, main.note])}"


def _plain(bakeoff: BakeOff) -> str:
    found = bakeoff.compared
    if not found or bakeoff.afternoon is None:
        return f"The plain script on these cases: {NOT_RUN}."
    rows = []
    for each in found:
        difference = each.difference
        rows.append(
            (
                each.arm,
                f"{percent(each.figure)} ({each.lower * 100:.0f}-{each.upper * 100:.0f})",
                digits(each.seconds),
                f"{each.prompt_tokens:,.0f}",
                duration(each.fit_seconds) if each.fit_seconds else "-",
                each.ours,
                f"{points(difference.mean)} ({interval(difference)})" if difference else "no usable scores",
                probability(difference.p_value) if difference else "-",
                ("below" if below(difference) else "no") if difference else "-",
            )
        )
    measured = ("plain script", metric_name(bakeoff.benchmark.metric.name), "s a request", "prompt tokens", "before")
    last = list(bakeoff.afternoon.arms.values())[-1]
    missing = [name for name in _possible(bakeoff) if name not in bakeoff.afternoon.rows]
    absent = f" Arms {NOT_RUN}: {listed(missing)}." if missing else ""
    where = f"{last.placement}; {counted(last.cores, 'core')}; commit {told_commit(last.commit) or 'not noted'}; {last.finished}"
    note = f"The plain script: {where}. Before: seconds of indexing and training before the first answer."
    told = f"{note}{bakeoff.afternoon.disturbed()}{absent}"
    return f"{table((*measured, 'of ours', 'ours minus this', 'p', 'below?'), rows, numeric=(2, 3, 4, 7))}\n\n{told}"


def _possible(bakeoff: BakeOff) -> list[str]:
    with_documents = ("nearest passage", "lora with passage")
    return [name for name in COUNTERPARTS if bakeoff.benchmark.task.documents or name not in with_documents]


def _prediction(bakeoff: BakeOff) -> str:
    """What was written down before the first run, beside what came out; pairs as the report counts them."""
    said, found = bakeoff.about["prediction"], bakeoff.verdict.story.facts["predicted"]
    figures = {
        each.candidate: each.figure for each in bakeoff.verdict.evaluations if bakeoff.evaluation(each.candidate)
    }
    foretold = [name for name in said.get("ranking", ()) if name in figures]
    came = sorted(foretold, key=lambda name: -figures[name])
    rows = [
        ("outcome", in_words(str(said.get("outcome", ""))), in_words(bakeoff.verdict.recommendation.verdict)),
        ("order", " > ".join(foretold), " > ".join(came)),
    ]
    told = table(("", "predicted", "measured"), rows)
    if found is None:
        return told
    apart = [(one, other, points(figures[other] - figures[one])) for one, other in found["otherwise"]]
    wrong = [f"{other} is above {one} by {by.lstrip('+')}" for one, other, by in apart]
    return (
        f"{told}\n\nOf {counted(found['pairs'], 'predicted pair')} {found['true']:,} came true, {found['within_noise']:,} within "
        f"noise, and {len(wrong):,} the other way{f': {listed(wrong)}' if wrong else ''}."
    )


# ---------------------------------------------------------------- the front page


def filled(text: str, name: str, content: str) -> str:
    """The page with what stands between the two markers of that name written anew. Raises `BadInput` without them."""
    begin, end = BEGIN.format(name), END.format(name)
    before, opened, rest = text.partition(begin)
    _, closed, after = rest.partition(end)
    if not opened or not closed:
        raise BadInput(f"The page lacks the lines {begin} and {end}. Put them where the table belongs.")
    return f"{before}{begin}\n{content}\n{end}{after}"


def pages(root: Path, found: Mapping[str, BakeOff]) -> dict[Path, str]:
    """Each page below the root that holds something of the bake-offs -> its text. Raises `BadInput`."""
    front, decide = root / "README.md", root / "docs" / "should-we-fine-tune.md"
    parts = {
        "paid": paid_off(found),
        "grounding": of_story(found, ASKED, "grounding"),
        "forgetting": f"{forgotten(of_bakeoffs(found))}\n\n{not_read(of_bakeoffs(found))}".rstrip(),
        "in part": used_in_part(of_bakeoffs(found)),
        "took": _took(found),
    }
    text = decide.read_text(encoding="utf-8")
    for name, content in parts.items():
        text = filled(text, name, content)
    return {
        root / "docs" / "bakeoffs.md": document(found),
        front: filled(front.read_text(encoding="utf-8"), "bake-offs", summary(found)),
        decide: text,
    }


def _took(found: Mapping[str, BakeOff]) -> str:
    """Machine time of the shortest and the longest bake-off whose sessions were noted; empty where none was."""
    minutes = [noted for each in found.values() if (noted := session_of(each.made)[1]) is not None]
    if not minutes:
        return ""
    return (
        f"Finding out took {min(minutes):.0f} to {max(minutes):.0f} minutes of machine time for each of the tasks above, on two "
        "processor cores."
    )


def of_story(found: Mapping[str, BakeOff], task: str, name: str) -> str:
    """One table of a task's story with its note."""
    bakeoff = found.get(task)
    if bakeoff is None:
        return f"{task}: {NOT_RUN}."
    told: Table = getattr(bakeoff.verdict.story, name)
    return f"{table(told.columns, told.rows, told.numeric)}\n\n{told.note}"


def summary(found: Mapping[str, BakeOff]) -> str:
    """Three tasks: what the product says, and the best arm of the plain script on the same cases."""
    rows = []
    for task in ON_THE_FRONT:
        bakeoff = found.get(task)
        if bakeoff is None:
            rows.append((task, NOT_RUN, "", "", ""))
            continue
        arms = bakeoff.compared
        best = max(arms, key=lambda each: each.figure) if arms else None
        told = bakeoff.verdict.recommendation
        goal = bakeoff.benchmark.target
        rows.append(
            (
                task,
                "none" if goal is None else plain_percent(goal),
                in_words(told.verdict),
                _named(bakeoff),
                f"{best.arm} ({percent(best.figure)})" if best else NOT_RUN,
            )
        )
    head = ("task", "target", "verdict", "choice, or the best", "best of a plain script")
    return f"{table(head, rows)}\n\n{in_short(found)}"
