"""Answers new requests with what a run has fitted: the approach that it recommends, or another one by name."""

from __future__ import annotations

import difflib
import hashlib
import json
import shlex
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from advisor.contract import Verdict
from advisor.deploy.as_fitted import (
    asks_a_server,
    is_held_otherwise,
    must_fit,
    must_look_up_alike,
    must_speak_alike,
    told_where,
)
from advisor.deploy.holding import Guarded, has_a_form, must_be_a_form, wrong_form
from advisor.experiments.brought import Package, must_be_here, warn_of_other_code
from advisor.experiments.found import find
from advisor.experiments.stored import about_run, reading, reopen
from advisor.wording import listed
from benchmarks.checked import Guard, Held
from benchmarks.contract import BadInput, Candidate
from benchmarks.data.frozen import must_hold_its_types
from benchmarks.evaluation.cascade import DERIVED
from benchmarks.running.models import Models
from benchmarks.running.plan import candidates
from benchmarks.running.reuse import SEARCHES
from benchmarks.running.workbench import bare
from benchmarks.specs.spec import Columns, Spec, parse_spec
from benchmarks.storage.store import Store
from strategies.answers import sureness
from strategies.catalog import approaches, usable
from strategies.contract import Failure, Fitted, LanguageModel, Outcome, Query, Sampling
from strategies.models.wheels import ModelUnavailable
from strategies.standalone.alone import EXPORT

TOGETHER = 256
"""Requests that may share batches."""
MOST_PARTS = 100
"""Of an export; a cascade has two."""


@dataclass(frozen=True, kw_only=True)
class Answerer:
    """A fitted candidate, loaded. Two parts are a cascade: what the first is less sure of than `below` goes to the second."""

    name: str
    parts: tuple[Fitted, ...]
    sampling: Sampling
    form: Mapping[str, Any]
    """Which answers the task allows (`Kept.form`)."""
    below: float = 0.0
    alone_from: float | None = None
    """From which sureness on an answer needs no person, as it was measured; None: nothing was."""
    guard: Guard | None = None
    """What holding back unsure answers does, as it was measured; None: nothing was."""
    may_vary: bool = False
    """Whether one request may be answered otherwise each time: by a server's model, or drawn at a temperature."""

    def guarded(self, share: float) -> Guarded:
        """The threshold at which at most this share of the right answers is to be lost; 0: none, and only answers that the task
        does not allow are held back. Raises `BadInput`."""
        if share == 0.0 and has_a_form(self.form):
            return Guarded(guard=self.guard, wrong=wrong_form(self.form))
        forms = "; --guard 0 holds back only what the task does not allow" if has_a_form(self.form) else ""
        if self.guard is None:
            raise BadInput(
                f"{self.name} does not say how sure it is, or too few of its selection answers are right to set a threshold by. "
                f"Leave --guard out, or name another --candidate{forms}."
            )
        known = {each.at_most: each for each in self.guard.held if each.at_most}
        if share not in known:
            shares = listed([f"{each:g}" for each in known])
            raise BadInput(f"--guard is {share:g}; what was measured for {self.name} is {shares}. Take one of these.")
        return Guarded(guard=self.guard, held=known[share], wrong=wrong_form(self.form))

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
    """What the run in the folder recommends, or the named candidate, as it was fitted; or what was exported into the folder.

    `task` is needed where the models lie in folders of this machine, which a run does not remember. Raises `BadInput`.
    """
    kept = Kept.of(folder)
    verdict = None if kept.default else _told(folder, allow_code, named=bool(candidate))
    name = candidate or kept.default or (recommended(verdict) if verdict else "")
    names, below = kept.parts(name)
    loaded = _Loaded(kept=kept, task=task)
    return Answerer(
        name=name,
        parts=tuple(map(loaded.fitted, names)),
        sampling=Sampling(**kept.sampling),
        below=below,
        alone_from=(alone_from(verdict) if verdict else kept.alone_from).get(name),
        guard=_guard((guards(verdict) if verdict else kept.guards).get(name)),
        form=kept.form,
        may_vary=any(map(loaded.may_vary, names)),
    )


