"""What follows a JSON schema or a regular expression token by token, and how it is brought to an end where there is no more room.

An export takes this file along, so it needs nothing of ours.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

ENDING = 2
"""Times its tokens that an answer of a form may have: from there on nothing is begun that need not be, so that it is whole."""


def written(schema: Mapping[str, Any], spaced: bool) -> str:
    """The grammar of what the schema allows, as llguidance reads it; also behind one space where answers have that."""
    from llguidance import LLMatcher

    if _is_pattern(schema):
        text = str(LLMatcher.grammar_from_regex(schema["pattern"]))
    else:
        text = str(LLMatcher.grammar_from_json_schema(dict(schema)))
    if not spaced:
        return text
    (body,) = json.loads(text)["grammars"]
    return json.dumps({"grammars": [{"lark_grammar": 'start: " "? @body'}, {**body, "name": "body"}]})


def _is_pattern(schema: Mapping[str, Any]) -> bool:
    """Whether it is of a text that is written plainly."""
    return schema.get("type") == "string" and "pattern" in schema


@dataclass(frozen=True)
class Ends:
    """Which tokens bring an answer nearer to its end, by one tokenizer."""

    tokens: Any
    size: int
    """Entries of the model's vocabulary."""
    stop: Sequence[int]
    plain: bool
    """The text has a pattern and is no JSON: it ends where it may, and nothing is known of the way there."""

    @classmethod
    def of(cls, tokens: Any, size: int, stop: Sequence[int], schema: Mapping[str, Any]) -> Ends:
        return cls(tokens, size, stop, _is_pattern(schema))

    def among(self, allowed: Any, said: Sequence[int]) -> Any:
        """Of the tokens that may come behind what was said those that end what is open; where none does, all that say anything.
        Truth values of shape (vocabulary,)."""
        import numpy as np

        for wanted in self._wanted(said):
            if (found := np.logical_and(allowed, wanted)).any():
                return found
        return allowed

    def _wanted(self, said: Sequence[int]) -> Sequence[Any]:
        stop, closing, comma, quote, anything = self._kinds
        if self.plain:
            return (stop,)
        text = re.sub(rb"\\.", b"", self.tokens.decode_bytes(list(said)), flags=re.DOTALL)
        return (quote,) if text.count(b'"') % 2 else (stop, closing, comma, anything)

    @cached_property
    def _kinds(self) -> tuple[Any, ...]:
        import numpy as np

        texts = [self.tokens.decode_bytes([token]) for token in range(self.size)]
        kinds = (b"}", b"]"), (b",",), (b'"',)
        stop = np.isin(np.arange(self.size), list(self.stop))
        listed = (np.array([text in kind for text in texts], dtype=bool) for kind in kinds)
        return (stop, *listed, np.array([bool(text.strip()) for text in texts], dtype=bool))


@dataclass
class Following:
    """Where one answer stands in its form."""

    matcher: Any
    ends: Ends
    room: float = math.inf
    """Tokens until it is brought to its end."""
    said: list[int] = field(default_factory=list)

    def forbid(self, logits: Any) -> None:
        """Writes minus infinity over the tokens that cannot come next; in place, shape (vocabulary,)."""
        import numpy as np
        import torch

        if self.matcher.is_error():
            return
        size = self.ends.size
        bits = np.frombuffer(self.matcher.compute_bitmask(), dtype=np.uint8)
        allowed = np.unpackbits(bits, bitorder="little")[:size].astype(bool)
        if len(self.said) >= self.room:
            allowed = self.ends.among(allowed, self.said)
        logits[:size].masked_fill_(~torch.from_numpy(allowed).to(logits.device), float("-inf"))
        logits[size:] = float("-inf")

    def take(self, token: int) -> list[int]:
        """Tokens that have to follow this one, so that nobody need be asked for them."""
        self.matcher.consume_token(token)
        forced = [] if self.matcher.is_stopped() else list(self.matcher.compute_ff_tokens())
        self.matcher.consume_tokens(forced)
        self.said += [token, *forced]
        return forced

    @property
    def whole(self) -> bool:
        """Whether only the end of the answer could follow."""
        return bool(self.matcher.is_stopped() and not self.matcher.is_error())
