"""A small program that is started as `vllm serve` is and speaks the same interface, answering through transformers and peft.

It stands in where vLLM is not installed. What it was told is written into the file that STAND_IN_LOG names, a line each.
"""

from __future__ import annotations

import argparse
import json
import os
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any


def noted(*words: object) -> None:
    with open(os.environ["STAND_IN_LOG"], "a", encoding="utf-8") as file:
        file.write(" ".join(map(str, words)) + "\n")


class Refused(Exception):
    def __init__(self, status: int, said: str) -> None:
        super().__init__(said)
        self.status = status


class Model:
    """Weights with and without adapters; one request at a time."""

    def __init__(self, folder: str, name: str, template: Path | None) -> None:
        import torch
        from transformers import AutoModelForCausalLM, AutoTokenizer

        torch.set_num_threads(1)  # So that two starts of it say the same to the last digit.
        causal: Any = AutoModelForCausalLM
        tokenizers: Any = AutoTokenizer
        self.tokenizer = tokenizers.from_pretrained(folder)
        if template is not None:
            self.tokenizer.chat_template = template.read_text(encoding="utf-8")
        self.plain = causal.from_pretrained(folder, dtype="float32").eval()
        self.folder, self.name, self.lock = folder, name, threading.Lock()
        self.adapted: dict[str, Any] = {}

    def load(self, name: str, path: str) -> None:
        from peft import PeftModel
        from transformers import AutoModelForCausalLM

        if name in self.adapted:
            raise Refused(400, f"The lora adapter '{name}' has already been loaded.")
        causal: Any = AutoModelForCausalLM
        self.adapted[name] = PeftModel.from_pretrained(causal.from_pretrained(self.folder), path).eval()
        noted("load", name)

    def unload(self, name: str) -> None:
        if self.adapted.pop(name, None) is None:
            raise Refused(404, f"The lora adapter '{name}' cannot be found.")
        noted("unload", name)

    def answer(self, asked: dict[str, Any]) -> dict[str, Any]:
        import torch

        name = asked["model"]
        if name != self.name and name not in self.adapted:
            raise Refused(404, f"The model `{name}` does not exist.")
        if "response_format" in asked:
            raise Refused(400, "response_format is not known here")
        model = self.adapted.get(name, self.plain)
        written: Any = self.tokenizer.apply_chat_template(
            asked["messages"], add_generation_prompt=True, return_dict=True, return_tensors="pt"
        )
        with torch.no_grad():
            made = model.generate(
                **written,
                max_new_tokens=asked["max_tokens"],
                do_sample=False,
                output_logits=True,
                return_dict_in_generate=True,
                pad_token_id=0,
            )
        before, end = written["input_ids"].shape[1], self.tokenizer.eos_token_id
        ids = made.sequences[0, before:].tolist()
        places = [self._place(logits[0], token, asked) for logits, token in zip(made.logits, ids, strict=True)]
        ended = bool(ids) and ids[-1] == end
        choice = {
            "index": 0,
            "message": {"role": "assistant", "content": self.tokenizer.decode(ids, skip_special_tokens=True)},
            "finish_reason": "stop" if ended else "length",
            "logprobs": {"content": places} if asked.get("logprobs") else None,
        }
        usage = {"prompt_tokens": before, "completion_tokens": len(ids), "total_tokens": before + len(ids)}
        head = {"id": "1", "object": "chat.completion", "created": 0, "model": name}
        return {**head, "choices": [choice], "usage": usage}

    def _place(self, logits: Any, token: int, asked: dict[str, Any]) -> dict[str, Any]:
        likely = logits.log_softmax(-1)
        top = likely.topk(max(1, asked.get("top_logprobs") or 1)).indices.tolist()

        def said(number: int) -> dict[str, Any]:
            return {"token": self.tokenizer.decode([number]), "logprob": float(likely[number]), "bytes": None}

        return {**said(token), "top_logprobs": [said(each) for each in top]}


def serve(model: Model, host: str, port: int) -> None:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def log_message(self, *_: Any) -> None: ...

        def do_GET(self) -> None:
            if self.path == "/health":
                return self._say(200, {})
            names = [model.name, *model.adapted]
            return self._guarded(lambda: {"data": [{"id": name} for name in names]})

        def do_POST(self) -> None:
            asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            does = {
                "/v1/chat/completions": lambda: model.answer(asked),
                "/v1/load_lora_adapter": lambda: model.load(asked["lora_name"], asked["lora_path"]),
                "/v1/unload_lora_adapter": lambda: model.unload(asked["lora_name"]),
            }
            self._guarded(does[self.path])

        def _guarded(self, does: Any) -> None:
            if self.headers["Authorization"] != f"Bearer {os.environ['VLLM_API_KEY']}":
                return self._say(401, {"error": {"message": "Unauthorized"}})
            try:
                with model.lock:
                    return self._say(200, does() or {})
            except Refused as refused:
                return self._say(refused.status, {"error": {"message": str(refused), "code": refused.status}})

        def _say(self, status: int, said: dict[str, Any]) -> None:
            body = json.dumps(said).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

    ThreadingHTTPServer((host, port), Handler).serve_forever()


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("command", choices=["serve"])
    parser.add_argument("folder")
    for name in ("--served-model-name", "--host", "--port"):
        parser.add_argument(name, required=True)
    parser.add_argument("--chat-template", type=Path)
    given, _ = parser.parse_known_args()
    noted("start", os.getpid())
    serve(Model(given.folder, given.served_model_name, given.chat_template), given.host, int(given.port))


def executable(place: Path) -> Path:
    """Writes a program that is found as vLLM is; ADVISOR_VLLM may name it."""
    import sys

    path = place / "vllm"
    path.write_text(
        f"#!{sys.executable}\nimport runpy\nrunpy.run_path({__file__!r}, run_name='__main__')\n", encoding="utf-8"
    )
    path.chmod(0o755)
    return path


if __name__ == "__main__":
    main()
