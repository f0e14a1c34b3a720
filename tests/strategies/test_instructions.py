"""Other instructions than the person's: what is made of a task, on what they are tried, and when one of them is taken."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any, get_args

import pytest

from benchmarks.probes.altered import altered
from strategies.approaches.prompting import Prompting
from strategies.contract import Case, Fold, Kind, Prompt, Task
from strategies.extending import extended
from strategies.instructions import Instructions
from strategies.pipeline import Pipeline, Setup, load_pipeline
from strategies.portable import prompt_of
from strategies.prompting.rendering import Form, Renderer, instruction
from strategies.prompting.wordings import LONGEST, library
from strategies.search import SearchResult, Standing
from strategies.searched import WORDS_SHARE
from strategies.selection import PipelineBuilder
from tests import tiny
from tests.scripted import ScriptedModel

KINDS: tuple[Kind, ...] = get_args(Kind)
SIZE, WORD = "The answer has at most 1 word and is not a whole sentence.", "one word"


def task_of(kind: Kind, *pairs: tuple[str, str]) -> Task:
    """A task whose training part is these inputs with their outputs."""
    cases = tuple(Case(id=str(place), input=asked, output=said) for place, (asked, said) in enumerate(pairs))
    return replace(tiny.benchmark(kind).task, folds=(Fold(train=cases, selection=cases),), labels=())


# ---------------------------------------------------------------- the library


@pytest.mark.parametrize(
    ("task", "wanted"),
    [
        (
            tiny.benchmark("classification").task,
            [
                "The answer is one label, of 1 to 2 words, and nothing else.",
                "Where several labels seem to fit, the answer is the one that fits the whole text best.",
            ],
        ),
        (tiny.benchmark("qa").task, [SIZE]),
        (
            task_of("qa", *[(f"is it {place}", ("yes", "no")[place % 2]) for place in range(12)]),
            [SIZE, 'Answers that come often: "yes" and "no".'],
        ),
        (
            task_of("qa", *[(f"Ada lives in house {place}", f"house {place}") for place in range(12)]),
            [
                "The answer has at most 2 words and is not a whole sentence.",
                "The answer stands in the text: copy it word for word.",
            ],
        ),
        (
            tiny.benchmark("extraction").task,
            [
                'The answer is one JSON object with the fields "item" and "size" and nothing else.',
                '"item" is one of "cup", "lamp", "plate". "size" is one of "large", "small".',
            ],
        ),
        (
            tiny.benchmark("generation").task,
            ["The answer has at most 4 words.", "Most words of the answer stand in the text."],
        ),
        (
            task_of("generation", *[("x", "one two three " * (5 + place)) for place in range(12)]),
            ["The answer has about 15 to 50 words."],
        ),
    ],
)
def test_sentences_say_what_is_known_of_answers(task: Task, wanted: Sequence[str]) -> None:
    """First how an answer looks, then that with how to come to it, then the second alone."""
    found = library(task)
    assert found == tuple(dict.fromkeys((wanted[0], " ".join(wanted), wanted[-1])))


def test_what_may_be_missing_and_what_is_copied_is_said() -> None:
    rows = [
        (f"Ada Nr. {place} wants it", {"nr": str(place), **({"who": "Ada"} if place % 2 else {})})
        for place in range(30)
    ]
    looks, _, way = library(task_of("extraction", *[(asked, json.dumps(said)) for asked, said in rows]))
    assert looks.endswith('"nr" and "who" and nothing else. What the text does not say is left out: "who".')
    assert way == 'Copied from the text as it is written there: "nr".'


def test_names_that_would_fill_a_page_are_left_out() -> None:
    long = {f"a field with a very long name, number {place}, {'x' * 60}": "1" for place in range(9)}
    many = {f"field{place}": "1" for place in range(30)}
    said = [library(task_of("extraction", *[("a", json.dumps(row))] * 4)) for row in (long, many)]
    assert not any("number 3" in text for text in said[0])
    assert said[1][0] == "The answer is one JSON object and nothing else."
    assert all(len(text) <= 2 * LONGEST for texts in said for text in texts)


@pytest.mark.parametrize("kind", KINDS)
def test_the_sentences_are_the_same_whatever_the_task_is_called(kind: Kind) -> None:
    """They never look at the name, the instruction, or what nothing may be learnt from: the selection cases."""
    task = tiny.benchmark(kind).task
    others = tuple(
        replace(case, output=f"{case.output} and so much more that nobody expected") for case in task.examples
    )
    fold = Fold(train=task.folds[0].train, selection=others)
    assert library(replace(task, name="another", instruction="Do.", folds=(fold,))) == library(task)


def test_a_task_without_training_cases_has_none() -> None:
    assert library(replace(tiny.benchmark("qa").task, folds=(Fold(train=(), selection=()),))) == ()


# ---------------------------------------------------------------- in a prompt


def test_it_follows_the_persons_words_or_stands_in_their_place() -> None:
    task = tiny.benchmark().task
    plain, added, proposed = (
        Form(show_labels=True),
        Form(added="Be brief."),
        Form(proposed="Name the topic.", show_labels=True),
    )
    own = task.instruction
    told = [Renderer.of(task, form).request("x")[0].content for form in (plain, added, proposed)]
    assert told[0].startswith(f"{own}\nPossible answers: ")
    assert told[1] == f"{own}\nBe brief."
    assert told[2].startswith("Name the topic.\nPossible answers: ")
    assert added.own == Form()
    assert proposed.own == plain


def test_a_fit_that_was_stored_before_has_the_persons_words() -> None:
    stored = json.loads(json.dumps(asdict(Setup(shots=3, form=Form(layout="inline")))))
    for name in ("added", "proposed"):
        stored["form"].pop(name)
    assert Setup.from_dict(stored) == Setup(shots=3, form=Form(layout="inline"))


# ---------------------------------------------------------------- the search


def obeys(sign: str) -> Callable[[Prompt], str]:
    """A model that answers right where its instruction has the sign in it, and wrongly elsewhere."""

    def answer(prompt: Prompt) -> str:
        asked = prompt[-1].content.rpartition("Input:")[2]
        label = next((name for name, words in tiny.TOPICS.items() if any(word in asked for word in words)), "nothing")
        return label.replace("_", " ") if sign in prompt[0].content else "delivery"

    return answer


def bench(folder: Path, sign: str, tokens: int = 200_000) -> tiny.Bench:
    return tiny.Bench(
        folder=folder, language=ScriptedModel(name=f"obeys {sign}", answer=obeys(sign)), tuning_tokens=tokens
    )


def fitted(bench: tiny.Bench, prefer: str = "best") -> Pipeline:
    made = Prompting(prefer=prefer).fit(tiny.benchmark(examples=200).task, bench)  # type: ignore[arg-type]
    assert isinstance(made, Pipeline)
    return made


def test_a_sentence_that_helps_is_taken_saved_and_exported(tmp_path: Path) -> None:
    """Examples do not help this model, and what stands in its instruction does."""
    at = bench(tmp_path, "several labels")
    made = fitted(at)
    assert "several labels" in made.setup.form.added
    assert made.describe()["selection_score"] == 1.0
    made.save(tmp_path / "fit")
    loaded = load_pipeline(tmp_path / "fit", at)
    assert loaded.setup == made.setup
    (request,) = loaded.requests([tiny.query(tiny.messages(1)[0])])
    assert request.prompt[0].content == instruction(made.task, made.setup.form)
    assert prompt_of(loaded) is None, "no program that stands alone loads a model of this kind"
    exported = prompt_of(replace(loaded, model=tiny.local_model(tiny.model_folder(tmp_path / "model"))))
    assert exported is not None
    assert "several labels" in exported["messages"][0]["content"]
    tries = [trial for trial in at.trials if trial.configuration["form"]["added"]]
    assert {trial.score for trial in tries if "several labels" in trial.configuration["form"]["added"]} == {1.0}


def test_built_again_from_fewer_examples_it_is_told_the_same(tmp_path: Path) -> None:
    """A model that reads so little that each request lists the labels of the nearest examples, which are fewer then."""
    small = ScriptedModel(name="small", answer=lambda prompt: "delivery", context_tokens=24)
    at = tiny.Bench(folder=tmp_path, language=small)
    setup = Setup(form=Form(show_labels=True, added="Be brief."))
    task = tiny.benchmark().task
    PipelineBuilder(task, at).build(setup, task.examples).save(tmp_path / "fit")
    again = Prompting().rebuilt(tmp_path / "fit", tiny.benchmark(examples=12).task, at)
    assert isinstance(again, Pipeline)
    assert (again.setup, len(again.sources.cases)) == (setup, 12)


@pytest.mark.parametrize("prefer", ["best", "cheapest"])
def test_the_persons_own_words_stay_where_nothing_else_is_better(tmp_path: Path, prefer: str) -> None:
    at = bench(tmp_path, "Answer in one word.")
    made = fitted(at, prefer)
    assert made.setup.form == made.setup.form.own
    assert any(trial.configuration["form"]["added"] for trial in at.trials), "others were tried"
    assert not made.describe()["rising"], "what was not taken leaves nothing open"


def test_they_are_tried_on_the_prompt_that_is_best_in_the_persons_words_and_on_the_same_cases(tmp_path: Path) -> None:
    at = bench(tmp_path, "Answer in one word.")
    fitted(at)
    told = [trial for trial in at.trials if trial.configuration["form"]["added"]]
    assert len(told) == len(library(tiny.benchmark().task))
    (plain,) = {json.dumps(_own(trial.configuration)) for trial in told}
    best = max(at.trials, key=lambda trial: (trial.cases, trial.score))
    assert json.loads(plain)["form"] == best.configuration["form"]
    assert {trial.cases for trial in told} >= {best.cases}


def _own(configuration: Mapping[str, Any]) -> dict[str, Any]:
    return {**configuration, "form": {**configuration["form"], "added": ""}}


@pytest.mark.parametrize(("tokens", "looks"), [(-50, 0), (199, 0), (200, 1), (450, 2), (10_000, 3)])
def test_no_more_are_tried_than_the_budget_pays_for(tokens: float, looks: int, tmp_path: Path) -> None:
    """A first look is at twenty cases, here of ten tokens each."""
    words = Instructions(tiny.benchmark().task, bench(tmp_path, ""))
    found = words.on(Standing(Setup(shots=3), [1.0] * 50, 500), tokens)
    assert [setup.form.added for setup in found] == list(library(tiny.benchmark().task))[:looks]
    assert {setup.shots for setup in found} <= {3}
    assert words.left_out(found) is (looks < 3)


@pytest.mark.parametrize(("tokens", "wanted"), [(4_000, 0), (20_000, 1), (60_000, 3), (200_000, 3)])
def test_the_budget_is_kept_with_them(tokens: int, wanted: int, tmp_path: Path) -> None:
    """They get no more than their share of it, and at quick effort often nothing."""
    at = bench(tmp_path, "several labels", tokens)
    fitted(at)
    told = [trial for trial in at.trials if trial.configuration["form"]["added"] and not trial.configuration["shown"]]
    longer = 2  # Two sentences more double the words of this small prompt, and it is reckoned by its own.
    assert sum(trial.tokens for trial in told) <= longer * WORDS_SHARE * tokens
    assert len(told) == wanted


def test_what_is_like_a_case_that_the_teacher_saw_chooses_nothing(tmp_path: Path) -> None:
    task = tiny.benchmark().task
    seen, twin, *others = task.folds[0].selection
    cut = (replace(seen, group="both"), replace(twin, group="both"), *others)
    words = Instructions(replace(task, folds=(replace(task.folds[0], selection=cut),)), bench(tmp_path, ""))
    words.__dict__["seen"] = cut[:1]
    assert list(words.unseen.folds[0].selection) == others


def test_in_doubt_the_persons_own_words(tmp_path: Path) -> None:
    """Better by one case in forty is noise, by ten is not; what only one of them has seen does not count."""
    words = Instructions(tiny.benchmark().task, bench(tmp_path, ""))
    other = Standing(Setup(form=Form(added="a")), [1.0] * 40)

    def taken(*scores: float) -> Standing:
        return words.taken(Standing(Setup(), [*scores]), SearchResult((other,), rising=False))

    assert taken(*[1.0] * 39, 0.0).configuration == Setup()
    assert taken(*[1.0] * 30, *[0.0] * 10) is other
    assert taken(*[1.0] * 40, *[0.0] * 40).configuration == Setup()
    assert taken(*[1.0] * 20).configuration == Setup()
    assert taken(*[0.0] * 20) is other


# ---------------------------------------------------------------- another task, afterwards


@pytest.mark.parametrize(("kind", "stays"), [("qa", True), ("generation", True), ("extraction", False)])
def test_of_another_format_is_said_what_is_still_true(kind: Kind, stays: bool, tmp_path: Path) -> None:
    """Answers in capital letters are as long as before, and fields have other names then."""
    before = tiny.benchmark(kind).task
    after = altered(before)
    at = bench(tmp_path, "")
    made = Prompting().fit(before, replace(at, tuning_tokens=2_000))
    assert isinstance(made, Pipeline)
    told = replace(made, setup=replace(made.setup, form=Form(added=library(before)[0])))
    found = extended(told, after)
    assert isinstance(found, Pipeline)
    said = found.requests([tiny.query(before.examples[0])])[0].prompt[0].content
    assert said.startswith(after.instruction)
    assert (library(before)[0] in said) is stays


def test_a_new_rule_follows_a_proposed_instruction_and_another_instruction_replaces_it(tmp_path: Path) -> None:
    before = tiny.benchmark("qa").task
    made = Prompting().fit(before, bench(tmp_path, "", 2_000))
    assert isinstance(made, Pipeline)
    told = replace(made, setup=replace(made.setup, form=Form(proposed="Say how many.")))

    def said(task: Task) -> str:
        found = extended(told, task)
        assert isinstance(found, Pipeline)
        return found.requests([tiny.query(before.examples[0])])[0].prompt[0].content

    assert said(before) == "Say how many."
    assert said(altered(before)) == "Say how many. Write the answer in capital letters."
    assert said(replace(before, instruction="Sing.")) == "Sing."
