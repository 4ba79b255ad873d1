"""The tables say what transformers builds, tensor for tensor."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from conftest import FAMILY_TYPES, build
from safetensors.torch import load_file, save_file

from core.compression.cutting import cut
from core.errors import InputError
from core.families import FAMILIES, family_of
from core.families.heads import resolve_heads
from core.models import LanguageModel, load, read_config, save, tensors_of

BERT = {"model_type": "bert", "num_hidden_layers": 12, "hidden_size": 768, "num_attention_heads": 12,
        "intermediate_size": 3072, "vocab_size": 119547, "max_position_embeddings": 512,
        "type_vocab_size": 2}  # fmt: skip
BASE = family_of(BERT).sizes(BERT)


def batch() -> tuple[torch.Tensor, torch.Tensor]:
    """Three texts of 9, 5 and 1 tokens, padded."""
    mask = (torch.arange(9) < torch.tensor([[9], [5], [1]])).long()
    ids = torch.randint(5, 50, (3, 9), generator=torch.Generator().manual_seed(3))
    return ids, mask


def test_every_model_type_has_exactly_one_table() -> None:
    types = [name for family in FAMILIES for name in family.model_types]
    assert sorted(types) == sorted([*FAMILY_TYPES, "modernbert"])  # whose tests are in test_modernbert


def test_the_table_names_every_tensor_with_its_shape(lm: LanguageModel) -> None:
    table = {name: lm.family.shape(tensor, lm.sizes) for name, tensor in lm.family.all_tensors(lm.sizes)}
    state = lm.model.state_dict()
    by_memory = {tensor.data_ptr(): name for name, tensor in state.items() if name in table}
    assert {name: tuple(state[name].shape) for name in table} == table
    assert len(by_memory) == len(table), "two names of the table share memory"
    assert {tensor.data_ptr() for tensor in lm.model.parameters()} == set(by_memory)


def test_parameters_by_part_are_the_models(lm: LanguageModel) -> None:
    assert sum(lm.parameters.values()) == sum(parameter.numel() for parameter in lm.model.parameters())
    encoder = lm.model.get_submodule(lm.family.encoder)
    in_encoder = sum(parameter.numel() for parameter in encoder.parameters())
    assert sum(lm.parameters.values()) - lm.parameters["head"] == in_encoder
    assert lm.parameters["feed_forward"] == 4 * (2 * 24 * 20 + 20 + 24 + 2 * 24)
    assert lm.parameters["attention"] == 4 * (4 * (24 * 24 + 24) + 2 * 24)


def test_the_sizes_are_those_asked_for(lm: LanguageModel) -> None:
    types = 0 if lm.family.name == "distilbert" else 2
    assert lm.sizes == replace(
        BASE,
        layers=4,
        hidden=24,
        heads=4,
        feed_forward=20,
        vocabulary=50,
        positions=40,
        types=types,
        tied=lm.sizes.tied,
    )
    assert lm.family.sizes(lm.config | lm.family.config_changes(replace(lm.sizes, hidden=12))).hidden == 12


def test_the_paths_lead_from_text_to_the_models_logits(lm: LanguageModel) -> None:
    ids, mask = batch()
    features = lm.head_features(lm.hidden_states(ids, mask))
    weight, bias = lm.decoder
    torch.testing.assert_close(features @ weight.T + bias, lm.model(ids, attention_mask=mask).logits)


def test_the_paths_lead_to_modules_of_the_right_shape(lm: LanguageModel) -> None:
    family = lm.family
    square, wide = (24, 24), (20, 24)
    paths = {family.query: square, family.key: square, family.value: square, family.attention_output: square,
             family.feed_forward_in: wide, family.feed_forward_out: wide[::-1],
             family.feed_forward_norm: (24,)}  # fmt: skip
    for layer in range(4):
        for path, shape in paths.items():
            assert lm.module(path, layer).get_parameter("weight").shape == shape
    assert lm.module(family.embedding).get_parameter("weight").shape == (50, 24)


def test_the_table_ties_what_the_model_ties(lm: LanguageModel) -> None:
    state = lm.model.state_dict()
    for name, shared in lm.family.tied.items():
        assert (state[name].data_ptr() == state[shared].data_ptr()) == lm.sizes.tied


def test_a_cut_of_nothing_is_the_same_model_in_memory_of_its_own(lm: LanguageModel) -> None:
    ids, mask = batch()
    same = cut(lm, lm.sizes, {})
    assert torch.equal(same.model(ids, attention_mask=mask).logits, lm.model(ids, attention_mask=mask).logits)
    assert same.config == lm.config
    before, after = tensors_of(lm), tensors_of(same)
    assert {tensor.data_ptr() for tensor in before.values()}.isdisjoint(tensor.data_ptr() for tensor in after.values())


def test_a_cut_of_the_vocabulary_keeps_the_logits_of_the_kept_tokens(lm: LanguageModel) -> None:
    kept = torch.tensor([0, 1, 2, 3, 4, 7, 11, 30, 49])
    small = cut(lm, replace(lm.sizes, vocabulary=9), {"vocabulary": kept})
    ids = torch.tensor([[0, 5, 6, 7, 8, 2]])
    mask = torch.ones_like(ids)
    expected = lm.model(kept[ids], attention_mask=mask).logits[..., kept]
    torch.testing.assert_close(small.model(ids, attention_mask=mask).logits, expected)


def test_weights_that_the_configuration_leaves_out_are_refused(lm: LanguageModel, tmp_path: Path) -> None:
    save(lm, tmp_path)
    layers = lm.family.config_keys["layers"]
    (tmp_path / "config.json").write_text(json.dumps(read_config(tmp_path) | {layers: 3}))
    with pytest.raises(InputError, match=r"don't fit its config.json: .*layer\.3\."):
        load(tmp_path)


def test_what_the_table_does_not_name_is_no_fault(lm: LanguageModel, tmp_path: Path) -> None:
    save(lm, tmp_path)
    weights = load_file(tmp_path / "model.safetensors")
    extra = {
        f"{lm.family.encoder}.pooler.dense.weight": torch.zeros(24, 24),
        "cls.seq_relationship.bias": torch.zeros(2),
    }
    save_file(weights | extra, tmp_path / "model.safetensors", {"format": "pt"})
    again, has_head = load(tmp_path)
    assert has_head
    assert all(torch.equal(tensor, tensors_of(again)[name]) for name, tensor in tensors_of(lm).items())


@pytest.mark.parametrize("change", [{"pad_token_id": 50}, {"hidden_act": "nothing"}, {"hidden_act": 3}])
def test_a_configuration_that_transformers_refuses_is_told(change: dict[str, object], tmp_path: Path) -> None:
    save(build("bert", tied=True), tmp_path)
    (tmp_path / "config.json").write_text(json.dumps(read_config(tmp_path) | change))
    with pytest.raises(InputError, match=r"can't use the config.json in"):
        load(tmp_path)


def test_an_unknown_architecture_is_refused_with_those_that_work() -> None:
    with pytest.raises(InputError, match=r"'gpt2' is not supported.*xlm-roberta"):
        family_of({"model_type": "gpt2"})
    with pytest.raises(InputError, match="None is not supported"):
        family_of({})


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"vocab_size": None}, "None for vocab_size"),
        ({"hidden_size": "768"}, "'768' for hidden_size"),
        ({"num_attention_heads": 0}, "0 for num_attention_heads"),
        ({"num_hidden_layers": True}, "True for num_hidden_layers"),
        ({"num_attention_heads": 7}, "7 heads, which doesn't divide the hidden size 768"),
    ],
)
def test_a_broken_configuration_is_refused(change: dict[str, object], message: str) -> None:
    with pytest.raises(InputError, match=message):
        family_of(BERT).sizes(BERT | change)


def test_a_configuration_without_a_size_is_refused_by_its_key() -> None:
    config = {key: value for key, value in BERT.items() if key != "intermediate_size"}
    with pytest.raises(InputError, match=r"lacks intermediate_size"):
        family_of(config).sizes(config)


@pytest.mark.parametrize(
    ("hidden", "heads", "method", "expected"),
    [
        (312, None, "truncate", 12),
        (312, None, "per_head", 12),
        (384, None, "svd", 12),
        (384, None, "per_head", 6),
        (320, None, "rotate", 5),
        (384, 12, "per_head", 12),
        (384, 6, "truncate", 6),
        (768, None, "truncate", 12),
        (768, None, "per_head", 12),
        (12, None, "truncate", 12),
    ],
)
def test_heads_follow_the_rule(hidden: int, heads: int | None, method: str, expected: int) -> None:
    assert resolve_heads(BASE, hidden, heads, method) == expected


@pytest.mark.parametrize(
    ("hidden", "heads", "method", "problem", "hint"),
    [
        (320, None, "truncate", "hidden_size is 320, but it must be a multiple of 12", "hidden_size to 312 or 324."),
        (310, None, "per_head", "multiple of 12 .* or of 64", "hidden_size to 300 or 312."),
        (319, None, "per_head", "hidden_size is 319", "hidden_size to 312 or 320."),
        (5, None, "svd", "hidden_size is 5", "hidden_size to 12."),
        (767, 12, "svd", "hidden_size is 767", "hidden_size to 756 or 768."),
        (310, 4, "per_head", "hidden_size is 310, but 4 whole heads make 256", "hidden_size to 256."),
        (384, 8, "per_head", "attention_heads is 8, .* can only be 6 or 12", "attention_heads to 6."),
        (384, 11, "per_head", "attention_heads is 11", "attention_heads to 12."),
        (768, 6, "per_head", "attention_heads is 6, .* can only be 12", "attention_heads to 12."),
        (320, 12, "truncate", "attention_heads is 12, .* can only be 5", "attention_heads to 5."),
        (310, 99, "svd", "attention_heads is 99, but it must be from 1 to 12", "attention_heads to 12."),
        (310, 0, "svd", "attention_heads is 0, but it must be from 1 to 12", "attention_heads to 1."),
    ],
)
def test_impossible_heads_are_refused_with_the_nearest_that_work(
    hidden: int, heads: int | None, method: str, problem: str, hint: str
) -> None:
    with pytest.raises(InputError, match=problem) as error:
        resolve_heads(BASE, hidden, heads, method)
    assert error.value.faults[0].hint.endswith(hint)
