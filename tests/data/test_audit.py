"""The audit finds what was planted, counts it, names rows, and says nothing about clean data."""

from __future__ import annotations

import itertools
import json
import random
import tracemalloc
from collections.abc import Hashable
from dataclasses import replace
from typing import Any

import pytest

from benchmarks import metrics
from benchmarks.audit import file_findings
from benchmarks.audit import side_findings as side_findings_of
from benchmarks.audit.document_quality import Shelf
from benchmarks.audit.file_findings import audit
from benchmarks.audit.findings import Finding
from benchmarks.audit.schema_findings import schema_findings
from benchmarks.audit.side_findings import Answers, side_findings
from benchmarks.audit.summary import summarise
from benchmarks.contract import BadInput
from benchmarks.data.assemble import Limits, Loaded, assemble
from benchmarks.data.sides import Sides, given_sides
from benchmarks.data.split import overlapping
from benchmarks.specs.infer import check_objects
from benchmarks.specs.spec import MetricSpec, Spec, parse_spec
from strategies.contract import Case, Document, Fold, Kind, Task

SPEC = parse_spec({"name": "x", "instruction": "y", "examples": "z", "kind": "classification", "labels": ["a", "b"]})
QA = parse_spec({"name": "x", "instruction": "y", "examples": "z", "kind": "qa"})


def _text(number: int) -> str:
    return " ".join(random.Random(number).choices([f"word{n}" for n in range(500)], k=10))


def _clean(start: int, count: int) -> list[Case]:
    return [Case(id=f"c{n}", input=_text(n), output="ab"[n % 2]) for n in range(start, start + count)]


def _found(examples: list[Case], heldout: list[Case], spec: Spec = SPEC) -> dict[str, Finding]:
    sides = Sides(examples=tuple(examples), heldout=())
    if heldout:
        sides = given_sides(tuple(examples), tuple(heldout), (None, None), 0)
    labels = spec.labels if isinstance(spec.labels, tuple) else ()
    between = side_findings(sides, (examples, heldout), (), Answers(labels=labels, kind=spec.kind or "qa"))
    return {finding.kind: finding for finding in (*between, *audit(examples, heldout, (), spec))}


def test_clean_data_has_no_findings() -> None:
    assert _found(_clean(0, 40), _clean(100, 40)) == {}


@pytest.mark.parametrize(
    ("kind", "examples", "heldout"),
    [
        ("empty inputs", [Case(id="x", input=" \n", output="a")], []),
        ("overlap", [Case(id="x", input=_text(100).upper() + ".", output="a")], []),
        ("near overlap", [Case(id="x", input=_text(100) + " now", output="a")], []),
        ("conflicts", [Case(id="x", input=_text(1), output="a")], []),
        ("duplicates", [Case(id="x", input=_text(2), output="a")], []),
        ("held-out duplicates", [], [Case(id="x", input=_text(100), output="a")]),
        ("held-out conflicts", [], [Case(id="x", input=_text(101), output="a")]),
        ("contradicted held-out cases", [Case(id="x", input=_text(101), output="a")], []),
        ("nearly contradicted held-out cases", [Case(id="x", input=_text(101) + " now", output="a")], []),
        ("near conflicts", [Case(id="x", input=_text(1) + " now", output="a")], []),
        ("near conflicts", [], [Case(id="x", input=_text(101) + " now", output="a")]),
        ("long inputs", [Case(id="x", input="long " * 600, output="a")], []),
        ("unseen labels", [], [Case(id="x", input=_text(999), output="c")]),
        ("tiny labels", [Case(id="x", input=_text(999), output="c")], []),
    ],
)
def test_one_planted_fault_is_found_once_and_named(kind: str, examples: list[Case], heldout: list[Case]) -> None:
    spec = SPEC.model_copy(update={"labels": ("a", "b", "c")}) if kind.endswith("labels") else SPEC
    finding = _found([*_clean(0, 40), *examples], [*_clean(100, 40), *heldout], spec)[kind]
    assert finding.count == 1
    assert finding.examples in (("x",), ("c1",), ("c101",))
    assert all(said.endswith(".") for said in (finding.says, finding.effect, finding.what_to_do))


@pytest.mark.parametrize(
    ("one", "fits"),
    [("word ", 450), ("\u6771", 450), ("12,", 225), ("{},\n", 450)],
    ids=["words", "without spaces", "numbers", "marks"],
)
def test_outputs_that_are_longer_than_what_may_be_written_are_told(one: str, fits: int) -> None:
    spec = QA.model_copy(update={"kind": "generation"})
    long, short = (
        [Case(id=f"o{n}", input=_text(n), output=one * (fits + more) + "!" * n) for n in range(4)] for more in (1, -1)
    )
    finding = _found(long, [], spec)["long outputs"]
    assert (finding.count, finding.examples) == (4, ("o0", "o1", "o2"))
    assert finding.says.startswith("4 outputs are probably longer than 512 tokens")
    assert "long outputs" not in _found(short, [], spec)
    assert "long outputs" not in _found(long, [], SPEC.model_copy(update={"labels": (long[0].output,)})), "chosen"


