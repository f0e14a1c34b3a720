"""Added labels: which are new, that nobody knew them before, who uses them at once, and how that is told."""

from __future__ import annotations

import re
from collections import Counter
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest

from advisor.experiments.comparison import Wishes
from advisor.experiments.run_setup import further_of
from benchmarks.contract import BadInput, Benchmark, Candidate, Row
from benchmarks.probes.added import ASKED, Asked, added, adds_labels, new_labels, without
from benchmarks.running.plan import Further, Options, further_units
from benchmarks.running.run import Run
from benchmarks.storage.store import Store
from strategies.answers import Prior
from strategies.approaches.copy_nearest import CopyNearest
from strategies.approaches.linear_head import LinearHead
from strategies.approaches.lora import Lora
from strategies.approaches.lora_distilled import DistilledLora
from strategies.approaches.majority import Majority
from strategies.approaches.prompting import Prompting
from strategies.approaches.retrieval import Retrieval
from strategies.contract import Case, Failure, Prediction, Prompt, Task
from strategies.extending import extended, narrowed
from strategies.pipeline import Pipeline, Setup
from strategies.sources import Sources
from tests import killed, tiny
from tests.scripted import ScriptedModel
from tests.situations import SITUATIONS

# ---------------------------------------------------------------- what is new


def topics(heldout: int = 60, examples: int = 24) -> Benchmark:
    return tiny.benchmark(examples=examples, heldout=heldout)


def test_some_labels_are_new_and_stand_in_enough_cases() -> None:
    benchmark = topics()
    (new,) = new_labels(benchmark, 0)
    cases = Counter(case.output for case in benchmark.heldout)
    assert cases[new] >= 10
    assert new_labels(benchmark, 0) == (new,)
    assert len({new_labels(benchmark, seed) for seed in range(20)}) > 1


def test_the_commonest_label_is_never_new() -> None:
    benchmark = topics()
    task = benchmark.task
    more = tuple(replace(case, id=f"{case.id}+") for case in task.examples if case.output == "refund")
    fold = replace(task.folds[0], train=(*task.folds[0].train, *more))
    common = replace(benchmark, task=replace(task, folds=(fold, *task.folds[1:])))
    assert all("refund" not in new_labels(common, seed) for seed in range(40))


@pytest.mark.parametrize("kind", ["qa", "extraction", "generation"])
def test_tasks_without_labels_have_no_new_ones(kind: str) -> None:
    assert not adds_labels(tiny.benchmark(kind), 0)  # type: ignore[arg-type]


def test_with_two_labels_or_few_cases_there_are_no_new_ones() -> None:
    assert not adds_labels(topics(heldout=12), 0)
    task = topics().task
    pair = replace(task, labels=task.labels[:2])
    assert not adds_labels(replace(topics(), task=pair), 0)


def test_the_task_before_knows_neither_label_nor_example() -> None:
    benchmark = topics()
    new = new_labels(benchmark, 0)
    before = without(benchmark.task, new, 0)
    assert set(before.labels) == set(benchmark.task.labels) - set(new)
    assert {case.output for case in before.examples} == set(before.labels)
    assert len(before.examples) == sum(case.output not in new for case in benchmark.task.examples)
    asked = Asked.of(benchmark, new, 0)
    assert {case.output for case in asked.new} == set(new)
    assert not set(new) & {case.output for case in asked.others}
    assert len(asked.all) == len(benchmark.heldout)
    assert len(Asked.of(topics(heldout=600), new, 0).new) == ASKED


# ---------------------------------------------------------------- before and after


def pipeline(task: Task, setup: Setup, prior: Prior | None = None) -> Pipeline:
    model = ScriptedModel(name="none", answer=lambda prompt: "")
    return Pipeline(task, model, setup, Sources(task.examples, tiny.WordHashes()), max_tokens=8, prior=prior, seed=3)


