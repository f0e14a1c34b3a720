"""The contract of approaches: every one that is found here is held to it, with a tiny model that really runs."""

from __future__ import annotations

import dataclasses
import json
import random
import types
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar

import pytest

from benchmarks.contract import Benchmark, Candidate
from benchmarks.probes.curve import sampled
from benchmarks.running.plan import Options
from benchmarks.running.run import Run
from strategies.approaches.recorded import Recorded, RecordedAnswer
from strategies.approaches.retrieval import looks_up_examples
from strategies.catalog import approaches
from strategies.contract import (
    Abstention,
    Case,
    Failure,
    Family,
    Fitted,
    Fold,
    Kind,
    Outcome,
    Prediction,
    Query,
    Sampling,
    Strategy,
    Task,
    Usage,
    Workbench,
)
from strategies.models.local import LocalModel
from strategies.pipeline import Pipeline, Setup
from strategies.search import Look
from strategies.selection import PipelineBuilder, evidence_of
from strategies.weighing import priors_of
from tests import tiny
from tests.tiny_embedder import TrainableHashes, trainable

KINDS: tuple[Kind, ...] = ("classification", "qa", "extraction", "generation")
WITH_A_MODEL: tuple[Kind, ...] = ("classification", "qa")
"""Approaches with a language model are fitted on these kinds only: each fit takes a second or two."""


def recorded() -> Strategy:
    cases = tiny.benchmark().heldout[:-1]
    answers = {tiny.query(case).key: RecordedAnswer(text=case.output, seconds=0.2, cost=0.001) for case in cases}
    return Recorded(name="an older system", answers=answers)


FOUND = (*approaches(), recorded())


def shown(strategy: Strategy) -> str:
    return f"{strategy.name} {getattr(strategy, 'prefer', '')}".strip()


def suited(strategy: Strategy) -> list[Kind]:
    kinds = WITH_A_MODEL if strategy.needs else KINDS
    return [kind for kind in kinds if not strategy.unsuitable(tiny.benchmark(kind).task)]


PAIRS = [(strategy, kind) for strategy in FOUND for kind in suited(strategy)]
each_strategy = pytest.mark.parametrize("strategy", FOUND, ids=shown)
each_pair = pytest.mark.parametrize(
    ("strategy", "kind"), PAIRS, ids=lambda value: value if isinstance(value, str) else shown(value)
)


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> LocalModel:
    return tiny.local_model(tiny.model_folder(tmp_path_factory.mktemp("model")))


@dataclass
class Fits:
    """Fits each pair once and keeps it, with the bench that it was fitted on."""

    model: LocalModel
    embedder: TrainableHashes
    place: Path
    done: dict[tuple[int, str], tuple[Fitted, tiny.Bench]] = field(default_factory=dict)

    def bench(self, name: str, seed: int = 0) -> tiny.Bench:
        return tiny.Bench(folder=self.place / name, language=self.model, embedder=self.embedder, seed=seed)

    def of(self, strategy: Strategy, kind: Kind) -> tuple[Fitted, tiny.Bench]:
        key = (FOUND.index(strategy), kind)
        if key not in self.done:
            bench = self.bench(f"{key[0]}-{kind}")
            self.done[key] = strategy.fit(tiny.benchmark(kind).task, bench), bench
        return self.done[key]


@pytest.fixture(scope="module")
def fits(model: LocalModel, tmp_path_factory: pytest.TempPathFactory) -> Fits:
    return Fits(model, trainable(tmp_path_factory.mktemp("embedder")), tmp_path_factory.mktemp("fits"))


def queries(kind: Kind) -> list[Query]:
    return [tiny.query(case) for case in tiny.benchmark(kind).heldout]


def answered(fitted: Fitted, asked: Sequence[Query]) -> dict[str, Outcome]:
    return dict(fitted.answer(asked, Sampling()))


def plain(outcome: Outcome) -> Outcome:
    """The outcome without its seconds; likelihoods to a few digits."""
    usage = tuple(dataclasses.replace(row, seconds=0.0) for row in outcome.usage)
    if isinstance(outcome, Prediction) and outcome.probabilities is not None:
        shares = {name: round(share, 5) for name, share in outcome.probabilities.items()}
        return dataclasses.replace(outcome, usage=usage, probabilities=shares)
    return dataclasses.replace(outcome, usage=usage)


