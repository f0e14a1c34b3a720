"""The study of faults in models, with tiny ones: what is spoilt is caught, changed templates are refused, and tables follow."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from benchmarks.data.assemble import Assembly, Loaded, assemble
from benchmarks.running.models import Models
from benchmarks.running.workbench import bare
from benchmarks.specs.spec import parse_spec
from benchmarks.specs.spec_models import ModelSpec
from benchmarks.studies.faults import report_models, templates, tuning, verdicts
from strategies.contract import Case, Document, Recipe
from strategies.selection import PipelineBuilder
from tests import tiny

SPEC = {"name": "x", "instruction": "Name it.", "examples": "z", "heldout": "h", "target": 0.6, "models": ["tiny"]}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny.model_folder(tmp_path_factory.mktemp("model"))


def models_of(folder: Path) -> Models:
    spec = ModelSpec(name="tiny", folder=str(folder))
    return Models((spec,), _embedder=tiny.WordHashes(), _placement=tiny.FLOAT32)


@cache
def messages() -> Assembly:
    cases = tiny.messages(160)
    spec = parse_spec({**SPEC, "kind": "classification"})
    return assemble(spec, data=Loaded(examples=cases[:100], heldout=cases[100:]))


@cache
def rooms() -> Assembly:
    asked = tiny.questions(60)
    spec = parse_spec({**SPEC, "kind": "qa", "documents": "d"})
    return assemble(spec, data=Loaded(examples=asked[:30], heldout=asked[30:], documents=tiny.rooms()))


def lab(assembly: Assembly, folder: Path, place: Path) -> tuning.Lab:
    return tuning.Lab(assembly=assembly, models=models_of(folder), folder=place, tokens=2_000)


# ---------------------------------------------------------------- adapters and trainings


@pytest.mark.parametrize(
    "how", ["under names that the model does not have", "one number that is none", next(iter(tuning.RATES))]
)
def test_what_is_spoilt_gets_no_score_and_the_others_keep_theirs(how: str, folder: Path, tmp_path: Path) -> None:
    (row,) = tuning.spoilt(lab(messages(), folder, tmp_path / "run"), how)
    assert row["caught"], row
    assert row["says"]
    assert row["named"] == "copy nearest"
    assert row["others"] > 0.5


def test_what_is_not_spoilt_is_scored(folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tuning, "RATES", {tuning.AS_IT_WAS: 5e-3})
    (row,) = tuning.spoilt(lab(messages(), folder, tmp_path / "run"), tuning.AS_IT_WAS)
    assert not row["caught"], row


def test_whom_the_verdict_named_is_told_and_a_healthy_adapter_is_no_fault_to_be_caught() -> None:
    ill = {"part": "dead adapter", "how": "all zeros", "caught": True, "says": "no effect", "named": "copy nearest"}
    told = "\n".join(report_models.sections([ill]))
    assert "| adapter | all zeros | yes | no effect | copy nearest |" in told
    assert "| adapter | nothing | not run yet |" in told
    assert "1 of 1 are caught before a score is shown. Whether a healthy adapter passes is not known yet" in told
    healthy = {**ill, "how": tuning.AS_IT_WAS, "caught": False, "says": "", "named": ""}
    told = "\n".join(report_models.sections([ill, healthy]))
    assert "| adapter | nothing | no | - | none |" in told
    assert "1 of 1 are caught before a score is shown. The healthy adapter passes." in told
    assert "not known yet" not in told


def test_of_each_training_it_is_told_how_far_general_text_has_moved(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    recipes = {"well": (40, Recipe(epochs=1)), "too long": (12, Recipe(epochs=8, learning_rate=3e-2))}
    monkeypatch.setattr(tuning, "TRAININGS", recipes)
    monkeypatch.setattr(tuning, "ASKED", 8)
    rows = {how: next(iter(tuning.trained(lab(messages(), folder, tmp_path / how), how, 0))) for how in recipes}
    assert rows["too long"]["divergence"] > 2 * rows["well"]["divergence"]
    assert all(row["lower"] <= row["ratio"] <= row["upper"] for row in rows.values())
    assert all(0 <= row["right"] <= 1 and row["asked"] == 8 for row in rows.values())
    told = [{"part": "trained", "how": how, "draw": 0, **row} for how, row in rows.items()]
    apart = int(rows["too long"]["lower"] > rows["well"]["upper"])  # A random model reads general text no worse for it.
    assert f"in {apart} of 1 seeds" in "\n".join(report_models.sections(told))
    told = [{**row, "lower": 1.5 + row["lower"]} if row["how"] == "too long" else row for row in told]
    assert "in 1 of 1 seeds" in "\n".join(report_models.sections(told))


def test_poisoned_documents_are_asked_beside_the_probe(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tuning, "POISONED", 6)
    (row,) = tuning.poisoned(lab(rooms(), folder, tmp_path / "poisoned"))
    assert row["cases"] == 6
    for way in ("probe", "documents"):
        assert 0 <= row[f"followed, {way}"] <= row[f"cases, {way}"] <= 6
    told = "\n".join(report_models.sections([{"part": "poisoned, asked", **row}]))
    assert "in the documents themselves" in told


# ---------------------------------------------------------------- templates


@pytest.mark.parametrize("how", templates.CHANGES)
def test_another_template_is_refused_and_the_same_one_is_not(how: str, folder: Path, tmp_path: Path) -> None:
    builder = PipelineBuilder(messages().benchmark.task, bare(models_of(folder), "tiny", tmp_path))
    fit = templates.Fit.of(builder, tmp_path / "fit")
    (row,) = templates.refused(fit, how, tmp_path / "changed")
    if how == templates.AS_IT_WAS:
        assert not any(row.values())
        return
    assert row["by the files"]
    assert row["by the fit"] == row["by the program"] == ("lacks" not in how)
    same_length = ("lacks" in how) or ("ends each turn" in how)
    assert row["by the count"] != same_length


# ---------------------------------------------------------------- verdicts


def ground(others: int = 40) -> verdicts.Ground:
    cases = tiny.messages(300)
    spec = parse_spec({**SPEC, "kind": "classification"})
    made = assemble(spec, data=Loaded(examples=cases[:120], heldout=cases[120:200]))
    return verdicts.Ground(assembly=made, others=cases[200 : 200 + others])


def measured(how: str, tmp_path: Path) -> Mapping[str, Mapping[str, Any]]:
    bench = bare(Models((), _embedder=tiny.WordHashes()), "", tmp_path)
    return {row["approach"]: row for row in verdicts.claims("messages", how, 0, bench)}


@pytest.mark.nightly
def test_each_fault_moves_figure_and_truth_as_it_should(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(verdicts, "ground", lambda task: ground())
    found = {how: measured(how, tmp_path) for how in verdicts.FAULTS}
    clean, keys = found[verdicts.CLEAN]["linear head"], found["wrong held-out labels"]["linear head"]
    assert keys["truth"] == clean["truth"], "what was fitted is the same"
    assert keys["figure"] < clean["figure"]
    assert found["the same, a sample corrected"]["linear head"]["figure"] >= keys["figure"]
    assert found["wrong labels of examples"]["copy nearest"]["truth"] < found[verdicts.CLEAN]["copy nearest"]["truth"]
    assert all(len(row["states"]) == len(verdicts.TARGETS) for rows in found.values() for row in rows.values())
    rows = [{"part": "verdict", "task": "messages", "how": how, **row} for how in found for row in found[how].values()]
    told = "\n".join(report_models.sections(rows))
    assert "Wrong claims: on clean data 0 of" in told


def test_claims_are_wrong_only_where_the_truth_speaks_against_them() -> None:
    def row(met: int, missed: int, truth: float) -> dict[str, Any]:
        """Met up to so many per cent, missed from so many on."""
        states = "".join(
            "+" if 100 * each <= met else "-" if 100 * each >= missed else "?" for each in verdicts.TARGETS
        )
        return {"states": states, "truth": truth, "between": [truth - 0.045, truth + 0.045]}

    clean = row(met=52, missed=64, truth=0.58)
    assert (report_models.claims(clean), report_models.wrong_claims(clean)) == (70 - 11, 0)
    flattered = row(met=66, missed=80, truth=0.58)
    assert report_models.wrong_claims(flattered) == 4, "63 to 66 % lie above the truth's interval"
    assert report_models.turned(flattered, clean) == (27, 19), "59 to 66 % are not reached"
    assert report_models.turned({**flattered, "truth": 0.66}, clean) == (27, 27)
    assert report_models.turned(clean, clean) == (0, 0)
    assert report_models.wrong_claims(row(met=30, missed=50, truth=0.58)) == 4, "50 to 53 % are below its interval"


def test_what_misleads_repeats_the_question_and_the_check_names_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = [Case(id=f"q{n}", input=f"How many seats does the room number {n} have?", output=str(n)) for n in range(60)]
    documents = tuple(Document(id=f"d{n}", title=f"Room {n}", text=f"Room {n} has {n} seats.") for n in range(60))
    spec = parse_spec({**SPEC, "kind": "qa", "documents": "d"})
    made = assemble(spec, data=Loaded(examples=tuple(asked[:20]), heldout=tuple(asked[20:40]), documents=documents))
    here = verdicts.Ground(assembly=made, others=tuple(asked[40:]))
    monkeypatch.setattr(verdicts, "ground", lambda task: here)
    bench = bare(Models((), _embedder=tiny.WordHashes()), "", tmp_path)
    (row,) = verdicts.named_by_the_check("rooms", 0, bench)
    assert row["planted"] == row["as questions"] > 0
    assert row["as contradictions"] == 0
    plant = verdicts.Planting(ground=here, dice=verdicts.Dice(1), bench=bench)
    added = verdicts.IN_DOCUMENTS["poisoned documents"](plant).documents[60:]
    keys = {case.id: case for case in asked}
    assert len(added) == 8
    for document in added:
        case = keys[document.id.removeprefix("planted|")]
        assert case.input.rstrip("?") in document.text
        assert not document.text.endswith(f": {case.output}")


def test_what_has_no_rows_is_named_as_not_run() -> None:
    told = "\n".join(report_models.sections([]))
    assert told.count("not run yet") >= len(tuning.SPOILT) + len(tuning.RATES)
    assert "are caught before a score is shown" not in told
