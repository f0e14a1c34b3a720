"""What a pipeline may look things up in: examples, and passages of the documents."""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

from strategies.contract import Case, Embedder, Evidence, Task
from strategies.prompting.demonstrations import Founded, Shown, founded
from strategies.retrieval.index import Finder, Mode, PassageIndex, named_by
from strategies.retrieval.neighbours import Neighbours
from strategies.retrieval.query_adapter import learnt
from strategies.spans import standing_answers

WITHOUT = 0.2
"""Share of the lessons that may be learnt without the passage that the answer rests on (RAFT, arXiv 2403.10131): later the
search misses it, too."""
SPARE = 2
"""Passages that are looked at for each that such a lesson shows, and one more."""


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

    def of(self, task: Task) -> Sources:
        """The same with the examples of this task."""
        return self.knowing(task.examples, task)

    def knowing(self, cases: tuple[Case, ...], task: Task) -> Sources:
        """The same with these cases of the task, of which an adapter for questions, where there is one, is learnt anew."""
        index = self.index
        if isinstance(index, PassageIndex) and index.adapter is not None:
            index = index.adapted(learnt(index.adapted(None), cases, self.founded(task)))
        return replace(self, cases=cases, index=index)

    def taught(self, shown: Shown, tell: Founded) -> tuple[Evidence, ...]:
        """The evidence of a case, with a passage that its answer rests on in the place of the last one, where none was."""
        if not shown.evidence or tell(shown) or not isinstance(self.index, PassageIndex):
            return shown.evidence
        own = self.index.passages_of(shown.case.document_ids, shown.case.input)
        held = next((one.evidence for one in (shown._replace(evidence=(each,)) for each in own) if tell(one)), ())
        return (*shown.evidence[:-1], *held) if held else shown.evidence

    def missed(
        self, shown: Sequence[Shown], of: tuple[Task, int, float], search: tuple[Sequence[str], int, Mode]
    ) -> list[tuple[Evidence, ...]]:
        """The evidence of lessons: of a share (`without`) the next best passages in place of all that the answer rests on; as it
        was where nothing tells which those are, or no others are found. `of`: task, seed and share. `search`: texts, passages,
        mode.

        Not where examples say that there is no answer: these are such lessons, and others would teach to make one up.
        """
        (task, seed, share), (texts, passages, mode) = of, search
        tell, found = self.founded(task), [one.evidence for one in shown]
        places = [place for place, one in enumerate(shown) if without(one.case, seed, share) and tell(one)]
        if not places or self.declines(task):
            return found
        more = self.evidence([texts[place] for place in places], SPARE * passages + 1, mode)
        for place, row in zip(places, more, strict=True):
            case = shown[place].case
            others = [item for item in row if not tell(Shown(case, (item,)))][:passages]
            found[place] = tuple(others) or found[place]
        return found

    def declines(self, task: Task) -> bool:
        """Whether some examples may be answered by saying that the documents hold no answer: one that many share, which stands
        in no document that these name. Of a label, whose words may stand anywhere, none of these names a document."""
        named = named_by(self.index)

        def rests(case: Case) -> bool:
            return bool(named.known(case)) if task.labels else named.hold(case)

        resting = {case.output for case in self.cases if rests(case)}
        return any(text not in resting for text in self.standing)

    def evidence_of(self, cases: Sequence[Case], passages: int, mode: Mode) -> list[Shown]:
        """Examples with the passages that are found for them, looked for once."""
        fresh = [case.input for case in cases if (case.input, passages, mode) not in self._found]
        for text, found in zip(fresh, self.evidence(fresh, passages, mode), strict=True):
            self._found[text, passages, mode] = found
        return [Shown(case, self._found[case.input, passages, mode]) for case in cases]


def without(lesson: Case, seed: int, share: float) -> bool:
    """Whether the lesson is one of the share that is learnt without what its answer rests on; the same wherever and with whatever
    else it is learnt."""
    return random.Random(f"as found {seed} {lesson.id}").random() < share


def case_from(row: Mapping[str, Any]) -> Case:
    """A case from its JSON form."""
    return Case(**{**row, "answers": tuple(row["answers"]), "document_ids": tuple(row["document_ids"])})
