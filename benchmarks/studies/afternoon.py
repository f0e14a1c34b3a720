"""What an ordinary person writes in an afternoon with transformers, peft and faiss, on exactly the product's cases.

Greedy generation in batches of 8, a flat index, LoRA at one setting; no label constraint, no tuning, no statistics.
Nothing of the product's approaches is used: only its cases, its metric, the weights on the disk and the dtype that is
fast here. An arm that is finished is not run again; each is written down as it ends.

    python -m benchmarks.studies.afternoon banking77 --arms zero-shot --arms lora
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import click

from benchmarks.contract import BadInput, Benchmark
from benchmarks.running.machine_load import LoadMonitor
from benchmarks.studies.afternoon_rows import FILE, Arm, Record, Row
from benchmarks.studies.settings import ROWS, SETTINGS, commit, setting
from strategies.contract import Case
from strategies.models.device import Placement, choose

MODEL, EMBEDDER = "smollm2-135m", "minilm-l6"
BATCH = 8
DEMONSTRATIONS = 5
PASSAGE_CHARACTERS = 2_000
"""A passage is cut here before it goes into a prompt."""
SEED = 0
RANK, LEARNING_RATE, TRAINING_BATCH = 16, 1e-3, 16
LONG_ROW = 160
"""Tokens of the longest row above which a batch of 16 goes through the model in quarters, to stay within memory."""


@dataclass(frozen=True)
class Answers:
    """Texts, seconds and prompt tokens of the held-out cases, in their order; seconds spent on fitting before."""

    texts: list[str]
    seconds: list[float]
    prompt_tokens: list[int]
    fit_seconds: float = 0.0


@dataclass
class Afternoon:
    """The cases, the models' folders, and where they run."""

    benchmark: Benchmark
    folder: Path
    embedder_folder: Path
    placement: Placement

    @classmethod
    def on(cls, benchmark: Benchmark) -> Afternoon:
        """With the default models. Raises `ModelUnavailable`."""
        from strategies.models.weights import resolve

        return cls(benchmark, resolve(MODEL).folder, resolve(EMBEDDER).folder, choose())

    @property
    def examples(self) -> tuple[Case, ...]:
        return self.benchmark.task.examples

    @property
    def questions(self) -> list[str]:
        return [case.input for case in self.benchmark.heldout]

    @cached_property
    def tokenizer(self) -> Any:
        from transformers import AutoTokenizer

        return AutoTokenizer.from_pretrained(self.folder, padding_side="left")

    @cached_property
    def embedder(self) -> Any:
        from sentence_transformers import SentenceTransformer

        return SentenceTransformer(str(self.embedder_folder), device="cpu")

    def model(self) -> Any:
        """A fresh copy of the base model."""
        import torch
        from transformers import AutoModelForCausalLM

        torch.set_num_threads(self.placement.threads)
        model: Any = AutoModelForCausalLM.from_pretrained(self.folder, dtype=getattr(torch, self.placement.dtype))
        return model.to(self.placement.device).eval()

    @property
    def longest_answer(self) -> int:
        """New tokens allowed: as many as the longest answer of the examples has, and two more."""
        return max(len(self.tokenizer(case.output)["input_ids"]) for case in self.examples) + 2

    def prompt(self, question: str, demonstrations: Sequence[Case] = (), passage: str = "") -> str:
        """The chat prompt as text, up to where the answer begins."""
        messages = [{"role": "system", "content": self.benchmark.task.instruction.strip()}]
        for case in demonstrations:
            messages += [{"role": "user", "content": case.input}, {"role": "assistant", "content": case.output}]
        messages.append({"role": "user", "content": f"{passage}\n\n{question}" if passage else question})
        return str(self.tokenizer.apply_chat_template(messages, tokenize=False, add_generation_prompt=True))


# ---------------------------------------------------------------- the three tools


def generate(work: Afternoon, model: Any, prompts: Sequence[str], fit_seconds: float = 0.0) -> Answers:
    """Greedy answers, eight prompts at a time, in their order."""
    import torch

    answers = Answers([], [], [], fit_seconds)
    limit = work.longest_answer
    for first in range(0, len(prompts), BATCH):
        start = time.perf_counter()
        part = list(prompts[first : first + BATCH])
        batch = work.tokenizer(part, return_tensors="pt", padding=True, add_special_tokens=False)
        batch = batch.to(work.placement.device)
        with torch.inference_mode():
            written = model.generate(**batch, do_sample=False, max_new_tokens=limit)
        new = written[:, batch["input_ids"].shape[1] :]
        answers.texts.extend(text.strip() for text in work.tokenizer.batch_decode(new, skip_special_tokens=True))
        answers.prompt_tokens.extend(batch["attention_mask"].sum(1).tolist())
        answers.seconds.extend([(time.perf_counter() - start) / len(part)] * len(part))
    return answers


