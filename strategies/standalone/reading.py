"""Reads requests for `predict.py` as the run reads and cleans them, and makes the lines of answers; finds words and runs of them,
where a model lies, which answers the task does not allow and which versions of a document are asked for. It needs no other."""

from __future__ import annotations

import json
import math
import re
import sys
import unicodedata
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

INPUTS = (
    *("input", "inputs", "text", "question", "prompt", "query", "message", "sentence", "utterance", "body"),
    *("content", "request", "ticket", "email", "source", "src", "document", "review", "comment", "description"),
)
"""Usual names of the column with the input, those that come first before the others."""
IDS = ("id", "case_id", "example_id", "uid", "uuid", "key")
"""Usual names of the column that tells rows apart."""
UNSPACED = (
    r"\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3005-\u3007\u3040-\u30ff\u3400-\u9fff\uf900-\ufaff\uff66-\uff9f"
    r"\U00020000-\U0003ffff"
)
"""Letters of scripts that put no space between words, each of which is read as a word."""
PAIRS = ("()", "[]", "{}", "<>", "\u300a\u300b", "\u300c\u300d", "\u300e\u300f", "\u3010\u3011", "\uff08\uff09")
"""Brackets."""
OPENS, CLOSES = {pair[1]: pair[0] for pair in PAIRS}, {pair[0]: pair[1] for pair in PAIRS}
COUNTED: dict[str, dict[str, Any]] = {
    "words": {"ngram_range": (1, 2), "token_pattern": rf"[{UNSPACED}]|[^\W{UNSPACED}]+"},
    "letters": {"analyzer": "char_wb", "ngram_range": (2, 5)},
}
"""What is counted by TF-IDF: words and pairs of them, and sequences of letters within words."""
WHOLE = (".csv", ".tsv", ".tab", ".json", ".parquet")
"""Endings of files whose lines are no requests by themselves."""
OBJECTS = (".jsonl", ".ndjson")
"""Endings of files in which an empty line is no row."""
FETCHED = ["*.safetensors", "*.json", "*.jinja", "*.txt", "tokenizer.model"]
"""Of a model on a hub: weights, configuration and tokenizer; never pickled weights, never code."""
PLACEHOLDER, SURROGATE = re.compile(r"\{([^{}]+)\}"), re.compile("[\ud800-\udfff]")
"""A column in a joined text, such as `"{subject}: {body}"`; half a character."""
REMOVED = re.compile(
    "\x1b\\[[0-?]*[ -/]*[@-~]"  # terminal escapes
    "|\x1b\\][^\x07\x1b]*(?:\x07|\x1b\\\\)"
    "|[\x00-\x08\x0e-\x1f\x7f-\x9f]"  # control codes
    "|[\u180e\u200b\u2060-\u2064\ufeff]"  # zero width
    "|(?<![^\x00-\x7f])[\u200c\u200d]"  # joiners, save inside the scripts and emoji that need them
    "|[\u202a-\u202e\u2066-\u2069]"  # direction overrides
    "|[\U000e0000-\U000e007f]"  # tags
)
"""What no text of a request keeps, once its line ends are `\\n`."""
YEAR = re.compile(r"(?<!\d)(?:1[89]|20)\d\d(?!\d)")
Version = tuple[int, str, Sequence[str]]
"""Of a document: which versions are of one, its date, and the years, months and days that name it in a request."""


def speak_utf8() -> None:
    """Answers are written in UTF-8 wherever they go: a file or a pipe of Windows takes another encoding, without all signs."""
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(encoding="utf-8")


def lines(path: str) -> Iterator[tuple[int, str]]:
    """(number, line) of a file or of standard input; what is not UTF-8 becomes half characters."""
    objects = Path(path or "").suffix.lower() in OBJECTS
    with open(path or 0, encoding="utf-8-sig", errors="surrogateescape", newline="\n", closefd=bool(path)) as file:
        yield from ((number, line) for number, line in enumerate(file, start=1) if line.strip() or not objects)


