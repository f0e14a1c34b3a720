"""A task spec is read with its lines, nothing unsafe gets through, and what is inferred is said."""

from __future__ import annotations

import json
import time
import unicodedata
from pathlib import Path

import pytest

from benchmarks.contract import BadInput
from benchmarks.data.assemble import Limits, Loaded, assemble
from benchmarks.data.escapes import written_out
from benchmarks.scored import MetricScore
from benchmarks.specs.infer import imbalance_note, infer_kind
from benchmarks.specs.spec import Columns, parse_spec, read_spec
from benchmarks.specs.spec_models import DEFAULT_MODEL
from benchmarks.specs.yaml_text import read_yaml
from benchmarks.statistics.decidable import Decidable
from strategies.contract import Abstention, Case, Document, Failure, Prediction
from strategies.schemas import answer_schema
from strategies.standalone.tagging import unmarked

SMALLEST = "name: tickets\ninstruction: Answer with the label.\nexamples: rows.jsonl\ntarget: 0.8\n"


def write_rows(folder: Path, outputs: list[str], name: str = "rows.jsonl") -> None:
    numbered = enumerate(outputs)
    rows = [{"input": f"{name} {n} about {text} {n * 7919}", "output": text} for n, text in numbered]
    (folder / name).write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")


def write_spec(folder: Path, text: str) -> Path:
    path = folder / "task.yaml"
    path.write_text(text, encoding="utf-8")
    return path


def test_four_lines_are_enough_and_everything_inferred_is_said(tmp_path: Path) -> None:
    write_rows(tmp_path, ["refund", "invoice"] * 20)
    benchmark = assemble(write_spec(tmp_path, SMALLEST)).benchmark
    assert benchmark.task.kind == "classification"
    assert benchmark.task.labels == ("invoice", "refund")
    assert benchmark.metric.name == "accuracy"
    assert benchmark.target == 0.8
    said = "\n".join(benchmark.notes)
    assert all(f"{key}: " in said for key in ("kind", "labels", "metric"))


def test_defaults_are_those_of_the_documentation(tmp_path: Path) -> None:
    write_rows(tmp_path, ["a", "b"])
    spec, folder = read_spec(write_spec(tmp_path, SMALLEST))
    assert folder == tmp_path
    assert (spec.volume, spec.horizon_months, spec.temperature) == (10_000, 12, 0.0)
    assert [model.name for model in spec.models] == [DEFAULT_MODEL]


def test_a_complete_spec_is_read(tmp_path: Path) -> None:
    write_rows(tmp_path, ["yes", "no"] * 10)
    write_rows(tmp_path, ["yes", "no"] * 10, "held.jsonl")
    (tmp_path / "docs").mkdir()
    (tmp_path / "docs" / "a.md").write_text("# Rules\nNo.", encoding="utf-8")
    (tmp_path / "old.jsonl").write_text("{}", encoding="utf-8")
    spec, _ = read_spec(
        write_spec(
            tmp_path,
            SMALLEST
            + "kind: classification\nheldout: held.jsonl\ndocuments: docs\nrecorded: old.jsonl\nlabels: [yes, no, 01]\n"
            "metric: {name: f1_of_label, label: yes}\nconstraints: {cost_per_month: 5, data_stays_here: true}\n"
            "volume: 20_000\nhorizon_months: 6\ntemperature: 0.5\nslices: persona\n"
            "models: [a, {name: b, endpoint: 'http://127.0.0.1:1/v1', retries: 2, input_per_million: 0.1}]\n"
            "columns: {input: '{subject}: {body}'}\nprices: {machine_hour: 0.4, currency: EUR}\n",
        )
    )
    assert spec.labels == ("yes", "no", "01"), "words of YAML 1.1 and numbers stay labels"
    assert spec.metric is not None
    assert spec.metric.parameters == {"label": "yes"}
    assert spec.limits.cost_per_month == 5
    assert spec.limits.data_stays_here
    assert spec.volume == 20_000
    assert spec.slices == ("persona",)
    assert spec.models[1].options == {"retries": 2, "input_per_million": 0.1}
    assert spec.models[1].serving == {"retries": 2}
    assert spec.prices.currency == "EUR"


