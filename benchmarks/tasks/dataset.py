"""A public dataset: what the task is, where its rows lie on this machine, and how they become a spec."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from benchmarks.contract import BadInput
from benchmarks.specs.spec import Spec, parse_spec
from benchmarks.tasks.source import Source, download, get
from strategies.contract import Kind
from strategies.models.weights import cache_folder

VARIABLE = "ADVISOR_DATA"


@dataclass(frozen=True, kw_only=True)
class PublicDataset:
    """One public dataset as a task.

    Its rows are looked for in the folder `name` inside the folder that ADVISOR_DATA names, then among those downloaded
    before; else they are downloaded from their own source. In each place they lie as `train.jsonl` (the examples) and
    `test.jsonl` (held out) with `id`, `input`, `output` and where there are any `answers` or `references` and
    `doc_ids`; `docs.jsonl` with `id`, `title`, `text` where the task has documents; `meta.json` with `labels`.
    """

    name: str
    kind: Kind
    instruction: str
    metric: str
    licence: str
    source: Source
    metric_parameters: Mapping[str, Any] = field(default_factory=dict)
    labels: tuple[str, ...] = ()
    """Empty: those of meta.json, else those of the examples."""
    schema: Mapping[str, Any] | None = None
    documents: bool = False

    @property
    def origin(self) -> str:
        return f"{self.source.repository} at {self.source.commit[:12]} ({self.licence})"

    @property
    def files(self) -> tuple[str, ...]:
        """Names of the files that must be there."""
        return ("train.jsonl", "test.jsonl", *(("docs.jsonl",) if self.documents else ()))

    def folder(self) -> Path | None:
        """The folder with the rows on this machine, or None where they must be downloaded first.

        Raises `BadInput` where ADVISOR_DATA names no folder, or the dataset's folder in it lacks a file.
        """
        given = os.environ.get(VARIABLE)
        if given:
            place = Path(given).expanduser()
            if not place.is_dir():
                raise BadInput(f"{VARIABLE} names no folder. Set it to the folder that holds {self.name}, or unset it.")
            if (place / self.name).is_dir():
                return self._complete(place / self.name)
        kept = self._kept()
        return kept if kept.is_dir() else None

    def open(self) -> tuple[Spec, Path]:
        """The spec, and the folder with its files; downloads them where they are nowhere. Raises `BadInput`."""
        folder = self.folder()
        if folder is None:
            folder = self._kept()
            try:
                download(self.name, self.source, folder, get)
            except BadInput as error:
                raise BadInput(f"{error} {self._by_hand()}") from None
        return self._spec(folder), folder

    def _kept(self) -> Path:
        return cache_folder() / "datasets" / f"{self.name}-{self.source.commit[:12]}"

    def _complete(self, folder: Path) -> Path:
        missing = [name for name in self.files if not (folder / name).is_file()]
        if missing:
            raise BadInput(f"The folder {self.name} in {VARIABLE} lacks {' and '.join(missing)}. {self._by_hand()}")
        return folder

    def _by_hand(self) -> str:
        columns = "id, input, output" + (", doc_ids" if self.documents else "")
        documents = " and docs.jsonl (id, title, text)" if self.documents else ""
        return (
            f"Put train.jsonl and test.jsonl (one object a line: {columns}){documents} into a folder named "
            f"{self.name}, and set {VARIABLE} to the folder above it."
        )

    def _spec(self, folder: Path) -> Spec:
        values: dict[str, Any] = {
            "name": self.name,
            "kind": self.kind,
            "instruction": self.instruction,
            "examples": "train.jsonl",
            "heldout": "test.jsonl",
            "metric": {"name": self.metric, **self.metric_parameters},
        }
        labels = self.labels or _labels(folder / "meta.json")
        if labels and self.kind == "classification":
            values["labels"] = list(labels)
        if self.schema is not None:
            values["schema"] = dict(self.schema)
        if self.documents:
            values["documents"] = "docs.jsonl"
        return parse_spec(values, self.name)


def _labels(path: Path) -> tuple[str, ...]:
    """The labels that meta.json lists; none where there is no such file or it lists none."""
    if not path.is_file():
        return ()
    try:
        meta = json.loads(path.read_text(encoding="utf-8-sig"))
        labels = meta.get("labels") or []
    except (ValueError, AttributeError):
        raise BadInput(f"{path.name} of {path.parent.name} is not a JSON object. Correct it, or remove it.") from None
    if not isinstance(labels, list) or not all(isinstance(label, str) for label in labels):
        raise BadInput(f"labels in {path.name} of {path.parent.name} is not a list of texts. Correct it, or remove it.")
    return tuple(labels)
