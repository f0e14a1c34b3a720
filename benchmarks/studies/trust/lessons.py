"""What was learnt, a paragraph for each question, told from the rows of the study of trust and of the bake-offs alone."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

from advisor.wording import counted, digits, listed, percent, start
from benchmarks.checked import Forgetting, Guard, Held
from benchmarks.evaluation.guard import AT_MOST
from benchmarks.probes.rebuilds import Share, kept, spread
from benchmarks.statistics.confidence import exact_interval
from benchmarks.studies.trust import tables
from benchmarks.studies.trust.parts import GRAMMAR, OVER_ROWS, SPEAKING
from benchmarks.studies.trust.rows import Checked
from benchmarks.studies.trust.tables import PROMPTED, TUNED, Rows

READING = ("retrieval", "lora + retrieval")
"""Approaches with documents before the model."""
UNSTEADY = 2 / 3
"""Share of the answers that is told of rebuilds: fewer than that stay."""
FEWEST = 20
"""Questions of which a share is told."""
LITTLE = 0.01
"""Of a figure: what a threshold brings below that is nothing."""
ASKED = ("prompting", "retrieval", "lora")
"""Who is set side by side under planted instructions: those that were asked on most tasks."""


def lessons(every: Rows, asked: Rows, alike: Collection[str], facts: Collection[str]) -> list[str]:
    """Of the bake-offs, the checked runs, and the tasks of which those count planted instructions, and facts, as one does now."""
    told = (
        ("Small edits.", edited(every)),
        ("Built again.", built_again(asked)),
        ("Cost elsewhere.", " ".join(filter(None, (moved(every, asked), lost(asked))))),
        ("Invention.", invented({**every, **new(asked, every, "grounding")})),
        ("Planted instructions.", obeyed({task: rows for task, rows in asked.items() if task in alike})),
        ("Change.", changed(asked)),
        ("Facts in weights.", by_heart({task: rows for task, rows in asked.items() if task in facts})),
        ("Thresholds.", held_back({**every, **new(asked, every, "guard")})),
    )
    return [f"**{lead}** {text}" for lead, text in told if text]


def new(rows: Rows, known: Rows, what: str) -> Rows:
    """The tasks of `rows` of which `known` has not measured `what` of any approach."""
    return {
        task: approaches
        for task, approaches in rows.items()
        if all(getattr(each, what) is None for each in known.get(task, ()))
    }


# ---------------------------------------------------------------- steadiness


def edited(rows: Rows) -> str:
    """Whether tuned models keep more of their answers under edits than what differs in nothing else."""
    told = [text for pair in zip(TUNED, PROMPTED, strict=True) if (text := _edited(rows, pair))]
    return f"Under harmless edits {'; '.join(told)}, by intervals that do not meet." if told else ""


def _edited(rows: Rows, pair: tuple[str, str]) -> str:
    sides = tables.steadier_under_edits(rows, pair)
    of = sum(map(len, sides.values()))
    if not of:
        return ""
    more, fewer = (f" ({listed(sides[side])})" if sides[side] else "" for side in ("more", "fewer"))
    tasks = counted(of, "task")
    none = "none" if not sides["fewer"] else f"{len(sides['fewer'])}"
    return f"{pair[0]} keeps more of its answers than {pair[1]} on {len(sides['more'])} of {tasks}{more}, fewer on {none}{fewer}"


def built_again(rows: Rows) -> str:
    """How much stays when everything is built again, and whether that is another matter with tuned weights."""
    found = [
        (task, each, kept(built, each.grouped).mean, spread(built)[0])
        for task, each, built in tables.each_with(rows, lambda each: each.rebuilds)
        if len(built.draws) > 1 and each.candidate in SPEAKING
    ]
    if not found:
        return ""
    few = [share for _, _, share, _ in found if share <= UNSTEADY]
    moved_little = [far for task, _, _, far in found if far < 0.05 and task not in OVER_ROWS]
    of = sum(task not in OVER_ROWS for task, *_ in found)
    others = [f"{each.candidate} on {task}" for task, each, share, _ in found if share > UNSTEADY]
    exceptions = f" (not so {listed(others)})" if others else ""
    return (
        f"Of {len(found)} approaches with a language model that were built again from other examples {len(few)} kept "
        f"at most two thirds of their answers{exceptions}, though the figure moved by less than 5 points in "
        f"{len(moved_little)} of {of}. {_tuned_again(rows)}"
    ).rstrip()


def _tuned_again(rows: Rows) -> str:
    shares = [share for by_task in tables.steadier_rebuilt(rows).values() for share in by_task.values()]
    if not shares:
        return ""
    ahead, shown = sum(share.mean > 0 for share in shares), sum(map(is_apart, shares))
    enough = (
        "no interval leaves out 0, so that three builds do not tell whether weights are steadier than prompts"
        if not shown
        else f"{shown} of the intervals leave out 0"
    )
    return f"The tuned one kept more in {ahead} of {counted(len(shares), 'comparison')}; {enough}."


def is_apart(share: Share) -> bool:
    return share.lower is not None and share.upper is not None and not share.lower <= 0 <= share.upper


# ---------------------------------------------------------------- what tuning costs


def moved(every: Rows, asked: Rows) -> str:
    """Where general text got harder, of the bake-offs and of the checked runs, each adapter once."""
    told = []
    for of, rows in (("the bake-offs", every), ("the checked runs", asked)):
        found = adapters(rows)
        harder = [each for each in found if each.found.lower > 1]
        if harder:
            least, most = (pick(harder, key=lambda each: each.found.ratio) for pick in (min, max))
            told.append(
                f"of {counted(len(found), 'adapter')} of {of} {len(harder)} find general text harder than their base does, by "
                f"{digits(least.found.ratio)} to {digits(most.found.ratio)} times ({most.name})"
            )
    prompts = [each.found.general for each in adapters(asked) if each.found.general]
    same = f" They gave the base's own answer to {sum(each.same for each in prompts):,} of " if prompts else ""
    of = f"{counted(sum(each.prompts for each in prompts), 'everyday prompt')}." if prompts else ""
    return f"{start('; '.join(told))}.{same}{of}" if told else ""


@dataclass(frozen=True)
class Adapter:
    """What tuning moved, of one or several approaches that have the same adapter."""

    name: str
    found: Forgetting


def adapters(rows: Rows) -> list[Adapter]:
    """One for each adapter: where lora + retrieval learnt prompts without anything looked up it is that of lora."""
    by_what: dict[tuple[str, str], list[tuple[str, Forgetting]]] = {}
    for task, each, found in tables.each_with(rows, lambda each: each.forgetting):
        by_what.setdefault((task, f"{found.ratio:.3f}"), []).append((each.candidate, found))
    return [
        Adapter(f"{listed([name for name, _ in several])} on {task}", several[0][1])
        for (task, _), several in by_what.items()
    ]


def lost(rows: Rows) -> str:
    """Which adapters are shown to have lost a task that has nothing to do with theirs."""
    found = [(each.name, task) for each in adapters(rows) if each.found.general for task in each.found.general.tasks]
    gone = [f"{name} (from {task.before:,} to {task.after:,})" for name, task in found if task.upper < 0]
    if not found:
        return ""
    cases = found[0][1].cases
    told = f": {listed(gone)}" if gone else ""
    return (
        f"At the one general test that could be used, {cases:,} sentences whose topic is asked, {len(gone)} of "
        f"{counted(len({name for name, _ in found}), 'adapter')} lost right answers{told}."
    )


# ---------------------------------------------------------------- what is made up, and what is obeyed


def invented(rows: Rows) -> str:
    """What approaches with a language model answer that stands nowhere, without documents before them and with."""
    told: dict[bool, list[str]] = {False: [], True: []}
    wrong = all_of = 0
    for task, each, found in tables.each_with(rows, lambda each: each.grounding):
        if each.candidate in SPEAKING:
            given = found.answers - found.declined
            told[each.candidate in READING].append(f"{found.nowhere:,} of {given:,} ({each.candidate} on {task})")
            wrong, all_of = wrong + found.nowhere_wrong, all_of + found.nowhere
    if not all_of:
        return ""
    ways = {False: "without documents before the model", True: "with passages"}
    sides = [f"{ways[reads]} {listed(lines)}" for reads, lines in told.items() if lines]
    right = "all of them wrong" if wrong == all_of else f"{all_of - wrong} of them right all the same"
    return f"Of the answers that were given these stand in no document, {right}: {'; '.join(sides)}."


def obeyed(rows: Rows) -> str:
    """How often planted instructions worked, of the approaches that were asked on the same tasks."""
    counts, tasks = {name: [0, 0] for name in ASKED}, list[str]()
    for task, approaches in rows.items():
        found = {name: _in_requests(tables.named(approaches, name)) for name in ASKED}
        if all(found.values()):
            tasks.append(task)
            for name, (followed, cases) in found.items():
                counts[name] = [counts[name][0] + followed, counts[name][1] + cases]
    if not tasks:
        return ""
    told = listed([f"{name} followed {followed:,} of {cases:,}" for name, (followed, cases) in counts.items()])
    return f"In requests, on {listed(tasks)}: {told}. Nothing in the product defends against them."


def _in_requests(approach: Checked | None) -> tuple[int, ...]:
    """(followed, asked); empty where it was not asked."""
    found = [each for each in approach.planted if each.place == "request" and each.cases] if approach else []
    return (found[0].followed, found[0].cases) if found else ()


# ---------------------------------------------------------------- change, and facts in weights


def changed(rows: Rows) -> str:
    """Who follows new facts, labels and formats at once."""
    return " ".join(filter(None, (_facts(rows), _labels(rows), _formats(rows))))


def _facts(rows: Rows) -> str:
    found = [each for _, _, each in tables.each_with(rows, lambda each: each.changed) if each.known]
    sides = [[each for each in found if (each.seconds is not None) is reads] for reads in (True, False)]
    reads, others = ((sum(each.new for each in side), sum(each.known for each in side)) for side in sides)
    if not reads[1] or not others[1]:
        return ""
    return (
        f"New facts reach at once what reads documents ({reads[0]:,} of {reads[1]:,} answers), and what holds them in weights or "
        f"examples not ({others[0]:,} of {others[1]:,})."
    )


def _labels(rows: Rows) -> str:
    """Of the approaches that were asked, on the tasks on which all of them were."""
    found = {
        (approach.candidate, task): each
        for task, approach, each in tables.each_with(rows, lambda each: each.added)
        if each.takes
    }
    names = [name for name in SPEAKING if any(name == each for each, _ in found)]
    tasks = [task for task in rows if all((name, task) in found for name in names)]
    if not names or not tasks:
        return ""
    told = []
    for name in names:
        mine = [found[name, task] for task in tasks]
        told.append(f"{name} {sum(each.at_once for each in mine):,} of {sum(each.cases for each in mine):,}")
    return f"Of cases with a label that was added right at once, on {listed(tasks)}: {listed(told)}."


def _formats(rows: Rows) -> str:
    found = [
        (task, each)
        for task, approach, each in tables.each_with(rows, lambda each: each.altered)
        if approach.candidate in TUNED and each.takes and each.again is not None
    ]
    late = [each for _, each in found if each.at_once * 2 < each.cases]
    if not found:
        return ""
    again = sum((each.again or 0) * 2 > each.cases for each in late)
    held = sorted({task for task, each in found if each.at_once == each.cases} & {*GRAMMAR})
    grammar = f"; on {listed(held)} a grammar holds answers to it at once" if held else ""
    return (
        f"An altered format {len(late)} of {counted(len(found), 'tuned model')} mostly did not follow at once, and {again} of "
        f"these did after another fit{grammar}."
    )


def by_heart(rows: Rows) -> str:
    """What tuned models without documents know of what they were taught."""
    found = [
        each
        for _, approach, each in tables.each_with(rows, lambda each: each.by_heart)
        if approach.candidate == TUNED[0]
    ]
    parts = [[getattr(each, name) for each in found] for name in ("taught", "rephrased", "untold")]
    if not found:
        return ""
    sums = [(sum(one.right for one in part), sum(one.cases for one in part)) for part in parts]
    said = (
        "of its training in their own words",
        "for the same facts in other words",
        "for facts that it was never told",
    )
    told = [
        f"{right:,} of {cases:,} {what}" for (right, cases), what in zip(sums, said, strict=True) if cases >= FEWEST
    ]
    known, reworded, never = (exact_interval(*each) if each[1] >= FEWEST else (0.0, 1.0) for each in sums)
    so = ": it knows part of what it was told" if known[0] > never[1] else ""
    so = ": it learns answers by heart" if known[0] > reworded[1] else so
    return f"Of questions {TUNED[0]} answers {listed(told)}{so}." if told else ""


# ---------------------------------------------------------------- thresholds


def held_back(rows: Rows) -> str:
    """Where it is worth it to say that one does not know."""
    found = [
        (f"{each.candidate} on {task}", tables.before(each, guard), held, guard)
        for task, each, guard in tables.each_with(rows, lambda each: each.guard)
        if each.candidate in SPEAKING and (held := twentieth(guard)) is not None
    ]
    if not found:
        return ""
    name, figure, held, guard = max(found, key=lambda each: each[2].figure - each[1])
    nothing = sum(held.figure - figure < LITTLE for _, figure, held, _ in found)
    return (
        f"Where about one right answer in twenty may be lost, most is gained by {name}: from {percent(figure)} to "
        f"{percent(held.figure)} of the {held.answered:,} of {guard.cases:,} requests that it still answers. {nothing} of "
        f"{len(found)} approaches with a language model gain less than a point."
    )


def twentieth(guard: Guard) -> Held | None:
    """The threshold by which a twentieth of the right answers may be lost; None where they are too few to tell it."""
    return next((held for held in guard.held[1:] if held.at_most == AT_MOST[0]), None)
