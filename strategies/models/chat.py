"""Turns a prompt into token ids with the model's own chat template, the same way in training and in use."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

from strategies.contract import Message, Prompt
from strategies.models.templates import Exhausted, rendered
from strategies.models.wheels import ModelUnavailable
from strategies.standalone.speaking import as_text, controls_of, ids_of

_MARK = "xqzanswerxqz"
THINKS = ("enable_thinking", "thinking")
"""Variables by which templates of hybrid models are told whether the model thinks before it answers."""


@dataclass(frozen=True)
class Frame:
    """How prompts end, and what stands between an open answer and a given one: templates write these apart."""

    end: str
    """What all prompts end with behind their last question."""
    closing: str = ""
    """The part of `end` that the template itself writes before given answers only: a line break, or the end of a thought."""
    space: str = ""
    """Spaces before an answer. They belong to it, since most tokenizers put one into the token of the word behind it."""


@dataclass(frozen=True)
class Chat:
    """A tokenizer with its template. Models without a template get a plain rendering with blank lines between turns."""

    tokenizer: Any
    ends: frozenset[int] = frozenset()
    """Ids with which the model ends an answer by its own files (`stated_ends`), besides the end of its turn and of a text."""

    @property
    def templated(self) -> bool:
        return bool(getattr(self.tokenizer, "chat_template", None))

    def encode(self, prompt: Prompt) -> list[int]:
        """Token ids of the prompt up to where the answer begins."""
        return self.encode_text(self.text(prompt))

    def encode_answer(self, answer: str) -> list[int]:
        """Token ids of an answer with the end of the turn: what the loss falls on, and what is generated."""
        return [*self.encode_label(answer), self.end_id]

    def encode_label(self, label: str) -> list[int]:
        """Token ids by which an answer, or the beginning of one, goes on from a prompt. Where its beginning and the end of the
        prompt would be one token it goes on from a line break, or else is a text of its own."""
        said = self.frame.space + self.as_text(label)
        for text, before in self._before:
            ids = self.encode_text(text + said)
            if ids[: len(before)] == before:
                return ids[len(before) :]
        return self.encode_text(said)

    def encode_text(self, text: str) -> list[int]:
        """Token ids of a text that stands by itself, in which control tokens are such, unless `as_text` took them apart."""
        return ids_of(self.tokenizer, text)

    def as_text(self, text: str) -> str:
        """A text from outside: what it spells of the model's control tokens becomes none, so it ends no turn and begins none."""
        return as_text(self._controls, text)

    @cached_property
    def _controls(self) -> re.Pattern[str]:
        return controls_of(self.tokenizer)

    @cached_property
    def beginning(self) -> list[int]:
        """What the tokenizer puts before any text: such models read a text badly without it."""
        bos, ids = self.tokenizer.bos_token_id, self.tokenizer("a")["input_ids"]
        return [bos] if bos is not None and ids[0] == bos else []

    def decode(self, ids: Sequence[int]) -> str:
        text: str = self.tokenizer.decode(list(ids), skip_special_tokens=True)
        return text.strip()

    def ends_with_paragraph(self, prompt: Prompt) -> bool:
        """Whether an untrained model is taken to have answered where its first paragraph ends: without a template it goes on to
        write the next question. Not behind answers that have several paragraphs themselves."""
        own = any(turn.role == "assistant" and "\n\n" in turn.content for turn in prompt)
        return not self.templated and not own and not any(turn.paragraphs for turn in prompt)

    def first_paragraph(self, ids: Sequence[int]) -> int:
        """How many of the ids it takes until the text has a paragraph's end behind its first word; all where it has none."""
        ended = (
            "\n\n" in self.tokenizer.decode(list(ids[:size]), skip_special_tokens=True).lstrip()
            for size in range(len(ids))
        )
        return next((size for size, whole in enumerate(ended) if whole), len(ids))

    def text(self, prompt: Prompt) -> str:
        """What the template makes of the prompt, each turn `as_text`."""
        prompt = tuple(replace(turn, content=self.as_text(turn.content)) for turn in prompt)
        if not self.templated:
            return plain_text(prompt, self.tokenizer.bos_token or "")
        return self._render(self.turns(prompt), True) + self.frame.closing

    def text_before(self, prompt: Prompt, place: int) -> str:
        """The text of the prompt up to where its turn at that place says something. Some templates write an earlier answer in
        another frame than the last one; all of the prompt where the template leaves the turn out."""
        marked = (*prompt[:place], replace(prompt[place], content=_MARK), *prompt[place + 1 :])
        return self.text(marked).partition(_MARK)[0]

    @cached_property
    def frame(self) -> Frame:
        if not self.templated:
            return Frame("\n")
        asked = (Message("user", _MARK),)
        opened = self._render(asked, True)
        given = self._render((*asked, Message("assistant", _MARK)), False).rpartition(_MARK)[0]
        between = _between(opened, given)
        closing = between.rstrip(" ")
        return Frame(opened.rpartition(_MARK)[2] + closing, closing, between[len(closing) :])

    @property
    def served_template(self) -> str:
        """The template for a server that is to write prompts as they are written here; empty where the model's own does so."""
        if not self.frame.closing:
            return ""
        behind = f"{{% if add_generation_prompt %}}{{{{ {json.dumps(self.frame.closing)} }}}}{{% endif %}}"
        return str(self.tokenizer.get_chat_template()).removesuffix("\n") + behind

    @cached_property
    def _before(self) -> list[tuple[str, list[int]]]:
        """What an answer may go on from, the first first, with the token ids of each."""
        return [(text, self.encode_text(text)) for text in (self.frame.end, "\n")]

    @cached_property
    def closed(self) -> tuple[str, ...]:
        """Those of `THINKS` that the template asks for. They are False here and in training: the limit of an answer leaves no
        room for thoughts before it."""
        written = self.tokenizer.get_chat_template() if self.templated else ""
        return tuple(name for name in THINKS if re.search(rf"\b{name}\b", written))

    def turns(self, prompt: Prompt) -> Prompt:
        """The prompt as the template takes it, here or on a server that renders it by the same one."""
        if not _has_system(prompt):
            return prompt
        refused = self._refuses_system if len(prompt) > 1 else self._refuses_system_alone
        return _without_system(prompt) if refused else prompt

    @cached_property
    def _refuses_system(self) -> bool:
        return self._refuses((Message("user", "a"),))

    @cached_property
    def _refuses_system_alone(self) -> bool:
        """Some templates write what the system says in front of the first question only."""
        return self._refuses(())

    def _refuses(self, behind: Prompt) -> bool:
        """Whether the template raises at a system turn with these behind it, or leaves out what it says."""
        if not self.templated:
            return False
        try:
            return _MARK not in self._render((Message("system", _MARK), *behind), True)
        except ModelUnavailable:
            raise
        except Exception:
            self._render((Message("user", "a"),), True)  # One that refuses this too has another fault, and says which.
            return True

    @cached_property
    def end_id(self) -> int:
        """The token that ends an assistant turn; where the template names none, the end of the text."""
        eos = self._end_of_text
        if not self.templated:
            return eos
        turn = (Message("user", "a"), Message("assistant", _MARK))
        after = self._render(turn, False).rpartition(_MARK)[2]
        ids = self.encode_text(after)
        return next((token for token in ids if token in self._unspoken), ids[0] if ids else eos)

    @cached_property
    def stop_ids(self) -> frozenset[int]:
        """Of `ends` the control tokens alone: another one may stand in an answer that is to be learnt."""
        return frozenset({self.end_id, self._end_of_text, *(self.ends & self._unspoken)})

    @cached_property
    def _unspoken(self) -> frozenset[int]:
        """Tokens that are no text; some that end a turn are named among the added ones alone."""
        added = {number for number, token in self.tokenizer.added_tokens_decoder.items() if token.special}
        return frozenset(added | set(self.tokenizer.all_special_ids))

    @cached_property
    def _end_of_text(self) -> int:
        """Raises `ModelUnavailable` where the tokenizer names no such token."""
        if self.tokenizer.eos_token_id is None:
            raise ModelUnavailable(
                f"The tokenizer of {self._name} names no token that ends a text, so its answers would have no end. Name one "
                "in its tokenizer_config.json (eos_token), or take another model."
            )
        return int(self.tokenizer.eos_token_id)

    @property
    def _name(self) -> str:
        return Path(str(self.tokenizer.name_or_path)).name or "the model"

    def _render(self, prompt: Prompt, open_answer: bool) -> str:
        turns = [{"role": message.role, "content": message.content} for message in prompt]
        known = {name: str(token) for name, token in self.tokenizer.special_tokens_map.items()}
        more = {**known, **dict.fromkeys(self.closed, False), "add_generation_prompt": open_answer}
        try:
            return rendered(self.tokenizer.get_chat_template(), turns, more)
        except Exhausted as error:
            raise ModelUnavailable(
                f"The chat template of {self._name} was stopped: {error}. A template gives messages a form and needs little; "
                "take another model, or correct the template in its folder."
            ) from None


