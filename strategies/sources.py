"""What a pipeline may look things up in: examples, and passages of the documents."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

from strategies.contract import Case, Embedder, Evidence, Task
from strategies.prompting.demonstrations import Founded, Shown, founded
from strategies.retrieval.index import Finder, Mode, PassageIndex, named_by
from strategies.retrieval.neighbours import Neighbours
from strategies.spans import standing_answers

AS_FOUND = 0.2
"""Share of the lessons whose passages are left as the search found them (RAFT, arXiv 2403.10131): so it is later, too."""


@dataclass(frozen=True)
class Sources:
    """What a pipeline may look things up in: examples and the passages of the documents."""

    cases: tuple[Case, ...]
    embedder: Embedder
    index: Finder | None = None

    @cached_property
    def neighbours(self) -> Neighbours:
        return Neighbours(self.cases, self.embedder)

    @cached_property
    def standing(self) -> tuple[str, ...]:
        return standing_answers(self.cases)

    @cached_property
    def _found(self) -> dict[tuple[str, int, Mode], tuple[Evidence, ...]]:
        return {}

    def evidence(self, texts: Sequence[str], passages: int, mode: Mode) -> list[tuple[Evidence, ...]]:
        """The passages for each text, best first."""
        if not passages or self.index is None:
            return [()] * len(texts)
        return self.index.search(texts, passages, mode)

    def founded(self, task: Task) -> Founded:
        """How is told whether passages are those that an answer rests on."""
        return founded(task, named_by(self.index))

    def taught(self, shown: Shown, tell: Founded) -> tuple[Evidence, ...]:
        """The evidence of a case, with a passage that its answer rests on in the place of the last one, where none was."""
        if not shown.evidence or tell(shown) or not isinstance(self.index, PassageIndex):
            return shown.evidence
        own = self.index.passages_of(shown.case.document_ids, shown.case.input)
        held = next((one.evidence for one in (shown._replace(evidence=(each,)) for each in own) if tell(one)), ())
        return (*shown.evidence[:-1], *held) if held else shown.evidence

    def evidence_of(self, cases: Sequence[Case], passages: int, mode: Mode) -> list[Shown]:
        """Examples with the passages that are found for them, looked for once."""
        fresh = [case.input for case in cases if (case.input, passages, mode) not in self._found]
        for text, found in zip(fresh, self.evidence(fresh, passages, mode), strict=True):
            self._found[text, passages, mode] = found
        return [Shown(case, self._found[case.input, passages, mode]) for case in cases]


def as_found(lesson: Case, seed: int) -> bool:
    """Whether the passages of the lesson are left as they were found; the same wherever and with whatever else it is learnt."""
    return random.Random(f"as found {seed} {lesson.id}").random() < AS_FOUND
