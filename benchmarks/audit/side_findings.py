"""Says what is wrong between the examples and the held-out cases that are compared, in sentences."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Hashable, Iterator, Sequence, Set
from dataclasses import dataclass

from benchmarks.audit.document_quality import held_out_questions
from benchmarks.audit.file_findings import ALIKE, answers_of, exclude_each_other, parts_of, spelt
from benchmarks.audit.findings import FIX, Finding, gravest_first, ids, listed, many
from benchmarks.contract import Metric, ScoreFailure
from benchmarks.data.sides import Sides
from benchmarks.data.similar import normalised
from benchmarks.data.split import Overlap
from benchmarks.metrics._base import label_of
from benchmarks.metrics.person import PERSON
from benchmarks.scored import text_score
from strategies.contract import Case, Kind

_TINY = 4
_PARTS_AGAIN = 2
"""In so many labels each part of a list stands on average; of words with a comma fewer."""
_FEW_INDEPENDENT = 20
_IN_THE_FILE = " Those that the file has are not compared, since a sample was taken or they belong to held-out cases."


@dataclass(frozen=True, kw_only=True)
class Answers:
    """What is known of the answers, and how they are told apart."""

    labels: Sequence[str] = ()
    kind: Kind
    metric: Metric | None = None
    """None: only how they are written is known."""

    @property
    def told_apart(self) -> bool:
        """Whether it is known which of them count as the same. A person's own function is not asked before the run."""
        return bool(self.labels) or (self.metric is not None and self.metric.name != PERSON)

    def count_as_wrong(self, case: Case, held: Case) -> bool:
        """Whether none of the case's answers is right for a held-out case; as far as that is known, of texts that differ."""
        if self.labels or self.metric is None or not self.told_apart:
            return True
        try:
            scores = [text_score(self.metric, held, text) for text in case.accepted]
        except ScoreFailure:  # The run says so, of answers that it cannot go on without.
            return False
        whole = self.kind == "extraction"  # An object with one other value is another one, though right in parts.
        return all(score < 1 if whole else not score for score in scores)


def side_findings(
    sides: Sides, read: tuple[Sequence[Case], Sequence[Case]], standing: Sequence[Case], answers: Answers
) -> tuple[Finding, ...]:
    """What is found of the cases that are compared, the gravest first: where limits take a sample, of that sample.

    These are overlap, groups on both sides, labels without or with few examples, near duplicates, answers that contradict
    each other there, and questions that stand in documents. Everything else is told of whole files, by `audit`. `read` are the
    examples and the held-out cases as they were read; the latter are the examples where no file of held-out cases was.
    `standing` are held-out cases that stand in documents.
    """
    (examples, heldout), labels = read, answers.labels
    found = [
        *(_overlap(sides.overlap, examples, sides.near_left_out) if sides.overlap else ()),
        *_groups(sides),
        *(_labels(sides, examples, labels) if labels else ()),
        *_lists(examples, labels),
        *held_out_questions(standing),
        *_near_duplicates(sides.examples, examples, "examples", "example"),
        *_near_duplicates(sides.heldout, heldout, "held-out cases", "held-out case"),
        *(_near_conflicts(sides, (*examples, *heldout)) if labels else ()),
        *(_contradicted(sides, examples, answers) if answers.kind != "generation" else ()),
        *(_nearly_contradicted(sides, examples) if labels else ()),
    ]
    return gravest_first(found)


def few_groups(heldout: Sequence[Case], read: Sequence[Case], column: str, mapped: bool) -> tuple[Finding, ...]:
    """Whether the values of a column make few independent cases of many held-out ones. `read` as in `side_findings`; `mapped`:
    the spec names the column, which else was found by its name; empty: there is none."""
    by_hand = {case.id: case.group for case in read if case.group}
    groups = {by_hand.get(case.id) or f"\0{case.id}" for case in heldout}
    if not column or len(groups) >= _FEW_INDEPENDENT or 2 * len(groups) > len(heldout):
        return ()
    off = "leave `group` out of `columns`" if mapped else "give the column another name"
    return (
        Finding(
            kind="few groups",
            count=len(heldout),
            examples=(),
            says=f'By the column "{column[:40]}" the {len(heldout):,} held-out cases are {many(len(groups), "group", "groups")}.',
            effect="Rows of a group stay on one side and count as one, so hardly anything can be shown.",
            what_to_do=f"If they say nothing about each other, as with a channel or a language, {off}. `slices` may name it.",
        ),
    )


