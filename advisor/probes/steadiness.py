"""How different an approach is after it was built again, from other examples and with another seed: a table and sentences."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from advisor.drawn import Table
from advisor.material import Material
from advisor.wording import NONE, counted, digits, listed, percent, start
from benchmarks.checked import Rebuilds
from benchmarks.contract import Evaluation
from benchmarks.evaluation.cascade import APPROACH as CASCADE
from benchmarks.probes.rebuilds import SHARE, Share, kept, spread, steadier, turns

_UNTUNED = {"finetuning": "prompting", "combined": "retrieval"}
"""Family of what is tuned -> that of what is asked in the same way and not tuned."""
_CHEAPEST = "(cheapest)"
_TITLE = "Built again from other examples"
TOLD = 3
"""Rebuilds from which on an interval is told: with two, that of a spread says nothing."""


def rebuilds_table(material: Material) -> Table:
    """No rows where it was not asked for."""
    rows = tuple(_row(name, found, _groups(material)) for name, found in _rebuilt(material).items())
    asked = max((len(found.keys) for found in _rebuilt(material).values()), default=0)
    return Table(
        title=_TITLE,
        columns=("approach", "rebuilds", "same answer", "right twice", "wrong twice", "flipped", "figures", "spread"),
        rows=rows,
        note=f"Everything was done again, choosing included, each time from another {percent(SHARE)} of the examples and with "
        f"another seed, the same samples for every approach, and asked {counted(asked, 'held-out case')}. Two rebuilds share "
        "about four fifths of their examples. Shares are of all pairs of rebuilds; right twice counts as the same answer. "
        "Spread: standard deviation of the figure in points. In brackets 95 % intervals, for other cases and other rebuilds; "
        f"they take {TOLD} rebuilds.{_of_cascades(material)}"
        if rows
        else "",
        numeric=tuple(range(1, 8)),
    )


def _of_cascades(material: Material) -> str:
    """For the note, with a space before it."""
    made = any(_is_made(material, name) for name in _rebuilt(material))
    return (
        " Of a cascade both parts were built again, and the sureness below which it hands on was kept." if made else ""
    )


def _is_made(material: Material, name: str) -> bool:
    """Whether it is put together of others."""
    return material.evaluations[name].approach == CASCADE


def _row(name: str, found: Rebuilds, groups: Mapping[str, str]) -> tuple[str, ...]:
    done = _done(found)
    if len(found.draws) < 2:
        return (name, done, *[NONE] * 6)
    figures = sorted(found.figures)
    low, high = percent(figures[0]), percent(figures[-1])
    return (
        name,
        done,
        _share(kept(found, groups)),
        *map(percent, turns(found)),
        high if low == high else f"{low.split()[0]}-{high}",
        _spread(found),
    )


def _done(found: Rebuilds) -> str:
    """`5`, or `4, 1 failed`, or `4, 1 not yet`."""
    missing = {"failed": found.failed, "not yet": found.waiting}
    return ", ".join([f"{len(found.draws)}", *(f"{count} {what}" for what, count in missing.items() if count)])


def _share(share: Share) -> str:
    """`91 % (84-96)`, without brackets where one pair is all there is."""
    if share.lower is None or share.upper is None or share.lower == share.upper:
        return percent(share.mean)
    return f"{percent(share.mean)} ({share.lower * 100:.0f}-{share.upper * 100:.0f})"


def _spread(found: Rebuilds) -> str:
    """`1.2 (0.7-4.6)`, in points."""
    deviation, low, high = (100 * value for value in spread(found))
    if not deviation or len(found.draws) < TOLD:
        return digits(deviation) if deviation else "0"
    return f"{digits(deviation)} ({digits(low)}-{digits(high)})"


@dataclass(frozen=True, kw_only=True)
class Steadier:
    """Shares of answers that are kept when everything is built again, and the 95 % interval of their difference: of one approach
    that is tuned, and of one with the same model that is asked in the same way and not tuned."""

    tuned: str
    prompted: str
    tuned_keeps: float
    prompted_keeps: float
    lower: float
    upper: float

    @property
    def told_apart(self) -> bool:
        return not self.lower <= 0 <= self.upper


def steadiness(material: Material) -> tuple[Steadier, ...]:
    """Each tuned approach beside the one that differs in nothing but that it is not tuned, where both were built often enough."""
    groups = _groups(material)
    built = {name: found for name, found in _rebuilt(material).items() if not _is_made(material, name)}
    found = []
    for tuned, prompted in _pairs(material, list(built)):
        more = steadier(built[tuned], built[prompted], groups)
        if more is not None and more.lower is not None and more.upper is not None:
            keeps = [kept(built[name], groups).mean for name in (tuned, prompted)]
            found.append(
                Steadier(
                    tuned=tuned,
                    prompted=prompted,
                    tuned_keeps=keeps[0],
                    prompted_keeps=keeps[1],
                    lower=more.lower,
                    upper=more.upper,
                )
            )
    return tuple(found)


def _pairs(material: Material, names: Sequence[str]) -> Iterator[tuple[str, str]]:
    """Of the two versions of a prompt the best one, not the cheapest within noise, where both were built again."""
    for name in names:
        mine = material.evaluations[name]
        others = [
            other
            for other in names
            if material.evaluations[other].family == _UNTUNED.get(mine.family)
            and material.evaluations[other].model == mine.model
        ]
        if others:
            yield name, min(others, key=lambda other: _CHEAPEST in other)


def tuned_or_prompted(material: Material) -> Iterator[str]:
    """Whether the measurement agrees that weights are steadier than prompts, pair by pair; nothing where it cannot be told of
    any."""
    found = steadiness(material)
    if any(each.told_apart for each in found):
        yield " ".join([*map(_told, filter(lambda each: each.told_apart, found)), *_untold(found), _NOT_RIGHT])


_NOT_RIGHT = "Steady does not mean right."


def _told(each: Steadier) -> str:
    agrees = each.lower > 0
    low, high = sorted(abs(round(100 * bound)) for bound in (each.lower, each.upper))
    return (
        f"Built again from other examples, {each.tuned} keeps {percent(each.tuned_keeps)} of its answers and {each.prompted} "
        f"{percent(each.prompted_keeps)} (with 95 % confidence {low} to {high} points {'fewer' if agrees else 'more'}): the "
        f"measurement {'agrees' if agrees else 'disagrees'} that weights are steadier than prompts."
    )


def _untold(found: Sequence[Steadier]) -> list[str]:
    others = [f"{each.tuned} and {each.prompted}" for each in found if not each.told_apart]
    return [f"That is not shown of {listed(others)}."] if others else []


def next_time(evaluation: Evaluation) -> Iterator[str]:
    """What the candidate will be like when it is built again."""
    if evaluation.second_training:
        yield (
            f"{start(evaluation.candidate)} could not be trained a second time with another seed ({evaluation.second_training}), "
            "so a training that works is not certain next time."
        )
    found = evaluation.rebuilds
    if found is None:
        return
    if found.failed:
        yield (
            f"Of {counted(len(found.draws) + found.failed, 'rebuild')} of {evaluation.candidate} {found.failed:,} gave nothing "
            "that could answer."
        )
    if found.waiting:
        are, them = ("is", "it") if found.waiting == 1 else ("are", "them")
        yield (
            f"{counted(found.waiting, 'rebuild')} of {evaluation.candidate} {are} not measured yet, ended by faults outside the "
            f"approach: resuming the run does {them} again."
        )
    if len(found.draws) < 2:
        return
    changed = 1 - kept(found, {}).mean
    if changed:
        deviation, low, high = (digits(100 * value) for value in spread(found))
        interval = f"95 % interval {low} to {high}" if len(found.draws) >= TOLD else "from two figures"
        moves = f"its figure typically moves by {deviation} points up or down ({interval})"
        if deviation == "0":  # Figures are whole cases, so this tells little of how far it would move.
            moves = f"its figure came out the same in all {len(found.draws):,} of them"
        yield (
            f"Built again from other examples, {evaluation.candidate} answers {percent(changed)} of the cases differently, and "
            f"{moves}."
        )


def _rebuilt(material: Material) -> dict[str, Rebuilds]:
    return {
        status.candidate: found
        for status in material.suitable
        if (found := material.evaluations[status.candidate].rebuilds) is not None
    }


def _groups(material: Material) -> dict[str, str]:
    return {case.id: case.group for case in material.benchmark.heldout}
