"""Cases to look at: what each approach answered, whether that was right, and what evidence it had.

Held-out cases are among them only where a person asked for them: who has seen them and then changes something measures a
development figure from there on.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from advisor.contract import Excerpt, Grade, ShownAnswer, ShownCase, ShownCases
from advisor.story.evidence import PASSAGE, PASSAGES, Archive
from advisor.wording import counted
from benchmarks.contract import Benchmark, Evaluation
from benchmarks.evaluation.mistakes import RIGHT, Answers
from benchmarks.storage.store import Store
from strategies.contract import Abstention, Case, Failure, Outcome, Prediction

CaseChoice = Literal["none", "selection", "wrong", "all"]
SHOW_HELDOUT: frozenset[CaseChoice] = frozenset({"wrong", "all"})
MOST = 500
INPUT, ANSWER, ALSO = 1_500, 500, 200
"""Characters of a text that are shown."""
SEEN = (
    "Held-out cases that are shown count as seen: once an approach, the examples or the task are changed after that, a new "
    "figure on them is a development figure and no verdict, until fresh cases come."
)
"""What the terminal and the page say of it."""


@dataclass(frozen=True, kw_only=True)
class CaseResults:
    """A case with the outcomes and scores of those that were asked it."""

    case: Case
    heldout: bool
    given: Mapping[str, tuple[Outcome, float]]

    def rank(self, named: str) -> int:
        """0 where the approach that the story is about is wrong and another right, 1 where none is right, 2 where it is
        right and another wrong, 3 where all are right."""
        right = {name for name, (_, score) in self.given.items() if score >= RIGHT}
        if len(right) == len(self.given):
            return 3
        return 1 if not right else 2 if named in right else 0


def shown_cases(
    benchmark: Benchmark,
    evaluations: Sequence[Evaluation],
    sources: tuple[Answers, Store],
    choice: CaseChoice,
    named: str,
) -> ShownCases | None:
    """The cases that were asked for, at most `MOST`, those first that `named` gets wrong. None: nothing to show.

    `sources` are the answers to selection cases and the store, which holds those to held-out cases.
    """
    results, wanted = asked_for(benchmark, evaluations, sources, choice, named)
    if not wanted:
        return None
    usable = usable_names(evaluations)
    archive = Archive.of(benchmark)
    kept = _first(wanted, named)
    labels = {each.case.output for each in kept} if benchmark.task.labels else ()
    return ShownCases(
        approaches=tuple(usable),
        labels=tuple(sorted(labels)),
        graded=benchmark.metric.graded,
        cases=tuple(_shown(each, benchmark, usable, archive) for each in kept),
        total=len(wanted),
        says=(_counts(results, named, choice), _meaning(choice)),
        notes=tuple(_notes(kept, choice)),
    )


def usable_names(evaluations: Sequence[Evaluation]) -> list[str]:
    """The approaches whose answers can be looked at."""
    return [each.candidate for each in evaluations if each.state is None]


def asked_for(
    benchmark: Benchmark,
    evaluations: Sequence[Evaluation],
    sources: tuple[Answers, Store],
    choice: CaseChoice,
    named: str,
) -> tuple[list[CaseResults], list[CaseResults]]:
    """The cases of the parts that may be looked at, and those of them that were asked for."""
    if choice == "none":
        return [], []
    answers, store = sources
    usable = usable_names(evaluations)
    results = [*(_heldout(benchmark, usable, store) if choice in SHOW_HELDOUT else ()), *_selection(benchmark, answers)]
    return results, [each for each in results if choice != "wrong" or each.rank(named) < 3]


def how_many(shown: ShownCases, inlined: int) -> str:
    """Which of the cases that were asked for stand in a report that holds so many of them; empty where all do."""
    if inlined == shown.total:
        return ""
    left = shown.total - inlined
    return (
        f"{inlined:,} of these {shown.total:,} cases stand here, those first that are wrong or on which approaches disagree; "
        f"{left:,} {'is' if left == 1 else 'are'} left out."
    )


def in_full(shown: ShownCases) -> str:
    """Where all of them stand with whole texts; empty where no such file was written."""
    if not shown.file:
        return ""
    return f"The file {shown.file} beside this page holds {counted(shown.total, 'case')} with every text in full, one a line."


def _heldout(benchmark: Benchmark, usable: Sequence[str], store: Store) -> Iterator[CaseResults]:
    rows = {name: {row.key: row for row in store.rows(name, "heldout")} for name in usable}
    for case in benchmark.heldout:
        given = {name: (mine[case.id].outcome, mine[case.id].score) for name, mine in rows.items() if case.id in mine}
        if given:
            yield CaseResults(case=case, heldout=True, given=given)


def _selection(benchmark: Benchmark, answers: Answers) -> Iterator[CaseResults]:
    """What was answered while approaches were chosen; of that the text is stored and no evidence."""
    for case in benchmark.task.examples:
        given: dict[str, tuple[Outcome, float]] = {}
        for name, rows in answers.items():
            if case.id in rows:
                text, score, *_ = rows[case.id]
                given[name] = (Prediction(text=text), score)
        if given:
            yield CaseResults(case=case, heldout=False, given=given)


def _first(results: Sequence[CaseResults], named: str) -> list[CaseResults]:
    """At most `MOST`, in order of rank, held-out ones before the others. Of a rank that does not fit whole, a sample by
    hashes of the ids, so that the order of a file decides nothing."""

    def place(each: CaseResults) -> tuple[int, bool]:
        return each.rank(named), not each.heldout

    def lot(each: CaseResults) -> bytes:
        return hashlib.sha256(each.case.id.encode("utf-8", "surrogatepass")).digest()

    chosen = sorted(results, key=lambda each: (*place(each), lot(each)))[:MOST]
    names = {(each.heldout, each.case.id) for each in chosen}
    return sorted((each for each in results if (each.heldout, each.case.id) in names), key=place)


def _shown(results: CaseResults, benchmark: Benchmark, usable: Sequence[str], archive: Archive) -> ShownCase:
    case, graded = results.case, benchmark.metric.graded
    outcomes = {name: outcome for name, (outcome, _) in results.given.items()}
    return ShownCase(
        input=excerpt(case.input, INPUT),
        wanted=excerpt(case.output, ANSWER),
        also=excerpt("; ".join(case.accepted[1:]), ALSO).text,
        label=case.output if benchmark.task.labels else "",
        id=case.id,
        heldout=results.heldout,
        answers={name: _answer(*results.given[name], graded) for name in usable if name in results.given},
        **archive.shown(case, outcomes),
    )


def _answer(outcome: Outcome, score: float, graded: bool) -> ShownAnswer:
    grade = Grade.RIGHT if score >= RIGHT else Grade.PARTLY if graded and score > 0 else Grade.WRONG
    shown = f"{score:.2f}" if graded else ""
    if isinstance(outcome, Abstention):
        return ShownAnswer(text=Excerpt(text=""), grade=grade, score=shown, remark=_said("abstained", outcome.reason))
    if isinstance(outcome, Failure):
        raw = excerpt(outcome.raw, ANSWER)
        return ShownAnswer(text=raw, grade=grade, score=shown, remark=_said(outcome.kind, outcome.message))
    cut = "cut off" if outcome.truncated else ""
    return ShownAnswer(text=excerpt(outcome.text, ANSWER), grade=grade, score=shown, remark=cut)


def _said(kind: str, why: str) -> str:
    return f"{kind}: {excerpt(why, ALSO).text}" if why.strip() else kind


def excerpt(text: str, longest: int) -> Excerpt:
    """The text, cut after so many characters."""
    return Excerpt(text=text[:longest], left_out=max(0, len(text) - longest))


# ---------------------------------------------------------------- what is said of them


def _meaning(choice: CaseChoice) -> str:
    if choice in SHOW_HELDOUT:
        return SEEN
    return "These are selection cases, by which approaches were chosen. Held-out cases stand here only when asked for."


def _notes(kept: Sequence[CaseResults], choice: CaseChoice) -> Iterator[str]:
    yield (
        f"Inputs are shown up to {INPUT:,} characters, answers up to {ANSWER:,}, and of the evidence {PASSAGES} pieces up to "
        f"{PASSAGE:,}; what is left out is counted."
    )
    if any(not each.heldout for each in kept) and choice in SHOW_HELDOUT:
        yield "Selection cases are those by which approaches were chosen; of them no evidence is stored."
    if choice in SHOW_HELDOUT:
        yield "Every stored answer in full: advisor report RUN --answers answers.csv, or .parquet."


def _counts(results: Sequence[CaseResults], named: str, choice: CaseChoice) -> str:
    heldout = sum(each.heldout for each in results)
    parts = [counted(heldout, "held-out case")] * bool(heldout)
    parts += [counted(len(results) - heldout, "selection case")] * (len(results) > heldout)
    ranks = [each.rank(named) for each in results]
    left_out = "; the last are left out here" if choice == "wrong" and ranks.count(3) else ""
    return (
        f"{' and '.join(parts)}: on {ranks.count(0) + ranks.count(2):,} some approaches are right and some are not, on "
        f"{ranks.count(1):,} none is right, on {ranks.count(3):,} all are right{left_out}."
    )