# ---------------------------------------------------------------- what an approach is


@each_strategy
def test_it_is_a_frozen_configuration_that_says_what_it_is(strategy: Strategy) -> None:
    assert isinstance(strategy, Strategy)
    assert dataclasses.is_dataclass(strategy)
    with pytest.raises(dataclasses.FrozenInstanceError):
        strategy.name = "another"
    assert strategy.name
    assert strategy.simplicity >= 0
    assert all(isinstance(need, type) for need in strategy.needs)


@each_strategy
def test_the_constructor_stores_and_does_nothing_else(strategy: Strategy) -> None:
    """Built again from its own fields it is the same, and its fields are what was given."""
    given = {each.name: getattr(strategy, each.name) for each in dataclasses.fields(strategy)}  # type: ignore[arg-type]
    again = type(strategy)(**given)
    assert again == strategy
    assert repr(again) == repr(strategy)
    assert vars(again) == given
    assert "__post_init__" not in vars(type(strategy))


def test_no_two_candidates_have_one_name() -> None:
    names = [shown(strategy) for strategy in FOUND]
    assert len(names) == len(set(names))


@each_strategy
@pytest.mark.parametrize("kind", KINDS)
def test_it_suits_a_task_or_says_in_a_sentence_why_not(strategy: Strategy, kind: Kind) -> None:
    reason = strategy.unsuitable(tiny.benchmark(kind).task)
    assert reason == "" or len(reason.split()) >= 5


# ---------------------------------------------------------------- what a fit does


@each_pair
def test_every_key_is_answered_exactly_once(strategy: Strategy, kind: Kind, fits: Fits) -> None:
    fitted, _ = fits.of(strategy, kind)
    asked = queries(kind)
    found = list(fitted.answer(asked, Sampling()))
    assert sorted(key for key, _ in found) == sorted(query.key for query in asked)
    assert all(isinstance(outcome, Prediction | Abstention | Failure) for _, outcome in found)
    assert list(fitted.answer([], Sampling())) == []


@each_pair
def test_every_outcome_says_what_it_cost(strategy: Strategy, kind: Kind, fits: Fits) -> None:
    """An answer that a file does not hold is the only one that cost nothing."""
    fitted, _ = fits.of(strategy, kind)
    for outcome in answered(fitted, queries(kind)).values():
        if strategy.family == "recorded" and isinstance(outcome, Failure):
            continue
        assert outcome.usage
        assert all(row.step == "answering" for row in outcome.usage)
        if strategy.needs:
            spent, *looked_up = outcome.usage
            assert spent.model == "tiny"
            assert spent.prompt_tokens > spent.cached_tokens >= 0
            assert spent.seconds > 0
            assert [row.model for row in looked_up] == ["word hashes"] * looks_up(fitted)
            assert all(row.seconds > 0 == row.prompt_tokens for row in looked_up)


def looks_up(fitted: Any) -> bool:
    """Whether requests need passages or the nearest examples."""
    setup = fitted.describe()["setup"]
    return bool(setup["passages"] or setup["votes"] or (setup["shots"] and setup["picks"] == "nearest"))


@each_pair
def test_labels_are_answered_from_the_labels_with_shares_that_sum_to_one(
    strategy: Strategy, kind: Kind, fits: Fits
) -> None:
    fitted, _ = fits.of(strategy, kind)
    labels = tiny.benchmark(kind).task.labels
    for outcome in answered(fitted, queries(kind)).values():
        if labels and isinstance(outcome, Prediction):
            assert outcome.text in labels
            if outcome.probabilities is not None:
                assert set(outcome.probabilities) == set(labels)
                assert sum(outcome.probabilities.values()) == pytest.approx(1)
                assert outcome.text == max(outcome.probabilities, key=lambda name: outcome.probabilities[name])  # type: ignore[index]


@each_pair
def test_saved_and_loaded_it_gives_the_same_answers(strategy: Strategy, kind: Kind, fits: Fits, tmp_path: Path) -> None:
    fitted, _ = fits.of(strategy, kind)
    fitted.save(tmp_path / "fit")
    loaded = strategy.load(tmp_path / "fit", fits.bench("loading"))
    asked = queries(kind)
    before, after = answered(fitted, asked), answered(loaded, asked)
    assert {key: plain(outcome) for key, outcome in after.items()} == {
        key: plain(outcome) for key, outcome in before.items()
    }
    allowed = {".json", ".npy", ".safetensors", ".txt", ".md", ".jinja"}
    assert {path.suffix for path in (tmp_path / "fit").rglob("*") if path.is_file()} <= allowed