def test_a_label_is_the_same_in_capitals_and_tiny_below_four_examples() -> None:
    spec = SPEC.model_copy(update={"labels": ("a", "b", "c")})
    rare = [Case(id=f"r{number}", input=_text(900 + number), output="c") for number in range(4)]
    held = [*_clean(100, 40), Case(id="x", input=_text(999), output=" C")]
    assert "unseen labels" not in _found([*_clean(0, 40), *rare], held, spec)
    assert "unseen labels" not in _found([*_clean(0, 40), replace(rare[0], output="C ")], held, spec)
    assert "tiny labels" not in _found([*_clean(0, 40), *rare], held, spec)
    assert _found([*_clean(0, 40), *rare[1:]], held, spec)["tiny labels"].count == 1


@pytest.mark.parametrize(
    ("labels", "lists"),
    [
        (("a", "a; b", "b; c", "a; c", "a; b; c"), "4 of 5 labels are lists of 3 parts"),
        (("a", "b", "c", "a, b", "B, c", "a|c", "c, a"), "4 of 7 labels are lists of 3 parts"),
        (("a", "b", "c", "a, b"), ""),
        (("Korea, South", "Korea, North", "Congo, East", "Samoa, West"), ""),
        (("a", "b"), ""),
    ],
)
def test_labels_that_are_lists_of_the_same_few_parts_are_told(labels: tuple[str, ...], lists: str) -> None:
    cases = [Case(id=f"c{n}", input=_text(n), output=labels[n % len(labels)]) for n in range(60)]
    finding = _found(cases, [], SPEC.model_copy(update={"labels": labels})).get("labels that are lists")
    assert (finding.says if finding else "").startswith(lists)
    assert (finding is not None) == bool(lists)
    assert finding is None or '{"a": true, "b": true}' in finding.what_to_do


def test_parts_that_are_fields_are_counted_one_by_one_whatever_else_is_right() -> None:
    """As the finding on labels that are lists recommends; in a list of JSON the place of a part counts."""
    metric = metrics.load("field_f1", {})
    case = Case(id="c", input="x", output='{"a": true, "b": true}')
    scores = [metric.score(case, text) for text in ('{"b": true, "a": true}', '{"b": true}', '{"c": true}', "{}")]
    assert scores == [1, pytest.approx(2 / 3), 0, 0]
    assert metric.score(Case(id="l", input="x", output='{"tags": ["a", "b"]}'), '{"tags": ["b"]}') == 0


@pytest.mark.parametrize("kind", ["extraction", "qa", "generation"])
def test_one_output_everywhere_is_found_where_it_is_not_refused(kind: str) -> None:
    same = [Case(id=f"s{n}", input=_text(n), output="a") for n in range(40)]
    found = _found(same, [], QA.model_copy(update={"kind": kind}))["one output"]
    assert (found.count, found.examples) == (40, ("s0", "s1", "s2"))
    assert found.says == "All 40 examples have the same output."


def _near(number: int, word: str, name: str, group: str = "") -> Case:
    return Case(id=name, input=f"{_text(number)} {word}", output="ab"[number % 2], group=group)


def _assembled(examples: list[Case], heldout: list[Case] | None) -> dict[str, Finding]:
    data = Loaded(examples=tuple(examples), heldout=None if heldout is None else tuple(heldout))
    return {finding.kind: finding for finding in assemble(SPEC, data=data).findings}


def test_near_duplicates_are_counted_apart_from_duplicates_and_on_each_side() -> None:
    examples = [*_clean(0, 60), _near(3, "now", "near"), _near(3, "NOW!", "same as that"), _near(4, "", "copy")]
    found = _assembled(examples, [*_clean(100, 40), _near(101, "now", "held"), _near(102, "now", "held too")])
    assert (found["near duplicates"].count, found["near duplicates"].examples) == (1, ("near",))
    assert found["near duplicates"].says == "1 example has nearly the same input as another one."
    assert found["duplicates"].count == 2
    assert found["held-out near duplicates"].examples == ("held", "held too")
    assert found["held-out near duplicates"].says == "2 held-out cases have nearly the same input as another one."
    assert {found[kind].severity for kind in ("near duplicates", "held-out near duplicates")} == {"note"}


