"""From a task to a verdict: what the command line and the Python API share."""

from __future__ import annotations

import logging
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from advisor.contract import Verdict
from advisor.experiments.begun import (
    anew,
    anew_of_a_start,
    as_it_began,
    commits_then,
    held_in_four_bits,
    is_frozen,
)
from advisor.experiments.checking import left_out, left_out_of
from advisor.experiments.economical import check_economical, dearer_in, terms_of
from advisor.experiments.experiment import experiment_of, rivals_in, subject_of
from advisor.experiments.found import find
from advisor.experiments.report_files import write_reports
from advisor.experiments.room import within_memory
from advisor.experiments.run_setup import (
    further_of,
    models_of,
    prediction_of,
    unsuited,
    wanted_candidates,
    with_models,
    with_notes,
)
from advisor.experiments.stored import about_run, told
from advisor.experiments.torch_kept import torch_kept
from advisor.experiments.wished import check_wishes
from advisor.experiments.written import write_about
from advisor.story.cases import CaseChoice
from benchmarks.contract import BadInput, Candidate, Look
from benchmarks.costs.spending import LimitReached
from benchmarks.running.deadline import Allowance, UsedUp, within
from benchmarks.running.plan import Further, Options, rivals_among
from strategies.permissions import owner_only

if TYPE_CHECKING:
    from benchmarks.data.assemble import Assembly
    from benchmarks.data.population import Sets
    from benchmarks.executors.in_process import Executor
    from benchmarks.running.models import Models
    from benchmarks.running.run import Run
    from benchmarks.running.scheduler import Events
    from benchmarks.running.sharding import Shard

_log = logging.getLogger(__name__)

EFFORTS: Mapping[str, int] = {"quick": 25_000, "standard": 150_000, "thorough": 1_000_000}
"""Tuning budget of each approach in model tokens."""


@dataclass(frozen=True, kw_only=True)
class Wishes:
    """What a person may say beside the spec. None: as the spec or the file has it."""

    examples: int | None = None
    heldout: int | None = None
    target: float | None = None
    margin: float | None = None
    """In place of the spec's target or margin, like `target`."""
    effort: str = "standard"
    seed: int = 0
    approaches: tuple[str, ...] = ()
    """Names of candidates; empty: all of them."""
    models: tuple[str, ...] = ()
    second_seed: bool = True
    probes: str = "core"
    """`none`, `core` or `all`: what is measured beside right and wrong."""
    dtype: str | None = None
    accept_terms: bool = False
    allow_code: bool = False
    allow_remote: bool = False
    """Fetch data files that lie in a bucket or on the hub."""
    curve: bool = False
    """Fit with fewer examples too, to say what more would bring."""
    planted: bool = False
    """Measure how often text that is planted in requests and passages is followed."""
    rebuilds: int = 0
    """So many times fit everything again, on other examples and with other seeds, to say how much it moves."""
    changed: bool = False
    """Change facts in the documents, add labels or alter the format, and measure what follows, at once and fitted again."""
    stop_when_decided: bool = False
    """Ask the held-out cases in random order, and an approach no more once it is shown to meet the target or to miss it."""
    economical: bool = False
    """Fit nothing that comes after an approach that is proven to meet the target, or that could not be shown to be better than
    one that reaches it, and nothing with a language model where no score could prove that the target is met."""
    max_cost: float | None = None
    """Money that servers may be paid (for the part, with `shard`), in the currency of the prices; then the run stops likewise."""
    max_hours: float | None = None
    """Then the run stops and tells what is measured; the same again with the same folder goes on."""
    max_disk: float | None = None
    """Gigabytes that the run folder may take; then it stops likewise."""
    shard: str = ""
    """`1/3`: perform the first of three parts of the approaches, and tell nothing yet."""
    reuse: str | Path | None = None
    """Folder of an earlier run whose searches and trainings are taken over where they are the same."""
    fork: str | Path | None = None
    """The same, and whatever else of its finished work is still valid, answers to held-out cases included."""
    on: str = "here"
    """Where the work is done: `here` in this process, on `processes` of this machine, or on `ray`, `ray:HOST:PORT`."""
    workers: int | None = None
    """How many share it; None: one a core, on a cluster one a machine."""


