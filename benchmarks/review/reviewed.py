"""The copy of a task's data that a person's review makes: what the sheets say is done, and nothing else."""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from benchmarks.audit.by_meaning import Alike
from benchmarks.audit.doubts import Doubt
from benchmarks.contract import BadInput
from benchmarks.data.assemble import Assembly, Loaded
from benchmarks.data.load import read_inputs
from benchmarks.data.remote import is_remote
from benchmarks.review.lineage import Changes, Lineage, hash_of, read_lineage, way_to
from benchmarks.review.review_sheets import REVIEW, REVIEW_COLUMNS, SAMPLE, TOGETHER, Material, drawn, write_sheets
from benchmarks.review.samples import agreed_answer, agreed_label, found_in, went_through
from benchmarks.review.sheets import ACCEPTED, NO, YES, read_sheet
from benchmarks.review.together import joined
from benchmarks.specs.infer import check_objects, check_pattern
from benchmarks.specs.spec import Spec
from benchmarks.statistics.looks import FILE as LOOKS
from benchmarks.statistics.looks import take_over
from strategies.contract import Case, Document

_EXAMPLES, _HELDOUT, _DOCUMENTS, _TRAFFIC = "examples.jsonl", "heldout.jsonl", "documents.jsonl", "traffic.jsonl"
_RECORDED, _TASK = "recorded.jsonl", "task.yaml"
WRITTEN = (_TASK, _EXAMPLES, _HELDOUT, _DOCUMENTS, _TRAFFIC, _RECORDED, LOOKS)
"""Files of a copy. A folder that holds one of them and is no earlier copy is a person's own, and nothing is written there."""
_ANOTHER = "Name a folder for the reviewed copy that is not there yet."


@dataclass(frozen=True, kw_only=True)
class Reviewed:
    """The data after the review, and what that changed."""

    examples: tuple[Case, ...]
    heldout: tuple[Case, ...]
    lineage: Lineage
    listed: int
    """Rows of the review sheet."""


def review(
    assembly: Assembly,
    data: Loaded,
    folder: Path,
    suspected: Callable[[], Sequence[Doubt | Alike]],
    *,
    by_name: bool = False,
) -> Reviewed:
    """Writes the sheets that are not in the folder yet, and the copy of the task that they make as they are.

    `suspected`, what models find, is asked only where there is no sheet yet. The copy has its looks at the held-out cases in
    common with the task, unless that is one `by_name`, of which no looks are written down. Raises `BadInput`.
    """
    material = Material.of(assembly, data)
    must_be_apart(folder, assembly)
    must_be_of(folder, hash_of(material.examples, material.heldout, material.documents))
    rows = () if (folder / REVIEW).exists() else suspected()
    folder.mkdir(parents=True, exist_ok=True)
    write_sheets(material, rows, folder, _seed(folder, assembly))
    made = reviewed(assembly, material, folder)
    if not by_name:
        made = replace(made, lineage=replace(made.lineage, folder=way_to(assembly.folder, folder)))
    write_copy(made, assembly, material, folder)
    return made


def reviewed(assembly: Assembly, material: Material, folder: Path) -> Reviewed:
    """What the sheets in the folder say, applied to the data. Raises `BadInput` with file and line."""
    sheet = read_sheet(folder / REVIEW, REVIEW_COLUMNS, (TOGETHER,)) if _has_rows(folder / REVIEW) else []
    decisions, groups = _decisions(sheet, material), joined(sheet, material)
    seed = _seed(folder, assembly)
    labelled, random = went_through(folder / SAMPLE, material, [case.id for case in drawn(material.heldout, seed)])
    sides: dict[str, tuple[Case, ...]] = {}
    changes: dict[str, Changes] = {}
    for side, cases in material.sides():
        kept, corrected = [], 0
        for case in cases:
            output, out = decisions.get((side, case.id), (case.output, False))
            if side == "held-out case":
                output = _agreed(case, output, labelled.get(case.id), material)
            if not out:
                corrected += output != case.output
                group = groups.get((side, case.id), case.group)
                kept.append(replace(_with_output(case, output, material), group=group))
        sides[side] = tuple(kept)
        changes[side] = Changes(
            rows=len(cases),
            corrected=corrected,
            left_out=len(cases) - len(kept),
            together=sum((side, case.id) in groups for case in kept),
        )
    _check(assembly.spec, sides)
    relabelled, left = found_in(labelled if random else {}, material, decisions)
    lineage = Lineage(
        task=assembly.benchmark.task.name,
        source=hash_of(material.examples, material.heldout, material.documents),
        data=hash_of(sides["example"], sides["held-out case"], material.documents),
        held=hash_of((), sides["held-out case"], ()),
        examples=changes["example"],
        heldout=changes["held-out case"],
        relabelled=relabelled,
        left=left,
        seed=seed,
        seen=not material.labels,
        unordered=0 if random else len(labelled),
    )
    earlier = read_lineage(assembly.folder)
    if earlier is not None:
        lineage = lineage.after(earlier.beside(material.examples, material.heldout, material.documents))
    return Reviewed(examples=sides["example"], heldout=sides["held-out case"], lineage=lineage, listed=len(sheet))


