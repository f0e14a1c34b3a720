"""`advisor ask`: what to try first and what cannot help, from a few answers or a look at the data, before any run."""

from __future__ import annotations

import math
import sys
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING, Any

import click

from advisor.cli.given import ALLOW_REMOTE, SHARE, Count
from advisor.cli.shown import broken, document, say, shown
from advisor.cli.streams import one_document, put
from benchmarks.contract import BadInput

if TYPE_CHECKING:
    from advisor.ask.asking import Advice, Asked
    from advisor.ask.description import Reading
    from advisor.experiments.comparison import Prepared
    from benchmarks.data.assemble import Assembly

KINDS = ("classification", "extraction", "qa", "generation")
WANTED = ("behaviour", "format", "facts", "labels")
DOCUMENTS = {"none": (False, 0.0), "some": (True, 0.2), "most": (True, 0.9)}
CHANGES = ("never", "yearly", "monthly", "weekly", "daily")
MONTHS_BETWEEN = {"yearly": 12.0, "monthly": 1.0, "weekly": 12 / 52, "daily": 12 / 365}
QUESTIONS = {
    "kind": ("What comes out: a label, fields, the answer to a question, or a text?", click.Choice(KINDS)),
    "wanted": (
        "What makes an answer right: behaviour (tone, manner, what is done and left), its format, facts, or the label?",
        click.Choice(WANTED),
    ),
    "examples": ("How many examples with their right answers are there?", Count(0)),
    "labels": ("How many different labels?", Count(2)),
    "documents": ("Do the answers stand in documents of yours?", click.Choice(list(DOCUMENTS))),
    "facts_change": ("How often do the facts behind the answers change?", click.Choice(CHANGES)),
    "volume": ("How many requests a month?", Count(1)),
    "data_stays_here": ("Must the data stay on your machines?", click.BOOL),
    "target": ("What share of answers must be right (0.9 for 90 %)?", SHARE),
}
"""In the order in which they are asked."""
NEEDED = {"kind": "classification", "examples": 300}
"""What nothing is advised without, and a value of each to show how it is given."""
DATA_SAYS = ("kind", "examples", "labels", "documents")
"""What the data of a task says."""
ABOUT = "What is it about, in a sentence or two? (Enter to leave it out)"
TAKEN = {
    "kind": "the kind is {}",
    "wanted": "what makes an answer right is {}",
    "examples": "{} examples",
    "labels": "{} labels",
    "documents": "{} of the answers stand in documents",
    "facts_change": "facts change {}",
    "volume": "{} requests a month",
    "target": "{} must be right",
}
"""How a reading of the description is said."""
SPOKEN = {True: "the data stays here", False: "the data may leave"}


@click.command(name="ask", short_help="Say what to try first, before any run.")
@click.argument("task", required=False)
@click.option(
    "--about", help="What it is about, in English words of your own. Read by plain rules that say what they found."
)
@click.option("--kind", type=QUESTIONS["kind"][1], help="What comes out.")
@click.option("--wanted", type=QUESTIONS["wanted"][1], help="What makes an answer right.")
@click.option(
    "--examples",
    type=QUESTIONS["examples"][1],
    help="Examples with their right answers, those to be held out among them.",
)
@click.option("--labels", type=QUESTIONS["labels"][1], help="Different labels of a classification.")
@click.option("--documents", type=QUESTIONS["documents"][1], help="How many answers stand in documents.")
@click.option("--facts-change", type=QUESTIONS["facts_change"][1], help="How often facts change.")
@click.option("--volume", type=QUESTIONS["volume"][1], help="Requests a month.")
@click.option("--data-stays-here/--data-may-leave", default=None, help="Who may see the data.")
@click.option("--target", type=QUESTIONS["target"][1], help="Share of answers that must be right.")
@ALLOW_REMOTE
@click.option("--json", "as_json", is_flag=True, help="One JSON document instead of text.")
@one_document
def command(task: str | None, about: str | None, as_json: bool, **given: Any) -> None:
    """Say what to try first, what cannot help and why, and what finding out takes. Nothing runs and nothing is sent.

    With TASK (a task.yaml, or a task by name) the data answers what it can. What is open is asked in a terminal; in a
    script give it by options. Example: advisor ask --kind qa --examples 200 --documents most --facts-change monthly

    A description is read for words such as "change every week"; the answer says which words it took for what, and options win.
    """
    from advisor.ask.asking import advise_before

    if about is None and task is None and _somebody_there():
        about = str(click.prompt(ABOUT, default="", show_default=False, err=True))
    found = None if task is None else _found(task, given)
    known = given if found is None else _known(given, found.assembly)
    readings = _read(about or "", known)
    for said in readings.says if _somebody_there() else ():
        say(said)
    if found is None and not _somebody_there():
        _must_be_there(known, readings)
    asked = _of_answers(known, readings) if found is None else _of_task(known, readings, found)
    advice = advise_before(asked)
    if as_json:
        read = [asdict(each) for each in readings.taken]
        put(document({"asked": asdict(asked), "read": read, "advice": asdict(advice)}, 1))
        return
    click.echo(_text(advice, readings.says))


