"""Answers requests with what was fitted here. It needs nothing of what fitted it; which packages, README.md says.

    python predict.py new.jsonl --model FOLDER_OR_HUB_ID > answers.jsonl

Requests are lines: JSON objects with the task's own input column, or with one of a usual name such as "input" or "text"; any
other line is plain text. Each gets one line with its `id`, where it has one, `input`, `answer` and what README.md names, as from
`advisor predict`; what cannot be read says why as its `problem`, and the program ends with 2. It takes one at a time, in float32,
and cuts requests as when they were measured. With `--guard 0.05` it says that it does not know where it is unsure, or its answer
is none that the task allows; README.md tells what that takes, and where answers may differ from the measured ones.
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import math
import sys
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

PROMPT, HEADS, HEAD, CHOICE = "prompt.json", "heads.json", "head.json", "choice.json"
PLACE = "{{input}}"
"""Where the request goes: the last one in the last message."""
EXAMPLES, NEAREST = "examples.json", "nearest.npy"
"""The examples, and the vectors of their inputs in the same order."""
WORDS, CONSTANT, COPIED = "words.json", "constant.json", "copied.json"
EXPORT = "export.json"
SAFE, PICKLED = "model.safetensors", ("pytorch_model.bin", "adapter_model.bin")


class Said(NamedTuple):
    """An answer, how sure it is (comparable within one approach only), and the passages that it rests on."""

    text: str
    sure: float
    evidence: tuple[dict[str, Any], ...] = ()


class Models(NamedTuple):
    """Folders or hub ids, with @ and a revision where one is wanted; empty where nothing asks for one."""

    language: str = ""
    embedder: str = ""
    reranker: str = ""


Surely = Callable[[str], Said]


def main() -> None:
    options = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    options.add_argument("requests", nargs="?", help="A file with one request a line; standard input without it.")
    told = "The model that this was fitted with: a folder or a hub id. Of two the first one first, each behind its own --model."
    options.add_argument("--model", action="append", help=told)
    options.add_argument("--embedder", default="", help="The embedder, where texts are looked up without the model.")
    options.add_argument("--reranker", default="", help="The cross-encoder, where passages were reranked.")
    options.add_argument("--folder", default=str(Path(__file__).resolve().parent), help="Where the fit lies.")
    told = "Hold back unsure answers, at most this share of the right ones; 0: only what the task does not allow."
    options.add_argument("--guard", type=float, help=told)
    given = options.parse_args()
    (reading := beside("reading.py")).speak_utf8()
    lost = unread = 0
    if Path(given.requests or "").suffix.lower() in reading.WHOLE:
        options.error(
            f"{given.requests} does not hold one request a line. Write them so, or have `advisor predict` read it."
        )
    folder = Path(given.folder)
    held = (-math.inf, "") if given.guard is None else guard(folder, given.guard)
    answer = surely(folder, given.model or "", given.embedder, given.reranker)
    kept = _exported(folder)["kept"]
    wrong = reading.wrong_form({} if given.guard is None else kept["form"])
    alone_from = kept.get("alone_from", {}).get(kept.get("default"))
    shown = reading.Shown(held, wrong, not _other_scale(folder), alone_from)
    for row in reading.requests(reading.lines(given.requests), (kept.get("spec") or {}).get("columns") or {}):
        if "problem" in row:
            unread += 1
        else:
            row |= shown.line(answer, row["input"])
            lost += row["answer"] is None
        sys.stdout.write(json.dumps(row, ensure_ascii=False) + "\n")
        sys.stdout.flush()
    for count, how in ((unread, "could not be read"), (lost, "got no answer")):
        sys.stderr.write(f"{count} of the requests {how}; their lines say why, as their problem.\n" if count else "")
    if unread or lost:
        raise SystemExit(2 if unread else 1)


def guard(folder: Path, share: float) -> tuple[float, str]:
    """The sureness below which nothing is answered, and what is said there. `share`: of the right answers, at most lost by it."""
    kept = _exported(folder)["kept"]
    found = kept.get("guards", {}).get(kept.get("default"), {"held": [], "says": "I do not know."})
    if share == 0.0 and beside("reading.py").has_a_form(kept.get("form", {})):
        return -math.inf, found["says"]
    if _other_scale(folder):
        raise SystemExit(
            "--guard does not go with this export: a server wrote the labels when it was measured, and here they are scored, so "
            "that how sure an answer is, is on another scale. `advisor predict` takes --guard."
        )
    known = {each["at_most"]: each["threshold"] for each in found["held"] if each["at_most"]}
    if share not in known:
        raise SystemExit(
            f"--guard is {share:g}; measured here: {', '.join(f'{each:g}' for each in known) or 'nothing'}."
        )
    return known[share], found["says"]


def _exported(folder: Path) -> dict[str, Any]:
    """What stands in export.json; a fit by itself has none."""
    path = folder / EXPORT
    return dict(json.loads(path.read_text(encoding="utf-8"))) if path.is_file() else {"kept": {}}


def _other_scale(folder: Path) -> bool:
    return any(scored_otherwise(json.loads(path.read_text(encoding="utf-8"))) for path in folder.rglob(PROMPT))


def scored_otherwise(asked: dict[str, Any]) -> bool:
    """Whether labels are scored that a vLLM server wrote when this was measured; `asked` is `prompt.json`."""
    return bool(asked.get("served") and asked["labels"])


def surely(folder: Path, model: str | list[str], embedder: str = "", reranker: str = "") -> Surely:
    """What answers one request. `model` is the embedder where no language model answers. Of two approaches the second
    answers what the first is not sure of; `model` is a list where each asks its own."""
    placed, kept = beside("reading.py").placed, _exported(folder)
    names = [placed(name) for name in ([model] if isinstance(model, str) else model)]
    embedder, reranker = placed(embedder), placed(reranker)
    made = kept["kept"].get("cascades", {}).get(kept["kept"].get("default"))
    if len(wanted := kept.get("models", ())) > len(names):
        raise SystemExit(f"Give --model once for each of {', '.join(wanted)}, in that order.")
    if made is None:
        return _answering(folder, Models(names[0], embedder, reranker))
    first, second = (
        _answering(folder / "parts" / str(kept["places"][made[one]]), Models(name, embedder, reranker))
        for one, name in (("first", names[0]), ("second", names[-1]))
    )

    def answer(text: str) -> Said:
        try:
            said = first(text)
        except ConnectionError:  # As in the run, where the second answers what the first gives no answer to.
            return second(text)
        return second(text) if said.sure < made["below"] else said

    return answer


def _answering(folder: Path, given: Models) -> Surely:
    """What one fit answers with: a prompt, with an adapter or without, heads on embeddings or on counts of words, the nearest
    example, a sentence of the documents, the request itself, or always the same."""
    known: dict[str, Callable[[Path, Models], Surely]] = {PROMPT: _by_prompt, HEADS: _by_heads, HEAD: _by_tuned_head}
    known |= {NEAREST: _by_nearest, CHOICE: _by_sentence, WORDS: _by_words, CONSTANT: _by_heart, COPIED: _by_copy}
    for name, made in known.items():
        for found in sorted(folder.rglob(name)):
            embedder = given.embedder or ("" if name == PROMPT else given.language)
            return made(found.parent, given._replace(embedder=embedder))
    raise SystemExit(f"{folder} holds none of {', '.join(known)}.")


def beside(name: str) -> Any:
    """Another program of the same folder."""
    path = Path(__file__).with_name(name)
    found = importlib.util.spec_from_file_location(path.stem, path)
    if found is None or found.loader is None or not path.is_file():
        raise SystemExit(f"{path} is missing: it belongs to this program.")
    module = importlib.util.module_from_spec(found)
    sys.modules[found.name] = module  # Where its data classes look for their types.
    found.loader.exec_module(module)
    return module


# ---------------------------------------------------------------- a prompt


def _by_prompt(place: Path, models: Models) -> Surely:
    asked = json.loads((place / PROMPT).read_text(encoding="utf-8"))
    speaker = _server(asked) if "server" in asked else _speaker(place, asked, models.language)
    if "lookup" in asked:
        finding = embedding(models.embedder), models.reranker
        looking = beside("lookup.py").Looking(place, asked, speaker, finding)
        return lambda text: Said(*looking.answer(text))

    def answer(text: str) -> Said:
        prompt, text = _within(asked, speaker, speaker.cut(text, asked["input_tokens"]))
        if asked["labels"]:
            return likeliest(asked["labels"], speaker.shares(prompt))
        said, sure = speaker.written(prompt, text)
        return Said(said, -math.inf if sure is None else sure)

    return answer


def _server(asked: dict[str, Any]) -> Any:
    return beside("asking.py").Asker(asked, beside)


def _speaker(place: Path, asked: dict[str, Any], model: str) -> Any:
    if not model:
        raise SystemExit("--model is missing: the language model that this was fitted with, a folder or a hub id.")
    check(Path(model))
    if (place / "adapter").is_dir():
        check(place / "adapter", "adapter_model.safetensors")
    return beside("speaking.py").Speaker(place, asked, model)


def _within(asked: dict[str, Any], speaker: Any, text: str) -> tuple[Any, str]:
    """The prompt and the request in it: without its first examples, then with less of the request, where the model could not
    read it whole."""
    messages, sizes, several = list(asked["messages"]), list(asked["sizes"]), list(asked["paragraphs"])
    prompt = speaker.prompt(_filled(messages, text))
    while len(prompt) > speaker.room:
        several = several[1:]  # Of the examples, of which the first goes first.
        if sizes:  # Examples within the last message: so many characters each.
            messages[-1] = {**messages[-1], "content": messages[-1]["content"][sizes.pop(0) :]}
        elif len(messages) > 2:  # Examples of two messages each, behind the instruction.
            del messages[1:3]
        elif (short := speaker.cut(text, max(8, len(text) // 8))) != text:
            text = max(short, text[: len(text) // 2], key=len)
        else:
            break
        prompt = speaker.prompt(_filled(messages, text))
    if any(several):
        prompt.paragraphs = True
    return prompt, text


def _filled(messages: list[dict[str, str]], text: str) -> list[dict[str, str]]:
    """The messages with the request in its place, which is the last one of the last message."""
    before, _, after = messages[-1]["content"].rpartition(PLACE)
    return [*messages[:-1], {**messages[-1], "content": f"{before}{text}{after}"}]


def check(folder: Path, wanted: str = "") -> None:
    """Pickled weights can run code when they are read: a folder in which they would be taken is refused."""
    pickled = [path for path in folder.rglob("*.bin") if path.name in PICKLED and not _beside(path).is_file()]
    if pickled or (wanted and not (folder / wanted).is_file()):
        raise SystemExit(f"{folder} holds pickled weights or lacks {wanted or SAFE}. Only safetensors are read here.")


def _beside(path: Path) -> Path:
    """What is taken before the pickle, where it is there."""
    return path.with_name(SAFE if path.name == PICKLED[0] else "adapter_model.safetensors")


def likeliest(labels: list[str], shares: list[float]) -> Said:
    """The label of the greatest share; of equal ones the first."""
    best = max(range(len(shares)), key=shares.__getitem__)
    return Said(str(labels[best]), shares[best])


def as_shares(scores: list[float]) -> list[float]:
    """Of log-likelihoods."""
    odds = [math.exp(score - max(scores)) for score in scores]
    return [each / sum(odds) for each in odds]


# ---------------------------------------------------------------- embeddings


@cache
def embedding(model: str) -> Callable[..., Any]:
    """What makes float32 vectors of unit length, one for each text; behind a prompt where one is given."""
    from sentence_transformers import SentenceTransformer

    if not model:
        raise SystemExit("Name the embedder that this was fitted with: a folder or a hub id (README.md says how).")
    check(Path(model))
    encoder = SentenceTransformer(model, device="cpu", trust_remote_code=False, model_kwargs={"use_safetensors": True})

    def embed(texts: list[str], lead: str | None = None) -> Any:
        return encoder.encode(texts, prompt=lead, normalize_embeddings=True, show_progress_bar=False).astype("float32")

    return embed


def _by_heads(place: Path, models: Models) -> Surely:
    """One head for a label; for an object one for each field that is decided, a tagger for each that is copied."""
    import numpy as np

    kept = json.loads((place / HEADS).read_text(encoding="utf-8"))
    tables = [np.load(place / f"head-{number}.npy", allow_pickle=False) for number in range(len(kept["heads"]))]
    embed, paths = embedding(models.embedder), [tuple(each["path"]) for each in kept["heads"]]
    if paths == [()]:
        return _by_table(kept["heads"][0]["classes"], tables[0], embed)
    tagging = beside("tagging.py")
    taggers = {}
    for number, row in enumerate(kept["taggers"]):
        weights = np.load(place / f"tagger-{number}.npy", allow_pickle=False)
        path = tuple(row.pop("path"))
        taggers[path] = tagging.Tagger(weights=weights, **row)

    def answer(text: str) -> Said:
        (vector,), values = embed([text]), {tuple(path): value for path, value in kept["rest"]}
        decided = [_decided(head["classes"], table, vector) for table, head in zip(tables, kept["heads"], strict=True)]
        found = {path: tagger.find([text])[0] for path, tagger in taggers.items()}
        values |= {path: said.text for path, said in zip(paths, decided, strict=True)}
        values |= {path: json.dumps(each, ensure_ascii=False) for path, (each, _) in found.items() if each is not None}
        shares = [*(said.sure for said in decided), *(share for _, share in found.values())]
        return Said(json.dumps(_nested(values), ensure_ascii=False), sum(shares) / len(shares) if shares else -math.inf)

    return answer


def _nested(values: dict[tuple[str, ...], str]) -> dict[str, Any]:
    """The object that has these values, as JSON text, at these paths; an empty text stands for none."""
    whole: dict[str, Any] = {}
    for path, text in values.items():
        place = whole
        for name in path[:-1] if text else ():
            place[name] = place[name] if isinstance(place.get(name), dict) else {}
            place = place[name]
        if text:
            place[path[-1]] = json.loads(text)
    return whole


def _by_tuned_head(place: Path, _: Models) -> Surely:
    """A head on the vectors of the embedder that was trained for it, which lies in the same folder."""
    import numpy as np

    check(place / "embedder", SAFE)
    table = np.load(place / "head.npy", allow_pickle=False)
    classes = json.loads((place / HEAD).read_text(encoding="utf-8"))["classes"]
    return _by_table(classes, table, embedding(str(place / "embedder")))


def _by_table(classes: list[str], table: Any, embed: Callable[[list[str]], Any]) -> Surely:
    return lambda text: _decided(classes, table, embed([text])[0])


def _decided(classes: list[str], table: Any, vector: Any) -> Said:
    return likeliest(classes, as_shares((table[:, :-1] @ vector + table[:, -1]).tolist()))


def _by_nearest(place: Path, models: Models) -> Surely:
    """The answer of the example whose input is most alike; of equally near ones the first."""
    import numpy as np

    cases = json.loads((place / EXAMPLES).read_text(encoding="utf-8"))
    table = np.load(place / NEAREST, allow_pickle=False)
    embed = embedding(models.embedder)

    def answer(text: str) -> Said:
        # Row by row in one way, so that the same input twice is exactly as near twice; a product of matrices is not so.
        near = np.einsum("ij,j->i", table, embed([text])[0])
        case = cases[int(near.argmax())]
        return Said(str(case["output"]), float(near.max()), ({"example_id": case["id"]},))

    return answer


def _by_words(place: Path, _: Models) -> Surely:
    """A head on the counts of words, of letters, or of both."""
    import numpy as np
    from scipy.sparse import hstack
    from sklearn.feature_extraction.text import TfidfVectorizer

    kept = json.loads((place / WORDS).read_text(encoding="utf-8"))
    table, counting, counted = np.load(place / "head.npy", allow_pickle=False), [], beside("reading.py").COUNTED
    for unit, terms in kept["terms"].items():
        counting.append(TfidfVectorizer(sublinear_tf=True, vocabulary=terms, **counted[unit]))
        counting[-1].idf_ = np.load(place / f"{unit}.npy", allow_pickle=False)

    def answer(text: str) -> Said:
        features = hstack([each.transform([text]) for each in counting], format="csr")
        (marks,) = features @ table[:, :-1].T + table[:, -1]
        return likeliest(kept["classes"], as_shares(marks.tolist()))

    return answer


def _by_heart(place: Path, _: Models) -> Surely:
    text = json.loads((place / CONSTANT).read_text(encoding="utf-8"))["text"]
    return lambda _: Said(text, -math.inf)


def _by_copy(_: Path, __: Models) -> Surely:
    return lambda text: Said(text, -math.inf)


def _by_sentence(place: Path, models: Models) -> Surely:
    choice = json.loads((place / CHOICE).read_text(encoding="utf-8"))
    index = beside("lookup.py").Index(place, embedding(models.embedder))

    def answer(text: str) -> Said:
        found = index.find(text, 1, choice["mode"])
        places = tuple(each.place for each in found)
        if not found or (choice["otherwise"] and found[0].score < choice["least"]):
            return Said(choice["otherwise"], max((each.score for each in found), default=0.0), places)
        return Said(found[0].quote, found[0].score, places)

    return answer


if __name__ == "__main__":
    main()
