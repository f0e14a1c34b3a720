"""Answers that are read off: which runs there are, that the likeliest is taken, and that the quote is where it says."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

from benchmarks.metrics import load
from benchmarks.scored import MetricScore
from strategies.answers import Request, sureness
from strategies.contract import Case, Evidence, Message, Prediction, Query, Sampling
from strategies.models import plain
from strategies.pipeline import Setup, load_pipeline
from strategies.prompting.demonstrations import Shown, holds, well_founded
from strategies.selection import PipelineBuilder, evidence_of
from strategies.spans import (
    BEGINNINGS,
    Read,
    Reading,
    Span,
    _Choice,
    cited,
    from_note,
    noted,
    outcome,
    read,
    runs,
    whole,
)
from tests import tiny
from tests.scripted import ScriptedModel

TEXT = 'Trips: Ms. Grey pays "40 euros" a day.'


def found(text: str, document: str = "d", heading: str = "") -> Evidence:
    return Evidence(document_id=document, text=heading + text, score=1.0, start=0, end=len(text))


def ask(evidence: tuple[Evidence, ...], question: str = "How much?") -> Request:
    shown = "\n\n".join(item.text for item in evidence)
    return Request(key="k", prompt=(Message("user", f"{shown}\n\n{question}"),), evidence=evidence)


def test_runs_have_no_punctuation_at_their_edges_and_keep_their_place() -> None:
    spans = runs((found(TEXT), found("40 euros")), 3)
    texts = [span.text for span in spans]
    assert {"40 euros", "Ms. Grey", "Grey pays", '40 euros" a', "day"} <= set(texts)
    assert len(texts) == len(set(texts))
    assert max(len(text.split()) for text in texts) == 3
    assert all((TEXT, "40 euros")[span.place][span.start : span.end] == span.text for span in spans)


def test_runs_stay_within_a_paragraph_and_a_piece_of_evidence() -> None:
    spans = {span.text for span in runs((found("one two\n\nthree"), found("four")), 4)}
    assert spans == {"one", "two", "one two", "three", "four"}


def test_without_spaces_a_run_is_one_of_letters() -> None:
    text = "\u4f1a\u8bae\u5728\u5317\u4eac\u3001\u4e03\u6708\u3002"
    spans = runs((found(text), found("iPhone\u624b\u673a")), 2)
    texts = {span.text for span in spans}
    assert {"\u5317\u4eac", "\u4e03\u6708", "iPhone", "iPhone\u624b"} <= texts
    assert not any(sign in edge for span in texts for edge in (span[0], span[-1]) for sign in "\u3001\u3002")
    assert Reading.of([Case(id=str(number), input="", output="\u5317\u4eac") for number in range(2)]).words == 2


def test_a_bracket_stays_where_its_counterpart_is_within_a_run() -> None:
    """ "f(x)" could not be read off, only "f(x"."""
    text = "Call (030) 555-12, then (a [b]); f(x). It is \u300c\u6771\u4eac\u300d\u306e\u753a (or so)."
    spans = runs((found(text),), 4)
    texts = {span.text for span in spans}
    assert {
        "(030) 555-12",
        "f(x)",
        "a [b]",
        "\u300c\u6771\u4eac\u300d\u306e",
        "\u753a (or so)",
        "030",
        "or so",
    } <= texts
    assert not {"030) 555-12", "f(x", "a [b", "(030)", "so)", "(a"} & texts
    assert all(text[span.start : span.end] == span.text for span in spans)
    assert all(span.text.startswith(span.beginnings) for span in spans)


def test_signs_and_brackets_that_answers_of_the_examples_have_may_be_read() -> None:
    cases = [Case(id=str(place), input="", output=text) for place, text in enumerate(("Wham!", "why?!", "(a)", "b c"))]
    reading = Reading.of(cases)
    assert set(reading.kept) == set("!?()")
    evidence = (found("Oh (Wham!) said f(x)! It is (b)?"),)
    more = {span.text for span in runs(evidence, 2, reading.kept)} - {span.text for span in runs(evidence, 2)}
    assert more == {"Wham!", "(Wham!)", "f(x)!", "said f(x)!", "(b)", "is (b)?"} - {
        "b?",
        "Oh (Wham!)",
    }
    assert Reading.of([*cases * 40, *(Case(id="x", input="", output=f"no {n}]") for n in range(9))]).kept == ""


def test_the_likeliest_run_is_read(tmp_path: Path) -> None:
    """Against one whole forward pass for every run, with its end."""
    model = tiny.local_model(tiny.model_folder(tmp_path))
    requests = [ask((found("red green blue"),)), ask((found("an order, a refund"), found("cancel it")), "Which?")]
    reading = Reading(words=3, standing=("none",))
    results = sorted(read(model, requests, reading, "search"), key=lambda row: row[0])
    assert [index for index, *_ in results] == [0, 1]
    for index, result, usage in results:
        spans = runs(requests[index].evidence, 3)
        assert len({span.text.split()[0] for span in spans}) <= BEGINNINGS
        paths = [model.chat.encode_answer(text) for text in (*(span.text for span in spans), "none")]
        *scores, standing = plain.score_labels(model.parts.model, model.chat.encode(requests[index].prompt), paths)
        assert isinstance(result, Read)
        assert result.span == spans[max(range(len(spans)), key=scores.__getitem__)]
        assert result.score == pytest.approx(max(scores), abs=1e-4)
        assert result.standing == pytest.approx((standing,), abs=1e-4)
        assert [(row.step, row.calls) for row in usage] == [("search", 1)]


def test_where_answers_have_a_pattern_no_run_of_another_form_is_read(tmp_path: Path) -> None:
    """They were, so that answers of a task with `pattern:` and documents could be of any form."""
    task = replace(tiny.benchmark("qa").task, schema={"type": "string", "pattern": "^(?:[A-Z]{2}-[0-9]+)$"})
    text = "The lamp lies in rack 4. Its number is AX-104, that of the shade AX-10"
    bench = tiny.Bench(folder=tmp_path, language=tiny.local_model(tiny.model_folder(tmp_path)))
    made = PipelineBuilder(task, bench).build(Setup(reading=Reading(words=3)), [Case(id="a", input="a", output="AX-1")])
    requests = [ask((found(text),)), ask((found("It lies in rack 4."),))]
    texts = [
        result.text(Reading(words=3)) for _, result, _ in made.read(requests, "search") if isinstance(result, Read)
    ]
    assert set(texts) & {"AX-104", "AX-10"}
    assert set(texts) - {"AX-104", "AX-10"} == {""}, "nothing is read where nothing is of the form"


def test_a_standing_answer_competes_and_its_bonus_decides() -> None:
    result = Read(Span("40 euros", 0, 0, 8), -3.0, (-4.0, -9.0))
    reading = Reading(words=3, standing=("not said", "see above"))
    assert result.text(reading) == "40 euros"
    assert result.text(Reading(words=3, standing=reading.standing, bonus=2.0)) == "not said"
    assert Read(None, 0.0, (-4.0,)).text(Reading(words=3, standing=("not said",))) == "not said"
    assert Read(None, 0.0, ()).text(Reading(words=3)) == ""


def test_how_sure_an_answer_is_is_its_share_of_all_that_competed() -> None:
    runs = math.log(0.03 + 0.01 + 0.02)
    result = Read(Span("40 euros", 0, 0, 8), math.log(0.03), (math.log(0.02),), runs)
    reading = Reading(words=3, standing=("not said",))
    assert result.sure(reading) == pytest.approx(0.03 / 0.08)
    assert result.sure(replace(reading, bonus=math.log(3))) == pytest.approx(0.06 / 0.12), "the refusal, with its bonus"
    assert Read(None, 0.0, (-4.0,)).sure(reading) == 1.0, "nothing else was there"
    assert Read(Span("40 euros", 0, 0, 8), -3.0, (-4.0,)).sure(reading) is None, "noted before it was kept"
    nothing = Read(None, 0.0, ())
    near = Request(key="k", prompt=(), evidence=(Evidence(document_id="d", text="No number here.", score=0.9),))
    assert sureness(outcome(near, nothing, Reading(words=3), ())) == 0.0, "its passages are near, and say nothing"
    assert from_note(noted(nothing), Reading(words=3)) == ("", 0.0)
    note = noted(result)
    assert from_note(note, reading) == ("40 euros", result.sure(reading))
    assert from_note({**note, "runs": None}, reading) == ("40 euros", None)
    assert from_note(noted("the server is gone"), reading) == ("", None)


def test_what_is_read_says_how_sure_it_is_of_all_runs_that_were_scored(tmp_path: Path) -> None:
    """Against one whole forward pass for every run, with its end."""
    model = tiny.local_model(tiny.model_folder(tmp_path))
    request, reading = ask((found("red green blue"),)), Reading(words=3, standing=("none",))
    ((_, result, usage),) = read(model, [request], reading, "search")
    texts = [*(span.text for span in runs(request.evidence, 3)), "none"]
    paths = [model.chat.encode_answer(text) for text in texts]
    scores = plain.score_labels(model.parts.model, model.chat.encode(request.prompt), paths)
    answer = outcome(request, result, reading, usage)
    assert isinstance(answer, Prediction)
    assert answer.text == texts[max(range(len(texts)), key=scores.__getitem__)]
    assert answer.certainty == pytest.approx(math.exp(max(scores)) / sum(map(math.exp, scores)), rel=1e-3)
    assert sureness(answer) == answer.certainty != request.evidence[0].score


def test_standing_answers_and_lengths_are_those_of_the_examples() -> None:
    cases = [Case(id=f"n{n}", input=f"q {n}", output="not in the handbook") for n in range(5)]
    cases += [Case(id=f"c{n}", input=f"p {n}", output=f"answer {n}") for n in range(30)]
    assert Reading.of(cases) == Reading(words=2, standing=("not in the handbook",))
    assert Reading.of([]) == Reading(words=1)


def test_a_quote_is_where_it_says() -> None:
    evidence = (
        found("other text", "a"),
        Evidence(document_id="b", text="Pay: 40 euros a day", score=0.5, start=100, end=114),
    )
    first, second = cited(evidence, Span("40 euros", 1, 5, 13))
    assert (first, second.start, second.end) == (evidence[0], 100, 108)
    assert cited(evidence, Span("Pay", 1, 0, 3)) == evidence


HANDBOOK = "Pay: Rooms are free. A meal costs (at most) 40 euros a day! Trips are not."


@pytest.mark.parametrize(
    ("run", "sentence"),
    [
        ("40 euros", "A meal costs (at most) 40 euros a day!"),
        ("free", "Rooms are free."),
        ("not", "Trips are not."),
        ("day! Trips", "A meal costs (at most) 40 euros a day! Trips are not."),
        ("Pay", "Pay"),
    ],
)
def test_the_sentence_of_a_run_is_without_the_heading_and_cited_where_it_stands(run: str, sentence: str) -> None:
    item = Evidence(document_id="b", text=HANDBOOK, score=0.5, start=100, end=100 + len(HANDBOOK) - len("Pay: "))
    start = HANDBOOK.index(run)
    found = whole((item,), Span(run, 0, start, start + len(run)))
    assert found == Span(sentence, 0, HANDBOOK.index(sentence), HANDBOOK.index(sentence) + len(sentence))
    (quoted,) = cited((item,), found)
    at = 95 + found.start
    assert (quoted.start, quoted.end) == ((at, at + len(sentence)) if run != "Pay" else (item.start, item.end))


def test_lines_and_chinese_sentences_end_too() -> None:
    text = "first line\nsecond line\n\u7b2c\u4e00\u53e5\u3002\u7b2c\u4e8c\u53e5\u3002"
    for run, sentence in (("second", "second line"), ("\u7b2c\u4e8c", "\u7b2c\u4e8c\u53e5\u3002")):
        start = text.index(run)
        assert whole((found(text),), Span(run, 0, start, start + len(run))).text == sentence


@pytest.mark.parametrize(("metric", "reads_sentences"), [("answer_contained", True), ("exact_match", False)])
def test_sentences_are_read_off_where_the_metric_likes_them(metric: str, reads_sentences: bool, tmp_path: Path) -> None:
    """A run beside the right words, in their sentence, was all that could be answered."""
    task = replace(tiny.benchmark("qa").task, score=MetricScore(metric=load(metric)))
    cases = task.examples[:6]
    rows = [(case.output, f"It is {case.output}.") for case in cases[:2]]
    rows += [("elsewhere", f"Not elsewhere, but at {case.output}.") for case in cases[2:]]
    raw: list[dict[str, object]] = [
        {"case": case.id, "text": text, "sentence": sentence, "score": -1.0, "standing": [], "runs": None}
        for case, (text, sentence) in zip(cases, rows, strict=True)
    ]
    setup = Setup(passages=1, reading=Reading(words=3))
    pipelines = PipelineBuilder(task, tiny.Bench(folder=tmp_path))
    reading = pipelines.weighed(setup, raw).reading
    assert reading == replace(Reading(words=3), sentence=reads_sentences)
    shaped = PipelineBuilder(replace(task, schema={"type": "string", "pattern": ".*"}), tiny.Bench(folder=tmp_path))
    assert shaped.weighed(setup, raw).reading == setup.reading, "of the form of a pattern are runs alone"


def test_what_cannot_be_read_is_a_failure() -> None:
    request = ask((found("x"),))
    failed = outcome(request, "the server is gone", Reading(words=1), ())
    assert not isinstance(failed, Prediction)


def test_a_model_that_knows_the_answer_finds_it_and_a_saved_pipeline_reads_the_same(tmp_path: Path) -> None:
    task = tiny.benchmark("qa").task
    answers = {case.input: case.output for case in task.examples}
    knows = ScriptedModel(name="knows", answer=lambda prompt: answers.get(prompt[-1].content.split("\n\n")[-1], ""))
    bench = tiny.Bench(folder=tmp_path / "bench", language=knows)
    builder, setup = (
        PipelineBuilder(task, bench),
        Setup(passages=3, shots=2, grounded=True, reading=Reading.of(task.examples)),
    )
    (look,) = builder.looks([setup], 0, task.folds[0].selection)
    assert sum(look.scores) / len(look.scores) > 0.5
    pipeline = builder.finish(setup, evidence_of([look.notes]))
    queries = [Query.of(case.input) for case in task.examples[:5]]
    pipeline.save(tmp_path / "saved")
    first, again = (
        {key: replace(found, usage=()) for key, found in each.answer(queries, Sampling())}
        for each in (pipeline, load_pipeline(tmp_path / "saved", bench))
    )
    assert again == first


def test_examples_whose_passages_bear_them_out_are_shown_first() -> None:
    def shown(name: str, output: str, text: str) -> Shown:
        return Shown(Case(id=name, input=name, output=output), (found(text),))

    rows = [
        shown("miss", "50 euros", "40 a day"),
        shown("hit", "40  Euros", "it is 40 euros"),
        shown("none", "not said", "x"),
    ]
    assert [one.case.id for one in well_founded(rows, ("not said",), holds)] == ["hit", "none", "miss"]


def test_where_memory_does_not_suffice_for_a_later_round_the_request_begins_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The runs that were left by then were compared with the scores of all first words."""
    model = tiny.local_model(tiny.model_folder(tmp_path))
    requests = [
        ask((found("red green blue, and a red one"),)),
        ask((found("an order, a refund"), found("cancel it")), "Which?"),
    ]
    reading = Reading(words=3, standing=("none",))

    def read_off() -> list[tuple[int, Read | str]]:
        return [
            (index, result)
            for index, result, _ in sorted(read(model, requests, reading, "search"), key=lambda row: row[0])
        ]

    before = read_off()
    for name in ("second", "whole"):
        narrowed, failed = getattr(_Choice, name), list[int]()

        def once(choice: _Choice, scores: Sequence[float], narrowed: Any = narrowed, failed: list[int] = failed) -> Any:
            left = narrowed(choice, scores)
            if not failed:
                failed.append(1)
                raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 1 GiB.")
            return left

        monkeypatch.setattr(_Choice, name, once)
    assert read_off() == before
