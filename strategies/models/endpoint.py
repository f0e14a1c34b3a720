"""Any OpenAI-compatible server as a language model: many requests at once, limited retries, usage as the server states it."""

from __future__ import annotations

import hashlib
import json
import logging
import re
import threading
import weakref
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from concurrent.futures import ALL_COMPLETED, FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass, field, fields, replace
from functools import cached_property
from itertools import chain
from typing import Any, ClassVar
from urllib.parse import urlsplit

from strategies.contract import Completion, Metered, Prompt, Sampling, Step, Usage
from strategies.models import keys
from strategies.models.client import client_for
from strategies.models.outage import Outage
from strategies.models.retry import BUSY, Fault, Patience, shortened, understood
from strategies.models.stated import declines, first_choice, places, thinks_apart, tokens, written
from strategies.models.together import Together
from strategies.models.wheels import ModelUnavailable
from strategies.models.wishes import HELD, Learnt, Wish, held_to, wishes_of
from strategies.standalone.asking import is_here
from strategies.standalone.refusals import cut_off
from strategies.standalone.tagging import for_text
from strategies.standalone.thoughts import without_thoughts

BYTES_A_TOKEN = 4
LOOK_UP_S = 0.5
"""A signal that comes in the moment before a wait begins, or to another thread, does not end the wait: so none is longer."""
ASKING = "asking"
"""How the names of threads begin that wait for a server."""
_HALF_CHARACTERS = re.compile("[\ud800-\udfff]")
"""JSON can hold them; no file and no other server takes them."""
KEY_LENGTH = 8
"""Characters of a key from which on it is taken out of answers too."""
BAD_REQUEST = (400, 422)
MESSAGE_TOKENS = 4
"""Tokens that a chat template spends on one message, for the estimate."""


