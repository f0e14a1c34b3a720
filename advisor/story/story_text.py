"""The sentences of a story that stand outside its tables: the headline, how sure it is, data and method."""

from __future__ import annotations

import math
from collections.abc import Mapping

from advisor.costs.economics import saving
from advisor.decision.beyond import beyond_limits, stands_in_the_way
from advisor.decision.soonest import soonest
from advisor.decision.tuned import takes_tuning
from advisor.decision.unmeasured import named as limits_named
from advisor.decision.untried import as_headline
from advisor.goal import Goal
from advisor.material import Material
from advisor.probes.time_taken import where_time_went
from advisor.story.alike import told_apart
from advisor.story.gap import short_of_the_target
from advisor.story.left_out import judged, not_the_best_meant, so_far
from advisor.story.looked import looks, seen_before
from advisor.story.nobody import nobody_named, without_figures
from advisor.story.supposed import supposed
from advisor.wording import TOKENS, about, amount, counted, digits, listed, metric_name, percent, start
from benchmarks.contract import Procedure, State

_UNCONFIRMED = " But held-out cases were seen before, so this is no verdict until fresh ones confirm it."


def headline(material: Material) -> str:
    """The answer in one sentence."""
    told, goal = material.recommendation, Goal.of(material.benchmark)
    named = material.named
    if named is None:
        return nobody_named(material.statuses)
    beyond = _of_the_best(material)
    if not material.benchmark.judges:
        of_which = f"{'within the limits ' if beyond else ''}{judged(material.statuses)}"
        which = f"of those {of_which}{named}" if of_which else named
        highest = "" if len(material.statuses) == 1 else f" comes out highest{so_far(material.statuses)}: it"
        highest = _nobody_right(material) or f"{which}{highest} {_reaches(material, named)}"
        return f"No target was given, so nothing is recommended. {start(highest)}.{beyond}"
    seen = _UNCONFIRMED if material.benchmark.look.shown else ""
    if material.benchmark.margin is not None:
        beyond += not_the_best_meant(material.statuses)
        seen = f"{beyond}{seen}"
    if told.verdict == "choose":
        met = f"It {_reaches(material, named)}, {goal.meets}, and {_no_rival(material)}."
        return f"{_chosen(material, named)} {named}. {met}{_untuned_unknown(material)}{seen}"
    if told.verdict == "safe but cheaper undecided":
        return f"{_safe(material, named)} {goal.meets}. {_rival(material, named)}{seen}"
    if told.verdict == "undecided":
        return _but_for_limits(material, goal) or (
            f"Not decided yet: nothing is proven to {goal.meet}. {_nearest(material)}"
        )
    could_be = judged(material.statuses)
    if nobody := _nobody_right(material):
        return f"Nothing {could_be}{goal.meets}: {nobody}."
    best = beyond_limits(material.evaluations, material.statuses, named)
    within = "within the limits " if stands_in_the_way(best, material.benchmark.target) else ""
    short = short_of_the_target(material, named)
    return f"Nothing {within}{could_be}{goal.meets}: the best is {named}, which {_reaches(material, named)}{short}.{beyond}"


def _chosen(material: Material, named: str) -> str:
    """The question of the product, answered as far as the run can, up to the name of the choice."""
    if material.evaluations[named].family == "recorded" or _untuned_unknown(material):
        return "Use"
    return "Fine-tuning pays off: use" if _takes_tuning(material, named) else "No need to fine-tune: use"


def _untuned_unknown(material: Material) -> str:
    """What is to be said of a choice where nothing without tuning has a figure; with a space before it."""
    if all(_takes_tuning(material, name) for name in material.evaluations):
        return " Whether fine-tuning is needed is not known: no approach without it was measured."
    return ""


def _takes_tuning(material: Material, name: str) -> bool:
    return takes_tuning(material.evaluations[name], material.extras.prices)


def _safe(material: Material, named: str) -> str:
    """What meets, and whether that takes fine-tuning, up to the verb of the goal."""
    if material.evaluations[named].family == "recorded":
        return f"{start(named)} is proven so far: it {_reaches(material, named)} and"
    how = "with" if _takes_tuning(material, named) else "without"
    return f"Proven so far, {how} fine-tuning: {named} {_reaches(material, named)} and"


