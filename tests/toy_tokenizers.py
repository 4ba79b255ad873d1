"""Small real tokenizers of every kind for the tests of trimming, and the two little corpora that they come from."""

from __future__ import annotations

import math
from collections import Counter

import torch
from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers, processors, trainers
from transformers import (
    AutoConfig,
    AutoModelForMaskedLM,
    BertTokenizer,
    PreTrainedTokenizerBase,
    PreTrainedTokenizerFast,
    XLMRobertaTokenizer,
)

from core.context import Quiet
from core.models import LanguageModel
from core.vocabulary.choosing import Selection, Wanted, choose_tokens
from core.vocabulary.counting import TokenCounts, count_tokens
from core.vocabulary.kinds import Kind, kind_of
from core.vocabulary.rewriting import backend_json

LATIN = """
Ráno som videl veľkú rieku a starý most.
Most vedie cez rieku do mesta.
V meste býva moja stará mama.
Mama má malý dom a veľkú záhradu.
V záhrade rastú jablká, hrušky a slivky.
Jablká sú červené, slivky modré.
Môj brat číta knihu o lese.
V lese žijú vlci, medvede a líšky.
Kniha má 120 strán!
Kto číta, ten vie viac?
Deti idú do školy o 8 hodine.
V škole majú dve hodiny slovenčiny.
Učiteľka číta deťom starú rozprávku.
Rozprávka je o vlkovi a líške.
Večer je mesto tiché a rieka tmavá.
Otec varí večeru: polievku a ryby.
Ryby sú z rieky, nie z mora.
More je ďaleko od mesta.
V lete ideme k moru (vlakom).
Vlak ide cez most a cez les.
""".strip().splitlines()

CYRILLIC = """
Утром я видел реку и старый мост.
Мост ведёт через реку в город.
В городе живёт моя бабушка.
У бабушки маленький дом и большой сад.
В саду растут яблоки, груши и сливы.
Мой брат читает книгу о лесе.
В лесу живут волки, медведи и лисы.
Дети идут в школу к 8 часам.
Вечером город тихий, а река тёмная.
Отец варит суп из рыбы.
Рыба из реки, не из моря.
Летом мы едем к морю поездом.
""".strip().splitlines()

_BERT_SPECIAL = ["[PAD]", "[unused1]", "[unused2]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]


def _parts() -> tuple[Counter[str], Counter[str]]:
    """How often each part of a word stands at its start, and elsewhere."""
    starts: Counter[str] = Counter()
    rests: Counter[str] = Counter()
    for word in " ".join(LATIN + CYRILLIC).translate(str.maketrans(dict.fromkeys(".,:!?()", " "))).split():
        for begin in range(len(word)):
            for end in range(begin + 1, len(word) + 1):
                (rests if begin else starts)[word[begin:end]] += 1
    return starts, rests


def _characters() -> list[str]:
    return sorted(set("".join(LATIN + CYRILLIC)) - {" "} | set("0123456789ñøßαβ中。–€[]"))


def wordpiece(*, lower: bool = False) -> PreTrainedTokenizerBase:
    """A BERT tokenizer of some 470 tokens whose [UNK], [CLS], … have other ids than BERT's class would give them."""
    starts, rests = _parts()
    longer = [part for part, count in sorted(starts.items()) if count > 1 and len(part) > 1]
    longer += [f"##{part}" for part, count in sorted(rests.items()) if count > 1 and len(part) > 1]
    singles = [form for character in _characters() for form in (character, f"##{character}")]
    tokens = [*_BERT_SPECIAL, *singles, *longer]
    return BertTokenizer(vocab={token: i for i, token in enumerate(tokens)}, do_lower_case=lower, model_max_length=64)


def unigram() -> PreTrainedTokenizerBase:
    """An XLM-R tokenizer of some 400 tokens; its piece of the smallest score is a long one that no text holds."""
    starts, rests = _parts()
    counts = Counter({f"▁{part}": count for part, count in starts.items()}) + rests
    total = sum(counts.values())
    scored = {piece: math.log(count / total) for piece, count in sorted(counts.items()) if count > 1}
    for character in _characters():
        scored.setdefault(character, -11.0)
    scored |= {"▁": -5.0, "αβαβ": -13.0}
    special = [("<s>", 0.0), ("<pad>", 0.0), ("</s>", 0.0), ("<unk>", 0.0)]
    return XLMRobertaTokenizer(vocab=[*special, *scored.items(), ("<mask>", 0.0)], model_max_length=64)


def byte_bpe() -> PreTrainedTokenizerBase:
    """A byte-level BPE tokenizer as ModernBERT's, of some 500 tokens; most letters with marks are two bytes."""
    backend = Tokenizer(models.BPE())
    backend.normalizer = normalizers.NFC()
    backend.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    backend.decoder = decoders.ByteLevel()
    special = ["[UNK]", "[CLS]", "[SEP]", "[PAD]", "[MASK]"]
    trainer = trainers.BpeTrainer(
        vocab_size=520,
        special_tokens=special,
        initial_alphabet=sorted(pre_tokenizers.ByteLevel.alphabet()),
        show_progress=False,
    )
    backend.train_from_iterator(LATIN + CYRILLIC, trainer)
    ids = [(token, backend.token_to_id(token)) for token in ("[CLS]", "[SEP]")]
    backend.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]", pair="[CLS] $A [SEP] $B:1 [SEP]:1", special_tokens=ids
    )
    return _fast(backend, *special)


