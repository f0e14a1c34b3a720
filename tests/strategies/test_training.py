"""The training loop against a plain one of peft, and what must be true of every adapter that it writes."""

from __future__ import annotations

import json
import math
import random
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file

from strategies.contract import DeadAdapter, Diverged, Message, Recipe, Training, TrainingRow
from strategies.finetuning import adapters, packs, training
from strategies.finetuning.packs import Encoded, Pack, answer_loss, batches, encode, positions
from strategies.finetuning.race import rows_of
from strategies.finetuning.tuned import prove
from strategies.models.local import LocalModel
from strategies.pipeline import Setup
from strategies.prompting.fitting import Parts
from strategies.selection import PipelineBuilder
from tests import tiny

RECIPE = Recipe(learning_rate=5e-3, rank=4, alpha=8, epochs=3, batch_size=4)
TRAINED = ["llama", "qwen", "neox", "gemma", "mistral", "granite", "lfm"]


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("training")


@pytest.fixture(scope="module")
def model(place: Path) -> LocalModel:
    return tiny.local_model(tiny.model_folder(place))


def rows(count: int = 18, start: int = 0) -> list[TrainingRow]:
    return [
        TrainingRow(prompt=(Message("system", "Sort it."), Message("user", case.input)), answer=case.output)
        for case in tiny.messages(count, start)
    ]


@pytest.fixture(scope="module")
def trained(model: LocalModel, place: Path) -> Training:
    return model.train(rows(), rows(8, 18), RECIPE, place / "trained", 7)


# ---------------------------------------------------------------- what is learnt


@pytest.mark.parametrize("template", [tiny.CHAT, tiny.SPACED, ""])
def test_the_tokens_of_training_are_those_of_use(place: Path, template: str) -> None:
    """Prompt as the model is asked, answer as it would be written, and the whole as the template renders the turns."""
    model = tiny.local_model(tiny.model_folder(place, templated=bool(template)))
    if template:
        model.chat.tokenizer.chat_template = template
    row = rows(1)[0]
    encoded = encode(model.chat, row, 1024)
    asked = model.chat.encode(row.prompt)
    assert list(encoded.ids[: encoded.answer_start]) == asked
    assert list(encoded.ids[encoded.answer_start :]) == [*model.chat.encode_label(row.answer), model.chat.end_id]
    assert encoded.ids[-1] in model.chat.stop_ids
    if template:
        turns = [{"role": turn.role, "content": turn.content} for turn in row.prompt]
        turns.append({"role": "assistant", "content": row.answer})
        whole = model.chat.tokenizer.apply_chat_template(turns, tokenize=True)["input_ids"]
        assert list(encoded.ids) == whole[: len(encoded.ids)]


@pytest.mark.parametrize("kind", ["classification", "qa"])
def test_training_rows_are_the_requests_of_use(model: LocalModel, tmp_path: Path, kind: Any) -> None:
    """With demonstrations and passages: the prompt that is trained on is the prompt that is asked, but for the example
    itself, which is never its own demonstration."""
    task = tiny.benchmark(kind).task
    setup = Setup(shots=2, picks="nearest", passages=2 if task.documents else 0)
    pipeline = PipelineBuilder(task, tiny.Bench(folder=tmp_path, language=model)).build(setup, task.examples[6:])
    case = task.examples[0]
    (row,) = rows_of(pipeline, [case])
    (request,) = pipeline.requests([tiny.query(case)])
    assert row.prompt == request.prompt
    (own,) = rows_of(pipeline, [task.examples[6]])
    assert all(turn.content != task.examples[6].input for turn in own.prompt[:-1])