def test_what_answers_are_held_to_has_the_form_of_unicode_that_data_have(tmp_path: Path) -> None:
    write_rows(tmp_path, ["Facturé"])
    text = SMALLEST + "labels: [Facturé, Livré]\nschema: {properties: {été: {enum: [né]}}}\npattern: é+\n"
    text += "metric: {name: own, label: é}\n"
    spec, _ = read_spec(write_spec(tmp_path, unicodedata.normalize("NFD", text)))
    assert spec.labels == ("Facturé", "Livré")
    assert spec.answer_schema == {"properties": {"été": {"enum": ["né"]}}}
    assert spec.pattern == "é+"
    assert spec.metric is not None
    assert spec.metric.parameters == {"label": "é"}


def test_labels_and_schema_may_stand_in_files(tmp_path: Path) -> None:
    write_rows(tmp_path, ["a", "b"])
    (tmp_path / "labels.txt").write_text("a\n\nb \n", encoding="utf-8")
    (tmp_path / "schema.json").write_text('{"type": "object"}', encoding="utf-8")
    spec, _ = read_spec(write_spec(tmp_path, SMALLEST + "labels: labels.txt\nschema: schema.json\n"))
    assert spec.labels == ("a", "b")
    assert spec.answer_schema == {"type": "object"}


def test_lines_are_counted_from_one_and_nested_places_have_theirs(tmp_path: Path) -> None:
    text = read_yaml(
        write_spec(tmp_path, "# a comment\nname: x\nprices:\n  currency: usd\nmodels:\n  - one\n  - two\n")
    )
    assert text.where(("name",)) == "task.yaml:2"
    assert text.where(("prices", "currency")) == "task.yaml:4"
    assert text.where(("models", 1, "name")) == "task.yaml:7"


def test_a_byte_order_mark_and_windows_line_ends_change_nothing(tmp_path: Path) -> None:
    write_rows(tmp_path, ["a", "b"])
    plain, _ = read_spec(write_spec(tmp_path, SMALLEST))
    (tmp_path / "task.yaml").write_bytes(b"\xef\xbb\xbf" + SMALLEST.replace("\n", "\r\n").encode())
    assert read_spec(tmp_path / "task.yaml")[0] == plain


def test_a_few_aliases_are_fine(tmp_path: Path) -> None:
    values = read_yaml(write_spec(tmp_path, "a: &x [1, 2]\nb: *x\n")).values
    assert values == {"a": [1, 2], "b": [1, 2]}


@pytest.mark.parametrize(
    ("outputs", "documents", "kind", "metric"),
    [
        (["refund", "invoice"] * 10, False, "classification", "accuracy"),
        ([f'{{"item": "{index}"}}' for index in range(20)], False, "extraction", "field_f1"),
        ([f"answer {index}" for index in range(20)], True, "qa", "exact_match"),
        ([f"answer {index}" for index in range(20)], False, "generation", "chrf"),
    ],
)
def test_the_kind_is_inferred_from_outputs_and_documents(
    outputs: list[str], documents: bool, kind: str, metric: str
) -> None:
    cases = tuple(Case(id=str(n), input=f"text {n} {n * 7919}", output=output) for n, output in enumerate(outputs))
    texts = (Document(id="d", text="one"),) if documents else ()
    spec = parse_spec({"name": "x", "instruction": "y", "examples": "z", "target": 0.8})
    benchmark = assemble(spec, data=Loaded(examples=cases, documents=texts)).benchmark
    assert benchmark.task.kind == kind
    assert benchmark.metric.name == metric
    assert any(note.startswith(f"kind: {kind}") for note in benchmark.notes)


