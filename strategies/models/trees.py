"""Scores many possible answers to a prompt at once: their tokens as a tree, one pass over prompt and tree."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property, partial
from typing import Any

from strategies.contract import Ends
from strategies.models import plain
from strategies.models.batching import Held, Ids, plan_batches
from strategies.models.beginnings import beginning, widen
from strategies.models.parts import Parts


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


Played = tuple[int, list[float], int]
"""(row, log-likelihood of each label of the last tree, nodes that were read)."""


@dataclass(frozen=True)
class Rounds:
    """Trees that are scored behind the same prompts one after the other, each made from the scores of the one before."""

    first: Sequence[LabelTree]
    then: Sequence[Callable[[int, Sequence[float]], LabelTree]] = ()
    """(index of the prompt, scores of its labels) -> the tree that is scored next."""

    def of(self, rows: Sequence[int]) -> Rounds:
        """The same for these prompts alone, by their numbers among them."""

        def asked(narrow: Callable[[int, Sequence[float]], LabelTree]) -> Callable[[int, Sequence[float]], LabelTree]:
            return lambda row, scores: narrow(rows[row], scores)

        return Rounds([self.first[row] for row in rows], [asked(narrow) for narrow in self.then])

    def play(self, rows: Sequence[int], score: Callable[[Sequence[LabelTree]], list[list[float]]]) -> Iterator[Played]:
        """What comes out for each row, with a way to score one tree for each."""
        trees = [self.first[row] for row in rows]
        nodes = [len(tree.tokens) for tree in trees]
        scores = score(trees)
        for narrow in self.then:
            trees = [narrow(row, given) for row, given in zip(rows, scores, strict=True)]
            nodes = [read + len(tree.tokens) for read, tree in zip(nodes, trees, strict=True)]
            scores = score(trees)
        yield from zip(rows, scores, nodes, strict=True)


def score_rounds(
    parts: Parts, prompts: Sequence[Ids], rounds: Rounds, tokens: int
) -> Iterator[tuple[int, list[float], int, int]]:
    """Yields (index, log-likelihood of each label of the last tree, nodes that were read, reused tokens): the prompt is
    read once for all rounds."""
    import torch

    if parts.unfit:
        for row, prompt in enumerate(prompts):
            plainly = partial(_one_by_one, parts.model, prompt)
            yield from ((*played, 0) for played in rounds.play([row], plainly))
        return
    with torch.inference_mode():
        for batch, reader in _readers(parts, prompts, ((1 + len(rounds.then)) * _largest(rounds.first), tokens)):
            yield from ((*played, reader.shared) for played in rounds.play(batch, reader.scores))


def _one_by_one(model: Any, prompt: Ids, trees: Sequence[LabelTree]) -> list[list[float]]:
    return [plain.score_labels(model, prompt, tree.paths) for tree in trees]


def _largest(trees: Sequence[LabelTree]) -> int:
    return max((len(tree.tokens) for tree in trees), default=0)


def _readers(
    parts: Parts, prompts: Sequence[Ids], size: tuple[int, int]
) -> Iterator[tuple[tuple[int, ...], TreeReader]]:
    """(prompts of a batch, their reader) for batches of (nodes behind each prompt, padded tokens)."""
    nodes, tokens = size
    prefix, shared = beginning(parts, prompts)
    rest = [list(prompt[shared:]) for prompt in prompts]
    for batch in plan_batches([len(item) for item in rest], nodes, tokens, Held(parts.positions, shared)):
        yield batch, TreeReader(parts, [rest[row] for row in batch], (prefix, shared))


class TreeReader:
    """The prompts of a batch, read once, and trees behind them, one after the other."""

    def __init__(self, parts: Parts, rests: Sequence[Ids], prefix: tuple[Any, int]) -> None:
        import numpy as np

        cache, self.shared = prefix
        self.parts, self.rests = parts, rests
        self.width = max(len(item) for item in rests)
        self.cache = widen(parts, cache, len(rests))
        self.places = np.tile(np.arange(self.shared), (len(rests), 1))
        """Position of every key in the cache."""
        self.ends: Any = None
        """Hidden states (rows, 1, width) at the end of the prompts, once they are read."""

    def scores(self, trees: Sequence[LabelTree]) -> list[list[float]]:
        """Log-likelihood of each label of each row's tree."""
        hidden = self.read(trees)
        return [_scores(self.parts, states, tree) for states, tree in zip(hidden, trees, strict=True)]

    def read(self, trees: Sequence[LabelTree]) -> Any:
        """Hidden states (rows, 1 + nodes of the largest tree, width) after the prompt and after each node of its tree."""
        import numpy as np
        import torch

        rows, nodes, lead = len(self.rests), _largest(trees), 0 if self.ends is not None else self.width
        if not nodes + lead:
            return self.ends
        held = self.places.shape[1]
        ids = np.zeros((rows, lead + nodes), dtype=np.int64)
        places = np.zeros_like(ids)
        sees = np.zeros((rows, lead + nodes, held + lead + nodes), dtype=bool)
        prompt, causal = slice(self.shared, self.shared + self.width), np.tri(lead, dtype=bool)
        for row, (item, tree) in enumerate(zip(self.rests, trees, strict=True)):
            pad, end = self.width - len(item), lead + len(tree.tokens)
            if lead:
                ids[row, pad:lead] = item
                places[row, pad:lead] = self.shared + np.arange(len(item))
                sees[row, :lead, prompt] = causal
            ids[row, lead:end] = tree.tokens
            places[row, lead:end] = self.shared + len(item) - 1 + np.asarray(tree.depths, dtype=np.int64)
            sees[row, lead:, prompt] = True
            sees[row, :, : self.shared] = True
            sees[row, :, self.shared : self.shared + pad] = False
            sees[row, lead:end, held + lead : held + end] = tree.ancestors
        self.places = np.concatenate([self.places, places], 1)
        out = self._forward(*(torch.from_numpy(part).to(self.parts.device) for part in (ids, places, sees)))
        if lead:
            self.ends = out[:, lead - 1 : lead]
        return torch.cat([self.ends, out[:, lead:]], 1)

    def _forward(self, ids: Any, places: Any, sees: Any) -> Any:
        import torch

        keys = torch.from_numpy(self.places).to(self.parts.device)
        return self.parts.decoder(
            input_ids=ids,
            position_ids=places,
            attention_mask=self.parts.attention.mask(sees, places, keys, self.parts.model.dtype),
            cache=self.cache,
            use_cache=True,
        ).last_hidden_state


def _scores(parts: Parts, states: Any, tree: LabelTree) -> list[float]:
    """Log-likelihood of each label from one row's states (1 + nodes, width)."""
    asked, nodes, tokens = tree.terms
    terms = parts.log_probabilities(states[asked], nodes, tokens)
    return [float(part.sum()) for part in terms.cpu().double().split([len(steps) for steps in tree.steps])]
