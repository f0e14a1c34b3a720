"""Is the quick engine right? Its answers and label scores beside those of transformers, on the eight public datasets.

In float32 greedy answers have to be those of `generate` token for token, label scores those of a plain loop, and batch
neighbours must not matter. In bfloat16 rounding decides close calls: there the engine has to agree with float32 as often
as transformers' own bfloat16 does; a processor without it leaves that open. A dataset that is done is not run again.

    python -m benchmarks.studies.equality run sms_spam
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import click

from benchmarks.contract import BadInput
from benchmarks.statistics.confidence import paired_difference
from benchmarks.storage.packed import read_lines, write_lines
from benchmarks.studies import rounding
from benchmarks.studies.markdown import table as markdown
from benchmarks.studies.settings import ROWS, commit
from benchmarks.studies.speed.work import MODEL
from strategies.contract import Case, Prompt
from strategies.models import engine
from strategies.models.batching import DecodingOptions
from strategies.models.device import Placement, choose, without_bfloat16
from strategies.models.local import LocalModel
from strategies.models.measured import machine
from strategies.models.trees import LabelTree
from strategies.prompting.demonstrations import Shown
from strategies.prompting.rendering import Form, Renderer

DATASETS = (
    "banking77",
    "sms_spam",
    "snips_slots",
    "nl2regex",
    "e2e_nlg",
    "nq_open_oracle",
    "tldr_commands",
    "pubmedqa",
)
EXAMPLES, CASES, SHOTS, NEW_TOKENS, LABEL_CASES = 200, 200, 3, 24, 40
FILE = "equality-{}.jsonl.gz"
DOCUMENT = Path(__file__).parent / "equality.md"


@dataclass(frozen=True, kw_only=True)
class Row:
    """One case: which answers are the same ones, and how right each of them is."""

    id: str
    ours: bool
    """Ours in float32 is transformers' float32, token for token."""
    regrouped: bool
    """Ours among other batch neighbours is ours."""
    right: float
    """Score of ours in float32."""
    ours_rounded: bool | None = None
    """Ours in bfloat16 is transformers' float32. None, like the next two: the machine had no bfloat16."""
    theirs_rounded: bool | None = None
    """transformers' bfloat16 is transformers' float32."""
    right_rounded: float | None = None
    """Score of ours in bfloat16."""
    labels: float | None = None
    """Largest relative difference of a label's log-likelihood; None where there are no labels or it was not taken."""


class Engine:
    """The default model in one number format, asked in both ways."""

    def __init__(self, folder: Path, dtype: str) -> None:
        found = choose()
        placement = Placement(device=found.device, dtype=dtype, threads=found.threads, why="both are compared")
        self.model = LocalModel(name=MODEL, folder=folder, weights_fingerprint="", placement=placement)

    def ours(self, prompts: Sequence[Prompt]) -> list[list[int]]:
        ids = [self.model.chat.encode(prompt) for prompt in prompts]
        decoding = DecodingOptions(self.model.chat.stop_ids, NEW_TOKENS)
        found = {row: written.ids for row, written, _ in engine.generate(self.model.parts, ids, decoding, 16_384)}
        return [found[row] for row in range(len(prompts))]

    def theirs(self, prompt: Prompt) -> list[int]:
        """One prompt at a time, so that nothing is padded."""
        import torch

        ids = torch.tensor([self.model.chat.encode(prompt)])
        stop = sorted(self.model.chat.stop_ids)
        with torch.inference_mode():
            out = self.own.generate(
                input_ids=ids,
                attention_mask=torch.ones_like(ids),
                do_sample=False,
                max_new_tokens=NEW_TOKENS,
                eos_token_id=stop,
                pad_token_id=stop[0],
            )
        answer: list[int] = out[0, ids.shape[1] :].tolist()
        return [token for token in answer if token not in stop]

    @cached_property
    def own(self) -> Any:
        """transformers' own model, with the attention that it comes with."""
        import torch
        from transformers import AutoModelForCausalLM

        dtype = getattr(torch, self.model.placement.dtype)
        model: Any = AutoModelForCausalLM.from_pretrained(self.model.folder, dtype=dtype)
        return model.eval()

    def label_gap(self, prompt: Prompt, labels: Sequence[str]) -> float:
        """Ours against one whole pass of transformers for each label."""
        import torch

        from strategies.models.plain import answer_likelihood

        ((_, found),) = self.model.score_labels([prompt], [labels])
        ids = self.model.chat.encode(prompt)
        tree = LabelTree.build([self.model.chat.encode_label(name) for name in labels], self.model.chat.end_id)
        with torch.inference_mode():
            theirs = [answer_likelihood(self.own, ids, path) for path in tree.paths]
        return max(abs(a - b) / max(1.0, abs(b)) for a, b in zip(found.log_likelihoods, theirs, strict=True))


