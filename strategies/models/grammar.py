"""Holds what a model writes to a JSON schema or to a regular expression, token by token, with llguidance."""

from __future__ import annotations

import json
import logging
import math
from dataclasses import dataclass
from typing import Any

from strategies.models.chat import Chat
from strategies.standalone.held import Ends, Following, written
from strategies.standalone.tagging import COPIED, for_text, unmarked


@dataclass(frozen=True)
class Grammar:
    """A schema compiled for one tokenizer. A text with a pattern is written plainly, as the regular expression says."""

    tokens: Any
    text: str
    ends: Ends
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
            plain = json.loads(unmarked(schema))
            text = written(plain, spaced)
            wrong, said = LLMatcher.validate_grammar_with_warnings(text, tokens)
        except (TypeError, ValueError, RuntimeError) as error:
            wrong, said = True, [str(error)]
        if wrong:
            reason = "".join(said).strip().splitlines()[0]
            logging.getLogger(__name__).warning("answers are not held to the schema: %s", reason)
            return None
        ends = Ends.of(tokens, size, sorted(chat.stop_ids), plain)
        return cls(tokens, text, ends, schema if COPIED in schema else "", spaced)

    def follow(self, asked: str = "", room: float = math.inf) -> Following:
        """The state at the beginning of one answer, to a request that is about this text; behind so many tokens it is brought to
        its end."""
        from llguidance import LLMatcher

        if self.schema and asked:
            matcher = LLMatcher(self.tokens, written(json.loads(for_text(self.schema, asked)), self.spaced))
            if not matcher.is_error():
                return Following(matcher, self.ends, room)
        return Following(LLMatcher(self.tokens, self.text), self.ends, room)
