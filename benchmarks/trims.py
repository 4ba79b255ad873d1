"""Trims models to languages and sizes, and shows what is left of each: a line a trim.

    python -m benchmarks.trims --model FOLDER… --corpus FILE… --size N… [--held-out FILE…]

Every trimmed folder is loaded in a clean process with plain AutoTokenizer and, where there are weights,
AutoModelForMaskedLM; what these report as missing or unexpected is shown. With --held-out (a file for each corpus, in
their order) the unknown tokens of that text, which had no part in anything, are counted before and after.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

_CLEAN = """
import json, sys
from pathlib import Path
from transformers import AutoModelForMaskedLM, AutoTokenizer
before, after, text = sys.argv[1:4]
found = {}
tokenizers = [AutoTokenizer.from_pretrained(folder, local_files_only=True) for folder in (before, after)]
found["tokens"] = len(tokenizers[1])
if list(Path(after).glob("*.safetensors")):
    model, info = AutoModelForMaskedLM.from_pretrained(after, local_files_only=True, output_loading_info=True)
    found["wrong"] = sum(len(info[key]) for key in ("missing_keys", "unexpected_keys", "mismatched_keys"))
    found["rows"] = model.get_input_embeddings().weight.shape[0]
if text:
    lines = Path(text).read_text(encoding="utf-8").splitlines()
    found["unknown"] = [
        sum(ids.count(tokenizer.unk_token_id) for ids in tokenizer(lines)["input_ids"]) for tokenizer in tokenizers
    ]
print(json.dumps(found))
"""


def _output(*command: str) -> Any:
    done = subprocess.run([sys.executable, *command], check=True, capture_output=True, text=True)
    return json.loads(done.stdout.splitlines()[-1])


def _row(model: Path, corpus: Path, size: int, held_out: str) -> str:
    with tempfile.TemporaryDirectory() as name:
        out = f"{name}/out"
        start = time.perf_counter()
        trim = ("-m", "core.cli", "trim", str(model), "--corpus", str(corpus), "--size", str(size), "--out", out)
        found = _output(*trim, "--json")
        seconds = time.perf_counter() - start
        loaded = _output("-c", _CLEAN, str(model), out, held_out)
    if loaded["tokens"] != found["vocabulary"]["after"] or loaded.get("wrong"):
        raise AssertionError(f"{model} trimmed to {size} for {corpus} is not as reported: {loaded}")
    proof, same = found["proof"], found.get("model_proof", {"compared": 0})
    unknown = loaded.get("unknown", ("–", "–"))
    cells = (
        model.name,
        corpus.parent.name,
        f"{found['vocabulary']['after']:,}",
        f"{100 * found['coverage']:.2f} %",
        f"{found['fertility']['before']:.3f} → {found['fertility']['after']:.3f}",
        f"{100 * found['split']:.1f} %",
        f"{found['unknown']['before']} → {found['unknown']['after']}",
        f"{unknown[0]} → {unknown[1]}",
        f"{proof['compared']} of {proof['lines']}",
        f"{proof['spelt']}",
        f"{same['compared']}",
        f"{found['parameters']['after']:,}",
        f"{seconds:.0f}",
    )
    return f"| {' | '.join(cells)} |"


def main() -> None:
    """Run the trims and print a table in Markdown."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--model", type=Path, nargs="+", required=True)
    parser.add_argument("--corpus", type=Path, nargs="+", required=True)
    parser.add_argument("--size", type=int, nargs="+", required=True)
    parser.add_argument("--held-out", nargs="+", default=[])
    options = parser.parse_args()
    head = ("model", "corpus", "tokens", "coverage", "tokens a word", "words split", "unknown", "unknown elsewhere")
    head += ("cut as before", "spelt, no new unknown", "same states and logits", "parameters", "seconds")
    print(f"| {' | '.join(head)} |\n|{'---|' * len(head)}")
    for model in options.model:
        for place, corpus in enumerate(options.corpus):
            for size in options.size:
                print(_row(model, corpus, size, options.held_out[place] if options.held_out else ""), flush=True)


if __name__ == "__main__":
    main()
