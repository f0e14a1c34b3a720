"""What a run will need, before any weights are loaded: memory and minutes, from sizes and a short measurement."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import cache
from pathlib import Path

from benchmarks.contract import Benchmark, Candidate
from benchmarks.costs.hosted import (
    CHARACTERS_A_TOKEN,
    Load,
    RequestTotals,
    all_learn,
    in_all,
    load_of,
    load_of_advice,
    load_of_rewording,
    load_of_teacher,
    with_proposals,
)
from benchmarks.costs.needed import Computed, Needed, by_model, needed, needed_to_teach
from benchmarks.costs.work import Work, makespan
from benchmarks.probes.rebuilds import SHARE
from benchmarks.probes.reworded import rewords
from benchmarks.running.models import Models
from benchmarks.running.plan import Further, Options, is_advised, is_taught, lane_of, rebuild_units
from strategies.contract import LanguageModel, Trains, thoughts
from strategies.finetuning.partner import ROOM
from strategies.models.device import Fit, Placement, fits, wait_for
from strategies.models.measured import busy
from strategies.models.served import ServedModel
from strategies.models.sizes import COPIES, FIXED_BYTES, bytes_as_float32, copy_bytes, needed_for, read_bytes
from strategies.models.vllm_server import memory_of
from strategies.traits import Foretells, TrainsEmbedder

EFFICIENCY = 0.5
"""Share of the measured matrix rate that whole forward passes reached on the machines where this was measured."""
TRAINING = 3
"""Passes over a token that is trained on, where all weights learn."""
FIXED_S = 60.0
"""Reading, loading and telling, whatever runs."""
SHARED = 1.4
"""Times as much as one process with all threads get done several with their shares of them: what lies between matrix
products gains little from further threads (two on two cores; LOG.md)."""
REQUEST_S = 1.0
"""Of a hosted model with a short answer: a guess, since nobody is asked beforehand."""
THOUGHTS_A_SECOND = 50
"""Tokens that it thinks in a second, as many as it may before each answer: another guess."""
START_S = 15.0
"""Until a further worker has loaded what it needs: a guess that leaves room for slow disks."""


@dataclass(frozen=True, kw_only=True)
class Forecast:
    """Peak memory in bytes and minutes of a whole run; both are estimates and say so."""

    memory: int
    minutes: float
    fits: bool
    sentence: str
    works: tuple[Work, ...] = ()
    read: int = 0
    """Bytes of the machine's own memory at the peak, where `memory` is that of a graphics card."""
    partner: int = 0
    """Bytes of the memory that a second process takes which trains along, where a process has several threads."""
    servers: int = 0
    """Bytes of the memory that servers take which the run starts: one for each model, whatever the number of workers here."""
    asked: tuple[RequestTotals, ...] = ()
    """What models that answer at a server are asked at most, each of them."""
    asked_by_several: tuple[RequestTotals, ...] = ()
    """The same by several workers: none knows what another is being answered."""
    computed: tuple[Computed, ...] = ()
    """What models in this process compute, each of them."""
    machines: int | None = None
    """Of a cluster, at most one for each worker and like this one, all paid for as long as the run takes; None: this machine."""

    @property
    def minutes_without_fits(self) -> float:
        """In one process, where every search and training can be taken over from an earlier run."""
        return (FIXED_S + sum(work.rest + work.again for work in self.works)) / 60


def forecast(
    benchmark: Benchmark,
    candidates: Sequence[Candidate],
    models: Models,
    options: Options,
    further: Further | None = None,
) -> Forecast:
    """Estimates tokens from text lengths, and seconds from a matrix product measured now. Loads no weights."""
    asked = (options, further or Further())
    found = reckoned(benchmark, candidates, models, asked, matrix_rate(models.placement))
    minutes = (FIXED_S + sum(work.seconds for work in found.works)) / 60
    room = _room(found.memory, found.read, models.placement.device)
    if not room.fits and found.partner:
        found.alone = True  # As a training is then, too.
        room = _room(found.memory, found.read, models.placement.device)
    return Forecast(
        memory=found.memory,
        read=found.read,
        minutes=minutes,
        fits=room.fits,
        sentence=found.says(minutes) if room.fits else f"the run {room.sentence}; name a smaller model or free memory",
        works=tuple(found.works),
        partner=found.partner,
        servers=sum(found.servers.values()),
        asked=in_all(found.loads),
        asked_by_several=in_all([*found.loads, *found.shared]),
        computed=by_model(found.computed),
    )


