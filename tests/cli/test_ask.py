"""Advice before any run: from options, from the data of a task, and asked in a terminal."""

from __future__ import annotations

import json
import os
import re
import shutil
from dataclasses import replace
from itertools import takewhile
from pathlib import Path
from typing import Any

import pytest

from advisor.ask.asking import USUAL, USUAL_MINUTES, Asked, advise_before
from advisor.ask.description import read
from advisor.ask.triage import Situation, Wanted, expect
from advisor.cli.finding_out import LENGTHS, between, imagined, of_situation
from advisor.experiments.comparison import EFFORTS
from advisor.wording import money
from benchmarks.costs.forecast import forecast
from benchmarks.evaluation.cascade import APPROACH as CASCADE
from benchmarks.running.models import Models
from benchmarks.running.plan import Options, candidates
from benchmarks.specs.spec_models import ModelSpec
from benchmarks.statistics.families import REST, gate_level
from benchmarks.statistics.looks import level_of
from benchmarks.statistics.sample_size import cases_needed
from benchmarks.studies.bakeoff_rows import opened
from benchmarks.studies.settings import PACKED, ROWS
from strategies.catalog import approaches
from strategies.contract import TUNED
from tests.bad_inputs import HEAD
from tests.conftest import Folders
from tests.desk import call, finish, start, write_task
from tests.running.test_endpoint_bakeoff import Service, service  # noqa: F401 - a fixture
from tests.verdict_cases import task_of

FACTS = Situation(kind="qa", examples=300, documents=True, found=0.9)


def asked(situation: Situation, **more: Any) -> Asked:
    return Asked(situation=situation, approaches=8, **more)


def advice(situation: Situation, **more: Any) -> str:
    found = advise_before(asked(situation, **more))
    return "\n".join((*found.first, *found.why, *found.cannot, *found.finding_out))


def test_facts_that_change_are_looked_up() -> None:
    found = advise_before(asked(replace(FACTS, facts_change="monthly")))
    assert found.first[0].startswith("Try first: retrieval: ")
    assert found.cannot[0].startswith("Fine-tuning alone: facts change monthly")
    still = advise_before(asked(replace(FACTS, facts_change="never")))
    assert not any("Fine-tuning alone" in sentence for sentence in still.cannot)


def test_facts_without_documents_cannot_be_looked_up() -> None:
    assert "Looking up facts: there are no documents" in advice(Situation(kind="qa", examples=300))


def test_what_needs_no_language_model_is_called_so_and_numbers_have_one_form() -> None:
    found = advice(Situation(kind="classification", examples=2_000, labels=4))
    assert "Try first: a method without a language model" in found
    assert "There are 4 labels and 2,000 examples, 500 a label" in found
    many = advice(Situation(kind="classification", examples=12_000, labels=1_100))
    assert "There are 1,100 labels, too many" in many


def test_of_labels_that_are_not_alike_the_rarest_is_named() -> None:
    assert "200 examples, 50 a label: a small" in advice(Situation(kind="classification", examples=200, labels=4, fewest=50))
    uneven = Situation(kind="classification", examples=240, labels=4, fewest=15)
    assert "4 labels and 240 examples, 60 a label on average and 15 of the rarest: a small" in advice(uneven)
    assert "60 a label on average and none of the rarest: " in advice(replace(uneven, fewest=0))
    assert "60 a label on average: a small" in advice(replace(uneven, fewest=None)), "nobody counted"
    assert [Situation.of(each).fewest for each in (task_of(), task_of(labels=5), task_of(kind="qa"))] == [75, 0, None]


def test_labels_that_nobody_counted_are_named_as_open() -> None:
    (said,) = [each for each in advise_before(asked(Situation(kind="classification", examples=200))).why if "--labels" in each]
    assert said.startswith("How many different labels there are is not known")
    assert "--labels" not in advice(Situation(kind="classification", examples=200, labels=4))
    assert "--labels" not in advice(FACTS)


