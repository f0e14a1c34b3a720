"""What was learnt, a short paragraph for each question, told from the rows of the study of trust and of the bake-offs alone."""

from __future__ import annotations

from collections.abc import Collection

from advisor.wording import counted, digits, listed, percent
from benchmarks.statistics.confidence import exact_interval
from benchmarks.studies.trust import tables
from benchmarks.studies.trust.counts import (
    adapters,
    again,
    by_task,
    facts_followed,
    formats_followed,
    is_apart,
    nowhere,
    on_general_tasks,
    twentieth,
)
from benchmarks.studies.trust.parts import GRAMMAR, OVER_ROWS, SPEAKING
from benchmarks.studies.trust.rows import Checked
from benchmarks.studies.trust.tables import PROMPTED, TUNED, Rows

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
        ("Cost elsewhere.", " ".join(filter(None, (moved(every, asked), alike_elsewhere(asked), lost(asked))))),
        ("Invention.", invented({**every, **new(asked, every, "grounding")})),
        ("Planted instructions.", obeyed(only(asked, alike))),
        ("New facts.", new_facts(asked)),
        ("New labels.", new_labels(asked)),
        ("New formats.", new_formats(asked)),
        ("Facts in weights.", by_heart(only(asked, facts))),
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


def only(rows: Rows, tasks: Collection[str]) -> Rows:
    return {task: approaches for task, approaches in rows.items() if task in tasks}


# ---------------------------------------------------------------- steadiness


def edited(rows: Rows, *, named: bool = False) -> str:
    """Whether tuned models keep more of their answers under edits than what differs in nothing else; `named`: on which tasks."""
    pairs = list(zip(TUNED, PROMPTED, strict=True))
    told = [text for pair in pairs if (text := _edited(rows, pair, named))]
    alike = any(tables.steadier_under_edits(rows, pair)["alike"] for pair in pairs)
    rest = " On the other tasks the two intervals overlap." if alike else ""
    return f"Under harmless edits {'; '.join(told)}.{rest}" if told else ""


def _edited(rows: Rows, pair: tuple[str, str], named: bool) -> str:
    sides = tables.steadier_under_edits(rows, pair)
    of = sum(map(len, sides.values()))
    if not of:
        return ""
    more, fewer = (f" ({listed(sides[side])})" if named and sides[side] else "" for side in ("more", "fewer"))
    none = "none" if not sides["fewer"] else f"{len(sides['fewer'])}"
    return (
        f"{pair[0]} keeps more of its answers than {pair[1]} on {len(sides['more'])} of {counted(of, 'task')}{more} and fewer on "
        f"{none}{fewer}"
    )


def built_again(rows: Rows, *, named: bool = False) -> str:
    """How much stays when everything is built again, and whether that is another matter with tuned weights; `named`: who keeps
    more than most."""
    found = again(rows)
    if not found.builds:
        return ""
    others = f" (not so {by_task(found.steady)})" if named and found.steady else ""
    outside = f" outside {listed(OVER_ROWS)}" if found.figures < found.builds else ""
    still = (
        f", although the standard deviation of the figure is below 5 points in {found.still} of {found.figures}{outside}"
        if found.figures
        else ""
    )
    return (
        f"Of {counted(found.builds, 'approach', 'approaches')} with a language model that were built again from other examples, "
        f"{found.unsteady} kept at most two thirds of their answers{others}{still}. {_tuned_again(rows)}"
    ).rstrip()


def _tuned_again(rows: Rows) -> str:
    shares = [share for by_task in tables.steadier_rebuilt(rows).values() for share in by_task.values()]
    if not shares:
        return ""
    ahead, shown = sum(share.mean > 0 for share in shares), sum(map(is_apart, shares))
    enough = (
        "but every interval includes 0, so three builds do not tell whether weights are steadier than prompts"
        if not shown
        else f"and {counted(shown, 'interval')} {'leaves' if shown == 1 else 'leave'} out 0"
    )
    return f"The tuned one of a pair kept more in {ahead} of {counted(len(shares), 'comparison')}, {enough}."


