"""Says what is wrong with the data of a task, in sentences, before anything is spent on it."""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Callable, Hashable, Iterator, Sequence

from benchmarks.audit.document_quality import Shelf, document_findings
from benchmarks.audit.findings import LISTED, Finding, gravest_first, ids, listed, many
from benchmarks.audit.label_findings import label_findings
from benchmarks.audit.missing_values import missing_values
from benchmarks.audit.text_quality import private_documents, private_requests, text_findings
from benchmarks.audit.text_shape import shape_findings
from benchmarks.data.similar import normalised, worded
from benchmarks.metrics._json import leaves
from benchmarks.metrics._json import read as read_json
from benchmarks.specs.spec import Spec
from strategies.answers import LONGEST_ANSWER
from strategies.contract import Case, Document
from strategies.prompting.rendering import INPUT_TOKENS
from strategies.standalone.reading import UNSPACED
from strategies.words import LETTER

_FIXED_PHRASE_SHARE = 0.05
_PIECE = re.compile(rf"{LETTER}|[^\W\d_{UNSPACED}]+|\d{{1,3}}|[^\w\s]+")
"""A word, a letter of a script without spaces, up to three digits, or marks: each is a token or more."""
_LONG_PIECES = 450
"""So many of these are about `LONGEST_ANSWER` tokens of English prose, and more of most other texts."""
_MOST = 0.8
"""Share of the examples from which on one label is most of them."""
_FEW_LONG = 0.05
"""Share of the cases up to which long inputs are a note."""
_SEPARATOR, _AROUND = re.compile("[,;|]"), "[]{}()'\" "
"""Between the parts of a list that is one label, and around each of them."""
ALIKE = {
    "example": "They weigh more in training, and copies on both sides of a split would make a choice look too good.",
    "held-out case": "They are not independent, so bounds are wider than their number suggests.",
}
"""What cases that are alike do to the comparison."""


def audit(
    examples: Sequence[Case],
    heldout: Sequence[Case],
    documents: Sequence[Document],
    spec: Spec,
    unlabelled: Sequence[str] = (),
) -> tuple[Finding, ...]:
    """What is found in whole files, however many of their rows are compared: the gravest first. What is told of the cases that
    are compared says `side_findings`. `heldout` is the separate file's, empty where there is none, and `unlabelled` what
    a teacher is to answer.

    `spec.kind` and `spec.labels` are taken as given, so hand in a spec in which both were inferred.
    """
    labels = spec.labels if isinstance(spec.labels, tuple) else ()
    found = [
        *_empty_inputs(examples, heldout),
        *missing_values([*examples, *heldout], labels),
        *_one_output(examples),
        *_conflicts(examples, spec),
        *_held_out_conflicts(heldout, spec),
        *_duplicates(examples, "example" if heldout else "row"),
        *_duplicates(heldout, "held-out case"),
        *_long_inputs(examples, heldout),
        *([] if labels else _long_outputs([*examples, *heldout])),
        *text_findings([*examples, *heldout], spec.kind or "generation", labels, spec.answer_schema),
        *shape_findings([*examples, *heldout], spec.kind or "generation"),
        *private_documents(documents),
        *private_requests(unlabelled),
    ]
    if labels:
        found.extend(label_findings(examples, heldout, labels))
        found.extend(_imbalance(examples))
        found.extend(_spelt_apart([*examples, *heldout], labels))
        found.extend(_ordered_apart([*examples, *heldout], labels))
        found.extend(_unused(examples, heldout, labels))
    if documents and spec.kind == "qa" and not labels:
        found.extend(_answers_nowhere([*examples, *heldout], documents))
    if documents:
        found.extend(_unknown_documents([*examples, *heldout], documents))
        found.extend(document_findings(documents))
    return gravest_first(found)


def _empty_inputs(examples: Sequence[Case], heldout: Sequence[Case]) -> Iterator[Finding]:
    empty = without_input([*examples, *heldout])
    if empty:
        yield Finding(
            kind="empty inputs",
            count=len(empty),
            examples=ids(empty),
            says=f"{many(len(empty), 'case has', 'cases have')} an empty input.",
            effect="There is nothing to answer in them and nothing to learn from them: they only blur all figures.",
            what_to_do=f"Leave these rows out, or map the input to another column. {LISTED}",
        )


