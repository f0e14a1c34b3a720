"""What a run asks of models that answer at a server, before anything is sent: requests and tokens, at most about so many."""

from __future__ import annotations

import math
import string
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache

from benchmarks.contract import Benchmark, Candidate
from benchmarks.probes import reworded
from benchmarks.probes.added import adds_labels
from benchmarks.probes.altered import has_a_rule
from benchmarks.probes.by_heart import CASES as BY_HEART
from benchmarks.probes.changed import CASES, asks_for_facts
from benchmarks.probes.consistency import PART_CASES, PROBE_CASES, probe_cases, repeats
from benchmarks.probes.curve import DRAWS, sizes
from benchmarks.probes.gold import naming
from benchmarks.probes.handed import most
from benchmarks.probes.planted import CASES as PLANTED
from benchmarks.probes.rebuilds import SHARE
from benchmarks.running.plan import Further, Options, is_prompted, planted_units, rebuild_units, reworded_units
from strategies.answers import answer_limit
from strategies.approaches.lora_distilled import most_requests
from strategies.approaches.prompting import Prompting
from strategies.approaches.retrieval import Retrieval, larger
from strategies.contract import Document, LanguageModel, Strategy, Task, Trains, thoughts
from strategies.finding import widened
from strategies.finetuning.race import RECIPES
from strategies.models.endpoint import BYTES_A_TOKEN
from strategies.pipeline import Setup
from strategies.prompting import proposals
from strategies.prompting.rendering import INPUT_TOKENS, Form, instruction
from strategies.prompting.wordings import library
from strategies.retrieval.chunking import PASSAGE_WORDS, size
from strategies.search import FIRST, KEEP, LEAST, first_look
from strategies.searched import FORMS_SHARE
from strategies.selection import DRAWS as SETS_TRIED
from strategies.traits import prefers_cheapest

CHARACTERS_A_TOKEN = 3.6
"""Of English text in a modern vocabulary."""
SIGNS_A_TOKEN, WIDE_BYTES_A_TOKEN = 1.3, 3.0
"""Of digits and punctuation, as in JSON, and of letters that are none of English, such as Chinese, in UTF-8: at least."""
READ = 20_000
"""Characters of a document by which the tokens of a passage are reckoned."""
FRAME = 20
"""Tokens of a prompt that are neither instruction nor text of a case, and of each example that it shows."""
TIMED = 22
"""Requests that are timed one by one, two of them to warm up."""
MOST_SHOTS = 8
"""Examples in a prompt of an approach whose configurations are not known here."""


@dataclass(frozen=True, kw_only=True)
class RequestTotals:
    """What a run asks of one model at most. Tokens are reckoned from characters, nothing counts as cached, and every answer
    is taken to be as long as it may be."""

    model: str
    requests: int
    prompt_tokens: int
    answer_tokens: int
    longest_prompt: int
    """Tokens of one request."""


@dataclass(frozen=True, kw_only=True)
class Load:
    """What one candidate asks of it."""

    model: str
    searching: float
    """Requests while it is fitted."""
    answering: float
    prompt_tokens: float
    limit: int
    """Tokens that an answer may have, thoughts before it included."""
    longest_prompt: float

    @property
    def requests(self) -> float:
        return self.searching + self.answering


def in_all(loads: Sequence[Load]) -> tuple[RequestTotals, ...]:
    """One for each model, in the order in which they come."""
    found = []
    for name in dict.fromkeys(load.model for load in loads):
        own = [load for load in loads if load.model == name]
        found.append(
            RequestTotals(
                model=name,
                requests=math.ceil(sum(load.requests for load in own)),
                prompt_tokens=math.ceil(sum(load.prompt_tokens for load in own)),
                answer_tokens=math.ceil(sum(load.requests * load.limit for load in own)),
                longest_prompt=math.ceil(max(load.longest_prompt for load in own)),
            )
        )
    return tuple(found)


