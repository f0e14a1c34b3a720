"""Requests in other words: what a model writes, what of it is used, once for all approaches, and how that is told."""

from __future__ import annotations

from collections import Counter
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest

from advisor.experiments.comparison import Wishes
from advisor.experiments.run_setup import further_of
from benchmarks.contract import Candidate
from benchmarks.costs.hosted import load_of_rewording
from benchmarks.probes.reworded import WANTED, question, reworded, usable
from benchmarks.running.plan import Further, Options, reworded_units
from benchmarks.running.run import Run
from benchmarks.storage.store import Store
from strategies.approaches.majority import Majority
from strategies.approaches.prompting import Prompting
from strategies.contract import Completion, Prompt, Unanswered, Usage
from tests import killed, tiny
from tests.scripted import ScriptedModel

OPTIONS = Options(tuning_tokens=2_000, probes=False)


@pytest.mark.parametrize(
    ("said", "kept"),
    [
        ("Where does parcel 12 stay?", "Where does parcel 12 stay?"),
        (' "Where does parcel 12 stay?" ', "Where does parcel 12 stay?"),
        ("where is parcel 12", None),  # The same.
        ("Where is my parcel?", None),  # The number is lost.
        ("Where are parcels 12 and 13?", None),
        ("", None),
        ("Here is another way to put it, as you asked me to do: where, oh where, is parcel 12 today?", None),
        ("12?", None),
    ],
)
def test_only_a_rewording_of_the_request_is_used(said: str, kept: str | None) -> None:
    assert usable("Where is parcel 12?", said) == kept


def test_what_was_written_once_is_asked_of_everybody_and_what_is_unusable_of_nobody(tmp_path: Path) -> None:
    cases = tiny.questions(6)
    asked: list[str] = []

    def write(prompt: Prompt) -> str:
        text = prompt[-1].content.removeprefix(f"{WANTED}\n\n")
        asked.append(text)
        return text if text == cases[2].input else f"Tell me: {text}"

    bench = tiny.Bench(folder=tmp_path, language=ScriptedModel(name="big", answer=write))
    found = reworded(cases, bench, "first")
    assert found == [(case, f"Tell me: {case.input}") for case in cases if case is not cases[2]]
    assert reworded(cases, bench, "second") == found
    assert asked == [case.input for case in cases]
    assert [usage.calls for usage in bench.spent] == [len(cases)], "they are paid once"
    resumed = replace(bench, spent=[])
    assert reworded(cases, resumed, "first") == found
    assert resumed.spent == bench.spent, "by the unit that asked for them, though it was killed before it was done"
    assert len(asked) == len(cases)
    endless = replace(cases[0], id="long", input="word " * 2_000)
    assert reworded([*cases, endless], bench, "first") == found, (
        "no approach reads it to its end, and the others may not be as long"
    )


def test_too_many_faults_are_no_rewordings(tmp_path: Path) -> None:
    class Away(ScriptedModel):
        def generate(self, prompts, max_tokens, sampling, step="answering"):  # type: ignore[no-untyped-def]
            for place in range(len(prompts)):
                yield place, Completion(text="", usage=Usage(model="big", step=step), finished=False, error="away")

    bench = tiny.Bench(folder=tmp_path, language=Away(name="big", answer=lambda prompt: ""))
    with pytest.raises(Unanswered, match="big was to reword requests, and 6 of 6 had no answer"):
        reworded(tiny.questions(6), bench, "first")
    assert not bench.journal.known


def run_of(folder: Path, asked: Counter[str]) -> Run:
    """One model that knows what is asked in any words, and writes others, and one that knows it in the usual ones only."""

    def topic(prompt: Prompt) -> str:
        line = prompt[-1].content.rpartition("\n")[2]
        return next((name for name, words in tiny.TOPICS.items() if any(word in line for word in words)), "none")

    def steady(prompt: Prompt) -> str:
        text = prompt[-1].content
        if text.startswith(WANTED):
            asked["rewording"] += 1
            return f"please, {text.rpartition(chr(10))[2]}"
        return topic(prompt)

    def used_to(prompt: Prompt) -> str:
        return "none" if "please," in prompt[-1].content else topic(prompt)

    return Run(
        benchmark=tiny.benchmark(heldout=12),
        candidates=[
            Candidate(name="used to", strategy=Prompting(), model="used_to"),
            Candidate(name="steady", strategy=Prompting(), model="steady"),
            Candidate(name="majority", strategy=Majority(), model=""),
        ],
        models=replace(tiny.scripted(used_to=used_to, steady=steady), teacher="steady"),
        options=OPTIONS,
        folder=folder,
    )


def test_every_approach_is_asked_in_the_same_other_words(tmp_path: Path) -> None:
    asked: Counter[str] = Counter()
    run = run_of(tmp_path / "run", asked)
    run.execute()
    assert not asked
    replace(run, further=Further(reworded_by="steady")).execute()
    assert asked["rewording"] == 12, "once for all three"
    found = {name: {check.name: check for check in each.agreements} for name, each in killed.told(run).items()}
    assert {name: each["rewordings"].pairs for name, each in found.items()} == dict.fromkeys(found, 12)
    assert found["steady"]["rewordings"].same == found["majority"]["rewordings"].same == 1.0
    other = found["used to"]["rewordings"]
    assert (other.right_then_wrong, other.right_twice) == (9, 3), "of four labels what is no label stands for one"
    assert found["majority"]["rewordings"].says.startswith("the same question in other words, which a model wrote")
    with closing(Store(run.folder / "run.sqlite")) as store:
        rows = list(store.rows("majority", "reworded"))
    assert len(rows) == 12


def test_it_is_planned_where_a_teacher_is_named_and_answers_should_stay() -> None:
    candidate, labels = Candidate(name="majority", strategy=Majority(), model=""), tiny.benchmark()
    assert further_of(Wishes(), labels, "big").reworded_by == "big"
    assert not further_of(Wishes(probes="none"), labels, "big").reworded_by
    assert not further_of(Wishes(), labels).reworded_by
    assert len(reworded_units(labels, candidate, OPTIONS, "", "big")) == 1
    assert not reworded_units(labels, candidate, OPTIONS, "", "")
    for kind in ("extraction", "generation"):
        assert not reworded_units(tiny.benchmark(kind), candidate, OPTIONS, "", "big"), "any word may be copied there"


def test_the_forecast_has_what_is_written_and_no_less_than_it_may_take() -> None:
    benchmark, teacher = tiny.benchmark(heldout=12), ScriptedModel(name="big", answer=lambda prompt: "")
    load = load_of_rewording(benchmark, teacher, 0)
    assert (load.model, load.requests) == ("big", 12)
    assert load.prompt_tokens >= sum(teacher.count(question(case.input)) for case in benchmark.heldout)
