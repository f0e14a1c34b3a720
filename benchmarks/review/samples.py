"""What a person found who went through held-out cases in random order: which label each has, or whether its answer is right."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from benchmarks.contract import BadInput
from benchmarks.formats.clean import harmless
from benchmarks.metrics import load
from benchmarks.metrics._base import is_label, label_of
from benchmarks.review.lineage import Relabelled
from benchmarks.review.review_sheets import REVIEW, SAMPLE, Material, sample_columns
from benchmarks.review.sheets import ACCEPTED, NO, YES, read_sheet
from strategies.contract import Case


def went_through(path: Path, material: Material, order: Sequence[str]) -> tuple[dict[str, str], bool]:
    """Id -> right answer, for the held-out cases that a person labelled once more or judged, and whether they are a random
    sample: the first of the order that was drawn, wherever they stand by now. Raises `BadInput`, also for gaps in a sheet that
    has that order."""
    if not path.is_file():
        return {}, True
    written = "label" if material.labels else "mark"
    known = {case.id: case for case in material.heldout}
    found: dict[str, str] = {}
    rows: list[str] = []
    gap = skipped = ""
    for place, row in read_sheet(path, sample_columns(material)):
        name = row["id"].strip()
        if name not in known:
            raise BadInput(f'{SAMPLE}, {place} names the held-out case "{name[:60]}", which is not there. Put it back.')
        rows.append(name)
        if said := (_label if material.labels else _judged)(row, known[name], material, f"{SAMPLE}, {place}"):
            found[name] = said
            skipped = skipped or (gap and f"{gap} has no {written} and {place} has one")
        else:
            gap = gap or place
    random = found.keys() == set(order[: len(found)])
    if skipped and not random and rows == [name for name in order if name in set(rows)]:
        raise BadInput(
            f"{SAMPLE}, {skipped}. Go from the top without leaving any out: only then they are a random sample."
        )
    return found, random


def _label(row: Mapping[str, str], case: Case, material: Material, where: str) -> str:
    label = row["label"].strip()
    if label and label not in material.choices and label not in case.answers:
        raise BadInput(f'{where}: "{label[:60]}" is not one of the labels. Write one as the task has it.')
    return label


def _judged(row: Mapping[str, str], case: Case, material: Material, where: str) -> str:
    """The given answer where that is right, else the one that is written beside it; empty where nothing is."""
    right, corrected = row["right"].strip().casefold(), row["corrected"].strip()
    if _letters(row["output"]) != _letters(harmless(case.output)):
        raise BadInput(
            f'{where}: the output was changed in the sheet. Put it back, and write the right one into "corrected".'
        )
    if right and right not in YES | NO:
        raise BadInput(f'{where}: "right" holds "{right[:20]}". Write x where the output is right, or nothing.')
    if corrected.casefold() == ACCEPTED and not right:
        raise BadInput(f'{where}: "corrected" holds x. Write x into "right" where the output is right.')
    if right in YES and corrected and not material.accepts(case, corrected):
        raise BadInput(f"{where} says that the output is right, and corrects it. Decide on one.")
    if right in NO and not corrected:
        raise BadInput(f'{where} says that the output is wrong. Write the right one into "corrected".')
    if right in NO and _same(case, corrected):
        raise BadInput(
            f"{where} says that the output is wrong, and corrects it to what is right already. Decide on one."
        )
    return corrected or (case.output if right in YES else "")


def _letters(text: str) -> str:
    """Those of a text, but for what a spreadsheet makes of numbers, dates and truth."""
    return "" if any(letter.isdigit() for letter in text) else "".join(filter(str.isalpha, text)).casefold()


def _same(case: Case, text: str) -> bool:
    """Whether it is an accepted answer of the case but for layout."""
    return load("exact_match", {"case_sensitive": True}).score(case, text) == 1.0


def agreed_answer(case: Case, output: str, said: str | None, material: Material) -> str:
    """The output of a held-out case without labels by both sheets. Raises `BadInput` where they contradict."""
    now = case if output == case.output else replace(case, output=output, answers=())
    if said is None or _same(now, said):
        return output
    if output == case.output:
        return said
    if material.accepts(now, said):
        return output
    raise _contradiction(case, output, said)


def agreed_label(case: Case, output: str, label: str | None, labels: Sequence[str]) -> str:
    """The label of a held-out case by both sheets, spelt as one of the labels where a sheet spells it so. Raises `BadInput`
    where they contradict."""
    if label is None:
        return output
    if label_of(label) == label_of(output):
        return label if label in labels and (output == case.output or output not in labels) else output
    if is_label(replace(case, output=output), label):
        return output
    if output != case.output:
        raise _contradiction(case, output, label)
    return label


def _contradiction(case: Case, output: str, said: str) -> BadInput:
    return BadInput(
        f'The held-out case "{case.id[:60]}" is "{output[:40]}" in {REVIEW} and "{said[:40]}" in {SAMPLE}. Decide on one.'
    )


def found_in(
    labelled: Mapping[str, str], material: Material, decisions: Mapping[tuple[str, str], tuple[str, bool]]
) -> tuple[Relabelled, Relabelled] | tuple[None, None]:
    """What the sample says of the answers that were given, and of those that the other sheet leaves."""
    if not labelled:
        return None, None
    wrong = cases = still_wrong = kept = 0
    for case in material.heldout:
        output, out = decisions.get(("held-out case", case.id), (case.output, False))
        label = labelled.get(case.id)
        kept += not out
        wrong += label is not None and not material.accepts(case, label)
        cases += label is not None and not out
        still_wrong += label is not None and not out and not material.accepts(replace(case, output=output), label)
    given = Relabelled(cases=len(labelled), wrong=wrong, of=len(material.heldout))
    return given, Relabelled(cases=cases, wrong=still_wrong, of=kept)
