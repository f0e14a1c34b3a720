"""What is wrong with single texts: broken encoding, placeholders for answers, personal data and secrets.

Patterns only, so names and postal addresses are not found, and nothing that is found is ever shown: findings name cases.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any, TypeVar

from benchmarks.audit.findings import LISTED, Finding, Severity, ids, listed, many
from benchmarks.metrics._json import leaves
from benchmarks.metrics._json import read as read_json
from strategies.contract import Case, Document, Kind

T = TypeVar("T")

_BROKEN = re.compile("\ufffd|\u00c3[\u0080-\u00bf]|\u00e2\u20ac|\u00c2[\u00a0-\u00bf]")
"""The replacement character, and UTF-8 that was read as Latin-1 or Windows-1252."""
_LOST = "\ufffd"
_NOT_PLAIN = re.compile(r"[^\x00-\x7f]+")
_FIRST_OF_BROKEN = "\u00c2\u00c3\u00e2"
"""Letters that stay of broken characters where the others of them were lost."""
_FEW_BROKEN = 5
_FEW_BROKEN_SHARE = 0.05
"""Fewer cases than both of these may as well speak of broken characters."""
_UNWRITTEN = re.compile(r"todo|tbd|fixme|asdf|x{3,}|lorem ipsum.*|[<\[{]+answer[>\]}]+", re.DOTALL)
"""Stands for an answer that nobody wrote, however often it does."""
_PERHAPS_MEANT = frozenset({"n/a", "#n/a", "none", "null", "?", "??", "???", "...", "-", "--"})
_DELIBERATE = 0.05
"""One of these that this share of the cases have is an answer that stands by itself."""
_AROUND = "[](){}<>. "
_ANY = re.compile(
    r"@|\d(?:[ ./()-]{0,3}\d){8}|[A-Z]{2}\d{2}|BEGIN|AKIA|AIza|eyJ|\b(?:sk|rk|ghp|hf|github_pat|xox[abprs])[-_]"
    r"|(?i:(?:passw(?:or)?d|pwd|key|secret|token)[\"']?[ \t]{0,2}[:=])"
)
"""Whatever any of the patterns below holds: most texts hold none of it."""
_PATTERNS: Mapping[str, re.Pattern[str]] = {
    "an e-mail address": re.compile(r"[\w.+-]{1,64}@[\w-]{1,63}(?:\.[\w-]{1,63})+"),
    "a card number": re.compile(r"(?<!\d)(?<!\d[.,])(?:\d[ -]?){12,18}\d(?!\d)"),
    "a bank account (IBAN)": re.compile(r"\b[A-Z]{2}\d{2}(?: ?[A-Z0-9]{4}){2,7}(?: ?[A-Z0-9]{1,3})?\b"),
    "a phone number": re.compile(r"(?<![\w.])(?:\+|00)[1-9]\d{0,2}(?:[ -]?\(0\))?(?:[ ./()-]{0,3}\d{2,4}){2,5}(?!\d)"),
    "a secret key": re.compile(
        r"-----BEGIN [A-Z ]*PRIVATE KEY-----|\bAKIA[0-9A-Z]{16}\b|\bsk-[\w-]{20,}|\bghp_\w{36}\b|\bhf_\w{30,}"
        r"|\bxox[abprs]-[\w-]{10,}|\b[sr]k_(?:live|test)_\w{16,}|\bgithub_pat_\w{30,}|\bAIza[\w-]{35}"
        r"|\beyJ[\w-]{10,}\.eyJ[\w-]{10,}\.[\w-]{10,}"
    ),
    "a password or key with its name": re.compile(
        r"(?i)(?<![^\W_])(?:passw(?:or)?d|pwd|(?:access|api|secret)[ _-]?key|client[ _-]?secret|(?:access|auth|api)[ _-]?token)\b"
        r"[\"']?[ \t]{0,2}[:=][ \t]{0,2}[\"']?([^\s\"',;]{8,})"
    ),
    "a US phone number": re.compile(r"(?<![\w.-])(?:\(\d{3}\) ?|\d{3}[-.])\d{3}[-.]\d{4}(?![\w-])"),
    "a US social security number": re.compile(r"(?<![\w-])(?!000|666|9)\d{3}-(?!00)\d{2}-(?!0000)\d{4}(?![\w-])"),
}


_FOLDER = re.compile(r"(?i)pwd[\"']?\s*[:=][\s\"']*(?:[/~.]|[a-z]:[\\/])")
_MEANT_TO_BE_READ = frozenset({"an e-mail address", "a phone number", "a US phone number"})
"""What a document may hold on purpose: where to write to and whom to call."""
_ONLY_PATTERNS = (
    "Only patterns are looked for: names, addresses, national numbers other than those of the USA and keys of other makers are "
    "not found."
)


def text_findings(
    cases: Sequence[Case], kind: Kind, labels: Sequence[str] = (), schema: Any = None
) -> Iterator[Finding]:
    """One finding for each kind of trouble that occurs."""
    if broken := broken_encoding(cases):
        yield _broken_cases(broken, len(cases))
    if found := placeholders(cases, kind, labels, schema):
        yield Finding(
            kind="placeholders",
            count=len(found),
            examples=ids(found),
            says=f"{many(len(found), 'output holds', 'outputs hold')} what looks like a placeholder in place of a value."
            if kind == "extraction"
            else f"{many(len(found), 'output looks', 'outputs look')} like a placeholder, not like an answer.",
            effect="The model learns exactly what it is shown, and a real answer counts as wrong there.",
            what_to_do=f"Write the answers, or leave these rows out, unless they are meant. {LISTED}",
        )
    yield from _private(cases)
    yield from private_ids(cases)


def labels_unwritten(cases: Sequence[Case]) -> Iterator[Finding]:
    """A note where labels that were taken from the rows look like placeholders; such a word may be a label, as a state is."""
    if found := unwritten(cases):
        names = sorted({case.output for case in found})
        yield Finding(
            kind="labels like placeholders",
            count=len(found),
            examples=ids(found),
            says=f"{many(len(found), 'row has', 'rows have')} a label that looks like a placeholder: {listed(names)}.",
            effect="It is taught as a label like the others, and a real one counts as wrong there.",
            what_to_do=f"Write the labels, leave these rows out, or name it under `labels` where it is meant. {LISTED}",
            severity="note",
        )


def _broken_cases(broken: Sequence[Case], among: int) -> Finding:
    """A warning, or a note where they are so few that they may as well speak of such characters."""
    few = len(broken) < min(_FEW_BROKEN, _FEW_BROKEN_SHARE * among)
    quoted = ", or quotes them" if len(broken) == 1 else ", or quote them"
    return Finding(
        kind="broken encoding",
        count=len(broken),
        examples=ids(broken),
        says=f"{many(len(broken), 'case holds', 'cases hold')} characters that a wrong encoding makes{quoted * few}.",
        effect="A model learns these characters as if they were meant, and a right answer without them may count as wrong.",
        what_to_do=f"Export the data anew as UTF-8{', unless they are meant' * few}. {LISTED}",
        severity="note" if few else "warning",
    )


def broken_documents(documents: Sequence[Document]) -> Iterator[Finding]:
    """The same trouble with the encoding of documents."""
    broken = [each for each in documents if _BROKEN.search(each.title) or _BROKEN.search(each.text)]
    if broken:
        yield Finding(
            kind="broken encoding of documents",
            count=len(broken),
            examples=tuple(each.id for each in broken[:3]),
            says=f"{many(len(broken), 'document holds', 'documents hold')} characters that a wrong encoding makes.",
            effect="A question in right letters does not find such words, and an answer that quotes them counts as wrong.",
            what_to_do="Export the documents anew as UTF-8.",
        )


def broken_encoding(cases: Sequence[Case]) -> list[Case]:
    """Cases with characters that a wrong encoding makes."""
    return [case for case in cases if _is_broken(case.input) or _is_broken(case.output)]


def _is_broken(text: str) -> bool:
    """A text that also has such letters as they should be was read rightly, and shows the others; a letter that was lost is lost
    whatever stands around it."""
    return _LOST in text or (_BROKEN.search(text) is not None and not any(map(_is_right, _NOT_PLAIN.findall(text))))


def _is_right(run: str) -> bool:
    """Whether these characters, none of them of ASCII, hold letters and are not UTF-8 that was read as something else."""
    try:
        b"".join(letter.encode("latin-1" if ord(letter) < 256 else "cp1252") for letter in run).decode()
    except UnicodeError:
        return any(letter.isalpha() and letter not in _FIRST_OF_BROKEN for letter in run)
    return False


def placeholders(cases: Sequence[Case], kind: Kind, labels: Sequence[str] = (), schema: Any = None) -> list[Case]:
    """Cases whose output stands for an answer that nobody wrote, or holds such a value where objects are asked for: there a dash
    or the like says that nothing is given, and what the schema names is meant. None where labels are."""
    if kind == "classification" or labels:
        return []
    if kind == "extraction":
        named = frozenset(_named(schema))
        return [case for case in cases if any(_is_unwritten(text, case.input) for text in _values(case.output) - named)]
    counts = Counter(_mark(case.output) for case in cases)
    few = max(5, _DELIBERATE * len(cases))
    seldom = {mark for mark in _PERHAPS_MEANT if counts[mark] < few}
    return [case for case in cases if _mark(case.output) in seldom or _is_unwritten(case.output, case.input)]


def unwritten(cases: Sequence[Case]) -> list[Case]:
    """Cases whose output stands for one that nobody wrote, whatever the others have."""
    return [case for case in cases if _is_unwritten(case.output, case.input)]


def _mark(text: str) -> str:
    """Without what stands around it, unless that is all."""
    plain = text.strip().casefold()
    return plain.strip(_AROUND) or plain


def _is_unwritten(text: str, asked: str) -> bool:
    """Not where the input has it too: there an answer may be copied from."""
    mark = _mark(text)
    unwritten = _UNWRITTEN.fullmatch(mark) or _UNWRITTEN.fullmatch(text.strip().casefold())
    return bool(unwritten) and not re.search(rf"(?<!\w){re.escape(mark)}(?!\w)", asked.casefold())


def _values(output: str) -> set[str]:
    """The texts in an object."""
    parsed = read_json(output, fenced=False)
    return _texts(parsed.value) if parsed else set()


def _texts(value: Any) -> set[str]:
    return {text for _, (kind, text) in leaves(value) if kind == "text"}


def _named(schema: Any) -> Iterator[str]:
    """The texts that a schema names as values, as `_values` gives them."""
    if isinstance(schema, Mapping):
        several = schema.get("enum")
        for value in (schema.get("const"), *(several if isinstance(several, list) else ())):
            yield from _texts(value)
    for part in schema.values() if isinstance(schema, Mapping) else schema if isinstance(schema, list) else ():
        yield from _named(part)


def _private(cases: Sequence[Case]) -> Iterator[Finding]:
    holding, kinds = _holding((case, _read_by_models(case)) for case in cases)
    if holding:
        yield Finding(
            kind="personal data",
            count=len(holding),
            examples=ids(holding),
            says=_seem_to_hold(many(len(holding), "case seems", "cases seem"), kinds),
            effect="Figures are not affected, but a model may repeat to anybody what it has learnt.",
            what_to_do=f"Replace them before a model learns them or a server sees them, or leave these rows out. {LISTED} "
            f"{_ONLY_PATTERNS}",
        )


def held_by(case: Case) -> list[str]:
    """The kinds of such data that its input and output hold."""
    return sorted(_kinds(_read_by_models(case)))


def _read_by_models(case: Case) -> str:
    return f"{case.input}\n{case.output}"


def private_ids(cases: Sequence[Case]) -> Iterator[Finding]:
    """A note where ids hold such data: no model reads them, and people do."""
    holding = [case for case in cases if is_private(case.id)]
    if holding:
        yield Finding(
            kind="personal data in ids",
            count=len(holding),
            examples=ids(holding),
            says=f"{many(len(holding), 'id seems', 'ids seem')} to hold personal data or secrets.",
            effect="No model is shown an id, but sheets, stored runs and pages of cases name rows by it.",
            what_to_do="Give these rows other ids, such as their numbers, before anything of a run is passed on.",
            severity="note",
        )


def is_private(name: str) -> bool:
    """Whether an id holds such data. Long numbers are no cards there, and those without a plus no telephones."""
    return bool(_kinds(name) - {"a card number", *(() if "+" in name else ("a phone number",))})


def private_documents(documents: Sequence[Document]) -> Iterator[Finding]:
    """Where documents hold such data; a note where it is of a kind that stands in documents on purpose."""
    holding, kinds = _holding((document, f"{document.title}\n{document.text}") for document in documents)
    if holding:
        severity: Severity = "note" if kinds.keys() <= _MEANT_TO_BE_READ else "warning"
        yield Finding(
            kind="personal data in documents",
            count=len(holding),
            examples=tuple(document.id for document in holding[:3]),
            says=_seem_to_hold(many(len(holding), "document seems", "documents seem"), kinds),
            effect="Figures are not affected, but passages become part of prompts, on servers too.",
            what_to_do=f"Replace what nobody may see. {_ONLY_PATTERNS}",
            severity=severity,
        )


def private_requests(requests: Sequence[str]) -> Iterator[Finding]:
    """The same of requests that a teacher is to answer. They have no ids, so it is said which of them, counted from the top."""
    holding, kinds = _holding(enumerate(requests, start=1))
    if holding:
        yield Finding(
            kind="personal data in requests",
            count=len(holding),
            examples=tuple(f"request {place}" for place in holding[:3]),
            says=_seem_to_hold(
                many(len(holding), "request for the teacher seems", "requests for the teacher seem"), kinds
            ),
            effect="Figures are not affected, but a server may read them, and a model may repeat them.",
            what_to_do=f"Replace them before the teacher reads them and a model learns from them. {_ONLY_PATTERNS}",
        )


def _seem_to_hold(those: str, kinds: Counter[str]) -> str:
    parts = ", ".join(f"{name} in {count:,}" for name, count in kinds.most_common())
    return f"{those} to hold personal data or secrets: {parts}."


def _holding(texts: Iterable[tuple[T, str]]) -> tuple[list[T], Counter[str]]:
    """What has such data in its text, and how many have which kind."""
    counts: Counter[str] = Counter()
    holding = []
    for owner, text in texts:
        if kinds := _kinds(text):
            counts.update(kinds)
            holding.append(owner)
    return holding, counts


def _kinds(text: str) -> set[str]:
    """No pattern reaches over the end of a line, so of a long text only lines that may hold something are gone through."""
    if not _ANY.search(text):
        return set()
    suspicious = [line for line in text.splitlines() if _ANY.search(line)]
    return {name for name in _PATTERNS if any(_holds(name, line) for line in suspicious)}


def _holds(name: str, text: str) -> bool:
    check = _CHECKS.get(name)
    return any(check is None or check(found.group()) for found in _PATTERNS[name].finditer(text))


def _of_somebody(address: str) -> bool:
    """Not one of the names that are kept for examples and tests (RFC 2606)."""
    domain = address.rpartition("@")[2].casefold()
    return not re.search(r"(?:^|\.)(?:example(?:\.(?:com|net|org))?|test|invalid|localhost)$", domain)


def _luhn(number: str) -> bool:
    """The check digit of card numbers (ISO/IEC 7812-1)."""
    digits = [int(letter) for letter in reversed(number) if letter.isdigit()]
    doubled = (digit if place % 2 == 0 else sum(divmod(2 * digit, 10)) for place, digit in enumerate(digits))
    return len(set(digits)) > 1 and sum(doubled) % 10 == 0


def _iban(number: str) -> bool:
    """The check digits of bank accounts (ISO 13616). Words in capitals behind it, as BIC, look like parts of it."""
    before, _, last = number.rpartition(" ")
    return _checked_iban(number.replace(" ", "")) or (not last.isdigit() and before != "" and _iban(before))


def _checked_iban(plain: str) -> bool:
    turned = "".join(str(int(letter, 36)) for letter in plain[4:] + plain[:4])
    return len(plain) >= 15 and int(turned) % 97 == 1


def _is_a_key(said: str) -> bool:
    """Letters and digits behind the name, as no ordinary word has them. What shells call `PWD` is a folder."""
    value = re.split(r"[:=]", said, maxsplit=1)[1]
    return bool(re.search(r"\d", value) and re.search(r"[^\W\d_]", value)) and not _FOLDER.match(said)


_CHECKS: Mapping[str, Callable[[str], bool]] = {
    "a password or key with its name": _is_a_key,
    "an e-mail address": _of_somebody,
    "a card number": _luhn,
    "a bank account (IBAN)": _iban,
}
