"""Answers requests with what was fitted here. It needs torch and transformers (peft for an adapter), and no other program.

    python predict.py new.jsonl --model FOLDER_OR_HUB_ID > answers.jsonl

Requests are lines: JSON objects with an "input", or plain text. It takes one at a time, in float32, and cuts requests at the
same length as when they were measured; it does not shorten demonstrations where a model reads less than the prompt. With
`--guard 0.05` it says that it does not know where it is unsure; README.md tells what that costs and saves.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import math
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

PROMPT, HEADS, PLACE = "prompt.json", "heads.json", "{{input}}"
EXAMPLES, NEAREST = "examples.json", "nearest.npy"
"""The examples, and the vectors of their inputs in the same order."""
EXPORT = "export.json"
SAFE, PICKLED = "model.safetensors", ("pytorch_model.bin", "adapter_model.bin")
_MARK = "xqzanswerxqz"
Surely = Callable[[str], tuple[str, float]]
"""An answer, and how sure: comparable within one approach only."""


def main() -> None:
    options = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    options.add_argument("requests", nargs="?", help="A file with one request a line; standard input without it.")
    options.add_argument("--model", required=True, help="The model that this was fitted with: a folder or a hub id.")
    options.add_argument("--folder", default=str(Path(__file__).resolve().parent), help="Where the fit lies.")
    options.add_argument(
        "--guard", type=float, help="Say that it is not known where at most this share of right answers is."
    )
    given = options.parse_args()
    below, says = (-math.inf, "") if given.guard is None else guard(Path(given.folder), given.guard)
    answer = surely(Path(given.folder), given.model)
    lines = Path(given.requests).read_text(encoding="utf-8").split("\n") if given.requests else sys.stdin
    for text in inputs(lines):
        said, sure = answer(text)
        held = {"output": says, "held_back": True} if sure < below else {"output": said}
        sys.stdout.write(json.dumps({"input": text, **held}, ensure_ascii=False) + "\n")
        sys.stdout.flush()


def guard(folder: Path, share: float) -> tuple[float, str]:
    """The sureness below which nothing is answered, and what is said there. `share`: of the right answers, at most lost by it."""
    kept = json.loads((folder / EXPORT).read_text(encoding="utf-8"))["kept"]
    found = kept.get("guards", {}).get(kept["default"], {"held": []})
    known = {each["at_most"]: each["threshold"] for each in found["held"] if each["at_most"]}
    if share not in known:
        raise SystemExit(
            f"--guard is {share:g}; measured here: {', '.join(f'{each:g}' for each in known) or 'nothing'}."
        )
    return known[share], found["says"]


def inputs(lines: Any) -> Iterator[str]:
    for line in lines:
        if line.strip():
            yield json.loads(line)["input"] if line.lstrip().startswith("{") else line.rstrip("\r\n")


def answerer(folder: Path, model: str) -> Callable[[str], str]:
    """What answers one request."""
    answer = surely(folder, model)
    return lambda text: answer(text)[0]


def surely(folder: Path, model: str) -> Surely:
    """The same, with how sure it is: by a prompt, with an adapter or without, a linear head on embeddings, or the nearest
    example."""
    known = {PROMPT: _by_prompt, HEADS: _by_head, NEAREST: _by_nearest}
    for name, made in known.items():
        for found in sorted(folder.rglob(name)):
            return made(found.parent, model)
    raise SystemExit(f"{folder} holds none of {', '.join(known)}.")


# ---------------------------------------------------------------- a prompt


def _by_prompt(place: Path, model: str) -> Surely:
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer

    asked = json.loads((place / PROMPT).read_text(encoding="utf-8"))
    _check(Path(model))
    causal: Any = AutoModelForCausalLM
    tokenizer: Any = AutoTokenizer.from_pretrained(model, trust_remote_code=False)
    must_render_alike(tokenizer, asked.get("probe"))
    network: Any = causal.from_pretrained(
        model, dtype=torch.float32, use_safetensors=True, trust_remote_code=False
    ).eval()
    if (place / "adapter").is_dir():
        _check(place / "adapter", "adapter_model.safetensors")
        from peft import PeftModel

        network = PeftModel.from_pretrained(network, str(place / "adapter")).merge_and_unload()
    end = _end_of_turn(tokenizer)

    def ids(text: str) -> list[int]:
        return list(tokenizer(text, add_special_tokens=False)["input_ids"])

    labels = [ids(word) for word in asked["words"]]
    # A label that another one begins with counts with the end of the turn behind it.
    begun = {tuple(one[:size]) for one in labels for size in range(1, len(one))}
    labels = [[*one, end] if tuple(one) in begun else one for one in labels]

    def likelihood(prompt: list[int], answer: list[int]) -> float:
        logits = network(input_ids=torch.tensor([[*prompt, *answer]])).logits[0, len(prompt) - 1 : -1].float()
        return float(logits.log_softmax(-1).gather(-1, torch.tensor(answer)[:, None]).double().sum())

    @torch.inference_mode()
    def answer(text: str) -> tuple[str, float]:
        cut = ids(text)[: asked["input_tokens"]] if len(text) > asked["input_tokens"] else []
        if cut and len(cut) == asked["input_tokens"]:
            text = tokenizer.decode(cut, skip_special_tokens=True)
        prompt = ids(_text(tokenizer, _filled(asked["messages"], text)))
        if labels:
            prior = asked["prior"] or [0.0] * len(labels)
            scores = [likelihood(prompt, one) - known for one, known in zip(labels, prior, strict=True)]
            return _likeliest(asked["labels"], scores)
        stop = sorted({end, int(tokenizer.eos_token_id)})
        found = network.generate(
            input_ids=torch.tensor([prompt]),
            attention_mask=torch.ones(1, len(prompt), dtype=torch.long),
            max_new_tokens=asked["max_tokens"],
            do_sample=False,
            repetition_penalty=1.0,
            no_repeat_ngram_size=0,
            eos_token_id=stop,
            pad_token_id=stop[0],
            output_logits=True,
            return_dict_in_generate=True,
        )
        written = found.sequences[0, len(prompt) :].tolist()
        size = next((number for number, token in enumerate(written) if token in stop), len(written))
        said = str(tokenizer.decode(written[:size], skip_special_tokens=True)).strip()
        likely = [float(step[0].float().log_softmax(-1)[one]) for step, one in zip(found.logits, written, strict=True)]
        if getattr(tokenizer, "chat_template", None):
            return said, _mean(likely[: size + 1])
        return said.split("\n\n")[0].strip(), _mean(likely[: _paragraph(tokenizer, written[:size], size + 1)])

    return answer


def _check(folder: Path, wanted: str = "") -> None:
    """Pickled weights can run code when they are read: a folder in which they would be taken is refused."""
    pickled = [path for path in folder.rglob("*.bin") if path.name in PICKLED and not _beside(path).is_file()]
    if pickled or (wanted and not (folder / wanted).is_file()):
        raise SystemExit(f"{folder} holds pickled weights or lacks {wanted or SAFE}. Only safetensors are read here.")


def _beside(path: Path) -> Path:
    """What is taken before the pickle, where it is there."""
    return path.with_name(SAFE if path.name == PICKLED[0] else "adapter_model.safetensors")


def _likeliest(labels: list[str], scores: list[float]) -> tuple[str, float]:
    """The label of the highest log-likelihood, and its share."""
    best = max(range(len(scores)), key=scores.__getitem__)
    return str(labels[best]), 1 / sum(math.exp(score - scores[best]) for score in scores)


def _mean(likely: list[float]) -> float:
    """The geometric mean of the probabilities of what was written."""
    return math.exp(sum(likely) / len(likely)) if likely else 0.0


def _paragraph(tokenizer: Any, written: list[int], whole: int) -> int:
    """Tokens until the text has a paragraph's end; `whole` where it has none."""
    ended = (
        "\n\n" in tokenizer.decode(written[:size], skip_special_tokens=True).lstrip() for size in range(len(written))
    )
    return next((size for size, found in enumerate(ended) if found), whole)