def load_of(
    benchmark: Benchmark, candidate: Candidate, model: LanguageModel, options: Options, further: Further
) -> Load:
    """Choosing, answering and checks of a candidate that answers with the hosted model."""
    rebuilt = len(rebuild_units(benchmark, candidate, options, "", further.rebuilds))
    answers = answers_after_fit(benchmark, candidate, options, further) + rebuilt * min(
        PROBE_CASES, len(benchmark.heldout)
    )
    searches, task = (1 + rebuilt) * _choosing(candidate.strategy, options), benchmark.task
    load = _load(task, model, _setups(candidate.strategy, task), (searches, 1 + rebuilt), answers)
    if candidate.strategy.family != "prompting" or not (again := asked_again(benchmark, candidate, options)):
        return load
    passage = _passage_tokens(task, PASSAGE_WORDS)  # Which its prompts do not show otherwise.
    longest = min(float(model.context_tokens), load.longest_prompt + passage)
    return replace(load, prompt_tokens=load.prompt_tokens + again * passage, longest_prompt=longest)


def load_of_teacher(task: Task, model: LanguageModel, options: Options, rebuilt: int) -> Load:
    """What the teacher is asked in a fit and in so many rebuilds, each of which is the whole fit again: the two searches for
    its best way, and requests that nobody answered."""
    setups, times = [*_setups(Prompting(), task), *_setups(Retrieval(), task)], 1 + rebuilt
    answers = lessons_of(task, options) + rebuilt * lessons_of(task, options, SHARE)
    return _load(task, model, setups, (times * 2.0 * options.tuning_tokens, times * 2), answers)


def lessons_of(task: Task, options: Options, share: float = 1.0) -> int:
    """Requests without an answer that a fit on such a share of the examples has the teacher answer, about: the shorter they
    are, the more its student can learn from, so they are reckoned short. What all prompts begin with is read once a batch."""
    asked, answer = mean_tokens(task, fewest_tokens)
    row = fewest_tokens(task.instruction) / RECIPES[0].batch_size + asked + answer
    most_of_them = most_requests(round(share * len(task.examples)), options.tuning_tokens, max(1.0, row))
    return min(len(task.unlabelled), most_of_them)


def all_learn(task: Task, options: Options) -> bool:
    """Whether a student learns from every request, however long its rows are: only then have all students the same ones."""
    row = prompt_tokens(task, Setup(form=Form())) + mean_tokens(task, most_tokens)[1]
    return len(task.unlabelled) <= most_requests(len(task.examples), options.tuning_tokens, max(1.0, row))


def load_of_advice(task: Task, teacher: LanguageModel, seed: int, times: int) -> Load:
    """The question for instructions, which the teacher is asked once in each of so many fits."""
    asked = proposals.question(task, teacher, proposals.shown_cases(task, seed))
    told = sum(most_tokens(message.content) for message in asked or ())
    tokens = 0 if asked is None else max(teacher.count(asked), math.ceil(told))
    return Load(
        model=teacher.name,
        searching=0 if asked is None else times,
        answering=0,
        prompt_tokens=times * tokens,
        limit=proposals.ANSWER_TOKENS + thoughts(teacher),
        longest_prompt=tokens,
    )


def load_of_rewording(benchmark: Benchmark, teacher: LanguageModel, seed: int) -> Load:
    """The requests that the teacher writes in other words, once for all approaches."""
    asked = reworded.short_enough(teacher, probe_cases(benchmark, seed)[:PART_CASES])
    texts = [case.input for case in asked or benchmark.heldout[:1]]
    tokens = [max(teacher.count(reworded.question(text)), math.ceil(most_tokens(text))) for text in texts]
    return Load(
        model=teacher.name,
        searching=0,
        answering=len(asked),
        prompt_tokens=sum(tokens) if asked else 0,
        limit=reworded.limit(teacher, texts) + thoughts(teacher),
        longest_prompt=max(tokens),
    )


