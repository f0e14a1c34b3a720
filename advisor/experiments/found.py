"""The task that a person names, and the data that it names in turn."""

from __future__ import annotations

import difflib
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from benchmarks.contract import BadInput

if TYPE_CHECKING:
    from benchmarks.data.assemble import Assembly, Limits, Loaded
    from benchmarks.data.load import Inputs
    from benchmarks.specs.spec import Spec


@dataclass(frozen=True, kw_only=True)
class Found:
    """A task by file or by name: its spec, the folder that its files lie in, and for a named one where it is from."""

    spec: Spec
    folder: Path
    origin: str = ""
    allow_remote: bool = False

    def data(self) -> Loaded:
        """What its files hold, as it stands there. Raises `BadInput`."""
        from benchmarks.data.assemble import load

        return load(self.spec, self.folder, self.allow_remote)

    def assembled(self, limits: Limits | None = None, seed: int = 0, allow_code: bool = False) -> Assembly:
        """Reads, checks and splits the data. Raises `BadInput`."""
        from benchmarks.data.assemble import assemble

        return assemble(self.spec, data=self.data(), limits=limits, seed=seed, allow_code=allow_code)

    def traffic(self) -> Inputs:
        """Real requests without answers, where the spec names some. Raises `BadInput`."""
        from benchmarks.data.load import Inputs, read_inputs
        from benchmarks.data.remote import files_of

        if not self.spec.traffic:
            return Inputs()
        with files_of(self.spec.file_keys(), self.folder, self.allow_remote) as file:
            return read_inputs(file("traffic"), self.spec.columns)


def find(task: str | Path, allow_remote: bool = False) -> Found:
    """The task that a person means: a task.yaml, a folder that holds one, or a bundled or public task by its name.

    What lies on the disk wins over a name. `allow_remote` lets data be fetched from a bucket or the hub. Raises `BadInput`.
    """
    from benchmarks import tasks
    from benchmarks.specs.spec import read_spec

    path, name = Path(task), str(task)
    if path.is_dir() and (path / "task.yaml").is_file():
        path = path / "task.yaml"
    if not path.is_file() and (named := tasks.find(name)) is not None:
        spec, folder = named.open()
        return Found(spec=spec, folder=folder, origin=named.origin)
    if path.exists() or path.suffix.lower() in (".yaml", ".yml") or len(path.parts) > 1:
        spec, folder = read_spec(path)
        return Found(spec=spec, folder=folder, allow_remote=allow_remote)
    near = difflib.get_close_matches(name, tasks.names(), n=1)
    hint = f"Did you mean {near[0]}?" if near else f"Give a task.yaml, or one of {', '.join(tasks.names())}."
    raise BadInput(f"{name} is neither a file nor a known task. {hint}")