def test_rows_from_which_held_out_cases_are_cut_are_not_called_examples() -> None:
    """Of 59 copies, 29 became held-out cases."""
    copies = [_near(number, "", f"copy {number}") for number in range(10)]
    assert _assembled([*_clean(0, 60), *copies], None)["duplicates"].says == "10 rows repeat the input of another one."
    apart = _assembled([*_clean(0, 60), *copies], _clean(100, 40))
    assert apart["duplicates"].says == "10 examples repeat the input of another one."


def test_near_duplicates_are_found_where_held_out_cases_are_cut_from_the_examples() -> None:
    pairs = [_near(number, "now", f"near {number}") for number in range(10)]
    found = _assembled([*_clean(0, 60), *pairs], None)
    kinds = [found[kind] for kind in ("near duplicates", "held-out near duplicates") if kind in found]
    assert sum(finding.count for finding in kinds) == 10
    assert not [kind for kind in _assembled(_clean(0, 60), None) if "near" in kind]


def test_what_a_person_grouped_is_not_taken_for_near_duplicates() -> None:
    talks = [Case(id=f"t{number}", input=_text(500 + number), output="a", group="talk") for number in range(6)]
    assert "near duplicates" not in _assembled([*_clean(0, 60), *talks], _clean(100, 40))
    beside = [*_clean(0, 60), *talks, _near(500, "now", "beside")]
    assert _assembled(beside, _clean(100, 40))["near duplicates"].examples == ("beside",)


def test_rows_of_a_held_out_group_are_left_out_where_they_are_few_and_else_told_of() -> None:
    def rows(start: int, count: int, name: str) -> list[Case]:
        """Threads of five."""
        return [replace(case, group=f"{name} {number // 5}") for number, case in enumerate(_clean(start, count))]

    held = rows(100, 40, "own")
    held[0] = replace(held[0], group="asked 0")
    data = Loaded(examples=(*rows(0, 40, "other"), *rows(200, 5, "asked")), heldout=tuple(held))
    few = assemble(SPEC, data=data)
    found = {finding.kind: finding for finding in few.findings}["groups on both sides"]
    assert (found.count, found.severity) == (5, "note")
    assert found.says == "5 examples belong to the group of a held-out case."
    assert "They are left out of the comparison" in found.told
    assert {case.id for case in few.benchmark.task.examples} == {f"c{number}" for number in range(40)}
    few_values = Loaded(
        examples=tuple(replace(case, group="web") for case in _clean(0, 40)),
        heldout=tuple(replace(case, group="web") for case in held),
        group="channel",
    )
    many = assemble(SPEC, data=few_values)
    found = {finding.kind: finding for finding in many.findings}["groups on both sides"]
    assert (found.count, found.severity, len(many.benchmark.task.examples)) == (40, "warning", 40)
    assert "They stay, since they are more than a fifth of the examples." in found.told
    (found,) = (finding for finding in many.findings if finding.kind == "few groups")
    assert found.says == 'By the column "channel" the 40 held-out cases are 1 group.'
    assert "as with a channel or a language, give the column another name. `slices` may name it." in found.told


@pytest.mark.parametrize(("copies", "kept"), [(10, 40), (11, 51)])
def test_near_copies_are_left_out_up_to_a_fifth_of_the_examples(copies: int, kept: int) -> None:
    near = [_near(100 + number, "now", f"near {number}") for number in range(copies)]
    sides = given_sides((*_clean(0, 40), *near), tuple(_clean(100, 40)), (None, None), 0)
    assert len(sides.examples) == kept


def test_one_label_of_nearly_all_examples_is_told_whatever_decides() -> None:
    rare = [replace(case, output="b" if number < 7 else "a") for number, case in enumerate(_clean(0, 40))]
    (finding,) = (each for kind, each in _found(rare, []).items() if kind == "imbalance")
    assert (finding.count, finding.examples) == (7, ("c0", "c1", "c2"))
    assert '"a" is the label of 33 of 40 examples; all others have 7.' in finding.says
    more = [replace(case, output="b" if number < 9 else "a") for number, case in enumerate(_clean(0, 40))]
    assert "imbalance" not in _found(more, [])


def test_alternatives_are_no_conflict_and_several_rewritings_are_none_either() -> None:
    rows = [
        Case(id="1", input="q", output="a", answers=("b",)),
        Case(id="2", input="q", output="b"),
    ]
    assert "conflicts" not in _found([*_clean(0, 20), *rows], [])
    assert "conflicts" in _found([*_clean(0, 20), *rows, Case(id="3", input="Q?", output="other")], [], QA)
    free = QA.model_copy(update={"kind": "generation"})
    assert "conflicts" not in _found([*_clean(0, 20), *rows, Case(id="3", input="Q?", output="other")], [], free)


