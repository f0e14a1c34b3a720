"""How many answers stay the same when harmless things change, as a forest."""

from __future__ import annotations

from advisor.drawn import Estimate, Forest
from advisor.material import Material
from advisor.wording import listed, percent
from benchmarks.checked import Agreement
from benchmarks.evaluation.cascade import APPROACH as CASCADE
from benchmarks.statistics.counted import shown as interval_of

_FIRST = ("edits", "edit")
"""The check that is drawn where it was made; else the first of those that were."""


def consistency(material: Material) -> Forest | None:
    """None where fewer than two candidates went through one check."""
    checks = {
        status.candidate: {
            check.name: check for check in material.evaluations[status.candidate].agreements if check.pairs
        }
        for status in material.suitable
    }
    made = [name for found in checks.values() for name in found]
    name = next((each for each in (*_FIRST, *made) if each in made), "")
    shown = {candidate: found[name] for candidate, found in checks.items() if name in found}
    if len(shown) < 2:
        return None
    least = min(shown, key=lambda each: shown[each].same)
    most = max(shown, key=lambda each: shown[each].same)
    how = " under harmless edits" if name in _FIRST else f" ({name})"
    low, high = (percent(shown[each].same) for each in (least, most))
    return Forest(
        title=f"{f'From {low} ({least}) to {high} ({most})' if low != high else high} of the answers stay the same{how}",
        across="share of answers that stay the same",
        unit="%",
        estimates=tuple(_estimate(candidate, check) for candidate, check in shown.items()),
    )


def _estimate(candidate: str, check: Agreement) -> Estimate:
    low, high = same_within(check)
    return Estimate(name=candidate, value=check.same, lower=low, upper=high, text=same(check))


def of_parts_alone(material: Material) -> list[str]:
    """A sentence on the checks that are not put together for a cascade, or were not, where there is one and they were made."""
    checked = [each for each in material.evaluations.values() if each.agreements]
    made = {check.name for each in checked for check in each.agreements}
    known = {check.name for each in checked if each.approach == CASCADE for check in each.agreements}
    missing = [name for name in ("prompt forms", "rewordings", "seed") if name in made - known]
    if not missing or not known:
        return []
    return [f"A cascade has no row for {listed(missing)}: each part has its own."]


def same(check: Agreement) -> str:
    """The share of the same answers with its 95 % interval: `91 % (84-96)`."""
    low, high = same_within(check)
    return f"{percent(check.same)} ({percent(low).split()[0]}-{percent(high).split()[0]})"


def same_within(check: Agreement) -> tuple[float, float]:
    """The 95 % interval of that share."""
    return interval_of(check.right_twice + check.wrong_twice_same, check.pairs, check.by_group)
