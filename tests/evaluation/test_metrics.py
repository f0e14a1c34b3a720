"""What every metric must keep to, whoever wrote it, and what each of ours counts as right."""

from __future__ import annotations

import dataclasses
import importlib
import json
import pickle
import unicodedata
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from advisor import Wishes, advise, reopen
from benchmarks.contract import Answered, BadInput, Metric, ScoreFailure
from benchmarks.metrics import load, names
from benchmarks.metrics._words import words
from benchmarks.metrics.numeric_tolerance import NumericTolerance
from benchmarks.scored import MetricScore
from strategies.contract import Case, Kind
from strategies.standalone import reading
from tests import tiny
from tests.conftest import Folders
from tests.desk import call, write_task

INSTRUCTION = "Answer the question with as few words as possible, and say that you do not know where you do not."


@pytest.fixture(scope="module", autouse=True)
def their_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A scoring function of a person's own, so that `person` goes through the same tests as the others."""
    path = tmp_path_factory.mktemp("person") / "same.py"
    path.write_text("def same(input, output, accepted, metadata):\n    return float(output in accepted)\n")
    EXAMPLES["person"] = (
        {"function": "same.py:same", "folder": str(path.parent), "allow_code": True},
        Case(id="1", input="2 + 2", output="four", answers=("4",)),
    )
    return path


EXAMPLES: dict[str, tuple[dict[str, Any], Case]] = {}


def example(name: str) -> tuple[Metric, Case]:
    """A metric with the example from its module, without which a new metric fails here."""
    parameters, case = EXAMPLES.get(name) or importlib.import_module(f"benchmarks.metrics.{name}").EXAMPLE
    return load(name, parameters), case


def degenerate(case: Case) -> dict[str, str]:
    filler = " ".join(["several", "other", "things", "were", "said"] * 1_000)
    return {
        "empty": "",
        "white space": " \n\t ",
        "constant": "a",
        "input": case.input,
        "passage": f"{filler[:20_000]} {case.output} {filler[20_000:]}",
        "instruction": INSTRUCTION,
        "control characters": "\x00\x1b[31m\u202e\ud800\U000e0041",
        "huge number": "9" * 5_000 + "e999999999",
        "deep brackets": "[" * 50_000,
    }


@pytest.mark.parametrize("name", names())
def test_perfect_answer_scores_one(name: str) -> None:
    metric, case = example(name)
    for accepted in case.accepted:
        assert metric.score(case, accepted) == 1.0
    assert metric.summarise([Answered(case=case, text=case.output, score=1.0)]) == 1.0


@pytest.mark.parametrize("name", names())
def test_degenerate_answers_are_not_right_and_never_raise(name: str) -> None:
    metric, case = example(name)
    for what, text in degenerate(case).items():
        score = metric.score(case, text)
        assert 0.0 <= score <= 0.5, f"{name} gives {score} for: {what}"
        assert metric.score(case, text) == score


@pytest.mark.parametrize("name", names())
def test_figure_over_degenerate_and_perfect_rows_is_a_share(name: str) -> None:
    metric, case = example(name)
    texts = [case.output, *degenerate(case).values()]
    rows = [Answered(case=case, text=text, score=metric.score(case, text)) for text in texts]
    figure = metric.summarise(rows)
    assert 0.0 < figure < 1.0
    assert metric.summarise(rows) == figure
    if not metric.over_rows:
        assert figure == pytest.approx(np.mean([row.score for row in rows]))
    if not metric.graded:
        assert {row.score for row in rows} <= {0.0, 1.0}


@pytest.mark.parametrize("name", names())
def test_a_metric_is_its_parameters(name: str) -> None:
    metric, case = example(name)
    assert metric.name == name
    assert metric.kinds <= {"classification", "extraction", "qa", "generation"}
    assert metric.kinds
    assert dataclasses.is_dataclass(metric)
    again = pickle.loads(pickle.dumps(metric))
    assert again == metric
    assert again.score(case, case.output) == 1.0
    with pytest.raises(dataclasses.FrozenInstanceError):
        setattr(metric, "name", "other")  # noqa: B010 - the type checker would refuse a plain assignment


@pytest.mark.parametrize("name", names())
def test_unknown_parameter_is_refused(name: str) -> None:
    with pytest.raises(BadInput, match=f"`tolerence` is not a parameter of the metric {name}"):
        load(name, {"tolerence": 1})


