"""Every number in a sentence stands among the facts or in what `--explain` says, for every situation of a verdict."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest

from advisor.contract import Verdict
from advisor.experiments.example import opened
from advisor.experiments.stored import reopen
from tests.situations import SITUATIONS
from tests.traced import EXEMPT, Number, Written, sentences
from tests.verdict_cases import Bakeoff

every_situation = pytest.mark.parametrize("build", SITUATIONS.values(), ids=list(SITUATIONS))


@pytest.fixture(scope="module")
def recorded() -> Verdict:
    with opened() as folder:
        return reopen(folder)


def lost(verdict: Verdict) -> list[tuple[str, Number]]:
    written = Written(verdict)
    return [(sentence, number) for sentence in sentences(verdict.story) for number in written.untraced(sentence)]


@every_situation
def test_every_number_in_a_sentence_can_be_traced(build: Callable[[], Bakeoff]) -> None:
    assert lost(build().told()) == []


def test_so_can_those_of_the_recorded_run(recorded: Verdict) -> None:
    assert lost(recorded) == []


# ---------------------------------------------------------------- the check itself can fail


@pytest.mark.parametrize(
    ("sentence", "number"),
    [
        ("That saves USD 7.31 a month.", Number("money", "USD 7.31")),
        ("A machine hour above 10.59 (USD 3.33 now): lora would be preferred.", Number("money", "USD 3.33")),
        ("Lora takes 23 min a month.", Number("time", "23 min")),
        ("Prompting is right in 71 % of the held-out cases.", Number("percent", "71")),
        ("Lora (92 %, at most 97.3).", Number("percent", "97.3")),
        ("Lora is 37 points better.", Number("points", "37")),
        ("About 4,700 more held-out cases would decide.", Number("about number", "4,700")),
        ("Of 311 answers some are right.", Number("number", "311")),
        ("If lora cost 3.7 times as much.", Number("number", "3.7")),
        ("Prompting may cost about USD 13.00 more.", Number("about money", "USD 13.00")),
    ],
)
def test_a_number_from_nowhere_is_found(sentence: str, number: Number) -> None:
    assert number in Written(SITUATIONS["prices_in_money"]().told()).untraced(sentence)


def test_a_figure_of_one_approach_is_not_traced_to_another() -> None:
    written = Written(SITUATIONS["only_the_dearest_meets"]().told())
    assert written.untraced("Prompting is right in 60 % of the cases.") == []
    assert written.untraced("Linear head is right in 60 % of the cases.") == [Number("percent", "60")]


def test_most_numbers_would_be_missed_if_they_were_others() -> None:
    """Each number of every sentence, made a third larger: whatever still stands somewhere does so by chance."""
    kept = changed = 0
    for build in SITUATIONS.values():
        written = Written(build().told())
        for sentence in sentences(written.verdict.story):
            for number in written.numbers(sentence):
                other = re.sub(r"\d[\d,]*(?:\.\d+)?", _a_third_more, number.text)
                found = written.untraced(re.sub(rf"(?<![\w.,-]){re.escape(number.text)}(?![\d%])", other, sentence))
                changed += 1
                kept += Number(number.kind, other) not in found
    assert changed > 1500
    assert kept < 0.25 * changed


def _a_third_more(match: re.Match[str]) -> str:
    text = match[0].replace(",", "")
    places = len(text.partition(".")[2])
    return f"{max(float(text) * 4 / 3, float(text) + 10.0**-places):,.{places}f}"


def test_nothing_is_exempt_that_no_sentence_says(recorded: Verdict) -> None:
    verdicts = [recorded, *(build().told() for build in SITUATIONS.values())]
    told = [sentence for verdict in verdicts for sentence in sentences(verdict.story)]
    patterns = [pattern for each in EXEMPT.values() for pattern in each]
    assert [pattern for pattern in patterns if not any(re.search(pattern, sentence) for sentence in told)] == []
