"""Swahili: noun classes, whose concords run through adjectives, numbers, demonstratives and verbs."""

from __future__ import annotations

from resources.sample.grammar import Agreement, Language, Phrase, Token, name_tokens
from resources.sample.meaning import Noun, Organisation, Person, Place

CLASSES = ["1", "2", "3", "4", "5", "6", "7", "8", "9", "10", "11"]
SUBJECT = dict(zip(CLASSES, ["a", "wa", "u", "i", "li", "ya", "ki", "vi", "i", "zi", "u"], strict=True))
ASSOCIATIVE = dict(zip(CLASSES, ["wa", "wa", "wa", "ya", "la", "ya", "cha", "vya", "ya", "za", "wa"], strict=True))
THIS = dict(
    zip(CLASSES, ["huyu", "hawa", "huu", "hii", "hili", "haya", "hiki", "hivi", "hii", "hizi", "huu"], strict=True)
)
ADJECTIVE = dict(zip(CLASSES, ["m", "wa", "m", "mi", "", "ma", "ki", "vi", "N", "N", "m"], strict=True))
BEFORE_E = dict(zip(CLASSES, ["mw", "w", "mw", "my", "j", "m", "ch", "vy", "ny", "ny", "mw"], strict=True))
TENSE = {"past": "li", "present": "na", "future": "ta"}
NUMBERS = {"two": "wili", "three": "tatu", "four": "nne", "five": "tano"}
MONOSYLLABIC = ("la", "nywa")


def concord(stem: str, noun_class: str) -> str:
    """An adjective or number stem with the prefix of a noun class.

    >>> [concord("zuri", c) for c in ("1", "7", "8", "9")], concord("epesi", "7"), concord("baya", "10")
    (['mzuri', 'kizuri', 'vizuri', 'nzuri'], 'chepesi', 'mbaya')
    """
    if stem[0] == "e":
        return BEFORE_E[noun_class] + stem
    if stem == "pya" and noun_class in ("5", "9", "10"):
        return "jipya" if noun_class == "5" else "mpya"
    prefix = ADJECTIVE[noun_class]
    if prefix != "N":
        return prefix + stem
    if stem == "wili":
        return "mbili"
    if stem.startswith(("d", "g", "z")):
        return "n" + stem
    return "m" + stem if stem.startswith("b") or stem == "pole" else stem


class Swahili(Language):
    """Says plans in Swahili; the gender of an agreement is the class of the form in use."""

    code = "swh"

    def noun(self, noun: Noun, role: str) -> Phrase:
        """The noun, then demonstrative, adjective and number in its class."""
        singular, plural, classes = self.nouns[noun.concept][0]
        many = noun.plural and plural != "-"
        noun_class = classes.split("/")[many]
        agreement = Agreement(noun_class, many)
        tokens = compound(plural if many else singular)
        if noun.near:
            tokens.append(Token(THIS[noun_class], "DET"))
        if noun.adjective:
            tokens += self.adjective(noun.adjective, noun_class)
        if noun.number and many:
            tokens.append(Token(concord(NUMBERS[noun.number], noun_class), "NUM"))
        return Phrase(tokens, agreement)

    def adjective(self, name: str, noun_class: str) -> list[Token]:
        """An adjective in a noun class: with a prefix, as an associative, or unchanged."""
        stem, *rest = self.adjectives[name]
        if rest:
            return [Token(ASSOCIATIVE[noun_class], "ADP"), Token(rest[0], "VERB" if rest[0][:2] == "ku" else "NOUN")]
        return [Token(concord(stem[1:], noun_class) if stem.startswith("-") else stem, "ADJ")]

    def person(self, person: Person, role: str) -> Phrase:
        """A person, with the title before the name."""
        title = compound(self.nouns[person.title][0][0]) if person.title and not person.employer else []
        names = f"{person.first} {person.surname}" if person.surname else person.first
        return Phrase(title + name_tokens(names, "PER"), Agreement("1"))

    def organisation(self, organisation: Organisation, role: str) -> Phrase:
        """An organisation; its first noun gives the class."""
        noun_class, _, pattern = organisation.pattern.partition(" ")
        name = pattern.format(place=organisation.place, surname=organisation.surname, brand=organisation.brand)
        tokens = name_tokens(name, "ORG")
        tokens = [Token(t.form, "ADP" if t.form in ASSOCIATIVE.values() else "PROPN", t.entity) for t in tokens]
        return Phrase(tokens, Agreement(noun_class))

    def town(self, name: str) -> list[Token]:
        """A town."""
        return name_tokens(name, "LOC")

    def of(self, organisation: Organisation) -> list[Token]:
        """Of an organisation; what is owned here is always a person."""
        return [Token("wa", "ADP"), *self.organisation(organisation, "of").tokens]

    def at(self, place: Place) -> list[Token]:
        """The locative in -ni, or katika; a town follows with an associative."""
        if place.noun is None:
            assert place.town
            return [Token("mjini", "NOUN"), *name_tokens(place.town, "LOC")]
        noun = self.noun(place.noun, "place")
        if place.town:
            of = Token(ASSOCIATIVE[noun.agreement.gender], "ADP")
            return [Token("katika", "ADP"), *noun.tokens, of, *name_tokens(place.town, "LOC")]
        if len(noun.tokens) > 1:
            return [Token("katika", "ADP"), *noun.tokens]
        return [Token(noun.tokens[0].form + "ni", "NOUN")]

    def verb(
        self, verb: str, agreement: Agreement, tense: str, negated: bool, obj: Agreement | None = None
    ) -> list[Token]:
        """Subject prefix, tense, the prefix of a human object, stem."""
        stem = self.verbs[verb][0]
        bare = stem
        if obj:
            stem = ("wa" if obj.gender == "2" else "mw" if stem[0] in "aeiou" else "m") + stem
        long = "ku" + stem if stem in MONOSYLLABIC else stem
        prefix = SUBJECT[agreement.gender]
        if not negated:
            return [Token(prefix + TENSE[tense] + long, "VERB")]
        negative = "ha" if agreement.gender == "1" else "ha" + prefix
        if tense == "past":
            return [Token(negative + "ku" + stem, "VERB")]
        if tense == "future":
            return [Token(negative + "ta" + long, "VERB")]
        return [Token(negative + (stem[:-1] + "i" if bare.endswith("a") else stem), "VERB")]

    def copula(self, agreement: Agreement, tense: str, negated: bool) -> list[Token]:
        """Ni, si; forms of kuwa in the past."""
        if tense == "present":
            return [Token("si" if negated else "ni", "AUX")]
        prefix = SUBJECT[agreement.gender]
        if negated:
            return [Token(("ha" if agreement.gender == "1" else "ha" + prefix) + "kuwa", "AUX")]
        return [Token(prefix + "likuwa", "AUX")]

    def predicate(self, adjective: str, agreement: Agreement, strong: bool) -> list[Token]:
        """An agreeing adjective; "very" follows it."""
        return [*self.adjective(adjective, agreement.gender), *(self.phrases["very"] if strong else [])]

    def role(self, title: str, person: Person) -> list[Token]:
        """A profession."""
        return compound(self.nouns[title][0][0])


def compound(form: str) -> list[Token]:
    """The tokens of a noun; the second word of a compound is its associative."""
    return [Token(word, "ADP" if index == 1 else "NOUN") for index, word in enumerate(form.split("_"))]
