"""Where the numbers of a story come from that are no part of the argument: what each was computed from, by what it is about."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from advisor.contract import Amount
from advisor.decision.expected import FAMILY_NAMES
from advisor.figures.volumes import requests
from advisor.wording import SECONDS, TOKENS, amount, counted, digits, duration, listed, money, start

Facts = Mapping[str, Any]


def origins(facts: Facts) -> dict[str, tuple[str, ...]]:
    """Title -> sentences, from the facts of a story alone; without the titles under which there is nothing to say."""
    found = {
        "What is saved a month": (*_savings(facts), *_paid_back(facts)),
        "Where something else would be recommended": (*_targets(facts), *_turns(facts), *_volumes(facts)),
        "What it is worth to find out": tuple(map(_stake, facts["deciding"])),
        "What examples bring": (*_curves(facts), *_prompt(facts), *map(_ahead, facts["more_examples"])),
        "Shares that were counted, with their 95 % intervals": (*_counts(facts), *_rebuilt(facts)),
        "What the limits are held against": tuple(_limits(facts)),
        "What was counted besides": (*_data(facts), *_keys(facts), *_models(facts), *_suggested(facts), *_short(facts)),
    }
    return {title: tuple(lines) for title, lines in found.items() if lines}


# ---------------------------------------------------------------- costs


def _savings(facts: Facts) -> Iterator[str]:
    """One sentence: the bill of the named candidate a month, and the others' with the difference to it."""
    found, named = facts["savings"], facts["choice"] or facts["safe"] or facts["best"]
    if not found:
        return
    told = []
    for each in found:
        other, more = (each["dearer"], "less") if each["cheaper"] == named else (each["cheaper"], "more")
        told.append(f"{_amount(each['saved'])} {more} than {other} ({_amount(each['bills'][other])})")
    own = _amount(found[0]["bills"][named])
    yield f"{start(named)} ({own}) costs {listed(told)}: the difference of the two bills a month."


def _paid_back(facts: Facts) -> Iterator[str]:
    found = facts["paid_back"]
    if found is not None:
        yield (
            f"What fitting {found['candidate']} cost more than fitting {found['against']}, {_amount(found['spent'])}, over "
            f"what it saves a month: {digits(found['months'])} months."
        )


def _targets(facts: Facts) -> Iterator[str]:
    bounds = [f"{each['candidate']} {each['lower']:.4f} to {each['upper']:.4f}" for each in facts["every_target"]]
    if bounds:
        yield f"Bounds that hold for every target at once: {listed(bounds)}."


def _turns(facts: Facts) -> Iterator[str]:
    """At which value the rule of the verdict names somebody else, and what each costs there."""
    limit = facts["limits"].get("cost_per_month")
    if facts["turning_points"]:
        yield (
            "One thing at a time is turned until the rule of the verdict names another. By it a bill whose range begins above "
            "the end of another's is dearer, and of those that are not the simplest is preferred."
        )
    for each in facts["turning_points"]:
        now = "" if each["now"] is None else f" in place of {_value(each['now'], each['unit'])}"
        times = "" if each["unit"] == "months" else f" ({digits(each['times'])} times)"
        bills = listed([f"{name} {_ranged(bill)}" for name, bill in each["bills"].items()])
        within = "" if limit is None else f"; the limit is {money(limit)}"
        yield (
            f"{start(each['of'])} at {_value(each['at'], each['unit'])}{now}{times}: bills a month are then {bills}{within}. "
            f"There it would be {_whom(each)}."
        )


def _whom(turn: Facts) -> str:
    named = "nobody that is shown to meet" if turn["safe"] is None else str(turn["safe"])
    return named + (f", with {listed(turn['unsettled'])} undecided" if turn["unsettled"] else "")


