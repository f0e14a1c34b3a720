"""Answers many related prompts with one causal model: shared prefixes once, labels as a token tree, batches by tokens.

Everything goes through the model's own forward and cache. The head runs only at the positions that are wanted, on one
contiguous matrix (a batched head would copy the whole vocabulary matrix once a row).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

Ids = Sequence[int]


@dataclass(frozen=True)
class Batch:
    """Indexes of the requests that are answered together, longest prompt last."""

    rows: tuple[int, ...]
    width: int


def common_prefix(sequences: Sequence[Ids]) -> int:
    """Length of the longest common prefix that leaves at least one token of each sequence."""
    if len(sequences) < 2:
        return 0
    low, high = min(map(tuple, sequences)), max(map(tuple, sequences))
    limit = min(min(len(sequence) for sequence in sequences) - 1, len(low), len(high))
    shared = 0
    while shared < limit and low[shared] == high[shared]:
        shared += 1
    return shared


def plan_batches(lengths: Sequence[int], extra: int, tokens: int) -> list[Batch]:
    """Cuts the requests, shortest first, into batches of at most `tokens` padded tokens; `extra` comes on top of each row.

    A function of the lengths alone, so that the same cases always meet the same neighbours.
    """
    order = sorted(range(len(lengths)), key=lambda index: (lengths[index], index))
    batches: list[Batch] = []
    rows: list[int] = []
    for index in order:
        if rows and (len(rows) + 1) * (lengths[index] + extra) > tokens:
            batches.append(Batch(tuple(rows), lengths[rows[-1]]))
            rows = []
        rows.append(index)
    if rows:
        batches.append(Batch(tuple(rows), lengths[rows[-1]]))
    return batches


# ---------------------------------------------------------------- the model's parts


@dataclass(frozen=True)
class Parts:
    """A causal language model taken apart: the decoder (ids -> hidden states) and the head (hidden states -> logits)."""

    model: Any

    @property
    def decoder(self) -> Any:
        return self.model.get_decoder() if hasattr(self.model, "get_decoder") else self.model.base_model

    @property
    def device(self) -> Any:
        return self.model.device

    def logits(self, hidden: Any) -> Any:
        """float32 logits of shape (n, vocabulary) for hidden states of shape (n, width)."""
        logits = self.model.get_output_embeddings()(hidden.contiguous()).float()
        cap = getattr(self.model.config.get_text_config(), "final_logit_softcapping", None)
        return logits if cap is None else (logits / cap).tanh() * cap


def prefix_cache(parts: Parts, prefix: Ids) -> Any:
    """Key-value states of one prefix, batch of one; None for an empty prefix."""
    import torch
    from transformers import DynamicCache

    if not prefix:
        return None
    cache = DynamicCache(config=parts.model.config)
    ids = torch.tensor([list(prefix)], device=parts.device)
    parts.decoder(input_ids=ids, cache=cache, use_cache=True)
    return cache


def widen(parts: Parts, cache: Any, rows: int) -> Any:
    """A fresh cache for `rows` sequences that all begin with the states of `cache`."""
    from transformers import DynamicCache

    wide = DynamicCache(config=parts.model.config)
    if cache is not None:
        for index, layer in enumerate(cache.layers):
            wide.update(layer.keys.expand(rows, -1, -1, -1), layer.values.expand(rows, -1, -1, -1), index)
    return wide


def window(parts: Parts) -> int | None:
    """Width of the sliding attention window, where the model has one."""
    width = getattr(parts.model.config.get_text_config(), "sliding_window", None)
    return int(width) if width else None


# ---------------------------------------------------------------- labels as a tree


@dataclass(frozen=True)
class LabelTree:
    """The labels' tokens as a tree. Node 0 is the end of the prompt; the others are the tokens after which a choice is left.

    A label's likelihood is the product over its own tokens; where a label is the beginning of another one, the end of the
    turn is a token of it too, since only that tells the two apart.
    """

    tokens: tuple[int, ...]
    """Token of each node that has to be read, node 0 left out."""
    parents: tuple[int, ...]
    depths: tuple[int, ...]
    steps: tuple[tuple[tuple[int, int], ...], ...]
    """For each label the (node, next token) pairs whose log-probabilities add up to its own."""

    @classmethod
    def build(cls, labels: Sequence[Ids], end_id: int) -> LabelTree:
        paths = {tuple(label) for label in labels}
        inner = {path[:size] for path in paths for size in range(1, len(path))}
        ends = {path for path in paths if path in inner}
        number: dict[tuple[int, ...], int] = {(): 0}
        for path in sorted(inner, key=lambda item: (len(item), item)):
            number[path] = len(number)
        nodes = [path for path in number if path]
        steps = []
        for label in labels:
            path = tuple(label)
            pairs = [(number[path[:size]], path[size]) for size in range(len(path))]
            if path in ends:
                pairs.append((number[path], end_id))
            steps.append(tuple(pairs))
        return cls(
            tokens=tuple(path[-1] for path in nodes),
            parents=tuple(number[path[:-1]] for path in nodes),
            depths=tuple(len(path) for path in nodes),
            steps=tuple(steps),
        )

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


def score_tree(
    parts: Parts, prompts: Sequence[Ids], tree: LabelTree, tokens: int
) -> Iterator[tuple[int, list[float], int]]:
    """Yields (index, log-likelihood of each label, reused tokens): one pass over prompt and tree for a whole batch."""
    import torch

    shared = common_prefix(prompts)
    with torch.inference_mode():
        prefix = prefix_cache(parts, prompts[0][:shared])
        rest = [list(prompt[shared:]) for prompt in prompts]
        for batch in plan_batches([len(item) for item in rest], len(tree.tokens), tokens):
            hidden = _read_tree(parts, [rest[row] for row in batch.rows], (prefix, shared), tree)
            for row, scores in zip(batch.rows, _label_scores(parts, hidden, tree), strict=True):
                yield row, scores, shared


def _read_tree(parts: Parts, rests: Sequence[Ids], prefix: tuple[Any, int], tree: LabelTree) -> Any:
    """Hidden states (rows, 1 + nodes, width) after the prompt and after each node of the tree."""
    import numpy as np
    import torch

    cache, shared = prefix
    rows, nodes, width = len(rests), len(tree.tokens), max(len(item) for item in rests)
    ids = np.zeros((rows, width + nodes), dtype=np.int64)
    places = np.zeros_like(ids)
    sees = np.zeros((rows, width + nodes, shared + width + nodes), dtype=bool)
    causal = np.tril(np.ones((width, width), dtype=bool))
    family = tree.ancestors()
    for row, item in enumerate(rests):
        pad = width - len(item)
        ids[row, pad:width] = item
        ids[row, width:] = tree.tokens
        places[row, pad:width] = shared + np.arange(len(item))
        places[row, width:] = shared + len(item) - 1 + np.asarray(tree.depths, dtype=np.int64)
        sees[row, :, :shared] = True
        sees[row, :width, shared : shared + width] = causal
        sees[row, width:, shared : shared + width] = True
        sees[row, :, shared : shared + pad] = False
        sees[row, width:, shared + width :] = family
    device = parts.device
    mask = _additive(torch.from_numpy(sees).to(device)[:, None], parts.model.dtype)
    out = parts.decoder(
        input_ids=torch.from_numpy(ids).to(device),
        position_ids=torch.from_numpy(places).to(device),
        attention_mask=mask,
        cache=widen(parts, cache, rows),
        use_cache=True,
    ).last_hidden_state
    return out[:, width - 1 :]


def _additive(sees: Any, dtype: Any) -> Any:
    """0 where a position may look, the lowest number where not; fully masked padding rows stay finite."""
    import torch

    mask = torch.zeros(sees.shape, dtype=dtype, device=sees.device)
    return mask.masked_fill_(~sees, torch.finfo(dtype).min)


def _label_scores(parts: Parts, hidden: Any, tree: LabelTree) -> list[list[float]]:
    import torch

    asked = sorted({node for steps in tree.steps for node, _ in steps})
    place = {node: index for index, node in enumerate(asked)}
    wanted = hidden[:, asked]
    found = []
    node_index = torch.tensor([place[node] for steps in tree.steps for node, _ in steps])
    token_index = torch.tensor([token for steps in tree.steps for _, token in steps])
    sizes = [len(steps) for steps in tree.steps]
    for row in wanted:
        logits = parts.logits(row)
        norm = logits.logsumexp(-1)
        terms = logits[node_index, token_index] - norm[node_index]
        found.append([float(part.sum()) for part in terms.cpu().double().split(sizes)])
    return found


# ---------------------------------------------------------------- free answers


@dataclass(frozen=True)
class Drawing:
    """How tokens are chosen and when an answer ends."""

    stop_ids: frozenset[int]
    max_tokens: int
    temperature: float = 0.0
    seed: int = 0


def generate(
    parts: Parts, prompts: Sequence[Ids], drawing: Drawing, tokens: int
) -> Iterator[tuple[int, list[int], int]]:
    """Yields (index, answer ids without the stop token, reused tokens); at temperature 0 the likeliest token each time.

    An answer that was cut by `max_tokens` has exactly that many ids.
    """
    import torch

    shared = common_prefix(prompts)
    with torch.inference_mode():
        prefix = prefix_cache(parts, prompts[0][:shared])
        rest = [list(prompt[shared:]) for prompt in prompts]
        for batch in plan_batches([len(item) for item in rest], drawing.max_tokens, tokens):
            run = _Decoding(parts, drawing, batch.rows)
            run.start([rest[row] for row in batch.rows], prefix, shared)
            for row, ids in run.finish():
                yield row, ids, shared


class _Decoding:
    """One batch on its way: rows that are finished leave it."""

    def __init__(self, parts: Parts, drawing: Drawing, rows: tuple[int, ...]) -> None:
        import torch

        self.parts, self.drawing = parts, drawing
        self.rows = list(rows)
        self.answers: list[list[int]] = [[] for _ in rows]
        self.dice = [torch.Generator().manual_seed(hash((drawing.seed, row)) & 0x7FFFFFFF) for row in rows]

    def start(self, rests: Sequence[Ids], prefix: Any, shared: int) -> None:
        import torch

        rows, width = len(rests), max(len(item) for item in rests)
        ids = torch.zeros((rows, width), dtype=torch.long)
        self.mask = torch.zeros((rows, shared + width), dtype=torch.long)
        self.mask[:, :shared] = 1
        places = torch.zeros((rows, width), dtype=torch.long)
        for row, item in enumerate(rests):
            ids[row, width - len(item) :] = torch.tensor(item)
            places[row, width - len(item) :] = shared + torch.arange(len(item))
            self.mask[row, shared + width - len(item) :] = 1
        self.places = torch.tensor([shared + len(item) for item in rests])
        self.cache = widen(self.parts, prefix, rows)
        self.logits = self._forward(ids, places)

    def finish(self) -> Iterator[tuple[int, list[int]]]:
        import torch

        while self.rows:
            picked = self._pick()
            stay = []
            for slot, token in enumerate(picked):
                if token in self.drawing.stop_ids:
                    yield self.rows[slot], self.answers[slot]
                    continue
                self.answers[slot].append(token)
                if len(self.answers[slot]) >= self.drawing.max_tokens:
                    yield self.rows[slot], self.answers[slot]
                    continue
                stay.append(slot)
            if len(stay) < len(self.rows):
                self._keep(stay)
            if stay:
                fresh = torch.tensor([[picked[slot]] for slot in stay])
                self.mask = torch.cat([self.mask, torch.ones((len(stay), 1), dtype=torch.long)], 1)
                self.logits = self._forward(fresh, self.places[:, None])
                self.places = self.places + 1

    def _keep(self, stay: list[int]) -> None:
        import torch

        index = torch.tensor(stay, dtype=torch.long)
        self.rows = [self.rows[slot] for slot in stay]
        self.answers = [self.answers[slot] for slot in stay]
        self.dice = [self.dice[slot] for slot in stay]
        if stay:
            self.mask, self.places = self.mask[index], self.places[index]
            self.cache.batch_select_indices(index.to(self.parts.device))

    def _forward(self, ids: Any, places: Any) -> Any:
        device = self.parts.device
        hidden = self.parts.decoder(
            input_ids=ids.to(device),
            position_ids=places.to(device),
            attention_mask=self.mask.to(device),
            cache=self.cache,
            use_cache=True,
        ).last_hidden_state
        return self.parts.logits(hidden[:, -1])

    def _pick(self) -> list[int]:
        import torch

        if self.drawing.temperature <= 0:
            picked: list[int] = self.logits.argmax(-1).tolist()
            return picked
        odds = (self.logits / self.drawing.temperature).softmax(-1).cpu()
        return [int(torch.multinomial(row, 1, generator=dice)) for row, dice in zip(odds, self.dice, strict=True)]
