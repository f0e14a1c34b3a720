"""Classifies with SetFit: the embedder is trained on pairs of examples, then a logistic regression on its embeddings.

    python setfit_head.py WORK.json FOUND.json

The recipe is that of its paper and documentation: cosine loss, one epoch over 20 pairs of each kind for each example,
batches of 16, a body learning rate of 2e-5. All pairs, its default where nothing is said, would be several hundred
thousand for 600 examples of 77 labels. Its head is a logistic regression with C = 1; beside it one is fitted whose C is chosen
by folds of the same embeddings.
"""

from __future__ import annotations

import json
import os
import sys
import tempfile
import time
from importlib.metadata import version
from pathlib import Path
from typing import Any

ITERATIONS, BATCH, RATE = 20, 16, 2e-5
STRENGTHS, FOLDS = (0.3, 1.0, 3.0, 10.0, 30.0, 100.0), 3
PACKAGES = ("setfit", "sentence-transformers", "transformers", "torch", "scikit-learn")


def main() -> None:
    os.environ["HF_HUB_OFFLINE"] = "1"
    os.environ["TOKENIZERS_PARALLELISM"] = "false"
    work = json.loads(Path(sys.argv[1]).read_text(encoding="utf-8"))
    start = time.perf_counter()
    model, names = trained(work)
    search = searched(model, work)
    fitting = time.perf_counter() - start
    texts = [case["input"] for case in work["heldout"]]
    places = model.predict(texts, use_labels=False)
    answering = time.perf_counter() - start - fitting
    found = {
        "answers": [names[int(place)] for place in places],
        "also": {"C of its head searched": [str(label) for label in search.predict(model.encode(texts))]},
        "seconds": {"fitting": fitting, "answering": answering},
        "settings": {
            "num_iterations": work.get("iterations", ITERATIONS),
            "batch_size": BATCH,
            "learning_rate": RATE,
            "C searched": search.best_params_["C"],
        },
        "versions": {name: version(name) for name in PACKAGES},
    }
    Path(sys.argv[2]).write_text(json.dumps(found), encoding="utf-8")


def searched(model: Any, work: dict[str, Any]) -> Any:
    """A head on the embeddings of the trained model, with the C that is best in folds of the examples."""
    from sklearn.linear_model import LogisticRegression
    from sklearn.model_selection import GridSearchCV, StratifiedKFold

    folds = StratifiedKFold(FOLDS, shuffle=True, random_state=work["seed"])
    search = GridSearchCV(LogisticRegression(max_iter=2000), {"C": STRENGTHS}, cv=folds, scoring="accuracy")
    table = model.encode([case["input"] for case in work["examples"]])
    return search.fit(table, [case["output"] for case in work["examples"]])


def trained(work: dict[str, Any]) -> tuple[Any, list[str]]:
    """The model, and the names of the numbers that it predicts."""
    import torch
    from datasets import Dataset  # type: ignore[import-not-found]
    from setfit import SetFitModel, Trainer, TrainingArguments  # type: ignore[import-not-found]

    torch.set_num_threads(work["threads"])
    names = sorted({case["output"] for case in work["examples"]})
    rows = {
        "text": [case["input"] for case in work["examples"]],
        "label": [names.index(case["output"]) for case in work["examples"]],
    }
    model = SetFitModel.from_pretrained(work["embedder"], device="cpu")
    with tempfile.TemporaryDirectory(prefix="setfit-") as folder:
        asked = TrainingArguments(
            output_dir=folder,
            batch_size=BATCH,
            num_epochs=1,
            num_iterations=work.get("iterations", ITERATIONS),
            body_learning_rate=RATE,
            seed=work["seed"],
            report_to="none",
            save_strategy="no",
            show_progress_bar=False,
        )
        Trainer(model=model, args=asked, train_dataset=Dataset.from_dict(rows)).train()
    return model, names


if __name__ == "__main__":
    main()
