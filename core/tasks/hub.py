"""Labelled data sets of the Hugging Face hub: Parquet and other plain files, never a script. No torch at import."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from core.errors import InputError
from core.hub_data import hub_builder, is_hub_name
from core.known_data import HUB, KnownSet, known_set, known_tasks
from core.languages import check_language, macrolanguages
from core.tasks.examples import SPLITS, Placed, SplitRead, TextExample, TokenExample
from core.tasks.fetching import fetch
from core.tasks.formats import lines_of, read_columns
from core.tasks.kinds import KINDS
from core.tasks.schemes import to_iob2

_COLUMNS: Mapping[str, tuple[tuple[str, ...], tuple[str, ...]]] = {
    "text": (("text", "sentence"), ("label", "category")),
    "ner": (("tokens",), ("ner_tags", "tags")),
    "pos": (("tokens",), ("upos", "tags")),
}
"""Names under which data sets hold the input and its labels; the first that is there counts."""
_OTHER_NAMES = {"validation": ("validation", "valid", "dev")}
_NO_WORD = ("_", None)
"""In place of a part of speech: the row is of a multiword token, whose words follow it."""
_FILES_HINT = "Choose another data set, or save its splits as files and give their folder."


# -- names -----------------------------------------------------------------------------------------------------------


def parse_source(source: str) -> tuple[str, str | None]:
    """Name and configuration of a `hub:NAME` or `hub:NAME:CONFIG` source.

    Raises:
        InputError: it is neither.
    """
    name, *rest = source.removeprefix(HUB).split(":")
    if not is_hub_name(name) or len(rest) > 1 or (rest and not rest[0]):
        raise InputError(
            f"{source!r} does not name a labelled data set.",
            hint='Write "hub:NAME" or "hub:NAME:CONFIGURATION", such as "hub:Davlan/sib200:mlt_Latn".',
        )
    return name, rest[0] if rest else None


def full_source(kind: str, source: str, language: str) -> str:
    """A task's source, a hub set with the configuration that it has for a language where it names none itself.

    Only for sets that `resources/datasets.toml` lists; all else is given back as it is. Never asks the hub.

    Args:
        kind: the kind of task.
        source: as in a recipe.
        language: ISO 639-3 code.

    Raises:
        InputError: the name is misshapen, the set holds another kind of data, its repository would have to run a
            script, or it has nothing in the language, or more than one thing.
    """
    if not source.startswith(HUB):
        return source
    name, configuration = parse_source(source)
    known = known_set(name)
    if known is None:
        return source
    if name.casefold() in (other.casefold() for other in known.script_only):
        instead = f"{HUB}{known.name}" + (f":{configuration}" if configuration else "")
        raise InputError(
            f"To get {name!r} from the hub, its own script would have to run, which Monoglot never does.",
            hint=f'Write "{instead}": {known.title} as plain files.',
        )
    if known.kind != kind:
        raise InputError(
            f"{name!r} ({known.title}) is no data of the kind {kind}.",
            hint=f'Set the kind to "{known.kind}".' if known.kind in KINDS else _FILES_HINT,
        )
    if configuration or not known.source.endswith(":{}"):
        return source
    found = known.in_language(language)
    if len(found) != 1:
        raise _not_one(known, language, [data.source for data in found])
    return found[0].source


def _not_one(known: KnownSet, language: str, sources: Sequence[str]) -> InputError:
    """A set has no data in a language, or more than one thing."""
    if sources:
        return InputError(
            f"{known.title} has {_language_name(language)} more than once.", hint=f"Write {_quoted(sources)}."
        )
    macro = macrolanguages()
    whole = macro.get(language, language)
    others = [data.source for data in known_tasks(language) if data.kind == known.kind]
    related = [code for code in sorted(known.configurations) if whole in (code, macro.get(code))]
    hints = [f"There is {_quoted(others)} in this language."] if others else []
    hints += [f"It has the related {', '.join(map(_language_name, related))}."] if related else []
    hints += [] if hints else [f"It has {len(known.configurations)} other languages."]
    return InputError(
        f"{known.title} has no data in {_language_name(language)}.",
        hint=f"{' '.join(hints)} Or give a folder with files of your own.",
    )


def _quoted(sources: Sequence[str]) -> str:
    return " or ".join(f'"{source}"' for source in sources)


def _language_name(code: str) -> str:
    try:
        return f"{check_language(code)} ({code})"
    except InputError:  # told elsewhere
        return repr(code)


# -- reading ---------------------------------------------------------------------------------------------------------


def read_hub(kind: str, source: str) -> dict[str, SplitRead]:
    """The splits of a hub data set; lines are rows, from 1, or those of its plain files.

    Entity tags become IOB2. Rows in place of a multiword token are left out, as in CoNLL-U.

    Raises:
        InputError: there is no such data set or configuration, the hub can't be reached, or the layout is unknown.
    """
    name, configuration = parse_source(source)
    known = known_set(name)
    splits = _download(source, name, configuration, known)
    result = {}
    for split in SPLITS:
        found = next((each for each in _OTHER_NAMES.get(split, (split,)) if each in splits), None)
        if found is None:
            raise InputError(f"{source} has no {split} split; it has: {', '.join(splits)}.", hint=_FILES_HINT)
        result[split] = _read_split(kind, f"{source} ({found})", splits[found], known)
    return result


def _download(source: str, name: str, configuration: str | None, known: KnownSet | None) -> Mapping[str, Any]:
    import datasets

    try:
        if known is None or not known.files:
            builder = hub_builder(name, configuration)
            builder.download_and_prepare()
            return builder.as_dataset()  # type: ignore[no-any-return]
        files = fetch({split: address.format(configuration) for split, address in known.files.items()})
        return {split: _PLAIN[path.suffix](path) for split, path in files.items()}
    except datasets.exceptions.DatasetNotFoundError as error:
        raise InputError(
            f"The hub has no data set {name!r} (or it isn't open to you).", hint="Check the name on huggingface.co."
        ) from error
    except InputError:
        raise
    except ConnectionError as error:
        raise InputError(
            f"The data set {name!r} is not on this machine and its server can't be reached.",
            hint="Connect to the internet once, or save its splits as files and give their folder.",
        ) from error
    except Exception as error:  # whatever a stranger's data set makes the library raise
        raise _unloadable(source, name, known, error) from error


def _unloadable(source: str, name: str, known: KnownSet | None, error: Exception) -> InputError:
    if "scripts are no longer supported" in str(error):
        return InputError(
            f"To get {name!r} from the hub, its own script would have to run, which Monoglot never does.",
            hint="Look for a copy in Parquet, or download its files and give a folder with them.",
        )
    hint = "Check its configurations on huggingface.co, or give a folder."
    if known is not None and ":{}" in known.source:
        names = [configuration for these in known.configurations.values() for configuration in these]
        hint = f"Known configurations: {', '.join(_nearest(source.rpartition(':')[2], names))}. {hint}"
    return InputError(f"{source} can't be loaded: {error}", hint=hint)


def _nearest(wanted: str, names: Sequence[str]) -> list[str]:
    """A few names, those first that begin like the one that is wanted."""
    return sorted(names, key=lambda name: (not name.startswith(wanted), name[:2] != wanted[:2], name))[:5]


def _rows(path: Path) -> Any:
    import datasets
    from pyarrow import parquet

    return datasets.Dataset(parquet.read_table(path))


_PLAIN: Mapping[str, Callable[[Path], Any]] = {".txt": lines_of, ".parquet": _rows}
"""Readers of plain files: lines in CoNLL's form, or rows with columns."""


