"""sms_spam: text messages, 13 % of them spam, so that F1 of spam decides and not accuracy."""

from __future__ import annotations

from collections.abc import Mapping

from benchmarks.tasks.dataset import PublicDataset
from benchmarks.tasks.source import Parts, Source, cut_by_hash

_FILE = "SMSSpamCollection"


def _rows(files: Mapping[str, bytes]) -> Parts:
    # Not splitlines: some messages hold control characters that it takes for the end of a line.
    lines = (line.rstrip("\r") for line in files[_FILE].decode("utf-8-sig").split("\n"))
    pairs = (line.split("\t", 1) for line in lines if line.strip())
    rows = [{"id": f"sms_spam-{number}", "input": text, "output": label} for number, (label, text) in enumerate(pairs)]
    return cut_by_hash(rows, 1 / 3)


DATASET = PublicDataset(
    name="sms_spam",
    kind="classification",
    instruction=(
        "Is this text message spam, such as advertising, a prize or a paid number, or is it ham, an ordinary message "
        "that somebody wrote to somebody? Answer spam or ham."
    ),
    metric="f1_of_label",
    metric_parameters={"label": "spam"},
    labels=("ham", "spam"),
    licence="CC BY 4.0",
    source=Source(
        repository="hamzaaacodes/sms-spam-collection",
        commit="f3e73e1e74e6330b62d1ee1983bba2a063184c26",
        paths=(_FILE,),
        convert=_rows,
        least_rows=5_574,
    ),
)
