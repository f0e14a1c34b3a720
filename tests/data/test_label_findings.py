"""Labels that stand in their inputs, and held-out cases of one label, are told; words of a topic and named choices are not."""

from __future__ import annotations

import random
from collections.abc import Callable

import pytest

from benchmarks.audit.file_findings import audit
from benchmarks.audit.findings import Finding
from benchmarks.specs.spec import parse_spec
from strategies.contract import Case

LABELS = ("refund", "card_lost", "card", "top up")
SPEC = parse_spec({"name": "x", "instruction": "y", "examples": "z", "kind": "classification", "labels": list(LABELS)})
WORDS = [f"word{n}" for n in range(500)]
Written = Callable[[int, str], str]


def cases(written: Written, labels: tuple[str, ...] = LABELS, start: int = 0) -> list[Case]:
    texts = [
        (" ".join(random.Random(n).choices(WORDS, k=10)), labels[n % len(labels)]) for n in range(start, start + 80)
    ]
    return [
        Case(id=f"c{start + n}", input=written(n, label).format(text), output=label)
        for n, (text, label) in enumerate(texts)
    ]


def found(examples: list[Case], heldout: list[Case]) -> dict[str, Finding]:
    return {one.kind: one for one in audit(examples, heldout, (), SPEC)}


@pytest.mark.parametrize(
    "written",
    [
        lambda n, label: f"{{}} {label}",
        lambda n, label: f"[{label.upper()}] {{}}",
        lambda n, label: f"{{}} label: {label}." if n % 20 else "{}",
        lambda n, label: f"{{}} {label}" + " refund" * (n % 20 == 1),
    ],
    ids=["behind", "before", "nearly all", "some others"],
)
def test_a_label_that_stands_in_nearly_all_of_its_inputs_is_told(written: Written) -> None:
    """Every figure was near 100 %, and nothing said why."""
    told = found(cases(written), cases(written, start=100))["labels in inputs"]
    assert told.severity == "warning"
    assert told.says.endswith(
        "of 160 inputs contain their own label word for word, and hardly any contains another one."
    )
    assert told.count >= 0.9 * 160
    assert str(told.count) in told.says


@pytest.mark.parametrize(
    "written",
    [
        lambda n, label: f"{{}} {label}" if n % 5 else "{}",
        lambda n, label: f"{{}} {', '.join(LABELS)}",
        lambda n, label: f"{{}} {label} {LABELS[n // 4 % 4]}",
        lambda n, label: f"{{}} {label}ed",
        lambda n, label: "{}",
    ],
    ids=["a topic", "choices", "several", "within words", "none"],
)
def test_words_of_a_topic_and_choices_that_a_request_names_are_left_alone(written: Written) -> None:
    assert "labels in inputs" not in found(cases(written), cases(written, start=100))


def test_held_out_cases_of_one_label_are_told() -> None:
    plain: Written = lambda n, label: "{}"  # noqa: E731
    told = found(cases(plain), cases(plain, LABELS[:1], start=100))["one held-out label"]
    assert told.says == 'All 80 held-out cases have the label "refund"; the examples have 4 labels.'
    assert "one held-out label" not in found(cases(plain), cases(plain, LABELS[:2], start=100))
    assert "one held-out label" not in found(cases(plain, LABELS[:1]), cases(plain, LABELS[:1], start=100))
    assert "one held-out label" not in found(cases(plain), [])