def confidence(material: Material) -> str:
    """How sure the answer is, and for which requests."""
    benchmark = material.benchmark
    cases = counted(len(benchmark.heldout), "held-out case")
    cases = f"up to {cases}" if benchmark.sequential else cases
    tested = sum(status.state in (State.MEETS, State.MISSES, State.UNDECIDED) for status in material.statuses)
    goal = Goal.of(benchmark)
    if not benchmark.judges:
        sure = f"Figures are from {cases}, each with its own 95 % interval; no claim is tested."
    elif tested == 0:
        nothing = f"{without_figures(material.statuses).rstrip('.')}, so nothing was tested on the {cases}."
        return f"{nothing}{_changed(material, goal)}"
    else:
        anything = (
            "the approach" if tested == 1 else "either approach" if tested == 2 else f"any of the {tested} approaches"
        )
        sure = (
            f"Measured on {cases}: requests with known answers that no approach saw. The chance that such a report "
            f"wrongly says that {anything} {goal.meets_plainly} is at most 5 %; the same holds for saying that "
            f"{'it' if tested == 1 else 'one'} {goal.misses_it}{looks(material)}{supposed(material)}"
        )
    sure += _changed(material, goal)
    if benchmark.look.shown:
        sure += f" {seen_before(benchmark.look)}"
    if benchmark.margin is not None and material.recommendation.best is not None:
        best = material.recommendation.best
        where = "within the limits" if _of_the_best(material) else "here"
        sure += f" Close to the best need not be good: the best {where}, {best}, {_reaches(material, best)}."
    return f"{sure} This holds only for requests like these cases.{_like_traffic(material)}"


def _changed(material: Material, goal: Goal) -> str:
    """What is exploratory, since it was asked when the figures were known; with a space before it."""
    benchmark, changed = material.benchmark, material.extras.changed
    told = ""
    if benchmark.exploratory and (changed.goal or not changed.limit):
        told = (
            f" The {goal.noun} was named when the figures were known, so this is exploratory; the bounds hold for every "
            f"{goal.noun} at once."
        )
    if not changed.costs:
        return told
    was = "were" if len(changed.costs) > 1 or changed.costs[0].endswith("prices") else "was"
    were = f" {start(listed(changed.costs))} {was} changed when the figures were known"
    if changed.limit and goal.noun:
        every = f"; the bounds hold for every {goal.noun} at once" if benchmark.target is not None else ""
        return f"{told}{were}, and the limit on costs rules out others by that: this is exploratory{every}."
    stays = f"; what is shown to {goal.meet_plainly} does not depend on that" if goal.noun and not told else ""
    return f"{told}{were}, so which approach is the cheapest is exploratory{stays}."


def _like_traffic(material: Material) -> str:
    """Whether real requests are like the cases, where there is a sample of them."""
    found = material.extras.population
    if found is None:
        return ""
    told = f"is right on {percent(found.share)} of the texts that it was not shown, against 50 % by guessing"
    if found.differ:
        return (
            f" The sample of {found.other} is not like them: a classifier trained to tell the two apart {told}. Label some "
            "of those requests before you rely on the figures."
        )
    return f" The sample of {found.other} looks like them: a classifier trained to tell the two apart {told}."


def data(material: Material) -> tuple[str, ...]:
    """What the cases are, what was found in them, the other metrics, and answers that were none."""
    benchmark = material.benchmark
    task = benchmark.task
    parts = [counted(len(task.examples), "example"), counted(len(benchmark.heldout), "held-out case")]
    if task.labels:
        parts.append(counted(len(task.labels), "label"))
    if task.documents:
        parts.append(counted(len(task.documents), "document"))
    sentences = [f"{listed(parts)}.", *benchmark.notes]
    groups, grouped = material.groups
    if groups:
        sentences.append(
            f"{counted(grouped, 'held-out case')} belong to {counted(groups, 'group')} of cases that are alike or have the same "
            "source, so they prove less than as many separate ones: each still counts as one case in the figure, but the bounds "
            "are wider."
        )
    alike = (told_apart(key, found) for key, found in material.extras.alike.items())
    return (*sentences, *alike, *_other_metrics(material), *_no_answers(material))


def method(material: Material) -> tuple[str, ...]:
    """How it was measured, so that it can be judged and repeated."""
    benchmark, extras = material.benchmark, material.extras
    source = f", from {extras.heldout_from}" if extras.heldout_from else ""
    by_tokens = any(cost.ahead.unit.startswith(TOKENS) for cost in material.costs.values())
    tokens = " (costs in tokens without a price: where that price decides which is higher)" if by_tokens else ""
    lines = [
        f"{counted(len(benchmark.heldout), 'held-out case')}{source}, frozen before anything ran "
        f"(fingerprint {benchmark.fingerprint[:12] or 'not taken'}). No approach saw them; nothing was chosen by them.",
        *(["Each run of a task by name is counted as the first look at these cases."] if extras.by_name else []),
        *_asked(material),
        f"Metric: {metric_name(benchmark.metric.name)}. {_how_bounded(material)}",
        "Every choice was made on examples kept for selection; what was chosen was then fitted again on all examples.",
        f"Costs are ranked by what lies ahead: {counted(benchmark.horizon_months, 'month')} at {benchmark.volume:,} "
        "requests a month. Measured seconds are taken as exact to within 15 %; costs whose ranges overlap are a tie"
        f"{tokens}, and the simpler approach wins it.",
        f"Random seed {extras.seed}.",
    ]
    if extras.machine:
        lines.append(f"Machine: {extras.machine}.")
    timed = {name: each.latency.throughput_per_s for name, each in material.evaluations.items() if each.latency}
    paces = [f"{name} {digits(pace)}" for name, pace in timed.items() if pace is not None]
    if paces:
        lines.append(
            "Latency is that of single warm requests, one at a time; no load was tested. Held-out answers per second of "
            f"answering (in batches here; for a server, with all waits added up): {listed(paces)}."
        )
    return (*lines, *where_time_went(material))