def nearest(work: Afternoon, texts: Sequence[str], questions: Sequence[str], k: int) -> list[list[int]]:
    """Indexes of the k nearest texts for each question, the nearest first."""
    import faiss

    vectors = work.embedder.encode(list(texts), normalize_embeddings=True, show_progress_bar=False)
    index = faiss.IndexFlatIP(vectors.shape[1])
    index.add(vectors)
    asked = work.embedder.encode(list(questions), normalize_embeddings=True, show_progress_bar=False)
    found: list[list[int]] = index.search(asked, k)[1].tolist()
    return found


def train(work: Afternoon, pairs: Sequence[tuple[str, str]]) -> Any:
    """LoRA on prompts and answers, the loss on the answers; returns the model with its adapter."""
    import torch
    from peft import LoraConfig, get_peft_model

    torch.manual_seed(SEED)
    config = LoraConfig(r=RANK, lora_alpha=2 * RANK, target_modules="all-linear", task_type="CAUSAL_LM")
    model: Any = get_peft_model(work.model(), config)
    rows = [_training_row(work, prompt, answer) for prompt, answer in pairs]
    epochs = 2 if work.benchmark.task.kind == "qa" else 3
    optimizer = torch.optim.AdamW([p for p in model.parameters() if p.requires_grad], lr=LEARNING_RATE)
    steps = epochs * -(-len(rows) // TRAINING_BATCH)
    # The schedule that transformers' own trainer takes where nothing is said.
    schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda step: max(0.0, 1 - step / steps))
    model.train()
    dice = random.Random(SEED)
    for _ in range(epochs):
        dice.shuffle(rows)
        for first in range(0, len(rows), TRAINING_BATCH):
            _backward(model, rows[first : first + TRAINING_BATCH], work.tokenizer.pad_token_id)
            optimizer.step()
            schedule.step()
            optimizer.zero_grad()
    return model.eval()


def _training_row(work: Afternoon, prompt: str, answer: str) -> tuple[list[int], list[int]]:
    """Token ids, and labels in which the prompt is left out."""
    before = work.tokenizer(prompt, add_special_tokens=False)["input_ids"]
    after = work.tokenizer(answer + work.tokenizer.eos_token, add_special_tokens=False)["input_ids"]
    return before + after, [-100] * len(before) + after


def _backward(model: Any, rows: Sequence[tuple[list[int], list[int]]], pad: int) -> None:
    import torch

    longest = max(len(ids) for ids, _ in rows)
    size = TRAINING_BATCH if longest <= LONG_ROW else TRAINING_BATCH // 4
    for first in range(0, len(rows), size):
        part = rows[first : first + size]
        width = max(len(ids) for ids, _ in part)
        batch = {
            "input_ids": [row + [pad] * (width - len(row)) for row, _ in part],
            "labels": [row + [-100] * (width - len(row)) for _, row in part],
            "attention_mask": [[1] * len(row) + [0] * (width - len(row)) for row, _ in part],
        }
        loss = model(**{name: torch.tensor(rows, device=model.device) for name, rows in batch.items()}).loss
        (loss * len(part) / len(rows)).backward()


# ---------------------------------------------------------------- the arms


def zero_shot(work: Afternoon) -> Answers:
    return generate(work, work.model(), [work.prompt(question) for question in work.questions])


def random_demonstrations(work: Afternoon) -> Answers:
    """Five examples drawn once, the same for every case."""
    shown = random.Random(SEED).sample(work.examples, min(DEMONSTRATIONS, len(work.examples)))
    return generate(work, work.model(), [work.prompt(question, shown) for question in work.questions])


def nearest_demonstrations(work: Afternoon) -> Answers:
    start = time.perf_counter()
    found = nearest(work, [case.input for case in work.examples], work.questions, DEMONSTRATIONS)
    spent = time.perf_counter() - start
    prompts = [
        work.prompt(question, [work.examples[place] for place in row if place >= 0])
        for question, row in zip(work.questions, found, strict=True)
    ]
    return generate(work, work.model(), prompts, spent)


def copy_nearest(work: Afternoon) -> Answers:
    start = time.perf_counter()
    found = nearest(work, [case.input for case in work.examples], work.questions, 1)
    each = (time.perf_counter() - start) / len(found)
    return Answers([work.examples[row[0]].output for row in found], [each] * len(found), [0] * len(found))


def nearest_passage(work: Afternoon) -> Answers:
    start = time.perf_counter()
    shown = _passages(work, work.questions)
    spent = time.perf_counter() - start
    prompts = [work.prompt(question, passage=text) for question, text in zip(work.questions, shown, strict=True)]
    return generate(work, work.model(), prompts, spent)


