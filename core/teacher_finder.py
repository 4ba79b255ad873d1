"""Which teacher suits a text: how each one on this machine cuts it and predicts it, and what it had read.

Torch is imported only where a teacher has weights to predict with.
"""

from __future__ import annotations

import heapq
import itertools
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from core.context import Context, Unmeasured
from core.errors import InputError, gathering
from core.languages import check_language
from core.pretraining import Volume, pretraining_volume, volume_words
from core.recipe import LEAST_LETTERS
from core.seeds import derive
from core.sources import check_model_folder, downloaded, local_folder
from core.teachers import known_teachers, on_this_machine, own_parameters
from core.wording import last_name

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

    from core.errors import Fault
    from core.vocabulary.fertility import WordCuts

TEXTS = 300
"""That teachers are tried on."""
MOST_UNKNOWN = 0.01
"""Share of the tokens up to which a teacher can be said to know the script."""
ORDER = (
    "First teachers that can spell the text (at most 1 % of its tokens unknown); among them those that need the fewest "
    "tokens a word."
)
"""How teachers are sorted, and why not otherwise."""
NOT_BY_ACCURACY = (
    "Masked accuracy doesn't sort them: each teacher guesses its own tokens, short ones are guessed more easily, and "
    "so is text that was part of the pretraining."
)
_READ = 100_000
"""Texts that are read to choose these from, at most."""
_CHARACTERS = 2000
"""Of a text, at most."""
_SEED = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class TeacherFound:
    """A teacher on the texts."""

    model: str
    """As a recipe would name it."""
    name: str
    """As people are shown it."""
    parameters: int
    cuts: WordCuts
    accuracy: float | None
    """Share of masked tokens that it guesses, 0-100; None: see `without`."""
    without: str
    """Why there is no accuracy; empty where there is one."""
    volume: Volume | None
    """What it had read of the language; None: not known."""
    volume_words: str

    def to_json(self) -> dict[str, Any]:
        """As the command and the job tell it."""
        return {
            "model": self.model,
            "name": self.name,
            "parameters": self.parameters,
            "tokens_a_word": self.cuts.tokens_a_word,
            "unknown_tokens": self.cuts.unknown,
            "unknown_share": self.cuts.unknown_share,
            "split_share": self.cuts.split_share,
            "masked_accuracy": self.accuracy,
            "without_accuracy": self.without,
            "volume": asdict(self.volume) if self.volume else None,
            "volume_words": self.volume_words,
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class TeachersFound:
    """All teachers on the same texts, the likeliest first; see `ORDER`."""

    language: str
    """ISO 639-3."""
    language_name: str
    texts: int
    words: int
    """Running words of these texts."""
    teachers: tuple[TeacherFound, ...]

    def to_json(self) -> dict[str, Any]:
        """As the command and the job tell it."""
        return {
            "language": self.language,
            "texts": self.texts,
            "words": self.words,
            "order": ORDER,
            "teachers": [teacher.to_json() for teacher in self.teachers],
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class TeacherElsewhere:
    """A known teacher that isn't on this machine: nothing of it can be measured here."""

    model: str
    """As a recipe would name it."""
    parameters: int
    volume: Volume | None
    """What it had read of the language; None: not known."""
    volume_words: str

    def to_json(self) -> dict[str, Any]:
        """As the job tells it."""
        return {**asdict(self), "name": last_name(self.model)}


def known_elsewhere(language: str) -> list[TeacherElsewhere]:
    """The known teachers that this machine's hub cache doesn't hold, the smallest first.

    Args:
        language: ISO 639-3.

    Raises:
        InputError: no such language.
    """
    name = check_language(language)
    found = []
    for teacher in known_teachers():
        if not any(map(on_this_machine, teacher.names)):
            model, volume = teacher.names[0], pretraining_volume(teacher.names[0], language)
            found.append(
                TeacherElsewhere(
                    model=model,
                    parameters=own_parameters(teacher.config),
                    volume=volume,
                    volume_words=volume_words(volume, name),
                )
            )
    return sorted(found, key=lambda one: one.parameters)


def available_teachers() -> list[str]:
    """Known teachers whose weights are in this machine's hub cache, and the sample."""
    cached = (next(filter(on_this_machine, teacher.names), None) for teacher in known_teachers())
    return [*filter(None, cached), "sample"]


def find_teachers(
    sources: Sequence[str],
    base: Path,
    language: str,
    models: Sequence[str],
    ctx: Context,
    left_out: list[Fault] | None = None,
) -> TeachersFound:
    """Try teachers on a sample of a text.

    Args:
        sources: the text, as `core.corpus.reading.read_texts` takes it.
        base: what relative paths start from.
        language: its language, ISO 639-3.
        models: folders, hub models that this machine has, or "sample"; none: `available_teachers`.
        ctx: told of progress, asked whether to go on.
        left_out: what is wrong with teachers that can't be read joins it, as long as there is one that can; None: each
            of them must be readable.

    Raises:
        InputError: no such language, text or teacher, or one that can't be read; all faults of teachers at once.
    """
    name = check_language(language)
    candidates = _candidates(models or available_teachers(), base, left_out)
    steps = 1 + 2 * len(candidates)
    texts = sample_texts(sources, base, ctx)
    found: list[TeacherFound] = []
    faults: list[Fault] = []
    for place, candidate in enumerate(candidates):
        ctx.progress(1 + 2 * place, steps)
        cuts = None
        with gathering(faults):
            cuts = _cuts(candidate, texts, ctx)
        if cuts is None:
            continue
        ctx.progress(2 + 2 * place, steps)
        accuracy, without = _accuracy(candidate, texts, ctx)
        volume = pretraining_volume(candidate.model, language, base)
        found.append(
            TeacherFound(
                model=candidate.model,
                name=last_name(candidate.model),
                parameters=candidate.parameters,
                cuts=cuts,
                accuracy=accuracy,
                without=without,
                volume=volume,
                volume_words=volume_words(volume, name),
            )
        )
    _leave_out(faults, found, left_out)
    ctx.progress(steps, steps)
    found.sort(key=lambda one: (one.cuts.unknown_share > MOST_UNKNOWN, one.cuts.tokens_a_word, one.model))
    return TeachersFound(
        language=language,
        language_name=name,
        texts=len(texts),
        words=max(one.cuts.words for one in found),
        teachers=tuple(found),
    )


# -- the text --------------------------------------------------------------------------------------------------------


def sample_texts(sources: Sequence[str], base: Path, ctx: Context) -> list[str]:
    """At most `TEXTS` different texts, the same for the same text in whatever order: those with the smallest hashes.

    Args:
        sources, base: as for `find_teachers`; only the first texts of each are read where they are very many.
        ctx: asked again and again whether to go on.

    Raises:
        InputError: a source can't be read, or no text has letters enough.
    """
    from core.corpus.cleaning import clean, has_letters, text_hash
    from core.corpus.reading import read_texts

    seed = derive(_SEED, "teachers")
    kept: dict[int, str] = {}
    largest: list[int] = []
    """Hashes of the texts that are kept, negative, as a heap."""
    for source in sources:
        for number, raw in enumerate(
            itertools.islice(read_texts(source, base, Unmeasured(ctx)), _READ // len(sources))
        ):
            if number % 256 == 0:
                ctx.check()
            text = clean(raw)
            value = text_hash(text, seed)
            if not has_letters(text, LEAST_LETTERS) or value in kept:
                continue
            if len(largest) < TEXTS:
                heapq.heappush(largest, -value)
            elif value < -largest[0]:
                del kept[-heapq.heapreplace(largest, -value)]
            else:
                continue
            kept[value] = _beginning(text)
    if not kept:
        raise InputError(
            f"No text here has {LEAST_LETTERS} letters or more.", hint="Give more text of the language with --corpus."
        )
    return [kept[value] for value in sorted(kept)]


def _beginning(text: str) -> str:
    """The text, or as many whole words as fit."""
    return text if len(text) <= _CHARACTERS else text[:_CHARACTERS].rpartition(" ")[0] or text[:_CHARACTERS]


# -- the teachers ----------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Candidate:
    model: str
    folder: Path
    parameters: int
    tokenizer: PreTrainedTokenizerBase


def _candidates(models: Sequence[str], base: Path, left_out: list[Fault] | None) -> list[_Candidate]:
    """Every teacher with its tokenizer, each once."""
    faults: list[Fault] = []
    found: list[_Candidate] = []
    for model in dict.fromkeys(models):
        with gathering(faults):
            found.append(_candidate(model, base))
    _leave_out(faults, found, left_out)
    return found


def _leave_out(faults: list[Fault], found: Sequence[object], left_out: list[Fault] | None) -> None:
    """Do without the teachers that have faults, where that is wished and there are others."""
    if faults and (left_out is None or not found):
        raise InputError.of(faults)
    if left_out is not None:
        left_out += faults


def _candidate(model: str, base: Path) -> _Candidate:
    from core.trim import tokenizer_without_torch

    folder = local_folder(model, base) or downloaded(model)
    if folder is None:
        raise InputError(
            f"The model {model!r} is not on this machine.",
            hint="Give a folder, or download it first; a run with it as its teacher does so.",
        )
    config = check_model_folder(folder, weights=False)
    return _Candidate(model, folder, own_parameters(config), tokenizer_without_torch(folder, config))


def _cuts(candidate: _Candidate, texts: Sequence[str], ctx: Context) -> WordCuts:
    from core.vocabulary.fertility import word_cuts

    unknown: int | None = candidate.tokenizer.unk_token_id
    try:
        return word_cuts(candidate.tokenizer.backend_tokenizer, unknown, texts, ctx)
    except InputError as error:
        raise InputError.of(
            replace(fault, problem=f"{candidate.model}: {fault.problem}") for fault in error.faults
        ) from error


def _accuracy(candidate: _Candidate, texts: Sequence[str], ctx: Context) -> tuple[float | None, str]:
    """Masked accuracy, or why there is none."""
    if not any(candidate.folder.glob("*.safetensors")):
        return None, "its folder holds no weights in safetensors"
    from core.masked_accuracy import masked_accuracy  # brings torch

    try:
        return masked_accuracy(candidate.folder, texts, derive(_SEED, "teachers"), ctx), ""
    except InputError as error:
        return None, error.faults[0].problem