@each_pair
def test_what_was_chosen_is_told_in_plain_values(strategy: Strategy, kind: Kind, fits: Fits, tmp_path: Path) -> None:
    fitted, _ = fits.of(strategy, kind)
    told = json.loads(json.dumps(dict(fitted.describe())))
    fitted.save(tmp_path / "fit")
    again = strategy.load(tmp_path / "fit", fits.bench("telling")).describe()
    assert json.loads(json.dumps(dict(again))) == told


@each_pair
def test_the_same_seed_gives_the_same_answers(strategy: Strategy, kind: Kind, fits: Fits) -> None:
    """Fitted once more with nothing remembered."""
    fitted, _ = fits.of(strategy, kind)
    again = strategy.fit(tiny.benchmark(kind).task, fits.bench(f"again-{kind}"))
    asked = queries(kind)
    before, after = answered(fitted, asked), answered(again, asked)
    assert {key: plain(outcome) for key, outcome in after.items()} == {
        key: plain(outcome) for key, outcome in before.items()
    }


@each_pair
def test_built_again_with_another_seed_it_answers_and_nothing_is_chosen(
    strategy: Strategy, kind: Kind, fits: Fits, tmp_path: Path
) -> None:
    """What says that no seed would change it must indeed come out the same with another one."""
    fitted, _ = fits.of(strategy, kind)
    fitted.save(tmp_path / "fit")
    task, bench = tiny.benchmark(kind).task, fits.bench(f"other-{kind}", seed=1)
    other = strategy.again(tmp_path / "fit", task, bench)
    asked = queries(kind)
    if other is not None:
        assert set(answered(other, asked)) == {query.key for query in asked}
        assert bench.trials == []
        assert other.describe().get("setup") == fitted.describe().get("setup")
    else:
        before, after = answered(fitted, asked), answered(strategy.load(tmp_path / "fit", bench), asked)
        assert {key: plain(outcome) for key, outcome in after.items()} == {
            key: plain(outcome) for key, outcome in before.items()
        }


@each_pair
def test_built_from_fewer_examples_it_knows_only_these(
    strategy: Strategy, kind: Kind, fits: Fits, tmp_path: Path
) -> None:
    """What says that their number changes nothing must not look examples up when it answers."""
    fitted, _ = fits.of(strategy, kind)
    fitted.save(tmp_path / "fit")
    few = sampled(tiny.benchmark(kind).task, 12, 1)
    smaller = strategy.rebuilt(tmp_path / "fit", few, fits.bench(f"fewer-{kind}"))
    asked = queries(kind)
    if smaller is None:
        assert not (isinstance(fitted, Pipeline) and looks_up_examples(fitted.setup))
        return
    assert set(answered(smaller, asked)) == {query.key for query in asked}
    smaller.save(tmp_path / "smaller")
    left_out = {case.input for case in tiny.benchmark(kind).task.examples} - {case.input for case in few.examples}
    kept = "".join(path.read_text(encoding="utf-8") for path in (tmp_path / "smaller").glob("*.json"))
    assert not any(json.dumps(text)[1:-1] in kept for text in left_out)


@each_pair
def test_where_there_is_a_choice_at_least_six_are_tried_and_told(strategy: Strategy, kind: Kind, fits: Fits) -> None:
    fitted, bench = fits.of(strategy, kind)
    tried = fitted.describe().get("configurations_tried", 0)
    least = (
        4 if strategy.family in ("finetuning", "combined") else 6
    )  # A small budget pays for no more trainings of two steps.
    assert tried == 0 or tried >= least
    assert len(bench.trials) == tried
    assert all(trial.approach == strategy.name and 0 <= trial.score <= 1 for trial in bench.trials)
    assert not strategy.needs or tried
    assert not tried or fitted.describe()["selection_answers"]


