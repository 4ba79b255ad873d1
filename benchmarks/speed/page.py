"""The measurements as Markdown. No torch."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from benchmarks.ablation.page import markdown_table

_REFERENCE = "reference"
_CURVE = 12
"""Parts that a curve's table has at most; the JSON has every point."""
_STEP = (
    "model, stage",
    "side",
    "real tokens/s",
    "× the reference",
    "s a step",
    "real tokens a step",
    "peak memory, GB",
    "of the reference's",
    "padding",
    "products, G/s before → after",
    "share of that rate",
)


def step_table(results: Sequence[Mapping[str, Any]]) -> str:
    """Steps, a line a side; shares of the rate are of the multiplications that real tokens need."""
    lines = []
    for found in results:
        reference = found["sides"].get(_REFERENCE)
        for name, side in found["sides"].items():
            speed, memory = side["tokens_per_second"], side["peak_megabytes"]
            rates, shares = side["rate"], side["share_of_rate"]
            precision = "" if found["precision"] == "float32" else f", {found['precision']}"
            lines.append(
                [
                    f"{found['model']}, {found['stage']}{precision}",
                    name,
                    f"{speed:,.1f}",
                    _ratio(speed, reference and reference["tokens_per_second"], "{:.1f}"),
                    f"{side['seconds_a_step']:.1f}",
                    f"{side['tokens'] / side['steps']:,.0f}",
                    f"{memory / 1000:.2f}",
                    _ratio(memory, reference and reference["peak_megabytes"], "{:.2f}"),
                    f"{100 * side['padding']:.1f} %",
                    f"{rates['before'] / 1e9:.1f} → {rates['after'] / 1e9:.1f}",
                    f"{100 * shares['real']:.0f} %",
                ]
            )
    return markdown_table(_STEP, lines, words=2)


def _ratio(value: float, of: float | None, form: str) -> str:
    return form.format(value / of) if of else "–"


def profile_table(found: Mapping[str, Any]) -> str:
    """Where a step's time goes."""
    lines = [
        [kind, f"{one['seconds']:.2f}", f"{100 * one['seconds'] / found['seconds']:.1f} %", f"{one['calls']:,}"]
        for kind, one in found["kinds"].items()
    ]
    about = (
        f"{found['model']}, {found['stage']}, {found['side']}, {found['precision']}: a step of {found['tokens']:,} "
        f"tokens, {found['seconds']:.1f} s ({found['seconds_unwatched']:.1f} s when it isn't watched), "
        f"threads: {found['threads']}."
    )
    return f"{about}\n\n{markdown_table(('work', 's', 'share', 'calls'), lines, words=1)}"


def race_table(found: Mapping[str, Any]) -> str:
    """A race: both sides' ends, when ours was there, what came before its steps, the curves."""
    ends = {name: found[name]["curve"][-1] for name in (_REFERENCE, "ours")}
    reached = found["reached"]
    lines = [[name, *_point(end), "–"] for name, end in ends.items()]
    if reached is not None:
        lines.insert(1, ["ours, when it is there", *_point(reached), f"{reached['times_sooner']:.1f}"])
    else:
        lines.append(["ours is never there", *["–"] * 6])
    ours, places = found["ours"], found["ours"]["validation"]
    about = (
        f"{found['model']} on {found['text']}, {found['precision']}, threads: {ours['threads']}; teacher "
        f"{ours['teacher_loss']:.3f}. Validated on {places['tokens']:,} tokens, {places['places']:,} of them masked. "
        f"Ours: {ours['vocabulary']:,} tokens, layers {_list(ours['layers'])}, learning rate "
        f"{ours['learning_rate']:.2g}; the reference: layers {_list(found[_REFERENCE]['layers'])}. {found['compared']}"
    )
    spent = ", ".join(f"{part} {seconds:.1f} s" for part, seconds in ours["parts"].items())
    head = ("side", "validation loss", "accuracy", "s", "steps", "real tokens", "times sooner")
    curves = "\n\n".join(_curve(name, found[name]["curve"]) for name in ends)
    return f"{about}\n\n{markdown_table(head, lines, words=1)}\n\nOurs: {spent}.\n\n{curves}"


def _point(point: Mapping[str, float]) -> list[str]:
    shown = [f"{point['loss']:.3f}", f"{point['accuracy']:.1f}", f"{point['seconds']:,.1f}"]
    return [*shown, f"{point['step']:,}", f"{point['tokens']:,}"]


def _curve(name: str, points: Sequence[Mapping[str, float]]) -> str:
    places = sorted({round(place * (len(points) - 1) / _CURVE) for place in range(_CURVE + 1)})
    shown = [points[place] for place in places]
    lines = [[f"{point['seconds']:,.1f}", f"{point['step']:,}", f"{point['loss']:.3f}"] for point in shown]
    return markdown_table((f"{name}: s", "step", "loss"), lines, words=0)


def _list(numbers: Sequence[int]) -> str:
    return ", ".join(map(str, numbers))


_TABLES = {"profile": profile_table, "race": race_table}


def tables(results: Sequence[Mapping[str, Any]]) -> str:
    """Everything that was measured: steps in one table, then each of the others."""
    steps = [found for found in results if found["kind"] == "step"]
    parts = [texts_table(steps), step_table(steps)] if steps else []
    parts += [_TABLES[found["kind"]](found) for found in results if found["kind"] in _TABLES]
    return "\n\n".join(parts)


def texts_table(results: Sequence[Mapping[str, Any]]) -> str:
    """What the steps read, and on what machine."""
    lines = []
    for found in results:
        sides = list(found["sides"].values())
        texts = sides[0]["texts"]
        machine = f"{found.get('machine', '')}, threads: {sides[0]['threads']}, torch {sides[0]['torch']}"
        lengths = [f"{texts[name]:,}" for name in ("texts", "tokens", "least", "25 %", "median", "75 %", "most")]
        others = [f"{100 * side['padding_of_other_texts']:.1f} %" for side in sides if "padding_of_other_texts" in side]
        named = f"{found['model']}, {found['stage']}"
        lines.append([named, found["text"], machine, *lengths, str(found["batch"]), " / ".join(others) or "–"])
    head = ("model, stage", "text", "machine", "texts", "tokens", "least", "25 %", "median", "75 %", "most")
    return markdown_table((*head, "texts a step", "our padding where no text stands twice"), lines, words=3)