def _asked(material: Material) -> list[str]:
    """How many cases each approach was asked, where asking ends with a decision, and how many answers that saved."""
    benchmark = material.benchmark
    asked = {each.candidate: len(each.scores) for each in material.evaluations.values() if each.scores}
    if not benchmark.sequential or not asked:
        return []
    total = len(asked) * len(benchmark.heldout)
    saved = total - sum(asked.values())
    each = listed([f"{name} {cases:,}" for name, cases in asked.items()])
    return [
        "The cases were asked in a random order that was fixed beforehand, and each approach until it was decided: "
        f"{each}. So {saved:,} of {counted(total, 'answer')} were not needed. The bounds hold wherever one stops."
    ]


# ---------------------------------------------------------------- parts of sentences


def _reaches(material: Material, name: str) -> str:
    evaluation, metric = material.evaluations[name], material.benchmark.metric
    figure = percent(evaluation.figure)
    if metric.over_rows:
        return f"reaches a {metric_name(metric.name)} of {figure} on the held-out cases"
    if metric.graded:
        return f"scores {figure} on average ({metric_name(metric.name)})"
    return f"is right in {figure} of the held-out cases"


def _nobody_right(material: Material) -> str:
    """A clause where all that was measured is at 0, so that none of them is the best; else empty."""
    if any(math.isfinite(each.figure) and each.figure != 0 for each in material.evaluations.values()):
        return ""
    metric = material.benchmark.metric
    if metric.over_rows or metric.graded:
        return f"no approach that was measured has a {metric_name(metric.name)} above 0 % on the held-out cases"
    return "no approach that was measured is right in any of the held-out cases"


def _no_rival(material: Material) -> str:
    goal = Goal.of(material.benchmark)
    others = [status for status in material.statuses if status.candidate != material.recommendation.choice]
    before = [each.candidate for each in material.statuses].index(material.recommendation.choice or "")
    if not others:
        return "is the only approach that was tried"
    fitted = " that was fitted" if any(each.spared for each in material.evaluations.values()) else ""
    if before == 0:
        return f"no other approach{fitted} is clearly cheaper to run"
    states = {each.state for each in material.statuses[:before]}
    cheaper = _cheaper(material, before) + fitted
    if states <= {State.MISSES}:
        return f"every {cheaper} {goal.misses_it}"
    if states <= {State.MISSES, State.RULED_OUT}:
        return f"every {cheaper} {goal.misses_it} or breaks a limit"
    return f"no {cheaper} that could be judged {goal.meets_it}"


def _cheaper(material: Material, before: int) -> str:
    """What the first ones are, which the choice comes after: of costs that tie the simpler comes first."""
    choice, ranking = material.recommendation.choice or "", material.ranking
    if not all(ranking.comparable(each.candidate, choice) for each in material.statuses[:before]):
        return "approach that may be cheaper"
    tied = any(ranking.tie(each.candidate, choice) for each in material.statuses[:before])
    return "approach that is cheaper or costs about the same" if tied else "cheaper approach"


def _rival(material: Material, named: str) -> str:
    name = material.recommendation.cheaper_undecided[0]
    status = next(each for each in material.statuses if each.candidate == name)
    if status.state is State.MEETS:
        also = f"{start(name)} {Goal.of(material.benchmark).meets_it} too"
        return f"{also}, but the costs of the two cannot be compared without another price."
    if status.state is State.OPEN:
        return f"{start(name)} is not measured yet, and may be cheaper."
    more = f"; {about(status.more_cases, 'more held-out case')} would probably decide" if status.more_cases else ""
    if status.but_for_limits:
        more = f"; whether it keeps {limits_named(status.unchecked)} was not measured"
    saved = saving(material.ranking, named, name, material.benchmark.horizon_months)
    if saved is not None:
        return f"{start(name)} is undecided and would save {amount(saved)} a month{more}."
    if material.ranking.tie(name, named):
        return f"{start(name)} is undecided, costs about the same and is simpler{more}."
    return f"{start(name)} is undecided and may be cheaper{more}."


