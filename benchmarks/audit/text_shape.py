"""Texts that were cut (answers that stop within a sentence, many texts of exactly one length) or are in another language."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Sequence

from benchmarks.audit.findings import LISTED, Finding, ids, many
from benchmarks.audit.languages import goes_on, in_another
from strategies.contract import Case, Kind
from strategies.words import count

_ENDS = re.compile(r"[^\w\s,(\[{-]$")
"""Any mark but one after which a sentence goes on."""
_LONG_WORDS = 12
"""An answer of so many words is one of sentences."""
_FEWEST = 10
_STYLE = 0.02
"""Where more of the long answers end without a mark, that is how they are written; those count that end with "the" or a comma."""
_LEAST_CUT, _LIMIT = 3, 100
"""So many texts of exactly the greatest length, which is at least so many characters."""


def shape_findings(cases: Sequence[Case], kind: Kind) -> Iterator[Finding]:
    """Texts that were cut, and texts in another language than the rest."""
    cut = cut_off(cases, kind)
    if cut:
        yield Finding(
            kind="truncated",
            count=len(cut),
            examples=ids(cut),
            says=f"{many(len(cut), 'case looks', 'cases look')} as if something was cut: an answer stops within a sentence, or "
            "several texts have exactly the greatest length.",
            effect="An approach learns to stop there too, and a whole answer is compared with a part of one.",
            what_to_do="Export the data anew without a limit on length, or leave these rows out. " + LISTED,
        )
    for part, main, others in other_languages(cases, kind):
        one, several = (f"{part} seems", f"{part}s seem")
        yield Finding(
            kind=f"other language ({part}s)",
            count=len(others),
            examples=ids(others),
            says=f"{many(len(others), one, several)} to be in another language than {main}, in which the others are.",
            effect="They are a task of their own: the figure mixes both, and small models are weak outside of one language.",
            what_to_do="Leave them out if they got there by accident; else name the language as a column under `slices`."
            f" {LISTED}",
            severity="note",
        )


def other_languages(cases: Sequence[Case], kind: Kind) -> Iterator[tuple[str, str, list[Case]]]:
    """Input or output, the language of most of these, and the cases where it is another one."""
    for part, texts in _parts(cases, kind):
        main, places = in_another(texts)
        if places:
            yield part, main, [cases[place] for place in places]


def _parts(cases: Sequence[Case], kind: Kind) -> Iterator[tuple[str, list[str]]]:
    yield "input", [case.input for case in cases]
    if kind in ("qa", "generation"):
        yield "output", [case.output for case in cases]


def cut_off(cases: Sequence[Case], kind: Kind) -> list[Case]:
    """Answers that stop within a sentence, and cases with an input or answer of a length at which something cuts."""
    found = {place for part in ("input", "output") for place in _at_the_limit([getattr(case, part) for case in cases])}
    if kind in ("qa", "generation"):
        found |= _without_an_end([case.output for case in cases])
    return [cases[place] for place in sorted(found)]


def _without_an_end(texts: Sequence[str]) -> set[int]:
    long = [place for place, text in enumerate(texts) if count(text) >= _LONG_WORDS]
    unended = {place for place in long if not _ENDS.search(texts[place].rstrip())}
    if len(long) < _FEWEST:
        return set()
    few = len(unended) <= max(1, _STYLE * len(long))
    return (
        unended if few else {place for place in unended if texts[place].rstrip().endswith(",") or goes_on(texts[place])}
    )


def _at_the_limit(texts: Sequence[str]) -> set[int]:
    """Several different texts of exactly the greatest length."""
    longest = max(map(len, texts), default=0)
    if longest < _LIMIT:
        return set()
    places = [place for place, text in enumerate(texts) if len(text) == longest]
    different = Counter(texts[place] for place in places)
    return set(places) if len(different) >= _LEAST_CUT else set()
