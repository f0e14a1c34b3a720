"""With a metric over rows of labels the answers of a rare label are chosen by that metric, on selection cases alone."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from advisor.figures.searching import expected
from advisor.story.tries import ranked
from benchmarks.contract import Answered
from benchmarks.data.split import cut_folds, grouped
from benchmarks.metrics import load
from benchmarks.scored import MetricScore
from strategies.answers import sureness
from strategies.approaches.contrastive_head import ContrastiveHead
from strategies.approaches.linear_head import LinearHead
from strategies.approaches.word_head import WordHead
from strategies.contract import Case, Prediction, Query, Sampling, Strategy, Task, Usage
from strategies.finetuning.lengths import Lengths
from strategies.finetuning.ordered import in_order, trial_of
from strategies.finetuning.race import RECIPES, Entry, Tuning
from strategies.leaning import LEAST_CASES, Leaning, shift_in
from strategies.pipeline import Setup
from strategies.search import HalvingSearch, Look
from strategies.selection import PipelineBuilder
from tests import tiny
from tests.scripted import ScriptedModel

Metric = tuple[str, dict[str, str]]
ACCURACY: Metric = ("accuracy", {})
OF_LABEL: Metric = ("f1_of_label", {"label": "Spam"})
OF_ALL: Metric = ("macro_f1", {})


def mails(count: int, one_in: int = 12) -> list[Case]:
    """One in so many is spam."""
    numbers = range(count)
    return [Case(id=f"{n}", input=f"Mail {n}", output="spam" if n % one_in == 0 else "ham") for n in numbers]


def prizes(count: int, seed: int) -> list[Case]:
    """A fifth tells of a prize. Three in ten of these are spam, and nothing else is: ham is always the likelier answer."""
    dice, cases = random.Random(seed), []
    for number in range(count):
        word = "prize" if number % 5 == 0 else dice.choice(("meeting", "lunch", "report"))
        label = "spam" if word == "prize" and number // 5 % 10 in (1, 4, 8) else "ham"
        cases.append(Case(id=f"{seed}-{number}", input=f"{word} {dice.randrange(10**6)}", output=label))
    return cases


def task_by(metric: Metric, cases: Sequence[Case]) -> Task:
    base, score = tiny.benchmark().task, MetricScore(metric=load(*metric))
    folds = cut_folds(grouped(tuple(cases)), "classification", 0)
    return replace(base, folds=folds, labels=("ham", "spam"), score=score)


def figure(metric: Metric, answers: Sequence[tuple[Case, str]]) -> float:
    return load(*metric).summarise([Answered(case=case, text=text, score=0.0) for case, text in answers])


@pytest.mark.parametrize("metric", [OF_LABEL, OF_ALL], ids=lambda metric: metric[0])
@pytest.mark.parametrize("name", ["linear head", "tf-idf", "contrastive head"])
def test_heads_answer_a_rare_label_where_its_f1_gains_by_it(
    name: str, metric: Metric, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    known: list[Strategy] = [LinearHead(), WordHead(), ContrastiveHead()]
    strategy, asked = next(each for each in known if each.name == name), prizes(100, 2)
    hashes = tiny.WordHashes()
    trained: Any = SimpleNamespace(name="hashes", count=len, embed=hashes.embed, at=lambda _: trained)
    module, used = "strategies.approaches.contrastive_head", Usage(model="", step="training")
    monkeypatch.setattr(f"{module}._trainable", lambda _: trained)
    monkeypatch.setattr(f"{module}._trained", lambda *_: (trained, 1, used))
    found, told = dict[str, float](), dict[str, Any]()
    for each in (ACCURACY, metric):
        bench = tiny.Bench(folder=tmp_path)
        fitted = strategy.fit(task_by(each, prizes(200, 1)), bench)
        if name != "contrastive head":  # There is no embedder to save.
            fitted.save(tmp_path / each[0])
            fitted = strategy.load(tmp_path / each[0], bench)
        outcomes = dict(fitted.answer([Query.of(case.input) for case in asked], Sampling()))
        given = [(case, outcomes[Query.of(case.input).key]) for case in asked]
        assert all(
            sureness(one) == (one.probabilities or {})[one.text] for _, one in given if isinstance(one, Prediction)
        )
        found[each[0]] = figure(metric, [(case, getattr(one, "text", "")) for case, one in given])
        told[each[0]] = fitted.describe()
    assert "shift" not in told["accuracy"]
    assert told[metric[0]]["shift"]["by"] > 0
    assert found[metric[0]] > found["accuracy"] + 0.05
    examples = {case.id: case for case in prizes(200, 1)}
    crossed = figure(metric, [(examples[row[0]], row[1]) for row in told[metric[0]]["selection_answers"]])
    assert crossed == pytest.approx(found[metric[0]], abs=0.15), "it does not flatter"
    assert any(trial.mark == pytest.approx(crossed) for trial in bench.trials)


def evidence(builder: PipelineBuilder, knows: float, seed: int, written: bool) -> list[dict[str, Any]]:
    """Of a model that thinks little of spam: likelihoods, or shares that a server stated for what it wrote."""
    dice, rows, cases, outcomes = random.Random(seed), [], builder.task.examples, []
    for case in cases:
        spam = dice.gauss(-2.5, 1.0) + (knows if case.output == "spam" else 0.0)
        rows.append({"scores": [0.0, spam], "votes": (), "case": case.id, "context": ""})
        share = 1 / (1 + 2.718281828**-spam)
        shares = {"ham": 1 - share, "spam": share}
        outcomes.append(Prediction(text="spam" if share > 0.5 else "ham", probabilities=shares))
    return list(builder._scored(cases, outcomes).notes["evidence"]) if written else rows


@pytest.mark.parametrize("written", [False, True])
@pytest.mark.parametrize("metric", [OF_LABEL, OF_ALL], ids=lambda metric: metric[0])
def test_shares_of_a_language_model_are_shifted_and_scored_with_what_other_cases_name(
    metric: Metric, written: bool, tmp_path: Path
) -> None:
    def builder(by: Metric, one_in: int = 12) -> PipelineBuilder:
        return PipelineBuilder(task_by(by, mails(240, one_in)), tiny.Bench(folder=tmp_path), calibrates=False)

    own = builder(metric)
    rows = evidence(own, 2.2, 1, written)
    chosen = own.weighed(Setup(), rows)
    assert chosen.shift is not None
    assert chosen.shift.by > 0
    assert Setup.from_dict({**vars(Setup()), "form": vars(Setup().form), "shift": vars(chosen.shift)}) == chosen
    known = {case.id: case for case in own.task.examples}
    look = own.settled(Setup(), Look((), (), {"evidence": rows}))
    crossed = figure(metric, [(known[row[0]], row[1]) for row in look.notes["answers"]])
    plain = figure(metric, [(known[row["case"]], "ham") for row in rows])
    assert crossed > plain + 0.1
    assert all(row[3] >= 0.5 for row in look.notes["answers"]), "of two labels the answer has the greater share"
    few = builder(metric, 240 // (LEAST_CASES - 1))
    assert few.weighed(Setup(), evidence(few, 2.2, 1, written)).shift is None, "too few cases to choose by"
    if not written:
        by_cases = builder(ACCURACY)
        assert by_cases.weighed(Setup(), rows).shift is None
    chance = [evidence(own, 0.0, seed, written) for seed in range(6)]
    looks = [own.settled(Setup(), Look((), (), {"evidence": each})).notes["answers"] for each in chance]
    honest = [figure(OF_LABEL, [(known[row[0]], row[1]) for row in each]) for each in looks]
    assert sum(honest) / len(honest) < 0.2, "where nothing is known no shift looks as if it helped"


def test_a_search_takes_what_the_metric_over_rows_says_is_best(tmp_path: Path) -> None:
    """One always says ham and is right more often, the other finds spam: a look by itself holds too little of it to tell."""
    task = task_by(OF_LABEL, mails(240))
    bench = tiny.Bench(folder=tmp_path, language=ScriptedModel(name="m", answer=lambda _: ""), tuning_tokens=10**9)

    def measure(setups: Sequence[Setup], fold: int, cases: Sequence[Case]) -> list[Look]:
        looks = []
        for setup in setups:
            dice = random.Random(f"{fold} {len(cases)}")
            says = [
                "spam" if setup.shots and (case.output == "spam" or dice.random() < 0.15) else "ham" for case in cases
            ]
            scores = [float(said == case.output) for said, case in zip(says, cases, strict=True)]
            rows = [[case.id, said, score, 1.0] for case, said, score in zip(cases, says, scores, strict=True)]
            looks.append(Look(tuple(scores), (), {"answers": rows}))
        return looks

    builder = PipelineBuilder(task, bench)
    ended = HalvingSearch("a", task, bench, judge=builder.judge).run([Setup(), Setup(shots=1)], measure)
    assert [standing.configuration.shots for standing in ended.standings] == [1, 0]
    assert ended.best.mean < ended.standings[1].mean, "what is told is how many are right"
    assert ended.best.mark == pytest.approx(
        figure(OF_LABEL, [(builder._examples[row[0]], row[1]) for note in ended.best.notes for row in note["answers"]])
    )
    assert ended.cheapest() is ended.best, "and no other is within noise of it"
    assert [trial.counts for trial in bench.trials] == [standing.mark for standing in ended.standings]
    assert [trial.configuration["shots"] for trial in ranked(bench.trials)] == [1, 0], (
        "a reader sees the order of the choice"
    )
    assert expected(bench.trials)[-1][1] == ended.best.mark
    by_cases = PipelineBuilder(task_by(ACCURACY, mails(240)), bench)
    ended = HalvingSearch("b", by_cases.task, bench, judge=by_cases.judge).run([Setup(), Setup(shots=1)], measure)
    assert ended.best.configuration == Setup()
    assert [trial.mark for trial in bench.trials[2:]] == [None, None]


def test_a_shift_of_all_labels_knows_nothing_of_a_label_that_is_added() -> None:
    leaning = Leaning.of(task_by(OF_ALL, mails(60)))
    assert leaning is not None
    shift = leaning.options[2]
    assert shift is not None
    added = shift.over(("ham", "spam", "new")).added
    assert added["spam"] > added["new"] > added["ham"] > 0
    assert shift_in({}) is None


def test_answers_without_shares_count_like_others(tmp_path: Path) -> None:
    """A server that stops stating likelihoods: its look was forgotten, and the setup fell behind all others."""
    task = task_by(OF_LABEL, mails(240, 6))
    bench = tiny.Bench(folder=tmp_path, language=ScriptedModel(name="m", answer=lambda _: ""), tuning_tokens=10**9)
    builder = PipelineBuilder(task, bench)

    def measure(setups: Sequence[Setup], fold: int, cases: Sequence[Case]) -> list[Look]:
        """The second one is right in all, and its server states no likelihoods for the look at one fold."""
        found = []
        for setup in setups:
            says = [case.output if setup.shots or place % 3 else "ham" for place, case in enumerate(cases)]
            shares = [{"ham": 0.9 - 0.8 * (text == "spam"), "spam": 0.1 + 0.8 * (text == "spam")} for text in says]
            known = not (setup.shots and fold == 1)
            given = zip(says, shares, strict=True)
            found.append(
                builder._scored(
                    cases, [Prediction(text=text, probabilities=each if known else None) for text, each in given]
                )
            )
        return found

    told = HalvingSearch("a", task, bench, judge=builder.judge).run([Setup(), Setup(shots=1)], measure)
    assert told.best.configuration.shots == 1
    assert (told.best.mean, len(told.best.scores)) == (1.0, 240)


def test_a_training_that_failed_leaves_the_others_ordered_by_the_metric(tmp_path: Path) -> None:
    builder = PipelineBuilder(task_by(OF_LABEL, mails(240)), tiny.Bench(folder=tmp_path), calibrates=False)
    cases, lengths = builder.task.folds[0].selection, Lengths(10.0, 10.0, (100,), 3)

    def entry(shots: int, say: Callable[[int, Case], str]) -> Entry:
        rows = [
            [case.id, said := say(place, case), float(said == case.output), 1.0] for place, case in enumerate(cases)
        ]
        look = Look(tuple(float(str(row[2])) for row in rows), (), {"answers": rows})
        return Entry(Tuning(Setup(shots=shots), RECIPES[0]), [look], notes=[{"answers": rows}])

    ham = entry(1, lambda place, case: "ham")
    spam = entry(2, lambda place, case: "spam" if case.output == "spam" or place % 7 == 0 else "ham")
    dead = Entry(Tuning(Setup(shots=3), RECIPES[2]), [], problem="the selection loss did not improve")
    tried = [(ham, lengths), (spam, lengths), (dead, lengths)]
    assert [each.tuning.setup.shots for each, _ in in_order(builder, tried)] == [2, 1, 3]
    told = [trial_of(builder, "lora", each) for each, _ in tried]
    assert ranked(told)[0] is told[1], "and so they are shown"
    assert told[0].score > told[1].score
    assert told[2].mark is None
