"""Chooses among configurations by sequential halving on the selection cases, within a budget of model tokens.

All configurations are compared on the same cases. Every finished look goes into the journal, so that a search that was
killed pays for none of them twice. (Sequential halving for prompts: arXiv 2402.09723.)
"""

from __future__ import annotations

import hashlib
import json
import math
import random
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from functools import partial
from typing import Any

from strategies.contract import (
    Case,
    LanguageModel,
    Query,
    ScoresLabels,
    Task,
    Trains,
    Trial,
    Usage,
    Workbench,
)

KEEP = 3
"""One configuration in this many goes on to the next round."""
FIRST = 20
"""Selection cases of the first look, at least."""
LEAST = 6
"""Configurations that get a first look whatever it costs; the others as long as it takes half of the budget at most."""


@dataclass(frozen=True)
class Look:
    """What one configuration did on some selection cases: a score for each, what was needed for it, and its cost."""

    scores: tuple[float, ...]
    usage: tuple[Usage, ...]
    notes: Mapping[str, Any] = field(default_factory=dict)

    def tokens(self, model: LanguageModel) -> int:
        return sum(spent_tokens(row, model) for row in self.usage)


def spent_tokens(usage: Usage, model: LanguageModel) -> int:
    """Model tokens as the budget counts them: a token of training is worth two of answering (4 N against 2 N FLOPs).

    Those that were read before count as nothing where the run itself has the weights (`ScoresLabels`, `Trains`). At any other
    server they are billed, and what it had read while a search asked in a row says nothing of requests that come one by one.
    """
    ours = isinstance(model, ScoresLabels | Trains)
    spent = usage.computed_tokens if ours else usage.prompt_tokens + usage.answer_tokens
    return spent * (2 if usage.step == "training" else 1)


@dataclass(frozen=True)
class Item:
    """One selection case with the fold whose training part may be used for it."""

    fold: int
    case: Case


Measure = Callable[[Sequence[Any], int, Sequence[Case]], Iterable[Look]]
"""(configurations, fold, selection cases of that fold) -> a look for each in their order, as they are finished; called once
for each new set of cases, with all configurations that are to see it: what they ask can be answered together."""


def selection_items(task: Task, seed: int) -> list[Item]:
    """All selection cases in one seeded order, the same for every approach and configuration.

    Fold after fold, so that the cases of a short look share one training part and with it their demonstrations.
    """
    dice = random.Random(seed)
    items: list[Item] = []
    for number, fold in enumerate(task.folds):
        items += [Item(number, case) for case in dice.sample(fold.selection, len(fold.selection))]
    return items


@dataclass
class Standing:
    """How one configuration stands so far."""

    configuration: Any
    scores: list[float] = field(default_factory=list)
    tokens: int = 0
    notes: list[Mapping[str, Any]] = field(default_factory=list)
    worths: list[float] = field(default_factory=list)
    """What each case is worth to a metric over rows (`Leaning.worths`); empty where the mean score is what counts."""
    closeness: float = 0.0
    """How much its written answers have of the words of right ones, 0 to 1: decides between those of one mark, as where none
    of a weak model's answers is exactly right."""

    @property
    def mean(self) -> float:
        return sum(self.scores) / len(self.scores) if self.scores else 0.0

    @property
    def mark(self) -> float:
        """What it is compared by: the metric over rows, or the mean score."""
        return sum(self.worths) / len(self.worths) if self.worths else self.mean

    @property
    def rank(self) -> tuple[float, float]:
        """Ascending, the best first."""
        return -self.mark, -self.closeness

    @property
    def tokens_per_case(self) -> float:
        return self.tokens / max(1, len(self.scores))


@dataclass(frozen=True)
class SearchResult:
    """The end of a search: every configuration's standing, best first."""

    standings: tuple[Standing, ...]
    rising: bool
    """The budget ended before the last round had seen all selection cases, or before every configuration had a look."""

    @property
    def best(self) -> Standing:
        return self.standings[0]

    def cheapest(self) -> Standing:
        """The configuration with the fewest tokens a request whose paired difference to the best lies within noise."""
        good = [standing for standing in self.standings if within_noise(*compared(self.best, standing))]
        return min(good, key=lambda standing: (standing.tokens_per_case, *standing.rank))


