"""Labelled data sets of the Hugging Face hub. No torch at import."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from core.errors import InputError
from core.tasks.examples import SPLITS, Example, Placed, TextExample, TokenExample
from core.tasks.formats import tag_fault
from core.tasks.kinds import KINDS

_COLUMNS = {
    "text": (("text", "sentence"), ("label", "category")),
    "ner": (("tokens",), ("ner_tags", "tags")),
    "pos": (("tokens",), ("upos", "tags")),
}
"""Names under which data sets hold the input and its labels; the first that is there counts."""
_OTHER_NAMES = {"validation": ("validation", "valid", "dev")}


def parse_source(source: str) -> tuple[str, str | None]:
    """Name and configuration of a `hub:NAME` or `hub:NAME:CONFIG` source.

    Raises:
        InputError: it is neither.
    """
    name, *rest = source.removeprefix("hub:").split(":")
    if not name or len(rest) > 1 or (rest and not rest[0]):
        raise InputError(
            f"{source!r} does not name a labelled data set.",
            hint='Write "hub:NAME" or "hub:NAME:CONFIGURATION", such as "hub:Davlan/sib200:mlt_Latn".',
        )
    return name, rest[0] if rest else None


def read_hub(kind: str, source: str) -> dict[str, tuple[str, list[Placed[Example]]]]:
    """The splits of a hub data set, as `assemble` takes them; lines are rows, from 1.

    Raises:
        InputError: there is no such data set or configuration, the hub can't be reached, or the layout is unknown.
    """
    splits = _download(source, *parse_source(source))
    result = {}
    for split in SPLITS:
        found = next((name for name in _OTHER_NAMES.get(split, (split,)) if name in splits), None)
        if found is None:
            raise InputError(
                f"{source} has no {split} split; it has: {', '.join(splits)}.",
                hint="Choose another data set, or save its splits as files and give their folder.",
            )
        name = f"{source} ({found})"
        result[split] = (name, _examples(kind, name, splits[found]))
    return result


def _download(source: str, name: str, config: str | None) -> Mapping[str, Any]:
    import datasets

    try:
        return datasets.load_dataset(name, config)  # type: ignore[no-any-return]
    except datasets.exceptions.DatasetNotFoundError as error:
        raise InputError(
            f"The hub has no data set {name!r} (or it isn't open to you).", hint="Check the name on huggingface.co."
        ) from error
    except ConnectionError as error:
        raise InputError(
            f"The data set {name!r} is not on this machine and the hub can't be reached.",
            hint="Connect to the internet once, or save its splits as files and give their folder.",
        ) from error
    except Exception as error:  # whatever a stranger's data set makes the library raise
        raise InputError(
            f"{source} can't be loaded: {error}", hint="Check its configurations on huggingface.co, or give a folder."
        ) from error


def _examples(kind: str, name: str, rows: Any) -> list[Placed[Example]]:
    unit = KINDS[kind].unit
    inputs, labels = _COLUMNS["text" if unit == "text" else kind]
    input_column, label_column = (
        next((column for column in names if column in rows.column_names), None) for names in (inputs, labels)
    )
    if input_column is None or label_column is None:
        raise InputError(
            f"{name} has the columns {', '.join(rows.column_names)}; the task {kind} wants "
            f"{' or '.join(inputs)}, and {' or '.join(labels)}.",
            hint="Choose another data set, or save its splits as files and give their folder.",
        )
    to_name = _label_names(rows.features[label_column])
    make = _text_example if unit == "text" else _token_example
    pairs = zip(rows[input_column], rows[label_column], strict=True)
    return [make(kind, name, row, given, label, to_name) for row, (given, label) in enumerate(pairs, start=1)]


def _label_names(feature: Any) -> Callable[[Any], str]:
    """Turns a column's label, or each of its labels, into its name."""
    feature = getattr(feature, "feature", feature)
    names = getattr(feature, "names", None)
    return str if names is None else lambda value: str(names[value])


def _text_example(
    kind: str, name: str, row: int, text: Any, label: Any, to_name: Callable[[Any], str]
) -> Placed[Example]:
    if not isinstance(text, str) or not text.strip() or label is None or label == "":
        raise _bad_row(name, row, "the text or its label is missing")
    return Placed(TextExample(text.strip(), to_name(label)), (row,))


def _token_example(
    kind: str, name: str, row: int, tokens: Any, tags: Any, to_name: Callable[[Any], str]
) -> Placed[Example]:
    if not isinstance(tokens, list) or not isinstance(tags, list) or len(tokens) != len(tags) or not tokens:
        raise _bad_row(name, row, "tokens and tags are not lists of one length")
    names = [to_name(tag) for tag in tags]
    if kind == "ner":
        for previous, tag in zip(["O", *names], names, strict=False):
            fault = tag_fault(tag, previous)
            if fault:
                raise _bad_row(name, row, fault[0].removesuffix("."))
    return Placed(TokenExample(tuple(tokens), tuple(names)), (row,) * len(names))


def _bad_row(name: str, row: int, problem: str) -> InputError:
    return InputError(
        f"{name}, line {row}: {problem}.", hint="Choose another data set, or save its splits as files and correct them."
    )
