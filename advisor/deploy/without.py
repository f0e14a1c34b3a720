"""What of an export answers without this product: which programs go along, what they need, where their answers may differ."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from advisor.experiments.brought import named
from advisor.reports.markdown import literal
from advisor.reports.text import clean
from advisor.wording import counted, listed
from benchmarks.contract import Evaluation
from benchmarks.running.installed import made
from strategies.models.known import KNOWN
from strategies.retrieval.index import MANIFEST
from strategies.standalone.alone import (
    CHOICE,
    CONSTANT,
    COPIED,
    EXPORT,
    HEAD,
    HEADS,
    NEAREST,
    PROMPT,
    WORDS,
    scored_otherwise,
)

SCRIPT = "predict.py"
FOUR_BITS = "The run held the model in four bits (NF4), since the card holds no more."
_MODEL, _EMBEDDER = "the model that it was fitted with", "the embedder that it was fitted with"
_MODELS = "the two models that it was fitted with"


class Program(NamedTuple):
    """A file of ours that needs nothing else of ours, and what it is called beside the model card."""

    source: str
    name: str


PREDICT = Program("alone.py", SCRIPT)
READING, SPEAKING, LOOKUP, TAGGING, ASKING, REFUSALS, THOUGHTS, ODDS, HELD = (
    Program(f"{name}.py", f"{name}.py")
    for name in ("reading", "speaking", "lookup", "tagging", "asking", "refusals", "thoughts", "odds", "held")
)


def needed(folder: Path) -> list[Program]:
    """The programs that answer with what lies in the folder; none where nothing says how one of its parts answers, or where the
    second of two is asked by how sure the first was at a server."""
    parts = _parts(folder)
    if len(parts) > 1 and scored_otherwise(_read(parts[0], PROMPT)):
        return []
    found = [_needed(part) for part in parts]
    return list(dict.fromkeys(program for programs in found for program in programs)) if all(found) else []


def embeds(folder: Path) -> bool:
    """Whether what lies in the folder answers with vectors of an embedder that does not lie there too."""
    looked_up = any("lookup" in _read(part, PROMPT) for part in _parts(folder))
    return looked_up or any(any(part.rglob(name)) for part in _parts(folder) for name in (HEADS, NEAREST, CHOICE))


def _parts(folder: Path) -> list[Path]:
    return sorted((folder / "parts").iterdir())


def _needed(part: Path) -> list[Program]:
    if asked := _read(part, PROMPT):
        asks = [ASKING, REFUSALS, THOUGHTS, *([ODDS] if asked.get("server", {}).get("labels") else [])]
        speaks = asks if "server" in asked else [SPEAKING, *([HELD] if asked.get("schema") else [])]
        looks, tags = [LOOKUP] * ("lookup" in asked), [TAGGING] * bool(asked.get("schema"))
        return [PREDICT, READING, *speaks, *looks, *tags]
    if heads := _read(part, HEADS):
        return [
            PREDICT,
            READING,
            *([TAGGING] if any(head["path"] for head in heads["heads"]) or heads["taggers"] else []),
        ]
    if any(part.rglob(CHOICE)) and any(part.rglob(MANIFEST)):
        return [PREDICT, READING, LOOKUP]
    return [PREDICT, READING] if any(any(part.rglob(name)) for name in (HEAD, NEAREST, WORDS, CONSTANT, COPIED)) else []


def without_us(folder: Path, evaluation: Evaluation) -> list[str]:
    """How it is used with public packages alone, as Markdown lines; or why it cannot be."""
    if not (folder / SCRIPT).is_file():
        return [
            f"Without finetune-advisor nothing here answers, since {_why_not(folder, evaluation)}: export another approach "
            f"(`--candidate`), or have `advisor predict` answer on a machine that has {'both' if needs(folder)[1:] else 'it'}.",
            "",
        ]
    asked, uses = _read(folder / "parts", PROMPT), _Uses.of(folder)
    prompts = _prompts(folder)
    packages = listed(uses.packages) if uses.packages else "Python"
    rests = f", from {listed(uses.models)}" if uses.models else ""
    return [
        f"With {packages} alone{rests}:",
        "",
        "```",
        f"python {SCRIPT} new.jsonl{uses.options} > answers.jsonl",
        "```",
        "",
        *_where(folder, evaluation, uses.models),
        *_in_order(folder),
        *_at_a_server(prompts),
        *_differences(folder, prompts),
        *_prompt(folder, asked),
        *_index(folder, asked),
    ]


def _prompts(folder: Path) -> list[dict[str, Any]]:
    """Of the parts that ask a language model."""
    return [asked for part in _parts(folder) if (asked := _read(part, PROMPT))]


def _read(folder: Path, name: str) -> dict[str, Any]:
    """The first file of that name below the folder; empty where there is none, or it is not one of ours."""
    for path in sorted(folder.rglob(name)):
        values = json.loads(path.read_text(encoding="utf-8"))
        return values if isinstance(values, dict) else {}
    return {}


class _Uses(NamedTuple):
    """What the program of an export needs beside Python."""

    packages: list[str]
    models: list[str]
    options: str

    @classmethod
    def of(cls, folder: Path) -> _Uses:
        prompts, several = _prompts(folder), _exported(folder).get("models", [])
        heads = [part for part in _parts(folder) if not _read(part, PROMPT)]
        own, looks = any(any(part.rglob(HEAD)) for part in heads), (folder / LOOKUP.name).is_file()
        embeds = looks or any(any(part.rglob(name)) for part in heads for name in (HEADS, NEAREST))
        local = [asked for asked in prompts if "server" not in asked]
        words = any(any(part.rglob(WORDS)) or _read(part, HEADS).get("taggers") for part in heads)
        packages = [
            *(["torch", "transformers", "peft"] if local else []),
            *(["llguidance"] if any(asked.get("schema") for asked in local) else []),
            *(["sentence-transformers"] if embeds or own else []),
            *(["faiss-cpu", "bm25s"] if looks else []),
            *(["scikit-learn"] if words else []),
        ]
        models = [
            *([_MODELS if several else _MODEL] if local else []),
            *(["the server that it was measured with"] if len(local) < len(prompts) else []),
            *([_EMBEDDER] if embeds else []),
            *(["the embedder that was trained for it, which lies here"] if own else []),
        ]
        found = [asked["lookup"] for asked in prompts if "lookup" in asked]
        reranks = any(each["passages"] and each["mode"] == "reranked" for each in found)
        options = [
            *(["--model"] * max(1, len(several)) if local or (embeds and not prompts) else []),
            *(["--embedder"] if embeds and prompts else []),
            *(["--reranker"] if reranks else []),
        ]
        return cls(packages, models, "".join(f" {option} FOLDER_OR_HUB_ID" for option in options))


def needs(folder: Path) -> list[str]:
    """What `advisor predict` takes: this product, and the packages that bring the approaches of the export."""
    brought = dict.fromkeys(named(package) for package in _kept(folder).get("packages", {}).values())
    return ["finetune-advisor", *(literal(each) for each in brought)]


def _kept(folder: Path) -> dict[str, Any]:
    kept: dict[str, Any] = _exported(folder).get("kept", {})
    return kept


def _exported(folder: Path) -> dict[str, Any]:
    found = json.loads((folder / EXPORT).read_text(encoding="utf-8")) if (folder / EXPORT).is_file() else {}
    return dict(found)


def _where(folder: Path, evaluation: Evaluation, models: Sequence[str]) -> list[str]:
    """Which of our own models it takes, and the command that says in which folders they lie; of those on a hub which commits;
    nothing for a person's own folders."""
    embedder = _kept(folder).get("spec", {}).get("embedder") or {}
    of_embedder = embedder.get("name", "") if isinstance(embedder, dict) else embedder
    of_models = [(what, model) for what in (_MODEL, _MODELS) for model in evaluation.models]
    used = [name for what, name in (*of_models, (_EMBEDDER, of_embedder)) if what in models]
    commits = _kept(folder).get("commits", {})
    known = [name for name in used if name in KNOWN]
    taken = [f"`{clean(name).partition('@')[0]}@{clean(commits[name])}`" for name in used if name in commits]
    told = []
    if known:
        told += [f"Here that was {listed(known)}; `advisor models fetch {' '.join(known)}` says in which folder.", ""]
    if taken:
        told += [f"Here that was {listed(taken)} of the hub: with the commit, since a branch may be moved.", ""]
    return told