def test_a_prompt_that_never_knew_the_label_and_is_told_of_it() -> None:
    benchmark = topics()
    task, new = benchmark.task, new_labels(benchmark, 0)
    fewer = without(task, new, 0)
    prior = Prior(values=(-1.0, -2.0, -3.0, -4.0))
    whole = pipeline(task, Setup(shots=3, picks="random"), prior)
    before = narrowed(whole, task.labels, fewer)
    assert isinstance(before, Pipeline)
    assert before.task.labels == fewer.labels
    assert {case.output for case in before.sources.cases} == set(fewer.labels)
    assert before.prior is not None
    assert dict(zip(before.task.labels, before.prior.values, strict=True)) == {
        label: value for label, value in zip(task.labels, prior.values, strict=True) if label not in new
    }
    after = extended(before, task)
    assert isinstance(after, Pipeline)
    assert after.task.labels == task.labels
    assert after.sources.cases == task.examples
    assert after.fixed_ids == before.fixed_ids, "nobody has chosen other demonstrations"
    assert after.prior is not None
    values = dict(zip(task.labels, after.prior.values, strict=True))
    assert values[new[0]] == pytest.approx(sum(before.prior.values) / 3)
    assert all(values[label] == known for label, known in zip(fewer.labels, before.prior.values, strict=True))


def test_shared_demonstrations_that_are_all_gone_stay_away_and_others_stand_in_for_them() -> None:
    benchmark = topics()
    task, new = benchmark.task, new_labels(benchmark, 0)
    ids = tuple(case.id for case in task.examples if case.output in new)[:2]
    before = narrowed(pipeline(task, Setup(shots=2, shown=ids)), task.labels, without(task, new, 0))
    after = extended(before, task)
    assert isinstance(before, Pipeline)
    assert isinstance(after, Pipeline)
    assert len(before.fixed_ids) == 2
    assert not {*ids} & {*before.fixed_ids}
    assert after.fixed_ids == before.fixed_ids


def test_counts_of_what_was_right() -> None:
    def row(key: str, right: bool, when: str = "") -> Row:
        score = 1.0 if right else 0.0
        return Row(candidate="c", purpose="added", key=key, variant=when, outcome=Prediction(text=""), score=score)

    heldout = {f"n{n}": row(f"n{n}", n < 3) for n in range(4)} | {f"o{n}": row(f"o{n}", True) for n in range(2)}
    asked = [["n0", "n1", "n2", "n3"], ["o0", "o1", "o2"]]
    cases = (Case(id=f"n{place}", input=f"{place}?", output="x", group=f"g{place // 2}") for place in range(4))
    benchmark = replace(topics(), heldout=tuple(cases))
    note = {"labels": ["x"], "examples": 9, "asked": asked, "takes": True, "seconds": 2.0}
    rows = [row(key, True, "before") for key in ("o0", "o1")]
    rows += [row("n0", True, "after"), row("o0", False, "after"), row("o1", True, "after")]
    found = added(benchmark, note, heldout, rows)
    assert found is not None
    assert (found.cases, found.at_once, found.refitted) == (4, 1, 3)
    assert found.by_group == ((1, 2), (0, 2))
    assert (found.others, found.before, found.after) == (2, 2, 1), "a case that the run did not ask counts nowhere"
    gone = Failure(kind="infrastructure", message="HTTP 503")
    lost = [replace(each, outcome=gone, score=0.0) if each.key in ("n0", "o0") else each for each in rows]
    fewer = added(benchmark, note, heldout | {"n1": replace(heldout["n1"], outcome=gone)}, lost)
    assert fewer is not None
    assert (fewer.cases, fewer.at_once, fewer.refitted) == (2, 0, 1), "of which an answer was lost counts nowhere"
    assert (fewer.others, fewer.before, fewer.after) == (1, 1, 1)
    assert added(benchmark, {}, heldout, rows) is None
    assert added(benchmark, {"problem": "diverged"}, heldout, []) is None


# ---------------------------------------------------------------- a run


def nearest_shown(prompt: Prompt) -> str:
    """The answer of the last example in the prompt: that of the nearest."""
    text = "\n".join(f"{message.role}: {message.content}" for message in prompt)
    found = re.findall(r"(?:assistant|Output): *([a-z ]+)", text)
    return found[-1].strip() if found else "login"


def scripted(folder: Path) -> Run:
    return Run(
        benchmark=topics(heldout=60, examples=48),
        candidates=[
            Candidate(name="majority", strategy=Majority(), model=""),
            Candidate(name="copy nearest", strategy=CopyNearest(), model=""),
            Candidate(name="linear head", strategy=LinearHead(), model=""),
            Candidate(name="prompting", strategy=Prompting(), model="reader"),
            Candidate(name="retrieval", strategy=Retrieval(), model="reader"),
        ],
        models=tiny.scripted(reader=nearest_shown),
        options=Options(tuning_tokens=2_000, probes=False),
        folder=folder,
    )


