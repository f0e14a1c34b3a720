"""The language model of `predict.py`: it writes prompts by the model's own template, scores what could be answered, or writes it.

It takes torch and transformers, peft for an adapter, and llguidance where answers are held to a schema.
"""

from __future__ import annotations

import copy
import hashlib
import importlib.util
import inspect
import json
import math
import re
import sys
from pathlib import Path
from typing import Any

TOGETHER = 32
"""Answers whose likelihoods are read in one pass."""
ATTENDS = {"full_attention", "sliding_attention"}
"""Layers whose states can be repeated, and gone on from at several tokens."""
APART = "\ufdd0"
"""Stands within what only looks like a control token of the model: the parts become tokens each by itself. Unicode keeps it for
such uses, so no text holds it."""
_MARK, _ANSWER = "xqzanswerxqz", "delivery"


class Read(list[int]):
    """The tokens of a prompt."""

    paragraphs = False
    """An answer that it shows has several."""


class Speaker:
    """The language model with its adapter, in float32: scores what could be answered, or writes."""

    def __init__(self, place: Path, asked: dict[str, Any], model: str) -> None:
        import torch
        from transformers import AutoModelForCausalLM, AutoTokenizer

        causal: Any = AutoModelForCausalLM
        self.asked = asked
        self.tokenizer: Any = AutoTokenizer.from_pretrained(model, trust_remote_code=False)
        must_render_alike(self.tokenizer, asked.get("probe"))
        network: Any
        network, found = causal.from_pretrained(
            model, dtype=torch.float32, use_safetensors=True, trust_remote_code=False, output_loading_info=True
        )
        if missing := sorted(found["missing_keys"]):
            raise SystemExit(
                f"{model} lacks weights that its config.json asks for ({', '.join(missing[:3])}). They would be drawn at random; "
                "take a whole copy of the model."
            )
        self.adapted = (place / "adapter").is_dir()
        if self.adapted:
            from peft import PeftModel

            network = PeftModel.from_pretrained(network, str(place / "adapter")).merge_and_unload()
        self.network = network
        takes = inspect.signature(network.forward).parameters
        self.kept = "cache" if "cache" in takes else "past_key_values"  # As transformers calls it now, and did before.
        self.keeps = self.kept in takes
        """False for the few models without states of that kind, which read prompt and answer whole for each token."""
        text = network.config.get_text_config()
        self.attends = self.keeps and set(getattr(text, "layer_types", None) or ()) <= ATTENDS
        self.controls = controls_of(self.tokenizer)
        self.end = _end_of_turn(self.tokenizer)
        self.stop = sorted({self.end, int(self.tokenizer.eos_token_id), *asked.get("stop", ())})
        self.frame = _frame(self.tokenizer)
        labels = [self.answer(word) for word in asked["words"]]
        # A label that another one begins with counts with the end of the turn behind it.
        begun = {tuple(one[:size]) for one in labels for size in range(1, len(one))}
        self.labels = [[*one, self.end] if tuple(one) in begun else one for one in labels]
        self.grammar = _Grammar(asked["schema"], self) if asked.get("schema") else None
        self.most = asked["max_tokens"] * (1 if self.grammar is None else self.grammar.held.ENDING)
        self.room = _reach(text) - self.most

    def ids(self, text: str) -> list[int]:
        return ids_of(self.tokenizer, as_text(self.controls, text))

    def answer(self, text: str) -> list[int]:
        """The tokens by which an answer goes on from a prompt."""
        return _going_on(self.tokenizer, self.frame, as_text(self.controls, text))

    def prompt(self, messages: list[dict[str, str]]) -> Read:
        told = [{**turn, "content": as_text(self.controls, turn["content"])} for turn in messages]
        read = Read(ids_of(self.tokenizer, _text(self.tokenizer, told)))
        read.paragraphs = any(turn["role"] == "assistant" and "\n\n" in turn["content"] for turn in messages)
        return read

    def cut(self, text: str, tokens: int) -> str:
        """The text within so many tokens."""
        ids = self.ids(text)
        return text if len(ids) <= tokens else str(self.tokenizer.decode(ids[:tokens], skip_special_tokens=True))

    def shares(self, prompt: list[int]) -> list[float]:
        """Of each label, its prior taken off."""
        prior = self.asked["prior"] or [0.0] * len(self.labels)
        scores = [score - known for score, known in zip(self.scores(prompt, self.labels), prior, strict=True)]
        odds = [math.exp(score - max(scores)) for score in scores]
        return [each / sum(odds) for each in odds]

    def scores(self, prompt: list[int], answers: list[list[int]]) -> list[float]:
        """The log-likelihood of each answer after the prompt, which is read once where the model's layers allow it."""
        import torch

        found: list[float] = []
        with torch.inference_mode():
            if not self.attends:
                return [self._alone(prompt, one) for one in answers]
            read = self.network(input_ids=torch.tensor([prompt]), use_cache=True)
            first = read.logits[0, -1].float().log_softmax(-1)
            for begin in range(0, len(answers), TOGETHER):
                part = answers[begin : begin + TOGETHER]
                # What is read behind an answer's last token pads the shorter ones: nothing that counts looks ahead.
                width = max(1, *(len(one) for one in part))
                rows = torch.tensor([[*one, *[self.end] * (width - len(one))] for one in part])
                cache = copy.deepcopy(read.past_key_values)
                cache.batch_repeat_interleave(len(part))
                behind = self.network(input_ids=rows, **{self.kept: cache}).logits.float().log_softmax(-1)
                for one, odds in zip(part, behind, strict=True):
                    likely = [first, *odds][: len(one)]
                    found.append(sum(float(row[token]) for row, token in zip(likely, one, strict=True)))
        return found

    def _alone(self, prompt: list[int], answer: list[int]) -> float:
        """The log-likelihood of one answer, read together with the prompt."""
        import torch

        ids = torch.tensor([[*prompt, *answer]])
        odds = self.network(input_ids=ids, use_cache=False).logits[0, len(prompt) - 1 :].float().log_softmax(-1)
        return sum(float(row[token]) for row, token in zip(odds, answer, strict=False))

    def _next(self, fresh: list[int], cache: Any) -> tuple[Any, Any]:
        """What is kept of all tokens so far, these the last, and the logits of what comes next: states, or the tokens
        themselves."""
        import torch

        if not self.keeps:
            ids = [*(cache or ()), *fresh]
            return ids, self.network(input_ids=torch.tensor([ids]), use_cache=False).logits[0, -1].float()
        together = self.attends or cache is None
        for part in [fresh] if together else [[token] for token in fresh]:
            read = self.network(input_ids=torch.tensor([part]), use_cache=True, **{self.kept: cache})
            cache = read.past_key_values
        return cache, read.logits[0, -1].float()

    def written(self, prompt: Read, about: str) -> tuple[str, float | None]:
        """The likeliest tokens one by one, or drawn ones, of those that a schema allows where there is one; the first paragraph
        of them where neither that, nor a chat template, an adapter or the answers in the prompt say where an answer ends. How
        sure it is, is None where the server of the run did not say."""
        import torch

        room = self.asked["max_tokens"]
        follow = self.grammar.begin(about, room) if self.grammar is not None else None
        most = self.most if follow is not None else room
        written: list[int] = []
        likely: list[float] = []
        fresh, cache, ended = list(prompt), None, False
        with torch.inference_mode():
            while not ended and len(written) < most:
                cache, odds = self._next(fresh, cache)
                if follow is not None:
                    follow.forbid(odds)
                token = self._drawn(odds)
                likely.append(float(odds.log_softmax(-1)[token]))
                if token in self.stop:
                    break
                forced = follow.take(token) if follow is not None else []
                ended, fresh = follow is not None and follow.whole, [token, *forced]
                written, likely = [*written, *fresh][:most], [*likely, *[0.0] * len(forced)][:most]
        said = str(self.tokenizer.decode(written, skip_special_tokens=True)).strip()
        ends = getattr(self.tokenizer, "chat_template", None) or follow is not None or self.adapted
        if ends or prompt.paragraphs:
            return said, self._sure(likely)
        paragraph = likely[: _paragraph(self.tokenizer, written, len(likely))]
        return said.split("\n\n")[0].strip(), self._sure(paragraph)

    def _drawn(self, odds: Any) -> int:
        """A token by its logits: the likeliest, or above a temperature of 0 one by chance."""
        warmth = self.asked.get("temperature", 0.0)
        return int((odds / warmth).softmax(-1).multinomial(1)) if warmth else int(odds.argmax())

    def _sure(self, likely: list[float]) -> float | None:
        return None if self.asked.get("served") else _mean(likely)