def reckoned(
    benchmark: Benchmark,
    candidates: Sequence[Candidate],
    models: Models,
    asked: tuple[Options, Further],
    rate: float,
) -> _Reckoned:
    """`rate`: of a matrix product, in FLOP/s."""
    options, further = asked
    found = _Reckoned(benchmark=benchmark, models=models, options=options, further=further, rate=rate)
    for candidate in candidates:
        if not candidate.strategy.unsuitable(benchmark.task):
            found.add(candidate)
    found.reword()
    return found


@dataclass(kw_only=True)
class _Reckoned:
    """What the candidates of a run take, one after another."""

    benchmark: Benchmark
    models: Models
    options: Options
    further: Further
    rate: float
    """FLOP/s of a matrix product."""
    works: list[Work] = field(default_factory=list)
    loads: list[Load] = field(default_factory=list)
    shared: list[Load] = field(default_factory=list)
    """What a teacher was asked already in this process."""
    taught: bool = False
    """Somebody learns from the teacher."""
    computed: list[Computed] = field(default_factory=list)
    servers: dict[str, int] = field(default_factory=dict)
    """Bytes of the memory that each server takes which the run starts."""
    in_four_bits: list[str] = field(default_factory=list)
    largest: int = 0
    """Bytes of a copy of the largest model that this process holds."""
    trained: int = 0
    """Bytes of a copy of the largest one that is trained."""
    held: set[str] = field(default_factory=set)
    """Models that this process holds."""
    alone: bool = False
    """There is no memory for a second process that trains along."""
    on_the_way: int = 0
    """Bytes that a model takes where it is read for a graphics card, at most."""

    def add(self, candidate: Candidate) -> None:
        if not candidate.model:
            asked = (self.options, self.further)
            self.works.append(_without_model(self.benchmark, candidate, self.models, asked, self.rate))
            return
        if is_taught(candidate) and candidate.model == self.models.teacher:
            return  # Nobody teaches himself.
        model = self.models.language(candidate.model)
        folder = getattr(model, "folder", None)
        if advised := is_advised(candidate, self.models.teacher):
            self._ask_for_advice(candidate)
        if folder is not None:
            if is_taught(candidate):
                self._teach(candidate)
            size = bytes_as_float32(folder)
            self._hold(model, folder, trains=Trains in candidate.strategy.needs)
            self._compute((candidate, model.name), size, needed(self.benchmark, candidate, self.options, self.further))
        elif all(isinstance(model, need) for need in candidate.strategy.needs):
            asked_of = with_proposals(self.benchmark) if advised else self.benchmark
            self._wait_for(load_of(asked_of, candidate, model, self.options, self.further), candidate)

    def reword(self) -> None:
        """What a teacher at a server writes once for all; one in this process takes a moment for it."""
        teacher = self.further.reworded_by
        if teacher and rewords(self.benchmark.task) and self.models.served(teacher):
            model = self.models.language(teacher)
            self.loads.append(load_of_rewording(self.benchmark, model, self.options.seed))

    def _ask_for_advice(self, candidate: Candidate) -> None:
        """Of the teacher, in each fit; that is no more than a moment."""
        teacher = self.models.language(self.models.teacher)
        if self.models.served(teacher.name):
            times = 1 + self._rebuilds(candidate)
            self.loads.append(load_of_advice(self.benchmark.task, teacher, self.options.seed, times))
        elif (folder := getattr(teacher, "folder", None)) is not None:
            self._hold(teacher, folder, trains=False)

    def _rebuilds(self, candidate: Candidate) -> int:
        return len(rebuild_units(self.benchmark, candidate, self.options, "", self.further.rebuilds))

    def _teach(self, candidate: Candidate) -> None:
        """What the teacher does for a student, in each of its fits. Students whose requests are the same share its answers; of
        more requests than they can learn from each has its own, as its tokens are."""
        task, teacher = self.benchmark.task, self.models.language(self.models.teacher)
        rebuilt = self._rebuilds(candidate)
        known, self.taught = self.taught and all_learn(task, self.options), True
        if self.models.served(teacher.name):
            load = load_of_teacher(task, teacher, self.options, rebuilt)
            if known:
                self.shared.append(load)
            else:
                self._wait_for(load, candidate)
        elif (folder := getattr(teacher, "folder", None)) is not None:
            self._hold(teacher, folder, trains=False)
            if not known:
                tokens = needed_to_teach(self.benchmark, candidate, self.options, rebuilt)
                self._compute((candidate, teacher.name), bytes_as_float32(folder), tokens)

    def _wait_for(self, load: Load, candidate: Candidate) -> None:
        self.loads.append(load)
        self.works.append(_waiting(load, self.models, lane_of(candidate, candidate.model)))

    def _hold(self, model: LanguageModel, folder: Path, trains: bool) -> None:
        """The memory of a model whose weights lie in the folder: in this process, or at a server for it."""
        placement, small = self.models.placement, bool(getattr(model, "quantised", False))
        if small and model.name not in self.in_four_bits:
            self.in_four_bits.append(model.name)
        if isinstance(model, ServedModel):
            size = bytes_as_float32(folder) // (1 if placement.dtype == "float32" else 2)
            self.servers[model.name] = memory_of(size, placement.device)
        if trains or model.name not in self.servers:
            self.held.add(model.name)
            copy = copy_bytes(folder, placement, small)
            self.largest = max(self.largest, copy)
            self.trained = max(self.trained, copy) if trains else self.trained
            self.on_the_way = max(self.on_the_way, 0 if small else read_bytes(folder, trains))

    def _compute(self, by: tuple[Candidate, str], size: int, tokens: Needed) -> None:
        """Two operations for each weight, which float32 writes in four bytes, and token; for a candidate, by a model."""
        flops, (candidate, model) = 2 * size / 4, by
        self.computed.append(tokens.computed(model))
        fit, later, again = (passes * flops / (self.rate * EFFICIENCY) for passes in tokens.passes)
        self.works.append(Work(lane=lane_of(candidate, candidate.model), fit=fit, rest=later, again=again))

    @property
    def partner(self) -> int:
        """Bytes that a second process takes which trains along."""
        placement = self.models.placement
        paired = self.trained and placement.device == "cpu" and placement.threads > 1 and not self.alone
        return ROOM + self.trained if paired else 0

    @property
    def memory(self) -> int:
        copies = COPIES if self.trained or len(self.held) > 1 else 1
        held = needed_for(self.largest, copies)
        return held + self.partner + _largest_fit(self.works) + sum(self.servers.values())

    @property
    def read(self) -> int:
        return FIXED_BYTES + self.on_the_way if self.models.placement.device.startswith("cuda") else 0

    def says(self, minutes: float) -> str:
        sentence = f"expected: about {_minutes(minutes)}, {self.memory / 1e9:.1f} GB of memory at the peak"
        if self.in_four_bits:
            sentence += f"; {', '.join(self.in_four_bits)} in four bits, since the graphics card holds no more"
        return f"{sentence} (something else is running now; less if that ends)" if busy() else sentence


