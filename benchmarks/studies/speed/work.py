"""The work of each table, written down once so that every contender does the same: prompts, labels, rows to train on."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from benchmarks.contract import Benchmark
from benchmarks.studies.settings import setting
from strategies.contract import Case, Prompt
from strategies.models.local import LocalModel
from strategies.prompting.demonstrations import Shown
from strategies.prompting.rendering import Form, Renderer

MODEL = "smollm2-135m"
SHOTS, NEW_TOKENS, CONCURRENCY = 5, 16, 32
TURNS, WARM = 3, 8


@dataclass(frozen=True)
class Work:
    """The cases of one public task, and the default model."""

    benchmark: Benchmark
    model: LocalModel

    @classmethod
    def on(cls, task: str) -> Work:
        """With the sizes of the bake-off. Raises `BadInput`."""
        from advisor.experiments.comparison import Wishes, prepare

        known = setting(task)
        prepared = prepare(task, Wishes(examples=known.examples, heldout=known.heldout, target=known.target))
        model: Any = prepared.models.language(MODEL)
        return cls(prepared.assembly.benchmark, model)

    def labels(self, cases: int) -> dict[str, Any]:
        """All labels stand in the prompt, as a harness for multiple choice has it."""
        renderer = Renderer.of(self.benchmark.task, Form(show_labels=True))
        rows = [
            self._asked(renderer.request(case.input)) | {"gold": renderer.words.labels.index(case.output)}
            for case in self.benchmark.heldout[:cases]
        ]
        return self._common | {"cases": [row | {"labels": list(renderer.words.words)} for row in rows]}

    def answers(self, cases: int) -> dict[str, Any]:
        """Five demonstrations that all requests share. Every turn has cases of its own, so that what a peer keeps of whole
        prompts brings it nothing that new requests would not have; the last ones are for warming up."""
        rows = [self._asked(prompt) for prompt in self._prompts(TURNS * cases + WARM)]
        return self._common | {
            "prompts": [row["prompt"] for row in rows],
            "messages": [row["messages"] for row in rows],
            "per_turn": min(cases, (len(rows) - 1) // TURNS),
            "max_tokens": NEW_TOKENS,
            "concurrency": CONCURRENCY,
        }

    def schema(self, cases: int) -> dict[str, Any]:
        from strategies.answers import answer_limit
        from strategies.schemas import answer_schema
        from strategies.standalone.tagging import unmarked

        examples = self.benchmark.task.examples
        schema = answer_schema(self.benchmark.task, examples)
        more = {
            "schema": unmarked(schema),
            "max_tokens": answer_limit(self.model, self.benchmark.task, examples, bool(schema)),
        }
        return self.answers(cases) | more

    def training(self, cases: int) -> dict[str, Any]:
        """The instruction, the input and the answer of so many examples, in one order."""
        renderer = Renderer.of(self.benchmark.task, Form())
        rows = [(self._asked(renderer.request(case.input)), renderer.answer(case)) for case in self._drawn(cases)]
        return self._common | {
            "rows": [[asked["prompt"], answer] for asked, answer in rows],
            "messages": [asked["messages"] for asked, _ in rows],
            "rank": 16,
            "learning_rate": 1e-3,
            "batch_sizes": [8, 16, 32],
        }

    # ------------------------------------------------------------ parts

    @cached_property
    def _common(self) -> dict[str, Any]:
        place = self.model.placement
        return {"model": str(self.model.folder), "dtype": place.dtype, "threads": place.threads}

    def _prompts(self, cases: int) -> list[Prompt]:
        renderer, shown = Renderer.of(self.benchmark.task, Form()), [Shown(case) for case in self._drawn(SHOTS)]
        return [renderer.request(case.input, shown) for case in self.benchmark.heldout[:cases]]

    def _drawn(self, cases: int) -> Sequence[Case]:
        order = list(self.benchmark.task.examples)
        random.Random(0).shuffle(order)
        return order[:cases]

    def _asked(self, prompt: Prompt) -> dict[str, Any]:
        """As text with the template for the peers, as messages for ours: the token ids are the same (a test holds it)."""
        turns = [[message.role, message.content] for message in prompt]
        return {"prompt": self.model.chat.text(prompt), "messages": turns}
