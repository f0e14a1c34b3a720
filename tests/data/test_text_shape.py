"""Texts that were cut and texts in another language are found, and ordinary ones are left alone."""

from __future__ import annotations

import random

import pytest

from benchmarks.audit.languages import in_another, language
from benchmarks.audit.text_shape import cut_off, shape_findings
from strategies.contract import Case

SENTENCES = {
    "English": "I have not received the refund that you promised to me on Monday",
    "German": "Ich habe die Rechnung nicht mit der richtigen Adresse von Ihnen bekommen und das ist ein Problem",
    "French": "Je ne sais pas comment vous pouvez ouvrir un compte avec la carte dans le magasin",
    "Spanish": "No sé cómo se puede abrir una cuenta con la tarjeta en el banco para mi hija",
    "Italian": "Non so come si apre il conto con la carta che ho ricevuto per mia figlia",
    "Portuguese": "Eu não sei como se abre uma conta com o cartão que recebi para a minha filha em casa",
    "Dutch": "Ik weet niet hoe ik een rekening met de kaart van mijn dochter kan openen, dat is het",
}
OTHER = {"Cyrillic": "Где моя посылка?", "Chinese or Japanese": "我的包裹在哪里", "Greek": "Πού είναι το δέμα μου;"}


@pytest.mark.parametrize(("name", "text"), [*SENTENCES.items(), *OTHER.items()])
def test_a_sentence_is_known_by_its_function_words_or_its_script(name: str, text: str) -> None:
    assert language(text) == name


@pytest.mark.parametrize("text", ["", "refund please", "ERR-404", '{"name": "the", "of": 3}', "café naïve", "la"])
def test_a_text_with_few_words_is_in_none(text: str) -> None:
    assert language(text) == ""


def test_texts_in_another_language_are_named_unless_the_data_is_in_several() -> None:
    english = [f"{SENTENCES['English']} {number}" for number in range(18)]
    assert in_another([*english, SENTENCES["German"], OTHER["Cyrillic"], "ok"]) == ("English", [18, 19])
    assert in_another([*english, *[SENTENCES["German"]] * 18]) == ("", [])
    assert in_another(english[:5]) == ("", [])


def answers(count: int, end: str = ".") -> list[Case]:
    dice = random.Random(3)
    words = ["the", "cat", "sat", "on", "a", "mat", "and", "looked", "at", "its", "own", "shadow", "for", "hours"]
    return [
        Case(
            id=f"c{place}", input=f"q {place}", output=" ".join([*dice.choices(words, k=14 + place % 5), "home"]) + end
        )
        for place in range(count)
    ]


def test_an_answer_that_stops_within_a_sentence_is_found() -> None:
    cut = Case(id="cut", input="q", output="the cat sat on a mat and looked at its own shadow for hours while the")
    assert [case.id for case in cut_off([*answers(30), cut], "qa")] == ["cut"]
    assert cut_off([*answers(30), cut], "classification") == []
    assert cut_off(answers(30, end=""), "qa") == [], "nobody there writes a full stop"
    assert [case.id for case in cut_off([*answers(30, end=""), cut], "qa")] == ["cut"], "no sentence ends with: the"
    assert cut_off(answers(30), "qa") == []


def test_several_texts_of_exactly_the_greatest_length_were_cut() -> None:
    long = [Case(id=f"l{place}", input=f"{place}" + "x y" * 60, output="a") for place in range(4)]
    cases = [Case(id=f"c{place}", input="x" * place, output="b") for place in range(100)]
    assert [case.id for case in cut_off([*cases, *long], "classification")] == ["l0", "l1", "l2", "l3"]
    assert cut_off([*cases, *long[:2]], "classification") == []


def test_each_finding_says_what_it_does_and_what_to_do() -> None:
    cases = [Case(id=f"c{place}", input=f"{SENTENCES['English']} {place}", output="a") for place in range(20)]
    (found,) = shape_findings([*cases, Case(id="x", input=SENTENCES["French"], output="a")], "classification")
    assert (found.kind, found.count, found.examples) == ("other language (inputs)", 1, ("x",))
    assert found.says == "1 input seems to be in another language than English, in which the others are."
    assert found.told == f"{found.says} {found.effect} {found.what_to_do}"
