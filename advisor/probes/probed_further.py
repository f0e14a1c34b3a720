"""The rest of what was measured of each approach besides right and wrong: a second small table, for the terminal."""

from __future__ import annotations

from collections.abc import Iterator

from advisor.decision.unsteady import REPEATS, edited
from advisor.drawn import Table
from advisor.material import Material
from advisor.probes.probed import NOT_BUILT_WITHOUT, Probe, side_by_side
from advisor.wording import digits, percent
from benchmarks.checked import Counted
from benchmarks.contract import Evaluation
from benchmarks.probes.rebuilds import spread

_HALF = 0.5


def further_table(material: Material) -> Table:
    """What the first table has no room for, in which alone there is something; a report has tables of its own for all of it."""
    return side_by_side(material, "More of what was measured", tuple(_probes(material)))


def _probes(material: Material) -> Iterator[Probe]:
    yield from _ASKED_AGAIN
    drawn = [len(each.passes) for each in material.evaluations.values() if len(each.passes) > 1]
    if drawn:
        yield _in_each(min(drawn))
    yield from _OTHERS


def _in_each(draws: int) -> Probe:
    """Right however often it is drawn: as often as every approach was that was drawn from at all."""
    return Probe(
        name="draws",
        says=f"right in each of as many draws as every approach has (pass^{draws})",
        lacks="no answers were drawn",
        cell=lambda each, _: percent(each.passes[draws - 1]) if len(each.passes) > 1 else "",
    )


def _stays(evaluation: Evaluation, name: str) -> str:
    found = next((check for check in evaluation.agreements if check.name == name and check.pairs), None)
    return "" if found is None else percent(found.same)


def _everyday(evaluation: Evaluation) -> str:
    found = evaluation.forgetting and evaluation.forgetting.general
    return f"{found.same:,}/{found.prompts:,}" if found and found.prompts else ""


def _right_twice(evaluation: Evaluation) -> str:
    check = edited(evaluation)
    return "" if check is None else percent(check.right_twice / check.pairs)


def _wrong_twice(evaluation: Evaluation) -> str:
    check = edited(evaluation)
    return "" if check is None else percent((check.wrong_twice_same + check.wrong_twice_different) / check.pairs)


def _known(counted: Counted | None) -> str:
    return f"{counted.right:,}/{counted.cases:,}" if counted and counted.cases else ""


def _lost(evaluation: Evaluation) -> str:
    found = evaluation.forgetting and evaluation.forgetting.general
    return f"{sum(task.upper < 0 for task in found.tasks):,}/{len(found.tasks):,}" if found and found.tasks else ""


def _surest(evaluation: Evaluation) -> str:
    found = evaluation.coverage
    return percent(found.figures[found.shares.index(_HALF)]) if found and _HALF in found.shares else ""


def _spread(evaluation: Evaluation) -> str:
    found = evaluation.rebuilds
    return "" if found is None or len(found.draws) < 2 else digits(100 * spread(found)[0])


def _relearnt(evaluation: Evaluation) -> str:
    found = evaluation.changed
    return f"{found.again or 0:,}/{found.told:,}" if found and found.told else ""


def _relabelled(evaluation: Evaluation) -> str:
    found = evaluation.added
    return f"{found.refitted:,}/{found.cases:,}" if found and found.cases else ""


def _reformatted(evaluation: Evaluation) -> str:
    found = evaluation.altered
    return f"{found.again:,}/{found.cases:,}" if found and found.cases and found.again is not None else ""


_ASKED_AGAIN = (
    Probe(
        name="again",
        says="answers that stay when the same request is asked again, among others or drawn anew",
        lacks="it was not asked again",
        cell=lambda each, _: _stays(each, REPEATS),
    ),
)
_OTHERS = (
    Probe(
        name="both",
        says="right for the request as it stands and for the harmlessly edited one",
        graded="of full score for the request as it stands and for the harmlessly edited one",
        lacks="no edits were asked",
        cell=lambda each, _: _right_twice(each),
    ),
    Probe(
        name="neither",
        says="right for neither; a wrong answer that stays counts as steady too",
        graded="of full score for neither; an answer that stays counts as steady too",
        lacks="no edits were asked",
        cell=lambda each, _: _wrong_twice(each),
    ),
    Probe(
        name="forms",
        says="answers that stay in other forms of the prompt, or with its examples in another order",
        lacks="it has no prompt, or was not asked in other forms of it",
        cell=lambda each, _: _stays(each, "prompt forms"),
        of_parts=True,
    ),
    Probe(
        name="seed",
        says="that stay when it is built once more with another seed",
        lacks="not built with another seed, which may change nothing in it",
        cell=lambda each, _: _stays(each, "seed"),
        of_parts=True,
    ),
    Probe(
        name="spread",
        says="standard deviation of the figure over rebuilds from other examples, in points",
        lacks="not built again often enough",
        cell=lambda each, _: _spread(each),
    ),
    Probe(
        name="half",
        says="the figure on the half of its answers that it is surest of",
        lacks="it does not tell how sure it is",
        cell=lambda each, _: _surest(each),
    ),
    Probe(
        name="KL",
        says="divergence from its base on general text, in nats a token",
        lacks="nothing is tuned",
        cell=lambda each, _: "" if each.forgetting is None else digits(each.forgetting.divergence),
        of_tuned=True,
    ),
    Probe(
        name="next",
        says="places of that text at which it predicts the same next token as its base",
        lacks="nothing is tuned",
        cell=lambda each, _: "" if each.forgetting is None else percent(each.forgetting.same),
        of_tuned=True,
    ),
    Probe(
        name="daily",
        says="everyday prompts that it answers as its base does",
        lacks="nothing is tuned",
        cell=lambda each, _: _everyday(each),
        of_tuned=True,
    ),
    Probe(
        name="skills",
        says="general tasks at which it is shown to be worse than its base",
        lacks="nothing is tuned",
        cell=lambda each, _: _lost(each),
        of_tuned=True,
    ),
    Probe(
        name="retold",
        says="right without documents when facts of its training are asked in other words",
        lacks="nothing is tuned",
        cell=lambda each, _: "" if each.by_heart is None else _known(each.by_heart.rephrased),
        of_tuned=True,
        of_parts=True,
    ),
    Probe(
        name="untold",
        says="right without documents on facts that no example told, so guessed or known before",
        lacks="nothing is tuned",
        cell=lambda each, _: "" if each.by_heart is None else _known(each.by_heart.untold),
        of_tuned=True,
        of_parts=True,
    ),
    Probe(
        name="relearn",
        says="the new answer when facts change and it is fitted again with rewritten examples",
        lacks="no example tells a fact that it had answered, or nothing in it comes from examples",
        cell=lambda each, _: _relearnt(each),
    ),
    Probe(
        name="relabel",
        says="right when labels are added and it is fitted again",
        lacks=NOT_BUILT_WITHOUT,
        cell=lambda each, _: _relabelled(each),
    ),
    Probe(
        name="reformat",
        says="follow when the format is altered and it is fitted again",
        lacks="not fitted again, or nothing in it is",
        cell=lambda each, _: _reformatted(each),
    ),
)