def without_input(cases: Sequence[Case]) -> list[Case]:
    """Cases with nothing to answer."""
    return [case for case in cases if not case.input.strip()]


def _one_output(examples: Sequence[Case]) -> Iterator[Finding]:
    if len(examples) > 1 and len({case.accepted for case in examples}) == 1:
        yield Finding(
            kind="one output",
            count=len(examples),
            examples=ids(examples),
            says=f"All {len(examples):,} examples have the same output.",
            effect="There is nothing to learn from them: always giving this output looks as good as any approach.",
            what_to_do="Add examples with other outputs, or map the output to another column.",
        )


def _by_input(cases: Sequence[Case]) -> list[list[Case]]:
    groups: defaultdict[str, list[Case]] = defaultdict(list)
    for case in cases:
        groups[normalised(case.input)].append(case)
    return [group for group in groups.values() if len(group) > 1 and group[0].input.strip()]


def _in_conflict(cases: Sequence[Case], spec: Spec) -> list[list[Case]]:
    """Same input, answers that exclude each other; of several rewritings each can be right."""
    return [] if spec.kind == "generation" else [group for group in _by_input(cases) if exclude_each_other(group)]


def _conflicts(examples: Sequence[Case], spec: Spec) -> Iterator[Finding]:
    """Examples that teach two things."""
    if groups := _in_conflict(examples, spec):
        yield Finding(
            kind="conflicts",
            count=len(groups),
            examples=ids(group[0] for group in groups),
            says=f"{many(len(groups), 'input has', 'inputs have')} different outputs in different rows.",
            effect="It is not settled which one is right: every approach is taught both, and choosing on these rows is chance.",
            what_to_do="Decide which output is right and correct the other rows, or list the alternatives as answers.",
        )


def _held_out_conflicts(heldout: Sequence[Case], spec: Spec) -> Iterator[Finding]:
    """Held-out cases of which no answer can be right in all."""
    if groups := _in_conflict(heldout, spec):
        yield Finding(
            kind="held-out conflicts",
            count=len(groups),
            examples=ids(group[0] for group in groups),
            says=f"{many(len(groups), 'input of held-out cases has', 'inputs of held-out cases have')} different outputs in "
            "different rows.",
            effect="No answer can be right in all of them, so even a perfect approach would fall short, and who is right there "
            "is chance.",
            what_to_do="Decide which output is right and correct the other rows, or list the alternatives as answers.",
        )


def exclude_each_other(group: Sequence[Case]) -> bool:
    """Whether no answer is accepted of all of them, so that nothing can be right in each."""
    return not frozenset.intersection(*map(answers_of, group))


def answers_of(case: Case) -> frozenset[Hashable]:
    """What it accepts, as answers are compared with those of other cases."""
    return frozenset(map(_compared, case.accepted))


def _compared(answer: str) -> Hashable:
    """JSON by its values, as metrics compare it: the order of keys and the layout are nobody's disagreement."""
    parsed = read_json(answer, fenced=False)
    return answer.strip().casefold() if parsed is None else frozenset(leaves(parsed.value))


def _duplicates(cases: Sequence[Case], one: str) -> Iterator[Finding]:
    groups = _by_input(cases)
    extra = sum(len(group) - 1 for group in groups)
    if extra:
        yield Finding(
            kind="held-out duplicates" if one == "held-out case" else "duplicates",
            count=extra,
            examples=ids(group[1] for group in groups),
            says=f"{many(extra, f'{one} repeats', f'{one}s repeat')} the input of another one.",
            effect=ALIKE.get(one, ALIKE["example"]),
            what_to_do="They stay on one side of every split and count as one group; remove copies made by accident.",
            severity="note",
        )


