"""Prompts with DSPy: its optimizers are tried, and the program that is best on part of the examples answers.

    python dspy_prompts.py WORK.json FOUND.json

The model stands behind an OpenAI-compatible server. Tried are no examples, the nearest ones (KNNFewShot), bootstrapped ones
(BootstrapFewShot), and instructions and examples together (MIPROv2). Where there are labels they are the type of the answer,
or the answer is any text, whichever is better with the nearest examples. Nearest examples are shown as they are: a
bootstrapped one would be the model's own answer in the place of the right one, and only where the two are the same. Programs
are compared by what the study counts, on examples that are kept apart; where nearest examples win, they are then taken from
all. An optimizer that fails is left out and named: its rounds before are paid for.
"""

from __future__ import annotations

import json
import os
import random
import sys
import time
from collections.abc import Callable, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any, Literal

from compared import Score, score_of  # type: ignore[import-not-found]

NEIGHBOURS, DEMONSTRATIONS = (3, 5, 8), 8
JUDGED, BOOTSTRAPPED, THREADS = 100, 100, 16
"""Examples that programs are compared on, and that examples are bootstrapped from, at most; requests at once."""
FRAME_TOKENS = 64
"""Of an answer besides itself: the names of the fields."""
INSTRUCTION_TOKENS = 400
"""Of a proposed instruction. An answer's own limit, which is meant for a label, cut off what MIPROv2 asked for."""
ANY_ERRORS = 10**9
"""A small model's answers are often of no form that can be read. Its optimizers end at the tenth where nothing is said."""
PACKAGES = ("dspy", "optuna", "sentence-transformers")


def main() -> None:
    os.environ["HF_HUB_OFFLINE"] = "1"
    os.environ["TOKENIZERS_PARALLELISM"] = "false"
    work = json.loads(Path(sys.argv[1]).read_text(encoding="utf-8"))
    start = time.perf_counter()
    import dspy  # type: ignore[import-not-found]

    dspy.configure(lm=model(work, work["answer_tokens"] + FRAME_TOKENS), max_errors=ANY_ERRORS)
    best, scores, failed = chosen(work)
    fitting = time.perf_counter() - start
    settings: dict[str, Any] = {"chosen": max(scores, key=lambda name: scores[name]), "dev scores": scores}
    settings |= {"failed": failed} if failed else {}
    answers = told(best, [dspy.Example(text=case["input"]).with_inputs("text") for case in work["heldout"]])
    found = {
        "answers": answers,
        "seconds": {"fitting": fitting, "answering": time.perf_counter() - start - fitting},
        "settings": settings,
        "versions": {name: version(name) for name in PACKAGES},
    }
    Path(sys.argv[2]).write_text(json.dumps(found), encoding="utf-8")


def model(work: dict[str, Any], tokens: int) -> Any:
    """The served model, that says at most `tokens`."""
    import dspy

    return dspy.LM(
        f"openai/{work['server']['model']}",
        api_base=work["server"]["address"],
        api_key="none",
        temperature=0.0,
        max_tokens=tokens,
    )


def chosen(work: dict[str, Any]) -> tuple[Any, dict[str, float], dict[str, str]]:
    """The best program, the score of each, and why an optimizer failed."""
    learnt, judged = parts(work)
    score = score_of(work["metric"])
    types: dict[str, Any] = {"text": str}
    if work["labels"]:
        types["label"] = Literal[tuple(work["labels"])]
    near = {
        f"{k} nearest, {name}": (kind, k)
        for name, kind in types.items()
        for k in (NEIGHBOURS if name == "text" else NEIGHBOURS[1:2])
    }
    scores = {name: share(nearest(work, kind, learnt, k), judged, score) for name, (kind, k) in near.items()}
    kind, _ = near[max(scores, key=scores.__getitem__)]
    others, failed = optimized(
        {
            "no examples": lambda: plain(work, kind),
            "BootstrapFewShot": lambda: bootstrapped(work, kind, learnt),
            "MIPROv2": lambda: proposed(work, kind, (learnt, judged)),
        }
    )
    scores |= {name: share(program, judged, score) for name, program in others.items()}
    best = max(scores, key=scores.__getitem__)
    if best in others:
        return others[best], scores, failed
    kind, k = near[best]
    return nearest(work, kind, [*learnt, *judged], k), scores, failed


