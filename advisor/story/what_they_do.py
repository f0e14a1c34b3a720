"""What the approaches do, in words for people who have never heard their names."""

from __future__ import annotations

from advisor.drawn import Table
from advisor.material import Material
from advisor.wording import listed, start
from benchmarks.evaluation.cascade import APPROACH as CASCADE
from strategies.contract import Family

_RECORDED: Family = "recorded"
_CHEAPEST = (
    "Where two stand together they were set up differently: (cheapest) takes the fewest tokens of all settings that were within "
    "noise of the best."
)


def approaches_table(material: Material) -> Table:
    """One row an approach; those that do not say what they do are left out."""
    names: dict[str, list[str]] = {}
    for status in material.suitable:
        if does := _does(material, status.candidate):
            names.setdefault(does, []).append(status.candidate)
    several = any(len({material.evaluations[name].model for name in alike}) < len(alike) for alike in names.values())
    return Table(
        title="What the approaches do",
        columns=("approach", "what it does"),
        rows=tuple((listed(alike), does) for does, alike in names.items()),
        note=_CHEAPEST if several else "",
        emphasis=tuple(place for place, alike in enumerate(names.values()) if material.named in alike),
    )


def about(material: Material) -> str:
    """What those do that the headline names; empty where nobody says it."""
    told = material.recommendation
    named = dict.fromkeys([material.named, *told.cheaper_undecided[:1]])
    return " ".join(f"{start(name)}: {does}." for name in named if name and (does := _does(material, name)))


def _does(material: Material, name: str) -> str:
    evaluation = material.evaluations[name]
    if evaluation.approach == CASCADE:
        return "{first} answers, and {second} what that is not sure of".format_map(evaluation.chosen)
    if evaluation.family == _RECORDED:
        return "answers of another system, from a file"
    return material.extras.described.get(evaluation.approach, "")
