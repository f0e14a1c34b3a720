"""Tiny random models, a tiny tokenizer and a word-hash embedder, built in memory and saved as ordinary model folders."""

from __future__ import annotations

import hashlib
import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cache
from pathlib import Path
from typing import Any

from benchmarks.contract import Benchmark
from benchmarks.data.fingerprint import fingerprint
from benchmarks.data.split import cut_folds, grouped
from benchmarks.metrics import load as load_metric
from benchmarks.running.models import Models
from benchmarks.scored import MetricScore
from benchmarks.specs.spec_models import ModelSpec
from strategies.contract import (
    Case,
    Document,
    Embedder,
    Kind,
    LanguageModel,
    Prompt,
    Query,
    Reranker,
    Task,
    Trial,
    Usage,
)
from strategies.models.device import Placement
from strategies.models.local import LocalModel
from tests.scripted import ScriptedModel

FLOAT32 = Placement(device="cpu", dtype="float32", threads=1, why="tests compare numbers")
CHAT = (
    "{% for message in messages %}{{ '<|im_start|>' + message['role'] + '\n' + message['content'] + '<|im_end|>\n' }}"
    "{% endfor %}{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}"
)
SPACED = CHAT.replace("assistant\n'", "assistant:'").replace(
    "message['role'] + '\n'", "message['role'] + (': ' if message['role'] == 'assistant' else '\n')"
)
"""Writes a space before a given answer, and none behind an open one, as that of Falcon."""
_WRITTEN = (
    "{% if (message['role'] == 'user') != (loop.index0 % 2 == 0) %}{{ raise_exception('Roles must alternate') }}{% endif %}"
    "{{ '<|im_start|>' + message['role'] + '\n' + (told if loop.first else '') + message['content'] + '<|im_end|>\n' }}"
    "{% endfor %}{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}"
)
USER_FIRST: Mapping[str, str] = {
    "gemma 3": "{% set told = messages[0]['content'] + '\n\n' if messages[0]['role'] == 'system' else '' %}"
    "{% for message in messages if message['role'] != 'system' %}" + _WRITTEN,
    "mistral": "{% set told = '' %}{% for message in messages %}" + _WRITTEN,
}
"""Templates that refuse an answer without a question before it; the first puts what the system says in front of that question."""
TEXTS = (
    "Where is my order? The parcel has not arrived yet.",
    "I would like a refund for the broken lamp.",
    "Please cancel my subscription before the next payment.",
    "Which answer fits? Input: and Output: are words of a prompt.",
)


# ---------------------------------------------------------------- tokenizers


def tokenizer(templated: bool = True) -> Any:
    """A byte-level tokenizer with about 300 tokens, trained on a few sentences; any text can be written with it."""
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
    from transformers import PreTrainedTokenizerFast

    fast: Any = PreTrainedTokenizerFast
    specials = ["<|endoftext|>", "<|im_start|>", "<|im_end|>"]
    inner = Tokenizer(models.BPE())
    inner.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    inner.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=300,
        special_tokens=specials,
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    inner.train_from_iterator(TEXTS, trainer)
    made = fast(
        tokenizer_object=inner,
        bos_token="<|endoftext|>",
        eos_token="<|im_end|>" if templated else "<|endoftext|>",
        pad_token="<|endoftext|>",
    )
    if templated:
        made.chat_template = CHAT
    return made


def spacing_tokenizer(template: str = "") -> Any:
    """Puts a space before every text, as those of Llama 2, Mistral 7B and Phi 3 do."""
    from tokenizers import AddedToken, Tokenizer, decoders, models, normalizers
    from transformers import PreTrainedTokenizerFast

    fast: Any = PreTrainedTokenizerFast
    letters = [f"<0x{number:02X}>" for number in range(256)]
    known = ["<s>", "</s>", "<unk>", *letters, "▁", "{", '"', "▁{", '▁{"']
    merges = [("▁", "{"), ("▁{", '"')]
    ids = {token: number for number, token in enumerate(known)}
    inner = Tokenizer(models.BPE(vocab=ids, merges=merges, unk_token="<unk>", byte_fallback=True))
    inner.add_special_tokens([AddedToken(token, special=True) for token in known[:2]])
    inner.normalizer = normalizers.Sequence([normalizers.Prepend("▁"), normalizers.Replace(" ", "▁")])
    whole = [decoders.Replace("▁", " "), decoders.ByteFallback(), decoders.Fuse(), decoders.Strip(" ", 1, 0)]
    inner.decoder = decoders.Sequence(whole)
    made = fast(tokenizer_object=inner, bos_token="<s>", eos_token="</s>", unk_token="<unk>")
    if template:
        made.chat_template = template
    return made


# ---------------------------------------------------------------- models


def _llama() -> Any:
    from transformers import LlamaConfig

    return LlamaConfig(num_key_value_heads=2, tie_word_embeddings=True, **_sizes())


def _qwen() -> Any:
    from transformers import Qwen2Config

    return Qwen2Config(num_key_value_heads=2, **_sizes())


