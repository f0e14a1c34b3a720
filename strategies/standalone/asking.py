"""The server behind `predict.py`, where a hosted model answers: asked over HTTP with the standard library alone.

The address and the name of the model stand in `prompt.json` under `server`; the key comes from the environment variable that is
named there, and is sent nowhere else. What is busy or gone is asked again a few times, longer apart each time.
"""

from __future__ import annotations

import email.utils
import http.client
import ipaddress
import json
import os
import random
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple
from urllib.parse import urlsplit

BYTES_A_TOKEN, MESSAGE_TOKENS = 4, 4
ENDING = 2
"""`held.ENDING`: by it prompts have the room that they had in the run."""
"""For the estimate of a prompt's length: the server is not asked for it."""
LARGEST, SAID, KEY_LENGTH = 20_000_000, 300, 8
FIRST_WAIT_S, LONGEST_WAIT_S, LONGEST_ASKED_S = 0.5, 30.0, 300.0
AGAIN, BAD = (200, 408, 409, 429), (400, 422)


class Place(NamedTuple):
    """A token of an answer, and what else was likely there."""

    chosen: str
    likely: Mapping[str, float]


class Answer(NamedTuple):
    text: str
    places: tuple[Place, ...]


class Words(NamedTuple):
    labels: list[str]
    words: list[str]