@pytest.mark.parametrize("name", names())
def test_no_rows_is_an_error_and_not_a_figure(name: str) -> None:
    metric, _ = example(name)
    with pytest.raises(BadInput, match="no answers"):
        metric.summarise([])


# ---------------------------------------------------------------- finding them


def test_unknown_metric_names_the_nearest_and_all() -> None:
    with pytest.raises(BadInput) as caught:
        load("exact_mach")
    sentence = str(caught.value)
    assert "The nearest is `exact_match`." in sentence
    assert all(name in sentence for name in {*names()} - {"person"})
    assert "person" not in sentence, "a function of one's own is written in its place"


@pytest.mark.parametrize(
    ("kind", "nearest", "others"),
    [
        ("classification", "macro_f1", "accuracy, exact_match, f1_of_label, macro_f1"),
        ("extraction", "token_f1", "exact_match, field_f1, json_valid, numeric_tolerance, token_f1"),
    ],
)
def test_an_unknown_metric_is_told_those_of_the_kind_of_the_task(kind: Kind, nearest: str, others: str) -> None:
    with pytest.raises(BadInput) as caught:
        load("f1", kind=kind)
    assert str(caught.value) == f"`f1` is not a metric. The nearest is `{nearest}`. Allowed: {others}."


def test_private_modules_are_no_metrics() -> None:
    assert not any(name.startswith("_") for name in names())
    with pytest.raises(BadInput, match="not a metric"):
        load("_words")


def test_missing_parameter_is_named() -> None:
    with pytest.raises(BadInput, match="f1_of_label needs the parameter `label`"):
        load("f1_of_label")


def test_installed_package_offers_a_class_and_a_function(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "their_metrics.py").write_text(
        "from dataclasses import dataclass\n"
        "from typing import ClassVar\n"
        "@dataclass(frozen=True, kw_only=True)\n"
        "class Shouting:\n"
        "    name: ClassVar[str] = 'shouting'\n"
        "    least: float = 0.5\n"
        "    def score(self, case, text):\n"
        "        return float(sum(c.isupper() for c in text) >= self.least * len(text))\n"
        "def same_length(input, output, accepted, metadata):\n"
        "    return float(len(output) == len(accepted[0]))\n"
    )
    info = tmp_path / "their_metrics-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: their-metrics\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text(
        "[finetune_advisor.metrics]\nshouting = their_metrics:Shouting\nsame_length = their_metrics:same_length\n"
    )
    monkeypatch.syspath_prepend(str(tmp_path))
    case = Case(id="1", input="x", output="abc")
    assert {"shouting", "same_length"} <= set(names())
    assert load("shouting", {"least": 1.0}).score(case, "ABC") == 1.0
    assert load("shouting", {"least": 1.0}).score(case, "ABc") == 0.0
    assert load("same_length").score(case, "xyz") == 1.0
    with pytest.raises(BadInput, match="nearest is `least`"):
        load("shouting", {"last": 1.0})


# ---------------------------------------------------------------- what each counts as right


def score(name: str, wanted: str | tuple[str, ...], text: str, **parameters: Any) -> float:
    first, *others = (wanted,) if isinstance(wanted, str) else wanted
    return load(name, parameters).score(Case(id="1", input="?", output=first, answers=tuple(others)), text)


@pytest.mark.parametrize(
    ("wanted", "text", "right"),
    [
        ("George Eliot", ' "george  eliot." ', 1),
        ("George Eliot", "\u201cGeorge\u00a0Eliot\u201d.", 1),
        ("\uff12\uff10", "20", 1),
        ("cd ..", "cd .", 0),
        ("ls .", "ls", 0),
        ('"a" and "b"', 'a" and "b', 0),
        ("no", "not", 0),
        ("\u6771\u4eac", "\u300c\u6771\u4eac\u300d\u3002", 1),
        ("\u6771\u4eac", "\uff62\u6771\u4eac\uff61\uff63", 1),
        ("\u0926\u093f\u0932\u094d\u0932\u0940", "\u0926\u093f\u0932\u094d\u0932\u0940\u0964", 1),
        ("\u0926\u093f\u0932\u094d\u0932\u0940", "\u0926\u093f\u0932\u094d\u0932\u0940.", 1),
        ("\u0644\u0627\u06c1\u0648\u0631", "\u0644\u0627\u06c1\u0648\u0631\u06d4", 1),
        ("Pary\u017c", "\u201ePary\u017c\u201d.", 1),
        ("Lyon", "\u00ab\u00a0Lyon\u00a0\u00bb.", 1),
        ("Bonn", "\u00bbBonn.\u00ab", 1),
        ("\u300ea\u300f\u3068\u300eb\u300f", "a\u300f\u3068\u300eb", 0),
        ("Yes!", "Yes", 0),
        ('{"a": 1, "b": [true]}', '```json\n{"b":[true],"a":1.0}\n```', 1),
        ('{"a": 1}', '```json\r\n{"a": 1}\r\n```', 1),
        ('{"a": 1}', '{"a": true}', 0),
        ('{"a": 12}', '{"a": "12"}', 0),
        ('["a", "b"]', '["b", "a"]', 0),
        ('["a"]', '["a", "b"]', 0),
        ('{"a": 1}', '{"a": 1, "b": 2}', 0),
        ('{"a": {"b": null}}', '{"a": {}}', 0),
        ('{"who": "Dr. Ode"}', '{"who": "dr. ode."}', 1),
        ('{"Who": 1}', '{"who":1}', 0),
        ('{"Who": 1}', '{"who": 1}', 0),
    ],
)
def test_exact_match(wanted: str, text: str, right: int) -> None:
    assert score("exact_match", wanted, text) == right


