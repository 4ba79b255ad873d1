"""ModernBERT: a table with switches, whose vocabulary alone is cut."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file
from torch.nn.functional import layer_norm, linear
from transformers import AutoConfig, AutoModelForMaskedLM

from core.analysis.size import estimate, target_faults
from core.compression.cutting import cut
from core.compression.layers import cut_layers
from core.distillation.head import fresh_head
from core.distillation.losses import Distance
from core.distillation.places import Output
from core.errors import InputError
from core.families import family_of
from core.families.heads import allowed_hidden_sizes
from core.families.modernbert import FAMILY
from core.models import LanguageModel, load, read_config, rebuild, save, tensors_of
from core.preflight import recipe_faults
from core.run import RunFolder
from core.session import execute
from core.tasks.adapters import Adapter, with_adapters
from resources import sample
from tests import tiny_tasks

PLAIN = dict.fromkeys(FAMILY.switches, False)
SWITCHES: dict[str, dict[str, bool]] = {
    "plain": PLAIN,
    "default": dict(FAMILY.switches),
    "full": dict.fromkeys(FAMILY.switches, True),
    **{key: PLAIN | {key: True} for key in FAMILY.switches},
}
SIZES = {"num_hidden_layers": 3, "hidden_size": 16, "num_attention_heads": 2, "intermediate_size": 10,
         "vocab_size": 27, "max_position_embeddings": 40}  # fmt: skip
IDS = {"pad_token_id": 0, "cls_token_id": 2, "bos_token_id": 2, "sep_token_id": 3, "eos_token_id": 3}
OLD = {"global_attn_every_n_layers": 2, "global_rope_theta": 5000.0, "local_rope_theta": 700.0}
"""How configurations say which layers look far, and how far, that were written before transformers 5."""


def build(settings: Mapping[str, Any], *, tied: bool = True) -> LanguageModel:
    """A random model with tiny_tasks' tokenizer; beyond two tokens to each side, only its global layers look."""
    config = AutoConfig.for_model(
        "modernbert", **{**SIZES, **IDS, "local_attention": 4, **settings}, tie_word_embeddings=tied
    )
    torch.manual_seed(7)
    model = AutoModelForMaskedLM.from_config(config)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(torch.randn_like(parameter), alpha=0.2)
    return LanguageModel(model.eval(), tiny_tasks.tokenizer())


@pytest.fixture(
    scope="module",
    params=[(name, tied) for name in SWITCHES for tied in (True, False)],
    ids=lambda param: f"{param[0]}-{'tied' if param[1] else 'untied'}",
)
def lm(request: pytest.FixtureRequest) -> LanguageModel:
    """Shared by all tests: none of them may change it."""
    return build(SWITCHES[request.param[0]], tied=request.param[1])


def batch() -> tuple[torch.Tensor, torch.Tensor]:
    """Texts of 17 and 6 tokens, padded."""
    mask = (torch.arange(17) < torch.tensor([[17], [6]])).long()
    return torch.randint(5, 27, (2, 17), generator=torch.Generator().manual_seed(3)) * mask, mask


# The table


def test_the_table_names_every_tensor_with_its_shape(lm: LanguageModel) -> None:
    table = {name: lm.family.shape(tensor, lm.sizes) for name, tensor in lm.family.all_tensors(lm.sizes)}
    assert table == {
        lm.family.tied.get(name, name) if lm.sizes.tied else name: tuple(parameter.shape)
        for name, parameter in lm.model.named_parameters()
    }


def test_parameters_by_part_are_exact(lm: LanguageModel) -> None:
    on = {key: key in lm.sizes.switches for key in FAMILY.switches}
    assert on == {key: getattr(lm.model.config, key) for key in FAMILY.switches}
    norm = 16 * (1 + on["norm_bias"])
    attention = 4 * 16 * 16 + 4 * 16 * on["attention_bias"]
    feed_forward = 3 * 16 * 10 + (2 * 10 + 16) * on["mlp_bias"]
    head = 16 * 16 + 16 * on["classifier_bias"] + norm + 27 * on["decoder_bias"]
    assert lm.parameters == {
        "embeddings": 27 * 16 + norm,
        "attention": 3 * attention + 2 * norm,
        "feed_forward": 3 * (feed_forward + norm) + norm,
        "head": head + (0 if lm.sizes.tied else 27 * 16),
    }
    assert sum(lm.parameters.values()) == lm.model.num_parameters()


