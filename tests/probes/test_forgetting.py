"""What tuning costs elsewhere: the measurement against plain torch, the interval by simulation, and what is said of it."""

from __future__ import annotations

import math
from dataclasses import asdict, replace
from types import SimpleNamespace
from typing import Any, cast

import numpy as np
import pytest

from advisor.contract import Verdict
from advisor.decision.forgetting import forgot_too_much
from advisor.probes.forgotten import what_it_forgot
from benchmarks.checked import Forgetting
from benchmarks.contract import Constraints, State
from benchmarks.costs.prices import MachinePrices
from benchmarks.probes.forgetting import forgetting, general_texts
from benchmarks.probes.general import asked, general_answers, prompts, tasks
from strategies.contract import Message, Recipe, TrainingRow, Trains
from strategies.finetuning.adapters import prove_effect
from strategies.finetuning.drift import _log_likelihoods, drifts
from strategies.models.agreement import unfit
from strategies.models.local import LocalModel
from strategies.models.parts import Parts
from tests import tiny
from tests.scripted import ScriptedModel
from tests.verdict_cases import Bakeoff, benchmark_of, evaluation_of, scores_of

TEXTS = ("refund my order please now", "the invoice is wrong again and again", "one")


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> LocalModel:
    return tiny.local_model(tiny.model_folder(tmp_path_factory.mktemp("model")))


@pytest.fixture(scope="module")
def tuned(base: LocalModel, tmp_path_factory: pytest.TempPathFactory) -> LocalModel:
    """Trained hard on one answer."""
    rows = [TrainingRow(prompt=(Message("user", text),), answer="refund") for text in TEXTS]
    assert isinstance(base, Trains)
    recipe = Recipe(epochs=6, learning_rate=2e-2)
    training = base.train(rows, (), recipe, tmp_path_factory.mktemp("adapter") / "adapter", 0)
    found = base.adapted(training.folder)
    assert isinstance(found, LocalModel)
    return found


def plain(model: LocalModel, text: str) -> Any:
    """Log-probabilities of every next token, by the model's own forward pass."""
    import torch

    ids = torch.tensor([model.chat.encode_text(text)])
    with torch.inference_mode():
        logits = model.parts.model(input_ids=ids, use_cache=False).logits[0, :-1].float()
    return ids[0, 1:], logits.log_softmax(-1)


def test_sums_are_those_of_the_models_own_pass(base: LocalModel, tuned: LocalModel) -> None:
    found = list(drifts(base, tuned, TEXTS))
    assert len(found) == sum(len(base.chat.encode_text(text)) > 1 for text in TEXTS)
    for text, drift in zip(TEXTS, found, strict=False):
        (ids, before), (_, after) = plain(base, text), plain(tuned, text)
        assert drift.tokens == len(ids)
        assert drift.base == pytest.approx(-float(before.gather(1, ids[:, None]).sum()), rel=1e-4)
        assert drift.tuned == pytest.approx(-float(after.gather(1, ids[:, None]).sum()), rel=1e-4)
        assert drift.divergence == pytest.approx(float((before.exp() * (before - after)).sum()), rel=1e-3)
        assert drift.divergence > 0.01
        assert 0 <= drift.same <= drift.tokens


def _ettin() -> Any:
    """What it calls its decoder is its head, and another layer stands before that."""
    from transformers import ModernBertDecoderConfig

    return ModernBertDecoderConfig(hidden_activation="gelu", **tiny._sizes())


def _falcon() -> Any:
    """It multiplies its logits by a number of its own."""
    from transformers import FalconH1Config

    heads: dict[str, Any] = {
        "mamba_d_ssm": 32,
        "mamba_n_heads": 4,
        "mamba_d_head": 8,
        "mamba_n_groups": 1,
        "mamba_d_state": 8,
    }
    return FalconH1Config(lm_head_multiplier=0.04, num_key_value_heads=2, **heads, **tiny._sizes())


