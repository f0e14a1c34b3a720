"""Answers questions with llama-index: its search, and its query engine in front of an OpenAI-compatible server.

    python llama_index_answers.py WORK.json FOUND.json

The way to search is chosen as in `llama_index_search.py`. The number of passages and the question template, the engine's own
or one that asks for a short answer, are chosen by the answers to some examples, by what the study counts. The task's
instruction stands in front of either.
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

from compared import contained, score_of  # type: ignore[import-not-found]
from llama_index_search import PACKAGES, chosen  # type: ignore[import-not-found]

DEPTHS, JUDGED, THREADS = (1, 2, 5), 150, 8
"""Passages that are shown; examples that answers are judged by; requests at once."""
OWN = "its own"
SHORT = """\
Context information is below.
---------------------
{context_str}
---------------------
Given the context information and not prior knowledge, answer the query in as few words as possible, not in a sentence.
Query: {query_str}
Answer: """
TEMPLATES = {OWN: "", "short": SHORT}


def main() -> None:
    os.environ["HF_HUB_OFFLINE"] = "1"
    os.environ["TOKENIZERS_PARALLELISM"] = "false"
    work = json.loads(Path(sys.argv[1]).read_text(encoding="utf-8"))
    start = time.perf_counter()
    name, way, _ = chosen(work)
    judged = work["examples"][:JUDGED]
    scores = {}
    for template in TEMPLATES:
        for depth in DEPTHS:
            answers = told(work, way, (template, depth), [case["input"] for case in judged])
            scores[template, depth] = share(work["metric"], answers, judged)
    best = max(scores, key=lambda setting: scores[setting])
    fitting = time.perf_counter() - start
    answers = told(work, way, best, [case["input"] for case in work["heldout"]])
    found = {
        "answers": answers,
        "seconds": {"fitting": fitting, "answering": time.perf_counter() - start - fitting},
        "settings": {
            "way": name,
            "template": best[0],
            "passages": best[1],
            "scores": {f"{template} {depth}": score for (template, depth), (score, _) in scores.items()},
        },
        "versions": {name: version(name) for name in (*PACKAGES, "llama-index-llms-openai-like")},
    }
    Path(sys.argv[2]).write_text(json.dumps(found), encoding="utf-8")


def share(metric: str, answers: Sequence[str], cases: Sequence[dict[str, Any]]) -> tuple[float, float]:
    """Mean score by what is counted, and among equals how often an answer stands in what was written."""
    accepted = [case["accepted"] for case in cases]
    counted, stands = (sum(map(score, answers, accepted)) / len(cases) for score in (score_of(metric), contained))
    return counted, stands


def told(work: dict[str, Any], way: Any, setting: tuple[str, int], questions: Sequence[str]) -> list[str]:
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
    name, depth = setting
    template = PromptTemplate(f"{work['instruction']}\n{TEMPLATES[name] or DEFAULT_TEXT_QA_PROMPT_TMPL}")
    synthesizer = get_response_synthesizer(llm=model, response_mode="compact", text_qa_template=template)

    def answer(question: str) -> str:
        return str(synthesizer.synthesize(question, nodes=way.retrieve(question)[:depth])).strip()

    with ThreadPoolExecutor(THREADS) as pool:
        return list(pool.map(answer, questions))


if __name__ == "__main__":
    main()
