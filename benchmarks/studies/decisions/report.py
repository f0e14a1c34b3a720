"""decisions.md from the counts of the settings: errors, decisions given, looks that repeat, and what people do now."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from statistics import median
from typing import Any

from benchmarks.probes.consistency import PROBE_CASES
from benchmarks.statistics.looks import level_of
from benchmarks.studies.decisions import light
from benchmarks.studies.decisions.curves import HELDOUT, JUDGED, TRIED, foretold
from benchmarks.studies.decisions.draws import SLOW
from benchmarks.studies.decisions.looks import DOUBLED, SIZES
from benchmarks.studies.markdown import table
from benchmarks.studies.settings import by_commits

HABITS = ("highest mean wins", "unpaired z-test", "percentile bootstrap")
DEFAULT = "cheapest first"
"""The procedure of the product."""

SPENT = "three quarters of what is left"
"""How the product spends its error over several looks."""

Counts = Mapping[str, int]
Asked = tuple[str, str, str, bool]
"""A figure, its goal, what was found, and whether that reaches it."""
_ERRORS = ('false "meets", highest', "all", "decided wrongly, of the draws, highest", "of the decided, all")


def document(rows: Sequence[Mapping[str, Any]]) -> str:
    """The whole file."""
    looks = [row for row in rows if row["part"] == "look"]
    loops = [row for row in rows if row["part"] == "loop"]
    pools = list(dict.fromkeys(row["pool"] for row in looks))
    return (
        "\n\n".join(
            [
                "# How often the verdict is right",
                "Held-out sets of 50 to 800 cases are drawn with replacement from the rows of whole bake-offs as they stood at "
                "the end of November 2026 (run again since, with other scores), from those of approaches without a language "
                "model on the other public data, and from simulated tasks, whose truth is known. "
                "Targets lie 5 and 2 points below the truth of candidates and 0.3 points above, where a false "
                '"meets" is likeliest. The right decision is the one that all cases together '
                "would give. From cheap to dear is the order of the tasks; that of the fixed sequence and the finalist that of "
                "the real selection scores where all are known, else it comes from 100 further cases of each draw. Written by "
                "`python -m benchmarks.studies.decisions table` from committed counts.",
                f"{len(looks)} settings of {len(pools)} tasks: {', '.join(pools)}.{_graded(looks)} Figures "
                "that exist only over rows, such as macro-F1, are bounded by a bootstrap and are no part of this study."
                f"{_too_low(rows, pools)}",
                _goals(rows),
                "## One look",
                f"At the level of a first look, {100 * level_of(1):.3g} %: a run leaves the rest of 5 % for later looks. What "
                "people do now, below, is at 5 %. Decided is a mean of the settings, which have not as many draws each.",
                _procedures(looks),
                "The highest are those of single settings, so some of them lie above their expectation by chance: of a share "
                f"of 5 % in 2,000 draws one in a hundred settings shows 6.2 % or more. {_draws(looks)}",
                "### Decided, by the number of held-out cases",
                _by_size(looks),
                "### Decided wrongly, by the task",
                "The procedure of the product, from the cheapest on. A target just above what the cheapest approach is worth is "
                "the hard case: the right decision can hardly be shown there, so of the few draws that are decided many are "
                "wrong, though few of all draws. Where the keys are wrong now and then, every approach looks worse than it is, "
                "and no test on these keys sees it.",
                _by_pool(looks),
                "## Label more and look again",
                "Until the verdict is given, always from the cheapest on; where scores are right or wrong and every case stands "
                "alone. Looks at 100 cases and as many more each time, six in all:",
                _rules([row for row in loops if row["size"] == SIZES[-1]]),
                f"Looks at {', '.join(map(str, DOUBLED[:-1]))} and {DOUBLED[-1]} cases:",
                _rules([row for row in loops if row["size"] == DOUBLED[-1]]),
                "## What people do now",
                "Without a correction for several candidates, and without asking whether a cheaper one misses the target:",
                _habits(looks),
                *_asked(rows),
                *_foretold([row for row in rows if row["part"] == "curve"]),
                *([told] if (told := by_commits(rows)) else []),
            ]
        )
        + "\n"
    )


def _goals(rows: Sequence[Mapping[str, Any]]) -> str:
    """What was asked of the product's procedure before the first draw, and what came out."""
    looks, loops, single, curves = (
        [row for row in rows if row["part"] == part] for part in ("look", "loop", "stop", "curve")
    )
    lines = [*_errors_asked(looks, loops), *_asked_of_stopping(single), *_asked_of_curves(curves)]
    return table(
        ("figure", "goal", "found", ""), [(*line, "reached" if met else "not reached") for *line, met in lines]
    )