@pytest.mark.parametrize("made", [_ettin, _falcon])
def test_of_a_model_that_does_not_fit_its_own_logits_are_read(made: Any) -> None:
    """They were taken from its head alone: of one model that was no number at all, of another that of a flatter one."""
    import torch
    from transformers import AutoModelForCausalLM

    causal: Any = AutoModelForCausalLM
    module, ids = causal.from_config(made()).eval(), [5, 6, 7, 8, 9]
    parts = Parts(module, unfit(module))
    assert parts.unfit
    with torch.inference_mode():
        own = module(input_ids=torch.tensor([ids[:-1]]), use_cache=False).logits[0]
        found = _log_likelihoods(cast(LocalModel, SimpleNamespace(parts=parts)), ids)
        torch.testing.assert_close(found, own.log_softmax(-1))
        halved = causal.from_config(made()).eval()
        halved.load_state_dict(module.state_dict())
        head = halved.get_output_embeddings().weight
        head.data = head.data / 2
        changed = prove_effect(parts, Parts(halved, parts.unfit), [ids[:-1]])
    assert changed == pytest.approx(float(own[-1].abs().max()) / 2, rel=1e-3)


def test_a_base_beside_itself_has_not_moved(base: LocalModel) -> None:
    found = forgetting([asdict(drift) for drift in drifts(base, base, TEXTS[:2])])
    assert found is not None
    assert (found.ratio, found.lower, found.upper, found.same) == (1.0, 1.0, 1.0, 1.0)
    assert found.divergence == 0
    assert (found.divergence_within, found.same_within) == ((0.0, 0.0), (1.0, 1.0))


def test_with_the_adapter_off_the_base_is_back_to_the_last_bit(base: LocalModel, tuned: LocalModel) -> None:
    import torch

    from strategies.finetuning.adapters import loaded

    assert tuned.adapter is not None
    ids = torch.tensor([base.chat.encode_text(TEXTS[0])])
    module = loaded(base.base(), tuned.adapter)
    with torch.inference_mode():
        wanted = base.base()(input_ids=ids).logits
        assert not torch.equal(module(input_ids=ids).logits, wanted)
        with module.disable_adapter():
            assert torch.equal(module(input_ids=ids).logits, wanted)


def test_a_model_elsewhere_cannot_be_read(base: LocalModel) -> None:
    assert list(drifts(base, ScriptedModel(name="scripted", answer=lambda _: "yes"), TEXTS)) == []


def test_the_texts_are_many_and_different() -> None:
    texts = general_texts()
    assert len(texts) >= 30
    assert len({text[:20] for text in texts}) == len(texts)
    assert all(100 < len(text) < 700 for text in texts)


@pytest.mark.parametrize("ratio", [1.0, 1.3])
def test_the_interval_holds_the_ratio_in_nearly_every_draw_of_texts(ratio: float) -> None:
    """Of texts that differ in length and in what was forgotten of them; 2,000 draws of 36, asked 95 %, at least 93. So of the
    divergence a token and of the share of equal next tokens."""
    rng = np.random.default_rng(3)
    held = moved = alike = 0
    for _ in range(2_000):
        tokens = rng.integers(20, 200, 36)
        lost = tokens * (math.log(ratio) + rng.gamma(2.0, 0.05, 36) - 0.1)
        away, same = tokens * rng.gamma(4.0, 0.05, 36), rng.binomial(tokens, rng.beta(8.0, 2.0, 36))
        texts = [
            {"tokens": int(n), "base": 3.0 * n, "tuned": 3.0 * n + d, "divergence": kl, "same": int(s)}
            for n, d, kl, s in zip(tokens, lost, away, same, strict=True)
        ]
        found = forgetting(texts)
        assert found is not None
        assert found.divergence_within is not None
        assert found.same_within is not None
        held += found.lower <= ratio <= found.upper
        moved += found.divergence_within[0] <= 0.2 <= found.divergence_within[1]
        alike += found.same_within[0] <= 0.8 <= found.same_within[1]
    for each in (held, moved, alike):
        assert 0.92 <= each / 2_000 <= 0.97


def lost(ratio: float = 1.2, reach: float = 0.06) -> Forgetting:
    return Forgetting(
        texts=36,
        tokens=3500,
        before=20.0,
        after=20.0 * ratio,
        ratio=ratio,
        lower=ratio - reach,
        upper=ratio + reach,
        divergence=0.2,
        same=0.9,
        divergence_within=(0.15, 0.25),
        same_within=(0.88, 0.92),
    )


