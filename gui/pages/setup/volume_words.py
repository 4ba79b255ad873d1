"""How much of a language a teacher has read, in words, and what follows from that."""

from __future__ import annotations

from pathlib import Path

from PySide6.QtCore import QCoreApplication

from core.pretraining import FOLDER_FILE, Volume
from core.teachers import known_teacher
from core.wording import clean
from gui.text import count, number, parameters

translate = QCoreApplication.translate


def amount(volume: Volume) -> str:
    """How much it was: 1.6 GiB, 12 MiB, 388.5 k tokens."""
    if volume.size_gib is None:
        tokens = volume.tokens_millions * 1e6
        return translate("Volumes", "{} tokens").format(count(round(tokens)) if tokens < 1e4 else parameters(tokens))
    if volume.size_gib >= 0.095:
        return f"{number(volume.size_gib)} GiB"
    mebi = volume.size_gib * 1024
    return f"{number(mebi, 0 if mebi >= 1 else 2)} MiB"


def cell(volume: Volume | None) -> str:
    """The same for a table, also of nothing and of what isn't known."""
    if volume is None:
        return "–"
    return translate("Volumes", "nothing") if volume.unseen else amount(volume)


def in_short(volume: Volume | None, language: str) -> str:
    """As a part of a line: saw 1.6 GiB of Swahili; empty where it isn't known."""
    if volume is None:
        return ""
    if volume.unseen:
        return translate("Volumes", "never saw {}").format(language)
    return translate("Volumes", "saw {} of {}").format(amount(volume), language)


def note(volume: Volume | None, language: str, code: str, teacher: str) -> str:
    """Sentences on it, for the language of this name and code; `teacher` is `teacher.model` of the recipe."""
    known = known_teacher(teacher)
    title = known.title if known else translate("Volumes", "this teacher")
    if volume is None:
        words = translate("Volumes", "How much {} {} read isn't known.").format(language, title)
        hint = translate("Volumes", "Its folder can tell in a file {}; the README says how.").format(FOLDER_FILE)
        return f"{words} {hint}" if Path(teacher).is_absolute() else words
    title = title[:1].upper() + title[1:]
    corpus = clean(volume.corpus)
    if volume.unseen:
        words = translate(
            "Volumes", "{} never saw {} ({}). Adapting the teacher to your text first is worth the time."
        ).format(title, language, corpus)
    else:
        as_other = translate("Volumes", ", listed as “{}”").format(volume.code) if volume.code != code else ""
        words = translate("Volumes", "{} saw {} of {} in {}{}, as {} counted.").format(
            title, amount(volume), language, corpus, as_other, volume.source.partition(",")[0]
        )
    remarks = "".join(f" {remark[:1].upper()}{remark[1:]}." for remark in (volume.note, volume.doubt) if remark)
    return f"{words}{remarks} {_paper_says()}"


def _paper_says() -> str:
    return translate(
        "Volumes",
        "The paper (arXiv 2505.16956) reports, for mBERT and XLM-R in Maltese, Slovak and Swahili, that the drop "
        "shrinks with the volume of the language's text in the teacher's pretraining, as a power law.",
    )