def must_be_of(folder: Path, source: str) -> None:
    """Raises `BadInput` where the folder holds something else, or sheets of other data."""
    known = read_lineage(folder)
    there = [name for name in WRITTEN if (folder / name).exists()]
    if known is None and there:
        what = "a task" if there[0] == _TASK else there[0]
        raise BadInput(f"{folder.resolve().name} holds {what} already. {_ANOTHER}")
    if known is not None and known.source != source:
        raise BadInput(
            f"The sheets in {folder.resolve().name} belong to other data: the task was changed since. Name a new folder."
        )


def must_be_apart(folder: Path, assembly: Assembly) -> None:
    """Raises `BadInput` where the task or a file of it lies in the folder, also where that holds an earlier copy."""
    name, there = folder.resolve().name, folder.resolve()
    itself = there == assembly.folder.resolve()
    if itself and read_lineage(folder) is not None:
        raise BadInput(
            f"{name} is a reviewed copy itself. To apply its sheets, check the task that it was made of; to review it once more, "
            "name another folder."
        )
    if itself:
        raise BadInput(f"{name} holds a task already. {_ANOTHER}")
    for named in assembly.spec.file_keys().values():
        path = assembly.folder / named
        if not is_remote(named) and there in (path.resolve(), path.resolve().parent, path.parent.resolve()):
            raise BadInput(f'{name} holds "{named}", which the task is read from. {_ANOTHER}')


def _seed(folder: Path, assembly: Assembly) -> int:
    """With which the sample in the folder was drawn, or will be."""
    known = read_lineage(folder)
    return assembly.parts.seed if known is None else known.seed


def _has_rows(path: Path) -> bool:
    """Whether there is anything below the head of the sheet."""
    lines = path.read_text(encoding="utf-8-sig", errors="replace").splitlines() if path.is_file() else ()
    return sum(bool(line.strip()) for line in lines) > 1


def _decisions(sheet: Sequence[Any], material: Material) -> dict[tuple[str, str], tuple[str, bool]]:
    """(side, id) -> (output, whether to leave the row out), where a person wrote something."""
    known: dict[tuple[str, str], Case] = {(side, case.id): case for side, cases in material.sides() for case in cases}
    found = {}
    for place, row in sheet:
        key, where = (row["part"].strip(), row["id"].strip()), f"{REVIEW}, {place}"
        if key not in known:
            raise BadInput(f'{where} names the {key[0][:20]} "{key[1][:60]}", which is not there. Put the id back.')
        corrected, mark = _corrected(row, material, where), row["leave out"].strip().casefold()
        if mark and mark not in YES | NO:
            raise BadInput(f'{where}: "leave out" holds "{mark[:20]}". Write x to leave the row out, or nothing.')
        if material.labels and corrected and corrected not in material.choices:
            raise BadInput(f'{where}: "{corrected[:60]}" is not one of the labels. Write one as the task has it.')
        if corrected or mark in YES:
            found[key] = (corrected or known[key].output, mark in YES)
    return found


def _corrected(row: Mapping[str, str], material: Material, where: str) -> str:
    """What stands in `corrected`; an x there takes the label of `perhaps`, unless it is a label itself."""
    said, perhaps = row["corrected"].strip(), row["perhaps"].strip()
    if not material.labels or said in material.choices or said.casefold() != ACCEPTED:
        return said
    if not perhaps:
        raise BadInput(f'{where}: "corrected" holds x, and "perhaps" holds no label to take. Write the label itself.')
    return perhaps


def _agreed(case: Case, output: str, said: str | None, material: Material) -> str:
    """The output of a held-out case by both sheets. Raises `BadInput` where they contradict."""
    if material.labels:
        return agreed_label(case, output, said, material.labels)
    return agreed_answer(case, output, said, material)


def _with_output(case: Case, output: str, material: Material) -> Case:
    """With another right answer, which none of the old one's is an alternative to."""
    spelt = material.accepts(replace(case, answers=()), output)
    return replace(case, output=output, answers=case.answers if spelt else ())


def _check(spec: Spec, sides: Mapping[str, Sequence[Case]]) -> None:
    for side, cases in sides.items():
        if not cases:
            raise BadInput(f"The review leaves no {side}. Keep some.")
        if spec.kind == "extraction":
            check_objects(cases, side.capitalize())
        if spec.pattern is not None:
            check_pattern(cases, spec.pattern, side.capitalize())


# ---------------------------------------------------------------- the folder