@pytest.mark.parametrize(
    ("limit", "state", "said"),
    [
        (
            1.1,
            State.RULED_OUT,
            "Lora is ruled out. General text is at least 1.1 times as hard to predict for it as for its base",
        ),
        (
            1.15,
            State.MEETS,
            "Lora may have forgotten too much: general text is 1.20 (1.14-1.26) times as hard to predict for it",
        ),
        (1.5, State.MEETS, ""),
    ],
)
def test_only_what_is_shown_to_be_forgotten_rules_out(limit: float, state: State, said: str) -> None:
    evaluation = replace(evaluation_of("lora", scores_of(280, 300)), forgetting=lost())
    benchmark = benchmark_of(constraints=Constraints(perplexity_ratio=limit))
    told = Bakeoff(evaluations=(evaluation, evaluation_of("majority", scores_of(20, 300))), benchmark=benchmark).told()
    statuses = {status.candidate: status.state for status in told.recommendation.statuses}
    assert statuses["lora"] is state
    reasons = " ".join(told.recommendation.reasons)
    assert said in reasons
    assert bool(said) == ("perplexity" in reasons)


def test_a_cascade_is_ruled_out_where_its_tuned_part_is() -> None:
    alone = replace(evaluation_of("lora", scores_of(285, 300)), forgetting=lost())
    chosen = {"first": "linear head", "second": "lora", "below": 0.5}
    cascade = replace(alone, candidate="lora after linear head", approach="cascade", simplicity=41, chosen=chosen)
    for limit, state in ((1.1, State.RULED_OUT), (1.15, State.MEETS), (1.5, State.MEETS)):
        benchmark = benchmark_of(constraints=Constraints(perplexity_ratio=limit))
        told = Bakeoff(evaluations=(alone, cascade), benchmark=benchmark).told()
        assert {status.state for status in told.recommendation.statuses} == {state}
        assert [row[0] for row in told.story.forgetting.rows] == ["lora"], "what it gains is not its tuned part's alone"
        said = " ".join(told.recommendation.reasons)
        whom = "times as hard to predict for its tuned part as for its base (perplexity)"
        assert ("after linear head is ruled out. General text is at least" in said and whom in said) == (limit == 1.1)
        perhaps = f"after linear head may have forgotten too much: general text is 1.20 (1.14-1.26) {whom}"
        assert (perhaps in said) == (limit == 1.15)
    (sentence,) = what_it_forgot(cascade)
    assert sentence.startswith("The tuned part of lora after linear head finds 36 general texts")


def test_what_was_not_measured_is_said() -> None:
    evaluation = evaluation_of("lora", scores_of(280, 300))
    assert list(what_it_forgot(evaluation)) == ["Whether lora forgot other abilities was not measured."]
    benchmark = benchmark_of(constraints=Constraints(perplexity_ratio=1.1))
    assert forgot_too_much(evaluation, benchmark) == ""
    told = Bakeoff(evaluations=(evaluation,), benchmark=benchmark).told()
    assert any("limit on forgetting was not checked for lora" in reason for reason in told.recommendation.reasons)


def tuned_elsewhere(family_of: str, beside: bool = False) -> Verdict:
    """An approach that asks a model which the task says was tuned elsewhere, with a limit on forgetting."""
    found = [evaluation_of(family_of, scores_of(280, 300), model="ours")]
    if beside:
        found.append(replace(evaluation_of("lora", scores_of(270, 300), model="small"), forgetting=lost(1.02)))
    return Bakeoff(
        evaluations=tuple(found),
        benchmark=benchmark_of(constraints=Constraints(perplexity_ratio=1.2)),
        prices=MachinePrices(tuned={"ours": None}),
    ).told()


@pytest.mark.parametrize("name", ["prompting", "retrieval"])
def test_what_was_tuned_elsewhere_is_not_said_to_keep_a_limit_on_forgetting(name: str) -> None:
    """It met the target under a limit that nothing was measured for, since its family is not that of what is tuned here."""
    told = tuned_elsewhere(name)
    (status,) = told.recommendation.statuses
    assert (status.state, status.unchecked) == (State.UNDECIDED, ("perplexity_ratio",))
    assert told.recommendation.verdict == "undecided"
    assert any(f"limit on forgetting was not checked for {name}" in reason for reason in told.recommendation.reasons)
    (step,) = [
        each for each in told.story.next_steps if each.startswith("Have the limit on what was forgotten checked")
    ]
    assert "comes without its base, so this limit can only be taken out" in step


def test_a_dash_says_that_it_was_tuned_elsewhere() -> None:
    note = tuned_elsewhere("prompting", beside=True).story.probed.note
    assert "A dash: tuned elsewhere, so not measured (drift)." in note
    assert "nothing is tuned" not in note


def test_a_change_that_is_not_shown_is_called_so() -> None:
    (sentence,) = what_it_forgot(replace(evaluation_of("lora", scores_of(280, 300)), forgetting=lost(1.02)))
    assert "as its base does (perplexity), which is not shown to be a change;" in sentence
    (sentence,) = what_it_forgot(replace(evaluation_of("lora", scores_of(280, 300)), forgetting=lost(1.2)))
    assert "not shown" not in sentence