def _told(folder: Path, allow_code: bool, named: bool) -> Verdict | None:
    """The verdict of a run. Who names an approach needs none: where it cannot be told, as with a metric of one's own that is
    not allowed to run, nothing is known of what may stand alone. Raises `BadInput` where nobody is named."""
    try:
        return reopen(folder, allow_code=allow_code)
    except BadInput:
        if not named:
            raise
        return None


def alone_from(verdict: Verdict) -> dict[str, float]:
    """candidate -> sureness from which on its answers need no person, where one is known."""
    return {each.candidate: each.handover.threshold for each in verdict.evaluations if each.handover is not None}


def guards(verdict: Verdict) -> dict[str, dict[str, Any]]:
    """candidate -> what holding back its unsure answers does (`evaluation/guard.py`), in plain values, where it is known."""
    return {each.candidate: asdict(each.guard) for each in verdict.evaluations if each.guard is not None}


def _guard(values: Mapping[str, Any] | None) -> Guard | None:
    return None if values is None else Guard(**{**values, "held": tuple(Held(**each) for each in values["held"])})


def recommended(verdict: Verdict) -> str:
    """The run's choice, or what is proven so far. Raises `BadInput` where there is neither."""
    told = verdict.recommendation
    name = told.choice or told.safe
    if name is None:
        best = f"; the best of them: --candidate {shlex.quote(told.best)}" if told.best else ""
        raise BadInput(f"The run recommends no approach ({told.verdict}). Name one with --candidate{best}.")
    return name


# ---------------------------------------------------------------- what lies on the disk


def digests(folder: Path) -> dict[str, str]:
    """SHA-256 of every file below the folder, by its path in it."""
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    return {path.relative_to(folder).as_posix(): _digest(path) for path in files}


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


