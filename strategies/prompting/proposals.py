"""Instructions that a stronger model proposes: it is told the person's own and shown some training examples, once."""

from __future__ import annotations

import logging
import re
from collections.abc import Sequence
from typing import cast

from strategies.answers import silent
from strategies.contract import (
    Case,
    Generates,
    LanguageModel,
    Message,
    Prompt,
    Sampling,
    Task,
    Unanswered,
    Workbench,
    thoughts,
)
from strategies.prompting.demonstrations import balanced, drawn
from strategies.prompting.rendering import LabelWords
from strategies.search import Look, journalled
from strategies.standalone.reading import UNSPACED
from strategies.standalone.refusals import DECLINED
from strategies.words import count

COUNT = 4
"""Instructions that are asked for, and used at most."""
LONGEST, FEWEST_WORDS = 600, 3
"""Characters of an instruction, at most, and its words, at least: what is longer or shorter is left out."""
SHOWN, SHOWN_TOKENS = 8, 150
"""Examples that are shown, and tokens of each input and each answer, at most."""
LABELS = 100
"""Labels that are listed, at most."""
ANSWER_TOKENS = 1000
KEPT = 20_000
"""Characters of an answer that are looked at, whatever a server sends."""
_NUMBERED = re.compile(rf"\s*\d{{1,2}}\s?(?:[.):](?:\s+|(?=[{UNSPACED}]))|[\u3001\uff09\uff0e\uff1a]\s*)(\S.*)")
UNUSABLE = (
    f"no line of what it said could be used: one needs a number, has at least {FEWEST_WORDS} words and at most {LONGEST} "
    "characters, and says something else than your own"
)
_ROLE = "You write instructions for a small language model. It reads one input at a time and gives one answer."
_WANTED = (
    f"Write {COUNT} other instructions for the same task that would help the small model to answer more inputs like these "
    "rightly. Each stands by itself, in at most 60 words, says what to look for and what an answer looks like, and names no "
    f"example. Write each on one line that begins with its number, from 1. to {COUNT}., and nothing else."
)


def shown_cases(task: Task, seed: int) -> tuple[Case, ...]:
    """The examples that are shown: a seeded choice from the training part of the first fold, at most a quarter of it."""
    train = task.folds[0].train
    return tuple(balanced(drawn(train, seed), bool(task.labels))[: min(SHOWN, len(train) // 4)])


def question(task: Task, model: LanguageModel, cases: Sequence[Case]) -> Prompt | None:
    """What the stronger model is asked, with as many of the cases as it can read; None: not even without."""
    for shown in range(len(cases), -1, -1):
        prompt = _question(task, model, cases[:shown])
        if model.count(prompt) <= model.context_tokens - ANSWER_TOKENS:
            return prompt
    return None


def proposed(task: Task, bench: Workbench, cases: Sequence[Case]) -> tuple[tuple[str, ...], str]:
    """Its instructions, at most `COUNT`, and why there are none where it said nothing of use; `bench` is its own, and its journal
    keeps the answer.

    Whatever it says is text: one line each, of bounded length, without what cannot be seen. Raises `Unanswered` where a fault
    took the answer: another time it would be another search.
    """
    prompt = question(task, bench.model, cases)
    if prompt is None:
        return (), ""
    name = ("proposals", [[turn.role, turn.content] for turn in prompt])
    (look,) = journalled(bench, [name], lambda _: [_asked(bench, prompt, task.instruction)], bench.model.name)
    for usage in look.usage:
        bench.record(usage)
    return read(str(look.notes["said"]), task.instruction), str(look.notes.get("silent", ""))


def read(text: str, own: str) -> tuple[str, ...]:
    """The instructions in an answer: what stands on numbered lines, none twice and none that the person has already given."""
    found: dict[str, None] = {}
    for line in text[:KEPT].split("\n"):
        numbered = _NUMBERED.match(line)
        said = _visible(numbered[1]).strip("\"'*` ") if numbered else ""
        if count(said) >= FEWEST_WORDS and len(said) <= LONGEST and said != _visible(own):
            found[said] = None
    return tuple(found)[:COUNT]


def _question(task: Task, model: LanguageModel, cases: Sequence[Case]) -> Prompt:
    def part(text: str) -> str:
        return model.cut(text, SHOWN_TOKENS)

    words = LabelWords.of(task.labels, natural=True)
    blocks = [f"The task, in the words of the person who has it:\n{task.instruction.strip()}"]
    blocks += [f"Possible answers: {', '.join(words.words[:LABELS])}"] if task.labels else []
    blocks += ["Inputs with their right answers:"] if cases else []
    blocks += [f"Input: {part(case.input)}\nAnswer: {part(words.say(case.output))}" for case in cases]
    return (Message("system", _ROLE), Message("user", "\n\n".join([*blocks, _WANTED])))


def _asked(bench: Workbench, prompt: Prompt, own: str) -> Look:
    bench.progress(0, 1, f"{bench.model.name} proposes instructions")
    writer = cast(Generates, bench.model)
    ((_, completion),) = writer.generate([prompt], ANSWER_TOKENS, Sampling(seed=bench.seed), "search")
    bench.progress(1, 1, f"{bench.model.name} proposes instructions")
    if completion.error and not completion.lasting:
        raise Unanswered(f"{bench.model.name} was to propose instructions: {completion.error.rstrip('.')}")
    said = "" if completion.declined else completion.text[:KEPT]
    whole = completion.finished and not completion.declined
    if read(said, own) or completion.error or (whole and not said.strip()):
        return Look((), (completion.usage,), {"said": said})
    why = UNUSABLE if said.strip() else silent(ANSWER_TOKENS + thoughts(bench.model))
    why = DECLINED if completion.declined else why
    logging.getLogger(__name__).warning("%s was to propose instructions: %s", bench.model.name, why)
    return Look((), (completion.usage,), {"said": said, "silent": why})


def _visible(text: str) -> str:
    return " ".join("".join(letter if letter.isprintable() else " " for letter in text).split())