def _long_inputs(examples: Sequence[Case], heldout: Sequence[Case]) -> Iterator[Finding]:
    cases = (*examples, *heldout)
    long = [case for case in cases if len(case.input) > _LONG_PIECES and _pieces(case.input) > _LONG_PIECES]
    if long:
        yield Finding(
            kind="long inputs",
            count=len(long),
            examples=ids(long),
            says=f"{many(len(long), 'input is', 'inputs are')} probably longer than {INPUT_TOKENS} tokens.",
            effect=f"Language models are shown only the first {INPUT_TOKENS} tokens here and answer without the rest; embedders "
            "read even less.",
            what_to_do="Put the deciding part first, cut what does not matter, or split the texts.",
            severity="warning" if len(long) > _FEW_LONG * len(cases) else "note",
        )


def _long_outputs(cases: Sequence[Case]) -> Iterator[Finding]:
    long = [case for case in cases if len(case.output) > _LONG_PIECES and _pieces(case.output) > _LONG_PIECES]
    if long:
        yield Finding(
            kind="long outputs",
            count=len(long),
            examples=ids(long),
            says=f"{many(len(long), 'output is', 'outputs are')} probably longer than {LONGEST_ANSWER} tokens, the most "
            "that a language model on this machine may write here.",
            effect="Its answers are cut there: none can equal such an output, and other metrics count the rest as missing. A "
            "server's model may write twice as much.",
            what_to_do="Shorten these outputs, or split the task into parts with an answer each.",
        )


def _pieces(text: str) -> int:
    return sum(1 for _ in _PIECE.finditer(text))


def _imbalance(examples: Sequence[Case]) -> Iterator[Finding]:
    """One label of nearly all examples; of held-out cases and accuracy `infer.imbalance_note` says what that hides."""
    counts = Counter(case.output for case in examples)
    if len(counts) < 2:
        return
    label, most = counts.most_common(1)[0]
    if most < _MOST * len(examples):
        return
    others = [case for case in examples if case.output != label]
    yield Finding(
        kind="imbalance",
        count=len(others),
        examples=ids(others),
        says=f"{listed([label])} is the label of {most:,} of {len(examples):,} examples; all others have {len(others):,}.",
        effect="Always answering it is right nearly as often as any approach, and the others are learnt from few examples.",
        what_to_do="Add examples of the others, and decide by a metric that counts them: macro_f1, or f1_of_label with the one "
        "that matters.",
        severity="note",
    )


def _unused(examples: Sequence[Case], heldout: Sequence[Case], labels: Sequence[str]) -> Iterator[Finding]:
    given = {case.output for case in (*examples, *heldout)}
    unused = [label for label in labels if label not in given]
    if unused:
        yield Finding(
            kind="unused labels",
            count=len(unused),
            examples=(),
            says=f"{many(len(unused), 'label stands', 'labels stand')} in the list but in no row: {listed(unused)}.",
            effect="Models may answer with it, and each such answer is wrong.",
            what_to_do="Remove it from labels, or add examples.",
            severity="note",
        )


def _spelt_apart(cases: Sequence[Case], labels: Sequence[str]) -> Iterator[Finding]:
    """Labels that a person takes for one."""
    other = list(spelt_apart(cases, labels))
    if other:
        yield Finding(
            kind="labels spelt apart",
            count=len(other),
            examples=ids(case for case in cases if case.output in set(other)),
            says=f"{many(len(other), 'label differs', 'labels differ')} from another one by capitals or spaces only: "
            f"{listed(other)}.",
            effect="They are taught as labels of their own, each by a part of the examples, and no request says which is wanted.",
            what_to_do="Write each label in one way, in all rows and under `labels`.",
        )


def _ordered_apart(cases: Sequence[Case], labels: Sequence[str]) -> Iterator[Finding]:
    """Lists of the same labels, such as `["a", "b"]` and `["b", "a"]`, or `a, b` and `b, a`."""
    by_spelling = spelt_apart(cases, labels)
    other = [label for label in _beside_another(cases, labels, parts_of) if label not in by_spelling]
    if other:
        yield Finding(
            kind="labels ordered apart",
            count=len(other),
            examples=ids(case for case in cases if case.output in set(other)),
            says=f"{many(len(other), 'label lists', 'labels list')} the same as another one in another order: {listed(other)}.",
            effect="A list is compared as it is written, so an answer that names the right ones in the other order is wrong.",
            what_to_do="Write the parts of each in one order, such as that of the alphabet, in all rows and under `labels`.",
        )


