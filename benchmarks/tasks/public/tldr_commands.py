"""tldr_commands: what to do with a named tool as a command line, with the manual pages that hold it."""

from __future__ import annotations

from benchmarks.tasks.dataset import PublicDataset
from benchmarks.tasks.source import Source

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
        paths=("pages/common/*.md", "pages/linux/*.md"),
    ),
)