def test_exact_match_minds_case_where_told() -> None:
    assert score("exact_match", r"\S+", r"\s+") == 1
    assert score("exact_match", r"\S+", r"\s+", case_sensitive=True) == 0
    assert score("exact_match", '{"do": "ls -R"}', '{"do":"LS -r"}') == 1
    assert score("exact_match", '{"do": "ls -R"}', '{"do":"ls -r"}', case_sensitive=True) == 0
    assert score("exact_match", ("six", "6"), "6") == 1


def test_accuracy_is_equality_of_labels() -> None:
    assert score("accuracy", "Refund", " refund\n") == 1
    assert score("accuracy", "Refund", "refund.") == 0


def test_answers_count_in_whatever_form_of_unicode_a_system_writes_them() -> None:
    apart = unicodedata.normalize("NFD", "Facturé")
    for metric in ("accuracy", "macro_f1", "exact_match", "chrf"):
        assert score(metric, "Facturé", apart) == 1
    given = json.dumps({apart: apart}, ensure_ascii=False)
    assert score("field_f1", '{"Facturé": "Facturé"}', given) == 1
    rules = [{"name": "said", "says": "It says so.", "must_match": "é$"}]
    assert score("style_rules", "Facturé", apart, rules=rules) == 1
    assert reading.wrong_form({"labels": ["Facturé"]})(apart) == ""


def labelled(pairs: str) -> list[Answered]:
    """`ab` is a row whose label is a and whose answer is b; `a_` has no answer."""
    return [
        Answered(
            case=Case(id=str(i), input="?", output=pair[0]), text=pair[1].strip("_"), score=float(pair[0] == pair[1])
        )
        for i, pair in enumerate(pairs.split())
    ]


def test_macro_f1_equals_the_reference_implementation() -> None:
    from sklearn.metrics import f1_score

    rng = np.random.default_rng(3)
    rows = labelled(" ".join(rng.choice(list("abbbcc")) + rng.choice(list("abc_x")) for _ in range(80)))
    truth, given = [row.case.output for row in rows], [row.text for row in rows]
    expected = f1_score(truth, given, labels=["a", "b", "c"], average="macro", zero_division=0)
    assert load("macro_f1").summarise(rows) == pytest.approx(expected)
    of_labels = dict(zip("abcd", load("macro_f1").by_label(rows, ("d", "a")), strict=True))  # type: ignore[attr-defined]
    assert of_labels["d"] == (0, 0.0)
    for label in "abc":
        expected = f1_score(truth, given, labels=[label], average="macro", zero_division=0)
        assert of_labels[label] == (truth.count(label), pytest.approx(expected))
        assert load("f1_of_label", {"label": label.upper()}).summarise(rows) == pytest.approx(expected)


def test_f1_of_label_takes_silence_as_no_claim() -> None:
    metric = load("f1_of_label", {"label": "s"})
    assert metric.summarise(labelled("ss s_ h_ hh")) == pytest.approx(2 / 3)
    assert metric.summarise(labelled("ss s_ hs hh")) == pytest.approx(1 / 2)
    assert metric.summarise(labelled("hh h_")) == 0.0


def test_over_labels_an_accepted_alternative_is_the_right_label() -> None:
    either = Answered(case=Case(id="1", input="?", output="a", answers=("b",)), text=" B", score=1.0)
    rows = [either, *labelled("bb bb aa")]
    for metric in (load("macro_f1"), load("f1_of_label", {"label": "a"}), load("f1_of_label", {"label": "b"})):
        assert metric.summarise(rows) == 1.0