@each_pair
def test_what_fitting_cost_is_recorded(strategy: Strategy, kind: Kind, fits: Fits) -> None:
    _, bench = fits.of(strategy, kind)
    assert all(row.step != "answering" for row in bench.spent)
    if strategy.needs:
        assert {"search"} <= {row.step for row in bench.spent}
        assert ("training" in {row.step for row in bench.spent}) == (strategy.family in ("finetuning", "combined"))
        indexes = [row.model for row in bench.spent if row.step == "index"]
        fitted, _ = fits.of(strategy, kind)
        assert indexes == ["word hashes"] * looks_up(fitted), "one is what following changed facts takes"


def test_what_another_approach_left_in_the_journal_changes_no_choice(fits: Fits) -> None:
    """Trainings are shared where they are the same; what each approach makes of their evidence is its own."""
    by_name = {strategy.name: strategy for strategy in FOUND}
    task = tiny.benchmark(examples=60).task
    alone, shared = fits.bench("alone"), fits.bench("shared")
    wanted = by_name["lora + retrieval"].fit(task, alone)
    by_name["lora"].fit(task, shared)
    before = len(shared.journal.known)
    found = by_name["lora + retrieval"].fit(task, shared)
    assert len(shared.journal.known) - before < len(alone.journal.known) / 2
    assert found.describe() == wanted.describe()
    assert shared.trials[-len(alone.trials) :] == alone.trials


@pytest.mark.parametrize("kind", ["extraction", "qa", "generation"])
def test_setups_that_are_looked_at_together_answer_as_each_alone(kind: Kind, fits: Fits, model: LocalModel) -> None:
    """Free answers of all setups are written in one call of the model; scores and costs stay with their setup."""
    task = tiny.benchmark(kind, examples=60).task
    builder = PipelineBuilder(task, fits.bench(f"together-{kind}"))
    setups = [Setup(shots=shots, picks=picks) for shots in (0, 3, 5) for picks in ("random", "nearest")]
    cases = task.folds[0].selection[:10]
    alone = [look for setup in setups for look in builder.looks([setup], 0, cases)]
    together = list(builder.looks(setups, 0, cases))
    assert [_without_sureness(look) for look in together] == [_without_sureness(look) for look in alone]
    for one, other in zip(
        together, alone, strict=True
    ):  # How likely an answer was found is a sum that its neighbours touch.
        assert _sureness(one) == pytest.approx(_sureness(other), abs=1e-4)
    assert [look.scores for look in together] == [look.scores for look in alone]
    assert [[row.prompt_tokens for row in look.usage] for look in together] == [
        [row.prompt_tokens for row in look.usage] for look in alone
    ]
    assert len({tuple(map(tuple, look.notes["answers"])) for look in together}) > 2


def _without_sureness(look: Look) -> dict[str, Any]:
    return {**look.notes, "answers": [[*row[:3], *row[4:]] for row in look.notes["answers"]]}


def _sureness(look: Look) -> list[float]:
    return [row[3] for row in look.notes["answers"]]


# ---------------------------------------------------------------- the answer key


def test_a_task_has_no_held_out_cases_and_a_query_no_answer() -> None:
    assert {each.name for each in dataclasses.fields(Query)} == {"key", "input"}
    holds_cases = {
        each.name for each in dataclasses.fields(Task) if "Case" in str(each.type) or "Fold" in str(each.type)
    }
    assert holds_cases == {"folds"}
    assert {each.name for each in dataclasses.fields(Fold)} == {"train", "selection"}
    benchmark = tiny.benchmark()
    ids = {case.id for case in benchmark.heldout}
    assert not ids & {case.id for case in benchmark.task.examples}


def test_a_key_is_made_from_the_input_alone() -> None:
    one = Case(id="refund-1", input="Where is it?", output="refund")
    other = Case(id="delivery-9", input="Where is it?", output="delivery")
    assert tiny.query(one) == tiny.query(other)
    assert "refund" not in tiny.query(one).key


def reachable(*roots: Any) -> Iterator[Any]:
    """Everything that can be got at from some objects through attributes, containers, bound methods and closures."""
    seen: set[int] = set()
    waiting = list(roots)
    while waiting:
        each = waiting.pop()
        if id(each) in seen or isinstance(each, types.ModuleType | type):
            continue
        seen.add(id(each))
        yield each
        if isinstance(each, Mapping):
            waiting += [*each.keys(), *each.values()]
        elif isinstance(each, list | tuple | set | frozenset):
            waiting += each
        elif isinstance(each, types.MethodType):
            waiting += [each.__self__, each.__func__]
        elif isinstance(each, types.FunctionType):
            waiting += [cell.cell_contents for cell in each.__closure__ or ()]
        waiting += list(vars(each).values()) if hasattr(each, "__dict__") else []