def test_the_price_stands_beside_the_gain() -> None:
    """Over the same model alone: a cascade that ends in it owes its figure to a trained head too."""
    handing_on = replace(
        evaluation_of("prompting", scores_of(264, 300), model="small", seconds=0.9),
        candidate="prompting after linear head",
        approach="cascade",
        chosen={"first": "linear head", "second": "prompting", "below": 0.5},
    )
    told = Bakeoff(
        evaluations=(
            replace(evaluation_of("lora", scores_of(270, 300), model="small"), forgetting=lost()),
            evaluation_of("prompting", scores_of(150, 300), model="small"),
            evaluation_of("retrieval", scores_of(240, 300), model="small"),
            handing_on,
        ),
        benchmark=benchmark_of(),
    ).told()
    assert told.story.forgetting.rows == (
        ("lora", "+10 points", "20", "24", "1.20 (1.14-1.26)", "90 % (88-92)", "0.2 (0.15-0.25)"),
    )
    assert "36 general texts" in " ".join(told.story.risks)
    (candidate,) = (row for row in told.story.facts["candidates"] if row["name"] == "lora")
    assert candidate["forgetting"]["ratio"] == 1.2


# ---------------------------------------------------------------- everyday prompts and general tasks


def test_a_base_answers_as_itself_and_a_model_tuned_hard_does_not(base: LocalModel, tuned: LocalModel) -> None:
    note, spent = asked(base, base)
    own = general_answers(note)
    assert own is not None
    assert own.same == own.prompts == len(prompts())
    assert sum(usage.calls for usage in spent) == 2 * (
        len(prompts()) + sum(len(each.asked) for each in tasks().values())
    )
    moved = general_answers(asked(base, tuned)[0])
    assert moved is not None
    assert moved.same < moved.prompts / 2


def test_a_model_that_cannot_be_asked_so_is_left_out(base: LocalModel) -> None:
    class Silent:
        """Counts, and nothing else."""

    note, spent = asked(base, Silent())  # type: ignore[arg-type]
    assert (note, spent) == ({}, [])
    assert general_answers(note) is None


def test_a_general_task_is_told_only_where_the_base_beats_chance() -> None:
    """Of 20 questions with two answers 14 are not shown to be better than chance, and 15 are (exact binomial)."""
    cases = {name: len(each.asked) for name, each in tasks().items()}
    assert cases["mood"] == 20
    told = {}
    for right in (14, 15):
        base = [place < right for place in range(20)]
        found = general_answers({"tasks": {"mood": [base, [False] * 20], "gone": [base, base]}})
        assert found is not None
        told[right] = found.tasks
    assert told[14] == ()
    (task,) = told[15]
    assert task.name == "mood"
    assert (task.before, task.after) == (15, 0)
    assert task.upper < 0


def test_every_question_has_one_of_its_choices_as_answer_and_all_of_them_occur() -> None:
    assert len(set(prompts())) == len(prompts()) >= 20
    for each in tasks().values():
        assert {answer for _, answer in each.asked} == set(each.choices)
        assert len({text for text, _ in each.asked}) == len(each.asked) >= 20


def test_what_is_answered_otherwise_stands_beside_the_rest() -> None:
    note = {
        "prompts": [["Paris.", "paris"], ["Green", "refund"]],
        "tasks": {"mood": [[True] * 20, [True] * 8 + [False] * 12]},
    }
    evaluation = replace(
        evaluation_of("lora", scores_of(280, 300)), forgetting=replace(lost(), general=general_answers(note))
    )
    told = Bakeoff(evaluations=(evaluation,), benchmark=benchmark_of()).told().story
    assert told.forgetting.columns[-2:] == ("same answers", "mood")
    assert told.forgetting.rows[0][-2] == "1 of 2 (1-99 %)"
    assert told.forgetting.rows[0][-1].startswith("20 to 8 of 20 (-")
    (sentence,) = what_it_forgot(evaluation)
    assert (
        "Of 2 everyday prompts it answers 1 as its base does. It is shown to be worse at mood (20 to 8 of 20)."
        in sentence
    )
    (fact,) = (row["forgetting"] for row in told.facts["candidates"])
    assert (fact["general"]["same"], fact["general"]["tasks"][0]["after"]) == (1, 8)
