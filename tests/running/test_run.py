"""A whole run with tiny models: killed and resumed it ends as an uninterrupted one, and nothing finished runs twice."""

from __future__ import annotations

import dataclasses
import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, ClassVar

import pytest

from advisor.experiments.found import find
from advisor.probes.steadiness import next_time
from benchmarks.checked import OfNamed
from benchmarks.contract import BadInput, Benchmark, Candidate, Constraints, Evaluation, Row, State
from benchmarks.data.assemble import Limits
from benchmarks.data.frozen import as_begun, freeze, thaw
from benchmarks.evaluation.found_evidence import oracle, oracle_named
from benchmarks.evaluation.noted_scores import chosen_by_others
from benchmarks.evaluation.stored import evaluations, rescored
from benchmarks.metrics import load as load_metric
from benchmarks.probes.gold import GoldIndex
from benchmarks.running import machine_load
from benchmarks.running.plan import Options, Unit, candidates, label
from benchmarks.running.reuse import Earlier, bare
from benchmarks.running.run import OPTIONAL, Run, _differences, provenance
from benchmarks.running.scheduler import NullEvents
from benchmarks.storage.store import Store
from strategies.approaches.prompting import Prompting
from strategies.catalog import approaches
from strategies.contract import (
    Abstention,
    Case,
    DeadAdapter,
    Diverged,
    Document,
    Evidence,
    Failure,
    Family,
    Fitted,
    Fold,
    Generates,
    Outcome,
    Prediction,
    Query,
    Sampling,
    Strategy,
    Task,
    Usage,
    Workbench,
)
from strategies.prompting.demonstrations import Shown, holds
from strategies.retrieval.index import PassageIndex
from tests import killed, tiny
from tests.scripted import ScriptedModel

ROOT = Path(__file__).resolve().parents[2]
PURPOSES = ("heldout", "edit", "repeat", "seed", "oracle")


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny.model_folder(tmp_path_factory.mktemp("model"))


