"""A recommendation as a chain of premises with their numbers, each with the rows of the run that it can be checked by."""

from __future__ import annotations

import math
from collections.abc import Iterator

from advisor.contract import Amount, Costs, Status, Verdict
from advisor.costs.economics import Ranking, rank
from advisor.decision.untried import untried
from advisor.wording import NEVER, amount, counted, listed, plain_percent, plain_points, start
from benchmarks.contract import Evaluation, State
from benchmarks.statistics.looks import level_of

_OF_RULES = {
    "cheapest first": "used by one approach after the other from the cheapest on, a fifth of it split over all",
    "holm": "split over the approaches by Holm's procedure",
    "max-t": "shared by the largest paired statistic (max-T)",
    "fixed sequence": "used in full by one approach after the other, in the order of the selection scores",
    "finalist": "used in full by the one that the selection scores name",
}


def premises(verdict: Verdict) -> tuple[str, ...]:
    """What the recommendation follows from, in the order of the argument; table and column names are those of run.sqlite."""
    return (*_asked(verdict), *_measured(verdict), *_costs(verdict), *_volumes(verdict), *_follows(verdict))


def _asked(verdict: Verdict) -> Iterator[str]:
    facts, told = verdict.story.facts, verdict.recommendation
    look = int(facts["look"]["number"])
    yield (
        f"{counted(facts['heldout_cases'], 'held-out case')}, fixed before anything ran (fingerprint "
        f"{facts['fingerprint'][:12]}); this is look {look} at them."
    )
    if facts["target"] is None and facts["margin"] is None:
        yield "Neither target nor margin is set, so nothing is tested."
        return
    level = f"{100 * level_of(look):.3g} %"
    if facts["margin"] is not None:
        how = "split over the comparisons of each approach with the others"
        asked = f"To meet is to lie at most {plain_points(facts['margin'])} below the best."
    else:
        how = "over the approaches and all targets" if facts["exploratory"] else _OF_RULES[told.procedure]
        asked = f"To meet is {facts['metric']} of at least {plain_percent(facts['target'])}."
    yield f'{asked} The chance of any wrong "meets" is {level} at this look, and of any wrong "misses" likewise, {how}.'


def _measured(verdict: Verdict) -> Iterator[str]:
    by_name = {each.candidate: each for each in verdict.evaluations}
    for status in verdict.recommendation.statuses:
        if status.state is not State.SKIPPED:
            yield f"{start(status.candidate)}: {_figure(by_name[status.candidate], status)}"


def _figure(evaluation: Evaluation, status: Status) -> str:
    if not evaluation.scores or status.state in (State.INVALID, State.CANNOT_RUN, State.OPEN):
        return f"{status.state}. {status.reason}".rstrip()
    rows = f'rows: candidate "{evaluation.candidate}", purpose "heldout"'
    total = f"{math.fsum(evaluation.scores):g} of {len(evaluation.scores):,}"
    over = f"{evaluation.figure:.4f} over all rows; single scores {total}" if evaluation.over_rows else ""
    figure = over or f"{total}, a mean of {evaluation.figure:.4f}"
    if status.lower is None or status.upper is None:
        return f"{figure} ({rows}): {status.state}."
    return f"{figure} ({rows}); bounds {status.lower:.4f} and {status.upper:.4f}: {status.state}."


def _costs(verdict: Verdict) -> Iterator[str]:
    bills = {each.candidate: each for each in verdict.costs}
    by_name = {each.candidate: each for each in verdict.evaluations}
    facts = verdict.story.facts
    for status in verdict.recommendation.statuses:
        if status.state is not State.SKIPPED:
            bill = _bill(bills[status.candidate], facts["horizon_months"])
            yield f"{start(status.candidate)} costs {bill}{_used(by_name[status.candidate], facts['volume'])}"


def _volumes(verdict: Verdict) -> Iterator[str]:
    """Who costs the least at which volume, and where two cost the same: the tables of the report, in two sentences."""
    story, unranked = verdict.story, rank(verdict.costs, verdict.evaluations).unranked
    if story.bands.rows:
        unlike = any(
            each.state is State.MEETS and each.candidate in unranked for each in verdict.recommendation.statuses
        )
        whose = f"of those that meet{' and whose costs can be compared' if unlike else ''}"
        asked = any(story.facts[key] is not None for key in ("target", "margin"))
        told = "; ".join(f"{name} {volumes}" for name, volumes in story.bands.rows)
        yield f"Cheapest {whose if asked else 'of all'}, at so many requests a month: {told}."
    met = [f"{one} and {other} {volume}" for one, other, _, volume, *_ in story.pairs.rows if volume != NEVER]
    if met:
        rest = "; never for any other two" if len(met) < len(story.pairs.rows) else ""
        yield f"Break-even volumes, in requests a month: {'; '.join(met)}{rest}."
    elif story.pairs.rows:
        yield f"Break-even volumes: {NEVER}, for any two approaches."


