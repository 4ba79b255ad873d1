"""What trimming claims of a tokenizer, shown on text that had no part in choosing the tokens. No torch."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass

from tokenizers import Encoding, Tokenizer

from core.context import Context
from core.vocabulary.counting import chunks, without_limits
from core.vocabulary.kinds import Kind
from core.vocabulary.rewriting import numbering
from core.vocabulary.soundness import cutting


@dataclass(frozen=True, slots=True)
class SegmentationProof:
    """What was compared between a tokenizer and its trimmed self, and found as claimed."""

    lines: int
    """Texts looked at."""
    compared: int
    """Those whose tokens are all kept: each is cut the same, id for id through the renumbering."""
    tokens: int
    """Tokens of these, special ones included."""
    spelt: int
    """Texts without a character that the teacher knows and the language does without: none has a new unknown token."""


def prove_segmentation(
    before: Tokenizer,
    after: Tokenizer,
    kind: Kind,
    kept: Sequence[int],
    alphabet: Collection[str],
    texts: Iterable[str],
    ctx: Context,
) -> SegmentationProof:
    """Compare two tokenizers token by token, and on every text, special tokens included.

    Args:
        before: the original.
        after: its trimmed self.
        kind: the original's vocabulary.
        kept: old ids of the kept tokens, ascending.
        alphabet: the characters that the language is promised to be spelt with.
        texts: what to compare on.
        ctx: asked between chunks of texts.

    Raises:
        RuntimeError: a token has another id than its place, a text whose tokens are all kept is cut in another way, or
            one of promised characters has more unknown tokens than before (a fault of ours).
    """
    before, after = without_limits(before), without_limits(after)
    new_id = numbering(kept)
    if after.get_vocab(with_added_tokens=True) != {kind.pieces[old]: new for old, new in new_id.items()}:
        raise RuntimeError("the trimmed tokenizer numbers its tokens in another way than was written")
    lost = kind.characters.difference(alphabet)
    lines = compared = tokens = spelt = 0
    for chunk in chunks(texts):
        ctx.check()
        with cutting(chunk, before):
            cut = before.encode_batch_fast(chunk), after.encode_batch_fast(chunk)
        for text, old, new in zip(chunk, *cut, strict=True):
            lines += 1
            if _comparable(old, new_id, kind):
                compared, tokens = compared + 1, tokens + len(old)
                if [new_id[token] for token in old.ids] != new.ids:
                    raise RuntimeError(f"trimming changed the segmentation of {text[:200]!r}")
            if _is_spelt(text, before, kind, lost):
                spelt += 1
                if kind.unknown is not None and _more_unknown(old, new, kind.unknown, new_id):
                    raise RuntimeError(f"trimming made parts of {text[:200]!r} unknown")
    return SegmentationProof(lines, compared, tokens, spelt)


def _comparable(old: Encoding, new_id: dict[int, int], kind: Kind) -> bool:
    """Whether a text is to be cut as before; an unknown word only where it doesn't hang on its neighbours."""
    if not new_id.keys() >= set(old.ids):
        return False
    return kind.spells_everything or kind.unknown not in old.ids


def _is_spelt(text: str, before: Tokenizer, kind: Kind, lost: frozenset[str]) -> bool:
    """Whether nothing of a text may be unknown that was not unknown before."""
    if kind.spells_bytes:
        return True
    normal = before.normalizer.normalize_str(text) if before.normalizer else text
    return kind.spells_everything and lost.isdisjoint(normal)


def _more_unknown(old: Encoding, new: Encoding, unknown: int, new_id: dict[int, int]) -> bool:
    return new.ids.count(new_id[unknown]) > old.ids.count(unknown)
