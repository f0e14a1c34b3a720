"""The slow, certain way to ask a model: transformers' own `generate`, and one whole forward pass for each label."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from strategies.models.batching import Drawing, Ids, Written, plan_batches


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


def generate(model: Any, prompts: Sequence[Ids], drawing: Drawing, tokens: int) -> Iterator[tuple[int, Written, int]]:
    """Yields (index, what was written, without its odds, reused tokens: none); prompts of a batch are padded on the left."""
    import torch

    for batch in plan_batches([len(prompt) for prompt in prompts], drawing.max_tokens, tokens):
        width = max(len(prompts[row]) for row in batch)
        stop = sorted(drawing.stop_ids)
        ids = torch.full((len(batch), width), stop[0])
        mask = torch.zeros_like(ids)
        for place, row in enumerate(batch):
            ids[place, width - len(prompts[row]) :] = torch.tensor(list(prompts[row]))
            mask[place, width - len(prompts[row]) :] = 1
        warm = drawing.temperature > 0
        torch.manual_seed(drawing.seed)
        out = model.generate(
            input_ids=ids.to(model.device),
            attention_mask=mask.to(model.device),
            max_new_tokens=drawing.max_tokens,
            do_sample=warm,
            repetition_penalty=1.0,  # Not what the model's own file may ask for: the quick engine does not either.
            no_repeat_ngram_size=0,
            **({"temperature": drawing.temperature, "top_k": 0, "top_p": 1.0} if warm else {}),
            eos_token_id=stop,
            pad_token_id=stop[0],
        )
        for row, answer in zip(batch, out[:, width:].tolist(), strict=True):
            end = next((place for place, token in enumerate(answer) if token in drawing.stop_ids), len(answer))
            yield row, Written(answer[:end], []), 0