def _errors_asked(looks: Sequence[Mapping[str, Any]], loops: Sequence[Mapping[str, Any]]) -> Iterator[Asked]:
    meets = [_highest(rows, name, "false_meets") for rows, name in ((looks, DEFAULT), (loops, SPENT)) if rows]
    if looks and loops:
        said = f"{_percent(meets[0])} at one look, {_percent(meets[1])} over five or six"
        yield 'any false "meets", of the draws of a setting, highest', "at most 5 %", said, max(meets) <= 0.05
    if looks:
        counts = [row["counts"][DEFAULT] for row in looks]
        wrong, highest = _share(counts, "wrong", "decided"), _highest(looks, DEFAULT, "wrong")
        worst, pool = max(_wrong_of(looks, pool) for pool in {row["pool"] for row in looks})
        said = (
            f"{_percent(wrong)} of the decided ({_percent(worst)} of those of {pool}); at most {_percent(highest)} of the "
            "draws of a setting"
        )
        yield "the wrong approach is named, or wrongly none", "at most 5 %", said, max(wrong, highest) <= 0.05
        behind = max(_behind([row for row in looks if row["size"] == size]) for size in {row["size"] for row in looks})
        said = f"{100 * behind:.1f} points behind at most" if behind > 0 else "the best at every number of cases"
        yield "decided, against the best procedure", "3 points", said, behind <= 0.03


def _wrong_of(rows: Sequence[Mapping[str, Any]], pool: str) -> tuple[float, str]:
    """Share of the decided draws of a task that were decided wrongly, and the task."""
    return _share([row["counts"][DEFAULT] for row in rows if row["pool"] == pool], "wrong", "decided"), pool


def _behind(rows: Sequence[Mapping[str, Any]]) -> float:
    """How much more of the draws another procedure decides; those that err too often do not count."""
    others = [name for name in rows[0]["counts"] if name not in HABITS and _highest(rows, name, "false_meets") <= 0.062]
    return max(_mean(rows, name, _decided) for name in others) - _mean(rows, DEFAULT, _decided)


def _highest(rows: Sequence[Mapping[str, Any]], name: str, what: str) -> float:
    return max(float(row["counts"][name][what] / row["counts"][name]["draws"]) for row in rows)


def _asked_of_stopping(rows: Sequence[Mapping[str, Any]]) -> Iterator[Asked]:
    if rows:
        ratio = sum(row["asked"] / row["fixed"] for row in rows) / len(rows)
        said = f"{ratio:.2f} times, mean of {len(rows)} pairs of target and truth"
        yield "asking until it is decided, against a fixed number as powerful", "at most 1.15", said, ratio <= 1.15


def _asked_of_curves(rows: Sequence[Mapping[str, Any]]) -> Iterator[Asked]:
    if rows := [row for row in rows if row["sample"] in JUDGED]:
        held, width, middle, same = _curve_figures(rows)
        yield "twice the examples: the range holds the figure", "at least 80 %", _percent(held), held >= 0.8
        yield "its median width", "at most 8 points", f"{width:.1f} points", width <= 8
        said = f"{middle:.1f} points against {same:.1f}"
        yield 'error of its middle, against "no more gain"', "smaller", said, middle < same


def _curve_figures(pieces: Sequence[Mapping[str, Any]], asked: int = HELDOUT) -> tuple[float, float, float, float]:
    """Share of ranges that hold the figure; median width, mean error of the middle and of no gain at all, in points."""
    rows = [foretold(piece, asked) for piece in pieces]
    held = sum(row["low"] <= row["later"] <= row["high"] for row in rows) / len(rows)
    width = 100 * median(row["high"] - row["low"] for row in rows)
    middle = 100 * sum(abs((row["low"] + row["high"]) / 2 - row["later"]) for row in rows) / len(rows)
    same = 100 * sum(abs(row["now"] - row["later"]) for row in rows) / len(rows)
    return held, width, middle, same


