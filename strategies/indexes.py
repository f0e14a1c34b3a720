"""The documents of a task as the setups of one fit search them: passages of each size, with and without an adapter, made once."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

from strategies.contract import Case, Task, Usage, Workbench
from strategies.pipeline import Setup
from strategies.prompting.demonstrations import Founded, founded
from strategies.retrieval.chunking import PASSAGE_WORDS
from strategies.retrieval.index import PassageIndex
from strategies.retrieval.named import Named
from strategies.retrieval.query_adapter import learnt
from strategies.retrieval.timed import Stopwatch, recorded
from strategies.search import content_key


@dataclass
class Indexes:
    """The indexes of one fit; what one of them takes is recorded where it is made."""

    task: Task
    bench: Workbench
    _made: dict[int, PassageIndex] = field(default_factory=dict, repr=False)
    _widened: dict[tuple[int, int], PassageIndex] = field(default_factory=dict, repr=False)
    _adapters: dict[str, Any | None] = field(default_factory=dict, repr=False)
    _owed: list[Usage] = field(default_factory=list, repr=False)
    """What was built for looks that are not taken yet."""

    @cached_property
    def tell(self) -> Founded:
        """How is told whether passages are those that an answer rests on."""
        return founded(self.task, Named(self.task.documents))

    def of(self, words: int = PASSAGE_WORDS) -> PassageIndex | None:
        """The documents in passages of at most so many words; None without documents.

        One index is what following changed facts takes; another one, of another size, is part of the look that it is for.
        """
        if words not in self._made and self.task.documents:
            if self._made:
                watch = Stopwatch(self.bench.embedder)
                index = self._indexed(words)
                self._owed.append(watch.usage("search"))
            else:
                with recorded(self.bench, "index", words):
                    index = self._indexed(words)
            self._made[words] = index
        return self._made.get(words)

    def _indexed(self, words: int) -> PassageIndex:
        index = PassageIndex.build(self.task.documents, self.bench.embedder, words)
        return replace(index, reranker=self.bench.reranker).taught(self.task.examples)

    def searched(self, setup: Setup, cases: Sequence[Case]) -> PassageIndex | None:
        """What the setup looks passages up in, with what these examples teach where it is adapted; None where it shows none."""
        index = self.of(setup.passage_words) if setup.passages else None
        if index is None:
            return None
        size = (setup.passage_words, setup.whole_words)
        if size not in self._widened:
            self._widened[size] = index.widened(setup.whole_words)
        wide = self._widened[size]
        return wide.adapted(self.adapter(cases, setup.passage_words)) if setup.adapted else wide

    def adapter(self, cases: Sequence[Case], words: int = PASSAGE_WORDS) -> Any | None:
        """What these examples teach of how questions are to be moved (`query_adapter.learnt`)."""
        index, key = self.of(words), content_key([words, *(case.id for case in cases)])
        if index is not None and key not in self._adapters:
            with recorded(self.bench, "search", key):
                self._adapters[key] = learnt(index, cases, self.tell)
        return self._adapters.get(key)

    def paid(self) -> list[Usage]:
        """What was built for the looks since this was last asked."""
        owed, self._owed[:] = list(self._owed), []
        return owed