def compared(first: Standing, second: Standing) -> tuple[list[float], list[float]]:
    """What each of their cases counts for: its worth to a metric over rows where that is known of both, else its score."""
    if first.worths and second.worths:
        return first.worths, second.worths
    return first.scores, second.scores


def within_noise(best: Sequence[float], other: Sequence[float]) -> bool:
    """True when the mean paired difference on the shared cases is at most one standard error; at least 30 cases."""
    shared = min(len(best), len(other))
    if shared < 30 and shared < len(best):
        return False
    gaps = [first - second for first, second in zip(best, other, strict=False)]
    if shared < 2:
        return sum(gaps) <= 0
    mean = sum(gaps) / shared
    variance = sum((gap - mean) ** 2 for gap in gaps) / (shared - 1)
    return mean <= math.sqrt(variance / shared) + 1e-9  # One case more is exactly one standard error.


def outdone(chosen: Standing, other: Standing) -> bool:
    """Whether the other is better, beyond noise, on the cases that both have seen."""
    theirs, own = compared(other, chosen)
    shared = min(len(theirs), len(own))
    return not within_noise(theirs[:shared], own[:shared])


@dataclass(frozen=True)
class HalvingSearch:
    """One search of an approach: on the selection cases of the task, within a share of the bench's budget."""

    approach: str
    task: Task
    bench: Workbench
    share: float = 1.0
    judge: Callable[[Standing], None] | None = None
    """Goes over a standing after each look, as a metric over rows asks for."""

    @property
    def tokens(self) -> float:
        return self.bench.tuning_tokens * self.share

    def run(self, configurations: Sequence[Any], measure: Measure) -> SearchResult:
        """Races the configurations: all on few cases, the best third on more, the last on all that the budget allows.

        Where the budget is too small for all, those that stand first get a look.
        """
        items = selection_items(self.task, self.bench.seed)
        rounds, seen = first_look(len(configurations), len(items))
        entered: list[Standing] = []
        while count := self._more(entered, len(configurations)):
            fresh = [Standing(each) for each in configurations[len(entered) :][:count]]
            self._look(fresh, measure, items[:seen])
            entered += fresh
        running = list(entered)
        for turn in range(rounds):
            running = sorted(running, key=lambda standing: standing.rank)[: max(2, math.ceil(len(running) / KEEP))]
            left = (self.tokens - _spent(entered)) / (rounds - turn)
            upto = _reach(running, left, (seen, len(items)), rounds - turn)
            self._look(running, measure, items[seen:upto])
            seen = upto
        order = sorted(entered, key=lambda standing: (-len(standing.scores), *standing.rank))
        self._tell(order)
        return SearchResult(tuple(order), rising=seen < len(items) or len(entered) < len(configurations))

    def _more(self, entered: Sequence[Standing], total: int) -> int:
        """How many further configurations get a first look: `LEAST` whatever it costs, then what half of the budget pays."""
        if not entered:
            return min(LEAST, total)
        price = max(1.0, _spent(entered) / len(entered))
        return min(total - len(entered), max(0, int((self.tokens / 2 - _spent(entered)) / price)))

    def _look(self, standings: Sequence[Standing], measure: Measure, items: Sequence[Item]) -> None:
        by_fold: dict[int, list[Case]] = {}
        for item in items:
            by_fold.setdefault(item.fold, []).append(item.case)
        found: dict[tuple[int, int, str], float] = {}
        for fold, cases in sorted(by_fold.items()):
            keys = [Query.of(case.input).key for case in cases]
            parts = [("look", self.approach, plain(standing.configuration), fold, keys) for standing in standings]
            configurations = [standing.configuration for standing in standings]
            missing = partial(self._measured, measure, configurations, (fold, cases))
            looks = journalled(self.bench, parts, missing, self.bench.model.name)
            for place, (standing, look) in enumerate(zip(standings, looks, strict=True)):
                for usage in look.usage:
                    self.bench.record(usage)
                standing.tokens += look.tokens(self.bench.model)
                standing.notes.append(look.notes)
                found.update({(place, fold, case.id): score for case, score in zip(cases, look.scores, strict=True)})
        for place, standing in enumerate(standings):
            standing.scores += [found[place, item.fold, item.case.id] for item in items]
            if self.judge is not None:
                self.judge(standing)

    def _measured(
        self, measure: Measure, configurations: Sequence[Any], on: tuple[int, Sequence[Case]], places: Sequence[int]
    ) -> Iterator[Look]:
        """The looks at these places of the configurations, told as they come."""
        what = f"{self.approach}: tries on {len(on[1])} examples"
        self.bench.progress(0, len(places), what)
        for done, look in enumerate(measure([configurations[place] for place in places], *on), 1):
            self.bench.progress(done, len(places), what)
            yield look

    def _tell(self, order: Sequence[Standing]) -> None:
        for standing in order:
            self.bench.tried(
                Trial(
                    approach=self.approach,
                    configuration=plain(standing.configuration),
                    score=standing.mean,
                    cases=len(standing.scores),
                    tokens=standing.tokens,
                    mark=standing.mark if standing.worths else None,
                )
            )


