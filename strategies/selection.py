"""How a pipeline's setup is scored on selection cases, and how the chosen one is built on all examples."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any, Literal

from strategies import answers
from strategies.answers import Prior, mean_prior
from strategies.contract import Case, Prediction, Query, Sampling, Task, Usage, Workbench
from strategies.pipeline import LabelEvidence, Pipeline, Setup, Sources, weigh
from strategies.retrieval.index import PassageIndex
from strategies.schemas import answer_schema
from strategies.search import Look, Outcome, halve, journalled, total

Preference = Literal["best", "cheapest"]
"""Which of the configurations that are within noise of the best an approach brings."""
CALIBRATIONS = (0.0, 0.5, 1.0)
VOTES = (0.0, 0.3, 0.5, 0.7)


@dataclass
class Kitchen:
    """Builds pipelines for one fit and scores them; keeps the passage index, which all of them share."""

    task: Task
    bench: Workbench
    uses_votes: bool = False
    calibrates: bool = True
    """Not for tuned models: training teaches the labels' prior, and that of a fold's adapter is not that of the refit."""
    _index: PassageIndex | None = field(default=None, repr=False)

    def index(self) -> PassageIndex | None:
        if self._index is None and self.task.documents:
            self._index = PassageIndex.build(self.task.documents, self.bench.embedder)
        return self._index

    def build(self, setup: Setup, cases: Sequence[Case], adapter: Path | None = None) -> Pipeline:
        return Pipeline(
            task=self.task,
            model=self.bench.model,
            setup=setup,
            sources=Sources(tuple(cases), self.bench.embedder, self.index() if setup.passages else None),
            max_tokens=answers.answer_limit(self.bench.model, cases),
            adapter=adapter,
            schema=answer_schema(self.task, cases),
            seed=self.bench.seed,
        )

    def look(self, setup: Setup, fold: int, cases: Sequence[Case]) -> Look:
        """Scores one setup on selection cases of one fold."""
        return self.examine(self.build(setup, self.task.folds[fold].train), cases)

    def examine(self, pipeline: Pipeline, cases: Sequence[Case]) -> Look:
        queries = [Query.of(case.input) for case in cases]
        if answers.selects_labels(self.task, pipeline.speaker):
            return self._label_look(pipeline, cases, queries)
        found: dict[str, Any] = {}
        usage: list[Usage] = []
        for key, outcome in pipeline.answer(queries, Sampling(seed=self.bench.seed)):
            found[key] = outcome
            usage += [replace(row, step="search") for row in outcome.usage]
        scores = tuple(self.task.score(case, found[query.key]) for case, query in zip(cases, queries, strict=True))
        texts = [_text(found[query.key]) for query in queries]
        return Look(scores, total(usage), {"answers": _answers(cases, texts, scores)})

    def _label_look(self, pipeline: Pipeline, cases: Sequence[Case], queries: Sequence[Query]) -> Look:
        """Keeps the raw likelihoods and votes in the notes, so that calibration and votes can be chosen for nothing."""
        rows, usage = pipeline.label_evidence(queries, "search")
        context = pipeline.context
        raw = [
            {"scores": row.scores, "votes": row.votes, "case": case.id, "context": context}
            for row, case in zip(rows, cases, strict=True)
        ]
        return self.settled(pipeline.setup, Look((), total(usage), {"evidence": raw}))

    def settled(self, setup: Setup, look: Look) -> Look:
        """The look with the scores that its evidence gives here: another approach may have taken it, without votes."""
        evidence = look.notes.get("evidence")
        if not evidence:
            return look
        cases, rows = self._read(evidence)
        priors = priors_of(evidence)
        best = self.weighed(setup, evidence)
        texts = [
            task_label(self.task, row, priors[raw["context"]], best) for row, raw in zip(rows, evidence, strict=True)
        ]
        scores = tuple(self.task.score(case, Prediction(text=text)) for case, text in zip(cases, texts, strict=True))
        return Look(scores, look.usage, {**look.notes, "answers": _answers(cases, texts, scores)})

    def _read(self, evidence: Sequence[dict[str, Any]]) -> tuple[list[Case], list[LabelEvidence]]:
        known = {case.id: case for case in self.task.examples}
        rows = [LabelEvidence(tuple(row["scores"]), tuple(row["votes"])) for row in evidence]
        return [known[row["case"]] for row in evidence], rows

    def finish(self, setup: Setup, evidence: Sequence[dict[str, Any]], adapter: Path | None = None) -> Pipeline:
        """The chosen setup on all examples; calibration and votes chosen on all the selection evidence that was seen.

        Demonstrations drawn from all examples are others than those that were looked at, with another prior: it is
        measured again.
        """
        pipeline = self.build(self.weighed(setup, evidence), self.task.examples, adapter)
        if not evidence:
            return pipeline
        prior = priors_of(evidence).get(pipeline.context) or self._prior(pipeline)
        return replace(pipeline, prior=prior)

    def _prior(self, pipeline: Pipeline) -> Prior:
        def work() -> Look:
            prior, usage = pipeline.own_prior(self.bench.seed)
            return Look((), total(usage), {"prior": list(prior.values)})

        look = journalled(self.bench, ("prior", asdict(pipeline.setup), pipeline.context), work)
        for usage in look.usage:
            self.bench.record(usage)
        return Prior(values=tuple(look.notes["prior"]))

    def weighed(self, setup: Setup, evidence: Sequence[dict[str, Any]]) -> Setup:
        """The setup with the calibration and vote weight that score best; ties go to the simpler, that is the smaller."""
        if not evidence:
            return setup
        cases, rows = self._read(evidence)
        priors = priors_of(evidence)
        own = [priors[raw["context"]] for raw in evidence]
        options = [
            replace(setup, calibration=calibration, votes=votes)
            for votes in (VOTES if self.uses_votes else VOTES[:1])
            for calibration in (CALIBRATIONS if self.calibrates else CALIBRATIONS[:1])
        ]
        scores = {
            option: sum(
                self.task.score(case, Prediction(text=task_label(self.task, row, prior, option)))
                for case, row, prior in zip(cases, rows, own, strict=True)
            )
            for option in options
        }
        return max(options, key=scores.__getitem__)


def priors_of(evidence: Sequence[dict[str, Any]]) -> dict[str, Prior]:
    """The labels' prior under each context that was looked at."""
    rows: dict[str, list[Sequence[float]]] = {}
    for raw in evidence:
        rows.setdefault(raw["context"], []).append(raw["scores"])
    return {context: mean_prior(scores) for context, scores in rows.items()}


