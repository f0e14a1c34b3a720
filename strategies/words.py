"""What counts as a word: what stands between spaces, and each letter of scripts that put none between their words.

Tests, scores and searches of Chinese, Japanese, Thai, Lao, Burmese and Khmer go letter by letter, as MLQA scores its Chinese
answers (arXiv 1910.07475).
"""

from __future__ import annotations

import re

UNSPACED = (
    r"\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3005-\u3007\u3040-\u30ff\u3400-\u9fff\uf900-\ufaff\uff66-\uff9f"
    r"\U00020000-\U0003ffff"
)
"""Letters of these scripts, for a class of characters."""
SPACED = rf"[{UNSPACED}]|[^\s{UNSPACED}]+"
PLAIN = rf"[{UNSPACED}]|[^\W_{UNSPACED}]+"
_RUN = r"(?:[\u0900-\u0963\u0966-\u0dff]|[^\W" + UNSPACED + "])"
SEARCHED = rf"(?=([{UNSPACED}]{{2}}|(?<![{UNSPACED}])[{UNSPACED}](?![{UNSPACED}])|(?<!{_RUN}){_RUN}{{2,}}))"
"""What a search by words counts: runs of at least two letters or digits, vowel signs of Indian scripts among them; without spaces
every two letters that stand together, as search engines do."""


EDGE = (
    "\"'.,;:!?()[]{}<>\u2018\u2019\u201c\u201d"
    "\u3001\u3002\u300a\u300b\u300c\u300d\u300e\u300f\u3010\u3011\u30fb\uff01\uff08\uff09\uff0c\uff0e\uff1a\uff1b\uff1f"
)
"""Punctuation that may stand around a word."""


def spaced(text: str) -> list[tuple[int, int]]:
    """Where each word begins and ends, punctuation that is joined to it included."""
    return [found.span() for found in re.finditer(SPACED, text)]


def count(text: str) -> int:
    """How many words these are."""
    return sum(1 for _ in re.finditer(SPACED, text))


def plain(text: str) -> list[str]:
    """Runs of letters and digits, casefolded."""
    return re.findall(PLAIN, text.casefold())


def unspaced(text: str) -> bool:
    """Whether a letter of such a script is among them."""
    return re.search(f"[{UNSPACED}]", text) is not None
