"""The built-in sample's text: the same for the same seed, well-formed, and grammatical where that can be checked."""

from __future__ import annotations

import doctest
import re
from itertools import pairwise
from pathlib import Path

import pytest

from resources import sample
from resources.sample import english, generate, maltese, slovak, swahili
from resources.sample.grammar import Agreement, join, words
from resources.sample.meaning import HELD_BACK_EVERY, Event, Noun, Person, Place, World
from resources.sample.swahili import ADJECTIVE, ASSOCIATIVE, SUBJECT, concord

UPOS = set(
    [
        "ADJ",
        "ADP",
        "ADV",
        "AUX",
        "CCONJ",
        "DET",
        "INTJ",
        "NOUN",
        "NUM",
        "PART",
        "PRON",
        "PROPN",
        "PUNCT",
        "SCONJ",
        "SYM",
        "VERB",
        "X",
    ]
)
FOLDER = Path(sample.__file__).parent
SPLITS = ("train", "validation", "test")
LANGUAGES = pytest.mark.parametrize("code", sample.LANGUAGES)


def rows(kind: str, code: str, split: str) -> list[tuple[str, str]]:
    """Text and label of a .tsv file."""
    lines = (sample.task_folder(kind, code) / f"{split}.tsv").read_text(encoding="utf-8").splitlines()
    assert lines[0] == "text\tlabel"
    return [(text, label) for text, label in (line.split("\t") for line in lines[1:])]


def blocks(kind: str, code: str, split: str) -> list[list[str]]:
    """The lines of each sentence of a .bio or .conllu file."""
    ending = {"ner": "bio", "pos": "conllu"}[kind]
    content = (sample.task_folder(kind, code) / f"{split}.{ending}").read_text(encoding="utf-8")
    assert content.endswith("\n\n")
    return [block.split("\n") for block in content.removesuffix("\n\n").split("\n\n")]


def texts(kind: str, code: str, split: str) -> list[str]:
    """The texts of a split, as they would be written without their labels."""
    if kind == "pos":
        return [block[1].removeprefix("# text = ") for block in blocks(kind, code, split)]
    if kind == "ner":
        return [" ".join(line.split("\t")[0] for line in block) for block in blocks(kind, code, split)]
    return [text for text, _ in rows(kind, code, split)]


@LANGUAGES
def test_the_seed_gives_the_committed_files(code: str) -> None:
    for name, content in generate.files(code).items():
        assert (FOLDER / name).read_bytes() == content.encode("utf-8"), name


@LANGUAGES
def test_another_seed_gives_other_text(code: str) -> None:
    first = generate.Writer(code, 1)
    second = generate.Writer(code, 2)
    assert [first.text() for _ in range(5)] != [second.text() for _ in range(5)]


def test_the_files_are_small() -> None:
    assert sum(path.stat().st_size for path in FOLDER.glob("texts/*")) <= 1_500_000
    assert sum(path.stat().st_size for path in FOLDER.glob("tasks/*/*/*")) <= 1_000_000


@LANGUAGES
def test_splits_share_nothing_with_each_other_or_the_corpus(code: str) -> None:
    corpus = re.sub(r"\s+", "", sample.corpus_file(code).read_text(encoding="utf-8"))
    remarks = {join(r) for lines in generate.GRAMMARS[code]().conclusions.values() for r in lines}
    for kind in sample.KINDS:
        seen = {split: set(texts(kind, code, split)) for split in SPLITS}
        assert all(not seen[a] & seen[b] for a, b in (("train", "validation"), ("train", "test"), SPLITS[1:]))
        for text in seen["validation"] | seen["test"]:
            for sentence in re.split(r"(?<=\.)\s", text):
                if sentence.rstrip(" .") not in remarks:
                    squeezed = re.sub(r"\s+", "", sentence)
                    assert f".{squeezed}" not in corpus and not corpus.startswith(squeezed), sentence


