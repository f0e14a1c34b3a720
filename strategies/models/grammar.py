"""Holds what a model writes to a JSON schema or to a regular expression, token by token, with llguidance."""

from __future__ import annotations

import json
import logging
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from strategies.models.chat import Chat
from strategies.standalone.tagging import COPIED, for_text, unmarked


@dataclass(frozen=True)
class Grammar:
    """A schema compiled for one tokenizer. A text with a pattern is written plainly, as the regular expression says."""

    tokens: Any
    text: str
    size: int
    """Entries of the model's vocabulary."""
    schema: str = ""
    """The schema itself where each request has one of its own (`tagging.for_text`)."""
    spaced: bool = False
    """Whether models have learnt answers that begin with a space, by the tokenizer or by the template."""

    @classmethod
    def of(cls, schema: str, chat: Chat, size: int) -> Grammar | None:
        """None, with the reason in the log, where the schema or the tokenizer is beyond what llguidance knows."""
        from llguidance import LLMatcher
        from llguidance.hf import from_tokenizer

        try:
            # Some tokenizers know more tokens than the model has (Gemma 3 of 1B); `forbid` takes those away.
            known = max(size, len(chat.tokenizer))
            tokens = from_tokenizer(chat.tokenizer, n_vocab=known, eos_token=sorted(chat.stop_ids))
            spaced = tokens.decode_bytes(chat.encode_label("{")).startswith(b" ")
            text = _written(json.loads(unmarked(schema)), spaced)
            wrong, said = LLMatcher.validate_grammar_with_warnings(text, tokens)
        except (TypeError, ValueError, RuntimeError) as error:
            wrong, said = True, [str(error)]
        if wrong:
            reason = "".join(said).strip().splitlines()[0]
            logging.getLogger(__name__).warning("answers are not held to the schema: %s", reason)
            return None
        return cls(tokens, text, size, schema if COPIED in schema else "", spaced)

    def follow(self, asked: str = "") -> Following:
        """The state at the beginning of one answer, to a request that is about this text."""
        from llguidance import LLMatcher

        if self.schema and asked:
            matcher = LLMatcher(self.tokens, _written(json.loads(for_text(self.schema, asked)), self.spaced))
            if not matcher.is_error():
                return Following(matcher, self.size)
        return Following(LLMatcher(self.tokens, self.text), self.size)


@dataclass
class Following:
    """Where one answer stands in the grammar."""

    matcher: Any
    size: int

    def forbid(self, logits: Any) -> None:
        """Writes minus infinity over the tokens that cannot come next; in place, shape (vocabulary,)."""
        import numpy as np
        import torch

        if self.matcher.is_error():
            return
        bits = np.frombuffer(self.matcher.compute_bitmask(), dtype=np.uint8)
        allowed = np.unpackbits(bits, bitorder="little")[: self.size].astype(bool)
        logits[: self.size].masked_fill_(~torch.from_numpy(allowed).to(logits.device), float("-inf"))
        logits[self.size :] = float("-inf")

    def take(self, token: int) -> list[int]:
        """Tokens that have to follow this one, so that nobody need be asked for them."""
        self.matcher.consume_token(token)
        forced = [] if self.matcher.is_stopped() else list(self.matcher.compute_ff_tokens())
        self.matcher.consume_tokens(forced)
        return forced

    @property
    def whole(self) -> bool:
        """Whether only the end of the answer could follow."""
        return bool(self.matcher.is_stopped() and not self.matcher.is_error())


def _written(schema: Mapping[str, Any], spaced: bool) -> str:
    """The grammar of what the schema allows, as llguidance reads it; also behind one space where answers have that."""
    from llguidance import LLMatcher

    if schema.get("type") == "string" and "pattern" in schema:
        text = str(LLMatcher.grammar_from_regex(schema["pattern"]))
    else:
        text = str(LLMatcher.grammar_from_json_schema(dict(schema)))
    if not spaced:
        return text
    (body,) = json.loads(text)["grammars"]
    return json.dumps({"grammars": [{"lark_grammar": 'start: " "? @body'}, {**body, "name": "body"}]})