def write_copy(found: Reviewed, assembly: Assembly, material: Material, folder: Path) -> None:
    """Writes task.yaml, data and lineage into the folder, over an earlier copy; what lies beside the task comes along.

    Raises `BadInput`, and writes nothing, where a file of the earlier copy was changed since.
    """
    import yaml

    spec, source = assembly.spec, assembly.folder
    named: dict[str, Any] = {"examples": _EXAMPLES, "heldout": _HELDOUT}
    named["columns"] = {name: name for name in ("input", "output", "id")}
    named["columns"] |= {"time": spec.columns.time} if spec.columns.time else {}
    rows = {_EXAMPLES: _case_rows(found.examples), _HELDOUT: _case_rows(found.heldout)}
    if material.documents:
        named["documents"] = _DOCUMENTS
        rows[_DOCUMENTS] = _document_rows(material.documents)
    if spec.traffic and not is_remote(spec.traffic):
        named["traffic"] = _TRAFFIC
        rows[_TRAFFIC] = [{"input": text} for text in read_inputs(source / spec.traffic, spec.columns).texts]
    for name, several in rows.items():  # Once all is read: half a copy would be taken for data of the person's own.
        _write_rows(_partial(folder / name), several)
    if spec.recorded:
        named["recorded"] = _RECORDED
        shutil.copyfile(source / spec.recorded, _partial(folder / _RECORDED))
    values = spec.model_dump(mode="json", by_alias=True, exclude_defaults=True) | named
    values |= _models(spec, source)
    if not material.labels_given:
        values.pop("labels", None)  # As they were before the corrections, a label spelt wrongly among them.
    text = yaml.safe_dump(values, sort_keys=False, allow_unicode=True)
    _partial(folder / _TASK).write_text(text, encoding="utf-8")
    written = _put_in_place(folder, (*rows, *([_RECORDED] if spec.recorded else []), _TASK))
    take_over(source, folder)
    for name in _own_code(spec):
        if (source / name).is_file() and not (folder / name).exists():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(source / name, folder / name)
    replace(found.lineage, written=written).write(folder)


def _put_in_place(folder: Path, names: Sequence[str]) -> dict[str, str]:
    """Puts each file that was written beside its place into it, whole or not at all wherever the machine stops, and returns the
    hashes of all. Raises `BadInput`, and changes no file, where one holds neither what was written there before nor the same."""
    known = read_lineage(folder)
    before = {} if known is None else known.written
    made = {name: _hash_of_file(_partial(folder / name)) for name in names}
    for name in names if before else ():
        if (folder / name).is_file() and _hash_of_file(folder / name) not in (before.get(name), made[name]):
            for each in names:
                _partial(folder / each).unlink()
            raise BadInput(
                f"{name} in {folder.resolve().name} was changed since the copy was made, and that would be lost. Name a new "
                f"folder: {REVIEW} and {SAMPLE} are applied there once you have copied them into it."
            )
    for name in names:
        _partial(folder / name).replace(folder / name)
    return made


def _partial(path: Path) -> Path:
    return path.with_name(f"{path.name}.partial")


def _hash_of_file(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()[:20]


def _own_code(spec: Spec) -> tuple[str, ...]:
    """The file of a person's own metric."""
    name = spec.metric.name.rpartition(":")[0] if spec.metric is not None else ""
    return (name,) if name.endswith(".py") and ".." not in Path(name).parts and not Path(name).is_absolute() else ()


def _models(spec: Spec, source: Path) -> dict[str, Any]:
    """Models that lie in folders, by the way to them from anywhere."""

    def placed(given: Any) -> Any:
        kept = given.model_dump(mode="json", exclude_none=True)
        if getattr(given, "folder", None) is not None:
            return {**kept, "folder": str((source / Path(given.folder).expanduser()).resolve())}
        named = {"model": given.model} if getattr(given, "model", None) else {}  # A server's name may look like a path.
        return {**kept, **named}

    found = {"models": [placed(model) for model in spec.models], "embedder": placed(spec.embedder)}
    return found if spec.reranker is None else {**found, "reranker": placed(spec.reranker)}


def _case_rows(cases: Sequence[Case]) -> list[dict[str, Any]]:
    rows = [{**case.slices, "id": case.id, "input": case.input, "output": case.output} for case in cases]
    more = [
        {
            "answers": list(case.answers),
            "document_ids": list(case.document_ids),
            "group": case.group,
            "metadata": dict(case.metadata),
        }
        for case in cases
    ]
    return _with_more(rows, more)


def _document_rows(documents: Sequence[Document]) -> list[dict[str, Any]]:
    rows = [{"id": each.id, "text": each.text} for each in documents]
    return _with_more(rows, [{"title": each.title, "date": each.date} for each in documents])


def _with_more(rows: Sequence[dict[str, Any]], more: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """The rows with what they may have besides: in all where one has it, as a reader learns the columns from the first."""
    used = {name for each in more for name, value in each.items() if value}
    return [
        {**row, **{name: each[name] for name in each if name in used}} for row, each in zip(rows, more, strict=True)
    ]


def _write_rows(path: Path, rows: Any) -> None:
    with path.open("w", encoding="utf-8") as file:
        file.writelines(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)
