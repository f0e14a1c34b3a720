"""A model without weights that answers by a function: every prompting approach runs with it, in no time."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from strategies.contract import Completion, Ends, LabelScores, Narrow, Prompt, Sampling, Step, Usage

WRONG_LABEL = -20.0
"""Natural log-likelihood of a label that is not the scripted answer."""


@dataclass(frozen=True, kw_only=True)
class ScriptedModel:
    """Answers every prompt with `answer(prompt)`. A word (what white space separates) counts as a token.

    `name` is its identity: give another script another name. The same prompts always give the same results, whatever
    the sampling says, and no time passes.
    """

    name: str
    answer: Callable[[Prompt], str]
    context_tokens: int = 4096

    @property
    def fingerprint(self) -> str:
        return hashlib.sha256(f"scripted|{self.name}|{self.context_tokens}".encode()).hexdigest()[:20]

    @property
    def local(self) -> bool:
        return True

    def count(self, prompt: Prompt) -> int:
        return sum(len(message.content.split()) for message in prompt)

    def cut(self, text: str, tokens: int) -> str:
        words = text.split()
        return text if len(words) <= tokens else " ".join(words[: max(0, tokens)])

    def generate(
        self, prompts: Sequence[Prompt], max_tokens: int, sampling: Sampling, step: Step = "answering"
    ) -> Iterator[tuple[int, Completion]]:
        for index, prompt in enumerate(prompts):
            whole = self.answer(prompt)
            text = self.cut(whole, max_tokens)
            usage = self._usage(prompt, step, len(text.split()))
            yield index, Completion(text=text, usage=usage, finished=text == whole)

    def score_labels(
        self,
        prompts: Sequence[Prompt],
        labels: Sequence[Sequence[str]],
        step: Step = "answering",
        ends: Ends = "where needed",
    ) -> Iterator[tuple[int, LabelScores]]:
        """0 for the label that the script answers (with `ends` never: that it begins with), `WRONG_LABEL` for the others."""
        for index, (prompt, choices) in enumerate(zip(prompts, labels, strict=True)):
            answer = self.answer(prompt)
            fits = answer.startswith if ends == "never" else answer.__eq__
            scores = tuple(0.0 if fits(label) else WRONG_LABEL for label in choices)
            usage = self._usage(prompt, step, sum(len(label.split()) for label in choices))
            yield index, LabelScores(log_likelihoods=scores, usage=usage)

    def score_narrowed(
        self,
        prompts: Sequence[Prompt],
        beginnings: Sequence[Sequence[str]],
        rounds: Sequence[Narrow],
        step: Step = "answering",
    ) -> Iterator[tuple[int, LabelScores]]:
        for narrow in rounds:
            found = dict(self.score_labels(prompts, beginnings, step, "never"))
            beginnings = [narrow(index, found[index].log_likelihoods) for index in range(len(prompts))]
        yield from self.score_labels(prompts, beginnings, step, "always")

    def _usage(self, prompt: Prompt, step: Step, answer_tokens: int) -> Usage:
        return Usage(model=self.name, step=step, prompt_tokens=self.count(prompt), answer_tokens=answer_tokens)