def optimized(makers: dict[str, Callable[[], Any]]) -> tuple[dict[str, Any], dict[str, str]]:
    """What each makes, and the words of those that failed."""
    made, failed = {}, {}
    for name, make in makers.items():
        try:
            made[name] = make()
        except Exception as error:
            failed[name] = f"{type(error).__name__} {error}".replace("\n", " ")[:200]
    return made, failed


def parts(work: dict[str, Any]) -> tuple[list[Any], list[Any]]:
    """Examples to learn from, and those that programs are compared on."""
    import dspy

    rows = [
        dspy.Example(text=case["input"], answer=case["output"], accepted=case["accepted"]).with_inputs("text")
        for case in work["examples"]
    ]
    random.Random(work["seed"]).shuffle(rows)
    judged = min(JUDGED, len(rows) // 4)
    return rows[judged:], rows[:judged]


# ---------------------------------------------------------------- programs


def plain(work: dict[str, Any], kind: Any) -> Any:
    import dspy

    fields = {"text": (str, dspy.InputField()), "answer": (kind, dspy.OutputField())}
    return dspy.Predict(dspy.Signature(fields, work["instruction"]))


def nearest(work: dict[str, Any], kind: Any, learnt: Sequence[Any], k: int) -> Any:
    import dspy
    from sentence_transformers import SentenceTransformer

    embedder = SentenceTransformer(work["embedder"], device="cpu")
    program = dspy.KNNFewShot(
        k=k,
        trainset=[example.without("accepted") for example in learnt],
        vectorizer=dspy.Embedder(embedder.encode),
        max_bootstrapped_demos=0,
        max_labeled_demos=k,
    )
    return program.compile(plain(work, kind))


def bootstrapped(work: dict[str, Any], kind: Any, learnt: Sequence[Any]) -> Any:
    import dspy

    maker = dspy.BootstrapFewShot(metric=metric_of(work), max_bootstrapped_demos=4, max_labeled_demos=DEMONSTRATIONS)
    return maker.compile(plain(work, kind), trainset=list(learnt[:BOOTSTRAPPED]))


def proposed(work: dict[str, Any], kind: Any, rows: tuple[Sequence[Any], Sequence[Any]]) -> Any:
    import dspy

    learnt, judged = rows
    maker = dspy.MIPROv2(
        metric=metric_of(work),
        prompt_model=model(work, INSTRUCTION_TOKENS),
        auto="light",
        num_threads=THREADS,
        max_labeled_demos=DEMONSTRATIONS,
    )
    return maker.compile(
        plain(work, kind), trainset=list(learnt[:BOOTSTRAPPED]), valset=list(judged), seed=work["seed"] + 1
    )


# ---------------------------------------------------------------- answers


def told(program: Any, examples: Sequence[Any]) -> list[str]:
    """Answers in the order of the examples; where the model's words could not be read, an empty one."""
    found, failed, _ = program.batch(
        list(examples),
        num_threads=THREADS,
        max_errors=len(examples) + 1,
        return_failed_examples=True,
        disable_progress_bar=True,
        timeout=0,
    )
    if len(found) != len(examples):
        raise RuntimeError(f"{len(found)} answers came to {len(examples)} requests; {len(failed)} failed.")
    return ["" if one is None or one.answer is None else str(one.answer) for one in found]


def share(program: Any, examples: Sequence[Any], score: Score) -> float:
    answers = told(program, examples)
    return float(sum(map(score, answers, (example.accepted for example in examples)))) / len(examples)


def metric_of(work: dict[str, Any]) -> Callable[..., float]:
    """As DSPy asks it: a share, but where examples are bootstrapped (with a trace) only what is wholly right."""
    score = score_of(work["metric"])

    def metric(example: Any, prediction: Any, trace: Any = None) -> float:
        found = float(score(str(prediction.answer), example.get("accepted") or [example.answer]))
        return found if trace is None else float(found == 1.0)

    return metric


if __name__ == "__main__":
    main()