def test_an_answer_that_an_example_contradicts_is_named_for_every_kind_but_rewritings() -> None:
    examples, held = _clean(0, 20), [*_clean(100, 20), Case(id="again", input=_text(101), output="b", answers=("B2",))]
    rows = [
        Case(id="other", input=_text(101).upper(), output="c"),
        Case(id="one of two", input=_text(101), output="B2"),
        Case(id="nearly", input=_text(103) + " now", output="c"),
        Case(id="right", input=_text(105) + "?", output="B"),
    ]
    found = _found([*examples, *rows], held, QA)
    finding = found["contradicted held-out cases"]
    assert finding.examples == ("other", "one of two"), "the second by one of two cases"
    assert finding.says == "2 examples have the same input as a held-out case but another answer."
    assert "nearly contradicted held-out cases" not in found, "a question with another word may have another answer"
    assert "contradicted held-out cases" not in _found([*examples, rows[3]], held, QA)
    free = QA.model_copy(update={"kind": "generation"})
    assert "contradicted held-out cases" not in _found([*examples, *rows], held, free)


def test_of_labels_held_out_cases_that_an_example_nearly_has_are_contradicted_by_it() -> None:
    """Such examples are left out, so nobody else would name them."""
    rows = [_near(101, "now", "same label"), replace(_near(103, "now", "another"), output="a")]
    found = _found([*_clean(0, 40), *rows], _clean(100, 40))
    assert found["nearly contradicted held-out cases"].examples == ("another",)
    assert found["nearly contradicted held-out cases"].severity == "note"
    assert "contradicted held-out cases" not in found


@pytest.mark.parametrize(
    ("metric", "kind", "example", "held", "differs"),
    [
        ("numeric_tolerance", "qa", "10", "10.0", False),
        ("numeric_tolerance", "qa", "10", "11", True),
        ("token_f1", "qa", "It is in room 3.", "Room 3", False),
        ("exact_match", "qa", "It is in room 3.", "Room 3", True),
        ("token_f1", "qa", "In the cellar.", "Room 3", True),
        ("field_f1", "extraction", '{"a": "1", "b": "2"}', '{"a": "1", "b": "3"}', True),
        ("field_f1", "extraction", '{"a": "1", "b": "2"}', '{"b": "2", "a": "1"}', False),
    ],
)
def test_without_labels_the_metric_says_which_answers_contradict_each_other(
    metric: str, kind: Kind, example: str, held: str, differs: bool
) -> None:
    """Texts were compared, so that 10 beside 10.0 was told as a right answer that counts as wrong."""
    examples = [*_clean(0, 20), Case(id="x", input=_text(101), output=example)]
    heldout = [Case(id="h", input=_text(101), output=held)]
    sides = given_sides(tuple(examples), tuple(heldout), (None, None), 0)
    between = side_findings(sides, (examples, heldout), (), Answers(kind=kind, metric=metrics.load(metric, {})))
    found = {finding.kind: finding for finding in between}.get("contradicted held-out cases")
    assert (found is not None and found.severity == "warning") == differs
    found = _found(examples, [replace(heldout[0], output="other")], QA)["contradicted held-out cases"]
    assert found.severity == "note", "nothing says how answers are compared"
    assert "may count as wrong" in found.effect