@dataclass(frozen=True, kw_only=True)
class _Readings:
    """What the description was taken to say where no option says it."""

    taken: Sequence[Reading] = ()
    open_still: Sequence[Reading] = ()

    @property
    def answers(self) -> dict[str, Any]:
        return {each.question: each.value for each in self.taken}

    @property
    def says(self) -> tuple[str, ...]:
        """Which words were taken for what, and which contradict each other."""
        told = [f'From "{shown(each.words)}": {_taken(each)}.' for each in self.taken]
        for question in dict.fromkeys(each.question for each in self.open_still):
            each = [one for one in self.open_still if one.question == question]
            words = " and ".join(f'"{shown(one.words)}" ({_taken(one)})' for one in each)
            told.append(f"Not taken, since they contradict each other: {words}. {_option(question)} decides.")
        return tuple(told)


def _read(about: str, known: dict[str, Any]) -> _Readings:
    """What the description says of questions that neither an option nor the data answers."""
    from advisor.ask.description import read

    taken, open_still = ([each for each in part if known[each.question] is None] for part in read(about))
    kind = known["kind"] or next((each.value for each in taken if each.question == "kind"), None)
    if kind != "classification":
        taken = [each for each in taken if each.question != "labels"]
    return _Readings(taken=taken, open_still=open_still)


def _must_be_there(known: dict[str, Any], readings: _Readings) -> None:
    """Raises `BadInput` for what is needed and stands nowhere, once what was read is told."""
    missing = [name for name in NEEDED if known[name] is None and name not in readings.answers]
    if not missing:
        return
    for said in readings.says:
        say(said)
    named, add = " and ".join(map(_option, missing)), " ".join(f"{_option(name)} {NEEDED[name]}" for name in missing)
    raise BadInput(
        f"{named} {'is' if len(missing) == 1 else 'are'} not given, and standard input is no terminal to ask at. Add `{add}`, "
        "for instance, to what you wrote, or name a task."
    )


def _taken(reading: Reading) -> str:
    from advisor.wording import plain_percent

    value = reading.value
    if value == "never":
        return "facts do not change"
    if isinstance(value, bool):
        return SPOKEN[value]
    said = f"{value:,}" if isinstance(value, int) else plain_percent(value) if isinstance(value, float) else value
    return TAKEN[reading.question].format(said)


def _option(question: str) -> str:
    return (
        "--data-stays-here or --data-may-leave" if question == "data_stays_here" else f"--{question.replace('_', '-')}"
    )


@dataclass(frozen=True, kw_only=True)
class _Found:
    """A task, and what a run of it would be: None where its models cannot be asked as things are, and then why."""

    assembly: Assembly
    prepared: Prepared | None
    problem: str = ""

    @property
    def approaches(self) -> int:
        """How many a run compares, which a task with neither target nor margin does not say."""
        from benchmarks.running.plan import rivals

        return rivals(self.assembly.benchmark.task, len(self.assembly.spec.models))

    @property
    def takes(self) -> tuple[str, ...]:
        from advisor.ask.asking import USUAL
        from advisor.cli.finding_out import of_task

        return (self.problem, USUAL) if self.prepared is None else of_task(self.prepared)


def _found(task: str, given: dict[str, Any]) -> _Found:
    from advisor.experiments.comparison import Wishes, prepare
    from advisor.experiments.found import find

    for name in DATA_SAYS:
        if given[name] is not None:
            raise BadInput(f"--{name} is what the data of {task} says. Leave it out, or leave out the task.")
    remote = bool(given["allow_remote"])
    try:
        prepared = prepare(task, Wishes(allow_remote=remote))
    except BadInput as error:
        assembly = find(task, remote).assembled()  # Where the fault lies there, it ends the command.
        return _Found(
            assembly=assembly, prepared=None, problem=f"What a comparison takes cannot be estimated yet: {error}"
        )
    return _Found(assembly=prepared.assembly, prepared=prepared)