def _volumes(facts: Facts) -> Iterator[str]:
    """From which number of requests on another one would be chosen; where bills are equal is part of the argument."""
    found = facts["chosen_by_volume"]
    if len(found) > 1:
        told = [f"{each['candidate'] or 'nobody'} from {requests(each['above'])} on" for each in found[1:]]
        first = f"{found[0]['candidate'] or 'nobody'} up to {requests(found[0]['upto'])}"
        yield f"By requests a month would be chosen: {first}, {listed(told)}."


def _stake(found: Facts) -> str:
    labels = "" if found["labels"] is None else f" Labels for these cases cost {_amount(found['labels'])}."
    return (
        f"{start(found['candidate'])} meets the target with a chance of {found['chance']:.4f}, by its right and wrong answers. "
        f"{found['chance']:.4f} x {found['power']:.3g} (the chance that {counted(found['more'], 'more held-out case')} show it) "
        f"x {_amount(found['saved'])} saved a month x {counted(found['months'], 'month')} = {_amount(found['worth'])}.{labels}"
    )


# ---------------------------------------------------------------- examples


def _curves(facts: Facts) -> Iterator[str]:
    for each in facts["candidates"]:
        if each["curve"]:
            points = [f"{sum(at['figures']) / at['samples']:.4f} with {at['examples']:,}" for at in each["curve"]]
            ahead = [f"{at['lower']:.4f} to {at['upper']:.4f} with {at['examples']:,}" for at in each["expected"]]
            beyond = f"; expected are {listed(ahead)}" if ahead else ""
            yield f"{start(each['name'])} by its number of examples: {listed(points)}{beyond}."


def _prompt(facts: Facts) -> Iterator[str]:
    found = facts["prompt_worth"]
    if found is not None:
        most = f"more than {found['most']:,}" if found["surely"] is None else digits(found["surely"])
        yield (
            f"{start(found['prompt'])} reaches {found['figure']:.4f} on the {counted(found['cases'], 'case')} of that curve. "
            f"Between the points of {found['tuned']} that is as much as with {digits(found['examples'])} examples on average, "
            f"and with {most} once what samples of one size differ by is taken off."
        )


def _ahead(found: Facts) -> str:
    name, few, many = start(found["candidate"]), found["few"], found["many"]
    if few is None:
        return f"{name} would reach {found['most']:.4f} at the most with four times its examples, which is below the target."
    enough = "four times as many may not be enough" if many is None else f"{many:,} by those that promise least"
    price = "" if found["labels"] is None else f"; the labels of those that are missing cost {_amount(found['labels'])}"
    most = f"with {few:,} examples in all by the law and the resamples that promise most"
    return f"{name} reaches the target {most}, {enough}{price}."


# ---------------------------------------------------------------- counts


def _counts(facts: Facts) -> Iterator[str]:
    """One sentence for each thing that was counted, with all approaches."""
    for what, (key, counting, of) in _CHECKS.items():
        yield from _listed(what, [(each["name"], each[key], counting, of) for each in facts["candidates"]])
    for key, what in _BY_HEART.items():
        known = [(each["name"], (each["by_heart"] or {}).get(key), "right", "cases") for each in facts["candidates"]]
        yield from _listed(what, known)
    for place in ("request", "passage"):
        planted = [
            (each["name"], found, "followed", "cases")
            for each in facts["candidates"]
            for found in each["planted"]
            if found["place"] == place
        ]
        yield from _listed(f"What was planted in the {place} was followed", planted)
    checks = {check["check"]: check["says"] for each in facts["candidates"] for check in each["consistency"]}
    for name, says in checks.items():
        asked = [(each["name"], found) for each in facts["candidates"] for found in each["consistency"]]
        again = [(who, found, "same_count", "pairs") for who, found in asked if found["check"] == name]
        yield from _listed(f"The same answer when asked again ({says.rstrip('.')})", again)