def spread(configurations: Sequence[Any]) -> list[Any]:
    """Every third one first, so that those for which the budget is too small are of every kind."""
    return [configuration for start in range(KEEP) for configuration in configurations[start::KEEP]]


def first_look(configurations: int, cases: int) -> tuple[int, int]:
    """How many rounds follow the first look at so many configurations, and how many of the cases that takes."""
    rounds = max(1, math.ceil(math.log(max(1, configurations), KEEP)))
    return rounds, min(cases, max(FIRST, cases // KEEP**rounds))


def _spent(standings: Sequence[Standing]) -> int:
    return sum(standing.tokens for standing in standings)


def _reach(running: Sequence[Standing], tokens: float, seen_of: tuple[int, int], rounds_left: int) -> int:
    """Up to which case this round goes: a third of the way to all of them for each round left, as the tokens allow."""
    seen, total = seen_of
    wanted = max(seen + FIRST, total // int(KEEP ** (rounds_left - 1)))
    price = sum(standing.tokens_per_case for standing in running)
    affordable = seen + max(0, int(tokens / price)) if price else total
    return min(total, wanted, affordable)


def journalled(
    bench: Workbench, parts: Sequence[Any], work: Callable[[Sequence[int]], Iterable[Look]], model: str = ""
) -> list[Look]:
    """The looks named by `parts` from the journal; the work is done now for the places that are missing, and remembered as
    each look comes. `model` is the name of the bench's own, if it is asked."""
    keys = [content_key(each) for each in parts]
    known = [bench.journal.get(key) for key in keys]
    missing = [place for place, row in enumerate(known) if row is None]
    for place, look in zip(missing, work(missing) if missing else (), strict=True):
        usage = [asdict(row) for row in look.usage]
        row = {"scores": list(look.scores), "usage": usage, "notes": dict(look.notes), "model": model}
        bench.journal.put(keys[place], row)
        known[place] = bench.journal.get(keys[place]) or row  # Some journals keep nothing.
    rows = [row for row in known if row is not None]
    return [Look(tuple(row["scores"]), used(row, model), row["notes"]) for row in rows]


def used(known: Mapping[str, Any], model: str) -> tuple[Usage, ...]:
    """The usage in an entry of the journal, of which the model may have had another name: prices go by the one of now."""
    rows = [Usage(**row) for row in known["usage"]]
    return tuple(replace(row, model=model) if row.model == known.get("model") else row for row in rows)


def content_key(parts: Any) -> str:
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()


def plain(configuration: Any) -> Mapping[str, Any]:
    """A configuration as plain values."""
    values: Mapping[str, Any] = asdict(configuration)
    return values


def total(usages: Sequence[Usage]) -> tuple[Usage, ...]:
    """One usage row for each (model, step)."""
    sums: dict[tuple[str, str], Usage] = {}
    for row in usages:
        known = sums.get((row.model, row.step))
        sums[row.model, row.step] = row if known is None else add(known, row)
    return tuple(sums.values())


def add(first: Usage, second: Usage) -> Usage:
    return Usage(
        model=first.model,
        step=first.step,
        prompt_tokens=first.prompt_tokens + second.prompt_tokens,
        cached_tokens=first.cached_tokens + second.cached_tokens,
        answer_tokens=first.answer_tokens + second.answer_tokens,
        seconds=first.seconds + second.seconds,
        calls=first.calls + second.calls,
        cost=None if first.cost is None or second.cost is None else first.cost + second.cost,
    )
