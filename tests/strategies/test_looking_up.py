"""What looking things up costs: the index as the fit's, the time of each search as the answer's, whoever answers."""

from __future__ import annotations

import json
import time
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest

from advisor.costs.economics import costs
from benchmarks.contract import Row
from benchmarks.costs.prices import MachinePrices, Upkeep
from benchmarks.evaluation.evaluate import latency_of
from strategies.approaches.lora_retrieval import LoraRetrieval
from strategies.approaches.retrieval import Retrieval
from strategies.contract import Embedder, Prediction, Query, Sampling, Usage
from strategies.models.embedding import LocalEmbedder
from strategies.models.local import LocalModel
from strategies.models.weights import resolve
from strategies.pipeline import Pipeline, Setup, load_pipeline
from strategies.retrieval.chunking import cut
from strategies.retrieval.index import PassageIndex
from strategies.retrieval.neighbours import Neighbours
from strategies.retrieval.timed import Stopwatch
from strategies.search import total
from strategies.selection import PipelineBuilder
from tests import tiny
from tests.scripted import ScriptedModel
from tests.tiny_embedder import embedder_folder, prompted
from tests.verdict_cases import benchmark_of, evaluation_of, scores_of

SLOW = 0.002
"""Seconds that a text takes at least."""
DOCUMENTS, PLAIN = tiny.benchmark("qa"), tiny.benchmark("generation")


@dataclass(frozen=True, kw_only=True)
class Slow(tiny.WordHashes):
    """Takes its time, and notes how many texts it was given at once."""

    asked: list[int] = field(default_factory=list, compare=False)

    def embed(self, texts: Sequence[str]) -> Any:
        self.asked.append(len(texts))
        time.sleep(SLOW * len(texts))
        return super().embed(texts)


def bench_of(place: Path, embedder: Embedder | None = None) -> tiny.Bench:
    model = ScriptedModel(name="scripted", answer=lambda prompt: "4")
    return tiny.Bench(folder=place, language=model, embedder=embedder or Slow())


def seconds(rows: Sequence[Usage], step: str, model: str = "word hashes") -> float:
    return sum(row.seconds for row in rows if (row.step, row.model) == (step, model))


def used(pipeline: Pipeline, cases: Sequence[Any]) -> list[tuple[Usage, ...]]:
    found = dict(pipeline.answer([tiny.query(case) for case in cases], Sampling()))
    assert all(isinstance(outcome, Prediction) for outcome in found.values())
    return [outcome.usage for outcome in found.values()]


# ---------------------------------------------------------------- answers


def test_the_time_of_a_search_is_shared_out_among_the_answers_that_it_was_for(tmp_path: Path) -> None:
    pipeline = PipelineBuilder(DOCUMENTS.task, bench_of(tmp_path)).build(Setup(passages=2), DOCUMENTS.task.examples)
    begun = time.perf_counter()
    found = used(pipeline, DOCUMENTS.heldout)
    whole = time.perf_counter() - begun
    assert {tuple(row.model for row in usage) for usage in found} == {("scripted", "word hashes")}
    looked_up = [row for _, row in found]
    assert all((row.step, row.prompt_tokens, row.calls) == ("answering", 0, 1) for row in looked_up)
    assert SLOW * len(DOCUMENTS.heldout) <= sum(row.seconds for row in looked_up) <= whole
    assert len({row.seconds for row in looked_up}) == 1


def test_what_looks_nothing_up_says_nothing_of_it(tmp_path: Path) -> None:
    bench = bench_of(tmp_path)
    for setup in (Setup(), Setup(shots=3)):
        found = used(PipelineBuilder(DOCUMENTS.task, bench).build(setup, DOCUMENTS.task.examples), DOCUMENTS.heldout)
        assert {tuple(row.model for row in usage) for usage in found} == {("scripted",)}
    assert bench.spent == []


def test_answers_do_not_pay_for_the_index_of_the_examples(tmp_path: Path) -> None:
    """It is built when something is looked up for the first time, which a server is not asked for beforehand."""
    bench = bench_of(tmp_path)
    made = PipelineBuilder(PLAIN.task, bench).build(Setup(shots=2, picks="nearest"), PLAIN.task.examples)
    made.save(tmp_path / "fit")
    bench.embedder.asked.clear()  # type: ignore[attr-defined]
    (usage,) = used(load_pipeline(tmp_path / "fit", bench), PLAIN.heldout[:1])
    assert bench.embedder.asked == [len(PLAIN.task.examples), 1]  # type: ignore[attr-defined]
    assert SLOW <= usage[1].seconds < SLOW * len(PLAIN.task.examples)