def test_what_is_tried_first_of_labels_is_what_was_best_without_tuning_in_the_committed_rows(tmp_path: Path) -> None:
    for task in ("banking77", "pubmedqa", "support-intents"):
        shutil.copy(ROWS / PACKED.format(task), tmp_path)
    found = {task: (Situation.of(each.benchmark.task), each.verdict) for task, each in opened(tmp_path).items()}
    assert len(found) == 3
    for situation, verdict in found.values():
        alone = [each for each in verdict.evaluations if each.family not in TUNED and each.approach != CASCADE]
        best = max(alone, key=lambda each: each.figure)
        assert expect(situation).order[0] == best.family
    many, verdict = found["banking77"]
    assert many.labels == 77
    figures = {
        family: max(each.figure for each in verdict.evaluations if each.family == family)
        for family in ("reference", "prompting", "retrieval")
    }
    assert list(expect(many).order[:3]) == sorted(figures, key=lambda family: -figures[family])


def test_form_is_what_tuning_teaches_where_there_are_examples() -> None:
    found = advice(Situation(kind="generation", examples=300))
    assert "Try first: a prompt with well-chosen examples." in found, "nothing is trained before that"
    assert "does not suffice: a LoRA fine-tune, which is expected to do best; then retrieval" in found
    few = advice(Situation(kind="generation", examples=40))
    assert "Try first: a prompt" in few
    assert "40 examples are too few" in few


def test_a_house_style_that_nobody_spoke_of_is_a_condition() -> None:
    found = advise_before(asked(Situation(kind="generation", examples=300)))
    assert found.why[0].startswith("Where answers have to follow a house style, that is behaviour")
    assert "(`--wanted` says it)" in found.why[-1]
    for situation in (Situation(kind="generation", examples=300, wanted="format"), FACTS):
        assert "--wanted" not in advice(situation)


def test_what_is_part_of_something_that_does_not_suffice_is_not_tried_after_it() -> None:
    """A prompt without the documents cannot answer what one with them did not."""
    found = advise_before(asked(Situation(kind="qa", examples=600, documents=True, found=1.0)))
    assert found.first[1] == "Then, only if that does not suffice: a LoRA fine-tune with retrieval."
    many = advise_before(asked(Situation(kind="classification", examples=600, labels=77)))
    assert "; then a LoRA fine-tune." in many.first[1]
    assert not any("a prompt with" in sentence for sentence in many.first)


def test_where_there_is_nothing_to_learn_from_labelling_comes_first() -> None:
    found = advise_before(asked(Situation(kind="classification", examples=0, labels=4)))
    assert found.first[0].startswith("Label some first: none is there, and a comparison takes 10 or more")
    assert found.first[1].startswith("Try first: ")
    assert "Label some first: 9 examples are there" in advice(Situation(kind="qa", examples=9))
    assert "Label some" not in advice(Situation(kind="qa", examples=10))
    assert "Label some" not in advice(Situation(kind="qa", examples=5), heldout=40), "held out beside them"


def test_with_a_few_examples_for_each_of_many_labels_nothing_is_called_enough() -> None:
    for examples, labels in ((50, 200), (100, 55)):
        found = advise_before(asked(Situation(kind="classification", examples=examples, labels=labels)))
        assert found.first[0] == f"Label more first: there are fewer than 3 examples for each of the {labels} labels."
        assert not found.first[1].startswith("Try first: a method without a language model")
        assert "labelling more comes first" in found.why[0]
        assert not any("linear head, without any language model, is often enough" in sentence for sentence in found.why)
    assert "Label more" not in advice(Situation(kind="classification", examples=300, labels=77))


def test_what_finding_out_takes_is_counted_as_a_run_would() -> None:
    needed = cases_needed(0.8, 0.85, alpha=gate_level(level_of(1)))
    said = advice(FACTS, target=0.8, heldout=30, volume=36_000)
    assert f"it takes {needed:,} held-out cases to show in 4 of 5 runs that" in said
    assert "With the 30 independent held-out cases at hand, 29 right answers would show it." in said
    assert "each tenth of a second per request is 60 minutes of machine time" in said
    assert "not even a perfect score would show it" in advice(FACTS, target=0.9, heldout=30)
    assert "Name a target first" in advice(FACTS)
    assert "a margin of 0.02 takes" in advice(FACTS, margin=0.02, heldout=100)
    assert "more than 100,000 held-out cases" in advice(FACTS, target=0.99999)
    assert "No number of cases can show a target of 1. Write, for instance, `target: 0.98`." in advice(FACTS, target=1.0)


def test_what_a_person_said_is_given_no_number() -> None:
    assert "Most of the answers are in the documents" in advice(replace(FACTS, counted=False))
    assert "only some of the answers" in advice(replace(FACTS, found=0.2, counted=False))