class _Grammar:
    """Holds what is written to a JSON schema with llguidance; strings that are copied to the words of the request."""

    def __init__(self, schema: str, speaker: Speaker) -> None:
        from llguidance.hf import from_tokenizer

        size = int(speaker.network.config.get_text_config().vocab_size)
        # Some tokenizers know more tokens than the model has; `forbid` takes those away.
        known = max(size, len(speaker.tokenizer))
        self.tokens = from_tokenizer(speaker.tokenizer, n_vocab=known, eos_token=speaker.stop)
        # By some tokenizers, and some templates, models have learnt answers that begin with a space.
        self.spaced = self.tokens.decode_bytes(speaker.answer("{")).startswith(b" ")
        self.schema, self.copying, self.held = schema, _beside("tagging.py"), _beside("held.py")
        self.ends = self.held.Ends.of(self.tokens, size, speaker.stop, json.loads(schema))

    def begin(self, text: str, room: float = math.inf) -> Any:
        """The state at the beginning of an answer about this text (`held.Following`), which behind so many tokens is brought to
        its end; None where the schema is beyond what llguidance knows."""
        from llguidance import LLMatcher

        for schema in (self.copying.for_text(self.schema, text), self.copying.unmarked(self.schema)):
            try:
                matcher = LLMatcher(self.tokens, self.held.written(json.loads(schema), self.spaced))
            except (TypeError, ValueError, RuntimeError):
                continue
            if not matcher.is_error():
                return self.held.Following(matcher, self.ends, room)
        return None