def test_approaches_choose_by_rows_that_have_their_scores() -> None:
    """A figure of an installed metric that goes by them was 0 for each of the settings."""
    metric: Any = SimpleNamespace(
        name="share",
        over_rows=True,
        score=lambda case, text: float(text == case.output),
        by_counts=lambda rows: lambda counts: counts @ np.array([row.score for row in rows]) / counts.sum(axis=1),
    )
    over_rows = MetricScore(metric=metric).over_rows
    assert over_rows is not None
    cases = [Case(id=name, input=name, output="a") for name in ("x", "y")]
    found = over_rows.figures([(cases[0], "a"), (cases[1], "b")], np.ones((1, 2)))
    assert list(found) == [0.5]


def test_figures_over_labels_by_counts_equal_those_over_rows() -> None:
    rows = labelled("aa ab ba bb bb ca cc")
    draws = ([0, 0, 1, 3, 3, 6, 5], [1, 1, 1], [0, 0, 3], [0, 1, 2, 3, 4, 5, 6])
    counts = np.array([[picked.count(place) for place in range(len(rows))] for picked in draws], dtype=np.float64)
    for metric in (load("macro_f1"), load("f1_of_label", {"label": "a"})):
        by_counts = metric.by_counts(rows)  # type: ignore[attr-defined]
        assert by_counts(counts) == pytest.approx([metric.summarise([rows[i] for i in each]) for each in draws])


def test_token_f1_takes_the_best_accepted_answer() -> None:
    assert score("token_f1", ("in the Black Sea", "Black Sea"), "The black sea.") == 1
    assert score("token_f1", "Black Sea", "the Caspian Sea") == pytest.approx(0.5)
    assert score("token_f1", "Black Sea", "Rhine") == 0
    assert score("token_f1", "Black Sea", "the Black Sea near Sulina") == pytest.approx(2 / 3), "what is too much costs"
    assert score("token_f1", "the", "a") == 0
    assert score("token_f1", "the", "The") == 1


def test_answer_contained_needs_whole_words_and_a_short_text() -> None:
    assert score("answer_contained", "six months", "It lasts six months, then ends.") == 1
    assert score("answer_contained", "six", "sixty days") == 0
    assert score("answer_contained", "six months", "six long months") == 0
    assert score("answer_contained", "six", "six " + "word " * 40) == 0
    assert score("answer_contained", "six", "six," + "word," * 40) == 0
    assert score("answer_contained", "six", "six " + "word " * 40, max_words=50) == 1


def test_words_do_not_end_at_the_vowel_marks_of_a_script() -> None:
    six_months, thai = "\u091b\u0939 \u092e\u0939\u0940\u0928\u0947", "\u0e44\u0e21\u0e48\u0e44\u0e1b"
    assert words(f"{six_months} {thai}") == [*six_months.split(), "\u0e44", "\u0e21\u0e48", "\u0e44", "\u0e1b"]
    assert score("answer_contained", six_months, six_months, max_words=2) == 1
    assert score("answer_contained", thai, thai, max_words=4) == 1
    assert score("answer_contained", thai, thai, max_words=3) == 0
    assert score("rouge_l", "\u0915\u0940", "\u0915\u0947") == 0


def test_scripts_without_spaces_are_scored_letter_by_letter() -> None:
    beijing, shanghai = "\u5317\u4eac", "\u4e0a\u6d77"
    text = f"\u7b54\u6848\u662f{beijing}\u3002"
    assert score("answer_contained", beijing, text) == 1
    assert score("answer_contained", shanghai, text) == 0
    assert score("answer_contained", beijing, text * 10) == 0, "whoever repeats the passage does not win"
    assert score("token_f1", beijing, text) == pytest.approx(2 * 2 / (2 + 5))
    assert score("rouge_l", beijing, text) == pytest.approx(2 * 2 / (2 + 5))