@pytest.mark.parametrize(
    ("situation", "wanted", "first", "why", "cannot"),
    [
        (
            Situation(kind="generation", examples=300),
            "format",
            "a prompt",
            "held to a schema or a pattern while they are written",
            "",
        ),
        (
            Situation(kind="generation", examples=300),
            "behaviour",
            "a prompt",
            "that is what fine-tuning teaches",
            "",
        ),
        (
            Situation(kind="qa", examples=300),
            "facts",
            "a prompt",
            "facts are shown to it",
            "Fine-tuning to teach facts",
        ),
        (
            Situation(kind="generation", examples=300, documents=True),
            "behaviour",
            "a prompt",
            "behaviour",
            "Looking up documents alone: they hold what is true, not how to answer",
        ),
        (
            Situation(kind="generation", examples=300),
            "labels",
            "a prompt",
            "where they come from a fixed list, name it as `labels`",
            "",
        ),
        (
            Situation(kind="classification", examples=300, labels=40),
            "labels",
            "a method without a language model",
            "labelled examples decide that",
            "",
        ),
    ],
)
def test_what_makes_an_answer_right_is_asked_and_not_taken_from_the_kind(
    situation: Situation, wanted: Wanted, first: str, why: str, cannot: str
) -> None:
    found = advise_before(asked(replace(situation, wanted=wanted)))
    assert found.first[0].startswith(f"Try first: {first}")
    assert ("a LoRA fine-tune, which is expected to do best" in found.first[1]) == (wanted == "behaviour")
    assert any(why in sentence for sentence in found.why)
    assert not any("house style" in sentence for sentence in found.why), "what was said goes before the kind"
    assert any(sentence.startswith(cannot) for sentence in found.cannot) or not cannot


def test_labels_that_are_lacking_have_a_price_where_one_is_stated() -> None:
    needed = cases_needed(0.8, 0.85, alpha=level_of(1) * REST / asked(FACTS).approaches)
    assert needed is not None
    said = advice(FACTS, target=0.8, heldout=30, label_price=(0.5, "EUR"))
    lacking = needed - 30
    assert (
        f"Labelling the missing {lacking} held-out cases costs {0.5 * lacking:,.0f} EUR at most, at 0.5 each."
        in said
    )
    assert "lacking" not in advice(FACTS, target=0.8, heldout=needed, label_price=(0.5, "EUR"))


def test_the_usual_range_holds_the_bake_offs_that_it_names() -> None:
    page = (Path(__file__).parents[2] / "docs" / "bakeoffs.md").read_text(encoding="utf-8")
    head = next(row for row in page.splitlines() if row.endswith("| minutes |"))
    rows = page.partition(head)[2].splitlines()[2:]
    minutes = [int(row.split("|")[-2]) for row in takewhile(lambda row: row.startswith("|"), rows)]
    assert len(minutes) == 8
    assert USUAL_MINUTES[0] <= min(minutes)
    assert max(minutes) <= USUAL_MINUTES[1]
    assert USUAL in advice(FACTS)
    assert USUAL not in advice(FACTS, takes=("One comparison takes a day.",))


# ---------------------------------------------------------------- a description


