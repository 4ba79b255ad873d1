"""The built-in sample: generated text and tasks in four languages, and a small teacher trained on them.

Nothing here was collected from people or the web: see README.md in this folder.
"""

from pathlib import Path

LANGUAGES = ("mlt", "slk", "swh", "eng")
KINDS = ("topic", "sentiment", "ner", "pos")

_HERE = Path(__file__).parent


def teacher_folder() -> Path:
    """The folder of the teacher: config.json, model.safetensors, tokenizer files."""
    return _HERE / "teacher"


def corpus_file(language: str = "mlt") -> Path:
    """The text of a language, one text a line.

    Raises:
        ValueError: the sample does not hold the language.
    """
    return _HERE / "texts" / f"{_known(language, LANGUAGES)}.txt"


def task_folder(kind: str, language: str = "mlt") -> Path:
    """The folder of a task, with train, validation and test.

    Raises:
        ValueError: the sample does not hold the kind or the language.
    """
    return _HERE / "tasks" / _known(language, LANGUAGES) / _known(kind, KINDS)


def _known(name: str, names: tuple[str, ...]) -> str:
    if name not in names:
        raise ValueError(f"The sample holds no {name!r}; it holds {', '.join(names)}.")
    return name