@pytest.mark.parametrize("tied", [True, False])
def test_a_configuration_alone_gives_the_size_of_the_built_model(tied: bool) -> None:
    settings = {"num_hidden_layers": 22, "hidden_size": 384, "num_attention_heads": 6, "intermediate_size": 1152,
                "vocab_size": 256_000, "max_position_embeddings": 8192, "tie_word_embeddings": tied}  # fmt: skip
    with torch.device("meta"):
        model = AutoModelForMaskedLM.from_config(AutoConfig.for_model("modernbert", **settings))
    found = estimate(
        {"model_type": "modernbert", **settings}, vocabulary=8000, hidden_reduction="per_head", vocabulary_order="last"
    )
    assert found.teacher.parameters == model.num_parameters()
    fewer = (256_000 - 8000) * (384 * (1 if tied else 2) + 1)
    assert found.student.parameters == found.teacher.parameters - fewer
    assert [stage.name for stage in found.stages] == ["vocabulary", "evaluate"]


def test_positions_are_known_and_have_no_parameters() -> None:
    lm, longer = build({}), build({"max_position_embeddings": 8192})
    assert (lm.max_length, longer.max_length) == (40, 8192)
    assert lm.parameters == longer.parameters


@pytest.mark.parametrize("value", [None, "no", 1])
def test_a_switch_is_true_or_false(value: object) -> None:
    with pytest.raises(InputError, match=r"config.json says .* for norm_bias, which must be true or false"):
        FAMILY.sizes({"model_type": "modernbert", **SIZES, "norm_bias": value})


# The model


def test_the_paths_lead_from_text_to_the_models_logits(lm: LanguageModel) -> None:
    ids, mask = batch()
    with torch.no_grad():
        output = lm.model(ids, attention_mask=mask, output_hidden_states=True)
        hidden = lm.hidden_states(ids, mask)
        assert torch.equal(hidden, output.hidden_states[-1])
        assert torch.equal(linear(lm.head_features(hidden), *lm.decoder), output.logits)


def test_rebuilt_it_is_the_same_model_in_memory_of_its_own(lm: LanguageModel) -> None:
    ids, mask = batch()
    same = rebuild(lm, lm.sizes, tensors_of(lm))
    assert same.config == lm.config
    assert torch.equal(same.model(ids, attention_mask=mask).logits, lm.model(ids, attention_mask=mask).logits)
    before, after = tensors_of(lm), tensors_of(same)
    assert {tensor.data_ptr() for tensor in before.values()}.isdisjoint(tensor.data_ptr() for tensor in after.values())


def test_on_fewer_tokens_states_and_logits_of_the_kept_ones_are_the_same_bits(lm: LanguageModel) -> None:
    kept = torch.tensor([0, 1, 2, 3, 4, 7, 11, 20, 26])
    small = cut(lm, replace(lm.sizes, vocabulary=9), {"vocabulary": kept})
    assert sum(small.parameters.values()) == small.model.num_parameters()
    ids = torch.tensor([[2, 5, 6, 7, 8, 4, 5, 1, 3, 0, 0]])
    mask = (ids != 0).long()
    with torch.no_grad():
        hidden = lm.hidden_states(kept[ids], mask)
        assert torch.equal(small.hidden_states(ids, mask), hidden)
        weight, bias = (tensor[kept] for tensor in lm.decoder)
        logits = small.model(ids, attention_mask=mask).logits
        assert torch.equal(logits, linear(lm.head_features(hidden), weight, bias))
        torch.testing.assert_close(logits, lm.model(kept[ids], attention_mask=mask).logits[..., kept])


def test_saved_it_loads_with_plain_transformers_and_nothing_is_missing(lm: LanguageModel, tmp_path: Path) -> None:
    save(lm, tmp_path)
    again, info = AutoModelForMaskedLM.from_pretrained(tmp_path, output_loading_info=True)
    assert not any(info.values())
    assert all(torch.equal(tensor, again.state_dict()[name]) for name, tensor in lm.model.state_dict().items())
    loaded, has_head = load(tmp_path)
    assert has_head and loaded.sizes == lm.sizes
    lm.model.get_submodule(lm.family.encoder).save_pretrained(tmp_path)  # type: ignore[operator]
    loaded, has_head = load(tmp_path)
    assert not has_head
    assert torch.equal(loaded.hidden_states(*batch()), lm.hidden_states(*batch()))


def test_how_layers_look_survives_a_cut_of_the_vocabulary(tmp_path: Path) -> None:
    save(build({"vocab_size": 30}), tmp_path)  # three rows more than tokens
    config = read_config(tmp_path)
    for key in ("layer_types", "rope_parameters"):
        del config[key]
    (tmp_path / "config.json").write_text(json.dumps(config | OLD))
    lm = load(tmp_path)[0]
    small = cut(lm, replace(lm.sizes, vocabulary=27), {"vocabulary": torch.arange(27)})
    save(small, tmp_path / "small")
    assert read_config(tmp_path / "small")["layer_types"] == ["full_attention", "sliding_attention", "full_attention"]
    loaded = load(tmp_path / "small")[0]
    ids, mask = batch()
    states = lm.hidden_states(ids % 27, mask)
    assert torch.equal(loaded.hidden_states(ids % 27, mask), states)
    for key, value in {"global_rope_theta": 5001.0, "local_rope_theta": 701.0, "global_attn_every_n_layers": 3}.items():
        (tmp_path / "config.json").write_text(json.dumps(config | OLD | {key: value}))
        assert not torch.equal(load(tmp_path)[0].hidden_states(ids % 27, mask), states), key