def _asked(rows: Sequence[Mapping[str, Any]]) -> list[str]:
    """Asking until it is decided (`advisor run --stop-when-decided`)."""
    single, sets = ([row for row in rows if row["part"] == part] for part in ("stop", "set"))
    if not single or not sets:
        return []
    lines = [
        (
            _percent(row["target"]),
            _percent(row["truth"]),
            f"{row['asked']:.0f}",
            _percent(row["power"]),
            f"{row['fixed']:,}",
            f"{row['asked'] / row['fixed']:.2f}",
        )
        for row in single
    ]
    columns = ("target", "truth", "asked on average", "decided", "fixed number as powerful", "ratio")
    ratio = sum(row["asked"] / row["fixed"] for row in single) / len(single)
    pools = list(dict.fromkeys(row["pool"] for row in sets))
    saved = [
        (pool, _percent(1 - _share([row for row in sets if row["pool"] == pool], "asked", "there"))) for pool in pools
    ]
    return [
        "## Asking until it is decided",
        "One candidate is asked one case after another, at most twice as many as a fixed number needs to decide 4 times in 5. "
        "Beside it the fixed number of cases that decides as often at the same level. "
        f"The mean ratio is {ratio:.2f}.",
        table(columns, lines, numeric=range(6)),
        "Of whole sets of held-out cases, with all their candidates, in random orders and in the units of a run (100 cases "
        f"and 50 more each time), {_percent(1 - _share(sets, 'asked', 'there'))} of the answers are not needed:",
        table(("task", "answers saved"), saved, numeric=(1,)),
    ]


def _foretold(rows: Sequence[Mapping[str, Any]]) -> list[str]:
    """What twice the examples bring (`advisor run --curve`)."""
    judged, tried = ([row for row in rows if row["sample"] in samples] for samples in (JUDGED, TRIED))
    if not judged:
        return []
    settings = dict.fromkeys((row["task"], row["examples"]) for row in judged)
    parts = [
        (f"{task}, {examples} examples", [row for row in judged if (row["task"], row["examples"]) == (task, examples)])
        for task, examples in settings
    ]
    lines = [
        ("all", f"{len(judged)}", *_of_curves(judged)),
        *((name, f"{len(part)}", *_of_curves(part)) for name, part in parts),
        (f"all, {PROBE_CASES} cases", f"{len(judged)}", *_of_curves(judged, PROBE_CASES)),
        ("other samples, on which the rule was made", f"{len(tried)}", *_of_curves(tried)),
    ]
    columns = ("learning curves", "number", "range holds it", "median width", "error of the middle", "of no gain")
    return [
        "## Twice the examples",
        "What is foretold from an eighth, a quarter, a half and all of the examples, against the figure with twice as many: "
        f"copying the nearest example and a linear head, on {HELDOUT} held-out cases. In points. On {PROBE_CASES} cases as "
        "approaches with a language model are asked; none of these is among the curves, since one takes hours here. Where the "
        "names of the labels are examples of themselves, figures start high and rise late, which no law can know before. Figures "
        "are shares of right answers, of sms_spam too, whose own metric is F1 of spam: of such a metric the product foretells "
        "nothing.",
        table(columns, lines, numeric=range(1, 6)),
    ]


def _of_curves(rows: Sequence[Mapping[str, Any]], asked: int = HELDOUT) -> tuple[str, ...]:
    if not rows:
        return ("-",) * 4
    held, *points = _curve_figures(rows, asked)
    return (_percent(held), *(f"{each:.1f}" for each in points))


def _too_low(rows: Sequence[Mapping[str, Any]], drawn: Sequence[str]) -> str:
    """The tasks that were asked and have no target from 10 % on that lies near what anything reaches."""
    asked = [light.NAME.format(row["task"]) for row in rows if row["part"] == "pool"]
    found = [name for name in asked if name not in drawn]
    return f" Of {' and '.join(found)} no approach reaches 10 %, so no target is drawn." if found and drawn else ""


