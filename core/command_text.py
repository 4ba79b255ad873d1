"""What commands found, in words for the terminal. No torch."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from core.export.measures import language_note, language_rows, speed_note, speed_rows
from core.tables import text_table
from core.wording import clean, clean_path, doubts_text, measured_by, megabytes, number, parameters, whole_score


def evaluation_text(found: Mapping[str, Any]) -> str:
    """What `monoglot evaluate` found of a model."""
    rows = [
        ("parameters", parameters(found["parameters"])),
        ("size", megabytes(found["megabytes"])),
        ("masked-language loss", number(found["mlm_loss"], 3)),
        ("masked-token accuracy", number(found["mlm_accuracy"])),
        *language_rows((found,)),
    ]
    rows += [(f"{name} ({measured_by(task)})", whole_score(task)) for name, task in found["tasks"].items()]
    rows += speed_rows(found.get("inference"), ("model",))
    tables = [text_table(("", "model"), rows)]
    for name, task in found["tasks"].items():
        each = [
            (label, *(number(scores[column]) for column in ("precision", "recall", "f1")), f"{scores['support']:,}")
            for label, scores in task["labels"].items()
        ]
        tables.append(text_table((name, "precision", "recall", "F1", "support"), each))
    notes = language_note((found,)), speed_note(found.get("inference")), doubts_text(found)
    return "\n\n".join([*tables, *filter(None, notes)])


def trim_text(found: Mapping[str, Any], out: Path) -> str:
    """What `monoglot trim` made in a folder."""
    rows = [
        ("vocabulary", f"{found['vocabulary']['before']:,}", f"{found['vocabulary']['after']:,}"),
        ("parameters", f"{found['parameters']['before']:,}", f"{found['parameters']['after']:,}"),
        ("tokens a word", number(found["fertility"]["before"], 3), number(found["fertility"]["after"], 3)),
        ("unknown tokens", f"{found['unknown']['before']:,}", f"{found['unknown']['after']:,}"),
    ]
    kept = ", ".join(f"{count:,} {reason}" for reason, count in found["kept"].items() if count)
    proof = found["proof"]
    lines = [
        f"Kept: {kept}; {100 * found['coverage']:.2f} % of the corpus' tokens.",
        f"Proved on {proof['lines']:,} held-out texts: {proof['compared']:,} of kept tokens only are cut as before;",
        f"{proof['spelt']:,} are spelt by the kept alphabet and have no new unknown token.",
        f"{100 * found['split']:.1f} % of the words take more tokens than before; the worst:",
        *(f"  {clean(word['word'])}  {_cut(word['before'])} -> {_cut(word['after'])}" for word in found["worst"][:5]),
    ]
    if found["weights"]:
        same = found["model_proof"]
        lines.insert(
            3, f"On {same['compared']:,} held-out texts ({same['tokens']:,} kept tokens) the model itself is the same."
        )
    else:
        lines.append("The folder holds no weights: tokenizer and configuration were trimmed.")
    return "\n".join([text_table(("", "before", "after"), rows), "", *lines, "", clean_path(out.absolute())])


def conversion_text(found: Mapping[str, Any]) -> str:
    """What `monoglot convert` made in a folder."""
    head = "" if found["has_head"] else "\nThe model has no masked-language head: adapting it trains one."
    size = megabytes(found["bytes"] / 1e6)
    tensors = f"{found['tensors']:,} tensors ({size}) are safetensors now; the model loads.{head}"
    return f"{tensors}\n\n{clean_path(found['folder'])}"


def _cut(pieces: list[str]) -> str:
    return clean("|".join(pieces))


def corpus_text(found: Mapping[str, Any]) -> str:
    """What `monoglot corpus` found in files."""

    def section(title: str, lines: list[str]) -> list[str]:
        return ["", title, *(f"  {clean(line)}" for line in lines)] if lines else []

    reasons = {"empty": "empty", "repeated": "repeated", "short": "too short", "other_script": "in another script"}
    dropped = ", ".join(f"{found['dropped'][key]:,} {words}" for key, words in reasons.items() if found["dropped"][key])
    scripts = ", ".join(f"{name} {100 * share:.1f} %" for name, share in found["scripts"].items())
    complaints = [f"{entry['file']}:{entry['line']}: {entry['problem']}" for entry in found["complaints"]]
    more = found["complaint_count"] - len(complaints)
    lines = [
        f"{found['files']:,} files of {megabytes(found['bytes'] / 1e6)}, {found['texts']:,} texts",
        f"A run keeps {found['kept']:,} of them" + (f"; dropped: {dropped}" if dropped else ""),
        *([f"Letters: {scripts}"] if scripts else []),
        *section("The first texts:", found["first"][:5]),
        *section("Warnings:", found["warnings"]),
        *section("Complaints:", [*complaints, *([f"… and {more:,} more"] if more else [])]),
    ]
    return "\n".join(lines)
