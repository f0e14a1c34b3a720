"""Answers questions with llama-index: its search, and its query engine in front of an OpenAI-compatible server.

    python llama_index_answers.py WORK.json FOUND.json

The way to search is chosen as in `llama_index_search.py`, the number of passages by the answers to some examples. The
engine's own question template is used, with the task's instruction in front of it.
"""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from importlib.metadata import version
from pathlib import Path
from typing import Any

from llama_index_search import PACKAGES, chosen  # type: ignore[import-not-found]

DEPTHS, JUDGED, THREADS = (1, 2, 5), 60, 8
"""Passages that are shown; examples that answers are judged by; requests at once."""


def main() -> None:
    os.environ["HF_HUB_OFFLINE"] = "1"
    os.environ["TOKENIZERS_PARALLELISM"] = "false"
    work = json.loads(Path(sys.argv[1]).read_text(encoding="utf-8"))
    start = time.perf_counter()
    name, way, _ = chosen(work)
    judged = work["examples"][:JUDGED]
    scores = {}
    for depth in DEPTHS:
        answers = told(work, way, depth, [case["input"] for case in judged])
        scores[depth] = sum(map(contained, answers, judged)) / len(judged)
    best = max(scores, key=lambda depth: scores[depth])
    fitting = time.perf_counter() - start
    answers = told(work, way, best, [case["input"] for case in work["heldout"]])
    found = {
        "answers": answers,
        "seconds": {"fitting": fitting, "answering": time.perf_counter() - start - fitting},
        "settings": {"way": name, "passages": best, "scores": {str(depth): score for depth, score in scores.items()}},
        "versions": {name: version(name) for name in (*PACKAGES, "llama-index-llms-openai-like")},
    }
    Path(sys.argv[2]).write_text(json.dumps(found), encoding="utf-8")


def contained(answer: str, case: dict[str, Any]) -> bool:
    return any(one.casefold() in answer.casefold() for one in case["accepted"])


def told(work: dict[str, Any], way: Any, depth: int, questions: Sequence[str]) -> list[str]:
    from llama_index.core import PromptTemplate, get_response_synthesizer  # type: ignore[import-not-found]
    from llama_index.core.prompts.default_prompts import (  # type: ignore[import-not-found]
        DEFAULT_TEXT_QA_PROMPT_TMPL,
    )
    from llama_index.llms.openai_like import OpenAILike  # type: ignore[import-not-found]

    model = OpenAILike(
        model=work["server"]["model"],
        api_base=work["server"]["address"],
        api_key="none",
        is_chat_model=True,
        temperature=0.0,
        max_tokens=work["answer_tokens"],
        context_window=work["context_tokens"],
        timeout=300.0,
    )
    template = PromptTemplate(f"{work['instruction']}\n{DEFAULT_TEXT_QA_PROMPT_TMPL}")
    synthesizer = get_response_synthesizer(llm=model, response_mode="compact", text_qa_template=template)

    def answer(question: str) -> str:
        return str(synthesizer.synthesize(question, nodes=way.retrieve(question)[:depth])).strip()

    with ThreadPoolExecutor(THREADS) as pool:
        return list(pool.map(answer, questions))


if __name__ == "__main__":
    main()