@pytest.mark.parametrize("key", ["grounded_at_least", "declined_at_least"])
@pytest.mark.parametrize("kind", ["qa", "generation", "classification", None])
def test_a_limit_that_is_measured_of_questions_only_is_refused_elsewhere(key: str, kind: str | None) -> None:
    """It passed every check, and after the paid run nothing could be said to meet the goal."""
    outputs = ["refund", "invoice"] * 10 if kind in (None, "classification") else [f"answer {n}" for n in range(20)]
    cases = tuple(Case(id=str(n), input=f"text {n} {n * 7919}", output=output) for n, output in enumerate(outputs))
    values = {"name": "x", "instruction": "y", "examples": "z", "documents": "d", "constraints": {key: 0.9}}
    spec = parse_spec(values | ({"kind": kind} if kind else {}))
    data = Loaded(examples=cases, documents=(Document(id="d", text="one"),))
    if kind == "qa":
        assert getattr(assemble(spec, data=data).benchmark.constraints, key) == 0.9
        return
    with pytest.raises(BadInput) as refused:
        assemble(spec, data=data)
    assert str(refused.value) == (
        f"{key} is measured of answers to questions over documents only, and the kind is {kind or 'classification'}. Leave {key} "
        "out, or write `kind: qa` where these are questions."
    )


@pytest.mark.parametrize(("broken", "refused"), [(1, True), (4, True), (5, False)])
def test_a_few_broken_objects_are_rows_to_correct_and_no_other_kind_of_task(broken: int, refused: bool) -> None:
    outputs = ['{"item": "pen"'] * broken + [f'{{"item": "{index}"}}' for index in range(20 - broken)]
    cases = tuple(Case(id=str(n), input=f"text {n} {n * 7919}", output=output) for n, output in enumerate(outputs))
    assert infer_kind(cases, False, False, False)[0] == ("extraction" if refused else "generation")
    spec = parse_spec({"name": "x", "instruction": "y", "examples": "z", "target": 0.8})
    if refused:
        with pytest.raises(BadInput, match=r"^Example 0: the output is not a JSON object, which extraction needs"):
            assemble(spec, data=Loaded(examples=cases))


@pytest.mark.parametrize(
    ("outputs", "kind", "why"),
    [
        (
            [f"team {n % 14:c<3}" for n in range(40)],
            "classification",
            "40 rows have only 14 different outputs, of a few words each.",
        ),
        (
            ["billing", "ship\nping", "returns", "other"] * 35,
            "classification",
            "140 rows have only 4 different outputs.",
        ),
        (
            ["billing", "shipping", "billing", "returns", "billing"],
            "generation",
            "5 rows have 3 different outputs and no documents were named. If these are labels, write `kind: classification`.",
        ),
        (
            [f"{n % 14}" for n in range(40)],
            "generation",
            "40 rows have 14 different outputs and no documents were named.",
        ),
        (
            [f"a whole sentence on number {n % 14}" for n in range(40)],
            "generation",
            "40 rows have 14 different outputs and no documents were named.",
        ),
    ],
)
def test_short_outputs_that_come_back_are_labels(outputs: list[str], kind: str, why: str) -> None:
    """Fourteen teams in forty rows were taken for texts to be written, because they were "many different texts"."""
    cases = [Case(id=str(n), input=f"text {n}", output=output) for n, output in enumerate(outputs)]
    assert infer_kind(cases, False, False, False) == (kind, f"kind: {kind}, because {why}")


def test_short_answers_with_a_metric_for_texts_stay_texts() -> None:
    cases = tuple(Case(id=str(n), input=f"text {n} {n * 7919}", output=f"answer {n % 20:c<3}") for n in range(40))
    spec = parse_spec({"name": "x", "instruction": "y", "examples": "z", "metric": "chrf", "target": 0.5})
    assert assemble(spec, data=Loaded(examples=cases)).benchmark.task.kind == "generation"


def test_a_label_of_nearly_all_cases_is_told_by_their_number() -> None:
    cases = [Case(id=str(n), input=str(n), output="ok" if n else "fraud") for n in range(200)]
    (said,) = imbalance_note(cases, ("fraud", "ok"), "accuracy")
    assert said.startswith('199 of 200 held-out cases are "ok", so accuracy is high')


def test_generation_without_a_metric_compares_and_gives_no_verdict() -> None:
    cases = tuple(Case(id=str(n), input=f"text {n} {n * 7919}", output=f"long {n}") for n in range(20))
    spec = parse_spec({"name": "x", "instruction": "y", "examples": "z", "target": 0.8, "kind": "generation"})
    benchmark = assemble(spec, data=Loaded(examples=cases)).benchmark
    assert benchmark.target is None
    assert any("no verdict is given" in note for note in benchmark.notes)