@LANGUAGES
def test_labels_are_balanced(code: str) -> None:
    for kind, count in (("topic", 6), ("sentiment", 2)):
        labels = [label for _, label in rows(kind, code, "test")]
        share = [labels.count(label) / len(labels) for label in set(labels)]
        assert len(share) == count and max(share) - min(share) < 0.05


@LANGUAGES
def test_entities_are_valid_iob2_and_some_are_new_in_the_test_split(code: str) -> None:
    names: dict[str, set[str]] = {}
    for split in SPLITS:
        names[split] = set()
        kinds = set()
        for block in blocks("ner", code, split):
            pairs = [line.split("\t") for line in block]
            assert all(len(pair) == 2 and pair[0] for pair in pairs)
            for (_, before), (form, tag) in pairwise([["", "O"], *pairs]):
                assert re.fullmatch("O|[BI]-(PER|LOC|ORG)", tag)
                assert tag[0] != "I" or before[2:] == tag[2:], "an I- continues an entity of its kind"
                kinds.add(tag[2:])
                if tag != "O":
                    names[split].add(form)
        assert kinds == {"", "PER", "LOC", "ORG"}
    new = names["test"] - names["train"]
    assert 0.15 < len(new) / len(names["test"]) < 0.75


@LANGUAGES
def test_held_back_names_are_not_in_the_corpus(code: str) -> None:
    corpus = set(re.findall(r"\w+", sample.corpus_file(code).read_text(encoding="utf-8")))
    for entry in generate.GRAMMARS[code]().names["men"][HELD_BACK_EVERY - 1 :: HELD_BACK_EVERY]:
        assert entry.split(":")[0] not in corpus


@LANGUAGES
def test_conllu_is_well_formed(code: str) -> None:
    for split in SPLITS:
        for block in blocks("pos", code, split):
            comments, lines = block[:2], [line.split("\t") for line in block[2:]]
            assert comments[0].startswith("# sent_id = ") and comments[1].startswith("# text = ")
            assert all(len(columns) == 10 and all(columns) for columns in lines)
            assert [columns[0] for columns in lines] == [str(n) for n in range(1, len(lines) + 1)]
            assert {columns[3] for columns in lines} <= UPOS
            text = "".join(c[1] + ("" if c[9] == "SpaceAfter=No" else " ") for c in lines).strip()
            assert text == comments[1].removeprefix("# text = ")


@LANGUAGES
def test_every_concept_has_words(code: str) -> None:
    world, language = World(), generate.GRAMMARS[code]()
    assert {c for members in world.classes.values() for c in members if c not in world.classes} <= set(language.nouns)
    assert {frame.verb for frame in world.frames} <= set(language.verbs)
    wanted = {a for names in world.adjectives.values() for a in names}
    wanted |= {word for pairs in world.opinions.values() for pair in pairs for word in pair}
    assert wanted <= set(language.adjectives)
    corpus = set(re.findall(r"[^\W\d]+", sample.corpus_file(code).read_text(encoding="utf-8").lower()))
    assert len(corpus) >= 400


def test_unknown_names_are_refused() -> None:
    with pytest.raises(ValueError, match="holds no 'deu'; it holds mlt"):
        sample.corpus_file("deu")
    with pytest.raises(ValueError, match="holds no 'parsing'"):
        sample.task_folder("parsing")


@pytest.mark.parametrize("module", [maltese, slovak, swahili, english])
def test_examples_in_docstrings(module: object) -> None:
    assert doctest.testmod(module).failed == 0  # type: ignore[arg-type]


# Grammar -----------------------------------------------------------------------------------------------------


def test_maltese_article_takes_on_sun_consonants_in_the_corpus() -> None:
    text = sample.corpus_file("mlt").read_text(encoding="utf-8").lower()
    articles = re.findall(r"(?<![\w'])(?:i|fi|ta|li)?([a-zċġħż])-(\w+)", text)
    assert len(articles) > 5000
    for consonant, word in articles:
        if word[0] in "ċdnrstxżz":
            assert consonant == word[0], (consonant, word)
        else:
            assert consonant == "l", (consonant, word)