def test_json_valid_reads_what_a_program_would() -> None:
    schema = {
        "type": "object",
        "required": ["n"],
        "properties": {"n": {"$ref": "#/$defs/n"}},
        "$defs": {"n": {"type": "integer"}},
    }
    assert score("json_valid", "{}", '{"n": 3}', schema=schema) == 1
    assert score("json_valid", "{}", '{"n": "3"}', schema=schema) == 0
    assert score("json_valid", "{}", '```json\n{"n": 3}\n```') == 0
    named = {
        "patternProperties": {"^n": {"type": "integer"}, "n$": True, "^a|z$": False},
        "additionalProperties": False,
    }
    closed = {"allOf": [{"patternProperties": named["patternProperties"]}], "unevaluatedProperties": False}
    for each in (named, closed, {"properties": {"patternProperties": {"const": named}}}):
        told = [
            score("json_valid", "{}", text, schema=each)
            for text in ('{"n": 3, "in": ""}', '{"n": ""}', '{"b": 1}', '{"z": 1}')
        ]
        assert told == ([1, 1, 1, 1] if "properties" in each else [1, 0, 0, 0])
    assert score("json_valid", "{}", '{"n": NaN}') == 0
    assert score("json_valid", "{}", '{"n": 1e999}') == 0
    with pytest.raises(BadInput, match="at type"):
        load("json_valid", {"schema": {"type": "objekt"}})
    with pytest.raises(BadInput, match="only references within it"):
        load("json_valid", {"schema": {"items": {"$ref": "http://example.org/x.json"}}})
    with pytest.raises(BadInput, match=r"`\$schema` of the schema is no address\. Write that of its dialect"):
        load("json_valid", {"schema": {"$schema": "h://]"}})
    with pytest.raises(BadInput, match=r"at pattern, '\[\[' is not a 'regex'"):
        load("json_valid", {"schema": {"pattern": "[["}})
    with pytest.raises(BadInput, match=r"at items, .* is not of type 'object', 'boolean'") as refused:
        load("json_valid", {"schema": {"items": [["deep"] * 1_000]}})
    assert len(str(refused.value)) < 400, "what is wrong may be most of the schema"
    assert load("json_valid", {"schema": {"pattern": "[[a]"}}), "nobody is warned of brackets in brackets"


def test_field_f1_counts_leaves() -> None:
    wanted = '{"who": "Okafor", "lines": [{"item": "A4", "n": 12}, {"item": "pen", "n": 3}]}'
    assert score("field_f1", wanted, wanted.replace("12", "12.0").replace("Okafor", "OKAFOR")) == 1
    assert score("field_f1", wanted, wanted.replace("12", "13")) == pytest.approx(0.8)
    assert score("field_f1", wanted, wanted.replace("12", '"12"')) == pytest.approx(0.8)
    assert score("field_f1", wanted, f"```\n{wanted}\n```") == 1
    assert score("field_f1", wanted, '{"who": "Okafor"}') == pytest.approx(2 / 6)
    assert score("field_f1", wanted, "Here it is: " + wanted) == 0
    assert score("field_f1", "{}", "{}") == 1
    with pytest.raises(ScoreFailure, match="no accepted answer that is a JSON"):
        score("field_f1", "just text", "{}")


@pytest.mark.parametrize(
    ("wanted", "text", "right"),
    [
        ("303,270", "about 304 270", 0),
        ("303,270", "about 304,270 people", 1),
        ("303,270", "303 270", 0),
        ("303,270", "303\u202f270", 1),
        ("303270", "3.0327e5", 1),
        ("100", "101", 1),
        ("100", "101.1", 0),
        ("100", "101.005", 0),
        ("-5", "\u22125 degrees", 1),
        ("5", "-5", 0),
        ("-5", "-$5", 1),
        ("-\u20ac5.00", "\u20ac5.00", 0),
        ("-\u20ac1,234.50", "\u2212\u20ac1234.50", 1),
        ("-5", "\u20135 degrees", 1),
        ("3", "3\u20135", 1),
        ("20", "2019-20", 0),
        ("0", "0.001", 0),
        ("0.5", ".5", 1),
        ("12", "between 12 and 500", 1),
        ("12", "500 rather than 12", 0),
        ("unknown", "Unknown.", 1),
        ("unknown", "12", 0),
    ],
)
def test_numeric_tolerance(wanted: str, text: str, right: int) -> None:
    assert score("numeric_tolerance", wanted, text) == right


