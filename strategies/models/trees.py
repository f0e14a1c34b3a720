"""Scores many possible answers to a prompt at once: their tokens as a tree, one pass over prompt and tree."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

from strategies.contract import Ends
from strategies.models import plain
from strategies.models.batching import Ids, plan_batches
from strategies.models.beginnings import beginning, widen

if TYPE_CHECKING:
    from strategies.models.engine import Parts


@dataclass(frozen=True)
class LabelTree:
    """The labels' tokens as a tree. Node 0 is the end of the prompt; the others are the tokens after which a choice is left.

    A label's likelihood is the product over its own tokens, and over the end of the turn where that counts (`Ends`).
    """

    tokens: tuple[int, ...]
    """Token of each node that has to be read, node 0 left out."""
    parents: tuple[int, ...]
    depths: tuple[int, ...]
    steps: tuple[tuple[tuple[int, int], ...], ...]
    """For each label the (node, next token) pairs whose log-probabilities add up to its own."""

    @classmethod
    def build(cls, labels: Sequence[Ids], end_id: int, ends: Ends = "where needed") -> LabelTree:
        paths = {tuple(label) for label in labels}
        inner = {path[:size] for path in paths for size in range(1, len(path))}
        ended = paths if ends == "always" else paths & inner if ends == "where needed" else set()
        number: dict[tuple[int, ...], int] = {(): 0}
        for path in sorted(inner | ended - {()}, key=lambda item: (len(item), item)):
            number[path] = len(number)
        nodes = [path for path in number if path]
        steps = []
        for label in labels:
            path = tuple(label)
            pairs = [(number[path[:size]], path[size]) for size in range(len(path))]
            if path in ended:
                pairs.append((number[path], end_id))
            steps.append(tuple(pairs))
        return cls(
            tokens=tuple(path[-1] for path in nodes),
            parents=tuple(number[path[:-1]] for path in nodes),
            depths=tuple(len(path) for path in nodes),
            steps=tuple(steps),
        )

    @property
    def paths(self) -> list[list[int]]:
        """Each label's own tokens, the end of the turn among them where it counts."""
        return [[token for _, token in pairs] for pairs in self.steps]

    @cached_property
    def terms(self) -> tuple[list[int], Any, Any]:
        """Nodes at which the head runs; for each step of each label the place of its node among them, and its token."""
        import torch

        asked = sorted({node for steps in self.steps for node, _ in steps})
        place = {node: index for index, node in enumerate(asked)}
        nodes = torch.tensor([place[node] for steps in self.steps for node, _ in steps])
        return asked, nodes, torch.tensor([token for steps in self.steps for _, token in steps])

    @cached_property
    def ancestors(self) -> Any:
        """bool array (nodes, nodes): node i may attend to node j (its ancestors and itself)."""
        import numpy as np

        size = len(self.tokens)
        seen = np.zeros((size, size), dtype=bool)
        for index, parent in enumerate(self.parents):
            if parent:
                seen[index] = seen[parent - 1]
            seen[index, index] = True
        return seen


def score_trees(
    parts: Parts, prompts: Sequence[Ids], trees: Sequence[LabelTree], tokens: int
) -> Iterator[tuple[int, list[float], int]]:
    """Yields (index, log-likelihood of each label of its tree, reused tokens): one pass over prompt and tree for a batch."""
    import torch

    if parts.unfit:
        for row, (prompt, tree) in enumerate(zip(prompts, trees, strict=True)):
            yield row, plain.score_labels(parts.model, prompt, tree.paths), 0
        return
    with torch.inference_mode():
        prefix, shared = beginning(parts, prompts)
        rest = [list(prompt[shared:]) for prompt in prompts]
        largest = max((len(tree.tokens) for tree in trees), default=0)
        for batch in plan_batches([len(item) for item in rest], largest, tokens):
            own = [trees[row] for row in batch]
            hidden = read_trees(parts, [rest[row] for row in batch], (prefix, shared), own)
            for row, states, tree in zip(batch, hidden, own, strict=True):
                yield row, _scores(parts, states, tree), shared


def read_trees(parts: Parts, rests: Sequence[Ids], prefix: tuple[Any, int], trees: Sequence[LabelTree]) -> Any:
    """Hidden states (rows, 1 + nodes of the largest tree, width) after the prompt and after each node of its tree."""
    import numpy as np
    import torch

    cache, shared = prefix
    rows, nodes, width = len(rests), max(len(tree.tokens) for tree in trees), max(len(item) for item in rests)
    ids = np.zeros((rows, width + nodes), dtype=np.int64)
    places = np.zeros_like(ids)
    sees = np.zeros((rows, width + nodes, shared + width + nodes), dtype=bool)
    causal = np.tril(np.ones((width, width), dtype=bool))
    for row, (item, tree) in enumerate(zip(rests, trees, strict=True)):
        pad, end = width - len(item), width + len(tree.tokens)
        ids[row, pad:width] = item
        ids[row, width:end] = tree.tokens
        places[row, pad:width] = shared + np.arange(len(item))
        places[row, width:end] = shared + len(item) - 1 + np.asarray(tree.depths, dtype=np.int64)
        sees[row, :, :shared] = True
        sees[row, :width, shared : shared + width] = causal
        sees[row, width:, shared : shared + width] = True
        sees[row, :, shared : shared + pad] = False
        sees[row, width:end, shared + width : shared + end] = tree.ancestors
    device = parts.device
    asking = torch.from_numpy(places).to(device)
    before = torch.arange(shared, device=device).expand(rows, -1)
    mask = parts.attention.mask(
        torch.from_numpy(sees).to(device), asking, torch.cat([before, asking], 1), parts.model.dtype
    )
    out = parts.decoder(
        input_ids=torch.from_numpy(ids).to(device),
        position_ids=asking,
        attention_mask=mask,
        cache=widen(parts, cache, rows),
        use_cache=True,
    ).last_hidden_state
    return out[:, width - 1 :]


def _scores(parts: Parts, states: Any, tree: LabelTree) -> list[float]:
    """Log-likelihood of each label from one row's states (1 + nodes, width)."""
    asked, nodes, tokens = tree.terms
    logits = parts.logits(states[asked])
    terms = logits[nodes, tokens] - logits.logsumexp(-1)[nodes]
    return [float(part.sum()) for part in terms.cpu().double().split([len(steps) for steps in tree.steps])]