def _beside(name: str) -> Any:
    """Another program of the same folder."""
    path = Path(__file__).with_name(name)
    found = importlib.util.spec_from_file_location(path.stem, path)
    if found is None or found.loader is None or not path.is_file():
        raise SystemExit(f"{path} is missing: it belongs to this program.")
    module = sys.modules[path.stem] = importlib.util.module_from_spec(found)
    found.loader.exec_module(module)
    return module


# ---------------------------------------------------------------- prompts


def _reach(text: Any) -> int:
    """Tokens that a text may have; under LongRoPE as many as its short factors are for, as when it was measured."""
    turned: Any = getattr(text, "rope_parameters", None) or getattr(text, "rope_scaling", None) or {}
    long = "longrope" in (turned.get("rope_type"), turned.get("type"))
    short = turned.get("original_max_position_embeddings") or getattr(text, "original_max_position_embeddings", 0)
    return int(short if long and short else getattr(text, "max_position_embeddings", 2048))


def _mean(likely: list[float]) -> float:
    """The geometric mean of the probabilities of what was written."""
    return math.exp(sum(likely) / len(likely)) if likely else 0.0


def _paragraph(tokenizer: Any, written: list[int], whole: int) -> int:
    """Tokens until the text has a paragraph's end; `whole` where it has none."""
    ended = (
        "\n\n" in tokenizer.decode(written[:size], skip_special_tokens=True).lstrip() for size in range(len(written))
    )
    return next((size for size, found in enumerate(ended) if found), whole)


def controls_of(tokenizer: Any) -> re.Pattern[str]:
    """Finds the first sign of whatever a text spells that would become a control token, such as `</s>` or the end of a turn."""
    added = [token.content for token in tokenizer.added_tokens_decoder.values() if token.special]
    spelled = {text for text in (*added, *tokenizer.all_special_tokens) if len(text.strip()) > 1}
    begins = "".join(sorted({re.escape(text[0]) for text in spelled})) or r"\0"  # Which nearly no sign is.
    return re.compile(f"(?=[{begins}])(?=(?:{'|'.join(map(re.escape, sorted(spelled))) or '(?!)'})).", re.DOTALL)


def as_text(controls: re.Pattern[str], text: str) -> str:
    """A text from outside, which stays text: whoever writes the end of a turn into it ends none."""
    return controls.sub(f"\\g<0>{APART}", text.replace(APART, ""))


def ids_of(tokenizer: Any, text: str) -> list[int]:
    """The tokens of a text; behind `APART` of a part alone, without the space that some tokenizers put before every text."""
    first, *others = text.split(APART)
    ids = list(tokenizer(first, add_special_tokens=False)["input_ids"])
    line = tokenizer("\n", add_special_tokens=False)["input_ids"] if others else []
    for part in others:
        behind = tokenizer(f"\n{part}", add_special_tokens=False)["input_ids"]
        whole = behind[: len(line)] == line
        ids += behind[len(line) :] if whole else tokenizer(part, add_special_tokens=False)["input_ids"]
    return ids