def _in_order(folder: Path) -> list[str]:
    """Which of two models is named first."""
    models = _exported(folder).get("models", [])
    if not models:
        return []
    first, second = map(literal, models)
    return [
        f"The first `--model` is {first}, and the second {second}, which is asked where the first is not sure. Both are held in "
        "memory.",
        "",
    ]


def _at_a_server(prompts: Sequence[dict[str, Any]]) -> list[str]:
    servers = {json.dumps(asked["server"], sort_keys=True): asked["server"] for asked in prompts if "server" in asked}
    return [line for server in servers.values() for line in _of_server(server)]


def _of_server(server: dict[str, Any]) -> list[str]:
    return [
        f"It asks {literal(server['model'])} at `{clean(server['address'])}`, one request at a time, with the key that the "
        f"environment variable `{server['key_env']}` holds; what is busy or gone is asked up to {server['retries']} times more. "
        "The line of a request without an answer says why as its `problem`, and the program ends with 1.",
        "",
    ]


def _differences(folder: Path, prompts: Sequence[dict[str, Any]]) -> list[str]:
    """Where it may say something else than what was measured."""
    places, here = [], [each for each in prompts if "server" not in each]
    if any(each.get("quantised") for each in prompts):
        return [
            f"{FOUR_BITS} This program computes with the whole weights, so some of its answers are others, and what was measured "
            "does not hold for it; `advisor predict` on a machine with such a card answers as in the run.",
            "",
        ]
    written = [
        each for each in prompts if not ("server" in each or each["labels"] or each.get("lookup", {}).get("reading"))
    ]
    drawn = max((each.get("temperature", 0.0) for each in written), default=0.0)
    if any(map(scored_otherwise, prompts)):
        places.append(
            "it scores every label, where the vLLM server of the run wrote one, so it may choose another, and how sure an answer "
            "is, is on another scale: of `--guard` it takes only 0"
        )
    if drawn:
        places.append(f"it draws its words by chance, at the run's temperature of {drawn:g}, and not the same ones")
    if here:
        places.append(
            "it reads one request at a time in float32, so where two answers are as likely but for the last digits, it may give "
            "the other, above all where the run computed in another number format"
        )
    if len(here) < len(prompts):
        places.append("a server may answer otherwise the next time")
    if any(each.get("schema") for each in prompts if "server" in each):
        places.append(
            "its `--guard` lets a server's answer pass that is of another form, unless it is no JSON at all; `advisor predict` "
            "reads the schema or the pattern too"
        )
    if any(each.get("schema") for each in here):
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
    mode = asked["lookup"]["mode"] if "lookup" in asked else _read(folder / "parts", CHOICE)["mode"]
    how = {"dense": "by vectors", "hybrid": "by vectors and by words (BM25)"}
    searched = how.get(mode, "by vectors and by words (BM25), the first of them read by a cross-encoder")
    return [
        f"The index lies in `{place}`: {counted(about['passages'], 'passage')} of {counted(about['documents'], 'document')}, "
        f"searched {searched}. `passages.json` holds the documents with their texts, and for each passage the number of its "
        "document, the characters where it begins and ends and the headings that it stands under, and under `versions` which "
        "documents are versions of one, with their dates and the years, months and days that name them in a request; "
        f"`vectors.npy` a float32 vector of {about['dimension']} numbers and unit length for each, in the same order, made by "
        f"{literal(about['embedder'])}{_behind(about)}; "
        f"{_moved(about)}"
        "`manifest.json` these numbers and how many passages each ranking brings. Without this product:",
        "",
        "```",
        f'python {LOOKUP.name} "What is asked?" --index {place} --embedder FOLDER_OR_HUB_ID',
        "```",
        "",
    ]


