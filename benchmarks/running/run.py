"""The runner: plans the units, has them executed, stores what they bring, and goes on where an earlier run stopped."""

from __future__ import annotations

import hashlib
import json
import logging
import platform
import shutil
import time
from collections.abc import Collection, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from functools import partial
from importlib.metadata import version
from pathlib import Path
from typing import Any

from benchmarks.contract import BadInput, Benchmark, Candidate
from benchmarks.costs.dearer import Dearer
from benchmarks.costs.spending import SPENT, LimitReached
from benchmarks.data.population import Sets, apart
from benchmarks.evaluation.cascade import add_cascade
from benchmarks.executors.in_process import Executor, InProcessExecutor
from benchmarks.executors.writer_service import WriterService
from benchmarks.running.deadline import UsedUp
from benchmarks.running.elsewhere import ALSO, also_on, device_of, fingerprint_on
from benchmarks.running.foreign import codes, metric_code
from benchmarks.running.left import LEFT
from benchmarks.running.models import Models
from benchmarks.running.plan import Further, Options, Unit, further_units, is_advised, is_taught, units
from benchmarks.running.reuse import Earlier, bare, must_suit, program
from benchmarks.running.scheduler import Events, NullEvents, Rules, Scheduler
from benchmarks.running.work import SCRATCH, TAKEN_UP, Job, task_hash
from benchmarks.specs.spec_models import HOW_ASKED
from benchmarks.storage.private import private
from benchmarks.storage.store import AGAIN, Store
from strategies.approaches.recorded import Recorded
from strategies.models.known import KNOWN
from strategies.models.measured import machine

_SPOKEN = {
    "tuning_tokens": "a tuning budget of",
    "second_seed": "second_seed",
    "stopping": "--stop-when-decided",
    "candidates": "the approaches",
    "batches": "batches (in tokens) of",
    "attention": "the attention",
    "heldout": "held-out cases and metric of the hash",
    "teacher": "a teacher and requests for it of the hash",
    "quantised": "models in four bits:",
    "task_hash": "kind of task, instruction, examples, documents, labels, schema, pattern or metric of the hash",
    "program": "the program of the hash",
    "recorded": "recorded answers of the hash",
    "embedder_files": "weights of the embedder of the hash",
    "foreign_code": "code of added approaches of the hash",
    "metric_code": "a metric whose code has the hash",
}
"""Part of a run's identity -> how it is said."""
OPTIONAL = ("margin", "temperature", "embedder_weights", "reranker", "teacher", "quantised")
"""Parts of a run's identity that are left out where there is none: who adds or drops one has another run."""
CODE = ("program", "torch", "transformers", "peft", "sentence-transformers")
"""Of a run's provenance: rows by other code would stand beside each other as if they were alike."""
_ADVICE = {
    "the program of the hash": "Install the version that made it",
    **dict.fromkeys(CODE[1:], "Install that version"),
    "seed": "Give that --seed",
    "a tuning budget of": "Give the same --effort",
    "target": "Give that --target",
    "margin": "Give that --margin",
    "temperature": "Write that temperature into the task",
    "--stop-when-decided": "Give it as before",
    "batches (in tokens) of": "Set ADVISOR_BATCH_TOKENS to that",
    "the attention": "Set ADVISOR_ATTENTION to that (blockwise goes with ADVISOR_DEVICE=cpu alone)",
    "dtype": "Set ADVISOR_DTYPE to that",
    "models in four bits:": "Go on on a graphics card, with bitsandbytes installed",
}


