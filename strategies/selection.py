"""How a pipeline's setup is scored on selection cases, and how the chosen one is built on all examples."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Any, cast

from strategies import answers, spans
from strategies.answers import PriorFrom
from strategies.contract import (
    Case,
    Evidence,
    Outcome,
    Prediction,
    Query,
    Sampling,
    ScoresLabels,
    Task,
    Unanswered,
    Workbench,
)
from strategies.indexes import Indexes
from strategies.leaning import Leaning
from strategies.pipeline import Pipeline, Setup
from strategies.prompting.demonstrations import Shown
from strategies.retrieval.timed import recorded
from strategies.schemas import answer_schema
from strategies.search import Look, Standing, total
from strategies.sources import Sources
from strategies.spans import Reading
from strategies.weighing import (
    LabelEvidence,
    Marks,
    Row,
    Weighing,
    best,
    crossed,
    has_content_free,
    leant,
    log_share,
    priors_of,
    weigh,
    written,
)
from strategies.words import shared

CALIBRATIONS = (0.0, 0.5, 1.0)
CONTENT_FREE = ("N/A", "[MASK]", "...")
"""Inputs that say nothing of any label."""
VOTES = (0.0, 0.3, 0.5, 0.7)
DRAWS = 8
"""Sets of examples that are tried."""


@dataclass
class PipelineBuilder:
    """Builds pipelines for one fit and scores them; keeps the indexes of passages, which they share."""

    task: Task
    bench: Workbench
    uses_votes: bool = False
    calibrates: bool = True
    """Not for tuned models: training teaches the labels' prior, and that of a fold's adapter is not that of the refit."""
    larger: Callable[[Setup], Sequence[Setup]] = lambda setup: ()
    """What is tried beyond the chosen setup where it is the largest of its space; nothing where it is not."""
    noted: dict[str, Any] = field(default_factory=dict, repr=False)
    """What its record says besides of how it was fitted, in plain values."""

    @cached_property
    def leaning(self) -> Leaning | None:
        """How shares of labels may be shifted for the task's metric over rows; None where its figure is the mean score."""
        return Leaning.of(self.task)

    @cached_property
    def _examples(self) -> dict[str, Case]:
        return {case.id: case for case in self.task.examples}

    @cached_property
    def indexes(self) -> Indexes:
        return Indexes(self.task, self.bench)

    def build(self, setup: Setup, cases: Sequence[Case], adapter: Path | None = None) -> Pipeline:
        schema = answer_schema(self.task, cases)
        return Pipeline(
            task=self.task,
            model=self.bench.model,
            setup=setup,
            sources=Sources(tuple(cases), self.bench.embedder, self.indexes.searched(setup, cases)),
            schema=schema,
            max_tokens=answers.answer_limit(self.bench.model, self.task, cases, bool(schema)),
            adapter=adapter,
            seed=self.bench.seed,
        )

    def reading(self, setup: Setup) -> Reading | None:
        """How answers to a question could be read off the passages that this setup shows; None where they cannot."""
        asks = self.task.kind == "qa" and not self.task.labels
        able = asks and setup.passages and isinstance(self.bench.model, ScoresLabels)
        return Reading.of(self.task.examples) if able else None

    def looks(self, setups: Sequence[Setup], fold: int, cases: Sequence[Case]) -> Iterator[Look]:
        """Scores the setups on selection cases of one fold, in their order.

        What is written freely is written for all of them together: the answers of one setup are few at a time, and the
        model takes little longer for many.
        """
        pipelines = [self.build(setup, self.task.folds[fold].train) for setup in setups]
        writing = [pipeline for pipeline in pipelines if not self._scores(pipeline)]
        written: Iterator[Look] = iter(())
        for pipeline in pipelines:
            if not self._scores(pipeline) and pipeline is writing[0]:
                written = iter(self._written(writing, cases))
            look = self.examine(pipeline, cases) if self._scores(pipeline) else next(written)
            yield replace(look, usage=total([*look.usage, *self.indexes.paid()]))

    def _scores(self, pipeline: Pipeline) -> bool:
        """Whether answers come by likelihood."""
        return pipeline.reads or answers.selects_labels(self.task, pipeline.speaker)

    def draws(self, setup: Setup) -> list[Setup]:
        """The setup with several sets of examples, each drawn from the training part of the first fold."""
        pipeline = self.build(setup, self.task.folds[0].train)
        sets = [replace(pipeline, seed=self.bench.seed + draw).fixed_ids for draw in range(DRAWS)]
        return [replace(setup, shown=ids) for ids in dict.fromkeys(sets)]

    def examine(self, pipeline: Pipeline, cases: Sequence[Case]) -> Look:
        queries = [Query.of(case.input) for case in cases]
        if answers.selects_labels(self.task, pipeline.speaker):
            return self._label_look(pipeline, cases, queries)
        if pipeline.reads:
            return self._reading_look(pipeline, cases, queries)
        return self._written([pipeline], cases)[0]

    def _written(self, pipelines: Sequence[Pipeline], cases: Sequence[Case]) -> list[Look]:
        """Looks of pipelines that write freely, with one model and one limit of length.

        Raises `Unanswered` before any of them is remembered where one lost too many answers: it would be chosen by faults.
        """
        queries = [Query.of(case.input) for case in cases]
        requests = [request for pipeline in pipelines for request in pipeline.requests(queries)]
        found: dict[int, Outcome] = {}
        for place, outcome in pipelines[0].write(requests, Sampling(seed=self.bench.seed), "search"):
            found[place] = outcome
            self.bench.progress(len(found), len(requests), "answering examples")
        outcomes = [found[place] for place in range(len(requests))]
        looks = [outcomes[first : first + len(cases)] for first in range(0, len(outcomes), len(cases))]
        for look in looks:
            if said := answers.too_many_lost(look, answers.TO_CHOOSE_BY):
                raise Unanswered(said)
        return [self._scored(cases, look) for look in looks]

    def _scored(self, cases: Sequence[Case], outcomes: Sequence[Outcome]) -> Look:
        scores = tuple(self.task.score(case, outcome) for case, outcome in zip(cases, outcomes, strict=True))
        usage = [row for outcome in outcomes for row in outcome.usage]
        told = _answers(cases, [*map(_text, outcomes)], scores, [*map(answers.sureness, outcomes)])
        shown = [getattr(outcome, "evidence", ()) for outcome in outcomes]
        told = self._with_what_was_found(cases, told, shown)
        shares = [dict(getattr(outcome, "probabilities", None) or {}) for outcome in outcomes]
        if self.leaning is None:
            return Look(scores, total(usage), {"answers": told})
        raw = [{"case": row[0], "told": row, "shares": each} for row, each in zip(told, shares, strict=True)]
        return Look(scores, total(usage), {"answers": told, "evidence": raw})

    def _with_what_was_found(
        self, cases: Sequence[Case], told: Sequence[list[Any]], shown: Sequence[Sequence[Evidence]]
    ) -> list[list[Any]]:
        """Each answer with whether what its case rests on was among the passages; as they are where none were shown."""
        return [
            [*row, self.indexes.tell(Shown(case, tuple(had)))] if had else row
            for case, row, had in zip(cases, told, shown, strict=True)
        ]

    def _label_look(self, pipeline: Pipeline, cases: Sequence[Case], queries: Sequence[Query]) -> Look:
        """Keeps the raw likelihoods and votes in the notes, so that calibration and votes can be chosen for nothing.

        The first row of a look has the likelihoods for inputs without content, where requests differ in nothing but the input.
        """
        alike = not (pipeline.asks_examples or pipeline.setup.passages)
        free = CONTENT_FREE if self.calibrates and alike else ()
        rows, usage = pipeline.label_evidence([*queries, *map(Query.of, free)], "search")
        context = pipeline.context
        raw: list[dict[str, Any]] = [
            {"scores": row.scores, "votes": row.votes, "case": case.id, "context": context}
            for row, case in zip(rows[: len(cases)], cases, strict=True)
        ]
        if free:
            raw[0]["content_free"] = [row.scores for row in rows[len(cases) :]]
        return self.settled(pipeline.setup, Look((), total(usage), {"evidence": raw}))

    def _reading_look(self, pipeline: Pipeline, cases: Sequence[Case], queries: Sequence[Query]) -> Look:
        """Keeps what was read in the notes, so that the bonus of a standing answer can be chosen for nothing. Raises `Unanswered`
        as `_written` does."""
        requests, tell, reading = pipeline.requests(queries), self.indexes.tell, cast(Reading, pipeline.setup.reading)
        found = {index: (what, spent) for index, what, spent in pipeline.read(requests, "search")}
        outcomes = [spans.outcome(requests[index], what, reading, spent) for index, (what, spent) in found.items()]
        if said := answers.too_many_lost(outcomes, answers.TO_CHOOSE_BY):
            raise Unanswered(said)
        usage = [row for _, spent in found.values() for row in spent]
        raw = [
            {**spans.noted(found[index][0]), "case": case.id, "shown": tell(Shown(case, request.evidence))}
            for index, (case, request) in enumerate(zip(cases, requests, strict=True))
        ]
        return self.settled(pipeline.setup, Look((), total(usage), {"evidence": raw}))

    def settled(self, setup: Setup, look: Look) -> Look:
        """The look with the scores that its evidence gives here: another approach may have taken it, without votes.

        What can be weighed is weighed for each case as is best on others, so that the scores do not flatter.
        """
        evidence = look.notes.get("evidence")
        if not evidence:
            return look
        weighings = self._weighings(setup, evidence)
        options = crossed(weighings, self._leans(evidence))
        rows = [weighings[option].rows[place] for place, option in enumerate(options)]
        cases = [self._examples[raw["case"]] for raw in evidence]
        texts, scores, sure = zip(*rows, strict=True)
        told = _answers(cases, texts, scores, sure)
        told = [[*row, raw["shown"]] if "shown" in raw else row for row, raw in zip(told, evidence, strict=True)]
        told = [[*row, *raw["told"][4:]] if "told" in raw else row for row, raw in zip(told, evidence, strict=True)]
        return Look(scores, look.usage, {**look.notes, "answers": told})

    def judge(self, standing: Standing) -> None:
        """For a metric over rows, weighs what can be weighed over all looks of a setup together, since a look by itself may hold
        too few cases of a rare label, and says what each case is worth. Without labels it says how close answers are."""
        if not self.task.labels:
            standing.closeness = self._closeness(answers_of(standing.notes))
        if self.leaning is None:
            return
        if evidence := evidence_of(standing.notes):
            standing.notes = [self.settled(standing.configuration, Look((), (), {"evidence": evidence})).notes]
        rows = answers_of(standing.notes)
        answers = [(self._examples[row[0]], row[1]) for row in rows]
        standing.scores = [row[2] for row in rows]
        leans = self.leaning.enough([case for case, _ in answers])
        standing.worths = self.leaning.worths(answers) if leans else []

    def _closeness(self, rows: Sequence[Sequence[Any]]) -> float:
        """The mean share of words with the nearest of the answers that are right."""
        close = [max(shared(right, row[1]) for right in _right(self._examples[row[0]])) for row in rows]
        return sum(close) / max(1, len(close))

    def _leans(self, evidence: Sequence[dict[str, Any]]) -> Marks | None:
        """How weighings are compared where it is by a metric over rows: (answers, parts left out) -> a figure for each part."""
        leaning, cases = self.leaning, [self._examples[raw["case"]] for raw in evidence]
        if leaning is None or not leaning.enough(cases):
            return None
        return lambda texts, parts: leaning.without(list(zip(cases, texts, strict=True)), parts)

    def _given(
        self, setup: Setup, evidence: Sequence[dict[str, Any]]
    ) -> Iterator[tuple[Setup, Sequence[Row], Sequence[float]]]:
        """What raw evidence gives by each way to weigh it, how sure, and the log-shares of right labels, the simplest first."""
        options = self._weights(setup, has_content_free(evidence))
        if setup.reading is not None:
            for option in options:
                yield option, [spans.from_note(raw, cast(Reading, option.reading)) for raw in evidence], ()
            return
        shifts = [None] if self.leaning is None or self._leans(evidence) is None else self.leaning.options
        if any("told" in raw for raw in evidence):
            for shift in shifts:
                yield replace(setup, shift=shift), [written(raw, shift) for raw in evidence], ()
            return
        rows, labels = [self._shares(option, evidence) for option in options], self.task.labels
        logs = [self._logs(shares, evidence) for shares in rows]
        for shift in shifts:
            for option, shares, right in zip(options, rows, logs, strict=True):
                moved = (leant(labels, row, shift) for row in shares)
                told = [(labels[max(range(len(row)), key=row.__getitem__)], max(row)) for row in moved]
                yield replace(option, shift=shift), told, right

    def _shares(self, setup: Setup, evidence: Sequence[dict[str, Any]]) -> list[list[float]]:
        """Label probabilities after weighing."""
        rows = [LabelEvidence(tuple(raw["scores"]), tuple(raw["votes"])) for raw in evidence]
        priors = priors_of(evidence, setup.prior)
        return [weigh(row, priors[raw["context"]], setup) for row, raw in zip(rows, evidence, strict=True)]

    def _logs(self, shares: Sequence[Sequence[float]], evidence: Sequence[dict[str, Any]]) -> list[float]:
        """The log-share of the right label of each case."""
        spread = (dict(zip(self.task.labels, row, strict=True)) for row in shares)
        return [log_share(each, self._examples[raw["case"]]) for each, raw in zip(spread, evidence, strict=True)]

    def log_shares(self, setup: Setup, look: Look) -> Sequence[float]:
        """Of the right label of each case, weighed as is best; empty where answers are not chosen among labels."""
        evidence = look.notes.get("evidence")
        return best(self._weighings(setup, evidence), self._leans(evidence)).logs if evidence else ()

    def finish(self, setup: Setup, evidence: Sequence[dict[str, Any]], adapter: Path | None = None) -> Pipeline:
        """The chosen setup on all examples; what can be weighed is weighed on all the selection evidence that was seen.

        The labels' prior belongs to the demonstrations that are shown: those that were looked at.
        """
        pipeline = self.build(self.weighed(setup, evidence), self.task.examples, adapter)
        if pipeline.asks_examples or pipeline.setup.votes:
            with recorded(self.bench, "index", [case.id for case in self.task.examples]):
                pipeline.sources.neighbours.open()
        if not evidence or "scores" not in evidence[0] or setup.reading is not None:
            return pipeline
        return replace(pipeline, prior=priors_of(evidence, pipeline.setup.prior)[pipeline.context])

    def weighed(self, setup: Setup, evidence: Sequence[dict[str, Any]]) -> Setup:
        """The setup with the calibration and votes, or the bonus, that are best; ties go to the simpler, the smaller."""
        return best(self._weighings(setup, evidence), self._leans(evidence)).setup if evidence else setup

    def _weighings(self, setup: Setup, evidence: Sequence[dict[str, Any]]) -> list[Weighing]:
        found = []
        for option, given, logs in self._given(setup, evidence):
            scores = [
                self.task.score(self._examples[raw["case"]], Prediction(text=text))
                for raw, (text, _) in zip(evidence, given, strict=True)
            ]
            rows = ((text, score, sure) for (text, sure), score in zip(given, scores, strict=True))
            found.append(Weighing(option, tuple(rows), tuple(logs)))
        return found

    def _weights(self, setup: Setup, content_free: bool = False) -> list[Setup]:
        """What may be chosen without asking the model again, the simplest first."""
        if setup.reading is not None:
            bonuses = spans.BONUSES if setup.reading.standing else spans.BONUSES[:1]
            whole = (False,) if self.task.schema else (False, True)  # A sentence is hardly of a pattern.
            readings = [replace(setup.reading, sentence=one, bonus=bonus) for one in whole for bonus in bonuses]
            return [replace(setup, reading=reading) for reading in readings]
        taken: list[tuple[PriorFrom, float]] = [("batch", share) for share in CALIBRATIONS]
        taken += [("content-free", share) for share in CALIBRATIONS[1:]] if content_free else []
        return [
            replace(setup, calibration=calibration, prior=prior, votes=votes)
            for votes in (VOTES if self.uses_votes else VOTES[:1])
            for prior, calibration in (taken if self.calibrates else taken[:1])
        ]


def _right(case: Case) -> Sequence[str]:
    return case.accepted or (case.output,)


def _text(outcome: Any) -> str:
    return outcome.text if isinstance(outcome, Prediction) else ""


def _answers(
    cases: Sequence[Case], texts: Sequence[str], scores: Sequence[float], sure: Sequence[float | None]
) -> list[list[Any]]:
    """[case id, answer, score, how sure or None] of selection cases: what error analysis may look at. Where passages were
    shown, whether what the case rests on was among them comes last."""
    return [[case.id, *row] for case, *row in zip(cases, texts, scores, sure, strict=True)]


def evidence_of(notes: Sequence[Any]) -> list[dict[str, Any]]:
    return [row for note in notes for row in note.get("evidence", ())]


def answers_of(notes: Sequence[Any]) -> list[list[Any]]:
    return [row for note in notes for row in note.get("answers", ())]
