"""The types that every part of the product speaks, and the protocols that a plug-in implements; nothing else.

An approach sees a `Task`, which has no held-out cases, and later `Query` objects, which carry an input and a key made
from it. What it gives back is one of three outcomes. Everything here is plain data: no torch, no files, no network.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, Protocol, runtime_checkable

Kind = Literal["classification", "extraction", "qa", "generation"]
Step = Literal["search", "index", "training", "answering"]
Family = Literal["reference", "prompting", "retrieval", "finetuning", "combined", "recorded"]
TUNED: tuple[Family, ...] = ("finetuning", "combined")
"""Those that train the language model."""


# ---------------------------------------------------------------- data


@dataclass(frozen=True, kw_only=True)
class Case:
    """One example or held-out case, with its key. Only examples ever reach an approach."""

    id: str
    input: str
    output: str
    answers: tuple[str, ...] = ()
    """Accepted alternatives; `output` is always accepted."""
    document_ids: tuple[str, ...] = ()
    """The documents that hold the answer, where the data says so."""
    group: str = ""
    """Cases of one group are not independent (near-duplicates, the same document). Empty: a group of its own."""
    slices: Mapping[str, str] = field(default_factory=dict)
    metadata: Mapping[str, Any] = field(default_factory=dict)
    """What a metric may need besides the answers, such as the names that a rewriting must keep."""

    @property
    def accepted(self) -> tuple[str, ...]:
        """Every accepted answer, the first one being the one to learn from."""
        return (self.output, *(answer for answer in self.answers if answer != self.output))


@dataclass(frozen=True, kw_only=True)
class Document:
    """One text that answers can be looked up in. `date` (ISO 8601) tells which of two versions is newer."""

    id: str
    text: str
    title: str = ""
    date: str = ""


@dataclass(frozen=True, kw_only=True)
class Query:
    """What an approach is asked: an input, and a key that is a hash of it (a file's own id may spell the label)."""

    key: str
    input: str

    @classmethod
    def of(cls, text: str) -> Query:
        return cls(key=hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:20], input=text)


@dataclass(frozen=True, kw_only=True)
class Usage:
    """What one step cost. Tokens are counted by the model that spent them; seconds are wall-clock."""

    model: str
    step: Step
    prompt_tokens: int = 0
    cached_tokens: int = 0
    """The part of `prompt_tokens` whose states were reused instead of computed."""
    answer_tokens: int = 0
    seconds: float = 0.0
    calls: int = 1
    cost: float | None = None
    """Money that is known to have been paid for it (a recorded bill); None: to be worked out from prices, or unknown."""

    @property
    def computed_tokens(self) -> int:
        return self.prompt_tokens - self.cached_tokens + self.answer_tokens


# ---------------------------------------------------------------- outcomes


@dataclass(frozen=True, kw_only=True)
class Evidence:
    """A passage that was shown to the model: characters `start` to `end` of the document. Of an example `end` is 0, since ids of
    examples and of documents may be the same."""

    document_id: str
    text: str
    score: float
    start: int = 0
    end: int = 0


