"""Writes one fitted approach of a run into a folder of its own, with what was measured about it: something to deploy.

It wraps what the approach itself saved and knows no families. Held-out cases and reports stay behind; the examples that an
approach shows or looks up are part of it.
"""

from __future__ import annotations

import difflib
import hashlib
import json
import os
import shutil
from collections.abc import Collection, Iterable, Sequence
from contextlib import closing
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import Any

from advisor.contract import Status, Verdict
from advisor.deploy.answering import Kept, alone_from, base_folder, digests, guards, recommended
from advisor.deploy.gate import hash_of_right, key_of
from advisor.deploy.guard_told import forms_card, guard_card
from advisor.deploy.without import FOUR_BITS, embeds, needed, needs, without_us
from advisor.experiments.stored import about_run, reading, reopen
from advisor.reports.markdown import literal
from advisor.reports.text import clean
from advisor.wording import counted, duration, floor_percent, listed, percent, start
from benchmarks.contract import BadInput, Evaluation, State
from benchmarks.data.frozen import CODE, thawed_cases
from benchmarks.metrics._base import label_of
from benchmarks.running.installed import installed_embedder
from benchmarks.storage.outcomes import text_of
from benchmarks.storage.store import Store
from strategies.approaches.lora_distilled import LESSONS, lessons_in
from strategies.contract import FOR_FITTING, Case, Query
from strategies.permissions import make_usual
from strategies.standalone import alone
from strategies.standalone.alone import EXPORT, PROMPT

CARD, MERGED, TEMPLATE = "README.md", "merged", "chat_template.jinja"


@dataclass(frozen=True, kw_only=True)
class Merge:
    """That an adapter is wanted as a whole model too; `task` is needed where that lies in a folder of this machine."""

    task: str = ""


def export(run: Path, out: Path, candidate: str = "", allow_code: bool = False, merge: Merge | None = None) -> str:
    """Writes the folder `out` and returns the name of what is in it. Raises `BadInput`.

    Others may read it where the person's usual permissions let them, unlike the run: it is made to be handed on.
    """
    kept, verdict = Kept.of_run(run), reopen(run, allow_code=allow_code)
    name = candidate or recommended(verdict)
    names, _ = kept.parts(name)
    _check_measured(verdict, name)
    places = {each: kept.place(each) for each in names}
    if out.exists():
        raise BadInput(f"{out} is there already. Name a folder that is not.")
    _check_own([*places.values(), run / CODE])
    partial = out.with_name(f"{out.name}.partial")
    shutil.rmtree(partial, ignore_errors=True)
    for number, each in enumerate(names):
        shutil.copytree(places[each], partial / "parts" / str(number), ignore=shutil.ignore_patterns(FOR_FITTING))
    if merge is not None:
        _merge(kept, name, merge.task, partial)
    for program in () if embeds(partial) and _of_another_package(kept) else needed(partial):
        shutil.copyfile(Path(alone.__file__).with_name(program.source), partial / program.name)
    values = {
        "run": hashlib.sha256((run / "run.json").read_bytes()).hexdigest(),
        "files": digests(partial / "parts"),
        "places": {each: number for number, each in enumerate(names)},
        **({"models": models} if (models := _several(kept, names, partial)) else {}),
        "kept": _kept(kept, name) | {"alone_from": alone_from(verdict), "guards": guards(verdict)},
        "measured": _measure(run, verdict, name) | {"learnt": _learnt(run, places.values())},
    }
    if (run / CODE).is_dir():
        shutil.copytree(run / CODE, partial / CODE)
    if template := _template(partial):
        (partial / TEMPLATE).write_text(template, encoding="utf-8")
    (partial / EXPORT).write_text(json.dumps(values, ensure_ascii=False, indent=1), encoding="utf-8")
    (partial / CARD).write_text(card(verdict, name, partial), encoding="utf-8")
    make_usual(partial)
    partial.replace(out)
    return name