def _without_model(
    benchmark: Benchmark, candidate: Candidate, models: Models, asked: tuple[Options, Further], rate: float
) -> Work:
    """Of an approach that trains the embedder, or says what it takes; the others take moments."""
    (options, further), strategy, seconds, memory = asked, candidate.strategy, 0.0, 0
    if isinstance(strategy, Foretells):
        seconds, memory = strategy.foretold(benchmark.task)
    elif isinstance(strategy, TrainsEmbedder) and (folder := getattr(models.embedder, "folder", None)) is not None:
        most = options.tuning_tokens * CHARACTERS_A_TOKEN
        tokens = strategy.trained_characters(benchmark.task, most) / CHARACTERS_A_TOKEN
        seconds = TRAINING * tokens * 2 * bytes_as_float32(folder) / 4 / (rate * EFFICIENCY)
    built = len(rebuild_units(benchmark, candidate, options, "", further.rebuilds)) if seconds else 0
    memory = memory if models.placement.device == "cpu" else 0  # What is counted elsewhere is that of the card.
    return Work(lane=lane_of(candidate, ""), fit=seconds, rest=SHARE * built * seconds, memory=memory)


def _room(memory: int, read: int, device: str) -> Fit:
    """On the device, and where that has enough, where models are read for it."""
    room = fits(memory, device)
    return fits(read) if room.fits and read else room