def test_what_a_training_row_shows_is_no_near_duplicate_of_it(model: LocalModel, tmp_path: Path) -> None:
    """No request of use ever has one among the examples, so a row that shows one teaches to copy."""
    cases = tuple(replace(case, group=case.id) for case in tiny.messages(8))
    twins = tuple(replace(case, id=f"{case.id}t", input=f"{case.input}!") for case in cases)
    builder = PipelineBuilder(tiny.benchmark().task, tiny.Bench(folder=tmp_path, language=model))
    pipeline = builder.build(Setup(shots=2, picks="nearest"), (*cases, *twins))
    for row, case in zip(rows_of(pipeline, [*cases, *twins]), (*cases, *twins), strict=True):
        shown = [turn.content.rstrip("!") for turn in row.prompt[:-1] if turn.role == "user"]
        assert len(shown) == 2
        assert case.input.rstrip("!") not in shown


def test_the_loss_falls_on_exactly_the_answer(model: LocalModel) -> None:
    """Against a full forward pass with everything but the answer and its end taken out of the labels."""
    batch = [encode(model.chat, row, 1024) for row in rows(5)]
    module = model.base()
    with torch.inference_mode():
        loss, count = answer_loss(module, batch)
        assert count == sum(len(model.chat.encode_answer(row.answer)) for row in rows(5))
        assert float(loss) == pytest.approx(float(plain_loss(module, batch)[0]), rel=1e-5)


def test_what_stands_in_the_prompt_bears_no_loss(model: LocalModel) -> None:
    """The gradient at the head's rows of tokens is the same whatever tokens of the prompt would be wanted."""
    (encoded,) = [encode(model.chat, row, 1024) for row in rows(1)]
    alone = replace(encoded, answer_start=len(encoded.ids) - 1)
    module = model.base()
    with torch.inference_mode():
        part, one = answer_loss(module, [alone])
        logits = module(torch.tensor([encoded.ids])).logits[0, -2]
    assert one == 1
    assert float(part) == pytest.approx(-float(logits.log_softmax(-1)[encoded.ids[-1]]), rel=1e-5)


def shown(count: int) -> list[TrainingRow]:
    """Rows whose prompts show two other examples; the first of them is the same in all."""
    cases = tiny.messages(count + 2)
    first, *rest = ((Message("user", case.input), Message("assistant", case.output)) for case in cases)
    return [
        TrainingRow(prompt=(*first, *before, Message("user", case.input)), answer=case.output)
        for before, case in zip(rest, cases[2:], strict=False)
    ]


THOUGHTS = (
    tiny.CHAT + "{% if add_generation_prompt and enable_thinking is false %}{{ '<think>\n\n</think>\n\n' }}{% endif %}"
)
"""Before the last answer stands that nothing was thought, before earlier ones not, as Qwen 3 writes it."""


@pytest.mark.parametrize("template", [tiny.CHAT, THOUGHTS, tiny.SPACED, tiny.USER_FIRST["gemma 3"], ""])
def test_with_every_answer_the_loss_falls_on_all_of_them_and_on_nothing_else(place: Path, template: str) -> None:
    templated = bool(template)
    model = tiny.local_model(tiny.model_folder(place, templated=templated))
    if templated:
        model.chat.tokenizer.chat_template = template
    given = shown(5)
    encoded = [encode(model.chat, row, 1024, every_answer=True) for row in given]
    answers = [[*(turn.content for turn in row.prompt if turn.role == "assistant"), row.answer] for row in given]
    for row, said in zip(encoded, answers, strict=True):
        ends = (
            model.chat.encode_answer if templated else model.chat.encode_label
        )  # Plain text ends an answer by a blank line.
        wanted = [*map(ends, said[:-1]), model.chat.encode_answer(said[-1])]
        assert [row.ids[place] for place in row.learnt] == [token for ids in wanted for token in ids]
    module = model.base()
    with torch.inference_mode():
        loss, count = answer_loss(module, encoded)
        logits = [module(torch.tensor([row.ids])).logits[0].log_softmax(-1) for row in encoded]
    plain = -sum(
        float(found[place - 1, row.ids[place]])
        for row, found in zip(encoded, logits, strict=True)
        for place in row.learnt
    )
    assert count == sum(len(row.learnt) for row in encoded)
    assert float(loss) == pytest.approx(plain, rel=1e-5)