def test_who_looks_up_uses_new_labels_at_once_and_who_has_learnt_does_not(tmp_path: Path) -> None:
    run = scripted(tmp_path / "run")
    run.execute()
    assert {each.added for each in killed.told(run).values()} == {None}
    replace(run, further=Further(changed=True)).execute()
    found = {name: each.added for name, each in killed.told(run).items() if each.added}
    cascade = found.pop("linear head after copy nearest")
    assert set(found) == {"majority", "copy nearest", "linear head", "prompting", "retrieval"}
    both = [found[name].seconds or 0.0 for name in ("copy nearest", "linear head")]
    assert (cascade.takes, cascade.cases) == (True, 15)
    assert cascade.seconds == pytest.approx(sum(both))
    assert 0 < cascade.at_once < found["copy nearest"].at_once, "the head knows none of what it is handed"
    assert {each.labels for each in found.values()} == {new_labels(run.benchmark, 0)}
    assert {each.cases for each in found.values()} == {15}
    assert {name: each.takes for name, each in found.items()} == {
        "majority": False,
        "copy nearest": True,
        "linear head": False,
        "prompting": True,
        "retrieval": True,
    }
    assert found["copy nearest"].at_once == found["copy nearest"].refitted > 10
    assert found["retrieval"].at_once == found["retrieval"].refitted > 10
    assert found["linear head"].at_once == 0
    assert found["linear head"].refitted > 10
    assert found["linear head"].seconds is not None
    assert found["majority"].seconds is None
    assert all(each.before == each.after for name, each in found.items() if not each.takes)


@pytest.mark.usefixtures("tmp_path")
def test_a_tuned_model_is_trained_without_them_and_then_may_choose_them(tmp_path: Path) -> None:
    models = tiny.models(tiny.model_folder(tmp_path / "model"))
    run = Run(
        benchmark=topics(),
        candidates=[Candidate(name="lora", strategy=Lora(), model=models.names[0])],
        models=models,
        options=replace(killed.OPTIONS, probes=False),
        folder=tmp_path / "run",
        further=Further(changed=True),
    )
    run.execute()
    found = killed.told(run)["lora"].added
    assert found is not None
    assert found.takes
    assert found.cases == 15
    assert found.seconds is not None
    assert found.seconds > 0
    assert not list((tmp_path / "run").glob("scratch-*"))
    with closing(Store(run.folder / "run.sqlite")) as store:
        (note,) = store.notes("added").values()
        before = [row for row in store.rows("lora", "added") if row.variant == "before"]
    assert note["examples"] == 6
    assert len(before) == 45
    said = {row.outcome.text for row in before if isinstance(row.outcome, Prediction)}
    assert not said & set(found.labels), "it could not have said what it had not heard of"


def test_it_is_planned_where_there_are_labels_and_somebody_can_build_it_without_them() -> None:
    benchmark, options, asked = topics(), Options(), Further(changed=True)

    def kinds(strategy: object) -> list[str]:
        candidate = Candidate(name="any", strategy=strategy, model="")  # type: ignore[arg-type]
        return [unit.kind for unit in further_units(benchmark, candidate, options, "", asked)]

    assert kinds(Majority()) == ["added"]
    assert kinds(DistilledLora()) == []


def test_a_task_with_labels_may_ask_for_it() -> None:
    assert further_of(Wishes(changed=True), topics()).changed
    assert further_of(Wishes(probes="all"), topics()).changed
    with pytest.raises(BadInput, match="three or more"):
        further_of(Wishes(changed=True), topics(heldout=12))


# ---------------------------------------------------------------- as it is told


def test_what_is_told_of_the_day() -> None:
    story = SITUATIONS["labels_are_added"]().told().story
    assert story.changed.title == "The day 2 labels are added"
    assert [row[0] for row in story.changed.rows] == ["majority", "linear head", "retrieval", "lora"]
    assert sum(line.startswith("When labels are added") for line in story.reasons) == 1
    facts = {row["name"]: row["added"] for row in story.facts["candidates"]}
    assert facts["lora"]["at_once"] == 4
