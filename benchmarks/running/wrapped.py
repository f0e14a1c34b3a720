"""A model that stands in for another one: everything but generating is passed on."""

from __future__ import annotations

from dataclasses import dataclass

from strategies.contract import Estimates, LanguageModel, Prompt, thoughts


@dataclass(frozen=True, kw_only=True)
class Wrapped:
    """Is what `inner` is. Who wraps it adds `generate`."""

    inner: LanguageModel
    """Also `Generates`."""

    @property
    def name(self) -> str:
        return self.inner.name

    @property
    def fingerprint(self) -> str:
        return self.inner.fingerprint

    @property
    def context_tokens(self) -> int:
        return self.inner.context_tokens

    @property
    def local(self) -> bool:
        return self.inner.local

    @property
    def estimates(self) -> bool:
        return isinstance(self.inner, Estimates) and self.inner.estimates

    @property
    def reasoning_tokens(self) -> int:
        return thoughts(self.inner)

    def count(self, prompt: Prompt) -> int:
        return self.inner.count(prompt)

    def cut(self, text: str, tokens: int) -> str:
        return self.inner.cut(text, tokens)