def _check_own(folders: Sequence[Path]) -> None:
    """Raises `BadInput` where a folder holds a link: a run of somebody else may lead to any file of this user."""
    for folder in folders:
        inside = (Path(place) / name for place, *names in os.walk(folder) for name in chain(*names))
        if found := next((path for path in (folder, *inside) if path.is_symlink()), None):
            raise BadInput(
                f"{found} is a link, and an export holds what the run itself holds. Put the file in its place if it is yours."
            )


def _check_measured(verdict: Verdict, name: str) -> None:
    """Raises `BadInput` where a fit was kept, but nothing was measured of it: it is the same as another."""
    known = {each.candidate: each for each in verdict.recommendation.statuses}
    if name not in known:
        near = difflib.get_close_matches(name, known, n=1)
        hint = f" Did you mean {near[0]!r}?" if near else ""
        raise BadInput(f"The run has no approach {name!r}; it has {', '.join(known)}.{hint}")
    status = known[name]
    if status.state is State.SKIPPED:
        raise BadInput(f"{name} was not measured: {status.reason}. Name an approach that was.")


def _of_another_package(kept: Kept) -> bool:
    """Whether the embedder of the run is one that no public package knows by its name."""
    named = kept.spec.get("embedder") or {}
    name, folder = (named, None) if isinstance(named, str) else (named.get("name", ""), named.get("folder"))
    return installed_embedder(name, folder) is not None


def _merge(kept: Kept, name: str, task: str, folder: Path) -> None:
    """Writes the base model with the adapter in its weights, in float32, as an ordinary model folder. Raises `BadInput`."""
    adapters = sorted(path.parent for path in folder.rglob("adapter_config.json"))
    if name not in kept.candidates or len(adapters) != 1:
        raise BadInput(f"{name} has no adapter of its own, so nothing can be merged. Leave --merged out.")
    import torch
    from transformers import AutoTokenizer

    from strategies.finetuning.adapters import merged
    from strategies.models import causal
    from strategies.models.quiet import quiet

    base = base_folder(kept, name, task)
    with quiet():
        whole = merged(causal.load(base, torch.float32), adapters[0])
        whole.save_pretrained(folder / MERGED)
        AutoTokenizer.from_pretrained(base, trust_remote_code=False).save_pretrained(folder / MERGED)


def _kept(kept: Kept, name: str) -> dict[str, Any]:
    """What loading takes, of the exported candidate alone."""
    names, _ = kept.parts(name)
    values = {key: value for key, value in vars(kept).items() if key not in ("name", "places")}
    return {
        **values,
        "candidates": {each: kept.candidates[each] for each in names},
        "cascades": {name: kept.cascades[name]} if name in kept.cascades else {},
        "packages": {each: kept.packages[each] for each in names if each in kept.packages},
        "default": name,
    }


def _several(kept: Kept, names: Sequence[str], folder: Path) -> list[str]:
    """The models of two parts that each ask one of their own on the machine that answers, in their order; else nothing."""
    prompts = [sorted((folder / "parts" / str(number)).rglob(PROMPT)) for number, _ in enumerate(names)]
    here = [bool(found) and "server" not in json.loads(found[0].read_text(encoding="utf-8")) for found in prompts]
    models = [kept.candidates[name]["model"] for name, local in zip(names, here, strict=True) if local]
    return models if len(set(models)) > 1 else []


def _template(folder: Path) -> str:
    """The chat template for a server of an adapter, where the model's own does not write prompts as they were trained on."""
    if not any(folder.rglob("adapter_config.json")):
        return ""
    told = [json.loads(path.read_text(encoding="utf-8")).get("probe") or {} for path in sorted(folder.rglob(PROMPT))]
    return next((probe["template"] for probe in told if probe.get("template")), "")


def _measure(run: Path, verdict: Verdict, name: str) -> dict[str, Any]:
    """What a later check compares with: metric, target, the score of each held-out case under a hash of its input and what was
    right (one input may have several), of a figure over all answers the labels of the task and those that were given, and hashes
    of the inputs alone, to know those whose right answer was corrected."""
    benchmark = about_run(run)["benchmark"]
    cases = {case.id: case for case in thawed_cases(benchmark["heldout"])}
    evaluation = next(each for each in verdict.evaluations if each.candidate == name)
    asked, labels = [cases[key] for key in evaluation.keys], benchmark["task"]["labels"]
    return {
        "metric": benchmark["metric"],
        "target": benchmark["target"],
        "scores": dict(zip(map(hash_of_right, asked), evaluation.scores, strict=True)),
        **(
            {"labels": labels, "answers": _labels_given(run, name, asked, labels)}
            if evaluation.over_rows and labels
            else {}
        ),
        "inputs": sorted({Query.of(case.input).key for case in asked}),
    }