def test_votes_are_part_of_it(tmp_path: Path) -> None:
    benchmark = tiny.benchmark()
    model = tiny.local_model(tiny.model_folder(tmp_path / "model"))
    bench = replace(bench_of(tmp_path), language=model)
    pipeline = PipelineBuilder(benchmark.task, bench, uses_votes=True).build(Setup(votes=0.5), benchmark.task.examples)
    found = used(pipeline, benchmark.heldout)
    assert seconds([row for usage in found for row in usage], "answering") >= SLOW * len(benchmark.heldout)
    _, spent = pipeline.label_evidence([tiny.query(case) for case in benchmark.heldout], "search")
    assert {row.step for row in spent} == {"search"}
    assert seconds(spent, "search") > 0, "the vectors are at hand, and the neighbours are looked for again"


def test_how_many_answers_there_are_a_second_counts_looking_up(tmp_path: Path) -> None:
    pipeline = PipelineBuilder(DOCUMENTS.task, bench_of(tmp_path)).build(Setup(passages=2), DOCUMENTS.task.examples)
    found = dict(pipeline.answer([tiny.query(case) for case in DOCUMENTS.heldout], Sampling()))
    rows = [Row(candidate="c", purpose="heldout", key=key, outcome=each, score=1.0) for key, each in found.items()]
    told = latency_of({"seconds": [0.1]}, rows)
    assert told is not None
    assert told.throughput_per_s is not None
    assert 0 < told.throughput_per_s <= 1 / SLOW


# ---------------------------------------------------------------- fitting


def test_a_fit_pays_for_its_index_and_for_what_it_looks_up_while_it_chooses(tmp_path: Path) -> None:
    bench = bench_of(tmp_path)
    Retrieval().fit(DOCUMENTS.task, bench)
    (index,) = [row for row in bench.spent if row.step == "index"]
    assert index.model == "word hashes"
    assert index.seconds >= SLOW * len(DOCUMENTS.task.documents)
    looked_at = sum(len(fold.selection) for fold in DOCUMENTS.task.folds)
    assert seconds(bench.spent, "search") >= SLOW * looked_at
    assert {row.model for row in bench.spent} == {"word hashes", "scripted"}


def test_a_fit_that_is_taken_over_cost_what_it_cost_at_first(tmp_path: Path) -> None:
    first = bench_of(tmp_path)
    Retrieval().fit(DOCUMENTS.task, first)
    again = replace(bench_of(tmp_path), journal=first.journal)
    Retrieval().fit(DOCUMENTS.task, again)
    assert again.spent == first.spent, "seconds included"


def test_an_index_of_another_size_is_part_of_choosing(tmp_path: Path) -> None:
    bench = bench_of(tmp_path)
    builder = PipelineBuilder(DOCUMENTS.task, bench)
    cases = DOCUMENTS.task.folds[0].selection
    small, again = builder.looks([Setup(passages=1, passage_words=words) for words in (5, 5)], 0, cases)
    assert [row.step for row in bench.spent] == ["index"]
    usual, other = builder.looks([Setup(passages=1), Setup(passages=1, passage_words=8)], 0, cases)
    assert [row.step for row in bench.spent] == ["index"]
    built = SLOW * len(DOCUMENTS.task.documents)
    assert bench.spent[0].seconds >= built
    dear, cheap = seconds(usual.usage, "search"), [seconds(look.usage, "search") for look in (small, again, other)]
    assert dear - max(cheap) >= 1.5 * built, "two more were built before the first of the looks that they are for"


def test_following_changed_facts_costs_the_index_of_a_real_fit(tmp_path: Path) -> None:
    bench = bench_of(tmp_path)
    Retrieval().fit(DOCUMENTS.task, bench)
    index = seconds(bench.spent, "index")
    measured = evaluation_of("retrieval", scores_of(290, 300), model="scripted", fitting=total(bench.spent))
    prices = MachinePrices(upkeep=Upkeep(facts_months=0.5))
    bill = costs(measured, benchmark_of(volume=10_000), prices)
    kept = {item.name: item.amount.value for item in bill.items if item.when == "monthly" and not item.by_request}
    assert kept == {"building the index anew, every 0.5 months": pytest.approx(2 * index)}