class Asked:
    """The messages of a prompt; `len` estimates its tokens."""

    def __init__(self, messages: list[dict[str, str]]) -> None:
        self.messages = messages

    def __len__(self) -> int:
        return sum(MESSAGE_TOKENS + -(-len(turn["content"].encode()) // BYTES_A_TOKEN) for turn in self.messages)


class Refused(Exception):
    """The server said no, in the words of `refusal`, or nothing, or what is no answer. `again`: it may answer next time."""

    def __init__(self, said: str, *, again: bool, refusal: Any = None, after_s: float = 0.0) -> None:
        super().__init__(" ".join(said.split())[:SAID])
        self.again, self.refusal, self.after_s = again, refusal, after_s
        self.status = 0 if refusal is None else refusal.status


class _StaysThere(urllib.request.HTTPRedirectHandler):
    """A server that sends elsewhere gets no second request: the key is for its own address."""

    def redirect_request(self, *_: Any) -> None:
        return None


class Asker:
    """Answers as `speaking.Speaker` does, by a server. `beside` loads another program of the same folder."""

    def __init__(self, asked: dict[str, Any], beside: Callable[[str], Any]) -> None:
        self.asked, self.server = asked, asked["server"]
        self.room = self.server["context_tokens"] - asked["max_tokens"] * (ENDING if asked["schema"] else 1)
        self.words = Words(self.server["labels"], self.server["words"]) if self.server["labels"] else None
        self.odds = beside("odds.py") if self.words else None
        self.reasoning = self.server["reasoning_tokens"]
        self.refusals = beside("refusals.py")
        self.thoughts = beside("thoughts.py")
        self.copying = beside("tagging.py") if asked["schema"] else None
        self.limit, self.answered = "max_tokens", False
        self.without, self.granted = set[str](), set[str]()
        self.drawn: dict[str, float] = {"temperature": self.server["temperature"]}
        local = is_here(self.server["address"])
        self.key = _key(self.server["key_env"])
        if not self.key and not local:
            raise SystemExit(f"The server needs a key: put it into the environment variable {self.server['key_env']}.")
        handlers = [_StaysThere(), *([urllib.request.ProxyHandler({})] if local else [])]
        self.opener = urllib.request.build_opener(*handlers)

    def cut(self, text: str, tokens: int) -> str:
        """The text within so many tokens, by the estimate."""
        return text.encode("utf-8", "replace")[: tokens * BYTES_A_TOKEN].decode("utf-8", "ignore")

    def prompt(self, messages: list[dict[str, str]]) -> Asked:
        return Asked(messages)

    def written(self, prompt: Asked, about: str) -> tuple[str, float | None]:
        """The answer, as a label where there are some, and how sure it is where that is known. Raises `ConnectionError` where
        there is none after all tries, and ends the program where asking on is in vain."""
        found = self._answer(prompt, about)
        if self.words is None or self.odds is None:
            return found.text, None
        shares = self.odds.label_shares(found, self.words)
        if not shares:
            return self.odds.to_label(found.text, self.words), 0.0 if found.places else None
        shares = self.odds.moved(shares, self.server.get("added", {}))
        best = max(shares, key=shares.__getitem__)
        return best, shares[best]

    def _answer(self, prompt: Asked, about: str) -> Answer:
        tries, plain = 0, False
        while True:
            wishes = {} if plain else self._wishes(about)
            try:
                found = self._sent(prompt, wishes)
            except Refused as fault:
                if fault.refusal and self.refusals.is_filtered(fault.refusal):
                    raise ConnectionError(f"{self._where()}: {fault}") from None
                if fault.status in (*BAD, 403) and self._does_without(wishes, str(fault)):
                    continue
                if fault.refusal and self.refusals.ends_all(fault.refusal, self.answered):
                    raise SystemExit(f"{self._where()}: {fault}") from None
                if fault.status in BAD and wishes:
                    plain = True
                    continue
                if not fault.again or tries == self.server["retries"] or fault.after_s > LONGEST_ASKED_S:
                    raise ConnectionError(f"{self._where()}: {fault}") from None
                doubling = min(LONGEST_WAIT_S, FIRST_WAIT_S * 2.0**tries) * random.uniform(0.5, 1.0)
                time.sleep(max(doubling, fault.after_s))
                tries += 1
            else:
                self.answered = True
                self.granted |= wishes.keys()
                if plain:  # One generation may have failed to follow a schema which others follow.
                    self.without |= {"logprobs", "response_format"} - self.granted
                return found

    def _does_without(self, wishes: Mapping[str, Any], said: str) -> bool:
        """Leaves out for good what a refusal names; False where it names nothing that was asked for."""
        if self.limit in said and self.limit == "max_tokens" and "max_completion_tokens" in said:
            self.limit = "max_completion_tokens"
            return True
        if self.drawn and "temperature" in said:
            self.drawn = {}  # A model that reasons takes none but its own.
            return True
        named = {name for name in wishes if name in said}
        self.without |= named
        return bool(named)

    def _wishes(self, about: str) -> dict[str, dict[str, Any]]:
        """What not every server can do: the likeliest tokens at each place, and a schema."""
        wishes: dict[str, dict[str, Any]] = {}
        if self.words is not None and not self.reasoning:
            wishes["logprobs"] = {"logprobs": True, "top_logprobs": self.server["alternatives"]}
        if self.copying is not None:
            schema = self.asked["schema"]
            held = json.loads(
                self.copying.for_text(schema, about) if self.server["copies"] else self.copying.unmarked(schema)
            )
            if held.get("type") == "object":
                form = {"type": "json_schema", "json_schema": {"name": "answer", "schema": held}}
                wishes["response_format"] = {"response_format": form}
        return {name: wish for name, wish in wishes.items() if name not in self.without}

    def _sent(self, prompt: Asked, wishes: Mapping[str, Mapping[str, Any]]) -> Answer:
        """One request. Raises `Refused`."""
        body: dict[str, Any] = {"model": self.server["model"], **self.drawn, "messages": prompt.messages}
        body[self.limit] = self.asked["max_tokens"] + self.reasoning
        for wish in wishes.values():
            body |= wish
        body |= self.server["extra_body"]
        request = urllib.request.Request(
            f"{self.server['address']}/chat/completions",
            data=json.dumps(body).encode(),
            headers={"Content-Type": "application/json", "Authorization": f"Bearer {self.key or 'none'}"},
        )
        try:
            with self.opener.open(request, timeout=self.server["timeout_s"]) as response:
                return self._read(response.read(LARGEST))
        except urllib.error.HTTPError as error:
            said = self.refusals.parsed(error.read(LARGEST // 100).decode("utf-8", "replace"))
            wait = asked_wait({name.lower(): value for name, value in error.headers.items()})
            raise self._refused(self.refusals.read(error.code, said), wait or 0.0) from None
        except (OSError, http.client.HTTPException) as error:
            late = (
                f"; `timeout_s` gives it {self.server['timeout_s']:g} seconds"
                if isinstance(error, TimeoutError)
                else ""
            )
            raise Refused(self._clean(f"no answer ({getattr(error, 'reason', error)}{late})"), again=True) from None

    def _refused(self, refusal: Any, after_s: float = 0.0) -> Refused:
        again = refusal.status in AGAIN or refusal.status >= 500
        return Refused(self._clean(refusal.sentence), again=again, refusal=refusal, after_s=after_s)

    def _read(self, answer: bytes) -> Answer:
        try:
            found = json.loads(answer)
            if found.get("error") and not found.get("choices"):
                raise self._refused(self.refusals.read(200, found))
            choice = found["choices"][0]
            if choice.get("error") or choice.get("finish_reason") == "error":
                said = self.refusals.broken_off(choice.get("error") or found.get("error"))
                raise Refused(self._clean(said), again=True)
            reason, message = choice.get("finish_reason"), choice["message"]
            content, refusal = message.get("content"), message.get("refusal")
            text = self.thoughts.in_words(content or refusal or "")
            if text is None:
                raise Refused("the answer's content is not text", again=False)
            declined, cut = self.refusals.declined(reason, content, refusal), self.refusals.cut_off(reason)
            said = self.thoughts.without_thoughts(text, cut and self._thinks_on(text, found, message))
            thought = not said and cut
        except (AttributeError, IndexError, KeyError, RecursionError, TypeError, ValueError):
            raise Refused("the answer is not valid JSON of a chat completion", again=True) from None
        if declined:
            raise Refused(self.refusals.DECLINED, again=False)
        if thought:
            most = self.asked["max_tokens"] + self.reasoning
            advice = "thinking counts, so turn it off, or give more `reasoning_tokens`"
            raise Refused(f"nothing was answered within {most:,} tokens; {advice}", again=False)
        return Answer(self._clean(said), _places(choice, self._clean) if said == text else ())

    def _thinks_on(self, text: str, found: Any, message: Mapping[str, Any]) -> bool:
        """Whether a text without a mark may be thoughts alone: it is longer than an answer, and the server keeps none apart."""
        written = -(-len(text.encode("utf-8", "replace")) // BYTES_A_TOKEN)
        if not self.reasoning or written <= self.asked["max_tokens"]:
            return False
        counted = ((found.get("usage") or {}).get("completion_tokens_details") or {}).get("reasoning_tokens")
        apart = message.get("reasoning_content") or message.get("reasoning")
        return not (counted or apart or self.thoughts.thought_apart(message.get("content")))

    def _clean(self, text: str) -> str:
        """Whole characters, and without the key, which a server may repeat."""
        whole = "".join("\ufffd" if "\ud800" <= one <= "\udfff" else one for one in text)
        if len(self.key) < KEY_LENGTH:
            return whole
        for form in (repr(self.key)[1:-1], self.key):  # As Python quotes it, and as it stands.
            whole = whole.replace(form, "[key]")
        return whole

    def _where(self) -> str:
        return f"{self.server['model']} at {urlsplit(self.server['address']).netloc}"


def _key(variable: str) -> str:
    """The key without white space around it. Ends the program where no header can hold it: whatever tries would repeat it."""
    found = os.environ.get(variable, "").strip()
    if not (found.isascii() and found.isprintable()):
        raise SystemExit(
            f"The key in the environment variable {variable} holds a character that no HTTP header may: a line break, a control "
            "character, or a letter or quote outside ASCII. Copy the key again, without what stands around it."
        )
    return found


def is_here(address: str) -> bool:
    """Whether it is a loopback address; a name that merely resolves to one is none."""
    host = urlsplit(address).hostname or ""
    try:
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def asked_wait(headers: Mapping[str, str]) -> float | None:
    """Seconds that the server asks to wait (`Retry-After` in seconds or as a date, `retry-after-ms`); None if it does not."""
    try:
        if "retry-after-ms" in headers:
            return max(0.0, float(headers["retry-after-ms"]) / 1000)
        value = headers.get("retry-after")
        if value is None:
            return None
        if value.strip().replace(".", "", 1).isdigit():
            return float(value)
        return max(0.0, email.utils.parsedate_to_datetime(value).timestamp() - time.time())
    except (ValueError, TypeError):
        return None


def _places(choice: Any, clean: Callable[[str], str]) -> tuple[Place, ...]:
    """What the server states of each token; nothing where a part of it is not what the interface says."""
    try:
        return tuple(
            Place(
                clean(str(token["token"])),
                {clean(str(each["token"])): _log(each["logprob"]) for each in (*(token["top_logprobs"] or ()), token)},
            )
            for token in (choice.get("logprobs") or {}).get("content") or ()
        )
    except (AttributeError, KeyError, TypeError, ValueError):
        return ()


def _log(stated: Any) -> float:
    if not (value := float(stated)) < 0.01:
        raise ValueError(value)
    return min(0.0, value)