def test_numeric_tolerance_by_parameters() -> None:
    assert score("numeric_tolerance", "0", "0.001", absolute=0.01) == 1
    assert score("numeric_tolerance", "1.234,5", "1234,50 Euro", decimal=",", relative=0.0) == 1
    assert score("numeric_tolerance", "0.1", "0.101") == 1
    assert score("numeric_tolerance", "19.99", "20.00", absolute=0.01, relative=0.0) == 1, "exactly at the tolerance"
    assert score("numeric_tolerance", "19.99", "20.001", absolute=0.01, relative=0.0) == 0
    for wanted in ("1,234", "12.03.2024", "3, 4", "1,23,456", "unknown"):
        NumericTolerance().must_read([Case(id="1", input="q", output=wanted)])
    for wanted in ("0,405", "1.234,50", "901,17 EUR"):
        with pytest.raises(
            BadInput, match="1 of 1 accepted answers with a number make sense with a decimal comma only"
        ):
            NumericTolerance().must_read([Case(id="1", input="q", output=wanted)])
    assert score("numeric_tolerance", "100", "101.2", absolute=0.5) == 0, "the larger of the two, and not their sum"
    for more, right in ((39, 1), (40, 0)):
        assert score("numeric_tolerance", "12", "12" + " and" * more) == right
    with pytest.raises(BadInput, match="`relative` of the metric numeric_tolerance is 90"):
        load("numeric_tolerance", {"relative": 90})


def _subsequence_by_table(first: list[str], second: list[str]) -> int:
    table = [[0] * (len(second) + 1) for _ in range(len(first) + 1)]
    for i, one in enumerate(first):
        for j, other in enumerate(second):
            table[i + 1][j + 1] = table[i][j] + 1 if one == other else max(table[i][j + 1], table[i + 1][j])
    return table[-1][-1]


def test_rouge_l_equals_the_textbook_table() -> None:
    rng = np.random.default_rng(5)
    for _ in range(60):
        wanted = [str(word) for word in rng.choice(list("abcde"), rng.integers(1, 90))]
        given = [str(word) for word in rng.choice(list("abcdef"), rng.integers(1, 90))]
        expected = 2 * _subsequence_by_table(wanted, given) / (len(wanted) + len(given))
        assert score("rouge_l", " ".join(wanted), " ".join(given)) == pytest.approx(expected)


@pytest.mark.parametrize(
    ("wanted", "text"),
    [
        ("List the contents of an archive.", "Lists what an archive contains."),
        ("WE ARE CLOSED TODAY", "we are closed today"),
        (r"^\d{4}$", r"^\D{4}$"),
        ("It costs 5 m\u00b2.", "It costs 5 m2"),
        ("Yes", " Yes\n"),
    ],
    ids=["other words", "case", "pattern", "form and stop", "spaces"],
)
def test_chrf_is_sacrebleus(wanted: str, text: str) -> None:
    import sacrebleu

    assert score("chrf", wanted, text) == pytest.approx(sacrebleu.sentence_chrf(text, [wanted]).score / 100)


# ---------------------------------------------------------------- style rules


def style(**changes: Any) -> tuple[Metric, Case]:
    metric, case = example("style_rules")
    return load("style_rules", {"rules": metric.rules, **changes}), case  # type: ignore[attr-defined]


def test_style_rules_count_only_when_content_survives() -> None:
    metric, case = style()
    assert metric.score(case, "Boathouse: Closes at 16:00 on Fri for the regatta!") == 0.75
    assert metric.score(case, "Boathouse: Closes at 17:00 on Friday for the regatta.") == 0
    assert metric.score(case, "Boathouse: Closes at 16:00 on Friday for the regatta." + " so" * 2_000) == 0, (
        "far too long"
    )
    # Two of the four content words (boathouse, closes, friday, regatta) are half of them: enough at 0.5, not at 0.6.
    assert metric.score(case, "Boathouse, 16:00, Friday.") == 1
    assert style(minimum_overlap=0.6)[0].score(case, "Boathouse, 16:00, Friday.") == 0


def test_sentences_are_counted_at_their_ends() -> None:
    metric, _ = style()
    kept = metric.kept("It costs EUR 12.50 at 16:00. Come! Now?")  # type: ignore[attr-defined]
    assert kept == {"clock": True, "calm": False, "short": True, "two": False}


@pytest.mark.parametrize(
    ("text", "sentences"),
    [
        ("Dear Dr. Smith, we arrive at 4 p.m. on Friday.", 1),
        ("We meet at 4 p.m. Bring J. K. Rowling, e.g. Monday, and parcel No. 5 etc. by then!", 2),
        ('No. We do not... Why?! "Go." Well', 5),
        ("\u60a8\u597d\u3002\u8ba2\u5355\u5df2\u53d1\u8d27\u3002\u8c22\u8c22\uff01", 3),
        ("\u0928\u092e\u0938\u094d\u0924\u0947\u0964 \u0927\u0928\u094d\u092f\u0935\u093e\u0926\u0964", 2),
    ],
)
def test_abbreviations_end_no_sentence_and_stops_of_other_scripts_do(text: str, sentences: int) -> None:
    rules = [{"name": f"{most}", "says": "Short.", "max_sentences": most} for most in range(1, 9)]
    metric = load("style_rules", {"rules": rules})
    kept = metric.kept(text)  # type: ignore[attr-defined]
    assert next(most for most, short in kept.items() if short) == f"{sentences}"