def _but_for_limits(material: Material, goal: Goal) -> str:
    """The headline where something meets, but for limits that were not measured; else empty."""
    found = [status for status in material.statuses if status.but_for_limits]
    if not found:
        return ""
    names = [f"{each.candidate} ({percent(material.evaluations[each.candidate].figure)})" for each in found]
    keys = list(dict.fromkeys(key for each in found for key in each.unchecked))
    one = len(found) == 1
    return (
        f"Not decided yet: {listed(names)} {goal.meets if one else goal.meet}, but whether {'it keeps' if one else 'they keep'} "
        f"{limits_named(keys)} was not measured."
    )


def _nearest(material: Material) -> str:
    undecided = [status for status in material.statuses if status.state is State.UNDECIDED]
    if not undecided:
        waiting = [status.candidate for status in material.statuses if status.state is State.OPEN]
        if not waiting:
            return as_headline(material.benchmark)
        return f"{start(listed(waiting))} {'is' if len(waiting) == 1 else 'are'} not measured yet."
    names = [f"{each.candidate} ({percent(material.evaluations[each.candidate].figure)})" for each in undecided]
    needed = soonest(undecided, material.evaluations, material.benchmark.target)
    sentence = f"{start(listed(names))} may {Goal.of(material.benchmark).meet_it}."
    if needed is None:
        hopeless = all(each.hopeless for each in undecided)
        return f"{sentence} No realistic number of held-out cases would decide it." if hopeless else sentence
    more, name = needed
    return f"{sentence} {start(about(more, 'more held-out case'))} would probably decide about {name}."


def _other_metrics(material: Material) -> list[str]:
    names = dict.fromkeys(metric for each in material.evaluations.values() for metric in each.shown)
    found = []
    for metric in names:
        figures = [
            f"{status.candidate} {percent(evaluation.shown[metric])}"
            for status in material.statuses
            if metric in (evaluation := material.evaluations[status.candidate]).shown
        ]
        found.append(f"Also measured, but not decisive: {metric_name(metric)}: {listed(figures)}.")
    return found


def _no_answers(material: Material) -> list[str]:
    found = []
    for status in material.statuses:
        lost = {kind: rows for kind, rows in material.evaluations[status.candidate].failures.items() if rows}
        if lost:
            found.append(f"{status.candidate} ({listed([f'{rows:,} {kind}' for kind, rows in lost.items()])})")
    return [f"Answers with something to note: {listed(found)}."] if found else []


_SHARED: Mapping[Procedure, str] = {
    "cheapest first": ": approaches are tested from the cheapest up, going on once one is shown to miss; a fifth of the error is "
    "kept for those not reached",
    "fixed sequence": ": tested from strong to weak as the selection cases have them, each at the full level, up to the "
    "first that fails (from weak to strong for missing the target)",
    "holm": " (Holm's correction)",
    "max-t": " (step-down over the largest paired statistic, max-T)",
    "finalist": ": only the cheapest that reached the target on the selection cases is tested for meeting it",
}


def _how_bounded(material: Material) -> str:
    metric = material.benchmark.metric
    if not material.benchmark.judges:
        return "Intervals are two-sided at 95 %."
    if material.benchmark.margin is not None:
        return _how_compared(material)
    if material.benchmark.sequential:
        how = "One-sided bounds come from bets on the scores in the order of asking, valid wherever one stops"
    elif metric.over_rows:
        how = "One-sided bounds come from a bootstrap of whole groups of cases"
    elif material.effective:
        how = "One-sided bounds are binomial, for as many independent cases as the groups are worth, and close to exact"
    elif not material.right_or_wrong:
        mixed = " (Clopper-Pearson for what was only right or wrong)" if material.exact_among_graded else ""
        how = f"One-sided bounds come from betting on whole groups of cases, valid at any sample size{mixed}"
    else:
        how = "One-sided bounds are exact (Clopper-Pearson)"
    shared = " and every target" if material.benchmark.exploratory else _SHARED[material.recommendation.procedure]
    return f"{how}, at 95 % over all approaches and looks{shared}."


def _how_compared(material: Material) -> str:
    if material.benchmark.metric.over_rows:
        how = "by a bootstrap of whole groups of cases"
    elif material.right_or_wrong:
        how = "case by case, by an exact test (Berger and Boos)"
    else:
        how = "case by case, by betting on whole groups of cases"
    return (
        f"Each approach is compared with all that may be the best, {how}, at 95 % over all approaches, margins and looks "
        "(multiple comparisons with the best, Hsu)."
    )


def _of_the_best(material: Material) -> str:
    """Of one that is better than the best within the limits, as a sentence with a space before it; else empty."""
    found = beyond_limits(material.evaluations, material.statuses, material.recommendation.best)
    if found is None:
        return ""
    if material.benchmark.margin is None:
        return f" {found.sentence}"
    return f" {start(found.candidate)} ({percent(found.figure)}) is ruled out by a limit, and so not the best that is meant."