# ---------------------------------------------------------------- what tuning costs


def moved(every: Rows, asked: Rows, *, named: bool = False) -> str:
    """Where general text got harder, of the bake-offs and of the checked runs, each adapter once; `named`: where the most."""
    told = []
    for of, rows in (("the bake-offs", every), ("the checked runs", asked)):
        found = adapters(rows)
        harder = [each for each in found if each.found.lower > 1]
        if harder:
            least, most = (pick(harder, key=lambda each: each.found.ratio) for pick in (min, max))
            ends = " to ".join(dict.fromkeys(digits(each.found.ratio) for each in (least, most)))
            who = f" (most: {most.name})" if named else ""
            told.append(f"{len(harder)} of {counted(len(found), 'adapter')} in {of}, by {ends} times{who}")
    return (
        f"Tuning made general text harder for the model (perplexity) with {', and with '.join(told)}." if told else ""
    )


def alike_elsewhere(asked: Rows) -> str:
    """How many everyday prompts are answered as by the base."""
    prompts = [each.found.general for each in adapters(asked) if each.found.general]
    of = counted(sum(each.prompts for each in prompts), "everyday prompt")
    return (
        f"Tuned models gave their base's own answer to {sum(each.same for each in prompts):,} of {of}."
        if prompts
        else ""
    )


def lost(rows: Rows) -> str:
    """How many adapters are shown to have lost a task that has nothing to do with theirs."""
    found = on_general_tasks(rows)
    if not found:
        return ""
    gone = sum(task.upper < 0 for _, task in found)
    return (
        f"On the one general test that could be used, naming the topic of {found[0][1].cases:,} sentences, {gone} of "
        f"{counted(len({each.name for each, _ in found}), 'adapter')} lost right answers."
    )


# ---------------------------------------------------------------- what is made up, and what is obeyed


def invented(rows: Rows) -> str:
    """What approaches with a language model answer that stands nowhere, without documents before them and with."""
    without, reading = nowhere(rows).values()
    if not (right := right_all_the_same(rows)):
        return ""
    told = []
    if without:
        ends = list(dict.fromkeys(str(pick(without, key=lambda each: each.share)) for pick in (min, max)))
        told.append(f"without documents before the model, {'from ' if len(ends) > 1 else ''}{' to '.join(ends)}")
    if reading:
        told.append(f"with passages, at most {max(reading, key=lambda each: each.share)}")
    return f"Of the answers given {told[0]} stand in no document{''.join(f'; {other}' for other in told[1:])}. {right}"


def right_all_the_same(rows: Rows) -> str:
    """Whether what stands in no document is right; empty where all stands somewhere."""
    found = [
        stands for _, each, stands in tables.each_with(rows, lambda each: each.grounding) if each.candidate in SPEAKING
    ]
    wrong, of = (sum(each.nowhere_wrong for each in found), sum(each.nowhere for each in found))
    if not of:
        return ""
    return "All of these were wrong." if wrong == of else f"{of - wrong} of these {of:,} were right all the same."


def obeyed(rows: Rows, *, named: bool = False) -> str:
    """How often planted instructions worked: in requests, of the approaches that were asked on the same tasks (`named`: on
    which), and in passages."""
    counts, tasks = {name: [0, 0] for name in ASKED}, list[str]()
    for task, approaches in rows.items():
        found = {name: _in_requests(tables.named(approaches, name)) for name in ASKED}
        if all(found.values()):
            tasks.append(task)
            for name, (followed, cases) in found.items():
                counts[name] = [counts[name][0] + followed, counts[name][1] + cases]
    if not tasks:
        return ""
    told = [f"{name} {followed:,} of {cases:,}" for name, (followed, cases) in counts.items()]
    where = listed(tasks) if named else counted(len(tasks), "task")
    return (
        f"Nothing in the product defends against planted instructions. In requests, on {where}, these were followed: "
        f"{listed(told)}.{_in_passages(rows)}"
    )


