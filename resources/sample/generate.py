"""Write the sample's files: texts for pre-training and tasks with gold labels, the same ones for the same seed.

Run it with `python -m resources.sample.generate`.
"""

from __future__ import annotations

import argparse
import shutil
from collections.abc import Callable, Iterable
from pathlib import Path
from random import Random

from resources.sample import KINDS, LANGUAGES
from resources.sample.english import English
from resources.sample.grammar import Language, Token, join
from resources.sample.maltese import Maltese
from resources.sample.meaning import Clause, Speaker, World
from resources.sample.slovak import Slovak
from resources.sample.swahili import Swahili

SEED = 2025
SPLITS = {"train": 300, "validation": 100, "test": 200}
"""Texts a task of Maltese, the language of the sample run; the others have two fifths."""
TEXTS = {"mlt": 4000, "slk": 3000, "swh": 3000, "eng": 3000}
UNSEEN_NAMES = 0.35
"""Share of names in validation and test that occur in no text and no training split."""
BRAND_HEADS = ["Vel", "Kor", "Nov", "Mar", "Tel", "Zan", "Lum", "Bor", "Sol", "Dor", "Kal", "Rin"]
BRAND_TAILS = ["ika", "onix", "ara", "enta", "imed", "otek", "alia", "ura", "evo", "anta", "omir", "ela"]
GRAMMARS: dict[str, Callable[[], Language]] = {"mlt": Maltese, "slk": Slovak, "swh": Swahili, "eng": English}

Sentences = list[list[Token]]


class Writer:
    """Draws labelled texts of one language and keeps them apart from each other."""

    def __init__(self, code: str, seed: int) -> None:
        """Make the speaker of a language; each language has a random stream of its own."""
        self.language = GRAMMARS[code]()
        self.random = Random(f"{seed} {code}")
        self.world = World()
        names = self.language.names | {"brand_heads": BRAND_HEADS, "brand_tails": BRAND_TAILS}
        self.speaker = Speaker(self.world, names, self.language.organisations, self.random)
        self.topics = list(self.world.topics)
        self.taken: set[str] = set()
        """Every sentence written so far: no task sentence comes twice."""

    def fresh(self, draw: Callable[[], list[Clause]]) -> Sentences:
        """A text of which no sentence has been written before (closing remarks may come again)."""
        while True:
            said = self.language.say(draw())
            keys = [join(sentence) for sentence in said]
            if all(key not in self.taken or self.is_remark(s) for key, s in zip(keys, said, strict=True)):
                return said

    def is_remark(self, sentence: list[Token]) -> bool:
        """Whether a sentence is one of the fixed closing remarks."""
        remarks = [r for lines in self.language.conclusions.values() for r in lines]
        return any([t.form for t in sentence[:-1]] == [t.form for t in r] for r in remarks)

    def keep(self, text: Sentences) -> Sentences:
        """Note the sentences of a text."""
        self.taken.update(join(sentence) for sentence in text)
        return text

    def labelled(self, kind: str, index: int) -> tuple[Sentences, str]:
        """One text for a task, with its label (empty where the labels are on the tokens)."""
        topic = self.random.choice(self.topics)
        if kind == "topic":
            topic = self.topics[index % len(self.topics)]
            return self.keep(self.fresh(lambda: self.speaker.news(topic))), topic
        if kind == "sentiment":
            positive = index % 2 == 0
            label = "positive" if positive else "negative"
            return self.keep(self.fresh(lambda: self.speaker.judgement(topic, positive))), label
        return self.keep(self.fresh(lambda: self.speaker.news(topic))[:1]), ""

    def task(self, kind: str) -> dict[str, list[tuple[Sentences, str]]]:
        """All splits of a task."""
        splits = {}
        for split, size in SPLITS.items():
            self.speaker.unseen = 0.0 if split == "train" else UNSEEN_NAMES
            rows = [
                self.labelled(kind, index) for index in range(size if self.language.code == "mlt" else size * 2 // 5)
            ]
            self.random.shuffle(rows)
            splits[split] = rows
        self.speaker.unseen = 0.0
        return splits

    def text(self) -> str:
        """One line of the corpus."""
        topic = self.random.choice(self.topics)
        if self.random.random() < 0.35:
            positive = self.random.random() < 0.5
            return running(self.keep(self.fresh(lambda: self.speaker.judgement(topic, positive))))
        return running(self.keep(self.fresh(lambda: self.speaker.news(topic))))


def running(text: Sentences) -> str:
    """A text as one line."""
    return " ".join(join(sentence) for sentence in text)


def tsv(rows: Iterable[tuple[Sentences, str]]) -> str:
    """Text and label, with a header line."""
    return "text\tlabel\n" + "".join(f"{running(text)}\t{label}\n" for text, label in rows)


def bio(rows: Iterable[tuple[Sentences, str]]) -> str:
    """Token and IOB2 tag, a blank line after each sentence."""
    return "".join("".join(f"{t.form}\t{t.entity}\n" for t in s) + "\n" for text, _ in rows for s in text)


def conllu(rows: Iterable[tuple[Sentences, str]]) -> str:
    """CoNLL-U with FORM, UPOS and SpaceAfter; the other columns are empty."""
    blocks = []
    for number, sentence in enumerate((s for text, _ in rows for s in text), 1):
        lines = [f"# sent_id = {number}", f"# text = {join(sentence)}"]
        for index, token in enumerate(sentence, 1):
            space = "SpaceAfter=No" if token.glued else "_"
            lines.append("\t".join([str(index), token.form, "_", token.upos, *["_"] * 5, space]))
        blocks.append("\n".join(lines) + "\n\n")
    return "".join(blocks)


FORMATS: dict[str, tuple[str, Callable[[Iterable[tuple[Sentences, str]]], str]]] = {
    "topic": ("tsv", tsv),
    "sentiment": ("tsv", tsv),
    "ner": ("bio", bio),
    "pos": ("conllu", conllu),
}


def files(code: str, seed: int = SEED) -> dict[str, str]:
    """All files of a language: path below the sample's folder, content."""
    writer = Writer(code, seed)
    made = {}
    for kind in KINDS:
        ending, write = FORMATS[kind]
        for split, rows in writer.task(kind).items():
            made[f"tasks/{code}/{kind}/{split}.{ending}"] = write(rows)
    made[f"texts/{code}.txt"] = "".join(writer.text() + "\n" for _ in range(TEXTS[code]))
    return made


def main() -> None:
    """Write every file below a folder."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seed", type=int, default=SEED)
    parser.add_argument("--out", type=Path, default=Path(__file__).parent)
    arguments = parser.parse_args()
    for folder in ("texts", "tasks"):
        shutil.rmtree(arguments.out / folder, ignore_errors=True)
    for code in LANGUAGES:
        for name, content in files(code, arguments.seed).items():
            path = arguments.out / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(content, encoding="utf-8", newline="\n")


if __name__ == "__main__":
    main()