@dataclass(frozen=True, kw_only=True)
class EndpointModel:
    """A model behind an OpenAI-compatible address, such as one of `vllm serve` or `transformers serve`.

    It generates. It does not score labels: the chat interface gives at most the likeliest tokens along the answer, which
    is not the likelihood of every label. They are asked for where labels are chosen (`strategies/standalone/odds.py`), and so is
    the schema where there is one; a server that refuses either answers without, and one that takes no temperature draws
    at its own.
    """

    name: str
    base_url: str
    """Up to and including the version, such as `http://127.0.0.1:8000/v1`."""
    model: str
    """The name that the server knows the model by."""
    key_env: str = "OPENAI_API_KEY"
    """The environment variable that holds the key. The key itself is stored nowhere."""
    concurrency: int = 8
    timeout_s: float = 60.0
    retries: int = 4
    context_tokens: int = 8192
    """What the server takes; the chat interface has no way to ask."""
    copies: bool = False
    """It is vLLM, which takes a schema with the words of each request in it (`tagging.for_text`), and the pattern of plain text;
    others get the one schema for all requests, and no pattern."""
    reasoning_tokens: int = 0
    """What it may think with before each answer, besides the limit of the answer and `context_tokens`."""
    extra_body: Mapping[str, Any] = field(default_factory=dict, hash=False)
    """Further fields of every request, such as `reasoning_effort`."""

    estimates: ClassVar[bool] = True

    @cached_property
    def outage(self) -> Outage:
        return Outage(retries=self.retries)

    @cached_property
    def learnt(self) -> Learnt:
        return Learnt(name=self.name)

    @cached_property
    def client(self) -> Any:
        """Kept with its connections, so that a request that is timed is the request alone; closed with the model."""
        found = client_for(self.base_url, self.key(), self.timeout_s, self.local)
        weakref.finalize(self, found.close)
        return found

    def hang_up(self) -> None:
        """Ends what is under way; whoever asks next has connections of its own."""
        if (client := vars(self).pop("client", None)) is not None:
            client.close()

    def __getstate__(self) -> dict[str, Any]:
        """Settings alone go to another process: connections and locks cannot."""
        return {each.name: getattr(self, each.name) for each in fields(self)}

    def __post_init__(self) -> None:
        address = urlsplit(self.base_url)
        if address.scheme not in {"http", "https"} or not address.hostname:
            raise ValueError(
                f"base_url is {keys.without_logins(self.base_url)!r}; write it as http://host:port/v1 or https://host/v1."
            )
        if address.username or address.password or address.query:
            raise ValueError(
                f"base_url of {self.name} holds a secret; put the key into the environment ({self.key_env})."
            )
        if self.concurrency < 1 or self.retries < 0 or self.timeout_s <= 0:
            raise ValueError(f"{self.name}: concurrency is at least 1, retries at least 0 and timeout_s above 0.")

    @property
    def fingerprint(self) -> str:
        """Hash of address, model name and how it is asked; what the server does behind them cannot be seen."""
        asked = f"|{self.reasoning_tokens}|{json.dumps(self.extra_body, sort_keys=True)}"
        more = asked if self.reasoning_tokens or self.extra_body else ""
        more += "" if self.context_tokens == EndpointModel.context_tokens else f"|context {self.context_tokens}"
        return hashlib.sha256(f"endpoint|{self.base_url.rstrip('/')}|{self.model}{more}".encode()).hexdigest()[:20]

    @property
    def local(self) -> bool:
        """True only for a loopback address."""
        return is_here(self.base_url)

    def count(self, prompt: Prompt) -> int:
        """An estimate: one token for four bytes of UTF-8, and four for each message."""
        sizes = (len(message.content.encode("utf-8", "replace")) for message in prompt)
        return sum(MESSAGE_TOKENS + -(-size // BYTES_A_TOKEN) for size in sizes)

    def cut(self, text: str, tokens: int) -> str:
        """The first `tokens` tokens by the same estimate, on a whole character."""
        return text.encode("utf-8", "replace")[: max(0, tokens) * BYTES_A_TOKEN].decode("utf-8", "ignore")

    def generate(
        self, prompts: Sequence[Prompt], max_tokens: int, sampling: Sampling, step: Step = "answering"
    ) -> Iterator[tuple[int, Completion]]:
        """Yields (index, completion) as they finish, at most `concurrency` at once.

        What still fails after the retries comes as a completion with `error`. A refused key or an unknown model ends
        the rest without asking again. `seconds` is the time of the request that was answered, waiting left out, and shared
        among those that were under way at once.
        Raises `ModelUnavailable` when a server that is not on this machine has no key, and where no header can hold the key.
        """
        wanted = replace(sampling, alternatives=0) if self.reasoning_tokens else sampling
        caller = _Caller(
            model=self,
            request=self._asked_as,
            temperature=sampling.temperature,
            wishes=self.learnt.left(wishes_of(wanted, self.copies)),
            schema=sampling.schema if self.copies else "",
            max_tokens=max_tokens + self.reasoning_tokens,
            step=step,
        )
        return caller.run(prompts)

    def stated_tokens(self, prompt: Prompt) -> int | None:
        """Tokens of the prompt in the server's own template, by one request; None where it states none, or does not answer."""
        turns: Any = [{"role": message.role, "content": message.content} for message in prompt]
        try:
            answer = self.client.chat.completions.create(**self._asked_as, messages=turns, max_tokens=1, temperature=0)
        except Exception as error:
            if understood(error) is None:
                raise
            return None
        stated = getattr(getattr(answer, "usage", None), "prompt_tokens", None)
        return stated if isinstance(stated, int) else None

    @property
    def _asked_as(self) -> dict[str, Any]:
        return {"model": self.model, **({"extra_body": self.extra_body} if self.extra_body else {})}

    def key(self) -> str:
        """The key from the environment. A server on this machine may do without. Raises `ModelUnavailable`."""
        found = keys.sendable(self.name, self.key_env)
        if not found and not self.local:
            raise ModelUnavailable(f"{self.name} needs a key: put it into the environment variable {self.key_env}.")
        return found or "none"


@dataclass(kw_only=True)
class _Question:
    """One prompt, and what became of it so far."""

    index: int
    prompt: Prompt
    patience: Patience
    in_plain: bool = False
    went_wrong: str = ""
    billed: bool = False
    """The last try may be billed although it failed."""


_Asked = Future[Completion | None]


def _ended(running: Collection[_Asked], return_when: str) -> set[_Asked]:
    """Those that have ended once the first has, or all."""
    while True:
        found = wait(running, LOOK_UP_S, return_when)
        if not found.not_done or (found.done and return_when == FIRST_COMPLETED):
            return found.done


@dataclass(kw_only=True)
class _Caller:
    """One call of `generate`: its threads, and what it still asks for besides the answers."""

    model: EndpointModel
    request: Mapping[str, Any]
    max_tokens: int
    step: Step
    wishes: dict[str, Wish]
    """What not every server can do, by the name that its refusal would hold; what is refused is not asked for again."""
    stopped: threading.Event = field(default_factory=threading.Event)
    together: Together = field(default_factory=Together)
    schema: str = ""
    """Of answers, where it is another one for each prompt."""
    temperature: float
    hopeless: str = ""
    """Non-empty: the server refuses everything, for this reason."""

    def run(self, prompts: Sequence[Prompt]) -> Iterator[tuple[int, Completion]]:
        """Whoever interrupts once still gets the answers that are on their way, since they are paid for; twice, nothing."""
        if not prompts:
            return
        pool, running = ThreadPoolExecutor(self.model.concurrency, thread_name_prefix=ASKING), dict[_Asked, _Question]()
        waits, client = True, self.model.client
        try:
            yield from self._asked(prompts, running, lambda question: pool.submit(self.ask, client, question))
        except KeyboardInterrupt:
            self.stopped.set()
            waits = False  # First of all: the second interruption may come while the sentence is being written.
            said = "interrupted: %d answers that are on their way are waited for; interrupt again to end at once"
            logging.getLogger(__name__).warning(said, len(running))
            ended = _ended(running, ALL_COMPLETED)
            yield from (self._found(running.pop(future), future.result()) for future in ended)
            raise
        finally:
            self.stopped.set()
            pool.shutdown(wait=waits, cancel_futures=True)
            if not waits:
                self.model.hang_up()

    def _asked(
        self, prompts: Sequence[Prompt], running: dict[_Asked, _Question], ask: Callable[[_Question], _Asked]
    ) -> Iterator[tuple[int, Completion]]:
        waiting = enumerate(prompts)
        while True:
            while len(running) < self.model.concurrency and (item := next(waiting, None)) is not None:
                question = self._question(*item)
                running[ask(question)] = question
            if not running:
                return
            for future in _ended(running, FIRST_COMPLETED):
                question, completion = running.pop(future), future.result()
                metered = prompts if isinstance(prompts, Metered) else None
                if completion is None and (metered is None or metered.again(question.index, question.billed)):
                    running[ask(question)] = question
                else:
                    yield self._found(question, completion)

    def _question(self, index: int, prompt: Prompt) -> _Question:
        patience = Patience(retries=self.model.retries, stopped=self.stopped)
        return _Question(index=index, prompt=prompt, patience=patience)

    def _found(self, question: _Question, completion: Completion | None) -> tuple[int, Completion]:
        """None: there was to be another try, and there will not be."""
        return question.index, completion or self._failed(question.went_wrong, billed=question.billed)

    def ask(self, client: Any, question: _Question) -> Completion | None:
        """One prompt. None: it failed, and is worth another try now.

        A server that calls the request bad without naming what it cannot do is asked once more in plain; where that is
        answered, nothing is wished for any more of what it never gave.
        """
        learnt = self.model.learnt
        while True:
            if self.hopeless:
                return self._failed(self.hopeless, billed=False)
            wishes = {} if question.in_plain else self._wished(question.prompt)
            limit_field, drawn = learnt.limit_field, learnt.drawn(self.temperature)
            try:
                extra = dict(chain.from_iterable(wish.items() for wish in wishes.values()))
                answer, seconds = self._send(client, question.prompt, {**drawn, **extra, limit_field: self.max_tokens})
                done = self._completion(question.prompt, answer, seconds)
                self._learn_from(question, wishes)
                learnt.answered_with(wishes, done)
                self.model.outage.answered()
                return done
            except Exception as error:
                if (fault := understood(error)) is None:
                    raise
            if fault.filtered:  # Azure bills at least the prompt of such a request.
                usage = Usage(model=self.model.name, step=self.step, prompt_tokens=self.model.count(question.prompt))
                return Completion(text="", usage=usage, finished=True, declined=True)
            if learnt.asks_otherwise(fault, limit_field, drawn):
                continue
            if refused := [name for name in wishes if fault.refuses(name)]:
                self._does_without(refused)
                continue
            if wishes and fault.status in BAD_REQUEST and not fault.hopeless(learnt.answered):
                question.in_plain = True
                continue
            return self._waited(question, fault)

    def _learn_from(self, question: _Question, wishes: Collection[str]) -> None:
        """After an answer. One generation may have failed to follow a schema (Groq) which others follow."""
        learnt, wished = self.model.learnt, dict(self.wishes)
        if question.in_plain:
            self._does_without(learnt.never_granted(wished))
        learnt.granted({name: wish for name, wish in wished.items() if name in wishes})

    def _does_without(self, refused: Collection[str]) -> None:
        for name in refused:
            if (wish := self.wishes.pop(name, None)) is not None:
                self.model.learnt.refused(name, wish)

    def _wished(self, prompt: Prompt) -> dict[str, Wish]:
        own = held_to(for_text(self.schema, prompt[-1].asked)) if self.schema else {}
        return {name: own or wish if name == HELD else wish for name, wish in list(self.wishes.items())}

    def _waited(self, question: _Question, fault: Fault) -> Completion | None:
        """Waits after a try that failed. None: another one is worth it."""
        question.billed = fault.billed
        hopeless = fault.hopeless(self.model.learnt.answered)
        question.went_wrong = sentence = self._sentence(fault, hopeless)
        if hopeless:
            self.hopeless = sentence
        outage = self.model.outage.waited(fault, self.stopped)
        if outage == "given up":
            state = "too busy" if fault.status == BUSY else "too slow" if fault.late else "gone"
            self.hopeless = f"{sentence} It was {state} for every question, and is not asked any more."
        if outage != "waited" and not question.patience.wait(fault):
            said = f"{sentence} {question.patience.spent()}".strip()
            return self._failed(said, fault.lasting, billed=fault.billed)
        return self._failed(self.hopeless, billed=fault.billed) if self.hopeless else None

    def _send(self, client: Any, prompt: Prompt, extra: Mapping[str, Any]) -> tuple[Any, float]:
        """The answer, and the seconds that fall to it."""
        messages = [{"role": message.role, "content": message.content} for message in prompt]
        more = {**self.request.get("extra_body", {}), **extra.get("extra_body", {})}
        asked = {**self.request, **extra, "messages": messages, "extra_body": more}
        begun, seconds = self.together.begin(), 0.0
        try:
            answer = client.chat.completions.create(**asked)
        finally:
            seconds = self.together.end(begun)
        return answer, seconds

    def _completion(self, prompt: Prompt, answer: Any, seconds: float) -> Completion:
        choice = first_choice(answer)
        message = choice.message
        text = self._cleaned(written(message))
        size, stated = -(-len(text.encode("utf-8", "replace")) // BYTES_A_TOKEN), getattr(answer, "usage", None)
        known = tokens(stated, self.model.count(prompt), size)
        ended = not cut_off(getattr(choice, "finish_reason", None))
        thinks = self.model.reasoning_tokens > 0 and not thinks_apart(message, stated)
        said = without_thoughts(text, thinks and not ended and size > self.max_tokens - self.model.reasoning_tokens)
        usage = Usage(model=self.model.name, step=self.step, seconds=seconds, **known)
        found = places(choice, self._cleaned) if said == text or not (said or ended) else ()
        return Completion(text=said, usage=usage, finished=ended, declined=declines(choice), places=found)

    def _failed(self, error: str, lasting: bool = False, *, billed: bool) -> Completion:
        usage = Usage(model=self.model.name, step=self.step)
        return Completion(text="", usage=usage, finished=False, error=error, lasting=lasting, billed=billed)

    def _cleaned(self, text: str, least: int = KEY_LENGTH) -> str:
        """As it is kept: of whole characters, without the key, which a server may repeat; one that is shorter than `least` might
        be any word."""
        key, whole = keys.held(self.model.key_env), _HALF_CHARACTERS.sub("\ufffd", text)
        return keys.without(key, whole) if len(key) >= least else whole

    def _sentence(self, fault: Fault, hopeless: bool) -> str:
        """What went wrong, without the key, which some servers repeat in their refusal."""
        said = shortened(self._cleaned(fault.message, 1))
        advice = f" Check the key in {self.model.key_env}." if hopeless and fault.blames_key else ""
        advice = advice or (f" Check base_url and the model name {self.model.model!r}." if fault.status == 404 else "")
        advice = f" `timeout_s` gives it {self.model.timeout_s:g} seconds." if fault.late else advice
        return f"{self.model.name} at {urlsplit(self.model.base_url).netloc}: {said.rstrip('.')}.{advice}"
