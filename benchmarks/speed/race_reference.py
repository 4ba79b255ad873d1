"""The reference's side of the race: the last half of the layers, its settings, the whole vocabulary."""

from __future__ import annotations

import random
import time

import torch

from benchmarks.speed.models import Pair
from benchmarks.speed.race_setting import Clock, Curve, given
from benchmarks.speed.reference import reference
from benchmarks.speed.texts import ids_of
from core.compression.layers import cut_layers, select_layers
from core.compression.vocabulary import cut_vocabulary
from core.stages import STAGES
from core.workspace import Workspace

_POINTS = 20
"""Of the curve, at most, but for its end."""


def main() -> None:
    """Learn, and say how the loss fell."""
    setting = given()
    work, teacher = setting.workspace("reference", Workspace), setting.load()
    # What ours keeps, for validation alone.
    trimmed = STAGES["vocabulary"](teacher, work)
    kept = trimmed.notes["kept"]
    layers = select_layers(teacher.sizes.layers, setting.layers, "last", setting.seed)
    student = cut_layers(teacher, layers)
    texts = [ids_of(text, teacher.tokenizer, teacher.max_length) for text in work.corpus.train]
    curve = Curve(Clock(), setting.validation(teacher, trimmed.lm, kept))
    torch.use_deterministic_algorithms(False)  # ours wants it, the reference doesn't
    torch.manual_seed(setting.seed)
    side = reference(Pair(teacher, student), bfloat16=setting.precision == "bfloat16")
    draw = random.Random(setting.seed)
    order: list[int] = []
    tokens, interval = 0, -(-setting.steps // _POINTS)
    curve.clock.begin("steps")
    for step in range(setting.steps + 1):
        if step % interval == 0 or step == setting.steps:
            since = time.perf_counter()
            curve.add(step, tokens, cut_vocabulary(student, kept), since)
        if step == setting.steps:
            break
        while len(order) < setting.batch:
            order += draw.sample(range(len(texts)), len(texts))
        chosen, order = order[: setting.batch], order[setting.batch :]
        side.set_rate(1 - step / setting.steps)
        side.step([texts[text] for text in chosen])
        tokens += sum(len(texts[text]) for text in chosen)
    curve.clock.stop()
    curve.told(layers=layers)


if __name__ == "__main__":
    main()
