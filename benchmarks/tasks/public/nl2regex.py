"""nl2regex: descriptions of lines as regular expressions, in a notation that no model was taught."""

from __future__ import annotations

from collections.abc import Mapping

from benchmarks.tasks.dataset import PublicDataset
from benchmarks.tasks.source import Parts, Source, cut_by_hash

_SAID = "datasets/NL-RX-Turk/src.txt"
_MEANT = "datasets/NL-RX-Turk/targ.txt"


def _rows(files: Mapping[str, bytes]) -> Parts:
    said, meant = (files[path].decode("utf-8-sig").rstrip("\n").split("\n") for path in (_SAID, _MEANT))
    pairs = enumerate(zip(said, meant, strict=True))
    rows = [{"id": f"nl2regex-{number}", "input": a.strip(), "output": b.strip()} for number, (a, b) in pairs]
    return cut_by_hash([row for row in rows if row["input"] and row["output"]], 1 / 3)


DATASET = PublicDataset(
    name="nl2regex",
    kind="generation",
    instruction=(
        "Write the regular expression for the lines that are described. Besides the usual signs, & means that both "
        "sides must match and ~ means that what follows must not. Answer with the expression only."
    ),
    metric="exact_match",
    licence="MIT",
    source=Source(
        repository="nicholaslocascio/deep-regex",
        commit="096490db7f4b0394fbb46b914cb35a0aa1cba29c",
        paths=(_SAID, _MEANT),
        convert=_rows,
        least_rows=9_900,
    ),
)