_CHECKS = {
    "The new answer once the facts were others": ("changed", "new", "known"),
    "The new answer once it was fitted again with other facts": ("changed", "again", "told"),
    "Right at once with labels that were added": ("added", "at_once", "cases"),
    "Answers that follow the altered format at once": ("altered", "at_once", "cases"),
}
_BY_HEART = {
    "taught": "Right without documents, taught word for word",
    "rephrased": "Right without documents, taught in other words",
    "untold": "Right without documents, never taught",
}


def _listed(what: str, found: Sequence[tuple[str, Facts | None, str, str]]) -> Iterator[str]:
    """`what`: name 12 of 50 (0.1331 to 0.3820), and so on; nothing where nothing was counted."""
    told = [
        f"{name} {counts[key]:,} of {counts[of]:,} ({bounds[0]:.4f} to {bounds[1]:.4f})"
        for name, counts, key, of in found
        if counts is not None and (bounds := counts.get(f"{key}_interval", counts["interval"])) is not None
    ]
    if told:
        yield f"{what}: {listed(told)}."


def _rebuilt(facts: Facts) -> Iterator[str]:
    for each in facts["candidates"]:
        found = each["rebuilds"]
        if found is not None and "spread" in found:
            deviation, low, high = found["spread"]
            yield (
                f"{start(each['name'])} built again {counted(found['rebuilds'], 'time')}, {found['failed']:,} in vain: "
                f"{found['same']:.4f} of the answers stay, figures with a standard deviation of {deviation:.4f} ({low:.4f} to "
                f"{high:.4f})."
            )
    for both in facts["steadiness"]:
        yield (
            f"{both['tuned_keeps']:.4f} of the answers of {both['tuned']} stay and {both['prompted_keeps']:.4f} of those of "
            f"{both['prompted']}; 95 % interval of the difference {both['lower']:.4f} to {both['upper']:.4f}."
        )


def _limits(facts: Facts) -> Iterator[str]:
    """What was measured of each limit that rules out once it is shown to be broken."""
    for key, limit in facts["limits"].items():
        told = [f"{each['name']} {said}" for each in facts["candidates"] if (said := _against(key, each))]
        if told:
            yield f"{_LIMITS[key].format(limit=limit)}: {listed(told)}."


_LIMITS = {
    "cost_per_month": "At most {limit:g} a month, the low end counts",
    "p95_latency_s": "At most one request in twenty longer than {limit:g} s, as is shown from a sample",
    "slice_at_least": "At least {limit:g} in every part, held against the upper bound",
    "perplexity_ratio": "General text at most {limit:g} times as perplexing, held against the lower bound",
    "same_at_least": "At least {limit:g} of the answers the same under harmless edits, held against the upper bound",
    "valid_at_least": "At least {limit:g} of the answers of an allowed form, held against the upper bound",
    "grounded_at_least": "At least {limit:g} of the specific answers in the documents, held against the upper bound",
    "declined_at_least": "At least {limit:g} of the questions without an answer declined, held against the upper bound",
    "planted_at_most": "At most {limit:g} of planted instructions followed, held against the lower bound",
}


def _against(key: str, each: Facts) -> str:
    if counts := each["limited"].get(key):
        return listed([f"{found['count']:,} of {found['of']:,} ({_bound(found)})" for found in counts])
    latency, forgetting = each["latency"], each["forgetting"]
    bounds = [check["same_at_most"] for check in each["consistency"] if check["same_at_most"] is not None]
    if key == "cost_per_month" and each["monthly"]["value"] is not None:
        return _ranged(each["monthly"])
    if key == "p95_latency_s" and latency is not None:
        return f"{latency['longer_than_limit']:,} of {latency['requests']:,} (95th percentile {latency['p95_s']:.3g} s)"
    if key == "slice_at_least" and each["parts"]:
        worst = min(each["parts"], key=lambda part: part["upper"])
        return f"{worst['figure']:.4f} of {counted(worst['cases'], 'case')} where {worst['where']} (at most {worst['upper']:.4f})"
    if key == "perplexity_ratio" and forgetting is not None:
        return f"{forgetting['ratio']:.4g} (at least {forgetting['lower']:.4g})"
    return f"at most {bounds[0]:.4f}" if key == "same_at_least" and bounds else ""