def _used(evaluation: Evaluation, volume: int) -> str:
    """What the answers took that a request's cost is a part of; the sums are those of the usage in the rows' outcomes."""
    usage = evaluation.answering
    if usage is None or not usage.calls or not (usage.seconds or usage.prompt_tokens):
        return ""
    cached = f", {usage.cached_tokens:,} of them read before," if usage.cached_tokens else ""
    tokens = f", {usage.prompt_tokens:,} prompt tokens{cached} and {usage.answer_tokens:,} answer tokens"
    took = f"{usage.seconds:.6g} s{tokens if usage.prompt_tokens else ''}"
    return f" A month is {volume:,} requests; {counted(usage.calls, 'answer')} in these rows used {took}."


def _bill(bill: Costs, months: int) -> str:
    ahead, low, high = bill.ahead, bill.ahead.low, bill.ahead.high
    ends = [amount(Amount(value=value, unit=ahead.unit)) for value in (low, high) if value is not None]
    between = f" ({' to '.join(ends)})" if len(set(ends)) == 2 else ""
    monthly = [
        f"{item.name} {amount(item.amount)} a month, {item.source}" for item in bill.items if item.when == "monthly"
    ]
    return f"{amount(ahead)}{between} over {counted(months, 'month')}: {'; '.join(monthly)}."


def _in_order(verdict: Verdict, ranking: Ranking) -> Iterator[str]:
    """By cost, and apart from these the ones whose costs are not known, or in another unit."""
    found = [each.candidate for each in verdict.recommendation.statuses if each.state is not State.SKIPPED]
    ranked = [name for name in found if name not in ranking.unranked]
    unranked = [name for name in found if name in ranking.unranked]
    if ranked:
        yield f"In order of cost, where the simpler one wins a tie: {listed(ranked)}."
    if unranked:
        yield f"Of a cost that is not known or in another unit, and so in no such order: {listed(unranked)}."
    if not found:
        yield "Every approach was left out, so nothing was measured."


def _follows(verdict: Verdict) -> Iterator[str]:
    told, ranking = verdict.recommendation, rank(verdict.costs, verdict.evaluations)
    yield from _in_order(verdict, ranking)
    meeting = [each.candidate for each in told.statuses if each.state is State.MEETS]
    if told.safe is not None and verdict.story.development:
        seen = counted(int(verdict.story.facts["look"]["shown"]), "held-out case")
        yield (
            f"{start(told.safe)} would be preferred of those that meet ({listed(meeting)}). But {seen} had been shown to "
            "somebody before this run was set up, so that it meets is open until fresh ones come, and the verdict is: "
            f"{verdict.story.settled}."
        )
    elif told.safe is None:
        names = untried(told.statuses)
        may = f", and what was not tried ({listed(names)}) may" if names else ""
        yield f"Nothing is proven to meet{may}, so the verdict is: {told.verdict}."
    elif told.choice is not None:
        yield (
            f"{start(told.choice)} is to be preferred of those that meet ({listed(meeting)}), and none that may still meet "
            "would be preferred to it: it is the choice."
        )
    else:
        unlike = [name for name in told.cheaper_undecided if name in meeting]
        known = listed([name for name in meeting if name not in unlike])
        open_still = [name for name in told.cheaper_undecided if name not in meeting]
        cheaper = [name for name in open_still if ranking.comparable(name, told.safe)]
        perhaps = [name for name in open_still if name not in cheaper]
        why = []
        for names, how in ((cheaper, "would be preferred to it"), (perhaps, "may be cheaper")):
            if names:
                why.append(f"{listed(names)} {how} and {'is' if len(names) == 1 else 'are'} not proven to miss")
        if unlike:
            why.append(f"what {listed(unlike)} would cost cannot be compared with that")
        preferred = f"{start(told.safe)} is to be preferred of those that meet ({known})"
        yield f"{preferred}; {', and '.join(why)}, so there is no choice yet."
