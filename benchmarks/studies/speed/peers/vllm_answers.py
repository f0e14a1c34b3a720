"""Answers every prompt with a vLLM server on this machine, many at a time, and says how long it took.

A plain script for vLLM's Python; it imports nothing of ours but `lines.py` beside it.

    python vllm_answers.py WORK.json

It starts the server, has the last prompts answered, and prints a line of JSON, `{"ready": ...}`. Each line of standard
input is then answered with one turn, `per_turn` prompts that were not asked before, and its line of JSON. Everything else
that is printed goes to standard error. The server ends with the script.

So the server's cache holds what all prompts begin with. Its blocks are of 32 tokens, since with the 128 that are usual on
a CPU a short beginning would not be kept at all.
"""

from __future__ import annotations

import http.client
import json
import os
import queue
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import IO, Any

from lines import protected_output, say  # type: ignore[import-not-found]

HOST = "127.0.0.1"
NAME = "peer"
"""Under which the server offers the model."""
BLOCK = 32
CACHE_GIB = 2
START_SECONDS, STOP_SECONDS, ANSWER_SECONDS = 300, 20, 600
WARM = 8
"""Prompts that are answered before anything is timed."""
LOG_LINES = 30
"""Of the server's log, shown where it does not start."""
PACKAGES = ("vllm", "torch", "transformers")


def main() -> None:
    output = protected_output()
    work = json.loads(Path(sys.argv[1]).read_text(encoding="utf-8"))
    # The server has to end with us, so being told to end must run what stands in `finally`.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    with serving(work) as port:
        timed(port, {**work, "prompts": work["prompts"][-WARM:]})
        versions = {name: version(name) for name in PACKAGES}
        say(output, {"ready": {"versions": versions, "settings": settings(work)}})
        for turn, _ in enumerate(sys.stdin):
            first = turn * work["per_turn"] % (len(work["prompts"]) - work["per_turn"] + 1)
            say(output, timed(port, {**work, "prompts": work["prompts"][first : first + work["per_turn"]]}))


def settings(work: dict[str, Any]) -> dict[str, Any]:
    return {
        "dtype": work["dtype"],
        "threads": work["threads"],
        "max_tokens": work["max_tokens"],
        "concurrency": work["concurrency"],
        "block_size": BLOCK,
        "kv_cache_gib": CACHE_GIB,
        "prefix_caching": True,
        "cache": "warm: other prompts with the same beginning were answered before",
        "openmp": "libiomp5" if openmp() else "libgomp",
        "tokens": "of the answers as the server counts them, with the end of each",
    }


# ---------------------------------------------------------------- the server


@contextmanager
def serving(work: dict[str, Any]) -> Iterator[int]:
    """The port of a server that answers; it is stopped with all its processes at the end, whatever happens."""
    port = free_port()
    with tempfile.TemporaryFile(prefix="vllm-") as log:
        server = subprocess.Popen(
            command(work, port),
            env=environment(work),
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,
        )
        try:
            wait(server, port, log)
            yield port
        finally:
            stop(server)


def command(work: dict[str, Any], port: int) -> list[str]:
    return [
        str(Path(sys.prefix) / "bin" / "vllm"),
        "serve",
        work["model"],
        *("--served-model-name", NAME),
        *("--host", HOST),
        *("--port", str(port)),
        *("--dtype", work["dtype"]),
        *("--max-num-seqs", str(work["concurrency"])),
        *("--block-size", str(BLOCK)),
        "--enable-prefix-caching",
        "--enable-prompt-tokens-details",
        "--disable-uvicorn-access-log",
        "--disable-log-stats",
    ]


def environment(work: dict[str, Any]) -> dict[str, str]:
    """Binds the threads to the first CPUs that are ours; left alone vLLM keeps one CPU free, half of a small machine."""
    cpus = sorted(os.sched_getaffinity(0))[: work["threads"]]
    preloaded = [*openmp(), *filter(None, [os.environ.get("LD_PRELOAD")])]
    return {
        **{name: value for name, value in os.environ.items() if name not in ("OMP_NUM_THREADS", "LD_PRELOAD")},
        "PATH": f"{Path(sys.prefix) / 'bin'}{os.pathsep}{os.environ.get('PATH', '')}",
        "VLLM_CPU_KVCACHE_SPACE": str(CACHE_GIB),
        "VLLM_CPU_OMP_THREADS_BIND": ",".join(map(str, cpus)),
        "VLLM_NO_USAGE_STATS": "1",
        "HF_HUB_OFFLINE": "1",
        **({"LD_PRELOAD": ":".join(preloaded)} if preloaded else {}),
    }