@pytest.fixture(scope="module")
def whole(model: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a run that nobody interrupted."""
    import torch

    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    folder = tmp_path_factory.mktemp("whole")
    killed.bakeoff(folder, model).execute()
    torch.set_num_threads(threads)
    return folder


def opened(folder: Path) -> Any:
    return closing(Store(folder / "run.sqlite"))


def timeless(value: Any) -> Any:
    """Plain values without what a clock measured."""
    if isinstance(value, Mapping):
        return {key: timeless(each) for key, each in value.items() if key != "seconds"}
    return [timeless(each) for each in value] if isinstance(value, list | tuple) else value


def contents(folder: Path) -> dict[str, Any]:
    """Rows, usage, trials and notes of a run."""
    with opened(folder) as store:
        names = store.candidates()
        return {
            "rows": {
                (name, purpose): [timeless(dataclasses.asdict(row)) for row in store.rows(name, purpose)]
                for name in names
                for purpose in PURPOSES
            },
            "usage": {
                (name, kind): sorted(json.dumps(timeless(dataclasses.asdict(row))) for row in store.usage(name, kind))
                for name in names
                for kind in ("fit", "answer")
            },
            "trials": {name: store.trials(name) for name in names},
            "notes": {name: timeless(note) for name, note in store.notes("fit").items()},
        }


def evaluated(run: Run) -> dict[str, Evaluation]:
    run.execute()
    with opened(run.folder) as store:
        return {found.candidate: found for found in evaluations(run.benchmark, killed.described(run), store)}


# ---------------------------------------------------------------- a whole run


def test_every_approach_comes_to_an_evaluation_or_says_why_not(whole: Path, model: Path) -> None:
    run = killed.bakeoff(whole, model)
    found = evaluated(run)
    assert set(found) == {candidate.name for candidate in run.candidates}
    for candidate in run.candidates:
        evaluation = found[candidate.name]
        reason = candidate.strategy.unsuitable(run.benchmark.task)
        if reason:
            assert (evaluation.state, evaluation.problem) == (State.SKIPPED, reason)
            continue
        if evaluation.state is State.SKIPPED:
            twin = next(each for each in found.values() if each.approach == evaluation.approach)
            assert twin.state is None
            assert evaluation.problem == f"it chose the same configuration as {twin.candidate}"
            assert evaluation.chosen == twin.chosen
            assert not evaluation.scores
            continue
        assert evaluation.state is None, evaluation.problem
        assert evaluation.keys == tuple(case.id for case in run.benchmark.heldout)
        assert evaluation.figure == pytest.approx(sum(evaluation.scores) / len(evaluation.scores))
        assert evaluation.lower <= evaluation.figure <= evaluation.upper
        assert evaluation.answering is not None
        assert evaluation.answering.calls == 12
        assert evaluation.latency is not None
        assert evaluation.latency.p95_s >= evaluation.latency.p50_s > 0
        assert {agreement.name for agreement in evaluation.agreements} >= {"edits", "repeats"}
        assert bool(candidate.strategy.needs) == bool(sum(row.prompt_tokens for row in evaluation.fitting))


def test_at_temperature_0_in_float32_other_batch_neighbours_change_no_answer(whole: Path, model: Path) -> None:
    for evaluation in evaluated(killed.bakeoff(whole, model)).values():
        for agreement in evaluation.agreements:
            if agreement.name == "repeats":
                assert agreement.same == 1.0


def test_started_again_a_finished_run_does_nothing(whole: Path, model: Path) -> None:
    with opened(whole) as store:
        before = store.starts()
    started: list[Unit] = []

    class Counting(killed.Dying):
        def started(self, unit: Unit, number: int, total: int) -> None:
            started.append(unit)

    killed.bakeoff(whole, model, Counting()).execute()
    with opened(whole) as store:
        assert store.starts() == before
    assert started == []
    assert set(before.values()) == {1}


def test_nothing_in_the_run_folder_is_pickled_or_names_this_machine(whole: Path, model: Path) -> None:
    kinds = {path.suffix for path in whole.rglob("*") if path.is_file()}
    assert kinds <= {".sqlite", ".sqlite-wal", ".sqlite-shm", ".json", ".npy", ".safetensors", ".md"}
    for path in whole.rglob("*"):
        if path.is_file():
            assert str(model.parent).encode() not in path.read_bytes()


# ---------------------------------------------------------------- kill -9


@pytest.fixture
def killed_at(model: Path, tmp_path: Path) -> Iterator[Callable[[str], int]]:
    """Performs the run in `tmp_path / "run"`, killed where that says ("stored 3"); returns the exit code."""
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-m", "tests.killed", str(tmp_path / "run"), str(model)]
    with subprocess.Popen(
        command, cwd=ROOT, env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as forking:
        asking, told = forking.stdin, forking.stdout
        assert asking is not None
        assert told is not None

        def run(where: str) -> int:
            print(where, file=asking, flush=True)
            return int(told.readline())

        yield run
        asking.close()


def test_killed_wherever_it_is_and_resumed_it_ends_with_the_same_rows(
    whole: Path, killed_at: Callable[[str], int], tmp_path: Path
) -> None:
    """Killed in a search, in the middle of a training, with half of an index and of an adapter written, between the rows of a
    unit and their commit, and right after a unit was stored."""
    folder = tmp_path / "run"
    kept: dict[str, int] = {}
    for death in ("index 1", "progress 25", "commit 3", "step 17", "adapter 1", "stored 3"):
        assert killed_at(death) == -signal.SIGKILL, f"{death} was never reached"
        with opened(folder) as store:
            finished, starts = store.finished(), store.starts()
        assert {name: starts[name] for name in kept} == kept, "A finished unit was started again."
        kept = {name: starts[name] for name in finished}
    assert killed_at("nowhere 0") == 0
    with opened(folder) as store:
        starts = store.starts()
        assert set(store.finished()) == set(starts)
    assert {name: starts[name] for name in kept} == kept
    assert sum(starts.values()) == len(starts) + 5, "Five deaths fell into a unit, which was started once more each."
    assert contents(folder) == contents(whole)


# ---------------------------------------------------------------- another run in the same folder


def small(folder: Path, model: Path, strategies: Sequence[Strategy] | None = None) -> Run:
    chosen = strategies or [strategy for strategy in approaches() if not strategy.needs]
    options = Options(probes=False)
    return Run(
        benchmark=tiny.benchmark(),
        candidates=[Candidate(name=label(each), strategy=each, model="") for each in chosen],
        models=tiny.models(model),
        options=options,
        folder=folder,
    )


def with_heldout(run: Run) -> Run:
    return replace(run, benchmark=tiny.benchmark(heldout=13))


CHANGES: Mapping[str, Callable[[Run], Run]] = {
    "examples": lambda run: replace(run, benchmark=tiny.benchmark(examples=27)),
    "instruction": lambda run: replace(
        run, benchmark=replace(run.benchmark, task=replace(run.benchmark.task, instruction="Another one."))
    ),
    "temperature": lambda run: replace(
        run, benchmark=replace(run.benchmark, task=replace(run.benchmark.task, temperature=0.5))
    ),
    "seed": lambda run: replace(run, options=replace(run.options, seed=1)),
    "tuning budget": lambda run: replace(run, options=replace(run.options, tuning_tokens=1)),
    "approaches": lambda run: replace(run, candidates=run.candidates[:-1]),
    "dtype": lambda run: replace(run, models=replace(run.models, _placement=replace(tiny.FLOAT32, dtype="bfloat16"))),
}


@pytest.mark.parametrize("name", OPTIONAL)
def test_what_is_added_or_dropped_is_a_difference_too(name: str) -> None:
    plain, more = {"options": {}, "task": "t"}, {"options": {}, "task": "t", name: "new"}
    assert [found[1:] for found in _differences(plain, more)] == [(None, "new")]
    assert [found[1:] for found in _differences(more, plain)] == [("new", None)]
    assert _differences(more, more) == []


@pytest.mark.parametrize("part", list(CHANGES))
def test_a_run_goes_on_only_as_what_it_is(part: str, model: Path, tmp_path: Path) -> None:
    run = small(tmp_path / "run", model)
    run.execute()
    before = contents(run.folder)
    with pytest.raises(BadInput) as refusal:
        CHANGES[part](run).execute()
    sentence = str(refusal.value)
    assert "The run in run was made with" in sentence
    assert part in sentence
    assert "start without --resume into another folder" in sentence
    assert contents(run.folder) == before


@pytest.mark.parametrize("name", ["support-intents", "handbook-qa", "order-extract", "house-style"])
def test_a_task_is_the_same_after_it_was_stored(name: str, tmp_path: Path) -> None:
    prepared = find(name).assembled(Limits(examples=60, heldout=40))
    told = json.loads(json.dumps(freeze(prepared.benchmark), default=str))
    stored = thaw(told, tmp_path)
    assert stored.metric == prepared.benchmark.metric
    assert stored == replace(prepared.benchmark, task=replace(prepared.benchmark.task, score=stored.task.score))


@pytest.mark.parametrize(
    ("variable", "value", "said"), [("BATCH_TOKENS", "512", r"4096.*512"), ("ATTENTION", "own", r"blockwise.*own")]
)
def test_what_may_change_a_last_digit_makes_it_another_run(
    variable: str, value: str, said: str, model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = small(tmp_path / "run", model)
    run = replace(run, candidates=[replace(run.candidates[0], model="tiny")])
    run.folder.mkdir()
    with opened(run.folder) as store:
        store.set_meta("identity", run.identity())
    monkeypatch.setenv(f"ADVISOR_{variable}", value)
    with pytest.raises(BadInput, match=rf"{said}.* Set ADVISOR_{variable} to that"):
        replace(run, models=tiny.models(model)).execute()


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("program", "the program of the hash .*Install the version that made it"),
        ("torch", "torch .*Install that version"),
    ],
)
def test_other_code_is_refused_with_what_it_was(name: str, said: str, model: Path, tmp_path: Path) -> None:
    run = small(tmp_path / "run", model)
    run.execute()
    with opened(run.folder) as store:
        store.set_meta("provenance", {**store.meta("provenance"), name: "before"})
    with pytest.raises(BadInput, match=said):
        run.execute()


def test_other_held_out_cases_are_refused(model: Path, tmp_path: Path) -> None:
    run = small(tmp_path / "run", model)
    run.execute()
    with pytest.raises(BadInput, match="held-out"):
        with_heldout(run).execute()


# ---------------------------------------------------------------- what goes wrong


@dataclass(frozen=True, kw_only=True)
class Scripted:
    """Answers the first held-out cases with given outcomes, and every other one rightly. It is its own fit."""

    family: ClassVar[Family] = "reference"
    needs: ClassVar[tuple[type, ...]] = ()
    simplicity: ClassVar[int] = 0

    name: str
    outcomes: tuple[Outcome | None, ...]
    right: str = "delivery"

    def unsuitable(self, task: Task) -> str:
        return ""

    def fit(self, task: Task, bench: Workbench) -> Fitted:
        return self

    def load(self, folder: Path, bench: Workbench) -> Fitted:
        return self

    def again(self, folder: Path, task: Task, bench: Workbench) -> Fitted | None:
        return None

    def rebuilt(self, folder: Path, task: Task, bench: Workbench) -> Fitted | None:
        return None

    def answer(self, queries: Sequence[Query], sampling: Sampling) -> Iterator[tuple[str, Outcome]]:
        for place, query in enumerate(queries):
            outcome = self.outcomes[place] if len(queries) > 1 and place < len(self.outcomes) else right(self.right)
            if outcome is not None:
                yield query.key, outcome

    def save(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)

    def describe(self) -> Mapping[str, Any]:
        return {}


def right(text: str, **more: Any) -> Prediction:
    return Prediction(text=text, usage=(Usage(model="m", step="answering", seconds=0.5, prompt_tokens=7),), **more)


def uniform(count: int) -> Benchmark:
    """Held-out cases whose answer is always the same."""
    base = tiny.benchmark(heldout=count)
    return replace(base, heldout=tuple(replace(case, output="delivery") for case in base.heldout))


def of_outcomes(folder: Path, model: Path, outcomes: Sequence[Outcome | None], count: int) -> Evaluation:
    run = replace(small(folder, model, [Scripted(name="s", outcomes=tuple(outcomes))]), benchmark=uniform(count))
    return evaluated(run)["s"]


def test_every_way_not_to_answer_has_its_own_column_and_is_not_right(model: Path, tmp_path: Path) -> None:
    outcomes: list[Outcome] = [
        Abstention(reason="the documents do not say"),
        Failure(kind="refused", message="no"),
        Failure(kind="unparsable", message="no object", raw="{"),
        right("delivery", truncated=True),
        right("refund"),
        right("It is about a parcel."),
    ]
    found = of_outcomes(tmp_path / "run", model, outcomes, 20)
    assert found.state is None
    assert found.failures == {"abstained": 1, "refused": 1, "unparsable": 1, "truncated": 1, "outside the labels": 1}
    assert found.scores == (0.0, 0.0, 0.0, 1.0, 0.0, 0.0, *[1.0] * 14)
    assert found.figure == pytest.approx(0.75)


@pytest.mark.parametrize(("lost", "state"), [(1, None), (2, State.OPEN), (2, State.INVALID)])
def test_more_than_one_answer_in_a_hundred_lost_to_faults_is_no_measurement(
    lost: int, state: State | None, model: Path, tmp_path: Path
) -> None:
    faults = [Failure(kind="infrastructure", message="s: gone", lasting=state is State.INVALID)] * lost
    found = of_outcomes(tmp_path / "run", model, faults, 100)
    assert found.state is state
    assert found.failures == {"infrastructure": lost}
    assert bool(found.scores) == (state is None)
    if state:
        assert found.problem.startswith("2 of 100 answers were lost to faults outside the approach (gone)")


@dataclass(frozen=True, kw_only=True)
class Leaving(Scripted):
    """Loses its first answers for as long as a file is there."""

    gone: Path

    def answer(self, queries: Sequence[Query], sampling: Sampling) -> Iterator[tuple[str, Outcome]]:
        return Scripted.answer(self if self.gone.exists() else replace(self, outcomes=()), queries, sampling)


def test_a_fork_takes_over_no_unit_that_lost_its_answers(model: Path, tmp_path: Path) -> None:
    lost, gone = Failure(kind="infrastructure", message="the server is gone"), tmp_path / "gone"
    gone.touch()
    leaving = Leaving(name="s", outcomes=(lost, lost), gone=gone)
    run = replace(small(tmp_path / "run", model, [leaving]), benchmark=uniform(100))
    assert evaluated(run)["s"].state is State.OPEN
    gone.unlink()
    assert evaluated(replace(run, folder=tmp_path / "forked", reuse=run.folder, fork=True))["s"].figure == 1.0
    with opened(run.folder) as before, opened(tmp_path / "forked") as store:
        assert store.notes("fit") == before.notes("fit"), "its fit is taken over, down to the seconds that it took"


def test_silence_is_a_fault(model: Path, tmp_path: Path) -> None:
    found = of_outcomes(tmp_path / "run", model, [None], 100)
    assert found.failures == {"infrastructure": 1}


def test_what_answering_cost_is_the_sum_over_stored_answers(model: Path, tmp_path: Path) -> None:
    found = of_outcomes(tmp_path / "run", model, [], 30)
    assert found.answering is not None
    assert (found.answering.calls, found.answering.seconds, found.answering.prompt_tokens) == (30, 15.0, 210)


def test_equal_inputs_are_asked_once_and_each_case_gets_its_row(model: Path, tmp_path: Path) -> None:
    base = uniform(4)
    twin = replace(base.heldout[0], id="twin")
    benchmark = replace(base, heldout=(*base.heldout, twin))
    run = replace(
        small(tmp_path / "run", model, [Scripted(name="s", outcomes=(right("refund"),))]), benchmark=benchmark
    )
    found = evaluated(run)["s"]
    assert found.scores == (0.0, 1.0, 1.0, 1.0, 0.0)


@dataclass(frozen=True, kw_only=True)
class Breaking(Scripted):
    """Cannot be fitted."""

    error: Exception

    def fit(self, task: Task, bench: Workbench) -> Fitted:
        raise self.error


@pytest.mark.parametrize(
    ("error", "says"),
    [
        (DeadAdapter("the adapter has no effect"), "the adapter has no effect"),
        (
            ValueError("a shape is wrong"),
            "fitting failed with ValueError: a shape is wrong; resuming the run tries it again",
        ),
    ],
)
def test_a_fit_that_fails_is_a_problem_with_a_sentence_and_the_others_go_on(
    error: Exception, says: str, model: Path, tmp_path: Path
) -> None:
    broken, fine = Breaking(name="broken", outcomes=(), error=error), Scripted(name="fine", outcomes=())
    found = evaluated(replace(small(tmp_path / "run", model, [broken, fine]), benchmark=uniform(10)))
    assert (found["broken"].state, found["broken"].problem) == (State.INVALID, says)
    assert found["broken"].scores == ()
    assert found["fine"].figure == 1.0


@dataclass(frozen=True, kw_only=True)
class Flaky(Scripted):
    """Cannot be fitted the first time."""

    tried: Path

    def fit(self, task: Task, bench: Workbench) -> Fitted:
        if not self.tried.exists():
            self.tried.touch()
            raise OSError("no space left on device")
        return super().fit(task, bench)


def test_a_fault_that_may_pass_is_tried_again_when_the_run_goes_on(model: Path, tmp_path: Path) -> None:
    flaky, fine = Flaky(name="flaky", outcomes=(), tried=tmp_path / "tried"), Scripted(name="fine", outcomes=())
    run = replace(small(tmp_path / "run", model, [flaky, fine]), benchmark=uniform(10))
    assert evaluated(run)["flaky"].state == State.INVALID
    found = evaluated(run)
    assert (found["flaky"].state, found["flaky"].figure) == (None, found["fine"].figure)
    with opened(run.folder) as store:
        assert sorted(store.starts().values(), reverse=True)[:2] == [2, 1]


@dataclass(frozen=True, kw_only=True)
class Trained(Scripted):
    """Needs a model that can be trained."""

    needs: ClassVar[tuple[type, ...]] = next(each.needs for each in approaches() if each.family == "finetuning")


def test_what_a_model_cannot_do_is_told_and_not_tried(model: Path, tmp_path: Path) -> None:
    models = tiny.models(model)
    models._ready["tiny"] = ScriptedModel(name="tiny", answer=lambda prompt: "delivery")
    assert isinstance(models.language("tiny"), Generates)
    run = replace(small(tmp_path / "run", model), models=models)
    run = replace(run, candidates=candidates([Trained(name="lora", outcomes=())], ("tiny",)))
    found = evaluated(run)["lora"]
    assert (found.state, found.problem) == (State.CANNOT_RUN, "tiny cannot be trained here")


def test_an_instruction_that_is_longer_than_what_the_model_reads_is_refused(tmp_path: Path) -> None:
    """It was sent whole, whatever was left out besides, so that the model read past its end."""
    models = tiny.scripted(brief=lambda _: "red")
    models._ready["brief"] = ScriptedModel(name="brief", answer=lambda _: "red", context_tokens=60)
    plain = tiny.benchmark("qa")

    def told(words: int) -> Evaluation:
        benchmark = replace(plain, task=replace(plain.task, instruction="word " * words))
        candidates = [Candidate(name="prompting", strategy=Prompting(), model="brief")]
        folder, options = tmp_path / str(words), Options(tuning_tokens=2_000, probes=False)
        run = Run(benchmark=benchmark, candidates=candidates, models=models, options=options, folder=folder)
        run.execute()
        return killed.told(run)["prompting"]

    assert told(50).state is None
    found = told(53)
    assert found.state is State.CANNOT_RUN
    assert found.problem == (
        "the instruction takes 53 tokens and the answer up to 8, and brief reads 60 in all: shorten the instruction"
    )


def test_a_rehearsal_with_a_scripted_model_goes_through_every_prompting_approach(model: Path, tmp_path: Path) -> None:
    """The script knows the words of the topics, so prompting gets everything right, and the run costs nothing."""

    def answer(prompt: Any) -> str:
        asked = prompt[-1].content.casefold()
        found = [topic for topic, words in tiny.TOPICS.items() if any(word in asked for word in words)]
        return found[0].replace("_", " ") if found else "delivery"

    models = tiny.models(model)
    models._ready["tiny"] = ScriptedModel(name="tiny", answer=answer)
    prompting = [strategy for strategy in approaches() if strategy.family == "prompting"]
    run = replace(small(tmp_path / "run", model), models=models, candidates=candidates(prompting, ("tiny",)))
    found = evaluated(run)
    assert found["prompting (cheapest)"].problem == "it chose the same configuration as prompting"
    assert found["prompting"].figure == 1.0
    assert found["prompting"].selection_score == 1.0


# ---------------------------------------------------------------- documents


@dataclass(frozen=True, kw_only=True)
class Showing(Scripted):
    """Shows as evidence the first rooms in the order of the alphabet."""

    def answer(self, queries: Sequence[Query], sampling: Sampling) -> Iterator[tuple[str, Outcome]]:
        rooms = [Evidence(document_id=f"room-{name}", text="", score=1.0) for name in tiny.ROOMS[:4]]
        for query in queries:
            yield query.key, right("4", evidence=tuple(rooms))


def test_finding_is_measured_apart_from_answering(model: Path, tmp_path: Path) -> None:
    """Of 12 questions, one for each room, four have their room at the ranks 1 to 4."""
    run = small(tmp_path / "run", model, [Showing(name="s", outcomes=())])
    found = evaluated(replace(run, benchmark=tiny.benchmark("qa", examples=24, heldout=12)))["s"]
    assert found.retrieval is not None
    assert found.retrieval.cases == 12
    assert found.retrieval.recall_at == {1: 1 / 12, 3: 3 / 12}
    assert found.retrieval.mrr == pytest.approx((1 + 1 / 2 + 1 / 3 + 1 / 4) / 12)
    assert (found.retrieval.missed, found.retrieval.misread) == (8, 3), "only room Ada has four seats"


def test_the_gold_documents_are_handed_over_as_a_diagnostic_only(model: Path, tmp_path: Path) -> None:
    retrieval = [strategy for strategy in approaches() if strategy.family == "retrieval"][:1]
    models, asked = tiny.models(model), tiny.benchmark("qa")
    lost = tuple(replace(case, document_ids=(f"{case.document_ids[0]}.md",)) for case in asked.heldout[:4])
    run = Run(
        benchmark=replace(asked, heldout=(*lost, *asked.heldout[4:])),
        candidates=candidates(retrieval, models.names),
        models=models,
        options=Options(tuning_tokens=5_000, second_seed=False),
        folder=tmp_path / "run",
    )
    (found,) = evaluated(run).values()
    assert found.oracle is not None
    assert found.retrieval is not None
    with opened(run.folder) as store:
        rows = list(store.rows(found.candidate, "oracle"))
    assert len(rows) == 8, "four cases name a document that is not there"
    known = {case.id: case for case in run.benchmark.heldout}
    for row in rows:
        assert isinstance(row.outcome, Prediction)
        first = row.outcome.evidence[0]
        assert first.document_id in known[row.key].document_ids
        assert holds(Shown(known[row.key], (first,)))


def test_demonstrations_keep_the_passages_that_were_found_for_them_beside_gold_ones() -> None:
    index = PassageIndex.build(tiny.rooms(), tiny.WordHashes())
    given = Evidence(document_id="d", text="the gold passage", score=1.0)
    gold = GoldIndex({"asked": (given,), "nowhere": ()}, index)
    first, second, none = gold.search(["asked", "How many seats has Room Ada?", "nowhere"], 2)
    assert first == (given,)
    assert second == index.search(["How many seats has Room Ada?"], 2)[0]
    assert none == ()
    assert GoldIndex({}).search(["other"], 2) == [()]


# ---------------------------------------------------------------- scores anew


def test_scores_are_made_again_from_raw_answers_without_a_model(model: Path, tmp_path: Path) -> None:
    """A benchmark from its frozen form, another metric, and no model anywhere."""
    run = replace(
        small(tmp_path / "run", model, [Scripted(name="s", outcomes=(right("Delivery!"), right("refund")))]),
        benchmark=uniform(10),
    )
    before = evaluated(run)["s"]
    assert before.scores[1:] == (0.0, *[1.0] * 8)
    stored = thaw(json.loads(json.dumps(freeze(run.benchmark))))
    graded = replace(stored, metric=load_metric("chrf", {}))
    with opened(run.folder) as store:
        assert rescored(stored, store) == 0
        (same,) = evaluations(stored, killed.described(run), store)
        assert dataclasses.asdict(same) == dataclasses.asdict(before)
        assert not chosen_by_others(store)
        assert rescored(graded, store) > 0
        (other,) = evaluations(graded, killed.described(run), store)
        rows = store.notes("fit")["s"]["selection_answers"]
        examples = {case.id: case for case in stored.task.examples}
        assert [row[2] for row in rows] == [graded.metric.score(examples[row[0]], row[1]) for row in rows]
        assert other.selection_score == sum(row[2] for row in rows) / len(rows) != before.selection_score
        assert chosen_by_others(store), "what was chosen by the old scores is said"
        assert rescored(stored, store) > 0
        assert not chosen_by_others(store)
        (back,) = evaluations(stored, killed.described(run), store)
        assert dataclasses.asdict(back) == dataclasses.asdict(before)
    assert 0 < other.scores[1] < 1
    assert other.scores[2:] == before.scores[2:]
    assert other.answering == before.answering


# ---------------------------------------------------------------- what an earlier run found


def test_searches_and_trainings_of_an_earlier_run_are_taken_over(
    whole: Path, model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing is trained again, every held-out case is answered again, and the rows and costs of fitting are the same."""
    from strategies.models.local import LocalModel

    answered: list[int] = []
    ask = LocalModel.score_labels

    def watched(self: LocalModel, prompts: Sequence[Any], *given: Any) -> Any:
        answered.append(len(prompts))
        return ask(self, prompts, *given)

    monkeypatch.setattr(LocalModel, "train", lambda *_: pytest.fail("trained again"))
    monkeypatch.setattr(LocalModel, "score_labels", watched)
    run = replace(killed.bakeoff(tmp_path / "again", model), reuse=whole)
    run = replace(run, options=replace(run.options, second_seed=False))
    run.execute()
    with opened(whole) as first, opened(run.folder) as second:
        assert "earlier run" in second.meta("provenance")["searches and trainings"]
        for candidate in run.candidates:
            rows = [
                [
                    (row.key, row.score, getattr(row.outcome, "text", ""))
                    for row in store.rows(candidate.name, "heldout")
                ]
                for store in (first, second)
            ]
            assert rows[0] == rows[1]
            fits = [
                [dataclasses.asdict(row) for row in store.usage(candidate.name, "fit")] for store in (first, second)
            ]
            if candidate.model:
                assert fits[0] == fits[1], "what fitting cost is what it cost then, seconds included"
    assert sum(answered) >= len(run.benchmark.heldout)


def test_other_examples_and_what_is_no_run_are_refused(whole: Path, model: Path, tmp_path: Path) -> None:
    run = killed.bakeoff(tmp_path / "other", model)
    with pytest.raises(BadInput, match="holds no run to take over from"):
        replace(run, reuse=tmp_path / "nowhere").execute()
    with pytest.raises(BadInput, match="it was made with another seed"):
        replace(run, reuse=whole, options=replace(run.options, seed=5)).execute()
    with pytest.raises(BadInput, match="other examples"):
        replace(run, reuse=whole, benchmark=tiny.benchmark(examples=40)).execute()
    assert not (tmp_path / "other").exists()


def test_of_another_program_nothing_is_taken_over(
    whole: Path, model: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    run = killed.bakeoff(whole, model)
    monkeypatch.setattr("benchmarks.running.run.program", lambda: "changed")
    assert Earlier.open(whole, run.identity(), provenance(run.models)) is None
    assert "its program was another" in caplog.text
    fresh = replace(run, folder=whole.with_name("fresh"), reuse=whole, candidates=run.candidates[:1])
    fresh.execute()
    with opened(fresh.folder) as store:
        assert "searches and trainings" not in store.meta("provenance")


def test_a_fork_does_no_finished_work_again_that_is_still_valid(
    whole: Path, model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With fewer approaches and another target everything is; what was no candidate before is fitted and asked."""
    run = killed.bakeoff(tmp_path / "forked", model)
    chosen = [each for each in run.candidates if each.name in ("majority", "prompting", "lora")]
    run = replace(run, candidates=chosen[:2], benchmark=replace(run.benchmark, target=0.1), reuse=whole, fork=True)
    monkeypatch.setattr("benchmarks.running.work.Worker.perform", lambda *_: pytest.fail("done again"))
    run.execute()
    with opened(run.folder) as store, opened(whole) as before:
        assert set(store.finished()) == {name for each in chosen[:2] for name in _units(before, each.name)}
        assert (run.folder / "fits" / store.fits()["prompting"] / "complete.json").is_file()
    forked, first = contents(run.folder), contents(whole)
    assert all(forked[part][key] == first[part][key] for part in forked for key in forked[part])
    run.execute()
    assert contents(run.folder) == forked
    monkeypatch.undo()
    more = replace(run, candidates=chosen, folder=tmp_path / "more", reuse=run.folder)
    more.execute()
    with opened(more.folder) as store:
        starts = store.starts()
        assert {starts[name] for each in chosen[:2] for name in _units(store, each.name)} == {1}
    found = contents(more.folder)
    assert all(found[part][key] == first[part][key] for part in found for key in found[part])


def _units(store: Store, candidate: str) -> list[str]:
    found = store._db.execute("SELECT name FROM units WHERE candidate = ? AND finished IS NOT NULL", (candidate,))
    return [name for (name,) in found.fetchall()]


@pytest.mark.parametrize("change", ["second seed", "held-out cases", "batches"])
def test_a_fork_takes_over_no_answer_that_would_be_another(
    change: str, whole: Path, model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = killed.bakeoff(tmp_path / "forked", model)
    run = replace(run, candidates=[each for each in run.candidates if each.name == "prompting"], reuse=whole, fork=True)
    if change == "second seed":
        run = replace(run, options=replace(run.options, second_seed=False))
    elif change == "held-out cases":
        run = replace(run, benchmark=tiny.benchmark(heldout=11))
    else:
        monkeypatch.setenv("ADVISOR_BATCH_TOKENS", "2048")
        run = replace(run, models=tiny.models(model))
    begun: list[str] = []
    monkeypatch.setattr(NullEvents, "started", lambda _, unit, *__: begun.append(unit.kind))
    run = replace(run, events=NullEvents())
    run.execute()
    assert {"fit", "answer", "edit", "repeat"} <= set(begun)


def test_what_events_raise_ends_the_run_and_is_no_fault_of_what_is_fitted(
    model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Cancelled(Exception): ...

    def cancel(*_: object) -> None:
        raise Cancelled from KeyError("the button")

    run = killed.bakeoff(tmp_path, model)
    run = replace(run, candidates=[each for each in run.candidates if each.name == "prompting"], events=NullEvents())
    monkeypatch.setattr(NullEvents, "progress", cancel)
    with pytest.raises(Cancelled) as caught:
        run.execute()
    assert isinstance(caught.value.__cause__, KeyError), "it comes out as it was raised"
    with opened(tmp_path) as store:
        assert store.finished() == {}


def test_a_reason_that_was_measured_a_little_differently_is_no_other_placement(whole: Path, model: Path) -> None:
    run = killed.bakeoff(whole, model)
    made = provenance(run.models)
    why = made["placement"].partition(" (")[0] + " (another reason)"
    found = Earlier.open(whole, run.identity(), made | {"placement": why})
    assert found is not None
    found.store.close()
    assert Earlier.open(whole, run.identity(), made | {"placement": "cuda, " + why}) is None
    assert bare("cpu, 1 thread, float32 (as asked)") == bare("cpu, 1 thread, float32 (measured)")


@pytest.mark.parametrize("part", ["embedder", "embedder_weights", "reranker"])
def test_what_another_embedder_or_reranker_found_is_not_taken_over(whole: Path, model: Path, part: str) -> None:
    run = killed.bakeoff(whole, model)
    made, other = provenance(run.models), run.identity() | {part: "another"}
    assert Earlier.open(whole, other, made) is None
    found = Earlier.open(whole, run.identity(), made)
    assert found is not None
    assert found.still_valid(run.identity(), run.candidates[0])
    assert not found.still_valid(other, run.candidates[0])
    found.store.close()


def test_what_gold_documents_bring_counts_for_the_cases_that_have_some() -> None:
    """Half of the cases name a document; of these one in four is right alone, and three in four with it."""
    cases = [Case(id=f"{n}", input=f"q{n}", output="a", document_ids=("d",) if n < 8 else ()) for n in range(16)]

    def row(n: int, purpose: str, score: float) -> Row:
        return Row(candidate="c", purpose=purpose, key=f"{n}", outcome=Prediction(text="a"), score=score)

    own = [row(n, "heldout", float(n in (0, 1) or n >= 8)) for n in range(16)]
    handed = [row(n, "oracle", float(n < 6)) for n in range(8)]
    documents = [Document(id="d", text="a")]
    assert oracle(documents, cases, own, handed) == pytest.approx((2 + 8) / 16 + 0.5 * 4 / 8)
    task = replace(tiny.benchmark("qa").task, documents=tuple(documents))
    assert oracle_named(task, cases, own, handed) == OfNamed(cases=8, own=0.25, given=0.75)
    assert oracle_named(task, cases[:8], own, handed) is None, "all name theirs"
    refused = tuple(Case(id=f"e{n}", input="q", output="nowhere") for n in range(4))
    told = replace(task, folds=(Fold(train=(*cases[:8], *refused), selection=()),))
    blank = [case if case.document_ids else replace(case, output="nowhere") for case in cases]
    assert oracle_named(told, cases, own, handed) is not None
    assert oracle_named(told, blank, own, handed) is None, "the others have no answer, so nothing is to be found"
    assert oracle(documents, cases, own, []) is None
    assert oracle((), cases, own, handed) is None, "the document that they name is not there"


def test_a_training_that_fails_with_another_seed_is_said_and_the_run_goes_on(
    whole: Path, model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    run = killed.bakeoff(tmp_path / "run", model)
    chosen = [each for each in run.candidates if each.name == "lora"]

    def diverged(*_: Any) -> Fitted:
        raise Diverged("the training loss became nan")

    monkeypatch.setattr("strategies.approaches.lora.Lora.again", diverged)
    run = replace(run, candidates=chosen, reuse=whole)
    run.execute()
    assert "lora: the training with another seed failed: the training loss became nan" in caplog.text
    with opened(run.folder) as store:
        assert not list(store.rows("lora", "seed"))
        assert list(store.rows("lora", "heldout"))
        (found,) = evaluations(run.benchmark, killed.described(run), store)
    assert list(next_time(found)) == [
        "Lora could not be trained a second time with another seed (the training loss became nan), so a training that works is "
        "not certain next time."
    ]


def test_a_run_that_goes_on_is_told_with_what_was_fixed_when_it_began() -> None:
    begun = replace(tiny.benchmark(), volume=500, procedure="holm", constraints=Constraints(cost_per_month=3.0))
    edited = replace(begun, volume=9, horizon_months=1, procedure="cheapest first", constraints=Constraints())
    assert as_begun(edited, freeze(begun)) == begun


def test_on_another_device_a_run_with_a_model_goes_on_and_does_nothing_twice(
    model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv("ADVISOR_ATTENTION", "own")
    run = small(tmp_path / "run", model)
    few = [replace(each, model="tiny") for each in run.candidates if each.name in ("majority", "copy nearest")]
    run = replace(run, candidates=few, models=tiny.models(model), performed=few[:1])
    run.execute()
    elsewhere = replace(tiny.models(model), _placement=replace(tiny.FLOAT32, device="mps"))
    replace(run, models=elsewhere, performed=None).execute()
    assert "this run began on" in caplog.text
    with opened(run.folder) as store:
        assert set(store.starts().values()) == {1}
        assert store.meta("identity") == run.identity()
        assert ", float32" in store.meta("provenance")["also on"]
        assert set(store.candidates()) == {"majority", "copy nearest"}
    other = replace(tiny.models(tiny.model_folder(tmp_path, seed=5)), _placement=elsewhere.placement)
    with pytest.raises(BadInput, match="The run in run was made with weights"):
        replace(run, models=other).execute()
    forked = replace(run, folder=tmp_path / "forked", performed=None, reuse=run.folder, fork=True)
    forked.execute()
    with opened(forked.folder) as store, opened(run.folder) as before:
        assert store.meta("provenance")["also on"] == before.meta("provenance")["also on"]


def test_a_run_that_goes_on_on_another_machine_says_so_and_its_report_names_both(
    model: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    run = killed.bakeoff(tmp_path, model)
    mine = [each for each in run.candidates if not each.model][:2]
    replace(run, candidates=mine, performed=mine[:1]).execute()
    replace(run, candidates=mine, performed=mine[:1]).execute()
    with closing(Store(tmp_path / "run.sqlite")) as store:
        made = store.meta("provenance")
        store.set_meta(
            "provenance", made | {"machine": "Other (abc), 64 cores, torch 2", "placement": "cuda, bfloat16"}
        )
    replace(run, candidates=mine, performed=mine[:1]).execute()
    assert not caplog.messages, "nothing was left to measure"
    replace(run, candidates=mine, performed=mine).execute()
    here = f"{made['machine']} ({bare(made['placement'])})"
    assert caplog.messages == [
        f"this run began on Other (abc), 64 cores, torch 2 (cuda, bfloat16) and goes on on {here}: waiting times and costs of "
        "what each of them measured differ as the two do. A run in another folder measures all on one"
    ]
    with closing(Store(tmp_path / "run.sqlite")) as store:
        assert store.meta("provenance")["also on"] == here


def test_an_answer_that_several_cases_share_is_paid_once(tmp_path: Path) -> None:
    plain = tiny.benchmark(heldout=12)
    copies = tuple(dataclasses.replace(plain.heldout[0], id=f"copy {number}") for number in range(8))
    run = Run(
        benchmark=dataclasses.replace(plain, heldout=(*plain.heldout, *copies)),
        candidates=[Candidate(name="prompting", strategy=Prompting(), model="model")],
        models=tiny.scripted(model=lambda prompt: "refund"),
        options=Options(tuning_tokens=2_000, probes=False),
        folder=tmp_path,
    )
    run.execute()
    with opened(tmp_path) as store:
        rows = list(store.rows("prompting", "heldout"))
        spent = sum(usage.calls for usage in store.usage("prompting", "answer"))
    assert len(rows) == 20
    assert (
        spent == sum(usage.calls for row in rows if not row.key.startswith("copy") for usage in row.outcome.usage) > 0
    )


@pytest.mark.skipif(not machine_load.STATISTICS.is_file(), reason="the system does not say what its processors did")
def test_answers_note_what_other_programs_took_meanwhile(model: Path, tmp_path: Path) -> None:
    run = small(tmp_path / "run", model)
    run.execute()
    with opened(run.folder) as store:
        notes = [note for _, note in store.all_notes("answer")]
    assert notes
    assert all(note[machine_load.BESIDE][0] >= 0 and note[machine_load.BESIDE][1] > 0 for note in notes)