def _filled(messages: list[dict[str, str]], text: str) -> list[dict[str, str]]:
    """The messages with the request in its place, which is the last one of the last message."""
    before, _, after = messages[-1]["content"].rpartition(PLACE)
    return [*messages[:-1], {**messages[-1], "content": f"{before}{text}{after}"}]


def _text(tokenizer: Any, messages: list[dict[str, str]]) -> str:
    """The prompt by the model's own template; without one as paragraphs, an answer on the line after its question."""
    if not getattr(tokenizer, "chat_template", None):
        parts = [tokenizer.bos_token or ""]
        for turn in messages:
            parts += [turn["content"].rstrip(), "\n" if turn["role"] == "user" else "\n\n"]
        return "".join(parts)
    try:
        return str(tokenizer.apply_chat_template(messages, tokenize=False, add_generation_prompt=True))
    except Exception as error:
        if messages[0]["role"] != "system" or "system" not in str(error).lower():
            raise
        first = {**messages[1], "content": f"{messages[0]['content']}\n\n{messages[1]['content']}"}
        turns = [first, *messages[2:]]
        return str(tokenizer.apply_chat_template(turns, tokenize=False, add_generation_prompt=True))


def must_render_alike(tokenizer: Any, kept: Any) -> None:
    """Ends the program where the model's tokenizer or template makes another prompt of a conversation than in the fit."""
    if kept is None:
        return
    text, template = _text(tokenizer, kept["messages"]), str(tokenizer.chat_template)
    if "strftime_now" in template:  # It writes today's date.
        text = "\n".join([template, *(turn["content"] for turn in kept["messages"])])
    ids = tokenizer(text, add_special_tokens=False)["input_ids"]
    digest = hashlib.sha256(" ".join(map(str, [*ids, _end_of_turn(tokenizer)])).encode()).hexdigest()
    if digest != kept["digest"]:
        raise SystemExit(
            "The chat template or the tokenizer of this model is not the one that this was fitted with: what was measured does "
            "not hold for it. Take the model that README.md names."
        )


