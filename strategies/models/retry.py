"""What went wrong with a request to a server, whether to try again, and how long to wait before."""

from __future__ import annotations

import json
import random
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from strategies.standalone import refusals
from strategies.standalone.asking import asked_wait
from strategies.standalone.refusals import Refusal

FIRST_WAIT_S = 0.5
LONGEST_WAIT_S = 30.0
BUSY = 429
"""The status by which a server says that it was asked too often."""
A_RETRY_S = 30.0
"""How long a busy server is waited for, for each retry that a question may have: two minutes with four, since many limits
are for a minute."""
SAID = 300
"""Characters of what a server says that are shown."""
DIGITS = "integer string conversion"
"""How Python names its limit on the digits of a number that it reads."""
LARGEST_ANSWER = 20_000_000
"""Bytes, unpacked."""
NO_CONNECTION = ("ConnectError", "ConnectTimeout", "PoolTimeout")
"""Faults of the HTTP package below the client, by name: which package that is depends on the client's version."""
NOT_IN_TIME = "no answer in time"
TURNED_AWAY = (503, 529)
"""A server that says so has no room: it has not begun to answer."""
LONGEST_ASKED_S = 300.0
"""A server that asks for a longer wait than this is given up at once."""


class Fault(Exception):
    """One failed request. `retry`: it may work next time."""

    def __init__(self, *, message: str, retry: bool, status: int | None = None, after_s: float | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.retry = retry
        self.status = status
        self.after_s = after_s
        self.refusal: Refusal | None = None
        self.gone = status in {BUSY, 502, 504, *TURNED_AWAY} and after_s is None
        """Nobody was there, or had time, to answer, and nobody said for how long."""
        self.billed = status is None or status == 408 or (status >= 500 and status not in TURNED_AWAY)
        """The server may have taken the request, and may send a bill for it."""
        self.late = False
        """The server took the request, and the time for an answer was over before there was one."""

    def hopeless(self, answered: bool) -> bool:
        """Whether every other request will fail alike. `answered`: the server has answered one before."""
        return self.refusal is not None and refusals.ends_all(self.refusal, answered)

    @property
    def blames_key(self) -> bool:
        """Whether it is the key that is refused, of a fault that is hopeless."""
        return self.refusal is not None and refusals.blames_key(self.refusal)

    @property
    def lasting(self) -> bool:
        """Whether the server will never answer this very request, such as one that is too long for it."""
        return self.refusal is not None and refusals.is_of_one(self.refusal)

    @property
    def filtered(self) -> bool:
        """Whether the provider's filter refuses this very request."""
        return self.refusal is not None and refusals.is_filtered(self.refusal)

    @property
    def refused_parameter(self) -> str:
        return "" if self.refusal is None else self.refusal.parameter

    def refuses(self, parameter: str) -> bool:
        """Whether it is about that parameter of the request, by name; servers say so with several status codes."""
        return self.status in {400, 403, 422} and parameter in f"{self.refused_parameter} {shortened(self.message)}"


@dataclass(kw_only=True)
class Patience:
    """Counts the tries of one request and waits between them: doubling, with jitter, never less than the server asks.

    Waiting for a busy server takes none of the retries; it ends once it took `A_RETRY_S` for each of them.
    """

    retries: int
    stopped: threading.Event
    tries: int = 1
    failed: int = 0
    """Of these, how many took a retry."""
    waits: list[float] = field(default_factory=list)

    def wait(self, fault: Fault) -> bool:
        """Waits and says True, or False when there is no point in another try or none is left."""
        busy = fault.status == BUSY
        spent = self.failed >= self.retries
        if busy:
            spent = self.tries > self.retries and sum(self.waits) >= A_RETRY_S * self.retries
        if not fault.retry or spent or (fault.after_s or 0.0) > LONGEST_ASKED_S:
            return False
        doubling = min(LONGEST_WAIT_S, FIRST_WAIT_S * 2.0 ** (self.tries - 1))
        pause = max(doubling * random.uniform(0.5, 1.0), (fault.after_s or 0.0) * random.uniform(1.0, 1.1))
        self.tries += 1
        self.failed += not busy
        self.waits.append(pause)
        return not self.stopped.wait(pause)

    def spent(self) -> str:
        """How often it was tried; empty after a single try."""
        return f"Tried {self.tries} times in vain." if self.tries > 1 else ""


def bounded(response: Any, seconds: float) -> None:
    """Holds the body of an answer to a time and a size: the client's own time is that between two parts of it."""
    parts, end, size = response.iter_bytes, time.monotonic() + seconds, 0

    def iter_bytes(chunk_size: int | None = None) -> Iterator[bytes]:
        nonlocal size
        for part in parts(chunk_size):
            size += len(part)
            if time.monotonic() > end:
                raise _late()
            if size > LARGEST_ANSWER:
                raise Fault(message=f"the answer is larger than {LARGEST_ANSWER // 10**6} MB", retry=False)
            yield part

    response.iter_bytes = iter_bytes


def understood(error: Exception) -> Fault | None:
    """The fault behind an exception of the client; None for one that is not about the server."""
    import openai

    if isinstance(error, Fault):
        return error
    if isinstance(error.__cause__, Fault):
        return error.__cause__
    if isinstance(error, openai.APITimeoutError):
        return _late() if _sent(error) else _absent(NOT_IN_TIME, sent=False)
    if isinstance(error, openai.APIStatusError):
        said = refusals.parsed(error.response.text)
        return _refused(refusals.read(error.status_code, said), asked_wait(error.response.headers))
    if isinstance(error, openai.APIConnectionError):
        return _absent(f"no connection ({error.__cause__ or error})", _sent(error))
    if isinstance(error, openai.APIResponseValidationError | json.JSONDecodeError | UnicodeDecodeError) or _odd(error):
        return Fault(message="the answer is not valid JSON of a chat completion", retry=True)
    if isinstance(error, openai.APIError):
        return Fault(message=error.message, retry=False)
    return None


def _odd(error: Exception) -> bool:
    """JSON that is no mistake, and cannot be read: too deep, or a number of thousands of digits."""
    return isinstance(error, RecursionError) or (type(error) is ValueError and DIGITS in str(error))


def shortened(said: str) -> str:
    """A server's words on one line, of which a person reads the beginning."""
    return " ".join(said.split())[:SAID]


def _absent(message: str, sent: bool = True) -> Fault:
    fault = Fault(message=message, retry=True)
    fault.gone, fault.billed = True, sent
    return fault


def _late() -> Fault:
    fault = _absent(NOT_IN_TIME)
    fault.late = True
    return fault


def _sent(error: Exception) -> bool:
    """Whether the request may have reached the server: whoever found no connection has sent nothing."""
    return type(error.__cause__).__name__ not in NO_CONNECTION


def said_instead(error: object) -> Fault:
    """Where an error stands in place of an answer, in one whose status says that all is well: some gateways answer like that."""
    fault = _refused(refusals.read(200, {"error": error}), None)
    fault.billed = fault.billed or (fault.status == 200 and fault.retry)  # Nobody said that no answer was begun.
    return fault


def broken_off(error: object) -> Fault:
    """An answer that was begun and has an error in place of its end: it may work next time, whatever that is."""
    status = refusals.read(200, {"error": error}).status
    fault = Fault(message=refusals.broken_off(error), retry=True, status=None if status == 200 else status)
    fault.gone = status == BUSY  # Else it was there.
    fault.billed = True  # It had begun to answer.
    return fault


def _refused(refusal: Refusal, after_s: float | None) -> Fault:
    status, ends = refusal.status, refusals.ends_all(refusal, answered=True)
    retry = (status in {200, 408, 409, BUSY} or status >= 500) and not ends
    fault = Fault(message=refusal.sentence, retry=retry, status=status, after_s=after_s)
    fault.refusal = refusal
    fault.gone = fault.gone and not ends
    return fault
