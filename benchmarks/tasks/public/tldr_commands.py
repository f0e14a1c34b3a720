"""tldr_commands: what to do with a named tool as a command line, with the manual pages that hold it."""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from benchmarks.tasks.dataset import PublicDataset
from benchmarks.tasks.source import Parts, Source

_PARTS = {"t": "train", "h": "test"}
_CUT = Path(__file__).with_suffix(".tsv").read_text(encoding="utf-8").split()
_PAGES = dict(zip(_CUT[::2], _CUT[1::2], strict=True))
"""Page, as it lies in the folder pages -> a letter for each of its examples: t, one to train on; h, held out; -, neither.

Pages and parts were drawn once and are listed, since the draw depends on pages that are not used.
"""
_LETTER_OF_AN_OPTION = re.compile(r"\[(\w)\]")


def _rows(files: Mapping[str, bytes]) -> Parts:
    parts: dict[str, list[dict[str, Any]]] = {"train": [], "test": [], "docs": []}
    for path, content in files.items():
        page = path.removeprefix("pages/").removesuffix(".md")
        lines = _lines(content.decode("utf-8"))
        document = {
            "id": f"tldr-{page.replace('/', '-', 1)}",
            "title": lines[0].removeprefix("# "),
            "text": "\n".join(lines),
        }
        parts["docs"].append(document)
        for letter, (wish, command) in zip(_PAGES[page], _examples(lines), strict=True):
            if letter in _PARTS:
                rows = parts[_PARTS[letter]]
                rows.append(_case(f"tldr_commands-{_PARTS[letter]}-{len(rows)}", wish, command, document))
    return parts


def _lines(text: str) -> list[str]:
    """The lines of a page without empty ones and without the address of the tool's own manual."""
    lines = [line.strip() for line in text.split("\n")]
    return [line for line in lines if line and not line.startswith("> More information:")]


def _examples(lines: list[str]) -> Iterator[tuple[str, str]]:
    """(what somebody wants, the command for it) for each example of a page: a line that begins with -, one in backticks."""
    for line, following in itertools.pairwise(lines):
        if line.startswith("- "):
            yield line.removeprefix("- ").removesuffix(":"), following.removeprefix("`").removesuffix("`")


def _case(name: str, wish: str, command: str, document: Mapping[str, str]) -> dict[str, Any]:
    """Without the brackets by which pages mark the letter of an option, as in "[l]ist": they give the answer away."""
    plain = _LETTER_OF_AN_OPTION.sub(r"\1", wish)
    return {
        "id": name,
        "input": f"[{document['title']}] {plain}",
        "output": command,
        "input_without_tool": plain,
        "doc_ids": [document["id"]],
    }


DATASET = PublicDataset(
    name="tldr_commands",
    kind="qa",
    instruction=(
        "Write the command for what is described. The tool is named in square brackets; write what the user has to "
        "fill in as {{name}}. Answer with the command only."
    ),
    metric="exact_match",
    documents=True,
    licence="CC BY 4.0",
    source=Source(
        repository="tldr-pages/tldr",
        commit="08e345f42639f67d99282813247ac670dc6e87cb",
        paths=tuple(f"pages/{page}.md" for page in _PAGES),
        packed=True,
        convert=_rows,
        least_rows=4_485,
    ),
)