def task_label(task: Task, row: LabelEvidence, prior: Prior | None, setup: Setup) -> str:
    """The likeliest label after weighing."""
    shares = weigh(row, prior, setup)
    return task.labels[max(range(len(shares)), key=shares.__getitem__)]


def _text(outcome: Any) -> str:
    return outcome.text if isinstance(outcome, Prediction) else ""


def _answers(cases: Sequence[Case], texts: Sequence[str], scores: Sequence[float]) -> list[list[Any]]:
    """[case id, answer, score] of selection cases: what error analysis may look at."""
    return [[case.id, text, score] for case, text, score in zip(cases, texts, scores, strict=True)]


def evidence_of(notes: Sequence[Any]) -> list[dict[str, Any]]:
    return [row for note in notes for row in note.get("evidence", ())]


def answers_of(notes: Sequence[Any]) -> list[list[Any]]:
    return [row for note in notes for row in note.get("answers", ())]


def record_of(outcome: Outcome, chosen: Any) -> dict[str, Any]:
    """What a reader wants to know of a search."""
    return {
        "selection_answers": answers_of(chosen.notes),
        "selection_score": chosen.mean,
        "selection_cases": len(chosen.scores),
        "configurations_tried": len(outcome.standings),
        "rising": outcome.rising,
    }


def fit_searched(approach: str, kitchen: Kitchen, setups: Sequence[Setup], prefer: Preference) -> Pipeline:
    """Races the setups on the selection cases and builds the best, or the cheapest within noise of it, on all examples."""
    outcome = halve(approach, setups, kitchen.look, kitchen.task, kitchen.bench)
    chosen = outcome.best if prefer == "best" else outcome.cheapest()
    return replace(kitchen.finish(chosen.configuration, evidence_of(chosen.notes)), record=record_of(outcome, chosen))