def _learnt(run: Path, places: Iterable[Path]) -> list[str]:
    """Hashes of the normalised inputs of all examples, which it was fitted on or chosen by, and of the requests that a teacher
    answered for it, so that it is not checked on them. `places`: the folders of its fits."""
    fold = about_run(run)["benchmark"]["task"]["folds"][0]  # Each has all examples.
    inputs = [case.input for part in ("train", "selection") for case in thawed_cases(fold[part])]
    for file in (place / LESSONS for place in places):
        if file.is_file():
            with reading(run):
                inputs += [lesson.input for lesson in lessons_in(file)]
    return sorted(set(map(key_of, inputs)))


def _labels_given(run: Path, name: str, asked: Sequence[Case], labels: Collection[str]) -> dict[str, str]:
    """What was answered, under the hash of each case: without it a figure over all answers cannot be compared with a later one.
    Other texts than labels stay behind."""
    labels = {label_of(label) for label in labels}
    with closing(Store(run / "run.sqlite")) as store:
        said = {row.key: text_of(row.outcome) for row in store.rows(name, "heldout")}
    return {hash_of_right(case): said[case.id] for case in asked if label_of(said[case.id]) in labels}


# ---------------------------------------------------------------- the card


def card(verdict: Verdict, name: str, folder: Path) -> str:
    """What it is, what was measured, what that does not cover, and how to use it, as Markdown."""
    facts = verdict.story.facts
    evaluation = next(each for each in verdict.evaluations if each.candidate == name)
    status = next(each for each in verdict.recommendation.statuses if each.candidate == name)
    lines = [
        f"# {literal(name)} for {literal(str(facts['task']))}",
        "",
        f"{start(_measured(evaluation, status, facts['margin'] is not None))} Metric: {facts['metric']}; held-out cases "
        f"with the fingerprint {str(facts['fingerprint'])[:12]}.",
        "",
        f"The verdict of the run: {literal(verdict.story.headline)}",
        "",
        *_guarded(evaluation),
        *forms_card(evaluation),
        *(guard_card(evaluation.guard) if evaluation.guard is not None else ()),
        "## Use it",
        "",
        f"With {listed(needs(folder))} installed:",
        "",
        "```",
        "advisor predict THIS_FOLDER new.csv > answers.jsonl",
        "```",
        "",
        *without_us(folder, evaluation),
        *_serving(folder, evaluation),
        "## Limits",
        "",
        *(f"- {literal(risk)}" for risk in verdict.story.risks),
        "- The folder may hold examples of the task, where the approach shows or looks them up.",
        "",
        "## How it was set up",
        "",
        "```json",
        clean(json.dumps(dict(evaluation.chosen), ensure_ascii=False, indent=1, default=str)).replace("```", "'''"),
        "```",
        "",
        *_made_with(verdict),
    ]
    return "\n".join(lines) + "\n"


def _measured(evaluation: Evaluation, status: Status, margin: bool) -> str:
    asked = counted(len(evaluation.scores), "held-out case")
    reached = f"{percent(evaluation.figure)} on {asked} that it was not shown"
    sure = "" if status.lower is None or margin else f", at least {floor_percent(status.lower)} % with 95 % confidence"
    same = next((each.same for each in evaluation.agreements if each.name == "edits"), None)
    steady = "" if same is None else f" It keeps {percent(same)} of its answers under harmless edits."
    quick = (
        "" if evaluation.latency is None else f" One request takes {duration(evaluation.latency.p50_s)} where it ran."
    )
    return f"{reached}{sure} ({status.state}).{steady}{quick}"