@dataclass(frozen=True, kw_only=True)
class Kept:
    """What was fitted and everything that loading it takes, in plain values but for the paths."""

    name: str
    """Of the folder, for sentences."""
    spec: Mapping[str, Any]
    candidates: Mapping[str, Mapping[str, Any]]
    """name -> as run.json describes it."""
    places: Mapping[str, Path]
    """candidate -> folder of its fit."""
    cascades: Mapping[str, Mapping[str, Any]]
    """name -> what was chosen: `first`, `second`, `below`."""
    weights: Mapping[str, str]
    dtype: str | None
    sampling: Mapping[str, Any]
    searches: Mapping[str, str]
    """What tells embedder and reranker of the run from others, as its identity has it."""
    form: Mapping[str, Any]
    """`kind`, `labels` and `schema` of the task."""
    batches: Mapping[str, int] = field(default_factory=dict)
    """Local model -> tokens of a batch in the run, which its fingerprint under `weights` holds."""
    alone_from: Mapping[str, float] = field(default_factory=dict)
    """candidate -> sureness from which on its answers need no person (`benchmarks.evaluation.handover`); only of an export."""
    guards: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    """candidate -> what holding back its unsure answers does (`benchmarks.evaluation.guard`); only of an export."""
    packages: Mapping[str, Package] = field(default_factory=dict)
    """candidate -> the package that brings its approach; without those that are ours."""
    commits: Mapping[str, str] = field(default_factory=dict)
    """Model of a hub -> the commit that was taken; empty of a run of before."""
    default: str = ""
    """Who answers where nobody is named; empty: what the run recommends."""

    @classmethod
    def of(cls, folder: Path) -> Kept:
        """Of a run or of an export. Raises `BadInput`."""
        return cls.of_export(folder) if (folder / EXPORT).is_file() else cls.of_run(folder)

    @classmethod
    def of_run(cls, folder: Path) -> Kept:
        """Raises `BadInput` where the folder holds no run."""
        about = about_run(folder)
        with closing(Store(folder / "run.sqlite")) as store, reading(folder):
            return cls._read(folder, about, store)

    @classmethod
    def _read(cls, folder: Path, about: Mapping[str, Any], store: Store) -> Kept:
        identity, fits, notes = store.meta("identity") or {}, store.fits(), store.notes("fit")
        made = [row["name"] for row in store.meta(DERIVED) or ()]
        return cls(
            name=folder.name,
            spec=about["spec"],
            candidates={row["name"]: row for row in about["candidates"]},
            places={name: folder / "fits" / unit for name, unit in fits.items()},
            cascades={name: notes[name]["chosen"] for name in made},
            weights=identity.get("weights", {}),
            dtype=identity.get("dtype"),
            batches=identity.get("batches", {}),
            searches={key: identity[key] for key in SEARCHES if key in identity},
            sampling={
                "temperature": about["benchmark"]["task"]["temperature"],
                "seed": identity.get("options", {}).get("seed", 0),
            },
            packages=dict(about.get("packages", {})),
            commits={name: str(commit) for name, commit in about.get("commits", {}).items()},
            form={key: about["benchmark"]["task"][key] for key in ("kind", "labels", "schema")},
        )

    @classmethod
    def of_export(cls, folder: Path) -> Kept:
        """Raises `BadInput` where it cannot be read."""
        try:
            values = json.loads((folder / EXPORT).read_text(encoding="utf-8"))
            if values["files"] != digests(folder / "parts"):
                raise BadInput(
                    f"What lies in {folder.name} is not what was exported: it was changed or cut off. Export again."
                )
            places = {name: folder / "parts" / _number(place) for name, place in values.pop("places").items()}
            found = cls(name=folder.name, places=places, **values["kept"])
            found._must_hold_its_types()
            return found
        except (AttributeError, KeyError, OverflowError, RecursionError, TypeError, ValueError) as error:
            said = " ".join(str(error).split())[:200]
            raise BadInput(f"{folder.name}/{EXPORT} is not what an export holds ({said}). Export again.") from None

    def _must_hold_its_types(self) -> None:
        """Raises `TypeError` and the like for what `advisor.deploy.export` did not write."""
        rows, made = self.candidates.values(), self.cascades.values()
        texts = [self.default, *self.weights.values(), *([] if self.dtype is None else [self.dtype])]
        texts += [row[key] for row in rows for key in ("family", "model")]
        texts += [row[key] for row in made for key in ("first", "second")]
        texts += [*self.searches.values(), *self.commits.values()]
        texts += [row[key] for row in self.packages.values() for key in ("package", "version", "code")]
        numbers = [*self.batches.values(), *self.alone_from.values(), *(row["below"] for row in made)]
        if not all(isinstance(text, str) for text in texts) or not all(
            isinstance(each, int | float) for each in numbers
        ):
            raise TypeError("a text or a number is something else")
        must_hold_its_types(Sampling(**self.sampling))
        for guard in map(_guard, self.guards.values()):
            for part in (guard, *guard.held) if guard else ():
                must_hold_its_types(part)
        must_be_a_form(self.form)
        _ = self.columns

    @property
    def columns(self) -> Columns:
        """Which column of a data file holds what, as the task says it."""
        return Columns(**{key: value for key, value in (self.spec.get("columns") or {}).items() if value})

    def parts(self, name: str) -> tuple[tuple[str, ...], float]:
        """The fitted candidates that answer under the name, and the sureness below which one hands on to the next."""
        chosen = self.cascades.get(name)
        return ((chosen["first"], chosen["second"]), chosen["below"]) if chosen else ((name,), 0.0)

    def place(self, name: str) -> Path:
        """The folder of a fit. Raises `BadInput` where there is none."""
        known = [*self.candidates, *self.cascades]
        if name not in self.candidates:
            near = difflib.get_close_matches(name, known, n=1)
            hint = f" Did you mean {near[0]!r}?" if near else ""
            raise BadInput(f"{self.name} has no approach {name!r}; it has {', '.join(known)}.{hint}")
        if self.candidates[name]["family"] == "recorded":
            raise BadInput(
                f"{name} is a file of recorded answers, which answers nothing new. Name another --candidate."
            )
        place = self.places.get(name)
        if place is None or not (place / "complete.json").is_file():
            raise BadInput(f"{self.name} holds the rows of {name} and not what was fitted. Run the task again.")
        return place


