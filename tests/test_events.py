"""Records of older runs: what an event has gained since is filled in, what it always had must be there."""

from __future__ import annotations

import pytest

from core.events import Loss, from_record, to_record

LOSS = Loss(stage="hidden", step=3, tokens=10, mlm=2.5, kd=0.5, total=1.6, split="train", hidden=0.2)


def test_a_loss_from_before_hidden_states_were_learnt_has_none() -> None:
    record = to_record(LOSS, 1.0)
    assert from_record(record) == LOSS
    del record["hidden"]
    found = from_record(record)
    assert isinstance(found, Loss) and found.hidden is None and found.kd == LOSS.kd


def test_a_loss_without_what_every_version_writes_is_no_event() -> None:
    record = to_record(LOSS, 1.0)
    del record["mlm"]
    with pytest.raises(KeyError, match="mlm"):
        from_record(record)