def _overlap(found: Overlap, examples: Sequence[Case], near_left_out: bool) -> Iterator[Finding]:
    if same := found.same:
        yield Finding(
            kind="overlap",
            count=len(same),
            examples=ids(case for case in examples if case.id in same),
            says=f"{many(len(same), 'example has', 'examples have')} the same input as a held-out case.",
            effect="Left in, their answers could be copied, which would flatter retrieval most and could turn the order.",
            what_to_do="These examples are left out of the comparison; take them out of the file too.",
        )
    if near := found.near:
        yield Finding(
            kind="near overlap",
            count=len(near),
            examples=ids(case for case in examples if case.id in near),
            says=f"{many(len(near), 'example has', 'examples have')} nearly the same input as a held-out case.",
            effect="An approach that looks examples up would find the answer there, as with the same input.",
            what_to_do="They are left out too." if near_left_out else _stay(found),
            severity="note",
        )
    if reworded := found.reworded:
        yield Finding(
            kind="reworded overlap",
            count=len(reworded),
            examples=ids(case for case in examples if case.id in reworded),
            says=f"{many(len(reworded), 'example has', 'examples have')} the words of a held-out case, in another order or with "
            "one more, and its answer.",
            effect="If they were copied, approaches that look examples up get figures that are too high.",
            what_to_do="They stay, since two people may have written them. Take out those that were copied.",
            severity="note",
        )


def _stay(found: Overlap) -> str:
    cases = many(len(found.beside_near), "held-out case has", "held-out cases have")
    return f"{cases} such an example; these stay, since they are more than a fifth of the examples."


def _groups(sides: Sides) -> Iterator[Finding]:
    if not sides.same_group:
        return
    stay = (
        "They stay, since they are more than a fifth of the examples. If rows of a group say something about each other, put all "
        "rows into one file and leave `heldout:` out: then whole groups are held out. If not, as with a channel or a language, "
        "give the rows no group."
    )
    yield Finding(
        kind="groups on both sides",
        count=len(sides.same_group),
        examples=ids(sides.same_group),
        says=f"{many(len(sides.same_group), 'example belongs', 'examples belong')} to the group of a held-out case.",
        effect="An approach that looks examples up may find the answer in another row of the group, and look better than it is.",
        what_to_do="They are left out of the comparison, as a split by group would do."
        if sides.groups_left_out
        else stay,
        severity="note" if sides.groups_left_out else "warning",
    )


def _labels(sides: Sides, read: Sequence[Case], labels: Sequence[str]) -> Iterator[Finding]:
    ours = Counter(case.output for case in sides.examples)
    seen = {label_of(label) for label in ours}
    unseen = [case for case in sides.heldout if label_of(case.output) not in seen]
    if unseen:
        names = sorted({case.output for case in unseen})
        there = not {label_of(case.output) for case in read}.isdisjoint(map(label_of, names))
        yield Finding(
            kind="unseen labels",
            count=len(unseen),
            examples=ids(unseen),
            says=f"{many(len(unseen), 'held-out case has', 'held-out cases have')} a label without examples: "
            f"{listed(names)}.",
            effect="An approach that learns from examples cannot give it, and is wrong there however good it is elsewhere.",
            what_to_do=f"Add examples of it.{_IN_THE_FILE if there else ''}",
        )
    tiny = sorted(label for label in labels if 0 < ours[label] < _TINY)
    if tiny:
        yield Finding(
            kind="tiny labels",
            count=len(tiny),
            examples=ids(case for case in sides.examples if case.output in set(tiny)),
            says=f"{many(len(tiny), 'label has', 'labels have')} fewer than {_TINY} examples: {listed(tiny)}.",
            effect="Hardly any approach learns such a label, and a few answers move a macro F1 a lot.",
            what_to_do="Add examples, or join the label with one that it is confused with.",
            severity="note",
        )


def _lists(examples: Sequence[Case], labels: Sequence[str]) -> Iterator[Finding]:
    """Labels that mostly are lists of the same few parts."""
    parts = {label: {*(parts_of(label) or (spelt(label),))} for label in labels}
    lists = {label for label, of in parts.items() if len(of) > 1}
    again = Counter(part for of in parts.values() for part in of)
    if 2 * len(lists) <= len(labels) or sum(again.values()) < _PARTS_AGAIN * len(again):
        return
    fields = ", ".join(f'"{part[:30].strip()}": true' for part in sorted(again)[:2])
    cases = [case for case in examples if case.output in lists]
    yield Finding(
        kind="labels that are lists",
        count=len(lists),
        examples=ids(cases),
        says=f"{len(lists):,} of {len(labels):,} labels are lists of {len(again):,} parts: {listed(sorted(lists))}.",
        effect="Each combination is a label of its own: one that is right in part is wrong, and one without examples is never "
        "found.",
        what_to_do=f"Write each answer as JSON with a field for each part that applies and no other, such as {{{fields}}}, in "
        "one order throughout, and `kind: extraction`: then field_f1 counts the parts.",
        severity="note",
    )