@pytest.mark.parametrize(
    ("text", "answers"),
    [
        (
            "We answer customers' questions from our handbook; prices change every week. 500 tickets a day, 300 solved examples.",
            {"kind": "qa", "documents": "most", "facts_change": "weekly", "volume": 15_000, "examples": 300},
        ),
        (
            "Classify tickets into 12 categories, 2k examples. The list never changes.",
            {"kind": "classification", "wanted": "labels", "labels": 12, "examples": 2000, "facts_change": "never"},
        ),
        (
            "Route support emails to one of 12 teams; 400 labelled examples",
            {"kind": "classification", "labels": 12, "examples": 400},
        ),
        (
            "Stock levels are updated daily, and the data is confidential.",
            {"facts_change": "daily", "data_stays_here": True},
        ),
        ("The data must not leave our servers.", {"data_stays_here": True}),
        ("The data is not confidential.", {}),
        ("Nothing may leave our servers.", {"data_stays_here": True}),
        ("Nothing, not even the subject line, may leave our servers.", {"data_stays_here": True}),
        ("None of this may leave the hospital.", {"data_stays_here": True}),
        ("No letter, however old, may leave the hospital.", {"data_stays_here": True}),
        ("Nobody may send it to a server of others.", {"data_stays_here": True}),
        ("Patient letters must not be sent out.", {"data_stays_here": True}),
        ("Sort mails; we cannot send to the cloud", {"data_stays_here": True}),
        ("We cannot send anything to the cloud.", {"data_stays_here": True}),
        ("We are a bank. No cloud.", {"data_stays_here": True}),
        ("We must not use cloud services.", {"data_stays_here": True}),
        ("GDPR: no US providers", {"data_stays_here": True}),
        ("It must run offline, on our own server.", {"data_stays_here": True}),
        ("We have no cloud budget yet.", {}),
        ("The customer's router is offline.", {}),
        ("The cloud is no problem, and neither are US providers.", {}),
        ("The data may leave our servers.", {"data_stays_here": False}),
        ("The data may leave, but not the country.", {}),
        ("The data may leave only in another form.", {}),
        ("The data may leave? Never!", {}),
        ("It is no problem if the data leaves.", {}),
        ("We have no budget, and the data may leave.", {}),
        ("Nothing here is confidential.", {}),
        ("Customers may leave us.", {}),
        ("The list of queues changes every week.", {}),
        ("We update our teams monthly.", {}),
        ("Prices change once a month.", {"facts_change": "monthly"}),
        ("Answers must be 99% right.", {"target": 0.99}),
        ("At least 92.5 % of answers must be correct.", {"target": 0.925}),
        ("It has to be right in 99 of 100 cases.", {"target": 0.99}),
        ("We want an accuracy of 95 percent.", {"target": 0.95}),
        ("Today 80 % are right.", {}),
        ("Answers must be 199% right.", {}),
        ("There are no documents and the facts don\u2019t change", {"documents": "none", "facts_change": "never"}),
        ("We keep no style guide.", {}),
        ("Rewrite product texts in the tone of our brand.", {"kind": "generation", "wanted": "behaviour"}),
        (
            "Fill in fields from invoices as JSON, 1,200 a month",
            {"kind": "extraction", "wanted": "format", "volume": 1200},
        ),
        ("300 new tickets every day", {"volume": 9000}),
        ("1 examples, and it has to get facts right", {"wanted": "facts"}),
        ("", {}),
    ],
)
def test_plain_words_are_read_and_a_no_is_no_yes(text: str, answers: dict[str, Any]) -> None:
    taken, open_still = read(text)
    assert {each.question: each.value for each in taken} == answers
    assert not open_still
    plain = text.replace("\u2019", "'")
    assert all(each.words in plain for each in taken), "what was read is shown as it was written"


@pytest.mark.parametrize(
    ("text", "answers"),
    [
        ("1.5 million requests a month", {"volume": 1_500_000}),
        ("1,5 million requests a month", {"volume": 1_500_000}),
        ("3 M requests a month", {"volume": 3_000_000}),
        ("1.000.000 requests a month", {"volume": 1_000_000}),
        ("We have 10 thousand examples.", {"examples": 10_000}),
        ("1.200 examples", {"examples": 1_200}),
        ("10 000 labelled tickets", {"examples": 10_000}),
        ("1'500 examples", {"examples": 1_500}),
        ("2.5k examples", {"examples": 2_500}),
        ("We use GPT-4 300 times a day", {"volume": 9_000}),
        ("no documents and 300 examples", {"documents": "none", "examples": 300}),
        ("We do not have 300 examples, only 20.", {}),
        ("fewer than 300 examples", {}),
        ("50 examples per label", {"wanted": "labels"}),
        ("50 labelled tickets for each queue", {}),
        ("1.2.3 examples", {}),
        ("1.5 examples", {}),
    ],
)
def test_counts_are_read_as_people_write_them(text: str, answers: dict[str, Any]) -> None:
    """"1.5 million" was 2, "1.000.000" was 1, and "we do not have 300 examples" 300 of them."""
    taken, open_still = read(text)
    assert {each.question: each.value for each in taken} == answers
    assert not open_still


@pytest.mark.parametrize("text", ["300-500 examples", "300 to 500 examples", "between 300 and 500 examples"])
def test_of_a_range_no_end_is_taken(text: str) -> None:
    taken, open_still = read(text)
    assert taken == ()
    assert [each.value for each in open_still] == [300, 500]
    assert all(each.words in text for each in open_still)