def _data() -> Loaded:
    examples = tuple(Case(id=f"e{n}", input=f"ask {n} {n * 7919}", output="ab"[n % 2]) for n in range(40))
    heldout = tuple(Case(id=f"h{n}", input=f"new {n} {n * 104729}", output="ab"[n % 2]) for n in range(30))
    return Loaded(examples=examples, heldout=heldout)


SPEC = parse_spec({"name": "x", "instruction": "y", "examples": "z", "target": 0.8})


def test_limits_take_seeded_samples_that_grow_into_each_other() -> None:
    small, large = (
        assemble(SPEC, data=_data(), limits=Limits(examples=size, heldout=size)).benchmark for size in (10, 20)
    )
    assert len(small.task.examples) == len(small.heldout) == 10
    assert {case.id for case in small.heldout} < {case.id for case in large.heldout}
    other = assemble(SPEC, data=_data(), limits=Limits(heldout=10), seed=1).benchmark
    assert {case.id for case in other.heldout} != {case.id for case in small.heldout}


def test_fewer_cases_than_were_asked_for_are_told() -> None:
    there = assemble(SPEC, data=_data()).benchmark
    asked = assemble(SPEC, data=_data(), limits=Limits(examples=1_000_000, heldout=len(there.heldout))).benchmark
    told = [note for note in asked.notes if "asked for" in note]
    assert told == [f"examples: 1,000,000 were asked for, and there are only {len(there.task.examples)}."]


def test_a_margin_stands_in_place_of_the_target() -> None:
    bench = assemble(SPEC, data=_data(), limits=Limits(margin=0.05)).benchmark
    assert (bench.target, bench.margin, bench.judges) == (None, 0.05, True)
    stated = parse_spec({"name": "x", "instruction": "y", "examples": "z", "margin": 0.02})
    assert assemble(stated, data=_data()).benchmark.margin == 0.02
    again = assemble(stated, data=_data(), limits=Limits(target=0.7)).benchmark
    assert (again.target, again.margin) == (0.7, None)


def test_whether_a_margin_can_be_decided_is_said_before_anything_runs() -> None:
    wide, narrow = (assemble(SPEC, data=_data(), limits=Limits(margin=margin)).decidable for margin in (0.5, 0.01))
    assert wide is not None
    assert narrow is not None
    assert (wide.enough, narrow.enough) == (True, False)
    assert "a margin of 0.01 takes" in narrow.says
    assert '"undecided" is likely' in narrow.says
    assert "undecided" not in wide.says


def test_another_target_replaces_that_of_the_spec() -> None:
    assert assemble(SPEC, data=_data(), limits=Limits(target=0.5)).benchmark.target == 0.5


def test_the_fingerprint_depends_on_cases_and_metric_alone() -> None:
    first = assemble(SPEC, data=_data()).benchmark
    assert assemble(SPEC, data=_data(), limits=Limits(target=0.5)).benchmark.fingerprint == first.fingerprint
    macro = assemble(SPEC.model_copy(update={"metric": parse_metric("macro_f1")}), data=_data()).benchmark
    assert macro.fingerprint != first.fingerprint
    data = _data()
    assert data.heldout is not None
    changed = (Case(id="h0", input="another question", output="a"), *data.heldout[1:])
    assert (
        assemble(SPEC, data=Loaded(examples=data.examples, heldout=changed)).benchmark.fingerprint != first.fingerprint
    )


def parse_metric(name: str) -> object:
    return parse_spec({"name": "x", "instruction": "y", "examples": "z", "metric": name}).metric


def test_only_a_prediction_can_score() -> None:
    score = assemble(SPEC, data=_data()).benchmark.task.score
    assert isinstance(score, MetricScore)
    case = Case(id="1", input="?", output="a")
    assert score(case, Prediction(text="a")) == 1.0
    assert score(case, Prediction(text="b")) == 0.0
    assert score(case, Abstention(reason="unsure")) == 0.0
    assert score(case, Failure(kind="unparsable", message="?", raw="a")) == 0.0


