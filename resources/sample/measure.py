"""What the teacher has learnt: masked tokens of held-out text, and linear probes on its frozen output."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from resources.sample import task_folder

Texts = Sequence[list[int]]


def batches(ids: Texts, size: int, pad: int) -> Iterator[tuple[list[int], Tensor, Tensor]]:
    """Padded batches of texts of like length: their indices, token ids, mask of real tokens."""
    order = sorted(range(len(ids)), key=lambda index: len(ids[index]))
    for start in range(0, len(order), size):
        chosen = order[start : start + size]
        yield chosen, *padded([ids[index] for index in chosen], pad)


def padded(ids: Texts, pad: int) -> tuple[Tensor, Tensor]:
    """Token ids and mask of real tokens, shape (batch, longest)."""
    longest = max(map(len, ids))
    tokens = torch.tensor([text + [pad] * (longest - len(text)) for text in ids])
    return tokens, (torch.arange(longest) < torch.tensor([[len(text)] for text in ids])).long()


def mask_tokens(
    tokens: Tensor, real: Tensor, *, special: int, mask: int, vocabulary: int, random: torch.Generator
) -> tuple[Tensor, Tensor]:
    """BERT's masking: 15 % of the tokens are chosen; 80 % of them masked, 10 % replaced, 10 % left as they are.

    Args:
        tokens: ids, shape (batch, seq).
        real: 1 for tokens, 0 for padding.
        special: ids below this one are special tokens and never chosen.
        mask: id of the mask token.
        vocabulary: number of ids.
        random: where chance comes from.

    Returns:
        The changed ids, and a boolean tensor of the chosen positions.
    """
    draw = torch.rand(tokens.shape, generator=random)
    chosen = (draw < 0.15) & (tokens >= special) & real.bool()
    how = torch.rand(tokens.shape, generator=random)
    other = torch.randint(special, vocabulary, tokens.shape, generator=random)
    changed = torch.where(chosen & (how < 0.8), mask, tokens)
    return torch.where(chosen & (how >= 0.9), other, changed), chosen


@torch.inference_mode()
def masked_accuracy(model: Any, ids: Texts, mask: int, pad: int, special: int, seed: int = 0) -> dict[str, float]:
    """Loss and accuracy (0 to 100) at masked positions, 15 % of the tokens; every text is masked four times over."""
    model.eval()
    random = torch.Generator().manual_seed(seed)
    hits, count, loss = 0, 0, 0.0
    for _, tokens, real in batches([*ids] * 4, 64, pad):
        chosen = (torch.rand(tokens.shape, generator=random) < 0.15) & (tokens >= special) & real.bool()
        if not chosen.any():
            continue
        hidden = model.base_model(torch.where(chosen, mask, tokens), attention_mask=real).last_hidden_state[chosen]
        logits = model.cls(hidden)
        loss += float(nn.functional.cross_entropy(logits, tokens[chosen], reduction="sum"))
        hits += int((logits.argmax(-1) == tokens[chosen]).sum())
        count += int(chosen.sum())
    return {"tokens": count, "loss": round(loss / count, 4), "accuracy": round(100 * hits / count, 2)}


def unigram_accuracy(train: Texts, held_out: Texts, special: int) -> float:
    """Accuracy (0 to 100) of always saying the most frequent token of the training text."""
    counts: dict[int, int] = {}
    for text in train:
        for token in text:
            counts[token] = counts.get(token, 0) + (token >= special)
    best = max(counts, key=lambda token: (counts[token], -token))
    tokens = [token for text in held_out for token in text if token >= special]
    return round(100 * tokens.count(best) / len(tokens), 2)


# Probes ------------------------------------------------------------------------------------------------------


def probe(model: Any, tokenizer: Any, kind: str, language: str, seed: int = 0) -> float:
    """Test score (0 to 100) of a linear layer on the frozen encoder: entity F1 for ner, accuracy for the others."""
    splits = []
    for split in ("train", "test"):
        read = read_tsv if kind in ("topic", "sentiment") else read_columns
        texts, labels = read(kind, split, language)
        splits.append((features(model, tokenizer, texts, pooled=kind in ("topic", "sentiment")), labels))
    (train_x, train_y), (test_x, test_y) = splits
    names = sorted({label for labels in train_y for label in labels})
    predicted = linear(train_x, torch.tensor([names.index(x) for labels in train_y for x in labels]), test_x, seed)
    said = iter(names[index] for index in predicted)
    guesses = [[next(said) for _ in labels] for labels in test_y]
    if kind == "ner":
        return round(100 * entity_f1(test_y, guesses), 2)
    pairs = [pair for gold, guess in zip(test_y, guesses, strict=True) for pair in zip(gold, guess, strict=True)]
    return round(100 * sum(a == b for a, b in pairs) / len(pairs), 2)


def read_tsv(kind: str, split: str, language: str) -> tuple[list[list[str]], list[list[str]]]:
    """Texts (each one "word") and their labels."""
    lines = (task_folder(kind, language) / f"{split}.tsv").read_text(encoding="utf-8").splitlines()[1:]
    rows = [line.split("\t") for line in lines]
    return [[text] for text, _ in rows], [[label] for _, label in rows]


def read_columns(kind: str, split: str, language: str) -> tuple[list[list[str]], list[list[str]]]:
    """Words and tags of .bio and .conllu files."""
    form, tag, ending = (0, 1, "bio") if kind == "ner" else (1, 3, "conllu")
    content = (task_folder(kind, language) / f"{split}.{ending}").read_text(encoding="utf-8")
    texts, labels = [], []
    for block in content.strip().split("\n\n"):
        rows = [line.split("\t") for line in block.split("\n") if not line.startswith("#")]
        texts.append([row[form] for row in rows])
        labels.append([row[tag] for row in rows])
    return texts, labels


@torch.inference_mode()
def features(model: Any, tokenizer: Any, texts: list[list[str]], *, pooled: bool) -> Tensor:
    """The encoder's output: the mean over a text, or the first sub-token of each word."""
    model.eval()
    rows: list[Tensor] = []
    for words in texts:
        encoded = tokenizer(words, is_split_into_words=True, return_tensors="pt", truncation=True, max_length=128)
        hidden = model.base_model(encoded["input_ids"]).last_hidden_state[0]
        if pooled:
            rows.append(hidden[1:-1].mean(0))
            continue
        owners = encoded.word_ids(0)
        rows.extend(hidden[owners.index(word)] for word in range(len(words)))
    return torch.stack(rows)


