"""How far the best is from a target that nothing meets, and what of documents, keys and examples would close the gap."""

from __future__ import annotations

from collections.abc import Iterator

from advisor.goal import Goal
from advisor.material import Material
from advisor.wording import counted, percent, plain_percent, plain_points
from benchmarks.contract import State

_FEWEST = 3
"""Disputed keys from which on they are more than a slip."""


def short_of_the_target(material: Material, name: str) -> str:
    """`18 points short`; empty where the figure does not lie below the target."""
    target = material.benchmark.target
    if target is None:
        return ""
    missing = round(100 * (target - material.evaluations[name].figure))
    return f", {plain_points(missing / 100)} short" if missing >= 1 else ""


def what_closes_the_gap(material: Material) -> tuple[str, ...]:
    """For a verdict that nothing meets: each thing that was measured, with the points that it may bring at most."""
    if material.recommendation.verdict != "nothing meets" or material.named is None:
        return ()
    return (*_documents(material), *_keys(material))


def _documents(material: Material) -> Iterator[str]:
    """By what is reached where the right documents are handed over."""
    oracles = [(each.oracle, each) for each in material.evaluations.values() if each.oracle is not None]
    best = max(oracles, key=lambda pair: pair[0], default=None)
    if best is None or best[0] - best[1].figure < 0.01:
        return
    oracle, each = best
    enough = material.benchmark.target is not None and oracle >= material.benchmark.target
    meet = Goal.of(material.benchmark).meet_plainly
    yield (
        f"A search that always finds the right document would bring {each.candidate} from {percent(each.figure)} to "
        f"{percent(oracle)}, which would {'' if enough else 'not '}be enough to {meet}."
    )


def _keys(material: Material) -> Iterator[str]:
    disputed, asked = _disputed(material)
    if disputed >= _FEWEST:
        share = plain_points(round(disputed / asked, 2))
        yield (
            f"Look through the keys: in {disputed:,} of {counted(asked, 'selection case')} approaches of different kinds agree "
            f"on another answer. Where these are right, up to {share} are the fault of the keys and not of the approaches."
        )


def key_noise(material: Material) -> tuple[str, ...]:
    """That the target lies above what the keys allow, where so many of them are disputed."""
    disputed, asked = _disputed(material)
    target = material.benchmark.target
    if target is None or disputed < _FEWEST or target <= 1 - disputed / asked:
        return ()
    judged = [each for each in material.statuses if each.state in (State.MISSES, State.UNDECIDED)]
    if not judged:
        return ()
    return (
        f"The target of {plain_percent(target)} may be out of reach of any approach: in {disputed:,} of "
        f"{counted(asked, 'selection case')} approaches of different kinds agree on another answer than the key. If the keys of "
        f"the held-out cases are wrong as often, an approach without a fault scores about {percent(1 - disputed / asked)}.",
    )


def _disputed(material: Material) -> tuple[int, int]:
    """How many selection cases have a disputed key, and how many were asked."""
    found = material.extras.mistakes
    if found is None or not found.asked:
        return 0, 1
    return sum(each.cases for each in found.found if each.kind == "disputed key"), found.asked
