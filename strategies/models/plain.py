"""The slow, certain way to ask a model: transformers' own `generate`, and one whole forward pass for each label."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from strategies.models.batching import DecodingOptions, Ids, Written, plan_batches


def score_labels(model: Any, prompt: Ids, answers: Sequence[Ids]) -> list[float]:
    """Log-likelihood of each answer after the prompt."""
    import torch

    with torch.inference_mode():
        return [answer_likelihood(model, prompt, answer) for answer in answers]


def answer_likelihood(model: Any, prompt: Ids, answer: Ids) -> float:
    """Natural log of the probability that the model goes on with exactly these tokens."""
    import torch

    ids = torch.tensor([[*prompt, *answer]], device=model.device)
    logits = model(input_ids=ids, use_cache=False).logits[0, len(prompt) - 1 : -1].float()
    wanted = torch.tensor(list(answer), device=logits.device)[:, None]
    return float(logits.log_softmax(-1).gather(-1, wanted).cpu().double().sum())


def generate(
    model: Any, prompts: Sequence[Ids], decoding: DecodingOptions, tokens: int
) -> Iterator[tuple[int, Written, int]]:
    """Yields (index, what was written, reused tokens: none); prompts of a batch are padded on the left, or of one length where
    the model reads padding as text."""
    import torch

    for batch in _batches(model, [len(prompt) for prompt in prompts], decoding.max_tokens, tokens):
        width = max(len(prompts[row]) for row in batch)
        stop = sorted(decoding.stop_ids)
        ids = torch.full((len(batch), width), stop[0])
        mask = torch.zeros_like(ids)
        for place, row in enumerate(batch):
            ids[place, width - len(prompts[row]) :] = torch.tensor(list(prompts[row]))
            mask[place, width - len(prompts[row]) :] = 1
        warm, watching = decoding.temperature > 0, _Watching(decoding, batch)
        torch.manual_seed(decoding.seed)
        out = model.generate(
            input_ids=ids.to(model.device),
            attention_mask=mask.to(model.device),
            max_new_tokens=decoding.most,
            do_sample=warm,
            repetition_penalty=1.0,  # Not what the model's own file may ask for: the quick engine does not either.
            no_repeat_ngram_size=0,
            **({"temperature": decoding.temperature, "top_k": 0, "top_p": 1.0} if warm else {}),
            eos_token_id=stop,
            pad_token_id=stop[0],
            logits_processor=[watching],
        )
        watching.note(out[:, -1])
        for row, answer, odds in zip(batch, out[:, width:].tolist(), watching.odds, strict=True):
            end = next((place for place, token in enumerate(answer) if token in decoding.stop_ids), len(answer))
            yield row, Written(answer[:end], odds), 0


def _batches(model: Any, lengths: Sequence[int], answer: int, tokens: int) -> Iterator[tuple[int, ...]]:
    sizes = sorted(set(lengths))
    if len(sizes) == 1 or _passes_over_padding(model):
        yield from plan_batches(lengths, answer, tokens)
        return
    for size in sizes:
        rows = [row for row, length in enumerate(lengths) if length == size]
        for batch in plan_batches([size] * len(rows), answer, tokens):
            yield tuple(rows[place] for place in batch)


def _passes_over_padding(model: Any) -> bool:
    """Whether two tokens behind padding go on as they do alone: some models, such as RWKV, take a mask and do without it."""
    import torch

    from strategies.models.agreement import close

    size = model.config.get_text_config().vocab_size
    text, mask = torch.tensor([[5 % size, 6 % size]] * 2), torch.ones((2, 2), dtype=torch.long)
    padding, hidden = torch.tensor([[7 % size] * 3, [8 % size] * 3]), torch.zeros((2, 3), dtype=torch.long)
    alone, padded = (
        model.generate(
            input_ids=ids.to(model.device),
            attention_mask=seen.to(model.device),
            max_new_tokens=1,
            do_sample=False,
            pad_token_id=0,
            output_logits=True,
            return_dict_in_generate=True,
        ).logits[0]
        for ids, seen in ((text, mask), (torch.cat([padding, text], 1), torch.cat([hidden, mask], 1)))
    )
    return close(padded, alone, model.dtype)


class _Watching:
    """Stands between the model and what is drawn: lets through what each answer's form allows, and notes how likely it was."""

    def __init__(self, decoding: DecodingOptions, rows: Sequence[int]) -> None:
        self.stop = decoding.stop_ids
        self.follows = [decoding.follow(row) for row in rows] if decoding.follow else []
        self.odds: list[list[float]] = [[] for _ in rows]
        self.forced: list[list[int]] = [[] for _ in rows]
        """What has to follow, the next token first."""
        self.ended = [False for _ in rows]
        self.logits: Any = None

    def __call__(self, ids: Any, logits: Any) -> Any:
        """The logits (rows, vocabulary) behind `ids` (rows, positions), minus infinity where a token may not come next."""
        if self.logits is not None:
            self.note(ids[:, -1])
        for slot, follow in enumerate(self.follows):
            only = self.forced[slot][:1] or ([min(self.stop)] if follow.whole or self.ended[slot] else [])
            if only:
                kept = logits[slot, only].clone()
                logits[slot] = float("-inf")
                logits[slot, only] = kept
            else:
                follow.forbid(logits[slot])
        self.logits = logits
        return logits

    def note(self, tokens: Any) -> None:
        """What was drawn from the last logits, one token a row; what ends an answer that is whole was not up to the model."""
        odds = self.logits.gather(-1, tokens[:, None])[:, 0] - self.logits.logsumexp(-1)
        for slot, (token, likely) in enumerate(zip(tokens.tolist(), odds.tolist(), strict=True)):
            whole = bool(self.follows) and self.follows[slot].whole and not self.forced[slot]
            if not (self.ended[slot] or whole):
                self.odds[slot].append(likely)
                self._follow(slot, token)
            self.ended[slot] = self.ended[slot] or whole or token in self.stop

    def _follow(self, slot: int, token: int) -> None:
        if self.forced[slot]:
            del self.forced[slot][0]
        elif self.follows and token not in self.stop:
            self.forced[slot] = list(self.follows[slot].take(token))