def _number(place: int) -> str:
    """Raises `ValueError` for what is no number of a part."""
    if not 0 <= int(place) < MOST_PARTS:
        raise ValueError(f"there is no part {place}")
    return str(int(place))


# ---------------------------------------------------------------- loading


def base_folder(kept: Kept, name: str, task: str) -> Path:
    """The folder of the model that a candidate was fitted with, whose weights are those of the run. Raises `BadInput`."""
    loaded, model = _Loaded(kept=kept, task=task), kept.candidates[name]["model"]
    folder = getattr(loaded.checked(model), "folder", None) if model else None
    if folder is None:
        raise BadInput(f"{name} has no model on this machine, so nothing can be merged. Leave --merged out.")
    return Path(folder)


@dataclass(kw_only=True)
class _Loaded:
    """Fits of one folder, with its models, loaded when they are asked for."""

    kept: Kept
    task: str
    _models: Models | None = field(default=None, repr=False)
    _begun: set[str] = field(default_factory=set, repr=False)
    """Models of which weights may be loaded by now."""

    @property
    def models(self) -> Models:
        if self._models is None:
            spec, base = self._spec()
            self._models = Models(
                spec.models,
                data_stays_here=spec.constraints.data_stays_here,
                dtype=self.kept.dtype,
                embedder_spec=spec.embedder,
                reranker_spec=spec.reranker,
                base=base,
                commits=dict(self.kept.commits),
            )
        return self._models

    def _spec(self) -> tuple[Spec, Path]:
        if self.task:
            found = find(self.task)
            return found.spec, found.folder
        stated = {key: value for key, value in self.kept.spec.items() if value not in (None, {}, [])}
        return parse_spec(stated), Path()

    def fitted(self, name: str) -> Fitted:
        place, package = self.kept.place(name), self.kept.packages.get(name)
        if approach := self.kept.candidates[name].get("approach"):
            must_be_here(name, approach, package)
        candidate = self._candidate(name)
        warn_of_other_code(candidate, package)
        if candidate.model:
            found = self.checked(candidate.model)
            if candidate.model not in self._begun:
                must_fit(found)
            self._begun.add(candidate.model)
        try:
            with reading(place.parent.parent):
                with told_where(self.task):
                    must_look_up_alike(self.kept, place, self.models)
                return candidate.strategy.load(place, bare(self.models, candidate.model, place.parent))
        except ModelUnavailable as error:
            raise BadInput(str(error)) from None

    def may_vary(self, name: str) -> bool:
        """Of the answers to one request, where a language model gives them."""
        model = self.kept.candidates[name]["model"]
        drawn = Sampling(**self.kept.sampling).temperature > 0
        return bool(model) and (drawn or asks_a_server(self.models.language(model)))

    def _candidate(self, name: str) -> Candidate:
        found = {each.name: each for each in candidates(usable(), self.models.names)}
        if name not in found:
            approaches()  # Raises where one that cannot be loaded may be it.
            raise BadInput(f"{name} is not among the approaches of this program and task. Give the task as it was run.")
        return found[name]

    def checked(self, model: str) -> LanguageModel:
        """The model, whose weights are those of the run. Raises `BadInput`."""
        with told_where(self.task):
            found = self.models.language(model)
            if is_held_otherwise(self.kept, found):
                found = self.models.held_otherwise(model)
        must_speak_alike(self.kept, found)
        return found