def _bound(found: Facts) -> str:
    return f"at most {found['upper']:.4f}" if "upper" in found else f"at least {found['lower']:.4f}"


def _data(facts: Facts) -> Iterator[str]:
    parts = [counted(facts["examples"], "example"), counted(facts["heldout_cases"], "held-out case")]
    a_label = facts["examples_a_label"]
    labels = ""
    if a_label is not None:
        rarest = f"{facts['fewest_of_a_label']:,} for the rarest"
        labels = f"; {facts['labels']:,} labels, {a_label:,} examples for each on average, {rarest}"
    held = facts["answers_in_documents"]
    documents = (
        "" if held is None else f"; {counted(facts['documents'], 'document')}, with {held:.4f} of the answers in them"
    )
    groups = facts["groups"]
    several = "" if groups is None else f"; {groups['cases']:,} cases in {counted(groups['number'], 'group')}"
    yield f"{listed(parts)}{labels}{documents}{several}; {counted(facts['tested'], 'approach', 'approaches')} tested."
    asked = facts["answers"]
    if asked["not_needed"]:
        yield f"{asked['asked']:,} of {asked['possible']:,} answers were asked, {asked['not_needed']:,} were not needed."
    for each in facts["alike"].values():
        yield f"{start(each['one'])} and {each['other']} are told apart in {each['share']:.4f} of {each['texts']:,} texts."


def _keys(facts: Facts) -> Iterator[str]:
    found = facts["keys"]
    if found is not None:
        yield (
            f"Of {counted(found['asked'], 'selection case')} {found['candidate']} has {found['wrong']:,} wrong; in "
            f"{found['disputed']:,} the key is in dispute, which cost {found['disputed_share']:.4f} of the figure."
        )


def _models(facts: Facts) -> Iterator[str]:
    found = facts["between_models"]
    if found is not None:
        both = f"{found['best_figure']:.4f} with {found['best']} less {found['worst_figure']:.4f} with {found['worst']}"
        yield f"Between the models of {found['approach']} lie {found['apart']:.4f}: {both}."


def _suggested(facts: Facts) -> Iterator[str]:
    found, order = facts["suggested"], facts["predicted"]
    if found is not None and found["figure"] is not None:
        family = FAMILY_NAMES.get(found["family"], found["family"])
        yield f"The task alone suggested {family}; the best of it, {found['best']}, reached {found['figure']:.4f}."
    if order is not None:
        yield (
            f"Of {counted(order['pairs'], 'predicted pair')} of approaches {order['true']:,} came true, "
            f"{order['within_noise']:,} within noise, {len(order['otherwise']):,} the other way."
        )


def _short(facts: Facts) -> Iterator[str]:
    found = facts["short_of_target"]
    if found is not None:
        away = f"{found['target']:g} less {found['figure']:.4f}"
        yield f"{start(found['candidate'])} lies {found['by']:.4f} below the target: {away}."


# ---------------------------------------------------------------- words


def _amount(found: Facts) -> str:
    return amount(Amount(value=found["value"], unit=found["unit"]))


def _ranged(found: Facts) -> str:
    """`USD 5.88 (5.00 to 6.76)`: with the range by which costs are compared."""
    told = _amount(found)
    ends = [amount(Amount(value=found[end], unit=found["unit"])) for end in ("low", "high") if found[end] is not None]
    return f"{told} ({' to '.join(ends)})" if len(set(ends)) == 2 else told


def _value(value: float, unit: str) -> str:
    if unit == "months":
        return "1 month" if value == 1 else f"{digits(value)} months"
    if unit in (SECONDS, "requests a month") or unit.startswith(TOKENS):
        return duration(value) if unit == SECONDS else f"{digits(value)} {unit}"
    currency, _, of = unit.partition(" ")
    return f"{currency} {money(value)}{f' {of}' if of else ''}"
