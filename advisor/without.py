"""What of an export answers without this product: which programs go along, what they need, where their answers may differ."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, NamedTuple

from advisor.reports.markdown import literal
from advisor.wording import counted, listed
from benchmarks.contract import Evaluation
from strategies.alone import CHOICE, HEAD, HEADS, NEAREST, PROMPT
from strategies.retrieval.index import MANIFEST

SCRIPT = "predict.py"


class Program(NamedTuple):
    """A file of ours that needs nothing else of ours, and what it is called beside the model card."""

    source: str
    name: str


PREDICT = Program("alone.py", SCRIPT)
SPEAKING, LOOKUP, TAGGING = (Program(name, name) for name in ("speaking.py", "lookup.py", "tagging.py"))


def needed(folder: Path) -> list[Program]:
    """The programs that answer with what lies in the folder; none where two parts answer, or nothing says how."""
    if len([*(folder / "parts").iterdir()]) > 1:
        return []
    if asked := _read(folder, PROMPT):
        return [
            PREDICT,
            SPEAKING,
            *([LOOKUP] if "lookup" in asked else []),
            *([TAGGING] if asked.get("schema") else []),
        ]
    if heads := _read(folder, HEADS):
        return [PREDICT, *([TAGGING] if any(head["path"] for head in heads["heads"]) or heads["taggers"] else [])]
    if any(folder.rglob(CHOICE)) and any(folder.rglob(MANIFEST)):
        return [PREDICT, LOOKUP]
    return [PREDICT] if any(folder.rglob(HEAD)) or any(folder.rglob(NEAREST)) else []


def without_us(folder: Path, evaluation: Evaluation) -> list[str]:
    """How it is used with public packages alone, as Markdown lines; or why it cannot be."""
    if not (folder / SCRIPT).is_file():
        return [
            f"Without finetune-advisor nothing here answers, since {_why_not(folder, evaluation)}: export another approach "
            "(`--candidate`), or have `advisor predict` answer on a machine that has it.",
            "",
        ]
    asked = _read(folder, PROMPT)
    return [
        f"With {listed(_packages(folder, asked))} alone, from {_models(folder, asked)}:",
        "",
        "```",
        f"python {SCRIPT} new.jsonl{_options(folder, asked)} > answers.jsonl",
        "```",
        "",
        *_differences(folder, asked),
        *_prompt(folder, asked),
        *_index(folder, asked),
    ]


def _read(folder: Path, name: str) -> dict[str, Any]:
    """The first file of that name below the parts; empty where there is none, or it is not one of ours."""
    for path in sorted((folder / "parts").rglob(name)):
        values = json.loads(path.read_text(encoding="utf-8"))
        return values if isinstance(values, dict) else {}
    return {}


def _packages(folder: Path, asked: dict[str, Any]) -> list[str]:
    speaks = ["torch", "transformers", "peft"] if asked else []
    held = ["llguidance"] if asked.get("schema") else []
    looks = ["sentence-transformers", "faiss-cpu", "bm25s"] if (folder / LOOKUP.name).is_file() else []
    embeds = [] if asked or looks else ["sentence-transformers"]
    words = ["scikit-learn"] if not asked and (folder / TAGGING.name).is_file() else []
    return [*speaks, *held, *looks, *embeds, *words]


def _models(folder: Path, asked: dict[str, Any]) -> str:
    if any(folder.rglob(HEAD)) and not asked:
        return "the embedder that was trained for it, which lies here"
    if not asked:
        return "the embedder that it was fitted with"
    return "the models that it was fitted with" if "lookup" in asked else "the model that it was fitted with"


def _options(folder: Path, asked: dict[str, Any]) -> str:
    if any(folder.rglob(HEAD)) and not asked:
        return ""
    found = asked.get("lookup", {})
    embeds = " --embedder FOLDER_OR_HUB_ID" if found else ""
    reranks = " --reranker FOLDER_OR_HUB_ID" if found.get("passages") and found["mode"] == "reranked" else ""
    return f" --model FOLDER_OR_HUB_ID{embeds}{reranks}"


def _differences(folder: Path, asked: dict[str, Any]) -> list[str]:
    """Where it may say something else than what was measured."""
    places = []
    if asked:
        places.append(
            "it reads one request at a time in float32, so where two answers are as likely but for the last digits, it may give "
            "the other, above all where the run computed in another number format"
        )
    if asked.get("schema"):
        places.append("another version of llguidance may allow other tokens")
    if (folder / LOOKUP.name).is_file():
        places.append("it compares every vector, where the run read only the nearest lists of more than 200,000")
    return [f"Its answers are those of the run, with these limits: {'; '.join(places)}.", ""] if places else []


def _prompt(folder: Path, asked: dict[str, Any]) -> list[str]:
    if not asked:
        return []
    (path, *_) = sorted((folder / "parts").rglob(PROMPT))
    found = asked.get("lookup")
    behind = (
        "" if found is None else "; what is put into them for each request, and how it is found, under `lookup` there"
    )
    return [f"The prompt stands as chat messages in `{path.relative_to(folder).as_posix()}`{behind}.", ""]


def _index(folder: Path, asked: dict[str, Any]) -> list[str]:
    """What the files of an index are, and how it is searched by hand."""
    found = sorted((folder / "parts").rglob(MANIFEST))
    if not found or not (folder / LOOKUP.name).is_file():
        return []
    about = json.loads(found[0].read_text(encoding="utf-8"))
    place = found[0].parent.relative_to(folder).as_posix()
    mode = asked["lookup"]["mode"] if asked else _read(folder, CHOICE)["mode"]
    how = {"dense": "by vectors", "hybrid": "by vectors and by words (BM25)"}
    searched = how.get(mode, "by vectors and by words (BM25), the first of them read by a cross-encoder")
    return [
        f"The index lies in `{place}`: {counted(about['passages'], 'passage')} of {counted(about['documents'], 'document')}, "
        f"searched {searched}. `passages.json` holds the documents with their texts, and for each passage the number of its "
        f"document and the characters where it begins and ends; `vectors.npy` a float32 vector of {about['dimension']} numbers "
        f"and unit length for each, in the same order, made by {literal(about['embedder'])}; `manifest.json` these numbers and "
        "how many passages each ranking brings. Without this product:",
        "",
        "```",
        f'python {LOOKUP.name} "What is asked?" --index {place} --embedder FOLDER_OR_HUB_ID',
        "```",
        "",
    ]


def _why_not(folder: Path, evaluation: Evaluation) -> str:
    """Why no program of its own can answer with what lies in the folder, as a clause."""
    setup = evaluation.chosen.get("setup") or {}
    if len([*(folder / "parts").iterdir()]) > 1:
        return "two approaches answer, the second what the first is not sure of"
    if (setup.get("form") or {}).get("show_labels"):
        return "the list of labels may be cut, for each request, to what the model can read"
    if setup or any(folder.rglob(CHOICE)):
        return "it was fitted by a version that wrote less down than these programs need"
    return f"{literal(evaluation.approach)} runs only within this product"