def stated_ends(folder: Path) -> frozenset[int]:
    """`eos_token_id` of the model's generation_config.json, or else of its config.json; what is no id counts as none."""
    for name in ("generation_config.json", "config.json"):
        try:
            stated = json.loads((folder / name).read_text(encoding="utf-8"))["eos_token_id"]
        except (OSError, ValueError, KeyError, TypeError):
            continue
        if ids := [each for each in (stated if isinstance(stated, list) else [stated]) if type(each) is int]:
            return frozenset(ids)
    return frozenset()


def _between(opened: str, given: str) -> str:
    """What the template would have to write behind an open answer so that it stands as a given one does; where it opens a
    thought for the open one only, the end of that thought. Empty where neither is so."""
    if given.startswith(opened):
        return given[len(opened) :]
    thought = re.fullmatch(r"\s*<([\w:]+)>\s*", opened.removeprefix(given.rstrip()))
    return f"\n</{thought[1]}>\n\n" if thought else ""


def plain_text(prompt: Prompt, start: str) -> str:
    """Turns as paragraphs, an answer on the line after its question: for models that were never taught a template."""
    parts = [start]
    for message in prompt:
        parts += [message.content.rstrip(), "\n" if message.role == "user" else "\n\n"]
    return "".join(parts)


def _has_system(prompt: Prompt) -> bool:
    return bool(prompt) and prompt[0].role == "system"


def _without_system(prompt: Prompt) -> Prompt:
    """For templates that know no system turn: the instruction moves to the head of the first question."""
    system, *others = prompt
    if not others:
        return (replace(system, role="user"),)
    first, *rest = others
    return (replace(first, content=f"{system.content}\n\n{first.content}".lstrip()), *rest)