def compare(name: str) -> Iterator[Row]:
    """The rows of one dataset. Raises `BadInput` where it is not there."""
    from advisor.experiments.comparison import Wishes, prepare
    from strategies.models.weights import resolve

    benchmark = prepare(name, Wishes(examples=EXAMPLES, heldout=CASES)).assembly.benchmark
    renderer = Renderer.of(benchmark.task, Form())
    cases, shown = benchmark.heldout, [Shown(case) for case in benchmark.task.examples[:SHOTS]]
    prompts = [renderer.request(case.input, shown) for case in cases]
    folder = resolve(MODEL).folder
    exact = Engine(folder, "float32")
    rounded = None if without_bfloat16() else Engine(folder, "bfloat16")
    first, again = exact.ours(prompts), exact.ours(prompts[1::2])
    quick = rounded.ours(prompts) if rounded else None

    def score(case: Case, ids: Sequence[int]) -> float:
        return benchmark.metric.score(case, exact.model.chat.decode(ids))

    for place, (case, prompt) in enumerate(zip(cases, prompts, strict=True)):
        theirs = exact.theirs(prompt)
        labels = renderer.words.words
        yield Row(
            id=case.id,
            ours=first[place] == theirs,
            regrouped=place % 2 == 0 or again[place // 2] == first[place],
            right=score(case, first[place]),
            ours_rounded=quick[place] == theirs if quick else None,
            theirs_rounded=rounded.theirs(prompt) == theirs if rounded else None,
            right_rounded=score(case, quick[place]) if quick else None,
            labels=exact.label_gap(prompt, labels[:20]) if labels and place < LABEL_CASES else None,
        )


@click.group(help=__doc__)
def main() -> None: ...


@main.command()
@click.argument("names", nargs=-1, type=click.Choice(DATASETS))
@click.option("--rows", type=click.Path(path_type=Path), default=ROWS, help="Where the rows go.")
def run(names: Sequence[str], rows: Path) -> None:
    """Compare on each of NAMES, by default all eight."""
    from strategies.models.quiet import quiet

    for name in names or DATASETS:
        file = rows / FILE.format(name)
        if _done(file):
            click.echo(f"{name}: done before", err=True)
            continue
        begun_by = commit()
        try:
            with quiet():
                found = [asdict(row) for row in compare(name)]
        except BadInput as error:
            raise click.ClickException(str(error)) from error
        write_lines(file, [{"dataset": name, "commit": begun_by, "machine": machine()}, *found])
        click.echo(f"{name}: {sum(row['ours'] for row in found)} of {len(found)} answers are the same", err=True)


def _done(file: Path) -> bool:
    """Whether this machine has nothing to add: the rows are there, with bfloat16 or from a machine that lacks it as this one."""
    return file.is_file() and (read(file)[1][0].ours_rounded is not None or without_bfloat16())


@main.command(name="table")
@click.option("--rows", type=click.Path(path_type=Path), default=ROWS, help="Where the rows lie.")
@click.option("--into", type=click.Path(path_type=Path), default=DOCUMENT, help="The document.")
def table_command(rows: Path, into: Path) -> None:
    """Write the document from the rows alone."""
    found = {name: read(rows / FILE.format(name)) for name in DATASETS if (rows / FILE.format(name)).is_file()}
    parts = [document(found), rounding.section(rounding.read(rows / rounding.FILE.name))]
    into.write_text("\n\n".join(part for part in parts if part) + "\n", encoding="utf-8")


def read(file: Path) -> tuple[dict[str, Any], list[Row]]:
    """(what is known of the run, its rows)."""
    about, *rows = list(read_lines(file))
    return dict(about), [Row(**row) for row in rows]


SAYS = f"""Greedy answers of up to {NEW_TOKENS} tokens behind {SHOTS} demonstrations. In float32: answers that are those
of `transformers.generate` token for token, and those that stay the same among other batch neighbours; the largest relative
difference of a label's log-likelihood to a pass of its own. In bfloat16: answers that are those of float32, by ours and by
`generate`; and the difference of the score to float32 in points, with its 95 % interval. Written by
`python -m benchmarks.studies.equality table` from the rows."""


def document(found: dict[str, tuple[dict[str, Any], list[Row]]]) -> str:
    """A pure function of the rows."""
    head = ("dataset", "cases", "float32: same", "regrouped", "labels", "bfloat16: ours", "generate", "score")
    lines = [_line(name, rows) for name, (_, rows) in found.items()]
    if len(found) > 1:
        lines.append(_line("all", [row for _, rows in found.values() for row in rows]))
    made = sorted({f"- {about['machine']}, commit {about['commit'] or 'unknown'}" for about, _ in found.values()})
    table = markdown(head, lines, tuple(range(1, 8)))
    return "\n\n".join(["# Is the quick engine right?", SAYS, table, "\n".join(made)])


def _line(name: str, rows: Sequence[Row]) -> tuple[str, ...]:
    gaps = [row.labels for row in rows if row.labels is not None]
    counts = [len(rows), sum(row.ours for row in rows), sum(row.regrouped for row in rows)]
    return (name, *map(str, counts), f"{max(gaps):.0e}" if gaps else "", *_of_rounding(rows))


def _of_rounding(rows: Sequence[Row]) -> tuple[str, str, str]:
    rounded = [row.right_rounded for row in rows if row.right_rounded is not None]
    if len(rounded) < len(rows):
        return ("not measured yet",) * 3
    change = paired_difference(rounded, [row.right for row in rows], None)
    return (
        str(sum(bool(row.ours_rounded) for row in rows)),
        str(sum(bool(row.theirs_rounded) for row in rows)),
        f"{change.mean * 100:+.1f} ({change.lower * 100:+.1f} to {change.upper * 100:+.1f})",
    )


if __name__ == "__main__":
    main()
