"""The engine against transformers itself: the same tokens, the same likelihoods, whatever shares a batch."""

from __future__ import annotations

import json
import logging
import re
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest
import torch
from transformers import AutoModelForCausalLM, GPTNeoConfig, MptConfig, Phi3Config, RwkvConfig

from strategies.contract import Ends, Message, Prompt, Query, Sampling
from strategies.finetuning.packs import packs_agree
from strategies.models import engine, plain, trees
from strategies.models import parts as parts_module
from strategies.models.agreement import AGREES, unfit
from strategies.models.attention import Attention
from strategies.models.batching import DecodingOptions, Held, common_prefix, plan_batches
from strategies.models.beginnings import widen
from strategies.models.blockwise import WAYS, is_blockwise
from strategies.models.chat import Chat, stated_ends
from strategies.models.local import LocalModel
from strategies.models.parts import Parts
from strategies.models.trees import LabelTree, Rounds, score_rounds
from strategies.pipeline import Pipeline, Setup
from strategies.sources import Sources
from strategies.standalone import speaking
from strategies.standalone.held import ENDING
from tests import tiny

LABELS = ("refund", "refund of the deposit", "cancel", "cancel my order", "order", "x")
"""Two of them are the beginning of another one."""


@pytest.fixture(scope="module", params=list(tiny.ARCHITECTURES))
def model(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> LocalModel:
    return tiny.local_model(tiny.model_folder(tmp_path_factory.mktemp("models"), request.param))


@pytest.fixture(scope="module")
def llama(tmp_path_factory: pytest.TempPathFactory) -> LocalModel:
    return tiny.local_model(tiny.model_folder(tmp_path_factory.mktemp("llama")))


def ragged(count: int = 7) -> list[Prompt]:
    """Prompts that begin alike and differ in length, the longest far beyond a window of 8 tokens."""
    start = Message("system", "Sort the message of a customer.")
    texts = [f"{'The parcel is late. ' * (place % 4)}Message number {place}" for place in range(count)]
    return [(start, Message("user", text)) for text in texts]


def unlike() -> list[Prompt]:
    """Prompts that share nothing but the template's first tokens."""
    return [(Message("user", text),) for text in ("hi", "Where is my order? It has not arrived yet.", "Zebra 12 % ü")]


def reference(model: LocalModel, ids: Sequence[int], most: int) -> list[int]:
    """What transformers generates for one prompt alone with its own attention, without padding, up to the stop token."""
    stop = sorted(model.chat.stop_ids)
    with torch.inference_mode():
        own: Any = AutoModelForCausalLM.from_pretrained(model.folder)
        out = own.generate(
            input_ids=torch.tensor([list(ids)]),
            attention_mask=torch.ones((1, len(ids)), dtype=torch.long),
            max_new_tokens=most,
            do_sample=False,
            eos_token_id=stop,
            pad_token_id=stop[0],
        )
    answer: list[int] = out[0, len(ids) :].tolist()
    return [token for token in answer if token not in stop]


def asked(model: LocalModel, prompts: Sequence[Prompt], most: int, tokens: int = 4096) -> dict[int, list[int]]:
    ids = [model.chat.encode(prompt) for prompt in prompts]
    decoding = DecodingOptions(model.chat.stop_ids, most)
    return {row: written.ids for row, written, _ in engine.generate(model.parts, ids, decoding, tokens)}


def scored(
    model: LocalModel, prompts: Sequence[Prompt], labels: Sequence[str] = LABELS
) -> dict[int, tuple[float, ...]]:
    found = model.score_labels(prompts, [list(labels)] * len(prompts))
    return {row: scores.log_likelihoods for row, scores in found}


# ---------------------------------------------------------------- free answers


@pytest.mark.parametrize("prompts", [ragged(), unlike(), ragged(1)], ids=["shared beginning", "nothing shared", "one"])
def test_greedy_answers_are_those_of_transformers_token_for_token(model: LocalModel, prompts: list[Prompt]) -> None:
    found = asked(model, prompts, 20)
    assert set(found) == set(range(len(prompts)))
    for row, prompt in enumerate(prompts):
        assert found[row] == reference(model, model.chat.encode(prompt), 20)


def test_a_model_with_its_own_attention_gives_the_same_answers(llama: LocalModel) -> None:
    """The way that graphics cards take: in batches that rows leave."""
    model, prompts = replace(llama, attention="own"), ragged()
    assert not is_blockwise(model.parts.model)
    assert asked(model, prompts, 20) == asked(llama, prompts, 20)
    assert scored(model, prompts)[0] == pytest.approx(scored(llama, prompts)[0], abs=1e-4)


def test_a_shared_beginning_is_read_once_and_told(llama: LocalModel) -> None:
    prompts = ragged()
    shared = common_prefix([llama.chat.encode(prompt) for prompt in prompts])
    assert shared > 10
    completions = dict(llama.generate(prompts, 5, Sampling()))
    cached = [completion.usage.cached_tokens for completion in completions.values()]
    assert sorted(cached) == [0, *[shared] * (len(prompts) - 1)]  # Whoever reads it pays for it.
    assert completions[0].usage.prompt_tokens == llama.count(prompts[0])


def test_whoever_asks_one_after_the_other_pays_for_the_instruction_once(llama: LocalModel) -> None:
    """The second prompt alone reads what it shares with the first apart, the third finds it; answers stay the same."""
    model = replace(llama)
    prompts = [(Message("system", "rules " * 40), Message("user", text)) for text in ("one", "two", "three words here")]
    alone = [asked(replace(llama), [prompt], 8)[0] for prompt in prompts]
    told = []
    for prompt, answer in zip(prompts, alone, strict=True):
        assert asked(model, [prompt], 8)[0] == answer
        told.append(dict(model.generate([prompt], 8, Sampling()))[0].usage.cached_tokens)
    shared = common_prefix([model.chat.encode(prompt) for prompt in prompts])
    assert shared > 32
    assert told[1] == told[2] == shared
    labels = [scored(replace(llama), [prompt])[0] for prompt in prompts]
    for prompt, scores in zip(prompts, labels, strict=True):
        assert scored(model, [prompt])[0] == pytest.approx(scores, abs=1e-4)


@pytest.mark.parametrize("tokens", [1, 120, 100_000])
def test_batch_neighbours_change_no_answer(model: LocalModel, tokens: int) -> None:
    prompts = ragged()
    together = asked(model, prompts, 12, tokens)
    assert together == {row: asked(model, [prompt], 12)[0] for row, prompt in enumerate(prompts)}


def test_rows_that_finish_early_leave_the_others_alone(llama: LocalModel) -> None:
    """Every token that the first answer begins with becomes a stop token, so rows leave at different times."""
    prompts = ragged()
    long = asked(llama, prompts, 16)
    stop = frozenset({long[0][3], *llama.chat.stop_ids})
    ids = [llama.chat.encode(prompt) for prompt in prompts]
    found = {row: written.ids for row, written, _ in engine.generate(llama.parts, ids, DecodingOptions(stop, 16), 4096)}
    for row, answer in long.items():
        end = next((place for place, token in enumerate(answer) if token in stop), len(answer))
        assert found[row] == answer[:end]
    assert len({len(answer) for answer in found.values()}) > 1


@pytest.mark.parametrize("attention", WAYS)
def test_what_is_written_says_how_likely_each_token_was(attention: str, llama: LocalModel) -> None:
    """Against one whole forward pass over prompt and answer; the end counts where it came, in both ways of writing."""
    model, prompts = replace(llama, attention=attention), ragged()
    ids = [model.chat.encode(prompt) for prompt in prompts]
    long = asked(llama, prompts, 16)
    stop = long[0][3]
    found = {
        row: written
        for row, written, _ in engine.generate(model.parts, ids, DecodingOptions(frozenset({stop}), 16), 4096)
    }
    for row, written in found.items():
        ended = len(written.ids) < 16
        path = [*written.ids, stop] if ended else written.ids
        assert len(written.odds) == len(path)
        assert sum(written.odds) == pytest.approx(plain.score_labels(llama.parts.model, ids[row], [path])[0], abs=1e-3)
    assert {len(written.odds) > len(written.ids) for written in found.values()} == {True, False}


def test_a_model_that_does_not_fit_says_it_too_and_is_held_to_a_form(tmp_path: Path) -> None:
    """It wrote freely under a schema, and nobody knew how sure it was."""
    model, prompts = tiny.local_model(tiny.model_folder(tmp_path, "lfm")), ragged(3)
    assert model.parts.unfit
    ids = [model.chat.encode(prompt) for prompt in prompts]
    decoding = DecodingOptions(frozenset({asked(model, prompts[:1], 16)[0][3]}), 16, temperature=0.5)
    for row, written, _ in engine.generate(model.parts, ids, decoding, 1):
        path = [*written.ids, *decoding.stop_ids] if len(written.ids) < 16 else written.ids
        assert len(written.odds) == len(path)
        assert sum(written.odds) == pytest.approx(plain.score_labels(model.parts.model, ids[row], [path])[0], abs=1e-3)
    schema = json.dumps({"type": "string", "pattern": "^(refunded|cancelled) [0-9]$"})
    for _, done in model.generate(prompts, 40, Sampling(schema=schema)):
        assert re.fullmatch("(refunded|cancelled) [0-9]", done.text)
        assert done.finished
        assert 1 <= len([odds for odds in done.odds if odds < -1e-3]) < len(done.odds)
    ((_, cut),) = model.generate(prompts[:1], 2, Sampling(schema=schema))
    assert (cut.finished, len(cut.odds)) == (False, ENDING * 2)


def test_drawn_tokens_have_the_odds_of_temperature_one(llama: LocalModel) -> None:
    prompts = ragged(3)
    ids = [llama.chat.encode(prompt) for prompt in prompts]
    decoding = DecodingOptions(frozenset(), 6, temperature=1.7, seed=2)
    for row, written, _ in engine.generate(llama.parts, ids, decoding, 4096):
        likely = plain.score_labels(llama.parts.model, ids[row], [written.ids])[0]
        assert sum(written.odds) == pytest.approx(likely, abs=1e-3)


@pytest.mark.parametrize("attention", WAYS)
def test_what_a_form_forces_is_certain(attention: str, llama: LocalModel) -> None:
    model = replace(llama, attention=attention)
    schema = '{"type": "object", "properties": {"kind": {"enum": ["a", "b"]}}, "required": ["kind"]}'
    ((_, done),) = model.generate(ragged(1), 40, Sampling(schema=schema))
    assert done.text.startswith("{")
    assert max(done.odds) <= 1e-6
    unsure = [odds for odds in done.odds if odds < -1e-3]
    assert 1 <= len(unsure) < len(done.odds), "only which of the two it is was open, and where spaces stand"
    path = model.chat.encode_label(done.text)
    (free,) = plain.score_labels(model.parts.model, model.chat.encode(ragged(1)[0]), [path])
    assert sum(done.odds) > free


def test_a_model_without_a_template_counts_the_paragraph_that_it_gives(llama: LocalModel) -> None:
    ids = llama.chat.encode_label("one two\n\nthree four")
    size = llama.chat.first_paragraph(ids)
    assert "\n\n" in llama.chat.tokenizer.decode(ids[:size])
    assert "\n\n" not in llama.chat.tokenizer.decode(ids[: size - 1])
    assert llama.chat.first_paragraph(llama.chat.encode_label("one two")) == len(llama.chat.encode_label("one two"))


def test_an_answer_at_the_limit_is_not_finished(llama: LocalModel) -> None:
    ((_, cut),) = llama.generate(ragged(1), 1, Sampling())
    assert not cut.finished
    assert cut.usage.answer_tokens >= 1


def ending(folder: Path, architecture: str, place: int) -> tuple[LocalModel, Prompt, str]:
    """A model whose generation config says that an answer ends with the token at that place of its answer to the prompt, which is
    a control token that neither its template nor its tokenizer calls an end; and what stands before that."""
    prompt = (Message("user", "Where is my order?"),)
    made = tiny.local_model(tiny.model_folder(folder, architecture))
    written = reference(made, made.chat.encode(prompt), 20)
    stop = written[place]
    assert stop not in written[:place]
    made.chat.tokenizer.add_special_tokens({"extra_special_tokens": [made.chat.tokenizer.convert_ids_to_tokens(stop)]})
    made.chat.tokenizer.save_pretrained(made.folder)
    names(made.folder, {"eos_token_id": [2, stop, 10**9, -1, "x", None, True]})
    return tiny.local_model(made.folder), prompt, made.chat.decode(written[:place])


def names(folder: Path, what: dict[str, Any]) -> None:
    file = folder / "generation_config.json"
    file.write_text(json.dumps(json.loads(file.read_text(encoding="utf-8")) | what), encoding="utf-8")


@pytest.mark.parametrize("architecture", ["llama", "lfm"])
def test_an_answer_ends_where_the_models_own_files_say(architecture: str, tmp_path: Path) -> None:
    """GLM-4 ends its turn with the beginning of the next one, of which its template and its tokenizer say nothing: it wrote on to
    the limit, questions and answers of its own."""
    model, prompt, said = ending(tmp_path, architecture, 3)
    ((_, found),) = model.generate([prompt], 20, Sampling())
    assert (found.text, found.finished, found.usage.answer_tokens) == (said, True, 4)
    assert model.chat.encode_answer("yes")[-1] == 2, "what is learnt ends as before"
    held = Sampling(schema='{"type": "object", "properties": {"a": {"type": "boolean"}}, "required": ["a"]}')
    ((_, whole),) = model.generate([prompt], 20, held)
    assert json.loads(whole.text)["a"] in (True, False)


@pytest.mark.parametrize(
    ("generation", "config", "ends"),
    [
        ({"eos_token_id": 1}, {"eos_token_id": 0}, {1, 2}),
        ({"eos_token_id": None}, {"eos_token_id": [0, 1]}, {0, 1, 2}),
        ({}, {"eos_token_id": 0}, {0, 2}),
        (None, {"eos_token_id": 0}, {0, 2}),
        ({"eos_token_id": {"a": 1}}, {}, {2}),
        ({"eos_token_id": [40, 299, 300, 10**12, -5]}, {}, {2}),
        ([], {"eos_token_id": "1"}, {2}),
    ],
)
def test_ends_that_are_no_control_tokens_of_the_model_are_none(
    generation: object, config: dict[str, Any], ends: set[int], tmp_path: Path
) -> None:
    """An ordinary token may stand in an answer that is to be learnt."""
    (tmp_path / "config.json").write_text(json.dumps(config), encoding="utf-8")
    if generation is not None:
        (tmp_path / "generation_config.json").write_text(json.dumps(generation), encoding="utf-8")
    assert Chat(tiny.tokenizer(), stated_ends(tmp_path)).stop_ids == ends


def test_sampling_follows_its_seed(model: LocalModel) -> None:
    def drawn(seed: int) -> list[str]:
        found = dict(model.generate(ragged(4), 12, Sampling(temperature=1.0, seed=seed)))
        return [found[row].text for row in range(4)]

    assert drawn(1) == drawn(1)
    assert drawn(1) != drawn(2)


def test_sampled_tokens_have_the_models_own_odds(llama: LocalModel) -> None:
    """The first token of 3,000 draws against the softmax of the model's logits at that temperature."""
    ids = llama.chat.encode(ragged(1)[0])
    with torch.inference_mode():
        odds = (llama.parts.model(torch.tensor([ids])).logits[0, -1] / 1.5).softmax(-1)
    decoding = DecodingOptions(frozenset({int(odds.argmin())}), 1, temperature=1.5, seed=3)
    drawn = [done.ids[0] for _, done, _ in engine.generate(llama.parts, [ids] * 3000, decoding, 200_000) if done.ids]
    top = int(odds.argmax())
    share = drawn.count(top) / 3000
    assert abs(share - float(odds[top])) < 4 * (float(odds[top]) * (1 - float(odds[top])) / 3000) ** 0.5


# ---------------------------------------------------------------- labels


@pytest.mark.parametrize("prompts", [ragged(), unlike(), ragged(1)], ids=["shared beginning", "nothing shared", "one"])
def test_the_tree_gives_each_label_what_a_forward_pass_of_its_own_gives(
    model: LocalModel, prompts: list[Prompt]
) -> None:
    found = scored(model, prompts)
    begins_another = {"refund", "cancel"}
    for row, prompt in enumerate(prompts):
        for label, score in zip(LABELS, found[row], strict=True):
            ids = model.chat.encode_label(label) + ([model.chat.end_id] if label in begins_another else [])
            with torch.inference_mode():
                direct = plain.answer_likelihood(model.parts.model, model.chat.encode(prompt), ids)
            assert score == pytest.approx(direct, abs=1e-4)


@pytest.mark.parametrize("batch_tokens", [1, 300])
def test_batch_neighbours_change_no_score(model: LocalModel, batch_tokens: int) -> None:
    prompts = ragged()
    small = tiny.local_model(model.folder, batch_tokens)
    together, apart = scored(model, prompts), scored(small, prompts)
    for row in together:
        assert together[row] == pytest.approx(apart[row], abs=1e-4)


def test_labels_of_one_token_need_no_further_reading(llama: LocalModel) -> None:
    assert LabelTree.build([[5], [6]], end_id=2).tokens == ()
    found = scored(llama, ragged(2), ("x", "y"))
    with torch.inference_mode():
        direct = plain.answer_likelihood(
            llama.parts.model, llama.chat.encode(ragged(2)[1]), llama.chat.encode_label("y")
        )
    assert found[1][1] == pytest.approx(direct, abs=1e-4)


def test_probabilities_over_a_tree_that_covers_everything_sum_to_one(llama: LocalModel) -> None:
    """All tokens of the vocabulary as labels: their likelihoods are a whole distribution."""
    ids = [llama.chat.encode(ragged(1)[0])]
    tree = LabelTree.build([[token] for token in range(300)], end_id=2)
    ((_, scores, _, _),) = score_rounds(llama.parts, ids, Rounds([tree]), 4096)
    assert float(torch.tensor(scores).exp().sum()) == pytest.approx(1.0, abs=1e-4)


def test_the_end_of_an_answer_counts_always_never_or_where_it_tells_labels_apart(llama: LocalModel) -> None:
    labels, prompts = ["re", "refund", "order"], ragged(2)
    end = [llama.chat.end_id]
    for ends, ended in {"never": (0, 0, 0), "where needed": (1, 0, 0), "always": (1, 1, 1)}.items():
        found = dict(llama.score_labels(prompts, [labels] * 2, "answering", cast(Ends, ends)))
        for row, prompt in enumerate(prompts):
            ids = llama.chat.encode(prompt)
            paths = [llama.chat.encode_label(name) + end * extra for name, extra in zip(labels, ended, strict=True)]
            assert found[row].log_likelihoods == pytest.approx(
                plain.score_labels(llama.parts.model, ids, paths), abs=1e-4
            )


@pytest.mark.parametrize("architecture", ["llama", "gemma", "neox", "mistral"])
def test_what_is_scored_second_is_as_if_it_were_scored_alone(architecture: str, tmp_path: Path) -> None:
    """Behind the same prompts, whatever was read in between; one prompt has nothing to read the second time."""
    model, prompts = tiny.local_model(tiny.model_folder(tmp_path, architecture)), ragged(4)
    beginnings = [["re", "order"], ["can", "cancel it now", "x"], ["a"], ["refund of my order", "or"]]
    middle = [["ref"], ["ord", "cancel"], ["a", "b"], ["x"]]
    answers = [["refund", "order it"], ["cancel my order", "cancel", "y"], [], ["or", "refund"]]
    asked: dict[int, Sequence[float]] = {}

    def narrow(row: int, scores: Sequence[float]) -> list[str]:
        asked[row] = scores
        return answers[row] or ["b"]

    found = dict(model.score_narrowed(prompts, beginnings, [lambda row, _: middle[row], narrow]))
    first = dict(model.score_labels(prompts, middle, "answering", "never"))
    second = dict(model.score_labels(prompts, [row or ["b"] for row in answers], "answering", "always"))
    assert set(found) == set(asked) == {0, 1, 2, 3}
    for row, scores in asked.items():
        assert scores == pytest.approx(first[row].log_likelihoods, abs=1e-4)
        assert found[row].log_likelihoods == pytest.approx(second[row].log_likelihoods, abs=1e-4)
        assert found[row].usage.prompt_tokens == first[row].usage.prompt_tokens


def test_trees_of_different_size_share_a_batch(llama: LocalModel) -> None:
    prompts = ragged(3)
    sets = [["a"], ["cancel my order", "cancel it", "refund"], ["order", "orders"]]
    found = dict(llama.score_labels(prompts, sets))
    for row, (prompt, names) in enumerate(zip(prompts, sets, strict=True)):
        ((_, alone),) = llama.score_labels([prompt], [names])
        assert found[row].log_likelihoods == pytest.approx(alone.log_likelihoods, abs=1e-4)


def test_each_prompt_may_have_its_own_labels(llama: LocalModel) -> None:
    prompts = ragged(3)
    sets = [["refund", "order"], ["cancel", "x", "y"], ["refund", "order"]]
    found = {row: scores.log_likelihoods for row, scores in llama.score_labels(prompts, sets)}
    assert [len(found[row]) for row in range(3)] == [2, 3, 2]
    assert found[2] == pytest.approx(scored(llama, prompts[2:], ("refund", "order"))[0], abs=1e-4)


# ---------------------------------------------------------------- models that do not fit


def test_only_what_the_engine_does_not_know_is_asked_the_slow_way(
    model: LocalModel, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.WARNING):
        reason = unfit(model.parts.model)
    if "conv" in Attention.of(model.parts.model.config).kinds:
        assert "conv" in reason
        assert "slow way" in caplog.text
    else:
        assert reason == ""
        assert caplog.text == ""


def made(config: Any) -> Any:
    """A random model of that configuration whose logits are large, with its own attention."""
    torch.manual_seed(0)
    causal: Any = AutoModelForCausalLM
    return causal.from_config(config).eval()


def worst(module: Any) -> float:
    """Largest difference of a label's likelihood to one that a forward pass of its own gives it, over the prompts of a batch."""
    dice = torch.Generator().manual_seed(1)
    prompts, labels = (
        [torch.randint(3, 300, (size,), generator=dice).tolist() for size in sizes]
        for sizes in ((31, 4, 17), (2, 3, 1))
    )
    tree = LabelTree.build(labels, end_id=2)
    found = score_rounds(Parts(module, unfit(module)), prompts, Rounds([tree] * len(prompts)), 4096)
    apart = {row: plain.score_labels(module, prompts[row], tree.paths) for row in range(len(prompts))}
    return max(abs(ours - own) for row, scores, *_ in found for ours, own in zip(scores, apart[row], strict=True))


def test_local_layers_that_a_configuration_names_otherwise_are_no_full_attention() -> None:
    """Those of GPT-Neo see a window: beyond it every label had another likelihood, and a pack another loss."""
    for kinds, known in (["global", "local"], False), (["global"], True):
        layers = [[kinds, 2 // len(kinds)]]
        module = made(GPTNeoConfig(attention_types=layers, window_size=8, **tiny._sizes()))
        assert Parts(module).attention.known is packs_agree(Parts(module)) is known
        assert ("local" in unfit(module)) is not known
        assert worst(module) < 1e-3


def test_prompts_stay_where_longrope_has_one_set_of_factors(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """One longer prompt changed the scores of all that stood beside it in a batch. It is said once, and holds in an export."""
    factors = {"short_factor": [1.0, 1.1, 1.2, 1.3], "long_factor": [2.0, 8.0, 16.0, 32.0]}
    turned = {"rope_type": "longrope", "rope_theta": 10000.0, "original_max_position_embeddings": 256, **factors}
    sizes = {"num_key_value_heads": 2, "original_max_position_embeddings": 256, **tiny._sizes()}
    monkeypatch.setitem(cast(Any, tiny.ARCHITECTURES), "phi", lambda: Phi3Config(rope_parameters=turned, **sizes))
    model = tiny.local_model(tiny.model_folder(tmp_path, "phi"))
    sources = Sources((), tiny.WordHashes())
    pipeline = Pipeline(task=tiny.benchmark().task, model=model, setup=Setup(), sources=sources, max_tokens=10)
    queries = [Query.of(text) for text in ("late", "late " * 200)]
    prompts = [request.prompt for request in pipeline.requests(queries)]
    assert scored(model, prompts)[0] == pytest.approx(scored(model, prompts[:1])[0], abs=1e-4)
    assert model.context_tokens == replace(model).context_tokens == 256
    assert caplog.text.count("at most 256 tokens, not 2048") == 1
    assert speaking.Speaker(tmp_path, {"words": [], "max_tokens": 10}, str(model.folder)).room == 246


def test_a_model_that_counts_slots_for_positions_is_noticed() -> None:
    """MPT does: behind padding, and for answers beside each other, its scores were others; without either they are not."""
    module = made(MptConfig(n_layers=2, d_model=32, n_heads=4, vocab_size=300, max_seq_len=512, initializer_range=0.2))
    assert "changes its logits" in unfit(module)
    assert worst(module) < 1e-3


def test_models_that_read_padding_as_text_are_given_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """RWKV takes a mask and passes over nothing: its answers hung on their neighbours, and an export, which had no states to
    go on from, ended with a fault."""
    rwkv = RwkvConfig(attention_hidden_size=32, context_length=512, tie_word_embeddings=False, **tiny._sizes())
    monkeypatch.setitem(cast(Any, tiny.ARCHITECTURES), "rwkv", lambda: rwkv)
    model, prompts = tiny.local_model(tiny.model_folder(tmp_path, "rwkv")), ragged(4)
    assert asked(model, prompts, 6) == {row: reference(model, model.chat.encode(prompts[row]), 6) for row in range(4)}
    lfm = made(tiny.ARCHITECTURES["lfm"]())
    assert list(plain._batches(lfm, [3, 4, 5], 6, 4096)) == plan_batches([3, 4, 5], 6, 4096)
    speaker = speaking.Speaker(tmp_path, {"words": [], "max_tokens": 6, "schema": ""}, str(model.folder))
    prompt = speaking.Read(model.chat.encode(prompts[1]))
    ((_, done),) = model.generate(prompts[1:2], 6, Sampling())
    assert speaker.written(prompt, "")[0] == done.text
    paths = [model.chat.encode_label(label) for label in LABELS]
    assert speaker.scores(prompt, paths) == pytest.approx(
        plain.score_labels(model.parts.model, prompt, paths), abs=1e-3
    )


def test_a_head_of_another_kind_is_noticed(llama: LocalModel) -> None:
    """A model that shifts its logits after the head, in a way that no configuration tells."""

    class Shifted(torch.nn.Module):
        def __init__(self, inner: Any) -> None:
            super().__init__()
            self.inner, self.config, self.dtype, self.device = inner, inner.config, inner.dtype, inner.device

        def get_decoder(self) -> Any:
            return self.inner.get_decoder()

        def get_output_embeddings(self) -> Any:
            return self.inner.get_output_embeddings()

        def forward(self, **given: Any) -> Any:
            out = self.inner(**given)
            out.logits = out.logits * 0.5
            return out

    assert "changes its logits" in unfit(Shifted(llama.parts.model))


def test_rounding_is_not_taken_for_another_model(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """A tuned model of large logits rounds so coarsely in bfloat16 that the trial there says nothing of its build."""
    monkeypatch.setitem(AGREES, "bfloat16", -1.0)
    rounded = replace(tiny.local_model(tiny.model_folder(tmp_path)), placement=replace(tiny.FLOAT32, dtype="bfloat16"))
    with caplog.at_level(logging.WARNING):
        assert rounded.parts.unfit == ""
    assert caplog.text == ""
    assert "changes its logits" in unfit(rounded.parts.model)


@pytest.fixture
def one_window() -> Attention:
    return Attention(frozenset({"sliding_attention"}), 3)


def test_a_window_counts_positions_and_not_slots(one_window: Attention) -> None:
    """Slots 2 and 3 are padding between a shared beginning and the rest of the text."""
    places = torch.tensor([[0, 1, 0, 0, 2, 3]])
    sees = torch.tensor([[[True, True, False, False, True, True]]])
    mask = one_window.mask(sees, places[:, -1:], places, torch.float32)
    assert (mask[0, 0, 0] == 0).tolist() == [False, True, False, False, True, True]


# ---------------------------------------------------------------- batches


def test_batches_hold_every_request_once_and_stay_within_their_tokens() -> None:
    lengths = [5, 90, 17, 17, 3, 200, 41]
    batches = plan_batches(lengths, 10, 120)
    assert sorted(row for batch in batches for row in batch) == list(range(len(lengths)))
    for batch in batches:
        padded = len(batch) * (max(lengths[row] for row in batch) + 10)
        assert padded <= 120 or len(batch) == 1


def test_a_beginning_that_is_copied_for_every_row_takes_its_room() -> None:
    lengths = [5, 5, 5, 5, 5, 5]
    assert list(map(len, plan_batches(lengths, 5, 60))) == [6]
    assert list(map(len, plan_batches(lengths, 5, 60, Held(positions=1_000, copied=40)))) == [6]
    assert list(map(len, plan_batches(lengths, 5, 60, Held(positions=200, copied=40)))) == [4, 2]
    assert list(map(len, plan_batches(lengths, 5, 60, Held(positions=20, copied=40)))) == [1] * 6


def test_a_card_may_hold_states_in_a_quarter_of_it(llama: LocalModel, monkeypatch: pytest.MonkeyPatch) -> None:
    parts = llama.parts
    assert parts.positions == parts_module.STATES // parts.bytes_a_token
    monkeypatch.setattr(parts_module.Parts, "device", torch.device("cuda", 0))
    for memory, bytes_held in ((80_000_000_000, 20_000_000_000), (4_000_000_000, parts_module.STATES)):
        card = SimpleNamespace(total_memory=memory)
        monkeypatch.setattr(torch.cuda, "get_device_properties", lambda device, card=card: card)
        assert parts.positions == bytes_held // parts.bytes_a_token


@pytest.mark.parametrize("attention", WAYS)
def test_behind_a_long_beginning_fewer_rows_stand_side_by_side_and_answer_alike(
    llama: LocalModel, attention: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    prompts = [(Message("system", "rules " * 60), Message("user", f"what is {number}?")) for number in range(9)]
    found: list[tuple[dict[int, list[int]], dict[int, tuple[float, ...]]]] = []
    seen: list[int] = []

    def watched(parts: Any, cache: Any, rows: int) -> Any:
        seen.append(rows)
        return widen(parts, cache, rows)

    monkeypatch.setattr(engine, "widen", watched)
    monkeypatch.setattr(trees, "widen", watched)
    for room in (1_000, 300):
        model = replace(llama, attention=attention)
        monkeypatch.setattr(parts_module, "STATES", room * model.parts.bytes_a_token)
        found.append((asked(model, prompts, 6), scored(model, prompts)))
    wide, narrow = found
    assert max(seen) > min(seen)
    assert wide[0] == narrow[0]
    for row, scores in wide[1].items():
        assert narrow[1][row] == pytest.approx(scores, abs=1e-4)


def test_a_common_beginning_leaves_a_token_of_each() -> None:
    assert common_prefix([[1, 2, 3], [1, 2]]) == 1
    assert common_prefix([[1, 2, 3], [1, 2, 3]]) == 2
    assert common_prefix([[1], [2]]) == 0
    assert common_prefix([[1, 2, 3]]) == 0