def test_weights_and_configuration_must_fit(tmp_path: Path) -> None:
    save(build(SWITCHES["full"]), tmp_path)
    config = read_config(tmp_path)
    for key in FAMILY.switches:
        (tmp_path / "config.json").write_text(json.dumps(config | {key: False}))
        with pytest.raises(InputError, match=r"don't fit its config.json: .*bias"):
            load(tmp_path)
    (tmp_path / "config.json").write_text(json.dumps(config))
    weights = load_file(tmp_path / "model.safetensors")
    save_file({name: tensor for name, tensor in weights.items() if "Wqkv.bias" not in name},
              tmp_path / "model.safetensors", {"format": "pt"})  # fmt: skip
    with pytest.raises(InputError, match=r"don't fit its config.json: model.layers.0.attn.Wqkv.bias"):
        load(tmp_path)
    (tmp_path / "config.json").write_text(json.dumps(config | {"layer_types": ["full_attention"]}))
    with pytest.raises(InputError, match=r"can't use the config.json in .*layer_types"):
        load(tmp_path)


# What only other architectures can


@pytest.mark.parametrize(
    ("target", "key", "own"),
    [({"layers": 2}, "layers", 3), ({"feed_forward": 5}, "intermediate_size", 10), ({"hidden": 9}, "hidden_size", 16)],
)
def test_a_cut_of_another_size_is_refused_by_its_key(target: dict[str, int], key: str, own: int) -> None:
    sizes = FAMILY.sizes(SIZES)
    (fault,) = target_faults(sizes, **target, vocabulary=20, hidden_reduction="per_head")
    assert fault.key == f"targets.{key}"
    assert fault.problem.endswith(
        f"it must be {own}, the teacher's: of its architecture only the vocabulary can be cut yet."
    )
    assert fault.hint == f"Leave targets.{key} out."
    assert target_faults(sizes, **dict.fromkeys(target, own), hidden_reduction="per_head") == []


def test_the_sizes_that_can_be_had_are_known() -> None:
    assert FAMILY.sizes(SIZES).fixed == {"layers", "feed_forward", "hidden"}
    assert allowed_hidden_sizes(FAMILY.sizes(SIZES), None, "per_head") == [16]
    with pytest.raises(InputError, match=r"attention_heads is 1, .* can only be 2"):
        estimate({"model_type": "modernbert", **SIZES}, heads=1, hidden_reduction="svd", vocabulary_order="first")
    bert = {"model_type": "bert", **SIZES, "type_vocab_size": 2}
    assert family_of(bert).sizes(bert).fixed == set()


def test_the_cut_itself_refuses_too() -> None:
    with pytest.raises(AssertionError, match="modernbert table does not say how to cut layers"):
        cut_layers(build({}), [0, 2])


RECIPE = """
[teacher]
model = "teacher"
[language]
code = "mlt"
[corpus]
sources = ["sample"]
limit = 200
max_length = 32
[targets]
vocabulary_size = 700
[schedule]
distil_steps = 1
batch_tokens = 512
device = "cpu"
precision = "float32"
threads = 1
[[tasks]]
kind = "topic"
source = "sample"
epochs = 1
seeds = [1]
"""


def sample_teacher(folder: Path) -> LanguageModel:
    """A random model with the sample's tokenizer, saved."""
    tokenizer = load(sample.teacher_folder())[0].tokenizer
    ids = {key: getattr(tokenizer, key) for key in ("pad_token_id", "cls_token_id", "sep_token_id")}
    ids |= {"bos_token_id": tokenizer.cls_token_id, "eos_token_id": tokenizer.sep_token_id}
    lm = LanguageModel(build({"vocab_size": len(tokenizer), **ids}).model, tokenizer)
    save(lm, folder)
    return lm


def test_a_run_trims_it_and_scores_it(tmp_path: Path) -> None:
    teacher = sample_teacher(tmp_path / "teacher")
    results = execute(RunFolder(tmp_path / "run"), original=RECIPE, base=tmp_path, resume=False)
    assert [stage["name"] for stage in results["stages"]] == ["vocabulary", "evaluate"]
    assert set(results["tasks"]) == {"topic"}
    student = load(tmp_path / "run" / "student")[0]
    lost = teacher.sizes.vocabulary - student.sizes.vocabulary
    assert student.sizes.vocabulary <= 700
    assert results["student"]["parameters"] == results["teacher"]["parameters"] - lost * (16 + 1)
    assert student.sizes == replace(teacher.sizes, vocabulary=student.sizes.vocabulary)


