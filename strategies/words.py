"""What counts as a word: what stands between spaces, and each letter of scripts that put none between their words.

Tests, scores and searches of Chinese, Japanese, Thai, Lao, Burmese and Khmer go letter by letter, as MLQA scores its Chinese
answers (arXiv 1910.07475).
"""

from __future__ import annotations

import re
import unicodedata
from collections import Counter

from strategies.standalone.reading import UNSPACED

_MARKS = (
    r"\u0e31\u0e34-\u0e3a\u0e47-\u0e4e\u0eb1\u0eb4-\u0ebc\u0ec8-\u0ecd\u102b-\u103e\u1056-\u1059\u105e-\u1060"
    r"\u1062-\u1064\u1067-\u106d\u1071-\u1074\u1082-\u108d\u108f\u109a-\u109d\u17b4-\u17d3\u17dd\u3099\u309a"
)
"""Vowels and tones above, below and behind a letter of these scripts."""
LETTER = rf"[{UNSPACED}][{_MARKS}]*"
SPACED = rf"{LETTER}|[^\s{UNSPACED}]+"
PLAIN = rf"{LETTER}|[^\W_{UNSPACED}]+"
_RUN = r"(?:[\u0900-\u0963\u0966-\u0dff]|[^\W" + UNSPACED + "])"
SEARCHED = rf"(?=([{UNSPACED}]{{2}}|(?<![{UNSPACED}])[{UNSPACED}](?![{UNSPACED}])|(?<!{_RUN}){_RUN}{{2,}}))"
"""What a search by words counts: runs of at least two letters or digits, vowel signs of Indian scripts among them; without spaces
every two letters that stand together, as search engines do."""
EDGE = (
    "\"'.,;:!?()[]{}<>\u2018\u2019\u201c\u201d"
    "\u3001\u3002\u300a\u300b\u300c\u300d\u300e\u300f\u3010\u3011\u30fb\uff01\uff08\uff09\uff0c\uff0e\uff1a\uff1b\uff1f"
)
"""Punctuation that may stand around a word."""
_SIGNS = re.compile("[\u20a8\u2116\u2120-\u2122]")
"""Signs that stand right beside a word, as in `Foo\u2122` and `\u21165`: NFKC would make letters of that word of them."""


def spaced(text: str) -> list[tuple[int, int]]:
    """Where each word begins and ends, punctuation that is joined to it included."""
    return [found.span() for found in re.finditer(SPACED, text)]


def count(text: str) -> int:
    """How many words these are."""
    return sum(1 for _ in re.finditer(SPACED, text))


def composed(text: str) -> str:
    """NFKC, in which words are compared and searched: a letter and its accent are one, full-width digits are digits.

    Offsets of the text do not hold in it, and signs that would be joined to a word are spaces.
    """
    return unicodedata.normalize("NFKC", _SIGNS.sub(" ", text))


def plain(text: str) -> list[str]:
    """Runs of letters and digits, NFKC and casefolded."""
    return re.findall(PLAIN, composed(text).casefold())


def unspaced(text: str) -> bool:
    """Whether a letter of such a script is among them."""
    return re.search(f"[{UNSPACED}]", text) is not None


def shared(one: str, other: str) -> float:
    """F1 of the words that two texts share, each as often as it stands in both: 0 to 1."""
    first, second = Counter(plain(one)), Counter(plain(other))
    return 2 * (first & second).total() / max(1, first.total() + second.total())
