"""Requests in other words, as a model writes them: whether answers stay when somebody else asks the same."""

from __future__ import annotations

import logging
import math
import re
from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, cast

from benchmarks.contract import Candidate
from benchmarks.data.similar import normalised
from benchmarks.probes.consistency import PART_CASES
from benchmarks.storage.store import AGAIN, UnitResult
from strategies.answers import FAULTS_ALLOWED
from strategies.contract import Case, Generates, LanguageModel, Message, Prompt, Sampling, Task, Unanswered, Workbench
from strategies.prompting.rendering import INPUT_TOKENS
from strategies.search import Look, journalled, total

if TYPE_CHECKING:
    from benchmarks.running.plan import Unit
    from benchmarks.running.work import Worker

WANTED = (
    "Write the request below once more in other words, as another person would put it. Keep its language, its meaning and "
    "every name and number. Write the new request and nothing else."
)
FRAME = 60
"""Tokens of the question beside the request, about."""
LONGER, ROOM = 2.0, 40
"""A rewording may have so many times the tokens of the request, and so many more."""
_RATIO = 3.0
"""What is so many times as long or as short is another text."""
_AROUND = "\"'\u201c\u201d\u201e\u00ab\u00bb` "


def rewords(task: Task) -> bool:
    """Whether an answer should stay: what is extracted or rewritten may hold any word of the request."""
    return task.kind in ("classification", "qa")


def question(text: str) -> Prompt:
    return (Message("user", f"{WANTED}\n\n{text}"),)


def short_enough(model: LanguageModel, cases: Sequence[Case]) -> list[Case]:
    """Those that approaches read to their end: a longer one would raise what all answers may take."""
    return [case for case in cases if model.count(question(case.input)) <= INPUT_TOKENS + FRAME]


def limit(model: LanguageModel, texts: Sequence[str]) -> int:
    """Tokens that a rewording of the longest of these may have."""
    return math.ceil(LONGER * max(model.count(question(text)) for text in texts)) + ROOM


def reworded(cases: Sequence[Case], bench: Workbench, payer: str) -> list[tuple[Case, str]]:
    """The cases of which the bench's model wrote usable rewordings, each with its own; its journal keeps them, so that all
    approaches are asked in the same words. What they took is recorded whenever the first `payer` asks for them: its unit may
    have been killed since. Raises `Unanswered` where faults took more answers than a check may lose."""
    cases = short_enough(bench.model, cases)
    if not cases:
        return []
    texts = [case.input for case in cases]
    (look,) = journalled(bench, [("reworded", texts)], lambda _: [_asked(texts, bench, payer)], bench.model.name)
    for usage in look.usage if look.notes.get("payer") == payer else ():
        bench.record(usage)
    return [
        (case, found)
        for case, said in zip(cases, look.notes["said"], strict=True)
        if (found := usable(case.input, said)) is not None
    ]


def usable(text: str, said: str) -> str | None:
    """The rewording, or None: it is empty, the same, lost or made up a number, or is of another size altogether."""
    found = said.strip().strip(_AROUND).strip()
    sizes = len(found), len(text)
    if not found or normalised(found) == normalised(text) or max(sizes) > _RATIO * min(sizes):
        return None
    return found if _numbers(found) == _numbers(text) else None


def _numbers(text: str) -> list[str]:
    return sorted(re.findall(r"\d+", text))


def _asked(texts: Sequence[str], bench: Workbench, payer: str) -> Look:
    writer, said, faults = cast(Generates, bench.model), [""] * len(texts), 0
    spent = []
    prompts = [question(text) for text in texts]
    for done, (place, found) in enumerate(
        writer.generate(prompts, limit(bench.model, texts), Sampling(seed=bench.seed)), start=1
    ):
        said[place] = found.text if found.finished and not (found.error or found.declined) else ""
        faults += bool(found.error) and not found.lasting
        spent.append(found.usage)
        bench.progress(done, len(texts), f"{bench.model.name} rewords requests")
    if faults > FAULTS_ALLOWED * len(texts):
        raise Unanswered(f"{bench.model.name} was to reword requests, and {faults:,} of {len(texts):,} had no answer")
    kept = sum(usable(text, row) is not None for text, row in zip(texts, said, strict=True))
    level = logging.INFO if 2 * kept > len(texts) else logging.WARNING
    logging.getLogger(__name__).log(level, "%s reworded %d of %d requests", bench.model.name, kept, len(texts))
    return Look((), total(spent), {"said": said, "payer": payer})


def in_other_words(worker: Worker, unit: Unit, candidate: Candidate) -> UnitResult:
    """Half of the probe cases in the teacher's words. What these took stands with the first approach that asks for them."""
    bench = worker.bench_of(worker.models.teacher)
    try:
        asked = reworded(worker.probe_cases()[:PART_CASES], bench, unit.name)
    except Unanswered as error:
        logging.getLogger(__name__).warning("%s, rewordings: %s; resuming the run asks again", candidate.name, error)
        return worker.done(unit, candidate, (), {AGAIN: True})
    outcomes = worker.ask(worker.fitted(candidate), [text for _, text in asked], worker.sampling(0))
    rows = [
        worker.row(candidate, ("reworded", ""), case, found) for (case, _), found in zip(asked, outcomes, strict=True)
    ]
    done = worker.done(unit, candidate, rows)
    return replace(done, usage=(*total(bench.spent), *done.usage))