def _graded(rows: Sequence[Mapping[str, Any]]) -> str:
    """The tasks whose scores have to be bet on: the study draws fewer sets of them."""
    most = max((row["counts"][DEFAULT]["draws"] for row in rows), default=0)
    found = dict.fromkeys(row["pool"] for row in rows if row["counts"][DEFAULT]["draws"] < most)
    return f" Scores are graded in {', '.join(found)}, right or wrong in the others." if found else ""


def _procedures(rows: Sequence[Mapping[str, Any]]) -> str:
    names = [name for name in (rows[0]["counts"] if rows else ()) if name not in HABITS]
    lines = [(name, *_errors(rows, name), _percent(_mean(rows, name, _decided))) for name in names]
    columns = ("procedure", *_ERRORS, "decided")
    return table(columns, lines, numeric=(1, 2, 3, 4, 5))


def _draws(rows: Sequence[Mapping[str, Any]]) -> str:
    """How many draws stand behind the shares of a procedure."""
    each = {name: Counter(row["counts"][name]["draws"] for row in rows) for name in (rows[0]["counts"] if rows else ())}
    fewer = [f"{name} {min(found):,}" for name, found in each.items() if found and name in SLOW]
    usual = each.get(DEFAULT, Counter())
    parts = [f"{draws:,} in {settings} settings" for draws, settings in usual.most_common()]
    return f"Draws: {', '.join(parts)}; of procedures that resample each draw fewer ({', '.join(fewer)})."


def _by_pool(rows: Sequence[Mapping[str, Any]]) -> str:
    lines = []
    for pool in dict.fromkeys(row["pool"] for row in rows):
        counts = [row["counts"][DEFAULT] for row in rows if row["pool"] == pool]
        highest = max(each["wrong"] / each["draws"] for each in counts)
        lines.append((pool, _percent(highest), _percent(_share(counts, "wrong", "decided"))))
    return table(("task", "of the draws of a setting, highest", "of the decided, all"), lines, numeric=(1, 2))


def _by_size(rows: Sequence[Mapping[str, Any]]) -> str:
    names = [name for name in (rows[0]["counts"] if rows else ()) if name not in HABITS]
    sizes = sorted({row["size"] for row in rows})
    lines = [
        (name, *(_percent(_mean([row for row in rows if row["size"] == size], name, _decided)) for size in sizes))
        for name in names
    ]
    return table(("procedure", *(f"{size} cases" for size in sizes)), lines, numeric=range(1, len(sizes) + 1))


def _rules(rows: Sequence[Mapping[str, Any]]) -> str:
    lines = []
    for name in rows[0]["counts"] if rows else ():
        looks = _mean(rows, name, lambda counts: counts["looks"] / counts["draws"])
        lines.append((name, *_errors(rows, name), _percent(_mean(rows, name, _decided)), f"{looks:.1f}"))
    columns = ("level", *_ERRORS, "decided", "looks")
    return table(columns, lines, numeric=range(1, 7))


def _habits(rows: Sequence[Mapping[str, Any]]) -> str:
    lines = [(name, *_errors(rows, name)) for name in HABITS if rows and name in rows[0]["counts"]]
    columns = ("habit", *_ERRORS)
    return table(columns, lines, numeric=(1, 2, 3, 4))


def _errors(rows: Sequence[Mapping[str, Any]], name: str) -> tuple[str, str, str, str]:
    counts = [row["counts"][name] for row in rows]
    return (
        _percent(max(each["false_meets"] / each["draws"] for each in counts)),
        _percent(_share(counts, "false_meets", "draws")),
        _percent(max(each["wrong"] / each["draws"] for each in counts)),
        _percent(_share(counts, "wrong", "decided")),
    )


def _share(counts: Iterable[Counts], part: str, whole: str) -> float:
    given = list(counts)
    return sum(each[part] for each in given) / max(1, sum(each[whole] for each in given))


def _mean(rows: Sequence[Mapping[str, Any]], name: str, figure: Callable[[Counts], float]) -> float:
    return sum(figure(row["counts"][name]) for row in rows) / max(1, len(rows))


def _decided(counts: Counts) -> float:
    return counts["decided"] / counts["draws"]


def _percent(share: float) -> str:
    return f"{100 * share:.1f} %"