def test_what_contradicts_itself_is_not_taken() -> None:
    taken, open_still = read("Answer in a friendly tone, as JSON. Facts change daily. Prices change every year.")
    assert taken == ()
    assert {(each.question, each.value) for each in open_still} == {
        ("wanted", "behaviour"),
        ("wanted", "format"),
        ("facts_change", "daily"),
        ("facts_change", "yearly"),
    }


# ---------------------------------------------------------------- time and money


@pytest.fixture
def steady(monkeypatch: pytest.MonkeyPatch) -> None:
    """A machine that is always as quick."""
    monkeypatch.setattr("benchmarks.costs.forecast.matrix_rate", lambda placement: 1e11)
    monkeypatch.setattr("benchmarks.costs.forecast.busy", lambda: False)
    monkeypatch.setattr("strategies.models.measured.busy", lambda: False)


@pytest.mark.usefixtures("steady")
def test_the_task_is_reckoned_as_a_dry_run_does_it(
    tmp_path: Path, model_folders: Folders, capsys: pytest.CaptureFixture[str]
) -> None:
    task = write_task(tmp_path, model_folders, "prices: {machine_hour: 1.2, currency: EUR}")
    dry = call(capsys, "run", str(task), "--dry-run").err
    (expected,) = re.findall(r"expected: (about .*)", dry)
    minutes = float(json.loads(call(capsys, "run", str(task), "--dry-run", "--json").out)["minutes"])
    told = call(capsys, "ask", str(task)).out
    assert f"One comparison of all approaches on this machine takes {expected}." in told
    assert f"At 1.2 EUR an hour of this machine that is about {money(minutes / 60 * 1.2)} EUR." in told
    assert USUAL not in told