def test_a_run_that_would_cut_more_is_refused_before_it_begins(tmp_path: Path) -> None:
    sample_teacher(tmp_path / "teacher")
    assert recipe_faults(RECIPE, tmp_path) == ()
    greedy = RECIPE.replace("[targets]", "[targets]\nlayers = 2\nintermediate_size = 8\nhidden_size = 8")
    keys = ["targets.layers", "targets.intermediate_size", "targets.hidden_size"]
    assert [fault.key for fault in recipe_faults(greedy, tmp_path)] == keys
    with pytest.raises(InputError) as caught:
        execute(RunFolder(tmp_path / "run"), original=greedy, base=tmp_path, resume=False)
    assert [fault.key for fault in caught.value.faults] == keys


# What every architecture can


def test_a_fresh_adapter_changes_nothing_and_each_layers_matters(lm: LanguageModel) -> None:
    adapted = with_adapters(lm, 4, seed=1)
    before = lm.hidden_states(*batch())
    assert torch.equal(adapted.hidden_states(*batch()), before)
    adapters = [module for module in adapted.model.modules() if isinstance(module, Adapter)]
    assert len(adapters) == lm.sizes.layers
    for adapter in adapters:
        with torch.no_grad():
            adapter.up.bias += torch.linspace(-1, 1, lm.sizes.hidden)
        after = adapted.hidden_states(*batch())
        assert not torch.allclose(before, after)
        before = after
    wanting = {name for name, parameter in adapted.model.named_parameters() if parameter.requires_grad}
    assert wanting and all(".adapter." in name for name in wanting)
    assert not any(isinstance(module, Adapter) for module in lm.model.modules())


def test_the_formula_of_an_adapter_after_a_bare_sum() -> None:
    adapted = with_adapters(build({}), 4, seed=1)
    adapter = next(module for module in adapted.model.modules() if isinstance(module, Adapter))
    torch.nn.init.normal_(adapter.up.weight, generator=torch.Generator().manual_seed(1))
    z = 50 * torch.randn(2, 3, 16, generator=torch.Generator().manual_seed(2))
    inner = (layer_norm(z, (16,)) @ adapter.down.weight.T).clamp_min(0) @ adapter.up.weight.T
    torch.testing.assert_close(adapter(z), z + inner)
    assert adapter.down.out_features == 4


@pytest.mark.parametrize("kind", ["mse", "kl"])
def test_the_distance_from_a_teacher_is_that_of_the_logits(lm: LanguageModel, kind: str) -> None:
    student = rebuild(lm, lm.sizes, tensors_of(lm))
    with torch.no_grad():
        student.module(lm.family.embedding).get_parameter("weight").mul_(1.1)
    ids, mask = batch()
    distance = Distance(lm, kind, 1.0)
    found = []
    for tokens in (1, 10_000):  # the mean square goes through the decoders' products where there are many tokens
        output = Output(student.decoder, torch.float32, learns=True)
        distance.begin(student, output, tokens)
        features = [model.head_features(model.hidden_states(ids, mask)).flatten(0, 1) for model in (student, lm)]
        nothing = features[0][:0], torch.zeros(0, dtype=torch.long)
        masked = nothing if kind == "mse" else (features[0], torch.zeros(len(features[0]), dtype=torch.long))
        told = distance.told(*masked, features[0], features[1].detach(), output, (0.0, 1.0))
        assert told.kd is not None
        found.append(told.kd)
        torch.autograd.backward(*(list(side) for side in zip(*told.pulls, strict=True)))
        distance.finish(output)
        output.reach()
    own, others = (model.model(ids, attention_mask=mask).logits.flatten(0, 1) for model in (student, lm))
    if kind == "mse":
        expected = (own - others).square().mean(-1).sum()
    else:
        expected = (others.softmax(-1) * (others.log_softmax(-1) - own.log_softmax(-1))).sum()
    torch.testing.assert_close(torch.stack(found), expected.expand(2), rtol=1e-3, atol=1e-4)
    assert all(parameter.grad is not None for parameter in student.model.parameters())


def test_a_head_from_nothing_starts_at_the_tokens_frequencies(lm: LanguageModel) -> None:
    documents = np.arange(27)
    headed = fresh_head(lm, documents)
    assert torch.equal(headed.hidden_states(*batch()), lm.hidden_states(*batch()))
    if "decoder_bias" in lm.sizes.switches:
        frequency = torch.arange(1, 28) / torch.arange(1, 28).sum()
        torch.testing.assert_close(headed.decoder[1], frequency.log())