@dataclass(kw_only=True)
class Prepared:
    """A run that is ready to start: everything was read and checked, nothing was spent."""

    assembly: Assembly
    models: Models
    candidates: Sequence[Candidate]
    options: Options
    origin: str = ""
    prediction: Mapping[str, Any] = field(default_factory=dict)
    reuse: Path | None = None
    fork: bool = False
    further: Further = field(default_factory=Further)
    keeps_checks: bool = False
    """All probes were asked for, so none is left out for want of time."""
    left_out: Mapping[str, float] | None = None
    """What is left out (`advisor.experiments.checking`); None until that is settled."""
    economical: bool = False
    traffic: Sequence[str] = ()
    """Real requests without answers."""
    shard: Shard | None = None
    executor: Executor
    allowed: Allowance = field(default_factory=Allowance)
    looks: Path | None = None
    """The folder beside whose task this look at the held-out cases is written down; None for a task by name, which people
    try things out on."""
    anew: str = ""
    """Of a run that a server answers anew: what tells it from the same one begun before, whose answers were others."""

    @property
    def experiment(self) -> str:
        """Names what is run (`advisor.experiments.experiment`)."""
        return experiment_of(self) + self.anew

    @property
    def performed(self) -> Sequence[Candidate]:
        """The candidates of this part of the run; all of them where it is no part."""
        return self.candidates if self.shard is None else self.shard.of_these(self.candidates)

    def at(self, look: Look) -> Assembly:
        """The assembly at that look, with what these candidates can show."""
        return self.assembly.at(look, rivals_among(self.candidates, self.assembly.benchmark.task))

    def go_on(self, folder: Path) -> None:
        """Put at what the run in the folder began with: look, prices, limits, commits, how models are held (`begun`)."""
        self.models.commits.update(commits_then(folder))
        self.models.in_four_bits = held_in_four_bits(folder)
        self.assembly = as_it_began(self.assembly, folder)
        self.assembly = self.at(self.assembly.benchmark.look)
        self.left_out = left_out_of(folder)

    def run(self, folder: Path, events: Events | None = None) -> Run:
        from benchmarks.running.run import Run
        from benchmarks.running.scheduler import NullEvents, rules_of

        return Run(
            benchmark=self.assembly.benchmark,
            candidates=self.candidates,
            performed=None if self.shard is None else self.performed,
            models=self.models,
            options=self.options,
            folder=folder,
            executor=self.executor,
            events=events or NullEvents(),
            reuse=self.reuse,
            fork=self.fork,
            further=self.further,
            left_out=self.left_out or (),
            rules=rules_of(self.assembly.benchmark, self._level, terms_of(self, folder) if self.economical else None),
            compared=self.populations,
            dearer=dearer_in(self, folder),
        )

    @property
    def populations(self) -> Mapping[str, Sets]:
        """Which sets of texts are worth telling apart (`benchmarks.data.population`). Raises `BadInput`."""
        from benchmarks.data.population import sets_to_compare

        return sets_to_compare(self.assembly.benchmark, self.traffic, self.assembly.spec)

    @property
    def _level(self) -> float:
        """Of one claim about one candidate, those of a cascade that may be made of them included."""
        from benchmarks.statistics.looks import level_of

        look = self.assembly.benchmark.look
        return level_of(look.number) / (len(self.candidates) + len(look.missing) + (len(self.candidates) > 1))


