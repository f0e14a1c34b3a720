"""Broken encoding, placeholders, personal data and secrets: what is found, what is left alone, and that nothing is shown."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest

from advisor.experiments.found import find
from benchmarks.audit.findings import Finding
from benchmarks.audit.text_quality import private_documents, private_requests, text_findings
from strategies.contract import Case, Document, Kind


def found(texts: Sequence[str], kind: Kind = "qa", output: str = "yes") -> dict[str, Finding]:
    cases = [Case(id=f"c{place}", input=text, output=output) for place, text in enumerate(texts)]
    return {finding.kind: finding for finding in text_findings(cases, kind)}


PRIVATE = {
    "an e-mail address": ["write to jane.doe+x@mail.example-shop.eu please"],
    "a card number": ["my card 4111 1111 1111 1111 was charged", "4012888888881881"],
    "a bank account (IBAN)": [
        "pay DE89 3704 0044 0532 0130 00 today",
        "GB82WEST12345698765432",
        "IBAN: AT611904300234573201 BIC: BKAUATWW",
    ],
    "a phone number": [
        "call +49 30 1234567",
        "ring 0044 20 7946 0958 now",
        "+1 (212) 555-0123",
        "+44 (0)20 7946 0958",
        "+49-(0)170-1234567",
    ],
    "a secret key": [
        "sk-abcdefghijklmnopqrstuvwx",
        "AKIA" + "ABCDEFGHIJ234567",
        "ghp_" + "a1" * 18,
        "-----BEGIN RSA PRIVATE KEY-----",
        "sk_live_" + "a1B2" * 6,
        "github_pat_" + "a1B2" * 10,
        "AIza" + "a1B2-" * 7,
        "eyJ" + "hbGciOiJI" * 2 + ".eyJ" + "zdWIiOiIx" * 2 + "." + "SflKxwRJ" * 3,
    ],
    "a password or key with its name": [
        "my password: hunter2hunter",
        'api_key = "a1b2c3d4e5f6"',
        "AWS_SECRET_ACCESS_KEY=wJalrXUtnFEMI/K7MDENG",
        "Passwd: s3cret-and-long",
        "DB_PASSWORD=hunter2hunter",
        "MY_API_KEY=abcd1234efgh5678",
        "smtp_passwd: hunter2hunter",
        "client_secret=abcd1234efgh5678",
        'OAUTH_CLIENT_SECRET: "abcd1234efgh5678"',
        "pwd=hunter2hunter",
    ],
    "a US phone number": ["call (212) 555-0123", "ring 212-555-0123 now"],
    "a US social security number": ["my number is 078-05-1120"],
}


@pytest.mark.parametrize(("kind", "text"), [(kind, text) for kind, texts in PRIVATE.items() for text in texts])
def test_personal_data_and_secrets_are_found_by_kind_and_never_shown(kind: str, text: str) -> None:
    finding = found([text])["personal data"]
    assert f"{kind} in 1" in finding.says
    said = f"{finding.says} {finding.what_to_do}"
    assert not any(len(word) > 6 and word in said for word in text.split())
    assert finding.examples == ("c0",)


@pytest.mark.parametrize(
    "text",
    [
        "order 4111 1111 1111 1112 arrived",  # no card: the check digit is wrong
        "0000 0000 0000 0000",
        "it is 87.14777831215385 m wide",  # no card: decimals whose check digit is right by chance
        "invoice DE12 3704 1144 5532 7130 15",  # no account: the check digits are wrong
        "at 12:30 on 2026-11-26 in room 4",
        "version 10.12.2026.11.04",
        "the price is 1,299.00 euros for 120 pieces",
        "meet me @ noon",
        "write to tom@harlowstudio.example or a@mail.example.com",  # names kept for examples
        "the task is risk-free and brisk-looking",
        "article SK-20 and part HF-3000",
        "I forgot my password: please help me reset-it",
        "my password: resetting does not work",
        "parts 000-12-3456 and 123-45-67890",
        "the api token expired yesterday",
        "PWD=/home/user1/project",  # where a shell stands
        "OLDPWD=hunter2hunter and the hotpassword=hunter2hunter",  # parts of other words
    ],
)
def test_what_only_looks_a_little_like_it_is_left_alone(text: str) -> None:
    assert "personal data" not in found([text])


@pytest.mark.parametrize("name", ["jane@mail.shop.eu", "+49 30 1234567", "212-555-0123", "GB82WEST12345698765432"])
def test_ids_are_looked_through_too(name: str) -> None:
    (told,) = text_findings([Case(id=name, input="a", output="b"), Case(id="plain", input="a", output="b")], "qa")
    assert (told.kind, told.count, told.severity) == ("personal data in ids", 1, "note")
    assert name not in told.told


@pytest.mark.parametrize("name", ["4111111111111111", "00123456789", "conv_4012888888881881", "2026-11-26-000123"])
def test_a_number_in_an_id_is_a_number(name: str) -> None:
    assert list(text_findings([Case(id=name, input="a", output="b")], "qa")) == []


@pytest.mark.parametrize("text", ["M\u00c3\u00bcller", "it\u00e2\u20ac\u2122s", "caf\ufffd", "100 \u00c2\u00a3"])
def test_a_wrong_encoding_is_seen(text: str) -> None:
    assert found([text])["broken encoding"].count == 1


@pytest.mark.parametrize("text", ["M\u00fcller", "\u00c2ge", "\u00c3o Paulo", "it\u2019s 100 \u00a3"])
def test_letters_that_are_meant_are_not(text: str) -> None:
    assert found([text]) == {}


@pytest.mark.parametrize(
    "text",
    ["Stra\u00c3\u0178e M\u00c3\u00bcller", "\u00c3\u0192\u00c2\u00bcber", "it\u00e2\u20acs d\u00c3\u00a9j\u00c3 vu"],
)
def test_what_else_is_broken_in_a_text_is_no_right_letter(text: str) -> None:
    assert found([text])["broken encoding"].count == 1


@pytest.mark.parametrize(
    "text",
    ["My names with \u00e9 have strange signs like \u00c3\u00bc.", "\u8fd9\u91cc\u51fa\u73b0 \u00e2\u20ac\u2122"],
)
def test_a_text_that_was_read_rightly_and_shows_broken_characters_is_left_alone(text: str) -> None:
    assert found([text]) == {}
    assert found([f"{text} \ufffd"])["broken encoding"].count == 1, "one was lost"


@pytest.mark.parametrize(
    ("broken", "among", "severity"), [(1, 40, "note"), (4, 100, "note"), (5, 900, "warning"), (2, 40, "warning")]
)
def test_few_cases_with_broken_characters_may_quote_them(broken: int, among: int, severity: str) -> None:
    finding = found(["M\u00c3\u00bcller"] * broken + ["plain"] * (among - broken))["broken encoding"]
    assert (finding.count, finding.severity) == (broken, severity)
    quote = {1: ", or quotes them."}.get(broken, ", or quote them.")
    assert finding.says.endswith(quote if severity == "note" else "a wrong encoding makes.")


def test_the_bundled_task_in_which_a_customer_shows_broken_characters_is_told_nothing() -> None:
    assert "broken encoding" not in {each.kind for each in find("support-intents").assembled().findings}


UNWRITTEN = ["TODO", " tbd ", "[TODO]", "TBD.", "<answer>", "{{answer}}", "xxxx", "Lorem ipsum dolor\nsit amet."]


@pytest.mark.parametrize("output", [*UNWRITTEN, "n/a", "...", "-", "null", "(None)"])
def test_a_placeholder_is_no_answer(output: str) -> None:
    assert found(["a question"], output=output)["placeholders"].count == 1
    assert found(["a message"], "classification", output) == {}, "it may be a label"


def test_an_output_that_many_share_is_meant() -> None:
    for output in ("-", "none"):
        assert found([f"question {place}" for place in range(20)], output=output) == {}


@pytest.mark.parametrize("output", UNWRITTEN)
def test_an_answer_that_nobody_wrote_is_none_however_many_share_it(output: str) -> None:
    """Five of a hundred were taken for meant, so that the most of them were told the least."""
    assert found([f"question {place}" for place in range(20)], output=output)["placeholders"].count == 20


@pytest.mark.parametrize("output", ["Todo está bien.", "the answer", "a TBD list", "xx", "Na", "[]", "No todo"])
def test_an_answer_with_such_a_word_in_it_is_one(output: str) -> None:
    assert found(["a question"], output=output) == {}


def test_what_stands_in_the_input_too_may_be_copied_from_there() -> None:
    assert found(["Venue: TBD. Where is it?"], output="TBD") == {}
    assert found(["Ticket 7, status TODO"], "extraction", '{"status": "TODO"}') == {}
    assert found(["El metodo nuevo"], output="TODO")["placeholders"].count == 1


def test_a_value_of_an_object_may_be_a_placeholder_and_may_be_left_open() -> None:
    told = found(["Send bolts to Rome."], "extraction", '{"item": "bolts", "to": [{"city": "[TODO]"}]}')["placeholders"]
    assert told.says == "1 output holds what looks like a placeholder in place of a value."
    assert found(["Send bolts."], "extraction", '{"item": "bolts", "city": "n/a", "zip": null, "note": "-"}') == {}


def test_labels_of_questions_and_values_that_the_schema_names_are_meant() -> None:
    def kinds(kind: Kind, output: str, **given: Any) -> set[str]:
        return {each.kind for each in text_findings([Case(id="a", input="Which?", output=output)], kind, **given)}

    assert kinds("qa", "none") == {"placeholders"}
    assert kinds("qa", "none", labels=("yes", "no", "none")) == set()
    states = {"type": "array", "items": {"enum": ["Todo", "done", 3]}}
    schema = {
        "type": "object",
        "properties": {"state": {"anyOf": [{"const": "TBD"}, states]}, "note": {"type": "string"}},
    }
    for output in ('{"state": ["Todo", "done"]}', '{"state": "TBD"}'):
        assert kinds("extraction", output) == {"placeholders"}
        assert kinds("extraction", output, schema=schema) == set()
    assert kinds("extraction", '{"state": "TBD", "note": "FIXME"}', schema=schema) == {"placeholders"}


@pytest.mark.parametrize(("kind", "text"), [(kind, text) for kind, texts in PRIVATE.items() for text in texts])
def test_documents_and_requests_are_looked_through_too(kind: str, text: str) -> None:
    long = "\n".join(["The canteen opens at 8:30.", "See room B12 @ noon.", f"Then {text}", "Ask at the desk."])
    documents = [Document(id="plain", text="The canteen opens at 8:30."), Document(id="d", title="Notes", text=long)]
    (finding,) = private_documents(documents)
    assert (finding.count, finding.examples) == (1, ("d",))
    assert finding.says.startswith("1 document seems to hold personal data or secrets: ")
    assert f"{kind} in 1" in finding.says
    public = kind in ("an e-mail address", "a phone number", "a US phone number")
    assert finding.severity == ("note" if public else "warning"), "a document may say whom to write to"
    (asked,) = private_requests(["where is it?", long])
    assert (asked.count, asked.examples, asked.severity) == (1, ("request 2",), "warning")
    assert kind in asked.says


def test_a_title_counts_and_a_secret_makes_a_warning_of_an_address() -> None:
    documents = [Document(id="a", title="ask jane@shop-canary.eu", text="x"), Document(id="b", text="sk-" + "a1" * 12)]
    (finding,) = private_documents(documents)
    assert (finding.count, finding.severity) == (2, "warning")
    assert "an e-mail address in 1" in finding.says
    assert "a secret key in 1" in finding.says
    assert not list(private_documents([Document(id="c", text="write to help@example.com")]))
    assert not list(private_requests(["where is my parcel"]))


def test_no_pattern_reaches_over_a_line() -> None:
    """Which is why long texts may be gone through line by line."""
    from benchmarks.audit import text_quality

    for kind, texts in PRIVATE.items():
        for text in texts:
            for place in range(1, len(text)):
                broken = f"{text[:place]}\n{text[place:]}"
                whole = [found.group() for found in text_quality._PATTERNS[kind].finditer(broken)]
                assert not any("\n" in found for found in whole)
                by_line = [
                    f.group() for line in broken.splitlines() for f in text_quality._PATTERNS[kind].finditer(line)
                ]
                assert by_line == whole


def test_ten_thousand_clean_texts_are_looked_through_at_once() -> None:
    """The quick look before the patterns is what makes it cheap: none of these texts gets past it."""
    from benchmarks.audit import text_quality

    texts = [f"where is my parcel number {place}, it should have come on day {place % 30}" for place in range(10_000)]
    assert not any(text_quality._ANY.search(text) for text in texts)
    assert found(texts) == {}
