"""A language model: one behind a gateway that speaks no OpenAI. `GATEWAY` in the environment says where it answers."""

from __future__ import annotations

import hashlib
import json
import os
import time
import urllib.request
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from urllib.parse import urlsplit

from strategies.contract import Completion, Prompt, Sampling, Step, Usage

BYTES_A_TOKEN = 4
"""For an estimate: the gateway states no counts."""


@dataclass(frozen=True, kw_only=True)
class Gateway:
    """It can generate. One that also scores labels has `score_labels` too (`strategies.contract.ScoresLabels`)."""

    name: str = "our-gateway"
    context_tokens: int = 8192

    @property
    def address(self) -> str:
        return os.environ.get("GATEWAY", "https://models.example/answer")

    @property
    def fingerprint(self) -> str:
        """What its answers depend on: a run goes on only while that stays the same."""
        return hashlib.sha256(self.address.encode()).hexdigest()[:20]

    @property
    def local(self) -> bool:
        """Whether no byte leaves this machine."""
        return urlsplit(self.address).hostname in ("127.0.0.1", "localhost")

    def count(self, prompt: Prompt) -> int:
        return sum(len(message.content.encode()) // BYTES_A_TOKEN + 1 for message in prompt)

    def cut(self, text: str, tokens: int) -> str:
        return text.encode()[: tokens * BYTES_A_TOKEN].decode(errors="ignore")

    def generate(
        self, prompts: Sequence[Prompt], max_tokens: int, sampling: Sampling, step: Step = "answering"
    ) -> Iterator[tuple[int, Completion]]:
        """Yields (index, completion). What brings no answer is a completion with an error, never an empty text."""
        for index, prompt in enumerate(prompts):
            asked = {"turns": [[message.role, message.content] for message in prompt], "at_most": max_tokens}
            started = time.monotonic()
            try:
                with urllib.request.urlopen(self.address, json.dumps(asked).encode(), timeout=60) as answer:
                    text, error = str(json.load(answer)["says"]), ""
            except (OSError, ValueError, KeyError) as fault:
                text, error = "", f"no answer ({type(fault).__name__})"
            usage = Usage(
                model=self.name,
                step=step,
                prompt_tokens=self.count(prompt),
                answer_tokens=len(text.encode()) // BYTES_A_TOKEN + 1,
                seconds=time.monotonic() - started,
            )
            yield index, Completion(text=text, usage=usage, error=error)
