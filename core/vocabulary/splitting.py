"""Parts of a text that a tokenizer cuts each by itself: one that comes again need not be cut again. No torch."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any

from tokenizers import Tokenizer
from tokenizers.normalizers import Normalizer
from tokenizers.pre_tokenizers import PreTokenizer

from core.vocabulary.kinds import processors

# None of these joins what a space parts, or looks across one.
_NORMALIZERS = frozenset(
    ("BertNormalizer", "Lowercase", "NFC", "NFD", "NFKC", "NFKD", "Nmt", "Precompiled", "Replace", "Sequence")
)
_AT_SPACES = frozenset(("BertPreTokenizer", "Whitespace", "WhitespaceSplit"))


def splitter(tokenizer: Tokenizer) -> Callable[[str], list[str]]:
    """What splits a text for a tokenizer: at its spaces where these part words for good, else not at all.

    The tokens of the parts, without special tokens, are those of the text.
    """
    if any(step["type"] not in _NORMALIZERS or _spans_spaces(step) for step in _steps(tokenizer.normalizer)):
        return _whole
    added = tokenizer.get_added_tokens_decoder().values()
    if any(" " in token.content or token.rstrip for token in added):
        return _whole
    cuts = [step for step in _steps(tokenizer.pre_tokenizer) if step["type"] != "Sequence"]
    if any(step.get("prepend_scheme") == "first" for step in cuts):
        return _whole  # the first word is another one elsewhere
    first = cuts[0] if cuts else {"type": None}
    if first["type"] in _AT_SPACES:
        return lambda text: text.split(" ")
    if first["type"] == "ByteLevel" and first["use_regex"] and not first["add_prefix_space"]:
        return _with_spaces
    return _whole


def _steps(component: Normalizer | PreTokenizer | None) -> list[Mapping[str, Any]]:
    """A component as tokenizer.json has it, and what it consists of."""
    # What a component is pickled as; the whole tokenizer.json takes half a second at XLM-R's size.
    return [] if component is None else list(processors(json.loads(component.__getstate__())))


def _spans_spaces(step: Mapping[str, Any]) -> bool:
    """Whether a replacement may depend on more than one word; runs of spaces don't."""
    return step["type"] == "Replace" and step["pattern"] not in ({"Regex": " {2,}"}, {"String": "``"}, {"String": "''"})


def _whole(text: str) -> list[str]:
    return [text]


def _with_spaces(text: str) -> list[str]:
    """Each word with the space before it; a text with other white space, whose runs are tokens, stays whole."""
    words = text.split(" ")
    if words != text.split():
        return [text]
    return [words[0], *(f" {word}" for word in words[1:])]