def _guarded(evaluation: Evaluation) -> list[str]:
    """What a person for the unsure ones brings, where that was measured."""
    found = evaluation.handover
    if found is None:
        return []
    return [
        f"With a person for what it is unsure of: it answers {percent(found.alone / found.of)} of the requests alone and reaches "
        f"{percent(found.figure)} there, at least {floor_percent(found.lower)} %. `advisor predict` says of each answer whether "
        f"it may stand alone (`alone`: a sureness of {found.threshold:.4g} or more).",
        "",
    ]


def _serving(folder: Path, evaluation: Evaluation) -> list[str]:
    """An adapter is a plain peft folder that other servers take too."""
    adapters = sorted(path.parent.relative_to(folder).as_posix() for path in folder.rglob("adapter_config.json"))
    if not adapters:
        return []
    base = _asked_by(adapters[0], evaluation)
    small = any(json.loads(path.read_text(encoding="utf-8")).get("quantised") for path in folder.rglob(PROMPT))
    rank = json.loads((folder / adapters[0] / "adapter_config.json").read_text(encoding="utf-8")).get("r", 16)
    vllm, llama = (
        f" {option} THIS_FOLDER/{TEMPLATE}" if (folder / TEMPLATE).is_file() else ""
        for option in ("--chat-template", "--jinja --chat-template-file")
    )
    return [
        f"`{adapters[0]}` is a plain peft adapter of {literal(base)}. Servers take it too, with the prompts that it "
        "was trained on. vLLM:",
        "",
        "```",
        f"vllm serve PATH_OF_THE_MODEL --enable-lora --max-lora-rank {max(8, int(rank))} "
        f"--lora-modules tuned=THIS_FOLDER/{adapters[0]}{vllm}",
        "```",
        "",
        "llama.cpp, whose folder holds the converters:",
        "",
        "```",
        "python convert_hf_to_gguf.py PATH_OF_THE_MODEL --outfile model.gguf",
        f"python convert_lora_to_gguf.py THIS_FOLDER/{adapters[0]} --base PATH_OF_THE_MODEL --outfile tuned.gguf",
        f"llama-server -m model.gguf --lora tuned.gguf{llama}",
        "```",
        "",
        *_templated(folder),
        *_counted(folder),
        *_whole(folder),
        *(
            [f"{FOUR_BITS} None of these servers does so with these commands, so their answers were not measured.", ""]
            if small
            else []
        ),
    ]


def _asked_by(place: str, evaluation: Evaluation) -> str:
    """The model of the part in which this path of an export lies."""
    return evaluation.parts[int(Path(place).parts[1])].model if evaluation.parts else evaluation.model


def _templated(folder: Path) -> list[str]:
    if not (folder / TEMPLATE).is_file():
        return []
    return [
        f"`{TEMPLATE}` is the model's chat template with what its prompts ended with in training; by the model's own they would "
        "end otherwise.",
        "",
    ]


def _counted(folder: Path) -> list[str]:
    """How to see that such a server writes prompts in the form that they were trained on."""
    for path in sorted(folder.rglob(PROMPT)):
        if probe := json.loads(path.read_text(encoding="utf-8")).get("probe"):
            closed = dict.fromkeys(probe.get("closed", ()), False)
            asked = (
                f", asked with `chat_template_kwargs` of `{json.dumps(closed)}` as all requests are" if closed else ""
            )
            return [
                f"A server that writes prompts as they were trained on states {probe['tokens']} prompt tokens for the messages "
                f"under `probe` in `{path.relative_to(folder).as_posix()}`{asked}. Where it states another number, its chat "
                "template or tokenizer differs, and what was measured does not hold for it. `advisor predict`, "
                "`advisor gate` and `predict.py` compare these messages when they load the model, and answer with no other "
                "template or tokenizer.",
                "",
            ]
    return []


def _whole(folder: Path) -> list[str]:
    if not (folder / MERGED).is_dir():
        return []
    return [f"`{MERGED}` is the same as one whole model, the adapter in its weights, for what takes no adapters.", ""]


def _made_with(verdict: Verdict) -> list[str]:
    made = verdict.story.provenance
    versions = [f"{key} {made[key]}" for key in ("torch", "transformers", "peft", "python") if key in made]
    return [f"Made with {listed(versions)}."] if versions else []
