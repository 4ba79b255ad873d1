"""Tiny random models with whole-word tokenizers, and toy tasks that they can learn."""

import random

import torch
from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors
from transformers import (
    BertConfig,
    BertForMaskedLM,
    DistilBertConfig,
    DistilBertForMaskedLM,
    PreTrainedTokenizerFast,
    XLMRobertaConfig,
    XLMRobertaForMaskedLM,
)

from core.models import LanguageModel
from core.tasks.data import TaskData, TextExample, TokenExample

WORDS = [f"w{number}" for number in range(20)]
SPECIAL = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]


def tokenizer() -> PreTrainedTokenizerFast:
    vocabulary = {token: number for number, token in enumerate([*SPECIAL, *WORDS, "long", "##er"])}
    toy = Tokenizer(models.WordPiece(vocabulary, unk_token="[UNK]", max_input_chars_per_word=4000))
    toy.normalizer = normalizers.BertNormalizer(lowercase=False)
    toy.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    toy.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]", special_tokens=[("[CLS]", vocabulary["[CLS]"]), ("[SEP]", vocabulary["[SEP]"])]
    )
    names = dict(zip(("pad_token", "unk_token", "cls_token", "sep_token", "mask_token"), SPECIAL, strict=True))
    return PreTrainedTokenizerFast(tokenizer_object=toy, **names)


def tiny_model(family: str = "bert", positions: int = 32, hidden: int = 32) -> LanguageModel:
    toy = tokenizer()
    common = dict(vocab_size=len(toy), max_position_embeddings=positions, pad_token_id=0)
    sizes = dict(hidden_size=hidden, num_hidden_layers=2, num_attention_heads=2, intermediate_size=2 * hidden)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(5)
        if family == "bert":
            model = BertForMaskedLM(BertConfig(**common, **sizes))
        elif family == "xlm-roberta":
            model = XLMRobertaForMaskedLM(XLMRobertaConfig(**common, **sizes))
        else:
            model = DistilBertForMaskedLM(
                DistilBertConfig(**common, dim=hidden, n_layers=2, n_heads=2, hidden_dim=2 * hidden)
            )
        # Words stand out and layers do something: transformers' first values (0.02) leave so small a network constant.
        for name, parameter in model.named_parameters():
            if parameter.dim() == 2:
                parameter.data.normal_(std=1 if "word_embeddings" in name else 0.1)
    return LanguageModel(model.eval(), toy)


def texts(count: int, rng: random.Random) -> list[TextExample]:
    """A text's label is the half of the word list that its words come from."""
    result = []
    for _ in range(count):
        half = rng.randrange(2)
        words = rng.choices(WORDS[10 * half : 10 * half + 10], k=rng.randint(2, 9))
        result.append(TextExample(" ".join(words), ["low", "high"][half]))
    return result


def sentences(count: int, rng: random.Random) -> list[TokenExample]:
    """A word's tag depends on the word alone."""
    result = []
    for _ in range(count):
        words = rng.choices(WORDS, k=rng.randint(1, 9))
        result.append(TokenExample(tuple(words), tuple("ABC"[WORDS.index(word) % 3] for word in words)))
    return result


def toy_task(kind: str = "topic", seed: int = 0, train: int = 96) -> TaskData:
    make = texts if kind in ("topic", "sentiment") else sentences
    rng = random.Random(seed)
    splits = {name: tuple(make(count, rng)) for name, count in (("train", train), ("validation", 40), ("test", 60))}
    labels = tuple(sorted({label for example in splits["train"] for label in example.labels}))
    return TaskData(kind=kind, labels=labels, **splits)


def tensors(lm: LanguageModel) -> dict[str, torch.Tensor]:
    return {name: value.clone() for name, value in lm.model.state_dict().items()}


def same(before: dict[str, torch.Tensor], lm: LanguageModel) -> bool:
    after = lm.model.state_dict()
    return before.keys() == after.keys() and all(torch.equal(before[name], after[name]) for name in before)
