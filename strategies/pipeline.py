"""One answering pipeline for every approach with a language model: find, render, ask, weigh.

Prompting, retrieval, fine-tuning and their combination differ in their setup and in the model's adapter only, so none of
them gets post-processing that the others lack.
"""

from __future__ import annotations

import json
import shutil
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Any, Literal, cast

from strategies import answers, portable, spans
from strategies.answers import Prior, PriorFrom, Request
from strategies.contract import (
    Case,
    Failure,
    LanguageModel,
    Outcome,
    Prediction,
    Query,
    Recipe,
    Sampling,
    ScoresLabels,
    Step,
    Task,
    Trains,
    Usage,
    Workbench,
)
from strategies.leaning import Shift, shift_in
from strategies.models.probe import must_render_alike, probed
from strategies.models.served import at_hand
from strategies.prompting.demonstrations import (
    ALIKE,
    SPARE,
    Shown,
    balanced,
    drawn,
    parted,
    reordered,
    varied,
    well_founded,
)
from strategies.prompting.fitting import NEIGHBOURS, Parts, answer_tokens, lists_all, nearest_labels, surely_fits
from strategies.prompting.rendering import Form, Renderer
from strategies.retrieval.chunking import PASSAGE_WORDS
from strategies.retrieval.index import Mode, PassageIndex
from strategies.sources import Sources, case_from, without
from strategies.spans import Read, Reading
from strategies.standalone.held import ENDING
from strategies.standalone.odds import ALTERNATIVES
from strategies.weighing import LabelEvidence, leant, leant_answer, weigh


@dataclass(frozen=True, kw_only=True)
class Setup:
    """Everything that was chosen about a pipeline, in plain values."""

    form: Form = field(default_factory=Form)
    shots: int = 0
    picks: Literal["random", "balanced", "nearest"] = "random"
    varied: bool = False
    """Of the nearest examples those of a label that is not shown yet come first."""
    passages: int = 0
    passage_words: int = PASSAGE_WORDS
    """Words of a passage, at most."""
    whole_words: int = 0
    """Documents of at most so many words are shown whole where a passage of theirs is found; 0: none."""
    mode: Mode = "hybrid"
    adapted: bool = False
    """Questions are moved by what examples taught (`retrieval/query_adapter.py`)."""
    calibration: float = 0.0
    """Share of the labels' log-prior that is taken off; 0: none."""
    prior: PriorFrom = "batch"
    votes: float = 0.0
    """Weight of the nearest examples' votes in the label probabilities; 0: none."""
    shown: tuple[str, ...] = ()
    """Ids of the examples that all requests show, where they were searched for; empty: drawn with the seed."""
    grounded: bool = False
    """Demonstrations come with the passages that are found for them."""
    lacking: float = 0.0
    """Share of the lessons that are learnt without the passage that their answer rests on."""
    reading: Reading | None = None
    """Answers are read off the evidence by likelihood; None: they are written."""
    shift: Shift | None = None
    """What is added to the log-shares of labels for a metric over rows; None: nothing."""

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Setup:
        reading = Reading.from_dict(values["reading"]) if values.get("reading") else None
        parts = {"form": Form(**values["form"]), "reading": reading, "shown": tuple(values.get("shown", ()))}
        return cls(**{**values, **parts, "shift": shift_in(values)})

    @property
    def draws(self) -> bool:
        """Whether the seed decides which examples are shown."""
        return self.shots > 0 and self.picks != "nearest" and not self.shown