def spelt_apart(cases: Sequence[Case], labels: Sequence[str]) -> dict[str, str]:
    """Labels that differ from another one by capitals or spaces only -> the one of these with the most cases."""
    return _beside_another(cases, labels, spelt)


def _beside_another(cases: Sequence[Case], labels: Sequence[str], read: Callable[[str], Hashable | None]) -> dict[str, str]:
    """Labels that read as another one does, save the one with the most cases of those that read alike, which each has here."""
    count = Counter(case.output for case in cases)
    alike: defaultdict[Hashable, list[str]] = defaultdict(list)
    for label in sorted({*labels, *count}):
        if (key := read(label)) is not None:
            alike[key].append(label)
    mains = ((max(group, key=count.__getitem__), group) for group in alike.values())
    return {label: main for main, group in mains for label in group if label != main}


def spelt(label: str) -> str:
    """Without case and runs of spaces."""
    return " ".join(label.casefold().split())


def parts_of(label: str) -> tuple[str, ...] | None:
    """What a list holds, whatever its order; None of a label that is no list of several."""
    parts = sorted(part for each in _SEPARATOR.split(spelt(label)) if (part := each.strip(_AROUND)))
    return tuple(parts) if len(parts) > 1 else None


def _answers_nowhere(cases: Sequence[Case], documents: Sequence[Document]) -> Iterator[Finding]:
    """Answers that no document holds word by word; a fixed phrase such as "not in the handbook" is not looked for."""
    frequent = Counter(case.output for case in cases)
    fixed = {text for text, count in frequent.items() if count >= max(5, _FIXED_PHRASE_SHARE * len(cases))}
    asked = [case for case in cases if case.output not in fixed]
    holds = _holder(asked, documents)
    missing = [case for case in asked if not holds(case)]
    if missing:
        where = "no document" + (
            ", or in none that the case names" if any(case.document_ids for case in missing) else ""
        )
        yield Finding(
            kind="answers nowhere",
            count=len(missing),
            examples=ids(missing),
            says=f"The answers of {len(missing):,} of {len(asked):,} cases appear word for word in {where}"
            f"{_not_looked_for(fixed, len(cases) - len(asked))}.",
            effect="An answer that appears nowhere, or only in other words, cannot be quoted: approaches that quote documents "
            "are wrong there.",
            what_to_do="Check that the documents are complete, and that the named ones are the right ones.",
            severity="warning" if len(missing) > len(asked) / 2 else "note",
        )


def _not_looked_for(fixed: set[str], cases: int) -> str:
    if not fixed:
        return ""
    return f"; {cases:,} with a frequent answer ({listed(sorted(fixed))}) are not among them"


def _holder(cases: Sequence[Case], documents: Sequence[Document]) -> Callable[[Case], bool]:
    """Says of a case whether one of its answers stands in its own documents, or else in any."""
    numbers = {document.id: number for number, document in enumerate(documents)}
    shelf = Shelf(documents, (word for case in cases for answer in case.accepted for word in worded(answer).split()))

    def holds(case: Case) -> bool:
        own = [numbers[name] for name in case.document_ids if name in numbers]
        return any(shelf.holds(answer, own) for answer in map(worded, case.accepted) if answer)

    return holds


def _unknown_documents(cases: Sequence[Case], documents: Sequence[Document]) -> Iterator[Finding]:
    known = {document.id for document in documents}
    lost = [case for case in cases if any(name not in known for name in case.document_ids)]
    if lost:
        yield Finding(
            kind="unknown documents",
            count=len(lost),
            examples=ids(lost),
            says=f"{many(len(lost), 'case names', 'cases name')} a document id that no document has.",
            effect="Whether the right document was found is measured by the ids that exist, and where a case names none of these "
            "not at all; its score stays as it is.",
            what_to_do='Correct the ids; several in one cell are a JSON list, such as ["a.md", "b.md"].',
        )