def _neox() -> Any:
    from transformers import GPTNeoXConfig

    return GPTNeoXConfig(**_sizes())


def _gemma() -> Any:
    """One layer with a window of 8 tokens, one that sees everything."""
    from transformers import Gemma3TextConfig

    layers = ["sliding_attention", "full_attention"]
    return Gemma3TextConfig(num_key_value_heads=1, head_dim=8, sliding_window=8, layer_types=layers, **_sizes())


def _mistral() -> Any:
    """Every layer with a window of 8 tokens."""
    from transformers import MistralConfig

    return MistralConfig(num_key_value_heads=2, sliding_window=8, **_sizes())


def _granite() -> Any:
    """Scales its logits after the head."""
    from transformers import GraniteConfig

    return GraniteConfig(num_key_value_heads=2, logits_scaling=4.0, **_sizes())


def _lfm() -> Any:
    """A convolution between the attention layers, which our own engine does not know."""
    from transformers import Lfm2Config

    sizes = {**_sizes(), "num_key_value_heads": 2, "layer_types": ["conv", "full_attention"]}
    return Lfm2Config(**sizes)


ARCHITECTURES: Mapping[str, Callable[[], Any]] = {
    "llama": _llama,
    "qwen": _qwen,
    "neox": _neox,
    "gemma": _gemma,
    "mistral": _mistral,
    "granite": _granite,
    "lfm": _lfm,
}


def _sizes() -> dict[str, Any]:
    return {
        "vocab_size": 300,
        "hidden_size": 32,
        "intermediate_size": 64,
        "num_hidden_layers": 2,
        "num_attention_heads": 4,
        "max_position_embeddings": 2048,
        "initializer_range": 0.2,
        "bos_token_id": 0,
        "eos_token_id": 2,
        "pad_token_id": 0,
    }


def model_folder(place: Path, architecture: str = "llama", templated: bool = True, seed: int = 0) -> Path:
    """Writes a random model and its tokenizer as transformers does; the seed decides the weights."""
    import torch
    from transformers import AutoModelForCausalLM

    from strategies.models.quiet import quiet

    causal: Any = AutoModelForCausalLM
    folder = place / f"{architecture}-{'chat' if templated else 'base'}-{seed}"
    torch.manual_seed(seed)
    made = causal.from_config(ARCHITECTURES[architecture]())
    made.generation_config.eos_token_id = 2 if templated else 0
    with quiet():
        made.save_pretrained(folder)
        tokenizer(templated).save_pretrained(folder)
    return folder


def local_model(folder: Path, batch_tokens: int = 4096) -> LocalModel:
    """The folder as the product opens it, in float32 on the processor."""
    contents = (folder / "model.safetensors").read_bytes()
    return LocalModel(
        name="tiny",
        folder=folder,
        weights_fingerprint=hashlib.sha256(contents).hexdigest(),
        placement=FLOAT32,
        batch_tokens=batch_tokens,
    )


# ---------------------------------------------------------------- the embedder


@cache
def _word_vector(word: str) -> tuple[float, ...]:
    dice = random.Random(f"word {word}")
    return tuple(dice.gauss(0, 1) for _ in range(64))


@dataclass(frozen=True, kw_only=True)
class WordHashes:
    """Sums a random vector for each word: texts that share words are near each other (`contract.Embedder`)."""

    name: str = "word hashes"
    fingerprint: str = "word-hashes-64"

    def embed(self, texts: Sequence[str]) -> Any:
        import numpy as np

        rows = np.zeros((len(texts), 64), dtype="float32")
        for place, text in enumerate(texts):
            for word in text.casefold().split() or [""]:
                rows[place] += np.asarray(_word_vector(word.strip(".,?!:;")), dtype="float32")
        return rows / np.linalg.norm(rows, axis=1, keepdims=True)


# ---------------------------------------------------------------- tasks

TOPICS: Mapping[str, tuple[str, ...]] = {
    "delivery": ("parcel", "courier", "tracking", "doorstep"),
    "refund": ("money", "refund", "chargeback", "reimbursed"),
    "cancel_account": ("cancel", "close", "terminate", "unsubscribe"),
    "login": ("password", "login", "locked", "username"),
}
FRAMES = (
    "Hello, I have a question about {}, can you help",
    "The {} is not what I expected at all",
    "Who looks after {} in your company",
    "My colleague says {} is the problem here",
    "Since Monday nothing works with {} any more",
    "Tell me about {} please",
)
ROOMS = ("Ada", "Bell", "Curie", "Darwin", "Euler", "Fermi", "Gauss", "Hopper", "Ising", "Joule", "Kepler", "Lovelace")