@dataclass(frozen=True)
class Pipeline:
    """A fitted approach with a language model (`contract.Fitted`)."""

    task: Task
    model: LanguageModel
    setup: Setup
    sources: Sources
    max_tokens: int
    prior: Prior | None = None
    adapter: Path | None = None
    schema: str = ""
    """JSON schema that generated answers are held to, as JSON text (`schemas.answer_schema`)."""
    seed: int = 0
    order: int = 0
    """Demonstrations stand as picked (0), the other way round (-1), or shuffled with this seed. Not stored."""
    record: Mapping[str, Any] = field(default_factory=dict)

    @cached_property
    def renderer(self) -> Renderer:
        return Renderer.of(self.task, self.setup.form)

    @cached_property
    def speaker(self) -> LanguageModel:
        """The model that answers: with the adapter, where there is one."""
        return self.model if self.adapter is None else cast(Trains, self.model).adapted(self.adapter)

    # ------------------------------------------------------------ requests

    def requests(
        self, queries: Sequence[Query], lessons: Sequence[Case] = (), *, votes: bool = False, misses: bool = False
    ) -> list[Request]:
        """Prompts of the queries; those of `lessons`, the cases that the queries are of, are learnt from.

        In a lesson an example is never its own demonstration, nor is one of its group. Where the search missed what its answer
        stands in and its document is named, the last passage that has room gives way to that, but for the share that is learnt
        without it, which with `misses` is shown others only. With `votes` the nearest examples are asked, too.
        """
        trimmed = [answers.trimmed(self.model, query) for query in queries]
        texts = [text for text, _ in trimmed]
        own = lessons or None
        near = votes or self.asks_examples
        if near:
            self.sources.neighbours.open()
        start = time.perf_counter()
        shown, listed = self.demonstrations(texts, own), self._listed(texts, own)
        found = self.sources.evidence(texts, self.setup.passages, self.setup.mode)
        if misses:
            of, search = (self.task, self.seed, self.setup.lacking), (texts, self.setup.passages, self.setup.mode)
            found = self.sources.missed(list(map(Shown, lessons, found)), of, search)
        voted = self.votes([query.input for query in queries], own) if votes else [()] * len(queries)
        looked_up = None
        if near or (self.setup.passages and self.sources.index is not None):
            each = (time.perf_counter() - start) / max(1, len(queries))
            looked_up = Usage(model=self.sources.embedder.name, step="answering", seconds=each)
        parts = map(Parts, texts, shown, found, listed)
        learnt: Sequence[Case | None] = lessons or [None] * len(queries)
        made = map(self._within, learnt, queries, parts, (cut for _, cut in trimmed))
        return [replace(one, votes=given, looked_up=looked_up) for one, given in zip(made, voted, strict=True)]

    @property
    def asks_examples(self) -> bool:
        """Whether the nearest examples are looked up for each request, to be shown or to name labels."""
        shows = self.setup.shots > 0 and self.setup.picks == "nearest" and bool(self.sources.cases)
        return shows or not self.lists_all

    def _room(self, lesson: Case | None) -> int:
        """Tokens that a prompt may have, its answer besides; a lesson is no longer than what a training reads of it."""
        room = self.model.context_tokens - self.max_tokens * (ENDING if self.schema else 1)
        if lesson is None:
            return room
        return min(room, Recipe.max_tokens - answer_tokens(self.model, self.renderer.answer(lesson)))

    def _taught(self, lesson: Case | None, parts: Parts) -> Parts:
        if lesson is None or without(lesson, self.seed, self.setup.lacking):
            return parts
        held = self.sources.taught(Shown(lesson, parts.evidence), self.sources.founded(self.task))
        return parts._replace(evidence=held)

    def _within(self, lesson: Case | None, query: Query, parts: Parts, cut: bool) -> Request:
        """The request, without its farthest demonstrations and its last passages where it would be longer than there is room."""
        room, parts = self._room(lesson), self._taught(lesson, parts)
        prompt = self.renderer.request(*parts)
        while not surely_fits(prompt, room) and self.model.count(prompt) > room:
            shorter = self._taught(lesson, parts.shorter(self.model))
            if shorter == parts:
                break
            parts, cut = shorter, True
            prompt = self.renderer.request(*parts)
        return Request(key=query.key, prompt=prompt, evidence=parts.evidence, cut=cut)

    def demonstrations(self, texts: Sequence[str], leave_out: Sequence[Case] | None = None) -> list[list[Shown]]:
        """Demonstrations for each input; the nearest comes last, next to the question (`leave_out`: `Neighbours.nearest`)."""
        if not self.setup.shots or not self.sources.cases:
            return [[] for _ in texts]
        if self.setup.picks == "nearest":
            hits = self.sources.neighbours.nearest(texts, self.candidates, leave_out)
            found = ([case for case, _ in row] for row in hits)
            return [
                reordered(self._shown(varied(row) if self.setup.varied else row)[::-1], self.order) for row in found
            ]
        return [reordered(self._fixed, self.order)] * len(texts)

    @cached_property
    def lists_all(self) -> bool:
        """False where the list of labels would be too long, so that each request lists those of the nearest examples."""
        return lists_all(self.model, self.renderer)

    def _listed(self, texts: Sequence[str], own: Sequence[Case] | None) -> Sequence[tuple[str, ...] | None]:
        if self.lists_all:
            return [None] * len(texts)
        return nearest_labels((self.model, self.renderer), self.sources.neighbours.nearest(texts, NEIGHBOURS, own))

    @property
    def candidates(self) -> int:
        """Nearest examples that are looked at for those that are shown."""
        return self.setup.shots * (SPARE if self.setup.grounded else ALIKE if self.setup.varied else 1)

    def _shown(self, cases: Sequence[Case]) -> list[Shown]:
        """The first of the cases, or with passages of those that these bear out; inputs are cut as the question's is."""
        setup, found = self.setup, [Shown(case) for case in cases]
        if setup.grounded:
            found = self.sources.evidence_of(cases[: self.candidates], setup.passages, setup.mode)
            found = well_founded(found, self.sources.standing, self.sources.founded(self.task))
        return [one._replace(case=answers.trimmed_case(self.model, one.case)) for one in found[: setup.shots]]

    @cached_property
    def _fixed(self) -> list[Shown]:
        """Demonstrations that all requests share: those that were searched for, else drawn once with the seed. Where some of the
        former are not among the examples, as in another fold, others stand in for them, in front: each fold shows as many."""
        named, labelled = self.setup.shown, bool(self.task.labels)
        kept, others = parted(drawn(self.sources.cases, self.seed), named)
        missing = (len(named) or self.setup.shots) - len(kept)
        if not missing:
            return self._shown(kept)
        order = [*kept, *others] if self.setup.picks == "random" else balanced([*kept, *others], labelled)
        return [*self._shown([case for case in order if case not in kept])[:missing], *self._shown(kept)]

    @property
    def fixed_ids(self) -> tuple[str, ...]:
        """Ids of the demonstrations that all requests share; empty where there are none."""
        fixed = self.setup.shots and self.setup.picks != "nearest"
        return tuple(shown.case.id for shown in self._fixed) if fixed else ()

    @property
    def context(self) -> str:
        """Names the demonstrations that all requests share: the labels' prior under them is not that under others."""
        return " ".join(self.fixed_ids)

    # ------------------------------------------------------------ answers

    def answer(self, queries: Sequence[Query], sampling: Sampling) -> Iterator[tuple[str, Outcome]]:
        """Yields (key, outcome) as they finish."""
        if not queries:
            return
        selects = answers.selects_labels(self.task, self.speaker)
        requests = self.requests(queries, votes=selects and self.setup.votes > 0)
        if selects:
            yield from self._answer_labels(requests)
            return
        if self.reads:
            for index, found, usage in self.read(requests, "answering"):
                answer = spans.outcome(requests[index], found, cast(Reading, self.setup.reading), usage)
                yield requests[index].key, answer
            return
        for index, outcome in self.write(requests, sampling, "answering"):
            yield requests[index].key, outcome

    def write(self, requests: Sequence[Request], sampling: Sampling, step: Step) -> Iterator[tuple[int, Outcome]]:
        """(index, outcome) of requests that are answered by writing; also those of another setup of the same task."""
        words = self.renderer.words if self.task.labels else None
        asked = replace(sampling, schema=self.schema, alternatives=ALTERNATIVES if words else 0)
        for index, outcome in answers.answer_freely(self.speaker, requests, (self.max_tokens, asked), step, words):
            yield index, leant_answer(outcome, self.setup.shift)

    def _answer_labels(self, requests: Sequence[Request]) -> Iterator[tuple[str, Outcome]]:
        words = self.renderer.words
        scorer = cast(ScoresLabels, self.speaker)
        prompts = [request.prompt for request in requests]
        for index, scored in scorer.score_labels(prompts, [words.words] * len(prompts)):
            request = requests[index]
            usage = request.spent(scored.usage)
            if scored.error:
                yield request.key, Failure(kind="infrastructure", message=scored.error, usage=usage)
                continue
            shares = weigh(LabelEvidence(scored.log_likelihoods, request.votes), self.prior, self.setup)
            shares = leant(words.labels, shares, self.setup.shift)
            best = max(range(len(shares)), key=shares.__getitem__)
            yield (
                request.key,
                Prediction(
                    text=words.labels[best],
                    evidence=request.evidence,
                    probabilities=dict(zip(words.labels, shares, strict=True)),
                    truncated=request.cut,
                    usage=usage,
                ),
            )

    @property
    def reads(self) -> bool:
        """Whether answers are read off the evidence: the setup says so, and the model can score runs of words."""
        return self.setup.reading is not None and isinstance(self.speaker, ScoresLabels)

    def read(self, requests: Sequence[Request], step: Step) -> Iterator[tuple[int, Read | str, tuple[Usage, ...]]]:
        """(index, what was found or why nothing was, usage) of each request."""
        reading = cast(Reading, self.setup.reading)
        for index, found, usage in spans.read(cast(ScoresLabels, self.speaker), requests, reading, step, self.schema):
            yield index, found, requests[index].spent(*usage)

    def votes(self, texts: Sequence[str], own: Sequence[Case] | None = None) -> list[tuple[float, ...]]:
        return [tuple(row) for row in self.sources.neighbours.votes(texts, self.task.labels, own)]

    def label_evidence(self, queries: Sequence[Query], step: Step) -> tuple[list[LabelEvidence], list[Usage]]:
        """Raw material of label answers for choosing calibration and votes afterwards, and the usage of each; of all of them, or
        `Unanswered` is raised."""
        requests = self.requests(queries, votes=bool(self.sources.cases))
        scorer = cast(ScoresLabels, self.speaker)
        rows: dict[int, LabelEvidence] = {}
        usage: list[Usage] = []
        prompts = [request.prompt for request in requests]
        found = scorer.score_labels(prompts, [self.renderer.words.words] * len(prompts), step)
        for index, scored in answers.all_scored(found).items():
            rows[index] = LabelEvidence(scored.log_likelihoods, requests[index].votes)
            usage += requests[index].spent(scored.usage)
        return [rows[index] for index in range(len(queries))], usage

    # ------------------------------------------------------------ a folder

    def save(self, folder: Path) -> None:
        """Setup, examples, passages and adapter: all that answering needs but the base model."""
        folder.mkdir(parents=True, exist_ok=True)
        if self.adapter is not None:
            shutil.copytree(self.adapter, folder / "adapter", dirs_exist_ok=True)
        if self.setup.passages and isinstance(self.sources.index, PassageIndex):
            self.sources.index.save(folder / "index")
        needs_cases = bool(self.setup.shots or self.setup.votes) or not self.lists_all
        manifest = {
            "setup": asdict(self.setup),
            "max_tokens": self.max_tokens,
            "prior": None if self.prior is None else list(self.prior.values),
            "schema": self.schema,
            "seed": self.seed,
            "probe": probed(at_hand(self.model)),
            "examples": [asdict(case) for case in self.sources.cases] if needs_cases else [],
            "record": dict(self.record),
            "task": {name: getattr(self.task, name) for name in ("name", "kind", "instruction", "labels")},
        }
        (folder / "pipeline.json").write_text(json.dumps(manifest, indent=1), encoding="utf-8")
        portable.write(self, folder)

    def describe(self) -> Mapping[str, Any]:
        return {"setup": asdict(self.setup), "max_tokens": self.max_tokens, **self.record}


