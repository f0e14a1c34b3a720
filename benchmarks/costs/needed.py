"""How many tokens a model in this process reads, writes and is trained on for one candidate, about: from lengths of texts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from benchmarks.contract import Benchmark, Candidate
from benchmarks.costs.hosted import CHARACTERS_A_TOKEN, answers_after_fit, lessons_of
from benchmarks.data.split import SELECTION_SHARE
from benchmarks.probes.added import adds_labels
from benchmarks.probes.altered import has_a_rule
from benchmarks.probes.changed import asks_for_facts
from benchmarks.probes.consistency import PROBE_CASES
from benchmarks.probes.curve import DRAWS, sizes
from benchmarks.probes.rebuilds import SHARE
from benchmarks.running.plan import Further, Options, is_taught, rebuild_units
from strategies.contract import Task, Trains
from strategies.finetuning.apart import LEAST_APART
from strategies.finetuning.lengths import SHORT_SHARE, Lengths, least_search
from strategies.finetuning.tuned import LONGER, REFIT
from strategies.searched import FORMS_SHARE
from strategies.traits import prefers_cheapest

EPOCHS, EPOCHS_WITH_EXAMPLES = 4, 2
"""Passes over the examples when the winner is trained again; fewer where prompts show examples, whose answers count too."""
SETUPS = 2
"""Forms of a prompt that are trained at length where there are means, about."""
TEMPLATE_TOKENS = 20
"""Of a prompt, around its texts: a guess."""
PASSAGES_TOKENS = 160
"""Of what a prompt shows of documents: a guess."""
_LOOKED_AT = 200
"""Examples whose lengths are measured."""


@dataclass(frozen=True, kw_only=True)
class Computed:
    """Tokens that one model computes in this process, about: reckoned from characters and from the budget of choosing."""

    model: str
    prompt_tokens: float
    answer_tokens: float
    """Written, or scored where answers are labels."""
    trained_tokens: float
    """Each as often as it is read while training."""


@dataclass(frozen=True, kw_only=True)
class Needed:
    """Model tokens of one candidate: read while it is fitted, and after; trained on while it is fitted, after that, and once
    more with a second seed."""

    read: tuple[float, float]
    trained: tuple[float, float, float]
    answered: float
    """Share of what is read that is answers."""

    @property
    def passes(self) -> tuple[float, float, float]:
        """In passes over a token, of its fit, of what follows, and of the second seed; a trained token takes two."""
        fit, later, again = (2 * each for each in self.trained)
        return self.read[0] + fit, self.read[1] + later, again

    def computed(self, model: str) -> Computed:
        read = sum(self.read)
        return Computed(
            model=model,
            prompt_tokens=read * (1 - self.answered),
            answer_tokens=read * self.answered,
            trained_tokens=sum(self.trained),
        )


def by_model(computed: Sequence[Computed]) -> tuple[Computed, ...]:
    """One for each model, in the order in which they come."""
    sums: dict[str, Computed] = {}
    for each in computed:
        known = sums.get(each.model, Computed(model=each.model, prompt_tokens=0, answer_tokens=0, trained_tokens=0))
        sums[each.model] = Computed(
            model=each.model,
            prompt_tokens=known.prompt_tokens + each.prompt_tokens,
            answer_tokens=known.answer_tokens + each.answer_tokens,
            trained_tokens=known.trained_tokens + each.trained_tokens,
        )
    return tuple(sums.values())


def needed(benchmark: Benchmark, candidate: Candidate, options: Options, further: Further) -> Needed:
    """Choosing, refitting and answering, and all of it again where it is rebuilt."""
    row, answer = _row(benchmark.task, candidate)
    answers = answers_after_fit(benchmark, candidate, options, further)
    choosing = float(options.tuning_tokens)
    if prefers_cheapest(candidate.strategy):
        choosing *= 1 - FORMS_SHARE  # It shares the first part with the best.
    refit = tried = refits = 0.0
    if Trains in candidate.strategy.needs:
        choosing = max(choosing, least_search(row))  # Which no budget is too small for.
        refit, tried = _refit(benchmark.task, candidate, options, row)
        refits = _refits(benchmark, candidate, options, further)
    built = len(rebuild_units(benchmark, candidate, options, "", further.rebuilds))
    return Needed(
        read=(choosing, answers * row + built * (choosing + PROBE_CASES * row)),
        trained=(
            tried + refit,
            refits * refit + built * SHARE * refit,
            refit if options.probes and options.second_seed else 0.0,
        ),
        answered=answer / row,
    )


def needed_to_teach(benchmark: Benchmark, candidate: Candidate, options: Options, rebuilt: int) -> Needed:
    """Of a teacher in this process: two searches for its best way, and its answers, once more in each of so many rebuilds."""
    task = benchmark.task
    row, answer = _row(task, candidate)
    first, later = (
        times * (2.0 * options.tuning_tokens + lessons_of(task, options, share) * row)
        for times, share in ((1, 1.0), (rebuilt, SHARE))
    )
    return Needed(read=(first, later), trained=(0.0, 0.0, 0.0), answered=answer / row)


def _row(task: Task, candidate: Candidate) -> tuple[float, float]:
    """Tokens of a prompt with its answer, and of the answer."""
    asked, answer = (_mean_tokens([getattr(case, part) for case in task.examples]) for part in ("input", "output"))
    row = len(task.instruction) / CHARACTERS_A_TOKEN + asked + answer + TEMPLATE_TOKENS
    if candidate.strategy.family in ("retrieval", "combined"):
        row += PASSAGES_TOKENS if task.documents else 2 * (asked + answer)
    return row, answer


def _mean_tokens(texts: Sequence[str]) -> float:
    first = texts[:_LOOKED_AT]
    return sum(map(len, first)) / len(first) / CHARACTERS_A_TOKEN


def _refit(task: Task, candidate: Candidate, options: Options, row: float) -> tuple[float, float]:
    """Tokens that the winner of a search is trained on again, each as often as it is read; and what is trained before that to
    find after how many epochs it is enough, where the search is too small to find it."""
    epochs = EPOCHS_WITH_EXAMPLES if candidate.strategy.family == "combined" and not task.documents else EPOCHS
    rows = len(task.examples) + (lessons_of(task, options) if is_taught(candidate) else 0)
    once = rows * row
    longer = min(LONGER * epochs * once, options.tuning_tokens) if rows >= 12 * LEAST_APART else 0.0
    means = max(REFIT * options.tuning_tokens, once)
    refit = min(max(epochs * once, longer), means)
    whole = Lengths(row, row, (round((1 - SELECTION_SHARE) * rows),), epochs).whole
    found = (1 - SHORT_SHARE) * options.tuning_tokens / SETUPS >= whole
    tried = 0.0 if found or rows < 12 * LEAST_APART else min(refit, max(0.0, means - refit))
    return refit, tried


def _refits(benchmark: Benchmark, candidate: Candidate, options: Options, further: Further) -> float:
    """How many times as much is trained again for what was asked for besides."""
    refits = 0.0
    if further.changed and asks_for_facts(benchmark):
        refits += 1.0
    if further.changed and (adds_labels(benchmark, options.seed) or has_a_rule(benchmark)):
        refits += 1.0
    if further.curve and candidate.strategy.family != "prompting":
        examples = len(benchmark.task.examples)
        shares = [size / examples for size in sizes(examples)]
        refits += DRAWS * sum(min(2.0 * share, share**0.5) for share in shares)
    return refits