def lora(work: Afternoon) -> Answers:
    start = time.perf_counter()
    model = train(work, [(work.prompt(case.input), case.output) for case in work.examples])
    spent = time.perf_counter() - start
    return generate(work, model, [work.prompt(question) for question in work.questions], spent)


def lora_with_passage(work: Afternoon) -> Answers:
    """Trained with the nearest passage in the prompt, and asked with it."""
    start = time.perf_counter()
    asked = [*(case.input for case in work.examples), *work.questions]
    shown = _passages(work, asked)
    prompts = [work.prompt(question, passage=text) for question, text in zip(asked, shown, strict=True)]
    outputs = [case.output for case in work.examples]
    model = train(work, list(zip(prompts[: len(outputs)], outputs, strict=True)))
    return generate(work, model, prompts[len(outputs) :], time.perf_counter() - start)


def _passages(work: Afternoon, questions: Sequence[str]) -> list[str]:
    documents = work.benchmark.task.documents
    texts = [f"{document.title}\n{document.text}".strip()[:PASSAGE_CHARACTERS] for document in documents]
    return [texts[row[0]] for row in nearest(work, texts, questions, 1)]


ARMS: dict[str, Callable[[Afternoon], Answers]] = {
    "copy nearest": copy_nearest,
    "zero-shot": zero_shot,
    "5 random demonstrations": random_demonstrations,
    "5 nearest demonstrations": nearest_demonstrations,
    "nearest passage": nearest_passage,
    "lora": lora,
    "lora with passage": lora_with_passage,
}
WITH_DOCUMENTS = ("nearest passage", "lora with passage")


# ---------------------------------------------------------------- running


def arms_of(benchmark: Benchmark) -> tuple[str, ...]:
    """The arms that make sense: passages only where there are documents."""
    return tuple(name for name in ARMS if benchmark.task.documents or name not in WITH_DOCUMENTS)


def run(work: Afternoon, record: Record, wanted: Sequence[str] = ()) -> None:
    """Runs the wanted arms, all where none is named, that the record does not hold yet. Raises `BadInput`."""
    from strategies.models.quiet import quiet

    task, possible = work.benchmark.task, arms_of(work.benchmark)
    unknown = [name for name in wanted if name not in possible]
    if unknown:
        raise BadInput(f"there is no arm {unknown[0]!r} for {task.name}; there are {', '.join(possible)}.")
    work.embedder.encode(["loaded before anything is timed"], show_progress_bar=False)
    for name in wanted or possible:
        if name in record.arms:
            click.echo(f"{task.name}, {name}: done before", err=True)
            continue
        begun_by, monitor = commit(), LoadMonitor.begin()
        with quiet():
            answers = ARMS[name](work)
        others = monitor.others()
        rows = scored(name, answers, work.benchmark)
        record.add(Arm.of(name, str(work.placement), answers.fit_seconds, begun_by, others), rows)
        mean = sum(row.score for row in rows) / len(rows)
        spent = f"fitting {answers.fit_seconds:.0f} s, answering {sum(answers.seconds):.0f} s"
        click.echo(f"{task.name}, {name}: mean score {mean:.3f}, {spent}", err=True)


def scored(name: str, answers: Answers, benchmark: Benchmark) -> list[Row]:
    """The rows of an arm, scored by the benchmark's own metric, in the order of the held-out cases."""
    given = zip(benchmark.heldout, answers.texts, answers.seconds, answers.prompt_tokens, strict=True)
    return [
        Row(
            arm=name,
            id=case.id,
            text=text,
            score=benchmark.metric.score(case, text),
            seconds=seconds,
            prompt_tokens=tokens,
        )
        for case, text, seconds, tokens in given
    ]


@click.command()
@click.argument("tasks", nargs=-1, required=True, type=click.Choice([each.task for each in SETTINGS]))
@click.option("--arms", multiple=True, help=f"Run only this arm; several times for several. {', '.join(ARMS)}.")
@click.option("--examples", type=int, help="In place of the committed setting.")
@click.option("--heldout", type=int, help="In place of the committed setting.")
@click.option("--rows", type=click.Path(path_type=Path), default=ROWS, help="Folder of the rows; a trial has its own.")
def main(tasks: Sequence[str], arms: Sequence[str], examples: int | None, heldout: int | None, rows: Path) -> None:
    """Run the plain script on the cases of each of TASKS."""
    from advisor.experiments.comparison import Wishes, prepare

    for task in tasks:
        known = setting(task)
        wishes = Wishes(examples=examples or known.examples, heldout=heldout or known.heldout, target=known.target)
        try:
            benchmark = prepare(task, wishes).assembly.benchmark
            record = Record.opened(rows / FILE.format(task), benchmark)
            run(Afternoon.on(benchmark), record, arms)
        except BadInput as error:
            raise click.ClickException(str(error)) from error


if __name__ == "__main__":
    main()
