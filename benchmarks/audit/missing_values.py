"""Says where a word that tables and programs write for a missing value stands as an input or as a label."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from benchmarks.audit.findings import LISTED, Finding, ids, listed, many
from strategies.contract import Case

_MISSING = frozenset(("#n/a", "n/a", "na", "nan", "<na>", "none", "null", "-", "--"))


def missing_values(cases: Sequence[Case], labels: Sequence[str]) -> Iterator[Finding]:
    """A warning for inputs and one for labels: each may be meant, as the label "none" of a list often is."""
    if found := missing_inputs(cases):
        yield Finding(
            kind="inputs like missing values",
            count=len(found),
            examples=ids(found),
            says=f"{many(len(found), 'case has an input', 'cases have an input')} that is usually written for a missing value: "
            f"{listed(sorted({case.input.strip() for case in found}))}.",
            effect="There is nothing to answer in them and nothing to learn from them: they only blur all figures.",
            what_to_do=f"Write the inputs, or leave these rows out, unless they are meant. {LISTED}",
        )
    if labels and (found := missing_labels(cases)):
        yield Finding(
            kind="labels like missing values",
            count=len(found),
            examples=ids(found),
            says=f"{many(len(found), 'row has a label', 'rows have a label')} that is usually written for a missing value: "
            f"{listed(sorted({case.output for case in found}))}.",
            effect="It is taught and counted as a label like the others, so a real one counts as wrong there.",
            what_to_do="Write the labels, or leave these rows out; where it is meant, as for what fits no other, it can stay. "
            f"{LISTED}",
        )


def missing_inputs(cases: Sequence[Case]) -> list[Case]:
    """Cases whose whole input is such a word."""
    return [case for case in cases if _is_missing(case.input)]


def missing_labels(cases: Sequence[Case]) -> list[Case]:
    """Cases whose whole output is such a word; of use where outputs are labels."""
    return [case for case in cases if _is_missing(case.output)]


def _is_missing(text: str) -> bool:
    return len(text) < 100 and text.strip().casefold() in _MISSING