def test_what_is_looked_up_for_training_belongs_to_the_training(tmp_path: Path) -> None:
    model: LocalModel = tiny.local_model(tiny.model_folder(tmp_path / "model"))
    bench = tiny.Bench(folder=tmp_path, language=model, embedder=Slow())
    fitted = LoraRetrieval().fit(DOCUMENTS.task, bench)
    assert set(fitted.describe()["found"]["shares"]) == {"hybrid", "dense"}, "it says by what its search was chosen"
    assert seconds(bench.spent, "training") >= SLOW * len(DOCUMENTS.task.examples)
    assert seconds(bench.spent, "training", "tiny") > 0


# ---------------------------------------------------------------- vectors that are kept


class Slowed(LocalEmbedder):
    """A real embedder whose encoder takes its time."""

    def _module(self) -> Any:
        module = super()._module()
        encode = module.encode

        def slowly(texts: Sequence[str], **how: Any) -> Any:
            time.sleep(SLOW * len(texts))
            return encode(texts, **how)

        module.encode = slowly
        return module


def counted(encode: Any) -> tuple[Any, list[int]]:
    """An encoder that notes how many texts it is given, and takes no time of its own."""
    asked: list[int] = []

    def noting(texts: Sequence[str], **how: Any) -> Any:
        asked.append(len(texts))
        return encode(texts, **how)

    return noting, asked


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return embedder_folder(tmp_path_factory.mktemp("embedder"))


def test_each_approach_pays_for_its_index_though_the_vectors_are_made_once(folder: Path, tmp_path: Path) -> None:
    embedder = Slowed(name="slowed", folder=folder, fingerprint="f")
    found = []
    for _ in range(2):
        bench = bench_of(tmp_path, embedder)
        begun = time.perf_counter()
        PipelineBuilder(DOCUMENTS.task, bench).indexes.of()
        found.append((seconds(bench.spent, "index", "slowed"), time.perf_counter() - begun))
    least = SLOW * len(DOCUMENTS.task.documents)
    assert all(paid >= least for paid, _ in found)
    assert found[1][1] < found[1][0], "the second one did not have to wait for it"


def test_what_was_spared_is_what_the_same_texts_took_before(folder: Path) -> None:
    embedder = Slowed(name="slowed", folder=folder, fingerprint="f")
    embedder.embed(["one", "two"])
    assert embedder.spared_s == 0.0
    embedder.embed(["one", "two", "one"])
    once = embedder.spared_s
    assert once >= 2 * SLOW
    embedder.embed(["one", "two"])
    assert embedder.spared_s == pytest.approx(2 * once)
    embedder.remember = False
    embedder.embed(["one", "two"])
    assert embedder.spared_s == pytest.approx(2 * once), "what is not looked up is made, and timed, each time"
    assert embedder.unloaded().spared_s == 0.0


def test_whoever_asks_for_a_part_of_what_is_common_is_charged_for_that_part(folder: Path) -> None:
    embedder = Slowed(name="slowed", folder=folder, fingerprint="f", common=["one", "two", "three", "four"])
    embedder.embed([])
    paid, waited = [], []
    for _ in range(2):
        begun, watch = time.perf_counter(), Stopwatch(embedder)
        embedder.embed(["three"])
        paid.append(watch.usage("index").seconds)
        waited.append(time.perf_counter() - begun)
    assert min(paid) >= SLOW
    assert paid[0] < waited[0] / 2, "the first waits for all of them"
    assert paid[1] > waited[1]


WORDS = [f"{'where is it ' * (number % 40)}{number}" for number in range(600)]


def test_vectors_do_not_depend_on_what_was_read_before(folder: Path) -> None:
    common, others = WORDS[:300], WORDS[300:]
    calls = [WORDS[100:120], others[:150], [*others[:149], *common[::7]], others[50:90], common]

    def embedder() -> LocalEmbedder:
        return LocalEmbedder(name="tiny", folder=folder, fingerprint="f", common=common)

    alone = [embedder().embed(call) for call in calls]
    for order in ([0, 1, 2, 3, 4], [4, 3, 2, 1, 0], [2, 2, 0, 0, 3, 1, 4, 1]):
        one = embedder()
        for each in order:
            assert (one.embed(calls[each]) == alone[each]).all()
    one.remember = False
    apart = one.embed(calls[3])
    assert (apart == alone[3]).all(), "what is answered finds nothing that was kept, and makes it as it was made"
    beside = LocalEmbedder(name="tiny", folder=folder, fingerprint="f", remember=False).embed(common)[100:120]
    assert beside == pytest.approx(alone[0], abs=1e-5)