@pytest.mark.parametrize(
    ("rules", "sentence"),
    [
        ([], "a list of rules"),
        ([{"name": "x", "says": "y"}], "has 0 checks"),
        ([{"name": "x", "says": "y", "max_words": 3, "must_match": "a"}], "has 2 checks"),
        ([{"name": "x", "says": "y", "must_match": "("}], "is not a regular expression"),
        ([{"name": "x", "says": "y", "max_word": 3}], "nearest is `max_words`"),
        ([{"name": "x", "says": "y", "max_words": 0}], "whole number"),
        ([{"says": "y", "max_words": 1}], "needs `name`"),
        ([{"name": "x", "says": "y", "max_words": 1}] * 2, "Two rules"),
    ],
)
def test_unusable_rules_are_refused(rules: list[Any], sentence: str) -> None:
    with pytest.raises(BadInput, match=sentence):
        load("style_rules", {"rules": rules})


def test_a_pattern_that_never_ends_is_a_failure_of_the_metric() -> None:
    rule = {"name": "slow", "says": "Never ends.", "must_match": "^(a|aa)+$"}
    metric = load("style_rules", {"rules": [rule]})
    text = "a" * 60 + "!"
    with pytest.raises(ScoreFailure, match="rule `slow` took more than"):
        metric.score(Case(id="1", input="x", output=text), text)


def test_keep_that_is_no_list_is_a_failure_of_the_metric() -> None:
    metric, case = style()
    with pytest.raises(ScoreFailure, match=r"`keep` of case 1"):
        metric.score(dataclasses.replace(case, metadata={"keep": "Boathouse"}), case.output)


# ---------------------------------------------------------------- a person's own function


@pytest.fixture
def own(tmp_path: Path) -> Path:
    path = tmp_path / "mine.py"
    path.write_text(
        "CALLS = []\n"
        "def share(input, output, accepted, metadata):\n"
        "    return len(output) / len(accepted[0]) * metadata.get('weight', 1)\n"
        "def broken(input, output, accepted, metadata):\n"
        "    return accepted[7]\n"
    )
    return path


def test_own_function_scores(own: Path) -> None:
    case = Case(id="1", input="x", output="abcd")
    for metric in (
        load(f"{own}:share", {"allow_code": True}),
        load("mine.py:share", {"allow_code": True, "folder": str(own.parent)}),
    ):
        assert metric.score(case, "ab") == 0.5
        assert pickle.loads(pickle.dumps(metric)).score(case, "abcd") == 1.0
    carried = pickle.dumps(metric)
    own.unlink()
    assert pickle.loads(carried).score(case, "ab") == 0.5, "a machine of a cluster has no such file"


def test_own_function_needs_the_flag(own: Path) -> None:
    own.write_text("raise SystemError('the code ran')")
    with pytest.raises(BadInput, match="--allow-code"):
        load(f"{own}:share")


def test_own_function_that_fails_is_no_score(own: Path) -> None:
    case = Case(id="17", input="x", output="abcd", metadata={"weight": 3})
    with pytest.raises(ScoreFailure, match=r"returned 3\.0 on case 17"):
        load(f"{own}:share", {"allow_code": True}).score(case, "abcd")
    with pytest.raises(ScoreFailure, match="raised IndexError on case 17"):
        load(f"{own}:broken", {"allow_code": True}).score(case, "abcd")


@pytest.mark.parametrize(
    ("function", "sentence"),
    [("mine.py:none", "It has: broken, share"), ("gone.py:share", "no file"), ("../x.py:f", "outside the folder")],
)
def test_own_function_that_is_not_there(own: Path, function: str, sentence: str) -> None:
    with pytest.raises(BadInput, match=sentence):
        load(function, {"allow_code": True, "folder": str(own.parent)})


@pytest.mark.parametrize("takes", ["case, text", "input, output, accepted, metadata, more", "*, input, output"])
def test_own_function_that_takes_something_else_is_named_before_anything_runs(takes: str, own: Path) -> None:
    own.write_text(f"def share({takes}):\n    return 1.0\n")
    with pytest.raises(BadInput) as caught:
        load("mine.py:share", {"allow_code": True, "folder": str(own.parent)})
    four = "a function that scores takes (input, output, accepted, metadata), in this order."
    assert str(caught.value) == f"`mine.py:share` takes ({takes}); {four}"