def _text(tokenizer: Any, messages: list[dict[str, str]]) -> str:
    """The prompt by the model's own template; without one as paragraphs, an answer on the line after its question."""
    if not getattr(tokenizer, "chat_template", None):
        parts = [tokenizer.bos_token or ""]
        for turn in messages:
            parts += [turn["content"].rstrip(), "\n" if turn["role"] == "user" else "\n\n"]
        return "".join(parts)
    if messages[0]["role"] == "system" and _refuses_system(tokenizer, len(messages) == 1):
        told = "\n\n".join(turn["content"] for turn in messages[:2]).lstrip()
        messages = [{"role": "user", "content": told}, *messages[2:]]
    return _rendered(tokenizer, messages, True) + _frame(tokenizer)[1]


def _rendered(tokenizer: Any, messages: list[dict[str, str]], open_answer: bool) -> str:
    """A model that can think before it answers is asked without, as it was when it was measured."""
    closed = {"enable_thinking": False, "thinking": False}
    return str(tokenizer.apply_chat_template(messages, tokenize=False, add_generation_prompt=open_answer, **closed))


def _frame(tokenizer: Any) -> tuple[str, str, str]:
    """What all prompts end with behind the last question, the part of it that the template writes before given answers only (a
    line break, or the end of a thought that it opens), and the spaces before an answer, which belong to it."""
    if not getattr(tokenizer, "chat_template", None):
        return "\n", "", ""
    asked = [{"role": "user", "content": _MARK}]
    opened = _rendered(tokenizer, asked, True)
    given = _rendered(tokenizer, [*asked, {"role": "assistant", "content": _MARK}], False).rpartition(_MARK)[0]
    between = given[len(opened) :]
    if not given.startswith(opened):
        thought = re.fullmatch(r"\s*<([\w:]+)>\s*", opened.removeprefix(given.rstrip()))
        between = f"\n</{thought[1]}>\n\n" if thought else ""
    closing = between.rstrip(" ")
    return opened.rpartition(_MARK)[2] + closing, closing, between[len(closing) :]


def _going_on(tokenizer: Any, frame: tuple[str, str, str], answer: str) -> list[int]:
    """The tokens by which an answer goes on from a prompt. Where its beginning and the end of the prompt would be one token it
    goes on from a line break, or else is a text of its own."""
    end, _, space = frame
    for text in (end, "\n"):
        before, ids = (ids_of(tokenizer, each) for each in (text, f"{text}{space}{answer}"))
        if ids[: len(before)] == before:
            return ids[len(before) :]
    return ids_of(tokenizer, f"{space}{answer}")


def _refuses_system(tokenizer: Any, alone: bool) -> bool:
    """Whether the template raises at a turn of the system, alone or before a question, or leaves out what it says."""
    question = {"role": "user", "content": "a"}
    told = [{"role": "system", "content": _MARK}, *([] if alone else [question])]
    try:
        return _MARK not in _rendered(tokenizer, told, True)
    except Exception:
        _rendered(tokenizer, [question], True)  # One that refuses this too has another fault, and says which.
        return True


def must_render_alike(tokenizer: Any, kept: Any) -> None:
    """Ends the program where the model's tokenizer or template makes another prompt of a conversation than in the fit."""
    if kept is None:
        return
    text, template = _text(tokenizer, kept["messages"]), str(tokenizer.chat_template)
    if "strftime_now" in template:  # It writes today's date.
        text = "\n".join([template, *(turn["content"] for turn in kept["messages"])])
    ids, alone = (list(tokenizer(each, add_special_tokens=False)["input_ids"]) for each in (text, _ANSWER))
    answer = _going_on(tokenizer, _frame(tokenizer), _ANSWER)
    said = [*ids, _end_of_turn(tokenizer), *(answer if answer != alone else ())]
    digest = hashlib.sha256(" ".join(map(str, said)).encode()).hexdigest()
    if digest != kept["digest"]:
        raise SystemExit(
            "The chat template or the tokenizer of this model is not the one that this was fitted with: what was measured does "
            "not hold for it. Take the model that README.md names."
        )


def _end_of_turn(tokenizer: Any) -> int:
    end = int(tokenizer.eos_token_id)
    if not getattr(tokenizer, "chat_template", None):
        return end
    turns = [{"role": "user", "content": "a"}, {"role": "assistant", "content": _MARK}]
    after = _rendered(tokenizer, turns, False).rpartition(_MARK)[2]
    ids = list(tokenizer(after, add_special_tokens=False)["input_ids"])
    added = {number for number, token in tokenizer.added_tokens_decoder.items() if token.special}
    controls = added | set(tokenizer.all_special_ids)
    return next((token for token in ids if token in controls), ids[0] if ids else end)