def test_a_text_more_reads_only_those_near_it_again(folder: Path) -> None:
    texts = [str(number) for number in range(3000)]
    embedder = LocalEmbedder(name="tiny", folder=folder, fingerprint="f")
    embedder.model.encode, asked = counted(embedder.model.encode)
    embedder.embed(texts)
    assert sum(asked) == len(texts)
    asked.clear()
    embedder.embed([*texts[:1500], "one more", *texts[1500:]])
    assert 0 < sum(asked) < len(texts) / 2


def test_documents_are_searched_with_the_prompts_that_the_embedder_states(folder: Path, tmp_path: Path) -> None:
    """And examples, like requests, without: they are texts of one kind."""
    stated = {"query": "find the answer to ", "document": "room and floor "}
    embedder = LocalEmbedder(name="tiny", folder=prompted(folder, tmp_path / "model", stated), fingerprint="f")
    assert resolve(str(embedder.folder)).fingerprint != resolve(str(folder)).fingerprint, "another embedder"
    asked, how = ["How many seats has Room Ada?"], {"normalize_embeddings": True}
    index, own = PassageIndex.build(tiny.rooms(), embedder), embedder.model
    texts = [passage.text for passage in index.passages]
    assert index.vectors == pytest.approx(own.encode_document(texts, **how), abs=1e-5)
    index.save(tmp_path / "index")
    saved, changed = PassageIndex.load(tmp_path / "index", embedder), tiny.rooms()[:1]

    def found(index: PassageIndex) -> list[float]:
        return [each.score for each in index.search(asked, len(texts), "dense")[0]]

    wanted = sorted((own.encode_query(asked, **how) @ index.vectors.T)[0].tolist(), reverse=True)
    for one in (index, saved, saved.updated(changed, cut(changed))):
        assert found(one) == pytest.approx(wanted, abs=1e-5)
    (nearest, *_) = saved.passages_of([passage.document_id for passage in saved.passages], asked[0])
    assert nearest.score == pytest.approx(wanted[0], abs=1e-5)
    assert Neighbours(PLAIN.task.examples[:1], embedder).vectors() == pytest.approx(
        own.encode([PLAIN.task.examples[0].input], **how), abs=1e-5
    )
    about = json.loads((tmp_path / "index" / "manifest.json").read_text(encoding="utf-8"))
    assert about.pop("prompts") == stated
    (tmp_path / "index" / "manifest.json").write_text(json.dumps(about), encoding="utf-8")
    bare = sorted((own.encode(asked, **how) @ index.vectors.T)[0].tolist(), reverse=True)
    assert found(PassageIndex.load(tmp_path / "index", embedder)) == pytest.approx(bare, abs=1e-5), "as it was made"
    assert bare != pytest.approx(wanted, abs=1e-5)


@pytest.mark.parametrize(
    ("stated", "prompts"),
    [
        ({}, {}),
        ({"query": "", "document": "", "classification": "sort: "}, {}),
        ({"query": "ask: "}, {"query": "ask: ", "document": ""}),
        ({"query": "ask: ", "document": "", "passage": "told: "}, {"query": "ask: ", "document": "told: "}),
    ],
)
def test_without_prompts_for_a_search_texts_are_read_as_they_are(
    stated: dict[str, str], prompts: dict[str, str], folder: Path, tmp_path: Path
) -> None:
    embedder = LocalEmbedder(name="tiny", folder=prompted(folder, tmp_path / "model", stated), fingerprint="f")
    assert embedder.prompts == prompts
    if not prompts:
        index = PassageIndex.build(tiny.rooms(), embedder)
        assert (index.vectors == embedder.embed([passage.text for passage in index.passages])).all()
        index.save(tmp_path / "index")
        assert "prompts" not in json.loads((tmp_path / "index" / "manifest.json").read_text(encoding="utf-8"))


def test_requests_are_the_same_whatever_they_took(tmp_path: Path) -> None:
    pipeline = PipelineBuilder(DOCUMENTS.task, bench_of(tmp_path)).build(Setup(passages=1), DOCUMENTS.task.examples)
    asked = [Query.of("How many seats has Room Ada?")]
    first, again = pipeline.requests(asked), pipeline.requests(asked)
    assert first == again
    assert first[0].looked_up != again[0].looked_up
