"""How much sooner pseudo-perplexity is there when many masked copies are read at once than with one at a time.

    python -m benchmarks.pseudo_perplexity [MODEL] [--text FILE] [--texts 20]

MODEL is a model's folder, FILE has a text a line; without them, the built-in sample's.
"""

from __future__ import annotations

import argparse
import json
import math
import time
from collections.abc import Sequence
from pathlib import Path

import torch

from core.analysis.pseudo_perplexity import Window, pseudo_perplexity, sampled, windows
from core.context import Quiet
from core.micro_batches import micro_tokens
from core.models import LanguageModel, load
from resources import sample

_MOST_READ = 10**9


def one_at_a_time(lm: LanguageModel, read: Sequence[Window]) -> float:
    """A forward pass a token, with all logits, as transformers' model gives them."""
    special = set(lm.tokenizer.all_special_ids)
    total = tokens = 0.0
    for window in read:
        for place, token in enumerate(window):
            if token in special:
                continue
            ids = torch.tensor([window])
            ids[0, place] = lm.tokenizer.mask_token_id
            with torch.no_grad():
                logits = lm.model(input_ids=ids, attention_mask=torch.ones_like(ids)).logits
            total -= logits[0, place].log_softmax(-1)[token].item()
            tokens += 1
    return math.exp(total / tokens)


def main() -> None:
    """Measure both and print them as JSON."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("model", nargs="?", type=Path, default=sample.teacher_folder())
    parser.add_argument("--text", type=Path, default=sample.corpus_file())
    parser.add_argument("--texts", type=int, default=20)
    options = parser.parse_args()
    lm = load(options.model)[0]
    lines = options.text.read_text(encoding="utf-8").splitlines()
    texts = sampled(lines, lm.tokenizer, lm.max_length, _MOST_READ, 1)[: options.texts]
    read = windows(texts, lm.tokenizer, lm.max_length)
    one_at_a_time(lm, read[:1])  # warms up
    begin = time.perf_counter()
    slow = one_at_a_time(lm, read)
    middle = time.perf_counter()
    found = pseudo_perplexity(lm, texts, lm.max_length, micro_tokens(lm, "cpu"), Quiet())
    end = time.perf_counter()
    told = {
        "tokens": found and found.tokens,
        "threads": torch.get_num_threads(),
        "one_at_a_time": {"value": slow, "seconds": round(middle - begin, 3)},
        "batched": {"value": found and found.a_token, "seconds": round(end - middle, 3)},
        "times_as_fast": round((middle - begin) / (end - middle), 2),
    }
    print(json.dumps(told))


if __name__ == "__main__":
    main()