def messages(count: int, start: int = 0) -> tuple[Case, ...]:
    """Messages of four topics, no two alike."""
    cases = []
    for number in range(start, start + count):
        label = tuple(TOPICS)[number % len(TOPICS)]
        words = TOPICS[label]
        text = FRAMES[(number // 16) % len(FRAMES)].format(words[(number // 4) % len(words)]) + f" (note {number})"
        cases.append(Case(id=f"m{number}", input=text, output=label))
    return tuple(cases)


def rooms() -> tuple[Document, ...]:
    return tuple(
        Document(
            id=f"room-{name}", title=f"Room {name}", text=f"Room {name} has {place + 4} seats. Its floor is {place}."
        )
        for place, name in enumerate(ROOMS)
    )


def questions(count: int, start: int = 0) -> tuple[Case, ...]:
    cases = []
    for number in range(start, start + count):
        place = number % len(ROOMS)
        name, asked = ROOMS[place], number // len(ROOMS)
        text = f"How many seats has Room {name}?" if asked % 2 == 0 else f"On which floor is Room {name}?"
        answer = str(place + 4) if asked % 2 == 0 else str(place)
        gold = (f"room-{name}",)
        cases.append(Case(id=f"q{number}", input=f"{text} ({asked})", output=answer, document_ids=gold))
    return tuple(cases)


def orders(count: int, start: int = 0) -> tuple[Case, ...]:
    cases = []
    for number in range(start, start + count):
        size, item = ("small", "large")[number % 2], ("cup", "plate", "lamp")[number % 3]
        wanted = f'{{"item": "{item}", "size": "{size}"}}'
        cases.append(Case(id=f"o{number}", input=f"Send one {size} {item}, order {number}.", output=wanted))
    return tuple(cases)


def rewrites(count: int, start: int = 0) -> tuple[Case, ...]:
    numbers = range(start, start + count)
    return tuple(
        Case(id=f"r{number}", input=f"Team {number} meets today.", output=f"Team {number} meets today!")
        for number in numbers
    )


MAKERS: Mapping[Kind, tuple[Callable[..., tuple[Case, ...]], str]] = {
    "classification": (messages, "accuracy"),
    "qa": (questions, "exact_match"),
    "extraction": (orders, "field_f1"),
    "generation": (rewrites, "chrf"),
}


def query(case: Case) -> Query:
    return Query.of(case.input)


def benchmark(kind: Kind = "classification", examples: int = 24, heldout: int = 12) -> Benchmark:
    """A benchmark of one kind, cut as any other; qa has documents."""
    make, name = MAKERS[kind]
    metric = load_metric(name, {})
    cases, held = make(examples), make(heldout, examples)
    task = Task(
        name=f"tiny {kind}",
        kind=kind,
        instruction="Answer in one word.",
        folds=cut_folds(grouped(cases), kind, 0),
        score=MetricScore(metric=metric),
        labels=tuple(TOPICS) if kind == "classification" else (),
        documents=rooms() if kind == "qa" else (),
    )
    return Benchmark(task=task, heldout=held, metric=metric, target=0.5, fingerprint=fingerprint(held, metric))


def with_requests(kind: Kind, count: int) -> Benchmark:
    """The same with so many requests that nobody answered."""
    plain = benchmark(kind)
    requests = tuple(case.input for case in MAKERS[kind][0](count, 1_000))
    return replace(plain, task=replace(plain.task, unlabelled=requests))


# ---------------------------------------------------------------- workbenches


@dataclass
class Memory:
    """A journal in memory (`contract.Journal`)."""

    known: dict[str, Mapping[str, Any]] = field(default_factory=dict)

    def get(self, key: str) -> Mapping[str, Any] | None:
        return self.known.get(key)

    def put(self, key: str, value: Mapping[str, Any]) -> None:
        self.known[key] = value


@dataclass(kw_only=True)
class Bench:
    """A workbench for one fit (`contract.Workbench`)."""

    folder: Path
    language: LanguageModel | None = None
    embedder: Embedder = field(default_factory=WordHashes)
    reranker: Reranker | None = None
    seed: int = 0
    tuning_tokens: int = 20_000
    teacher: Bench | None = None
    journal: Memory = field(default_factory=Memory)
    spent: list[Usage] = field(default_factory=list)
    trials: list[Trial] = field(default_factory=list)

    @property
    def model(self) -> LanguageModel:
        assert self.language is not None
        return self.language

    def record(self, usage: Usage) -> None:
        self.spent.append(usage)

    def tried(self, trial: Trial) -> None:
        self.trials.append(trial)

    def progress(self, done: int, total: int, what: str) -> None: ...


def models(folder: Path) -> Models:
    """The models of a run: the tiny model by its folder, as a person would name it, and the word-hash embedder."""
    from tests.tiny_embedder import trainable

    specs = (ModelSpec(name="tiny", folder=str(folder)),)
    return Models(specs=specs, dtype="float32", _embedder=trainable(folder.parent), _placement=FLOAT32)


def scripted(**answers: Callable[[Prompt], str]) -> Models:
    """Models without weights that answer by these functions, under the names that they are given here."""
    made = {name: ScriptedModel(name=name, answer=answer) for name, answer in answers.items()}
    specs = tuple(ModelSpec(name=name, folder="nowhere") for name in made)
    return Models(specs=specs, dtype="float32", _embedder=WordHashes(), _placement=FLOAT32, _ready=dict(made))
