"""What was answered once is given again to the very same question of the very same unit, and to no other one."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from benchmarks.contract import Benchmark, Candidate
from benchmarks.running.completion_cache import CachingModel, CompletionCache, SettlingJournal
from benchmarks.running.models import Models
from benchmarks.running.plan import Options
from benchmarks.running.run import Run
from benchmarks.running.workbench import bare
from benchmarks.specs.spec_models import ModelSpec
from strategies.approaches.prompting import Prompting
from strategies.approaches.retrieval import Retrieval
from strategies.contract import Completion, Message, Place, Prompt, Sampling, Step, Usage
from strategies.search import Look, journalled
from tests import tiny

# ---------------------------------------------------------------- a question


@dataclass
class Shelf:
    """Completions by unit, as the store keeps them (`remembering.Kept`)."""

    rows: dict[str, list[tuple[str, Mapping[str, Any]]]] = field(default_factory=dict)

    def completions(self, unit: str) -> list[tuple[str, Mapping[str, Any]]]:
        return list(self.rows.get(unit, ()))

    def keep_completion(self, unit: str, key: str, value: Mapping[str, Any]) -> None:
        self.rows.setdefault(unit, []).append((key, value))

    def forget_completions(self, unit: str) -> None:
        self.rows.pop(unit, None)


@dataclass
class Counting:
    """A server that gives every request a new answer, and counts them."""

    name: str = "server"
    fingerprint: str = "server"
    context_tokens: int = 100
    local: bool = False
    asked: int = 0

    def count(self, prompt: Prompt) -> int:
        return 1

    def cut(self, text: str, tokens: int) -> str:
        return text

    def generate(
        self, prompts: Sequence[Prompt], max_tokens: int, sampling: Sampling, step: Step = "answering"
    ) -> Iterator[tuple[int, Completion]]:
        for index, _ in enumerate(prompts):
            self.asked += 1
            usage = Usage(model=self.name, step=step, prompt_tokens=self.asked, answer_tokens=2, cost=0.25 * self.asked)
            places = (Place(chosen="a", likely={"a": -0.5, "b": -1.5}),)
            yield index, Completion(text=f"answer {self.asked}", usage=usage, places=places, finished=False)


@dataclass(frozen=True)
class Question:
    """All that decides what a server is asked, and for what."""

    unit: str
    model: str
    prompt: Prompt
    max_tokens: int
    sampling: Sampling
    step: Step


texts = st.text(max_size=12)
prompts = st.lists(
    st.builds(Message, role=st.sampled_from(["system", "user", "assistant"]), content=texts), min_size=1, max_size=3
).map(tuple)
samplings = st.builds(
    Sampling,
    temperature=st.sampled_from([0.0, 0.2, 0.7, 1.0]),
    seed=st.integers(0, 3),
    schema=st.sampled_from(["", '{"type": "object"}', '{"pattern": "A+"}']),
    alternatives=st.integers(0, 2),
)
questions = st.builds(
    Question,
    unit=st.sampled_from(["answer-0", "answer-1", "repeat-1", "edit-0"]),
    model=st.sampled_from(["small", "small at revision 2", "small with an adapter", ""]),
    prompt=prompts,
    max_tokens=st.integers(1, 4),
    sampling=samplings,
    step=st.sampled_from(["search", "answering", "training"]),
)
PARTS = ("unit", "model", "prompt", "max_tokens", "sampling", "step")


def put(question: Question, shelf: Shelf) -> tuple[Completion, int]:
    """What a fresh start of the unit gets for the question, and how often the server was asked for it."""
    server, cache = Counting(fingerprint=question.model), CompletionCache(store=shelf)
    cache.turn_to(question.unit)
    model = CachingModel(inner=server, cache=cache)
    (found,) = model.generate([question.prompt], question.max_tokens, question.sampling, question.step)
    return found[1], server.asked


@given(question=questions)
@settings(max_examples=80, deadline=None)
def test_the_same_question_is_paid_for_once_and_its_usage_stays(question: Question) -> None:
    shelf = Shelf()
    first, asked = put(question, shelf)
    assert asked == 1
    again, asked = put(question, shelf)
    assert asked == 0
    assert again == first, "text, tokens, cost, alternatives, and that it was cut"


@given(first=questions, second=questions, part=st.sampled_from(PARTS))
@settings(max_examples=300, deadline=None)
def test_another_question_is_asked_whatever_it_differs_in(first: Question, second: Question, part: str) -> None:
    other = replace(first, **{part: getattr(second, part)})
    shelf = Shelf()
    put(first, shelf)
    assert put(other, shelf)[1] == (0 if other == first else 1)


@given(turns=st.lists(texts, min_size=2, max_size=4), data=st.data())
@settings(max_examples=100, deadline=None)
def test_texts_that_run_together_are_not_the_same(turns: list[str], data: st.DataObject) -> None:
    """One turn in place of two that say the same: a key that joins them would not tell."""
    cut = data.draw(st.integers(1, len(turns) - 1))
    joined = [*turns[: cut - 1], turns[cut - 1] + turns[cut], *turns[cut + 1 :]]
    asked = [
        Question("answer-0", "m", tuple(Message("user", text) for text in each), 1, Sampling(), "answering")
        for each in (turns, joined)
    ]
    shelf = Shelf()
    put(asked[0], shelf)
    assert put(asked[1], shelf)[1] == 1


def test_an_answer_serves_once_in_a_start() -> None:
    """Who asks one thing twice in a unit gets two answers, and a second start these two in their order."""
    question = Question("answer-0", "m", (Message("user", "x"),), 1, Sampling(), "answering")

    def both(shelf: Shelf) -> tuple[list[str], int]:
        server, cache = Counting(), CompletionCache(store=shelf)
        cache.turn_to(question.unit)
        model = CachingModel(inner=server, cache=cache)
        found = dict(model.generate([question.prompt] * 2, 1, question.sampling))
        return [found[0].text, found[1].text], server.asked

    shelf = Shelf()
    first = both(shelf)
    assert first == (["answer 1", "answer 2"], 2)
    assert both(shelf) == (first[0], 0)


@dataclass
class Ending:
    """A journal, of a process that ends as it writes down the entry after so many."""

    entries: dict[str, Mapping[str, Any]]
    after: int

    def get(self, key: str) -> Mapping[str, Any] | None:
        return self.entries.get(key)

    def put(self, key: str, value: Mapping[str, Any]) -> None:
        if len(self.entries) == self.after:
            raise KeyboardInterrupt
        self.entries[key] = value


@pytest.mark.parametrize("after", [0, 1, 2])
def test_what_one_call_answered_for_several_entries_is_kept_until_the_last_is_written(after: int) -> None:
    shelf, entries = Shelf(), dict[str, Mapping[str, Any]]()
    names = ("one", "two", "three")

    def start(after: int) -> tuple[int, list[str], str]:
        """How often the server was asked, what stands in the entries, and what it says when it is asked for one more time."""
        server, cache = Counting(), CompletionCache(store=shelf)
        cache.turn_to("fit-0")
        model, journal = CachingModel(inner=server, cache=cache), Ending(entries, after)
        bench = replace(bare(BASE.models, "", Path("nowhere")), journal=SettlingJournal(journal=journal, cache=cache))

        def work(places: Sequence[int]) -> list[Look]:
            said = dict(model.generate([(Message("user", names[place]),) for place in places], 1, Sampling()))
            return [Look((1.0,), (), {"said": said[at].text}) for at in range(len(places))]

        found = [str(look.notes["said"]) for look in journalled(bench, names, work)]
        ((_, again),) = model.generate([(Message("user", "two"),)], 1, Sampling())
        return server.asked, found, again.text

    with pytest.raises(KeyboardInterrupt):
        start(after)
    asked, found, again = start(99)
    assert found == ["answer 1", "answer 2", "answer 3"], "those that were paid for"
    assert (asked, again) == (1, "answer 1"), "and what is asked after that is asked anew"


# ---------------------------------------------------------------- a unit


def run_of(benchmark: Benchmark, options: Options, **model: Any) -> Run:
    ready = tiny.WordHashes()
    return Run(
        benchmark=benchmark,
        candidates=[Candidate(name="prompting", strategy=Prompting(), model="server")],
        models=Models(
            specs=(ModelSpec(name="server", folder="nowhere"),),
            dtype="float32",
            _embedder=ready,
            _placement=tiny.FLOAT32,
            _ready={"server": Counting(**model)},
        ),
        options=options,
        folder=Path("nowhere"),
    )


def names(run: Run) -> set[str]:
    return {unit.name for candidate in run.candidates for unit in run._units(candidate)}


BASE = run_of(tiny.benchmark("qa"), Options())
OTHERS: Mapping[str, Run] = {
    "model, revision, adapter": run_of(tiny.benchmark("qa"), Options(), fingerprint="another"),
    "examples": run_of(tiny.benchmark("qa", examples=25), Options()),
    "held-out cases": run_of(tiny.benchmark("qa", heldout=13), Options()),
    "instruction": run_of(
        replace(BASE.benchmark, task=replace(BASE.benchmark.task, instruction="Say it otherwise.")), Options()
    ),
    "documents": run_of(
        replace(BASE.benchmark, task=replace(BASE.benchmark.task, documents=BASE.benchmark.task.documents[1:])),
        Options(),
    ),
    "schema": run_of(replace(BASE.benchmark, task=replace(BASE.benchmark.task, schema={"type": "object"})), Options()),
    "seed": run_of(tiny.benchmark("qa"), Options(seed=1)),
    "budget": run_of(tiny.benchmark("qa"), Options(tuning_tokens=7)),
    "temperature": run_of(replace(BASE.benchmark, task=replace(BASE.benchmark.task, temperature=0.5)), Options()),
    "approach": replace(BASE, candidates=[Candidate(name="retrieval", strategy=Retrieval(), model="server")]),
    "configuration": replace(
        BASE, candidates=[Candidate(name="prompting", strategy=Prompting(shots=(1,)), model="server")]
    ),
}


@pytest.mark.parametrize("what", list(OTHERS))
def test_another_run_shares_no_unit_and_so_no_answer(what: str) -> None:
    assert names(BASE)
    assert not names(BASE) & names(OTHERS[what])


def test_every_unit_of_a_run_has_a_name_of_its_own() -> None:
    found = [unit.name for candidate in BASE.candidates for unit in BASE._units(candidate)]
    assert len(set(found)) == len(found) > 5