def test_examples_that_repeat_a_heldout_input_are_left_out() -> None:
    data = _data()
    assert data.heldout is not None
    leak = Case(id="leak", input=data.heldout[3].input.upper() + "!", output="a")
    benchmark = assemble(SPEC, data=Loaded(examples=(*data.examples, leak), heldout=data.heldout)).benchmark
    assert "leak" not in {case.id for case in benchmark.task.examples}
    assert any("same input as a held-out case" in note for note in benchmark.notes)


def test_a_label_without_examples_is_a_finding_where_labels_were_inferred() -> None:
    data = _data()
    assert data.heldout is not None
    strange = Case(id="s", input="something else entirely", output="c")
    assembly = assemble(SPEC, data=Loaded(examples=data.examples, heldout=(*data.heldout, strange)))
    assert "unseen labels" in {finding.kind for finding in assembly.findings}


def test_a_metric_of_ones_own_needs_the_permission(tmp_path: Path) -> None:
    write_rows(tmp_path, ["a", "b"] * 10)
    (tmp_path / "mine.py").write_text(
        "def score(input, output, accepted, metadata):\n    return 0.5\n", encoding="utf-8"
    )
    path = write_spec(tmp_path, SMALLEST + "metric: mine.py:score\n")
    with pytest.raises(BadInput, match="--allow-code"):
        assemble(path)
    assert assemble(path, allow_code=True).benchmark.metric.score(Case(id="1", input="", output="a"), "a") == 0.5


def test_whether_the_target_can_be_decided_is_said_before_anything_runs() -> None:
    assembly = assemble(SPEC, data=_data(), limits=Limits(target=0.95))
    assert isinstance(assembly.decidable, Decidable)
    assert assembly.decidable.right_needed is None, "30 cases cannot show .95 for five candidates"
    assert assembly.decidable.cases_needed is not None
    assert any("cannot prove 95 %, not even for" in note for note in assembly.benchmark.notes)


@pytest.mark.parametrize("goal", [Limits(target=0.95), Limits(margin=0.05)])
def test_no_number_of_right_answers_is_told_for_a_figure_over_rows(goal: Limits) -> None:
    data, of_label = _data(), {"name": "f1_of_label", "label": "a"}
    for metric, rests in ((of_label, True), ("macro_f1", False)):
        spec = parse_spec({"name": "x", "instruction": "y", "examples": "z", "metric": metric})
        assembly = assemble(spec, data=data, limits=goal)
        carrying = sum(case.output == "a" for case in assembly.benchmark.heldout)
        note = next(note for note in assembly.benchmark.notes if "cannot be told beforehand" in note)
        assert (f"{carrying} held-out cases have the label" in note) == rests
        assert assembly.decidable is not None
        assert assembly.decidable.says == note
        needed = ", and even an approach that is always right needs "
        assert (needed in note) == (rests and goal.target is not None)
        assert not any("can prove" in note or "is shown to be within" in note for note in assembly.benchmark.notes)


def test_an_unknown_column_mapping_is_refused_by_name() -> None:
    with pytest.raises(BadInput, match='Did you mean "input"'):
        parse_spec({"name": "x", "instruction": "y", "examples": "z", "columns": {"inptu": "a"}})
    assert Columns().input is None


def test_answers_with_a_pattern_are_plain_text_held_to_it() -> None:
    spec = parse_spec({"name": "ids", "instruction": "Name it.", "examples": "x.jsonl", "pattern": "[A-Z]{2}-[0-9]"})
    cases = tuple(Case(id=f"c{n}", input=f"text {n * 7919}", output=("AB-1", "CD-2")[n % 2]) for n in range(20))
    found = assemble(spec, data=Loaded(examples=cases))
    assert found.benchmark.task.kind == "qa"
    assert found.benchmark.task.schema == {"type": "string", "pattern": "^(?:[A-Z]{2}-[0-9])$"}
    assert "kind: qa, because there is a pattern that every answer has." in found.inferred


