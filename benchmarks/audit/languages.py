"""Which language a text is in, by its script and its function words: enough to see that some rows are in another one."""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from collections.abc import Mapping, Sequence

_WORD = re.compile(r"(?<!\w)[^\W\d_]{2,}(?!\w)")
_WORDS: Mapping[str, frozenset[str]] = {
    name: frozenset(words.split())
    for name, words in {
        "English": "the and of to is that it for you with this are was have not be on at from what how my can do does we he she "
        "they or if so but as an me no in up out your our will would",
        "German": "der die das und ist nicht ein eine zu mit auf für den dem ich sie wir wie von im kann mein",
        "French": "le la les et est pas un une des que pour dans qui sur avec je vous nous comment du au mon ma",
        "Spanish": "el la los las y es no un una que para por con del como en se mi me qué cómo puedo su",
        "Italian": "il la che di è non un una per con sono del come mi gli nel posso della questo",
        "Portuguese": "o os as e é não um uma que para com do da como em no na meu posso minha",
        "Dutch": "de het een en is niet van dat ik op te met voor zijn hoe mijn wat kan er",
    }.items()
}
_LEAST, _SHARE, _AHEAD = 3, 0.2, 2
"""Different function words that it takes, of all words, and how many times those of the next language."""
_OPEN: Mapping[str, frozenset[str]] = {
    name: frozenset(words.split())
    for name, words in {
        "English": "the and of to that for with was are at from or if but as a an because which while",
        "German": "der die das und ein eine zu mit auf für den dem wie von im weil oder aber dass",
        "French": "le la les et un une des que pour dans sur avec du au ou mais",
        "Spanish": "el la los las y un una que para por con del o pero porque",
    }.items()
}
"""Of these languages words with which no sentence ends."""
_OTHER_SCRIPTS = (
    "CYRILLIC",
    "GREEK",
    "ARABIC",
    "HEBREW",
    "CJK",
    "HIRAGANA",
    "KATAKANA",
    "HANGUL",
    "THAI",
    "DEVANAGARI",
)
_ONE_LANGUAGE = {"HIRAGANA": "Japanese", "KATAKANA": "Japanese", "CJK": "Chinese or Japanese"}
_MOST = 0.8
"""Of the texts whose language is known, from which on it is that of the data."""
_FEWEST = 10


def language(text: str) -> str:
    """Its name; empty where it is not known: the text is short, or in none of those that are told apart."""
    if not text.isascii() and (script := _script(text)):
        return _ONE_LANGUAGE.get(script, script.capitalize())
    words = _WORD.findall(text.casefold())
    counts = sorted(((len(known.intersection(words)), name) for name, known in _WORDS.items()), reverse=True)
    (most, name), (next_most, _) = counts[:2]
    return name if most >= max(_LEAST, _SHARE * len(set(words))) and most >= _AHEAD * next_most else ""


def goes_on(text: str) -> bool:
    """Whether it ends with a function word, after which a sentence goes on."""
    words = text.casefold().split()
    return bool(words) and any(words[-1] in known for known in _OPEN.values())


def _script(text: str) -> str:
    """The script of most of its letters where that is not the Latin one."""
    letters = [letter for letter in text[:400] if letter.isalpha()]
    found = Counter(unicodedata.name(letter, "").partition(" ")[0] for letter in letters if not letter.isascii())
    script, count = found.most_common(1)[0] if found else ("", 0)
    return script if script in _OTHER_SCRIPTS and count > len(letters) / 2 else ""


def in_another(texts: Sequence[str]) -> tuple[str, list[int]]:
    """The language of the data, and the places of texts in another one; nothing where the data is in several or in none."""
    known = [language(text) for text in texts]
    counts = Counter(name for name in known if name)
    main, count = counts.most_common(1)[0] if counts else ("", 0)
    if count < max(_FEWEST, _MOST * counts.total()):
        return "", []
    return main, [place for place, name in enumerate(known) if name not in ("", main)]