def linear(train_x: Tensor, train_y: Tensor, test_x: Tensor, seed: int) -> list[int]:
    """Fit a softmax regression with a little weight decay; predict the test rows."""
    torch.manual_seed(seed)
    mean, deviation = train_x.mean(0), train_x.std(0) + 1e-6
    layer = nn.Linear(train_x.shape[1], int(train_y.max()) + 1)
    optimizer = torch.optim.AdamW(layer.parameters(), lr=0.02, weight_decay=0.05)
    inputs = (train_x - mean) / deviation
    for _ in range(200):
        optimizer.zero_grad()
        nn.functional.cross_entropy(layer(inputs), train_y).backward()
        optimizer.step()
    with torch.inference_mode():
        predicted: list[int] = layer((test_x - mean) / deviation).argmax(-1).tolist()
    return predicted


def spans(tags: list[str]) -> set[tuple[int, int, str]]:
    """The entities of a sequence of IOB2 tags; an I- that continues nothing starts an entity."""
    found, start = set(), 0
    kind = "O"
    for index, tag in enumerate([*tags, "O"]):
        if tag[:2] != "I-" or tag[2:] != kind:
            if kind != "O":
                found.add((start, index, kind))
            start, kind = index, tag[2:] or "O"
    return found


def entity_f1(gold: list[list[str]], guessed: list[list[str]]) -> float:
    """F1 of whole entities."""
    right = sum(len(spans(a) & spans(b)) for a, b in zip(gold, guessed, strict=True))
    total = sum(len(spans(a)) + len(spans(b)) for a, b in zip(gold, guessed, strict=True))
    return 2 * right / total if total else 0.0