def requests(found: Iterable[tuple[int, str]], columns: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    """One for each (number, line): its `id`, where the row has one, and its `input`; `problem` says why it cannot be answered.
    `columns` says which column holds what, as in the task."""
    for number, line in found:
        named: dict[str, Any] = {}
        try:
            row = _row(line)
            named = {} if isinstance(row, str) else identity(row, columns)
            yield {**named, "input": request(row, columns)}
        except (ValueError, RecursionError) as fault:
            yield {**named, **unanswered(f"line {number}: {fault}")}


def unanswered(problem: str) -> dict[str, Any]:
    """The line of a row without a request."""
    return {"input": None, "answer": None, "problem": problem}


def _row(line: str) -> str | dict[str, Any]:
    """The object in a line, or the line itself where it is none."""
    try:
        found = json.loads(line) if line.lstrip().startswith("{") else line
    except json.JSONDecodeError:
        found = line
    return found if isinstance(found, dict) else line.rstrip("\r\n")


def request(row: str | Mapping[str, Any], columns: Mapping[str, Any]) -> str:
    """The request in a row, cleaned as in the run: what the task's column holds, else one of a usual name. Raises `ValueError`
    or `RecursionError` where there is none that can be read."""
    text = row if isinstance(row, str) else _input(row, columns)
    if SURROGATE.search(text):
        raise ValueError("it is not UTF-8, or holds half a character (a lone surrogate)")
    text = unicodedata.normalize("NFC", text).replace("\r\n", "\n").replace("\r", "\n")
    text = unicodedata.normalize("NFC", REMOVED.sub("", text))
    if not text.strip():
        raise ValueError("it is empty" if isinstance(row, str) else no_input(column_of(row, columns)))
    return text


def identity(row: Mapping[str, Any], columns: Mapping[str, Any]) -> dict[str, Any]:
    """The `id` of a row, a whole number or a text, as it stands there; empty where it has none."""
    own = str(columns.get("id") or "")
    others = (columns.get("input"), columns.get("output"))
    value = row.get(own if own in row else usual([name for name in row if name not in others], IDS))
    if value is None or value == "":
        return {}
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    return {"id": value if isinstance(value, int) else SURROGATE.sub("\ufffd", str(value))}


def column_of(row: Mapping[str, Any], columns: Mapping[str, Any]) -> str:
    """The column of a row with the request, or the text that joins some."""
    own = columns.get("input") or ""
    if own in row or any(name in row for name in PLACEHOLDER.findall(own)):
        return str(own)
    return usual([name for name in row if name != columns.get("output")], INPUTS) or own or "input"


def usual(columns: Sequence[str], wanted: Sequence[str]) -> str:
    """The first column with one of these usual names, whatever its case; empty where there is none."""
    names = {_plain(name): name for name in reversed(columns)}
    return next((names[name] for name in wanted if name in names), "")


def no_input(column: str) -> str:
    """Why a row cannot be answered that holds nothing there."""
    return f'it has no input (column "{column}")'


class Shown(NamedTuple):
    """How answers are shown. `held`: below which sureness something else is said, and what; `scaled`: whether they are as sure
    as when they were measured; `alone_from`: from which sureness on one needs no person, where that is known."""

    held: tuple[float, str]
    wrong: Callable[[str], str]
    scaled: bool = True
    alone_from: float | None = None

    def line(self, answer: Callable[[str], Any], text: str) -> dict[str, Any]:
        """What its line says of the answer to a request."""
        try:
            said = answer(text)
        except ConnectionError as fault:  # A server gave none, and another request may get one.
            return {"answer": None, "problem": str(fault)}
        problem = self.wrong(said.text)
        marks: dict[str, Any] = {"sure": round(said.sure, 4)} if self.scaled and math.isfinite(said.sure) else {}
        if self.scaled and self.alone_from is not None:
            marks["alone"] = said.sure >= self.alone_from and not problem
        if problem or said.sure < self.held[0]:
            return {"answer": self.held[1], "held_back": True, **marks} | ({"problem": problem} if problem else {})
        return {"answer": said.text, **marks} | ({"evidence": said.evidence} if said.evidence else {})


def heading(document: Mapping[str, Any], under: str = "") -> str:
    """What stands before a passage: title and date of its document, and the headings that it is under."""
    title = document["title"].strip()
    if document["date"]:
        title = f"{title} ({document['date']})" if title else document["date"]
    title = " > ".join(filter(None, (title, under)))
    return f"{title}: " if title else ""


def runs(text: str, words: int, word: str, edge: str, kept: str = "") -> Iterator[tuple[int, int, tuple[str, ...]]]:
    """(start, end, its first word and first two) of each run of at most so many words.

    Punctuation at its edges (`edge`) is left out, but for a bracket whose counterpart is within; with what is `kept` of it, where
    it stands there, it is one more run. `word` is the pattern of a word.
    """
    trimmed = (_trimmed(text, *match.span(), edge) for match in re.finditer(word, text))
    filled = [found for found in trimmed if found[0] < found[1]]
    for first, (start, _) in enumerate(filled):
        ends = [end for _, end in filled[first : first + words]]
        for size, end in enumerate(ends, 1):
            for begin, finish in _with_edges(text, _balanced(text, start, end, edge), kept):
                yield begin, finish, tuple(text[begin:head] for head in ends[: min(size, 2)])


def sentence(text: str, run: tuple[int, int], ended: str, heading: int = 0) -> tuple[int, int]:
    """Where the sentence begins and ends that a run stands in; `ended` is the pattern of what lies between two. A run in the
    heading, the first so many characters, stays as it is."""
    if run[0] < heading:
        return run
    ends = [heading + gap.end() for gap in re.finditer(ended, text[heading:])]
    start = max((end for end in ends if end <= run[0]), default=heading)
    end = min((end for end in ends if end >= run[1]), default=len(text))
    around = text[start:end]
    return start + len(around) - len(around.lstrip()), start + len(around.rstrip())


def _trimmed(text: str, start: int, end: int, edge: str) -> tuple[int, int]:
    while start < end and text[start] in edge:
        start += 1
    while start < end and text[end - 1] in edge:
        end -= 1
    return start, end


def _balanced(text: str, start: int, end: int, edge: str) -> tuple[int, int]:
    """With the brackets beside it whose counterparts are within."""
    last, first = end, start
    while last < len(text) and text[last] in edge:
        sign, last = text[last], last + 1
        if sign in OPENS and text.count(OPENS[sign], start, end) > text.count(sign, start, end):
            end = last
    while first and text[first - 1] in edge:
        sign, first = text[first - 1], first - 1
        if sign in CLOSES and text.count(CLOSES[sign], start, end) > text.count(sign, start, end):
            start = first
    return start, end


def _with_edges(text: str, run: tuple[int, int], kept: str) -> Iterator[tuple[int, int]]:
    """The run, then with the signs behind it that are kept, and each of these within brackets that are."""
    (start, end), last = run, run[1]
    while last < len(text) and text[last] in kept and text[last] not in OPENS and text[last] not in CLOSES:
        last += 1
    for finish in sorted({end, last}):
        yield start, finish
        around = text[start - 1 : start] + text[finish : finish + 1]
        if around in PAIRS and around[0] in kept:
            yield start - 1, finish + 1


def _input(row: Mapping[str, Any], columns: Mapping[str, Any]) -> str:
    source = column_of(row, columns)
    joined = [] if source in row else PLACEHOLDER.findall(source)
    texts = {name: _text(row.get(name)) for name in joined or [source]}
    if not any(text and text.strip() for text in texts.values()):
        raise ValueError(no_input(source))
    if joined:
        return PLACEHOLDER.sub(lambda match: texts[match.group(1)] or "", source).strip()
    return texts[source] or ""


def _plain(name: str) -> str:
    return name.lower().strip().replace(" ", "_").replace("-", "_")


def _text(value: Any) -> str | None:
    """A value as text, as the run reads it: numbers as written, lists and objects as JSON."""
    if value is None or isinstance(value, str):
        return value
    if isinstance(value, list) and value and all(isinstance(one, dict) and "content" in one for one in value):
        raise ValueError("its input is a chat; write what is asked as one text")
    whole = isinstance(value, float) and value.is_integer() and abs(value) < 2**53
    return json.dumps(int(value) if whole else value, ensure_ascii=False, allow_nan=False)


def placed(model: str) -> str:
    """A folder or a hub id as it is; for a hub id with a revision behind an @ the folder that this commit, branch or tag is
    fetched into. Ends the program where the hub does not give it."""
    name, _, revision = model.partition("@")
    if not revision or Path(model).exists():
        return model
    from huggingface_hub import snapshot_download

    try:
        return str(snapshot_download(name, revision=revision, allow_patterns=FETCHED, ignore_patterns="consolidated*"))
    except (OSError, ValueError) as fault:
        told = str(fault).strip().partition("\n")[0] or type(fault).__name__
        raise SystemExit(f"{model} could not be fetched from the hub: {told}") from None


def wrong_form(form: dict[str, Any]) -> Callable[[str], str]:
    """Says what is wrong with an answer: none of the labels, or no JSON where the task has a schema (which it need not follow
    further); empty where nothing is. `form` is that of `export.json`, empty where it has none."""
    labels = {_label(label) for label in form.get("labels") or ()}
    if labels:
        return lambda text: "" if _label(text) in labels else "outside the labels"
    if has_a_form(form):
        return lambda text: "" if _is_json(text) else "not of the schema"
    return lambda text: ""


def has_a_form(form: dict[str, Any]) -> bool:
    """Whether `wrong_form` finds anything wrong with any answer."""
    schema = form.get("schema") or {}
    return bool(form.get("labels") or (form.get("kind") == "extraction" and schema and schema.get("type") != "string"))


def _label(text: str) -> str:
    return unicodedata.normalize("NFC", text).strip().casefold()


def _is_json(text: str) -> bool:
    try:
        return isinstance(json.loads(text), dict | list)
    except (ValueError, RecursionError):
        return False


def current(found: Mapping[Any, Version | None], request: str, named: Mapping[str, str]) -> list[Any]:
    """What is found, without versions of which there is a newer one, unless the request names their year, or their month or
    day: of these the newest year. `named` says with which patterns a request names months and days."""
    asked = {*YEAR.findall(request), *(name for name, pattern in named.items() if re.search(pattern, request))}
    newest: dict[tuple[int, str], str] = {}
    for family, day, names in filter(None, found.values()):
        for name in {"", *names}:
            newest[family, name] = max(day, newest.get((family, name), ""))

    def shown(family: int, day: str, names: Sequence[str]) -> bool:
        own = asked & set(names)
        recent = (YEAR.fullmatch(name) or newest[family, name][:4] == day[:4] for name in own)
        return newest[family, ""].startswith(day) or any(recent)

    return [place for place, version in found.items() if version is None or shown(*version)]