def with_proposals(benchmark: Benchmark) -> Benchmark:
    """The same with an instruction as long as a proposed one may be, for reckoning."""
    task = benchmark.task
    return replace(benchmark, task=replace(task, instruction=task.instruction.ljust(proposals.LONGEST)))


def _load(task: Task, model: LanguageModel, setups: Sequence[Setup], search: tuple[float, int], answers: float) -> Load:
    """`search`: the budget of all searches in tokens, and how many they are."""
    budget, times = search
    shortest, longest = (
        min(model.context_tokens, which(prompt_tokens(task, setup, tokens) for setup in setups))
        for which, tokens in ((min, fewest_tokens), (max, most_tokens))
    )
    items = sum(len(fold.selection) for fold in task.folds)
    forms = sum(setup.form == setup.form.own for setup in setups)
    told = 0 if forms == len(setups) else len(library(task)) + proposals.COUNT
    first = times * LEAST * _looks(forms, items)[0]
    everything = times * sum(sum(_looks(count, items)) for count in (forms, told, SETS_TRIED) if count)
    searching = min(everything, max(first, budget / (shortest + mean_tokens(task, fewest_tokens)[1])))
    return Load(
        model=model.name,
        searching=searching,
        answering=answers,
        prompt_tokens=min(everything * longest, max(first * longest, budget)) + answers * longest,
        limit=answer_limit(model, task, task.examples) + thoughts(model),
        longest_prompt=longest,
    )