def character_bpe() -> PreTrainedTokenizerBase:
    """A BPE tokenizer as SentencePiece's and mmBERT's: over characters, with bytes to fall back on.

    As in those, every split of a token into two others is a merge, in the order of the tokens.
    """
    starts, rests = _parts()
    counts = Counter({f"▁{part}": count for part, count in starts.items()}) + rests
    longer = [piece for piece, count in sorted(counts.items(), key=lambda one: (-one[1], one[0])) if count > 1]
    special = ["<pad>", "<eos>", "<bos>", "<unk>", "<mask>"]
    singles = ["▁", *(character for character in _characters() if character not in "中。")]
    tokens = [*special, *(f"<0x{byte:02X}>" for byte in range(256)), *singles]
    tokens += [piece for piece in longer if len(piece) > 1]
    vocabulary = {token: i for i, token in enumerate(dict.fromkeys(tokens))}
    merges = [
        (piece[:cut], piece[cut:])
        for piece in tokens[len(special) + 256 :]
        for cut in range(1, len(piece))
        if piece[:cut] in vocabulary and piece[cut:] in vocabulary
    ]
    backend = Tokenizer(models.BPE(vocabulary, merges, unk_token="<unk>", fuse_unk=True, byte_fallback=True))
    backend.normalizer = normalizers.Replace(" ", "▁")
    backend.pre_tokenizer = pre_tokenizers.Split("▁", "merged_with_next")
    backend.decoder = decoders.Sequence([decoders.Replace("▁", " "), decoders.ByteFallback(), decoders.Fuse()])
    ids = [(token, backend.token_to_id(token)) for token in ("<bos>", "<eos>")]
    backend.post_processor = processors.TemplateProcessing(
        single="<bos> $A <eos>", pair="<bos> $A <eos> $B:1 <eos>:1", special_tokens=ids
    )
    return _fast(backend, "<unk>", "<bos>", "<eos>", "<pad>", "<mask>")


def _fast(backend: Tokenizer, unknown: str, cls: str, sep: str, pad: str, mask: str) -> PreTrainedTokenizerBase:
    names = {"unk_token": unknown, "cls_token": cls, "sep_token": sep, "pad_token": pad, "mask_token": mask}
    return PreTrainedTokenizerFast(tokenizer_object=backend, model_max_length=64, **names)


TOYS = {"wordpiece": wordpiece, "unigram": unigram, "byte_bpe": byte_bpe, "character_bpe": character_bpe}
"""One tokenizer of each kind."""
SIZES = {"wordpiece": 180, "unigram": 135, "byte_bpe": 390, "character_bpe": 430}
"""A vocabulary of each for `LATIN`: the alphabet, and about half of the other tokens that occur."""


def kind(tokenizer: PreTrainedTokenizerBase) -> Kind:
    """The vocabulary of a toy."""
    return kind_of(backend_json(tokenizer))


def counted(tokenizer: PreTrainedTokenizerBase, texts: list[str] = LATIN) -> TokenCounts:
    """What texts are made of."""
    return count_tokens(texts, len(texts), tokenizer.backend_tokenizer, Quiet())


def chosen(tokenizer: PreTrainedTokenizerBase, size: int, texts: list[str] = LATIN) -> Selection:
    """So many tokens for texts."""
    return choose_tokens(kind(tokenizer), counted(tokenizer, texts), Wanted(size=size))


def model(model_type: str, tokenizer: PreTrainedTokenizerBase, *, tied: bool, spare_rows: int = 0) -> LanguageModel:
    """A tiny random model for a tokenizer: 2 layers, hidden 16, biases and norms random too."""
    if model_type == "distilbert":
        sizes = {"n_layers": 2, "dim": 16, "n_heads": 2, "hidden_dim": 20}
    else:
        sizes = {"num_hidden_layers": 2, "hidden_size": 16, "num_attention_heads": 2, "intermediate_size": 20}
    sizes |= {"vocab_size": len(tokenizer) + spare_rows, "max_position_embeddings": 66}
    ids = {f"{name}_token_id": getattr(tokenizer, f"{name}_token_id") for name in ("pad", "bos", "eos")}
    torch.manual_seed(3)
    config = AutoConfig.for_model(model_type, **sizes, **ids, tie_word_embeddings=tied)
    built = AutoModelForMaskedLM.from_config(config)
    with torch.no_grad():
        for parameter in built.parameters():
            parameter.add_(torch.randn_like(parameter), alpha=0.2)
    return LanguageModel(built.eval(), tokenizer)