def _near_duplicates(cases: Sequence[Case], read: Sequence[Case], several: str, one: str) -> Iterator[Finding]:
    """Cases that were put into one group since their inputs are nearly the same; equal ones are `duplicates`.

    `cases` are as `split.grouped` marked them and `read` as they came: what a person grouped may be alike for other reasons.
    """
    by_hand = {case.id for case in read if case.group}
    near = [case for group in _alike(cases) for case in _other_texts(group) if case.id not in by_hand]
    if near:
        yield Finding(
            kind="near duplicates" if one == "example" else "held-out near duplicates",
            count=len(near),
            examples=ids(near),
            says=f"{many(len(near), one + ' has', several + ' have')} nearly the same input as another one.",
            effect=ALIKE[one],
            what_to_do=f"They stay on one side of every split and count as one group. `{FIX}` lists them.",
            severity="note",
        )


def _alike(cases: Sequence[Case]) -> list[list[Case]]:
    """The cases of each group, in their order."""
    groups: defaultdict[str, list[Case]] = defaultdict(list)
    for case in cases:
        if case.group:
            groups[case.group].append(case)
    return list(groups.values())


def _near_conflicts(sides: Sides, read: Sequence[Case]) -> Iterator[Finding]:
    """Inputs that are nearly the same under different labels; of equal ones `file_findings` tells, and groups that a person
    made are no sign of either."""
    by_hand = {case.id for case in read if case.group}
    alike = [group for cases in (sides.examples, sides.heldout) for group in _alike(cases)]
    texts = [[group[0], *_other_texts(group)] for group in alike if by_hand.isdisjoint(case.id for case in group)]
    groups = [several for several in texts if len(several) > 1 and exclude_each_other(several)]
    if groups:
        yield Finding(
            kind="near conflicts",
            count=len(groups),
            examples=ids(group[0] for group in groups),
            says=f"{many(len(groups), 'input has', 'inputs have')} another label when asked in nearly the same words.",
            effect="Either the small difference decides, or one of the labels is wrong and nothing can be right in all of them.",
            what_to_do=f"Look at them (`{FIX}` lists them) and correct the label that is wrong.",
            severity="note",
        )


def _contradicted(sides: Sides, examples: Sequence[Case], answers: Answers) -> Iterator[Finding]:
    """Held-out cases that stand among the examples with another answer."""
    held: defaultdict[str, dict[frozenset[Hashable], Case]] = defaultdict(dict)
    for case in sides.heldout:
        held[normalised(case.input)].setdefault(answers_of(case), case)
    same, known = sides.overlap.same if sides.overlap else frozenset[str](), dict[Hashable, bool]()
    found = []
    for case in examples:
        if case.id not in same or not (beside := held[normalised(case.input)]):
            continue
        at = normalised(case.input), answers_of(case)
        if at not in known:
            others = (other for accepted, other in beside.items() if at[1].isdisjoint(accepted))
            known[at] = any(answers.count_as_wrong(case, other) for other in others)
        found += [case] if known[at] else []
    if found:
        yield _of_contradicted(found, answers)


def _of_contradicted(found: Sequence[Case], answers: Answers) -> Finding:
    answer = "label" if answers.labels else "answer"
    certain = answers.told_apart
    effect = f"right answers {'' if certain else 'may '}count as wrong there."
    return Finding(
        kind="contradicted held-out cases",
        count=len(found),
        examples=ids(found),
        says=f"{many(len(found), 'example has', 'examples have')} the same input as a held-out case but another {answer}.",
        effect=f"One of the two is wrong. If it is that of the held-out case, {effect}"
        if answers.labels
        else f"If that of the held-out case is wrong, or both are right, {effect}",
        what_to_do="Decide which label is right, and correct the other row."
        if answers.labels
        else "Decide which answer is right and correct the other row, or list both as answers.",
        severity="warning" if certain else "note",
    )


def _nearly_contradicted(sides: Sides, examples: Sequence[Case]) -> Iterator[Finding]:
    """The same of those that stand there nearly."""
    held = {case.id: answers_of(case) for case in sides.heldout}
    beside = {case: sides.overlap.beside[case] for case in sides.overlap.near} if sides.overlap else {}
    found = [case for case in examples if _excluded(case, {held[one] for one in beside.get(case.id, ())})]
    if found:
        yield Finding(
            kind="nearly contradicted held-out cases",
            count=len(found),
            examples=ids(found),
            says=f"{many(len(found), 'example has', 'examples have')} nearly the same input as a held-out case but another "
            "label.",
            effect="Either the small difference decides, or one of the two is wrong. If it is that of the held-out case, "
            "right answers count as wrong there.",
            what_to_do="Look at them, and correct the label that is wrong.",
            severity="note",
        )


def _excluded(case: Case, beside: Set[frozenset[Hashable]]) -> bool:
    """Whether one of those held-out cases, each given by the answers that it accepts, accepts none of its own."""
    own = answers_of(case) if beside else frozenset[Hashable]()
    return any(own.isdisjoint(other) for other in beside)


def _other_texts(group: Sequence[Case]) -> list[Case]:
    """Those whose input is neither the first one's nor that of one before."""
    firsts: dict[str, Case] = {}
    for case in group:
        firsts.setdefault(normalised(case.input), case)
    return list(firsts.values())[1:]