def test_a_run_whose_own_function_reads_a_file_beside_it_is_told_and_scored_again(
    tmp_path: Path, model_folders: Folders
) -> None:
    task, run = (
        write_task(tmp_path / "here", model_folders, "metric: mine.py:same", "kind: classification"),
        tmp_path / "run",
    )
    (tmp_path / "here" / "same.json").write_text("{}", encoding="utf-8")
    (tmp_path / "here" / "mine.py").write_text(
        "import json, pathlib\n"
        "SAME = json.loads(pathlib.Path(__file__).with_name('same.json').read_text())\n"
        "def same(input, output, accepted, metadata):\n"
        "    return float(SAME.get(output, output) in accepted)\n",
        encoding="utf-8",
    )
    wishes = Wishes(approaches=("majority",), probes="none", second_seed=False, allow_code=True)
    headline = advise(task, out=run, wishes=wishes).story.headline
    assert reopen(run, rescore=True, allow_code=True).story.headline == headline
    (tmp_path / "here").rename(tmp_path / "there")
    assert reopen(run, allow_code=True).story.headline == headline, "nothing is scored by it"
    with pytest.raises(BadInput, match=r"`mine\.py` failed while it was read: FileNotFoundError.*is not brought along"):
        reopen(run, rescore=True, allow_code=True)


def test_an_installed_function_is_a_metric_by_its_name_in_all_that_is_stored(
    tmp_path: Path, model_folders: Folders, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    info = tmp_path / "site" / "own_share-1.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: own-share\nVersion: 1\n", encoding="utf-8")
    points = "[finetune_advisor.metrics]\nfair_share = own_share:score\n"
    (info / "entry_points.txt").write_text(points, encoding="utf-8")
    source = "def score(input, output, accepted, metadata): return float(output in accepted)\n"
    (tmp_path / "site" / "own_share.py").write_text(source, encoding="utf-8")
    monkeypatch.syspath_prepend(str(tmp_path / "site"))
    task, run = write_task(tmp_path, model_folders, "metric: fair_share", "kind: classification"), tmp_path / "run"
    verdict = advise(task, out=run, wishes=Wishes(approaches=("majority",), probes="none", second_seed=False))
    assert verdict.story.facts["metric"] == "fair_share"
    assert "Metric: fair share." in (run / "report.md").read_text(encoding="utf-8")
    assert reopen(run).story.headline == verdict.story.headline
    assert call(capsys, "export", str(run), str(tmp_path / "out"), "--candidate", "majority").code == 0
    rows = [{"input": case.input, "output": case.output} for case in tiny.messages(40, start=60)]
    (tmp_path / "new.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    checked = call(capsys, "gate", str(tmp_path / "out"), str(tmp_path / "new.jsonl"), "--json")
    assert json.loads(checked.out)["figure"] == 0.25, checked.err
    with pytest.raises(BadInput, match=r"`weight` is not a parameter of the metric fair_share\. It takes none"):
        load("fair_share", {"weight": 2})


def test_two_versions_of_a_function_are_two_metrics(own: Path) -> None:
    before = load(f"{own}:share", {"allow_code": True})
    own.write_text("def share(input, output, accepted, metadata):\n    return 0.25\n")
    after = load(f"{own}:share", {"allow_code": True})
    assert before != after
    assert after.score(Case(id="1", input="x", output="abcd"), "abcd") == 0.25


def test_bundled_house_style_rules_accept_their_own_examples() -> None:
    import yaml

    folder = Path(__file__).parents[2] / "benchmarks" / "tasks" / "house-style"
    spec = yaml.safe_load((folder / "task.yaml").read_text(encoding="utf-8"))
    parameters = {key: value for key, value in spec["metric"].items() if key != "name"}
    metric = load(spec["metric"]["name"], parameters)
    lines = (folder / "examples.jsonl").read_text(encoding="utf-8").splitlines()
    rows = [json.loads(line) for line in lines]
    cases = [Case(id=row["id"], input=row["input"], output=row["output"], metadata=row["metadata"]) for row in rows]
    wrong = [case.id for case in cases if metric.score(case, case.output) < 1]
    copied = np.mean([metric.score(case, case.input) for case in cases])
    assert not wrong
    assert copied < 0.5