def _moved(about: Mapping[str, Any]) -> str:
    """How the vector of a question becomes the one that is searched by, as a clause; empty where it stays as it is."""
    if "adapter" not in about:
        return ""
    return f"`{about['adapter']}` a matrix: a question's vector and its product with this, made unit length, is searched by; "


def _behind(about: Mapping[str, Any]) -> str:
    """What the embedder of an index reads before each text, as a clause; empty where that is nothing."""
    sides, prompts = {"document": "each passage", "query": "what is asked"}, about.get("prompts", {})
    told = [
        f"{literal(json.dumps(prompts[side], ensure_ascii=False))} before {what}"
        for side, what in sides.items()
        if prompts.get(side)
    ]
    return f", which reads {listed(told)}" if told else ""


def _why_not(folder: Path, evaluation: Evaluation) -> str:
    """Why no program of its own can answer with what lies in the folder, as a clause."""
    setup = evaluation.chosen.get("setup") or {}
    for model in filter(None, evaluation.models):
        if made("models", model) is not None:
            return f"it asks {literal(model)}, which comes with another package"
    if needed(folder):
        return "its vectors are those of an embedder that comes with another package"
    if len(_parts(folder)) > 1:
        return "one of the two approaches that answer runs only within this product"
    if setup or any(folder.rglob(CHOICE)):
        return "it was fitted by a version that wrote less down than these programs need"
    comes = f" comes with {listed(brought)} and" if (brought := needs(folder)[1:]) else ""
    return f"{literal(evaluation.approach)}{comes} runs only within this product"
