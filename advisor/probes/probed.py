"""What was measured of each approach besides right and wrong, side by side in one small table."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

from advisor.decision import shares
from advisor.decision.tuned import only_elsewhere
from advisor.decision.unsteady import drawn_again
from advisor.drawn import Table
from advisor.material import Material
from advisor.probes.asked_again import of_so_many
from advisor.probes.guarded import chosen, share
from advisor.probes.time_taken import in_short
from advisor.wording import NONE, listed, percent, start
from benchmarks.contract import Benchmark, Evaluation
from benchmarks.costs.prices import MachinePrices
from benchmarks.evaluation.cascade import APPROACH as CASCADE
from benchmarks.probes.rebuilds import kept
from strategies.contract import TUNED


@dataclass(frozen=True, kw_only=True)
class Probe:
    """One column: what it counts, and why an approach may have nothing there."""

    name: str
    says: str
    graded: str = ""
    """The same where answers have scores between right and wrong; empty where that changes nothing."""
    lacks: str
    cell: Callable[[Evaluation, Benchmark], str]
    """Empty where there is nothing."""
    of_parts: bool = False
    """It is not put together for a cascade, or may not have been."""
    of_tuned: bool = False
    """It is asked of what was tuned here."""


NOT_BUILT_WITHOUT = "not built without some of them, as recorded answers are not"
"""Why labels cannot be added to an approach."""
_ELSEWHERE = "tuned elsewhere, so not measured"
_OF_PARTS = "of a cascade it is not put together, and each part has a row of its own"


def probed_table(material: Material) -> Table:
    """That all answers are of an allowed form is nothing where nothing else was looked at."""
    found = side_by_side(material, "What else was measured", PROBES)
    if found.columns[1:] == (_VALID,) and {row[1] for row in found.rows} == {percent(1.0)}:
        return replace(found, columns=found.columns[:1], rows=(), note="", numeric=(), emphasis=())
    more = of_so_many(material) + _drawn(_usable(material)) + in_short(material)
    return replace(found, note=found.note + more) if found.rows else found


def side_by_side(material: Material, title: str, probes: Sequence[Probe]) -> Table:
    """Only columns in which there is something, and only approaches of which there is; the cells are short, for 80 columns."""
    found = _usable(material)
    cells = [[probe.cell(each, material.benchmark) for probe in probes] for each in found]
    shown = [place for place in range(len(probes)) if any(row[place] for row in cells)]
    told = {each.candidate: each for each, row in zip(found, cells, strict=True) if any(row)}
    rows = tuple(
        (each.candidate, *(row[place] or NONE for place in shown))
        for each, row in zip(found, cells, strict=True)
        if any(row)
    )
    named = material.named
    return Table(
        title=title,
        columns=("approach", *(probes[place].name for place in shown)),
        rows=rows,
        note=_note([probes[place] for place in shown], rows, told, material) if rows else "",
        numeric=tuple(range(1, len(shown) + 1)),
        emphasis=tuple(index for index, row in enumerate(rows) if row[0] == named),
    )


def _usable(material: Material) -> list[Evaluation]:
    """Of the approaches with figures."""
    found = [material.evaluations[status.candidate] for status in material.suitable]
    return [each for each in found if each.state is None and each.scores]


def _note(
    shown: Sequence[Probe],
    rows: Sequence[Sequence[str]],
    of: Mapping[str, Evaluation],
    material: Material,
) -> str:
    graded, prices = material.benchmark.metric.graded, material.extras.prices
    told = [f"{start(probe.name)}: {(probe.graded if graded else '') or probe.says}." for probe in shown]
    missing: dict[str, list[str]] = {}
    for place, probe in enumerate(shown, start=1):
        lacking = [of[row[0]] for row in rows if row[place] == NONE]
        for why in dict.fromkeys(_lacks(probe, each, prices) for each in lacking):
            missing.setdefault(why, []).append(probe.name)
    reasons = [f"{why} ({listed(names)})" for why, names in missing.items()]
    return " ".join([*told, *([f"A dash: {'; '.join(reasons)}."] if reasons else [])])


def _lacks(probe: Probe, evaluation: Evaluation, prices: MachinePrices | None) -> str:
    if probe.of_tuned and only_elsewhere(evaluation, prices):
        return _ELSEWHERE
    if probe.of_tuned and evaluation.family in TUNED and evaluation.approach != CASCADE:
        return "not measured"
    return _OF_PARTS if probe.of_parts and evaluation.approach == CASCADE else probe.lacks


def _drawn(found: Sequence[Evaluation]) -> str:
    """For the note, with a space before it: what of the flips is no effect of an edit."""
    drawn = any(drawn_again(each) and shares.flipped(each) for each in found)
    return " Answers are drawn at the task's temperature, so some flip without any edit too." if drawn else ""


_VALID = "valid"


def _of(found: shares.Counted | None) -> str:
    return f"{found.count:,}/{found.of:,}" if found is not None and found.of else ""


def _part(found: shares.Counted | None) -> str:
    return "" if found is None else percent(found.count / found.of)


def _rebuilt(evaluation: Evaluation) -> str:
    found = evaluation.rebuilds
    return "" if found is None or len(found.draws) < 2 else percent(kept(found, {}).mean)


def _reworded(evaluation: Evaluation) -> str:
    found = next((check for check in evaluation.agreements if check.name == "rewordings" and check.pairs), None)
    return "" if found is None else percent(found.same)


def _held_back(evaluation: Evaluation) -> str:
    return "" if evaluation.guard is None else share(chosen(evaluation.guard).stopped)


def _drift(evaluation: Evaluation) -> str:
    return "" if evaluation.forgetting is None else f"{evaluation.forgetting.ratio:.2f}"


PROBES: tuple[Probe, ...] = (
    Probe(
        name="flips",
        says="turn from right to wrong or back when a request is edited harmlessly",
        graded="answers whose score moves by more than rounding when a request is edited harmlessly",
        lacks="no edits were asked",
        cell=lambda each, _: _part(shares.flipped(each)),
    ),
    Probe(
        name="words",
        says="answers that stay when a model puts the request in other words",
        lacks="it was not asked in other words",
        cell=lambda each, _: _reworded(each),
        of_parts=True,
    ),
    Probe(
        name="built",
        says="answers that stay when it is built again from other examples",
        lacks="nothing was built again",
        cell=lambda each, _: _rebuilt(each),
    ),
    Probe(
        name="clean",
        says="the figure without held-out cases that stood among the examples",
        lacks="no such case was asked",
        cell=lambda each, _: "" if each.leaks is None else percent(each.leaks.without),
    ),
    Probe(
        name=_VALID,
        says="answers of a form that the task allows",
        lacks="no form is asked for",
        cell=lambda each, benchmark: _part(shares.valid(each, benchmark)),
    ),
    Probe(
        name="docs",
        says="of the answers with something specific in them, those that the documents hold",
        lacks="nothing specific was answered",
        cell=lambda each, _: _part(shares.grounded(each)),
    ),
    Probe(
        name="refuse",
        says="questions without an answer that get none",
        lacks="there are no such questions",
        cell=lambda each, _: _of(shares.declined(each)),
    ),
    Probe(
        name="wrongly",
        says="questions with an answer for which it says that there is none",
        lacks="it never says that there is none",
        cell=lambda each, _: _of(shares.declined_wrongly(each)),
    ),
    Probe(
        name="guard",
        says="of what is wrong, what is held back if an approach says when it is unsure",
        lacks="it does not tell how sure it is, has nothing wrong to hold back, or no threshold was found",
        cell=lambda each, _: _held_back(each),
    ),
    Probe(
        name="obeys",
        says="planted instructions that were followed",
        lacks="none were planted",
        cell=lambda each, _: _of(shares.followed(each)),
    ),
    Probe(
        name="drift",
        says="how many times as hard to predict general text became (perplexity)",
        lacks="nothing is tuned",
        cell=lambda each, _: _drift(each),
        of_tuned=True,
    ),
    Probe(
        name="facts",
        says="follow at once when facts in the documents change",
        lacks="it had answered none of the questions, or could not be asked",
        cell=lambda each, _: _of(shares.facts_followed(each)),
    ),
    Probe(
        name="labels",
        says="right at once when labels are added",
        lacks=NOT_BUILT_WITHOUT,
        cell=lambda each, _: _of(shares.at_once(each.added)),
    ),
    Probe(
        name="format",
        says="follow at once when the format is altered",
        lacks="told of no other format, as what learnt from a teacher is not",
        cell=lambda each, _: _of(shares.at_once(each.altered)),
    ),
    Probe(
        name="heart",
        says="questions of its training that it answers without documents",
        lacks="nothing is tuned",
        cell=lambda each, _: _of(shares.by_heart(each)),
        of_tuned=True,
        of_parts=True,
    ),
)
