"""How texts are compared: normal forms and words."""

from __future__ import annotations

import unicodedata
from collections.abc import Callable

import regex

from strategies.contract import Case
from strategies.standalone.reading import UNSPACED
from strategies.words import LETTER, count, spaced

_YES_OR_NO = (
    "yes no true false ja nein wahr falsch oui non vrai faux sí si verdadero falso sì vero sim não verdadeiro nee waar onwaar "
    "да нет \u03bd\u03b1\u03b9 όχι כן לא نعم لا हाँ हां नहीं はい いいえ 是 否 예 네 아니요 아니오 ใช่ ไม่ใช่"
)
CLOSED = frozenset(_YES_OR_NO.split())
"""Answers to yes-or-no questions, as `plain` has them: what they say stands in no passage word by word."""
_QUOTES = {
    '"': '"',
    "'": "'",
    "`": "`",
    "\u201c": "\u201d",
    "\u2018": "\u2019",
    "\u201d": "\u201d",
    "\u201e": "\u201c\u201d",
    "\u201a": "\u2018\u2019",
    "\u00ab": "\u00bb",
    "\u00bb": "\u00ab\u00bb",
    "\u2039": "\u203a",
    "\u203a": "\u2039\u203a",
    "\u300c": "\u300d",
    "\u300e": "\u300f",
}
"""What opens a quotation, and what may close it."""
_CLOSED = frozenset("".join(_QUOTES.values())) - {"`"} | {"%"}
"""Signs after which a full stop ends a sentence, beside those of words."""
_STOPS = frozenset(".\u3002\u0964\u06d4")
"""Full stops: the Latin one, that of Chinese and Japanese, the danda of Indian scripts, and that of Urdu."""
_ARTICLES = frozenset({"a", "an", "the"})
_WORD = regex.compile(rf"{LETTER}|[^\W{UNSPACED}]+")
"""Of `regex`, to which the marks on a letter belong to its word: `re` breaks words of Hindi at each."""

KOREAN = r"\uac00-\ud7a3"
"""Letters of a script whose words have particles joined to them without a mark."""
_KOREAN = regex.compile(rf"[{KOREAN}]+$")


def plain(text: str, case_sensitive: bool = False) -> str:
    """NFKC, one space for any white space, without surrounding quotes and final full stop of any script, casefolded unless told.

    A full stop goes only where it ends a word or a quotation, so that `cd ..` and `a.*.` stay what they are.
    """
    text = " ".join(unicodedata.normalize("NFKC", text).split())
    before = None
    while text != before:
        before = text
        text = _without_stop(_without_quotes(text))
    return text if case_sensitive else text.casefold()


def words(text: str) -> list[str]:
    """Runs of letters and digits, NFKC and casefolded; letters of scripts without spaces one by one."""
    return _WORD.findall(_folded(text))


def beginnings(word: str) -> list[str]:
    """The word, and of one that ends in Korean letters what its particles may be joined to: two letters or more, or whatever
    stands before the Korean ones."""
    korean = _KOREAN.search(word)
    if korean is None:
        return [word]
    whole = range(korean.start(), len(word))
    return [word, *(word[:end] for end in whole if end >= 2 or 0 < end == korean.start())]


def stands(value: str, text: str) -> bool:
    """Whether the words of the value stand in the text, one after another, a Korean particle joined to the last."""
    wanted, folded = words(value), _folded(text)
    if not wanted or any(word not in folded for word in wanted):
        return False
    *first, last = wanted
    given = _WORD.findall(folded)
    ends = (place for place, word in enumerate(given) if place >= len(first) and word.startswith(last))
    return any(given[place - len(first) : place] == first and last in beginnings(given[place]) for place in ends)


def answer_words(text: str) -> list[str]:
    """Words as reading-comprehension scores count them, without punctuation and English articles (arXiv 1606.05250)."""
    folded = _folded(text)
    kept = "".join(letter for letter in folded if not unicodedata.category(letter).startswith(("P", "S")))
    found = (kept[start:end] for start, end in spaced(kept))
    return [word for word in found if word not in _ARTICLES]


def longer_than(text: str, limit: int) -> bool:
    """Whether the text has more than `limit` words, counted between spaces or as runs of letters, whichever is more."""
    return count(text) > limit or sum(1 for _ in _WORD.finditer(text)) > limit


def best(case: Case, compare: Callable[[str], float]) -> float:
    """The best comparison over the accepted answers."""
    return max(compare(answer) for answer in case.accepted)


def _folded(text: str) -> str:
    return unicodedata.normalize("NFKC", text).casefold()


def _without_quotes(text: str) -> str:
    if len(text) < 2 or text[-1] not in _QUOTES.get(text[0], ""):
        return text
    inner = text[1:-1]
    return text if text[0] in inner or text[-1] in inner else inner.strip()


def _without_stop(text: str) -> str:
    if len(text) < 2 or text[-1] not in _STOPS:
        return text
    before = text[-2]
    ends = before.isalnum() or before in _CLOSED or unicodedata.category(before).startswith("M")
    return text[:-1] if ends else text
