"""The page on trust, written from committed rows: tables, what they say, and what was not run."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from advisor.wording import NONE, counted, digits, duration, listed, plain_percent, points, start
from benchmarks.probes.rebuilds import Share
from benchmarks.statistics.confidence import exact_interval
from benchmarks.studies.bakeoff_rows import BakeOff
from benchmarks.studies.dated import FIXES, from_before, is_before
from benchmarks.studies.markdown import table
from benchmarks.studies.settings import SETTINGS, developed, told_commit
from benchmarks.studies.trust import changes, tables
from benchmarks.studies.trust.parts import EXAMPLES, HELDOUT, SPEAKING, Part, parts
from benchmarks.studies.trust.rows import Checked, Found
from benchmarks.studies.trust.tables import Rows
from benchmarks.studies.trust.texts import (
    ADDED,
    ALTERED,
    CHANGED,
    EDITS,
    FORGOTTEN,
    GENERAL,
    GROUNDED,
    GUARDED,
    INTRODUCTION,
    LEAKED,
    PLANTED,
    REBUILT,
    SOURCES,
    VARIED,
)

NOT_RUN = "Not run yet."
UNANSWERABLE, REFUSES = "handbook-qa", "lora + retrieval"
"""The bundled task with questions without an answer, and the approach whose examples and passages tell it of them."""
REFUSED_LEAST, WRONGLY_MOST = 0.5, 0.05
"""The goal of its refusals."""
HEAD = 2
"""Lines of a table without rows."""
READING = ("retrieval", "lora + retrieval")
"""Approaches with documents before the model."""
BY_HEART = """\
What a tuned model answers with no document before it: questions of its training, the same facts asked in other words, and facts
that no example told. The last column is what it makes up or happens to know.
"""
NUMBERS = ("ff3269c937c3", "9faf205c52e2", "b5807a894037", "8928619f365e", "587a21794efb", "47b9ecd88db2")
"""Commits of rows from before cases that cannot follow an altered format were left out."""


def document(found: Mapping[str, Found], bakeoffs: Mapping[str, BakeOff]) -> str:
    """docs/can-it-be-trusted.md."""
    every, asked = tables.of_bakeoffs(bakeoffs), tables.shown(tables.of_parts(found))
    sizes = f"{EXAMPLES['banking77']} examples on banking77 and {EXAMPLES['handbook-qa']} on the others"
    blocks = [
        INTRODUCTION,
        "## In short",
        "\n".join(f"- {line}" for line in in_short(every, asked)),
        "## What was run",
        SOURCES.format(sizes=sizes, heldout=HELDOUT, sampled=sampled()),
        f"{developed()} {before(found)}",
        _section("The same request, written a little differently", EDITS, tables.edits(every), steady(every)),
        _more(
            "Of the checked runs, on tasks without a bake-off:",
            tables.edits({task: rows for task, rows in asked.items() if task not in every}),
        ),
        _section("Another prompt, another seed, other neighbours", VARIED, tables.varied(asked)),
        _section("Built again from other examples", REBUILT, tables.rebuilt(asked), built_again(asked)),
        _section("What tuning costs elsewhere", FORGOTTEN, tables.forgotten(every), elsewhere(every)),
        _more(
            "Of the checked runs, and what they answer to everyday prompts beside their base:", tables.forgotten(asked)
        ),
        general_tasks(asked),
        _section(
            "Where answers stand",
            GROUNDED,
            tables.grounded({**every, **_new(asked, every, "grounding")}),
            declines(every),
        ),
        _section("Facts in the weights", BY_HEART, tables.by_heart(asked), refusals_taught(found)),
        _section("When it would better say that it does not know", GUARDED, tables.guarded(every)),
        _more(
            "Of the checked runs, on the tasks that these figures lack:", tables.guarded(_new(asked, every, "guard"))
        ),
        _section("The day facts change", CHANGED, changes.changed(asked)),
        _section("The day labels are added", ADDED, changes.added(asked)),
        _section("The day the format changes", ALTERED, changes.altered(asked), numbers(found)),
        _section("Instructions that somebody planted", PLANTED, changes.planted(asked), obeyed(asked)),
        _more("By what the sentence is, of all these tasks together:", changes.planted_by_kind(asked)),
        _section("Cases that stood among the examples", LEAKED, tables.leaked(found)),
        "## How it was made",
        made(found),
    ]
    return "\n\n".join(block.strip() for block in blocks if block) + "\n"


def sampled() -> str:
    """Which examples are of a part of what was published."""
    told = [f"of {each.task} {each.sample}" for each in SETTINGS if each.sample]
    return f"Of some public sets a part of the published examples was used: {listed(told)}."


def before(found: Mapping[str, Found]) -> str:
    """Which rows are from before repairs that they might be others after."""
    told = from_before({each.part: each.made["started"] for each in found.values()}, named)
    if not any(is_before(FIXES, each.made["started"]) for each in found.values()):
        return told
    return (
        f"{told} In rows from before the fixes of 29 November planted sentences and altered formats were not counted as they are "
        "now: on tasks without labels, what merely repeats its request counts there as following it."
    )


def named(asked: Sequence[Part]) -> str:
    """Parts by their tasks: `sms_spam (prompting and retrieval) and banking77 (lora)`."""
    tasks = dict.fromkeys(part.task for part in asked)
    return listed([f"{task} ({listed([part.says for part in asked if part.task == task])})" for task in tasks])


def refusals_taught(found: Mapping[str, Found]) -> str:
    """Which counts of facts in weights are from before a refusal was no fact."""
    asked = [each.part.task for each in found.values() if is_before(FIXES, each.made["started"]) and _has_facts(each)]
    if not asked:
        return ""
    return (
        f"The rows of {listed(list(dict.fromkeys(asked)))} are from before only facts were asked: in their first column are "
        "questions without an answer too, and saying so counts there as right."
    )


def numbers(found: Mapping[str, Found]) -> str:
    """Which counts of an altered format hold cases that could not follow it."""
    asked = [each.part for each in found.values() if each.made["commit"] in NUMBERS and _altered(each)]
    if not asked:
        return ""
    return (
        f"In the rows of {named(asked)} cases whose answer is a number, which has no capital letters, were asked too and counted "
        "as not following; since then they are left out."
    )


def _altered(found: Found) -> bool:
    return any(each.altered is not None for each in found.checked)


def _has_facts(found: Found) -> bool:
    return any(each.by_heart is not None for each in found.checked)


def in_short(every: Rows, asked: Rows) -> list[str]:
    """What the tables below say, a sentence each."""
    told = [
        steady(every),
        built_again(asked),
        elsewhere(every),
        worse_elsewhere(asked),
        invented(every, asked),
        obeyed(asked),
    ]
    return [text.split("\n\n")[0].replace("\n", " ") for text in told if text]


def _new(rows: Rows, known: Rows, what: str) -> Rows:
    """The tasks of `rows` of which `known` has not measured `what` of any approach."""
    return {
        task: approaches
        for task, approaches in rows.items()
        if all(getattr(each, what) is None for each in known.get(task, ()))
    }


def _section(title: str, says: str, shown: str, told: str = "") -> str:
    """Without rows in its table it says that it was not run."""
    rows = shown if _has_rows(shown) else NOT_RUN
    return "\n\n".join(text.strip() for text in (f"## {title}", says, rows, told) if text.strip())


def _more(says: str, shown: str) -> str:
    return f"{says}\n\n{shown}" if _has_rows(shown) else ""


def _has_rows(shown: str) -> bool:
    return len(shown.splitlines()) > HEAD


# ---------------------------------------------------------------- what the tables say


def steady(rows: Rows) -> str:
    """Whether lora is steadier than prompting under edits, and what the figure leaves out."""
    told = tables.steadier_under_edits(rows)
    words = {
        "more": "keeps more of its answers than prompting on",
        "fewer": "fewer on",
        "alike": "is not told apart from it on",
    }
    sides = [f"{words[side]} {listed(tasks)}" for side, tasks in told.items() if tasks]
    if not sides:
        return ""
    return (
        f"Under harmless edits lora {'; '.join(sides)} (95 % intervals that do not meet).\n\nSteady is not yet right: what "
        "always says the same is steady too. So look at how many right answers stand behind the share."
    )


def built_again(rows: Rows) -> str:
    """By how much more of its answers a tuned approach keeps than the one that differs in nothing else, and on which tasks."""
    told = []
    for (tuned, prompted), by_task in tables.steadier_rebuilt(rows).items():
        apart = [_apart(task, share) for task, share in by_task.items() if _is_apart(share)]
        alike = [task for task, share in by_task.items() if not _is_apart(share)]
        sides = [*([listed(apart)] if apart else []), *([f"not told apart on {listed(alike)}"] if alike else [])]
        told.append(f"{tuned} minus {prompted}: {', '.join(sides)}")
    if not told:
        return ""
    return f"Answers kept when all is built again from other examples, {'. '.join([told[0], *map(start, told[1:])])}."


def _is_apart(share: Share) -> bool:
    return share.lower is not None and share.upper is not None and not share.lower <= 0 <= share.upper


def _apart(task: str, share: Share) -> str:
    lower, upper = share.lower or 0.0, share.upper or 0.0
    return f"{points(share.mean)} on {task} ({lower * 100:+.0f} to {upper * 100:+.0f})"


def elsewhere(rows: Rows) -> str:
    """Where tuning was paid for."""
    worst = sorted(tables.paid(rows), key=lambda each: -each[1].ratio)
    measured = sum(each.forgetting is not None for approaches in rows.values() for each in approaches)
    if not worst:
        return ""
    name, found = worst[0]
    return (
        f"Of {counted(measured, 'tuned model')} {len(worst):,} find general text harder than before, by an interval above 1; "
        f"most of all {name}, {digits(found.ratio)} times. {tables.not_read(rows)}"
    ).rstrip()


def worse_elsewhere(rows: Rows) -> str:
    """Which tuned models are shown to have lost a task that has nothing to do with theirs."""
    lost = [
        f"{each.candidate} on {task} ({found.before:,} right of {found.cases:,} before, {found.after:,} after)"
        for task, each, found in tables.general(rows)
        if found.upper < 0
    ]
    asked = len({(task, each.candidate) for task, each, _ in tables.general(rows)})
    if not asked:
        return ""
    return (
        f"Of {counted(asked, 'tuned model')} {len(lost):,} lost some of what the base can do elsewhere: {listed(lost)}."
    )


def general_tasks(rows: Rows) -> str:
    """The table of general tasks, and what it says."""
    shown = tables.general_tasks(rows)
    return f"{GENERAL.strip()}\n\n{shown}\n\n{worse_elsewhere(rows)}" if _has_rows(shown) else ""


def invented(every: Rows, asked: Rows) -> str:
    """What approaches with a language model answer that stands nowhere, without documents before them and with."""
    told: dict[bool, list[str]] = {False: [], True: []}
    rows = {**every, **_new(asked, every, "grounding")}
    for task, each, found in tables.each_with(rows, lambda each: each.grounding):
        if each.candidate in SPEAKING:
            told[each.candidate in READING].append(
                f"{found.nowhere:,} of {found.answers:,} answers of {each.candidate} on {task}"
            )
    ways = {False: "without documents before the model", True: "with them"}
    sides = [f"{ways[reads]} {listed(lines)}" for reads, lines in told.items() if lines]
    return f"Found in no document: {'; '.join(sides)}." if sides else ""


def declines(rows: Rows) -> str:
    """Whether an approach refuses what has no answer and little else, by the bounds of both shares."""
    found = tables.named(rows.get(UNANSWERABLE, ()), REFUSES)
    if found is None or found.grounding is None:
        return ""
    stands = found.grounding
    others = stands.answers - (stands.unanswerable - stands.silent)
    rightly = stands.unanswerable - stands.unanswerable_answered
    low, high = exact_interval(rightly, stands.unanswerable), exact_interval(stands.declined_wrong, others)
    reached = low[0] >= REFUSED_LEAST and high[1] <= WRONGLY_MOST
    return (
        f"The goal on {UNANSWERABLE} is that {REFUSES} refuses at least {plain_percent(REFUSED_LEAST)} of the questions without "
        f"an answer and at most {plain_percent(WRONGLY_MOST)} of the others, by the bounds. It refuses {rightly:,} of "
        f"{stands.unanswerable:,} {tables.within(low)}, and wrongly {stands.declined_wrong:,} of {others:,} "
        f"{tables.within(high)}: {'reached' if reached else 'not reached'}.{_unfound(found)}"
    )


def _unfound(approach: Checked) -> str:
    """What of wrong refusals the search brings, with a space before it; empty where nothing is known of the search."""
    stands, quality = approach.grounding, approach.retrieval
    if stands is None or quality is None or not quality.recall_at:
        return ""
    lacking = round((1 - quality.recall_at[max(quality.recall_at)]) * quality.cases)
    beyond = exact_interval(lacking, quality.cases)[0] > WRONGLY_MOST
    return (
        f" For {lacking:,} of {quality.cases:,} questions with an answer no passage of the right document was shown, "
        f"{stands.declined_unfound:,} of the {stands.declined_wrong:,} wrong refusals among them. Who refuses whatever the "
        f"passages do not hold refuses all of these, {'more than the goal allows' if beyond else 'which the goal would allow'}."
    )


def obeyed(rows: Rows) -> str:
    """How often planted instructions worked at worst."""
    found = [
        (each.followed / each.cases, f"{approach.candidate} on {task}", each)
        for task, approach, several in tables.each_with(rows, lambda each: each.planted or None)
        for each in several
        if each.cases and approach.candidate in SPEAKING
    ]
    if not found:
        return ""
    share, name, most = max(found, key=lambda each: each[0])
    if not share:
        return f"No approach with a language model followed a planted instruction, in {counted(len(found), 'trial')}."
    return (
        f"Of the approaches with a language model {name} followed planted instructions most: {most.followed:,} of "
        f"{most.cases:,} times, in a {most.place}."
    )


# ---------------------------------------------------------------- how it was made


def made(found: Mapping[str, Found]) -> str:
    """Minutes of each part, and by which commits on which machines."""
    kinds = {part.kind: part.says for part in parts() if part.heldout}
    rows = [(task, *(_minutes(found, task, kind) for kind in kinds)) for task in EXAMPLES]
    shown = table(("task", *kinds.values()), rows, range(1, len(kinds) + 1))
    made_by = {
        f"- commit {told_commit(each.made['commit'])} on {each.made['machine'].replace(' 1 cores,', ' 1 core,')}"
        for each in found.values()
    }
    lines = sorted(made_by)
    return "\n\n".join([shown, "A dash: not run yet.", "\n".join(lines)]).strip()


def _minutes(found: Mapping[str, Found], task: str, kind: str) -> str:
    done = next((each for each in found.values() if (each.part.task, each.part.kind) == (task, kind)), None)
    if done is None:
        return NONE
    return "unknown" if done.made["seconds"] is None else duration(done.made["seconds"])
