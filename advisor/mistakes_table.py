"""Where the candidate that a story is about goes wrong, and what may help against each kind of mistake."""

from __future__ import annotations

from collections.abc import Mapping

from advisor.drawn import Table
from advisor.material import Material
from advisor.wording import NONE, counted, percent
from benchmarks.mistakes import Kind, Mistake

_MOST = 8
_HELPS: Mapping[Kind, str] = {
    "disputed key": "look at these examples first: the key may be wrong",
    "no answer": "an instruction that asks for an answer in every case, or a larger model",
    "no json": "a schema, to which models on this machine are held",
    "confused": "examples that tell the two apart, or one label for both",
    "field": "a sentence on it in the instruction, and examples that show it",
    "invented": "more examples of questions without an answer",
    "withheld": "a search that finds more, and more examples with an answer",
    "not found": "a search that finds more, or documents that say it",
    "misread": "training on passages, or a larger model",
    "other answer": "a search that finds more, or a larger model",
}
_TOLD: Mapping[Kind, str] = {
    "disputed key": "approaches of different kinds agree on another answer",
    "no answer": "no answer",
    "no json": "no JSON object",
    "invented": "an answer where there is none",
    "withheld": "no answer given where there is one",
    "not found": "another answer, and no passage that it was shown holds the right one",
    "misread": "another answer, although a passage that it was shown holds the right one",
    "other answer": "another answer",
}


def mistakes_table(material: Material) -> Table:
    """The most frequent kinds, on selection cases; empty where nothing is wrong or no answers were kept."""
    found = material.extras.mistakes
    if found is None:
        return Table(title="What goes wrong", columns=("what",), rows=())
    several = [each for each in found.found if each.kind != "confused" or each.cases > 1]
    rows = [(_told(each), f"{each.cases:,}", _elsewhere(each), _helps(each, material)) for each in several[:_MOST]]
    once = len(found.found) - len(several)
    if once:
        rows.append(("two labels confused, each pair once", f"{once:,}", NONE, "more examples of every label"))
    rest = max(0, len(several) - _MOST)
    more = f" {counted(rest, 'rarer kind')} left out." if rest else ""
    extraction = material.benchmark.task.kind == "extraction"
    fields = " A case that lacks several fields counts under each." if extraction else ""
    return Table(
        title=f"What goes wrong with {found.candidate}",
        columns=("what", "cases", "right by", "what may help"),
        rows=tuple(rows),
        note=(
            f"Of {counted(found.asked, 'selection case')}, {found.wrong:,} are wrong ({percent(found.wrong / found.asked)}); "
            f"held-out cases are not looked at. Right by: the other approach that gets most of them right.{fields}{more}"
        ),
        numeric=(1,),
    )


def _told(mistake: Mistake) -> str:
    if mistake.kind == "confused":
        wanted, given = mistake.detail
        return f"{wanted} taken for {given}"
    if mistake.kind == "field":
        return f"{'.'.join(mistake.detail) or 'an item'} is wrong, missing or too much"
    return _TOLD[mistake.kind]


def _elsewhere(mistake: Mistake) -> str:
    """`retrieval, 7 of 12`: who answers these cases."""
    if mistake.kind == "disputed key":
        return NONE
    return f"{mistake.right_by}, {mistake.right:,} of {mistake.cases:,}" if mistake.right_by else "none"


def _helps(mistake: Mistake, material: Material) -> str:
    if mistake.kind == "other answer" and not material.benchmark.task.documents:
        return "examples like these, or a larger model"
    return _HELPS[mistake.kind]