def _largest_fit(works: Sequence[Work]) -> int:
    """Bytes that the fits without a language model take, one after another, in one of the workers."""
    return max((work.memory for work in works), default=0)


def _waiting(load: Load, models: Models, lane: tuple[str, str]) -> Work:
    """For a server, which is sent several requests at once."""
    thinks = thoughts(models.language(load.model)) / THOUGHTS_A_SECOND
    each = (REQUEST_S + thinks) / models.at_once(load.model)
    return Work(lane=lane, fit=each * load.searching, rest=each * load.answering, waits=True)


def _minutes(minutes: float) -> str:
    whole = max(1, round(minutes))
    return f"{whole} minute{'s' * (whole != 1)}"


def on_workers(alone: Forecast, workers: int, placement: Placement, here: bool) -> Forecast:
    """The same on several workers: `here` each with its share of the threads, else each with a machine like this one; with
    models of its own, and its share of the requests that a server takes at once."""
    threads = max(1, placement.threads // workers) if here else placement.threads
    slower = _slower(workers, threads, placement) if here else 1.0
    works = [work.times(workers if work.waits else slower) for work in alone.works]
    minutes = (FIXED_S + (START_S if workers > 1 else 0.0) + makespan(works, workers)) / 60
    held_once = alone.servers + _largest_fit(alone.works)
    each_takes = alone.memory - held_once - (alone.partner if threads < 2 else 0)
    memory = each_takes * workers + held_once if here else alone.memory
    room = _room(memory, alone.read * workers, placement.device)
    if here and not room.fits and threads > 1 and alone.partner:
        memory -= alone.partner * workers  # No training is shared then.
        room = _room(memory, alone.read * workers, placement.device)
    each = "in all" if here else "for each"
    crew = f"{workers} worker{'' if workers == 1 else 's'}"
    where = "" if here else f",{' each' * (workers > 1)} on a machine like this one"
    sentence = (
        f"expected on {crew}{where}: about {_minutes(minutes)} (one process: {max(1, round(alone.minutes))}), "
        f"{memory / 1e9:.1f} GB of memory {each}"
    )
    if here and workers > placement.threads and placement.device == "cpu":
        sentence += (
            f"; more workers than this machine has threads ({placement.threads}) gain nothing where models compute on it, and "
            "make that look dearer, since they wait for each other"
        )
    if here and not room.fits:
        sentence = f"a run on {workers} workers, each of which loads the models, {room.sentence}; take fewer workers"
    asked = alone.asked_by_several if workers > 1 or not here else alone.asked
    found = replace(alone, memory=memory, minutes=minutes, fits=room.fits or not here, sentence=sentence, asked=asked)
    return found if here else replace(found, machines=workers)


def _slower(workers: int, threads: int, placement: Placement) -> float:
    """How many times as long a piece of work takes with so many threads of this machine, while the others work too."""
    if placement.device != "cpu":
        return float(workers)  # They share one card.
    slower = matrix_rate(placement) / matrix_rate(replace(placement, threads=threads))
    shared = SHARED if workers > 1 else 1.0
    return slower / shared * max(1.0, workers * threads / placement.threads)


@cache
def matrix_rate(placement: Placement) -> float:
    """FLOP/s of a matrix product of a small model's shape in the run's dtype, at its best in half a second; once a process."""
    import torch

    dtype, before = getattr(torch, placement.dtype), torch.get_num_threads()
    left = torch.randn(1024, 576, device=placement.device).to(dtype)
    right = torch.randn(576, 1536, device=placement.device).to(dtype)
    torch.set_num_threads(placement.threads)
    best, until = 0.0, time.perf_counter() + 0.6
    while time.perf_counter() < until:
        start = time.perf_counter()
        for _ in range(4):
            left @ right
        wait_for(placement.device)
        best = max(best, 4 * 2 * 1024 * 576 * 1536 / (time.perf_counter() - start))
    torch.set_num_threads(before)
    return best
