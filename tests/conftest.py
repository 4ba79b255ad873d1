"""Fixtures that several test modules share; keep it small.

Who uses what:
- every test: a cache folder that isn't the user's.
- `own_places`: test_cli, test_cli_estimate, test_cli_models, test_secrets.
- `heeding_at_once`: test_pipeline, test_divergence, test_learning, test_evaluate.
- `--real DIR`, `--real-corpus FILE`: test_vocabulary_identity.
- `lm` (a tiny random model of every family, tied and untied), `build`, `FAMILY_TYPES`: test_layers, test_feed_forward,
  test_hidden, test_families.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
from tokenizers import Tokenizer, models, pre_tokenizers
from transformers import AutoConfig, AutoModelForMaskedLM, PreTrainedTokenizerFast

from core.models import LanguageModel

# Test processes stand side by side: threads that wait for each other's cores cost more than a second core brings.
torch.set_num_threads(1)
os.environ["OMP_NUM_THREADS"] = "1"  # for the processes that tests start
os.environ["OMP_WAIT_POLICY"] = "PASSIVE"  # for those whose recipe wants two threads

FAMILY_TYPES = ("bert", "xlm-roberta", "roberta", "distilbert")
"""The `model_type` of every architecture whose sizes can all be cut."""

_SPECIAL = {"pad_token": "<pad>", "unk_token": "<unk>", "cls_token": "<s>", "sep_token": "</s>", "mask_token": "<mask>"}


def pytest_addoption(parser: pytest.Parser) -> None:
    """What tests may be given that isn't part of the repository."""
    help_text = "test what trimming claims on each tokenizer in DIR too (folders with a tokenizer.json)"
    parser.addoption("--real", metavar="DIR", help=help_text)
    help_text = "choose their tokens by this text, one a line, instead of the built-in sample's"
    parser.addoption("--real-corpus", metavar="FILE", help=help_text)


def build(model_type: str, *, tied: bool) -> LanguageModel:
    """A random model: 4 layers, hidden 24, 4 heads of 6, feed-forward 20, 50 tokens, 40 positions."""
    if model_type == "distilbert":
        sizes = {"n_layers": 4, "dim": 24, "n_heads": 4, "hidden_dim": 20, "activation": "gelu"}
    else:
        sizes = {"num_hidden_layers": 4, "hidden_size": 24, "num_attention_heads": 4, "intermediate_size": 20}
    pad = 1 if "roberta" in model_type else 0
    sizes |= {"vocab_size": 50, "max_position_embeddings": 40, "pad_token_id": pad}
    torch.manual_seed(7)
    model = AutoModelForMaskedLM.from_config(AutoConfig.for_model(model_type, **sizes, tie_word_embeddings=tied))
    with torch.no_grad():
        for parameter in model.parameters():  # biases and LayerNorms too: at their start values they would hide faults
            parameter.add_(torch.randn_like(parameter), alpha=0.1)
    words = [f"word{number}" for number in range(50 - len(_SPECIAL))]
    words = ["<s>", "<pad>", "</s>", "<unk>", "<mask>", *words] if pad else [*_SPECIAL.values(), *words]
    tokenizer = Tokenizer(models.WordLevel({word: i for i, word in enumerate(words)}, unk_token="<unk>"))
    tokenizer.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    return LanguageModel(model.eval(), PreTrainedTokenizerFast(tokenizer_object=tokenizer, **_SPECIAL))


@pytest.fixture(scope="session", autouse=True)
def cache_home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """What runs share stays out of the user's cache, also in the processes that tests start."""
    folder = tmp_path_factory.mktemp("cache")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_CACHE_HOME", str(folder))
        if sys.platform in ("win32", "darwin"):  # where appdirs asks no variable; other processes share the real one
            patch.setattr("appdirs.user_cache_dir", lambda name, author: str(folder / name))
        yield


@pytest.fixture
def own_places(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is written where the user keeps things."""
    for name in ("XDG_DATA_HOME", "XDG_CACHE_HOME", "XDG_STATE_HOME", "HOME", "LOCALAPPDATA"):
        monkeypatch.setenv(name, str(tmp_path / "home"))


@pytest.fixture
def heeding_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """A run of this process looks for wishes at every step, however fast its steps are."""
    monkeypatch.setattr("core.run_context._CONTROL_SECONDS", 0.0)


@pytest.fixture(scope="session", params=[(kind, tied) for kind in FAMILY_TYPES for tied in (True, False)],
                ids=lambda param: f"{param[0]}-{'tied' if param[1] else 'untied'}")  # fmt: skip
def lm(request: pytest.FixtureRequest) -> Iterator[LanguageModel]:
    """A tiny random model of each family, tied and untied, shared by all tests: none of them may change it."""
    lm = build(request.param[0], tied=request.param[1])
    before = {name: tensor.clone() for name, tensor in lm.model.state_dict().items()}
    yield lm
    assert all(torch.equal(tensor, before[name]) for name, tensor in lm.model.state_dict().items())
