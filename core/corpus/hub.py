"""Texts of data sets on the hub, streamed. No torch."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, cast

from core.context import Context
from core.corpus.formats import text_column
from core.errors import InputError
from core.hub_data import hub_builder, is_hub_name

HUB = "hub:"


def read_hub(source: str, ctx: Context) -> Iterator[str]:
    """The texts of a data set's training part, streamed; code that comes with a data set is never run."""
    name, configuration, column = hub_parts(source)
    rows = _hub_rows(name, configuration)
    empty = True
    for row in rows:
        ctx.check()
        if empty:
            empty = False
            if column is not None and column not in row:
                raise InputError(
                    f"The data set {name!r} has no column {column!r}.", hint=f"It has {', '.join(map(repr, row))}."
                )
            strings = [key for key, value in row.items() if isinstance(value, str)]
            column = column or text_column(list(row), strings, source)
        text = row[cast(str, column)]
        if not isinstance(text, str | None):
            raise InputError(
                f"The column {column!r} of the data set {name!r} holds no texts.",
                hint=f"Choose another; it has {', '.join(map(repr, row))}.",
            )
        yield text or ""
    if empty:
        raise InputError(f"The training part of {source!r} is empty.", hint="Choose another configuration.")


def hub_parts(source: str) -> tuple[str, str | None, str | None]:
    """Name, configuration and column of "hub:NAME[:CONFIGURATION[:COLUMN]]"."""
    name, *rest = source.removeprefix(HUB).split(":")
    if len(rest) > 2 or not is_hub_name(name):
        raise InputError(
            f"{source!r} does not name a data set.",
            hint="Write hub:NAME:CONFIGURATION:COLUMN, such as hub:cis-lmu/GlotCC-v1:mlt-Latn:content.",
        )
    configuration, column = [part or None for part in (*rest, "", "")[:2]]
    return name, configuration, column


def _hub_rows(name: str, configuration: str | None) -> Iterator[dict[str, Any]]:
    import datasets

    try:
        yield from hub_builder(name, configuration).as_streaming_dataset(split="train")
    except datasets.exceptions.DatasetNotFoundError as error:
        raise InputError(
            f"The hub has no data set {name!r} (or it isn't open to you).", hint="Check the name on huggingface.co."
        ) from error
    except InputError:
        raise
    except ConnectionError as error:
        raise InputError(
            f"The hub can't be reached for the data set {name!r}.",
            hint="Check the internet connection, or download the texts and give the file.",
        ) from error
    except Exception as error:  # whatever the libraries that fetch and unpack it may raise
        raise InputError(
            f"The data set {name!r} can't be read: {error}",
            hint="Check its name and configuration on huggingface.co, or download the texts and give the file.",
        ) from error
