"""Stories built by hand for the tests of reports: a rich, realistic one, one with nothing in it, and a hostile one."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from enum import Enum
from typing import Any

from advisor.contract import Excerpt, Grade, Quote, ShownAnswer, ShownCase, ShownCases, ShownPassage, Story
from advisor.drawn import Cell, Estimate, Forest, LineChart, Picture, Point, Series, Signed, Strip, Table, WinnerMap
from benchmarks.contract import State

SMALL, BIG = "smollm2-135m", "gemma3-270m-base"
NAMES = (
    "majority answer",
    "linear head on embeddings",
    "copy the nearest example",
    f"nearest demonstrations, calibrated labels @ {SMALL}",
    f"LoRA on all linear layers @ {SMALL}",
    f"LoRA trained with retrieved examples, then retrieval @ {BIG}",
    "hosted-large-2026, searched instructions (endpoint)",
    "answers of the support team, spring quarter",
)
CHOICE = NAMES[4]


def rich_story() -> Story:
    """Eight candidates with long names, three hosted or recorded, on 300 support messages."""
    return Story(
        task="support-intents",
        title="Target met",
        headline=f"Fine-tuning pays off: use {CHOICE}. It gets 84 % of the cases right, meets the target of 80 %, and "
        "every cheaper approach is proven to miss it.",
        about="Lora: fine-tunes the language model on the examples.",
        confidence="Measured on 300 held-out cases that no approach saw. The chance of wrongly saying that anything "
        "meets the target is at most 5 %, corrected for 7 approaches tested at once. This holds only for requests "
        "like these cases.",
        verdict="choose",
        choice=CHOICE,
        reasons=(
            "It gets 84 % of the held-out cases right, and at least 80.1 % of all such requests, against a target "
            "of 80 %.",
            "The linear head costs a fifth as much, and it is proven to miss: at most 79 % of all such requests.",
            "Fine-tuning was expected to win here, since the task asks for a behaviour and not for facts; the "
            "measurement agrees.",
            "The combined approach is 1 point better (between 2 points worse and 4 points better) and costs 3.9 "
            "times as much.",
        ),
        a_month=(
            "LoRA on all linear layers @ smollm2-135m takes 7.5 min of machine time a month at 10,000 requests, 1.5 h over 12 "
            "months. Finding and fitting it took 16 min.",
            "Each month that is 22 min less than LoRA trained with retrieved examples (85 %).",
        ),
        would_change=(
            "At fewer than 1,900 requests a month the hosted model costs less over 12 months.",
            "A target of 77 % would make the linear head the cheapest approach that meets it.",
        ),
        next_steps=(
            "Export the adapter: advisor export RUN --candidate lora",
            "Measure again on 300 fresh cases before a second change is judged on these.",
        ),
        main=_main(),
        approaches=Table(
            title="What the approaches do",
            columns=("approach", "what it does"),
            rows=(
                ("majority", "always gives the most frequent answer of the examples"),
                ("lora", "fine-tunes the language model"),
            ),
            emphasis=(1,),
        ),
        mistakes=_mistakes(),
        all_mistakes=_all_mistakes(),
        examples=_examples(),
        targets=_targets(),
        costs=_costs(),
        bands=_bands(),
        pairs=_pairs(),
        probed=_probed(),
        probed_further=dataclasses.replace(
            _probed(), title="More of what was measured", columns=("approach", "again", *"abcde")
        ),
        consistency=_consistency(),
        rebuilds=_rebuilds(),
        changed=_changes(),
        altered=_altered(),
        coverage=_coverage(),
        handover=_handover(),
        leaks=_leaks(),
        grounding=_grounding(),
        planted=_planted(),
        forgetting=_forgetting(),
        by_heart=_by_heart(),
        judge=_judge(),
        slices=_slices(),
        differences=_differences(),
        tuning=_tuning(),
        tried=_tried(),
        data=(
            "300 examples, 300 held-out cases and 24 labels.",
            "4 examples are near-duplicates of each other and stay on one side of every cut.",
            "Two labels are confused by every approach: invoice_missing and invoice_wrong.",
        ),
        risks=(
            "A fine-tuned model still invents answers, may have forgotten other abilities, and has to be trained again "
            "when what is right changes.",
            "11 of 300 held-out messages are longer than the 512 tokens that a model reads here; they were cut.",
        ),
        method=(
            "300 held-out cases, from a file of their own, frozen before anything ran (fingerprint 3f9a2c41d07b). No "
            "approach saw them; nothing was chosen by them.",
            "Metric: accuracy. Bounds are exact (Clopper-Pearson), one-sided at 95 %, corrected for 7 "
            "approaches by Holm.",
            "Costs are ranked by what lies ahead: 12 months at 10,000 requests a month.",
            "Machine: 2 cores, bfloat16.",
        ),
        picture=_picture(),
        **figures(),
        cases=_cases(),
        provenance={
            "started": "2026-11-14 09:12 UTC",
            "python": "3.11.9",
            "torch": "2.13.0",
            "transformers": "5.24.0",
            "held-out fingerprint": "3f9a2c41d07be8815a6cc0b9d2f5e7a1" * 2,
            "placement": "cpu, bfloat16, AMX",
        },
        facts={
            "target": 0.8,
            "candidates": [
                {"name": NAMES[0], "figure": 0.07, "ahead": float("nan")},
                {"name": CHOICE, "figure": 0.84, "state": State.MEETS, "upper": float("inf")},
            ],
        },
    )


def figures() -> dict[str, Any]:
    """One of each figure, about the same approaches."""
    small = Table(
        title="the numbers",
        columns=("approach", "a month"),
        rows=((NAMES[1], "1.5 min"), (CHOICE, "7.5 min")),
        note="From the same answers.",
    )
    volumes = [10.0**power for power in range(2, 7)]
    cells = (
        Cell(above=100, upto=1900, verdict="choose", named=NAMES[6], unsettled=()),
        Cell(above=1900, upto=1e6, verdict="safe but cheaper undecided", named=CHOICE, unsettled=(NAMES[3],)),
    )
    nothing = Cell(above=100, upto=1e6, verdict="nothing meets", named=None, unsettled=())
    return {
        "volumes": LineChart(
            title=f"{NAMES[6]} costs the least up to about 1,900 requests a month, {CHOICE} from about 1,900 on",
            across="requests a month",
            upwards="USD a month",
            unit="USD",
            series=(
                Series(name=CHOICE, points=tuple((x, 3 + x / 9e4) for x in volumes), colour=4, dots=False),
                Series(name=NAMES[6], points=tuple((x, x / 600) for x in volumes), colour=6, dots=False),
                Series(name=NAMES[1], points=tuple((x, x / 9e5) for x in volumes), colour=1, note="misses", quiet=True),
            ),
            signs=(Signed(x=1900, y=3.1, text="break-even about 1,900"),),
            here=(10_000.0, "10,000 requests"),
            table=small,
        ),
        "winners": WinnerMap(
            title=f"With a target of 80 %: {NAMES[6]} up to about 1,900 requests a month, {CHOICE} from about 1,900 on",
            noun="target",
            goals=tuple(f"{goal} %" for goal in range(70, 101)),
            strips=(Strip(first=0, last=14, cells=cells), Strip(first=15, last=30, cells=(nothing,))),
            own=10,
            labelled=(0, 10, 20, 30),
            volume=10_000,
            colours={name: place for place, name in enumerate(NAMES)},
            table=small,
        ),
        "learning": LineChart(
            title=f"With four times the examples {CHOICE} would probably reach 77 % to 89 %",
            across="examples",
            upwards="accuracy",
            series=tuple(
                Series(
                    name=name,
                    points=((75, 0.61), (150, 0.68), (300, 0.75 + place / 20)),
                    colour=place,
                    ranges=((75, 0.58, 0.64), (150, 0.66, 0.7)),
                    expected=((300, 0.75, 0.75), (600, 0.76, 0.83), (1200, 0.77, 0.89)),
                )
                for place, name in enumerate((NAMES[1], CHOICE))
            ),
            goal=(0.8, "target 80 %"),
            ticks=(75, 150, 300, 600, 1200),
            table=_examples(),
        ),
        "apart": Forest(
            title=f"Compared one by one, {CHOICE} is better than 2 others and is not shown to differ from {NAMES[5]}",
            across=f"points by which {CHOICE} scores higher",
            unit="points",
            estimates=(
                Estimate(name=NAMES[1], value=0.1, lower=0.05, upper=0.15, text="+10 (+5 to +15)", tone="above"),
                Estimate(name=NAMES[5], value=-0.01, lower=-0.04, upper=0.02, text="-1 (-4 to +2)"),
            ),
            zero=0.0,
            sides=("worse", "better"),
        ),
        "stable": Forest(
            title="From 88 % to 97 % of the answers stay the same under harmless edits",
            across="share of answers that stay the same",
            unit="%",
            estimates=tuple(
                Estimate(name=name, value=same, lower=same - 0.06, upper=same + 0.02, text="about that (80-99)")
                for name, same in ((NAMES[2], 0.88), (CHOICE, 0.97))
            ),
        ),
        "searched": LineChart(
            title=f"Cut short by its budget: {CHOICE}; no other was",
            across="tokens spent on choosing",
            upwards="selection score",
            by_factors=False,
            series=(
                Series(name=NAMES[3], points=((9e3, 0.7), (6e4, 0.78), (11e4, 0.8)), colour=3),
                Series(name=CHOICE, points=((8e4, 0.81), (12e4, 0.86)), colour=4, note="cut short"),
            ),
            table=small,
        ),
    }


def _main() -> Table:
    cells = (
        ("7 % (<= 10)", "100 %", "0 s", "0 s", "0/0 s", "misses"),
        ("74 % (<= 79)", "94 %", "21 s", "1.5 min", "0.009/0.014 s", "misses"),
        ("66 % (<= 72)", "88 %", "4.1 s", "1.4 min", "0.008/0.013 s", "misses"),
        ("78 % (73-83)", "91 %", "4.4 min", "18 min", "0.11/0.15 s", "undecided"),
        ("84 % (>= 80.1)", "96 %", "16 min", "7.5 min", "0.045/0.061 s", "meets"),
        ("85 % (>= 81)", "93 %", "48 min", "29 min", "0.17/0.24 s", "meets"),
        ("88 % (>= 84)", "97 %", "USD 3.12", "USD 41.50", "0.71/1.9 s", "ruled out"),
        ("91 % (>= 87)", "-", "unknown", "unknown", "-", "meets"),
    )
    return Table(
        title="8 approaches on the same 300 held-out cases",
        columns=("approach", "accuracy", "same", "spent", "a month", "wait", "status"),
        rows=tuple((name, *row) for name, row in zip(NAMES, cells, strict=True)),
        note="Target 80 %. In brackets the bound that decided, at 95 % confidence corrected for the number of "
        "approaches: >= at least, <= at most, a range where nothing is decided. Same: share of answers that stay the "
        "same under harmless edits. Costs are machine time or USD; a month is 10,000 requests. Spent: what choosing and "
        "training took. Wait: half of the requests took no longer than the first number, 95 % no longer than the second, one "
        "at a time.",
        numeric=(2, 3, 4, 5),
        emphasis=(4,),
    )


def _costs() -> Table:
    cells = (
        ("-", "-", "-", "0", "0 s", "0 s"),
        ("18 s", "-", "2.9 s", "0", "9 s", "18 min"),
        ("-", "4.1 s", "-", "0", "8.4 s", "17 min"),
        ("4.1 min", "4.1 s", "-", "212 + 3", "1.8 min", "3.6 h"),
        ("9.1 min", "-", "7 min", "61 + 3", "45 s", "1.5 h"),
        ("21 min", "4.1 s", "27 min", "214 + 3", "2.9 min", "5.8 h"),
        ("USD 3.12", "-", "-", "640 + 4", "USD 4.15", "USD 498"),
        ("-", "-", "-", "-", "unknown", "unknown"),
    )
    return Table(
        title="Costs by step",
        columns=("approach", "choosing", "index", "training", "tokens", "1,000 requests", "12 months"),
        rows=tuple((name, *row) for name, row in zip(NAMES, cells, strict=True)),
        note="Choosing, index and training are already spent. Tokens are prompt and answer of one request.",
        numeric=(1, 2, 3, 4, 5, 6),
    )


def _bands() -> Table:
    return Table(
        title="Which costs the least at which volume",
        columns=("approach", "cheapest at (requests a month)"),
        rows=((NAMES[6], "up to about 1,900"), (CHOICE, "from about 1,900 on"), (NAMES[5], "never")),
        note="Of the approaches that are shown to meet the target, by cost alone. Not decided, and so not among them: "
        f"{NAMES[3]}.",
        emphasis=(1,),
    )


def _pairs() -> Table:
    return Table(
        title="Each pair by cost",
        columns=("cheaper at 10,000 requests", "than", "saves a month", "the two cost the same at", "paid back"),
        rows=(
            (CHOICE, NAMES[3], "11 min", "never", "after 2 months"),
            (CHOICE, NAMES[5], "22 min", "never", "in the first month"),
            (NAMES[3], NAMES[5], "too close to tell", "about 1,900", "-"),
        ),
        note="On the other side of the volume at which two cost the same the other one is the cheaper.",
        numeric=(2, 3),
    )


def _consistency() -> Table:
    rows = (
        (NAMES[1], "edits", "94 % (91-96)", "0.88", "300", "214", "68", "10", "8"),
        (NAMES[3], "edits", "91 % (87-94)", "0.80", "300", "222", "51", "14", "13"),
        (CHOICE, "edits", "96 % (93-98)", "0.90", "300", "246", "42", "7", "5"),
        (CHOICE, "repeats", "99 % (97-100)", "0.97", "300", "251", "46", "1", "2"),
        (CHOICE, "seed", "92 % (88-95)", "0.78", "300", "240", "36", "12", "12"),
        (NAMES[6], "edits", "97 % (94-98)", "-", "300", "259", "32", "5", "4"),
    )
    return Table(
        title="Consistency: the same asked again",
        columns=(
            "approach",
            "check",
            "same",
            "alpha",
            "pairs",
            "right twice",
            "wrong twice",
            "right, wrong",
            "wrong, right",
        ),
        rows=rows,
        note="Edits: letters, spaces and greetings were changed. Repeats: the same requests in other batches. "
        "Seed: trained again with another seed.",
        numeric=(2, 3, 4, 5, 6, 7),
    )


def _rebuilds() -> Table:
    return Table(
        title="Built again from other examples",
        columns=("approach", "rebuilds", "same answer", "right twice", "wrong twice", "flipped", "figures", "spread"),
        rows=(
            (NAMES[3], "3", "84 % (70-98)", "70 %", "18 %", "12 %", "74-80 %", "3.1 (1.6-19)"),
            (CHOICE, "2, 1 failed", "92 %", "80 %", "13 %", "7 %", "83-85 %", "1.4 (0.63-45)"),
        ),
        note="Everything was done again, choosing included.",
        numeric=tuple(range(1, 8)),
    )


def _changes() -> Table:
    counts = ("questions", "answered before", "new answer", "95 % interval", "old answer", "neither")
    return Table(
        title="The day facts in the documents change",
        columns=("approach", *counts, "what following takes"),
        rows=(
            (NAMES[3], "60", "45", "41", "79 to 98 %", "2", "2", "38 documents indexed again, 0.4 s"),
            (CHOICE, "60", "38", "0", "0 to 9 %", "38", "0", "new examples, and fitting again, 16 min"),
        ),
        note="By program numbers and names in the documents were replaced by others.",
        numeric=tuple(range(1, 7)),
    )


def _handover() -> Table:
    return Table(
        title="With a person for what it is unsure of",
        columns=("approach", "answers alone", "figure of these", "at least", "status of these"),
        rows=((NAMES[3], "61 %", "88 %", "82 %", "meets"), (NAMES[1], "40 %", "83 %", "75 %", "undecided")),
        note="From which sureness on an approach answers was set on the selection cases.",
        numeric=(1, 2, 3),
    )


def _coverage() -> Table:
    return Table(
        title="How sure, and how right",
        columns=("approach", "all answers", "the surest 90 %", "the surest 50 %", "surer of the better one"),
        rows=((NAMES[0], "78 %", "80 %", "88 %", "66 %"), (CHOICE, "84 %", "89 %", "98 %", "86 %")),
        note="Figures of the held-out answers of which an approach is surest.",
        numeric=(1, 2, 3, 4),
    )


def _leaks() -> Table:
    return Table(
        title="Held-out cases that stood among the examples",
        columns=("approach", "on all", "on these cases", "without them", "95 % interval", "what they add"),
        rows=(
            (NAMES[0], "78 %", "96 %", "76 %", "71 to 81 %", "+2 points"),
            (CHOICE, "84 %", "92 %", "83 %", "78 to 87 %", "+1 point"),
        ),
        note="24 held-out cases, the same or nearly.",
        numeric=(1, 2, 3, 4, 5),
    )


def _grounding() -> Table:
    return Table(
        title="Where answers come from",
        columns=("approach", "in what it found", "elsewhere in the documents", "in none", "nothing specific"),
        rows=((NAMES[3], "171", "0", "3", "33"), (CHOICE, "0", "97", "34", "34")),
        note="Held-out answers by where all that is specific in them stands.",
        numeric=(1, 2, 3, 4),
    )


def _planted() -> Table:
    return Table(
        title="Planted instructions",
        columns=("approach", "planted in", "cases", "followed", "95 % interval"),
        rows=((NAMES[3], "request", "50", "31", "47 to 75 %"), (CHOICE, "passage", "50", "2", "0 to 14 %")),
        note="One of five sentences that anybody could write.",
        numeric=(2, 3, 4),
    )


def _altered() -> Table:
    return Table(
        title="The day the format is altered",
        columns=(
            "approach",
            "answers",
            "follow at once",
            "95 % interval",
            "of these right",
            "when fitted again",
            "right then",
        ),
        rows=(
            ("retrieval", "50", "48", "86 to 100 %", "31", "-", "-"),
            ("lora", "50", "2", "0 to 14 %", "1", "50", "38"),
        ),
        note="The rule: Write the answer in capital letters.",
        numeric=(1, 2, 3, 4, 5, 6),
    )


def _probed() -> Table:
    return Table(
        title="What else was measured",
        columns=("approach", "flips", "rebuilt", "valid", "planted", "drift", "labels"),
        rows=tuple(
            (name, f"{place}/100", "91 %", "298/300", f"{place}/50", "-", "12/40") for place, name in enumerate(NAMES)
        ),
        note="Flips: turn from right to wrong or back. - stands where nothing is tuned (drift).",
        numeric=(1, 2, 3, 4, 5, 6),
        emphasis=(4,),
    )


def _judge() -> Table:
    return Table(
        title="What a judge says",
        columns=("approach", "accuracy", "the judge", "people agree with it"),
        rows=(("prompting", "71 %", "80 %", "41 of 50"), ("lora", "82 %", "81 %", "48 of 50")),
        note="The judge judge.py:grade decides nothing here.",
        numeric=(1, 2, 3),
    )


def _by_heart() -> Table:
    return Table(
        title="What tuned models know without documents",
        columns=("approach", "taught, word for word", "taught, in other words", "never taught"),
        rows=(("lora", "41 of 50 (69-91 %)", "9 of 38 (11-40 %)", "1 of 50 (0-11 %)"),),
        note="Right answers when no document is shown, with 95 % intervals.",
        numeric=(1, 2, 3),
    )


def _slices() -> Table:
    return Table(
        title="In each part of the cases",
        columns=("part", "cases", "lora", "prompting"),
        rows=(("persona is chatty", "60", "55 % (42-67)", "61 %"), ("persona is calm", "240", "98 % (95-99)", "88 %")),
        note="The weakest parts of the first approach stand first.",
        numeric=(1, 2, 3),
    )


def _forgetting() -> Table:
    return Table(
        title="What tuning gained, and what it cost elsewhere",
        columns=(
            "approach",
            "gain on the task",
            "perplexity before",
            "after",
            "times",
            "same next token",
            "KL a token",
        ),
        rows=(
            (CHOICE, "+12 points", "21", "24", "1.16 (1.10-1.22)", "89 %", "0.11"),
            (NAMES[5], "+13 points", "24", "31", "1.29 (1.21-1.38)", "84 %", "0.21"),
        ),
        note="Perplexity of general text that has nothing to do with the task.",
        numeric=(1, 2, 3, 4, 5, 6),
    )


def _differences() -> Table:
    return Table(
        title="The same cases, side by side",
        columns=("approach", "against", "difference", "95 % interval", "p", "only 1st right", "only 2nd right"),
        rows=(
            (CHOICE, NAMES[1], "+10 points", "+5 to +15", "below 0.001", "44", "14"),
            (CHOICE, NAMES[3], "+6 points", "+1 to +11", "0.02", "38", "20"),
            (CHOICE, NAMES[5], "-1 point", "-4 to +2", "0.61", "15", "18"),
        ),
        note="p by exact McNemar test, each comparison on its own; nothing is chosen by these.",
        numeric=(2, 3, 4, 5, 6),
    )


def _tuning() -> Table:
    return Table(
        title="How each approach was tuned",
        columns=("approach", "configurations", "selection score", "tokens spent", "state"),
        rows=(
            (NAMES[1], "9", "76 %", "0", "saturated"),
            (NAMES[3], "14", "80 %", "118,420", "saturated"),
            (CHOICE, "6", "86 %", "119,904", "cut short"),
            (NAMES[5], "6", "86 %", "120,000", "cut short"),
        ),
        note="Selection scores are on examples, never on held-out cases; the best of several looks better than it is.",
        numeric=(1, 2, 3),
    )


def _tried() -> Table:
    return Table(
        title="What was tried",
        columns=("approach", "configuration", "selection score", "cases", "tokens"),
        rows=(
            (NAMES[3], "3 nearest examples; all in one message", "80 %", "60", "24,310"),
            (NAMES[3], "no examples shown", "71 %", "20", "3,120"),
            (NAMES[3], "12 more", "70 % at best", "-", "90,990"),
            (CHOICE, "rank 16, learning rate 0.002; batches of 8, 4 epochs", "86 %", "60", "84,404"),
            (CHOICE, "rank 16, learning rate 0.001; batches of 8, 4 epochs", "loss 0.94", "0", "35,500"),
        ),
        note="Those that got furthest come first, then those with the better score.",
        numeric=(2, 3, 4),
    )


def _picture() -> Picture:
    figures = (
        (0.0, 0.07, 0.046, 0.104, State.MISSES),
        (1080.0, 0.74, 0.688, 0.786, State.MISSES),
        (1020.0, 0.66, 0.605, 0.711, State.MISSES),
        (12960.0, 0.78, 0.730, 0.823, State.UNDECIDED),
        (5400.0, 0.84, 0.794, 0.877, State.MEETS),
        (20880.0, 0.85, 0.805, 0.886, State.MEETS),
        (None, 0.88, 0.838, 0.912, State.RULED_OUT),
        (None, 0.91, 0.872, 0.937, State.MEETS),
    )
    return Picture(
        title="accuracy against the cost of 12 months",
        cost_unit="machine time",
        points=tuple(
            Point(name=name, cost=cost, figure=figure, lower=lower, upper=upper, state=state)
            for name, (cost, figure, lower, upper, state) in zip(NAMES, figures, strict=True)
        ),
        target=0.8,
    )


def _targets() -> Table:
    return Table(
        title="What another target would take",
        columns=("target", "the cheapest proven to meet it", "undecided, and would be preferred"),
        rows=(
            ("5 to 60 %", NAMES[1], "-"),
            ("65 to 75 %", CHOICE, NAMES[1]),
            ("80 %", CHOICE, "-"),
            ("85 to 100 %", "nothing meets it", "-"),
        ),
        note="In steps of 5 %, from the same answers.",
    )


def _cases() -> ShownCases:
    invoice = shown_case(
        "Hi, the invoice you sent on Monday shows three seats but we cancelled one in September.\n"
        "Can somebody correct it before our accounts close on Friday?",
        "invoice_wrong",
        {NAMES[1]: "invoice_missing", NAMES[3]: "seat_removal", CHOICE: "invoice_wrong"},
    )
    passage = ShownPassage(
        id="handbook-12",
        where="characters 40 to 120",
        before="Sessions end after ",
        quote="ten minutes",
        after=" without a touch.",
        left_out=31,
        gold=True,
        approaches=(NAMES[3], CHOICE),
        quotes=(Quote(text="ten minutes", where="characters 59 to 70", approaches=(NAMES[3],)),),
    )
    example = ShownPassage(
        id="e017", where="", before="it logs me out", answer="session_expires", approaches=(NAMES[2],)
    )
    session = dataclasses.replace(
        shown_case(
            "why does it keep logging me out every 10 min on the phone, laptop is fine",
            "session_expires",
            {NAMES[1]: "session_expires", CHOICE: "mobile_app_crash", NAMES[3]: ""},
            heldout=True,
        ),
        also="logged_out",
        passages=(passage, example),
        passages_left_out=2,
        gold=("handbook-12",),
        gold_missed=(NAMES[2],),
    )
    return ShownCases(
        approaches=NAMES,
        labels=("invoice_wrong", "session_expires"),
        cases=(invoice, session),
        total=2,
        says=("1 held-out case and 1 selection case.", "Held-out cases that are shown count as seen."),
        notes=("What is left out is counted.",),
    )


def shown_case(
    text: str, wanted: str, answers: Mapping[str, str], *, heldout: bool = False, label: bool = True
) -> ShownCase:
    """A case whose answers are right where they are the wanted one."""
    return ShownCase(
        id=f"c{len(text)}",
        input=Excerpt(text=text),
        wanted=Excerpt(text=wanted),
        label=wanted if label else "",
        heldout=heldout,
        answers={
            name: ShownAnswer(text=Excerpt(text=said), grade=Grade.RIGHT if said == wanted else Grade.WRONG)
            for name, said in answers.items()
        },
    )


def _mistakes() -> Table:
    rows = (
        ("refund taken for cancel", "7", "examples that tell the two apart, or one label for both"),
        ("two labels confused, each pair once", "9", "more examples of every label"),
    )
    note = "Of 60 selection cases, 16 are wrong (27 %); held-out cases are not looked at."
    title = f"What goes wrong with {CHOICE}"
    return Table(title=title, columns=("what", "cases", "what may help"), rows=rows, note=note, numeric=(1,))


def _all_mistakes() -> Table:
    rows = (
        (CHOICE, "16 of 60", "labels confused 16"),
        (NAMES[3], "25 of 100", "labels confused 18, right answers in doubt 4, other form 2, 1 other kind"),
        (NAMES[1], "40 of 150", "labels confused 36, right answers in doubt 4"),
    )
    note = "On selection cases. What may help. Labels confused: more examples of the two. Keys in doubt: look at them first."
    title = "What goes wrong, approach by approach"
    return Table(title=title, columns=("approach", "wrong", "mostly"), rows=rows, note=note, emphasis=(0,))


def _examples() -> Table:
    columns = ("approach", "75 examples", "150 examples", "300 examples", "600, expected", "1,200, expected")
    rows = tuple((name, "61 %", "68 %", "75 %", "76-83 %", "77-89 %") for name in (NAMES[1], CHOICE))
    note = "The chosen configuration built from fewer examples, on the same 100 held-out cases."
    title = "What more examples would bring"
    return Table(title=title, columns=columns, rows=rows, note=note, numeric=(1, 2, 3, 4, 5))


def empty_story() -> Story:
    """A story of a run in which nothing could be measured."""
    nothing = Table(title="nothing", columns=("approach", "status"), rows=())
    return Story(
        task="empty",
        title="Not decided yet",
        headline="No answer: none of the approaches could be measured.",
        about="",
        confidence="No approach had usable figures, so nothing was tested.",
        verdict="undecided",
        choice=None,
        reasons=(),
        a_month=(),
        would_change=(),
        next_steps=(),
        main=nothing,
        approaches=nothing,
        mistakes=nothing,
        all_mistakes=nothing,
        examples=nothing,
        targets=nothing,
        costs=nothing,
        bands=nothing,
        pairs=nothing,
        slices=nothing,
        probed=nothing,
        probed_further=nothing,
        consistency=nothing,
        rebuilds=nothing,
        changed=nothing,
        altered=nothing,
        coverage=nothing,
        handover=nothing,
        leaks=nothing,
        grounding=nothing,
        planted=nothing,
        forgetting=nothing,
        by_heart=nothing,
        judge=nothing,
        differences=nothing,
        tuning=nothing,
        tried=nothing,
        data=(),
        risks=(),
        method=(),
        picture=Picture(title="accuracy", cost_unit="unknown", points=(), target=None),
    )


def with_texts(story: Story, change: Callable[[str], str]) -> Story:
    """The story with every text in it changed, keys of mappings included; what is empty, statuses and other enums stay."""
    changed: Story = _changed(story, change)
    return changed


CODES: Mapping[type, tuple[str, ...]] = {Cell: ("verdict",), Estimate: ("tone",), Forest: ("unit",)}
"""Fields that hold one of a few words of ours and never anybody's text."""


def _changed(value: Any, change: Callable[[str], str]) -> Any:
    if isinstance(value, Enum):
        return value
    if isinstance(value, str):
        return change(value) if value else value
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        fields = {field.name: getattr(value, field.name) for field in dataclasses.fields(value)}
        kept = CODES.get(type(value), ())
        fields = {name: held if name in kept else _changed(held, change) for name, held in fields.items()}
        return dataclasses.replace(value, **fields)
    if isinstance(value, Mapping):
        return {_changed(key, change): _changed(held, change) for key, held in value.items()}
    if isinstance(value, tuple | list):
        return type(value)(_changed(item, change) for item in value)
    return value
