"""The key for a server: how it is read from its environment variable, and how it is cut out of what is said."""

from __future__ import annotations

import os
import re

from strategies.models.wheels import ModelUnavailable

_LOGIN = re.compile(r"(?<=//)[^\s/]*@")


def held(variable: str) -> str:
    """The key in an environment variable without white space around it, such as the line break of a file; empty without one."""
    return os.environ.get(variable, "").strip()


def sendable(name: str, variable: str) -> str:
    """The key for the model of this name; empty where there is none.

    Raises `ModelUnavailable` where no header can hold it: a library that tries repeats it in its own fault.
    """
    found = held(variable)
    if not (found.isascii() and found.isprintable()):
        raise ModelUnavailable(
            f"The key for {name} in the environment variable {variable} holds a character that no HTTP header may: a line "
            "break, a control character, or a letter or quote outside ASCII. Copy the key again, without what stands around it."
        )
    return found


def without(key: str, text: str) -> str:
    """The text with `[key]` for the key, as it stands and as Python quotes it."""
    for form in sorted({key, repr(key)[1:-1]}, key=len, reverse=True) if key else ():
        text = text.replace(form, "[key]")
    return text


def without_logins(text: str) -> str:
    """The text without `user:password@` in any address."""
    return _LOGIN.sub("", text)