def prepare(task: str | Path, wishes: Wishes | None = None) -> Prepared:
    """Reads a task.yaml or a named task and plans its candidates; nothing is spent or sent. Raises `BadInput`."""
    from benchmarks.data.assemble import Limits
    from benchmarks.executors.chosen import chosen
    from benchmarks.running.installed import check_priced
    from benchmarks.running.reuse import must_hold_a_run
    from benchmarks.running.sharding import Shard
    from benchmarks.statistics.looks import look_at

    wishes = check_wishes(wishes or Wishes())
    if wishes.effort not in EFFORTS:
        raise BadInput(f"effort is {wishes.effort!r}; it is one of {', '.join(EFFORTS)}.")
    executor = chosen(wishes.on, wishes.workers)
    allowed = Allowance(wishes.max_hours, wishes.max_disk)
    if wishes.reuse is not None and wishes.fork is not None:
        raise BadInput("--fork takes over all that --reuse does, and answers too: give one of them.")
    given = wishes.fork if wishes.reuse is None else wishes.reuse
    earlier = None if given is None else Path(given)
    if earlier is not None:
        must_hold_a_run(earlier)
    found = find(task, wishes.allow_remote)
    spec = with_models(found.spec, wishes.models)
    models, left_out = models_of(spec, wishes, found.folder).permitted()
    models.check_servers()
    for each in models.specs:
        check_priced(each, spec.prices)
    limits = Limits(
        examples=wishes.examples,
        heldout=wishes.heldout,
        target=wishes.target,
        margin=wishes.margin,
        stop_when_decided=wishes.stop_when_decided,
    )
    found = replace(found, spec=spec)
    assembly, traffic = found.assembled(limits, wishes.seed, wishes.allow_code), found.traffic()
    assembly = with_notes(assembly, (*left_out, *traffic.notes))
    models.read_together(case.input for case in assembly.benchmark.task.examples)
    if wishes.economical:
        check_economical(assembly.benchmark)
    shard = Shard.read(wishes.shard) if wishes.shard else None
    if shard is not None and wishes.economical:
        raise BadInput(
            "--economical asks what the other approaches reach, and a part of a run cannot know. Leave it out."
        )
    options = Options(
        seed=wishes.seed,
        tuning_tokens=EFFORTS[wishes.effort],
        probes=wishes.probes != "none",
        second_seed=wishes.second_seed,
    )
    planned = wanted_candidates(assembly, found.folder, models, wishes.approaches)
    prepared = Prepared(
        assembly=with_notes(assembly, unsuited(assembly, planned, wishes.approaches)),
        models=models,
        candidates=planned,
        options=options,
        origin=found.origin,
        prediction=prediction_of(found.folder, whole=wishes.examples is None and wishes.heldout is None),
        reuse=earlier,
        fork=wishes.fork is not None,
        further=further_of(wishes, assembly.benchmark, assembly.spec.teacher or ""),
        keeps_checks=wishes.probes == "all",
        economical=wishes.economical,
        traffic=traffic.texts,
        shard=shard,
        executor=executor,
        allowed=allowed,
        looks=None if found.origin else found.folder,
        anew=anew(models, shard, earlier if wishes.fork is not None else None),
    )
    _ = prepared.populations  # A time that cannot be read is said before anything is spent.
    known = (prepared.experiment, subject_of(prepared), rivals_in(prepared))
    look = look_at(assembly.benchmark.heldout, found.folder, *known)
    return replace(prepared, assembly=prepared.at(look))


# ---------------------------------------------------------------- running and telling


@torch_kept()
def advise(
    task: str | Path, *, out: Path | str | None = None, wishes: Wishes | None = None, events: Events | None = None
) -> Verdict:
    """Runs the whole comparison and returns the verdict. Without `out` the run lies in a folder of its own under `runs`.

    Its reports lie in the folder of the run then. Interrupted, the same call with the same `out` goes on where it stopped.
    Raises `BadInput` for everything that a person can correct.
    """
    prepared = prepare(task, wishes)
    folder = Path(out) if out is not None else run_folder(prepared.assembly.benchmark.task.name)
    verdict = execute(prepared, folder, events)
    with owner_only():
        write_reports(verdict, folder)
    return verdict