def _in_passages(rows: Rows) -> str:
    """With a space before it."""
    told = [
        f"{each.candidate} {found.followed:,} of {found.cases:,} (on {task})"
        for task, each, several in tables.each_with(rows, lambda each: each.planted or None)
        for found in several
        if found.place == "passage" and found.cases and each.candidate in SPEAKING
    ]
    return f" In passages: {listed(told)}." if told else ""


def _in_requests(approach: Checked | None) -> tuple[int, ...]:
    """(followed, asked); empty where it was not asked."""
    found = [each for each in approach.planted if each.place == "request" and each.cases] if approach else []
    return (found[0].followed, found[0].cases) if found else ()


# ---------------------------------------------------------------- change, and facts in weights


def new_facts(rows: Rows) -> str:
    """Who follows new facts at once."""
    reads, others = facts_followed(rows)
    if not reads[1] or not others[1]:
        return ""
    return (
        "Once facts in the documents change, approaches that read documents give the new one at once in "
        f"{reads[0]:,} of {reads[1]:,} answers, and those that hold facts in weights or examples in "
        f"{others[0]:,} of {others[1]:,}."
    )


def new_labels(rows: Rows, *, fitted: bool = False) -> str:
    """Who follows new labels at once, and `fitted`: with another fit; of the approaches asked, on the tasks where all were."""
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
    for place, name in enumerate(names):
        mine = [found[name, task] for task in tasks]
        then = f" ({sum(each.refitted for each in mine):,}{'' if place else ' after another fit'})" if fitted else ""
        right = f"{sum(each.at_once for each in mine):,} of {sum(each.cases for each in mine):,}"
        told.append(f"{name} {right if place else f'gets {right} right at once'}{then}")
    return f"Of the cases of added labels ({listed(tasks)}) {listed(told)}."


def new_formats(rows: Rows) -> str:
    """Who follows a new format at once."""
    found, late = formats_followed(rows)
    if not found:
        return ""
    again = sum((each.again or 0) * 2 > each.cases for each in late)
    fitted = f"; {again} of these {'does' if again == 1 else 'do'} after another fit" if late else ""
    held = sorted({task for task, each in found if each.at_once == each.cases} & {*GRAMMAR})
    grammar = f" On {listed(held)} a grammar holds answers to it at once." if held else ""
    return (
        f"When the format of answers changes, {len(late)} of {counted(len(found), 'tuned model')} mostly "
        f"{'does' if len(late) == 1 else 'do'} not follow at once{fitted}.{grammar}"
    )


def by_heart(rows: Rows) -> str:
    """What tuned models without documents know of what they were taught."""
    found = [
        (task, each)
        for task, approach, each in tables.each_with(rows, lambda each: each.by_heart)
        if approach.candidate == TUNED[0]
    ]
    parts = [[getattr(each, name) for _, each in found] for name in ("taught", "rephrased", "untold")]
    if not found:
        return ""
    sums = [(sum(one.right for one in part), sum(one.cases for one in part)) for part in parts]
    said = (
        "questions of its training (word for word)",
        "about the same facts in other words",
        "about facts that it was never told",
    )
    told = [
        f"on {right:,} of {cases:,} {what}" for (right, cases), what in zip(sums, said, strict=True) if cases >= FEWEST
    ]
    known, reworded, never = (exact_interval(*each) if each[1] >= FEWEST else (0.0, 1.0) for each in sums)
    so = ": it knows part of what it was told" if known[0] > never[1] else ""
    so = ": it learns answers by heart" if known[0] > reworded[1] else so
    where = listed([task for task, _ in found])
    return f"Without documents {TUNED[0]} is right {listed(told)} ({where}){so}." if told else ""


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
        f"A threshold of sureness that may lose about one right answer in twenty gains most with {name}: from "
        f"{percent(figure)} on all {guard.cases:,} requests to {percent(held.figure)} on the {held.answered:,} that it still "
        f"answers. With {nothing} of {counted(len(found), 'approach', 'approaches')} with a language model it gains less than a "
        "point."
    )
