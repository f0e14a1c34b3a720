"""What tuned models know with no document before them: a table, and a sentence on the approach that it is about."""

from __future__ import annotations

from collections.abc import Iterator

from advisor.drawn import Table
from advisor.material import Material
from advisor.wording import NONE, counted, start
from benchmarks.checked import ByHeart, Counted
from benchmarks.contract import Evaluation
from benchmarks.statistics.counted import interval


def by_heart_table(material: Material) -> Table:
    """No rows where nothing was tuned, or where no question names the document of its answer."""
    found = {
        status.candidate: known
        for status in material.suitable
        if (known := material.evaluations[status.candidate].by_heart) is not None
    }
    return Table(
        title="What tuned models know without documents",
        columns=("approach", "taught, word for word", "taught, in other words", "never taught"),
        rows=tuple(
            (name, _share(known.taught), _share(known.rephrased), _share(known.untold)) for name, known in found.items()
        ),
        note=_NOTE if found else "",
        numeric=(1, 2, 3),
    )


_NOTE = (
    "Right answers when no document is shown, with 95 % intervals. Taught word for word: questions of the examples. In other "
    "words: held-out questions whose document and answer an example had. Never taught: the other held-out questions; who "
    "answers these guesses, or knew it before."
)


def _share(found: Counted) -> str:
    """`12 of 50 (13-38 %)`."""
    if not found.cases:
        return NONE
    low, high = interval(found.right, found.cases, found.by_group)
    return f"{found.right:,} of {found.cases:,} ({100 * low:.0f}-{100 * high:.0f} %)"


def what_it_knows(evaluation: Evaluation) -> Iterator[str]:
    """One sentence on how much of what it was taught a tuned model can say without documents."""
    known: ByHeart | None = evaluation.by_heart
    if known is None or not known.taught.cases:
        return
    parts = [f"{known.taught.right:,} of {counted(known.taught.cases, 'question')} of its training"]
    if known.rephrased.cases:
        parts.append(
            f"{known.rephrased.right:,} of {known.rephrased.cases:,} that ask for the same facts in other words"
        )
    if known.untold.cases:
        parts.append(f"{known.untold.right:,} of {known.untold.cases:,} about facts that it was never taught")
    yield f"{start(evaluation.candidate)}, shown no documents, answers {', '.join(parts)}."
