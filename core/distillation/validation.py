"""How good a masked language model is on text that it never trained on."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from core.context import Context
from core.corpus.batches import MaskedBatch
from core.distillation.lesson import Lesson, at_tokens
from core.distillation.losses import hidden_state_sum, masked_language
from core.distillation.places import Output
from core.errors import InputError
from core.models import LanguageModel


@dataclass(frozen=True, slots=True)
class Measured:
    """Means over the places of a validation set; losses in nats, accuracy 0-100."""

    mlm: float
    kd: float | None
    hidden: float | None
    accuracy: float
    tokens: int


def measure(
    lm: LanguageModel,
    batches: Sequence[MaskedBatch],
    ctx: Context,
    *,
    lesson: Lesson | None = None,
    hidden_map: Tensor | None = None,
    scales: Sequence[float] = (),
) -> Measured:
    """Masked-language loss and accuracy, and the distances from a teacher where one is given.

    Args:
        lm: the model; measured in evaluation mode, on the device it is on.
        batches: masked validation texts.
        ctx: asked between batches whether to go on.
        lesson: what is distilled from.
        hidden_map: carries the model's hidden states into the teacher's space; None: these aren't compared.
        scales: of these distances, see `hidden_state_sum`.

    Raises:
        InputError: nothing is masked in any batch.
    """
    training, device = lm.model.training, lm.model.device
    lm.model.eval()
    output = Output(lm.decoder, lm.decoder[0].dtype, learns=False)
    mlm = kd = far = correct = 0.0
    places = tokens = kd_places = 0
    try:
        with torch.no_grad():
            if lesson is not None:
                lesson.distance.begin(lm, output, sum(batch.tokens for batch in batches))
            for batch in batches:
                ctx.check()
                batch = batch.to(device)
                states = lm.layer_states(batch.input_ids, batch.attention_mask) if hidden_map is not None else ()
                hidden = states[-1].flatten(0, 1) if states else hidden_at(lm, batch)
                features = lm.head_features(hidden[batch.positions])
                places += len(batch.labels)
                tokens += batch.tokens
                if lesson is None:
                    told = masked_language(features, output, batch.labels, 1.0)
                else:
                    where = lesson.places(batch)
                    answer = lesson.answer(batch, layers=len(states))
                    own = lm.head_features(hidden[where]) if lesson.distance.everywhere else features
                    told = lesson.distance.told(features, batch.labels, own, answer["features"], output, (1.0, 1.0))
                    kd_places += len(where)
                    if hidden_map is not None:
                        far += hidden_state_sum(at_tokens(states, batch), answer["hidden"], hidden_map, scales).item()
                mlm += told.mlm.item()
                correct += told.correct.item()
                kd += told.kd.item() if told.kd is not None else 0.0
    finally:
        lm.model.train(training)
    if not places:
        raise InputError(
            f"The validation texts hold no token that the teacher knows ({tokens:,} special and unknown ones).",
            hint="Give more text, or choose a teacher that knows the script of corpus.sources.",
        )
    return Measured(
        mlm / places,
        kd / kd_places if lesson is not None else None,
        far / tokens if hidden_map is not None else None,
        100 * correct / places,
        tokens,
    )


def hidden_at(lm: LanguageModel, batch: MaskedBatch) -> Tensor:
    """The last hidden state of every place, shape (batch * seq, hidden)."""
    return lm.hidden_states(batch.input_ids, batch.attention_mask).flatten(0, 1)
