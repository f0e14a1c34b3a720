"""What earlier looks at the same held-out cases mean for a verdict, in words."""

from __future__ import annotations

from advisor.material import Material
from advisor.wording import counted, start
from benchmarks.contract import Look


def seen_before(look: Look) -> str:
    """That answers to held-out cases were shown to somebody before something was changed, and what follows from it."""
    were = "was" if look.shown == 1 else "were"
    return (
        f"{start(counted(look.shown, 'held-out case'))} {were} shown with the answers of an earlier run, the last time on "
        f"{look.shown_on}, so figures of this run are development figures and no verdict until fresh cases come."
    )


def looks(material: Material) -> str:
    """The end of the sentence about errors, and what an earlier look at the same cases means for this one."""
    look = material.benchmark.look
    if look.number == 1 and material.extras.by_name:
        return "."
    if look.number == 1:
        return ", however often these cases are looked at again."
    last = f", the last time on {look.last}" if look.last else ""
    return (
        f", over all looks together. This is look {look.number} at these cases: {look.seen:,} of them were measured on "
        f"before{last}, so the evidence has to be stronger than at the first{_left_out(look)}. Fresh "
        "held-out cases would start the count again."
    )


def _left_out(look: Look) -> str:
    """Why the order by cost does not count at a later look that leaves approaches out, or with other costs or limits."""
    if look.missing:
        keep = "keeps its part" if len(look.missing) == 1 else "keep their part"
        left_out = counted(len(look.missing), "approach", "approaches")
        return f"; {left_out} of an earlier look that this run leaves out {keep} of the error"
    return "; costs or limits are not what they were then, so no order by cost is fixed" if look.other_costs else ""
