"""What was chosen for an approach in words: examples shown, passages, weights, and how the adapter was trained."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from advisor.wording import NONE, counted, percent, plain_percent
from strategies.retrieval.chunking import PASSAGE_WORDS


def told(chosen: Mapping[str, Any]) -> str:
    """The configuration that a fit describes, as a clause; a dash where nothing was chosen."""
    setup, recipe = chosen.get("setup") or {}, chosen.get("recipe") or {}
    parts = [*_of_cascade(chosen), *_of_head(chosen), *_of_setup(setup), *_of_recipe(recipe), *_of_lessons(chosen)]
    return "; ".join(parts) or NONE


def _of_cascade(chosen: Mapping[str, Any]) -> Iterator[str]:
    if "below" in chosen:
        yield f"{chosen['second']} where {chosen['first']} is less than {chosen['below']:.2g} sure"


def _of_head(chosen: Mapping[str, Any]) -> Iterator[str]:
    if "counted" in chosen:
        yield f"{' and '.join(chosen['counted'])} counted"
    if "C" in chosen:
        yield f"inverse regularization C {chosen['C']:g}"


def _of_setup(setup: Mapping[str, Any]) -> Iterator[str]:
    if not setup:
        return
    yield _examples(setup)
    if setup.get("passages"):
        short = setup.get("passage_words", PASSAGE_WORDS) < PASSAGE_WORDS
        yield f"{counted(setup['passages'], 'short passage' if short else 'passage')}, {setup['mode']} search"
    if setup.get("reading"):
        yield "answers read off the passages"
    if setup["form"]["show_labels"]:
        yield "all labels listed"
    if setup.get("calibration"):
        yield f"{plain_percent(setup['calibration'])} of the labels' prior taken off"
    if setup.get("votes"):
        yield f"{plain_percent(setup['votes'])} weight on the nearest examples' votes"


def _examples(setup: Mapping[str, Any]) -> str:
    if not setup["shots"]:
        return "no examples shown"
    kind = "nearest example" if setup["picks"] == "nearest" else "example"
    varied = ", of as many labels as there are near" if setup.get("varied") else ""
    return counted(setup["shots"], kind) + varied + (", the best of several draws" if setup.get("shown") else "")


def _of_lessons(chosen: Mapping[str, Any]) -> Iterator[str]:
    told = chosen.get("lessons")
    if told:
        right = f"scores {percent(told['selection_score'])} on {counted(told['selection_cases'], 'selection case')}"
        yield f"{counted(told['requests'], 'request')} answered by {told['teacher']}, which {right}"


def _of_recipe(recipe: Mapping[str, Any]) -> Iterator[str]:
    if recipe:
        yield f"rank {recipe['rank']}, learning rate {recipe['learning_rate']:g}"
        yield f"batches of {recipe['batch_size']}, {counted(recipe['epochs'], 'epoch')}"
    if recipe.get("every_answer"):
        yield "answers of the examples shown are learnt too"
