"""What was chosen for an approach in words: examples shown, passages, weights, and how the adapter was trained."""

from __future__ import annotations

import textwrap
from collections.abc import Collection, Iterator, Mapping
from typing import Any, TypeGuard

from advisor.wording import NONE, counted, percent, plain_percent
from strategies.retrieval.chunking import PASSAGE_WORDS

WHOLE, PART = 600, 120
"""Characters of an instruction that are repeated where it was chosen, and where it was tried."""
OF_EXAMPLES = frozenset({"answer", "otherwise", "standing"})
"""What a fit calls answers of examples that it gives word for word (`Fitted.describe`)."""


def shared(values: Mapping[str, Any], labels: Collection[str]) -> dict[str, Any]:
    """A configuration as a report may hold it that somebody else reads: of answers, the labels alone."""
    kept = values if labels else {key: value for key, value in values.items() if key not in OF_EXAMPLES}
    return {key: shared(value, labels) if isinstance(value, Mapping) else value for key, value in kept.items()}


def told(chosen: Mapping[str, Any]) -> str:
    """The configuration that a fit describes, as a clause; a dash where nothing was chosen."""
    setup = chosen["setup"] if _is_setup(chosen.get("setup")) else {}
    recipe = chosen["recipe"] if _is_recipe(chosen.get("recipe")) else {}
    parts = [*_of_cascade(chosen), *_of_head(chosen), *_of_setup(setup), *_of_shift(chosen), *_of_shift(setup)]
    parts += _of_instruction(setup, WHOLE)
    parts += [*_of_recipe(recipe), *_of_mean(chosen), *_of_share(chosen), *_of_apart(chosen)]
    parts += _of_cut(chosen)
    parts += [*_of_search(chosen), *_of_proposals(chosen), *_of_lessons(chosen)]
    return "; ".join(parts) or NONE


def tried(configuration: Mapping[str, Any]) -> str:
    """What a search looked at, told apart from its neighbours: with how the request is laid out, and with the names of
    values that there are no words for."""
    values = dict(configuration)
    nested = values.get("setup")
    setup: Mapping[str, Any] = values if _is_setup(values) else nested if _is_setup(nested) else {}
    recipe = values["recipe"] if _is_recipe(values.get("recipe")) else {}
    parts = [
        *_of_head(values),
        *_of_setup({**setup, "shown": ()} if setup else {}),
        *_laid_out(setup),
        *_of_instruction(setup, PART),
        *_of_recipe(recipe),
    ]
    return "; ".join([*parts, *(() if setup else _by_name(values))]) or NONE


def _is_setup(values: Any) -> TypeGuard[Mapping[str, Any]]:
    """Whether it is a setup of ours: approaches from elsewhere may call anything so."""
    return isinstance(values, Mapping) and "shots" in values and isinstance(values.get("form"), Mapping)


def _is_recipe(values: Any) -> TypeGuard[Mapping[str, Any]]:
    return isinstance(values, Mapping) and {"rank", "learning_rate", "batch_size", "epochs"} <= values.keys()


def _laid_out(setup: Mapping[str, Any]) -> Iterator[str]:
    if not setup:
        return
    form = setup["form"]
    if setup["shots"] and setup["picks"] == "balanced":
        yield "balanced over the labels"
    if setup.get("shown"):
        yield "one of several draws"
    if setup.get("grounded"):
        yield "examples with their passages"
    if form["layout"] == "inline":
        yield "all in one message"
    if form.get("marked"):
        yield "words in front of input and answer"
    if not form["natural_labels"]:
        yield "labels as they are spelt"


def _by_name(values: Mapping[str, Any]) -> Iterator[str]:
    """Of approaches from elsewhere: plain values under their own names."""
    for key, value in values.items():
        said = key == "counted" or (key == "C" and isinstance(value, int | float))
        if not said and isinstance(value, str | int | float):
            number = isinstance(value, float)
            yield f"{key.replace('_', ' ')} {value:.3g}" if number else f"{key.replace('_', ' ')} {value}"


def _of_cascade(chosen: Mapping[str, Any]) -> Iterator[str]:
    if "below" in chosen:
        yield f"{chosen['second']} where {chosen['first']} is less than {_threshold(chosen['below'])} sure"


def _threshold(below: float) -> str:
    """In two digits, or in as many as it takes to stay below 1: less than 1 sure are nearly all answers."""
    rounded = (f"{below:.{places}g}" for places in range(2, 18))
    return next(text for text in rounded if float(text) != 1 or below >= 1)


def _of_head(chosen: Mapping[str, Any]) -> Iterator[str]:
    if isinstance(chosen.get("counted"), list | tuple):
        left_out = chosen.get("terms_left_out", 0)
        of = f", the {chosen['terms']:,} most frequent of {chosen['terms'] + left_out:,}" if left_out else ""
        yield f"{' and '.join(chosen['counted'])} counted{of}"
    if isinstance(chosen.get("C"), int | float):
        yield f"inverse regularization C {chosen['C']:g}"
    if isinstance(chosen.get("copied_from"), int):
        yield f"what is copied learnt from {counted(chosen['copied_from'], 'example')}"


