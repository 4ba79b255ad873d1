"""What models know of a language and how fast they read, as rows of tables; nothing for runs of older versions."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from core.wording import memory, milliseconds, number

Row = tuple[str, ...]

_LANGUAGE = (
    ("pseudo-perplexity a token", "pseudo_perplexity", 1),
    ("pseudo-perplexity a word", "pseudo_perplexity_a_word", 1),
    ("tokens a word", "tokens_a_word", 2),
)


def language_rows(models: Sequence[Mapping[str, Any]]) -> list[Row]:
    """A measure and its value for each model.

    Args:
        models: `teacher` and `student` of results.json, or what `evaluate` says of a model.
    """
    return [
        (name, *(number(model.get(key), digits) for model in models))
        for name, key, digits in _LANGUAGE
        if any(key in model for model in models)
    ]


def language_note(models: Sequence[Mapping[str, Any]]) -> str:
    """How pseudo-perplexity was measured; empty where it wasn't. Arguments as above."""
    counts = [model["pseudo_perplexity_tokens"] for model in models if "pseudo_perplexity_tokens" in model]
    if not counts:
        return ""
    told = " and ".join(f"{count:,}" for count in dict.fromkeys(counts))
    return (
        f"Pseudo-perplexity: {told} tokens of held-out text, each masked by itself, unknown ones left out; between "
        "vocabularies, that a word compares."
    )


def speed_rows(inference: Mapping[str, Any] | None, names: Sequence[str]) -> list[Row]:
    """Time and memory on the machine that measured them.

    Args:
        inference: `throughput.inference` of results.json, or `inference` of what `evaluate` says.
        names: of the models in it.
    """
    if not inference:
        return []
    words: tuple[tuple[str, Callable[[Any], str]], ...] = (
        ("one text", milliseconds),
        ("32 texts at once", milliseconds),
        ("texts a second, one by one", number),
        ("texts a second, 32 at once", number),
        ("memory", memory),
    )
    values = zip(*(speeds(inference, name) for name in names), strict=True)
    return [(name, *map(told, row)) for (name, told), row in zip(words, values, strict=True)]


def speeds(inference: Mapping[str, Any], name: str) -> list[Any]:
    """What was measured of a model; None for what wasn't.

    Returns:
        `milliseconds`, `low` and `high` of a text, and of 32 at once; texts a second, one by one, and 32 at once;
        megabytes of memory.
    """
    model = inference.get(name) or {}
    batches = [model.get("batches", {}).get(size) for size in ("1", "32")]
    rates = [batch and batch["texts_per_second"] for batch in batches]
    return [*batches, *rates, model.get("peak_memory_megabytes")]


def speed_note(inference: Mapping[str, Any] | None) -> str:
    """What the times are of; empty where there are none."""
    if not inference:
        return ""
    threads = inference["threads"]
    return (
        f"Speed: texts of {number(inference['tokens_a_text'], 0)} tokens, {threads} "
        f"thread{'' if threads == 1 else 's'}, float32, from the letters to the encoder's states; the median on this "
        "machine, and where eight of ten lie. Memory is a whole process's, Python and libraries included."
    )