def openmp() -> list[str]:
    """Intel's OpenMP library, which vLLM's manual advises to load first, where the environment has it."""
    library = Path(sys.prefix) / "lib" / "libiomp5.so"
    return [str(library)] if library.is_file() else []


def free_port() -> int:
    with socket.socket() as one:
        one.bind((HOST, 0))
        return int(one.getsockname()[1])


def wait(server: subprocess.Popen[bytes], port: int, log: IO[bytes]) -> None:
    """Until the server says that it is well; ends the script, with the end of the log, where it does not."""
    limit = time.monotonic() + START_SECONDS
    while time.monotonic() < limit and server.poll() is None:
        if is_well(port):
            return
        time.sleep(0.5)
    log.seek(0)
    last = log.read().decode("utf-8", errors="replace").splitlines()[-LOG_LINES:]
    how = f"did not answer within {START_SECONDS} s" if server.poll() is None else f"ended with {server.returncode}"
    sys.exit("\n".join([*last, f"The vLLM server {how}; above is the end of its log."]))


def is_well(port: int) -> bool:
    connection = http.client.HTTPConnection(HOST, port, timeout=5)
    try:
        connection.request("GET", "/health")
        return connection.getresponse().status == http.client.OK
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()


def stop(server: subprocess.Popen[bytes]) -> None:
    """Ends the server and whatever it started: politely first, then not."""
    for how in (signal.SIGTERM, signal.SIGKILL):
        try:
            os.killpg(server.pid, how)
            server.wait(STOP_SECONDS)
        except ProcessLookupError:
            return
        except subprocess.TimeoutExpired:
            continue


# ---------------------------------------------------------------- the questions


@dataclass(frozen=True, kw_only=True)
class Answer:
    text: str
    tokens: int
    cached: int
    """Tokens of the prompt that the server had in its cache."""


def timed(port: int, work: dict[str, Any]) -> dict[str, Any]:
    """One repetition: every prompt is answered, with as many requests under way as the work says."""
    start = time.perf_counter()
    answers = answer_all(port, work)
    seconds = time.perf_counter() - start
    return {
        "seconds": seconds,
        "cases": len(answers),
        "tokens": sum(answer.tokens for answer in answers),
        "cached_prompt_tokens": sum(answer.cached for answer in answers),
        "answers": [answer.text for answer in answers],
    }


def answer_all(port: int, work: dict[str, Any]) -> list[Answer]:
    """The answers in the order of the prompts. Each thread keeps one connection and takes the next open prompt."""
    waiting: queue.SimpleQueue[int] = queue.SimpleQueue()
    for place in range(len(work["prompts"])):
        waiting.put(place)
    answers: dict[int, Answer] = {}

    def work_off() -> None:
        connection = http.client.HTTPConnection(HOST, port, timeout=ANSWER_SECONDS)
        try:
            while True:
                place = waiting.get_nowait()
                answers[place] = ask(connection, work["prompts"][place], work["max_tokens"])
        except queue.Empty:
            return
        finally:
            connection.close()

    threads = min(work["concurrency"], len(work["prompts"]))
    with ThreadPoolExecutor(threads) as pool:
        for done in [pool.submit(work_off) for _ in range(threads)]:
            done.result()
    return [answers[place] for place in range(len(work["prompts"]))]


def ask(connection: http.client.HTTPConnection, prompt: str, max_tokens: int) -> Answer:
    """One greedy answer. The prompt brings the special tokens of the chat template with it."""
    wish = {
        "model": NAME,
        "prompt": prompt,
        "max_tokens": max_tokens,
        "temperature": 0,
        "add_special_tokens": False,
    }
    connection.request("POST", "/v1/completions", json.dumps(wish), {"Content-Type": "application/json"})
    response = connection.getresponse()
    said = response.read()
    if response.status != http.client.OK:
        raise RuntimeError(f"The vLLM server answered {response.status}: {said[:300]!r}")
    value = json.loads(said)
    details = value["usage"].get("prompt_tokens_details") or {}
    return Answer(
        text=value["choices"][0]["text"],
        tokens=value["usage"]["completion_tokens"],
        cached=details.get("cached_tokens") or 0,
    )


if __name__ == "__main__":
    main()