def load_pipeline(folder: Path, bench: Workbench) -> Pipeline:
    """The pipeline that `Pipeline.save` wrote; the base model and embedder come from the workbench.

    Raises `ModelUnavailable` where the model writes prompts in another form than when it was saved.
    """
    manifest = json.loads((folder / "pipeline.json").read_text(encoding="utf-8"))
    must_render_alike(manifest.get("probe"), at_hand(bench.model))
    task = manifest["task"]
    setup = Setup.from_dict(manifest["setup"])
    cases = tuple(case_from(row) for row in manifest["examples"])
    index = PassageIndex.load(folder / "index", bench.embedder) if (folder / "index").is_dir() else None
    if index is not None and setup.mode == "reranked":
        index = replace(index, reranker=bench.reranker)
    prior = manifest["prior"]
    return Pipeline(
        task=Task(
            name=task["name"],
            kind=task["kind"],
            instruction=task["instruction"],
            labels=tuple(task["labels"]),
            folds=(),
            score=_unscored,
        ),
        model=bench.model,
        setup=setup,
        sources=Sources(cases, bench.embedder, index),
        max_tokens=manifest["max_tokens"],
        prior=None if prior is None else Prior(values=tuple(prior)),
        adapter=folder / "adapter" if (folder / "adapter").is_dir() else None,
        schema=manifest["schema"],
        seed=manifest["seed"],
        record=manifest["record"],
    )


def _unscored(case: Case, outcome: Outcome) -> float:
    raise RuntimeError("a loaded pipeline only answers; choosing is over")
