"""Templates and tokenizers that are changed between a fit and its use: who refuses them, before anything is answered.

It takes a model's tokenizer, and none of its weights.
"""

from __future__ import annotations

import hashlib
import json
import shutil
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from strategies.contract import Message, Workbench
from strategies.models.endpoint import EndpointModel
from strategies.models.local import LocalModel
from strategies.models.probe import PROBE, must_count_alike
from strategies.models.weights import resolve
from strategies.models.wheels import ModelUnavailable
from strategies.pipeline import Setup, load_pipeline
from strategies.selection import PipelineBuilder
from strategies.standalone import speaking
from strategies.standalone.alone import PROMPT

AS_IT_WAS = "nothing"


def _template(change: Callable[[str], str]) -> Callable[[Any], None]:
    def apply(tokenizer: Any) -> None:
        tokenizer.chat_template = change(tokenizer.chat_template)

    return apply


def _lower(tokenizer: Any) -> None:
    from tokenizers import normalizers

    tokenizer.backend_tokenizer.normalizer = normalizers.Lowercase()


CHANGES: Mapping[str, Callable[[Any], Any]] = {
    AS_IT_WAS: lambda tokenizer: None,
    "one more line break before the answer": _template(lambda text: text + "{{ '\\n' }}"),
    "another mark before each turn": _template(lambda text: text.replace("<|im_start|>", "### ")),
    "another token that ends each turn": _template(lambda text: text.replace("<|im_end|>", "<|endoftext|>")),
    "the system turn left out": _template(
        lambda text: "{% set messages = messages | rejectattr('role', 'equalto', 'system') | list %}" + text
    ),
    "a date before the conversation": _template(lambda text: "Today is 1 May.\n" + text),
    "no template at all": _template(lambda text: None),  # type: ignore[arg-type,return-value]
    "everything in lower case": _lower,
    "a token added that the test conversation holds": lambda tokenizer: tokenizer.add_tokens(["40312-B"]),
    "a token added that it lacks": lambda tokenizer: tokenizer.add_tokens(["zebra"]),
}
"""Each changes the tokenizer that it is given."""


@dataclass(frozen=True, kw_only=True)
class Fit:
    """A prompt of a task with a model, saved as a run saves it."""

    folder: Path
    model: LocalModel
    bench: Workbench

    @classmethod
    def of(cls, builder: PipelineBuilder, folder: Path) -> Fit:
        """Raises `TypeError` for a model whose tokenizer is not here."""
        model = builder.bench.model
        if not isinstance(model, LocalModel):
            raise TypeError(f"{model.name} has no tokenizer here")
        builder.build(Setup(), builder.task.examples).save(folder)
        return cls(folder=folder, model=model, bench=builder.bench)


def changed(model: LocalModel, how: str, folder: Path) -> LocalModel:
    """The same weights, in another folder, beside a tokenizer that was changed."""
    from transformers import AutoTokenizer

    folder.mkdir(parents=True)
    for path in model.folder.iterdir():
        if path.suffix == ".safetensors":
            (folder / path.name).symlink_to(path.resolve())
        elif path.is_file() and path.suffix != ".gguf":
            shutil.copy(path, folder)
    if how != AS_IT_WAS:
        tokenizer = AutoTokenizer.from_pretrained(folder, trust_remote_code=False)
        CHANGES[how](tokenizer)
        (folder / "chat_template.jinja").unlink(missing_ok=True)
        tokenizer.save_pretrained(folder)
    return replace(model, folder=folder)


def refused(fit: Fit, how: str, folder: Path) -> Iterator[dict[str, Any]]:
    """Whether the fit, the exported program, the server's count of tokens and the hash of the files refuse it."""
    other = changed(fit.model, how, folder)
    yield {
        "by the fit": _by_the_fit(fit, other),
        "by the program": _by_the_program(fit, other),
        "by the count": _by_the_count(fit, other),
        "by the files": resolve(str(fit.model.folder)).fingerprint != resolve(str(folder)).fingerprint,
    }


def _by_the_fit(fit: Fit, other: LocalModel) -> bool:
    @dataclass(frozen=True)
    class Elsewhere:
        """The workbench with the other model."""

        model: LocalModel

        def __getattr__(self, name: str) -> Any:
            return getattr(fit.bench, name)

    bench: Any = Elsewhere(other)
    try:
        load_pipeline(fit.folder, bench)
    except ModelUnavailable:
        return True
    return False


def _by_the_program(fit: Fit, other: LocalModel) -> bool:
    asked = json.loads((fit.folder / PROMPT).read_text(encoding="utf-8"))
    try:
        speaking.must_render_alike(other.chat.tokenizer, asked["probe"])
    except SystemExit:
        return True
    return False


def _by_the_count(fit: Fit, other: LocalModel) -> bool:
    with _server(other) as address:
        stated = EndpointModel(name="server", base_url=address, model="m", retries=0).stated_tokens(PROBE)
    try:
        must_count_alike(fit.model, stated)
    except ModelUnavailable:
        return True
    return False


@contextmanager
def _server(model: LocalModel) -> Iterator[str]:
    """An OpenAI-compatible server on loopback that counts tokens with the model's own tokenizer, and says nothing else."""

    class Counting(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            prompt = tuple(Message(turn["role"], turn["content"]) for turn in body["messages"])
            tokens = model.count(prompt)
            choice = {"index": 0, "finish_reason": "length", "message": {"role": "assistant", "content": "a"}}
            usage = {"prompt_tokens": tokens, "completion_tokens": 1, "total_tokens": tokens + 1}
            said = {
                "id": "1",
                "object": "chat.completion",
                "created": 1,
                "model": "m",
                "choices": [choice],
                "usage": usage,
            }
            text = json.dumps(said).encode()
            self.send_response(200)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(text)))
            self.end_headers()
            self.wfile.write(text)

        def log_message(self, *_: Any) -> None: ...

    server = ThreadingHTTPServer(("127.0.0.1", 0), Counting)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/v1"
    finally:
        server.shutdown()
        server.server_close()


def place_of(how: str, folder: Path) -> Path:
    """A folder of its own for each change."""
    return folder / hashlib.sha256(how.encode()).hexdigest()[:12]
