"""Where answers stand: in what was shown, elsewhere in the documents, or nowhere; what is specific, and what declines."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import pytest

from advisor.decision.shares import Counted, declined
from advisor.probes.grounded import what_it_invents
from benchmarks.checked import Grounding
from benchmarks.evaluation.grounding import Library, declining, grounding
from benchmarks.evaluation.guard import refusals
from benchmarks.evaluation.mistakes import StandingAnswers
from strategies.contract import Abstention, Case, Document, Evidence, Failure, Fold, Outcome, Prediction, Task
from tests.verdict_cases import Bakeoff, benchmark_of, evaluation_of, scores_of, task_of

NOTHING = "not in the handbook"
DOCUMENTS = (
    Document(id="leave", title="Annual leave", text="Everyone has 28 days of leave. Unused days lapse on 31 March."),
    Document(
        id="travel", title="Travel", text="Trains are booked in second class. A hotel may cost 120 euros a night."
    ),
    Document(id="probation", title="Probation", text="The probation period lasts six months for everyone."),
    *(Document(id=f"d{place}", text=f"The office of floor {place} is open.") for place in range(40, 50)),
)


@pytest.fixture(scope="module")
def library() -> Library:
    return Library(DOCUMENTS, [NOTHING])


def shown(name: str, start: int = 0, end: int = 500) -> tuple[Evidence, ...]:
    """Evidence as a packed run holds it: its place alone."""
    return (Evidence(document_id=name, text="", score=1.0, start=start, end=end),)


@pytest.mark.parametrize(
    ("answer", "evidence", "place"),
    [
        ("Not in the handbook.", shown("leave"), "declined"),
        ("28 days", shown("leave"), "evidence"),
        ("28 days", shown("travel"), "documents"),
        ("28 days", (), "documents"),
        ("30 days", shown("leave"), "nowhere"),
        ("120 euros on 31 March", shown("travel"), "nowhere"),
        ("six months", shown("probation"), "evidence"),
        ("seven months", shown("probation"), "nowhere"),
        ("the office is open", shown("leave"), "nothing specific"),
        ("Yes.", shown("leave"), "nothing specific"),
        ("いいえ", shown("leave"), "nothing specific"),
        ("No, 28 days", shown("leave"), "evidence"),
        ("31 March", shown("leave", 0, 30), "documents"),
        ("probation lasts six months", shown("probation", 4, 100), "evidence"),
    ],
)
def test_an_answer_stands_where_all_that_is_specific_in_it_does(
    library: Library, answer: str, evidence: Sequence[Evidence], place: str
) -> None:
    assert library.place(answer, evidence) == place


@pytest.mark.parametrize(
    ("answer", "place"),
    [
        ("김철수", "evidence"),
        ("5100원", "evidence"),
        ("5100", "evidence"),
        ("6일", "evidence"),
        ("이영희", "documents"),
        ("철수", "nowhere"),
        ("100원", "nowhere"),
        ("510", "nowhere"),
        ("박민수", "nowhere"),
    ],
)
def test_a_korean_word_stands_where_particles_are_joined_to_it(answer: str, place: str) -> None:
    texts = ("주차 업무는 김철수가 담당합니다. 신청은 6일까지, 비용은 5100원입니다.", "휴가는 이영희에게 문의합니다.")
    documents = [Document(id=f"k{place}", text=text) for place, text in enumerate(texts)]
    assert Library(documents, []).place(answer, shown("k0")) == place
    asked = replace(task_of(kind="qa"), documents=tuple(documents))
    often = tuple(replace(case(number, answer), document_ids=("k0",)) for number in range(3))
    assert (answer in declining(replace(asked, folds=(Fold(train=often, selection=()),)))) == (place != "evidence")


def test_an_example_is_not_taken_for_the_document_that_has_its_id() -> None:
    library = Library(DOCUMENTS, [NOTHING], ["probation", "c1"])
    example = Evidence(document_id="probation", text="How long is leave?", score=1.0)
    assert library.place("six months", (example,)) == "documents"
    assert library.place("six months", shown("probation")) == "evidence"


def case(number: int, output: str) -> Case:
    return Case(id=f"c{number}", input=f"question {number}", output=output)


def over(task: Task, examples: Sequence[Case]) -> Task:
    fold = Fold(train=tuple(examples[:10]), selection=tuple(examples[10:]))
    return replace(task, documents=DOCUMENTS, folds=(fold,))


def test_an_answer_that_is_often_right_is_no_refusal() -> None:
    asked = task_of(kind="qa", answers=("a", "b"))
    outputs = [NOTHING] * 6 + ["six months"] * 6 + [f"{number} days" for number in range(8)]
    examples = tuple(case(number, output) for number, output in enumerate(outputs))
    assert declining(over(asked, examples)) == (NOTHING,)
    told = tuple(replace(each, document_ids=("leave",) if each.output[0].isdigit() else ()) for each in examples)
    told_where = tuple(replace(each, document_ids=("probation",) if "months" in each.output else ()) for each in told)
    assert declining(over(asked, told)) == (NOTHING,), "it may only lack the name of its document"
    assert declining(over(asked, told_where)) == (NOTHING,)
    every = tuple(replace(each, document_ids=("probation",)) if "months" in each.output else each for each in told)
    short = tuple(replace(each, output="open") if each.output == NOTHING else each for each in every)
    assert declining(over(asked, short)) == ("open",), "that a document has the word says nothing: none is named for it"


def test_a_frequent_answer_is_no_refusal_where_only_some_examples_name_their_document() -> None:
    asked = task_of(kind="qa", answers=("a", "b"))
    outputs = ["28 days"] * 4 + ["six months"] * 4 + [f"{number} euros" for number in range(22)]
    examples = [
        replace(case(number, output), document_ids=("travel",) if number > 13 else ())
        for number, output in enumerate(outputs)
    ]
    task = over(asked, examples)
    assert (declining(task), refusals(task)) == ((), ())


@pytest.mark.parametrize("named", [True, False])
def test_yes_and_no_are_answers_whatever_the_documents_say(named: bool) -> None:
    """Half of the examples each, and no document holds either word."""
    outputs = ["Yes", "No."] * 6 + [NOTHING] * 3
    examples = [
        replace(case(number, output), document_ids=("leave",) if named and output != NOTHING else (), answers=("no",))
        for number, output in enumerate(outputs)
    ]
    task = over(task_of(kind="qa", answers=("a", "b")), examples)
    assert declining(task) == (NOTHING,)
    assert all(StandingAnswers.of(task).has_none(each) == (each.output == NOTHING) for each in examples)


def test_few_refusals_among_many_answers_are_refusals() -> None:
    """3 of 100; an answer as frequent that an example with a document has too is none."""
    asked = task_of(kind="qa", answers=("a", "b"))
    outputs = [NOTHING] * 3 + ["out of order"] * 4 + [f"{number} days" for number in range(93)]
    examples = [
        replace(case(number, output), document_ids=("leave",) if number > 5 else ())
        for number, output in enumerate(outputs)
    ]
    task = over(asked, examples)
    assert declining(task) == (NOTHING,)
    assert refusals(task) == (NOTHING,)
    assert declining(over(asked, examples[1:])) == ()


def test_what_the_keys_of_such_questions_accept_besides_is_a_refusal_too_unless_a_document_holds_it() -> None:
    asked = task_of(kind="qa", answers=("a", "b"))
    outputs = [NOTHING] * 6 + [f"{number} days" for number in range(8)]
    besides = ("I don't know", "six months")
    examples = [replace(case(place, text), answers=besides) for place, text in enumerate(outputs)]
    assert declining(over(asked, examples)) == (NOTHING, "I don't know")
    alone = [replace(each, answers=besides if each.id == "c0" else ()) for each in examples]
    assert declining(over(asked, alone)) == (NOTHING,)


def test_counts_tell_right_from_wrong_and_leave_out_what_is_no_answer(library: Library) -> None:
    answered: list[tuple[Case, Outcome, bool]] = [
        (case(0, "28 days"), Prediction(text="28 days", evidence=shown("leave")), True),
        (case(1, "28 days"), Prediction(text="27 days", evidence=shown("leave")), False),
        (case(2, "six months"), Prediction(text=NOTHING), False),
        (case(3, NOTHING), Prediction(text=NOTHING), True),
        (case(4, NOTHING), Prediction(text="120 euros"), False),
        (case(5, "half a year of trial"), Prediction(text="trial of half a year"), True),
        (case(6, "28 days"), Abstention(reason="unsure"), False),
        (case(7, "28 days"), Prediction(text=" "), False),
    ]
    assert grounding(library, answered) == Grounding(
        declined=2,
        declined_wrong=1,
        evidence=1,
        documents=1,
        nowhere=2,
        nowhere_wrong=1,
        vague=0,
        unanswerable=2,
        unanswerable_answered=1,
    )
    assert grounding(library, answered[-2:]) is None
    grouped = grounding(library, [(replace(each, group="g"), text, right) for each, text, right in answered])
    assert grouped is not None
    assert (grouped.grounded_by_group, grouped.declined_by_group) == (((2, 4),), ((1, 2),))


def test_a_question_without_an_answer_that_gets_none_is_declined_unless_a_fault_took_the_answer(
    library: Library,
) -> None:
    silent: list[Outcome] = [Prediction(text=" "), Abstention(reason="unsure"), Failure(kind="refused", message="no")]
    lost: list[Outcome] = [
        Failure(kind="infrastructure", message="HTTP 503"),
        Failure(kind="unparsable", message="nothing was answered within 64 tokens"),
    ]
    blank = case(0, NOTHING)
    answered: list[tuple[Case, Outcome, bool]] = [(blank, outcome, False) for outcome in (*silent, *lost)]
    stands = grounding(library, answered)
    assert stands is not None
    assert (stands.unanswerable, stands.unanswerable_answered, stands.declined, stands.answers) == (3, 0, 0, 0)
    assert stands.silent == 3
    measured = replace(evaluation_of("retrieval", scores_of(2, 4)), grounding=stands)
    assert declined(measured) == Counted(3, 3)
    also = grounding(library, [*answered, (blank, Prediction(text="120 euros"), False)])
    assert also is not None
    assert (also.unanswerable, also.unanswerable_answered) == (4, 1)
    assert grounding(library, [(blank, outcome, False) for outcome in lost]) is None


@pytest.mark.parametrize("output", [NOTHING, "I don't know"])
def test_a_refusal_in_another_wording_that_the_key_accepts_is_a_refusal(library: Library, output: str) -> None:
    blank = replace(case(0, output), answers=(NOTHING, "I don't know"))
    answered: list[tuple[Case, Outcome, bool]] = [
        (blank, Prediction(text="I don't know."), True),
        (blank, Prediction(text=NOTHING), True),
        (blank, Prediction(text="30 days"), False),
    ]
    stands = grounding(library, answered)
    assert stands is not None
    assert (stands.declined, stands.declined_wrong, stands.nowhere) == (2, 0, 1)
    assert (stands.unanswerable, stands.unanswerable_answered) == (3, 1)
    measured = replace(evaluation_of("retrieval", scores_of(2, 3)), grounding=stands)
    assert declined(measured) == Counted(2, 3)


def test_a_question_without_an_answer_is_never_declined_wrongly_in_whatever_words() -> None:
    two = Library(DOCUMENTS, [NOTHING, "I don't know"])
    stands = grounding(two, [(case(0, NOTHING), Prediction(text="I don't know", evidence=shown("leave")), False)])
    assert stands is not None
    assert (stands.declined, stands.declined_wrong, stands.declined_unfound) == (1, 0, 0)


def test_a_question_is_declined_for_want_of_the_search_where_no_right_document_was_shown(library: Library) -> None:
    named = replace(case(0, "28 days"), document_ids=("leave",))
    found = {
        "the right one": Prediction(text=NOTHING, evidence=shown("leave")),
        "another one": Prediction(text=NOTHING, evidence=shown("travel")),
        "both": Prediction(text=NOTHING, evidence=(*shown("travel"), *shown("leave"))),
        "none": Prediction(text=NOTHING),
        "an answer": Prediction(text="27 days", evidence=shown("travel")),
    }
    unfound = {}
    for name, outcome in found.items():
        stands = grounding(library, [(named, outcome, False)])
        assert stands is not None
        unfound[name] = stands.declined_unfound
    assert unfound == {"the right one": 0, "another one": 1, "both": 0, "none": 0, "an answer": 0}
    unnamed = grounding(library, [(case(0, "28 days"), found["another one"], False)])
    assert unnamed is not None
    assert unnamed.declined_unfound == 0
    copied = Library((*DOCUMENTS, replace(DOCUMENTS[0], id="copy")), [NOTHING])
    stands = grounding(copied, [(named, Prediction(text=NOTHING, evidence=shown("copy")), False)])
    assert stands is not None
    assert stands.declined_unfound == 0


@pytest.mark.parametrize(
    ("wrongly", "unfound", "said"),
    [
        (
            3,
            2,
            [
                "Lora says of 3 questions with an answer that there is none; in 2 of them the search had found none of the right "
                "documents."
            ],
        ),
        (1, 0, ["Lora says of 1 question with an answer that there is none."]),
        (0, 0, []),
    ],
)
def test_what_is_declined_wrongly_is_told_with_what_the_search_had_found(
    wrongly: int, unfound: int, said: list[str]
) -> None:
    stands = replace(found(0), declined=wrongly, declined_wrong=wrongly, declined_unfound=unfound)
    evaluation = replace(evaluation_of("lora", scores_of(270, 300)), grounding=stands)
    assert list(what_it_invents(evaluation)) == said


def test_there_is_a_library_only_for_questions_over_documents_whose_text_is_there() -> None:
    asked = replace(task_of(kind="qa"), documents=DOCUMENTS)
    assert Library.of(asked) is not None
    assert Library.of(replace(asked, kind="generation")) is None
    assert Library.of(replace(asked, documents=())) is None
    assert Library.of(replace(asked, documents=(Document(id="a", text=""),))) is None


def found(nowhere: int, answered: int = 0) -> Grounding:
    return Grounding(
        declined=40 if answered else 0,
        declined_wrong=10 if answered else 0,
        evidence=200 - nowhere,
        documents=50,
        nowhere=nowhere,
        nowhere_wrong=min(nowhere, 30),
        vague=10,
        unanswerable=90 if answered else 0,
        unanswerable_answered=answered,
    )


def test_the_story_says_what_is_invented_and_shows_it_for_every_approach() -> None:
    told = Bakeoff(
        evaluations=(
            replace(evaluation_of("lora", scores_of(270, 300)), grounding=found(33, 12)),
            replace(evaluation_of("retrieval", scores_of(200, 300)), grounding=found(0, 3)),
            evaluation_of("majority", scores_of(20, 300)),
        ),
        benchmark=benchmark_of(),
    ).told()
    table = told.story.grounding
    assert {row[0]: row[1:] for row in table.rows} == {
        "lora": ("167", "50", "33", "10", "40", "10", "12 of 90"),
        "retrieval": ("200", "50", "0", "10", "40", "10", "3 of 90"),
    }
    risks = " ".join(told.story.risks)
    assert (
        "33 answers of lora (11 %) stand in no document, 30 of them wrong: invented, or said in other words." in risks
    )
    assert "Of 90 questions without an answer lora answers 12 all the same." in risks
    assert "Lora says of 10 questions with an answer that there is none." in risks


def test_one_answer_is_told_of_as_one() -> None:
    evaluation = evaluation_of("lora", scores_of(270, 300))
    for wrong, judged in ((1, "is wrong"), (0, "is right all the same")):
        grounding = replace(found(1), nowhere_wrong=wrong)
        (said,) = what_it_invents(replace(evaluation, grounding=grounding))
        assert said == f"1 answer of lora stands in no document and {judged}: invented, or said in other words."


def test_where_every_question_has_an_answer_nothing_is_said_of_declining() -> None:
    evaluation = replace(evaluation_of("lora", scores_of(270, 300)), grounding=found(0))
    assert list(what_it_invents(evaluation)) == []
    told = Bakeoff(evaluations=(evaluation,), benchmark=benchmark_of()).told()
    assert told.story.grounding.rows == (("lora", "200", "50", "0", "10"),)
    assert len(told.story.grounding.columns) == 5