def _read_split(kind: str, name: str, content: Any, known: KnownSet | None) -> SplitRead:
    """A split's examples from its rows or lines."""
    placed = read_columns(name, content) if isinstance(content, list) else _examples(kind, name, content, known)
    if kind != "ner":
        return SplitRead(name, placed)
    # Whoever reads a stranger's data can't correct them: what the scheme doesn't allow is told, not refused.
    return SplitRead(name, *to_iob2(name, placed, mend=True))


def _examples(kind: str, name: str, rows: Any, known: KnownSet | None) -> list[Placed[Any]]:
    unit = KINDS[kind].unit
    inputs, labels = _COLUMNS["text" if unit == "text" else kind]
    if known is not None and known.columns:
        inputs, labels = (known.columns[0],), (known.columns[1],)
    input_column, label_column = (
        next((column for column in names if column in rows.column_names), None) for names in (inputs, labels)
    )
    if input_column is None or label_column is None:
        raise InputError(
            f"{name} has the columns {', '.join(rows.column_names)}; the task {kind} wants "
            f"{' or '.join(inputs)}, and {' or '.join(labels)}.",
            hint=_FILES_HINT,
        )
    feature = rows.features[label_column]
    to_name = _label_names(label_column, feature if unit == "text" else getattr(feature, "feature", feature))
    make: Callable[..., Placed[Any] | None] = _text_example if unit == "text" else _token_example
    examples = []
    for row, (given, label) in enumerate(zip(rows[input_column], rows[label_column], strict=True), start=1):
        try:
            examples.append(make(kind, row, input_column, given, label, to_name))
        except ValueError as error:
            raise InputError(
                f"{name}, line {row}: {error}.",
                hint="Choose another data set, or save its splits as files and correct them.",
            ) from error
    return [placed for placed in examples if placed is not None]


def _label_names(column: str, feature: Any) -> Callable[[Any], str | None]:
    """Turns a label into its name: None where there is no label, empty where it is withheld (-1) or blank."""
    names = getattr(feature, "names", None)

    def name(value: Any) -> str | None:
        if value is None:
            return None
        if not isinstance(value, str | int):
            raise ValueError(f"the column {column!r} holds a label of the type {type(value).__name__}")
        if names is not None:
            value = names[value] if value in range(len(names)) else ""
        return "" if value == -1 else str(value).strip()

    return name


def _text_example(
    kind: str, row: int, column: str, text: Any, label: Any, to_name: Callable[[Any], str | None]
) -> Placed[TextExample]:
    named = to_name(label)
    if not isinstance(text, str) or not text.strip() or not named:
        raise ValueError("the text or its label is missing")
    return Placed(TextExample(text.strip(), named), (row,))


def _token_example(
    kind: str, row: int, column: str, tokens: Any, tags: Any, to_name: Callable[[Any], str | None]
) -> Placed[TokenExample] | None:
    if not isinstance(tokens, list) or not isinstance(tags, list) or len(tokens) != len(tags) or not tokens:
        raise ValueError("tokens and tags are not lists of one length")
    pairs = [(token, to_name(tag)) for token, tag in zip(tokens, tags, strict=True)]
    if kind == "pos":
        pairs = [(token, tag) for token, tag in pairs if tag not in _NO_WORD]
        if not pairs:
            return None
    for token, tag in pairs:
        if token is not None and not isinstance(token, str):
            raise ValueError(f"the column {column!r} holds a token of the type {type(token).__name__}")
        if not token or not token.strip() or not tag:
            raise ValueError("a token or its tag is missing")
    words, names = zip(*pairs, strict=True)
    return Placed(TokenExample(words, names), (row,) * len(words))