def run_folder(name: str, shard: Shard | None = None) -> Path:
    """Where the run of the task, or a part of it, lies unless a person says otherwise: always inside `runs`."""
    part = "" if shard is None else f"-{shard.number}-of-{shard.of}"
    return Path("runs") / ((re.sub(r"[^\w.-]+", "-", name).strip("-.") or "task") + part)


@torch_kept()
def execute(prepared: Prepared, folder: Path, events: Events | None = None, cases: CaseChoice = "none") -> Verdict:
    """Performs what is left to do in the run folder, and tells what came out. Raises `BadInput`, also for a part of a run.

    What is made in the folder meanwhile, only its owner can read.
    """
    from benchmarks.running.run_lock import run_lock
    from benchmarks.statistics.looks import remember_place, write_down
    from benchmarks.storage.bom import write_bom
    from benchmarks.storage.private import private

    if prepared.shard is not None:
        raise BadInput("A part of a run has no verdict. Perform it with execute_part, or leave out the shard.")
    with owner_only(), run_lock(private(folder)):
        try:
            _perform(prepared, folder, events)
        except UsedUp as error:
            _log.warning("%s", prepared.allowed.told(error, folder))
        except LimitReached as error:
            _log.warning("%s", error)
        reranker = prepared.models.reranker_spec
        write_bom(
            folder, prepared.run(folder).identity(), prepared.models.commits, "" if reranker is None else reranker.name
        )
        about = about_run(folder)
        benchmark = prepared.assembly.benchmark
        if prepared.looks is not None:  # Once more, for what was put together of parts or begun by an earlier version.
            experiment = about.get("experiment", prepared.experiment)  # What was begun, not what a resumed run is told.
            write_down(benchmark, prepared.looks, experiment, rivals_in(prepared))
            remember_place(folder, prepared.looks, experiment, about.get("subject", ""))
        return told(folder, about, benchmark, cases)


@torch_kept()
def execute_part(prepared: Prepared, folder: Path, events: Events | None = None) -> None:
    """Performs one part of a run, of which nothing can be told before `sharding.merge` has put all together."""
    from benchmarks.running.run_lock import run_lock
    from benchmarks.storage.private import private

    with owner_only(), run_lock(private(folder)):
        try:
            _perform(prepared, folder, events)
        except UsedUp as error:
            raise BadInput(
                f"This part is not finished: {prepared.allowed.told(error, folder)}. What was finished is kept: the same command "
                "with --resume goes on."
            ) from None


def _perform(prepared: Prepared, folder: Path, events: Events | None) -> None:
    prepared.allowed.check(folder)
    if is_frozen(folder):
        prepared.go_on(folder)
    else:
        _begin(prepared, folder)
    with within(prepared.allowed, folder):
        within_memory(prepared, prepared.run(folder, events)).execute()


def _begin(prepared: Prepared, folder: Path) -> None:
    """Describes the run in its folder, and writes its look down beside the task. What began since it was prepared was a look
    before this one, so `prepared` is put at the look that it is now."""
    from benchmarks.data.frozen import keep_code
    from benchmarks.statistics.looks import begin_look, remember_place

    if prepared.left_out is None:
        prepared.left_out = left_out(prepared)
    prepared.run(folder).check()  # Before anything says that there is a run, or that it was a look.
    if prepared.anew and not prepared.fork:
        prepared.anew = anew_of_a_start(folder, experiment_of(prepared)) or prepared.anew
    if prepared.looks is not None:
        experiment, subject = prepared.experiment, subject_of(prepared)
        look = begin_look(prepared.assembly.benchmark, prepared.looks, experiment, subject, rivals_in(prepared))
        prepared.assembly = prepared.at(look)
        remember_place(folder, prepared.looks, experiment, subject)
    keep_code(prepared.assembly.benchmark, folder)
    write_about(prepared, folder)
