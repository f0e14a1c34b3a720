"""Why a recommendation reads as it does, in sentences for people, the decisive things first."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from advisor.ask.triage import CLASSIC_MISTAKE
from advisor.contract import Status
from advisor.costs.economics import in_money
from advisor.decision.closeness import how_far
from advisor.decision.decided import Decided
from advisor.decision.expected import as_expected
from advisor.decision.forgetting import perhaps_forgot_too_much
from advisor.decision.share_limits import beyond_a_share, unchecked
from advisor.decision.slices import perhaps_too_weak, weakest_part
from advisor.decision.tuned import takes_tuning
from advisor.decision.unsteady import perhaps_too_unsteady
from advisor.decision.untried import as_reason
from advisor.goal import Goal
from advisor.story.left_out import so_far
from advisor.story.no_answers import of_answers
from advisor.story.nobody import without_figures
from advisor.story.nothing_beats import unbeaten
from advisor.story.right_documents import with_right_documents
from advisor.wording import (
    about,
    amount,
    ceil_percent,
    clause,
    counted,
    duration,
    floor_percent,
    full,
    listed,
    money,
    percent,
    plain_points,
    start,
)
from benchmarks.checked import RetrievalQuality
from benchmarks.contract import State
from benchmarks.statistics.counted import interval
from benchmarks.statistics.decidable import carrying

_SMALL_DATA = 100
MOST_NAMED = 4
"""Approaches that one sentence names, at most."""
_FEW_WRONG = 10


def reasons(decided: Decided) -> tuple[str, ...]:
    """What led to the verdict, the decisive things first."""
    constant = unbeaten(decided.evaluations, decided.statuses.values(), decided.benchmark)
    found = [
        *([] if constant is None else [constant.says]),
        *_of_the_verdict(decided),
        *_of_cost(decided),
        *_of_expectation(decided),
        *_of_limits(decided),
        *of_answers(decided.evaluations, decided.ranking.order, decided.named),
        *_of_retrieval(decided),
        *weakest_part(decided.evaluations.get(decided.named or ""), decided.benchmark),
        *_of_data(decided),
    ]
    return tuple(found)


def _of_the_verdict(decided: Decided) -> list[str]:
    named = decided.named
    if named is None:
        return [without_figures(decided.statuses.values())]
    if not decided.benchmark.judges:
        return _compared(decided, named)
    goal = decided.goal
    status = decided.statuses[named]
    found = []
    if status.state is State.MEETS:
        found.append(f"{start(named)} reaches {percent(decided.evaluations[named].figure)}, {_shown(decided, status)}.")
    missing = [
        name for name in decided.having(State.MISSES) if status.state is not State.MEETS or before(decided, name)
    ]
    if missing:
        ranking = decided.ranking
        tied = any(ranking.tie(name, named) for name in missing)
        known = all(ranking.comparable(name, named) for name in missing)
        cheaper = "Perhaps cheaper" if not known else "At about the same cost or less" if tied else "Cheaper"
        which = f"{cheaper}, but proven to" if status.state is State.MEETS else "Proven to"
        found.append(f"{which} {goal.miss}: {listed(_nearest(decided, missing))}.")
    waiting = [name for name in decided.unsettled if decided.statuses[name].state is State.OPEN]
    judged = [name for name in decided.unsettled if decided.statuses[name].state in (State.UNDECIDED, State.MEETS)]
    return [
        *found,
        *(_unsettled(decided, name) for name in judged),
        *(_on_few(decided) if judged else ()),
        *_open(decided, waiting),
        *as_reason([decided.statuses[name] for name in decided.unsettled]),
    ]


def _on_few(decided: Decided) -> Iterator[str]:
    """Of an F1 of one label that leaves something open: how few cases have that label."""
    few, cases = carrying(decided.benchmark), len(decided.benchmark.heldout)
    if few is not None:
        verb = "has" if few == 1 else "have"
        yield (
            f"Of the {counted(cases, 'held-out case')} {few:,} {verb} the label that the figures are about: these count, and so "
            "do the answers that name it."
        )


def _open(decided: Decided, names: Sequence[str]) -> Iterator[str]:
    """Those that are not measured yet, in one sentence for each reason."""
    for reason in dict.fromkeys(decided.statuses[name].reason for name in names):
        alike = [name for name in names if decided.statuses[name].reason == reason]
        yield f"{start(listed(alike))} {'is' if len(alike) == 1 else 'are'} not measured yet: {reason}."


def _nearest(decided: Decided, missing: Sequence[str]) -> list[str]:
    """Each that misses with its bound; of many those that come nearest, and how many others the table has."""
    if len(missing) <= MOST_NAMED:
        return [_with_ceiling(decided, name) for name in missing]
    order = sorted(missing, key=lambda name: -decided.evaluations[name].figure)[: MOST_NAMED - 1]
    return [*(_with_ceiling(decided, name) for name in order), f"{len(missing) - len(order)} others"]


def _shown(decided: Decided, status: Status) -> str:
    """What is proven of one that meets, after its figure."""
    benchmark, within = decided.benchmark, _within(decided, status.candidate)
    if benchmark.margin is None:
        shown = floor_percent(status.lower or 0.0, benchmark.target)
        return f"and at least {shown} % with 95 % confidence, which {decided.goal.meets}"
    if not status.lower:
        return f"and with 95 % confidence none{within} is better"
    most, allowed = how_far(status.lower, status.upper or 0.0, benchmark.margin)[1], plain_points(benchmark.margin)
    return f"and lies at most {most} points below the best{within} with 95 % confidence; {allowed} are allowed"


def _within(decided: Decided, name: str) -> str:
    """What a claim of the best has to say where a limit rules out a better one; begins with a space."""
    return " within the limits" if decided.beyond(name) else ""


def _compared(decided: Decided, named: str) -> list[str]:
    beyond = decided.beyond(named)
    reached, measured = percent(decided.evaluations[named].figure), so_far(decided.statuses.values())
    highest = f"{named} has the highest figure{measured}, {reached}"
    found = [f"{start(highest)}."] if len(decided.statuses) > 1 else ["No other approach was tried."]
    if beyond is not None:
        found = [f"Of those within the limits {highest}; {beyond.candidate} has {percent(beyond.figure)}."]
    first, *others = decided.having(State.COMPARED)
    alike = [first, *(name for name in others if decided.ranking.comparable(first, name))]
    cheapest = min(alike, key=lambda name: decided.costs[name].monthly.value or 0.0)
    monthly, unlike = decided.costs[cheapest].monthly, len(others) + 1 - len(alike)
    if cheapest != named and monthly.value is not None and (len(alike) > 1 or not unlike):
        ties = [name for name in alike if name != cheapest and decided.ranking.tie(name, cheapest)]
        beside = f"; {listed(ties)} {'cost' if len(ties) > 1 else 'costs'} about as much" if ties else ""
        of_which = "within the limits " if decided.having(State.RULED_OUT) else ""
        of_which += f"{'and ' if of_which else ''}whose costs can be compared " if unlike else ""
        which = f"of those {of_which}{cheapest}" if of_which else cheapest
        least = start(f"{which} costs least to run{measured}")
        found.append(
            f"{least}, {amount(monthly)} a month, and reaches {percent(decided.evaluations[cheapest].figure)}{beside}."
        )
    return [*found, *_open(decided, decided.having(State.OPEN))]


def before(decided: Decided, name: str) -> bool:
    """True where the candidate stands before the named one in the order of cost."""
    order = decided.ranking.order
    return decided.named is not None and order.index(name) < order.index(decided.named)


def _with_ceiling(decided: Decided, name: str) -> str:
    status, figure, margin = decided.statuses[name], percent(decided.evaluations[name].figure), decided.benchmark.margin
    if status.upper is None:
        return f"{name} ({figure})"
    if margin is None:
        return f"{name} ({figure}, at most {ceil_percent(status.upper, decided.benchmark.target)})"
    return f"{name} ({figure}, at least {how_far(status.lower or 0.0, status.upper, margin)[0]} points below)"


def _unsettled(decided: Decided, name: str) -> str:
    status, named = decided.statuses[name], decided.named
    figure = percent(decided.evaluations[name].figure)
    if status.state is State.MEETS:
        also = f"{start(name)} also {decided.goal.meets_plainly} ({figure})"
        return f"{also}, but its cost cannot be compared with that of {named}."
    if status.but_for_limits and (decided.verdict == "undecided" or named is None):
        return f"{start(name)} ({figure}) {status.reason.removeprefix('It ')}"
    more = _more(status, decided.goal)
    if decided.verdict == "undecided" or named is None:
        return f"{start(name)} ({figure}) {_either(decided, status)}; {more}."
    saved = decided.saved(named, name)
    if saved is not None:
        gain = f"is cheaper and would save {amount(saved)} a month"
    elif decided.ranking.tie(name, named):
        gain = "costs about the same and is simpler"
    else:
        gain = "may be cheaper, which cannot be told from the prices that are known"
    if status.but_for_limits:
        return f"{start(name)} ({figure}) {gain}; it{status.reason.removeprefix('It')}"
    told = name == decided.unsettled[0] and status.more_cases is not None  # The headline says so already.
    return f"{start(name)} ({figure}) {gain}, but {_either(decided, status)}{'' if told else f'; {more}'}."


def _either(decided: Decided, status: Status) -> str:
    """Between which bounds it lies, where these leave the target between them."""
    low, high, target = status.lower, status.upper, decided.benchmark.target
    if target is None or low is None or high is None or not low < target <= high:
        return decided.goal.either
    return f"may lie anywhere from {floor_percent(low, target)} to {ceil_percent(high, target)} %, on either side of the target"


def _more(status: Status, goal: Goal) -> str:
    if status.more_cases is None and not status.hopeless:
        return f"{status.reason[:1].lower()}{status.reason[1:].rstrip('.')}"
    if status.more_cases is None:
        return f"its figure lies so close to the {goal.noun} that no realistic number of cases would decide it"
    return f"{about(status.more_cases, 'more held-out case')} would probably decide it"


def _of_cost(decided: Decided) -> list[str]:
    named = decided.named
    if named is None or decided.verdict not in ("choose", "safe but cheaper undecided"):
        return []
    found, ranking = list[str](), decided.ranking
    involved = [name for name in decided.having(State.MEETS) if ranking.simplicity[name] > ranking.simplicity[named]]
    if ties := [name for name in involved if ranking.tie(name, named)]:
        meet = decided.goal.meets_plainly if len(ties) == 1 else decided.goal.meet_plainly
        found.append(
            f"{start(listed(ties))} {meet} too at about the same cost "
            f"(the ranges overlap); {named} is preferred as the simpler."
        )
    dearer = [(saved, name) for name in decided.having(State.MEETS) if (saved := decided.saved(name, named))]
    if dearer:
        saved, name = dearer[0]
        found.append(
            f"{start(name)} {decided.goal.meets_plainly} too and would cost {amount(saved)} a month more than {named}."
        )
    return found


def _of_expectation(decided: Decided) -> list[str]:
    """What the nature of the task suggested, and whether that came out."""
    why = list(decided.expectation.why)
    if decided.named is None:
        return why
    if takes_tuning(decided.evaluations[decided.named], decided.prices):
        why = [sentence for sentence in why if sentence != CLASSIC_MISTAKE]
    return [*why[:1], *as_expected(decided, decided.named), *why[1:]]


def _of_limits(decided: Decided) -> list[str]:
    found = [
        f"{start(name)} is ruled out. {full(decided.statuses[name].reason)}" for name in decided.having(State.RULED_OUT)
    ]
    alike: dict[tuple[State, str], list[str]] = {}
    told = {name for name in decided.unsettled if decided.statuses[name].too_few} if decided.named else set()
    for name in decided.having(State.INVALID, State.CANNOT_RUN, State.SKIPPED):
        if name in told:
            continue
        alike.setdefault((decided.statuses[name].state, decided.statuses[name].reason), []).append(name)
    skipped = []
    for (state, reason), names in alike.items():
        verb = "is" if len(names) == 1 else "are"
        if state is State.SKIPPED and not decided.evaluations[names[0]].spared:
            skipped.append(f"{listed(names)} ({clause(reason)})")
        else:
            found.append(f"{start(listed(names))} {verb} not judged ({state}). {full(reason)}".rstrip())
    found += [f"Not tried: {'; '.join(skipped)}."] * bool(skipped)
    limits = decided.benchmark.constraints
    open_to = decided.having(State.MEETS, State.MISSES, State.UNDECIDED, State.COMPARED)
    if limits.cost_per_month is not None:
        currency = decided.prices.currency
        unpriced = [name for name in open_to if not in_money(decided.costs[name], currency)]
        if unpriced:
            found.append(
                f"The limit of {money(limits.cost_per_month)} a month was not checked for {listed(unpriced)}, whose "
                f"cost in {currency} is not known: state the price of a machine hour, or of the tokens."
            )
    found += [sentence for name in open_to for sentence in _beyond(decided, name)]
    if limits.p95_latency_s is not None:
        unmeasured = [name for name in open_to if decided.evaluations[name].latency is None]
        if unmeasured:
            found.append(f"The latency limit was not checked for {listed(unmeasured)}: no latency was measured.")
    if limits.perplexity_ratio is not None:
        tuned = [name for name in open_to if takes_tuning(decided.evaluations[name], decided.prices)]
        unread = [name for name in tuned if decided.evaluations[name].forgetting is None]
        if unread:
            found.append(f"The limit on forgetting was not checked for {listed(unread)}: nothing was measured.")
    found += unchecked([decided.evaluations[name] for name in open_to], decided.benchmark)
    return found


def _beyond(decided: Decided, name: str) -> Iterator[str]:
    """Limits that were exceeded in the measurement and are not shown to be broken."""
    limits, latency, monthly = (
        decided.benchmark.constraints,
        decided.evaluations[name].latency,
        decided.costs[name].monthly,
    )
    if limits.p95_latency_s is not None and latency is not None and latency.p95_s > limits.p95_latency_s:
        longer = sum(seconds > limits.p95_latency_s for seconds in latency.seconds)
        yield (
            f"{start(name)} may be too slow: {longer} of {counted(len(latency.seconds), 'request')} took longer than "
            f"{duration(limits.p95_latency_s)}, and one in twenty may; so few requests do not prove that more do."
        )
    yield from perhaps_too_weak(decided.evaluations[name], decided.benchmark)
    yield from perhaps_forgot_too_much(decided.evaluations[name], decided.benchmark)
    yield from perhaps_too_unsteady(decided.evaluations[name], decided.benchmark)
    yield from beyond_a_share(decided.evaluations[name], decided.benchmark)
    if limits.cost_per_month is not None and in_money(decided.costs[name], decided.prices.currency):
        value = monthly.value or 0.0
        if value > limits.cost_per_month:
            yield (
                f"{start(name)} may cost too much: {amount(monthly)} a month, with a limit of {money(limits.cost_per_month)} "
                "inside the range of its timings."
            )


def _of_retrieval(decided: Decided) -> list[str]:
    found = []
    for name in decided.ranking.order:
        evaluation = decided.evaluations[name]
        quality = evaluation.retrieval
        if quality is None or not quality.cases or not quality.recall_at:
            continue
        deepest = max(quality.recall_at)
        which = "The passage" if deepest == 1 else f"One of the first {deepest} passages"
        sentence = (
            f"{which} that {name} looked up was from the right document in {percent(quality.recall_at[deepest])} of "
            f"{counted(quality.cases, 'case')}"
        )
        found.append(f"{sentence}{with_right_documents(evaluation)}.{_where_it_fails(quality)}")
    return found


def _where_it_fails(quality: RetrievalQuality) -> str:
    """A sentence on where wrong answers come from, with a space before it; empty where too few are wrong."""
    wrong = quality.missed + quality.misread
    if wrong < _FEW_WRONG:
        return ""
    mostly = f"mostly {'the search' if quality.missed > quality.misread else 'the reading'} fails"
    lowest, highest = interval(quality.missed, wrong, quality.missed_by_group)
    if lowest <= 0.5 <= highest:
        mostly = "both search and reading play a part"
    which, passage = "there", "a passage of the right document"
    if quality.on_selection:
        which, passage = "on the selection cases", "the right passage"
    return (
        f" Of {wrong:,} wrong answers {which}, {quality.missed:,} lacked {passage} and {quality.misread:,} were wrong even "
        f"with it, so {mostly}."
    )


def _of_data(decided: Decided) -> list[str]:
    found = []
    examples = len(decided.benchmark.task.examples)
    if examples < _SMALL_DATA:
        found.append(f"There are only {counted(examples, 'example')} to learn from, so more could change the order.")
    rising = [name for name in decided.ranking.order if decided.evaluations[name].rising]
    if rising:
        found.append(f"The budget for tuning ran out before {listed(rising)} had tried everything (not saturated).")
    return found