@dataclass(kw_only=True)
class Run:
    """One run folder: `run.sqlite` for rows, `run.json` for what the run is, `fits/` for what was fitted."""

    benchmark: Benchmark
    candidates: Sequence[Candidate]
    """All that are compared; a part of a run performs `performed` of them."""
    models: Models
    options: Options
    folder: Path
    performed: Sequence[Candidate] | None = None
    """None: all."""
    events: Events = field(default_factory=NullEvents)
    further: Further = field(default_factory=Further)
    left_out: Collection[str] = ()
    """Kinds of checks that are not made, though the options have them."""
    rules: Rules = field(default_factory=Rules)
    executor: Executor = field(default_factory=InProcessExecutor)
    """Where the units are performed."""
    compared: Mapping[str, Sets] = field(default_factory=dict)
    """Sets of texts that are told apart once everything is measured, by the key of the store."""
    reuse: Path | None = None
    """Folder of an earlier run from which looks and trainings are taken over."""
    fork: bool = False
    """Its answers too, where they are still valid."""
    dearer: Dearer = field(default_factory=Dearer)
    """Which models cost more than others: a cascade of two models hands on to the dearer one."""
    _began_on: str = field(default="", init=False, repr=False)
    """The device; empty where it begins now."""

    def check(self) -> None:
        """Raises `BadInput` for a model that cannot be opened, and for an earlier run of which nothing can be taken over."""
        identity = self.identity()
        if self.reuse is not None:
            must_suit(self.reuse, identity)

    def execute(self) -> None:
        """Performs every unit that is not finished yet."""
        earlier = None
        if self.reuse is not None:
            earlier = Earlier.open(self.reuse, self.identity(), provenance(self.models))
        private(self.folder)
        store = Store(self.folder / "run.sqlite")
        try:
            self._began_on = device_of(store.meta("provenance") or {})
            self._agree(store, earlier)
            self._open_spending(store)
            cut_off = bool(store.meta(LEFT))
            try:
                self._perform(store, earlier)
            except (UsedUp, LimitReached):
                self._add_cascade(store, cut_off)  # What is measured is told now.
                raise
            self._add_cascade(store, cut_off)
            if self.performed is None:
                self._compare_populations(store)
        finally:
            if self.models.spending is not None:
                self.models.spending.close()
            store.close()
            if earlier is not None:
                earlier.store.close()

    def _add_cascade(self, store: Store, cut_off: bool) -> None:
        """Once all are asked, whatever else is left to measure. `cut_off`: an earlier start was, and may have made one then."""
        asked = all("fit" not in left and "answer" not in left for left in (store.meta(LEFT) or {}).values())
        if asked and self.performed is None:
            add_cascade(self.benchmark, self.candidates, store, anew=cut_off, dearer=self.dearer)

    def _open_spending(self, store: Store) -> None:
        """What is paid is written down from now on; where it cannot be counted, the ledger alone knows it later."""
        spending, known = self.models.spending, store.meta(SPENT)
        if spending is not None:
            spending.open(known, store.ledger())
            store.set_meta(SPENT, spending.spent)
            spending.write_down = partial(store.note_meta, SPENT)
        elif known is not None:
            store.set_meta(SPENT, None)

    # ------------------------------------------------------------ what the run is

    def identity(self) -> dict[str, Any]:
        """What must be the same for a run to go on."""
        return {
            "task": self.benchmark.task.name,
            "task_hash": task_hash(self.benchmark),
            "stopping": self.benchmark.sequential,
            "heldout": self.benchmark.fingerprint,
            "cases": len(self.benchmark.heldout),
            "candidates": [candidate.name for candidate in self.candidates],
            "target": self.benchmark.target,
            **({} if self.benchmark.margin is None else {"margin": self.benchmark.margin}),
            **({"temperature": self.benchmark.task.temperature} if self.benchmark.task.temperature else {}),
            "options": asdict(self.options),
            "dtype": self.models.placement.dtype,
            "batches": self._of_models("batch_tokens"),
            "attention": self._of_models("attention"),
            "embedder": self.models.embedder_spec.name,
            **self._embedder_weights,
            **({} if self.models.reranker is None else {"reranker": self.models.reranker.fingerprint}),
            **(
                {"quantised": small}
                if (small := [name for name, is_so in self._of_models("quantised").items() if is_so])
                else {}
            ),
            "weights": {name: self._fingerprint(name) for name in self._names()},
            **({"teacher": self._lessons} if self._lessons else {}),
            **({"recorded": answers} if (answers := self._recorded) else {}),
            **({"foreign_code": code} if (code := codes(self.candidates)) else {}),
            "metric_code": metric_code(self.benchmark.metric),
        }

    @property
    def _embedder_weights(self) -> dict[str, str]:
        """Empty for one of ours, whose name says which they are. Earlier runs lack those of a folder named like a model of a hub,
        and of such a model."""
        if self.models.may_change:
            return {"embedder_weights": self.models.embedder.fingerprint}
        name = self.models.embedder_spec.name
        return {} if name in KNOWN else {"embedder_files": self.models.fingerprint(name, None)}

    @property
    def _recorded(self) -> dict[str, str]:
        """Recorded system -> hash of its answers: another file under the same name is another system."""
        found = {each.name: each.strategy for each in self.candidates}
        return {name: system.digest for name, system in found.items() if isinstance(system, Recorded)}

    @property
    def _lessons(self) -> str:
        """A hash of the teacher and of what it is asked; empty without one."""
        if not self.models.teacher:
            return ""
        asked = [self._fingerprint(self.models.teacher), *self.benchmark.task.unlabelled]
        return hashlib.sha256(json.dumps(asked).encode()).hexdigest()[:20]

    def _fingerprint(self, name: str) -> str:
        """Of a model as the run began with it: on another device its finished units have the same names."""
        return fingerprint_on(self.models.language(name), self._began_on)

    def _of_models(self, choice: str) -> dict[str, Any]:
        """What was chosen for each local model: what shares a batch, and which attention reads it, may change a last digit."""
        chosen = {name: getattr(self.models.language(name), choice, None) for name in self._names()}
        return {name: value for name, value in chosen.items() if value is not None}

    def _names(self) -> list[str]:
        return sorted({candidate.model for candidate in self.candidates if candidate.model})

    def _agree(self, store: Store, earlier: Earlier | None) -> None:
        """Freezes the identity at the first start; refuses to go on with another one, and says which part differs."""
        mine, known, made = self.identity(), store.meta("identity"), provenance(self.models)
        if known is None:
            store.set_meta("identity", mine)
            said = "taken over from an earlier run where equal"
            taken = {} if earlier is None else {"searches and trainings": said, **also_on([earlier.provenance])}
            store.set_meta("provenance", made | {"performed by": self.executor.description} | taken)
            return
        before = store.meta("provenance") or {}
        others = [name for name in CODE if before.get(name, made[name]) != made[name]]
        code = [(_SPOKEN.get(name, name), before[name], made[name]) for name in others]
        for name, was, now in (*_differences(known, mine), *code):
            if name == "weights" and (asked := self._asked_otherwise(was, now)):
                raise BadInput(
                    f"The run in {self.folder.name} asked the server of {asked} otherwise: another {HOW_ASKED}. Change it back, "
                    "or start without --resume into another folder."
                )
            raise BadInput(
                f"The run in {self.folder.name} was made with {name} {_short(was)}, and now it is {_short(now)}. "
                f"{_ADVICE.get(name, 'Change it back')}, or start without --resume into another folder{_forked(name)}."
            )

    def _asked_otherwise(self, was: Mapping[str, str], now: Mapping[str, str]) -> str:
        """A model on a server that is not asked as it was; empty where there is none."""
        served = [spec.name for spec in self.models.specs if spec.endpoint is not None]
        return next((name for name in served if name in was and was[name] != now.get(name, was[name])), "")

    # ------------------------------------------------------------ the work

    def _units(self, candidate: Candidate) -> list[Unit]:
        model = self._fingerprint(candidate.model) if candidate.model else ""
        salt = f"{task_hash(self.benchmark)}|{self.benchmark.fingerprint}|{model}"
        if self.benchmark.task.temperature:
            salt += f"|temperature {self.benchmark.task.temperature}"
        if is_taught(candidate):
            salt += f"|{self._lessons}"
        if is_advised(candidate, self.models.teacher):
            salt += f"|{self._fingerprint(self.models.teacher)}"
        further = further_units(self.benchmark, candidate, self.options, salt, self.further)
        own = [unit for unit in units(self.benchmark, candidate, self.options, salt) if unit.kind not in self.left_out]
        return [*own, *further]

    def _perform(self, store: Store, earlier: Earlier | None) -> None:
        mine = self.candidates if self.performed is None else self.performed
        if earlier is not None:
            self._take_over(earlier, store, mine)
        # What does not suit the task is settled at once: a run that is cut off would say that it is still to be measured.
        ordered = sorted(mine, key=lambda candidate: not candidate.strategy.unsuitable(self.benchmark.task))
        plan = [(unit, candidate) for candidate in ordered for unit in self._units(candidate)]
        self._tidy(store, [unit for unit, _ in plan])
        self._note_where(store, [unit for unit, _ in plan])
        scheduler = Scheduler(
            benchmark=self.benchmark,
            models=self.models,
            store=store,
            events=self.events,
            rules=self.rules,
            candidates=self.candidates,
            plan=plan,
        )
        job = Job(
            benchmark=self.benchmark,
            models=self.models,
            options=self.options,
            folder=self.folder,
            candidates={candidate.name: candidate for candidate in mine},
            fits={unit.candidate: unit.name for unit, _ in plan if unit.kind == "fit"},
        )
        self._must_hold_fits(job, scheduler.begun())
        writer = WriterService(
            store=store,
            journal=store.journal if earlier is None else earlier.layered(store.journal),
            spending=self.models.spending,
            events=self.events,
        )
        for done in self.executor.run(job, scheduler, writer):
            scheduler.finish(done)

    def _must_hold_fits(self, job: Job, names: Sequence[str]) -> None:
        """Raises `BadInput` where what was fitted for these candidates is gone: fitted again it might be something else than what
        was measured."""
        gone = [name for name in names if not (self.folder / "fits" / job.fits[name] / "complete.json").is_file()]
        if gone:
            raise BadInput(
                f"{self.folder.name} holds the rows of {', '.join(gone)} and not what was fitted, which is needed to go on. Put "
                "its folder fits back, or start without --resume into another folder."
            )

    def _tidy(self, store: Store, plan: Sequence[Unit]) -> None:
        """Removes what units trained for themselves and left when they were killed, but for those that are still to be done."""
        done = {name for name, note in store.finished().items() if not note.get(AGAIN)}
        left = {f"{SCRATCH}{unit.name}" for unit in plan if unit.kind in TAKEN_UP and unit.name not in done}
        for folder in self.folder.glob(f"{SCRATCH}*"):
            if folder.name not in left:
                shutil.rmtree(folder, ignore_errors=True)

    def _note_where(self, store: Store, plan: Sequence[Unit]) -> None:
        """Where the rest is measured on another machine or device than what is finished it is said, and kept for the report."""
        finished = {name for name, note in store.finished().items() if not note.get(AGAIN)}
        if not finished or all(unit.name in finished for unit in plan):
            return
        made = store.meta("provenance") or {}
        was, now = _where(made), _where(provenance(self.models))
        if was == now:
            return
        logging.getLogger(__name__).warning(
            "this run began on %s and goes on on %s: waiting times and costs of what each of them measured differ as the two do. "
            "A run in another folder measures all on one",
            was,
            now,
        )
        also = [place for place in str(made.get(ALSO, "")).split("; ") if place and place != now]
        store.set_meta("provenance", made | {ALSO: "; ".join([*also, now])})

    def _take_over(self, earlier: Earlier, store: Store, candidates: Sequence[Candidate]) -> None:
        earlier.hand_adapters_on(self.folder)
        identity = self.identity()
        for candidate in candidates if self.fork else ():
            if earlier.still_valid(identity, candidate):
                earlier.hand_units_on(self.folder, store, self._units(candidate))

    def _compare_populations(self, store: Store) -> None:
        """Once for each two sets: the file of real requests may be another when a run goes on."""
        for key, (names, texts) in self.compared.items():
            these = hashlib.sha256(json.dumps([names, texts]).encode()).hexdigest()[:20]
            if store.meta(f"{key}: of") != these:
                found = apart(names, texts, self.models.embedder, self.options.seed)
                store.set_meta(key, None if found is None else asdict(found))
                store.set_meta(f"{key}: of", these)