def test_earlier_answers_that_were_cut_off_bear_no_loss(model: LocalModel) -> None:
    (row,) = shown(1)
    whole = encode(model.chat, row, 1024, every_answer=True)
    (first, last), kept = whole.earlier
    cut = encode(model.chat, row, len(whole.ids) - last + 1, every_answer=True)
    assert cut.truncated
    assert cut.earlier == (tuple(place - last + 1 for place in kept),)
    assert [cut.ids[place] for place in cut.learnt] == [whole.ids[place] for place in whole.learnt[last - first :]]


def test_padding_changes_no_loss(model: LocalModel) -> None:
    encoded = [encode(model.chat, row, 1024) for row in rows(6)]
    assert len({len(row.ids) for row in encoded}) > 1
    module = model.base()
    with torch.inference_mode():
        together = float(answer_loss(module, encoded)[0])
        apart = sum(float(answer_loss(module, [row])[0]) for row in encoded)
    assert together == pytest.approx(apart, rel=1e-5)


def test_an_epoch_holds_every_row_once(model: LocalModel) -> None:
    encoded = [encode(model.chat, row, 1024) for row in rows(18)]
    cut = batches(encoded, 4, random.Random(0))
    assert sorted(row.ids for batch in cut for row in batch) == sorted(row.ids for row in encoded)
    assert all(len(batch) <= 4 for batch in cut)


def test_truncation_keeps_the_question_and_is_counted(model: LocalModel, tmp_path: Path) -> None:
    long = TrainingRow(prompt=(Message("user", "word " * 200 + "the question"),), answer="refund")
    encoded = encode(model.chat, long, 64)
    assert encoded.truncated
    assert len(encoded.ids) == 64
    assert list(encoded.ids[encoded.answer_start :]) == model.chat.encode_answer("refund")
    assert list(encoded.ids[: encoded.answer_start]) == model.chat.encode(long.prompt)[-encoded.answer_start :]
    done = model.train([*rows(3), long, long], (), replace(RECIPE, max_tokens=200, epochs=1), tmp_path / "cut", 0)
    assert done.truncated_rows == 2


@pytest.mark.parametrize("letters", ["包裹还没有到", "ሰላም፣ ዕቃ", "The parcel has not arrived. "])
def test_an_input_is_cut_by_its_tokens_in_every_script_and_a_lesson_that_holds_a_part_of_it_is_counted(
    model: LocalModel, tmp_path: Path, letters: str
) -> None:
    """Where a letter takes more than a token, an input was not cut, and then not halved but cut to a twentieth."""
    whole = (letters * 500)[:500]
    text = model.cut(whole, 100)
    assert abs(len(model.chat.encode_text(text)) - 100) < 3  # A letter that is cut in two has other tokens.
    half = Parts(whole, (), ()).shorter(model).text
    assert len(whole) / 2 <= len(half) < len(whole)
    task = tiny.benchmark("generation").task
    builder = PipelineBuilder(task, tiny.Bench(folder=tmp_path, language=model))
    cases = [replace(task.examples[0], input=text) for text in (letters * 400, letters)]
    learnt = [encode(model.chat, row, 1024) for row in rows_of(builder.build(Setup(), task.examples), cases)]
    assert [row.truncated for row in learnt] == [True, False]