def test_lists_in_lists_are_refused_before_they_cost_time(tmp_path: Path) -> None:
    """Found by fuzzing: the library takes seconds for a thousand brackets, and so again for the next thousand."""
    deep = "- " + "[" * 300 + "]" * 300 + "\n"
    path = write_spec(tmp_path, f"{SMALLEST}labels:\n" + deep * 200)
    begun = time.monotonic()
    with pytest.raises(BadInput, match=r"task\.yaml is nested too deeply; 30 levels are allowed\. Make it flatter\."):
        read_yaml(path)
    assert time.monotonic() - begun < 2
    flat = write_spec(tmp_path, "a: " + "[" * 30 + "]" * 30)
    assert read_yaml(flat).values["a"]


@pytest.mark.parametrize(
    ("written", "plain"),
    [
        (r'{"city":"Z\u00fcrich","urgent": true}', '{"city":"Zürich","urgent": true}'),
        (r'{"due": "12\/03", "how": "\ud83d\ude00\u0021"}', '{"due": "12/03", "how": "😀!"}'),
        (r'{"a": "C:\\u00fc\\/", "b": "\u0022\u005c\n"}', r'{"a": "C:\\u00fc\\/", "b": "\"\\\n"}'),
        (r'{"name": "Andre\u0301"}', '{"name": "André"}'),
        (r'["\u0646\u200c\u0646"]', '["ن\u200cن"]'),
        *((kept, kept) for kept in (r'{"a": "\u001b\u200b\ud83d\u00"}', r'{"a": "\u001b\u202e\ud83d", "b": "\udc00"}')),
        *((kept, kept) for kept in (r"Z\u00fcrich", r'"Z\u00fcrich"', '{"city": "Zürich"}')),
    ],
)
def test_answers_that_are_json_lose_their_escapes_and_nothing_else(written: str, plain: str) -> None:
    case = Case(id="1", input=r"Z\u00fcrich", output=written, answers=(written,))
    assert written_out(case) == Case(id="1", input=r"Z\u00fcrich", output=plain, answers=(plain,))


def test_an_extraction_has_plain_characters_on_both_sides(tmp_path: Path) -> None:
    """So that a model here can write what it was taught: a grammar has escapes for control codes only."""
    from llguidance import LLMatcher, LLTokenizer

    outputs = [json.dumps({"city": f"Zürich {number}"}).replace("}", r', "on": "1\/2"}') for number in range(40)]
    write_rows(tmp_path, outputs)
    benchmark = assemble(write_spec(tmp_path, SMALLEST)).benchmark
    schema = unmarked(answer_schema(benchmark.task, benchmark.task.examples))
    matcher = LLMatcher(LLTokenizer("byte"), LLMatcher.grammar_from_json_schema(schema))
    for case in (*benchmark.task.examples, *benchmark.heldout):
        answer = list(case.output.encode())
        assert matcher.try_consume_tokens(answer) == len(answer)
        matcher.reset()
    with_words = SMALLEST.replace("target: 0.8", "kind: generation")
    assert r"\u00fc" in assemble(write_spec(tmp_path, with_words)).benchmark.task.examples[0].output


def test_json_is_valid_by_the_schema_of_the_task_unless_the_metric_has_its_own(tmp_path: Path) -> None:
    write_rows(tmp_path, [json.dumps({"size": str(number)}) for number in range(40)])
    own = SMALLEST + "schema: {properties: {size: {type: integer}}}\n"
    shown = assemble(write_spec(tmp_path, own)).benchmark.shown_metrics
    chosen = assemble(write_spec(tmp_path, own + "metric: json_valid\n")).benchmark.metric
    other = assemble(
        write_spec(tmp_path, own + "metric: {name: json_valid, schema: {required: [size]}}\n")
    ).benchmark.metric
    case = Case(id="1", input="a", output='{"size": "1"}')
    for metric in (chosen, next(each for each in shown if each.name == "json_valid")):
        assert (metric.score(case, '{"size": "1"}'), metric.score(case, '{"size": 1}')) == (0, 1)
    assert other.score(case, '{"size": "1"}') == 1
