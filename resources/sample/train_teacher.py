"""Train the sample's teacher: a tokenizer and a small BERT over the four texts, by masked-language modelling.

Run it with `python -m resources.sample.train_teacher`. It takes ten to fifteen minutes on two cores and writes
`resources/sample/teacher/`; the same seed and number of threads on the same machine give the same file.
"""

from __future__ import annotations

import argparse
import json
import os
import string
import sys
import time
from collections import Counter, defaultdict
from itertools import pairwise
from pathlib import Path
from random import Random
from typing import Any
from unicodedata import normalize

os.environ.setdefault("HF_HUB_OFFLINE", "1")
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")  # two threads that spin hinder each other on a busy machine

import torch
from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers, processors
from torch import Tensor, nn
from transformers import AutoModelForMaskedLM, AutoTokenizer, BertConfig, BertForMaskedLM

from resources.sample import KINDS, LANGUAGES, corpus_file, teacher_folder
from resources.sample.measure import mask_tokens, masked_accuracy, padded, probe, unigram_accuracy

SPECIAL = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
HELD_OUT_EVERY = 20
"""Every twentieth line of a text is for validation only."""


def learn_pieces(counts: Counter[str], size: int) -> list[str]:
    """A WordPiece vocabulary: all letters, then the most frequent pairs joined one after the other.

    Letters of both cases are kept in both positions, so that other text in these languages has a spelling too.
    Written out here because the trainer of the `tokenizers` library breaks ties differently from run to run.

    Args:
        counts: how often each word occurs.
        size: pieces wanted.

    Returns:
        Pieces in the order in which they were made; those inside a word start with "##".
    """
    split = {word: [word[0], *("##" + letter for letter in word[1:])] for word in counts}
    letters = {*string.ascii_letters, *string.digits, *(c for word in counts for c in word if c.isalnum())}
    letters |= {other for letter in letters for other in (letter.lower(), letter.upper())}
    pieces = sorted({*letters, *("##" + letter for letter in letters), *string.punctuation, *"’“”„–…€"})
    pairs: Counter[tuple[str, str]] = Counter()
    where: defaultdict[tuple[str, str], set[str]] = defaultdict(set)
    for word, parts in split.items():
        for pair in pairwise(parts):
            pairs[pair] += counts[word]
            where[pair].add(word)
    while len(pieces) < size and pairs:
        best = min(pairs, key=lambda pair: (-pairs[pair], pair))
        joined = best[0] + best[1].removeprefix("##")
        pieces.append(joined)
        for word in where.pop(best):
            parts = split[word]
            for pair in pairwise(parts):
                pairs[pair] -= counts[word]
            index = 0
            while index < len(parts) - 1:
                if (parts[index], parts[index + 1]) == best:
                    parts[index : index + 2] = [joined]
                index += 1
            for pair in pairwise(parts):
                pairs[pair] += counts[word]
                where[pair].add(word)
        pairs = +pairs
    return list(dict.fromkeys(pieces))


def make_tokenizer(texts: list[str], vocabulary: int) -> Tokenizer:
    """Cased WordPiece with all printable ASCII in its alphabet; NFC, nothing else is changed."""
    splitter = pre_tokenizers.BertPreTokenizer()
    counts = Counter(word for text in texts for word, _ in splitter.pre_tokenize_str(normalize("NFC", text)))
    pieces = SPECIAL + learn_pieces(counts, vocabulary - len(SPECIAL))
    ids = {piece: number for number, piece in enumerate(pieces)}
    tokenizer = Tokenizer(models.WordPiece(ids, unk_token="[UNK]"))
    tokenizer.normalizer = normalizers.NFC()
    tokenizer.pre_tokenizer = splitter
    tokenizer.decoder = decoders.WordPiece()
    ends = [(name, ids[name]) for name in ("[CLS]", "[SEP]")]
    tokenizer.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]", pair="[CLS] $A [SEP] $B:1 [SEP]:1", special_tokens=ends
    )
    tokenizer.add_special_tokens(SPECIAL)
    return tokenizer


def save_tokenizer(tokenizer: Tokenizer, folder: Path) -> None:
    """Write tokenizer.json, and a tokenizer_config.json that makes transformers load it unaltered."""
    tokenizer.save(str(folder / "tokenizer.json"))
    names = ["pad_token", "unk_token", "cls_token", "sep_token", "mask_token"]
    config: dict[str, Any] = {
        "tokenizer_class": "PreTrainedTokenizerFast",
        "model_max_length": 128,
        "model_input_names": ["input_ids", "token_type_ids", "attention_mask"],
        **dict(zip(names, SPECIAL, strict=True)),
    }
    write_json(folder / "tokenizer_config.json", config)