def _looks(setups: int, items: int) -> tuple[int, int]:
    """Cases that each of so many setups is tried on first, and all other answers of a search that its budget does not end
    (`strategies.search.HalvingSearch.run`)."""
    rounds, first = first_look(setups, items)
    seen, more, running = first, (setups - 1) * first, setups
    for turn in range(rounds):
        running = max(2, math.ceil(running / KEEP))
        upto = min(items, max(seen + FIRST, items // KEEP ** (rounds - turn - 1)))
        more += running * (upto - seen)
        seen = upto
    return first, more


def _choosing(strategy: Strategy, options: Options) -> float:
    """Tokens of one search."""
    budget = float(options.tuning_tokens)
    return budget * (1 - FORMS_SHARE) if prefers_cheapest(strategy) else budget


def _setups(strategy: Strategy, task: Task) -> list[Setup]:
    """The configurations that are tried, the longest of other instructions included, or where they are not known a long one."""
    if isinstance(strategy, Prompting):
        space = _with_larger(strategy, strategy.space(task), strategy.larger)
        longest = max(library(task), key=len, default="")
        return [*space, *(replace(setup, form=replace(setup.form, added=longest)) for setup in space if longest)]
    if not isinstance(strategy, Retrieval):
        return [Setup(shots=MOST_SHOTS)]
    space = strategy.space(task, writes=True)
    # Other ways to search, where no example tells which passages are right, or passages without their documents.
    ways = space[:1] * 2 if task.documents else []
    return _with_larger(strategy, [*widened(space), *ways], larger)


def _with_larger(
    strategy: Prompting | Retrieval, space: list[Setup], beyond: Callable[[Setup], Sequence[Setup]]
) -> list[Setup]:
    """The space with what is tried beyond it, where the best is looked for."""
    return [*space, *(more for setup in space for more in beyond(setup))] if strategy.prefer == "best" else space


def most_tokens(text: str) -> float:
    """About as many as a modern vocabulary takes for it at most: signs and other scripts than Latin take more of them."""
    whole = text.encode("utf-8", "replace")
    dense = whole.translate(None, (string.ascii_letters + string.whitespace).encode())
    wide = dense.translate(None, bytes(range(128)))
    letters, signs = len(whole) - len(dense), len(dense) - len(wide)
    return letters / CHARACTERS_A_TOKEN + signs / SIGNS_A_TOKEN + len(wide) / WIDE_BYTES_A_TOKEN


def fewest_tokens(text: str) -> float:
    """As if it were English: the shorter its prompts, the more requests a budget pays for."""
    return len(text) / CHARACTERS_A_TOKEN


Reckoned = Callable[[str], float]
"""The tokens of a text: `most_tokens` or `fewest_tokens`."""


def prompt_tokens(task: Task, setup: Setup, tokens: Reckoned = most_tokens) -> float:
    """Of one request on average, with all that this setup shows."""
    asked, answer = mean_tokens(task, tokens)
    words = max(setup.passage_words, _longest_whole(task.documents, setup.whole_words))
    passage = _passage_tokens(task, words, tokens)
    passages = setup.passages * (1 + (setup.shots if setup.grounded else 0))
    listed = tokens("".join(f"{label}, " for label in task.labels)) if setup.form.show_labels else 0.0
    told = tokens(instruction(task, setup.form))
    return FRAME + told + asked + setup.shots * (asked + answer + FRAME) + passages * passage + listed


@lru_cache(maxsize=8)
def _longest_whole(documents: tuple[Document, ...], words: int) -> int:
    """Words of the longest document that has at most so many; 0 where none has."""
    sizes = (size(each.text) for each in documents if words)
    return max((each for each in sizes if each <= words), default=0)


def _passage_tokens(task: Task, words: int, tokens: Reckoned = most_tokens) -> float:
    """Of a passage of at most so many words."""
    longest = max((document.text for document in task.documents), key=len, default="")[:READ]
    return tokens(longest) * min(1.0, words / max(1, size(longest)))


def mean_tokens(task: Task, tokens: Reckoned) -> tuple[float, float]:
    """Of an input, as far as it is sent, and of an answer, by the first 200 examples."""
    some = task.examples[:200]
    asked = sum(tokens(_sent(case.input)) for case in some) / len(some)
    return asked, sum(tokens(case.output) for case in some) / len(some)


def _sent(text: str) -> str:
    """What is left of an input (`answers.trimmed`), by the estimate of a model at a server."""
    return text.encode("utf-8", "replace")[: INPUT_TOKENS * BYTES_A_TOKEN].decode("utf-8", "ignore")


def asked_again(benchmark: Benchmark, candidate: Candidate, options: Options) -> int:
    """Wrong selection answers that are asked for once more with the right passage, at most."""
    return most(benchmark.task) if options.probes and is_prompted(candidate) else 0


def answers_after_fit(benchmark: Benchmark, candidate: Candidate, options: Options, further: Further) -> int:
    """Answers that a candidate gives once it is fitted, rebuilds apart: held-out cases and what is checked."""
    task = benchmark.task
    probed, part = (min(most, len(benchmark.heldout)) for most in (PROBE_CASES, PART_CASES))
    drawn = repeats(task.temperature) * probed if task.temperature else part
    checked = 2 * probed + TIMED + drawn + (part if is_prompted(candidate) else 0)
    answers = len(benchmark.heldout) + (checked if options.probes else 0)
    reads = candidate.strategy.family in ("retrieval", "combined")
    if options.probes and reads and task.documents:  # With the right documents handed over.
        answers += min(probed, len(naming(benchmark.heldout, task.documents)))
    answers += asked_again(benchmark, candidate, options)
    if further.planted:
        answers += min(PLANTED, probed) * len(planted_units(benchmark, candidate, options, ""))
    if further.changed and asks_for_facts(benchmark):
        answers += 2 * CASES if reads else CASES  # At once where it reads documents, and with rewritten examples.
    trained = Trains in candidate.strategy.needs
    answers += 3 * BY_HEART if trained and options.probes and asks_for_facts(benchmark) else 0
    if further.changed and (adds_labels(benchmark, options.seed) or has_a_rule(benchmark)):
        answers += 3 * probed
    answers += part * len(reworded_units(benchmark, candidate, options, "", further.reworded_by))
    if further.curve and candidate.strategy.family != "prompting":
        answers += DRAWS * len(sizes(len(task.examples))) * probed
    return answers