def test_a_metric_that_fails_is_left_to_the_run_and_a_function_of_a_person_is_not_asked(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    metric, examples = metrics.load("exact_match", {}), [*_clean(0, 20), Case(id="x", input=_text(101), output="a")]
    heldout = [Case(id="h", input=_text(101), output="b")]
    sides = given_sides(tuple(examples), tuple(heldout), (None, None), 0)
    monkeypatch.setattr(type(metric), "score", lambda *_: 1 / 0)
    told = side_findings(sides, (examples, heldout), (), Answers(kind="qa", metric=metric))
    assert "contradicted held-out cases" not in {finding.kind for finding in told}
    monkeypatch.setattr(type(metric), "name", "person")
    told = side_findings(sides, (examples, heldout), (), Answers(kind="qa", metric=metric))
    assert [each.severity for each in told if each.kind == "contradicted held-out cases"] == ["note"]


def test_answers_of_repeated_inputs_are_read_once_a_case(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each example was compared with every held-out case of its input, and all their answers were read for each pair."""
    read: list[str] = []
    compared = file_findings._compared

    def noted(answer: str) -> Hashable:
        read.append(answer)
        return compared(answer)

    monkeypatch.setattr(file_findings, "_compared", noted)
    asked = [_text(101)] * 30, [f"{_text(103)} {word}" for word in ("now", "then", "soon")] * 10
    examples, held = (
        [Case(id=f"{side}{n}", input=text, output="a") for n, text in enumerate((*asked[0], *asked[1]))]
        for side in ("e", "h")
    )
    sides = Sides(examples=(), heldout=tuple(held), overlap=overlapping(examples, held))
    near = replace(
        overlapping(examples, held), near=frozenset({"e40"}), beside={"e40": tuple(case.id for case in held)}
    )
    assert not list(side_findings_of._contradicted(sides, examples, Answers(labels=("a", "b"), kind="classification")))
    assert not list(side_findings_of._nearly_contradicted(replace(sides, overlap=near), examples))
    assert len(read) <= 2 * (len(examples) + len(held))


@pytest.mark.parametrize("order", list(itertools.permutations("ABC")), ids="".join)
def test_answers_of_which_none_is_right_in_all_rows_are_a_conflict_in_any_order(order: tuple[str, ...]) -> None:
    """The first row accepts one answer of each other row, which have none in common."""
    rows = {
        "A": Case(id="A", input="q", output="x", answers=("y",)),
        "B": Case(id="B", input="q", output="X "),
        "C": Case(id="C", input="q", output="y"),
    }
    assert _found([rows[name] for name in order], [], QA)["conflicts"].examples == order[:1]
    assert "conflicts" not in _found([rows[name] for name in order if name != "C"], [], QA)


def test_json_in_another_order_of_keys_is_no_conflict() -> None:
    spec = QA.model_copy(update={"kind": "extraction"})
    outputs = ('{"n": 12, "who": "Bo"}', '{"who":"Bo","n":12}', '{"n": 13, "who": "Bo"}')
    rows = [Case(id=str(n), input="12 pens for Bo", output=output) for n, output in enumerate(outputs)]
    assert "conflicts" not in _found(rows[:2], [], spec)
    assert "conflicts" in _found(rows, [], spec)


def test_labels_that_differ_by_capitals_or_spaces_are_named_with_the_rarer_spelling() -> None:
    labels = ("A", "a", "billing query", "Billing  query", "other", "ABC")
    outputs = ["A", "A", "a", "billing query", "Billing  query", "Billing  query", "other", "ABC"]
    cases = [Case(id=f"{n}", input=_text(n), output=output) for n, output in enumerate(outputs)]
    found = _found(cases, [], SPEC.model_copy(update={"labels": labels}))["labels spelt apart"]
    assert (found.count, found.examples) == (2, ("2", "3"))
    assert found.says == '2 labels differ from another one by capitals or spaces only: "a", "billing query".'
    assert "labels spelt apart" not in _found(_clean(0, 40), [Case(id="x", input=_text(99), output="c")])


@pytest.mark.parametrize(
    ("often", "rare", "alone"),
    [('["a", "b"]', '["b", "a"]', '["a"]'), ("Vip, a", "a, vip", "a"), ("a;b;c", "c; a; b", "a;b"), ("a", "b", "A b")],
)
def test_lists_of_the_same_labels_in_another_order_are_named(often: str, rare: str, alone: str) -> None:
    cases = [Case(id=f"{n}", input=_text(n), output=each) for n, each in enumerate((often, rare, often, alone))]
    found = _found(cases, [], SPEC.model_copy(update={"labels": tuple({often, rare, alone})}))
    assert ("labels ordered apart" in found) == (often != "a")
    if often != "a":
        assert (
            found["labels ordered apart"].says == f'1 label lists the same as another one in another order: "{rare}".'
        )
        assert found["labels ordered apart"].examples == ("1",)


def test_the_metric_of_a_label_that_the_task_lacks_is_refused_with_the_nearest() -> None:
    metric = MetricSpec.model_validate({"name": "f1_of_label", "label": "Spamm"})
    spec = SPEC.model_copy(update={"labels": ("spam", "ham"), "metric": metric})
    cases = tuple(Case(id=f"c{n}", input=_text(n), output=("spam", "ham")[n % 2]) for n in range(20))
    with pytest.raises(
        BadInput, match=r'is "Spamm", which is none of the 2 labels of the task\. .* the nearest is "spam"'
    ):
        assemble(spec, data=Loaded(examples=cases))


def test_where_limits_take_samples_the_sides_are_told_of_as_they_are_compared() -> None:
    """Of the files nothing is to be said: every label has its examples, and the case that an example copies is not asked."""
    labels = tuple("abcdefghij")
    rows = [Case(id=f"c{n}", input=_text(n), output=labels[n % 10]) for n in range(160)]
    copied = Case(id="copied", input=rows[101].input, output="b")
    data = Loaded(examples=(*rows[:100], copied), heldout=tuple(rows[100:]))
    spec = SPEC.model_copy(update={"labels": labels})
    whole, small = (assemble(spec, data=data, limits=limits) for limits in (Limits(), Limits(examples=8, heldout=20)))
    assert {finding.kind for finding in whole.findings} == {"overlap"}
    assert "c101" not in {case.id for case in small.benchmark.heldout}
    found = {finding.kind: finding for finding in small.findings}
    assert set(found) == {"unseen labels", "tiny labels"}
    shown = {case.output for case in small.benchmark.task.examples}
    unseen = [case.id for case in small.benchmark.heldout if case.output not in shown]
    assert (found["unseen labels"].count, found["unseen labels"].examples) == (len(unseen), tuple(unseen[:3]))
    assert "Those that the file has are not compared" in found["unseen labels"].told
    cut = {
        finding.kind
        for finding in assemble(spec, data=Loaded(examples=tuple(rows)), limits=Limits(examples=8)).findings
    }
    assert "unseen labels" in cut


def test_an_unused_label_is_named() -> None:
    spec = SPEC.model_copy(update={"labels": ("a", "b", "ghost")})
    assert '"ghost"' in _found(_clean(0, 40), [], spec)["unused labels"].says


def test_answers_that_no_document_holds_are_counted_and_fixed_phrases_are_not() -> None:
    documents = [
        Document(id="d1", text="The canteen opens at 8:30, on Fridays at nine."),
        Document(id="d2", text="社員食堂は九時に開く。"),
    ]
    cases = [
        Case(id="there", input="1", output="8.30"),
        Case(id="elsewhere", input="2", output="8:30", document_ids=("d2",)),
        Case(id="alternative", input="3", output="9", answers=("Nine",)),
        Case(id="unspaced", input="4", output="九時"),
        Case(id="part of a word", input="5", output="can"),
        *(Case(id=f"n{n}", input=f"x{n}", output="not in the documents") for n in range(6)),
    ]
    found = {finding.kind: finding for finding in audit(cases, (), documents, QA)}
    assert found["answers nowhere"].examples == ("elsewhere", "part of a word")
    frequent = '6 with a frequent answer ("not in the documents") are not among them.'
    assert (
        f"of 2 of 5 cases appear word for word in no document, or in none that the case names; {frequent}"
        in found["answers nowhere"].says
    )


def _page(fact: str, name: str, date: str = "", title: str = "Leave") -> Document:
    text = (
        f"Whoever has worked here for a year may take {fact} days of leave, after asking whom they work for. "
        + _text(7)
    )
    return Document(id=name, title=title, text=text, date=date)


@pytest.mark.parametrize(
    ("documents", "count"),
    [
        ([_page("28", "a"), _page("30", "b")], 1),
        ([_page("28", "a"), _page("28", "b")], 0),
        ([_page("28", "a", "2024-01-01"), _page("30", "b", "2025-01-01")], 0),
        ([_page("28", "a", "2024-01-01"), _page("30", "b", "2024-01-01")], 1),
        ([_page("28", "a", "2024-01-01"), _page("30", "b", "1 January 2024")], 1),
        ([_page("28", "a", "2024-01-01"), _page("30", "b", "some day")], 1),
        ([_page("28", "a"), _page("30", "b", title="Sick leave")], 0),
        ([_page("28", "a"), Document(id="b", title="Leave", text=_text(8))], 0),
    ],
)
def test_documents_that_contradict_each_other_are_paired(documents: list[Document], count: int) -> None:
    found = {finding.kind: finding for finding in audit(_clean(0, 20), (), documents, SPEC)}
    assert found["contradictory documents"].count == 1 if count else "contradictory documents" not in found


def test_copies_among_documents_are_counted() -> None:
    documents = [_page("28", "a"), _page("28", "b"), _page("30", "c"), _page("28", "d"), _page("28", "e", title="Sick")]
    found = {finding.kind: finding for finding in audit(_clean(0, 20), (), documents, SPEC)}
    copied = found["copied documents"]
    assert (copied.count, copied.examples) == (2, ("a and b", "a and d"))
    assert copied.told == (
        "2 documents repeat title and text of another one under another id. A search shows one text several times in place of "
        "others; a copy counts as the document that a case names. Keep one of each, and name that one in the cases."
    )
    assert "copied documents" not in {each.kind for each in audit(_clean(0, 20), (), documents[2:4], SPEC)}


def test_held_out_questions_that_stand_in_documents_are_counted() -> None:
    heldout = [
        Case(id="there", input="Who may open the main gate?", output="a"),
        Case(id="in part", input="Who may open the main gate at night?", output="a"),
        Case(id="one letter", input="Who has the key of the smal store room?", output="a"),
        Case(id="the last", input="Who has the key of the small store roam?", output="a"),
        Case(id="two words", input="Who had the key of the small store rooms?", output="a"),
        Case(id="few words", input="Who cleans the small store hall?", output="a"),
        Case(id="short", input="Who may?", output="a"),
    ]
    documents = [
        Document(id="d", text="Questions. Who may open the main gate? The porter. Who cleans the small store rooms?"),
        Document(id="e", text="Who has the key of the small store room? Ask at the small store."),
    ]
    data = Loaded(examples=tuple(_clean(0, 20)), heldout=tuple(heldout), documents=tuple(documents))
    found = {finding.kind: finding for finding in assemble(SPEC, data=data).findings}
    assert found["questions in documents"].examples == ("there", "one letter", "the last")


def test_a_document_that_repeats_half_a_question_is_not_gone_through_again_for_each_time() -> None:
    """Around a place a few words are looked at: all that stands before and behind it would be as much as the document."""
    chat = "Customer: hello I have a question about something else."
    document = Document(id="chats", text=" ".join([chat] * 200 + ["Hello I have a question on my late invoice."]))
    asked = ["I have a question of my late invoice", "hello I have a question about nothing else at all"]
    shelf = Shelf([document], " ".join(asked).lower().split())
    tracemalloc.start()
    found = [shelf.nearly_holds(text.lower()) for text in asked]
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert found == [True, False]
    assert peak < len(document.text)


@pytest.mark.parametrize("place", range(10))
def test_a_question_with_one_word_changed_is_found_wherever_it_stands(place: int) -> None:
    words = _text(1).split()
    changed = [*words[:place], "else", *words[place + 1 :]]
    ends = (changed, ["before", *changed], [*changed, "behind"], ["before", *changed, "behind"])
    for several in ends:
        shelf = Shelf([Document(id="d", text=" ".join(several))], words)
        assert shelf.nearly_holds(" ".join(words))
        assert not shelf.nearly_holds(" ".join(reversed(words)))
    twice = [*changed[: (place + 5) % 10], "other", *changed[(place + 5) % 10 + 1 :]]
    assert not Shelf([Document(id="d", text=" ".join(twice))], words).nearly_holds(" ".join(words))


def test_documents_in_a_wrong_encoding_or_another_language_are_named() -> None:
    english = [Document(id=f"d{n}", text=f"The {_text(n)} is open for you and your guests.") for n in range(20)]
    assert not {each.kind for each in audit(_clean(0, 20), (), english, SPEC)}
    german = Document(id="german", text="Der Raum ist nicht für die Gäste und das Haus mit dem Garten.")
    broken = Document(id="broken", text="The caf\u00c3\u00a9 is open for you and your guests.")
    found = {each.kind: each for each in audit(_clean(0, 20), (), [*english, german, broken], SPEC)}
    assert found["broken encoding of documents"].examples == ("broken",)
    assert found["other language (documents)"].examples == ("german",)


def test_held_out_questions_that_were_cut_from_the_examples_are_counted_too() -> None:
    cases = tuple(Case(id=f"c{n}", input=_text(n), output=f"answer {n}") for n in range(40))
    documents = (Document(id="d", text=". ".join(case.input for case in cases)),)
    found = {each.kind: each for each in assemble(QA, data=Loaded(examples=cases, documents=documents)).findings}
    assert found["questions in documents"].count == 20


def test_an_object_that_no_metric_reads_is_refused() -> None:
    check_objects([Case(id="1", input="pens", output='{"price": null}')], "Example")
    with pytest.raises(BadInput, match=r"Example 1: the output is not a JSON object.* null in place of NaN"):
        check_objects([Case(id="1", input="pens", output='{"price": NaN}')], "Example")


def test_a_document_id_that_does_not_exist_is_found() -> None:
    cases = [Case(id="x", input="1", output="text", document_ids=("d9",))]
    found = {each.kind: each for each in audit(cases, (), [Document(id="d1", text="text")], QA)}
    assert 'a JSON list, such as ["a.md", "b.md"].' in found["unknown documents"].what_to_do


def test_the_same_ids_in_both_files_confuse_nothing() -> None:
    documents = [Document(id="d1", text="red fox")]
    examples, heldout = [Case(id="1", input="a", output="red")], [Case(id="1", input="b", output="blue")]
    found = {finding.kind: finding for finding in audit(examples, heldout, documents, QA)}
    assert found["answers nowhere"].count == 1


def test_the_summary_counts_words_and_labels() -> None:
    examples = [Case(id=str(n), input="word " * n, output="a") for n in range(1, 101)]
    summary = summarise(
        examples, [Case(id="h", input="one", output="b")], [Document(id="d", text="two words")], ("a", "b")
    )
    assert (summary.examples, summary.heldout, summary.documents) == (100, 1, 1)
    assert (summary.input_words.median, summary.input_words.longest) == (50, 100)
    assert summary.labels == (("a", 100, 0), ("b", 0, 1))
    assert summary.document_words is not None
    assert summary.document_words.longest == 2


# ---------------------------------------------------------------- answers that cannot be written


def _schema_findings(examples: list[Any], heldout: list[Any], schema: dict[str, Any] | None) -> dict[str, Finding]:
    sides = [
        tuple(Case(id=f"{side}{n}", input=_text(n), output=json.dumps(value)) for n, value in enumerate(values))
        for side, values in (("e", examples), ("h", heldout))
    ]
    folds = (Fold(train=sides[0], selection=()),)
    task = Task(name="t", kind="extraction", instruction="x", folds=folds, score=lambda *_: 0.0, schema=schema)
    return {finding.kind: finding for finding in schema_findings(task, sides[1])}


OF_DAYS = {"properties": {"on": {"type": "string", "format": "date-time"}, "at": {"type": "string"}}}


def test_answers_that_are_not_of_the_schema_are_counted_on_both_sides() -> None:
    found = _schema_findings([{"at": 3}, {"at": "3"}], [{"at": "3"}, {"at": 4}, {"at": [4]}], OF_DAYS)
    (finding,) = found.values()
    assert (finding.kind, finding.count, finding.examples) == ("outside the schema", 3, ("e0", "h1", "h2"))
    assert finding.says == (
        "The answers of 1 example and 2 held-out cases, of 5 that were tried, are not of the `schema` (the first by `type`, at "
        "`at`)."
    )
    spec = QA.model_copy(update={"kind": "extraction", "answer_schema": OF_DAYS})
    rows = [Case(id=str(n), input=_text(n), output=json.dumps({"at": n})) for n in range(40)]
    assert any(
        "are not of the `schema`" in note for note in assemble(spec, data=Loaded(examples=tuple(rows))).benchmark.notes
    )


def test_answers_that_the_grammar_of_the_schema_cannot_write_are_counted() -> None:
    day, plain = {"on": "2026-03-01T10:00:00Z", "at": "x"}, {"on": "2026-03-01T10:00:00"}
    assert _schema_findings([day] * 3, [day, {"at": "x", "on": day["on"]}], OF_DAYS) == {}, "in any order"
    found = _schema_findings([day, plain], [plain, plain], OF_DAYS)["unwritable answers"]
    assert (found.count, found.examples) == (3, ("e1", "h0", "h1"))


@pytest.mark.parametrize(
    ("more", "kind", "says"),
    [
        ({"uniqueItems": True}, "schema followed in part", "uniqueItems"),
        ({"uniqueItems": True}, "schema followed in part", "minProperties"),
        ({"items": {"pattern": "^(?!x)"}}, "schema not followed", "look-ahead and look-behind, is not supported."),
    ],
)
def test_a_schema_that_models_here_are_not_held_to_is_told(more: dict[str, Any], kind: str, says: str) -> None:
    schema = {"properties": {"tags": {"type": "array", **more}}, "minProperties": 1}
    (found,) = _schema_findings([{"tags": ["a"]}], [{"tags": ["b"]}], schema).values()
    assert (found.kind, found.severity) == (kind, "warning")
    assert says in found.says


def test_held_out_answers_of_a_form_that_the_examples_rule_out_are_counted() -> None:
    examples = [{"id": number, "all": []} for number in range(5)]
    other = [
        {"id": 9.5, "all": []},
        {"id": None, "all": []},
        {"id": 1, "all": ["a"]},
        {**examples[0], "new": 1},
        {"id": 1},
    ]
    found = _schema_findings(examples, [*examples, *other], None)["unlike the examples"]
    assert (found.count, found.examples) == (5, ("h5", "h6", "h7"))
    assert not _schema_findings(examples, examples, None)
    some = [{"tags": ["a", "b"], "note": "x"} for _ in range(5)]
    long = [
        {"tags": list("abcde"), "note": "x"},
        {"tags": [], "note": "x" * 61},
        {"tags": list("abcd"), "note": "x" * 60},
    ]
    assert _schema_findings(some, long, None)["unlike the examples"].count == 2


@pytest.mark.parametrize(("output", "noted"), [("TODO", True), ("[tbd]", True), ("none", False), ("n/a", False)])
def test_a_label_that_nobody_wrote_is_noted_unless_the_task_names_it(output: str, noted: bool) -> None:
    """Labels that are taken from the rows took `TODO` for one without a word."""
    unwritten = [replace(case, output=output) for case in _clean(0, 4)]
    data = Loaded(examples=(*unwritten, *_clean(4, 116)))
    named = SPEC.model_copy(update={"labels": ("a", "b", output)})
    assert "labels like placeholders" not in {each.kind for each in assemble(named, data=data).findings}
    told = {each.kind: each for each in assemble(SPEC.model_copy(update={"labels": None}), data=data).findings}
    assert ("labels like placeholders" in told) == noted
    if noted:
        found = told["labels like placeholders"]
        assert (found.count, found.examples, found.severity) == (4, ("c0", "c1", "c2"), "note")
        assert found.says == f'4 rows have a label that looks like a placeholder: "{output}".'