@pytest.mark.usefixtures("steady")
def test_a_model_at_a_server_is_reckoned_at_its_price_and_not_asked(
    service: Service,  # noqa: F811
    tmp_path: Path,
    model_folders: Folders,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    task = write_task(tmp_path, model_folders, *service.lines(), "kind: qa")
    told = call(capsys, "ask", str(task)).out
    assert re.search(r"Of a model at a server, hosted: at most about .* USD \(price stated for this task\)\.", told)
    assert service.calls == 0
    far = "models: [{name: far, endpoint: 'https://models.example.org/v1', key_env: NO_SUCH_KEY}]"
    monkeypatch.delenv("NO_SUCH_KEY", raising=False)
    told = call(capsys, "ask", str(write_task(tmp_path, model_folders, far, "kind: qa"))).out
    assert "What a comparison takes cannot be estimated yet: " in told
    assert USUAL in told


def test_without_the_weights_it_says_so_and_fetches_nothing(
    tmp_path: Path, model_folders: Folders, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ADVISOR_CACHE", str(tmp_path / "empty"))
    monkeypatch.setattr("benchmarks.running.whereabouts.bytes_to_fetch", lambda *_: 1_000)  # The hub is asked for no more.
    task = write_task(tmp_path, model_folders, "models: [smollm2-135m, some/where]")
    told = call(capsys, "ask", str(task)).out
    assert "can be estimated once the weights of smollm2-135m and some/where are on this disk." in told
    assert USUAL in told
    assert of_situation(FACTS) == ()


@pytest.mark.usefixtures("steady")
def test_without_a_task_a_range_for_one_of_its_size_is_told(model_folders: Folders) -> None:
    models = Models(specs=(ModelSpec(name=str(model_folders.language)),))
    options = Options(tuning_tokens=EFFORTS["standard"])
    wanted = candidates(approaches(), models.names)
    for situation in (
        FACTS,
        Situation(kind="classification", examples=90, labels=6),
        Situation(kind="generation", examples=20),
    ):
        minutes = [forecast(imagined(situation, words), wanted, models, options).minutes for words in LENGTHS]
        assert minutes[0] < minutes[1]
        said = between(situation, models)
        assert f"and {situation.examples:,} examples takes about" in said
        assert f"about {round(minutes[0]):,} to {round(minutes[1]):,} minutes on this machine" in said
        assert "for requests of 20 to 200 words" in said
    assert of_situation(replace(FACTS, examples=9)) == (), "too few for a run"


def test_on_a_busy_machine_the_range_that_was_reckoned_stands_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("strategies.models.measured.busy", lambda: True)
    monkeypatch.setattr("advisor.cli.finding_out._not_here", lambda models, names: "")
    monkeypatch.setattr("advisor.cli.finding_out.between", lambda situation, models: "9 to 14 hours")
    assert of_situation(FACTS) == ("9 to 14 hours",)


# ---------------------------------------------------------------- the command


def test_all_answers_may_be_options(capsys: pytest.CaptureFixture[str]) -> None:
    words = "--kind qa --examples 60 --documents most --facts-change daily --target 0.8 --data-stays-here --json"
    done = call(capsys, "ask", *words.split())
    assert done.code == 0
    told = json.loads(done.out)
    assert told["asked"]["situation"]["facts_change"] == "daily"
    assert any("A hosted model" in sentence for sentence in told["advice"]["cannot"])


def test_of_a_task_the_data_answers(tmp_path: Path, model_folders: Folders, capsys: pytest.CaptureFixture[str]) -> None:
    task = write_task(tmp_path, model_folders)
    done = call(capsys, "ask", str(task))
    assert done.code == 0
    assert "With the 30 independent held-out cases at hand" in done.out
    rows = task.with_name("rows.jsonl")
    threads = [
        {**json.loads(line), "group": f"t{n // 8}"} for n, line in enumerate(rows.read_text("utf-8").splitlines())
    ]
    rows.write_text("".join(json.dumps(row) + "\n" for row in threads), encoding="utf-8")
    grouped, checked = (
        call(capsys, *words, str(task), "--json") for words in (("ask", "--wanted", "labels"), ("check",))
    )
    assert json.loads(grouped.out)["asked"]["heldout"] == json.loads(checked.out)["decidable"]["heldout"] < 5
    refused = call(capsys, "ask", str(task), "--examples", "5")
    assert refused.code == 2
    assert "--examples is what the data" in refused.err


@pytest.fixture
def no_weights(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is reckoned for this machine."""
    monkeypatch.setenv("ADVISOR_CACHE", str(tmp_path / "empty"))


@pytest.mark.usefixtures("no_weights")
def test_a_description_answers_what_options_leave_open_and_says_which_words_did(
    capsys: pytest.CaptureFixture[str],
) -> None:
    text = "Answer questions from our handbook. Facts change every week; 60 examples. In a polite tone, as JSON"
    done = call(capsys, "ask", "--about", text, "--facts-change", "yearly")
    assert done.code == 0, done.err
    assert 'From "60 examples": 60 examples.' in done.out
    assert 'From "Answer questions from our handbook": most of the answers stand in documents.' in done.out
    assert "Facts change" not in done.out, "the option says it"
    assert (
        'Not taken, since they contradict each other: "polite" (what makes an answer right is behaviour) and "JSON"'
        in done.out
    )
    told = json.loads(call(capsys, "ask", "--about", text, "--json").out)
    assert told["asked"]["situation"]["facts_change"] == "weekly"
    assert told["asked"]["situation"]["wanted"] is None
    assert {"question": "facts_change", "value": "weekly", "words": "change every week"} in told["read"]


@pytest.mark.usefixtures("no_weights")
def test_of_a_task_the_description_says_only_what_the_data_does_not(
    tmp_path: Path, model_folders: Folders, capsys: pytest.CaptureFixture[str]
) -> None:
    task = write_task(tmp_path, model_folders, "models: [smollm2-135m]")
    text = "Write 40 labels to documents; 500 a day. Facts change daily, what we want is the right label."
    told = json.loads(call(capsys, "ask", str(task), "--about", text, "--json").out)
    assert [(each["question"], each["value"]) for each in told["read"]] == [
        ("wanted", "labels"),
        ("facts_change", "daily"),
    ]
    assert told["asked"]["situation"]["facts_change"] == "daily"
    assert told["asked"]["volume"] == 10_000


@pytest.mark.usefixtures("no_weights")
@pytest.mark.parametrize(
    ("months", "change"), [(0.03, "daily"), (0.25, "weekly"), (1, "monthly"), (2, "monthly"), (12, "yearly"), (60, "yearly")]
)
def test_how_often_facts_change_is_what_the_task_says_where_no_option_does(
    tmp_path: Path, model_folders: Folders, capsys: pytest.CaptureFixture[str], months: float, change: str
) -> None:
    task = write_task(tmp_path, model_folders, f"upkeep: {{facts_months: {months}}}")
    told = json.loads(call(capsys, "ask", str(task), "--about", "Prices change every hour", "--json").out)
    assert told["asked"]["situation"]["facts_change"] == change
    assert told["read"] == []
    told = json.loads(call(capsys, "ask", str(task), "--facts-change", "never", "--json").out)
    assert told["asked"]["situation"]["facts_change"] == "never"


@pytest.mark.usefixtures("no_weights")
@pytest.mark.parametrize("words", ["", "--labels 3"])
def test_as_many_approaches_are_counted_as_a_run_of_the_task_compares(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], words: str
) -> None:
    """In a task of three labels, and by options of one that is like it."""
    rows = [{"input": f"text {n} {n * 7919}", "output": "abc"[n % 3]} for n in range(120)]
    (tmp_path / "rows.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    task = tmp_path / "task.yaml"
    task.write_text(f"{HEAD}target: 0.9\nkind: classification\n", encoding="utf-8")
    (checked,) = [json.loads(call(capsys, "check", str(task), "--json").out)["decidable"]]
    options = f"ask --kind classification --examples 120 --target 0.9 --json {words}".split()
    task.write_text(f"{HEAD}kind: classification\n", encoding="utf-8")
    for command in (options, ["ask", str(task), "--target", "0.9", "--json"]):
        told = json.loads(call(capsys, *command).out)
        assert told["asked"]["approaches"] == checked["candidates"] > 8
        needed = re.findall(r"takes ([\d,]+) held-out cases", told["advice"]["finding_out"][0])
        assert needed == [f"{checked['cases_needed']:,}"]


@pytest.mark.usefixtures("no_weights")
def test_examples_by_option_are_cut_as_those_of_a_task(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    rows = [{"input": f"text {n} {n * 7919}", "output": "abcdefgh"[n % 8]} for n in range(112)]
    (tmp_path / "rows.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    task = tmp_path / "task.yaml"
    task.write_text(f"{HEAD}kind: classification\n", encoding="utf-8")
    by_task, by_options = (
        json.loads(call(capsys, "ask", *words, "--target", "0.8", "--json").out)
        for words in ([str(task)], ["--kind", "classification", "--labels", "8", "--examples", "112"])
    )
    assert by_task["asked"]["situation"]["examples"] == by_options["asked"]["situation"]["examples"] == 56
    for part in ("first", "why", "cannot"):
        assert by_task["advice"][part] == by_options["advice"][part]
    assert by_options["advice"]["why"][0].startswith("Examples here are only those to learn from, 56;")
    assert "With the 56 independent held-out cases at hand" in by_options["advice"]["finding_out"][1]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (
            "--target 0.9",
            "--kind and --examples are not given, and standard input is no terminal to ask at. Add "
            "`--kind classification --examples 300`, for instance, to what you wrote, or name a task.",
        ),
        ("--kind qa", "--examples is not given, and standard input is no terminal to ask at. Add `--examples 300`, for instance"),
        ("--kind poem", "poem"),
        ("--kind qa --examples 5 --target 80", "80"),
        ("nowhere", "neither a file nor a known task"),
    ],
)
def test_what_is_missing_or_wrong_ends_in_a_sentence(capsys: pytest.CaptureFixture[str], words: str, said: str) -> None:
    done = call(capsys, "ask", *words.split())
    assert done.code == 2
    assert said in done.err


def test_what_was_read_is_told_before_what_is_missing(capsys: pytest.CaptureFixture[str]) -> None:
    done = call(capsys, "ask", "--about", "Classify mails")
    assert done.code == 2
    read_as, missing = done.err.index('From "Classify": the kind is classification.'), done.err.index("--examples is not given")
    assert read_as < missing
    assert "--kind" not in done.err


@pytest.mark.skipif(not hasattr(os, "openpty"), reason="there are no pseudo-terminals on this system")
def test_in_a_terminal_it_asks_for_what_is_open(tmp_path: Path) -> None:
    ours, theirs = os.openpty()
    process = start(tmp_path, "ask", "--documents", "none", stdin=theirs, stderr=theirs)
    os.close(theirs)
    about = "300 labelled examples for labels, prices change every week, and 90 % must be right"
    for answer in (about, "classification", "", "", "", "20000", "y", "", "12"):
        os.write(ours, f"{answer}\n".encode())
    done = finish(process)
    os.close(ours)
    assert done.code == 0
    assert "There are 12 labels and 150 examples" in done.out, "Enter takes what was read, and half is held out"
    assert "Facts change weekly" in done.out
    assert "held-out cases to show in 4 of 5 runs that" in done.out
    assert "You said that it is about which label goes where" in done.out
    assert "A hosted model, however good" in done.out
