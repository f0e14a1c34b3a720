"""What the figures do not cover, and what the run itself found about the approach that the story is about."""

from __future__ import annotations

from collections.abc import Iterator

from advisor.decision.unsteady import drawn_again
from advisor.material import Material
from advisor.probes.by_heart import what_it_knows
from advisor.probes.forgotten import shown_to_forget, what_it_forgot
from advisor.probes.grounded import what_it_invents, who_else_speaks
from advisor.probes.leaked import without_the_leaks
from advisor.probes.steadiness import next_time
from advisor.wording import counted, full, percent, start
from benchmarks.contract import Evaluation
from benchmarks.costs.prices import MachinePrices
from strategies.contract import TUNED

_FAMILY_RISKS = {
    "prompting": "A prompted model follows its instructions most of the time and not always; a new version of it may "
    "answer differently.",
    "retrieval": "Retrieval is as good as its documents: what is outdated or missing there comes back as an answer. "
    "Text in a document can also carry instructions to the model.",
    "finetuning": "A fine-tuned model still invents answers and has to be trained again when what is right changes.",
    "combined": "A fine-tuned model still invents answers and has to be trained again when what is right changes; its "
    "documents have to be kept current as well.",
    "recorded": "Recorded answers show what the other system said then; it may have changed since.",
    "reference": "An approach without a language model cannot answer outside of what its examples show.",
}
_OF_EXAMPLES = {
    "retrieval": "Retrieval is as good as the examples that it shows: what is outdated or missing among them comes back as an "
    "answer.",
    "combined": "A fine-tuned model still invents answers and has to be trained again when what is right changes; its examples "
    "have to be kept current as well.",
}
"""Of those that look up examples and no documents."""
_SEARCHED = (
    "An approach without a language model is as good as the documents that it searches: what is outdated there comes back as "
    "an answer, and where an answer is missing there it gives another."
)
STEADY = 0.95
"""Share of the same answers below which a check is told as a risk."""


def risks(material: Material) -> tuple[str, ...]:
    """What the figures do not cover."""
    cases = counted(len(material.benchmark.heldout), "held-out case")
    found = [f"The {cases} stand only for requests like them; other customers, topics or times may differ."]
    named = material.named
    if named is not None:
        about = material.evaluations[named]
        found.extend(_of_its_family(about))
        found.extend(_tuned_elsewhere(about, material.extras.prices))
        found.extend(what_it_forgot(about) if about.family in TUNED else [])
        found.extend(what_it_knows(about))
        found.extend(without_the_leaks(about))
        found.extend(what_it_invents(about))
        found.extend(who_else_speaks(about))
        found.extend(next_time(about))
        found.extend(
            f"{start(model)} {material.extras.endings[model]}: by then what runs on it has to be chosen and measured anew."
            for model in about.models
            if model in material.extras.endings
        )
        found.extend(_asked_again(about))
    asked = dict.fromkeys(model for each in material.evaluations.values() if each.scores for model in each.models)
    found.extend(material.extras.list_prices[model] for model in asked if model in material.extras.list_prices)
    found.append("Timings come from one machine and one load; on another machine costs and latency differ.")
    return tuple(found)


def _of_its_family(about: Evaluation) -> Iterator[str]:
    if about.family == "reference" and about.searches:
        yield _SEARCHED
    elif about.of_examples:
        yield _OF_EXAMPLES[about.family]
    elif about.family in _FAMILY_RISKS:
        yield _FAMILY_RISKS[about.family]


def _tuned_elsewhere(about: Evaluation, prices: MachinePrices | None) -> Iterator[str]:
    known = {} if prices is None else prices.tuned
    for model in about.models:
        if model in known:
            yield (
                f"{start(model)} was tuned elsewhere: whether it learnt from held-out cases cannot be seen here, and then its "
                "figures are too high. What it lost of other skills was not measured."
            )


def worth_knowing(material: Material) -> tuple[int, ...]:
    """Of the risks those that the run itself found, by their index, the most serious first.

    What looks harmless is not among them: a forgetting that is not shown, leaks without which the figure is the same.
    """
    if material.named is None:
        return ()
    about, told = material.evaluations[material.named], risks(material)
    leaks = about.leaks is not None and percent(about.leaks.without) != percent(about.figure)
    found = (
        *who_else_speaks(about),
        *(without_the_leaks(about) if leaks else ()),
        *what_it_invents(about),
        *_asked_again(about),
        *(what_it_forgot(about) if about.family in TUNED and shown_to_forget(about) else ()),
        *next_time(about),
    )
    return tuple(told.index(sentence) for sentence in found)


def _asked_again(about: Evaluation) -> Iterator[str]:
    """One sentence for each check under which many answers change, with how many do that are merely drawn again."""
    draws = drawn_again(about)
    for check in about.agreements:
        if check.pairs and check.same < STEADY:
            changed, says = percent(1 - check.same), check.says.rstrip(".")
            if draws is not None and check is not draws:
                says = f"{says}; where the very same question is drawn again, in {percent(1 - draws.same)}"
            yield full(f"{about.candidate} changes its answer in {changed} of the cases when it is asked again: {says}")