SEEN: list[Any] = []
"""Whatever the spy was handed."""


@dataclass(frozen=True, kw_only=True)
class Spy:
    """An approach that keeps everything that it is given, and answers with what it finds there."""

    name: ClassVar[str] = "spy"
    family: ClassVar[Family] = "reference"
    needs: ClassVar[tuple[type, ...]] = ()
    simplicity: ClassVar[int] = 0

    def unsuitable(self, task: Task) -> str:
        SEEN.append(task)
        return ""

    def fit(self, task: Task, bench: Workbench) -> Fitted:
        SEEN.extend([task, bench])
        return self

    def load(self, folder: Path, bench: Workbench) -> Fitted:
        SEEN.append(bench)
        return self

    def again(self, folder: Path, task: Task, bench: Workbench) -> Fitted:
        SEEN.extend([task, bench])
        return self

    def rebuilt(self, folder: Path, task: Task, bench: Workbench) -> Fitted:
        SEEN.extend([task, bench])
        return self

    def answer(self, queries: Sequence[Query], sampling: Sampling) -> Iterator[tuple[str, Outcome]]:
        SEEN.extend([queries, sampling])
        for query in queries:
            yield query.key, Prediction(text="?", usage=(Usage(model="", step="answering"),))

    def save(self, folder: Path) -> None:
        folder.mkdir(parents=True)

    def describe(self) -> Mapping[str, Any]:
        return {}


def with_canaries() -> Benchmark:
    """Held-out cases whose answers, ids and notes are words that stand nowhere else."""
    base = tiny.benchmark()
    heldout = tuple(
        dataclasses.replace(
            case,
            id=f"canary-id-{place}",
            output=f"canary-answer-{place}",
            answers=(f"canary-other-{place}",),
            metadata={"note": f"canary-note-{place}"},
        )
        for place, case in enumerate(base.heldout)
    )
    return dataclasses.replace(base, heldout=heldout)


def test_the_answer_key_reaches_no_approach_through_anything_that_it_is_handed(tmp_path: Path) -> None:
    SEEN.clear()
    benchmark = with_canaries()
    Run(
        benchmark=benchmark,
        candidates=[Candidate(name="spy", strategy=Spy(), model="")],
        models=tiny.models(tmp_path),
        options=Options(),
        folder=tmp_path / "run",
    ).execute()
    asked = {each.input for each in SEEN[0:0]} | {
        query.input for each in SEEN if isinstance(each, list) for query in each if isinstance(query, Query)
    }
    assert {case.input for case in benchmark.heldout} <= asked, "The spy was asked about the held-out cases."
    for each in reachable(*SEEN):
        assert not (isinstance(each, str) and "canary" in each)
        assert not isinstance(each, Benchmark)
        assert not (isinstance(each, Case) and each in benchmark.heldout)


def test_the_walk_of_the_spy_would_find_a_leak() -> None:
    """Through a bound method, a closure and a field: the three ways in which one could happen."""
    benchmark = with_canaries()

    @dataclass
    class Holder:
        inside: Any

        def method(self) -> None: ...

    def closing(value: Any) -> Any:
        return lambda: value

    for leak in (Holder(benchmark), Holder(benchmark).method, closing([benchmark])):
        assert any(isinstance(each, str) and "canary-answer-0" in each for each in reachable(leak))


# ---------------------------------------------------------------- what sets the rungs apart


def test_majority_reads_no_input_and_nearest_copies_its_example(fits: Fits) -> None:
    by_name = {shown(strategy): strategy for strategy in FOUND}
    fitted, _ = fits.of(by_name["majority"], "classification")
    assert len({outcome.text for outcome in answered(fitted, queries("classification")).values()}) == 1  # type: ignore[union-attr]
    nearest, _ = fits.of(by_name["copy nearest"], "classification")
    example = random.Random(0).choice(tiny.benchmark().task.examples)
    (outcome,) = answered(nearest, [tiny.query(example)]).values()
    assert isinstance(outcome, Prediction)
    assert outcome.text == example.output
    assert outcome.evidence[0].document_id == example.id