def _forked(name: str) -> str:
    """How to keep what such a change leaves valid."""
    kept = ("the approaches", "target", "margin")
    return ", with --fork and this one, which does no finished work again that is still valid" if name in kept else ""


def _differences(known: dict[str, Any], mine: dict[str, Any]) -> list[tuple[str, Any, Any]]:
    """(name, was, is) of what is not the same any more, options first: another seed also changes the hashes."""
    absent: dict[str, Any] = dict.fromkeys(OPTIONAL)
    pairs = [(known.get("options", {}), mine["options"]), ({**absent, **known}, {**absent, **mine, "options": None})]
    return [
        (_SPOKEN.get(name, name), was[name], value)
        for was, now in pairs
        for name, value in now.items()
        if name in was and name != "options" and was[name] != value
    ]


def provenance(models: Models) -> dict[str, str]:
    """Versions and machine, without names of people, hosts or folders."""
    packages = ("torch", "transformers", "peft", "sentence-transformers", "faiss-cpu", "numpy")
    return {
        **{name: version(name) for name in packages},
        "python": platform.python_version(),
        "system": f"{platform.system()} {platform.machine()}",
        "placement": str(models.placement),
        "machine": machine(),
        "program": program(),
        "started": time.strftime("%Y-%m-%d %H:%M UTC", time.gmtime()),
    }


def _where(made: Mapping[str, Any]) -> str:
    """Machine, device and number format of a provenance."""
    return f"{bare(made.get('machine'))} ({bare(made.get('placement'))})"


def _short(value: Any) -> str:
    text = "none" if value is None else json.dumps(value, ensure_ascii=False)
    return text if len(text) <= 80 else text[:77] + "..."
