"""Says where labels leave nothing to compare: inputs that hold their own, and held-out cases that all have one."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from benchmarks.audit.findings import Finding, ids, listed
from benchmarks.data.similar import worded
from strategies.contract import Case

_OWN, _OTHER = 0.9, 0.1
"""From this share of inputs that hold their own label on, and up to that share that hold another one, labels were written into
inputs. Words of a topic stand in fewer inputs of their label, and choices that a request names stand there all."""
_FEWEST = 20
_LOOKED_AT = 500
"""Inputs in which other labels are looked for."""


def label_findings(examples: Sequence[Case], heldout: Sequence[Case], labels: Sequence[str]) -> Iterator[Finding]:
    """A warning for each; `heldout` is empty where it is cut from the examples."""
    cases = [*examples, *heldout]
    holding = _with_their_label(cases, labels)
    if holding:
        yield Finding(
            kind="labels in inputs",
            count=len(holding),
            examples=ids(holding),
            says=f"{len(holding):,} of {len(cases):,} inputs contain their own label word for word, and hardly any contains "
            "another one.",
            effect="Reading it off is right without any learning; if later requests do not contain it, every figure is far too "
            "high.",
            what_to_do="Take the labels out of the inputs, unless real requests contain them too; then a rule is enough.",
        )
    held = {case.output for case in heldout}
    if len(heldout) > 1 and len(held) == 1 and len(different := {case.output for case in examples}) > 1:
        yield Finding(
            kind="one held-out label",
            count=len(heldout),
            examples=ids(heldout),
            says=f"All {len(heldout):,} held-out cases have the label {listed(sorted(held))}; the examples have "
            f"{len(different):,} labels.",
            effect="Always answering it is right in all of them, and nothing is measured about the other labels.",
            what_to_do="Add held-out cases of the other labels, or leave `heldout:` out: then each is held out in proportion.",
        )


def _with_their_label(cases: Sequence[Case], labels: Sequence[str]) -> list[Case]:
    """The cases whose input holds their label, where nearly all do and hardly any holds another one; else none."""
    padded = {label: f" {worded(label)} " for label in {*labels, *(case.output for case in cases)}}
    holding, misses = list[Case](), 0
    for case in cases:
        if padded[case.output] in f" {worded(case.input)} ":
            holding.append(case)
        else:
            misses += 1
        if misses > (1 - _OWN) * len(cases):
            return []
    if len(holding) < _FEWEST or len({case.output for case in holding}) < 2:
        return []
    looked_at = holding[:: max(1, len(holding) // _LOOKED_AT)]
    others = sum(_holds_another(case, padded) for case in looked_at)
    return holding if others <= _OTHER * len(looked_at) else []


def _holds_another(case: Case, padded: dict[str, str]) -> bool:
    """Not where the other label is a part of its own."""
    own, text = padded[case.output], f" {worded(case.input)} "
    return any(other in text and other not in own for other in padded.values())