@pytest.mark.parametrize("name", ["linear head", "tf-idf"])
def test_a_head_learns_what_words_tell(name: str, fits: Fits) -> None:
    """Far above the quarter that guessing gives."""
    head = next(strategy for strategy in FOUND if strategy.name == name)
    cases = tiny.benchmark(examples=48, heldout=40)
    fitted = head.fit(cases.task, fits.bench(name))
    found = answered(fitted, [tiny.query(case) for case in cases.heldout])
    right = sum(found[tiny.query(case).key].text == case.output for case in cases.heldout)  # type: ignore[union-attr]
    assert right >= 24


@pytest.mark.parametrize("name", ["copy nearest", "linear head", "tf-idf"])
def test_a_label_is_known_by_its_words_before_any_example_has_it(name: str, fits: Fits) -> None:
    rung = next(strategy for strategy in FOUND if strategy.name == name)
    task = tiny.benchmark(examples=48).task
    unseen = "cancel_account"

    def without(cases: Sequence[Case]) -> tuple[Case, ...]:
        return tuple(case for case in cases if case.output != unseen)

    folds = tuple(Fold(train=without(fold.train), selection=without(fold.selection)) for fold in task.folds)
    fitted = rung.fit(dataclasses.replace(task, folds=folds), fits.bench(name))
    (outcome,) = answered(fitted, [Query.of("cancel account")]).values()
    assert isinstance(outcome, Prediction)
    assert outcome.text == unseen
    (other,) = answered(fitted, [Query.of("login")]).values()
    assert isinstance(other, Prediction)
    assert other.text == "login"
    assert fitted.describe().get("examples", 36) == 36, "labels are counted as none"


def test_texts_without_a_word_are_answered_by_counting_too(fits: Fits) -> None:
    """In an alphabet of signs there is nothing to count: the commonest label remains, and nothing fails."""
    head = next(strategy for strategy in FOUND if strategy.name == "tf-idf")
    task = tiny.benchmark().task
    signs = tuple(dataclasses.replace(case, input="?" * place) for place, case in enumerate(task.examples))
    fold = Fold(train=signs[:16], selection=signs[16:])
    fitted = head.fit(dataclasses.replace(task, folds=(fold,)), fits.bench("signs"))
    (outcome,) = answered(fitted, [Query.of("!!")]).values()
    assert isinstance(outcome, Prediction)
    assert outcome.text in task.labels


def test_the_demonstrations_that_were_looked_at_are_shown_with_the_prior_that_they_had(fits: Fits) -> None:
    task = tiny.benchmark().task
    builder = PipelineBuilder(task, fits.bench("prior"))
    sets = builder.draws(Setup(shots=2, picks="random"))
    assert len(sets) > 1
    for setup in (*sets[:2], Setup()):
        notes = [look.notes for look in builder.looks([setup], 0, task.folds[0].selection)]
        fitted = builder.finish(setup, evidence_of(notes))
        assert fitted.fixed_ids == setup.shown
        assert set(setup.shown) <= {case.id for case in task.folds[0].train}
        assert fitted.prior == priors_of(evidence_of(notes))[" ".join(setup.shown)]


def test_a_search_for_demonstrations_leaves_nothing_to_the_seed(fits: Fits) -> None:
    for strategy in FOUND:
        if strategy.family == "prompting":
            setup = fits.of(strategy, "classification")[0].describe()["setup"]
            assert bool(setup["shown"]) == (setup["shots"] > 0)
            assert len(setup["shown"]) == setup["shots"]


def test_evidence_comes_with_the_answer_where_documents_are_searched(fits: Fits) -> None:
    for strategy in FOUND:
        if strategy.family == "retrieval":
            fitted, _ = fits.of(strategy, "qa")
            documents = {document.id for document in tiny.rooms()}
            for outcome in answered(fitted, queries("qa")).values():
                assert isinstance(outcome, Prediction)
                assert outcome.evidence
                assert {item.document_id for item in outcome.evidence} <= documents


def test_a_recorded_system_says_what_its_file_lacks() -> None:
    fitted = recorded().fit(tiny.benchmark().task, tiny.Bench(folder=Path("unused")))
    *known, last = tiny.benchmark().heldout
    found = answered(fitted, queries("classification"))
    assert all(found[tiny.query(case).key].text == case.output for case in known)  # type: ignore[union-attr]
    missing = found[tiny.query(last).key]
    assert isinstance(missing, Failure)
    assert "no answer to this input" in missing.message