def _end_of_turn(tokenizer: Any) -> int:
    end = int(tokenizer.eos_token_id)
    if not getattr(tokenizer, "chat_template", None):
        return end
    turns = [{"role": "user", "content": "a"}, {"role": "assistant", "content": _MARK}]
    after = tokenizer.apply_chat_template(turns, tokenize=False).rpartition(_MARK)[2]
    ids = list(tokenizer(after, add_special_tokens=False)["input_ids"])
    special = set(tokenizer.all_special_ids)
    return next((token for token in ids if token in special), ids[0] if ids else end)


# ---------------------------------------------------------------- embeddings


def _embedder(model: str) -> Callable[[str], Any]:
    from sentence_transformers import SentenceTransformer

    _check(Path(model))
    encoder = SentenceTransformer(model, device="cpu", trust_remote_code=False, model_kwargs={"use_safetensors": True})

    def embed(text: str) -> Any:
        return encoder.encode([text], normalize_embeddings=True, show_progress_bar=False)[0].astype("float32")

    return embed


def _by_head(place: Path, model: str) -> Surely:
    import numpy as np

    (head,) = json.loads((place / HEADS).read_text(encoding="utf-8"))["heads"]
    table = np.load(place / "head-0.npy", allow_pickle=False)
    embed = _embedder(model)

    def answer(text: str) -> tuple[str, float]:
        return _likeliest(head["classes"], (table[:, :-1] @ embed(text) + table[:, -1]).tolist())

    return answer


def _by_nearest(place: Path, model: str) -> Surely:
    """The answer of the example whose input is most alike; of equally near ones the first."""
    import numpy as np

    answers = [case["output"] for case in json.loads((place / EXAMPLES).read_text(encoding="utf-8"))]
    table = np.load(place / NEAREST, allow_pickle=False)
    embed = _embedder(model)

    def answer(text: str) -> tuple[str, float]:
        # Row by row in one way, so that the same input twice is exactly as near twice; a product of matrices is not so.
        near = np.einsum("ij,j->i", table, embed(text))
        return str(answers[int(near.argmax())]), float(near.max())

    return answer


if __name__ == "__main__":
    main()