def _known(given: dict[str, Any], assembly: Assembly) -> dict[str, Any]:
    """The answers that the data and the spec give, with those of options."""
    benchmark = assembly.benchmark
    task = benchmark.task
    return given | {
        "kind": task.kind,
        "examples": len(task.examples),
        "labels": len(task.labels),
        "documents": "some" if task.documents else "none",
        "volume": given["volume"] or benchmark.volume,
        "target": given["target"] or benchmark.target,
        "facts_change": given["facts_change"] or _how_often(assembly.spec.upkeep.facts_months),
        "data_stays_here": given["data_stays_here"] or assembly.spec.constraints.data_stays_here or None,
    }


def _how_often(months: float | None) -> str | None:
    """The word for a change every so many months: of those that there are the nearest in proportion."""
    if months is None:
        return None
    return min(MONTHS_BETWEEN, key=lambda word: abs(math.log(months / MONTHS_BETWEEN[word])))


def _of_task(known: dict[str, Any], readings: _Readings, found: _Found) -> Asked:
    """The data says what kind of task it is and how much there is of it; the person says the rest."""
    from advisor.ask.asking import Asked
    from advisor.ask.triage import Situation

    assembly, benchmark = found.assembly, found.assembly.benchmark
    upkeep, currency = assembly.spec.upkeep, assembly.spec.prices.currency
    closeness_says = benchmark.margin is not None and "target" not in readings.answers
    told = [*DATA_SAYS, *(["target"] if closeness_says else [])]
    answers = _completed(known, [name for name in QUESTIONS if name not in told], readings.answers)
    situation = Situation.of(benchmark.task)
    return Asked(
        situation=replace(situation, facts_change=answers["facts_change"], wanted=answers["wanted"]),
        heldout=benchmark.independent,
        look=benchmark.look.number,
        margin=benchmark.margin,
        approaches=assembly.decidable.candidates if assembly.decidable else found.approaches,
        procedure=benchmark.procedure,
        takes=found.takes,
        label_price=(upkeep.label_price, currency) if upkeep.label_price else None,
        **{name: answers[name] for name in ("target", "data_stays_here", "volume")},
    )


def _of_answers(given: dict[str, Any], readings: _Readings) -> Asked:
    from advisor.ask.asking import Asked
    from advisor.ask.triage import Situation
    from advisor.cli.finding_out import held_out, of_situation, side_by_side
    from benchmarks.data.split import LEAST_TO_CUT

    answers = _completed(given, [name for name in QUESTIONS if name != "labels"], readings.answers)
    labels = answers["labels"]
    if answers["kind"] == "classification":
        labels = _completed(answers, ["labels"], readings.answers)["labels"]
    documents, found = DOCUMENTS[answers["documents"] or "none"]
    situation = Situation(
        kind=answers["kind"],
        examples=answers["examples"],
        labels=labels or 0,
        documents=documents,
        found=found,
        counted=False,
        facts_change=answers["facts_change"],
        wanted=answers["wanted"],
    )
    asked = {name: answers[name] for name in ("target", "data_stays_here", "volume")}
    held = held_out(situation.examples) if situation.examples >= LEAST_TO_CUT else None
    return Asked(
        situation=replace(situation, examples=situation.examples - (held or 0)),
        heldout=held,
        approaches=side_by_side(situation),
        takes=of_situation(situation),
        **asked,
    )


def _completed(given: dict[str, Any], names: list[str], read: dict[str, Any]) -> dict[str, Any]:
    """Asks for what is open where somebody sits at a terminal, what was read being proposed; else that is taken."""
    answers = dict(given)
    for name in names:
        if answers[name] is not None:
            continue
        if _somebody_there():
            answers[name] = click.prompt(QUESTIONS[name][0], type=QUESTIONS[name][1], default=read.get(name), err=True)
        elif name in read:
            answers[name] = read[name]
    return answers


def _somebody_there() -> bool:
    return sys.stdin.isatty() and sys.stderr.isatty()


def _text(advice: Advice, read: Sequence[str]) -> str:
    parts = (
        ("What was read", read),
        ("What to try", advice.first),
        ("Why", advice.why),
        ("What cannot help here", advice.cannot),
        ("To find out", advice.finding_out),
    )
    lines: list[str] = []
    for title, sentences in parts:
        if sentences:
            lines += ["", title, *(broken(f"- {shown(sentence)}", sys.stdout.isatty()) for sentence in sentences)]
    return "\n".join(lines[1:])