@dataclass(frozen=True, kw_only=True)
class Prediction:
    """An answer. `probabilities` are over the task's labels and sum to 1, where the approach has them."""

    text: str
    evidence: tuple[Evidence, ...] = ()
    probabilities: Mapping[str, float] | None = None
    certainty: float | None = None
    """Of other answers, where the model states it: how likely it finds this one, from 0 to 1; comparable within one approach
    only. None: it was not stated, as in runs of before."""
    truncated: bool = False
    """The input was cut, or the answer hit its length limit."""
    usage: tuple[Usage, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Abstention:
    """The approach declines to answer: not right, and counted in its own column."""

    reason: str
    evidence: tuple[Evidence, ...] = ()
    usage: tuple[Usage, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Failure:
    """No usable answer. `infrastructure` faults were retried before they came here; the others are the approach's own."""

    kind: Literal["refused", "unparsable", "infrastructure"]
    message: str
    raw: str = ""
    lasting: bool = False
    """Of infrastructure: asking again is of no use (`Completion.lasting`)."""
    usage: tuple[Usage, ...] = ()


Outcome = Prediction | Abstention | Failure


# ---------------------------------------------------------------- the task


class Score(Protocol):
    """Scores one answer in [0, 1]; handed in, so that approaches can select without importing the metrics."""

    def __call__(self, case: Case, outcome: Outcome) -> float: ...


class OverRows(Protocol):
    """A metric of labels whose figure exists for many answers together only."""

    @property
    def label(self) -> str:
        """The label whose figure it is; empty: that of all labels alike."""
        ...

    def figures(self, answers: Sequence[tuple[Case, str]], counts: Any) -> Any:
        """Array (draws,) of figures in [0, 1], from how often each of the answers counts: (draws, answers)."""
        ...


@runtime_checkable
class ScoresRows(Protocol):
    """A score may say so of its metric."""

    @property
    def over_rows(self) -> OverRows | None:
        """None where the figure is the mean of the scores."""
        ...


@dataclass(frozen=True, kw_only=True)
class Fold:
    """One cut of the examples: fit on `train`, choose on `selection`."""

    train: tuple[Case, ...]
    selection: tuple[Case, ...]


@dataclass(frozen=True, kw_only=True)
class Task:
    """What an approach may know. It has no held-out cases: leaking them is a type error."""

    name: str
    kind: Kind
    instruction: str
    folds: tuple[Fold, ...]
    """Cut once, the same for every approach: one fold from 300 examples on, else three."""
    score: Score
    labels: tuple[str, ...] = ()
    schema: Mapping[str, Any] | None = None
    documents: tuple[Document, ...] = ()
    temperature: float = 0.0
    unlabelled: tuple[str, ...] = ()
    """Inputs without answers, none like a held-out case, for a teacher to answer; empty where the task names none."""

    @property
    def examples(self) -> tuple[Case, ...]:
        """All examples in one stable order: what the chosen configuration is refitted on."""
        fold = self.folds[0]
        return tuple(sorted((*fold.train, *fold.selection), key=lambda case: case.id))


# ---------------------------------------------------------------- models


@dataclass(frozen=True)
class Message:
    role: Literal["system", "user", "assistant"]
    content: str
    asked: str = field(default="", compare=False)
    """The input that the content asks about, where it is one of a request: a schema may let answers copy from it."""
    paragraphs: bool = field(default=False, compare=False)
    """An answer of several paragraphs stands within the content, as that of an example."""


Prompt = tuple[Message, ...]


@dataclass(frozen=True, kw_only=True)
class Sampling:
    """How answers are drawn. At temperature 0 the seed changes nothing but the batch neighbours."""

    temperature: float = 0.0
    seed: int = 0
    schema: str = ""
    """JSON schema that a generated answer is held to, as JSON text; models that cannot do so ignore it.

    A string with a `pattern` stands for plain text of that form."""
    alternatives: int = 0
    """How many of the likeliest tokens to state for each place of an answer; models that cannot do so ignore it."""


@dataclass(frozen=True, kw_only=True)
class Place:
    """One token of an answer, and the natural log-probabilities of the likeliest tokens there, itself among them."""

    chosen: str
    likely: Mapping[str, float]


@dataclass(frozen=True, kw_only=True)
class Completion:
    """What a model made of one prompt. `finished` is False when the length limit cut it."""

    text: str
    usage: Usage
    finished: bool = True
    declined: bool = False
    """The model refused, or its provider filtered what it wrote; the text is what came of it, and no answer."""
    error: str = ""
    """Non-empty: the model gave no answer; the text says why, after the retries."""
    lasting: bool = False
    """With an error: the server was there and refused this very request, so asking again is of no use."""
    billed: bool = True
    """With an error: the server may send a bill for the last try all the same."""
    places: tuple[Place, ...] = ()
    """The answer's tokens with their alternatives, where they were asked for and the model states them."""
    odds: tuple[float, ...] = ()
    """The natural log-probability of each token of the answer and of its end, under what a schema allows, where the model
    states them."""


@dataclass(frozen=True, kw_only=True)
class LabelScores:
    """Natural log-likelihood of each label as the whole answer, in the order in which the labels were given."""

    log_likelihoods: tuple[float, ...]
    usage: Usage
    error: str = ""


@runtime_checkable
class LanguageModel(Protocol):
    """What every model can do: say what it is, and count."""

    @property
    def name(self) -> str: ...

    @property
    def fingerprint(self) -> str:
        """A hash of what determines its answers: weights and revision, dtype, adapter, or the server's address and model."""
        ...

    @property
    def context_tokens(self) -> int: ...

    @property
    def local(self) -> bool:
        """True where no byte leaves this machine."""
        ...

    def count(self, prompt: Prompt) -> int:
        """Tokens of the prompt in the model's own chat template (an estimate where the tokenizer is not ours)."""
        ...

    def cut(self, text: str, tokens: int) -> str:
        """The first `tokens` tokens of the text; the text itself where it is shorter."""
        ...


@runtime_checkable
class Estimates(Protocol):
    """A model may say so of itself; where it does not its count is taken at its word."""

    @property
    def estimates(self) -> bool:
        """Whether `count` and `cut` know nothing of its tokenizer."""
        ...


@runtime_checkable
class Thinks(Protocol):
    """A model may think before it answers."""

    @property
    def reasoning_tokens(self) -> int:
        """Tokens that it may think with before each answer, besides those of the answer; they are paid like them."""
        ...


def thoughts(model: object) -> int:
    """Tokens that it may think with before each answer."""
    return model.reasoning_tokens if isinstance(model, Thinks) else 0


@runtime_checkable
class Generates(Protocol):
    def generate(
        self, prompts: Sequence[Prompt], max_tokens: int, sampling: Sampling, step: Step = "answering"
    ) -> Iterator[tuple[int, Completion]]:
        """Yields (index of the prompt, completion) as they finish, in any order."""
        ...


@runtime_checkable
class Metered(Protocol):
    """Prompts that cost money: a model takes them one by one, as it sends them."""

    def again(self, index: int, billed: bool) -> bool:
        """Asked before a prompt is sent once more. `billed`: the try before may be billed although it brought nothing. False:
        it is not to be sent."""
        ...


Ends = Literal["where needed", "always", "never"]
"""When the end of the turn is part of a label's likelihood. Where needed: for labels that others begin with, since only the
end tells them apart. Always: for answers of any length, which compete. Never: for beginnings of answers."""


Narrow = Callable[[int, Sequence[float]], Sequence[str]]
"""(index of the prompt, log-likelihoods of what was scored for it) -> what is worth scoring next."""


@runtime_checkable
class ScoresLabels(Protocol):
    def score_labels(
        self,
        prompts: Sequence[Prompt],
        labels: Sequence[Sequence[str]],
        step: Step = "answering",
        ends: Ends = "where needed",
    ) -> Iterator[tuple[int, LabelScores]]:
        """Scores `labels[i]` as answers to `prompts[i]`; yields in any order."""
        ...

    def score_narrowed(
        self,
        prompts: Sequence[Prompt],
        beginnings: Sequence[Sequence[str]],
        rounds: Sequence[Narrow],
        step: Step = "answering",
    ) -> Iterator[tuple[int, LabelScores]]:
        """Scores `beginnings[i]` of answers to `prompts[i]`, then what each round makes of the scores before it.

        What the last round gives are whole answers. Yields (index, their scores) in any order; each round is asked once
        for each prompt.
        """
        ...


@dataclass(frozen=True, kw_only=True)
class TrainingRow:
    """The loss falls on `answer` and the end of the turn, and on earlier answers where the recipe says so."""

    prompt: Prompt
    answer: str
    cut: bool = False
    """The prompt holds a part of the input only."""


@dataclass(frozen=True, kw_only=True)
class Recipe:
    """How a LoRA adapter is trained. Learning rate in LoRA's own range, about ten times that of full tuning."""

    learning_rate: float = 1e-3
    rank: int = 16
    alpha: int = 32
    dropout: float = 0.0
    epochs: int = 4
    batch_size: int = 8
    warmup_share: float = 0.05
    max_tokens: int = 1024
    every_answer: bool = False
    """The loss falls on the answers of examples that a prompt shows, too: one pass over it teaches as many."""
    smoothing: float = 0.0
    """Share of each token to be learnt that lies on all with which some answer goes on there (`finetuning.smoothed`)."""
    averaged: bool = False
    """Without rows to validate on: the mean of the weights over the last half of the steps is kept, not the last weights."""


@dataclass(frozen=True, kw_only=True)
class Training:
    """What came out of one training: the folder of a plain peft adapter and how it went."""

    folder: Path
    losses: tuple[float, ...]
    """Mean training loss per answer token, one value an epoch; of smoothed targets where the recipe smooths."""
    validation_losses: tuple[float, ...]
    """The same for the validation rows, the first value before any training; empty without validation rows."""
    best_epoch: int
    truncated_rows: int
    """Rows of which a part was not read, or whose input had been cut before."""
    usage: tuple[Usage, ...]
    """Of the training itself, and under `search` of reading the validation rows."""
    averaged: bool = False
    """What is kept is the mean of the weights over the last half of the steps."""
    kept_loss: float | None = None
    """Validation loss of what is kept; None without validation rows."""

    @property
    def epochs(self) -> int:
        """How many made what is kept."""
        return len(self.losses) if self.averaged else self.best_epoch


@runtime_checkable
class Trains(Protocol):
    def train(
        self, rows: Sequence[TrainingRow], validation: Sequence[TrainingRow], recipe: Recipe, folder: Path, seed: int
    ) -> Training:
        """Trains an adapter into `folder`. With validation rows the best epoch is kept, or the mean of the last half of the steps
        where that is better; else the last weights, or that mean where the recipe says so.

        Raises `Diverged` when the loss is not a finite number.
        """
        ...

    def adapted(self, folder: Path) -> LanguageModel:
        """This model with the adapter of `folder` in effect, merged as it would be deployed."""
        ...


class BadInput(Exception):
    """Something a person gave cannot be used. The message is one clear sentence: what was given, what is allowed, what to do."""


class Diverged(RuntimeError):
    """Training produced a loss that is not a finite number."""

    usage: tuple[Usage, ...] = ()
    """What was trained and validated until then."""


class DeadAdapter(RuntimeError):
    """An adapter that changes nothing, or that did not learn: it must not be scored."""


class Unanswered(RuntimeError):
    """A server gave too few answers to choose by, or to learn from: nothing was chosen, and trying again may help."""


@runtime_checkable
class Embedder(Protocol):
    @property
    def name(self) -> str: ...

    @property
    def fingerprint(self) -> str: ...

    def embed(self, texts: Sequence[str]) -> Any:
        """float32 array of shape (len(texts), dimension), rows of unit length."""
        ...


@runtime_checkable
class Prompted(Embedder, Protocol):
    """An embedder whose own files state what goes before a text, another for what is asked than for what is searched."""

    @property
    def prompts(self) -> Mapping[str, str]:
        """What goes before a `query` and before a `document`; empty where the files state neither."""
        ...

    def embed_behind(self, prompt: str, texts: Sequence[str]) -> Any:
        """As `embed`, with the prompt before each text."""
        ...


@runtime_checkable
class ReadsSoMuch(Embedder, Protocol):
    """An embedder that knows after how many tokens of a text it stops reading."""

    @property
    def reads(self) -> int | None:
        """None where nothing is known of a limit."""
        ...


class Reranker(Protocol):
    @property
    def name(self) -> str: ...

    @property
    def fingerprint(self) -> str: ...

    def relevance(self, pairs: Sequence[tuple[str, str]]) -> Any:
        """float32 array of shape (len(pairs),) of (question, passage); greater is more relevant."""
        ...


# ---------------------------------------------------------------- the workbench


@dataclass(frozen=True, kw_only=True)
class Trial:
    """One configuration tried during a fit: what it was, what it scored on how many selection cases, what it cost.

    A short training answers none: it is compared by its loss on selection cases.
    """

    approach: str
    configuration: Mapping[str, Any]
    score: float
    cases: int
    tokens: int
    """Model tokens of this trial as the budget counts them (`search.spent_tokens`)."""
    validation_loss: float | None = None
    """Mean cross-entropy per answer token of what the training kept, over its folds; None without training."""
    mark: float | None = None
    """The metric over its selection cases, where it was compared by that; None where it was by the score."""

    @property
    def counts(self) -> float:
        """What it was compared by."""
        return self.score if self.mark is None else self.mark


class Journal(Protocol):
    """Remembers finished pieces of a fit by content, so that a killed search pays for nothing twice."""

    def get(self, key: str) -> Mapping[str, Any] | None: ...

    def put(self, key: str, value: Mapping[str, Any]) -> None: ...


class Workbench(Protocol):
    """What a strategy may use while it fits and answers; made by benchmarks, one for each unit of work."""

    @property
    def model(self) -> LanguageModel:
        """The candidate's language model; loaded at first use."""
        ...

    @property
    def teacher(self) -> Workbench | None:
        """The same with the model that teaches, whose usage counts as this fit's own; None where there is none."""
        ...

    @property
    def embedder(self) -> Embedder: ...

    @property
    def reranker(self) -> Reranker | None:
        """None where the task names none."""
        ...

    @property
    def seed(self) -> int: ...

    @property
    def tuning_tokens(self) -> int:
        """The budget for choosing, the same for every approach; the final refit comes on top and is reported."""
        ...

    @property
    def journal(self) -> Journal: ...

    @property
    def folder(self) -> Path:
        """Where finished pieces of this run are kept by content (adapters): shared by its units, survives a kill."""
        ...

    def record(self, usage: Usage) -> None:
        """Writes one usage row of fitting into the ledger."""
        ...

    def tried(self, trial: Trial) -> None: ...

    def progress(self, done: int, total: int, what: str) -> None: ...


# ---------------------------------------------------------------- approaches

FOR_FITTING = "for-fitting"
"""Folder inside a fit's for what only fitting it again needs, such as texts to learn from: it is never deployed."""


class Fitted(Protocol):
    """An approach, ready to answer."""

    def answer(self, queries: Sequence[Query], sampling: Sampling) -> Iterator[tuple[str, Outcome]]:
        """Yields (query key, outcome) as they finish, in any order, each key exactly once."""
        ...

    def save(self, folder: Path) -> None:
        """Writes everything that answering needs but the base model, as JSON, safetensors, .npy and text; what only `again`
        needs goes into `FOR_FITTING`."""
        ...

    def describe(self) -> Mapping[str, Any]:
        """The chosen configuration in plain values, for the record and the reader. Answers of examples stand under `answer`,
        `otherwise` or `standing`, at any depth: reports that hold no texts leave these out, unless there are labels."""
        ...


@runtime_checkable
class Strategy(Protocol):
    """One approach as configuration: a frozen dataclass whose constructor stores and never works."""

    @property
    def name(self) -> str: ...

    @property
    def family(self) -> Family: ...

    @property
    def needs(self) -> tuple[type, ...]:
        """Protocols of the model that it asks for: `Generates`, `ScoresLabels`, `Trains`. Empty: no language model."""
        ...

    @property
    def simplicity(self) -> int:
        """Smaller is simpler to run and explain; ties in cost go to the simpler."""
        ...

    def unsuitable(self, task: Task) -> str:
        """Empty, or the sentence that says why this approach has nothing to offer for the task."""
        ...

    def fit(self, task: Task, bench: Workbench) -> Fitted: ...

    def load(self, folder: Path, bench: Workbench) -> Fitted: ...

    def again(self, folder: Path, task: Task, bench: Workbench) -> Fitted | None:
        """The configuration saved in `folder`, built once more with the workbench's seed; nothing is chosen anew.

        None where nothing in it is drawn by a seed, so that it would come out the same.
        """
        ...

    def rebuilt(self, folder: Path, task: Task, bench: Workbench) -> Fitted | None:
        """The configuration saved in `folder`, built from the examples and documents of `task` alone: fewer than it was chosen
        with, or others.

        None where they change nothing.
        """
        ...