def write_json(path: Path, content: dict[str, Any]) -> None:
    """Write JSON as people read it."""
    path.write_text(json.dumps(content, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")


def make_model(vocabulary: int) -> BertForMaskedLM:
    """An untrained teacher: four layers, width 128."""
    config = BertConfig(
        vocab_size=vocabulary,
        hidden_size=128,
        num_hidden_layers=4,
        num_attention_heads=4,
        intermediate_size=512,
        max_position_embeddings=128,
        type_vocab_size=2,
        pad_token_id=0,
        hidden_dropout_prob=0.0,
        attention_probs_dropout_prob=0.0,
        tie_word_embeddings=True,
    )
    return BertForMaskedLM(config)


def embeddings_from_neighbours(ids: list[list[int]], vocabulary: int, width: int) -> Tensor:
    """First embeddings: a singular value decomposition of which tokens stand beside each other, or in one text.

    Counts of left neighbours, right neighbours and tokens of the same text become positive pointwise mutual
    information. Tied embeddings that start so spare the model the long plateau at which it knows only how frequent
    each token is.

    Args:
        ids: token ids of the texts.
        vocabulary: number of ids.
        width: of the embeddings.

    Returns:
        Embeddings of standard deviation 0.1, shape (vocabulary, width).
    """
    after, together = torch.zeros(2, vocabulary, vocabulary)
    for text in map(torch.tensor, ids):
        after.index_put_((text[:-1], text[1:]), torch.ones(len(text) - 1), accumulate=True)
        size = len(text)
        pairs = (text.repeat_interleave(size), text.repeat(size))
        together.index_put_(pairs, torch.ones(size * size) / size, accumulate=True)
    views = [(after, 1.0), (after.T, 1.0), (together, 3.0)]
    information = torch.cat([weight * positive_information(counts) for counts, weight in views], dim=1)
    left, values, _ = torch.svd_lowrank(information, q=width + 20, niter=4)
    mixed = torch.linalg.qr(torch.randn(width, width))[0]  # spread over all units, and so over all heads
    embeddings = (left[:, :width] * values[:width].sqrt()) @ mixed
    scaled: Tensor = embeddings / embeddings.std() * 0.1
    return scaled


def positive_information(counts: Tensor) -> Tensor:
    """Pointwise mutual information of rows and columns, not below 0, in nats."""
    expected = counts.sum(1, keepdim=True) * counts.sum(0, keepdim=True) / counts.sum()
    return torch.log((counts / (expected + 1e-9)).clamp_min(1.0))


def length_groups(ids: list[list[int]], size: int, random: Random) -> list[list[list[int]]]:
    """Batches of texts of like length, in random order."""
    order = sorted(ids, key=lambda text: (len(text), random.random()))
    groups = [order[start : start + size] for start in range(0, len(order), size)]
    random.shuffle(groups)
    return groups


def train(model: BertForMaskedLM, ids: list[list[int]], *, steps: int, batch: int, rate: float, seed: int) -> float:
    """Masked-language modelling with AdamW, warm-up and linear decay.

    Args:
        model: changed in place.
        ids: token ids of the texts.
        steps: optimiser steps.
        batch: texts a step.
        rate: highest learning rate.
        seed: of order and masks; dropout follows torch's own.

    Returns:
        The mean loss of the last hundred steps, in nats.
    """
    optimizer = torch.optim.AdamW(model.parameters(), lr=rate, weight_decay=0.01, betas=(0.9, 0.98), fused=True)
    warm = max(1, steps // 20)
    schedule = torch.optim.lr_scheduler.LambdaLR(
        optimizer, lambda step: min((step + 1) / warm, max(0.0, (steps - step) / (steps - warm)))
    )
    random, noise = Random(seed), torch.Generator().manual_seed(seed)
    groups: list[list[list[int]]] = []
    losses: list[float] = []
    started = time.monotonic()
    model.train()
    for step in range(1, steps + 1):
        if not groups:
            groups = length_groups(ids, batch, random)
        tokens, real = padded(groups.pop(), 0)
        changed, chosen = mask_tokens(
            tokens, real, special=len(SPECIAL), mask=4, vocabulary=model.config.vocab_size, random=noise
        )
        hidden = model.bert(changed, attention_mask=real).last_hidden_state[chosen]
        loss = nn.functional.cross_entropy(model.cls(hidden), tokens[chosen])
        optimizer.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        schedule.step()
        losses.append(float(loss.detach()))
        if step % 100 == 0 or step == steps:
            recent = losses[-100:]
            seconds = time.monotonic() - started
            say(f"step {step}/{steps}  loss {sum(recent) / len(recent):.3f}  {seconds:.0f} s")
    return sum(losses[-100:]) / len(losses[-100:])


def say(text: str) -> None:
    """Progress goes to the terminal at once."""
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


def measure(folder: Path, encoded: dict[str, list[list[int]]], seed: int) -> dict[str, Any]:
    """What the saved teacher, loaded as users load it, knows of each language, beside an untrained one."""
    teacher, tokenizer = AutoModelForMaskedLM.from_pretrained(folder), AutoTokenizer.from_pretrained(folder)
    torch.manual_seed(seed + 1)
    untrained = make_model(teacher.config.vocab_size)
    languages = {}
    for code, ids in encoded.items():
        held_out = ids[::HELD_OUT_EVERY]
        languages[code] = {
            "texts": len(ids),
            "distinct_tokens": len({token for text in ids for token in text}),
            "held_out": masked_accuracy(teacher, held_out, 4, 0, len(SPECIAL)),
            "most_frequent_token_accuracy": unigram_accuracy(training_part(ids), held_out, len(SPECIAL)),
            "probes": {
                kind: {
                    "teacher": probe(teacher, tokenizer, kind, code),
                    "untrained": probe(untrained, tokenizer, kind, code),
                }
                for kind in KINDS
            },
        }
        say(f"{code}: {languages[code]}")
    return languages


def training_part(ids: list[list[int]]) -> list[list[int]]:
    """The texts that are not held out."""
    return [text for index, text in enumerate(ids) if index % HELD_OUT_EVERY]


def main() -> None:
    """Train, save, reload and measure."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--steps", type=int, default=5000)
    parser.add_argument("--batch", type=int, default=32)
    parser.add_argument("--rate", type=float, default=1.5e-3)
    parser.add_argument("--vocabulary", type=int, default=3050)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--out", type=Path, default=teacher_folder())
    parser.add_argument("--only-measure", action="store_true", help="measure the teacher that is there")
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    torch.manual_seed(arguments.seed)
    folder: Path = arguments.out
    folder.mkdir(parents=True, exist_ok=True)

    texts = {code: corpus_file(code).read_text(encoding="utf-8").splitlines() for code in LANGUAGES}
    if arguments.only_measure:
        report: dict[str, Any] = json.loads((folder / "training.json").read_text(encoding="utf-8"))
        tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
    else:
        tokenizer = make_tokenizer([line for lines in texts.values() for line in lines], arguments.vocabulary)
    encoded = {code: [e.ids for e in tokenizer.encode_batch(lines)] for code, lines in texts.items()}
    if not arguments.only_measure:
        report = build(folder, tokenizer, encoded, arguments)
        write_json(folder / "training.json", report)
    report["languages"] = measure(folder, encoded, report["seed"])
    write_json(folder / "training.json", report)


def build(
    folder: Path, tokenizer: Tokenizer, encoded: dict[str, list[list[int]]], arguments: argparse.Namespace
) -> dict[str, Any]:
    """Train a teacher, save it with its tokenizer, and say how it was made."""
    model = make_model(tokenizer.get_vocab_size())
    parameters = sum(parameter.numel() for parameter in model.parameters())
    say(f"{tokenizer.get_vocab_size()} tokens, {parameters} parameters")
    texts = [text for ids in encoded.values() for text in training_part(ids)]
    started = time.monotonic()
    with torch.no_grad():
        first = embeddings_from_neighbours(texts, model.config.vocab_size, model.config.hidden_size)
        model.bert.embeddings.word_embeddings.weight.copy_(first)
    loss = train(
        model,
        texts,
        steps=arguments.steps,
        batch=arguments.batch,
        rate=arguments.rate,
        seed=arguments.seed,
    )
    seconds = time.monotonic() - started
    model.save_pretrained(folder)
    (folder / "generation_config.json").unlink(missing_ok=True)
    save_tokenizer(tokenizer, folder)
    return {
        "what": "measured by resources/sample/train_teacher.py; accuracies and scores from 0 to 100, losses in nats",
        "seed": arguments.seed,
        "steps": arguments.steps,
        "batch_texts": arguments.batch,
        "learning_rate": arguments.rate,
        "threads": arguments.threads,
        "seconds": round(seconds, 1),
        "vocabulary": tokenizer.get_vocab_size(),
        "parameters": parameters,
        "train_loss": round(loss, 4),
    }


if __name__ == "__main__":
    main()