def _of_setup(setup: Mapping[str, Any]) -> Iterator[str]:
    if not setup:
        return
    yield _examples(setup)
    if not setup["form"].get("instruct", True):
        yield "no instruction"
    if setup.get("passages"):
        short = setup.get("passage_words", PASSAGE_WORDS) < PASSAGE_WORDS
        yield f"{counted(setup['passages'], 'short passage' if short else 'passage')}, {setup['mode']} search"
    if setup.get("passages") and setup.get("adapted"):
        yield "questions moved by an adapter learnt from the examples"
    if setup.get("passages") and setup.get("whole_words"):
        yield "short documents shown whole"
    if setup.get("passages") and setup.get("lacking"):
        yield f"{plain_percent(setup['lacking'])} of the lessons without the right passage"
    if setup.get("reading"):
        yield f"{'whole sentences' if setup['reading'].get('sentence') else 'answers'} read off the passages"
    if setup["form"]["show_labels"]:
        yield "all labels listed"
    if setup.get("calibration"):
        over = "inputs without content" if setup.get("prior") == "content-free" else "selection cases"
        yield f"{plain_percent(setup['calibration'])} of the labels' prior over {over} taken off"
    if setup.get("votes"):
        yield f"{plain_percent(setup['votes'])} weight on the nearest examples' votes"


def _of_shift(chosen: Mapping[str, Any]) -> Iterator[str]:
    """What a metric over rows of labels asked for."""
    shift = chosen.get("shift")
    if isinstance(shift, Mapping) and {"by", "of", "towards"} <= shift.keys():
        named = " ".join(str(label) for label, _ in shift["towards"])
        to = f"the log share of \u201c{textwrap.shorten(named, PART, placeholder=' ...')}\u201d"
        how = "added to" if shift["by"] > 0 else "taken off"
        of_all = f"rare labels favoured by {shift['by']:g} of the log of their rarity"
        yield f"{abs(shift['by']):g} {how} {to}" if shift["of"] else of_all


def _examples(setup: Mapping[str, Any]) -> str:
    if not setup["shots"]:
        return "no examples shown"
    kind = "nearest example" if setup["picks"] == "nearest" else "example"
    varied = ", of as many labels as there are near" if setup.get("varied") else ""
    varied += ", the nearest first" if setup["form"].get("turned") else ""
    return counted(setup["shots"], kind) + varied + (", the best of several draws" if setup.get("shown") else "")


def _of_instruction(setup: Mapping[str, Any], most: int) -> Iterator[str]:
    """What the model is told besides the person's own words, or in place of them."""
    form = setup["form"] if setup else {}
    for key, what in (("added", "added to the instruction"), ("proposed", "instruction proposed by the teacher")):
        if form.get(key):
            yield f"{what}: \u201c{textwrap.shorten(form[key], most, placeholder=' ...')}\u201d"


def _of_search(chosen: Mapping[str, Any]) -> Iterator[str]:
    """By what the way to search was chosen, and whether short documents are shown whole (`strategies.finding`)."""
    told = chosen.get("found")
    if isinstance(told, Mapping) and {"examples", "shares"} <= told.keys():
        ways = (f"{way} {' and '.join(map(percent, shares))}" for way, shares in told["shares"].items())
        yield f"right passage first, and among two, of {counted(told['examples'], 'example')}: {', '.join(ways)}"
    told = chosen.get("found_adapted")
    if isinstance(told, Mapping) and {"mode", "shares"} <= told.keys():
        yield f"with an adapter learnt from the others {told['mode']} {' and '.join(map(percent, told['shares']))}"
    told = chosen.get("found_whole")
    if isinstance(told, Mapping) and {"passage", "whole"} <= told.keys():
        part, whole = percent(told["passage"]), percent(told["whole"])
        yield f"first passage right for {part}, its document shown whole for {whole}"


def _of_proposals(chosen: Mapping[str, Any]) -> Iterator[str]:
    told = chosen.get("proposed")
    if isinstance(told, Mapping) and {"teacher", "instructions"} <= told.keys():
        why = f" ({told['silent']})" if told.get("silent") else ""
        yield f"{counted(told['instructions'], 'instruction')} proposed by {told['teacher']}{why}"


def _of_lessons(chosen: Mapping[str, Any]) -> Iterator[str]:
    told = chosen.get("lessons")
    if told:
        right = f"scores {percent(told['selection_score'])} on {counted(told['selection_cases'], 'selection case')}"
        yield f"{counted(told['requests'], 'request')} answered by {told['teacher']}, which {right}"


def _of_mean(chosen: Mapping[str, Any]) -> Iterator[str]:
    if chosen.get("averaged") is True:
        yield "mean of the weights over the last half of the steps"


def _of_share(chosen: Mapping[str, Any]) -> Iterator[str]:
    share = chosen.get("share", 1.0)
    if isinstance(share, float) and share < 1:
        yield f"{plain_percent(share)} of what the adapter learnt"


def _of_apart(chosen: Mapping[str, Any]) -> Iterator[str]:
    """Where there were no means to train once more on all examples."""
    if isinstance(apart := chosen.get("kept_apart"), int) and apart:
        yield f"{counted(apart, 'example')} kept apart to say when to stop, and not learnt"


def _of_cut(chosen: Mapping[str, Any]) -> Iterator[str]:
    """Examples of which a training could not read all."""
    if isinstance(rows := chosen.get("truncated_training_rows"), int) and rows:
        yield f"{counted(rows, 'example')} cut to what a training reads"


def _of_recipe(recipe: Mapping[str, Any]) -> Iterator[str]:
    if recipe:
        alpha = recipe.get("alpha", 2 * recipe["rank"])
        scaled = "" if alpha == 2 * recipe["rank"] else f", alpha {alpha}"
        yield f"rank {recipe['rank']}{scaled}, learning rate {recipe['learning_rate']:g}"
        yield f"batches of {recipe['batch_size']}, {counted(recipe['epochs'], 'epoch')}"
    if isinstance(smoothing := recipe.get("smoothing"), float) and smoothing:
        yield f"labels smoothed by {plain_percent(smoothing)}"
    if recipe.get("every_answer"):
        yield "answers of the examples shown are learnt too"
