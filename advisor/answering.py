"""Answers new requests with what a run has fitted: the approach that it recommends, or another one by name."""

from __future__ import annotations

import difflib
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from advisor.comparison import find
from advisor.stored import about_run, reopen
from benchmarks.cascade import DERIVED
from benchmarks.contract import BadInput, Candidate
from benchmarks.models import Models
from benchmarks.plan import candidates
from benchmarks.spec import Spec, parse_spec
from benchmarks.store import Store
from benchmarks.workbench import bare
from strategies.answers import sureness
from strategies.catalog import approaches
from strategies.contract import Failure, Fitted, Outcome, Query, Sampling

TOGETHER = 256
"""Requests that may share batches."""


@dataclass(frozen=True, kw_only=True)
class Answerer:
    """A fitted candidate, loaded. Two parts are a cascade: what the first is less sure of than `below` goes to the second."""

    name: str
    parts: tuple[Fitted, ...]
    sampling: Sampling
    below: float = 0.0

    def answers(self, inputs: Sequence[str]) -> Iterator[tuple[str, Outcome]]:
        """(input, outcome) in the order of the inputs."""
        for first in range(0, len(inputs), TOGETHER):
            part = inputs[first : first + TOGETHER]
            found = self._found(list(dict.fromkeys(part)))
            yield from ((text, found[text]) for text in part)

    def _found(self, inputs: Sequence[str]) -> dict[str, Outcome]:
        """Each part answers what those before it were not sure of."""
        found: dict[str, Outcome] = {}
        left = list(inputs)
        for fitted in self.parts:
            queries = [Query.of(text) for text in left]
            outcomes = dict(fitted.answer(queries, self.sampling))
            silent = Failure(kind="infrastructure", message="there was no answer")
            found |= {query.input: outcomes.get(query.key, silent) for query in queries}
            left = [text for text in left if (sure := sureness(found[text])) is None or sure < self.below]
        return found


def answerer(folder: Path, candidate: str = "", task: str = "", allow_code: bool = False) -> Answerer:
    """What the run recommends, or the named candidate, as it was fitted. Raises `BadInput`.

    `task` is needed where the run's models lie in folders of this machine, which a run does not remember.
    """
    about = about_run(folder)
    name = candidate or _recommended(folder, allow_code)
    with closing(Store(folder / "run.sqlite")) as store:
        run = _Opened(folder=folder, about=about, identity=store.meta("identity") or {}, fits=store.fits(), task=task)
        made = {row["name"]: store.notes("fit")[row["name"]]["chosen"] for row in store.meta(DERIVED) or ()}
    sampling = Sampling(temperature=about["benchmark"]["task"]["temperature"], seed=run.identity["options"]["seed"])
    chosen = made.get(name)
    names = (chosen["first"], chosen["second"]) if chosen else (name,)
    parts = tuple(run.fitted(each) for each in names)
    return Answerer(name=name, parts=parts, sampling=sampling, below=chosen["below"] if chosen else 0.0)


def _recommended(folder: Path, allow_code: bool) -> str:
    told = reopen(folder, allow_code=allow_code).recommendation
    name = told.choice or told.safe
    if name is None:
        best = f", for instance {told.best}, the best of them" if told.best else ""
        raise BadInput(f"the run recommends no approach ({told.verdict}). Name one with --candidate{best}.")
    return name


@dataclass(kw_only=True)
class _Opened:
    """A stored run with its models, loaded when they are asked for."""

    folder: Path
    about: Mapping[str, Any]
    identity: Mapping[str, Any]
    fits: Mapping[str, str]
    """candidate -> name of its fit."""
    task: str
    _models: Models | None = field(default=None, repr=False)

    @property
    def models(self) -> Models:
        if self._models is None:
            spec, base = self._spec()
            self._models = Models(
                spec.models,
                data_stays_here=spec.constraints.data_stays_here,
                accept_terms=True,  # They were accepted for the run.
                dtype=self.identity.get("dtype"),
                embedder_spec=spec.embedder,
                base=base,
            )
        return self._models

    def _spec(self) -> tuple[Spec, Path]:
        if self.task:
            found = find(self.task)
            return found.spec, found.folder
        stated = {key: value for key, value in self.about["spec"].items() if value not in (None, {}, [])}
        return parse_spec(stated), Path()

    def fitted(self, name: str) -> Fitted:
        candidate, place = self._candidate(name), self.folder / "fits" / self.fits.get(name, "-")
        if not (place / "complete.json").is_file():
            raise BadInput(f"{self.folder.name} holds the rows of {name} and not what was fitted. Run the task again.")
        if candidate.model:
            self._check(candidate.model)
        return candidate.strategy.load(place, bare(self.models, candidate.model, self.folder))

    def _candidate(self, name: str) -> Candidate:
        known = {row["name"]: row for row in self.about["candidates"]}
        if name not in known:
            near = difflib.get_close_matches(name, known, n=1)
            hint = f" Did you mean {near[0]!r}?" if near else ""
            raise BadInput(f"the run has no approach {name!r}; it has {', '.join(known)}.{hint}")
        if known[name]["family"] == "recorded":
            raise BadInput(
                f"{name} is a file of recorded answers, which answers nothing new. Name another --candidate."
            )
        found = {each.name: each for each in candidates(approaches(), self.models.names)}
        if name not in found:
            raise BadInput(f"{name} is not among the approaches of this program and task. Give the task as it was run.")
        return found[name]

    def _check(self, model: str) -> None:
        """That the weights are those of the run."""
        try:
            weights = self.models.language(model).fingerprint
        except BadInput as error:
            hint = "" if self.task else " If the model lies in a folder, name the task too: --task task.yaml."
            raise BadInput(f"{error}{hint}") from None
        if weights != self.identity["weights"].get(model):
            raise BadInput(f"{model} has other weights than in the run. Take those, or run the task again.")