def test_what_does_not_fit_the_memory_is_read_in_smaller_passes_from_then_on(
    model: LocalModel, trained: Training, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    refused, most = [0], 60
    read = packs.losses

    def narrow(module: Any, passes: Sequence[Pack], *how: Any) -> Iterator[Any]:
        for loss, one in zip(read(module, passes, *how), passes, strict=True):
            if len(one[1]) > 1 and positions([one]) > most:
                refused[0] += 1
                raise torch.OutOfMemoryError("no room")
            yield loss

    monkeypatch.setattr(training, "losses", narrow)
    again = model.train(rows(), rows(8, 18), RECIPE, tmp_path / "narrow", 7)
    assert again.losses == pytest.approx(trained.losses, rel=1e-4)
    assert 0 < refused[0] < len(trained.losses) * len(rows()) / RECIPE.batch_size, "not anew for every batch"
    monkeypatch.setattr(training, "losses", lambda *_: (_ for _ in ()).throw(torch.OutOfMemoryError("no room")))
    with pytest.raises(torch.OutOfMemoryError):
        model.train(rows(2), (), RECIPE, tmp_path / "none", 0)


def test_an_answer_that_alone_is_too_long_is_cut_and_counted(model: LocalModel) -> None:
    encoded = encode(model.chat, TrainingRow(prompt=(Message("user", "x"),), answer="refund " * 100), 20)
    assert encoded.truncated
    assert len(encoded.ids) == 20
    assert encoded.answer_start >= 1


# ---------------------------------------------------------------- the loop


def plain_loss(
    module: Any, batch: Sequence[Encoded], smoothing: float = 0.0, answers: Sequence[tuple[int, ...]] = ()
) -> tuple[Any, int]:
    """Summed loss by the model's own logits over the whole sequence, labels of the prompt and the padding taken out; a share of
    each target is spread over the tokens that `answers` have there."""
    width = max(len(row.ids) for row in batch)
    ids = torch.zeros((len(batch), width), dtype=torch.long)
    mask = torch.zeros_like(ids)
    labels = torch.full_like(ids, -100)
    for place, row in enumerate(batch):
        ids[place, : len(row.ids)] = torch.tensor(row.ids)
        mask[place, : len(row.ids)] = 1
        labels[place, row.answer_start : len(row.ids)] = torch.tensor(row.ids[row.answer_start :])
    logits = module(input_ids=ids, attention_mask=mask, use_cache=False).logits[:, :-1].float()
    flat = logits.reshape(-1, logits.shape[-1])
    loss = torch.nn.functional.cross_entropy(flat, labels[:, 1:].reshape(-1), reduction="sum")
    for row, said in zip(batch, logits.log_softmax(-1), strict=True) if smoothing else ():
        own = row.ids[row.answer_start :]
        for size, token in enumerate(own):
            found = said[row.answer_start + size - 1]
            ways = sorted({answer[size] for answer in answers if answer[:size] == own[:size]})
            loss = loss + smoothing * (found[token] - found[ways].mean())
    return loss, int((labels[:, 1:] != -100).sum())


def plain_training(model: LocalModel, seed: int, smoothing: float) -> list[float]:
    """A plain peft loop with the recipe's numbers: warm-up then linear decay, clipping at 1, the same batches."""
    from peft import LoraConfig, get_peft_model

    encoded = [encode(model.chat, row, RECIPE.max_tokens) for row in rows()]
    base = model.base()
    torch.manual_seed(seed)
    config = LoraConfig(r=4, lora_alpha=8, lora_dropout=0.0, target_modules="all-linear", task_type="CAUSAL_LM")
    module: Any = get_peft_model(base, config)
    weights = [weight for weight in module.parameters() if weight.requires_grad]
    optimizer = torch.optim.AdamW(weights, lr=RECIPE.learning_rate, betas=training.BETAS, weight_decay=0.0)
    steps = math.ceil(len(encoded) / RECIPE.batch_size) * RECIPE.epochs
    warm = max(1, round(steps * RECIPE.warmup_share))
    schedule = torch.optim.lr_scheduler.LambdaLR(
        optimizer, lambda done: (done + 1) / warm if done < warm else (steps - done) / max(1, steps - warm)
    )
    dice, losses, known = random.Random(seed), [], [row.ids[row.answer_start :] for row in encoded]
    for _ in range(RECIPE.epochs):
        total, count = 0.0, 0
        for batch in batches(encoded, RECIPE.batch_size, dice):
            loss, answers = plain_loss(module, batch, smoothing, known)
            optimizer.zero_grad()
            (loss / answers).backward()
            torch.nn.utils.clip_grad_norm_(weights, 1.0)
            optimizer.step()
            schedule.step()
            total, count = total + float(loss.detach()), count + answers
        losses.append(total / count)
    return losses


@pytest.mark.parametrize("smoothing", [0.0, 0.1])
@pytest.mark.parametrize("architecture", TRAINED)
@pytest.mark.filterwarnings("ignore:`is_gradient_checkpointing` is deprecated:FutureWarning")
def test_the_loss_curve_is_that_of_a_plain_peft_loop(
    place: Path, tmp_path: Path, architecture: str, smoothing: float
) -> None:
    model = tiny.local_model(tiny.model_folder(place, architecture))
    done = model.train(rows(), (), replace(RECIPE, smoothing=smoothing), tmp_path / "adapter", 3)
    assert done.losses == pytest.approx(plain_training(model, 3, smoothing), rel=1e-3)
    assert done.losses[-1] < done.losses[0]


def test_the_same_seed_gives_the_same_adapter_and_another_one_another(model: LocalModel, tmp_path: Path) -> None:
    contents = []
    for name, seed in (("a", 1), ("b", 1), ("c", 2)):
        model.train(rows(8), (), replace(RECIPE, epochs=1), tmp_path / name, seed)
        contents.append((tmp_path / name / "adapter_model.safetensors").read_bytes())
    assert contents[0] == contents[1]
    assert contents[0] != contents[2]


@pytest.fixture
def passed(monkeypatch: pytest.MonkeyPatch) -> list[torch.Tensor]:
    """The weights after each step of trainings that are made now."""
    found: list[torch.Tensor] = []
    step = training._Run._step

    def watched(run: Any, batch: Sequence[Encoded], rate: float) -> tuple[float, int]:
        told = step(run, batch, rate)
        found.append(run.masters.vector.detach().clone())
        return told

    monkeypatch.setattr(training._Run, "_step", watched)
    return found


def saved(done: Training) -> torch.Tensor:
    """The adapter's numbers, sorted, since peft keeps them in another order than the optimizer."""
    tensors = load_file(done.folder / "adapter_model.safetensors").values()
    return torch.cat([tensor.flatten() for tensor in tensors]).sort().values


@pytest.mark.parametrize("averaged", [False, True])
def test_the_mean_of_the_last_half_is_kept_where_the_recipe_says_so(
    model: LocalModel, tmp_path: Path, passed: list[torch.Tensor], averaged: bool
) -> None:
    done = model.train(rows(), (), replace(RECIPE, averaged=averaged), tmp_path / "adapter", 3)
    half = torch.stack(passed[len(passed) // 2 :]).mean(0) if averaged else passed[-1]
    assert torch.allclose(saved(done), half.sort().values, atol=1e-6)
    assert done.averaged == averaged
    assert not torch.allclose(saved(done), (passed[-1] if averaged else half * 0).sort().values, atol=1e-4)


@pytest.mark.parametrize("better", [False, True])
def test_the_mean_of_the_last_half_is_kept_where_its_validation_loss_is_lower(
    model: LocalModel, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, passed: list[torch.Tensor], better: bool
) -> None:
    given = iter([9.0, 8.0, 6.0, 7.0, 5.0 if better else 6.5])
    monkeypatch.setattr(training, "answer_loss", lambda *_: (next(given), 1))
    done = model.train(rows(), rows(8, 18), RECIPE, tmp_path / "adapter", 3)
    steps = len(passed) // 3
    kept = torch.stack(passed[len(passed) // 2 :]).mean(0) if better else passed[2 * steps - 1]
    assert torch.allclose(saved(done), kept.sort().values, atol=1e-6)
    assert (done.averaged, done.best_epoch, done.epochs) == (better, 2, 3 if better else 2)
    assert done.validation_losses == (9.0, 8.0, 6.0, 7.0)


def test_one_row_that_is_not_learnt_yet_does_not_undo_what_is() -> None:
    """After many tiny gradients one large one moved the weights by three times the rate, and a training lost all it knew."""
    weight = torch.zeros(1)
    optimizer = torch.optim.AdamW([weight], lr=1.0, betas=training.BETAS, weight_decay=0.0)
    for gradient in [1e-6] * 300 + [1.0]:
        weight.zero_()
        weight.grad = torch.tensor([gradient])
        optimizer.step()
    assert abs(float(weight)) < 1


def test_the_epoch_of_lowest_validation_loss_is_kept(model: LocalModel, trained: Training) -> None:
    losses = trained.validation_losses
    assert not trained.averaged, "so short a training is not at its end"
    assert trained.best_epoch == losses.index(min(losses)) > 0
    held = [encode(model.chat, row, RECIPE.max_tokens) for row in rows(8, 18)]
    with torch.inference_mode():
        loss, count = answer_loss(adapters.loaded(model.base(), trained.folder).eval(), held)
        before, _ = answer_loss(model.base(), held)
    assert float(loss) / count == pytest.approx(min(losses), rel=1e-4)
    assert float(before) / count == pytest.approx(losses[0], rel=1e-4)


def test_training_stops_when_validation_gets_no_better(model: LocalModel, tmp_path: Path) -> None:
    """The answers to validate are the opposite of what is trained."""
    wrong = [replace(row, answer="zzz qqq") for row in rows(8, 18)]
    recipe = replace(RECIPE, epochs=12, learning_rate=2e-2)
    done = model.train(rows(), wrong, recipe, tmp_path / "stopped", 0)
    assert len(done.losses) < 12
    assert len(done.losses) == done.best_epoch + training.PATIENCE
    held = [encode(model.chat, row, RECIPE.max_tokens) for row in wrong]
    with torch.inference_mode():
        loss, count = answer_loss(adapters.loaded(model.base(), done.folder).eval(), held)
    assert float(loss) / count == pytest.approx(min(done.validation_losses), rel=1e-4), (
        "what is kept is not the last one"
    )


def test_where_no_epoch_is_better_than_none_nothing_is_kept(
    model: LocalModel, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rising = iter(range(1, 9))
    monkeypatch.setattr(training, "answer_loss", lambda *_: (float(next(rising)), 1))
    done = model.train(rows(8), rows(4, 18), RECIPE, tmp_path / "none", 0)
    assert (done.best_epoch, len(done.losses)) == (0, training.PATIENCE)
    base = logits_of(model.base(), model)
    assert torch.equal(logits_of(adapters.loaded(model.base(), done.folder).eval(), model), base)


def test_what_training_spent_is_counted(model: LocalModel, trained: Training) -> None:
    encoded = [encode(model.chat, row, RECIPE.max_tokens) for row in rows()]
    epochs = len(trained.losses)
    answers = sum(len(row.ids) - row.answer_start for row in encoded)
    spent, checked = trained.usage
    assert (spent.step, checked.step) == ("training", "search")
    assert spent.answer_tokens == epochs * answers
    assert spent.prompt_tokens == epochs * (sum(len(row.ids) for row in encoded) - answers)
    assert spent.seconds > 0
    held = [encode(model.chat, row, RECIPE.max_tokens) for row in rows(8, 18)]
    assert checked.prompt_tokens + checked.answer_tokens == (epochs + 2) * sum(len(row.ids) for row in held)
    assert 0 < checked.cached_tokens < checked.prompt_tokens
    assert checked.seconds > 0


# ---------------------------------------------------------------- the adapter


def logits_of(module: Any, model: LocalModel) -> Any:
    with torch.inference_mode():
        return module(torch.tensor([model.chat.encode(rows(1)[0].prompt)])).logits


def _gpt_oss() -> Any:
    """Its experts are no linear layers."""
    from transformers import GptOssConfig

    sizes = {**tiny._sizes(), "num_local_experts": 2, "num_experts_per_tok": 1, "head_dim": 8, "num_key_value_heads": 2}
    return GptOssConfig(**sizes)


def _falcon() -> Any:
    """Attention beside Mamba, whose `out_proj` peft refuses."""
    from transformers import FalconH1Config

    mamba: dict[str, Any] = {
        "mamba_d_ssm": 32,
        "mamba_n_heads": 4,
        "mamba_d_head": 8,
        "mamba_n_groups": 1,
        "mamba_d_state": 8,
    }
    return FalconH1Config(**tiny._sizes(), **mamba, num_key_value_heads=2)


def _llama4() -> Any:
    """The layers that choose its experts are linear ones that give two values."""
    from transformers import Llama4TextConfig

    sizes = {**tiny._sizes(), "num_key_value_heads": 2, "head_dim": 8, "num_experts_per_tok": 1}
    return Llama4TextConfig(num_local_experts=2, intermediate_size_mlp=64, interleave_moe_layer_step=2, **sizes)


def _phimoe() -> Any:
    from transformers import PhimoeConfig

    return PhimoeConfig(num_key_value_heads=2, num_local_experts=2, **tiny._sizes())


@pytest.mark.filterwarnings("ignore:`is_gradient_checkpointing` is deprecated:FutureWarning")
@pytest.mark.parametrize(
    ("made", "adapted"),
    [
        (tiny._llama, "down_proj, gate_proj, k_proj, o_proj, q_proj, up_proj, v_proj"),
        (_gpt_oss, "k_proj, o_proj, q_proj, v_proj"),
        (_falcon, "down_proj, gate_proj, in_proj, k_proj, o_proj, q_proj, up_proj, v_proj"),
        (_llama4, "down_proj, gate_proj, k_proj, o_proj, q_proj, up_proj, v_proj"),
        (_phimoe, "k_proj, o_proj, q_proj, v_proj"),
    ],
)
def test_the_card_says_what_is_adapted_and_peft_loads_it(tmp_path: Path, made: Callable[[], Any], adapted: str) -> None:
    from transformers import AutoModelForCausalLM

    causal: Any = AutoModelForCausalLM
    module = adapters.attach(causal.from_config(made()).eval(), RECIPE, 0)
    answer_loss(module.train(), [Encoded((5, 6, 7, 8), 2)], True)[0].backward()
    adapters.save(module, tmp_path, ("tiny", "1"))
    assert f"on the layers called {adapted}, trained" in (tmp_path / "README.md").read_text()
    assert adapters.merged(causal.from_config(made()), tmp_path)


def test_the_folder_is_a_plain_peft_adapter(model: LocalModel, trained: Training) -> None:
    config = json.loads((trained.folder / "adapter_config.json").read_text())
    assert (config["base_model_name_or_path"], config["revision"]) == ("tiny", None)  # peft would ask the hub for one.
    assert config["peft_type"] == "LORA"
    assert {path.name for path in trained.folder.iterdir()} == {
        "adapter_config.json",
        "adapter_model.safetensors",
        "README.md",
    }
    assert all(str(model.folder).encode() not in path.read_bytes() for path in trained.folder.iterdir())
    assert "base_model: tiny" in (trained.folder / "README.md").read_text()


@pytest.mark.filterwarnings("ignore:`is_gradient_checkpointing` is deprecated:FutureWarning")
@pytest.mark.parametrize("architecture", TRAINED)
def test_peft_and_we_load_the_same_model_merged_or_not(place: Path, tmp_path: Path, architecture: str) -> None:
    from peft import PeftModel

    model = tiny.local_model(tiny.model_folder(place, architecture))
    done = model.train(rows(8), (), replace(RECIPE, epochs=1), tmp_path / "adapter", 0)
    theirs = logits_of(PeftModel.from_pretrained(model.base(), str(done.folder)).eval(), model)
    adapted = model.adapted(done.folder)
    assert isinstance(adapted, LocalModel)
    ours = logits_of(adapted.parts.model, model)
    assert torch.allclose(ours, theirs, atol=1e-4)
    assert not torch.allclose(ours, logits_of(model.base(), model), atol=1e-2)


def test_without_the_adapter_the_base_is_there_unchanged(model: LocalModel, trained: Training) -> None:
    before = logits_of(model.base(), model)
    wrapped = adapters.loaded(model.base(), trained.folder).eval()
    with wrapped.disable_adapter():
        assert torch.equal(logits_of(wrapped, model), before)
    assert not torch.equal(logits_of(wrapped, model), before)
    assert torch.equal(logits_of(model.parts.model, model), before)


def test_an_adapter_makes_another_model(model: LocalModel, trained: Training) -> None:
    assert model.adapted(trained.folder).fingerprint != model.fingerprint
    assert model.adapted(trained.folder).fingerprint == model.adapted(trained.folder).fingerprint


# ---------------------------------------------------------------- what goes wrong


def test_a_loss_that_is_no_number_is_a_divergence(model: LocalModel, tmp_path: Path) -> None:
    with pytest.raises(Diverged, match=r"loss became (nan|inf).* learning rate of 1e\+30") as raised:
        model.train(rows(), (), replace(RECIPE, learning_rate=1e30), tmp_path / "diverged", 0)
    assert [(row.step, row.prompt_tokens > 0) for row in raised.value.usage] == [("training", True)], "it was paid for"
    assert not (tmp_path / "diverged" / "adapter_model.safetensors").exists()


def test_weights_that_no_loss_has_seen_must_be_finite(model: LocalModel) -> None:
    """A gradient of the very last step may break them after the last loss was fine."""
    run = training._Run(adapters.attach(model.base(), RECIPE, 0), RECIPE, 0, 0.0)
    run.restore_best()
    run.masters.copies[-1][0, 0] = math.inf
    with pytest.raises(Diverged, match="not finite"):
        run.restore_best()


def test_an_adapter_that_breaks_the_weights_it_is_merged_into_is_not_scored(model: LocalModel, tmp_path: Path) -> None:
    """One step of an absurd size: finite by itself, not what the model makes of it."""
    recipe = replace(RECIPE, learning_rate=3e37, epochs=1, batch_size=8)
    done = model.train(rows(8), (), recipe, tmp_path / "broken", 0)
    adapted = model.adapted(done.folder)
    assert isinstance(adapted, LocalModel)
    with pytest.raises(DeadAdapter, match="not finite"):
        adapters.prove_effect(model.parts, adapted.parts, [model.chat.encode(rows(1)[0].prompt)])


def test_an_adapter_without_effect_is_found(model: LocalModel, tmp_path: Path) -> None:
    done = model.train(rows(8), (), replace(RECIPE, learning_rate=0.0, epochs=1), tmp_path / "dead", 0)
    adapted = model.adapted(done.folder)
    assert isinstance(adapted, LocalModel)
    with pytest.raises(DeadAdapter, match="no effect"):
        adapters.prove_effect(model.parts, adapted.parts, [model.chat.encode(rows(1)[0].prompt)])


def test_a_live_adapter_shows_by_how_much(model: LocalModel, trained: Training, tmp_path: Path) -> None:
    task = tiny.benchmark().task
    plain = PipelineBuilder(task, tiny.Bench(folder=tmp_path, language=model)).build(Setup(), task.examples)
    assert prove(plain, replace(plain, adapter=trained.folder)) > 1e-2