def test_maltese_article_loses_its_vowel_after_one() -> None:
    text = sample.corpus_file("mlt").read_text(encoding="utf-8")
    assert not re.search(r"[aeiou] i[ċdnrstxżzl]-", text)
    assert re.search(r"[aeiou] l-\w", text) and re.search(r"[^aeiou.,] il-\w", text)


def test_maltese_adjectives_agree() -> None:
    language = maltese.Maltese()
    said = language.say([Event("cook", Noun("woman", adjective="new"), Noun("egg", plural=True), tense="present")])
    assert join(said[0]) == "Il-mara l-ġdida ssajjar il-bajd."
    place = Place(Noun("school"), "+Nadur")
    said = language.say([Event("see", Person("Toni", None, False), Noun("doctor", human=True), place=place)])
    assert join(said[0]) == "Toni ra lit-tabib fl-iskola tan-Nadur."


def test_swahili_concords_run_through_the_clause() -> None:
    language = swahili.Swahili()
    book = Noun("book", plural=True, number="two", adjective="good")
    assert join(language.noun(book, "object").tokens) == "vitabu vizuri viwili"
    said = language.say([Event("arrive", Noun("car", near=True), tense="future")])
    assert join(said[0]) == "Gari hili litafika."
    said = language.say([Event("treat", Noun("doctor", human=True), Noun("patient", human=True, plural=True))])
    assert join(said[0]) == "Daktari aliwatibu wagonjwa."
    assert join(language.verb("eat", Agreement("2", True), "present", True)) == "hawali"


def test_swahili_noun_classes_in_the_tasks() -> None:
    language = swahili.Swahili()
    classes = {
        form: noun_class
        for (singular, plural, both), *_ in language.nouns.values()
        for form, noun_class in zip((singular, plural), both.split("/"), strict=True)
        if singular != plural and "_" not in form
    }
    stems = [line[0][1:] for line in language.adjectives.values() if line[0].startswith("-") and len(line) == 1]
    checked = 0
    for block in blocks("pos", "swh", "train"):
        tokens = [(line.split("\t")[1].lower(), line.split("\t")[3]) for line in block[2:]]
        for (noun, upos), (after, kind) in pairwise(tokens):
            noun_class = classes.get(noun)
            if upos != "NOUN" or noun_class is None:
                continue
            if kind == "ADJ" and any(after.endswith(stem) for stem in stems):
                assert after in {concord(stem, noun_class) for stem in stems}, (noun, after)
                checked += 1
            elif kind == "VERB" and after.startswith(SUBJECT[noun_class] + "li"):
                checked += 1
            elif kind == "ADP" and after in set(ASSOCIATIVE.values()) - {"wa"}:
                assert after == ASSOCIATIVE[noun_class], (noun, after)
                checked += 1
    assert checked > 30 and ADJECTIVE["7"] == "ki"


def test_slovak_cases_and_gender() -> None:
    language = slovak.Slovak()
    said = language.say(
        [Event("see", Noun("woman", adjective="new"), Noun("doctor", human=True, adjective="beautiful"))]
    )
    assert join(said[0]) == "Nová žena uvidela krásneho lekára."
    place = Place(Noun("village", adjective="small"), "Nitra:Nitr:žena")
    matches = Noun("match", number="two", plural=True)
    said = language.say([Event("win", Noun("player", plural=True), matches, place=place)])
    assert join(said[0]) == "Hráči vyhrali dva zápasy v malej dedine v Nitre."
    assert join(language.person(Person("Jana", "Kováč", True), "object").tokens) == "Janu Kováčovú"


def test_english_verbs_agree_in_number() -> None:
    language = english.English()
    said = language.say([Event("eat", Noun("baker", plural=True), Noun("egg", definite=False), tense="present")])
    assert join(said[0]) == "The bakers eat an egg."
    said = language.say([Event("eat", Noun("baker"), Noun("bread"), tense="present", negated=True)])
    assert join(said[0]) == "The baker does not eat the bread."


def test_marked_phrases_are_read() -> None:
    assert join(words("il-_/DET ġimgħa/NOUN")) == "il-ġimgħa"
