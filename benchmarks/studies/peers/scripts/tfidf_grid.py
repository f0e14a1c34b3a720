"""Classifies with scikit-learn: TF-IDF of words and letters, logistic regression, a grid search over both.

python tfidf_grid.py WORK.json FOUND.json
"""

from __future__ import annotations

import json
import sys
import time
from importlib.metadata import version
from pathlib import Path
from typing import Any

GRID = {
    "features__words__ngram_range": [(1, 1), (1, 2)],
    "features__letters__ngram_range": [(2, 4), (3, 5)],
    "head__C": [1.0, 10.0, 100.0],
}
FOLDS = 3


def main() -> None:
    work = json.loads(Path(sys.argv[1]).read_text(encoding="utf-8"))
    start = time.perf_counter()
    search = fitted(work)
    fitting = time.perf_counter() - start
    answers = [str(label) for label in search.predict([case["input"] for case in work["heldout"]])]
    found = {
        "answers": answers,
        "seconds": {"fitting": fitting, "answering": time.perf_counter() - start - fitting},
        "settings": {name: str(value) for name, value in search.best_params_.items()},
        "versions": {"scikit-learn": version("scikit-learn")},
    }
    Path(sys.argv[2]).write_text(json.dumps(found), encoding="utf-8")


def fitted(work: dict[str, Any]) -> Any:
    from sklearn.feature_extraction.text import TfidfVectorizer
    from sklearn.linear_model import LogisticRegression
    from sklearn.model_selection import GridSearchCV, StratifiedKFold
    from sklearn.pipeline import FeatureUnion, Pipeline

    words = TfidfVectorizer(sublinear_tf=True)
    letters = TfidfVectorizer(sublinear_tf=True, analyzer="char_wb")
    steps = [
        ("features", FeatureUnion([("words", words), ("letters", letters)])),
        ("head", LogisticRegression(max_iter=2000)),
    ]
    folds = StratifiedKFold(FOLDS, shuffle=True, random_state=work["seed"])
    search = GridSearchCV(Pipeline(steps), GRID, cv=folds, scoring="accuracy")
    return search.fit([case["input"] for case in work["examples"]], [case["output"] for case in work["examples"]])


if __name__ == "__main__":
    main()
